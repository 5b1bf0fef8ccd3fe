"""Collective neurons in a bath, from the command line: runs, feedback, errors, kill and resume."""

import contextlib
import io
import json
from contextlib import redirect_stderr, redirect_stdout
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from qbrain.backends.ledger import Ledger
from qbrain.experiments.cli import run_command
from qbrain.experiments.open_system import circuits as open_system_circuits
from qbrain.experiments.open_system.config import OpenSystemConfig, parse_pulses
from qbrain.experiments.open_system.model import CollectiveModel
from qbrain.reference.open_system import simulate_open_system

SMALL = ["--time", "3", "--steps", "6", "--shots", "1000", "--seed", "4"]


def qbrain(*arguments, cwd, check=True):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(cwd), redirect_stdout(out), redirect_stderr(err):
        code = run_command([str(x) for x in arguments])
    if check:
        assert code == 0, err.getvalue()
    return SimpleNamespace(returncode=code, stdout=out.getvalue(), stderr=err.getvalue())


def run(path, *arguments):
    done = qbrain("run", "open-system", *arguments, "--out", path, "--json", cwd=path.parent)
    return json.loads(done.stdout), xr.load_dataset(path / "result.nc", engine="h5netcdf")


def model(**settings):
    return CollectiveModel(OpenSystemConfig.from_mapping(settings))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    path = tmp_path_factory.mktemp("finished") / "run"
    return path, *run(path, *SMALL)


def test_one_json_object_with_the_agreed_fields(finished):
    path, result, data = finished
    wanted = (
        "system backend neurons qubits steps shots circuits validated two_qubit_gates depth "
        "rmse_sz max_error_sz wall_seconds run_dir"
    )
    assert set(wanted.split()) <= set(result)
    assert (result["system"], result["backend"]) == ("open-system", "aer")
    assert result["circuits"] == result["validated"] == 7
    # the words of every system, and the names of version 0.1
    fit = result["fit"]
    assert (fit["rmse"], fit["max_error"]) == (result["rmse_sz"], result["max_error_sz"])
    assert (fit["rmse_raw"], fit["coverage"]) == (result["rmse_sz_raw"], result["within_bars"])
    assert result["printed_error"] == result["published_formula_error"]
    assert result["feedback"] == result["controller"] == "none"
    names = {"run.toml", "steps.jsonl", "result.nc", "result.json", "circuits.qpy", "figure.png",
             "report.html"}  # fmt: skip
    assert names <= {p.name for p in path.iterdir()}
    page = (path / "report.html").read_text()
    assert "aer, ideal simulation" in page
    assert "Eq. 18" in page
    assert data.attrs["backend"] == "aer"


@pytest.mark.parametrize(
    "form",
    [
        ["--neurons", "1"],
        ["--neurons", "3", "--order", "palindromic"],
        ["--neurons", "3", "--substeps", "4", "--extrapolation", "richardson"],
        ["--start", "tilted", "--tilt", "1.2", "--scaling", "none", "--substeps", "2"],
        ["--occupation", "boltzmann", "--beta", "0.2", "--start", "down", "--substeps", "2"],
        ["--occupation", "bose", "--beta", "1", "--exponent", "2"],
        ["--backend", "statevector", "--fresh", "true", "--steps", "3"],
    ],
    ids=" ".join,
)
def test_every_form_follows_the_master_equation(form, tmp_path):
    settings = ["--time", "3", "--steps", "6", "--shots", "20000", "--seed", "5"]
    if "--steps" in form:
        settings[3] = form[form.index("--steps") + 1]
        form = form[: form.index("--steps")]
    result, data = run(tmp_path / "run", *settings, *form)
    assert result["validated"] == result["circuits"]
    # shots, to five standard errors, about what the collisions give without them
    pull = (data.m_z - data.collision_m_z) / data.m_z_stderr
    assert float(np.abs(pull).max()) < 5
    assert result["rmse_sz"] < 3 * result["shot_error"] + 2 * result["collision_error"]
    assert result["collision_error"] < 0.1


