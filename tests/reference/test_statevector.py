"""The dense reference against matrices written out with Kronecker products, and closed forms.

Known answers: at γ=1, h=0 from saturated E = ½[1 + cos^{N-1}(2φ/N)] (Kitagawa and Ueda 1993).
"""

from __future__ import annotations

import itertools
import math
from functools import reduce

import numpy as np
import pytest
import qutip
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.linalg import expm

from qbrain.reference.lmg import statevector as sv
from qbrain.reference.lmg.statevector import StatevectorError

PAULI = {
    "x": np.array([[0, 1], [1, 0]], dtype=complex),
    "y": np.array([[0, -1j], [1j, 0]]),
    "z": np.diag([1.0 + 0j, -1.0]),
}
GAMMAS = [1.0, 0.8, 0.3, 0.0, -1.0, 1.7]


def operator(neurons, factors):
    """Kronecker product with neuron 0 the rightmost factor: bit 0 is the least significant."""
    return reduce(np.kron, [factors.get(j, np.eye(2)) for j in reversed(range(neurons))])


def spin(neurons, axis):
    total = sum(operator(neurons, {j: PAULI[axis]}) for j in range(neurons)) / 2
    return -total if axis == "z" else total


def squares(neurons, gamma):
    x, y = spin(neurons, "x"), spin(neurons, "y")
    return ((1 + gamma) * x @ x + (1 - gamma) * y @ y) / neurons


def random_state(neurons, seed):
    rng = np.random.default_rng(seed)
    vector = rng.normal(size=1 << neurons) + 1j * rng.normal(size=1 << neurons)
    return vector / np.linalg.norm(vector)


def all_pairs(neurons):
    return list(itertools.combinations(range(neurons), 2))


# ------------------------------------------------------------------------------ exact


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("neurons", [1, 2, 3, 4])
def test_exact_equals_matrix_exponential_on_any_vector(neurons, gamma):
    phases, fields = [0.7, -2.0, 9.0], [0.2, 0.9, -3.0]
    state = random_state(neurons, 1)
    expected = [state]
    for phase, field in zip(phases, fields, strict=True):
        step = expm(1j * (phase * squares(neurons, gamma) + field * spin(neurons, "z")))
        expected.append(step @ expected[-1])
    found = sv.exact(neurons, gamma, phases, fields, state)
    assert found.shape == (4, 1 << neurons)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_exact_equals_qutip():
    neurons, gamma = 6, 0.3
    jx, jy, jz = (qutip.jmat(neurons / 2, axis) for axis in "xyz")  # basis: m = N/2 first
    state = qutip.basis(neurons + 1, neurons - 1)  # n = 1
    for phase, field in [(1.3, 0.4), (-0.6, 0.9)]:
        action = phase / neurons * ((1 + gamma) * jx**2 + (1 - gamma) * jy**2) + field * jz
        state = (1j * action).expm() * state
    expected = state.full().ravel()[::-1]  # by n = m + N/2
    found = sv.exact(neurons, gamma, [1.3, -0.6], [0.4, 0.9], initial=1)[-1]
    dicke = np.array([sv.dicke_state(neurons, n) for n in range(neurons + 1)])
    np.testing.assert_allclose(dicke @ found, expected, atol=1e-11)


@pytest.mark.parametrize("neurons", [1, 2, 5, 10])
def test_exact_equals_closed_form(neurons):
    phases = np.full(12, 0.6)
    reached = 0.6 * np.arange(13)
    cosine = np.cos(2 * reached / neurons) ** (neurons - 1)
    values = sv.excitation_values(neurons)
    for initial, sign in ((0, -1), (neurons, 1)):
        states = sv.exact(neurons, 1.0, phases, initial=initial)
        np.testing.assert_allclose(
            np.abs(states) ** 2 @ values, (1 + sign * cosine) / 2, atol=1e-12
        )


def test_long_phase_keeps_the_norm():
    states = sv.exact(8, 0.8, [400.0, 0.0], [7.0, 0.0])
    np.testing.assert_allclose(np.linalg.norm(states, axis=-1), 1.0, atol=1e-12)
    np.testing.assert_array_equal(states[2], states[1])


def test_action_is_the_generator():
    state = random_state(4, 3)
    expected = -(0.7 * squares(4, 0.3) + 0.2 * spin(4, "z")) @ state
    np.testing.assert_allclose(sv.hamiltonian_action(state, 0.3, 0.7, 0.2), expected, atol=1e-14)


