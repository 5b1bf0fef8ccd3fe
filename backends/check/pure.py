"""The pre-flight check that every circuit passes before it is sent anywhere.

It has four parts, called checks themselves, the answers handed in by the caller:

1. ``logical``: the circuit as it was built, simulated on Aer, is the expected state.
2. ``transpiled``: the circuit in the target's gates is the same state as the logical one, after
   cutting it to the qubits it uses and following its measurements back to the classical bits.
3. ``trotter``: the observable on the logical state lies as near the exact value as was asked.
4. ``angles``: every instruction and every angle is one that the target takes.

States are compared in the order of the classical bits: bit j of the index is classical bit j.
Without measurements it is the order of the qubits before transpiling. Two states are compared by
the infidelity 1 − |⟨a|b⟩|², so global phases do not count.

Up to 24 qubits states are dense vectors. Past that, or where asked for, they are Aer's
matrix-product states, which are exact for superpositions of Dicke states, with ``expected`` given
as Dicke amplitudes (n+1,) or as a matrix-product state (see :mod:`qbrain.backends.check.mps`). At
the end of a circuit bond dimension n/2 + 1 is enough. Within a swap network, where only some pairs
have met, bonds grow exponentially: 20 qubits on a line take a minute so and a second as a vector.

Circuits that read and reset qubits on the way have a pre-flight check of their own,
:mod:`qbrain.backends.check.histories`, and so have those that reset qubits without reading
them, :mod:`qbrain.backends.check.channel`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qiskit import QuantumCircuit
from qiskit.transpiler import Target

from ..errors import BackendError
from ..isa import first_illegal
from . import mps
from .states import State, measured_part, states_of

__all__ = [
    "Check",
    "DispatchRefused",
    "Expected",
    "ValidationRecord",
    "bounded",
    "refuse_unbound",
    "validate",
]

LOGICAL_LIMIT = 1e-9
TRANSPILED_LIMIT = 1e-7
DENSE_QUBITS = 24  # a vector of 270 MB
METHODS = ("auto", "statevector", "matrix_product_state")

Expected = ArrayLike | mps.MPS | Callable[[], Any]


class DispatchRefused(RuntimeError):
    """A circuit did not pass the pre-flight check.

    Attributes:
        circuit: its name.
        step: the step of the run it belongs to, or None.
        check: ``logical``, ``transpiled``, ``trotter`` or ``angles``; of circuits that read qubits
            on the way also ``readings`` or ``resets``.
        figure: what was found: a number, or the instruction.
        limit: what was wanted: the largest number allowed, or the rule.
    """

    exit_code = 3  # of the command line: a circuit was refused

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
    """What the pre-flight check found of one circuit that it let through; plain values only.

    ``method`` is ``statevector`` or ``matrix_product_state``; ``trajectories`` for circuits that
    read qubits on the way, ``density_matrix`` for those that reset some without reading them.
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
        """The record as nested dicts and lists, for JSON or TOML."""
        return {**asdict(self), "checks": [asdict(check) for check in self.checks]}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> ValidationRecord:
        """The record from what :meth:`to_dict` wrote."""
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
    method: str = "auto",
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
        start: state (2^n,) that the circuits start from, for a sampler that keeps its state: bit
            j of the index is the qubit that will be read into classical bit j. |0…0⟩ where not
            given.

    Raises:
        DispatchRefused: if a check fails.
        BackendError: if what was handed in cannot be checked: a vector of another shape or not
            normalised, resets or gates after measurements, classical bits without a measurement.
    """
    started = perf_counter()
    label = name if name is not None else logical.name
    for circuit in (logical, isa):
        refuse_unbound(label, step, circuit)
    same = isa is logical
    parts = [measured_part(circuit) for circuit in ([logical] if same else [logical, isa])]
    bits = parts[0].bits
    if parts[-1].bits != bits:
        raise BackendError(f"isa: wanted {bits} measured bits as in logical, got {parts[-1].bits}")
    if method not in METHODS:
        raise BackendError(f"method: wanted one of {', '.join(METHODS)}, got {method!r}")
    dense = method == "statevector"
    if method == "auto":
        dense = max(part.circuit.num_qubits for part in parts) <= DENSE_QUBITS
    states = states_of(parts, dense=dense, start=start)

    figure = _infidelity(_expected_state(expected, bits, dense), states[0])
    checks = [bounded(label, step, "logical", figure, LOGICAL_LIMIT)]
    if same:
        checks.append(Check("transpiled", "passed", 0.0, TRANSPILED_LIMIT, "the very same circuit"))
    else:
        figure = _infidelity(states[0], states[1])
        checks.append(bounded(label, step, "transpiled", figure, TRANSPILED_LIMIT))
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


def refuse_unbound(label: str, step: int | None, circuit: QuantumCircuit) -> None:
    """Parameters have to be numbers before anything can be simulated.

    Raises:
        DispatchRefused: if any is not.
    """
    if circuit.parameters:
        unbound = "unbound " + ", ".join(sorted(p.name for p in circuit.parameters))
        raise DispatchRefused(label, step, "angles", unbound, "numbers for all angles")


def bounded(label: str, step: int | None, name: str, figure: float, limit: float) -> Check:
    """A check that passed: ``figure`` is at most ``limit``.

    Raises:
        DispatchRefused: if it is not.
    """
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
    return bounded(label, step, "trotter", abs(value - exact_value), limit)


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
            f"expected: wanted amplitudes of shape {(bits + 1,)} or a matrix-product state, "
            f"got shape {vector.shape}"
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
    """1 − |⟨wanted|found⟩|², free of the rounding in the norm of what is compared with.

    A dense vector that was found is not normalised: what it lacks is in qubits that are not read.
    """
    if isinstance(wanted, list) and isinstance(found, list):
        zero = np.array([[[1.0], [0.0]]], dtype=np.complex128)  # qubits not read must be |0⟩
        padded = [*wanted, *[zero] * (len(found) - len(wanted))]
        amplitude = mps.overlap(padded, found)
        norm = mps.overlap(padded, padded).real * mps.overlap(found, found).real
    else:
        amplitude = complex(np.vdot(wanted, found))
        norm = float(np.vdot(wanted, wanted).real)
    return max(0.0, 1 - abs(amplitude) ** 2 / norm)


@lru_cache(maxsize=32)
def _ones(bits: int) -> NDArray[np.int64]:
    """Number of ones in each index 0…2^bits−1."""
    return np.asarray(np.bitwise_count(np.arange(2**bits, dtype=np.uint64)), dtype=np.int64)