def test_collisions_converge_as_their_order_says():
    errors = {}
    for order in ("alternating", "palindromic", "fixed"):
        for substeps in (1, 2, 4, 8):
            m = model(
                neurons=3, time=3, steps=6, order=order, substeps=substeps, start="tilted",
                tilt=1.2, scaling="none",
            )  # fmt: skip
            etas = np.zeros(6)
            exact = float(m.simulate(m.times).m_z[-1])
            states = m.states(m.collisions(etas))
            ones = np.bitwise_count(np.arange(8, dtype=np.uint8))
            found = 2 * float(np.diag(states).real @ ones) / 3 - 1
            errors[order, substeps] = found - exact
    for order in ("alternating", "palindromic"):
        rows = np.abs([errors[order, k] for k in (1, 2, 4, 8)])
        np.testing.assert_allclose(np.log2(rows[:-1] / rows[1:]), 1, atol=0.6)
    richardson = np.abs(
        [2 * errors["alternating", 2 * k] - errors["alternating", k] for k in (1, 2, 4)]
    )
    np.testing.assert_allclose(np.log2(richardson[:-1] / richardson[1:]), 2, atol=0.7)
    # it tends to another master equation
    assert abs(errors["fixed", 8]) > 0.8 * abs(errors["fixed", 1]) > 0.05
    assert abs(errors["fixed", 8]) > 10 * abs(errors["alternating", 8])


