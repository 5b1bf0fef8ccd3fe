"""Spike times of NWB files, and of whatever Neo reads or holds in memory.

NWB keeps one table of units and one of trials on one clock (Rübel et al., eLife 11, e78362 (2022));
Neo keeps the trains of each trial in a segment (Garcia et al., Frontiers in Neuroinformatics 8, 10
(2014)). Both become a raster in the same way as spike times from a table.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from .files import EDGE, bin_spikes, check_width
from .raster import Raster, SpikeData, choose_cells

__all__ = ["neo_spikes", "read_neo", "read_nwb"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Read = tuple[Raster, float, tuple[int, ...]]
INSTALL = "pip install 'qbrain[neo]'"
# of Neo's readers, the one that runs whatever code its file holds
UNSAFE = ("PickleIO",)


@dataclass(frozen=True)
class _Spikes:
    """Each spike's trial, its neuron, and its time from the start of the trial in seconds."""

    trial: IntArray
    neuron: IntArray
    seconds: FloatArray

    @classmethod
    def joined(cls, parts: Sequence[tuple[IntArray | int, int, FloatArray]]) -> _Spikes:
        """Of runs of spikes of one neuron each."""
        sizes = [len(seconds) for _, _, seconds in parts]
        return cls(
            np.concatenate([np.broadcast_to(trial, len(times)) for trial, _, times in parts]),
            np.repeat([neuron for _, neuron, _ in parts], sizes),
            np.concatenate([seconds for _, _, seconds in parts]),
        )


def neo_spikes(
    blocks: Any,
    *,
    bin_s: float,
    cells: Sequence[int] | None = None,
    neurons: int | None = None,
    trials: int | None = None,
    source: str = "Neo",
) -> SpikeData:
    """Spikes of Neo's objects; a segment is a trial.

    Where every train has a name and all segments have the same names, trains of one name are one
    neuron; else the i-th trains of all segments are. A trial lasts from the earliest `t_start` to
    the latest `t_stop` of its trains; all are cut to the shortest, and to whole bins. Spikes
    outside are dropped.

    Args:
        blocks: a block or a segment, or a sequence of them.
        bin_s: width of a bin in seconds.
        cells: which neurons, by their place in the first segment, in this order.
        neurons: instead, so many of the highest rates, the highest first.
        trials: cut a single segment into so many equal trials.
        source: what the result is to be called.

    Raises:
        ConfigError: no such objects, no spikes, times that are not finite, segments whose trains
            differ in number, or arguments that do not fit; one line.
    """
    raster, width, names = _of_segments(_trains(blocks), source, check_width(bin_s), trials)
    return choose_cells(SpikeData(raster, width, names, source), cells, neurons)


def read_neo(file: Path, bin_s: float | None, trials: int | None) -> Read:
    """A file through the readers that Neo has for its kind; see :func:`neo_spikes`.

    The first reader that finds spike trains in it is believed. Neo's pickles are refused, for
    reading one runs whatever code is in it: unpickle your own and use :func:`neo_spikes`.

    Returns:
        The raster (trials, bins, neurons), the width of a bin in seconds, the places of the
        neurons.

    Raises:
        ConfigError: Neo is not installed, has no reader for the file or finds no spikes in it;
            else as :func:`neo_spikes`.
    """
    kinds = ".npy, .npz, .mat, .csv"
    try:
        from neo.io import io_by_extension
    except ImportError:
        raise ConfigError(
            f"data: wanted a file named {kinds}, or neo installed for others ({INSTALL}), "
            f"got {file.name}"
        ) from None
    readers = [
        reader
        for reader in io_by_extension.get(file.suffix[1:].lower(), [])
        if reader.__name__ not in UNSAFE
    ]
    if not readers:
        raise ConfigError(
            f"data: wanted a file named {kinds}, .nwb or as others that Neo reads without "
            f"unpickling, got {file.name}"
        )
    width = check_width(bin_s)
    return _of_segments(_read_trains(file, readers), file.name, width, trials)