# ------------------------------------------------------------------------------ layers


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_pair_rotation_equals_matrix_exponential(axis):
    state = random_state(4, 2)
    for i, j in itertools.permutations(range(4), 2):
        matrix = operator(4, {i: PAULI[axis], j: PAULI[axis]})
        np.testing.assert_allclose(
            sv.pair_rotation(state, axis, i, j, 0.9), expm(-0.45j * matrix) @ state, atol=1e-14
        )


@pytest.mark.parametrize("axis", ["x", "y", "z"])
@pytest.mark.parametrize("neurons", [1, 2, 5, 8])
def test_collective_twist_equals_its_pairs_one_by_one(neurons, axis):
    state = random_state(neurons, 4)
    expected = np.exp(1j * 0.37 * neurons / 4) * state
    for i, j in all_pairs(neurons):
        expected = sv.pair_rotation(expected, axis, i, j, -0.37)
    np.testing.assert_allclose(sv.collective_twist(state, axis, 0.37), expected, atol=1e-13)


def test_field_turns_active_neurons_forward():
    # exp(i θ J_z) gives an active neuron e^{iθ/2}, a silent one e^{-iθ/2}
    turned = sv.collective_rotation(np.array([1, 1]) / math.sqrt(2), 0.8)
    np.testing.assert_allclose(turned, np.exp([-0.4j, 0.4j]) / math.sqrt(2), atol=1e-15)


# ------------------------------------------------------------------------------ product formulas


def layer(neurons, axis, angle):
    matrix = spin(neurons, axis)
    return expm(1j * angle * (matrix if axis == "z" else matrix @ matrix))


@pytest.mark.parametrize("gamma", [1.0, 0.6, -1.0])
def test_collective_orders_are_the_layers_they_say(gamma):
    n, phase, field = 3, 0.9, 0.4

    def xx(p):
        return layer(n, "x", (1 + gamma) * p / n)

    def yy(p):
        return layer(n, "y", (1 - gamma) * p / n)

    def turn(f):
        return layer(n, "z", f)

    def strang(p, f):
        return turn(f / 2) @ yy(p / 2) @ xx(p) @ yy(p / 2) @ turn(f / 2)

    p = 1 / (4 - 4 ** (1 / 3))
    outer, inner = strang(p * phase, p * field), strang((1 - 4 * p) * phase, (1 - 4 * p) * field)
    steps = {
        1: turn(field) @ yy(phase) @ xx(phase),
        2: strang(phase, field),
        4: outer @ outer @ inner @ outer @ outer,
    }
    state = random_state(n, 5)
    for order, step in steps.items():
        found = sv.product_formula(n, gamma, [phase], field, order=order, initial=state)
        np.testing.assert_allclose(found[1], step @ state, atol=1e-13)


def test_zz_form_orders_are_the_layers_they_say():
    n, gamma, phase, field = 4, 0.3, 0.9, 0.4
    constant = (1 - gamma) * (n / 2) * (n / 2 + 1) / n
    xx = layer(n, "x", 2 * gamma * phase / n)

    def diagonal(part):
        jz = spin(n, "z")
        square = expm(-1j * part * (1 - gamma) * phase / n * jz @ jz)
        return square @ layer(n, "z", part * field)

    state = random_state(n, 6)
    for order, step in {1: diagonal(1.0) @ xx, 2: diagonal(0.5) @ xx @ diagonal(0.5)}.items():
        found = sv.product_formula(
            n, gamma, [phase], field, order=order, initial=state, form="xx+zz"
        )
        np.testing.assert_allclose(
            found[1], np.exp(1j * constant * phase) * step @ state, atol=1e-13
        )