def test_the_old_name_of_the_controller_is_taken_with_a_warning(tmp_path):
    with pytest.warns(FutureWarning, match="feedback is now controller"):
        assert model(feedback="homeostasis").config.controller == "homeostasis"
    settings = ["--time", "1", "--steps", "2", "--shots", "100", "--seed", "1"]
    done = qbrain("run", "open-system", *settings, "--feedback", "homeostasis", "--out", "run",
                  "--json", cwd=tmp_path)  # fmt: skip
    assert json.loads(done.stdout)["controller"] == "homeostasis"
    assert "qbrain: feedback is now controller\n" in done.stderr
    both = ["--feedback", "none", "--controller", "homeostasis"]
    done = qbrain("run", "open-system", *both, "--out", "other", cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert "feedback: wanted its new name controller alone, got both" in done.stderr


def test_homeostasis_holds_the_spins_that_would_go_down(tmp_path):
    settings = ["--time", "8", "--steps", "24", "--shots", "8000", "--seed", "2"]
    _, free = run(tmp_path / "free", *settings, "--pulses", "0:inf:0.3")
    held, data = run(
        tmp_path / "held", *settings, "--controller", "homeostasis", "--target", "-0.2", "--gain",
        "0.5",
    )  # fmt: skip
    assert held["validated"] == held["circuits"] == 25
    # the bath remembers: spins go on past the target before they are held
    assert abs(float(data.m_z[-6:].mean()) + 0.2) < 0.2
    assert float(data.m_z[-12:].std()) < 0.03
    assert float(free.m_z[-1]) < -0.7
    assert held["rmse_sz"] < 0.05
    assert float(data.eta.min()) >= 0
    assert float(data.eta.max()) <= 0.5


def test_the_exact_loop_is_the_master_equation_under_its_own_stimulation():
    m = model(controller="homeostasis", target=-0.2, time=6, steps=12)
    etas = m.etas
    assert etas.shape == (12,)
    again = simulate_open_system(
        2, (m.bath, m.stimulus_of(etas)), "up", m.times, scaling="1/N", allow_negative=True
    )
    np.testing.assert_allclose(m.simulate(m.times).m_z, again.m_z, atol=1e-9)
    # what was set follows from what was reached: gain times the error, within the limits
    wanted = np.clip(0.5 * (again.m_z.values[:-1] + 0.2), 0, 0.5)
    free = etas > 1e-9
    assert np.all(etas >= wanted - 1e-6)
    assert np.mean(np.abs(etas - wanted)[free] < 1e-6) > 0.5


def test_exact_takes_a_thousand_neurons(tmp_path):
    result, data = run(tmp_path / "run", "--backend", "exact", "--neurons", "1000")
    assert result["circuits"] == 0
    assert result["rmse_sz"] == 0
    # mean field is right for many, once the coupling is scaled
    assert result["mean_field_error"] < 0.05
    assert "m_z_stderr" not in data


def test_readout_correction_under_device_noise(tmp_path):
    settings = ["--time", "2", "--steps", "4", "--backend", "fake_fez", "--shots", "40000",
                "--seed", "3"]  # fmt: skip
    run(tmp_path / "raw", *settings)
    corrected, data = run(tmp_path / "readout", *settings, "--mitigation", "readout")
    assert corrected["circuits"] == corrected["validated"] == 5 + 2
    assert corrected["rmse_sz"] != corrected["rmse_sz_raw"]
    # before any collision only readout errors are there
    assert abs(float(data.m_z[0]) - 1) < 0.5 * abs(float(data.raw_m_z[0]) - 1)
    rows = json.loads(qbrain("compare", "raw", "readout", "--json", cwd=tmp_path).stdout)["runs"]
    assert [row["estimate"] for row in rows] == ["raw", "raw", "readout"]
    assert rows[1]["rmse"] == pytest.approx(rows[0]["rmse"])
    assert rows[2]["rmse"] == corrected["rmse_sz"]
    assert all(row["same_as_first"] for row in rows)


def test_the_check_refuses_other_angles(start_ibm, own_ledger, tmp_path, monkeypatch):
    server = start_ibm()
    built = open_system_circuits.collision_circuit

    def wrong(neurons, emission, **form):
        return built(neurons, np.asarray(emission) * 1.001, **form)

    monkeypatch.setattr(open_system_circuits, "collision_circuit", wrong)
    done = qbrain("run", "open-system", *SMALL, "--out", "run", cwd=tmp_path, check=False)
    assert done.returncode == 3
    assert "check 'logical'" in done.stderr
    # up to the stimulus no collision changes anything; nothing is measured after it
    assert (tmp_path / "run/steps.jsonl").read_bytes().count(b"\n") == 2
    assert not (tmp_path / "run/result.json").exists()
    # a device gets all times as one job, or none of them
    device = ["--backend", "ibm_fez", "--out", "device"]
    done = qbrain("run", "open-system", *SMALL, *device, cwd=tmp_path, check=False)
    assert done.returncode == 3
    assert server.submissions() == 0


def test_one_job_without_feedback_and_one_a_step_with_it(start_ibm, own_ledger, tmp_path):
    server = start_ibm()
    settings = ["--backend", "ibm_fez", "--time", "1", "--steps", "2", "--shots", "500", "--seed",
                "1"]  # fmt: skip
    result, data = run(tmp_path / "open", *settings, "--mitigation", "readout")
    assert server.submissions() == 1
    assert result["circuits"] == result["validated"] == 3 + 2
    assert data.sizes["time"] == 3
    assert "on ibm_fez, simulated by 127.0.0.1" in (tmp_path / "open/report.html").read_text()
    closed, _ = run(tmp_path / "closed", *settings, "--controller", "homeostasis")
    assert server.submissions() == 1 + 3
    assert closed["circuits"] == 3
    assert {job.state for job in Ledger().jobs()} == {"done"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--cutoff", "-1"], "cutoff: wanted a number greater than 0, got '-1'"),
        (["--exponent", "0"], "exponent: wanted a number greater than 0, got '0'"),
        (["--neurons", "0"], "neurons: wanted a number greater than or equal to 1"),
        (["--neurons", "6"], "neurons: wanted at most 5 on circuits"),
        (["--occupation", "bose"], "beta: wanted a number for occupation bose, got none"),
        (["--occupation", "bose", "--beta", "-1"], "beta: wanted a number greater than 0"),
        (["--beta", "1"], "beta: would be ignored"),
        (["--pulses", "1:0.5:0.1"], "pulses: wanted start:stop:strength"),
        (["--pulses", "soon"], "pulses: wanted start:stop:strength"),
        (["--pulses", "0:inf:nan"], "pulses: wanted start:stop:strength"),
        (["--pulses", "1:1.5:0.8,1.5:2.25:-0.53"], "kappa: wanted rates >= 0, got -0.0578 at t ="),
        (["--pulses", "0:inf:-0.1"], "kappa: wanted rates >= 0"),
        (["--tilt", "1"], "tilt: would be ignored"),
        (["--start", "tilted", "--tilt", "4"], "tilt: wanted a number less than or equal to"),
        (["--target", "0.1"], "target: would be ignored"),
        (["--controller", "homeostasis", "--pulses", "0:1:0.1"], "pulses: would be ignored"),
        (
            ["--controller", "homeostasis", "--substeps", "2"],
            "substeps: wanted 1 under homeostasis",
        ),
        (["--extrapolation", "richardson"], "extrapolation: richardson halves the collisions"),
        (["--mitigation", "readout"], "mitigation: backend aer has no noise"),
        (["--backend", "exact", "--order", "fixed"], "order: would be ignored"),
        (["--steps", "0"], "steps: wanted a number greater than or equal to 1"),
        (["--time", "0"], "time: wanted a number greater than 0"),
    ],
    ids=lambda x: " ".join(x) if isinstance(x, list) else "",
)
def test_bad_input_is_one_line(arguments, message, tmp_path):
    done = qbrain("run", "open-system", *arguments, "--out", "run", cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_pulses_are_read():
    assert parse_pulses("1:1.5:0.8,2:inf:-0.1") == [(1, 1.5, 0.8), (2, float("inf"), -0.1)]
