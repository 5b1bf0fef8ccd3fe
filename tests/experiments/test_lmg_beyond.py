"""The studies beyond the paper: their measures, and that what they say follows from them."""

import json

import numpy as np
import pytest
import xarray as xr

from qbrain.experiments.cli import run_command
from qbrain.experiments.lmg.beyond import disturbed, isolated
from qbrain.experiments.lmg.beyond.pictures import draw
from qbrain.experiments.papers.pages import study_page


def test_two_neurons_are_their_closed_form():
    study = isolated.two_neurons()
    m = study.measures
    assert m["largest error of the closed form"] < 1e-9
    assert m["movement from one active neuron"] < 1e-9
    assert m["largest entropy, bits"] == pytest.approx(1, abs=1e-12)
    assert m["frequency in s"] == pytest.approx(0.8 / (2 * np.pi))
    frequencies = study.data.frequency.values
    assert np.all(np.diff(frequencies) < 0)  # the more feedback the slower


def test_the_synapse_lingers_where_it_is_weak():
    m = isolated.observables().measures
    assert m["imbalance, activity E"] > 0.05
    assert m["imbalance, silence 1 - E"] < -0.05
    assert abs(m["imbalance, coherence 4<Jx²>/N²"]) < 0.01


def test_the_mean_field_error_falls_as_one_over_n():
    study = isolated.mean_field_limit()
    assert study.measures["power of the early error"] == pytest.approx(-1, abs=0.05)
    assert study.measures["power of N"] > 0.5
    assert np.all(np.diff(study.data.holds_until.values) >= 0)


def test_shots_disturb_more_the_more_there_are():
    m = disturbed.single_shots().measures
    seen = [m[f"RMS distance, {n} shots"] for n in (60, 240, 960)]
    unseen = [m[f"RMS distance without backaction, {n} shots"] for n in (60, 240, 960)]
    assert seen[0] < seen[1] < seen[2]
    assert unseen[0] > unseen[1] > unseen[2]
    assert m["trajectories above E = 1/2, of eight"] >= 1
    assert m["highest mean E"] < 0.5


@pytest.mark.slow
def test_what_changes_in_time_moves_the_brain():
    m = isolated.stimulus().measures
    assert abs(m["mean E after t = 60, step"] - m["mean E after t = 60, none"]) < 0.01
    assert m["mean E after t = 60, sine"] > 0.3
    assert m["difference left by the pulse"] > 0.02


@pytest.mark.slow
def test_a_trace_is_left_in_the_coupled_brain_and_fades():
    m = disturbed.coupled().measures
    assert abs(m["level of B moved by, c = 0, soon"]) < 1e-4  # the integrator asked for 1e-6
    assert m["level of B moved by, c = 0.4, soon"] < -0.2
    late = abs(m["level of B moved by, c = 0.4, late"])
    assert late < 0.5 * abs(m["level of B moved by, c = 0.4, soon"])


@pytest.mark.slow
def test_collective_jumps_keep_to_the_symmetric_states():
    study = disturbed.decoherence()
    symmetric = study.data.symmetric
    np.testing.assert_allclose(symmetric.sel(kind="collective_decay"), 1, atol=1e-5)
    assert float(symmetric.sel(kind="decay", rate=0.03)) < 0.5


@pytest.mark.parametrize("make", [isolated.two_neurons, isolated.observables])
def test_a_study_has_data_a_page_and_a_picture(make):
    study = make()
    data = study.dataset()
    assert data.attrs["backend"] == "exact reference, no circuit"
    assert dict(zip(data.measure.values, data.measured.values, strict=True)) == pytest.approx(
        dict(study.measures)
    )
    page = study_page(study)
    assert study.question in page
    assert f"![{study.title}]({study.file}.png)" in page
    assert len(draw(data).axes) >= 2


def test_the_command_makes_a_study_and_refuses_others(tmp_path, capsys):
    out = tmp_path / "studies"
    command = ["figures", "lmg-beyond", "--only", "two-neurons", "--out", str(out), "--json"]
    assert run_command(command) == 0
    result = json.loads(capsys.readouterr().out)
    assert [row["study"] for row in result["studies"]] == ["two-neurons"]
    assert {p.suffix for p in out.iterdir()} == {".nc", ".png", ".svg", ".md"}
    data = xr.load_dataset(out / "two-neurons.nc", engine="h5netcdf")
    assert data.attrs["backend"] == "exact reference, no circuit"
    assert run_command(["figures", "lmg-beyond", "--only", "telepathy"]) == 2
    assert "only: wanted one of stimulus, observables" in capsys.readouterr().err
