"""Estimates from counts: by hand, and against the scatter of many repetitions."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, kstest

from qbrain.reference.qlif.bell import BellError, chsh_value, pair_table
from qbrain.reference.qlif.bell_counts import (
    compare_rates,
    estimate_chsh,
    no_signalling,
    setting_counts,
)

CLAUSER = ((0.0, math.pi / 2), (math.pi / 4, -math.pi / 4))
PAIR = pair_table(math.pi / 4, *CLAUSER)
PARTIAL = pair_table(0.4, *CLAUSER)


def drawn(rng, table, trials):
    shape = table.shape
    flat = [rng.multinomial(trials, p) for p in table.reshape(-1, 4)]
    return np.array(flat).reshape(shape)


@given(st.lists(st.tuples(*[st.integers(0, 1)] * 4), min_size=1, max_size=40))
def test_counting_is_counting(trials):
    wanted = np.zeros((2, 2, 2, 2), dtype=int)
    for x, y, i, j in trials:
        wanted[x, y, i, j] += 1
    each = np.array(trials, dtype=np.uint8)
    np.testing.assert_array_equal(setting_counts(each[:, :2], each[:, 2:]), wanted)


def test_counts_of_many_axes_and_of_unequal_numbers_of_settings():
    rng = np.random.default_rng(0)
    settings = np.stack([rng.integers(0, 3, (5, 7)), np.zeros((5, 7), int)], axis=-1)
    found = setting_counts(settings, rng.integers(0, 2, (5, 7, 2)), (3, 1))
    assert found.shape == (3, 1, 2, 2)
    assert found.sum() == 35


def test_a_value_by_hand():
    counts = np.zeros((2, 2, 2, 2), dtype=int)
    counts[:, :, 0, 0] = 60
    counts[:, :, 0, 1] = 40
    counts[1, 1] = [[10, 20], [30, 40]]
    found = estimate_chsh(counts, level=0.6826894921370859)
    # E = 0.2 three times, 0 once
    np.testing.assert_allclose(found.correlators, [[0.2, 0.2], [0.2, 0.0]], atol=1e-15)
    assert found.value == pytest.approx(0.6)
    each = (1 - (20 / 101) ** 2) / 100
    assert found.stderr == pytest.approx(math.sqrt(3 * each + 1 / 100))
    assert (found.low, found.high) == pytest.approx(
        (0.6 - found.stderr, 0.6 + found.stderr), abs=1e-12
    )
    assert found.trials.tolist() == [[100, 100], [100, 100]]


def test_perfect_correlation_is_not_taken_for_certain():
    counts = np.zeros((2, 2, 2, 2), dtype=int)
    counts[:, :, 0, 0] = 8
    found = estimate_chsh(counts)
    assert found.value == 2
    assert 0.2 < found.stderr < 1


@pytest.mark.parametrize("table", [PAIR, PARTIAL])
def test_the_interval_covers_and_the_error_is_the_scatter(table):
    rng, repeats = np.random.default_rng(1), 2000
    wanted = chsh_value(table)
    found = [estimate_chsh(drawn(rng, table, 400)) for _ in range(repeats)]
    values = np.array([f.value for f in found])
    covered = np.mean([f.low <= wanted <= f.high for f in found])
    # 4 standard errors of a share and of a spread, and discreteness of counts
    assert abs(covered - 0.95) < 4 * math.sqrt(0.95 * 0.05 / repeats) + 0.005
    assert np.std(values) == pytest.approx(
        np.mean([f.stderr for f in found]), rel=4 / math.sqrt(2 * repeats)
    )
    assert abs(values.mean() - wanted) < 4 * values.std() / math.sqrt(repeats)


@pytest.mark.parametrize("table", [PAIR, PARTIAL, pair_table(0.4, [0.0, 1.0, 2.0], [0.5])])
def test_p_values_of_a_pair_are_uniform(table):
    rng = np.random.default_rng(2)
    found = [no_signalling(drawn(rng, table, 1000)) for _ in range(600)]
    for name in ("p_value", "p_first", "p_second"):
        p = np.array([getattr(f, name) for f in found])
        if np.isnan(p).all():
            assert name == "p_first"  # the second side has one setting
            assert table.shape[1] == 1
            continue
        assert kstest(p, "uniform").pvalue > 1e-3
    x, y = table.shape[:2]
    assert {f.dof for f in found} == {x * (y - 1) + y * (x - 1)}


def test_a_direction_is_pearsons_test():
    counts = drawn(np.random.default_rng(3), PARTIAL, 50)[:1]
    bits = counts[0].sum(axis=2)
    assert no_signalling(counts).p_first == pytest.approx(
        chi2_contingency(bits, correction=False).pvalue
    )


def test_signals_are_seen_in_the_direction_they_go():
    rng = np.random.default_rng(4)
    table = PAIR.copy()
    # B's bit copies A's setting in a tenth of the trials; A's bit is left as it was
    for x in (0, 1):
        marginal = table[x].sum(axis=2, keepdims=True)
        table[x] *= 0.9
        table[x][:, :, x] += 0.1 * marginal[..., 0]
    found = no_signalling(drawn(rng, table, 4000))
    assert found.p_second < 1e-6
    assert found.p_value < 1e-6
    assert found.p_first > 1e-3


def test_signals_without_any_noise_are_seen():
    counts = np.zeros((2, 2, 2, 2), dtype=int)
    for x in (0, 1):
        for y in (0, 1):
            counts[x, y, y, x] = 50
    found = no_signalling(counts)
    assert max(found.p_value, found.p_first, found.p_second) < 1e-10


def test_bits_that_never_change_signal_nothing():
    counts = np.zeros((2, 2, 2, 2), dtype=int)
    counts[:, :, 0, 0] = 50
    found = no_signalling(counts)
    assert (found.p_value, found.p_first, found.p_second, found.dof) == (1.0, 1.0, 1.0, 0)


def test_rates_that_differ_and_rates_that_do_not():
    rng = np.random.default_rng(5)
    same, other = rng.random((2, 2000, 50)) < 0.02
    found = compare_rates(same, other)
    assert found.difference == pytest.approx(same.mean() - other.mean())
    assert found.stderr == pytest.approx(math.sqrt(2 * 0.02 * 0.98 / 1e5), rel=0.4)
    assert found.p_value > 1e-3
    more = rng.random((2000, 50)) < 0.03
    assert compare_rates(more, other).p_value < 1e-6
    p = [compare_rates(*(rng.random((2, 300, 20)) < 0.1)).p_value for _ in range(400)]
    assert kstest(p, "uniform").pvalue > 1e-3
    silent = np.zeros((10, 3))
    assert compare_rates(silent, silent).p_value == 1
    assert compare_rates(silent + 1, silent).p_value == 0


GOOD = np.full((2, 2, 2, 2), 5)
EMPTY = GOOD.copy()
EMPTY[1, 0] = 0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: setting_counts([], []), "settings: wanted shape"),
        (lambda: setting_counts([[0, 1]], [[0, 1], [1, 1]]), "outcomes: wanted the settings'"),
        (lambda: setting_counts([[0, 2]], [[0, 1]]), r"settings: .* 0..1 of side 1, got 2 to 2"),
        (lambda: setting_counts([[0, 1]], [[0.5, 1]]), "outcomes: wanted whole numbers"),
        (lambda: setting_counts([[0, 1]], [[0, -1]]), "outcomes: .*got -1"),
        (lambda: estimate_chsh(EMPTY), r"counts: wanted trials at each .*got none at \(1, 0\)"),
        (lambda: estimate_chsh(GOOD[:1]), r"counts: wanted two settings a side, got \(1, 2\)"),
        (lambda: estimate_chsh(GOOD, level=1.0), "level: wanted a number between 0 and 1, got 1"),
        (lambda: estimate_chsh(GOOD / 2), "counts: wanted whole numbers"),
        (lambda: estimate_chsh(-GOOD), "counts: wanted numbers >= 0, got -5"),
        (lambda: no_signalling(GOOD[:1, :1]), "counts: wanted two settings or more on a side"),
        (lambda: no_signalling(GOOD[0]), "counts: .*got"),
        (
            lambda: compare_rates(np.zeros((5, 1)), np.zeros((5, 2))),
            r"first: wanted shape .*\(5, 1",
        ),
        (lambda: compare_rates(np.zeros((5, 2)), np.zeros((0, 2))), r"second: wanted .*\(0, 2\)"),
    ],
)
def test_mistakes_are_named(call, words):
    with pytest.raises(BellError, match=words):
        call()
