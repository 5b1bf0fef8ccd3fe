"""A recording looked at: how it was understood, a row a cell, and a picture of its spikes."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .raster import SpikeData

__all__ = ["cell_rows", "raster_picture"]

_DARK, _BLUE, _GREY = "#1e293b", "#0072b2", "#94a3b8"
_MOST_BINS = 2_000  # of the raster shown
_MOST_TRIALS = 10
_MOST_POINTS = 400  # of a curve
_MOST_NAMES = 40


def cell_rows(data: SpikeData) -> list[dict[str, Any]]:
    """One row a cell: its name, its spikes inside trials and bins, bins with any, and its rate."""
    ones = data.raster.sum(axis=(0, 1), dtype=np.int64)
    counts = ones if data.counts is None else np.asarray(data.counts)
    seconds = data.raster.shape[0] * data.raster.shape[1] * data.bin_s
    return [
        {
            "cell": cell,
            "spikes": int(count),
            "bins_with_spikes": int(one),
            "rate_hz": float(count / seconds),
        }
        for cell, count, one in zip(data.cells, counts, ones, strict=True)
    ]


def raster_picture(data: SpikeData, title: str) -> Figure:
    """The first trials as a raster, the rate of each cell, and the population's rate.

    Args:
        data: of all cells.
        title: above the picture.
    """
    several = len(data.raster) > 1
    rows = [["raster", "cells"], ["time", "time"], ["trials", "trials"]][: 3 if several else 2]
    figure = Figure(figsize=(12, 8 if several else 6), layout="constrained")
    panels: Any = figure.subplot_mosaic(
        rows,  # type: ignore[arg-type]
        height_ratios=[2.2, 1, 1][: len(rows)],
        width_ratios=[4, 1],
    )
    _raster(panels["raster"], data)
    _cells(panels["cells"], data)
    _over_time(panels["time"], data)
    if several:
        _over_trials(panels["trials"], data)
    figure.suptitle(title, fontsize=13, x=0.01, ha="left")
    for panel in panels.values():
        panel.spines[["top", "right"]].set_visible(False)
    return figure


def _shown(data: SpikeData) -> tuple[int, int]:
    """Trials shown in a row, and bins of each."""
    trials, bins, _ = data.raster.shape
    if bins >= _MOST_BINS:
        return 1, _MOST_BINS
    return min(trials, _MOST_TRIALS, _MOST_BINS // bins), bins


def _raster(panel: Axes, data: SpikeData) -> None:
    trials, bins = _shown(data)
    part = data.raster[:trials, :bins].reshape(trials * bins, -1)
    place, cell = np.nonzero(part)
    panel.plot(
        (place + 0.5) * data.bin_s, cell, linestyle="", marker="|", color=_DARK,
        markersize=min(12.0, max(2.0, 220 / part.shape[1])),
    )  # fmt: skip
    for border in range(1, trials):
        panel.axvline(border * bins * data.bin_s, color=_GREY, linewidth=0.8)
    panel.set_xlim(0, trials * bins * data.bin_s)
    panel.set_ylim(len(data.cells) - 0.5, -0.5)
    some = f"trials 1 to {trials}, one after another" if trials > 1 else "trial 1"
    if bins < data.raster.shape[1]:
        some += f", its first {bins} bins"
    panel.set_title(f"Spikes in bins of {1000 * data.bin_s:.4g} ms: {some}", loc="left", size=10)
    panel.set_xlabel("time (s)")
    panel.set_ylabel("cell")
    if len(data.cells) <= _MOST_NAMES:
        panel.set_yticks(range(len(data.cells)), [str(cell)[:12] for cell in data.cells])
    else:
        panel.yaxis.set_major_locator(MaxNLocator(integer=True))
        panel.set_ylabel("cell, in the order of the file")


def _cells(panel: Axes, data: SpikeData) -> None:
    rates = [row["rate_hz"] for row in cell_rows(data)]
    panel.barh(range(len(rates)), rates, color=_BLUE, height=0.8)
    panel.set_ylim(len(rates) - 0.5, -0.5)
    panel.set_yticks([])
    panel.set_xlabel("spikes a second")
    panel.set_title("Rate of each cell", loc="left", size=10)


def _over_time(panel: Axes, data: SpikeData) -> None:
    trials, bins, cells = data.raster.shape
    sums = data.raster.sum(axis=(0, 2), dtype=np.int64)
    # not more points than can be told apart
    merge = max(1, -(-bins // _MOST_POINTS))
    kept = bins // merge * merge
    rate = sums[:kept].reshape(-1, merge).mean(axis=1) / (trials * cells * data.bin_s)
    panel.plot((np.arange(len(rate)) + 0.5) * merge * data.bin_s, rate, color=_DARK, linewidth=1)
    panel.set_xlim(0, bins * data.bin_s)
    panel.set_ylim(0, 1.1 * float(rate.max()))
    panel.set_xlabel("time in the trial (s)")
    panel.set_ylabel("spikes/s, a cell")
    mean = "mean of all trials and cells" if trials > 1 else "mean of all cells"
    panel.set_title(f"Rate over a trial, {mean}", loc="left", size=10)


def _over_trials(panel: Axes, data: SpikeData) -> None:
    trials, bins, cells = data.raster.shape
    rate = data.raster.sum(axis=(1, 2), dtype=np.int64) / (bins * cells * data.bin_s)
    panel.plot(np.arange(1, trials + 1), rate, color=_DARK, marker=".", linewidth=0.8)
    panel.set_ylim(0, 1.1 * float(rate.max()))
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panel.set_xlabel("trial")
    panel.set_ylabel("spikes/s, a cell")
    panel.set_title("Rate of each trial, mean of all cells", loc="left", size=10)
