"""The picture of an LMG run: measured E, r (and U) with their bands against the exact curves."""

from __future__ import annotations

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..engine.measures import Z95
from ..report.figure import EXACT, MEASURED

__all__ = ["trajectory_figure"]

_RAW = "#94a3b8"


def _band(axes: Axes, data: xr.Dataset, name: str, label: str, colour: str) -> None:
    time, mean, error = data.time, data[name], Z95 * data[f"{name}_stderr"]
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
    figure.suptitle(title, fontsize=10, x=0.01, ha="left")
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
