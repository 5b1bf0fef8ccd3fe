"""Ion channels under their own membrane's voltage: from readings of gates to the next step.

A gate is open with probability x (n of potassium, m and h of sodium) and follows

    dx/dt = α_x(V)(1 − x) − β_x(V) x,                 (Hodgkin and Huxley 1952; here ms⁻¹, mV, ms)

solved at fixed voltage by x → x∞ + (x − x∞) e^{−(α+β)δ}, x∞ = α/(α+β). As a circuit this is a
collision of the gate's qubit with an ancilla that is |1⟩ with probability p = x∞, at the angle
φ = arcsin √(1 − e^{−(α+β)δ}). What was read at t_k gives conductances, these the voltage, this the
rates of the step after t_k. Rates are taken in the middle of the step, at readings moved on by half
a step, which makes the loop second order in δ.

Two laws for the voltage. In the quantized channel (Cheng et al., arXiv:1807.10698, Eqs. 17, 18, 22)
it is a function of the gate and the time, V = V(n, t): the membrane follows its channel at once
(:class:`SteadyFeedback`). In the whole neuron (their Eq. 1) it is integrated here, beside the
circuits, with the conductances that were measured (:class:`MembraneFeedback`):

    C dV/dt = I(t) − Σ_c ḡ_c o_c (V − V_c),  o_K = n⁴,  o_Na = m³h,  o_L = 1.

All arrays may have leading dimensions (repetitions of the same loop); the last one counts gate
variables or channels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .synapse import FeedbackError

__all__ = [
    "LARGEST_STEP",
    "GateControl",
    "GateReading",
    "MembraneFeedback",
    "MembraneLaw",
    "Rates",
    "SteadyFeedback",
    "check_step",
    "collision",
    "relaxed",
]

Array = NDArray[np.float64]
# voltage (…) → opening and closing rates (…) of one gate variable
Rates = Callable[[Array], tuple[Array, Array]]

# of (α + β) δ: past one relaxation time a step the midpoint no longer follows the rates
LARGEST_STEP = 1.0


def check_step(step: float, fastest: float) -> None:
    """Refuse a step that the fastest rate α + β (per ms) makes too long.

    Raises ``FeedbackError``.
    """
    if not step * fastest <= LARGEST_STEP:
        raise FeedbackError(
            f"steps: wanted a step of at most {LARGEST_STEP / fastest:.4g} ms, since rates reach "
            f"{fastest:.4g} per ms, got {step:.4g} ms"
        )


def collision(alpha: ArrayLike, beta: ArrayLike, step: float) -> tuple[Array, Array]:
    """Angle φ = arcsin √(1 − e^{−(α+β)δ}) and opening p = α/(α+β) of a step of length δ."""
    opening, closing = np.asarray(alpha, dtype=float), np.asarray(beta, dtype=float)
    total = opening + closing
    return np.arcsin(np.sqrt(-np.expm1(-total * step))), opening / total


def relaxed(value: ArrayLike, alpha: ArrayLike, beta: ArrayLike, step: float) -> Array:
    """x∞ + (x − x∞) e^{−(α+β)δ}: a gate after δ at fixed rates."""
    opening, closing = np.asarray(alpha, dtype=float), np.asarray(beta, dtype=float)
    total = opening + closing
    limit = opening / total
    return np.asarray(limit + (np.asarray(value) - limit) * np.exp(-total * step))


@dataclass(frozen=True)
class GateReading:
    """What was read at one time.

    Attributes:
        values: (…, variables) probability x̂ of each gate variable to be open, as estimated: noise
            and corrections may put it outside [0, 1].
        stderr: (…, variables) their standard errors.
        open: (…, channels) probability of each channel to be open, all of its gates together.
        open_stderr: (…, channels) their standard errors.
    """

    values: Array
    stderr: Array
    open: Array
    open_stderr: Array


@dataclass(frozen=True)
class GateControl:
    """What the loop did in the interval that ends at ``time`` (ms).

    Attributes:
        time: end of the interval.
        angles: (…, variables) φ of the collision.
        openings: (…, variables) p of the ancilla.
        voltage: (…) of the membrane at ``time``, where it is integrated; nan where it is a function
            of the reading.
        before: (…, variables) what was read where the interval begins, cut to what a probability
            can be: a circuit that replays no earlier interval starts from it.
    """

    time: float
    angles: Array
    openings: Array
    voltage: Array
    before: Array


class MembraneLaw(Protocol):
    """From a control and what was read at its end to the next control."""

    def start(self, shape: tuple[int, ...] = ()) -> GateControl:
        """The control at time 0, before anything was done."""

    def __call__(
        self, control: GateControl, readings: Sequence[GateReading], step: float
    ) -> GateControl:
        """The control of the interval of length ``step`` after the last reading."""

    def voltage(self, control: GateControl, reading: GateReading) -> Array:
        """Voltage (…) in mV at the control's time, given what was read then."""


