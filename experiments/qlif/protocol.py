"""Neurons that share entangled pairs, end to end: tabulated, from recorded shots, or live.

In every tick each group measures a fresh shared state at settings that its own voltages have
chosen, and the bits move its thresholds. Four controls without entanglement are simulated beside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..engine.calibration import calibration_tasks, measured_readout
from ..engine.experiment import Bench, Experiment, Job, Outcome, Protocol, Reading, Task
from ..engine.needs import Need
from ..engine.points import everywhere, placed
from .circuits import GroupCircuits
from .config import QlifConfig
from .groups import Angles
from .measured import Measured, Sessions
from .model import QlifModel
from .needs import qlif_needs
from .result import outcome_of
from .shots import RecordedShots, ShotPlan

__all__ = ["QlifExperiment"]

Bits = NDArray[np.uint8]


class QlifExperiment(Experiment[QlifConfig, Measured]):
    """A run's neurons and circuits.

    Raises:
        QlifError, FeedbackError: membranes that make no sense.
    """

    def __init__(self, config: QlifConfig, bench: Bench | None) -> None:
        super().__init__(config, bench)
        self.model = QlifModel(config)
        self.circuits = None if bench is None else GroupCircuits(config, bench.target)

    @classmethod
    def qubits_of(cls, config: QlifConfig) -> int:
        """One a neuron of a group."""
        return config.group

    @classmethod
    def needs(cls, config: QlifConfig) -> Sequence[Need]:
        """See :mod:`.needs`."""
        return qlif_needs(config)

    @cached_property
    def plan(self) -> ShotPlan:
        """Of recorded shots."""
        return ShotPlan(self.model)

    @property
    def jobs(self) -> int:
        """One, or one a tick."""
        return self.config.ticks if self.config.live else 1

    def protocol(self) -> Protocol[Measured]:
        """All shots of a table in one job, or a job a tick that follows the voltages."""
        return self._live() if self.config.live else self._table()

    def _table(self) -> Protocol[Measured]:
        readings = yield Job(self._table_tasks)
        places = range(self.config.placements if "readout" in self.config.chain else 0)
        roles = [reading.role for reading in readings if reading.role.kind == "readout"]
        if [(r.placement, r.number) for r in roles] != [(p, k) for p in places for k in (0, 1)]:
            raise ValueError(f"wanted circuits of mitigation {self.config.mitigation}")
        # neurons follow the plain circuits of the first placement
        points = placed(readings)[0, 1.0]
        bits = self.plan.by_setting(points)
        orders = {reading.heading.tags["setting"]: reading.order for reading in points}
        return Measured(
            bits,
            [orders[number] for number in range(len(bits))],
            self.config.shots * len(readings),
            len(bits),
            measured_readout(readings),
            readings,
        )

    def _table_tasks(self) -> list[Task]:
        assert self.circuits is not None
        assert self.bench is not None
        tasks: list[Task] = []
        for number, (angles, copies) in enumerate(
            zip(self.plan.angles, self.plan.copies, strict=True)
        ):
            plain, *others = everywhere(
                [self.circuits.task(angles, number)], self.bench, self.config.scales
            )
            tasks += [plain] * copies
            for other in others:
                # of these the counts are enough
                tasks += [replace(other, keep="counts")] * copies
        return tasks + (calibration_tasks(self.bench) if "readout" in self.config.chain else [])

    def _live(self) -> Protocol[Measured]:
        config, model = self.config, self.model
        (session,) = model.sessions
        normals, drive = model.normals(session), np.asarray(session.currents)
        voltage, held = model.membranes.start((config.pairs, config.group))
        bits: list[Bits] = []
        came: set[Angles] = set()
        for tick in range(config.ticks):
            rows = [tuple(row) for row in model.law(voltage).tolist()]
            came.update(rows)
            readings = yield Job(
                lambda rows=rows: self._live_tasks(rows),  # type: ignore[misc]
                shots=config.shots_each,
                note=lambda found: f"{int(self._live_bits(found).sum())} ones",
            )
            bits.append(self._live_bits(readings))
            voltage, _, held = model.membranes.step(voltage, held, drive, bits[-1], normals(tick))
        return Measured(bits, [], config.pairs * config.ticks, len(came))

    def _live_tasks(self, rows: Sequence[Angles]) -> list[Task]:
        assert self.circuits is not None
        return [self.circuits.task(row) for row in rows]

    def _live_bits(self, readings: Sequence[Reading]) -> Bits:
        """Bits (groups, n) of a tick. Raises ValueError unless each group has one shot."""
        n = self.config.group
        if len(readings) != self.config.pairs:
            raise ValueError(f"wanted {self.config.pairs} circuits, got {len(readings)}")
        words = np.empty(len(readings), dtype=np.int64)
        for group, reading in enumerate(readings):
            if list(reading.counts.values()) != [1] or not 0 <= min(reading.counts) < 2**n:
                raise ValueError(f"wanted one shot of {n} bits, got {dict(reading.counts)}")
            words[group] = min(reading.counts)
        return (words[:, None] >> np.arange(n) & 1).astype(np.uint8)

    def _sessions(self, measured: Measured | None) -> Sessions:
        """Rasters of the neurons with the bits that were measured, or drawn where none were.

        Raises ``ConfigError`` if the shots of a setting are used up.
        """
        model = self.model
        if measured is None:
            return Sessions([model.simulate("entangled", s) for s in model.sessions], 0)
        if self.config.live:
            (session,) = model.sessions
            rasters = model.ticks(session, lambda tick, voltage: measured.bits[tick])
            return Sessions([rasters], measured.taken)
        recorded = RecordedShots(self.plan, measured.bits, self.config.margin)
        return Sessions(recorded.sessions(model), int(recorded.used.sum()))

    def outcome(self, measured: Measured | None) -> Outcome:
        """Rasters, CHSH value and tests of no-signalling, beside four kinds without entanglement.

        Raises ``ConfigError`` if the shots of a setting are used up.
        """
        return outcome_of(self.model, self._sessions(measured), measured, self.where)
