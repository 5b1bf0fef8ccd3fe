"""What runs of feedback systems share: the folder, the journal, going on after a kill.

An experiment says what is measured; here is that nothing is lost on the way. Every finished step is
in the journal before the next one is begun, and a run that goes on takes its controls and counts
from there, so that it ends in the numbers of one that was never stopped.
"""

from __future__ import annotations

import dataclasses
import math
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from qiskit import QuantumCircuit
from qiskit.primitives import BaseSamplerV2

from qbrain.backends.check.pure import DispatchRefused
from qbrain.backends.errors import DeviceFault
from qbrain.classical_feedback.loop import LoopStep, hybrid_loop

from ..errors import DeviceError, NotApplicable, RunDirectoryError
from .config import BaseConfig
from .costs import circuit_costs, qpu_seconds
from .folder import RunDirectory
from .progress import progress

__all__ = [
    "Experiment",
    "FeedbackLoop",
    "Measured",
    "OnBackend",
    "Stepwise",
    "estimate_run",
    "resume_run",
    "start_run",
]

C = TypeVar("C")
E = TypeVar("E")
K = TypeVar("K", bound=BaseConfig)


@dataclass(frozen=True)
class Measured(Generic[C, E]):
    """A finished step, and what the gate found of its circuits."""

    step: LoopStep[C, E]
    validation: list[dict[str, Any]]


class Experiment(Protocol):
    """What :func:`start_run` runs. Made from a configuration; fails before anything is written."""

    @property
    def device(self) -> dict[str, Any]:
        """What the run's record says of the backend."""

    @property
    def sampler(self) -> Any | None:
        """Where circuits run; None where none do."""

    def measure(self, run: RunDirectory) -> Sequence[Any]:
        """Measure what is not in the journal yet; all finished steps."""

    @property
    def qubits(self) -> int:
        """Of the largest circuit; 0 where none run."""

    def foreseen(self) -> list[list[QuantumCircuit]]:
        """Circuits of each job of a run whose readings have no errors."""

    def finish(self, run: RunDirectory, done: Sequence[Any], began: float) -> dict[str, Any]:
        """Write what a finished run holds and return its JSON object."""


class OnBackend:
    """What an experiment says of its backend, by its ``circuits``; these are None for exact."""

    circuits: Any

    @property
    def device(self) -> dict[str, Any]:
        """What the run's record says of the backend."""
        return dict(self.circuits.device) if self.circuits else {"backend": "exact"}

    @property
    def qubits(self) -> int:
        """Of the largest circuit; 0 where none run."""
        return int(self.circuits.qubits) if self.circuits else 0

    @property
    def sampler(self) -> Any | None:
        """Where circuits run; None where none do."""
        return self.circuits.sampler if self.circuits else None


class Stepwise(OnBackend, Generic[C]):
    """An experiment whose every step has circuits that follow from the controls until then."""

    def __init__(self) -> None:
        self._made: dict[int, list[QuantumCircuit]] = {}

    def step_circuits(
        self, index: int, controls: Sequence[C]
    ) -> tuple[list[QuantumCircuit], list[dict[str, Any]]]:
        """Circuits of a step in the target's gates, and the gate's record of each."""
        raise NotImplementedError

    def build(
        self, index: int, controls: Sequence[C]
    ) -> tuple[list[QuantumCircuit], list[dict[str, Any]]]:
        """The same, remembered for :meth:`sent`."""
        made, records = self.step_circuits(index, controls)
        self._made[index] = made
        return made, records

    def sent(self, done: Sequence[Measured[C, Any]]) -> list[QuantumCircuit]:
        """Every circuit of the run, made again where an earlier process made it."""
        controls = [m.step.control for m in done]
        return [
            circuit
            for k in range(len(done))
            for circuit in self._made.get(k) or self.step_circuits(k, controls)[0]
        ]


@dataclass(frozen=True)
class FeedbackLoop(Generic[C, E]):
    """A hybrid loop with a journal.

    Attributes:
        times: at which there are readings.
        start: the control at the first of them; a dataclass of numbers and arrays.
        law: control, estimates, step → the next control.
        build: index, controls → circuits in the target's gates and one record of the gate each.
        estimate: counts of a step's circuits and the gate's records of them → estimate; called for
            the steps in the journal too.
        sampler: where the circuits run.
        shots: of each circuit.
        describe: a few words on a finished step, for the progress bar.
    """

    times: Sequence[float]
    start: C
    law: Callable[[C, Sequence[E], float], C]
    build: Callable[[int, Sequence[C]], tuple[list[QuantumCircuit], list[dict[str, Any]]]]
    estimate: Callable[[Sequence[Mapping[int, int]], list[dict[str, Any]]], E]
    sampler: BaseSamplerV2
    shots: int
    describe: Callable[[LoopStep[C, E]], str]

    def run(self, run: RunDirectory) -> list[Measured[C, E]]:
        """Go on from the journal to the end.

        Raises ``RunDirectoryError`` for a journal that is not of this run.
        """
        done = [self._restore(record) for record in run.steps()]
        if len(done) > len(self.times):
            raise RunDirectoryError(
                f"{run.path}: wanted at most {len(self.times)} steps, got {len(done)}"
            )
        records: list[dict[str, Any]] = []

        def build(index: int, controls: Sequence[C]) -> list[QuantumCircuit]:
            nonlocal records
            circuits, records = self.build(index, controls)
            return circuits

        with progress(len(self.times), len(done)) as tick:
            for step in hybrid_loop(
                times=self.times,
                start=self.start,
                build=build,
                sampler=self.sampler,
                estimate=lambda counts: self.estimate(counts, records),
                law=self.law,
                shots=self.shots,
                done=[m.step for m in done],
            ):
                run.append_step(_journal(step, records))
                done.append(Measured(step, records))
                tick(self.describe(step))
        return done

    def _restore(self, record: Mapping[str, Any]) -> Measured[C, E]:
        try:
            control = _read(record["control"], self.start)
            counts = tuple({int(x): int(c) for x, c in each.items()} for each in record["counts"])
            index, validation = int(record["step"]), list(record["validation"])
            if len(validation) != len(counts):
                raise ValueError(f"wanted {len(validation)} counts, got {len(counts)}")
            estimate = self.estimate(counts, validation)
            step = LoopStep(index, self.times[index], control, counts, estimate)
            return Measured(step, validation)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise RunDirectoryError(
                f"steps.jsonl: step {record.get('step')} is not a record of this run: {error}"
            ) from None


