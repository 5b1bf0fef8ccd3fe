"""The memory of an oscillator bath: its correlation function and the two integrals of it.

For the density J(ω) = 2πη ω(ω/ω_c)^{s−1} e^{−ω/ω_c} and a neuron of frequency g (ħ = 1),

    I(τ) = ∫₀^∞ ω(ω/ω_c)^{s−1} e^{−ω/ω_c} w(ω) e^{i(ω−g)τ} dω
         = ω_c^{1−s} Γ(s+1) e^{−igτ} Z(a − iτ),      a = 1/ω_c

    w = 1:                       Z(z) = z^{−s−1}
    w = e^{−βω}  (Boltzmann):    Z(z) = (z + β)^{−s−1}
    w = 1/(e^{βω} − 1)  (Bose):  Z(z) = β^{−s−1} ζ(s+1, 1 + z/β)       (Hurwitz's zeta)

B(u) = ∫₀ᵘ I dτ and C(u) = ∫₀ᵘ B du' are what rectangular stimuli need. For s = 1 and the first
two weights they are exponential integrals: with b = a or a + β, z = b − iu, X = e^{−gb}E₁(−gz),

    B(u) = i[−e^{−igu}/z − gX] between 0 and u,
    C(u) = uB(u) − [(1 − gb)X − b e^{−igu}/z] between 0 and u,

E₁ on the upper side of its cut. Anything else is a Legendre series on panels that widen with the
distance to the singularity at z = 0, integrated term by term.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray
from scipy.special import exp1, gamma

__all__ = ["ClosedKernel", "ComplexArray", "FloatArray", "TabulatedKernel", "graded", "weight"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

# Legendre terms on a panel, and the size of the last ones, relative, above which it is halved
_TERMS = 20
_TAIL = 1e-13

# B_2j/(2j)! of Euler and Maclaurin's formula, j = 1 … 8
_BERNOULLI = [1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510]
_EULER_MACLAURIN = [b / math.factorial(2 * j + 2) for j, b in enumerate(_BERNOULLI)]
_SHIFT = 12


def weight(
    cutoff: float, exponent: float, g: float, beta: float | None, bose: bool
) -> Callable[[FloatArray], ComplexArray]:
    """I(τ) for an array of τ >= 0; ``beta`` None is w = 1, else Boltzmann's weight or Bose's."""
    a, power = 1 / cutoff, exponent + 1
    scale = cutoff ** (1 - exponent) * float(gamma(power))

    def correlation(tau: FloatArray) -> ComplexArray:
        z = a - 1j * tau
        if beta is None:
            shape = z**-power
        elif bose:
            shape = beta**-power * _hurwitz(power, 1 + z / beta)
        else:
            shape = (z + beta) ** -power
        return np.asarray(scale * np.exp(-1j * g * tau) * shape)

    return correlation


def graded(reach: float, near: float, fraction: float, longest: float) -> FloatArray:
    """Panel edges from 0 to at least ``reach``: width fraction·√(near² + τ²), at most longest."""
    edges = [0.0]
    while edges[-1] < reach:
        edges.append(edges[-1] + min(fraction * math.hypot(near, edges[-1]), longest))
    return np.array(edges)


class ClosedKernel:
    """I, B and C of the Ohmic bath (s = 1) with w = 1 (``b`` = a) or Boltzmann's (a + β)."""

    def __init__(self, b: float, g: float) -> None:
        self.near, self.g, self.fraction = b, g, 0.5
        self._start = self._parts(np.zeros(1))

    def value(self, tau: FloatArray) -> ComplexArray:
        """I(τ), of the shape of τ >= 0."""
        return np.asarray(np.exp(-1j * self.g * tau) / (self.near - 1j * tau) ** 2)

    def once(self, u: FloatArray) -> ComplexArray:
        """B(u), of the shape of u; 0 for u <= 0."""
        pole, x = self._parts(np.maximum(u, 0.0))
        pole0, x0 = self._start
        return np.asarray(-1j * (pole - pole0 + self.g * (x - x0)))

    def twice(self, u: FloatArray) -> ComplexArray:
        """C(u), of the shape of u; 0 for u <= 0."""
        u = np.maximum(u, 0.0)
        pole, x = self._parts(u)
        pole0, x0 = self._start
        moment = (1 - self.g * self.near) * (x - x0) - self.near * (pole - pole0)
        return np.asarray(-1j * u * (pole - pole0 + self.g * (x - x0)) - moment)

    def _parts(self, u: FloatArray) -> tuple[ComplexArray, ComplexArray]:
        """e^{−igu}/z and X at u."""
        turn = np.exp(-1j * self.g * u)
        w = self.g * (-self.near + 1j * u)
        return turn / (self.near - 1j * u), turn * _scaled_exp1(w)


