"""All points in one job, under controls that were planned beforehand."""

from __future__ import annotations

from collections.abc import Sequence

from qbrain.classical_feedback.synapse import SynapticState

from ...engine.experiment import Job, Protocol, Task
from ..points import Measured, PointCircuits

__all__ = ["measure_planned", "tasks_of"]


def tasks_of(circuits: PointCircuits, controls: Sequence[SynapticState], first: int) -> list[Task]:
    """The circuits of all points, whose steps count from ``first``."""
    return [task for k in range(len(controls)) for task in circuits.tasks(k, controls, first + k)]


def measure_planned(circuits: PointCircuits) -> Protocol[Measured]:
    """One job; the feedback is integrated on what came back."""
    planned = circuits.brain.planned
    readings = yield Job(lambda: tasks_of(circuits, planned, 0))
    points = circuits.points_of(planned, 0, readings)
    return Measured(points, [point.readings for point in points])