def _journal(step: LoopStep[Any, Any], validation: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "step": step.index,
        "control": _write(step.control),
        "counts": [{str(x): c for x, c in counts.items()} for counts in step.counts],
        "validation": validation,
    }


def _write(value: Any) -> Any:
    """A number, an array or a dataclass of such for JSON, which has no nan."""
    if dataclasses.is_dataclass(value):
        return {
            field.name: _write(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    whole = np.asarray(value, dtype=float)
    plain = np.where(np.isnan(whole), None, whole.astype(object))  # type: ignore[call-overload]
    return plain.tolist()


def _read(value: Any, like: Any) -> Any:
    """What was written, in the form that ``like`` has; arrays may be longer."""
    if dataclasses.is_dataclass(like):
        kind: Any = type(like)
        fields = dataclasses.fields(like)
        return kind(**{f.name: _read(value[f.name], getattr(like, f.name)) for f in fields})
    whole = np.array(value, dtype=object)
    found = np.where(whole == None, math.nan, whole).astype(float)  # noqa: E711
    if np.ndim(like) != found.ndim:
        raise ValueError(f"wanted {np.ndim(like)} dimensions, got {found.ndim}")
    return found if isinstance(like, np.ndarray) else float(found)


def start_run(
    system: str, config: K, out: Path | None, make: Callable[[K, Any], Experiment]
) -> dict[str, Any]:
    """Run into a new directory ``out`` (./runs/… if None) and return the JSON object.

    Raises the errors of ``make`` before anything is written, ``RunDirectoryError`` if the folder
    cannot be used, ``DispatchRefused`` if a circuit fails the gate or the run would take longer
    than ``max_qpu_seconds``; finished steps stay on disk in every case.
    """
    if config.seed is None:
        config = config.model_copy(update={"seed": secrets.randbits(31)})
    began = time.perf_counter()
    experiment = make(config, None)
    if config.max_qpu_seconds is not None:
        seconds = _seconds(experiment, experiment.foreseen(), config.shots)
        found = math.inf if seconds is None else seconds
        if not found <= config.max_qpu_seconds:
            raise DispatchRefused(system, None, "qpu seconds", found, config.max_qpu_seconds)
    record = {"config": config.model_dump(exclude_none=True), "device": experiment.device}
    run = RunDirectory.create(out, system, record)
    with run.locked():
        return _execute(experiment, config, run, began)


def estimate_run(system: str, config: K, make: Callable[[K, Any], Experiment]) -> dict[str, Any]:
    """Cost of a run, from the circuits it would dispatch if its readings had no errors.

    Raises ``NotApplicable`` for backend exact, and the errors of ``make``.
    """
    if config.backend == "exact":
        raise NotApplicable("backend: exact runs no circuit, so there is nothing to estimate")
    experiment = make(config.model_copy(update={"seed": config.seed or 0}), None)
    jobs = experiment.foreseen()
    circuits = [circuit for job in jobs for circuit in job]
    assert experiment.sampler is not None
    return {
        "system": system,
        "backend": config.backend,
        "qubits": experiment.qubits,
        "circuits": len(circuits),
        "jobs": len(jobs),
        "shots": config.shots,
        **circuit_costs(circuits, experiment.sampler.target),
        "qpu_seconds": _seconds(experiment, jobs, config.shots),
    }


def _seconds(
    experiment: Experiment, jobs: Sequence[Sequence[QuantumCircuit]], shots: int
) -> float | None:
    """Estimated time on a device; None where its calibration tells no times."""
    assert experiment.sampler is not None
    circuits = [circuit for job in jobs for circuit in job]
    return qpu_seconds(circuits, len(jobs), shots, experiment.sampler.target)


def resume_run(
    system: str, path: Path, kind: type[K], make: Callable[[K, Any], Experiment]
) -> dict[str, Any]:
    """Go on with an interrupted run; a finished one only returns its result.

    Raises ``RunDirectoryError`` if ``path`` holds no intact run of ``system``.
    """
    began = time.perf_counter()
    run = RunDirectory.open(path)
    with run.locked():
        record = run.record()
        if record["run"]["system"] != system:
            found = record["run"]["system"]
            raise RunDirectoryError(f"{path}: wanted a run of {system}, got {found}")
        result = run.result()
        if result is not None:
            return result
        config = kind.from_record(record["config"])
        return _execute(make(config, record["device"]), config, run, began)


def _execute(
    experiment: Experiment, config: BaseConfig, run: RunDirectory, began: float
) -> dict[str, Any]:
    sampler = experiment.sampler if config.on_device else None
    if sampler is not None:
        sampler.begin(run.record()["run"]["id"], str(run.path.resolve()))
    try:
        done = experiment.measure(run)
    except DeviceFault as error:
        raise DeviceError(f"{error}; go on with: qbrain resume {run.path}") from error
    finally:
        if sampler is not None:
            sampler.close()
    return experiment.finish(run, done, began)
