"""The classical neuron: rates, known spikes, closed forms and an independent solver."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.interpolate import CubicSpline

from qbrain.reference.hodgkin_huxley import (
    Membrane,
    NeuronError,
    rates,
    simulate_neuron,
    simulate_potassium,
    spike_times,
    steady_gate,
)
from qbrain.reference.hodgkin_huxley.rates import rate_slopes

VOLTAGES = st.floats(-150.0, 200.0)

# The paper of 1952, its quotients as they stand (V turned round).
QUOTIENTS = {
    "n": (
        lambda v: 0.01 * (10 - v) / (math.exp((10 - v) / 10) - 1),
        lambda v: 0.125 * math.exp(-v / 80),
    ),
    "m": (
        lambda v: 0.1 * (25 - v) / (math.exp((25 - v) / 10) - 1),
        lambda v: 4 * math.exp(-v / 18),
    ),
    "h": (
        lambda v: 0.07 * math.exp(-v / 20),
        lambda v: 1 / (math.exp((30 - v) / 10) + 1),
    ),
}


# --- rates ----------------------------------------------------------------------------------


@pytest.mark.parametrize("gate", ["n", "m", "h"])
def test_rates_are_the_quotients_of_1952(gate: str) -> None:
    v = np.linspace(-120.5, 150.5, 97)
    for ours, quotient in zip(rates(gate, v), QUOTIENTS[gate], strict=True):
        exact = np.array([quotient(x) for x in v])
        assert np.abs(ours / exact - 1).max() < 1e-13


def test_rates_have_their_limits_where_the_quotients_have_none() -> None:
    assert float(rates("n", 10.0)[0]) == pytest.approx(0.1, abs=1e-16)
    assert float(rates("m", 25.0)[0]) == pytest.approx(1.0, abs=1e-15)
    near = np.array([-1e-3, -1e-9, 0.0, 1e-9, 1e-3])
    # B(x) = 1 − x/2 + …, x = (10 − V)/10.
    assert np.abs(rates("n", 10 + near)[0] - 0.1 * (1 + near / 20)).max() < 1e-10


def test_gates_at_rest() -> None:
    # To the digits commonly given for the squid axon at V = 0.
    for gate, value in (("n", 0.3177), ("m", 0.0529), ("h", 0.5961)):
        assert float(steady_gate(gate, 0.0)) == pytest.approx(value, abs=5e-5)


@settings(deadline=None)
@given(gate=st.sampled_from(["n", "m", "h"]), voltage=VOLTAGES)
def test_slopes_are_the_derivatives(gate: str, voltage: float) -> None:
    h = 0.01
    stencil = np.array([1.0, -8.0, 8.0, -1.0]) / (12 * h)
    at = voltage + h * np.array([-2.0, -1.0, 1.0, 2.0])
    for rate, slope in zip(rates(gate, at), rate_slopes(gate, voltage), strict=True):
        assert float(slope) == pytest.approx(float(stencil @ rate), rel=1e-7, abs=1e-10)


@settings(deadline=None)
@given(gate=st.sampled_from(["n", "m", "h"]), voltage=VOLTAGES)
def test_rates_are_positive_and_gates_settle_between_shut_and_open(
    gate: str, voltage: float
) -> None:
    alpha, beta = rates(gate, voltage)
    assert alpha > 0.0
    assert beta > 0.0
    assert 0.0 < steady_gate(gate, voltage) < 1.0


# --- the neuron -----------------------------------------------------------------------------


@pytest.mark.parametrize(("current", "spikes"), [(0.0, 0), (5.0, 1), (10.0, 14)])
def test_known_spike_counts(current: float, spikes: int) -> None:
    times = np.linspace(0.0, 200.0, 2001)
    run = simulate_neuron(Membrane(), current, times, tolerance=1e-8)
    at = spike_times(times, run.voltage)
    assert len(at) == spikes
    if spikes > 1:
        assert np.diff(at)[3:] == pytest.approx(14.64, abs=0.005)
    else:
        assert float(run.voltage[-1]) == pytest.approx(0.0003 if current == 0 else 3.3, abs=0.05)


def test_neuron_against_another_solver() -> None:
    membrane = Membrane(capacitance=1.3, V_L=10.0)
    times = np.linspace(0.0, 12.0, 121)

    def slope(t: float, y: np.ndarray) -> list[float]:
        v, n, m, h = y
        ionic = 36 * n**4 * (v + 12) + 120 * m**3 * h * (v - 115) + 0.3 * (v - 10)
        gates = [
            a(v) * (1 - x) - b(v) * x for (a, b), x in zip(QUOTIENTS.values(), y[1:], strict=True)
        ]
        return [(12 * math.sin(0.4 * t) ** 2 - ionic) / 1.3, *gates]

    start = (3.0, 0.4, 0.1, 0.5)
    known = solve_ivp(slope, (0, 12), start, "LSODA", times, rtol=1e-11, atol=1e-12)
    run = simulate_neuron(membrane, lambda t: 12 * math.sin(0.4 * t) ** 2, times, initial=start)
    for name, values in zip(("voltage", "n", "m", "h"), known.y, strict=True):
        assert np.abs(run[name] - values).max() < 1e-6 * max(1.0, np.abs(values).max())
    assert np.allclose(run.conductance_Na, 120 * run.m**3 * run.h, rtol=1e-15)
    assert run.voltage.attrs["units"] == "mV"


def test_charge_is_conserved_through_a_spike() -> None:
    membrane = Membrane()
    times = np.linspace(0.0, 12.0, 4801)
    run = simulate_neuron(membrane, 10.0, times)
    v = run.voltage.values
    through = (
        10.0
        - run.conductance_K.values * (v + 12)
        - run.conductance_Na.values * (v - 115)
        - 0.3 * (v - 10.6)
    )
    charge = CubicSpline(times, through).antiderivative()(times)
    assert v.max() > 80.0
    assert np.abs(v - charge).max() < 1e-5


def test_leak_alone_charges_exponentially() -> None:
    membrane = Membrane(capacitance=2.0, g_K=0.0, g_Na=0.0, g_L=0.5, V_L=-4.0)
    times = np.linspace(0.0, 20.0, 51)
    run = simulate_neuron(membrane, 3.0, times)
    settled = -4.0 + 3.0 / 0.5
    assert np.abs(run.voltage - settled * (1 - np.exp(-0.25 * times))).max() < 1e-8


# --- the potassium channel ------------------------------------------------------------------


def test_clamped_channel_opens_exponentially() -> None:
    # So large a capacitance that no current moves the voltage.
    times = np.linspace(0.0, 15.0, 31)
    run = simulate_potassium(Membrane(capacitance=1e14), 0.0, times, initial=(40.0, 0.2))
    alpha, beta = (float(rate) for rate in rates("n", 40.0))
    settled = alpha / (alpha + beta)
    exact = settled + (0.2 - settled) * np.exp(-(alpha + beta) * times)
    assert np.abs(run.n - exact).max() < 1e-9
    assert np.abs(run.conductance_K - 36 * exact**4).max() < 1e-6


def test_channel_starts_where_the_paper_starts_it_and_settles_in_balance() -> None:
    run = simulate_potassium(Membrane(), 15.0, [0.0, 200.0])
    assert float(run.voltage[0]) == 0.0
    assert float(run.n[0]) == float(steady_gate("n", 0.0))
    v, n = float(run.voltage[1]), float(run.n[1])
    assert n == pytest.approx(float(steady_gate("n", v)), abs=1e-8)
    assert 36 * n**4 * (v + 12) == pytest.approx(15.0, abs=1e-6)


def test_no_potassium_means_a_bare_capacitor() -> None:
    times = np.linspace(0.0, 5.0, 11)
    run = simulate_potassium(Membrane(capacitance=2.0, g_K=0.0), lambda t: 3.0 * t, times)
    assert np.abs(run.voltage - 0.75 * times**2).max() < 1e-9


# --- spike times and what is refused --------------------------------------------------------


def test_spike_times_of_a_sine() -> None:
    times = np.linspace(0.0, 10.0, 1001)
    at = spike_times(times, 100 * np.sin(2 * np.pi * times / 4), threshold=50.0)
    assert at == pytest.approx([1 / 3, 4 + 1 / 3, 8 + 1 / 3], abs=1e-7)
    assert len(spike_times(times, np.full(1001, 60.0))) == 0
    assert spike_times([0.0, 1.0], [0.0, 100.0], 25.0) == pytest.approx([0.25])


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"capacitance": -1.0}, "capacitance: wanted > 0, got -1"),
        ({"capacitance": 0}, "capacitance: wanted > 0, got 0"),
        ({"g_K": -3.0}, "g_K: wanted >= 0, got -3"),
        ({"V_Na": math.nan}, "V_Na: wanted a finite number, got nan"),
        ({"g_L": "much"}, "g_L: wanted >= 0, got 'much'"),
    ],
)
def test_bad_membranes(arguments: dict[str, object], line: str) -> None:
    with pytest.raises(NeuronError) as caught:
        Membrane(**arguments)
    assert str(caught.value) == line


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"times": [1.0, 0.5]}, "times: wanted finite numbers >= 0 in increasing order"),
        ({"times": []}, "times: wanted a list of numbers, got shape (0,)"),
        ({"current": math.inf}, "current: wanted a finite number, got inf"),
        ({"initial": (0.0, 0.5)}, "initial: wanted V, n, m, h, got 2 numbers"),
        ({"initial": (0.0, 1.5, 0.1, 0.1)}, "initial n: wanted a number from 0 to 1, got 1.5"),
        ({"tolerance": 1.0}, "tolerance: wanted a number from 1e-13 to 0.001, got 1"),
        ({"current": lambda _: math.nan}, "current at t = 0: wanted a finite number, got nan"),
    ],
)
def test_bad_requests(change: dict[str, object], line: str) -> None:
    arguments: dict[str, object] = {"current": 1.0, "times": [0.0, 1.0], **change}
    current, times = arguments.pop("current"), arguments.pop("times")
    with pytest.raises(NeuronError) as caught:
        simulate_neuron(Membrane(), current, times, **arguments)
    assert str(caught.value) == line


def test_other_refusals() -> None:
    with pytest.raises(NeuronError, match="gate: wanted n, m or h, got 'k'"):
        rates("k", 0.0)  # type: ignore[arg-type]
    with pytest.raises(NeuronError, match=r"voltage: wanted 2 finite numbers, got shape \(3,\)"):
        spike_times([0.0, 1.0], [0.0, 1.0, 2.0])
