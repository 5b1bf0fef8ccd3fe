"""A source of spike windows: the generator, a control, or circuits that ran on a backend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # JAX is an extra, and takes seconds to import
    from qbrain.classical_feedback.spike_training import Trained

__all__ = ["Source"]


@dataclass(frozen=True)
class Source:
    """Something that draws windows, and the windows it drew.

    Attributes:
        name: `generator` for the trained generator by exact simulation, the backend's name for its
            circuits on it, `<backend> raw` without mitigation, `same noise, exact` for the exact
            answer at the backend's points of noise, else the name of a control.
        label: words for pictures and tables; they name the backend.
        windows: (samples, bins, neurons), 0 or 1.
        parameters: how many numbers describe it; 0 where that means nothing.
        quantum_parameters: how many of them are angles of a circuit.
        trained: how it was trained, if it was.
        seconds: of training.
        groups: (samples,), the point of noise each window came from; None if windows are
            independent.
    """

    name: str
    label: str
    windows: NDArray[np.uint8]
    parameters: int
    quantum_parameters: int = 0
    trained: Trained | None = None
    seconds: float = 0.0
    groups: NDArray[np.int64] | None = None
