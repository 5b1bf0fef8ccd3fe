"""A whole trajectory from one set of measurements: E on a grid of s, feedback by integration.

Where every H(t) = r(t) H0 commutes with every other (no field), the state depends on time only
through s = ∫ r dt, so E(s) measured once gives the closed loop for any synapse:

    ds/dt = r,   dr/dt = (1 - r)/τ_r - U r E(s),   dU/dt = (𝒰 - U)/τ_f + 𝒰 (1 - U) E(s).

E(s) is even in s (H0 and the initial amplitudes are real) and holds no frequency above the
spectral width Δ of H0, so it is fitted by cosines up to Δ on a slightly longer interval.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline

from .synapse import FeedbackError, Synapse, SynapticState

__all__ = [
    "OrbitBand",
    "even_spline",
    "fit_orbit",
    "grid_size",
    "integrate_between",
    "integrate_orbit",
    "noisy_replicas",
]

Array = NDArray[np.float64]

_STRETCH = 1.15  # the fit's interval over the measured one: no wrap-around at its end
_STEP = 0.1  # of the integration, in radians of the fastest oscillation: r is right to 3e-5
_PAST = 1.02  # of the last phase: how far E(s) goes on beyond it
_POINTS_PER_PERIOD = 3.0  # of the fastest oscillation; two is the sampling theorem's limit


def grid_size(length: float, width: float) -> int:
    """Fewest grid points (the first at s = 0) that resolve width Δ over [0, length]."""
    return max(4, math.ceil(_POINTS_PER_PERIOD * length * width / (2 * math.pi)) + 2)


def _basis(s: Array, length: float, width: float) -> Array:
    span = _STRETCH * length
    modes = np.arange(math.ceil(width * span / math.pi) + 2)
    return np.asarray(np.cos(np.multiply.outer(s, modes * (math.pi / span))))


@dataclass(frozen=True)
class OrbitBand:
    """Closed-loop trajectories, replica 0 the estimate itself: arrays (time, 1 + replicas)."""

    excitation: Array
    r: Array
    utilisation: Array
    phase: Array


def fit_orbit(
    s: ArrayLike, values: ArrayLike, stderr: ArrayLike, width: float
) -> tuple[Array, float]:
    """Fit E(s) = Σ a_m cos(π m s / L), weighted least squares: coefficients (modes, …) and s_max.

    ``values`` is (grid,) or (grid, replicas), ``stderr`` (grid,). Raises ``FeedbackError`` if the
    grid is too coarse for ``width``, the largest frequency E(s) can hold.
    """
    s, values, stderr = (np.asarray(x, dtype=float) for x in (s, values, stderr))
    length = float(s[-1])
    if s.size < 0.99 * (length * width / math.pi + 1):
        raise FeedbackError(
            f"grid: wanted at least {grid_size(length, width)} points to resolve the largest "
            f"eigenvalue difference {width:.4g} over s = {length:.4g}, got {s.size}"
        )
    # a cap on the weights: an error bar that happens to be tiny must not outvote the rest
    weights = 1 / np.maximum(stderr, 0.3 * max(float(stderr.max()), 1e-12))
    design = _basis(s, length, width) * weights[:, None]
    target = values * (weights if values.ndim == 1 else weights[:, None])
    # the stretched interval leaves near-free directions: damp them far below the noise
    damping = 1e-3 * np.linalg.norm(design, 2) * np.eye(design.shape[1])
    padded = np.concatenate([target, np.zeros((design.shape[1], *target.shape[1:]))])
    return np.linalg.lstsq(np.concatenate([design, damping]), padded, rcond=None)[0], length


def integrate_orbit(
    synapse: Synapse,
    start: SynapticState,
    times: ArrayLike,
    s: ArrayLike,
    values: ArrayLike,
    stderr: ArrayLike,
    width: float,
    *,
    replicas: int = 200,
    seed: int = 0,
) -> OrbitBand:
    """Closed loop on a measured orbit, with a bootstrap band.

    Replica b refits E_j + stderr_j ξ_jb and integrates anew, so the band holds what shot noise
    does to E(s), r, U and s together. ``times`` (time,) starts at 0.
    """
    noisy = noisy_replicas(values, stderr, replicas, seed)
    coefficients, length = fit_orbit(s, noisy, stderr, width)
    points = _fine(length, width)
    return _integrate(
        synapse, start, times, length, _basis(points, length, width) @ coefficients, width
    )


def integrate_between(
    synapse: Synapse,
    start: SynapticState,
    times: ArrayLike,
    s: ArrayLike,
    values: ArrayLike,
    stderr: ArrayLike,
    width: float,
    *,
    replicas: int = 200,
    seed: int = 0,
    frequencies: ArrayLike | None = None,
) -> OrbitBand:
    """Closed loop on E(s) measured at phases near those that it will pass at ``times``.

    As :func:`integrate_orbit`, but for few points at any rising phases, s_0 = 0.

    Without ``frequencies``, E(s) is the cubic spline through the points with dE/ds = 0 at s = 0,
    where E(s) is even; a little past the last point it goes on, then stays. Between points that do
    not resolve its oscillations it is not known, and the band does not tell.

    With ``frequencies`` (every one that E(s) can have, 0 among them), E(s) is their sum of cosines,
    fitted to the points by weighted least squares. This takes the spectrum of the model as known
    and needs no resolution, but at least as many points as frequencies.

    Raises:
        FeedbackError: for phases that do not rise, or fewer points than frequencies.
    """
    phases = np.asarray(s, dtype=float)
    if phases.size < 2 or not np.all(np.diff(phases) > 0):
        raise FeedbackError("s: wanted at least two phases that rise")
    length = float(phases[-1])
    noisy = noisy_replicas(values, stderr, replicas, seed)
    # what was measured may end a little before the phase that the law reaches
    length *= _PAST
    rate = width
    if frequencies is not None:
        curve = _cosines(phases, noisy, np.asarray(stderr, dtype=float), frequencies)
        points = _fine(length, width)
    else:
        curve = even_spline(phases, noisy)
        # finer than the closest points, or the table would be off at the points themselves
        points = _fine(length, max(width, 2 * math.pi / float(np.diff(phases).min())))
        # a spline turns no faster than its points allow
        rate = min(width, 2 * math.pi / float(np.median(np.diff(phases))))
    return _integrate(synapse, start, times, length, curve(points), rate)


def even_spline(x: Array, values: Array) -> CubicSpline:
    """Cubic spline through (points, columns) that is flat at the first, x_0 = 0."""
    flat = np.zeros(values.shape[1])
    # fewer than four points leave no knot to do without
    last: Any = "not-a-knot" if x.size > 3 else (2, flat)
    return CubicSpline(x, values, axis=0, bc_type=((1, flat), last))


def _cosines(
    s: Array, values: Array, stderr: Array, frequencies: ArrayLike
) -> Callable[[Array], Array]:
    """E(s) = Σ a_m cos(ω_m s) through (grid, columns) of values, by weighted least squares."""
    omega = np.asarray(frequencies, dtype=float)
    if omega.size > s.size:
        raise FeedbackError(
            f"frequencies: wanted at most {s.size}, as there are points, got {omega.size}"
        )
    # a cap on the weights: an error bar that happens to be tiny must not outvote the rest
    weights = 1 / np.maximum(stderr, 0.1 * max(float(stderr.max()), 1e-12))
    design = np.cos(np.multiply.outer(s, omega)) * weights[:, None]
    # frequencies that the length cannot tell apart share their part
    found = np.linalg.lstsq(design, values * weights[:, None], rcond=1e-3)[0]
    return lambda points: np.asarray(np.cos(np.multiply.outer(points, omega)) @ found)


def noisy_replicas(values: ArrayLike, stderr: ArrayLike, replicas: int, seed: int) -> Array:
    """The estimate itself and noisy ones, (grid, 1 + replicas)."""
    values, stderr = np.asarray(values, dtype=float), np.asarray(stderr, dtype=float)
    noise = np.random.default_rng(seed).standard_normal((values.size, replicas))
    return np.column_stack([values, values[:, None] + stderr[:, None] * noise])


def _fine(length: float, width: float) -> Array:
    # linear between its points: 120 points a period leave an error below 4e-4 of the fastest
    # component, which carries little weight
    fine = max(64, math.ceil(120 * length * width / (2 * math.pi)))
    return np.linspace(0, length, fine + 1, dtype=np.float64)


def _integrate(
    synapse: Synapse,
    start: SynapticState,
    times: ArrayLike,
    length: float,
    table: Array,
    rate: float,
) -> OrbitBand:
    """Closed loops on E(s) tabulated evenly over [0, length], one a column of ``table``.

    ``rate``: the largest frequency that the table has.
    """
    times = np.asarray(times, dtype=float)
    fine, count = table.shape[0] - 1, table.shape[1]
    columns = np.arange(count)

    def energy(phase: Array) -> Array:
        x = np.clip(phase * (fine / length), 0, fine)
        j = np.minimum(x.astype(np.int64), fine - 1)
        low = table[j, columns]
        return np.asarray(np.clip(low + (x - j) * (table[j + 1, columns] - low), 0, 1))

    r: Array
    u: Array
    phase: Array
    r, u, phase = (np.full(count, x) for x in (start.r, start.utilisation, start.phase))
    out = [np.empty((times.size, count)) for _ in range(4)]
    for k, time in enumerate(times):
        for array, value in zip(out, (energy(phase), r, u, phase), strict=True):
            array[k] = value
        if k + 1 == times.size:
            break
        span = float(times[k + 1] - time)
        parts = max(4, math.ceil(span * rate / _STEP))
        for _ in range(parts):
            h = span / parts
            middle = energy(phase + synapse.step(r, u, energy(phase), h / 2)[2])
            r, u, ds = synapse.step(r, u, middle, h)
            phase = phase + ds
    return OrbitBand(*out)
