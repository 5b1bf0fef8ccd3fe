"""The LMG quantum brain, end to end: circuits, gate, sampler, feedback, result, report.

``start`` makes a run directory and runs into it; ``resume`` goes on where a run was cut off.
Both return the run's JSON object. The forms of the hybrid loop:

- ``replay``: at every step the circuit runs again from the start to t_k;
- ``incremental``: the simulator's state is kept and only the last interval is run;
- ``fast-forward`` (h = 0): one fixed depth reaches any phase s;
- ``orbit`` (h = 0): E on a grid of s in one job, the feedback integrated afterwards;
- ``relax``: all times in one job under predicted r(t), the feedback integrated from what came
  back, again until r(t) agrees with itself (waveform relaxation; a field is allowed).
"""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit

from qbrain.backends.errors import DeviceFault
from qbrain.backends.ibm import open_ibm_sampler
from qbrain.backends.readings import take_readings
from qbrain.backends.registry import open_sampler
from qbrain.backends.stateful import StatefulSampler
from qbrain.backends.validation import validate
from qbrain.classical_feedback.estimator import Estimate, ExcitationEstimator
from qbrain.classical_feedback.loop import LoopStep, counts_of, hybrid_loop
from qbrain.classical_feedback.orbit import grid_size
from qbrain.classical_feedback.synapse import Synapse, SynapticLaw, SynapticState
from qbrain.experiments.config import LMGConfig
from qbrain.experiments.errors import DeviceError, NotApplicable, RunDirectoryError
from qbrain.experiments.lmg_circuits import (
    CircuitSource,
    Drive,
    Prepared,
    open_circuits,
    qubits_needed,
    splitting_on,
)
from qbrain.experiments.lmg_relax import MOST_ROUNDS, predicted_controls, relaxed_controls
from qbrain.experiments.lmg_trotter import choose_trotter_steps, guard_step_size
from qbrain.experiments.run_directory import RunDirectory
from qbrain.reference.lmg import LMG, initial_excitations, simulate, spectral_width

__all__ = ["Experiment", "Measured", "resume", "start"]

Array = NDArray[np.float64]
Step = LoopStep[SynapticState, Estimate]


@dataclass(frozen=True)
class Measured:
    """A finished step, what the gate found for its circuit, and the qubit read into each bit."""

    step: Step
    checks: list[dict[str, Any]]
    order: tuple[int, ...]

    def journal(self) -> dict[str, Any]:
        """Record for the journal; ``restore`` reads it back."""
        state = self.step.control
        return {
            "step": self.step.index,
            "time": self.step.time,
            "control": [state.r, state.utilisation, state.phase],
            "counts": {str(x): c for x, c in self.step.counts.items()},
            "checks": self.checks,
            "order": self.order,
        }


