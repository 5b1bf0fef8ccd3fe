"""Several good lines of one device, to average over, and a sampler that has them all.

Where the model does not tell its qubits apart, any line of a device may carry it, forwards or
backwards, and what differs between lines is noise: the scatter between them shows how much of an
error is peculiar to a line, and their mean has less of it. The mean of good and bad lines is not
better than the best line alone; lines are therefore taken from the cheapest upwards.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from qiskit import QuantumCircuit

from .errors import BackendError
from .ideal import check_qubits
from .line import Costs, Place, best_line
from .line_costs import usable_part
from .sampling import Outcomes, Shots, TargetSampler, placement_of
from .snapshot import (
    Cut,
    Snapshot,
    costs_on,
    cut_device,
    cut_device_to,
    cut_to,
    load,
    snapshot_of,
)

if TYPE_CHECKING:
    from .aer import NoisyAerSampler

__all__ = [
    "PlacedSampler",
    "best_lines",
    "cut_to",
    "cuts",
    "disjoint_lines",
    "lines_of",
    "mirrored",
    "open_device_snapshot",
    "open_on",
    "places_on",
    "sampler_of_cuts",
]


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


def places_on(costs: Costs, name: str, qubits: int, placements: int) -> list[Place]:
    """The placements of a run: so many lines of a device that share no qubit, cheapest first.

    Raises:
        BackendError: if the device has no line of so many qubits, or not so many lines.
    """
    lines = disjoint_lines(costs, qubits, placements)
    if not lines:
        raise BackendError(
            f"qubits: wanted a line of {qubits} on {name}, got none: {usable_part(costs)}"
        )
    if len(lines) < placements:
        raise BackendError(
            f"placements: wanted {placements} lines of {qubits} qubits that share none on {name}, "
            f"got {len(lines)}"
        )
    return lines


@lru_cache(maxsize=16)
def cuts(
    name: str,
    qubits: int,
    placements: int,
    fractional: bool = False,
    noise: str = "snapshot",
) -> tuple[Cut, ...]:
    """A snapshot cut to the placements of a run; the first is what :func:`snapshot.cut` gives.

    Raises:
        BackendError: for an unknown snapshot, and as :func:`places_on`.
    """
    return _cuts_of(load(name), qubits, placements, fractional, noise)


def _cuts_of(
    device: Snapshot,
    qubits: int,
    placements: int,
    fractional: bool = False,
    noise: str = "snapshot",
) -> tuple[Cut, ...]:
    check_qubits(qubits)
    if placements == 1:
        return (cut_device(device, qubits, fractional, noise),)
    costs = costs_on(device, qubits, fractional=fractional)
    places = places_on(costs, device.name, qubits, placements)
    return tuple(
        cut_device_to(device, place, fractional=fractional, noise=noise) for place in places
    )


def sampler_of_cuts(
    name: str, parts: Sequence[Cut], *, seed: int | None = None, shots_hint: int | None = None
) -> TargetSampler:
    """A noisy sampler on the placements that a device was cut to.

    ``shots_hint`` only makes ``details["method"]`` say what that many shots will be run with.

    Raises:
        BackendError: for a bad seed.
    """
    from .aer import NoisyAerSampler

    each = [NoisyAerSampler.of_cut(name, part, seed=seed) for part in parts]
    sampler = each[0] if len(parts) == 1 else PlacedSampler(each, [part.place for part in parts])
    shots = shots_hint or sampler.default_shots
    sampler.details["method"] = NoisyAerSampler.method_for(sampler.qubits, shots)
    return sampler


def open_device_snapshot(
    name: str,
    backend: Any,
    qubits: int,
    *,
    seed: int | None = None,
    placements: int = 1,
    fractional: bool = False,
) -> TargetSampler:
    """A noisy sampler by the calibration of a fake device of the IBM client, as it is given.

    Raises:
        BackendError: for more qubits than it has, a bad seed, or more placements than lines.
    """
    parts = _cuts_of(snapshot_of(backend, name), qubits, placements, fractional)
    return sampler_of_cuts(name, parts, seed=seed)


class PlacedSampler(TargetSampler):
    """One noisy sampler a placement, as one: a circuit runs on the one that its metadata names.

    ``target``, ``readout`` and ``details`` are those of the first placement; ``details`` also
    lists the qubits of all.

    Args:
        samplers: of each placement, over the same number of qubits, all of one seed.
        places: the qubits of each placement.

    Raises:
        BackendError: for none, or another number of placements than of samplers.
    """

    def __init__(self, samplers: Sequence[NoisyAerSampler], places: Sequence[Place]) -> None:
        if not samplers or len(places) != len(samplers):
            raise BackendError(
                f"placements: wanted a sampler for each, got {len(samplers)} and {len(places)}"
            )
        first = samplers[0]
        super().__init__(
            first.name,
            first.target,
            seed=first.seed,
            details=first.details,
            readout=first.readout,
            default_shots=first.default_shots,
            noisy=first.noisy,
        )
        self._samplers = tuple(samplers)
        self.targets = tuple(sampler.target for sampler in samplers)
        self.readouts = tuple(sampler.readout for sampler in samplers)
        self.details["placements"] = [list(place.qubits) for place in places]

    def _check(self, circuit: QuantumCircuit) -> None:
        self._samplers[placement_of(circuit, self.placements)]._check(circuit)

    def _sample(self, requests: Sequence[Shots]) -> list[Outcomes]:
        found: dict[int, Outcomes] = {}
        for place, sampler in enumerate(self._samplers):
            mine = [
                index
                for index, request in enumerate(requests)
                if placement_of(request.circuit, self.placements) == place
            ]
            if mine:
                outcomes = sampler._sample([requests[index] for index in mine])
                found.update(zip(mine, outcomes, strict=True))
        return [found[index] for index in range(len(requests))]


def lines_of(name: str, length: int, count: int, *, disjoint: bool = True) -> list[Place]:
    """The ``count`` best lines of a snapshot, by the costs of its calibration.

    The first is the line that :func:`qbrain.backends.snapshot.cut` takes.

    Raises:
        BackendError: for an unknown snapshot, a length or count below 1, or fewer lines than
            asked for.
    """
    device = load(name)
    costs = costs_on(device, length)
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
    from .aer import NoisyAerSampler

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
