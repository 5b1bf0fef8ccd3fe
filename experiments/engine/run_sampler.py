"""Where a run's circuits go: the sampler of its configuration."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from qbrain.backends.ibm import open_ibm_sampler, reopen_ibm_sampler
from qbrain.backends.ibm_device import DeviceFacts
from qbrain.backends.ibm_limits import MOST_SECONDS
from qbrain.backends.registry import open_place

from .config import BaseConfig
from .sampler import RunSampler

__all__ = ["open_place_of_run", "open_run_sampler"]


def open_run_sampler(
    config: BaseConfig, qubits: int, record: Mapping[str, Any] | None = None
) -> RunSampler:
    """A sampler on the best ``qubits`` of the configured backend; a missing seed counts as 0.

    ``record`` is what the run's folder says of the device where the run goes on. With the facts of
    an IBM device in it, under ``facts``, neither the device nor the service is asked for anything;
    with its qubit chains alone, the run stays on these, whatever today's calibration prefers.

    Raises:
        BackendError: no such backend, or too few qubits.
        DeviceFault: the service does not answer.
    """
    if not config.on_device:
        return open_place_of_run(config.backend, config, qubits)
    options: dict[str, Any] = {
        "mode": config.execution_mode,
        "twirling": config.twirling,
        "decoupling": config.dynamical_decoupling,
        "account": config.account,
        "instance": config.instance,
    }
    facts = (record or {}).get("facts")
    if isinstance(facts, DeviceFacts):
        sampler = reopen_ibm_sampler(facts, **options)
    else:
        sampler = open_ibm_sampler(
            config.backend,
            qubits=qubits,
            places=_recorded_places(record or {}),
            **options,
            **_layout(config),
        )
    if config.max_qpu_seconds is not None:
        # of jobs that are sent outside a run; those of a run get what is left for each
        sampler.most_seconds = max(1, min(MOST_SECONDS, math.floor(config.max_qpu_seconds)))
    return sampler


def _layout(config: BaseConfig) -> dict[str, Any]:
    """What a configuration says of qubit chains and gates, where its system has the choice."""
    return {
        "placements": getattr(config, "placements", 1),
        "fractional": getattr(config, "fractional_gates", False),
    }


def _recorded_places(record: Mapping[str, Any]) -> list[list[int]] | None:
    if "placements" in record:
        return [list(place) for place in record["placements"]]
    return [list(record["physical_qubits"])] if "physical_qubits" in record else None


def open_place_of_run(place: Any, config: BaseConfig, qubits: int) -> RunSampler:
    """A sampler on a simulator, a snapshot or somebody's backend, by name or handed over."""
    return open_place(
        place,
        qubits=qubits,
        seed=config.seed or 0,
        shots_hint=config.shots_each,
        noise=config.noise,
        **_layout(config),
    )
