"""Statistics of many sources of windows against the same held-out ones, with their intervals.

The metrics are those of :func:`qbrain.reference.spiqgan.spike_statistics.compare`. Here the windows
are summed once over the blocks that resampling draws: a trial of recorded windows, a point of noise
of windows that share one, else a batch of independent windows. A draw then costs a weighted sum of
blocks, however many windows there are, and every source meets the same draws of the held-out
trials, so that two sources' errors can be subtracted draw by draw.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from qbrain.reference.spiqgan.spike_statistics import SpikeError, checked_raster, kl_divergence

__all__ = ["ERRORS", "METRICS", "Blocks", "Distances", "Summary", "errors_of", "measure"]

ERRORS = ("rate_error", "covariance_rmse", "kl_count_bin", "kl_count_window", "lag1_error")
METRICS = (*ERRORS, "lag1", "nearest", "copies")
DRAWS = 200
LEVEL = 0.95
MOST_BLOCKS = 200
LEAST_BLOCKS = 20
NUMBERS = 2**22  # of all blocks' second moments: 32 MiB a source
AT_ONCE = 20

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Summary:
    """Statistics of one (weighted) set of windows.

    Attributes:
        rates: (neurons,), spikes a bin.
        covariance: (bins·neurons, bins·neurons), index t·neurons + i.
        bin_counts: (neurons+1,), P(K) in a bin.
        window_counts: (bins·neurons+1,), P(K) in a window.
        autocorrelogram: (bins,), ρ(τ) with ρ(0) = 1.
        nearest: mean distance to the nearest training window, or None.
        copies: share of windows at distance 0, or None.
        samples: how many windows were seen.
    """

    rates: FloatArray
    covariance: FloatArray
    bin_counts: FloatArray
    window_counts: FloatArray
    autocorrelogram: FloatArray
    nearest: float | None
    copies: float | None
    samples: int


class Blocks:
    """Windows summed over the blocks that resampling draws.

    Args:
        windows: (samples, bins, neurons), 0 or 1.
        labels: the block of each window; without them windows are independent, and are dealt into
            batches of equal size. Blocks are merged where there are more than `MOST_BLOCKS`, or
            fewer for long windows of many neurons, whose second moments would fill the memory.
        nearest: distance of some of the windows to the nearest training window.
        places: which windows those are; all if not given.

    Raises:
        SpikeError: no binary windows, or labels that are not one a window.
    """

    def __init__(
        self,
        windows: ArrayLike,
        labels: ArrayLike | None = None,
        nearest: IntArray | None = None,
        places: IntArray | None = None,
    ) -> None:
        x = checked_raster("windows", windows)
        self.samples, self.bins, self.neurons = x.shape
        size = self.bins * self.neurons
        self.labelled = labels is not None
        block, self.blocks = _blocks(labels, self.samples, size)
        self.counts = np.bincount(block, minlength=self.blocks).astype(np.float64)
        flat = x.reshape(self.samples, size)
        self._sums = np.empty((self.blocks, size))
        self._products = np.empty((self.blocks, size * size))
        order = np.argsort(block, kind="stable")
        ends = np.cumsum(self.counts).astype(np.int64)
        for k, end in enumerate(ends):
            part = flat[order[end - int(self.counts[k]) : end]].astype(np.float32)
            self._sums[k] = part.sum(axis=0, dtype=np.float64)
            # counts, which float32 holds exactly up to 2^24
            self._products[k] = (part.T @ part).ravel()
        in_bin = x.sum(axis=2, dtype=np.int64)
        every = np.repeat(block, self.bins)
        self._bins = _histograms(every, in_bin.ravel(), self.blocks, self.neurons + 1)
        self._windows = _histograms(block, in_bin.sum(axis=1), self.blocks, size + 1)
        self._near: FloatArray | None = None
        if nearest is not None:
            where = block if places is None else block[places]
            columns = (np.ones(len(nearest)), nearest, nearest == 0)
            self._near = np.stack([np.bincount(where, c, self.blocks) for c in columns], axis=1)

    def summary(self) -> Summary:
        """The statistics of all windows."""
        return self.summaries(np.ones((1, self.blocks)))[0]

    def summaries(self, times: FloatArray) -> list[Summary]:
        """The statistics, each block taken so many times: (draws, blocks)."""
        total = (times @ self.counts)[:, None]
        near = None if self._near is None else times @ self._near
        columns = zip(
            times @ self._sums / total,
            times @ self._products / total,
            times @ self._bins / (total * self.bins),
            times @ self._windows / total,
            strict=True,
        )
        return [
            self._summary(*column, None if near is None else near[k])
            for k, column in enumerate(columns)
        ]

    def _summary(
        self,
        means: FloatArray,
        products: FloatArray,
        bin_counts: FloatArray,
        window_counts: FloatArray,
        near: FloatArray | None,
    ) -> Summary:
        second = products.reshape(len(means), len(means))
        by_bin = means.reshape(self.bins, self.neurons)
        rates = by_bin.mean(axis=0)
        nearest = copies = None
        if near is not None and near[0] > 0:
            nearest, copies = float(near[1] / near[0]), float(near[2] / near[0])
        return Summary(
            rates,
            second - np.outer(means, means),
            bin_counts,
            window_counts,
            _autocorrelogram(second, by_bin, rates),
            nearest,
            copies,
            self.samples,
        )

    def draws(self, rng: np.random.Generator, count: int) -> FloatArray:
        """How often each of so many bootstrap draws takes each block: (count, blocks)."""
        times = np.zeros((count, self.blocks))
        drawn = rng.integers(self.blocks, size=times.shape)
        np.add.at(times, (np.arange(count)[:, None], drawn), 1)
        return times


@dataclass(frozen=True)
class Distances:
    """What one source was found to be.

    Attributes:
        summary: of all its windows.
        low: lower ends of intervals: `rates`, `bin_counts`, `window_counts`, `autocorrelogram`.
        high: upper ends.
        metrics: its errors against the held-out windows, `lag1`, `nearest`, `copies`.
        draws: the same of every draw, less their mean.
    """

    summary: Summary
    low: dict[str, FloatArray]
    high: dict[str, FloatArray]
    metrics: dict[str, float]
    draws: dict[str, FloatArray]

    def interval(self, metric: str) -> tuple[float, float]:
        """The draws' spread around their mean, put around the metric; errors end at 0."""
        low, high = self.metrics[metric] + np.quantile(self.draws[metric], _TAILS)
        return (float(low) if metric == "lag1" else max(0.0, float(low))), float(high)

    def difference(self, other: Distances, metric: str) -> tuple[float, float, float]:
        """This metric minus the other source's, with the interval of the paired draws."""
        value = self.metrics[metric] - other.metrics[metric]
        low, high = value + np.quantile(self.draws[metric] - other.draws[metric], _TAILS)
        return value, float(low), float(high)

    def separation(
        self, other: Distances, metric: str, comparisons: int
    ) -> tuple[float, float, float]:
        """This metric minus the other source's, with an interval that holds among many.

        d ± z SE, where SE is the standard deviation of the paired draws' difference and z the
        normal quantile of 1 − 0.05/(2 `comparisons`) (Bonferroni): all of so many intervals hold
        together in at least 95 % of cases. Quantiles of the draws themselves would need thousands.
        """
        value = self.metrics[metric] - other.metrics[metric]
        spread = float(np.std(self.draws[metric] - other.draws[metric], ddof=1))
        reach = float(norm.isf((1 - LEVEL) / (2 * comparisons))) * spread
        return value, value - reach, value + reach


