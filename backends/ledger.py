"""The job ledger: every job ever submitted, on disk before the call that could lose it.

A SQLite database with a write-ahead log, shared by all runs of a user. A job goes through

    intended → submitted → done | failed | cancelled

``intended`` is written before anything is sent, ``submitted`` as soon as the service has given
the job its id. A process that dies in between leaves an ``intended`` row whose tag the service
may know: who goes on looks there before sending again.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from .errors import BackendError

__all__ = ["JobRecord", "Ledger", "default_ledger_path"]

STATES = ("intended", "submitted", "done", "failed", "cancelled")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    tag TEXT PRIMARY KEY,
    run TEXT NOT NULL,
    step INTEGER NOT NULL,
    circuits TEXT NOT NULL,
    backend TEXT NOT NULL,
    calibration TEXT NOT NULL,
    shots INTEGER NOT NULL,
    directory TEXT NOT NULL,
    state TEXT NOT NULL,
    job TEXT,
    usage REAL,
    created TEXT NOT NULL,
    updated TEXT NOT NULL
)
"""


def default_ledger_path() -> Path:
    """``$QBRAIN_LEDGER``, or jobs.sqlite in the user's state folder (XDG)."""
    given = os.environ.get("QBRAIN_LEDGER")
    if given:
        return Path(given)
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "qbrain" / "jobs.sqlite"


@dataclass(frozen=True)
class JobRecord:
    """One row of the ledger.

    Attributes:
        tag: unique name of the job, also given to the service: run, step and circuits' hash.
        run: id of the run.
        step: the run's step, or the first of several that one job holds.
        circuits: SHA-256 of the circuits as sent.
        backend: name of the device.
        calibration: time of the calibration that the circuits were laid out by.
        shots: of each circuit.
        directory: the run's folder.
        state: intended, submitted, done, failed or cancelled.
        job: the service's id, once it is known.
        usage: seconds of quantum time, as the service bills them.
        created, updated: ISO 8601, UTC.
    """

    tag: str
    run: str
    step: int
    circuits: str
    backend: str
    calibration: str
    shots: int
    directory: str
    state: str = "intended"
    job: str | None = None
    usage: float | None = None
    created: str = ""
    updated: str = ""

    def to_dict(self) -> dict[str, str | int | float | None]:
        """The row as plain values."""
        return asdict(self)


class Ledger:
    """The database; every method is on disk when it returns.

    Raises:
        BackendError: if the file cannot be opened or is no ledger.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = default_ledger_path() if path is None else path
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._open() as database:
                database.execute(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise BackendError(f"ledger: cannot open {self.path}: {error}") from None

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        database = sqlite3.connect(self.path, timeout=30)
        try:
            database.row_factory = sqlite3.Row
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=FULL")
            with database:
                yield database
        finally:
            database.close()

    def intend(self, record: JobRecord) -> JobRecord:
        """Write a job down before it is sent; what is known of this tag already stays.

        Returns the row as it now stands.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        values = {**record.to_dict(), "state": "intended", "created": now, "updated": now}
        names = ", ".join(values)
        places = ", ".join(f":{name}" for name in values)
        with self._open() as database:
            database.execute(f"INSERT OR IGNORE INTO jobs ({names}) VALUES ({places})", values)
        found = self.get(record.tag)
        assert found is not None
        return found

    def update(
        self, tag: str, state: str, *, job: str | None = None, usage: float | None = None
    ) -> None:
        """Set the state of a job, and its id or usage where given.

        Raises:
            BackendError: for a state that does not exist, or a tag that is not in the ledger.
        """
        if state not in STATES:
            raise BackendError(f"state: wanted one of {', '.join(STATES)}, got {state!r}")
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with self._open() as database:
            done = database.execute(
                "UPDATE jobs SET state = ?, job = COALESCE(?, job), usage = COALESCE(?, usage), "
                "updated = ? WHERE tag = ?",
                (state, job, usage, now, tag),
            )
            if done.rowcount != 1:
                raise BackendError(f"tag: wanted a job in the ledger, got {tag!r}")

    def renew(self, tag: str) -> None:
        """Forget the id of a job that failed or was cancelled, so that it may be sent again."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with self._open() as database:
            database.execute(
                "UPDATE jobs SET state = 'intended', job = NULL, updated = ? WHERE tag = ?",
                (now, tag),
            )

    def get(self, tag: str) -> JobRecord | None:
        """The job of a tag, or None."""
        with self._open() as database:
            row = database.execute("SELECT * FROM jobs WHERE tag = ?", (tag,)).fetchone()
        return None if row is None else JobRecord(**dict(row))

    def jobs(self, run: str | None = None) -> list[JobRecord]:
        """All jobs, or those of a run, oldest first."""
        query, values = "SELECT * FROM jobs", ()
        if run is not None:
            query, values = "SELECT * FROM jobs WHERE run = ?", (run,)  # type: ignore[assignment]
        with self._open() as database:
            rows = database.execute(f"{query} ORDER BY created, rowid", values).fetchall()
        return [JobRecord(**dict(row)) for row in rows]
