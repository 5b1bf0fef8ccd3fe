"""Feedback that is worked out after the job: on E(s), or by waveform relaxation.

Without a field E is a function of s alone, so that it may be measured at any phases and the closed
loop be integrated on it (:func:`integrated_orbit`).

In general a whole trajectory is measured a job, repeated until its feedback agrees with it. A round
measures E at every time under controls that were worked out beforehand; the synapse is then
integrated along the measured E(t), taken linear between its points (second order in the step),
which gives the controls of the next round (E. Lelarasmee, A. E. Ruehli and A. L.
Sangiovanni-Vincentelli, IEEE Trans. CAD 1, 131 (1982)). The first round follows the exact model, so
two or three jobs stand in for one a step.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qbrain.classical_feedback.estimator import confidence_band
from qbrain.classical_feedback.orbit import OrbitBand, integrate_between, integrate_orbit
from qbrain.classical_feedback.synapse import SynapticState
from qbrain.reference.lmg import spectral_width

if TYPE_CHECKING:
    from .protocol import Experiment, Measured

__all__ = [
    "MOST_ROUNDS",
    "integrated_controls",
    "integrated_orbit",
    "predicted_controls",
    "relaxed_controls",
]

Array = NDArray[np.float64]

MOST_ROUNDS = 4
_FLOOR = 1e-3  # of r: agreement closer than this is not asked for


def predicted_controls(exact: xr.Dataset) -> list[SynapticState]:
    """Controls at the run's times as the exact model has them."""
    return [
        SynapticState(float(r), float(u), float(s))
        for r, u, s in zip(exact.r.values, exact.U.values, exact.phase.values, strict=True)
    ]


def integrated_controls(experiment: Experiment, values: Sequence[float]) -> list[SynapticState]:
    """Controls that follow from measured E(t_k), linear in between."""
    energy = np.clip(np.asarray(values, dtype=float), 0, 1)
    state, dt = experiment.start, experiment.dt
    controls = [state]
    for before, after in itertools.pairwise(energy):
        r, u, integral = experiment.synapse.advance(
            state.r, state.utilisation, before, (after - before) / dt, dt
        )
        state = SynapticState(float(r), float(u), state.phase + float(integral))
        controls.append(state)
    return controls


def relaxed_controls(
    experiment: Experiment, steps: Sequence[Any]
) -> tuple[list[SynapticState], bool]:
    """Controls after a round, and whether r(t) agrees with what the round was run under.

    Agreement: nowhere farther apart than four standard errors of r (or 0.001). Two rounds differ
    by √2 standard errors at each time and by more at the worst of many.
    """
    values = [step.estimate.value for step in steps]
    after = integrated_controls(experiment, values)
    band = confidence_band(
        experiment.synapse,
        experiment.start,
        experiment.times,
        values,
        [step.estimate.stderr for step in steps],
        np.zeros(len(values)),
        seed=experiment.config.seed or 0,
    )
    change = np.abs([a.r - step.control.r for a, step in zip(after, steps, strict=True)])
    return after, bool(np.all(change <= np.maximum(4 * band.r, _FLOOR)))


def integrated_orbit(
    experiment: Experiment, done: Sequence[Measured], values: Array, stderr: Array
) -> OrbitBand:
    """The closed loop on E measured at given phases, for the forms that integrate afterwards."""
    method = integrate_orbit if experiment.config.evolution == "orbit" else integrate_between
    return method(
        experiment.synapse,
        experiment.start,
        experiment.times,
        np.array([m.step.control.phase for m in done]),
        values,
        stderr,
        spectral_width(experiment.model, experiment.initial),
        seed=experiment.config.seed or 0,
    )
