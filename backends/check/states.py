"""Circuits simulated on Aer without their readings, in the order of their classical bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qiskit import QuantumCircuit
from qiskit.quantum_info import Statevector
from qiskit.transpiler import Target

from ..compile import final_layout, to_isa
from ..errors import BackendError
from ..ideal import ideal_target
from ..readings import take_readings
from ..unchecked import append_known
from . import mps

__all__ = ["MeasuredPart", "measured_part", "simulate_states", "states_of"]

Vector = NDArray[np.complex128]
State = Vector | list[mps.Tensor]
_SMALL = 12  # qubits


@dataclass(frozen=True)
class MeasuredPart:
    """A circuit without its measurements, on the qubits it uses only.

    Qubit j < bits is the one read into classical bit j; those after them are not read and must
    be |0⟩ at the end.
    """

    circuit: QuantumCircuit
    bits: int


def measured_part(circuit: QuantumCircuit) -> MeasuredPart:
    """Cut a circuit to the qubits it uses, renumbered in the order of the classical bits.

    Raises:
        BackendError: for resets, control flow, gates after measurements, and classical bits
            that are read twice or not at all.
    """
    readings = take_readings(circuit)
    gates = readings.gates
    read = dict(zip(readings.qubits, readings.clbits, strict=True))
    if not read:
        read = {place: bit for bit, place in enumerate(final_layout(circuit))}
    bits = len(read)
    if sorted(read.values()) != list(range(bits)):
        raise BackendError(
            f"circuit {circuit.name}: wanted classical bits 0…{bits - 1} read once each, "
            f"got {sorted(read.values())}"
        )
    index = {qubit: number for number, qubit in enumerate(gates.qubits)}
    used = {index[qubit] for step in gates.data for qubit in step.qubits}
    position = dict(read)
    for place in sorted(used - set(read)):
        position[place] = len(position)
    if [position.get(place) for place in range(gates.num_qubits)] == list(range(gates.num_qubits)):
        return MeasuredPart(gates, bits)
    part = QuantumCircuit(len(position), name=circuit.name, global_phase=gates.global_phase)
    wires = {place: part.qubits[number] for place, number in position.items()}
    for step in gates.data:
        append_known(part, step.replace(qubits=[wires[index[qubit]] for qubit in step.qubits]))
    return MeasuredPart(part, bits)


def simulate_states(circuits: Sequence[QuantumCircuit]) -> list[Vector]:
    """State vectors (2^n,) of circuits on Aer, bit j of the index being classical bit j.

    The part of a state in which a qubit that is not read is |1⟩ is left out, so that a circuit
    that does not return such a qubit to |0⟩ gives a vector shorter than 1.

    Raises:
        BackendError: as :func:`measured_part`, or if Aer reports a failure.
    """
    return _dense_states([measured_part(circuit) for circuit in circuits])


@lru_cache(maxsize=2)
def _simulator(large: bool) -> Any:
    from qiskit_aer import AerSimulator

    if large:
        # joined gates and all threads: 20 qubits, 551 CZ take a tenth of the time
        return AerSimulator(method="statevector")
    # one thread: the circuits are small, and starting threads costs more than they save
    return AerSimulator(method="statevector", fusion_enable=False, max_parallel_threads=1)


@lru_cache(maxsize=32)
def _native(qubits: int) -> Target:
    return ideal_target(qubits)


def states_of(
    parts: Sequence[MeasuredPart], *, dense: bool, start: ArrayLike | None = None
) -> list[State]:
    """The states at the end of circuits: dense vectors (2^bits,), or matrix-product states.

    A vector leaves out what :func:`simulate_states` says; a matrix-product state is over all of
    the part's qubits. ``start`` is the state (2^n,) that each circuit starts from, bit j of the
    index being the qubit that is read into classical bit j; |0…0⟩ where not given.

    Raises:
        BackendError: if Aer reports a failure; for a ``start`` of another shape or norm, and for
            any ``start`` of matrix-product states.
    """
    if dense:
        return list(_dense_states(parts, start))
    if start is not None:
        raise BackendError("start: wanted None where states are matrix-product states")
    return [
        mps.from_circuit(to_isa(part.circuit, _native(part.circuit.num_qubits))) for part in parts
    ]


def _dense_states(parts: Sequence[MeasuredPart], start: ArrayLike | None = None) -> list[Vector]:
    from qiskit_aer.library import SaveStatevector

    circuits = []
    for part in parts:
        circuit = to_isa(part.circuit, _native(part.circuit.num_qubits))
        if start is not None:
            circuit = _starting(circuit, start)
        # the circuit was made by measured_part, so that it may be added to
        save = SaveStatevector(circuit.num_qubits, label="state")
        circuit.append(save, circuit.qubits)
        circuits.append(circuit)
    large = max((circuit.num_qubits for circuit in circuits), default=0) > _SMALL
    result = _simulator(large).run(circuits, shots=1).result()
    if not result.success:
        raise BackendError(f"circuit {circuits[0].name}: Aer cannot simulate it: {result.status}")
    return [
        np.asarray(result.data(index)["state"], dtype=np.complex128)[: 2**part.bits]
        for index, part in enumerate(parts)
    ]


def _starting(circuit: QuantumCircuit, start: ArrayLike) -> QuantumCircuit:
    from qiskit_aer.library import SetStatevector

    vector = np.asarray(start, dtype=np.complex128)
    size, norm = 2**circuit.num_qubits, float(np.linalg.norm(vector))
    if vector.shape != (size,) or not abs(norm - 1) < 1e-8:
        raise BackendError(
            f"start: wanted shape {(size,)} and norm 1, got {vector.shape} and {norm:.9g}"
        )
    whole = QuantumCircuit(*circuit.qregs, name=circuit.name, global_phase=circuit.global_phase)
    whole.append(SetStatevector(Statevector(vector)), whole.qubits)
    for step in circuit.data:
        append_known(whole, step)
    return whole
