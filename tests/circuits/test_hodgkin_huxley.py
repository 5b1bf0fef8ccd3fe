"""Ion-channel gates: the exact channel on every form of ancilla, where they lie, what they cost."""

import io
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit, qpy
from qiskit.circuit.library import XXPlusYYGate
from qiskit.quantum_info import DensityMatrix, Operator, partial_trace

from qbrain.backends.compile import to_isa, two_qubit_gates
from qbrain.backends.ideal import ideal_target
from qbrain.backends.snapshot import cut
from qbrain.circuits.hodgkin_huxley import (
    CircuitError,
    Wires,
    gate_circuit,
    gate_layout,
    split_angles,
)
from qbrain.reference.hodgkin_huxley.gate_qubits import gate_populations, gate_states, relaxation

FORMS = [
    (ancilla, fresh, count)
    for ancilla in ("mixed", "split", "coherent")
    for fresh in (False, True)
    for count in (0, 1, 2, 3, 5)
    if ancilla != "coherent" or count < 2
]


def final_states(circuit):
    """Each bit's qubit as a density matrix before it is read, by Qiskit's own simulator."""
    read = {
        circuit.find_bit(step.clbits[0]).index: circuit.find_bit(step.qubits[0]).index
        for step in circuit.data
        if step.name == "measure"
    }
    whole = DensityMatrix(circuit.remove_final_measurements(inplace=False))
    return np.array(
        [
            partial_trace(whole, [q for q in range(circuit.num_qubits) if q != read[bit]]).data
            for bit in sorted(read)
        ]
    )


def steps(gates, count, seed, largest=math.pi / 2):
    rng = np.random.default_rng(seed)
    angles = rng.uniform(0, largest, (count, gates))
    return rng.random(gates), angles, rng.random((count, gates))


