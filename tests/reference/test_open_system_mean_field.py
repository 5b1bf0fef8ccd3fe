"""The right mean field against the whole space and the exact solution, and what Eq. 18 loses."""

import functools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qbrain.reference.open_system import NegativeRate, OpenSystemError, simulate_open_system
from qbrain.reference.open_system.bath_coefficients import (
    Bath,
    BathError,
    Pulse,
    given_curves,
    inverse_temperature,
)
from qbrain.reference.open_system.mean_field import (
    printed_from_down,
    printed_mean_field,
    printed_slopes,
    right_mean_field,
    right_slopes,
)

FIGURE_3 = [Pulse(1.0, 1.5, 0.8), Pulse(1.5, 2.25, -0.53)]
FIGURE_4 = [Pulse(1.0, 1.5, 0.8), Pulse(1.5, 2.5, -0.4)]
SPINS = ("m_x", "m_y", "m_z")
# figure 2's (1, 1, −1), made of length 1
FIGURE_2 = (math.acos(-1 / math.sqrt(3)), math.pi / 4)
WARM = Bath(3.5, occupation="boltzmann", beta=inverse_temperature(300, 2000))

LOWER = np.array([[0, 0], [1, 0]], complex)  # the basis is |1⟩, |0⟩ here: σˣ, σʸ, σᶻ are Pauli's
PAULI = [np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1, -1])]
numbers = st.floats(-2, 2)


def full_derivative(m, neurons, values, g):
    """d⟨σ⟩/dt of the first neuron, from Eq. 15 on 2^N states at the product state of m."""

    def on(operator, i):
        return functools.reduce(
            np.kron, [operator if k == i else np.eye(2) for k in range(neurons)]
        )

    kappa, kappa_tilde, shift, shift_tilde = values
    one = (np.eye(2) + sum(a * p for a, p in zip(m, PAULI, strict=True))) / 2
    rho = functools.reduce(np.kron, [one] * neurons)
    minus = sum(on(LOWER, i) for i in range(neurons))
    plus = minus.conj().T
    h = g / 2 * sum(on(PAULI[2], i) for i in range(neurons))
    h = h + shift * plus @ minus - shift_tilde * minus @ plus
    out = -1j * (h @ rho - rho @ h)
    for rate, jump in ((kappa, minus), (kappa_tilde, plus)):
        square = jump.conj().T @ jump
        out += rate * (jump @ rho @ jump.conj().T - (square @ rho + rho @ square) / 2)
    return [np.trace(on(p, 0) @ out).real for p in PAULI]


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 4),
    st.tuples(numbers, numbers, numbers),
    st.tuples(numbers, numbers, numbers, numbers),
    numbers,
)
def test_its_slope_at_a_product_state_is_the_full_one(neurons, direction, values, g):
    m = np.array(direction) / max(1.0, float(np.linalg.norm(direction)))
    found = right_slopes(m, neurons, *values, g)
    np.testing.assert_allclose(found, full_derivative(m, neurons, values, g), atol=1e-12)


def test_eq_18_has_another_slope():
    m, values = (0.3, -0.4, 0.5), (0.5, 0.2, 0.3, -0.1)
    full = np.array(full_derivative(m, 2, values, 1.0))
    # without the −D that neurons emit by themselves
    np.testing.assert_allclose(printed_slopes(m, *values), full + np.array([0, 0, 0.3]), atol=1e-14)
    at_rest = printed_slopes((0, 0, -1), 0.5, 0.0, 0.0, 0.0)
    np.testing.assert_allclose(at_rest, [0, 0, 0.5])


def test_one_neuron_needs_no_approximation():
    times = np.linspace(0, 10, 11)
    for bath in (Bath(3.5, g=1.4), WARM):
        exact = simulate_open_system(1, (bath, FIGURE_3), (1.1, 0.4), times, allow_negative=True)
        found = right_mean_field(1, (bath, FIGURE_3), (1.1, 0.4), times, allow_negative=True)
        for name in SPINS:
            np.testing.assert_allclose(found[name], exact[name], atol=1e-7)


@pytest.mark.parametrize(
    ("neurons", "error"), [(2, 0.0014), (10, 0.0031), (50, 0.0009), (200, 0.0003)]
)
def test_the_right_mean_field_is_close_and_eq_18_is_not(neurons, error):
    """Figure 2's start and η = 0.1 at zero temperature, coefficients over N: known figures."""
    rates = (Bath(3.5), Pulse(0.0, math.inf, 0.1))
    times = np.linspace(0, 20, 101)
    exact = simulate_open_system(neurons, rates, FIGURE_2, times, scaling="1/N")
    found = right_mean_field(neurons, rates, FIGURE_2, times, scaling="1/N")
    assert float(np.abs(found.m_z - exact.m_z).max()) == pytest.approx(error, abs=6e-5)
    printed = printed_mean_field(rates, FIGURE_2, times)
    assert float(np.abs(printed.m_z - exact.m_z).max()) == pytest.approx(1.0, abs=5e-3)


