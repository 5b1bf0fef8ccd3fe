"""What a run measured of a spike generator's circuits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from qbrain.backends.readout import ReadoutCalibration

__all__ = ["Measured"]


@dataclass(frozen=True)
class Measured:
    """Counts by (point, block), the name of a circuit: its noise value, and its bin.

    Attributes:
        counts: outcome → shots of each circuit.
        orders: the qubit that was read into each classical bit of it.
        calibration: readout errors, where they were measured.
    """

    counts: Mapping[tuple[int, int], Mapping[int, int]]
    orders: Mapping[tuple[int, int], tuple[int, ...]]
    calibration: ReadoutCalibration | None
