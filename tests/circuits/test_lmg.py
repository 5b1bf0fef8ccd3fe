"""Logical circuits against the dense reference, closed forms, and other libraries' formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit.circuit import Parameter
from qiskit.circuit.library import PauliEvolutionGate
from qiskit.quantum_info import Operator, SparsePauliOp, Statevector
from qiskit.synthesis import LieTrotter, SuzukiTrotter

from qbrain.circuits.lmg import (
    CircuitError,
    logical_program,
    pair_sequence,
    single_layer_circuit,
    step_layers,
    trotter_circuit,
)
from qbrain.reference.lmg import feedback as dicke_basis
from qbrain.reference.lmg import statevector as dense

FORMS = ["xx+yy", "xx+zz"]
SPLITTINGS = ["collective", "pairwise"]


def final(circuit):
    return Statevector(circuit).data


def infidelity(a, b):
    return 1 - abs(np.vdot(a, b)) ** 2


def random_state(neurons, seed):
    rng = np.random.default_rng(seed)
    vector = rng.normal(size=1 << neurons) + 1j * rng.normal(size=1 << neurons)
    return vector / np.linalg.norm(vector)


# ------------------------------------------------------------------------------ dense reference


@pytest.mark.parametrize("splitting", SPLITTINGS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("order", [1, 2, 4])
@pytest.mark.parametrize("gamma", [1.0, 0.8, 0.3, 0.0, -1.0])
@pytest.mark.parametrize("neurons", [1, 2, 5])
def test_steps_on_any_vector_equal_the_dense_formula(neurons, gamma, order, form, splitting):
    # a random vector has no symmetry, so this pins signs, bit order and global phases
    state = random_state(neurons, 11)
    phases, fields = [0.9, -0.4, 1.7], [0.3, 0.8, -0.5]
    program = logical_program(
        neurons, gamma, field=True, order=order, form=form, splitting=splitting
    )
    circuit = program.circuit(phases, fields, measure=False)
    expected = dense.product_formula(
        neurons,
        gamma,
        phases,
        fields,
        order=order,
        initial=state,
        form=form,
        splitting=splitting,
        pairs=pair_sequence(neurons) if splitting == "pairwise" else None,
    )[-1]
    np.testing.assert_allclose(Statevector(state).evolve(circuit).data, expected, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(
    neurons=st.integers(1, 6),
    gamma=st.floats(-1.5, 1.5),
    couplings=st.lists(st.floats(-2, 2), min_size=0, max_size=4),
    dt=st.floats(0.01, 2),
    field=st.sampled_from([0.0, 0.7, -0.3]),
    order=st.sampled_from([1, 2, 4]),
    share=st.floats(0, 1),
)
def test_trotter_circuit_equals_the_dense_formula(
    neurons, gamma, couplings, dt, field, order, share
):
    initial = round(share * neurons)
    circuit = trotter_circuit(neurons, gamma, couplings, dt, field, order, initial)
    expected = dense.product_formula(
        neurons, gamma, np.array(couplings) * dt, field * dt, order=order, initial=initial
    )[-1]
    found = final(circuit)
    assert infidelity(found, expected) < 1e-12
    # exact invariants: norm, and the parity of the number of active neurons
    populations = dense.excitation_populations(found)
    assert populations.sum() == pytest.approx(1.0, abs=1e-12)
    assert populations[np.arange(neurons + 1) % 2 != initial % 2].sum() < 1e-12
    assert float(dense.symmetric_weight(found)) == pytest.approx(1.0, abs=1e-12)


def test_dicke_basis_agrees_as_a_third_opinion():
    model = dicke_basis.LMG(neurons=6, gamma=0.8, g0=1.0, field=0.2)
    couplings = np.array([1.0, 0.7, 0.4])
    expected = dicke_basis.product_formula_states(model, 2, couplings, np.full(3, 0.5), 2)[-1]
    found = final(trotter_circuit(6, 0.8, couplings, 0.5, 0.2, 2, 2))
    np.testing.assert_allclose(
        dense.excitation_populations(found), np.abs(expected) ** 2, atol=1e-12
    )


def test_saturated_and_silent_follow_the_closed_form():
    # E(s) = ½[1 ± cos^{N-1}(2s/N)], Kitagawa and Ueda 1993
    neurons = 5
    values = dense.excitation_values(neurons)
    for phase in (0.4, 3.0, 11.0):
        cosine = math.cos(2 * phase / neurons) ** (neurons - 1)
        for initial, sign in ((0, -1), (neurons, 1)):
            found = final(single_layer_circuit(neurons, phase, initial))
            assert np.abs(found) ** 2 @ values == pytest.approx((1 + sign * cosine) / 2, abs=1e-12)


def test_single_layer_is_exact_from_any_start_and_takes_a_parameter():
    angle = Parameter("s")
    for initial in range(5):
        circuit = single_layer_circuit(4, angle, initial)
        found = final(circuit.assign_parameters({angle: 5.3}))
        expected = dense.exact(4, 1.0, [5.3], initial=initial)[-1]
        np.testing.assert_allclose(found, expected, atol=1e-12)
        np.testing.assert_allclose(
            final(single_layer_circuit(4, 5.3, initial)), expected, atol=1e-12
        )


def test_collective_steps_commute_with_permutations():
    program = logical_program(4, 0.3, field=True, order=2)
    step = Operator(program.bind(0, 0.9, 0.4)).data
    index = np.arange(16)
    moved = sum(((index >> j) & 1) << (j + 1) % 4 for j in range(4))
    np.testing.assert_allclose(step[np.ix_(moved, moved)], step, atol=1e-12)


# ------------------------------------------------------------------------------ other libraries


def pauli_sums(neurons, gamma, phase, field):
    """H dt as three sums of Pauli strings that commute within, without the constant phase/2."""

    def pairs(letter, weight):
        terms = [
            (letter * 2, [i, j], -weight * phase / (2 * neurons))
            for i in range(neurons)
            for j in range(i + 1, neurons)
        ]
        return SparsePauliOp.from_sparse_list(terms, neurons)

    turn = SparsePauliOp.from_sparse_list([("Z", [j], field / 2) for j in range(neurons)], neurons)
    return pairs("X", 1 + gamma), pairs("Y", 1 - gamma), turn


@pytest.mark.parametrize("order", [1, 2, 4])
def test_qiskit_trotter_formulas_have_the_same_layers(order):
    neurons, gamma, phase, field = 3, 0.4, 1.1, 0.6
    xx, yy, turn = pauli_sums(neurons, gamma, phase, field)
    # Lie: the first of the list acts first; Suzuki: the last of the list is in the middle
    terms = [xx, yy, turn] if order == 1 else [turn, yy, xx]
    formula = LieTrotter() if order == 1 else SuzukiTrotter(order=order)
    circuit = formula.synthesize(PauliEvolutionGate(terms, time=1.0))
    found = Operator(logical_program(neurons, gamma, field=True, order=order).bind(0, phase, field))
    expected = np.exp(0.5j * phase) * Operator(circuit).data
    np.testing.assert_allclose(found.data, expected, atol=1e-12)


@pytest.mark.parametrize("order", [1, 2, 4])
def test_pennylane_trotter_product_has_the_same_layers(order):
    qml = pytest.importorskip("pennylane")
    neurons, gamma, phase, field = 3, 0.4, 1.1, 0.6

    def to_sum(operator):
        letters = {"X": qml.PauliX, "Y": qml.PauliY, "Z": qml.PauliZ}
        terms = []
        for label, weight in operator.to_list():
            factors = [letters[p](j) for j, p in enumerate(reversed(label)) if p != "I"]
            product = factors[0] if len(factors) == 1 else qml.prod(*factors)
            terms.append(qml.s_prod(weight.real, product))
        return qml.sum(*terms)

    xx, yy, turn = (to_sum(part) for part in pauli_sums(neurons, gamma, phase, field))
    # exp(+iHt), so time is turned round; the first of the sum is outermost, hence acts last
    circuit = qml.TrotterProduct(qml.sum(turn, yy, xx), time=-1.0, n=1, order=order)
    matrix = qml.matrix(circuit, wire_order=list(reversed(range(neurons))))
    found = Operator(logical_program(neurons, gamma, field=True, order=order).bind(0, phase, field))
    np.testing.assert_allclose(found.data, np.exp(0.5j * phase) * matrix, atol=1e-10)


# ------------------------------------------------------------------------------ structure


def test_pair_sequence_is_the_odd_even_network():
    for neurons in range(1, 12):
        met = pair_sequence(neurons)
        assert len(met) == neurons * (neurons - 1) // 2
        assert len({frozenset(pair) for pair in met}) == len(met)
    assert pair_sequence(3) == [(1, 2), (0, 2), (0, 1)]


def test_gates_are_few_and_logical():
    counts = trotter_circuit(6, 0.8, [1.0], 0.5, 0.1).count_ops()
    assert counts == {"ryy": 30, "rxx": 15, "rz": 12}
    assert single_layer_circuit(6, 1.0).count_ops() == {"rxx": 15}
    assert trotter_circuit(6, 1.0, [1.0] * 2, 0.5).count_ops() == {"rxx": 30}
    assert trotter_circuit(6, 0.8, [1.0], 0.5, form="xx+zz").count_ops() == {"rzz": 30, "rxx": 15}
    assert trotter_circuit(6, 0.8, [1.0], 0.5).cregs == []


def test_suzuki_layers_join_their_neighbours():
    (layers,) = step_layers(4, "collective", second=True, field=False)
    assert [layer.kind for layer in layers] == ["second", "xx"] * 5 + ["second"]
    for kind in ("xx", "second"):
        assert sum(x.weight for x in layers if x.kind == kind) == pytest.approx(1.0)
    (layers,) = step_layers(4, "collective", second=False, field=True)
    assert [layer.kind for layer in layers] == ["field", "xx"] * 5 + ["field"]


# ------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"neurons": 0}, "neurons: wanted an integer >= 1, got 0"),
        ({"neurons": 2.0}, "neurons: wanted an integer >= 1, got 2.0"),
        ({"gamma": math.nan}, "gamma: wanted a finite number, got nan"),
        ({"couplings": [1.0, math.inf]}, "couplings: wanted finite"),
        ({"couplings": 1.0}, "couplings: wanted finite numbers on one axis"),
        ({"dt": 0.0}, "dt: wanted a number > 0"),
        ({"dt": math.nan}, "dt: wanted a finite number"),
        ({"field": math.inf}, "field: wanted a finite number, got inf"),
        ({"order": 3}, "order: wanted one of"),
        ({"initial": 4}, "initial: wanted an integer in 0..3, got 4"),
        ({"initial": -1}, "initial: wanted an integer in 0..3, got -1"),
        ({"form": "zz"}, "form: wanted one of xx"),
        ({"splitting": "none"}, "splitting: wanted one of collective"),
    ],
)
def test_bad_arguments_are_named(arguments, words):
    good = {"neurons": 3, "gamma": 0.5, "couplings": [1.0], "dt": 0.1}
    with pytest.raises(CircuitError, match=words):
        trotter_circuit(**(good | arguments))


def test_single_layer_refuses_nan():
    with pytest.raises(CircuitError, match="phase: wanted a finite number, got nan"):
        single_layer_circuit(3, math.nan)
