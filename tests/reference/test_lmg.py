"""Field-free dynamics, states under stepwise couplings, and what is refused."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
import qutip
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.interpolate import CubicSpline
from scipy.linalg import expm

from qbrain.reference.lmg import (
    LMG,
    ModelError,
    Orbit,
    initial_excitations,
    orbit_propagation,
    piecewise_states,
    product_formula_states,
    simulate,
    spectral_width,
)
from qbrain.reference.lmg.chebyshev_panels import Panels


@dataclass(frozen=True)
class Synapse:
    tau_r: float = 1.0
    tau_f: float = 0.0
    release: float = 0.5


def spins(neurons: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """QuTiP's J_x, J_y, J_z, turned so that index n is n excitations."""
    return tuple(qutip.jmat(neurons / 2, axis).full()[::-1, ::-1] for axis in ("x", "y", "z"))


def couplings_matrix(neurons: int, gamma: float) -> np.ndarray:
    x, y, _ = spins(neurons)
    return -((1 + gamma) * x @ x + (1 - gamma) * y @ y) / neurons


def dominant_frequency(values: np.ndarray, step: float) -> float:
    """The tallest peak of the spectrum, its top fitted by a parabola."""
    windowed = (values - values.mean()) * np.hanning(len(values))
    spectrum = np.log(np.abs(np.fft.rfft(windowed, 4 * len(values))) + 1e-300)
    top = int(np.argmax(spectrum[1:-1])) + 1
    left, middle, right = spectrum[top - 1 : top + 2]
    shift = 0.5 * (left - right) / (left - 2 * middle + right)
    return float((top + shift) / (4 * len(values) * step))


# --- the orbit ------------------------------------------------------------------------------


@pytest.mark.parametrize("neurons", [1, 2, 3, 5, 10, 80])
@pytest.mark.parametrize("initial", ["silent", "saturated"])
def test_diagonalisation_gives_the_closed_form_of_one_axis_twisting(
    neurons: int, initial: str
) -> None:
    orbit = Orbit(LMG(neurons, 1.0, 0.7), initial)
    s = np.linspace(-3.0, 40.0, 301)
    exact = 0.5 * (
        1 + (-1 if initial == "silent" else 1) * np.cos(2 * 0.7 * s / neurons) ** (neurons - 1)
    )
    assert orbit.closed_form
    assert np.abs(orbit.excitation(s) - exact).max() < 1e-14
    by_states = orbit.expectation(orbit.excitations / neurons, s)
    assert np.abs(by_states - exact).max() < 6e-14


@pytest.mark.parametrize(("neurons", "start"), [(1, 0), (2, 1), (6, 0), (7, 3), (12, 5), (12, 12)])
def test_orbit_against_matrix_exponentials_of_qutip_operators(neurons: int, start: int) -> None:
    orbit = Orbit(LMG(neurons, 0.3, 1.7), start)
    hamiltonian = 1.7 * couplings_matrix(neurons, 0.3)
    n = np.arange(neurons + 1)
    s = np.array([0.0, 0.4, -1.3, 7.0])
    exact = np.array([expm(-1j * hamiltonian * point)[:, start] for point in s])
    assert np.abs(orbit.amplitudes(s) - exact).max() < 1e-12
    assert np.abs(orbit.populations(s) - np.abs(exact) ** 2).max() < 1e-12
    assert np.abs(orbit.excitation(s) - np.abs(exact) ** 2 @ n / neurons).max() < 1e-12
    commutator = 1j * (hamiltonian * n - n[:, None] * hamiltonian) / neurons
    slope = np.einsum("ka,ab,kb->k", exact.conj(), commutator, exact).real
    assert np.abs(orbit.slope(s) - slope).max() < 1e-12


def test_slope_of_the_closed_form_is_that_of_the_states() -> None:
    orbit = Orbit(LMG(30, 1.0, 1.3), "saturated")
    s = np.linspace(0.0, 60.0, 50)
    almost = Orbit(LMG(30, 1.0 - 1e-12, 1.3), "saturated")
    assert not almost.closed_form
    assert np.abs(orbit.slope(s) - almost.slope(s)).max() < 1e-9


