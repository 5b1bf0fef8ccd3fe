"""Spikes of the LMG brain: Born's rule word by word, closed forms, and shots that were measured."""

import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm

from qbrain.circuits.dicke_encoding import decode
from qbrain.classical_feedback.synapse import Synapse
from qbrain.experiments.engine.folder import RunDirectory
from qbrain.experiments.engine.run import start
from qbrain.experiments.engine.seals import seal_toml, unseal_toml
from qbrain.experiments.errors import ConfigError, RunDirectoryError
from qbrain.experiments.lmg.config import LMGConfig
from qbrain.experiments.spikes.data import load_spikes
from qbrain.experiments.spikes.from_lmg import draw_words, lmg_spikes, run_spikes
from qbrain.experiments.systems import SYSTEMS
from qbrain.reference.lmg import LMG, simulate
from qbrain.reference.spiqgan.spike_statistics import firing_rates

TRIALS = 4000


def spin(axis, neurons):
    """J_x, J_y or J_z on 2^N states, an active neuron spin up; bit i of a state is neuron i."""
    one = {"x": [[0, 1], [1, 0]], "y": [[0, 1j], [-1j, 0]], "z": [[-1, 0], [0, 1]]}[axis]
    total = np.zeros((2**neurons, 2**neurons), dtype=complex)
    for i in range(neurons):
        total += np.kron(np.eye(2 ** (neurons - 1 - i)), np.kron(one, np.eye(2**i))) / 2
    return total


def as_numbers(words):
    return words.astype(np.int64) @ (1 << np.arange(words.shape[-1]))


@pytest.mark.parametrize("initial", [0, 1, 3])
def test_every_word_comes_as_often_as_the_dense_state_says(initial):
    # independent of Dicke states: all 2^N amplitudes, no symmetry used; τ_r = 0 holds r at 1
    neurons, gamma, field, step = 4, 0.8, 0.3, 0.7
    x, y, z = (spin(axis, neurons) for axis in "xyz")
    coupling = (1 + gamma) * x @ x + (1 - gamma) * y @ y
    advance = expm(-1j * step * (-coupling / neurons - field * z))
    state = np.array([float(bin(word).count("1") == initial) for word in range(2**neurons)])
    state = (state / np.linalg.norm(state)).astype(complex)
    data = lmg_spikes(
        neurons=neurons, trials=TRIALS, bins=6, step=step, gamma=gamma, field=field, tau_r=0,
        initial=initial, seed=1,
    )  # fmt: skip
    assert data.raster.shape == (TRIALS, 6, neurons)
    assert (data.bin_s, data.cells) == (step, (0, 1, 2, 3))
    found = as_numbers(data.raster)
    for b in range(6):
        p = np.abs(state) ** 2
        share = np.bincount(found[:, b], minlength=2**neurons) / TRIALS
        # 5 standard deviations of a share; what is impossible never happens
        assert (np.abs(share - p) <= 5 * np.sqrt(p * (1 - p) / TRIALS) + 1e-9).all()
        state = advance @ state


def test_the_mean_and_the_pairs_of_one_axis_twisting():
    # γ = 1 from silence, μ = 4 g0 s/N: ⟨σ⟩ = −cos^(N−1)(μ/2), ⟨σσ'⟩ = ½(1 + cos^(N−2) μ)
    neurons, step = 6, 0.5
    data = lmg_spikes(neurons=neurons, trials=TRIALS, bins=12, step=step, gamma=1, tau_r=0, seed=2)
    mu = 4 * step * np.arange(12) / neurons
    one = -(np.cos(mu / 2) ** (neurons - 1))
    two = 0.5 * (1 + np.cos(mu) ** (neurons - 2))
    rate, both = (1 + one) / 2, (1 + 2 * one + two) / 4
    # a mean over words is at least as sharp as that of one neuron or pair
    assert np.abs(data.raster.mean(axis=(0, 2)) - rate).max() <= 5 * 0.5 / np.sqrt(TRIALS)
    k = data.raster.sum(axis=2)
    pairs = k * (k - 1.0) / (neurons * (neurons - 1))
    assert np.abs(pairs.mean(axis=0) - both).max() <= 5 * 0.5 / np.sqrt(TRIALS)


