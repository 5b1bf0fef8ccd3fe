"""Circuits that go on as a reading says: ``if_test`` of one classical bit, written as ``if_else``.

Targets here hold gates alone (see :func:`qbrain.backends.snapshot.cut_target`). Whether a device
can branch is told beside them, as ``feed_forward`` of its cut, its facts and its sampler.
"""

from __future__ import annotations

from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit import CircuitInstruction
from qiskit.transpiler import Target

from .unchecked import append_known

__all__ = ["BRANCH", "angles_in_full", "branches", "flattened", "offers"]

#: name of the instruction
BRANCH = "if_else"


def branches(circuit: QuantumCircuit) -> bool:
    """Whether a circuit branches on a reading."""
    return any(step.name == BRANCH for step in circuit.data)


def offers(target: Target) -> bool:
    """Whether the target of a whole device has the instruction."""
    return BRANCH in target.operation_names


def flattened(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit with the gates of every branch in place, as if all of them were taken.

    What its gates cost is at most what these cost, and they are the target's own where these are.
    A circuit without branches is returned as it is.
    """
    if not branches(circuit):
        return circuit
    flat = circuit.copy_empty_like()
    for step in circuit.data:
        for each in _taken(step, circuit):
            append_known(flat, each)
    return flat


def angles_in_full(step: CircuitInstruction, circuit: QuantumCircuit) -> list[str]:
    """Angles of an instruction to the last bit; of a branch its condition and all in its blocks."""
    if step.name != BRANCH:
        return [float(angle).hex() for angle in step.params]
    operation: Any = step.operation
    bit, value = operation.condition
    found = [f"if {circuit.find_bit(bit).index} is {int(value)}"]
    for block in operation.blocks:
        found.append("block")
        for inner in block.data:
            places = [block.find_bit(bit).index for bit in (*inner.qubits, *inner.clbits)]
            found.append(f"{inner.name}{angles_in_full(inner, block)}{places}")
    return found


def _taken(step: CircuitInstruction, circuit: QuantumCircuit) -> list[CircuitInstruction]:
    if step.name != BRANCH:
        return [step]
    operation: Any = step.operation
    found = []
    for block in operation.blocks:
        wires = dict(zip(block.qubits, step.qubits, strict=True))
        bits = dict(zip(block.clbits, step.clbits, strict=True))
        for inner in block.data:
            moved = inner.replace(
                qubits=[wires[qubit] for qubit in inner.qubits],
                clbits=[bits[bit] for bit in inner.clbits],
            )
            found += _taken(moved, circuit)
    return found
