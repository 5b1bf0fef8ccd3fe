"""Currents into the quantized potassium channel: classical, coherent and entangled sources.

A source is a flux Φ_s = (Φ⁽¹⁾ + Φ⁽²⁾)/2, Φ⁽ⁱ⁾ = √(ħ/2ΩC_s)(a_i + a_i†), behind a capacitance C_g;
its current is I = −C_g d²⟨Φ_s⟩/dt². With x = Ωt, α(t) = α₀ sin x and ħ = 1,

    coherent |α, 0⟩:      I = A sin x,      A = α₀ C_g Ω² √(1/2ΩC_s)
    entangled |s⟩ = cos θ|α, 0⟩ + sin θ|0, α⟩:      (a₁ + a₂)|s⟩ = α|s⟩ exactly, so
    ⟨s|Φ_s|s⟩ = √(1/2ΩC_s) α(t) ⟨s|s⟩,      ⟨s|s⟩ = 1 + sin 2θ e^{−|α(t)|²}

Normalised, the entangled source drives the channel as the coherent one does, whatever θ. The
paper (Cheng et al., arXiv:1807.10698) leaves the state unnormalised. Its Eq. 23 multiplies the
coherent current by ⟨s|s⟩ (there with half the exponent and half of A, Eq. 21's spurious ½); the
second derivative of the unnormalised ⟨Φ_s⟩ is another current, for ⟨s|s⟩ moves too. Both have
exact Fourier series, with z = α₀² and modified Bessel functions I_k,

    sin x e^{−z sin²x} = Σ_k c_k sin (2k+1)x,      c_k = e^{−z/2}[I_k(z/2) − I_{k+1}(z/2)]

and (2k+1)² c_k in the second derivative. The paper expands the exponential instead (Eqs. 24, 25),
with the overlap's series that of ½(1 + e^{−|α|²}).

Frequencies Ω in rad/ms, currents in µA/cm²; α₀, C_g and C_s in units that make A one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ive, xlogy

from .rates import FloatArray, checked_number

__all__ = [
    "ClassicalDrive",
    "CoherentDrive",
    "ConstantDrive",
    "Drive",
    "DriveError",
    "EntangledDrive",
    "Harmonics",
    "PeriodicDrive",
    "entanglement_entropy",
    "norm_squared",
]


class DriveError(ValueError):
    """A source, or a request about one, that makes no sense."""


@dataclass(frozen=True)
class Harmonics:
    """A Fourier series I(t) = Re Σ_k a_k e^{i k Ω t}; calling it with t, of any shape, sums it.

    Args:
        frequency: Ω in rad/ms.
        orders: k >= 0, shape (harmonics,).
        amplitudes: a_k, complex, shape (harmonics,); −i b for b sin kΩt.
    """

    frequency: float
    orders: NDArray[np.int64]
    amplitudes: NDArray[np.complex128]

    def __call__(self, t: ArrayLike) -> FloatArray:
        """I at t, of the shape of t."""
        return self._sum(self.amplitudes, t)

    def slope(self, t: ArrayLike) -> FloatArray:
        """dI/dt, of the shape of t."""
        return self._sum(1j * self.frequency * self.orders * self.amplitudes, t)

    def _sum(self, amplitudes: NDArray[np.complex128], t: ArrayLike) -> FloatArray:
        angle = self.frequency * np.asarray(t, dtype=np.float64)[..., None] * self.orders
        return np.asarray((np.exp(1j * angle) @ amplitudes).real)


@dataclass(frozen=True)
class ConstantDrive:
    """I(t) = I₀.

    Args:
        amplitude: I₀ in µA/cm², any finite number.

    Raises:
        DriveError: an amplitude that is no finite number.
    """

    amplitude: float
    gate_capacitance = 0.0

    def __post_init__(self) -> None:
        """Refuse what is no current."""
        _check(self, {"amplitude": {}})

    def current(self, t: ArrayLike) -> FloatArray:
        """I at t, of the shape of t."""
        return np.full(np.shape(t), self.amplitude)

    def harmonics(self, tolerance: float = 1e-12) -> Harmonics:
        """The series, of one term; `tolerance` changes nothing."""
        return _series(0.0, [0], [self.amplitude])


@dataclass(frozen=True)
class ClassicalDrive:
    """I(t) = I₀ sin²Ωt = ½I₀(1 − cos 2Ωt), of period π/Ω.

    Args:
        amplitude: I₀ in µA/cm², any finite number.
        frequency: Ω > 0 in rad/ms.

    Raises:
        DriveError: a value out of range or not finite.
    """

    amplitude: float
    frequency: float
    gate_capacitance = 0.0

    def __post_init__(self) -> None:
        """Refuse what is no current."""
        _check(self, {"amplitude": {}, "frequency": {"above": 0.0}})

    @property
    def period(self) -> float:
        """π/Ω, in ms."""
        return math.pi / self.frequency

    def current(self, t: ArrayLike) -> FloatArray:
        """I at t, of the shape of t."""
        return np.asarray(self.amplitude * np.sin(self.frequency * np.asarray(t)) ** 2)

    def harmonics(self, tolerance: float = 1e-12) -> Harmonics:
        """The series, of two terms; `tolerance` changes nothing."""
        half = 0.5 * self.amplitude
        return _series(self.frequency, [0, 2], [half, -half])


_SOURCE: dict[str, dict[str, float]] = {
    "alpha0": {"least": 0.0},
    "frequency": {"above": 0.0},
    "gate_capacitance": {"above": 0.0},
    "source_capacitance": {"above": 0.0},
}


@dataclass(frozen=True)
class CoherentDrive:
    """I(t) = A sin Ωt, A = α₀ C_g Ω² √(1/2ΩC_s), from |α₀ sin Ωt⟩ (Eq. 21 without its ½).

    Args:
        alpha0: α₀ >= 0.
        frequency: Ω > 0 in rad/ms.
        gate_capacitance: C_g > 0, between the source and the channel; it adds to the channel's
            own capacitance.
        source_capacitance: C_s > 0.

    Raises:
        DriveError: a value out of range or not finite.
    """

    alpha0: float
    frequency: float
    gate_capacitance: float
    source_capacitance: float

    def __post_init__(self) -> None:
        """Refuse what is no source."""
        _check(self, _SOURCE)

    @property
    def period(self) -> float:
        """2π/Ω, in ms."""
        return 2.0 * math.pi / self.frequency

    @property
    def amplitude(self) -> float:
        """A, in µA/cm²."""
        return _amplitude(self)

    def current(self, t: ArrayLike) -> FloatArray:
        """I at t, of the shape of t."""
        return np.asarray(self.amplitude * np.sin(self.frequency * np.asarray(t)))

    def printed_current(self, t: ArrayLike) -> FloatArray:
        """Eq. 21 as printed, half of the current."""
        return 0.5 * self.current(t)

    def harmonics(self, tolerance: float = 1e-12) -> Harmonics:
        """The series, of one term; `tolerance` changes nothing."""
        return _series(self.frequency, [1], [-1j * self.amplitude])

    def printed_harmonics(self, tolerance: float = 1e-12) -> Harmonics:
        """The series of `printed_current`."""
        return _series(self.frequency, [1], [-0.5j * self.amplitude])


@dataclass(frozen=True)
class EntangledDrive:
    """The current from cos θ|α, 0⟩ + sin θ|0, α⟩, α = α₀ sin Ωt, in one of three readings.

        normalised:        I = A sin x, for every θ
        multiplied:        I = A sin x (1 + sin 2θ e^{−α₀² sin²x})          (normalised=False)
        differentiated:    I = −A d²/dx² [sin x (1 + sin 2θ e^{−α₀² sin²x})]
                                              (normalised=False, differentiated=True)

    The second is how the paper's Eq. 23 goes about the unnormalised state, with the right
    exponent and amplitude; the third is −C_g d²⟨Φ_s⟩/dt² of that state, as in its Eq. 25.

    Args:
        alpha0: α₀ >= 0.
        theta: θ in [0, π/2], in rad.
        frequency: Ω > 0 in rad/ms.
        gate_capacitance: C_g > 0, as in `CoherentDrive`.
        source_capacitance: C_s > 0.
        normalised: whether the state is divided by its norm.
        differentiated: for the unnormalised state, whether the norm is differentiated too.

    Raises:
        DriveError: a value out of range or not finite, or a normalised state's norm
            differentiated.
    """

    alpha0: float
    theta: float
    frequency: float
    gate_capacitance: float
    source_capacitance: float
    normalised: bool = True
    differentiated: bool = False

    def __post_init__(self) -> None:
        """Refuse what is no source."""
        _check(self, {**_SOURCE, "theta": {"least": 0.0, "most": math.pi / 2}})
        if self.normalised and self.differentiated:
            raise DriveError("differentiated: wanted False for the normalised state, got True")

    @property
    def period(self) -> float:
        """2π/Ω, in ms."""
        return 2.0 * math.pi / self.frequency

    @property
    def amplitude(self) -> float:
        """A, in µA/cm², the coherent current's."""
        return _amplitude(self)

    def current(self, t: ArrayLike) -> FloatArray:
        """I at t, of the shape of t."""
        x = self.frequency * np.asarray(t, dtype=np.float64)
        sine = np.sin(x)
        if self.normalised:
            return np.asarray(self.amplitude * sine)
        z = self.alpha0**2
        overlap = math.sin(2.0 * self.theta) * np.exp(-z * sine**2)
        if not self.differentiated:
            return np.asarray(self.amplitude * sine * (1.0 + overlap))
        # −d²/dx² of s e^{−zs²}, s = sin x, from s' = cos x and s'² = 1 − s².
        square = sine**2
        inner = 1.0 + z * (6.0 - 8.0 * square) - 4.0 * z * z * square * (1.0 - square)
        return np.asarray(self.amplitude * sine * (1.0 + overlap * inner))

    def printed_current(self, t: ArrayLike) -> FloatArray:
        """Eq. 23 as printed: half of A, and half of the exponent."""
        sine = np.sin(self.frequency * np.asarray(t, dtype=np.float64))
        overlap = math.sin(2.0 * self.theta) * np.exp(-0.5 * self.alpha0**2 * sine**2)
        return np.asarray(0.5 * self.amplitude * sine * (1.0 + overlap))

    def printed_series(self, t: ArrayLike) -> FloatArray:
        """Eq. 24 as printed, with the ½A of Eq. 23: three signs and the factorials are wrong."""
        sine = np.sin(self.frequency * np.asarray(t, dtype=np.float64))
        u = (self.alpha0 * sine) ** 2
        series = 1.0 - u / 2.0 - u**2 / 4.0 + u**3 / 12.0 - u**4 / 48.0
        return np.asarray(0.5 * self.amplitude * sine * (1.0 + math.sin(2.0 * self.theta) * series))

    def entropy(self, t: ArrayLike) -> FloatArray:
        """Entanglement entropy of the normalised state at t, in nats, of the shape of t."""
        x = self.frequency * np.asarray(t, dtype=np.float64)
        return entanglement_entropy(self.theta, self.alpha0 * np.sin(x))

    def harmonics(self, tolerance: float = 1e-12) -> Harmonics:
        """The exact Fourier series, cut where every further term is below `tolerance` · A."""
        tolerance = checked_number("tolerance", tolerance, DriveError, above=0.0, most=1.0)
        if self.normalised:
            return _series(self.frequency, [1], [-1j * self.amplitude])
        b = self._overlap_series(self.alpha0**2, tolerance, self.differentiated)
        return _series(self.frequency, 2 * np.arange(len(b)) + 1, -1j * self.amplitude * b)

    def printed_harmonics(self, tolerance: float = 1e-12) -> Harmonics:
        """The exact series of `printed_current`, cut as in `harmonics`."""
        tolerance = checked_number("tolerance", tolerance, DriveError, above=0.0, most=1.0)
        b = self._overlap_series(0.5 * self.alpha0**2, tolerance, False)
        return _series(self.frequency, 2 * np.arange(len(b)) + 1, -0.5j * self.amplitude * b)

    def printed_voltage_harmonics(self) -> Harmonics:
        """The current whose response Eq. 25 prints, with its coefficients (3204 for 2304)."""
        a, s = self.alpha0**2, math.sin(2.0 * self.theta)
        b = [
            2.0 * (6144.0 + s * (6144.0 + a * (-3204.0 + a * (960.0 + a * (-280.0 + a * 63.0))))),
            s * a * 108.0 * (128.0 + a * (-80.0 + a * (28.0 - a * 7.0))),
            s * a**2 * 100.0 * (48.0 + a * (-28.0 + a * 9.0)),
            s * a**3 * 49.0 * (16.0 - 9.0 * a),
            s * a**4 * 81.0,
        ]
        scale = -1j * self.amplitude / 24576.0
        return _series(self.frequency, [1, 3, 5, 7, 9], [scale * value for value in b])

    def _overlap_series(self, z: float, tolerance: float, differentiated: bool) -> FloatArray:
        """b_k of sin x (1 + sin 2θ e^{−z sin²x}) = Σ_k b_k sin (2k+1)x, or of −d²/dx² of it."""
        terms = 8
        while True:
            # Beyond k ~ √z the terms fall faster than any power.
            k = np.arange(terms)
            c = ive(k, 0.5 * z) - ive(k + 1, 0.5 * z)
            if differentiated:
                c = c * (2 * k + 1) ** 2
            if np.all(np.abs(c[-3:]) < tolerance):
                break
            terms *= 2
        b = math.sin(2.0 * self.theta) * c
        b = b[: int(np.flatnonzero(np.abs(b) >= tolerance).max(initial=0)) + 1]
        b[0] += 1.0
        return np.asarray(b)


