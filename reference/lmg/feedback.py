"""Exact dynamics of the LMG quantum brain with synaptic feedback.

    H(t) = −(g0 r(t)/N)[(1+γ)J_x² + (1−γ)J_y²] − h J_z,      E = ½ + ⟨J_z⟩/N,
    dr/dt = (1 − r)/τ_r − U r E,      dU/dt = (𝒰 − U)/τ_f + 𝒰(1 − U) E

(ħ = 1; Torres and Romera, arXiv:2602.16003, Eqs. 2 to 6). Everything happens in the N+1 Dicke
states, indexed by the number of excitations (active neurons).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from .chebyshev_panels import Panels
from .entanglement import (
    block_entropy,
    diagonal_entropy,
    fidelity,
    linear_entropy,
    squeezing_parameter,
)
from .field_dynamics import run_driven
from .hamiltonian import (
    LMG,
    ComplexArray,
    FloatArray,
    ModelError,
    initial_excitations,
    orbit_frequencies,
    spectral_width,
)
from .orbit import Orbit
from .steps import piecewise_states, product_formula_states
from .synaptic_clock import (
    IntegrationError,
    Law,
    SynapseLike,
    checked_law,
    checked_times,
    checked_tolerance,
    run_clock,
    table_lookup,
)

__all__ = [
    "LMG",
    "IntegrationError",
    "ModelError",
    "Orbit",
    "SynapseLike",
    "block_entropy",
    "diagonal_entropy",
    "fidelity",
    "initial_excitations",
    "linear_entropy",
    "orbit_frequencies",
    "piecewise_states",
    "product_formula_states",
    "simulate",
    "spectral_width",
    "squeezing_parameter",
]


def simulate(
    model: LMG,
    synapse: SynapseLike,
    initial: str | int,
    times: ArrayLike,
    *,
    observable: ArrayLike | None = None,
    r0: float = 1.0,
    U0: float | None = None,
    populations: bool = False,
    amplitudes: bool = False,
    tolerance: float = 1e-9,
) -> xr.Dataset:
    """The exact trajectory from a Dicke state at t = 0.

    Without a field the state runs along one orbit, ψ(s) = exp(−i H0 s)|n⟩ with s = ∫r dt, and
    only s, r and U are integrated; with a field the state is integrated too
    (:mod:`.field_dynamics`), to the same tolerance.

    Args:
        model: the neurons and their couplings.
        synapse: anything with `tau_r`, `tau_f` and `release`. τ_r = 0 means r ≡ 1, τ_f = 0 means
            U ≡ 𝒰.
        initial: silent, half, saturated, or the number of excitations at t = 0.
        times: where to report, shape (times,), increasing and >= 0.
        observable: what stands for E in the feedback law, in the Dicke basis: a real diagonal,
            shape (N+1,), or a Hermitian matrix, shape (N+1, N+1). Elements between the two
            parities do nothing, for a Dicke state keeps its parity.
        r0: r at t = 0, in [0, 1].
        U0: U at t = 0, in [0, 1]; 𝒰 unless given.
        populations: whether to report the Dicke populations.
        amplitudes: whether to report the Dicke amplitudes.
        tolerance: the error wanted in E, r and U, from 1e-12 to 0.01.

    Returns:
        A dataset over `time` (and `excitations`, 0…N) with `excitation` (E), `r`, `U` and `phase`
        (s(t) = ∫r dt from 0 to t), with `drive` where an observable is given (its expectation
        value), `populations`, and `amplitude_real` and `amplitude_imag` where asked for. Units
        and long names are attributes of the variables, the parameters attributes of the dataset.

    Raises:
        ModelError: an argument that makes no sense; the message names it.
        IntegrationError: the tolerance could not be reached.
    """
    law = checked_law(synapse, r0, U0)
    t = checked_times(times)
    tolerance = checked_tolerance(tolerance)
    start = initial_excitations(model.neurons, initial)
    drive = _sector_observable(model.neurons, start % 2, observable)
    states: ComplexArray | None = None
    if model.field != 0.0:
        run = run_driven(
            model, start, law, t, drive, tolerance, keep_states=populations or amplitudes
        )
        s, r, u, excitation, signal = run.s, run.r, run.U, run.excitation, run.drive
        if run.states is not None:
            states = np.zeros((len(t), model.neurons + 1), dtype=np.complex128)
            states[:, start % 2 :: 2] = run.states
    else:
        orbit = Orbit(model, start)
        s, r, u, signal = _along(orbit, law, t, drive, tolerance)
        excitation = signal if drive is None else orbit.excitation(s)
        if populations or amplitudes:
            states = orbit.amplitudes(s)
    parameters = {
        "neurons": model.neurons,
        "gamma": model.gamma,
        "g0": model.g0,
        "field": model.field,
        "initial_excitations": start,
        "tau_r": law.tau_r,
        "tau_f": law.tau_f,
        "release": law.release,
        "r0": law.r0,
        "U0": law.U0,
        "tolerance": tolerance,
    }
    data = {
        "excitation": _over_time(excitation, "fraction of active neurons E"),
        "r": _over_time(r, "synaptic efficacy r"),
        "U": _over_time(u, "release probability U"),
        "phase": _over_time(s, "integral of r over time", _TIME_UNIT),
    }
    if drive is not None:
        data["drive"] = _over_time(signal, "expectation value that drives the synapse")
    if states is not None and populations:
        probability = states.real**2 + states.imag**2
        data["populations"] = _over_levels(probability, "Dicke populations")
    if states is not None and amplitudes:
        data["amplitude_real"] = _over_levels(states.real, "Dicke amplitudes, real part")
        data["amplitude_imag"] = _over_levels(states.imag, "Dicke amplitudes, imaginary part")
    coordinates = {"time": _over_time(t, "time", _TIME_UNIT)}
    if states is not None:
        coordinates["excitations"] = xr.Variable(
            ("excitations",),
            np.arange(model.neurons + 1),
            {"long_name": "number of active neurons", "units": "1"},
        )
    return xr.Dataset(data, coordinates, parameters)


_TIME_UNIT = "inverse coupling"


def _over_time(values: FloatArray, name: str, units: str = "1") -> xr.Variable:
    return xr.Variable(("time",), values, {"long_name": name, "units": units})


def _over_levels(values: FloatArray, name: str) -> xr.Variable:
    return xr.Variable(("time", "excitations"), values, {"long_name": name, "units": "1"})


def _along(
    orbit: Orbit,
    law: Law,
    t: FloatArray,
    drive: FloatArray | ComplexArray | None,
    tolerance: float,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """s, r, U and the driving expectation value at the times, without a field."""
    if drive is None and orbit.closed_form:
        neurons, g0 = orbit.model.neurons, orbit.model.g0
        # cos^(N−1) has features of about 1/sqrt(N−1) in its argument.
        longest = neurons / (2 * abs(g0) * math.sqrt(neurons)) if g0 else 0.0
        s, r, u = run_clock(law, _twisting(neurons, g0, orbit.start), t, tolerance, longest)
        return s, r, u, orbit.excitation(s)
    played = orbit.excitations / orbit.model.neurons if drive is None else drive
    scale = max(1.0, float(np.abs(played).max()))
    end = float(t[-1])
    width = end if orbit.bandwidth == 0.0 else min(end, Panels.DEGREE / orbit.bandwidth)
    panels = Panels(
        lambda points: orbit.expectation(played, points),
        max(width, 1e-9),
        scale * max(1e-3 * tolerance, 1e-13),
    )
    # s <= t: go on until a panel needs its degree, so that the finest feature of E(s) is known.
    while not panels.resolved and panels.end < end:
        panels.extend()
    s, r, u = run_clock(law, table_lookup(panels), t, tolerance, panels.width / 10)
    return s, r, u, panels(s)


def _twisting(neurons: int, g0: float, start: int) -> Callable[[float], float]:
    """½[1 ∓ cos^{N−1}(2 g0 s/N)] for plain numbers."""
    rate, half, odd = 2 * g0 / neurons, 0.5 * (neurons - 1), neurons % 2 == 0
    sign = 0.5 if start else -0.5

    def excitation(s: float) -> float:
        sine = math.sin(rate * s)
        if sine * sine == 1.0:
            return 0.5 if neurons > 1 else 0.5 + sign
        size = sign * math.exp(half * math.log1p(-sine * sine))
        return 0.5 - size if odd and math.cos(rate * s) < 0.0 else 0.5 + size

    return excitation


def _sector_observable(
    neurons: int, parity: int, observable: ArrayLike | None
) -> FloatArray | ComplexArray | None:
    """The block of an observable that acts in one parity sector."""
    if observable is None:
        return None
    matrix = np.asarray(observable, dtype=np.complex128)
    size = neurons + 1
    if matrix.shape not in ((size,), (size, size)):
        raise ModelError(
            f"observable: wanted shape ({size},) or ({size}, {size}), got {matrix.shape}"
        )
    if not np.all(np.isfinite(matrix)):
        raise ModelError("observable: wanted finite elements, got nan or inf")
    if np.abs(matrix - matrix.conj().T).max() > 1e-12 * np.abs(matrix).max():
        raise ModelError("observable: wanted a real diagonal or a Hermitian matrix")
    if matrix.ndim == 1:
        return np.ascontiguousarray(matrix.real[parity::2])
    return np.ascontiguousarray(matrix[parity::2, parity::2])
