"""What a run may spend is refused here and bounded at the service; what is too large is cut."""

import contextlib
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import xarray as xr
from command_line import qbrain

from qbrain.backends import ibm_submission
from qbrain.backends.ibm_limits import Pace
from qbrain.backends.ledger import Ledger
from qbrain.experiments.engine.folder import RunDirectory
from qbrain.experiments.engine.guard import spent_seconds
from qbrain.experiments.engine.sent import kept_tickets

RUN = ["lmg", "--backend", "ibm_fez", "--neurons", "6", "--gamma", "0.8", "--seed", "1"]
RUN += ["--encoding", "dicke", "--time", "4", "--steps", "4", "--shots", "200"]
ORBIT = [*RUN, "--evolution", "orbit"]
REPLAY = [*RUN, "--evolution", "replay"]


@pytest.fixture(autouse=True)
def own_place(own_ledger, monkeypatch):
    monkeypatch.setenv("QBRAIN_IBM_PATIENCE", "6")


def told(*arguments):
    code, out, err = qbrain(*arguments, "--json")
    assert code == 0, err
    return json.loads(out)


def jobs_of(server):
    return sorted(server.jobs.values(), key=lambda job: job.created)


@pytest.mark.parametrize("form", [ORBIT, [*ORBIT, "--twirling", "both"]], ids=["plain", "twirled"])
def test_what_is_billed_is_what_was_estimated(start_ibm, form):
    server = start_ibm()
    estimated = told("estimate", *form)
    told("run", *form, "--out", "run")
    billed = sum(job.quantum_seconds for job in jobs_of(server))
    assert estimated["jobs"] == server.submissions() == 1
    assert estimated["qpu_seconds"] == pytest.approx(billed, rel=0.01)
    ((_, _, ticket),) = kept_tickets(RunDirectory.open(Path("run")))
    assert ticket.billed == billed
    assert ticket.estimated == pytest.approx(estimated["qpu_seconds"], rel=1e-9)


def test_the_limit_of_a_run_is_one_of_its_job_at_the_service(start_ibm):
    server = start_ibm()
    told("run", *ORBIT, "--out", "run", "--max-qpu-seconds", "40.7")
    told("run", *ORBIT, "--out", "free")
    assert [job.cost for job in jobs_of(server)] == [40, None]


def test_each_job_of_a_loop_may_take_what_is_left(start_ibm):
    server = start_ibm()
    limit = 100.0
    told("run", *REPLAY, "--out", "run", "--max-qpu-seconds", str(limit))
    jobs, spent = jobs_of(server), 0.0
    assert len(jobs) == 5
    for job in jobs:
        assert job.cost == math.floor(limit - spent)
        spent += job.quantum_seconds
    assert spent_seconds(RunDirectory.open(Path("run"))) == pytest.approx(spent)


def test_no_limit_is_higher_than_the_service_takes(start_ibm):
    server = start_ibm()
    told("run", *ORBIT, "--out", "run", "--max-qpu-seconds", "1e6")
    assert [job.cost for job in jobs_of(server)] == [10_800]


def test_a_run_over_its_budget_sends_nothing(start_ibm):
    server = start_ibm()
    seconds = told("estimate", *ORBIT)["qpu_seconds"]
    code, _, err = qbrain("run", *ORBIT, "--out", "over", "--max-qpu-seconds", seconds - 0.01)
    assert code == 3
    assert "qpu seconds" in err
    assert not Path("over").exists()
    assert server.submissions() == 0
    assert server.requests("POST", "/sessions") == []
    assert qbrain("run", *ORBIT, "--out", "under", "--max-qpu-seconds", seconds + 0.01)[0] == 0


def test_a_loop_that_costs_more_than_expected_stops_before_the_next_job(start_ibm):
    server = start_ibm()
    seconds = told("estimate", *REPLAY)["qpu_seconds"]
    # five jobs of 2.05 s would do; of 2.55 s, four leave too little for the last one
    with dearer_jobs(server, 0.5):
        code, _, err = qbrain("run", *REPLAY, "--out", "run", "--max-qpu-seconds", seconds + 1)
    assert code == 3, err
    assert "step 4" in err
    assert "qpu seconds" in err
    assert server.submissions() == 4
    assert len(RunDirectory.open(Path("run")).steps()) == 4
    assert "qbrain resume run --max-qpu-seconds" in err
    # the same limit stops it again; a higher one lets it end
    assert qbrain("resume", "run")[0] == 3
    assert qbrain("resume", "run", "--max-qpu-seconds", seconds + 1.5)[0] == 3
    assert server.submissions() == 4
    code, _, err = qbrain("resume", "run", "--max-qpu-seconds", "20")
    assert code == 0, err
    jobs = jobs_of(server)
    assert len(jobs) == 5
    assert jobs[4].cost == math.floor(20 - sum(job.quantum_seconds for job in jobs[:4]))


