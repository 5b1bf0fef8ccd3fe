"""Memristor qubits: the exact channel, the signs of what is read, the coupled pair."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.quantum_info import DensityMatrix, partial_trace

from qbrain.backends.compile import to_isa, two_qubit_gates
from qbrain.backends.ideal import ideal_target
from qbrain.backends.snapshot import cut
from qbrain.circuits.memristor import (
    AXES,
    DAMPINGS,
    CircuitError,
    memristor_circuit,
    memristor_pair,
    read_states,
)
from qbrain.reference.hodgkin_huxley.gate_qubits import (
    bloch_vectors,
    damping_angles,
    density_matrix,
    memristor_states,
    pair_states,
)


def unit_vectors(shape, seed):
    vectors = np.random.default_rng(seed).normal(size=shape)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def before_reading(circuit):
    """Density matrix of what is read, bit j of the index being classical bit j."""
    read = {
        circuit.find_bit(step.clbits[0]).index: circuit.find_bit(step.qubits[0]).index
        for step in circuit.data
        if step.name == "measure"
    }
    assert [read[bit] for bit in sorted(read)] == sorted(read.values())
    whole = DensityMatrix(circuit.remove_final_measurements(inplace=False))
    return partial_trace(
        whole, [q for q in range(circuit.num_qubits) if q not in read.values()]
    ).data


def means(circuit):
    """1 − 2 P(bit = 1) of each bit."""
    p = np.diagonal(before_reading(circuit)).real
    bits = circuit.num_clbits
    index = np.arange(2**bits)
    return np.array([p @ (1 - 2 * ((index >> bit) & 1)) for bit in range(bits)])


@pytest.mark.parametrize("damping", DAMPINGS)
class TestOne:
    @pytest.mark.parametrize(("axis", "read"), [(0, "X"), (1, "Y"), (2, "Z")])
    def test_the_start_is_read_with_its_sign(self, damping, axis, read):
        for sign in (1, -1):
            start = sign * np.eye(3)[axis]
            circuit = memristor_circuit(start, 0.3, [], read=read, damping=damping)
            assert means(circuit) == pytest.approx([sign], abs=1e-14)

    def test_a_positive_rotation_takes_x_to_y(self, damping):
        turn = [memristor_circuit([1, 0, 0], 0.4, [0.0] * 3, read=r, damping=damping) for r in AXES]
        found = [means(circuit)[0] for circuit in turn]
        assert found == pytest.approx([math.cos(1.2), math.sin(1.2), 0], abs=1e-13)

    @pytest.mark.parametrize("count", [1, 2, 7])
    def test_closed_form_at_a_fixed_rate(self, damping, count):
        """x + iy turns by ωt and falls as e^{−γt/2}; 1 − z falls as e^{−γt}; any step is exact."""
        omega, gamma, time = 1.1, 0.6, 1.7
        x, y, z = start = unit_vectors(3, 5)
        theta = np.full(count, damping_angles(gamma, time / count))
        found = [
            means(memristor_circuit(start, omega * time / count, theta, read=r, damping=damping))[0]
            for r in AXES
        ]
        plane = (x + 1j * y) * np.exp((1j * omega - gamma / 2) * time)
        height = 1 - math.exp(-gamma * time) * (1 - z)
        assert found == pytest.approx([plane.real, plane.imag, height], abs=1e-13)

    @settings(max_examples=10, deadline=None)
    @given(st.integers(0, 4), st.integers(0, 2**31), st.sampled_from(AXES), st.booleans())
    def test_any_steps_leave_the_exact_state(self, damping, count, seed, read, fresh):
        rng = np.random.default_rng(seed)
        start = unit_vectors(3, seed)
        rotations, theta = rng.uniform(-3, 3, count), rng.uniform(0, math.pi / 2, count)
        circuit = memristor_circuit(
            start, rotations, theta, read=read, fresh=fresh, damping=damping
        )
        wanted = memristor_states(start, rotations, theta)[-1]
        found = before_reading(circuit)
        assert np.allclose(found, read_states(wanted, read), rtol=0, atol=1e-13)
        value = bloch_vectors(wanted)[AXES.index(read)]
        assert means(circuit) == pytest.approx([value], abs=1e-13)

    def test_costs(self, damping):
        each = 3 if damping == "controlled" else 2
        for fresh in (False, True):
            circuit = memristor_circuit([0, 0, 1], 0.1, [0.2] * 4, fresh=fresh, damping=damping)
            assert circuit.num_qubits == (5 if fresh else 2)
            assert circuit.count_ops()["cx"] == 4 * each
            assert circuit.count_ops().get("reset", 0) == (0 if fresh else 3)


@pytest.mark.parametrize("damping", DAMPINGS)
class TestPair:
    @settings(max_examples=8, deadline=None)
    @given(st.integers(0, 3), st.integers(0, 2**31), st.text("XYZ", min_size=2, max_size=2))
    def test_any_steps_leave_the_exact_state(self, damping, count, seed, read):
        rng = np.random.default_rng(seed)
        start = unit_vectors((2, 3), seed)
        rotations = rng.uniform(-3, 3, (count, 2))
        theta = rng.uniform(0, math.pi / 2, (count, 2))
        exchanges = rng.uniform(-2, 2, count)
        circuit = memristor_pair(start, rotations, theta, exchanges, read=read, damping=damping)
        wanted = pair_states(start, rotations, theta, exchanges)[-1]
        assert np.allclose(before_reading(circuit), read_states(wanted, read), rtol=0, atol=1e-13)

    def test_fresh_ancillas_make_no_difference(self, damping):
        start, theta = unit_vectors((2, 3), 1), [[0.3, 0.5], [0.2, 0.9]]
        found = [
            before_reading(memristor_pair(start, 0.2, theta, 0.7, fresh=fresh, damping=damping))
            for fresh in (False, True)
        ]
        assert np.allclose(*found, rtol=0, atol=1e-13)

    def test_an_excitation_goes_to_and_fro(self, damping):
        """Without damping P(1) of the second is sin²(Jt), in any number of steps."""
        start = [[0, 0, -1], [0, 0, 1]]
        for count in (1, 3):
            theta = np.zeros((count, 2))
            circuit = memristor_pair(start, 0.5, theta, 0.9 / count, read="ZZ", damping=damping)
            wanted = [-math.cos(1.8), math.cos(1.8)]
            assert means(circuit) == pytest.approx(wanted, abs=1e-13)

    def test_uncoupled_ones_are_two_single_ones(self, damping):
        start, theta = unit_vectors((2, 3), 2), np.array([[0.3, 0.5], [0.2, 0.9]])
        rotations = np.array([[0.1, 1.0], [0.4, -0.3]])
        both = before_reading(memristor_pair(start, rotations, theta, 0.0, damping=damping))
        one, two = (
            before_reading(
                memristor_circuit(start[j], rotations[:, j], theta[:, j], damping=damping)
            )
            for j in (0, 1)
        )
        assert np.allclose(both, np.kron(two, one), rtol=0, atol=1e-13)

    def test_it_lies_on_a_line_and_costs_what_is_said(self, damping):
        each = 3 if damping == "controlled" else 2
        circuit = memristor_pair(
            [[1, 0, 0]] * 2, [0.1, 0.2, 0.3], np.full((3, 2), 0.4), 0.3, damping=damping
        )
        assert circuit.count_ops()["cx"] == 2 * 4 + 6 * each
        assert circuit.count_ops()["reset"] == 4
        isa = to_isa(circuit, cut("fake_fez", 4).target)
        assert two_qubit_gates(isa) == circuit.count_ops()["cx"]
        assert to_isa(circuit, ideal_target(4)) is circuit


def test_each_instructions_gate_has_its_angle():
    circuit = memristor_pair(unit_vectors((2, 3), 4), [0.1, 0.2], [[0.3, 0.4]] * 2, 0.5)
    for step in circuit.data:
        assert list(step.operation.params) == list(step.params)
    again = QuantumCircuit(*circuit.qregs, *circuit.cregs)
    for step in circuit.data:
        again.append(step.operation, step.qubits, step.clbits)
    assert again == circuit


def test_states_before_the_readings():
    vectors = unit_vectors((2, 3), 8)
    one, two = density_matrix(vectors)
    turned = read_states(np.kron(two, one), "YX")
    p = np.diagonal(turned).real
    assert p @ [1, -1, 1, -1] == pytest.approx(vectors[0, 1])
    assert p @ [1, 1, -1, -1] == pytest.approx(vectors[1, 0])
    assert np.array_equal(read_states(np.stack([one, two]), "Z"), np.stack([one, two]))
    with pytest.raises(CircuitError, match=r"states: wanted shape \(…, 4, 4\), got \(2, 2\)"):
        read_states(one, "YY")
    with pytest.raises(CircuitError, match="read: wanted an axis X, Y or Z a qubit"):
        read_states(one, "")


ONE = {"initial": [0, 0, 1], "rotations": 0.1, "dampings": [0.2, 0.3]}
PAIR = {
    "initial": [[0, 0, 1]] * 2,
    "rotations": 0.1,
    "dampings": [[0.2, 0.3]] * 3,
    "exchanges": 0.4,
}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"initial": [0, 0, 0.5]}, "initial: wanted Bloch vectors of length 1, got 0.5"),
        ({"initial": [0, 1]}, r"initial: wanted shape \(3\), got \(2,\)"),
        ({"rotations": [0.1]}, None),
        ({"rotations": [0.1] * 3}, r"rotations: wanted one number, one a step or shape \(2,\)"),
        ({"rotations": math.inf}, "rotations: wanted finite numbers, got nan or inf"),
        ({"rotations": "fast"}, r"rotations: wanted numbers of shape \(2\)"),
        ({"dampings": [2.0]}, r"dampings: wanted numbers in \[0, 1.5708\], got 2"),
        ({"dampings": 0.2}, r"dampings: wanted shape \(any\), got \(\)"),
        ({"read": "YY"}, r"read: wanted an axis X, Y or Z a qubit \(1\), got 'YY'"),
        ({"read": "y"}, "read: wanted an axis X, Y or Z"),
        ({"fresh": None}, "fresh: wanted True or False, got None"),
        ({"damping": "fast"}, "damping: wanted one of controlled, exchange, got 'fast'"),
    ],
)
def test_bad_input_of_one(changed, message):
    if message is None:  # one number in a list is one number
        assert memristor_circuit(**{**ONE, **changed}) == memristor_circuit(**ONE)
        return
    with pytest.raises(CircuitError, match=message) as caught:
        memristor_circuit(**{**ONE, **changed})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"initial": [0, 0, 1]}, r"initial: wanted shape \(2, 3\), got \(3,\)"),
        ({"initial": [[0, 0, 1], [0, 2, 0]]}, "initial: wanted Bloch vectors of length 1, got 2"),
        ({"dampings": [0.1, 0.2]}, r"dampings: wanted shape \(any, 2\), got \(2,\)"),
        ({"rotations": [0.1, 0.2]}, r"rotations: wanted one number, one a step or shape \(3, 2\)"),
        ({"rotations": [[0.1], [0.1, 0.2]]}, "rotations: wanted one number, one a step or shape"),
        ({"exchanges": [0.1] * 4}, r"exchanges: wanted one number, one a step or shape \(3,\)"),
        ({"exchanges": math.nan}, "exchanges: wanted finite numbers"),
        ({"read": "Y"}, r"read: wanted an axis X, Y or Z a qubit \(2\), got 'Y'"),
    ],
)
def test_bad_input_of_a_pair(changed, message):
    with pytest.raises(CircuitError, match=message) as caught:
        memristor_pair(**{**PAIR, **changed})
    assert "\n" not in str(caught.value)
