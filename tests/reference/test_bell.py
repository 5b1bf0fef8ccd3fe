"""Correlators and local models: against states written out, by enumeration, and Fine's theorem."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from qbrain.reference.qlif.bell import (
    BellError,
    chsh_value,
    correlator,
    joint,
    largest_chsh,
    local_bound,
    local_model,
    marginal,
    optimal_settings,
    pair_table,
)

PHI = st.floats(0, math.pi / 2)
ANGLE = st.floats(-4, 4)
UNIT = st.floats(0, 1)
CLAUSER = ((0.0, math.pi / 2), (math.pi / 4, -math.pi / 4))


def by_state(phi, a, b, visibility):
    """P of the bits from the density matrix and the projectors, written out."""
    psi = np.zeros(4)
    psi[0], psi[3] = math.cos(phi), math.sin(phi)
    rho = visibility * np.outer(psi, psi) + (1 - visibility) * np.eye(4) / 4
    found = np.empty((2, 2))
    for i, j in itertools.product((0, 1), repeat=2):
        projectors = []
        for angle, bit in ((a, i), (b, j)):
            # eigenvectors of cosα Z + sinα X, half the angle on the Bloch sphere
            half = angle / 2 + bit * math.pi / 2
            vector = np.array([math.cos(half), math.sin(half)])
            projectors.append(np.outer(vector, vector))
        found[i, j] = np.trace(rho @ np.kron(*projectors))
    return found


@given(PHI, ANGLE, ANGLE, UNIT)
def test_probabilities_are_those_of_the_state(phi, a, b, visibility):
    wanted = by_state(phi, a, b, visibility)
    found = joint(phi, a, b, visibility)
    np.testing.assert_allclose(found, wanted, atol=1e-14)
    signs = np.array([1, -1])
    assert correlator(phi, a, b, visibility) == pytest.approx(signs @ wanted @ signs, abs=1e-14)
    for angle, axis in ((a, 1), (b, 0)):
        mean = signs @ wanted.sum(axis=axis)
        assert marginal(phi, angle, visibility) == pytest.approx(mean, abs=1e-14)


@given(PHI, st.tuples(ANGLE, ANGLE), st.tuples(ANGLE, ANGLE), UNIT)
def test_no_table_passes_the_quantum_bound_and_none_signals(phi, first, second, visibility):
    table = pair_table(phi, first, second, visibility)
    assert table.shape == (2, 2, 2, 2)
    np.testing.assert_allclose(table.sum(axis=(2, 3)), 1, atol=1e-14)
    assert abs(chsh_value(table)) <= largest_chsh(phi, visibility) + 1e-12
    left, right = table.sum(axis=3), table.sum(axis=2)
    np.testing.assert_allclose(left[:, 0], left[:, 1], atol=1e-14)
    np.testing.assert_allclose(right[0], right[1], atol=1e-14)


@given(PHI, UNIT)
def test_the_optimal_settings_reach_the_largest_value(phi, visibility):
    found = chsh_value(pair_table(phi, *optimal_settings(phi), visibility))
    assert found == pytest.approx(float(largest_chsh(phi, visibility)), abs=1e-12)


def test_the_optimal_settings_are_the_best_of_a_grid():
    grid = np.linspace(-math.pi, math.pi, 25)
    a, b = np.meshgrid(grid, grid, indexing="ij")
    for phi in (0.2, math.pi / 4, 1.3):
        e = correlator(phi, a, b)
        # the best b, given both a: |E₀ + E₁| + |E₀ − E₁| at their own largest
        most = max((e[i] + e[j]).max() + (e[i] - e[j]).max() for i in range(25) for j in range(25))
        assert most <= float(largest_chsh(phi)) + 1e-12
        assert most >= float(largest_chsh(phi)) - 0.03


@pytest.mark.parametrize(
    ("phi", "visibility", "wanted"),
    [
        (math.pi / 4, 1.0, 2 * math.sqrt(2)),
        (math.pi / 4, 0.9, 1.8 * math.sqrt(2)),
        (math.pi / 4, 0.7, 1.4 * math.sqrt(2)),
        (math.pi / 4, 0.0, 0.0),
        (0.0, 1.0, math.sqrt(2)),
        (math.pi / 12, 1.0, math.sqrt(2) * 1.5),
    ],
)
def test_values_by_hand(phi, visibility, wanted):
    # at these settings S = √2 (1 + sin2φ) v
    assert chsh_value(pair_table(phi, *CLAUSER, visibility)) == pytest.approx(wanted, abs=1e-12)


def test_the_local_bound_is_two_by_all_sixteen_strategies():
    values = {
        a0 * b0 + a0 * b1 + a1 * b0 - a1 * b1
        for a0, a1, b0, b1 in itertools.product((1, -1), repeat=4)
    }
    assert values == {2, -2}
    assert local_bound() == 2
    assert local_bound([[1.0]]) == 1
    assert local_bound([[1, 1], [1, 1]]) == 4
    # a chain of three settings a side: 2·3 − 2
    assert local_bound([[1, 1, 0], [0, 1, 1], [-1, 0, 1]]) == 4


@given(PHI, st.tuples(ANGLE, ANGLE), st.tuples(ANGLE, ANGLE), UNIT)
@settings(max_examples=60, deadline=None)
def test_the_local_model_is_local_and_as_near_as_fines_theorem_allows(
    phi, first, second, visibility
):
    wanted = pair_table(phi, first, second, visibility)
    model = local_model(wanted)
    found = model.table()
    assert model.weights.sum() == pytest.approx(1, abs=1e-12)
    assert (model.weights > 0).all()
    np.testing.assert_allclose(found.sum(axis=3), wanted.sum(axis=3), atol=1e-9)
    np.testing.assert_allclose(found.sum(axis=2), wanted.sum(axis=2), atol=1e-9)
    # Fine 1982: local if and only if none of the eight forms of S passes 2
    signs = np.array([1, -1])
    e = np.einsum("xyij,i,j->xy", wanted, signs, signs)
    forms = [e.sum() - 2 * e[x, y] for x in (0, 1) for y in (0, 1)]
    excess = max(0.0, max(abs(s) for s in forms) - 2)
    assert model.distance >= excess / 4 - 1e-9
    if excess < 1e-9:
        np.testing.assert_allclose(found, wanted, atol=1e-8)
    assert abs(chsh_value(found)) <= 2 + 1e-9


@pytest.mark.parametrize(
    ("phi", "visibility"), [(math.pi / 4, 1.0), (math.pi / 4, 0.9), (0.3, 1.0), (1.2, 0.95)]
)
def test_past_the_bound_the_local_model_stops_at_two(phi, visibility):
    wanted = pair_table(phi, *optimal_settings(phi), visibility)
    model = local_model(wanted)
    assert chsh_value(wanted) > 2
    assert chsh_value(model.table()) == pytest.approx(2, abs=1e-9)
    assert model.distance == pytest.approx((chsh_value(wanted) - 2) / 4, abs=1e-9)


@given(PHI, ANGLE, st.lists(ANGLE, min_size=1, max_size=3), UNIT)
@settings(max_examples=30, deadline=None)
def test_one_setting_on_a_side_is_always_local(phi, a, second, visibility):
    for wanted in (
        pair_table(phi, [a], second, visibility),
        pair_table(phi, second, [a], visibility),
    ):
        np.testing.assert_allclose(local_model(wanted).table(), wanted, atol=1e-8)


def test_fixed_settings_need_shared_strategies_in_the_order_of_the_table():
    wanted = pair_table(0.6, [0.4], [-0.2])
    model = local_model(wanted)
    bits = np.stack([model.first[:, 0], model.second[:, 0]], axis=-1)
    np.testing.assert_array_equal(bits, [[1, 1], [1, 0], [0, 1], [0, 0]])
    np.testing.assert_allclose(model.weights, wanted[0, 0, ::-1, ::-1].ravel(), atol=1e-9)


def test_a_box_that_no_state_has_is_halved():
    # Popescu and Rohrlich: S = 4 without signalling
    box = np.zeros((2, 2, 2, 2))
    for x, y, i in itertools.product((0, 1), repeat=3):
        box[x, y, i, i ^ (x & y)] = 0.5
    assert chsh_value(box) == 4
    model = local_model(box)
    assert model.distance == pytest.approx(0.5)
    assert chsh_value(model.table()) == pytest.approx(2)


SIGNALS = np.zeros((1, 2, 2, 2))
SIGNALS[0, 0, 0, 0] = SIGNALS[0, 1, 1, 1] = 1


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: correlator(-0.1, 0, 0), r"phi: wanted an angle in \[0, pi/2\], got -0.1"),
        (lambda: correlator(math.nan, 0, 0), "phi: .*got nan"),
        (lambda: marginal(0.1, 0, 1.2), r"visibility: wanted a number in \[0, 1\], got 1.2"),
        (lambda: joint(0.1, 0, math.inf), "b: wanted finite angles"),
        (lambda: optimal_settings(2.0), "phi: wanted"),
        (lambda: largest_chsh(0.1, -1), "visibility: wanted"),
        (
            lambda: pair_table(0.1, 0.0, [0.0]),
            r"first: wanted one axis of settings, got shape \(\)",
        ),
        (lambda: pair_table(0.1, [0.0], []), r"second: wanted one axis of settings"),
        (lambda: chsh_value(pair_table(0.1, [0.0], [0.0])), r"two settings a side, got \(1, 1\)"),
        (lambda: chsh_value(np.ones((2, 2))), r"table: wanted shape \(X, Y, 2, 2\), got \(2, 2\)"),
        (lambda: chsh_value(np.ones((2, 2, 2, 2))), "table: wanted probabilities that sum to 1"),
        (lambda: local_model(SIGNALS), "table: wanted marginals that depend on the own setting"),
        (
            lambda: local_model(pair_table(0.1, np.zeros(6), np.zeros(6))),
            "table: wanted at most 10 settings in all, got 12",
        ),
        (lambda: local_bound([1.0]), r"coefficients: wanted a matrix .*got shape \(1,\)"),
        (lambda: local_bound(np.ones((11, 1))), "coefficients: wanted at most 10 settings"),
    ],
)
def test_mistakes_are_named(call, words):
    with pytest.raises(BellError, match=words):
        call()


@given(PHI, ANGLE, ANGLE)
def test_without_the_coherence_a_pair_is_a_shared_bit(phi, a, b):
    # diag(cos²φ, 0, 0, sin²φ): given the bit, each side measures its own qubit
    assume(abs(math.sin(2 * phi)) > 1e-3)
    given_bit = np.array([math.cos(phi) ** 2, math.sin(phi) ** 2])
    signs = np.array([1, -1])
    mixed = given_bit @ (signs * math.cos(a) * signs * math.cos(b))
    lost = math.sin(2 * phi) * math.sin(a) * math.sin(b)
    assert correlator(phi, a, b) - mixed == pytest.approx(lost, abs=1e-12)
