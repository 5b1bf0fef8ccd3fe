"""Preparation of Dicke states."""

from __future__ import annotations

import math
from functools import lru_cache

from qiskit import QuantumCircuit, transpile
from qiskit.transpiler import CouplingMap

from .arguments import CircuitError, check_excitations, check_neurons

__all__ = ["CircuitError", "prepare_dicke"]


def prepare_dicke(neurons: int, n: int, *, line: bool = False) -> QuantumCircuit:
    """Return a circuit that takes |0…0⟩ to the Dicke state of ``n`` ones on N qubits.

    The equal, positive superposition of all C(N, n) strings with n ones. Depth O(N), O(nN)
    gates, no ancilla: split-and-cycle-shift blocks of A. Bärtschi and S. Eidenbenz,
    "Deterministic Preparation of Dicke States", Lecture Notes in Computer Science 11651, 126
    (2019), arXiv:1904.07358, Section 3. Since the start 0^{N-n} 1^n is known, controls whose
    value is certain are left out, and for n > N/2 the zeros are prepared and all qubits flipped.

    Args:
        neurons: N ≥ 1.
        n: number of ones, 0..N.
        line: put two-qubit gates on neighbours of the line 0-1-…-(N-1) only. A Dicke state does
            not change when its qubits change places, so the places they end up in are free.

    Raises:
        CircuitError: ``neurons`` is no integer ≥ 1, or ``n`` not in 0..N.
    """
    neurons = check_neurons(neurons)
    n = check_excitations("n", n, neurons)
    ones = min(n, neurons - n)
    if line and ones:
        return _routed(neurons, n).copy()
    circuit = QuantumCircuit(neurons)
    if n in (0, neurons):
        if n:
            circuit.x(range(neurons))
        return circuit
    circuit.x(range(neurons - ones, neurons))
    for size in range(neurons, 1, -1):
        _split_and_cycle(circuit, size, ones, ones - (neurons - size))
    if ones != n:
        circuit.x(range(neurons))
    return circuit


@lru_cache(maxsize=32)
def _routed(neurons: int, n: int) -> QuantumCircuit:
    """Return the preparation on a line; the final places of the qubits are dropped."""
    routed = transpile(
        prepare_dicke(neurons, n),
        coupling_map=CouplingMap.from_line(neurons),
        basis_gates=["cz", "rz", "sx", "x"],
        optimization_level=2,
        seed_transpiler=2019,
    )
    return QuantumCircuit(neurons).compose(routed, range(neurons), inplace=False)


def _split_and_cycle(circuit: QuantumCircuit, size: int, ones: int, fewest: int) -> None:
    """Decide the last of ``size`` qubits: 0^{s-l} 1^l goes, for each l, to

        sqrt(l/s) 0^{s-l} 1^{l-1} ⊗ 1  +  sqrt((s-l)/s) 0^{s-l-1} 1^l ⊗ 0.

    ``fewest`` is the smallest l that occurs (0 if negative), ``ones`` the largest.
    """
    last = size - 1
    for ones_left in range(max(1, fewest), min(ones, size - 1) + 1):
        target, neighbour = last - ones_left, last - ones_left + 1
        angle = 2 * math.acos(math.sqrt(ones_left / size))
        fresh = ones_left == ones  # nothing was written on the target yet
        if ones_left == fewest and fresh:
            circuit.ry(angle, target)
            circuit.cx(target, last)
        elif ones_left in (1, fewest):
            _move(circuit, angle, last, target)
        else:
            if not fresh:
                circuit.cx(target, last)
            _rotate_if_both(circuit, angle, neighbour, last, target)
            circuit.cx(target, last)


def _move(circuit: QuantumCircuit, angle: float, source: int, target: int) -> None:
    """Rotate |1⟩|0⟩ of source, target to cos(angle/2) |1⟩|0⟩ + sin(angle/2) |0⟩|1⟩."""
    circuit.h([source, target])
    circuit.cz(source, target)
    circuit.ry(angle / 2, source)
    circuit.ry(-angle / 2, target)
    circuit.cz(source, target)
    circuit.h([source, target])


def _rotate_if_both(
    circuit: QuantumCircuit, angle: float, first: int, second: int, target: int
) -> None:
    """Apply RY(angle) on the target if both controls are 1.

    Leaves (-1)^(second·target) of the state before, which is 1 for the states that occur.
    """
    quarter = angle / 4
    circuit.ry(-quarter, target)
    circuit.cz(first, target)
    circuit.ry(quarter, target)
    circuit.cz(second, target)
    circuit.ry(-quarter, target)
    circuit.cz(first, target)
    circuit.ry(quarter, target)
