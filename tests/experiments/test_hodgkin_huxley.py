"""A neuron whose gates are qubits, from the command line: runs, errors, kill and resume."""

import contextlib
import io
import json
import shutil
from contextlib import redirect_stderr, redirect_stdout
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from rewriting import rewrite_journal

from qbrain.backends.check.pure import DispatchRefused
from qbrain.experiments.cli import run_command
from qbrain.experiments.engine.run import start
from qbrain.experiments.errors import ConfigError, RunDirectoryError
from qbrain.experiments.hodgkin_huxley import circuits as hodgkin_huxley_circuits
from qbrain.experiments.hodgkin_huxley.config import HodgkinHuxleyConfig
from qbrain.experiments.hodgkin_huxley.model import NeuronModel
from qbrain.experiments.hodgkin_huxley.result import half_height_rises, sampled_area
from qbrain.experiments.resuming import resume
from qbrain.experiments.systems import SYSTEMS
from qbrain.reference.hodgkin_huxley import spike_times
from qbrain.reference.hodgkin_huxley.quantized_channel import simulate_channel

SMALL = ["--time", "6", "--steps", "12", "--shots", "500", "--seed", "4"]


def qbrain(*arguments, cwd, check=True):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(cwd), redirect_stdout(out), redirect_stderr(err):
        code = run_command([str(x) for x in arguments])
    if check:
        assert code == 0, err.getvalue()
    return SimpleNamespace(returncode=code, stdout=out.getvalue(), stderr=err.getvalue())


def run(path, *arguments):
    done = qbrain("run", "hodgkin-huxley", *arguments, "--out", path, "--json", cwd=path.parent)
    return json.loads(done.stdout), xr.load_dataset(path / "result.nc", engine="h5netcdf")


def configure(**settings):
    return HodgkinHuxleyConfig.from_mapping({"seed": 4, **settings})


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    path = tmp_path_factory.mktemp("finished") / "run"
    return path, *run(path, *SMALL)


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    path = tmp_path_factory.mktemp("noisy") / "run"
    run(path, "--time", "1", "--steps", "2", "--backend", "fake_fez", "--mitigation", "reference")
    return path


def test_one_json_object_with_the_agreed_fields(finished):
    path, result, _ = finished
    wanted = (
        "system backend qubits steps shots circuits validated two_qubit_gates depth rmse_voltage "
        "max_error_voltage loop_area spikes wall_seconds run_dir"
    )
    assert set(wanted.split()) <= set(result)
    assert (result["system"], result["backend"]) == ("hodgkin-huxley", "aer")
    assert result["circuits"] == result["validated"] == 13
    assert result["loop_area"] is None or result["loop_area"] != 0
    # the words of every system, and the names of version 0.1
    fit = result["fit"]
    assert fit["rmse"] == result["rmse_voltage"]
    assert fit["max_error"] == result["max_error_voltage"]
    assert (fit["shot_error"], fit["coverage"]) == (result["shot_error"], result["band_coverage"])
    names = {"run.toml", "steps.jsonl", "result.nc", "result.json", "circuits.qpy", "figure.png",
             "report.html"}  # fmt: skip
    assert names <= {p.name for p in path.iterdir()}


def test_the_exact_curve_is_the_reference_at_a_tighter_tolerance(finished):
    _, _, data = finished
    model = NeuronModel(configure(time=6, steps=12))
    tighter = simulate_channel(
        model.channel, model.drive, float(model.initial[0]), model.times, tolerance=1e-12
    )
    np.testing.assert_allclose(data.exact_voltage, tighter.voltage, atol=1e-7)


# ------------------------------------------------------------------------------ runs against theory


