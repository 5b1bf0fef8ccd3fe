"""Windows of spikes from what circuits of a generator measured, and from the exact answers.

All three, measured, corrected and exact, are drawn for the same choice of noise values by the same
uniform numbers, so that they differ by their probabilities alone and not by chance. (Shots of a
recurrent generator with ``words`` are windows already.)
"""

from __future__ import annotations

from collections.abc import Callable

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
from .measured import Measured

__all__ = ["Windows", "is_history", "measured_windows", "seeds"]

Array = NDArray[np.float64]
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
    bound: Bound, measured: Measured, samples: int, seed: int
) -> tuple[dict[str, Windows], dict[str, Array]]:
    """Windows and ⟨Z⟩, each as ``raw``, ``exact`` and, where calibrated, ``mitigated``.

    Args:
        bound: the circuits.
        measured: what came of them.
        samples: windows to draw; of a recurrent generator with ``words`` there are as many as
            shots, and as many exact ones.
        seed: of the run.

    Raises:
        EstimateError: an assignment matrix that cannot be inverted.
    """
    if is_history(bound):
        return _histories(bound, measured, seed)
    points = len(bound.noise)
    _, choice, spikes = seeds(seed)
    chosen = np.random.default_rng(choice).integers(points, size=samples)
    if bound.model.readout == "words":
        words = _words(bound, measured)
        n = bound.model.neurons
        drawn = {name: draw_words(each, chosen, n, spikes) for name, each in words.items()}
        found = {name: _mean_z(each, n) for name, each in words.items()}
    else:
        found = _expectations(bound, measured)
        gain, offset = bound.weights["gain"], bound.weights["offset"]
        drawn = {
            name: draw_independent(1 / (1 + np.exp(-gain * z - offset)), chosen, spikes)
            for name, z in found.items()
        }
    return {name: (raster, chosen) for name, raster in drawn.items()}, found


def _histories(
    bound: Bound, measured: Measured, seed: int
) -> tuple[dict[str, Windows], dict[str, Array]]:
    shape = (bound.model.bins, bound.model.neurons)
    points = range(len(bound.noise))
    raw = [shots_as_windows(measured.counts[p, 0], *shape) for p in points]
    exact = [bound.windows_of(p).sample(len(raw[p]), seeds(seed + p)[2]) for p in points]
    of = np.repeat(points, [len(each) for each in raw])
    found = np.array([1 - 2 * each.mean(axis=0) for each in raw])
    return (
        {"raw": (np.concatenate(raw), of), "exact": (np.concatenate(exact), of)},
        {"raw": found, "exact": _mean_z(_exact_words(bound), bound.model.neurons)},
    )


def _expectations(bound: Bound, measured: Measured) -> dict[str, Array]:
    points, blocks = range(len(bound.noise)), range(bound.template.blocks)
    ones = np.array(
        [
            [ones_of(measured.counts[p, b], len(measured.orders[p, b])) for b in blocks]
            for p in points
        ]
    )
    exact = _mean_z(_exact_words(bound), bound.model.neurons)
    # a recurrent generator has the bits of all bins in one circuit
    found = {"raw": (1 - 2 * ones).reshape(exact.shape), "exact": exact}
    if measured.calibration is not None:
        corrected = _corrected(ones, measured, corrected_ones)
        found["mitigated"] = (1 - 2 * corrected).reshape(exact.shape)
    return found


def _words(bound: Bound, measured: Measured) -> dict[str, Array]:
    n = bound.model.neurons
    exact = _exact_words(bound)
    points, blocks = range(len(exact)), range(exact.shape[1])
    raw = np.array([[word_shares(measured.counts[p, b], n) for b in blocks] for p in points])
    found = {"raw": raw, "exact": exact}
    if measured.calibration is not None:
        found["mitigated"] = _corrected(raw, measured, corrected_words)
    return found


def _corrected(raw: Array, measured: Measured, correct: Callable[[Array, Array], Array]) -> Array:
    """What was read (points, blocks, …) with the readout errors of the qubits it was read from."""
    assert measured.calibration is not None
    points, blocks = raw.shape[:2]
    orders = np.array([[measured.orders[p, b] for b in range(blocks)] for p in range(points)])
    found = np.empty_like(raw)
    # errors belong to qubits, and a recompiled circuit may read a neuron from another one
    for order in np.unique(orders.reshape(points * blocks, -1), axis=0):
        here = (orders == order).all(axis=-1)
        found[here] = correct(raw[here], measured.calibration.readout[order])
    return found


def _exact_words(bound: Bound) -> Array:
    """(points, bins, 2^N); of a recurrent generator whatever was read before."""
    if bound.model.weights_per == "recurrent":
        return np.array([bound.windows_of(p).words() for p in range(len(bound.noise))])
    return np.asarray(np.abs(bound.states) ** 2)


def _mean_z(words: Array, neurons: int) -> Array:
    bits = np.arange(2**neurons)[:, None] >> np.arange(neurons) & 1
    return np.asarray(words @ (1.0 - 2 * bits))
