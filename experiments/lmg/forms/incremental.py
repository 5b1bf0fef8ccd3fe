"""Incremental: the simulator's state is kept and only the last interval is run."""

from __future__ import annotations

from ...engine.experiment import Protocol
from ..points import Measured, PointCircuits
from .stepwise import measure_stepwise

__all__ = ["incremental"]


def incremental(circuits: PointCircuits) -> Protocol[Measured]:
    """The cheap way to simulate a replay; no device can do it."""
    return measure_stepwise(circuits, circuits.last_interval)
