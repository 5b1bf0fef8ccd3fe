"""Rates and shifts of the bath: integrals over its modes, closed forms, panels, known limits."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import zeta

from qbrain.reference.open_system.bath_coefficients import (
    Bath,
    BathError,
    PiecewiseStimulus,
    Pulse,
    bath_curves,
    coefficients,
    coefficients_integrated,
    cumulative_rate,
    given_curves,
    inverse_temperature,
    step_integrals,
)
from qbrain.reference.open_system.bath_kernels import _hurwitz

STORE, RETRIEVE = Pulse(1.0, 1.5, 0.8), Pulse(1.5, 2.25, -0.53)
FIGURE_3 = [STORE, RETRIEVE]
TIMES = np.linspace(0, 10, 201)
BATHS = [
    Bath(3.5),
    Bath(3.5, occupation="boltzmann", beta=0.6),
    Bath(3.5, occupation="bose", beta=0.6, g=1.7),
    Bath(2.0, 0.5),
    Bath(0.7, 3.0, "boltzmann", 2.0),
    Bath(5.0, 2.5, "bose", 0.2),
]


def quanta(bath, omega):
    if bath.occupation == "zero":
        return 0.0
    if bath.occupation == "boltzmann":
        return math.exp(-bath.beta * omega)
    return 1 / math.expm1(bath.beta * omega)


def over_modes(bath, pulse, t):
    """κ, κ̃, λ, λ̃ by Eq. 16, the integral over time done by hand and that over ω by quad."""

    def part(emission, cosine):
        def integrand(omega):
            if omega == 0:
                return 0.0
            n = quanta(bath, omega) + emission
            density = omega * (omega / bath.cutoff) ** (bath.exponent - 1)
            density *= math.exp(-omega / bath.cutoff) * n * pulse.strength
            x = omega - bath.g
            early, late = max(t - pulse.stop, 0.0), max(t - pulse.start, 0.0)
            if abs(x) < 1e-6:  # the series, to x²
                return density * (2 * (late - early) if cosine else -x * (late**2 - early**2) / 2)
            if cosine:
                return 2 * density * (math.sin(x * late) - math.sin(x * early)) / x
            return density * (math.cos(x * late) - math.cos(x * early)) / x

        found = 0.0
        edges = np.append(0.0, np.geomspace(0.05 * bath.cutoff, 45 * bath.cutoff, 12))
        for low, high in itertools.pairwise(edges):
            found += quad(integrand, low, high, epsabs=1e-12, epsrel=1e-11, limit=200)[0]
        return found

    return [part(1, True), part(0, True), part(1, False), part(0, False)]


@pytest.mark.parametrize("bath", BATHS, ids=str)
def test_coefficients_are_the_integrals_over_modes(bath):
    times = [1.02, 1.5, 2.2, 4.0]
    found = coefficients(bath, STORE, times)
    rows = np.array([found.kappa, found.kappa_tilde, found.lambda_, found.lambda_tilde])
    wanted = np.array([over_modes(bath, STORE, t) for t in times]).T
    np.testing.assert_allclose(rows, wanted, atol=2e-10 * np.abs(wanted).max())


@pytest.mark.parametrize("cutoff", [0.5, 3.5, 40.0])
@pytest.mark.parametrize("beta", [None, 5e-11, 0.7])
def test_exponential_integrals_are_the_panels(cutoff, beta):
    bath = Bath(cutoff, occupation="zero" if beta is None else "boltzmann", beta=beta)
    closed = coefficients(bath, FIGURE_3, TIMES, method="closed")
    panels = coefficients(bath, FIGURE_3, TIMES, method="quadrature")
    size = np.abs(closed.kappa).max()
    for name in ("kappa", "kappa_tilde", "lambda_", "lambda_tilde"):
        np.testing.assert_allclose(getattr(closed, name), getattr(panels, name), atol=1e-12 * size)
    both = [
        coefficients_integrated(bath, FIGURE_3, TIMES, method=m) for m in ("closed", "quadrature")
    ]
    np.testing.assert_allclose(both[0], both[1], atol=1e-12 * size)


def test_a_slow_bath_has_a_closed_form_that_does_not_overflow():
    bath = Bath(0.0009)  # e^{1111} in between
    closed = coefficients(bath, Pulse(0, 5, 1.0), [1.0, 9.0], method="closed")
    panels = coefficients(bath, Pulse(0, 5, 1.0), [1.0, 9.0])
    np.testing.assert_allclose(closed.kappa, panels.kappa, rtol=1e-8)
    # ω stays far below g: κ = 2η ω_c² sin(gt)/g while the pulse is on, to first order in ω_c t
    assert panels.kappa[0] == pytest.approx(2 * 0.0009**2 * math.sin(1.0), rel=5e-3)


@pytest.mark.parametrize("bath", [BATHS[0], BATHS[2], BATHS[3]], ids=str)
def test_pulses_are_functions_with_breaks(bath):
    pulses = PiecewiseStimulus([*FIGURE_3, Pulse(0.3, 4.0, 0.1)])
    times = np.linspace(0, 6, 13)
    wanted = coefficients(bath, pulses, times)
    found = coefficients(bath, lambda t: pulses(t), times, breaks=pulses.breaks)
    size = np.abs(wanted.kappa).max()
    np.testing.assert_allclose(found.kappa, wanted.kappa, atol=1e-11 * size)
    np.testing.assert_allclose(found.lambda_, wanted.lambda_, atol=1e-11 * size)
    steps = step_integrals(bath, pulses, times)
    same = step_integrals(bath, lambda t: pulses(t), times, breaks=pulses.breaks)
    np.testing.assert_allclose(same.kappa, steps.kappa, atol=1e-11 * size)
    np.testing.assert_allclose(same.lambda_tilde, steps.lambda_tilde, atol=1e-11 * size)


def test_a_smooth_stimulus_is_convolved_with_the_memory():
    bath, t = Bath(3.5, g=0.8), 2.3

    def eta(s):
        return np.sin(3 * s) ** 2

    def memory(tau):
        return np.exp(-0.8j * tau) / (1 / 3.5 - 1j * tau) ** 2

    found = coefficients(bath, eta, [t])
    for name, part in (("kappa", lambda z: 2 * z.real), ("lambda_", lambda z: -z.imag)):
        # bound to the loop's function within the loop
        wanted = quad(lambda s, p=part: eta(s) * p(memory(t - s)), 0, t, epsabs=1e-12)[0]
        assert getattr(found, name)[0] == pytest.approx(wanted, abs=1e-10)


@pytest.mark.parametrize("bath", [BATHS[1], BATHS[5]], ids=str)
def test_steps_are_integrals_of_the_coefficients(bath):
    edges = np.array([0.0, 0.9, 1.1, 1.5, 1.6, 3.0, 3.01])
    steps = step_integrals(bath, FIGURE_3, edges)
    curves = bath_curves(bath, FIGURE_3)
    nodes, weights = np.polynomial.legendre.leggauss(24)
    for name in ("kappa", "kappa_tilde", "lambda_", "lambda_tilde"):
        wanted = []
        for low, high in itertools.pairwise(edges):
            # cut where the coefficients have kinks, and after them, where they bend fast
            cuts = np.unique(
                np.clip([low, 1.0, 1.1, 1.3, 1.5, 1.6, 1.8, 2.25, 2.4, high], low, high)
            )
            total = 0.0
            for a, b in itertools.pairwise(cuts):
                values = getattr(curves.at((a + b) / 2 + (b - a) / 2 * nodes), name)
                total += (b - a) / 2 * weights @ values
            wanted.append(total)
        np.testing.assert_allclose(getattr(steps, name), wanted, atol=1e-11)
    np.testing.assert_allclose(steps.steps, np.diff(edges))
    whole = cumulative_rate(bath, FIGURE_3, edges)
    np.testing.assert_allclose(np.diff(whole), steps.kappa - steps.kappa_tilde, atol=1e-13)


def test_figures_of_the_paper_s_pulses():
    # Sz = −e^{−cG}: known figures to three digits
    g = cumulative_rate(Bath(3.5), FIGURE_3, [1.5, 10.0])
    np.testing.assert_allclose(-np.exp(-g), [-0.268, -0.984], atol=5e-4)
    assert -math.exp(-3 * g[0]) == pytest.approx(-0.019, abs=5e-4)


def test_room_temperature_is_one_quantum_a_mode_by_boltzmann_and_2e10_by_bose():
    beta = inverse_temperature(300, 2000)
    assert beta == pytest.approx(5.09e-11, rel=1e-3)
    assert 1 / math.expm1(beta) == pytest.approx(1.96e10, rel=2e-3)
    paper = coefficients(Bath(3.5, occupation="boltzmann", beta=beta), FIGURE_3, TIMES)
    np.testing.assert_allclose(paper.kappa, 2 * paper.kappa_tilde, atol=1e-9)
    np.testing.assert_allclose(paper.lambda_, 2 * paper.lambda_tilde, atol=1e-9)
    real = coefficients(Bath(3.5, occupation="bose", beta=beta), STORE, [1.5])
    assert real.kappa_tilde[0] > 1e9 * paper.kappa_tilde[30]


@pytest.mark.parametrize("bath", BATHS[1:3], ids=str)
def test_temperature_adds_as_much_absorption_as_emission(bath):
    warm = coefficients(bath, FIGURE_3, TIMES)
    cold = coefficients(Bath(bath.cutoff, g=bath.g), FIGURE_3, TIMES)
    assert not cold.kappa_tilde.any()
    assert not cold.lambda_tilde.any()
    for name in ("kappa0", "lambda0", "K", "D"):
        np.testing.assert_allclose(getattr(warm, name), getattr(cold, name), atol=1e-11)
    np.testing.assert_allclose(warm.F, warm.kappa + warm.kappa_tilde)
    np.testing.assert_allclose(warm.P, warm.lambda_ + warm.lambda_tilde)


@pytest.mark.parametrize("bath", BATHS, ids=str)
def test_a_lasting_stimulus_gives_the_golden_rule(bath):
    found = coefficients(bath, Pulse(0, math.inf, 0.1), [300.0])
    density = 0.1 * bath.g * (bath.g / bath.cutoff) ** (bath.exponent - 1)
    density *= math.exp(-bath.g / bath.cutoff)
    n = quanta(bath, bath.g)
    # what is left falls like t^{−s−1}, for Bose t^{−s}, from the slow modes
    assert found.kappa[0] == pytest.approx(2 * math.pi * density * (n + 1), rel=5e-3)
    assert found.kappa_tilde[0] == pytest.approx(2 * math.pi * density * n, rel=5e-3, abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(
    st.floats(0.2, 20),
    st.lists(st.tuples(st.floats(0, 3), st.floats(0.05, 3), st.floats(-1, 1)), max_size=4),
    st.floats(-2, 2),
)
def test_coefficients_are_linear_and_causal(cutoff, parts, factor):
    pulses = [Pulse(start, start + length, eta) for start, length, eta in parts]
    scaled = [Pulse(p.start, p.stop, factor * p.strength) for p in pulses]
    bath, t = Bath(cutoff), np.linspace(0, 8, 9)
    found = coefficients(bath, pulses, t)
    again = coefficients(bath, scaled, t)
    apart = [coefficients(bath, p, t) for p in pulses]
    size = 1e-12 * (1 + cutoff**2)
    np.testing.assert_allclose(again.kappa, factor * found.kappa, atol=size)
    np.testing.assert_allclose(
        found.lambda_, sum((x.lambda_ for x in apart), np.zeros(9)), atol=size
    )
    first = min((p.start for p in pulses), default=9.0)
    assert not found.kappa[t <= first].any()


def test_stimuli_say_where_they_jump():
    whole = PiecewiseStimulus([*FIGURE_3, Pulse(0, math.inf, 0.1)])
    assert whole.breaks == (0.0, 1.0, 1.5, 2.25)
    np.testing.assert_allclose(whole([0.5, 1.0, 1.5, 2.25]), [0.1, 0.9, -0.43, 0.1])
    assert bath_curves(Bath(1.0), whole, breaks=[0.5]).breaks == (0.0, 0.5, 1.0, 1.5, 2.25)


def test_hurwitz_zeta_is_scipy_s_on_the_real_axis():
    q = np.array([1.0, 1.3, 4.0, 60.0])
    for power in (1.3, 2.0, 3.5, 8.0):
        np.testing.assert_allclose(_hurwitz(power, q + 0j).real, zeta(power, q), rtol=1e-14)
    # ζ(s, q) − ζ(s, q + 1) = q^{−s} off it
    off = q + 3j * q
    np.testing.assert_allclose(_hurwitz(1.6, off) - _hurwitz(1.6, off + 1), off**-1.6, rtol=1e-12)


def test_given_curves_take_numbers_and_functions():
    curves = given_curves(0.5, lambda t: 0.1 * t, g=2.0, breaks=[3.0, 1.0])
    found = curves.at(np.array([[1.0, 2.0]]))
    np.testing.assert_allclose(found.kappa, [[0.5, 0.5]])
    np.testing.assert_allclose(found.kappa_tilde, [[0.1, 0.2]])
    assert curves.breaks == (1.0, 3.0)
    assert found.g == 2.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Bath(-1.0), "cutoff: wanted > 0, got -1"),
        (lambda: Bath(1.0, 0.0), "exponent: wanted > 0, got 0"),
        (lambda: Bath(1.0, g=math.nan), "g: wanted > 0, got nan"),
        (lambda: Bath(1.0, occupation="fermi"), "occupation: wanted one of zero, boltzmann, bose"),
        (lambda: Bath(1.0, occupation="bose", beta=-2), "beta: wanted > 0, got -2"),
        (lambda: Bath(1.0, occupation="bose"), "beta: wanted > 0, got None"),
        (lambda: Bath(1.0, beta=1.0), "beta: wanted None at occupation zero, got 1.0"),
        (lambda: Pulse(-1, 1, 1), "start: wanted >= 0, got -1"),
        (lambda: Pulse(2, 1, 1), "stop: wanted > 2, got 1"),
        (lambda: Pulse(0, 1, math.inf), "strength: wanted a finite number, got inf"),
        (lambda: PiecewiseStimulus([3]), "pulses: wanted instances of Pulse, got 3"),
        (lambda: coefficients(Bath(1.0), STORE, [2.0, 1.0]), "times: wanted .* increasing"),
        (lambda: coefficients(Bath(1.0), STORE, [-1.0]), "times: wanted finite numbers >= 0"),
        (lambda: coefficients(3.5, STORE, [1.0]), "bath: wanted a Bath, got 3.5"),
        (lambda: coefficients(Bath(1.0), 0.8, [1.0]), "stimulus: wanted pulses or a function"),
        (lambda: coefficients(Bath(1.0), STORE, [1.0], method="fast"), "method: wanted one of"),
        (lambda: coefficients(Bath(1.0, 2), STORE, [1.0], method="closed"), "method: wanted one o"),
        (lambda: coefficients(Bath(1.0), lambda t: 1.0, [1.0]), "stimulus: wanted finite numbers"),
        (
            lambda: coefficients(Bath(1.0), lambda t: np.where(t < 0.37, 0.0, 1.0), [1.0, 2.0]),
            "stimulus: wanted a function that is smooth between its breaks",
        ),
        (lambda: step_integrals(Bath(1.0), STORE, [1.0]), "times: wanted at least 2"),
        (lambda: inverse_temperature(0, 1), "kelvin: wanted > 0, got 0"),
        (lambda: given_curves(math.nan), "kappa: wanted a finite number, got nan"),
    ],
)
def test_errors_name_the_argument(call, message):
    with pytest.raises(BathError, match=f"^{message}"):
        call()
