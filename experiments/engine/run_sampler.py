"""Where a run's circuits go: the sampler of its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qbrain.backends.ibm import open_ibm_sampler
from qbrain.backends.registry import open_place, open_sampler

from .config import BaseConfig
from .sampler import RunSampler

__all__ = ["open_given_sampler", "open_run_sampler"]


def open_run_sampler(
    config: BaseConfig, qubits: int, record: Mapping[str, Any] | None = None
) -> RunSampler:
    """A sampler on the best ``qubits`` of the configured backend; a missing seed counts as 0.

    ``record`` is what the run's file says of the device where the run goes on: it stays on the
    qubits on which it began, whatever today's calibration prefers.

    Raises:
        BackendError: no such backend, or too few qubits.
        DeviceFault: the service does not answer.
    """
    placements = getattr(config, "placements", 1)
    fractional = getattr(config, "fractional_gates", False)
    if not config.on_device:
        return open_sampler(
            config.backend,
            qubits=qubits,
            seed=config.seed or 0,
            shots_hint=config.shots_each,
            placements=placements,
            fractional=fractional,
        )
    return open_ibm_sampler(
        config.backend,
        qubits=qubits,
        places=_recorded_places(record or {}),
        mode=config.execution_mode,
        twirling=config.twirling,
        decoupling=config.dynamical_decoupling,
        placements=placements,
        fractional=fractional,
    )


def _recorded_places(record: Mapping[str, Any]) -> list[list[int]] | None:
    if "placements" in record:
        return [list(place) for place in record["placements"]]
    return [list(record["physical_qubits"])] if "physical_qubits" in record else None


def open_given_sampler(place: Any, config: BaseConfig, qubits: int) -> RunSampler:
    """A sampler on a backend or sampler that was handed over in Python."""
    return open_place(
        place,
        qubits=qubits,
        seed=config.seed or 0,
        shots_hint=config.shots_each,
        placements=getattr(config, "placements", 1),
        fractional=getattr(config, "fractional_gates", False),
    )
