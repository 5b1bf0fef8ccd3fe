"""A spike generator's result: statistics by blocks, contest, dataset, pictures, report, compare."""

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from qbrain.classical_feedback.spike_training import Check, Trained
from qbrain.experiments.cli import run_command
from qbrain.experiments.compare import compare_runs
from qbrain.experiments.engine.experiment import Heading, Role
from qbrain.experiments.engine.finish import write_run
from qbrain.experiments.engine.folder import RunDirectory
from qbrain.experiments.engine.readings import Reading
from qbrain.experiments.errors import ConfigError, RunDirectoryError
from qbrain.experiments.spikes.data import split_trials, synthetic_spikes
from qbrain.experiments.spiqgan.config import SpiQGANConfig
from qbrain.experiments.spiqgan.figure import PANELS, overview, panel_svg
from qbrain.experiments.spiqgan.measures import (
    ERRORS,
    METRICS,
    Blocks,
    Distances,
    errors_of,
    measure,
)
from qbrain.experiments.spiqgan.report import copying, provenance
from qbrain.experiments.spiqgan.result import assemble, outcome_of, plain
from qbrain.experiments.spiqgan.source import Source
from qbrain.experiments.spiqgan.verdict import BETTER, UNKNOWN, WORSE, comparisons, contest, verdict
from qbrain.reference.spiqgan.spike_controls import (
    dichotomised_gaussian,
    fit_independent,
    fit_space_time,
)
from qbrain.reference.spiqgan.spike_statistics import (
    SpikeError,
    autocorrelogram,
    bin_counts,
    compare,
    firing_rates,
    nearest_distances,
    space_time_covariance,
    window_counts,
)

NEURONS, BINS, SAMPLES = 3, 4, 3000
DATA = synthetic_spikes(neurons=NEURONS, trials=60, bins=80, seed=1)
SPLIT = split_trials(DATA, BINS, seed=0)
TEST, TRAINING = SPLIT.test, SPLIT.training
GAUSSIAN = fit_space_time(TRAINING.spikes)


def weaker(share, rates=1.0):
    return dichotomised_gaussian(GAUSSIAN.rates * rates, GAUSSIAN.covariance * share)


def history(steps, scale):
    errors = [{"rate_error": scale / (k + 1), "kl_count_bin": scale / (k + 2)} for k in steps]
    return [
        Check(100 * k, 2.0 * k, None if k == 0 else 1 / k, found["rate_error"], found)
        for k, found in zip(steps, errors, strict=True)
    ]


def make_sources(backend="exact"):
    trained = Trained({}, 200, history(range(4), 1.0), 12.5, False)
    shorter = Trained({}, 100, history(range(2), 2.0), 3.0, True)
    found = [
        Source("generator", "generator, exact", weaker(0.8).sample(SAMPLES, 1), 90, 60, trained,
               12),
        Source("independent", "independent neurons",
               fit_independent(TRAINING.spikes).sample(SAMPLES, BINS, 2), NEURONS),
        Source("dichotomised-gaussian", "dichotomised Gaussian", GAUSSIAN.sample(SAMPLES, 3), 78),
        Source("no-entangling", "no entangling gates", weaker(0.3).sample(SAMPLES, 4), 90, 60,
               shorter, 3.0),
    ]  # fmt: skip
    if backend != "exact":
        groups = np.random.default_rng(0).integers(16, size=SAMPLES)
        found += [
            Source(name, f"{name}, label", weaker(0.7, rate).sample(SAMPLES, 5), 90, 60,
                   groups=groups)
            for name, rate in ((backend, 1.02), (f"{backend} raw", 1.3), ("same noise, exact", 1))
        ]  # fmt: skip
    return found


def make_config(backend="exact", **more):
    values = {"backend": backend, "neurons": NEURONS, "bins": BINS, "seed": 7, **more}
    return SpiQGANConfig.from_mapping(values)


EXTRA = {"wall_seconds": np.float64(1.5), "circuits": 64, "validated": 64, "shots": 400}
RECORDS = [
    {"method": "statevector", "checks": [
        {"name": "logical", "status": "passed", "figure": k * 1e-15, "limit": 1e-9, "note": ""}]}
    for k in range(3)
]  # fmt: skip
READINGS = [[Reading(Heading(Role(), (0, 1, 2), 4, 9, check), {0: 400}) for check in RECORDS]]


