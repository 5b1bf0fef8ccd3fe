"""Polynomials over a step, from values and two derivatives at equally spaced points (Hermite).

A step is mapped to [0, 1]. Its polynomials are kept as Chebyshev series in 2x − 1, whose last
coefficients tell how well they resolve the function.
"""

from __future__ import annotations

import numpy as np
from numpy.polynomial import chebyshev

from .hamiltonian import FloatArray

INTERVALS = 5
POINTS = np.arange(INTERVALS + 1) / INTERVALS
_DEGREE = 3 * len(POINTS) - 1


def hermite_series(values: FloatArray, first: FloatArray, second: FloatArray) -> FloatArray:
    """Chebyshev coefficients, shape (18, …), from shape (6, …) each at the points.

    The derivatives are with respect to x: those of time, times the step and the step squared.
    """
    return np.asarray(_FROM_POINTS @ np.concatenate((values, first, second)))


def integrated(series: FloatArray) -> FloatArray:
    """The series of ∫ from 0, shape (19, …); in x: times the step it is that of time."""
    return np.asarray(chebyshev.chebint(series, lbnd=-1, scl=0.5))


def tail(series: FloatArray) -> float:
    """The largest of the last two coefficients."""
    return float(np.abs(series[-2:]).max())


def evaluate(series: FloatArray, x: FloatArray) -> FloatArray:
    """Row i of series, shape (rows, coefficients, …), at x[i]."""
    basis = chebyshev.chebvander(2 * x - 1, series.shape[1] - 1)
    return np.asarray(np.einsum("ik,ik...->i...", basis, series))


def _from_points() -> FloatArray:
    unit, rows = np.eye(_DEGREE + 1, dtype=np.longdouble), []
    for order in range(3):
        derivative = chebyshev.chebder(unit, order, scl=2.0) if order else unit
        basis = chebyshev.chebvander(2 * POINTS.astype(np.longdouble) - 1, len(derivative) - 1)
        rows.append(basis @ derivative)
    matrix = np.concatenate(rows)
    inverse = np.linalg.inv(matrix.astype(np.float64)).astype(np.longdouble)
    # The condition number is 1e6; one step of Newton's iteration makes up for it.
    inverse = inverse @ (2 * unit - matrix @ inverse)
    return np.asarray(inverse, dtype=np.float64)


_FROM_POINTS = _from_points()
