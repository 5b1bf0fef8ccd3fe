"""From the counts of a spike generator's circuits to probabilities of spikes, and to windows.

Outcomes are integers in which bit i of a bin's word is neuron i, as Qiskit counts them. A qubit's
readout errors are a = p(1|0) and b = p(0|1), each qubit by itself, so that of f, the fraction of
ones seen, (f − a)/(1 − a − b) is the fraction there was. Of words the same is done for all qubits
at once, by the tensor product of the inverses; what that leaves below 0 is mended by the nearest
distribution (least Euclidean distance; Smolin, Gambetta and Smith, Phys. Rev. Lett. 108, 070502
(2012)).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qbrain.classical_feedback.estimator import EstimateError

__all__ = [
    "corrected_ones",
    "corrected_words",
    "draw_independent",
    "draw_words",
    "nearest_distribution",
    "ones_of",
    "shots_as_windows",
    "word_shares",
]

Array = NDArray[np.float64]
Raster = NDArray[np.uint8]


def ones_of(counts: Mapping[int, int], bits: int) -> Array:
    """Fraction of ones in each of the classical bits 0…bits−1."""
    shots = _shots(counts)
    return np.asarray(shots @ _bits(counts, bits) / shots.sum())


def word_shares(counts: Mapping[int, int], bits: int) -> Array:
    """Fraction of shots of each outcome, (2^bits,)."""
    shots = _shots(counts)
    return np.asarray(np.bincount(list(counts), weights=shots, minlength=2**bits) / shots.sum())


def shots_as_windows(counts: Mapping[int, int], bins: int, neurons: int) -> Raster:
    """Every shot a window (shots, bins, neurons); bit t·N + i is neuron i in bin t."""
    rows = np.repeat(_bits(counts, bins * neurons), _shots(counts), axis=0)
    return rows.reshape(-1, bins, neurons)


def corrected_ones(ones: Array, readout: Array) -> Array:
    """Fractions of ones (…, bits) with readout errors taken out, within [0, 1].

    ``readout`` (bits, 2): p(1|0), p(0|1) of the qubit that each bit is.

    Raises:
        EstimateError: if p(1|0) + p(0|1) is not below 1 everywhere.
    """
    false, lost = _checked(readout).T
    return np.asarray(np.clip((ones - false) / (1 - false - lost), 0.0, 1.0))


def corrected_words(shares: Array, readout: Array) -> Array:
    """Distributions of words (…, 2^N) with readout errors taken out, still distributions.

    ``readout`` (N, 2) as for :func:`corrected_ones`. Raises ``EstimateError`` as that does.
    """
    bits = len(readout)
    found = shares.reshape(-1, *(2,) * bits)
    for j, (false, lost) in enumerate(_checked(readout)):
        # bit j of the index is the axis before the last j
        inverse = np.array([[1 - lost, -lost], [-false, 1 - false]]) / (1 - false - lost)
        found = np.moveaxis(np.tensordot(found, inverse, axes=([bits - j], [1])), -1, bits - j)
    return nearest_distribution(found.reshape(shares.shape))


def nearest_distribution(rows: ArrayLike) -> Array:
    """Nearest point of the probability simplex to each row (…, n) that sums to 1.

    All above 0 are lowered by one number, which is chosen so that the sum is 1; the rest is 0.
    """
    given = np.asarray(rows, dtype=np.float64)
    falling = -np.sort(-given, axis=-1)
    surplus = np.cumsum(falling, axis=-1) - 1
    # this holds for the first few, never again after it fails
    kept = (falling * np.arange(1, given.shape[-1] + 1) > surplus).sum(axis=-1, keepdims=True)
    lower = np.take_along_axis(surplus, kept - 1, axis=-1) / kept
    return np.asarray(np.clip(given - lower, 0.0, None))


def draw_independent(spiking: Array, points: NDArray[np.int64], seed: int) -> Raster:
    """Windows (windows, bins, neurons), each spike by itself.

    ``spiking`` (points, bins, neurons): its probability; ``points`` (windows,): whose they are.
    With one seed the same uniform numbers decide, whatever the probabilities.
    """
    uniform = np.random.default_rng(seed).random((len(points), *spiking.shape[1:]))
    return (uniform < spiking[points]).astype(np.uint8)


def draw_words(words: Array, points: NDArray[np.int64], neurons: int, seed: int) -> Raster:
    """Windows (windows, bins, neurons), a word a bin, drawn independently of other bins.

    ``words`` (points, bins, 2^N): their probabilities; ``points`` and ``seed`` as for
    :func:`draw_independent`.
    """
    bins = words.shape[1]
    uniform = np.random.default_rng(seed).random((len(points), bins))
    edges = np.cumsum(words, axis=2)
    chosen = np.empty((len(points), bins), dtype=np.int64)
    for point in range(len(words)):
        here = np.flatnonzero(points == point)
        for t in range(bins):
            of_bin = edges[point, t]
            chosen[here, t] = np.searchsorted(of_bin, uniform[here, t] * of_bin[-1], side="right")
    # rounding may put a number on the very end
    found = np.minimum(chosen, words.shape[2] - 1)
    return np.asarray(found[..., None] >> np.arange(neurons) & 1, dtype=np.uint8)


def _shots(counts: Mapping[int, int]) -> NDArray[np.int64]:
    shots = np.array(list(counts.values()), dtype=np.int64)
    if not shots.sum():
        raise EstimateError("counts: wanted at least one shot, got none")
    return shots


def _bits(counts: Mapping[int, int], bits: int) -> NDArray[np.uint8]:
    """A row of bits for each outcome, (outcomes, bits)."""
    # words of many bins do not fit into the integers of numpy
    octets = b"".join(outcome.to_bytes(-(-bits // 8), "little") for outcome in counts)
    rows = np.frombuffer(octets, dtype=np.uint8).reshape(len(counts), -1)
    return np.unpackbits(rows, axis=1, bitorder="little", count=bits)


def _checked(readout: Array) -> Array:
    worst = float(readout.sum(axis=1).max())
    if not worst < 1:
        raise EstimateError(f"readout: wanted p(1|0) + p(0|1) < 1 on every qubit, got {worst:.3g}")
    return readout
