"""Correlators and CHSH value of a pair by every chain that a run's circuits allow.

Neurons follow the shots of the first placement as they came; correlators are corrected beside. Of
the plain circuits on the first placement those shots count that the neurons used, of the others
all. Readout errors are inverted in the counts of each circuit, the correlators taken to no noise,
and the placements averaged.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from qbrain.classical_feedback.estimator import EstimateError

from ..engine.calibration import measured_readout
from ..engine.chains import Chain
from ..engine.points import Numbers, Place, by_place, mean_of_places, placed
from ..engine.readings import Reading
from .config import QlifConfig
from .groups import distinct_settings, group_correlator
from .measures import corrected_correlator

__all__ = ["Correlators"]

Array = NDArray[np.float64]
Counts = NDArray[np.int64]
# of E(x, y) in S
SIGNS = np.array([[1.0, 1.0], [1.0, -1.0]])


class Correlators:
    """E at a pair's four pairs of settings, and S, by any chain.

    Args:
        config: of the run, a pair with two settings each.
        used: bits of the shots that the neurons used, (2, 2, 2, 2): settings, bits.
        readings: of all circuits of the run.
    """

    def __init__(self, config: QlifConfig, used: Counts, readings: Sequence[Reading]) -> None:
        self.exact = np.array(
            [
                [config.visibility * group_correlator(config.phi, (a, b)) for b in rows]
                for a, rows in ((a, config.angle_rows[1]) for a in config.angle_rows[0])
            ]
        )
        _, settings = distinct_settings(config.angle_rows)
        self._settings = {(x, y): int(settings[x + 2 * y]) for x, y in np.ndindex(2, 2)}
        self._used = used
        self._points = {place: _by_setting(found) for place, found in placed(readings).items()}
        self._calibrations = {
            placement: found
            for placement in {place[0] for place in self._points}
            if (found := measured_readout(readings, placement)) is not None
        }

    def by(self, chain: Chain) -> tuple[Array, Array]:
        """E (2, 2) and its standard error, of shots and of the readout errors.

        Raises:
            EstimateError, BackendError: where the counts do not determine it.
        """
        found, moved = self._estimate(chain, None), self._moved(chain)
        return found.value, np.sqrt(found.stderr**2 + (moved**2).sum(axis=0))

    def chsh(self, chain: Chain) -> tuple[float, float]:
        """S and its standard error; readout errors are the same ones at all settings.

        Raises:
            EstimateError, BackendError: where the counts do not determine it.
        """
        found = self._estimate(chain, None)
        moved = (SIGNS * self._moved(chain)).sum(axis=(1, 2))
        variance = (found.stderr**2).sum() + (moved**2).sum()
        return float((SIGNS * found.value).sum()), math.sqrt(float(variance))

    def _moved(self, chain: Chain) -> Array:
        """Change of E (errors, 2, 2) if one readout error was larger by its standard error."""
        rows = []
        if "readout" in chain:
            plain = self._estimate(chain, None).value
            for placement, calibration in self._calibrations.items():
                if placement and "placements" not in chain:
                    continue
                for at in np.ndindex(*calibration.readout.shape):
                    shifted = calibration.readout.copy()
                    shifted[at] += calibration.stderr[at]
                    rows.append(self._estimate(chain, {placement: shifted}).value - plain)
        return np.array(rows).reshape(-1, 2, 2)

    def _estimate(self, chain: Chain, readout: Mapping[int, Array] | None) -> Numbers:
        """E and its standard error by shots; ``readout`` errors in place of those measured."""
        needed = [
            place
            for place in self._points
            if (place[0] == 0 or "placements" in chain) and (place[1] == 1 or "zne" in chain)
        ]
        found = {place: self._at(chain, place, readout or {}) for place in needed}
        limits = by_place(chain, found, asymptote=0.0, bounds=(-1.0, 1.0))
        return mean_of_places(limits)

    def _at(self, chain: Chain, place: Place, readout: Mapping[int, Array]) -> Numbers:
        value, stderr, gates = np.empty((2, 2)), np.empty((2, 2)), np.empty((2, 2))
        for (x, y), setting in self._settings.items():
            first, counts = self._points[place][setting]
            n = self._used[x, y] if place == (0, 1.0) else counts
            trials = int(n.sum())
            if not trials:
                raise EstimateError(f"settings {x}, {y}: wanted at least one shot, got none")
            errors = self._errors(chain, place[0], first, readout)
            value[x, y], variance = corrected_correlator(n, errors)
            # all bits alike is no proof that they always are
            stderr[x, y] = math.sqrt(max(variance, 1 / (trials + 2) / trials))
            gates[x, y] = first.gates
        return Numbers(value, stderr, gates)

    def _errors(
        self, chain: Chain, placement: int, reading: Reading, readout: Mapping[int, Array]
    ) -> Array:
        """Readout errors (2, 2) of both bits of a circuit, which belong to qubits."""
        if "readout" not in chain:
            return np.zeros((2, 2))
        known = readout.get(placement, self._calibrations[placement].readout)
        return np.asarray(known[list(reading.order)])


def _by_setting(readings: Sequence[Reading]) -> dict[int, tuple[Reading, Counts]]:
    """Of each setting the first of its circuits, and the bits (2, 2) of all."""
    found: dict[int, tuple[Reading, Counts]] = {}
    for reading in readings:
        setting = int(reading.heading.tags["setting"] or 0)
        _, counts = found.setdefault(setting, (reading, np.zeros((2, 2), dtype=np.int64)))
        for outcome, number in reading.counts.items():
            counts[outcome & 1, outcome >> 1 & 1] += number
    return found
