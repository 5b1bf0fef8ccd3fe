"""The critic and its losses against closed forms: linear critics, and moments of small laws."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

jax = pytest.importorskip("jax", reason="the spike generator needs qbrain[spiqgan]")
pytest.importorskip("equinox", reason="the spike generator needs qbrain[spiqgan]")

import jax.numpy as jnp
from scipy.stats import binom

from qbrain.classical_feedback.spike_critic import (
    RARE,
    Critic,
    count_distribution,
    count_loss,
    critic_loss,
    moment_loss,
    wasserstein_distance,
)

# this kind compiles in a fraction of the default one's time
KEY = jax.random.key(0, impl="rbg")


@pytest.fixture(scope="module")
def critic():
    return Critic(5, 3, KEY, channels=4, hidden=6)


def windows(seed, samples, bins=5, neurons=3):
    rng = np.random.default_rng(seed)
    return jnp.asarray(rng.integers(0, 2, (samples, bins, neurons)), jnp.float32)


# ---------------------------------------------------------------------------- the critic


def leaky(x):
    return np.where(x > 0, x, 0.01 * x)


def test_the_critic_is_its_two_convolutions_and_two_dense_layers(critic):
    x = np.asarray(windows(1, 7), np.float64)
    h = x
    for layer in critic.convolutions:
        weight = np.asarray(layer.weight, np.float64).reshape(len(layer.weight), 3, -1)
        after = np.zeros((*h.shape[:2], len(weight))) + np.asarray(layer.bias, np.float64)
        for t, shift in product(range(5), (-1, 0, 1)):
            if 0 <= t + shift < 5:
                after[:, t] += h[:, t + shift] @ weight[:, shift + 1].T
        h = leaky(after)
    h = h.reshape(7, -1)
    first, last = ((np.asarray(d.weight), np.asarray(d.bias)) for d in critic.dense)
    wanted = leaky(h @ first[0].T + first[1]) @ last[0].T + last[1]
    found = jax.jit(lambda x: critic(x))(jnp.asarray(x, jnp.float32))
    assert found.shape == (7,)
    np.testing.assert_allclose(found, wanted[:, 0], rtol=0, atol=1e-5)


def test_the_critic_judges_each_window_by_itself_and_in_time(critic):
    x = windows(2, 6)
    order = np.array([3, 1, 5, 0, 2, 4])
    judge = jax.jit(lambda x: critic(x))
    np.testing.assert_allclose(judge(x[order]), judge(x)[order], rtol=0, atol=1e-6)
    slope = jax.jit(jax.grad(lambda x: critic(x).sum()))(x)
    assert (np.abs(slope).max(axis=0) > 0).all()  # every bin and neuron counts
    assert np.abs(judge(x[:, ::-1]) - judge(x)).max() > 1e-4


# ------------------------------------------------------------------- losses, linear critics


def linear(direction):
    return lambda x: (x * direction).sum(axis=(1, 2))


@settings(deadline=None)  # the first is compiled
@given(
    arrays(np.float32, (4, 2), elements=st.floats(-2, 2, width=32)),
    st.floats(0, 20),
    st.integers(0, 99),
)
def test_loss_of_a_linear_critic(direction, penalty, seed):
    real, fake = windows(seed, 8, 4, 2), windows(seed + 100, 8, 4, 2)
    found, distance = critic_loss(linear(direction), real, fake, KEY, penalty)
    wanted = (direction * (np.asarray(real) - np.asarray(fake)).mean(axis=0)).sum()
    steepness = np.linalg.norm(direction)
    assert distance == pytest.approx(wanted, abs=1e-5)
    assert wasserstein_distance(linear(direction), real, fake) == pytest.approx(wanted, abs=1e-5)
    # single precision, and the 1e-12 within the root
    assert found == pytest.approx(penalty * (steepness - 1) ** 2 - wanted, rel=2e-6, abs=2e-4)


def test_a_linear_critic_of_unit_steepness_pays_no_penalty():
    direction = np.full((4, 2), 1 / np.sqrt(8))
    real, fake = windows(1, 8, 4, 2), windows(2, 8, 4, 2)
    loss, distance = critic_loss(linear(direction), real, fake, KEY, penalty=1e3)
    assert float(loss) == pytest.approx(-float(distance), abs=1e-6)


def test_the_penalty_is_taken_between_recorded_and_generated_windows():
    # D = |x|²/2 has the steepness |x|: on the way from 0 to 3 in one entry it is 3ε
    def bowl(x):
        return (x**2).sum(axis=(1, 2)) / 2

    count = 20_000
    fake, real = jnp.zeros((count, 1, 1)), jnp.full((count, 1, 1), 3.0)
    loss, distance = critic_loss(bowl, real, fake, KEY, penalty=1.0)
    assert float(distance) == pytest.approx(4.5)
    # ⟨(3ε − 1)²⟩ = 1, and its variance ⟨(3ε − 1)⁴⟩ − 1 = 33/15 − 1
    assert float(loss + distance) == pytest.approx(1, abs=5 * np.sqrt(1.2 / count))


def test_a_flat_critic_has_a_finite_slope():
    def loss(scale):
        return critic_loss(lambda x: scale * x.sum((1, 2)), windows(1, 4), windows(2, 4), KEY)[0]

    assert np.isfinite(jax.grad(loss)(0.0))


# ------------------------------------------------------------------------------- moments


def numpy_moments(p, q):
    """Means, and unbiased covariances off the diagonal, a sum over pairs of samples."""
    n, bins, neurons = p.shape
    flat = p.reshape(n, -1)
    second = np.einsum("na,nb->nab", flat, flat)
    if q is not None:
        for t in range(bins):
            at = slice(t * neurons, (t + 1) * neurons)
            second[:, at, at] = q[:, t]
    apart = sum(np.outer(flat[i], flat[j]) for i in range(n) for j in range(n) if i != j)
    covariance = second.mean(axis=0) - apart / (n * (n - 1))
    return flat.mean(axis=0), covariance * (1 - np.eye(bins * neurons))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.sampled_from([4, 6]))
def test_moment_loss_is_the_product_of_two_halves_errors(seed, paired, samples):
    rng = np.random.default_rng(seed)
    p = rng.random((samples, 2, 3))
    q = rng.random((samples, 2, 3, 3)) if paired else None
    q = q + np.swapaxes(q, 2, 3) if paired else None
    mean, target = rng.random(6), rng.random((6, 6))
    target = target * (1 - np.eye(6))
    halves = [numpy_moments(p[k::2], None if q is None else q[k::2]) for k in range(2)]
    by_rate = np.prod([m - mean for m, _ in halves], axis=0).sum()
    by_covariance = np.prod([c - target for _, c in halves], axis=0).sum()
    found = moment_loss(
        jnp.asarray(p, jnp.float32), None if q is None else jnp.asarray(q, jnp.float32),
        mean, target, 3.0, 5.0,
    )  # fmt: skip
    assert found == pytest.approx(3 * by_rate + 5 * by_covariance, rel=1e-4, abs=1e-4)


def test_the_diagonal_of_the_target_does_not_count():
    rng = np.random.default_rng(0)
    p, mean, target = rng.random((4, 2, 2)), rng.random(4), rng.random((4, 4))
    found = [
        moment_loss(jnp.asarray(p), None, mean, t, 1.0, 1.0) for t in (target, target + np.eye(4))
    ]
    assert found[0] == found[1]


def laws():
    """What a window of one bin may depend on: chances, spikes' and pairs' probabilities."""
    chance = np.array([0.5, 0.3, 0.2])
    p = np.array([[0.1, 0.7], [0.4, 0.2], [0.9, 0.5]])
    q = np.array([0.05, 0.15, 0.3])  # not the product of the two
    pairs = np.empty((3, 2, 2))
    pairs[:, 0, 0], pairs[:, 1, 1] = p.T
    pairs[:, 0, 1] = pairs[:, 1, 0] = q
    return chance, p, pairs


@pytest.mark.parametrize("of", ["spikes", "probabilities", "pairs"])
def test_moment_loss_is_nothing_on_average_at_the_true_moments_and_the_square_elsewhere(of):
    chance, p, pairs = laws()
    if of == "spikes":  # Bernoulli with 1/4 and 2/3, neither knowing of the other
        p = np.array(list(product((0.0, 1.0), repeat=2)))
        chance = np.prod(np.where(p == 1, [1 / 4, 2 / 3], [3 / 4, 1 / 3]), axis=1)
    mean = chance @ p
    second = chance @ (pairs[:, 0, 1] if of == "pairs" else p[:, 0] * p[:, 1])
    covariance = np.zeros((2, 2))
    covariance[0, 1] = covariance[1, 0] = second - mean[0] * mean[1]
    every = np.array(list(product(range(len(p)), repeat=4)))  # all batches of four windows
    weights = np.prod(chance[every], axis=1)
    batches = jnp.asarray(p[every][:, :, None], jnp.float32)
    with_pairs = jnp.asarray(pairs[every][:, :, None], jnp.float32) if of == "pairs" else None

    def average(mean, covariance):
        def loss(p, q):
            return moment_loss(p, q, mean, covariance, 2.0, 3.0)

        found = jax.vmap(loss, in_axes=(0, None if with_pairs is None else 0))(batches, with_pairs)
        return float(weights @ np.asarray(found, np.float64))

    assert average(mean, covariance) == pytest.approx(0, abs=1e-6)
    shifted = average(mean + np.array([0.1, -0.2]), covariance + 0.05)
    assert shifted == pytest.approx(2 * (0.1**2 + 0.2**2) + 3 * 2 * 0.05**2, abs=1e-6)


# -------------------------------------------------------------------------------- counts


def counted(p):
    """P(K = k) by summing over all words."""
    found = np.zeros(len(p) + 1)
    for word in product((0, 1), repeat=len(p)):
        found[sum(word)] += np.prod(np.where(word, p, 1 - p))
    return found


@settings(deadline=None, max_examples=30)  # the first is compiled
@given(arrays(np.float32, (2, 6), elements=st.floats(0, 1, width=32)))
def test_counts_of_independent_spikes_are_sums_over_words(p):
    found = jax.jit(count_distribution)(p)
    assert found.shape == (2, 7)
    np.testing.assert_allclose(found, [counted(row.astype(float)) for row in p], rtol=0, atol=1e-6)


def test_counts_of_equal_spikes_are_binomial():
    found = count_distribution(jnp.full((3, 10), 0.3))
    np.testing.assert_allclose(found, [binom.pmf(np.arange(11), 10, 0.3)] * 3, rtol=0, atol=1e-6)


def test_count_loss_is_nothing_on_average_at_the_true_counts_and_the_square_elsewhere():
    # two bins of two neurons; three laws that the windows of a batch of four are drawn from
    chance = np.array([0.5, 0.3, 0.2])
    p = np.random.default_rng(3).random((3, 2, 2))
    of_bin = chance @ np.mean([[counted(row) for row in law] for law in p], axis=1)
    of_window = chance @ np.array([counted(law.ravel()) for law in p])
    every = np.array(list(product(range(3), repeat=4)))
    weights = np.prod(chance[every], axis=1)
    batches = jnp.asarray(p[every], jnp.float32)

    def average(of_bin, of_window):
        found = jax.vmap(lambda p: count_loss(p, of_bin, of_window, 3.0))(batches)
        return float(weights @ np.asarray(found, np.float64))

    assert average(of_bin, of_window) == pytest.approx(0, abs=1e-6)
    moved = [of_bin + np.array([2, -1, -1]) / 100, of_window + np.array([0, 3, 0, -3, 0]) / 100]
    wanted = sum(
        ((new - old) ** 2 / (new + RARE)).sum()
        for new, old in zip(moved, (of_bin, of_window), strict=True)
    )
    assert average(*moved) == pytest.approx(3 * wanted, abs=1e-6)
