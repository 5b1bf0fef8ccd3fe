"""`qbrain spikes`: the record of a recording on the screen, as JSON, in results and reports."""

import json
import re
import struct
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qbrain.experiments.cli import run_command
from qbrain.experiments.errors import ConfigError
from qbrain.experiments.spikes.data import SpikeData, load_spikes, synthetic_spikes
from qbrain.experiments.spikes.example import (
    BIN_S,
    BINS,
    EXAMPLE,
    NEURONS,
    SEED,
    TRIALS,
    example_text,
)  # fmt: skip
from qbrain.experiments.spikes.inspection import cell_rows, raster_picture
from qbrain.experiments.spikes.reading import RecordingWarning
from qbrain.experiments.spikes.recording import recording_rows
from qbrain.experiments.spiqgan.config import SpiQGANConfig
from qbrain.experiments.spiqgan.trained import load_data


def test_the_example_is_what_its_seed_makes_and_says_that_it_is_synthetic(capsys):
    made = synthetic_spikes(neurons=NEURONS, trials=TRIALS, bins=BINS, bin_s=BIN_S, seed=SEED)
    assert EXAMPLE.read_text("utf-8") == example_text(made.raster)
    assert run_command(["spikes", "example"]) == 0
    assert capsys.readouterr().out.strip() == str(EXAMPLE)
    data = load_spikes("example", bin_s=BIN_S)
    np.testing.assert_array_equal(data.raster, made.raster)
    assert "synthetic spikes" in data.recording.notes[0]


def test_a_file_named_example_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "example").mkdir()
    with pytest.raises(OSError, match="no run here"):
        load_spikes("example", bin_s=BIN_S)


