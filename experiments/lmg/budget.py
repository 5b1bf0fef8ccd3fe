"""Errors of an LMG run by their causes: shots, product formula, interpolation.

What shots do is the run's own band. The others are known from exact E under the run's own controls:
of the trajectory integrated on it, less the true one.
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
from .relaxation import integrated_loop

__all__ = ["SystematicError", "error_parts", "systematic_errors"]

Array = NDArray[np.float64]
Parts = dict[str, float | None]
# E, r, U and the phase, (time,) each
SystematicError = tuple[Array, ...]


def error_parts(measured: Measured | None, data: xr.Dataset) -> Parts:
    """RMS errors of E of a run that measured something; None for each where nothing was.

    ``integrated_shot_error``: of the shots of all readings, through the interpolation and the loop.
    ``interpolation_error``: of E between the readings.
    """
    if measured is None:
        return dict.fromkeys(("integrated_shot_error", "interpolation_error"))
    return {
        "integrated_shot_error": rms(data.shot_band_excitation),
        "interpolation_error": rms(data.interpolation_error),
    }


def systematic_errors(
    brain: Brain, points: Sequence[Point], trotter: Array
) -> tuple[SystematicError, SystematicError]:
    """Errors of the trajectory that is integrated on exact E, without shots.

    First of the interpolation between the points, under the controls that the run had there,
    against the true loop; then what the product formula's error of E, ``trotter`` (points,), does
    to it.
    """
    exact = _energies(brain, [point.control for point in points])
    stderr = np.array([point.estimate.stderr for point in points])
    found, moved = (
        integrated_loop(brain, points, values, stderr, replicas=0)
        for values in (exact, exact + trotter)
    )
    truth = brain.exact
    columns = (found.excitation, found.r, found.utilisation, found.phase)
    shifted = (moved.excitation, moved.r, moved.utilisation, moved.phase)
    wanted = (truth.excitation.values, truth.r.values, truth.U.values, truth.phase.values)
    between = [column[:, 0] - true for column, true in zip(columns, wanted, strict=True)]
    formula = [after[:, 0] - before[:, 0] for after, before in zip(shifted, columns, strict=True)]
    return tuple(between), tuple(formula)


def _energies(brain: Brain, controls: Sequence[SynapticState]) -> Array:
    """Exact E at the points of the run under its controls, each held for an interval."""
    model = brain.model
    if model.field == 0:
        phases = np.array([control.phase for control in controls])
        return np.asarray(Orbit(model, brain.initial).excitation(phases), dtype=np.float64)
    schedule = brain.schedule(controls)
    couplings = np.array(schedule.phases) / schedule.dt
    states = piecewise_states(model, brain.initial, couplings, schedule.dt)
    weights = np.arange(model.neurons + 1) / model.neurons
    return np.asarray(np.abs(states) ** 2 @ weights, dtype=np.float64)
