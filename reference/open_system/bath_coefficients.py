"""Rates and shifts that a stimulated oscillator bath gives its neurons.

For the density J(ω, t) = 2πη(t) ω(ω/ω_c)^{s−1} e^{−ω/ω_c} (Sun and Zhang 2021, "Modeling the
Nervous System as An Open Quantum System", Eqs. 19 and 20) and n(ω) quanta in the mode ω, Eq. 16 is

    κ(t) = 2 Re R_{n+1},   λ(t) = −Im R_{n+1}        emission, with n + 1
    κ̃(t) = 2 Re R_n,       λ̃(t) = −Im R_n            absorption, with n
    R_w(t) = ∫₀ᵗ η(s) I_w(t − s) ds,    I_w(τ) = ∫₀^∞ ω(ω/ω_c)^{s−1} e^{−ω/ω_c} w(ω) e^{i(ω−g)τ} dω

so that κ − κ̃ = κ₀ and λ − λ̃ = λ₀ are those of zero temperature (Eq. 21) at any temperature. The
combinations of Eq. 18 are K = λ − λ̃, P = λ + λ̃, D = κ − κ̃, F = κ + κ̃.

Occupations: ``zero`` is n = 0; ``boltzmann`` the paper's n = e^{−βω}, near 1 where βω is small;
``bose`` that of oscillators in equilibrium, n = 1/(e^{βω} − 1), near 1/βω there. At 300 K and
ω₀ = 2000 rad/s, β = 5.1e-11/ω₀.

The bath remembers: rates rise over 1/ω_c after a stimulus begins and ring on after it ends, so that
they can fall below 0 for a while; a negative stimulus, which no Hamiltonian gives, makes them
negative outright. Frequencies, rates and shifts are in ω₀, times in 1/ω₀; in the paper g = ω₀.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from ..hodgkin_huxley.rates import checked_number, checked_times
from .bath_kernels import ClosedKernel, ComplexArray, FloatArray, TabulatedKernel, graded, weight
from .bath_stimuli import Bath, BathError, PiecewiseStimulus, Pulse, Stimulus, inverse_temperature

__all__ = [
    "Bath",
    "BathError",
    "Coefficients",
    "Curves",
    "PiecewiseStimulus",
    "Pulse",
    "StepIntegrals",
    "bath_curves",
    "coefficients",
    "coefficients_integrated",
    "cumulative_rate",
    "given_curves",
    "inverse_temperature",
    "step_integrals",
]

Method = Literal["auto", "closed", "quadrature"]
Curve = float | Callable[[FloatArray], ArrayLike]

# relative error at which the quadrature over an arbitrary stimulus stops
TOLERANCE = 1e-11
_LEVELS, _NODES, _CHUNK = 7, 16, 1_000_000


@dataclass(frozen=True)
class Coefficients:
    """κ, κ̃, λ and λ̃ of Eq. 16, each of the shape of `times`, and the neurons' frequency g."""

    times: FloatArray
    kappa: FloatArray
    kappa_tilde: FloatArray
    lambda_: FloatArray
    lambda_tilde: FloatArray
    g: float = 1.0

    @property
    def kappa0(self) -> FloatArray:
        """κ₀ of Eq. 21a, the rate of zero temperature."""
        return self.kappa - self.kappa_tilde

    @property
    def lambda0(self) -> FloatArray:
        """λ₀ of Eq. 21b, the shift of zero temperature."""
        return self.lambda_ - self.lambda_tilde

    @property
    def K(self) -> FloatArray:
        """λ − λ̃, which couples the neurons."""
        return self.lambda_ - self.lambda_tilde

    @property
    def P(self) -> FloatArray:
        """λ + λ̃, which shifts their frequency."""
        return self.lambda_ + self.lambda_tilde

    @property
    def D(self) -> FloatArray:
        """κ − κ̃, the dissipation."""
        return self.kappa - self.kappa_tilde

    @property
    def F(self) -> FloatArray:
        """κ + κ̃, the fluctuation."""
        return self.kappa + self.kappa_tilde


