"""A check on IBM Quantum's interface: the genuine client against the loopback server."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import qbrain

from qbrain.backends.ledger import Ledger

pytestmark = pytest.mark.usefixtures("own_ledger")

CHECK = ["check", "--backend", "ibm_boston", "--seed", "1", "--most-neurons", "0", "--json"]


def test_a_device_that_is_its_calibration(start_ibm):
    server = start_ibm(devices=["ibm_boston"], idle_noise=True)
    code, out, err = qbrain(*CHECK, "--out", "run")
    assert code == 0, err
    assert "12 circuits of 2000 shots in 1 job, about 8 s of quantum time" in err
    result = json.loads(out)
    assert {row["verdict"] for row in result["checks"]} == {"as expected"}
    assert "the device's calibration of 2026-04-17" in result["expectation"]
    assert server.submissions() == 1
    assert result["validated"] == result["circuits"] == 12
    assert "ibm_boston" in Path("run/report.html").read_text()
    # told in advance: what the service bills is no more than that
    (row,) = Ledger().jobs()
    assert row.usage < 10


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("bits 0 and 1 exchanged", "bit order (bits 0 and 1 are exchanged)"),
        pytest.param("bits reversed", "bit order (bits are reversed)", marks=pytest.mark.slow),
        pytest.param("bits inverted", "inverted readout", marks=pytest.mark.slow),
    ],
)
def test_a_fault_of_the_answer_is_named(start_ibm, fault, said):
    server = start_ibm(devices=["ibm_boston"], idle_noise=True)
    server.alter(f"result: {fault}", path="/results$", count=100)
    code, out, err = qbrain(*CHECK, "--shots", "500", "--out", "run")
    assert code == 0, err
    result = json.loads(out)
    wrong = {row["name"]: row["verdict"] for row in result["checks"] if "wrong" in row["verdict"]}
    assert f"wrong: {said}" in wrong.values()
    assert result["recommendation"] == "None: what is wrong has to be found first."
    if "order" in said:
        assert result["verdict"]["sentence"].startswith(f"Wrong: {said}.")
        assert "order 1" in wrong


@pytest.mark.slow
def test_shots_fit_into_the_quantum_time(start_ibm):
    server = start_ibm(devices=["ibm_boston"])
    code, out, err = qbrain(*CHECK, "--max-qpu-seconds", "4", "--out", "run")
    assert code == 0, err
    result = json.loads(out)
    assert 100 < result["shots"] < 1000
    (row,) = Ledger().jobs()
    assert 3.5 < row.usage < 4.01
    code, _, err = qbrain(*CHECK, "--max-qpu-seconds", "2.1", "--out", "other")
    assert code == 3
    assert "wanted at most 2.1" in err
    assert not Path("other").exists()
    assert server.submissions() == 1


@pytest.mark.slow
def test_a_check_that_was_killed_collects_its_job(start_ibm):
    server = start_ibm(devices=["ibm_boston"], idle_noise=True, run_seconds=6.0)
    command = [sys.executable, "-m", "qbrain", *CHECK, "--shots", "500", "--out", "run"]
    with Path("killed.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=dict(os.environ))
        ticket = Path("run/sent/0000.ticket.json")
        for _ in range(600):
            rows = Ledger().jobs()
            if rows and rows[0].job is not None and ticket.exists():
                break
            assert process.poll() is None, Path("killed.log").read_text()
            time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not Path("run/check.json").exists()
    (row,) = Ledger().jobs()
    code, out, err = qbrain(*CHECK, "--shots", "500", "--out", "run")
    assert code == 0, err
    assert server.submissions() == 1
    (again,) = Ledger().jobs()
    assert (again.job, again.state) == (row.job, "done")
    assert json.loads(out) == json.loads(Path("run/check.json").read_text())
