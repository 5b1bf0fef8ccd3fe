"""Collective neurons in a bath under stimulation: circuits of collisions, feedback.

Without a controller every circuit is known beforehand: a device gets all of them in one job,
simulators one time after the other. Under homeostasis the stimulation of each step follows from the
spins that were measured before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from qbrain.classical_feedback.stimulation import SpinReading

from ..engine.calibration import calibration_tasks
from ..engine.experiment import Bench, Experiment, Job, Outcome, Protocol, Reading, Task
from ..engine.needs import Need
from ..engine.points import everywhere
from .circuits import CollisionCircuits, SpinReadings, layout_of
from .config import OpenSystemConfig
from .measured import Measured
from .model import CollectiveModel
from .needs import open_system_needs
from .result import outcome_of

__all__ = ["CollectiveExperiment"]


class CollectiveExperiment(Experiment[OpenSystemConfig, Measured]):
    """A run's model, law and circuits.

    Raises:
        NegativeRate: a stimulation under which no circuit is possible.
    """

    def __init__(self, config: OpenSystemConfig, bench: Bench | None) -> None:
        super().__init__(config, bench)
        self.model = CollectiveModel(config)
        # a stimulation that has no exact answer ends here, and one that has no circuit too
        self.model.exact  # noqa: B018
        self.circuits = CollisionCircuits(self.model)
        if bench is not None:
            self.circuits.tasks(self.model.etas, config.steps)

    @classmethod
    def qubits_of(cls, config: OpenSystemConfig) -> int:
        """Neurons, and the ancillas that meet them."""
        return int(layout_of(config).qubits)

    @classmethod
    def instructions(cls, config: OpenSystemConfig) -> Mapping[str, str]:
        """A reset of the ancilla between collisions, unless each has one of its own."""
        if not layout_of(config).resets:
            return {}
        return {"reset": "with fresh = true every collision has an ancilla of its own instead"}

    @classmethod
    def needs(cls, config: OpenSystemConfig) -> Sequence[Need]:
        """See :mod:`.needs`."""
        return open_system_needs(config)

    @property
    def at_once(self) -> bool:
        """Whether all times are one job."""
        return self.config.on_device and not self.model.feedback

    @property
    def jobs(self) -> int:
        """One, or one a time."""
        return 1 if self.at_once else len(self.model.times)

    def protocol(self) -> Protocol[Measured]:
        """One job, or a job a time whose stimulation follows the spins before it."""
        estimate = SpinReadings(self.config)
        readings: list[SpinReading] = []
        points: list[list[Reading]] = []
        everything: list[Reading] = []
        law = self.model.law()
        control = law.start()
        if self.at_once:
            histories = [np.zeros(k) for k in range(len(self.model.times))]
            found = yield Job(lambda: self._tasks(histories, 0))
            readings, points, everything = estimate(found), estimate.points(found), list(found)
        else:
            for k in range(len(self.model.times)):
                if k:
                    step = float(self.model.times[k] - self.model.times[k - 1])
                    control = law(control, [readings[-1]], step)
                found = yield Job(
                    lambda etas=control.etas, k=k: self._tasks([etas], k),  # type: ignore[misc]
                    note=lambda r: f"⟨σ_z⟩ = {float(estimate(r)[-1].value):.3f}",
                )
                readings += estimate(found)
                points += estimate.points(found)
                everything += found
        return Measured(readings, points, everything, np.asarray(control.etas), estimate)

    def _tasks(self, histories: Sequence[NDArray[np.float64]], step: int) -> list[Task]:
        assert self.bench is not None
        scales = self.config.scales
        tasks = [
            task
            for etas in histories
            for task in everywhere(self.circuits.tasks(etas, step), self.bench, scales)
        ]
        if step == 0 and "readout" in self.config.chain:
            tasks += calibration_tasks(self.bench)
        return tasks

    def outcome(self, measured: Measured | None) -> Outcome:
        """Spins against the master equation, the mean field and the paper's Eq. 18."""
        return outcome_of(self.config, self.model, measured, self.where)
