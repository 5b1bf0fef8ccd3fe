"""Feedback that is worked out after the job: on E(s), or by waveform relaxation.

Without a field E is a function of s alone, so that it may be measured at any phases and the closed
loop be integrated on it (:func:`integrated_loop`).

In general a whole trajectory is measured a job, repeated until its feedback agrees with it. A round
measures E at every time under controls that were worked out beforehand; the synapse is then
integrated along the measured E(t), taken linear between its points (second order in the step),
which gives the controls of the next round.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbrain.classical_feedback.estimator import confidence_band
from qbrain.classical_feedback.orbit import OrbitBand, integrate_between, integrate_orbit
from qbrain.classical_feedback.synapse import SynapticState
from qbrain.classical_feedback.trajectory import integrate_in_time

from .brain import Brain
from .points import Point

__all__ = ["MOST_ROUNDS", "integrated_controls", "integrated_loop", "relaxed_controls"]

Array = NDArray[np.float64]

MOST_ROUNDS = 4
_FLOOR = 1e-3  # of r: agreement closer than this is not asked for


def integrated_controls(brain: Brain, values: Sequence[float]) -> list[SynapticState]:
    """Controls that follow from measured E(t_k), linear in between."""
    energy = np.clip(np.asarray(values, dtype=float), 0, 1)
    state, dt = brain.start, brain.dt
    controls = [state]
    for before, after in itertools.pairwise(energy):
        r, u, integral = brain.synapse.advance(
            state.r, state.utilisation, before, (after - before) / dt, dt
        )
        state = SynapticState(float(r), float(u), state.phase + float(integral))
        controls.append(state)
    return controls


def relaxed_controls(brain: Brain, points: Sequence[Point]) -> tuple[list[SynapticState], bool]:
    """Controls after a round, and whether r(t) agrees with what the round was run under.

    Agreement: nowhere farther apart than four standard errors of r (or 0.001). Two rounds differ
    by √2 standard errors at each time and by more at the worst of many.
    """
    values = [point.estimate.value for point in points]
    after = integrated_controls(brain, values)
    band = confidence_band(
        brain.synapse,
        brain.start,
        brain.times,
        values,
        [point.estimate.stderr for point in points],
        np.zeros(len(values)),
        seed=brain.config.seed or 0,
    )
    change = np.abs([a.r - point.control.r for a, point in zip(after, points, strict=True)])
    return after, bool(np.all(change <= np.maximum(4 * band.r, _FLOOR)))


def integrated_loop(
    brain: Brain, points: Sequence[Point], values: Array, stderr: Array, *, replicas: int = 200
) -> OrbitBand:
    """The closed loop on measured E, free of the finite step under which E was measured.

    Without a field E is a function of the phase alone; with one it is moved to first order.
    """
    phases = np.array([point.control.phase for point in points])
    common: Any = {"replicas": replicas, "seed": brain.config.seed or 0}
    if brain.model.field != 0:
        couplings = np.array([point.control.r for point in points])
        return integrate_in_time(
            brain.synapse, brain.start, brain.times, phases, couplings, values, stderr, **common
        )
    curve = (brain.synapse, brain.start, brain.times, phases, values, stderr, brain.width)
    if brain.config.evolution == "orbit":
        return integrate_orbit(*curve, **common)
    return integrate_between(*curve, frequencies=brain.frequencies, **common)
