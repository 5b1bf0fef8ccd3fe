"""Trotterised XY chain: the circuit by which counts of a device are held against its snapshot."""

from __future__ import annotations

import math

import numpy as np
from qiskit import QuantumCircuit

__all__ = ["COUPLING", "FREQUENCIES", "xy_chain"]

# of the published campaign on ibm_kingston (May 2026)
COUPLING = 0.45 * math.exp(-0.3)
FREQUENCIES = (0.8, 1.2)


def xy_chain(steps: int, initial: str, time_step: float = 0.3) -> QuantumCircuit:
    """Steps of exp(−i t Σ ω_q Z_q) and exp(−i κt (X_q X_{q+1} + Y_q Y_{q+1})), q = 0, 1, …

    The parity of the number of 1s is kept, so that every shot of the other one is an error.

    Args:
        steps: number of Trotter steps; 0 prepares the initial state alone.
        initial: character q is the state of qubit q, which need not be how a bit string is
            printed.
        time_step: t.

    Returns:
        The circuit without its measurements; ω_q from 0.8 to 1.2 in equal steps, κ = 0.45 e^(−0.3).

    Raises:
        ValueError: for no qubits, other characters than 0 and 1, or a negative number of steps.
    """
    if not initial or set(initial) - {"0", "1"}:
        raise ValueError(f"initial: wanted a string of 0 and 1, got {initial!r}")
    if steps < 0:
        raise ValueError(f"steps: wanted a number >= 0, got {steps}")
    qubits = len(initial)
    circuit = QuantumCircuit(qubits, name=f"xy-{qubits}-{steps}-{initial}")
    for qubit, state in enumerate(initial):
        if state == "1":
            circuit.x(qubit)
    for _ in range(steps):
        for qubit, frequency in enumerate(np.linspace(*FREQUENCIES, qubits)):
            circuit.rz(2 * frequency * time_step, qubit)
        for qubit in range(qubits - 1):
            circuit.rxx(2 * COUPLING * time_step, qubit, qubit + 1)
            circuit.ryy(2 * COUPLING * time_step, qubit, qubit + 1)
    return circuit
