"""How many Trotter steps an LMG run needs, and a guard against steps that are too long.

Product formulas of collective spins turn chaotic above a sharp step size (the kicked top: L. M.
Sieberer et al., npj Quantum Inf. 5, 78 (2019)), so the error is computed along the whole exact
trajectory, not extrapolated, and a run that would exceed ``max_trotter_error`` anywhere is
refused before its first circuit. The gate then checks every circuit on its own.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qbrain.backends.validation import DispatchRefused
from qbrain.circuits.dicke_encoding import decode
from qbrain.circuits.lmg import pair_sequence
from qbrain.experiments.config import LMGConfig
from qbrain.experiments.lmg_circuits import first_word
from qbrain.reference import statevector
from qbrain.reference.bond_formula import bond_formula_states
from qbrain.reference.lmg import LMG, piecewise_states, product_formula_states

__all__ = ["choose_trotter_steps", "guard_step_size", "predicted_trotter_error"]

Array = NDArray[np.float64]
Splitting = Literal["collective", "pairwise"]
_CANDIDATES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
_DENSE_NEURONS = 10  # a pairwise formula leaves the Dicke states, so it is predicted densely
_POINTS = 24  # of the trajectory, where every circuit has a formula of its own


def predicted_trotter_error(
    config: LMGConfig,
    model: LMG,
    initial: int,
    phase: Array,
    steps: int,
    splitting: Splitting = "collective",
) -> float:
    """Largest |E_formula - E_exact| along the exact trajectory s(t_k), shape (steps+1,).

    nan where it cannot be known: pairwise formulas of more than 10 neurons.
    """
    if splitting == "pairwise" and model.neurons > _DENSE_NEURONS:
        return math.nan
    if config.evolution in ("fast-forward", "orbit"):
        total = float(phase[-1] if config.evolution == "fast-forward" else config.time)
        points = np.linspace(0, total, _POINTS + 1)[1:]
        return max(
            float(_errors(config, model, initial, np.full(steps, s / steps), 1.0, splitting)[-1])
            for s in points
        )
    increments = np.repeat(np.diff(phase) / steps, steps)
    dt = config.time / config.steps / steps
    return float(np.max(_errors(config, model, initial, increments, dt, splitting)))


def _errors(
    config: LMGConfig,
    model: LMG,
    initial: int,
    increments: Array,
    dt: float,
    splitting: Splitting,
) -> Array:
    phases, turn = model.g0 * increments, model.field * dt
    couplings, order = phases / dt, config.trotter_order
    levels = np.arange(model.neurons + 1) / model.neurons
    if splitting == "pairwise":
        states = statevector.product_formula(
            model.neurons,
            model.gamma,
            phases,
            turn,
            order=order,
            initial=initial,
            splitting="pairwise",
            pairs=pair_sequence(model.neurons),
        )
        formula = statevector.excitation_populations(states)
    elif config.encoding == "dicke":
        offset = first_word(decode(model.neurons, initial))
        states = bond_formula_states(model, initial, phases, turn, order, offset=offset)
        formula = np.abs(states) ** 2
    else:
        formula = np.abs(product_formula_states(model, initial, couplings, dt, order)) ** 2
    exact = np.abs(piecewise_states(model, initial, couplings, dt)) ** 2
    return np.asarray(np.abs((formula - exact) @ levels))


def choose_trotter_steps(
    config: LMGConfig,
    model: LMG,
    initial: int,
    phase: Array,
    splitting: Splitting,
    *,
    noisy: bool,
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
        predicted = predicted_trotter_error(config, model, initial, phase, steps, splitting)
        if predicted < error:
            best, error = steps, predicted
        if predicted <= goal:
            return steps
    return best


def guard_step_size(
    config: LMGConfig, model: LMG, initial: int, phase: Array, steps: int, splitting: Splitting
) -> None:
    """Refuse a run whose formula is predicted to fail, before its first circuit.

    Raises ``DispatchRefused`` by the check ``trotter``.
    """
    if config.exact_circuits:
        return
    error = predicted_trotter_error(config, model, initial, phase, steps, splitting)
    if error > config.max_trotter_error:
        raise DispatchRefused(
            f"lmg-{config.evolution} ({steps} Trotter steps of order {config.trotter_order})",
            None,
            "trotter",
            error,
            config.max_trotter_error,
        )
