"""Runs on IBM Quantum's interface: the genuine client against the loopback server."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import xarray as xr
from command_line import qbrain

from qbrain.backends.ledger import Ledger

pytestmark = pytest.mark.usefixtures("own_ledger")

RUN = ["run", "lmg", "--backend", "ibm_fez", "--neurons", "6", "--gamma", "0.8", "--seed", "1"]
RUN += ["--encoding", "dicke", "--time", "3", "--steps", "5", "--shots", "1000"]
RUN += ["--mitigation", "readout+echo"]
STEPS = 6


def numbers(path):
    data = xr.load_dataset(Path(path) / "result.nc", engine="h5netcdf")
    return data.drop_attrs()


def finish(path):
    """Resume until the run is done; every stop must be the orderly one."""
    for _ in range(10):
        code, out, err = qbrain("resume", path, "--json")
        if code == 0:
            return json.loads(out)
        assert code == 4, err
        assert f"qbrain resume {path}" in err
    raise AssertionError("the run does not come to its end")


FORMS = {
    "dicke replay": (["--encoding", "dicke", "--steps", "3"], 4),
    "dicke orbit": (["--encoding", "dicke", "--evolution", "orbit"], 1),
    "dicke fast-forward": (["--encoding", "dicke", "--evolution", "fast-forward"], 1),
    "dicke fast-forward, live": (
        ["--encoding", "dicke", "--evolution", "fast-forward", "--dispatch", "live"],
        6,
    ),
    "dicke relax": (["--encoding", "dicke", "--evolution", "relax"], None),
    "qubit replay": (["--neurons", "4", "--steps", "2", "--time", "1"], 3),
    "qubit fast-forward": (["--gamma", "1", "--evolution", "fast-forward"], 1),
    "fractional gates": (
        ["--gamma", "1", "--evolution", "fast-forward", "--fractional-gates", "true"],
        1,
    ),
    "echoes": (
        ["--neurons", "4", "--evolution", "fast-forward", "--mitigation", "parity+echo"],
        1,
    ),
    "all mitigations on two lines": (
        [
            *("--neurons", "4", "--steps", "2", "--time", "1", "--placements", "2"),
            *("--mitigation", "parity+readout+echo+zne"),
        ],
        3,
    ),
    "qubit orbit": (["--gamma", "1", "--evolution", "orbit"], 1),
    "twirled and decoupled": (
        [
            "--gamma",
            "1",
            "--evolution",
            "orbit",
            "--twirling",
            "both",
            "--dynamical-decoupling",
            "XY4",
        ],
        1,
    ),
    "qubit relax": (["--gamma", "1", "--evolution", "relax"], None),
}


# the rest is like one of these with another encoding
FAST_FORMS = {
    "dicke replay", "dicke orbit", "dicke fast-forward, live", "qubit fast-forward",
    "all mitigations on two lines",
}  # fmt: skip


def fast_and_slow(names, fast):
    return [name if name in fast else pytest.param(name, marks=pytest.mark.slow) for name in names]


@pytest.mark.parametrize("form", fast_and_slow(FORMS, FAST_FORMS))
def test_every_form_from_backends_to_report(start_ibm, form):
    server = start_ibm()
    options, jobs = FORMS[form]
    base = ["run", "lmg", "--backend", "ibm_fez", "--neurons", "6", "--gamma", "0.8", "--seed"]
    base += ["1", "--time", "3", "--steps", "5", "--shots", "1000"]
    listed = json.loads(qbrain("backends", "--json")[1])["backends"]
    assert "ibm_fez" in {row["name"] for row in listed}
    code, out, err = qbrain(*base, *options, "--out", "run", "--json")
    assert code == 0, err
    result = json.loads(out)
    assert result["validated"] == result["circuits"]
    assert result["rmse_excitation"] < 0.15
    rows = json.loads(qbrain("jobs", "--json")[1])["jobs"]
    assert {row["state"] for row in rows} == {"done"}
    assert {row["backend"] for row in rows} == {"ibm_fez"}
    assert all(row["usage"] > 0 for row in rows)
    assert len(rows) == server.submissions() == (jobs or result["rounds"])
    page = Path("run/report.html").read_text()
    assert "on ibm_fez, simulated by 127.0.0.1" in page
    assert "calibration" in Path("run/run.toml").read_text()
    for path in [*(p for p in Path("run").rglob("*") if p.is_file()), Path("ledger.sqlite")]:
        assert server.token.encode() not in path.read_bytes(), path
    assert server.token not in out + err


@pytest.fixture
def undisturbed(start_ibm):
    """The numbers of a run that nothing happened to, on a server of its own."""
    start_ibm()
    code, _, err = qbrain(*RUN, "--out", "undisturbed", "--json")
    assert code == 0, err
    Path("ledger.sqlite").unlink()
    return numbers("undisturbed")


def taken_but_500(server):
    """The client sends such a job again by itself; while both wait, one is cancelled."""
    server.hold()
    server.fail(500, method="POST", path="/jobs$", after=True)
    threading.Timer(3.0, server.release).start()


FAULTS = {
    "connections refused for a while": lambda s: s.refuse(2.0),
    "500 when a job is sent": lambda s: s.fail(500, count=3, method="POST", path="/jobs$"),
    "429 for a while": lambda s: s.fail(429, count=4, skip=3),
    "500 on results": lambda s: s.fail(500, count=3, path="/results"),
    "a token that expires": lambda s: s.revoke_tokens(),
    "a job that fails": lambda s: s.fail_jobs(1),
    "half an answer to a job": lambda s: s.cut(method="POST", path="/jobs$"),
    "half a result": lambda s: s.cut(count=2, path="/results"),
    "500 after a job was taken, in a queue": taken_but_500,
    "no answer to a job": lambda s: s.drop(method="POST", path="/jobs$"),
    "a session that closes early": lambda s: s.close_session(after_jobs=1) if s.sessions else None,
}


FAST_FAULTS = {
    "a token that expires", "a job that fails", "a session that closes early",
}  # fmt: skip


@pytest.mark.parametrize("fault", fast_and_slow(FAULTS, FAST_FAULTS))
def test_a_fault_loses_nothing_and_sends_nothing_twice(start_ibm, undisturbed, fault):
    server = start_ibm()
    # let two steps pass first, then strike
    with qbrain_paused_after(2) as strike:
        strike.append(lambda: FAULTS[fault](server))
        code, _, err = qbrain(*RUN, "--out", "run", "--json")
    if code != 0:
        assert code == 4, err
        finish("run")
    xr.testing.assert_identical(numbers("run"), undisturbed)
    # a job that the service itself failed is the only one that may be sent again
    lost = 1 if fault in ("a job that fails", "a session that closes early") else 0
    taken = [job for job in server.jobs.values() if job.state != "CANCELLED"]
    assert STEPS <= len(taken) <= STEPS + lost
    assert [j.step for j in Ledger().jobs()] == list(range(STEPS))


@contextlib.contextmanager
def qbrain_paused_after(steps):
    """Call what is put into the list once the journal has ``steps`` lines."""
    from qbrain.experiments.engine.folder import RunDirectory

    strike, original = [], RunDirectory.append_step

    def append(self, record):
        original(self, record)
        if record["step"] + 1 == steps:
            while strike:
                strike.pop()()

    RunDirectory.append_step = append
    try:
        yield strike
    finally:
        RunDirectory.append_step = original


def test_a_job_cancelled_on_the_server_is_told_and_sent_again_on_resume(start_ibm, undisturbed):
    server = start_ibm()
    with qbrain_paused_after(2) as strike:
        strike.append(server.hold)
        process = subprocess.Popen(
            [sys.executable, "-m", "qbrain.experiments.cli", *RUN, "--out", "run"],
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        wait_for(lambda: server.submissions() >= 1)
        server.hold()
        wait_for(lambda: any(j.state == "QUEUED" for j in server.jobs.values()) or process.poll())
        server.cancel_job()
        _, err = process.communicate(timeout=60)
    assert process.returncode == 4, err
    assert "cancelled" in err
    server.release()
    finish("run")
    xr.testing.assert_identical(numbers("run"), undisturbed)


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("wanted", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_kill_9_at_random_points_submits_nothing_twice(start_ibm, undisturbed, wanted):
    server = start_ibm()
    chance, kills = random.Random(5), 0
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    number = 0
    while kills < wanted:
        number += 1
        path, first = f"run{number}", True
        while True:
            arguments = [*RUN, "--out", path] if first else ["resume", path]
            process = subprocess.Popen(
                [sys.executable, "-m", "qbrain.experiments.cli", *arguments],
                env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
            # the first request is the end of the imports: from there on anything may be cut
            before = len(server.requests())
            wait_for(lambda b=before, p=process: len(server.requests()) > b or p.poll() is not None)
            # a busy machine may never finish within that time: enough kills, and it is left alone
            pause = chance.uniform(0.2, 2.0) if kills < wanted else 300
            try:
                _, err = process.communicate(timeout=pause)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.communicate()
                kills += 1
                first = not (Path(path) / "run.toml").exists()
                continue
            assert process.returncode == 0, err
            break
        xr.testing.assert_identical(numbers(path), undisturbed)
        # each run has jobs of its own: as many as it has steps, however often it was killed
        assert server.submissions() == number * STEPS
    assert kills >= wanted


def test_an_open_plan_without_sessions_falls_back_and_says_so(start_ibm):
    server = start_ibm(plan="open")
    code, _, err = qbrain(*RUN, "--out", "run", "--json")
    assert code == 0, err
    assert server.submissions() == STEPS
    code, _, err = qbrain(*RUN, "--out", "other", "--execution-mode", "session")
    assert code == 4
    assert "session" in err.lower()


def test_what_is_refused_sends_nothing(start_ibm):
    server = start_ibm()
    code, _, err = qbrain(*RUN, "--max-qpu-seconds", "1")
    assert code == 3
    assert "qpu seconds" in err
    code, _, err = qbrain("run", "lmg", "--backend", "ibm_nowhere")
    assert code == 2
    assert "ibm_fez" in err
    code, out, _ = qbrain("estimate", "lmg", "--backend", "ibm_fez", "--json")
    assert code == 0
    assert json.loads(out)["qpu_seconds"] > 17 * 2
    assert server.submissions() == 0


def test_a_job_is_cancelled_by_its_id(start_ibm):
    server = start_ibm()
    server.hold()
    process = subprocess.Popen(
        [sys.executable, "-m", "qbrain.experiments.cli", *RUN, "--out", "run"],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    wait_for(lambda: any(j.job for j in Ledger().jobs()))
    job = Ledger().jobs()[0].job
    assert qbrain("cancel", job)[0] == 0
    _, err = process.communicate(timeout=60)
    assert process.returncode == 4
    assert "cancelled" in err
    assert qbrain("cancel", "unknown")[0] == 2
