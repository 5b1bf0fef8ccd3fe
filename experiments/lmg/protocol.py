"""The LMG quantum brain, end to end: circuits, gate, sampler, feedback, result, report.

``start`` makes a run directory and runs into it; ``resume`` goes on where a run was cut off.
Both return the run's JSON object. The forms of the hybrid loop:

- ``replay``: at every step the circuit runs again from the start to t_k;
- ``incremental``: the simulator's state is kept and only the last interval is run;
- ``fast-forward`` (h = 0): one fixed depth reaches any phase s; step by step, or (``feedback``
  afterwards) all predicted phases in one job, the feedback integrated on what came back;
- ``orbit`` (h = 0): E on a grid of s in one job, the feedback integrated afterwards;
- ``relax``: all times in one job under predicted r(t), the feedback integrated from what came
  back, again until r(t) agrees with itself (waveform relaxation; a field is allowed).
"""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit

from qbrain.backends.check.pure import validate
from qbrain.backends.compile import two_qubit_gates
from qbrain.backends.errors import DeviceFault
from qbrain.backends.ibm import open_ibm_sampler
from qbrain.backends.readings import take_readings
from qbrain.backends.registry import open_sampler
from qbrain.backends.stateful import StatefulSampler
from qbrain.classical_feedback.estimator import Estimate
from qbrain.classical_feedback.loop import LoopStep, counts_of, hybrid_loop
from qbrain.classical_feedback.orbit import grid_size
from qbrain.classical_feedback.synapse import Synapse, SynapticLaw, SynapticState
from qbrain.reference.lmg import LMG, initial_excitations, simulate, spectral_width

from ..engine.folder import RunDirectory
from ..engine.mitigation import Mitigator, Reading
from ..engine.progress import progress
from ..errors import DeviceError, NotApplicable, RunDirectoryError
from .circuits import (
    CircuitSource,
    Drive,
    Prepared,
    Steps,
    formula_on,
    open_circuits,
    qubits_needed,
)
from .companions import Task, calibration_tasks, point_tasks, reference_tasks
from .config import LMGConfig
from .relax import MOST_ROUNDS, predicted_controls, relaxed_controls
from .trotter import Plan, guard_step_size, plan_steps

__all__ = ["Experiment", "Measured", "resume", "start"]

Array = NDArray[np.float64]
Step = LoopStep[SynapticState, Estimate]


@dataclass(frozen=True)
class Measured:
    """A finished step: what came of each of its circuits, and what the gate found of them.

    The first reading is the point itself, unmitigated; ``validation``: one record a circuit, of
    the method and the checks.
    """

    step: Step
    readings: tuple[Reading, ...]
    validation: list[dict[str, Any]]

    def journal(self) -> dict[str, Any]:
        """Record for the journal; ``Experiment.restore`` reads it back."""
        state = self.step.control
        return {
            "step": self.step.index,
            "time": self.step.time,
            "control": [state.r, state.utilisation, state.phase],
            "readings": [reading.record() for reading in self.readings],
            "validation": self.validation,
        }


def read_order(circuit: QuantumCircuit) -> tuple[int, ...]:
    """The qubit that is read into each classical bit."""
    readings = take_readings(circuit)
    return tuple(qubit for _, qubit in sorted(zip(readings.clbits, readings.qubits, strict=True)))


def _reading(task: Task, counts: Mapping[int, int]) -> Reading:
    isa = task.prepared.isa
    return Reading(task.role, counts, read_order(isa), two_qubit_gates(isa), task.known)


