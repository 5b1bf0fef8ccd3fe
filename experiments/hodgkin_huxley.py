"""The quantized Hodgkin-Huxley neuron, end to end: gates as qubits under the membrane's voltage.

``start`` makes a run directory and runs into it; ``resume`` goes on where a run was cut off. At
every step the gates are read, what was read gives conductances, these the voltage, and the voltage
the angles of the next step's collisions (:mod:`qbrain.classical_feedback.membrane`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit

from qbrain.classical_feedback.membrane import GateControl, GateReading
from qbrain.classical_feedback.synapse import FeedbackError
from qbrain.experiments.errors import ConfigError
from qbrain.experiments.hodgkin_huxley_circuits import GateCircuits
from qbrain.experiments.hodgkin_huxley_config import HodgkinHuxleyConfig
from qbrain.experiments.hodgkin_huxley_model import NeuronModel
from qbrain.experiments.run_directory import RunDirectory
from qbrain.experiments.running import (
    FeedbackLoop,
    Measured,
    estimate_run,
    resume_run,
    start_run,
)

__all__ = ["NeuronExperiment", "estimate_hodgkin_huxley", "resume", "start"]

SYSTEM = "hodgkin-huxley"
Array = NDArray[np.float64]
Step = Measured[GateControl, GateReading]


class NeuronExperiment:
    """A run's model, law and circuits; fails before anything is written.

    Raises:
        ConfigError: a step longer than the fastest rate allows, or a model out of its range.
        BackendError: no such backend, or too few qubits.
        DeviceFault: the service does not answer.
    """

    def __init__(
        self, config: HodgkinHuxleyConfig, record: Mapping[str, Any] | None = None
    ) -> None:
        self.config = config
        try:
            self.model = NeuronModel(config)
        except FeedbackError as error:
            raise ConfigError(str(error)) from None
        self.circuits = GateCircuits(self.model, record) if config.runs_circuits else None
        self.law = self.model.law(self.circuits.readings if self.circuits else 1)
        # errors of reading of each register, once the first step has measured them
        self.wrong: list[Array] | None = None
        self._made: dict[int, list[QuantumCircuit]] = {}

    @property
    def device(self) -> dict[str, Any]:
        """What the run's record says of the backend."""
        return self.circuits.device if self.circuits else {"backend": "exact"}

    @property
    def qubits(self) -> int:
        """Of the largest circuit."""
        return self.circuits.qubits if self.circuits else 0

    @property
    def sampler(self) -> Any | None:
        """Where circuits run."""
        return self.circuits.sampler if self.circuits else None

    def measure(self, run: RunDirectory) -> list[Step]:
        """Run what is not in the journal yet."""
        if self.circuits is None:
            return []
        loop = FeedbackLoop(
            times=self.model.times.tolist(),
            start=self.law.start(),
            law=self.law,
            build=self._build,
            estimate=self._estimate,
            sampler=self.circuits.sampler,
            shots=self.config.shots,
            describe=lambda s: f"V = {float(self.law.voltage(s.control, s.estimate)):6.1f} mV",
        )
        return loop.run(run)

    def _build(
        self, index: int, controls: Sequence[GateControl]
    ) -> tuple[list[QuantumCircuit], list[dict[str, Any]]]:
        assert self.circuits is not None
        made, records = self.circuits.circuits(index, controls)
        self._made[index] = made
        return made, records

    def _estimate(
        self, counts: Sequence[Mapping[int, int]], records: list[dict[str, Any]]
    ) -> GateReading:
        assert self.circuits is not None
        if len(counts) > len(self.circuits.registers):
            self.wrong = self.circuits.wrong(counts)
        return self.circuits.reading(counts, self.wrong)

    def sent(self, done: Sequence[Step]) -> list[QuantumCircuit]:
        """Every circuit of the run, made again where an earlier process made it."""
        if self.circuits is None:
            return []
        controls = [m.step.control for m in done]
        return [
            circuit
            for k in range(len(done))
            for circuit in self._made.get(k) or self.circuits.circuits(k, controls)[0]
        ]

    def foreseen(self) -> list[list[QuantumCircuit]]:
        """Circuits of each step of a run that keeps to the noise-free loop."""
        assert self.circuits is not None
        controls = self.model.noiseless().controls
        return [self.circuits.circuits(k, controls)[0] for k in range(len(controls))]

    def finish(self, run: RunDirectory, done: Sequence[Step], began: float) -> dict[str, Any]:
        """Write everything a finished run holds and return its JSON object."""
        from qbrain.experiments.hodgkin_huxley_result import finish

        return finish(self, run, done, began)


def start(config: HodgkinHuxleyConfig, out: Path | None) -> dict[str, Any]:
    """Run into a new directory ``out``; see :func:`qbrain.experiments.running.start_run`."""
    return start_run(SYSTEM, config, out, NeuronExperiment)


def resume(path: Path) -> dict[str, Any]:
    """Go on with an interrupted run; see :func:`qbrain.experiments.running.resume_run`."""
    return resume_run(SYSTEM, path, HodgkinHuxleyConfig, NeuronExperiment)


def estimate_hodgkin_huxley(config: HodgkinHuxleyConfig) -> dict[str, Any]:
    """Cost of a run before it; see :func:`qbrain.experiments.running.estimate_run`."""
    return estimate_run(SYSTEM, config, NeuronExperiment)
