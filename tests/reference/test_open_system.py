"""The collective master equation on Dicke states: the full space, PIQS, closed forms, Choi."""

import functools
import math

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from qbrain.reference.open_system import (
    NegativeRate,
    OpenSystemError,
    choi_minimum,
    dicke_state,
    dicke_to_qubits,
    propagator,
    simulate_open_system,
    steady_populations,
)
from qbrain.reference.open_system.bath_coefficients import (
    Bath,
    Pulse,
    bath_curves,
    cumulative_rate,
    given_curves,
)

FIGURE_3 = [Pulse(1.0, 1.5, 0.8), Pulse(1.5, 2.25, -0.53)]
TILTED = (1.1, 0.4)
SPINS = ("m_x", "m_y", "m_z")


@functools.cache
def collective(neurons):
    """Ŝ⁻ and Ŝᶻ on 2^N states, neuron i being bit i."""
    lower = np.array([[0, 1], [0, 0]])
    minus = np.zeros((2**neurons, 2**neurons))
    for i in range(neurons):
        minus += np.kron(np.kron(np.eye(2 ** (neurons - 1 - i)), lower), np.eye(2**i))
    z = np.diag([2.0 * index.bit_count() - neurons for index in range(2**neurons)])
    return minus, z


def full_slope(rho, values, g, neurons):
    """Eq. 15 on 2^N states."""
    kappa, kappa_tilde, shift, shift_tilde = values
    minus, z = collective(neurons)
    plus = minus.T
    h = g / 2 * z + shift * plus @ minus - shift_tilde * minus @ plus
    out = -1j * (h @ rho - rho @ h)
    for rate, jump in ((kappa, minus), (kappa_tilde, plus)):
        square = jump.T @ jump
        out += rate * (jump @ rho @ jump.T - (square @ rho + rho @ square) / 2)
    return out


def full_states(curves, rho, times, neurons):
    def slope(t, y):
        c = curves.at(np.array([t]))
        values = (c.kappa[0], c.kappa_tilde[0], c.lambda_[0], c.lambda_tilde[0])
        return full_slope(y.reshape(rho.shape), values, c.g, neurons).ravel()

    run = solve_ivp(
        slope, (0, times[-1]), rho.astype(complex).ravel(), t_eval=times, rtol=1e-10, atol=1e-12,
        method="DOP853",
    )  # fmt: skip
    return run.y.T.reshape(-1, *rho.shape)


def dicke_matrices(data):
    return data.state_real.values + 1j * data.state_imag.values


@pytest.mark.parametrize("neurons", [1, 2, 3, 4])
@pytest.mark.parametrize("start", [TILTED, "up", 1], ids=str)
def test_dicke_states_are_the_full_space(neurons, start):
    curves = given_curves(
        lambda t: 0.5 + 0.3 * np.sin(3 * t), 0.2, lambda t: 0.4 * np.cos(t), -0.15, g=1.3
    )
    times = np.array([0.0, 0.4, 1.5])
    psi = dicke_state(neurons, start)
    begin = dicke_to_qubits(np.outer(psi, psi.conj()))
    data = simulate_open_system(neurons, curves, start, times, density_matrix=True)
    wanted = full_states(curves, begin, times, neurons)
    np.testing.assert_allclose(dicke_to_qubits(dicke_matrices(data)), wanted, atol=2e-8)
    minus, z = collective(neurons)
    spins = [minus.T + minus, 1j * (minus - minus.T), z]  # σˣ = σ⁺ + σ⁻, σʸ = −i(σ⁺ − σ⁻)
    for name, operator in zip(SPINS, spins, strict=True):
        mean = np.einsum("ab,tba->t", operator, wanted).real / neurons
        np.testing.assert_allclose(data[name], mean, atol=2e-8)
    count = [index.bit_count() for index in range(2**neurons)]
    for n in range(neurons + 1):
        chance = np.einsum("taa,a->t", wanted, np.equal(count, n)).real
        np.testing.assert_allclose(data.populations[:, n], chance, atol=2e-8)


