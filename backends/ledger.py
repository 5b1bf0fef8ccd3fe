"""The job ledger: every job ever submitted, on disk before the call that could lose it.

A SQLite database with a write-ahead log, shared by all runs of a user and readable by that user
alone. A job goes through

    intended → submitted → done | failed | cancelled | forgotten

``intended`` is written before anything is sent, ``submitted`` as soon as the service has given
the job its id. A process that dies in between leaves an ``intended`` row whose tag the service
may know: who goes on looks there before sending again. ``forgotten`` says that nobody will collect
the job any more.

The file carries the version of its schema (``PRAGMA user_version``). An older one is brought up to
date when it is opened; one of a later version is refused.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .errors import BackendError

__all__ = ["JobRecord", "Ledger", "default_ledger_path"]

STATES = ("intended", "submitted", "done", "failed", "cancelled", "forgotten")
SCHEMA = 3
_PATIENCE = 10.0  # seconds for which another process may hold the file

_TABLE = """
CREATE TABLE jobs (
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
    updated TEXT NOT NULL,
    instance TEXT NOT NULL DEFAULT '',
    former TEXT NOT NULL DEFAULT '[]',
    account TEXT NOT NULL DEFAULT ''
)
"""
# what each version adds to the one before
_MIGRATIONS = {
    1: (
        "ALTER TABLE jobs ADD COLUMN instance TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE jobs ADD COLUMN former TEXT NOT NULL DEFAULT '[]'",
    ),
    2: ("ALTER TABLE jobs ADD COLUMN account TEXT NOT NULL DEFAULT ''",),
}


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
        tag: unique name of the job, also given to the service.
        run: id of the run.
        step: the run's step, or the first of several that one job holds.
        circuits: SHA-256 of the circuits as sent.
        backend: name of the device.
        calibration: time of the calibration that the circuits were laid out by.
        shots: of each circuit.
        directory: the run's folder.
        state: intended, submitted, done, failed, cancelled or forgotten.
        job: the service's id, once it is known.
        usage: seconds of quantum time, as the service bills them; None as long as it does not say.
        created, updated: ISO 8601, UTC.
        instance: CRN of the service's instance, before that is known its name as the user gave it,
            empty where neither is known.
        account: name of the saved account, empty for the client's default and where not known.
        former: ids of jobs of this tag that were given up.
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
    instance: str = ""
    account: str = ""
    former: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The row as plain values."""
        return vars(self) | {"former": list(self.former)}


_COLUMNS = ", ".join(field.name for field in fields(JobRecord))


def _record(row: sqlite3.Row) -> JobRecord:
    *values, former = row
    record = JobRecord(*values)
    if former == "[]":
        return record
    try:
        return replace(record, former=tuple(str(job) for job in json.loads(former)))
    except (TypeError, ValueError):
        raise BackendError(f"ledger: damaged: the row of {record.tag}") from None


