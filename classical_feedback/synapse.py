"""Short-term synaptic plasticity: depression r(t) and facilitation U(t).

The law of Torres and Romera (arXiv:2602.16003, Eqs. 4 and 5), after Tsodyks, Pawelzik and
Markram (1998), driven by the excitation E(t) that was measured:

    dr/dt = (1 - r)/τ_r - U r E
    dU/dt = (𝒰 - U)/τ_f + 𝒰 (1 - U) E

Times are in the inverse unit of the coupling g0 (ħ = 1); r, U and 𝒰 are dimensionless and lie
in [0, 1]. τ_r = 0 stands for r ≡ 1 (no depression), τ_f = 0 for U ≡ 𝒰 (no facilitation).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["FeedbackError", "HasValue", "Synapse", "SynapticLaw", "SynapticState"]

Array = NDArray[np.float64]


class FeedbackError(ValueError):
    """A feedback law was given a value it has no meaning for."""


def _wanted(name: str, wanted: str, got: object) -> FeedbackError:
    return FeedbackError(f"{name}: wanted {wanted}, got {got!r}")


def _finite(name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise _wanted(name, "a number", value) from None
    if not math.isfinite(number):
        raise _wanted(name, "a finite number", value)
    return number


@dataclass(frozen=True)
class Synapse:
    """Parameters of the synapse, and its equations of motion.

    Parameters: ``tau_r`` recovery time (>= 0), ``tau_f`` facilitation time (>= 0), ``release``
    the release probability 𝒰 at rest, in [0, 1].

    Raises ``FeedbackError`` for a negative time, a 𝒰 outside [0, 1], or anything not finite.
    """

    tau_r: float
    tau_f: float = 0.0
    release: float = 0.5

    def __post_init__(self) -> None:
        """Refuse what the law has no meaning for."""
        for name in ("tau_r", "tau_f"):
            value = _finite(name, getattr(self, name))
            if value < 0:
                raise _wanted(name, "a time >= 0", getattr(self, name))
        if not 0 <= _finite("release", self.release) <= 1:
            raise _wanted("release", "a probability in [0, 1]", self.release)

    def start(self, r: float = 1.0, utilisation: float | None = None) -> SynapticState:
        """State at t = 0: r(0) and U(0) (𝒰 unless given), both in [0, 1].

        With τ_r = 0 only r = 1, with τ_f = 0 only U = 𝒰 is a state of the law.
        """
        u = self.release if utilisation is None else utilisation
        for name, value in (("r", r), ("U", u)):
            if not 0 <= _finite(name, value) <= 1:
                raise _wanted(name, "a value in [0, 1]", value)
        if self.tau_r == 0 and r != 1:
            raise _wanted("r", "1, since tau_r = 0 holds r at 1", r)
        if self.tau_f == 0 and u != self.release:
            raise _wanted("U", f"{self.release}, since tau_f = 0 holds U at release", u)
        return SynapticState(float(r), float(u), 0.0)

    def rhs(self, r: ArrayLike, u: ArrayLike, energy: ArrayLike) -> tuple[Array, Array]:
        """Right-hand sides (dr/dt, dU/dt) of Eqs. 4 and 5; arguments broadcast."""
        r, u, energy = (np.asarray(x, dtype=float) for x in (r, u, energy))
        zero = np.zeros(np.broadcast_shapes(r.shape, u.shape, energy.shape))
        dr = zero if self.tau_r == 0 else (1 - r) / self.tau_r - u * r * energy
        du = (
            zero
            if self.tau_f == 0
            else (self.release - u) / self.tau_f + self.release * (1 - u) * energy
        )
        return dr, du

    def step(
        self, r: ArrayLike, u: ArrayLike, energy: ArrayLike, dt: float
    ) -> tuple[Array, Array, Array]:
        """Flow over ``dt`` with E and, in the r equation, U held constant: (r', U', ∫r dt).

        r → r e^{-kdt} + φ/τ_r with k = 1/τ_r + U E, φ = (1 - e^{-kdt})/k; likewise U with
        k_U = 1/τ_f + 𝒰 E. Exact for constant E where τ_f = 0, and in U always; with both
        moving, the U used for r is the exact one at the middle of the step (second order).
        Unconditionally stable: stiff τ cannot blow up.
        """
        r, u, energy = (np.asarray(x, dtype=float) for x in (r, u, energy))
        if self.tau_f == 0:
            middle = end = u + np.zeros_like(energy)
        else:
            k_u = 1 / self.tau_f + self.release * energy
            source = self.release * (1 / self.tau_f + energy)
            middle = _relax(u, k_u, source, 0.5 * dt)[0]
            end = _relax(u, k_u, source, dt)[0]
        if self.tau_r == 0:
            shape = np.broadcast_shapes(r.shape, u.shape, energy.shape)
            return np.ones(shape), end, np.full(shape, float(dt))
        new, integral = _relax(r, 1 / self.tau_r + middle * energy, 1 / self.tau_r, dt)
        return new, end, integral

    def advance(
        self,
        r: ArrayLike,
        u: ArrayLike,
        energy: ArrayLike,
        slope: ArrayLike,
        dt: float,
        substeps: int = 16,
    ) -> tuple[Array, Array, Array]:
        """Flow over ``dt`` with E(t) = energy + slope·t, clipped to [0, 1]: (r', U', ∫r dt).

        Composed of ``substeps`` flows at the midpoint value of E, so its own error is of second
        order in dt/substeps. All arguments broadcast: an ensemble advances in one call.
        """
        if not dt > 0 or not math.isfinite(dt):
            raise _wanted("dt", "a finite time > 0", dt)
        energy, slope = np.asarray(energy, dtype=float), np.asarray(slope, dtype=float)
        h = dt / substeps
        total: Array = np.zeros(())
        r, u = np.asarray(r, dtype=float), np.asarray(u, dtype=float)
        for j in range(substeps):
            drive = np.clip(energy + slope * ((j + 0.5) * h), 0.0, 1.0)
            r, u, part = self.step(r, u, drive, h)
            total = total + part
        return r, u, total

    def fixed_point(self, energy: ArrayLike) -> tuple[Array, Array]:
        """(r∞, U∞) that a constant E leads to."""
        energy = np.asarray(energy, dtype=float)
        u = (
            self.release + 0 * energy
            if self.tau_f == 0
            else self.release * (1 + self.tau_f * energy) / (1 + self.tau_f * self.release * energy)
        )
        return 1 / (1 + self.tau_r * u * energy), u


def _relax(x: Array, rate: Array, source: Array | float, dt: float) -> tuple[Array, Array]:
    """Solution at dt of ẋ = source - rate·x, and its integral over [0, dt]."""
    z = rate * dt
    small = np.abs(z) < 1e-4
    safe = np.where(small, 1.0, z)
    phi1 = np.where(small, 1 - z / 2 + z**2 / 6, -np.expm1(-safe) / safe)
    phi2 = np.where(small, 0.5 - z / 6 + z**2 / 24, (1 - phi1) / safe)
    return x * np.exp(-z) + source * dt * phi1, x * dt * phi1 + source * dt * dt * phi2


@dataclass(frozen=True)
class SynapticState:
    """Control between two measurements: r, U and the phase s = ∫ r dt reached so far."""

    r: float
    utilisation: float
    phase: float


class HasValue(Protocol):
    """Anything with a measured value, such as ``estimator.Estimate``."""

    @property
    def value(self) -> float:
        """The value the feedback acts on."""


@dataclass(frozen=True)
class SynapticLaw:
    """The law as the hybrid loop wants it: (state, estimates so far, dt) → next state.

    ``order`` 1 holds the last E over the step (error of first order in dt); 2 extrapolates E
    linearly through the last two measurements (second order). The first step has only one
    measurement and holds it, which leaves the global order at 2.
    """

    synapse: Synapse
    order: int = 2

    def __post_init__(self) -> None:
        """Refuse orders that do not exist."""
        if self.order not in (1, 2):
            raise _wanted("order", "1 or 2", self.order)

    def __call__(
        self, state: SynapticState, estimates: Sequence[HasValue], dt: float
    ) -> SynapticState:
        """State after a step ``dt`` that follows the last of ``estimates`` (equal steps)."""
        energy = min(max(estimates[-1].value, 0.0), 1.0)
        slope = 0.0
        if self.order == 2 and len(estimates) > 1:
            slope = (energy - min(max(estimates[-2].value, 0.0), 1.0)) / dt
        r, u, integral = self.synapse.advance(state.r, state.utilisation, energy, slope, dt)
        return SynapticState(float(r), float(u), state.phase + float(integral))
