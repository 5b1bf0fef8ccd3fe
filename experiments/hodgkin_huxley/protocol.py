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

from ..engine.folder import RunDirectory
from ..engine.running import FeedbackLoop, Measured, Stepwise, estimate_run, resume_run, start_run
from ..errors import ConfigError
from .circuits import GateCircuits
from .config import HodgkinHuxleyConfig
from .model import NeuronModel

__all__ = ["NeuronExperiment", "estimate_hodgkin_huxley", "resume", "start"]

SYSTEM = "hodgkin-huxley"
Array = NDArray[np.float64]
Step = Measured[GateControl, GateReading]


class NeuronExperiment(Stepwise[GateControl]):
    """A run's model, law and circuits; fails before anything is written.

    Raises:
        ConfigError: a step longer than the fastest rate allows, or a model out of its range.
        BackendError: no such backend, or too few qubits.
        DeviceFault: the service does not answer.
    """

    def __init__(
        self, config: HodgkinHuxleyConfig, record: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__()
        self.config = config
        try:
            self.model = NeuronModel(config)
        except FeedbackError as error:
            raise ConfigError(str(error)) from None
        self.circuits: GateCircuits | None = (
            GateCircuits(self.model, record) if config.runs_circuits else None
        )
        self.law = self.model.law(self.circuits.readings if self.circuits else 1)
        # errors of reading of each register, once the first step has measured them
        self.wrong: list[Array] | None = None

    def measure(self, run: RunDirectory) -> list[Step]:
        """Run what is not in the journal yet."""
        if self.circuits is None:
            return []
        loop = FeedbackLoop(
            times=self.model.times.tolist(),
            start=self.law.start(),
            law=self.law,
            build=self.build,
            estimate=self._estimate,
            sampler=self.circuits.sampler,
            shots=self.config.shots,
            describe=lambda s: f"V = {float(self.law.voltage(s.control, s.estimate)):6.1f} mV",
        )
        return loop.run(run)

    def step_circuits(
        self, index: int, controls: Sequence[GateControl]
    ) -> tuple[list[QuantumCircuit], list[dict[str, Any]]]:
        """See :class:`qbrain.experiments.engine.running.Stepwise`."""
        assert self.circuits is not None
        return self.circuits.circuits(index, controls)

    def _estimate(
        self, counts: Sequence[Mapping[int, int]], records: list[dict[str, Any]]
    ) -> GateReading:
        assert self.circuits is not None
        if len(counts) > len(self.circuits.registers):
            self.wrong = self.circuits.wrong(counts)
        return self.circuits.reading(counts, self.wrong)

    def foreseen(self) -> list[list[QuantumCircuit]]:
        """Circuits of each step of a run that keeps to the noise-free loop."""
        assert self.circuits is not None
        controls = self.model.noiseless().controls
        return [self.circuits.circuits(k, controls)[0] for k in range(len(controls))]

    def finish(self, run: RunDirectory, done: Sequence[Step], began: float) -> dict[str, Any]:
        """Write everything a finished run holds and return its JSON object."""
        from .result import finish

        return finish(self, run, done, began)


def start(config: HodgkinHuxleyConfig, out: Path | None) -> dict[str, Any]:
    """Run into a new directory ``out``; see :func:`qbrain.experiments.engine.running.start_run`."""
    return start_run(SYSTEM, config, out, NeuronExperiment)


def resume(path: Path) -> dict[str, Any]:
    """Go on with an interrupted run; see :func:`qbrain.experiments.engine.running.resume_run`."""
    return resume_run(SYSTEM, path, HodgkinHuxleyConfig, NeuronExperiment)


def estimate_hodgkin_huxley(config: HodgkinHuxleyConfig) -> dict[str, Any]:
    """Cost of a run before it; see :func:`qbrain.experiments.engine.running.estimate_run`."""
    return estimate_run(SYSTEM, config, NeuronExperiment)
