"""The picture of a run: measured E, r (and U) with their bands against the exact curves."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = [
    "EXACT",
    "MEASURED",
    "figure_svg",
    "inline_svg",
    "population_svg",
    "save_figure",
    "trajectory_figure",
]

MEASURED = "#c2410c"
EXACT = "#1e293b"
_RAW = "#94a3b8"
_Z95 = 1.959964


def _band(axes: Axes, data: xr.Dataset, name: str, label: str, colour: str) -> None:
    time, mean, error = data.time, data[name], _Z95 * data[f"{name}_stderr"]
    axes.fill_between(time, mean - error, mean + error, color=colour, alpha=0.25, lw=0)
    axes.plot(time, mean, "o", ms=3.5, color=colour, label=label)


def trajectory_figure(data: xr.Dataset, title: str) -> Figure:
    """E above, r (and U where it moves) below; bands are 95 %, lines are exact."""
    figure = Figure(figsize=(9, 5.6), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
    fine = data.time_fine
    top.plot(fine, data.exact_excitation_fine, color=EXACT, lw=1.4, label="exact")
    if float(abs(data.raw_excitation - data.excitation).max()) > 1e-12:
        top.plot(data.time, data.raw_excitation, "x", ms=4, color=_RAW, label="raw")
    _band(top, data, "excitation", "measured, 95 % band", MEASURED)
    top.set_ylabel(r"excitation $E = \frac{1}{2} + \langle J_z\rangle/N$")
    top.set_ylim(-0.05, 1.05)
    top.set_title(title, fontsize=10, loc="left")
    bottom.plot(fine, data.exact_r_fine, color=EXACT, lw=1.4)
    _band(bottom, data, "r", "r (synaptic efficacy)", "#1d4ed8")
    if data.attrs.get("tau_f", 0) > 0:
        bottom.plot(fine, data.exact_U_fine, color=EXACT, lw=1.4, ls="--")
        _band(bottom, data, "U", "U (release probability)", "#15803d")
    bottom.set_ylabel("synapse")
    bottom.set_xlabel("time (inverse units of the coupling)")
    for axes in (top, bottom):
        axes.legend(loc="best", fontsize=8, frameon=False, ncols=3)
        axes.grid(alpha=0.2)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


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


def figure_svg(data: xr.Dataset, title: str) -> str:
    """The trajectory figure as inline SVG."""
    return inline_svg(trajectory_figure(data, title))


def population_svg(data: xr.Dataset) -> str:
    """The population figure as inline SVG."""
    return inline_svg(population_figure(data))
