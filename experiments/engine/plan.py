"""What a run would cost before it: circuits, gates, expected fidelity, QPU time.

The protocol is run dry: its jobs are compiled and answered by the ideal outcomes of their own
circuits, so that the circuits counted are those that a run without errors would send.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.transpiler import Target

from qbrain.backends.billing import (
    SECONDS_A_JOB,
    Repetition,
    executed_shots,
    job_seconds,
    reset_seconds,
)
from qbrain.backends.compile import depth, expected_fidelity, two_qubit_depth, two_qubit_gates

from .dispatch import compiled, heading_of
from .experiment import Bench, Experiment, Job, MixedState, Task
from .guard import OverBudget
from .needs import total_needs
from .progress import tell
from .readings import Reading, counts_of_bits

__all__ = ["PlannedJob", "circuit_costs", "costs_of", "guard_qpu_seconds", "planned", "qpu_seconds"]

_ENUMERATED = 8  # independent bits whose joint outcomes are listed; more are drawn bit by bit


@dataclass(frozen=True)
class PlannedJob:
    """Circuits that would be sent together, and the shots of each."""

    circuits: list[QuantumCircuit]
    shots: int


# circuits and shots of a job → how many circuits go into each of the jobs that it is sent in
Sizes = Callable[[Sequence[QuantumCircuit], int], Sequence[int]]


def planned(
    experiment: Experiment[Any, Any], bench: Bench, sizes: Sizes | None = None
) -> list[PlannedJob]:
    """The jobs of a run whose readings have no errors.

    ``sizes``: how a device takes them; raises for what it does not take.
    """
    found: list[PlannedJob] = []
    cut = False
    random = np.random.default_rng(experiment.config.seed)
    protocol = experiment.protocol()
    job: Job | None = next(protocol, None)
    while job is not None:
        shots = job.shots or experiment.config.shots
        tasks = job.tasks()
        circuits = [compiled(task, bench) for task in tasks]
        rest = iter(circuits)
        parts = [len(circuits)] if sizes is None else sizes(circuits, shots)
        if len(parts) > 1 and not cut:
            cut = True
            tell(
                f"{len(circuits)} circuits of {shots} shots ({len(circuits) * shots:,} executions) "
                f"are more than a job of the service takes: they are sent in {len(parts)} jobs"
            )
        for size in parts:
            found.append(PlannedJob(list(islice(rest, size)), shots))
        readings = [
            _ideal(task, isa, shots, random) for task, isa in zip(tasks, circuits, strict=True)
        ]
        try:
            job = protocol.send(readings)
        except StopIteration:
            job = None
    return found


def _ideal(task: Task, isa: QuantumCircuit, shots: int, random: np.random.Generator) -> Reading:
    heading = heading_of(task, isa, {"method": "none", "checks": []})
    bits = isa.num_clbits
    apart = task.expected.ones(bits) if isinstance(task.expected, MixedState) else None
    if apart is not None and bits > _ENUMERATED:
        each = (random.random((shots, bits)) < apart).astype(np.uint8)
        return Reading(heading, counts_of_bits(each), each if task.keep == "shots" else None)
    chances = task.expected.probabilities(bits)
    outcomes = list(chances)
    weights = np.array(list(chances.values()))
    weights = weights / weights.sum()
    if task.keep == "shots" or shots == 1:
        drawn = random.choice(len(outcomes), size=shots, p=weights)
        rows = [[outcome >> j & 1 for j in range(bits)] for outcome in outcomes]
        each = np.array(rows, dtype=np.uint8)[drawn]
        return Reading(heading, counts_of_bits(each), each if task.keep == "shots" else None)
    counts = {x: round(shots * p) for x, p in zip(outcomes, weights.tolist(), strict=True)}
    if not any(counts.values()):
        counts[outcomes[int(np.argmax(weights))]] = 1
    return Reading(heading, {x: c for x, c in counts.items() if c})


def circuit_costs(circuits: Sequence[QuantumCircuit], target: Target) -> dict[str, Any]:
    """Gates and depths at most, and expected fidelities, of circuits in the target's gates."""
    # many circuits of a run are the same object
    distinct = list({id(c): c for c in circuits}.values())
    each = {id(c): expected_fidelity(c, target) for c in distinct}
    fidelities = [each[id(c)] for c in circuits]
    return {
        "two_qubit_gates": max(two_qubit_gates(c) for c in distinct),
        "two_qubit_depth": max(two_qubit_depth(c) for c in distinct),
        "depth": max(depth(c) for c in distinct),
        "expected_fidelity_lowest": min(fidelities),
        "expected_fidelity_mean": sum(fidelities) / len(fidelities),
    }