@pytest.mark.parametrize("form", ["xx+yy", "xx+zz"])
def test_pairwise_sweeps_run_to_and_fro(form):
    n, gamma, phase, field = 3, 0.3, 0.8, 0.5
    pairs = [(1, 2), (0, 2), (1, 0)]
    first, second = ("y", 1 - gamma) if form == "xx+yy" else ("z", -(1 - gamma))
    weight = 1 + gamma if form == "xx+yy" else 2 * gamma
    constant = 0.5 if form == "xx+yy" else (3 * gamma - 1) / 4 + (1 - gamma) * (n + 2) / 4

    def sweep(sequence, p):
        matrix = np.eye(1 << n)
        for i, j in sequence:
            xx = operator(n, {i: PAULI["x"], j: PAULI["x"]})
            other = operator(n, {i: PAULI[first], j: PAULI[first]})
            matrix = expm(0.5j * p / n * (weight * xx + second * other)) @ matrix
        return matrix

    shift = np.exp(1j * constant * phase)
    turn, half = layer(n, "z", field), layer(n, "z", field / 2)
    state = random_state(n, 7)
    options = {"initial": state, "form": form, "splitting": "pairwise", "pairs": pairs}
    forth = shift * turn @ sweep(pairs, phase)
    back = shift * turn @ sweep(pairs[::-1], phase)
    found = sv.product_formula(n, gamma, [phase] * 3, field, order=1, **options)
    np.testing.assert_allclose(found[1], forth @ state, atol=1e-13)
    np.testing.assert_allclose(found[3], forth @ back @ forth @ state, atol=1e-13)
    strang = half @ sweep(pairs[::-1], phase / 2) @ sweep(pairs, phase / 2) @ half
    found = sv.product_formula(n, gamma, [phase] * 2, field, order=2, **options)
    np.testing.assert_allclose(found[2], shift**2 * strang @ strang @ state, atol=1e-13)


@pytest.mark.parametrize("splitting", ["collective", "pairwise"])
@pytest.mark.parametrize("form", ["xx+yy", "xx+zz"])
@pytest.mark.parametrize(("order", "slope"), [(1, 1), (2, 2), (4, 4)])
def test_error_shrinks_with_the_order(order, slope, form, splitting):
    pairs = all_pairs(4) if splitting == "pairwise" else None
    goal = sv.exact(4, 0.4, [1.2], [0.7], initial=1)[-1]
    errors = []
    for steps in (8, 16):
        found = sv.product_formula(
            4,
            0.4,
            np.full(steps, 1.2 / steps),
            0.7 / steps,
            order=order,
            initial=1,
            form=form,
            splitting=splitting,
            pairs=pairs,
        )
        errors.append(np.linalg.norm(found[-1] - goal))
    assert math.log2(errors[0] / errors[1]) == pytest.approx(slope, abs=0.3)


@pytest.mark.parametrize("order", [1, 2, 4])
def test_single_axis_is_exact_in_one_step(order):
    found = sv.product_formula(6, 1.0, [7.3], order=order, initial=2)
    np.testing.assert_allclose(found, sv.exact(6, 1.0, [7.3], initial=2), atol=1e-12)


@example(neurons=2, gamma=0.0, phase=0.0, field=5e-324, order=1, form="xx+yy", share=0.0)
@settings(max_examples=30, deadline=None)
@given(
    neurons=st.integers(1, 7),
    gamma=st.floats(-2, 2),
    phase=st.floats(-3, 3),
    field=st.floats(-3, 3),
    order=st.sampled_from([1, 2, 4]),
    form=st.sampled_from(["xx+yy", "xx+zz"]),
    share=st.floats(0, 1),
)
def test_norm_parity_and_symmetry_are_kept(neurons, gamma, phase, field, order, form, share):
    initial = round(share * neurons)
    options = {"order": order, "initial": initial, "form": form}
    for states in (
        sv.product_formula(neurons, gamma, [phase] * 2, field, **options),
        sv.exact(neurons, gamma, [phase] * 2, field, initial),
    ):
        populations = sv.excitation_populations(states)
        np.testing.assert_allclose(populations.sum(axis=-1), 1.0, atol=1e-12)
        wrong = np.arange(neurons + 1) % 2 != initial % 2
        np.testing.assert_allclose(populations[:, wrong], 0.0, atol=1e-12)
        np.testing.assert_allclose(sv.symmetric_weight(states), 1.0, atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), order=st.sampled_from([1, 2, 4]))
def test_collective_steps_commute_with_permutations(seed, order):
    rng = np.random.default_rng(seed)
    places = rng.permutation(4)
    index = np.arange(16)
    moved = sum(((index >> j) & 1) << places[j] for j in range(4))
    state = random_state(4, seed)
    there = sv.product_formula(4, 0.4, [0.9], 0.3, order=order, initial=state[moved])[-1]
    here = sv.product_formula(4, 0.4, [0.9], 0.3, order=order, initial=state)[-1]
    np.testing.assert_allclose(there, here[moved], atol=1e-12)


def test_pairwise_sweep_leaves_the_symmetric_subspace_and_says_so():
    options = {"splitting": "pairwise", "pairs": all_pairs(4), "order": 1}
    state = sv.product_formula(4, 0.4, [3.0], **options)[-1]
    assert 0.5 < float(sv.symmetric_weight(state)) < 0.99


