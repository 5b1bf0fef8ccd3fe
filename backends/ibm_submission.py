"""A job on its way to a device: found if it was sent before, else sent, and never twice.

The ledger and the run's folder know of the job before it is sent: the folder also from which
instance, for another one does not see it. It is looked for by its id, else by its tag; the
service's list of jobs may be behind, so that a job whose answer was lost is looked for until it
would be listed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from qiskit import QuantumCircuit

from .errors import DeadEnd, DeviceFault
from .ibm_connection import CLOSING, Connection
from .ibm_job import NotDone
from .ibm_limits import Pace
from .ibm_policy import (
    Action,
    Deadline,
    MalformedAnswer,
    action_for,
    fault_of,
    list_lag_seconds,
    may_have_arrived,
    one_line,
    retry_after,
    status_of,
    within,
)
from .ibm_state import JobState
from .ibm_ticket import Allowance, Ticket, TicketStore
from .ledger import JobRecord, Ledger

__all__ = ["Submission"]

# how often a session that has closed is opened anew for one job
_RENEWALS = 3
# one a process: a token's jobs are counted together, whichever run they are of
_pace = Pace()
_LIVE_FIRST = {"DONE": 0, "RUNNING": 1}


@dataclass
class Submission:
    """One job of a run.

    Attributes:
        connection: to the device.
        options: of the client's sampler.
        record: of the job, as it stands in the ledger.
        ledger: knows the job before it is sent.
        store: of the job's ticket.
        note: puts into the ledger what has become of the job; may fail.
        fresh: whether nobody can have sent a job of this run before.
        sends: whether the job may be sent.
        allow: what the job may take; asked just before it is sent, and raises where it may not be.
        tell: is told in a line what the sending waits for.
    """

    connection: Connection
    options: Mapping[str, Any]
    record: JobRecord
    ledger: Ledger
    store: TicketStore
    note: Callable[..., None]
    fresh: bool
    sends: bool
    allow: Callable[[], Allowance] = Allowance
    tell: Callable[[str], None] = lambda text: None

    @property
    def _name(self) -> str:
        return self.record.backend

    def _tell(self, text: str) -> None:
        self.tell(f"{self._name}: the job of step {self.record.step} {text}")

    def find_or_send(self, circuits: list[QuantumCircuit], check: Callable[[], None]) -> str:
        """Id of the job: the known one, one that the service has, or a new one.

        ``check``: raises where the job is too large; called before it is sent.

        Raises:
            NotDone: it was never sent, failed or was cancelled, and may not be sent.
            DeviceFault: it is not at the service any more, may have been sent from an instance
                that the account does not have, or the service does not take it.
        """
        tag = self.record.tag
        before, known = self.store.read(), self.ledger.get(tag)
        row = self.ledger.intend(self.record)
        ticket = before or Ticket(
            tag, intended=time.time(), backend=self._name, shots=self.record.shots
        )
        former = tuple(dict.fromkeys((*ticket.former, *row.former)))
        if ticket.job in former:
            ticket = ticket.given_up()
        self._check_instance(ticket)
        job = next((j for j in (ticket.job, row.job) if j is not None and j not in former), None)
        ticket = replace(ticket, former=former, job=job)
        if job is not None:
            state = self._known(job)
            if state.state not in ("ERROR", "CANCELLED"):
                return self._found(ticket, state)
        elif before is not None or known is not None or not self.fresh:
            found = self._search(former, ticket.intended)
            if found is not None:
                return self._found(ticket, found)
        if not self.sends:
            why = "was never sent" if job is None else "failed or was cancelled"
            raise NotDone(f"{self._name}: the job of step {self.record.step} {why}")
        check()
        if job is not None:
            if ticket.billed is None:
                ticket = replace(ticket, billed=self.connection.service.usage_of(job))
            ticket = ticket.given_up()
            # what it was billed is spent before more is allowed
            self.store.write(ticket)
            self.ledger.renew(tag)
        allowed = self.allow()
        ticket = replace(ticket, estimated=allowed.estimated, most=allowed.most)
        return self._send(circuits, ticket)

    def _check_instance(self, ticket: Ticket) -> None:
        """Whether the account sees the instance that may have the job."""
        if ticket.instance and not self.connection.service.reaches(ticket.instance):
            step = f"of step {self.record.step}"
            sent = f"job {ticket.job} {step} was" if ticket.job else f"the job {step} may have been"
            raise DeadEnd(
                f"{self._name}: {sent} sent to instance {ticket.instance}, which is not one of the "
                "present account; take the account that sent it"
            )

    def _known(self, job: str) -> JobState:
        state = self.connection.service.job(job)
        if state is None:
            raise DeadEnd(
                f"{self._name}: job {job} is not at the service: it was deleted, or it belongs to "
                "another account"
            )
        return state

    def _found(self, ticket: Ticket, state: JobState) -> str:
        self.store.write(replace(ticket, job=state.id, session=state.session))
        self.note(self.record.tag, "submitted", job=state.id, instance=ticket.instance or None)
        return state.id

    def _search(self, former: Sequence[str], since: float) -> JobState | None:
        """The job that was sent at ``since`` (seconds since 1970), if the service has it.

        Of several, which a lost answer may leave, one is kept.
        """
        service = self.connection.service
        pause, lag = 0.5, min(list_lag_seconds(), service.patience / 2)
        while True:
            found = [job for job in service.jobs_of(self.record.tag) if job.id not in former]
            live = [job for job in found if job.state not in ("ERROR", "CANCELLED")]
            if live:
                live.sort(key=lambda job: (_LIVE_FIRST.get(job.state, 2), job.created))
                for other in live[1:]:
                    if not other.final:
                        with suppress(DeviceFault):
                            service.cancel(other.id, Deadline(CLOSING))
                return live[0]
            left = since + lag - time.time()
            if left <= 0:
                return None
            time.sleep(min(pause, left))
            pause *= 2

    def _send(self, circuits: list[QuantumCircuit], ticket: Ticket) -> str:
        connection = self.connection
        deadline, pause = Deadline(connection.service.patience), 0.5
        renewed, reopened, doubtful = False, 0, False
        options = dict(self.options)
        if ticket.most is not None:
            options["max_execution_time"] = ticket.most
        while True:
            posted = False
            try:
                make = partial(connection.sampler, self.record.tag, options)
                sampler = within(max(deadline.left, 1.0), make)
                # to keep the service's pace is not to wait for the service
                deadline = Deadline(deadline.left + _pace.wait(self._tell))
                ticket = self._about_to_be_sent(ticket)
                posted = True
                send = partial(_id_of_job, sampler, circuits, self.record.shots)
                job = within(max(deadline.left, 1.0), send)
            except Exception as error:
                fault = fault_of(error)
            else:
                return self._sent(ticket, job, doubtful)
            action = action_for(fault)
            if action is Action.TOKEN and not renewed:
                connection.service.renew()
                renewed = True
                continue
            if posted and may_have_arrived(fault):
                # the answer may have been lost on the way back, not the job on the way there
                asked, doubtful = time.monotonic(), True
                state = self._search(ticket.former, time.time())
                if state is not None:
                    return self._found(ticket, state)
                # to wait for the list is not to wait for the service
                deadline = Deadline(deadline.left + time.monotonic() - asked)
            elif status_of(fault) < 0 and not may_have_arrived(fault):
                # the client hides why it knows no device any more
                client = connection.service.client
                connection.service.check(Deadline(min(CLOSING, deadline.left)))
                if connection.service.client is not client:
                    continue
            if (
                action is not Action.TOKEN
                and reopened < _RENEWALS
                and connection.leave_closed_session()
            ):
                reopened += 1
                continue
            wait = max(retry_after(fault) or 0.0, pause)
            if action is not Action.RETRY or wait > deadline.left:
                if ticket.instance and not doubtful:
                    # nobody has it, and any account may send it
                    self.store.write(replace(ticket, instance=""))
                raise DeviceFault(
                    f"{self._name}: job of step {self.record.step} not taken: {one_line(fault)}"
                ) from fault
            time.sleep(wait)
            pause = min(2 * pause, 10.0)

    def _about_to_be_sent(self, ticket: Ticket) -> Ticket:
        """From now on the job may be at the service, and may be only there."""
        ticket = replace(
            ticket,
            intended=time.time(),
            backend=self._name,
            shots=self.record.shots,
            instance=self.connection.instance,
        )
        self.store.write(ticket)
        return ticket

    def _sent(self, ticket: Ticket, job: str, doubtful: bool) -> str:
        connection = self.connection
        ticket = replace(
            ticket, job=job, session=connection.session, service=connection.service.url
        )
        self.store.write(ticket)
        self.note(self.record.tag, "submitted", job=job, instance=ticket.instance or None)
        if doubtful:
            # an earlier attempt may have arrived after all, and be listed by now
            with suppress(DeviceFault):
                state = self._search(ticket.former, 0.0)
                if state is not None and state.id != job:
                    return self._found(ticket, state)
        return job


def _id_of_job(sampler: Any, circuits: list[QuantumCircuit], shots: int) -> str:
    """Send a job over the client's sampler."""
    job = sampler.run(circuits, shots=shots).job_id()
    if not isinstance(job, str) or not job:
        raise MalformedAnswer(f"wanted the id of the job that was sent, got {job!r}")
    return job
