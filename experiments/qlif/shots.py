"""Shots recorded beforehand, setting by setting, and neurons that use each of them once, in order.

A neuron's setting follows from its own voltage and its bit is needed in the same tick, so a job a
tick is the literal form of the model, and a costly one. With finitely many settings there is
another: enough shots of every setting are taken in one job, and in each tick a group takes the next
shot of the setting that its voltages have chosen. Shots of one setting are alike, so the neurons
cannot tell the difference; a physicist can: the pairs were measured before anything chose the
settings, so the CHSH value is one of correlations, and no test free of loopholes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbrain.reference.qlif.bit_rasters import group_blocks

from ..engine.experiment import Reading
from ..errors import ConfigError
from .groups import Rasters, Source, distinct_settings, setting_words
from .model import QlifModel

__all__ = ["RecordedShots", "ShotPlan"]

Array = NDArray[np.float64]
Bits = NDArray[np.uint8]
# shots of each setting beyond the margin, for those that are chosen rarely
SPARE = 100


class ShotPlan:
    """Which circuits are run how often, so that every tick of every session has its shot.

    Attributes:
        angles: of each circuit that differs from the others.
        place: setting of all neurons as one number (bit i: neuron i's) → its circuit.
        uses: shots of each circuit that exact sessions would use.
        copies: how often each circuit is sent.
    """

    def __init__(self, model: QlifModel) -> None:
        config = self._config = model.config
        self.angles, self.place = distinct_settings(config.angle_rows)
        self.uses = np.zeros(len(self.angles), dtype=np.int64)
        for session in model.sessions:
            chosen = model.simulate("entangled", session).settings
            assert chosen is not None
            for (settings,) in group_blocks(chosen):
                words = setting_words(settings)
                self.uses += np.bincount(self.place[words.ravel()], minlength=len(self.angles))
        wanted = np.ceil(config.margin * self.uses) + SPARE
        self.copies = [math.ceil(x / config.shots) for x in wanted]

    def by_setting(self, readings: Sequence[Reading]) -> list[Bits]:
        """Shots (shots, neurons) of each circuit, its copies one after the other.

        Raises ``ValueError`` for readings that are not of this plan.
        """
        shape = (self._config.shots, self._config.group)
        each: list[list[Bits]] = [[] for _ in self.angles]
        for reading in readings:
            if reading.shots is None or reading.shots.shape != shape:
                raise ValueError(f"wanted {shape[0]} shots of {shape[1]} bits in their order")
            each[int(reading.heading.tags["setting"] or 0)].append(reading.shots)
        if [len(own) for own in each] != self.copies:
            raise ValueError(f"wanted {sum(self.copies)} circuits, got {len(readings)}")
        return [np.concatenate(own) for own in each]


class RecordedShots:
    """Bits of ticks, from shots that are used once each.

    Args:
        plan: what the shots are of.
        shots: of each circuit of the plan, (shots, neurons).
        margin: what the plan was made with, for the message.

    Raises:
        ConfigError: on a call that finds the shots of a setting used up.
    """

    def __init__(self, plan: ShotPlan, shots: Sequence[Bits], margin: float) -> None:
        self._plan, self._shots, self._margin = plan, shots, margin
        self.used = np.zeros(len(shots), dtype=np.int64)

    def source(self, model: QlifModel) -> Source:
        """The bits of a session's ticks."""
        law: Any = model.law

        def bits(tick: int, voltage: Array) -> Bits:
            chosen = self._plan.place[setting_words(law.index(voltage))]
            found = np.empty(voltage.shape, dtype=np.uint8)
            for number in np.unique(chosen):
                rows = np.flatnonzero(chosen == number)
                start = self.used[number]
                taken = self._shots[number][start : start + len(rows)]
                if len(taken) < len(rows):
                    raise ConfigError(
                        f"margin: wanted more shots of settings {self._plan.angles[number]}, whose "
                        f"{len(self._shots[number])} were used up in tick {tick + 1} of "
                        f"{model.config.ticks}; got margin = {self._margin:g}"
                    )
                found[rows] = taken
                self.used[number] += len(rows)
            return found

        return bits

    def sessions(self, model: QlifModel) -> list[Rasters]:
        """All sessions of a run, one after the other."""
        return [model.ticks(session, self.source(model)) for session in model.sessions]
