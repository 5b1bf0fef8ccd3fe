"""A check as an experiment: one job of small circuits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from ..engine.dispatch import compiled
from ..engine.experiment import Bench, Experiment, Job, Outcome, Protocol, Reading
from ..engine.folder import RunDirectory
from ..engine.plan import costs_of
from ..engine.progress import tell
from .config import LEAST_SHOTS, CheckConfig
from .outcome import outcome_of
from .probes import QUBITS, Probe, left_out, probes

__all__ = ["CheckExperiment"]

Measured = Sequence[Reading]


class CheckExperiment(Experiment[CheckConfig, Measured]):
    """A check of a backend.

    Attributes:
        shots: of each circuit; on a device as many as fit into ``max_qpu_seconds``.
    """

    def __init__(self, config: CheckConfig, bench: Bench | None) -> None:
        super().__init__(config, bench)
        assert bench is not None  # backend exact is refused
        self._bench = bench
        self.shots = config.shots
        if config.on_device and config.max_qpu_seconds is not None:
            self.shots = self._fitting(config.max_qpu_seconds)

    @classmethod
    def qubits_of(cls, config: CheckConfig) -> int:
        """Four, on a line where the device has one."""
        return QUBITS

    @cached_property
    def probes(self) -> list[Probe]:
        """The circuits that the device can run."""
        return probes(self._bench.target, self._bench.feed_forward)

    @property
    def left_out(self) -> list[str]:
        """What the device cannot do, and the circuit that is missing for it."""
        return left_out(self._bench.target, self._bench.feed_forward)

    def _seconds(self, shots: int) -> float | None:
        self.shots = shots
        found = costs_of("check", self, self._bench)["qpu_seconds"]
        return None if found is None else float(found)

    def _fitting(self, limit: float) -> int:
        """Shots that fit, since quantum time is linear in them; too few are left to be refused."""
        wanted = self.config.shots
        most, least = self._seconds(wanted), self._seconds(LEAST_SHOTS)
        if most is None or least is None or most <= limit or wanted == LEAST_SHOTS:
            return wanted
        each = (most - least) / (wanted - LEAST_SHOTS)
        return max(LEAST_SHOTS, LEAST_SHOTS + math.floor((limit - least) / each))

    def prepare(self, folder: RunDirectory) -> None:
        """Say what is about to be sent, and what it costs."""
        if folder.steps():
            return
        costs = costs_of("check", self, self._bench)
        text = f"{costs['circuits']} circuits of {self.shots} shots in {costs['jobs']} job"
        if costs["qpu_seconds"] is not None:
            whose = "" if self.config.on_device else "on a device "
            text += f", {whose}about {costs['qpu_seconds']:.0f} s of quantum time"
        tell(f"{self.config.backend}: {text}")

    def protocol(self) -> Protocol[Measured]:
        """One job."""
        return (yield Job(lambda: [one.task for one in self.probes], shots=self.shots))

    def outcome(self, measured: Measured | None) -> Outcome:
        """Verdicts, numbers and what to do with the device."""
        assert measured is not None
        circuits = [compiled(one.task, self._bench) for one in self.probes]
        return outcome_of(
            self.config,
            self._bench,
            self.probes,
            circuits,
            measured,
            self.left_out,
            self.where,
        )

    def costs(self) -> Mapping[str, Any]:
        """What is left out."""
        return {"left_out": self.left_out}
