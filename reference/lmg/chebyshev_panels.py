"""A smooth function as Chebyshev series on panels, and as a table that costs a microsecond a look.

E(s) along a field-free orbit is a sum of cosines of limited frequency, so a series on a panel
converges faster than geometrically once the panel resolves it. The last coefficients tell whether
it does.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from .hamiltonian import FloatArray


class Panels:
    """A function of s >= 0 as Chebyshev series on panels that grow with the demand.

    A panel is accepted when the tail of its series is below `tolerance`; else it is halved. It is
    then cut into cells with a short polynomial each, for `look`.

    Args:
        function: the values at an increasing array of s.
        width: a first panel width; a bad one costs time, not accuracy.
        tolerance: absolute, on the function's values.
    """

    DEGREE = 64
    CELLS = 48
    CELL_DEGREE = 11

    def __init__(
        self, function: Callable[[FloatArray], FloatArray], width: float, tolerance: float
    ) -> None:
        """Start without any panel."""
        self._function = function
        self._tolerance = tolerance
        self._width = width
        self._ceiling = np.inf
        self.edges: list[float] = [0.0]
        self.series: list[FloatArray] = []
        self._nodes = -np.cos(np.pi * np.arange(self.DEGREE + 1) / self.DEGREE)
        self._to_series = _series_matrix(self.DEGREE)
        self._to_cells = _cell_matrix(self.DEGREE, self.CELLS, self.CELL_DEGREE)
        self._cells: dict[int, list[list[float]]] = {}

    @property
    def end(self) -> float:
        """How far the panels reach."""
        return self.edges[-1]

    @property
    def resolved(self) -> bool:
        """Whether a panel ever needed its degree, so that the finest feature is known."""
        return bool(np.isfinite(self._ceiling))

    @property
    def width(self) -> float:
        """The width of the next panel to be tried."""
        return self._width

    def extend(self) -> None:
        """Add one panel."""
        start, before = self.end, np.inf
        while True:
            middle, half = start + self._width / 2, self._width / 2
            coefficients = self._to_series @ self._function(middle + half * self._nodes)
            size = np.abs(coefficients)
            tail = float(size[-6:].max())
            # A small tail that halving does not shrink is the noise of the function.
            noise = before < 1e-7 * size.max() and tail > before / 4
            if tail <= self._tolerance or noise:
                break
            before = tail
            self._width /= 2
            # A later panel over a quiet stretch may be wider than the finest one needed so far,
            # but not so wide that its nodes could miss such a feature.
            self._ceiling = min(self._ceiling, 4 * self._width)
        self.series.append(coefficients)
        self.edges.append(start + self._width)
        # Where the series ends tells how much wider the next panel can be.
        used = int(max(np.flatnonzero(size > self._tolerance), default=0))
        if used > self.DEGREE // 2:
            self._ceiling = min(self._ceiling, 4 * self._width)
        growth = max(1.0, 0.75 * self.DEGREE / max(used, 6))
        self._width = float(min(growth * self._width, self._ceiling))

    def table(self, s: float) -> tuple[float, float, list[list[float]]]:
        """Start, cells per unit of s, and the cells' polynomials of the panel that holds s."""
        while self.end <= s:
            self.extend()
        index = max(0, bisect_right(self.edges, s) - 1)
        if index not in self._cells:
            if len(self._cells) > 8:
                self._cells.clear()
            cells = (self._to_cells @ self.series[index]).reshape(self.CELLS, -1)
            self._cells[index] = cells.tolist()
        start, stop = self.edges[index], self.edges[index + 1]
        return start, self.CELLS / (stop - start), self._cells[index]

    def __call__(self, s: FloatArray) -> FloatArray:
        """The function at many points."""
        if len(s) == 0:
            return np.zeros(0)
        while self.end < s.max():
            self.extend()
        edges = np.array(self.edges)
        index = np.clip(np.searchsorted(edges, s, side="right") - 1, 0, len(self.series) - 1)
        x = 2 * (s - edges[index]) / (edges[index + 1] - edges[index]) - 1
        values = np.empty(len(s))
        series = np.array(self.series)
        for begin in range(0, len(s), 16384):
            part = slice(begin, begin + 16384)
            values[part] = _clenshaw(series[index[part]], x[part])
        return values


def _clenshaw(series: FloatArray, x: FloatArray) -> FloatArray:
    """Chebyshev series, one a row, each at its own point."""
    late: FloatArray = np.zeros_like(x)
    early = late
    for column in range(series.shape[1] - 1, 0, -1):
        late, early = series[:, column] + 2 * x * late - early, late
    return np.asarray(series[:, 0] + x * late - early)


@lru_cache(maxsize=1)
def _series_matrix(degree: int) -> FloatArray:
    """Values at the nodes −cos(πj/d) to Chebyshev coefficients."""
    j = np.arange(degree + 1)
    matrix = np.cos(np.pi * np.outer(j, degree - j) / degree) * (2 / degree)
    matrix[:, [0, -1]] /= 2
    matrix[[0, -1], :] /= 2
    return matrix


@lru_cache(maxsize=1)
def _cell_matrix(degree: int, cells: int, cell_degree: int) -> FloatArray:
    """Chebyshev coefficients of a panel to the monomial coefficients of its cells."""
    nodes = np.cos(np.pi * (np.arange(cell_degree + 1) + 0.5) / (cell_degree + 1))
    from_values = np.linalg.inv(np.vander(nodes, increasing=True))
    centres = -1 + (2 * np.arange(cells) + 1) / cells
    points = centres[:, None] + nodes / cells
    chebyshev = np.cos(np.arccos(points)[..., None] * np.arange(degree + 1))
    return np.asarray(np.einsum("ab,cbd->cad", from_values, chebyshev)).reshape(-1, degree + 1)
