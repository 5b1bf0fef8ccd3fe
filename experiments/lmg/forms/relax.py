"""Relax: all times in one job under predicted r(t), again until r(t) agrees with itself.

Waveform relaxation (E. Lelarasmee, A. E. Ruehli and A. L. Sangiovanni-Vincentelli, IEEE Trans. CAD
1, 131 (1982)); a field is allowed. The first round follows the exact model, so that two or three
jobs stand in for one a step.
"""

from __future__ import annotations

from collections.abc import Sequence

from qbrain.classical_feedback.synapse import SynapticState

from ...engine.experiment import Job, Protocol, Reading
from ..points import Measured, PointCircuits
from ..relaxation import MOST_ROUNDS, relaxed_controls
from .one_job import tasks_of

__all__ = ["relax"]


def relax(circuits: PointCircuits) -> Protocol[Measured]:
    """Rounds of one job each, at most ``MOST_ROUNDS``; the last one is the result."""
    controls: Sequence[SynapticState] = circuits.brain.planned
    size = len(controls)
    every: list[tuple[Reading, ...]] = []
    for number in range(MOST_ROUNDS):
        first = number * size
        readings = yield Job(
            lambda own=tuple(controls), first=first: tasks_of(circuits, own, first),  # type: ignore[misc]
            note=lambda found, number=number: f"round {number + 1}",  # type: ignore[misc]
        )
        points = circuits.points_of(controls, first, readings)
        every += [point.readings for point in points]
        controls, agreed = relaxed_controls(circuits.brain, points)
        if agreed:
            break
    return Measured(points, every)
