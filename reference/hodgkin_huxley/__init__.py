"""Exact answers for the Hodgkin-Huxley neuron, classical and quantized."""

from .neuron import (
    Current,
    Membrane,
    NeuronError,
    rates,
    simulate_neuron,
    simulate_potassium,
    spike_times,
    steady_gate,
)

__all__ = [
    "Current",
    "Membrane",
    "NeuronError",
    "rates",
    "simulate_neuron",
    "simulate_potassium",
    "spike_times",
    "steady_gate",
]
