"""Areas of hysteresis loops: of one closed curve, and of the lobes of a pinched one."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import ArrayLike

from .memristor import FloatArray, MemristorError

__all__ = ["lobe_areas", "loop_area"]


def _curve(x: ArrayLike, y: ArrayLike) -> tuple[FloatArray, FloatArray]:
    a, b = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if a.ndim != 1 or len(a) < 2 or a.shape != b.shape:
        raise MemristorError(
            f"x, y: wanted two of shape (points,), points >= 2; got {a.shape} and {b.shape}"
        )
    return a, b


def loop_area(x: ArrayLike, y: ArrayLike) -> float:
    """∮ y dx of a curve closed by a straight line, > 0 if it is run through clockwise.

    Lobes run through in opposite senses cancel: for those see :func:`lobe_areas`. The error is of
    second order in the distance of the points.

    Args:
        x, y: shape (points,), at least two.

    Raises:
        MemristorError: other shapes.
    """
    a, b = _curve(x, y)
    return float(np.sum((b + np.roll(b, -1)) * (np.roll(a, -1) - a)) / 2)


def lobe_areas(voltage: ArrayLike, current: ArrayLike) -> FloatArray:
    """∮ I dV of every lobe of a pinched loop, between one zero of V and the next.

    A memristor's current is zero where its voltage is, so that each lobe begins and ends in the
    origin. What is before the first zero and after the last is left out.

    Args:
        voltage, current: shape (points,), at least two.

    Returns:
        Signed areas, shape (lobes,); of no lobes where V has less than two zeros.

    Raises:
        MemristorError: other shapes.
    """
    v, i = _curve(voltage, current)
    edges = np.flatnonzero(np.signbit(v[1:]) != np.signbit(v[:-1])) + 1
    # each with the origin put at both ends
    pinched = [
        np.pad(np.stack([v, i])[:, a:b], ((0, 0), (1, 1))) for a, b in itertools.pairwise(edges)
    ]
    return np.array([loop_area(*lobe) for lobe in pinched])
