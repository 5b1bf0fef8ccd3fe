"""The exported circuits: numbers bound later or before, PennyLane's states, whole windows."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit.quantum_info import Statevector
from qiskit_aer import AerSimulator

qml = pytest.importorskip("pennylane", reason="the spike generator needs qbrain[spiqgan]")

from qbrain.circuits.spiqgan import (
    SpikeGenerator,
    SpikeGeneratorError,
    bin_operations,
    window_operations,
)
from qbrain.circuits.spiqgan_qiskit import (
    bin_angles,
    bin_template,
    export_bin,
    window_angles,
    window_template,
)

SEEDS = st.integers(0, 2**32 - 1)


def draw(generator, seed, samples=1):
    """Weights, and noise of shape (samples, bins, latents)."""
    rng = np.random.default_rng(seed)
    weights = {name: rng.normal(size=shape) for name, shape in generator.shapes().items()}
    if "persistence" in weights:
        weights["persistence"] = rng.uniform(0.1, 0.9, generator.latents)
    return weights, rng.normal(size=(samples, generator.bins, generator.latents))


def pennylane_state(generator, weights, noise, t):
    """Amplitudes with wire 0 leftmost."""

    @qml.qnode(qml.device("default.qubit", wires=generator.qubits))
    def circuit():
        bin_operations(generator, weights, noise, t)
        return qml.state()

    return np.asarray(circuit())


def state(circuit):
    """Qiskit's amplitudes with qubit 0 leftmost."""
    bare = circuit.remove_final_measurements(inplace=False)
    amplitudes = Statevector(bare).data.reshape((2,) * bare.num_qubits)
    return amplitudes.transpose().ravel()


def wiring(circuit):
    """Every instruction: name, qubits, bits."""
    return [
        (
            instruction.operation.name,
            tuple(circuit.find_bit(qubit).index for qubit in instruction.qubits),
            tuple(circuit.find_bit(bit).index for bit in instruction.clbits),
        )
        for instruction in circuit.data
    ]


def histories(circuit):
    """Probability of every content of the classical bits, by projecting at each measurement."""
    branches = {0: Statevector.from_int(0, 2**circuit.num_qubits)}
    for instruction in circuit.data:
        qubits = [circuit.find_bit(qubit).index for qubit in instruction.qubits]
        name, after = instruction.operation.name, {}
        for bits, psi in branches.items():
            if name == "measure":
                (bit,) = (circuit.find_bit(b).index for b in instruction.clbits)
                for outcome in (0, 1):
                    projector = np.diag([1 - outcome, outcome])
                    after[bits | outcome << bit] = psi.evolve(projector, qubits)
            elif name == "reset":
                kept = psi.evolve(np.diag([1, 0]), qubits)
                flipped = psi.evolve(np.array([[0, 1], [0, 0]]), qubits)
                # a qubit just measured is in one of the two, so that a branch stays pure
                assert min(np.linalg.norm(kept.data), np.linalg.norm(flipped.data)) < 1e-12
                after[bits] = kept + flipped
            else:
                after[bits] = psi.evolve(instruction.operation, qubits)
        branches = after
    found = np.array([np.vdot(b.data, b.data).real for _, b in sorted(branches.items())])
    return found.reshape((2,) * circuit.num_clbits).transpose()  # bit 0 leftmost


# ------------------------------------------------------------------------------ one bin


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 4), st.integers(1, 4), st.sampled_from(["bin", "shared"]), st.booleans(), SEEDS
)
def test_template_export_and_pennylane_are_one_state(neurons, layers, kind, entangling, seed):
    generator = SpikeGenerator(neurons, 2, layers, kind, entangling=entangling)
    weights, noise = draw(generator, seed, samples=2)
    template = bin_template(generator)
    for t in range(2):
        angles = bin_angles(generator, weights, noise[:, t], t)
        for sample in range(2):
            z = noise[sample, t]
            bound = state(template.assign_parameters(angles[sample]))
            exported = state(export_bin(generator, weights, z, t))
            np.testing.assert_allclose(bound, exported, rtol=0, atol=1e-14)
            np.testing.assert_allclose(
                bound, pennylane_state(generator, weights, z, t), rtol=0, atol=1e-13
            )


def test_bits_are_neurons():
    generator = SpikeGenerator(3, 1, 1, entangling=False)
    template = bin_template(generator)
    assert [register.name for register in template.cregs] == ["meas"]
    weights, _ = draw(generator, 0)
    weights |= {"noise": np.zeros((1, 1, 3)), "rotation": [[[math.pi, 0.0, 0.0]]]}
    bound = template.assign_parameters(bin_angles(generator, weights, np.zeros((1, 3)), 0)[0])
    counts = AerSimulator(seed_simulator=1).run(bound, shots=10).result().get_counts()
    assert counts == {"001": 10}


