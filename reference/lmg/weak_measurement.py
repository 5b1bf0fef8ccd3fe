"""Feedback from single shots: every trajectory's synapse follows its own weak measurement.

At each step an ancilla in |0⟩ is turned by R_y(π/2 − κ) and by each active neuron by R_y(2κ/N)
more, and read: for n active neurons the angle is φ_n = π/2 + κ(2n/N − 1), and

    p(1|n) = sin²(φ_n/2) = ½[1 + sin(κ(2n/N − 1))],      ψ → K_o ψ/|K_o ψ|,
    K_1 = Σ_n sin(φ_n/2)|n⟩⟨n|,   K_0 = Σ_n cos(φ_n/2)|n⟩⟨n|

The neurons are not destroyed: the state stays in the Dicke basis, pure, and loses coherence between
n and n' at most by ⟨K⟩ = cos((φ_n − φ_n')/2) a step on average. One shot estimates

    Ê = ½ + (o − ½)/sin κ,      mean ½ + sin(κ(2E − 1))/(2 sin κ) for a state of definite n,

unbiased at E = 0, ½ and 1, and as κ → 0; it may lie below 0 or above 1, and so r above 1. Between
the shots r and U follow Ê, held for the step, and the state follows the r that its own shots have
made.

The paper (Torres and Romera, arXiv:2602.16003, Eqs. 4 to 6) feeds the ensemble's ⟨J_z⟩ back; this
is what one brain would do by itself.
"""

from __future__ import annotations

import math

import numpy as np
import xarray as xr

from .hamiltonian import (
    LMG,
    ComplexArray,
    FloatArray,
    ModelError,
    coupling_basis,
    finite,
    initial_excitations,
    sector_excitations,
    whole,
)
from .runge_kutta import starting_values
from .synaptic_clock import SynapseLike, checked_law

__all__ = ["click_probability", "simulate_single_shots"]


def click_probability(neurons: int, strength: float) -> FloatArray:
    """p(1|n) for n = 0 … N, shape (N+1,)."""
    x = 2 * np.arange(neurons + 1) / neurons - 1
    return np.asarray(0.5 * (1 + np.sin(strength * x)))


