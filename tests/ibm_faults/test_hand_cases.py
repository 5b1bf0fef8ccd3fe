"""What users of IBM Quantum have met, one at a time: what is said, what is sent, what is kept."""

from __future__ import annotations

import json
import re
import signal
import time
from dataclasses import replace
from typing import Any

import pytest
from ibm_loopback.answers import DEVICES, METRICS, edited
from ibm_loopback.faults import FOREVER
from ibm_loopback.limits import Limits

from ibm_faults.cells import REQUESTS, fault
from ibm_faults.harness import FORMS, HELD, NOTHING, Ended, Runner, Trial, begun_and_killed

ORBIT = FORMS["orbit"][0]


def said(ended: Ended) -> str:
    assert "Traceback" not in ended.err
    return f"{ended.out}\n{ended.err}"


def ledger(runner: Runner, trial: Trial, *more: str) -> list[dict[str, Any]]:
    ended = runner.command(["jobs", "--json", *more], trial)
    assert ended.code == 0, ended.err
    rows: list[dict[str, Any]] = json.loads(ended.out)["jobs"]
    return rows


def with_option(name: str, value: str) -> list[str]:
    found = list(ORBIT)
    found[found.index(name) + 1] = value
    return found


# ---- before anything is sent


@pytest.mark.parametrize("status", [pytest.param("paused", marks=pytest.mark.slow), "maintenance"])
def test_a_device_that_runs_nothing_is_told_in_all_places(runner: Runner, status: str) -> None:
    with runner.trial(NOTHING) as trial:
        trial.server.set_device("ibm_fez", status, "Cooling down until Monday.")
        assert status in " ".join(runner.command(["backends"], trial).out.split())
        assert status in said(runner.command(["estimate", "lmg", *ORBIT], trial))


@pytest.mark.slow
def test_a_run_on_a_device_that_runs_nothing_says_so(runner: Runner) -> None:
    with runner.trial(NOTHING) as trial:
        trial.server.set_device("ibm_fez", "maintenance", "Cooling down until Monday.")
        assert "maintenance" in said(runner.run(HELD, trial))


@pytest.mark.parametrize(
    ("options", "limits"),
    [
        (with_option("--shots", "100001"), Limits()),
        pytest.param(
            [*with_option("--shots", "100000"), "--steps", "120"], Limits(), marks=pytest.mark.slow
        ),
    ],
    ids=["shots", "executions"],
)
def test_jobs_beyond_the_limits_are_refused_or_split_before_they_are_sent(
    runner: Runner, options: list[str], limits: Limits
) -> None:
    with runner.trial(replace(NOTHING, options={"limits": limits})) as trial:
        ended = runner.command(["estimate", "lmg", *options, "--json"], trial)
        if ended.code == 0:
            assert json.loads(ended.out)["jobs"] > 1
        else:
            assert ended.code == 2
            assert re.search("shots|execution", ended.last)
        assert trial.server.requests("POST", "/jobs$") == []


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(DEVICES["properties"]))
def test_a_calibration_with_something_missing_is_no_traceback(runner: Runner, name: str) -> None:
    with runner.trial(NOTHING) as trial:
        change = DEVICES["properties"][name]
        trial.server.alter(change, path="/properties$", count=FOREVER)
        ended = runner.command(["estimate", "lmg", *ORBIT], trial)
        said(ended)
        assert ended.code in (0, 2, 4)
        assert ended.code == 0 or ended.last.startswith("qbrain: ")
        if name in ("new fields", "a qubit without"):
            assert ended.code in (0, 4)


@pytest.mark.slow
def test_a_token_refused_where_the_calibration_is_read_is_replaced(runner: Runner) -> None:
    with runner.trial(NOTHING) as trial:
        trial.server.faults.append(fault("401", "properties"))
        assert runner.run(NOTHING, trial).code == 0


def coin(qubits: set[int] | None) -> Any:
    """A calibration by which these qubits, or all, are read no better than by a coin."""

    def edit(properties: dict[str, Any]) -> None:
        for number, entries in enumerate(properties["qubits"]):
            for entry in entries if qubits is None or number in qubits else ():
                if entry["name"] in ("readout_error", "prob_meas0_prep1", "prob_meas1_prep0"):
                    entry["value"] = 0.5

    return edited(edit)


def test_a_device_that_reads_nothing_is_refused_in_a_line(runner: Runner) -> None:
    with runner.trial(NOTHING) as trial:
        trial.server.alter(coin(None), path="/properties$", count=FOREVER)
        ended = runner.run(NOTHING, trial)
        assert ended.code == 2
        assert "a line of 2 on ibm_fez" in ended.last
        assert "better than by a coin" in ended.last
        assert trial.server.requests("POST", "/jobs$") == []


