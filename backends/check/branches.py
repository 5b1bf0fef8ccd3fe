"""The pre-flight check of small circuits that branch on what they read.

Every branch is followed: a measurement parts each state in two, with their probabilities, and an
``if_else`` acts on those whose classical bit says so. What is left is the distribution of the words
in the classical bits. Three checks, distances being those of total variation:

1. ``logical``: the circuit as it was built gives the expected distribution.
2. ``transpiled``: the circuit in the target's gates gives that of the logical one.
3. ``angles``: every instruction, in the branches too, and every angle is one that the target takes.

What it does not see: phases that no reading depends on, noise, and times.
"""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qiskit import QuantumCircuit
from qiskit.quantum_info import Operator
from qiskit.transpiler import Target

from ..errors import BackendError
from ..feed_forward import BRANCH, flattened
from ..isa import first_illegal
from .pure import (
    LOGICAL_LIMIT,
    TRANSPILED_LIMIT,
    Check,
    DispatchRefused,
    ValidationRecord,
    bounded,
    refuse_unbound,
)

__all__ = ["validate_branches", "words_of"]

State = NDArray[np.complex128]
QUBITS, BITS = 8, 10
# less probable branches are not followed
RARE = 1e-14
IDLE = ("barrier", "delay", "id")


def validate_branches(
    logical: QuantumCircuit,
    isa: QuantumCircuit,
    target: Target,
    *,
    expected: ArrayLike,
    name: str | None = None,
    step: int | None = None,
) -> ValidationRecord:
    """Pass a circuit that branches on what it reads, or refuse it.

    Args:
        logical: the circuit as built, all parameters bound.
        isa: the same in the target's gates.
        target: where it is to run; that it can branch has been asked before.
        expected: (2^bits,): probability of each word, bit j of the index being classical bit j.
        name: of the circuit in messages and records; its own name where not given.
        step: the step of the run it belongs to.

    Returns:
        A record with ``method`` ``branches``.

    Raises:
        DispatchRefused: if a check fails.
        BackendError: more than 8 qubits in use or 10 classical bits, an instruction that is no
            gate, measurement, reset or branch on one bit, or probabilities of another shape.
    """
    started = perf_counter()
    label = name if name is not None else logical.name
    for circuit in (logical, isa):
        refuse_unbound(label, step, circuit)
    wanted = np.asarray(expected, dtype=np.float64)
    if wanted.shape != (2**logical.num_clbits,) or abs(wanted.sum() - 1) > 1e-8:
        raise BackendError(
            f"expected: wanted {2**logical.num_clbits} probabilities, got shape {wanted.shape}"
        )
    found = words_of(logical)
    figure = float(np.abs(found - wanted).sum() / 2)
    checks = [bounded(label, step, "logical", figure, LOGICAL_LIMIT)]
    figure = float(np.abs(words_of(isa) - found).sum() / 2)
    checks.append(bounded(label, step, "transpiled", figure, TRANSPILED_LIMIT))
    illegal = first_illegal(flattened(isa), target)
    if illegal is not None:
        raise DispatchRefused(label, step, "angles", illegal.found, illegal.wanted)
    checks.append(Check("angles", "passed", None, None))
    return ValidationRecord(
        circuit=label,
        step=step,
        qubits=len(_used(logical)),
        method="branches",
        seconds=perf_counter() - started,
        checks=tuple(checks),
    )


def words_of(circuit: QuantumCircuit) -> NDArray[np.float64]:
    """(2^bits,): probability of each word in the classical bits, by following every branch.

    Raises ``BackendError`` as :func:`validate_branches`.
    """
    places = {qubit: number for number, qubit in enumerate(_used(circuit))}
    if len(places) > QUBITS or circuit.num_clbits > BITS:
        raise BackendError(
            f"circuit {circuit.name}: wanted at most {QUBITS} qubits and {BITS} classical bits "
            f"where it branches, got {len(places)} and {circuit.num_clbits}"
        )
    start = np.zeros((2,) * len(places), dtype=np.complex128)
    start[(0,) * len(places)] = 1
    bits = {bit: number for number, bit in enumerate(circuit.clbits)}
    found = np.zeros(2**circuit.num_clbits)
    for word, state in _followed(circuit, [(0, start)], places, bits):
        found[word] += float(np.sum(np.abs(state) ** 2))
    return found


def _used(circuit: QuantumCircuit) -> list[Any]:
    active = {q for step in flattened(circuit).data if step.name not in IDLE for q in step.qubits}
    return [qubit for qubit in circuit.qubits if qubit in active]


def _followed(
    circuit: QuantumCircuit,
    states: list[tuple[int, State]],
    places: Mapping[Any, int],
    bits: Mapping[Any, int],
) -> list[tuple[int, State]]:
    """States, not normalised, with the words read so far, after the circuit."""
    for step in circuit.data:
        if step.name in IDLE:
            continue
        wires = [places[qubit] for qubit in step.qubits]
        if step.name == BRANCH:
            states = _branched(step, states, places, bits)
        elif step.name == "measure":
            bit = bits[step.clbits[0]]
            states = [
                (word & ~(1 << bit) | value << bit, _projected(state, wires[0], value))
                for word, state in states
                for value in (0, 1)
            ]
            states = [each for each in states if np.sum(np.abs(each[1]) ** 2) > RARE]
        elif step.name == "reset":
            # what was 1 becomes 0, and the two do not interfere
            parts = [(w, _projected(s, wires[0], v), v) for w, s in states for v in (0, 1)]
            states = [(w, np.flip(s, wires[0]) if v else s) for w, s, v in parts]
            states = [each for each in states if np.sum(np.abs(each[1]) ** 2) > RARE]
        elif step.clbits:
            raise BackendError(
                f"circuit {circuit.name}: wanted gates, measurements, resets and branches on one "
                f"bit, got {step.name}"
            )
        else:
            matrix = Operator(step.operation).data
            states = [(word, _turned(state, matrix, wires)) for word, state in states]
    return states


def _branched(
    step: Any, states: list[tuple[int, State]], places: Mapping[Any, int], bits: Mapping[Any, int]
) -> list[tuple[int, State]]:
    condition = step.operation.condition
    if not isinstance(condition, tuple) or condition[0] not in bits:
        raise BackendError(f"if_else: wanted a condition on one classical bit, got {condition!r}")
    bit, value = bits[condition[0]], int(condition[1])
    found = []
    for word, state in states:
        taken = 0 if (word >> bit & 1) == value else 1
        if taken >= len(step.operation.blocks):
            found.append((word, state))
            continue
        block = step.operation.blocks[taken]
        inner = {q: places[outer] for q, outer in zip(block.qubits, step.qubits, strict=True)}
        own = {b: bits[outer] for b, outer in zip(block.clbits, step.clbits, strict=True)}
        found += _followed(block, [(word, state)], inner, own)
    return found


def _projected(state: State, wire: int, value: int) -> State:
    found = state.copy()
    found[(slice(None),) * wire + (1 - value,)] = 0
    return found


def _turned(state: State, matrix: State, wires: list[int]) -> State:
    # bit 0 of the matrix's index is the first wire, and varies fastest
    axes, number = wires[::-1], len(wires)
    gate = matrix.reshape((2,) * (2 * number))
    moved = np.tensordot(gate, state, axes=(list(range(number, 2 * number)), axes))
    return np.asarray(np.moveaxis(moved, list(range(number)), axes))
