"""Feedback with a field, h ≠ 0: extrapolation of a symmetric splitting, with controlled error.

The substeps of :mod:`.symmetric_substeps` have errors in even powers of their length only, so that
Richardson extrapolation of a step in 1, 2, …, 8 substeps is of order 16 (W. B. Gragg, SIAM J.
Numer. Anal. 2, 384 (1965); E. Hairer, S. P. Nørsett and G. Wanner, *Solving Ordinary Differential
Equations I*, II.9). Every flow in a substep is exact, so the step is set by how fast E moves and
not by the norm of H. All substep counts are columns of one matrix and go forward together.

A step also finds the state at fractions of it, from fewer substeps. E, r and U at a time between
come from a Hermite interpolation through these, with first and second derivatives.

A step is accepted when its end, in the driving expectation value, r, U and the norm, is found from
7 substep counts as from 8 within a share of the tolerance, when so are the points inside within
the tolerance, and when the interpolation's last coefficients are below the tolerance; else it is
shortened. The state is scaled back to norm 1 after each step: what it had lost is truncation error.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from . import step_polynomials
from .driven_run import observable_size
from .field_integration import FieldIntegration, Step
from .hamiltonian import LMG, ComplexArray, FloatArray, IntArray, coupling_band, field_diagonal
from .symmetric_substeps import Substeps, expectation
from .synaptic_clock import Law

# How many substep counts each point of a step is extrapolated from.
_COUNTS_TO = 4, 5, 6, 7, 8
_REPORTS_AT_ONCE = 64
# Parts of the tolerance: of its share at the end of a step, and of all of it inside.
_AT_END, _INSIDE = 0.1, 0.2
# Rounding: of an extrapolated value of about 1, and of the norm, whose weights are larger.
_NOISE, _NORM_NOISE = 1e-13, 1e-12


def extrapolation_weights(counts: IntArray) -> FloatArray:
    """Weights, shape (counts,), that remove h², h⁴, … from results of so many substeps.

    w_i = Π_{j≠i} n_i²/(n_i² − n_j²); they add up to 1.
    """
    squares = counts.astype(np.float64) ** 2
    ratios = squares[:, None] / (squares[:, None] - squares + np.diag(squares))
    return np.asarray(ratios.prod(axis=1))


# The columns of a step: one for the start itself, and one a point and substep count.
_COUNTS: IntArray = np.array([0] + [n for most in _COUNTS_TO for n in range(1, most + 1)])
_POINT: IntArray = np.repeat(np.arange(len(_COUNTS_TO) + 1), [1, *_COUNTS_TO])
_ORDER = np.argsort(_COUNTS, kind="stable")
_COUNTS, _POINT = _COUNTS[_ORDER], _POINT[_ORDER]
_SPANS: FloatArray = step_polynomials.POINTS[_POINT] / np.maximum(_COUNTS, 1)  # in steps
_ONES = np.ones(len(_COUNTS))


def _weights(counts: IntArray, points: IntArray, least: int) -> FloatArray:
    """Weights of the columns for each point, from the substep counts of at least `least`."""
    weights = np.zeros((len(counts), int(points.max()) + 1))
    weights[0, 0] = 1.0
    for point in range(1, weights.shape[1]):
        used = (points == point) & (counts >= least)
        weights[used, point] = extrapolation_weights(counts[used])
    return weights


_WEIGHTS = _weights(_COUNTS, _POINT, 1)
_COMPLEX_WEIGHTS = _WEIGHTS.astype(np.complex128)
# What the coarsest count changes.
_OMITTED = _WEIGHTS - _weights(_COUNTS, _POINT, 2)


@dataclass
class _Step(Step):
    """An accepted step: states (in columns), r and U at its points, and its polynomials.

    `series` has columns s, r, U, the driving expectation value and, where that is not E, E.
    """

    states: ComplexArray
    rs: FloatArray
    us: FloatArray
    series: FloatArray


class ExtrapolatedRun(FieldIntegration[_Step]):
    """An integration by extrapolation; the arguments are those of :class:`.FieldIntegration`."""

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
        super().__init__(model, start, law, times, drive, tolerance)
        parity = start % 2
        self._substeps = Substeps(model, parity, law, self._observables[0])
        self._centre = self._substeps.centre
        diagonal, off_diagonal = coupling_band(model.neurons, model.gamma, parity)
        # A common energy changes no expectation value; around 0 they lose fewer digits.
        self._diagonal = model.g0 * (diagonal - diagonal.mean())[:, None]
        self._off_diagonal = model.g0 * off_diagonal[:, None]
        spin = field_diagonal(model.neurons, parity)
        self._field = model.field * (spin - spin.mean())[:, None]
        self._noise = _NOISE * max(1.0, observable_size(self._observables[0]))
        self._turned_span = 0.0
        self._half_turns: ComplexArray = np.empty((0, 0), dtype=np.complex128)

    def _report(self, first: int, last: int, step: _Step) -> None:
        self._report_later(first, last, step.series)

    def _attempt(self, span: float) -> _Step | float:
        if span != self._turned_span:
            self._spans = span * _SPANS
            self._half_turns = self._substeps.half_turns(self._spans)
            self._turned_span = span
        ends, columns = self._substeps.advance(
            self._state[:, None] * _ONES,
            self._r * _ONES,
            self._u * _ONES,
            self._spans,
            _COUNTS,
            self._half_turns,
        )
        states = np.dot(ends, _COMPLEX_WEIGHTS)
        norm = math.sqrt(np.vdot(states[:, -1], states[:, -1]).real)
        missed = np.abs(np.dot(columns, _OMITTED))
        share, inside = self._tolerance * span / self._end, _INSIDE * self._tolerance
        # What was missed, the rounding in it, what is allowed.
        errors = [
            (float(missed[:, -1].max()), self._noise, _AT_END * share),
            (float(missed.max()), self._noise, inside),
            (abs(norm - 1), _NORM_NOISE, share),
        ]
        if max((error - noise) / allowed for error, noise, allowed in errors) < 1e3:
            states[:, -1] /= norm
            _, r, u = np.dot(columns, _WEIGHTS)
            series = self._series(span, states, r, u)
            errors.append((float(np.abs(series[-3:-1]).max()), self._noise, inside))
            if all(error <= noise + allowed for error, noise, allowed in errors):
                # A step that passes by its rounding only is no reason for shorter ones.
                growth = max(_factor(errors), 0.9 if all(e <= a for e, _, a in errors) else 1.0)
                s = float(series[:, 0].sum())  # at the end every polynomial is 1
                end = states[:, -1], s, float(r[-1]), float(u[-1])
                return _Step(*end, abs(norm - 1), growth, states, r, u, series)
        return min(0.9, _factor(errors))

    def _coupled(self, states: ComplexArray) -> ComplexArray:
        out: ComplexArray = self._diagonal * states
        out[:-1] += self._off_diagonal * states[1:]
        out[1:] += self._off_diagonal * states[:-1]
        return out

    def _series(
        self, span: float, states: ComplexArray, r: FloatArray, u: FloatArray
    ) -> FloatArray:
        """Polynomials of s, r, U and the expectation values, one a column, from all points."""
        law = self._law
        data = np.zeros((2 + len(self._observables), 3, len(r)))
        data[0, 0], data[1, 0] = r, u
        coupled = self._coupled(states)
        first = -1j * (r * coupled - self._field * states)
        again = self._coupled(first)
        found = expectation(self._observables[0], states)
        r_rate = u_rate = np.zeros_like(r)
        if law.tau_r != 0.0:
            r_rate = (1 - r) / law.tau_r - u * r * found
        if law.tau_f != 0.0:
            u_rate = (law.release - u) / law.tau_f + law.release * (1 - u) * found
        second = -1j * (r * again + r_rate * coupled - self._field * first)
        for row, observable in zip(data[2:], self._observables, strict=True):
            row[0] = expectation(observable, states)
            row[1] = 2 * expectation(observable, states, first)
            row[2] = 2 * (expectation(observable, states, second) + expectation(observable, first))
        signal, slope = data[2, :2]
        if law.tau_r != 0.0:
            data[0, 1] = r_rate
            data[0, 2] = -r_rate / law.tau_r - (u_rate * r + u * r_rate) * signal - u * r * slope
        if law.tau_f != 0.0:
            data[1, 1] = u_rate
            data[1, 2] = law.release * ((1 - u) * slope - u_rate * signal) - u_rate / law.tau_f
        data[:, 1] *= span
        data[:, 2] *= span * span
        flat = data.reshape(len(data), -1)
        series = np.empty((len(step_polynomials.TO_SERIES), 1 + len(flat)))
        series[:, 1:] = np.dot(step_polynomials.TO_SERIES, flat.T)
        series[:, 0] = span * np.dot(step_polynomials.TO_INTEGRAL, flat[0])
        series[0, 0] += self._s
        return series

    def _states_between(self, step: _Step, span: float, x: FloatArray) -> ComplexArray:
        """Each from the point before it."""
        out = np.empty((len(x), len(self._state)), dtype=np.complex128)
        for first in range(0, len(x), _REPORTS_AT_ONCE):
            some = x[first : first + _REPORTS_AT_ONCE]
            begin = np.clip((some * step_polynomials.INTERVALS).astype(np.int64), 0, None)
            begin = np.minimum(begin, step_polynomials.INTERVALS - 1)
            counts = np.arange(1, _COUNTS_TO[0] + 1)
            each = np.tile(begin, len(counts))
            spans = span * (some - step_polynomials.POINTS[begin])
            spans = (spans / counts[:, None]).ravel()
            ends, *_ = self._substeps.advance(
                np.take(step.states, each, axis=1),
                step.rs[each],
                step.us[each],
                spans,
                np.repeat(counts, len(some)),
                self._substeps.half_turns(spans),
            )
            weights = extrapolation_weights(counts)
            states = np.tensordot(ends.reshape(len(ends), len(counts), -1), weights, (1, 0)).T
            norms = np.linalg.norm(states, axis=1, keepdims=True)
            out[first : first + len(some)] = states / norms
        return out


def _factor(errors: list[tuple[float, float, float]]) -> float:
    """For the next span; the error goes with its power of 15."""
    worst = max(error / allowed for error, _, allowed in errors)
    return float(min(2.0, max(0.3, 0.9 * max(worst, 1e-12) ** (-1 / 15))))
