"""Several good lines of one device, to average over.

Where the model does not tell its qubits apart, any line of a device may carry it, forwards or
backwards, and what differs between lines is noise: the scatter between them shows how much of an
error is peculiar to a place, and their mean has less of it. The mean of good and bad lines is not
better than the best line alone; lines are therefore taken from the cheapest upwards.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable
from dataclasses import replace

from qbrain.backends.aer import NoisyAerSampler
from qbrain.backends.errors import BackendError
from qbrain.backends.line import Costs, Place, best_line
from qbrain.backends.snapshot import cut_to, line_costs, load

__all__ = ["best_lines", "cut_to", "disjoint_lines", "lines_of", "mirrored", "open_on"]


def disjoint_lines(costs: Costs, length: int, count: int) -> list[Place]:
    """Up to ``count`` lines that share no qubit, cheapest first.

    Greedy: the cheapest line, then the cheapest of what is left. Another choice may have a lower
    sum; none has a cheaper first line.

    Raises:
        BackendError: for a length or count below 1.
    """
    _check(length, count)
    found: list[Place] = []
    used: set[int] = set()
    while len(found) < count:
        place = best_line(_without(costs, used), length)
        if place is None:
            break
        found.append(place)
        used |= set(place.qubits)
    return found


def best_lines(costs: Costs, length: int, count: int) -> list[Place]:
    """The ``count`` cheapest lines, which may share qubits; fewer if there are no more.

    Exact as long as each search is (``Place.search``): the next line after those found lacks an
    edge of every one of them, so it is the cheapest of a graph that lacks such edges (E. L.
    Lawler, Management Science 18, 401 (1972)).

    Raises:
        BackendError: for a length or count below 1.
    """
    _check(length, count)
    if length == 1:
        return disjoint_lines(costs, length, count)
    found: list[Place] = []
    queue: list[tuple[float, tuple[int, ...], tuple[tuple[int, int], ...], str]] = []
    tried: set[tuple[tuple[int, int], ...]] = set()

    def push(excluded: tuple[tuple[int, int], ...]) -> None:
        if excluded in tried:
            return
        tried.add(excluded)
        edges = {edge: cost for edge, cost in costs.edge.items() if edge not in excluded}
        place = best_line(Costs(costs.node, edges, costs.end), length)
        if place is not None:
            heapq.heappush(queue, (place.cost, place.qubits, excluded, place.search))

    push(())
    while queue and len(found) < count:
        cost, line, excluded, search = heapq.heappop(queue)
        if all(line != place.qubits for place in found):
            found.append(Place(line, cost, search))
        if len(found) < count:
            for a, b in itertools.pairwise(line):
                push(tuple(sorted({*excluded, (min(a, b), max(a, b))})))
    return found


def lines_of(name: str, length: int, count: int, *, disjoint: bool = True) -> list[Place]:
    """The ``count`` best lines of a snapshot, by the costs of its calibration.

    The first is the line that :func:`qbrain.backends.snapshot.cut` takes.

    Raises:
        BackendError: for an unknown snapshot, a length or count below 1, or fewer lines than
            asked for.
    """
    device = load(name)
    costs = line_costs(device.target, device.readout, length)
    lines = (disjoint_lines if disjoint else best_lines)(costs, length, count)
    if len(lines) < count:
        hint = "; lines that may share qubits: disjoint=False" if disjoint else ""
        raise BackendError(
            f"count: wanted {count} lines of {length} qubits on {name}, got {len(lines)}{hint}"
        )
    return lines


def mirrored(place: Place) -> Place:
    """The same line from its other end: same qubits and cost, other roles."""
    return replace(place, qubits=place.qubits[::-1])


def open_on(name: str, place: Place, *, seed: int | None = None) -> NoisyAerSampler:
    """A noisy sampler on a given line of a snapshot.

    Raises:
        BackendError: as :func:`cut_to`, and for a bad seed.
    """
    return NoisyAerSampler.of_cut(name, cut_to(name, place), seed=seed)


def _check(length: int, count: int) -> None:
    if length < 1 or count < 1:
        raise BackendError(f"length, count: wanted numbers >= 1, got {length} and {count}")


def _without(costs: Costs, used: Iterable[int]) -> Costs:
    gone = set(used)
    return Costs(
        {qubit: cost for qubit, cost in costs.node.items() if qubit not in gone},
        {edge: cost for edge, cost in costs.edge.items() if not gone & set(edge)},
        costs.end,
    )
