"""Where a run's circuits go: the sampler of its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qbrain.backends.ibm import open_ibm_sampler
from qbrain.backends.registry import open_sampler

from .config import BaseConfig

__all__ = ["open_run_sampler"]


def open_run_sampler(
    config: BaseConfig, qubits: int, record: Mapping[str, Any] | None = None
) -> Any:
    """A sampler on the best ``qubits`` of the configured backend; a missing seed counts as 0.

    ``record`` is what the run's file says of the device where the run goes on: it stays on the
    qubits on which it began, whatever today's calibration prefers.

    Raises:
        BackendError: no such backend, or too few qubits.
        DeviceFault: the service does not answer.
    """
    if not config.on_device:
        return open_sampler(
            config.backend, qubits=qubits, seed=config.seed or 0, shots_hint=config.shots
        )
    placed = (record or {}).get("physical_qubits")
    return open_ibm_sampler(
        config.backend,
        qubits=qubits,
        places=None if placed is None else [list(placed)],
        mode=config.execution_mode,
        twirling=config.twirling,
        decoupling=config.dynamical_decoupling,
    )
