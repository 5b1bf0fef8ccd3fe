"""The generator in PennyLane against matrices written out, closed forms and its own symmetries."""

from __future__ import annotations

import math
from functools import reduce
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

qml = pytest.importorskip("pennylane", reason="the spike generator needs qbrain[spiqgan]")

from qbrain.circuits.arguments import CircuitError
from qbrain.circuits.spiqgan import (
    QUANTUM_WEIGHTS,
    SpikeGenerator,
    SpikeGeneratorError,
    bin_operations,
    bin_tape,
    check_bin,
    check_bin_noise,
    check_noise,
    check_weights,
    parameter_count,
    window_operations,
)

SEEDS = st.integers(0, 2**32 - 1)


def draw(generator, seed, scale=1.0):
    """Weights and the noise of one window."""
    rng = np.random.default_rng(seed)
    weights = {name: scale * rng.normal(size=s) for name, s in generator.shapes().items()}
    if "persistence" in weights:
        weights["persistence"] = rng.uniform(0.1, 0.9, generator.latents)
    return weights, rng.normal(size=(generator.bins, generator.latents))


# ------------------------------------------------------- matrices, neuron 0 leftmost in kron


def ry(a):
    return np.array([[math.cos(a / 2), -math.sin(a / 2)], [math.sin(a / 2), math.cos(a / 2)]])


def rz(a):
    return np.diag([np.exp(-0.5j * a), np.exp(0.5j * a)])


def cnot(control, target, n):
    matrix = np.zeros((2**n, 2**n))
    for bits in product((0, 1), repeat=n):
        after = [b ^ (bits[control] & (i == target)) for i, b in enumerate(bits)]
        matrix[int("".join(map(str, after)), 2), int("".join(map(str, bits)), 2)] = 1
    return matrix


def cnots(generator):
    """Control and target of a layer's CNOTs: the neurons' ring, then memory on neurons."""
    n = generator.neurons
    ring = {1: [], 2: [(0, 1)]}.get(n, [(q, (q + 1) % n) for q in range(n)])
    return ring + [(n + m, m % n) for m in range(generator.memory)]


def block(generator, weights, noise, t):
    """The unitary of one block."""
    n = generator.qubits
    s = t if generator.weights_per == "bin" else 0
    w, theta, phi = (weights[name][s] for name in QUANTUM_WEIGHTS)
    unitary = np.eye(2**n)
    for k in range(generator.layers):
        turns = [rz(phi[k, q]) @ ry(w[k, q] * noise[q] + theta[k, q]) for q in range(n)]
        unitary = reduce(np.kron, turns) @ unitary
        for control, target in cnots(generator) if generator.entangling else []:
            unitary = cnot(control, target, n) @ unitary
    return unitary


def window_words(generator, weights, noise):
    """Joint probabilities of all words of a window, shape (2^N,)·T; branches carry amplitudes."""
    words, kept = 2**generator.neurons, 2**generator.memory
    memory = np.eye(1, kept, dtype=complex)  # one row for each history so far
    for t in range(generator.bins):
        start = np.zeros((len(memory), words, kept), dtype=complex)
        start[:, 0] = memory
        after = start.reshape(len(memory), -1) @ block(generator, weights, noise[t], t).T
        memory = after.reshape(-1, kept)
    return (np.abs(memory) ** 2).sum(axis=1).reshape((words,) * generator.bins)


def mean_z(words, neurons):
    """⟨Z_i⟩ of a distribution over words."""
    cube = words.reshape((2,) * neurons)
    ones = [cube.take(1, axis=i).sum() for i in range(neurons)]
    return 1 - 2 * np.array(ones)


# ------------------------------------------------------------------------------ running


def bin_words(generator, weights, noise, t=0):
    device = qml.device("default.qubit")
    return np.asarray(qml.execute([bin_tape(generator, weights, noise, t)], device)[0])


