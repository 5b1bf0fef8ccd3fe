"""Spike generators from the command line and from Python, end to end."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from qbrain.classical_feedback.spike_training import TrainingPlan
from qbrain.experiments.cli import run_command
from qbrain.experiments.errors import ConfigError
from qbrain.experiments.spikes.data import synthetic_spikes
from qbrain.experiments.spikes.fitting import QuantumSpikeGenerator
from qbrain.experiments.spiqgan.config import SpiQGANConfig

QBRAIN = [sys.executable, "-m", "qbrain.experiments.cli"]
TINY = [
    "--neurons", "2", "--bins", "4", "--layers", "2", "--trials", "30", "--batch", "32",
    "--generator-batch", "64", "--samples", "4000", "--seed", "3",
]  # fmt: skip
RECORDING = (
    Path(__file__).resolve().parents[3] / "shared" / "data" / "marre2014_retina_50x283041.npz"
)


def qbrain(capsys, *arguments):
    code = run_command([str(x) for x in arguments])
    out = capsys.readouterr()
    return code, out.out, out.err


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One small training, shared by tests that only read it."""
    out = tmp_path_factory.mktemp("spiqgan") / "run"
    assert run_command(["run", "spiqgan", *TINY, "--training-steps", "300", "--out", str(out)]) == 0
    return out, json.loads((out / "result.json").read_text())


def test_the_result_has_the_agreed_fields(finished):
    _, result = finished
    wanted = (
        "system backend neurons parameters quantum_parameters rate_error covariance_rmse "
        "kl_count_bin kl_count_window lag1 lag1_data train_seconds wall_seconds run_dir"
    )
    assert set(wanted.split()) <= set(result)
    assert (result["system"], result["backend"]) == ("spiqgan", "exact")
    assert result["parameters"] == 4 * (3 * 2 * 2 + 2 * 2)
    assert result["quantum_parameters"] == 4 * 3 * 2 * 2
    names = [row["name"] for row in result["sources"]]
    assert names == ["generator", "independent", "dichotomised-gaussian"]


@pytest.mark.slow
def test_every_control_is_trained_and_measured_alike(tmp_path):
    out = tmp_path / "run"
    options = [*TINY, "--training-steps", "300", "--controls", "all", "--out", str(out)]
    assert run_command(["run", "spiqgan", *options]) == 0
    result = json.loads((out / "result.json").read_text())
    names = {row["name"]: row for row in result["sources"]}
    assert set(names) == {
        "generator", "independent", "dichotomised-gaussian", "classical", "spike-gan",
        "no-entangling",
    }  # fmt: skip
    # as many parameters as a whole number of hidden units allows
    assert abs(names["classical"]["parameters"] - result["parameters"]) <= (2 + 1 + 8) / 2
    assert names["no-entangling"]["parameters"] == result["parameters"]
    for name in ("classical", "spike-gan", "no-entangling"):
        assert names[name]["seconds"] > 0
        assert names[name]["covariance_rmse"] < names["independent"]["covariance_rmse"]


def test_training_has_learnt(finished):
    """From weights near |0…0⟩ to less than half the error, and beyond what rates alone tell."""
    path, result = finished
    with np.load(path / "training-generator.npz") as held:
        history = json.loads(str(held["record"]))["history"]
    assert history[-1]["score"] < history[0]["score"] / 2
    rows = {row["name"]: row for row in result["sources"]}
    assert result["covariance_rmse"] < rows["independent"]["covariance_rmse"]


def test_the_run_directory_is_complete(finished):
    path, _ = finished
    names = {p.name for p in path.iterdir()}
    assert {
        "run.toml", "result.nc", "result.json", "figure.png", "report.html", "weights.npz",
        "training-generator.npz",
    } <= names  # fmt: skip
    with xr.open_dataset(path / "result.nc", engine="h5netcdf") as data:
        assert {"data", "training", "generator"} <= set(data.source.values)
    page = (path / "report.html").read_text()
    assert "dichotomised" in page
    assert 'src="http' not in page
    assert 'href="http' not in page


def test_no_trial_is_in_two_parts(finished):
    import tomllib

    path, _ = finished
    record = tomllib.loads((path / "run.toml").read_text())["data"]
    parts = [record[f"{name}_trials"] for name in ("training", "validation", "test")]
    whole = [trial for part in parts for trial in part]
    assert sorted(whole) == list(range(30))


