"""Ways out for a run on a device: collect what is done, or send a job once more."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from qbrain.backends.errors import DeviceFault
from qbrain.backends.ibm_job import NotDone
from qbrain.backends.ibm_policy import list_lag_seconds
from qbrain.backends.ibm_service import IBMService
from qbrain.backends.ibm_ticket import Ticket
from qbrain.backends.ledger import Ledger

from .engine.folder import RunDirectory
from .engine.plan import PlannedJob, qpu_seconds
from .engine.sent import FolderTicket, kept_facts
from .errors import ConfigError, DeviceError, RunDirectoryError
from .resuming import resume

__all__ = ["collect_run", "resend"]


@dataclass(frozen=True)
class Resend:
    """What sending a job once more means.

    Attributes:
        jobs: ids of those that are given up.
        shots: of each circuit, None where not known.
        seconds: of quantum time, None where not known.
    """

    jobs: tuple[str, ...]
    circuits: int
    shots: int | None
    seconds: float | None

    def sentence(self, number: int) -> str:
        """For the user, before it is done."""
        cost = "at a cost that is not known" if self.seconds is None else f"~{self.seconds:.0f} s"
        of = "" if self.shots is None else f" of {self.shots} shots"
        each = "job" if len(self.jobs) == 1 else "jobs"
        verb = "is" if len(self.jobs) == 1 else "are"
        before = f"; {each} {', '.join(self.jobs)} {verb} given up" if self.jobs else ""
        return (
            f"step {number} is sent again: {self.circuits} circuits{of}, "
            f"{cost} of quantum time{before}"
        )


def resend(path: Path, number: int, say: Callable[[str], None]) -> None:
    """Give up the jobs of a step, so that the run's resume sends it once more.

    The service is asked for all jobs of the step's tag, for it may know one that neither the folder
    nor the ledger does; resume takes none of these. ``say`` is told what it costs before anything
    is given up.

    Raises:
        RunDirectoryError: no run on a device in ``path``.
        ConfigError: a step that was not sent, or that has been collected.
        BackendError: no account.
        DeviceError: the service does not say which jobs it has; nothing was given up.
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
        damaged = False
        try:
            ticket = store.read()
            sent = folder.sent(number)
        except RunDirectoryError:
            ticket, sent, damaged = None, None, True
        record = folder.record()
        tag = f"qbrain-{record['run']['id']}-{number}"
        ledger = Ledger()
        row = ledger.get(tag)
        if ticket is None and row is None and sent is None and not damaged:
            raise ConfigError(f"resend: wanted a step that was sent, got {number}")
        before = [*(ticket.former if ticket else ()), *(row.former if row else ())]
        known = [job for job in (ticket and ticket.job, row and row.job) if job]
        listed = _listed(record["config"], tag, sure=bool(ticket or row))
        jobs = tuple(dict.fromkeys(job for job in (*known, *listed) if job not in before))
        shots = (ticket.shots if ticket else 0) or (row.shots if row else 0) or None
        circuits = sent[0] if sent is not None else []
        seconds = None
        if circuits and shots is not None:
            seconds = qpu_seconds([PlannedJob(circuits, shots)], facts.targets[0])
        say(Resend(jobs, len(circuits), shots, seconds).sentence(number))
        if damaged:
            # a record that is damaged is made anew
            for name in ("json", "qpy", "ticket.json"):
                (path / "sent" / f"{number:04d}.{name}").unlink(missing_ok=True)
        if row is not None:
            ledger.renew(tag)
        ticket = ticket or Ticket(tag, backend=facts.name, shots=shots or 0)
        former = tuple(dict.fromkeys((*before, *jobs)))
        store.write(replace(ticket.given_up(), former=former))


def _listed(config: Mapping[str, Any], tag: str, *, sure: bool) -> list[str]:
    """Ids of the jobs of a tag at the service of a run.

    ``sure``: whether it is known that the job was sent; else the service's list may be behind.
    """
    try:
        service = IBMService(config.get("account"), config.get("instance"))
        found = service.jobs_of(tag)
        if not found and not sure:
            time.sleep(min(list_lag_seconds(), service.patience / 2))
            found = service.jobs_of(tag)
    except DeviceFault as error:
        raise DeviceError(
            f"resend: nothing was given up, for the service does not say which jobs it has: {error}"
        ) from error
    return [job.id for job in found]


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