def test_parameters_come_in_the_order_of_the_circuit():
    generator = SpikeGenerator(4, 2, 3)  # 24 angles: sorted as words, 10 would come before 2
    template = bin_template(generator)
    met = [p for instruction in template.data for p in instruction.operation.params]
    assert met == list(template.parameters)
    weights, noise = draw(generator, 1)
    (angles,) = bin_angles(generator, weights, noise[:, 1], 1)
    w, theta, phi = (weights[name][1] for name in ("noise", "rotation", "phase"))
    expected = np.stack([w * noise[0, 1] + theta, phi], axis=-1)
    np.testing.assert_allclose(angles, expected.ravel(), rtol=0, atol=1e-15)


def test_gates_are_those_of_the_definition():
    ring = [("cx", pair, ()) for pair in [(0, 1), (1, 2), (2, 0)]]
    layer = [(name, (q,), ()) for q in range(3) for name in ("ry", "rz")] + ring
    measured = [("measure", (q,), (q,)) for q in range(3)]
    assert wiring(bin_template(SpikeGenerator(3, 4, 2))) == layer * 2 + measured
    pair = wiring(bin_template(SpikeGenerator(2, 1, 1)))
    assert [entry for entry in pair if entry[0] == "cx"] == [("cx", (0, 1), ())]
    assert "cx" not in bin_template(SpikeGenerator(1, 1, 3)).count_ops()
    assert "cx" not in bin_template(SpikeGenerator(3, 1, 3, entangling=False)).count_ops()


def test_all_bins_have_one_circuit():
    generator = SpikeGenerator(3, 3, 2)
    weights, noise = draw(generator, 2)
    weights["noise"][1] = weights["rotation"][1] = weights["phase"][2] = 0.0  # nothing dropped
    wirings = [wiring(export_bin(generator, weights, noise[0, t], t)) for t in range(3)]
    assert wirings[0] == wirings[1] == wirings[2]
    assert wirings[0] + [("measure", (q,), (q,)) for q in range(3)] == wiring(
        bin_template(generator)
    )


def test_templates_are_handed_out_as_copies():
    generator = SpikeGenerator(2, 2)
    first = bin_template(generator)
    first.x(0)
    assert bin_template(generator) != first
    assert bin_template(generator) == bin_template(generator)
    assert bin_template(generator).parameters == first.parameters


# ------------------------------------------------------------------------------ windows


@pytest.mark.parametrize(
    ("neurons", "memory", "bins", "layers"),
    [(1, 1, 2, 2), (1, 1, 3, 3), (1, 2, 3, 1), (2, 1, 2, 2), (2, 2, 2, 2), (2, 1, 3, 2)],
)
def test_a_window_has_the_joint_words_of_pennylane(neurons, memory, bins, layers):
    generator = SpikeGenerator(neurons, bins, layers, "recurrent", memory)
    weights, noise = draw(generator, 10 * neurons + bins)

    @qml.qnode(qml.device("default.qubit"), mcm_method="deferred")
    def window():
        outcomes = window_operations(generator, weights, noise[0])
        return qml.probs(op=[m for bin in outcomes for m in bin])

    (angles,) = window_angles(generator, weights, noise)
    joint = histories(window_template(generator).assign_parameters(angles))
    np.testing.assert_allclose(joint.ravel(), window(), rtol=0, atol=1e-12)


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 2), SEEDS)
def test_a_window_without_memory_is_its_bins(neurons, seed):
    generator = SpikeGenerator(neurons, 2, 2)
    weights, noise = draw(generator, seed)
    (angles,) = window_angles(generator, weights, noise)
    joint = histories(window_template(generator).assign_parameters(angles))
    bins = [np.abs(pennylane_state(generator, weights, noise[0, t], t)) ** 2 for t in range(2)]
    np.testing.assert_allclose(joint.ravel(), np.outer(*bins).ravel(), rtol=0, atol=1e-12)


