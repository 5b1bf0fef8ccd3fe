"""From what a reader found to a raster with its record."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from .binning import binned, in_span
from .layout import Flat
from .raster import Raster, SpikeData
from .reading import Account, Cell, Reading
from .recording import Found, Recording
from .suspicions import of_events, of_raster, of_shares

__all__ = ["made_here", "raster_data", "spike_data"]


def spike_data(found: Found, reading: Reading, source: str) -> SpikeData:
    """Spike times as a raster of all cells, and the record of how.

    Raises ``ConfigError`` as :func:`~.binning.binned`, and where no spike is in any trial.
    """
    found = in_span(found, reading)
    account = found.account
    suspicions = of_events(
        found.events, found.cells, continuous=found.trials == 1 and found.lengths is None
    )
    raster, counts = binned(found, reading)
    width = float(reading.bin_s or 0)
    words = found.trials_from
    if found.trials == 1 and len(raster) > 1:
        words = f"one recording cut into {len(raster)} equal parts"
    whole = found.span_s
    if whole is None and found.lengths is not None:
        whole = float(found.lengths.sum())
    kept_time = raster.shape[0] * raster.shape[1] * width
    record = _record(
        raster, counts, found.cells, width, source,
        form=found.format, unit=found.unit, unit_from=found.unit_from, trials_from=words,
        spikes=found.spikes, account=account, suspicions=suspicions,
        kept=int(counts.sum()), kept_time=None if whole is None else min(1.0, kept_time / whole),
    )  # fmt: skip
    return SpikeData(
        raster, width, found.cells, source, record, tuple(int(count) for count in counts)
    )


def raster_data(flat: Flat, form: str, account: Account, source: str) -> SpikeData:
    """A raster of a file with its record."""
    raster = flat.raster
    counts = raster.sum(axis=(0, 1), dtype=np.int64)
    cells = tuple(range(raster.shape[2]))
    kept = raster.shape[0] * raster.shape[1] / flat.bins
    if flat.rest:
        account.cuts.append(
            f"the last {flat.rest} of the file's bins in each trial, less than one of "
            f"{flat.bin_s:g} s, were left out"
        )
    suspicions: list[str] = []
    ones = int(counts.sum())
    if ones > 0.5 * raster.size:
        suspicions.append(f"data: {100 * ones / raster.size:.3g} % of all entries are ones")
    record = _record(
        raster, counts, cells, flat.bin_s, source,
        form=form, unit=None, unit_from=None, trials_from=flat.trials_from, spikes=flat.spikes,
        account=account, suspicions=suspicions, kept=flat.kept, kept_time=min(1.0, kept),
    )  # fmt: skip
    return SpikeData(raster, flat.bin_s, cells, source, record)


def made_here(data: SpikeData, form: str) -> SpikeData:
    """The same with a record, for spikes that no file holds; as it is if there are none."""
    if not data.raster.any():
        return data
    counts = data.raster.sum(axis=(0, 1), dtype=np.int64)
    record = _record(
        data.raster, counts, data.cells, data.bin_s, data.source,
        form=form, unit=None, unit_from=None, trials_from="made so", spikes=int(counts.sum()),
        account=Account(), suspicions=[], kept=int(counts.sum()),
        kept_time=1.0,
    )  # fmt: skip
    return SpikeData(data.raster, data.bin_s, data.cells, data.source, record)


def _record(
    raster: Raster,
    counts: NDArray[np.int64],
    cells: tuple[Cell, ...],
    width: float,
    source: str,
    *,
    form: str,
    unit: str | None,
    unit_from: str | None,
    trials_from: str,
    spikes: int,
    account: Account,
    suspicions: list[str],
    kept: int,
    kept_time: float | None,
) -> Recording:
    trials, bins, _ = raster.shape
    seconds = trials * bins * width
    ones = int(raster.sum(dtype=np.int64))
    if ones == 0:
        raise ConfigError(f"data: wanted spikes inside the trials of {source}, got none")
    rates = counts / seconds
    merged = kept - ones
    return Recording(
        file=source,
        format=form,
        time_unit=unit,
        time_unit_from=unit_from,
        trials=trials,
        trials_from=trials_from,
        trials_left_out=account.trials_left_out,
        trial_s=bins * width,
        bins=bins,
        bin_s=width,
        cells=len(cells),
        silent_cells=int((counts == 0).sum()),
        spikes=spikes,
        kept_spikes=kept,
        merged_spikes=merged,
        kept_share=kept / spikes,
        kept_time_share=kept_time,
        rate_mean=float(rates.mean()),
        rate_min=float(rates.min()),
        rate_max=float(rates.max()),
        notes=tuple(account.notes),
        cuts=tuple(account.cuts),
        suspicions=(
            *account.suspicions,
            *suspicions,
            *of_raster(raster, counts, cells, seconds),
            *of_shares(spikes, kept, merged),
        ),
    )
