"""Estimators against exact distributions, and their error bars against their own scatter."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qbrain.classical_feedback.estimator import (
    EstimateError,
    ExcitationEstimator,
    confidence_band,
)
from qbrain.classical_feedback.synapse import FeedbackError, Synapse, SynapticLaw


def confused(distribution: np.ndarray, readout: np.ndarray) -> np.ndarray:
    """Distribution over outcomes after independent readout errors, bit by bit, by brute force."""
    qubits = len(readout)
    out = np.zeros_like(distribution)
    for true, weight in enumerate(distribution):
        for seen in range(2**qubits):
            p = weight
            for j in range(qubits):
                t, s = true >> j & 1, seen >> j & 1
                up, down = readout[j]
                p *= {(0, 0): 1 - up, (0, 1): up, (1, 0): down, (1, 1): 1 - down}[t, s]
            out[seen] += p
    return out


def as_counts(distribution: np.ndarray, shots: int = 10**9) -> dict[int, int]:
    return {x: round(p * shots) for x, p in enumerate(distribution)}


@given(st.dictionaries(st.integers(0, 15), st.integers(1, 50), min_size=1))
def test_raw_estimate_is_the_mean_fraction_of_ones(counts):
    estimate = ExcitationEstimator(4)(counts)
    shots = sum(counts.values())
    ones = sum(c * bin(x).count("1") for x, c in counts.items())
    assert estimate.value == pytest.approx(ones / shots / 4)
    assert estimate.raw_value == estimate.value
    assert estimate.kept == 1
    assert estimate.shots == shots
    assert estimate.populations.sum() == pytest.approx(1)


@given(st.dictionaries(st.integers(0, 31), st.integers(1, 50), min_size=1), st.sampled_from([0, 1]))
def test_post_selection_drops_exactly_the_other_parity(counts, parity):
    good = {x: c for x, c in counts.items() if bin(x).count("1") % 2 == parity}
    estimator = ExcitationEstimator(5, parity=parity)
    if not good:
        with pytest.raises(EstimateError, match="parity"):
            estimator(counts)
        return
    estimate = estimator(counts)
    assert estimate.value == pytest.approx(ExcitationEstimator(5)(good).value)
    assert estimate.kept == pytest.approx(sum(good.values()) / sum(counts.values()))
    assert estimate.raw_value == pytest.approx(ExcitationEstimator(5)(counts).value)
    assert not estimate.populations[1 - parity :: 2].any()


@pytest.mark.parametrize("parity", [None, 0])
def test_readout_correction_undoes_a_known_confusion(parity):
    rng = np.random.default_rng(1)
    readout = np.array([[0.02, 0.05], [0.01, 0.08], [0.03, 0.02]])
    true = rng.dirichlet(np.ones(8))
    if parity == 0:
        true[[1, 2, 4, 7]] = 0
        true /= true.sum()
    ones = np.array([bin(x).count("1") for x in range(8)])
    estimate = ExcitationEstimator(3, parity=parity, readout=readout)(
        as_counts(confused(true, readout))
    )
    assert estimate.value == pytest.approx(true @ ones / 3, abs=1e-7)
    assert abs(estimate.raw_value - true @ ones / 3) > 1e-3
    np.testing.assert_allclose(
        estimate.populations, np.bincount(ones, true, minlength=4), atol=1e-7
    )


def test_encoded_outcomes_go_through_their_table():
    table = [0, 2, 4, -1]  # a code that is no state
    estimate = ExcitationEstimator(5, table=table)({0: 10, 1: 30, 2: 40, 3: 20})
    assert estimate.value == pytest.approx((30 * 2 + 40 * 4) / 80 / 5)
    assert estimate.kept == pytest.approx(0.8)
    readout = np.array([[0.1, 0.02], [0.03, 0.05]])
    true = np.array([0.2, 0.5, 0.3, 0.0])
    corrected = ExcitationEstimator(5, table=table, readout=readout)(
        as_counts(confused(true, readout))
    )
    assert corrected.value == pytest.approx((0.5 * 2 + 0.3 * 4) / 5, abs=1e-7)


@pytest.mark.parametrize("parity", [None, 0])
@pytest.mark.parametrize("corrected", [False, True])
def test_standard_error_is_the_scatter_of_repeated_runs(parity, corrected):
    rng = np.random.default_rng(3)
    readout = np.array([[0.02, 0.05], [0.01, 0.08], [0.03, 0.02], [0.05, 0.05]])
    p = confused(rng.dirichlet(np.ones(16)), readout)
    estimator = ExcitationEstimator(4, parity=parity, readout=readout if corrected else None)
    runs = [estimator(dict(enumerate(rng.multinomial(1000, p).tolist()))) for _ in range(1000)]
    scatter = np.std([e.value for e in runs])
    # the scatter of 1000 runs is known to 1/sqrt(2000), 2.2 %: five times that
    assert np.mean([e.stderr for e in runs]) == pytest.approx(scatter, rel=0.12)


def test_identical_shots_do_not_claim_certainty():
    assert ExcitationEstimator(4)({0: 1000}).stderr == pytest.approx(1 / 4000)


def test_bad_arguments_are_named():
    with pytest.raises(FeedbackError, match="neurons: wanted an integer >= 1, got 0"):
        ExcitationEstimator(0)
    with pytest.raises(FeedbackError, match="parity: wanted 0, 1 or None, got 2"):
        ExcitationEstimator(3, parity=2)
    with pytest.raises(FeedbackError, match=r"readout: wanted shape \(3, 2\), got \(2, 2\)"):
        ExcitationEstimator(3, readout=np.zeros((2, 2)))
    with pytest.raises(FeedbackError, match=r"readout: wanted p\(1\|0\)"):
        ExcitationEstimator(1, readout=[[0.6, 0.6]])
    with pytest.raises(FeedbackError, match="counts: wanted outcomes of 3 bits"):
        ExcitationEstimator(3)({8: 1})
    with pytest.raises(EstimateError, match="at least one shot"):
        ExcitationEstimator(3)({})


@pytest.mark.parametrize("order", [1, 2])
def test_the_band_is_the_scatter_of_a_noisy_loop(order):
    """A loop closed around a known E(s) with Gaussian noise, run many times."""
    synapse, sigma, steps, dt = Synapse(1.0, 2.0, 0.5), 0.02, 20, 0.5
    times = dt * np.arange(steps + 1)
    law = SynapticLaw(synapse, order)

    class Value:
        def __init__(self, value):
            self.value = value

    def loop(rng):
        state, values, out = synapse.start(), [], []
        for k in range(steps + 1):
            values.append(Value(0.5 - 0.4 * np.cos(0.8 * state.phase) + sigma * rng.normal()))
            out.append((values[-1].value, state.r, state.utilisation, state.phase))
            if k < steps:
                state = law(state, values, dt)
        return out

    class Still:
        def normal(self):
            return 0.0

    still = np.array(loop(Still())).T
    runs = np.array([loop(np.random.default_rng(seed)) for seed in range(300)])
    band = confidence_band(
        synapse,
        synapse.start(),
        times,
        still[0],
        np.full(steps + 1, sigma),
        0.32 * np.sin(0.8 * still[3]),
        order=order,
        replicas=2000,
    )
    got = np.array([band.excitation, band.r, band.utilisation, band.phase])
    # both scatters have a relative error of about 1/sqrt(600), 4 %: four times that, and a floor
    np.testing.assert_allclose(got, runs.std(axis=0).T, rtol=0.2, atol=2e-4)
