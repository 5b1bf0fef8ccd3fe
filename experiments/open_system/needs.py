"""What a bath's run takes: the master equation, the loop on it, and the circuits."""

from __future__ import annotations

from ..engine.needs import Need, circuit_needs
from .circuits import circuits_each
from .config import OpenSystemConfig

__all__ = ["open_system_needs"]

# seconds of a step on the master equation under homeostasis, and of a pair of steps
_STEP_SECONDS, _PAIR_SECONDS = 0.15, 5e-4
# of a collision with a neuron in one circuit: built, simulated as density matrix, compared
_COLLISION_SECONDS, _COLLISION_BYTES = 6e-4, 4e3


def open_system_needs(config: OpenSystemConfig) -> list[Need]:
    """Populations at all times; the loop's own responses; every circuit's collisions."""
    times, n = config.steps + 1, config.neurons
    # the picture's curve has four points a step
    size = 8.0 * (6 * (n + 1) * times + 40 * max(400, 4 * times))
    found = [Need("steps" if times > n else "neurons", size, 1e-4 * times + 1e-6 * n**2)]
    if config.controller == "homeostasis":
        pairs = float(config.steps) ** 2
        found.append(
            Need(
                "steps",
                8.0 * 8 * pairs * config.substeps,
                _STEP_SECONDS * config.steps + _PAIR_SECONDS * pairs,
            )
        )
    if config.runs_circuits:
        each = circuits_each(config) * config.placements * len(config.scales)
        collisions = float(config.collisions) * times / 2 * each
        found.append(
            Need(
                "steps" if config.steps > config.substeps else "substeps",
                _COLLISION_BYTES * collisions * n,
                _COLLISION_SECONDS * collisions * n * 4**n / 16,
            )
        )
        # a fresh ancilla a collision is read off its own small part of the circuit
        found += circuit_needs(config, min(2 * n, 8), field="neurons")
    return found
