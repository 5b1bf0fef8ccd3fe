"""From a protocol to its measurement: build, check, send, count, journal, and all again on resume.

A job that is not in the journal is compiled, checked and sent; what a device is sent lies in the
folder before it goes, so that a resumed run sends the very same circuits without compiling again. A
job in the journal is replayed: its readings go into the generator and nothing is built.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import partial
from itertools import islice
from typing import Any, Generic, TypeVar

import numpy as np
from qiskit import QuantumCircuit
from qiskit.primitives import SamplerPubResult

from qbrain.backends.compile import depth, to_isa, two_qubit_gates
from qbrain.backends.errors import DeviceFault
from qbrain.classical_feedback.loop import counts_of

from ..errors import RunDirectoryError, exit_code
from .check import check_task
from .config import BaseConfig
from .experiment import Bench, Experiment, Job, Protocol, Task
from .folder import RunDirectory
from .guard import Budget
from .progress import progress, tell
from .readings import Heading, Reading, counts_of_bits
from .sampler import RunSampler, keeps_state, submits
from .sent import FolderTicket

__all__ = ["Dispatcher", "compiled", "heading_of"]

M = TypeVar("M")
# what reading a line of another run's journal may raise
_FOREIGN = (KeyError, TypeError, ValueError, AttributeError, IndexError)


class Dispatcher(Generic[M]):
    """Runs an experiment's protocol in a folder.

    Attributes:
        readings: of each job so far.
        keep: whether every shot is wanted in its order, of each circuit built last.
        measured: what the protocol returned, once :meth:`run` has.
    """

    measured: M

    def __init__(
        self,
        experiment: Experiment[Any, M],
        bench: Bench,
        sampler: RunSampler,
        folder: RunDirectory,
    ) -> None:
        self.experiment, self.bench, self.sampler, self.folder = experiment, bench, sampler, folder
        self.config: BaseConfig = experiment.config
        self.readings: list[list[Reading]] = []
        self.keep: list[bool] = []
        self._jobs: list[Job] = []
        self._circuits: dict[int, list[QuantumCircuit]] = {}
        self._made: dict[Hashable, tuple[QuantumCircuit, dict[str, Any]]] = {}

    def run(self) -> M:
        """Go on from the journal to the end.

        Raises:
            DispatchRefused: a circuit does not pass the check.
            RunDirectoryError: a journal that is not of this run.
            DeviceFault: the device gave nothing; what was measured before is in the journal.
        """
        journal = self.folder.steps()
        protocol = self.experiment.protocol()
        with progress(max(self.experiment.jobs, 1), len(journal)) as tick:
            job = next(protocol, None)
            while job is not None:
                number = len(self._jobs)
                self._jobs.append(job)
                if number < len(journal):
                    job = self._replay(protocol, number, journal[number])
                    continue
                found = self._measure(job, number)
                self.keep_readings(number, found)
                tick(job.note(found))
                job = self._send(protocol, found)
        if len(journal) > len(self._jobs):
            raise RunDirectoryError(
                f"{self.folder.path}: wanted at most {len(self._jobs)} jobs, got {len(journal)}"
            )
        return self.measured

    def keep_readings(self, number: int, found: list[Reading]) -> None:
        """Put a job's readings into the journal; on disk when this returns."""
        line = {"step": number, "readings": [reading.record() for reading in found]}
        self.folder.append_step(line)
        self.readings.append(found)

    def _send(self, protocol: Protocol[M], found: Sequence[Reading]) -> Job | None:
        try:
            return protocol.send(found)
        except StopIteration as stop:
            self.measured = stop.value
            return None

    def _replay(self, protocol: Protocol[M], number: int, line: Any) -> Job | None:
        try:
            found = [Reading.from_record(each) for each in line["readings"]]
            if not found:
                raise ValueError("wanted readings, got none")
            self.readings.append(found)
            if keeps_state(self.sampler):
                # the kept state was lost with the process: bring it back without measuring
                circuits = [isa for isa, _ in self.built(self._jobs[number], number)]
                self.sampler.run(circuits, shots=1).result()
            return self._send(protocol, found)
        except _FOREIGN as error:
            # errors of the rooms are subclasses, and say themselves what they are about
            if exit_code(error) is not None:
                raise
            raise RunDirectoryError(
                f"steps.jsonl: step {number} is not a record of this run: {error}"
            ) from None

    def _measure(self, job: Job, number: int) -> list[Reading]:
        shots = job.shots or self.config.shots
        sent = self.folder.sent(number)
        if sent is None:
            built = self.built(job, number)
            circuits, headings = [c for c, _ in built], [h for _, h in built]
            keep = self.keep
            sizes = [len(circuits)]
            if submits(self.sampler):
                sizes = self.sampler.facts.job_sizes(circuits, shots, twirled=self.config.twirled)
                self.folder.keep_sent(number, circuits, headings, keep, sizes)
        else:
            circuits, headings, keep, sizes = sent
        self._circuits[number] = circuits
        try:
            results = self._results(circuits, shots, number, sizes)
        except DeviceFault as error:
            error.step = number
            raise
        return [
            _reading(heading, pub, bits)
            for heading, pub, bits in zip(headings, results, keep, strict=True)
        ]

    def _results(
        self, circuits: list[QuantumCircuit], shots: int, number: int, sizes: Sequence[int]
    ) -> Any:
        if not submits(self.sampler):
            return self.sampler.run(circuits, shots=shots).result()
        rest = iter(circuits)
        parts = [list(islice(rest, size)) for size in sizes]
        budget = Budget(self.config, self.folder, self.sampler.facts, number, parts, shots)
        if len(parts) > 1:
            tell(f"step {number}: {len(circuits)} circuits are sent in {len(parts)} jobs")
        # all are in the queue before the first is waited for
        jobs = [
            self.sampler.submit(
                each,
                shots,
                number,
                FolderTicket(self.folder, number, part),
                part=part,
                allow=partial(budget.allow, part),
            )
            for part, each in enumerate(parts)
        ]
        return [pub for job in jobs for pub in job.result()]

    def built(self, job: Job, number: int) -> list[tuple[QuantumCircuit, Heading]]:
        """Circuits of a job, compiled, checked and labelled for the sampler."""
        found: list[tuple[QuantumCircuit, Heading]] = []
        streams: dict[int, int] = {}
        tasks = job.tasks()
        self.keep = [task.keep == "shots" for task in tasks]
        for task in tasks:
            step = number if task.step is None else task.step
            stream = streams[step] = streams.get(step, -1) + 1
            isa, check = self._admitted(task, step)
            # one circuit object may serve several steps
            circuit = isa.copy()
            place = task.role.placement
            circuit.metadata = {"step": step, "stream": stream, "placement": place}
            found.append((circuit, heading_of(task, isa, check)))
        return found

    def _admitted(self, task: Task, step: int) -> tuple[QuantumCircuit, dict[str, Any]]:
        if task.key is not None and task.key in self._made:
            return self._made[task.key]
        target = self.bench.targets[task.role.placement]
        isa = compiled(task, self.bench)
        where = f", placement {task.role.placement}" if len(self.bench.targets) > 1 else ""
        check = check_task(
            task,
            isa,
            target,
            name=(task.name or task.circuit.name) + where,
            step=step,
            method=self.config.validation.replace("-", "_"),
        )
        if task.key is not None:
            self._made[task.key] = isa, check
        return isa, check

    def keep_circuits(self, number: int, circuits: list[QuantumCircuit]) -> None:
        """Take note of a job that was sent by other means."""
        self._circuits[number] = circuits

    def circuits(self) -> list[QuantumCircuit]:
        """The circuits of the run, as the experiment wants them kept; each of a key once."""
        numbers = list(range(len(self.readings)))
        if self.experiment.circuits_kept == "last":
            numbers = numbers[-1:]
        found: list[QuantumCircuit] = []
        for number in numbers:
            if number in self._circuits:
                found += self._circuits[number]
            elif (sent := self.folder.sent(number)) is not None:
                found += sent.circuits
            else:
                # an earlier process made them; nothing here is sent, so nothing is checked again
                found += [compiled(task, self.bench) for task in self._jobs[number].tasks()]
        return _distinct(found)