@pytest.mark.parametrize(
    "form",
    [
        ["--window", "1"],
        ["--window", "5"],
        ["--window", "5", "--ancilla", "mixed"],
        ["--window", "2", "--fresh", "true"],
        ["--window", "5", "--reading", "channels"],
        ["--window", "1", "--copies", "2", "--backend", "statevector"],
    ],
    ids=" ".join,
)
def test_every_form_follows_the_exact_curve_within_its_shots(form, tmp_path):
    shots = 4000
    result, data = run(
        tmp_path / "run", "--time", "12", "--steps", "24", "--shots", shots, "--seed", "5", *form
    )
    assert result["validated"] == result["circuits"] == 25
    # most points inside a band of 95 %; errors of neighbours are correlated
    assert result["band_coverage"] >= 0.7
    assert result["rmse_voltage"] < 2 * result["shot_error"] + 2 * result["step_error"]
    # each reading against where the loop had driven the gate to, to five standard errors
    copies = 2 if "--copies" in form else 4 if "channels" in form else 1
    stderr = np.sqrt(0.25 / shots / copies)
    assert float(np.abs(data["values"] - data.exact_values).max()) < 5 * 3 * stderr


@pytest.mark.parametrize(
    "drive",
    [
        ["--drive", "constant", "--amplitude", "5"],
        ["--drive", "coherent"],
        ["--drive", "entangled", "--theta", "1"],
        ["--drive", "entangled", "--entangled-state", "unnormalised"],
    ],
    ids=" ".join,
)
def test_every_drive(drive, tmp_path):
    result, data = run(
        tmp_path / "run", "--time", "26", "--steps", "52", "--shots", "2000", "--seed", "2",
        "--window", "1", *drive,
    )  # fmt: skip
    assert result["rmse_voltage"] < 2 * result["shot_error"] + 2 * result["step_error"]
    if "constant" in drive:
        assert result["loop_area"] is None
        assert float(np.ptp(data.current.values)) == 0
    else:
        wanted = result["loop_area_limit_cycle"]
        assert result["loop_area_exact"] == pytest.approx(wanted, rel=0.15)
        assert abs(result["loop_area"] - result["loop_area_exact"]) < (
            5 * result["loop_area_stderr"] + 0.02 * wanted
        )


def test_entanglement_changes_nothing_once_the_state_is_normalised():
    areas = {
        theta: NeuronModel(configure(drive="entangled", theta=theta)).exact.voltage.values
        for theta in (0.0, 0.5, np.pi / 4)
    }
    np.testing.assert_allclose(areas[0.5], areas[0.0], atol=1e-9)
    np.testing.assert_allclose(areas[np.pi / 4], areas[0.0], atol=1e-9)
    paper = configure(drive="entangled", entangled_state="unnormalised")
    assert np.abs(NeuronModel(paper).exact.voltage.values - areas[0.0]).max() > 1


@pytest.mark.parametrize("window", [1, 25])
def test_shot_noise_falls_with_the_square_root_of_the_shots(window):
    model = NeuronModel(configure(window=window))
    alone = model.noiseless().voltage
    shots = np.array([4000, 16000, 64000])
    errors = [
        np.sqrt(np.mean((model.repeated(200, int(s), 1).voltage - alone) ** 2)) for s in shots
    ]
    assert np.polyfit(np.log(shots), np.log(errors), 1)[0] == pytest.approx(-0.5, abs=0.05)


def test_the_loop_without_noise_is_second_order_in_the_step():
    errors = []
    for steps in (100, 200, 400):
        model = NeuronModel(configure(steps=steps))
        errors.append(np.abs(model.noiseless().values - model.exact_values).max())
    np.testing.assert_allclose(np.log2(np.array(errors[:-1]) / errors[1:]), 2, atol=0.35)


def test_the_band_is_that_of_measured_runs(tmp_path):
    settings = ("--time", "6", "--steps", "6", "--shots", "300", "--window", "1")
    errors, bands = [], []
    for seed in range(3):
        result, data = run(tmp_path / f"run{seed}", *settings, "--seed", seed)
        errors.append(np.mean((data["values"] - data.exact_values).values[1:] ** 2))
        bands.append(result["band_coverage"])
    # 21 correlated points of 95 % bands
    assert np.mean(bands) > 0.8
    model = NeuronModel(configure(time=6, steps=6, window=1))
    ideal = model.repeated(400, 300, 0).values
    wanted = np.mean((ideal - model.exact_values)[:, 1:] ** 2)
    assert np.mean(errors) == pytest.approx(wanted, rel=1.0)