def read_order(circuit: QuantumCircuit) -> tuple[int, ...]:
    """The qubit that is read into each classical bit."""
    readings = take_readings(circuit)
    return tuple(qubit for _, qubit in sorted(zip(readings.clbits, readings.qubits, strict=True)))


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
        self.source: CircuitSource | None = None
        self.sampler: Any = None
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
                place=self._recorded.get("physical_qubits"),
                mode=config.execution_mode,
                twirling=config.twirling,
                decoupling=config.dynamical_decoupling,
            )
        elif config.evolution == "incremental":
            self.sampler = StatefulSampler(config.backend, qubits, seed=config.seed)
        else:
            self.sampler = open_sampler(
                config.backend, qubits=qubits, seed=config.seed, shots_hint=config.shots
            )
        self.trotter = self._trotter_steps()
        self.source = open_circuits(
            config, self.model, self.initial, self.sampler.target, self.trotter
        )
        if config.corrects_readout and self.sampler.readout is None:
            raise NotApplicable(f"mitigation: backend {config.backend} has no readout calibration")
        self._estimators: dict[tuple[int, ...], ExcitationEstimator] = {}

    def estimate(self, counts: Mapping[int, int], order: tuple[int, ...]) -> Estimate:
        """E from counts of a circuit that reads qubit ``order[j]`` into bit j.

        Errors of reading belong to qubits: a swap network reads the same neuron from another
        qubit after the next step.
        """
        key = order if self.config.corrects_readout else ()
        if key not in self._estimators:
            assert self.source is not None
            self._estimators[key] = ExcitationEstimator(
                self.config.neurons,
                table=self.source.table(),
                parity=self.initial % 2 if self.config.postselects else None,
                readout=self.sampler.readout[list(key)] if key else None,
            )
        return self._estimators[key](counts)

    def _trotter_steps(self) -> int:
        config, phase = self.config, self.exact.phase.values
        splitting = splitting_on(config, self.initial, self.sampler.target)
        steps = config.trotter_steps or choose_trotter_steps(
            config,
            self.model,
            self.initial,
            phase,
            splitting,
            noisy=config.backend not in ("aer", "statevector"),
        )
        guard_step_size(config, self.model, self.initial, phase, steps, splitting)
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

    def drive(self, controls: Sequence[SynapticState]) -> Drive:
        """Phases g0·∫r dt of every interval so far."""
        s = [c.phase for c in controls]
        g0 = self.config.g0
        return Drive(tuple(g0 * (b - a) for a, b in itertools.pairwise(s)), self.dt)

    def prepare(self, index: int, controls: Sequence[SynapticState]) -> Prepared:
        """The circuit of step ``index``."""
        assert self.source is not None
        drive = self.drive(controls)
        name = f"lmg-{self.config.evolution}"
        if self.config.evolution == "incremental":
            return self.source.step(drive, name)
        return self.source.prepare(drive, name)

    def at_phase(self, index: int, s: float) -> Prepared:
        """The circuit that reaches phase s in one go (``orbit``)."""
        assert self.source is not None
        return self.source.prepare(Drive((self.config.g0 * s,), max(s, 1e-300)), "lmg-orbit")

    def gate(self, prepared: Prepared, index: int) -> list[dict[str, Any]]:
        """Validate one circuit; the record's checks. Raises ``DispatchRefused``."""
        record = validate(
            prepared.logical,
            prepared.isa,
            self.sampler.target,
            expected=prepared.expected,
            observable=prepared.observable,
            exact_value=prepared.exact,
            max_trotter_error=self.config.max_trotter_error,
            name=prepared.name,
            step=index,
            start=prepared.start,
        )
        return list(record.to_dict()["checks"])

    def restore(self, record: Mapping[str, Any]) -> Measured:
        """A step from its journal line; the estimate follows from the counts again."""
        try:
            counts = {int(x): int(c) for x, c in record["counts"].items()}
            state = SynapticState(*(float(x) for x in record["control"]))
            order = tuple(int(x) for x in record["order"])
            estimate = self.estimate(counts, order)
            step = Step(record["step"], float(record["time"]), state, counts, estimate)
            return Measured(step, list(record["checks"]), order)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RunDirectoryError(
                f"steps.jsonl: step {record.get('step')} is not a record of this run: {error}"
            ) from None

    def measure(self, done: Sequence[Measured]) -> Iterator[Measured]:
        """The steps that are still missing, one at a time."""
        if self.config.evolution == "orbit":
            states = [SynapticState(1.0, self.start.utilisation, float(s)) for s in self.grid]
            prepared = [self.at_phase(k, state.phase) for k, state in enumerate(states)]
            batch = self._one_job(0, prepared, self.grid.tolist(), states, done)
            yield from batch[len(done) :]
        elif self.config.evolution == "relax":
            yield from self._measure_relax(list(done))
        else:
            yield from self._measure_loop(done)

    def _measure_loop(self, done: Sequence[Measured]) -> Iterator[Measured]:
        checks: dict[int, list[dict[str, Any]]] = {}
        order: tuple[int, ...] = ()

        def build(index: int, controls: Sequence[SynapticState]) -> QuantumCircuit:
            nonlocal order
            prepared = self.prepare(index, controls)
            checks[index] = self.gate(prepared, index)
            order = read_order(prepared.isa)
            return prepared.isa

        if self.config.evolution == "incremental":
            # the kept state is lost with the process: bring it back without measuring
            controls = [m.step.control for m in done]
            for k in range(len(done)):
                self.sampler.run([self.prepare(k, controls[: k + 1]).isa], shots=1)
        for step in hybrid_loop(
            times=self.times.tolist(),
            start=self.start,
            build=build,
            sampler=self.sampler,
            estimate=lambda counts: self.estimate(counts, order),
            law=SynapticLaw(self.synapse, self.config.feedback_order),
            shots=self.config.shots,
            done=[m.step for m in done],
        ):
            yield Measured(step, checks.pop(step.index), order)

    def _measure_relax(self, done: list[Measured]) -> Iterator[Measured]:
        """Waveform relaxation: whole trajectories, until r(t) agrees with itself."""
        size = self.times.size
        controls = predicted_controls(self.exact)
        for first in range(0, MOST_ROUNDS * size, size):
            prepared = [self.prepare(k, controls[: k + 1]) for k in range(size)]
            batch = self._one_job(first, prepared, self.times.tolist(), controls, done)
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
        prepared: Sequence[Prepared],
        times: Sequence[float],
        states: Sequence[SynapticState],
        done: Sequence[Measured],
    ) -> list[Measured]:
        """Steps first, first+1, … of circuits that go together, in one job.

        Where a kill has left a part of them in the journal, all are asked for again: a ledger
        finds the same job, and a simulator draws the same shots.
        """
        if len(done) >= first + len(prepared):
            return list(done[first : first + len(prepared)])
        circuits, checks = [], []
        for index, each in enumerate(prepared, start=first):
            checks.append(self.gate(each, index))
            each.isa.metadata = {"step": index}
            circuits.append(each.isa)
        results = self.sampler.run(circuits, shots=self.config.shots).result()
        batch = []
        for offset, pub in enumerate(results):
            counts, order = counts_of(pub), read_order(circuits[offset])
            estimate = self.estimate(counts, order)
            step = Step(first + offset, times[offset], states[offset], counts, estimate)
            batch.append(Measured(step, checks[offset], order))
        return batch

    @property
    def total(self) -> int:
        """How many circuits the whole run measures, at most."""
        if self.config.backend == "exact":
            return 0
        if self.config.evolution == "orbit":
            return self.grid.size
        rounds = MOST_ROUNDS if self.config.evolution == "relax" else 1
        return rounds * self.times.size


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
        from qbrain.experiments.estimate import guard_qpu_seconds

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


@contextmanager
def _progress(total: int, done: int) -> Iterator[Callable[[str], None]]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("measuring", total=total, completed=done)
        yield lambda text: bar.update(task, advance=1, description=text)


def _execute(experiment: Experiment, run: RunDirectory, began: float) -> dict[str, Any]:
    from qbrain.experiments.lmg_result import finish

    done = [experiment.restore(record) for record in run.steps()]
    if experiment.config.on_device:
        experiment.sampler.begin(run.record()["run"]["id"], str(run.path.resolve()))
    if experiment.config.backend != "exact":
        if len(done) > experiment.total:
            raise RunDirectoryError(
                f"{run.path}: wanted at most {experiment.total} steps, got {len(done)}"
            )
        try:
            with _progress(experiment.total, len(done)) as tick:
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
