"""Circuits that reset qubits on the way without reading them: parts, and exact reduced states.

Without a reading a reset is a channel: the qubit is forgotten and |0⟩ put in its place. So such a
circuit has one density matrix at its end, however many resets there are. Qubits that no gate joins
are independent, and their density matrices are made one by one: eight neurons with two ancillas
each take eight matrices of 8×8 in place of one of 2^24×2^24.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.transpiler import Target

from .check.trajectories import Step, steps_of
from .compile import to_isa
from .errors import BackendError
from .ideal import ideal_target
from .readings import Readings, draw
from .sampling import Outcomes
from .unchecked import append_known

__all__ = [
    "PLAIN_QUBITS",
    "Part",
    "aer_states",
    "connected",
    "draw_parts",
    "independent_parts",
    "reduced_state",
    "sampled_parts",
    "traced",
]

Matrix = NDArray[np.complex128]

# Up to here a matrix on all qubits of a part is made for each gate, in microseconds.
PLAIN_QUBITS = 5
# From here on it is worth looking for parts of a circuit that ends in its readings.
LARGE = 6


@dataclass(frozen=True)
class Part(Readings):
    """Qubits of a circuit that meet no others, with their gates, on the register of the whole.

    Attributes:
        wires: the qubits, in ascending order; those that are read among them.
    """

    wires: tuple[int, ...] = ()


def connected(groups: Iterable[Sequence[int]]) -> list[tuple[int, ...]]:
    """Join groups that have a number in common, until none do; each, and all, in ascending order.

    A number that is alone has to be given as a group of its own.
    """
    root: dict[int, int] = {}

    def find(number: int) -> int:
        while root[number] != number:
            root[number] = root[root[number]]
            number = root[number]
        return number

    for first, *others in groups:
        root.setdefault(first, first)
        for other in others:
            root.setdefault(other, other)
            root[find(other)] = find(first)
    joined: dict[int, list[int]] = {}
    for number in sorted(root):
        joined.setdefault(find(number), []).append(number)
    return sorted(tuple(group) for group in joined.values())


def independent_parts(readings: Readings) -> list[Part]:
    """The parts that are read, in the order of their first qubits.

    Gates of one part commute with those of all others, so that the whole's outcomes are drawn by
    drawing each part's. Parts of which nothing is read are left out.
    """
    gates = readings.gates
    index = {qubit: number for number, qubit in enumerate(gates.qubits)}
    places = [tuple([index[qubit] for qubit in step.qubits]) for step in gates.data]
    used = {qubit for place in places for qubit in place} | set(readings.qubits)
    groups = connected([*((qubit,) for qubit in used), *{p for p in places if len(p) > 1}])
    if len(groups) == 1:
        return [_part(readings, gates, groups[0])]
    part_of = {qubit: number for number, group in enumerate(groups) for qubit in group}
    wanted = sorted({part_of[qubit] for qubit in readings.qubits})
    circuits = {number: gates.copy_empty_like() for number in wanted}
    for place, step in zip(places, gates.data, strict=True):
        circuit = circuits.get(part_of[place[0]])
        if circuit is not None:
            append_known(circuit, step)
    return [_part(readings, circuit, groups[number]) for number, circuit in circuits.items()]


def _part(readings: Readings, gates: QuantumCircuit, wires: tuple[int, ...]) -> Part:
    read = [
        (qubit, bit)
        for qubit, bit in zip(readings.qubits, readings.clbits, strict=True)
        if qubit in wires
    ]
    return Part(
        gates,
        tuple(qubit for qubit, _ in read),
        tuple(bit for _, bit in read),
        readings.resets,
        wires,
    )


def sampled_parts(readings: Readings) -> list[Part]:
    """What a circuit is drawn from: its independent parts where that is worth it, else the whole.

    It is where there are resets, and where there are 6 qubits or more of which several groups
    have gates in common.
    """
    if readings.resets or readings.gates.num_qubits >= LARGE:
        parts = independent_parts(readings)
        if readings.resets or sum(len(part.wires) > 1 for part in parts) > 1:
            return parts
    wires = tuple(range(readings.gates.num_qubits))
    return [Part(readings.gates, readings.qubits, readings.clbits, readings.resets, wires)]


def draw_parts(
    parts: Sequence[Part],
    probabilities: Sequence[NDArray[np.float64]],
    clbits: int,
    shots: int,
    seed: int,
    readout: NDArray[np.float64] | None = None,
) -> Outcomes:
    """Shots of a whole circuit from the probabilities of its parts.

    Args:
        parts: of :func:`sampled_parts`.
        probabilities: of each part (2^m,), bit i of the index being its ``qubits[i]``.
        clbits: number of classical bits; those not written stay 0.
        shots: how many.
        seed: of the draw; several parts have seeds of their own that follow from it.
        readout: (qubits, 2): p(1|0), p(0|1) of each qubit of the whole.

    Returns:
        Booleans (shots, clbits).
    """
    outcomes = np.zeros((shots, clbits), dtype=np.bool_)
    for number, (part, weights) in enumerate(zip(parts, probabilities, strict=True)):
        own = seed
        if len(parts) > 1:
            own = int(np.random.SeedSequence(seed, spawn_key=(number,)).generate_state(1)[0])
        wrong = None if readout is None else readout[list(part.qubits)]
        outcomes |= draw(weights, part.clbits, clbits, shots, own, wrong)
    return outcomes


def aer_states(parts: Sequence[Part]) -> list[Matrix]:
    """Density matrices of the qubits that are read, by Aer without noise, all in one job.

    Of a part with m qubits that are read (2^m, 2^m), bit i of the index being ``qubits[i]``.

    Raises:
        BackendError: for a part of more than 12 qubits, or if Aer reports a failure.
    """
    from qiskit_aer.library import SaveDensityMatrix

    circuits = []
    for part in parts:
        _check_size(part, 12)
        circuit = to_isa(part.gates, _native(part.gates.num_qubits))
        if circuit is part.gates:
            circuit = circuit.copy()
        circuit.append(SaveDensityMatrix(len(part.qubits), label="state"), list(part.qubits))
        circuits.append(circuit)
    if not circuits:
        return []
    result = _simulator().run(circuits, shots=1).result()
    if not result.success:
        raise BackendError(f"circuit {circuits[0].name}: Aer cannot simulate it: {result.status}")
    return [
        np.asarray(result.data(index)["state"], dtype=np.complex128) for index in range(len(parts))
    ]


@lru_cache(maxsize=1)
def _simulator() -> Any:
    from qiskit_aer import AerSimulator

    # one thread: the parts are small, and starting threads costs more than they save
    return AerSimulator(method="density_matrix", fusion_enable=False, max_parallel_threads=1)


@lru_cache(maxsize=32)
def _native(qubits: int) -> Target:
    return ideal_target(qubits)


def reduced_state(part: Part) -> Matrix:
    """The same as :func:`aer_states` of one part, in plain numpy and independently of Aer.

    Between resets the gates are multiplied to one matrix; what waits for a qubit's next gate with
    another is first multiplied by itself. An instruction takes some microseconds where Aer takes
    20, most of them to hand it over.

    Raises:
        BackendError: for a part of more than 5 qubits, or gates without a matrix.
    """
    _check_size(part, PLAIN_QUBITS)
    steps, qubits = steps_of(part.gates)
    if not qubits:  # nothing is done to what is read
        qubits = len(part.qubits)
    state = _State(qubits)
    for step in steps:
        if step.matrix is None:
            state.reset(step.qubits[0])
        else:
            state.apply(step)
    places = [part.wires.index(qubit) for qubit in part.qubits]
    return traced(state.matrix(), places)


def _check_size(part: Part, limit: int) -> None:
    if len(part.wires) > limit:
        raise BackendError(
            f"circuit {part.gates.name}: wanted at most {limit} qubits that gates join, "
            f"got {len(part.wires)}"
        )


class _State:
    """Density matrix (2^n, 2^n) of a few qubits; bit j of the index is qubit j."""

    def __init__(self, qubits: int) -> None:
        self._qubits, self._size = qubits, 2**qubits
        self._rho = np.zeros((self._size, self._size), dtype=np.complex128)
        self._rho[0, 0] = 1
        self._identity = np.eye(self._size, dtype=np.complex128)
        self._unitary = self._identity  # since the last reset
        self._waiting: dict[int, Matrix] = {}

    def apply(self, step: Step) -> None:
        assert step.matrix is not None
        if len(step.qubits) == 1:
            qubit = step.qubits[0]
            before = self._waiting.get(qubit)
            self._waiting[qubit] = step.matrix if before is None else step.matrix @ before
            return
        self._catch_up(step.qubits)
        whole = _on_all(step.matrix.tobytes(), step.qubits, self._qubits)
        self._unitary = whole @ self._unitary

    def reset(self, qubit: int) -> None:
        self._catch_up((qubit,))
        if self._unitary is not self._identity:
            self._rho = self._unitary @ self._rho @ self._unitary.conj().T
            self._unitary = self._identity
        halves = self._rho.reshape(-1, 2, 2**qubit, self._size >> (qubit + 1), 2, 2**qubit)
        halves[:, 0, :, :, 0] += halves[:, 1, :, :, 1]
        halves[:, 1] = 0
        halves[:, :, :, :, 1] = 0

    def matrix(self) -> Matrix:
        self._catch_up(range(self._qubits))
        return np.asarray(self._unitary @ self._rho @ self._unitary.conj().T)

    def _catch_up(self, qubits: Iterable[int]) -> None:
        for qubit in qubits:
            matrix = self._waiting.pop(qubit, None)
            if matrix is not None:
                # the rows' bit alone is turned
                rows = self._unitary.reshape(-1, 2, self._size << qubit)
                self._unitary = (matrix @ rows).reshape(self._size, self._size)


@lru_cache(maxsize=256)
def _on_all(matrix: bytes, places: tuple[int, ...], qubits: int) -> Matrix:
    """A gate's complex matrix, bit i being ``places[i]``, as one on all qubits."""
    gate = np.frombuffer(matrix, dtype=np.complex128).reshape(2 ** len(places), -1)
    indices = np.arange(2**qubits)
    own = np.asarray(sum(((indices >> place) & 1) << i for i, place in enumerate(places)))
    rest = indices & ~sum(1 << place for place in places)
    same = rest[:, None] == rest[None, :]
    return np.asarray(gate[own[:, None], own[None, :]] * same)


def traced(rho: Matrix, places: Sequence[int]) -> Matrix:
    """The reduced matrix of some qubits: bit i of the new index is bit ``places[i]`` of the old."""
    count = len(rho).bit_length() - 1
    axes = [count - 1 - place for place in reversed(places)]
    others = [axis for axis in range(count) if axis not in axes]
    order = [*axes, *others]
    tensor = rho.reshape((2,) * (2 * count)).transpose([*order, *(count + a for a in order)])
    kept, gone = 2 ** len(axes), 2 ** len(others)
    return np.asarray(np.einsum("aibi->ab", tensor.reshape(kept, gone, kept, gone)))
