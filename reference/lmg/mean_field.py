"""The classical limit N → ∞: three spin equations, r and U.

With m = 2⟨J⟩/N and products of spins factorised, H of Torres and Romera (arXiv:2602.16003, Eq. 2)
gives for N → ∞, g = g0 r,

    dm_x/dt = −g(1−γ) m_y m_z + h m_y
    dm_y/dt =  g(1+γ) m_x m_z − h m_x
    dm_z/dt = −2gγ m_x m_y
    dr/dt = (1 − r)/τ_r − U r E,    dU/dt = (𝒰 − U)/τ_f + 𝒰(1 − U) E,    E = (1 + m_z)/2.

The length of m is conserved. Without a field (1+γ)m_x² + (1−γ)m_y² is too, whatever r does; with
r ≡ 1, −(g0/2)[(1+γ)m_x² + (1−γ)m_y²] − h m_z is.

A Dicke state with n excitations is no single classical spin: it becomes the ring of all m with
m_z = 2n/N − 1, whose members share r and U, driven by their mean E. `dicke_ring` makes that ring.
Silent and saturated shrink to the poles, which do not move: there quantum fluctuations start the
motion, after a time that grows like log N, and the classical limit misses it.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from scipy.integrate import odeint

from .hamiltonian import LMG, FloatArray, ModelError, initial_excitations, whole
from .synaptic_clock import (
    IntegrationError,
    Law,
    SynapseLike,
    checked_law,
    checked_times,
    checked_tolerance,
)


def dicke_ring(neurons: int, initial: str | int, members: int = 64) -> FloatArray:
    """The classical spins of a Dicke state: equally spaced on the ring m_z = 2n/N − 1.

    Args:
        neurons: N.
        initial: silent, half, saturated or the number of excitations n.
        members: how many; averages over the ring converge exponentially in it.

    Returns:
        Unit vectors, shape (members, 3).

    Raises:
        ModelError: no such state, or fewer than one member.
    """
    height = 2 * initial_excitations(neurons, initial) / neurons - 1
    angle = 2 * np.pi * np.arange(whole("members", members, 1)) / members
    radius = np.sqrt(1 - height**2)
    return np.stack(
        [radius * np.cos(angle), radius * np.sin(angle), np.full(members, height)], axis=1
    )


def mean_field(
    model: LMG,
    synapse: SynapseLike,
    spins: ArrayLike,
    times: ArrayLike,
    *,
    r0: float = 1.0,
    U0: float | None = None,
    tolerance: float = 1e-9,
) -> xr.Dataset:
    """Integrate the classical equations of one spin, or of many that share r and U.

    Args:
        model: γ, g0 and h; its number of neurons plays no part, the limit is taken.
        synapse: anything with `tau_r`, `tau_f` and `release`.
        spins: m at t = 0, unit vectors, shape (3,) or (members, 3).
        times: where to report, shape (times,), increasing and >= 0.
        r0: r at t = 0, in [0, 1].
        U0: U at t = 0, in [0, 1]; 𝒰 unless given.
        tolerance: asked of the integrator, absolute and relative, from 1e-12 to 0.01. Near a
            separatrix classical spins magnify small errors exponentially.

    Returns:
        A dataset over `time` with `excitation` (the members' mean E), `r`, `U`, and `spin` over
        (`time`, `member`, `axis`).

    Raises:
        ModelError: an argument that makes no sense; the message names it.
        IntegrationError: the integrator gave up.
    """
    law = checked_law(synapse, r0, U0)
    t = checked_times(times)
    accuracy = max(checked_tolerance(tolerance), 1e-13)
    start = np.atleast_2d(np.asarray(spins, dtype=np.float64))
    if start.ndim != 2 or start.shape[1] != 3 or not np.all(np.isfinite(start)):
        raise ModelError(
            f"spins: wanted finite numbers of shape (3,) or (members, 3), got {np.shape(spins)}"
        )
    lengths = np.linalg.norm(start, axis=1)
    if np.any(np.abs(lengths - 1) > 1e-9):
        worst = lengths[np.argmax(np.abs(lengths - 1))]
        raise ModelError(f"spins: wanted unit vectors, got one of length {worst}")
    members = len(start)
    r_start = 1.0 if law.tau_r == 0 else law.r0
    u_start = law.release if law.tau_f == 0 else law.U0
    y = np.concatenate((start.T.ravel(), [r_start, u_start]))
    grid = t if t[0] == 0.0 else np.concatenate(([0.0], t))
    if len(grid) > 1:
        solution, info = odeint(
            lambda y, _: _rates(y, members, model, law),
            y,
            grid,
            rtol=0.1 * accuracy,
            atol=0.1 * accuracy,
            mxstep=2_000_000_000,
            full_output=True,
        )
        if info["message"] != "Integration successful.":
            raise IntegrationError(f"the classical equations: {info['message']}")
    else:
        solution = y[None]
    solution = solution[len(grid) - len(t) :]
    spin = solution[:, :-2].reshape(len(t), 3, members).transpose(0, 2, 1)
    names = {
        "excitation": ("fraction of active neurons E", (1 + spin[..., 2].mean(axis=1)) / 2),
        "r": ("synaptic efficacy r", solution[:, -2]),
        "U": ("release probability U", solution[:, -1]),
    }
    data = {
        key: xr.Variable(("time",), values, {"long_name": name, "units": "1"})
        for key, (name, values) in names.items()
    }
    data["spin"] = xr.Variable(
        ("time", "member", "axis"), spin, {"long_name": "classical spin 2⟨J⟩/N", "units": "1"}
    )
    coordinates = {
        "time": xr.Variable(("time",), t, {"long_name": "time", "units": "inverse coupling"}),
        "axis": xr.Variable(("axis",), ["x", "y", "z"]),
    }
    parameters = {
        "gamma": model.gamma,
        "g0": model.g0,
        "field": model.field,
        "tau_r": law.tau_r,
        "tau_f": law.tau_f,
        "release": law.release,
        "r0": law.r0,
        "U0": law.U0,
        "tolerance": tolerance,
    }
    return xr.Dataset(data, coordinates, parameters)


def _rates(y: FloatArray, members: int, model: LMG, law: Law) -> FloatArray:
    x, yy, z = y[:-2].reshape(3, members)
    r, u = y[-2], y[-1]
    g = model.g0 * r
    e = 0.5 + 0.5 * z.mean()
    out = np.empty_like(y)
    spin = out[:-2].reshape(3, members)
    spin[0] = (-g * (1 - model.gamma) * z + model.field) * yy
    spin[1] = (g * (1 + model.gamma) * z - model.field) * x
    spin[2] = -2 * g * model.gamma * x * yy
    out[-2] = 0.0 if law.tau_r == 0 else (1 - r) / law.tau_r - u * r * e
    out[-1] = 0.0 if law.tau_f == 0 else (law.release - u) / law.tau_f + law.release * (1 - u) * e
    return out
