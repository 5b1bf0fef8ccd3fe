"""Collective neurons in a bath under stimulation, end to end: circuits of collisions, feedback.

Without feedback every circuit is known beforehand: a device gets all of them in one job, simulators
one time after the other. With homeostasis the stimulation of each step follows from the spins that
were measured before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit

from qbrain.classical_feedback.stimulation import SpinReading, StimulusControl

from ..engine.folder import RunDirectory
from ..engine.running import FeedbackLoop, Measured, Stepwise, estimate_run, resume_run, start_run
from .circuits import CollisionCircuits
from .config import OpenSystemConfig
from .model import CollectiveModel

__all__ = ["CollectiveExperiment", "estimate_open_system", "resume", "start"]

SYSTEM = "open-system"
Step = Measured[StimulusControl, list[SpinReading]]


class CollectiveExperiment(Stepwise[StimulusControl]):
    """A run's model, law and circuits; fails before anything is written.

    Raises:
        NegativeRate: a stimulation under which no circuit is possible.
        BackendError: no such backend, or too few qubits.
        DeviceFault: the service does not answer.
    """

    def __init__(self, config: OpenSystemConfig, record: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self.config = config
        self.model = CollectiveModel(config)
        # a stimulation that has no exact answer ends here
        self.model.exact  # noqa: B018
        self.law = self.model.law()
        self.circuits: CollisionCircuits | None = (
            CollisionCircuits(self.model, record) if config.runs_circuits else None
        )
        if self.circuits is not None:
            self.circuits.circuits(self.model.controls[-1].etas, config.steps)

    @property
    def at_once(self) -> bool:
        """Whether all times are one job."""
        return self.config.on_device and not self.model.feedback

    def measure(self, run: RunDirectory) -> list[Step]:
        """Run what is not in the journal yet."""
        if self.circuits is None:
            return []
        loop = FeedbackLoop(
            times=[0.0] if self.at_once else self.model.times.tolist(),
            start=self.law.start(),
            law=lambda control, readings, step: self.law(control, [readings[-1][-1]], step),
            build=self.build,
            estimate=self.circuits.readings,
            sampler=self.circuits.sampler,
            shots=self.config.shots,
            describe=lambda step: f"⟨σ_z⟩ = {float(step.estimate[-1].value):.3f}",
        )
        return loop.run(run)

    def step_circuits(
        self, index: int, controls: Sequence[StimulusControl]
    ) -> tuple[list[QuantumCircuit], list[dict[str, Any]]]:
        """See :class:`qbrain.experiments.engine.running.Stepwise`."""
        assert self.circuits is not None
        histories: list[NDArray[np.float64]]
        if self.at_once:
            histories = [np.zeros(k, dtype=np.float64) for k in range(len(self.model.times))]
        else:
            histories = [controls[index].etas]
        made: list[QuantumCircuit] = []
        records: list[dict[str, Any]] = []
        for etas in histories:
            circuits, found = self.circuits.circuits(etas, index)
            made, records = made + circuits, records + found
        if index == 0:
            circuits, found = self.circuits.references(index)
            made, records = made + circuits, records + found
        return made, records

    def foreseen(self) -> list[list[QuantumCircuit]]:
        """Circuits of each job of a run whose readings are exact."""
        controls = self.model.controls
        jobs = 1 if self.at_once else len(controls)
        return [self.step_circuits(k, controls)[0] for k in range(jobs)]

    def finish(self, run: RunDirectory, done: Sequence[Step], began: float) -> dict[str, Any]:
        """Write everything a finished run holds and return its JSON object."""
        from .result import finish

        return finish(self, run, done, began)


def start(config: OpenSystemConfig, out: Path | None) -> dict[str, Any]:
    """Run into a new directory ``out``; see :func:`qbrain.experiments.engine.running.start_run`."""
    return start_run(SYSTEM, config, out, CollectiveExperiment)


def resume(path: Path) -> dict[str, Any]:
    """Go on with an interrupted run; see :func:`qbrain.experiments.engine.running.resume_run`."""
    return resume_run(SYSTEM, path, OpenSystemConfig, CollectiveExperiment)


def estimate_open_system(config: OpenSystemConfig) -> dict[str, Any]:
    """Cost of a run before it; see :func:`qbrain.experiments.engine.running.estimate_run`."""
    return estimate_run(SYSTEM, config, CollectiveExperiment)
