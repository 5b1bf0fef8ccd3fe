"""Panels, lines and legends that the pictures of papers share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = ["below", "grid", "legend", "line"]

_DENSE = 3000  # samples; longer lines go into an SVG as pixels


def grid(rows: int, columns: int, size: tuple[float, float], **more: Any) -> tuple[Figure, Any]:
    """Make a figure and its panels, shape (rows, columns)."""
    figure = Figure(figsize=size, layout="constrained")
    width_ratios = more.pop("width_ratios", None)
    axes = figure.subplots(rows, columns, squeeze=False, width_ratios=width_ratios, **more)
    for panel in axes.flat:
        panel.grid(alpha=0.2)
        panel.spines[["top", "right"]].set_visible(False)
        panel.tick_params(labelsize=8)
        panel.margins(x=0.01)
    return figure, axes


def line(axes: Axes, x: Any, y: Any, colour: str, label: str | None = None, **style: Any) -> None:
    """Draw a line; a dense one becomes pixels in an SVG."""
    dense = np.size(y) > _DENSE
    axes.plot(x, y, color=colour, label=label, **{"lw": 0.9, "rasterized": dense, **style})


def below(axes: Any, label: str) -> None:
    """Label the horizontal axes of the lowest row."""
    for panel in axes[-1]:
        panel.set_xlabel(label, fontsize=9)


def legend(figure: Figure, axes: Axes) -> None:
    """Put one legend for all panels under them, its lines thick enough to be seen."""
    handles, labels = axes.get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))
    found = figure.legend(
        once.values(), once.keys(), loc="outside lower center", ncols=4, fontsize=8, frameon=False
    )
    lines: Iterable[Any] = found.get_lines()
    for one in lines:
        one.set_linewidth(1.8)
