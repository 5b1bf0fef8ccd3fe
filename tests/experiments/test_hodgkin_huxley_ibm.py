"""A neuron's gates on IBM Quantum's interface: one job a step, each sent once."""

import json

import numpy as np
import pytest
import xarray as xr
from command_line import qbrain

from qbrain.backends.ledger import Ledger

pytestmark = pytest.mark.usefixtures("own_ledger")

RUN = [
    *("run", "hodgkin-huxley", "--backend", "ibm_fez", "--time", "2", "--steps", "3"),
    *("--shots", "1000", "--seed", "3"),
]


def test_a_job_a_step_from_the_command_line_to_the_report(start_ibm, tmp_path):
    server = start_ibm()
    code, out, err = qbrain(*RUN, "--mitigation", "readout", "--out", "run", "--json")
    assert code == 0, err
    result = json.loads(out)
    assert server.submissions() == 4
    assert {job.state for job in Ledger().jobs()} == {"done"}
    assert result["circuits"] == result["validated"] == 4 + 2
    assert result["qubits"] == len(result["physical_qubits"]) == 2
    assert result["two_qubit_gates"] == 2
    # readout errors alone are of the order of a percent
    assert result["rmse_gates"] < 0.1
    assert "on ibm_fez, simulated by 127.0.0.1" in (tmp_path / "run/report.html").read_text()
    for file in (tmp_path / "run").rglob("*"):
        assert file.is_dir() or server.token.encode() not in file.read_bytes()


def test_all_gates_of_a_neuron_go_side_by_side(start_ibm):
    server = start_ibm()
    code, out, err = qbrain(
        *("run", "hodgkin-huxley", "--backend", "ibm_fez", "--channel", "full", "--drive"),
        *("constant", "--time", "0.2", "--steps", "2", "--shots", "500", "--seed", "3"),
        *("--mitigation", "reference", "--out", "run", "--json"),
    )
    assert code == 0, err
    result = json.loads(out)
    assert server.submissions() == 3
    assert result["circuits"] == 3 + 2
    assert result["qubits"] == 6
    assert result["two_qubit_gates"] == 6


def test_a_job_that_fails_is_sent_again_when_the_run_goes_on(start_ibm, tmp_path):
    server = start_ibm()
    code, _, err = qbrain(*RUN, "--out", "whole", "--json")
    assert code == 0, err
    server.fail_jobs(1)
    code, _, err = qbrain(*RUN, "--out", "cut", "--json")
    assert code == 4
    assert "go on with: qbrain resume cut" in err
    code, out, err = qbrain("resume", "cut", "--json")
    assert code == 0, err
    assert server.submissions() == 4 + 1 + 4
    whole, cut = (
        xr.load_dataset(tmp_path / name / "result.nc", engine="h5netcdf")
        for name in ("whole", "cut")
    )
    assert whole.sizes == cut.sizes
    assert np.all(np.isfinite(cut.voltage))
    # a finished run sends nothing any more
    assert qbrain("resume", "cut", "--json")[1] == out
    assert server.submissions() == 9


def test_a_run_that_would_take_too_long_sends_nothing(start_ibm):
    server = start_ibm()
    code, _, err = qbrain(*RUN, "--max-qpu-seconds", "0.5", "--out", "run")
    assert code == 3
    assert "qpu seconds" in err
    assert server.submissions() == 0


def test_the_estimate_of_more_gates_than_outcomes_can_be_listed(start_ibm):
    server = start_ibm()
    code, out, err = qbrain(
        *("estimate", "hodgkin-huxley", "--backend", "ibm_fez", "--channel", "full", "--drive"),
        *("constant", "--time", "0.2", "--steps", "2", "--shots", "500", "--copies", "4"),
        *("--reading", "channels", "--json"),
    )
    assert code == 0, err
    found = json.loads(out)
    # eight gates a copy, each with an ancilla
    assert (found["qubits"], found["circuits"]) == (2 * 8 * 4, 3)
    assert found["qpu_seconds"] > 6
    assert server.submissions() == 0


def test_ancillas_are_reset_on_the_way(start_ibm):
    server = start_ibm()
    code, out, err = qbrain(*RUN, "--window", "2", "--out", "run", "--json")
    assert code == 0, err
    result = json.loads(out)
    assert server.submissions() == 4
    assert (result["ancilla"], result["qubits"], result["two_qubit_gates"]) == ("mixed", 3, 6)
    assert result["rmse_gates"] < 0.1
