"""The neurons of a configuration: their sessions, their exact simulation, their controls."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbrain.classical_feedback.lif import FixedSettings, LevelSettings, LinearSettings, Membranes
from qbrain.reference.qlif import (
    KINDS,
    QlifPair,
    pair_blocks,
    random_streams,
    simulate_pairs,
)
from qbrain.reference.qlif.bell import chsh_value, pair_table
from qbrain.reference.qlif.bit_rasters import BitRaster, new_raster

from .config import QlifConfig
from .groups import Law, Rasters, Source, group_source, simulate_ticks

__all__ = ["KINDS", "QlifModel", "Session", "key_of"]

Array = NDArray[np.float64]


def key_of(kind: str) -> str:
    """A kind's name in the JSON object and in files."""
    return kind.replace(" ", "_")


@dataclass(frozen=True)
class Session:
    """One simulation from rest: its name, the neurons' currents (nA), its seed."""

    name: str
    currents: tuple[float, ...]
    seed: int


class QlifModel:
    """What a configuration describes.

    Raises ``QlifError`` or ``FeedbackError`` for membranes that make no sense.
    """

    def __init__(self, config: QlifConfig) -> None:
        self.config = config
        rows = config.angle_rows
        membrane = {
            name: getattr(config, name)
            for name in (
                "tau",
                "rest",
                "reset",
                "threshold",
                "resistance",
                "refractory",
                "coupling",
            )
        }
        membrane |= {"noise": config.voltage_noise, "tick": config.tick}
        self.membranes = Membranes(**membrane)
        self.membranes.start((1, config.group))
        # the first two neurons of a larger group
        self.pair = QlifPair(
            phi=config.phi,
            visibility=config.visibility,
            angles=(rows[0], rows[1]),
            level=config.level,
            slope=config.slope if config.settings == "linear" else 0.0,
            kick=config.kick,
            **membrane,
        )
        self.law = self._law(rows)

    def _law(self, rows: tuple[tuple[float, ...], ...]) -> Law:
        config = self.config
        if config.settings == "level":
            return LevelSettings(tuple((row[0], row[1]) for row in rows), config.level)
        angles = tuple(row[0] for row in rows)
        if config.settings == "fixed":
            return FixedSettings(angles)
        return LinearSettings(angles, config.slope, config.level)

    @cached_property
    def sessions(self) -> list[Session]:
        """The run itself, and two in which one side's drive is raised, each of a seed of its own.

        The seed must be known.
        """
        config, currents = self.config, self.config.currents
        assert config.seed is not None
        found = [Session("base", currents, config.seed)]
        if config.drive_step and not config.live:
            step = config.drive_step
            raised = {
                "second raised": (currents[0], *(c + step for c in currents[1:])),
                "first raised": (currents[0] + step, *currents[1:]),
            }
            for k, (name, own) in enumerate(raised.items()):
                state = np.random.SeedSequence(config.seed, spawn_key=(1, k)).generate_state(1)
                found.append(Session(name, own, int(state[0])))
        return found

    @property
    def chsh_exact(self) -> float | None:
        """S of the state at these settings; None where there are no two settings a side.

        In a larger group the others measure X, which leaves the first two in cosφ|00⟩ ± sinφ|11⟩,
        the sign known from their bits: the same S.
        """
        if not self.config.has_chsh:
            return None
        rows = self.config.angle_rows
        return chsh_value(pair_table(self.config.phi, rows[0], rows[1], self.config.visibility))

    def simulate(self, kind: str, session: Session, table: Array | None = None) -> Rasters:
        """A kind of pairs or groups without circuits.

        ``table``: P of a pair's bits at its settings in place of its own; see
        :func:`qbrain.reference.qlif.simulate_pairs`.
        """
        config = self.config
        if config.group > 2:
            return self._groups(kind, session)
        packed = new_raster((config.ticks, config.pairs, 2))
        if packed is not None:
            return self._packed(kind, session, table, packed)
        data = simulate_pairs(
            config.ticks, config.pairs, kind, self.pair, current=session.currents,
            seed=session.seed, table=table,
        )  # fmt: skip
        names = ("spikes", "outcomes", "settings", "angle")
        found: list[Any] = [data[name].values if name in data else None for name in names]
        return Rasters(*found)

    def _packed(
        self, kind: str, session: Session, table: Array | None, spikes: BitRaster
    ) -> Rasters:
        """Rasters of eight bits to a byte; angles of the first session's entangled pairs only."""
        config, shape = self.config, spikes.shape
        outcomes, settings, angles = BitRaster(shape), BitRaster(shape), None
        wanted = kind == "entangled" and session is self.sessions[0]
        for block in pair_blocks(
            config.ticks, config.pairs, kind, self.pair, current=session.currents,
            seed=session.seed, table=table,
        ):  # fmt: skip
            spikes.put(block.start, block.spikes)
            if block.outcomes is not None:
                outcomes.put(block.start, block.outcomes)
            if block.settings is not None:
                settings.put(block.start, block.settings)
            if block.angle is not None and wanted:
                angles = np.empty(shape, dtype=np.float32) if angles is None else angles
                angles[block.start : block.start + len(block.angle)] = block.angle
        if block.outcomes is None:
            return Rasters(spikes)
        return Rasters(spikes, outcomes, None if block.settings is None else settings, angles)

    def _groups(self, kind: str, session: Session) -> Rasters:
        config = self.config
        _, bits = random_streams(session.seed)
        source = group_source(kind, config.phi, config.visibility, self.law, bits)
        return self.ticks(session, source, kick=config.kick if kind == "coupled" else 0.0)

    def ticks(self, session: Session, source: Source | None, *, kick: float = 0.0) -> Rasters:
        """The neurons with bits from anywhere, under the noise that every kind of a session has."""
        config = self.config
        return simulate_ticks(
            self.membranes, self.law, session.currents, self.normals(session), source,
            ticks=config.ticks, groups=config.pairs, kick=kick,
        )  # fmt: skip

    def normals(self, session: Session) -> _Normals:
        """Noise of a session, tick after tick."""
        return _Normals(session.seed, (self.config.group, self.config.pairs))


class _Normals:
    """N(0, 1) of ticks in their order: the numbers of the reference's simulation."""

    def __init__(self, seed: int, shape: tuple[int, int]) -> None:
        self._stream, self._shape = random_streams(seed)[0], shape
        self._next = 0

    def __call__(self, tick: int) -> Array:
        if tick < self._next:
            raise ValueError(f"tick: wanted {self._next} or later, got {tick}")
        # ticks that an earlier process has used are passed over
        for _ in range(tick - self._next):
            self._stream.standard_normal(self._shape)
        self._next = tick + 1
        return np.asarray(self._stream.standard_normal(self._shape).T)
