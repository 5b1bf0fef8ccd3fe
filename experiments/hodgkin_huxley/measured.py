"""What a run of the neuron measured, before anything is made of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qbrain.classical_feedback.membrane import GateControl, GateReading

__all__ = ["Measured"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Measured:
    """What a run of the neuron measured.

    Attributes:
        controls: of each time, as the feedback had them.
        readings: of the gates at each time.
        raw: the same without correction of readout errors.
        voltage: (times,) in mV, of what was read.
        readout: readout errors (bits, 2) of each register, where they were measured.
    """

    controls: list[GateControl]
    readings: list[GateReading]
    raw: list[GateReading]
    voltage: Array
    readout: list[Array] | None
