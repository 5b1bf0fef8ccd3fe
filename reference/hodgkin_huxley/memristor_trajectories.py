"""The monitored quantum memristor: one trajectory for every record of the weak measurement.

With the term of Eq. 11 that has the Wiener increment dW (Cheng, Gonzalez-Raya, Chen, Sanz and
Solano, arXiv:1807.10698), √(2κ)({q, ρ} − 2⟨q⟩ρ)dW, which is that of a measurement that loses no
reading, the state stays Gaussian and its moments obey

    d⟨φ⟩ = (…)dt + √(8κ) c dW          d⟨q⟩ = (…)dt + √(8κ) V_q dW
    dV_φ/dt = … − 8κc²                 dV_q/dt = … − 8κV_q²            dc/dt = … − 8κV_q c

with … as in :mod:`qbrain.reference.hodgkin_huxley.memristor`: the means are noisy, the covariances
follow a Riccati equation that has no noise of its own. The record is dY = ⟨q⟩dt + dW/√(8κ).

What V_M the memory variable sees makes three different things of it:

    mean      ⟨q⟩ averaged over all records: the average is the master equation's, exactly
    state     the trajectory's own ⟨q⟩ (the paper's f(μ, V(⟨q⟩/C)) read with Eq. 11's ρ)
    record    the record itself, (dY/dt)/C, all that an experiment has without a filter; f must
              be linear in V

γ is not linear in μ, so that for the last two the average over trajectories differs from the
master equation.

Noise is held over a step and the equations are solved by Runge-Kutta of order 4: no coefficient
of dW is itself driven by dW, so that there is nothing to choose between Itô and Stratonovich. With
the mean fed back, averages over trajectories are of order 4 in the step and the spread of their
means of order 2; with the record fed back, of order 1, by what γ(μ) bends within a step.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterator

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from .memristor import (
    FloatArray,
    MemristorCircuit,
    MemristorError,
    Start,
    assembled,
    checked_times,
    moment_slopes,
)

__all__ = ["simulate_trajectories"]

FEEDBACKS = ("mean", "state", "record")


def simulate_trajectories(
    circuit: MemristorCircuit,
    start: Start,
    times: ArrayLike,
    *,
    trajectories: int = 400,
    feedback: str = "mean",
    step: float = 0.01,
    seed: int = 0,
) -> xr.Dataset:
    """Conditional moments along records drawn at random.

    Args:
        circuit: with κ > 0.
        start: the state at t = 0, the same for all.
        times: where to report, shape (times,), increasing and >= 0.
        trajectories: how many, at least 1.
        feedback: mean, state or record, as at the top of this module.
        step: the longest step, > 0; every interval between times is cut evenly.
        seed: of the Wiener increments, >= 0.

    Returns:
        A dataset over `time` and `trajectory` with the variables of
        :func:`qbrain.reference.hodgkin_huxley.memristor.simulate_moments`, of the conditional
        states, and `record`, ∫dY from 0 to t. `voltage` and `current` are those at the conditional
        ⟨q⟩.

    Raises:
        MemristorError: an argument that makes no sense; the message names it.
    """
    t = checked_times(times)
    for name, value, least in (("trajectories", trajectories, 1), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
            raise MemristorError(f"{name}: wanted an integer >= {least}, got {value!r}")
    if feedback not in FEEDBACKS:
        raise MemristorError(f"feedback: wanted one of {', '.join(FEEDBACKS)}, got {feedback!r}")
    if feedback == "record" and circuit.memristor.response is not None:
        raise MemristorError(
            "feedback: wanted mean or state with a response of one's own, got record"
        )
    if circuit.strength == 0:
        raise MemristorError("strength: wanted a number > 0 to have a record, got 0")
    if not (math.isfinite(step) and step > 0):
        raise MemristorError(f"step: wanted a finite number > 0, got {step!r}")
    rng = np.random.default_rng(seed)
    # the first column is the average over all records: it reads nothing
    y: FloatArray = np.zeros((7, trajectories + 1))
    y[:5] = start.moments(circuit)[:, None]
    y[5] = start.mu
    rows = np.empty((len(t), 7, trajectories))
    noise = np.zeros(trajectories + 1)
    for k, (begin, dt, count) in enumerate(_intervals(t, float(step))):
        for j in range(count):
            noise[1:] = rng.standard_normal(trajectories) / math.sqrt(dt)
            y = _advanced(circuit, feedback, begin + j * dt, dt, y, noise)
        rows[k] = y[:, 1:]
    data = assembled(circuit, start, t, rows[:, :5].swapaxes(0, 1), rows[:, 5])
    data["record"] = (
        ("time", "trajectory"),
        rows[:, 6],
        {"long_name": "integrated record of the charge", "units": "charge time"},
    )
    data.attrs |= {"feedback": feedback, "step": float(step), "seed": int(seed)}
    return data


def _intervals(times: FloatArray, step: float) -> Iterator[tuple[float, float, int]]:
    """Begin, step and number of steps of every interval that ends at a reported time."""
    begin = 0.0
    for end in times.tolist():
        count = math.ceil((end - begin) / step * (1 - 1e-12))
        yield begin, (end - begin) / max(count, 1), count
        begin = end


def _advanced(
    circuit: MemristorCircuit,
    feedback: str,
    time: float,
    dt: float,
    y: FloatArray,
    noise: FloatArray,
) -> FloatArray:
    """A step of Runge-Kutta with dW/dt held."""
    first = _slopes(circuit, feedback, time, y, noise)
    second = _slopes(circuit, feedback, time + dt / 2, y + dt / 2 * first, noise)
    third = _slopes(circuit, feedback, time + dt / 2, y + dt / 2 * second, noise)
    fourth = _slopes(circuit, feedback, time + dt, y + dt * third, noise)
    return np.asarray(y + dt / 6 * (first + 2 * second + 2 * third + fourth))


def _slopes(
    circuit: MemristorCircuit, feedback: str, time: float, y: FloatArray, noise: FloatArray
) -> FloatArray:
    """d/dt of the five moments, μ and ∫dY, shape (7, trajectories + 1)."""
    gain = math.sqrt(8 * circuit.strength)
    charge, vq, c, mu = y[1], y[3], y[4], y[5]
    reading = charge + noise / gain
    found = np.empty_like(y)
    found[:5] = moment_slopes(circuit, time, y[:5], circuit.memristor.rate(mu))
    found[0, 1:] += (gain * c * noise)[1:]
    found[1, 1:] += (gain * vq * noise)[1:]
    found[2, 1:] -= (gain * c)[1:] ** 2
    found[3, 1:] -= (gain * vq)[1:] ** 2
    found[4, 1:] -= (gain**2 * vq * c)[1:]
    seen = {"mean": charge[:1], "state": charge, "record": reading}[feedback]
    found[5] = circuit.memristor.slope(mu, circuit.across(seen, time))
    found[6] = reading
    return found
