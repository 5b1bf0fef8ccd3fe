"""Fractional gates: ``rx``, and an ``rzz`` that a device takes at angles in [0, π/2] only.

An ``rzz`` is calibrated by itself, on other edges than ``cz`` and with other errors.
"""

from __future__ import annotations

import math
from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import RXGate, RZZGate
from qiskit.transpiler import InstructionProperties, PassManager, Target
from qiskit.transpiler.passes import WrapAngles

from .errors import BackendError

__all__ = [
    "FRACTIONAL",
    "RZZ_BOUNDS",
    "Calibrated",
    "bounds_of",
    "calibrated_fractional",
    "copy_target",
    "fold_angles",
    "with_fractional",
]

FRACTIONAL = ("rx", "rzz")
RZZ_BOUNDS = (0.0, math.pi / 2)

# gate → the qubits it can be used on → duration and error
Calibrated = dict[str, dict[tuple[int, ...], InstructionProperties]]


def calibrated_fractional(properties: Any) -> Calibrated:
    """Durations and errors of fractional gates in a device's calibration.

    The bundled snapshots were saved without these gates among a device's instructions, but hold
    their calibration: of ``rx`` it is that of ``sx``, of ``rzz`` it is one of its own.

    Args:
        properties: ``BackendProperties`` of the IBM client.

    Returns:
        For each gate in :data:`FRACTIONAL` that is calibrated anywhere: qubits → duration in
        seconds and average infidelity. Left out are places without an error, or with an error of
        1, by which IBM says that the gate cannot be used there.
    """
    found: Calibrated = {}
    for gate in properties.gates:
        if gate.gate not in FRACTIONAL:
            continue
        place = tuple(int(qubit) for qubit in gate.qubits)
        values = properties.gate_property(gate.gate, place)
        error = values.get("gate_error", (None,))[0]
        duration = values.get("gate_length", (None,))[0]
        if error is not None and error < 1:
            found.setdefault(gate.gate, {})[place] = InstructionProperties(duration, float(error))
    return found


def with_fractional(target: Target, calibrated: Calibrated) -> Target:
    """A copy of ``target`` that also has ``rx``, and ``rzz`` with angles in [0, π/2].

    Args:
        target: of a device.
        calibrated: where each gate can be used, as of :func:`calibrated_fractional`. A gate that
            the target has stays as it is.
    """
    copy = copy_target(target)
    for name, bounds in (("rx", None), ("rzz", [RZZ_BOUNDS])):
        if name in calibrated and name not in target.operation_names:
            gate = RXGate(Parameter("theta")) if name == "rx" else RZZGate(Parameter("theta"))
            copy.add_instruction(gate, dict(calibrated[name]), angle_bounds=bounds)
    return copy


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
        operation = target.operation_from_name(name)
        # control flow is a class, and on no qubits in particular
        places = None if isinstance(operation, type) else dict(target[name])
        copy.add_instruction(operation, places, name=name, angle_bounds=bounds)
    return copy


def fold_angles(circuit: QuantumCircuit, target: Target) -> QuantumCircuit:
    """The same circuit with every bound angle folded into the target's bounds.

    Unbound angles are left as they are: bind first. The rule for ``rzz`` adds Pauli and ``rz``
    gates around it, which may have to be brought onto the target once more.
    """
    # the import registers IBM's folding rule for rzz
    import qiskit_ibm_runtime.utils.backend_converter  # noqa: F401

    return PassManager([WrapAngles(target)]).run(circuit)
