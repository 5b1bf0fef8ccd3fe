"""IBM Quantum devices as one more sampler, over the genuine client.

Circuits come in over n qubits of a line that was cut from the device by the day's calibration,
as for a snapshot, and are put on the physical qubits of that line just before they are sent. Each
job is written into the ledger before it is sent, carries a tag that names its run, step and
circuits, and is looked for by that tag before it would be sent again: a crash, a lost answer or a
resumed run never submits the same job twice.

Credentials are those that the client itself finds (saved account or environment); they are
neither read nor kept here.
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import numpy as np
from qiskit import QuantumCircuit
from qiskit.primitives import BasePrimitiveJob, BaseSamplerV2, PrimitiveResult
from qiskit.primitives.containers.sampler_pub import SamplerPub

from qbrain.backends.errors import BackendError, DeviceFault
from qbrain.backends.isa import first_illegal
from qbrain.backends.ledger import JobRecord, Ledger
from qbrain.backends.line import best_line
from qbrain.backends.sampling import Detail
from qbrain.backends.snapshot import assignment_errors, cut_target, line_costs

__all__ = ["MODES", "IBMSampler", "cancel_job", "circuits_hash", "list_devices", "open_ibm_sampler"]

T = TypeVar("T")
MODES = ("auto", "session", "batch", "job")
TWIRLING = ("none", "gates", "readout", "both")
DECOUPLING = ("none", "XX", "XpXm", "XY4")
# how long a service that does not answer is asked again, seconds
PATIENCE = 300.0


def circuits_hash(circuits: Sequence[QuantumCircuit], shots: int) -> str:
    """SHA-256 of what is sent: gates, angles to the last bit, qubits, classical bits, shots."""
    digest = hashlib.sha256(f"{shots}".encode())
    for circuit in circuits:
        digest.update(f"|{circuit.num_qubits},{circuit.num_clbits}".encode())
        for step in circuit.data:
            qubits = [circuit.find_bit(q).index for q in step.qubits]
            clbits = [circuit.find_bit(c).index for c in step.clbits]
            angles = [float(p).hex() for p in step.params]
            digest.update(f";{step.name}{angles}{qubits}{clbits}".encode())
    return digest.hexdigest()


def _transient(error: Exception) -> bool:
    """Whether asking again may help: no answer, half an answer, 429 or 5xx."""
    from qiskit_ibm_runtime.exceptions import IBMInputValueError

    if isinstance(error, IBMInputValueError):
        return False
    status = getattr(error, "status_code", None)
    if status is None:
        # the client wraps some answers in an error that keeps only the words
        found = re.search(r"\b([45]\d\d) (?:Client|Server) Error", str(error))
        status = int(found[1]) if found else -1
    return bool(status in (-1, 408, 425, 429) or status >= 500)


def _client_errors() -> tuple[type[Exception], ...]:
    import requests
    from qiskit_ibm_runtime.api.exceptions import ApiError
    from qiskit_ibm_runtime.exceptions import IBMError

    # half an answer shows as JSON that does not decode
    return (IBMError, ApiError, requests.RequestException, ConnectionError, json.JSONDecodeError)


def _patiently(what: str, call: Callable[[], T], patience: float) -> T:
    """Call until it answers; transient faults are waited out for ``patience`` seconds.

    Raises:
        DeviceFault: when patience is at its end, or at once for what will not pass.
    """
    faults = _client_errors()
    ends, pause = time.monotonic() + patience, 0.2
    while True:
        try:
            return call()
        except faults as error:
            if time.monotonic() + pause > ends or not _transient(error):
                raise DeviceFault(f"{what}: {_one_line(error)}") from error
        time.sleep(pause)
        pause = min(2 * pause, 10.0)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


def open_service() -> Any:
    """The client's service, from the account that it finds itself.

    Raises:
        BackendError: where there is no account.
        DeviceFault: where the service does not answer.
    """
    from qiskit_ibm_runtime import QiskitRuntimeService
    from qiskit_ibm_runtime.accounts import AccountNotFoundError, InvalidAccountError

    def connect() -> Any:
        try:
            return QiskitRuntimeService()
        except (AccountNotFoundError, InvalidAccountError) as error:
            raise BackendError(
                "backend: an ibm_<device> needs an IBM Quantum account, saved by the client "
                f"(QiskitRuntimeService.save_account) or in QISKIT_IBM_TOKEN: {_one_line(error)}"
            ) from None

    return _patiently("IBM Quantum", connect, 30.0)


def list_devices(patience: float = 10.0) -> list[tuple[str, int, int]]:
    """Name, qubits and pending jobs of every device of the account.

    Raises:
        BackendError: where there is no account.
        DeviceFault: where the service does not answer.
    """
    service = open_service()
    devices = _patiently("IBM Quantum", service.backends, patience)
    return [
        (
            str(device.name),
            int(device.num_qubits),
            int(_patiently("IBM Quantum", device.status, patience).pending_jobs),
        )
        for device in devices
    ]


def open_ibm_sampler(
    name: str,
    *,
    qubits: int,
    place: Sequence[int] | None = None,
    mode: str = "auto",
    twirling: str = "none",
    decoupling: str = "none",
    ledger: Ledger | None = None,
    patience: float = PATIENCE,
) -> IBMSampler:
    """Open a device; ``place`` repeats the physical qubits of an earlier part of the same run.

    ``twirling``: random Paulis around two-qubit gates (``gates``), random flips before reading
    (``readout``), ``both`` or ``none``. ``decoupling``: the sequence put where qubits wait.

    Raises:
        BackendError: no account, no such device, more qubits than it has in a line, a bad option.
        DeviceFault: the service does not answer.
    """
    if mode not in MODES:
        raise BackendError(f"mode: wanted one of {', '.join(MODES)}, got {mode!r}")
    if twirling not in TWIRLING:
        raise BackendError(f"twirling: wanted one of {', '.join(TWIRLING)}, got {twirling!r}")
    if decoupling not in DECOUPLING:
        raise BackendError(f"decoupling: wanted one of {', '.join(DECOUPLING)}, got {decoupling!r}")
    service = open_service()
    known = _patiently("IBM Quantum", lambda: [b.name for b in service.backends()], 30.0)
    if name not in known:
        raise BackendError(
            f"backend: wanted a device of the account ({', '.join(known)}), got {name!r}"
        )
    device = _patiently(name, lambda: service.backend(name), 30.0)
    return IBMSampler(
        service,
        device,
        qubits,
        place=place,
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


def cancel_job(job: str, ledger: Ledger | None = None) -> None:
    """Cancel a job of the ledger by the service's id.

    Raises:
        BackendError: if the ledger does not know the job.
        DeviceFault: if the service does not cancel it (it may have ended), or does not answer.
    """
    ledger = Ledger() if ledger is None else ledger
    record = next((r for r in ledger.jobs() if r.job == job), None)
    if record is None:
        raise BackendError(f"job: wanted an id from the ledger, got {job!r}")
    service = open_service()
    _patiently(f"job {job}", lambda: service.job(job).cancel(), 30.0)
    ledger.update(record.tag, "cancelled")


class IBMSampler(BaseSamplerV2):  # type: ignore[misc]
    """A device cut to its best line of n qubits.

    Attributes:
        name: the device's name.
        target: over exactly the qubits in use, as calibrated today.
        details: device, calibration, physical qubits, mode.
        readout: (qubits, 2) of [p(1|0), p(0|1)] as calibrated.
    """

    def __init__(
        self,
        service: Any,
        device: Any,
        qubits: int,
        *,
        place: Sequence[int] | None = None,
        mode: str = "auto",
        options: dict[str, Any] | None = None,
        ledger: Ledger | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self._options = options or {}
        self.name = str(device.name)
        self._service, self._device = service, device
        self._mode_wanted, self._mode, self._mode_name = mode, None, mode
        self._patience = patience
        self._ledger = Ledger() if ledger is None else ledger
        self._run, self._directory = "", ""
        properties = _patiently(self.name, device.properties, 30.0)
        target = device.target
        errors = assignment_errors(properties, target)
        if place is None:
            found = best_line(line_costs(target, errors, qubits), qubits)
            if found is None:
                raise BackendError(f"qubits: wanted a line of {qubits} on {self.name}, found none")
            place = found.qubits
        self.place = tuple(int(q) for q in place)
        self.target = cut_target(target, self.place)
        self.readout = errors[list(self.place)]
        self._calibration = properties.last_update_date.isoformat()
        self.details: dict[str, Detail] = {
            "backend": self.name,
            "device": self.name,
            "calibration": self._calibration,
            "physical_qubits": list(self.place),
            "layout": "line",
            "mode": mode,
        }

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
            BackendError: for what the target cannot run.
        """
        illegal = first_illegal(circuit, self.target)
        if illegal is not None:
            raise BackendError(f"circuit {circuit.name} on {self.name}: {illegal}")
        whole = QuantumCircuit(self._device.target.num_qubits, name=circuit.name)
        for register in circuit.cregs:
            whole.add_register(register)
        whole.compose(
            circuit, qubits=list(self.place), clbits=list(range(circuit.num_clbits)), inplace=True
        )
        whole.metadata = dict(circuit.metadata or {})
        return whole

    def run(self, pubs: Iterable[Any], *, shots: int | None = None) -> LedgerJob:
        """Send all pubs as one job, or find the job if it was sent before.

        Raises:
            BackendError: for what the target cannot run, and for a bad number of shots.
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
        step = int((circuits[0].metadata or {}).get("step", 0)) if circuits else 0
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
        jobs = _patiently(
            self.name,
            lambda: (
                [self._service.job(record.job)]
                if record.job
                else self._service.jobs(job_tags=[record.tag], limit=20)
            ),
            self._patience,
        )
        for job in jobs:
            status = str(_patiently(self.name, job.status, self._patience))
            if status not in ("ERROR", "CANCELLED"):
                self._ledger.update(record.tag, "submitted", job=job.job_id())
                return job
        return None

    def _send(self, record: JobRecord, circuits: list[QuantumCircuit]) -> Any:
        faults = _client_errors()
        ends, pause = time.monotonic() + self._patience, 0.5
        while True:
            try:
                sampler = self._primitive()
                sampler.options.environment.job_tags = [record.tag]
                job = sampler.run(circuits, shots=record.shots)
            except faults as error:
                # the answer may have been lost on the way back, not the job on the way there
                found = self._find(record)
                if found is not None:
                    return found
                if self._mode is not None:
                    self._mode = None  # a session that has closed: open another one
                elif time.monotonic() + pause > ends or not _transient(error):
                    raise DeviceFault(
                        f"{self.name}: job of step {record.step} not taken: {_one_line(error)}"
                    ) from error
                time.sleep(pause)
                pause = min(2 * pause, 10.0)
                continue
            self._ledger.update(record.tag, "submitted", job=job.job_id())
            self._cancel_doubles(record, job)
            return job

    def _cancel_doubles(self, record: JobRecord, job: Any) -> None:
        """The client itself sends again what was answered by a 5xx, taken or not: keep one."""
        with suppress(*_client_errors()):
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
                except _client_errors() as error:
                    if self._mode_wanted != "auto":
                        raise
                    self._mode_name = f"job ({_one_line(error)})"
                else:
                    self._mode_name = kind.__name__.lower()
                    break
        if self._mode_wanted == "job":
            self._mode_name = "job"
        return Sampler(mode=self._mode or self._device, options=copy.deepcopy(self._options))

    def close(self) -> None:
        """Close the session or batch, if one is open; its jobs go on."""
        if self._mode is not None:
            try:
                self._mode.close()
            except _client_errors():
                return  # it closes by itself in time, and nothing of ours depends on it
            finally:
                self._mode = None


class LedgerJob(BasePrimitiveJob[PrimitiveResult, str]):  # type: ignore[misc]
    """A job whose end is written into the ledger."""

    def __init__(self, sampler: IBMSampler, record: JobRecord, job: Any) -> None:
        super().__init__(job.job_id())
        self._sampler, self._record, self._job = sampler, record, job

    def result(self) -> PrimitiveResult:
        """Wait for the job and return its result.

        Raises:
            DeviceFault: if it failed or was cancelled, or the service stopped answering.
        """
        patience, ledger = self._sampler._patience, self._sampler._ledger
        where = f"{self._sampler.name}: job {self.job_id()}"
        while (status := str(_patiently(where, self._job.status, patience))) not in (
            "DONE",
            "ERROR",
            "CANCELLED",
        ):
            time.sleep(0.2)
        if status != "DONE":
            ledger.update(self._record.tag, {"ERROR": "failed"}.get(status, "cancelled"))
            reason = _patiently(where, self._job.error_message, patience)
            raise DeviceFault(f"{where} {status.lower()}: {_one_line(Exception(reason or ''))}")
        result = _patiently(where, self._job.result, patience)
        usage = _patiently(where, self._job.usage, patience)
        ledger.update(self._record.tag, "done", usage=float(usage or 0.0))
        return result

    def status(self) -> str:
        """The service's word for the job's state."""
        return str(_patiently(self._sampler.name, self._job.status, self._sampler._patience))

    def done(self) -> bool:
        """Whether it ended well."""
        return self.status() == "DONE"

    def running(self) -> bool:
        """Whether it is running now."""
        return self.status() == "RUNNING"

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self.status() == "CANCELLED"

    def in_final_state(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.status() in ("DONE", "CANCELLED", "ERROR")

    def cancel(self) -> None:
        """Cancel it."""
        self._job.cancel()
        self._sampler._ledger.update(self._record.tag, "cancelled")
