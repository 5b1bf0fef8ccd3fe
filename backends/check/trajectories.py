"""Circuits that read qubits on the way: their parts, and state vectors of many histories at once.

Between readings such a circuit is unitary; what a reading finds decides how it goes on. A *history*
is what was found at each reading. :class:`Histories` holds one state vector for each of several
histories of one circuit and takes them through its gates together, in plain numpy and independently
of Aer. :func:`segments` parts a circuit at its readings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.exceptions import QiskitError
from qiskit.quantum_info import Operator

from ..errors import BackendError

__all__ = ["Histories", "Misread", "Segment", "sampled", "segments"]

Vectors = NDArray[np.complex128]
# nothing happens in them to a state without noise
IDLE = ("barrier", "delay", "id")
# complex numbers held at once while shots are drawn: 64 MB
HELD = 2**22


class Misread(Exception):
    """A circuit's readings or resets are not what was wanted.

    Attributes:
        check: ``readings`` or ``resets``.
        found: what there is, for people.
        wanted: the rule it breaks, for people.
    """

    def __init__(self, check: str, found: str, wanted: str) -> None:
        self.check, self.found, self.wanted = check, found, wanted
        super().__init__(f"{check}: wanted {wanted}, got {found}")


class Step(NamedTuple):
    """One instruction on qubits 0…n−1; ``matrix`` for gates, ``clbit`` for measurements.

    Bit i of the matrix's index is ``qubits[i]``.
    """

    name: str
    qubits: tuple[int, ...]
    matrix: Vectors | None = None
    clbit: int = -1


@dataclass(frozen=True)
class Segment:
    """What a circuit does from one reading to the next.

    Attributes:
        resets: qubits that are put back into |0⟩; they come first.
        gates: what follows, in order.
        qubits: read at the end, in the order of the classical bits asked for.
    """

    resets: tuple[int, ...]
    gates: tuple[Step, ...]
    qubits: tuple[int, ...]


def steps_of(circuit: QuantumCircuit) -> tuple[list[Step], int]:
    """A circuit's instructions and the number of its qubits, cut to those it uses.

    Unused qubits are left out and the others renumbered in their order. Barriers and delays are
    not among the steps.

    Raises:
        BackendError: for control flow and whatever else has neither a matrix nor is a measurement
            or a reset.
    """
    clbit = {bit: number for number, bit in enumerate(circuit.clbits)}
    steps = [step for step in circuit.data if step.name not in IDLE]
    used = {qubit for step in steps for qubit in step.qubits}
    wires = [qubit for qubit in circuit.qubits if qubit in used]
    number = {qubit: count for count, qubit in enumerate(wires)}
    found = []
    for step in steps:
        name = step.name
        qubits = tuple([number[qubit] for qubit in step.qubits])
        if name == "measure":
            found.append(Step(name, qubits, clbit=clbit[step.clbits[0]]))
        elif name == "reset":
            found.append(Step(name, qubits))
        elif step.clbits:
            raise BackendError(
                f"circuit {circuit.name}: wanted gates, measurements and resets, got {name}"
            )
        else:
            found.append(Step(name, qubits, _matrix(circuit, step)))
    return found, len(wires)


def _matrix(circuit: QuantumCircuit, step: Any) -> Vectors:
    matrix = step.matrix
    if matrix is None:
        try:
            matrix = Operator(step.operation).data
        except QiskitError as error:
            raise BackendError(
                f"circuit {circuit.name}: wanted gates with a matrix, got {step.name}"
            ) from error
    return np.asarray(matrix, dtype=np.complex128)


def segments(
    circuit: QuantumCircuit, readings: Sequence[Sequence[int]]
) -> tuple[list[Segment], int]:
    """Part a circuit at its readings; also the number of qubits it uses.

    A segment ends with the measurement into the last classical bit of its reading, in the
    circuit's own order of instructions. Measurements of one reading commute with what is done to
    other qubits, so they count as simultaneous; what is done later to a qubit that was read goes
    into the next segment, and so does all that depends on it.

    Args:
        circuit: with measurements, resets and gates.
        readings: classical bits that are read together, in order of time.

    Raises:
        Misread: ``readings`` where those classical bits are not read together (one is missing, is
            read twice, in another reading, or only after something that depends on this reading),
            or others are read; ``resets`` where something is done to a qubit after its reading
            and before a reset, or a qubit is reset that was used and not read before.
        BackendError: as :func:`steps_of`.
    """
    remaining, qubits = steps_of(circuit)
    found: list[Segment] = []
    held: dict[int, int] = {}  # qubit that was read and not yet reset: its classical bit
    used: set[int] = set()  # since the start or the last reset
    for bits in readings:
        wanted, place = set(bits), dict[int, int]()
        blocked: set[int] = set()
        later: list[Step] = []
        resets: list[int] = []
        gates: list[Step] = []
        for number, step in enumerate(remaining):
            if len(place) == len(wanted) or len(blocked) == qubits:
                later += remaining[number:]
                break
            if not blocked.isdisjoint(step.qubits) or (
                step.name == "measure" and step.clbit not in wanted
            ):
                blocked.update(step.qubits)
                later.append(step)
            elif step.name == "reset":
                _check_reset(step, held, used)
                if step.qubits[0] in held:
                    resets.append(step.qubits[0])
                    del held[step.qubits[0]]
                used.discard(step.qubits[0])
            else:
                _check_free(step, held)
                if step.name == "measure":
                    place[step.clbit] = step.qubits[0]
                    blocked.update(step.qubits)
                else:
                    gates.append(step)
                used.update(step.qubits)
        if set(place) != set(bits):
            raise Misread(
                "readings",
                f"classical bits {sorted(place)} read together as reading {len(found)}",
                f"{sorted(bits)}",
            )
        held.update({qubit: bit for bit, qubit in place.items()})
        found.append(Segment(tuple(resets), tuple(gates), tuple(place[bit] for bit in bits)))
        remaining = later
    rest = [step.clbit for step in remaining if step.name == "measure"]
    if rest:
        raise Misread(
            "readings",
            f"classical bits {rest} read after the last reading",
            "each classical bit read once, in its reading",
        )
    return found, qubits


def _check_reset(step: Step, held: dict[int, int], used: set[int]) -> None:
    qubit = step.qubits[0]
    if qubit not in held and qubit in used:
        raise Misread(
            "resets", f"a reset of qubit {qubit}, used and not read", "resets of read qubits only"
        )


def _check_free(step: Step, held: dict[int, int]) -> None:
    for qubit in step.qubits:
        if qubit in held:
            raise Misread(
                "resets",
                f"{step.name} on qubit {qubit} after its reading into classical bit {held[qubit]}",
                "a reset first",
            )


class Histories:
    """State vectors (histories, 2^n) of one circuit; bit j of the index is qubit j.

    Gates act on all of them alike. Gates on one qubit wait until something else needs the qubit.
    All start in |0…0⟩. Global phases count for nothing.
    """

    def __init__(self, histories: int, qubits: int) -> None:
        self.qubits = qubits
        self._vectors = np.zeros((histories, 2**qubits), dtype=np.complex128)
        self._vectors[:, 0] = 1
        self._waiting: dict[int, Vectors] = {}

    def apply(self, step: Step) -> None:
        """Apply a gate."""
        assert step.matrix is not None
        if len(step.qubits) == 1:
            qubit = step.qubits[0]
            before = self._waiting.get(qubit)
            self._waiting[qubit] = step.matrix if before is None else step.matrix @ before
            return
        self._catch_up(step.qubits)
        size = len(step.matrix)
        if np.count_nonzero(step.matrix) == size:  # one a row, as of cx, cz, swap, rzz
            columns = np.abs(step.matrix).argmax(axis=1)
            sources, rows = _moves(self.qubits, step.qubits, tuple(columns.tolist()))
            # contiguous, which indexing would not be: views of it are written to
            self._vectors = np.take(self._vectors, sources, axis=1)
            self._vectors *= step.matrix[range(size), columns][rows]
            return
        order = (*step.qubits, *self._others(step.qubits))
        moved = self._reordered(order).reshape(len(self._vectors), -1, size) @ step.matrix.T
        back = tuple(order.index(qubit) for qubit in range(self.qubits))
        self._vectors = _reordered(moved.reshape(self._vectors.shape), back)

    def ordered(self, first: Sequence[int]) -> Vectors:
        """The states (histories, 2^(n−m), 2^m), the m qubits of ``first`` set apart.

        Bit j of the last index is qubit ``first[j]``; the other qubits are in ascending order.
        """
        self._catch_up(range(self.qubits))
        order = (*first, *self._others(first))
        return self._reordered(order).reshape(len(self._vectors), -1, 2 ** len(first))

    def project(self, qubits: Sequence[int], outcomes: NDArray[np.int64]) -> None:
        """Reading ``qubits`` finds ``outcomes`` (histories,), bit j being ``qubits[j]``.

        The states are brought back to norm 1; one in which the outcome cannot be found is nan.
        """
        self._catch_up(qubits)
        self._vectors *= _outcomes(self.qubits, tuple(qubits)) == outcomes[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            self._vectors /= np.linalg.norm(self._vectors, axis=1, keepdims=True)

    def read(self, qubit: int, chances: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Read a qubit by Born's rule, and be in the state found.

        ``chances`` (histories,) are uniform in [0, 1). What was found comes back, (histories,).
        """
        self._catch_up((qubit,))
        halves = self._vectors.reshape(len(self._vectors), -1, 2, 2**qubit)
        weights = np.einsum("hasb,hasb->hs", halves, halves.conj()).real
        ones: NDArray[np.bool_] = chances * weights.sum(axis=1) >= weights[:, 0]
        self.project((qubit,), ones.astype(np.int64))
        return ones

    def reset(self, qubit: int) -> None:
        """Put a qubit that was read, and so is in |0⟩ or |1⟩ in each history, into |0⟩."""
        self._catch_up((qubit,))
        halves = self._vectors.reshape(len(self._vectors), -1, 2, 2**qubit)
        halves[:, :, 0] += halves[:, :, 1]
        halves[:, :, 1] = 0

    def _catch_up(self, qubits: Sequence[int] | range) -> None:
        for qubit in qubits:
            matrix = self._waiting.pop(qubit, None)
            if matrix is None:
                continue
            halves = self._vectors.reshape(-1, 2, 2**qubit)
            zero, one = halves[:, 0], halves[:, 1]
            if matrix[0, 1] == 0 == matrix[1, 0]:
                zero *= matrix[0, 0]
                one *= matrix[1, 1]
                continue
            turned = matrix[0, 0] * zero + matrix[0, 1] * one
            halves[:, 1] = matrix[1, 0] * zero + matrix[1, 1] * one
            halves[:, 0] = turned

    def _others(self, qubits: Sequence[int]) -> Iterator[int]:
        return (qubit for qubit in range(self.qubits) if qubit not in qubits)

    def _reordered(self, order: tuple[int, ...]) -> Vectors:
        return _reordered(self._vectors, order)