def run_window(generator, weights, noise):
    @qml.qnode(qml.device("default.qubit"), mcm_method="deferred")
    def circuit():
        outcomes = window_operations(generator, weights, noise)
        return qml.probs(op=[m for bin in outcomes for m in bin])

    return np.asarray(circuit()).reshape((2**generator.neurons,) * generator.bins)


def run_window_means(generator, weights, noise):
    @qml.qnode(qml.device("default.qubit"), mcm_method="deferred")
    def circuit():
        outcomes = window_operations(generator, weights, noise)
        return [qml.expval(m) for bin in outcomes for m in bin]

    return 1 - 2 * np.asarray(circuit()).reshape(generator.bins, generator.neurons)


# ------------------------------------------------------------------------------ one bin


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 4), st.integers(1, 4), st.sampled_from(["bin", "shared"]), st.booleans(), SEEDS
)
def test_words_of_a_bin_are_those_of_the_matrices(neurons, layers, kind, entangling, seed):
    generator = SpikeGenerator(neurons, 3, layers, kind, entangling=entangling)
    weights, noise = draw(generator, seed)
    for t in range(3):
        expected = np.abs(block(generator, weights, noise[t], t)[:, 0]) ** 2
        found = bin_words(generator, weights, noise[t], t)
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_wire_0_is_neuron_0_and_the_most_significant_bit():
    generator = SpikeGenerator(3, 1, 1, entangling=False)
    weights, _ = draw(generator, 0, scale=0.0)
    weights["rotation"][0, 0] = [math.pi, 0.0, 0.0]
    found = bin_words(generator, weights, np.zeros(3))
    np.testing.assert_allclose(found, np.eye(8)[0b100], atol=1e-15)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 6), SEEDS)
def test_one_layer_has_products_of_cosines(neurons, seed):
    """CNOT(c→t) turns Z_t to Z_c Z_t: ⟨Z_i⟩ = Π_{j≤i} cos a_j, and neuron 0 the ring's last."""
    generator = SpikeGenerator(neurons, 1, 1)
    weights, noise = draw(generator, seed)
    cosines = np.cos(weights["noise"][0, 0] * noise[0] + weights["rotation"][0, 0])
    expected = np.cumprod(cosines)
    if neurons > 2:
        expected[0] = np.prod(cosines[1:])
    found = mean_z(bin_words(generator, weights, noise[0]), neurons)
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("shape", [(5,), (1,)])
def test_a_broadcast_bin_is_its_samples(shape):
    generator = SpikeGenerator(3, 2, 2)
    weights, _ = draw(generator, 3)
    noise = np.random.default_rng(4).normal(size=(*shape, 3))
    tape = bin_tape(generator, weights, noise, 1)
    assert tape.batch_size == shape[0]
    found = bin_words(generator, weights, noise, 1)
    assert found.shape == (*shape, 8)
    for z, words in zip(noise, found, strict=True):
        np.testing.assert_allclose(words, bin_words(generator, weights, z, 1), atol=1e-14)


# ------------------------------------------------------------------------------ symmetries


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 4), st.integers(1, 3), SEEDS)
def test_changes_that_no_word_sees(neurons, layers, seed):
    generator = SpikeGenerator(neurons, 1, layers, readout="words")
    weights, noise = draw(generator, seed)
    words = bin_words(generator, weights, noise[0])
    turned = weights["rotation"].copy()
    turned[0, layers // 2, 0] += 2 * math.pi
    last = weights["phase"].copy()
    last[0, -1] += 1.7
    same = [
        weights | {"phase": -weights["phase"]},  # the complex conjugate
        weights | {"rotation": turned},  # a global sign
        weights | {"phase": last},  # diagonal, and after it only permutations
    ]
    for other in same:
        np.testing.assert_allclose(bin_words(generator, other, noise[0]), words, atol=1e-12)
    flipped = weights | {"noise": -weights["noise"]}
    np.testing.assert_allclose(bin_words(generator, flipped, -noise[0]), words, atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(4)), SEEDS)
