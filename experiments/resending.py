"""Ways out for a run on a device: collect what is done, or send a job once more."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from qbrain.backends.errors import BackendError, DeviceFault
from qbrain.backends.ibm_device import DeviceFacts
from qbrain.backends.ibm_job import NotDone
from qbrain.backends.ibm_service import IBMService
from qbrain.backends.ledger import Ledger

from .engine.folder import RunDirectory, Sent
from .engine.plan import PlannedJob, qpu_seconds
from .engine.sent import FolderTicket, kept_facts
from .errors import ConfigError, DeviceError, RunDirectoryError
from .resuming import resume

__all__ = ["collect_run", "resend"]


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
        try:
            sent = folder.sent(number)
            parts = (
                [FolderTicket(folder, number, part) for part in range(len(sent.sizes))]
                if (sent is not None)
                else [FolderTicket(folder, number)]
            )
            tickets = [store.read() for store in parts]
        except RunDirectoryError:
            # a record that is damaged is made anew
            sent, parts, tickets = None, [FolderTicket(folder, number)], [None]
            for file in (path / "sent").glob(f"{number:04d}.*"):
                if file.name.endswith((".json", ".qpy")):
                    file.unlink(missing_ok=True)
        record = folder.record()
        tags = [
            f"qbrain-{record['run']['id']}-{number}" + (f"-{part}" if part else "")
            for part in range(len(parts))
        ]
        ledger = Ledger()
        rows = [ledger.get(tag) for tag in tags]
        if not any(tickets) and not any(rows) and sent is None:
            raise ConfigError(f"resend: wanted a step that was sent, got {number}")
        known = next((each for each in (*tickets, *rows) if each is not None), None)
        shots = 0 if known is None else known.shots
        jobs = [each.job for each in (*tickets, *rows) if each is not None and each.job]
        twirled = record["config"].get("twirling", "none") != "none"
        say(_resend_of(sent, facts, shots, dict.fromkeys(jobs), twirled).sentence(number))
        for tag, row, store, ticket in zip(tags, rows, parts, tickets, strict=True):
            if row is not None:
                ledger.renew(tag)
            if ticket is not None:
                store.write(ticket.given_up())
            _give_up_unlisted(tag, store)


def _resend_of(
    sent: Sent | None, facts: DeviceFacts, shots: int, jobs: Iterable[str], twirled: bool
) -> Resend:
    before = ", ".join(jobs) or None
    if sent is None:
        return Resend(before, 0, shots, None)
    rest = iter(sent.circuits)
    again = [PlannedJob(list(islice(rest, size)), shots) for size in sent.sizes]
    seconds = qpu_seconds(again, facts.targets[0], facts.repetition, twirled=twirled)
    return Resend(before, len(sent.circuits), shots, seconds)


def _give_up_unlisted(tag: str, store: FolderTicket) -> None:
    """Jobs of the tag that the service alone knows are given up too, where it answers."""
    try:
        found = IBMService().jobs_of(tag)
    except (BackendError, DeviceFault):
        return
    ticket = store.read()
    if ticket is None:
        return
    former = tuple(dict.fromkeys((*ticket.former, *(job.id for job in found))))
    store.write(replace(ticket, job=None, former=former))


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
