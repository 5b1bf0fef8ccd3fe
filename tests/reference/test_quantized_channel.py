"""Closed forms of the channel's voltage against its circuit equation, and its trajectories."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from qbrain.reference.hodgkin_huxley import Membrane, simulate_potassium, steady_gate
from qbrain.reference.hodgkin_huxley.channel_drives import (
    ClassicalDrive,
    CoherentDrive,
    ConstantDrive,
    Drive,
    EntangledDrive,
)
from qbrain.reference.hodgkin_huxley.quantized_channel import (
    Channel,
    ChannelError,
    gate_rate,
    impedance,
    impedance_rate,
    printed_voltage,
    simulate_channel,
    simulate_channel_dynamic,
    steady_voltage,
)

CHANNEL = Channel(capacitance=0.8, z_min=0.5, reversal=-12.0)
PERIODIC = {
    "classical": ClassicalDrive(9.0, 0.7),
    "coherent": CoherentDrive(1.4, 0.7, 1.1, 0.05),
    "entangled": EntangledDrive(1.4, 0.5, 0.7, 1.1, 0.05),
    "multiplied": EntangledDrive(1.4, 0.5, 0.7, 1.1, 0.05, normalised=False),
    "differentiated": EntangledDrive(
        1.4, 0.5, 0.7, 1.1, 0.05, normalised=False, differentiated=True
    ),
}
DRIVES: dict[str, Drive] = {"constant": ConstantDrive(9.0), **PERIODIC}


TIMES = np.linspace(0.0, 9.0, 61)


@cache
def settled(drive: Drive, z: float, printed_current: bool = False) -> np.ndarray:
    """C dV/dt = I − (V − V_K)/Z by another solver, from V = V_K until V(0) is forgotten."""
    capacitance = 0.8 + drive.gate_capacitance
    played = drive.printed_current if printed_current else drive.current
    early = 26.0 * capacitance * z
    if not isinstance(drive, ConstantDrive):
        early = math.ceil(early / drive.period) * drive.period
    run = solve_ivp(
        lambda time, v: (played(time) - (v + 12.0) / z) / capacitance,
        (-early, 9.0),
        [-12.0],
        method="DOP853",
        t_eval=TIMES,
        rtol=1e-11,
        atol=1e-11,
        max_step=0.3,
    )
    return run.y[0]


# --- closed forms at frozen Z -----------------------------------------------------------------


@pytest.mark.parametrize("kind", list(DRIVES))
@pytest.mark.parametrize("z", [0.4, 1.5])
def test_steady_voltage_solves_the_circuit(kind: str, z: float) -> None:
    drive = DRIVES[kind]
    exact = settled(drive, z)
    assert np.abs(steady_voltage(CHANNEL, drive, z, TIMES) - exact).max() < 1e-8


@pytest.mark.parametrize("kind", list(PERIODIC))
@pytest.mark.parametrize("z", [0.4, 1.5])
def test_printed_voltages_fail_the_same_test(kind: str, z: float) -> None:
    """Eqs. 17, 22 and 25 as printed solve the circuit neither for the source's current nor, 22
    and 25, for the current printed with them (Eqs. 21 and 23).
    """
    drive = PERIODIC[kind]
    printed = printed_voltage(CHANNEL, drive, z, TIMES)
    assert np.abs(printed - settled(drive, z)).max() > 0.5
    if not isinstance(drive, ClassicalDrive):
        assert np.abs(printed - settled(drive, z, printed_current=True)).max() > 0.5


def test_printed_and_right_formulas_longhand() -> None:
    z, t = 1.7, np.linspace(0.0, 9.0, 61)
    x = 0.7 * t
    # Eq. 17: I₀ sin² Ωt.
    y = 2 * 0.8 * 0.7 * z
    for sign, formula in ((1, steady_voltage), (-1, printed_voltage)):
        wave = (np.cos(2 * x) + sign * y * np.sin(2 * x)) / (1 + y * y)
        exact = -12.0 + 0.5 * 9.0 * z * (1 - wave)
        assert np.abs(formula(CHANNEL, PERIODIC["classical"], z, t) - exact).max() < 1e-12
    # Eq. 22: A sin Ωt, C = C_c + C_g.
    y = (0.8 + 1.1) * 0.7 * z
    amplitude = 1.4 * 1.1 * 0.7**2 / math.sqrt(2 * 0.7 * 0.05)
    right = -12.0 + amplitude * z * (np.sin(x) - y * np.cos(x)) / (1 + y * y)
    printed = -12.0 - 0.5 * amplitude * z * (np.sin(x) + y * np.cos(x)) / (1 + y * y)
    assert np.abs(steady_voltage(CHANNEL, PERIODIC["coherent"], z, t) - right).max() < 1e-12
    assert np.abs(printed_voltage(CHANNEL, PERIODIC["coherent"], z, t) - printed).max() < 1e-12


def test_equation_25_longhand() -> None:
    a, s, z, t = 1.4, math.sin(1.0), 1.7, np.linspace(0.0, 9.0, 61)
    x, y = 0.7 * t, 1.9 * 0.7 * z

    def term(k: int) -> np.ndarray:
        return (np.sin(k * x) + k * y * np.cos(k * x)) / (1 + (k * y) ** 2)

    outer = a * 1.1 * 0.7**2 * z / (24576 * math.sqrt(2 * 0.05 * 0.7))
    first = 6144 + (6144 - 3204 * a**2 + 960 * a**4 - 280 * a**6 + 63 * a**8) * s
    rest = (
        108 * (128 - 80 * a**2 + 28 * a**4 - 7 * a**6) * term(3)
        + 100 * a**2 * (48 - 28 * a**2 + 9 * a**4) * term(5)
        + 49 * a**4 * (16 - 9 * a**2) * term(7)
        + 81 * a**6 * term(9)
    )
    printed = -(12.0 + outer * (2 * first * term(1) + s * a**2 * rest))
    drive = PERIODIC["multiplied"]
    assert np.abs(printed_voltage(CHANNEL, drive, z, t) - printed).max() < 1e-11


def test_normalised_drive_gives_the_coherent_voltage_for_every_angle() -> None:
    t = np.linspace(0.0, 9.0, 31)
    coherent = steady_voltage(CHANNEL, PERIODIC["coherent"], 2.0, t)
    for theta in (0.0, 0.3, math.pi / 4, 1.0, math.pi / 2):
        drive = EntangledDrive(1.4, theta, 0.7, 1.1, 0.05)
        assert np.array_equal(steady_voltage(CHANNEL, drive, 2.0, t), coherent)


@pytest.mark.parametrize("kind", list(DRIVES))
def test_impedances_and_times_broadcast(kind: str) -> None:
    z, t = np.array([[0.5], [2.0], [7.0]]), np.linspace(0.0, 5.0, 4)
    table = steady_voltage(CHANNEL, DRIVES[kind], z, t)
    assert table.shape == (3, 4)
    single = [[float(steady_voltage(CHANNEL, DRIVES[kind], a, b)) for b in t] for a in z[:, 0]]
    assert np.abs(table - single).max() < 1e-12


# --- the gate and the impedance ------------------------------------------------------------------


@settings(deadline=None, max_examples=50)
@given(n=st.floats(0.01, 1.0), voltage=st.floats(-100.0, 150.0))
def test_equation_18_is_the_gates_equation(n: float, voltage: float) -> None:
    z = impedance(CHANNEL, n)
    assert float(z) == pytest.approx(0.5 / n**4, rel=1e-13)
    by_chain = -4.0 * 0.5 * n**-5 * float(gate_rate(n, voltage))
    rate = float(impedance_rate(CHANNEL, z, voltage))
    scale = 0.5 * n**-5
    assert rate == pytest.approx(by_chain, rel=1e-9, abs=1e-9 * scale)


def test_gate_rests_where_it_settles() -> None:
    v = np.linspace(-60.0, 90.0, 11)
    assert np.abs(gate_rate(steady_gate("n", v), v)).max() < 1e-16


# --- trajectories ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["classical", "multiplied"])
@pytest.mark.parametrize("printed", [False, True])
def test_trajectory_against_equation_18(kind: str, printed: bool) -> None:
    """Z integrated in its own right, by another solver."""
    drive, times = DRIVES[kind], np.linspace(0.0, 20.0, 21)
    run = simulate_channel(CHANNEL, drive, 0.35, times, printed=printed)
    formula = printed_voltage if printed else steady_voltage
    known = solve_ivp(
        lambda t, z: impedance_rate(CHANNEL, z, formula(CHANNEL, drive, z, t)),
        (0.0, 20.0),
        [0.5 * 0.35**-4],
        "LSODA",
        times,
        rtol=1e-9,
        atol=1e-9,
    )
    assert np.abs(run.impedance / known.y[0] - 1).max() < 1e-6
    assert np.abs(run.voltage - formula(CHANNEL, drive, run.impedance, times)).max() < 1e-12
    assert np.abs(run.conductance * run.impedance - 1).max() < 1e-15
    assert np.array_equal(run.current, drive.current(times))


def test_dynamic_channel_is_the_classical_potassium_channel() -> None:
    """Eq. 16 with V_g = −dΦ₀/dt is Eq. 5: the quantized circuit's mean is the classical one."""
    channel = Channel(capacitance=1.0, z_min=1 / 36, reversal=-12.0)
    drive, times = ClassicalDrive(30.0, 0.5), np.linspace(0.0, 30.0, 61)
    rest = float(steady_gate("n", 0.0))
    quantized = simulate_channel_dynamic(channel, drive, rest, times)
    classical = simulate_potassium(Membrane(), lambda t: 30 * math.sin(0.5 * t) ** 2, times)
    assert np.abs(quantized.voltage - classical.voltage).max() < 1e-6
    assert np.abs(quantized.n - classical.n).max() < 1e-8