def test_without_entangling_neurons_are_independent_and_may_change_places(order, seed):
    generator = SpikeGenerator(4, 1, 3, readout="words", entangling=False)
    weights, noise = draw(generator, seed)
    words = bin_words(generator, weights, noise[0])
    p = (1 - mean_z(words, 4)) / 2
    alone = reduce(np.multiply.outer, [np.array([1 - q, q]) for q in p])
    np.testing.assert_allclose(words, alone.ravel(), atol=1e-12)
    moved = {name: weights[name][..., order] for name in weights}
    np.testing.assert_allclose(
        bin_words(generator, moved, noise[0][order]),
        alone.transpose(order).ravel(),
        atol=1e-12,
    )


@pytest.mark.parametrize("kind", ["bin", "shared", "recurrent"])
def test_small_weights_leave_every_neuron_silent(kind):
    """Σ_i P(neuron i spikes) ≤ (Σ |a| / 2)², for the norm of the state's change bounds it."""
    memory = int(kind == "recurrent")
    generator = SpikeGenerator(2, 2, 2, kind, memory, "words")
    weights, noise = draw(generator, 5, scale=1e-4)
    joint = run_window(generator, weights, noise)
    angles = [
        np.abs(weights["noise"][s] * noise[t] + weights["rotation"][s]).sum()
        for t, s in enumerate(range(2) if kind == "bin" else (0, 0))
    ]
    assert 0 < 1 - joint[0, 0] < (sum(angles) / 2) ** 2
    silent, _ = draw(generator, 5, scale=0.0)
    assert run_window(generator, silent, noise)[0, 0] == pytest.approx(1.0, abs=1e-14)


# ------------------------------------------------------------------------------ windows


@pytest.mark.parametrize(
    ("neurons", "memory", "bins", "layers"),
    [(1, 1, 2, 2), (1, 1, 3, 2), (1, 2, 3, 1), (2, 1, 2, 2), (2, 2, 2, 2), (2, 1, 3, 1)],
)
def test_joint_words_of_a_recurrent_window(neurons, memory, bins, layers):
    generator = SpikeGenerator(neurons, bins, layers, "recurrent", memory)
    weights, noise = draw(generator, 10 * neurons + bins)
    expected = window_words(generator, weights, noise)
    assert expected.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(run_window(generator, weights, noise), expected, atol=1e-12)
    means = run_window_means(generator, weights, noise)
    for t in range(bins):
        others = tuple(u for u in range(bins) if u != t)
        found = mean_z(expected.sum(axis=others), neurons)
        np.testing.assert_allclose(means[t], found, atol=1e-12)


@pytest.mark.parametrize("kind", ["bin", "shared"])
def test_a_window_without_memory_is_the_product_of_its_bins(kind):
    generator = SpikeGenerator(2, 3, 2, kind)
    weights, noise = draw(generator, 21)
    bins = [bin_words(generator, weights, noise[t], t) for t in range(3)]
    found = run_window(generator, weights, noise)
    np.testing.assert_allclose(found, np.einsum("a,b,c", *bins), atol=1e-12)


def test_memory_that_no_gate_reaches_leaves_bins_independent():
    generator = SpikeGenerator(2, 2, 2, "recurrent", 1, entangling=False)
    weights, noise = draw(generator, 22)
    found = run_window(generator, weights, noise)
    alone = SpikeGenerator(2, 2, 2, "shared", entangling=False)
    cut = {name: weights[name][..., :2] for name in QUANTUM_WEIGHTS}
    bins = [bin_words(alone, cut, noise[t, :2], t) for t in range(2)]
    np.testing.assert_allclose(found, np.outer(*bins), atol=1e-12)


def test_the_first_bin_of_a_recurrent_window_stands_alone():
    generator = SpikeGenerator(2, 2, 2, "recurrent", 1)
    weights, noise = draw(generator, 23)
    first = run_window(generator, weights, noise).sum(axis=1)
    np.testing.assert_allclose(bin_words(generator, weights, noise[0]), first, atol=1e-12)


