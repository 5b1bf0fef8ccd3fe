"""Numbers read off trajectories and loops."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import cumulative_trapezoid
from scipy.special import gammaln

__all__ = [
    "FockState",
    "Rise",
    "capacitor_area",
    "dissipated",
    "fock_state",
    "frozen_area",
    "nonlinearity",
    "rise",
    "running_mean",
]

Array = NDArray[np.float64]


def nonlinearity(voltage: ArrayLike, current: ArrayLike) -> float:
    """Return 1 − (∑VI)²/(∑V²∑I²): 0 for a line through the origin, 1 if they are unrelated."""
    v, i = np.asarray(voltage, dtype=float), np.asarray(current, dtype=float)
    return float(1 - np.dot(v, i) ** 2 / (np.dot(v, v) * np.dot(i, i)))


def running_mean(times: ArrayLike, values: ArrayLike, period: float) -> tuple[Array, Array]:
    """Average over the period that ends at each time, from the first such on: (times, means)."""
    t, x = np.asarray(times, dtype=float), np.asarray(values, dtype=float)
    whole = cumulative_trapezoid(x, t, initial=0)
    late = t >= t[0] + period
    return t[late], (whole[late] - np.interp(t[late] - period, t, whole)) / period


@dataclass(frozen=True)
class Rise:
    """How a driven quantity settles, by its running mean over one period of the drive.

    ``first`` and ``last`` of the means; ``fall`` the most they fall below an earlier one and
    ``left`` their change in the last period, both as shares of |last − first|; ``delay`` how long
    after the first mean they are steepest.
    """

    first: float
    last: float
    fall: float
    left: float
    delay: float

    @property
    def monotonic(self) -> bool:
        """Say whether it rises and never falls by more than 1 % of the rise."""
        return self.last > self.first and self.fall < 0.01

    @property
    def saturated(self) -> bool:
        """Say whether the last period moved it by less than 1 % of the rise."""
        return self.left < 0.01


def rise(times: ArrayLike, values: ArrayLike, period: float) -> Rise:
    """Measure a :class:`Rise`."""
    t, mean = running_mean(times, values, period)
    span = abs(float(mean[-1] - mean[0])) or math.inf
    fall = float((np.maximum.accumulate(mean) - mean).max())
    before = float(np.interp(t[-1] - period, t, mean))
    steepest = float(t[np.argmax(np.gradient(mean, t))] - t[0])
    left = abs(float(mean[-1]) - before)
    return Rise(float(mean[0]), float(mean[-1]), fall / span, left / span, steepest)


def frozen_area(
    current: ArrayLike, frequency: float, capacitance: float, impedance: float
) -> float:
    """Return |∮ V dI| of a capacitance and a fixed resistance under one period of a current.

    The memory is taken out: V_k = Z I_k/(1 + ikΩCZ) of every harmonic.

    Args:
        current: at equispaced phases of one period of 2π/Ω, the end left out, in µA/cm².
        frequency: Ω in rad/ms.
        capacitance: C in µF/cm².
        impedance: Z in kΩ cm²; inf leaves the capacitance alone.
    """
    spectrum = np.fft.rfft(np.asarray(current, dtype=float)) / np.size(current)
    k = np.arange(1, len(spectrum))
    conductance = 0.0 if math.isinf(impedance) else 1 / impedance
    voltage = spectrum[1:] / (conductance + 1j * k * frequency * capacitance)
    # mean of V dI/dx is Σ 2 Re[V_k conj(ik I_k)]
    return float(abs(2 * math.pi * np.sum(2 * np.real(voltage * np.conj(1j * k * spectrum[1:])))))


def capacitor_area(current: ArrayLike, frequency: float, capacitance: float) -> float:
    """Return |∮ V dI| of the capacitance alone, which remembers nothing."""
    return frozen_area(current, frequency, capacitance, math.inf)


def dissipated(voltage: ArrayLike, conductance: ArrayLike, reversal: float, period: float) -> float:
    """Return the memristor's heat in one period, ∫(V − V_K)²/Z dt, in pJ/cm² (end left out)."""
    v, g = np.asarray(voltage, dtype=float), np.asarray(conductance, dtype=float)
    return float(np.mean((v - reversal) ** 2 * g) * period)


@dataclass(frozen=True)
class FockState:
    """⟨s|s⟩ of cos θ|α, 0⟩ + sin θ|0, α⟩, and ⟨a₁ + a₂⟩ and the entropy of a mode, normalised."""

    norm: float
    flux: float
    entropy: float


def fock_state(theta: float, alpha: float, levels: int = 40) -> FockState:
    """Build the entangled state from its amplitudes in a two-mode Fock space, no closed form.

    Args:
        theta: θ in rad.
        alpha: α, real and >= 0.
        levels: Fock states a mode; the amplitudes of α <= 2 beyond 40 are below 1e-12.
    """
    n = np.arange(levels)
    wave = np.exp(-(alpha**2) / 2 - gammaln(n + 1) / 2) * alpha**n
    state = np.zeros((levels, levels))
    state[:, 0] += math.cos(theta) * wave
    state[0, :] += math.sin(theta) * wave
    norm = float(np.sum(state**2))
    root = np.sqrt(n[1:])
    lowered = np.sum(state[:-1] * root[:, None] * state[1:])
    lowered += np.sum(state[:, :-1] * root * state[:, 1:])
    weights = np.linalg.svd(state, compute_uv=False) ** 2 / norm
    weights = weights[weights > 1e-300]
    return FockState(norm, float(lowered) / norm, float(-np.sum(weights * np.log(weights))))
