"""A memristor qubit's memory: from readings of ⟨Y⟩ to the damping rate of the next step.

    dμ/dt = ⟨Y⟩,    γ(μ) = γ₀(1 − sin μ)

⟨Y⟩ is the voltage, γ⟨Y⟩ the current of a memristor (Eqs. 7 and 8 of Cheng, Gonzalez-Raya, Chen,
Sanz and Solano, arXiv:1807.10698; the sine is that of a Josephson junction, J. Salmilehto et al.,
Sci. Rep. 7, 42044 (2017)). The rate of a step is that of its middle,

    μ(t_k + δ_k/2) = μ(t_{k−1} + δ_{k−1}/2) + ½(δ_{k−1} + δ_k) y_k,    y_k read at t_k,

the midpoint rule, which needs no guess of ⟨Y⟩ ahead and is second order in the step. Readings at
different times are of different shots, so that the variance of μ is a sum over the history; what
a wrong rate does to later readings is not in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .synapse import FeedbackError

__all__ = ["HasError", "Memristance", "MemristanceLaw", "MemristanceState"]

Array = NDArray[np.float64]


class HasError(Protocol):
    """A reading: the mean and its standard error, (…), or numbers."""

    @property
    def value(self) -> ArrayLike:
        """The mean of ±1 over the shots."""

    @property
    def stderr(self) -> ArrayLike:
        """Its standard error."""


@dataclass(frozen=True)
class Memristance:
    """γ(μ) = γ₀(1 − sin μ), from 0 to 2γ₀, and μ at the start.

    Args:
        gamma0: γ₀ >= 0, in inverse time units.
        mu0: μ at t = 0.

    Raises:
        FeedbackError: a negative γ₀, or numbers that are not finite.
    """

    gamma0: float
    mu0: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what is no rate."""
        if not (np.isfinite(self.gamma0) and self.gamma0 >= 0):
            raise FeedbackError(f"gamma0: wanted a finite number >= 0, got {self.gamma0!r}")
        if not np.isfinite(self.mu0):
            raise FeedbackError(f"mu0: wanted a finite number, got {self.mu0!r}")

    def rate(self, mu: ArrayLike) -> Array:
        """γ(μ), of the shape of μ."""
        return np.asarray(self.gamma0 * (1 - np.sin(np.asarray(mu, dtype=float))))

    def band(self, mu: ArrayLike, error: ArrayLike) -> tuple[Array, Array]:
        """The smallest and the largest γ while μ is within ±error, each of the shape of μ."""
        centre, width = np.asarray(mu, dtype=float), np.asarray(error, dtype=float)
        low, high = centre - width, centre + width
        ends = np.stack([self.rate(low), self.rate(high)])
        trough, crest = _passes(low, high, np.pi / 2), _passes(low, high, -np.pi / 2)
        smallest = np.where(trough, 0.0, ends.min(axis=0))
        return smallest, np.where(crest, 2 * self.gamma0, ends.max(axis=0))


@dataclass(frozen=True)
class MemristanceState:
    """What the loop did in the interval that ends at ``time``; all arrays (…).

    Attributes:
        time: end of the interval.
        step: its length.
        middle: μ in its middle.
        stderr: the standard error of it that shots leave.
        rate: γ of the interval.
    """

    time: float
    step: float
    middle: Array
    stderr: Array
    rate: Array


class MemristanceLaw:
    """The rate of the next step from what was read of ⟨Y⟩ so far."""

    def __init__(self, memristance: Memristance) -> None:
        self.memristance = memristance

    def start(self, shape: tuple[int, ...] = ()) -> MemristanceState:
        """The state at time 0, before anything was done; `shape` counts repetitions."""
        mu = np.full(shape, float(self.memristance.mu0))
        return MemristanceState(0.0, 0.0, mu, np.zeros(shape), self.memristance.rate(mu))

    def __call__(
        self, state: MemristanceState, readings: Sequence[HasError], step: float
    ) -> MemristanceState:
        """The state of the interval of length ``step`` after the last reading.

        Raises ``FeedbackError`` for a step that is not positive, or a reading that is not finite.
        """
        if not (np.isfinite(step) and step > 0):
            raise FeedbackError(f"step: wanted a time > 0, got {step!r}")
        mu, error = self._moved(state, readings[-1], (state.step + step) / 2)
        return MemristanceState(state.time + step, step, mu, error, self.memristance.rate(mu))

    def memory(self, state: MemristanceState, reading: HasError) -> tuple[Array, Array]:
        """μ at the state's time and its standard error, given what was read then."""
        return self._moved(state, reading, state.step / 2)

    def _moved(
        self, state: MemristanceState, reading: HasError, weight: float
    ) -> tuple[Array, Array]:
        value = np.asarray(reading.value, dtype=float)
        error = np.asarray(reading.stderr, dtype=float)
        # corrections may bring a mean past ±1; a cut would bias what is summed up
        if not np.all(np.isfinite(value)):
            raise FeedbackError("reading: wanted finite means, got nan or inf")
        mu = np.asarray(state.middle + weight * value)
        return mu, np.asarray(np.hypot(state.stderr, weight * error))


def _passes(low: Array, high: Array, phase: float) -> NDArray[np.bool_]:
    """Whether low … high holds the phase, or one whole turns from it."""
    return np.asarray(
        np.floor((high - phase) / (2 * np.pi)) > np.floor((low - phase) / (2 * np.pi))
    )
