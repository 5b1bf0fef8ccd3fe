"""Entangled neurons on IBM Quantum's interface: recorded shots in one job, or a job a tick."""

import json

import numpy as np
import pytest
import xarray as xr
from command_line import qbrain

from qbrain.backends.ledger import Ledger

pytestmark = pytest.mark.usefixtures("own_ledger")

RUN = ("run", "qlif", "--backend", "ibm_fez", "--pairs", "20", "--ticks", "200", "--seed", "3")


def test_all_shots_of_a_run_are_one_job(start_ibm, tmp_path):
    server = start_ibm()
    code, out, err = qbrain(*RUN, "--mitigation", "readout", "--out", "run", "--json")
    assert code == 0, err
    result = json.loads(out)
    assert server.submissions() == 1
    assert [job.state for job in Ledger().jobs()] == ["done"]
    assert result["circuits"] == result["validated"] == result["shots_taken"] / 4000
    assert result["qubits"] == len(result["physical_qubits"]) == 2
    assert result["two_qubit_gates"] == 1
    # the loopback's noise is the device's calibration
    assert 2.5 < result["chsh"] < 2.9
    assert result["chsh"] - 2 > 10 * result["chsh_stderr"]
    assert "on ibm_fez, simulated by 127.0.0.1" in (tmp_path / "run/report.html").read_text()
    for file in (tmp_path / "run").rglob("*.*"):
        assert server.token.encode() not in file.read_bytes()
    # the shots are in the journal: what is lost after them costs no job
    whole = xr.load_dataset(tmp_path / "run/result.nc", engine="h5netcdf")
    for name in ("result.json", "result.nc"):
        (tmp_path / "run" / name).unlink()
    assert qbrain("resume", "run", "--json")[0] == 0
    assert server.submissions() == 1
    again = xr.load_dataset(tmp_path / "run/result.nc", engine="h5netcdf")
    np.testing.assert_array_equal(again.spikes, whole.spikes)


@pytest.mark.slow
def test_a_job_that_fails_is_sent_again_when_the_run_goes_on(start_ibm):
    server = start_ibm()
    server.fail_jobs(1)
    code, _, err = qbrain(*RUN, "--out", "cut", "--json")
    assert code == 4
    assert "go on with: qbrain resume cut" in err
    code, out, err = qbrain("resume", "cut", "--json")
    assert code == 0, err
    assert server.submissions() == 2
    # a finished run sends nothing any more
    assert qbrain("resume", "cut", "--json")[1] == out
    assert server.submissions() == 2


def test_live_circuits_are_a_job_a_tick(start_ibm):
    server = start_ibm()
    code, out, err = qbrain(
        *("run", "qlif", "--backend", "ibm_fez", "--circuits", "live", "--pairs", "3"),
        *("--ticks", "3", "--current", "6", "--seed", "1", "--out", "run", "--json"),
    )
    assert code == 0, err
    result = json.loads(out)
    assert server.submissions() == 3
    assert result["circuits"] == result["validated"] == result["shots_used"] == 9
    assert (result["shots"], result["form"]) == (1, "live")


def test_a_run_that_would_take_too_long_sends_nothing(start_ibm):
    server = start_ibm()
    code, _, err = qbrain(*RUN, "--max-qpu-seconds", "0.5", "--out", "run")
    assert code == 3
    assert "qpu seconds" in err
    assert server.submissions() == 0
