"""Orbit (h = 0): E on a grid of s in one job, the feedback integrated on E(s) afterwards."""

from __future__ import annotations

from ...engine.experiment import Protocol
from ..points import Measured, PointCircuits
from .one_job import measure_planned

__all__ = ["orbit"]


def orbit(circuits: PointCircuits) -> Protocol[Measured]:
    """The grid is fine enough for E(s) to be interpolated to rounding, whatever the feedback."""
    return measure_planned(circuits)
