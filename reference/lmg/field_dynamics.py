"""Feedback with a field, h ≠ 0: time-ordered integrators with controlled error.

    i dψ/dt = [g0 r(t) K − h J_z] ψ,      K = −(1/N)[(1+γ)J_x² + (1−γ)J_y²],
    dr/dt = (1 − r)/τ_r − U r E,          dU/dt = (𝒰 − U)/τ_f + 𝒰(1 − U) E

Sectors of few states are done by :mod:`.field_collocation`, larger ones by
:mod:`.field_extrapolation`. Where τ_r or τ_f is far shorter than the time in which E moves, r and U
follow E at once and the equations are stiff: what follows here does that.

The time axis is cut into windows. In a window r, U and E are polynomials through Chebyshev points:

- given E, the equations of U and of r are linear; collocation solves both, however stiff τ is;
- given r, ψ follows from a splitting of sixth order into the two flows that are known exactly,
  exp(−iK g0∫r) in the eigenbasis of K and exp(+i h J_z t) in the Dicke basis: it is unitary, and
  its step is set by how fast E moves, not by the norm of H;
- the two are repeated until r no longer changes.

The state is scaled back to norm 1 after each window: what it had lost, rounding, is reported and
refused above 1e-10.

A window is accepted when the polynomials' tails, the change of r in the last repetition, and the
difference between one and two splitting steps an interval are all below their share of the
tolerance; else it is shortened.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .driven_run import DrivenRun
from .field_collocation import CollocatedRun
from .field_extrapolation import ExtrapolatedRun
from .field_integration import FieldIntegration, Step, rate_of_motion
from .hamiltonian import LMG, ComplexArray, FloatArray, coupling_basis, field_diagonal
from .synaptic_clock import IntegrationError, Law

# S. Blanes and P. C. Moan, J. Comput. Appl. Math. 142, 313 (2002): order 6, 10 stages.
_FIELD = [0.0502627644003922, 0.413514300428344, 0.0450798897943977, -0.188054853819569]
_FIELD += [0.541960678450780]
_FIELD += [1 - 2 * sum(_FIELD)]
_FIELD += _FIELD[-2::-1]
_COUPLING = [0.148816447901042, -0.132385865767784, 0.067307604692185, 0.432666402578175]
_COUPLING += [0.5 - sum(_COUPLING)]
_COUPLING += _COUPLING[::-1]
_FIELD_PARTS = np.array(_FIELD)
_COUPLING_TIMES = np.concatenate(([0.0], np.cumsum(_COUPLING)))

_DEGREE = 12
_NODES = (1 - np.cos(np.pi * np.arange(_DEGREE + 1) / _DEGREE)) / 2  # on [0, 1]
_MAX_REPETITIONS = 14
_CAUTION = 1.0  # the part of the tolerance that is spent
_FEW_STATES = 20  # in a sector: up to here collocation is the faster one
_STIFF = 0.02  # the recovery times, in times in which E moves, that windows follow faster


def run_driven(
    model: LMG,
    start: int,
    law: Law,
    times: FloatArray,
    drive: FloatArray | ComplexArray | None,
    tolerance: float,
    *,
    keep_states: bool,
) -> DrivenRun:
    """Integrate from the Dicke state `start` and report at the times.

    Args:
        drive: what stands for E in the law, as a diagonal (M,) or a matrix (M, M) in the sector;
            None for E itself.
        tolerance: the error wanted in E, r and U over the whole run.
        keep_states: whether to work out the amplitudes too.

    Raises:
        IntegrationError: no window is short enough, or the norm was lost.
    """
    speed = rate_of_motion(model)
    fast = [tau for tau in (law.tau_r, law.tau_f) if 0.0 < tau * speed < _STIFF]
    few = (model.neurons - start % 2) // 2 + 1 <= _FEW_STATES
    run = StiffRun if fast else CollocatedRun if few else ExtrapolatedRun
    return run(model, start, law, times, drive, tolerance).run(keep_states)


@dataclass
class _Window(Step):
    """An accepted window: ∫r dt from its begin, r, U, the driving value and states at the nodes."""

    phases: FloatArray
    rs: FloatArray
    us: FloatArray
    drive: FloatArray
    states: ComplexArray


class StiffRun(FieldIntegration[_Window]):
    """An integration by windows; the arguments are those of :class:`.FieldIntegration`."""

    def __init__(
        self,
        model: LMG,
        start: int,
        law: Law,
        times: FloatArray,
        drive: FloatArray | ComplexArray | None,
        tolerance: float,
    ) -> None:
        """Diagonalise and set everything to t = 0."""
        super().__init__(model, start, law, times, drive, tolerance, first=0.5)
        parity = start % 2
        values, vectors = coupling_basis(model.neurons, model.gamma, parity)
        self._energies = model.g0 * values
        self._to_energy = np.ascontiguousarray(vectors.T)
        self._to_dicke = np.ascontiguousarray(vectors)
        if len(values) <= 64:  # small: one complex product beats two real ones
            self._to_energy = self._to_energy.astype(np.complex128)
            self._to_dicke = self._to_dicke.astype(np.complex128)
        self._field_rates = model.field * field_diagonal(model.neurons, parity)
        self._slope = 0.0
        self._tilted: dict[int, ComplexArray] = {}
        self._tilted_span = 0.0

    def _fitted(self, left: float, span: float) -> float:
        return left if span >= left * (1 - 1e-12) else span

    def _attempt(self, span: float) -> _Window | float:
        """The window solved, or the factor to shorten it by."""
        part = max(span / float(self._times[-1]), 1e-3)
        share = max(_CAUTION * self._tolerance * part, 3e-14)
        here = self._value(self._state[None])[0]
        drive: FloatArray = here + self._slope * span * _NODES
        u, r, s = self._scalars(span, drive)
        coarse: FloatArray | None = None
        substeps = 1
        for repetition in range(_MAX_REPETITIONS):
            states = self._sweep(span, s, substeps)
            drive = self._value(states)
            u, r_new, s = self._scalars(span, drive)
            change = float(np.abs(r_new - r).max())
            r = r_new
            if repetition == 0:
                tail = _tail(drive)
                if tail > 1e3 * share:
                    return float(max(0.3, 0.8 * (10 * share / tail) ** (1 / _DEGREE)))
            if change <= 0.1 * share:
                if substeps == 2:
                    break
                coarse, substeps = drive, 2
        else:
            return 0.5
        assert coarse is not None
        split = float(np.abs(drive - coarse).max()) / 30
        tail = max(0.1 * _tail(drive), _tail(r), _tail(u))
        worst = max(split / share, tail / share, 1e-6)
        factor = float(worst ** (-1 / 8))
        if worst > 1.0:
            return max(0.3, 0.85 * factor)
        norm = float(np.linalg.norm(states[-1]))
        if abs(norm - 1) > 1e-10:
            raise IntegrationError(f"the norm left 1 by {norm - 1:.1e} at t = {self._time:g}")
        self._slope = float(_DERIVATIVE[-1] @ drive) / span
        end = states[-1] / norm, self._s + float(s[-1]), float(r[-1]), float(u[-1])
        growth = min(2.0, max(0.5, 0.85 * factor))
        return _Window(*end, abs(norm - 1), growth, s, r, u, drive, states)

    def _scalars(self, span: float, drive: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """U, r and the integral of r at the nodes, E given there."""
        law = self._law
        u: FloatArray = np.full_like(drive, law.release)
        r: FloatArray = np.ones_like(drive)
        if law.tau_f != 0.0:
            gain = law.release / law.tau_f + law.release * drive
            u = _linear(span, 1 / law.tau_f + law.release * drive, gain, self._u)
        if law.tau_r != 0.0:
            r = _linear(span, 1 / law.tau_r + u * drive, np.full_like(u, 1 / law.tau_r), self._r)
        return u, r, span * (_INTEGRAL @ r)

    def _sweep(self, span: float, s: FloatArray, substeps: int) -> ComplexArray:
        """States at the nodes, s(t) given there, with so many splitting steps an interval."""
        states = np.empty((_DEGREE + 1, len(self._state)), dtype=np.complex128)
        state: ComplexArray = self._state
        states[0] = state
        angles = _ANGLES[substeps] @ s
        coupling = np.exp(-1j * angles[..., None] * self._energies)
        tilts = self._tilts(span, substeps)
        for node in range(_DEGREE):
            steps = slice(node * substeps, (node + 1) * substeps)
            state = self._split(state, coupling[steps], tilts[steps])
            states[node + 1] = state
        return states

    def _tilts(self, span: float, substeps: int) -> ComplexArray:
        """The field's phase factors for a window of this length, shape (steps, stages, M)."""
        if self._tilted_span != span:
            self._tilted, self._tilted_span = {}, span
        if substeps not in self._tilted:
            sizes = np.repeat(np.diff(_NODES) / substeps, substeps)[:, None] * _FIELD_PARTS
            self._tilted[substeps] = np.exp(1j * span * sizes[..., None] * self._field_rates)
        return self._tilted[substeps]

    def _split(
        self, state: ComplexArray, coupling: ComplexArray, tilts: ComplexArray
    ) -> ComplexArray:
        """Splitting steps, one a row: phase factors of the coupling and of the field."""
        to_energy, to_dicke = self._to_energy, self._to_dicke
        small = to_energy.dtype == np.complex128
        for turns, tilt in zip(coupling, tilts, strict=True):
            state = tilt[0] * state
            for turn, after in zip(turns, tilt[1:], strict=True):
                if small:
                    state = after * (to_dicke @ (turn * (to_energy @ state)))
                else:
                    state = after * _real_times(to_dicke, turn * _real_times(to_energy, state))
        return state

    def _value(self, states: ComplexArray) -> FloatArray:
        observable = self._observables[0]
        if observable.ndim == 1:
            return np.asarray((states.real**2 + states.imag**2) @ observable.real)
        return np.asarray(np.sum(states.conj() * (states @ observable.T), axis=1).real)

    def _report(self, first: int, last: int, step: _Window) -> None:
        basis = _chebyshev(np.clip(self._where[first:last], 0.0, 1.0)) @ _TO_SERIES
        rows = self._found[first:last].T
        rows[0] = self._s + basis @ step.phases
        for row, values in zip(rows[1:], (step.rs, step.us, step.drive), strict=False):
            row[:] = basis @ values
        if len(self._observables) == 2:
            populations = step.states.real**2 + step.states.imag**2
            rows[4] = basis @ (populations @ self._observables[1])

    def _states_between(self, step: _Window, span: float, x: FloatArray) -> ComplexArray:
        """Each by splitting steps from the node before it."""
        out = np.empty((len(x), len(self._state)), dtype=np.complex128)
        where = np.clip(x, 0.0, 1.0)
        before = np.clip(np.searchsorted(_NODES, where, side="right") - 1, 0, _DEGREE - 1)
        for row, (fraction, node) in enumerate(zip(where, before, strict=True)):
            half = (fraction - _NODES[node]) / 2
            points = _NODES[node] + half * np.array([_COUPLING_TIMES, 1 + _COUPLING_TIMES])
            angles = np.diff(_chebyshev(points) @ (_TO_SERIES @ step.phases), axis=1)
            coupling = np.exp(-1j * angles[..., None] * self._energies)
            tilt = np.exp(1j * span * half * _FIELD_PARTS[:, None] * self._field_rates)
            state = self._split(step.states[node], coupling, np.stack([tilt, tilt]))
            out[row] = state / np.linalg.norm(state)
        return out


