"""Synchrony measures: trains worked out by hand, brute force, and rasters with known answers."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qbrain.reference.qlif.spike_synchrony import (
    SpikeError,
    coincidence_factor,
    count_correlation,
    firing_rate,
    first_spike_latency,
    spike_distance,
    spike_synchronisation,
    synchrony,
    train_distance,
    train_synchronisation,
)

SPAN = (0.0, 10.0)
TRAIN = st.lists(st.floats(0, 10).map(lambda t: round(t, 2)), max_size=8, unique=True).map(sorted)
RASTER = st.integers(0, 2**32).flatmap(
    lambda seed: st.tuples(st.just(seed), st.integers(1, 30), st.integers(1, 4), st.floats(0, 0.6))
)


def bernoulli(ticks, pairs, rate, seed):
    return (np.random.default_rng(seed).random((ticks, pairs, 2)) < rate).astype(np.uint8)


def made(given_):
    seed, ticks, pairs, rate = given_
    return bernoulli(ticks, pairs, rate, seed)


def raster(*trains, ticks=12):
    """One pair from the ticks of its spikes."""
    found = np.zeros((ticks, 1, 2), dtype=np.uint8)
    for neuron, train in enumerate(trains):
        found[list(train), 0, neuron] = 1
    return found


# ------------------------------------------------------------------ fixed windows


@given(RASTER, st.integers(0, 40))
@settings(max_examples=60, deadline=None)
def test_synchrony_is_what_counting_gives(given_, window):
    x = made(given_)
    found = spikes = 0
    for p in range(x.shape[1]):
        for own, other in ((0, 1), (1, 0)):
            times, others = np.flatnonzero(x[:, p, own]), np.flatnonzero(x[:, p, other])
            spikes += len(times)
            found += sum(any(abs(t - s) <= window for s in others) for t in times)
    value = synchrony(x, window).value
    assert math.isnan(value) if spikes == 0 else value == pytest.approx(found / spikes)


@pytest.mark.parametrize(
    ("window", "wanted"), [(0, 2 / 5), (1, 4 / 5), (2, 4 / 5), (6, 1.0), (99, 1.0)]
)
def test_synchrony_by_hand(window, wanted):
    assert synchrony(raster([1, 5], [1, 4, 11]), window).value == pytest.approx(wanted)


def test_the_coincidence_factor_by_hand():
    # 4 of 5 spikes; by chance 2 (1 − (3/4)³) + 3 (1 − (5/6)³) of them
    chance = 2 * (1 - (3 / 4) ** 3) + 3 * (1 - (5 / 6) ** 3)
    found = coincidence_factor(raster([1, 5], [1, 4, 11]), 1)
    assert found.value == pytest.approx((4 - chance) / (5 - chance))
    assert math.isnan(found.stderr)


@given(RASTER, st.integers(0, 3))
@settings(max_examples=40, deadline=None)
def test_equal_trains_coincide_entirely(given_, window):
    x = made(given_)
    x[..., 1] = x[..., 0]
    if x.sum() > 0:
        assert synchrony(x, window).value == 1
        assert spike_synchronisation(x).value == 1
        assert spike_distance(x).value == pytest.approx(0, abs=1e-12)
    if x.sum() > 0 and not x.all(axis=0).any():
        assert coincidence_factor(x, window).value == pytest.approx(1)


@pytest.mark.parametrize("window", [0, 1, 3])
def test_independent_trains_have_no_coincidence_factor_and_known_synchrony(window):
    x = bernoulli(4000, 80, [0.02, 0.05], 1)
    found = coincidence_factor(x, window)
    assert abs(found.value) < 4.5 * found.stderr
    assert found.stderr < 0.01
    chance = 1 - (1 - np.array([0.05, 0.02])) ** (2 * window + 1)
    wanted = (np.array([0.02, 0.05]) * chance).sum() / 0.07
    whole = synchrony(x, window)
    assert abs(whole.value - wanted) < 4.5 * whole.stderr + 4e-5  # ends of the raster


def test_the_coincidence_factor_is_the_share_of_copied_spikes():
    rng = np.random.default_rng(2)
    x = bernoulli(4000, 80, 0.02, 2)
    copied = rng.random((4000, 80)) < 0.3
    x[..., 1] = np.where(copied, x[..., 0], x[..., 1])
    found = coincidence_factor(x, 0)
    assert abs(found.value - 0.3) < 4.5 * found.stderr
    for window in (1, 10, 100):
        counts = count_correlation(x, window)
        assert abs(counts.value - 0.3) < 4.5 * counts.stderr


def test_count_correlation_by_hand():
    # counts in windows of 3 ticks: 2, 0, 1, 1 and 1, 0, 0, 1
    found = count_correlation(raster([0, 1, 6, 9], [2, 11]), 3)
    a, b = np.array([2, 0, 1, 1]), np.array([1, 0, 0, 1])
    assert found.value == pytest.approx(np.corrcoef(a, b)[0, 1])
    # ticks past the last window do not count
    assert (
        count_correlation(raster([0, 1, 6, 9, 12], [2, 11, 13], ticks=14), 3).value == found.value
    )
    assert count_correlation(np.repeat(raster([0, 1, 6], [2, 4]), 2, axis=1), 3).stderr == 0


# ------------------------------------------------------------------ rates, latencies, errors


def test_latency_is_geometric():
    x = bernoulli(2000, 400, [0.02, 0.1], 3)
    found = first_spike_latency(x)
    wanted = np.array([50.0, 10.0])
    assert (np.abs(found.value - wanted) < 4.5 * found.stderr).all()
    # the standard deviation of a geometric time is √(1−p)/p
    np.testing.assert_allclose(
        found.stderr, wanted * np.sqrt([0.98, 0.9]) / math.sqrt(400), rtol=0.25
    )


def test_latency_leaves_out_who_never_fires():
    x = np.concatenate([raster([3], []), raster([5], []), raster([], [0])], axis=1)
    np.testing.assert_array_equal(first_spike_latency(x).value, [5.0, 1.0])
    assert np.isnan(first_spike_latency(raster([], [4])).value).tolist() == [True, False]


def test_the_error_of_a_mean_is_the_textbooks():
    x = bernoulli(200, 30, [0.1, 0.3], 4)
    found = firing_rate(x)
    rates = x.mean(axis=0)
    np.testing.assert_allclose(found.value, rates.mean(axis=0))
    np.testing.assert_allclose(found.stderr, rates.std(axis=0, ddof=1) / math.sqrt(30))


@pytest.mark.parametrize(
    "measure",
    [
        synchrony,
        coincidence_factor,
        lambda x: count_correlation(x, 5),
        spike_synchronisation,
        spike_distance,
    ],
)
def test_errors_are_the_scatter_of_repetitions(measure):
    x = bernoulli(300, 40 * 20, 0.05, 5)
    x[..., 1] = np.where(np.random.default_rng(6).random((300, 800)) < 0.2, x[..., 0], x[..., 1])
    found = [measure(part) for part in np.split(x, 40, axis=1)]
    values = np.array([f.value for f in found])
    errors = np.array([f.stderr for f in found])
    # 4 standard errors of a spread from 40 values, and of the estimates' own
    assert values.std(ddof=1) == pytest.approx(errors.mean(), rel=4 / math.sqrt(2 * 39))


def test_silence_has_no_synchrony_but_no_distance_either():
    x = np.zeros((10, 3, 2), dtype=np.uint8)
    for measure in (synchrony, coincidence_factor, spike_synchronisation):
        assert math.isnan(measure(x).value)
    assert math.isnan(count_correlation(x, 2).value)
    assert spike_distance(x).value == 0
    np.testing.assert_array_equal(firing_rate(x).value, [0, 0])


# ------------------------------------------------------------------ measures without a window


def test_spike_synchronisation_by_hand():
    # 1 and 1.5: τ is half of 1.5; 3 and 3; 5 and 7: τ is half of 2, too short
    assert train_synchronisation([1, 3, 5], [1.5, 3, 7], SPAN) == pytest.approx(4 / 6)
    # exactly half an interval away does not count
    assert train_synchronisation([2, 4], [3], SPAN) == 0
    assert train_synchronisation([2, 4.1], [3], SPAN) == pytest.approx(2 / 3)
    # one spike each: half of the span
    assert train_synchronisation([1], [5.9], SPAN) == 1
    assert train_synchronisation([1], [6.0], SPAN) == 0
    assert train_synchronisation([], [3], SPAN) == 0
    assert train_synchronisation([], [], SPAN) == 1


def test_the_spike_distance_by_hand():
    # 1 against 2 in [0, 4]: Δ = 1 everywhere, so S = 1/⟨x⟩: 1/1.5 up to 1, then 1/2.5
    assert train_distance([1], [2], (0, 4)) == pytest.approx((1 / 1.5 + 3 / 2.5) / 4)
    # one spike against none, which is spikes at 0 and 4: they coincide with the auxiliary spikes
    # of the first train, so Δ = 2 and 0, x = 2 and 4, S = 2·4/(2·9)
    assert train_distance([2], [], (0, 4)) == pytest.approx(8 / 18)
    assert train_distance([], [], (0, 4)) == 0


@pytest.mark.parametrize("shift", [0.1, 0.25, 0.5])
def test_the_spike_distance_of_shifted_clocks_is_the_shift(shift):
    # Δ = shift at every spike and x = 1: S is the shift all along
    clock = np.arange(1.0, 200.0)
    found = train_distance(clock, clock + shift, (1.0, 199.5))
    assert found == pytest.approx(shift, rel=0.01)
    inner = train_synchronisation(clock, clock + shift, (0, 201))
    assert inner == pytest.approx(1.0 if shift < 0.5 else 0.0, abs=0.01)


# of PySpike 0.9.0: trains in [0, 40], SPIKE-distance, SPIKE-synchronisation
PYSPIKE = [
    (
        [7.5, 26.5, 35.5, 36.5],
        [0.5, 24.5, 33.5, 35.5, 36.5, 38.5],
        0.21218372498111915,
        0.8,
    ),
    ([1.5, 2.5, 8.5, 20.5, 23.5], [1.5, 15.5, 36.5], 0.33430090064970963, 0.25),
    (
        [5.5, 13.5, 18.5, 22.5, 24.5],
        [6.5, 9.5, 10.5, 26.5, 30.5, 31.5, 38.5],
        0.3382384420125077,
        1 / 6,
    ),
]


@pytest.mark.parametrize(("first", "second", "distance", "synchronisation"), PYSPIKE)
def test_figures_of_pyspike(first, second, distance, synchronisation):
    assert train_distance(first, second, (0, 40)) == pytest.approx(distance, abs=1e-14)
    assert train_synchronisation(first, second, (0, 40)) == pytest.approx(synchronisation)


def test_rasters_are_their_trains():
    pairs = [raster([int(t) for t in a], [int(t) for t in b], ticks=40) for a, b, _, _ in PYSPIKE]
    x = np.concatenate(pairs, axis=1)
    assert spike_distance(x).value == pytest.approx(np.mean([d for _, _, d, _ in PYSPIKE]))
    sizes = [len(a) + len(b) for a, b, _, _ in PYSPIKE]
    wanted = np.average([s for _, _, _, s in PYSPIKE], weights=sizes)
    assert spike_synchronisation(x).value == pytest.approx(wanted)


def profile_by_hand(a, b, t, start, end):
    """S(t) of two trains that have two spikes or more, as Kreuz et al. write it."""
    longer = []
    for train in (a, b):
        early, late = 2 * train[0] - train[1], 2 * train[-1] - train[-2]
        longer.append([min(start, early), *train, max(end, late)])
    found, x = [], []
    for own, other in (longer, longer[::-1]):
        away = [min(abs(s - o) for o in other) for s in own]
        away[0], away[-1] = away[1], away[-2]
        k = max(i for i, s in enumerate(own) if s <= t)
        k = min(k, len(own) - 2)
        gap = own[k + 1] - own[k]
        found.append((away[k] * (own[k + 1] - t) + away[k + 1] * (t - own[k])) / gap)
        x.append(gap)
    return (found[0] * x[1] + found[1] * x[0]) / (2 * ((x[0] + x[1]) / 2) ** 2)


def test_the_mean_is_the_profiles():
    rng = np.random.default_rng(7)
    for _ in range(2):
        a, b = (np.sort(rng.uniform(0, 10, n)) for n in (4, 6))
        t = (np.arange(4000) + 0.5) / 400
        wanted = np.mean([profile_by_hand(a, b, s, 0, 10) for s in t])
        assert train_distance(a, b, SPAN) == pytest.approx(wanted, abs=2e-3)


@given(TRAIN, TRAIN, st.floats(0.1, 10), st.floats(-5, 5))
@settings(max_examples=100, deadline=None)
def test_both_measures_are_symmetric_bounded_and_know_no_unit(a, b, unit, origin):
    for measure in (train_distance, train_synchronisation):
        value = measure(a, b, SPAN)
        assert 0 <= value <= 1
        assert measure(b, a, SPAN) == pytest.approx(value, abs=1e-12)
        assert measure(a, a, SPAN) == (0 if measure is train_distance else 1)
    moved = [origin + unit * np.array(t) for t in (a, b, SPAN)]
    assert train_distance(*moved[:2], (moved[2][0], moved[2][1])) == pytest.approx(
        train_distance(a, b, SPAN), abs=1e-9
    )


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: synchrony(np.zeros((4, 2))), "raster: wanted shape"),
        (lambda: synchrony(np.zeros((4, 1, 3))), r"raster: wanted shape \(ticks, pairs, 2\)"),
        (lambda: synchrony(np.zeros((0, 1, 2))), "raster: wanted shape"),
        (lambda: synchrony(np.full((4, 1, 2), 2)), "raster: wanted zeros and ones, got 2"),
        (lambda: synchrony(raster([1]), -1), "window: wanted a whole number >= 0, got -1"),
        (lambda: synchrony(raster([1]), 0.5), "window: wanted a whole number >= 0, got 0.5"),
        (lambda: count_correlation(raster([1]), 0), "window: wanted a whole number >= 1, got 0"),
        (lambda: count_correlation(raster([1]), 7), "window: wanted at most half of 12 ticks"),
        (lambda: train_distance([2, 1], [], SPAN), "first: wanted increasing spike times"),
        (lambda: train_distance([1], [1, 1], SPAN), "second: wanted increasing spike times"),
        (lambda: train_distance([math.nan, 1], [], SPAN), "first: wanted increasing"),
        (lambda: train_distance([math.nan], [], SPAN), r"first: wanted times in \[0, 10\]"),
        (lambda: train_distance([1], [11], SPAN), r"second: wanted times in \[0, 10\]"),
        (lambda: train_synchronisation([], [], (1, 1)), "span: wanted a start and a later end"),
        (lambda: train_synchronisation([], [], (0, math.inf)), "span: wanted a start"),
    ],
)
def test_mistakes_are_named(call, words):
    with pytest.raises(SpikeError, match=words):
        call()
