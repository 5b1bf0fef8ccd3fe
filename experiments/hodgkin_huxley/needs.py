"""What a neuron's run takes: its exact trajectory, repetitions without errors, circuits."""

from __future__ import annotations

import math

from ..engine.needs import Need, circuit_needs
from .circuits import registers_of
from .config import HodgkinHuxleyConfig

__all__ = ["hodgkin_huxley_needs"]

# repetitions of the loop that the band comes from, and numbers that each keeps of a step
_REPETITIONS, _NUMBERS = 400, 12
# of a step of the loop, of an earlier step that it replays, of a period of the drive
_STEP_SECONDS, _REPLAY_SECONDS, _PERIOD_SECONDS = 3e-4, 3e-5, 2e-3
_GATE_SECONDS, _GATE_BYTES = 2e-3, 20e3


def hodgkin_huxley_needs(config: HodgkinHuxleyConfig) -> list[Need]:
    """Of the loop on paper, and of its circuits."""
    steps = config.steps
    periods = config.time * config.frequency / (2 * math.pi) if config.drive != "constant" else 0.0
    found = [
        Need("frequency" if periods > config.time else "time", 0.0, periods * _PERIOD_SECONDS
             + 2e-4 * config.time),
        Need("steps", 8.0 * 60 * steps, _STEP_SECONDS * steps),
    ]  # fmt: skip
    if not config.runs_circuits:
        return found
    window = min(config.window_steps, steps)
    gates = sum(len(register.variables) for register in registers_of(config))
    each = config.placements * len(config.scales)
    collisions = float(steps) * window * gates * each
    found += [
        Need(
            "steps",
            8.0 * _REPETITIONS * _NUMBERS * steps,
            _REPLAY_SECONDS * _REPETITIONS / 40 * steps * window,
        ),
        Need(
            "copies" if config.copies > 1 else "steps",
            _GATE_BYTES * collisions,
            _GATE_SECONDS * collisions + 0.05 * steps * each,
        ),
        # gates are simulated one by one, each with the ancillas that it meets
        *circuit_needs(config, 3, field="shots", together=len(registers_of(config))),
    ]
    return found
