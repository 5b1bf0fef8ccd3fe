"""Leaky integrate-and-fire membranes whose thresholds are moved by measured bits.

    τ dV/dt = −(V − V_rest) + R I(t) + σ√(2τ) ξ(t),    ⟨ξ(t)ξ(t′)⟩ = δ(t − t′)

with private noise for every neuron; σ is the standard deviation that V has in the long run if it
never fires. Over a tick of length δ, in which I is constant, this is solved exactly (an
Ornstein-Uhlmann process):

    V → V∞ + (V − V∞) e^{−δ/τ} + σ√(1 − e^{−2δ/τ}) N(0, 1),    V∞ = V_rest + R I.

At the end of the tick the neuron fires if

    V ≥ V_th − J·bit,

bit being what it measured of its own qubit in that tick: 1, an active qubit, brings it nearer to
its threshold by J. It is then reset and held there for the refractory time. Setting laws turn its
voltage before the tick into the setting α of that measurement; each neuron sees its own voltage
only. A threshold passed and left again inside a tick is not seen.

Times are in ms, voltages in mV, resistances in MΩ, currents in nA, angles in radians. Arrays end in
an axis of the neurons of a group (2 for a pair); what goes before it counts pairs.

Sources: G. E. Uhlenbeck and L. S. Ornstein, Phys. Rev. 36, 823 (1930), the exact step (their
Eq. 9); W. Gerstner, W. M. Kistler, R. Naud and L. Paninski, Neuronal Dynamics (Cambridge University
Press, 2014), chapters 1 and 8, the neuron and its noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .synapse import FeedbackError

__all__ = [
    "FeedbackError",
    "FixedSettings",
    "LevelSettings",
    "LinearSettings",
    "Membranes",
    "SettingLaw",
]

Array = NDArray[np.float64]
Bits = NDArray[np.uint8]
Ticks = NDArray[np.int64]

POSITIVE = ("tau", "resistance", "tick")
NOT_NEGATIVE = ("noise", "refractory", "coupling")


@dataclass(frozen=True)
class Membranes:
    """Parameters of the membranes, the same for all neurons.

    Attributes:
        tau: membrane's time constant τ, ms, > 0.
        rest: V_rest, mV.
        reset: V after a spike, mV, below the lowest threshold V_th − J.
        threshold: V_th, mV.
        resistance: R, MΩ, > 0.
        noise: σ, mV, >= 0.
        refractory: ms, >= 0; rounded up to whole ticks.
        coupling: J, mV, >= 0: what a measured 1 takes off the threshold.
        tick: δ, ms, > 0: a shared pair each.

    Raises:
        FeedbackError: anything not finite or outside what is said here.
    """

    tau: float = 20.0
    rest: float = -65.0
    reset: float = -65.0
    threshold: float = -50.0
    resistance: float = 10.0
    noise: float = 2.5
    refractory: float = 2.0
    coupling: float = 3.0
    tick: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what the equations have no meaning for."""
        for name in self.__dataclass_fields__:
            value = _finite(name, getattr(self, name))
            if name in POSITIVE and value <= 0:
                raise FeedbackError(f"{name}: wanted a number > 0, got {value:g}")
            if name in NOT_NEGATIVE and value < 0:
                raise FeedbackError(f"{name}: wanted a number >= 0, got {value:g}")
        if self.reset >= self.threshold - self.coupling:
            raise FeedbackError(
                f"reset: wanted a voltage below threshold - coupling = "
                f"{self.threshold - self.coupling:g}, got {self.reset:g}"
            )

    @property
    def decay(self) -> float:
        """e^{−δ/τ}."""
        return math.exp(-self.tick / self.tau)

    @property
    def noise_per_tick(self) -> float:
        """σ√(1 − e^{−2δ/τ}), mV."""
        return self.noise * math.sqrt(-math.expm1(-2 * self.tick / self.tau))

    @property
    def refractory_ticks(self) -> int:
        """Whole ticks that the neuron is held at its reset after a spike."""
        # a refractory time of three ticks is three ticks, whatever rounding made of it
        return math.ceil(self.refractory / self.tick - 1e-9)

    def start(self, shape: tuple[int, ...]) -> tuple[Array, Ticks]:
        """Voltage at rest and no refractory time left, both of shape (…, neurons).

        Raises ``FeedbackError`` if rest is above the lowest threshold: spikes from the first tick.
        """
        if self.rest >= self.threshold - self.coupling:
            raise FeedbackError(
                f"rest: wanted a voltage below threshold - coupling = "
                f"{self.threshold - self.coupling:g} to start from, got {self.rest:g}"
            )
        return np.full(shape, self.rest), np.zeros(shape, dtype=np.int64)

    def step(
        self,
        voltage: ArrayLike,
        refractory: ArrayLike,
        current: ArrayLike,
        outcome: ArrayLike,
        normal: ArrayLike,
    ) -> tuple[Array, Bits, Ticks]:
        """One tick of all neurons; arguments broadcast to shape (…, neurons).

        Args:
            voltage: V at the start of the tick, mV.
            refractory: ticks for which a neuron is still held, whole numbers >= 0.
            current: I during the tick, nA.
            outcome: measured bits, 0 or 1; fractions are refused.
            normal: draws from N(0, 1). A neuron that is held uses up its draw.

        Returns:
            V at the end of the tick (the reset where it fired), spikes (0 or 1), ticks still held.

        Raises:
            FeedbackError: shapes that do not fit, numbers that are not finite, other outcomes.
        """
        v, i, z = (np.asarray(x, dtype=float) for x in (voltage, current, normal))
        held, bit = np.asarray(refractory), np.asarray(outcome)
        for name, values in (("voltage", v), ("current", i), ("normal", z)):
            if not np.isfinite(values).all():
                raise FeedbackError(f"{name}: wanted finite numbers, got nan or inf")
        if held.dtype.kind not in "iu" or (held < 0).any():
            raise FeedbackError("refractory: wanted whole numbers of ticks >= 0")
        if not ((bit == 0) | (bit == 1)).all():
            raise FeedbackError("outcome: wanted zeros and ones")
        try:
            v, held, i, bit, z = np.broadcast_arrays(v, held, i, bit, z)
        except ValueError:
            shapes = ", ".join(str(x.shape) for x in (v, held, i, bit, z))
            raise FeedbackError(f"voltage: wanted arrays that broadcast, got {shapes}") from None
        limit = self.rest + self.resistance * i
        free = limit + (v - limit) * self.decay + self.noise_per_tick * z
        moved = np.where(held > 0, self.reset, free)
        # a neuron that is held is at its reset, which is below every threshold
        fired = moved >= self.threshold - self.coupling * bit
        left = np.where(fired, self.refractory_ticks, np.maximum(held.astype(np.int64) - 1, 0))
        return np.where(fired, self.reset, moved), fired.astype(np.uint8), left


