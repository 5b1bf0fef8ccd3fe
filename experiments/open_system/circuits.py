"""Collision circuits of a bath on a backend, each through the validation gate.

The circuit of time t_k holds all collisions up to it. On simulators without noise the ancilla meets
all neurons directly; elsewhere it travels along a line of qubits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qiskit import QuantumCircuit

from qbrain.backends.check.channel import validate_channel
from qbrain.backends.check.pure import validate
from qbrain.backends.compile import depth, to_isa, two_qubit_gates
from qbrain.backends.readings import take_readings
from qbrain.backends.readout import (
    ReadoutCalibration,
    calibration_circuits,
    calibration_states,
    estimate_readout,
)
from qbrain.circuits.open_system import collision_circuit, collision_layout
from qbrain.classical_feedback.stimulation import SpinEstimator, SpinReading

from ..engine.run_sampler import open_run_sampler
from .model import CollectiveModel, Collisions

__all__ = ["CollisionCircuits"]

Array = NDArray[np.float64]
Counts = Sequence[Mapping[int, int]]


class CollisionCircuits:
    """Opens the backend; makes, checks and reads circuits.

    Args:
        model: neurons and bath.
        record: what :attr:`device` said when the run began, for one that goes on.

    Raises:
        BackendError: no such backend, or too few qubits.
        DeviceFault: the service does not answer.
    """

    def __init__(self, model: CollectiveModel, record: Mapping[str, Any] | None = None) -> None:
        self.model, self.config = model, model.config
        config = self.config
        self.form: Literal["line", "star"] = "line" if config.noisy else "star"
        self.qubits = collision_layout(
            config.neurons, config.steps * config.substeps,
            absorption=config.occupation != "zero", shifts=True, order=config.order,
            layout=self.form, fresh=config.fresh,
        ).qubits  # fmt: skip
        self.sampler = open_run_sampler(config, self.qubits, record)
        self._calibration: ReadoutCalibration | None = None

    @property
    def device(self) -> dict[str, Any]:
        """What the run's record says of the backend."""
        return {"backend": self.config.backend, **self.sampler.details}

    @property
    def each(self) -> int:
        """Circuits of a time: one, and a coarser one where results are extrapolated."""
        return 2 if self.config.extrapolation == "richardson" else 1

    @property
    def calibration(self) -> ReadoutCalibration | None:
        """Errors of reading, once the first step has measured them."""
        return self._calibration

    def circuits(
        self, etas: ArrayLike, step: int
    ) -> tuple[list[QuantumCircuit], list[dict[str, Any]]]:
        """Those of the time after the steps of stimulation ``etas`` (k,), and the gate's records.

        Raises ``DispatchRefused`` if one does not pass, ``NegativeRate`` where there is no circuit.
        """
        fine = self.model.collisions(etas)
        found = [self._admitted(fine, step)]
        if self.each == 2:
            found.append(self._admitted(fine.coarser(), step))
        return [isa for isa, _ in found], [record for _, record in found]

    def _admitted(self, collisions: Collisions, step: int) -> tuple[QuantumCircuit, dict[str, Any]]:
        config, target, c = self.config, self.sampler.target, collisions
        logical = collision_circuit(
            config.neurons, c.emission, absorption=c.absorption, shifts=c.shifts,
            shifts_tilde=c.shifts_tilde, rotations=c.rotations, start=self.model.start,
            order=config.order, layout=self.form, fresh=config.fresh, times=c.times,
        )  # fmt: skip
        isa = to_isa(logical, target)
        states = self.model.states(c)
        record = validate_channel(
            logical, isa, target, expected=states, name=f"{len(c.emission)} collisions", step=step
        ).to_dict()
        readings = take_readings(isa, resets=True)
        order = np.argsort(readings.clbits)
        return isa, {
            "method": record["method"],
            "checks": list(record["checks"]),
            "two_qubit_gates": two_qubit_gates(isa),
            "depth": depth(isa),
            # errors of reading belong to qubits
            "read": [int(readings.qubits[k]) for k in order],
            "expected": _mean_spin(states, config.neurons),
        }

    def references(self, step: int) -> tuple[list[QuantumCircuit], list[dict[str, Any]]]:
        """All qubits in |0⟩ and in |1⟩, where errors of reading are to be measured."""
        if self.config.mitigation != "readout":
            return [], []
        target = self.sampler.target
        made = calibration_circuits(self.qubits, target)
        records = []
        for logical, isa, state in zip(
            calibration_circuits(self.qubits), made, calibration_states(self.qubits), strict=True
        ):
            expected = np.zeros(2**self.qubits)
            expected[state] = 1
            record = validate(logical, isa, target, expected=expected, step=step).to_dict()
            records.append(
                {
                    "method": record["method"],
                    "checks": list(record["checks"]),
                    "two_qubit_gates": 0,
                    "depth": depth(isa),
                    "calibration": int(state),
                }
            )
        return made, records

    def readings(self, counts: Counts, records: Sequence[Mapping[str, Any]]) -> list[SpinReading]:
        """Of each time in the step, extrapolated where that is asked for."""
        measured = [k for k, record in enumerate(records) if "calibration" in record]
        if measured:
            states = [int(records[k]["calibration"]) for k in measured]
            self._calibration = estimate_readout([counts[k] for k in measured], states, self.qubits)
        plain = [
            self._reading(found, record)
            for found, record in zip(counts, records, strict=True)
            if "calibration" not in record
        ]
        if self.each == 1:
            return plain
        return [_extrapolated(*pair) for pair in zip(plain[::2], plain[1::2], strict=True)]

    def _reading(self, counts: Mapping[int, int], record: Mapping[str, Any]) -> SpinReading:
        wrong = None
        if self._calibration is not None:
            wrong = self._calibration.readout[list(record["read"])]
        return SpinEstimator(self.config.neurons, wrong=wrong)(counts)


def _extrapolated(fine: SpinReading, coarse: SpinReading) -> SpinReading:
    """2·fine − coarse: the error of first order in the collision drops out."""
    return SpinReading(
        2 * fine.value - coarse.value,
        np.hypot(2 * fine.stderr, coarse.stderr),
        2 * fine.raw_value - coarse.raw_value,
        np.hypot(2 * fine.raw_stderr, coarse.raw_stderr),
        2 * fine.populations - coarse.populations,
        2 * fine.raw_populations - coarse.raw_populations,
        fine.shots + coarse.shots,
    )


def _mean_spin(states: NDArray[np.complex128], neurons: int) -> float:
    """⟨σ_z⟩ a neuron, of a density matrix."""
    ones = np.bitwise_count(np.arange(2**neurons, dtype=np.uint64)).astype(float)
    return float(2 * (np.diag(states).real @ ones) / neurons - 1)