@dataclass(frozen=True)
class StepIntegrals:
    """∫κ, ∫κ̃, ∫λ and ∫λ̃ over the steps between `times` (steps+1,), shape (steps,) each, and g."""

    times: FloatArray
    kappa: FloatArray
    kappa_tilde: FloatArray
    lambda_: FloatArray
    lambda_tilde: FloatArray
    g: float = 1.0

    @property
    def steps(self) -> FloatArray:
        """The durations of the steps, shape (steps,)."""
        return np.diff(self.times)


@dataclass(frozen=True)
class Curves:
    """The four coefficients as functions of time, which the equations of motion are fed with.

    ``at`` takes times of any shape; ``breaks`` are where the coefficients or their slopes jump.
    """

    at: Callable[[FloatArray], Coefficients]
    breaks: tuple[float, ...] = ()
    g: float = 1.0


def coefficients(
    bath: Bath,
    stimulus: Stimulus,
    times: ArrayLike,
    *,
    breaks: Iterable[float] = (),
    method: Method = "auto",
) -> Coefficients:
    """κ(t), κ̃(t), λ(t) and λ̃(t) of Eq. 16.

    Args:
        bath: the oscillators.
        stimulus: η(t): a `Pulse`, several, or a function of an array of times, smooth but for
            jumps at `breaks`.
        times: shape (times,), increasing and >= 0; the bath is at rest at t = 0.
        breaks: where a function η jumps. Pulses bring their own.
        method: ``closed`` takes exponential integrals (Ohmic, rectangles, no Bose), ``quadrature``
            panels, ``auto`` the closed form where there is one.

    Returns:
        The coefficients. Rectangles are within 1e-12 of the largest of them; quadrature over a
        function η ends below `TOLERANCE`.

    Raises:
        BathError: an argument that makes no sense, no closed form, or a quadrature that does not
            converge; the message names it.
    """
    t = checked_times(times, BathError)
    return bath_curves(bath, stimulus, breaks=breaks, method=method).at(t)


def step_integrals(
    bath: Bath,
    stimulus: Stimulus,
    times: ArrayLike,
    *,
    breaks: Iterable[float] = (),
    method: Method = "auto",
) -> StepIntegrals:
    """The coefficients integrated over each step; a collision's angle is θ = √∫κ.

    Arguments and errors as of `coefficients`, with at least two times. The double integrals have
    closed forms too, so that no rate is sampled.
    """
    t = checked_times(times, BathError)
    if len(t) < 2:
        raise BathError(f"times: wanted at least 2, the steps' edges, got {len(t)}")
    whole = coefficients_integrated(bath, stimulus, t, breaks=breaks, method=method)
    kappa, kappa_tilde, lambda_, lambda_tilde = (np.diff(row) for row in whole)
    return StepIntegrals(t, kappa, kappa_tilde, lambda_, lambda_tilde, bath.g)