@pytest.fixture(scope="module")
def exact():
    return assemble(make_config(), DATA, SPLIT, make_sources(), {"wall_seconds": 1.5})


@pytest.fixture(scope="module")
def noisy():
    return assemble(make_config("fake_fez"), DATA, SPLIT, make_sources("fake_fez"), EXTRA)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "fez"
    config = make_config("fake_fez")
    run = RunDirectory.create(path, "spiqgan", {"config": config.model_dump(exclude_none=True)})
    outcome = outcome_of(config, DATA, SPLIT, make_sources("fake_fez"), EXTRA)
    result = {
        "system": "spiqgan", **outcome.result, "fit": outcome.fit.record(), "run_dir": str(path),
    }  # fmt: skip
    write_run(run, outcome, result, READINGS, [], draw=True)
    return path


# --- statistics by blocks -------------------------------------------------------------------


@st.composite
def labelled(draw):
    shape = draw(st.tuples(st.integers(1, 12), st.integers(1, 4), st.integers(1, 3)))
    windows = draw(arrays(np.uint8, shape, elements=st.integers(0, 1)))
    labels = draw(arrays(np.int64, shape[0], elements=st.integers(0, 4)))
    return windows, labels


@settings(max_examples=60, deadline=None)
@given(labelled(), st.integers(0, 99))
def test_a_weighted_sum_of_blocks_is_the_weighted_statistic(given_, seed):
    windows, labels = given_
    kinds, place = np.unique(labels, return_inverse=True)
    times = np.random.default_rng(seed).integers(0, 4, len(kinds)).astype(float)
    times[0] += 1
    weights = times[place.reshape(-1)]
    near = np.arange(len(windows)) % 3
    if not weights[0]:
        weights = weights + 1
        times = times + 1
    found = Blocks(windows, labels, near).summaries(times[None])[0]
    for ours, theirs in (
        (found.rates, firing_rates(windows, weights)),
        (found.covariance, space_time_covariance(windows, weights)),
        (found.bin_counts, bin_counts(windows, weights)),
        (found.window_counts, window_counts(windows, weights)),
        (found.autocorrelogram, autocorrelogram(windows, windows.shape[1] - 1, weights)),
    ):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)
    share = weights / weights.sum()
    assert found.nearest == pytest.approx(share @ near, abs=1e-12)
    assert found.copies == pytest.approx(share @ (near == 0), abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4), st.floats(0.05, 0.9))
def test_errors_are_those_of_compare(seed, bins, rate):
    rng = np.random.default_rng(seed)
    ours, training = (rng.random((2, 40, bins, 2)) < rate).astype(np.uint8)
    theirs = (rng.random((30, bins, 2)) < 0.4).astype(np.uint8)
    theirs[0] = 1
    wanted = compare(ours, theirs, training=training, draws=1)
    blocks = [Blocks(x, None, nearest_distances(x, training)) for x in (ours, theirs)]
    found = errors_of(*(b.summary() for b in blocks))
    assert set(found) == {name for name in wanted if not name.endswith("_data")}
    for name, value in found.items():
        assert value == pytest.approx(wanted[name].value, abs=1e-12)


def test_the_intervals_are_those_of_compare():
    windows = weaker(0.8).sample(800, 1)
    batches = np.arange(800) % 200
    draws = 600
    wanted = compare(windows, TEST.spikes, TEST.trials, generated_trials=batches, draws=draws)
    held = Blocks(TEST.spikes, TEST.trials)
    found = measure(held, {"x": Blocks(windows)}, draws=draws, seed=3)["x"]
    # an end's deviation is √(0.025·0.975/draws)/φ(1.96) = 0.11 σ; the four ends of two widths
    # of 3.9 σ make it 6 %, and five of those are let pass
    for name in ERRORS:
        low, high = found.interval(name)
        theirs = wanted[name]
        assert high - low == pytest.approx(theirs.high - theirs.low, rel=0.3), name
        assert low <= found.metrics[name] <= high


def test_a_thousand_trials_are_merged_and_none_is_lost():
    windows = weaker(1).sample(1000, 0)
    blocks = Blocks(windows, np.arange(1000))
    assert blocks.blocks == 200
    assert blocks.counts.sum() == 1000
    np.testing.assert_allclose(blocks.summary().rates, firing_rates(windows), atol=1e-12)