def test_blocks_measure_neurons_reset_them_and_leave_the_memory():
    generator = SpikeGenerator(2, 3, 2, "recurrent", 2, "words")
    template = window_template(generator)
    assert [(register.name, register.size) for register in template.cregs] == [("meas", 6)]
    turns = [(name, (q,), ()) for q in range(4) for name in ("ry", "rz")]
    block = 2 * (turns + [("cx", pair, ()) for pair in [(0, 1), (2, 0), (3, 1)]])
    expected = []
    for t in range(3):
        expected += block + [("measure", (q,), (2 * t + q,)) for q in range(2)]
        expected += [("reset", (q,), ()) for q in range(2)] if t < 2 else []
    assert wiring(template) == expected
    met = [p for instruction in template.data for p in instruction.operation.params]
    assert met == list(template.parameters)
    assert template.num_parameters == 2 * 3 * 2 * 4


def test_angles_of_a_window_are_those_of_its_bins():
    for kind, memory in (("bin", 0), ("shared", 0), ("recurrent", 2)):
        generator = SpikeGenerator(2, 3, 2, kind, memory)
        weights, noise = draw(generator, 3, samples=5)
        angles = window_angles(generator, weights, noise)
        assert angles.shape == (5, window_template(generator).num_parameters)
        bins = [bin_angles(generator, weights, noise[:, t], t) for t in range(3)]
        np.testing.assert_array_equal(angles, np.concatenate(bins, axis=1))


def test_half_turns_on_aer_write_one_history():
    """N=2, M=1, L=1: flips by θ, then CNOT 0→1, then CNOT memory→0; bits by hand.

    θ = (π, 0, π): bin 0 101 → 111 → 011, neurons 01, memory 1; bin 1 001 → 100 → 110, neurons 11,
    memory 0; bin 2 as bin 0. θ = (π, 0, 0): 100 → 110 always. θ = (0, 0, π): 001 → 101, neurons
    10, memory 1; then 001 → 000; then again.
    """
    generator = SpikeGenerator(2, 3, 1, "recurrent", 1, "words")
    template = window_template(generator)
    weights, noise = draw(generator, 4)
    weights["noise"] = np.zeros((1, 1, 3))
    simulator = AerSimulator(seed_simulator=1)
    for turns, history in [
        ([1, 0, 1], "011101"),
        ([1, 0, 0], "111111"),
        ([0, 0, 1], "100010"),
    ]:
        weights["rotation"] = math.pi * np.array([[turns]], dtype=float)
        bound = template.assign_parameters(window_angles(generator, weights, noise)[0])
        counts = simulator.run(bound, shots=20).result().get_counts()
        assert counts == {history[::-1]: 20}


def test_shots_of_a_window_on_aer_follow_the_exact_joint():
    generator = SpikeGenerator(2, 2, 2, "recurrent", 1, "words")
    weights, noise = draw(generator, 5)
    bound = window_template(generator).assign_parameters(
        window_angles(generator, weights, noise)[0]
    )
    exact = histories(bound).ravel()
    shots = 4000
    counts = defaultdict(
        int, AerSimulator(seed_simulator=7).run(bound, shots=shots).result().get_counts()
    )
    found = np.array([counts[f"{word:04b}"[::-1]] for word in range(16)]) / shots
    # Hoeffding, two-sided, for 16 words at once: missed by chance less than once in 10^6 seeds
    bound_on_error = math.sqrt(math.log(2 * 16 * 1e6) / (2 * shots))
    assert np.abs(found - exact).max() < bound_on_error


# ------------------------------------------------------------------------------ refusals


def test_bins_of_a_recurrent_generator_have_no_template():
    with pytest.raises(SpikeGeneratorError, match="weights_per: wanted bin or shared, whose"):
        bin_template(SpikeGenerator(2, 2, 1, "recurrent", 1))


def test_bad_input_is_named():
    generator = SpikeGenerator(2, 3, 1, readout="words")
    weights, noise = draw(generator, 6)
    cases = [
        (lambda: bin_angles(generator, {}, noise[0], 0), "weights: wanted noise, rotation, phase"),
        (
            lambda: bin_angles(generator, weights, noise[0, 0], 0),
            "noise: wanted shape (samples, 2), got (2,)",
        ),
        (
            lambda: bin_angles(generator, weights, noise[0], 3),
            "bin: wanted an integer in 0..2, got 3",
        ),
        (
            lambda: export_bin(generator, weights, noise[0], 0),
            "noise: wanted shape (2,), got (3, 2)",
        ),
        (
            lambda: window_angles(generator, weights, noise[0]),
            "noise: wanted shape (samples, 3, 2), got (3, 2)",
        ),
        (
            lambda: window_angles(generator, weights, noise * np.nan),
            "noise: wanted finite numbers, got nan at (0, 0, 0)",
        ),
    ]
    for call, words in cases:
        with pytest.raises(SpikeGeneratorError) as caught:
            call()
        assert str(caught.value).startswith(words)
