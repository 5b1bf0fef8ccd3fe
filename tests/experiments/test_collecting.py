"""A run on a device goes on from its folder and a job's id; every dead end has a way out."""

import contextlib
import json
import shutil
import time
from pathlib import Path

import pytest
import xarray as xr
from command_line import qbrain

from qbrain import resume
from qbrain.backends.ibm_device import DeviceFacts, read_device
from qbrain.backends.ibm_service import IBMService
from qbrain.backends.ledger import Ledger
from qbrain.experiments.engine.folder import RunDirectory
from qbrain.experiments.engine.sent import FolderTicket, kept_facts

RUN = ["run", "lmg", "--backend", "ibm_fez", "--neurons", "6", "--gamma", "0.8", "--seed", "1"]
RUN += ["--encoding", "dicke", "--time", "4", "--steps", "4", "--shots", "200"]
ORBIT = [*RUN, "--evolution", "orbit", "--out", "run"]
REPLAY = [*RUN, "--evolution", "replay", "--out", "run"]


@pytest.fixture(autouse=True)
def own_place(own_ledger, monkeypatch):
    monkeypatch.setenv("QBRAIN_IBM_LIST_LAG", "0.2")
    monkeypatch.setenv("QBRAIN_IBM_PATIENCE", "6")


def sent(server):
    return len([r for r in server.requests("POST", r"/jobs$") if r.status == 200])


def numbers(path="run"):
    return xr.load_dataset(Path(path) / "result.nc", engine="h5netcdf").drop_attrs()


@contextlib.contextmanager
def held(server):
    """The command in the block leaves at once with a job that waits, as a killed one would."""
    server.hold()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QBRAIN_IBM_MAX_WAIT", "0")
        yield
    server.release()


def begun(server, *command):
    """A run whose first job waits in the queue."""
    with held(server):
        code, _, err = qbrain(*command)
    assert code == 4, err
    assert "go on with: qbrain resume run" in err
    (job,) = server.jobs
    return job


def wait_until_done(server):
    deadline = time.monotonic() + 60
    while any(job.state in ("QUEUED", "RUNNING") for job in server.jobs.values()):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_what_is_sent_is_in_the_folder_first(start_ibm):
    server = start_ibm()
    job = begun(server, *ORBIT)
    folder = RunDirectory.open(Path("run"))
    ticket = FolderTicket(folder, 0).read()
    (row,) = Ledger().jobs()
    assert ticket.job == row.job == job
    assert ticket.tag == row.tag == f"qbrain-{folder.record()['run']['id']}-0"
    assert ticket.shots == 200
    facts = kept_facts(folder)
    assert list(facts.places[0]) == folder.record()["device"]["physical_qubits"]
    circuits, headings, _, sizes = folder.sent(0)
    assert sizes == [len(circuits)]
    assert len(circuits) == len(headings) == 7  # two of them calibrate the readout


def test_collect_fetches_what_is_done_and_sends_nothing(start_ibm):
    server = start_ibm()
    job = begun(server, *REPLAY)
    server.hold()
    code, out, _ = qbrain("collect", "run", "--json")
    assert code == 0
    assert json.loads(out)["jobs_collected"] == 0
    assert job in json.loads(out)["waiting"]
    server.release()
    wait_until_done(server)
    code, out, _ = qbrain("collect", "run", "--json")
    assert code == 0
    # the next step is made from the first, and is not sent by collect
    assert json.loads(out)["jobs_collected"] == 1
    assert "was never sent" in json.loads(out)["waiting"]
    assert sent(server) == 1
    code, _, err = qbrain("resume", "run")
    assert code == 0, err
    assert sent(server) == 5


def test_collect_finishes_a_run_of_one_job_without_its_device(start_ibm):
    server = start_ibm()
    begun(server, *ORBIT)
    wait_until_done(server)
    server.fail(500, path="/backends", count=10_000)
    code, out, _ = qbrain("collect", "run", "--json")
    assert code == 0
    assert json.loads(out)["backend"] == "ibm_fez"
    assert sent(server) == 1
    # a finished run is drawn from its folder alone
    server.stop()
    assert resume("run").plot().axes


def test_an_account_with_other_devices_still_collects(start_ibm):
    server = start_ibm(devices=["ibm_fez", "ibm_torino"])
    begun(server, *ORBIT)
    wait_until_done(server)
    del server.devices["ibm_fez"]
    code, _, err = qbrain("resume", "run")
    assert code == 0, err
    assert sent(server) == 1