def test_long_windows_of_many_neurons_take_fewer_blocks():
    windows = np.zeros((300, 40, 10), np.uint8)
    windows[::2, ::3, ::4] = 1
    blocks = Blocks(windows)
    assert blocks.blocks == 26  # 2^22 / 400²
    np.testing.assert_allclose(blocks.summary().rates, firing_rates(windows), atol=1e-12)


def test_a_draw_takes_as_many_blocks_as_there_are():
    blocks = Blocks(TEST.spikes, TEST.trials)
    times = blocks.draws(np.random.default_rng(0), 50)
    assert times.shape == (50, 12)
    assert (times.sum(axis=1) == 12).all()


def test_held_out_windows_as_a_source_have_no_error_and_no_difference_from_themselves():
    held = Blocks(TEST.spikes, TEST.trials)
    twins = {name: Blocks(TEST.spikes, TEST.trials) for name in ("a", "b")}
    found = measure(held, twins, draws=20)
    for name in ERRORS:
        assert found["a"].metrics[name] == pytest.approx(0, abs=1e-12)
        assert found["a"].difference(found["b"], name) == pytest.approx((0, 0, 0), abs=1e-12)


def test_draws_of_a_source_do_not_depend_on_the_others():
    held = Blocks(TEST.spikes, TEST.trials)
    a, b = Blocks(weaker(1).sample(500, 1)), Blocks(weaker(0.5).sample(500, 2))
    alone = measure(held, {"b": b}, draws=10, seed=5)["b"]
    beside = measure(held, {"a": a, "b": b}, draws=10, seed=5)["b"]
    for name in ERRORS:
        assert alone.interval(name) == beside.interval(name)
    assert alone.interval("rate_error") != measure(held, {"b": b}, draws=10)["b"].interval(
        "rate_error"
    )


def test_a_silent_generator_has_finite_errors():
    held = Blocks(TEST.spikes, TEST.trials)
    quiet = measure(held, {"x": Blocks(np.zeros((100, BINS, NEURONS)))}, draws=5)["x"]
    assert quiet.metrics["rate_error"] == pytest.approx(1)
    assert quiet.metrics["lag1"] == 0
    assert all(np.isfinite(quiet.metrics[name]) for name in ERRORS)


def test_windows_that_cannot_be_measured_are_refused_in_one_line():
    held = Blocks(TEST.spikes, TEST.trials)
    with pytest.raises(SpikeError, match=r"^x: wanted \(bins, neurons\) of held_out, \(4, 3\)"):
        measure(held, {"x": Blocks(np.ones((5, 2, 3)))})
    with pytest.raises(SpikeError, match="neuron 1"):
        measure(Blocks(np.eye(3)[:1, None, :]), {})
    with pytest.raises(SpikeError, match="'data'"):
        measure(held, {"data": held})
    with pytest.raises(SpikeError, match="labels: wanted 5"):
        Blocks(np.ones((5, 2, 3)), np.arange(4))


# --- the contest ----------------------------------------------------------------------------


def test_the_source_that_is_the_data_wins_and_independent_neurons_lose():
    held = Blocks(TEST.spikes, TEST.trials)
    sources = {
        "training": Blocks(TRAINING.spikes, TRAINING.trials),
        "generator": Blocks(GAUSSIAN.sample(20_000, 1)),
        "twin": Blocks(GAUSSIAN.sample(20_000, 2)),
        "independent": Blocks(fit_independent(TRAINING.spikes).sample(20_000, BINS, 3)),
        "oracle": Blocks(TEST.spikes, TEST.trials),
    }
    found = measure(held, sources, draws=100)
    wins, against = contest(found, "generator", ["twin", "independent", "oracle"])
    assert [row["statistic"] for row in wins] == list(ERRORS)
    verdicts = {(row["statistic"], row["source"]): row["verdict"] for row in against}
    for row in wins:
        assert row["best"] == "oracle"
        assert row["value"] == pytest.approx(0, abs=1e-12)
        assert row["generator"] == found["generator"].metrics[row["statistic"]]
        assert verdicts[row["statistic"], "twin"] == UNKNOWN
    for name in ("covariance_rmse", "kl_count_window", "lag1_error"):
        assert verdicts[name, "independent"] == WORSE
    # two standard errors, of 35 comparisons
    assert verdicts["kl_count_bin", "independent"] == UNKNOWN
    # the generator is at the floor, below which not even the data itself is seen to be better
    by_error = {row["statistic"]: row for row in wins}
    assert by_error["covariance_rmse"]["at_floor"]
    assert verdicts["covariance_rmse", "oracle"] == UNKNOWN
    # independent neurons are above it
    seen = contest(found, "independent", ["twin", "oracle"])[1]
    better = {row["source"] for row in seen if row["verdict"] == BETTER}
    assert better == {"training", "twin", "oracle"}
    # both have the rates of the training trials
    assert verdicts["rate_error", "independent"] == UNKNOWN