@pytest.mark.slow
def test_a_neuron_of_gates_spikes_where_the_exact_one_does(tmp_path):
    result, data = run(
        tmp_path / "run", "--channel", "full", "--drive", "constant", "--amplitude", "10",
        "--time", "20", "--steps", "320", "--shots", "10000", "--seed", "1",
    )  # fmt: skip
    assert result["spikes"] == result["spikes_exact"] == 2
    assert result["circuits"] == result["validated"] == 3 * 321
    assert result["band_coverage"] > 0.9
    assert data.sizes["channel"] == 2


def test_a_step_of_the_whole_neuron(tmp_path):
    result, data = run(
        tmp_path / "run", "--channel", "full", "--drive", "constant", "--amplitude", "10",
        "--time", "1", "--steps", "10", "--shots", "20000", "--seed", "1", "--window", "4",
    )  # fmt: skip
    assert result["validated"] == 33
    # 10 µA/cm² on 1 µF/cm² from rest
    assert 5 < float(data.voltage[-1]) < 12
    assert result["rmse_voltage"] < 0.2
    joint, _ = run(
        tmp_path / "joint", "--channel", "full", "--drive", "constant", "--amplitude", "10",
        "--time", "1", "--steps", "5", "--shots", "20000", "--seed", "1", "--window", "1",
        "--reading", "channels",
    )  # fmt: skip
    assert joint["validated"] == 2 * 6
    assert joint["qubits"] == 8
    assert joint["rmse_voltage"] < 0.4


@pytest.mark.slow
def test_readout_correction_under_device_noise(tmp_path):
    settings = ["--time", "10", "--steps", "20", "--backend", "fake_fez", "--shots", "40000",
                "--seed", "3"]  # fmt: skip
    raw, _ = run(tmp_path / "raw", *settings)
    corrected, data = run(tmp_path / "readout", *settings, "--mitigation", "readout")
    reference, _ = run(tmp_path / "reference", *settings, "--mitigation", "reference")
    assert raw["two_qubit_gates"] == corrected["two_qubit_gates"] == 2
    assert corrected["circuits"] == corrected["validated"] == 21 + 2
    assert corrected["rmse_gates"] < 0.6 * raw["rmse_gates"]
    assert reference["rmse_gates"] < 0.6 * raw["rmse_gates"]
    assert data.attrs["backend"] == "fake_fez"
    # p(1|0) and p(0|1) of the one gate; those of the reference hold the collision's errors too
    assert "readout_errors" not in raw
    for result in (corrected, reference):
        assert result["wrong_readings"] == result["readout_errors"]
        assert np.shape(result["readout_errors"]) == (1, 1, 2)
        assert 0 < np.sum(result["readout_errors"]) < 0.1
    rows = json.loads(
        qbrain("compare", "raw", "readout", "reference", "--json", cwd=tmp_path).stdout
    )["runs"]
    assert [row["estimate"] for row in rows] == ["raw", "raw", "readout", "raw", "reference"]
    assert all(row["same_as_first"] for row in rows)
    for row, each in zip(rows[::2], (raw, corrected, reference), strict=True):
        assert row["rmse_voltage"] == each["rmse_voltage"]
        assert row["rmse"] == pytest.approx(each["rmse_gates"])
    assert "rmse gates" in qbrain("compare", "raw", "readout", cwd=tmp_path).stdout