def read_nwb(file: Path, bin_s: float | None, trials: int | None) -> Read:
    """The table of units of an NWB file, in the trials of its table of trials.

    Trials begin at their `start_time`, are all cut to the shortest and to whole bins, and must
    not overlap; spikes outside are dropped. Without such a table the recording lasts from its
    first spike to its last. A file that Neo wrote, with the trains of each segment as units of
    their own, is read by Neo.

    Returns:
        The raster (trials, bins, neurons), the width of a bin in seconds, the ids of the units.

    Raises:
        ConfigError: pynwb is not installed, no units or no spikes, times that are not finite,
            trials that overlap or end before they begin, or arguments that do not fit.
    """
    try:
        from pynwb import NWBHDF5IO
    except ImportError:
        raise ConfigError(f"data: wanted pynwb installed ({INSTALL}), got {file.name}") from None
    width = check_width(bin_s)
    with _quiet(), _readable(file), NWBHDF5IO(str(file), "r") as held:
        content = held.read()
        units, table = content.units, content.trials
        columns = () if units is None else units.colnames
        of_neo = {"segment", "block"} <= set(columns)
        if not of_neo and "spike_times" in columns:
            ids = tuple(int(i) for i in units.id[:])
            times = [np.asarray(units["spike_times"][i], np.float64) for i in range(len(ids))]
            if table is not None:
                starts, stops = (
                    np.asarray(table[name][:], np.float64) for name in ("start_time", "stop_time")
                )
    if of_neo:
        try:
            from neo.io import NWBIO
        except ImportError:
            raise ConfigError(f"data: wanted neo installed ({INSTALL}), got {file.name}") from None
        return _of_segments(_read_trains(file, [NWBIO]), file.name, width, trials)
    if "spike_times" not in columns:
        raise ConfigError(
            f"data: wanted a table of units with spike_times in {file.name}, got none"
        )
    if len(set(ids)) < len(ids):
        raise ConfigError(f"data: wanted units of different ids in {file.name}, got {list(ids)}")
    _check_times(times, ids, file.name)
    if table is None:
        first, last = (float(end([end(t) for t in times if len(t)])) for end in (np.min, np.max))
        starts, stops = np.array([first]), np.array([last])
    else:
        _check_intervals(starts, stops, EDGE * width)
    spikes = _in_intervals(times, starts, EDGE * width)
    return _raster(spikes, stops - starts, len(ids), width, trials), width, ids


def _check_intervals(starts: FloatArray, stops: FloatArray, edge: float) -> None:
    if not len(starts):
        raise ConfigError("data: wanted one trial or more in the table of trials, got none")
    for start, stop in zip(starts, stops, strict=True):
        if not -np.inf < start < stop < np.inf:
            raise ConfigError(
                f"data: wanted trials that start before they stop, got {start:g} to {stop:g} s"
            )
    order = np.argsort(starts)
    late = np.flatnonzero(stops[order][:-1] > starts[order][1:] + edge)
    if len(late):
        first, second = order[late[0]], order[late[0] + 1]
        raise ConfigError(
            f"data: wanted trials that do not overlap, got {starts[first]:g} to "
            f"{stops[first]:g} s and {starts[second]:g} to {stops[second]:g} s"
        )


def _in_intervals(times: Sequence[FloatArray], starts: FloatArray, edge: float) -> _Spikes:
    """Spike times (spikes,) of each neuron on one clock, each in the trial that began last."""
    order = np.argsort(starts)
    parts = []
    for neuron, found in enumerate(times):
        # a spike on the edge of a trial, as far as decimals can say so, is in it
        place = np.searchsorted(starts[order], found + edge, side="right") - 1
        trial = order[place[place >= 0]]
        parts.append((trial, neuron, found[place >= 0] - starts[trial]))
    return _Spikes.joined(parts)


def _of_segments(
    segments: Sequence[list[Any]], name: str, bin_s: float, trials: int | None
) -> Read:
    """Neo's trains of each segment as a raster."""
    matched = _matched(segments, name)
    cells = tuple(range(len(matched[0])))
    parts, lengths = [], []
    for trial, row in enumerate(matched):
        start = min(_in_seconds(train.t_start) for train in row)
        lengths.append(max(_in_seconds(train.t_stop) for train in row) - start)
        times = [np.asarray(train.rescale("s").magnitude, np.float64) for train in row]
        _check_finite(times, cells, name)
        parts += [(trial, neuron, found - start) for neuron, found in enumerate(times)]
    spikes = _Spikes.joined(parts)
    if not len(spikes.seconds):
        raise ConfigError(f"data: wanted spikes in {name}, got none")
    return _raster(spikes, np.array(lengths), len(cells), bin_s, trials), bin_s, cells


