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

from .driven_run import observable_size
from .field_integration import FieldIntegration, Step
from .hamiltonian import LMG, ComplexArray, FloatArray, coupling_band, field_diagonal
from .synaptic_clock import Law

_DEGREE = 26
_MOST_REPETITIONS = 14
_WANTED_REPETITIONS = 10
_CAUTION = 0.1  # the part of the tolerance that is spent
_NOISE = 3e-15
_LARGEST_DECAY = 7.0  # of r or U over a window, in e-foldings, that the points resolve
_NEAR = 0.1  # how far r may leave r̄ before H̄ is diagonalised anew

_POINTS: FloatArray = (1 - np.cos(np.pi * np.arange(_DEGREE + 1) / _DEGREE)) / 2  # on [0, 1]


def _calculus() -> tuple[FloatArray, FloatArray, FloatArray]:
    """Values at the points to: a series, the series of the integral from 0, that integral."""
    to_series = np.linalg.inv(chebyshev.chebvander(2 * _POINTS - 1, _DEGREE))
    of_integral = chebyshev.chebint(to_series, lbnd=-1, scl=0.5)
    integral = chebyshev.chebvander(2 * _POINTS - 1, _DEGREE + 1) @ of_integral
    return (
        np.asarray(to_series, dtype=np.float64),
        np.asarray(of_integral, dtype=np.float64),
        np.asarray(integral, dtype=np.float64),
    )


_TO_SERIES, _SERIES_OF_INTEGRAL, _INTEGRAL = _calculus()


@dataclass
class _Window(Step):
    """An accepted window.

    `series` has columns s, r, U, the driving expectation value and, where that is not E, E;
    `turned` is φ in the eigenbasis of H̄ at the points, one a row.
    """

    series: FloatArray
    turned: ComplexArray


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
) -> ComplexArray:
    """O times states in columns; O a diagonal (M,) or a matrix (M, M)."""
    product = observable @ states if observable.ndim == 2 else observable[:, None] * states
    return np.asarray(product, dtype=np.complex128)


class CollocatedRun(FieldIntegration[_Window]):
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
        """Set everything to t = 0."""
        super().__init__(model, start, law, times, drive, tolerance)
        parity = start % 2
        diagonal, off = coupling_band(model.neurons, model.gamma, parity)
        # A common phase that depends on r is put back at the end.
        middle = float(diagonal.max() + diagonal.min()) / 2
        self._centre = model.g0 * middle
        self._coupling: FloatArray = model.g0 * (
            np.diag(diagonal - middle) + np.diag(off, 1) + np.diag(off, -1)
        )
        self._tilt: FloatArray = model.field * np.diag(field_diagonal(model.neurons, parity))
        pull = observable_size(self._observables[0])
        self._size = max(1.0, pull)
        rates = [1 / tau + pull for tau in (law.tau_r, law.tau_f) if tau]
        if rates:
            self._longest = _LARGEST_DECAY / max(rates)
        self._frame = _Frame(self._coupling, self._tilt, self._r, self._observables)

    def _report(self, first: int, last: int, step: _Window) -> None:
        self._report_later(first, last, step.series)

    def _states_between(self, step: _Window, span: float, x: FloatArray) -> ComplexArray:
        return self._frame.states(step.turned, span, np.clip(x, 0, 1))

    def _attempt(self, span: float) -> _Window | float:
        if abs(self._r - self._frame.r) > _NEAR:
            self._frame = _Frame(self._coupling, self._tilt, self._r, self._observables)
        frame = self._frame
        converged = self._repeated(span)
        if converged is None:
            return 0.5
        states, turned, scalars, repetitions = converged
        drive, r, u = scalars
        values = np.stack([r, u, drive, *frame.others(states)], axis=1)
        series = np.dot(_TO_SERIES, values)
        tails = np.abs(np.dot(_TO_SERIES[-3:], turned)).max(), np.abs(series[-3:]).max()
        tail = float(max(tails))
        allowed = max(_CAUTION * self._tolerance * min(1.0, 30 * span / self._end), 3 * _NOISE)
        allowed *= self._size
        shorter = 0.9 * float(allowed / max(tail, 1e-17)) ** (1 / _DEGREE)
        if tail > allowed:
            return float(max(0.3, min(0.9, shorter)))
        # The number of repetitions grows about as the window does.
        growth = min(2.0, max(0.7, min(shorter, _WANTED_REPETITIONS / repetitions)))
        phase = span * np.dot(_SERIES_OF_INTEGRAL, r)
        phase[0] += self._s
        state = frame.outside(frame.phases(span)[0][-1] * turned[-1])
        series = np.concatenate((phase[:, None], np.pad(series, ((0, 1), (0, 0)))), axis=1)
        norm = float(np.linalg.norm(state))
        s = float(series[:, 0].sum())  # at the end every polynomial is 1
        end = state / norm, s, float(r[-1]), float(u[-1])
        return _Window(*end, abs(norm - 1), growth, series, turned)

    @np.errstate(over="ignore", invalid="ignore")  # where it diverges, which is seen
    def _repeated(
        self, span: float
    ) -> tuple[ComplexArray, ComplexArray, tuple[FloatArray, FloatArray, FloatArray], int] | None:
        """States, φ, and E, r and U at the points, and the repetitions; None if they diverge."""
        frame, law = self._frame, self._law
        forth, kick = frame.phases(span)
        integral = span * _INTEGRAL
        recovers, fills = law.tau_r != 0.0, law.tau_f != 0.0
        # In loops as short as these a Python number costs more than an array of the points.
        ones = np.ones(len(_POINTS))
        r, u, release = self._r * ones, self._u * ones, law.release * ones
        r_gain = ones / law.tau_r if recovers else ones
        u_loss = ones / law.tau_f if fills else ones
        u_gain = law.release * u_loss
        start = frame.inside(self._state)
        turned = np.repeat(start[None], len(_POINTS), axis=0)
        # What the last repetition changes is many times what is left.
        share = max(self._tolerance * span / self._end / self._size, _NOISE)
        before = math.inf
        for repetition in range(1, _MOST_REPETITIONS + 1):
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
                return states, turned, (drive, r, u), repetition
            if not change < min(10 * before, 2.0):
                return None
            before = change
        return None
