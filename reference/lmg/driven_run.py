"""What an integration with a field gives, and its steps' polynomials evaluated at the reports."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.polynomial import chebyshev

from .hamiltonian import ComplexArray, FloatArray

_STEPS_AT_ONCE = 256


@dataclass
class DrivenRun:
    """What came out at the requested times; the last axis of `states` is the parity sector.

    `norm_error` is the most by which a step left norm 1 before the state was scaled back.
    """

    s: FloatArray
    r: FloatArray
    U: FloatArray
    excitation: FloatArray
    drive: FloatArray
    states: ComplexArray | None
    norm_error: float


def evaluate(series: FloatArray, x: FloatArray) -> FloatArray:
    """Row i of the series, shape (rows, coefficients, …), at x[i] of a step mapped to [0, 1]."""
    basis = chebyshev.chebvander(2 * x - 1, series.shape[1] - 1)
    return np.asarray(np.einsum("ik,ik...->i...", basis, series))


def report(found: FloatArray, where: FloatArray, steps: list[tuple[int, int, FloatArray]]) -> None:
    """Fill rows of `found`: each step is the first row, the row after its last, and its series."""
    for group in range(0, len(steps), _STEPS_AT_ONCE):
        some = steps[group : group + _STEPS_AT_ONCE]
        series = np.stack([each for _, _, each in some])
        which = np.repeat(np.arange(len(some)), [last - first for first, last, _ in some])
        first, last = some[0][0], some[-1][1]
        found[first:last] = evaluate(series[which], where[first:last])


def observable_size(observable: FloatArray | ComplexArray) -> float:
    """A bound on the eigenvalues of a diagonal (M,) or a matrix (M, M)."""
    rows = np.abs(observable)
    return float((rows if rows.ndim == 1 else rows.sum(axis=1)).max())


def unreachable(tolerance: float, time: float) -> str:
    """The message for a tolerance for which no step is short enough."""
    return f"tolerance: {tolerance:g} cannot be reached at t = {time:g}; ask for a larger one"
