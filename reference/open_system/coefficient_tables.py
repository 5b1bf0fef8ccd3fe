"""The four coefficients of the open nervous system as a table that costs microseconds a look."""

from __future__ import annotations

from bisect import bisect_right

import numpy as np

from .bath_coefficients import Coefficients, Curves
from .bath_kernels import FloatArray

__all__ = ["CoefficientTable"]

_TERMS = 16
_TAIL = 1e-13
# panels no narrower than this part of the whole, which ends the halving at a jump not declared
_NARROWEST = 1e-9


class CoefficientTable:
    """κ, κ̃, λ and λ̃ from `start` to `stop` as Chebyshev series on panels halved where they must.

    Args:
        curves: the coefficients; panels begin anew at their breaks.
        start: where the table begins.
        stop: where it ends, > start.
        scale: a factor on all four.
    """

    def __init__(self, curves: Curves, start: float, stop: float, scale: float = 1.0) -> None:
        self.g, self.start, self.stop = curves.g, start, stop
        self.breaks = tuple(x for x in curves.breaks if start < x < stop)
        self._to_series, self._nodes = _series_matrix(_TERMS)
        edges = np.array([start, *self.breaks, stop])
        low, high = edges[:-1], edges[1:]
        done: list[tuple[FloatArray, FloatArray, FloatArray]] = []
        largest = 0.0
        while len(low):
            t = (low[:, None] * (1 - self._nodes) + high[:, None] * (1 + self._nodes)) / 2
            series = scale * _stacked(curves.at(t)) @ self._to_series.T
            size = np.abs(series)
            largest = max(largest, float(size.max()))
            tail = size[..., -2:].max(axis=(0, 2))
            good = (tail <= _TAIL * largest) | (high - low < _NARROWEST * (stop - start))
            done.append((low[good], high[good], series[:, good]))
            low, high = low[~good], high[~good]
            middle = (low + high) / 2
            low, high = np.concatenate([low, middle]), np.concatenate([middle, high])
        order = np.argsort(np.concatenate([part[0] for part in done]))
        self._low = np.concatenate([part[0] for part in done])[order]
        self._high = np.concatenate([part[1] for part in done])[order]
        self._series = np.concatenate([part[2] for part in done], axis=1)[:, order]
        self._lows = self._low.tolist()
        self._highs = self._high.tolist()
        self._panels = np.ascontiguousarray(self._series.transpose(1, 0, 2))
        self._orders = np.arange(_TERMS)
        self.largest = largest

    def look(self, t: float) -> tuple[float, float, float, float]:
        """κ, κ̃, λ and λ̃ at a time within the table."""
        panel = max(0, bisect_right(self._lows, t) - 1)
        low, high = self._lows[panel], self._highs[panel]
        x = min(1.0, max(-1.0, (2 * t - low - high) / (high - low)))
        values = self._panels[panel] @ np.cos(self._orders * np.arccos(x))
        kappa, kappa_tilde, shift, shift_tilde = values.tolist()
        return kappa, kappa_tilde, shift, shift_tilde

    def sampled_rates(self) -> tuple[FloatArray, FloatArray]:
        """Times, seventeen a panel, and κ and κ̃ at them, shape (2, times)."""
        x = np.linspace(-1, 1, 17)
        t = (self._low[:, None] * (1 - x) + self._high[:, None] * (1 + x)) / 2
        values = self._series[:2] @ np.cos(self._orders[:, None] * np.arccos(x))
        return t.ravel(), values.reshape(2, -1)


def _stacked(values: Coefficients) -> FloatArray:
    return np.stack([values.kappa, values.kappa_tilde, values.lambda_, values.lambda_tilde])


def _series_matrix(terms: int) -> tuple[FloatArray, FloatArray]:
    """Values at Chebyshev's nodes, all inside (−1, 1), to coefficients; and the nodes."""
    angles = np.pi * (np.arange(terms) + 0.5) / terms
    matrix = 2 / terms * np.cos(np.arange(terms)[:, None] * angles)
    matrix[0] /= 2
    return matrix, np.cos(angles)
