"""Collision circuits of a bath, with the density matrix that each must leave.

The circuit of time t_k holds all collisions up to it. On simulators without noise the ancilla meets
all neurons directly; elsewhere it travels along a line of qubits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qbrain.backends.readout import ReadoutCalibration
from qbrain.circuits.open_system import CollisionLayout, collision_circuit, collision_layout
from qbrain.classical_feedback.stimulation import SpinEstimator, SpinReading

from ..engine.calibration import measured_readout
from ..engine.chains import Chain
from ..engine.experiment import MixedState, Reading, Task
from ..engine.points import (
    Numbers,
    Place,
    by_place,
    linear_limit,
    mean_of_places,
    placed,
)
from .config import OpenSystemConfig
from .model import CollectiveModel, Collisions

__all__ = ["CollisionCircuits", "SpinReadings", "circuits_each", "layout_of"]

Layout = Literal["line", "star"]
MIXED_SPIN = 0.0  # ⟨σ_z⟩ of the maximally mixed state


def layout_of(config: OpenSystemConfig) -> CollisionLayout:
    """Where neurons and ancillas are in the run's largest circuit."""
    return collision_layout(
        config.neurons, config.steps * config.substeps,
        absorption=config.occupation != "zero", shifts=True, order=config.order,
        layout=_layout(config), fresh=config.fresh,
    )  # fmt: skip


def circuits_each(config: OpenSystemConfig) -> int:
    """Circuits of a time: one, and a coarser one where collisions are extrapolated."""
    return 2 if config.extrapolation == "richardson" else 1


def _layout(config: OpenSystemConfig) -> Layout:
    return "line" if config.noisy else "star"


class CollisionCircuits:
    """Makes the circuits of a run: neurons and bath as ``model`` has them."""

    def __init__(self, model: CollectiveModel) -> None:
        self.model, self.config = model, model.config

    def tasks(self, etas: ArrayLike, step: int) -> list[Task]:
        """The circuits of the time after the steps of stimulation ``etas`` (k,).

        Raises ``NegativeRate`` where there is no circuit.
        """
        fine = self.model.collisions(etas)
        found = [self._task(fine, step)]
        if circuits_each(self.config) == 2:
            found.append(self._task(fine.coarser(), step))
        return found

    def _task(self, c: Collisions, step: int) -> Task:
        config = self.config
        circuit = collision_circuit(
            config.neurons, c.emission, absorption=c.absorption, shifts=c.shifts,
            shifts_tilde=c.shifts_tilde, rotations=c.rotations, start=self.model.start,
            order=config.order, layout=_layout(config), fresh=config.fresh, times=c.times,
        )  # fmt: skip
        states = self.model.states(c)
        return Task(
            circuit,
            MixedState(states),
            name=f"{len(c.emission)} collisions",
            step=step,
            tags={"expected": _mean_spin(states, config.neurons)},
        )


