"""Trials as intervals on one clock: which of them are whole, and which spikes are in them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from .binning import EDGE
from .reading import Account
from .recording import Events

__all__ = ["check_intervals", "covered", "in_intervals"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


def check_intervals(
    starts: FloatArray, stops: FloatArray, edge: float, what: str, account: Account
) -> BoolArray:
    """Which intervals begin before they end; a few that do not were aborted and are told of.

    Args:
        starts: (trials,), in seconds.
        stops: (trials,), in seconds.
        edge: seconds by which two may overlap.
        what: the name of the table.
        account: is told.

    Raises:
        ConfigError: no interval, half of them or more that do not begin before they end, or two
            that overlap.
    """
    if not len(starts):
        raise ConfigError(f"data: wanted one trial or more in the table of {what}, got none")
    good: BoolArray = np.isfinite(starts) & np.isfinite(stops) & (starts < stops)
    wrong = np.flatnonzero(~good)
    if 2 * len(wrong) >= len(starts):
        raise ConfigError(
            f"data: wanted {what} that start before they stop, got {starts[wrong[0]]:g} to "
            f"{stops[wrong[0]]:g} s"
        )
    if len(wrong):
        account.trials_left_out += len(wrong)
        account.cuts.append(
            f"{len(wrong)} of {len(starts)} {what} that do not start before they stop were left "
            f"out ({starts[wrong[0]]:g} to {stops[wrong[0]]:g} s)"
        )
    begin, end = starts[good], stops[good]
    order = np.argsort(begin, kind="stable")
    late = np.flatnonzero(end[order][:-1] > begin[order][1:] + edge)
    if len(late):
        first, second = order[late[0]], order[late[0] + 1]
        raise ConfigError(
            f"data: wanted {what} that do not overlap, got {begin[first]:g} to {end[first]:g} s "
            f"and {begin[second]:g} to {end[second]:g} s"
        )
    return good


def in_intervals(times: Sequence[FloatArray], starts: FloatArray, edge: float) -> Events:
    """Spike times (spikes,) of each neuron on one clock, each in the trial that began last.

    A spike after the end of that trial is still there, later than the trial is long.
    """
    order = np.argsort(starts, kind="stable")
    parts = []
    for neuron, found in enumerate(times):
        # a spike on the edge of a trial, as far as decimals can say so, is in it
        place = np.searchsorted(starts[order], found + edge, side="right") - 1
        trial = order[place[place >= 0]]
        parts.append((trial, neuron, found[place >= 0] - starts[trial]))
    return Events.joined(parts)


def covered(observed: NDArray[np.float64], starts: FloatArray, stops: FloatArray) -> BoolArray:
    """Which intervals lie inside the union of these (observed, 2), to a millionth of a second."""
    pairs = observed[np.argsort(observed[:, 0])]
    joined: list[list[float]] = []
    for start, stop in pairs:
        if joined and start <= joined[-1][1] + EDGE:
            joined[-1][1] = max(joined[-1][1], stop)
        else:
            joined.append([start, stop])
    begin = np.array([pair[0] for pair in joined])
    end = np.array([pair[1] for pair in joined])
    place = np.searchsorted(begin, starts + EDGE, side="right") - 1
    inside: BoolArray = (place >= 0) & (end[np.maximum(place, 0)] >= stops - EDGE)
    return inside
