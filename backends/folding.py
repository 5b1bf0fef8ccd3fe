"""More noise on purpose: two-qubit gates folded, G → G·(G†·G)^k, the unitary unchanged.

Zero-noise extrapolation measures an observable at several noise scales λ >= 1 and goes back to
λ = 0 (Y. Li and S. C. Benjamin, Phys. Rev. X 7, 021050 (2017); K. Temme, S. Bravyi and
J. M. Gambetta, Phys. Rev. Lett. 119, 180509 (2017)). Folding single gates scales the noise without
control over pulses (T. Giurgica-Tiron et al., IEEE QCE 2020, 306). Here two-qubit gates alone are
folded, so λ is the ratio of their numbers; errors of single-qubit gates, of waiting and of readout
stay as they were, and are not extrapolated away.

Circuits are those of a device: G† is written in the device's own gates, and barriers keep G†·G
from being cancelled by whatever compiles the circuit later.
"""

from __future__ import annotations

import math

from qiskit import QuantumCircuit
from qiskit.circuit import CircuitInstruction, Instruction
from qiskit.circuit.library import RXXGate, RYYGate, RZXGate, RZZGate
from qiskit.transpiler import Target

from .errors import CompileError
from .unchecked import append_known

__all__ = ["fold_two_qubit_gates", "folded_count"]

SELF_INVERSE = frozenset({"cz", "cx", "cy", "ch", "ecr", "swap"})
ROTATIONS = {"rzz": RZZGate, "rxx": RXXGate, "ryy": RYYGate, "rzx": RZXGate}
DIRECTIVES = ("barrier",)


def folded_count(gates: int, scale: float) -> int:
    """Number of two-qubit gates after folding: gates + 2m, m = round((scale − 1)·gates/2).

    The noise scale that is really had is this number over ``gates``; it is within 1/gates of the
    one asked for.

    Raises:
        CompileError: for a scale that is not a finite number >= 1, or a negative number of gates.
    """
    if gates < 0:
        raise CompileError(f"gates: wanted a number >= 0, got {gates}")
    if not math.isfinite(scale) or scale < 1:
        raise CompileError(f"scale: wanted a finite number >= 1, got {scale}")
    # half-way cases upwards: Python's own rounding would take them to the even neighbour
    return gates + 2 * math.floor((scale - 1) * gates / 2 + 0.5)


def fold_two_qubit_gates(
    circuit: QuantumCircuit, scale: float, target: Target | None = None
) -> QuantumCircuit:
    """The circuit with ``scale`` times as many two-qubit gates and the same unitary.

    Every gate is folded equally often, and what is left over falls on gates spread evenly over
    the circuit, so that the same call always gives the same circuit. Measurements, barriers,
    delays, parameters and metadata are kept; ``metadata["noise_scale"]`` is the scale really had
    (see :func:`folded_count`). A scale of 1 gives a copy.

    CZ, CX, CY, CH, ECR and SWAP are their own inverses. RZZ, RXX, RYY and RZX are inverted by the
    sign of their angle, except where ``target`` bounds the angles: there RZZ(−θ) is
    X₀·RZZ(θ)·X₀, with X written as two √X where the target has no X.

    Args:
        circuit: in the target's own gates.
        scale: λ >= 1.
        target: only to learn angle bounds and whether there is an X; None: neither is a limit.

    Raises:
        CompileError: for a bad scale, a gate on more than two qubits, and a two-qubit instruction
            whose inverse is not known here (control flow, ISWAP).
    """
    places = [
        number for number, step in enumerate(circuit.data) if _is_two_qubit_gate(circuit, step)
    ]
    count = len(places)
    extra = (folded_count(count, scale) - count) // 2
    each, rest = divmod(extra, count) if count else (0, 0)
    times = {
        place: each + ((rank + 1) * rest // count > rank * rest // count)
        for rank, place in enumerate(places)
    }
    folded = circuit.copy_empty_like()
    for number, step in enumerate(circuit.data):
        append_known(folded, step)
        for _ in range(times.get(number, 0)):
            folded.barrier(step.qubits)
            _append_inverse(folded, step, target)
            folded.barrier(step.qubits)
            append_known(folded, step)
    realised = (count + 2 * extra) / count if count else 1.0
    folded.metadata = {**(circuit.metadata or {}), "noise_scale": realised}
    return folded


def _is_two_qubit_gate(circuit: QuantumCircuit, step: CircuitInstruction) -> bool:
    if len(step.qubits) < 2 or step.name in DIRECTIVES:
        return False
    known = step.name in SELF_INVERSE or step.name in ROTATIONS
    if len(step.qubits) > 2 or step.clbits or not known:
        raise CompileError(
            f"circuit {circuit.name}: wanted two-qubit gates out of "
            f"{', '.join(sorted({*SELF_INVERSE, *ROTATIONS}))}, "
            f"got {step.name} on {len(step.qubits)} qubits"
        )
    return True


def _append_inverse(
    circuit: QuantumCircuit, step: CircuitInstruction, target: Target | None
) -> None:
    """Append G† in gates of the target."""
    name = step.name
    if name in SELF_INVERSE:
        append_known(circuit, step)
        return
    bounded = target is not None and target.gate_has_angle_bounds(name)
    if not bounded:
        gate: Instruction = ROTATIONS[name](-step.params[0])
        append_known(circuit, CircuitInstruction(gate, step.qubits))
        return
    if name != "rzz":
        raise CompileError(
            f"circuit {circuit.name}: wanted no bounds on the angle of {name}, got a target "
            "with some; only rzz can be inverted there"
        )
    _flip(circuit, step, target)
    append_known(circuit, step)
    _flip(circuit, step, target)


def _flip(circuit: QuantumCircuit, step: CircuitInstruction, target: Target | None) -> None:
    qubit = step.qubits[0]
    if target is None or "x" in target.operation_names:
        circuit.x(qubit)
    else:
        circuit.sx(qubit)
        circuit.sx(qubit)
