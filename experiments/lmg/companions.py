"""The circuits of an LMG run as they are sent: points, folded points, references, calibrations.

Every one is a ``Prepared`` circuit with an answer of its own for the validation gate: a folded
circuit must still make the point's state, an evolution there and back must end in |0…0⟩ (moved
to a code that stands for a state), a calibration must be the basis state it is named after.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.transpiler import Target

from qbrain.backends.compile import to_isa
from qbrain.backends.folding import fold_two_qubit_gates
from qbrain.backends.readout import calibration_circuits, calibration_states
from qbrain.circuits.step_program import measure_neurons

from ..engine.mitigation import Role
from ..errors import NotApplicable
from .circuits import CircuitSource, Drive, Prepared
from .config import LMGConfig

__all__ = ["Task", "calibration_tasks", "point_tasks", "reference_tasks"]

# of the largest circuit: how many gates the references have, half of them on the way there
FRACTIONS = (0.25, 0.5, 0.75, 1.0)
_LEAST_SIGNAL = 0.1  # |E - B| of a reference


@dataclass(frozen=True)
class Task:
    """A circuit and what it is for; ``known`` is its exact E where it is a reference."""

    role: Role
    prepared: Prepared
    known: float | None = None


def _folded(task: Task, scale: float, target: Target) -> Task:
    if scale == 1.0:
        return task
    isa = fold_two_qubit_gates(task.prepared.isa, scale, target)
    prepared = replace(task.prepared, isa=isa, name=f"{task.prepared.name} folded {scale:g}")
    return replace(task, role=replace(task.role, scale=scale), prepared=prepared)


def point_tasks(
    prepared: Sequence[Prepared], scales: Sequence[float], targets: Sequence[Target]
) -> list[Task]:
    """A point on every place (``prepared[p]``) and at every noise scale; the plain one first."""
    return [
        _folded(Task(Role("point", place), each), scale, targets[place])
        for place, each in enumerate(prepared)
        for scale in scales
    ]


def there_and_back(prepared: Prepared, target: Target, table: NDArray[np.int64] | None) -> Prepared:
    """The circuit followed by its inverse: it ends in |0…0⟩ whatever it did on the way.

    Where |0…0⟩ stands for no state of the sector, bits are flipped to the lowest one that does.
    """
    word = 0 if table is None else int(np.argmin(np.where(table < 0, np.iinfo(int).max, table)))
    qubits = prepared.isa.num_qubits
    flips = QuantumCircuit(qubits)
    for qubit in range(qubits):
        if word >> qubit & 1:
            flips.x(qubit)

    def closed(circuit: QuantumCircuit, on: Target | None) -> QuantumCircuit:
        there = circuit.remove_final_measurements(inplace=False)
        back = there.inverse()
        ending = flips
        if on is not None:
            back, ending = to_isa(back, on), to_isa(flips, on)
        whole = QuantumCircuit(*there.qregs) if there.qregs else QuantumCircuit(qubits)
        for piece in (there, back, ending):
            whole.compose(piece, range(qubits), inplace=True)
            whole.barrier()  # or a compiler would see that nothing is left
        measure_neurons(whole, range(qubits))
        return whole

    logical = closed(prepared.logical, None)
    isa = logical if prepared.isa is prepared.logical else closed(prepared.isa, target)
    expected = np.zeros_like(prepared.expected)
    expected[word] = 1.0
    return replace(
        prepared,
        logical=logical,
        isa=isa,
        expected=expected,
        exact=float(prepared.observable[word]),
    )


def _ways(
    kind: str, config: LMGConfig, drives: Sequence[Drive], steps: int
) -> list[tuple[Drive, int | None]]:
    """Drive and Trotter steps of the circuits that references are made of.

    ``drives``: of the run's points, as far as they can be foreseen; ``steps``: Trotter steps of
    the longest circuit, where each circuit has a number of its own. An echo goes half the way.
    """
    last = drives[-1]
    total = sum(last.phases)
    if config.exact_circuits:
        # one depth for every time
        return [(drives[len(drives) // 2] if kind == "echo" else Drive((0.0,), last.dt), None)]
    count = steps if config.own_depth else len(last.phases)
    part = 0.5 if kind == "echo" else 1.0
    sizes = sorted({max(1, round(part * count * fraction)) for fraction in FRACTIONS})
    if config.own_depth:
        reach = total / steps if kind == "echo" else 0.0
        return [(Drive((reach * size,), last.dt), size) for size in sizes]
    phases = last.phases if kind == "echo" else (0.0,) * count
    return [(Drive(phases[:size], last.dt), None) for size in sizes]


def _idle(prepared: Prepared, table: NDArray[np.int64] | None, target: Target) -> Prepared:
    """No gates but those that flip to a valid code: what preparation and reading cost alone."""
    bare = QuantumCircuit(prepared.isa.num_qubits)
    measure_neurons(bare, range(bare.num_qubits))
    start = replace(prepared, logical=bare, isa=bare)
    idle = there_and_back(start, target, table)
    return replace(idle, name="idle")


def reference_tasks(
    config: LMGConfig,
    kind: str,
    sources: Sequence[CircuitSource],
    targets: Sequence[Target],
    drives: Sequence[Drive],
    steps: int,
    scales: Sequence[float],
    mixed: float,
) -> list[Task]:
    """Circuits of kind ``echo`` or ``zero`` on every place and at every noise scale.

    ``mixed``: E of the maximally mixed state.

    Raises:
        NotApplicable: where the reference's exact answer is what noise alone would give.
    """
    tasks = []
    for place, (source, target) in enumerate(zip(sources, targets, strict=True)):
        ways = _ways(kind, config, drives, steps)
        name = f"lmg-{config.evolution} {kind}"
        found = [source.prepare(drive, name, steps=k) for drive, k in ways]
        if kind == "echo":
            table = source.table()
            found = [there_and_back(each, target, table) for each in found]
            if len(found) < 3:
                found.insert(0, _idle(found[0], table, target))
        for number, each in enumerate(found):
            known = each.exact
            if abs(known - mixed) < _LEAST_SIGNAL:
                raise NotApplicable(
                    f"mitigation: {kind} wants a reference whose E is far from the {mixed:.3g} of "
                    f"mere noise, got {known:.3g}"
                )
            task = Task(Role(kind, place, number=number), each, known)
            tasks += [_folded(task, scale, target) for scale in scales]
    return tasks


def calibration_tasks(sources: Sequence[CircuitSource], targets: Sequence[Target]) -> list[Task]:
    """All qubits in |0⟩ and all in |1⟩, on every place."""
    tasks = []
    for place, (source, target) in enumerate(zip(sources, targets, strict=True)):
        logical = calibration_circuits(source.qubits)
        isa = calibration_circuits(source.qubits, target)
        values = source.values()
        for number, state in enumerate(calibration_states(source.qubits)):
            index = 0 if state == 0 else -1
            expected = np.zeros(values.size, dtype=np.complex128)
            expected[index] = 1.0
            prepared = Prepared(
                *(logical[number].name, logical[number], isa[number], expected),
                *(values, float(values[index])),
            )
            tasks.append(Task(Role("readout", place, number=number), prepared))
    return tasks
