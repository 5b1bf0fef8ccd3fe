"""What a run of the bath measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qbrain.classical_feedback.stimulation import SpinReading

from ..engine.points import placed
from ..engine.readings import Reading
from .circuits import SpinReadings

__all__ = ["Measured"]


@dataclass(frozen=True)
class Measured:
    """Spins at all times, and what they were measured with.

    Attributes:
        readings: of the spins at each time.
        points: the circuits of each time.
        everything: all circuits of the run, those of known state too.
        etas: stimulation of the steps as the last control has it.
        estimate: from the circuits of a time to its spins, by any chain.
    """

    readings: list[SpinReading]
    points: list[list[Reading]]
    everything: list[Reading]
    etas: NDArray[np.float64]
    estimate: SpinReadings

    @property
    def expected(self) -> NDArray[np.float64]:
        """⟨σ_z⟩ of each plain circuit of a time without noise, (times, circuits)."""
        rows = [placed(point)[0, 1.0] for point in self.points]
        return np.array([[float(r.heading.tags["expected"] or 0.0) for r in row] for row in rows])