@pytest.mark.parametrize("entangling", [True, False])
@pytest.mark.parametrize("size", [(1, 1, 1), (1, 1, 2), (1, 2, 1), (2, 1, 1), (2, 1, 2)])
def test_memory_is_carried_by_the_cnots_alone(size, entangling):
    neurons, memory, layers = size
    generator = SpikeGenerator(neurons, 2, layers, "recurrent", memory, "words", entangling)
    weights, noise = draw(generator, 31)
    joint = run_window(generator, weights, noise)
    product = np.outer(joint.sum(axis=1), joint.sum(axis=0))
    apart = np.abs(joint - product).max()
    assert apart > 1e-3 if entangling else apart < 1e-14


@settings(max_examples=25, deadline=None)
@given(st.data(), st.integers(1, 2), st.integers(1, 2), st.integers(1, 2))
def test_half_turns_are_a_classical_register(data, neurons, memory, layers):
    """RY(π) flips a bit up to a sign, CNOTs add bits: one word a bin, known without amplitudes."""
    generator = SpikeGenerator(neurons, 3, layers, "recurrent", memory, "words")
    n = generator.qubits
    flips = np.array(data.draw(st.lists(st.booleans(), min_size=layers * n, max_size=layers * n)))
    flips = flips.reshape(layers, n).astype(int)
    weights, noise = draw(generator, 41)
    weights |= {"noise": np.zeros((1, layers, n)), "rotation": math.pi * flips[None]}
    bits, expected = [0] * n, []
    for _ in range(3):
        for layer in flips:
            bits = [b ^ f for b, f in zip(bits, layer, strict=True)]
            for control, target in cnots(generator):
                bits[target] ^= bits[control]
        expected.append(sum(b << (neurons - 1 - i) for i, b in enumerate(bits[:neurons])))
        bits[:neurons] = [0] * neurons
    assert run_window(generator, weights, noise)[tuple(expected)] == pytest.approx(1.0, abs=1e-12)


# ------------------------------------------------------------------------------ gradients


def shifted(generator, weights, noise, cost):
    """dC/dw, dC/dθ, dC/dφ by the parameter-shift rule on the matrices."""
    gradients = {}
    for name in ("rotation", "phase"):
        gradients[name] = np.zeros_like(weights[name])
        for at in np.ndindex(weights[name].shape):
            step = np.zeros_like(weights[name])
            step[at] = math.pi / 2
            values = [
                cost @ np.abs(block(generator, weights | {name: w}, noise, 0)[:, 0]) ** 2
                for w in (weights[name] + step, weights[name] - step)
            ]
            gradients[name][at] = (values[0] - values[1]) / 2
    return gradients | {"noise": gradients["rotation"] * noise}


def test_autograd_differentiates_through_the_weights():
    generator = SpikeGenerator(3, 1, 2, readout="words")
    weights, noise = draw(generator, 51)
    cost = np.random.default_rng(52).normal(size=8)

    @qml.qnode(qml.device("default.qubit"), diff_method="backprop", interface="autograd")
    def words(w, theta, phi):
        bin_operations(generator, {"noise": w, "rotation": theta, "phase": phi}, noise[0], 0)
        return qml.probs(wires=range(3))

    traced = [qml.numpy.array(weights[name], requires_grad=True) for name in QUANTUM_WEIGHTS]
    found = qml.grad(lambda *a: qml.math.sum(cost * words(*a)), argnums=[0, 1, 2])(*traced)
    expected = shifted(generator, weights, noise[0], cost)
    for name, gradient in zip(QUANTUM_WEIGHTS, found, strict=True):
        np.testing.assert_allclose(gradient, expected[name], atol=1e-12, err_msg=name)