_TAILS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
_SHAPES = ("rates", "bin_counts", "window_counts", "autocorrelogram")
_NOTHING = np.empty((0, 0))


def errors_of(ours: Summary, theirs: Summary) -> dict[str, float]:
    """The metrics of `compare`: how far ours is from theirs.

    Windows of one bin have no `lag1_error` and no `lag1`.
    """
    # a draw may miss the few trials in which a neuron spikes at all
    fires = theirs.rates > 0
    rate = np.abs(ours.rates - theirs.rates)[fires] / theirs.rates[fires]
    bins = len(theirs.autocorrelogram)
    found = {
        "rate_error": float(rate.mean()) if fires.any() else 0.0,
        "covariance_rmse": float(np.sqrt(((ours.covariance - theirs.covariance) ** 2).mean())),
        "kl_count_bin": _divergence(theirs.bin_counts, ours.bin_counts, ours.samples * bins),
        "kl_count_window": _divergence(theirs.window_counts, ours.window_counts, ours.samples),
    }
    if bins > 1:
        found["lag1"] = float(ours.autocorrelogram[1])
        found["lag1_error"] = abs(found["lag1"] - float(theirs.autocorrelogram[1]))
    if ours.nearest is not None and ours.copies is not None:
        found |= {"nearest": ours.nearest, "copies": ours.copies}
    return found


