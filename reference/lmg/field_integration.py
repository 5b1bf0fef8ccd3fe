"""What all integrations with a field, h ≠ 0, have in common: start, steps in time, reports.

    i dψ/dt = [g0 r(t) K − h J_z] ψ,      K = −(1/N)[(1+γ)J_x² + (1−γ)J_y²],
    dr/dt = (1 − r)/τ_r − U r E,          dU/dt = (𝒰 − U)/τ_f + 𝒰(1 − U) E

An integrator attempts a step over a span. It gives the step, or the factor to shorten the span by;
an accepted step has the factor for the next span. The last step ends at the last time.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from .driven_run import DrivenRun, report, unreachable
from .hamiltonian import LMG, ComplexArray, FloatArray, sector_excitations
from .synaptic_clock import IntegrationError, Law

_SMALLEST_SPAN = 1e-13  # of the whole time


@dataclass
class Step:
    """An accepted step.

    Attributes:
        state, s, r, u: at its end; the state is of norm 1, s is the integral of r from t = 0.
        norm_error: by how much the state had left norm 1.
        growth: the factor for the next span.
    """

    state: ComplexArray
    s: float
    r: float
    u: float
    norm_error: float
    growth: float


S = TypeVar("S", bound=Step)


def rate_of_motion(model: LMG) -> float:
    """The rate at which E can move with r = 1, |g0|(1 + |γ|) + |h|."""
    return abs(model.g0) * (1 + abs(model.gamma)) + abs(model.field)


class FieldIntegration(ABC, Generic[S]):
    """An integration from the Dicke state `start`.

    Args:
        drive: what stands for E in the law, as a diagonal (M,) or a matrix (M, M) in the sector;
            None for E itself.
        tolerance: the error wanted in E, r and U over the whole run.
        first: the first span, in times in which E moves.
    """

    def __init__(
        self,
        model: LMG,
        start: int,
        law: Law,
        times: FloatArray,
        drive: FloatArray | ComplexArray | None,
        tolerance: float,
        first: float = 1.0,
    ) -> None:
        """Set everything to t = 0."""
        self._law, self._times, self._tolerance = law, times, tolerance
        self._end = float(times[-1])
        levels = sector_excitations(model.neurons, start % 2) / model.neurons
        # the driving one first, E last
        self._observables: list[FloatArray | ComplexArray] = [levels]
        if drive is not None:
            self._observables.insert(0, drive)
        self._state: ComplexArray = np.zeros(len(levels), dtype=np.complex128)
        self._state[start // 2] = 1.0
        self._r = 1.0 if law.tau_r == 0.0 else law.r0
        self._u = law.release if law.tau_f == 0.0 else law.U0
        self._s, self._time = 0.0, 0.0
        self._first_span = min(self._end, first / rate_of_motion(model))
        self._longest = math.inf
        # the states lack a factor exp(−i centre ∫r dt)
        self._centre = 0.0

        count = len(times)
        self._found = np.empty((count, 3 + len(self._observables)))
        here = start // 2
        values = [float(each[(here,) * each.ndim].real) for each in self._observables]
        self._found[0] = 0.0, self._r, self._u, *values
        self._where = np.empty(count)
        self._pending: list[tuple[int, int, FloatArray]] = []

    @abstractmethod
    def _attempt(self, span: float) -> S | float:
        """The step over a span, or the factor to shorten it by."""

    @abstractmethod
    def _report(self, first: int, last: int, step: S) -> None:
        """Report in these rows: now, or by :meth:`_report_later`."""

    @abstractmethod
    def _states_between(self, step: S, span: float, x: FloatArray) -> ComplexArray:
        """States in the Dicke basis, one a row, at points x of a step; its span is 1."""

    def _report_later(self, first: int, last: int, series: FloatArray) -> None:
        """Fill these rows, together with those of other steps, from Chebyshev series.

        `series` has columns s, r, U, the driving expectation value and, where that is not E, E.
        """
        self._pending.append((first, last, series))

    def _fitted(self, left: float, span: float) -> float:
        """The span to attempt: equal steps to the end."""
        return left / math.ceil(left / min(span, self._longest) * (1 - 1e-9))

    def run(self, keep_states: bool) -> DrivenRun:
        """Integrate to the last time and report at all of them.

        Raises:
            IntegrationError: no step is short enough.
        """
        count = len(self._times)
        states: ComplexArray | None = None
        if keep_states:
            states = np.empty((count, len(self._state)), dtype=np.complex128)
            states[0] = self._state
        done, norm_error, span = 0, 0.0, self._first_span
        while self._end > 0.0 and done < count:
            left = self._end - self._time
            span = self._fitted(left, span)
            step = self._attempt(span)
            if isinstance(step, float):
                span *= step
                if span < _SMALLEST_SPAN * self._end:
                    raise IntegrationError(unreachable(self._tolerance, self._time))
                continue
            upto = count
            if span < left:
                upto = int(np.searchsorted(self._times, self._time + span))
            if upto > done:
                self._where[done:upto] = x = (self._times[done:upto] - self._time) / span
                self._report(done, upto, step)
                if states is not None:
                    states[done:upto] = self._states_between(step, span, x)
            done = upto
            norm_error = max(norm_error, step.norm_error)
            self._state, self._s, self._r, self._u = step.state, step.s, step.r, step.u
            self._time += span
            span *= step.growth
        report(self._found, np.clip(self._where, 0.0, 1.0), self._pending)
        s, r, u, signal = self._found.T[:4]
        if states is not None and self._centre:
            states *= np.exp(-1j * self._centre * s)[:, None]
        return DrivenRun(s, r, u, self._found[:, -1], signal, states, norm_error)
