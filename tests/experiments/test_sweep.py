"""Sweeps: what they cover, what comes out, and what a kill at any moment leaves."""

import contextlib
import io
import json
import os
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
from qbrain.experiments.lmg.config import LMGConfig
from qbrain.experiments.sweep import cluster as sweep_cluster
from qbrain.experiments.sweep.cluster import finished_points
from qbrain.experiments.sweep.journal import Outcome, append_outcomes, read_outcomes
from qbrain.experiments.sweep.plan import MOST_POINTS, LMGSweep, make_plan, parse_over
from qbrain.experiments.sweep.work import Job, do_points
from qbrain.reference.lmg import LMG, simulate

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
    (outcome,), _ = do_points([Job("k", config, str(tmp_path / "file"))])
    assert outcome.status.startswith("RunDirectoryError: out: cannot write")
    assert not outcome.final
    (outcome,), _ = do_points([Job("k", LMGConfig(initial="7"), "")])
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
    assert (folder / "report.html").exists()
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


# what a kill leaves


@given(
    st.text(),
    st.lists(st.floats(allow_nan=True), max_size=5),
    st.none() | st.floats(allow_nan=False, allow_infinity=False),
)
def test_the_journal_keeps_every_bit(status, values, figure):
    outcome = Outcome("k", status, {"r": np.array(values)}, {"least_r": figure})
    again = Outcome.of_line(outcome.line().encode())
    assert (again.key, again.status, again.figures) == ("k", status, {"least_r": figure})
    assert again.series["r"].tobytes() == np.array(values, dtype=float).tobytes()


def test_half_a_line_is_cut_off_and_a_fault_that_may_pass_is_not_kept(tmp_path):
    file = tmp_path / "points.jsonl"
    assert read_outcomes(file) == {}
    append_outcomes(file, [Outcome("a", "done"), Outcome("b", "lost", final=False)])
    kept = file.read_bytes()
    file.write_bytes(kept + kept[:-3])
    assert set(read_outcomes(file)) == {"a"}
    assert file.read_bytes() == kept
    append_outcomes(file, [Outcome("c", "done")])
    assert set(read_outcomes(file)) == {"a", "c"}


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
        ("points.jsonl", Outcome("x", "done").line().encode(), "holds points of another sweep"),
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
        return [Outcome(job.key, "done") for job in jobs], 0.001 * len(jobs)

    poisoned = cloudpickle.loads(cloudpickle.dumps(poisoned))
    keys = [str(k) for k in range(20)] + ["poison"] + [str(k) for k in range(20, 30)]
    jobs = [Job(key, LMGConfig(), "") for key in keys]
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
    assert err == "qbrain: interrupted; go on with: qbrain resume DIR\n"


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