@pytest.mark.parametrize("neurons", [2, 6])
def test_it_is_piqs(neurons):
    qutip = pytest.importorskip("qutip")
    piqs = pytest.importorskip("qutip.piqs.piqs")
    kappa, kappa_tilde, shift, shift_tilde, g = 0.3, 0.1, 0.25, 0.07, 0.9
    jx, jy, jz = piqs.jspin(neurons)
    plus = jx + 1j * jy
    h = g * jz + shift * plus * plus.dag() - shift_tilde * plus.dag() * plus
    system = piqs.Dicke(
        N=neurons, hamiltonian=h, collective_emission=kappa, collective_pumping=kappa_tilde
    )
    # PIQS puts the block of j = N/2 first, from m = N/2 down; ours begins at m = −N/2
    size = h.shape[0]
    state = np.zeros(size, complex)
    state[: neurons + 1] = dicke_state(neurons, TILTED)[::-1]
    times = np.linspace(0, 3, 4)
    run = qutip.mesolve(
        system.liouvillian(), qutip.Qobj(np.outer(state, state.conj())), times, [],
        e_ops=[jx, jy, jz], options={"atol": 1e-11, "rtol": 1e-9},
    )  # fmt: skip
    curves = given_curves(kappa, kappa_tilde, shift, shift_tilde, g=g)
    found = simulate_open_system(neurons, curves, TILTED, times)
    for name, mean in zip(SPINS, run.expect, strict=True):
        np.testing.assert_allclose(found[name], 2 * mean / neurons, atol=1e-7)


def test_one_neuron_is_damped_by_the_integrated_rate():
    bath, times = Bath(3.5, g=1.2), np.linspace(0, 6, 25)
    found = simulate_open_system(
        1, (bath, FIGURE_3), TILTED, times, allow_negative=True, tolerance=1e-11
    )
    decay = np.exp(-cumulative_rate(bath, FIGURE_3, times))
    np.testing.assert_allclose(found.m_z, (math.cos(1.1) + 1) * decay - 1, atol=1e-9)
    across = np.hypot(found.m_x, found.m_y)
    np.testing.assert_allclose(across, math.sin(1.1) * np.sqrt(decay), atol=1e-9)


def test_without_a_bath_spins_turn_with_g():
    times = np.linspace(0, 5, 11)
    found = simulate_open_system(30, given_curves(0.0, g=0.7), TILTED, times)
    np.testing.assert_allclose(found.m_z, math.cos(1.1), atol=1e-12)
    # ṁ_x = −g m_y
    np.testing.assert_allclose(found.m_x, math.sin(1.1) * np.cos(0.4 + 0.7 * times), atol=1e-12)
    np.testing.assert_allclose(found.m_y, math.sin(1.1) * np.sin(0.4 + 0.7 * times), atol=1e-12)


@pytest.mark.parametrize("neurons", [5, 40])
def test_decay_at_zero_temperature_is_an_exponential_of_the_integrated_rate(neurons):
    bath = Bath(3.5)
    times = np.array([1.2, 1.5, 1.7])
    found = simulate_open_system(neurons, (bath, FIGURE_3[0]), "up", times, scaling="1/N")
    n = np.arange(neurons + 1.0)
    losing = n * (neurons - n + 1)
    generator = np.diag(-losing) + np.diag(losing[1:], 1)
    for k, g in enumerate(cumulative_rate(bath, FIGURE_3[0], times)):
        wanted = scipy.linalg.expm(generator * g / neurons)[:, -1]
        np.testing.assert_allclose(found.populations[k], wanted, atol=1e-8)


def test_silent_neurons_stay_silent_at_zero_temperature():
    found = simulate_open_system(
        20, (Bath(3.5), FIGURE_3), "down", np.linspace(0, 10, 5), allow_negative=True
    )
    np.testing.assert_array_equal(found.m_z, -1.0)
    np.testing.assert_array_equal(found.m_x, 0.0)


@pytest.mark.parametrize("ratio", [0.3, 1.0, 2.5])
def test_it_settles_where_detailed_balance_has_it(ratio):
    found = simulate_open_system(6, given_curves(0.4, 0.4 * ratio), TILTED, [60.0])
    np.testing.assert_allclose(found.populations[0], steady_populations(6, ratio), atol=1e-8)
    np.testing.assert_allclose([found.m_x, found.m_y], 0, atol=1e-8)


def test_steady_populations_at_their_limits():
    np.testing.assert_allclose(steady_populations(3, 0.0), [1, 0, 0, 0])
    np.testing.assert_allclose(steady_populations(3, math.inf), [0, 0, 0, 1])
    np.testing.assert_allclose(steady_populations(3, 2.0), np.array([1, 2, 4, 8]) / 15)
    assert steady_populations(1000, 3.0).sum() == pytest.approx(1)


@settings(max_examples=10, deadline=None)
@given(
    st.integers(1, 8),
    st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(-1, 1), st.floats(-1, 1)),
    st.tuples(st.floats(0, math.pi), st.floats(0, 6)),
)
def test_states_stay_states(neurons, values, start):
    found = simulate_open_system(
        neurons, given_curves(*values), start, [0.3, 1.1], density_matrix=True
    )
    rho = dicke_matrices(found)
    np.testing.assert_allclose(np.einsum("tnn->t", rho), 1, atol=1e-9)
    assert np.linalg.eigvalsh(rho).min() > -1e-8
    np.testing.assert_allclose(np.einsum("tnn->tn", rho).real, found.populations, atol=1e-15)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 1000), st.floats(0, math.pi), st.floats(-4, 4))
