"""A run that goes on under another account than the one that sent its job."""

from __future__ import annotations

import json
import signal
from dataclasses import replace

import pytest
from ibm_loopback.faults import FOREVER

from ibm_faults.cells import REQUESTS
from ibm_faults.harness import NOTHING, Runner, Trial, begun_and_killed


def another_account(trial: Trial) -> tuple[str, str]:
    """Change it; returns what it was."""
    before = trial.server.token, trial.server.instance
    trial.server.change_account("another-key", trial.server.instance.replace("00000000", "7" * 8))
    return before


def test_a_job_that_another_account_may_have_is_not_sent_twice(runner: Runner) -> None:
    with runner.trial(NOTHING) as trial:
        begun_and_killed(runner, trial)
        first = another_account(trial)
        ended = runner.command(["resume", "run"], trial)
        assert ended.code == 4
        assert first[1] in ended.last
        assert "--resend 0" in ended.last
        assert trial.server.submissions() == 1
        trial.server.change_account(*first)
        assert runner.command(["resume", "run"], trial).code == 0
        assert trial.server.submissions() == 1


@pytest.mark.slow
def test_another_account_sends_what_is_to_be_sent_again(runner: Runner) -> None:
    with runner.trial(NOTHING) as trial:
        begun_and_killed(runner, trial)
        another_account(trial)
        assert runner.command(["resume", "run", "--resend", "0"], trial).code == 0
        assert trial.server.submissions() == 2


@pytest.mark.slow
def test_another_account_sends_what_was_forgotten(runner: Runner) -> None:
    with runner.trial(NOTHING) as trial:
        trial.server.hold()
        polled = replace(
            NOTHING, kill=lambda trial: bool(trial.server.requests("GET", REQUESTS["poll"][1]))
        )
        runner.run(polled, trial)
        (row,) = json.loads(runner.command(["jobs", "--json"], trial).out)["jobs"]
        assert runner.command(["jobs", "--forget", row["job"]], trial).code == 0
        trial.server.release()
        another_account(trial)
        assert runner.command(["resume", "run"], trial).code == 0
        assert trial.server.submissions() == 2


@pytest.mark.slow
def test_another_account_sends_what_the_first_one_was_refused(runner: Runner) -> None:
    with runner.trial(NOTHING) as trial:
        trial.server.fail(403, method="POST", path="/jobs$", count=FOREVER)
        assert runner.run(NOTHING, trial).code == 4
        trial.server.clear()
        another_account(trial)
        assert runner.command(["resume", "run"], trial).code == 0
        assert trial.server.submissions() == 1


@pytest.mark.slow
def test_another_account_sends_what_was_not_about_to_be_sent(runner: Runner) -> None:
    """Killed while its session was opened, before the job's ticket lay in the folder."""
    cell = replace(
        NOTHING,
        mode="session",
        kill=lambda trial: bool(trial.server.requests("POST", REQUESTS["session open"][1])),
    )
    with runner.trial(cell) as trial:
        trial.server.hang(method="POST", path=REQUESTS["session open"][1])
        assert runner.run(cell, trial).code == -signal.SIGKILL
        assert not list(trial.run.glob("sent/*.ticket.json"))
        trial.server.clear()
        another_account(trial)
        assert runner.command(["resume", "run"], trial).code == 0
        assert trial.server.submissions() == 1


@pytest.mark.slow
def test_a_job_that_was_about_to_be_sent_is_left_to_its_account(runner: Runner) -> None:
    """Killed where the client looks at the device's status, just before the job is sent."""
    status = REQUESTS["status"][1]
    cell = replace(
        NOTHING,
        kill=lambda trial: (
            bool(list(trial.run.glob("sent/*.ticket.json")))
            and len(trial.server.requests("GET", status)) > 1
        ),
    )
    with runner.trial(cell) as trial:
        trial.server.hang(method="GET", path=status, skip=1, count=FOREVER)
        assert runner.run(cell, trial).code == -signal.SIGKILL
        trial.server.clear()
        first = another_account(trial)
        ended = runner.command(["resume", "run"], trial)
        assert ended.code == 4
        assert f"the job of step 0 may have been sent to instance {first[1]}" in ended.last
        assert trial.server.submissions() == 0
        trial.server.change_account(*first)
        assert runner.command(["resume", "run"], trial).code == 0
        assert trial.server.submissions() == 1
