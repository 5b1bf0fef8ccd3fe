"""IBM Quantum devices as one more sampler, over the genuine client.

Circuits come in over n qubits of a chain that was cut from the device by the day's calibration, as
for a snapshot, and are put on the physical qubits of that chain just before they are sent. A run
may use several chains; one job then holds the circuits of all.

A job is written into the ledger, and into the run's folder, before it is sent. It carries a tag
that names its run and its place in it; it is looked for by its id, else by that tag, before it
would be sent again. A crash, a lost answer or a resumed run never submits the same job twice. Of a
job that was sent nothing else is needed, neither the device nor its calibration.

Credentials are those that the client itself finds (saved account or environment); they are neither
read nor kept here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import ClassicalRegister, QuantumCircuit
from qiskit.primitives import BaseSamplerV2
from qiskit.primitives.containers.sampler_pub import SamplerPub
from qiskit.transpiler import Target

from .errors import BackendError, DeviceFault
from .feed_forward import angles_in_full, flattened
from .ibm_answer import LABEL, Wanted, wanted_of
from .ibm_connection import Connection, open_device
from .ibm_device import DeviceFacts
from .ibm_job import LedgerJob
from .ibm_options import MODES, check_options, sampler_options
from .ibm_policy import one_line
from .ibm_service import IBMService
from .ibm_submission import Submission
from .ibm_ticket import Allowance, LooseTicket, TicketStore
from .isa import first_illegal
from .ledger import JobRecord, Ledger
from .sampling import Detail, metadata_number, placement_of

__all__ = ["MODES", "IBMSampler", "circuits_hash", "open_ibm_sampler", "reopen_ibm_sampler"]


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
            angles = angles_in_full(step, circuit)
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
    account: str | None = None,
    instance: str | None = None,
    ledger: Ledger | None = None,
    patience: float | None = None,
) -> IBMSampler:
    """Open a device on ``placements`` chains that share no qubit, cheapest first.

    ``places`` repeats the chains of an earlier part of the same run instead. ``twirling``: random
    Paulis around two-qubit gates (``gates``), random flips before reading (``readout``), ``both``
    or ``none``. ``decoupling``: the sequence put where qubits wait. ``fractional``: with ``rx``
    and, at angles in [0, π/2], ``rzz``, on chains on which every edge has one that works.
    ``account``, ``instance``: a saved account by its name and an instance by its name or CRN, what
    the client takes by itself if None. ``patience``: seconds for which the service is asked again.

    Raises:
        BackendError: no account, no such device, fewer chains of so many qubits, a bad option, a
            device without fractional gates, or fractional gates that are to be twirled.
        DeviceFault: the service does not answer, or a calibration that cannot be read.
    """
    check_options(mode, twirling, decoupling, fractional)
    if isinstance(placements, bool) or not isinstance(placements, int) or placements < 1:
        raise BackendError(f"placements: wanted an integer >= 1, got {placements!r}")
    # a ledger that cannot be written is told before anybody waits for the service
    ledger = Ledger() if ledger is None else ledger
    service = IBMService(account, instance, patience=patience)
    device, facts = open_device(
        service, name, qubits, placements=placements, places=places, fractional=fractional
    )
    origin = {"service": service.url, "instance": str(getattr(device, "_instance", "") or "")}
    facts = _with_details(facts, mode, {name: text for name, text in origin.items() if text})
    return IBMSampler(
        facts,
        service=service,
        device=device,
        mode=mode,
        options=sampler_options(twirling, decoupling),
        ledger=ledger,
        account=account,
        instance=instance,
    )


def reopen_ibm_sampler(
    facts: DeviceFacts,
    *,
    mode: str = "auto",
    twirling: str = "none",
    decoupling: str = "none",
    account: str | None = None,
    instance: str | None = None,
    ledger: Ledger | None = None,
    patience: float | None = None,
) -> IBMSampler:
    """The sampler of a run that goes on, from what its folder says of the device.

    Nothing is asked of the service before a job is looked for or sent, and the device itself is
    not asked for before a job is sent.

    Raises:
        BackendError: a bad option.
    """
    check_options(mode, twirling, decoupling, facts.fractional)
    return IBMSampler(
        facts,
        service=lambda: IBMService(account, instance, patience=patience),
        mode=mode,
        options=sampler_options(twirling, decoupling),
        ledger=ledger,
        account=account,
        instance=instance,
    )


def _with_details(facts: DeviceFacts, mode: str, origin: Mapping[str, Detail]) -> DeviceFacts:
    details: dict[str, Detail] = {
        **origin,
        "backend": facts.name,
        "device": facts.name,
        "calibration": facts.calibration,
        "physical_qubits": list(facts.places[0]),
        "layout": "line",
        "mode": mode,
    }
    if len(facts.places) > 1:
        details["placements"] = [list(place) for place in facts.places]
    return replace(facts, details=details | facts.details)


class IBMSampler(BaseSamplerV2):
    """A device cut to its best chains of n qubits.

    A circuit runs on the chain that its ``metadata["placement"]`` names, the first where it names
    none.

    Attributes:
        facts: what is known of the device.
        name: the device's name.
        places: physical qubits of each chain.
        targets: of each chain, over exactly its qubits, as calibrated when the run began.
        readouts: of each chain: (qubits, 2) of [p(1|0), p(0|1)] as calibrated.
        details: device, calibration, physical qubits, mode.
        submits: circuits leave this machine, so what is sent must be on disk before.
        noisy: circuits meet a device's errors.
        tell: is told in a line what a job is waiting for.
        most_seconds: of quantum time, after which the service is to end a job of :meth:`run`; no
            such limit if None.

    ``account`` and ``instance`` are what the service was opened with, for the ledger.
    """

    submits = True
    noisy = True

    def __init__(
        self,
        facts: DeviceFacts,
        *,
        service: IBMService | Callable[[], IBMService],
        device: Any = None,
        mode: str = "auto",
        options: dict[str, Any] | None = None,
        ledger: Ledger | None = None,
        account: str | None = None,
        instance: str | None = None,
    ) -> None:
        self.facts = facts
        self.name = facts.name
        self.places, self.targets, self.readouts = facts.places, facts.targets, facts.readouts
        self.details = dict(facts.details)
        self.tell: Callable[[str], None] = lambda text: None
        self._connection = Connection(facts, service, device, mode)
        self._options = options or {}
        self._given_ledger = ledger
        self._account, self._instance = account or "", instance or ""
        self._run, self._directory = "", ""
        self._fresh, self.sends = True, True
        self._usage_known = True
        self.most_seconds: int | None = None

    @property
    def service(self) -> IBMService:
        """The account; opened when it is first asked for."""
        return self._connection.service

    @property
    def ledger(self) -> Ledger:
        """The job ledger; opened when it is first asked for."""
        if self._given_ledger is None:
            self._given_ledger = Ledger()
        return self._given_ledger

    @property
    def placements(self) -> int:
        """Number of chains."""
        return len(self.places)

    @property
    def target(self) -> Target:
        """Target of the first chain."""
        return self.targets[0]

    @property
    def readout(self) -> NDArray[np.float64]:
        """Readout errors of the first chain."""
        return self.readouts[0]

    def begin(
        self,
        run: str,
        directory: str,
        *,
        fresh: bool = True,
        loops: bool = True,
        sends: bool = True,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        """Say whose jobs follow.

        Args:
            run: the run's id, for the ledger and the tags.
            directory: its folder, for the ledger.
            fresh: whether nobody can have sent a job of this run before.
            loops: whether the run sends one job after the other; mode ``auto`` opens a session for
                these only.
            sends: whether jobs may be sent; else those that were are collected.
            tell: is told in a line what a job is waiting for.
        """
        self._run, self._directory = run, directory
        self._fresh, self.sends = fresh, sends
        self._connection.loops = loops
        if tell is not None:
            self.tell = tell

    @property
    def mode(self) -> str:
        """The execution mode in use, once a job was sent; before that the one asked for."""
        return self._connection.mode_name

    def standing(self) -> dict[str, Any]:
        """What the service says of the device and of the account before anything is sent.

        ``device_state``: ``active``, or the service's word for why it runs no jobs now;
        ``pending_jobs``: of everybody; ``usage_left_seconds``: of the instance. None is not known.
        """
        try:
            pending, state = self.service.device_state(self.name)
        except DeviceFault as error:
            pending, state = None, f"not known ({one_line(error)})"
        return {
            "device_state": state,
            "pending_jobs": pending,
            "usage_left_seconds": self.service.usage_left(),
        }

    @property
    def twirled(self) -> bool:
        """Whether the client draws random gates around those of the circuits."""
        return any(self._options.get("twirling", {}).values())

    def placed(self, circuit: QuantumCircuit, wanted: Wanted | None = None) -> QuantumCircuit:
        """The circuit on the device's own qubits, under a label where ``wanted`` brings one.

        Raises:
            BackendError: for what the target cannot run, for resets after readings where readings
                are twirled, and for decoupling in a circuit with control flow.
        """
        placement = placement_of(circuit, self.placements)
        line = self.places[placement]
        if circuit.num_qubits > len(line):
            raise BackendError(
                f"circuit {circuit.name}: wanted at most {len(line)} qubits on {self.name}, "
                f"got {circuit.num_qubits}"
            )
        own = flattened(circuit) if self.facts.feed_forward else circuit
        illegal = first_illegal(own, self.targets[placement])
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
        names = {} if wanted is None else {n: sent for sent, (n, _) in wanted.registers.items()}
        whole = QuantumCircuit(self.facts.size, name=circuit.name)
        for register in circuit.cregs:
            name = names.get(register.name)
            whole.add_register(register if name is None else ClassicalRegister(register.size, name))
        whole.compose(
            circuit,
            qubits=list(line[: circuit.num_qubits]),
            clbits=list(range(circuit.num_clbits)),
            inplace=True,
        )
        whole.metadata = dict(circuit.metadata or {})
        if wanted is not None:
            whole.metadata[LABEL] = wanted.label
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
            circuits.append(pub.circuit)
        step = metadata_number(circuits[0], "step") if circuits else 0
        content = circuits_hash([self.placed(circuit) for circuit in circuits], int(wanted))
        tag = f"qbrain-{self._run or 'loose'}-{step}-{content[:16]}"
        allow = partial(Allowance, None, self.most_seconds)
        return self._submit(circuits, int(wanted), tag, step, LooseTicket(), allow)

    def submit(
        self,
        circuits: Sequence[QuantumCircuit],
        shots: int,
        number: int,
        store: TicketStore,
        *,
        part: int = 0,
        allow: Callable[[], Allowance] = Allowance,
    ) -> LedgerJob:
        """Send a run's job of this number, or find it if it was sent before.

        Args:
            circuits: of the job.
            shots: of each.
            number: of the job in the run.
            store: of its ticket.
            part: which one it is of the jobs that this one was cut into.
            allow: what the job may take; asked just before it is sent, if it is.

        What is sent once under a number is the job of that number, whatever the circuits are: they
        lie in the run's folder, and the same ones made on another processor may differ in their
        last bits.

        Raises:
            BackendError, DeviceFault: as :meth:`run`.
        """
        tag = f"qbrain-{self._run}-{number}" + (f"-{part}" if part else "")
        return self._submit(circuits, shots, tag, number, store, allow)

    def _submit(
        self,
        circuits: Sequence[QuantumCircuit],
        shots: int,
        tag: str,
        step: int,
        store: TicketStore,
        allow: Callable[[], Allowance],
    ) -> LedgerJob:
        wanted = wanted_of(circuits, tag)
        placed = [self.placed(*pair) for pair in zip(circuits, wanted, strict=True)]
        record = JobRecord(
            tag=tag,
            run=self._run,
            step=step,
            circuits=circuits_hash(placed, shots),
            backend=self.name,
            calibration=self.facts.calibration,
            shots=shots,
            directory=self._directory,
            account=self._account,
            instance=self._instance,
        )
        submission = Submission(
            self._connection,
            self._options,
            record,
            self.ledger,
            store,
            self.note,
            self._fresh,
            self.sends,
            allow,
            self.tell,
        )
        check = partial(self.facts.check_size, len(placed), shots)
        job = submission.find_or_send(placed, check)
        # of what follows nothing can have been sent by an earlier process
        self._fresh = True
        return LedgerJob(self, record, job, wanted, store)

    def note(
        self,
        tag: str,
        state: str,
        *,
        job: str | None = None,
        usage: float | None = None,
        instance: str | None = None,
    ) -> None:
        """Put into the ledger what has become of a job that was sent.

        The run's folder knows it too, so that a ledger which fails now stops nothing.
        """
        try:
            self.ledger.update(tag, state, job=job, usage=usage, instance=instance)
        except BackendError as error:
            self.tell(f"{error}; the run goes on without it")

    def usage_of(self, job: str) -> float | None:
        """Seconds that are billed for a job; not asked for again once that has failed."""
        if not self._usage_known:
            return None
        found = self.service.usage_of(job)
        self._usage_known = found is not None
        return found

    def close(self) -> None:
        """Close the session or batch, if one is open; its jobs go on."""
        self._connection.close()


def _resets_what_was_read(circuit: QuantumCircuit) -> bool:
    read = set()
    for step in circuit.data:
        if step.name == "measure":
            read.update(step.qubits)
        elif step.name == "reset" and not read.isdisjoint(step.qubits):
            return True
    return False
