"""What a run would cost before it: circuits, gates, expected fidelity, QPU time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from qiskit import QuantumCircuit
from qiskit.transpiler import Target

from qbrain.backends.check.pure import DispatchRefused
from qbrain.backends.compile import depth, expected_fidelity, two_qubit_depth, two_qubit_gates
from qbrain.backends.compile import duration as circuit_duration
from qbrain.backends.registry import list_backends

from ..errors import NotApplicable
from ..lmg.config import LMGConfig
from ..lmg.protocol import Experiment

__all__ = [
    "backend_table",
    "circuit_costs",
    "estimate_lmg",
    "guard_qpu_seconds",
    "planned_circuits",
    "qpu_seconds",
]

_REP_DELAY = 250e-6  # seconds between shots on IBM's devices unless told otherwise
_ROUNDS = 2  # of relax, as a rule
_PER_JOB = 2.0  # seconds of overhead a job


def backend_table() -> list[dict[str, Any]]:
    """One row a backend: name, what it is, qubits, what it needs."""
    rows = [
        {
            "name": "exact",
            "kind": "reference trajectory, no circuit",
            "qubits": "any",
            "needs": "nothing",
        }
    ]
    return (
        rows
        + _devices()
        + [
            {
                "name": b.name,
                "kind": b.kind,
                "qubits": "any" if b.qubits is None else str(b.qubits),
                "needs": b.needs,
            }
            for b in list_backends()
        ]
    )


def _devices() -> list[dict[str, Any]]:
    """Devices of the user's account, or one row that says what they need."""
    from qbrain.backends.errors import BackendError, DeviceFault
    from qbrain.backends.ibm_service import list_devices

    try:
        found = list_devices()
    except (BackendError, DeviceFault) as error:
        needs = "an IBM Quantum account" if isinstance(error, BackendError) else str(error)
        return [{"name": "ibm_<device>", "kind": "IBM device", "qubits": "–", "needs": needs}]
    return [
        {
            "name": name,
            "kind": "IBM device",
            "qubits": str(qubits),
            "needs": f"QPU time; {pending} jobs pending",
        }
        for name, qubits, pending in found
    ]


def planned_circuits(experiment: Experiment) -> tuple[list[QuantumCircuit], int]:
    """Circuits of a run that keeps to the exact trajectory, and the jobs they come in.

    Mitigation's own circuits are among them.
    """
    controls = experiment.foreseen()
    tasks = [task for k in range(len(controls)) for task in experiment.point(k, controls)]
    circuits = [task.prepared.isa for task in tasks + experiment.references]
    if experiment.config.evolution == "relax":
        return circuits * _ROUNDS, _ROUNDS
    one = experiment.config.evolution == "orbit" or experiment.config.feedback_afterwards
    return circuits, 1 if one else len(controls)


def circuit_costs(circuits: Sequence[QuantumCircuit], target: Target) -> dict[str, Any]:
    """Gates and depths at most, and expected fidelities, of circuits in the target's gates."""
    fidelities = [expected_fidelity(c, target) for c in circuits]
    return {
        "two_qubit_gates": max(two_qubit_gates(c) for c in circuits),
        "two_qubit_depth": max(two_qubit_depth(c) for c in circuits),
        "depth": max(depth(c) for c in circuits),
        "expected_fidelity_lowest": min(fidelities),
        "expected_fidelity_mean": sum(fidelities) / len(fidelities),
    }


def qpu_seconds(
    circuits: Sequence[QuantumCircuit], jobs: int, shots: int, target: Target
) -> float | None:
    """Estimated QPU time: jobs × 2 s + shots × Σ (250 µs + circuit length); None if unknown."""
    lengths = [circuit_duration(c, target) for c in circuits]
    known = [x for x in lengths if x is not None]
    if len(known) != len(lengths):
        return None
    return _PER_JOB * jobs + shots * sum(_REP_DELAY + x for x in known)


def guard_qpu_seconds(experiment: Experiment) -> None:
    """Refuse a run that is estimated to exceed ``max_qpu_seconds``, before anything is sent.

    Raises ``DispatchRefused``.
    """
    config = experiment.config
    circuits, jobs = planned_circuits(experiment)
    seconds = qpu_seconds(circuits, jobs, config.shots, experiment.sampler.target)
    if config.max_qpu_seconds is not None and not (seconds or math.inf) <= config.max_qpu_seconds:
        raise DispatchRefused(
            f"lmg-{config.evolution}",
            None,
            "qpu seconds",
            math.inf if seconds is None else seconds,
            config.max_qpu_seconds,
        )


def estimate_lmg(config: LMGConfig) -> dict[str, Any]:
    """Cost of a run, from the circuits it would dispatch if it followed the exact trajectory.

    QPU seconds are what an IBM device of the same calibration would bill: jobs × 2 s plus
    shots × (250 µs repetition delay + circuit length); the assumptions are in the answer.

    Raises ``NotApplicable`` for backend exact, and the errors of the configuration.
    """
    if config.backend == "exact":
        raise NotApplicable("backend: exact runs no circuit, so there is nothing to estimate")
    config = config.model_copy(update={"seed": config.seed or 0})
    experiment = Experiment(config)
    circuits, jobs = planned_circuits(experiment)
    target = experiment.sampler.target
    return {
        "system": "lmg",
        "backend": config.backend,
        "qubits": experiment.sampler.target.num_qubits,
        "circuits": len(circuits),
        "jobs": jobs,
        "shots": config.shots,
        "trotter_steps": experiment.most_steps,
        # by the first line's calibration, on whichever line a circuit runs
        **circuit_costs(circuits, target),
        "qpu_seconds": qpu_seconds(circuits, jobs, config.shots, target),
        "assumptions": (
            f"{_PER_JOB:g} s a job; {1e6 * _REP_DELAY:g} µs between shots; circuit lengths and "
            "errors from the calibration; fidelity the product of gate and readout fidelities"
        ),
    }
