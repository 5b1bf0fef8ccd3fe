"""Two LMG brains coupled to each other, each with a synapse of its own.

    H = Σ_a g_a r_a(t) K_a − Σ_a (h_a + h_a(t)) J_z^a − (2c/(N_A + N_B)) J_x^A J_x^B,   a = A, B

with K as in :mod:`qbrain.reference.lmg` and r_a, U_a following E_a = ½ + ⟨J_z^a⟩/N_a. The paper
(Torres and Romera, arXiv:2602.16003, conclusions) proposes coupling brains with different levels of
feedback, towards a working memory, and gives no Hamiltonian: the coupling along x is ours. It
conserves the product of the two parities only.

The state is a matrix ψ[n_A, n_B] of Dicke amplitudes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from .hamiltonian import LMG, ComplexArray, FloatArray, ModelError, finite, initial_excitations
from .runge_kutta import checked_explicit, integrate, law_slopes, starting_values
from .stimulus import Stimulus
from .synaptic_clock import (
    IntegrationError,
    SynapseLike,
    checked_law,
    checked_times,
    checked_tolerance,
)

__all__ = ["simulate_coupled"]


def simulate_coupled(
    models: Sequence[LMG],
    synapses: Sequence[SynapseLike],
    initial: Sequence[str | int],
    times: ArrayLike,
    coupling: float,
    *,
    stimuli: Sequence[Stimulus | None] = (None, None),
    tolerance: float = 1e-8,
) -> xr.Dataset:
    """The exact trajectory of two brains from a product of Dicke states at t = 0.

    Args:
        models, synapses, initial, stimuli: two of each, as in
            :func:`qbrain.reference.lmg.stimulus.simulate_stimulus`.
        times: where to report, shape (times,), increasing and >= 0.
        coupling: c, in inverse time units.
        tolerance: of the integrator.

    Returns:
        A dataset over `time` and `brain` (A, B) with `excitation`, `r`, `U` and `field`, and over
        `time` alone with `entropy`, the entanglement entropy between the two in bits.

    Raises:
        ModelError: an argument that makes no sense; the message names it.
        IntegrationError: the integrator gave up, or the norm was lost.
    """
    for name, pair in (
        ("models", models),
        ("synapses", synapses),
        ("initial", initial),
        ("stimuli", stimuli),
    ):
        if len(pair) != 2:
            raise ModelError(f"{name}: wanted two, got {len(pair)}")
    coupling = finite("coupling", coupling)
    laws = [checked_law(synapse, 1.0, None) for synapse in synapses]
    t = checked_times(times)
    for law in laws:
        checked_explicit(law, t)
    tolerance = checked_tolerance(tolerance)
    starts = [initial_excitations(m.neurons, n) for m, n in zip(models, initial, strict=True)]
    jx = [_spin_x(model.neurons) for model in models]
    inner = [
        -((1 + m.gamma) * x @ x + (1 - m.gamma) * _spin_y_squared(m.neurons)) * (m.g0 / m.neurons)
        for m, x in zip(models, jx, strict=True)
    ]
    spin = [np.arange(m.neurons + 1) - m.neurons / 2 for m in models]
    between = 2 * coupling / (models[0].neurons + models[1].neurons)
    shape = tuple(m.neurons + 1 for m in models)
    levels = [np.arange(size) / (size - 1) for size in shape]

    def fields(time: float) -> list[float]:
        return [
            m.field + (s.field(time) if s is not None else 0.0)
            for m, s in zip(models, stimuli, strict=True)
        ]

    def slope(time: float, y: ComplexArray) -> ComplexArray:
        psi = y[:-4].reshape(shape)
        r, u = y[-4:-2].real, y[-2:].real
        h_a, h_b = fields(time)
        h = r[0] * (inner[0] @ psi) + r[1] * (psi @ inner[1])
        h -= between * (jx[0] @ psi @ jx[1])
        h -= (h_a * spin[0][:, None] + h_b * spin[1][None, :]) * psi
        weights = psi.real**2 + psi.imag**2
        energies = weights.sum(axis=1) @ levels[0], weights.sum(axis=0) @ levels[1]
        rates = [law_slopes(*each) for each in zip(laws, r, u, energies, strict=True)]
        return np.concatenate([-1j * h.ravel(), *np.array(rates).T])

    y = np.zeros(shape[0] * shape[1] + 4, dtype=np.complex128)
    y[starts[0] * shape[1] + starts[1]] = 1.0
    y[-4:] = np.array([starting_values(law) for law in laws]).T.ravel()
    jumps = [x for s in stimuli if s is not None for x in s.jumps]
    found = integrate(slope, y, t, tolerance, "coupled LMG brains", jumps)
    psi = found[:, :-4].reshape(len(t), *shape)
    weights = np.abs(psi) ** 2
    if np.abs(weights.sum(axis=(1, 2)) - 1).max() > 1e3 * tolerance:
        raise IntegrationError("coupled LMG brains: the norm was lost")
    excitation = np.stack([weights.sum(axis=2) @ levels[0], weights.sum(axis=1) @ levels[1]], 1)
    schmidt = np.linalg.svd(psi, compute_uv=False) ** 2
    logs = np.log2(np.clip(schmidt, 1e-300, None))
    one = {"units": "1"}
    return xr.Dataset(
        {
            "excitation": (("time", "brain"), excitation, one),
            "r": (("time", "brain"), found[:, -4:-2].real, one),
            "U": (("time", "brain"), found[:, -2:].real, one),
            "field": (("time", "brain"), np.array([fields(float(x)) for x in t])),
            "entropy": ("time", -(schmidt * logs).sum(axis=1), {"units": "bit"}),
        },
        {"time": ("time", t, {"units": "inverse coupling"}), "brain": ["A", "B"]},
        {"coupling": coupling, "tolerance": tolerance},
    )


def _spin_x(neurons: int) -> FloatArray:
    n = np.arange(neurons)
    step = np.sqrt((n + 1.0) * (neurons - n)) / 2
    return np.asarray(np.diag(step, 1) + np.diag(step, -1))


def _spin_y_squared(neurons: int) -> FloatArray:
    # J_y² = j(j+1) − J_x² − J_z², all of them real
    j, m = neurons / 2, np.arange(neurons + 1) - neurons / 2
    x = _spin_x(neurons)
    return np.asarray(np.diag(j * (j + 1) - m**2) - x @ x)