def test_covariances_follow_from_the_moments_of_j_z():
    options = {"neurons": 5, "gamma": 0.6}
    data = lmg_spikes(**options, trials=TRIALS, bins=15, tau_r=2, tau_f=1, seed=3)
    times = 0.5 * np.arange(15)
    exact = simulate(LMG(5, 0.6, 1.0), Synapse(2, 1, 0.5), 0, times, populations=True)
    p = exact.populations.values
    jz = np.arange(6) - 2.5
    mean, square = p @ jz, p @ jz**2
    wanted = (square - 5 / 4) / (5 * 4) - mean**2 / 5**2
    for b in range(15):
        found = np.cov(data.raster[:, b].T.astype(float), bias=True)
        off = found[np.triu_indices(5, 1)]
        # a product of two deviations is at most 1 in size, so 5/√shots bounds it
        assert np.abs(off - wanted[b]).max() <= 5 * 0.5 / np.sqrt(TRIALS)
    assert wanted.max() > 0.1


def test_no_trial_remembers_itself():
    data = lmg_spikes(neurons=3, trials=TRIALS, bins=20, seed=4)
    x = data.raster - data.raster.mean(axis=0)
    worst = max(
        np.abs(np.einsum("si,sj->ij", x[:, b], x[:, b + lag]) / TRIALS).max()
        for lag in (1, 2, 5)
        for b in range(20 - lag)
    )
    # 468 pairs, each with standard deviation of at most ¼/√shots
    assert worst <= 5 * 0.25 / np.sqrt(TRIALS)
    # while over trials and bins together they do go along, with E(t)
    rate = data.raster.mean(axis=(0, 2))
    assert np.mean((rate[1:] - rate.mean()) * (rate[:-1] - rate.mean())) > 0.02


def test_without_a_field_the_parity_of_active_neurons_is_that_of_the_start():
    for initial in (0, 1, 2):
        data = lmg_spikes(neurons=7, trials=50, bins=60, initial=initial)
        assert (data.raster.sum(axis=2) % 2 == initial % 2).all()
    assert (lmg_spikes(neurons=7, trials=50, bins=60).raster[:, 0] == 0).all()


@given(st.integers(1, 12), st.data())
@settings(max_examples=60, deadline=None)
def test_a_dicke_state_has_as_many_active_as_it_says(neurons, data):
    active = data.draw(st.lists(st.integers(0, neurons), min_size=1, max_size=5))
    populations = np.eye(neurons + 1)[active] * 3.0
    words = draw_words(populations, 7, np.random.default_rng(neurons))
    assert words.shape == (7, len(active), neurons)
    assert words.dtype == np.uint8
    np.testing.assert_array_equal(words.sum(axis=2), np.tile(active, (7, 1)))


def test_any_k_of_the_neurons_are_active_alike():
    words = draw_words([[0, 0, 1, 0, 0]], 6 * TRIALS, np.random.default_rng(5))[:, 0]
    found = Counter(as_numbers(words).tolist())
    pairs = [word for word in range(16) if word.bit_count() == 2]
    assert set(found) == set(pairs)
    # 5 standard deviations of a share of 1/6
    assert all(abs(c - TRIALS) <= 5 * np.sqrt(6 * TRIALS * 5 / 36) for c in found.values())


def test_negative_quasi_probabilities_are_none():
    words = draw_words([[-0.25, 0.5, 0.5]], 300, np.random.default_rng(0))
    assert set(words.sum(axis=2).ravel().tolist()) == {1, 2}


def test_spikes_follow_their_seed():
    first, again, other = (lmg_spikes(trials=5, bins=9, seed=s).raster for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert lmg_spikes(trials=5, bins=9, step=0.25, bin_s=0.02).bin_s == 0.02


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"neurons": 0}, "neurons: wanted an integer >= 1, got 0"),
        ({"trials": 0}, "trials: wanted a whole number >= 1, got 0"),
        ({"bins": 0}, "bins: wanted a whole number >= 1, got 0"),
        ({"step": 0.0}, "step: wanted a number > 0, got 0.0"),
        ({"step": float("nan")}, "step: .*got nan"),
        ({"bin_s": -1.0}, "bin_s: .*got -1.0"),
        ({"gamma": float("nan")}, "gamma: wanted a finite number, got nan"),
        ({"tau_r": -1.0}, "tau_r: .*got -1.0"),
        ({"release": 2.0}, "release: .*got 2.0"),
        ({"initial": 9}, "initial: .*got 9"),
    ],
)
def test_numbers_without_meaning_are_named(options, words):
    with pytest.raises(ConfigError, match=words) as caught:
        lmg_spikes(**options)
    assert "\n" not in str(caught.value)


