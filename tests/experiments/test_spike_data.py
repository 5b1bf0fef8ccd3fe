"""Spikes from files of every kind, cut into windows, dealt out by trials; mistakes in one line."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import savemat
from scipy.sparse import csc_matrix

from qbrain.experiments import spike_data
from qbrain.experiments.errors import ConfigError
from qbrain.experiments.spikes import data as spikes
from qbrain.experiments.spikes.data import (
    SpikeData,
    choose_cells,
    cut_windows,
    load_spikes,
    split_trials,
    synthetic_spikes,
)
from qbrain.experiments.spikes.files import bin_spikes
from qbrain.reference.spiqgan.spike_statistics import (
    autocorrelogram,
    bin_counts,
    covariance,
    firing_rates,
)

RECORDING = (
    Path(__file__).resolve().parents[3] / "shared" / "data" / "marre2014_retina_50x283041.npz"
)
RASTER = (np.random.default_rng(0).random((5, 40, 3)) < [0.1, 0.4, 0.2]).astype(np.uint8)
FLAT = RASTER.reshape(200, 3)


def save_mat73(path, raster):
    with h5py.File(path, "w") as file:
        file["spikes"], file["bin_s"] = raster.T, [[0.02]]


WRITERS = {
    "plain.npy": lambda path: np.save(path, RASTER),
    "bool.npy": lambda path: np.save(path, RASTER.astype(bool)),
    "float.npy": lambda path: np.save(path, RASTER.astype(float)),
    "flat.npy": lambda path: np.save(path, FLAT),
    "named.npz": lambda path: np.savez(path, spikes=RASTER, bin_s=0.02),
    "flat.npz": lambda path: np.savez(path, spikes=FLAT, bin_s=0.02, repeats=5),
    "packed.npz": lambda path: np.savez(
        path, packed=np.packbits(FLAT), shape=FLAT.shape, repeats=5, bin_s=0.02
    ),
    "old.mat": lambda path: savemat(path, {"spikes": RASTER, "bin_s": 0.02}),
    "sparse.mat": lambda path: savemat(path, {"spikes": csc_matrix(FLAT.astype(float))}),
    "new.mat": lambda path: save_mat73(path, RASTER),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_kind_of_file_gives_the_same_raster(tmp_path, name):
    WRITERS[name](tmp_path / name)
    data = load_spikes(tmp_path / name, bin_s=0.02, trials=5)
    np.testing.assert_array_equal(data.raster, RASTER)
    assert data.raster.dtype == np.uint8
    assert (data.bin_s, data.cells, data.source) == (0.02, (0, 1, 2), name)


@pytest.mark.parametrize("name", ["named.npz", "flat.npz", "packed.npz", "old.mat", "new.mat"])
def test_a_file_that_says_its_own_width_and_trials_needs_no_more(tmp_path, name):
    WRITERS[name](tmp_path / name)
    data = load_spikes(tmp_path / name)
    assert data.raster.shape == RASTER.shape
    assert data.bin_s == pytest.approx(0.02)


def test_wider_bins_hold_a_spike_where_any_of_theirs_did(tmp_path):
    WRITERS["named.npz"](tmp_path / "a.npz")
    data = load_spikes(tmp_path / "a.npz", bin_s=0.06)
    assert data.bin_s == 0.06
    wanted = RASTER[:, :39].reshape(5, 13, 3, 3).any(axis=2)
    np.testing.assert_array_equal(data.raster, wanted)


def test_spike_times_are_sorted_into_bins(tmp_path):
    trial, place, neuron = np.nonzero(RASTER)
    order = np.random.default_rng(1).permutation(len(trial))
    # decimals as a spreadsheet writes them: on the edge of a bin
    lines = [f"{neuron[i] + 7}, {place[i] * 0.02:.2f}, {trial[i]}" for i in order]
    (tmp_path / "times.csv").write_text("neuron, time, trial\n" + "\n".join(lines) + "\n")
    data = load_spikes(tmp_path / "times.csv", bin_s=0.02)
    bins = place.max() + 1
    np.testing.assert_array_equal(data.raster, RASTER[:, :bins])
    assert data.cells == (7, 8, 9)
    chosen = load_spikes(tmp_path / "times.csv", bin_s=0.02, cells=[9, 7])
    np.testing.assert_array_equal(chosen.raster, RASTER[:, :bins, [2, 0]])


def test_spike_times_of_one_trial_and_of_a_silent_one(tmp_path):
    (tmp_path / "a.csv").write_text("neuron,time\n0,0.03\n1,0.031\n0,0.1\n")
    data = load_spikes(tmp_path / "a.csv", bin_s=0.05)
    np.testing.assert_array_equal(data.raster, [[[1, 1], [0, 0], [1, 0]]])
    (tmp_path / "b.csv").write_text("trial,neuron,time\n0,0,0.03\n2,0,0.01\n")
    assert load_spikes(tmp_path / "b.csv", bin_s=0.05).raster.shape == (2, 1, 1)
    data = load_spikes(tmp_path / "b.csv", bin_s=0.05, trials=4)
    np.testing.assert_array_equal(data.raster[:, 0, 0], [1, 0, 1, 0])


@given(st.integers(1, 4), st.integers(1, 9), st.integers(1, 4), st.integers(0, 2**32))
@settings(max_examples=50, deadline=None)
def test_a_bin_is_one_where_a_spike_fell_into_it(trials, bins, neurons, seed):
    rng = np.random.default_rng(seed)
    trial, neuron = rng.integers(trials, size=20), rng.integers(neurons, size=20)
    # in tenths of a bin, from one before the first to one after the last
    tenth = rng.integers(-10, 10 * bins + 10, size=20)
    wanted = np.zeros((trials, bins, neurons))
    for s, i, t in zip(trial, neuron, tenth, strict=True):
        if 0 <= t < 10 * bins:
            wanted[s, t // 10, i] = 1
    found = bin_spikes(trial, neuron, tenth * 0.1 * 0.02, 0.02, trials, neurons, bins)
    np.testing.assert_array_equal(found, wanted)


def test_the_highest_rates_are_taken_the_highest_first():
    data = SpikeData(RASTER, 0.02, (0, 1, 2), "test")
    assert choose_cells(data, neurons=2).cells == (1, 2)
    assert choose_cells(data, [2, 0]).cells == (2, 0)
    np.testing.assert_array_equal(choose_cells(data, [2, 0]).raster, RASTER[:, :, [2, 0]])


@given(st.integers(1, 6), st.integers(6, 20), st.integers(1, 6), st.integers(1, 8))
@settings(max_examples=50, deadline=None)
def test_windows_are_runs_of_one_trial(trials, bins, window, stride):
    # every bin says where it is: the trial in its high bits, the bin in the low ones
    where = np.arange(trials)[:, None] * 32 + np.arange(bins)
    raster = where[:, :, None].astype(np.uint8)
    found = cut_windows(raster, window, np.arange(trials), stride)
    inside = found.spikes[:, :, 0].astype(int)
    np.testing.assert_array_equal(inside // 32, np.repeat(found.trials[:, None], window, axis=1))
    assert (np.diff(inside, axis=1) == 1).all()
    assert (inside[:, 0] % 32 % stride == 0).all()
    assert len(inside) == trials * ((bins - window) // stride + 1)


@given(st.integers(3, 40), st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_no_trial_is_in_two_parts_and_each_is_in_one(trials, seed):
    data = SpikeData(np.ones((trials, 8, 2), dtype=np.uint8), 0.02, (0, 1), "test")
    split = split_trials(data, 4, seed=seed, validation=0.2, test=0.2)
    parts = [set(part.trials) for part in (split.training, split.validation, split.test)]
    assert sum(map(len, parts)) == trials == len(set.union(*parts))
    assert all(parts)


def test_a_split_follows_its_seed_and_only_training_windows_overlap():
    data = synthetic_spikes(neurons=3, trials=30, bins=40)
    first, again, other = (split_trials(data, 8, seed=s, stride=2) for s in (1, 1, 2))
    np.testing.assert_array_equal(first.test.spikes, again.test.spikes)
    assert set(first.test.trials) != set(other.test.trials)
    assert len(first.test.spikes) == 6 * 5
    assert len(first.validation.spikes) == 4 * 5
    assert len(first.training.spikes) == 20 * 17


def test_the_synthetic_population_has_the_rates_and_covariances_it_was_given():
    data = synthetic_spikes(neurons=4, trials=400, bins=100, memory=0.5)
    p = np.linspace(0.16, 0.04, 4)
    # 5 standard deviations, a third of the bins counted for the memory
    bound = 5 * 0.5 / np.sqrt(400 * 100 / 3)
    assert np.abs(firing_rates(data.raster) - p).max() < bound
    spread = np.sqrt(p * (1 - p))
    place = np.arange(4)
    shape = 0.3 * 0.5 ** np.abs(place[:, None] - place)
    np.fill_diagonal(shape, 1)
    assert np.abs(covariance(data.raster) - shape * np.outer(spread, spread)).max() < bound
    assert autocorrelogram(data.raster, 1)[1] > 0.1
    given = synthetic_spikes(neurons=2, trials=50, rates=[0.5, 0.5], covariance=np.eye(2) * 0.25)
    assert abs(covariance(given.raster)[0, 1]) < 5 * 0.5 / np.sqrt(50 * 200 / 4)


@pytest.mark.skipif(not RECORDING.is_file(), reason="no recording beside the repository")
def test_the_recording_has_the_figures_it_is_known_for():
    data = load_spikes(RECORDING)
    assert data.raster.shape == (297, 953, 50)
    assert data.bin_s == pytest.approx(0.02)
    assert firing_rates(data.raster).mean() == pytest.approx(0.03845, abs=1e-5)
    counts = bin_counts(data.raster)
    np.testing.assert_allclose(counts[:3], [0.384, 0.186, 0.115], atol=6e-4)
    assert np.flatnonzero(counts).max() == 18
    assert autocorrelogram(data.raster, 1)[1] == pytest.approx(0.28, abs=5e-3)
    c = covariance(data.raster)
    pairs = (c / np.sqrt(np.outer(np.diag(c), np.diag(c))))[np.triu_indices(50, 1)]
    assert pairs.mean() == pytest.approx(0.036, abs=5e-4)
    assert choose_cells(data, neurons=4).cells == (19, 25, 5, 28)


NPY = {
    "nan": (np.where(RASTER == 1, np.nan, 0.0), r"zeros and ones, got nan at \("),
    "counts": (RASTER * 2, r"zeros and ones, got 2 at \("),
    "words": (np.full((4, 4), "a"), "zeros and ones, got <U1"),
    "line": (np.zeros(9), r"wanted an array of 2 or 3 axes in a.npy, got array \(9,\)"),
    "empty": (np.zeros((0, 3)), r"wanted an array .*got array \(0, 3\)"),
    "turned": (FLAT.T, r"\(3, 200\), which looks transposed"),
    "objects": (np.array([[{}]]), "wanted a readable .npy"),
    "silent": (RASTER * [1, 0, 1], "cells: wanted cells that spike, got 1, silent"),
}


@pytest.mark.parametrize("name", NPY)
def test_an_array_that_is_no_raster_is_refused_in_a_line(tmp_path, name):
    array, words = NPY[name]
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    with pytest.raises(ConfigError, match=words) as caught:
        load_spikes(tmp_path / "a.npy", bin_s=0.02)
    assert "\n" not in str(caught.value)


FILES = {
    "a.npy": b"no array",
    "a.npz": b"PK no zip",
    "a.mat": b"MATLAB no more",
    "a.csv": b"what,ever\n1,2\n",
    "b.csv": b"",
    "c.csv": b"neuron,time\n",
    "d.csv": b"neuron,time\n1,nan\n",
    "e.csv": b"neuron,time\n1,-0.5\n",
    "f.csv": b"neuron,time\n1.5,0.5\n",
    "g.csv": b"neuron,time\n1\n",
    "h.csv": b"\xff\xfe\x00\x81",
    "i.csv": b"neuron,time\n1,inf\n",
    "a.txt": b"0 1\n",
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_none_is_refused_in_a_line(tmp_path, name):
    (tmp_path / name).write_bytes(FILES[name])
    with pytest.raises(ConfigError, match=r"^data: wanted .*") as caught:
        load_spikes(tmp_path / name, bin_s=0.02)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"bin_s": 0.0}, "bin_s: wanted a width in seconds > 0, got 0.0"),
        ({"bin_s": float("nan")}, "bin_s: .*got nan"),
        ({"bin_s": 0.03}, "bin_s: wanted a whole multiple of the file's 0.02 s, got 0.03"),
        ({"bin_s": 2.0}, "bin_s: wanted at most 0.8 s, got 2"),
        ({"trials": 0}, "trials: wanted a whole number >= 1, got 0"),
        ({"trials": 4}, "trials: wanted 5, the file's own, got 4"),
        ({"variable": "x"}, "variable: wanted one of spikes, bin_s .*got 'x'"),
        ({"cells": [3]}, "cells: wanted cells of a.npz, got 3"),
        ({"cells": [1, 1]}, r"cells: wanted different cells, got \[1, 1\]"),
        ({"cells": [1], "neurons": 1}, "cells: wanted cells or neurons, got both"),
        ({"neurons": 4}, "neurons: wanted 1 to 3, .*got 4"),
    ],
)
def test_options_that_do_not_fit_the_file_are_named(tmp_path, options, words):
    WRITERS["named.npz"](tmp_path / "a.npz")
    with pytest.raises(ConfigError, match=words):
        load_spikes(tmp_path / "a.npz", **options)


def test_other_mistakes_with_files_are_named(tmp_path):
    with pytest.raises(ConfigError, match="data: wanted a file that exists"):
        load_spikes(tmp_path / "none.npy")
    np.savez(tmp_path / "two.npz", a=RASTER, b=RASTER)
    with pytest.raises(ConfigError, match="variable: wanted one of a, b, got none"):
        load_spikes(tmp_path / "two.npz", bin_s=0.02)
    assert load_spikes(tmp_path / "two.npz", bin_s=0.02, variable="b").raster.shape == (5, 40, 3)
    np.savez(tmp_path / "short.npz", packed=np.packbits(FLAT)[:-1], shape=FLAT.shape)
    with pytest.raises(ConfigError, match=r"data: wanted 600 packed bits in short.npz, got 592"):
        load_spikes(tmp_path / "short.npz", bin_s=0.02)
    np.save(tmp_path / "flat.npy", FLAT)
    with pytest.raises(ConfigError, match="trials: wanted at most 200, a bin each, got 201"):
        load_spikes(tmp_path / "flat.npy", bin_s=0.02, trials=201)
    np.savez(tmp_path / "repeats.npz", spikes=FLAT, bin_s=0.02, repeats=3)
    with pytest.raises(ConfigError, match=r"data: wanted repeats .* divide 200 bins, got 3"):
        load_spikes(tmp_path / "repeats.npz")
    with pytest.raises(ConfigError, match=r"bin_s: wanted a width in seconds, .*got none"):
        load_spikes(tmp_path / "flat.npy")
    for width in (np.nan, 0.0):
        np.savez(tmp_path / "width.npz", spikes=RASTER, bin_s=width)
        with pytest.raises(ConfigError, match=f"data: wanted a bin_s > 0 in the file, got {width}"):
            load_spikes(tmp_path / "width.npz")
    (tmp_path / "late.csv").write_text("neuron,time\n0,1e308\n")
    for width in (0.5, 1e-9):
        with pytest.raises(ConfigError, match=rf"bin_s: .*at most 2\^31 bins, got {width:g}"):
            load_spikes(tmp_path / "late.csv", bin_s=width)
    (tmp_path / "a.csv").write_text("trial,neuron,time\n0,0,0.03\n9,0,0.01\n")
    with pytest.raises(ConfigError, match=r"trials: .*from 0 to 2, got 9"):
        load_spikes(tmp_path / "a.csv", bin_s=0.02, trials=3)


@pytest.mark.parametrize(
    ("raster", "options", "words"),
    [
        (RASTER[:2], {}, "trials: wanted 3 or more, .*got 2"),
        (RASTER, {"window": 41}, "window: wanted 1 to 40 bins, a trial's, got 41"),
        (RASTER, {"window": 0}, "window: .*got 0"),
        (RASTER, {"stride": 0}, "stride: wanted a whole number >= 1, got 0"),
        (RASTER, {"test": 0.0}, "test: wanted a share between 0 and 1, got 0.0"),
        (RASTER, {"test": 0.9}, "test: wanted shares that leave trials for training"),
        (
            RASTER * (np.arange(5) == 0)[:, None, None].astype(np.uint8),
            {},
            "cells: wanted cells that spike in the .* trials, got 0, silent in all",
        ),
    ],
)
def test_what_cannot_be_split_is_named(raster, options, words):
    data = SpikeData(raster, 0.02, (0, 1, 2), "test")
    with pytest.raises(ConfigError, match=words):
        split_trials(data, **{"window": 8, "seed": 0, **options})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"neurons": 0}, "neurons: wanted a whole number >= 1, got 0"),
        ({"rates": [0.1]}, r"rates: wanted 8 numbers, got shape \(1,\)"),
        ({"neurons": 1, "rates": [1.5]}, r"rates: wanted numbers in \[0, 1\], got \[1.5\]"),
        ({"neurons": 2, "covariance": np.full((2, 2), 0.4)}, "covariance: .*got 0.4"),
        ({"memory": 1.0}, "memory: .*got 1.0"),
        ({"bin_s": -1.0}, "bin_s: .*got -1.0"),
    ],
)
def test_no_population_of_impossible_numbers(options, words):
    with pytest.raises(ConfigError, match=words):
        synthetic_spikes(**options)


def test_the_module_of_version_0_1_has_the_same_names():
    assert sorted(spike_data.__all__) == sorted(spikes.__all__)
    for name in spikes.__all__:
        assert getattr(spike_data, name) is getattr(spikes, name)
