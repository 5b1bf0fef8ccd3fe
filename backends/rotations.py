"""Rotations of two qubits, exp(−iθ/2 PP) with P = X, Y or Z, in as few gates as a target allows.

Where a target has one of rxx, ryy and rzz at all angles, each of them is one gate. Where it has
none, each is two cx; but two of them that follow each other on one pair of qubits are two cx
together, since cx turns XX into X on one qubit and ZZ into Z on the other:

    exp(−i(α/2 XX + β/2 ZZ)) = cx · (rx(α) ⊗ rz(β)) · cx.

Qiskit's translation, gate by gate, takes two gates and four.
"""

from __future__ import annotations

from collections.abc import Iterator

from qiskit import QuantumCircuit
from qiskit.circuit import CircuitInstruction, Gate
from qiskit.circuit.library import (
    HGate,
    RXXGate,
    RYYGate,
    RZZGate,
    SdgGate,
    SGate,
    SXdgGate,
    SXGate,
)
from qiskit.transpiler import Target

from .unchecked import append_known

__all__ = ["in_native_rotations"]

AXES = {"rxx": "X", "ryy": "Y", "rzz": "Z"}
GATES = {"rzz": RZZGate, "rxx": RXXGate, "ryy": RYYGate}
# V and V† with V†·Q·V = ±P for two axes P and Q; the third axis stays what it is, up to its sign
TURNS: dict[str, tuple[Gate, Gate]] = {
    "XZ": (HGate(), HGate()),
    "YZ": (SXGate(), SXdgGate()),
    "XY": (SGate(), SdgGate()),
}


def in_native_rotations(circuit: QuantumCircuit, target: Target) -> QuantumCircuit:
    """The circuit with its rotations of two qubits rewritten for a target (see the module's head).

    As it is where there is nothing to rewrite. Other gates stay; angles may be parameters.
    """
    names = set(target.operation_names)
    lacking = AXES.keys() - names
    if not any(step.name in lacking for step in circuit.data):
        return circuit
    native = [name for name in GATES if name in names and not target.gate_has_angle_bounds(name)]
    rewritten = circuit.copy_empty_like()
    if native:
        for step in circuit.data:
            if step.name in lacking:
                _as_one(rewritten, step, native[0])
            else:
                append_known(rewritten, step)
    elif lacking == AXES.keys():
        for step, second in _paired(circuit):
            if second is None:
                append_known(rewritten, step)
            else:
                _as_two_cx(rewritten, step, second)
    else:
        return circuit
    return rewritten


def _as_one(circuit: QuantumCircuit, step: CircuitInstruction, native: str) -> None:
    """Append a rotation as the one about the target's own axis."""
    before, after = TURNS["".join(sorted(AXES[step.name] + AXES[native]))]
    for qubit in step.qubits:
        circuit.append(before, [qubit])
    circuit.append(GATES[native](*step.params), step.qubits)
    for qubit in step.qubits:
        circuit.append(after, [qubit])


def _as_two_cx(
    circuit: QuantumCircuit, first: CircuitInstruction, second: CircuitInstruction
) -> None:
    """Append two rotations about different axes of one pair of qubits."""
    angles = {AXES[first.name]: first.params[0], AXES[second.name]: second.params[0]}
    axes = "".join(sorted(angles))
    # the lower of the two axes is turned into X and the higher into Z, unless they are
    turn = {"XZ": None, "XY": TURNS["YZ"], "YZ": TURNS["XY"]}[axes]
    about_x, about_z = angles[axes[0]], angles[axes[1]]
    a, b = first.qubits
    if turn is not None:
        circuit.append(turn[0], [a])
        circuit.append(turn[0], [b])
    circuit.cx(a, b)
    circuit.rx(about_x, a)
    circuit.rz(about_z, b)
    circuit.cx(a, b)
    if turn is not None:
        circuit.append(turn[1], [a])
        circuit.append(turn[1], [b])


def _paired(
    circuit: QuantumCircuit,
) -> Iterator[tuple[CircuitInstruction, CircuitInstruction | None]]:
    """Instructions in order; two rotations that can be made together come as a pair."""
    steps = list(circuit.data)
    position = 0
    while position < len(steps):
        step = steps[position]
        following = steps[position + 1] if position + 1 < len(steps) else None
        if (
            following is not None
            and step.name in AXES
            and following.name in AXES
            and step.name != following.name
            and set(step.qubits) == set(following.qubits)
        ):
            yield step, following
            position += 2
        else:
            yield step, None
            position += 1
