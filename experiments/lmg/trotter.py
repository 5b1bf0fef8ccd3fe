"""How many Trotter steps an LMG run needs, and a guard against steps that are too long.

Product formulas of collective spins turn chaotic above a sharp step size (the kicked top: L. M.
Sieberer et al., npj Quantum Inf. 5, 78 (2019)), so the error is computed along the whole exact
trajectory, not extrapolated, and a run that would exceed ``max_trotter_error`` anywhere is
refused before its first circuit. The check then looks at every circuit on its own.

Under noise more steps cost more gates. The number taken is the one of least expected error by
formula, gates and shots together (:func:`qbrain.classical_feedback.rescaling.choose_steps`), among
those that meet ``max_trotter_error``; a circuit that reaches its phase in one go has its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from qbrain.backends.check.pure import DispatchRefused
from qbrain.circuits.dicke_encoding import decode
from qbrain.circuits.lmg import pair_sequence
from qbrain.classical_feedback.rescaling import choose_steps
from qbrain.reference.lmg import LMG, piecewise_states, product_formula_states, statevector
from qbrain.reference.lmg.bond_formula import bond_formula_states

from ..engine.chains import Chain
from .circuits import Formula, Steps, first_word
from .config import LMGConfig

__all__ = ["Plan", "guard_step_size", "plan_steps", "predicted_trotter_error", "residual_of"]

Array = NDArray[np.float64]
_CANDIDATES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
_MOST = 24  # steps tried under noise; the search ends long before where gates cost anything
_DENSE_NEURONS = 10  # a pairwise formula leaves the Dicke states, so it is predicted densely
_POINTS = 24  # of the trajectory, where every circuit has a formula of its own

# What each mitigation leaves of the gates' error of E: measured with the noise of the FakeFez
# snapshot (benchmarks/lmg_mitigation.py, 40 to 320 CZ). The number of steps hardly depends on it.
_LEFT = {"parity": 0.7, "zne": 0.35, "echo": 0.25, "zero": 0.45}
_SPREAD = 0.2  # of n/N among the shots of one circuit


def residual_of(chain: Chain) -> float:
    """Part of the gates' error that a chain of mitigations is expected to leave."""
    return math.prod(_LEFT.get(name, 1.0) for name in chain)


@dataclass(frozen=True)
class Plan:
    """The formula of a run on its trajectory: what it errs by, for any number of steps.

    ``phase``: s(t_k) of the exact trajectory, shape (steps+1,).
    """

    config: LMGConfig
    model: LMG
    initial: int
    phase: Array
    formula: Formula
    _known: dict[tuple[float, int], float] = field(default_factory=dict, compare=False)

    @property
    def unknown(self) -> bool:
        """Whether the error cannot be computed: pairwise formulas of more than 10 neurons."""
        return self.formula.splitting == "pairwise" and self.model.neurons > _DENSE_NEURONS

    def points(self) -> Array:
        """Phases φ = g0·s at which circuits of their own depth are looked at."""
        total = self.phase[-1] if self.config.evolution == "fast-forward" else self.config.time
        return np.asarray(np.linspace(0, self.model.g0 * float(total), _POINTS + 1)[1:])

    def at(self, phi: float, steps: int) -> float:
        """|E_formula - E_exact| of a circuit of ``steps`` steps to phase φ."""
        if (phi, steps) not in self._known:
            self._known[phi, steps] = float(self._errors(np.full(steps, phi / steps), 1.0)[-1])
        return self._known[phi, steps]

    def along(self, steps: int) -> Array:
        """|E_formula - E_exact| after every interval, ``steps`` Trotter steps each."""
        phases = np.repeat(self.model.g0 * np.diff(self.phase) / steps, steps)
        dt = self.config.time / self.config.steps / steps
        return self._errors(phases, dt)[::steps]

    def _errors(self, phases: Array, dt: float) -> Array:
        model, initial, order = self.model, self.initial, self.formula.order
        couplings, turn = phases / dt, model.field * dt
        levels = np.arange(model.neurons + 1) / model.neurons
        if self.formula.splitting == "pairwise":
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
            found = statevector.excitation_populations(states)
        elif self.config.encoding == "dicke":
            offset = first_word(decode(model.neurons, initial))
            states = bond_formula_states(model, initial, phases, turn, order, offset=offset)
            found = np.abs(states) ** 2
        else:
            found = np.abs(product_formula_states(model, initial, couplings, dt, order)) ** 2
        exact = np.abs(piecewise_states(model, initial, couplings, dt)) ** 2
        return np.asarray(np.abs((found - exact) @ levels))


