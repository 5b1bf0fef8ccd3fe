"""What the circuits of a run gave, and what the neurons did with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qbrain.backends.readout import ReadoutCalibration

from ..engine.readings import Reading
from .groups import Rasters

__all__ = ["Measured", "Sessions"]


@dataclass(frozen=True)
class Measured:
    """Bits as they came, before any neuron used them.

    Attributes:
        bits: of each circuit of the table all shots in their order, (shots, neurons); of live
            circuits those of each tick, (groups, neurons).
        orders: the qubit that is read into each bit, of each circuit of the table.
        taken: shots of all circuits together.
        distinct: circuits that differ from each other.
        calibration: readout errors of the first placement, where they were measured.
        readings: of all circuits of the table.
    """

    bits: list[NDArray[np.uint8]]
    orders: Sequence[tuple[int, ...]]
    taken: int
    distinct: int
    calibration: ReadoutCalibration | None = None
    readings: Sequence[Reading] = ()


@dataclass(frozen=True)
class Sessions:
    """Rasters of each session of the entangled neurons, and how many shots their ticks used."""

    rasters: list[Rasters]
    used: int
