"""The classical Hodgkin-Huxley neuron, and its potassium channel alone.

    C dV/dt = I(t) − g_K n⁴ (V − V_K) − g_Na m³h (V − V_Na) − g_L (V − V_L)
    dx/dt   = α_x(V)(1 − x) − β_x(V) x,        x = n, m, h

(Hodgkin and Huxley, J. Physiol. 117, 500, 1952; Eqs. 1 to 4 of Cheng et al., arXiv:1807.10698.)
The potassium channel alone keeps g_K and n only (Eqs. 5 and 6). V is the depolarisation from rest
in mV, t in ms, I in µA/cm², inward (depolarising) currents positive.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp
from scipy.interpolate import CubicSpline
from scipy.optimize import brentq

from .rates import FloatArray, Gate, NeuronError, checked_number, checked_times, rates, steady_gate

__all__ = [
    "Current",
    "Membrane",
    "NeuronError",
    "rates",
    "simulate_neuron",
    "simulate_potassium",
    "spike_times",
    "steady_gate",
]

Current = float | Callable[[float], float]

# A current that varies may have pulses; a longer step could pass one over.
_LONGEST_STEP = 0.2


@dataclass(frozen=True)
class Membrane:
    """One cm² of membrane, by default the squid axon of 1952.

    V_L = 10.59892 brings the ionic current at V = 0 to nothing; with the usual 10.6 the membrane
    rests 0.0003 mV above, with the 10.613 of the paper of 1952, 0.004 mV.

    Args:
        capacitance: C > 0, in µF/cm².
        g_K: the largest potassium conductance, >= 0, in mS/cm².
        g_Na: the largest sodium conductance, >= 0, in mS/cm².
        g_L: the leak's conductance, >= 0, in mS/cm².
        V_K: the potassium reversal potential, in mV from rest.
        V_Na: the sodium reversal potential, in mV from rest.
        V_L: the leak's reversal potential, in mV from rest.

    Raises:
        NeuronError: a value out of range or not finite.
    """

    capacitance: float = 1.0
    g_K: float = 36.0
    g_Na: float = 120.0
    g_L: float = 0.3
    V_K: float = -12.0
    V_Na: float = 115.0
    V_L: float = 10.6

    def __post_init__(self) -> None:
        """Refuse what is no membrane, and turn the numbers into plain Python ones."""
        bounds: dict[str, dict[str, float]] = {
            "capacitance": {"above": 0.0},
            "g_K": {"least": 0.0},
            "g_Na": {"least": 0.0},
            "g_L": {"least": 0.0},
            "V_K": {},
            "V_Na": {},
            "V_L": {},
        }
        for name, bound in bounds.items():
            value = checked_number(name, getattr(self, name), NeuronError, **bound)
            object.__setattr__(self, name, value)


def simulate_neuron(
    membrane: Membrane,
    current: Current,
    times: ArrayLike,
    *,
    initial: Sequence[float] | None = None,
    tolerance: float = 1e-9,
) -> xr.Dataset:
    """The trajectory of the whole neuron from t = 0.

    Args:
        membrane: the conductances and potentials.
        current: I in µA/cm², a number or a function of t in ms; its jumps may be anywhere, a
            pulse shorter than 0.2 ms may be missed.
        times: where to report, shape (times,), increasing and >= 0, in ms.
        initial: V, n, m, h at t = 0; V = 0 with the gates settled there unless given.
        tolerance: of each step, relative, and absolute in mV and in the gates; 1e-13 to 1e-3.

    Returns:
        A dataset over `time` with `voltage`, `n`, `m`, `h`, `conductance_K` (g_K n⁴),
        `conductance_Na` (g_Na m³h) and `current`. Units are attributes of the variables, the
        parameters attributes of the dataset.

    Raises:
        NeuronError: an argument that makes no sense; the message names it.
    """
    t = checked_times(times, NeuronError)
    start = _start(initial, "n", "m", "h")
    c, g_k, g_na, g_l = membrane.capacitance, membrane.g_K, membrane.g_Na, membrane.g_L
    v_k, v_na, v_l = membrane.V_K, membrane.V_Na, membrane.V_L

    def slope(v: float, gates: list[float], drive: float) -> tuple[float, ...]:
        n, m, h = gates
        ionic = g_k * n**4 * (v - v_k) + g_na * m**3 * h * (v - v_na) + g_l * (v - v_l)
        (a_n, b_n), (a_m, b_m), (a_h, b_h) = _rates_n(v), _rates_m(v), _rates_h(v)
        return (
            (drive - ionic) / c,
            a_n * (1.0 - n) - b_n * n,
            a_m * (1.0 - m) - b_m * m,
            a_h * (1.0 - h) - b_h * h,
        )

    v, n, m, h = _integrate(slope, current, start, t, tolerance)
    return _dataset(
        membrane,
        {
            "voltage": (v, "membrane voltage from rest V", "mV"),
            "n": (n, "potassium activation n", "1"),
            "m": (m, "sodium activation m", "1"),
            "h": (h, "sodium inactivation h", "1"),
            "conductance_K": (g_k * n**4, "potassium conductance", "mS/cm^2"),
            "conductance_Na": (g_na * m**3 * h, "sodium conductance", "mS/cm^2"),
        },
        current,
        t,
        tolerance,
    )


def simulate_potassium(
    membrane: Membrane,
    current: Current,
    times: ArrayLike,
    *,
    initial: Sequence[float] | None = None,
    tolerance: float = 1e-9,
) -> xr.Dataset:
    """The trajectory of the potassium channel alone from t = 0: no sodium, no leak.

    Args:
        membrane: of which C, g_K and V_K are used.
        current: I in µA/cm², as in `simulate_neuron`.
        times: where to report, shape (times,), increasing and >= 0, in ms.
        initial: V, n at t = 0; V = 0 and n settled there unless given.
        tolerance: as in `simulate_neuron`.

    Returns:
        A dataset over `time` with `voltage`, `n`, `conductance_K` and `current`.

    Raises:
        NeuronError: an argument that makes no sense; the message names it.
    """
    t = checked_times(times, NeuronError)
    start = _start(initial, "n")
    c, g_k, v_k = membrane.capacitance, membrane.g_K, membrane.V_K

    def slope(v: float, gates: list[float], drive: float) -> tuple[float, ...]:
        (n,) = gates
        alpha, beta = _rates_n(v)
        return (drive - g_k * n**4 * (v - v_k)) / c, alpha * (1.0 - n) - beta * n

    v, n = _integrate(slope, current, start, t, tolerance)
    return _dataset(
        membrane,
        {
            "voltage": (v, "membrane voltage from rest V", "mV"),
            "n": (n, "potassium activation n", "1"),
            "conductance_K": (g_k * n**4, "potassium conductance", "mS/cm^2"),
        },
        current,
        t,
        tolerance,
    )


def spike_times(times: ArrayLike, voltage: ArrayLike, threshold: float = 50.0) -> FloatArray:
    """When the voltage rises through the threshold, shape (spikes,), in ms.

    Between samples the voltage is taken as a cubic spline: sample it at least every 0.1 ms.

    Args:
        times: shape (times,), increasing, in ms.
        voltage: shape (times,), in mV from rest.
        threshold: in mV from rest.

    Raises:
        NeuronError: arrays of different lengths, or no finite numbers.
    """
    t = checked_times(times, NeuronError)
    v = np.asarray(voltage, dtype=np.float64)
    threshold = checked_number("threshold", threshold, NeuronError)
    if v.shape != t.shape or not np.all(np.isfinite(v)):
        raise NeuronError(f"voltage: wanted {len(t)} finite numbers, got shape {v.shape}")
    rising = np.flatnonzero((v[:-1] < threshold) & (v[1:] >= threshold))
    if len(rising) == 0:
        return np.zeros(0)
    if len(t) < 4:
        steps = (threshold - v[rising]) / (v[rising + 1] - v[rising])
        return np.asarray(t[rising] + steps * (t[rising + 1] - t[rising]))
    spline = CubicSpline(t, v - threshold)
    return np.array([brentq(spline, t[i], t[i + 1], xtol=1e-13) for i in rising])


# --- plain-number rates, ten times as fast as arrays of one ---------------------------------


def _bernoulli(x: float) -> float:
    if abs(x) < 1e-5:
        return 1.0 - x / 2.0 + x * x / 12.0
    return x / math.expm1(x) if x < 700.0 else 0.0


def _rates_n(v: float) -> tuple[float, float]:
    return 0.1 * _bernoulli((10.0 - v) / 10.0), 0.125 * math.exp(-v / 80.0)


def _rates_m(v: float) -> tuple[float, float]:
    return _bernoulli((25.0 - v) / 10.0), 4.0 * math.exp(-v / 18.0)


def _rates_h(v: float) -> tuple[float, float]:
    return 0.07 * math.exp(-v / 20.0), 1.0 / (1.0 + math.exp((30.0 - v) / 10.0))


# --- what the two models share --------------------------------------------------------------


def _start(initial: Sequence[float] | None, *gates: Gate) -> FloatArray:
    if initial is None:
        return np.array([0.0, *(float(steady_gate(gate, 0.0)) for gate in gates)])
    if len(initial) != 1 + len(gates):
        raise NeuronError(f"initial: wanted V, {', '.join(gates)}, got {len(initial)} numbers")
    values = [checked_number("initial V", initial[0], NeuronError)]
    for gate, value in zip(gates, initial[1:], strict=True):
        values.append(checked_number(f"initial {gate}", value, NeuronError, least=0.0, most=1.0))
    return np.array(values)


def _played(current: Current) -> Callable[[float], float]:
    if callable(current):
        return current
    value = checked_number("current", current, NeuronError)
    return lambda _: value


def _integrate(
    slope: Callable[[float, list[float], float], tuple[float, ...]],
    current: Current,
    start: FloatArray,
    t: FloatArray,
    tolerance: float,
) -> FloatArray:
    tolerance = checked_number("tolerance", tolerance, NeuronError, least=1e-13, most=1e-3)
    drive = _played(current)
    for moment in (t[0], t[-1]):
        checked_number(f"current at t = {moment:g}", drive(float(moment)), NeuronError)
    if t[-1] == 0.0:
        return start[:, None]

    def right_side(time: float, y: FloatArray) -> tuple[float, ...]:
        v, *gates = y.tolist()
        return slope(v, gates, drive(time))

    run = solve_ivp(
        right_side,
        (0.0, float(t[-1])),
        start,
        method="DOP853",
        t_eval=t,
        rtol=tolerance,
        atol=tolerance,
        max_step=_LONGEST_STEP if callable(current) else np.inf,
    )
    if not run.success:
        raise NeuronError(f"current: wanted one the membrane can follow, got none: {run.message}")
    return np.asarray(run.y, dtype=np.float64)


def _dataset(
    membrane: Membrane,
    values: dict[str, tuple[FloatArray, str, str]],
    current: Current,
    t: FloatArray,
    tolerance: float,
) -> xr.Dataset:
    drive = _played(current)
    played = np.array([drive(float(moment)) for moment in t], dtype=np.float64)
    values["current"] = (played, "injected current I", "uA/cm^2")
    data = {
        name: xr.Variable(("time",), array, {"long_name": label, "units": unit})
        for name, (array, label, unit) in values.items()
    }
    time = xr.Variable(("time",), t, {"long_name": "time", "units": "ms"})
    return xr.Dataset(data, {"time": time}, {**vars(membrane), "tolerance": tolerance})
