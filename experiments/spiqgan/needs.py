"""What a spike generator's run takes: training, windows drawn, circuits."""

from __future__ import annotations

from ..engine.needs import Need, circuit_needs
from .config import SpiQGANConfig

__all__ = ["spiqgan_needs"]

# an amplitude of a window in training is kept for the gradient, in two real parts, a layer
_TRAINED_BYTES, _AMPLITUDE_SECONDS, _STEP_SECONDS = 16.0, 1e-8, 4e-3
_TRACE_SECONDS = 0.2  # compiling a layer of a bin
_DRAWN_BYTES, _DRAWN_SECONDS = 40.0, 2e-7
_CIRCUIT_SECONDS, _CIRCUIT_BYTES = 0.03, 60e3


def spiqgan_needs(config: SpiQGANConfig) -> list[Need]:
    """Training of the generator and its controls; windows that measure them; circuits."""
    n, qubits = config.neuron_count, config.neuron_count + config.memory_qubits
    bins, layers = config.bins, config.layers
    amplitudes = 2.0**qubits * bins * layers
    found = [
        Need(
            "samples",
            _DRAWN_BYTES * config.samples * bins * n,
            _DRAWN_SECONDS * config.samples * bins * n * (1 + 2.0**qubits / 50),
        )
    ]
    if config.weights is None:
        windows = config.generator_batch + config.batch
        trained = len(config.control_names) / 2 + 1
        found.append(
            Need(
                "generator_batch" if config.generator_batch > 4096 else "training_steps",
                _TRAINED_BYTES * amplitudes * windows * 3,
                trained
                * (
                    config.training_steps
                    * (_STEP_SECONDS + _AMPLITUDE_SECONDS * amplitudes * windows)
                    + _TRACE_SECONDS * layers
                ),
            )
        )
    if config.runs_circuits:
        circuits = float(config.noise_points) * (1 if config.weights_per == "recurrent" else bins)
        found.append(
            Need(
                "noise_points",
                _CIRCUIT_BYTES * circuits + 200.0 * layers * circuits * qubits,
                circuits * _CIRCUIT_SECONDS * (1 + layers * qubits / 50),
            )
        )
        gates = circuits * layers * qubits
        together = config.noise_points if config.on_device else 8
        found += circuit_needs(config, qubits, gates, field="neurons", together=together)
    return found