def test_the_contest_seen_from_the_other_side_is_turned_round():
    held = Blocks(TEST.spikes, TEST.trials)
    sources = {
        "training": Blocks(TRAINING.spikes, TRAINING.trials),
        "a": Blocks(weaker(1).sample(5000, 0)),
        "b": Blocks(weaker(0.4).sample(5000, 1)),
    }
    found = measure(held, sources, draws=50)
    one, other = (contest(found, *pair)[1] for pair in (("a", ["b"]), ("b", ["a"])))
    turned = {BETTER: WORSE, WORSE: BETTER, UNKNOWN: UNKNOWN}
    for row, back in zip(one[::2], other[::2], strict=True):
        assert back["verdict"] == turned[row["verdict"]]
        assert back["difference"] == -row["difference"]
        assert (back["low"], back["high"]) == pytest.approx((-row["high"], -row["low"]))


def of_error(value, *draws):
    """A source with this error in everything, and draws of it with a standard deviation of 1."""
    spread = np.asarray(draws, dtype=float)
    return Distances(None, {}, {}, dict.fromkeys(ERRORS, value), dict.fromkeys(ERRORS, spread))


def test_an_interval_for_many_comparisons_is_that_of_bonferroni():
    one = of_error(7.0, -1.0, 0.0, 1.0)
    other = of_error(4.0, 0.0, 0.0, 0.0)
    # the standard deviation of -1, 0, 1 is 1; normal quantiles of 0.975 and 0.9995
    for total, z in ((1, 1.959963985), (50, 3.290526731)):
        found = one.separation(other, "rate_error", total)
        assert found == pytest.approx((3, 3 - z, 3 + z))


@pytest.mark.parametrize(
    ("rival", "floor", "scale", "wanted"),
    [
        # a run that was once called better than every control: the two stand about the floor
        (0.00616, 0.00608, 5e-5, UNKNOWN),
        (0.00616, 0.00608, 1e-5, WORSE),
        # above the floor, by 2.2 standard errors: enough for one comparison, not for 15
        (0.00596 + 2.2e-4, 0.001, 1e-4, UNKNOWN),
        (0.00596 - 2.2e-4, 0.001, 1e-4, UNKNOWN),
        (0.00596 + 4e-4, 0.001, 1e-4, WORSE),
        (0.00596 - 4e-4, 0.001, 1e-4, BETTER),
        # better, but the generator is at the floor
        (0.00596 - 4e-4, 0.00596, 1e-4, UNKNOWN),
    ],
)
def test_a_difference_counts_above_the_floor_and_after_the_correction(rival, floor, scale, wanted):
    found = {
        "training": of_error(floor, 0, 0, 0),
        "generator": of_error(0.00596, 0, 0, 0),
        "rival": of_error(rival, -scale, 0, scale),
    }
    wins, against = contest(found, "generator", ["rival"])
    assert {row["verdict"] for row in against if row["source"] == "rival"} == {wanted}
    assert all(row["best"] == ("generator" if rival > 0.00596 else "rival") for row in wins)
    assert len(against) == 10
    assert comparisons(5, 1) == 15
    style, text = verdict(
        {"wins": wins, "classical_sources": ["rival"], "backend": "exact", "comparisons": 15}
    )
    assert ("better than every classical control" in text) == (wanted == WORSE)
    assert style == ("poor" if wanted == BETTER else "good")


def result_with(better, worse, backend="exact"):
    row = {"statistic": "rate_error", "better": better, "worse": worse, "at_floor": False}
    other = {**row, "statistic": "covariance_rmse", "better": [], "at_floor": True}
    classical = ["independent", "classical"]
    found = {"wins": [row, other], "classical_sources": classical, "backend": backend}
    return {**found, "comparisons": 10}


