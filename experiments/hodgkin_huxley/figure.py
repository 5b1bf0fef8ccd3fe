"""Pictures and verdict of a neuron's run: V(t), gates, conductance, the loop of V against I."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..engine.measures import Z95
from ..report.figure import EXACT, MEASURED
from ..report.verdict import follow_verdict

__all__ = ["conductance_figure", "neuron_figure", "verdict"]

_COLOURS = {"n": "#1d4ed8", "m": "#c2410c", "h": "#15803d"}


def neuron_figure(data: xr.Dataset, title: str) -> Figure:
    """Voltage above, gate variables below, the loop beside where the drive has a period."""
    figure = Figure(figsize=(11, 6), layout="constrained")
    figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    driven = float(np.ptp(data.current_fine.values)) > 0
    axes = figure.subplot_mosaic("VVI;NNI" if driven else "V;N", height_ratios=[3, 2])
    _voltage(axes["V"], data)
    _gates(axes["N"], data)
    if driven:
        _loop(axes["I"], data)
    axes["V"].sharex(axes["N"])
    for each in axes.values():
        each.grid(alpha=0.2)
        each.spines[["top", "right"]].set_visible(False)
    return figure


def _voltage(axes: Axes, data: xr.Dataset) -> None:
    axes.plot(data.time_fine, data.exact_voltage_fine, color=EXACT, lw=1.4, label="exact")
    if "band_low" in data:
        axes.fill_between(
            data.time, data.band_low, data.band_high, color=MEASURED, alpha=0.2, lw=0,
            label="95 % of runs with these shots and no other errors",
        )  # fmt: skip
        axes.plot(data.time, data.voltage, "o", ms=3, color=MEASURED, label="from measured gates")
    axes.set_ylabel("V in mV from rest")
    axes.legend(loc="best", fontsize=8, frameon=False)
    axes.tick_params(labelbottom=False)


def _gates(axes: Axes, data: xr.Dataset) -> None:
    for name in data.variable.values:
        colour, own = _COLOURS[str(name)], data.sel(variable=name)
        axes.plot(data.time, own.exact_values, color=colour, lw=1.2)
        if "values_stderr" in data:
            axes.errorbar(
                data.time, own["values"], Z95 * own.values_stderr, fmt="o", ms=2.5, lw=0.8,
                color=colour, label=f"{name}, 95 %",
            )  # fmt: skip
        else:
            axes.plot([], [], color=colour, label=str(name))
    axes.set_xlabel("time in ms")
    axes.set_ylabel("open gates")
    axes.legend(loc="best", fontsize=8, frameon=False, ncols=3)


def _loop(axes: Axes, data: xr.Dataset) -> None:
    axes.plot(data.current_fine, data.exact_voltage_fine, color=EXACT, lw=0.8, label="exact")
    if "band_low" in data:
        axes.plot(data.current, data.voltage, "o", ms=3, color=MEASURED, label="measured")
    axes.set_xlabel("I in µA/cm²")
    axes.set_ylabel("V in mV from rest")


def conductance_figure(data: xr.Dataset) -> Figure:
    """Conductance of the potassium channel, exact and measured."""
    figure = Figure(figsize=(9, 2.6), layout="constrained")
    axes = figure.subplots()
    axes.plot(data.time_fine, data.exact_conductance_fine, color=EXACT, lw=1.4, label="exact")
    if "conductance" in data:
        axes.plot(data.time, data.conductance, "o", ms=3, color=MEASURED, label="measured")
    axes.set_xlabel("time in ms")
    axes.set_ylabel("g of potassium in mS/cm²")
    axes.legend(loc="best", fontsize=8, frameon=False)
    axes.grid(alpha=0.2)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _counted(result: Mapping[str, Any]) -> str:
    """Spikes of the whole neuron; a channel alone only rises through half of its height."""
    full = result["channel"] == "full"
    name, words = (
        ("spikes", "Spikes") if full else ("half_height_crossings", "Rises through half height")
    )
    exact = result[f"{name}_exact"]
    return f" {words}: {result[name]}, exact {exact}, at the same times." if exact else ""


def verdict(result: Mapping[str, Any]) -> tuple[str, str]:
    """(class, sentence): what the numbers mean, by thresholds that the sentence names."""
    if result["shots"] is None:
        return "good", "Exact trajectory; no circuit was run."
    error, noise, swing = (result[k] for k in ("rmse_voltage", "shot_error", "voltage_swing"))
    where = (
        f"{result['backend']} against the exact curve: RMSE of V {error:.2f} mV of a swing of "
        f"{swing:.1f} mV; shots alone give {noise:.2f} mV."
    )
    where += _counted(result)
    near = (0.02 * swing, "2 % of its swing")
    return follow_verdict("the exact voltage", where, error, noise, near, 0.1 * swing)
