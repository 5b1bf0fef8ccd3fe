"""Spike statistics: processes whose answer is known in closed form, and what must always hold."""

import math
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import entropy

from qbrain.reference.spiqgan.spike_statistics import (
    SpikeError,
    autocorrelogram,
    bin_counts,
    bootstrap,
    compare,
    covariance,
    firing_rates,
    kl_divergence,
    lag_covariances,
    nearest_distances,
    noise_floor,
    space_time_covariance,
    window_counts,
)

ERRORS = ("rate_error", "covariance_rmse", "kl_count_bin", "kl_count_window")


def all_words(bins, neurons):
    words = list(product((0, 1), repeat=bins * neurons))
    return np.array(words, dtype=np.uint8).reshape(-1, bins, neurons)


def bernoulli(rates, samples, bins, seed):
    rng = np.random.default_rng(seed)
    return (rng.random((samples, bins, len(rates))) < rates).astype(np.uint8)


def markov_words(bins, p, stay):
    """Every path of a stationary two-state chain of rate p, corr(x_t, x_t+1) = stay, its chance."""
    words = all_words(bins, 1)
    chance = np.ones(len(words))
    for i, word in enumerate(words[:, :, 0]):
        chance[i] = p if word[0] else 1 - p
        for now, after in pairwise(word):
            fires = p + stay * (now - p)
            chance[i] *= fires if after else 1 - fires
    return words, chance


def rasters(most=5):
    shape = st.tuples(*[st.integers(1, most)] * 3)
    return shape.flatmap(lambda s: arrays(np.uint8, s, elements=st.integers(0, 1)))


@pytest.mark.parametrize("rates", [(0.1,), (0.5, 0.2), (0.05, 0.9, 0.3)])
def test_independent_neurons_weighted_by_their_chances_are_exact(rates):
    bins, neurons = 3, len(rates)
    x, p = all_words(bins, neurons), np.array(rates)
    w = np.prod(np.where(x == 1, p, 1 - p), axis=(1, 2))
    diagonal = np.diag(p * (1 - p))
    np.testing.assert_allclose(firing_rates(x, w), p, atol=1e-14)
    np.testing.assert_allclose(covariance(x, w), diagonal, atol=1e-14)
    np.testing.assert_allclose(
        space_time_covariance(x, w), np.kron(np.eye(bins), diagonal), atol=1e-14
    )
    np.testing.assert_allclose(lag_covariances(x, 2, w)[1:], 0, atol=1e-14)
    np.testing.assert_allclose(autocorrelogram(x, 2, w), [1, 0, 0], atol=1e-13)
    count = [1.0]
    for rate in rates:
        count = np.convolve(count, [1 - rate, rate])
    np.testing.assert_allclose(bin_counts(x, w), count, atol=1e-14)
    whole = np.convolve(np.convolve(count, count), count)
    np.testing.assert_allclose(window_counts(x, w), whole, atol=1e-14)


@pytest.mark.parametrize(("p", "stay"), [(0.2, 0.5), (0.5, -0.4), (0.05, 0.9), (0.3, 0.0)])
def test_a_markov_chain_forgets_geometrically(p, stay):
    x, w = markov_words(6, p, stay)
    lags = np.arange(6)
    np.testing.assert_allclose(autocorrelogram(x, 5, w), stay**lags, atol=1e-12)
    np.testing.assert_allclose(
        lag_covariances(x, 5, w)[:, 0, 0], p * (1 - p) * stay**lags, atol=1e-13
    )
    apart = np.abs(lags[:, None] - lags)
    np.testing.assert_allclose(
        space_time_covariance(x, w), p * (1 - p) * float(stay) ** apart, atol=1e-13
    )


def test_one_neuron_that_repeats_another_a_bin_later_is_seen_at_that_lag():
    x = bernoulli([0.3], 400, 51, 0)
    both = np.concatenate([x[:, 1:], x[:, :-1]], axis=2)
    found = lag_covariances(both, 2)
    spread = 5 / math.sqrt(400 * 50) * 0.21
    assert found[1, 0, 1] == pytest.approx(0.21, abs=spread)
    for lag, i, j in [(0, 0, 1), (1, 1, 0), (2, 0, 1), (1, 0, 0)]:
        assert abs(found[lag, i, j]) < spread


def test_shots_scatter_about_the_chain_by_as_much_as_they_should():
    words, w = markov_words(6, 0.2, 0.5)
    drawn = words[np.random.default_rng(1).choice(len(words), 20000, p=w / w.sum())]
    assert firing_rates(drawn)[0] == pytest.approx(0.2, abs=5 * 0.4 / math.sqrt(20000))
    assert autocorrelogram(drawn, 1)[1] == pytest.approx(0.5, abs=5 / math.sqrt(20000))
    exact = window_counts(words, w)
    bound = 5 * np.sqrt(exact * (1 - exact) / 20000)
    assert (np.abs(window_counts(drawn) - exact) <= bound).all()


