"""The recording that comes along: made up, so that every command has something to read.

Eight neurons, 120 trials of 2 s, written as a table of spike times. The spikes are those of
:func:`~.data.synthetic_spikes` (a dichotomised Gaussian in bins of 20 ms), each at a random
millisecond of its bin. No animal was recorded.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["EXAMPLE", "example_text", "recording_path"]

EXAMPLE = Path(__file__).parent / "example.csv"
BIN_S, TRIALS, BINS, NEURONS, SEED = 0.02, 120, 100, 8, 5


def recording_path(name: str | Path) -> Path:
    """The file or folder of this name; where there is none, `example` is the package's own."""
    path = Path(name)
    return EXAMPLE if str(name) == "example" and not path.exists() else path


def example_text(raster: NDArray[np.uint8], bin_s: float = BIN_S, seed: int = SEED) -> str:
    """The table of a raster (trials, bins, neurons): a line a spike, at a random millisecond.

    Args:
        raster: 0 or 1.
        bin_s: width of a bin in seconds, a whole number of milliseconds.
        seed: of the milliseconds.
    """
    trial, place, neuron = np.nonzero(raster)
    width = round(bin_s * 1000)
    times = place * width + np.random.default_rng(seed).integers(width, size=len(place))
    order = np.lexsort((neuron, times, trial))
    rows = [f"{trial[k]},{neuron[k]},{times[k] / 1000:.3f}\n" for k in order]
    head = "# synthetic spikes, made up by qbrain; nobody was recorded\ntrial,neuron,time (s)\n"
    return head + "".join(rows)