def test_a_tilted_start_is_the_product_state(neurons, theta, phi):
    found = simulate_open_system(neurons, given_curves(0.0), (theta, phi), [0.0])
    wanted = [
        math.sin(theta) * math.cos(phi),
        math.sin(theta) * math.sin(phi),
        math.cos(theta),
    ]
    np.testing.assert_allclose([float(found[name][0]) for name in SPINS], wanted, atol=1e-10)
    one = np.array([np.exp(1j * phi) * math.sin(theta / 2), math.cos(theta / 2)])
    if neurons <= 4:
        psi = dicke_state(neurons, (theta, phi))
        whole = functools.reduce(np.kron, [one] * neurons)
        same = dicke_to_qubits(np.outer(psi, psi.conj()))
        np.testing.assert_allclose(same, np.outer(whole, whole.conj()), atol=1e-12)


def test_corrections_to_the_limit_of_many_neurons_fall_like_1_over_n():
    bath = Bath(3.5, occupation="boltzmann", beta=0.5)
    times = [1.3, 1.5, 1.7]
    m = [
        float(simulate_open_system(n, (bath, FIGURE_3[0]), (2.0, 0.3), times, scaling="1/N").m_z[2])
        for n in (100, 200, 400)
    ]
    assert (m[1] - m[0]) / (m[2] - m[1]) == pytest.approx(2.0, abs=0.1)


def test_the_two_integrators_agree(monkeypatch):
    curves = given_curves(0.5, 0.2, 0.3, 0.1)
    both = []
    for limit in (0.0, 1e9):
        monkeypatch.setattr("qbrain.reference.open_system.sectors._STIFF", limit)
        both.append(simulate_open_system(25, curves, (1.0, 0.3), [0.1, 0.5, 1.0], scaling="1/N"))
    for name in (*SPINS, "populations"):
        np.testing.assert_allclose(both[0][name], both[1][name], atol=1e-7)


def test_numbers_too_small_to_square_do_no_harm():
    for curves in (given_curves(0.0, 0.0, 0.0, 1.0), given_curves(1e-200)):
        for start in ((1e-171, 0.0), (3.0, 0.0)):
            found = simulate_open_system(1, curves, start, [0.0, 1.0])
            assert float(found.m_z[1]) == pytest.approx(math.cos(start[0]), abs=1e-12)


# --- rates below 0 -------------------------------------------------------------------------------


def test_negative_rates_are_refused_by_name_time_and_value():
    with pytest.raises(
        NegativeRate, match=r"^kappa: wanted rates >= 0, got .* at t = 1\.6"
    ) as info:
        simulate_open_system(2, (Bath(3.5), FIGURE_3), "up", [0.0, 3.0])
    assert "down to -2.36 at t = 1.9" in str(info.value)
    # up to the last time asked for they are positive
    simulate_open_system(2, (Bath(3.5), FIGURE_3), "up", [0.0, 1.5])
    with pytest.raises(NegativeRate, match=r"^kappa_tilde: .* got -0\.1 at t = 0"):
        simulate_open_system(2, given_curves(1.0, -0.1), "up", [1.0])


def test_the_bath_rings_into_negative_rates_by_itself():
    with pytest.raises(NegativeRate, match=r"^kappa: .* at t = 1\.8"):
        simulate_open_system(2, (Bath(3.5), FIGURE_3[0]), "up", [0.0, 3.0])


def test_undoing_a_pulse_gives_the_start_back():
    curves = given_curves(lambda t: np.where(t < 1, 0.5, -0.5), breaks=[1.0])
    found = simulate_open_system(4, curves, TILTED, [0.0, 1.0, 2.0], allow_negative=True)
    np.testing.assert_allclose(found.populations[2], found.populations[0], atol=1e-6)
    assert abs(float(found.m_z[1] - found.m_z[0])) > 0.3


def test_rounding_errors_without_end_are_an_error():
    with pytest.raises(OpenSystemError, match=r"^rates: wanted ones that do not amplify"):
        simulate_open_system(30, given_curves(-1.0), TILTED, [1.0], allow_negative=True)


# --- whole maps ----------------------------------------------------------------------------------


def test_a_propagator_is_the_trajectory():
    curves = given_curves(0.4, 0.1, lambda t: 0.2 * t, 0.05, g=1.1)
    psi = dicke_state(3, TILTED)
    found = simulate_open_system(3, curves, TILTED, [0.0, 0.7, 1.6], density_matrix=True)
    rho = dicke_matrices(found)
    first = propagator(3, curves, 0.0, 0.7)
    second = propagator(3, curves, 0.7, 1.6)
    np.testing.assert_allclose(
        (first @ np.outer(psi, psi.conj()).ravel()), rho[1].ravel(), atol=1e-8
    )
    np.testing.assert_allclose(second @ rho[1].ravel(), rho[2].ravel(), atol=1e-8)