class Experiment:
    """Everything a run needs, made from its configuration; fails before anything is written."""

    def __init__(self, config: LMGConfig, device: Mapping[str, Any] | None = None) -> None:
        self.config = config
        self._recorded = dict(device or {})
        self.model = LMG(config.neurons, config.gamma, config.g0, config.field)
        self.initial = initial_excitations(config.neurons, config.initial)
        self.synapse = Synapse(config.tau_r, config.tau_f, config.release)
        self.start = self.synapse.start()
        self.dt = config.time / config.steps
        self.times = self.dt * np.arange(config.steps + 1)
        self.exact = simulate(self.model, self.synapse, self.initial, self.times, populations=True)
        self.sampler: Any = None
        self.sources: list[CircuitSource] = []
        if config.backend != "exact":
            self._open_circuits()

    def _open_circuits(self) -> None:
        config = self.config
        qubits = qubits_needed(config, self.initial)
        if config.on_device:
            self.sampler = open_ibm_sampler(
                config.backend,
                qubits=qubits,
                # a resumed run stays where it began, whatever today's calibration prefers
                places=self._recorded_places(),
                mode=config.execution_mode,
                twirling=config.twirling,
                decoupling=config.dynamical_decoupling,
                placements=config.placements,
                fractional=config.fractional_gates,
            )
        elif config.evolution == "incremental":
            self.sampler = StatefulSampler(config.backend, qubits, seed=config.seed)
        else:
            self.sampler = open_sampler(
                config.backend,
                qubits=qubits,
                seed=config.seed,
                shots_hint=config.shots,
                placements=config.placements,
                fractional=config.fractional_gates,
            )
        self.targets = self.sampler.targets
        self.sources = [
            open_circuits(config, self.model, self.initial, target) for target in self.targets
        ]
        self.trotter = self._trotter_steps()
        for source in self.sources:
            source.trotter = self.trotter
        if "readout" in config.chain and self.sampler.readout is None:
            raise NotApplicable(f"mitigation: backend {config.backend} has no readout calibration")
        self.mitigator = Mitigator(
            config.neurons,
            config.chain,
            table=self.sources[0].table(),
            parity=self.initial % 2 if config.encoding == "qubit" else None,
            published=self.sampler.readouts,
        )

    def _recorded_places(self) -> list[list[int]] | None:
        if "placements" in self._recorded:
            return [list(place) for place in self._recorded["placements"]]
        return [self._recorded["physical_qubits"]] if self._recorded else None

    def _trotter_steps(self) -> Steps:
        config = self.config
        formula = formula_on(config, self.initial, self.targets[0])
        plan = Plan(config, self.model, self.initial, self.exact.phase.values, formula)
        ideal = config.backend in ("aer", "statevector") or config.exact_circuits
        steps = plan_steps(plan, None if ideal else self.sources[0].infidelity())
        guard_step_size(plan, steps)
        return steps

    @property
    def device(self) -> dict[str, Any]:
        """What the run record says of the backend."""
        details = {} if self.sampler is None else dict(self.sampler.details)
        return {"backend": self.config.backend, **details}

    @property
    def grid(self) -> Array:
        """Grid of s for ``orbit``: r ≤ 1, so s never passes the run's duration."""
        width = spectral_width(self.model, self.initial)
        length = float(self.config.time)
        size = max(grid_size(length, width), min(self.config.steps + 1, 1000))
        return np.linspace(0.0, length, size, dtype=np.float64)

    def foreseen(self) -> list[SynapticState]:
        """Controls of the run's points if it keeps to the exact trajectory."""
        if self.config.evolution == "orbit":
            return [SynapticState(1.0, self.start.utilisation, float(s)) for s in self.grid]
        return predicted_controls(self.exact)

    def drive(self, controls: Sequence[SynapticState]) -> Drive:
        """Phases g0·∫r dt of every interval so far."""
        s = [c.phase for c in controls]
        g0 = self.config.g0
        return Drive(tuple(g0 * (b - a) for a, b in itertools.pairwise(s)), self.dt)

    def _drive_to(self, index: int, controls: Sequence[SynapticState]) -> Drive:
        if self.config.evolution == "orbit":
            s = controls[index].phase
            return Drive((self.config.g0 * s,), max(s, 1e-300))
        return self.drive(controls[: index + 1])

    def prepare(self, index: int, controls: Sequence[SynapticState]) -> list[Prepared]:
        """The circuit of step ``index``, on every place."""
        drive, name = self._drive_to(index, controls), f"lmg-{self.config.evolution}"
        if self.config.evolution == "incremental":
            return [source.step(drive, name) for source in self.sources]
        return [source.prepare(drive, name) for source in self.sources]

    def point(self, index: int, controls: Sequence[SynapticState]) -> list[Task]:
        """All circuits that measure step ``index``."""
        return point_tasks(self.prepare(index, controls), self.config.scales, self.targets)

    @cached_property
    def references(self) -> list[Task]:
        """Circuits of known answer, to be sent with the first point of a job or of a loop."""
        config, tasks = self.config, []
        kind = next((name for name in ("echo", "zero") if name in config.chain), None)
        if kind is not None:
            controls = self.foreseen()
            drives = [self._drive_to(k, controls) for k in range(1, len(controls))]
            tasks += reference_tasks(
                *(config, kind, self.sources, self.targets, drives, self.most_steps),
                *(config.scales, self.mitigator.mixed_excitation),
            )
        if "readout" in config.chain and config.readout_calibration == "measured":
            tasks += calibration_tasks(self.sources, self.targets)
        return tasks

    @cached_property
    def most_steps(self) -> int:
        """Trotter steps of a circuit that has its own number, else of an interval; the largest."""
        g0 = self.config.g0
        return max(self.trotter(g0 * control.phase) for control in self.foreseen())

    def gate(self, task: Task, index: int) -> dict[str, Any]:
        """Validate one circuit; method and checks. Raises ``DispatchRefused``."""
        prepared = task.prepared
        where = f", placement {task.role.placement}" if self.config.placements > 1 else ""
        record = validate(
            prepared.logical,
            prepared.isa,
            self.targets[task.role.placement],
            expected=prepared.expected,
            observable=prepared.observable,
            exact_value=prepared.exact,
            max_trotter_error=self.config.max_trotter_error,
            name=prepared.name + where,
            step=index,
            start=prepared.start,
            method=self.config.validation.replace("-", "_"),
        ).to_dict()
        return {"method": record["method"], "checks": list(record["checks"])}

    def _admit(
        self, tasks: Sequence[Task], index: int
    ) -> tuple[list[QuantumCircuit], list[dict[str, Any]]]:
        """Circuits of one step, through the gate and labelled for the sampler."""
        circuits, records = [], []
        for stream, task in enumerate(tasks):
            records.append(self.gate(task, index))
            # one circuit object may serve several steps
            circuit = task.prepared.isa.copy() if stream else task.prepared.isa
            circuit.metadata = {
                **(circuit.metadata or {}),
                **{"step": index, "stream": stream, "placement": task.role.placement},
            }
            circuits.append(circuit)
        return circuits, records

    def restore(self, record: Mapping[str, Any]) -> Measured:
        """A step from its journal line; the estimate follows from the counts again."""
        try:
            readings = tuple(Reading.from_record(each) for each in record["readings"])
            state = SynapticState(*(float(x) for x in record["control"]))
            self.mitigator.learn(readings)
            estimate = self.mitigator.estimate(readings)
            counts = tuple(reading.counts for reading in readings)
            step = Step(record["step"], float(record["time"]), state, counts, estimate)
            return Measured(step, readings, list(record["validation"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RunDirectoryError(
                f"steps.jsonl: step {record.get('step')} is not a record of this run: {error}"
            ) from None

    def measure(self, done: Sequence[Measured]) -> Iterator[Measured]:
        """The steps that are still missing, one at a time."""
        if self.config.evolution == "orbit":
            yield from self._one_job(0, self.grid.tolist(), self.foreseen(), done)[len(done) :]
        elif self.config.feedback_afterwards:
            yield from self._one_job(0, self.times.tolist(), self.foreseen(), done)[len(done) :]
        elif self.config.evolution == "relax":
            yield from self._measure_relax(list(done))
        else:
            yield from self._measure_loop(done)

    def _measure_loop(self, done: Sequence[Measured]) -> Iterator[Measured]:
        tasks: list[Task] = []
        records: list[dict[str, Any]] = []
        readings: tuple[Reading, ...] = ()

        def build(index: int, controls: Sequence[SynapticState]) -> list[QuantumCircuit]:
            nonlocal tasks, records
            tasks = self.point(index, controls) + (self.references if index == 0 else [])
            circuits, records = self._admit(tasks, index)
            return circuits

        def estimate(counts: Sequence[Mapping[int, int]]) -> Estimate:
            nonlocal readings
            readings = tuple(_reading(*pair) for pair in zip(tasks, counts, strict=True))
            self.mitigator.learn(readings)
            return self.mitigator.estimate(readings)

        if self.config.evolution == "incremental":
            # the kept state is lost with the process: bring it back without measuring
            controls = [m.step.control for m in done]
            for k in range(len(done)):
                self.sampler.run([self.prepare(k, controls[: k + 1])[0].isa], shots=1)
        for step in hybrid_loop(
            times=self.times.tolist(),
            start=self.start,
            build=build,
            sampler=self.sampler,
            estimate=estimate,
            law=SynapticLaw(self.synapse, self.config.feedback_order),
            shots=self.config.shots,
            done=[m.step for m in done],
        ):
            yield Measured(step, readings, records)

    def _measure_relax(self, done: list[Measured]) -> Iterator[Measured]:
        """Waveform relaxation: whole trajectories, until r(t) agrees with itself."""
        size = self.times.size
        controls = self.foreseen()
        for first in range(0, MOST_ROUNDS * size, size):
            batch = self._one_job(first, self.times.tolist(), controls, done)
            for measured in batch[max(0, len(done) - first) :]:
                done.append(measured)
                yield measured
            after, agreed = relaxed_controls(self, [m.step for m in batch])
            if agreed:
                return
            controls = after

    def _one_job(
        self,
        first: int,
        times: Sequence[float],
        states: Sequence[SynapticState],
        done: Sequence[Measured],
    ) -> list[Measured]:
        """Steps first, first+1, … at given controls, in one job.

        Where a kill has left a part of them in the journal, all are asked for again: a ledger
        finds the same job, and a simulator draws the same shots.
        """
        size = len(states)
        if len(done) >= first + size:
            return list(done[first : first + size])
        groups = [self.point(k, states) + (self.references if k == 0 else []) for k in range(size)]
        admitted = [self._admit(tasks, first + k) for k, tasks in enumerate(groups)]
        circuits = [circuit for part, _ in admitted for circuit in part]
        results = iter(self.sampler.run(circuits, shots=self.config.shots).result())
        found = [
            tuple(_reading(task, counts_of(next(results))) for task in tasks) for tasks in groups
        ]
        self.mitigator.learn(found[0])
        batch = []
        for k, readings in enumerate(found):
            estimate = self.mitigator.estimate(readings)
            counts = tuple(reading.counts for reading in readings)
            step = Step(first + k, times[k], states[k], counts, estimate)
            batch.append(Measured(step, readings, admitted[k][1]))
        return batch

    @property
    def total(self) -> int:
        """How many points the whole run measures, at most."""
        if self.config.backend == "exact":
            return 0
        if self.config.evolution == "orbit":
            return int(self.grid.size)
        rounds = MOST_ROUNDS if self.config.evolution == "relax" else 1
        return rounds * int(self.times.size)


def start(config: LMGConfig, out: Path | None) -> dict[str, Any]:
    """Run into a new directory ``out`` (./runs/… if None) and return the JSON object.

    Raises the errors of ``Experiment`` before anything is written, ``RunDirectoryError`` if the
    folder cannot be used, ``DispatchRefused`` if a circuit fails the gate; finished steps stay
    on disk in every case.
    """
    if config.seed is None:
        config = config.model_copy(update={"seed": secrets.randbits(32)})
    began = time.perf_counter()
    experiment = Experiment(config)
    if config.max_qpu_seconds is not None:
        from ..engine.costs import guard_qpu_seconds

        guard_qpu_seconds(experiment)
    run = RunDirectory.create(
        out,
        "lmg",
        {
            "config": config.model_dump(exclude_none=True),
            "device": experiment.device,
        },
    )
    with run.locked():
        return _execute(experiment, run, began)


def resume(path: Path) -> dict[str, Any]:
    """Go on with an interrupted run; a finished one only returns its result.

    Raises ``RunDirectoryError`` if ``path`` holds no intact LMG run.
    """
    began = time.perf_counter()
    run = RunDirectory.open(path)
    with run.locked():
        record = run.record()
        if record["run"]["system"] != "lmg":
            raise RunDirectoryError(f"{path}: wanted a run of lmg, got {record['run']['system']}")
        result = run.result()
        if result is not None:
            return result
        experiment = Experiment(LMGConfig.from_record(record["config"]), record["device"])
        return _execute(experiment, run, began)


def _execute(experiment: Experiment, run: RunDirectory, began: float) -> dict[str, Any]:
    from .result import finish

    done = [experiment.restore(record) for record in run.steps()]
    if experiment.config.on_device:
        experiment.sampler.begin(run.record()["run"]["id"], str(run.path.resolve()))
    if experiment.config.backend != "exact":
        if len(done) > experiment.total:
            raise RunDirectoryError(
                f"{run.path}: wanted at most {experiment.total} steps, got {len(done)}"
            )
        try:
            with progress(experiment.total, len(done)) as tick:
                for measured in experiment.measure(done):
                    run.append_step(measured.journal())
                    done.append(measured)
                    tick(f"E = {measured.step.estimate.value:.3f}")
        except DeviceFault as error:
            raise DeviceError(f"{error}; go on with: qbrain resume {run.path}") from error
        finally:
            if experiment.config.on_device:
                experiment.sampler.close()
    return finish(experiment, run, done, began)
