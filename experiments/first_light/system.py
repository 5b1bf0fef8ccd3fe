"""A check as a system of the engine. It is run by ``qbrain check``, not by ``qbrain run``."""

from __future__ import annotations

from ..engine.system import System
from .config import CheckConfig

__all__ = ["CHECK"]

CHECK = System(
    "check",
    CheckConfig,
    "qbrain.experiments.first_light.protocol:CheckExperiment",
    "A dozen small circuits of known answer, and what the backend makes of them.",
)