def predicted_trotter_error(plan: Plan, steps: Steps) -> float:
    """Largest |E_formula - E_exact| along the exact trajectory; nan where it cannot be known."""
    if plan.unknown:
        return math.nan
    if plan.config.fixed_depth:
        return max(plan.at(phi, steps(phi)) for phi in plan.points().tolist())
    return float(np.max(plan.along(steps(0.0))))


def plan_steps(plan: Plan, infidelity: float | None) -> Steps:
    """Trotter steps of a circuit to phase φ (own depth), or of every interval.

    ``infidelity``: of one step by the backend's calibration, None on an ideal simulator. There
    the fewest steps are taken whose predicted error is below half of ``max_trotter_error`` and a
    tenth of the largest shot noise; the best there is if none is.
    """
    config = plan.config
    if config.exact_circuits or plan.unknown:
        return _always(config.trotter_steps or 1)
    if config.trotter_steps:
        return _always(config.trotter_steps)
    if infidelity is None:
        return _always(_fewest(plan))
    if config.fixed_depth:
        chosen: dict[float, int] = {}

        def at(phi: float) -> int:
            if phi not in chosen:
                chosen[phi] = _least(config, infidelity, lambda k: (plan.at(phi, k),) * 2)
            return chosen[phi]

        return at

    def along(steps: int) -> tuple[float, float]:
        errors = plan.along(steps)
        return float(np.sqrt(np.mean(errors**2))), float(errors.max())

    # circuits grow as the run goes on: on average they hold half of its intervals
    mean = (config.steps + 1) / 2
    return _always(_least(config, 1 - (1 - infidelity) ** mean, along))


def _always(steps: int) -> Steps:
    return lambda phase: steps


def _fewest(plan: Plan) -> int:
    config = plan.config
    goal = min(config.max_trotter_error / 2, 0.1 * 0.5 / math.sqrt(config.shots))
    best, error = 1, math.inf
    for steps in _CANDIDATES:
        predicted = predicted_trotter_error(plan, _always(steps))
        if predicted < error:
            best, error = steps, predicted
        if predicted <= goal:
            return steps
    return best


def _least(
    config: LMGConfig, infidelity: float, errors: Callable[[int], tuple[float, float]]
) -> int:
    """Steps of least expected total error; ``errors``: K → (RMS, largest) by the formula alone."""

    def choice(candidates: Mapping[int, float]) -> tuple[int, float]:
        found = choose_steps(
            min(infidelity, 1 - 1e-9),
            candidates,
            residual=residual_of(config.chain),
            shot_error=_SPREAD / math.sqrt(config.shots),
        )
        return found.steps, found.expected[found.steps][0]

    allowed: dict[int, float] = {}
    worst: dict[int, float] = {}
    for steps in range(1, _MOST + 1):
        typical, worst[steps] = errors(steps)
        if worst[steps] <= config.max_trotter_error:
            allowed[steps] = typical
        # even without any error of the formula the next one would cost more than the best so far
        if allowed and choice({steps + 1: 0.0})[1] >= choice(allowed)[1]:
            break
    if allowed:
        return choice(allowed)[0]
    return min(worst, key=lambda steps: (worst[steps], steps))


def guard_step_size(plan: Plan, steps: Steps) -> None:
    """Refuse a run whose formula is predicted to fail, before its first circuit.

    Raises ``DispatchRefused`` by the check ``trotter``.
    """
    config = plan.config
    if config.exact_circuits:
        return
    error = predicted_trotter_error(plan, steps)
    if error > config.max_trotter_error:
        number = steps(plan.model.g0 * float(plan.phase[-1]))
        raise DispatchRefused(
            f"lmg-{config.evolution} ({number} Trotter steps of order {plan.formula.order})",
            None,
            "trotter",
            error,
            config.max_trotter_error,
        )
