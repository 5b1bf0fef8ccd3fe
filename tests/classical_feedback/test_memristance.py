"""The memristor qubit's law: closed forms, its order, and the band that shots leave."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from qbrain.classical_feedback.memristance import Memristance, MemristanceLaw
from qbrain.classical_feedback.synapse import FeedbackError


@dataclass(frozen=True)
class Reading:
    value: object
    stderr: object = 0.0


@given(st.floats(-1, 1), st.lists(st.floats(0.01, 2), min_size=1, max_size=8), st.floats(-3, 3))
def test_a_constant_voltage_fills_the_memory_evenly(value, steps, mu0):
    law = MemristanceLaw(Memristance(0.3, mu0))
    state, begin = law.start(), 0.0
    for step in steps:
        state = law(state, [Reading(value)], step)
        assert float(state.middle) == pytest.approx(mu0 + value * (begin + step / 2), abs=1e-9)
        assert float(state.rate) == pytest.approx(0.3 * (1 - np.sin(float(state.middle))))
        begin += step
        mu, _ = law.memory(state, Reading(value))
        assert state.time == pytest.approx(begin)
        assert float(mu) == pytest.approx(mu0 + value * begin, abs=1e-9)


@given(st.floats(0, 5), st.floats(-20, 20))
def test_the_rate_is_between_nothing_and_twice_gamma0(gamma0, mu):
    assert -1e-12 <= float(Memristance(gamma0).rate(mu)) <= 2 * gamma0 + 1e-12


@given(st.floats(-20, 20), st.floats(0, 8), st.floats(-1, 1))
def test_the_band_holds_every_rate_of_the_interval_and_no_more(mu, error, where):
    memristance = Memristance(0.7)
    low, high = (float(x) for x in memristance.band(mu, error))
    assert low - 1e-9 <= float(memristance.rate(mu + where * error)) <= high + 1e-9
    inside = memristance.rate(np.linspace(mu - error, mu + error, 20_001))
    # a grid misses a crest by at most half its spacing, squared
    slack = 0.7 * (error / 20_000) ** 2 + 1e-9
    assert float(inside.min()) == pytest.approx(low, abs=slack)
    assert float(inside.max()) == pytest.approx(high, abs=slack)


def memory_loop(steps, end=10.0, gamma0=0.2):
    """x + iy decays at γ/2 and turns once a unit of time; y is read."""
    law, delta = MemristanceLaw(Memristance(gamma0)), end / steps
    state, plane, found = law.start(), 1 + 0j, [0.0]
    for _ in range(steps):
        state = law(state, [Reading(plane.imag)], delta)
        plane *= np.exp(1j * delta - float(state.rate) * delta / 2)
        found.append(plane.imag)
    return np.array(found), float(law.memory(state, Reading(plane.imag))[0])


def test_the_loop_is_second_order_in_the_step():
    def slope(t, y):
        gamma = 0.2 * (1 - np.sin(y[2]))
        return [-y[1] - gamma * y[0] / 2, y[0] - gamma * y[1] / 2, y[1]]

    exact = solve_ivp(slope, (0, 10), [1, 0, 0], rtol=1e-12, atol=1e-13, dense_output=True)
    errors, memories = [], []
    for steps in (32, 64, 128):
        found, mu = memory_loop(steps)
        times = np.linspace(0, 10, steps + 1)
        errors.append(np.abs(found - exact.sol(times)[1]).max())
        memories.append(abs(mu - exact.y[2, -1]))
    for each in (errors, memories):
        np.testing.assert_allclose(np.log2(np.array(each[:-1]) / each[1:]), 2, atol=0.15)


def test_the_error_of_the_memory_is_the_spread_of_repetitions():
    repetitions, shots, steps = 4000, 200, 12
    random = np.random.default_rng(3)
    means = 0.8 * np.sin(np.arange(steps))
    law = MemristanceLaw(Memristance(0.5, 0.3))
    state = law.start((repetitions,))
    for k, mean in enumerate(means):
        ones = random.binomial(shots, (1 - mean) / 2, repetitions)
        error = np.sqrt((1 - mean**2) / shots)
        state = law(state, [Reading(1 - 2 * ones / shots, error)], 0.2 + 0.02 * (k % 2))
    # a standard deviation from M samples is known to 1/√(2M): 1.1 % here
    assert float(state.middle.std() / state.stderr[0]) == pytest.approx(1, abs=4.5 * 0.0112)
    weights = [0.1] + [0.21] * (steps - 1)
    closed = np.sqrt(sum(w**2 * (1 - m**2) / shots for w, m in zip(weights, means, strict=True)))
    assert float(state.stderr[0]) == pytest.approx(closed, rel=1e-12)
    low, high = law.memristance.band(state.middle, 1.96 * state.stderr)
    exact = law.memristance.rate(0.3 + float(np.dot(weights, means)))
    covered = np.mean((low <= exact) & (exact <= high))
    # 95 % of 4000, known to 0.0034
    assert covered == pytest.approx(0.95, abs=4.5 * 0.0035)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Memristance(-0.1), "gamma0: wanted a finite number >= 0, got -0.1"),
        (lambda: Memristance(np.nan), "gamma0: wanted a finite number >= 0, got nan"),
        (lambda: Memristance(1, np.inf), "mu0: wanted a finite number, got inf"),
        (lambda: _once(0.0, 0.1), "step: wanted a time > 0, got 0.0"),
        (lambda: _once(0.1, np.nan), "reading: wanted finite means, got nan or inf"),
    ],
)
def test_bad_input_is_one_clear_line(call, words):
    with pytest.raises(FeedbackError) as error:
        call()
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def _once(step, value):
    law = MemristanceLaw(Memristance(0.2))
    return law(law.start(), [Reading(value)], step)
