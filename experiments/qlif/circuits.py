"""Circuits of a group of neurons: of each setting of all its neurons prepare, turn, measure.

A setting is compiled once; what runs are copies of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from qiskit import QuantumCircuit
from qiskit.transpiler import Target

from qbrain.backends.compile import to_isa
from qbrain.circuits.qlif import ghz_circuit, pair_circuit

from ..engine.experiment import Observable, PureState, Task
from .config import QlifConfig
from .groups import Angles, group_amplitudes, group_correlator

__all__ = ["PARITY_LIMIT", "GroupCircuits"]

# between the mean parity of a circuit and its closed form
PARITY_LIMIT = 1e-9


@dataclass(frozen=True)
class _Made:
    """What a setting's circuit is, logically and in the target's gates, and what it must do."""

    circuit: QuantumCircuit
    isa: QuantumCircuit
    expected: PureState


class GroupCircuits:
    """Makes the circuits of a run in the gates of ``target``."""

    def __init__(self, config: QlifConfig, target: Target) -> None:
        self.config, self.target = config, target
        self._made: dict[Angles, _Made] = {}

    def task(self, angles: Angles, setting: int | None = None) -> Task:
        """The circuit of one setting of each neuron (n,), radians.

        ``setting``: its number in a table, which comes back with every shot in its order.
        """
        made = self._made.get(angles)
        if made is None:
            made = self._made[angles] = self._make(angles)
        return Task(
            made.circuit,
            made.expected,
            isa=made.isa,
            name="settings " + ", ".join(f"{a:.4g}" for a in angles),
            tags={} if setting is None else {"setting": setting},
            keep="counts" if setting is None else "shots",
            key=angles,
        )

    def _make(self, angles: Angles) -> _Made:
        phi, n = self.config.phi, self.config.group
        circuit = pair_circuit(phi, angles) if n == 2 else ghz_circuit(n, phi, angles)
        ones = np.bitwise_count(np.arange(2**n, dtype=np.uint64)).astype(np.int64)
        # beside the amplitudes a closed form that has none
        parity = Observable(
            (-1.0) ** ones, group_correlator(phi, angles), PARITY_LIMIT, name="parity"
        )
        expected = PureState(group_amplitudes(phi, angles), parity)
        return _Made(circuit, to_isa(circuit, self.target), expected)
