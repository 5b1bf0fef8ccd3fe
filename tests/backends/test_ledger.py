"""The job ledger: schema and migration, who may read it, what it does when it cannot be used."""

import json
import os
import sqlite3
import stat
import threading
import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qbrain.backends.errors import BackendError
from qbrain.backends.ledger import SCHEMA, JobRecord, Ledger

# as version 0.2 made it, without a number
FIRST = """
CREATE TABLE jobs (
    tag TEXT PRIMARY KEY, run TEXT NOT NULL, step INTEGER NOT NULL, circuits TEXT NOT NULL,
    backend TEXT NOT NULL, calibration TEXT NOT NULL, shots INTEGER NOT NULL,
    directory TEXT NOT NULL, state TEXT NOT NULL, job TEXT, usage REAL,
    created TEXT NOT NULL, updated TEXT NOT NULL
)
"""


def row(tag="qbrain-r-0", **other):
    values = {
        "tag": tag,
        "run": "r",
        "step": 0,
        "circuits": "c",
        "backend": "ibm_fez",
        "calibration": "today",
        "shots": 100,
        "directory": "/somewhere",
    }
    return JobRecord(**{**values, **other})


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "state" / "jobs.sqlite")


def test_only_its_owner_can_read_it(ledger):
    ledger.intend(row())
    for path in ledger.path.parent.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    assert stat.S_IMODE(ledger.path.parent.stat().st_mode) & 0o077 == 0


def test_a_job_from_intention_to_its_bill(ledger):
    assert ledger.intend(row()).state == "intended"
    ledger.update("qbrain-r-0", "submitted", job="j1", instance="crn")
    ledger.update("qbrain-r-0", "done")
    found = ledger.get("qbrain-r-0")
    # what is not known is no number
    assert (found.state, found.job, found.usage, found.instance) == ("done", "j1", None, "crn")
    ledger.update("qbrain-r-0", "done", usage=2.5)
    assert ledger.get("qbrain-r-0").usage == 2.5
    # what stands is not written over
    assert ledger.intend(row(shots=7)).shots == 100


def test_a_failed_job_is_not_the_job_any_more_once_it_is_renewed(ledger):
    ledger.intend(row())
    for job in ("j1", "j2"):
        ledger.update("qbrain-r-0", "submitted", job=job)
        ledger.update("qbrain-r-0", "failed")
        ledger.renew("qbrain-r-0")
        found = ledger.get("qbrain-r-0")
        assert (found.state, found.job) == ("intended", None)
    assert found.former == ("j1", "j2")
    assert ledger.find("j1").tag == "qbrain-r-0"
    assert ledger.find("j") is None
    assert ledger.find("j_") is None


def test_the_first_schema_is_brought_up_to_date(tmp_path):
    path = tmp_path / "jobs.sqlite"
    with sqlite3.connect(path) as database:
        database.execute(FIRST)
        values = ("t", "r", 3, "c", "ibm_fez", "cal", 10, "/d", "submitted", "j1", None, "a", "b")
        database.execute(f"INSERT INTO jobs VALUES ({', '.join('?' * 13)})", values)
    database.close()
    ledger = Ledger(path)
    (found,) = ledger.jobs()
    assert (found.tag, found.step, found.job, found.former) == ("t", 3, "j1", ())
    assert (found.instance, found.account) == ("", "")
    ledger.renew("t")
    assert Ledger(path).get("t").former == ("j1",)
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (SCHEMA,)
    database.close()


def test_a_row_of_the_second_schema_has_the_default_account(tmp_path):
    path = tmp_path / "jobs.sqlite"
    Ledger(path).intend(row(instance="crn", account="work"))
    with sqlite3.connect(path) as database:
        database.execute("ALTER TABLE jobs DROP COLUMN account")
        database.execute("PRAGMA user_version = 2")
    database.close()
    (found,) = Ledger(path).jobs()
    assert found == row(instance="crn", account="", created=found.created, updated=found.updated)


@pytest.mark.parametrize("begun", ["empty", "first"])
def test_several_processes_may_open_it_at_once(tmp_path, begun):
    path = tmp_path / "jobs.sqlite"
    if begun == "first":
        with sqlite3.connect(path) as database:
            database.execute(FIRST)
        database.close()
    faults = []

    def work(number):
        try:
            Ledger(path).intend(row(f"t{number}", step=number))
        except BackendError as error:
            faults.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    assert sorted(r.step for r in Ledger(path).jobs()) == list(range(8))


