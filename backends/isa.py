"""Whether a circuit is made of what a target offers: gates, qubits, angles."""

from __future__ import annotations

import math
from dataclasses import dataclass

from qiskit import QuantumCircuit
from qiskit.transpiler import Target

__all__ = ["Illegality", "first_illegal"]


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