def test_a_new_limit_is_for_runs_on_a_device(tmp_path):
    assert qbrain("run", "lmg", "--out", "here", "--steps", "2", "--time", "1")[0] == 0
    code, _, err = qbrain("resume", "here", "--max-qpu-seconds", "20")
    assert code == 2
    assert "max_qpu_seconds: would be ignored, since no device is used" in err


@contextlib.contextmanager
def dearer_jobs(server, more):
    """Every job takes so many seconds more than it should."""
    device = server.devices["ibm_fez"]
    run = device.run

    def slow(params, seed):
        outcome = run(params, seed)
        return replace(outcome, seconds=outcome.seconds + more)

    device.run = slow
    yield
    device.run = run


@pytest.fixture
def small_jobs(start_ibm, monkeypatch):
    """A device that takes three circuits in a job."""
    server = start_ibm()
    monkeypatch.setitem(server.devices["ibm_fez"].configuration, "max_experiments", 3)
    return server


def test_a_job_that_is_too_large_is_sent_in_several(small_jobs):
    estimated = told("estimate", *ORBIT)
    assert (estimated["circuits"], estimated["jobs"]) == (7, 3)
    code, out, err = qbrain("run", *ORBIT, "--out", "run", "--json", "--max-qpu-seconds", "30")
    assert code == 0, err
    assert "step 0: 7 circuits are sent in 3 jobs" in err
    result, jobs = json.loads(out), jobs_of(small_jobs)
    assert result["circuits"] == 7
    assert result["rmse_excitation"] < 0.15
    assert [len(job.params["quantum_program"]["items"]) for job in jobs] == [3, 3, 1]
    # together they cannot take more than the run may
    assert sum(job.cost for job in jobs) <= 30
    assert all(job.cost >= job.quantum_seconds for job in jobs)
    assert [job.cost for job in jobs] == sorted((job.cost for job in jobs), reverse=True)
    assert estimated["qpu_seconds"] == pytest.approx(
        sum(job.quantum_seconds for job in jobs), rel=0.01
    )
    run = RunDirectory.open(Path("run")).record()["run"]["id"]
    tags = [f"qbrain-{run}-0", f"qbrain-{run}-0-1", f"qbrain-{run}-0-2"]
    assert [job.tags for job in jobs] == [[tag] for tag in tags]
    assert [(row.tag, row.step, row.state) for row in Ledger().jobs()] == [
        (tag, 0, "done") for tag in tags
    ]
    # the counts of each circuit are its own: as without the cut, within the shots
    small_jobs.devices["ibm_fez"].configuration["max_experiments"] = 300
    told("run", *ORBIT, "--out", "whole")
    cut, whole = (xr.load_dataset(f"{name}/result.nc") for name in ("run", "whole"))
    error = (cut.excitation - whole.excitation) / cut.excitation_stderr
    assert float(abs(error).max()) < 6


def test_parts_that_wait_are_collected_and_never_sent_twice(small_jobs, monkeypatch):
    small_jobs.hold()
    monkeypatch.setenv("QBRAIN_IBM_MAX_WAIT", "0")
    assert qbrain("run", *ORBIT, "--out", "run", "--max-qpu-seconds", "30")[0] == 4
    assert small_jobs.submissions() == 3
    costs = [job.cost for job in jobs_of(small_jobs)]
    assert qbrain("collect", "run")[0] == 0
    small_jobs.release()
    monkeypatch.delenv("QBRAIN_IBM_MAX_WAIT")
    # one of them is lost: only that one is sent again, within what is left for it
    lost = jobs_of(small_jobs)[1].id
    code, _, err = qbrain("resume", "run")
    assert code == 0, err
    assert small_jobs.submissions() == 3
    assert [job.cost for job in jobs_of(small_jobs)] == costs
    assert lost in {ticket.job for _, _, ticket in kept_tickets(RunDirectory.open(Path("run")))}


def test_a_part_that_was_cancelled_is_sent_again_alone(small_jobs, monkeypatch):
    small_jobs.hold()
    monkeypatch.setenv("QBRAIN_IBM_MAX_WAIT", "0")
    assert qbrain("run", *ORBIT, "--out", "run")[0] == 4
    second = jobs_of(small_jobs)[1].id
    small_jobs.cancel_job(second)
    small_jobs.release()
    monkeypatch.delenv("QBRAIN_IBM_MAX_WAIT")
    code, _, err = qbrain("resume", "run")
    assert code == 0, err
    jobs = jobs_of(small_jobs)
    assert len(jobs) == 4
    assert jobs[3].tags == jobs[1].tags


