"""Feedback with a field, h ≠ 0, for few states: collocation in the interaction picture.

    i dψ/dt = [g0 r(t) K − h J_z] ψ,      K = −(1/N)[(1+γ)J_x² + (1−γ)J_y²],
    dr/dt = (1 − r)/τ_r − U r E,          dU/dt = (𝒰 − U)/τ_f + 𝒰(1 − U) E

The time axis is cut into windows. In a window H̄ = g0 r̄ K − h J_z, r̄ near r, is diagonalised, and
φ = exp(i H̄ t) ψ moves by the difference of r alone,

    dφ/dt = −i g0 (r − r̄) exp(i H̄ t) K exp(−i H̄ t) φ.

φ, E, r and U are polynomials through Chebyshev points. E follows from φ; the equations of U and
then of r, linear once E is known, are solved by their integrating factors; φ is the integral of
the right-hand side. This is repeated until φ no longer changes (Picard), a few times.

A window is accepted when it converges and when the last Chebyshev coefficients of φ, E, r and U are
below their share of the tolerance; else it is shortened. The state is scaled back to norm 1 after
each window: what it had lost belongs to the error, too.

All points of a window are done by a few products of small matrices, so that this is the fastest way
for a sector of few states. For many the norm of (r − r̄) K makes windows short:
:mod:`.field_extrapolation`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import chebyshev

from .driven_run import DrivenRun, observable_size, report, unreachable
from .hamiltonian import (
    LMG,
    ComplexArray,
    FloatArray,
    coupling_band,
    field_diagonal,
    sector_excitations,
)
from .synaptic_clock import IntegrationError, Law

_DEGREE = 26
_MOST_REPETITIONS = 14
_WANTED_REPETITIONS = 10
_CAUTION = 0.1  # the part of the tolerance that is spent
_NOISE = 3e-15
_LARGEST_DECAY = 7.0  # of r or U over a window, in e-foldings, that the points resolve
_NEAR = 0.1  # how far r may leave r̄ before H̄ is diagonalised anew
_SMALLEST_WINDOW = 1e-13  # of the whole time

_POINTS: FloatArray = (1 - np.cos(np.pi * np.arange(_DEGREE + 1) / _DEGREE)) / 2  # on [0, 1]


def _calculus() -> tuple[FloatArray, FloatArray, FloatArray]:
    """Values at the points to: a series, the series of the integral from 0, that integral."""
    to_series = np.linalg.inv(chebyshev.chebvander(2 * _POINTS - 1, _DEGREE))
    of_integral = chebyshev.chebint(to_series, lbnd=-1, scl=0.5)
    integral = chebyshev.chebvander(2 * _POINTS - 1, _DEGREE + 1) @ of_integral
    return to_series, of_integral, integral


_TO_SERIES, _SERIES_OF_INTEGRAL, _INTEGRAL = _calculus()


@dataclass
class _Window:
    """An accepted window: polynomials, the state and what it is in the frame, r and U at the end.

    `series` has columns s, r, U, the driving expectation value and, where that is not E, E;
    `turned` is φ in the eigenbasis of H̄ at the points, one a row.
    """

    series: FloatArray
    turned: ComplexArray
    state: ComplexArray
    r: float
    u: float
    growth: float


class _Frame:
    """The eigenbasis of H̄ = r̄ · coupling − tilt, and the observables in it."""

    def __init__(
        self,
        coupling: FloatArray,
        tilt: FloatArray,
        r: float,
        observables: list[FloatArray | ComplexArray],
    ) -> None:
        self.r = r
        self._energies, vectors = np.linalg.eigh(r * coupling - tilt)
        self._vectors: ComplexArray = vectors.astype(np.complex128)
        self._size = len(vectors)
        inside = [vectors.T @ _applied(each, vectors) for each in (coupling, *observables)]
        # Applied to states in rows, from the right: transposed.
        products = [np.asarray(each.T, dtype=np.complex128) for each in inside]
        self._products: ComplexArray = np.concatenate(products[:2], axis=1)
        self._others = products[2:]
        self._span = 0.0
        self._phases: tuple[ComplexArray, ComplexArray] = (self._vectors, self._vectors)

    def phases(self, span: float) -> tuple[ComplexArray, ComplexArray]:
        """exp(−iH̄t) and −i exp(iH̄t) at the points of a window, shape (points, M)."""
        if span != self._span:
            forth = np.exp(-1j * np.outer(span * _POINTS, self._energies))
            self._phases, self._span = (forth, -1j * forth.conj()), span
        return self._phases

    def inside(self, state: ComplexArray) -> ComplexArray:
        """The state in the eigenbasis."""
        return np.asarray(state @ self._vectors)

    def outside(self, state: ComplexArray) -> ComplexArray:
        """The state in the Dicke basis, from the eigenbasis."""
        return np.asarray(self._vectors @ state)

    def products(self, states: ComplexArray) -> tuple[ComplexArray, FloatArray]:
        """The coupling times each state, and each state's driving expectation value."""
        both = np.dot(states, self._products)
        return both[:, : self._size], np.vecdot(states, both[:, self._size :]).real

    def others(self, states: ComplexArray) -> list[FloatArray]:
        """The expectation values of the observables after the first."""
        return [np.vecdot(states, states @ each).real for each in self._others]

    def states(self, turned: ComplexArray, span: float, x: FloatArray) -> ComplexArray:
        """States in the Dicke basis, one a row, at points x of a window."""
        basis = chebyshev.chebvander(2 * x - 1, _DEGREE) @ _TO_SERIES
        inside = (basis @ turned) * np.exp(-1j * np.outer(span * x, self._energies))
        inside /= np.linalg.norm(inside, axis=1, keepdims=True)
        return np.asarray(inside @ self._vectors.T)


