"""The reference figures of this paper, recomputed and held beside the paper's own values.

The reference figures were computed independently of this project, at the digits given.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from qbrain.reference.hodgkin_huxley import Membrane, simulate_neuron, spike_times

from ...papers.claims import Check
from ...papers.figures import Key
from .areas import THETAS, entropy, fock_error, table_areas
from .circuits import (
    GATE_STEPS,
    MEMRISTOR_STEPS,
    PAIR_STEPS,
    SHOTS,
    gate_errors,
    gate_noise,
    memristor_errors,
    memristor_noise,
    pair_errors,
    slope,
)
from .measures import fock_state
from .memristor import fock_gap
from .model import ALPHAS, THETA
from .table_one import fourth_row, our_residuals, table_fit

__all__ = ["CHECKS"]


def _moments() -> Iterator[Check]:
    yield Check(
        3, "moments less density matrix, Fock space, to t = 4", fock_gap(), 4e-15, 1e-10, None
    )


def _spikes() -> Iterator[Check]:
    times = np.linspace(0, 200, 4001)
    found = {
        current: spike_times(times, simulate_neuron(Membrane(), current, times).voltage.values)
        for current in (0.0, 5.0, 10.0)
    }
    for (current, spikes), wanted in zip(found.items(), (0, 1, 14), strict=True):
        name = f"spikes of the whole classical neuron in 200 ms, I = {current:g} µA/cm²"
        yield Check(8, name, float(len(spikes)), float(wanted), 0.0, None)
    last = float(np.diff(found[10.0])[-1])
    yield Check(8, "their last interval at I = 10 µA/cm², ms", last, 14.64, 5e-3, None)


def _entropies() -> Iterator[Check]:
    for alpha0, wanted in zip(ALPHAS, (0.217, 0.509, 0.657), strict=True):
        name = f"entropy at θ = π/4, α₀ = {alpha0:g}, nats"
        yield Check(13, name, entropy(THETA, alpha0), wanted, 5e-4, "'maximal'")
        by_amplitudes = fock_state(THETA, alpha0).entropy
        yield Check(13, f"{name}, Fock space", by_amplitudes, wanted, 5e-4, "'maximal'")
    worst = max(
        abs(fock_state(float(t), a).norm - 1 - math.sin(2 * t) * math.exp(-(a**2)))
        for t in THETAS
        for a in ALPHAS
    )
    yield Check(13, "⟨s|s⟩ less 1 + sin 2θ e^(−|α|²), Fock space", worst, 0.0, 1e-12, None)


def _ratios() -> Iterator[Check]:
    name = "⟨a₁ + a₂⟩ less α, normalised state, Fock space"
    yield Check("headline", name, fock_error(), 0.0, 1e-12, None)
    for alpha0, wanted in zip(ALPHAS, (1.542, 1.272, 1.117), strict=True):
        areas = table_areas(alpha0)
        name = f"Table I's area at π/4 over that at 0, α₀ = {alpha0:g}"
        paper = f"{areas[THETA]:g}/{areas[0.0]:g}"
        yield Check("headline", name, areas[THETA] / areas[0.0], wanted, 5e-4, paper)


def _table() -> Iterator[Check]:
    best = table_fit().best
    yield Check("table-1", "rms of the best fit", best.rms, 0.015, 0.0, None, True)
    ours = float(np.sqrt(np.mean(our_residuals()[0] ** 2)))
    yield Check("table-1", "rms of the figures' own parameters", ours, 0.015, 0.0, None, True)
    yield Check("table-1", "step error of the best fit", best.step_error, 0.0, 1e-6, None, True)
    yield Check("table-1", "θ of the fourth row, rad", fourth_row(), 1.0, 5e-4, "1")


def _circuits() -> Iterator[Check]:
    known = {16: 1.3e-1, 64: 8.4e-3, 256: 5.3e-4, 1024: 3.3e-5}
    for steps, found in zip(MEMRISTOR_STEPS, memristor_errors(), strict=True):
        if steps in known:
            name = f"error of the memristor qubit's loop, {steps} steps"
            yield Check("circuits", name, found, known[steps], 0.05 * known[steps], None)
    for name, sizes, errors, first, wanted, tolerance in (
        ("memristor qubit, steps", MEMRISTOR_STEPS, memristor_errors(), 2, -2.0, 0.1),
        ("potassium gate, steps", GATE_STEPS, gate_errors(), 2, -2.0, 0.3),
        ("pair of memristors, steps", PAIR_STEPS, pair_errors(), 1, -2.0, 0.1),
        ("memristor qubit, shots", SHOTS, memristor_noise()[0], 0, -0.5, 0.06),
        ("potassium gate, shots", SHOTS, gate_noise(), 0, -0.5, 0.06),
    ):
        found = slope(sizes[first:], errors[first:])
        yield Check("circuits", f"slope of the error, {name}", found, wanted, tolerance, None)


CHECKS: tuple[tuple[Key, Callable[[], Iterator[Check]]], ...] = (
    (3, _moments),
    (8, _spikes),
    (13, _entropies),
    ("headline", _ratios),
    ("table-1", _table),
    ("circuits", _circuits),
)
