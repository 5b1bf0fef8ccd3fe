"""Circuits of a neuron's gates, with the density matrix that each must leave.

The circuit of time t_k replays the last W steps from what was read W steps before, and reads all
gates. On simulators each variable (or each channel that is read jointly) has a circuit of its own,
since gates never interact; a device gets all of them side by side in one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qbrain.backends.readout import estimate_readout
from qbrain.circuits.hodgkin_huxley import gate_circuit, gate_layout
from qbrain.classical_feedback.gate_estimator import GateEstimator, Register
from qbrain.classical_feedback.membrane import GateControl, GateReading
from qbrain.reference.hodgkin_huxley.gate_qubits import gate_states

from ..engine.experiment import MixedState, Reading, Role, Task
from .config import HodgkinHuxleyConfig
from .model import NeuronModel, powers_of, variables_of

__all__ = ["GateCircuits", "GateReadings", "qubits_of", "registers_of"]

Array = NDArray[np.float64]
# an angle whose collision does nothing (it opens by its square) but has all of its gates
NEARLY_NOTHING = 1e-4


def registers_of(config: HodgkinHuxleyConfig) -> list[Register]:
    """The gates of each circuit of a step."""
    copies = config.copies
    if config.reading == "channels":
        found = [
            _channel(channel, row, copies) for channel, row in enumerate(powers_of(config).tolist())
        ]
    else:
        found = [Register((variable,) * copies) for variable in range(len(variables_of(config)))]
    return [_side_by_side(found)] if config.on_device else found


def qubits_of(config: HodgkinHuxleyConfig) -> int:
    """Qubits of the run's largest circuit: gates, and the ancillas that they meet."""
    layouts = [
        gate_layout(
            len(register.variables), config.window_steps,
            ancilla=config.ancilla_form, fresh=config.fresh,
        )
        for register in registers_of(config)
    ]  # fmt: skip
    return max(int(layout.qubits) for layout in layouts)


def _channel(channel: int, powers: Sequence[float], copies: int) -> Register:
    """The gates of a channel beside each other, copy after copy."""
    own = [variable for variable, power in enumerate(powers) for _ in range(int(power))]
    bits = tuple(tuple(range(k * len(own), (k + 1) * len(own))) for k in range(copies))
    return Register(tuple(own * copies), {channel: bits})


def _side_by_side(registers: Sequence[Register]) -> Register:
    variables: tuple[int, ...] = ()
    channels: dict[int, tuple[tuple[int, ...], ...]] = {}
    for register in registers:
        for channel, copies in register.channels.items():
            channels[channel] = tuple(
                tuple(len(variables) + bit for bit in copy) for copy in copies
            )
        variables += register.variables
    return Register(variables, channels)


class GateCircuits:
    """Makes the circuits of a run: gates under voltages as ``model`` has them."""

    def __init__(self, model: NeuronModel) -> None:
        self.model, self.config = model, model.config
        self.registers = registers_of(model.config)

    def tasks(self, index: int, controls: Sequence[GateControl]) -> list[Task]:
        """The circuits of time ``index``, a register each; controls are of the times until then.

        The first time's are followed by those that measure readout errors.
        """
        first = max(0, index - self.config.window_steps)
        start = self.model.initial if first == 0 else np.asarray(controls[first + 1].before)
        passed = controls[first + 1 : index + 1]
        variables = len(self.model.variables)
        angles = np.array([c.angles for c in passed]).reshape(-1, variables)
        openings = np.array([c.openings for c in passed]).reshape(-1, variables)
        found = [
            self._task(number, Role(), start, angles, openings)
            for number in range(len(self.registers))
        ]
        return found if index else found + self._calibrations()

    def _calibrations(self) -> list[Task]:
        """Of each register all gates closed, then all open, under a collision that does nothing.

        Mitigation ``reference`` gives it an angle, so that its gates are there and their errors
        count among those of reading.
        """
        if self.config.mitigation == "none":
            return []
        variables = len(self.model.variables)
        angle = NEARLY_NOTHING if self.config.mitigation == "reference" else 0.0
        step = (np.full((1, variables), angle), np.full((1, variables), 0.5))
        return [
            self._task(number, Role("readout", number=opened), np.full(variables, opened), *step)
            for number in range(len(self.registers))
            for opened in (0, 1)
        ]

    def _task(self, number: int, role: Role, start: Array, angles: Array, openings: Array) -> Task:
        form, fresh = self.config.ancilla_form, self.config.fresh
        # qubits stay where they are if no circuit is shorter than the others
        missing = (self.config.window_steps if fresh else 1) - len(angles)
        if missing > 0:
            nothing = np.zeros((missing, angles.shape[1]))
            angles, openings = (
                np.concatenate([nothing, angles]),
                np.concatenate([nothing, openings]),
            )
        own = list(self.registers[number].variables)
        given = (start[own], angles[:, own], openings[:, own])
        names = ",".join(dict.fromkeys(self.model.variables[v] for v in own))
        return Task(
            gate_circuit(*given, ancilla=form, fresh=fresh),
            MixedState(list(gate_states(*given, preparation="coherent", ancilla=form))),
            role,
            name=f"gates {names}",
            tags={"register": number},
        )


class GateReadings:
    """How far gates are open, from the readings of a run.

    Args:
        registers: the gates of each circuit of a step.
        powers: (channels, variables).
        corrected: whether the first job measures readout errors, which are inverted.

    Attributes:
        readout: readout errors (bits, 2) of each register, once they were measured.
    """

    def __init__(self, registers: Sequence[Register], powers: Array, *, corrected: bool) -> None:
        self._registers, self._powers, self._corrected = registers, powers, corrected
        self.readout: list[Array] | None = None

    def __call__(self, readings: Sequence[Reading]) -> GateReading:
        """What a job says of the gates. Raises ``ValueError`` if a circuit of it is missing."""
        if self._corrected and self.readout is None:
            self.readout = [
                self._measured(number, readings) for number in range(len(self._registers))
            ]
        return self._estimate(readings, self.readout)

    def raw(self, readings: Sequence[Reading]) -> GateReading:
        """The same without correction of readout errors."""
        return self._estimate(readings, None)

    def _estimate(
        self, readings: Sequence[Reading], readout: Sequence[Array] | None
    ) -> GateReading:
        points = [reading for reading in readings if reading.role.kind == "point"]
        bits = [len(reading.order) for reading in points]
        wanted = [len(register.variables) for register in self._registers]
        if bits != wanted:
            raise ValueError(f"wanted readings of {wanted} gates, got {bits}")
        return GateEstimator(self._registers, self._powers, readout)([r.counts for r in points])

    def _measured(self, number: int, readings: Sequence[Reading]) -> Array:
        found = {
            reading.role.number: reading.counts
            for reading in readings
            if reading.role.kind == "readout" and reading.heading.tags["register"] == number
        }
        if set(found) != {0, 1}:
            raise ValueError(f"wanted the two circuits of known gates of register {number}")
        bits = len(self._registers[number].variables)
        return estimate_readout([found[0], found[1]], [0, 2**bits - 1], bits).readout
