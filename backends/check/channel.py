"""The pre-flight check of circuits that reset qubits on the way without reading them.

What such a circuit does to the qubits that are read at its end is a channel, and what it leaves
them in a density matrix. Three checks:

1. ``logical``: the circuit as it was built, simulated on Aer, leaves the qubits that are read in
   the expected density matrix.
2. ``transpiled``: the circuit in the target's gates leaves them in the same one as the logical
   circuit. Where no more than 5 qubits meet it is simulated in plain numpy, apart from Aer.
3. ``angles``: every instruction and every angle is one that the target takes.

States are compared by the trace distance ½‖ρ − σ‖₁: no reading of these qubits whatsoever tells the
two states apart by more than that in the probability of anything. Unlike an infidelity it is linear
in the error also for mixed states, whose infidelity is quadratic in it and lost in rounding at the
limits that are wanted here. Since 1 − √F ≤ distance ≤ √(1 − F), with Uhlmann's F, the limit 1e-9 of
the first check is stricter than the same of an infidelity; that of the second is √1e-7, which is
what an infidelity of 1e-7 allows: routing drops angles below some 1e-5, which pure states show to
first order.

Qubits that no gate joins are independent. Such parts are simulated one by one and their states
multiplied only as far as needed to compare them with each other; of several parts the sum of the
distances counts, which is no less than the distance of the products.

Qubits are compared in the order of the classical bits, wherever routing has put them. What it does
not see: what is done to qubits that are not read and meet no others that are, noise, and the
device's own readout errors and errors of resets.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qiskit import QuantumCircuit
from qiskit.transpiler import Target

from ..channels import (
    PLAIN_QUBITS,
    Part,
    aer_states,
    connected,
    independent_parts,
    reduced_state,
    traced,
)
from ..errors import BackendError
from ..isa import first_illegal
from ..readings import take_readings
from .pure import (
    LOGICAL_LIMIT,
    TRANSPILED_LIMIT,
    Check,
    DispatchRefused,
    ValidationRecord,
    bounded,
    refuse_unbound,
)

__all__ = ["ExpectedStates", "validate_channel"]

Matrix = NDArray[np.complex128]
ExpectedStates = ArrayLike | Sequence[ArrayLike] | Callable[[], Any]

# most bits that may be compared at once: matrices of 1024 x 1024
TOGETHER = 10


class _State(NamedTuple):
    """Density matrix of some classical bits; bit i of the index is ``bits[i]``."""

    bits: tuple[int, ...]
    matrix: Matrix


def validate_channel(
    logical: QuantumCircuit,
    isa: QuantumCircuit,
    target: Target,
    *,
    expected: ExpectedStates,
    name: str | None = None,
    step: int | None = None,
) -> ValidationRecord:
    """Pass a circuit that resets qubits on the way and reads b others at its end, or refuse it.

    Args:
        logical: the circuit as built, all parameters bound.
        isa: the same in the target's gates; where it is the very same object, the second
            simulation is left out and the record says so.
        target: where it is to run.
        expected: the density matrix (2^b, 2^b) of the qubits that are read, just before they are
            (and so after a change of basis, if there is one), bit j of the index being classical
            bit j; or b density matrices (b, 2, 2) whose product it is, that of bit j first at j;
            or a function without arguments that returns one of them.
        name: of the circuit in messages and records; its own name where not given.
        step: the step of the run it belongs to.

    Returns:
        A record with ``method`` ``density_matrix``; the figures are trace distances.

    Raises:
        DispatchRefused: if a check fails.
        BackendError: if what was handed in cannot be checked: no density matrices or of another
            shape, readings on the way, control flow, classical bits that are read twice or not at
            all, more than 12 qubits that gates join, more than 10 bits to be compared at once.
    """
    started = perf_counter()
    label = name if name is not None else logical.name
    for circuit in (logical, isa):
        refuse_unbound(label, step, circuit)
    same = isa is logical
    parts = _parts(logical)
    bits = sum(len(part.clbits) for part in parts)
    states = _states(parts, aer_states(parts))
    figure = _distance(_expected_states(expected, bits), states)
    checks = [bounded(label, step, "logical", figure, LOGICAL_LIMIT)]
    limit, note = math.sqrt(TRANSPILED_LIMIT), "the very same circuit"
    if same:
        checks.append(Check("transpiled", "passed", 0.0, limit, note))
    else:
        parts = _parts(isa)
        found = sum(len(part.clbits) for part in parts)
        if found != bits:
            raise BackendError(f"isa: wanted {bits} measured bits as in logical, got {found}")
        figure = _distance(states, _states(parts, _plain_states(parts)))
        checks.append(bounded(label, step, "transpiled", figure, limit))
    illegal = first_illegal(isa, target)
    if illegal is not None:
        raise DispatchRefused(label, step, "angles", illegal.found, illegal.wanted)
    checks.append(Check("angles", "passed", None, None))
    return ValidationRecord(
        circuit=label,
        step=step,
        qubits=bits,
        method="density_matrix",
        seconds=perf_counter() - started,
        checks=tuple(checks),
    )


def _parts(circuit: QuantumCircuit) -> list[Part]:
    readings = take_readings(circuit, resets=True)
    if not readings.clbits or sorted(readings.clbits) != list(range(len(readings.clbits))):
        raise BackendError(
            f"circuit {circuit.name}: wanted classical bits 0, 1, … read once each, "
            f"got {sorted(readings.clbits)}"
        )
    return independent_parts(readings)


def _plain_states(parts: Sequence[Part]) -> list[Matrix]:
    """Small parts in numpy; those that routing has made large on Aer."""
    large = [part for part in parts if len(part.wires) > PLAIN_QUBITS]
    by_aer = iter(aer_states(large))
    return [
        next(by_aer) if len(part.wires) > PLAIN_QUBITS else reduced_state(part) for part in parts
    ]


def _states(parts: Sequence[Part], matrices: Sequence[Matrix]) -> list[_State]:
    return [_State(part.clbits, matrix) for part, matrix in zip(parts, matrices, strict=True)]


def _expected_states(expected: ExpectedStates, bits: int) -> list[_State]:
    value = expected() if callable(expected) else expected
    try:
        matrix = np.asarray(value, dtype=np.complex128)
    except (TypeError, ValueError):
        raise BackendError(
            f"expected: wanted a density matrix or {bits} of one bit each, "
            f"got {type(value).__name__}"
        ) from None
    if matrix.shape == (2**bits, 2**bits):
        states = [_State(tuple(range(bits)), matrix)]
    elif matrix.shape == (bits, 2, 2):
        states = [_State((bit,), each) for bit, each in enumerate(matrix)]
    else:
        raise BackendError(
            f"expected: wanted shape {(2**bits, 2**bits)} or {(bits, 2, 2)}, got {matrix.shape}"
        )
    for state in states:
        if not np.allclose(state.matrix, state.matrix.conj().T, rtol=0, atol=1e-8):
            raise BackendError("expected: wanted Hermitian matrices of finite numbers, got others")
        trace = float(np.trace(state.matrix).real)
        if not abs(trace - 1) < 1e-8:
            raise BackendError(f"expected: wanted matrices of trace 1, got {trace:.12g}")
    return states


def _distance(wanted: Sequence[_State], found: Sequence[_State]) -> float:
    """Sum of the trace distances of the smallest sets of bits that both factorise into; or nan."""
    total = 0.0
    for group in connected([*(state.bits for state in wanted), *(state.bits for state in found)]):
        if len(group) > TOGETHER:
            raise BackendError(
                f"expected: wanted at most {TOGETHER} bits to be compared at once, got {len(group)}"
            )
        difference = _product(wanted, group) - _product(found, group)
        if not np.all(np.isfinite(difference)):
            return float("nan")
        total += float(np.abs(np.linalg.eigvalsh(difference)).sum()) / 2
    return total


def _product(states: Sequence[_State], group: tuple[int, ...]) -> Matrix:
    """The state of a group of bits, in their order, from those that lie in it."""
    matrix: Matrix = np.ones((1, 1), dtype=np.complex128)
    bits: tuple[int, ...] = ()
    for state in states:
        if state.bits[0] in group:
            # the first bits are the last factor
            matrix = np.asarray(np.kron(state.matrix, matrix), dtype=np.complex128)
            bits += state.bits
    if bits == group:
        return matrix
    return traced(matrix, [bits.index(bit) for bit in group])
