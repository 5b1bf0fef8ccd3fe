"""Units and trials of NWB files, as far as the schema says what they are.

One table of units and tables of intervals share a clock in seconds (Rübel et al., eLife 11, e78362
(2022)). Units may also stand in a processing module; trials in `intervals/trials`, epochs, or a
table of any name; `obs_intervals` say when a unit was observed at all, `invalid_times` when
nothing is to be believed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from .binning import EDGE, check_width
from .intervals import check_intervals, covered, in_intervals
from .neo import INSTALL, quiet, read_neo
from .reading import Account, Cell, Reading, check_bytes, integers, readable, shown
from .recording import Found
from .time_units import check_seconds, factor

__all__ = ["read_nwb"]

FloatArray = NDArray[np.float64]
_LEAST = 0.5  # of the trials: a unit observed in fewer is left out
_LEAST_INSIDE = 0.2  # of the spikes in the trials, for rates there to say something


@dataclass(frozen=True)
class _Units:
    ids: tuple[int, ...]
    times: list[FloatArray]
    observed: list[FloatArray] | None


def read_nwb(file: Path, reading: Reading) -> Found:
    """The units of an NWB file in the trials of a table of intervals.

    The table is `reading.intervals`, else `trials`, else the only one there is; with "none", or
    without any, the recording lasts from its first spike (or observation) to its last. Left out,
    and told of, are trials that do not start before they stop, that touch `invalid_times`, or in
    which one of the units was not observed; and units observed in fewer than half of the trials.
    A file that Neo wrote, with the trains of each segment as units of their own, is read by Neo.

    Raises:
        ConfigError: pynwb is not installed, no units or no spikes, times that are not finite or
            cannot be seconds, trials that overlap, or options that do not fit.
    """
    reading.refuse("the file holds spike times", "clip", "axes")
    try:
        from pynwb import NWBHDF5IO
    except ImportError:
        raise ConfigError(f"data: wanted pynwb installed ({INSTALL}), got {file.name}") from None
    width = check_width(reading.bin_s)
    account = Account()
    with quiet(), readable(file, ".nwb"), NWBHDF5IO(str(file), "r") as held:
        content = held.read()
        top = content.units
        if top is not None and {"segment", "block"} <= set(top.colnames):
            units = None
        else:
            units = _units(_table_of_units(content, file, reading, account), file, account)
            tables = _interval_tables(content)
            name = _chosen(tables, reading, file, account)
            bounds = None if name is None else _bounds(tables[name])
            invalid = None
            if "invalid_times" in tables:
                invalid = _bounds(tables["invalid_times"])
            if name is not None:
                _tell_columns(tables[name], name, account)
    if units is None:
        return read_neo(file, reading, only="NWBIO")
    if len(set(units.ids)) < len(units.ids):
        raise ConfigError(
            f"data: wanted units of different ids in {file.name}, got {list(units.ids)}"
        )
    check_times(units.times, units.ids, file.name)
    unit = reading.time_unit or "s"
    scale = factor(unit, reading)
    times = [found * scale for found in units.times]
    units = _Units(units.ids, times, units.observed)
    unit_from = "NWB's schema" if reading.time_unit is None else "option time_unit"
    spikes = sum(len(found) for found in times)
    first, last = _ends(times)
    if bounds is not None and _same_unit(bounds, last, scale):
        bounds = bounds[0] * scale, bounds[1] * scale
        account.notes.append(f"the times of {name} were taken to be in {unit}, too")
    if bounds is None:
        starts, stops, units = _whole(units, reading, file, account)
        words = "none in the file: one recording"
    else:
        starts, stops, units = _trials(
            bounds, str(name), units, invalid, EDGE * width, reading, file, account
        )
        words = f"the table of intervals {name}"
    events = in_intervals(units.times, starts, EDGE * width)
    if reading.time_unit is None:
        _check_unit(units, events.seconds < (stops - starts)[events.trial], starts, stops, file)
    return Found(
        format="NWB file",
        cells=units.ids,
        events=events,
        trials=len(starts),
        lengths=stops - starts,
        trials_from=words,
        unit=unit,
        unit_from=unit_from,
        spikes=spikes,
        span_s=max(last, float(stops.max())) - min(first, float(starts.min())),
        account=account,
        origin=float(starts[0]),
    )


def _same_unit(bounds: tuple[FloatArray, FloatArray], last: float, scale: float) -> bool:
    """Whether trials end with the spikes only in the unit that the spikes were in."""
    ends = bounds[1][np.isfinite(bounds[1]) & (bounds[1] > 0)]
    if scale == 1 or last <= 0 or not len(ends):
        return False
    ratio = float(ends.max()) / last
    return bool(abs(np.log(ratio * scale)) < abs(np.log(ratio)))


def check_times(times: Sequence[FloatArray], cells: Sequence[Cell], name: str) -> None:
    """Raise ``ConfigError`` unless there are spikes and all their times are finite."""
    if not any(len(found) for found in times):
        raise ConfigError(f"data: wanted spikes in {name}, got none")
    for cell, found in zip(cells, times, strict=True):
        wrong = ~np.isfinite(found)
        if wrong.any():
            raise ConfigError(
                f"data: wanted finite spike times in {name}, got {found[wrong][0]} of neuron {cell}"
            )


def _path(table: Any) -> str:
    """Where a table stands, such as processing/ecephys/units."""
    names, place = [table.name], table.parent
    while place is not None and place.parent is not None:
        names.append(place.name)
        if type(place).__name__ == "ProcessingModule":
            names.append("processing")
        place = place.parent
    return "/".join(reversed(names))


def _table_of_units(content: Any, file: Path, reading: Reading, account: Account) -> Any:
    units = [
        found
        for found in content.objects.values()
        if type(found).__name__ == "Units" and "spike_times" in found.colnames
    ]
    tables = {_path(found): found for found in sorted(units, key=_path)}
    if not tables:
        raise ConfigError(
            f"data: wanted a table of units with spike_times in {file.name}, got none"
        )
    wanted = reading.variable
    if wanted is not None:
        if len(tables) == 1 and wanted not in tables:
            raise ConfigError(f"variable: wanted none for .nwb, got {wanted!r}")
        if wanted not in tables:
            raise ConfigError(
                f"variable: wanted one of {', '.join(tables)} in {file.name}, got {wanted!r}"
            )
        return tables[wanted]
    top = "units" if "units" in tables else next(iter(tables))
    if len(tables) > 1 and top != "units":
        raise ConfigError(
            f"variable: wanted one of {', '.join(tables)}, the tables of units in {file.name}, "
            "got none"
        )
    if len(tables) > 1:
        others = ", ".join(name for name in tables if name != top)
        account.suspicions.append(f"variable: units stand in {others} too; those of {top} are read")
    if top != "units":
        account.notes.append(f"units of {top}")
    return tables[top]


def _ragged(table: Any, name: str) -> list[FloatArray]:
    """A column of lists, read in one go after a look at its size."""
    index = table[name]
    target = index.target.data
    check_bytes(8.0 * float(np.prod(target.shape)), f"a column {name}")
    ends = np.asarray(index.data[:], np.int64)
    values = np.asarray(target[:], np.float64)
    before = np.concatenate([[0], ends[:-1]])
    if (ends < before).any() or (len(ends) and ends[-1] > len(values)):
        raise ValueError(f"the index of {name} does not fit it")
    return [values[a:b] for a, b in zip(before, ends, strict=True)]


def _units(table: Any, file: Path, account: Account) -> _Units:
    ids = tuple(int(i) for i in table.id[:])
    times = _ragged(table, "spike_times")
    if len(times) != len(ids):
        raise ConfigError(
            f"data: wanted spike times of {len(ids)} units in {file.name}, got {len(times)}"
        )
    observed = _ragged(table, "obs_intervals") if "obs_intervals" in table.colnames else None
    if observed is not None and any(len(o) and o.shape[1:] != (2,) for o in observed):
        raise ConfigError(f"data: wanted obs_intervals as pairs in {file.name}, got others")
    for name in ("quality", "KSLabel", "ks_label"):
        if name in table.colnames:
            counts = Counter(shown(v, 20) for v in table[name][:]).most_common(5)
            told = ", ".join(f"{label} {count}" for label, count in counts)
            account.notes.append(f"units have a column {name} ({told}); all of them are read")
    resolution = getattr(table, "resolution", None)
    if resolution is not None and np.isfinite(resolution) and resolution > 0:
        account.notes.append(f"spike times have a resolution of {float(resolution):g} s")
    return _Units(ids, times, observed)


def _interval_tables(content: Any) -> dict[str, Any]:
    tables = [o for o in content.objects.values() if type(o).__name__ == "TimeIntervals"]
    return {table.name: table for table in sorted(tables, key=lambda table: str(table.name))}


def _chosen(
    tables: Mapping[str, Any], reading: Reading, file: Path, account: Account
) -> str | None:
    wanted = reading.intervals
    usable = [name for name in tables if name != "invalid_times"]
    if wanted == "none":
        return None
    if wanted is not None:
        if wanted not in tables:
            raise ConfigError(
                f"intervals: wanted {' or '.join([*usable, 'none'])}, the tables of {file.name}, "
                f"got {wanted!r}"
            )
        return wanted
    if "trials" in usable:
        others = [name for name in usable if name != "trials"]
        if others:
            account.notes.append(f"other tables of intervals: {integers(others)} (--intervals)")
        return "trials"
    if len(usable) == 1:
        account.notes.append(f"the only table of intervals is {usable[0]}")
        return usable[0]
    rows = [name for name in usable if len(tables[name]) == reading.trials]
    if len(rows) == 1:
        account.notes.append(f"the only table of {reading.trials} intervals is {rows[0]}")
        return rows[0]
    if usable:
        account.suspicions.append(
            f"intervals: none of the tables {integers(usable)} was used; --intervals names one"
        )
    return None


def _bounds(table: Any) -> tuple[FloatArray, FloatArray]:
    starts, stops = (np.asarray(table[name][:], np.float64) for name in ("start_time", "stop_time"))
    return starts, stops


def _tell_columns(table: Any, name: str, account: Account) -> None:
    usual = {"start_time", "stop_time", "tags", "timeseries"}
    others = [c for c in table.colnames if c not in usual]
    if others:
        account.notes.append(f"all rows of {name} are taken, whatever its columns say "
                             f"({integers(others)})")  # fmt: skip


def _ends(times: Sequence[FloatArray]) -> tuple[float, float]:
    some = [found for found in times if len(found)]
    return min(float(t.min()) for t in some), max(float(t.max()) for t in some)


def _trials(
    bounds: tuple[FloatArray, FloatArray],
    name: str,
    units: _Units,
    invalid: tuple[FloatArray, FloatArray] | None,
    edge: float,
    reading: Reading,
    file: Path,
    account: Account,
) -> tuple[FloatArray, FloatArray, _Units]:
    starts, stops = bounds
    if reading.trials is not None and len(starts) > 1 and reading.trials != len(starts):
        raise ConfigError(f"trials: wanted {len(starts)}, the file's own, got {reading.trials}")
    good = check_intervals(starts, stops, edge, name, account)
    starts, stops = starts[good], stops[good]
    if invalid is not None and name != "invalid_times":
        touched = np.array(
            [
                ((invalid[0] < b) & (invalid[1] > a)).any()
                for a, b in zip(starts, stops, strict=True)
            ]
        )
        starts, stops = _without(touched, starts, stops, name, "touch invalid_times", account, file)
    if units.observed is not None:
        seen = np.array(
            [
                covered(o, starts, stops) if len(o) else np.zeros(len(starts), bool)
                for o in units.observed
            ]
        )
        units, seen = _observed_units(units, seen, reading, file, account)
        out = np.asarray(~seen.all(axis=0))
        why = "have a unit that was not observed throughout (obs_intervals)"
        starts, stops = _without(out, starts, stops, name, why, account, file)
    return starts, stops, units


def _without(
    out: NDArray[np.bool_], starts: FloatArray, stops: FloatArray, name: str, why: str,
    account: Account, file: Path,
) -> tuple[FloatArray, FloatArray]:  # fmt: skip
    if out.all():
        raise ConfigError(f"data: wanted {name} to use in {file.name}, got none: all {why}")
    if out.any():
        account.trials_left_out += int(out.sum())
        account.cuts.append(f"{int(out.sum())} of {len(out)} {name} that {why} were left out")
    return starts[~out], stops[~out]


def _observed_units(
    units: _Units, seen: NDArray[np.bool_], reading: Reading, file: Path, account: Account
) -> tuple[_Units, NDArray[np.bool_]]:
    """Without units that would cost most trials; of named cells, those alone count."""
    if reading.cells is not None:
        names = {str(cell) for cell in reading.cells}
        rows = np.array([str(i) in names for i in units.ids])
        return units, seen[rows] if rows.any() else seen
    rare = seen.mean(axis=1) < _LEAST
    if rare.all():
        raise ConfigError(
            f"data: wanted units observed (obs_intervals) in half of the trials of {file.name}, "
            "got none"
        )
    if not rare.any():
        return units, seen
    lost = [i for i, r in zip(units.ids, rare, strict=True) if r]
    account.cuts.append(
        f"{len(lost)} of {len(units.ids)} units observed in less than half of the trials were "
        f"left out ({integers(lost)})"
    )
    return _kept(units, ~rare), seen[~rare]


def _kept(units: _Units, rows: NDArray[np.bool_]) -> _Units:
    held = [k for k, keep in enumerate(rows) if keep]
    assert units.observed is not None
    return _Units(
        tuple(units.ids[k] for k in held),
        [units.times[k] for k in held],
        [units.observed[k] for k in held],
    )


def _whole(
    units: _Units, reading: Reading, file: Path, account: Account
) -> tuple[FloatArray, FloatArray, _Units]:
    """One recording: from its first spike to its last, or while all units were observed."""
    start, stop = _ends(units.times)
    if units.observed is not None and any(len(o) for o in units.observed):
        some = [o for o in units.observed if len(o)]
        start = max(float(o[:, 0].min()) for o in some)
        stop = min(float(o[:, 1].max()) for o in some)
        if not start < stop:
            raise ConfigError(
                f"data: wanted units observed at the same time (obs_intervals) in {file.name}, got "
                "none; --cells names some"
            )
        account.notes.append(f"all units were observed from {start:g} to {stop:g} s")
        bounds = np.array([start]), np.array([stop])
        if not all(covered(o, *bounds).all() for o in some):
            account.suspicions.append(
                "obs_intervals: there are gaps in which a unit was not observed, which look like "
                "silence; a table of intervals (--intervals) would leave them out"
            )
    return np.array([start]), np.array([stop]), units


def _check_unit(
    units: _Units, inside: NDArray[np.bool_], starts: FloatArray, stops: FloatArray, file: Path
) -> None:
    """Refuse times that cannot be seconds, by rates in the trials if enough spikes are there."""
    counts = [len(found) for found in units.times]
    neuron = np.repeat(np.arange(len(units.ids)), counts)
    seconds = np.concatenate(units.times)
    duration = float(np.ptp(seconds))
    if inside.sum() >= _LEAST_INSIDE * len(seconds):
        within = (seconds >= starts.min()) & (seconds < stops.max())
        neuron, seconds = neuron[within], seconds[within]
        duration = float((stops - starts).sum())
    check_seconds(np.zeros(len(seconds), np.int64), neuron, seconds, duration, file.name)
