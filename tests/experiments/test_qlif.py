"""Neurons that share entangled pairs, end to end: runs, errors, kill and resume."""

import contextlib
import io
import json
import math
import shutil
import time
import tomllib
from contextlib import redirect_stderr, redirect_stdout
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from rewriting import rewrite_journal

from qbrain.backends.check.pure import DispatchRefused
from qbrain.experiments.cli import run_command
from qbrain.experiments.engine.run import start
from qbrain.experiments.errors import RunDirectoryError
from qbrain.experiments.qlif import circuits as qlif_circuits
from qbrain.experiments.qlif.config import QlifConfig
from qbrain.experiments.qlif.measures import bell_counts, chsh_of
from qbrain.experiments.qlif.model import QlifModel
from qbrain.experiments.resuming import resume
from qbrain.experiments.systems import SYSTEMS
from qbrain.reference.qlif.bell_counts import estimate_chsh, setting_counts
from qbrain.reference.qlif.spike_synchrony import synchrony

CONTROLS = ("private_bit", "shared_bit", "coupled", "plain")
SYSTEM = SYSTEMS["qlif"]
FORTY = {"pairs": 40, "ticks": 500}
SMALL = {"pairs": 6, "ticks": 60, "current": 1.6, "seed": 4}


def qbrain(*arguments, cwd, check=True):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(cwd), redirect_stdout(out), redirect_stderr(err):
        code = run_command([str(x) for x in arguments])
    if check:
        assert code == 0, err.getvalue()
    return SimpleNamespace(returncode=code, stdout=out.getvalue(), stderr=err.getvalue())


def options(settings):
    return [x for name, value in settings.items() for x in (f"--{name}", str(value))]


def run(path, **settings):
    done = start(SYSTEM, QlifConfig.from_mapping(settings), path)
    return done.result, xr.load_dataset(path / "result.nc", engine="h5netcdf")


def configure(**values):
    return QlifConfig.from_mapping({"backend": "exact", "seed": 4, **values})


