"""The ledger of jobs that were sent to devices: listed, looked at again, cancelled, forgotten."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from qbrain.backends.errors import BackendError, DeviceFault
from qbrain.backends.ibm_service import IBMService
from qbrain.backends.ledger import JobRecord, Ledger

__all__ = ["cancel", "forget", "look_again", "print_jobs", "refresh"]

_COLUMNS = ("job", "state", "backend", "step", "shots", "usage", "created", "directory")
_HEADS = {"usage": "seconds_billed"}
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


def print_jobs(as_json: bool) -> None:
    """Every job of the ledger, oldest first, as a table or as one JSON object.

    Raises ``BackendError`` as :class:`~qbrain.backends.ledger.Ledger`.
    """
    ledger = _ledger()
    if as_json:
        rows = [{**job.to_dict(), "usage_seconds": job.usage} for job in ledger.jobs()]
        print(json.dumps({"jobs": rows}))
        return
    # plain text and plain rows: a ledger may hold a hundred thousand jobs
    table = [
        [_HEADS.get(name, name) for name in _COLUMNS],
        *([_cell(x) for x in row] for row in ledger.table(_COLUMNS)),
    ]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    line = "  ".join(f"{{:<{width}}}" for width in widths)
    sys.stdout.write("\n".join(line.format(*row).rstrip() for row in table) + "\n")


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.2f}"
    return "–" if value is None else str(value)


def _service_of(record: JobRecord, patience: float | None = None) -> IBMService:
    """The account and instance that a job was sent by, the default where the row says none."""
    return IBMService(record.account or None, record.instance or None, patience=patience)


def _by_account(records: Sequence[JobRecord]) -> list[list[JobRecord]]:
    """The jobs of each account and instance, in the order of the first of each."""
    found: dict[tuple[str, str], list[JobRecord]] = {}
    for record in records:
        found.setdefault((record.account, record.instance), []).append(record)
    return list(found.values())


def refresh(say: Callable[[str], None]) -> tuple[int, int]:
    """Ask the service for the state and the usage of every job that is not known to have ended.

    Returns how many were looked at, and of how many something new was learnt. A job that the
    service does not know stays as it is. ``say`` is told of an account that is not taken while
    another is.

    Raises:
        BackendError: no account that is taken, or no ledger.
        DeviceFault: the service does not answer.
    """
    ledger = Ledger()
    seen = changed = 0
    refusals: list[str] = []
    first: BackendError | None = None
    for records in _by_account(ledger.unfinished()):
        try:
            service = _service_of(records[0])
        except BackendError as error:
            first = first or error
            refusals.append(f"{error}; {len(records)} jobs not looked at")
            continue
        for record in records:
            changed += _refreshed(ledger, service, record)
        seen += len(records)
    if first is not None and not seen:
        raise first
    for refusal in refusals:
        say(refusal)
    return seen, changed


def look_again() -> None:
    """Refresh the newest jobs that have not ended, where the service answers soon; else nothing."""
    until = time.monotonic() + _SOON
    with suppress(BackendError, DeviceFault):
        ledger = Ledger()
        for records in _by_account(ledger.unfinished()[: -_NEWEST - 1 : -1]):
            with suppress(BackendError):
                service = _service_of(records[0], patience=_SOON)
                for record in records:
                    if time.monotonic() > until:
                        return
                    _refreshed(ledger, service, record)


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
    _service_of(record).cancel(job)
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