def measure(
    held_out: Blocks, sources: Mapping[str, Blocks], *, draws: int = DRAWS, seed: int = 0
) -> dict[str, Distances]:
    """Every source, and the held-out windows themselves as `data`, by the same draws.

    Args:
        held_out: windows of the trials that nothing was fitted to, by trial.
        sources: by name.
        draws: number of resamplings; of both sides, as in `compare`.
        seed: of the resamplings. A source's draws do not depend on which others there are.

    Returns:
        By name, `data` first.

    Raises:
        SpikeError: windows of another shape, a held-out neuron that never fires, or a source
            called `data`.
    """
    everything = {"data": held_out, **sources}
    if len(everything) == len(sources):
        raise SpikeError("sources: wanted names other than 'data'")
    for name, blocks in sources.items():
        if (blocks.bins, blocks.neurons) != (held_out.bins, held_out.neurons):
            raise SpikeError(
                f"{name}: wanted (bins, neurons) of held_out, {held_out.bins, held_out.neurons}, "
                f"got {blocks.bins, blocks.neurons}"
            )
    truth = held_out.summary()
    if (truth.rates == 0).any():
        raise SpikeError(
            f"held_out: wanted neurons that spike, got none from neuron {np.argmin(truth.rates)}"
        )
    # sources with the same points of noise meet the same draws of them
    times = {
        name: blocks.draws(
            np.random.default_rng([seed, 1 if blocks.labelled else crc32(name.encode())]), draws
        )
        for name, blocks in sources.items()
    }
    times["data"] = held_out.draws(np.random.default_rng([seed, 0]), draws)
    drawn: dict[str, list[tuple[Summary, dict[str, float]]]] = {name: [] for name in everything}
    for first in range(0, draws, AT_ONCE):
        now = slice(first, first + AT_ONCE)
        theirs = held_out.summaries(times["data"][now])
        for name, blocks in everything.items():
            ours = theirs if name == "data" else blocks.summaries(times[name][now])
            for one, other in zip(ours, theirs, strict=True):
                drawn[name].append((_light(one), errors_of(one, other)))
    return {
        name: _distances(blocks.summary(), truth, drawn[name])
        for name, blocks in everything.items()
    }


def _distances(
    whole: Summary, truth: Summary, drawn: list[tuple[Summary, dict[str, float]]]
) -> Distances:
    ends = {
        shape: np.quantile([getattr(one, shape) for one, _ in drawn], _TAILS, axis=0)
        for shape in _SHAPES
    }
    metrics, spread = errors_of(whole, truth), {}
    for metric in metrics:
        values = np.array([found.get(metric, metrics[metric]) for _, found in drawn])
        spread[metric] = values - values.mean()
    return Distances(
        whole,
        {shape: pair[0] for shape, pair in ends.items()},
        {shape: pair[1] for shape, pair in ends.items()},
        metrics,
        spread,
    )


def _light(summary: Summary) -> Summary:
    """Without the covariance, of which hundreds would fill the memory."""
    return replace(summary, covariance=_NOTHING)


def _blocks(labels: ArrayLike | None, samples: int, size: int) -> tuple[IntArray, int]:
    most = int(np.clip(NUMBERS // size**2, LEAST_BLOCKS, MOST_BLOCKS))
    if labels is None:
        return np.arange(samples) % most, min(samples, most)
    given = np.asarray(labels)
    if given.shape != (samples,):
        raise SpikeError(f"labels: wanted {samples}, one a window, got shape {given.shape}")
    kinds, block = np.unique(given, return_inverse=True)
    return block.reshape(-1).astype(np.int64) % most, min(len(kinds), most)


def _histograms(block: IntArray, counts: IntArray, blocks: int, length: int) -> FloatArray:
    found = np.bincount(block * length + counts, minlength=blocks * length)
    return found.reshape(blocks, length).astype(np.float64)


def _autocorrelogram(second: FloatArray, by_bin: FloatArray, rates: FloatArray) -> FloatArray:
    """As of `spike_statistics.autocorrelogram`: moments about the rates over all bins."""
    bins, neurons = by_bin.shape
    both = np.einsum("tiui->tu", second.reshape(bins, neurons, bins, neurons))
    crossed = by_bin @ rates
    early, late = np.triu_indices(bins)
    sums: FloatArray = np.bincount(late - early, both[early, late], bins).astype(np.float64)
    # of the bins that have another so much later, and of those that have one so much earlier
    sums = sums - np.cumsum(crossed)[::-1] - np.cumsum(crossed[::-1])[::-1]
    traces = sums / (bins - np.arange(bins))
    traces += rates @ rates
    # below this the variance is rounding
    if traces[0] <= 1e-14:
        return np.asarray(np.arange(bins) == 0, dtype=np.float64)
    return np.asarray(traces / traces[0])


def _divergence(p: FloatArray, q: FloatArray, observations: int) -> float:
    """D(p‖q), with half an observation wherever p has some and q has none."""
    seen = np.where((q == 0) & (p > 0), 0.5 / observations, q)
    return max(0.0, kl_divergence(p, seen / seen.sum()))