@settings(max_examples=60, deadline=None)
@given(rasters())
def test_what_must_always_hold(x):
    bins, neurons = x.shape[1:]
    p, c = firing_rates(x), covariance(x)
    blocks = space_time_covariance(x).reshape(bins, neurons, bins, neurons)
    means = x.mean(axis=0) - p
    # the covariance about the rates is that about each bin's mean, and the means' own
    same = np.einsum("titj->ij", blocks) / bins + means.T @ means / bins
    np.testing.assert_allclose(c, same, atol=1e-12)
    np.testing.assert_allclose(np.diag(c), p * (1 - p), atol=1e-12)
    assert np.linalg.eigvalsh(c)[0] > -1e-12
    for counts, size in ((bin_counts(x), 1), (window_counts(x), bins)):
        assert counts.sum() == pytest.approx(1)
        assert counts @ np.arange(len(counts)) == pytest.approx(size * p.sum())
    assert autocorrelogram(x, bins - 1)[0] == 1


@settings(max_examples=40, deadline=None)
@given(rasters(), st.integers(1, 3))
def test_a_weight_is_a_number_of_copies(x, times):
    w = np.ones(len(x))
    w[0] = times
    copied = np.repeat(x, w.astype(int), axis=0)
    for statistic in (firing_rates, covariance, space_time_covariance, bin_counts, window_counts):
        np.testing.assert_allclose(statistic(x, w), statistic(copied), atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(0.01, 1), min_size=2, max_size=8),
    st.lists(st.floats(0.01, 1), min_size=8, max_size=8),
)
def test_kl_is_scipys_and_never_negative(a, b):
    p, q = np.array(a) / sum(a), np.array(b[: len(a)]) / sum(b[: len(a)])
    assert kl_divergence(p, q) == pytest.approx(entropy(p, q), abs=1e-12)
    assert kl_divergence(p, q) >= 0
    assert kl_divergence(p, p) == 0


def test_kl_where_a_distribution_ends():
    assert kl_divergence([1, 0], [0.5, 0.5]) == pytest.approx(math.log(2))
    assert kl_divergence([0.5, 0.5], [1, 0]) == math.inf


@settings(max_examples=40, deadline=None)
@given(rasters(4), st.integers(0, 2**32))
def test_the_nearest_is_the_nearest_by_hand(x, seed):
    y = np.random.default_rng(seed).integers(0, 2, (7, *x.shape[1:]), dtype=np.uint8)
    wanted = (x[:, None] != y[None]).sum(axis=(2, 3)).min(axis=1)
    np.testing.assert_array_equal(nearest_distances(x, y), wanted)
    np.testing.assert_array_equal(nearest_distances(x, x), 0)


def test_a_generator_that_repeats_its_training_set_is_seen():
    rates = [0.3, 0.4, 0.5]
    training, held_out, fresh = (bernoulli(rates, 300, 5, seed) for seed in range(3))
    by_heart = compare(training[::2], held_out, training=training, draws=20)
    assert by_heart["nearest"].value == 0
    assert by_heart["copies"].value == pytest.approx(1)
    assert by_heart["nearest_data"].low > 0.5
    honest = compare(fresh, held_out, training=training, draws=100)
    assert honest["nearest"].low <= honest["nearest_data"].high
    assert honest["nearest_data"].low <= honest["nearest"].high


def test_bootstrap_intervals_hold_the_truth_as_often_as_they_say():
    hits = 0
    for seed in range(100):
        found = bootstrap(firing_rates, bernoulli([0.3], 60, 5, seed), draws=100, seed=seed)
        hits += bool(found.low[0] <= 0.3 <= found.high[0])
    # 5 standard deviations of 100 tosses of chance 0.95
    assert hits >= 95 - 5 * math.sqrt(100 * 0.95 * 0.05)


def test_bootstrap_resamples_trials_not_windows():
    # the same window 50 times in a trial is one observation, not 50
    one = bernoulli([0.3], 40, 1, 3)
    many, trials = np.repeat(one, 50, axis=0), np.repeat(np.arange(40), 50)
    alone = bootstrap(firing_rates, one, draws=300, seed=5)
    together = bootstrap(firing_rates, many, trials, draws=300, seed=5)
    np.testing.assert_allclose(together.low, alone.low, atol=1e-12)
    np.testing.assert_allclose(together.high, alone.high, atol=1e-12)


