"""A job at IBM Quantum: waited for at a humane rate, its answer checked, its end in the ledger."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

from qiskit.primitives import BasePrimitiveJob, PrimitiveResult, SamplerPubResult

from .errors import DeadEnd, DeviceFault
from .ibm_answer import BadAnswer, Wanted, read_answer
from .ibm_policy import longest_wait_seconds
from .ibm_service import IBMService
from .ibm_state import FINAL, JobState
from .ibm_ticket import TicketStore
from .ledger import JobRecord

__all__ = ["LedgerJob", "NotDone"]

# seconds between two looks at a job: soon after it was sent, and at last
_FIRST_LOOK, _LAST_LOOK, _RUNNING_LOOK = 0.25, 30.0, 5.0
# a job that waits is told of again after so many seconds
_REMINDER = 300.0
_KNOWN = ("INITIALIZING", "QUEUED", "RUNNING", *FINAL)
# how often an answer that cannot be read, or names another device, is asked for in all
_ANSWERS = 3


class Sender(Protocol):
    """What a job asks of the sampler that sent it."""

    name: str
    sends: bool

    @property
    def service(self) -> IBMService:
        """The account."""

    @property
    def twirled(self) -> bool:
        """Whether the client draws random gates around those of the circuits."""

    @property
    def tell(self) -> Callable[[str], None]:
        """Is told in a line what the job is waiting for."""

    def note(self, tag: str, state: str, *, usage: float | None = None) -> None:
        """Put into the ledger what has become of the job."""

    def usage_of(self, job: str) -> float | None:
        """Seconds that are billed for it, None as long as that is not known."""


class NotDone(DeviceFault):
    """A job that has not ended or was not sent, where nothing is waited for and nothing is sent."""


class LedgerJob(BasePrimitiveJob[PrimitiveResult[SamplerPubResult], str]):
    """A job of :class:`~qbrain.backends.ibm.IBMSampler`; its end is written into the ledger."""

    def __init__(
        self,
        sampler: Sender,
        record: JobRecord,
        job: str,
        wanted: Sequence[Wanted],
        store: TicketStore,
    ) -> None:
        super().__init__(job)
        self._sampler, self._record = sampler, record
        self._wanted, self._store = wanted, store

    @property
    def _where(self) -> str:
        return f"{self._sampler.name}: job {self.job_id()}"

    def result(self) -> PrimitiveResult[SamplerPubResult]:
        """Wait for the job and return its result.

        Raises:
            DeviceFault: it failed or was cancelled, has not ended within the time, its result
                cannot be used, or the service stopped answering.
        """
        state = self._wait()
        sampler = self._sampler
        tag, note = self._record.tag, sampler.note
        if state.state != "DONE":
            note(tag, {"ERROR": "failed"}.get(state.state, "cancelled"))
            self._remember(billed=sampler.usage_of(self.job_id()))
            why = f": {state.reason}" if state.reason else ""
            raise DeviceFault(f"{self._where} {state.state.lower()}{why}")
        result = self._answer()
        # the result counts from here on; what it cost is bookkeeping, and may not be known yet
        note(tag, "done")
        usage = sampler.usage_of(self.job_id())
        if usage is not None:
            note(tag, "done", usage=usage)
        self._remember(billed=usage, service=sampler.service.url)
        return result

    def _remember(self, **known: Any) -> None:
        """The run's folder knows, too, what the job cost and who gave the result."""
        ticket = self._store.read()
        new = {name: value for name, value in known.items() if value not in (None, "")}
        if ticket is not None and replace(ticket, **new) != ticket:
            self._store.write(replace(ticket, **new))

    def _answer(self) -> PrimitiveResult[SamplerPubResult]:
        sampler, shots = self._sampler, self._record.shots
        for attempt in range(_ANSWERS):
            text = sampler.service.answer_of(self.job_id())
            try:
                return read_answer(text, self._wanted, shots, twirled=sampler.twirled)
            except BadAnswer as error:
                fault = error
            if attempt + 1 < _ANSWERS:
                time.sleep(0.5 * 2**attempt)
        kept = self._store.keep_answer(text)
        where = f"; what came is in {kept}" if kept else ""
        raise DeadEnd(f"{self._where}: {fault}{where}") from fault

    def _wait(self) -> JobState:
        sampler = self._sampler
        began = told_at = time.monotonic()
        told, odd_since, strangers = "", None, 0
        pause = _FIRST_LOOK
        while True:
            state = self.state()
            strangers = strangers + 1 if state.device not in ("", sampler.name) else 0
            if strangers == _ANSWERS:
                raise DeadEnd(
                    f"{self._where} of step {self._record.step} is a job of {state.device}, says "
                    "the service"
                )
            if strangers:
                time.sleep(0.5 * strangers)
                continue
            if state.final:
                if told and state.state == "DONE":
                    sampler.tell(f"{self._where} is done")
                return state
            now = time.monotonic()
            odd_since = None if state.state in _KNOWN else odd_since or now
            words = _words(state)
            if words != told or now - told_at > _REMINDER:
                sampler.tell(f"{self._where} of step {self._record.step} {words}")
                told, told_at = words, now
            waited = now - began
            patience = sampler.service.patience
            if not sampler.sends or waited > longest_wait_seconds():
                raise NotDone(f"{self._where} {words}")
            if odd_since is not None and now - odd_since > patience:
                raise NotDone(f"{self._where} is in a state that is not known: {state.state}")
            time.sleep(pause)
            most = _RUNNING_LOOK if state.state == "RUNNING" else _LAST_LOOK
            pause = min(2 * pause, most)

    def state(self) -> JobState:
        """The job as the service describes it.

        Raises:
            DeviceFault: the service does not answer, or has no such job.
        """
        found = self._sampler.service.job(self.job_id())
        if found is None:
            raise DeadEnd(f"{self._where} is not at the service any more")
        return found

    def status(self) -> str:
        """The service's word for the job's state."""
        return self.state().state

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
        return self.status() in FINAL

    def cancel(self) -> Any:
        """Cancel it.

        Raises:
            DeviceFault: if the service does not cancel it (it may have ended), or does not answer.
        """
        self._sampler.service.cancel(self.job_id())
        self._sampler.note(self._record.tag, "cancelled")


def _words(state: JobState) -> str:
    place = "" if state.position is None else f", position {state.position} in the queue"
    return f"is {state.state.lower()}{place}"
