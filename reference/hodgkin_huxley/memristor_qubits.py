"""Memristor qubits, alone and in pairs: the continuous equations that their circuits follow.

    dρ/dt = −i[ωZ/2, ρ] + γ(μ)(σρσ† − ½{σ†σ, ρ}),   σ = |0⟩⟨1|,
    dμ/dt = ⟨Y⟩,   γ(μ) = γ₀(1 − sin μ)

so that ẋ = −ωy − γx/2, ẏ = ωx − γy/2, ż = γ(1 − z). Rotation and damping commute, and with
Γ = ∫γ dt the state is known but for two numbers:

    x + iy = (x₀ + iy₀) e^{iωt − Γ/2},   z = 1 − (1 − z₀)e^{−Γ},   dΓ/dt = γ₀(1 − sin μ)

⟨Y⟩ plays the voltage and γ⟨Y⟩ the current: zero together, with a conductance γ >= 0 that depends
on the history, as in Eqs. 7 and 8 of Cheng, Gonzalez-Raya, Chen, Sanz and Solano,
arXiv:1807.10698. The paper has circuits of charge and flux; the qubit, its γ and its μ are ours,
with the sinusoidal dependence that a Josephson junction gives (J. Salmilehto et al., Sci. Rep. 7,
42044 (2017)).

Two of them, each with a bath and a μ of its own, are coupled by J(XX+YY)/2; the paper's outlook
says that the dynamics of two coupled quantum memristors is unknown.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import solve_ivp

from .gate_qubits import (
    ComplexArray,
    FloatArray,
    GateError,
    bloch_vectors,
    checked_array,
    checked_bloch,
    density_matrix,
    reduced_states,
)

__all__ = ["concurrence", "negativity", "simulate_memristor_pair", "simulate_memristor_qubit"]

_TOLERANCE = {"method": "DOP853", "rtol": 1e-12, "atol": 1e-14}
_LABELS = {
    "x": ("expectation value of X", "1"),
    "y": ("expectation value of Y", "1"),
    "z": ("expectation value of Z", "1"),
    "mu": ("memory variable, integral of the expectation value of Y", "1"),
    "gamma": ("damping rate", "inverse time"),
    "voltage": ("expectation value of Y", "1"),
    "current": ("damping rate times the expectation value of Y", "inverse time"),
}


def simulate_memristor_qubit(
    omega: float, gamma0: float, initial: ArrayLike, times: ArrayLike, *, mu0: float = 0.0
) -> xr.Dataset:
    """The exact trajectory of one memristor qubit.

    Args:
        omega: ω, any sign, in inverse time units.
        gamma0: γ₀ >= 0, in inverse time units; the rate is between 0 and 2γ₀.
        initial: the Bloch vector at t = 0, shape (3,), of length at most 1.
        times: where to report, shape (times,), increasing and >= 0.
        mu0: μ at t = 0.

    Returns:
        A dataset over `time` with `x`, `y`, `z`, `mu`, `gamma`, `voltage` (⟨Y⟩) and `current`
        (γ⟨Y⟩).

    Raises:
        GateError: an argument that makes no sense; the message names it.
    """
    w = float(checked_array("omega", omega, ()))
    g = float(_rates("gamma0", gamma0, ()))
    x0, y0, z0 = checked_bloch("initial", initial, (3,))
    t = _checked_times(times)
    start = float(checked_array("mu0", mu0, ()))

    def turned(time: float, fall: float) -> complex:
        return complex((x0 + 1j * y0) * np.exp(1j * w * time - fall / 2))

    def slope(time: float, y: FloatArray) -> list[float]:
        return [turned(time, y[1]).imag, g * (1 - np.sin(y[0]))]

    mu, fall = _solved(slope, np.array([start, 0.0]), t, "memristor qubit").T
    plane = (x0 + 1j * y0) * np.exp(1j * w * t - fall / 2)
    bloch = np.stack([plane.real, plane.imag, 1 - (1 - z0) * np.exp(-fall)], axis=-1)
    return xr.Dataset(
        _variables(("time",), bloch, mu, g * (1 - np.sin(mu))),
        {"time": ("time", t, {"long_name": "time", "units": "time"})},
        {"omega": w, "gamma0": g, "mu0": start},
    )


def simulate_memristor_pair(
    omega: ArrayLike,
    gamma0: ArrayLike,
    exchange: float,
    initial: ArrayLike,
    times: ArrayLike,
    *,
    mu0: ArrayLike = (0.0, 0.0),
    feedback: bool = True,
    states: bool = False,
) -> xr.Dataset:
    """The exact trajectory of two memristor qubits under H = Σ ω_a Z_a/2 + J(XX+YY)/2.

    Args:
        omega: ω of each, shape (2,).
        gamma0: γ₀ >= 0 of each, shape (2,).
        exchange: J, any sign; all in inverse time units.
        initial: the Bloch vectors at t = 0, shape (2, 3); a product state.
        times: where to report, shape (times,), increasing and >= 0.
        mu0: μ of each at t = 0, shape (2,).
        feedback: False leaves the rates at γ₀(1 − sin μ(0)), which makes the equation linear; μ is
            reported all the same.
        states: whether to report the density matrices, index 2·q₁ + q₀.

    Returns:
        A dataset over `time` and `qubit` with `x`, `y`, `z`, `mu`, `gamma`, `voltage` and
        `current`, and over `time` with `concurrence`, `negativity` and `purity`; with
        `state_real` and `state_imag` over (time, row, column) where asked for.

    Raises:
        GateError: an argument that makes no sense; the message names it.
    """
    w, g = checked_array("omega", omega, (2,)), _rates("gamma0", gamma0, (2,))
    coupling = float(checked_array("exchange", exchange, ()))
    low, high = density_matrix(checked_bloch("initial", initial, (2, 3)))
    t = _checked_times(times)
    memory = checked_array("mu0", mu0, (2,))
    parts = _generators(w, coupling)
    # Tr(Y_a ρ) as a row vector on the columns of ρ
    rows = np.stack([np.kron(np.eye(2), _Y).T.ravel(), np.kron(_Y, np.eye(2)).T.ravel()])
    frozen = g * (1 - np.sin(memory))

    def slope(_: float, y: ComplexArray) -> ComplexArray:
        rates = g * (1 - np.sin(y[16:].real)) if feedback else frozen
        free, *lost = (parts @ y[:16]).reshape(3, 16)
        return np.concatenate([free + rates[0] * lost[0] + rates[1] * lost[1], rows @ y[:16]])

    begin = np.concatenate([np.kron(high, low).ravel(), memory])
    found = _solved(slope, begin, t, "pair of memristor qubits")
    rho = found[:, :16].reshape(-1, 4, 4)
    rho = (rho + rho.conj().swapaxes(-1, -2)) / 2
    mu = found[:, 16:].real
    gamma = g * (1 - np.sin(mu)) if feedback else np.broadcast_to(frozen, mu.shape)
    data = _variables(("time", "qubit"), bloch_vectors(reduced_states(rho)), mu, gamma)
    for name, values in (
        ("concurrence", concurrence(rho)),
        ("negativity", negativity(rho)),
        ("purity", np.einsum("tab,tba->t", rho, rho).real),
    ):
        data[name] = xr.Variable(("time",), values, {"long_name": name, "units": "1"})
    if states:
        for name, values in (("state_real", rho.real), ("state_imag", rho.imag)):
            data[name] = xr.Variable(
                ("time", "row", "column"), values, {"long_name": "density matrix", "units": "1"}
            )
    return xr.Dataset(
        data,
        {"time": ("time", t, {"long_name": "time", "units": "time"}), "qubit": [0, 1]},
        {
            "omega": w.tolist(),
            "gamma0": g.tolist(),
            "mu0": memory.tolist(),
            "exchange": coupling,
            "feedback": int(feedback),
        },
    )


def concurrence(states: ArrayLike) -> FloatArray:
    """max(0, λ₁ − λ₂ − λ₃ − λ₄) of two-qubit density matrices (…, 4, 4), from 0 to 1.

    λ are the singular values of AᵀSA in falling order, with ρ = AA† and S = Y⊗Y (W. K. Wootters,
    Phys. Rev. Lett. 80, 2245 (1998)).
    """
    values, vectors = np.linalg.eigh(_pairs(states))
    root = vectors * np.sqrt(np.clip(values, 0, None))[..., None, :]
    flipped = root.swapaxes(-1, -2) @ np.kron(_Y, _Y) @ root
    sizes = np.linalg.svd(flipped, compute_uv=False)
    return np.asarray(np.clip(2 * sizes[..., 0] - sizes.sum(axis=-1), 0, None))


def negativity(states: ArrayLike) -> FloatArray:
    """−Σ of the negative eigenvalues of ρ transposed on q₀, from 0 to ½; states (…, 4, 4)."""
    rho = _pairs(states)
    parts = rho.reshape(*rho.shape[:-2], 2, 2, 2, 2).swapaxes(-1, -3)
    values = np.linalg.eigvalsh(parts.reshape(rho.shape))
    return np.asarray(-np.clip(values, None, 0).sum(axis=-1))


_X = np.array([[0, 1], [1, 0]], dtype=np.complex128)
_Y = np.array([[0, -1j], [1j, 0]])
_Z = np.diag([1.0 + 0j, -1.0])


def _pairs(states: ArrayLike) -> ComplexArray:
    rho = np.asarray(states, dtype=np.complex128)
    if rho.shape[-2:] != (4, 4):
        raise GateError(f"states: wanted shape (..., 4, 4), got {rho.shape}")
    return rho


def _rates(name: str, value: ArrayLike, shape: tuple[int, ...]) -> FloatArray:
    found = checked_array(name, value, shape)
    if np.any(found < 0):
        raise GateError(f"{name}: wanted numbers >= 0, got {found.min():g}")
    return found


def _checked_times(times: ArrayLike) -> FloatArray:
    t = checked_array("times", times, (None,))
    if not len(t) or t[0] < 0 or np.any(np.diff(t) <= 0):
        raise GateError("times: wanted at least one, >= 0 and increasing")
    return t


def _solved(
    slope: Callable[..., Any], start: NDArray[Any], times: FloatArray, what: str
) -> NDArray[Any]:
    """y at the times, shape (times, size), from y(0) = start."""
    if times[-1] == 0:
        return start[None, :]
    run = solve_ivp(slope, (0.0, times[-1]), start, t_eval=times, **_TOLERANCE)
    if not run.success:
        raise RuntimeError(f"{what}: {run.message}")
    return np.asarray(run.y.T)


def _generators(omega: FloatArray, exchange: float) -> ComplexArray:
    """−i[H, ·], and damping of q₀ and of q₁ at the rate 1, on ρ.ravel(); stacked, (48, 16)."""
    one = np.eye(2)
    h = omega[0] / 2 * np.kron(one, _Z) + omega[1] / 2 * np.kron(_Z, one)
    h = h + exchange / 2 * (np.kron(_X, _X) + np.kron(_Y, _Y)).real
    lower = (_X + 1j * _Y) / 2
    both = np.eye(4)
    found: list[NDArray[Any]] = [-1j * (np.kron(h, both) - np.kron(both, h.T))]
    for jump in (np.kron(one, lower), np.kron(lower, one)):
        number = jump.conj().T @ jump
        found.append(
            np.kron(jump, jump.conj()) - (np.kron(number, both) + np.kron(both, number.T)) / 2
        )
    return np.concatenate(found)


def _variables(
    axes: tuple[str, ...], bloch: FloatArray, mu: FloatArray, gamma: FloatArray
) -> dict[str, xr.Variable]:
    x, y, z = np.moveaxis(bloch, -1, 0)
    values = {"x": x, "y": y, "z": z, "mu": mu, "gamma": gamma, "voltage": y, "current": gamma * y}
    return {
        name: xr.Variable(axes, v, {"long_name": _LABELS[name][0], "units": _LABELS[name][1]})
        for name, v in values.items()
    }