def test_weights_are_loaded_and_nothing_is_trained(finished, tmp_path, capsys):
    path, first = finished
    out = tmp_path / "again"
    code, text, _ = qbrain(
        capsys, "run", "spiqgan", "--neurons", 2, "--bins", 4, "--layers", 2, "--trials", 30,
        "--samples", 4000, "--seed", 3, "--weights", path / "weights.npz", "--out", out, "--json",
    )  # fmt: skip
    assert code == 0
    again = json.loads(text)
    assert not (out / "training-generator.npz").exists()
    for name in ("rate_error", "covariance_rmse", "kl_count_bin", "kl_count_window", "lag1"):
        assert again[name] == first[name]
    assert again["train_seconds"] == 0


@pytest.mark.slow
def test_kill_9_while_training_and_resume(tmp_path):
    """Killed after a checkpoint, taken up again: the numbers of a training left alone."""
    options = [*TINY, "--training-steps", "1500", "--controls", "none"]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert run_command(["run", "spiqgan", *options, "--out", str(whole)]) == 0
    process = subprocess.Popen(
        [*QBRAIN, "run", "spiqgan", *options, "--out", str(killed)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ},
    )  # fmt: skip
    ends = time.monotonic() + 120
    while not (killed / "training-generator.npz").exists():
        assert process.poll() is None, "ended before its first checkpoint"
        assert time.monotonic() < ends
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (killed / "result.json").exists()
    assert run_command(["resume", str(killed)]) == 0
    a, b = (json.loads((run / "result.json").read_text()) for run in (whole, killed))
    for timed in ("train_seconds", "wall_seconds", "run_dir", "weights", "sources"):
        assert timed in a
        a.pop(timed), b.pop(timed)
    assert a == b
    with np.load(whole / "weights.npz") as x, np.load(killed / "weights.npz") as y:
        for name in x.files:
            np.testing.assert_array_equal(x[name], y[name])


def test_a_run_whose_data_changed_does_not_go_on(finished, tmp_path, capsys):
    file, run = tmp_path / "spikes.npy", tmp_path / "run"
    raster = synthetic_spikes(trials=12, bins=60, neurons=2).raster
    np.save(file, raster)
    code, _, _ = qbrain(
        capsys, "run", "spiqgan", "--data", file, "--bin-s", 0.02, "--neurons", 2, "--bins", 4,
        "--layers", 2, "--samples", 1000, "--weights", finished[0] / "weights.npz", "--out", run,
    )  # fmt: skip
    assert code == 0
    (run / "result.json").unlink()
    np.save(file, raster[:, ::-1])
    code, _, err = qbrain(capsys, "resume", run)
    assert code == 2
    assert "wanted the spikes that the run began with" in err


def raster_file(folder, change):
    raster = synthetic_spikes(trials=6, bins=40, neurons=3).raster.astype(float)
    np.save(folder / "spikes.npy", change(raster))
    return ["--data", str(folder / "spikes.npy"), "--bin-s", "0.02"]


def silent(raster):
    raster[:, :, 1] = 0
    return raster


def not_a_number(raster):
    raster[2, 3, 1] = np.nan
    return raster


BAD_RECORDINGS = {
    "silent": (silent, ["--cells", "0,1"], "cells: wanted cells that spike, got 1"),
    "few spiking": (silent, ["--neurons", "3"], "neurons: wanted 1 to 2"),
    "two trials": (lambda r: r[:2], ["--neurons", "1"], "trials: wanted 3 or more"),
    "long window": (lambda r: r, ["--neurons", "3", "--bins", "41"], "window: wanted 1 to 40 bins"),
    "nan": (not_a_number, [], "data: wanted zeros and ones, got nan at (2, 3, 1)"),
    "numbers": (lambda r: 2 * r, [], "data: wanted zeros and ones, got 2.0"),
    "flat": (lambda r: r[0, :, 0], [], "data: wanted an array of 2 or 3 axes"),
}


@pytest.mark.parametrize("name", BAD_RECORDINGS)
def test_bad_recordings_are_refused_in_one_line(name, tmp_path, capsys):
    change, options, said = BAD_RECORDINGS[name]
    file = raster_file(tmp_path, change)
    code, text, err = qbrain(capsys, "run", "spiqgan", *file, *options, "--out", tmp_path / "run")
    assert (code, text) == (2, "")
    assert said in err
    assert err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_file_that_is_no_raster_is_refused_in_one_line(tmp_path, capsys):
    for name in ("notes.npy", "notes.mat", "notes.npz", "notes.csv", "notes.txt"):
        (tmp_path / name).write_text("not spikes")
        code, _, err = qbrain(capsys, "run", "spiqgan", "--data", tmp_path / name, "--bin-s", 0.02)
        assert code == 2
        assert "data: wanted" in err
        assert err.count("\n") == 1


