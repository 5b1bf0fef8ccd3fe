"""The synapse against independent integration, closed forms and its own bounds."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from qbrain.classical_feedback.synapse import FeedbackError, Synapse, SynapticLaw

UNIT = st.floats(0, 1)
TIMES = st.floats(0.05, 50)


class Value:
    def __init__(self, value: float) -> None:
        self.value = value


def integrate(synapse: Synapse, r: float, u: float, energy, dt: float) -> np.ndarray:
    """Independent: the equations of the paper typed anew, by Radau."""

    def rhs(t, y):
        e = energy(t)
        dr = (1 - y[0]) / synapse.tau_r - y[1] * y[0] * e if synapse.tau_r else 0.0
        du = (
            (synapse.release - y[1]) / synapse.tau_f + synapse.release * (1 - y[1]) * e
            if synapse.tau_f
            else 0.0
        )
        return [dr, du, y[0]]

    return solve_ivp(rhs, (0, dt), [r, u, 0.0], method="Radau", rtol=1e-10, atol=1e-12).y[:, -1]


@given(r=UNIT, release=UNIT, energy=UNIT, tau_r=TIMES, dt=st.floats(0.01, 5))
def test_constant_energy_without_facilitation_is_exact(r, release, energy, tau_r, dt):
    synapse = Synapse(tau_r, 0.0, release)
    new, u, integral = synapse.step(r, release, energy, dt)
    k = 1 / tau_r + release * energy
    infinity = 1 / (tau_r * k)
    assert new == pytest.approx(infinity + (r - infinity) * math.exp(-k * dt), abs=1e-12)
    wanted = infinity * dt + (r - infinity) * -math.expm1(-k * dt) / k
    assert integral == pytest.approx(wanted, abs=1e-9)
    assert u == release


@pytest.mark.parametrize("tau_r", [0.1, 1.0, 20.0])
@pytest.mark.parametrize("tau_f", [0.0, 1.0, 100.0])
def test_linear_energy_agrees_with_radau(tau_r, tau_f):
    synapse = Synapse(tau_r, tau_f, 0.3)
    start, slope, dt = 0.2, 0.35, 1.3
    u0 = 0.3 if tau_f == 0 else 0.6
    got = synapse.advance(0.9, u0, start, slope, dt, substeps=400)
    wanted = integrate(synapse, 0.9, u0, lambda t: start + slope * t, dt)
    np.testing.assert_allclose([float(x) for x in got], wanted, atol=2e-6)


def test_substeps_converge_to_second_order():
    synapse = Synapse(0.7, 1.5, 0.4)
    wanted = integrate(synapse, 0.9, 0.5, lambda t: 0.1 + 0.5 * t, 1.0)[0]
    errors = [
        abs(float(synapse.advance(0.9, 0.5, 0.1, 0.5, 1.0, substeps=n)[0]) - wanted)
        for n in (8, 16, 32)
    ]
    slopes = np.diff(np.log2(errors))
    np.testing.assert_allclose(slopes, -2, atol=0.1)


@given(
    r=UNIT,
    u=UNIT,
    energy=UNIT,
    slope=st.floats(-1, 1),
    release=UNIT,
    tau_r=st.floats(1e-6, 1e3),
    tau_f=st.floats(1e-6, 1e3),
    dt=st.floats(1e-3, 1e2),
)
def test_r_and_u_stay_probabilities_however_stiff(r, u, energy, slope, release, tau_r, tau_f, dt):
    new_r, new_u, integral = Synapse(tau_r, tau_f, release).advance(r, u, energy, slope, dt)
    assert -1e-12 <= new_r <= 1 + 1e-12
    assert -1e-12 <= new_u <= 1 + 1e-12
    assert -1e-12 <= integral <= dt * (1 + 1e-9)


def test_no_depression_and_no_facilitation():
    synapse = Synapse(0.0, 0.0, 0.5)
    assert [float(x) for x in synapse.advance(1.0, 0.5, 0.7, 0.1, 2.0)] == [1.0, 0.5, 2.0]
    assert [float(x) for x in synapse.rhs(1.0, 0.5, 0.7)] == [0.0, 0.0]


@given(energy=UNIT, tau_r=TIMES, tau_f=TIMES, release=UNIT)
def test_fixed_point_is_where_nothing_moves(energy, tau_r, tau_f, release):
    synapse = Synapse(tau_r, tau_f, release)
    r, u = synapse.fixed_point(energy)
    np.testing.assert_allclose(synapse.rhs(r, u, energy), 0, atol=1e-9)


def test_an_ensemble_advances_as_its_members_do():
    synapse = Synapse(1.0, 2.0, 0.4)
    r, u, e = np.array([0.2, 0.9]), np.array([0.4, 0.7]), np.array([0.1, 0.8])
    together = synapse.advance(r, u, e, 0.05, 0.5)
    alone = [synapse.advance(r[i], u[i], e[i], 0.05, 0.5) for i in range(2)]
    np.testing.assert_allclose(np.array(together).T, np.array(alone), rtol=1e-14)


def test_the_law_extrapolates_linearly():
    synapse = Synapse(1.0, 0.0, 0.5)
    state = synapse.start()
    one = SynapticLaw(synapse, 1)(state, [Value(0.2), Value(0.4)], 0.5)
    two = SynapticLaw(synapse, 2)(state, [Value(0.2), Value(0.4)], 0.5)
    held = synapse.advance(1.0, 0.5, 0.4, 0.0, 0.5)
    sloped = synapse.advance(1.0, 0.5, 0.4, 0.4, 0.5)
    assert (one.r, one.phase) == (held[0], held[2])
    assert (two.r, two.phase) == (sloped[0], sloped[2])
    assert two.r < one.r  # more activity, more depression


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"tau_r": -1}, "tau_r: wanted a time >= 0, got -1"),
        ({"tau_r": 1, "tau_f": -0.5}, "tau_f: wanted a time >= 0, got -0.5"),
        ({"tau_r": math.nan}, "tau_r: wanted a finite number, got nan"),
        ({"tau_r": 1, "release": 1.5}, r"release: wanted a probability in \[0, 1\], got 1.5"),
        ({"tau_r": 1, "release": "much"}, "release: wanted a number, got 'much'"),
    ],
)
def test_bad_parameters_are_named(arguments, words):
    with pytest.raises(FeedbackError, match=words):
        Synapse(**arguments)


@pytest.mark.parametrize(
    ("tau_r", "r", "u", "words"),
    [
        (1, 1.2, None, r"r: wanted a value in \[0, 1\], got 1.2"),
        (1, 1.0, -0.1, r"U: wanted a value in \[0, 1\], got -0.1"),
        (0, 0.5, None, "r: wanted 1, since tau_r = 0"),
        (1, 0.5, 0.7, "U: wanted 0.5, since tau_f = 0"),
    ],
)
def test_states_outside_the_law_are_refused(tau_r, r, u, words):
    with pytest.raises(FeedbackError, match=words):
        Synapse(tau_r).start(r, u)


def test_other_refusals():
    with pytest.raises(FeedbackError, match="dt: wanted a finite time > 0, got 0"):
        Synapse(1.0).advance(1, 0.5, 0.5, 0, 0)
    with pytest.raises(FeedbackError, match="order: wanted 1 or 2, got 3"):
        SynapticLaw(Synapse(1.0), 3)


def test_readings_beyond_all_neurons_count_as_all_in_the_slope_too():
    """A corrected E may lie outside [0, 1]; the reading before the last is bounded as the last."""
    law = SynapticLaw(Synapse(tau_r=1.0, tau_f=1.0, release=0.5), order=2)
    state = law.synapse.start()
    inside = law(state, [Value(1.0), Value(0.5)], 0.1)
    assert law(state, [Value(1.7), Value(0.5)], 0.1) == inside
    silent = law(state, [Value(0.0), Value(0.5)], 0.1)
    assert law(state, [Value(-0.6), Value(0.5)], 0.1) == silent


@pytest.mark.parametrize("tau_f", [0.5, 1.0, 2.0])
def test_utilisation_at_rest_under_a_constant_energy(tau_f):
    """0 = (𝒰 − U)/τ_f + 𝒰(1 − U)E gives U = 𝒰(1 + τ_f E)/(1 + τ_f 𝒰 E)."""
    _, u = Synapse(tau_r=1.0, tau_f=tau_f, release=0.5).fixed_point(0.4)
    assert (0.5 - float(u)) / tau_f + 0.5 * (1 - float(u)) * 0.4 == pytest.approx(0, abs=1e-15)