class SteadyFeedback:
    """One gate variable, and a voltage V(n, t) that follows it at once.

    Args:
        rates: of the variable.
        steady_voltage: V (…) in mV of n (…) and the time in ms.
        floor: readings count as at least this, for impedance is Z_min n⁻⁴; half a count, say.
    """

    def __init__(
        self, rates: Rates, steady_voltage: Callable[[Array, float], Array], floor: float
    ) -> None:
        self._rates, self._steady, self._floor = rates, steady_voltage, floor

    def start(self, shape: tuple[int, ...] = ()) -> GateControl:
        """See :class:`MembraneLaw`."""
        nothing = np.zeros((*shape, 1))
        return GateControl(0.0, nothing, nothing, np.full(shape, np.nan), nothing)

    def voltage(self, control: GateControl, reading: GateReading) -> Array:
        """See :class:`MembraneLaw`."""
        return self._steady(self._clipped(reading), control.time)

    def __call__(
        self, control: GateControl, readings: Sequence[GateReading], step: float
    ) -> GateControl:
        """See :class:`MembraneLaw`."""
        now = self._clipped(readings[-1])
        first = self._rates(self._steady(now, control.time))
        middle = np.clip(relaxed(now, *first, step / 2), self._floor, 1)
        rates = self._rates(self._steady(middle, control.time + step / 2))
        angle, opening = collision(*rates, step)
        after = control.time + step
        return GateControl(
            after, angle[..., None], opening[..., None], control.voltage, now[..., None]
        )

    def _clipped(self, reading: GateReading) -> Array:
        return np.clip(np.asarray(reading.values)[..., 0], self._floor, 1.0)


class MembraneFeedback:
    """Several gate variables, and a voltage integrated with the conductances that were read.

    A step first moves V and the gates on by half of it, at what was read; then V by the whole step
    at conductances of the middle, exactly for constant conductances (exponential Euler), and the
    gates' angles are taken from the rates at the middle's voltage.

    Args:
        rates: one a variable.
        powers: (channels, variables): a channel is open with probability Π x^power.
        conductances: (channels,) ḡ_c in mS/cm²; reversals: (channels,) V_c in mV.
        leak: its conductance and reversal.
        capacitance: in µF/cm².
        current: I(t) in µA/cm².
        voltage: V(0) in mV.
    """

    def __init__(
        self,
        *,
        rates: Sequence[Rates],
        powers: ArrayLike,
        conductances: ArrayLike,
        reversals: ArrayLike,
        leak: tuple[float, float],
        capacitance: float,
        current: Callable[[float], float],
        voltage: float,
    ) -> None:
        self._rates, self._powers = tuple(rates), np.asarray(powers, dtype=float)
        self._conductances = np.asarray(conductances, dtype=float)
        self._reversals = np.asarray(reversals, dtype=float)
        self._leak, self._capacitance = leak, capacitance
        self._current, self._first = current, voltage

    def start(self, shape: tuple[int, ...] = ()) -> GateControl:
        """See :class:`MembraneLaw`."""
        nothing = np.zeros((*shape, len(self._rates)))
        return GateControl(0.0, nothing, nothing, np.full(shape, self._first), nothing)

    def voltage(self, control: GateControl, reading: GateReading) -> Array:
        """See :class:`MembraneLaw`."""
        return control.voltage

    def __call__(
        self, control: GateControl, readings: Sequence[GateReading], step: float
    ) -> GateControl:
        """See :class:`MembraneLaw`."""
        reading, time = readings[-1], control.time
        now = np.clip(np.asarray(reading.values), 0.0, 1.0)
        opened = np.clip(np.asarray(reading.open), 0.0, 1.0)
        half = self._charged(control.voltage, opened, time + step / 4, step / 2)
        alpha, beta = self._all_rates(control.voltage)
        middle = relaxed(now, alpha, beta, step / 2)
        # what was read of a whole channel, moved on by what its gates do meanwhile
        moved = opened + self._product(middle) - self._product(now)
        angles, openings = collision(*self._all_rates(half), step)
        voltage = self._charged(control.voltage, np.clip(moved, 0.0, 1.0), time + step / 2, step)
        return GateControl(time + step, angles, openings, voltage, now)

    def _product(self, values: Array) -> Array:
        return np.asarray(np.prod(values[..., None, :] ** self._powers, axis=-1))

    def _all_rates(self, voltage: Array) -> tuple[Array, Array]:
        pairs = [rates(np.asarray(voltage)) for rates in self._rates]
        return np.stack([a for a, _ in pairs], axis=-1), np.stack([b for _, b in pairs], axis=-1)

    def _charged(self, voltage: Array, opened: Array, time: float, step: float) -> Array:
        """The voltage after ``step`` at constant conductances and the current of ``time``."""
        each = self._conductances * opened
        leak, rest = self._leak
        total = each.sum(axis=-1) + leak
        limit = (self._current(time) + each @ self._reversals + leak * rest) / total
        return np.asarray(limit + (voltage - limit) * np.exp(-total * step / self._capacitance))