def test_constant_current_settles_at_the_same_place_both_ways() -> None:
    channel, drive = Channel(), ConstantDrive(15.0)
    slow = simulate_channel(channel, drive, 0.5, [0.0, 150.0])
    fast = simulate_channel_dynamic(channel, drive, 0.5, [0.0, 150.0])
    assert float(slow.voltage[0]) == pytest.approx(-12 + 15 / 36 / 0.5**4, rel=1e-12)
    assert float(fast.voltage[0]) == 0.0
    assert float(slow.voltage[1]) == pytest.approx(float(fast.voltage[1]), abs=1e-7)
    assert float(slow.n[1]) == pytest.approx(float(steady_gate("n", slow.voltage[1])), abs=1e-8)


@settings(deadline=None, max_examples=10)
@given(n0=st.floats(0.05, 1.0), amplitude=st.floats(0.0, 60.0), frequency=st.floats(0.1, 3.0))
def test_gate_stays_a_probability(n0: float, amplitude: float, frequency: float) -> None:
    drive = ClassicalDrive(amplitude, frequency)
    run = simulate_channel(Channel(), drive, n0, np.linspace(0.0, 20.0, 41), tolerance=1e-7)
    assert float(run.n.min()) > 0.0
    assert float(run.n.max()) <= 1.0
    # I >= 0 and 1 >= the cosine's factor: never below the reversal.
    assert float(run.voltage.min()) >= -12.0 - 1e-9


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda: Channel(capacitance=-1.0), "capacitance: wanted >= 0, got -1"),
        (lambda: Channel(z_min=0.0), "z_min: wanted > 0, got 0"),
        (lambda: Channel(reversal=math.inf), "reversal: wanted a finite number, got inf"),
        (
            lambda: steady_voltage(CHANNEL, DRIVES["constant"], [1.0, -2.0], 0.0),
            "z: wanted > 0, got -2",
        ),
        (
            lambda: printed_voltage(CHANNEL, DRIVES["classical"], math.nan, 0.0),
            "z: wanted > 0, got nan",
        ),
        (lambda: impedance_rate(CHANNEL, 0.0, 0.0), "z: wanted > 0, got 0"),
        (lambda: impedance(CHANNEL, 0.0), "n: wanted numbers above 0 and up to 1, got 0"),
        (
            lambda: simulate_channel(CHANNEL, DRIVES["constant"], 1.5, [1.0]),
            "initial_n: wanted a number from 0 to 1, got 1.5",
        ),
        (
            lambda: simulate_channel(CHANNEL, DRIVES["constant"], 0.0, [1.0]),
            "initial_n: wanted > 0, where the impedance is finite, got 0",
        ),
        (
            lambda: simulate_channel_dynamic(
                CHANNEL, DRIVES["constant"], 0.5, [1.0], initial_voltage=math.nan
            ),
            "initial_voltage: wanted a finite number, got nan",
        ),
        (
            lambda: simulate_channel_dynamic(
                Channel(capacitance=0.0), DRIVES["classical"], 0.5, [1.0]
            ),
            "capacitance: wanted > 0, got 0",
        ),
        (
            lambda: simulate_channel(CHANNEL, DRIVES["classical"], 0.5, [1.0, -1.0]),
            "times: wanted finite numbers >= 0 in increasing order",
        ),
        (
            lambda: simulate_channel(CHANNEL, DRIVES["classical"], 0.5, [1.0], tolerance=0.5),
            "tolerance: wanted a number from 1e-13 to 0.001, got 0.5",
        ),
    ],
)
def test_bad_input(make: object, line: str) -> None:
    with pytest.raises(ChannelError) as caught:
        make()  # type: ignore[operator]
    assert str(caught.value) == line


def test_a_gate_that_shuts_for_good_is_one_line() -> None:
    """A steady inward sink: V falls as Z grows, and Z grows as V falls."""
    with pytest.raises(ChannelError, match="drive: wanted one that keeps n above 1e-08, got"):
        simulate_channel(Channel(), ConstantDrive(-5.0), 0.3, [0.0, 500.0])
