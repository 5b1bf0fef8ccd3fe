"""Writes the recording that comes with the package; run from the root of the checkout."""

from qbrain.experiments.spikes.data import synthetic_spikes
from qbrain.experiments.spikes.example import BIN_S, BINS, EXAMPLE, NEURONS, SEED, TRIALS
from qbrain.experiments.spikes.example import example_text as text

made = synthetic_spikes(neurons=NEURONS, trials=TRIALS, bins=BINS, bin_s=BIN_S, seed=SEED)
EXAMPLE.write_text(text(made.raster), encoding="utf-8")
print(EXAMPLE)
