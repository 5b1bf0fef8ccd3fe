"""The pictures of a spike generator's run, drawn from its dataset alone."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator, NullLocator
from numpy.typing import NDArray

from ..report.figure import inline_svg
from .verdict import TITLES

__all__ = ["PANELS", "overview", "panel_svg"]

_DARK, _GREY = "#1e293b", "#94a3b8"
_MOST_BINS = 160  # of one raster
_LEAST = 1e-5  # of a probability that is shown
# Okabe and Ito's colours, told apart by the colour-blind, and a marker each
_STYLES = {
    "data": (_DARK, "o"),
    "training": (_GREY, "o"),
    "generator": ("#d55e00", "D"),
    "independent": ("#7f7f7f", "v"),
    "dichotomised-gaussian": ("#009e73", "s"),
    "classical": ("#cc79a7", "^"),
    "spike-gan": ("#e69f00", "P"),
    "no-entangling": ("#56b4e9", "X"),
}
_OTHERS = (("#0072b2", "h"), ("#4c1d95", "<"), ("#8c6d31", ">"))
_HELD = Figure | SubFigure
FloatArray = NDArray[Any]


@dataclass(frozen=True)
class _Look:
    name: str
    label: str
    colour: str
    marker: str
    prominent: bool


def overview(data: xr.Dataset, title: str) -> Figure:
    """All panels in one picture."""
    drawers = {name: draw for name, draw in PANELS.items() if _has(data, name)}
    heights = [_height(data, name) for name in drawers]
    figure = Figure(figsize=(13, sum(heights) + 0.5), layout="constrained")
    parts: Any = figure.subfigures(len(heights), 1, height_ratios=heights)
    for part, draw in zip(parts, drawers.values(), strict=True):
        draw(part, data)
    figure.suptitle(title, fontsize=13, x=0.01, ha="left")
    return _settle(figure)


def panel_svg(data: xr.Dataset, name: str) -> str:
    """One group of panels (a name of `PANELS`) as inline SVG; empty where there is nothing."""
    if not _has(data, name):
        return ""
    figure = Figure(figsize=(13, _height(data, name)), layout="constrained")
    PANELS[name](figure, data)
    _settle(figure)
    # ids that differ between the pictures of one page, and are the same for the same data
    return inline_svg(figure, name)


def rasters(held: _HELD, data: xr.Dataset) -> None:
    """Windows of the recording, the generator and the backend, one after the other."""
    shown = [look for look in _looks(data) if look.prominent]
    axes = _row(held, len(shown), sharey=True)
    bins, neurons = data.sizes["bin"], data.sizes["neuron"]
    count = max(1, min(data.sizes["window"], _MOST_BINS // bins))
    for panel, look in zip(axes, shown, strict=True):
        windows = data.raster.sel(source=look.name).values[:count]
        spikes = windows.reshape(-1, neurons)
        for neuron in range(neurons):
            times = np.flatnonzero(spikes[:, neuron])
            panel.vlines(times + 0.5, neuron - 0.38, neuron + 0.38, color=look.colour, lw=1.5)
        panel.vlines(np.arange(1, count) * bins, -0.5, neurons - 0.5, color="#e2e8f0", lw=0.7)
        panel.set(xlim=(0, count * bins), ylim=(neurons - 0.5, -0.5))
        panel.set_xlabel(f"bin of {_width(data)} ({count} windows of {bins} bins)")
        panel.set_yticks(range(neurons), [str(cell) for cell in data.neuron.values])
        panel.grid(visible=False)
        _title(panel, look.label)
    axes[0].set_ylabel("cell")


def structure(held: _HELD, data: xr.Dataset) -> None:
    """Covariances and rates of each source over those of the data."""
    same_bin, other_bins, rates = _row(held, 3)
    bins, neurons = data.sizes["bin"], data.sizes["neuron"]
    bin_of = np.repeat(np.arange(bins), neurons)
    above = np.triu(np.ones((bin_of.size, bin_of.size), bool), 1)
    same = above & (bin_of[:, None] == bin_of)
    covariance = data.space_time_covariance
    truth = covariance.sel(source="data").values
    looks = [look for look in _looks(data) if look.name not in ("data", "training")]
    # the generator last, on top of the others
    for look in sorted(looks, key=lambda look: (look.prominent, look.name == data.attrs["main"])):
        found = covariance.sel(source=look.name).values
        for panel, entries in ((same_bin, same), (other_bins, above & ~same)):
            _dots(panel, truth[entries], found[entries], look)
        ours, theirs = (data.sel(source=name) for name in (look.name, "data"))
        x, y = _hertz(data, theirs.rates), _hertz(data, ours.rates)
        _dots(rates, x, y, look, size=36)
    theirs = data.sel(source="data")
    middle = _hertz(data, theirs.rates)
    reach = [_hertz(data, theirs[f"rates_{end}"]) for end in ("low", "high")]
    rates.errorbar(
        middle, middle, [middle - reach[0], reach[1] - middle], fmt="none", ecolor=_DARK, lw=1,
        label="data, 95 %",
    )  # fmt: skip
    for panel, what in (
        (same_bin, "Covariance, two cells in one bin"),
        (other_bins, "Covariance, different bins"),
        (rates, "Firing rates"),
    ):
        _diagonal(panel)
        _title(panel, what)
        panel.set_xlabel("held-out data")
    same_bin.set_ylabel("source")
    rates.set_xlabel("held-out data (bins with a spike, 1/s)")
    _legend(held, other_bins, data, markerscale=1.7)


def distributions(held: _HELD, data: xr.Dataset) -> None:
    """Spikes in a bin and in a window, and the autocorrelogram."""
    in_bin, in_window, lags = _row(held, 3)
    for panel, name, dimension in (
        (in_bin, "count_bin", "spikes_in_bin"),
        (in_window, "count_window", "spikes_in_window"),
    ):
        theirs = data.sel(source="data")
        counts = np.arange(data.sizes[dimension])
        # as far as anything fires
        seen = np.flatnonzero((data[name].values >= _LEAST).any(axis=0)).max()
        _band(panel, counts, theirs[f"{name}_low"], theirs[f"{name}_high"], least=_LEAST / 3)
        for look in _looks(data):
            if look.name != "training":
                values = data[name].sel(source=look.name).values
                _curve(panel, counts, np.where(values > 0, values, np.nan), look)
        panel.set_yscale("log")
        top = float(data[name].max())
        panel.set(xlim=(-0.3, seen + 0.3), ylim=(_LEAST / 2, min(1.5, 2.5 * top)))
        _spare(panel.yaxis)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    in_bin.set_ylabel("probability")
    _legend(held, in_bin, data)
    _title(in_bin, "Cells that fire in one bin")
    _title(in_window, "Spikes in one window")
    in_bin.set_xlabel("spikes")
    in_window.set_xlabel("spikes")
    if data.sizes["lag"] == 1:
        lags.set_axis_off()
        return
    x = 1000 * float(data.attrs["bin_s"]) * data.lag.values[1:]
    theirs = data.sel(source="data").isel(lag=slice(1, None))
    _band(lags, x, theirs.autocorrelogram_low, theirs.autocorrelogram_high)
    for look in _looks(data):
        if look.name != "training":
            ours = data.autocorrelogram.sel(source=look.name).values[1:]
            _curve(lags, x, ours, look)
    lags.axhline(0, color=_GREY, lw=0.6)
    lags.set_xlabel("lag (ms)")
    lags.set_ylabel("autocorrelation")
    _title(lags, "Population's autocorrelogram")


def errors(held: _HELD, data: xr.Dataset) -> None:
    """Every error of every source with its interval, over the band of the noise floor."""
    names = [name for name in TITLES if np.isfinite(data.errors.sel(statistic=name)).any()]
    axes = _row(held, len(names), sharey=True)
    looks = [look for look in _looks(data) if look.name not in ("data", "training")]
    places = np.arange(len(looks))
    for panel, name in zip(axes, names, strict=True):
        rows = data.sel(statistic=name)
        floor = rows.sel(source="training")
        panel.axvspan(
            float(floor.errors_low), float(floor.errors_high), color=_GREY, alpha=0.3, lw=0,
            label="noise floor, 95 %",
        )  # fmt: skip
        panel.axvline(
            float(floor.errors), color=_DARK, lw=0.8, ls="--",
            label="noise floor: training trials against held-out trials",
        )  # fmt: skip
        for place, look in zip(places, looks, strict=True):
            row = rows.sel(source=look.name)
            ends = [float(row.errors_low), float(row.errors_high)]
            panel.plot(ends, [place, place], color=look.colour, lw=2.5 if look.prominent else 1.5)
            panel.plot(
                float(row.errors), place, look.marker, color=look.colour,
                ms=8 if look.prominent else 6, mec="white", mew=0.6,
            )  # fmt: skip
        panel.set_ylim(len(looks) - 0.5, -0.5)
        panel.set_xscale("log")
        panel.set_xlim(*_decades(rows.sel(source=["training", *(look.name for look in looks)])))
        _spare(panel.xaxis)
        panel.set_yticks(places, [textwrap.fill(look.label, 24) for look in looks], fontsize=8)
        _title(panel, f"Error: {TITLES[name]}", 9)
        panel.set_xlabel(_UNITS[name])
    _legend(held, axes[0], data)


def _decades(rows: xr.Dataset) -> tuple[float, float]:
    """Limits that show every figure; of ends at 0 nothing can be seen on such a scale."""
    figures = rows.errors.values[rows.errors.values > 0]
    low = rows.errors_low.values[rows.errors_low.values > 0]
    top = max(np.nanmax(rows.errors_high.values, initial=1e-12), 1e-12)
    least = min(np.min(figures, initial=top), max(np.min(low, initial=top), top * 1e-4))
    return float(least / 1.5), float(1.3 * top)


_UNITS = {
    "rate_error": "mean relative error",
    "covariance_rmse": "root mean square",
    "kl_count_bin": "D(data‖source), nats",
    "kl_count_window": "D(data‖source), nats",
    "lag1_error": "absolute difference",
}


def training(held: _HELD, data: xr.Dataset) -> None:
    """Errors on the validation trials, the floor that noise sets them, and the critic."""
    names = [name for name in TITLES if f"validation_{name}" in data and name != "lag1_error"]
    axes = _row(held, len(names) + 1)
    looks = [look for look in _looks(data) if _trained(data, look.name)]
    for panel, name in zip(axes, names, strict=False):
        for look in looks:
            row = data.sel(source=look.name)
            panel.plot(
                row.check_step, row[f"validation_{name}"], color=look.colour, label=look.label,
                lw=1.8 if look.prominent else 1.1,
            )  # fmt: skip
        floor = float(data.validation_floor.sel(statistic=name))
        panel.axhline(floor, color=_DARK, lw=0.9, ls="--", label="training data (noise floor)")
        panel.set_yscale("log")
        _spare(panel.yaxis)
        _title(panel, f"Validation: {TITLES[name]}", 9)
    for look in looks:
        row = data.sel(source=look.name)
        axes[-1].plot(row.check_step, row.distance, color=look.colour, lw=1.3)
    _title(axes[-1], "Critic's distance", 9)
    for panel in axes:
        panel.set_xlabel("step")
        panel.xaxis.set_major_locator(MaxNLocator(4))
    _legend(held, axes[0], data)


PANELS: dict[str, Callable[[_HELD, xr.Dataset], None]] = {
    "rasters": rasters,
    "structure": structure,
    "distributions": distributions,
    "errors": errors,
    "training": training,
}


def _height(data: xr.Dataset, name: str) -> float:
    """In inches."""
    if name == "rasters":
        return 1.1 + 0.2 * data.sizes["neuron"]
    if name == "errors":
        return 1.2 + 0.36 * (data.sizes["source"] - 2)
    return {"structure": 4.6, "distributions": 3.8, "training": 3.2}[name]


def _has(data: xr.Dataset, name: str) -> bool:
    return name != "training" or "check_step" in data


def _trained(data: xr.Dataset, name: str) -> bool:
    return bool(np.isfinite(data.check_step.sel(source=name)).any())


def _looks(data: xr.Dataset) -> Iterator[_Look]:
    others = iter(_OTHERS * data.sizes["source"])
    for name, label, role in zip(
        data.source.values, data.label.values, data.role.values, strict=True
    ):
        colour, marker = _STYLES[name] if name in _STYLES else next(others)
        shown = role in ("data", "generator", "backend")
        yield _Look(str(name), str(label), colour, marker, shown)


def _row(held: _HELD, columns: int, *, sharey: bool = False) -> list[Axes]:
    axes = held.subplots(1, columns, sharey=sharey, squeeze=False)[0]
    for panel in axes:
        panel.grid(alpha=0.2)
        panel.spines[["top", "right"]].set_visible(False)
        panel.tick_params(labelsize=8, which="both")
    return list(axes)


def _spare(axis: Axis) -> None:
    """Small ticks of a logarithmic axis only where big ones are few: they take long to lay out."""
    low, high = axis.get_view_interval()
    if high > 20 * low:
        axis.set_minor_locator(NullLocator())


def _settle(figure: Figure) -> Figure:
    """Lay out once and for all; else writing draws everything once more to find that out."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine("none")
    return figure


