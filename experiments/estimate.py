"""What a run would cost before it: circuits, gates, expected fidelity, QPU time."""

from __future__ import annotations

from typing import Any

from qbrain.backends.compile import depth, expected_fidelity, two_qubit_depth, two_qubit_gates
from qbrain.backends.compile import duration as circuit_duration
from qbrain.backends.registry import list_backends
from qbrain.classical_feedback.synapse import SynapticState
from qbrain.experiments.config import LMGConfig
from qbrain.experiments.errors import NotApplicable
from qbrain.experiments.lmg import Experiment

__all__ = ["backend_table", "estimate_lmg"]

_REP_DELAY = 250e-6  # seconds between shots on IBM's devices unless told otherwise
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
    return rows + [
        {
            "name": b.name,
            "kind": b.kind,
            "qubits": "any" if b.qubits is None else str(b.qubits),
            "needs": b.needs,
        }
        for b in list_backends()
    ]


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
    exact = experiment.exact
    states = [
        SynapticState(float(r), float(u), float(s))
        for r, u, s in zip(exact.r.values, exact.U.values, exact.phase.values, strict=True)
    ]
    if config.evolution == "orbit":
        grid = experiment.grid
        circuits = [experiment.at_phase(k, s).isa for k, s in enumerate(grid)]
        jobs = 1
    else:
        circuits = [experiment.prepare(k, states[: k + 1]).isa for k in range(len(states))]
        jobs = len(circuits)
    target = experiment.sampler.target
    fidelities = [expected_fidelity(c, target) for c in circuits]
    lengths = [circuit_duration(c, target) for c in circuits]
    timed = [x for x in lengths if x is not None]
    seconds = None
    if len(timed) == len(circuits):
        seconds = _PER_JOB * jobs + config.shots * sum(_REP_DELAY + x for x in timed)
    return {
        "system": "lmg",
        "backend": config.backend,
        "qubits": experiment.sampler.target.num_qubits,
        "circuits": len(circuits),
        "jobs": jobs,
        "shots": config.shots,
        "trotter_steps": experiment.trotter,
        "two_qubit_gates": max(two_qubit_gates(c) for c in circuits),
        "two_qubit_depth": max(two_qubit_depth(c) for c in circuits),
        "depth": max(depth(c) for c in circuits),
        "expected_fidelity_lowest": min(fidelities),
        "expected_fidelity_mean": sum(fidelities) / len(fidelities),
        "qpu_seconds": seconds,
        "assumptions": (
            f"{_PER_JOB:g} s a job; {1e6 * _REP_DELAY:g} µs between shots; circuit lengths and "
            "errors from the calibration; fidelity the product of gate and readout fidelities"
        ),
    }