@pytest.mark.slow
def test_a_run_keeps_off_qubits_that_read_nothing(runner: Runner) -> None:
    with runner.trial(NOTHING) as trial:
        trial.server.alter(coin({136}), path="/properties$", count=FOREVER)
        assert runner.run(NOTHING, trial).code == 0
        (place,) = json.loads((trial.run / "device.json").read_text())["places"]
        assert 136 not in place


@pytest.mark.slow
def test_one_broken_device_of_two_does_not_hide_the_other(runner: Runner) -> None:
    """The list of devices, and a run on the whole one, with the other's answers broken."""
    cell = replace(NOTHING, options={"devices": ["ibm_torino", "ibm_fez"]})
    with runner.trial(cell) as trial:
        trial.server.fail(500, path="ibm_torino", count=FOREVER)
        listed = runner.command(["backends"], trial)
        assert listed.code == 0, listed.err
        assert "ibm_fez" in listed.out
        assert "Traceback" not in listed.err
        assert runner.run(cell, trial).code == 0


# ---- jobs and sessions


@pytest.mark.slow
def test_a_run_of_one_job_opens_no_session(runner: Runner) -> None:
    cell = replace(NOTHING, mode="auto")
    with runner.trial(cell) as trial:
        assert runner.run(cell, trial).code == 0
        assert trial.server.submissions() == 1
        assert trial.server.sessions == {}


@pytest.mark.slow
def test_a_job_that_waits_is_told_and_asked_for_seldom(runner: Runner) -> None:
    with runner.trial(NOTHING) as trial:
        trial.server.hold()
        begun = time.monotonic()
        ended = runner.run(
            NOTHING,
            trial,
            kill=lambda: time.monotonic() - begun > 7 and trial.server.submissions() > 0,
            by=signal.SIGINT,
            hurry=False,
        )
        (job,) = trial.server.jobs
        assert job in ended.err
        assert re.search("(?i)queue|wait", ended.err)
        assert ended.code == 130
        assert "qbrain resume" in ended.last
        asked = trial.server.requests("GET", f"/jobs/{job}$")
        times = [request.time for request in asked]
        assert len(asked) < 14
        assert times == sorted(times)
        trial.server.release()
        trial.settle()
        assert [row["state"] for row in ledger(runner, trial, "--refresh")] == ["done"]
        assert runner.command(["resume", "run"], trial).code == 0
        assert trial.server.submissions() == 1


@pytest.mark.slow
@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_no_session_open(runner: Runner, by: int) -> None:
    cell = replace(HELD, form="replay", mode="session")
    with runner.trial(cell) as trial:
        trial.server.hold()
        ended = runner.run(
            cell,
            trial,
            kill=lambda: bool(trial.server.requests("GET", REQUESTS["poll"][1])),
            by=by,
        )
        if by == signal.SIGINT:
            assert ended.code == 130
            assert not any(s.accepting_jobs for s in trial.server.sessions.values())
        trial.server.release()
        assert runner.command(["resume", "run"], trial, cell).code == 0
        assert trial.server.submissions() == 3


@pytest.mark.parametrize(
    "count", [1, pytest.param(FOREVER, marks=pytest.mark.slow)], ids=["once", "for ever"]
)
def test_a_job_counts_whatever_device_the_answer_names(runner: Runner, count: int) -> None:
    with runner.trial(NOTHING) as trial:
        trial.server.alter("submission: another device", path="/jobs$", method="POST", count=count)
        assert runner.run(NOTHING, trial).code == 0
        assert trial.server.submissions() == 1


@pytest.mark.slow
def test_a_job_without_a_device_counts_though_the_list_hides_it(runner: Runner) -> None:
    with runner.trial(NOTHING) as trial:
        trial.server.alter("submission: no device", path="/jobs$", method="POST", count=FOREVER)
        trial.server.alter(
            "list: empty although there are jobs", path="/jobs$", method="GET", count=FOREVER
        )
        assert runner.run(NOTHING, trial).code == 0
        assert trial.server.submissions() == 1


@pytest.mark.slow
def test_the_job_of_another_device_is_not_taken_for_ones_own(runner: Runner) -> None:
    with runner.trial(NOTHING) as trial:
        trial.server.alter("submission: another device", path="/jobs$", method="POST")
        trial.server.alter("job: another device", path=REQUESTS["poll"][1], count=FOREVER)
        ended = runner.run(NOTHING, trial)
        (job,) = trial.server.jobs
        assert ended.code == 4
        assert f"job {job} of step 0 is a job of ibm_elsewhere" in ended.last
        assert "--resend 0" in ended.last
        trial.server.clear()
        assert runner.command(["resume", "run"], trial).code == 0
        assert trial.server.submissions() == 1


