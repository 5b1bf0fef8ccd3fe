"""Units of spike times: what a name says, what an option says, and what cannot be seconds.

Times that nothing says the unit of are taken for seconds. Twenty spikes or more are refused as
seconds if

- all of them are whole numbers, or
- no cell fires more than 0.05 times a second, or
- no cell fires more than 0.5 times a second and of the intervals between spikes of a cell 99 % are
  half a second or longer,

which are a thousand times below what neurons do. An option `time_unit` settles it either way.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from .reading import Reading

__all__ = ["check_seconds", "doubt", "factor", "named_unit", "plain_name", "resolve_unit"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6}
_NAMES = {
    "s": "s", "sec": "s", "secs": "s", "second": "s", "seconds": "s",
    "ms": "ms", "msec": "ms", "msecs": "ms", "millisecond": "ms", "milliseconds": "ms",
    "us": "us", "µs": "us", "μs": "us", "usec": "us", "microsecond": "us", "microseconds": "us",
    "sample": "samples", "samples": "samples", "frame": "samples", "frames": "samples",
    "tick": "samples", "ticks": "samples",
}  # fmt: skip
_FEW = 20
_SLOWEST, _SLOW, _LONG = 0.05, 0.5, 0.5  # spikes/s, spikes/s, s


def plain_name(name: str) -> str:
    """A column's name in lower case, words joined by underscores."""
    camel = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.strip().strip("\"'"))
    return re.sub(r"[^0-9a-zµμ]+", "_", camel.lower()).strip("_")


def named_unit(name: str) -> tuple[str, str | None]:
    """The name without its unit, and the unit: `time (ms)`, `time_ms` and `Time/ms` are in ms."""
    plain = plain_name(name)
    base, _, last = plain.rpartition("_")
    if base and last in _NAMES:
        return base.removesuffix("_in"), _NAMES[last]
    return plain, None


def factor(unit: str, reading: Reading, own_rate: float | None = None) -> float:
    """Seconds in a unit; ``ConfigError`` for samples without a sampling rate."""
    if unit != "samples":
        reading.refuse(f"spike times are in {unit}", "sampling_rate")
        return _SECONDS[unit]
    rate = own_rate if own_rate is not None else reading.sampling_rate
    if rate is None:
        raise ConfigError(
            "sampling_rate: wanted samples a second, for spike times are in samples, got none"
        )
    if own_rate is not None and reading.sampling_rate not in (None, own_rate):
        raise ConfigError(
            f"sampling_rate: wanted {own_rate:g}, the file's own, got {reading.sampling_rate:g}"
        )
    return 1 / rate


def resolve_unit(own: str | None, own_from: str, reading: Reading) -> tuple[str, str]:
    """The unit of the times and how it is known.

    Args:
        own: what the file says, if it does.
        own_from: where it says so, in words.
        reading: the options.

    Raises:
        ConfigError: an option that contradicts the file.
    """
    asked = reading.time_unit
    if own is not None and asked is not None and own != asked:
        raise ConfigError(f"time_unit: wanted {own}, as {own_from} says, got {asked}")
    if own is not None:
        return own, own_from
    if asked is not None:
        return asked, "option time_unit"
    return "s", "assumed"


def check_seconds(
    trial: IntArray, neuron: IntArray, seconds: FloatArray, duration: float, name: str
) -> None:
    """Raise ``ConfigError`` for times that cannot be seconds, as :func:`doubt` finds."""
    why = doubt(trial, neuron, seconds, duration)
    if why is not None:
        raise ConfigError(
            f"time_unit: wanted spike times in seconds, got {why} in {name}; say --time-unit "
            "ms, us, samples (with --sampling-rate), or s if they are seconds after all"
        )


def doubt(trial: IntArray, neuron: IntArray, seconds: FloatArray, duration: float) -> str | None:
    """Why times cannot be seconds, by the module's rule; None if they can.

    Args:
        trial: (spikes,), index of the trial.
        neuron: (spikes,), index of the neuron.
        seconds: (spikes,), times as they are in the file, finite.
        duration: of all trials together, in the same unit.
    """
    if len(seconds) < _FEW or duration <= 0:
        return None
    fastest = float(np.bincount(neuron).max()) / duration
    whole = bool((seconds == np.rint(seconds)).all()) and float(np.ptp(seconds)) > 1
    slow = fastest < _SLOWEST
    if not (whole or slow) and fastest < _SLOW:
        order = np.lexsort((seconds, trial, neuron))
        same = (np.diff(neuron[order]) == 0) & (np.diff(trial[order]) == 0)
        gaps = np.diff(seconds[order])[same]
        slow = len(gaps) >= _FEW and bool(np.quantile(gaps, 0.01) >= _LONG)
    if not (whole or slow):
        return None
    what = "whole numbers only" if whole else "times"
    return f"{what} up to {seconds.max():g} and at most {fastest:.2g} spikes a second of a cell"
