"""The numbers of a noise model, fitted to the counts of some classes to predict the others.

For classes k of outcomes x with measured fractions f and predictions p(θ), the fit minimises
Σ_k Σ_x (f − p)² / (p + 0.001): a chi-square that shot noise does not rule, since the model is
wrong by more than shots. Baselines take no part: a circuit that only prepares and reads has errors
much below those that the same qubits show after gates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from qbrain.backends.device_noise import NoiseScale

from .counts import CircuitClass
from .predictions import AXES, Predictions

__all__ = ["Fit", "fit_noise", "refit", "split_groups"]

Array = NDArray[np.float64]
FLOOR = 1e-3
# readout error that each qubit in use adds
READOUT = (0.0, 0.05)


@dataclass(frozen=True)
class Fit:
    """Fitted numbers by their names in :class:`NoiseScale`, and 95 % intervals.

    The intervals come from ``draws`` fits to groups of classes that were drawn with replacement,
    so that they tell how far the numbers depend on which circuits were measured.
    """

    scale: NoiseScale
    free: tuple[str, ...]
    intervals: Mapping[str, tuple[float, float]]
    drawn: tuple[NoiseScale, ...]


def split_groups(
    classes: Sequence[CircuitClass], seed: int
) -> tuple[list[CircuitClass], list[CircuitClass]]:
    """Classes to fit and classes held out.

    Of the depths of each number of qubits, put in random order by the seed, every second one is
    held out, with all its initial states.
    """
    generator = np.random.default_rng(seed)
    held: set[tuple[int, int | str]] = set()
    for qubits in sorted({one.qubits for one in classes}):
        groups = sorted({one.group for one in classes if one.qubits == qubits}, key=str)
        order = generator.permutation(len(groups))
        held |= {groups[index] for index in order[1::2]}
    return [one for one in classes if one.group not in held], [
        one for one in classes if one.group in held
    ]


def fit_noise(
    predictions: Predictions,
    classes: Sequence[CircuitClass],
    free: Sequence[str],
    *,
    draws: int,
    seed: int,
) -> Fit:
    """Fit the numbers named ``free`` and their intervals.

    Args:
        predictions: prepared, of these classes at least.
        classes: what is fitted.
        free: names of :class:`NoiseScale`; others stay as in the snapshot.
        draws: number of fits behind the intervals.
        seed: of the draws.
    """
    scale = refit(predictions, classes, free)
    generator = np.random.default_rng(seed)
    groups: dict[tuple[int, int | str], list[CircuitClass]] = {}
    for one in classes:
        groups.setdefault(one.group, []).append(one)
    sizes = sorted({qubits for qubits, _ in groups})
    drawn = []
    for _ in range(draws):
        chosen: list[CircuitClass] = []
        for size in sizes:
            names = sorted((name for name in groups if name[0] == size), key=str)
            for index in generator.integers(len(names), size=len(names)):
                chosen += groups[names[index]]
        drawn.append(refit(predictions, chosen, free, start=scale))
    intervals = {}
    for name in free:
        values = [getattr(one, name) for one in drawn] or [getattr(scale, name)]
        low, high = np.quantile(values, (0.025, 0.975))
        intervals[name] = (float(low), float(high))
    return Fit(scale, tuple(free), intervals, tuple(drawn))


def refit(
    predictions: Predictions,
    classes: Sequence[CircuitClass],
    free: Sequence[str],
    start: NoiseScale | None = None,
) -> NoiseScale:
    """The numbers of the least chi-square."""
    start = start or NoiseScale()
    bounds = [READOUT if name == "readout" else (AXES[name].low, AXES[name].high) for name in free]
    # steps of the search: 1 for factors, what an error is for errors
    sizes = [1.0 if name in ("gates", "waiting") else 0.01 for name in free]

    def residuals(values: Array) -> Array:
        scale = replace(start, **dict(zip(free, map(float, values), strict=True)))
        parts = []
        for one in classes:
            p = predictions.at(one, scale)
            parts.append((one.distribution - p) / np.sqrt(np.clip(p, 0, None) + FLOOR))
        return np.concatenate(parts)

    first = [
        float(np.clip(getattr(start, name), low + 1e-3 * (high - low), high - 1e-3 * (high - low)))
        for name, (low, high) in zip(free, bounds, strict=True)
    ]
    found = least_squares(
        residuals, first, bounds=tuple(zip(*bounds, strict=True)), x_scale=sizes, xtol=1e-6,
        ftol=1e-8,
    )  # fmt: skip
    return replace(start, **dict(zip(free, map(float, found.x), strict=True)))
