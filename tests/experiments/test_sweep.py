"""Sweeps: what they cover, what comes out, and what a kill at any moment leaves."""

import contextlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from types import SimpleNamespace

import cloudpickle
import dask
import numpy as np
import pytest
import xarray as xr
from distributed import Client, LocalCluster
from hypothesis import given
from hypothesis import strategies as st

from qbrain.classical_feedback.synapse import Synapse
from qbrain.experiments.cli import run_command
from qbrain.experiments.engine.run import start
from qbrain.experiments.engine.system import PointRecord, System
from qbrain.experiments.errors import ConfigError, NotApplicable
from qbrain.experiments.lmg.config import LMGConfig
from qbrain.experiments.sweep import cluster as sweep_cluster
from qbrain.experiments.sweep import plan as sweep_plan
from qbrain.experiments.sweep.cluster import finished_points
from qbrain.experiments.sweep.dataset import sweep_dataset
from qbrain.experiments.sweep.figure import sweep_figure
from qbrain.experiments.sweep.journal import PointOutcome, append_outcomes, read_outcomes
from qbrain.experiments.sweep.plan import MOST_POINTS, parse_over, sweep_config
from qbrain.experiments.sweep.run import sweep
from qbrain.experiments.sweep.work import PointJob, do_points
from qbrain.experiments.systems import SYSTEMS
from qbrain.reference.lmg import LMG, simulate

LMGSweep = sweep_config(LMGConfig)
QBRAIN = [sys.executable, "-m", "qbrain.experiments.cli"]
LONG = ["--over", "tau_r=0.5:5:20", "--over", "g0=0.5:1:20", "--neurons", "40"]
LONG += ["--gamma", "0.8", "--time", "1000", "--steps", "200"]


