"""Statistics of binary spike rasters, and how far generated spikes are from held-out ones.

A raster is x[s, t, i] ∈ {0, 1}: sample s (a trial, or a window cut from one), time bin t, neuron i.
Averages ⟨·⟩ run over samples, each with a weight (1 if none is given); time is in bins, rates in
spikes a bin, so that nothing here depends on the bin's width. Resampling draws whole trials, for
windows of one trial are not independent of each other.

The generator that these judge: Hernandes and Greplova, arXiv:2409.09125.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Estimate",
    "SpikeError",
    "autocorrelogram",
    "bin_counts",
    "bootstrap",
    "compare",
    "covariance",
    "firing_rates",
    "kl_divergence",
    "lag_covariances",
    "nearest_distances",
    "noise_floor",
    "space_time_covariance",
    "window_counts",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Raster = NDArray[np.uint8]
Statistic = Callable[[Raster, FloatArray], ArrayLike]


class SpikeError(ValueError):
    """Spikes, or a request about them, that make no sense; the message names the argument."""


@dataclass(frozen=True)
class Estimate:
    """A figure with its bootstrap interval; floats, or arrays of one shape."""

    value: Any
    low: Any
    high: Any


def checked_raster(name: str, raster: ArrayLike) -> Raster:
    """`raster` as uint8 of shape (samples, bins, neurons); ``SpikeError`` if it is none."""
    x = np.asarray(raster)
    if x.ndim != 3 or 0 in x.shape:
        raise SpikeError(f"{name}: wanted shape (samples, bins, neurons), got {x.shape}")
    if x.dtype == np.bool_:
        return x.view(np.uint8)
    if x.dtype.kind not in "iuf":
        raise SpikeError(f"{name}: wanted zeros and ones, got {x.dtype}")
    wrong = (x != 0) & (x != 1)
    if wrong.any():
        raise SpikeError(f"{name}: wanted zeros and ones, got {x[wrong][0]}")
    return x.astype(np.uint8, copy=False)


def firing_rates(raster: ArrayLike, weights: ArrayLike | None = None) -> FloatArray:
    """p_i = ⟨x_i⟩ over samples and bins: shape (neurons,), spikes a bin.

    Raises:
        SpikeError: no binary raster of three axes, or weights that are not one a sample.
    """
    x, w = _weighted(raster, weights)
    return np.asarray(w @ x.mean(axis=1))


def covariance(raster: ArrayLike, weights: ArrayLike | None = None) -> FloatArray:
    """C_ij = ⟨x_i x_j⟩ − p_i p_j in one bin, over samples and bins: shape (neurons, neurons).

    Raises:
        SpikeError: as of :func:`firing_rates`.
    """
    return np.asarray(lag_covariances(raster, 0, weights)[0])


def space_time_covariance(windows: ArrayLike, weights: ArrayLike | None = None) -> FloatArray:
    """C_(ti)(uj) = ⟨x_ti x_uj⟩ − ⟨x_ti⟩⟨x_uj⟩ over windows.

    Returns:
        Shape (bins·neurons, bins·neurons), index t·neurons + i.

    Raises:
        SpikeError: as of :func:`firing_rates`.
    """
    x, w = _weighted(windows, weights)
    return _flat_covariance(_flat(x), w)


def lag_covariances(
    raster: ArrayLike, largest: int, weights: ArrayLike | None = None
) -> FloatArray:
    """C_ij(τ) = ⟨(x_i(t) − p_i)(x_j(t+τ) − p_j)⟩ over samples and all t with t+τ in the sample.

    p are the rates over all bins, so a drive locked to the trial counts as correlation.

    Args:
        raster: (samples, bins, neurons).
        largest: largest lag τ in bins, below the bins of a sample.
        weights: one a sample.

    Returns:
        Shape (largest+1, neurons, neurons); C(−τ) is the transpose of C(τ).

    Raises:
        SpikeError: as of :func:`firing_rates`, or a lag outside 0…bins−1.
    """
    x, w = _weighted(raster, weights)
    bins, neurons = x.shape[1:]
    lags = _checked_lag(largest, bins)
    rates = w @ x.mean(axis=1)
    scaled = x * w[:, None, None]
    found = np.empty((lags + 1, neurons, neurons))
    for lag in range(lags + 1):
        early = scaled[:, : bins - lag].reshape(-1, neurons)
        late = x[:, lag:].reshape(-1, neurons)
        pairs = bins - lag
        first, second = early.sum(axis=0) / pairs, w @ x[:, lag:].mean(axis=1)
        both = early.T @ late / pairs
        found[lag] = both - np.outer(rates, second) - np.outer(first, rates)
        found[lag] += np.outer(rates, rates)
    return found


def autocorrelogram(
    raster: ArrayLike, largest: int, weights: ArrayLike | None = None
) -> FloatArray:
    """ρ(τ) = Σ_i C_ii(τ) / Σ_i C_ii(0), the population's own: shape (largest+1,), ρ(0) = 1.

    Silence and constant firing have no variance; their ρ is 0 past τ = 0.

    Raises:
        SpikeError: as of :func:`lag_covariances`.
    """
    traces = np.trace(lag_covariances(raster, largest, weights), axis1=1, axis2=2)
    return _correlogram(np.asarray(traces))


def bin_counts(raster: ArrayLike, weights: ArrayLike | None = None) -> FloatArray:
    """P(K), the chance that K neurons fire in one bin: shape (neurons+1,).

    Raises:
        SpikeError: as of :func:`firing_rates`.
    """
    x, w = _weighted(raster, weights)
    return _bin_histogram(x, w)


def window_counts(windows: ArrayLike, weights: ArrayLike | None = None) -> FloatArray:
    """P(K), the chance of K spikes in a whole window: shape (bins·neurons+1,).

    Raises:
        SpikeError: as of :func:`firing_rates`.
    """
    x, w = _weighted(windows, weights)
    return _window_histogram(x, w)


def kl_divergence(p: ArrayLike, q: ArrayLike) -> float:
    """D(p‖q) = Σ_k p_k ln(p_k/q_k) in nats; infinite where p lives outside q.

    Raises:
        SpikeError: lengths that differ, or distributions that are negative or do not sum to 1.
    """
    given = []
    for name, value in (("p", p), ("q", q)):
        a = np.asarray(value, dtype=np.float64)
        if a.ndim != 1 or not (a >= 0).all() or abs(a.sum() - 1) > 1e-9:
            raise SpikeError(f"{name}: wanted probabilities that sum to 1, got sum {a.sum():g}")
        given.append(a)
    if given[0].shape != given[1].shape:
        raise SpikeError(f"q: wanted {len(given[0])} probabilities, got {len(given[1])}")
    return _kl(*given)


def nearest_distances(windows: ArrayLike, training: ArrayLike) -> IntArray:
    """d_s = min over training windows of the number of entries that differ: shape (windows,).

    A generator that learnt its training set by heart lies nearer to it than held-out data does.
    Short windows of few neurons repeat of their own accord, so d = 0 is no fault by itself.

    Raises:
        SpikeError: no binary rasters of three axes, or bins or neurons that differ.
    """
    x, y = checked_raster("windows", windows), checked_raster("training", training)
    _same_shape("training", y, "windows", x)
    ours, place = np.unique(_flat(x), axis=0, return_inverse=True)
    theirs = np.unique(_flat(y), axis=0)
    # |a − b| = |a| + |b| − 2 a·b, exact in float32 far beyond any window's size
    right, size = theirs.astype(np.float32), theirs.sum(axis=1, dtype=np.float32)
    nearest = np.empty(len(ours), dtype=np.int64)
    step = max(1, 2**24 // len(theirs))
    for start in range(0, len(ours), step):
        left = ours[start : start + step].astype(np.float32)
        distance = left.sum(axis=1)[:, None] + size - 2 * left @ right.T
        nearest[start : start + step] = np.rint(distance.min(axis=1))
    return np.asarray(nearest[place.reshape(-1)])


def bootstrap(
    statistic: Statistic,
    raster: ArrayLike,
    trials: ArrayLike | None = None,
    *,
    draws: int = 200,
    level: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """A statistic with its percentile interval over resampled trials.

    Args:
        statistic: any function here of (raster, weights); weights count how often a draw took
            the trial that a sample belongs to.
        raster: (samples, bins, neurons).
        trials: the trial of each sample; without it each sample is a trial of its own.
        draws: number of resamplings.
        level: the interval's coverage, in (0, 1).
        seed: of the resampling.

    Raises:
        SpikeError: bad arguments; the message names them.
    """
    x = checked_raster("raster", raster)
    tail = _checked_level(draws, level)
    labels, count = _labels("trials", trials, len(x))
    rng = np.random.default_rng(seed)
    value = np.asarray(statistic(x, np.ones(len(x))), dtype=np.float64)
    found = [statistic(x, _draw(rng, labels, count)) for _ in range(draws)]
    low, high = np.quantile(np.asarray(found, dtype=np.float64), [tail, 1 - tail], axis=0)
    return Estimate(value[()], low[()], high[()])


def compare(
    generated: ArrayLike,
    held_out: ArrayLike,
    held_out_trials: ArrayLike | None = None,
    *,
    generated_trials: ArrayLike | None = None,
    training: ArrayLike | None = None,
    draws: int = 200,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, Estimate]:
    """How far generated windows are from held-out ones, with intervals over resampled trials.

    With p, C, P of the held-out windows and hats on the generated ones:

    - `rate_error`: mean over neurons of |p̂_i − p_i| / p_i
    - `covariance_rmse`: root mean square of Ĉ − C, over all entries of the space-time covariance
    - `kl_count_bin`, `kl_count_window`: D(P‖P̂) in nats. Where data has a count that no generated
      sample shows, P̂ is not known to be 0, and is taken as half an observation.
    - `lag1`, `lag1_data`: autocorrelation of each at a lag of one bin, and `lag1_error`, their
      absolute difference (left out for windows of one bin)
    - with `training`, `nearest`, `nearest_data`: mean distance to the nearest training window of
      generated and held-out windows; `copies`, `copies_data`: shares at distance 0

    Both sides are resampled. A distance from data is never negative, and resampling adds noise of
    its own to it; the interval therefore is the spread of the draws around their mean, put around
    the value found and cut at 0.

    Args:
        generated: (samples, bins, neurons).
        held_out: (windows, bins, neurons), from trials that training never saw.
        held_out_trials: the trial of each held-out window; without it each is its own trial.
        generated_trials: the same for `generated`.
        training: (windows, bins, neurons), for the distances to the nearest.
        draws: number of resamplings.
        level: the intervals' coverage, in (0, 1).
        seed: of the resampling.

    Raises:
        SpikeError: bad arguments, shapes that differ, a held-out neuron that never fires.
    """
    x, y = checked_raster("generated", generated), checked_raster("held_out", held_out)
    _same_shape("generated", x, "held_out", y)
    tail = _checked_level(draws, level)
    labels_x, count_x = _labels("generated_trials", generated_trials, len(x))
    labels_y, count_y = _labels("held_out_trials", held_out_trials, len(y))
    silent = np.flatnonzero(y.sum(axis=(0, 1)) == 0)
    if len(silent):
        raise SpikeError(f"held_out: wanted neurons that spike, got none from neuron {silent[0]}")
    near_x = near_y = None
    if training is not None:
        near_x, near_y = nearest_distances(x, training), nearest_distances(y, training)
    ours, theirs = _Windows(x, near_x), _Windows(y, near_y)

    value = _errors(ours.summary(np.ones(len(x))), theirs.summary(np.ones(len(y))))
    rng = np.random.default_rng(seed)
    drawn = [
        _errors(
            ours.summary(_draw(rng, labels_x, count_x)),
            theirs.summary(_draw(rng, labels_y, count_y)),
        )
        for _ in range(draws)
    ]
    found = {}
    for name, number in value.items():
        resampled = np.array([draw[name] for draw in drawn])
        low, high = number + np.quantile(resampled, [tail, 1 - tail]) - resampled.mean()
        if not name.startswith("lag1") or name == "lag1_error":
            low = max(0.0, low)
        found[name] = Estimate(number, float(low), float(high))
    return found


def noise_floor(
    training: ArrayLike,
    held_out: ArrayLike,
    training_trials: ArrayLike | None = None,
    held_out_trials: ArrayLike | None = None,
    *,
    draws: int = 200,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, Estimate]:
    """The errors of the training data itself against held-out data: what no generator can beat.

    A generator is as good as the data lets one see once its errors of :func:`compare` are these.
    The distances to the nearest training window have their floor in `nearest_data` there.

    Raises:
        SpikeError: as of :func:`compare`.
    """
    return compare(
        training, held_out, held_out_trials, generated_trials=training_trials,
        draws=draws, level=level, seed=seed,
    )  # fmt: skip


@dataclass(frozen=True)
class _Summary:
    rates: FloatArray
    covariance: FloatArray
    bin_counts: FloatArray
    window_counts: FloatArray
    samples: int
    lag1: float | None
    nearest: float | None
    copies: float | None


class _Windows:
    """Windows made ready for many weighted summaries."""

    def __init__(self, windows: Raster, nearest: IntArray | None) -> None:
        self.windows = windows
        self.flat = _flat(windows).astype(np.float64)
        self.nearest = nearest

    def summary(self, weights: FloatArray) -> _Summary:
        """All statistics that `compare` needs, of the windows so weighted."""
        w = weights / weights.sum()
        samples, bins, neurons = self.windows.shape
        means = (w @ self.flat).reshape(bins, neurons)
        spread = _flat_covariance(self.flat, w)
        rates = means.mean(axis=0)
        lag1 = nearest = copies = None
        if bins > 1:
            # moments about the rates, not about the mean of each bin
            off = means - rates
            blocks = spread.reshape(bins, neurons, bins, neurons)
            now = np.einsum("titi->", blocks) + (off**2).sum()
            next_bin = sum(np.trace(blocks[t, :, t + 1]) for t in range(bins - 1))
            after = next_bin + (off[:-1] * off[1:]).sum()
            lag1 = float(_correlogram(np.array([now / bins, after / (bins - 1)]))[1])
        if self.nearest is not None:
            nearest, copies = float(w @ self.nearest), min(1.0, float(w @ (self.nearest == 0)))
        return _Summary(
            rates, spread, _bin_histogram(self.windows, w), _window_histogram(self.windows, w),
            samples, lag1, nearest, copies,
        )  # fmt: skip


def _errors(ours: _Summary, theirs: _Summary) -> dict[str, float]:
    # a draw may miss the few trials in which a neuron spikes at all
    fires = theirs.rates > 0
    rate = np.abs(ours.rates - theirs.rates)[fires] / theirs.rates[fires]
    bins = (len(theirs.window_counts) - 1) // (len(theirs.bin_counts) - 1)
    bins_seen = _seen(ours.bin_counts, theirs.bin_counts, ours.samples * bins)
    windows_seen = _seen(ours.window_counts, theirs.window_counts, ours.samples)
    found = {
        "rate_error": float(rate.mean()) if fires.any() else 0.0,
        "covariance_rmse": float(np.sqrt(((ours.covariance - theirs.covariance) ** 2).mean())),
        "kl_count_bin": _kl(theirs.bin_counts, bins_seen),
        "kl_count_window": _kl(theirs.window_counts, windows_seen),
    }
    if ours.lag1 is not None and theirs.lag1 is not None:
        found |= {"lag1": ours.lag1, "lag1_data": theirs.lag1}
        found["lag1_error"] = abs(ours.lag1 - theirs.lag1)
    if ours.nearest is not None and theirs.nearest is not None:
        found |= {"nearest": ours.nearest, "nearest_data": theirs.nearest}
    if ours.copies is not None and theirs.copies is not None:
        found |= {"copies": ours.copies, "copies_data": theirs.copies}
    return found


def _seen(q: FloatArray, p: FloatArray, observations: int) -> FloatArray:
    """q with half an observation wherever p has some and q has none."""
    found = np.where((q == 0) & (p > 0), 0.5 / observations, q)
    return np.asarray(found / found.sum())


def _kl(p: FloatArray, q: FloatArray) -> float:
    lives = p > 0
    if (q[lives] == 0).any():
        return float("inf")
    return max(0.0, float(np.sum(p[lives] * np.log(p[lives] / q[lives]))))


def _flat(windows: NDArray[Any]) -> NDArray[Any]:
    return windows.reshape(len(windows), -1)


def _flat_covariance(flat: NDArray[Any], w: FloatArray) -> FloatArray:
    means = w @ flat
    return np.asarray((flat * w[:, None]).T @ flat - np.outer(means, means))


def _bin_histogram(x: Raster, w: FloatArray) -> FloatArray:
    _, bins, neurons = x.shape
    counts = x.sum(axis=2, dtype=np.int64)
    found = np.bincount(counts.ravel(), np.repeat(w / bins, bins), neurons + 1)
    return np.asarray(found / found.sum())


def _window_histogram(x: Raster, w: FloatArray) -> FloatArray:
    counts = x.sum(axis=(1, 2), dtype=np.int64)
    found = np.bincount(counts, w, x.shape[1] * x.shape[2] + 1)
    return np.asarray(found / found.sum())


def _correlogram(traces: FloatArray) -> FloatArray:
    # below this the variance is rounding
    if traces[0] <= 1e-14:
        return np.asarray(np.arange(len(traces)) == 0, dtype=np.float64)
    return np.asarray(traces / traces[0])


def _weighted(raster: ArrayLike, weights: ArrayLike | None) -> tuple[Raster, FloatArray]:
    x = checked_raster("raster", raster)
    w = np.ones(len(x)) if weights is None else np.asarray(weights, dtype=np.float64)
    if w.shape != (len(x),) or not (np.isfinite(w) & (w >= 0)).all() or w.sum() == 0:
        raise SpikeError(
            f"weights: wanted {len(x)} numbers >= 0, not all 0, "
            f"got shape {w.shape} and sum {w.sum():g}"
        )
    return x, w / w.sum()


def _draw(rng: np.random.Generator, labels: IntArray, count: int) -> FloatArray:
    times = np.bincount(rng.integers(count, size=count), minlength=count)
    return np.asarray(times[labels], dtype=np.float64)


def _labels(name: str, trials: ArrayLike | None, samples: int) -> tuple[IntArray, int]:
    if trials is None:
        return np.arange(samples), samples
    given = np.asarray(trials)
    if given.shape != (samples,):
        raise SpikeError(f"{name}: wanted {samples} labels, one a sample, got {given.shape}")
    kinds, labels = np.unique(given, return_inverse=True)
    return labels.astype(np.int64), len(kinds)


def _checked_lag(largest: int, bins: int) -> int:
    if isinstance(largest, bool) or int(largest) != largest or not 0 <= largest < bins:
        raise SpikeError(f"largest: wanted a lag of 0 to {bins - 1} bins, got {largest}")
    return int(largest)


def _checked_level(draws: int, level: float) -> float:
    if isinstance(draws, bool) or int(draws) != draws or draws < 1:
        raise SpikeError(f"draws: wanted a whole number >= 1, got {draws}")
    if not 0 < level < 1:
        raise SpikeError(f"level: wanted a number between 0 and 1, got {level}")
    return (1 - level) / 2


def _same_shape(name: str, x: Raster, other: str, y: Raster) -> None:
    if x.shape[1:] != y.shape[1:]:
        raise SpikeError(
            f"{name}: wanted (bins, neurons) of {other}, {y.shape[1:]}, got {x.shape[1:]}"
        )
