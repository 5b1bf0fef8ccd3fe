"""IBM Quantum devices as one more sampler, over the genuine client.

Circuits come in over n qubits of a line that was cut from the device by the day's calibration,
as for a snapshot, and are put on the physical qubits of that line just before they are sent. A
run may use several lines; one job then holds the circuits of all.

Each job is written into the ledger before it is sent, carries a tag that names its run, step and
circuits, and is looked for by that tag before it would be sent again: a crash, a lost answer or a
resumed run never submits the same job twice. A token that the service takes no longer is replaced
by a fresh one.

Credentials are those that the client itself finds (saved account or environment); they are
neither read nor kept here.
"""

from __future__ import annotations

import copy
import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.primitives import BasePrimitiveJob, BaseSamplerV2, PrimitiveResult, SamplerPubResult
from qiskit.primitives.containers.sampler_pub import SamplerPub
from qiskit.transpiler import Target

from .errors import BackendError, DeviceFault
from .ibm_service import (
    client_errors,
    is_refused,
    is_transient,
    one_line,
    open_device,
    open_service,
    with_retries,
)
from .isa import first_illegal
from .ledger import JobRecord, Ledger
from .placements import places_on
from .sampling import Detail, metadata_number, placement_of
from .snapshot import assignment_errors, cut_target, line_costs

__all__ = ["MODES", "IBMSampler", "circuits_hash", "open_ibm_sampler"]

T = TypeVar("T")
MODES = ("auto", "session", "batch", "job")
TWIRLING = ("none", "gates", "readout", "both")
DECOUPLING = ("none", "XX", "XpXm", "XY4")
# how long a service that does not answer is asked again, seconds
PATIENCE = 300.0


def circuits_hash(circuits: Sequence[QuantumCircuit], shots: int) -> str:
    """SHA-256 of what is sent: gates, angles to the last bit, qubits, classical bits, shots.

    The ``stream`` of a circuit is part of it: the same circuits of another stream are another job.
    """
    digest = hashlib.sha256(f"{shots}".encode())
    for circuit in circuits:
        digest.update(f"|{circuit.num_qubits},{circuit.num_clbits}".encode())
        if stream := metadata_number(circuit, "stream"):
            digest.update(f"~{stream}".encode())
        for step in circuit.data:
            qubits = [circuit.find_bit(q).index for q in step.qubits]
            clbits = [circuit.find_bit(c).index for c in step.clbits]
            angles = [float(p).hex() for p in step.params]
            digest.update(f";{step.name}{angles}{qubits}{clbits}".encode())
    return digest.hexdigest()


def open_ibm_sampler(
    name: str,
    *,
    qubits: int,
    mode: str = "auto",
    twirling: str = "none",
    decoupling: str = "none",
    placements: int = 1,
    places: Sequence[Sequence[int]] | None = None,
    fractional: bool = False,
    ledger: Ledger | None = None,
    patience: float = PATIENCE,
) -> IBMSampler:
    """Open a device on ``placements`` lines that share no qubit, cheapest first.

    ``places`` repeats the lines of an earlier part of the same run instead. ``twirling``: random
    Paulis around two-qubit gates (``gates``), random flips before reading (``readout``), ``both``
    or ``none``. ``decoupling``: the sequence put where qubits wait. ``fractional``: with ``rx``
    and, at angles in [0, π/2], ``rzz``, on lines on which every edge has one that works.

    Raises:
        BackendError: no account, no such device, fewer lines of so many qubits, a bad option, a
            device without fractional gates, or fractional gates that are to be twirled.
        DeviceFault: the service does not answer.
    """
    if mode not in MODES:
        raise BackendError(f"mode: wanted one of {', '.join(MODES)}, got {mode!r}")
    if twirling not in TWIRLING:
        raise BackendError(f"twirling: wanted one of {', '.join(TWIRLING)}, got {twirling!r}")
    if decoupling not in DECOUPLING:
        raise BackendError(f"decoupling: wanted one of {', '.join(DECOUPLING)}, got {decoupling!r}")
    if isinstance(placements, bool) or not isinstance(placements, int) or placements < 1:
        raise BackendError(f"placements: wanted an integer >= 1, got {placements!r}")
    if fractional and twirling in ("gates", "both"):
        # the client twirls by all Paulis, of which only half pass through an rzz
        raise BackendError(
            f"twirling: wanted none or readout with fractional gates, got {twirling!r}"
        )
    service = open_service()
    known = with_retries("IBM Quantum", lambda: [b.name for b in service.backends()], 30.0)
    if name not in known:
        raise BackendError(
            f"backend: wanted a device of the account ({', '.join(known)}), got {name!r}"
        )
    return IBMSampler(
        service,
        open_device(service, name, fractional),
        qubits,
        placements=placements,
        places=places,
        fractional=fractional,
        mode=mode,
        options=sampler_options(twirling, decoupling),
        ledger=ledger,
        patience=patience,
    )


