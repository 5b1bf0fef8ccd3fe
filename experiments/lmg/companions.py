"""The circuits of an LMG run as they are sent: points, folded points, references, calibrations.

Every one is a ``Prepared`` circuit with an answer of its own for the check before dispatch: a
folded circuit must still make the point's state, an evolution there and back must end in |0…0⟩
(moved to a code that stands for a state), a calibration must be the basis state it is named after.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.transpiler import Target

from qbrain.backends.compile import to_isa
from qbrain.circuits.step_program import measure_neurons

from ..engine.experiment import Observable, PureState, Role, Task
from ..engine.points import folded
from ..errors import NotApplicable
from .circuits import CircuitSource, PhaseSchedule, Prepared
from .config import LMGConfig

__all__ = ["point_tasks", "reference_tasks", "task_of"]

# of the largest circuit: how many gates the references have, half of them on the way there
FRACTIONS = (0.25, 0.5, 0.75, 1.0)
_LEAST_SIGNAL = 0.1  # |E - B| of a reference


def task_of(prepared: Prepared, role: Role, limit: float, step: int) -> Task:
    """A prepared circuit as the engine takes it; ``limit``: of the error of E."""
    observable = Observable(prepared.observable, prepared.exact, limit)
    return Task(
        prepared.logical,
        PureState(prepared.expected, observable, prepared.start),
        role,
        isa=prepared.isa,
        name=prepared.name,
        step=step,
    )


def point_tasks(
    prepared: Sequence[Prepared], config: LMGConfig, targets: Sequence[Target], step: int
) -> list[Task]:
    """A point on every placement (``prepared[p]``) and noise scale; the plain one first."""
    limit = config.max_trotter_error
    return [
        folded(task_of(each, Role("point", place), limit, step), scale, targets[place])
        for place, each in enumerate(prepared)
        for scale in config.scales
    ]


def mirror_circuit(prepared: Prepared, target: Target, table: NDArray[np.int64] | None) -> Prepared:
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
        assert there is not None  # not in place
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
    kind: str, config: LMGConfig, schedules: Sequence[PhaseSchedule], steps: int
) -> list[tuple[PhaseSchedule, int | None]]:
    """PhaseSchedule and Trotter steps of the circuits that references are made of.

    ``schedules``: of the run's points, as far as they can be foreseen; ``steps``: Trotter steps of
    the longest circuit, where each circuit has a number of its own. An echo goes half the way.
    """
    last = schedules[-1]
    total = sum(last.phases)
    if config.exact_circuits:
        # one depth for every time
        return [
            (
                schedules[len(schedules) // 2]
                if kind == "echo"
                else PhaseSchedule((0.0,), last.dt),
                None,
            )
        ]
    count = steps if config.fixed_depth else len(last.phases)
    part = 0.5 if kind == "echo" else 1.0
    sizes = sorted({max(1, round(part * count * fraction)) for fraction in FRACTIONS})
    if config.fixed_depth:
        reach = total / steps if kind == "echo" else 0.0
        return [(PhaseSchedule((reach * size,), last.dt), size) for size in sizes]
    phases = last.phases if kind == "echo" else (0.0,) * count
    return [(PhaseSchedule(phases[:size], last.dt), None) for size in sizes]


def _idle(prepared: Prepared, table: NDArray[np.int64] | None, target: Target) -> Prepared:
    """No gates but those that flip to a valid code: what preparation and reading cost alone."""
    bare = QuantumCircuit(prepared.isa.num_qubits)
    measure_neurons(bare, range(bare.num_qubits))
    start = replace(prepared, logical=bare, isa=bare)
    idle = mirror_circuit(start, target, table)
    return replace(idle, name="idle")


def reference_tasks(
    *,
    config: LMGConfig,
    kind: str,
    sources: Sequence[CircuitSource],
    targets: Sequence[Target],
    schedules: Sequence[PhaseSchedule],
    steps: int,
    mixed: float,
) -> list[Task]:
    """Circuits of kind ``echo`` or ``zero`` on every placement and at every noise scale.

    ``schedules``: of the run's points as planned; ``steps``: Trotter steps of the longest circuit;
    ``mixed``: E of the maximally mixed state.

    Raises:
        NotApplicable: where the reference's exact answer is what noise alone would give.
    """
    tasks = []
    for place, (source, target) in enumerate(zip(sources, targets, strict=True)):
        ways = _ways(kind, config, schedules, steps)
        name = f"lmg-{config.evolution} {kind}"
        found = [source.prepare(schedule, name, steps=k) for schedule, k in ways]
        if kind == "echo":
            table = source.table()
            found = [mirror_circuit(each, target, table) for each in found]
            if len(found) < 3:
                found.insert(0, _idle(found[0], table, target))
        for number, each in enumerate(found):
            known = each.exact
            if abs(known - mixed) < _LEAST_SIGNAL:
                raise NotApplicable(
                    f"mitigation: {kind} wants a reference whose E is far from the {mixed:.3g} of "
                    f"mere noise, got {known:.3g}"
                )
            task = task_of(each, Role(kind, place, number=number), config.max_trotter_error, 0)
            task = replace(task, exact=known)
            tasks += [folded(task, scale, target) for scale in config.scales]
    return tasks
