"""The open nervous system: N neurons that emit into and absorb from one bath, all together.

The collective master equation of Sun and Zhang (2021), "Modeling the Nervous System as An Open
Quantum System", Eq. 15, with the neurons' own (g/2)Ŝᶻ of its Eq. 10,

    dρ/dt = −i[(g/2)Ŝᶻ + λŜ⁺Ŝ⁻ − λ̃Ŝ⁻Ŝ⁺, ρ] + κ D[Ŝ⁻]ρ + κ̃ D[Ŝ⁺]ρ,    Ŝ^α = Σ_i σ_i^α,

solved without any approximation on the Dicke states |n⟩, n = 0 … N active neurons: populations and
first coherences are closed sets of N + 1 and N numbers
(:mod:`qbrain.reference.open_system.sectors`), and give everything that is measured of one neuron.
Eq. 4 couples each neuron with 1/√N, which the paper loses on the way to its Eq. 12;
``scaling="1/N"`` divides all four coefficients by N and so puts it back.

|1⟩ is an active neuron and up: σᶻ = |1⟩⟨1| − |0⟩⟨0|, σ⁺ = |1⟩⟨0|. In Qiskit's Paulis σˣ = X,
σʸ = −Y, σᶻ = −Z. m = ⟨σ⟩ is that of one neuron, from −1 to 1. ħ = 1, times in 1/ω₀.

A time-local equation with κ < 0 or κ̃ < 0 is not completely positive from step to step, and no
circuit can run it; it is integrated on demand only. The paper's retrieving pulse is of that kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from scipy.special import gammaln, xlogy

from ..hodgkin_huxley.rates import checked_number, checked_times
from .bath_kernels import ComplexArray, FloatArray
from .coefficient_tables import CoefficientTable
from .sectors import (
    NegativeRate,
    OpenSystemError,
    Rates,
    Scaling,
    Sector,
    checked_neurons,
    checked_table,
    integrated,
)

__all__ = [
    "NegativeRate",
    "OpenSystemError",
    "choi_minimum",
    "dicke_state",
    "dicke_to_qubits",
    "propagator",
    "simulate_open_system",
    "steady_populations",
]

Start = str | int | tuple[float, float]

# neurons up to which a map on all of ρ is made
_MAP = 24


def dicke_state(neurons: int, start: Start) -> ComplexArray:
    """Amplitudes of a symmetric start on the Dicke states, shape (N+1,).

    Args:
        neurons: N >= 1.
        start: ``down`` (all silent), ``up`` (all active), a number n of active neurons, or (θ, φ):
            every neuron in cos(θ/2)|1⟩ + e^{iφ} sin(θ/2)|0⟩, of m = (sin θ cos φ, sin θ sin φ,
            cos θ), so that θ = 0 is up and θ = π down.

    Raises:
        OpenSystemError: no such start.
    """
    neurons = checked_neurons(neurons)
    amplitudes = np.zeros(neurons + 1, dtype=np.complex128)
    if isinstance(start, str):
        if start not in ("down", "up"):
            raise OpenSystemError(f"start: wanted down, up, a number or angles, got {start!r}")
        start = 0 if start == "down" else neurons
    if isinstance(start, int | np.integer) and not isinstance(start, bool):
        if not 0 <= start <= neurons:
            raise OpenSystemError(f"start: wanted a number from 0 to {neurons}, got {start}")
        amplitudes[start] = 1.0
        return amplitudes
    theta, phi = _checked_angles(start)
    n = np.arange(neurons + 1)
    chosen = gammaln(neurons + 1) - gammaln(n + 1) - gammaln(neurons - n + 1)
    up, down = np.cos(theta / 2), np.sin(theta / 2)
    logs = chosen / 2 + xlogy(n, abs(up)) + xlogy(neurons - n, abs(down))
    signs = np.sign(up) ** n * np.sign(down) ** (neurons - n)
    amplitudes[:] = np.exp(logs) * signs * np.exp(1j * phi * (neurons - n))
    return amplitudes / np.linalg.norm(amplitudes)


def dicke_to_qubits(states: ArrayLike) -> ComplexArray:
    """Density matrices on the Dicke states, (…, N+1, N+1), on N qubits, (…, 2^N, 2^N).

    Neuron i is bit i of the index, Qiskit's order; N from 1 to 10.

    Raises:
        OpenSystemError: another shape.
    """
    rho = np.asarray(states, dtype=np.complex128)
    if rho.ndim < 2 or rho.shape[-1] != rho.shape[-2] or not 2 <= rho.shape[-1] <= 11:
        raise OpenSystemError(f"states: wanted shape (…, N+1, N+1), N <= 10, got {rho.shape}")
    neurons = rho.shape[-1] - 1
    count = np.array([index.bit_count() for index in range(2**neurons)])
    embed = (count[:, None] == np.arange(neurons + 1)) / np.sqrt(np.bincount(count))
    return np.asarray(embed @ rho @ embed.T)


def steady_populations(neurons: int, ratio: float) -> FloatArray:
    """The Dicke populations that constant rates lead to: p_n ∝ (κ̃/κ)^n, shape (N+1,).

    Args:
        neurons: N >= 1.
        ratio: κ̃/κ >= 0; ``math.inf`` is no emission, and above 1 the neurons are inverted.

    Raises:
        OpenSystemError: a ratio below 0, or no such number of neurons.
    """
    n = np.arange(checked_neurons(neurons) + 1)
    if ratio != np.inf:
        ratio = checked_number("ratio", ratio, OpenSystemError, least=0.0)
    if ratio > 1:
        return np.asarray(steady_populations(neurons, 1 / ratio)[::-1])
    p = np.exp(xlogy(n, ratio))
    return np.asarray(p / p.sum())


def simulate_open_system(
    neurons: int,
    rates: Rates,
    start: Start,
    times: ArrayLike,
    *,
    scaling: Scaling = "none",
    allow_negative: bool = False,
    density_matrix: bool = False,
    tolerance: float = 1e-9,
) -> xr.Dataset:
    """The exact trajectory from a symmetric start at t = 0.

    Args:
        neurons: N >= 1; a thousand take seconds.
        rates: a bath and its stimulus, or `Curves` of the four coefficients.
        start: as of `dicke_state`.
        times: shape (times,), increasing and >= 0.
        scaling: ``1/N`` divides the coefficients by N, as Eq. 4 has it; ``none`` does not, as
            Eq. 15 is printed.
        allow_negative: integrate negative rates too. They undo decay, and amplify errors by up to
            e^{∫|κ|N²/4}: without scaling some eight neurons bear the paper's pulse.
        density_matrix: whether to give all of ρ on the Dicke states.
        tolerance: asked of the integrator, relative, from 1e-12 to 0.01.

    Returns:
        A dataset over `time` with `m_x`, `m_y`, `m_z` of one neuron and the coefficients `kappa`,
        `kappa_tilde`, `lambda` and `lambda_tilde` after scaling, over (`time`, `excitations`) with
        the `populations`, and on request over (`time`, `row`, `column`) with `state_real` and
        `state_imag`.

    Raises:
        NegativeRate: κ or κ̃ below 0 somewhere up to the last time, unless allowed.
        OpenSystemError: an argument that makes no sense; the message names it.
    """
    neurons = checked_neurons(neurons)
    t = checked_times(times, OpenSystemError)
    tolerance = checked_number("tolerance", tolerance, OpenSystemError, least=1e-12, most=1e-2)
    amplitudes = dicke_state(neurons, start)
    table = checked_table(neurons, rates, 0.0, float(t[-1]), scaling, allow_negative)
    wanted = range(neurons + 1) if density_matrix else range(min(neurons, 1) + 1)
    coherences: list[Any] = []
    for order in wanted:
        begin: Any = amplitudes[order:] * amplitudes[: neurons + 1 - order].conj()
        sector = Sector(neurons, order)
        if order == 0:
            begin = begin.real.copy()
        if not begin.any():
            coherences.append(np.zeros((len(t), sector.size)))
            continue
        turn = np.exp(-1j * order * table.g * t)[:, None] if order else 1.0
        coherences.append(turn * integrated(sector, begin, table, t, tolerance))
    populations = coherences[0]
    n = np.arange(1, neurons + 1)
    minus = coherences[1] @ np.sqrt(n * (neurons - n + 1)) / neurons  # ⟨σ⁻⟩ of one neuron
    spins = {
        "m_x": 2 * minus.real,
        "m_y": -2 * minus.imag,
        "m_z": populations @ (2 * np.arange(neurons + 1) / neurons - 1),
    }
    data = dataset(t, spins, table)
    data["populations"] = (
        ("time", "excitations"),
        populations,
        {"long_name": "populations of the Dicke states", "units": "1"},
    )
    data = data.assign_coords(excitations=np.arange(neurons + 1))
    if density_matrix:
        rho = np.zeros((len(t), neurons + 1, neurons + 1), dtype=np.complex128)
        for order, x in enumerate(coherences):
            n = np.arange(neurons + 1 - order)
            rho[:, n, n + order] = x.conj()
            rho[:, n + order, n] = x
        for name, part in (("real", rho.real), ("imag", rho.imag)):
            said = {"long_name": f"density matrix, {name} part", "units": "1"}
            data[f"state_{name}"] = (("time", "row", "column"), part, said)
    data.attrs.update(
        neurons=neurons, start=str(start), scaling=scaling, tolerance=tolerance, g=table.g
    )
    return data


def propagator(
    neurons: int,
    rates: Rates,
    start_time: float,
    stop_time: float,
    *,
    scaling: Scaling = "none",
    tolerance: float = 1e-10,
) -> ComplexArray:
    """The map ρ(start_time) → ρ(stop_time) on the Dicke states, negative rates and all.

    Returns:
        A matrix of shape (d², d²), d = N + 1, that acts on ``rho.ravel()``.

    Raises:
        OpenSystemError: an argument that makes no sense, or more than 24 neurons.
    """
    neurons = checked_neurons(neurons)
    if neurons > _MAP:
        raise OpenSystemError(f"neurons: wanted at most {_MAP} for a whole map, got {neurons}")
    start_time = checked_number("start_time", start_time, OpenSystemError, least=0.0)
    stop_time = checked_number("stop_time", stop_time, OpenSystemError, above=start_time)
    table = checked_table(neurons, rates, start_time, stop_time, scaling, True)
    d = neurons + 1
    result = np.zeros((d, d, d, d), dtype=np.complex128)
    at = np.array([stop_time])
    for order in range(d):
        sector = Sector(neurons, order)
        begin = np.eye(sector.size, dtype=np.complex128 if order else np.float64)
        turn = np.exp(-1j * order * table.g * (stop_time - start_time))
        block = turn * integrated(sector, begin, table, at, tolerance)[0]
        n = np.arange(sector.size)
        to, of = n[:, None], n[None, :]
        result[to, to + order, of, of + order] = block.conj()
        result[to + order, to, of + order, of] = block
    return result.reshape(d * d, d * d)


def choi_minimum(
    neurons: int,
    rates: Rates,
    start_time: float,
    stop_time: float,
    *,
    scaling: Scaling = "none",
    tolerance: float = 1e-10,
) -> float:
    """The smallest eigenvalue of the Choi state of the map from start_time to stop_time.

    The Choi state is Σ_ab |a⟩⟨b| ⊗ E(|a⟩⟨b|)/d, of trace 1; the map is completely positive if and
    only if no eigenvalue is negative.

    Arguments and errors as of `propagator`.
    """
    whole = propagator(neurons, rates, start_time, stop_time, scaling=scaling, tolerance=tolerance)
    d = neurons + 1
    choi = whole.reshape(d, d, d, d).transpose(2, 0, 3, 1).reshape(d * d, d * d) / d
    return float(np.linalg.eigvalsh(choi)[0])


def dataset(t: FloatArray, spins: dict[str, FloatArray], table: CoefficientTable) -> xr.Dataset:
    """The spins and the coefficients over time."""
    said = {"kappa": "emission rate", "kappa_tilde": "absorption rate"}
    said |= {"lambda": "shift by emission", "lambda_tilde": "shift by absorption"}
    values = np.array([table.look(float(x)) for x in t]).T
    return xr.Dataset(
        {
            **{
                name: ("time", spin, {"long_name": f"⟨σ{name[-1]}⟩ of a neuron", "units": "1"})
                for name, spin in spins.items()
            },
            **{
                name: ("time", row, {"long_name": words, "units": "ω₀"})
                for (name, words), row in zip(said.items(), values, strict=True)
            },
        },
        {"time": ("time", t, {"long_name": "time", "units": "1/ω₀"})},
    )


def _checked_angles(start: object) -> tuple[float, float]:
    if isinstance(start, str) or not isinstance(start, Sequence | np.ndarray) or len(start) != 2:
        raise OpenSystemError(
            f"start: wanted down, up, a number or angles (theta, phi), got {start!r}"
        )
    theta = checked_number("start", start[0], OpenSystemError)
    return theta, checked_number("start", start[1], OpenSystemError)