def _real_times(matrix: FloatArray | ComplexArray, state: ComplexArray) -> ComplexArray:
    pairs = matrix @ state.view(np.float64).reshape(-1, 2)
    return np.asarray(pairs).view(np.complex128).ravel()


def _linear(span: float, rate: FloatArray, gain: FloatArray, start: float) -> FloatArray:
    """dy/dt = gain − rate·y by collocation at all nodes but the first."""
    matrix = _DERIVATIVE[1:, 1:] / span + np.diag(rate[1:])
    rest = np.linalg.solve(matrix, gain[1:] - _DERIVATIVE[1:, 0] * (start / span))
    return np.concatenate(([start], rest))


def _tail(values: FloatArray) -> float:
    return float(np.abs(_TO_SERIES[-2:] @ values).max())


def _chebyshev(points: FloatArray) -> FloatArray:
    """T_0…T_d of 2·points − 1, on a new last axis; also a little outside [0, 1]."""
    x = 2 * points - 1
    rows = [np.ones_like(x), x]
    for _ in range(_DEGREE - 1):
        rows.append(2 * x * rows[-1] - rows[-2])
    return np.stack(rows, axis=-1)


_TO_SERIES: FloatArray = np.asarray(np.linalg.inv(_chebyshev(_NODES)), dtype=np.float64)


def _calculus() -> tuple[FloatArray, FloatArray]:
    """Derivative at the nodes, and integral from 0, of a polynomial given at the nodes."""
    derivative = np.empty((_DEGREE + 1, _DEGREE + 1))
    integral = np.empty_like(derivative)
    for column, coefficients in enumerate(_TO_SERIES.T):
        series = np.polynomial.Chebyshev(coefficients, domain=[0, 1])
        derivative[:, column] = series.deriv()(_NODES)
        integral[:, column] = series.integ(lbnd=0)(_NODES)
    return derivative, integral


_DERIVATIVE, _INTEGRAL = _calculus()


def _angle_matrix(substeps: int) -> FloatArray:
    """s at the nodes to ∫r over each stage of each splitting step, shape (steps, stages, nodes)."""
    sizes = np.repeat(np.diff(_NODES) / substeps, substeps)
    begins = np.concatenate(([0.0], np.cumsum(sizes)[:-1]))
    points = begins[:, None] + sizes[:, None] * _COUPLING_TIMES
    return np.asarray(np.diff(_chebyshev(points) @ _TO_SERIES, axis=1))


_ANGLES = {1: _angle_matrix(1), 2: _angle_matrix(2)}