class TestStates:
    def test_the_collision_is_half_xx_plus_yy(self):
        for angle in (0.0, 0.3, -1.2, 2.5):
            circuit = QuantumCircuit(2)
            wires = Wires(circuit)
            circuit.sxdg([0, 1])
            wires.exchange(0, 1, angle)
            circuit.sx([0, 1])
            wanted = Operator(XXPlusYYGate(2 * angle, 0.0)).data
            assert np.allclose(Operator(circuit).data, wanted, rtol=0, atol=1e-14)
            # |01> of Qiskit's matrix is an open gate at qubit 0
            assert wanted[1, 1] == pytest.approx(math.cos(angle))
            assert wanted[2, 1] == pytest.approx(-1j * math.sin(angle))

    @pytest.mark.parametrize(("ancilla", "fresh", "count"), [form for form in FORMS if form[2] < 3])
    def test_each_form_leaves_the_exact_state(self, ancilla, fresh, count):
        gates = 1 if fresh and count == 2 else 2
        given = steps(gates, count, seed=7 + count)
        found = final_states(gate_circuit(*given, ancilla=ancilla, fresh=fresh))
        assert np.allclose(found, gate_states(*given, ancilla=ancilla), rtol=0, atol=1e-13)

    @settings(max_examples=20, deadline=None)
    @given(st.integers(0, 5), st.integers(0, 2**31), st.sampled_from(["mixed", "split"]))
    def test_populations_relax_as_the_law_says(self, count, seed, ancilla):
        given = steps(1, count, seed, largest=2 * math.pi)
        found = final_states(gate_circuit(*given, ancilla=ancilla))
        wanted = gate_populations(*given)[-1]
        assert found[:, 1, 1].real == pytest.approx(wanted, abs=1e-12)

    def test_many_steps_at_fixed_rates_follow_the_exponential(self):
        """n(t) = p + (n − p)e^{−(α+β)t} whatever the step, at rates of the squid at rest."""
        alpha, beta, delta = 0.0582, 0.125, 0.05
        angle, p = relaxation(alpha, beta, delta)
        count = 40
        given = ([0.9], np.full((count, 1), angle), np.full((count, 1), p))
        wanted = p + (0.9 - p) * math.exp(-(alpha + beta) * delta * count)
        for ancilla in ("mixed", "split"):
            found = final_states(gate_circuit(*given, ancilla=ancilla))
            assert found[0, 1, 1].real == pytest.approx(wanted, abs=1e-13)

    def test_split_is_the_same_channel_as_mixed(self):
        """Coherences included, for angles up to π/2."""
        given = steps(1, 4, seed=3)
        states = [final_states(gate_circuit(*given, ancilla=a)) for a in ("mixed", "split")]
        assert abs(states[0][0, 0, 1]) > 0.01
        assert np.allclose(*states, rtol=0, atol=1e-13)

    @pytest.mark.parametrize("opening", [0.0, 1.0, 0.3])
    @pytest.mark.parametrize("angle", [0.0, math.pi / 2, 1e-6])
    @pytest.mark.parametrize("start", [0.0, 1.0, 0.6])
    @pytest.mark.parametrize("ancilla", ["mixed", "split"])
    def test_the_ends_of_every_range(self, start, angle, opening, ancilla):
        circuit = gate_circuit([start], [[angle]], [[opening]], ancilla=ancilla)
        wanted = math.cos(angle) ** 2 * start + math.sin(angle) ** 2 * opening
        assert final_states(circuit)[0, 1, 1].real == pytest.approx(wanted, abs=1e-14)

    def test_survivals_of_a_split_step(self):
        _, angles, openings = steps(3, 5, seed=1)
        first, second = (np.cos(each) ** 2 for each in split_angles(angles, openings))
        assert first * second == pytest.approx(np.cos(angles) ** 2)
        assert 1 - second == pytest.approx(openings * np.sin(angles) ** 2)
        # all of it lost and put back: the second collision alone decides
        assert np.ravel(split_angles([math.pi / 2], [1.0])) == pytest.approx([0, math.pi / 2])

    def test_four_gates_are_open_together_with_the_fourth_power(self):
        circuit = gate_circuit([0.4] * 4, [[0.5] * 4], [[0.8] * 4], ancilla="coherent")
        n = 0.4 * math.cos(0.5) ** 2 + 0.8 * math.sin(0.5) ** 2
        whole = DensityMatrix(circuit.remove_final_measurements(inplace=False))
        together = whole.probabilities(gate_layout(4, 1, ancilla="coherent").gate_qubits)
        assert together[0b1111] == pytest.approx(n**4, abs=1e-13)
        assert together[0b0111] == pytest.approx(n**3 * (1 - n), abs=1e-13)

    def test_coherence_of_the_ancilla_reaches_the_next_step(self):
        """Why a coherent ancilla is refused: the same circuit run twice is off."""
        given = ([0.9], [[0.7], [0.7]], [[0.3], [0.3]])
        off = gate_states(*given, ancilla="coherent")[0, 1, 1].real
        assert abs(off - gate_populations(*given)[-1, 0]) > 0.05
        with pytest.raises(CircuitError, match="ancilla: wanted mixed or split for more than one"):
            gate_circuit(*given, ancilla="coherent")


class TestLayout:
    @pytest.mark.parametrize(("ancilla", "fresh", "count"), FORMS)
    def test_the_layout_is_that_of_the_circuit(self, ancilla, fresh, count):
        layout = gate_layout(2, count, ancilla=ancilla, fresh=fresh)
        circuit = gate_circuit(*steps(2, count, 0), ancilla=ancilla, fresh=fresh)
        ops = circuit.count_ops()
        assert circuit.num_qubits == layout.qubits
        assert (ops.get("cx", 0), ops.get("reset", 0)) == (layout.two_qubit_gates, layout.resets)
        read = {
            circuit.find_bit(step.clbits[0]).index: circuit.find_bit(step.qubits[0]).index
            for step in circuit.data
            if step.name == "measure"
        }
        assert tuple(read[bit] for bit in (0, 1)) == layout.gate_qubits
        pairs = [
            [circuit.find_bit(qubit).index for qubit in step.qubits]
            for step in circuit.data
            if step.name == "cx"
        ]
        assert layout.line == all(abs(a - b) == 1 for a, b in pairs)
        known = [*layout.gate_qubits, *(q for row in layout.ancillas for q in row)]
        assert sorted(known) == list(range(layout.qubits))
        # no pair joins two groups
        half = layout.qubits // 2
        assert all((a < half) == (b < half) for a, b in pairs)

    def test_reused_ancillas_leave_the_qubits_where_they_are(self):
        for ancilla, size in (("mixed", 3), ("split", 2)):
            places = {gate_layout(3, k, ancilla=ancilla).gate_qubits for k in range(6)}
            assert places == {(0, size, 2 * size)}

    def test_fresh_ancillas_lie_on_either_side(self):
        layout = gate_layout(1, 2, fresh=True)
        assert (layout.gate_qubits, layout.ancillas) == ((2,), ((3, 4, 1, 0),))
        layout = gate_layout(2, 1, ancilla="split", fresh=True)
        assert (layout.gate_qubits, layout.ancillas) == ((1, 4), ((2, 0), (5, 3)))
        assert layout.line
        assert not gate_layout(1, 3, fresh=True).line
        assert gate_layout(1, 3, fresh=True).resets == 0

    @pytest.mark.parametrize(
        ("ancilla", "gates"), [("mixed", (9, 4)), ("split", (12, 5)), ("coherent", (2, 0))]
    )
    def test_costs(self, ancilla, gates):
        layout = gate_layout(1, 1 if ancilla == "coherent" else 3, ancilla=ancilla)
        assert (layout.two_qubit_gates, layout.resets) == gates

    @pytest.mark.parametrize("ancilla", ["mixed", "split"])
    def test_backends_take_it_as_it_is(self, ancilla):
        circuit = gate_circuit(*steps(2, 3, 0), ancilla=ancilla)
        assert to_isa(circuit, ideal_target(circuit.num_qubits)) is circuit
        isa = to_isa(circuit, cut("fake_fez", circuit.num_qubits).target)
        layout = gate_layout(2, 3, ancilla=ancilla)
        assert two_qubit_gates(isa) == layout.two_qubit_gates
        assert isa.count_ops()["reset"] == layout.resets