# --------------------------------------------------------------------------------------- the record


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda first: first.pop(), "wanted the two circuits of known gates of register 0"),
        (lambda first: first[-1]["tags"].clear(), "'register'"),
        (lambda first: first[0].update(order=[0, 1]), "wanted readings of \\[1\\] gates"),
        (lambda first: first[0].update(counts={}), "wanted counts of at least one shot"),
    ],
    ids=["a circuit less", "no register", "another circuit", "no counts"],
)
def test_a_journal_that_lacks_a_reading_is_refused(damage, message, noisy, tmp_path):
    shutil.copytree(noisy, tmp_path / "run")
    (tmp_path / "run/result.json").unlink()
    lines = (tmp_path / "run/steps.jsonl").read_text().splitlines()
    first = json.loads(lines[0])
    damage(first["readings"])
    rewrite_journal(tmp_path / "run", [first, *map(json.loads, lines[1:])])
    with pytest.raises(RunDirectoryError, match=message):
        resume(tmp_path / "run")


def test_the_check_refuses_other_angles(tmp_path, monkeypatch):
    built = hodgkin_huxley_circuits.gate_circuit

    def wrong(initial, angles, openings, **form):
        return built(initial, np.asarray(angles) * 1.01, openings, **form)

    monkeypatch.setattr(hodgkin_huxley_circuits, "gate_circuit", wrong)
    with pytest.raises(DispatchRefused, match="logical"):
        start(SYSTEMS["hodgkin-huxley"], configure(time=6, steps=6), tmp_path / "run")
    done = qbrain("run", "hodgkin-huxley", *SMALL, "--out", "other", cwd=tmp_path, check=False)
    assert done.returncode == 3
    assert "step 1" in done.stderr