def test_all_parts_of_a_step_are_sent_again_when_asked(small_jobs, monkeypatch):
    small_jobs.hold()
    monkeypatch.setenv("QBRAIN_IBM_MAX_WAIT", "0")
    assert qbrain("run", *ORBIT, "--out", "run")[0] == 4
    first = [job.id for job in jobs_of(small_jobs)]
    small_jobs.delete_job(first[2])
    small_jobs.release()
    monkeypatch.delenv("QBRAIN_IBM_MAX_WAIT")
    code, _, err = qbrain("resume", "run")
    assert code == 4
    assert "--resend 0" in err
    code, _, err = qbrain("resume", "run", "--resend", "0")
    assert code == 0, err
    # three jobs of 2 s, and 7 · 200 shots
    assert "step 0 is sent again: 7 circuits of 200 shots, ~6 s of quantum time" in err
    assert all(job in err for job in first)
    tickets = [ticket for _, _, ticket in kept_tickets(RunDirectory.open(Path("run")))]
    assert [ticket.former for ticket in tickets] == [(job,) for job in first]
    assert not {ticket.job for ticket in tickets} & set(first)


def test_a_circuit_that_fits_in_no_job_is_refused_at_once(start_ibm, monkeypatch):
    server = start_ibm()
    monkeypatch.setitem(server.devices["ibm_fez"].configuration, "max_shots", 100)
    for command in ("estimate", "run"):
        code, _, err = qbrain(command, *ORBIT)
        assert code == 2
        assert "shots: wanted at most 100 on ibm_fez, got 200" in err
    assert server.submissions() == 0


def test_the_pace_of_the_service_is_kept_and_told(start_ibm, monkeypatch):
    server = start_ibm()
    monkeypatch.setenv("QBRAIN_IBM_JOBS_A_MINUTE", "2")
    monkeypatch.setattr(ibm_submission, "_pace", Pace(window=4.0))
    code, _, err = qbrain("run", *REPLAY, "--out", "run")
    assert code == 0, err
    assert "the service takes 2 jobs a minute and token" in err
    assert "the job of step 2 waits" in err
    times = [r.time for r in server.requests("POST", r"/jobs$")]
    assert len(times) == 5
    # the requests are stamped as they come in, a moment after they were let go
    assert all(later - sooner > 3.5 for sooner, later in zip(times, times[2:], strict=False))


def test_jobs_of_ones_own_have_the_limit_too(start_ibm):
    import qbrain as face
    from qbrain.experiments.engine.guard import OverBudget

    server = start_ibm()
    settings = {"backend": "ibm_fez", "neurons": 6, "gamma": 0.8, "seed": 1, "encoding": "dicke"}
    settings |= {"time": 4, "steps": 4, "shots": 200, "evolution": "orbit"}
    with pytest.raises(OverBudget, match="wanted at most 2 s of quantum time"):
        face.build("lmg", **settings, max_qpu_seconds=2)
    assert server.submissions() == 0
    face.execute(face.build("lmg", **settings, max_qpu_seconds=50.5))
    assert [job.cost for job in jobs_of(server)] == [50]


def test_a_job_that_the_service_ends_at_its_limit_is_not_sent_again_beyond_it(start_ibm):
    server = start_ibm()
    seconds = told("estimate", *ORBIT)["qpu_seconds"]
    limit = math.ceil(seconds) + 1
    with dearer_jobs(server, 10):
        code, _, err = qbrain("run", *ORBIT, "--out", "run", "--max-qpu-seconds", limit)
    assert code == 4
    assert "error code 1305" in err
    assert [job.cost for job in jobs_of(server)] == [limit]
    ((_, _, ticket),) = kept_tickets(RunDirectory.open(Path("run")))
    assert ticket.billed == limit
    # all of it is spent, so that nothing is left for a second try
    code, _, err = qbrain("resume", "run")
    assert code == 3
    assert "with what was billed" in err
    assert server.submissions() == 1
    code, _, err = qbrain("resume", "run", "--max-qpu-seconds", 2 * limit)
    assert code == 0, err
    assert [job.cost for job in jobs_of(server)] == [limit, limit]
    # what the first one was billed is part of what the run has cost
    told_ = json.loads(Path("run/result.json").read_text())["provenance"]
    assert told_["billed_seconds"] == pytest.approx(limit + jobs_of(server)[1].quantum_seconds)
    assert told_["jobs"][0]["given_up"] == [jobs_of(server)[0].id]


def test_too_little_time_left_at_the_instance_is_told(start_ibm):
    start_ibm(usage_limit_seconds=2.1)
    _, _, err = qbrain("run", *ORBIT, "--out", "run", "--max-qpu-seconds", "50")
    assert "the instance has 2 s of quantum time left, and the run is estimated to take 2 s" in err