def _reordered(vectors: Vectors, order: tuple[int, ...]) -> Vectors:
    """Bit j of the new index is bit ``order[j]`` of the old."""
    count = len(order)
    if order == tuple(range(count)):
        return vectors
    axes = (0, *(count - qubit for qubit in reversed(order)))
    tensor = vectors.reshape(-1, *(2,) * count).transpose(axes)
    return np.ascontiguousarray(tensor).reshape(vectors.shape)


@lru_cache(maxsize=64)
def _outcomes(qubits: int, read: tuple[int, ...]) -> NDArray[np.int64]:
    """For each index 0…2^qubits−1: what reading ``read`` finds, bit j being ``read[j]``."""
    indices = np.arange(2**qubits)
    return np.asarray(sum(((indices >> qubit) & 1) << j for j, qubit in enumerate(read)))


@lru_cache(maxsize=256)
def _moves(
    qubits: int, places: tuple[int, ...], columns: tuple[int, ...]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For a matrix on ``places`` with one entry a row, in these columns: where each amplitude of a
    state comes from, and the row that makes it.
    """
    rows = _outcomes(qubits, places)
    indices = np.arange(2**qubits)
    kept = indices & ~sum(1 << place for place in places)
    moved = np.asarray(columns)[rows]
    return kept | sum(((moved >> j) & 1) << place for j, place in enumerate(places)), rows


def sampled(circuit: QuantumCircuit, shots: int, seed: int) -> NDArray[np.bool_]:
    """Shots of a circuit, a trajectory each, by Born's rule and without noise.

    Booleans (shots, clbits), column j for classical bit j; bits that are not written are 0. A reset
    reads the qubit without writing down what it finds. They depend on the seed alone.

    Raises:
        BackendError: as :func:`steps_of`.
    """
    steps, qubits = steps_of(circuit)
    generator = np.random.default_rng(seed)
    outcomes = np.zeros((shots, circuit.num_clbits), dtype=np.bool_)
    each = max(1, HELD >> qubits)
    for start in range(0, shots, each):
        part = outcomes[start : start + each]
        histories = Histories(len(part), qubits)
        for step in steps:
            if step.matrix is not None:
                histories.apply(step)
                continue
            ones = histories.read(step.qubits[0], generator.random(len(part)))
            if step.name == "measure":
                part[:, step.clbit] = ones
            else:
                histories.reset(step.qubits[0])
    return outcomes
