"""The command line from end to end."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
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


def test_the_same_seed_gives_the_same_numbers(finished, tmp_path):
    first = finished[1]
    again = json.loads(qbrain("run", "lmg", *SMALL, "--json", cwd=tmp_path).stdout)
    other = json.loads(qbrain("run", "lmg", *SMALL, "--seed", "12", "--json", cwd=tmp_path).stdout)
    assert again["rmse_excitation"] == first["rmse_excitation"]
    assert other["rmse_excitation"] != first["rmse_excitation"]
    assert Path(tmp_path / again["run_dir"]).is_dir()


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


FORMS = [
    ["--evolution", "replay"],
    pytest.param(["--evolution", "incremental"], marks=pytest.mark.slow),
    pytest.param(["--evolution", "fast-forward"], marks=pytest.mark.slow),
    pytest.param(["--evolution", "orbit"], marks=pytest.mark.slow),
    pytest.param(["--evolution", "relax"], marks=pytest.mark.slow),
    pytest.param(["--encoding", "dicke"], marks=pytest.mark.slow),
    ["--encoding", "dicke", "--backend", "fake_fez", "--mitigation", "readout+echo"],
    pytest.param(
        ["--backend", "fake_fez", "--mitigation", "parity+zne", "--placements", "2"],
        marks=pytest.mark.slow,
    ),
    ["--evolution", "fast-forward", "--dispatch", "afterwards"],
    pytest.param(
        ["--field", "0.2", "--tau-f", "2", "--backend", "statevector"], marks=pytest.mark.slow
    ),
]


@pytest.mark.parametrize("form", FORMS, ids=" ".join)
def test_a_killed_run_resumed_gives_the_numbers_of_a_whole_one(form, tmp_path):
    whole = json.loads(
        qbrain("run", "lmg", *SMALL, *form, "--out", "whole", "--json", cwd=tmp_path).stdout
    )
    qbrain("run", "lmg", *SMALL, *form, "--out", "cut", "--json", cwd=tmp_path)
    cut = tmp_path / "cut"
    lines = (cut / "steps.jsonl").read_bytes().splitlines(keepends=True)
    # as a kill leaves it: some steps done, the next half written, nothing after
    done = min(3, len(lines) - 1)
    half = lines[done][: len(lines[done]) // 2]
    (cut / "steps.jsonl").write_bytes(b"".join(lines[:done]) + half)
    for name in ("result.json", "result.nc", "report.html", "figure.png", "circuits.qpy"):
        (cut / name).unlink()
    resumed = json.loads(qbrain("resume", "cut", "--json", cwd=tmp_path).stdout)
    assert (cut / "steps.jsonl").read_bytes() == (tmp_path / "whole/steps.jsonl").read_bytes()
    for result in (whole, resumed):
        del result["wall_seconds"], result["run_dir"]
    assert resumed == whole


def test_kill_9_in_the_middle_and_resume(tmp_path):
    settings = ["--neurons", "4", "--gamma", "0.8", "--time", "30", "--steps", "60", "--shots"]
    settings += ["2000", "--seed", "5", "--encoding", "dicke", "--backend", "fake_fez"]
    qbrain("run", "lmg", *settings, "--out", "whole", cwd=tmp_path)
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [*QBRAIN, "run", "lmg", *settings, "--out", "cut"],
        cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    journal = tmp_path / "cut/steps.jsonl"
    for _ in range(2):
        deadline = time.monotonic() + 60
        already = journal.read_bytes().count(b"\n") if journal.exists() else 0
        while time.monotonic() < deadline and process.poll() is None:
            if journal.exists() and journal.read_bytes().count(b"\n") >= already + 8:
                break
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not (tmp_path / "cut/result.json").exists()
        process = subprocess.Popen(
            [*QBRAIN, "resume", "cut"], cwd=tmp_path,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    assert process.wait(timeout=120) == 0
    assert journal.read_bytes() == (tmp_path / "whole/steps.jsonl").read_bytes()
    a, b = (
        xr.load_dataset(tmp_path / name / "result.nc", engine="h5netcdf")
        for name in ("cut", "whole")
    )
    xr.testing.assert_identical(a, b)
