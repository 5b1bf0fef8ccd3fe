"""The LMG brain under a stimulus: a field that depends on time.

    i dψ/dt = [g0 r(t) K − (h + h(t)) J_z] ψ,      K = −(1/N)[(1+γ)J_x² + (1−γ)J_y²]

with the synapse of :mod:`qbrain.reference.lmg`. The paper (Torres and Romera, arXiv:2602.16003,
below Eq. 2) reads the field as input from outside the brain and leaves it open.

A positive field lowers the energy of active neurons. With r and E both moving, the state and the
synapse are integrated together, from one jump of the field to the next.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from .hamiltonian import (
    LMG,
    ComplexArray,
    FloatArray,
    ModelError,
    coupling_band,
    field_diagonal,
    finite,
    initial_excitations,
    sector_excitations,
)
from .runge_kutta import checked_explicit, integrate, law_slopes, starting_values
from .synaptic_clock import (
    IntegrationError,
    SynapseLike,
    checked_law,
    checked_times,
    checked_tolerance,
)

__all__ = ["Stimulus", "pulse", "simulate_stimulus", "sine", "step"]


@dataclass(frozen=True)
class Stimulus:
    """A field over time: its value at a time, the times at which it jumps, and its name."""

    field: Callable[[float], float]
    jumps: tuple[float, ...]
    name: str


def step(height: float, at: float) -> Stimulus:
    """h(t) = height from ``at`` on. Raises ``ModelError`` for numbers that are not finite."""
    height, at = finite("height", height), finite("at", at)
    return Stimulus(lambda t: height if t >= at else 0.0, (at,), f"step of {height:g} at {at:g}")


def pulse(height: float, at: float, length: float) -> Stimulus:
    """h(t) = height for at <= t < at + length.

    Raises ``ModelError`` for numbers that are not finite, or a length that is not positive.
    """
    height, at, length = finite("height", height), finite("at", at), finite("length", length)
    if length <= 0:
        raise ModelError(f"length: wanted a number > 0, got {length}")
    end = at + length
    return Stimulus(
        lambda t: height if at <= t < end else 0.0,
        (at, end),
        f"pulse of {height:g} from {at:g} to {end:g}",
    )


def sine(amplitude: float, period: float) -> Stimulus:
    """h(t) = amplitude sin(2πt/period).

    Raises ``ModelError`` for numbers that are not finite, or a period that is not positive.
    """
    amplitude, period = finite("amplitude", amplitude), finite("period", period)
    if period <= 0:
        raise ModelError(f"period: wanted a number > 0, got {period}")
    rate = 2 * math.pi / period
    return Stimulus(
        lambda t: amplitude * math.sin(rate * t), (), f"sine of {amplitude:g}, period {period:g}"
    )


def simulate_stimulus(
    model: LMG,
    synapse: SynapseLike,
    initial: str | int,
    times: ArrayLike,
    stimulus: Stimulus,
    *,
    r0: float = 1.0,
    U0: float | None = None,
    tolerance: float = 1e-8,
) -> xr.Dataset:
    """The exact trajectory under a stimulus, added to the model's own constant field.

    Arguments otherwise as of :func:`qbrain.reference.lmg.simulate`.

    Returns:
        A dataset over `time` with `excitation` (E), `r`, `U`, `phase` (∫r dt) and `field` (the
        whole field), and over `excitations` with `populations`.

    Raises:
        ModelError: an argument that makes no sense; the message names it.
        IntegrationError: the integrator gave up, or the norm was lost.
    """
    law = checked_law(synapse, r0, U0)
    t = checked_times(times)
    checked_explicit(law, t)
    tolerance = checked_tolerance(tolerance)
    start = initial_excitations(model.neurons, initial)
    parity = start % 2
    diagonal, off = coupling_band(model.neurons, model.gamma, parity)
    spin = field_diagonal(model.neurons, parity)
    levels = sector_excitations(model.neurons, parity) / model.neurons
    at = stimulus.field

    def slope(time: float, y: ComplexArray) -> ComplexArray:
        psi = y[:-3]
        _, r, u = y[-3:].real
        energy = float((psi.real**2 + psi.imag**2) @ levels)
        coupled = diagonal * psi
        coupled[:-1] += off * psi[1:]
        coupled[1:] += off * psi[:-1]
        h = model.g0 * r * coupled - (model.field + at(time)) * spin * psi
        return np.concatenate([-1j * h, [r, *law_slopes(law, r, u, energy)]])

    y = np.zeros(len(levels) + 3, dtype=np.complex128)
    y[start // 2] = 1.0
    y[-2:] = starting_values(law)
    found = integrate(
        slope, y, t, tolerance, f"stimulated LMG brain, N = {model.neurons}", stimulus.jumps
    )
    populations = np.zeros((len(t), model.neurons + 1))
    populations[:, parity::2] = np.abs(found[:, :-3]) ** 2
    if np.abs(populations.sum(axis=1) - 1).max() > 1e3 * tolerance:
        raise IntegrationError(f"stimulated LMG brain, N = {model.neurons}: the norm was lost")
    s, r, u = found[:, -3:].real.T
    field: FloatArray = np.array([model.field + at(float(x)) for x in t])
    rate = "coupling"
    return xr.Dataset(
        {
            "excitation": _over_time(populations[:, parity::2] @ levels, "active neurons E"),
            "r": _over_time(r, "synaptic efficacy r"),
            "U": _over_time(u, "release probability U"),
            "phase": _over_time(s, "integral of r over time", f"inverse {rate}"),
            "field": _over_time(field, "field h", rate),
            "populations": (("time", "excitations"), populations, {"units": "1"}),
        },
        {
            "time": _over_time(t, "time", f"inverse {rate}"),
            "excitations": np.arange(model.neurons + 1),
        },
        {
            **{name: getattr(model, name) for name in ("neurons", "gamma", "g0", "field")},
            **{"tau_r": law.tau_r, "tau_f": law.tau_f, "release": law.release},
            **{"initial_excitations": start, "stimulus": stimulus.name, "tolerance": tolerance},
        },
    )


def _over_time(values: FloatArray, name: str, units: str = "1") -> xr.Variable:
    return xr.Variable(("time",), values, {"long_name": name, "units": units})