def simulate_single_shots(
    model: LMG,
    synapse: SynapseLike,
    initial: str | int,
    duration: float,
    steps: int,
    *,
    strength: float = 0.5,
    trajectories: int = 400,
    seed: int = 0,
    backaction: bool = True,
) -> xr.Dataset:
    """Trajectories of single brains under their own shots.

    Args:
        model: without a field.
        synapse: with τ_f = 0 or not; τ_r such that no shot makes r grow without bound.
        initial: as of :func:`qbrain.reference.lmg.simulate`.
        duration: T > 0.
        steps: measurements, one after every T/steps.
        strength: κ in (0, π/2].
        trajectories: how many.
        seed: of their shots.
        backaction: False leaves the state as it was before each shot, which no measurement does:
            the control that tells the noise of the shots from what measuring does to the state.

    Returns:
        A dataset over `time` (steps + 1 of them) with the ensemble's `excitation`, `r` and
        `phase`, their standard errors `…_stderr`, `click` (the part of shots that gave 1, after
        t = 0), and over `trajectory` the first eight trajectories `one_excitation`, `one_r`.

    Raises:
        ModelError: an argument that makes no sense; the message names it.
    """
    law = checked_law(synapse, 1.0, None)
    steps, trajectories = whole("steps", steps, 1), whole("trajectories", trajectories, 2)
    duration, strength = finite("duration", duration), finite("strength", strength)
    if duration <= 0:
        raise ModelError(f"duration: wanted a number > 0, got {duration}")
    if not 0 < strength <= math.pi / 2:
        raise ModelError(f"strength: wanted a number in (0, pi/2], got {strength}")
    if model.field:
        raise ModelError(f"field: wanted 0, got {model.field}")
    lowest = 0.5 - 0.5 / math.sin(strength)
    if law.tau_r and 1 / law.tau_r + lowest <= 0:
        raise ModelError(
            f"strength: wanted shots of at least {-1 / law.tau_r:.3g}, or r would grow without "
            f"bound; got {lowest:.3g} at strength {strength}"
        )
    start = initial_excitations(model.neurons, initial)
    parity = start % 2
    values, vectors = coupling_basis(model.neurons, model.gamma, parity)
    n = sector_excitations(model.neurons, parity)
    levels = n / model.neurons
    half_angle = np.pi / 4 + strength * (levels - 0.5)
    kraus = np.stack([np.cos(half_angle), np.sin(half_angle)])
    dt = duration / steps
    rng = np.random.default_rng(seed)
    psi: ComplexArray = np.zeros((trajectories, n.size), dtype=np.complex128)
    psi[:, start // 2] = 1.0
    r: FloatArray
    u: FloatArray
    s: FloatArray
    r, u, s = (np.full(trajectories, x) for x in (*starting_values(law), 0.0))
    rows: list[FloatArray] = []
    shown: list[FloatArray] = []
    clicks = np.zeros(steps + 1)

    def note() -> None:
        energy = (np.abs(psi) ** 2) @ levels
        pair = np.array([[x.mean(), x.std(ddof=1)] for x in (energy, r, s)])
        rows.append(pair)
        shown.append(np.stack([energy[:8], r[:8]]))

    note()
    for k in range(steps):
        outcome = rng.random(trajectories) < (np.abs(psi) ** 2) @ kraus[1] ** 2
        clicks[k + 1] = outcome.mean()
        if backaction:
            psi = psi * kraus[outcome.astype(int)]
            psi /= np.linalg.norm(psi, axis=1, keepdims=True)
        shot = 0.5 + (outcome - 0.5) / math.sin(strength)
        r, u, ds = _held(law.tau_r, law.tau_f, law.release, r, u, shot, dt)
        s = s + ds
        psi = _turned(psi, vectors, values, model.g0 * ds)
        note()
    table = np.array(rows)
    error = table[:, :, 1] / math.sqrt(trajectories)
    one = np.array(shown)
    unit = {"units": "1"}
    names = ("excitation", "r", "phase")
    return xr.Dataset(
        {
            **{name: ("time", table[:, i, 0], unit) for i, name in enumerate(names)},
            **{f"{name}_stderr": ("time", error[:, i], unit) for i, name in enumerate(names)},
            "click": ("time", clicks, unit),
            "one_excitation": (("time", "trajectory"), one[:, 0], unit),
            "one_r": (("time", "trajectory"), one[:, 1], unit),
        },
        {"time": ("time", dt * np.arange(steps + 1), {"units": "inverse coupling"})},
        {
            **{"neurons": model.neurons, "gamma": model.gamma, "g0": model.g0},
            **{"tau_r": law.tau_r, "tau_f": law.tau_f, "release": law.release},
            **{"initial_excitations": start, "strength": strength, "seed": seed},
            **{"trajectories": trajectories, "backaction": int(backaction)},
        },
    )


def _turned(
    psi: ComplexArray, vectors: FloatArray, values: FloatArray, phases: FloatArray
) -> ComplexArray:
    """exp(−iK φ) on each trajectory's state, with a phase of its own."""
    turned = (psi @ vectors) * np.exp(-1j * np.multiply.outer(phases, values))
    return np.asarray(turned @ vectors.T)


def _held(
    tau_r: float,
    tau_f: float,
    release: float,
    r: FloatArray,
    u: FloatArray,
    shot: FloatArray,
    dt: float,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """r, U and ∫r after dt with the shot held: two exponentials, U at its middle for r."""
    if tau_f:
        rate = 1 / tau_f + release * shot
        middle = _relaxed(u, release * (1 / tau_f + shot), rate, dt / 2)
        after = _relaxed(u, release * (1 / tau_f + shot), rate, dt)
    else:
        middle = after = u
    if not tau_r:
        return r, after, np.full_like(r, dt)
    rate = 1 / tau_r + middle * shot
    final = _relaxed(r, np.full_like(r, 1 / tau_r), rate, dt)
    # ∫r = (r(0) − r(dt) + dt/τ)/rate, from the equation itself
    return final, after, (r - final + dt / tau_r) / rate


def _relaxed(x: FloatArray, source: FloatArray, rate: FloatArray, dt: float) -> FloatArray:
    """Solution of dx/dt = source − rate·x after dt; rate > 0."""
    rest = source / rate
    return np.asarray(rest + (x - rest) * np.exp(-rate * dt))
