"""Neurons that share entangled pairs, end to end: tabulated, from recorded shots, or live.

``start`` makes a run directory and runs into it; ``resume`` goes on where a run was cut off. In
every tick each group measures a fresh shared state at settings that its own voltages have chosen,
and the bits move its thresholds. Four controls without entanglement are simulated beside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit

from qbrain.backends.readout import ReadoutCalibration

from ..engine.folder import RunDirectory
from ..engine.running import FeedbackLoop, OnBackend, estimate_run, resume_run, start_run
from .circuits import GroupCircuits
from .config import QlifConfig
from .groups import Rasters
from .model import QlifModel
from .shots import RecordedShots, ShotPlan, by_setting, record_shots

__all__ = ["Measurement", "QlifExperiment", "estimate_qlif", "resume", "start"]

SYSTEM = "qlif"
Array = NDArray[np.float64]
Bits = NDArray[np.uint8]


@dataclass(frozen=True)
class Measurement:
    """What circuits gave.

    Attributes:
        sessions: rasters of each session.
        validation: the gate's record of each circuit that was sent.
        taken: shots taken of all circuits together.
        used: those of them that a tick used.
        calibration: errors of reading, where they were measured.
    """

    sessions: list[Rasters]
    validation: list[dict[str, Any]]
    taken: int
    used: int
    calibration: ReadoutCalibration | None = None


@dataclass(frozen=True)
class Membrane:
    """Where the neurons are before a tick: its number, voltages and ticks held, (groups, n)."""

    tick: float
    voltage: Array
    held: Array


class QlifExperiment(OnBackend):
    """A run's model and circuits; fails before anything is written.

    Raises:
        QlifError, FeedbackError: membranes that make no sense.
        BackendError: no such backend, or too few qubits.
        DeviceFault: the service does not answer.
    """

    def __init__(self, config: QlifConfig, record: Mapping[str, Any] | None = None) -> None:
        self.config = config
        self.model = QlifModel(config)
        self.circuits: GroupCircuits | None = (
            GroupCircuits(config, record) if config.runs_circuits else None
        )
        self._plan: ShotPlan | None = None

    @property
    def plan(self) -> ShotPlan:
        """Of recorded shots."""
        if self._plan is None:
            self._plan = ShotPlan(self.model)
        return self._plan

    def measure(self, run: RunDirectory) -> list[Measurement]:
        """Run what is not in the journal yet."""
        if self.circuits is None:
            return []
        return [self._measure_live(run) if self.config.live else self._measure_table(run)]

    def _measure_table(self, run: RunDirectory) -> Measurement:
        assert self.circuits is not None
        config, made = self.config, self.circuits
        circuits, records = self.plan.circuits(made)
        shots = record_shots(run, self.plan, circuits, records, made.sampler, config.shots)
        recorded = RecordedShots(self.plan, by_setting(self.plan, shots), config.margin)
        return Measurement(
            recorded.sessions(self.model),
            records,
            config.shots * len(circuits),
            int(recorded.used.sum()),
            made.calibration(shots, records),
        )

    def _measure_live(self, run: RunDirectory) -> Measurement:
        assert self.circuits is not None
        config, model = self.config, self.model
        (session,) = model.sessions
        normals, drive = model.normals(session), np.asarray(session.currents)
        voltage, held = model.membranes.start((config.pairs, config.group))

        def law(control: Membrane, bits: Sequence[Bits], step: float) -> Membrane:
            tick = int(control.tick)
            voltage, _, held = model.membranes.step(
                control.voltage, control.held.astype(np.int64), drive, bits[-1], normals(tick)
            )
            return Membrane(tick + 1.0, voltage, held.astype(float))

        done = FeedbackLoop(
            times=[k * config.tick for k in range(config.ticks)],
            start=Membrane(0.0, voltage, held.astype(float)),
            law=law,
            build=lambda index, controls: self._live_circuits(index, controls[index].voltage),
            estimate=self._live_bits,
            sampler=self.circuits.sampler,
            shots=1,
            describe=lambda step: f"{int(step.estimate.sum())} ones",
        ).run(run)
        voltages = [m.step.control.voltage for m in done]
        self.circuits.gather(tuple(row) for v in voltages for row in model.law(v).tolist())
        bits = [m.step.estimate for m in done]
        rasters = model.ticks(session, lambda tick, voltage: bits[tick])
        records = [record for m in done for record in m.validation]
        return Measurement([rasters], records, len(records), len(records))

    def _live_circuits(
        self, index: int, voltage: Array
    ) -> tuple[list[QuantumCircuit], list[dict[str, Any]]]:
        assert self.circuits is not None
        made = [
            self.circuits.circuit(tuple(row), index) for row in self.model.law(voltage).tolist()
        ]
        return [isa.copy() for isa, _ in made], [record for _, record in made]

    def _live_bits(self, counts: Sequence[Mapping[int, int]], _: list[dict[str, Any]]) -> Bits:
        n = self.config.group
        words = np.empty(len(counts), dtype=np.int64)
        for group, found in enumerate(counts):
            (word,) = found
            if found[word] != 1 or not 0 <= word < 2**n:
                raise ValueError(f"counts: wanted one shot of {n} bits, got {dict(found)}")
            words[group] = word
        return (words[:, None] >> np.arange(n) & 1).astype(np.uint8)

    def foreseen(self) -> list[list[QuantumCircuit]]:
        """Circuits of each job of a run without noise."""
        assert self.circuits is not None
        if not self.config.live:
            return [self.plan.circuits(self.circuits)[0]]
        (session,) = self.model.sessions
        exact = self.model.simulate("entangled", session)
        if exact.angles is not None:
            chosen: Any = exact.angles.astype(float)
        else:
            assert exact.settings is not None
            rows = np.array([row * 2 if len(row) == 1 else row for row in self.config.angle_rows])
            chosen = rows[np.arange(self.config.group), exact.settings]
        return [
            [self.circuits.circuit(tuple(row), k)[0] for row in chosen[k].tolist()]
            for k in range(self.config.ticks)
        ]

    def finish(
        self, run: RunDirectory, done: Sequence[Measurement], began: float
    ) -> dict[str, Any]:
        """Write everything a finished run holds and return its JSON object."""
        from .result import finish

        return finish(self, run, done, began)


def start(config: QlifConfig, out: Path | None) -> dict[str, Any]:
    """Run into a new directory ``out``; see :func:`qbrain.experiments.engine.running.start_run`."""
    return start_run(SYSTEM, _with_shots(config), out, QlifExperiment)


def resume(path: Path) -> dict[str, Any]:
    """Go on with an interrupted run; see :func:`qbrain.experiments.engine.running.resume_run`."""
    return resume_run(SYSTEM, path, QlifConfig, QlifExperiment)


def estimate_qlif(config: QlifConfig) -> dict[str, Any]:
    """Cost of a run before it; see :func:`qbrain.experiments.engine.running.estimate_run`."""
    return estimate_run(SYSTEM, _with_shots(config), QlifExperiment)


def _with_shots(config: QlifConfig) -> QlifConfig:
    """A live circuit is measured once."""
    return config.model_copy(update={"shots": 1}) if config.live else config