def test_the_verdict_says_plainly_where_a_classical_control_is_better():
    style, text = verdict(result_with(["classical"], ["independent"]))
    assert style == "fair"
    assert "By 1 of 2 errors a classical control is nearer" in text
    assert ": firing rates." in text
    assert "not told apart from the noise floor of the data by: covariances." in text
    assert "corrected for all 10 comparisons of this run (Bonferroni)" in text
    style, text = verdict(result_with([], ["independent", "classical"], "fake_fez"))
    assert style == "good"
    assert "By none of 2 errors" in text
    assert "run on fake_fez" in text
    assert "better than every classical control by: firing rates, covariances." in text
    # a quantum control that is better is no classical one
    assert verdict(result_with(["no-entangling"], []))[0] == "good"
    lost = result_with(["classical"], [])
    lost["wins"] = lost["wins"][:1]
    assert verdict(lost)[0] == "poor"
    assert "No classical control was run" in verdict({**lost, "classical_sources": []})[1]


# --- dataset and JSON object ----------------------------------------------------------------


def test_the_object_has_the_errors_of_compare(exact):
    data, result = exact
    windows = make_sources()[0].windows
    wanted = compare(windows, TEST.spikes, TEST.trials, training=TRAINING.spikes, draws=1)
    for name, estimate in wanted.items():
        assert result[name] == pytest.approx(estimate.value, abs=1e-12), name
    floor = compare(TRAINING.spikes, TEST.spikes, TEST.trials, draws=1)
    for name in ERRORS:
        assert result[f"floor_{name}"] == pytest.approx(floor[name].value, abs=1e-12)
        assert float(data.errors.sel(source="training", statistic=name)) == result[f"floor_{name}"]
    row = result["sources"][0]
    assert row["rate_error"] == result["rate_error"]
    assert row["rate_error_low"] <= row["rate_error"] <= row["rate_error_high"]


def test_the_object_says_what_was_run(exact):
    _, result = exact
    wanted = {
        "backend": "exact", "data": DATA.source, "cells": [0, 1, 2],
        "bin_s": 0.02, "neurons": 3, "bins": 4, "layers": 5, "weights_per": "bin", "memory": 0,
        "emission": "sigmoid", "readout": "sigmoid", "entangling": True, "parameters": 90,
        "quantum_parameters": 60, "train_seconds": 12, "best_step": 200, "last_step": 300,
        "windows": SAMPLES,
        "training_trials": 39, "validation_trials": 9, "test_trials": 12,
        "test_windows": len(TEST.spikes), "shots": None, "wall_seconds": 1.5,
        "classical_sources": ["independent", "dichotomised-gaussian"],
    }  # fmt: skip
    assert {name: result[name] for name in wanted} == wanted
    assert [row["name"] for row in result["sources"]] == [s.name for s in make_sources()]
    assert "exact_rate_error" not in result


def test_on_a_backend_the_object_is_about_its_circuits(noisy):
    data, result = noisy
    rows = {row["name"]: row for row in result["sources"]}
    assert data.attrs["main"] == "fake_fez"
    for name in METRICS:
        assert result[name] == rows["fake_fez"][name]
        assert result[f"raw_{name}"] == rows["fake_fez raw"][name]
        assert result[f"exact_{name}"] == rows["generator"][name]
    assert result["circuits"] == result["validated"] == 64
    # what only explains the backend's result takes no part
    assert {row["source"] for row in result["against"]} == {
        "generator", "independent", "dichotomised-gaussian", "no-entangling", "training",
    }  # fmt: skip
    roles = dict(zip(data.source.values, data.role.values, strict=True))
    assert (roles["fake_fez"], roles["fake_fez raw"]) == ("backend", "aside")


def test_the_object_is_plain_json(noisy):
    _, result = noisy
    assert json.loads(json.dumps(result, allow_nan=False)) == result