@pytest.mark.parametrize("neurons", [200, 301])
@pytest.mark.parametrize("initial", ["silent", "half"])
def test_chebyshev_propagation_equals_diagonalisation(
    monkeypatch: pytest.MonkeyPatch, neurons: int, initial: str
) -> None:
    model = LMG(neurons, 0.8, 1.3)
    s = np.array([0.0, 3.0, 0.01, 30.0, -7.0, 29.5, 30.5])
    exact = Orbit(model, initial).amplitudes(s)
    monkeypatch.setattr(orbit_propagation, "_ALWAYS_DIAGONALISE", 0)
    monkeypatch.setattr(orbit_propagation, "_NEVER_DIAGONALISE", 0)
    orbit = Orbit(model, initial)
    states = orbit.amplitudes(s)
    assert orbit._propagator._spectrum is None
    assert np.abs(states - exact).max() < 1e-11
    assert np.abs(np.linalg.norm(states, axis=1) - 1).max() < 1e-12
    again = orbit.amplitudes(s[::-1])[::-1]
    assert np.abs(again - exact).max() < 1e-11


def test_propagation_turns_to_diagonalisation_once_that_is_cheaper(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = LMG(400, 0.8, 1.0)
    exact = Orbit(model, "half").excitation([0.1, 2000.0])
    monkeypatch.setattr(orbit_propagation, "_ALWAYS_DIAGONALISE", 0)
    orbit = Orbit(model, "half")
    assert abs(orbit.excitation(0.1)[0] - exact[0]) < 1e-11
    assert orbit._propagator._spectrum is None
    assert abs(orbit.excitation(2000.0)[0] - exact[1]) < 1e-10
    assert orbit._propagator._spectrum is not None


def test_spectral_width_is_the_largest_difference_in_the_sector() -> None:
    for neurons, start in ((9, 0), (10, 1), (10, 4), (1, 0)):
        matrix = 1.4 * couplings_matrix(neurons, 0.6)
        sector = matrix[start % 2 :: 2, start % 2 :: 2]
        values = np.linalg.eigvalsh(sector)
        width = spectral_width(LMG(neurons, 0.6, -1.4), start)
        assert width == pytest.approx(values[-1] - values[0], abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(
    neurons=st.integers(1, 40),
    share=st.floats(0, 1),
    gamma=st.floats(-2, 2),
    g0=st.floats(-3, 3),
    s=st.floats(-20, 20),
)
def test_orbit_keeps_norm_parity_and_the_symmetries(
    neurons: int, share: float, gamma: float, g0: float, s: float
) -> None:
    start = round(share * neurons)
    state = Orbit(LMG(neurons, gamma, g0), start).amplitudes(s)[0]
    assert abs(np.linalg.norm(state) - 1) < 1e-12
    assert np.all(state[1 - start % 2 :: 2] == 0)
    # Flipping every neuron mirrors the orbit; a quarter turn about z flips the sign of γ.
    mirrored = Orbit(LMG(neurons, gamma, g0), neurons - start).amplitudes(s)[0]
    assert np.abs(mirrored[::-1] - state).max() < 1e-11
    turned = Orbit(LMG(neurons, -gamma, g0), start).populations(s)[0]
    assert np.abs(turned - np.abs(state) ** 2).max() < 1e-11


def test_panels_follow_a_function_with_quiet_stretches() -> None:
    def bumps(s: np.ndarray) -> np.ndarray:
        return np.exp(-40 * np.sin(s / 20) ** 2) * np.cos(s)

    panels = Panels(bumps, 3.0, 1e-12)
    s = np.linspace(0.0, 500.0, 20_001)
    assert np.abs(panels(s) - bumps(s)).max() < 2e-12
    start, scale, cells = panels.table(123.4)
    x = (123.4 - start) * scale
    value = np.polynomial.polynomial.polyval(2 * (x - int(x)) - 1, cells[int(x)])
    assert abs(value - bumps(np.array(123.4))) < 2e-12


# --- feedback -------------------------------------------------------------------------------


def by_rk(
    model: LMG, synapse: Synapse, initial: str | int, times: np.ndarray, **start: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """E, r, U from the joint equations of ψ, r, U with QuTiP's operators, by DOP853."""
    size = model.neurons + 1
    matrix = model.g0 * couplings_matrix(model.neurons, model.gamma)
    middle = np.linalg.eigvalsh(matrix)[[0, -1]].mean()
    matrix = matrix - middle * np.eye(size)
    levels = np.arange(size) / model.neurons

    def rates(_: float, y: np.ndarray) -> np.ndarray:
        psi, (r, u) = y[:size], y[size:].real
        e = levels @ np.abs(psi) ** 2
        dr = (1 - r) / synapse.tau_r - u * r * e if synapse.tau_r else 0.0
        du = (
            (synapse.release - u) / synapse.tau_f + synapse.release * (1 - u) * e
            if synapse.tau_f
            else 0.0
        )
        return np.concatenate((-1j * r * (matrix @ psi), [dr, du]))

    y = np.zeros(size + 2, dtype=complex)
    y[initial_excitations(model.neurons, initial)] = 1.0
    y[size:] = start.get("r0", 1.0), start.get("U0", synapse.release)
    solution = solve_ivp(
        rates, (0, times[-1]), y, method="DOP853", t_eval=times, rtol=1e-12, atol=1e-13
    ).y
    return levels @ np.abs(solution[:size]) ** 2, solution[size].real, solution[size + 1].real


@pytest.mark.parametrize(
    ("model", "synapse", "initial"),
    [
        (LMG(10, 1.0, 0.5), Synapse(1.0), "saturated"),
        (LMG(12, 0.3, 1.0), Synapse(2.0, 3.0, 0.4), "silent"),
        (LMG(13, 0.8, 1.2), Synapse(0.1, 5.0, 0.9), "half"),
        (LMG(2, 0.8, 0.125), Synapse(100.0, 10.0, 0.02), "silent"),
        (LMG(9, -0.5, -1.0), Synapse(1.0, 1.0, 1.0), 4),
    ],
)
def test_feedback_against_joint_integration(model: LMG, synapse: Synapse, initial: str) -> None:
    t = np.linspace(0.0, 60.0, 121)
    e, r, u = by_rk(model, synapse, initial, t)
    ds = simulate(model, synapse, initial, t)
    assert np.abs(ds.excitation - e).max() < 1e-9
    assert np.abs(ds.r - r).max() < 1e-9
    assert np.abs(ds.U - u).max() < 1e-9


def test_start_values_of_r_and_u_are_used() -> None:
    t = np.linspace(0.0, 10.0, 21)
    synapse = Synapse(2.0, 3.0, 0.4)
    e, r, u = by_rk(LMG(8, 0.5, 1.0), synapse, 0, t, r0=0.2, U0=0.9)
    ds = simulate(LMG(8, 0.5, 1.0), synapse, 0, t, r0=0.2, U0=0.9)
    for name, exact in (("excitation", e), ("r", r), ("U", u)):
        assert np.abs(ds[name] - exact).max() < 1e-9
    assert ds.r[0] == 0.2
    assert ds.U[0] == 0.9


def test_excitation_is_that_of_the_orbit_at_the_reported_phase() -> None:
    model = LMG(20, 0.8, 0.5)
    ds = simulate(
        model,
        Synapse(10.0, 20.0, 0.3),
        "half",
        np.linspace(0.0, 200.0, 401),
        populations=True,
        amplitudes=True,
    )
    orbit = Orbit(model, "half")
    s = ds.phase.values
    assert np.abs(ds.excitation - orbit.excitation(s)).max() < 2e-12
    states = ds.amplitude_real.values + 1j * ds.amplitude_imag.values
    assert np.abs(states - orbit.amplitudes(s)).max() < 1e-13
    assert np.abs(ds.populations - np.abs(states) ** 2).max() < 1e-14
    assert np.abs(ds.populations @ (ds.excitations / 20) - ds.excitation).max() < 1e-11
    # s is the integral of r.
    r = ds.r.values
    assert np.all(np.diff(s) > 0)
    assert abs(s[-1] - CubicSpline(ds.time, r).integrate(0, 200)) < 1e-5


def test_no_feedback_where_the_recovery_time_is_zero() -> None:
    t = np.linspace(0.0, 50.0, 101)
    model = LMG(12, 0.8, 1.0)
    ds = simulate(model, Synapse(0.0), "silent", t)
    assert np.all(ds.r == 1)
    assert np.all(ds.phase == t)
    assert np.abs(ds.excitation - Orbit(model, "silent").excitation(t)).max() < 1e-11
    moving = simulate(model, Synapse(0.0, 5.0, 0.2), "silent", t)
    e, _, u = by_rk(model, Synapse(0.0, 5.0, 0.2), "silent", t)
    assert np.abs(moving.excitation - e).max() < 1e-9
    assert np.abs(moving.U - u).max() < 1e-9


@pytest.mark.parametrize("tolerance", [1e-4, 1e-7, 1e-10])
def test_the_tolerance_is_kept(tolerance: float) -> None:
    t = np.linspace(0.0, 1000.0, 101)
    for model, synapse, initial in (
        (LMG(20, 0.8, 0.5), Synapse(20.0), "silent"),
        (LMG(21, 0.8, 0.5), Synapse(0.1, 10.0, 0.3), "half"),
        (LMG(10, 1.0, 1.0), Synapse(1.0, 0.0, 1.0), "saturated"),
        (LMG(200, 0.5, 0.5), Synapse(5.0, 1e-2, 0.3), "half"),
    ):
        exact = simulate(model, synapse, initial, t, tolerance=1e-12)
        ds = simulate(model, synapse, initial, t, tolerance=tolerance)
        for name in ("excitation", "r", "U"):
            assert np.abs(ds[name] - exact[name]).max() < tolerance


@pytest.mark.parametrize("tau", [0.1, 1e-3, 1e-6])
def test_fast_recovery_is_not_unstable(tau: float) -> None:
    t = np.linspace(0.0, 100.0, 201)
    ds = simulate(LMG(20, 0.8, 0.5), Synapse(tau, tau, 0.5), "half", t)
    # To first order in τ both follow E.
    e = ds.excitation.values[1:]
    assert np.abs(ds.r.values[1:] - 1 / (1 + tau * ds.U.values[1:] * e)).max() < tau**2 + 1e-10
    assert (
        np.abs(ds.U.values[1:] - 0.5 * (1 + tau * e) / (1 + 0.5 * tau * e)).max() < tau**2 + 1e-10
    )


def test_an_observable_takes_the_place_of_the_excitation() -> None:
    model, synapse = LMG(11, 0.6, 1.0), Synapse(2.0, 3.0, 0.4)
    t = np.linspace(0.0, 20.0, 41)
    plain = simulate(model, synapse, 3, t)
    diagonal = np.arange(12) / 11
    same = simulate(model, synapse, 3, t, observable=diagonal)
    assert np.abs(same.drive - plain.excitation).max() < 1e-10
    assert np.abs(same.r - plain.r).max() < 1e-10
    # J_x²/J² by a matrix; elements between the parities must not matter.
    x, _, _ = spins(11)
    matrix = x @ x / (5.5 * 6.5)
    odd = simulate(model, synapse, 3, t, observable=matrix + 0.3 * x)
    squared = simulate(model, synapse, 3, t, observable=matrix, amplitudes=True)
    assert np.abs(odd.r - squared.r).max() < 1e-13
    psi = squared.amplitude_real.values + 1j * squared.amplitude_imag.values
    expected = np.einsum("ka,ab,kb->k", psi.conj(), matrix, psi).real
    assert np.abs(squared.drive - expected).max() < 1e-10
    assert np.abs(squared.excitation - np.abs(psi) ** 2 @ diagonal).max() < 1e-12
    # The law holds with the drive: dr/dt by differences.
    fine = np.linspace(0.0, 2.0, 2001)
    ds = simulate(model, synapse, 3, fine, observable=matrix)
    change = np.gradient(ds.r.values, fine, edge_order=2)
    law = (1 - ds.r) / 2.0 - ds.U * ds.r * ds.drive
    assert np.abs(change - law).max() < 1e-5


def test_the_table_of_a_diagonal_gives_what_the_closed_form_gives() -> None:
    # Revivals after long quiet stretches: here a step or a panel too long would jump over one.
    t = np.linspace(0.0, 1e4, 1001)
    closed = simulate(LMG(80, 1.0, 0.05), Synapse(), "saturated", t)
    table = simulate(LMG(80, 1.0, 0.05), Synapse(), "saturated", t, observable=np.arange(81) / 80)
    assert float(closed.excitation[50:].max()) > 0.9
    assert np.abs(table.excitation - closed.excitation).max() < 1e-8
    tight = simulate(LMG(80, 1.0, 0.05), Synapse(), "saturated", t, tolerance=1e-12)
    assert np.abs(tight.excitation - closed.excitation).max() < 1e-9


def test_a_million_neurons_where_there_is_a_closed_form() -> None:
    neurons = 10**6
    t = np.linspace(0.0, 2000.0, 101)
    ds = simulate(LMG(neurons, 1.0, 1.0), Synapse(1.0, 2.0, 0.5), "saturated", t)
    exact = 0.5 * (1 + np.exp(-((2 * ds.phase / neurons) ** 2) * neurons / 2))
    assert float(ds.excitation[-1]) < 0.6
    assert np.abs(ds.excitation - exact).max() < 1e-5  # the Gaussian limit, wrong by O(1/N)


def test_many_neurons_without_one() -> None:
    model = LMG(6000, 0.8, 1.0)
    t = np.linspace(0.0, 0.5, 11)
    ds = simulate(model, Synapse(), "half", t, populations=True)
    assert np.abs(ds.populations.sum("excitations") - 1).max() < 1e-11
    e = Orbit(model, "half").excitation(ds.phase.values)
    assert np.abs(ds.excitation - e).max() < 1e-10


# --- figures that were computed elsewhere ---------------------------------------------------


def test_lowest_efficacy_of_ten_neurons() -> None:
    ds = simulate(LMG(10, 1.0, 0.05), Synapse(1.0), "saturated", np.linspace(0, 4000, 8001))
    assert float(ds.r.min()) == pytest.approx(0.66668, abs=5e-6)


def test_low_frequency_of_figure_7() -> None:
    duration, step = 40_000.0, 4.0
    t = np.arange(0.0, duration, step)
    ds = simulate(LMG(20, 0.8, 0.5), Synapse(0.1), "silent", t, tolerance=1e-6)
    e = ds.excitation.values
    spectrum = np.abs(np.fft.rfft(e - e.mean()))
    # The figure is known to the spectrum's resolution, 1/duration.
    assert np.fft.rfftfreq(len(e), step)[spectrum.argmax()] == pytest.approx(2.50e-4, rel=1e-9)
    # Beyond it: the line is one pair of levels, slowed down by the mean of r.
    values = np.linalg.eigvalsh(0.5 * couplings_matrix(20, 0.8)[::2, ::2])
    splitting = np.diff(values).min() / (2 * math.pi)
    mean_r = float(ds.phase[-1] / ds.time[-1])
    assert dominant_frequency(e, step) == pytest.approx(splitting * mean_r, rel=1e-3)
    assert splitting * mean_r == pytest.approx(2.575e-4, abs=1e-7)


@pytest.mark.parametrize(
    ("neurons", "g0", "frequency"), [(2, 0.125, 0.01592), (10, 1.43, 0.01507), (20, 30.0, 0.01583)]
)
def test_frequencies_of_figure_9(neurons: int, g0: float, frequency: float) -> None:
    s = np.arange(0.0, 20_000.0, 0.5)
    e = Orbit(LMG(neurons, 0.8, g0), "silent").excitation(s)
    assert dominant_frequency(e, 0.5) == pytest.approx(frequency, abs=0.6e-5)
    if neurons == 2:
        assert dominant_frequency(e, 0.5) == pytest.approx(0.1 / (2 * math.pi), rel=1e-5)


# --- couplings that are constant from step to step ------------------------------------------


@pytest.mark.parametrize("field", [0.0, 0.7])
@pytest.mark.parametrize(("neurons", "start"), [(1, 1), (6, 0), (7, 4)])
def test_piecewise_states_against_matrix_exponentials(
    field: float, neurons: int, start: int
) -> None:
    rng = np.random.default_rng(5)
    g, dt = rng.uniform(-1, 2, 6), rng.uniform(0.1, 3, 6)
    g[2] = g[1]
    matrix, jz = couplings_matrix(neurons, 0.4), spins(neurons)[2]
    state = np.eye(neurons + 1, dtype=complex)[start]
    states = [state]
    for coupling, duration in zip(g, dt, strict=True):
        state = expm(-1j * duration * (coupling * matrix - field * jz)) @ state
        states.append(state)
    got = piecewise_states(LMG(neurons, 0.4, 9.0, field), start, g, dt)
    assert got.shape == (7, neurons + 1)
    assert np.abs(got - np.array(states)).max() < 1e-12


@pytest.mark.parametrize("form", ["xx+yy", "xx+zz"])
@pytest.mark.parametrize("order", [1, 2, 4])
def test_product_formulas_are_the_documented_layers(form: str, order: int) -> None:
    neurons, gamma, field, dt = 5, 0.3, 0.9, 0.4
    g = np.array([1.0, 0.6])
    x, y, z = spins(neurons)
    square = np.eye(neurons + 1) * (neurons / 2) * (neurons / 2 + 1)

    def layers(phase: float, turn: float) -> list[np.ndarray]:
        phase = phase / neurons
        if form == "xx+yy":
            return [
                expm(1j * (1 + gamma) * phase * x @ x),
                expm(1j * (1 - gamma) * phase * y @ y),
                expm(1j * turn * z),
            ]
        joint = turn * z - (1 - gamma) * phase * (z @ z - square)
        return [expm(2j * gamma * phase * x @ x), np.eye(neurons + 1), expm(1j * joint)]

    def strang(phase: float, turn: float) -> np.ndarray:
        _, half_y, half_z = layers(phase / 2, turn / 2)
        return half_z @ half_y @ layers(phase, turn)[0] @ half_y @ half_z

    def step(phase: float, turn: float) -> np.ndarray:
        if order == 1:
            first, second, third = layers(phase, turn)
            return third @ second @ first
        if order == 2:
            return strang(phase, turn)
        p = 1 / (4 - 4 ** (1 / 3))
        outer, inner = strang(p * phase, p * turn), strang((1 - 4 * p) * phase, (1 - 4 * p) * turn)
        return outer @ outer @ inner @ outer @ outer

    state = np.eye(neurons + 1, dtype=complex)[2]
    states = [state]
    for coupling in g:
        state = step(coupling * dt, field * dt) @ state
        states.append(state)
    got = product_formula_states(LMG(neurons, gamma, 1.0, field), 2, g, dt, order, form=form)
    assert np.abs(got - np.array(states)).max() < 1e-12


@pytest.mark.parametrize("form", ["xx+yy", "xx+zz"])
@pytest.mark.parametrize(("order", "slope"), [(1, 1), (2, 2), (4, 4)])
def test_product_formulas_converge_at_their_order(form: str, order: int, slope: int) -> None:
    model = LMG(8, 0.4, 1.0, 0.5)
    exact = piecewise_states(model, "silent", [1.0], 4.0)[-1]
    errors = []
    for steps in (32, 64):
        dt = 4.0 / steps
        states = product_formula_states(model, "silent", np.ones(steps), dt, order, form=form)
        errors.append(np.linalg.norm(states[-1] - exact))
    assert math.log2(errors[0] / errors[1]) == pytest.approx(slope, abs=0.15)


def test_one_layer_is_exact_for_gamma_one() -> None:
    model = LMG(40, 1.0, 1.0)
    exact = piecewise_states(model, "saturated", [1.3, 0.2], [4.0, 2.0])
    for order in (1, 2, 4):
        trotter = product_formula_states(model, "saturated", [1.3, 0.2], [4.0, 2.0], order)
        assert np.abs(trotter - exact).max() < 1e-12


# --- what is refused ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"neurons": 0}, "neurons: wanted an integer >= 1, got 0"),
        ({"neurons": 2.5}, "neurons: wanted an integer >= 1, got 2.5"),
        ({"neurons": True}, "neurons: wanted an integer >= 1, got True"),
        ({"gamma": float("nan")}, "gamma: wanted a finite number, got nan"),
        ({"g0": float("inf")}, "g0: wanted a finite number, got inf"),
        ({"field": "1"}, "field: wanted a finite number, got '1'"),
    ],
)
def test_models_that_make_no_sense(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError) as caught:
        LMG(**{"neurons": 4, "gamma": 1.0, "g0": 1.0, **arguments})  # type: ignore[arg-type]
    assert str(caught.value) == message


def test_named_initial_states() -> None:
    assert [initial_excitations(9, name) for name in ("silent", "half", "saturated")] == [0, 3, 9]
    assert initial_excitations(10, "half") == 4
    assert initial_excitations(10, "7") == initial_excitations(10, np.int64(7)) == 7
    for bad in ("loud", "-1", "11", 11, -1, 2.0, True, ""):
        with pytest.raises(ModelError, match="initial: wanted silent, half, saturated or"):
            initial_excitations(10, bad)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="-1 excitations"):
        initial_excitations(1, "half")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"times": []}, "times: wanted shape"),
        ({"times": [[0.0, 1.0]]}, "times: wanted shape"),
        ({"times": [0.0, 2.0, 1.0]}, "times: wanted increasing numbers, got 2.0 before 1.0"),
        ({"times": [0.0, 0.0]}, "times: wanted increasing"),
        ({"times": [-1.0, 1.0]}, "times: wanted numbers >= 0, got -1.0"),
        ({"times": [0.0, math.nan]}, "times: wanted finite numbers, got nan"),
        ({"r0": 1.1}, "r0: wanted a number from 0 to 1, got 1.1"),
        ({"U0": -0.1}, "U0: wanted a number from 0 to 1, got -0.1"),
        ({"synapse": Synapse(tau_r=-1.0)}, "tau_r: wanted a number >= 0, got -1.0"),
        ({"synapse": Synapse(tau_f=math.inf)}, "tau_f: wanted a finite number, got inf"),
        ({"synapse": Synapse(release=2.0)}, "release: wanted a number from 0 to 1, got 2.0"),
        ({"tolerance": 0.0}, "tolerance: wanted a number from 1e-12 to 0.01, got 0.0"),
        ({"observable": np.ones(3)}, "observable: wanted shape"),
        ({"observable": np.triu(np.ones((5, 5)))}, "observable: wanted a real diagonal or"),
        ({"observable": np.full(5, 1j)}, "observable: wanted a real diagonal or"),
        ({"observable": np.full(5, math.nan)}, "observable: wanted finite"),
        ({"initial": 9}, "initial: wanted"),
    ],
)
def test_requests_that_make_no_sense(arguments: dict[str, object], message: str) -> None:
    wanted: dict[str, object] = {"synapse": Synapse(), "initial": 0, "times": [0.0, 1.0]}
    with pytest.raises(ModelError, match=message.replace("(", r"\(")):
        simulate(LMG(4, 0.5, 1.0), **{**wanted, **arguments})  # type: ignore[arg-type]


