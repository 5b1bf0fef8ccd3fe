"""Fractional two-qubit gates: an ``rzz`` that a device takes at angles in [0, π/2] only."""

from __future__ import annotations

import math

from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import RZZGate
from qiskit.transpiler import PassManager, Target
from qiskit.transpiler.passes import WrapAngles

from qbrain.backends.errors import BackendError

__all__ = ["RZZ_BOUNDS", "fold_angles", "with_fractional_rzz"]

RZZ_BOUNDS = (0.0, math.pi / 2)


def with_fractional_rzz(target: Target) -> Target:
    """A copy of ``target`` that also has ``rzz``, with angles in [0, π/2].

    The bundled device snapshots know no fractional gates; here ``rzz`` is given the duration and
    the error of the device's own two-qubit gate on the same edge, in the direction that it has.

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


def copy_target(target: Target) -> Target:
    """A target of the same instructions that can be added to."""
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
        if target.gate_has_angle_bounds(name):
            raise BackendError(f"target: wanted gates without angle bounds, got {name} with some")
        copy.add_instruction(target.operation_from_name(name), dict(target[name]), name=name)
    return copy


def fold_angles(circuit: QuantumCircuit, target: Target) -> QuantumCircuit:
    """The same circuit with every bound angle folded into the target's bounds.

    Unbound angles are left as they are: bind first. The rule for ``rzz`` adds Pauli and ``rz``
    gates around it, which may have to be brought onto the target once more.
    """
    # the import registers IBM's folding rule for rzz
    import qiskit_ibm_runtime.utils.backend_converter  # noqa: F401

    return PassManager([WrapAngles(target)]).run(circuit)
