"""How many Trotter steps an LMG run needs: the fewest whose error of E is small enough.

Predicted on the exact trajectory in the Dicke basis; for a swap network, which splits the product
pair by pair, the collective formula stands in for it and the gate has the last word. Product
formulas of collective spins turn chaotic above a sharp step size (the kicked top), so the error
is computed, not extrapolated.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from qbrain.experiments.config import LMGConfig
from qbrain.reference.bond_formula import bond_formula_states
from qbrain.reference.lmg import LMG, piecewise_states, product_formula_states

__all__ = ["choose_trotter_steps", "predicted_trotter_error"]

Array = NDArray[np.float64]
_CANDIDATES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)


def predicted_trotter_error(
    config: LMGConfig, model: LMG, initial: int, phase: Array, steps: int
) -> float:
    """Largest |E_formula - E_exact| along the exact trajectory s(t_k), shape (steps+1,)."""
    weights = np.arange(model.neurons + 1) / model.neurons
    dt = config.time / config.steps

    def energy(states: NDArray[np.complex128]) -> Array:
        return np.asarray(np.abs(states) ** 2 @ weights)

    if config.evolution in ("fast-forward", "orbit"):
        total = float(phase[-1] if config.evolution == "fast-forward" else config.time)
        worst = 0.0
        for s in np.linspace(0, total, 9)[1:]:
            pair = [
                energy(states[-1:])[0]
                for states in _both(config, model, initial, np.full(steps, s / steps), 1.0)
            ]
            worst = max(worst, abs(pair[0] - pair[1]))
        return worst
    increments = np.repeat(np.diff(phase) / steps, steps)
    formula, exact = _both(config, model, initial, increments, dt / steps)
    return float(np.max(np.abs(energy(formula) - energy(exact))))


def _both(
    config: LMGConfig, model: LMG, initial: int, increments: Array, dt: float
) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    couplings, durations = model.g0 * increments / dt, np.full(increments.size, dt)
    order = config.trotter_order
    if config.encoding == "dicke":
        phases, turn = model.g0 * increments, model.field * dt
        formula = bond_formula_states(model, initial, phases, turn, order)
    else:
        formula = product_formula_states(model, initial, couplings, durations, order)
    return formula, piecewise_states(model, initial, couplings, durations)


def choose_trotter_steps(
    config: LMGConfig, model: LMG, initial: int, phase: Array, noisy: bool
) -> int:
    """Fewest steps whose predicted error is below the goal; the best there is if none is.

    On a device every gate costs, so half of ``max_trotter_error`` will do; on an ideal simulator
    the error is kept to a tenth of the largest shot noise as well.
    """
    if config.exact_circuits:
        return 1
    goal = config.max_trotter_error / 2
    if not noisy:
        goal = min(goal, 0.1 * 0.5 / math.sqrt(config.shots))
    best, error = 1, math.inf
    for steps in _CANDIDATES:
        predicted = predicted_trotter_error(config, model, initial, phase, steps)
        if predicted < error:
            best, error = steps, predicted
        if predicted <= goal:
            return steps
    return best
