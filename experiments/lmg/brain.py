"""The brain of a configuration: model, synapse, times, the exact trajectory and what follows of
it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qbrain.classical_feedback.orbit import grid_size
from qbrain.classical_feedback.synapse import Synapse, SynapticState
from qbrain.reference.lmg import (
    LMG,
    initial_excitations,
    orbit_frequencies,
    simulate,
    spectral_width,
)

from .circuits import PhaseSchedule
from .config import LMGConfig

__all__ = ["Brain"]

Array = NDArray[np.float64]


class Brain:
    """What a configuration describes, with its exact answer at the times of the run."""

    def __init__(self, config: LMGConfig) -> None:
        self.config = config
        self.model = LMG(config.neurons, config.gamma, config.g0, config.field)
        self.initial = initial_excitations(config.neurons, config.initial)
        self.synapse = Synapse(config.tau_r, config.tau_f, config.release)
        self.start = self.synapse.start()
        self.dt = config.time / config.steps
        self.times: Array = np.asarray(self.dt * np.arange(config.steps + 1), dtype=np.float64)
        self.exact = self.simulate(self.times, populations=True)

    def simulate(self, times: Array, *, populations: bool = False) -> xr.Dataset:
        """The exact closed loop at other times."""
        return simulate(self.model, self.synapse, self.initial, times, populations=populations)

    @cached_property
    def width(self) -> float:
        """Largest difference of the energies that take part, for integration on E(s)."""
        return float(spectral_width(self.model, self.initial))

    @cached_property
    def frequencies(self) -> Array | None:
        """Every frequency of E(s), where the points of a run are enough to tell them apart.

        None with more of them than half the points, and under noise, which damps oscillations.
        """
        if self.model.field != 0 or self.config.noisy:
            return None
        found = orbit_frequencies(self.model, self.initial)
        return found if 2 * found.size <= self.config.steps + 1 else None

    @property
    def grid(self) -> Array:
        """Grid of s for ``orbit``: r ≤ 1, so s never passes the run's duration."""
        length = float(self.config.time)
        size = max(grid_size(length, self.width), min(self.config.steps + 1, 1000))
        return np.linspace(0.0, length, size, dtype=np.float64)

    @cached_property
    def planned(self) -> list[SynapticState]:
        """Controls of the run's points if it keeps to the exact trajectory."""
        if self.config.evolution == "orbit":
            return [SynapticState(1.0, self.start.utilisation, float(s)) for s in self.grid]
        columns = (self.exact.r.values, self.exact.U.values, self.exact.phase.values)
        return [
            SynapticState(float(r), float(u), float(s)) for r, u, s in zip(*columns, strict=True)
        ]

    def schedule(self, controls: Sequence[SynapticState]) -> PhaseSchedule:
        """Phases g0·∫r dt of every interval between the controls."""
        s = [c.phase for c in controls]
        g0 = self.config.g0
        return PhaseSchedule(tuple(g0 * (b - a) for a, b in itertools.pairwise(s)), self.dt)

    def schedule_to(self, index: int, controls: Sequence[SynapticState]) -> PhaseSchedule:
        """Phases up to the point ``index``; on an orbit in one interval."""
        if self.config.evolution == "orbit":
            s = controls[index].phase
            return PhaseSchedule((self.config.g0 * s,), max(s, 1e-300))
        return self.schedule(controls[: index + 1])