@pytest.mark.parametrize("lost", ["ledger", "ticket", "both"])
def test_a_job_is_found_by_its_tag(start_ibm, lost):
    server = start_ibm(list_lag_seconds=0.1)
    begun(server, *ORBIT)
    if lost in ("ledger", "both"):
        Path("ledger.sqlite").unlink()
    if lost in ("ticket", "both"):
        Path("run/sent/0000.ticket.json").unlink()
    code, _, err = qbrain("resume", "run")
    assert code == 0, err
    assert sent(server) == 1
    assert [row.state for row in Ledger().jobs()] == ["done"]


@pytest.mark.slow
def test_a_copied_folder_on_another_machine_collects_the_same_job(start_ibm, monkeypatch):
    server = start_ibm()
    begun(server, *ORBIT)
    shutil.copytree("run", "elsewhere")
    monkeypatch.setenv("QBRAIN_LEDGER", "other.sqlite")
    assert qbrain("resume", "elsewhere")[0] == 0
    monkeypatch.setenv("QBRAIN_LEDGER", "ledger.sqlite")
    assert qbrain("resume", "run")[0] == 0
    xr.testing.assert_identical(numbers("run"), numbers("elsewhere"))
    assert sent(server) == 1


def test_a_deleted_job_names_its_way_out_and_is_sent_again_when_asked(start_ibm):
    server = start_ibm()
    job = begun(server, *ORBIT)
    server.delete_job(job)
    for _ in range(2):
        code, _, err = qbrain("resume", "run")
        assert code == 4
        assert "is not at the service" in err
        assert "qbrain resume run --resend 0" in err
    assert sent(server) == 1
    code, _, err = qbrain("resume", "run", "--resend", "0")
    assert code == 0, err
    # its cost is said first: 7 circuits of 200 shots at 250 µs and more, 2 s a job
    assert "step 0 is sent again: 7 circuits of 200 shots, ~2 s of quantum time" in err
    assert f"job {job} is given up" in err
    assert sent(server) == 2
    assert Ledger().jobs()[0].former == (job,)


@pytest.mark.parametrize("lost", ["ledger", "ticket", "both"])
def test_a_step_is_sent_again_whatever_is_lost_of_its_old_job(start_ibm, lost):
    server = start_ibm(list_lag_seconds=0.1)
    job = begun(server, *ORBIT)
    wait_until_done(server)
    if lost in ("ledger", "both"):
        Path("ledger.sqlite").unlink()
    if lost in ("ticket", "both"):
        Path("run/sent/0000.ticket.json").unlink()
    code, _, err = qbrain("resume", "run", "--resend", "0")
    assert code == 0, err
    assert f"job {job} is given up" in err
    assert ("of 200 shots" in err) == (lost != "both")
    assert sent(server) == 2
    ticket = FolderTicket(RunDirectory.open(Path("run")), 0).read()
    (new,) = set(server.jobs) - {job}
    assert (ticket.job, ticket.former, ticket.shots) == (new, (job,), 200)


def test_nothing_is_given_up_where_the_service_does_not_list_its_jobs(start_ibm):
    server = start_ibm()
    job = begun(server, *ORBIT)
    wait_until_done(server)
    server.fail(400, path="/jobs$", count=10_000)
    code, _, err = qbrain("resume", "run", "--resend", "0")
    assert code == 4
    assert "nothing was given up" in err
    server.clear()
    assert FolderTicket(RunDirectory.open(Path("run")), 0).read().job == job
    assert qbrain("resume", "run")[0] == 0
    assert sent(server) == 1


def test_an_answer_that_cannot_be_used_is_kept_and_the_job_can_be_sent_again(start_ibm):
    server = start_ibm()
    bad = {"schema_version": "v2.0", "data": [], "metadata": {}}
    server.alter(lambda code, body: (code, json.dumps(bad)), method="GET", path="/results", count=9)
    code, _, err = qbrain(*ORBIT)
    assert code == 4
    assert "not a result" in err
    assert "--resend 0" in err
    assert json.loads(Path("run/sent/0000.answer.1").read_text()) == bad
    server.clear()
    # asked again, the service gives it
    assert qbrain("resume", "run")[0] == 0
    assert sent(server) == 1


