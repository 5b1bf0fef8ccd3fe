"""What a line of qubits costs, by a device's calibration.

Lines are scored by the fidelity expected of a complete graph of interactions on them: n rounds of
two-qubit blocks on alternating neighbours, so n/2 blocks an edge, each of three two-qubit gates
with a √X on either side, and one reading of every qubit:

    cost = Σ_edges (n/2)·3·[c₂ + c₁ + c₁'] + Σ_qubits c_read + Σ_ends (n/2)·3·c_idle

where c = −log(1 − infidelity). A gate's infidelity is the calibrated error or, where that is
larger, what T1 and T2 alone do in the gate's duration; the two ends wait through every other
round, which costs them the relaxation over its duration.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit.transpiler import Target

from .line import Costs

__all__ = ["line_costs", "relaxation_infidelity", "usable_part"]

GATES_A_BLOCK = 3


def relaxation_infidelity(target: Target, qubits: tuple[int, ...], duration: float) -> float:
    """Average gate infidelity of T1 and T2 acting on ``qubits`` for ``duration`` seconds.

    With the process fidelity of each qubit F_p = (1 + e^{−t/T1} + 2e^{−t/T2})/4, T2 <= 2 T1, and
    d = 2^qubits: F = (d ΠF_p + 1)/(d + 1). 0 where the device gives no times at all; nan where it
    gives none for these qubits.
    """
    if not target.qubit_properties:
        return 0.0
    process = 1.0
    for qubit in qubits:
        times = target.qubit_properties[qubit]
        if times is None or not times.t1 or not times.t2:
            return math.nan
        t2 = min(times.t2, 2 * times.t1)
        process *= (1 + math.exp(-duration / times.t1) + 2 * math.exp(-duration / t2)) / 4
    size = 2 ** len(qubits)
    return float(1 - (size * process + 1) / (size + 1))


def two_qubit_gates_of(target: Target) -> list[str]:
    """Names of the target's two-qubit gates that are tied to known edges."""
    return sorted(
        name
        for name in target.operation_names
        if target[name] and all(place is not None and len(place) == 2 for place in target[name])
    )


def line_costs(
    target: Target, readout: NDArray[np.float64], length: int, *, fractional: bool = False
) -> Costs:
    """What each qubit and edge costs a line of ``length`` qubits (see the module's head).

    Left out are qubits and edges without complete calibration or with an error of 1, and qubits
    whose readout is no better than a coin: p(1|0) + p(0|1) >= 1. An edge costs what the better of
    its two-qubit gates costs, ``rzz`` aside. A ``fractional`` circuit may use any of them: on a
    device with ``rzz``, an edge then has to have them all, and costs what the worst costs.
    """
    single = next((name for name in ("sx", "u2", "u3") if name in target.operation_names), None)
    turns, blocks, idles = {}, {}, {}
    gates: dict[tuple[int, int], dict[str, float]] = {}
    durations: list[float] = []
    names = [name for name in two_qubit_gates_of(target) if fractional or name != "rzz"]
    every = "rzz" in names
    for name in names:
        for place, properties in target[name].items():
            cost = _gate_cost(target, place, properties)
            edge = (min(place), max(place))
            if math.isfinite(cost):
                known = gates.setdefault(edge, {})
                known[name] = min(cost, known.get(name, math.inf))
                durations.append(properties.duration or 0.0)
    nodes = {}
    round_time = GATES_A_BLOCK * float(np.median(durations)) if durations else 0.0
    for qubit in range(target.num_qubits):
        turn = 0.0
        if single is not None:
            turn = _gate_cost(target, (qubit,), target[single].get((qubit,)))
        # the mean alone would take a detector that says 1 whatever it reads for half a good one
        reading = _cost(float(readout[qubit].mean())) if readout[qubit].sum() < 1 else math.inf
        idle = _cost(relaxation_infidelity(target, (qubit,), round_time))
        if math.isfinite(turn + reading + idle):
            turns[qubit], nodes[qubit], idles[qubit] = turn, reading, idle * length / 2
    for (a, b), known in gates.items():
        if a in nodes and b in nodes and (not every or len(known) == len(names)):
            cost = (max if every else min)(known.values())
            blocks[a, b] = length / 2 * GATES_A_BLOCK * (cost + turns[a] + turns[b])
    if length == 1:
        return Costs({qubit: reading + turns[qubit] for qubit, reading in nodes.items()}, {})
    return Costs(nodes, blocks, idles)


def _gate_cost(target: Target, place: tuple[int, ...], properties: Any) -> float:
    """−log of a gate's fidelity; infinite where the device does not give it."""
    if properties is None or properties.error is None:
        return math.inf
    relaxation = relaxation_infidelity(target, place, properties.duration or 0.0)
    return _cost(max(properties.error, relaxation) if relaxation == relaxation else math.nan)


def _cost(infidelity: float) -> float:
    return -math.log1p(-infidelity) if 0 <= infidelity < 1 else math.inf


def usable_part(costs: Costs) -> str:
    """How much of a device may be used, for a message that it is too little."""
    return (
        f"{len(costs.node)} qubits and {len(costs.edge)} edges are calibrated, in order and read "
        "better than by a coin"
    )
