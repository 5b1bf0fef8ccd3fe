"""Whether a target offers what circuits need, and whether a circuit is made of what it offers.

Gates can be made of other gates. Resets, readings, branches and what else is no gate cannot: a
device that lacks one of these can run no circuit that has it, however it is compiled.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from qiskit import QuantumCircuit
from qiskit.transpiler import Target

from .errors import BackendError

__all__ = ["NOT_MADE_OF_GATES", "Illegality", "check_instructions", "first_illegal", "lacks"]

# what no compiler puts together from other instructions
NOT_MADE_OF_GATES = ("measure", "reset", "if_else", "switch_case", "for_loop", "while_loop")


def lacks(target: Target, instruction: str) -> bool:
    """Whether a target lacks an instruction of this name, or has one of one qubit not on all."""
    if instruction not in target.operation_names:
        return True
    places = target[instruction] or {None: None}
    if None in places or any(len(place) != 1 for place in places):
        return False
    return any((qubit,) not in places for qubit in range(target.num_qubits))


def check_instructions(name: str, targets: Sequence[Target], needed: Mapping[str, str]) -> None:
    """Refuse a backend that lacks an instruction, before any circuit is built.

    Args:
        name: of the backend.
        targets: its targets, each over the qubits in use.
        needed: instructions that circuits will have, each with what would do without it, or "".

    Raises:
        BackendError: naming the instruction and what the backend has.
    """
    for instruction, way_out in needed.items():
        for target in targets:
            if lacks(target, instruction):
                offers = ", ".join(sorted(target.operation_names))
                raise BackendError(
                    f"backend: wanted a device with {instruction}, got {name}, which has {offers}"
                    + (f"; {way_out}" if way_out else "")
                )


@dataclass(frozen=True)
class Illegality:
    """An instruction that a target cannot run, or an angle outside what it takes.

    ``found`` and ``wanted`` are for people: the instruction and the rule it breaks.
    """

    kind: str  # "unbound parameter", "gate" or "angle"
    found: str
    wanted: str

    def __str__(self) -> str:
        """The violation in one line: what was wanted and what came."""
        return f"{self.kind}: wanted {self.wanted}, got {self.found}"


def first_illegal(circuit: QuantumCircuit, target: Target) -> Illegality | None:
    """First instruction of ``circuit`` that ``target`` cannot run, None where all is well.

    Looks at gate names, at the qubits they act on (in their order: some devices know each edge in
    one direction only), at unbound or non-finite parameters, and at the target's angle bounds.
    """
    index = {qubit: number for number, qubit in enumerate(circuit.qubits)}
    names = set(target.operation_names)
    bounded = {name for name in names if target.gate_has_angle_bounds(name)}
    known: set[tuple[str, tuple[int, ...]]] = set()
    for instruction in circuit.data:
        name = instruction.name
        if name == "barrier":
            continue
        place = tuple(index[qubit] for qubit in instruction.qubits)
        parameters = instruction.params if name != "unitary" else ()
        for value in parameters:
            if getattr(value, "parameters", None):
                return Illegality(
                    "unbound parameter", f"{name}({value}) on {place}", "numbers for all angles"
                )
            if isinstance(value, int | float) and not math.isfinite(value):
                return Illegality("angle", f"{name}({value}) on {place}", "a finite angle")
        if (name, place) not in known:
            if name not in names or not target.instruction_supported(name, place):
                return Illegality(
                    "gate", f"{name} on {place}", "one of " + ", ".join(sorted(names))
                )
            known.add((name, place))
        if name in bounded:
            angles = [float(value) for value in parameters]
            if not target.supported_angle_bound(name, angles):
                return Illegality(
                    "angle",
                    f"{name}({', '.join(f'{a:.6g}' for a in angles)}) on {place}",
                    "an angle within the target's bounds",
                )
    return None
