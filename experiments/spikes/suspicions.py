"""What looks wrong in a recording: sentences for whoever knows it better.

- times: more than one spike in a thousand at the same time as another of its cell; more than 1 %
  of the intervals between spikes of a cell below 1 ms, which no single neuron does;
- cells: one with nine tenths of all spikes; some without any; two with the same bins throughout;
  one of more than 500 spikes a second;
- cuts: less than half of the spikes inside the trials; more than a tenth of them in a bin with
  another of their cell; no spike in the first tenth of a recording without trials.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .raster import Raster
from .reading import Cell, integers
from .recording import Events

__all__ = ["of_events", "of_raster", "of_shares"]

_REFRACTORY, _VIOLATIONS, _ENOUGH = 1e-3, 0.01, 50  # s, share, intervals of a cell
_TWICE = 1e-3  # share of the spikes
_EDGE = 1e-9  # s: times on a grid of 1 ms are 1 ms apart as far as floats can say so
_MOST_SPIKES, _FASTEST = 0.9, 500.0  # share of one cell, spikes/s
_INSIDE, _MERGED, _FIRST = 0.5, 0.1, 0.1


def of_events(events: Events, cells: Sequence[Cell], *, continuous: bool) -> list[str]:
    """Of spike times before they are sorted into bins."""
    order = np.lexsort((events.seconds, events.trial, events.neuron))
    neuron, seconds = events.neuron[order], events.seconds[order]
    same = (np.diff(neuron) == 0) & (np.diff(events.trial[order]) == 0)
    gaps, owner = np.diff(seconds)[same], neuron[1:][same]
    found = []
    twice = int((gaps == 0).sum())
    if twice > _TWICE * len(seconds):
        found.append(f"times: {twice} spikes stand in the file more than once")
    short = np.bincount(owner[(gaps > 0) & (gaps < _REFRACTORY - _EDGE)], minlength=len(cells))
    intervals = np.bincount(owner[gaps > 0], minlength=len(cells))
    wrong = (intervals >= _ENOUGH) & (short > _VIOLATIONS * intervals)
    if wrong.any():
        names = [cells[k] for k in np.flatnonzero(wrong)]
        found.append(
            f"times: more than 1 % of the intervals of cells {integers(names)} are below 1 ms, "
            "which no single neuron's are"
        )
    last = float(events.seconds.max())
    first = float(events.seconds.min())
    if continuous and first > _FIRST * last:
        found.append(
            f"times: the first spike is at {first:g} s of {last:g} s, and what lies before it is "
            "taken for silence"
        )
    return found


def of_raster(
    raster: Raster, counts: NDArray[np.int64], cells: Sequence[Cell], seconds: float
) -> list[str]:
    """Of the cells: their numbers of spikes, (cells,), in so many seconds, and their bins."""
    found = []
    silent = [cells[k] for k in np.flatnonzero(counts == 0)]
    if silent:
        found.append(f"cells: {len(silent)} of {len(cells)} have no spike ({integers(silent)})")
    if len(cells) > 2 and counts.max() > _MOST_SPIKES * counts.sum():
        share = counts.max() / counts.sum()
        found.append(f"cells: {cells[int(counts.argmax())]} has {100 * share:.3g} % of all spikes")
    if seconds > 0 and counts.max() > _FASTEST * seconds:
        found.append(
            f"cells: {cells[int(counts.argmax())]} has {counts.max() / seconds:.4g} spikes a "
            "second; is the unit of the times, or the width of the bins, right?"
        )
    seen: dict[bytes, Cell] = {}
    for k in np.flatnonzero(counts):
        bits = np.packbits(raster[:, :, k]).tobytes()
        if bits in seen:
            found.append(f"cells: {cells[k]} has the same bins as {seen[bits]} throughout")
            break
        seen[bits] = cells[k]
    return found


def of_shares(spikes: int, kept: int, merged: int) -> list[str]:
    """Of what the trials and bins leave out."""
    found = []
    if kept < _INSIDE * spikes:
        found.append(f"trials: only {100 * kept / spikes:.3g} % of the spikes are inside them")
    if merged > _MERGED * max(kept, 1):
        found.append(
            f"bins: {100 * merged / kept:.3g} % of the spikes share a bin with another of their "
            "cell and are lost; smaller bins would keep them"
        )
    return found