def coefficients_integrated(
    bath: Bath,
    stimulus: Stimulus,
    times: ArrayLike,
    *,
    breaks: Iterable[float] = (),
    method: Method = "auto",
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """∫κ, ∫κ̃, ∫λ and ∫λ̃ from 0 to each of the times, shape (times,) each.

    Arguments and errors as of `coefficients`.
    """
    t = checked_times(times, BathError)
    emission, absorption = _Response(bath, stimulus, breaks, method)(t, 2)
    return 2 * emission.real, 2 * absorption.real, -emission.imag, -absorption.imag


def cumulative_rate(
    bath: Bath,
    stimulus: Stimulus,
    times: ArrayLike,
    *,
    breaks: Iterable[float] = (),
    method: Method = "auto",
) -> FloatArray:
    """G(t) = ∫₀ᵗ κ₀, the rate of zero temperature integrated, shape (times,).

    Arguments and errors as of `coefficients`.
    """
    kappa, kappa_tilde, _, _ = coefficients_integrated(
        bath, stimulus, times, breaks=breaks, method=method
    )
    return kappa - kappa_tilde


def bath_curves(
    bath: Bath, stimulus: Stimulus, *, breaks: Iterable[float] = (), method: Method = "auto"
) -> Curves:
    """The coefficients of a bath as functions of time.

    Arguments and errors as of `coefficients`.
    """
    response = _Response(bath, stimulus, breaks, method)

    def at(t: FloatArray) -> Coefficients:
        up, down = response(np.asarray(t, dtype=np.float64), 1)
        return Coefficients(t, 2 * up.real, 2 * down.real, -up.imag, -down.imag, bath.g)

    return Curves(at, response.breaks, bath.g)


def given_curves(
    kappa: Curve,
    kappa_tilde: Curve = 0.0,
    lambda_: Curve = 0.0,
    lambda_tilde: Curve = 0.0,
    *,
    g: float = 1.0,
    breaks: Iterable[float] = (),
) -> Curves:
    """Coefficients of one's own: numbers, or functions of an array of times.

    Raises:
        BathError: a number or a break that is not finite.
    """
    curves = {
        "kappa": kappa,
        "kappa_tilde": kappa_tilde,
        "lambda_": lambda_,
        "lambda_tilde": lambda_tilde,
    }
    for name, curve in curves.items():
        if not callable(curve):
            checked_number(name, curve, BathError)

    def at(t: FloatArray) -> Coefficients:
        time = np.asarray(t, dtype=np.float64)
        rows: list[FloatArray] = [
            np.broadcast_to(np.asarray(c(time) if callable(c) else c, np.float64), time.shape)
            for c in curves.values()
        ]
        return Coefficients(time, rows[0], rows[1], rows[2], rows[3], g)

    return Curves(at, _checked_breaks(breaks), checked_number("g", g, BathError))


def _checked_breaks(breaks: Iterable[float]) -> tuple[float, ...]:
    return tuple(sorted(checked_number("breaks", value, BathError) for value in breaks))


@lru_cache(maxsize=64)
def _kernel(bath: Bath, thermal: bool, closed: bool) -> ClosedKernel | TabulatedKernel:
    """The correlation function weighted by n (``thermal``) or by 1."""
    beta = bath.beta if thermal else None
    bose = bath.occupation == "bose"
    # distance of the nearest singularity from τ = 0
    near = 1 / bath.cutoff + (beta if beta is not None and not bose else 0.0)
    if closed:
        return ClosedKernel(near, bath.g)
    function = weight(bath.cutoff, bath.exponent, bath.g, beta, bose)
    return TabulatedKernel(function, near, bath.exponent + 1, bath.g)


class _Response:
    """R_{n+1} and R_n at times (order 1), or their integrals from 0 (order 2)."""

    def __init__(
        self, bath: Bath, stimulus: Stimulus, breaks: Iterable[float], method: Method
    ) -> None:
        if not isinstance(bath, Bath):
            raise BathError(f"bath: wanted a Bath, got {bath!r}")
        if method not in get_args(Method):
            raise BathError(f"method: wanted one of {', '.join(get_args(Method))}, got {method!r}")
        if isinstance(stimulus, Pulse):
            stimulus = PiecewiseStimulus([stimulus])
        elif isinstance(stimulus, Sequence):
            stimulus = PiecewiseStimulus(stimulus)
        elif not callable(stimulus):
            raise BathError(f"stimulus: wanted pulses or a function of time, got {stimulus!r}")
        self._stimulus = stimulus
        own = stimulus.breaks if isinstance(stimulus, PiecewiseStimulus) else ()
        self.breaks = tuple(sorted({*own, *_checked_breaks(breaks)}))
        known = bath.exponent == 1.0 and bath.occupation != "bose"
        if method == "closed" and not (known and isinstance(stimulus, PiecewiseStimulus)):
            raise BathError(
                "method: wanted one other than closed, which is for an Ohmic bath without Bose's "
                f"occupation under pulses, got {method!r}"
            )
        # a slow bath loses digits to cancellation between the exponential integrals
        fast = bath.g * (1 / bath.cutoff + (bath.beta or 0.0)) < 100.0
        closed = known and method != "quadrature" and (fast or method == "closed")
        self._kernels = [_kernel(bath, False, closed)]
        if bath.occupation != "zero":
            self._kernels.append(_kernel(bath, True, closed))

    def __call__(self, t: FloatArray, order: int) -> tuple[ComplexArray, ComplexArray]:
        found = [self._one(kernel, t, order) for kernel in self._kernels]
        absorption = found[1] if len(found) > 1 else np.zeros_like(found[0])
        return found[0] + absorption, absorption

    def _one(
        self, kernel: ClosedKernel | TabulatedKernel, t: FloatArray, order: int
    ) -> ComplexArray:
        if not isinstance(self._stimulus, PiecewiseStimulus):
            return self._convolved(kernel, t, order)
        integral = kernel.once if order == 1 else kernel.twice
        pulses = self._stimulus.pulses
        edges = [p.start for p in pulses] + [p.stop for p in pulses if p.stop < math.inf]
        sizes = [p.strength for p in pulses] + [-p.strength for p in pulses if p.stop < math.inf]
        late = t[..., None] - np.array(edges, dtype=np.float64)
        return np.asarray(integral(late) @ np.array(sizes, dtype=np.complex128))

    def _convolved(
        self, kernel: ClosedKernel | TabulatedKernel, t: FloatArray, order: int
    ) -> ComplexArray:
        """∫₀ᵗ η(t − τ) K(τ) dτ on panels graded by the kernel, halved until it settles."""
        flat = t.ravel()
        edges = graded(float(flat.max(initial=0.0)), kernel.near, kernel.fraction, 1 / kernel.g)
        before: ComplexArray = np.full(flat.shape, np.nan, dtype=np.complex128)
        for _ in range(_LEVELS):
            size = max(1, _CHUNK // (_NODES * (len(edges) + len(self.breaks))))
            parts = [
                self._panels(kernel, flat[k : k + size], edges, order)
                for k in range(0, len(flat), size)
            ]
            found = np.concatenate(parts) if parts else before
            error = np.abs(found - before).max(initial=0.0)
            if error <= TOLERANCE * np.abs(found).max(initial=0.0):
                return found.reshape(t.shape)
            before = found
            edges = np.sort(np.concatenate([edges, (edges[1:] + edges[:-1]) / 2]))
        raise BathError(
            "stimulus: wanted a function that is smooth between its breaks, got one whose "
            f"quadrature still moves by {error:.1e}"
        )

    def _panels(
        self, kernel: ClosedKernel | TabulatedKernel, t: FloatArray, edges: FloatArray, order: int
    ) -> ComplexArray:
        jumps = t[:, None] - np.array(self.breaks, dtype=np.float64)
        every = np.broadcast_to(edges, (len(t), len(edges)))
        cuts = np.sort(np.clip(np.concatenate([every, jumps], axis=1), 0.0, t[:, None]), axis=1)
        nodes, weights = np.polynomial.legendre.leggauss(_NODES)
        half = np.diff(cuts, axis=1)[..., None] / 2
        tau = cuts[:, :-1, None] + half * (1 + nodes)
        memory = kernel.value(tau) if order == 1 else kernel.once(tau)
        eta = np.asarray(self._stimulus(t[:, None, None] - tau), dtype=np.float64)
        if eta.shape != tau.shape or not np.all(np.isfinite(eta)):
            raise BathError(
                "stimulus: wanted finite numbers of the shape of the times, got shape "
                f"{eta.shape} for {tau.shape}"
            )
        return np.asarray(np.sum(half * weights * eta * memory, axis=(1, 2)))
