"""What a file holds before it is cut into bins, and the account of it that a report keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .reading import Account, Cell

__all__ = ["Events", "Found", "Recording", "recording_rows"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Events:
    """Each spike's trial, its neuron, and its time from the start of the trial in seconds."""

    trial: IntArray
    neuron: IntArray
    seconds: FloatArray

    @classmethod
    def joined(cls, parts: Sequence[tuple[IntArray | int, int, FloatArray]]) -> Events:
        """Of runs of spikes of one neuron each."""
        if not parts:
            none = np.zeros(0, np.int64)
            return cls(none, none, np.zeros(0))
        sizes = [len(seconds) for _, _, seconds in parts]
        return cls(
            np.concatenate([np.broadcast_to(trial, len(times)) for trial, _, times in parts]),
            np.repeat([neuron for _, neuron, _ in parts], sizes),
            np.concatenate([seconds for _, _, seconds in parts]),
        )


@dataclass(frozen=True)
class Found:
    """Spike times as a reader found them.

    Attributes:
        format: the file's, in words.
        cells: the name of each neuron.
        events: the spikes, with the index of trial and neuron.
        trials: how many trials there are; 1 for a recording without any.
        lengths: of each trial in seconds; None if a trial lasts to the last spike of all.
        trials_from: where the trials come from, in words.
        unit: of the times in the file.
        unit_from: how that is known.
        spikes: in the file, those outside all trials included.
        span_s: of the whole recording, what lies between trials included; None if unknown.
        account: what there is to tell.
        origin: of a recording without trials, the time on the file's clock that its spikes are
            counted from, in seconds.
    """

    format: str
    cells: tuple[Cell, ...]
    events: Events
    trials: int
    lengths: FloatArray | None
    trials_from: str
    unit: str
    unit_from: str
    spikes: int
    span_s: float | None = None
    account: Account = field(default_factory=Account)
    origin: float = 0.0


@dataclass(frozen=True)
class Recording:
    """What was understood of a recording: the record that every report and inspection shows.

    Attributes:
        file: its name.
        format: its kind, in words.
        time_unit: of the times in the file: s, ms, us or samples; None for a raster.
        time_unit_from: how that is known.
        trials: number of trials.
        trials_from: where they come from.
        trials_left_out: how many the file has beyond them.
        trial_s: length of a trial in seconds.
        bins: bins a trial.
        bin_s: width of a bin in seconds.
        cells: number of cells in the file.
        silent_cells: those without a spike in any trial.
        spikes: in the file; of a raster, its ones.
        kept_spikes: those inside the trials and their whole bins.
        merged_spikes: second and further spikes of a cell in one bin, which are one there.
        kept_share: kept_spikes over spikes.
        kept_time_share: time kept over time recorded; None where the latter is unknown.
        rate_mean: spikes a second and cell, over all cells of the file.
        rate_min: of the slowest cell.
        rate_max: of the fastest cell.
        notes: what was understood beyond that.
        cuts: what was left out, and why.
        suspicions: what looks wrong.
    """

    file: str
    format: str
    time_unit: str | None
    time_unit_from: str | None
    trials: int
    trials_from: str
    trials_left_out: int
    trial_s: float
    bins: int
    bin_s: float
    cells: int
    silent_cells: int
    spikes: int
    kept_spikes: int
    merged_spikes: int
    kept_share: float
    kept_time_share: float | None
    rate_mean: float
    rate_min: float
    rate_max: float
    notes: tuple[str, ...] = ()
    cuts: tuple[str, ...] = ()
    suspicions: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        found = asdict(self)
        return {k: list(v) if isinstance(v, tuple) else v for k, v in found.items()}


def recording_rows(record: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """The record of :meth:`Recording.to_dict` as rows of a table; empty if there is none."""
    if record is None:
        return []
    r = record
    rows = [("format", str(r["format"]))]
    if r["time_unit"] is not None:
        rows.append(("unit of times", f"{r['time_unit']} ({r['time_unit_from']})"))
    out = f"; {r['trials_left_out']} left out" if r["trials_left_out"] else ""
    kept = f"{100 * r['kept_share']:.4g} % of {r['spikes']}"
    lost = f"; {r['merged_spikes']} share a bin with another" if r["merged_spikes"] else ""
    rows += [
        ("trials", f"{r['trials']} of {r['trial_s']:.4g} s, {r['bins']} bins each{out}"),
        ("trials from", str(r["trials_from"])),
        ("spikes kept", kept + lost),
    ]
    if r["kept_time_share"] is not None:
        rows.append(("time kept", f"{100 * r['kept_time_share']:.4g} %"))
    silent = f", {r['silent_cells']} of them silent" if r["silent_cells"] else ""
    rows += [
        ("cells in the file", f"{r['cells']}{silent}"),
        (
            "spikes a second",
            f"{r['rate_mean']:.3g} on average, {r['rate_min']:.3g} to {r['rate_max']:.3g}",
        ),
    ]
    for name, key in (("understood", "notes"), ("left out", "cuts"), ("suspicious", "suspicions")):
        rows += [(name, text) for text in r[key]]
    return rows
