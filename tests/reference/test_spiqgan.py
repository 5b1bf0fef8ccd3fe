"""The spike generator's kernel against PennyLane, Qiskit, matrices written out and closed forms."""

from __future__ import annotations

import math
from functools import partial, reduce
from itertools import product

import numpy as np
import pytest

jax = pytest.importorskip("jax", reason="the spike generator needs qbrain[spiqgan]")
qml = pytest.importorskip("pennylane", reason="the spike generator needs qbrain[spiqgan]")

import jax.numpy as jnp
from pennylane import numpy as pnp
from qiskit.quantum_info import Statevector

from qbrain.circuits.spiqgan import SpikeGenerator, bin_operations, window_operations
from qbrain.circuits.spiqgan_qiskit import export_bin
from qbrain.reference.spiqgan.generator import (
    Draw,
    SpiQGAN,
    bin_states,
    draw,
    expectations,
    initial_weights,
    latent_noise,
    sample,
    straight_through,
    word_probabilities,
)

# this kind compiles in a fraction of the default one's time
KEY = jax.random.key(0, impl="rbg")
ANGLES = ("noise", "rotation", "phase")
NAMES = ("neurons", "bins", "layers", "weights_per", "memory", "readout", "entangling")


def circuit(model):
    """The same generator as the circuits have it."""
    return SpikeGenerator(**{name: getattr(model, name) for name in NAMES})


def drawn(model, seed, samples=3):
    """Weights, and noise (samples, bins, qubits), in double precision."""
    rng = np.random.default_rng(seed)
    weights = {name: rng.normal(size=s) for name, s in circuit(model).shapes().items()}
    if "persistence" in weights:
        weights["persistence"] = rng.uniform(0.2, 0.8, model.qubits)
    return weights, rng.normal(size=(samples, model.bins, model.qubits))


@pytest.fixture
def double():
    with jax.enable_x64(True):
        yield


# ------------------------------------------------------- matrices, neuron 0 leftmost in kron


def turned(angle, phase):
    """RY, then RZ."""
    c, s = math.cos(angle / 2), math.sin(angle / 2)
    return np.diag([np.exp(-0.5j * phase), np.exp(0.5j * phase)]) @ np.array([[c, -s], [s, c]])


def cnot(control, target, n):
    identity, x = np.eye(2), np.array([[0, 1], [1, 0]])
    parts = []
    for value in (0, 1):
        factors = [identity] * n
        factors[control] = np.diag([1 - value, value])
        if value:
            factors[target] = x
        parts.append(reduce(np.kron, factors))
    return sum(parts)


def block(model, weights, noise, t):
    """Unitary of one bin's block."""
    n, q = model.neurons, model.qubits
    s = t if model.weights_per == "bin" else 0
    w, theta, phi = (weights[name][s] for name in ANGLES)
    pairs = {1: [], 2: [(0, 1)]}.get(n, [(i, (i + 1) % n) for i in range(n)])
    pairs = pairs + [(n + m, m % n) for m in range(model.memory)]
    unitary = np.eye(2**q)
    for k in range(model.layers):
        gates = [turned(w[k, i] * noise[i] + theta[k, i], phi[k, i]) for i in range(q)]
        unitary = reduce(np.kron, gates) @ unitary
        for pair in pairs if model.entangling else []:
            unitary = cnot(*pair, q) @ unitary
    return unitary


def words_of_window(model, weights, noise):
    """P of all windows given the noise, (2^(N T),): words measured bin by bin, memory kept."""
    words, kept = 2**model.neurons, 2**model.memory
    branches = np.eye(1, kept, dtype=complex)  # amplitudes of the memory, one row a history
    for t in range(model.bins):
        columns = block(model, weights, noise[t], t)[:, :kept]
        branches = (branches @ columns.T).reshape(-1, kept)
    chance = (np.abs(branches) ** 2).sum(axis=1)
    assert chance.size == words**model.bins
    return chance


def windows_given_noise(model, weights, noise):
    """P of all windows for either readout; the first bin's first neuron most significant."""
    chance = words_of_window(model, weights, noise)
    if model.readout == "words":
        return chance
    spikes = np.array(list(product((0, 1), repeat=model.bins * model.neurons)))
    z = (chance @ (1 - 2 * spikes)).reshape(model.bins, model.neurons)
    p = 1 / (1 + np.exp(-weights["gain"] * z - weights["offset"]))
    return np.prod(np.where(spikes == 1, p.ravel(), 1 - p.ravel()), axis=1)


# ----------------------------------------------------------------------------- PennyLane