def test_silent_neurons_stay_silent_at_zero_temperature_but_not_by_eq_18():
    times = np.linspace(0, 1.5, 4)
    found = right_mean_field(7, (Bath(3.5), FIGURE_3), "down", times)
    np.testing.assert_array_equal(found.m_z, -1.0)
    printed = printed_mean_field((Bath(3.5), FIGURE_3), "down", times)
    assert float(printed.m_z[-1]) == pytest.approx(-0.268, abs=5e-4)


@pytest.mark.parametrize("bath", [Bath(3.5), WARM, Bath(3.0, occupation="bose", beta=1.0)], ids=str)
@pytest.mark.parametrize("pulses", [FIGURE_3, FIGURE_4])
def test_eq_18_from_silence_has_a_closed_form(bath, pulses):
    times = np.linspace(0, 10, 41)
    found = printed_mean_field((bath, pulses), "down", times)
    np.testing.assert_allclose(found.m_z, printed_from_down(bath, pulses, times), atol=1e-8)
    np.testing.assert_array_equal(found.m_x, 0.0)


def test_figures_of_the_paper_s_figure_3_and_5():
    cold = printed_from_down(Bath(3.5), FIGURE_3, [1.0, 1.5, 10.0])
    np.testing.assert_allclose(cold, [-1, -0.268, -0.984], atol=5e-4)
    assert printed_from_down(WARM, FIGURE_3, [1.5])[0] == pytest.approx(-0.019, abs=5e-4)


def test_eq_18_forgets_everything_under_a_lasting_stimulus():
    # figure 2: (1, 1, −1) goes to the origin, the sooner the larger η
    far = [
        np.array([float(data[name][-1]) for name in SPINS])
        for data in (
            printed_mean_field((WARM, Pulse(0, math.inf, eta)), (1, 1, -1), [0.0, 10.0])
            for eta in (0.1, 0.02)
        )
    ]
    assert np.linalg.norm(far[0]) < 0.01 < np.linalg.norm(far[1]) < 1.0


def test_numbers_too_small_to_square_do_no_harm():
    found = right_mean_field(3, given_curves(1e-200, g=0.5), (1e-171, 0.0), [1.0])
    assert float(found.m_z[0]) == 1.0


def test_scaling_divides_by_the_number_of_neurons():
    whole = given_curves(0.4, 0.1, 0.2, -0.1)
    part = given_curves(0.04, 0.01, 0.02, -0.01)
    first = right_mean_field(10, whole, "up", [2.0], scaling="1/N")
    second = right_mean_field(10, part, "up", [2.0])
    assert float(first.m_z[0]) == pytest.approx(float(second.m_z[0]), abs=1e-12)
    assert float(first.kappa[0]) == pytest.approx(0.04)
    third = printed_mean_field(whole, (1, 1, -1), [2.0], neurons=10, scaling="1/N")
    fourth = printed_mean_field(part, (1, 1, -1), [2.0])
    assert float(third.m_x[0]) == pytest.approx(float(fourth.m_x[0]), abs=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"neurons": -1}, "neurons: wanted an integer >= 1, got -1"),
        ({"start": "half"}, "start: wanted down, up, angles or three numbers, got 'half'"),
        ({"start": (1, 1, -1)}, "start: wanted a length of at most 1, got 1.73205"),
        ({"start": [[1.0]]}, "start: wanted down, up, angles or three numbers"),
        ({"start": (0.1, math.nan)}, "start: wanted down, up, angles or three numbers"),
        ({"times": []}, "times: wanted"),
        ({"tolerance": 0}, "tolerance: wanted a number from 1e-12 to 0.01, got 0"),
    ],
)
def test_errors_name_the_argument(change, message):
    given_ = {"neurons": 3, "rates": given_curves(0.1), "start": "up", "times": [0.0, 1.0]}
    with pytest.raises(OpenSystemError, match=f"^{message}"):
        right_mean_field(**(given_ | change))


def test_negative_rates_are_for_eq_18_only():
    with pytest.raises(NegativeRate, match=r"^kappa: wanted rates >= 0"):
        right_mean_field(3, (Bath(3.5), FIGURE_3), "up", [3.0])
    with pytest.raises(BathError, match=r"^times"):
        printed_from_down(Bath(3.5), FIGURE_3, [-1.0])
