"""Circuits of a neuron's gates, with the density matrix that each must leave.

The circuit of time t_k replays the last W steps from what was read W steps before, and reads all
gates. On simulators each variable (or each channel that is read jointly) has a circuit of its own,
since gates never interact; a device gets all of them side by side in one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from qbrain.backends.readout import estimate_readout
from qbrain.circuits.hodgkin_huxley import GateLayout, gate_circuit, gate_layout
from qbrain.classical_feedback.gate_estimator import GateEstimator, Register, open_channels
from qbrain.classical_feedback.membrane import GateControl, GateReading
from qbrain.reference.hodgkin_huxley.gate_qubits import gate_states

from ..engine.chains import Chain
from ..engine.experiment import MixedState, Reading, Role, Task
from ..engine.points import Numbers, Place, by_place, mean_of_places, placed
from .config import HodgkinHuxleyConfig
from .model import NeuronModel, powers_of, variables_of

__all__ = ["GateCircuits", "GateReadings", "layouts_of", "registers_of"]

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


def layouts_of(config: HodgkinHuxleyConfig) -> list[GateLayout]:
    """Where gates and the ancillas that they meet are in each of a step's largest circuits."""
    return [
        gate_layout(
            len(register.variables), config.window_steps,
            ancilla=config.ancilla_form, fresh=config.fresh,
        )
        for register in registers_of(config)
    ]  # fmt: skip


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
        """The circuits of time ``index``, a register each; controls are of the times until then."""
        first = max(0, index - self.config.window_steps)
        start = self.model.initial if first == 0 else np.asarray(controls[first + 1].before)
        passed = controls[first + 1 : index + 1]
        variables = len(self.model.variables)
        angles = np.array([c.angles for c in passed]).reshape(-1, variables)
        openings = np.array([c.openings for c in passed]).reshape(-1, variables)
        return [
            self._task(number, Role(), start, angles, openings)
            for number in range(len(self.registers))
        ]

    def calibrations(self, kind: str) -> list[Task]:
        """Of each register all gates closed, then all open, under a collision that does nothing.

        ``kind`` ``reference`` gives it an angle, so that its gates are there and their errors count
        among those of reading; ``readout`` none.
        """
        variables = len(self.model.variables)
        angle = NEARLY_NOTHING if kind == "reference" else 0.0
        step = (np.full((1, variables), angle), np.full((1, variables), 0.5))
        return [
            self._task(number, Role(kind, number=opened), np.full(variables, opened), *step)
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
    """How far gates are open, from the readings of a run, by the chain asked for and by others.

    Readout errors (or, with ``reference``, those and the collision's at the same noise scale) are
    inverted in the counts of each circuit, once they were measured; then every gate is taken to no
    noise, and the placements averaged. So are channels that were read jointly; the others follow
    from their gates.

    Args:
        config: of the run.
        registers: the gates of each circuit of a step.
        powers: (channels, variables).
    """

    def __init__(
        self, config: HodgkinHuxleyConfig, registers: Sequence[Register], powers: Array
    ) -> None:
        self._config, self._registers, self._powers = config, registers, powers
        self._known: dict[tuple[str, int, float], list[Array]] = {}

    @property
    def readout(self) -> list[Array] | None:
        """Readout errors (bits, 2) of each register on the first placement, once measured."""
        kind = _correction(self._config.chain)
        return None if kind is None else self._known.get((kind, 0, 1.0))

    def __call__(self, readings: Sequence[Reading]) -> GateReading:
        """What a job says of the gates by the chain of the run.

        Raises:
            ValueError: if a circuit of it is missing.
            EstimateError: if the counts do not determine the gates.
        """
        self.calibrate(readings)
        return self.by(self._config.chain, readings)

    def calibrate(self, readings: Sequence[Reading]) -> None:
        """Take in the circuits of known gates among ``readings``, if there are any."""
        for kind in ("readout", "reference"):
            for (placement, scale), found in placed(readings, kind).items():
                self._known[kind, placement, scale] = [
                    self._measured(number, found) for number in range(len(self._registers))
                ]

    def by(self, chain: Chain, readings: Sequence[Reading]) -> GateReading:
        """What the circuits of a time say of the gates by a chain.

        Raises:
            ValueError: if a circuit is missing.
            BackendError, EstimateError: if the counts do not determine the gates.
        """
        points = placed(readings)
        if not chain & {"zne", "placements"}:
            return self._at(chain, (0, 1.0), points.get((0, 1.0), []))
        each = {place: self._at(chain, place, found) for place, found in points.items()}
        gates = {place: [float(r.gates) for r in found] for place, found in points.items()}
        values = self._combined(
            chain,
            {p: (r.values, r.stderr, self._gates_of_variables(gates[p])) for p, r in each.items()},
            [0.5] * self._powers.shape[1],
        )
        opened, spread = open_channels(values.value, values.stderr, self._powers)
        joint = self._joint
        if joint:
            channels = list(joint)
            found = self._combined(
                chain,
                {
                    p: (
                        r.open[channels],
                        r.open_stderr[channels],
                        np.array([gates[p][joint[c][0]] for c in channels]),
                    )
                    for p, r in each.items()
                },
                [joint[c][1] for c in channels],
            )
            opened[channels], spread[channels] = found.value, found.stderr
        return GateReading(values.value, values.stderr, opened, spread)

    @staticmethod
    def _combined(
        chain: Chain,
        found: Mapping[Place, tuple[Array, Array, Array]],
        asymptotes: Sequence[float],
    ) -> Numbers:
        """Each number with the value that mere noise gives it, over noise scales and placements."""
        columns = []
        for k, asymptote in enumerate(asymptotes):
            own = {
                p: Numbers(v[k : k + 1], e[k : k + 1], g[k : k + 1])
                for p, (v, e, g) in found.items()
            }
            limits = by_place(chain, own, asymptote=asymptote, bounds=(0.0, 1.0))
            columns.append(mean_of_places(limits))
        return Numbers(
            np.concatenate([c.value for c in columns]),
            np.concatenate([c.stderr for c in columns]),
            0,
        )

    def _gates_of_variables(self, gates: Sequence[float]) -> Array:
        found = np.zeros(self._powers.shape[1])
        for register, number in zip(self._registers, gates, strict=True):
            found[list(register.variables)] = number
        return found

    @property
    def _joint(self) -> dict[int, tuple[int, float]]:
        """Channels that are read jointly: register, and the chance to be open by mere noise."""
        return {
            channel: (number, 0.5 ** len(copies[0]))
            for number, register in enumerate(self._registers)
            for channel, copies in register.channels.items()
        }

    def _at(self, chain: Chain, place: Place, points: Sequence[Reading]) -> GateReading:
        bits = [len(reading.order) for reading in points]
        wanted = [len(register.variables) for register in self._registers]
        if bits != wanted:
            raise ValueError(f"wanted readings of {wanted} gates, got {bits}")
        kind = _correction(chain)
        errors = None
        if kind is not None:
            placement, scale = place
            # readings do not know of folded gates, collisions do
            key = (kind, placement, scale if kind == "reference" else 1.0)
            if key not in self._known:
                raise ValueError(f"wanted circuits of known gates for {kind} at {place}, got none")
            errors = self._known[key]
        return GateEstimator(self._registers, self._powers, errors)([r.counts for r in points])

    def _measured(self, number: int, readings: Sequence[Reading]) -> Array:
        found = {
            reading.role.number: reading.counts
            for reading in readings
            if reading.heading.tags["register"] == number
        }
        if set(found) != {0, 1}:
            raise ValueError(f"wanted the two circuits of known gates of register {number}")
        bits = len(self._registers[number].variables)
        return estimate_readout([found[0], found[1]], [0, 2**bits - 1], bits).readout


def _correction(chain: Chain) -> str | None:
    return next((kind for kind in ("readout", "reference") if kind in chain), None)