@pytest.mark.parametrize("ancilla", ["mixed", "split"])
def test_what_is_saved_is_what_is_run(ancilla):
    """Each instruction's gate has the instruction's angle, and comes back from a file."""
    circuit = gate_circuit(*steps(2, 2, 5), ancilla=ancilla)
    rotations = [step for step in circuit.data if step.params]
    assert len({step.params[0] for step in rotations}) > 4
    for step in circuit.data:
        assert list(step.operation.params) == list(step.params)
    file = io.BytesIO()
    qpy.dump(circuit, file)
    file.seek(0)
    (loaded,) = qpy.load(file)
    assert loaded == circuit
    assert np.array_equal(final_states(loaded), final_states(circuit))


STEP = ([[0.1, 0.2]], [[0.5, 0.5]])


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([0.5, 1.1], *STEP), {}, r"initial: wanted numbers in \[0, 1\], got 1.1"),
        (([], np.empty((0, 0)), np.empty((0, 0))), {}, "initial: wanted at least one gate"),
        ((0.5, *STEP), {}, r"initial: wanted shape \(any\), got \(\)"),
        ((["x", "y"], *STEP), {}, r"initial: wanted numbers of shape \(any\), got \['x', 'y'\]"),
        (([0.5], *STEP), {}, r"angles: wanted shape \(any, 1\), got \(1, 2\)"),
        (([0.5, 0.5], [[0.1, math.nan]], STEP[1]), {}, "angles: wanted finite numbers, got nan"),
        (([0.5, 0.5], STEP[0], [[0.5, -0.1]]), {}, r"openings: wanted numbers in \[0, 1\], got -0"),
        (([0.5, 0.5], STEP[0], [0.5, 0.5]), {}, r"openings: wanted shape \(1, 2\), got \(2,\)"),
        (([0.5, 0.5], *STEP), {"ancilla": "pure"}, "ancilla: wanted one of mixed, split, coherent"),
        (([0.5, 0.5], *STEP), {"fresh": 1}, "fresh: wanted True or False, got 1"),
    ],
)
def test_bad_steps_are_refused_in_one_line(arguments, options, message):
    with pytest.raises(CircuitError, match=message) as caught:
        gate_circuit(*arguments, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 1), "gates: wanted an integer >= 1, got 0"),
        ((True, 1), "gates: wanted an integer >= 1, got True"),
        ((2, -1), "steps: wanted an integer >= 0, got -1"),
        ((2, 1.5), "steps: wanted an integer >= 0, got 1.5"),
    ],
)
def test_bad_layouts_are_refused(arguments, message):
    with pytest.raises(CircuitError, match=message):
        gate_layout(*arguments)


def test_split_angles_are_checked():
    with pytest.raises(CircuitError, match=r"openings: wanted numbers in \[0, 1\], got 2"):
        split_angles([0.1], [2.0])
    with pytest.raises(CircuitError, match=r"openings: wanted shape \(2\), got \(1,\)"):
        split_angles([0.1, 0.2], [0.5])
