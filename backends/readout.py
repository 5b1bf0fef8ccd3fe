"""Readout errors, measured with the job that they are to correct.

Qubit j is prepared in |0⟩ and in |1⟩ and read; a_j = p(1|0) and b_j = p(0|1), the off-diagonal
entries of its assignment matrix, are the fractions of shots with a readout error. Their standard
errors are sqrt(p̃(1−p̃)/(n+2)), p̃ = (k+1)/(n+2) for k errors in n shots: no error seen is no proof
that there is none. Two circuits (all |0⟩, all |1⟩) serve any number of qubits if the errors are
independent; one more circuit a qubit tells whether they are.

The error of the X gate that prepares |1⟩ counts as a readout error (about 0.0003 against 0.01
on Heron devices).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import ClassicalRegister, QuantumCircuit
from qiskit.transpiler import Target

from .compile import to_isa
from .errors import BackendError
from .readings import take_readings

__all__ = [
    "ReadoutCalibration",
    "calibration_circuits",
    "calibration_states",
    "estimate_readout",
    "has_mthree",
    "mthree_quasi_counts",
    "readout_by_bit",
]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ReadoutCalibration:
    """Measured readout errors: the off-diagonal entries of each qubit's assignment matrix.

    Attributes:
        readout: (qubits, 2): p(1|0), p(0|1).
        stderr: (qubits, 2): their standard errors.
        shots: (qubits, 2): readings behind each.
        crosstalk: largest difference between two preparations of the other qubits, in standard
            errors of that difference; nan where there was one preparation only. Some 3 or more
            with tens of values says that readings are not independent.
    """

    readout: Array
    stderr: Array
    shots: NDArray[np.int64]
    crosstalk: float

    def record(self) -> dict[str, Any]:
        """Plain lists and numbers, for the file of a run."""
        return {
            "p_1_given_0": self.readout[:, 0].tolist(),
            "p_0_given_1": self.readout[:, 1].tolist(),
            "stderr_1_given_0": self.stderr[:, 0].tolist(),
            "stderr_0_given_1": self.stderr[:, 1].tolist(),
            "shots": self.shots.tolist(),
            "crosstalk_sigmas": None if np.isnan(self.crosstalk) else float(self.crosstalk),
        }


def calibration_states(qubits: int, *, per_qubit: bool = False) -> list[int]:
    """Basis states that are prepared: 0, 2^qubits − 1 and, ``per_qubit``, each 2^j.

    Raises:
        BackendError: for less than one qubit.
    """
    if qubits < 1:
        raise BackendError(f"qubits: wanted a number >= 1, got {qubits}")
    states = [0, 2**qubits - 1]
    if per_qubit and qubits > 1:
        states += [1 << qubit for qubit in range(qubits)]
    return states


def calibration_circuits(
    qubits: int, target: Target | None = None, *, per_qubit: bool = False
) -> list[QuantumCircuit]:
    """Circuits of :func:`calibration_states`, qubit j read into bit j of a register ``meas``.

    In the target's own gates where one is given. Number and shots are the price: 2 circuits, or
    2 + qubits.

    Raises:
        BackendError: for less than one qubit, or more than the target has.
    """
    circuits = []
    for state in calibration_states(qubits, per_qubit=per_qubit):
        body = QuantumCircuit(qubits, name=f"readout-{state:0{qubits}b}")
        for qubit in range(qubits):
            if state >> qubit & 1:
                body.x(qubit)
        circuit = body if target is None else to_isa(body, target)
        register = ClassicalRegister(qubits, "meas")
        circuit.add_register(register)
        circuit.measure(range(qubits), register)
        circuit.metadata = {"prepared": state}
        circuits.append(circuit)
    return circuits


def estimate_readout(
    counts: Sequence[Mapping[int, int]], states: Sequence[int], qubits: int
) -> ReadoutCalibration:
    """Readout errors from the counts of circuits that prepare ``states``.

    Args:
        counts: outcome → shots, one mapping a circuit; bit j of an outcome is qubit j.
        states: what each circuit prepares, as of :func:`calibration_states`.
        qubits: how many are read.

    Raises:
        BackendError: if counts and states do not pair up, an outcome has too many bits, or some
            qubit was never prepared in |0⟩ or in |1⟩.
    """
    if len(counts) != len(states):
        raise BackendError(f"counts: wanted one mapping a state ({len(states)}), got {len(counts)}")
    wrong = np.zeros((len(states), qubits), dtype=np.int64)
    shots = np.zeros(len(states), dtype=np.int64)
    prepared = np.array([[state >> j & 1 for j in range(qubits)] for state in states])
    for row, (table, state) in enumerate(zip(counts, states, strict=True)):
        for outcome, number in table.items():
            if not 0 <= outcome < 2**qubits or number < 0:
                raise BackendError(
                    f"counts: wanted outcomes of {qubits} bits, got {outcome} {number} times"
                )
            differs = np.array([(outcome ^ state) >> j & 1 for j in range(qubits)])
            wrong[row] += number * differs
            shots[row] += number
    totals = np.stack([((prepared == value) * shots[:, None]).sum(0) for value in (0, 1)], axis=1)
    errors = np.stack([((prepared == value) * wrong).sum(0) for value in (0, 1)], axis=1)
    if np.any(totals == 0):
        raise BackendError(
            "states: wanted shots of every qubit in |0> and in |1>, got none of some"
        )
    return ReadoutCalibration(
        errors / totals, _stderr(errors, totals), totals, _crosstalk(wrong, shots, prepared)
    )


def _stderr(wrong: NDArray[np.int64], shots: NDArray[np.int64]) -> Array:
    smooth = (wrong + 1) / (shots + 2)
    return np.asarray(np.sqrt(smooth * (1 - smooth) / (shots + 2)))


def _crosstalk(
    wrong: NDArray[np.int64], shots: NDArray[np.int64], prepared: NDArray[np.int64]
) -> float:
    largest = np.nan
    for qubit in range(prepared.shape[1]):
        for value in (0, 1):
            rows = np.flatnonzero((prepared[:, qubit] == value) & (shots > 0))
            if rows.size < 2:
                continue
            rate = wrong[rows, qubit] / shots[rows]
            error = _stderr(wrong[rows, qubit], shots[rows])
            sigmas = np.abs(rate[:, None] - rate) / np.hypot(error[:, None], error)
            largest = np.fmax(largest, sigmas.max())
    return float(largest)


def readout_by_bit(readout: Array, circuit: QuantumCircuit) -> Array:
    """Readout errors in the order of a circuit's classical bits, (clbits, 2).

    Errors belong to qubits, estimates to bits; a swap network reads qubit i into bit i after one
    number of steps and into another bit after the next. Bits not written are read without error.

    Raises:
        BackendError: for readings not at the circuit's end, or qubits without calibration.
    """
    readings = take_readings(circuit, resets=True)
    if readings.qubits and max(readings.qubits) >= len(readout):
        raise BackendError(
            f"readout: wanted errors of {max(readings.qubits) + 1} qubits, got {len(readout)}"
        )
    table = np.zeros((circuit.num_clbits, 2))
    table[list(readings.clbits)] = readout[list(readings.qubits)]
    return table


def has_mthree() -> bool:
    """Whether the package ``mthree`` is installed."""
    return find_spec("mthree") is not None


def mthree_quasi_counts(counts: Mapping[int, int], readout: Array) -> dict[int, float]:
    """Counts corrected by mthree in the space of the outcomes that occurred.

    For many qubits, where the full inversion of 2^q outcomes is too large (P. D. Nation et al.,
    PRX Quantum 2, 040326 (2021)). Quasi-counts may be negative and sum to the shots.

    Args:
        counts: outcome → shots.
        readout: (bits, 2): p(1|0), p(0|1) of the qubit that each bit is.

    Raises:
        BackendError: where mthree is not installed.
    """
    if not has_mthree():
        raise BackendError("mthree: wanted it installed (pip install mthree), got no such package")
    mthree: Any = import_module("mthree")
    bits = len(readout)
    solver = mthree.M3Mitigation(None)
    solver.cals_from_matrices(
        [np.array([[1 - a, b], [a, 1 - b]], dtype=np.float32) for a, b in readout]
    )
    words = {f"{outcome:0{bits}b}": number for outcome, number in counts.items()}
    quasi = solver.apply_correction(words, list(range(bits)))
    shots = sum(counts.values())
    return {int(word, 2): float(weight) * shots for word, weight in quasi.items()}
