"""Circuits of a neuron's gates on a backend, each through the validation gate.

The circuit of time t_k replays the last W steps from what was read W steps before, and reads all
gates. On simulators each variable (or each channel that is read jointly) has a circuit of its own,
since gates never interact; a device gets all of them side by side in one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit

from qbrain.backends.check.channel import validate_channel
from qbrain.backends.compile import depth, to_isa, two_qubit_gates
from qbrain.backends.readout import estimate_readout
from qbrain.circuits.hodgkin_huxley import gate_circuit, gate_layout
from qbrain.classical_feedback.gate_estimator import GateEstimator, Register
from qbrain.classical_feedback.membrane import GateControl, GateReading
from qbrain.reference.hodgkin_huxley.gate_qubits import gate_states

from ..engine.run_sampler import open_run_sampler
from .model import NeuronModel

__all__ = ["GateCircuits"]

Array = NDArray[np.float64]
# an angle whose collision does nothing (it opens by its square) but has all of its gates
NEARLY_NOTHING = 1e-4


class GateCircuits:
    """Opens the backend; makes, checks and reads circuits.

    Args:
        model: the neuron.
        record: what :attr:`device` said when the run began, for one that goes on.

    Raises:
        BackendError: no such backend, or too few qubits.
        DeviceFault: the service does not answer.
    """

    def __init__(self, model: NeuronModel, record: Mapping[str, Any] | None = None) -> None:
        self.model, self.config = model, model.config
        config = self.config
        self.registers = self._registers()
        self.qubits = max(self._layout(register).qubits for register in self.registers)
        self.sampler = open_run_sampler(config, self.qubits, record)

    def _registers(self) -> list[Register]:
        model, copies = self.model, self.config.copies
        if self.config.reading == "channels":
            # the gates of each channel beside each other, copy after copy
            gates = [
                [v for v, power in enumerate(row) for _ in range(int(power))]
                for row in model.powers
            ]
            found = [
                Register(
                    tuple(own * copies),
                    {
                        channel: tuple(
                            tuple(range(k * len(own), (k + 1) * len(own))) for k in range(copies)
                        )
                    },
                )
                for channel, own in enumerate(gates)
            ]
        else:
            found = [Register((variable,) * copies) for variable in range(len(model.variables))]
        return [_side_by_side(found)] if self.config.on_device else found

    def _layout(self, register: Register) -> Any:
        return gate_layout(
            len(register.variables), self.config.window_steps,
            ancilla=self.config.ancilla_form, fresh=self.config.fresh,
        )  # fmt: skip

    @property
    def device(self) -> dict[str, Any]:
        """What the run's record says of the backend."""
        return {"backend": self.config.backend, **self.sampler.details}

    @property
    def calibrations(self) -> int:
        """Circuits beside those of the first step."""
        return 0 if self.config.mitigation == "none" else 2 * len(self.registers)

    def circuits(
        self, index: int, controls: Sequence[GateControl]
    ) -> tuple[list[QuantumCircuit], list[dict[str, Any]]]:
        """Those of step ``index`` in the target's gates, and the gate's records.

        The first step's are followed by those that measure errors: of each register all gates
        closed, then all open.

        Raises ``DispatchRefused`` if one does not pass.
        """
        first = max(0, index - self.config.window_steps)
        start = self.model.initial if first == 0 else np.asarray(controls[first + 1].before)
        passed = controls[first + 1 : index + 1]
        variables = len(self.model.variables)
        angles = np.array([c.angles for c in passed]).reshape(-1, variables)
        openings = np.array([c.openings for c in passed]).reshape(-1, variables)
        jobs: list[tuple[Register, Array, Array, Array]]
        jobs = [(register, start, angles, openings) for register in self.registers]
        if index == 0:
            jobs += self._references(variables)
        made = [self._admitted(*job, index) for job in jobs]
        return [isa for isa, _ in made], [record for _, record in made]

    def _references(self, variables: int) -> list[tuple[Register, Array, Array, Array]]:
        if not self.calibrations:
            return []
        angle = NEARLY_NOTHING if self.config.mitigation == "reference" else 0.0
        step = (np.full((1, variables), angle), np.full((1, variables), 0.5))
        return [
            (register, np.full(variables, value), *step)
            for register in self.registers
            for value in (0.0, 1.0)
        ]

    def _admitted(
        self, register: Register, start: Array, angles: Array, openings: Array, step: int
    ) -> tuple[QuantumCircuit, dict[str, Any]]:
        form, fresh = self.config.ancilla_form, self.config.fresh
        # qubits stay where they are if no circuit is shorter than the others
        missing = (self.config.window_steps if fresh else 1) - len(angles)
        if missing > 0:
            nothing = np.zeros((missing, angles.shape[1]))
            angles, openings = (
                np.concatenate([nothing, angles]),
                np.concatenate([nothing, openings]),
            )
        own = list(register.variables)
        given = (start[own], angles[:, own], openings[:, own])
        logical = gate_circuit(*given, ancilla=form, fresh=fresh)
        isa = to_isa(logical, self.sampler.target)
        expected = gate_states(*given, preparation="coherent", ancilla=form)
        names = ",".join(dict.fromkeys(self.model.variables[v] for v in own))
        record = validate_channel(
            logical, isa, self.sampler.target, expected=list(expected), name=f"gates {names}",
            step=step,
        )  # fmt: skip
        whole = record.to_dict()
        cost = {"two_qubit_gates": two_qubit_gates(isa), "depth": depth(isa)}
        return isa, {"method": whole["method"], "checks": list(whole["checks"]), **cost}

    def wrong(self, counts: Sequence[Mapping[int, int]]) -> list[Array] | None:
        """Errors of reading of each register, from the counts of the first step."""
        if not self.calibrations:
            return None
        pairs = counts[len(self.registers) :]
        return [
            estimate_readout(pairs[2 * k : 2 * k + 2], [0, 2**bits - 1], bits).readout
            for k, bits in enumerate(len(register.variables) for register in self.registers)
        ]

    def reading(
        self, counts: Sequence[Mapping[int, int]], wrong: Sequence[Array] | None
    ) -> GateReading:
        """What the counts of a step say of the gates."""
        estimator = GateEstimator(self.registers, self.model.powers, wrong)
        return estimator(counts[: len(self.registers)])

    @cached_property
    def readings(self) -> int:
        """How often the least read variable is read at each time."""
        return self.config.shots * int(self.model.copies.min())


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
