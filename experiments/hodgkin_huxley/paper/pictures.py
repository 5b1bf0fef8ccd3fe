"""The pictures of all figures, drawn from their datasets alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...papers.pictures import grid, legend, line
from . import pictures_areas as areas
from .pictures_areas import COLOURS, LAWS

__all__ = ["draw"]

_VOLTAGE, _CONDUCTANCE = "#1d4ed8", "#b91c1c"
_TIME, _V, _I = "time (ms)", "$V$ (mV from rest)", "$I$ (µA/cm²)"
_G = "$g_K$ (mS/cm²)"
_SHOWN = 15.0  # ms


def draw(data: xr.Dataset) -> Figure:
    """Draw the picture of a figure's dataset; which one it is, its attributes say."""
    drawers: dict[str, Callable[[xr.Dataset], Figure]] = {
        "3": _figure_3,
        "7": _response,
        "8": _figure_8,
        "9": _response,
        "10": areas.loops,
        "11": areas.loops,
        "12": _response,
        "13": areas.entropies,
        "14": areas.ratio_against_entropy,
        "headline": areas.headline,
        "table-1": areas.table_one,
        "circuits": areas.circuits,
    }
    key = str(data.attrs["figure"])
    figure = drawers[key](data)
    where = {"headline": "Beside", "circuits": "Beyond", "table-1": "Table I of"}
    source = where.get(key, f"Figure {key} of")
    title = str(data.attrs["title"])
    stop = "" if title.endswith("?") else "."
    figure.suptitle(
        f"{title}{stop} {source} Cheng et al., recomputed ({data.attrs['backend']})",
        fontsize=9,
        x=0.01,
        ha="left",
    )
    return figure


def _figure_3(data: xr.Dataset) -> Figure:
    figure, axes = grid(2, 4, (12, 6.2))
    for column, source in enumerate(data.source.values):
        one, panel = data.sel(source=source), axes[0, column]
        line(panel, one.charge, one.current, COLOURS[0], lw=1.1, rasterized=False)
        panel.plot(one.charge[0], one.current[0], "o", ms=4, color=COLOURS[1])
        panel.set_title(f"({'abcd'[column]})  $V$ = {source:g}", fontsize=9, loc="left")
        panel.set_xlabel("charge $⟨q⟩$ (√(ħ/Z))", fontsize=8)
    axes[0, 0].set_ylabel("memristive current $I_M$ (charge/√(LC))", fontsize=8)
    titles = {
        "mean": "memory follows the mean",
        "state": "its own state",
        "record": "its own record",
    }
    for column, (kind, title) in enumerate(titles.items()):
        one, panel = data.sel(feedback=kind), axes[1, column]
        for k in range(one.sizes["one"]):
            label = "single monitored trajectories" if k == 0 else None
            line(panel, data.shown, one.one_charge[:, k], COLOURS[4], label, lw=0.6)
        error = 1.96 * one.mean_charge_error
        panel.fill_between(
            data.shown, one.mean_charge - error, one.mean_charge + error, color=COLOURS[1],
            alpha=0.3, lw=0,
        )  # fmt: skip
        line(panel, data.shown, one.mean_charge, COLOURS[1], "their mean, 95 % band", lw=1.3)
        line(panel, data.shown, data.average_charge, COLOURS[0], "master equation", ls="--", lw=1)
        panel.set_title(f"({'efg'[column]})  $V$ = 0, {title}", fontsize=9, loc="left")
        panel.set_xlabel("time (√(LC))", fontsize=8)
        panel.set_ylim(-2.6, 3.1)
    axes[1, 0].set_ylabel("charge $⟨q⟩$ (√(ħ/Z))", fontsize=8)
    last = axes[1, 3]
    for colour, source in zip(COLOURS, data.source.values, strict=False):
        one = data.sel(source=source)
        line(last, one.voltage, one.current, colour, rasterized=False)
        last.plot([], [], color=colour, label=f"$V$ = {source:g}")
    last.legend(fontsize=7, frameon=False, loc="upper left")
    last.set_title("(h)  current and voltage", fontsize=9, loc="left")
    last.set_xlabel("voltage across it $V_M$", fontsize=8)
    last.set_ylabel("$I_M$", fontsize=8)
    legend(figure, axes[1, 0])
    return figure


