"""Bringing circuits onto a target, and what they cost there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from qiskit import QuantumCircuit, QuantumRegister
from qiskit.circuit import Barrier, CircuitInstruction
from qiskit.transpiler import PassManager, Target, generate_preset_pass_manager
from qiskit.transpiler.passes import ALAPScheduleAnalysis, PadDelay

from .errors import CompileError
from .feed_forward import flattened
from .isa import NOT_MADE_OF_GATES
from .rotations import in_native_rotations
from .unchecked import append_known

__all__ = [
    "cheaper",
    "depth",
    "duration",
    "expected_fidelity",
    "final_layout",
    "has_times",
    "is_line_local",
    "scheduled",
    "to_isa",
    "two_qubit_depth",
    "two_qubit_gates",
]

# Pseudo-instructions: they are written in circuits but nothing is done for them.
DIRECTIVES = ("barrier",)
# Label of the barriers that stand in a circuit only while it is transpiled.
FENCE = "qbrain.fence"


def to_isa(circuit: QuantumCircuit, target: Target, *, seed: int = 0) -> QuantumCircuit:
    """The circuit in the target's own gates. Parameters stay parameters.

    - Target without coupling (ideal simulators): returned as it is where every gate is native.
    - Every two-qubit gate already on an edge of the target: translated gate by gate (level 1,
      qubit j on qubit j, no routing), so that pieces can be transpiled once and joined later.
      Rotations of two qubits are rewritten first (see :mod:`qbrain.backends.rotations`).
    - Anything else: level 3 with routing, from the given seed.

    Where each qubit ends up is told by :func:`final_layout`; measured circuits need not ask,
    for the measurements move along. Readings and resets on the way stay in their order and keep
    their classical bits, and whatever was to be read at once still is: nothing is routed between
    measurements that follow each other.

    Raises:
        CompileError: if the circuit has more qubits than the target or an instruction that the
            target lacks and gates cannot make up, or if gate-by-gate translation did move a qubit
            after all.
    """
    if circuit.num_qubits > target.num_qubits:
        raise CompileError(
            f"circuit {circuit.name}: wanted at most {target.num_qubits} qubits, "
            f"got {circuit.num_qubits}"
        )
    _refuse_lacking(circuit, target)
    if target.build_coupling_map() is None:
        names = set(target.operation_names) | set(DIRECTIVES)
        if all(instruction.name in names for instruction in circuit.data):
            return circuit
        return _transpile(circuit, target, level=1, seed=seed, routing=False)
    if not is_line_local(circuit, target):
        return _routed(circuit, target, seed)
    isa = _transpile(circuit, target, level=1, seed=seed, routing=False)
    layout = final_layout(isa)
    if layout[: circuit.num_qubits] != tuple(range(circuit.num_qubits)):
        raise CompileError(
            f"circuit {circuit.name}: wanted every qubit where it was, got final layout {layout}"
        )
    return isa


def _refuse_lacking(circuit: QuantumCircuit, target: Target) -> None:
    offers = set(target.operation_names)
    for step in circuit.data:
        if step.name in NOT_MADE_OF_GATES and step.name not in offers:
            raise CompileError(
                f"circuit {circuit.name}: wanted a device with {step.name}, got one with "
                + ", ".join(sorted(offers))
            )


def _routed(circuit: QuantumCircuit, target: Target, seed: int) -> QuantumCircuit:
    """The circuit transpiled at level 3.

    Last measurements are put back after it, others stand behind barriers meanwhile.

    Level 3 drops diagonal gates in front of measurements: right for what is read, but then the
    state is another one, and there is nothing left to validate.
    """
    body = circuit.copy_empty_like()
    read: list[tuple[int, int]] = []
    for step in circuit.data:
        places = [circuit.find_bit(qubit).index for qubit in step.qubits]
        if step.name == "measure":
            read.append((places[0], circuit.find_bit(step.clbits[0]).index))
        elif any(place in dict(read) for place in places) and step.name not in DIRECTIVES:
            isa = _transpile(_fenced(circuit), target, level=3, seed=seed, routing=True)
            return _unfenced(isa)
        else:
            append_known(body, step)
    isa = _transpile(body, target, level=3, seed=seed, routing=True)
    layout = final_layout(isa)
    for qubit, bit in read:
        isa.measure(layout[qubit], bit)
    return isa


def _fenced(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit with a barrier on all qubits before every run of measurements and resets."""
    fenced = circuit.copy_empty_like()
    reading = False
    for step in circuit.data:
        if step.name == "measure" and not reading:
            fenced.append(Barrier(circuit.num_qubits, label=FENCE), circuit.qubits)
        if step.name not in DIRECTIVES:
            reading = step.name == "measure" or (reading and step.name == "reset")
        append_known(fenced, step)
    return fenced