SETTINGS = {"neurons": 3, "gamma": 0.8, "time": 4, "steps": 5, "shots": 300, "seed": 7}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Finished runs by name, each made once."""
    folder = tmp_path_factory.mktemp("runs")

    def run(name, **more):
        if not (folder / name).exists():
            config = LMGConfig.from_mapping({**SETTINGS, **more})
            start(SYSTEMS["lmg"], config, folder / name, draw=False)
        return folder / name

    return run


def counted(folder):
    """Counts of each step's own circuit, from the journal as text."""
    lines = (folder / "steps.jsonl").read_text().splitlines()
    return [
        {int(x): c for x, c in json.loads(line)["readings"][0]["counts"].items()} for line in lines
    ]


def test_words_of_a_run_are_those_it_counted(finished):
    folder = finished("qubits", backend="statevector", field=0.4)
    data = run_spikes(folder)
    assert data.raster.shape == (300, 6, 3)
    assert (data.bin_s, data.cells, data.source) == (0.8, (0, 1, 2), "LMG run qubits")
    for b, counts in enumerate(counted(folder)):
        assert Counter(as_numbers(data.raster[:, b]).tolist()) == counts
    # dealt at random: in the order of the counts, like words would meet in all bins
    x = data.raster[:, 1:] - data.raster[:, 1:].mean(axis=0)
    both = np.einsum("sbi,sbj->bij", x[:, 1:], x[:, :-1]) / 300
    assert np.abs(both).max() <= 5 * 0.25 / np.sqrt(300)
    np.testing.assert_array_equal(run_spikes(folder).raster, data.raster)


def test_of_the_dicke_encoding_the_number_of_active_neurons_is_kept(finished):
    folder = finished("dicke", encoding="dicke", shots=3000)
    data = run_spikes(folder)
    table = decode(3, 0)
    for b, counts in enumerate(counted(folder)):
        wanted = Counter({int(table[x]): c for x, c in counts.items()})
        assert Counter(data.raster[:, b].sum(axis=1).tolist()) == wanted
    # each neuron's rate against the mean over all of them
    rates = data.raster.mean(axis=0)
    assert np.abs(rates - rates.mean(axis=1)[:, None]).max() <= 5 * 0.5 / np.sqrt(3000)


@pytest.mark.parametrize(
    ("name", "more"), [("exact", {"backend": "exact"}), ("orbit", {"evolution": "orbit"})]
)
def test_a_run_without_words_at_its_times_has_them_drawn(finished, name, more):
    data = run_spikes(finished(name, **more))
    assert data.raster.shape == (300, 6, 3)
    times = 0.8 * np.arange(6)
    exact = simulate(LMG(3, 0.8, 1.0), Synapse(1.0), 0, times).excitation.values
    # 5 standard deviations of shots that were measured, then drawn from
    assert np.abs(data.raster.mean(axis=(0, 2)) - exact).max() <= 5 * 0.5 * np.sqrt(2 / 300)
    assert (data.raster.sum(axis=2) % 2 == 0).all()


def by_hand(path, counts, *, shots=10, **more):
    """A finished run of two times with the counts given."""
    config = LMGConfig.from_mapping(
        {"neurons": 4, "steps": 1, "time": 1.0, "shots": shots, "seed": 3, **more}
    )
    run = RunDirectory.create(path, "lmg", {"config": config.model_dump(exclude_none=True)})
    for number, found in enumerate(counts):
        reading = {"role": ["point", 0, 1.0, 0], "counts": found, "order": [0, 1]}
        run.append_step({"step": number, "readings": [{**reading, "gates": 0, "exact": None}]})
    run.write("result.json", b"{}")
    return path


