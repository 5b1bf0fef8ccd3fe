"""Errors of an LMG run by their causes: shots, feedback, product formula, steps, interpolation.

Each is found by itself: what the shots do by the run's own band, the others by the same loop or
integration on exact E, without shots.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qbrain.classical_feedback.synapse import SynapticState
from qbrain.reference.lmg import Orbit, piecewise_states

from ..engine.measures import rms
from .brain import Brain
from .points import Measured, Point
from .relaxation import integrated_controls, integrated_orbit

__all__ = ["error_parts", "interpolation_error", "relaxation_error"]

Array = NDArray[np.float64]
Parts = dict[str, float | None]


def error_parts(brain: Brain, measured: Measured | None, data: xr.Dataset) -> Parts:
    """RMS errors of E of a run that measured something; those that its form has not are None.

    ``feedback_shot_error``: of earlier readings' shots, through r and the phase; in the forms that
    integrate afterwards those of all readings together are ``integrated_shot_error`` instead.
    ``interpolation_error``: of E between the points that a single job measured.
    ``relaxation_error``: of the finite step and the finite number of rounds of ``relax``.
    """
    found: Parts = dict.fromkeys(
        (
            "feedback_shot_error",
            "integrated_shot_error",
            "interpolation_error",
            "relaxation_error",
        )
    )
    if measured is None:
        return found
    if brain.config.integrates_afterwards:
        found["integrated_shot_error"] = rms(data.excitation_stderr)
        found["interpolation_error"] = rms(interpolation_error(brain, measured.points))
        return found
    rounds = 0
    if brain.config.evolution == "relax":
        rounds = len(measured.every) // len(measured.points)
        found["relaxation_error"] = rms(relaxation_error(brain, rounds))
    through = data.excitation_stderr.values**2 - data.shot_stderr.values**2
    # the only round of a relaxation ran under controls that no shot had touched
    earlier = np.zeros_like(through) if rounds == 1 else np.maximum(through, 0.0)
    found["feedback_shot_error"] = rms(np.sqrt(earlier))
    return found


def interpolation_error(brain: Brain, points: Sequence[Point]) -> Array:
    """E of the loop integrated on exact E at the measured phases, less that of the true loop.

    (times,): the curve through the points and the finite steps of the integration.
    """
    phases = np.array([point.control.phase for point in points])
    exact = np.asarray(Orbit(brain.model, brain.initial).excitation(phases), dtype=np.float64)
    stderr = np.array([point.estimate.stderr for point in points])
    found = integrated_orbit(brain, points, exact, stderr, replicas=0)
    return np.asarray(found.excitation[:, 0] - brain.exact.excitation.values)


def relaxation_error(brain: Brain, rounds: int) -> Array:
    """E of so many rounds without shots, less that of the true loop, (times,).

    The finite step is in it, and that the rounds end before r(t) is that of its own E(t). The
    first round follows the exact trajectory: without a field it has no error of this kind.
    """
    controls = brain.planned
    found = _energies(brain, controls)
    for _ in range(rounds - 1):
        controls = integrated_controls(brain, found.tolist())
        found = _energies(brain, controls)
    return np.asarray(found - brain.exact.excitation.values)


def _energies(brain: Brain, controls: Sequence[SynapticState]) -> Array:
    """Exact E at the times of the run under its controls, each held for an interval."""
    schedule, model = brain.schedule(controls), brain.model
    if model.field == 0:
        phases = np.array([control.phase for control in controls])
        return np.asarray(Orbit(model, brain.initial).excitation(phases), dtype=np.float64)
    couplings = np.array(schedule.phases) / schedule.dt
    states = piecewise_states(model, brain.initial, couplings, schedule.dt)
    weights = np.arange(model.neurons + 1) / model.neurons
    return np.asarray(np.abs(states) ** 2 @ weights, dtype=np.float64)