def _matched(segments: Sequence[list[Any]], name: str) -> Sequence[list[Any]]:
    """Trains with those of one neuron at one place in every segment."""
    if not segments or not any(segments):
        raise ConfigError(f"data: wanted spike trains in {name}, got none")
    names = [[train.name for train in row] for row in segments]
    first = names[0]
    if all(first) and all(len(set(row)) == len(row) and set(row) == set(first) for row in names):
        return [
            [row[own.index(wanted)] for wanted in first]
            for row, own in zip(segments, names, strict=True)
        ]
    for row in segments:
        if len(row) != len(segments[0]):
            raise ConfigError(
                f"data: wanted as many spike trains in every segment of {name}, "
                f"got {len(segments[0])} and {len(row)}"
            )
    return segments


def _raster(
    spikes: _Spikes, lengths: FloatArray, neurons: int, bin_s: float, trials: int | None
) -> Raster:
    """Trials of the shortest's whole bins; a single one may be cut into equal parts."""
    count = len(lengths)
    if count > 1 and trials is not None and trials != count:
        raise ConfigError(f"trials: wanted {count}, the file's own, got {trials}")
    shortest = float(lengths.min())
    if not bin_s <= shortest * (1 + EDGE) < np.inf:
        raise ConfigError(f"bin_s: wanted at most {shortest:g} s, a trial's, got {bin_s:g}")
    whole = int(shortest / bin_s + EDGE)
    parts = trials if count == 1 and trials is not None else 1
    if parts > whole:
        raise ConfigError(f"trials: wanted at most {whole}, a bin each, got {parts}")
    bins = whole // parts * parts
    raster = bin_spikes(spikes.trial, spikes.neuron, spikes.seconds, bin_s, count, neurons, bins)
    return raster.reshape(count * parts, -1, neurons)


def _check_times(times: Sequence[FloatArray], cells: Sequence[int], name: str) -> None:
    if not any(len(found) for found in times):
        raise ConfigError(f"data: wanted spikes in {name}, got none")
    _check_finite(times, cells, name)


def _check_finite(times: Sequence[FloatArray], cells: Sequence[int], name: str) -> None:
    for cell, found in zip(cells, times, strict=True):
        wrong = ~np.isfinite(found)
        if wrong.any():
            raise ConfigError(
                f"data: wanted finite spike times in {name}, got {found[wrong][0]} of neuron {cell}"
            )


def _in_seconds(time: Any) -> float:
    return float(time.rescale("s").magnitude)


def _trains(blocks: Any) -> list[list[Any]]:
    """The trains of each segment, in order, loaded where they were still in their file."""
    if hasattr(blocks, "spiketrains"):
        return [[t.load() if hasattr(t, "load") else t for t in blocks.spiketrains]]
    parts = getattr(blocks, "segments", blocks)
    if not isinstance(parts, Iterable) or isinstance(parts, str):
        raise ConfigError(f"blocks: wanted Neo's blocks or segments, got {type(parts).__name__}")
    return [row for part in parts for row in _trains(part)]


def _read_trains(file: Path, readers: Sequence[Any]) -> list[list[Any]]:
    """The trains of each segment by the first reader that finds any."""
    reasons = []
    for reader in readers:
        # late loading leaves signals, which may be large, in the file; not all that offer it can
        for lazy in (True, False) if reader.support_lazy else (False,):
            try:
                with _quiet():
                    opened = reader(str(file))
                    found = _trains(opened.read(lazy=lazy))
            except Exception as error:
                # each of Neo's readers fails in its own way at a file of another kind
                reasons.append(f"{reader.__name__}: {' '.join(str(error).split())}")
                continue
            if any(found):
                return found
            reasons.append(f"{reader.__name__}: none")
            break
    why = "; ".join(dict.fromkeys(reasons))
    raise ConfigError(f"data: wanted spike trains in {file.name}, got {why}")


@contextmanager
def _readable(file: Path) -> Iterator[None]:
    """Whatever a reader stumbles over, the file is not one for it."""
    try:
        yield
    except Exception as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"data: wanted a readable .nwb, got {file.name} ({reason})") from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Warnings of the readers about themselves are no business of who has a file to read."""
    with warnings.catch_warnings():
        for module in ("neo", "pynwb", "hdmf", "quantities"):
            warnings.filterwarnings("ignore", module=rf"{module}(\.|$)")
        yield
