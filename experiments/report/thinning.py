"""Pictures for pages, whose size does not grow with the run they show.

A page is for reading; the numbers lie in result.nc. What has few points is drawn as vectors, what
has more than a screen could tell apart is drawn as pixels inside the vector picture.
"""

from __future__ import annotations

import base64
import io
from typing import Any

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.collections import Collection, QuadMesh
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike, NDArray

__all__ = ["LARGEST_SVG", "light_svg", "thinned"]

# points of an artist that are drawn as vectors; markers take some 80 bytes each, a line's points 20
MOST_MARKERS, MOST_POINTS, MOST_CELLS = 1500, 6000, 1500
LARGEST_SVG = 900_000  # characters of a picture on a page
PIXELS_AN_INCH = 130
# Agg draws a longer line in parts
_PART = 20_000

Array = NDArray[np.float64]


def _points(artist: Artist) -> tuple[int, int]:
    """How many points an artist draws, and how many of them are drawn as vectors at most."""
    if isinstance(artist, Line2D):
        marked = artist.get_marker() not in ("", " ", "None", "none", None)
        return np.size(artist.get_xdata(orig=True)), MOST_MARKERS if marked else MOST_POINTS
    if isinstance(artist, QuadMesh):
        return int(np.prod(np.shape(artist.get_coordinates())[:2])), MOST_CELLS
    if isinstance(artist, Collection):
        # without sizes of their own, several paths at several places
        paths = [len(np.asarray(path.vertices)) for path in artist.get_paths()]
        places = np.shape(artist.get_offsets())[0] if artist.get_offsets() is not None else 1
        return max(sum(paths), places * min(paths, default=0)), MOST_POINTS
    return 0, 0


def _pixels(figure: Figure, *, everything: bool = False) -> list[Artist]:
    """Mark what is to be drawn as pixels and return it."""
    found: list[Artist] = []
    for axes in figure.findobj(lambda a: hasattr(a, "get_children")):
        for artist in axes.get_children():
            if not isinstance(artist, Line2D | Collection) or artist.get_rasterized():
                continue
            many, most = _points(artist)
            if many > (20 if everything else most):
                artist.set_rasterized(True)
                found.append(artist)
    return found


def light_svg(figure: Figure, salt: str | None = None) -> str:
    """A figure as an svg element of at most some ``LARGEST_SVG`` characters.

    Lines, markers and meshes of very many points become pixels, all others stay vectors; if the
    element is still too long, everything that is drawn by points does, and then the figure.
    ``salt``: of the element's ids, which are then the same for the same data.
    """
    marked = _pixels(figure)
    try:
        text = _svg(figure, salt)
        if len(text) > LARGEST_SVG:
            marked += _pixels(figure, everything=True)
            text = _svg(figure, salt)
    finally:
        for artist in marked:
            artist.set_rasterized(False)
    return text if len(text) <= LARGEST_SVG else _picture(figure)


def _svg(figure: Figure, salt: str | None) -> str:
    buffer = io.StringIO()
    options: dict[str, Any] = {"format": "svg", "metadata": {"Date": None}}
    with matplotlib.rc_context({"agg.path.chunksize": _PART, "svg.hashsalt": salt}):
        figure.savefig(buffer, dpi=PIXELS_AN_INCH, **options)
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _picture(figure: Figure) -> str:
    """The whole figure as pixels in an svg element."""
    buffer = io.BytesIO()
    with matplotlib.rc_context({"agg.path.chunksize": _PART}):
        figure.savefig(buffer, dpi=100, format="png", metadata={"Software": None})
    width, height = (72 * x for x in figure.get_size_inches())
    data = base64.b64encode(buffer.getvalue()).decode()
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}">'
        f'<image width="{width:g}" height="{height:g}" href="data:image/png;base64,{data}"/></svg>'
    )


def thinned(edges: ArrayLike, values: ArrayLike, most: int) -> tuple[Array, Array]:
    """Cells along the first axis joined, by their mean, until there are at most ``most``.

    Args:
        edges: (n+1,) of the cells.
        values: (n, …).
        most: cells that are left at most.
    """
    e, v = np.asarray(edges, dtype=np.float64), np.asarray(values, dtype=np.float64)
    each = -(-len(v) // most)
    if each <= 1:
        return e, v
    starts = np.arange(0, len(v), each)
    sums = np.add.reduceat(v, starts, axis=0)
    sizes = np.diff(np.append(starts, len(v)))
    means = sums / sizes.reshape(-1, *(1,) * (v.ndim - 1))
    return np.append(e[starts], e[-1]), means