def compiled(task: Task, bench: Bench) -> QuantumCircuit:
    """The task's circuit in the gates of its placement's target."""
    if task.isa is not None:
        return task.isa
    return to_isa(task.circuit, bench.targets[task.role.placement])


def heading_of(task: Task, isa: QuantumCircuit, check: dict[str, Any]) -> Heading:
    """What is known of a circuit before it is sent."""
    return Heading(
        task.role,
        _order(isa),
        two_qubit_gates(isa),
        depth(isa),
        check,
        task.exact,
        task.tags,
    )


def _order(isa: QuantumCircuit) -> tuple[int, ...]:
    """The qubit that is read into each classical bit."""
    read = {
        isa.find_bit(step.clbits[0]).index: isa.find_bit(step.qubits[0]).index
        for step in isa.data
        if step.name == "measure"
    }
    return tuple(read[bit] for bit in sorted(read))


def _reading(heading: Heading, pub: SamplerPubResult, bits: bool) -> Reading:
    if not bits:
        return Reading(heading, counts_of(pub))
    registers = list(pub.data.values())
    if len(registers) != 1:
        raise ValueError(f"circuit: wanted one classical register, got {len(registers)}")
    shots = np.asarray(registers[0].to_bool_array(order="little"), dtype=np.uint8)
    return Reading(heading, counts_of_bits(shots), shots)


def _distinct(circuits: Sequence[QuantumCircuit]) -> list[QuantumCircuit]:
    """The first of those that are the same but for their metadata, the labels for the sampler.

    Without these: a resumed run recompiles what an earlier process has sent.
    """
    found: dict[str, QuantumCircuit] = {}
    for circuit in circuits:
        text = ";".join(
            f"{step.name}{[str(p) for p in step.params]}"
            f"{[circuit.find_bit(q).index for q in step.qubits]}"
            f"{[circuit.find_bit(c).index for c in step.clbits]}"
            for step in circuit.data
        )
        found.setdefault(text, circuit)
    plain = [circuit.copy() for circuit in found.values()]
    for circuit in plain:
        circuit.metadata = {}
    return plain
