"""Circuits that measure readout errors, sent along with the first job of a run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qbrain.backends.readout import (
    ReadoutCalibration,
    calibration_circuits,
    calibration_states,
    estimate_readout,
)

from .experiment import Bench, PureState, Task
from .readings import Reading, Role

__all__ = ["calibration_tasks", "measured_readout"]


def calibration_tasks(bench: Bench) -> list[Task]:
    """All qubits in |0⟩ and all in |1⟩, on every placement."""
    tasks = []
    for placement, target in enumerate(bench.targets):
        qubits = int(target.num_qubits)
        logical, isa = calibration_circuits(qubits), calibration_circuits(qubits, target)
        for number, state in enumerate(calibration_states(qubits)):
            expected = np.zeros(2**qubits)
            expected[state] = 1
            role = Role("readout", placement, number=number)
            tasks.append(Task(logical[number], PureState(expected), role, isa=isa[number]))
    return tasks


def measured_readout(readings: Sequence[Reading], placement: int = 0) -> ReadoutCalibration | None:
    """Readout errors of each qubit from the circuits of known state among ``readings``.

    None where there are none.
    """
    found = [r for r in readings if (r.role.kind, r.role.placement) == ("readout", placement)]
    if not found:
        return None
    qubits = len(found[0].order)
    states = [calibration_states(qubits)[r.role.number] for r in found]
    return estimate_readout([r.counts for r in found], states, qubits)
