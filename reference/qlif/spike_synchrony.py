"""How closely the spikes of two neurons follow each other, averaged over many pairs.

A raster is x[k, p, i] ∈ {0, 1}: tick k, pair p, neuron i of two. Times and windows are in ticks
(a spike of tick k is at k + ½), so that nothing here depends on a tick's length. Pairs are
independent and alike; sums over all of them make one figure, and leaving out one pair at a time
(the jackknife) gives its standard error, which is nan for a single pair. A figure that no spikes
define is nan.

Measures with a window that is given: the fraction of coincident spikes, and the coincidence factor,
which takes off what chance makes. Without one: SPIKE-synchronisation, whose window follows the
local intervals, and the SPIKE-distance, which has none.

Sources: W. M. Kistler, W. Gerstner and J. L. van Hemmen, Neural Comput. 9, 1015 (1997), and
R. Jolivet et al., J. Neurosci. Methods 169, 417 (2008), the coincidence factor; T. Kreuz,
D. Chicharro, C. Houghton, R. G. Andrzejak and F. Mormann, J. Neurophysiol. 109, 1457 (2013), the
SPIKE-distance; T. Kreuz, M. Mulansky and N. Bozanic, J. Neurophysiol. 113, 3432 (2015),
SPIKE-synchronisation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..spiqgan.spike_statistics import SpikeError, checked_raster
from .bit_rasters import BitRaster, group_blocks

__all__ = [
    "Measure",
    "SpikeError",
    "coincidence_factor",
    "count_correlation",
    "firing_rate",
    "first_spike_latency",
    "spike_distance",
    "spike_synchronisation",
    "synchrony",
    "train_distance",
    "train_synchronisation",
]

FloatArray = NDArray[np.float64]
Raster = NDArray[np.uint8]


@dataclass(frozen=True)
class Measure:
    """A figure and its standard error; floats, or arrays with one entry a neuron."""

    value: Any
    stderr: Any


def firing_rate(raster: ArrayLike | BitRaster) -> Measure:
    """Spikes a tick of each neuron, shape (2,).

    Raises:
        SpikeError: no zeros and ones of shape (ticks, pairs, 2).
    """
    return _jackknife(_parts(raster, lambda x: x.mean(axis=0)), lambda total, pairs: total / pairs)


def synchrony(raster: ArrayLike | BitRaster, window: int = 1) -> Measure:
    """Fraction of spikes with one of the partner at most ``window`` ticks before or after.

    (C_A + C_B)/(N_A + N_B), C_i of the N_i spikes of neuron i being coincident.

    Args:
        raster: (tick, pair, neuron).
        window: Δ in ticks, >= 0.

    Raises:
        SpikeError: as of :func:`firing_rate`, or a window that is no whole number >= 0.
    """
    parts = _parts(raster, lambda x: _coincidences(x, window)[:, :2])
    return _jackknife(parts, lambda total, _: _ratio(*total.T))


def coincidence_factor(raster: ArrayLike | BitRaster, window: int = 1) -> Measure:
    """Γ = (N_coinc − ⟨N_coinc⟩) / (½(N_A + N_B) 𝒩), 0 by chance and 1 for trains that coincide.

    N_coinc = (C_A + C_B)/2 as in :func:`synchrony`. By chance, if the partner fired with its own
    rate p in each tick independently, a spike would be coincident with probability
    q = 1 − (1 − p)^(2Δ+1), so that ⟨N_coinc⟩ = (N_A q_B + N_B q_A)/2, and 𝒩 = 1 − ⟨N_coinc⟩ /
    ½(N_A + N_B). In the limit of short ticks q = 2νΔ, and for neurons of one rate Γ is that of
    Kistler et al. and of Jolivet et al., who take one train for the data and the other for a model.

    Args:
        raster: (tick, pair, neuron).
        window: Δ in ticks, >= 0.

    Raises:
        SpikeError: as of :func:`synchrony`.
    """

    def factor(total: FloatArray, _: int) -> FloatArray:
        found, spikes, chance = total.T
        return _ratio(found - chance, spikes - chance)

    return _jackknife(_parts(raster, lambda x: _coincidences(x, window)), factor)


def count_correlation(raster: ArrayLike | BitRaster, window: int) -> Measure:
    """Correlation of the two neurons' spike counts in windows that follow each other.

    r = Σ_p cov_p(n_A, n_B) / √(Σ_p var_p(n_A) Σ_p var_p(n_B)), moments over the windows of a pair
    about its own means. Ticks past the last whole window are left out.

    Args:
        raster: (tick, pair, neuron).
        window: length in ticks, at most half of the raster.

    Raises:
        SpikeError: as of :func:`firing_rate`, or a window that is not as wanted.
    """
    size = _whole("window", window, 1)

    def moments(x: Raster) -> FloatArray:
        windows = len(x) // size
        if windows < 2:
            raise SpikeError(f"window: wanted at most half of {len(x)} ticks, got {size}")
        cut = x[: windows * size].reshape(windows, size, *x.shape[1:])
        counts = cut.sum(axis=1, dtype=np.float64)
        counts -= counts.mean(axis=0)
        a, b = counts[..., 0], counts[..., 1]
        return np.stack([(a * b).sum(axis=0), (a * a).sum(axis=0), (b * b).sum(axis=0)], axis=-1)

    return _jackknife(
        _parts(raster, moments), lambda t, _: _ratio(t[:, 0], np.sqrt(t[:, 1] * t[:, 2]))
    )


def first_spike_latency(raster: ArrayLike | BitRaster) -> Measure:
    """Mean number of ticks up to and including a neuron's first spike, shape (2,).

    Neurons that never fire are left out: if many do, the mean is that of the fast ones.

    Raises:
        SpikeError: as of :func:`firing_rate`.
    """

    def firsts(x: Raster) -> FloatArray:
        fires = x.any(axis=0)
        first = np.where(fires, x.argmax(axis=0) + 1.0, 0.0)
        return np.concatenate([first, fires], axis=-1)

    parts = _parts(raster, firsts)
    return _jackknife(parts, lambda total, _: _ratio(total[:, :2], total[:, 2:]))


def spike_synchronisation(raster: ArrayLike | BitRaster) -> Measure:
    """Fraction of spikes that are coincident in the sense of :func:`train_synchronisation`.

    Over the spikes of all pairs. Raises ``SpikeError`` as of :func:`firing_rate`.
    """

    def coincident(x: Raster) -> FloatArray:
        span = (0.0, float(len(x)))
        rows = [
            (_adaptive(a, b, span) + _adaptive(b, a, span), len(a) + len(b)) for a, b in _trains(x)
        ]
        return np.array(rows, dtype=float)

    return _jackknife(_parts(raster, coincident), lambda total, _: _ratio(*total.T))


def spike_distance(raster: ArrayLike | BitRaster) -> Measure:
    """Mean over pairs of :func:`train_distance`; 0 for equal trains.

    Raises ``SpikeError`` as of :func:`firing_rate`.
    """

    def distances(x: Raster) -> FloatArray:
        span = (0.0, float(len(x)))
        return np.array([[_distance(a, b, span)] for a, b in _trains(x)])

    return _jackknife(_parts(raster, distances), lambda total, pairs: total[:, 0] / pairs)


def train_synchronisation(first: ArrayLike, second: ArrayLike, span: tuple[float, float]) -> float:
    """SPIKE-synchronisation of two spike trains (Kreuz et al. 2015): from 0 to 1.

    Spikes i and j coincide if |t_i − t_j| < τ_ij, half the shortest of the (up to) four intervals
    from them to their neighbours in their own trains; intervals that a first or last spike does not
    have count as the span's length. A spike has at most one partner. The fraction of spikes that
    have one; 1 for two empty trains.

    Args:
        first: spike times, increasing, inside the span.
        second: the same of the other train.
        span: start and end of the recording.

    Raises:
        SpikeError: trains or a span that are not so.
    """
    a, b, ends = _checked_trains(first, second, span)
    if len(a) + len(b) == 0:
        return 1.0
    return (_adaptive(a, b, ends) + _adaptive(b, a, ends)) / (len(a) + len(b))


def train_distance(first: ArrayLike, second: ArrayLike, span: tuple[float, float]) -> float:
    """SPIKE-distance of two spike trains (Kreuz et al. 2013): from 0, for equal trains, to 1.

    The mean over time of

        S(t) = [S₁ x₂ + S₂ x₁] / (2 ⟨x⟩²),    ⟨x⟩ = (x₁ + x₂)/2,
        S_n = [Δ_P (t_F − t) + Δ_F (t − t_P)] / x_n,

    where t_P and t_F are the spikes of train n before and after t, x_n = t_F − t_P and Δ_P and Δ_F
    their distances to the nearest spike of the other train. S is linear between spikes, so the mean
    is exact. Both ends have an auxiliary spike, as far from the first (last) spike as that is from
    its neighbour, but not inside the span; its Δ is that of the first (last) spike, and it can be
    the nearest spike of the other train's. A single spike has its auxiliary ones at the span's
    ends. An empty train counts as one with spikes at both ends; two have distance 0.

    Arguments as of :func:`train_synchronisation`. Raises ``SpikeError``.
    """
    return _distance(*_checked_trains(first, second, span))


def _coincidences(x: Raster, window: int) -> FloatArray:
    """(pairs, 3): coincident spikes, all spikes, and coincident ones by chance."""
    reach = _whole("window", window, 0)
    spikes = x.view(np.bool_)
    near = spikes.copy()
    for shift in range(1, min(reach, len(x) - 1) + 1):
        near[shift:] |= spikes[:-shift]
        near[:-shift] |= spikes[shift:]
    counts = spikes.sum(axis=0).astype(np.float64)
    found = (spikes & near[..., ::-1]).sum(axis=(0, 2))
    chance = 1 - (1 - counts / len(x)) ** (2 * reach + 1)
    return np.stack([found, counts.sum(axis=-1), (counts * chance[:, ::-1]).sum(axis=-1)], axis=-1)


def _trains(x: Raster) -> list[tuple[FloatArray, FloatArray]]:
    """Spike times of each pair, tick k being at k + ½."""
    found = []
    for p in range(x.shape[1]):
        a, b = (np.flatnonzero(x[:, p, i]).astype(np.float64) + 0.5 for i in (0, 1))
        found.append((a, b))
    return found


def _adaptive(a: FloatArray, b: FloatArray, span: tuple[float, float]) -> int:
    """Spikes of a that have a coincident one in b."""
    if len(a) == 0 or len(b) == 0:
        return 0
    # a window is at most half of b's intervals, so only the nearest spike can be inside
    place = np.clip(np.searchsorted(b, a), 1, max(len(b) - 1, 1))
    left, right = b[place - 1], b[np.minimum(place, len(b) - 1)]
    nearest = np.where(a - left <= right - a, place - 1, np.minimum(place, len(b) - 1))
    reach = np.minimum(_shortest(a, span), _shortest(b, span)[nearest]) / 2
    return int((np.abs(a - b[nearest]) < reach).sum())


def _shortest(train: FloatArray, span: tuple[float, float]) -> FloatArray:
    """Of each spike, the shorter of the intervals to its neighbours."""
    gaps = np.concatenate([[span[1] - span[0]], np.diff(train), [span[1] - span[0]]])
    return np.asarray(np.minimum(gaps[:-1], gaps[1:]))


def _distance(a: FloatArray, b: FloatArray, span: tuple[float, float]) -> float:
    start, end = span
    if len(a) + len(b) == 0:
        return 0.0
    trains = [t if len(t) else np.array([start, end]) for t in (a, b)]
    longer = []
    for t in trains:
        before, after = (start, end) if len(t) == 1 else (2 * t[0] - t[1], 2 * t[-1] - t[-2])
        longer.append(np.concatenate([[min(start, before)], t, [max(end, after)]]))
    grid = np.unique(np.concatenate([[start, end], *trains]))
    lengths, middles = np.diff(grid), (grid[1:] + grid[:-1]) / 2
    sides, intervals = [], []
    for own, other in (longer, longer[::-1]):
        away = np.abs(own - _nearest(other, own))
        away[0], away[-1] = away[1], away[-2]
        place = np.clip(np.searchsorted(own, middles), 1, len(own) - 1)
        x = own[place] - own[place - 1]
        # S_n at the start and at the end of each piece
        sides.append(
            [
                (away[place - 1] * (own[place] - t) + away[place] * (t - own[place - 1])) / x
                for t in (grid[:-1], grid[1:])
            ]
        )
        intervals.append(x)
    mean = (intervals[0] + intervals[1]) / 2
    whole = 0.0
    for one, two in zip(*sides, strict=True):
        profile = (one * intervals[1] + two * intervals[0]) / (2 * mean**2)
        whole += float((profile * lengths).sum()) / 2
    return whole / (end - start)


def _nearest(train: FloatArray, times: FloatArray) -> FloatArray:
    """The spike of a train (of two or more) that is nearest to each time."""
    place = np.clip(np.searchsorted(train, times), 1, len(train) - 1)
    left, right = train[place - 1], train[place]
    return np.where(times - left <= right - times, left, right)


def _jackknife(parts: FloatArray, figure: Callable[[FloatArray, int], Any]) -> Measure:
    """A figure of sums over pairs; ``figure`` takes sums (…, parts) and the number of pairs."""
    pairs = len(parts)
    total = parts.sum(axis=0, keepdims=True)
    value = np.asarray(figure(total, pairs))[0]
    if pairs == 1:
        return Measure(value[()], np.full(np.shape(value), np.nan)[()])
    without = np.asarray(figure(total - parts, pairs - 1))
    spread = (without - without.mean(axis=0)) ** 2
    return Measure(value[()], np.sqrt((pairs - 1) / pairs * spread.sum(axis=0))[()])


def _ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    some = below > 0
    return np.where(some, above / np.where(some, below, 1.0), np.nan)


def _parts(raster: ArrayLike | BitRaster, of: Callable[[Raster], FloatArray]) -> FloatArray:
    """What is summed of each pair (pairs, …): a packed raster is read some pairs at a time."""
    return np.concatenate([of(_checked(x)) for (x,) in group_blocks(raster)])


def _checked(raster: ArrayLike) -> Raster:
    x = checked_raster("raster", raster)
    if x.shape[2] != 2:
        raise SpikeError(f"raster: wanted shape (ticks, pairs, 2), got {x.shape}")
    return x


def _checked_trains(
    first: ArrayLike, second: ArrayLike, span: tuple[float, float]
) -> tuple[FloatArray, FloatArray, tuple[float, float]]:
    ends = np.asarray(span, dtype=np.float64)
    if ends.shape != (2,) or not np.isfinite(ends).all() or ends[0] >= ends[1]:
        raise SpikeError(f"span: wanted a start and a later end, got {span!r}")
    found = []
    for name, train in (("first", first), ("second", second)):
        t = np.asarray(train, dtype=np.float64)
        if t.ndim != 1 or not (np.diff(t) > 0).all():
            raise SpikeError(f"{name}: wanted increasing spike times")
        if len(t) and not (ends[0] <= t[0] and t[-1] <= ends[1]):
            raise SpikeError(f"{name}: wanted times in [{ends[0]:g}, {ends[1]:g}], got {t[0]:g} …")
        found.append(t)
    return found[0], found[1], (float(ends[0]), float(ends[1]))


def _whole(name: str, value: int, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise SpikeError(f"{name}: wanted a whole number >= {least}, got {value!r}")
    return int(value)
