"""A spiking neuron that compares two Bell states: a system of qbrain in a package of its own."""

from qbrain import System

from .config import BellNeuronConfig

SYSTEM = System(
    "bell-neuron",
    BellNeuronConfig,
    "spiking_bell_neuron.experiment:BellNeuronExperiment",
    "A spiking neuron that compares two Bell states, and a controller that makes them equal.",
    ("backend", "two_qubit_gates", "shots", "fit.rmse", "fit.shot_error", "fit.coverage"),
)