PeriodicDrive = ClassicalDrive | CoherentDrive | EntangledDrive
Drive = ConstantDrive | PeriodicDrive


def norm_squared(theta: float, alpha: ArrayLike) -> FloatArray:
    """⟨s|s⟩ = 1 + sin 2θ e^{−|α|²} of cos θ|α, 0⟩ + sin θ|0, α⟩, of the shape of α.

    Raises:
        DriveError: θ outside [0, π/2].
    """
    theta = checked_number("theta", theta, DriveError, least=0.0, most=math.pi / 2)
    return np.asarray(1.0 + math.sin(2.0 * theta) * np.exp(-(np.abs(alpha) ** 2)))


def entanglement_entropy(theta: float, alpha: ArrayLike) -> FloatArray:
    """Entropy of one mode of the normalised cos θ|α, 0⟩ + sin θ|0, α⟩, in nats.

        S = h(½(1 + √(1 − K²))),    K = |sin 2θ|(1 − e^{−|α|²})/(1 + sin 2θ e^{−|α|²}),
        h(p) = −p ln p − (1 − p) ln(1 − p)

    K is the concurrence: each mode holds only |0⟩ and |α⟩, two states that overlap.

    Args:
        theta: θ in [0, π/2], in rad.
        alpha: α, of any shape, real or complex.

    Returns:
        S from 0 to ln 2, of the shape of α.

    Raises:
        DriveError: θ outside [0, π/2].
    """
    square = np.abs(np.asarray(alpha)) ** 2
    norm = norm_squared(theta, alpha)
    concurrence = np.minimum(math.sin(2.0 * theta) * -np.expm1(-square) / norm, 1.0)
    # The smaller eigenvalue without the difference of near equals.
    root = np.sqrt((1.0 - concurrence) * (1.0 + concurrence))
    p = concurrence**2 / (2.0 * (1.0 + root))
    return np.asarray(-xlogy(p, p) - xlogy(1.0 - p, 1.0 - p))


def _check(drive: object, bounds: dict[str, dict[str, float]]) -> None:
    for name, bound in bounds.items():
        value = checked_number(name, getattr(drive, name), DriveError, **bound)
        object.__setattr__(drive, name, value)


def _amplitude(drive: CoherentDrive | EntangledDrive) -> float:
    zero_point = math.sqrt(1.0 / (2.0 * drive.frequency * drive.source_capacitance))
    return drive.alpha0 * drive.gate_capacitance * drive.frequency**2 * zero_point


def _series(frequency: float, orders: ArrayLike, amplitudes: ArrayLike) -> Harmonics:
    return Harmonics(
        frequency,
        np.asarray(orders, dtype=np.int64),
        np.asarray(amplitudes, dtype=np.complex128),
    )