def qbrain(*arguments, cwd, check=True):
    """The command in this process: what main() does, less the start of an interpreter."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(cwd), redirect_stdout(out), redirect_stderr(err):
        code = run_command([str(x) for x in arguments])
    if check:
        assert code == 0, err.getvalue()
    return SimpleNamespace(returncode=code, stdout=out.getvalue(), stderr=err.getvalue())


def make_plan(fixed, over):
    return sweep_plan.make_plan(SYSTEMS["lmg"], fixed, over)


def load(path):
    return xr.load_dataset(path / "sweep.nc", engine="h5netcdf")


@pytest.fixture(scope="module")
def cluster():
    """Two workers in processes of their own, shared by the tests here."""
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as made:
        yield made.scheduler_address


# what a sweep covers


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        (["tau_r=0.1,1,10"], {"tau_r": ["0.1", "1", "10"]}),
        (["tau-r= 1 , 2"], {"tau_r": ["1", "2"]}),
        (["gamma=0:1:11"], {"gamma": [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]}),
        (["neurons=40:10:4"], {"neurons": [40, 30, 20, 10]}),
        (["initial=silent,3", "g0=1"], {"initial": ["silent", "3"], "g0": ["1"]}),
    ],
)
def test_names_and_values_as_given(texts, wanted):
    assert parse_over(texts) == wanted


@given(st.decimals(-1000, 1000, places=3), st.decimals(-1000, 1000, places=3), st.integers(2, 50))
def test_a_range_has_both_ends_and_equal_steps(start, stop, count):
    (values,) = parse_over([f"field={start}:{stop}:{count}"]).values()
    assert (values[0], values[-1], len(values)) == (float(start), float(stop), count)
    np.testing.assert_allclose(values, np.linspace(float(start), float(stop), count), atol=1e-12)


def test_points_are_every_combination_with_keys_of_their_own():
    plan = make_plan(LMGSweep(neurons=6), parse_over(["tau_r=1,2", "gamma=0:1:3"]))
    assert plan.shape == (2, 3)
    chosen = [(p.config.tau_r, p.config.gamma, p.config.neurons) for p in plan.points]
    assert chosen == [(t, g, 6) for t in (1, 2) for g in (0, 0.5, 1)]
    assert len({p.key for p in plan.points}) == 6
    turned = make_plan(LMGSweep(neurons=6), parse_over(["gamma=1,0", "tau_r=2"]))
    assert {p.key for p in turned.points} < {p.key for p in plan.points}


def test_every_run_has_noise_of_its_own_that_is_the_same_next_time():
    fixed = LMGSweep(backend="aer", seed=3)
    seeds = [p.config.seed for p in make_plan(fixed, {"tau_r": [1, 2, 3]}).points]
    assert len(set(seeds)) == 3
    assert [p.config.seed for p in make_plan(fixed, {"tau_r": [3, 1]}).points] == [
        seeds[2],
        seeds[0],
    ]
    other = make_plan(LMGSweep(backend="aer", seed=4), {"tau_r": [1]})
    assert other.points[0].config.seed not in seeds
    swept = make_plan(LMGSweep(backend="aer"), {"seed": [7, 8]})
    assert [p.config.seed for p in swept.points] == [7, 8]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "over: wanted a name and its values"),
        (["--over", "tau_r"], "over: wanted name="),
        (["--over", "colour=1,2"], "over: wanted an option of run lmg, got 'colour'"),
        (["--over", "tau_r=1", "--over", "tau-r=2"], "tau_r twice"),
        (["--over", "tau_r=1", "--tau-r", "2"], "tau_r: wanted it swept or given once"),
        (["--over", "tau_r="], "tau_r: wanted values joined by commas, got ''"),
        (["--over", "tau_r=1,,2"], "tau_r: wanted values joined by commas"),
        (["--over", "tau_r=-1,2"], "tau_r: wanted a number greater than or equal to 0"),
        (["--over", "tau_r=1,fast"], "tau_r: wanted a valid number, got 'fast'"),
        (["--over", "tau_r=1,nan"], "tau_r: wanted a finite number"),
        (["--over", "tau_r=1,1.0"], "tau_r: wanted different values, got 1.0 twice"),
        (["--over", "tau_r=0:1"], "tau_r: wanted start:stop:count"),
        (["--over", "tau_r=0:1:1"], "tau_r: wanted start:stop:count"),
        (["--over", "tau_r=0:inf:3"], "tau_r: wanted start:stop:count"),
        (["--over", f"tau_r=0:1:{MOST_POINTS + 1}"], "tau_r: wanted start:stop:count"),
        (["--over", "neurons=1:4:3"], "neurons: wanted a valid integer"),
        (["--over", "encoding=qubit,ternary"], "encoding: wanted"),
        (["--over", "tau_r=0:1:400", "--over", "gamma=0:1:400"], "at most 100000 points"),
        (["--over", "backend=exact,aer"], "backend: wanted exact alone"),
        (["--over", "backend=aer,ibm_fez"], "a sweep is not sent to a device"),
        (["--over", "tau_r=1,2", "--backend", "ibm_fez"], "a sweep is not sent to a device"),
        (["--over", "tau_r=1,2", "--seed", "3"], "seed: would be ignored"),
        (["--over", "shots=10,20"], "shots: would be ignored"),
        (["--over", "tau_r=1,2", "--encoding", "dicke"], "encoding: would be ignored"),
        (["--over", "tau_r=1,2", "--neurons", "0"], "neurons: wanted"),
        (["--over", "tau_r=1,2", "--config", "none.toml"], "config: cannot read"),
        (["--over", "tau_r=1,2", "--out", "/proc/nowhere"], "out: cannot write"),
        (["--over", "tau_r=1,2", "--scheduler", "here"], "scheduler: wanted an address"),
    ],
)
def test_bad_input_is_one_clear_line(arguments, words, tmp_path):
    done = qbrain("sweep", "lmg", *arguments, cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1, done.stderr
    assert words in done.stderr
    assert (done.stdout, list(tmp_path.iterdir())) == ("", [])


def test_without_dask_one_clear_line(tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "distributed"]:
        monkeypatch.setitem(sys.modules, name, None)
    done = qbrain("sweep", "lmg", "--over", "tau_r=1,2", cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert done.stderr == "qbrain: sweep: wanted dask installed (pip install 'qbrain[sweep]')\n"


def test_a_scheduler_that_is_not_there_is_code_4(tmp_path, monkeypatch):
    monkeypatch.setattr(sweep_cluster, "_PATIENCE", 0.3)
    done = qbrain(
        *("sweep", "lmg", "--over", "tau_r=1,2", "--scheduler", "tcp://127.0.0.1:9"),
        *("--out", "cut"), cwd=tmp_path, check=False,
    )  # fmt: skip
    assert done.returncode == 4
    assert "scheduler: cannot reach tcp://127.0.0.1:9" in done.stderr
    assert "go on with: qbrain resume cut" in done.stderr
    assert done.stderr.count("\n") == 1


# what comes out


@pytest.fixture(scope="module")
def finished(tmp_path_factory, cluster):
    """A small sweep of reference trajectories, shared by tests that only read it."""
    folder = tmp_path_factory.mktemp("finished")
    done = qbrain(
        *("sweep", "lmg", "--over", "tau_r=0.1,1,10", "--over", "neurons=5,8", "--gamma", "0.6"),
        *("--field", "0.2", "--time", "6", "--steps", "12", "--out", "sweep", "--json"),
        *("--scheduler", cluster), cwd=folder,
    )  # fmt: skip
    return folder / "sweep", json.loads(done.stdout)


def test_exact_points_are_the_reference(finished):
    data = load(finished[0])
    times = np.linspace(0, 6, 13)
    np.testing.assert_array_equal(data.time, times)
    for tau_r in (0.1, 1.0, 10.0):
        for neurons in (5, 8):
            wanted = simulate(LMG(neurons, 0.6, 1.0, 0.2), Synapse(tau_r), "silent", times)
            found = data.sel(tau_r=tau_r, neurons=neurons)
            for name in ("excitation", "r", "U", "phase"):
                np.testing.assert_allclose(found[name], wanted[name], atol=1e-8)
            assert float(found.least_r) == float(found.r.min())
            assert float(found.mean_excitation) == pytest.approx(float(found.excitation.mean()))
            assert float(found.variance_excitation) == pytest.approx(float(found.excitation.var()))


def test_the_dataset_describes_itself(finished):
    path, result = finished
    data = load(path)
    assert data.excitation.dims == ("tau_r", "neurons", "time")
    assert data.least_r.dims == data.status.dims == ("tau_r", "neurons")
    assert (data.status == "done").all()
    for name in (*data.coords, *data.data_vars):
        assert data[name].attrs["long_name"]
        assert name == "status" or data[name].attrs["units"]
    assert data.tau_r.attrs["units"] == "1/coupling"
    assert (data.attrs["backend"], data.attrs["gamma"], data.attrs["field"]) == ("exact", 0.6, 0.2)
    assert "tau_r" not in data.attrs
    assert (result["points"], result["failed"], result["failures"]) == (6, 0, [])
    assert result["sweep_dir"] == "sweep"
    record = (path / "sweep.toml").read_text()
    assert "dask" in record
    assert "neurons = [\n    5,\n    8,\n]" in record


@pytest.mark.parametrize(
    ("swept", "dims"),
    [
        (["steps=2,5"], ("steps", "sample")),
        (["time=3,6"], ("time", "sample")),
        (["tau_r=1,2", "time=3,6", "steps=2,5"], ("time", "steps", "sample")),
    ],
    ids=" ".join,
)
def test_points_with_times_of_their_own_keep_them_beside(swept, dims, cluster, tmp_path):
    over = [x for text in swept for x in ("--over", text)]
    qbrain("sweep", "lmg", *over, "--scheduler", cluster, "--out", "sweep", cwd=tmp_path)
    data = load(tmp_path / "sweep")
    assert data.sample_time.dims == dims
    point = dict.fromkeys(set(data.dims) - {"sample"}, 0)
    end = float(data.time[0]) if "time" in data.dims else 12.0
    steps = int(data.steps[0]) if "steps" in data.dims else 16
    found = data.isel(point)
    times = end / steps * np.arange(steps + 1)
    np.testing.assert_array_equal(found.sample_time[: steps + 1], times)
    wanted = simulate(LMG(6, 1.0, 1.0), Synapse(1.0), "silent", times)
    np.testing.assert_allclose(found.excitation[: steps + 1], wanted.excitation, atol=1e-8)
    assert found.excitation[steps + 1 :].isnull().all()
    assert found.sample_time[steps + 1 :].isnull().all()


def test_failed_points_are_named_and_not_fatal(cluster, tmp_path):
    done = qbrain(
        *("sweep", "lmg", "--over", "initial=silent,7", "--over", "neurons=6,8"),
        *("--scheduler", cluster, "--out", "sweep", "--json"), cwd=tmp_path,
    )  # fmt: skip
    result = json.loads(done.stdout)
    assert result["failed"] == 1
    assert result["failures"][0]["point"] == "initial=7, neurons=6"
    assert "wanted silent, half, saturated" in result["failures"][0]["why"]
    assert done.stderr.startswith("qbrain: 1 of 4 points failed; initial=7, neurons=6: initial:")
    assert done.stderr.count("\n") == 1
    data = load(tmp_path / "sweep")
    bad = data.sel(initial="7", neurons=6)
    assert bad.excitation.isnull().all()
    assert np.isnan(bad.least_r)
    assert str(bad.status.values) == result["failures"][0]["why"]
    assert int(data.excitation.isnull().any("time").sum()) == 1


def test_all_points_failed_is_code_2(cluster, tmp_path):
    arguments = ("sweep", "lmg", "--over", "initial=7,8", "--scheduler", cluster, "--out", "s")
    for _ in range(2):  # as it happens, and when the finished sweep is asked for again
        done = qbrain(*arguments, cwd=tmp_path, check=False)
        assert done.returncode == 2
        assert "all 2 points failed; initial=7: initial: wanted" in done.stderr
        assert done.stderr.count("\n") == 1
        assert done.stdout == ""


def test_a_fault_of_the_machine_is_told_from_one_of_the_values(tmp_path):
    config = LMGConfig(backend="aer", neurons=2, steps=1, seed=1)
    (tmp_path / "file").write_text("in the way")
    (outcome,), _ = do_points([PointJob("k", "lmg", config, str(tmp_path / "file"))])
    assert outcome.status.startswith("RunDirectoryError: out: cannot write")
    assert not outcome.final
    (outcome,), _ = do_points([PointJob("k", "lmg", LMGConfig(initial="7"), "")])
    assert outcome.status.startswith("initial: wanted")
    assert outcome.final


RUNS = ["--over", "gamma=1,0.5", "--neurons", "3", "--backend", "aer", "--encoding", "dicke"]
RUNS += ["--steps", "3", "--time", "2", "--shots", "200"]


@pytest.mark.slow
def test_with_circuits_every_point_is_a_run(cluster, tmp_path):
    done = qbrain(
        "sweep", "lmg", *RUNS, "--scheduler", cluster, "--out", "sweep", "--json", cwd=tmp_path
    )
    assert json.loads(done.stdout)["backend"] == "aer"
    data = load(tmp_path / "sweep")
    assert data.excitation.dims == ("gamma", "time")
    assert data.rmse_excitation.notnull().all()
    point = data.isel(gamma=1)
    again = qbrain(
        *("run", "lmg", *RUNS[2:], "--gamma", "0.5", "--out", "run"),
        *("--seed", int(point.seed), "--json"), cwd=tmp_path,
    )  # fmt: skip
    assert json.loads(again.stdout)["rmse_excitation"] == float(point.rmse_excitation)
    alone = xr.load_dataset(tmp_path / "run/result.nc", engine="h5netcdf")
    np.testing.assert_array_equal(point.excitation, alone.excitation)
    np.testing.assert_array_equal(point.excitation_stderr, alone.excitation_stderr)
    folder = tmp_path / "sweep" / str(point.run.values)
    assert {"run.toml", "result.json", "result.nc"} <= {file.name for file in folder.iterdir()}
    # one run cut off in the middle, of the other only the journal's line is lost
    whole = (tmp_path / "sweep/sweep.nc").read_bytes()
    journal = tmp_path / "sweep/points.jsonl"
    journal.unlink()
    for name in ("result.json", "result.nc"):
        (folder / name).unlink()
    steps = (folder / "steps.jsonl").read_bytes()
    (folder / "steps.jsonl").write_bytes(steps[: len(steps) // 2])
    arguments = ("sweep", "lmg", *RUNS, "--scheduler", cluster, "--out", "sweep", "--json")
    resumed = json.loads(qbrain(*arguments, cwd=tmp_path).stdout)
    assert resumed["measured_now"] == 2
    assert (tmp_path / "sweep/sweep.nc").read_bytes() == whole


# every system

# a small run of each, exact and on aer: fixed settings, the swept name and its values, the series
# that are kept, the metric that the picture of exact points shows
SMALL = {
    "open-system": (
        {"steps": 4, "time": 2.0}, ("cutoff", [1.0, 3.0]), {"m_z", "exact_m_z"}, "mean_m_z",
        {"shots": 200},
    ),
    "hodgkin-huxley": (
        {"steps": 6, "time": 3.0}, ("frequency", [0.3, 0.6]),
        {"voltage", "exact_voltage", "current"}, "mean_voltage", {"shots": 200},
    ),
    "qlif": (
        {"pairs": 4, "ticks": 60}, ("phi", [0.3, 0.7]), set(), "synchrony", {"shots": 200},
    ),
    "spiqgan": (
        {"neurons": 2, "bins": 2, "layers": 1, "training_steps": 4, "samples": 200},
        ("split_seed", [1, 2]), set(), "covariance_rmse", {"shots": 100, "noise_points": 4},
    ),
}  # fmt: skip
EVERY = [
    *("open-system", "hodgkin-huxley", "qlif"),
    pytest.param("spiqgan", marks=pytest.mark.slow),
]


def test_every_system_has_a_small_run_here():
    # systems of other packages may be installed beside
    ours = {name for name, system in SYSTEMS.items() if system.experiment.startswith("qbrain.")}
    assert {"lmg", *SMALL} == ours


@pytest.fixture(scope="module")
def swept(cluster, tmp_path_factory):
    """Sweeps of two points, each done once: by system and backend."""
    done = {}

    def of(system, backend):
        if (system, backend) not in done:
            fixed, (name, values), *_, circuits = SMALL[system]
            settings = {**fixed, **(circuits if backend == "aer" else {}), "seed": 5}
            folder = tmp_path_factory.mktemp(system) / "sweep"
            done[system, backend] = sweep(
                system, {name: values}, folder, cluster, backend=backend, **settings
            )
        return done[system, backend]

    return of


def of_one_run(system, point, folder, backend):
    """JSON object and dataset of a run with the settings of a point."""
    fixed, (name, _), *_, circuits = SMALL[system]
    settings = {**fixed, **(circuits if backend == "aer" else {}), name: point[name].item()}
    config = SYSTEMS[system].config(**settings, backend=backend, seed=int(point.seed))
    run = start(SYSTEMS[system], config, folder / "run", draw=False)
    return run.result, xr.load_dataset(run.folder / "result.nc", engine="h5netcdf")


@pytest.mark.parametrize("system", EVERY)
def test_exact_points_of_every_system_are_its_runs(system, swept, tmp_path):
    found = swept(system, "exact")
    _, (name, values), series, shown, _ = SMALL[system]
    data = found.data
    assert (found.result["system"], found.result["backend"]) == (system, "exact")
    assert (found.result["points"], found.result["failed"]) == (2, 0)
    assert data.status.dims == data.seed.dims == data.run.dims == (name,)
    np.testing.assert_array_equal(data[name], values)
    assert len(set(data.seed.values)) == 2
    assert {str(x) for x in data.data_vars if "time" in data[x].dims} == series
    point = data.isel({name: 1})
    result, alone = of_one_run(system, point, tmp_path, "exact")
    for each in series:
        np.testing.assert_array_equal(point[each], alone[each])
    wanted = float(alone[shown.removeprefix("mean_")].mean()) if series else result[shown]
    assert float(point[shown]) == wanted
    assert next(x for x in data.data_vars if x not in series) == shown
    assert not [x for x in data.variables if str(x).endswith("seconds")]
    record = (found.folder / "sweep.toml").read_text()
    assert f'system = "{system}"' in record


@pytest.mark.parametrize("system", EVERY)
def test_points_on_circuits_of_every_system_are_its_runs(system, swept, tmp_path):
    found = swept(system, "aer")
    _, (name, _), series, *_ = SMALL[system]
    assert (found.result["backend"], found.result["failed"]) == ("aer", 0)
    point = found.data.isel({name: 0})
    result, alone = of_one_run(system, point, tmp_path, "aer")
    for key, value in result["fit"].items():
        if value is not None and key != "observable":
            assert float(point[f"fit_{key}"]) == value, key
    for each in series:
        np.testing.assert_array_equal(point[each], alone[each])
    assert float(point.two_qubit_gates) == result["two_qubit_gates"]
    assert found.data.fit_rmse.attrs["long_name"].startswith("root-mean-square error of ")
    folder = found.folder / str(point.run.values)
    assert not (folder / "report.html").exists()


@pytest.mark.parametrize("system", [pytest.param("open-system", marks=pytest.mark.slow), "qlif"])
def test_a_cut_sweep_of_runs_goes_on_to_the_same_bytes(system, swept, cluster, tmp_path):
    whole = swept(system, "aer")
    cut = copied(whole.folder, tmp_path / "sweep")
    lines = (cut / "points.jsonl").read_bytes().splitlines(keepends=True)
    # one point whole, its run folder there as after a kill; of the other half a line
    (cut / "points.jsonl").write_bytes(lines[0] + lines[1][:50])
    shutil.copytree(whole.folder / "points", cut / "points")
    done = qbrain("resume", "sweep", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["measured_now"] == 1
    assert (cut / "sweep.nc").read_bytes() == (whole.folder / "sweep.nc").read_bytes()
    assert (cut / "sweep.png").read_bytes() == (whole.folder / "sweep.png").read_bytes()


@pytest.mark.parametrize(
    ("system", "arguments", "words"),
    [
        ("open-system", ["--over", "ticks=1,2"], "an option of run open-system, got 'ticks'"),
        ("open-system", ["--over", "cutoff=1,2", "--shots", "9"], "shots: would be ignored"),
        ("open-system", ["--over", "occupation=bose"], "beta: wanted a number"),
        ("open-system", ["--over", "controller=none,pid"], "controller: wanted"),
        ("open-system", ["--over", "feedback=none", "--controller", "none"],
         "controller: wanted it swept or given once, got both"),
        ("open-system", ["--over", "feedback=none", "--over", "controller=none"],
         "feedback: wanted its new name controller alone, got both"),
        ("hodgkin-huxley", ["--over", "backend=ibm_fez"], "use qbrain run hodgkin-huxley"),
        ("qlif", ["--over", "angles=1"], "angles: wanted"),
        ("spiqgan", ["--over", "layers=0,1"], "layers: wanted a number greater than"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:feedback is now controller:FutureWarning")
def test_bad_input_of_every_system_is_one_clear_line(system, arguments, words, tmp_path):
    done = qbrain("sweep", system, *arguments, cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert done.stderr.count("qbrain: ") == done.stderr.count("\n") == 1, done.stderr
    assert words in done.stderr
    assert (done.stdout, list(tmp_path.iterdir())) == ("", [])


def test_a_name_of_the_version_before_is_swept_and_told_of():
    system = SYSTEMS["spiqgan"]
    fixed = sweep_config(system.config)()
    with pytest.warns(FutureWarning, match="steps is now training_steps"):
        plan = sweep_plan.make_plan(system, fixed, {"steps": [3, 4]})
    assert plan.axes == {"training_steps": (3, 4)}
    assert [p.config.training_steps for p in plan.points] == [3, 4]


def test_on_the_command_line_a_name_of_the_version_before_is_one_line(cluster, tmp_path):
    arguments = ("--over", "feedback=none,homeostasis", "--steps", "2", "--time", "1")
    done = qbrain(
        *("sweep", "open-system", *arguments, "--scheduler", cluster, "--out", "sweep", "--json"),
        cwd=tmp_path,
    )
    assert json.loads(done.stdout)["over"] == "controller (2)"
    assert done.stderr == "qbrain: feedback is now controller\n"
    assert list(load(tmp_path / "sweep").controller.values) == ["none", "homeostasis"]


def test_a_combination_gets_its_meaning_from_the_swept_value():
    plan = sweep_plan.make_plan(
        SYSTEMS["open-system"],
        sweep_config(SYSTEMS["open-system"].config)(beta=2.0),
        {"occupation": ["zero", "bose"]},
    )
    assert [p.config is None for p in plan.points] == [True, False]
    assert "beta: would be ignored" in plan.points[0].fault


def test_exact_runs_may_stand_beside_circuits(cluster, tmp_path):
    found = sweep(
        "open-system", {"backend": ["exact", "aer"]}, tmp_path / "s", cluster, steps=3, time=1.0
    )
    assert found.result["failed"] == 0
    assert float(found.data.fit_rmse.sel(backend="exact")) == 0
    assert float(found.data.fit_rmse.sel(backend="aer")) > 0
    with pytest.raises(NotApplicable, match="backend: wanted exact alone"):
        sweep("lmg", {"backend": ["exact", "aer"]})


@pytest.mark.parametrize(
    ("over", "settings", "words"),
    [
        ({}, {}, "over: wanted a name and its values"),
        ({"tau_r": 3}, {}, r"tau_r: wanted values, such as \[1, 2\], got 3"),
        ({"tau_r": []}, {}, "tau_r: wanted at least one value"),
        ({"trotter_order": [None, 1]}, {}, "trotter_order: wanted numbers, words"),
        ({"tau_r": [1, 2]}, {"tau_r": 3}, "tau_r: wanted it swept or given once"),
        ({"tau_r": [1, 2]}, {"colour": 3}, "colour: no such field"),
    ],
)
def test_bad_input_in_python_is_one_clear_error(over, settings, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=words):
        sweep("lmg", over, **settings)
    with pytest.raises(ConfigError, match="system: wanted one of"):
        sweep("brain", {"tau_r": [1, 2]})
    assert list(tmp_path.iterdir()) == []


def test_in_python_values_are_sequences_arrays_or_texts(cluster, tmp_path):
    over = {"tau_r": np.array([1.0, 2.0]), "neurons": np.arange(3, 5), "gamma": "0:1:3"}
    found = sweep("lmg", over, tmp_path / "sweep", cluster, steps=2)
    assert dict(found.data.sizes) == {"tau_r": 2, "neurons": 2, "gamma": 3, "time": 3}
    assert found.folder == tmp_path / "sweep"
    again = sweep("lmg", over, tmp_path / "sweep", cluster, steps=2)
    assert again.result == found.result
    xr.testing.assert_identical(again.data, found.data)


@pytest.mark.slow
def test_a_script_needs_no_guard(tmp_path):
    (tmp_path / "script.py").write_text(
        "from qbrain.experiments.sweep.run import sweep\n"
        "print('once')\n"
        "found = sweep('lmg', {'tau_r': [1, 2]}, 'sweep', neurons=3, steps=2)\n"
        "print(found.result['points'])\n"
    )
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "once\n2\n", "")


def test_a_sweep_of_trajectories_imports_no_qiskit():
    code = (
        "import sys, qbrain.experiments.sweep.run\n"
        "from qbrain.experiments.lmg.config import LMGConfig\n"
        "from qbrain.experiments.sweep.work import PointJob, do_points\n"
        "(found,), _ = do_points([PointJob('k', 'lmg', LMGConfig(backend='exact'), '')])\n"
        "print(found.status, 'qiskit' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "done False\n", done.stderr


# times of each point, and names that two things of a run have


def outcome_at(times, **metrics):
    times = np.asarray(times, dtype=float)
    return PointOutcome("k", "done", {"m_z": times**2, "time": times}, metrics)


def dataset_of(system, over, outcomes, folder):
    """The dataset of a sweep whose points end as they are told to."""
    plan = sweep_plan.make_plan(system, sweep_config(system.config)(), over)
    named = {p.key: each for p, each in zip(plan.points, outcomes, strict=True)}
    return sweep_dataset(plan, named, folder)


def test_times_that_depend_on_any_name_stand_beside_every_point(tmp_path):
    lmg = SYSTEMS["lmg"]
    same = System(
        lmg.name, lmg.config, lmg.experiment, lmg.about, points=PointRecord(trajectory="x:y")
    )
    found = dataset_of(
        same, {"tau_r": [1, 2]}, [outcome_at([0, 1]), outcome_at([0, 2, 4])], tmp_path
    )
    assert found.sample_time.dims == ("tau_r", "sample")
    np.testing.assert_array_equal(found.sample_time[1], [0, 2, 4])
    np.testing.assert_array_equal(found.m_z[1], [0, 4, 16])
    assert found.sample_time[0, 2:].isnull().all()
    failed = PointOutcome("k", "why not")
    found = dataset_of(
        same,
        {"steps": [1, 2], "tau_r": [1, 2]},
        [failed, outcome_at([0, 1]), outcome_at([0, 1, 2]), outcome_at([0, 1, 2])],
        tmp_path,
    )
    assert found.sample_time.dims == ("steps", "sample")
    np.testing.assert_array_equal(found.sample_time, [[0, 1, np.nan], [0, 1, 2]])
    assert found.m_z.sel(steps=1, tau_r=1).isnull().all()


def test_a_series_and_a_number_of_one_name_are_both_kept(swept):
    data = swept("hodgkin-huxley", "aer").data
    assert data.step_error.dims == ("frequency", "time")
    assert data.step_error_of_run.dims == ("frequency",)
    rms = np.sqrt((data.step_error**2).mean("time"))
    np.testing.assert_allclose(data.step_error_of_run, rms, rtol=1e-12)
    assert data.fit_rmse.attrs["units"] == data.voltage.attrs["units"] == "mV"


def test_a_sweep_of_an_earlier_version_is_refused_in_one_line(finished, tmp_path):
    cut = copied(finished[0], tmp_path / "sweep")
    # nothing was sealed then: neither the record nor the lines of the journal
    record = (cut / "sweep.toml").read_text().partition("\n")[2]
    record = record.replace("format = 2\n", "").replace("sealed = true\n", "")
    (cut / "sweep.toml").write_text(record)
    done = qbrain("resume", "sweep", cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert "wanted a sweep of format 2" in done.stderr
    assert done.stderr.count("\n") == 1


# the picture


def drawn(figure):
    """Texts of a picture once it is laid out: its title, and labels and curves of every panel."""
    figure.draw_without_rendering()
    panels = [
        (axes.get_xlabel(), axes.get_ylabel().replace("\n", " "), len(axes.lines))
        for axes in figure.axes
    ]
    return figure.get_suptitle().replace("\n", " "), panels


def test_one_name_is_a_metric_and_curves_coloured_by_it(swept):
    title, panels = drawn(swept("open-system", "aer").figure())
    assert title == "open-system over cutoff: aer, ideal simulation"
    # measured and what shots alone give; two curves and two exact ones
    assert panels == [
        ("cutoff", "root-mean-square error of ⟨σ_z⟩ a neuron", 2),
        ("time (1/g)", "⟨σ_z⟩ a neuron", 4),
    ]
    title, panels = drawn(swept("open-system", "exact").figure())
    assert title.endswith("exact reference, no circuit")
    assert panels[0][1] == "mean of ⟨σ_z⟩ a neuron over the reported times"
    title, panels = drawn(swept("qlif", "exact").figure())
    assert len(panels) == 1
    assert panels[0][:2] == ("phi", "synchrony")


def test_a_metric_is_drawn_at_its_values(swept):
    data = swept("open-system", "exact").data
    figure = sweep_figure(data.isel(cutoff=[1, 0]))
    line = figure.axes[0].lines[0]
    np.testing.assert_array_equal(line.get_xdata(), [1.0, 3.0])
    np.testing.assert_array_equal(line.get_ydata(), data.mean_m_z)


def test_two_names_are_a_map_with_failed_points_named(finished, cluster, tmp_path):
    data = load(finished[0])
    figure = sweep_figure(data)
    title, panels = drawn(figure)
    assert title == "LMG quantum brain over tau_r and neurons: exact reference, no circuit"
    assert panels[0][:2] == ("tau_r (1/coupling)", "neurons")
    assert panels[1][1] == "mean of E over the reported times"
    (mesh,) = figure.axes[0].collections
    np.testing.assert_array_equal(mesh.get_array(), data.mean_excitation.T)
    found = sweep("lmg", {"initial": ["silent", "7"], "neurons": [6, 8]}, tmp_path / "s", cluster)
    texts = [text.get_text() for text in found.figure().axes[0].texts]
    assert texts.count("failed") == 1
    assert len(texts) == 4


def test_of_more_names_the_others_are_held_and_named(cluster, tmp_path):
    over = {"gamma": [0.5], "tau_r": [1, 2], "time": [3, 6], "steps": [2, 5]}
    found = sweep("lmg", over, tmp_path / "sweep", cluster)
    title, panels = drawn(found.figure())
    assert title == (
        "LMG quantum brain over tau_r and time, gamma = 0.5, steps = 2: exact reference, no circuit"
    )
    assert panels[0][:2] == ("tau_r (1/coupling)", "time (1/coupling)")
    with_times = sweep_figure(found.data.isel(tau_r=[0], time=[0]))
    ends = [line.get_xdata()[~np.isnan(line.get_xdata())] for line in with_times.axes[1].lines]
    assert [(x.size, x[-1]) for x in ends] == [(3, 3.0), (6, 3.0)]


def test_the_picture_is_in_the_folder(finished):
    path, result = finished
    assert result["picture"] == "sweep/sweep.png"
    assert (path / "sweep.png").read_bytes().startswith(b"\x89PNG")


# what a kill leaves


@given(
    st.text(),
    st.lists(st.floats(allow_nan=True), max_size=5),
    st.none() | st.floats(allow_nan=False, allow_infinity=False),
)
def test_the_journal_keeps_every_bit(status, values, metric):
    outcome = PointOutcome("k", status, {"r": np.array(values)}, {"least_r": metric})
    again = PointOutcome.of_line(outcome.line().encode())
    assert (again.key, again.status, again.metrics) == ("k", status, {"least_r": metric})
    assert again.series["r"].tobytes() == np.array(values, dtype=float).tobytes()


def test_half_a_line_is_cut_off_and_a_fault_that_may_pass_is_not_kept(tmp_path):
    file = tmp_path / "points.jsonl"
    assert read_outcomes(file) == {}
    append_outcomes(file, [PointOutcome("a", "done"), PointOutcome("b", "lost", final=False)])
    kept = file.read_bytes()
    file.write_bytes(kept + kept[:-3])
    assert set(read_outcomes(file)) == {"a"}
    assert file.read_bytes() == kept
    append_outcomes(file, [PointOutcome("c", "done")])
    assert set(read_outcomes(file)) == {"a", "c"}


STRANGER = PointOutcome("x", "done")


def copied(path, to):
    to.mkdir()
    for name in ("sweep.toml", "points.jsonl"):
        (to / name).write_bytes((path / name).read_bytes())
    return to


@pytest.mark.parametrize("kept", [0, 1, 5])
def test_a_cut_sweep_goes_on_to_the_same_bytes(kept, finished, cluster, tmp_path):
    path, _ = finished
    cut = copied(path, tmp_path / "sweep")
    lines = (cut / "points.jsonl").read_bytes().splitlines(keepends=True)
    (cut / "points.jsonl").write_bytes(b"".join(lines[:kept]) + lines[kept][:40])
    arguments = ("--over", "tau_r=0.1,1,10", "--over", "neurons=5,8", "--gamma", "0.6", "--field")
    arguments += ("0.2", "--time", "6", "--steps", "12", "--scheduler", cluster, "--out", "sweep")
    done = qbrain("sweep", "lmg", *arguments, "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["measured_now"] == 6 - kept
    assert (cut / "sweep.nc").read_bytes() == (path / "sweep.nc").read_bytes()


def test_resume_of_a_finished_sweep_is_its_result(finished):
    path, result = finished
    assert json.loads(qbrain("resume", path, "--json", cwd=path.parent).stdout) == result


def test_resume_from_the_folder_alone(finished, tmp_path):
    cut = copied(finished[0], tmp_path / "sweep")
    # all points done, killed before the dataset: no cluster is needed
    done = qbrain("resume", "sweep", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["measured_now"] == 0
    assert (cut / "sweep.nc").read_bytes() == (finished[0] / "sweep.nc").read_bytes()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("points.jsonl", b"\x00garbage\n", "points.jsonl: line 1 is not the record of a point"),
        ("points.jsonl", b'{"point":1}\n', "points.jsonl: line 1 is not the record of a point"),
        (
            "points.jsonl",
            PointOutcome("x", "done").line().encode(),
            "holds points of another sweep",
        ),
        ("sweep.toml", b"\x00garbage\n", "sweep.toml: not an intact record of a sweep"),
        ("sweep.toml", b"[over]\ntau_r = 3\n", "sweep.toml: not an intact record of a sweep"),
        ("sweep.toml", b"[config]\n[over]\ntau_r = 3\n", "not an intact record of a sweep"),
    ],
)
def test_a_corrupt_sweep_is_one_clear_line(name, content, words, finished, tmp_path):
    cut = copied(finished[0], tmp_path / "sweep")
    (cut / name).write_bytes(content)
    done = qbrain("resume", "sweep", cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert words in done.stderr
    assert (cut / name).read_bytes() == content


def test_another_sweep_or_a_run_in_the_folder_is_refused(finished, tmp_path):
    path, _ = finished
    done = qbrain("sweep", "lmg", "--over", "tau_r=1,2", "--out", path, cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert "holds another sweep; wanted a new folder" in done.stderr
    (tmp_path / "run.toml").write_text("")
    done = qbrain("sweep", "lmg", "--over", "tau_r=1,2", "--out", ".", cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert "already holds a run" in done.stderr


def test_a_point_that_kills_workers_is_the_only_one_lost():
    def poisoned(jobs):
        if any(job.key == "poison" for job in jobs):
            os.kill(os.getpid(), signal.SIGKILL)
        return [PointOutcome(job.key, "done") for job in jobs], 0.001 * len(jobs)

    poisoned = cloudpickle.loads(cloudpickle.dumps(poisoned))
    keys = [str(k) for k in range(20)] + ["poison"] + [str(k) for k in range(20, 30)]
    jobs = [PointJob(key, "lmg", LMGConfig(), "") for key in keys]
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        LocalCluster(
            n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=60
        ) as made,
        Client(made) as client,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(sweep_cluster, "do_points", poisoned)
        found = [x for batch in finished_points(client, jobs, batches=True) for x in batch]
    assert sorted(x.key for x in found) == sorted(keys)
    lost = [x for x in found if x.status != "done"]
    assert [x.key for x in lost] == ["poison"]
    assert lost[0].status.startswith("KilledWorker")
    assert not lost[0].final


def lines_in(file):
    return file.read_bytes().count(b"\n") if file.exists() else 0


def wait_for(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)


@pytest.mark.slow
def test_kill_9_in_the_middle_and_resume(tmp_path):
    qbrain("sweep", "lmg", *LONG, "--out", "whole", cwd=tmp_path)
    command = [*QBRAIN, "sweep", "lmg", *LONG, "--out", "cut"]
    journal = tmp_path / "cut/points.jsonl"
    for goal in (40, 150):
        process = subprocess.Popen(
            command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for(lambda: lines_in(journal) >= goal)  # noqa: B023
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert lines_in(journal) < 400
        assert not (tmp_path / "cut/sweep.nc").exists()
        command = [*QBRAIN, "resume", "cut"]
    result = json.loads(qbrain("resume", "cut", "--json", cwd=tmp_path).stdout)
    assert 0 < result["measured_now"] <= 250
    whole = tmp_path / "whole"
    assert (tmp_path / "cut/sweep.nc").read_bytes() == (whole / "sweep.nc").read_bytes()
    assert sorted(journal.read_bytes().splitlines()) == sorted(
        (whole / "points.jsonl").read_bytes().splitlines()
    )


@pytest.mark.slow
def test_an_interrupt_ends_it_in_one_line(tmp_path):
    process = subprocess.Popen(
        [*QBRAIN, "sweep", "lmg", *LONG, "--out", "cut"], cwd=tmp_path, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    wait_for(lambda: lines_in(tmp_path / "cut/points.jsonl") >= 20)
    # as from the keyboard: every process of the group gets it
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err == "qbrain: interrupted; go on with: qbrain resume cut\n"


@pytest.mark.slow
def test_nobody_else_can_send_work_to_the_workers_of_this_machine():
    """A scheduler takes code from whoever is let in: that is who has this process's keys."""
    with sweep_cluster.open_client(None, 2, None) as client:
        address = client.scheduler.address
        assert address.startswith("tls://127.0.0.1:")
        assert client.submit(sum, [1, 2]).result(timeout=60) == 3
        for stranger in (address, address.replace("tls", "tcp")):
            with pytest.raises((OSError, ValueError, TypeError, RuntimeError)):
                Client(stranger, timeout=3).submit(sum, [1, 2]).result(timeout=3)


