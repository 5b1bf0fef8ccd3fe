"""Gates and channels from counts: exact means, errors of reading, joint readings."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qbrain.backends.readout import estimate_readout
from qbrain.classical_feedback.estimator import EstimateError
from qbrain.classical_feedback.gate_estimator import GateEstimator, Register

POTASSIUM = np.array([[4.0]])


def exact_counts(chances, wrong, shots=10**9):
    """Counts of independent bits, as their probabilities say, with errors of reading."""
    found = {}
    seen = [(1 - b) * p + a * (1 - p) for p, (a, b) in zip(chances, wrong, strict=True)]
    for bits in itertools.product((0, 1), repeat=len(chances)):
        weight = np.prod([q if bit else 1 - q for q, bit in zip(seen, bits, strict=True)])
        found[sum(bit << k for k, bit in enumerate(bits))] = weight * shots
    return found


def test_one_gate_is_its_share_of_ones():
    found = GateEstimator([Register((0,))], POTASSIUM)([{1: 300, 0: 700}])
    assert found.values[0] == pytest.approx(0.3)
    assert found.stderr[0] == pytest.approx(np.sqrt(0.3 * 0.7 / 1000))
    assert found.open[0] == pytest.approx(0.3**4)
    assert found.open_stderr[0] == pytest.approx(4 * 0.3**3 * found.stderr[0])


@settings(max_examples=30)
@given(
    st.lists(st.floats(0.05, 0.95), min_size=4, max_size=4),
    st.lists(st.tuples(st.floats(0, 0.2), st.floats(0, 0.2)), min_size=4, max_size=4),
)
def test_errors_of_reading_are_undone(chances, wrong):
    whole = Register((0, 1, 1, 2), {0: ((0, 1, 3),)})
    powers = np.array([[1.0, 1, 1], [0, 2, 1]])
    estimator = GateEstimator([whole], powers, [np.array(wrong)])
    found = estimator([exact_counts(chances, wrong)])
    mean = (chances[1] + chances[2]) / 2
    np.testing.assert_allclose(found.values, [chances[0], mean, chances[3]], atol=1e-7)
    # the joint channel as read, the other one by powers
    assert found.open[0] == pytest.approx(chances[0] * chances[1] * chances[3], abs=1e-6)
    assert found.open[1] == pytest.approx(mean**2 * chances[3], abs=1e-6)


def test_a_joint_reading_knows_of_correlations():
    # all four open or all four closed: the product of the shares would say 1/16
    register = Register((0,) * 4, {0: ((0, 1, 2, 3),)})
    found = GateEstimator([register], POTASSIUM)([{15: 500, 0: 500}])
    assert found.values[0] == pytest.approx(0.5)
    assert found.open[0] == pytest.approx(0.5)


def test_errors_are_those_of_many_samples():
    random = np.random.default_rng(3)
    register = Register((0, 0), {0: ((0,), (1,))})
    wrong = [np.array([[0.02, 0.05], [0.01, 0.03]])]
    estimator = GateEstimator([register], np.array([[1.0]]), wrong)
    chances = exact_counts((0.3, 0.4), wrong[0], shots=1.0)
    words, weights = list(chances), np.array(list(chances.values()))
    values, errors = [], []
    for _ in range(400):
        drawn = random.multinomial(1000, weights / weights.sum())
        found = estimator([dict(zip(words, drawn, strict=True))])
        values.append(found.values[0])
        errors.append(found.stderr[0])
    # the spread of 400 values is known to 1/sqrt(800)
    assert np.std(values) == pytest.approx(np.mean(errors), rel=4 / np.sqrt(800))
    assert np.mean(values) == pytest.approx(0.35, abs=4 * np.mean(errors) / 20)


def test_registers_of_their_own_give_one_reading():
    registers = [Register((0,)), Register((1,)), Register((2,))]
    powers = np.array([[4.0, 0, 0], [0, 3, 1]])
    counts = [{1: 1, 0: 1}, {1: 3, 0: 1}, {1: 1, 0: 3}]
    found = GateEstimator(registers, powers)(counts)
    np.testing.assert_allclose(found.values, [0.5, 0.75, 0.25])
    np.testing.assert_allclose(found.open, [0.5**4, 0.75**3 * 0.25])
    assert np.all(found.stderr > 0)


def test_nothing_seen_has_an_error_bar_still():
    found = GateEstimator([Register((0,))], POTASSIUM)([{0: 100}])
    assert found.values[0] == 0
    assert 0 < found.stderr[0] < 0.02


def test_wrong_readings_are_read_off_the_two_preparations():
    closed, opened = {0: 90, 1: 6, 2: 4}, {3: 80, 1: 15, 2: 5}
    np.testing.assert_allclose(
        estimate_readout([closed, opened], [0, 3], 2).readout, [[0.06, 0.05], [0.04, 0.15]]
    )


@pytest.mark.parametrize("wrong", [[[0.5, 0.5]], [[-0.1, 0.1]], [[0.9, 0.2]]])
def test_errors_that_cannot_be_undone_are_refused(wrong):
    with pytest.raises(EstimateError, match=r"readout: wanted p\(1\|0\)"):
        GateEstimator([Register((0,))], POTASSIUM, [wrong])


def test_no_shots_are_refused():
    with pytest.raises(EstimateError, match="counts: wanted at least one shot"):
        GateEstimator([Register((0,))], POTASSIUM)([{}])
