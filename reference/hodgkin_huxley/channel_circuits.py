"""The driven potassium channel as equations: V at once with Z, or V by the circuit's own law.

    quasi-static:  V = V_K + Re Σ_k a_k Z e^{ikΩt}/(1 + ikΩCZ),    dn/dt = α_n(V)(1 − n) − β_n(V) n
    dynamic:       C dV/dt = I(t) − (V − V_K)/Z,                   dn/dt as above

with Z = Z_min n⁻⁴ and I = Re Σ_k a_k e^{ikΩt} (Cheng et al., arXiv:1807.10698, Eqs. 6, 16 and 18).
Each is given three times over: on arrays with its Jacobian, on plain numbers for an integrator,
and as a crude step that no stiffness upsets, to settle down with.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp

from .channel_drives import Harmonics
from .rates import FloatArray, checked_number, rate_slopes, rates

__all__ = ["ChannelError", "Circuit", "Dynamic", "QuasiStatic", "Response", "integrate"]

# A gate this far closed (Z = 1e32 Z_min) counts as shut: V is some 200 mV below rest by then, and
# at twice that the rates leave all that was ever measured.
_SHUT = 1e-8


class ChannelError(ValueError):
    """A channel, a start or a request about them that makes no sense."""


@dataclass(frozen=True)
class Response:
    """V(Z, t) = V_K + Re Σ_k a_k Z e^{ikΩt}/(1 + ikΩCZ), for arrays of Z and t.

    Args:
        reversal: V_K in mV.
        capacitance: C in µF/cm²; below zero where a printed formula leads instead of lagging.
        harmonics: the current's Fourier series.
    """

    reversal: float
    capacitance: float
    harmonics: Harmonics

    def voltage(self, z: ArrayLike, t: ArrayLike) -> FloatArray:
        """V in mV, of the shape z and t broadcast to."""
        return self.with_slope(z, t)[0]

    def with_slope(self, z: ArrayLike, t: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """V and its derivative by Z at a fixed time, each of the shape z and t broadcast to."""
        impedance = np.asarray(z, dtype=np.float64)[..., None]
        time = np.asarray(t, dtype=np.float64)[..., None]
        series = self.harmonics
        wave = series.amplitudes * np.exp(1j * series.frequency * time * series.orders)
        y = 1.0 + 1j * series.frequency * self.capacitance * series.orders * impedance
        by_z = wave / y
        voltage = self.reversal + (impedance * by_z).real.sum(axis=-1)
        return np.asarray(voltage), np.asarray((by_z / y).real.sum(axis=-1))


class Circuit(Protocol):
    """Equations of a driven channel: `size` variables, the last one n."""

    @property
    def size(self) -> int:
        """How many variables."""

    def rates(self, y: FloatArray, t: FloatArray) -> tuple[FloatArray, FloatArray]:
        """dy/dt, shape (size, points), and its Jacobian, shape (size, size, points)."""

    def scalar_rates(self, t: float, y: FloatArray) -> tuple[float, ...]:
        """dy/dt at one time, y of shape (size,)."""

    def step(self, t: float, y: tuple[float, ...], duration: float) -> tuple[float, ...]:
        """A crude y after `duration`: each variable relaxes at a rate held fixed."""

    def voltage(self, y: FloatArray, t: FloatArray) -> FloatArray:
        """V, shape (points,)."""


class QuasiStatic:
    """V follows Z at once: one variable, n."""

    size = 1

    def __init__(self, response: Response, z_min: float) -> None:
        self.response, self.z_min = response, z_min
        self._voltage = _scalar_response(response)

    def rates(self, y: FloatArray, t: FloatArray) -> tuple[FloatArray, FloatArray]:
        """dn/dt and its slope along n."""
        n = y[0]
        z = self.z_min * n**-4.0
        v, by_z = self.response.with_slope(z, t)
        slope, by_v, by_n = _gate(n, v)
        return slope[None], (by_n - by_v * by_z * 4.0 * z / n)[None, None]

    def scalar_rates(self, t: float, y: FloatArray) -> tuple[float, ...]:
        """dn/dt."""
        n = float(y[0])
        alpha, beta = _scalar_rates(self._voltage(self.z_min / max(n, _SHUT) ** 4, t))
        return (alpha * (1.0 - n) - beta * n,)

    def step(self, t: float, y: tuple[float, ...], duration: float) -> tuple[float, ...]:
        """n after relaxing at the present V."""
        alpha, beta = _scalar_rates(self._voltage(self.z_min / y[0] ** 4, t))
        return (_relaxed(y[0], alpha, beta, t, duration),)

    def voltage(self, y: FloatArray, t: FloatArray) -> FloatArray:
        """V of the periodic state at each Z."""
        return self.response.voltage(self.z_min * y[0] ** -4.0, t)


class Dynamic:
    """V obeys the circuit: two variables, V and n."""

    size = 2

    def __init__(self, response: Response, z_min: float) -> None:
        self.response, self.z_min = response, z_min
        self._current = _scalar_current(response.harmonics)

    def rates(self, y: FloatArray, t: FloatArray) -> tuple[FloatArray, FloatArray]:
        """dV/dt and dn/dt, and their Jacobian."""
        v, n = y
        c, conductance = self.response.capacitance, n**4 / self.z_min
        driving = v - self.response.reversal
        slope, by_v, by_n = _gate(n, v)
        charging = (self.response.harmonics(t) - conductance * driving) / c
        jacobian = (
            (-conductance / c, -4.0 * n**3 / self.z_min * driving / c),
            (by_v, by_n),
        )
        return np.stack((charging, slope)), np.array(jacobian)

    def scalar_rates(self, t: float, y: FloatArray) -> tuple[float, ...]:
        """dV/dt and dn/dt."""
        v, n = y.tolist()
        through = n**4 / self.z_min * (v - self.response.reversal)
        alpha, beta = _scalar_rates(v)
        charging = (self._current(t) - through) / self.response.capacitance
        return charging, alpha * (1.0 - n) - beta * n

    def step(self, t: float, y: tuple[float, ...], duration: float) -> tuple[float, ...]:
        """n after relaxing at the present V, and V after relaxing at the new Z."""
        v, n = y
        alpha, beta = _scalar_rates(v)
        n = _relaxed(n, alpha, beta, t, duration)
        conductance, charge = n**4 / self.z_min, self._current(t) * duration
        decay = conductance * duration / self.response.capacitance
        fed = 1.0 if decay < 1e-9 else -math.expm1(-decay) / decay
        driving = (v - self.response.reversal) * math.exp(-decay)
        return self.response.reversal + driving + charge / self.response.capacitance * fed, n

    def voltage(self, y: FloatArray, t: FloatArray) -> FloatArray:
        """V itself."""
        return np.asarray(y[0])


def integrate(
    circuit: Circuit,
    start: FloatArray,
    t: FloatArray,
    tolerance: float,
    longest: float = math.inf,
) -> FloatArray:
    """y at the times t, shape (size, times), from `start` at t = 0, in steps up to `longest`.

    Raises:
        ChannelError: a tolerance outside 1e-13 … 1e-3, or a gate that closes for good.
    """
    tolerance = checked_number("tolerance", tolerance, ChannelError, least=1e-13, most=1e-3)
    if t[-1] == 0.0:
        return start[:, None]

    def shut(_: float, y: FloatArray) -> float:
        return float(y[-1]) - _SHUT

    shut.terminal = True  # type: ignore[attr-defined]
    run = solve_ivp(
        circuit.scalar_rates,
        (0.0, float(t[-1])),
        start,
        method="DOP853",
        t_eval=t,
        rtol=tolerance,
        atol=min(tolerance, _SHUT),
        events=shut,
        max_step=longest,
    )
    if len(run.t_events[0]):
        raise _closed(float(run.t_events[0][0]))
    if not run.success:
        # V and Z that run away together do so in a finite time.
        raise _closed(float(run.t[-1]) if len(run.t) else 0.0)
    # Wide open, n = 1 to within the integration's error.
    run.y[-1] = np.minimum(run.y[-1], 1.0)
    return np.asarray(run.y, dtype=np.float64)


def _closed(t: float) -> ChannelError:
    wanted = f"wanted one that keeps n above {_SHUT:g}"
    return ChannelError(f"drive: {wanted}, got a gate shut from t = {t:.4g} ms on")


def _gate(n: FloatArray, v: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """dn/dt and its derivatives by V and by n."""
    alpha, beta = rates("n", v)
    alpha_slope, beta_slope = rate_slopes("n", v)
    by_v = alpha_slope * (1.0 - n) - beta_slope * n
    return alpha * (1.0 - n) - beta * n, by_v, -(alpha + beta)


def _scalar_rates(v: float) -> tuple[float, float]:
    """α_n and β_n of a plain number; the exponential is held below overflow."""
    x = (10.0 - v) / 10.0
    if abs(x) < 1e-5:
        alpha = 0.1 * (1.0 - x / 2.0 + x * x / 12.0)
    else:
        alpha = 0.1 * x / math.expm1(x) if x < 700.0 else 0.0
    return alpha, 0.125 * math.exp(min(-v / 80.0, 300.0))


def _relaxed(n: float, alpha: float, beta: float, t: float, duration: float) -> float:
    settled = alpha / (alpha + beta)
    n = settled + (n - settled) * math.exp(-(alpha + beta) * duration)
    if n <= _SHUT:
        raise _closed(t + duration)
    return n


def _terms(series: Harmonics) -> list[tuple[int, complex]]:
    return [(int(k), complex(a)) for k, a in zip(series.orders, series.amplitudes, strict=True)]


def _scalar_current(series: Harmonics) -> Callable[[float], float]:
    """A Fourier series as a function of one plain number."""
    terms, frequency = _terms(series), series.frequency

    def current(t: float) -> float:
        turn = cmath.exp(1j * frequency * t)
        total = 0.0
        for k, a in terms:
            total += (a * turn**k).real
        return total

    return current


def _scalar_response(response: Response) -> Callable[[float, float], float]:
    """V(Z, t) of plain numbers, ten times as fast as arrays of one."""
    frequency, reversal = response.harmonics.frequency, response.reversal
    terms = [
        (k, a, 1j * k * frequency * response.capacitance) for k, a in _terms(response.harmonics)
    ]

    def voltage(z: float, t: float) -> float:
        turn = cmath.exp(1j * frequency * t)
        total = reversal
        for k, a, susceptance in terms:
            total += (a * turn**k * (z / (1.0 + susceptance * z))).real
        return total

    return voltage
