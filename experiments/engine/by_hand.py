"""A run in three functions, for circuits that are sent by other means than ours.

``build`` gives the circuits of a job, compiled and checked; whoever likes runs them, anywhere;
``combine`` takes the counts and gives the next job, or the finished run with its estimates and
bands. ``execute`` is the step between them on the backend that they were built for.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from qiskit import QuantumCircuit

from qbrain.classical_feedback.loop import counts_of

from ..errors import ConfigError, NotApplicable
from .config import BaseConfig
from .dispatch import Dispatcher
from .experiment import Heading, Job, Protocol
from .finished import Parts, Run
from .folder import RunDirectory
from .plan import guard_qpu_seconds
from .readings import Reading, counts_of_bits
from .run import end_run, make_experiment, record_of, seeded
from .sampler import RunSampler, keeps_state
from .scratch import Scratch
from .system import System

__all__ = ["Pending", "build", "combine", "execute"]


@dataclass
class Pending:
    """A job that waits for its counts.

    Attributes:
        circuits: in the gates of the backend they were built for, each checked.
        shots: wanted of each.
        ordered: of each circuit, whether its shots are wanted in their order, as a list of
            outcomes, rather than as counts.
        number: of the job.
    """

    circuits: list[QuantumCircuit]
    shots: int
    ordered: list[bool]
    number: int
    _headings: list[Heading] = field(repr=False)
    _protocol: Protocol[Any] = field(repr=False)
    _dispatcher: Dispatcher[Any] = field(repr=False)
    _context: _Context = field(repr=False)


@dataclass
class _Context:
    system: System[Any]
    sampler: RunSampler
    folder: RunDirectory
    scratch: Scratch | None
    began: float


def build(
    system: System[Any], config: BaseConfig, *, place: Any = None, out: Path | None = None
) -> Pending:
    """The first job of a run.

    ``place``: a backend or sampler in place of the configured name; it is not used unless
    ``execute`` is called, but the circuits are in its gates and on its connectivity. ``out``: the
    run's folder, a temporary one if None.

    Raises:
        NotApplicable: backend exact, or a form that keeps the simulator's state.
        DispatchRefused: a circuit does not pass the check, or the run would take longer than
            ``max_qpu_seconds``.
    """
    if not config.runs_circuits:
        raise NotApplicable("backend: exact runs no circuit, so there is nothing to build")
    config = seeded(config)
    began = time.perf_counter()
    experiment, bench, sampler = make_experiment(system, config, None, place)
    if keeps_state(sampler):
        raise NotApplicable(
            "evolution: wanted circuits that start from |0…0⟩, got incremental, which goes on from "
            "a state that only our simulator keeps"
        )
    assert bench is not None
    assert sampler is not None
    guard_qpu_seconds(system.name, experiment, bench)
    scratch = Scratch() if out is None else None
    path = out if scratch is None else scratch.path / "run"
    folder = RunDirectory.create(path, system.name, record_of(experiment, bench))
    experiment.prepare(folder)
    dispatcher: Dispatcher[Any] = Dispatcher(experiment, bench, sampler, folder)
    protocol = experiment.protocol()
    context = _Context(system, sampler, folder, scratch, began)
    return _pending(next(protocol), 0, protocol, dispatcher, context)


def _pending(
    job: Job,
    number: int,
    protocol: Protocol[Any],
    dispatcher: Dispatcher[Any],
    context: _Context,
) -> Pending:
    built = dispatcher.built(job, number)
    shots = job.shots or dispatcher.config.shots
    return Pending(
        [circuit for circuit, _ in built],
        shots,
        list(dispatcher.keep),
        number,
        [heading for _, heading in built],
        protocol,
        dispatcher,
        context,
    )


def execute(pending: Pending) -> list[Any]:
    """Counts (outcome → shots) of each circuit, or every outcome where ``ordered``."""
    job = pending._context.sampler.run(pending.circuits, shots=pending.shots)
    found: list[Any] = []
    for pub, ordered in zip(job.result(), pending.ordered, strict=True):
        if ordered:
            (register,) = pub.data.values()
            bits = register.to_bool_array(order="little").astype(np.int64)
            found.append((bits @ (1 << np.arange(bits.shape[1]))).tolist())
        else:
            found.append(counts_of(pub))
    return found


def combine(pending: Pending, counts: Sequence[Any]) -> Pending | Run:
    """The next job, or the finished run where that was the last one.

    Args:
        pending: the job.
        counts: of each of its circuits in their order: outcome → shots, an outcome being an integer
            (bit j is classical bit j) or a string of bits as Qiskit prints it; or, where
            ``ordered``, one outcome a shot.

    Raises:
        ConfigError: counts of other circuits.
    """
    if len(counts) != len(pending.circuits):
        raise ConfigError(
            f"counts: wanted those of {len(pending.circuits)} circuits, got {len(counts)}"
        )
    rows = zip(pending._headings, counts, pending.ordered, pending.circuits, strict=True)
    found = [_reading(*row) for row in rows]
    dispatcher, context = pending._dispatcher, pending._context
    dispatcher.keep_circuits(pending.number, pending.circuits)
    dispatcher.keep_readings(pending.number, found)
    try:
        job = pending._protocol.send(found)
    except StopIteration as stop:
        return _finished(stop.value, dispatcher, context)
    return _pending(job, pending.number + 1, pending._protocol, dispatcher, context)


def _reading(heading: Heading, counts: Any, ordered: bool, circuit: QuantumCircuit) -> Reading:
    bits = circuit.num_clbits
    if not ordered:
        if not isinstance(counts, Mapping):
            raise ConfigError(f"counts: wanted outcome → shots, got {type(counts).__name__}")
        found = {_outcome(x, bits): int(c) for x, c in counts.items()}
        if any(c < 0 for c in found.values()) or not sum(found.values()):
            raise ConfigError("counts: wanted at least one shot of a circuit, got none")
        # the journal holds outcomes that came
        return Reading(heading, {x: c for x, c in found.items() if c})
    if isinstance(counts, Mapping):
        raise ConfigError("counts: wanted the outcome of every shot in its order, got counts")
    outcomes = np.array([_outcome(x, bits) for x in counts], dtype=np.int64)
    shots = (outcomes[:, None] >> np.arange(bits) & 1).astype(np.uint8)
    return Reading(heading, counts_of_bits(shots), shots)


def _outcome(value: Any, bits: int) -> int:
    try:
        found = int(value.replace(" ", ""), 2) if isinstance(value, str) else int(value)
    except (TypeError, ValueError):
        found = -1
    if not 0 <= found < 2**bits:
        raise ConfigError(f"counts: wanted outcomes of {bits} bits, got {value!r}")
    return found


def _finished(measured: Any, dispatcher: Dispatcher[Any], context: _Context) -> Run:
    experiment, bench = dispatcher.experiment, dispatcher.bench
    outcome = experiment.outcome(measured)
    parts = Parts(experiment, bench, outcome, dispatcher.readings, dispatcher.circuits())
    run = end_run(context.system, parts, context.folder, context.began, draw=False)
    run._scratch = context.scratch
    return run
