"""Limit cycles against long integrations, and areas against closed forms and symmetries."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad, solve_ivp

from qbrain.reference.hodgkin_huxley import hysteresis, rates
from qbrain.reference.hodgkin_huxley.channel_drives import (
    ClassicalDrive,
    CoherentDrive,
    ConstantDrive,
    EntangledDrive,
    PeriodicDrive,
)
from qbrain.reference.hodgkin_huxley.hysteresis import limit_cycle
from qbrain.reference.hodgkin_huxley.quantized_channel import (
    Channel,
    ChannelError,
    gate_rate,
    printed_voltage,
    simulate_channel,
    simulate_channel_dynamic,
    steady_voltage,
)

# V_K = 0, so that a resting channel conducts and twelve periods forget the start.
CHANNEL = Channel(capacitance=1.0, z_min=1 / 36, reversal=0.0)
DRIVES: dict[str, PeriodicDrive] = {
    "classical": ClassicalDrive(20.0, 0.2),
    "coherent": CoherentDrive(1.0, 0.3, 0.5, 1e-4),
    "multiplied": EntangledDrive(1.0, 0.7, 0.3, 0.5, 1e-4, normalised=False),
    "differentiated": EntangledDrive(
        1.0, 0.7, 0.3, 0.5, 1e-4, normalised=False, differentiated=True
    ),
}


def by_force(drive: PeriodicDrive, dynamic: bool, printed: bool) -> tuple[np.ndarray, np.ndarray]:
    """V and n over one period, after many, from 512 samples of a tight integration."""
    periods = 12
    times = drive.period * (periods + np.arange(512) / 512)
    if dynamic:
        run = simulate_channel_dynamic(CHANNEL, drive, 0.4, times, tolerance=1e-11)
    else:
        run = simulate_channel(CHANNEL, drive, 0.4, times, printed=printed, tolerance=1e-11)
    return run.voltage.values, run.n.values


# --- against brute force ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(DRIVES))
@pytest.mark.parametrize("dynamic", [False, True])
def test_cycle_against_many_periods(kind: str, dynamic: bool) -> None:
    drive = DRIVES[kind]
    loop = limit_cycle(CHANNEL, drive, tolerance=1e-8, dynamic=dynamic)
    v, n = by_force(drive, dynamic, False)
    t = drive.period * np.arange(512) / 512
    area = abs(np.mean(v * drive.harmonics().slope(t))) * drive.period
    assert loop.area_error <= 1e-8
    assert loop.area == pytest.approx(area, rel=1e-7)
    every = 512 // len(loop.times)
    assert np.abs(loop.n - n[::every]).max() < 1e-8
    assert np.abs(loop.voltage - v[::every]).max() < 1e-5


@pytest.mark.parametrize("kind", ["classical", "coherent", "multiplied"])
def test_printed_cycle_against_many_periods(kind: str) -> None:
    drive = DRIVES[kind]
    loop = limit_cycle(CHANNEL, drive, tolerance=1e-8, printed=True)
    v, _ = by_force(drive, False, True)
    played = drive.current if isinstance(drive, ClassicalDrive) else drive.printed_current
    # ∮ V dI = −∮ I dV, with V's derivative from its Fourier series.
    orders = np.fft.rfftfreq(512, 1 / 512)
    slope = np.fft.irfft(1j * orders * np.fft.rfft(v), 512)
    t = drive.period * np.arange(512) / 512
    area = abs(2 * math.pi * np.mean(played(t) * slope))
    assert loop.area == pytest.approx(area, rel=1e-7)
    assert np.abs(loop.current - played(loop.times)).max() < 1e-9
    v_printed = printed_voltage(CHANNEL, drive, loop.impedance, loop.times)
    assert np.abs(loop.voltage - v_printed).max() < 1e-9


def test_slow_drives_are_integrated_and_agree() -> None:
    """The fallback, forced on a drive that Newton's method does well."""
    drive = DRIVES["multiplied"]
    fine = limit_cycle(CHANNEL, drive, tolerance=1e-8)
    most = hysteresis._MOST_POINTS
    try:
        hysteresis._MOST_POINTS = {1: 0, 2: 0}
        slow = limit_cycle(CHANNEL, drive, tolerance=1e-5)
        dynamic = limit_cycle(CHANNEL, drive, tolerance=1e-5, dynamic=True)
    finally:
        hysteresis._MOST_POINTS = most
    assert slow.area == pytest.approx(fine.area, rel=1e-5)
    spectral = limit_cycle(CHANNEL, drive, tolerance=1e-8, dynamic=True)
    assert dynamic.area == pytest.approx(spectral.area, rel=1e-5)


