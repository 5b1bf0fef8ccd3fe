"""Configuration of a check of a backend."""

from __future__ import annotations

from ..engine.config import BaseConfig, analysis_field, circuit_field, device_field
from ..errors import NotApplicable

__all__ = ["LEAST_SHOTS", "MOST_SECONDS", "CheckConfig"]

# fewer do not tell a readout error of 1 % from none
LEAST_SHOTS = 100
MOST_SECONDS = 10.0


class CheckConfig(BaseConfig):
    """What a check may ask of a backend: shots, and on a device quantum time."""

    shots: int = circuit_field(
        2000,
        ge=LEAST_SHOTS,
        le=100_000,
        why="a check is meant to be small",
        description="measurements of each circuit; on a device as many of them as fit into "
        "max-qpu-seconds",
    )
    most_neurons: int = analysis_field(
        15,
        ge=0,
        le=15,
        why="the recommendation looks at no more",
        description="most neurons that the recommendation looks at; 0: no recommendation",
    )
    max_qpu_seconds: float | None = device_field(
        lambda given: MOST_SECONDS if str(given.get("backend")).startswith("ibm_") else None,
        gt=0,
        description=f"ibm_<device>: quantum time that the check may take (default: "
        f"{MOST_SECONDS:g}); fewer shots are taken where it takes that",
    )

    def refuse_ignored(self) -> None:
        """Refuse backend ``exact``, which has nothing to check."""
        if not self.runs_circuits:
            raise NotApplicable("backend: exact runs no circuit, so there is nothing to check")
        super().refuse_ignored()
