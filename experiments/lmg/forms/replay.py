"""Replay: at every step the circuit runs again from the start to t_k."""

from __future__ import annotations

from ...engine.experiment import Protocol
from ..points import Measured, PointCircuits
from .stepwise import measure_stepwise

__all__ = ["replay"]


def replay(circuits: PointCircuits) -> Protocol[Measured]:
    """The form that any backend can run, with or without a field."""
    return measure_stepwise(circuits, circuits.prepare)
