"""The public names of ``experiments.spikes.data`` under their place in version 0.1.

Kept for one version, since recordings are loaded by ``from qbrain.experiments.spike_data import
load_spikes``; import from ``qbrain.experiments.spikes.data`` instead.
"""

from __future__ import annotations

from .spikes.data import (
    SpikeData,
    Split,
    Windows,
    choose_cells,
    cut_windows,
    load_spikes,
    split_trials,
    synthetic_spikes,
)

__all__ = [
    "SpikeData",
    "Split",
    "Windows",
    "choose_cells",
    "cut_windows",
    "load_spikes",
    "split_trials",
    "synthetic_spikes",
]