def _applied(
    observable: FloatArray | ComplexArray, states: FloatArray | ComplexArray
) -> FloatArray | ComplexArray:
    """O times a state or states in columns; O a diagonal (M,) or a matrix (M, M)."""
    if observable.ndim == 2:
        return np.asarray(observable @ states)
    return (observable * states.T).T


class CollocatedRun:
    """An integration from the Dicke state `start`.

    Args:
        drive: what stands for E in the law, as a diagonal (M,) or a matrix (M, M) in the sector;
            None for E itself.
        tolerance: the error wanted in E, r and U over the whole run.
    """

    def __init__(
        self,
        model: LMG,
        start: int,
        law: Law,
        times: FloatArray,
        drive: FloatArray | ComplexArray | None,
        tolerance: float,
    ) -> None:
        """Set everything to t = 0."""
        parity = start % 2
        self._law, self._times, self._tolerance = law, times, tolerance
        self._end = float(times[-1])
        levels = sector_excitations(model.neurons, parity) / model.neurons
        self._observables = [levels] if drive is None else [drive, levels]
        diagonal, off = coupling_band(model.neurons, model.gamma, parity)
        # A common phase that depends on r is put back at the end.
        middle = float(diagonal.max() + diagonal.min()) / 2
        self._centre = model.g0 * middle
        self._coupling: FloatArray = model.g0 * (
            np.diag(diagonal - middle) + np.diag(off, 1) + np.diag(off, -1)
        )
        self._tilt: FloatArray = model.field * np.diag(field_diagonal(model.neurons, parity))
        self._state: ComplexArray = np.zeros(len(levels), dtype=np.complex128)
        self._state[start // 2] = 1.0
        self._r = 1.0 if law.tau_r == 0.0 else law.r0
        self._u = law.release if law.tau_f == 0.0 else law.U0
        self._s, self._time = 0.0, 0.0
        self._size = max(1.0, observable_size(self._observables[0]))
        pull = observable_size(self._observables[0])
        rates = [1 / tau + pull for tau in (law.tau_r, law.tau_f) if tau]
        self._longest = _LARGEST_DECAY / max(rates) if rates else math.inf
        speed = abs(model.g0) * (1 + abs(model.gamma)) + abs(model.field)
        self._first_span = min(self._end, 1.0 / speed)
        self._frame = _Frame(self._coupling, self._tilt, self._r, self._observables)

    def run(self, keep_states: bool) -> DrivenRun:
        """Integrate to the last time and report at all of them.

        Raises:
            IntegrationError: no window is short enough.
        """
        count = len(self._times)
        found = np.empty((count, 3 + len(self._observables)))
        values = [
            float(np.vdot(self._state, _applied(o, self._state)).real) for o in self._observables
        ]
        found[0] = 0.0, self._r, self._u, *values
        states: ComplexArray | None = None
        if keep_states:
            states = np.empty((count, len(self._state)), dtype=np.complex128)
            states[0] = self._state
        done, norm_error, span = 0, 0.0, self._first_span
        where = np.empty(count)
        steps: list[tuple[int, int, FloatArray]] = []
        while self._end > 0.0 and done < count:
            left = self._end - self._time
            span = left / math.ceil(left / min(span, self._longest) * (1 - 1e-9))
            window = self._attempt(span)
            if isinstance(window, float):
                span *= window
                if span < _SMALLEST_WINDOW * self._end:
                    raise IntegrationError(unreachable(self._tolerance, self._time))
                continue
            upto = count
            if span < left:
                upto = int(np.searchsorted(self._times, self._time + span))
            if upto > done:
                where[done:upto] = x = np.clip((self._times[done:upto] - self._time) / span, 0, 1)
                steps.append((done, upto, window.series))
                if states is not None:
                    states[done:upto] = self._frame.states(window.turned, span, x)
            done = upto
            norm = float(np.linalg.norm(window.state))
            norm_error = max(norm_error, abs(norm - 1))
            self._state = window.state / norm
            self._s = float(window.series[:, 0].sum())  # at the end every polynomial is 1
            self._r, self._u = window.r, window.u
            self._time += span
            span *= window.growth
        report(found, where, steps)
        s, r, u, signal = found.T[:4]
        if states is not None:
            states *= np.exp(-1j * self._centre * s)[:, None]
        return DrivenRun(s, r, u, found[:, -1], signal, states, norm_error)

    def _attempt(self, span: float) -> _Window | float:
        """The window over a span, or the factor to shorten it by."""
        if abs(self._r - self._frame.r) > _NEAR:
            self._frame = _Frame(self._coupling, self._tilt, self._r, self._observables)
        frame, law = self._frame, self._law
        forth, kick = frame.phases(span)
        integral = span * _INTEGRAL
        recovers, fills = law.tau_r != 0.0, law.tau_f != 0.0
        ones = np.ones(len(_POINTS))
        r, u = self._r * ones, self._u * ones
        if recovers:
            r_gain = ones / law.tau_r
        if fills:
            u_loss = ones / law.tau_f
            u_gain, release = law.release * u_loss, law.release * ones
        start = frame.inside(self._state)
        turned = np.repeat(start[None], len(_POINTS), axis=0)
        # What the last repetition changes is many times what is left.
        share = max(self._tolerance * span / self._end / self._size, _NOISE)
        before, repetitions = math.inf, 0
        while True:
            repetitions += 1
            states = forth * turned
            coupled, drive = frame.products(states)
            if fills:
                push = release * drive
                decay = np.exp(np.dot(integral, u_loss + push))
                u = (self._u + np.dot(integral, decay * (u_gain + push))) / decay
            if recovers:
                decay = np.exp(np.dot(integral, r_gain + u * drive))
                r = (self._r + np.dot(integral, decay * r_gain)) / decay
            slope = kick * coupled
            slope *= (r - frame.r)[:, None]
            moved = np.dot(integral, slope.view(np.float64)).view(np.complex128)
            moved += start
            change = float(np.abs(moved - turned).max())
            turned = moved
            if change <= share:
                break
            if repetitions == _MOST_REPETITIONS or not change < 10 * before:
                return 0.5
            before = change
        values = np.stack([r, u, drive, *frame.others(states)], axis=1)
        series = np.dot(_TO_SERIES, values)
        tails = np.abs(np.dot(_TO_SERIES[-3:], turned)).max(), np.abs(series[-3:]).max()
        tail = float(max(tails))
        allowed = max(_CAUTION * self._tolerance * min(1.0, 30 * span / self._end), 3 * _NOISE)
        allowed *= self._size
        shorter = 0.9 * (allowed / max(tail, 1e-17)) ** (1 / _DEGREE)
        if tail > allowed:
            return max(0.3, min(0.9, shorter))
        # The number of repetitions grows about as the window does.
        growth = min(2.0, max(0.7, min(shorter, _WANTED_REPETITIONS / repetitions)))
        phase = span * np.dot(_SERIES_OF_INTEGRAL, r)
        phase[0] += self._s
        state = frame.outside(forth[-1] * turned[-1])
        series = np.concatenate((phase[:, None], np.pad(series, ((0, 1), (0, 0)))), axis=1)
        return _Window(series, turned, state, float(r[-1]), float(u[-1]), growth)