def _unfenced(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit without those barriers."""
    circuit.data = [step for step in circuit.data if step.label != FENCE]
    return circuit


def _transpile(
    circuit: QuantumCircuit, target: Target, *, level: int, seed: int, routing: bool
) -> QuantumCircuit:
    if not routing:
        circuit = in_native_rotations(circuit, target)
    # None is Qiskit's default, which its types leave out
    layout: Any = None if routing else list(range(circuit.num_qubits))
    manager = generate_preset_pass_manager(
        optimization_level=level,
        target=target,
        seed_transpiler=seed,
        initial_layout=layout,
        routing_method=None if routing else "none",
    )
    isa: QuantumCircuit = manager.run(circuit)
    isa.name, isa.metadata = circuit.name, dict(circuit.metadata or {})
    return isa


def final_layout(circuit: QuantumCircuit) -> tuple[int, ...]:
    """Where each qubit of the circuit before transpiling is held at the end.

    Entry j is the transpiled circuit's qubit that holds qubit j; the identity for a circuit that
    was not transpiled.
    """
    if circuit.layout is None:
        return tuple(range(circuit.num_qubits))
    return tuple(circuit.layout.final_index_layout(filter_ancillas=True))


def is_line_local(circuit: QuantumCircuit, target: Target) -> bool:
    """Whether every gate of two qubits lies on an edge of the target, in either direction.

    Gates of more than two qubits never do. Always true where the target has no coupling.
    """
    coupling = target.build_coupling_map()
    if coupling is None:
        return True
    edges = {frozenset(edge) for edge in coupling.get_edges()}
    return all(
        len(place) == 1 or (len(place) == 2 and frozenset(place) in edges)
        for _, place in _gates(circuit)
    )


def two_qubit_gates(circuit: QuantumCircuit) -> int:
    """Number of gates on two or more qubits."""
    return sum(len(place) > 1 for _, place in _gates(circuit))


def two_qubit_depth(circuit: QuantumCircuit) -> int:
    """Longest chain of gates on two or more qubits that wait for each other."""

    def counts(step: CircuitInstruction) -> bool:
        return len(step.qubits) > 1 and step.name not in DIRECTIVES

    return int(circuit.depth(counts))


def depth(circuit: QuantumCircuit) -> int:
    """Longest chain of instructions, measurements included and barriers not."""

    def counts(step: CircuitInstruction) -> bool:
        return step.name not in DIRECTIVES

    return int(circuit.depth(counts))


def expected_fidelity(circuit: QuantumCircuit, target: Target) -> float:
    """Product of 1 − error over all gates and measurements, from the target's calibration.

    An estimate to compare circuits with: it takes errors as independent, and instructions of
    which the target knows no error as perfect. 1 on an ideal simulator.

    Raises:
        CompileError: for an instruction that the target does not have at this place.
    """
    total = 0.0
    for name, place in _gates(circuit):
        error = getattr(_properties(target, name, place), "error", None) or 0.0
        if error >= 1:
            return 0.0
        total += math.log1p(-error)
    return math.exp(total)


def duration(circuit: QuantumCircuit, target: Target) -> float | None:
    """Seconds from the first gate to the last reading, each gate as early as it can be.

    Only the target's own durations and the circuit's delays count, and every branch counts as
    taken. None where the target has no duration for some instruction, as on an ideal simulator.

    Raises:
        CompileError: for an instruction that the target does not have at this place.
    """
    circuit = flattened(circuit)
    index = {qubit: number for number, qubit in enumerate(circuit.qubits)}
    free = [0.0] * circuit.num_qubits
    for step in circuit.data:
        place = tuple(index[qubit] for qubit in step.qubits)
        start = max((free[qubit] for qubit in place), default=0.0)
        if step.name == "delay":
            length = _delay_seconds(step.operation, target)
        elif step.name in DIRECTIVES:
            length = 0.0
        else:
            length = getattr(_properties(target, step.name, place), "duration", None)
        if length is None:
            return None
        for qubit in place:
            free[qubit] = start + length
    return max(free, default=0.0)


def scheduled(circuit: QuantumCircuit, target: Target) -> QuantumCircuit:
    """The circuit with its waiting times written out as delays, each gate as late as it can be.

    Noise models relax qubits in gates and in delays only, so that waiting costs nothing until it
    is written out.

    Raises:
        CompileError: if the target lacks the durations or the time unit that this takes, or the
            circuit is not made of the target's gates or has unbound parameters in delays.
    """
    if target.dt is None or duration(circuit, target) is None:
        raise CompileError("target: wanted durations of all gates and a time unit, got none")
    manager = PassManager([ALAPScheduleAnalysis(target=target), PadDelay(target=target)])
    padded = manager.run(_on_one_register(circuit))
    padded.name, padded.metadata = circuit.name, dict(circuit.metadata or {})
    return padded


def _on_one_register(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit with its qubits in the one register that the scheduler takes."""
    if [register.name for register in circuit.qregs] == ["q"] and len(circuit.qregs[0]) == len(
        circuit.qubits
    ):
        return circuit
    flat = QuantumCircuit(
        QuantumRegister(circuit.num_qubits, "q"),
        circuit.clbits,
        *circuit.cregs,
        global_phase=circuit.global_phase,
    )
    for step in circuit.data:
        places = [flat.qubits[circuit.find_bit(qubit).index] for qubit in step.qubits]
        append_known(flat, step.replace(qubits=places))
    return flat


def has_times(target: Target) -> bool:
    """Whether a target tells its time unit and how long each of its gates and readings takes."""
    return bool(target.dt) and all(
        properties is not None and properties.duration is not None
        for name in target.operation_names
        if name != "delay" and target[name]
        for place, properties in target[name].items()
        if place is not None
    )


def cheaper(circuits: Sequence[QuantumCircuit], target: Target) -> QuantumCircuit:
    """Of several circuits on one target, the one to be expected most faithful.

    Equals are told apart by two-qubit gates, then by depth, then by order.

    Raises:
        CompileError: if there is none to choose from.
    """
    if not circuits:
        raise CompileError("circuits: wanted at least one, got none")
    return min(
        circuits,
        key=lambda circuit: (
            -expected_fidelity(circuit, target),
            two_qubit_gates(circuit),
            depth(circuit),
        ),
    )


def _gates(circuit: QuantumCircuit) -> list[tuple[str, tuple[int, ...]]]:
    circuit = flattened(circuit)
    index = {qubit: number for number, qubit in enumerate(circuit.qubits)}
    return [
        (step.name, tuple(index[qubit] for qubit in step.qubits))
        for step in circuit.data
        if step.name not in DIRECTIVES
    ]


def _properties(target: Target, name: str, place: tuple[int, ...]) -> object:
    if name not in target.operation_names or not target.instruction_supported(name, place):
        raise CompileError(
            f"circuit: wanted the target's own gates "
            f"({', '.join(sorted(target.operation_names))}), got {name} on {place}"
        )
    known = target[name]
    return None if known is None else known.get(place)


def _delay_seconds(operation: object, target: Target) -> float | None:
    length, unit = float(operation.duration), operation.unit  # type: ignore[attr-defined]
    if unit == "dt":
        return None if target.dt is None else length * float(target.dt)
    return length * {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "ps": 1e-12}[unit]