# PennyLane 0.45 asks jax whether it is tracing in a way jax 0.10 gives up
@pytest.mark.filterwarnings("ignore:jax.core.is_concrete is deprecated:DeprecationWarning")
def test_jax_differentiates_a_broadcast_bin():
    jax = pytest.importorskip("jax", reason="needs qbrain[spiqgan]")
    generator = SpikeGenerator(2, 1, 2, readout="words")
    weights, noise = draw(generator, 53)
    batch = np.stack([noise[0], -2 * noise[0]])
    cost = np.random.default_rng(54).normal(size=4)

    @qml.qnode(qml.device("default.qubit"), diff_method="backprop", interface="jax")
    def words(traced, z):
        bin_operations(generator, traced, z, 0)
        return qml.probs(wires=range(2))

    with jax.enable_x64(True):
        traced = {name: jax.numpy.asarray(weights[name]) for name in weights}
        gradient = jax.jit(jax.grad(lambda w, z: (words(w, z) @ cost).mean()))
        found = gradient(traced, jax.numpy.asarray(batch))
    each = [shifted(generator, weights, z, cost) for z in batch]
    for name in QUANTUM_WEIGHTS:
        expected = (each[0][name] + each[1][name]) / 2
        np.testing.assert_allclose(found[name], expected, atol=1e-12, err_msg=name)


# ------------------------------------------------------------------------------ counts


@given(
    st.integers(1, 9),
    st.integers(1, 9),
    st.integers(1, 5),
    st.integers(1, 3),
    st.sampled_from(["bin", "shared", "recurrent"]),
    st.sampled_from(["sigmoid", "words"]),
)
def test_parameters_are_counted_and_linear_in_neurons(n, bins, layers, m, kind, readout):
    memory = m if kind == "recurrent" else 0
    count = parameter_count(SpikeGenerator(n, bins, layers, kind, memory, readout))
    sets = bins if kind == "bin" else 1
    assert count.quantum == 3 * sets * layers * (n + memory)
    persistence = 0 if kind == "bin" else n + memory
    assert count.classical == 2 * sets * n * (readout == "sigmoid") + persistence
    assert count.total == count.quantum + count.classical
    sizes = [
        parameter_count(SpikeGenerator(n + k, bins, layers, kind, memory, readout)).total
        for k in range(3)
    ]
    assert sizes[2] - sizes[1] == sizes[1] - sizes[0]


def test_shapes_by_kind():
    assert SpikeGenerator(4, 8).shapes() == {
        "noise": (8, 5, 4),
        "rotation": (8, 5, 4),
        "phase": (8, 5, 4),
        "gain": (8, 4),
        "offset": (8, 4),
    }
    shared = SpikeGenerator(4, 8, 3, "shared", readout="words")
    assert shared.shapes() == dict.fromkeys(QUANTUM_WEIGHTS, (1, 3, 4)) | {"persistence": (4,)}
    recurrent = SpikeGenerator(4, 8, 3, "recurrent", 2, "words")
    assert recurrent.shapes() == dict.fromkeys(QUANTUM_WEIGHTS, (1, 3, 6)) | {"persistence": (6,)}
    assert (recurrent.qubits, recurrent.latents, recurrent.sets) == (6, 6, 1)


