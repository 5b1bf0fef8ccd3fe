"""Fitting a run of n qubits onto a target that somebody else made.

A target is taken at its word: which gates it has, between which qubits, with which errors, and it
need not know any error. It is cut to n qubits in one of three layouts:

- ``all-to-all``: every two of the n qubits have a gate. So it is where two-qubit gates are not
  tied to qubits at all (ideal simulators), and where the first n qubits that are all neighbours of
  each other are found (ion traps). No swap is then needed.
- ``line``: the cheapest line of n qubits, by the costs of :mod:`qbrain.backends.snapshot`. Errors
  that a target does not know of any gate count as none.
- ``patch``: a connected set of n qubits, where there is no line.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import Operation
from qiskit.circuit.library import CZGate, SXGate, UnitaryGate, get_standard_gate_name_mapping
from qiskit.exceptions import QiskitError
from qiskit.transpiler import InstructionProperties, Target

from .compile import to_isa
from .errors import BackendError
from .fractional import bounds_of
from .ideal import check_qubits
from .isa import first_illegal
from .line import Costs, Place, best_line, best_patch
from .line_costs import line_costs
from .placements import places_on
from .snapshot import bare_target

__all__ = ["Fit", "fits", "measure_errors", "reports_errors"]

Array = NDArray[np.float64]

ALL_TO_ALL, LINE, PATCH = "all-to-all", "line", "patch"


@dataclass(frozen=True)
class Fit:
    """The qubits of a device that a run of n qubits uses: circuit qubit j is ``place.qubits[j]``.

    Attributes:
        target: over qubits 0…n−1.
        place: the device's qubits, their cost and how they were found.
        layout: ``all-to-all``, ``line`` or ``patch``.
        readout: (n, 2): p(1|0), p(0|1); None where the device reports no readout errors.
    """

    target: Target
    place: Place
    layout: str
    readout: Array | None


def fits(
    target: Target,
    name: str,
    qubits: int,
    *,
    readout: Array | None = None,
    placements: int = 1,
    fractional: bool = False,
) -> tuple[Fit, ...]:
    """Cut a target to so many disjoint sets of n qubits, the best first.

    Args:
        target: of the whole device; its number of qubits may be unknown (no limit).
        name: of the backend, for messages.
        qubits: n, how many qubits circuits have.
        readout: (device qubits, 2): p(1|0), p(0|1), nan where unknown; None where there is none.
        placements: how many sets that share no qubit.
        fractional: with gates that take only some angles (``rzz`` in [0, π/2]).

    Raises:
        BackendError: for a bad number of qubits, more than the target has, qubits that cannot be
            measured, qubits that are not connected, fewer sets than asked for, no ``rzz`` for
            ``fractional``, or gates that do not make every circuit.
    """
    check_qubits(qubits)
    size = target.num_qubits or None
    if size is not None and qubits > size:
        raise BackendError(f"qubits: wanted at most {size} on {name}, got {qubits}")
    names = _gates(target, fractional)
    if fractional and "rzz" not in names:
        raise BackendError(f"fractional: wanted a backend with rzz, got {name}, which has none")
    if "measure" not in target.operation_names:
        raise BackendError(
            f"backend {name}: wanted a target with measure, got {_list(target.operation_names)}"
        )
    if _pairs_are_free(target, names) or (qubits == 1 and size is None):
        if placements > 1:
            raise BackendError(
                f"placements: wanted 1 on {name}, whose qubits are all alike, got {placements}"
            )
        places, layout = [_first_measurable(target, name, qubits)], ALL_TO_ALL
    else:
        places, layout = _places(target, name, qubits, readout, names, placements)
    found = []
    for place in places:
        part = _cut(target, place.qubits, names)
        _refuse_too_few_gates(part, name, layout)
        errors = None if readout is None else readout[list(place.qubits)]
        found.append(Fit(part, place, layout, errors))
    return tuple(found)


def measure_errors(target: Target) -> Array | None:
    """Readout errors (qubits, 2) by the target's own word, the same for 0 and 1.

    nan where it says nothing of a qubit; None where it says nothing of any.
    """
    known = target["measure"] if "measure" in target.operation_names else None
    table = np.full((target.num_qubits or 0, 2), np.nan)
    for place, properties in (known or {}).items():
        if place is not None and getattr(properties, "error", None) is not None:
            table[place[0]] = properties.error
    return table if np.isfinite(table).any() else None


def reports_errors(target: Target) -> bool:
    """Whether a target says of any instruction that it errs."""
    return any(
        getattr(properties, "error", None)
        for name in target.operation_names
        for properties in (target[name] or {}).values()
    )


def _gates(target: Target, fractional: bool) -> list[str]:
    """Names of the instructions that are kept: standard gates, unitary, measure, reset, delay."""
    known = {*get_standard_gate_name_mapping(), "unitary", "measure", "reset", "delay"}
    known.discard("global_phase")
    kept = []
    for name in sorted(known & set(target.operation_names)):
        try:
            bounds = bounds_of(target, name)
        except BackendError:  # bounds that Qiskit does not tell cannot be kept
            continue
        operation = target.operation_from_name(name)
        fixed = isinstance(operation, Operation) or name == "unitary"
        if fixed and (bounds is None or fractional):
            kept.append(name)
    return kept


def _is_free(target: Target, name: str) -> bool:
    """Whether an instruction is not tied to qubits."""
    places = target[name]
    return places is None or None in places


def _width(target: Target, name: str) -> int:
    """Qubits of a gate; 0 for a unitary of any size."""
    operation = target.operation_from_name(name)
    return int(operation.num_qubits) if isinstance(operation, Operation) else 0


def _pairs_are_free(target: Target, names: Iterable[str]) -> bool:
    return any(_width(target, name) == 2 and _is_free(target, name) for name in names)


def _measurable(target: Target, qubits: Iterable[int]) -> list[int]:
    return [qubit for qubit in qubits if target.instruction_supported("measure", (qubit,))]


def _first_measurable(target: Target, name: str, qubits: int) -> Place:
    free = _is_free(target, "measure")
    candidates = range(target.num_qubits or qubits)
    able = list(candidates) if free else _measurable(target, candidates)
    if len(able) < qubits:
        raise BackendError(
            f"backend {name}: wanted {qubits} qubits that can be measured, got {len(able)}"
        )
    return Place(tuple(able[:qubits]), 0.0, "in order")


def _places(
    target: Target,
    name: str,
    qubits: int,
    readout: Array | None,
    names: Iterable[str],
    placements: int,
) -> tuple[list[Place], str]:
    """Sets of neighbours on a target with known edges, and their layout."""
    costs = _costs(target, readout, qubits, names)
    complete = len(costs.edge) == math.comb(len(costs.node), 2)
    if qubits > 2 or (complete and qubits > 1):
        cliques = _cliques(costs, qubits, placements)
        if len(cliques) == placements:
            return cliques, ALL_TO_ALL
    if placements > 1:
        return places_on(costs, name, qubits, placements), LINE
    line = best_line(costs, qubits)
    place = line or best_patch(costs, qubits)
    if place is None:
        raise BackendError(
            f"qubits: wanted {qubits} connected qubits of {name} that can be measured, got none: "
            f"{len(costs.node)} qubits and {len(costs.edge)} edges are usable"
        )
    return [place], LINE if line else PATCH


def _costs(target: Target, readout: Array | None, qubits: int, names: Iterable[str]) -> Costs:
    """The costs of a line, from as much of a calibration as there is.

    A gate of which no error is known on any qubits counts as perfect; where some are known, qubits
    or edges without one are left out. An edge costs what the best of its gates costs.
    """
    size = int(target.num_qubits)
    times = target.qubit_properties
    if times is not None and not any(t is not None and t.t1 and t.t2 for t in times):
        times = None
    priced = Target(num_qubits=size, qubit_properties=times)
    names = list(names)
    if "sx" in names and not _is_free(target, "sx"):
        priced.add_instruction(SXGate(), _known(target, "sx"))
    edges: dict[tuple[int, ...], InstructionProperties] = {}
    for name in names:
        if _width(target, name) != 2:
            continue
        for place, properties in _known(target, name).items():
            best = edges.get(place)
            if properties.error is not None and (best is None or properties.error < best.error):
                edges[place] = properties
    if edges:
        priced.add_instruction(CZGate(), edges)
    return line_costs(priced, _read(target, readout), qubits)


def _known(target: Target, name: str) -> dict[tuple[int, ...], InstructionProperties]:
    """Duration and error of a gate on all qubits that have it, 0 where it has none anywhere."""
    places = {place: properties for place, properties in target[name].items() if place is not None}
    none = not any(getattr(each, "error", None) is not None for each in places.values())
    return {
        place: InstructionProperties(
            duration=getattr(properties, "duration", None),
            error=0.0 if none else getattr(properties, "error", None),
        )
        for place, properties in places.items()
    }


def _read(target: Target, readout: Array | None) -> Array:
    """Readout errors for the costs: nan for qubits that cannot be measured, which are left out."""
    size = int(target.num_qubits)
    table = np.zeros((size, 2)) if readout is None else readout.copy()
    if not _is_free(target, "measure"):
        able = _measurable(target, range(size))
        table[[qubit for qubit in range(size) if qubit not in set(able)]] = np.nan
    return table


def _cliques(costs: Costs, size: int, count: int) -> list[Place]:
    """Up to ``count`` sets of qubits that are all neighbours of each other, first come first."""
    free = sorted(costs.node)
    found: list[Place] = []
    while len(found) < count:
        clique = next(
            (c for k in range(len(free)) if len(c := _clique(costs, free[k:], size)) == size), None
        )
        if clique is None:
            break
        cost = math.fsum(costs.node[qubit] for qubit in clique)
        found.append(Place(clique, cost, "in order"))
        free = [qubit for qubit in free if qubit not in clique]
    return found


def _clique(costs: Costs, candidates: list[int], size: int) -> tuple[int, ...]:
    clique: list[int] = []
    for qubit in candidates:
        if len(clique) < size and all((other, qubit) in costs.edge for other in clique):
            clique.append(qubit)
    return tuple(clique)


def _cut(target: Target, qubits: tuple[int, ...], names: Iterable[str]) -> Target:
    """The target over ``qubits``, renumbered 0…n−1, with the instructions of these names."""
    number = {qubit: index for index, qubit in enumerate(qubits)}
    names = list(names)
    free_pairs = _pairs_are_free(target, names)
    part = bare_target(target, qubits)
    for name in names:
        width = _width(target, name)
        bounds = bounds_of(target, name)
        if name == "unitary":
            part.add_instruction(UnitaryGate, name=name)
        elif _is_free(target, name):
            if width <= len(qubits):
                # one qubit a gate: by place, since Qiskit takes free gates for a free target
                tied = not free_pairs and width == 1
                places = {(index,): None for index in range(len(qubits))} if tied else None
                operation = target.operation_from_name(name)
                part.add_instruction(operation, places, name=name, angle_bounds=bounds)
        elif width < 2 or not free_pairs:
            kept = {
                tuple(number[qubit] for qubit in place): properties
                for place, properties in target[name].items()
                if place is not None
                and all(qubit in number for qubit in place)
                and not (len(place) > 1 and (getattr(properties, "error", None) or 0) >= 1)
            }
            if kept:
                operation = target.operation_from_name(name)
                part.add_instruction(operation, kept, name=name, angle_bounds=bounds)
    return part


def _refuse_too_few_gates(part: Target, name: str, layout: str) -> None:
    """Refuse a target without rotations about two axes on all qubits, or cx between neighbours."""
    size = int(part.num_qubits)
    probe = QuantumCircuit(size, size, name="probe")
    for qubit in range(size):
        probe.ry(0.3, qubit)
        probe.rz(0.2, qubit)
    edges = [(qubit, qubit + 1) for qubit in range(size - 1)]
    coupling = part.build_coupling_map()
    if layout == PATCH and coupling is not None:
        edges = list(coupling.get_edges())
    for edge in edges:
        probe.cx(*edge)
    probe.measure(range(size), range(size))
    wanted = "gates that make any rotation of a qubit, cx between neighbours, and measure"
    offers = _list(part.operation_names)
    try:
        illegal = first_illegal(to_isa(probe, part), part)
    except QiskitError as error:
        words = " ".join(str(error.message).split())[:200]
        raise BackendError(f"backend {name}: wanted {wanted}, got {offers} ({words})") from None
    if illegal is not None:
        raise BackendError(f"backend {name}: wanted {wanted}, got {offers} ({illegal})")


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "no gates"
