"""A job a time: each point is measured under the control that the points before it have led to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from qbrain.classical_feedback.synapse import SynapticState

from ...engine.experiment import Job, Protocol, Reading
from ..circuits import Prepared
from ..points import Measured, Point, PointCircuits

__all__ = ["measure_stepwise"]


def measure_stepwise(
    circuits: PointCircuits,
    circuit: Callable[[int, Sequence[SynapticState]], list[Prepared]],
) -> Protocol[Measured]:
    """The loop that waits for every estimate; ``circuit`` makes a point's circuit."""
    brain, law = circuits.brain, circuits.law
    times = brain.times.tolist()
    controls: list[SynapticState] = [brain.start]
    points: list[Point] = []
    for k in range(len(times)):
        if k:
            estimates: list[Any] = [point.estimate for point in points]
            controls.append(law(controls[-1], estimates, times[k] - times[k - 1]))
        readings = yield Job(
            lambda k=k, so_far=tuple(controls): circuits.tasks(k, so_far, k, circuit),  # type: ignore[misc]
            note=lambda found: _note(circuits, found),
        )
        circuits.mitigator.calibrate(readings)
        points.append(circuits.point(k, controls[-1], readings))
    return Measured(points, [point.readings for point in points])


def _note(circuits: PointCircuits, readings: Sequence[Reading]) -> str:
    circuits.mitigator.calibrate(readings)
    return f"E = {circuits.mitigator.estimate(readings).value:.3f}"