def not_apart(result, errors=3.5):
    """Synchrony and the shared bit's."""
    gap = result["synchrony_over_shared_bit"]
    return abs(gap) <= errors * result["synchrony_over_shared_bit_stderr"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    path = tmp_path_factory.mktemp("finished") / "run"
    return path, *run(path, **FORTY, seed=1, drive_step=0.5)


# ---------------------------------------------------------------------------------- what it shows


def test_one_json_object_with_the_agreed_fields(finished):
    path, result, _ = finished
    wanted = (
        "system backend pairs ticks qubits circuits validated two_qubit_gates depth shots chsh "
        "chsh_stderr chsh_exact synchrony synchrony_stderr coincidence_factor rate_hz "
        "count_correlation spike_distance spike_synchronisation first_spike_latency_ms "
        "no_signalling_p no_signalling_first_p no_signalling_second_p drive_first_p drive_second_p "
        "circuit_executions_per_tick operations_per_tick controls fit verdict wall_seconds run_dir"
    )
    each = [f"{kind}_{name}{part}" for kind in CONTROLS for name in ("synchrony", "chsh")
            for part in ("", "_stderr")]  # fmt: skip
    assert set(wanted.split() + each) <= set(result)
    assert (result["system"], result["backend"], result["qubits"]) == ("qlif", "aer", 2)
    assert result["circuits"] == result["validated"] >= 4
    assert result["two_qubit_gates"] == 1
    assert [row["kind"].replace(" ", "_") for row in result["controls"]] == list(CONTROLS)
    names = {"run.toml", "steps.jsonl", "result.nc", "result.json", "circuits.qpy", "figure.png",
             "report.html"}  # fmt: skip
    assert names <= {p.name for p in path.iterdir()}


def test_chsh_on_aer_is_beyond_shared_randomness_and_nothing_is_signalled(finished):
    _, result, _ = finished
    assert result["chsh"] - 2 > 20 * result["chsh_stderr"]
    assert result["chsh_exact"] == pytest.approx(2 * math.sqrt(2))
    assert abs(result["chsh"] - result["chsh_exact"]) < 5 * result["chsh_stderr"]
    assert result["shared_bit_chsh"] < 2 + 5 * result["shared_bit_chsh_stderr"]
    assert result["shared_bit_chsh"] > 1.8
    assert abs(result["private_bit_chsh"]) < 5 * result["private_bit_chsh_stderr"]
    assert result["plain_chsh"] is None
    assert not_apart(result)
    # five p-values of a fixed seed; a hundredth of a percent each by chance
    names = ("no_signalling_p", "no_signalling_first_p", "no_signalling_second_p",
             "drive_first_p", "drive_second_p")  # fmt: skip
    assert min(result[name] for name in names) > 1e-4
    # where a spike travels, the same test sees it
    assert result["coupled_drive_first_p"] < 1e-3
    assert result["coupled_drive_second_p"] < 1e-3
    assert result["coupled_synchrony"] > 4 * result["synchrony"]


def test_the_dataset_holds_what_the_numbers_are_made_of(finished):
    _, result, data = finished
    own = data.spikes.sel(kind="entangled").values
    assert own.shape == (500, 40, 2)
    assert synchrony(own, 1).value == pytest.approx(result["synchrony"])
    assert own.sum() / (500 * 40 * 2) * 1000 == pytest.approx(result["rate_hz"])
    counts = setting_counts(data.settings.values, data.outcomes.values)
    np.testing.assert_array_equal(counts, data.counts.sel(sharing="entangled"))
    assert estimate_chsh(counts).value == pytest.approx(result["chsh"])
    np.testing.assert_array_equal(data.session_spikes.sel(session="base"), own)
    assert data.currents.sel(session="second raised").values == pytest.approx([1.2, 1.7])
    assert len(set(data.seeds.values.tolist())) == 3
    assert float(data.time[0]) == 1.0
    assert data.attrs["backend"] == "aer"
    # shots that were taken, used, and used for the run itself
    assert result["shots_used"] == 3 * 500 * 40
    assert result["shots_taken"] == result["circuits"] * result["shots"] > result["shots_used"]


def test_the_report_stands_alone_and_says_what_it_is_not(finished):
    path, _, _ = finished
    page = " ".join((path / "report.html").read_text().split())
    for words in ("aer, ideal simulation", "<svg", "logical", "parity", "No quantum device was",
                  "measured before the settings were chosen", "Beyond shared randomness",
                  "Nothing is signalled", "coupled"):  # fmt: skip
        assert words in page, words
    assert 'src="http' not in page
    assert 'href="http' not in page


def test_under_device_noise_with_readout_errors_inverted(finished, tmp_path):
    form = {"backend": "fake_fez", "mitigation": "readout"}
    result, data = run(tmp_path / "run", **FORTY, seed=2, **form)
    assert result["chsh"] - 2 > 20 * result["chsh_stderr"]
    assert result["chsh"] < result["chsh_exact"]
    # what readout costs is most of what is missing
    away = result["chsh_exact"] - result["chsh_readout"]
    assert abs(away) < 4 * result["chsh_readout_stderr"] + 0.03
    assert result["chsh_readout_stderr"] > result["chsh_stderr"]
    assert result["fit"]["rmse"] < result["fit"]["rmse_raw"]
    assert result["fit"]["rmse"] < 0.01 + 2 * result["fit"]["shot_error"]
    assert result["shared_bit_from"] == "counts"
    assert not_apart(result)
    assert data.attrs["backend"] == "fake_fez"
    rows = qbrain("compare", "run", finished[0], "--json", cwd=tmp_path).stdout
    rows = json.loads(rows)["runs"]
    assert [row["backend"] for row in rows] == ["fake_fez", "fake_fez", "aer"]
    assert [row["estimate"] for row in rows] == ["raw", "readout", "raw"]
    assert all(row["same_as_first"] for row in rows)
    assert [rows[0]["chsh"], rows[1]["chsh"]] == [result["chsh"], result["chsh_readout"]]
    assert rows[1]["rmse"] == pytest.approx(result["fit"]["rmse"])
    assert "shared bit synchrony" in qbrain("compare", "run", cwd=tmp_path).stdout


def test_fixed_settings_are_a_shared_bit(tmp_path):
    measured, _ = run(tmp_path / "aer", settings="fixed", pairs=40, ticks=400, seed=3)
    assert not_apart(measured)
    assert measured["chsh"] is None
    assert measured["distinct_circuits"] == 1
    assert measured["no_signalling_p"] == pytest.approx(
        min(1.0, 2 * min(measured["drive_first_p"], measured["drive_second_p"]))
    )
    assert measured["no_signalling_p"] > 1e-4
    # without circuits, which draw bits of their own, spike by spike
    model = QlifModel(configure(settings="fixed", pairs=40, ticks=400))
    own, shared = (model.simulate(kind, model.sessions[0]) for kind in ("entangled", "shared bit"))
    np.testing.assert_array_equal(own.spikes, shared.spikes)


def test_a_group_of_three(tmp_path):
    result, data = run(tmp_path / "run", group=3, pairs=30, ticks=300, seed=5)
    assert result["qubits"] == data.sizes["neuron"] == 3
    assert result["two_qubit_gates"] == 2
    assert abs(result["chsh"] - 2 * math.sqrt(2)) < 5 * result["chsh_stderr"]
    # without its coherence the others' bits say nothing: S = 2 cos(π/4)
    error = abs(result["shared_bit_chsh"] - math.sqrt(2))
    assert error < 5 * result["shared_bit_chsh_stderr"]
    assert not_apart(result)


@pytest.mark.parametrize(("v", "phi"), [(0.9, math.pi / 4), (0.7, math.pi / 4), (1.0, 0.3)])
def test_visibility_and_phi_by_the_exact_table(v, phi):
    config = configure(pairs=40, ticks=1000, visibility=v, phi=phi)
    model = QlifModel(config)
    found = chsh_of(bell_counts(model.simulate("entangled", model.sessions[0]), config))
    exact = 2 * v * math.sqrt(1 + math.sin(2 * phi) ** 2)
    assert model.chsh_exact == pytest.approx(exact)
    assert abs(found.value - exact) < 5 * found.stderr


# ------------------------------------------------------------------------------------ live circuits


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    path = tmp_path_factory.mktemp("live") / "run"
    form = {"circuits": "live", "settings": "linear", "pairs": 5, "ticks": 25}
    return path, *run(path, **form, current=1.8, seed=7)


def test_live_circuits_follow_the_voltages(live):
    path, result, data = live
    assert (result["shots"], data.attrs["shots"]) == (1, 1)
    # nobody has given a number of shots
    assert "shots" not in tomllib.loads((path / "run.toml").read_text())["given"]["fields"]
    assert result["circuits"] == result["validated"] == result["shots_used"] == 5 * 25
    assert result["circuit_executions_per_tick"] == 5
    # settings that are never the same again
    assert result["distinct_circuits"] > 80
    assert result["chsh"] is None
    assert result["drive_first_p"] is None
    assert int(data.spikes.sel(kind="entangled").sum()) > 0
    # the first tick is at rest: α = slope (rest − level)
    np.testing.assert_allclose(data.angles[0], 0.1 * (-65 + 57), atol=1e-6)
    assert data.angles.attrs["units"] == "rad"


# --------------------------------------------------------------------------------------- the record


def cut_and_resumed(whole, cut, kept):
    """A copy of a run as a kill leaves it, with ``kept`` steps, resumed."""
    shutil.copytree(whole, cut)
    lines = (cut / "steps.jsonl").read_bytes().splitlines(keepends=True)
    # the next step half written, nothing after
    half = lines[kept][: len(lines[kept]) // 2] if kept < len(lines) else b""
    (cut / "steps.jsonl").write_bytes(b"".join(lines[:kept]) + half)
    for name in ("result.json", "result.nc", "report.html", "figure.png", "circuits.qpy"):
        (cut / name).unlink()
    done = resume(cut)
    for name in ("steps.jsonl", "circuits.qpy", "result.nc"):
        assert (cut / name).read_bytes() == (whole / name).read_bytes()
    return without_place(done.result)


def without_place(result):
    return {name: x for name, x in result.items() if name not in ("wall_seconds", "run_dir")}


@pytest.mark.slow
def test_a_run_killed_before_its_job_is_a_new_one(tmp_path):
    whole, _ = run(tmp_path / "whole", **SMALL, backend="fake_fez")
    assert cut_and_resumed(tmp_path / "whole", tmp_path / "cut", 0) == without_place(whole)


@pytest.mark.slow
def test_many_neurons_for_a_long_time(tmp_path):
    began = time.monotonic()
    result, data = run(tmp_path / "run", backend="exact", pairs=100, ticks=20000, seed=1)
    assert time.monotonic() - began < 120
    assert result["chsh"] - 2 > 200 * result["chsh_stderr"]
    assert abs(result["chsh"] - result["chsh_exact"]) < 5 * result["chsh_stderr"]
    # so many ticks show it: correlators beyond a shared bit's make fewer spikes coincide in a tick
    own, shared = (
        synchrony(data.spikes.sel(kind=kind).values, 0) for kind in ("entangled", "shared bit")
    )
    assert shared.value - own.value > 5 * math.hypot(own.stderr, shared.stderr)


@pytest.mark.parametrize("damage", ["less", "short", "counts", "*"])
def test_journals_of_other_shots_are_refused(damage, finished, tmp_path):
    path = tmp_path / "run"
    path.mkdir()
    (path / "run.toml").write_bytes((finished[0] / "run.toml").read_bytes())
    line = json.loads((finished[0] / "steps.jsonl").read_bytes())
    first = line["readings"][0]
    if damage == "less":
        del line["readings"][-1]
    elif damage == "short":
        line["readings"][0] = {**first, "shots": first["shots"][:400], "shape": [1200, 2]}
    elif damage == "counts":
        del first["shots"]
        first["counts"] = {"0": 4000}
    else:
        first["shots"] = "*"
    rewrite_journal(path, [line])
    with pytest.raises(RunDirectoryError, match=r"^steps\.jsonl: step 0 is not a record of this"):
        resume(path)


def test_the_check_refuses_other_angles(tmp_path, monkeypatch):
    built = qlif_circuits.pair_circuit
    monkeypatch.setattr(
        qlif_circuits, "pair_circuit", lambda phi, angles: built(phi * 1.01, angles)
    )
    with pytest.raises(DispatchRefused, match="logical"):
        start(SYSTEM, QlifConfig.from_mapping({"seed": 1, "ticks": 20}), tmp_path / "run")
    done = qbrain("run", "qlif", *options(SMALL), "--out", "other", cwd=tmp_path, check=False)
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "other/steps.jsonl").exists()


# ---------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--phi", "-0.1"], "phi: wanted a number greater than or equal to 0, got '-0.1'"),
        (["--phi", "1.6"], "phi: wanted a number less than or equal to 1.57"),
        (["--phi", "nan"], "phi: wanted"),
        (["--ticks", "0"], "ticks: wanted a number greater than or equal to 1, got '0'"),
        (["--pairs", "0"], "pairs: wanted a number greater than or equal to 1"),
        (["--visibility", "1.1", "--backend", "exact"], "visibility: wanted a number less than"),
        (["--visibility", "-1"], "visibility: wanted a number greater than or equal to 0"),
        (["--visibility", "0.9"], "visibility: circuits prepare the pure state"),
        (["--tau", "0"], "tau: wanted a number greater than 0"),
        (["--tick", "-1"], "tick: wanted a number greater than 0"),
        (["--voltage-noise", "-1"], "voltage_noise: wanted a number greater than or equal to 0"),
        (["--rest", "-40"], "rest: wanted a voltage below threshold - coupling"),
        (["--reset", "-50"], "reset: wanted a voltage below threshold - coupling"),
        (["--current", "1e7"], "current: wanted at most 1e6 in size"),
        (["--group", "1"], "group: wanted a number greater than or equal to 2"),
        (["--group", "9"], "group: wanted a number less than or equal to 8"),
        (["--angles", "0,1,2"], "angles: wanted 4 numbers (2 for each of 2 neurons), got '0,1,2'"),
        (["--angles", "0,1,2,x"], "angles: wanted finite numbers joined by commas"),
        (["--angles", "0,1,2,inf"], "angles: wanted finite numbers joined by commas"),
        (["--settings", "fixed", "--level", "-60"], "level: would be ignored"),
        (["--slope", "0.2"], "slope: would be ignored"),
        (["--settings", "linear"], "circuits: a table has a circuit a setting"),
        (["--ticks", "10000000", "--pairs", "1000"], "ticks: wanted at most 200000000"),
        (["--margin", "0.9"], "margin: wanted a number greater than or equal to 1"),
        (["--backend", "exact", "--shots", "5"], "shots: would be ignored"),
        (["--backend", "exact", "--circuits", "live"], "circuits: would be ignored"),
        (["--circuits", "live", "--shots", "5"], "shots: would be ignored"),
        (["--circuits", "live", "--drive-step", "1"], "drive_step: would be ignored"),
        (["--mitigation", "readout"], "mitigation: backend aer has no noise"),
        (["--backend", "fake_fez", "--circuits", "live", "--mitigation", "readout"],
         "mitigation: readout takes many shots"),
        (["--backend", "fake_fez", "--settings", "fixed", "--mitigation", "readout"],
         "mitigation: readout corrects the CHSH value"),
        (["--validation", "matrix-product-state"], "validation: a group's state is a vector"),
        (["--backend", "fake_nowhere"], "backend"),
        (["--backend", "ibm_fez"], "needs an IBM Quantum account"),
        (["--twirling", "gates"], "twirling: would be ignored"),
        (["--nonsense", "1"], "No such option"),
    ],
    ids=lambda x: " ".join(x) if isinstance(x, list) else "",
)  # fmt: skip
def test_bad_input_is_one_line(arguments, message, tmp_path):
    done = qbrain("run", "qlif", *arguments, "--out", "run", cwd=tmp_path, check=False)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_nothing_to_be_seen_is_null(tmp_path):
    result, _ = run(tmp_path / "run", backend="exact", pairs=1, ticks=3, seed=1)
    assert result["rate_hz"] == 0
    for name in ("synchrony", "chsh", "no_signalling_p", "drive_first_p", "first_spike_latency_ms"):
        assert result[name] is None
    assert "too few" in (tmp_path / "run/report.html").read_text().lower()