def _title(panel: Axes, text: str, size: int = 10) -> None:
    panel.set_title(text, fontsize=size, loc="left")


def _width(data: xr.Dataset) -> str:
    return f"{1000 * float(data.attrs['bin_s']):.3g} ms"


def _hertz(data: xr.Dataset, rates: xr.DataArray) -> FloatArray:
    return np.asarray(rates.values / float(data.attrs["bin_s"]))


def _dots(
    panel: Axes, x: FloatArray, y: FloatArray, look: _Look, size: float | None = None
) -> None:
    panel.scatter(
        x, y, s=size or (20 if look.prominent else 11), color=look.colour, marker=look.marker,
        alpha=0.9 if look.prominent else 0.45, lw=0, label=look.label, rasterized=len(x) > 500,
    )  # fmt: skip


def _curve(panel: Axes, x: FloatArray, y: FloatArray, look: _Look) -> None:
    panel.plot(
        x, y, color=look.colour, marker=look.marker, ms=5.5 if look.prominent else 4,
        lw=1.8 if look.prominent else 1, alpha=1 if look.prominent else 0.75,
        zorder=3 if look.prominent else 2, label=look.label,
    )  # fmt: skip


def _band(panel: Axes, x: FloatArray, low: xr.DataArray, high: xr.DataArray, least: float = -np.inf
          ) -> None:  # fmt: skip
    panel.fill_between(x, np.maximum(low, least), high, color=_DARK, alpha=0.15, lw=0, zorder=1)


def _diagonal(panel: Axes) -> None:
    panel.axline((0, 0), slope=1, color=_DARK, lw=0.8, zorder=1)
    panel.xaxis.set_major_locator(MaxNLocator(5))
    panel.yaxis.set_major_locator(MaxNLocator(5))


def _legend(held: _HELD, panel: Axes, data: xr.Dataset, markerscale: float = 1) -> None:
    ranks = {look.label: k for k, look in enumerate(_looks(data))}
    handles, labels = panel.get_legend_handles_labels()
    # the prominent ones are drawn last, and named first
    order = sorted(range(len(labels)), key=lambda k: ranks.get(labels[k], len(ranks)))
    held.legend(
        [handles[k] for k in order],
        [labels[k] for k in order],
        loc="outside lower center",
        ncols=min(4, len(labels)),
        fontsize=8,
        frameon=False,
        markerscale=markerscale,
    )