def test_steps_that_make_no_sense() -> None:
    model = LMG(4, 0.5, 1.0)
    with pytest.raises(ModelError, match="couplings: wanted shape"):
        piecewise_states(model, 0, 1.0, 1.0)
    with pytest.raises(ModelError, match=r"durations: wanted shape \(2,\) or one number"):
        piecewise_states(model, 0, [1.0, 1.0], [1.0, 1.0, 1.0])
    with pytest.raises(ModelError, match="couplings: wanted finite numbers, got nan"):
        piecewise_states(model, 0, [1.0, math.nan], 1.0)
    with pytest.raises(ModelError, match="order: wanted 1, 2 or 4, got 3"):
        product_formula_states(model, 0, [1.0], 1.0, 3)
    with pytest.raises(ModelError, match="form: wanted"):
        product_formula_states(model, 0, [1.0], 1.0, 2, form="yy")
    with pytest.raises(ModelError, match="field: wanted 0"):
        Orbit(LMG(4, 0.5, 1.0, 0.1), 0)
    with pytest.raises(ModelError, match="s: wanted finite numbers"):
        Orbit(model, 0).excitation([math.nan])


def test_the_dataset_says_what_it_holds() -> None:
    ds = simulate(
        LMG(4, 0.5, 1.0), Synapse(1.0, 2.0, 0.3), "half", [1.0, 2.0], observable=np.ones(5)
    )
    assert set(ds.data_vars) == {"excitation", "r", "U", "phase", "drive"}
    assert ds.sizes == {"time": 2}
    assert all(ds[name].attrs.keys() == {"long_name", "units"} for name in ds.data_vars)
    assert ds.attrs["initial_excitations"] == 1
    assert {ds.attrs[name] for name in ("neurons", "gamma", "tau_f", "release")} == {4, 0.5, 2, 0.3}
    one = simulate(LMG(4, 0.5, 1.0), Synapse(), "half", [0.0], populations=True)
    assert np.abs(one.populations.values - [[0.0, 1.0, 0.0, 0.0, 0.0]]).max() < 1e-14
    assert one.r.item() == 1.0
