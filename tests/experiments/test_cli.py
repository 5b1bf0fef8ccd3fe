"""The command line from end to end."""

import contextlib
import io
import json
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from qbrain.experiments.cli import run_command

QBRAIN = [sys.executable, "-m", "qbrain.experiments.cli"]
SMALL = ["--neurons", "3", "--gamma", "0.8", "--time", "4", "--steps", "6", "--shots", "500"]
SMALL += ["--seed", "11"]


def qbrain(*arguments, cwd, check=True):
    """The command in this process: what main() does, less the start of an interpreter."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(cwd), redirect_stdout(out), redirect_stderr(err):
        code = run_command([str(x) for x in arguments])
    if check:
        assert code == 0, err.getvalue()
    return SimpleNamespace(returncode=code, stdout=out.getvalue(), stderr=err.getvalue())


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One small run, shared by tests that only read it."""
    folder = tmp_path_factory.mktemp("finished")
    done = qbrain("run", "lmg", *SMALL, "--out", "run", "--json", cwd=folder)
    return folder / "run", json.loads(done.stdout)


def test_run_prints_one_json_object_with_the_agreed_fields(finished):
    _, result = finished
    wanted = (
        "system backend neurons qubits steps shots circuits validated two_qubit_gates depth "
        "rmse_excitation rmse_r max_error_excitation population_fidelity wall_seconds run_dir"
    )
    assert set(wanted.split()) <= set(result)
    assert (result["system"], result["backend"], result["neurons"]) == ("lmg", "aer", 3)
    assert result["circuits"] == result["validated"] == 7
    assert result["run_dir"] == "run"


def test_the_run_directory_is_complete(finished):
    path, result = finished
    names = {p.name for p in path.iterdir()}
    assert {
        "run.toml", "steps.jsonl", "result.nc", "result.json", "circuits.qpy", "figure.png",
        "report.html",
    } <= names  # fmt: skip
    assert not [n for n in names if ".part" in n]
    data = xr.load_dataset(path / "result.nc", engine="h5netcdf")
    error = data.excitation - data.exact_excitation
    assert float(np.sqrt(np.mean(error**2))) == pytest.approx(result["rmse_excitation"])
    assert int(data.counts_shots.sum()) == 7 * 500
    assert data.attrs["backend"] == "aer"
    assert data.time.attrs["units"] == "1/coupling"
    page = (path / "report.html").read_text()
    assert "aer" in page
    assert page.count("<svg") == 2
    assert "http://" not in page.replace("http://www.w3.org", "").replace(
        "http://purl.org", ""
    ).replace("http://creativecommons.org", "")
    assert "<script" not in page


def test_resume_of_a_finished_run_is_its_result(finished):
    path, result = finished
    assert json.loads(qbrain("resume", path, "--json", cwd=path.parent).stdout) == result


def test_compare_and_backends_and_estimate(finished):
    path, result = finished
    rows = json.loads(qbrain("compare", path, path, "--json", cwd=path.parent).stdout)["runs"]
    mitigated = [r for r in rows if r["estimate"] == "parity"]
    assert [r["rmse_excitation"] for r in mitigated] == [
        pytest.approx(result["rmse_excitation"])
    ] * 2
    assert mitigated[0]["rms_distance_to_first"] == 0
    assert "RMSE E" in qbrain("compare", path, cwd=path.parent).stdout
    listed = json.loads(qbrain("backends", "--json", cwd=path.parent).stdout)["backends"]
    assert {"exact", "aer", "statevector", "fake_fez"} <= {row["name"] for row in listed}
    cost = json.loads(
        qbrain("estimate", "lmg", *SMALL, "--backend", "fake_fez", "--json", cwd=path.parent).stdout
    )
    assert cost["circuits"] == 7
    assert 0 < cost["expected_fidelity_lowest"] < cost["expected_fidelity_mean"] < 1
    assert cost["qpu_seconds"] > 7 * 500 * 250e-6


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["run", "lmg", "--backend", "fake_nowhere"], 2, "fake_nowhere"),
        (["run", "lmg", "--backend", "ibm_fez"], 2, "needs an IBM Quantum account"),
        (["run", "lmg", "--neurons", "0"], 2, "neurons: wanted"),
        (["run", "lmg", "--gamma", "nan"], 2, "gamma: wanted a finite number"),
        (["run", "lmg", "--shots", "0"], 2, "shots: wanted"),
        (["run", "lmg", "--steps", "0"], 2, "steps: wanted"),
        (["run", "lmg", "--initial", "loud"], 2, "initial: wanted"),
        (["run", "lmg", "--initial", "9"], 2, "initial: wanted"),
        (["run", "lmg", "--evolution", "orbit", "--field", "0.1"], 2, "orbit needs field = 0"),
        (["run", "lmg", "--out", "/proc/nowhere"], 2, "out: cannot write"),
        (["run", "lmg", "--colour", "red"], 2, "--colour"),
        (["run", "lmg", "--config", "none.toml"], 2, "config: cannot read"),
        (["run", "brain"], 2, "brain"),
        (["think"], 2, "think"),
        (["resume", "nowhere"], 2, "no run here"),
        (["compare", "nowhere"], 2, "no run here"),
        (["estimate", "lmg", "--backend", "exact"], 2, "nothing to estimate"),
        (
            ["run", "lmg", "--gamma", "0.5", "--g0", "3", "--time", "40",
             "--steps", "4", "--trotter-steps", "1", "--trotter-order", "1"],
            3,
            "trotter",
        ),
    ],
)  # fmt: skip
def test_bad_input_is_one_clear_line(arguments, code, words, tmp_path):
    done = qbrain(*arguments, cwd=tmp_path, check=False)
    assert done.returncode == code, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert words in done.stderr
    assert done.stdout == ""
    if code == 2:
        assert not (tmp_path / "runs").exists()


def test_as_a_process_of_its_own(finished, tmp_path):
    path, result = finished
    good = subprocess.run([*QBRAIN, "resume", path, "--json"], capture_output=True, text=True)
    assert (good.returncode, json.loads(good.stdout)) == (0, result)
    bad = subprocess.run(
        [*QBRAIN, "run", "lmg", "--neurons", "0"], cwd=tmp_path, capture_output=True, text=True
    )
    assert bad.returncode == 2
    assert bad.stderr == "qbrain: neurons: wanted a number greater than or equal to 1, got '0'\n"
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("damage", ["steps.jsonl", "run.toml", "result.json"])
def test_a_corrupt_run_directory_is_one_clear_line(finished, tmp_path, damage):
    run = tmp_path / "run"
    run.mkdir()
    for file in finished[0].iterdir():
        (run / file.name).write_bytes(file.read_bytes())
    if damage == "steps.jsonl":
        (run / "result.json").unlink()
    (run / damage).write_bytes(b"\x00garbage\n")
    before = {p.name: p.read_bytes() for p in run.iterdir()}
    done = qbrain("resume", run, cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert damage in done.stderr
    assert {p.name: p.read_bytes() for p in run.iterdir()} == before


def test_a_used_output_folder_is_refused(finished):
    path, _ = finished
    done = qbrain("run", "lmg", *SMALL, "--out", path, cwd=path.parent, check=False)
    assert done.returncode == 2
    assert "already holds a run" in done.stderr
