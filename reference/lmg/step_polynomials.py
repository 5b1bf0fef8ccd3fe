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


_SERIES = _from_points()
# From values, first and second derivatives at the points, shape (18,), to 19 coefficients: of the
# polynomial, and of its integral from 0. Derivatives and integral are with respect to x: those of
# time times, or divided by, powers of the step.
TO_SERIES: FloatArray = np.concatenate((_SERIES, np.zeros((1, _DEGREE + 1))))
TO_INTEGRAL: FloatArray = np.asarray(chebyshev.chebint(_SERIES, lbnd=-1, scl=0.5))