# ------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"neurons": 0}, "neurons: wanted an integer >= 1, got 0"),
        ({"neurons": 2.0}, "neurons: wanted an integer >= 1, got 2.0"),
        ({"bins": True}, "bins: wanted an integer >= 1, got True"),
        ({"layers": "3"}, "layers: wanted an integer >= 1, got '3'"),
        ({"memory": -1}, "memory: wanted an integer >= 0, got -1"),
        ({"weights_per": "cell"}, "weights_per: wanted one of bin, shared, recurrent, got 'cell'"),
        ({"readout": "z"}, "readout: wanted one of sigmoid, words, got 'z'"),
        ({"entangling": 1}, "entangling: wanted True or False, got 1"),
        ({"memory": 1}, "memory: wanted 0 for weights per bin, got 1"),
        (
            {"weights_per": "recurrent"},
            "memory: wanted an integer >= 1 for recurrent weights, got 0",
        ),
    ],
)
def test_a_bad_form_is_named(arguments, words):
    with pytest.raises(SpikeGeneratorError) as caught:
        SpikeGenerator(**({"neurons": 2, "bins": 3} | arguments))
    assert str(caught.value) == words
    assert isinstance(caught.value, CircuitError)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"phase": None}, "weights['phase']: wanted real numbers, got object"),
        ({"gain": [["a", "b"]]}, "weights['gain']: wanted real numbers, got <U1"),
        ({"gain": [[1j, 0]]}, "weights['gain']: wanted real numbers, got complex128"),
        ({"gain": [[1.0], [1.0, 2.0]]}, "weights['gain']: wanted numbers, got rows of unequal"),
        ({"noise": np.ones((5, 2))}, "weights['noise']: wanted shape (1, 5, 2), got (5, 2)"),
        ({"offset": [[0, np.nan]]}, "weights['offset']: wanted finite numbers, got nan at (0, 1)"),
        ({"persistence": [0.5, 1.0]}, "weights['persistence']: wanted numbers in (0, 1), got 1"),
        ({"bias": [1.0]}, "weights: wanted noise, rotation, phase, gain, offset, persistence, got"),
    ],
)
def test_bad_weights_are_named(change, words):
    generator = SpikeGenerator(2, 3, weights_per="shared")
    weights, _ = draw(generator, 61)
    with pytest.raises(SpikeGeneratorError) as caught:
        check_weights(generator, weights | change)
    assert str(caught.value).startswith(words)
    assert "\n" not in str(caught.value)


def test_good_weights_come_back_as_doubles():
    generator = SpikeGenerator(2, 3)
    weights = {name: np.ones(shape, dtype=np.float32) for name, shape in generator.shapes().items()}
    checked = check_weights(generator, weights | {"gain": [[1, 2]] * 3})
    assert {array.dtype for array in checked.values()} == {np.dtype(float)}
    np.testing.assert_array_equal(checked["gain"], [[1.0, 2.0]] * 3)


def test_missing_weights_are_named():
    generator = SpikeGenerator(2, 3, readout="words")
    with pytest.raises(SpikeGeneratorError, match="wanted noise, rotation, phase, got none"):
        check_weights(generator, {})
    with pytest.raises(SpikeGeneratorError, match="weights: wanted arrays by name, got list"):
        check_weights(generator, [1.0])


def test_bad_noise_is_named():
    generator = SpikeGenerator(2, 3)
    assert check_noise(generator, np.zeros((5, 3, 2))).shape == (5, 3, 2)
    assert check_bin_noise(generator, np.zeros(2)).shape == (2,)
    for call, value, words in [
        (check_noise, np.zeros(2), "noise: wanted shape (…, 3, 2), got (2,)"),
        (check_noise, np.zeros((2, 3)), "noise: wanted shape (…, 3, 2), got (2, 3)"),
        (check_bin_noise, 1.0, "noise: wanted shape (…, 2), got ()"),
        (check_bin_noise, [0.0, np.inf], "noise: wanted finite numbers, got inf at (1,)"),
    ]:
        with pytest.raises(SpikeGeneratorError) as caught:
            call(generator, value)
        assert str(caught.value) == words


@pytest.mark.parametrize("bin", [-1, 3, 1.0, True])
def test_bins_that_are_not_there(bin):
    generator = SpikeGenerator(2, 3)
    weights, noise = draw(generator, 71)
    for call in (check_bin, lambda g, b: bin_tape(g, weights, noise[0], b)):
        with pytest.raises(SpikeGeneratorError, match=r"bin: wanted an integer in 0\.\.2, got"):
            call(generator, bin)


def test_later_bins_of_a_recurrent_generator_do_not_start_from_zero():
    generator = SpikeGenerator(1, 2, 1, "recurrent", 1)
    weights, noise = draw(generator, 72)
    with pytest.raises(SpikeGeneratorError, match="bin: wanted 0, the one bin"):
        bin_tape(generator, weights, noise[1], 1)
