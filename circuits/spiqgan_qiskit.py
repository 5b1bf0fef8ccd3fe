"""Circuits of the spike generator for Qiskit, exported from PennyLane through OpenQASM 2.

PennyLane's tape (:mod:`~qbrain.circuits.spiqgan`) is the definition. Its text gives the gates, and
each rotation's angle becomes an element of one ``ParameterVector`` in the order of the circuit,
so that a template is built (and transpiled) once and bound many times. The angles come from the
same tape: none are written twice.

Qubit q is wire q. Qiskit's integers have qubit 0 as their least significant bit, PennyLane's
probabilities as their most significant.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pennylane as qml
from qiskit import ClassicalRegister, QuantumCircuit, qasm2
from qiskit.circuit import ParameterVector

from .spiqgan import (
    FloatArray,
    SpikeGenerator,
    SpikeGeneratorError,
    Weights,
    bin_operations,
    check_bin,
    check_bin_noise,
    check_noise,
    check_weights,
)

__all__ = [
    "bin_angles",
    "bin_template",
    "export_bin",
    "window_angles",
    "window_template",
]


def export_bin(
    generator: SpikeGenerator, weights: Weights, noise: npt.ArrayLike, bin: int
) -> QuantumCircuit:
    """Return the gates of one bin with their numbers, as PennyLane writes them in OpenQASM.

    Nothing is measured, and gates stand in the order in which PennyLane has them.

    Args:
        generator: its form.
        weights: as :meth:`SpikeGenerator.shapes` says.
        noise: of this bin, shape (latents,).
        bin: 0..T-1.

    Raises:
        SpikeGeneratorError: weights, noise or bin not as wanted.
    """
    checked = check_weights(generator, weights)
    z = check_bin_noise(generator, noise)
    if z.ndim != 1:
        raise SpikeGeneratorError(f"noise: wanted shape ({generator.latents},), got {z.shape}")
    text = qml.to_openqasm(
        _tape(generator, checked, z, check_bin(generator, bin)),
        wires=qml.wires.Wires(range(generator.qubits)),
        rotations=False,
        measure_all=False,
    )
    return qasm2.loads(text, custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS)


def bin_template(generator: SpikeGenerator) -> QuantumCircuit:
    """Return the circuit of any one bin, with parameters for the angles of :func:`bin_angles`.

    Bit i of the register ``meas`` is neuron i. All bins have this one circuit.

    Raises:
        SpikeGeneratorError: a recurrent generator, whose bins do not stand alone.
    """
    if generator.weights_per == "recurrent":
        raise SpikeGeneratorError(
            "weights_per: wanted bin or shared, whose bins stand alone, got 'recurrent'"
        )
    return _windows(generator, 1).copy()


def window_template(generator: SpikeGenerator) -> QuantumCircuit:
    """Return the circuit of a window, with parameters for the angles of :func:`window_angles`.

    T blocks; after block t neuron i is measured into bit t N + i of the register ``meas``, and
    reset, except after the last block. Memory qubits are neither measured nor reset.
    """
    return _windows(generator, generator.bins).copy()


@lru_cache(maxsize=32)
def _windows(generator: SpikeGenerator, blocks: int) -> QuantumCircuit:
    n = generator.neurons
    halves = {name: np.full(shape, 0.5) for name, shape in generator.shapes().items()}
    block = export_bin(generator, halves, np.zeros(generator.latents), 0)
    gates = [(g.operation, [block.find_bit(q).index for q in g.qubits]) for g in block.data]
    rotations = sum(len(gate.params) for gate, _ in gates)
    angles = iter(ParameterVector("angle", blocks * rotations))
    register = ClassicalRegister(blocks * n, "meas")
    window = QuantumCircuit(generator.qubits)
    window.add_register(register)
    for t in range(blocks):
        for gate, qubits in gates:
            fresh = gate.to_mutable()
            fresh.params = [next(angles) for _ in gate.params]
            window.append(fresh, qubits)
        window.measure(range(n), register[t * n : (t + 1) * n])
        if t < blocks - 1:
            window.reset(range(n))
    return window


def bin_angles(
    generator: SpikeGenerator, weights: Weights, noise: npt.ArrayLike, bin: int
) -> FloatArray:
    """Return the angles of one bin, radians, in the order of ``bin_template(…).parameters``.

    Args:
        generator: its form.
        weights: as :meth:`SpikeGenerator.shapes` says.
        noise: of this bin, shape (samples, latents).
        bin: 0..T-1.

    Returns:
        Shape (samples, parameters), 2 L (N+M) parameters. Of a recurrent generator: the bin's
        part of :func:`window_angles`.

    Raises:
        SpikeGeneratorError: weights, noise or bin not as wanted.
    """
    checked = check_weights(generator, weights)
    z = check_bin_noise(generator, noise)
    if z.ndim != 2:
        raise SpikeGeneratorError(
            f"noise: wanted shape (samples, {generator.latents}), got {z.shape}"
        )
    return _angles(generator, checked, z, check_bin(generator, bin))


def window_angles(generator: SpikeGenerator, weights: Weights, noise: npt.ArrayLike) -> FloatArray:
    """Return the angles of windows, radians, in the order of ``window_template(…).parameters``.

    Args:
        generator: its form.
        weights: as :meth:`SpikeGenerator.shapes` says.
        noise: shape (samples, bins, latents).

    Returns:
        Shape (samples, parameters), 2 T L (N+M) parameters.

    Raises:
        SpikeGeneratorError: weights or noise not as wanted.
    """
    checked = check_weights(generator, weights)
    z = check_noise(generator, noise)
    if z.ndim != 3:
        raise SpikeGeneratorError(
            f"noise: wanted shape (samples, {generator.bins}, {generator.latents}), got {z.shape}"
        )
    parts = [_angles(generator, checked, z[:, t], t) for t in range(generator.bins)]
    return np.concatenate(parts, axis=1)


def _angles(
    generator: SpikeGenerator, weights: dict[str, FloatArray], noise: FloatArray, bin: int
) -> FloatArray:
    # the broadcast tape itself is asked, so that order and formula are PennyLane's
    columns = _tape(generator, weights, noise, bin).get_parameters(trainable_only=False)
    found = np.empty((len(noise), len(columns)))
    for k, column in enumerate(columns):
        found[:, k] = column
    return found


def _tape(
    generator: SpikeGenerator, weights: dict[str, FloatArray], noise: FloatArray, bin: int
) -> Any:
    with qml.queuing.AnnotatedQueue() as queue:
        bin_operations(generator, weights, noise, bin)
    return qml.tape.QuantumScript.from_queue(queue)
