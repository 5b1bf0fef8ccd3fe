"""Fast-forward (h = 0): one fixed depth reaches any phase s.

Without a field all H(t) commute and E is a function of s = ∫r dt alone. Either each point waits for
the feedback of those before it, or all predicted phases are measured in one job and the feedback is
integrated on what came back.
"""

from __future__ import annotations

from ...engine.experiment import Protocol
from ..points import Measured, PointCircuits
from .one_job import measure_planned
from .stepwise import measure_stepwise

__all__ = ["fast_forward", "fast_forward_in_one_job"]


def fast_forward(circuits: PointCircuits) -> Protocol[Measured]:
    """A job a time, each at the phase that the feedback has led to."""
    return measure_stepwise(circuits, circuits.prepare)


def fast_forward_in_one_job(circuits: PointCircuits) -> Protocol[Measured]:
    """All times in one job, at the phases of the exact trajectory."""
    return measure_planned(circuits)