class SettingLaw(Protocol):
    """From the voltages of a pair to the settings of its measurements."""

    def __call__(self, voltage: ArrayLike) -> Array:
        """Angles α (…, neurons) of voltages (…, neurons)."""


@dataclass(frozen=True)
class FixedSettings:
    """α_i, whatever the voltage; ``angles`` has one for each neuron of the group.

    Raises ``FeedbackError`` for angles that are not finite.
    """

    angles: tuple[float, ...] = (0.0, 0.0)

    def __post_init__(self) -> None:
        """Refuse angles that are none."""
        _check_angles(self.angles)

    def index(self, voltage: ArrayLike) -> Bits:
        """Which of its settings a neuron takes: 0."""
        return np.zeros(_voltages(voltage, len(self.angles)).shape, dtype=np.uint8)

    def __call__(self, voltage: ArrayLike) -> Array:
        """See :class:`SettingLaw`."""
        v = _voltages(voltage, len(self.angles))
        return np.array(np.broadcast_to(np.asarray(self.angles, dtype=float), v.shape))


@dataclass(frozen=True)
class LevelSettings:
    """Two settings a neuron: the first below a level of its own voltage, the second from it on.

    At φ = π/4 the angles below are those at which the value of Clauser, Horne, Shimony and Holt is
    S = E₀₀ + E₀₁ + E₁₀ − E₁₁ = 2√2: E(a,b) = cos(a − b), which is cos π/4 for the pairs (0, ±π/4)
    and (π/2, π/4), and −cos π/4 for (π/2, −π/4).

    Attributes:
        angles: of each neuron, below and above the level.
        level: mV.

    Raises:
        FeedbackError: not two finite angles a neuron, a level that is not finite.
    """

    angles: tuple[tuple[float, float], ...] = ((0.0, math.pi / 2), (math.pi / 4, -math.pi / 4))
    level: float = -57.0

    def __post_init__(self) -> None:
        """Refuse angles that are none."""
        for each in self.angles:
            if np.shape(each) != (2,):
                raise FeedbackError(f"angles: wanted two for each neuron, got {each!r}")
            _check_angles(each)
        _check_angles([0.0] * len(self.angles))
        _finite("level", self.level)

    def index(self, voltage: ArrayLike) -> Bits:
        """Which of its settings a neuron takes: 0 below the level, 1 from it on."""
        return (_voltages(voltage, len(self.angles)) >= self.level).astype(np.uint8)

    def __call__(self, voltage: ArrayLike) -> Array:
        """See :class:`SettingLaw`."""
        low, high = np.asarray(self.angles, dtype=float).T
        return np.asarray(np.where(self.index(voltage) == 1, high, low))


@dataclass(frozen=True)
class LinearSettings:
    """α_i = angle_i + slope (V − level).

    Attributes:
        angles: of each neuron, at the level.
        slope: rad/mV.
        level: mV.

    Raises:
        FeedbackError: anything not finite.
    """

    angles: tuple[float, ...] = (0.0, 0.0)
    slope: float = 0.1
    level: float = -57.0

    def __post_init__(self) -> None:
        """Refuse angles that are none."""
        _check_angles(self.angles)
        _finite("slope", self.slope)
        _finite("level", self.level)

    def __call__(self, voltage: ArrayLike) -> Array:
        """See :class:`SettingLaw`."""
        v = _voltages(voltage, len(self.angles))
        return np.asarray(np.asarray(self.angles) + self.slope * (v - self.level))


def _finite(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise FeedbackError(f"{name}: wanted a finite number, got {value!r}")
    if not math.isfinite(value):
        raise FeedbackError(f"{name}: wanted a finite number, got {value!r}")
    return float(value)


def _check_angles(angles: ArrayLike) -> None:
    values = np.asarray(angles, dtype=float)
    if values.ndim != 1 or len(values) == 0 or not np.isfinite(values).all():
        raise FeedbackError(f"angles: wanted finite numbers, one a neuron, got {angles!r}")


def _voltages(voltage: ArrayLike, neurons: int) -> Array:
    v = np.asarray(voltage, dtype=float)
    if v.ndim == 0 or v.shape[-1] != neurons:
        raise FeedbackError(f"voltage: wanted shape (..., {neurons}), got {v.shape}")
    if not np.isfinite(v).all():
        raise FeedbackError("voltage: wanted finite numbers, got nan or inf")
    return v