@settings(max_examples=30, deadline=None)
@given(
    st.recursive(
        st.floats() | st.integers() | st.text() | st.none() | st.booleans()
        | arrays(np.float64, 3) | st.floats(width=32).map(np.float32),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)  # fmt: skip
def test_whatever_is_left_over_becomes_plain_json(value):
    json.dumps(plain(value), allow_nan=False)


def test_plain_keeps_numbers_and_drops_what_is_none():
    given_ = {"a": np.int64(3), "b": (np.nan, np.inf, 0.5), "c": np.array([[1.0, np.nan]])}
    assert plain(given_) == {"a": 3, "b": [None, None, 0.5], "c": [[1.0, None]]}


def test_windows_of_one_bin_have_no_lag():
    split = split_trials(DATA, 1, seed=0)
    config = make_config(bins=1)
    windows = fit_independent(TRAINING.spikes).sample(500, 1, 0)
    data, result = assemble(config, DATA, split, [Source("generator", "g", windows, 3)], {})
    assert result["lag1"] is None
    assert result["lag1_error"] is None
    assert [row["statistic"] for row in result["wins"]] == list(ERRORS[:-1])
    assert result["best_step"] is None
    assert "check_step" not in data
    json.dumps(result, allow_nan=False)
    assert panel_svg(data, "training") == ""
    assert "lag (ms)" not in panel_svg(data, "distributions")


def test_the_dataset_holds_every_source_beside_the_data(noisy):
    data, _ = noisy
    names = [source.name for source in make_sources("fake_fez")]
    assert list(data.source.values) == ["data", "training", *names]
    for place, windows in (("data", TEST.spikes), ("generator", make_sources()[0].windows)):
        row = data.sel(source=place)
        np.testing.assert_allclose(row.rates, firing_rates(windows), atol=1e-12)
        np.testing.assert_allclose(
            row.space_time_covariance, space_time_covariance(windows), atol=1e-12
        )
        np.testing.assert_allclose(row.count_bin, bin_counts(windows), atol=1e-12)
        np.testing.assert_allclose(row.count_window, window_counts(windows), atol=1e-12)
        np.testing.assert_allclose(row.autocorrelogram, autocorrelogram(windows, 3), atol=1e-12)
    for name in ("rates", "count_bin", "count_window", "autocorrelogram"):
        assert (data[f"{name}_low"] <= data[f"{name}_high"]).all()
    assert np.isnan(data.errors.sel(source="data", statistic=list(ERRORS))).all()
    assert float(data.errors.sel(source="data", statistic="lag1")) > 0.2
    assert data.attrs["backend"] == "fake_fez"
    assert data.rates.attrs["units"] == "spikes/bin"


def test_rasters_are_the_first_windows_and_a_seeded_choice_of_the_data(exact):
    data, _ = exact
    assert data.raster.shape == (6, 40, BINS, NEURONS)
    assert data.raster.dtype == np.uint8
    np.testing.assert_array_equal(
        data.raster.sel(source="generator"), make_sources()[0].windows[:40]
    )
    shown = data.raster.sel(source="data").values
    words = {window.tobytes() for window in TEST.spikes}
    assert all(window.tobytes() in words for window in shown)
    again, _ = assemble(make_config(), DATA, SPLIT, make_sources()[:1], {})
    np.testing.assert_array_equal(again.raster.sel(source="data"), shown)
    other, _ = assemble(make_config(seed=8), DATA, SPLIT, make_sources()[:1], {})
    assert (other.raster.sel(source="data") != shown).any()


def test_histories_of_trainings_stand_side_by_side(exact):
    data, _ = exact
    assert data.sizes["check"] == 4
    np.testing.assert_array_equal(data.check_step.sel(source="generator"), [0, 100, 200, 300])
    np.testing.assert_array_equal(
        data.check_step.sel(source="no-entangling"), [0, 100, np.nan, np.nan]
    )
    assert np.isnan(data.check_step.sel(source="independent")).all()
    np.testing.assert_allclose(
        data.validation_kl_count_bin.sel(source="generator"), 1 / np.arange(2, 6)
    )
    assert np.isnan(data.distance.sel(source="generator")[0])
    held = SPLIT.validation
    floor = compare(TRAINING.spikes, held.spikes, held.trials, draws=1)["rate_error"].value
    assert float(data.validation_floor.sel(statistic="rate_error")) == pytest.approx(floor)


def test_the_same_run_gives_the_same_numbers_and_other_data_another_fingerprint(exact):
    data, result = exact
    again, same = assemble(make_config(), DATA, SPLIT, make_sources(), {"wall_seconds": 1.5})
    xr.testing.assert_identical(again, data)
    assert same == result
    other = split_trials(DATA, BINS, seed=1)
    found = assemble(make_config(), DATA, other, make_sources()[:1], {})[1]
    assert found["held_out_sha256"] != result["held_out_sha256"]


def test_points_of_noise_are_resampled_whole():
    config, windows = make_config("aer"), weaker(1).sample(2000, 9)
    sources = [Source("generator", "g", windows, 1)]
    # two points of noise, one of them silent
    halves = np.concatenate([windows[:1000], 0 * windows[:1000]])
    found = {}
    for name, groups in (("whole", np.repeat([0, 1], 1000)), ("apart", None)):
        source = Source("aer", "aer", halves, 1, groups=groups)
        found[name] = assemble(config, DATA, SPLIT, [*sources, source], {})[1]["sources"][1]
    width = {name: row["rate_error_high"] - row["rate_error_low"] for name, row in found.items()}
    assert width["whole"] > 3 * width["apart"]
    assert found["whole"]["rate_error"] == found["apart"]["rate_error"]


def test_sources_that_do_not_fit_are_refused_in_one_line():
    sources = make_sources()
    with pytest.raises(ConfigError, match="wanted one named fake_fez, got generator, "):
        assemble(make_config("fake_fez"), DATA, SPLIT, sources, {})
    with pytest.raises(ConfigError, match="wanted one named generator, got none"):
        assemble(make_config(), DATA, SPLIT, [], {})
    with pytest.raises(ConfigError, match="names given once and not reserved, got 'independent'"):
        assemble(make_config(), DATA, SPLIT, [*sources, sources[1]], {})
    with pytest.raises(ConfigError, match="got 'training'"):
        assemble(make_config(), DATA, SPLIT, [*sources, replace(sources[1], name="training")], {})
    wrong = replace(sources[1], groups=np.arange(3))
    with pytest.raises(ConfigError, match="labels: wanted 3000, one a window"):
        assemble(make_config(), DATA, SPLIT, [sources[0], wrong], {})


# --- pictures -------------------------------------------------------------------------------


def test_the_picture_names_the_backend_and_every_source(noisy):
    data, _ = noisy
    figure = overview(data, f"title: {data.attrs['where']}")
    assert "fake_fez" in figure.get_suptitle()
    rasters, structure, distributions, errors, training = figure.subfigs
    titles = [axes.get_title(loc="left") for axes in rasters.axes]
    assert titles == ["data, held-out trials", "generator, exact", "fake_fez, label"]
    labels = {text.get_text() for text in structure.legends[0].get_texts()}
    assert {source.label for source in make_sources("fake_fez")} <= labels
    scatter = {held.get_label(): held.get_offsets() for held in structure.axes[1].collections}
    assert len(scatter["generator, exact"]) == 12 * 11 // 2 - 4 * 3
    assert len(errors.axes) == len(ERRORS)
    assert len(distributions.axes) == 3
    for axes in [a for part in figure.subfigs for a in part.axes]:
        assert axes.get_title(loc="left")
        assert axes.get_xlabel()
    # two errors in the made-up history, and the critic
    assert len(training.axes) == 3


def test_a_picture_is_the_same_for_the_same_data_and_none_without_any(exact):
    data, _ = exact
    assert panel_svg(data, "rasters") == panel_svg(data, "rasters")
    assert panel_svg(data.drop_vars("check_step"), "training") == ""


# --- the whole folder -----------------------------------------------------------------------


class Page(HTMLParser):
    VOID = frozenset({"meta", "br", "img", "link"})

    def __init__(self):
        super().__init__()
        self.open, self.words, self.links = [], [], []

    def handle_starttag(self, tag, attrs):
        self.links += [v for k, v in attrs if k in ("src", "href") and not v.startswith("#")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open and "svg" not in self.open:
            self.words.append(data)


def test_a_finished_folder_is_whole(folder):
    names = {"run.toml", "result.nc", "result.json", "figure.png", "report.html"}
    assert names <= {file.name for file in folder.iterdir()}
    result = json.loads((folder / "result.json").read_text())
    assert result["run_dir"] == str(folder)
    assert result["recording"] == DATA.recording.to_dict()
    held = xr.load_dataset(folder / "result.nc", engine="h5netcdf")
    assert list(held.source.values)[:3] == ["data", "training", "generator"]
    assert held.attrs["entangling"] == 1
    row = held.errors.sel(source="fake_fez", statistic="rate_error")
    assert float(row) == result["rate_error"]


def test_the_report_stands_alone_and_says_what_was_simulated(folder):
    page = Page()
    page.feed((folder / "report.html").read_text(encoding="utf-8"))
    page.close()
    assert page.open == []
    assert page.links == []
    text = " ".join(" ".join(page.words).split())
    for wanted in (
        "noise of the device snapshot fake_fez; no quantum device was used",
        "trained on a classical computer",
        "nothing here is beyond such a computer",
        verdict(json.loads((folder / "result.json").read_text()))[1],
        "dichotomised Gaussian", "independent neurons", "noise floor", "windows of 12 trials",
        "logical", DATA.source, "made so", "synthetic spikes", "spikes kept 100 %",
    ):  # fmt: skip
        assert wanted in text, wanted
    # three records passed the check, the worst at 2e-15
    assert "3 2e-15 1e-09" in text


def test_pictures_on_the_page_are_whole_and_share_no_ids(folder):
    pictures = re.findall(r"<svg.*?</svg>", (folder / "report.html").read_text(), re.DOTALL)
    assert len(pictures) == len(PANELS)
    assert sum("lag (ms)" in text for text in pictures) == 1
    seen = set()
    for text in pictures:
        ET.fromstring(text)
        clips = set(re.findall(r'<clipPath id="([^"]+)"', text))
        assert clips
        assert not clips & seen
        seen |= clips


@pytest.mark.parametrize(
    ("backend", "words"),
    [
        ("exact", "no circuit was sent anywhere"),
        ("aer", "aer, an ideal simulation with shots; no quantum device"),
        ("fake_fez", "noise of the device snapshot fake_fez; no quantum device"),
        ("ibm_fez", "ran on ibm_fez, service not recorded"),
    ],
)
def test_provenance_leaves_no_doubt_whether_a_device_was_used(backend, words):
    assert words in provenance(backend)
    assert ("no quantum device was used" in provenance(backend)) == (backend in ("aer", "fake_fez"))


def test_a_device_is_claimed_only_where_its_own_service_answered():
    own, other = "https://quantum.cloud.ibm.com/api/v1", "http://127.0.0.1:8617/experimental"
    assert "measured on the device ibm_fez" in provenance("ibm_fez", [own])
    for services in ([other], [own, other]):
        assert "ran on ibm_fez, simulated by 127.0.0.1" in provenance("ibm_fez", services)
        assert "measured" not in provenance("ibm_fez", services)


def test_a_generator_that_copies_is_told_so():
    copied = Source("generator", "g", np.tile(TRAINING.spikes, (3, 1, 1)), 1)
    result = assemble(make_config(), DATA, SPLIT, [copied], {})[1]
    assert result["copies"] == 1
    assert result["nearest"] == 0
    assert "repeats training windows more often than new data does" in copying(result)
    honest = assemble(make_config(), DATA, SPLIT, make_sources()[:1], {})[1]
    assert "does not repeat training windows more often" in copying(honest)


# --- compare --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def second(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "exact"
    run = RunDirectory.create(path, "spiqgan", {"config": {}})
    config = make_config(weights_per="shared")
    result = assemble(config, DATA, SPLIT, make_sources()[:2], {})[1]
    run.write("result.json", json.dumps(result).encode())
    return path


def test_runs_stand_beside_each_other(folder, second, capsys):
    assert run_command(["compare", str(folder), str(second), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["runs"]
    held = [json.loads((path / "result.json").read_text()) for path in (folder, second)]
    assert [row["backend"] for row in rows] == ["fake_fez", "exact"]
    assert [row["weights_per"] for row in rows] == ["bin", "shared"]
    for row, result in zip(rows, held, strict=True):
        for name in (*ERRORS, "lag1", "parameters", "emission", "train_seconds"):
            assert row[name] == result[name]
        assert row["same_as_first"] is True
    assert run_command(["compare", str(folder), str(second)]) == 0
    shown = capsys.readouterr().out
    assert "fake_fez" in shown
    assert "shared" in shown


def test_other_held_out_windows_are_marked(folder, second, tmp_path):
    result = json.loads((second / "result.json").read_text())
    copy = RunDirectory.create(tmp_path / "copy", "spiqgan", {"config": {}})
    copy.write("result.json", json.dumps({**result, "held_out_sha256": "other"}).encode())
    rows = compare_runs([folder, copy.path])
    assert [row["same_as_first"] for row in rows] == [True, False]


def test_runs_of_two_systems_are_refused_in_one_line(folder, tmp_path, capsys):
    other = RunDirectory.create(tmp_path / "lmg", "lmg", {"config": {}})
    assert run_command(["compare", str(folder), str(other.path)]) == 2
    error = capsys.readouterr().err.strip()
    assert "\n" not in error
    assert "directories: wanted runs of one system, got spiqgan" in error


def test_an_unfinished_run_is_not_compared(folder, tmp_path):
    other = RunDirectory.create(tmp_path / "half", "spiqgan", {"config": {}})
    with pytest.raises(RunDirectoryError, match="not finished"):
        compare_runs([folder, other.path])