def test_the_choi_minimum_of_one_neuron_is_known():
    # amplitude damping by p = e^{−G}: eigenvalues 0, 0, (1 − p)/2, (1 + p)/2
    bath = Bath(3.5)
    g = cumulative_rate(bath, FIGURE_3, [1.5, 2.25])
    wanted = (1 - math.exp(g[0] - g[1])) / 2
    found = choi_minimum(1, (bath, FIGURE_3), 1.5, 2.25)
    assert found == pytest.approx(wanted, abs=1e-8)
    assert found == pytest.approx(-0.986, abs=5e-4)
    # until then all is a map, and so is the whole for one neuron, but not for two
    assert choi_minimum(1, (bath, FIGURE_3), 0.0, 1.5) > -1e-9
    assert choi_minimum(1, (bath, FIGURE_3), 0.0, 10.0) > -1e-9
    assert choi_minimum(2, (bath, FIGURE_3), 0.0, 10.0) < -0.1


def test_no_part_of_the_retrieving_pulse_is_completely_positive():
    curves = bath_curves(Bath(3.5), FIGURE_3)
    assert choi_minimum(1, curves, 2.25, 7.467) == pytest.approx(-0.1284, abs=1e-4)
    for start in (1.65, 1.8, 2.0, 2.2):
        assert choi_minimum(1, curves, start, start + 0.05) < -0.005


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 3), st.floats(0, 1), st.floats(0, 1), st.floats(-1, 1))
def test_maps_of_rates_above_0_are_completely_positive(neurons, kappa, kappa_tilde, shift):
    curves = given_curves(kappa, kappa_tilde, shift, -shift / 2)
    assert choi_minimum(neurons, curves, 0.2, 1.0) > -1e-8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"neurons": 0}, "neurons: wanted an integer >= 1, got 0"),
        ({"neurons": 2.5}, "neurons: wanted an integer >= 1, got 2.5"),
        ({"start": "half"}, "start: wanted down, up, a number or angles, got 'half'"),
        ({"start": 4}, "start: wanted a number from 0 to 3, got 4"),
        ({"start": (1.0, 2.0, 3.0)}, "start: wanted down, up, a number or angles"),
        ({"start": (math.nan, 0.0)}, "start: wanted a finite number, got nan"),
        ({"times": [1.0, 0.5]}, "times: wanted finite numbers >= 0 in increasing order"),
        ({"scaling": "N"}, "scaling: wanted none or 1/N, got 'N'"),
        ({"tolerance": 1.0}, "tolerance: wanted a number from 1e-12 to 0.01, got 1"),
        ({"rates": 0.5}, "rates: wanted Curves or "),
        ({"rates": (Bath(1.0), 3)}, "rates: wanted a bath and a stimulus; stimulus: wanted pulses"),
    ],
)
def test_errors_name_the_argument(change, message):
    given_ = {"neurons": 3, "rates": given_curves(0.1), "start": "up", "times": [0.0, 1.0]}
    with pytest.raises(OpenSystemError, match=f"^{message}"):
        simulate_open_system(**(given_ | change))


def test_more_errors():
    with pytest.raises(OpenSystemError, match=r"^neurons: wanted at most 24 for a whole map"):
        propagator(25, given_curves(0.1), 0, 1)
    with pytest.raises(OpenSystemError, match=r"^stop_time: wanted > 1, got 1"):
        choi_minimum(1, given_curves(0.1), 1, 1)
    with pytest.raises(OpenSystemError, match=r"^ratio: wanted >= 0, got -1"):
        steady_populations(2, -1.0)
    with pytest.raises(OpenSystemError, match=r"^states: wanted shape"):
        dicke_to_qubits(np.ones(3))


def test_breaks_that_only_rounding_tells_apart_are_one():
    third = 1 / 3
    pulses = [Pulse(0.0, 1 + third, 0.1), Pulse(4 / 3, 3.0, 0.1), Pulse(1 + 2 * third, 3.0, 0.0),
              Pulse(5 / 3, 3.0, 0.0)]  # fmt: skip
    found = simulate_open_system(2, (Bath(3.5), pulses), "up", [0.0, 4 / 3, 2.0, 3.0])
    whole = simulate_open_system(2, (Bath(3.5), Pulse(0.0, 3.0, 0.1)), "up", [0, 4 / 3, 2, 3])
    np.testing.assert_allclose(found.m_z, whole.m_z, atol=1e-8)