@given(st.integers(1, 6), st.integers(2, 30), st.integers(1, 4), st.integers(0, 2**32))
@settings(max_examples=25, deadline=None)
def test_the_record_counts_what_is_there(trials, bins, neurons, seed):
    """Shares, rates and merged spikes of any table against counting by hand."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 3, size=(trials, bins, neurons))
    counts[:, -1, 0] = 1
    s, b, i = np.nonzero(counts)
    rows = [
        f"{x},{z},{(y + 0.1 + 0.3 * k) * 0.1:.3f}"
        for x, y, z in zip(s, b, i, strict=True)
        for k in range(counts[x, y, z])
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        path.write_text("\n".join(["trial,neuron,time", *rows]) + "\n")
        cells = sorted(set(i.tolist()))
        data = load_spikes(path, bin_s=0.1)
    record = data.recording
    assert (record.trials, record.bins, record.cells) == (trials, bins, len(cells))
    assert record.spikes == record.kept_spikes == counts.sum()
    assert record.merged_spikes == counts.sum() - (counts > 0).sum()
    rates = counts.sum(axis=(0, 1))[cells] / (trials * bins * 0.1)
    assert record.rate_mean == pytest.approx(rates.mean())
    assert (record.rate_min, record.rate_max) == pytest.approx((rates.min(), rates.max()))
    assert [row["rate_hz"] for row in cell_rows(data)] == pytest.approx(rates.tolist())


def test_inspect_prints_a_table_and_draws_a_picture(tmp_path, capsys):
    out = tmp_path / "new" / "a.png"
    assert run_command(["spikes", "inspect", "example", "--bin-ms", "20", "--out", str(out)]) == 0
    told = capsys.readouterr().out
    for words in ("table of spike times", "120 of 2 s, 100 bins each", "100 % of 9598", "rate hz"):
        assert words in told
    head = out.read_bytes()[:24]
    assert head.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", head[16:24])
    assert width > 1000
    assert height > 500


def test_inspect_as_json_is_the_record(tmp_path, capsys):
    assert run_command(["spikes", "inspect", "example", "--bin-s", "0.02", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    rows = found.pop("cell_rates")
    assert found == load_spikes("example", bin_s=0.02).recording.to_dict()
    assert [row["cell"] for row in rows] == list(range(8))
    assert sum(row["spikes"] for row in rows) == found["kept_spikes"]
    command = ["spikes", "inspect", "example", "--bin-ms", "20", "--json"]
    assert run_command([*command, "--cells", "3,1"]) == 0
    assert [r["cell"] for r in json.loads(capsys.readouterr().out)["cell_rates"]] == [3, 1]
    assert run_command([*command, "--neurons", "2"]) == 0
    assert [r["cell"] for r in json.loads(capsys.readouterr().out)["cell_rates"]] == [0, 1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "bin_s: wanted a width in seconds to sort spike times into"),
        (["--bin-ms", "20", "--bin-s", "0.02"], "bin_ms: wanted bin_s or bin_ms, got 0.02 and 20"),
        (["--bin-ms", "0"], "bin_ms: wanted a number greater than 0"),
        (["--bin-ms", "20", "--clip"], "clip: would be ignored, since"),
        (["--bin-ms", "20", "--axes", "time,space"], "axes: wanted trials, time and neurons"),
        (["--bin-ms", "20", "--span", "3"], "span: wanted two times in seconds"),
        (["--bin-ms", "20", "--time-unit", "min"], "time_unit: wanted 's', 'ms', 'us' or"),
        (["--bin-ms", "20", "--cells", "1,,2"], "cells: wanted columns or names"),
        (["--bin-ms", "20", "--cells", "9"], "cells: wanted cells of example.csv, got 9"),
        (["--bin-ms", "20", "--out", "a.pdf"], "out: wanted a file named .png"),
        (["--bin-ms", "20", "--out", "/proc/none/a.png"], "out: cannot write"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(capsys, options, words):
    assert run_command(["spikes", "inspect", "example", *options]) == 2
    told = capsys.readouterr().err.strip()
    assert words in told
    assert "\n" not in told


def test_what_no_file_holds_is_not_inspected(capsys, tmp_path):
    assert run_command(["spikes", "inspect", "synthetic"]) == 2
    assert "data: wanted a file or folder to inspect" in capsys.readouterr().err
    assert run_command(["spikes", "inspect", str(tmp_path / "none.npy")]) == 2
    assert "data: wanted a file that exists" in capsys.readouterr().err


@pytest.mark.parametrize("shape", [(1, 5000, 3), (1, 40, 1), (30, 12, 60), (4, 2500, 2)])
def test_every_shape_can_be_drawn(shape):
    raster = (np.random.default_rng(0).random(shape) < 0.2).astype("u1")
    data = SpikeData(raster, 0.02, tuple(range(shape[2])), "a")
    figure = raster_picture(data, "a")
    assert len(figure.axes) == (4 if shape[0] > 1 else 3)
    raster_axes = figure.axes[0]
    spikes = raster_axes.lines[0].get_xdata()
    shown = round(raster_axes.get_xlim()[1] / 0.02)
    assert len(spikes) == raster.reshape(-1, shape[2])[:shown].sum()


def test_settings_of_files_are_refused_where_there_is_none():
    only_of_files = {"clip": True, "time_unit": "ms", "span": "0,3", "axes": "time,neurons"}
    for name, value in only_of_files.items():
        with pytest.raises(ConfigError, match=f"{name}: would be ignored, since data synthetic"):
            SpiQGANConfig(**{name: value})
    config = SpiQGANConfig(bin_ms=10.0)
    assert config.width_s == 0.01
    assert load_data(config).bin_s == 0.01
    assert SpiQGANConfig(cells="a,3, b").cell_list == ["a", 3, "b"]


def test_a_run_warns_of_what_is_cut_and_what_looks_wrong(tmp_path):
    raster = (np.random.default_rng(0).random((30, 61, 4)) < 0.05).astype("u1")
    raster[:, :, 3] = 0
    np.savez(tmp_path / "a.npz", spikes=raster, bin_s=0.01)
    config = SpiQGANConfig(data=str(tmp_path / "a.npz"), neurons=2, bin_ms=20.0)
    with pytest.warns(RecordingWarning) as caught:
        data = load_data(config)
    told = [str(each.message) for each in caught]
    assert told == [f"a.npz: {text}" for text in (*data.recording.cuts, *data.recording.suspicions)]
    assert len(told) == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_data(SpiQGANConfig(data="example", neurons=2, bin_ms=20.0))


@pytest.mark.slow
def test_the_record_stands_in_result_and_report(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    s, b, i = np.nonzero(rng.random((60, 40, 4)) < 0.2)
    rows = [f"{x};u{z};{20 * y + 6},5" for x, y, z in zip(s, b, i, strict=True)]
    (tmp_path / "a.csv").write_text("\n".join(["Trial;Unit;Time (ms)", *rows, "3;;1,5"]) + "\n")
    options = "--bin-ms 20 --cells u2,u0 --bins 3 --layers 1 --training-steps 2 --batch 8"
    code = run_command(
        ["run", "spiqgan", "--data", "a.csv", *options.split(), "--generator-batch", "8",
         "--samples", "200", "--controls", "none", "--seed", "1", "--out", "r"]
    )  # fmt: skip
    told = capsys.readouterr()
    assert code == 0, told.err
    assert told.err == "qbrain: a.csv: 1 lines without a neuron or trial were left out\n"
    result = json.loads((tmp_path / "r" / "result.json").read_text())
    record = load_spikes("a.csv", bin_s=0.02).recording.to_dict()
    assert result["recording"] == record
    assert result["cells"] == ["u2", "u0"]
    page = (tmp_path / "r" / "report.html").read_text()
    for name, text in recording_rows(record):
        assert re.search(f"<td>{re.escape(name)}</td><td>{re.escape(text)}</td>", page), name
