"""Colours, files and pictures that several systems share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from .thinning import light_svg, thinned

__all__ = ["EXACT", "MEASURED", "inline_svg", "population_figure", "save_figure"]

# cells of a histogram over time: more than these are joined, as a page has no more pixels
_CELLS = (900, 300)

MEASURED = "#c2410c"
EXACT = "#1e293b"


def population_figure(data: xr.Dataset) -> Figure:
    """Excitation-number histograms over time: measured beside exact."""
    figure = Figure(figsize=(9, 2.8), layout="constrained")
    pair = figure.subplots(1, 2, sharey=True)
    ends = np.append(data.time, data.time[-1] + (data.time[-1] - data.time[-2]))
    steps = np.arange(data.sizes["excitations"] + 1) - 0.5
    names = ("populations", "exact_populations")
    cells = []
    for name in names:
        edges, found = thinned(ends, np.clip(data[name].values, 0, None), _CELLS[0])
        levels, found = thinned(steps, found.T, _CELLS[1])
        cells.append(found)
    top = float(max(found.max() for found in cells))
    joined = " (mean of neighbouring n)" if len(levels) < len(steps) else ""
    for axes, found, title in zip(pair, cells, ("measured", "exact"), strict=True):
        mesh = axes.pcolormesh(edges, levels, found, vmin=0, vmax=top, cmap="magma_r")
        axes.set_title(title, fontsize=9, loc="left")
        axes.set_xlabel("time")
    pair[0].set_ylabel("active neurons n")
    figure.colorbar(mesh, ax=pair, label=f"probability{joined}", shrink=0.9)
    return figure


def save_figure(figure: Figure, path: Path) -> None:
    """Write a PNG or an SVG, by the suffix, that is the same for the same data."""
    kind = path.suffix[1:]
    metadata: dict[str, Any] = {"Software": None} if kind == "png" else {"Date": None}
    # Agg takes no line of very many points unless it may draw it in parts
    with matplotlib.rc_context({"svg.hashsalt": "qbrain", "agg.path.chunksize": 20_000}):
        figure.savefig(path, dpi=130, format=kind, metadata=metadata)


def inline_svg(figure: Figure, salt: str | None = None) -> str:
    """A figure as an svg element for a page, whose size does not grow with what it shows.

    ``salt``: of the element's ids, where they are to be the same for the same data.
    """
    return light_svg(figure, salt)
