"""The parity sector of N neurons on ⌈log₂(size)⌉ qubits.

From a Dicke state |n₀⟩ only the Dicke states of the same parity are reached, n = p, p+2, … ≤ N
with p = n₀ mod 2: at most ⌊N/2⌋+1 of them, in which H is tridiagonal,

    ⟨n|H|n⟩   = -(g/N)[J(J+1) - m²] - h m,        J = N/2,  m = n - N/2,
    ⟨n+2|H|n⟩ = -(gγ/2N) sqrt((n+1)(n+2)(N-n)(N-n-1)),

from (1+γ)J_x² + (1-γ)J_y² = J(J+1) - J_z² + (γ/2)(J₊² + J₋²). The i-th state of the sector,
n = p + 2i, is stored as the reflected Gray code c ^ (c >> 1) of c = i (of c = i + a, a unused
codes at either end, where N and the size are even). Neighbours differ in one bit, so that a wrong
bit moves n by 2 more often than by more; and the mirror symmetry n → N - n that H has without a
field is X on the top qubit, which halves the gates of its evolution.

A step is given by phase φ = ∫ g dt and field_phase = h dt. Source of the model: J. J. Torres and
E. Romera, arXiv:2602.16003, Eq. (1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from qiskit import ClassicalRegister, QuantumCircuit, transpile
from scipy.linalg import eigh_tridiagonal

from .arguments import (
    CircuitError,
    check_choice,
    check_excitations,
    check_finite,
    check_neurons,
    check_order,
    check_phases,
)
from .step_program import FIELD_PHASE, PHASE, StepProgram
from .synthesis import BASIS, prepare_state, synthesise_unitary

__all__ = [
    "SYNTHESES",
    "CircuitError",
    "EncodedEvolution",
    "Sector",
    "decode",
    "encoded_circuit",
    "encoded_hamiltonian",
    "encoded_program",
    "evolution_unitary",
    "sector",
    "sector_hamiltonian",
]

Real = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.complex128]

SYNTHESES = ("unitary", "isometry", "trotter")


# ------------------------------------------------------------------------------ the sector


@dataclass(frozen=True)
class Sector:
    """The Dicke states of one parity and the qubit codes that hold them.

    Attributes:
        neurons: N.
        parity: 0 or 1, that of every n in the sector.
        excitations: n of the i-th state, ascending in steps of 2.
        codes: the computational basis state that holds the i-th state.
        qubits: qubits in use, at least one.
    """

    neurons: int
    parity: int
    excitations: tuple[int, ...]
    codes: tuple[int, ...]
    qubits: int

    @property
    def size(self) -> int:
        """Number of Dicke states in the sector."""
        return len(self.excitations)

    def position(self, n: int) -> int:
        """Return i with excitations[i] == n."""
        return (n - self.parity) // 2


def sector(neurons: int, initial: int = 0) -> Sector:
    """Return the parity sector of the Dicke state of ``initial`` active neurons.

    Raises:
        CircuitError: ``neurons`` is no integer ≥ 1, or ``initial`` not in 0..N.
    """
    neurons = check_neurons(neurons)
    parity = check_excitations("initial", initial, neurons) % 2
    excitations = tuple(range(parity, neurons + 1, 2))
    size = len(excitations)
    qubits = max(1, (size - 1).bit_length())
    # centred, the codes are mirror images of each other wherever the excitations are
    mirrored = neurons % 2 == 0 and size % 2 == 0
    first = ((1 << qubits) - size) // 2 if mirrored else 0
    return Sector(
        neurons=neurons,
        parity=parity,
        excitations=excitations,
        codes=tuple(c ^ (c >> 1) for c in range(first, first + size)),
        qubits=qubits,
    )


def decode(neurons: int, initial: int = 0) -> npt.NDArray[np.int64]:
    """Return the number of active neurons of each outcome, shape (2^q,); -1 for no state.

    The outcome is the integer of the measured bit string, qubit 0 the least significant bit.

    Raises:
        CircuitError: as :func:`sector`.
    """
    states = sector(neurons, initial)
    table = np.full(1 << states.qubits, -1, dtype=np.int64)
    table[list(states.codes)] = states.excitations
    return table


@lru_cache(maxsize=64)
def _elements(neurons: int, gamma: float, parity: int) -> tuple[Real, Real, Real]:
    """Diagonal and off-diagonal of H/g at h=0, and the diagonal of -J_z."""
    n = np.arange(parity, neurons + 1, 2, dtype=np.float64)
    m = n - neurons / 2
    diagonal = -(neurons / 2 * (neurons / 2 + 1) - m**2) / neurons
    k = n[:-1]
    ladder = np.sqrt((k + 1) * (k + 2) * (neurons - k) * (neurons - k - 1))
    hopping = -gamma / (2 * neurons) * ladder
    for array in (diagonal, hopping, m):
        array.setflags(write=False)
    return diagonal, hopping, -m


@lru_cache(maxsize=64)
def _spectrum(neurons: int, gamma: float, parity: int) -> tuple[Real, Real]:
    diagonal, hopping, _ = _elements(neurons, gamma, parity)
    values, vectors = eigh_tridiagonal(diagonal, hopping)
    return values, vectors


def sector_hamiltonian(
    neurons: int, gamma: float, phase: float = 1.0, field_phase: float = 0.0, initial: int = 0
) -> Real:
    """Return the tridiagonal H dt of the sector, shape (size, size), ordered by n.

    Raises:
        CircuitError: any argument that is no finite number or out of range.
    """
    states = sector(neurons, initial)
    diagonal, hopping, turn = _elements(states.neurons, check_finite("gamma", gamma), states.parity)
    phase = check_finite("phase", phase)
    field_phase = check_finite("field_phase", field_phase)
    matrix = np.diag(phase * diagonal + field_phase * turn)
    matrix += np.diag(phase * hopping, 1) + np.diag(phase * hopping, -1)
    return matrix


def encoded_hamiltonian(
    neurons: int, gamma: float, phase: float = 1.0, field_phase: float = 0.0, initial: int = 0
) -> Real:
    """Return H dt on the qubits, shape (2^q, 2^q), zero on codes that hold no state.

    Raises:
        CircuitError: as :func:`sector_hamiltonian`.
    """
    states = sector(neurons, initial)
    matrix = np.zeros((1 << states.qubits, 1 << states.qubits))
    codes = np.array(states.codes)
    matrix[np.ix_(codes, codes)] = sector_hamiltonian(neurons, gamma, phase, field_phase, initial)
    return matrix


# ------------------------------------------------------------------------------ exact evolution


class EncodedEvolution:
    """Evolution within a sector, grown step by step, and its circuits.

    Field-free steps commute with each other, so that a run of them costs one matrix product,
    however many they are; a step with a field costs one diagonalisation of the sector.

    Args:
        neurons: N ≥ 1.
        gamma: γ, any finite number.
        initial: number of active neurons of the initial Dicke state.

    Raises:
        CircuitError: any argument outside what is said here.
    """

    def __init__(self, neurons: int, gamma: float, initial: int = 0) -> None:
        self.sector = sector(neurons, initial)
        self.gamma = check_finite("gamma", gamma)
        self.initial = int(initial)
        self._before: Matrix = np.eye(self.sector.size, dtype=np.complex128)
        self._pending = 0.0

    def append(self, phase: float, field_phase: float = 0.0) -> None:
        """Evolve by one more step: phase = ∫ g dt, field_phase = h dt.

        Raises:
            CircuitError: nan or inf.
        """
        phase = check_finite("phase", phase)
        field_phase = check_finite("field_phase", field_phase)
        if field_phase == 0.0:
            self._pending += phase
            return
        self._before = self.unitary
        self._pending = 0.0
        diagonal, hopping, turn = self._elements()
        values, vectors = eigh_tridiagonal(phase * diagonal + field_phase * turn, phase * hopping)
        self._before = _exponential(values, vectors) @ self._before

    def _elements(self) -> tuple[Real, Real, Real]:
        return _elements(self.sector.neurons, self.gamma, self.sector.parity)

    @property
    def unitary(self) -> Matrix:
        """The evolution from the start, shape (size, size), ordered by n."""
        if self._pending == 0.0:
            return self._before
        values, vectors = _spectrum(self.sector.neurons, self.gamma, self.sector.parity)
        return _exponential(self._pending * values, vectors) @ self._before

    @property
    def state(self) -> Matrix:
        """The evolved Dicke amplitudes of the sector, shape (size,), ordered by n."""
        column: Matrix = self.unitary[:, self.sector.position(self.initial)]
        return column

    def circuit(self, synthesis: str = "unitary", *, measure: bool = True) -> QuantumCircuit:
        """Return the evolution from |code of initial⟩ as a circuit of cz, rz, sx, x.

        ``unitary``: the evolution of every state of the sector (identity on codes that hold no
        state); at most 3 CZ on two qubits, 2 for N=6 without a field. ``isometry``: the evolved
        state of this one start, worked out classically; 1, 3, 10 CZ on 2, 3, 4 qubits in a line.

        Args:
            synthesis: ``unitary`` or ``isometry``.
            measure: whether to measure qubit j into bit j of a register ``meas``.

        Raises:
            CircuitError: an unknown synthesis.
        """
        check_choice("synthesis", synthesis, SYNTHESES[:2])
        qubits = self.sector.qubits
        codes = np.array(self.sector.codes)
        start = self.sector.position(self.initial)
        if synthesis == "isometry":
            amplitudes = np.zeros(1 << qubits, dtype=np.complex128)
            amplitudes[codes] = self.state
            circuit = prepare_state(amplitudes)
        else:
            matrix = np.eye(1 << qubits, dtype=np.complex128)
            matrix[np.ix_(codes, codes)] = self.unitary
            circuit = _prepare_code(qubits, int(codes[start]))
            circuit.compose(synthesise_unitary(matrix), inplace=True)
        if measure:
            _measure(circuit)
        return circuit


def _exponential(values: Real, vectors: Real) -> Matrix:
    result: Matrix = (vectors * np.exp(-1j * values)) @ vectors.T
    return result


def evolution_unitary(
    neurons: int,
    gamma: float,
    phases: npt.ArrayLike,
    field_phases: npt.ArrayLike = 0.0,
    initial: int = 0,
) -> Matrix:
    """Return the evolution over all steps in the sector of ``initial``, shape (size, size).

    Ordered by n; phases and field_phases are those of :func:`encoded_circuit`.

    Raises:
        CircuitError: any argument outside what is said there.
    """
    evolution = EncodedEvolution(neurons, gamma, initial)
    for phase, turn in zip(*check_phases(phases, field_phases), strict=True):
        evolution.append(float(phase), float(turn))
    return evolution.unitary


# ------------------------------------------------------------------------------ product formula


def _walsh_coefficients(values: Real) -> Real:
    """Return c with values[x] = Σ_s c[s] (-1)^popcount(s & x)."""
    indices = np.arange(values.size)
    signs = 1.0 - 2.0 * (np.bitwise_count(indices[:, None] & indices[None, :]) & 1)
    result: Real = signs @ values / values.size
    return result


def _rotate_strings(
    circuit: QuantumCircuit,
    target: int,
    controls: Sequence[int],
    phase_angles: Real,
    field_angles: Real,
    weight: float,
) -> None:
    """Apply exp(-i weight Σ_s (phase·a_s + field·b_s) Z_target Z_s), s the subsets of controls.

    A walk through the subsets by Gray code, one CNOT onto the target for each step of it.
    """
    subset = 0
    for step in range(1 << len(controls)):
        if phase_angles[subset]:
            circuit.rz(2 * weight * float(phase_angles[subset]) * PHASE, target)
        if field_angles[subset]:
            circuit.rz(2 * weight * float(field_angles[subset]) * FIELD_PHASE, target)
        if controls:
            after = step + 1
            bit = (after & -after).bit_length() - 1
            bit = min(bit, len(controls) - 1)  # the last step closes the walk
            circuit.cx(controls[bit], target)
            subset ^= 1 << bit


def _diagonal_layer(
    circuit: QuantumCircuit, phase_terms: Real, field_terms: Real, weight: float
) -> None:
    """Apply the exponential of all Z strings, those of the highest qubit last."""
    for target in range(circuit.num_qubits):
        block = slice(1 << target, 2 << target)
        _rotate_strings(
            circuit, target, range(target), phase_terms[block], field_terms[block], weight
        )


def _hopping_layer(circuit: QuantumCircuit, bit: int, terms: Real, weight: float) -> None:
    """Apply exp(-i weight·phase Σ_s terms_s X_bit Z_s), s the subsets of the other qubits."""
    others = [qubit for qubit in range(circuit.num_qubits) if qubit != bit]
    circuit.h(bit)
    _rotate_strings(circuit, bit, others, terms, np.zeros_like(terms), weight)
    circuit.h(bit)


def encoded_program(
    neurons: int, gamma: float, *, field: bool = False, order: int = 2, initial: int = 0
) -> StepProgram:
    """Return the product formula of the encoded Hamiltonian as a step program.

    The Pauli strings of H on the qubits fall into groups that commute within: the Z strings D,
    and for each qubit b the strings X_b Z…Z, which are the hops n ↔ n+2 whose codes differ in
    bit b. Order 1: exp(D), then X_0, X_1, …; order 2: D½, X_0½, …, X_{q-1}, …, X_0½, D½.
    Pieces are in the gates cz, rz, sx, x, between any pairs of qubits; "neurons" in the
    program's orders are the code's bits.

    Args:
        neurons: N ≥ 1.
        gamma: γ, any finite number.
        field: whether the steps take a parameter ``field_phase``.
        order: 1 or 2.
        initial: number of active neurons of the initial Dicke state.

    Raises:
        CircuitError: any argument outside what is said here.
    """
    check_order(order, (1, 2))
    states = sector(neurons, initial)
    qubits = states.qubits
    phase_matrix = encoded_hamiltonian(neurons, gamma, 1.0, 0.0, initial)
    field_matrix = encoded_hamiltonian(neurons, gamma, 0.0, float(field), initial)
    phase_terms = _walsh_coefficients(np.diag(phase_matrix))
    field_terms = _walsh_coefficients(np.diag(field_matrix))
    codes = np.arange(1 << qubits)
    hops = []
    for bit in range(qubits):
        low = codes[(codes >> bit) & 1 == 0]
        hops.append(_walsh_coefficients(phase_matrix[low, low | (1 << bit)]))

    half = 1.0 if order == 1 else 0.5
    layers = [(bit, half) for bit in range(-1, qubits)]
    if order == 2:
        layers = [*layers[:-1], (qubits - 1, 1.0), *reversed(layers[:-1])]
    piece = QuantumCircuit(qubits)
    # the empty Z string is a global phase
    piece.global_phase = -phase_terms[0] * PHASE
    if field_terms[0]:
        piece.global_phase -= field_terms[0] * FIELD_PHASE
    for bit, weight in layers:
        if bit < 0:
            _diagonal_layer(piece, phase_terms, field_terms, weight)
        else:
            _hopping_layer(piece, bit, hops[bit], weight)
    return StepProgram(
        prepare=_prepare_code(qubits, states.codes[states.position(int(initial))]),
        steps=(transpile(piece, basis_gates=list(BASIS), optimization_level=1),),
        orders=(tuple(range(qubits)),),
        has_field=bool(field),
    )


# ------------------------------------------------------------------------------ circuits


def encoded_circuit(
    neurons: int,
    gamma: float,
    phases: npt.ArrayLike,
    field_phases: npt.ArrayLike = 0.0,
    initial: int = 0,
    *,
    synthesis: str = "unitary",
    order: int = 2,
    measure: bool = True,
) -> QuantumCircuit:
    """Return the evolution over K steps on the qubits of the sector, in cz, rz, sx, x.

    ``unitary`` and ``isometry`` hold the exact evolution (see :meth:`EncodedEvolution.circuit`);
    ``trotter`` the product formula of :func:`encoded_program`. For a growing run of steps use
    those two: they do not start again for each.

    Args:
        neurons: N ≥ 1.
        gamma: γ, any finite number.
        phases: shape (K,), φ = ∫ g dt of each step, dimensionless.
        field_phases: h dt of each step, shape (K,) or one number for all.
        initial: number of active neurons of the initial Dicke state.
        synthesis: ``unitary``, ``isometry`` or ``trotter``.
        order: 1 or 2, for ``trotter``.
        measure: whether to measure qubit j into bit j of a register ``meas``.

    Raises:
        CircuitError: any argument outside what is said here, nan and inf included.
    """
    check_choice("synthesis", synthesis, SYNTHESES)
    phi, turns = check_phases(phases, field_phases)
    if synthesis == "trotter":
        field = bool(np.any(turns != 0.0))
        program = encoded_program(neurons, gamma, field=field, order=order, initial=initial)
        return program.circuit(phi, turns, measure=measure)
    evolution = EncodedEvolution(neurons, gamma, initial)
    for phase, turn in zip(phi, turns, strict=True):
        evolution.append(float(phase), float(turn))
    return evolution.circuit(synthesis, measure=measure)


def _prepare_code(qubits: int, code: int) -> QuantumCircuit:
    circuit = QuantumCircuit(qubits)
    for qubit in range(qubits):
        if code >> qubit & 1:
            circuit.x(qubit)
    return circuit


def _measure(circuit: QuantumCircuit) -> None:
    register = ClassicalRegister(circuit.num_qubits, "meas")
    circuit.add_register(register)
    circuit.measure(range(circuit.num_qubits), register)