DAMAGES = {
    "empty": lambda raw: b"",
    "half": lambda raw: raw[: len(raw) // 2],
    "a bit": lambda raw: (
        raw[: len(raw) // 3] + bytes([raw[len(raw) // 3] ^ 1]) + raw[len(raw) // 3 + 1 :]
    ),
    "null bytes": lambda raw: raw[:40] + bytes(30) + raw[70:],
    "twice": lambda raw: raw + raw,
    "another digit": lambda raw: re.sub(rb"[1-8](?=\D*$)", b"9", raw, count=1),
    "first line gone": lambda raw: raw.partition(b"\n")[2],
}


@pytest.mark.parametrize("name", ["sweep.toml", "points.jsonl", "result.json"])
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.slow
def test_a_damaged_sweep_is_refused_or_the_same(name, damage, finished, cluster, tmp_path):
    cut = tmp_path / "sweep"
    shutil.copytree(finished[0], cut)
    (cut / name).write_bytes(DAMAGES[damage]((cut / name).read_bytes()))
    done = qbrain("resume", "sweep", "--json", cwd=tmp_path, check=False)
    if done.returncode:
        assert done.returncode == 2
        assert f"sweep/{name}" in done.stderr
        assert done.stderr.count("\n") == 1
        return
    whole = finished[0] / "sweep.nc"
    assert (cut / "sweep.nc").read_bytes() == whole.read_bytes()
    assert (
        json.loads(done.stdout)["failed"]
        == json.loads((finished[0] / "result.json").read_text())["failed"]
    )


@pytest.mark.slow
def test_a_cluster_of_its_own_survives_the_kill_of_a_worker_and_of_the_scheduler(tmp_path):
    qbrain("sweep", "lmg", *LONG, "--out", "whole", cwd=tmp_path)
    wanted = (tmp_path / "whole/sweep.nc").read_bytes()
    file, quiet = tmp_path / "scheduler.json", {"stdout": subprocess.DEVNULL, "cwd": tmp_path}
    quiet["stderr"] = subprocess.DEVNULL
    dask_command = [sys.executable, "-m", "dask"]
    started = []
    try:
        place = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
        scheduler = subprocess.Popen(
            [*dask_command, "scheduler", *place, "--scheduler-file", file], **quiet
        )
        started.append(scheduler)
        for _ in range(2):
            alone = ["--no-nanny", "--no-dashboard", "--nthreads", "1"]
            worker = subprocess.Popen(
                [*dask_command, "worker", *alone, "--scheduler-file", file], **quiet
            )
            started.append(worker)
        wait_for(lambda: file.exists() and file.stat().st_size > 0)
        address = json.loads(file.read_text())["address"]
        with Client(address) as client:
            client.wait_for_workers(2, timeout=60)

        def sweep(name):
            return subprocess.Popen(
                [*QBRAIN, "sweep", "lmg", *LONG, "--out", name, "--scheduler", address, "--json"],
                cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip

        process = sweep("one")
        wait_for(lambda: lines_in(tmp_path / "one/points.jsonl") >= 50)
        started[1].kill()
        assert lines_in(tmp_path / "one/points.jsonl") < 350
        out, err = process.communicate(timeout=120)
        assert (process.returncode, err) == (0, "")
        assert (json.loads(out)["points"], json.loads(out)["failed"]) == (400, 0)
        assert (tmp_path / "one/sweep.nc").read_bytes() == wanted

        process = sweep("two")
        wait_for(lambda: lines_in(tmp_path / "two/points.jsonl") >= 50)
        scheduler.kill()
        out, err = process.communicate(timeout=120)
        assert process.returncode == 4
        assert err.count("\n") == 1
        assert err.endswith("go on with: qbrain resume two\n")
        qbrain("resume", "two", cwd=tmp_path)
        assert (tmp_path / "two/sweep.nc").read_bytes() == wanted
    finally:
        for process in started:
            process.kill()
            process.wait()