def by_pennylane(model, weights, noise, direction):
    """P(word) (samples, bins, 2^N), and slopes of Σ direction·P along w, θ, φ and the noise."""
    generator = circuit(model)

    @qml.qnode(qml.device("default.qubit", wires=model.qubits), diff_method="backprop")
    def words(w, theta, phi, noise, t):
        bin_operations(generator, dict(zip(ANGLES, (w, theta, phi), strict=True)), noise, t)
        return qml.probs(wires=range(model.neurons))

    def scalar(w, theta, phi, noise):
        found = [words(w, theta, phi, noise[:, t], t) for t in range(model.bins)]
        return (direction * pnp.stack(found, axis=1)).sum()

    held = [pnp.array(weights[name], requires_grad=True) for name in ANGLES]
    held.append(pnp.array(noise, requires_grad=True))
    found = [np.asarray(words(*held[:3], held[3][:, t], t)) for t in range(model.bins)]
    return np.stack(found, axis=1), qml.grad(scalar)(*held)


@partial(jax.jit, static_argnums=0)
def by_kernel(model, weights, noise, direction):
    """The same of the kernel, the direction on P(word) or on ⟨Z⟩ by its shape."""

    def scalar(weights, noise):
        words = jnp.transpose(word_probabilities(model, weights, noise), (2, 1, 0))
        z = expectations(model, weights, noise)
        along = z if model.weights_per == "recurrent" else words
        return (direction * along).sum(), (words, z)

    return jax.grad(scalar, argnums=(0, 1), has_aux=True)(weights, noise)


