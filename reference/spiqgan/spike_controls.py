"""Classical controls that need no training: independent neurons and the dichotomised Gaussian.

A dichotomised Gaussian (Macke, Berens, Ecker, Tolias, Bethge, Neural Computation 21, 397 (2009))
fires where a latent Gaussian exceeds a threshold:

    x_a = 1  iff  z_a + γ_a > 0,    z ~ N(0, Λ), Λ_aa = 1,    γ_a = Φ⁻¹(p_a)

so that ⟨x_a⟩ = p_a and ⟨x_a x_b⟩ = Φ₂(γ_a, γ_b; Λ_ab), with Φ₂ the bivariate normal distribution
function. Each Λ_ab is solved for alone. Together they need not be a correlation matrix; then the
nearest one is taken and the largest change of an entry kept on record. The index a is a neuron
(correlations in space) or a bin and a neuron (in space and time).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri, owens_t

from .spike_statistics import (
    FloatArray,
    Raster,
    SpikeError,
    checked_raster,
    covariance,
    space_time_covariance,
)

__all__ = [
    "DichotomisedGaussian",
    "IndependentNeurons",
    "binary_covariance",
    "dichotomised_gaussian",
    "fit_independent",
    "fit_space",
    "fit_space_time",
    "latent_correlation",
    "nearest_correlation",
    "sample_process",
]

# a pair that never fires together has no finite answer; past this nothing is seen of it
LARGEST_CORRELATION = 0.9999


@dataclass(frozen=True)
class IndependentNeurons:
    """x_i(t) ~ Bernoulli(p_i), all independent; `rates` p of shape (neurons,), spikes a bin."""

    rates: FloatArray

    @property
    def parameters(self) -> int:
        """How many numbers describe it."""
        return len(self.rates)

    def sample(self, samples: int, bins: int, seed: int) -> Raster:
        """Spikes of shape (samples, bins, neurons)."""
        rng = np.random.default_rng(seed)
        shape = (_count("samples", samples), _count("bins", bins), len(self.rates))
        return np.asarray(rng.random(shape) < self.rates, dtype=np.uint8)


@dataclass(frozen=True)
class DichotomisedGaussian:
    """A latent Gaussian and its thresholds.

    Attributes:
        rates: p, shape (bins, neurons), spikes a bin; one bin for correlations in space alone.
        latent: Λ, shape (bins·neurons, bins·neurons), index t·neurons + i.
        repaired: largest change of an entry of Λ that made it a correlation matrix; 0 if none.
    """

    rates: FloatArray
    latent: FloatArray
    repaired: float

    @property
    def parameters(self) -> int:
        """How many numbers describe it: the rates and one correlation a pair."""
        size = self.rates.size
        return size + size * (size - 1) // 2

    @property
    def covariance(self) -> FloatArray:
        """The covariance of the spikes themselves: shape (bins·neurons, bins·neurons)."""
        p = self.rates.ravel()
        found = binary_covariance(p[:, None], p[None, :], self.latent)
        np.fill_diagonal(found, p * (1 - p))
        return found

    def sample(self, samples: int, seed: int) -> Raster:
        """Spikes of shape (samples, bins, neurons)."""
        rng = np.random.default_rng(seed)
        z = rng.standard_normal((_count("samples", samples), self.rates.size)) @ _root(self.latent)
        fires = z.reshape(-1, *self.rates.shape) + ndtri(self.rates) > 0
        return np.asarray(fires, dtype=np.uint8)


def fit_independent(raster: ArrayLike) -> IndependentNeurons:
    """Independent neurons with the rates of `raster` (samples, bins, neurons).

    Raises:
        SpikeError: no binary raster of three axes.
    """
    return IndependentNeurons(checked_raster("raster", raster).mean(axis=(0, 1)))


def fit_space(raster: ArrayLike) -> DichotomisedGaussian:
    """The dichotomised Gaussian with the rates and the zero-lag covariance of `raster`.

    Raises:
        SpikeError: no binary raster of three axes.
    """
    x = checked_raster("raster", raster)
    return dichotomised_gaussian(x.mean(axis=(0, 1))[None], covariance(x))


def fit_space_time(windows: ArrayLike) -> DichotomisedGaussian:
    """The dichotomised Gaussian with the rates and covariance of each bin and neuron of a window.

    Raises:
        SpikeError: no binary raster of three axes.
    """
    x = checked_raster("windows", windows)
    return dichotomised_gaussian(x.mean(axis=0), space_time_covariance(x))


def dichotomised_gaussian(rates: ArrayLike, spikes: ArrayLike) -> DichotomisedGaussian:
    """The dichotomised Gaussian with these rates and this covariance of the spikes.

    Args:
        rates: (bins, neurons), or (neurons,) for one bin; spikes a bin, in [0, 1].
        spikes: covariance, (bins·neurons, bins·neurons); its diagonal follows from the rates and
            is not looked at.

    Raises:
        SpikeError: rates outside [0, 1], shapes that do not fit, a covariance that is not
            symmetric, or one that no two binary variables of these rates can have.
    """
    p = np.atleast_2d(np.asarray(rates, dtype=np.float64))
    if p.ndim != 2 or not p.size:
        raise SpikeError(f"rates: wanted shape (bins, neurons), got {p.shape}")
    _check_rates("rates", p)
    c = np.asarray(spikes, dtype=np.float64)
    if c.shape != (p.size, p.size):
        raise SpikeError(f"spikes: wanted shape {(p.size, p.size)}, got {c.shape}")
    off = ~np.eye(p.size, dtype=bool)
    if not np.allclose(c[off], c.T[off], rtol=0, atol=1e-9):
        raise SpikeError("spikes: wanted a symmetric covariance of finite numbers")
    a, b = np.triu_indices(p.size, 1)
    flat = p.ravel()
    latent = np.eye(p.size)
    latent[a, b] = latent[b, a] = latent_correlation(flat[a], flat[b], c[a, b])
    fixed = nearest_correlation(latent)
    return DichotomisedGaussian(p, fixed, float(np.abs(fixed - latent).max()))


def sample_process(
    population: DichotomisedGaussian, trials: int, bins: int, memory: float, seed: int
) -> Raster:
    """Long trials: the latent Gaussian of one bin follows itself through time.

        z(t+1) = φ z(t) + √(1 − φ²) ε(t),    ε ~ N(0, Λ)

    stationary from the first bin on, so that the latent correlation of neurons i and j at lag τ
    is φ^|τ| Λ_ij.

    Args:
        population: of one bin.
        trials: number of trials, independent of each other.
        bins: bins a trial.
        memory: φ, in [0, 1).
        seed: of the spikes.

    Returns:
        Spikes of shape (trials, bins, neurons).

    Raises:
        SpikeError: a population of more than one bin, counts below 1, φ outside [0, 1).
    """
    if len(population.rates) != 1:
        raise SpikeError(f"population: wanted one bin, got {len(population.rates)}")
    if not 0 <= memory < 1:
        raise SpikeError(f"memory: wanted a number in [0, 1), got {memory}")
    rng = np.random.default_rng(seed)
    neurons = population.rates.shape[1]
    shape = (_count("trials", trials), _count("bins", bins), neurons)
    root, threshold = _root(population.latent), ndtri(population.rates[0])
    spikes = np.empty(shape, dtype=np.uint8)
    z = rng.standard_normal((trials, neurons)) @ root
    for t in range(bins):
        if t:
            fresh = rng.standard_normal((trials, neurons)) @ root
            z = memory * z + np.sqrt(1 - memory**2) * fresh
        spikes[:, t] = z + threshold > 0
    return spikes


def binary_covariance(p: ArrayLike, q: ArrayLike, correlation: ArrayLike) -> FloatArray:
    """Φ₂(Φ⁻¹(p), Φ⁻¹(q); ρ) − pq, elementwise: the covariance of two dichotomised Gaussians.

    Φ₂ from Owen's T function (Owen, Annals of Mathematical Statistics 27, 1075 (1956), Eq. 2.1),
    exact to rounding for every ρ in [−1, 1]. A neuron of rate 0 or 1 has covariance 0.
    """
    p, q, rho = np.broadcast_arrays(*(np.asarray(v, np.float64) for v in (p, q, correlation)))
    found = np.zeros(p.shape)
    moves = (p > 0) & (p < 1) & (q > 0) & (q < 1)
    p, q, rho = p[moves], q[moves], rho[moves]
    # the formula divides by h and k, and is continuous at 0
    h, k = (np.where(v == 0, 1e-150, v) for v in (ndtri(p), ndtri(q)))
    root = np.maximum(np.sqrt((1 - rho) * (1 + rho)), 1e-150)
    both = (ndtr(h) + ndtr(k)) / 2 - np.where(h * k < 0, 0.5, 0.0)
    with np.errstate(over="ignore"):
        both -= owens_t(h, (k / h - rho) / root) + owens_t(k, (h / k - rho) / root)
    found[moves] = both - p * q
    return found


def latent_correlation(p: ArrayLike, q: ArrayLike, spikes: ArrayLike) -> FloatArray:
    """The ρ whose :func:`binary_covariance` is `spikes`, elementwise, within ±0.9999.

    The covariance grows with ρ, with slope the bivariate normal density; Newton's step, and
    bisection where it leaves the bracket. A neuron of rate 0 or 1 gets 0.

    Raises:
        SpikeError: rates outside [0, 1], or covariances outside [max(0, p+q−1) − pq,
            min(p, q) − pq], which no two binary variables have.
    """
    p, q, c = np.broadcast_arrays(*(np.asarray(v, np.float64) for v in (p, q, spikes)))
    _check_rates("p", p)
    _check_rates("q", q)
    lowest, highest = np.maximum(0, p + q - 1) - p * q, np.minimum(p, q) - p * q
    wrong = ~((c >= lowest - 1e-9) & (c <= highest + 1e-9))
    if wrong.any():
        raise SpikeError(
            f"spikes: wanted a covariance in [{lowest[wrong][0]:g}, {highest[wrong][0]:g}] for "
            f"rates {p[wrong][0]:g} and {q[wrong][0]:g}, got {c[wrong][0]:g}"
        )
    moves = (p > 0) & (p < 1) & (q > 0) & (q < 1)
    found = np.zeros(p.shape)
    found[moves] = _invert(p[moves], q[moves], c[moves])
    return found


def nearest_correlation(matrix: ArrayLike, floor: float = 1e-8) -> FloatArray:
    """The correlation matrix nearest in Frobenius norm, with eigenvalues of `floor` or more.

    Alternating projections (Higham, IMA Journal of Numerical Analysis 22, 329 (2002)); the last
    step mixes in the identity, which keeps the diagonal. A matrix that is one already comes back
    as it is.

    Raises:
        SpikeError: not square and symmetric with finite numbers and a diagonal of ones.
    """
    x = np.asarray(matrix, dtype=np.float64)
    square = x.ndim == 2 and x.shape[0] == x.shape[1]
    if not square or not np.allclose(x, x.T, rtol=0, atol=1e-9) or np.abs(np.diag(x) - 1).any():
        raise SpikeError("matrix: wanted square and symmetric, with a diagonal of ones")
    if float(np.linalg.eigvalsh(x)[0]) >= floor:
        return x.copy()
    correction = np.zeros_like(x)
    for _ in range(200):
        values, vectors = np.linalg.eigh(x - correction)
        positive = (vectors * np.maximum(values, floor)) @ vectors.T
        correction = positive - (x - correction)
        before, x = x, positive.copy()
        np.fill_diagonal(x, 1.0)
        if np.abs(x - before).max() < 1e-8:
            break
    lowest = float(np.linalg.eigvalsh(x)[0])
    if lowest < floor:
        share = (floor - lowest) / (1 - lowest)
        x = (1 - share) * x + share * np.eye(len(x))
    return np.asarray((x + x.T) / 2)


def _invert(p: FloatArray, q: FloatArray, c: FloatArray) -> FloatArray:
    h, k = ndtri(p), ndtri(q)
    low, high = np.full(p.shape, -LARGEST_CORRELATION), np.full(p.shape, LARGEST_CORRELATION)
    rho = np.zeros(p.shape)
    for _ in range(60):
        wrong = binary_covariance(p, q, rho) - c
        high, low = np.where(wrong > 0, rho, high), np.where(wrong > 0, low, rho)
        rest = 1 - rho**2
        slope = np.exp(-(h**2 - 2 * rho * h * k + k**2) / (2 * rest)) / (2 * np.pi * np.sqrt(rest))
        step = rho - wrong / np.maximum(slope, 1e-300)
        inside = (step >= low) & (step <= high)
        after = np.where(inside, step, (low + high) / 2)
        moved, rho = np.abs(after - rho), after
        if (moved < 1e-12).all():
            break
    return rho


def _check_rates(name: str, rates: FloatArray) -> None:
    wrong = ~((rates >= 0) & (rates <= 1))
    if wrong.any():
        raise SpikeError(f"{name}: wanted numbers in [0, 1], got {rates[wrong][0]}")


def _root(latent: FloatArray) -> FloatArray:
    """A matrix R with RᵀR = Λ, which also serves Λ at the edge of being positive."""
    values, vectors = np.linalg.eigh(latent)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0))).T)


def _count(name: str, value: int) -> int:
    if isinstance(value, bool) or int(value) != value or value < 1:
        raise SpikeError(f"{name}: wanted a whole number >= 1, got {value}")
    return int(value)
