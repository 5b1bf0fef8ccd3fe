"""What was sent by a named account is looked for, sent again and cancelled by that account."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import qbrain
from ibm_loopback.server import CRN

from qbrain.backends.ledger import Ledger

OTHER = CRN.replace("00000000", "99999999")
RUN = ["run", "lmg", "--backend", "ibm_fez", "--neurons", "6", "--gamma", "0.8", "--seed", "1"]
RUN += ["--encoding", "dicke", "--time", "4", "--steps", "4", "--shots", "200"]
RUN += ["--evolution", "orbit", "--out", "run"]
WAYS = {"account": ["--account", "work"], "instance": ["--instance", OTHER]}


@pytest.fixture(autouse=True)
def own_place(own_ledger, monkeypatch):
    monkeypatch.setenv("QBRAIN_IBM_LIST_LAG", "0.2")
    monkeypatch.setenv("QBRAIN_IBM_PATIENCE", "6")
    monkeypatch.setenv("QBRAIN_IBM_MAX_WAIT", "0")


@pytest.fixture
def server(start_ibm, tmp_path, monkeypatch):
    """A service with two instances, of two saved accounts; that called home is the default."""
    from qiskit_ibm_runtime.accounts import management

    server = start_ibm(more_instances=[OTHER])
    url = server.environment()["QISKIT_IBM_URL"]
    account = {"channel": "ibm_quantum_platform", "token": server.token, "url": url}
    saved = {
        "home": {**account, "instance": CRN, "is_default_account": True},
        "work": {**account, "instance": OTHER},
    }
    file = tmp_path.with_suffix(".accounts.json")
    file.write_text(json.dumps(saved))
    monkeypatch.setattr(management, "_DEFAULT_ACCOUNT_CONFIG_JSON_FILE", str(file))
    for name in ("TOKEN", "URL", "INSTANCE"):
        monkeypatch.delenv(f"QISKIT_IBM_{name}")
    server.hold()
    return server


def sent(server):
    return len([r for r in server.requests("POST", r"/jobs$") if r.status == 200])


def begun(server, way):
    """A run whose job waits in the queue of the other instance."""
    code, _, err = qbrain(*RUN, *WAYS[way])
    assert code == 4, err
    (job,) = server.jobs.values()
    assert job.instance == OTHER
    return job.id


@pytest.mark.parametrize("way", WAYS)
def test_the_ledger_knows_who_sent_it_and_no_file_the_token(server, way, tmp_path):
    job = begun(server, way)
    (row,) = Ledger().jobs()
    assert (row.job, row.instance) == (job, OTHER)
    assert row.account == ("work" if way == "account" else "")
    for file in tmp_path.rglob("*"):
        assert file.is_dir() or server.token.encode() not in file.read_bytes()


@pytest.mark.parametrize("way", WAYS)
def test_a_job_is_looked_at_and_cancelled_where_it_is(server, way):
    job = begun(server, way)
    assert qbrain("cancel", job)[0] == 0
    assert server.jobs[job].state == "CANCELLED"
    Ledger().update(Ledger().jobs()[0].tag, "submitted")
    code, out, err = qbrain("jobs", "--refresh", "--json")
    assert code == 0
    assert "1 jobs looked at, 1 with news" in err
    assert json.loads(out)["jobs"][0]["state"] == "cancelled"
    Ledger().update(Ledger().jobs()[0].tag, "submitted")
    assert json.loads(qbrain("jobs", "--json")[1])["jobs"][0]["state"] == "cancelled"


@pytest.mark.parametrize("way", WAYS)
def test_a_job_whose_id_is_lost_is_looked_for_where_it_is(server, way):
    job = begun(server, way)
    ledger = Ledger()
    (row,) = ledger.jobs()
    ledger.path.unlink()
    Ledger().intend(replace(row, job=None))
    assert qbrain("jobs", "--refresh")[0] == 0
    assert Ledger().jobs()[0].job == job


@pytest.mark.parametrize("way", WAYS)
def test_a_step_is_sent_again_by_the_account_that_sent_it(server, way, monkeypatch):
    job = begun(server, way)
    Path("ledger.sqlite").unlink()
    Path("run/sent/0000.ticket.json").unlink()
    server.release()
    monkeypatch.delenv("QBRAIN_IBM_MAX_WAIT")
    code, _, err = qbrain("resume", "run", "--resend", "0")
    assert code == 0, err
    assert f"job {job} is given up" in err
    assert sent(server) == 2
    assert {each.instance for each in server.jobs.values()} == {OTHER}


def test_a_row_that_does_not_know_its_account_is_asked_of_the_default(server):
    code, _, err = qbrain(*RUN)
    assert code == 4, err
    (job,) = server.jobs.values()
    assert job.instance == CRN
    (row,) = Ledger().jobs()
    assert (row.account, row.instance) == ("", CRN)
    assert qbrain("cancel", job.id)[0] == 0
    assert job.state == "CANCELLED"


def test_an_account_that_is_gone_hides_no_job_of_another(server):
    job = begun(server, "account")
    ledger = Ledger()
    (row,) = ledger.jobs()
    gone = replace(row, tag="another", account="gone", instance="")
    ledger.intend(gone)
    ledger.update(gone.tag, "submitted", job="elsewhere")
    server.cancel_job(job)
    code, out, err = qbrain("jobs", "--refresh", "--json")
    assert code == 0
    assert "1 jobs looked at, 1 with news" in err
    assert "gone does not exist" in err
    assert "1 jobs not looked at" in err
    assert {r["state"] for r in json.loads(out)["jobs"]} == {"cancelled", "submitted"}
    code, _, err = qbrain("cancel", "elsewhere")
    assert code == 2
    assert "gone does not exist" in err
