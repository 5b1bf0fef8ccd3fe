"""What a run of the neuron measured, before anything is made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qbrain.classical_feedback.membrane import GateControl, GateReading

from ..engine.readings import Reading
from .circuits import GateReadings

__all__ = ["Measured"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Measured:
    """What a run of the neuron measured.

    Attributes:
        controls: of each time, as the feedback had them.
        readings: of the gates at each time.
        points: the circuits of each time; at the first those of known gates too.
        voltage: (times,) in mV, of what was read.
        estimate: from the circuits of a time to its gates, by any chain.
    """

    controls: list[GateControl]
    readings: list[GateReading]
    points: list[Sequence[Reading]]
    voltage: Array
    estimate: GateReadings
