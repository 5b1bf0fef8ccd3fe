"""Windows of spikes from what circuits of a generator measured, and from the exact answers.

All three, measured, corrected and exact, are drawn for the same choice of noise values by the same
uniform numbers, so that they differ by their probabilities alone and not by chance. (Shots of a
recurrent generator with ``words`` are windows already.)
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from .circuits import Bound
from .counts import (
    corrected_ones,
    corrected_words,
    draw_independent,
    draw_words,
    ones_of,
    shots_as_windows,
    word_shares,
)

__all__ = ["Windows", "is_history", "measured_windows", "seeds"]

Array = NDArray[np.float64]
Counts = Mapping[tuple[int, int], Mapping[int, int]]
# windows (windows, bins, neurons) and the noise value (windows,) that each came from
Windows = tuple[NDArray[np.uint8], NDArray[np.int64]]


def seeds(seed: int) -> tuple[int, int, int]:
    """Seeds of the noise values, of the choice among them, and of the spikes."""
    noise, choice, spikes = np.random.SeedSequence(seed).generate_state(3)
    return int(noise), int(choice), int(spikes)


def is_history(bound: Bound) -> bool:
    """Whether each shot is a window as it is: a recurrent generator's words."""
    return bound.model.weights_per == "recurrent" and bound.model.readout == "words"


def measured_windows(
    bound: Bound, counts: Counts, readout: Array | None, samples: int, seed: int
) -> tuple[dict[str, Windows], dict[str, Array]]:
    """Windows and ⟨Z⟩, each as ``raw``, ``exact`` and, with ``readout``, ``mitigated``.

    Args:
        bound: the circuits.
        counts: outcome → shots of each (point, block).
        readout: (bits, 2): p(1|0), p(0|1) of the qubit that each classical bit is, or None.
        samples: windows to draw; of a recurrent generator with ``words`` there are as many as
            shots, and as many exact ones.
        seed: of the run.

    Raises:
        EstimateError: errors of reading that cannot be inverted.
    """
    if is_history(bound):
        return _histories(bound, counts, seed)
    points = len(bound.noise)
    _, choice, spikes = seeds(seed)
    chosen = np.random.default_rng(choice).integers(points, size=samples)
    if bound.model.readout == "words":
        words = _words(bound, counts, readout)
        n = bound.model.neurons
        drawn = {name: draw_words(each, chosen, n, spikes) for name, each in words.items()}
        found = {name: _mean_z(each, n) for name, each in words.items()}
    else:
        found = _expectations(bound, counts, readout)
        gain, offset = bound.weights["gain"], bound.weights["offset"]
        drawn = {
            name: draw_independent(1 / (1 + np.exp(-gain * z - offset)), chosen, spikes)
            for name, z in found.items()
        }
    return {name: (raster, chosen) for name, raster in drawn.items()}, found


def _histories(
    bound: Bound, counts: Counts, seed: int
) -> tuple[dict[str, Windows], dict[str, Array]]:
    shape = (bound.model.bins, bound.model.neurons)
    points = range(len(bound.noise))
    raw = [shots_as_windows(counts[p, 0], *shape) for p in points]
    exact = [bound.windows_of(p).sample(len(raw[p]), seeds(seed + p)[2]) for p in points]
    of = np.repeat(points, [len(each) for each in raw])
    found = np.array([1 - 2 * each.mean(axis=0) for each in raw])
    return (
        {"raw": (np.concatenate(raw), of), "exact": (np.concatenate(exact), of)},
        {"raw": found, "exact": _mean_z(_exact_words(bound), bound.model.neurons)},
    )


def _expectations(bound: Bound, counts: Counts, readout: Array | None) -> dict[str, Array]:
    bits, blocks = len(bound.template.order), range(bound.template.blocks)
    ones = np.array(
        [[ones_of(counts[p, b], bits) for b in blocks] for p in range(len(bound.noise))]
    )
    exact = _mean_z(_exact_words(bound), bound.model.neurons)
    # a recurrent generator has the bits of all bins in one circuit
    found = {"raw": (1 - 2 * ones).reshape(exact.shape), "exact": exact}
    if readout is not None:
        found["mitigated"] = (1 - 2 * corrected_ones(ones, readout)).reshape(exact.shape)
    return found


def _words(bound: Bound, counts: Counts, readout: Array | None) -> dict[str, Array]:
    n = bound.model.neurons
    exact = _exact_words(bound)
    raw = np.array(
        [[word_shares(counts[p, b], n) for b in range(exact.shape[1])] for p in range(len(exact))]
    )
    found = {"raw": raw, "exact": exact}
    if readout is not None:
        found["mitigated"] = corrected_words(raw, readout)
    return found


def _exact_words(bound: Bound) -> Array:
    """(points, bins, 2^N); of a recurrent generator whatever was read before."""
    if bound.model.weights_per == "recurrent":
        return np.array([bound.windows_of(p).words() for p in range(len(bound.noise))])
    return np.asarray(np.abs(bound.states) ** 2)


def _mean_z(words: Array, neurons: int) -> Array:
    bits = np.arange(2**neurons)[:, None] >> np.arange(neurons) & 1
    return np.asarray(words @ (1.0 - 2 * bits))
