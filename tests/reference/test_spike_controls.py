"""Controls: the bivariate normal against SciPy and closed forms; what goes in comes back."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal, norm

from qbrain.reference.spiqgan.spike_controls import (
    IndependentNeurons,
    binary_covariance,
    dichotomised_gaussian,
    fit_independent,
    fit_space,
    fit_space_time,
    latent_correlation,
    nearest_correlation,
    sample_process,
)
from qbrain.reference.spiqgan.spike_statistics import (
    SpikeError,
    covariance,
    firing_rates,
    lag_covariances,
    space_time_covariance,
)

SHOTS = 40000
# 5 standard deviations of a mean of products of zeros and ones
BOUND = 5 * 0.5 / math.sqrt(SHOTS)
RATE = st.floats(0.01, 0.99)


@pytest.mark.parametrize("rho", [-0.9, -0.3, 0.0, 0.2, 0.7, 0.95])
@pytest.mark.parametrize(("p", "q"), [(0.1, 0.2), (0.5, 0.5), (0.5, 0.03), (0.9, 0.4), (0.7, 0.7)])
def test_the_bivariate_normal_is_scipys(p, q, rho):
    wanted = multivariate_normal([0, 0], [[1, rho], [rho, 1]]).cdf(norm.ppf([p, q])) - p * q
    assert binary_covariance(p, q, rho) == pytest.approx(wanted, abs=1e-7)


@pytest.mark.parametrize("rho", [-1.0, -0.99, -0.5, 0.0, 0.3, 0.999999, 1.0])
def test_at_the_median_it_is_an_arcsine(rho):
    assert binary_covariance(0.5, 0.5, rho) == pytest.approx(math.asin(rho) / (2 * math.pi))


@given(RATE, RATE)
@settings(max_examples=50, deadline=None)
def test_at_its_ends_it_is_the_bound_that_binary_variables_have(p, q):
    assert binary_covariance(p, q, 1.0) == pytest.approx(min(p, q) - p * q, abs=1e-12)
    assert binary_covariance(p, q, -1.0) == pytest.approx(max(0, p + q - 1) - p * q, abs=1e-12)
    assert binary_covariance(p, q, 0.0) == pytest.approx(0, abs=1e-15)


@given(RATE, RATE, st.floats(-0.98, 0.98))
@settings(max_examples=100, deadline=None)
def test_the_inverse_finds_the_covariance_again(p, q, rho):
    wanted = binary_covariance(p, q, rho)
    found = latent_correlation(p, q, wanted)
    assert binary_covariance(p, q, found) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_a_neuron_that_never_changes_correlates_with_none(rate):
    assert binary_covariance(rate, 0.3, 0.5) == 0
    assert latent_correlation(rate, 0.3, 0.0) == 0


@given(st.integers(2, 6), st.integers(0, 2**32))
@settings(max_examples=30, deadline=None)
def test_the_nearest_correlation_matrix_is_one_and_a_correlation_matrix_stays(size, seed):
    rng = np.random.default_rng(seed)
    upper = np.triu(rng.uniform(-1, 1, (size, size)), 1)
    found = nearest_correlation(upper + upper.T + np.eye(size))
    np.testing.assert_allclose(np.diag(found), 1, atol=1e-12)
    assert np.linalg.eigvalsh(found)[0] >= 0.9e-8
    np.testing.assert_allclose(nearest_correlation(found), found, atol=1e-9)


def test_the_nearest_correlation_matrix_of_highams_paper():
    # Higham 2002, section 4: the tridiagonal matrix of ones
    given = [[1, 1, 0], [1, 1, 1], [0, 1, 1]]
    wanted = [[1, 0.7607, 0.1573], [0.7607, 1, 0.7607], [0.1573, 0.7607, 1]]
    np.testing.assert_allclose(nearest_correlation(given), wanted, atol=1e-4)


def set_population():
    p = np.array([0.16, 0.1, 0.05, 0.3])
    spread = np.sqrt(p * (1 - p))
    shape = np.array([[0, 0.2, 0.1, -0.1], [0, 0, 0.15, 0], [0, 0, 0, -0.05], [0, 0, 0, 0]])
    return p, (shape + shape.T + np.eye(4)) * np.outer(spread, spread)


def test_set_rates_and_covariances_come_back():
    p, c = set_population()
    model = dichotomised_gaussian(p, c)
    assert model.repaired == 0
    assert model.parameters == 4 + 6
    np.testing.assert_allclose(model.covariance, c, atol=1e-12)
    drawn = model.sample(SHOTS, 0)
    assert drawn.shape == (SHOTS, 1, 4)
    assert np.abs(firing_rates(drawn) - p).max() < BOUND
    assert np.abs(covariance(drawn) - c).max() < BOUND


def test_the_space_time_covariance_of_a_recording_comes_back():
    p, c = set_population()
    windows = sample_process(dichotomised_gaussian(p, c), 4000, 5, 0.7, 3)
    model = fit_space_time(windows)
    wanted = space_time_covariance(windows)
    assert model.parameters == 20 + 190
    assert model.repaired == 0
    np.testing.assert_allclose(model.covariance, wanted, atol=1e-11)
    drawn = model.sample(SHOTS, 1)
    assert np.abs(drawn.mean(axis=0) - windows.mean(axis=0)).max() < BOUND
    assert np.abs(space_time_covariance(drawn) - wanted).max() < BOUND


def test_in_space_alone_the_bins_are_independent():
    p, c = set_population()
    trials = sample_process(dichotomised_gaussian(p, c), 200, 50, 0.8, 3)
    model = fit_space(trials)
    np.testing.assert_allclose(model.rates[0], firing_rates(trials), atol=1e-15)
    np.testing.assert_allclose(model.covariance, covariance(trials), atol=1e-11)
    drawn = model.sample(SHOTS, 1).reshape(-1, 10, 4)
    assert np.abs(lag_covariances(drawn, 2)[1:]).max() < BOUND


@pytest.mark.parametrize("memory", [0.0, 0.6, 0.9])
def test_lag_covariances_of_the_process_are_those_of_its_latent_gaussian(memory):
    p, c = set_population()
    model = dichotomised_gaussian(p, c)
    found = lag_covariances(sample_process(model, 2000, 60, memory, 0), 3)
    # memory correlates the bins of a trial: so many fewer of them count
    bound = 5 * 0.5 / math.sqrt(2000 * 60 * (1 - memory) / (1 + memory))
    for lag in range(4):
        latent = memory**lag * model.latent
        wanted = binary_covariance(p[:, None], p[None, :], latent)
        assert np.abs(found[lag] - wanted).max() < bound


def test_independent_neurons_keep_the_rates_and_nothing_else():
    p, c = set_population()
    model = fit_independent(dichotomised_gaussian(p, c).sample(SHOTS, 0))
    assert model.parameters == 4
    drawn = model.sample(SHOTS // 8, 8, 1)
    assert np.abs(firing_rates(drawn) - p).max() < 2 * BOUND
    wanted = np.kron(np.eye(8), np.diag(model.rates * (1 - model.rates)))
    assert np.abs(space_time_covariance(drawn) - wanted).max() < BOUND * math.sqrt(8)


def test_silent_and_constant_bins_stay_so():
    windows = sample_process(dichotomised_gaussian(*set_population()), 500, 3, 0.5, 0)
    windows[:, 0, 0], windows[:, 2, 1] = 0, 1
    drawn = fit_space_time(windows).sample(2000, 0)
    assert not drawn[:, 0, 0].any()
    assert drawn[:, 2, 1].all()


def test_covariances_no_gaussian_has_are_repaired_and_the_change_is_told():
    # three neurons that pairwise never fire together, at a rate of one half less a little
    p = np.full(3, 0.4)
    c = np.full((3, 3), 0.02 - 0.16)
    model = dichotomised_gaussian(p, c)
    assert model.repaired > 0.1
    assert np.abs(firing_rates(model.sample(SHOTS, 0)) - p).max() < BOUND


def test_a_seed_gives_the_same_spikes():
    model = dichotomised_gaussian(*set_population())
    for draw in (
        lambda seed: model.sample(50, seed),
        lambda seed: sample_process(model, 5, 20, 0.5, seed),
        lambda seed: IndependentNeurons(np.array([0.3, 0.4])).sample(20, 5, seed),
    ):
        np.testing.assert_array_equal(draw(1), draw(1))
        assert (draw(1) != draw(2)).any()
        assert draw(1).dtype == np.uint8


ONE = dichotomised_gaussian([0.2], [[0.16]])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: dichotomised_gaussian([1.2], [[0]]), r"rates: wanted .*\[0, 1\], got 1.2"),
        (lambda: dichotomised_gaussian([math.nan], [[0]]), "rates: .*got nan"),
        (lambda: dichotomised_gaussian([0.2], [[0, 0]]), r"spikes: wanted shape .*got \(1, 2\)"),
        (lambda: dichotomised_gaussian([0.2, 0.2], [[0, 0.1], [0, 0]]), "spikes: .*symmetric"),
        (lambda: latent_correlation(0.2, 0.2, 0.3), r"spikes: .*\[-0.04, 0.16\].*got 0.3"),
        (lambda: nearest_correlation([[1, 0], [1, 1]]), "matrix: wanted square and symmetric"),
        (lambda: ONE.sample(0, 0), "samples: wanted a whole number >= 1, got 0"),
        (lambda: sample_process(ONE, 2, 5, 1.0, 0), r"memory: wanted .*\[0, 1\), got 1.0"),
        (lambda: sample_process(ONE, 2, 0, 0.5, 0), "bins: .*got 0"),
        (
            lambda: sample_process(fit_space_time(np.eye(4).reshape(4, 2, 2)), 2, 5, 0.5, 0),
            "population: wanted one bin, got 2",
        ),
        (lambda: fit_independent(np.zeros((2, 2))), "raster: wanted shape"),
    ],
)
def test_mistakes_are_named(call, words):
    with pytest.raises(SpikeError, match=words):
        call()