def test_a_drive_too_slow_for_equispaced_points() -> None:
    """n falls to nothing and jumps back: corners that Newton's method leaves to integration."""
    channel = Channel(capacitance=1.0, z_min=1 / 36, reversal=-12.0)
    drive = EntangledDrive(1.0, 0.7, 0.05, 1.0, 2.5e-6, normalised=False)
    loop = limit_cycle(channel, drive)
    assert len(loop.times) > 512
    assert loop.area_error <= 1e-6
    times = drive.period * (1 + np.arange(3000) / 3000)
    v = simulate_channel(channel, drive, 0.4, times).voltage.values
    area = abs(np.mean(v * drive.harmonics().slope(times))) * drive.period
    assert loop.area == pytest.approx(area, rel=1e-6)


# --- exact answers ----------------------------------------------------------------------------


@pytest.mark.parametrize("dynamic", [False, True])
def test_a_fast_drive_sees_a_fixed_impedance(dynamic: bool) -> None:
    """Ω → ∞: n stands still, the loop is an ellipse of area π A² CΩZ²/(1 + C²Ω²Z²), and n is
    where its rate vanishes on average.
    """
    drive = CoherentDrive(1.0, 400.0, 0.5, 1e5)
    loop = limit_cycle(CHANNEL, drive, tolerance=1e-9, dynamic=dynamic)
    n = float(np.mean(loop.n))
    z, y = 1 / 36 / n**4, 1.5 * 400.0 / 36 / n**4
    ellipse = math.pi * drive.amplitude**2 * z * y / (1 + y * y)
    assert np.ptp(loop.n) < 1e-3
    assert loop.area == pytest.approx(ellipse, rel=1e-5)
    swing = drive.amplitude * z / math.sqrt(1 + y * y)

    def pull(x: float) -> float:
        alpha, beta = rates("n", swing * math.sin(x))
        return float(alpha * (1 - n) - beta * n)

    assert quad(pull, 0, 2 * math.pi)[0] == pytest.approx(0.0, abs=1e-5)


def test_a_very_slow_drive_leaves_next_to_no_loop() -> None:
    """Ω → 0: n follows V, the loop's width and its area go with Ω."""
    areas = [limit_cycle(CHANNEL, ClassicalDrive(60.0, omega)).area for omega in (4e-4, 2e-4)]
    assert areas[0] / areas[1] == pytest.approx(2.0, rel=1e-3)


def test_quasi_static_and_dynamic_agree_where_the_gate_is_slow() -> None:
    """Both are exact in the limit; the difference falls as 1/Ω² with the gate's motion."""
    differences = []
    for frequency in (2.0, 8.0):
        drive = ClassicalDrive(20.0, frequency)
        areas = [limit_cycle(CHANNEL, drive, dynamic=both).area for both in (False, True)]
        differences.append(abs(areas[1] / areas[0] - 1))
    assert differences[0] < 0.1
    assert differences[1] < differences[0] / 8


def test_multiplier_is_the_decay_of_a_deviation() -> None:
    drive = DRIVES["coherent"]
    loop = limit_cycle(CHANNEL, drive, tolerance=1e-9)
    shift = 1e-4
    ends = [
        float(
            simulate_channel(
                CHANNEL, drive, loop.n[0] + side * shift, [drive.period], tolerance=1e-11
            ).n[-1]
        )
        for side in (-1, 1)
    ]
    assert (ends[1] - ends[0]) / (2 * shift) == pytest.approx(loop.multiplier, rel=1e-4)
    assert 0.0 < loop.multiplier < 1.0
    assert math.isnan(limit_cycle(CHANNEL, drive, dynamic=True).multiplier)


@settings(deadline=None, max_examples=15)
@given(
    theta=st.floats(0.0, math.pi / 2),
    alpha0=st.floats(0.2, 2.0),
    frequency=st.floats(0.2, 5.0),
)
def test_normalised_area_does_not_depend_on_the_entanglement(
    theta: float, alpha0: float, frequency: float
) -> None:
    # C_s such that A = 8α₀ µA/cm² at every frequency.
    source = (0.5 * frequency**2 / 8) ** 2 / (2 * frequency)
    coherent = limit_cycle(CHANNEL, CoherentDrive(alpha0, frequency, 0.5, source))
    entangled = limit_cycle(CHANNEL, EntangledDrive(alpha0, theta, frequency, 0.5, source))
    assert entangled.area == pytest.approx(coherent.area, rel=1e-6)


def test_unnormalised_area_grows_with_the_overlap() -> None:
    angles = [0.0, 0.2, 0.5, math.pi / 4]
    areas = [
        limit_cycle(CHANNEL, EntangledDrive(1.0, theta, 0.3, 0.5, 1e-4, normalised=False)).area
        for theta in angles
    ]
    assert np.all(np.diff(areas) > 0)
    mirrored = EntangledDrive(1.0, math.pi / 2 - 0.2, 0.3, 0.5, 1e-4, normalised=False)
    assert limit_cycle(CHANNEL, mirrored).area == pytest.approx(areas[1], rel=1e-9)


