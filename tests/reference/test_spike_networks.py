"""Classical controls: sizes in closed form, and the network itself written out in numpy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

jax = pytest.importorskip("jax", reason="the spike generator needs qbrain[spiqgan]")

from qbrain.reference.spiqgan.generator import sample
from qbrain.reference.spiqgan.spike_networks import DenseNetwork, SpikeGAN, dense_network
from qbrain.reference.spiqgan.spike_statistics import SpikeError

# this kind compiles in a fraction of the default one's time
KEY = jax.random.key(0, impl="rbg")
SMALL = st.integers(1, 9)


def sizes(network):
    return {name: value.shape for name, value in network.initial(0.1, 0).items()}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


# --------------------------------------------------------------------------------- sizes


@given(SMALL, SMALL, SMALL, SMALL)
def test_parameters_of_the_dense_network(bins, neurons, hidden, latents):
    network = DenseNetwork(bins, neurons, hidden, latents)
    assert network.parameters == hidden * (latents + 1) + bins * neurons * (hidden + 1)
    assert network.parameters == sum(map(math.prod, sizes(network).values()))


@given(SMALL, SMALL, SMALL, st.integers(0, 2000))
def test_no_other_width_comes_nearer_to_the_parameters_wanted(bins, neurons, latents, wanted):
    found = dense_network(bins, neurons, latents, wanted)
    least = min(
        abs(DenseNetwork(bins, neurons, hidden, latents).parameters - wanted)
        for hidden in range(1, 1001)
    )
    assert abs(found.parameters - wanted) == least
    assert (found.bins, found.neurons, found.latents) == (bins, neurons, latents)


def test_spike_gan_has_the_size_of_the_paper():
    # 128 noise numbers to 2 bins of 256 channels; 256 → 128 → 4 channels, kernels 5 bins wide
    dense = 128 * 512 + 512
    first, second = 5 * 256 * 128 + 128, 5 * 128 * 4 + 4
    network = SpikeGAN(8, 4)
    assert network.parameters == dense + first + second == 232_580
    assert sizes(network) == {
        "into": (128, 512),
        "into_offset": (512,),
        "kernel_0": (5, 256, 128),
        "offset_0": (128,),
        "kernel_1": (5, 128, 4),
        "offset_1": (4,),
    }


@settings(max_examples=20)
@given(st.integers(1, 4), SMALL, st.integers(1, 6), st.integers(1, 3), SMALL, SMALL)
def test_parameters_of_spike_gan(times, neurons, features, layers, width, latents):
    bins = times * 2**layers
    channels = [features * 2**k for k in range(layers, 0, -1)] + [neurons]
    wanted = (latents + 1) * features * bins
    for i in range(layers):
        wanted += width * channels[i] * channels[i + 1] + channels[i + 1]
    assert SpikeGAN(bins, neurons, features, layers, width, latents).parameters == wanted


@pytest.mark.parametrize(("bins", "layers", "multiple"), [(6, 2, 4), (7, 1, 2), (12, 3, 8)])
def test_bins_that_cannot_be_halved_are_refused(bins, layers, multiple):
    with pytest.raises(SpikeError, match=f"bins: wanted a multiple of {multiple} .*got {bins}"):
        SpikeGAN(bins, 3, layers=layers)


# ------------------------------------------------------------------------------- networks

DENSE, CONVOLVED = DenseNetwork(3, 2, 5, 4), SpikeGAN(8, 3, features=2, latents=6)


def noise(network, samples):
    """What a draw with the key has for its noise."""
    of_noise, _ = jax.random.split(KEY)
    return np.asarray(jax.random.normal(of_noise, (samples, network.latents)), np.float64)


def random_weights(network, seed=1):
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in
            sizes(network).items()}  # fmt: skip


def test_the_dense_network_is_its_formula():
    w = random_weights(DENSE)
    hidden = np.tanh(noise(DENSE, 7) @ w["into"] + w["into_offset"])
    wanted = sigmoid(hidden @ w["out"] + w["out_offset"]).reshape(7, 3, 2)
    np.testing.assert_allclose(DENSE.draw(w, KEY, 7).means, wanted, rtol=0, atol=1e-5)


def transposed(x, kernel):
    """Transposed convolution of stride 2: every bin adds its kernel around twice its place."""
    samples, bins, _ = x.shape
    width, _, out = kernel.shape
    whole = np.zeros((samples, 2 * bins + 2 * width, out))
    for t in range(bins):
        for k in range(width):
            whole[:, width + 2 * t + k] += x[:, t] @ kernel[width - 1 - k]
    start = width + 1  # one bin more is cut before the first than after the last
    return whole[:, start : start + 2 * bins]


def test_spike_gan_is_transposed_convolutions():
    w = random_weights(CONVOLVED)
    h = (noise(CONVOLVED, 5) @ w["into"] + w["into_offset"]).reshape(5, 2, 8)
    for layer in range(2):
        h = np.where(h > 0, h, 0.01 * h)
        h = transposed(h, w[f"kernel_{layer}"]) + w[f"offset_{layer}"]
    found = CONVOLVED.draw(w, KEY, 5)
    assert found.means.shape == (5, 8, 3)
    np.testing.assert_allclose(found.means, sigmoid(h), rtol=0, atol=1e-4)


@pytest.mark.parametrize("network", [DENSE, CONVOLVED], ids=["dense", "spike-gan"])
def test_spikes_are_drawn_at_the_rate_of_the_start_where_noise_is_cut_off(network):
    w = network.initial(0.2, seed=3)
    w["into"] = np.zeros_like(w["into"])
    np.testing.assert_allclose(network.draw(w, KEY, 2).means, 0.2, rtol=1e-6)
    count = 4096
    spikes = sample(network, w, count, seed=1)
    assert spikes.shape == (count, network.bins, network.neurons)
    # five deviations for every bin and neuron; independent, so pairs too
    flat = spikes.reshape(count, -1).astype(float)
    assert (np.abs(flat.mean(axis=0) - 0.2) < 5 * math.sqrt(0.2 * 0.8 / count)).all()
    products = flat.T @ flat / count
    pairs = products[~np.eye(len(products), dtype=bool)]
    assert (np.abs(pairs - 0.04) < 5 * math.sqrt(0.04 * 0.96 / count)).all()


@pytest.mark.parametrize("network", [DENSE, CONVOLVED], ids=["dense", "spike-gan"])
def test_every_weight_has_a_slope_and_spikes_have_that_of_their_probabilities(network):
    first = network.initial(0.2, seed=3)
    assert all(value.dtype == np.float32 for value in first.values())

    @jax.jit
    def slopes(weights):
        def totals(weights):
            found = network.draw(weights, KEY, 20)
            return found.spikes.sum(), found.means.sum()

        return jax.jacrev(totals)(weights)

    by_spikes, by_means = slopes(first)
    for name in first:
        np.testing.assert_allclose(by_spikes[name], by_means[name], rtol=1e-5, atol=1e-6)
        assert np.isfinite(by_means[name]).all()
        assert np.abs(by_means[name]).max() > 1e-4, name
    found = network.draw(first, KEY, 20)
    assert found.pairs is None
    assert set(np.unique(np.round(found.spikes, 6))) == {0, 1}
    other = network.initial(0.2, seed=4)
    assert (other["into"] != first["into"]).any()