def _response(data: xr.Dataset) -> Figure:
    figure, axes = grid(1, 3, (13, 4.0), width_ratios=[1.35, 1, 1])
    _apart(figure)
    left, middle, right = axes[0]
    main = data.law.values[0]
    _over_time(left, data.time, data.voltage.sel(law=main), data.conductance.sel(law=main))
    left.set_title("(a)  closed form", fontsize=9, loc="left")
    started = data.time <= _SHOWN
    run = data.sel(law=main)
    line(middle, run.current[started], run.voltage[started], "#cbd5e1", "its approach", lw=0.5)
    for law in data.law.values:
        label, colour, style = LAWS[str(law)]
        one = data.sel(law=law)
        line(middle, one.cycle_current, one.cycle_voltage, colour, label, ls=style, lw=1.5)
    low, high = float(data.cycle_voltage.min()), float(data.cycle_voltage.max())
    middle.set_ylim(low - 0.25 * (high - low), high + 0.9 * (high - low))
    middle.set_xlabel(_I, fontsize=9)
    middle.set_ylabel(_V, fontsize=9)
    middle.set_title("(b)  limit cycles", fontsize=9, loc="left")
    middle.legend(fontsize=7, frameon=False, loc="upper left", ncols=1)
    for colour, start in zip(COLOURS, data.start.values, strict=False):
        one = data.start_conductance.sel(start=start)
        line(right, data.time, one, colour, f"$n(0)$ = {start:.2f}", lw=0.9)
    right.set_yscale("log")
    right.set_xlabel(_TIME, fontsize=9)
    right.set_ylabel(_G, fontsize=9)
    right.set_title("(c)  closed form, four starts", fontsize=9, loc="left")
    right.legend(fontsize=7, frameon=False, loc="upper right", ncols=2)
    return figure


def _figure_8(data: xr.Dataset) -> Figure:
    figure, axes = grid(1, 2, (11, 4.0), width_ratios=[1.5, 1])
    _apart(figure)
    left, right = axes[0]
    _over_time(left, data.time, data.voltage, data.conductance)
    left.set_title("(a)  Eqs. 5 and 6", fontsize=9, loc="left")
    line(right, data.current, data.voltage, "#cbd5e1", "its approach", lw=0.5, rasterized=True)
    late = data.time >= data.time[-1] - 2 * np.pi / float(data.attrs["frequency"])
    line(right, data.current[late], data.voltage[late], COLOURS[0], "limit cycle", lw=1.5)
    line(
        right, data.current[late], data.quantized_voltage[late], COLOURS[1],
        "quantized channel, Eq. 16", ls=":", lw=2.2,
    )  # fmt: skip
    right.set_xlabel(_I, fontsize=9)
    right.set_ylabel(_V, fontsize=9)
    right.set_title("(b)  voltage against current", fontsize=9, loc="left")
    right.legend(fontsize=7, frameon=False, loc="upper left")
    return figure


def _over_time(panel: Axes, time: Any, voltage: Any, conductance: Any) -> None:
    """Draw V (blue) and the conductance (red) over the first milliseconds, as the paper does."""
    part = time <= _SHOWN
    line(panel, time[part], voltage[part], _VOLTAGE, lw=0.9)
    panel.set_xlabel(_TIME, fontsize=9)
    panel.set_ylabel(_V, fontsize=9, color=_VOLTAGE)
    other = panel.twinx()
    line(other, time[part], conductance[part], _CONDUCTANCE, lw=1.2)
    other.set_ylabel(_G, fontsize=9, color=_CONDUCTANCE)
    other.set_ylim(0, 1.15 * float(conductance[part].max()))
    other.spines[["top"]].set_visible(False)
    other.tick_params(labelsize=8)
    other.margins(x=0.01)


def _apart(figure: Figure) -> None:
    """Make room between the label of a right-hand axis and that of the next panel."""
    engine: Any = figure.get_layout_engine()
    engine.set(wspace=0.06)