@pytest.mark.parametrize(
    "model",
    [
        SpiQGAN(1, 2, 2),
        SpiQGAN(2, 2, 3),
        SpiQGAN(3, 2, 2, "shared"),
        SpiQGAN(3, 1, 2, entangling=False),
        SpiQGAN(4, 2, 2, "shared", readout="words"),
        SpiQGAN(8, 1, 5),
    ],
    ids=str,
)
def test_words_expectations_and_every_slope_are_pennylanes(model, double):
    weights, noise = drawn(model, seed=model.neurons)
    direction = np.random.default_rng(5).normal(size=(len(noise), model.bins, 2**model.neurons))
    wanted, slopes = by_pennylane(model, weights, noise, direction)
    given = {name: weights[name] for name in ANGLES}
    (by_weight, by_noise), (words, z) = by_kernel(model, given, noise, direction)
    np.testing.assert_allclose(words, wanted, rtol=0, atol=1e-12)
    signs = 1 - 2 * np.array(list(product((0, 1), repeat=model.neurons)))
    np.testing.assert_allclose(z, wanted @ signs, rtol=0, atol=1e-12)
    for name, slope in zip(ANGLES, slopes, strict=False):
        np.testing.assert_allclose(by_weight[name], slope, rtol=0, atol=1e-10, err_msg=name)
    np.testing.assert_allclose(by_noise, slopes[3], rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    "model",
    [
        SpiQGAN(1, 3, 2, "recurrent", 1),
        pytest.param(SpiQGAN(2, 2, 2, "recurrent", 2), marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_recurrent_expectations_and_slopes_are_those_of_the_measured_window(model, double):
    weights, noise = drawn(model, seed=3, samples=2)
    direction = np.random.default_rng(6).normal(size=(2, model.bins, model.neurons))
    generator = circuit(model)

    @qml.qnode(qml.device("default.qubit"), diff_method="backprop")
    def outcomes(w, theta, phi, noise):
        named = dict(zip(ANGLES, (w, theta, phi), strict=True))
        measured = window_operations(generator, named, noise)
        return [qml.expval(outcome) for outcomes in measured for outcome in outcomes]

    def expected(w, theta, phi, noise):
        each = [1 - 2 * pnp.stack(outcomes(w, theta, phi, z)) for z in noise]
        return pnp.stack(each).reshape(direction.shape)

    held = [pnp.array(weights[name], requires_grad=True) for name in ANGLES]
    held.append(pnp.array(noise, requires_grad=True))
    slopes = qml.grad(lambda *held: (direction * expected(*held)).sum())(*held)
    given = {name: weights[name] for name in ANGLES}
    (by_weight, by_noise), (_, z) = by_kernel(model, given, noise, direction)
    np.testing.assert_allclose(z, expected(*held), rtol=0, atol=1e-12)
    for name, slope in zip(ANGLES, slopes, strict=False):
        np.testing.assert_allclose(by_weight[name], slope, rtol=0, atol=1e-10, err_msg=name)
    np.testing.assert_allclose(by_noise, slopes[3], rtol=0, atol=1e-10)


def test_recurrent_words_are_the_marginals_of_the_window(double):
    model = SpiQGAN(2, 3, 2, "recurrent", 2)
    weights, noise = drawn(model, seed=8, samples=2)
    found = np.asarray(word_probabilities(model, weights, noise))
    for sample_, given in enumerate(noise):
        joint = words_of_window(model, weights, given).reshape((4,) * 3)
        for t in range(3):
            others = tuple(axis for axis in range(3) if axis != t)
            np.testing.assert_allclose(
                found[:, t, sample_], joint.sum(axis=others), rtol=0, atol=1e-13
            )


def test_single_precision_is_within_its_rounding():
    model = SpiQGAN(4, 2, 5)
    weights, noise = drawn(model, seed=2)
    single = expectations(
        model,
        {name: jnp.asarray(value, jnp.float32) for name, value in weights.items()},
        jnp.asarray(noise, jnp.float32),
    )
    assert single.dtype == jnp.float32
    with jax.enable_x64(True):
        exact = np.asarray(expectations(model, weights, noise))
    # 45 gates of about 4 roundings each
    np.testing.assert_allclose(single, exact, rtol=0, atol=180 * np.finfo(np.float32).eps)


# -------------------------------------------------------------------------------- Qiskit


@pytest.mark.parametrize(
    "model",
    [
        SpiQGAN(1, 2, 2),
        SpiQGAN(3, 2, 2),
        SpiQGAN(4, 1, 2, "shared", entangling=False),
        SpiQGAN(2, 2, 2, "recurrent", 1),
        SpiQGAN(2, 2, 2, "recurrent", 3),
    ],
    ids=str,
)
def test_states_of_bins_are_qiskits(model):
    for seed in range(3):
        weights, noise = drawn(model, seed, samples=2)
        rng = np.random.default_rng([seed, 1])
        memory = rng.normal(size=(2, 2, model.bins, 2**model.memory))
        memory = memory[0] + 1j * memory[1]
        memory /= np.linalg.norm(memory, axis=-1, keepdims=True)
        silent = np.eye(1, 2**model.neurons)[0]
        for given in (None, memory) if model.memory else (None,):
            found = bin_states(model, weights, noise, given)
            assert found.dtype == np.complex128
            for s, t in np.ndindex(2, model.bins):
                first = np.eye(1, 2**model.memory)[0] if given is None else given[s, t]
                # memory qubits come after the neurons, so they are the more significant
                start = Statevector(np.kron(first, silent))
                wanted = start.evolve(export_bin(circuit(model), weights, noise[s, t], t))
                np.testing.assert_allclose(found[s, t], wanted.data, rtol=0, atol=1e-13)


# ------------------------------------------------------------------------------- samples

SAMPLED = [
    SpiQGAN(2, 2, 2, readout="words"),
    SpiQGAN(1, 2, 2, "shared"),
    SpiQGAN(1, 2, 2, "recurrent", 1, readout="words"),
    pytest.param(SpiQGAN(1, 2, 2, "recurrent", 1), marks=pytest.mark.slow),
]


def averaged_over_noise(model, weights):
    """P of all windows: Gauss and Hermite's rule for each normal number that a window takes."""
    per_bin = model.weights_per == "bin"
    numbers = model.qubits * (1 if per_bin else model.bins)
    nodes, shares = np.polynomial.hermite_e.hermegauss(12 if numbers <= 2 else 6)
    shares = shares / shares.sum()
    total = np.zeros(2 ** (model.neurons * model.bins))
    for at in product(range(len(nodes)), repeat=numbers):
        fresh = nodes[list(at)].reshape(-1, model.qubits)
        z = [fresh[0]]
        for t in range(1, model.bins):
            rho = None if per_bin else weights["persistence"]
            z.append(fresh[0] if per_bin else rho * z[-1] + np.sqrt(1 - rho**2) * fresh[t])
        total += shares[list(at)].prod() * windows_given_noise(model, weights, z)
    return total


@pytest.mark.parametrize("model", SAMPLED, ids=str)
def test_windows_come_as_often_as_they_should(model):
    weights, _ = drawn(model, seed=1)
    weights["noise"] = 0.5 * weights["noise"]  # few nodes are exact for these
    wanted = averaged_over_noise(model, weights)
    assert wanted.sum() == pytest.approx(1, abs=1e-12)
    count = 8 * 4096
    spikes = sample(model, weights, count, seed=2).reshape(count, -1)
    index = spikes @ (1 << np.arange(spikes.shape[1])[::-1])
    found = np.bincount(index, minlength=len(wanted)) / count
    # five deviations, 1 in 10^6 each for at most 16 windows
    assert (np.abs(found - wanted) < 5 * np.sqrt(wanted * (1 - wanted) / count) + 1e-6).all()


def test_the_memory_follows_what_was_measured():
    # θ = π/2 on neuron and memory, then CNOT memory → neuron: the neuron of the first bin tells
    # nothing, but its measurement leaves the memory in the state that the second turns over
    model = SpiQGAN(1, 3, 2, "recurrent", 1, readout="words")
    weights, _ = drawn(model, seed=12)
    weights["noise"] = np.zeros_like(weights["noise"])
    wanted = words_of_window(model, weights, np.zeros((3, 2)))
    joint = wanted.reshape(2, 2, 2)
    apart = np.einsum("i,j,k->ijk", joint.sum((1, 2)), joint.sum((0, 2)), joint.sum((0, 1)))
    assert np.abs(joint - apart).max() > 0.02  # else the memory would not matter here
    count = 4 * 4096
    spikes = sample(model, weights, count, seed=3)[:, :, 0]
    found = np.bincount(spikes @ np.array([4, 2, 1]), minlength=8) / count
    assert (np.abs(found - wanted) < 5 * np.sqrt(wanted * (1 - wanted) / count)).all()


@pytest.mark.parametrize("model", [SAMPLED[0], SAMPLED[2]], ids=str)
def test_samples_are_repeatable_and_the_first_do_not_depend_on_the_rest(model):
    weights, _ = drawn(model, seed=1)
    many = sample(model, weights, 4100, seed=7)
    assert many.shape == (4100, model.bins, model.neurons)
    assert many.dtype == np.uint8
    assert set(np.unique(many)) == {0, 1}
    np.testing.assert_array_equal(sample(model, weights, 10, seed=7), many[:10])
    np.testing.assert_array_equal(sample(model, weights, 4100, seed=7), many)
    assert (sample(model, weights, 4100, seed=8) != many).any()
    assert (many[:4] != many[4096:]).any()  # the second part is drawn anew
    assert sample(model, weights, 0, seed=7).shape == (0, model.bins, model.neurons)


# -------------------------------------------------------------------------------- slopes


@pytest.mark.parametrize("readout", ["sigmoid", "words"])
def test_slopes_of_spikes_are_those_of_their_probabilities(readout, double):
    model = SpiQGAN(2, 2, 2, "shared", readout=readout)
    weights, _ = drawn(model, seed=1)

    @jax.jit
    def slopes(weights):
        found, pull = jax.vjp(lambda weights: draw(model, weights, KEY, 50), weights)
        each, none = jnp.arange(200.0).reshape(50, 2, 2), jnp.zeros((50, 2, 2))
        pairs = jax.tree.map(jnp.zeros_like, found.pairs)
        return found, pull(Draw(each, none, pairs))[0], pull(Draw(none, each, pairs))[0]

    found, by_spikes, by_means = slopes(weights)
    assert set(np.unique(np.round(found.spikes, 12))) == {0, 1}
    assert found.means.shape == (50, 2, 2)
    for name in weights:
        np.testing.assert_array_equal(by_spikes[name], by_means[name])
        assert np.abs(by_means[name]).max() > 1e-3, name


def test_straight_through_is_the_one_value_and_the_other_slope():
    value, slope = jax.value_and_grad(lambda x: straight_through(jnp.round(x), x**2))(0.7)
    assert value == pytest.approx(1, abs=1e-6)
    assert slope == pytest.approx(1.4)


def test_slopes_of_trajectories_are_those_of_probabilities_given_the_past(double):
    model = SpiQGAN(1, 2, 2, "recurrent", 1, readout="words")
    weights, _ = drawn(model, seed=5)
    weights["noise"] = np.zeros_like(weights["noise"])
    count = 64

    @jax.jit
    def slopes(weights):
        found, pull = jax.vjp(lambda weights: draw(model, weights, KEY, count).spikes, weights)
        each = [jnp.zeros_like(found).at[:, t].set(1) for t in range(2)]
        return found, *[pull(direction)[0] for direction in each]

    spikes, first, second = slopes(weights)
    ones = int(np.round(spikes[:, 0, 0].sum()))
    assert 0 < ones < count

    def likely(weights):
        """Sum of P(x_0 = 1), and of P(x_1 = 1 | x_0) as x_0 was drawn."""
        joint = words_of_window(model, weights, np.zeros((2, 2))).reshape(2, 2)
        given = joint[:, 1] / joint.sum(axis=1)
        return np.array([count * joint[1].sum(), (count - ones) * given[0] + ones * given[1]])

    step = 1e-5
    for name in ("rotation", "phase"):
        for at in np.ndindex(weights[name].shape):
            sides = []
            for sign in (1, -1):
                moved = {key: value.copy() for key, value in weights.items()}
                moved[name][at] += sign * step
                sides.append(likely(moved))
            wanted = (sides[0] - sides[1]) / (2 * step)
            found = [first[name][at], second[name][at]]
            np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6)  # step² and rounding


def test_pairs_are_probabilities_of_two_spikes_of_the_measured_word(double):
    model = SpiQGAN(2, 2, 2, readout="words")
    weights, _ = drawn(model, seed=9)
    weights["noise"] = np.zeros_like(weights["noise"])
    found = jax.jit(lambda weights: draw(model, weights, KEY, 4))(weights)
    for t in range(2):
        p = (np.abs(block(model, weights, np.zeros(2), t)[:, 0]) ** 2).reshape(2, 2)
        wanted = [[p[1].sum(), p[1, 1]], [p[1, 1], p[:, 1].sum()]]
        np.testing.assert_allclose(found.pairs[:, t], [wanted] * 4, rtol=0, atol=1e-13)
        np.testing.assert_allclose(found.means[:, t], [np.diag(wanted)] * 4, rtol=0, atol=1e-13)


# --------------------------------------------------------------------------------- noise


def test_noise_is_normal_and_remembers_as_persistence_says():
    model, count = SpiQGAN(3, 4, 1, "shared"), 40_000
    rho = np.array([0.0, 0.6, 0.95])
    z = np.asarray(latent_noise(model, {"persistence": rho}, KEY, count))
    assert z.shape == (count, 4, 3)
    assert np.abs(z.mean(axis=0)).max() < 5 / math.sqrt(count)
    assert np.abs((z**2).mean(axis=0) - 1).max() < 5 * math.sqrt(2 / count)
    for lag in (1, 2, 3):
        for t in range(4 - lag):
            found = (z[:, t] * z[:, t + lag]).mean(axis=0)
            # a product of two standard normals of correlation c has variance 1 + c²
            deviation = np.sqrt((1 + rho ** (2 * lag)) / count)
            assert (np.abs(found - rho**lag) < 5 * deviation).all()
    across = np.abs(np.einsum("sti,stj->tij", z, z) / count - np.eye(3) * (z**2).mean(0)[:, None])
    assert across.max() < 5 / math.sqrt(count)


def test_noise_of_weights_a_bin_is_the_same_in_all_bins():
    z = np.asarray(latent_noise(SpiQGAN(3, 4), {}, KEY, 5))
    assert z.shape == (5, 4, 3)
    np.testing.assert_array_equal(z, np.repeat(z[:, :1], 4, axis=1))
    assert len(np.unique(z)) == 15


# ----------------------------------------------------------------------------- the start


@pytest.mark.parametrize(
    "model", [SpiQGAN(3, 4), SpiQGAN(3, 4, 2, "shared"), SpiQGAN(2, 3, 5, "recurrent", 2)], ids=str
)
@pytest.mark.parametrize("readout", ["sigmoid", "words"])
def test_first_weights_have_the_circuits_shapes(model, readout):
    model = SpiQGAN(**{name: getattr(model, name) for name in NAMES} | {"readout": readout})
    first = initial_weights(model, 0.1, seed=0)
    shapes = {name: value.shape for name, value in first.items()}
    assert shapes == circuit(model).shapes()
    assert all(value.dtype == np.float32 for value in first.values())
    again = initial_weights(model, 0.1, seed=0)
    other = initial_weights(model, 0.1, seed=1)
    for name in first:
        np.testing.assert_array_equal(first[name], again[name])
    assert (first["noise"] != other["noise"]).any()


def test_a_silent_circuit_spikes_at_the_wanted_rate_or_never():
    model = SpiQGAN(2, 2, 2)
    first = initial_weights(model, 0.05, seed=0)
    still = {name: np.zeros_like(first[name]) for name in ANGLES}
    means = draw(model, first | still, KEY, 3).means
    np.testing.assert_allclose(means, np.full((3, 2, 2), 0.05), rtol=1e-5)
    assert not sample(SAMPLED[0], still, 100, seed=0).any()
