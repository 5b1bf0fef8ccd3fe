"""Fractional gates: ``rx``, and an ``rzz`` that a device takes at angles in [0, π/2] only."""

from __future__ import annotations

import math

from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import RZZGate
from qiskit.transpiler import PassManager, Target
from qiskit.transpiler.passes import WrapAngles

from .errors import BackendError

__all__ = [
    "FRACTIONAL",
    "RZZ_BOUNDS",
    "bounds_of",
    "copy_target",
    "fold_angles",
    "with_fractional_rzz",
]

FRACTIONAL = ("rx", "rzz")
RZZ_BOUNDS = (0.0, math.pi / 2)


def with_fractional_rzz(target: Target) -> Target:
    """A copy of ``target`` that also has ``rzz``, with angles in [0, π/2].

    Most bundled device snapshots know no fractional gates; here ``rzz`` is given the duration and
    the error of the device's own two-qubit gate on the same edge, in the direction that it has. An
    ``rzz`` of the target's own stays as it is.

    Raises:
        BackendError: if the target has no two-qubit gate with known edges.
    """
    copy = copy_target(target)
    if "rzz" in target.operation_names:
        return copy
    for name in ("cz", "ecr", "cx"):
        if name in target.operation_names and target[name]:
            copy.add_instruction(
                RZZGate(Parameter("theta")), dict(target[name]), angle_bounds=[RZZ_BOUNDS]
            )
            return copy
    raise BackendError("target: wanted a two-qubit gate cz, ecr or cx on known edges, got none")


def bounds_of(target: Target, name: str) -> list[tuple[float, float]] | None:
    """Angle bounds to copy a gate with; None where it has none.

    Qiskit tells whether a gate has bounds, but not which.

    Raises:
        BackendError: for bounds on another gate than ``rzz``, or on an ``rzz`` that does not take
            all of [0, π/2].
    """
    if not target.gate_has_angle_bounds(name):
        return None
    if name != "rzz" or not all(target.supported_angle_bound(name, [a]) for a in RZZ_BOUNDS):
        raise BackendError(f"target: wanted angle bounds of rzz at [0, π/2] only, got {name}")
    return [RZZ_BOUNDS]


def copy_target(target: Target, *, rzz_bounds: tuple[float, float] | None = None) -> Target:
    """A target of the same instructions, angle bounds included, that can be added to.

    ``rzz_bounds``, where given, take the place of those that ``rzz`` has.

    Raises:
        BackendError: for bounds that cannot be copied (see :func:`bounds_of`).
    """
    copy = Target(
        num_qubits=target.num_qubits,
        dt=target.dt,
        granularity=target.granularity,
        min_length=target.min_length,
        pulse_alignment=target.pulse_alignment,
        acquire_alignment=target.acquire_alignment,
        qubit_properties=target.qubit_properties,
    )
    for name in target.operation_names:
        bounds = bounds_of(target, name)
        if name == "rzz" and rzz_bounds is not None:
            bounds = [rzz_bounds]
        copy.add_instruction(
            target.operation_from_name(name), dict(target[name]), name=name, angle_bounds=bounds
        )
    return copy


def fold_angles(circuit: QuantumCircuit, target: Target) -> QuantumCircuit:
    """The same circuit with every bound angle folded into the target's bounds.

    Unbound angles are left as they are: bind first. The rule for ``rzz`` adds Pauli and ``rz``
    gates around it, which may have to be brought onto the target once more.
    """
    # the import registers IBM's folding rule for rzz
    import qiskit_ibm_runtime.utils.backend_converter  # noqa: F401

    return PassManager([WrapAngles(target)]).run(circuit)
