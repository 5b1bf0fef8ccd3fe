"""s, r and U along a known orbit: three scalar equations.

    ds/dt = r,    dr/dt = (1 − r)/τ_r − U r E(s),    dU/dt = (𝒰 − U)/τ_f + 𝒰(1 − U) E(s)

(Torres and Romera, arXiv:2602.16003, Eqs. 4 and 5.) τ_r = 0 means r ≡ 1 and τ_f = 0 means U ≡ 𝒰.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import odeint

from .chebyshev_panels import Panels
from .hamiltonian import FloatArray, ModelError, finite, unit_interval

Rates = Callable[[FloatArray, float], tuple[float, ...]]


class IntegrationError(RuntimeError):
    """An integrator that gave up, and why."""


class SynapseLike(Protocol):
    """What is read from a synapse: τ_r >= 0, τ_f >= 0 and the release probability 𝒰 in [0, 1]."""

    @property
    def tau_r(self) -> float:
        """Recovery time; 0 means r ≡ 1."""

    @property
    def tau_f(self) -> float:
        """Facilitation time; 0 means U ≡ 𝒰."""

    @property
    def release(self) -> float:
        """𝒰, the release probability without facilitation."""


@dataclass(frozen=True)
class Law:
    """The synapse's numbers, checked: τ_r, τ_f, 𝒰 and the values r(0), U(0) at the start."""

    tau_r: float
    tau_f: float
    release: float
    r0: float
    U0: float


def checked_law(synapse: SynapseLike, r0: float, U0: float | None) -> Law:
    """The law of a synapse; U(0) is 𝒰 unless given.

    Where τ_r = 0 (τ_f = 0), r (U) is a constant and its value at the start is not used.

    Raises:
        ModelError: a negative τ, or 𝒰, r(0) or U(0) outside [0, 1], or not finite.
    """
    times = {name: finite(name, getattr(synapse, name)) for name in ("tau_r", "tau_f")}
    for name, value in times.items():
        if value < 0.0:
            raise ModelError(f"{name}: wanted a number >= 0, got {value}")
    release = unit_interval("release", synapse.release)
    start = release if U0 is None else unit_interval("U0", U0)
    return Law(times["tau_r"], times["tau_f"], release, unit_interval("r0", r0), start)


def checked_times(times: ArrayLike) -> FloatArray:
    """The times as an array, shape (times,).

    Raises:
        ModelError: no times, negative ones, or ones that do not increase.
    """
    t = np.asarray(times, dtype=np.float64)
    if t.ndim != 1 or len(t) == 0:
        raise ModelError(f"times: wanted shape (times,) with at least one time, got {t.shape}")
    if not np.all(np.isfinite(t)):
        raise ModelError(f"times: wanted finite numbers, got {t[~np.isfinite(t)][0]}")
    if t[0] < 0.0:
        raise ModelError(f"times: wanted numbers >= 0, got {t[0]}")
    if np.any(np.diff(t) <= 0.0):
        late = int(np.argmax(np.diff(t) <= 0.0))
        raise ModelError(f"times: wanted increasing numbers, got {t[late]} before {t[late + 1]}")
    return t


def checked_tolerance(tolerance: float) -> float:
    """The tolerance, from 1e-12 to 0.01; `ModelError` otherwise."""
    value = finite("tolerance", tolerance)
    if not 1e-12 <= value <= 1e-2:
        raise ModelError(f"tolerance: wanted a number from 1e-12 to 0.01, got {value}")
    return value


def run_clock(
    law: Law,
    excitation: Callable[[float], float],
    times: FloatArray,
    tolerance: float,
    longest: float,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """s, r and U at the times, shape (times,) each.

    Args:
        law: the synapse.
        excitation: E(s), for plain numbers: it is called once or twice a step.
        times: increasing, >= 0.
        tolerance: the error wanted in E(s(t)), r and U over the whole run.
        longest: the longest step that cannot jump over a feature of E(s), as r <= 1.

    Raises:
        IntegrationError: the integrator gave up.
    """
    ones = np.ones(len(times))
    fixed_r, fixed_u = law.tau_r == 0.0, law.tau_f == 0.0
    if fixed_r and fixed_u:
        return times.copy(), ones, law.release * ones
    accuracy = max(5e-3 * tolerance, 1e-13)
    if fixed_r:
        (u,) = _integrate(_facilitation(law, excitation), [law.U0], times, accuracy, longest)
        return times.copy(), ones, u
    if fixed_u:
        rates, start = _depression(law, excitation), [0.0, law.r0]
        s, r = _integrate(rates, start, times, accuracy, longest)
        return s, r, law.release * ones
    s, r, u = _integrate(_both(law, excitation), [0.0, law.r0, law.U0], times, accuracy, longest)
    return s, r, u


def _integrate(
    rates: Rates, start: list[float], times: FloatArray, accuracy: float, longest: float
) -> FloatArray:
    """LSODA: Adams while it can, backward differentiation where τ is stiff."""
    grid = times if times[0] == 0.0 else np.concatenate(([0.0], times))
    if len(grid) == 1:
        return np.array(start)[:, None]
    # s grows without bound while E(s) feels its absolute error, so the relative tolerance is the
    # least that LSODA takes.
    solution, info = odeint(
        rates,
        start,
        grid,
        rtol=5e-14,
        atol=accuracy,
        hmax=longest,
        mxstep=2_000_000_000,
        full_output=True,
    )
    if info["message"] != "Integration successful.":
        raise IntegrationError(f"the r and U equations could not be integrated: {info['message']}")
    return np.asarray(solution[len(grid) - len(times) :].T)


def _depression(law: Law, excitation: Callable[[float], float]) -> Rates:
    recovery, release = 1 / law.tau_r, law.release

    def rates(y: FloatArray, t: float) -> tuple[float, ...]:
        s, r = y.tolist()
        return r, (1 - r) * recovery - release * r * excitation(s)

    return rates


def _facilitation(law: Law, excitation: Callable[[float], float]) -> Rates:
    decay, release = 1 / law.tau_f, law.release

    def rates(y: FloatArray, t: float) -> tuple[float, ...]:
        (u,) = y.tolist()
        return ((release - u) * decay + release * (1 - u) * excitation(t),)

    return rates


def _both(law: Law, excitation: Callable[[float], float]) -> Rates:
    recovery, decay, release = 1 / law.tau_r, 1 / law.tau_f, law.release

    def rates(y: FloatArray, t: float) -> tuple[float, ...]:
        s, r, u = y.tolist()
        e = excitation(s)
        return (
            r,
            (1 - r) * recovery - u * r * e,
            (release - u) * decay + release * (1 - u) * e,
        )

    return rates


def table_lookup(panels: Panels) -> Callable[[float], float]:
    """The panels' function for plain numbers, a few hundred nanoseconds a call."""
    start, scale, table = panels.table(0.0)
    count = float(len(table))

    def look(s: float) -> float:
        nonlocal start, scale, table
        x = (s - start) * scale
        if not 0.0 <= x < count:
            start, scale, table = panels.table(s if s > 0.0 else 0.0)
            x = min(max((s - start) * scale, 0.0), count - 1e-9)
        i = int(x)
        x = 2.0 * (x - i) - 1.0
        a, b, c, d, e, f, g, h, k, m, n, o = table[i]
        high = h + x * (k + x * (m + x * (n + x * o)))
        return a + x * (b + x * (c + x * (d + x * (e + x * (f + x * (g + x * high))))))

    return look
