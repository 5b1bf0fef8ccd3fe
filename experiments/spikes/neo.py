"""Spike times of whatever Neo reads or holds in memory.

Neo keeps the trains of each trial in a segment (Garcia et al., Frontiers in Neuroinformatics 8, 10
(2014)).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from .binning import EDGE, check_width
from .intervals import check_intervals, in_intervals
from .raster import SpikeData, choose_cells
from .reading import Account, Cell, Reading, integers, shown
from .recording import Events, Found
from .summary import spike_data
from .time_units import check_seconds, factor

__all__ = ["INSTALL", "neo_spikes", "quiet", "read_neo"]

FloatArray = NDArray[np.float64]
Trains = list[list[Any]]
Spans = list[list[Any]]
INSTALL = "pip install 'qbrain[neo]'"
# of Neo's readers, the one that runs whatever code its file holds
UNSAFE = ("PickleIO",)


def neo_spikes(
    blocks: Any,
    *,
    bin_s: float,
    cells: Sequence[Cell] | None = None,
    neurons: int | None = None,
    trials: int | None = None,
    intervals: str | None = None,
    source: str = "Neo",
) -> SpikeData:
    """Spikes of Neo's objects; a segment is a trial, or an epoch of a single segment.

    Where every train has a name and all segments have the same names, trains of one name are one
    neuron; else the i-th trains of all segments are. A trial lasts from the earliest `t_start` to
    the latest `t_stop` of its trains; those shorter than half the median are left out, the others
    are cut to the shortest, and to whole bins. Spikes outside are dropped.

    Args:
        blocks: a block or a segment, or a sequence of them.
        bin_s: width of a bin in seconds.
        cells: which neurons, by their place in the first segment, in this order.
        neurons: instead, so many of the highest rates, the highest first.
        trials: cut a single segment into so many equal trials.
        intervals: the name of the epochs of a single segment that are its trials.
        source: what the result is to be called.

    Raises:
        ConfigError: no such objects, no spikes, times that are not finite, segments whose trains
            differ in number, or arguments that do not fit; one line.
    """
    reading = Reading(bin_s=check_width(bin_s), trials=trials, intervals=intervals)
    found = _of_segments(_trains(blocks), _epochs(blocks), source, reading, "Neo objects")
    return choose_cells(spike_data(found, reading, source), cells, neurons)


def read_neo(file: Path, reading: Reading, only: str | None = None) -> Found:
    """A file through the readers that Neo has for its kind; see :func:`neo_spikes`.

    The first reader that finds spike trains in it is believed. Neo's pickles are refused, for
    reading one runs whatever code is in it: unpickle your own and use :func:`neo_spikes`.

    Raises:
        ConfigError: Neo is not installed, has no reader for the file or finds no spikes in it;
            else as :func:`neo_spikes`.
    """
    kinds = ".npy, .npz, .mat, .csv"
    reading.refuse("the file holds spike times", "clip", "axes")
    if reading.variable is not None:
        raise ConfigError(f"variable: wanted none for {file.suffix}, got {reading.variable!r}")
    try:
        from neo import io as neo_io
    except ImportError:
        raise ConfigError(
            f"data: wanted a file named {kinds}, or neo installed for others ({INSTALL}), "
            f"got {file.name}"
        ) from None
    readers = [
        reader
        for reader in neo_io.io_by_extension.get(file.suffix[1:].lower(), [])
        if reader.__name__ not in UNSAFE
    ]
    if only is not None:
        readers = [getattr(neo_io, only)]
    if not readers:
        raise ConfigError(
            f"data: wanted a file named {kinds}, .nwb or as others that Neo reads without "
            f"unpickling, got {file.name}"
        )
    check_width(reading.bin_s)
    reader, trains, epochs = _read_trains(file, list(dict.fromkeys(readers)))
    return _of_segments(trains, epochs, file.name, reading, f"{reader} of Neo")


def _of_segments(segments: Trains, epochs: Spans, name: str, reading: Reading, form: str) -> Found:
    """Neo's trains of each segment as spikes of trials."""
    matched = _matched(segments, name)
    cells = tuple(range(len(matched[0])))
    account = Account()
    unit = reading.time_unit
    scale = None if unit is None else factor(unit, reading)
    if unit is None:
        reading.refuse("Neo's trains say their units", "sampling_rate")
    parts, lengths, starts, trains = [], [], [], []
    for trial, row in enumerate(matched):
        start = min(_in_seconds(train.t_start, train, scale) for train in row)
        lengths.append(max(_in_seconds(train.t_stop, train, scale) for train in row) - start)
        starts.append(start)
        times = [
            np.asarray(train.rescale("s").magnitude, np.float64)
            if scale is None
            else np.asarray(train.magnitude, np.float64) * scale
            for train in row
        ]
        _check_finite(times, cells, name)
        parts += [(np.int64(trial), neuron, found - start) for neuron, found in enumerate(times)]
        trains.append(times)
    events = Events.joined(parts)  # type: ignore[arg-type]
    if not len(events.seconds):
        raise ConfigError(f"data: wanted spikes in {name}, got none")
    length, words, span = np.array(lengths), "segments of Neo", None
    if len(matched) == 1:
        words, span = "none in the file: one recording", float(length[0])
    named = sorted({str(epoch.name) for row in epochs for epoch in row if epoch.name})
    if reading.intervals not in (None, "none"):
        if len(matched) > 1 or reading.intervals not in named:
            wanted = " or ".join([*named, "none"]) if len(matched) == 1 else "none for segments"
            raise ConfigError(f"intervals: wanted {wanted} in {name}, got {reading.intervals!r}")
        events, length = _in_epochs(
            trains[0],
            [epoch for epoch in epochs[0] if epoch.name == reading.intervals],
            EDGE * check_width(reading.bin_s),
            account,
        )
        words = f"the epochs {reading.intervals}"
    elif named and len(matched) == 1 and reading.intervals is None:
        account.notes.append(f"epochs {integers(named)} were not used (--intervals names some)")
    if unit is None and np.isfinite(length).all():
        check_seconds(events.trial, events.neuron, events.seconds, float(length.sum()), name)
    return Found(
        format=form,
        cells=cells,
        events=events,
        trials=len(length),
        lengths=length,
        trials_from=words,
        unit=unit or "s",
        unit_from="option time_unit" if unit else "Neo",
        spikes=sum(len(found) for row in trains for found in row),
        span_s=span,
        account=account,
        origin=starts[0],
    )


