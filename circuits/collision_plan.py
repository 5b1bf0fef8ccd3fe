"""Which ancilla meets which neuron where: plans of the circuits of neurons in a collective bath.

A plan is what :func:`qbrain.circuits.open_system.collision_circuit` does in its order, on numbered
qubits, with the angles left open; its gates can be counted before there is a circuit. Neurons keep
their order on the line, ancillas move between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

__all__ = ["CollisionLayout", "Op", "Plan", "plan_collisions"]


@dataclass(frozen=True)
class CollisionLayout:
    """Where the neurons are in the circuit of a plan, and what it costs.

    Attributes:
        qubits: of the circuit, ancillas included.
        two_qubit_gates: CNOTs.
        resets: of ancillas, on the way; after the last sweep there is none.
        starts: the qubit that each neuron starts on, (N,).
        ends: the qubit that each is read from, (N,).
    """

    qubits: int
    two_qubit_gates: int
    resets: int
    starts: tuple[int, ...]
    ends: tuple[int, ...]


class Op(NamedTuple):
    """One thing to be done, on one or two qubits.

    ``meet`` (ancilla, neuron): a collision at ``weight`` of the angle of sweep ``number``, the two
    changing places or not. ``carry`` (ancilla in |0⟩, what it passes). ``reset``; ``silent`` and
    ``active`` bring an ancilla that is in |0⟩ into the frame. ``pairs``: layer ``number`` of ZZ.
    """

    kind: str
    qubits: tuple[int, ...]
    number: int = 0
    weight: float = 1.0
    swap: bool = False


class Plan(NamedTuple):
    """What is done in its order, and what that comes to."""

    ops: tuple[Op, ...]
    layout: CollisionLayout


class _Sweep(NamedTuple):
    """An ancilla on its way along the neurons, each with its share of the angle.

    ``leaves``: whether it changes places with the last of them.
    """

    ancilla: int
    active: bool
    meetings: tuple[tuple[int, float], ...]
    leaves: bool


@lru_cache(maxsize=64)
def plan_collisions(
    neurons: int,
    steps: int,
    absorption: bool,
    shifts: bool,
    order: str,
    layout: str,
    fresh: bool,
) -> Plan:
    """What is done in which order on which qubits; angles are put in later."""
    shifts = shifts and neurons > 1
    line = layout == "line"
    # up to three neurons one ancilla costs no more: it goes back between |0⟩ and |1⟩
    pair = line and absorption and order == "alternating" and not fresh and neurons > 3
    sweeps = _sweeps(neurons, steps, absorption, order, fresh, pair, shifts)
    wires = _Places(_arrangement(neurons, sweeps, fresh, pair, shifts and line, line), line)
    starts = wires.of(neurons)
    a_step = 2 if absorption else 1
    used: set[int] = set()
    for number, sweep in enumerate(sweeps):
        if shifts and number % a_step == 0:
            wires.pairs(neurons, number // a_step)
        if sweep.ancilla in used:
            wires.put("reset", sweep.ancilla)
        used.add(sweep.ancilla)
        wires.sweep(number, sweep)
    if shifts and steps:
        wires.pairs(neurons, steps)
    return Plan(
        tuple(wires.ops),
        CollisionLayout(
            qubits=wires.qubits,
            two_qubit_gates=sum(_cost(op) for op in wires.ops),
            resets=sum(op.kind == "reset" for op in wires.ops),
            starts=starts,
            ends=wires.of(neurons),
        ),
    )


def _sweeps(
    neurons: int,
    steps: int,
    absorption: bool,
    order: str,
    fresh: bool,
    pair: bool,
    shifts: bool,
) -> list[_Sweep]:
    """All sweeps in order; ancillas are numbered from N on."""
    forward = tuple((neuron, 1.0) for neuron in range(neurons))
    there = tuple((neuron, 0.5) for neuron in range(neurons - 1))
    ways = [forward, forward[::-1]]
    if order == "palindromic":
        ways = [(*there, forward[-1], *there[::-1])] * 2
    elif order == "fixed":
        ways = [forward] * 2
    kinds = [False, True] if absorption else [False]
    found: list[_Sweep] = []
    for step in range(steps):
        odd = step % 2
        backwards = order == "alternating" and odd
        for place, active in enumerate(kinds[::-1] if backwards else kinds):
            number = len(found)
            ancilla = neurons + (number if fresh else int(active) if pair else 0)
            # not to be in the way of what comes next
            last = number + 1 == steps * len(kinds)
            before_pairs = shifts and place + 1 == len(kinds)
            leaves = before_pairs or (pair and place == 0) or (fresh and not last)
            found.append(_Sweep(ancilla, active, ways[odd], leaves))
    return found


def _arrangement(
    neurons: int, sweeps: Sequence[_Sweep], fresh: bool, pair: bool, outside: bool, line: bool
) -> list[int]:
    """What is on each qubit at the start: neurons 0 … N-1, ancillas N, N+1, …"""
    row = list(range(neurons))
    if not line:
        return [*row, *sorted({sweep.ancilla for sweep in sweeps} or {neurons})]
    if fresh and sweeps:
        # they wait on the side from which they come, the earliest nearest
        first = {sweep.ancilla: sweep.meetings[0][0] == 0 for sweep in sweeps}
        left = [ancilla for ancilla, begins in first.items() if begins]
        return [*left[::-1], *row, *(a for a, begins in first.items() if not begins)]
    place = 0 if outside else 1
    row[place:place] = [neurons]
    return [neurons + 1, *row] if pair else row


class _Places:
    """What is on each qubit, and what has been done so far."""

    def __init__(self, row: list[int], line: bool) -> None:
        self.qubits = len(row)
        self.ops: list[Op] = []
        self._row, self._line = row, line
        self._place = {label: place for place, label in enumerate(row)}

    def of(self, neurons: int) -> tuple[int, ...]:
        return tuple(self._place[neuron] for neuron in range(neurons))

    def put(self, kind: str, label: int) -> None:
        self.ops.append(Op(kind, (self._place[label],)))

    def pairs(self, neurons: int, number: int) -> None:
        self.ops.append(Op("pairs", self.of(neurons), number))

    def sweep(self, number: int, sweep: _Sweep) -> None:
        ancilla = sweep.ancilla
        while not self._beside(ancilla, sweep.meetings[0][0]):
            here, there = self._place[ancilla], self._place[sweep.meetings[0][0]]
            beside = here + (1 if there > here else -1)
            self.ops.append(Op("carry", (here, beside)))
            self._exchange(here, beside)
        self.put("active" if sweep.active else "silent", ancilla)
        for index, (neuron, weight) in enumerate(sweep.meetings):
            places = (self._place[ancilla], self._place[neuron])
            if index + 1 < len(sweep.meetings):
                swap = not self._beside(ancilla, sweep.meetings[index + 1][0])
            else:
                swap = sweep.leaves and self._line
            self.ops.append(Op("meet", places, number, weight, swap))
            if swap:
                self._exchange(*places)

    def _beside(self, label: int, other: int) -> bool:
        return not self._line or abs(self._place[label] - self._place[other]) == 1

    def _exchange(self, one: int, other: int) -> None:
        row = self._row
        row[one], row[other] = row[other], row[one]
        self._place[row[one]], self._place[row[other]] = one, other


def _cost(op: Op) -> int:
    """Its CNOTs."""
    if op.kind == "pairs":
        return len(op.qubits) * (len(op.qubits) - 1)
    return {"meet": 3 if op.swap else 2, "carry": 2}.get(op.kind, 0)
