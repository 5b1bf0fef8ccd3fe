"""The pre-flight check of circuits that read qubits on the way, reset them and go on.

Such a circuit has no one state at its end. It is followed along *histories* instead: what each
reading finds is fixed beforehand, each measurement projects on it, and before every reading the
state, conditional on the history so far, is compared. Five checks:

1. ``readings``: the classical bits are read as was asked, each once, together with those it belongs
   to and before anything that depends on them.
2. ``resets``: each qubit that was read is reset before anything else is done with it, and no qubit
   is reset that was used and not read.
3. ``logical``: before every reading the circuit as it was built is in the expected state.
4. ``transpiled``: before every reading the circuit in the target's gates has the qubits that are
   read in the same reduced state as the logical one, coherences between outcomes included.
5. ``angles``: every instruction and every angle is one that the target takes.

The first two look at the circuits alone, so that they find a missing reset even where no history
that is followed would show it. States are compared by 1 − F, with F the fidelity |⟨a|b⟩|² of pure
states and Uhlmann's for reduced ones; the largest over readings and histories counts. For a pure
state as the (2^kept, 2^read) matrix A of its amplitudes, Uhlmann's fidelity of the read qubits is
the square of the trace norm of A A'† taken over the read index: the largest |⟨a|b⟩|² under any
unitary on the qubits that are kept. That is why routing may put those wherever it likes; errors in
them show at the next reading they take part in.

What it does not see:

- histories that were not followed. A fault that shows only after outcomes that no history contains
  passes. The outcomes followed are drawn from the expected distribution, save in one history, which
  takes at each reading the outcome with the most ones among those at least 0.001 probable;
- what comes after the last reading, and kept qubits that no later reading depends on: nothing that
  can be read depends on them either;
- noise, waiting times and the device's own readout errors and errors of resets;
- whether the order in which bits are packed into words elsewhere is the one of ``readings``.

It is stricter than physics in that a qubit that was read may not be used by routing before all
qubits of the same reading were read, and in that the transpiled circuit may not leave out diagonal
gates in front of a measurement (:func:`qbrain.backends.compile.to_isa` does neither).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qiskit import QuantumCircuit
from qiskit.transpiler import Target

from ..errors import BackendError
from ..isa import first_illegal
from .pure import (
    LOGICAL_LIMIT,
    TRANSPILED_LIMIT,
    Check,
    DispatchRefused,
    ValidationRecord,
    bounded,
    refuse_unbound,
)
from .trajectories import Histories, Misread, Segment, segments

__all__ = ["ConditionalStates", "validate_trajectories"]

Vectors = NDArray[np.complex128]
ConditionalStates = Callable[[NDArray[np.int64]], ArrayLike]

QUBITS = 20
# Outcomes less probable than this are not sought out: what is conditional on them is known to so
# many digits less.
RARE = 1e-3


def validate_trajectories(
    logical: QuantumCircuit,
    isa: QuantumCircuit,
    target: Target,
    *,
    readings: Sequence[Sequence[int]],
    expected: ConditionalStates,
    draws: int = 4,
    seed: int = 0,
    name: str | None = None,
    step: int | None = None,
) -> ValidationRecord:
    """Pass a circuit that reads qubits on the way, or refuse it.

    Let reading g be that of the classical bits ``readings[g]``, and its outcome the integer whose
    bit j is what was found for ``readings[g][j]``. N neurons read in each of T bins into bits
    t·N + i are ``readings=[range(t * N, (t + 1) * N) for t in range(T)]``.

    Args:
        logical: the circuit as built, all parameters bound.
        isa: the same in the target's gates; where it is the very same object, the second
            simulation is left out and the record says so.
        target: where it is to run.
        readings: classical bits that are read together, in order of time; every classical bit that
            is written, once.
        expected: the states wanted before a reading. It is called once a reading with the outcomes
            (draws, g) of the g readings before it in each history, and returns (draws, 2^n) complex
            amplitudes of norm 1, n the number of qubits that ``logical`` uses. Bit j of the index
            is the qubit that is read into classical bit ``readings[g][j]``; the bits after those
            are the other qubits in ascending order. Where neuron i is qubit i, that is simply the
            order of the qubits. "Before a reading" is where ``logical`` has the last measurement
            of the reading; resets of qubits read earlier have been done if they stand before it.
        draws: number of histories.
        seed: of the histories; they depend on it and on ``expected`` alone.
        name: of the circuit in messages and records; its own name where not given.
        step: the step of the run it belongs to.

    Returns:
        A record with ``method`` ``trajectories``. It holds for this circuit with these angles:
        another binding of the same template is another circuit.

    Raises:
        DispatchRefused: if a check fails.
        BackendError: if what was handed in cannot be checked: states of another shape or not
            normalised, a classical bit in two readings, control flow, more than 20 qubits.
    """
    started = perf_counter()
    label = name if name is not None else logical.name
    groups = _checked_readings(readings)
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < 1:
        raise BackendError(f"draws: wanted an integer >= 1, got {draws!r}")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise BackendError(f"seed: wanted an integer >= 0, got {seed!r}")
    same = isa is logical
    runs = []
    for role, circuit in (("logical", logical),) if same else (("logical", logical), ("isa", isa)):
        refuse_unbound(label, step, circuit)
        try:
            parts, qubits = segments(circuit, groups)
        except Misread as error:
            raise DispatchRefused(
                label, step, error.check, f"{role}: {error.found}", error.wanted
            ) from error
        if qubits > QUBITS:
            raise BackendError(f"{role}: wanted at most {QUBITS} qubits, got {qubits}")
        runs.append((parts, Histories(draws, qubits)))

    generator = np.random.default_rng(seed)
    history: NDArray[np.int64] = np.empty((draws, 0), dtype=np.int64)
    worst = {"logical": 0.0, "transpiled": 0.0}
    for number, bits in enumerate(groups):
        wanted = _expected_states(expected, history, runs[0][1].qubits)
        found = [_advanced(states, parts[number]) for parts, states in runs]
        figures = {"logical": _infidelity(wanted, found[0].reshape(wanted.shape))}
        if not same:
            figures["transpiled"] = _reduced_infidelity(found[0], found[1])
        for check, figure in figures.items():
            limit = LOGICAL_LIMIT if check == "logical" else TRANSPILED_LIMIT
            bounded(label, step, check, figure, limit)
            worst[check] = max(worst[check], figure)
        outcomes = _drawn(np.abs(wanted.reshape(draws, -1, 2 ** len(bits))) ** 2, generator)
        for parts, states in runs:
            states.project(parts[number].qubits, outcomes)
        history = np.concatenate([history, outcomes[:, None]], axis=1)

    illegal = first_illegal(isa, target)
    if illegal is not None:
        raise DispatchRefused(label, step, "angles", illegal.found, illegal.wanted)
    note = f"{draws} histories of {len(groups)} readings"
    return ValidationRecord(
        circuit=label,
        step=step,
        qubits=runs[0][1].qubits,
        method="trajectories",
        seconds=perf_counter() - started,
        checks=(
            Check("readings", "passed", None, None),
            Check("resets", "passed", None, None),
            Check("logical", "passed", worst["logical"], LOGICAL_LIMIT, note),
            Check(
                "transpiled",
                "passed",
                worst["transpiled"],
                TRANSPILED_LIMIT,
                "the very same circuit" if same else note,
            ),
            Check("angles", "passed", None, None),
        ),
    )


def _checked_readings(readings: Sequence[Sequence[int]]) -> list[tuple[int, ...]]:
    groups = [tuple(int(bit) for bit in bits) for bits in readings]
    flat = [bit for bits in groups for bit in bits]
    if not groups or not all(groups) or len(set(flat)) != len(flat) or min(flat) < 0:
        raise BackendError(
            "readings: wanted one or more groups of classical bits, each bit in one of them once, "
            f"got {[list(bits) for bits in groups]}"
        )
    return groups


def _advanced(states: Histories, part: Segment) -> Vectors:
    """Take the states to the next reading: (draws, 2^kept, 2^read)."""
    for qubit in part.resets:
        states.reset(qubit)
    for step in part.gates:
        states.apply(step)
    return states.ordered(part.qubits)


def _expected_states(
    expected: ConditionalStates, history: NDArray[np.int64], qubits: int
) -> Vectors:
    vectors = np.asarray(expected(history.copy()), dtype=np.complex128)
    shape = (len(history), 2**qubits)
    where = f"before reading {history.shape[1]}"
    if vectors.shape != shape or not np.all(np.isfinite(vectors)):
        raise BackendError(
            f"expected: wanted finite states of shape {shape} {where}, got shape {vectors.shape}"
        )
    norms = np.linalg.norm(vectors, axis=1)
    if not np.all(np.abs(norms - 1) < 1e-8):
        raise BackendError(
            f"expected: wanted states of norm 1 {where}, got {norms.min():.12g} to "
            f"{norms.max():.12g}"
        )
    return vectors


def _infidelity(wanted: Vectors, found: Vectors) -> float:
    """Largest 1 − |⟨wanted|found⟩|² over histories, free of the rounding in the norms; or nan."""
    overlaps = np.abs(np.einsum("hi,hi->h", wanted.conj(), found)) ** 2
    return _largest(1 - overlaps / (_norms(wanted) * _norms(found)))


def _reduced_infidelity(wanted: Vectors, found: Vectors) -> float:
    """Largest infidelity of the read qubits' reduced states.

    From amplitudes (draws, 2^kept, 2^read).
    """
    norms = _norms(wanted) * _norms(found)
    if not np.all(np.isfinite(norms)):
        return float("nan")
    both = []
    for amplitudes in (wanted, found):
        if amplitudes.shape[1] > amplitudes.shape[2]:
            # the same reduced state from as many kept dimensions as there are read ones
            both.append(np.asarray(np.linalg.qr(amplitudes, mode="r"), dtype=np.complex128))
        else:
            both.append(amplitudes)
    overlaps = np.einsum("hko,hlo->hkl", both[0].conj(), both[1])
    traces = np.linalg.svd(overlaps, compute_uv=False).sum(axis=1)
    return _largest(1 - traces**2 / norms)


def _norms(vectors: Vectors) -> NDArray[np.float64]:
    flat = vectors.reshape(len(vectors), -1)
    return np.asarray(np.einsum("hi,hi->h", flat.conj(), flat).real)


def _largest(figures: NDArray[np.float64]) -> float:
    # the maximum of numbers with a nan is nan, which is then refused; rounding may go below 0
    return float(np.maximum(figures.max(), 0.0))


def _drawn(weights: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.int64]:
    """An outcome a history from |amplitudes|² (draws, 2^kept, 2^read); the first is sought out."""
    probabilities = weights.sum(axis=1)
    cumulative = np.cumsum(probabilities, axis=1)
    points = generator.random(len(weights)) * cumulative[:, -1]
    # the last one is not counted: rounding may put a point on the very end
    outcomes = (cumulative[:, :-1] <= points[:, None]).sum(axis=1)
    ones = np.bitwise_count(np.arange(probabilities.shape[1], dtype=np.uint64)).astype(np.int64)
    # many qubits may leave no outcome that is not rare
    common = probabilities[0] >= min(RARE, float(probabilities[0].max()))
    outcomes[0] = np.lexsort((probabilities[0], np.where(common, ones, -1)))[-1]
    return np.asarray(outcomes, dtype=np.int64)