def _in_epochs(
    times: Sequence[FloatArray], epochs: Sequence[Any], edge: float, account: Account
) -> tuple[Events, FloatArray]:
    starts = np.concatenate([np.asarray(e.times.rescale("s").magnitude) for e in epochs])
    lengths = np.concatenate([np.asarray(e.durations.rescale("s").magnitude) for e in epochs])
    good = check_intervals(starts, starts + lengths, edge, "epochs", account)
    return in_intervals(times, starts[good], edge), lengths[good]


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


def _check_finite(times: Sequence[FloatArray], cells: Sequence[int], name: str) -> None:
    for cell, found in zip(cells, times, strict=True):
        wrong = ~np.isfinite(found)
        if wrong.any():
            raise ConfigError(
                f"data: wanted finite spike times in {name}, got {found[wrong][0]} of neuron {cell}"
            )


def _in_seconds(time: Any, train: Any, scale: float | None) -> float:
    if scale is None:
        return float(time.rescale("s").magnitude)
    return float(time.rescale(train.units).magnitude) * scale


def _trains(blocks: Any) -> Trains:
    """The trains of each segment, in order, loaded where they were still in their file."""
    if hasattr(blocks, "spiketrains"):
        return [[_loaded(train) for train in blocks.spiketrains]]
    parts = getattr(blocks, "segments", blocks)
    if not isinstance(parts, Iterable) or isinstance(parts, str):
        raise ConfigError(f"blocks: wanted Neo's blocks or segments, got {type(parts).__name__}")
    return [row for part in parts for row in _trains(part)]


def _epochs(blocks: Any) -> Spans:
    """The epochs of each segment, in order."""
    if hasattr(blocks, "spiketrains"):
        return [[_loaded(epoch) for epoch in blocks.epochs]]
    return [row for part in getattr(blocks, "segments", blocks) for row in _epochs(part)]


def _loaded(held: Any) -> Any:
    return held.load() if hasattr(held, "load") else held


def _read_trains(file: Path, readers: Sequence[Any]) -> tuple[str, Trains, Spans]:
    """The trains and epochs of each segment by the first reader that finds any trains."""
    reasons = []
    for reader in readers:
        # late loading leaves signals, which may be large, in the file; not all that offer it can
        for lazy in (True, False) if reader.support_lazy else (False,):
            try:
                with quiet():
                    opened = reader(str(file))
                    content = opened.read(lazy=lazy)
                    found, epochs = _trains(content), _epochs(content)
            except Exception as error:
                # each of Neo's readers fails in its own way at a file of another kind
                reasons.append(f"{reader.__name__}: {shown(error, 150)}")
                continue
            if any(found):
                return reader.__name__, found, epochs
            reasons.append(f"{reader.__name__}: none")
            break
    why = shown("; ".join(dict.fromkeys(reasons)), 250)
    raise ConfigError(f"data: wanted spike trains in {file.name}, got {why}")


@contextmanager
def quiet() -> Iterator[None]:
    """Warnings of the readers about themselves are no business of who has a file to read."""
    with warnings.catch_warnings():
        for module in ("neo", "pynwb", "hdmf", "quantities", "h5py"):
            warnings.filterwarnings("ignore", module=rf"{module}(\.|$)")
        yield