def qpu_seconds(
    jobs: Sequence[PlannedJob], target: Target, repetition: Repetition, *, twirled: bool = False
) -> float | None:
    """Seconds that the jobs will be billed, as :mod:`qbrain.backends.billing`; None if unknown."""
    each = [
        job_seconds(job.circuits, executed_shots(job.shots, twirled=twirled), target, repetition)
        for job in jobs
    ]
    known = [seconds for seconds in each if seconds is not None]
    return sum(known) if len(known) == len(each) else None


def _seconds_of(
    jobs: Sequence[PlannedJob], experiment: Experiment[Any, Any], bench: Bench
) -> float | None:
    twirled = experiment.config.twirled
    return qpu_seconds(jobs, bench.target, repetition_of(bench), twirled=twirled)


def assumptions(bench: Bench) -> str:
    """What the figures of an estimate rest on, in words."""
    reset = reset_seconds(bench.target)
    before = f"a reset of {1e6 * reset:.2f} µs before each; " if reset else ""
    return (
        f"{SECONDS_A_JOB:g} s a job; {repetition_of(bench).sentence()}; {before}circuit lengths "
        "and errors from the calibration; fidelity the product of gate and readout fidelities; "
        "memory and seconds those of this machine, rough"
    )


def repetition_of(bench: Bench) -> Repetition:
    """What the bench's device waits between shots."""
    return Repetition.from_details(bench.details)


def costs_of(
    system: str,
    experiment: Experiment[Any, Any],
    bench: Bench,
    sizes: Sizes | None = None,
) -> dict[str, Any]:
    """What a run would cost, as one JSON object; ``sizes`` as of :func:`planned`."""
    jobs = planned(experiment, bench, sizes)
    circuits = [circuit for job in jobs for circuit in job.circuits]
    memory, seconds = total_needs(experiment.needs(experiment.config))
    return {
        "system": system,
        "backend": experiment.config.backend,
        "qubits": int(bench.target.num_qubits),
        "circuits": len(circuits),
        "jobs": len(jobs),
        "shots": jobs[0].shots,
        # by the first placement's calibration, wherever a circuit runs
        **circuit_costs(circuits, bench.target),
        "qpu_seconds": _seconds_of(jobs, experiment, bench),
        "memory_bytes": round(memory),
        "seconds": round(seconds),
        **experiment.costs(),
        "assumptions": assumptions(bench),
    }


def guard_qpu_seconds(
    system: str, experiment: Experiment[Any, Any], bench: Bench, sizes: Sizes | None = None
) -> float | None:
    """Refuse a run that is estimated to exceed ``max_qpu_seconds``, before anything is sent.

    ``sizes`` as of :func:`planned`. Returns the estimate in seconds, None where there is no limit.

    Raises ``OverBudget``.
    """
    limit = experiment.config.max_qpu_seconds
    if limit is None:
        return None
    seconds = _seconds_of(planned(experiment, bench, sizes), experiment, bench)
    found = math.inf if seconds is None else seconds
    if not found <= limit:
        raise OverBudget(system, None, found, limit)
    return seconds
