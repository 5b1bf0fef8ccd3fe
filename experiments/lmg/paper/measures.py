"""Numbers read off a trajectory: correlation, dwell time, imbalance, spectrum, recurrence.

All take plain arrays sampled at equal steps, shape (times,), and know no model. Shares are shares
of the samples, so of the time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "bin_frequency",
    "correlation",
    "dominant_frequency",
    "dwell_share",
    "imbalance",
    "lines_holding",
    "longest_stay",
    "power_below",
    "power_spectrum",
    "recurrence",
    "smoothed",
    "strongest_lag",
    "whole_cycles",
]

Array = NDArray[np.float64]


def correlation(x: ArrayLike, y: ArrayLike) -> float:
    """Return Pearson's Σ(x−x̄)(y−ȳ)/√(Σ(x−x̄)² Σ(y−ȳ)²); 0 where one of them is constant."""
    a, b = _centred(x), _centred(y)
    norm = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / norm if norm > 0 else 0.0


def strongest_lag(x: ArrayLike, y: ArrayLike, step: float, longest: float) -> tuple[float, float]:
    """Find the lag in [0, longest] at which y(t + lag) follows x(t) most strongly.

    Returns:
        The lag, in the unit of ``step``, and the coefficient there (the one of largest size).
    """
    a, b = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    most = min(int(longest / step), len(a) - 2)
    found = [correlation(a[: len(a) - k], b[k:]) for k in range(most + 1)]
    best = int(np.argmax(np.abs(found)))
    return best * step, found[best]


def dwell_share(excitation: ArrayLike, width: float) -> float:
    """Return the share of the time with |E − ½| < width."""
    return float(np.mean(np.abs(np.asarray(excitation) - 0.5) < width))


def longest_stay(times: ArrayLike, excitation: ArrayLike, width: float) -> float:
    """Return the longest stay with |E − ½| < width, from its first to its last sample."""
    t = np.asarray(times, dtype=float)
    near = np.abs(np.asarray(excitation) - 0.5) < width
    edges = np.flatnonzero(np.diff(np.concatenate(([0], near.astype(int), [0]))))
    starts, ends = edges[::2], edges[1::2] - 1
    return float(np.max(t[ends] - t[starts])) if len(starts) else 0.0


def imbalance(excitation: ArrayLike) -> float:
    """Return the share of time with E > ½ less that with E < ½: −1 to 1, 0 when balanced."""
    return float(np.mean(np.sign(np.asarray(excitation) - 0.5)))


def power_spectrum(values: ArrayLike, step: float) -> tuple[Array, Array]:
    """Return frequencies (cycles per unit time) and the power at each, by a Hann window.

    The mean is taken off and the powers add up to 1 (or are 0 for a constant).
    """
    x = _centred(values)
    power: Array = np.abs(np.fft.rfft(x * np.hanning(len(x)))) ** 2
    total = float(power.sum())
    frequencies: Array = np.fft.rfftfreq(len(x), step).astype(np.float64)
    return frequencies, np.asarray(power / total if total > 0 else power)


def bin_frequency(values: ArrayLike, step: float) -> float:
    """Return the bin of the plain Fourier transform with most power, known to 1/duration."""
    x = _centred(values)
    return float(np.fft.rfftfreq(len(x), step)[np.argmax(np.abs(np.fft.rfft(x)))])


def dominant_frequency(values: ArrayLike, step: float) -> float:
    """Return the tallest peak of the spectrum, its top fitted by a parabola in log power.

    Hann window, padded four times; for a line that turns a few times in the record the error is a
    few per cent of 1/duration.
    """
    x = _centred(values)
    size = 4 * len(x)
    spectrum = np.log(np.abs(np.fft.rfft(x * np.hanning(len(x)), size)) + 1e-300)
    top = int(np.argmax(spectrum[1:-1])) + 1
    left, middle, right = spectrum[top - 1 : top + 2]
    bend = left - 2 * middle + right
    shift = 0.5 * (left - right) / bend if bend < 0 else 0.0
    return float((top + shift) / (size * step))


def power_below(values: ArrayLike, step: float, frequency: float) -> float:
    """Return the share of the power at frequencies below ``frequency``."""
    frequencies, power = power_spectrum(values, step)
    return float(power[frequencies < frequency].sum())


def lines_holding(values: ArrayLike, step: float, share: float = 0.5) -> int:
    """Return how few bins of the spectrum hold ``share`` of the power: small if clean."""
    _, power = power_spectrum(values, step)
    held = np.cumsum(np.sort(power)[::-1])
    return int(np.searchsorted(held, share * held[-1]) + 1)


def recurrence(times: ArrayLike, fidelity: ArrayLike, away: float = 0.5) -> tuple[float, float]:
    """Find the best return of a fidelity after it has first fallen below ``away``.

    Returns:
        The time and the fidelity of the return; the last time and 1 if it never was away.
    """
    t, f = np.asarray(times, dtype=float), np.asarray(fidelity, dtype=float)
    gone = np.flatnonzero(f < away)
    if len(gone) == 0:
        return float(t[-1]), 1.0
    best = int(gone[0] + np.argmax(f[gone[0] :]))
    return float(t[best]), float(f[best])


def whole_cycles(phase: ArrayLike, frequency: float) -> tuple[NDArray[np.bool_], int]:
    """Select samples inside whole cycles of a rhythm, so that no cut-off cycle counts.

    Args:
        phase: s(t) at the samples, not falling.
        frequency: cycles per unit of phase.

    Returns:
        Which samples to keep, and the number of cycles they cover (0 keeps all samples).
    """
    s = np.asarray(phase, dtype=float)
    cycles = int((s[-1] - s[0]) * frequency * (1 + 1e-12))
    if cycles == 0:
        return np.ones(len(s), dtype=bool), 0
    return s - s[0] < cycles / frequency, cycles


def smoothed(values: ArrayLike, samples: int) -> Array:
    """Return the running mean over ``samples`` samples, shorter at the ends."""
    x = np.asarray(values, dtype=float)
    if samples < 2:
        return x
    sums = np.concatenate(([0.0], np.cumsum(x)))
    index = np.arange(len(x))
    low = np.maximum(index - samples // 2, 0)
    high = np.minimum(index + (samples + 1) // 2, len(x))
    return np.asarray((sums[high] - sums[low]) / (high - low))


def _centred(values: ArrayLike) -> Array:
    x = np.asarray(values, dtype=float)
    return np.asarray(x - x.mean())