def test_bad_settings_are_refused_in_one_line(tmp_path, capsys):
    cases = {
        ("--weights-per", "sideways"): "weights_per: wanted",
        ("--memory", "2"): "memory: would be ignored",
        ("--controls", "magic"): "controls: wanted all, none, or names",
        ("--cells", "a,b"): "cells: wanted cells of dichotomised Gaussian",
        ("--weights", "nowhere.npz"): "weights: wanted a file that exists",
        ("--generator-batch", "7"): "generator_batch: wanted an even number",
        ("--mitigation", "readout"): "mitigation: would be ignored, since backend exact",
        ("--bins", "6", "--controls", "spike-gan"): "bins: wanted a multiple of 4 for Spike-GAN",
        ("--backend", "fake_nowhere"): "fake_nowhere",
    }
    for options, said in cases.items():
        out = tmp_path / "run"
        code, text, err = qbrain(capsys, "run", "spiqgan", *options, "--out", out)
        assert (code, text) == (2, ""), options
        assert said in err
        assert err.count("\n") == 1
        assert not out.exists()


def test_names_of_the_version_before_are_taken_with_a_warning():
    with pytest.warns(FutureWarning) as warned:
        old = SpiQGANConfig(readout="words", held_back=0.1, held_out=0.3, steps=7)
    assert [str(each.message) for each in warned] == [
        "readout is now emission", "held_back is now validation_fraction",
        "held_out is now test_fraction", "steps is now training_steps",
    ]  # fmt: skip
    new = SpiQGANConfig(
        emission="words", validation_fraction=0.1, test_fraction=0.3, training_steps=7
    )
    assert old == new
    assert new.plan(1).steps == 7


def test_damaged_or_foreign_weights_are_refused(finished, tmp_path, capsys):
    path, _ = finished
    damaged = tmp_path / "damaged.npz"
    damaged.write_bytes((path / "weights.npz").read_bytes()[:200])
    base = ["run", "spiqgan", "--neurons", 2, "--bins", 4, "--trials", 30, "--out", tmp_path / "r"]
    code, _, err = qbrain(capsys, *base, "--layers", 2, "--weights", damaged)
    assert code == 2
    assert "not weights of spiqgan" in err
    code, _, err = qbrain(capsys, *base, "--layers", 3, "--weights", path / "weights.npz")
    assert code == 2
    assert "weights: wanted those of" in err


# ------------------------------------------------------------------------------ from Python


def test_fit_sample_save_load(tmp_path):
    raster = synthetic_spikes(trials=20, bins=80, neurons=2).raster
    made = QuantumSpikeGenerator(bins=4, layers=2, weights_per="shared")
    with pytest.raises(ConfigError, match="fitted or loaded"):
        made.sample(5, 0)
    plan = TrainingPlan(steps=40, batch=32, generator_batch=32, channels=8)
    made.fit(raster, plan=plan, seed=1)
    windows = made.sample(300, 7)
    assert windows.shape == (300, 4, 2)
    assert windows.dtype == np.uint8
    assert set(np.unique(windows)) <= {0, 1}
    np.testing.assert_array_equal(made.sample(100, 7), windows[:100])
    assert (made.sample(300, 8) != windows).any()
    made.save(tmp_path / "made.npz")
    again = QuantumSpikeGenerator.load(tmp_path / "made.npz")
    assert again.generator == made.generator
    np.testing.assert_array_equal(again.sample(300, 7), windows)


@pytest.mark.slow
@pytest.mark.skipif(not RECORDING.exists(), reason="the optional recording is not here")
def test_weights_a_bin_on_the_recording(tmp_path):
    """One seed: rates to 2 %, covariances to 0.0028, counts to 0.001 and 0.02; some minutes."""
    out = tmp_path / "run"
    options = ["--data", str(RECORDING), "--neurons", "4", "--seed", "0"]
    assert run_command(["run", "spiqgan", *options, "--out", str(out)]) == 0
    result = json.loads((out / "result.json").read_text())
    assert result["rate_error"] <= 0.025
    assert result["covariance_rmse"] <= 0.0028
    assert result["kl_count_bin"] <= 0.001
    assert result["kl_count_window"] <= 0.02


@pytest.mark.slow
@pytest.mark.skipif(not RECORDING.exists(), reason="the optional recording is not here")
def test_shared_weights_on_the_recording(tmp_path):
    """One seed, 72 numbers: covariances to 0.006, the correlation at lag 1 to 0.05."""
    out = tmp_path / "run"
    options = ["--data", str(RECORDING), "--neurons", "4", "--seed", "0"]
    code = run_command(["run", "spiqgan", *options, "--weights-per", "shared", "--out", str(out)])
    assert code == 0
    result = json.loads((out / "result.json").read_text())
    assert result["parameters"] <= 150
    assert result["covariance_rmse"] <= 0.006
    assert result["lag1_error"] <= 0.05
