"""The stimulus of neurons in a bath as a control: given beforehand, or set by what was read.

A stimulus η(t) couples N neurons to their bath (Sun and Zhang, "Modeling the Nervous System as An
Open Quantum System", 2021, Eqs. 20 and 21). The bath remembers: the rates κ and κ̃ and the shifts λ
and λ̃ of an interval follow, linearly, from η in all intervals until its end,

    ∫_k κ dt = Σ_{j ≤ k} R_kj η_j,

so that what works out the rates of a step is handed in as a function of the whole history
(:class:`LinearRates` is one). κ lags behind η and swings through 0 after a stimulus has ended, also
where η was never negative. There is no completely positive map, and no circuit, for a negative rate
over a step: a law that chooses η should not let one come up.

Two laws: :class:`OpenLoop` gives η step by step, whatever is read. :class:`Homeostasis` holds the
mean spin m = ⟨σ⟩, read at the beginning of a step, near a target,

    η = rest + gain (m - target) + integral_gain ∫(m - target) dt,    cut to its limits.

At zero temperature a stimulus only lowers m_z, so that gains are positive; at a temperature it also
raises it from below, with negative ones. Only η ≥ 0 is a coupling that a bath can have.

Arrays may have leading dimensions (repetitions of the same loop), written (…).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .estimator import ExcitationEstimator
from .synapse import FeedbackError

__all__ = [
    "Homeostasis",
    "LinearRates",
    "OpenLoop",
    "RateLaw",
    "SpinEstimator",
    "SpinReading",
    "StepRates",
    "StimulusControl",
    "StimulusLaw",
]

Array = NDArray[np.float64]


# ------------------------------------------------------------------------------ what was read


@dataclass(frozen=True)
class SpinReading:
    """What was read at one time, along one axis.

    Attributes:
        value: (…) m, the mean of ⟨σ⟩ over the neurons; corrections may put it outside [-1, 1].
        stderr: (…) its standard error.
        raw_value: (…) m without correction of the readout.
        raw_stderr: (…) its standard error.
        populations: (…, N+1) probability that n neurons have σ = +1.
        raw_populations: (…, N+1) the same without correction.
        shots: of the circuit.
    """

    value: Array | float
    stderr: Array | float
    raw_value: Array | float
    raw_stderr: Array | float
    populations: Array
    raw_populations: Array
    shots: int


class SpinEstimator:
    """From counts, in which a 1 says σ = +1 of a neuron, to a :class:`SpinReading`.

    m = 2n/N - 1 with n the ones of a shot. The standard error is that of n from shot to shot, and
    so holds what neurons of one shot have in common. With readout errors each bit's confusion
    matrix is inverted, in m, its error and the histogram (:class:`ExcitationEstimator`).

    Args:
        neurons: N ≥ 1.
        wrong: (N, 2) p(1|0), p(0|1) of each bit; None: no correction.

    Raises:
        FeedbackError: arguments that do not fit together.
    """

    def __init__(self, neurons: int, wrong: ArrayLike | None = None) -> None:
        self._estimator = ExcitationEstimator(neurons, readout=wrong)

    def __call__(self, counts: Mapping[int, int]) -> SpinReading:
        """Reading of outcome → shots. Raises ``EstimateError`` for no shots."""
        found = self._estimator(counts)
        return SpinReading(
            value=2 * found.value - 1,
            stderr=2 * found.stderr,
            raw_value=2 * found.raw_value - 1,
            raw_stderr=2 * found.raw_stderr,
            populations=found.populations,
            raw_populations=found.raw_populations,
            shots=found.shots,
        )


# ------------------------------------------------------------------------------ rates of a step


class StepRates(NamedTuple):
    """∫κ, ∫κ̃, ∫λ and ∫λ̃ over one step, (…) each."""

    emission: Array
    absorption: Array
    shifts: Array
    shifts_tilde: Array


# η (…, k+1) of the steps until now, number k of the last of them → its rates
RateLaw = Callable[[Array, int], StepRates]


class LinearRates:
    """Rates of a grid of K steps from what a stimulus in one step does to itself and later ones.

    Args:
        emission: R (K, K): ∫κ over step k where η is 1 in step j and 0 in all others, at [k, j].
            Nothing is answered before it is asked: R is 0 above the diagonal.
        absorption: the same of ∫κ̃; 0 if None.
        shifts: of ∫λ; 0 if None.
        shifts_tilde: of ∫λ̃; 0 if None.

    Raises:
        FeedbackError: matrices of other shapes, not finite, or with an answer before its stimulus.
    """

    def __init__(
        self,
        emission: ArrayLike,
        absorption: ArrayLike | None = None,
        shifts: ArrayLike | None = None,
        shifts_tilde: ArrayLike | None = None,
    ) -> None:
        first = _checked_answers("emission", emission, None)
        others = {"absorption": absorption, "shifts": shifts, "shifts_tilde": shifts_tilde}
        size = len(first)
        rest = [
            np.zeros((size, size)) if given is None else _checked_answers(name, given, size)
            for name, given in others.items()
        ]
        self._answers = np.stack([first, *rest])

    @property
    def steps(self) -> int:
        """K."""
        return self._answers.shape[-1]

    def __call__(self, etas: Array, step: int) -> StepRates:
        """Rates of step ``step``, given η (…, step+1) until its end.

        Raises ``FeedbackError`` for a step that is not on the grid.
        """
        if not 0 <= step < self.steps:
            raise FeedbackError(f"step: wanted a number from 0 to {self.steps - 1}, got {step}")
        rows = self._answers[:, step, : step + 1]
        return StepRates(*(np.asarray(etas @ row) for row in rows))


# ------------------------------------------------------------------------------ laws


@dataclass(frozen=True)
class StimulusControl:
    """What the loop did in the step that ends at ``time``.

    Attributes:
        time: end of the step.
        eta: (…) the stimulus in it.
        wanted: (…) what the law asked for before it was cut to what is allowed.
        integral: (…) ∫(m - target) dt as far as it counts.
        emission: (…) ∫κ over the step.
        absorption: (…) ∫κ̃.
        shifts: (…) ∫λ.
        shifts_tilde: (…) ∫λ̃.
        etas: (…, K) η of all steps until now, nan in those to come.
    """

    time: float
    eta: Array
    wanted: Array
    integral: Array
    emission: Array
    absorption: Array
    shifts: Array
    shifts_tilde: Array
    etas: Array


class StimulusLaw(Protocol):
    """From a control and what was read at its end to the next control."""

    def start(self, shape: tuple[int, ...] = ()) -> StimulusControl:
        """The control at time 0, before anything was done, for repetitions of a shape."""

    def __call__(
        self, control: StimulusControl, readings: Sequence[SpinReading], step: float
    ) -> StimulusControl:
        """The control of the step of length ``step`` after the last reading.

        Raises ``FeedbackError`` after K steps.
        """


class OpenLoop:
    """η of each step as given, whatever is read.

    Args:
        etas: (K,), or (…, K) of repetitions; of either sign, but see ``emission`` of the controls:
            a step with a negative rate is refused by circuits.
        rates: what they follow from.

    Raises:
        FeedbackError: no numbers, or not finite.
    """

    def __init__(self, etas: ArrayLike, rates: RateLaw) -> None:
        self._etas = _numbers("etas", etas)
        if self._etas.ndim < 1:
            raise FeedbackError(f"etas: wanted one a step, got {self._etas}")
        self._rates = rates

    def start(self, shape: tuple[int, ...] = ()) -> StimulusControl:
        """See :class:`StimulusLaw`."""
        return _start(np.broadcast_shapes(shape, self._etas.shape[:-1]), self._etas.shape[-1])

    def __call__(
        self, control: StimulusControl, readings: Sequence[SpinReading], step: float
    ) -> StimulusControl:
        """See :class:`StimulusLaw`."""
        k = _done(control)
        eta = np.broadcast_to(self._etas[..., k], control.eta.shape).copy()
        return _next(control, step, self._rates, eta, eta, control.integral)


class Homeostasis:
    """η from what was read at the beginning of the step: proportional and integral control.

    Where η is at a limit, the integral goes on only as far as brings it to the limit, and back
    from there as soon as m is on the other side of the target (anti-windup).

    Args:
        rates: what η leads to; linear in η.
        steps: K.
        target: m to be held, in [-1, 1].
        gain: η per m - target.
        integral_gain: η per ∫(m - target) dt.
        rest: η at the target.
        limits: the least and the largest η, 0 ≤ least ≤ largest.
        keep_positive: whether η may not fall so low that ∫κ or ∫κ̃ of the step would be negative,
            as it would where a strong stimulus ends at once; up to the largest η.

    Raises:
        FeedbackError: any argument outside what is said here.
    """

    def __init__(
        self,
        rates: RateLaw,
        steps: int,
        *,
        target: float,
        gain: float,
        integral_gain: float = 0.0,
        rest: float = 0.0,
        limits: tuple[float, float] = (0.0, 1.0),
        keep_positive: bool = True,
    ) -> None:
        if isinstance(steps, bool) or not isinstance(steps, int | np.integer) or steps < 1:
            raise FeedbackError(f"steps: wanted an integer >= 1, got {steps!r}")
        self._rates, self._steps, self._keep_positive = rates, int(steps), keep_positive
        self._target = _number("target", target)
        if not -1 <= self._target <= 1:
            raise FeedbackError(f"target: wanted a number from -1 to 1, got {target!r}")
        self._gain = _number("gain", gain)
        self._integral_gain = _number("integral_gain", integral_gain)
        self._rest = _number("rest", rest)
        bounds = _numbers("limits", limits)
        if bounds.shape != (2,) or not 0 <= bounds[0] <= bounds[1]:
            raise FeedbackError(f"limits: wanted 0 <= least <= largest, got {limits!r}")
        self._least, self._largest = float(bounds[0]), float(bounds[1])

    def start(self, shape: tuple[int, ...] = ()) -> StimulusControl:
        """See :class:`StimulusLaw`."""
        return _start(shape, self._steps)

    def __call__(
        self, control: StimulusControl, readings: Sequence[SpinReading], step: float
    ) -> StimulusControl:
        """See :class:`StimulusLaw`."""
        error = np.asarray(readings[-1].value, dtype=float) - self._target
        least = self._floor(control)
        before = self._rest + self._gain * error + self._integral_gain * control.integral
        grown = error * step * self._share(before, self._integral_gain * error * step, least)
        wanted = np.asarray(before + self._integral_gain * grown)
        eta = np.asarray(np.clip(wanted, least, self._largest))
        return _next(control, step, self._rates, eta, wanted, control.integral + grown)

    def _share(self, before: Array, push: Array, least: Array) -> Array:
        """How much of its growth the integral may have, (…) in [0, 1], where it moves η by push."""
        limit = np.clip(before + push, least, self._largest)
        outside = limit != before + push
        with np.errstate(over="ignore"):
            share = np.divide(
                limit - before, push, out=np.ones(outside.shape), where=outside & (push != 0)
            )
        return np.clip(share, 0, 1)

    def _floor(self, control: StimulusControl) -> Array:
        """The least η (…) of the next step."""
        floor = np.full(control.eta.shape, self._least)
        if not self._keep_positive:
            return floor
        k = _done(control)
        # a straight line in η: its values at 0 and 1
        without, with_one = (
            self._rates(_with(control, k, np.full(control.eta.shape, eta)), k) for eta in (0.0, 1.0)
        )
        for low, high in zip(without[:2], with_one[:2], strict=True):
            slope = np.asarray(high) - low
            # where more stimulus does not raise the rate nothing helps
            helps = (low < 0) & (slope > 0)
            needed = -np.asarray(low) / np.where(helps, slope, 1.0)
            floor = np.where(helps, np.maximum(floor, needed), floor)
        return np.asarray(np.minimum(floor, self._largest))


def _start(shape: tuple[int, ...], steps: int) -> StimulusControl:
    nothing = np.zeros(shape)
    return StimulusControl(0.0, *(nothing,) * 7, np.full((*shape, steps), np.nan))


def _done(control: StimulusControl) -> int:
    """Number of steps that were done; there has to be one left."""
    steps = control.etas.shape[-1]
    done = int(np.isfinite(control.etas).reshape(-1, steps)[0].sum())
    if done >= steps:
        raise FeedbackError(f"steps: wanted at most {steps}, got one more")
    return done


def _with(control: StimulusControl, k: int, eta: Array) -> Array:
    """η (…, k+1) of the steps until now and of one more."""
    return np.concatenate([control.etas[..., :k], eta[..., None]], axis=-1)


def _next(
    control: StimulusControl,
    step: float,
    rates: RateLaw,
    eta: Array,
    wanted: Array,
    integral: Array,
) -> StimulusControl:
    k = _done(control)
    etas = control.etas.copy()
    etas[..., k] = eta
    found = StepRates(*(np.asarray(each, dtype=float) for each in rates(etas[..., : k + 1], k)))
    return StimulusControl(
        time=control.time + step,
        eta=eta,
        wanted=wanted,
        integral=np.asarray(integral),
        emission=found.emission,
        absorption=found.absorption,
        shifts=found.shifts,
        shifts_tilde=found.shifts_tilde,
        etas=etas,
    )


# ------------------------------------------------------------------------------ checks


def _numbers(name: str, value: ArrayLike) -> Array:
    try:
        found = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise FeedbackError(f"{name}: wanted numbers, got {value!r}") from None
    if not np.isfinite(found).all():
        raise FeedbackError(f"{name}: wanted finite numbers, got nan or inf")
    return found


def _number(name: str, value: float) -> float:
    found = _numbers(name, value)
    if found.ndim:
        raise FeedbackError(f"{name}: wanted a number, got {value!r}")
    return float(found)


def _checked_answers(name: str, value: ArrayLike, size: int | None) -> Array:
    found = _numbers(name, value)
    wanted = "(K, K)" if size is None else f"({size}, {size})"
    if found.ndim != 2 or found.shape[0] != found.shape[1] or size not in (None, len(found)):
        raise FeedbackError(f"{name}: wanted shape {wanted}, got {found.shape}")
    if np.triu(found, 1).any():
        k, j = np.argwhere(np.triu(found, 1))[0]
        raise FeedbackError(
            f"{name}: wanted no answer in step {k} to the stimulus of step {j}, "
            f"got {found[k, j]:.6g}"
        )
    return found
