"""Currents of the channel's sources, against operators in a truncated Fock space."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qbrain.reference.hodgkin_huxley.channel_drives import (
    ClassicalDrive,
    CoherentDrive,
    ConstantDrive,
    DriveError,
    EntangledDrive,
    Harmonics,
    entanglement_entropy,
    norm_squared,
)

LEVELS = 40
ANGLES = st.floats(0.0, math.pi / 2)
AMPLITUDES = st.floats(0.0, 4.0)


def coherent(alpha: float) -> np.ndarray:
    k = np.arange(LEVELS)
    factorial = np.cumprod(np.maximum(k, 1.0))
    return np.exp(-(alpha**2) / 2) * alpha**k / np.sqrt(factorial)


def two_modes(theta: float, alpha: float) -> np.ndarray:
    """cos θ|α, 0⟩ + sin θ|0, α⟩ as a matrix, mode one down and mode two across; not normalised."""
    filled, vacuum = coherent(alpha), coherent(0.0)
    return math.cos(theta) * np.outer(filled, vacuum) + math.sin(theta) * np.outer(vacuum, filled)


def flux(theta: float, alpha: float) -> float:
    """⟨s|½(a₁ + a₁† + a₂ + a₂†)|s⟩."""
    position = np.diag(np.sqrt(np.arange(1.0, LEVELS)), 1)
    position = position + position.T
    state = two_modes(theta, alpha)
    return 0.5 * float(np.sum(state * (position @ state)) + np.sum(state * (state @ position)))


def second_derivative(values: np.ndarray) -> np.ndarray:
    """Of equispaced values over one period of 2π."""
    orders = np.fft.rfftfreq(len(values), 1 / len(values))
    return np.fft.irfft(-(orders**2) * np.fft.rfft(values), len(values))


# --- the currents from the sources' operators -------------------------------------------------


@pytest.mark.parametrize("theta", [0.0, 0.4, math.pi / 4, 1.3])
@pytest.mark.parametrize("alpha0", [0.5, 1.0, 2.0])
def test_currents_follow_from_the_flux_operator(theta: float, alpha0: float) -> None:
    omega, gate, source = 0.7, 1.3, 0.4
    x = 2 * np.pi * np.arange(96) / 96
    t = x / omega
    zero_point = math.sqrt(1 / (2 * omega * source))
    raw = zero_point * np.array([flux(theta, alpha0 * math.sin(point)) for point in x])
    norm = np.array([np.sum(two_modes(theta, alpha0 * math.sin(point)) ** 2) for point in x])
    common = (alpha0, theta, omega, gate, source)
    scale = alpha0 * gate * omega**2 * zero_point

    normalised = EntangledDrive(*common).current(t)
    assert np.abs(normalised + gate * omega**2 * second_derivative(raw / norm)).max() < 1e-9
    assert np.abs(normalised - CoherentDrive(alpha0, omega, gate, source).current(t)).max() < 1e-12
    assert np.abs(normalised - scale * np.sin(x)).max() < 1e-12

    multiplied = EntangledDrive(*common, normalised=False).current(t)
    assert np.abs(multiplied - normalised * norm).max() < 1e-12
    differentiated = EntangledDrive(*common, normalised=False, differentiated=True).current(t)
    assert np.abs(differentiated + gate * omega**2 * second_derivative(raw)).max() < 1e-9
    assert np.abs(norm - norm_squared(theta, alpha0 * np.sin(x))).max() < 1e-12


def test_multiplying_the_current_is_not_differentiating_the_flux() -> None:
    common = (1.0, math.pi / 4, 1.0, 1.0, 0.5)
    t = np.linspace(0.0, 3.0, 61)
    multiplied = EntangledDrive(*common, normalised=False).current(t)
    differentiated = EntangledDrive(*common, normalised=False, differentiated=True).current(t)
    assert np.abs(multiplied - differentiated).max() > 0.9


@settings(deadline=None, max_examples=60)
@given(
    theta=ANGLES,
    alpha0=st.floats(0.0, 8.0),
    differentiated=st.booleans(),
)
def test_series_sum_to_the_current(theta: float, alpha0: float, differentiated: bool) -> None:
    drive = EntangledDrive(alpha0, theta, 0.9, 1.3, 0.4, False, differentiated)
    series, t = drive.harmonics(1e-13), np.linspace(-1.0, 8.0, 83)
    # a subnormal amplitude has no digits to agree in
    assert np.abs(series(t) - drive.current(t)).max() <= 2e-11 * drive.amplitude + 1e-300
    printed = drive.printed_harmonics(1e-13)
    assert np.abs(printed(t) - drive.printed_current(t)).max() <= 2e-11 * drive.amplitude


@settings(deadline=None, max_examples=30)
@given(amplitude=st.floats(-50.0, 50.0), frequency=st.floats(0.01, 10.0))
def test_classical_drive(amplitude: float, frequency: float) -> None:
    drive = ClassicalDrive(amplitude, frequency)
    t = np.linspace(0.0, 3 * drive.period, 41)
    exact = amplitude * np.sin(frequency * t) ** 2
    assert np.abs(drive.current(t) - exact).max() < 1e-12
    assert np.abs(drive.harmonics()(t) - exact).max() < 1e-12
    assert np.abs(drive.current(t + drive.period) - exact).max() < 1e-11
    slope = amplitude * frequency * np.sin(2 * frequency * t)
    assert np.abs(drive.harmonics().slope(t) - slope).max() < 1e-11


def test_constant_drive() -> None:
    drive = ConstantDrive(2.5)
    t = np.linspace(0.0, 3.0, 7).reshape(7, 1)
    assert np.array_equal(drive.current(t), np.full((7, 1), 2.5))
    assert np.array_equal(drive.harmonics()(t), drive.current(t))
    assert np.array_equal(drive.harmonics().slope(t), np.zeros((7, 1)))
    assert not hasattr(drive, "period")


def test_periods() -> None:
    assert ClassicalDrive(1.0, 0.5).period == pytest.approx(2 * math.pi, rel=1e-15)
    assert CoherentDrive(1.0, 0.5, 1.0, 1.0).period == pytest.approx(4 * math.pi, rel=1e-15)
    assert EntangledDrive(1.0, 0.1, 0.5, 1.0, 1.0).period == pytest.approx(4 * math.pi, rel=1e-15)


# --- entanglement -----------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(theta=ANGLES, alpha=AMPLITUDES)
def test_entropy_against_the_reduced_state(theta: float, alpha: float) -> None:
    state = two_modes(theta, alpha)
    weights = np.linalg.svd(state / np.linalg.norm(state), compute_uv=False) ** 2
    weights = weights[weights > 1e-300]
    exact = -float(np.sum(weights * np.log(weights)))
    assert float(entanglement_entropy(theta, alpha)) == pytest.approx(exact, abs=1e-10)


def test_known_entropies() -> None:
    # To the digits of an independent evaluation of the normalised state.
    known = entanglement_entropy(math.pi / 4, [1.0, 1.5, 2.0])
    assert known == pytest.approx([0.217, 0.509, 0.657], abs=5e-4)
    assert np.array_equal(entanglement_entropy(0.7, 0.0), 0.0)
    assert float(entanglement_entropy(math.pi / 4, 8.0)) == pytest.approx(math.log(2), abs=1e-12)
    assert np.array_equal(entanglement_entropy(0.0, [0.5, 3.0]), [0.0, 0.0])


def test_entropy_follows_the_state_in_time() -> None:
    drive = EntangledDrive(1.5, 0.6, 0.9, 1.0, 1.0)
    t = np.linspace(0.0, 2.0, 9)
    assert np.array_equal(drive.entropy(t), entanglement_entropy(0.6, 1.5 * np.sin(0.9 * t)))


# --- what the paper prints ----------------------------------------------------------------------


def test_printed_coherent_current_is_half() -> None:
    drive = CoherentDrive(1.2, 0.9, 1.3, 0.4)
    t = np.linspace(0.0, 7.0, 15)
    assert np.array_equal(drive.printed_current(t), 0.5 * drive.current(t))
    assert np.abs(drive.printed_harmonics()(t) - drive.printed_current(t)).max() < 1e-15


@pytest.mark.parametrize("alpha0", [0.3, 1.0, 2.0])
def test_equation_25_is_the_second_derivative_of_a_series(alpha0: float) -> None:
    """Its coefficients, with 2304 for 3204, differentiate twice half the series of e^(−u):
    neither the overlap e^(−u) nor Eq. 23's e^(−u/2), and Eq. 24 has three of the signs wrong.
    """
    theta, omega = 0.6, 1.0
    drive = EntangledDrive(alpha0, theta, omega, 1.0, 0.5)
    assert drive.amplitude == pytest.approx(alpha0, rel=1e-15)
    x = 2 * np.pi * np.arange(64) / 64
    u = (alpha0 * np.sin(x)) ** 2
    s = math.sin(2 * theta)
    series = 1 - u / 2 + u**2 / 4 - u**3 / 12 + u**4 / 48
    half = 0.5 * alpha0 * np.sin(x) * (1 + s * series)
    # The misprint: 2(3204 − 2304)α₀²/24576 too little in sin x.
    misprint = -alpha0 * s * 2 * 900 * alpha0**2 / 24576 * np.sin(x)
    printed = drive.printed_voltage_harmonics()(x)
    assert np.abs(printed + second_derivative(half) - misprint).max() < 1e-11
    wrong = 1 - u / 2 - u**2 / 4 + u**3 / 12 - u**4 / 48
    by_24 = 0.5 * alpha0 * np.sin(x) * (1 + s * wrong)
    assert np.abs(drive.printed_series(x) - by_24).max() < 1e-12


def test_the_printed_series_diverges_from_its_function() -> None:
    t = np.linspace(0.0, 2 * math.pi, 201)
    errors = []
    for alpha0 in (0.3, 1.0, 2.0):
        drive = EntangledDrive(alpha0, math.pi / 4, 1.0, 1.0, 0.5)
        difference = drive.printed_series(t) - drive.printed_current(t)
        errors.append(np.abs(difference).max() / np.abs(drive.printed_current(t)).max())
    assert errors[0] < 0.01
    assert errors[1] > 0.15
    assert errors[2] > 4.0


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda: ConstantDrive(math.nan), "amplitude: wanted a finite number, got nan"),
        (lambda: ClassicalDrive(1.0, 0.0), "frequency: wanted > 0, got 0"),
        (lambda: CoherentDrive(-1.0, 1.0, 1.0, 1.0), "alpha0: wanted >= 0, got -1"),
        (lambda: CoherentDrive(1.0, 1.0, -2.0, 1.0), "gate_capacitance: wanted > 0, got -2"),
        (lambda: CoherentDrive(1.0, 1.0, 1.0, "1"), "source_capacitance: wanted > 0, got '1'"),
        (
            lambda: EntangledDrive(1.0, 2.0, 1.0, 1.0, 1.0),
            "theta: wanted a number from 0 to 1.5708, got 2",
        ),
        (
            lambda: EntangledDrive(1.0, 0.2, 1.0, 1.0, 1.0, differentiated=True),
            "differentiated: wanted False for the normalised state, got True",
        ),
        (
            lambda: entanglement_entropy(-0.1, 1.0),
            "theta: wanted a number from 0 to 1.5708, got -0.1",
        ),
        (
            lambda: EntangledDrive(1.0, 0.2, 1.0, 1.0, 1.0, False).harmonics(0.0),
            "tolerance: wanted > 0, got 0",
        ),
    ],
)
def test_bad_input(make: object, line: str) -> None:
    with pytest.raises(DriveError) as caught:
        make()  # type: ignore[operator]
    assert str(caught.value) == line


def test_harmonics_evaluate_any_shape() -> None:
    series = Harmonics(2.0, np.array([0, 3]), np.array([1.0, -2.0j]))
    t = np.linspace(0.0, 1.0, 6).reshape(2, 3)
    assert np.abs(series(t) - (1 + 2 * np.sin(6 * t))).max() < 1e-15
    assert np.abs(series.slope(t) - 12 * np.cos(6 * t)).max() < 1e-14
