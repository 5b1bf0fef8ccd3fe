"""Arrays as rasters (trials, bins, neurons): the order of their axes, counts, trials, bins.

Which axis is which cannot be read from zeros and ones. An array with more neurons than bins, in the
order (trials, time, neurons) or (time, neurons), is refused as transposed unless `axes` names the
order. Beyond that the axes are suspected where

- the first or the middle axis has rates that differ more than three times as much as those of the
  neurons: D = Var(n)/⟨n⟩² − 1/⟨n⟩ of the spike counts n along an axis, which is 0 for chance alone;
- of the middle axis, only if what is left of its rates beyond a straight line is not smooth (a
  correlation below 1/2 from one place to the next), for what neurons do in time is smooth.

They are refused, too, where that is ten times as much and the axis is no longer than the last.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from .raster import Raster
from .reading import Account, Reading, check_bytes

__all__ = ["AXES", "Flat", "as_raster"]

FloatArray = NDArray[np.float64]

_MOST_SPIKES = 1000  # in a bin: larger numbers are no counts
_TRIPLE, _PAIR = ("trials", "time", "neurons"), ("time", "neurons")
AXES = tuple(",".join(p) for names in (_PAIR, _TRIPLE) for p in permutations(names))


@dataclass(frozen=True)
class Flat:
    """A raster and what was counted on the way.

    Attributes:
        raster: (trials, bins, neurons), 0 or 1.
        bin_s: width of a bin in seconds.
        trials_from: where the trials come from, in words.
        spikes: in the array.
        kept: those of them in whole bins.
        bins: bins of width `bin_s` that the array's trials have together.
        rest: the array's bins at the end of a trial that fill none of these.
    """

    raster: Raster
    bin_s: float
    trials_from: str
    spikes: int
    kept: int
    bins: float
    rest: int


def as_raster(
    array: NDArray[Any], own_s: float | None, repeats: int | None, reading: Reading,
    account: Account,
) -> Flat:  # fmt: skip
    """An array as a raster.

    Args:
        array: 2 or 3 axes.
        own_s: width of a bin in seconds, if the file says one.
        repeats: number of trials that (time, neurons) has, if the file says so.
        reading: the options.
        account: is told.

    Raises:
        ConfigError: other entries than zeros and ones, axes that look transposed, trials or a
            width that do not fit.
    """
    reading.refuse("a raster has bins, not times", "time_unit", "sampling_rate", "span")
    reading.refuse("a raster has no intervals table", "intervals")
    turned = _in_order(_sized(array), reading.axes)
    raster, spikes = _binary(turned, clip=reading.clip, account=account)
    if reading.axes is None:
        _suspect(raster, account)
    wanted = reading.trials if reading.trials is not None else repeats
    if raster.ndim == 3:
        words = "an axis of the array"
    elif reading.trials is None and repeats is not None:
        words = "repeats in the file"
    else:
        words = "none in the file: one recording"
        if wanted is not None and wanted > 1:
            words = f"one recording cut into {wanted} equal parts"
    bins = math.prod(raster.shape[:-1])
    if raster.ndim == 2 and reading.trials is None and repeats is not None and bins % repeats:
        raise ConfigError(
            f"data: wanted repeats in the file that divide {bins} bins, got {repeats}"
        )
    whole = _in_trials(raster, wanted if raster.ndim == 2 else reading.trials, account)
    merged, width = _rebinned(whole, own_s, reading.bin_s)
    merge = 1 if own_s is None else round(width / own_s)
    used = whole[:, : merged.shape[1] * merge]
    lost = int(raster.sum(dtype=np.int64)) - int(used.sum(dtype=np.int64))
    return Flat(
        merged, width, words, spikes, spikes - lost, bins / merge, whole.shape[1] - used.shape[1]
    )


def _sized(array: NDArray[Any]) -> NDArray[Any]:
    if array.ndim not in (2, 3) or 0 in array.shape:
        raise ConfigError(
            f"data: wanted shape (trials, time, neurons) or (time, neurons), got {array.shape}"
        )
    if array.dtype.kind not in "biuf":
        raise ConfigError(f"data: wanted zeros and ones, got {array.dtype}")
    check_bytes(array.size, "a raster")
    return array


def _in_order(array: NDArray[Any], axes: str | None) -> NDArray[Any]:
    standard = _TRIPLE if array.ndim == 3 else _PAIR
    if axes is not None:
        names = [name.strip() for name in axes.split(",")]
        if sorted(names) != sorted(standard):
            raise ConfigError(
                f"axes: wanted {', '.join(standard)} in the order of the array, which has "
                f"{array.ndim} axes, got {axes}"
            )
        return array.transpose([names.index(name) for name in standard])
    time, neurons = array.shape[-2:]
    if neurons > time:
        other = "trials,neurons,time" if array.ndim == 3 else "neurons,time"
        raise ConfigError(
            f"data: wanted ({', '.join(standard)}), got {array.shape}, which looks transposed; say "
            f"--axes {other}, or --axes {','.join(standard)} if it is not"
        )
    return array


def _binary(array: NDArray[Any], *, clip: bool, account: Account) -> tuple[Raster, int]:
    wrong = (array != 0) & (array != 1)
    if not wrong.any():
        if clip:
            raise ConfigError("clip: would be ignored, since all entries are zeros and ones")
        raster = array.astype(np.uint8)
        return raster, int(raster.sum(dtype=np.int64))
    values = array[wrong]
    with np.errstate(invalid="ignore"):
        good = (values > 0) & (values <= _MOST_SPIKES) & (values == np.rint(values))
    counts = bool(good.all())
    if not counts or not clip:
        where = tuple(int(i) for i in np.argwhere(wrong)[0])
        way = (
            "; these are counts: say --clip to make those above one 1, or use smaller bins"
            if counts
            else ""
        )
        raise ConfigError(f"data: wanted zeros and ones, got {array[where]} at {where}{way}")
    account.cuts.append(
        f"{len(values)} bins with more than one spike (up to {values.max():g}) were made 1, "
        "as --clip says"
    )
    return (array != 0).astype(np.uint8), int(array.sum(dtype=np.float64))


def _in_trials(raster: Raster, trials: int | None, account: Account) -> Raster:
    if raster.ndim == 3:
        if trials is not None and trials != len(raster):
            raise ConfigError(f"trials: wanted {len(raster)}, the file's own, got {trials}")
        return raster
    count = 1 if trials is None else trials
    if count > len(raster):
        raise ConfigError(f"trials: wanted at most {len(raster)}, a bin each, got {count}")
    rest = len(raster) % count
    if rest:
        account.cuts.append(
            f"the last {rest} of {len(raster)} bins were left out to make {count} trials equal"
        )
    return raster[: len(raster) - rest].reshape(count, -1, raster.shape[1])


def _rebinned(raster: Raster, own: float | None, wanted: float | None) -> tuple[Raster, float]:
    if own is None:
        if wanted is None:
            raise ConfigError("bin_s: wanted a width in seconds, for the file says none, got none")
        return raster, wanted
    if not (math.isfinite(own) and own > 0):
        raise ConfigError(f"data: wanted a bin_s > 0 in the file, got {own}")
    if wanted is None:
        return raster, own
    merge = round(wanted / own)
    if merge < 1 or abs(wanted / own - merge) > 1e-6:
        raise ConfigError(f"bin_s: wanted a whole multiple of the file's {own:g} s, got {wanted:g}")
    bins = raster.shape[1] // merge
    if bins < 1:
        raise ConfigError(f"bin_s: wanted at most {raster.shape[1] * own:g} s, got {wanted:g}")
    merged = raster[:, : bins * merge].reshape(len(raster), bins, merge, -1).max(axis=2)
    return merged, wanted


def _suspect(raster: Raster, account: Account) -> None:
    """Tell of axes whose rates are not what their name says; ``ConfigError`` if by far."""
    axes = range(raster.ndim)
    sums = [raster.sum(axis=tuple(a for a in axes if a != k), dtype=np.int64) for k in axes]
    spread = [_differences(n) for n in sums]
    neurons = max(spread[-1][0], 0.0)
    order = "time,neurons" if raster.ndim == 2 else "trials,time,neurons"
    for k in axes[:-1]:
        excess, error = spread[k]
        if excess <= 3 * neurons + 5 * error or (k == raster.ndim - 2 and _smooth(sums[k])):
            continue
        place = "middle" if k == 1 else "first"
        what = f"rates differ more along the {place} axis than along the last"
        far = excess > 10 * (neurons + error) and raster.shape[k] <= raster.shape[-1]
        if far:
            raise ConfigError(
                f"data: wanted ({order}), got {raster.shape}, which looks transposed, since {what}"
                f"; say --axes with the order of the array, {order} if it is that"
            )
        account.suspicions.append(
            f"axes: {raster.shape}, read as ({order}), looks transposed, since {what}; if so, say "
            "--axes with the order of the array"
        )


def _differences(counts: NDArray[np.int64]) -> tuple[float, float]:
    """D of the counts along an axis, and its standard error by chance."""
    mean = float(counts.mean())
    if mean == 0 or len(counts) < 2:
        return 0.0, 0.0
    excess = float(counts.var(ddof=1)) / mean**2 - 1 / mean
    return excess, math.sqrt(2 / (len(counts) - 1)) / mean


def _smooth(counts: NDArray[np.int64]) -> bool:
    place = np.arange(len(counts))
    if len(counts) < 4:
        return True
    rest = counts - np.polyval(np.polyfit(place, counts, 1), place)
    scale = float(rest @ rest)
    return scale == 0 or float(rest[1:] @ rest[:-1]) > 0.5 * scale
