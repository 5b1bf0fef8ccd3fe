"""The gate that every circuit passes before it is sent anywhere.

Four checks, the answers handed in by the caller:

1. ``logical``: the circuit as it was built, simulated on Aer, is the expected state.
2. ``transpiled``: the circuit in the target's gates is the same state as the logical one, after
   cutting it to the qubits it uses and following its measurements back to the classical bits.
3. ``trotter``: the observable on the logical state lies as near the exact value as was asked.
4. ``angles``: every instruction and every angle is one that the target takes.

States are compared in the order of the classical bits: bit j of the index is classical bit j.
Without measurements it is the order of the qubits before transpiling. Two states are compared by
the infidelity 1 − |⟨a|b⟩|², so global phases do not count.

Up to 20 qubits states are dense vectors. Past that they are Aer's matrix-product states, which
are exact for superpositions of Dicke states, with ``expected`` given as Dicke amplitudes (n+1,)
or as a matrix-product state (see :mod:`qbrain.backends.mps`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qiskit import QuantumCircuit
from qiskit.transpiler import Target

from qbrain.backends import mps
from qbrain.backends.compile import final_layout, to_isa
from qbrain.backends.errors import BackendError
from qbrain.backends.ideal import ideal_target
from qbrain.backends.isa import first_illegal
from qbrain.backends.readings import take_readings

__all__ = [
    "Check",
    "DispatchRefused",
    "Expected",
    "ValidationRecord",
    "simulate_states",
    "validate",
]

LOGICAL_LIMIT = 1e-9
TRANSPILED_LIMIT = 1e-7
DENSE_QUBITS = 20

Vector = NDArray[np.complex128]
State = Vector | list[mps.Tensor]
Expected = ArrayLike | mps.MPS | Callable[[], Any]


class DispatchRefused(RuntimeError):
    """A circuit did not pass the gate.

    Attributes:
        circuit: its name.
        step: the step of the run it belongs to, or None.
        check: ``logical``, ``transpiled``, ``trotter`` or ``angles``.
        figure: what was found: a number, or the instruction.
        limit: what was wanted: the largest number allowed, or the rule.
    """

    def __init__(
        self, circuit: str, step: int | None, check: str, figure: float | str, limit: float | str
    ) -> None:
        self.circuit, self.step, self.check = circuit, step, check
        self.figure, self.limit = figure, limit
        where = f"circuit {circuit}" + ("" if step is None else f", step {step}")
        if isinstance(figure, str):
            text = f"got {figure}, wanted {limit}"
        else:
            text = f"got {figure:.3g}, wanted at most {limit:.3g}"
        super().__init__(f"{where}: check '{check}' refused it: {text}")

    def __reduce__(self) -> tuple[Any, ...]:
        """Survive pickling, so that workers can raise it across processes."""
        return type(self), (self.circuit, self.step, self.check, self.figure, self.limit)


@dataclass(frozen=True)
class Check:
    """One check: what was found, what is allowed, and ``passed`` or ``skipped`` (and why)."""

    name: str
    status: str
    figure: float | None
    limit: float | None
    note: str = ""


@dataclass(frozen=True)
class ValidationRecord:
    """What the gate found of one circuit that it let through; plain values only.

    ``method`` is ``statevector`` or ``matrix_product_state``.
    """

    circuit: str
    step: int | None
    qubits: int
    method: str
    seconds: float
    checks: tuple[Check, ...]

    def __getitem__(self, name: str) -> Check:
        """The check of that name."""
        return next(check for check in self.checks if check.name == name)

    @property
    def complete(self) -> bool:
        """Whether no check was skipped for want of an answer to compare with."""
        return all(check.status != "skipped" for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """As nested dicts and lists, for JSON or TOML."""
        return {**asdict(self), "checks": [asdict(check) for check in self.checks]}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> ValidationRecord:
        """What :meth:`to_dict` wrote."""
        return cls(**{**data, "checks": tuple(Check(**check) for check in data["checks"])})


def validate(
    logical: QuantumCircuit,
    isa: QuantumCircuit,
    target: Target,
    *,
    expected: Expected,
    observable: ArrayLike | None = None,
    exact_value: float | None = None,
    max_trotter_error: float | None = None,
    name: str | None = None,
    step: int | None = None,
    start: ArrayLike | None = None,
) -> ValidationRecord:
    """Pass a circuit or refuse it.

    Args:
        logical: the circuit as built, all parameters bound.
        isa: the same in the target's gates; where it is the very same object, the second
            simulation is left out and the record says so.
        target: where it is to run.
        expected: the state wanted at the end, in the order of the classical bits: a vector
            (2^n,); or amplitudes (n+1,) by excitation number of a symmetric state; or a
            matrix-product state; or a function without arguments that returns one of them.
        observable: diagonal (2^n,), or (n+1,) for one that depends on the excitation number only.
        exact_value: its exact expectation, free of Trotter error.
        max_trotter_error: largest |⟨observable⟩ − exact_value| allowed.
            The last three belong together; without them the third check is marked as skipped.
        name: of the circuit in messages and records; its own name where not given.
        step: the step of the run it belongs to.
        start: state (2^n,) that the circuits start from, in the order of the classical bits,
            for a sampler that keeps its state; |0…0⟩ where not given.

    Raises:
        DispatchRefused: if a check fails.
        BackendError: if what was handed in cannot be checked: a vector of another shape or not
            normalised, resets or gates after measurements, classical bits without a measurement.
    """
    started = perf_counter()
    label = name if name is not None else logical.name
    for circuit in (logical, isa):
        # parameters have to be numbers before anything can be simulated
        if circuit.parameters:
            raise DispatchRefused(
                label,
                step,
                "angles",
                "unbound " + ", ".join(sorted(p.name for p in circuit.parameters)),
                "numbers for all angles",
            )
    same = isa is logical
    parts = [measured_part(circuit) for circuit in ([logical] if same else [logical, isa])]
    bits = parts[0].bits
    if parts[-1].bits != bits:
        raise BackendError(f"isa: wanted {bits} measured bits as in logical, got {parts[-1].bits}")
    dense = max(part.circuit.num_qubits for part in parts) <= DENSE_QUBITS
    states = _states(parts, dense, start)

    figure = _infidelity(_expected_state(expected, bits, dense), states[0])
    checks = [_bounded(label, step, "logical", figure, LOGICAL_LIMIT)]
    if same:
        checks.append(Check("transpiled", "passed", 0.0, TRANSPILED_LIMIT, "the very same circuit"))
    else:
        figure = _infidelity(states[0], states[1])
        checks.append(_bounded(label, step, "transpiled", figure, TRANSPILED_LIMIT))
    checks.append(
        _trotter(label, step, states[0], bits, observable, exact_value, max_trotter_error)
    )
    illegal = first_illegal(isa, target)
    if illegal is not None:
        raise DispatchRefused(label, step, "angles", illegal.found, illegal.wanted)
    checks.append(Check("angles", "passed", None, None))
    return ValidationRecord(
        circuit=label,
        step=step,
        qubits=bits,
        method="statevector" if dense else "matrix_product_state",
        seconds=perf_counter() - started,
        checks=tuple(checks),
    )


def _bounded(label: str, step: int | None, name: str, figure: float, limit: float) -> Check:
    # written so that a nan is refused too
    if not figure <= limit:
        raise DispatchRefused(label, step, name, figure, limit)
    return Check(name, "passed", figure, limit)


def _trotter(
    label: str,
    step: int | None,
    state: State,
    bits: int,
    observable: ArrayLike | None,
    exact_value: float | None,
    limit: float | None,
) -> Check:
    given = [value is not None for value in (observable, exact_value, limit)]
    if not any(given):
        return Check("trotter", "skipped", None, None, "no exact value was handed in")
    if observable is None or exact_value is None or limit is None:
        raise BackendError(
            "observable, exact_value, max_trotter_error: wanted all of them or none, "
            f"got {sum(given)} of 3"
        )
    if not (math.isfinite(exact_value) and math.isfinite(limit) and limit > 0):
        raise BackendError(
            "exact_value, max_trotter_error: wanted finite numbers, the second above 0, "
            f"got {exact_value}, {limit}"
        )
    diagonal = np.asarray(observable, dtype=np.float64)
    if isinstance(state, list):
        if diagonal.shape != (bits + 1,):
            raise BackendError(f"observable: wanted shape {(bits + 1,)}, got {diagonal.shape}")
        value = float(mps.excitation_populations(state[:bits]) @ diagonal)
    else:
        if diagonal.shape == (bits + 1,) and bits > 1:
            diagonal = diagonal[_ones(bits)]
        if diagonal.shape != state.shape:
            raise BackendError(
                f"observable: wanted shape {state.shape} or {(bits + 1,)}, got {diagonal.shape}"
            )
        value = float(diagonal @ np.abs(state) ** 2)
    return _bounded(label, step, "trotter", abs(value - exact_value), limit)


@dataclass(frozen=True)
class MeasuredPart:
    """A circuit without its measurements, on the qubits it uses only.

    Qubit j < bits is the one read into classical bit j; those after them are not read and must
    be |0⟩ at the end.
    """

    circuit: QuantumCircuit
    bits: int


def measured_part(circuit: QuantumCircuit) -> MeasuredPart:
    """Cut a circuit to the qubits it uses, renumbered in the order of the classical bits.

    Raises:
        BackendError: for resets, control flow, gates after measurements, and classical bits
            that are read twice or not at all.
    """
    readings = take_readings(circuit)
    gates = readings.gates
    read = dict(zip(readings.qubits, readings.clbits, strict=True))
    if not read:
        read = {place: bit for bit, place in enumerate(final_layout(circuit))}
    bits = len(read)
    if sorted(read.values()) != list(range(bits)):
        raise BackendError(
            f"circuit {circuit.name}: wanted classical bits 0…{bits - 1} read once each, "
            f"got {sorted(read.values())}"
        )
    index = {qubit: number for number, qubit in enumerate(gates.qubits)}
    used = {index[qubit] for step in gates.data for qubit in step.qubits}
    position = dict(read)
    for place in sorted(used - set(read)):
        position[place] = len(position)
    if [position.get(place) for place in range(gates.num_qubits)] == list(range(gates.num_qubits)):
        return MeasuredPart(gates, bits)
    part = QuantumCircuit(len(position), name=circuit.name, global_phase=gates.global_phase)
    wires = {place: part.qubits[number] for place, number in position.items()}
    for step in gates.data:
        part._append(step.replace(qubits=[wires[index[qubit]] for qubit in step.qubits]))
    return MeasuredPart(part, bits)


def simulate_states(circuits: Sequence[QuantumCircuit]) -> list[Vector]:
    """State vectors (2^n,) of circuits on Aer, bit j of the index being classical bit j.

    The part of a state in which a qubit that is not read is |1⟩ is left out, so that a circuit
    that does not return such a qubit to |0⟩ gives a vector shorter than 1.

    Raises:
        BackendError: as :func:`measured_part`, or if Aer reports a failure.
    """
    return _dense_states([measured_part(circuit) for circuit in circuits])


@lru_cache(maxsize=1)
def _simulator() -> Any:
    from qiskit_aer import AerSimulator

    # one thread: the circuits are small, and starting threads costs more than they save
    return AerSimulator(method="statevector", fusion_enable=False, max_parallel_threads=1)


@lru_cache(maxsize=32)
def _native(qubits: int) -> Target:
    return ideal_target(qubits)


def _states(parts: Sequence[MeasuredPart], dense: bool, start: ArrayLike | None) -> list[State]:
    if dense:
        return list(_dense_states(parts, start))
    if start is not None:
        raise BackendError(f"start: wanted None for more than {DENSE_QUBITS} qubits")
    return [
        mps.from_circuit(to_isa(part.circuit, _native(part.circuit.num_qubits))) for part in parts
    ]


def _dense_states(parts: Sequence[MeasuredPart], start: ArrayLike | None = None) -> list[Vector]:
    from qiskit_aer.library import SetStatevector

    circuits = []
    for part in parts:
        circuit = to_isa(part.circuit, _native(part.circuit.num_qubits))
        if start is not None:
            vector = np.asarray(start, dtype=np.complex128)
            if vector.shape != (2**circuit.num_qubits,):
                raise BackendError(
                    f"start: wanted shape {(2**circuit.num_qubits,)}, got {vector.shape}"
                )
            began = circuit.copy_empty_like()
            began.append(SetStatevector(vector), began.qubits)
            circuit = began.compose(circuit)
        # the circuit was made by measured_part, so that it may be added to
        circuit.save_statevector(label="state")
        circuits.append(circuit)
    result = _simulator().run(circuits, shots=1).result()
    if not result.success:
        raise BackendError(f"circuit {circuits[0].name}: Aer cannot simulate it: {result.status}")
    return [
        np.asarray(result.data(index)["state"], dtype=np.complex128)[: 2**part.bits]
        for index, part in enumerate(parts)
    ]


def _expected_state(expected: Expected, bits: int, dense: bool) -> State:
    """Bring what was handed in into the form that is compared."""
    value = expected() if callable(expected) else expected
    if isinstance(value, list | tuple) and len(value) == bits and np.ndim(value[0]) == 3:
        tensors = [np.asarray(tensor, dtype=np.complex128) for tensor in value]
        _check_norm(math.sqrt(mps.overlap(tensors, tensors).real))
        return mps.to_dense(tensors) if dense else tensors
    vector = np.asarray(value, dtype=np.complex128)
    if vector.ndim != 1 or not np.all(np.isfinite(vector)):
        raise BackendError(f"expected: wanted a finite vector, got shape {vector.shape}")
    _check_norm(float(np.linalg.norm(vector)))
    if vector.size == bits + 1 and bits > 1:
        if not dense:
            return mps.dicke_mps(vector)
        ones = _ones(bits)
        shares = np.array([1 / math.sqrt(math.comb(bits, k)) for k in range(bits + 1)])
        return np.asarray((vector * shares)[ones])
    if not dense:
        raise BackendError(
            f"expected: wanted amplitudes of shape {(bits + 1,)} or a matrix-product state for "
            f"more than {DENSE_QUBITS} qubits, got shape {vector.shape}"
        )
    if vector.size != 2**bits:
        raise BackendError(
            f"expected: wanted shape {(2**bits,)} or {(bits + 1,)}, got {vector.shape}"
        )
    return vector


def _check_norm(norm: float) -> None:
    if not abs(norm - 1) < 1e-8:
        raise BackendError(f"expected: wanted a state of norm 1, got {norm:.12g}")


def _infidelity(wanted: State, found: State) -> float:
    if isinstance(wanted, list) and isinstance(found, list):
        missing = len(found) - len(wanted)
        zero = np.array([[[1.0], [0.0]]], dtype=np.complex128)  # qubits not read stay |0⟩
        amplitude = mps.overlap([*wanted, *[zero] * missing], found)
    else:
        amplitude = complex(np.vdot(wanted, found))
    # 1 − |⟨a|b⟩|²/⟨a|a⟩: a state that is a hair too long must not hide what is missing
    norm = mps.overlap(wanted, wanted).real if isinstance(wanted, list) else np.vdot(wanted, wanted)
    return max(0.0, 1 - abs(amplitude) ** 2 / float(np.real(norm)))


@lru_cache(maxsize=32)
def _ones(bits: int) -> NDArray[np.int64]:
    """Number of ones in each index 0…2^bits−1."""
    return np.asarray(np.bitwise_count(np.arange(2**bits, dtype=np.uint64)), dtype=np.int64)