@settings(deadline=None, max_examples=15)
@given(
    amplitude=st.floats(1.0, 60.0),
    frequency=st.floats(0.1, 5.0),
    dynamic=st.booleans(),
)
def test_a_cycle_closes_and_obeys_its_equations(
    amplitude: float, frequency: float, dynamic: bool
) -> None:
    drive = ClassicalDrive(amplitude, frequency)
    loop = limit_cycle(CHANNEL, drive, dynamic=dynamic)
    assert np.all((loop.n > 0) & (loop.n < 1))
    assert np.abs(loop.conductance - 36 * loop.n**4).max() < 1e-12 * 36
    # ∮ dn = 0 and ∮ n dn = 0, of the rate itself.
    rate = gate_rate(loop.n, loop.voltage)
    assert abs(np.mean(rate)) < 1e-6
    assert abs(np.mean(rate * loop.n)) < 1e-6
    if dynamic:
        # ∮ C dV = 0: what flows in flows out.
        through = np.mean(drive.current(loop.times) - loop.voltage * loop.conductance)
        assert abs(through) < 1e-5 * amplitude
    else:
        v = steady_voltage(CHANNEL, drive, loop.impedance, loop.times)
        assert np.abs(v - loop.voltage).max() < 1e-9


def test_no_current_no_loop() -> None:
    loop = limit_cycle(CHANNEL, CoherentDrive(0.0, 0.5, 0.5, 1.0))
    assert loop.area == 0.0
    alpha, beta = rates("n", 0.0)
    assert loop.n == pytest.approx(float(alpha / (alpha + beta)), abs=1e-12)


def test_areas_scale_with_current_over_impedance() -> None:
    """Z → Z/λ, C → λC, I → λI leaves V as it is and multiplies the area by λ."""
    narrow = limit_cycle(CHANNEL, ClassicalDrive(20.0, 0.4), tolerance=1e-8)
    wide = limit_cycle(Channel(3.0, 1 / 108, 0.0), ClassicalDrive(60.0, 0.4), tolerance=1e-8)
    assert wide.area == pytest.approx(3 * narrow.area, rel=1e-8)


# --- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"tolerance": 0.0}, "tolerance: wanted a number from 1e-10 to 0.1, got 0"),
        (
            {"printed": True, "dynamic": True},
            "printed: wanted False for the dynamic circuit, got True",
        ),
        ({"drive": ConstantDrive(1.0)}, "drive: wanted a periodic one, got ConstantDrive"),
        (
            {"channel": Channel(capacitance=0.0), "dynamic": True},
            "capacitance: wanted > 0, got 0",
        ),
    ],
)
def test_bad_input(arguments: dict[str, object], line: str) -> None:
    merged = {"channel": CHANNEL, "drive": ClassicalDrive(5.0, 0.5), **arguments}
    with pytest.raises(ChannelError) as caught:
        limit_cycle(merged.pop("channel"), merged.pop("drive"), **merged)
    assert str(caught.value) == line


def test_a_drive_that_shuts_the_gate_is_one_line() -> None:
    with pytest.raises(ChannelError, match="drive: wanted one that keeps n above 1e-08, got"):
        limit_cycle(CHANNEL, CoherentDrive(1.0, 0.01, 1.0, 1e-9))


def test_ordinary_cycles_are_solved_by_newton() -> None:
    """Not by the fallback: the points are those of the collocation."""
    for drive in DRIVES.values():
        for dynamic in (False, True):
            assert len(limit_cycle(CHANNEL, drive, dynamic=dynamic).times) <= 256


def test_brute_force_without_any_of_the_code() -> None:
    """One cycle with everything written out here."""
    current, omega, c, z_min = 20.0, 0.4, 1.0, 1 / 36

    def voltage(n: float, t: float) -> float:
        z = z_min / n**4
        y = 2 * c * omega * z
        wave = (math.cos(2 * omega * t) + y * math.sin(2 * omega * t)) / (1 + y * y)
        return 0.5 * current * z * (1 - wave)

    def slope(t: float, y: np.ndarray) -> list[float]:
        n = float(y[0])
        v = voltage(n, t)
        alpha = 0.01 * (10 - v) / math.expm1((10 - v) / 10)
        area = v * current * omega * math.sin(2 * omega * t)
        return [alpha * (1 - n) - 0.125 * math.exp(-v / 80) * n, area]

    period = math.pi / omega
    settled = solve_ivp(slope, (0, 20 * period), [0.3, 0.0], rtol=1e-10, atol=1e-10).y[0, -1]
    once = solve_ivp(slope, (0, period), [settled, 0.0], "DOP853", rtol=1e-12, atol=1e-12)
    loop = limit_cycle(CHANNEL, ClassicalDrive(current, omega), tolerance=1e-9)
    assert loop.n[0] == pytest.approx(settled, abs=1e-8)
    assert loop.area == pytest.approx(abs(once.y[1, -1]), rel=1e-7)
