"""Spike times to zeros and ones: bins, trials of one length, and what that leaves out."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from .raster import Raster
from .reading import Account, Reading
from .recording import Events, Found

__all__ = ["EDGE", "MOST_BINS", "bin_spikes", "binned", "check_width", "usual_trials"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

# of a bin: a time this close below a bin's edge was meant to be on it
EDGE = 1e-6
MOST_BINS = 2**31
# a recording larger than so many entries has a spike in so many of them, or a time is mistaken
_LARGE, _EMPTY = 2**26, 10**5
_SHORT = 0.5  # of the median length: a trial shorter than this was aborted
# of the trials, so many may be left out besides if the others keep so much more time
_FEW, _GAIN = 0.1, 1.2


def check_width(bin_s: float | None) -> float:
    """`bin_s`, which spike times cannot do without; ``ConfigError`` if there is none."""
    if bin_s is None:
        raise ConfigError(
            "bin_s: wanted a width in seconds to sort spike times into (or bin_ms), got none"
        )
    if not (math.isfinite(bin_s) and bin_s > 0):
        raise ConfigError(f"bin_s: wanted a width in seconds > 0, got {bin_s}")
    return bin_s


def bin_spikes(
    trial: IntArray,
    neuron: IntArray,
    seconds: FloatArray,
    bin_s: float,
    trials: int,
    neurons: int,
    bins: int | None = None,
) -> Raster:
    """Spike times to zeros and ones: x[s, ⌊t/Δ⌋, i] = 1 for a spike of neuron i at t in trial s.

    A time on the edge of a bin, as far as decimals can say so (10⁻⁶ Δ), belongs to the bin that
    begins there. Spikes before the first bin or after the last are left out.

    Args:
        trial: (spikes,), index of the trial.
        neuron: (spikes,), index of the neuron.
        seconds: (spikes,), finite, from the start of the trial.
        bin_s: Δ in seconds.
        trials: number of trials.
        neurons: number of neurons.
        bins: bins a trial; up to the last spike of all if not given.

    Returns:
        Shape (trials, bins, neurons).

    Raises:
        ConfigError: a width that gives more than 2³¹ entries, or no bin.
    """
    place = _places(seconds, bin_s)
    size = float(place.max()) + 1 if bins is None else bins
    _check_size(size, trials, neurons, bin_s)
    raster = np.zeros((trials, int(size), neurons), dtype=np.uint8)
    inside = (place >= 0) & (place < size)
    raster[trial[inside], place[inside].astype(np.int64), neuron[inside]] = 1
    return raster


def _places(seconds: FloatArray, bin_s: float) -> FloatArray:
    with np.errstate(over="ignore"):
        return np.asarray(np.floor(seconds / bin_s + EDGE))


def _check_size(size: float, trials: int, neurons: int, bin_s: float) -> None:
    if size < 1 or trials * size * neurons > MOST_BINS:
        raise ConfigError(f"bin_s: wanted a width that gives at most 2^31 bins, got {bin_s:g}")


def binned(found: Found, reading: Reading) -> tuple[Raster, IntArray]:
    """The raster of spike times, and how many spikes of each cell are in it.

    Trials of known length are cut to the shortest of the usual ones (:func:`usual_trials`) and to
    whole bins; a recording without trials is cut into `trials` equal parts.

    Raises:
        ConfigError: a width or number of trials that does not fit.
    """
    width, events, wanted = check_width(reading.bin_s), found.events, reading.trials
    count, neurons, account = found.trials, len(found.cells), found.account
    trial = events.trial
    keep: BoolArray = np.ones(len(events.trial), bool)
    # some may have been left out before
    own = count + account.trials_left_out
    if own > 1 and wanted not in (None, own, count):
        raise ConfigError(f"trials: wanted {own}, the file's own, got {wanted}")
    if found.lengths is None:
        size = float(_places(events.seconds, width).max()) + 1 if len(events.seconds) else 0.0
    else:
        usual = usual_trials(found.lengths, account)
        place = np.cumsum(usual) - 1
        keep = usual[trial]
        trial, count = place[trial], int(usual.sum())
        shortest = float(found.lengths[usual].min())
        if not width <= shortest * (1 + EDGE) < np.inf:
            raise ConfigError(f"bin_s: wanted at most {shortest:g} s, a trial's, got {width:g}")
        size = math.floor(shortest / width + EDGE)
        _tell_cut(found.lengths[usual], size * width, account)
    parts = wanted if own == 1 and wanted is not None else 1
    if parts > size:
        raise ConfigError(f"trials: wanted at most {int(size)}, a bin each, got {parts}")
    _check_size(size, count, neurons, width)
    _check_filled(count * size * neurons, len(events.seconds), float(events.seconds.max()))
    bins = int(size) // parts * parts
    if parts > 1 and bins < size:
        account.cuts.append(
            f"the last {int(size) - bins} of {int(size)} bins were left out to make {parts} "
            "trials equal"
        )
    seconds, neuron = events.seconds[keep], events.neuron[keep]
    raster = bin_spikes(trial[keep], neuron, seconds, width, count, neurons, bins)
    places = _places(seconds, width)
    inside = (places >= 0) & (places < bins)
    return raster.reshape(count * parts, -1, neurons), np.bincount(
        neuron[inside], minlength=neurons
    )


def in_span(found: Found, reading: Reading) -> Found:
    """A recording without trials between the two times of `reading.span`, if that is given.

    Raises ``ConfigError`` for a recording that has trials, or without a spike in there.
    """
    if reading.span is None:
        return found
    if found.trials > 1:
        reading.refuse(f"the file has {found.trials} trials", "span")
    start, stop = reading.span
    seconds = found.events.seconds + (found.origin - start)
    width = check_width(reading.bin_s)
    inside = (seconds >= -EDGE * width) & (seconds < stop - start)
    if not inside.any():
        raise ConfigError(f"span: wanted spikes from {start:g} to {stop:g} s, got none")
    events = Events(
        found.events.trial[inside], found.events.neuron[inside], np.maximum(seconds[inside], 0)
    )
    out = len(seconds) - len(events.seconds)
    if out:
        found.account.cuts.append(
            f"{out} of {len(seconds)} spikes outside {start:g} to {stop:g} s, the span asked for, "
            "were left out"
        )
    return replace(found, events=events, lengths=np.array([stop - start]), origin=start)


def usual_trials(lengths: FloatArray, account: Account) -> BoolArray:
    """Which trials are long enough; the others are told of.

    Left out are trials shorter than half the median; and of the rest up to a tenth, the shortest,
    if the others, cut to one length, then keep a fifth more time or yet more.

    Args:
        lengths: (trials,), in seconds.
        account: is told.
    """
    usual: BoolArray = lengths >= max(_SHORT * np.median(lengths), _least_length(lengths))
    odd = int((~usual).sum())
    if odd:
        short = ", ".join(f"{length:.3g}" for length in np.sort(lengths[~usual])[:3])
        account.trials_left_out += odd
        account.cuts.append(
            f"{odd} of {len(lengths)} trials much shorter than the median of "
            f"{np.median(lengths):.3g} s were left out ({short}{' …' if odd > 3 else ''} s)"
        )
    return usual


def _least_length(lengths: FloatArray) -> float:
    """The length that keeps most time if few trials are left out, where that is worth it."""
    usual = np.sort(lengths[lengths >= _SHORT * np.median(lengths)])
    few = int(_FEW * len(usual))
    kept = usual[: few + 1] * (len(usual) - np.arange(few + 1))
    best = int(np.argmax(kept)) if np.isfinite(kept).all() else 0
    return float(usual[best]) if kept[best] >= _GAIN * kept[0] else 0.0


def _tell_cut(lengths: FloatArray, length: float, account: Account) -> None:
    share = 1 - len(lengths) * length / float(lengths.sum())
    if share > 0.005:
        account.cuts.append(
            f"trials of {lengths.min():.3g} to {lengths.max():.3g} s were cut to the shortest's "
            f"whole bins, {length:.4g} s: {100 * share:.3g} % of their time was left out"
        )


def _check_filled(entries: float, spikes: int, last: float) -> None:
    if entries > _LARGE and entries > _EMPTY * spikes:
        raise ConfigError(
            f"data: wanted spikes throughout the recording, got {spikes} in {entries:.2g} bins up "
            f"to {last:g} s: a time is mistaken, or in another unit (--time-unit)"
        )
