"""How far distributions over bit strings are from each other, and how sure that is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .counts import parities

__all__ = [
    "bootstrap",
    "hellinger",
    "interval",
    "leakage",
    "total_variation",
    "with_readout",
    "without_readout",
]

Array = NDArray[np.float64]


def total_variation(p: Array, q: Array) -> float:
    """½ Σ |p − q|."""
    return float(np.abs(p - q).sum() / 2)


def hellinger(p: Array, q: Array) -> float:
    """Hellinger distance sqrt(1 − Σ sqrt(pq)); negative entries count as 0."""
    overlap = float(np.sqrt(np.clip(p, 0, None) * np.clip(q, 0, None)).sum())
    return float(np.sqrt(max(0.0, 1 - overlap)))


def leakage(p: Array, parity: int) -> float:
    """Probability of the basis states of the other parity."""
    wrong = parities(len(p).bit_length() - 1) != parity
    return float(p[wrong].sum())


def with_readout(p: Array, readout: Array) -> Array:
    """Probabilities (2^n,) of what is read, given those of the states.

    ``readout`` (n, 2): p(1|0) and p(0|1) of each qubit, which err independently.
    """
    return _each_qubit(p, [np.array([[1 - a, b], [a, 1 - b]]) for a, b in readout])


def without_readout(p: Array, readout: Array) -> Array:
    """The inverse of :func:`with_readout`, brought to the nearest probabilities.

    Nearest in Euclidean distance: entries are lowered by one number and cut at 0 so that they sum
    to 1 (Smolin, Gambetta and Smith 2012).
    """
    found = _each_qubit(p, [np.linalg.inv([[1 - a, b], [a, 1 - b]]) for a, b in readout])
    falling = np.sort(found)[::-1]
    lowered = (np.cumsum(falling) - 1) / np.arange(1, len(found) + 1)
    kept = int(np.flatnonzero(falling > lowered)[-1])
    nearest: Array = np.clip(found - lowered[kept], 0, None)
    return nearest


def _each_qubit(p: Array, matrices: list[Any]) -> Array:
    qubits = len(matrices)
    tensor = p.reshape((2,) * qubits)
    for qubit, matrix in enumerate(matrices):
        # the first axis is the last qubit
        axis = qubits - 1 - qubit
        tensor = np.moveaxis(np.tensordot(matrix, tensor, axes=(1, axis)), 0, axis)
    return tensor.reshape(-1)


def bootstrap(
    counts: Array, measure: Callable[[Array], float], draws: int, generator: np.random.Generator
) -> Array:
    """(draws,): the measure of distributions that are drawn anew.

    Repetitions are drawn with replacement. Where there is one only, its shots are drawn anew from
    its own fractions.
    """
    repetitions = len(counts)
    if repetitions == 1:
        shots = int(counts.sum())
        drawn = generator.multinomial(shots, counts[0] / shots, size=draws).astype(float)
    else:
        chosen = generator.integers(repetitions, size=(draws, repetitions))
        drawn = counts[chosen].sum(axis=1)
    return np.array([measure(one / one.sum()) for one in drawn])


def interval(values: Array) -> tuple[float, float]:
    """The middle 95 %."""
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)
