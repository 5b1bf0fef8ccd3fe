"""Circuits that end in their readings: taking the readings off, and drawing shots for them.

Qubits that are reset on the way without being read are no hindrance: where it is asked for, resets
count as gates (see :mod:`qbrain.backends.channels`).

Aer takes longer to draw some thousand shots than to evolve a small state. Where all readings come
last, the shots are therefore drawn here from the probabilities that Aer computes, which also lets
circuits with different seeds share one Aer job.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit

from .errors import BackendError
from .sampling import Outcomes
from .unchecked import append_known

__all__ = ["Readings", "draw", "final_readings", "take_readings"]


@dataclass(frozen=True)
class Readings:
    """A circuit's gates on all its qubits, and which qubit is read into which classical bit.

    ``qubits[i]`` is read into ``clbits[i]``; delays stay among the gates, barriers do not.
    ``resets`` says whether there are resets among them.
    """

    gates: QuantumCircuit
    qubits: tuple[int, ...]
    clbits: tuple[int, ...]
    resets: bool = False


def take_readings(circuit: QuantumCircuit, *, resets: bool = False) -> Readings:
    """Part a circuit from the measurements at its end.

    Args:
        circuit: with its measurements last.
        resets: whether resets of qubits that are not read count as gates.

    Raises:
        BackendError: where that cannot be done: resets where they do not count as gates, control
            flow, gates or resets after a measurement, a classical bit written twice.
    """
    index = {qubit: number for number, qubit in enumerate(circuit.qubits)}
    clbit = {bit: number for number, bit in enumerate(circuit.clbits)}
    gates = QuantumCircuit(circuit.num_qubits, name=circuit.name, global_phase=circuit.global_phase)
    wires = gates.qubits
    read: dict[int, int] = {}
    found = False
    for step in circuit.data:
        name = step.name
        if name == "barrier":
            continue
        places = [index[qubit] for qubit in step.qubits]
        if read and any(place in read for place in places):
            raise BackendError(
                f"circuit {circuit.name}: wanted measurements last, got {name} after one"
            )
        if name == "measure":
            read[places[0]] = clbit[step.clbits[0]]
        elif step.clbits or (name == "reset" and not resets):
            raise BackendError(f"circuit {circuit.name}: wanted gates alone, got {name}")
        else:
            found = found or name == "reset"
            append_known(gates, step.replace(qubits=[wires[place] for place in places]))
    if len(set(read.values())) != len(read):
        raise BackendError(
            f"circuit {circuit.name}: wanted each classical bit written once, "
            f"got {sorted(read.values())}"
        )
    return Readings(gates, tuple(read), tuple(read.values()), found)


def final_readings(circuit: QuantumCircuit, *, resets: bool = False) -> Readings | None:
    """What :func:`take_readings` gives; None where a circuit does not end in its readings."""
    try:
        return take_readings(circuit, resets=resets)
    except BackendError:
        return None


def draw(
    probabilities: NDArray[np.float64],
    bits: Sequence[int],
    clbits: int,
    shots: int,
    seed: int,
    readout: NDArray[np.float64] | None = None,
) -> Outcomes:
    """Shots from the probabilities of basis states.

    Args:
        probabilities: (2^m,), need not sum to 1 to the last digit.
        bits: bit i of a basis state's index is read into classical bit ``bits[i]``; −1: not read.
        clbits: number of classical bits; those not written stay 0.
        shots: how many.
        seed: of the draw.
        readout: (m, 2): p(1|0), p(0|1) of the qubit that bit i is.

    Returns:
        Booleans (shots, clbits).
    """
    generator = np.random.default_rng(seed)
    cumulative = np.cumsum(np.clip(probabilities, 0.0, None))
    points = generator.random(shots) * cumulative[-1]
    indices = np.searchsorted(cumulative, points, side="right")
    outcomes = np.zeros((shots, clbits), dtype=np.bool_)
    for place, clbit in enumerate(bits):
        if clbit < 0:
            continue
        values = (indices >> place) & 1 == 1
        if readout is not None:
            false, lost = readout[place]
            values ^= generator.random(shots) < np.where(values, lost, false)
        outcomes[:, clbit] = values
    return outcomes