class SpinReadings:
    """Estimates of ⟨σ⟩ from the readings of a run by the chain asked for, and by any other.

    Readout errors are inverted in the counts of each circuit, once they were measured; then each
    circuit's spins are taken to no noise, a coarser circuit's taken off (Richardson), and the
    placements averaged. Noise scales come before Richardson: an error that grows exponentially with
    a circuit's gates is no exponential in the difference of two circuits of different length.

    Attributes:
        calibrations: readout errors of each placement, once they were measured.
    """

    def __init__(self, config: OpenSystemConfig) -> None:
        self._config = config
        self.calibrations: dict[int, ReadoutCalibration] = {}

    def __call__(self, readings: Sequence[Reading]) -> list[SpinReading]:
        """One of each time in a job, by the chain of the run.

        Raises ``EstimateError`` where the counts do not determine it.
        """
        self.calibrate(readings)
        return [self.by(self._config.chain, point) for point in self.points(readings)]

    def calibrate(self, readings: Sequence[Reading]) -> None:
        """Take in the circuits of known state among ``readings``, if there are any."""
        for placement in range(self._config.placements):
            found = measured_readout(readings, placement)
            if found is not None:
                self.calibrations[placement] = found

    def points(self, readings: Sequence[Reading]) -> list[list[Reading]]:
        """The readings of each time in a job."""
        config = self._config
        size = circuits_each(config) * config.placements * len(config.scales)
        own = [reading for reading in readings if reading.role.kind == "point"]
        if not own or len(own) % size:
            raise ValueError(f"wanted {size} circuits a time, got {len(own)}")
        return [own[k : k + size] for k in range(0, len(own), size)]

    def by(self, chain: Chain, point: Sequence[Reading]) -> SpinReading:
        """The estimate of one time by a chain; raw figures are those of the plain circuits.

        Raises:
            BackendError, FeedbackError, EstimateError: if the counts do not determine it.
        """
        circuits = placed(point)
        spins = {
            place: [self._spin(chain, reading) for reading in found]
            for place, found in circuits.items()
        }
        if chain <= {"readout"}:
            return _without_coarse(spins[0, 1.0])
        gates = {place: [float(r.gates) for r in found] for place, found in circuits.items()}
        numbers = {
            place: Numbers(
                np.array([float(s.value) for s in found]),
                np.array([float(s.stderr) for s in found]),
                gates[place],
            )
            for place, found in spins.items()
        }
        limits = by_place(chain, numbers, asymptote=MIXED_SPIN, bounds=(-1.0, 1.0))
        each = [
            _without_coarse(_at_limit(chain, placement, limit, spins, gates))
            for placement, limit in enumerate(limits)
        ]
        mean = mean_of_places([Numbers(np.array(s.value), np.array(s.stderr), 0) for s in each])
        raw = _without_coarse(spins[0, 1.0])
        return replace(
            raw,
            value=float(mean.value),
            stderr=float(mean.stderr),
            populations=np.mean([s.populations for s in each], axis=0),
        )

    def _spin(self, chain: Chain, reading: Reading) -> SpinReading:
        wrong = None
        if "readout" in chain:
            # readout errors belong to qubits
            wrong = self.calibrations[reading.role.placement].readout[list(reading.order)]
        return SpinEstimator(self._config.neurons, wrong=wrong)(reading.counts)


def _at_limit(
    chain: Chain,
    placement: int,
    limit: Numbers,
    spins: Mapping[Place, Sequence[SpinReading]],
    gates: Mapping[Place, Sequence[float]],
) -> list[SpinReading]:
    """The spins of a placement's circuits at no noise, with populations on a straight line."""
    scales = sorted({s for _, s in spins}) if "zne" in chain else [1.0]
    found = []
    for k, spin in enumerate(spins[placement, 1.0]):
        folds = np.array([gates[placement, s][k] for s in scales])
        populations = spin.populations
        if np.ptp(folds) > 0:
            rows = [spins[placement, s][k] for s in scales]
            populations = linear_limit(
                folds / folds[0],
                np.array([r.populations for r in rows]),
                np.array([float(r.stderr) for r in rows]),
            )
        value, stderr = float(limit.value[k]), float(limit.stderr[k])
        found.append(replace(spin, value=value, stderr=stderr, populations=populations))
    return found


def _without_coarse(spins: Sequence[SpinReading]) -> SpinReading:
    return spins[0] if len(spins) == 1 else _extrapolated(*spins)


def _extrapolated(fine: SpinReading, coarse: SpinReading) -> SpinReading:
    """2·fine − coarse: the error of first order in the collision drops out."""
    return SpinReading(
        2 * fine.value - coarse.value,
        np.hypot(2 * fine.stderr, coarse.stderr),
        2 * fine.raw_value - coarse.raw_value,
        np.hypot(2 * fine.raw_stderr, coarse.raw_stderr),
        2 * fine.populations - coarse.populations,
        2 * fine.raw_populations - coarse.raw_populations,
        fine.shots + coarse.shots,
    )


def _mean_spin(states: NDArray[np.complex128], neurons: int) -> float:
    """⟨σ_z⟩ a neuron, of a density matrix."""
    ones = np.bitwise_count(np.arange(2**neurons, dtype=np.uint64)).astype(float)
    return float(2 * (np.diag(states).real @ ones) / neurons - 1)
