"""Columns of spikes, whatever a program calls them: trial, neuron and time of each spike."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from .reading import Account, Cell, Reading, integers, shown
from .recording import Events, Found
from .time_units import check_seconds, doubt, factor, named_unit, plain_name, resolve_unit

__all__ = ["Roles", "cells_of", "find_roles", "found_of_columns", "found_of_trains", "names_times"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_WHOLE = re.compile(r"[+-]?\d{1,18}(\.0*)?", re.ASCII)
_NO_TRIALS = "none in the file: one recording"
# the surer names first
_NEURON = (
    "neuron", "neurons", "neuron_id", "neuron_ids", "neuronid", "neuron_index", "unit", "units",
    "unit_id", "unit_ids", "unitid", "unit_index", "unit_name", "cell", "cells", "cell_id",
    "cell_ids", "cellid", "cell_index", "cluster", "clusters", "cluster_id", "cluster_ids",
    "spike_cluster", "spike_clusters", "spike_id", "spike_ids", "sender", "senders", "gid", "gids",
    "node_id", "node_ids", "spike_i", "labels", "label", "name", "id", "ids", "i", "index",
    "indices", "electrode", "channel",
)  # fmt: skip
_TIME = (
    "spike_time", "spike_times", "spiketime", "spiketimes", "time", "times", "timestamp",
    "timestamps", "time_stamp", "time_of_spike", "spike_timestamp", "spike_timestamps", "spike_t",
    "firing_time", "event_time", "t", "ts", "spike", "spikes",
)  # fmt: skip
_SAMPLES = ("sample", "samples", "sample_index", "sample_ind", "spike_sample", "spike_samples",
            "spike_indexes", "frame", "sample_number")  # fmt: skip
_TRIAL = (
    "trial", "trials", "trial_id", "trial_ids", "trialid", "trial_index", "trial_number",
    "trial_num", "trial_no", "repeat", "repeats", "repetition", "rep", "sweep", "presentation",
    "segment",
)  # fmt: skip


class Roles:
    """Which column is which: their positions, and the unit that a name gives the times."""

    def __init__(self, names: Sequence[str]) -> None:
        plain = [plain_name(name) for name in names]
        units: list[str | None] = []
        bases = []
        for name, text in zip(names, plain, strict=True):
            base, unit = (text, None) if text in _TIME else named_unit(name)
            if text in _SAMPLES:
                base, unit = "time", "samples"
            bases.append(base)
            units.append(unit)
        self.neuron = _first(plain, _NEURON)
        self.time = _first(bases, _TIME)
        self.trial = _first(plain, _TRIAL)
        self.unit = None if self.time is None else units[self.time]
        self.names = list(names)

    def __bool__(self) -> bool:
        return self.neuron is not None and self.time is not None

    @property
    def words(self) -> str:
        """The columns taken, as the file calls them."""
        chosen = [self.trial, self.neuron, self.time]
        return ", ".join(shown(self.names[k], 30) for k in chosen if k is not None)


def _first(names: Sequence[str], wanted: Sequence[str]) -> int | None:
    for name in wanted:
        if name in names:
            return names.index(name)
    return None


def find_roles(names: Sequence[str]) -> Roles | None:
    """The columns of spikes among these, or None where neuron or time is missing."""
    roles = Roles(names)
    return roles if roles else None


def names_times(name: str) -> bool:
    """Whether a name, its unit aside, is one of spike times."""
    return plain_name(name) in _TIME or named_unit(name)[0] in _TIME


def cells_of(labels: Sequence[Any], what: str) -> tuple[Cell, ...]:
    """Names as they stand for cells or trials: whole numbers (0.0 is 0) if all are, else text.

    Raises ``ConfigError`` for numbers that are not whole.
    """
    text = [str(label).strip() for label in labels]
    if all(_WHOLE.fullmatch(each) for each in text):
        return tuple(int(each.partition(".")[0]) for each in text)
    for each in text:
        try:
            number = float(each)
        except ValueError:
            return tuple(text)
        if "_" in each:  # which Python takes for a number
            return tuple(text)
        if not number.is_integer():
            raise ConfigError(f"data: wanted whole numbers or names for {what}, got {shown(each)}")
    return tuple(int(float(each)) for each in text)


def merged_labels(codes: IntArray, labels: Sequence[Any], what: str) -> tuple[IntArray, list[Cell]]:
    """Codes and labels sorted, with labels that mean the same (1 and 1.0) made one."""
    cells = cells_of(labels, what)
    # numbers or text throughout, so that they can be put in order
    ordered = sorted(set(cells), key=lambda cell: (cell if isinstance(cell, int) else 0, str(cell)))
    place = {cell: k for k, cell in enumerate(ordered)}
    return np.array([place[c] for c in cells], dtype=np.int64)[codes], ordered


def found_of_columns(
    columns: Mapping[str, tuple[IntArray, Sequence[Any]]],
    times: FloatArray,
    reading: Reading,
    *,
    name: str,
    form: str,
    unit: str | None = None,
    unit_from: str = "",
    rate: float | None = None,
    account: Account | None = None,
) -> Found:
    """Spikes from columns, in seconds and with their trials in order.

    Args:
        columns: of `neuron` and perhaps `trial`: codes (spikes,) and the label of each code.
        times: (spikes,), as they are in the file.
        reading: the options.
        name: the file's.
        form: the format in words.
        unit: what the file says of it, if it does.
        unit_from: where.
        rate: samples a second, if the file says so.
        account: what there is to tell so far.

    Raises:
        ConfigError: no spikes, negative or infinite times, trials that do not fit `trials`, times
            that cannot be seconds, an option that contradicts the file.
    """
    reading.refuse("the file has no table of intervals", "intervals")
    reading.refuse("the file holds spike times", "clip", "axes")
    if not len(times):
        raise ConfigError(f"data: wanted spikes in {name}, got none")
    neuron, cells = merged_labels(*columns["neuron"], "neuron")
    trial: IntArray = np.zeros(len(times), np.int64)
    count, words = 1, _NO_TRIALS
    if "trial" in columns:
        trial, numbers = merged_labels(*columns["trial"], "trial")
        trial, count, words = _numbered(trial, numbers, reading.trials)
    return _found(
        trial, neuron, times, tuple(cells), count, words, reading, name=name, form=form, unit=unit,
        unit_from=unit_from, rate=rate, account=account or Account(),
    )  # fmt: skip


def found_of_trains(
    trains: Sequence[Sequence[FloatArray]],
    reading: Reading,
    *,
    name: str,
    form: str,
    trials_from: str = "",
    unit: str | None = None,
    unit_from: str = "",
    rate: float | None = None,
    cells: Sequence[Cell] | None = None,
) -> Found:
    """Spikes from a train a neuron, (trials, neurons), each (spikes,); silent neurons count.

    Cells are numbered unless `cells` names them.

    Raises ``ConfigError`` as :func:`found_of_columns`.
    """
    reading.refuse("the file has no table of intervals", "intervals")
    reading.refuse("the file holds spike times", "clip")
    parts = [
        (np.int64(trial), neuron, np.asarray(train, np.float64).ravel())
        for trial, row in enumerate(trains)
        for neuron, train in enumerate(row)
    ]
    events = Events.joined(parts)  # type: ignore[arg-type]
    if not len(events.seconds):
        raise ConfigError(f"data: wanted spikes in {name}, got none")
    return _found(
        events.trial, events.neuron, events.seconds,
        tuple(range(len(trains[0])) if cells is None else cells), len(trains),
        trials_from or _NO_TRIALS, reading, name=name, form=form, unit=unit, unit_from=unit_from,
        rate=rate, account=Account(),
    )  # fmt: skip


def _found(
    trial: IntArray,
    neuron: IntArray,
    times: FloatArray,
    cells: tuple[Cell, ...],
    trials: int,
    trials_from: str,
    reading: Reading,
    *,
    name: str,
    form: str,
    unit: str | None,
    unit_from: str,
    rate: float | None,
    account: Account,
) -> Found:
    wrong = ~np.isfinite(times) | (times < 0)
    if wrong.any():
        raise ConfigError(
            f"data: wanted finite spike times >= 0 in {name}, got {times[wrong][0]} "
            f"as number {np.flatnonzero(wrong)[0] + 1}"
        )
    own, origin = resolve_unit(unit, unit_from, reading)
    seconds = times * factor(own, reading, rate if own == "samples" else None)
    duration = trials * float(seconds.max())
    if origin == "assumed":
        check_seconds(trial, neuron, seconds, duration, name)
    elif own == "s" and (why := doubt(trial, neuron, seconds, duration)) is not None:
        account.suspicions.append(f"time_unit: s, as {origin} says, but {why}")
    return Found(
        format=form,
        cells=cells,
        events=Events(trial, neuron, seconds),
        trials=trials,
        lengths=None,
        trials_from=trials_from,
        unit=own,
        unit_from=origin,
        spikes=len(times),
        account=account,
    )


def _numbered(
    trial: IntArray, numbers: Sequence[Cell], wanted: int | None
) -> tuple[IntArray, int, str]:
    """Trials by their numbers; silent ones in between where it is said how many there are."""
    words = "the column of trials"
    if wanted is None:
        return trial, len(numbers), words
    if len(numbers) == wanted:
        return trial, wanted, words
    whole = [n for n in numbers if isinstance(n, int)]
    if len(whole) < len(numbers):
        raise ConfigError(f"trials: wanted {len(numbers)}, the file's own, got {wanted}")
    # from 0, or from 1 where only that fits
    first = 1 if min(whole) >= 1 and max(whole) == wanted else 0
    outside = [n for n in whole if not first <= n < first + wanted]
    if outside:
        raise ConfigError(
            f"trials: wanted every trial's number from 0 to {wanted - 1}, got {integers(outside)}"
        )
    place = np.array(whole, dtype=np.int64) - first
    return place[trial], wanted, f"{words} ({wanted - len(whole)} of them silent)"