def test_bootstrap_follows_its_seed():
    x = bernoulli([0.3, 0.1], 50, 4, 0)
    first, again, other = (bootstrap(bin_counts, x, draws=30, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(first.low, again.low)
    assert (first.low != other.low).any() or (first.high != other.high).any()


def test_compare_agrees_with_the_statistics_taken_one_by_one():
    x, y = bernoulli([0.3, 0.1], 200, 6, 0), bernoulli([0.25, 0.2], 150, 6, 1)
    found = compare(x, y, draws=10)
    p, q = firing_rates(x), firing_rates(y)
    assert found["rate_error"].value == pytest.approx(np.mean(np.abs(p - q) / q))
    apart = space_time_covariance(x) - space_time_covariance(y)
    assert found["covariance_rmse"].value == pytest.approx(math.sqrt((apart**2).mean()))
    assert found["lag1"].value == pytest.approx(autocorrelogram(x, 1)[1])
    assert found["lag1_data"].value == pytest.approx(autocorrelogram(y, 1)[1])
    for name, counts in (("kl_count_bin", bin_counts), ("kl_count_window", window_counts)):
        assert found[name].value == pytest.approx(kl_divergence(counts(y), counts(x)))


def test_data_does_not_differ_from_itself():
    x = bernoulli([0.3, 0.1, 0.2], 500, 4, 0)
    found = compare(x, x, draws=10)
    for name in (*ERRORS, "lag1_error"):
        assert found[name].value == found[name].low == 0


def test_a_count_that_was_never_generated_is_half_an_observation():
    x, y = np.zeros((10, 1, 1)), np.arange(10).reshape(10, 1, 1) % 2
    wanted = kl_divergence([0.5, 0.5], [1 / 1.05, 0.05 / 1.05])
    assert compare(x, y, draws=2)["kl_count_bin"].value == pytest.approx(wanted)


def test_another_process_stands_out_from_the_noise_floor():
    words, w = markov_words(6, 0.2, 0.5)
    rng = np.random.default_rng(0)
    training, held_out = (words[rng.choice(len(words), n, p=w / w.sum())] for n in (2000, 1000))
    floor = noise_floor(training, held_out, draws=60)
    other = compare(bernoulli([0.2], 2000, 6, 1), held_out, draws=60)
    for name in ("covariance_rmse", "kl_count_window", "lag1_error"):
        assert other[name].low > floor[name].high
    # the rates are the same
    assert other["rate_error"].low <= floor["rate_error"].high
    for estimate in (*floor.values(), *other.values()):
        assert estimate.low <= estimate.value <= estimate.high


def test_windows_of_one_bin_have_no_lag():
    x = bernoulli([0.3, 0.1], 100, 1, 0)
    assert set(compare(x, x, draws=5)) == set(ERRORS)


@pytest.mark.parametrize("rate", [0, 1])
def test_no_variance_is_no_correlation(rate):
    x = np.full((3, 4, 2), rate)
    np.testing.assert_array_equal(autocorrelogram(x, 3), [1, 0, 0, 0])


GOOD = np.array([[[0, 1], [1, 0]], [[1, 1], [0, 0]]])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: firing_rates(GOOD[0]), r"raster: wanted shape .*, got \(2, 2\)"),
        (lambda: firing_rates(2 * GOOD), "raster: wanted zeros and ones, got 2"),
        (lambda: firing_rates(GOOD * np.nan), "raster: wanted zeros and ones, got nan"),
        (lambda: firing_rates(GOOD.astype(str)), "raster: wanted zeros and ones"),
        (lambda: firing_rates(GOOD, [1, 2, 3]), r"weights: wanted 2 numbers .*shape \(3,\)"),
        (lambda: firing_rates(GOOD, [0, 0]), "weights: .* sum 0"),
        (lambda: autocorrelogram(GOOD, 2), "largest: wanted a lag of 0 to 1 bins, got 2"),
        (lambda: kl_divergence([0.5, 0.6], [1, 0]), "p: wanted probabilities .* got sum 1.1"),
        (lambda: kl_divergence([0.5, 0.5], [1]), "q: wanted 2 probabilities, got 1"),
        (lambda: nearest_distances(GOOD, GOOD[:, :1]), r"training: .*got \(1, 2\)"),
        (lambda: compare(GOOD[:, :, :1], GOOD), r"generated: .*got \(2, 1\)"),
        (lambda: compare(GOOD, GOOD * [0, 1]), "held_out: .*got none from neuron 0"),
        (lambda: compare(GOOD, GOOD, [1]), r"held_out_trials: wanted 2 labels.*got \(1,\)"),
        (lambda: compare(GOOD, GOOD, draws=0), "draws: wanted a whole number >= 1, got 0"),
        (lambda: bootstrap(bin_counts, GOOD, level=1), "level: .*got 1"),
    ],
)
def test_mistakes_are_named(call, words):
    with pytest.raises(SpikeError, match=words):
        call()