class TabulatedKernel:
    """I, B and C of any correlation function analytic off z = 0, from Legendre series.

    Args:
        correlation: I at an array of τ.
        near: distance of the singularity from τ = 0.
        power: |I| falls like |z|^{−power}; the panels resolve that.
        g: the frequency of its oscillation.
    """

    def __init__(
        self,
        correlation: Callable[[FloatArray], ComplexArray],
        near: float,
        power: float,
        g: float,
    ) -> None:
        self.value = correlation
        self.near, self.g, self.fraction = near, g, 1 / max(power, 2.0)
        self._edges: FloatArray = np.zeros(1)
        self._tables: list[ComplexArray] = []

    def once(self, u: FloatArray) -> ComplexArray:
        """B(u), of the shape of u; 0 for u <= 0."""
        return self._look(u, 0)

    def twice(self, u: FloatArray) -> ComplexArray:
        """C(u), of the shape of u; 0 for u <= 0."""
        return self._look(u, 1)

    def _look(self, u: FloatArray, order: int) -> ComplexArray:
        u = np.maximum(u, 0.0)
        if u.size == 0:
            return np.zeros(u.shape, dtype=np.complex128)
        if u.max() > self._edges[-1] or len(self._edges) == 1:
            self._build(1.25 * float(u.max()) + self.near)
        edges = self._edges
        panel = np.clip(np.searchsorted(edges, u, side="right") - 1, 0, len(edges) - 2)
        x = 2 * (u - edges[panel]) / (edges[panel + 1] - edges[panel]) - 1
        return np.asarray(legendre.legval(x, self._tables[order][:, panel], tensor=False))

    def _build(self, reach: float) -> None:
        fraction, longest = self.fraction, 1 / self.g
        nodes, weights = legendre.leggauss(_TERMS)
        to_series = legendre.legvander(nodes, _TERMS - 1).T * weights
        to_series *= (np.arange(_TERMS) + 0.5)[:, None]
        for _ in range(6):
            edges = graded(reach, self.near, fraction, longest)
            half = np.diff(edges) / 2
            tau = edges[:-1] + half * (1 + nodes[:, None])
            series = to_series @ self.value(tau)
            size = np.abs(series)
            # late phases gτ are known to so many digits only
            rounding = 1 + 0.01 * self.g * edges[1:]
            if np.all(size[-2:].max(axis=0) <= _TAIL * rounding * size.max(axis=0)):
                break
            fraction, longest = fraction / 2, longest / 2
        first = half * legendre.legint(series, lbnd=-1, axis=0)
        first[0] += _before(first)
        second = half * legendre.legint(first, lbnd=-1, axis=0)
        second[0] += _before(second)
        self._edges, self._tables = edges, [first, second]


def _before(series: ComplexArray) -> ComplexArray:
    """What all earlier panels add up to, at the beginning of each; a series at x = 1 is its sum."""
    ends = np.cumsum(series.sum(axis=0))
    return np.concatenate(([0.0], ends[:-1]))


def _scaled_exp1(w: NDArray[Any]) -> ComplexArray:
    """e^w E₁(w) for Im w >= 0, on the upper side of the cut."""
    far = np.abs(w) > 50.0
    near = np.where(far, 1.0, w)
    out = np.exp(near) * exp1(near)
    if far.any():
        # the asymptotic series, whose smallest term is e^{−50}
        inverse = 1 / np.where(far, w, 100.0)
        series = np.ones_like(inverse)
        for k in range(32, 0, -1):
            series = 1 - k * inverse * series
        out = np.where(far, inverse * series, out)
    return np.asarray(out)


def _hurwitz(power: float, q: NDArray[Any]) -> ComplexArray:
    """ζ(power, q) = Σ_k (q + k)^{−power} for power > 1 and Re q >= 1, by Euler and Maclaurin."""
    total = sum(((q + k) ** -power for k in range(_SHIFT)), np.zeros_like(q))
    x = q + _SHIFT
    total = total + x ** (1 - power) / (power - 1) + x**-power / 2
    rising, term = power, x ** (-power - 1)
    for j, coefficient in enumerate(_EULER_MACLAURIN):
        total = total + coefficient * rising * term
        rising *= (power + 2 * j + 1) * (power + 2 * j + 2)
        term = term / (x * x)
    return np.asarray(total)
