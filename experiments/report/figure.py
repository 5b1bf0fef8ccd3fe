"""Colours, files and pictures that several systems share."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

__all__ = ["EXACT", "MEASURED", "inline_svg", "population_figure", "save_figure"]

MEASURED = "#c2410c"
EXACT = "#1e293b"


def population_figure(data: xr.Dataset) -> Figure:
    """Excitation-number histograms over time: measured beside exact."""
    figure = Figure(figsize=(9, 2.8), layout="constrained")
    pair = figure.subplots(1, 2, sharey=True)
    top = float(max(data.populations.max(), data.exact_populations.max()))
    edges = np.append(data.time, data.time[-1] + (data.time[-1] - data.time[-2]))
    levels = np.arange(data.sizes["excitations"] + 1) - 0.5
    for axes, name, title in zip(
        pair, ("populations", "exact_populations"), ("measured", "exact"), strict=True
    ):
        mesh = axes.pcolormesh(
            edges, levels, np.clip(data[name].values.T, 0, None), vmin=0, vmax=top, cmap="magma_r"
        )
        axes.set_title(title, fontsize=9, loc="left")
        axes.set_xlabel("time")
    pair[0].set_ylabel("active neurons n")
    figure.colorbar(mesh, ax=pair, label="probability", shrink=0.9)
    return figure


def save_figure(figure: Figure, path: Path) -> None:
    """Write a PNG or an SVG, by the suffix, that is the same for the same data."""
    kind = path.suffix[1:]
    metadata: dict[str, Any] = {"Software": None} if kind == "png" else {"Date": None}
    with matplotlib.rc_context({"svg.hashsalt": "qbrain"}):
        figure.savefig(path, dpi=130, format=kind, metadata=metadata)


def inline_svg(figure: Figure) -> str:
    """A figure as an svg element for a page."""
    buffer = io.StringIO()
    options: dict[str, Any] = {"format": "svg", "metadata": {"Date": None}}
    figure.savefig(buffer, **options)
    text = buffer.getvalue()
    return text[text.index("<svg") :]
