"""Instructions that go from one circuit into another as they are."""

from __future__ import annotations

from typing import Any, cast

from qiskit import QuantumCircuit
from qiskit.circuit import CircuitInstruction

__all__ = ["append_known"]


def append_known(circuit: QuantumCircuit, step: CircuitInstruction) -> None:
    """Append an instruction whose qubits and classical bits are the circuit's own.

    The private twin of ``append`` skips checks that the instruction has passed before. It must not
    be used on a circuit that came in as an argument of a public function.
    """
    # the types of Qiskit's method leave out the form with one argument
    cast(Any, circuit)._append(step)