def sampler_options(twirling: str, decoupling: str) -> dict[str, Any]:
    """The client's options for what :func:`open_ibm_sampler` calls twirling and decoupling."""
    options: dict[str, Any] = {
        "twirling": {
            "enable_gates": twirling in ("gates", "both"),
            "enable_measure": twirling in ("readout", "both"),
        }
    }
    if decoupling != "none":
        options["dynamical_decoupling"] = {"enable": True, "sequence_type": decoupling}
    return options


class IBMSampler(BaseSamplerV2):
    """A device cut to its best lines of n qubits.

    A circuit runs on the line that its ``metadata["placement"]`` names, the first where it names
    none.

    Attributes:
        name: the device's name.
        places: physical qubits of each line.
        targets: of each line, over exactly its qubits, as calibrated today.
        readouts: of each line: (qubits, 2) of [p(1|0), p(0|1)] as calibrated.
        details: device, calibration, physical qubits, mode.
        submits: circuits leave this machine, so what is sent must be on disk before.
        noisy: circuits meet a device's errors.
    """

    submits = True
    noisy = True

    def __init__(
        self,
        service: Any,
        device: Any,
        qubits: int,
        *,
        placements: int = 1,
        places: Sequence[Sequence[int]] | None = None,
        fractional: bool = False,
        mode: str = "auto",
        options: dict[str, Any] | None = None,
        ledger: Ledger | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self._options = options or {}
        self.name = str(device.name)
        self._service, self._device = service, device
        self._fractional = fractional
        self._mode_wanted, self._mode_name = mode, mode
        self._mode: Any = None
        self._patience = patience
        self._ledger = Ledger() if ledger is None else ledger
        self._run, self._directory = "", ""
        properties = with_retries(self.name, device.properties, 30.0)
        target = device.target
        errors = assignment_errors(properties, target)
        if places is None:
            costs = line_costs(target, errors, qubits, fractional=fractional)
            if fractional and qubits > 1 and not costs.edge:
                raise BackendError(
                    f"fractional: wanted a device with rzz, got {self.name}, where no edge has one "
                    "that is calibrated"
                )
            places = [line.qubits for line in places_on(costs, self.name, qubits, placements)]
        self.places = _checked_places(places, placements, qubits, target.num_qubits)
        self._device_qubits = int(target.num_qubits)
        self.targets: tuple[Target, ...] = tuple(cut_target(target, line) for line in self.places)
        self.readouts = tuple(errors[list(line)] for line in self.places)
        self._calibration = properties.last_update_date.isoformat()
        self.details: dict[str, Detail] = {
            "backend": self.name,
            "device": self.name,
            "calibration": self._calibration,
            "physical_qubits": list(self.places[0]),
            "layout": "line",
            "mode": mode,
        }
        if len(self.places) > 1:
            self.details["placements"] = [list(line) for line in self.places]

    @property
    def placements(self) -> int:
        """Number of lines."""
        return len(self.places)

    @property
    def target(self) -> Target:
        """Target of the first line."""
        return self.targets[0]

    @property
    def readout(self) -> NDArray[np.float64]:
        """Readout errors of the first line."""
        return self.readouts[0]

    def begin(self, run: str, directory: str) -> None:
        """Say whose jobs follow: the run's id and its folder, for the ledger and the tags."""
        self._run, self._directory = run, directory

    @property
    def mode(self) -> str:
        """The execution mode in use, once a job was sent; before that the one asked for."""
        return self._mode_name

    def placed(self, circuit: QuantumCircuit) -> QuantumCircuit:
        """The circuit on the device's own qubits.

        Raises:
            BackendError: for what the target cannot run, and for resets after readings where
                readings are twirled.
        """
        placement = placement_of(circuit, self.placements)
        line = self.places[placement]
        if circuit.num_qubits > len(line):
            raise BackendError(
                f"circuit {circuit.name}: wanted at most {len(line)} qubits on {self.name}, "
                f"got {circuit.num_qubits}"
            )
        illegal = first_illegal(circuit, self.targets[placement])
        if illegal is not None:
            raise BackendError(f"circuit {circuit.name} on {self.name}: {illegal}")
        if self._options.get("twirling", {}).get("enable_measure") and _resets_what_was_read(
            circuit
        ):
            # the client cannot take a random flip past a reset
            raise BackendError(
                f"twirling: wanted none or gates for circuit {circuit.name}, which resets qubits "
                "after reading them, got readings twirled"
            )
        whole = QuantumCircuit(self._device_qubits, name=circuit.name)
        for register in circuit.cregs:
            whole.add_register(register)
        whole.compose(
            circuit,
            qubits=list(line[: circuit.num_qubits]),
            clbits=list(range(circuit.num_clbits)),
            inplace=True,
        )
        whole.metadata = dict(circuit.metadata or {})
        return whole

    def run(self, pubs: Iterable[Any], *, shots: int | None = None) -> LedgerJob:
        """Send all pubs as one job, or find the job if it was sent before.

        Raises:
            BackendError: for what the target cannot run, a ``step`` or ``stream`` that is no
                integer >= 0, a ``placement`` that there is not, and a bad number of shots.
            DeviceFault: if the service does not take the job.
        """
        wanted = 4096 if shots is None else shots
        if isinstance(wanted, bool) or not isinstance(wanted, int | np.integer) or wanted < 1:
            raise BackendError(f"shots: wanted an integer >= 1, got {wanted!r}")
        circuits = []
        for pub in (SamplerPub.coerce(pub, int(wanted)) for pub in pubs):
            if pub.circuit.parameters:
                raise BackendError(f"circuit {pub.circuit.name}: wanted numbers for all angles")
            circuits.append(self.placed(pub.circuit))
        step = metadata_number(circuits[0], "step") if circuits else 0
        content = circuits_hash(circuits, int(wanted))
        record = JobRecord(
            tag=f"qbrain-{self._run or 'loose'}-{step}-{content[:16]}",
            run=self._run,
            step=step,
            circuits=content,
            backend=self.name,
            calibration=self._calibration,
            shots=int(wanted),
            directory=self._directory,
        )
        return LedgerJob(self, record, self._find_or_send(record, circuits))

    def _find_or_send(self, record: JobRecord, circuits: list[QuantumCircuit]) -> Any:
        before = self._ledger.get(record.tag)
        if before is None:
            self._ledger.intend(record)
        else:
            found = self._find(before)
            if found is not None:
                return found
            self._ledger.renew(record.tag)
        return self._send(record, circuits)

    def _find(self, record: JobRecord) -> Any | None:
        """The job of this tag, if the service has it and it has not failed."""

        def look() -> Any | None:
            jobs = (
                [self._service.job(record.job)]
                if record.job
                else self._service.jobs(job_tags=[record.tag], limit=20)
            )
            return next((j for j in jobs if j.status() not in ("ERROR", "CANCELLED")), None)

        job = self.ask(self.name, look)
        if job is not None:
            self._ledger.update(record.tag, "submitted", job=job.job_id())
        return job

    def _send(self, record: JobRecord, circuits: list[QuantumCircuit]) -> Any:
        faults = client_errors()
        ends, pause = time.monotonic() + self._patience, 0.5
        renewed = False
        while True:
            try:
                sampler = self._primitive()
                sampler.options.environment.job_tags = [record.tag]
                job = sampler.run(circuits, shots=record.shots)
            except faults as error:
                renew = is_refused(error) and not renewed
                if renew:
                    self._renew()
                    renewed = True
                # the answer may have been lost on the way back, not the job on the way there
                found = self._find(record)
                if found is not None:
                    return found
                if renew:
                    continue
                if self._mode is not None and not is_refused(error):
                    self._mode = None  # a session that has closed: open another one
                elif time.monotonic() + pause > ends or not is_transient(error):
                    raise DeviceFault(
                        f"{self.name}: job of step {record.step} not taken: {one_line(error)}"
                    ) from error
                time.sleep(pause)
                pause = min(2 * pause, 10.0)
                continue
            self._ledger.update(record.tag, "submitted", job=job.job_id())
            self._cancel_doubles(record, job)
            return job

    def _cancel_doubles(self, record: JobRecord, job: Any) -> None:
        """The client itself sends again what was answered by a 5xx, taken or not: keep one."""
        with suppress(*client_errors()):
            for other in self._service.jobs(job_tags=[record.tag], limit=20):
                if other.job_id() != job.job_id():
                    other.cancel()

    def _primitive(self) -> Any:
        """The client-side sampler in the wanted mode; ``auto`` takes what the plan allows."""
        from qiskit_ibm_runtime import Batch, Session
        from qiskit_ibm_runtime.executor_sampler import Sampler

        if self._mode is None and self._mode_wanted != "job":
            tries = {"auto": (Session, Batch), "session": (Session,), "batch": (Batch,)}
            for kind in tries[self._mode_wanted]:
                try:
                    self._mode = kind(backend=self._device)
                except client_errors() as error:
                    if self._mode_wanted != "auto" or is_refused(error):
                        raise
                    self._mode_name = f"job ({one_line(error)})"
                else:
                    self._mode_name = kind.__name__.lower()
                    break
        if self._mode_wanted == "job":
            self._mode_name = "job"
        return Sampler(mode=self._mode or self._device, options=copy.deepcopy(self._options))

    def ask(self, what: str, call: Callable[[], T], patience: float | None = None) -> T:
        """Call the service as :func:`with_retries`; a refused token is replaced, once a call.

        Raises:
            DeviceFault: when patience is at its end, at once for what will not pass, and where the
                fresh token is refused too.
        """
        patience = self._patience if patience is None else patience
        try:
            return with_retries(what, call, patience)
        except DeviceFault as error:
            if not is_refused(error.__cause__):
                raise
        self._renew()
        return with_retries(what, call, patience)

    def _renew(self) -> None:
        """Open service, device and session anew; lines, targets and jobs stay what they are."""
        try:
            self._service = open_service()
            self._device = open_device(self._service, self.name, self._fractional)
        except (BackendError, DeviceFault) as error:
            raise DeviceFault(
                f"{self.name}: token refused, and no fresh one: {one_line(error)}"
            ) from error
        if self._mode is None:
            return
        mode, self._mode = self._mode, None
        # it is paid for as long as it is open
        with suppress(*client_errors()):
            self._mode = type(mode).from_id(
                mode.session_id, self._service, use_fractional_gates=self._fractional
            )

    def close(self) -> None:
        """Close the session or batch, if one is open; its jobs go on."""
        # where this fails, it closes by itself in time, and nothing of ours depends on it
        with suppress(DeviceFault):
            self.ask(self.name, lambda: self._mode.close() if self._mode is not None else None, 0.0)
        self._mode = None


def _resets_what_was_read(circuit: QuantumCircuit) -> bool:
    read = set()
    for step in circuit.data:
        if step.name == "measure":
            read.update(step.qubits)
        elif step.name == "reset" and not read.isdisjoint(step.qubits):
            return True
    return False


def _checked_places(
    places: Sequence[Sequence[int]], placements: int, qubits: int, size: int
) -> tuple[tuple[int, ...], ...]:
    """The lines of a run as numbers.

    Raises:
        BackendError: for another number of lines or qubits, a qubit twice, or one that there is
            not.
    """
    lines = tuple(tuple(int(qubit) for qubit in line) for line in places)
    used = [qubit for line in lines for qubit in line]
    if (
        len(lines) != placements
        or any(len(line) != qubits for line in lines)
        or len(set(used)) != len(used)
        or not all(0 <= qubit < size for qubit in used)
    ):
        raise BackendError(
            f"places: wanted {placements} lines of {qubits} different qubits below {size}, "
            f"got {[list(line) for line in lines]}"
        )
    return lines


class LedgerJob(BasePrimitiveJob[PrimitiveResult[SamplerPubResult], str]):
    """A job whose end is written into the ledger."""

    def __init__(self, sampler: IBMSampler, record: JobRecord, job: Any) -> None:
        super().__init__(job.job_id())
        self._sampler, self._record, self._job = sampler, record, job
        self._service = sampler._service

    def _ask(self, call: Callable[[Any], T]) -> T:
        """Ask the client's job, which is looked up again once the service was opened anew."""

        def asked() -> T:
            if self._service is not self._sampler._service:
                self._job = self._sampler._service.job(self.job_id())
                self._service = self._sampler._service
            return call(self._job)

        return self._sampler.ask(f"{self._sampler.name}: job {self.job_id()}", asked)

    def result(self) -> PrimitiveResult[SamplerPubResult]:
        """Wait for the job and return its result.

        Raises:
            DeviceFault: if it failed or was cancelled, or the service stopped answering.
        """
        ledger = self._sampler._ledger
        while (status := self.status()) not in ("DONE", "ERROR", "CANCELLED"):
            time.sleep(0.2)
        if status != "DONE":
            ledger.update(self._record.tag, {"ERROR": "failed"}.get(status, "cancelled"))
            reason = self._ask(lambda job: job.error_message())
            where = f"{self._sampler.name}: job {self.job_id()}"
            raise DeviceFault(f"{where} {status.lower()}: {one_line(Exception(reason or ''))}")
        result: PrimitiveResult[SamplerPubResult] = self._ask(lambda job: job.result())
        usage = self._ask(lambda job: job.usage())
        ledger.update(self._record.tag, "done", usage=float(usage or 0.0))
        return result

    def status(self) -> str:
        """The service's word for the job's state."""
        return str(self._ask(lambda job: job.status()))

    def done(self) -> bool:
        """Whether the job ended well."""
        return self.status() == "DONE"

    def running(self) -> bool:
        """Whether the job is running now."""
        return self.status() == "RUNNING"

    def cancelled(self) -> bool:
        """Whether the job was cancelled."""
        return self.status() == "CANCELLED"

    def in_final_state(self) -> bool:
        """Whether nothing more will happen to the job."""
        return self.status() in ("DONE", "CANCELLED", "ERROR")

    def cancel(self) -> None:
        """Cancel it.

        Raises:
            DeviceFault: if the service does not cancel it (it may have ended), or does not answer.
        """
        self._ask(lambda job: job.cancel())
        self._sampler._ledger.update(self._record.tag, "cancelled")