# ------------------------------------------------------------------------------ states


def test_dicke_state_holds_every_string_of_n_ones():
    for neurons in (1, 4, 6):
        for n in range(neurons + 1):
            state = sv.dicke_state(neurons, n)
            strings = [sum(1 << j for j in c) for c in itertools.combinations(range(neurons), n)]
            np.testing.assert_allclose(state[strings], 1 / math.sqrt(len(strings)))
            assert np.count_nonzero(state) == len(strings)


def test_populations_and_values_count_ones():
    state = np.zeros(8, dtype=complex)
    state[0b110] = 0.6
    state[0b001] = 0.8j
    np.testing.assert_allclose(sv.excitation_populations(state), [0, 0.64, 0.36, 0])
    np.testing.assert_allclose(np.abs(state) ** 2 @ sv.excitation_values(3), (0.64 + 0.72) / 3)
    np.testing.assert_allclose(sv.symmetric_weight(state), (0.64 + 0.36) / 3)


def test_populations_keep_leading_axes():
    states = np.stack([random_state(3, s) for s in range(6)]).reshape(2, 3, 8)
    populations = sv.excitation_populations(states)
    assert populations.shape == (2, 3, 4)
    np.testing.assert_allclose(populations[1, 2], sv.excitation_populations(states[1, 2]))
    assert sv.symmetric_weight(states).shape == (2, 3)


def test_steps_one_at_a_time_are_the_stacked_ones():
    stacked = sv.product_formula(4, 0.3, [0.4, 0.5], [0.1, 0.2])
    np.testing.assert_array_equal(
        list(sv.product_formula_steps(4, 0.3, [0.4, 0.5], [0.1, 0.2])), stacked
    )
    stacked = sv.exact(4, 0.3, [0.4, 0.5], [0.1, 0.2])
    np.testing.assert_array_equal(list(sv.exact_steps(4, 0.3, [0.4, 0.5], [0.1, 0.2])), stacked)


def test_no_steps_give_the_initial_state_alone():
    assert sv.product_formula(3, 0.5, []).shape == (1, 8)
    assert sv.exact(3, 0.5, [], initial=2).shape == (1, 8)


# ------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"neurons": 0}, "neurons: wanted an integer in 1"),
        ({"neurons": 30}, "neurons: .* got 30"),
        ({"neurons": 2.5}, "neurons"),
        ({"neurons": True}, "neurons"),
        ({"gamma": math.nan}, "gamma: wanted a finite number, got nan"),
        ({"phases": [0.1, math.inf]}, "phases: wanted finite"),
        ({"phases": 0.3}, "phases: wanted one axis"),
        ({"field_phases": [0.1, 0.2, 0.3]}, "field_phases: wanted one number or shape"),
        ({"field_phases": math.nan}, "field_phases: wanted finite"),
        ({"order": 3}, "order: wanted 1, 2 or 4, got 3"),
        ({"form": "yy"}, "form: wanted one of"),
        ({"splitting": "none"}, "splitting: wanted one of"),
        ({"initial": 4}, "n: wanted an integer in 0..3, got 4"),
        ({"initial": [1.0, 0.0]}, "initial: wanted a number of ones or shape"),
        ({"initial": np.ones(8)}, "initial: wanted norm 1"),
        ({"initial": np.full(8, np.nan)}, "initial: wanted norm 1"),
        ({"splitting": "pairwise"}, "pairs: splitting 'pairwise' wants"),
        ({"pairs": [(0, 1), (0, 2), (1, 2)]}, "pairs: only splitting"),
        ({"splitting": "pairwise", "pairs": [(0, 1), (0, 1), (1, 2)]}, "pairs: wanted each"),
    ],
)
def test_bad_arguments_are_named(arguments, words):
    good = {"neurons": 3, "gamma": 0.5, "phases": [0.1, 0.2]}
    with pytest.raises(StatevectorError, match=words):
        sv.product_formula(**(good | arguments))


def test_bad_states_and_pairs_are_named():
    with pytest.raises(StatevectorError, match="last axis of length 2\\^N"):
        sv.excitation_populations(np.ones(6))
    with pytest.raises(StatevectorError, match="pair: wanted two different"):
        sv.pair_rotation(np.ones(4) / 2, "x", 1, 1, 0.3)
    with pytest.raises(StatevectorError, match="axis: wanted one of x, y, z"):
        sv.collective_twist(np.ones(4) / 2, "w", 0.3)
