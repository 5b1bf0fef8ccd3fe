"""Membranes against their equation, closed forms for spike intervals, and laws for settings."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from qbrain.classical_feedback.lif import (
    FeedbackError,
    FixedSettings,
    LevelSettings,
    LinearSettings,
    Membranes,
)

VOLTAGE = st.floats(-90, -54)
CURRENT = st.floats(-1, 1)


def quiet(**given_):
    """Never fires."""
    return Membranes(threshold=1000.0, **given_)


def one(membranes, voltage, current=0.0, bit=0, normal=0.0, held=0):
    v, spikes, left = membranes.step([voltage], [held], [current], [bit], [normal])
    return float(v[0]), int(spikes[0]), int(left[0])


@given(VOLTAGE, CURRENT, st.floats(0.5, 50), st.floats(0.1, 20))
def test_a_tick_is_the_equation_of_motion(voltage, current, tau, tick):
    membranes = quiet(tau=tau, tick=tick, resistance=12.0, rest=-66.0)
    found = solve_ivp(
        lambda t, v: (-(v + 66.0) + 12.0 * current) / tau,
        (0, tick),
        [voltage],
        rtol=1e-11,
        atol=1e-11,
    )
    wanted = found.y[0, -1]
    assert one(membranes, voltage, current)[0] == pytest.approx(wanted, abs=1e-7)


@given(VOLTAGE, CURRENT, st.floats(0.01, 30), st.integers(1, 40))
def test_mean_and_variance_do_not_depend_on_the_length_of_ticks(voltage, current, tick, parts):
    long, short = quiet(tick=tick), quiet(tick=tick / parts)
    mean, variance = voltage, 0.0
    for _ in range(parts):
        mean = one(short, mean, current)[0]
        variance = short.decay**2 * variance + short.noise_per_tick**2
    assert mean == pytest.approx(one(long, voltage, current)[0], abs=1e-10)
    assert variance == pytest.approx(long.noise_per_tick**2, rel=1e-10)


@given(st.floats(0.1, 5), st.floats(1, 50), st.floats(0.01, 100))
def test_noise_is_sigma_in_the_long_run(noise, tau, tick):
    membranes = quiet(noise=noise, tau=tau, tick=tick)
    assert membranes.noise_per_tick**2 / (1 - membranes.decay**2) == pytest.approx(noise**2)


def test_draws_enter_with_the_noise_of_a_tick():
    rng = np.random.default_rng(0)
    membranes = quiet(noise=2.0, tick=3.0)
    draws = rng.standard_normal((5, 4, 2))
    v, held = membranes.start((4, 2))
    for z in draws:
        v, spikes, held = membranes.step(v, held, 0.5, 0, z)
        assert not spikes.any()
    powers = membranes.decay ** np.arange(4, -1, -1)
    wanted = -65.0 + 5.0 * (1 - membranes.decay**5)
    wanted = wanted + membranes.noise_per_tick * np.einsum("t,tpn->pn", powers, draws)
    np.testing.assert_allclose(v, wanted, atol=1e-12)


@pytest.mark.parametrize("bit", [0, 1])
@pytest.mark.parametrize("refractory", [0.0, 2.0, 3.7])
def test_intervals_without_noise_are_the_closed_form(bit, refractory):
    membranes = Membranes(noise=0.0, refractory=refractory, tick=0.5)
    current = 1.8
    limit, lowest = -65.0 + 18.0, -50.0 - 3.0 * bit
    charging = 20.0 * math.log((limit + 65.0) / (limit - lowest))
    wanted = math.ceil(refractory / 0.5) + math.ceil(charging / 0.5)
    v, held = membranes.start((1, 2))
    fired = []
    for k in range(400):
        v, spikes, held = membranes.step(v, held, current, bit, 0.0)
        if spikes[0, 0]:
            fired.append(k)
    assert len(fired) > 3
    assert set(np.diff(fired)) == {wanted}


def test_a_bit_lowers_the_threshold_by_the_coupling_and_no_more():
    membranes = Membranes(noise=0.0, tau=1e9)
    assert one(membranes, -50.0 + 1e-6)[:2] == (-65.0, 1)
    assert one(membranes, -50.001)[1] == 0
    assert one(membranes, -53.0 + 1e-6, bit=1)[:2] == (-65.0, 1)
    assert one(membranes, -53.001, bit=1)[1] == 0


def test_a_held_neuron_stays_at_its_reset_whatever_comes():
    membranes = Membranes(refractory=3.0, reset=-70.0)
    assert one(membranes, -40.0, bit=1) == (-70.0, 1, 3)
    assert one(membranes, -70.0, current=99.0, bit=1, normal=9.0, held=3) == (-70.0, 0, 2)
    assert one(membranes, -70.0, current=99.0, held=1) == (-70.0, 0, 0)
    assert one(membranes, -70.0, current=99.0, held=0)[1] == 1


@pytest.mark.parametrize(
    ("refractory", "tick", "wanted"), [(0.0, 1.0, 0), (0.3, 0.1, 3), (2.0, 1.0, 2), (2.1, 1.0, 3)]
)
def test_refractory_times_are_rounded_up_to_ticks(refractory, tick, wanted):
    assert Membranes(refractory=refractory, tick=tick).refractory_ticks == wanted


def test_neurons_know_nothing_of_each_other():
    rng = np.random.default_rng(1)
    membranes = Membranes()
    v, held = rng.uniform(-70, -50, (30, 2)), rng.integers(0, 3, (30, 2))
    bits, normal = rng.integers(0, 2, (30, 2)), rng.standard_normal((30, 2))
    together = membranes.step(v, held, [1.0, 1.4], bits, normal)
    for side, current in enumerate((1.0, 1.4)):
        alone = membranes.step(v[:, side], held[:, side], current, bits[:, side], normal[:, side])
        for both, single in zip(together, alone, strict=True):
            np.testing.assert_array_equal(both[:, side], single)


def test_fixed_settings_do_not_look_at_the_voltage():
    law = FixedSettings((0.3, -0.2))
    np.testing.assert_array_equal(law([[-60.0, -50.0], [0.0, 1.0]]), [[0.3, -0.2]] * 2)
    assert not law.index([[-60.0, -50.0]]).any()


def test_settings_by_level_look_at_the_own_voltage():
    law = LevelSettings(level=-57.0)
    v = [[-57.001, -57.001], [-57.0, -57.001], [-57.001, -57.0], [-50.0, -50.0]]
    np.testing.assert_array_equal(law.index(v), [[0, 0], [1, 0], [0, 1], [1, 1]])
    angles = law(v)
    wanted = [(0, 1), (math.pi / 2, 1), (0, -1), (math.pi / 2, -1)]
    np.testing.assert_allclose(angles, [(a, b * math.pi / 4) for a, b in wanted])
    # the angles at which E(a,b) = cos(a − b) makes S = 2√2
    s = np.cos(angles[:, 0] - angles[:, 1]) @ [1, 1, 1, -1]
    assert s == pytest.approx(2 * math.sqrt(2))


@given(VOLTAGE, VOLTAGE, st.floats(-1, 1))
def test_linear_settings_are_a_line(v, w, slope):
    law = LinearSettings((0.1, 0.2), slope=slope, level=-60.0)
    np.testing.assert_allclose(law([-60.0, -60.0]), [0.1, 0.2])
    wanted = slope * np.array([v - w, w - v])
    np.testing.assert_allclose(law([v, w]) - law([w, v]), wanted, atol=1e-12)


OK = Membranes()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Membranes(tau=0), "tau: wanted a number > 0, got 0"),
        (lambda: Membranes(tau=-3.0), "tau: wanted a number > 0, got -3"),
        (lambda: Membranes(tick=0.0), "tick: wanted a number > 0"),
        (lambda: Membranes(resistance=-1.0), "resistance: wanted a number > 0"),
        (lambda: Membranes(noise=-1.0), "noise: wanted a number >= 0"),
        (lambda: Membranes(refractory=-1.0), "refractory: wanted a number >= 0"),
        (lambda: Membranes(coupling=-1.0), "coupling: wanted a number >= 0"),
        (lambda: Membranes(rest=math.nan), "rest: wanted a finite number, got nan"),
        (lambda: Membranes(rest="x"), "rest: wanted a finite number, got 'x'"),
        (lambda: Membranes(reset=-53.0), "reset: wanted a voltage below .* = -53, got -53"),
        (lambda: Membranes(rest=-40.0).start((2,)), "rest: wanted a voltage below .*got -40"),
        (lambda: OK.step([math.inf], [0], 0, 0, 0), "voltage: wanted finite numbers"),
        (lambda: OK.step([-60.0], [0], math.nan, 0, 0), "current: wanted finite numbers"),
        (lambda: OK.step([-60.0], [0], 0, 0, math.nan), "normal: wanted finite numbers"),
        (lambda: OK.step([-60.0], [-1], 0, 0, 0), "refractory: wanted whole numbers"),
        (lambda: OK.step([-60.0], [0.5], 0, 0, 0), "refractory: wanted whole numbers"),
        (lambda: OK.step([-60.0], [0], 0, 0.5, 0), "outcome: wanted zeros and ones"),
        (lambda: OK.step([-60.0] * 2, [0] * 3, 0, 0, 0), "voltage: wanted arrays that broadcast"),
        (lambda: FixedSettings((math.nan,)), "angles: wanted finite numbers"),
        (lambda: FixedSettings((0.0, 0.0))([-60.0]), r"voltage: wanted shape \(..., 2\), got \(1,"),
        (lambda: LevelSettings(((0.0,), (0.0, 1.0))), r"angles: wanted two for each.*\(0.0,\)"),
        (lambda: LevelSettings(()), "angles: wanted"),
        (lambda: LevelSettings(level=math.inf), "level: wanted a finite number"),
        (lambda: LevelSettings()([math.nan, 0.0]), "voltage: wanted finite"),
        (lambda: LinearSettings(slope=math.nan), "slope: wanted a finite number"),
    ],
)
def test_mistakes_are_named(call, words):
    with pytest.raises(FeedbackError, match=words):
        call()