def test_resend_refuses_what_has_a_result_or_was_never_sent(start_ibm):
    server = start_ibm()
    begun(server, *REPLAY)
    code, _, err = qbrain("resume", "run", "--resend", "3")
    assert (code, "resend: wanted a step that was sent, got 3" in err) == (2, True)
    assert qbrain("resume", "run")[0] == 0
    code, _, err = qbrain("resume", "run", "--resend", "0")
    assert (code, "resend: wanted a step that has no result, got 0" in err) == (2, True)
    assert sent(server) == 5


def test_a_damaged_record_of_what_was_sent_ends_in_a_line_and_can_be_made_anew(start_ibm):
    server = start_ibm()
    begun(server, *ORBIT)
    file = Path("run/sent/0000.qpy")
    file.write_bytes(file.read_bytes()[:-40])
    code, _, err = qbrain("resume", "run")
    assert code == 2
    assert "0000" in err
    code, _, err = qbrain("resume", "run", "--resend", "0")
    assert code == 0, err
    assert sent(server) == 2


def test_a_forgotten_job_is_sent_again_by_its_run(start_ibm):
    server = start_ibm()
    job = begun(server, *ORBIT)
    code, _, err = qbrain("jobs", "--forget", "unknown")
    assert (code, "wanted an id from the ledger" in err) == (2, True)
    code, out, _ = qbrain("jobs", "--forget", job)
    assert code == 0
    assert "qbrain resume" in out
    assert json.loads(qbrain("jobs", "--json")[1])["jobs"][0]["state"] == "forgotten"
    assert qbrain("resume", "run")[0] == 0
    assert sent(server) == 2


def test_jobs_are_looked_at_again_and_the_bill_comes_later(start_ibm):
    server = start_ibm()
    server.fail(404, path="/metrics", count=10_000)
    assert qbrain(*ORBIT)[0] == 0
    (row,) = Ledger().jobs()
    assert (row.state, row.usage) == ("done", None)
    server.clear()
    code, out, err = qbrain("jobs", "--refresh", "--json")
    assert code == 0
    assert "1 jobs looked at, 1 with news" in err
    assert json.loads(out)["jobs"][0]["usage"] == next(iter(server.jobs.values())).quantum_seconds


def test_the_plan_is_that_of_the_run_whatever_the_calibration_becomes(start_ibm):
    """The number of Trotter steps follows the calibration; the run's own one counts."""
    server = start_ibm()
    live = ["run", "lmg", "--backend", "ibm_fez", "--neurons", "4", "--gamma", "0.8", "--seed", "1"]
    live += ["--time", "2", "--steps", "2", "--shots", "200", "--evolution", "fast-forward"]
    assert qbrain(*live, "--out", "whole")[0] == 0
    begun_before = set(server.jobs)
    with held(server):
        assert qbrain(*live, "--out", "run")[0] == 4
    kept = kept_facts(RunDirectory.open(Path("run")))

    def worse(properties, _):
        for gate in properties["gates"]:
            for value in gate["parameters"]:
                if value["name"] == "gate_error":
                    value["value"] = min(1.0, 20 * value["value"])

    server.calibrate("ibm_fez", worse)
    code, _, err = qbrain("resume", "run")
    assert code == 0, err
    assert len(set(server.jobs) - begun_before) == 1
    own = json.loads(Path("run/result.json").read_text())
    whole = json.loads(Path("whole/result.json").read_text())
    assert own["two_qubit_gates"] == whole["two_qubit_gates"]
    assert kept.record() == kept_facts(RunDirectory.open(Path("whole"))).record()


def test_facts_of_a_device_come_back_to_the_last_bit(loopback):
    device = IBMService().device("ibm_fez", True)
    facts = read_device(device, 4, placements=2, fractional=True)
    again = DeviceFacts.from_record(json.loads(json.dumps(facts.record())))
    assert again.record() == facts.record()
    for old, new in zip(facts.targets, again.targets, strict=True):
        assert new.operation_names == old.operation_names
        assert new.build_coupling_map().get_edges() == old.build_coupling_map().get_edges()
        for name in old.operation_names:
            for place, known in old[name].items():
                kept = new[name][place]
                wanted = (getattr(known, "error", None), getattr(known, "duration", None))
                assert (getattr(kept, "error", None), getattr(kept, "duration", None)) == wanted
        assert [q.t1 for q in new.qubit_properties] == [q.t1 for q in old.qubit_properties]
        assert not new.supported_angle_bound("rzz", [-0.1])
