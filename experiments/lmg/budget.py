"""Errors of an LMG run by their causes: shots, product formula, interpolation.

What shots do is the run's own band. The others are known from exact E under the run's own controls:
of the trajectory integrated on it, less the true one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qbrain.classical_feedback.orbit import OrbitBand
from qbrain.classical_feedback.synapse import SynapticState
from qbrain.reference.lmg import Orbit, piecewise_states

from ..engine.measures import rms
from .brain import Brain
from .points import Measured, Point
from .relaxation import integrated_loop

__all__ = ["SystematicError", "error_parts", "systematic_error"]

Array = NDArray[np.float64]
Parts = dict[str, float | None]
# E, r, U and the phase, (time,) each
SystematicError = tuple[Array, Array, Array, Array]


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


def systematic_error(
    brain: Brain, points: Sequence[Point], shift: Array | None = None
) -> SystematicError:
    """Error of the trajectory that is integrated on exact E, without shots.

    Without ``shift``: of the interpolation between the points, under the controls that the run had
    there, against the true loop. With it, (points,): what so much more in each E does to it.
    """
    exact = _energies(brain, [point.control for point in points])
    stderr = np.array([point.estimate.stderr for point in points])

    def integrated(values: Array) -> OrbitBand:
        return integrated_loop(brain, points, values, stderr, replicas=0)

    found = integrated(exact)
    if shift is not None:
        moved = integrated(exact + shift)
        return tuple(  # type: ignore[return-value]
            np.asarray(getattr(moved, name)[:, 0] - getattr(found, name)[:, 0])
            for name in ("excitation", "r", "utilisation", "phase")
        )
    truth = brain.exact
    return (
        np.asarray(found.excitation[:, 0] - truth.excitation.values),
        np.asarray(found.r[:, 0] - truth.r.values),
        np.asarray(found.utilisation[:, 0] - truth.U.values),
        np.asarray(found.phase[:, 0] - truth.phase.values),
    )


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