def test_a_later_schema_is_refused(ledger):
    with sqlite3.connect(ledger.path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(BackendError, match=r"later version of qbrain: wanted schema 3, got 99"):
        Ledger(ledger.path)


@pytest.mark.parametrize("content", [b"no database at all, but a text", b"\x00" * 4096])
def test_what_is_no_ledger_is_refused_in_a_line(tmp_path, content):
    path = tmp_path / "jobs.sqlite"
    path.write_bytes(content)
    with pytest.raises(BackendError, match=r"^ledger: cannot use .*jobs\.sqlite") as caught:
        Ledger(path)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == content


@settings(max_examples=40)
@given(st.integers(0, 8191), st.integers(0, 255))
def test_a_damaged_file_is_refused_or_gives_rows(tmp_path_factory, place, value):
    path = tmp_path_factory.mktemp("ledger") / "jobs.sqlite"
    ledger = Ledger(path)
    ledger.intend(row())
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    raw = bytearray(path.read_bytes())
    raw[place % len(raw)] = value
    path.write_bytes(raw)
    for other in path.parent.glob("jobs.sqlite-*"):
        other.unlink()
    # anything else than rows or our own error fails the test
    with suppress(BackendError):
        assert all(isinstance(found, JobRecord) for found in Ledger(path).jobs())


def test_one_that_is_held_by_another_process_ends_in_a_line(ledger, monkeypatch):
    monkeypatch.setattr("qbrain.backends.ledger._PATIENCE", 0.2)
    holder = sqlite3.connect(ledger.path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    began = time.monotonic()
    with pytest.raises(BackendError, match="database is locked"):
        ledger.intend(row())
    assert time.monotonic() - began < 5
    holder.execute("ROLLBACK")
    holder.close()
    ledger.intend(row())


def test_a_folder_that_is_a_file_ends_in_a_line(tmp_path):
    (tmp_path / "state").write_text("a file")
    with pytest.raises(BackendError, match="ledger: cannot open"):
        Ledger(tmp_path / "state" / "jobs.sqlite")


def test_one_that_is_only_read_is_not_made(tmp_path):
    ledger = Ledger(tmp_path / "none.sqlite", write=False)
    assert ledger.jobs() == []
    assert not ledger.path.exists()


def test_a_few_thousand_rows_are_listed_as_plain_text(ledger, monkeypatch, capsys):
    from qbrain.experiments.jobs import print_jobs

    monkeypatch.setenv("QBRAIN_LEDGER", str(ledger.path))
    columns = "tag, run, step, circuits, backend, calibration, shots, directory, state, created"
    with sqlite3.connect(ledger.path) as database:
        database.executemany(
            f"INSERT INTO jobs ({columns}, updated) VALUES (?, 'r', ?, 'c', 'b', 'k', 1, 'd', "
            "'done', '2026', '2026')",
            ((f"t{n:06d}", n) for n in range(5_000)),
        )
    database.close()
    print_jobs(as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5_001
    assert lines[0].split() == [
        "job",
        "state",
        "backend",
        "step",
        "shots",
        "seconds_billed",
        "created",
        "directory",
    ]
    assert lines[-1].split() == ["–", "done", "b", "4999", "1", "–", "2026", "d"]
    print_jobs(as_json=True)
    jobs = json.loads(capsys.readouterr().out)["jobs"]
    assert [job["step"] for job in jobs] == list(range(5_000))


def test_it_is_read_where_it_cannot_be_written(ledger, monkeypatch, capsys):
    from qbrain.experiments.jobs import print_jobs

    ledger.intend(row())
    monkeypatch.setenv("QBRAIN_LEDGER", str(ledger.path))
    real = os.open

    def refuse(path, flags, *rest, **options):
        if flags & os.O_CREAT and str(path).endswith("jobs.sqlite"):
            raise PermissionError(30, "Read-only file system")
        return real(path, flags, *rest, **options)

    monkeypatch.setattr(os, "open", refuse)
    print_jobs(as_json=True)
    assert [job["tag"] for job in json.loads(capsys.readouterr().out)["jobs"]] == ["qbrain-r-0"]
