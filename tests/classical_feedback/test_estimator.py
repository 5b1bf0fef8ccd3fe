"""Estimators against exact distributions, and their error bars against their own scatter."""

import functools
import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qbrain.classical_feedback.estimator import (
    EstimateError,
    ExcitationEstimator,
    confidence_band,
    mixed_populations,
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


def dense_correction(neurons, parity, readout, counts):
    """E, its error and populations with the whole inverse matrix written out."""
    confusion = [np.array([[1 - a, b], [a, 1 - b]]) for a, b in readout[::-1]]
    inverse = np.linalg.inv(functools.reduce(np.kron, confusion))
    ones = np.array([x.bit_count() for x in range(2**neurons)])
    keep = np.ones(2**neurons) if parity is None else (ones % 2 == parity).astype(float)
    c = np.array([counts.get(x, 0) for x in range(2**neurons)], dtype=float)
    w, v = inverse.T @ (keep * ones / neurons), inverse.T @ keep
    value = (c @ w) / (c @ v)
    variance = c @ (w - value * v) ** 2 / (c @ v) ** 2 + 1 / (neurons * (c @ v)) ** 2
    populations = np.bincount(ones, keep * (inverse @ c), minlength=neurons + 1)
    return value, math.sqrt(variance), populations / populations.sum()


@pytest.mark.parametrize("parity", [None, 0, 1])
@pytest.mark.parametrize("neurons", [1, 2, 3, 5, 8])
def test_correction_by_factors_is_that_of_the_whole_matrix(neurons, parity):
    for seed in range(5):
        rng = np.random.default_rng([neurons, seed])
        readout = rng.uniform(0, 0.15, (neurons, 2))
        readout[0] = [0.0, 0.6]  # most of the ones lost, no zero misread
        true = rng.dirichlet(np.ones(2**neurons))
        seen = rng.multinomial(3000, confused(true, readout) if neurons < 8 else true)
        counts = {x: n for x, n in enumerate(seen.tolist()) if n}
        value, error, populations = dense_correction(neurons, parity, readout, counts)
        estimate = ExcitationEstimator(neurons, parity=parity, readout=readout)(counts)
        assert estimate.value == pytest.approx(value, abs=1e-12)
        assert estimate.stderr == pytest.approx(error, abs=1e-12)
        np.testing.assert_allclose(estimate.populations, populations, atol=1e-12)
        # a table of ones goes through the dense form
        table = [x.bit_count() for x in range(2**neurons)]
        dense = ExcitationEstimator(neurons, table=table, parity=parity, readout=readout)(counts)
        assert dense.value == pytest.approx(value, abs=1e-12)
        np.testing.assert_allclose(dense.populations, populations, atol=1e-12)


@pytest.mark.parametrize("parity", [None, 0, 1])
@pytest.mark.parametrize("neurons", [15, 40, 200])
def test_a_known_confusion_of_many_neurons_is_undone(neurons, parity):
    # few bits are misread, so that the distribution of what is seen can be written down
    readout = np.zeros((neurons, 2))
    misread = [0, 3, neurons // 2, neurons - 1]
    readout[misread] = [[0.02, 0.05], [0.01, 0.08], [0.03, 0.02], [0.1, 0.2]]
    rng = np.random.default_rng(neurons)
    true = {0: 0.25, (1 << neurons) - 1: 0.15}
    for weight in (0.35, 0.25):
        bits = rng.integers(0, 2, neurons)
        bits[1] ^= bits.sum() % 2 ^ (weight < 0.3)  # one of each parity
        true[sum(int(b) << j for j, b in enumerate(bits))] = weight
    seen: dict[int, float] = {}
    for x, p in true.items():
        for flips in itertools.product((0, 1), repeat=len(misread)):
            weight, y = p, x
            for j, flip in zip(misread, flips, strict=True):
                error = readout[j, x >> j & 1]
                weight *= error if flip else 1 - error
                y ^= flip << j
            seen[y] = seen.get(y, 0.0) + weight
    counts = {x: round(p * 10**12) for x, p in seen.items()}
    kept = {x: p for x, p in true.items() if parity in (None, x.bit_count() % 2)}
    total = sum(kept.values())
    populations = np.zeros(neurons + 1)
    for x, p in kept.items():
        populations[x.bit_count()] += p / total
    estimate = ExcitationEstimator(neurons, parity=parity, readout=readout)(counts)
    expected = populations @ np.arange(neurons + 1) / neurons
    assert estimate.value == pytest.approx(expected, abs=1e-10)
    np.testing.assert_allclose(estimate.populations, populations, atol=1e-10)
    assert np.abs(estimate.raw_populations - populations).max() > 0.01


@pytest.mark.parametrize("parity", [None, 0])
def test_forty_neurons_all_misread_are_estimated_within_their_error(parity):
    neurons, shots = 40, 4000
    rng = np.random.default_rng(8)
    readout = rng.uniform(0.002, 0.02, (neurons, 2))
    # all silent or all active, 7 to 3
    bits = np.repeat(rng.random(shots)[:, None] < 0.3, neurons, axis=1)
    bits ^= rng.random(bits.shape) < np.where(bits, readout[:, 1], readout[:, 0])
    counts: dict[int, int] = {}
    for row in np.packbits(bits, axis=1, bitorder="little"):
        outcome = int.from_bytes(row.tobytes(), "little")
        counts[outcome] = counts.get(outcome, 0) + 1
    estimate = ExcitationEstimator(neurons, parity=parity, readout=readout)(counts)
    # 4000 shots of 0 or 1 at the least, at most the half that a parity keeps, twice as uncertain
    assert 0.9 < estimate.stderr**2 / (0.3 * 0.7 / shots) < 4
    assert abs(estimate.value - 0.3) < 4 * estimate.stderr
    # each outcome weighs at most Π (1 + 2p)/(1 - 2p) ~ 2.5 in a population
    assert abs(estimate.populations[0] - 0.7) < 4 * 2.5 / math.sqrt(shots)
    assert abs(estimate.populations[-1] - 0.3) < 4 * 2.5 / math.sqrt(shots)


def test_a_perfect_readout_of_a_thousand_neurons_changes_nothing():
    counts = {0: 5, (1 << 1000) - 1: 3, 1 << 999 | 1: 2}
    plain = ExcitationEstimator(1000, parity=0)(counts)
    corrected = ExcitationEstimator(1000, parity=0, readout=np.zeros((1000, 2)))(counts)
    assert corrected.value == pytest.approx(plain.value, abs=1e-14)
    assert corrected.stderr == pytest.approx(plain.stderr, rel=1e-12)
    np.testing.assert_allclose(corrected.populations, plain.populations, atol=1e-14)


@pytest.mark.parametrize("parity", [None, 0, 1])
@pytest.mark.parametrize("neurons", [1, 2, 3, 6, 40, 1000])
def test_mixed_state_counts_subsets(neurons, parity):
    populations = mixed_populations(neurons, parity=parity)
    n = np.arange(neurons + 1)
    assert populations.shape == (neurons + 1,)
    assert populations.sum() == pytest.approx(1, abs=1e-13)
    if parity is not None:
        assert not populations[1 - parity :: 2].any()
    if neurons >= 2 or parity is None:
        assert populations @ n / neurons == pytest.approx(0.5, abs=1e-13)
    if neurons <= 6:
        uniform = dict.fromkeys(range(2**neurons), 1)
        estimate = ExcitationEstimator(neurons, parity=parity)(uniform)
        np.testing.assert_allclose(populations, estimate.populations, atol=1e-15)
    else:
        # Var n = N/4, in either parity from N=3 on
        assert populations @ (n - neurons / 2) ** 2 == pytest.approx(neurons / 4, rel=1e-12)


def test_mixed_state_of_codes_is_even_over_those_that_stand_for_a_state():
    table = [0, 2, 4, -1, 1, 3, 5, -1]
    np.testing.assert_allclose(mixed_populations(5, table=table), np.full(6, 1 / 6))
    np.testing.assert_allclose(
        mixed_populations(5, table=table, parity=1), [0, 1 / 3, 0, 1 / 3, 0, 1 / 3]
    )
    uniform = ExcitationEstimator(5, table=table, parity=1)(dict.fromkeys(range(8), 1))
    np.testing.assert_allclose(
        uniform.populations, mixed_populations(5, table=table, parity=1), atol=1e-15
    )
    with pytest.raises(FeedbackError, match="table: wanted a code of parity 1, got none"):
        mixed_populations(5, table=table[:4], parity=1)
    with pytest.raises(FeedbackError, match="parity: wanted 0, 1 or None, got 3"):
        mixed_populations(5, parity=3)


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
    with pytest.raises(FeedbackError, match="readout: wanted at most 14 measured qubits, got 15"):
        ExcitationEstimator(3, table=np.zeros(2**15), readout=np.zeros((15, 2)))
    with pytest.raises(FeedbackError, match="readout: wanted errors that can be undone"):
        ExcitationEstimator(1000, readout=np.full((1000, 2), 0.4))
    with pytest.raises(FeedbackError, match="table: wanted numbers of at most 3, got 4"):
        ExcitationEstimator(3, table=[0, 2, 4, -1])
    with pytest.raises(FeedbackError, match="counts: wanted outcomes of 3 bits"):
        ExcitationEstimator(3)({8: 1})
    with pytest.raises(EstimateError, match="at least one shot"):
        ExcitationEstimator(3)({})


@pytest.mark.parametrize("order", [pytest.param(1, marks=pytest.mark.slow), 2])
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
