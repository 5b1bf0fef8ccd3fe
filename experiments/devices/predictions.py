"""Distributions that a device's snapshot predicts, as functions of the numbers of its noise.

Every class of circuits is simulated as a density matrix on the snapshot's best chain at a few
values of each number (Chebyshev points) and interpolated between them, since probabilities are
smooth in these numbers; a fit then costs no more simulation. Readout errors are put on afterwards.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.transpiler import generate_preset_pass_manager

from qbrain.backends.aer import exact_probabilities
from qbrain.backends.compile import final_layout, has_times, scheduled
from qbrain.backends.device_noise import NoiseScale, noise_models, scaled_readout
from qbrain.backends.snapshot import Cut, cut

from .counts import CircuitClass, by_size
from .distances import with_readout

__all__ = ["AXES", "PLAIN", "Axis", "Predictions", "simulate"]

Array = NDArray[np.float64]
# noise of gates and readout alone, which is what a snapshot gives without a schedule
PLAIN = NoiseScale(waiting=0.0)


@dataclass(frozen=True)
class Axis:
    """A number of the noise: where it is looked for, and at how many points it is simulated."""

    low: float
    high: float
    points: int

    @property
    def nodes(self) -> Array:
        """Chebyshev–Lobatto points from low to high."""
        angles = np.pi * np.arange(self.points) / (self.points - 1)
        nodes: Array = self.low + (self.high - self.low) * (1 - np.cos(angles)) / 2
        return nodes

    def weights(self, value: float) -> Array:
        """Lagrange weights of the nodes at a value, by the barycentric formula."""
        nodes = self.nodes
        away = value - nodes
        if np.any(away == 0):
            exactly: Array = (away == 0).astype(np.float64)
            return exactly
        signs = (-1.0) ** np.arange(self.points)
        signs[[0, -1]] /= 2
        terms = signs / away
        found: Array = terms / terms.sum()
        return found


AXES = {
    "gates": Axis(0.3, 3.0, 7),
    "waiting": Axis(0.0, 4.0, 4),
    "phase": Axis(-0.15, 0.15, 5),
}


def compiled(one: CircuitClass, part: Cut) -> QuantumCircuit:
    """The circuit in the target's own gates, qubit q on place q of the chain."""
    manager = generate_preset_pass_manager(
        optimization_level=3,
        target=part.target,
        initial_layout=list(range(one.qubits)),
        seed_transpiler=0,
    )
    circuit: QuantumCircuit = manager.run(one.circuit)
    return circuit


def simulate(
    classes: Sequence[CircuitClass],
    circuits: Sequence[QuantumCircuit],
    part: Cut,
    scale: NoiseScale,
) -> list[Array]:
    """(2^n,) for each class: probabilities of its states before they are read.

    Circuits are those of :func:`compiled`; they are scheduled unless ``scale.waiting`` is 0.
    """
    channels, _ = noise_models(part.target, part.readout, scale)
    waits = scale.waiting > 0 and has_times(part.target)
    timed = [scheduled(circuit, part.target) if waits else circuit for circuit in circuits]
    places = [
        final_layout(circuit)[: one.qubits] for circuit, one in zip(circuits, classes, strict=True)
    ]
    return exact_probabilities(timed, places, channels)


def _linked(one: CircuitClass) -> bool:
    """Whether a circuit has gates of two qubits."""
    return bool(one.circuit.num_nonlocal_gates())


@dataclass
class Predictions:
    """What a snapshot predicts for classes of circuits at any numbers of its noise.

    Args:
        snapshot: ``fake_<device>``.
        classes: any number, of any sizes.
        free: the axes that are simulated; other numbers stay as in the snapshot.
    """

    snapshot: str
    classes: Sequence[CircuitClass]
    free: tuple[str, ...] = ("gates",)
    parts: dict[int, Cut] = field(init=False)
    _values: dict[str, Array] = field(init=False)
    _plain: dict[str, Array] = field(init=False)

    def __post_init__(self) -> None:
        self.parts = {qubits: cut(self.snapshot, qubits) for qubits in by_size(self.classes)}
        self._values, self._plain = {}, {}

    @property
    def work(self) -> int:
        """Number of simulations that :meth:`prepare` makes."""
        grid = int(np.prod([AXES[name].points for name in self.free]))
        return sum(1 + (grid if _linked(one) else 1) for one in self.classes)

    def prepare(self, tick: Callable[..., None]) -> None:
        """Simulate all classes at all points."""
        grid = [AXES[name].nodes for name in self.free]
        shape = tuple(len(nodes) for nodes in grid)
        for qubits, group in by_size(self.classes).items():
            part = self.parts[qubits]
            self._tables(qubits, [one for one in group if _linked(one)], part, grid, shape, tick)
            # single-qubit gates alone: no number changes what is seen of them
            alone = [one for one in group if not _linked(one)]
            self._tables(qubits, alone, part, [np.ones(1)] * len(grid), (1,) * len(grid), tick)

    def _tables(
        self,
        qubits: int,
        group: Sequence[CircuitClass],
        part: Cut,
        grid: Sequence[Array],
        shape: tuple[int, ...],
        tick: Callable[..., None],
    ) -> None:
        """Simulate classes of one size at the points of a grid."""
        if not group:
            return
        circuits = [compiled(one, part) for one in group]
        for one, found in zip(group, simulate(group, circuits, part, PLAIN), strict=True):
            self._plain[one.name] = found
            tick(one.name)
        tables = {one.name: np.empty((*shape, 2**qubits)) for one in group}
        for place in itertools.product(*map(range, shape)):
            chosen: Mapping[str, Any] = {
                name: float(grid[axis][place[axis]]) for axis, name in enumerate(self.free)
            }
            scale = replace(NoiseScale(), **chosen) if _linked(group[0]) else NoiseScale()
            for one, found in zip(group, simulate(group, circuits, part, scale), strict=True):
                tables[one.name][place] = found
                tick(one.name)
        self._values |= tables

    def plain(self, one: CircuitClass) -> Array:
        """What is read with the snapshot's noise of gates and readout, without waiting."""
        return with_readout(self._plain[one.name], self.parts[one.qubits].readout)

    def at(self, one: CircuitClass, scale: NoiseScale, readout: Array | None = None) -> Array:
        """What is read at these numbers; ``readout`` in place of the scale's, where given."""
        values: Any = self._values[one.name]
        for name in self.free:
            if len(values) == 1:
                values = values[0]
                continue
            values = np.tensordot(AXES[name].weights(getattr(scale, name)), values, axes=1)
        if readout is None:
            readout = self.parts[one.qubits].readout
            if _linked(one):
                readout = scaled_readout(readout, scale)
        return with_readout(values, readout)
