"""Jobs that were sent to devices: listed, looked at again, cancelled, forgotten, sent once more."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qbrain.backends.errors import BackendError, DeviceFault
from qbrain.backends.ibm_job import NotDone
from qbrain.backends.ibm_service import IBMService
from qbrain.backends.ledger import JobRecord, Ledger

from .engine.folder import RunDirectory
from .engine.plan import PlannedJob, qpu_seconds
from .engine.sent import FolderTicket, kept_facts
from .errors import ConfigError, DeviceError, RunDirectoryError
from .resuming import resume

__all__ = [
    "cancel",
    "collect_run",
    "forget",
    "look_again",
    "print_jobs",
    "refresh",
    "resend",
    "rows",
]

_COLUMNS = ("job", "state", "backend", "step", "shots", "usage", "created", "directory")
# of the jobs that are looked at unasked: how many, and for how long the service may take
_NEWEST, _SOON = 20, 4.0
_LEDGER_STATE = {"DONE": "done", "ERROR": "failed", "CANCELLED": "cancelled"}


def _ledger() -> Ledger:
    """The ledger, which is only read where it cannot be written."""
    try:
        return Ledger()
    except BackendError:
        found = Ledger(write=False)
        if not found.path.exists():
            raise
        found.jobs(run="")
        return found


def rows() -> list[JobRecord]:
    """Every job of the ledger, oldest first; raises ``BackendError`` as :class:`Ledger`."""
    return _ledger().jobs()


def print_jobs(records: Sequence[JobRecord], as_json: bool) -> None:
    """The jobs as a table, or as one JSON object."""
    if as_json:
        print(json.dumps({"jobs": [record.to_dict() for record in records]}))
        return
    # plain text: a ledger may hold a hundred thousand rows
    table = [_COLUMNS] + [tuple(_cell(record, name) for name in _COLUMNS) for record in records]
    widths = [max(len(row[column]) for row in table) for column in range(len(_COLUMNS))]
    lines = (
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    )
    sys.stdout.write("\n".join(lines) + "\n")


def _cell(record: JobRecord, name: str) -> str:
    value = getattr(record, name)
    return "–" if value is None else str(value)


def refresh() -> tuple[int, int]:
    """Ask the service for the state and the usage of every job that is not known to have ended.

    Returns how many were looked at, and of how many something new was learnt. A job that the
    service does not know stays as it is.

    Raises:
        BackendError: no account, or no ledger.
        DeviceFault: the service does not answer.
    """
    ledger = Ledger()
    open_ = [r for r in ledger.jobs() if _is_open(r)]
    if not open_:
        return 0, 0
    service = IBMService()
    changed = 0
    for record in open_:
        changed += _refreshed(ledger, service, record)
    return len(open_), changed


def look_again() -> None:
    """Refresh the newest jobs that have not ended, where the service answers soon; else nothing."""
    try:
        ledger = Ledger()
        open_ = [record for record in ledger.jobs() if _is_open(record)][-_NEWEST:]
        if not open_:
            return
        service = IBMService(patience=_SOON)
        until = time.monotonic() + _SOON
        for record in reversed(open_):
            if time.monotonic() > until:
                return
            _refreshed(ledger, service, record)
    except (BackendError, DeviceFault):
        return


def _is_open(record: JobRecord) -> bool:
    if record.state == "intended":
        return True
    return record.job is not None and (
        record.state == "submitted" or (record.state == "done" and record.usage is None)
    )


def _refreshed(ledger: Ledger, service: IBMService, record: JobRecord) -> bool:
    if record.job is None:
        found = [j for j in service.jobs_of(record.tag) if j.id not in record.former]
        state = found[0] if found else None
    else:
        state = service.job(record.job)
    if state is None:
        return False
    word = _LEDGER_STATE.get(state.state, "submitted")
    usage = service.usage_of(state.id) if word == "done" else None
    new = (word, state.id, record.usage if usage is None else usage)
    if new == (record.state, record.job, record.usage):
        return False
    ledger.update(record.tag, word, job=state.id, usage=usage)
    return True


def _known(ledger: Ledger, job: str) -> JobRecord:
    record = ledger.find(job)
    if record is None:
        raise BackendError(f"job: wanted an id from the ledger (qbrain jobs), got {job!r}")
    return record


def cancel(job: str) -> None:
    """Cancel a job of the ledger by the service's id.

    Raises:
        BackendError: the ledger does not know the job.
        DeviceFault: the service does not cancel it (it may have ended), or does not answer.
    """
    ledger = Ledger()
    record = _known(ledger, job)
    IBMService().cancel(job)
    if record.job == job:
        ledger.update(record.tag, "cancelled")


def forget(job: str) -> str:
    """Give up a job: it is neither waited for nor collected; its run sends it again on resume.

    Nothing is cancelled at the service. Returns the folder of the job's run.

    Raises:
        BackendError: the ledger does not know the job.
    """
    ledger = Ledger()
    record = _known(ledger, job)
    if record.job == job:
        ledger.renew(record.tag)
        ledger.update(record.tag, "forgotten")
    return record.directory


@dataclass(frozen=True)
class Resend:
    """What sending a job once more means: ``seconds`` of quantum time, None where not known."""

    job: str | None
    circuits: int
    shots: int
    seconds: float | None

    def sentence(self, number: int) -> str:
        """For the user, before it is done."""
        cost = "at a cost that is not known" if self.seconds is None else f"~{self.seconds:.0f} s"
        before = "" if self.job is None else f"; job {self.job} is given up"
        return (
            f"step {number} is sent again: {self.circuits} circuits of {self.shots} shots, "
            f"{cost} of quantum time{before}"
        )


def resend(path: Path, number: int, say: Callable[[str], None]) -> None:
    """Give up the job of a step, so that the run's resume sends it once more.

    ``say`` is told what it costs before anything is given up.

    Raises:
        RunDirectoryError: no run on a device in ``path``.
        ConfigError: a step that was not sent, or that has been collected.
    """
    folder = RunDirectory.open(path)
    facts = kept_facts(folder)
    if facts is None:
        raise RunDirectoryError(f"{path}: wanted a run on an ibm_<device>, got another")
    with folder.locked():
        done = len(folder.steps())
        if number < done or folder.result() is not None:
            raise ConfigError(f"resend: wanted a step that has no result, got {number}")
        store = FolderTicket(folder, number)
        try:
            ticket = store.read()
            sent = folder.sent(number)
        except RunDirectoryError:
            # a record that is damaged is made anew
            ticket, sent = None, None
            for name in ("json", "qpy", "ticket.json"):
                (path / "sent" / f"{number:04d}.{name}").unlink(missing_ok=True)
        record = folder.record()
        tag = f"qbrain-{record['run']['id']}-{number}"
        ledger = Ledger()
        row = ledger.get(tag)
        if ticket is None and row is None and sent is None:
            raise ConfigError(f"resend: wanted a step that was sent, got {number}")
        shots = ticket.shots if ticket else (row.shots if row else 0)
        job = (ticket.job if ticket else None) or (row.job if row else None)
        circuits = sent[0] if sent is not None else []
        seconds = qpu_seconds([PlannedJob(circuits, shots)], facts.targets[0]) if circuits else None
        say(Resend(job, len(circuits), shots, seconds).sentence(number))
        if row is not None:
            ledger.renew(tag)
        if ticket is not None:
            store.write(ticket.given_up())
        _give_up_unlisted(tag, ledger, store)


def _give_up_unlisted(tag: str, ledger: Ledger, store: FolderTicket) -> None:
    """Jobs of the tag that the service alone knows are given up too, where it answers."""
    try:
        found = IBMService().jobs_of(tag)
    except (BackendError, DeviceFault):
        return
    ticket = store.read()
    if ticket is None:
        return
    former = tuple(dict.fromkeys((*ticket.former, *(job.id for job in found))))
    store.write(type(ticket)(**{**vars(ticket), "job": None, "former": former}))


def collect_run(path: Path) -> dict[str, Any]:
    """Fetch what is done of a run's jobs; nothing is sent and nothing is waited for.

    Returns the run's result where that completes it, else how many jobs have been collected and
    what the next one waits for.

    Raises:
        RunDirectoryError: no intact run.
        DeviceError: the service does not answer, or a job ended badly.
    """
    try:
        return resume(path, sends=False).result
    except DeviceError as error:
        if not isinstance(error.__cause__, NotDone):
            raise
        steps = len(RunDirectory.open(path).steps())
        return {"run_dir": str(path), "jobs_collected": steps, "waiting": str(error)}
