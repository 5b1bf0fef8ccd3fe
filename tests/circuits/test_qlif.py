"""Circuits of the qLIF pair: their states and outcome probabilities by hand, and refusals."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit.quantum_info import Pauli, SparsePauliOp, Statevector

from qbrain.circuits.qlif import (
    CircuitError,
    ghz_circuit,
    layer_angles,
    layer_circuit,
    layer_template,
    pair_circuit,
)

PHI = st.floats(0, math.pi / 2)
ANGLE = st.floats(-7, 7)


def unmeasured(circuit):
    return circuit.remove_final_measurements(inplace=False)


def probabilities(circuit):
    """P of the bits, axis i being bit i."""
    return Statevector(unmeasured(circuit)).probabilities_dict()


def expectation(circuit, pauli):
    return Statevector(unmeasured(circuit)).expectation_value(Pauli(pauli)).real


def turned(angles):
    """The observables cosα Z + sinα X of all qubits, multiplied."""
    whole = SparsePauliOp("")
    for angle in angles:
        # Qiskit writes qubit 0 last
        whole = SparsePauliOp(["Z", "X"], [math.cos(angle), math.sin(angle)]).tensor(whole)
    return whole


def shared(neurons, phi):
    state = np.zeros(2**neurons)
    state[0] += math.cos(phi)
    state[-1] += math.sin(phi)
    return Statevector(state)


@given(PHI, ANGLE, ANGLE)
@settings(max_examples=40, deadline=None)
def test_marginals_and_correlator_are_the_closed_forms(phi, a, b):
    circuit = pair_circuit(phi, (a, b))
    assert expectation(circuit, "IZ") == pytest.approx(math.cos(2 * phi) * math.cos(a), abs=1e-12)
    assert expectation(circuit, "ZI") == pytest.approx(math.cos(2 * phi) * math.cos(b), abs=1e-12)
    wanted = math.cos(a) * math.cos(b) + math.sin(2 * phi) * math.sin(a) * math.sin(b)
    assert expectation(circuit, "ZZ") == pytest.approx(wanted, abs=1e-12)
    # the same from the state before the turn and the observables as the module states them
    direct = shared(2, phi).expectation_value(turned([a, b])).real
    assert wanted == pytest.approx(direct, abs=1e-12)


@pytest.mark.parametrize(
    ("phi", "pair", "wanted"),
    [
        (0.0, (0.0, 0.0), {"00": 1.0}),
        (math.pi / 2, (0.0, 0.0), {"11": 1.0}),
        # qubit 0, the last letter, is turned to the other end
        (0.0, (math.pi, 0.0), {"01": 1.0}),
        (0.0, (0.0, math.pi), {"10": 1.0}),
        (math.pi / 6, (0.0, 0.0), {"00": 0.75, "11": 0.25}),
        (math.pi / 4, (math.pi / 2, math.pi / 2), {"00": 0.5, "11": 0.5}),
        (math.pi / 4, (math.pi / 2, -math.pi / 2), {"01": 0.5, "10": 0.5}),
    ],
)
def test_outcomes_by_hand(phi, pair, wanted):
    found = {bits: p for bits, p in probabilities(pair_circuit(phi, pair)).items() if p > 1e-15}
    assert found == pytest.approx(wanted, abs=1e-14)


def test_the_settings_of_clauser_and_others_reach_the_quantum_bound():
    s = 0.0
    for x, a in enumerate((0.0, math.pi / 2)):
        for y, b in enumerate((math.pi / 4, -math.pi / 4)):
            s += (-1) ** (x * y) * expectation(pair_circuit(math.pi / 4, (a, b)), "ZZ")
    assert s == pytest.approx(2 * math.sqrt(2), abs=1e-12)


def test_a_pair_costs_one_two_qubit_gate_and_bit_i_is_qubit_i():
    circuit = pair_circuit(0.3, (0.1, 0.2))
    assert dict(circuit.count_ops()) == {"ry": 3, "cx": 1, "measure": 2}
    assert [register.name for register in circuit.cregs] == ["meas"]
    for gate in circuit.get_instructions("measure"):
        assert circuit.find_bit(gate.qubits[0]).index == circuit.find_bit(gate.clbits[0]).index


def test_pairs_side_by_side_are_independent():
    phi, angles = np.array([0.2, 0.9, 1.4]), np.array([[0.1, 0.2], [1.0, -0.5], [2.0, 0.0]])
    layer = layer_circuit(phi, angles)
    wanted = Statevector([1])
    for one, pair in zip(phi, angles, strict=True):
        wanted = Statevector(unmeasured(pair_circuit(one, pair))).tensor(wanted)
    np.testing.assert_allclose(Statevector(unmeasured(layer)).data, wanted.data, atol=1e-14)
    assert layer.depth() == pair_circuit(phi[0], angles[0]).depth()
    # one phi for all
    alike = Statevector(unmeasured(layer_circuit(0.2, angles)))
    assert alike.equiv(Statevector(unmeasured(layer_circuit([0.2] * 3, angles))))


@pytest.mark.parametrize("pairs", [1, 5])
def test_a_template_bound_is_the_circuit(pairs):
    rng = np.random.default_rng(0)
    phi, angles = rng.uniform(0, math.pi / 2, pairs), rng.normal(size=(4, pairs, 2))
    template, values = layer_template(pairs), layer_angles(phi, angles)
    assert values.shape == (4, 3 * pairs)
    assert template.num_parameters == 3 * pairs
    for row, given_ in zip(values, angles, strict=True):
        bound = template.assign_parameters(row)
        found = Statevector(unmeasured(bound)).data
        wanted = Statevector(unmeasured(layer_circuit(phi, given_))).data
        np.testing.assert_allclose(found, wanted, atol=1e-13)


@pytest.mark.parametrize("neurons", [1, 2, 3, 4, 5, 8])
def test_a_group_shares_one_state(neurons):
    rng = np.random.default_rng(neurons)
    phi, angles = 0.4, rng.uniform(-3, 3, neurons)
    assert np.allclose(Statevector(unmeasured(ghz_circuit(neurons, phi))), shared(neurons, phi))
    circuit = ghz_circuit(neurons, phi, angles)
    wanted = shared(neurons, phi).expectation_value(turned(angles)).real
    assert expectation(circuit, "Z" * neurons) == pytest.approx(wanted, abs=1e-12)
    assert circuit.count_ops().get("cx", 0) == neurons - 1
    layers = 0 if neurons == 1 else math.ceil(neurons / 2)
    assert unmeasured(ghz_circuit(neurons)).depth(lambda g: len(g.qubits) == 2) == layers
    for gate in circuit.get_instructions("cx"):
        places = [circuit.find_bit(q).index for q in gate.qubits]
        assert abs(places[0] - places[1]) == 1


def test_a_group_of_two_is_the_pair():
    pair, group = pair_circuit(0.7, (0.3, -1.1)), ghz_circuit(2, 0.7, (0.3, -1.1))
    assert Statevector(unmeasured(pair)).equiv(Statevector(unmeasured(group)))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: pair_circuit(-0.1), r"phi: wanted an angle in \[0, pi/2\], got -0.1"),
        (lambda: pair_circuit(1.6), r"phi: wanted an angle in \[0, pi/2\], got 1.6"),
        (lambda: pair_circuit(math.nan), "phi: wanted .* got nan"),
        (lambda: pair_circuit(0.1, (0.0,)), r"settings: wanted two angles.*got shape \(1,\)"),
        (lambda: pair_circuit(0.1, (0.0, math.inf)), "settings: wanted finite numbers"),
        (lambda: layer_circuit(0.1, (0.0, 0.1)), r"settings: wanted shape \(pairs, 2\), got \(2,"),
        (lambda: layer_circuit(0.1, np.zeros((0, 2))), r"settings: wanted .* got \(0, 2\)"),
        (lambda: layer_circuit([0.1, 0.2], np.zeros((3, 2))), r"phi: wanted one angle .*\(2,\)"),
        (lambda: layer_angles(0.1, [0.0, 0.0]), r"settings: wanted shape \(..., pairs, 2\)"),
        (lambda: layer_template(0), "pairs: wanted an integer >= 1, got 0"),
        (lambda: layer_template(True), "pairs: wanted an integer >= 1, got True"),
        (lambda: ghz_circuit(0), "neurons: wanted an integer >= 1, got 0"),
        (lambda: ghz_circuit(3, 2.0), r"phi: wanted an angle in \[0, pi/2\], got 2"),
        (lambda: ghz_circuit(3, math.nan), "phi: wanted a finite number, got nan"),
        (lambda: ghz_circuit(3, 0.1, (0.0, 0.0)), "settings: wanted 3 angles"),
        (lambda: ghz_circuit(2, 0.1, (0.0, math.nan)), "settings: wanted finite numbers"),
    ],
)
def test_mistakes_are_named(call, words):
    with pytest.raises(CircuitError, match=words):
        call()
