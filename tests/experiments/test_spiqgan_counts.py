"""From counts of a spike generator to its spikes: order of bits, errors of reading, draws."""

from functools import reduce

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from qbrain.classical_feedback.estimator import EstimateError
from qbrain.experiments.spiqgan.counts import (
    corrected_ones,
    corrected_words,
    draw_independent,
    draw_words,
    nearest_distribution,
    ones_of,
    shots_as_windows,
    word_shares,
)


def test_bit_i_of_an_outcome_is_neuron_i():
    counts = {0b110: 3, 0b001: 1}
    np.testing.assert_allclose(ones_of(counts, 3), [0.25, 0.75, 0.75])
    np.testing.assert_allclose(word_shares(counts, 3), [0, 0.25, 0, 0, 0, 0, 0.75, 0])
    # of more bits than an integer of the processor has
    counts = {1 << 69 | 1 << 3: 2, 0: 1}
    windows = shots_as_windows(counts, 7, 10)
    assert windows.shape == (3, 7, 10)
    assert windows.sum() == 4
    assert windows[:2, 6, 9].all()
    assert windows[:2, 0, 3].all()
    np.testing.assert_allclose(ones_of(counts, 70).reshape(7, 10), windows.mean(axis=0))


ERRORS = hnp.arrays(float, st.tuples(st.integers(1, 4), st.just(2)), elements=st.floats(0, 0.45))


def seen(true, readout):
    """What reading makes of a distribution of words: neuron 0 is the lowest bit."""
    matrices = [np.array([[1 - a, b], [a, 1 - b]]) for a, b in readout]
    return reduce(np.kron, matrices[::-1]) @ true


@given(ERRORS, st.integers(0, 2**32))
def test_errors_of_reading_are_undone(readout, seed):
    bits = len(readout)
    true = np.random.default_rng(seed).dirichlet(np.full(2**bits, 0.5), size=3)
    read = np.array([seen(row, readout) for row in true])
    np.testing.assert_allclose(corrected_words(read, readout), true, atol=1e-9)
    ones = np.arange(2**bits)[:, None] >> np.arange(bits) & 1
    np.testing.assert_allclose(corrected_ones(read @ ones, readout), true @ ones, atol=1e-12)


@given(hnp.arrays(float, (2, 8), elements=st.floats(-2, 2)))
def test_the_nearest_distribution_meets_the_conditions_of_a_minimum(rows):
    rows = rows + (1 - rows.sum(axis=1, keepdims=True)) / 8
    found = nearest_distribution(rows)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-12)
    assert (found >= 0).all()
    for row, near in zip(rows, found, strict=True):
        # Karush, Kuhn and Tucker: one multiplier where above 0, no more than it elsewhere
        lowered = row - near
        held = lowered[near > 0]
        np.testing.assert_allclose(held, held[0], atol=1e-12)
        assert (lowered <= held[0] + 1e-12).all()
    np.testing.assert_allclose(nearest_distribution(found), found, atol=1e-12)


def test_what_cannot_be_corrected_is_named():
    with pytest.raises(EstimateError, match=r"readout: wanted p\(1\|0\) \+ p\(0\|1\) < 1.*got 1"):
        corrected_ones(np.array([0.5]), np.array([[0.5, 0.5]]))
    with pytest.raises(EstimateError, match="at least one shot"):
        ones_of({0: 0}, 1)
    # more ones than errors of reading alone can hide
    assert corrected_ones(np.array([0.999, 0.001]), np.full((2, 2), 0.01)).tolist() == [1, 0]


def test_windows_follow_the_probabilities_of_their_noise_value():
    generator = np.random.default_rng(1)
    words = generator.dirichlet(np.ones(8), size=(3, 2))
    words[0, 0, [0, 3, 7]] = 0
    words /= words.sum(axis=2, keepdims=True)
    points = generator.integers(3, size=60_000)
    windows = draw_words(words, points, 3, seed=2)
    index = windows @ (1 << np.arange(3))
    for p in range(3):
        size = np.sum(points == p)
        for t in range(2):
            shares = np.bincount(index[points == p, t], minlength=8) / size
            spread = np.sqrt(words[p, t] * (1 - words[p, t]) / size)
            assert (np.abs(shares - words[p, t]) <= 5 * spread).all()
    spiking = generator.random((3, 2, 4))
    drawn = draw_independent(spiking, points, seed=3)
    for p in range(3):
        spread = np.sqrt(spiking[p] * (1 - spiking[p]) / np.sum(points == p))
        assert (np.abs(drawn[points == p].mean(axis=0) - spiking[p]) <= 5 * spread).all()
