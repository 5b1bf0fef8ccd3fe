"""The quantized Hodgkin-Huxley neuron: gates as qubits under the membrane's voltage.

At every step the gates are read, what was read gives conductances, these the voltage, and the
voltage the angles of the next step's collisions (:mod:`qbrain.classical_feedback.membrane`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from qbrain.classical_feedback.membrane import GateControl, GateReading
from qbrain.classical_feedback.synapse import FeedbackError

from ..engine.experiment import Bench, Experiment, Job, Outcome, Protocol, Reading, Task
from ..engine.needs import Need
from ..engine.points import everywhere
from ..errors import ConfigError
from .circuits import GateCircuits, GateReadings, layouts_of
from .config import HodgkinHuxleyConfig
from .measured import Measured
from .model import NeuronModel
from .needs import hodgkin_huxley_needs
from .result import outcome_of

__all__ = ["NeuronExperiment"]


class NeuronExperiment(Experiment[HodgkinHuxleyConfig, Measured]):
    """A run's model, law and circuits.

    Raises:
        ConfigError: a step longer than the fastest rate allows, or a model out of its range.
    """

    def __init__(self, config: HodgkinHuxleyConfig, bench: Bench | None) -> None:
        super().__init__(config, bench)
        try:
            self.model = NeuronModel(config)
        except FeedbackError as error:
            raise ConfigError(str(error)) from None
        self.circuits = GateCircuits(self.model)

    @classmethod
    def qubits_of(cls, config: HodgkinHuxleyConfig) -> int:
        """Gates, and the ancillas that they meet."""
        return max(int(layout.qubits) for layout in layouts_of(config))

    @classmethod
    def instructions(cls, config: HodgkinHuxleyConfig) -> Mapping[str, str]:
        """A reset of the ancillas between collisions, unless each has one of its own."""
        if not any(layout.resets for layout in layouts_of(config)):
            return {}
        return {"reset": "with fresh = true every collision has ancillas of its own instead"}

    @classmethod
    def needs(cls, config: HodgkinHuxleyConfig) -> Sequence[Need]:
        """See :mod:`.needs`."""
        return hodgkin_huxley_needs(config)

    @property
    def jobs(self) -> int:
        """One a time."""
        return len(self.model.times)

    def protocol(self) -> Protocol[Measured]:
        """A job a time, whose collisions follow the gates that were read before it."""
        law = self.model.law(self.config.shots * int(self.model.copies.min()))
        estimate = GateReadings(self.config, self.circuits.registers, self.model.powers)
        times = self.model.times.tolist()
        controls: list[GateControl] = [law.start()]
        readings: list[GateReading] = []
        points: list[Sequence[Reading]] = []
        voltage: list[float] = []
        for k in range(len(times)):
            if k:
                controls.append(law(controls[-1], readings, times[k] - times[k - 1]))
            found = yield Job(
                lambda k=k, until=tuple(controls): self._tasks(k, until),  # type: ignore[misc]
                note=lambda r, now=controls[-1]: (  # type: ignore[misc]
                    f"V = {float(law.voltage(now, estimate(r))):6.1f} mV"
                ),
            )
            readings.append(estimate(found))
            points.append(found)
            voltage.append(float(law.voltage(controls[-1], readings[-1])))
        return Measured(controls, readings, points, np.array(voltage), estimate)

    def _tasks(self, index: int, controls: Sequence[GateControl]) -> list[Task]:
        """All circuits of a time; the first brings those of known gates along."""
        assert self.bench is not None
        chain, scales = self.config.chain, self.config.scales
        tasks = everywhere(self.circuits.tasks(index, controls), self.bench, scales)
        if index == 0 and "readout" in chain:
            tasks += everywhere(self.circuits.calibrations("readout"), self.bench)
        if index == 0 and "reference" in chain:
            tasks += everywhere(self.circuits.calibrations("reference"), self.bench, scales)
        return tasks

    def outcome(self, measured: Measured | None) -> Outcome:
        """Voltage and gates against the exact neuron."""
        return outcome_of(self.config, self.model, measured, self.where)
