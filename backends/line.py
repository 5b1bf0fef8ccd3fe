"""The cheapest line, or else the cheapest connected patch, of qubits in a weighted graph.

Pure graph search: what a qubit and an edge cost is for the caller to say (see
:mod:`qbrain.backends.snapshot`, which takes it from a device's calibration). Every answer is
deterministic: equal costs are told apart by the qubits' numbers.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Costs", "Place", "best_line", "best_patch"]

# Nodes that the exhaustive search may visit before the beam's answer is taken: about a second.
VISITS = 400_000
BEAM = 1_000


@dataclass(frozen=True)
class Costs:
    """What a line costs: the sum over its qubits, its edges, and its two ends.

    Attributes:
        node: cost of each usable qubit.
        edge: cost of each usable edge, keyed by its two qubits in ascending order.
        end: additional cost of a qubit that ends the line (0 where not given).
    """

    node: Mapping[int, float]
    edge: Mapping[tuple[int, int], float]
    end: Mapping[int, float] = field(default_factory=dict)

    def of_line(self, line: tuple[int, ...]) -> float:
        """Cost of a line of qubits."""
        total = math.fsum(self.node[qubit] for qubit in line)
        total += math.fsum(self.edge[min(a, b), max(a, b)] for a, b in itertools.pairwise(line))
        return total + self.end.get(line[0], 0.0) + self.end.get(line[-1], 0.0)

    def neighbours(self) -> dict[int, list[tuple[float, int]]]:
        """For each qubit: (cost of going on to it, neighbour), cheapest first."""
        table: dict[int, list[tuple[float, int]]] = {qubit: [] for qubit in self.node}
        for (a, b), cost in self.edge.items():
            if a in table and b in table:
                table[a].append((cost + self.node[b], b))
                table[b].append((cost + self.node[a], a))
        return {qubit: sorted(row) for qubit, row in table.items()}


@dataclass(frozen=True)
class Place:
    """Qubits that were found, in the order of the line (ascending for a patch).

    ``search`` is ``exhaustive`` where nothing cheaper exists, else ``beam`` or ``greedy``.
    """

    qubits: tuple[int, ...]
    cost: float
    search: str


def best_line(costs: Costs, length: int) -> Place | None:
    """Cheapest simple path of ``length`` qubits; None where none was found.

    A beam search gives a first answer; depth-first branch and bound then proves it or betters it,
    unless the graph holds too many paths, in which case the beam's answer stands.
    """
    if length == 1:
        if not costs.node:
            return None
        cost, qubit = min((costs.of_line((qubit,)), qubit) for qubit in costs.node)
        return Place((qubit,), cost, "exhaustive")
    neighbours = costs.neighbours()
    best = _beam(costs, neighbours, length)
    best, complete = _branch_and_bound(costs, neighbours, length, best)
    if best is None:
        return None
    return Place(best[1], best[0], "exhaustive" if complete else "beam")


def best_patch(costs: Costs, size: int) -> Place | None:
    """Cheap connected set of ``size`` qubits, grown greedily from every qubit in turn."""
    neighbours = costs.neighbours()
    best: tuple[float, tuple[int, ...]] | None = None
    for start in sorted(costs.node):
        chosen, total = {start}, costs.node[start]
        while len(chosen) < size:
            steps = [
                (cost, other)
                for qubit in chosen
                for cost, other in neighbours[qubit]
                if other not in chosen
            ]
            if not steps:
                break
            cost, other = min(steps)
            chosen.add(other)
            total += cost
        if len(chosen) == size:
            candidate = (total, tuple(sorted(chosen)))
            best = candidate if best is None else min(best, candidate)
    return None if best is None else Place(best[1], best[0], "greedy")


Neighbours = Mapping[int, list[tuple[float, int]]]
Candidate = tuple[float, tuple[int, ...]]


def _ascending(line: tuple[int, ...]) -> tuple[int, ...]:
    """A line and its mirror image are one line: the one that starts lower."""
    return line if line[0] < line[-1] else line[::-1]


def _beam(costs: Costs, neighbours: Neighbours, length: int) -> Candidate | None:
    front: list[Candidate] = [
        (costs.node[qubit] + costs.end.get(qubit, 0.0), (qubit,)) for qubit in sorted(costs.node)
    ]
    for _ in range(length - 1):
        grown = (
            (total + cost, (*line, other))
            for total, line in front
            for cost, other in neighbours[line[-1]]
            if other not in line
        )
        front = sorted(grown)[:BEAM]
    lines = {_ascending(line) for _, line in front}
    return min(((costs.of_line(line), line) for line in lines), default=None)


def _branch_and_bound(
    costs: Costs, neighbours: Neighbours, length: int, best: Candidate | None
) -> tuple[Candidate | None, bool]:
    """Improve on ``best`` by depth-first search; also whether every path was covered."""
    cheapest = min((row[0][0] for row in neighbours.values() if row), default=0.0)
    visits = 0
    for start in sorted(costs.node):
        first = costs.node[start] + costs.end.get(start, 0.0)
        stack: list[Candidate] = [(first, (start,))]
        while stack:
            visits += 1
            if visits > VISITS:
                return best, False
            total, line = stack.pop()
            missing = length - len(line)
            # a hair of slack: sums in another order differ in the last digits
            if best is not None and total + missing * cheapest > best[0] * (1 + 1e-12):
                continue
            if missing == 0:
                if line[0] < line[-1]:
                    candidate = (costs.of_line(line), line)
                    best = candidate if best is None else min(best, candidate)
                continue
            for cost, other in reversed(neighbours[line[-1]]):
                if other not in line:
                    stack.append((total + cost, (*line, other)))
    return best, True