@pytest.mark.slow
def test_retry_after_is_honoured(runner: Runner) -> None:
    with runner.trial(NOTHING) as trial:
        trial.server.fail(429, retry_after=2, method="POST", path="/jobs$")
        assert runner.run(NOTHING, trial, hurry=False).code == 0
        refused, taken = trial.server.requests("POST", "/jobs$")
        assert 2.0 <= taken.time - refused.time < 4.0


# ---- what it cost


@pytest.mark.slow
def test_usage_that_is_not_told_is_asked_for_later(runner: Runner) -> None:
    with runner.trial(NOTHING) as trial:
        trial.server.alter(METRICS["usage of null"], path="/metrics$")
        assert runner.run(NOTHING, trial).code == 0
        (row,) = ledger(runner, trial, "--refresh")
        assert row["state"] == "done"
        assert row["usage"] > 2


# ---- commands of the ledger


@pytest.mark.slow
def test_collect_fetches_and_sends_nothing(runner: Runner) -> None:
    with runner.trial(NOTHING) as trial:
        begun_and_killed(runner, trial)
        ended = runner.command(["collect", "run"], trial)
        assert ended.code == 0, ended.err
        assert trial.server.submissions() == 1
        assert trial.server.requests("GET", "/results$")
        # what was collected outlives the service
        trial.server.delete_job()
        assert runner.command(["resume", "run"], trial).code == 0
        assert trial.server.submissions() == 0


@pytest.mark.slow
def test_collect_of_a_job_that_still_waits(runner: Runner) -> None:
    with runner.trial(NOTHING) as trial:
        trial.server.hold()
        runner.run(HELD, trial)
        ended = runner.command(["collect", "run"], trial)
        said(ended)
        assert ended.code in (0, 4)
        assert ended.seconds < 8
        assert trial.server.submissions() == 1


@pytest.mark.slow
def test_a_job_that_is_forgotten_is_sent_again(runner: Runner) -> None:
    with runner.trial(NOTHING) as trial:
        trial.server.hold()
        ended = runner.run(
            NOTHING,
            trial,
            kill=lambda: bool(trial.server.requests("GET", REQUESTS["poll"][1])),
        )
        assert ended.code == -signal.SIGKILL
        (row,) = ledger(runner, trial)
        assert runner.command(["jobs", "--forget", row["job"]], trial).code == 0
        trial.server.cancel_job(row["job"])
        trial.server.release()
        ended = runner.command(["resume", "run"], trial)
        assert ended.code == 0, ended.err
        assert trial.server.submissions() == 2


@pytest.mark.slow
def test_a_job_that_the_service_lost_is_sent_again_when_that_is_wanted(runner: Runner) -> None:
    with runner.trial(NOTHING) as trial:
        trial.server.hold()
        runner.run(
            NOTHING,
            trial,
            kill=lambda: bool(trial.server.requests("GET", REQUESTS["poll"][1])),
        )
        trial.server.delete_job()
        trial.server.release()
        ended = runner.command(["resume", "run"], trial)
        assert ended.code == 4
        assert "--resend" in ended.last
        assert trial.server.submissions() == 0
        assert runner.command(["resume", "run", "--resend", "0"], trial).code == 0
        assert trial.server.submissions() == 1


def test_an_answer_that_is_no_result_is_kept_as_it_came(runner: Runner) -> None:
    with runner.trial(NOTHING) as trial:
        trial.server.alter("result: half the text", path="/results$", count=FOREVER)
        ended = runner.run(NOTHING, trial)
        assert ended.code == 4
        (kept,) = (trial.run / "sent").glob("0000.answer*")
        (job,) = trial.server.jobs.values()
        assert kept.read_text() == job.result[: len(job.result) // 2]
        trial.server.clear()
        assert runner.command(["resume", "run"], trial).code == 0
        assert trial.server.submissions() == 1


@pytest.mark.slow
def test_no_key_in_what_is_said_or_kept_of_a_refusal(runner: Runner) -> None:
    with runner.trial(NOTHING) as trial:
        trial.server.faults.append(fault("401", "submit", FOREVER))
        ended = runner.run(NOTHING, trial)
        assert ended.code == 4
        key = trial.server.token
        assert key not in said(ended)
        for path in trial.folder.rglob("*"):
            assert path.is_dir() or key.encode() not in path.read_bytes(), path