class Ledger:
    """The database; every method is on disk when it returns.

    Every method raises ``BackendError``, in one line, where the file is no ledger, damaged, of a
    later version, held by another process or not to be written.

    Args:
        path: of the file, :func:`default_ledger_path` if None.
        write: whether it is to be written; one that is only read is not made.
    """

    def __init__(self, path: Path | None = None, *, write: bool = True) -> None:
        self.path = default_ledger_path() if path is None else path
        self._write = write
        if not write:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # made here, so that nobody else can read it; its log inherits that
            with suppress(FileExistsError):
                os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except OSError as error:
            raise BackendError(
                f"ledger: cannot open {self.path}: {error.strerror or error}"
            ) from None
        with self._open() as database:
            self._bring_up_to_date(database)

    def _bring_up_to_date(self, database: sqlite3.Connection) -> None:
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version == SCHEMA:
            return
        if version > SCHEMA:
            raise BackendError(
                f"ledger: {self.path} was written by a later version of qbrain: wanted schema "
                f"{SCHEMA}, got {version}"
            )
        # of two processes that come here at once, one waits and finds it done
        database.execute("BEGIN IMMEDIATE")
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version == 0:
            names = [row["name"] for row in database.execute("PRAGMA table_info(jobs)")]
            if not names:
                database.execute(_TABLE)
                version = SCHEMA
            else:
                version = 1  # the first schema bore no number
                if "former" in names:
                    raise BackendError(f"ledger: {self.path} is damaged: its schema has no number")
        while version < SCHEMA:
            for statement in _MIGRATIONS[version]:
                database.execute(statement)
            version += 1
        database.execute(f"PRAGMA user_version = {SCHEMA}")

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(self._connect()) as database, database:
                yield database
        except BackendError:
            raise
        except (sqlite3.Error, OverflowError, TypeError, ValueError) as error:
            # damaged text shows as bytes that do not decode
            raise BackendError(f"ledger: cannot use {self.path}: {error}") from None

    def _connect(self) -> sqlite3.Connection:
        if self._write:
            database = sqlite3.connect(self.path, timeout=_PATIENCE)
        else:
            address = f"{self.path.resolve().as_uri()}?mode=ro"
            database = sqlite3.connect(address, timeout=_PATIENCE, uri=True)
        database.row_factory = sqlite3.Row
        if self._write:
            # two that change it at once do not wait for each other; the other journal is as safe
            with suppress(sqlite3.OperationalError):
                database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=FULL")
        return database

    def intend(self, record: JobRecord) -> JobRecord:
        """Write a job down before it is sent; what is known of this tag already stays.

        Returns the row as it now stands.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        values = {
            **record.to_dict(),
            "state": "intended",
            "created": now,
            "updated": now,
            "former": json.dumps(list(record.former)),
        }
        names = ", ".join(values)
        places = ", ".join(f":{name}" for name in values)
        with self._open() as database:
            database.execute(f"INSERT OR IGNORE INTO jobs ({names}) VALUES ({places})", values)
        found = self.get(record.tag)
        if found is None:
            raise BackendError(f"ledger: {self.path} did not keep the job {record.tag}")
        return found

    def update(
        self,
        tag: str,
        state: str,
        *,
        job: str | None = None,
        usage: float | None = None,
        instance: str | None = None,
    ) -> None:
        """Set the state of a job, and its id, usage or instance where given.

        Raises:
            BackendError: for a state that does not exist, or a tag that is not in the ledger.
        """
        if state not in STATES:
            raise BackendError(f"state: wanted one of {', '.join(STATES)}, got {state!r}")
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with self._open() as database:
            done = database.execute(
                "UPDATE jobs SET state = ?, job = COALESCE(?, job), usage = COALESCE(?, usage), "
                "instance = COALESCE(?, instance), updated = ? WHERE tag = ?",
                (state, job, usage, instance, now, tag),
            )
            if done.rowcount != 1:
                raise BackendError(f"tag: wanted a job in the ledger, got {tag!r}")

    def renew(self, tag: str) -> None:
        """Give up the job of a tag, so that it may be sent again; its id stays among ``former``."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with self._open() as database:
            database.execute("BEGIN IMMEDIATE")
            row = database.execute(f"SELECT {_COLUMNS} FROM jobs WHERE tag = ?", (tag,)).fetchone()
            if row is None:
                return
            record = _record(row)
            former = [*record.former, *([record.job] if record.job else [])]
            database.execute(
                "UPDATE jobs SET state = 'intended', job = NULL, usage = NULL, former = ?, "
                "updated = ? WHERE tag = ?",
                (json.dumps(list(dict.fromkeys(former))), now, tag),
            )

    def get(self, tag: str) -> JobRecord | None:
        """The job of a tag, or None."""
        with self._open() as database:
            row = database.execute(f"SELECT {_COLUMNS} FROM jobs WHERE tag = ?", (tag,)).fetchone()
        return None if row is None else _record(row)

    def find(self, job: str) -> JobRecord | None:
        """The row of a job's id, also of one that was given up, or None."""
        with self._open() as database:
            rows = database.execute(
                f"SELECT {_COLUMNS} FROM jobs WHERE job = ? OR former LIKE ? ESCAPE '\\'",
                (job, f'%"{_escaped(job)}"%'),
            ).fetchall()
        found = [_record(row) for row in rows]
        return next((r for r in found if r.job == job), next(iter(found), None))

    def jobs(self, run: str | None = None) -> list[JobRecord]:
        """All jobs, or those of a run, oldest first."""
        if not self._write and not self.path.exists():
            return []
        query, values = f"SELECT {_COLUMNS} FROM jobs", ()
        if run is not None:
            query += " WHERE run = ?"
            values = (run,)  # type: ignore[assignment]
        with self._open() as database:
            rows = database.execute(f"{query} ORDER BY created, rowid", values).fetchall()
        return [_record(row) for row in rows]

    def table(self, columns: Sequence[str]) -> list[tuple[Any, ...]]:
        """Some columns of all jobs, oldest first: what a table of many shows.

        Raises:
            BackendError: for a column that there is not.
        """
        unknown = set(columns) - set(_COLUMNS.split(", "))
        if unknown:
            raise BackendError(f"columns: wanted those of a job, got {sorted(unknown)[0]}")
        if not self._write and not self.path.exists():
            return []
        with self._open() as database:
            query = f"SELECT {', '.join(columns)} FROM jobs ORDER BY created, rowid"
            return list(map(tuple, database.execute(query)))

    def unfinished(self) -> list[JobRecord]:
        """Jobs that are not known to have ended, and those whose usage is not known; oldest first.

        Not those that were given up.
        """
        with self._open() as database:
            rows = database.execute(
                f"SELECT {_COLUMNS} FROM jobs WHERE state = 'intended' OR (job IS NOT NULL AND "
                "(state = 'submitted' OR (state = 'done' AND usage IS NULL))) "
                "ORDER BY created, rowid"
            ).fetchall()
        return [_record(row) for row in rows]


def _escaped(text: str) -> str:
    for sign in "\\%_":
        text = text.replace(sign, f"\\{sign}")
    return text