def test_shots_outside_the_encoding_are_left_out(tmp_path):
    table = decode(4, 0)
    outside = int(np.flatnonzero(table < 0)[0])
    inside = {k: int(np.flatnonzero(table == k)[0]) for k in (0, 2, 4)}
    first = {str(inside[0]): 4, str(outside): 3, str(inside[2]): 3}
    data = run_spikes(by_hand(tmp_path / "a", [first, {str(inside[4]): 10}], encoding="dicke"))
    assert data.raster.shape == (7, 2, 4)
    assert Counter(data.raster[:, 0].sum(axis=1).tolist()) == {0: 4, 2: 3}
    assert data.raster[:, 1].all()
    lost = by_hand(tmp_path / "b", [first, {str(outside): 10}], encoding="dicke")
    with pytest.raises(RunDirectoryError, match="wanted shots inside the encoding"):
        run_spikes(lost)


def test_bit_i_of_an_outcome_is_neuron_i(tmp_path):
    data = run_spikes(by_hand(tmp_path / "a", [{"2": 10}, {"13": 10}]), bin_s=0.02)
    assert data.bin_s == 0.02
    np.testing.assert_array_equal(data.raster[0], [[0, 1, 0, 0], [1, 0, 1, 1]])
    assert (data.raster == data.raster[0]).all()


def test_of_several_rounds_the_last_is_taken(tmp_path):
    rounds = [{"0": 10}, {"3": 10}, {"0": 10}, {"12": 10}]
    data = run_spikes(by_hand(tmp_path / "a", rounds, evolution="relax"))
    np.testing.assert_array_equal(as_numbers(data.raster), np.tile([0, 12], (10, 1)))


def test_a_folder_with_a_run_is_loaded_like_a_file(finished):
    folder = finished("qubits", backend="statevector", field=0.4)
    data = load_spikes(folder, cells=[2, 0], bin_s=0.02, trials=300)
    np.testing.assert_array_equal(data.raster, run_spikes(folder).raster[:, :, [2, 0]])
    assert (data.bin_s, data.cells) == (0.02, (2, 0))
    assert firing_rates(load_spikes(str(folder), neurons=1).raster).shape == (1,)
    for options, words in (
        ({"trials": 4}, "trials: wanted 300, the run's own, got 4"),
        ({"variable": "x"}, "variable: wanted none for a run, got 'x'"),
        ({"cells": [3]}, "cells: wanted cells of LMG run qubits, got 3"),
        ({"bin_s": -1.0}, "bin_s: .*got -1.0"),
    ):
        with pytest.raises(ConfigError, match=words):
            load_spikes(folder, **options)


def test_a_folder_without_a_finished_run_is_refused_in_a_line(tmp_path, finished):
    good = finished("qubits", backend="statevector", field=0.4)
    cases = {}
    for name, words in (
        ("none", "no run here"),
        ("unfinished", "not finished; go on with: qbrain resume"),
        ("other", "wanted a run of lmg, got spiqgan"),
        ("short", "wanted 6 steps in steps.jsonl, got 2"),
        ("damaged", "line 1 is not the record of a step: its checksum does not fit"),
    ):
        cases[name] = words
        (tmp_path / name).mkdir()
        if name != "none":
            for file in good.glob("*.*"):
                (tmp_path / name / file.name).write_bytes(file.read_bytes())
    (tmp_path / "unfinished" / "result.json").unlink()
    toml = tmp_path / "other" / "run.toml"
    text, _ = unseal_toml(toml.read_bytes())
    toml.write_bytes(seal_toml(text.replace('system = "lmg"', 'system = "spiqgan"')))
    journal = (good / "steps.jsonl").read_text()
    (tmp_path / "short" / "steps.jsonl").write_text("".join(journal.splitlines(True)[:2]))
    (tmp_path / "damaged" / "steps.jsonl").write_text(journal.replace("counts", "amounts"))
    for name, words in cases.items():
        with pytest.raises(RunDirectoryError, match=words) as caught:
            load_spikes(tmp_path / name)
        assert "\n" not in str(caught.value)
    exact = finished("exact", backend="exact")
    bad = tmp_path / "no_result"
    bad.mkdir()
    for file in exact.glob("*.*"):
        (bad / file.name).write_bytes(file.read_bytes())
    (bad / "result.nc").write_bytes(b"nothing")
    with pytest.raises(RunDirectoryError, match="not an intact result"):
        run_spikes(bad)
    with pytest.raises(ConfigError, match=r"bin_s: .*got 0"):
        run_spikes(good, bin_s=0.0)