# ---------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--z-min", "0"], "z_min: wanted a number greater than 0, got '0'"),
        (["--z-min", "-1"], "z_min: wanted a number greater than 0, got '-1'"),
        (["--initial-n", "1.2"], "initial_n: wanted a number less than or equal to 1, got '1.2'"),
        (["--initial-n", "-0.1"], "initial_n: wanted a number greater than or equal to 0"),
        (["--capacitance", "-1"], "capacitance: wanted a number greater than 0, got '-1'"),
        (["--gate-capacitance", "-1"], "gate_capacitance: wanted a number greater than 0"),
        (["--theta", "2"], "theta: wanted a number less than or equal to"),
        (["--steps", "5"], "steps: wanted a step of at most"),
        (["--channel", "full", "--steps", "100"], "steps: wanted a step of at most"),
        (["--steps", "0"], "steps: wanted a number greater than or equal to 1"),
        (["--amplitude", "nan"], "amplitude: wanted"),
        (["--amplitude", "1e7"], "amplitude: wanted at most 1e6"),
        (["--drive", "coherent", "--amplitude", "3"], "amplitude: would be ignored"),
        (["--alpha0", "3"], "alpha0: would be ignored"),
        (["--drive", "constant", "--frequency", "3"], "frequency: would be ignored"),
        (["--drive", "coherent", "--theta", "1"], "theta: would be ignored"),
        (["--channel", "full", "--initial-n", "0.5"], "initial_n: would be ignored"),
        (["--backend", "exact", "--window", "3"], "window: would be ignored"),
        (["--ancilla", "coherent", "--window", "3"], "ancilla: coherent is exact for a window of"),
        (["--window", "1", "--fresh", "true"], "fresh: would be ignored"),
        (["--mitigation", "readout"], "mitigation: backend aer has no noise"),
        (["--backend", "fake_fez", "--window", "2", "--mitigation", "reference"], "mitigation: "),
        (["--validation", "statevector"], "validation: circuits with resets"),
        (["--backend", "fake_nowhere"], "backend"),
        (["--twirling", "gates"], "twirling: would be ignored"),
        (["--nonsense", "1"], "No such option"),
    ],
    ids=lambda x: " ".join(x) if isinstance(x, list) else "",
)
def test_bad_input_is_one_line(arguments, message, tmp_path):
    done = qbrain("run", "hodgkin-huxley", *arguments, "--out", "run", cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_exact_runs_no_circuit(tmp_path):
    result, data = run(tmp_path / "run", "--backend", "exact", "--time", "30", "--steps", "600")
    assert result["circuits"] == 0
    assert result["rmse_voltage"] == 0
    assert result["loop_area"] == pytest.approx(result["loop_area_limit_cycle"], rel=0.02)
    assert "band_low" not in data


# ------------------------------------------------------------------------------------------- counts


@pytest.mark.parametrize("steps", [85, 91, 94, 100])
def test_measured_and_exact_are_counted_at_the_same_times(steps, tmp_path):
    # between these samples there are rises through 50 mV that none of them shows
    result, data = run(
        tmp_path / "run", "--drive", "entangled", "--backend", "exact", "--steps", steps
    )
    assert result["spikes"] == result["spikes_exact"]
    assert result["half_height_crossings"] == result["half_height_crossings_exact"]
    fine = spike_times(data.time_fine.values, data.exact_voltage_fine.values)
    assert len(fine) == 4 > result["spikes_exact"]


def test_a_channel_alone_is_said_to_have_no_spikes(tmp_path):
    result, _ = run(
        tmp_path / "run", "--time", "26", "--steps", "52", "--seed", "1", "--window", "1"
    )
    words = result["verdict"]["sentence"]
    assert "pike" not in words
    # sin²Ωt has a period of 2π ms and starts from its least value
    assert result["half_height_crossings_exact"] == 4
    measured = result["half_height_crossings"]
    assert words.endswith(f"Rises through half height: {measured}, exact 4, at the same times.")
    page = (tmp_path / "run/report.html").read_text()
    assert "spikes" not in page
    assert "half of the exact height" in page
    constant, _ = run(tmp_path / "flat", *SMALL, "--drive", "constant")
    assert constant["half_height_crossings"] is constant["half_height_crossings_exact"] is None


@given(
    cycles=st.integers(1, 6),
    height=st.floats(1e-3, 1e3),
    shift=st.floats(-1e3, 1e3),
    noise=st.floats(0, 0.19),
    seed=st.integers(0, 2**16),
)
def test_rises_through_half_height_are_those_of_a_noisy_cosine(cycles, height, shift, noise, seed):
    phase = 2 * np.pi * np.arange(40 * cycles + 1) / 40
    exact = -np.cos(phase)
    measured = exact + noise * np.random.default_rng(seed).choice([-0.5, 0.5], phase.size)
    counted = half_height_rises(shift + height * measured, shift + height * exact)
    assert counted == half_height_rises(exact, exact) == cycles


@pytest.mark.parametrize("drive", ["constant", "classical", "coherent", "entangled"])
def test_the_whole_neuron_takes_its_own_defaults(drive):
    config = HodgkinHuxleyConfig(channel="full", drive=drive)
    assert config.model_fields_set == {"channel", "drive"}
    assert HodgkinHuxleyConfig(channel="full", drive=drive, time=30).steps == 600
    model = NeuronModel(config)
    exact, loop = model.exact.voltage.values, model.noiseless().voltage
    spikes = [len(spike_times(model.times, each)) for each in (exact, loop)]
    assert spikes == [2, 2]
    assert np.sqrt(np.mean((loop - exact) ** 2)) < 0.03 * np.ptp(exact)


def test_a_default_that_was_not_made_is_not_told_of():
    with pytest.raises(ConfigError) as refused:
        HodgkinHuxleyConfig(channel="half")
    assert str(refused.value) == "channel: wanted 'K' or 'full', got 'half'"


def test_the_area_of_a_sampled_ellipse():
    period = 5.0
    times = np.linspace(0, 20, 4001)
    current, voltage = (
        3 * np.sin(2 * np.pi * times / period),
        2 * np.cos(2 * np.pi * times / period),
    )
    # ∮ V dI runs clockwise here: I = 3 sin, V = 2 cos
    assert sampled_area(times, voltage, current, period) == pytest.approx(np.pi * 6, rel=1e-5)
    assert sampled_area(times[:900], voltage[:900], current[:900], period) is None
    assert sampled_area(times, voltage, current, None) is None
