"""Small synthesis for a handful of qubits, straight into the gates {cz, rz, sx, x}.

Two-qubit unitaries with at most three CZ (F. Vatan and C. Williams, Phys. Rev. A 69, 032315
(2004)); states of up to four qubits on a line with 0, 1, 3 and
10 CZ, by Schmidt decomposition across the middle bond (M. Plesch and Č. Brukner, Phys. Rev. A 83,
032302 (2011)), two-qubit unitaries up to a diagonal with two CZ (V. V. Shende, S. S. Bullock,
I. L. Markov, Phys. Rev. A 70, 012310 (2004)). Qubit 0 is the least significant bit.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit, transpile
from qiskit.circuit.library import StatePreparation
from qiskit.quantum_info import Statevector
from qiskit.synthesis import OneQubitEulerDecomposer, TwoQubitWeylDecomposition
from scipy.linalg import cossin, schur

__all__ = ["BASIS", "GateList", "prepare_state", "synthesise_unitary"]

Matrix = npt.NDArray[np.complex128]

BASIS = ("cz", "rz", "sx", "x")

# a two-qubit angle below this is rounding error
_ZERO = 1e-10

_R = math.sqrt(0.5)
_H: Matrix = np.array([[_R, _R], [_R, -_R]], dtype=np.complex128)
_X: Matrix = np.array([[0, 1], [1, 0]], dtype=np.complex128)
_YY: Matrix = np.fliplr(np.diag([-1, 1, 1, -1])).astype(np.complex128)
_P, _M = 0.5 + 0.5j, 0.5 - 0.5j
_SX: Matrix = np.array([[_P, _M], [_M, _P]], dtype=np.complex128)
_ZZ: Matrix = np.diag([1, -1, -1, 1]).astype(np.complex128)


@lru_cache(maxsize=1)
def _euler() -> OneQubitEulerDecomposer:
    return OneQubitEulerDecomposer("ZSXX")


def _rz(angle: float) -> Matrix:
    half = angle / 2
    return np.diag(
        [complex(math.cos(half), -math.sin(half)), complex(math.cos(half), math.sin(half))]
    )


def _ry(angle: float) -> Matrix:
    cos, sin = math.cos(angle / 2), math.sin(angle / 2)
    return np.array([[cos, -sin], [sin, cos]], dtype=np.complex128)


class GateList:
    """A circuit under construction: single-qubit gates are gathered until a CZ needs them."""

    def __init__(self, qubits: int) -> None:
        self._circuit = QuantumCircuit(qubits)
        self._pending: dict[int, Matrix] = {}

    def one(self, matrix: Matrix, qubit: int) -> None:
        """Apply a 2x2 unitary."""
        before = self._pending.get(qubit)
        self._pending[qubit] = matrix if before is None else matrix @ before

    def h(self, qubit: int) -> None:
        """Apply a Hadamard gate."""
        self.one(_H, qubit)

    def x(self, qubit: int) -> None:
        """Apply a NOT."""
        self.one(_X, qubit)

    def ry(self, angle: float, qubit: int) -> None:
        """Apply exp(-i angle/2 Y)."""
        self.one(_ry(angle), qubit)

    def rz(self, angle: float, qubit: int) -> None:
        """Apply exp(-i angle/2 Z)."""
        self.one(_rz(angle), qubit)

    def phase(self, angle: float) -> None:
        """Multiply by exp(i angle)."""
        self._circuit.global_phase += angle

    def cz(self, a: int, b: int) -> None:
        """Apply a CZ."""
        self._flush(a)
        self._flush(b)
        self._circuit.cz(a, b)

    def cx(self, control: int, target: int) -> None:
        """Apply a CNOT."""
        self.h(target)
        self.cz(control, target)
        self.h(target)

    def add(self, circuit: QuantumCircuit, qubits: list[int]) -> None:
        """Append a circuit of single-qubit gates, cz and cx."""
        self.phase(float(circuit.global_phase))
        for instruction in circuit.data:
            where = [qubits[circuit.find_bit(bit).index] for bit in instruction.qubits]
            name = instruction.operation.name
            if name == "cz":
                self.cz(*where)
            elif name == "cx":
                self.cx(*where)
            elif len(where) == 1:
                self.one(np.asarray(instruction.operation.to_matrix()), where[0])
            else:  # pragma: no cover - the callers hand over nothing else
                raise AssertionError(name)

    def _flush(self, qubit: int) -> None:
        matrix = self._pending.pop(qubit, None)
        if matrix is not None:
            self._circuit.compose(_euler()(matrix), [qubit], inplace=True)

    def finish(self) -> QuantumCircuit:
        """Return the circuit."""
        for qubit in sorted(self._pending):
            self._flush(qubit)
        return self._circuit


def _two_qubits(
    gates: GateList, matrix: Matrix, qubits: list[int], smallest: float = _ZERO
) -> None:
    """Apply a 4x4 unitary with as few CZ as it needs, at most three.

    U = e^{iφ} (K₁⊗K₁') exp(i(a XX + b YY + c ZZ)) (K₂⊗K₂'), π/4 ≥ a ≥ b ≥ |c|. Not by the
    library's own two-qubit synthesis, which replaces what is within 1e-9 (in fidelity) of a special
    case by the special case: 3e-5 in the amplitudes, too much for a comparison with exact states.
    """
    # the decomposition wants a unitary to better than 1e-13
    left, _, right = np.linalg.svd(matrix)
    weyl = TwoQubitWeylDecomposition(left @ right, fidelity=None)
    low, high = qubits
    gates.phase(float(weyl.global_phase))
    gates.one(weyl.K2r, low)
    gates.one(weyl.K2l, high)
    a, b, c = float(weyl.a), float(weyl.b), float(weyl.c)
    if abs(c) > smallest:
        _three_axes(gates, a, b, c, low, high)
    elif b > _ZERO or _ZERO < a < math.pi / 4 - _ZERO:
        _two_axes(gates, a, b, low, high)
    elif a > _ZERO:
        # exp(iπ/4 ZZ) is CZ but for a quarter turn on each qubit
        gates.phase(-math.pi / 4)
        for qubit in qubits:
            gates.h(qubit)
        gates.cz(low, high)
        for qubit in qubits:
            gates.rz(-math.pi / 2, qubit)
            gates.h(qubit)
    gates.one(weyl.K1r, low)
    gates.one(weyl.K1l, high)


def _two_axes(gates: GateList, a: float, b: float, low: int, high: int) -> None:
    """Apply exp(i(a XX + b YY)): CX (RX(-2a) ⊗ RZ(-2b)) CX is exp(i(a XX + b ZZ))."""
    for qubit in (low, high):
        gates.one(_SX.conj().T, qubit)
    gates.cx(high, low)
    gates.h(high)
    gates.rz(-2 * a, high)
    gates.h(high)
    gates.rz(-2 * b, low)
    gates.cx(high, low)
    for qubit in (low, high):
        gates.one(_SX, qubit)


def _three_axes(gates: GateList, a: float, b: float, c: float, low: int, high: int) -> None:
    """Apply exp(i(a XX + b YY + c ZZ)): Vatan and Williams, Fig. 6."""
    gates.phase(math.pi / 4)
    gates.rz(math.pi / 2, low)
    gates.cx(low, high)
    gates.rz(math.pi / 2 - 2 * c, high)
    gates.ry(math.pi / 2 - 2 * a, low)
    gates.cx(high, low)
    gates.ry(2 * b - math.pi / 2, low)
    gates.cx(low, high)
    gates.rz(-math.pi / 2, high)


def _two_qubits_after_diagonal(gates: GateList, matrix: Matrix, qubits: list[int]) -> float:
    """Apply C with two CZ where matrix = C exp(iψ ZZ), and return ψ.

    For M in SU(4) two CZ are enough if and only if tr(M YY Mᵀ YY) is real. With
    M = U exp(-iψ ZZ) this trace is cos 2ψ tr(U YY Uᵀ YY) - i sin 2ψ tr(U ZZ YY Uᵀ YY).
    """
    special = matrix / np.linalg.det(matrix) ** 0.25
    plain = np.trace(special @ _YY @ special.T @ _YY)
    signed = np.trace(special @ _ZZ @ _YY @ special.T @ _YY)
    psi = 0.5 * math.atan2(plain.imag, signed.real)
    rest = matrix @ np.diag(np.exp(-1j * psi * np.diag(_ZZ)))
    # c = 0 but for rounding, which shows as its square root where b is 0 as well
    _two_qubits(gates, rest, qubits, smallest=3e-8)
    return psi


def _isometry_from_first(gates: GateList, columns: Matrix, first: int, second: int) -> None:
    """Map |b⟩ of ``first``, with ``second`` in |0⟩, to columns[:, b]; two CZ.

    Rows are indexed by 2·(bit of second) + (bit of first).
    """
    basis = np.zeros((4, 4), dtype=np.complex128)
    basis[:, :2] = columns
    # any completion will do, since |1⟩ of the second qubit does not occur
    basis[:, 2:] = np.linalg.svd(columns)[0][:, 2:]
    # the diagonal acts first: on |0⟩ of the second qubit ZZ is Z of the first
    part = GateList(2)
    psi = _two_qubits_after_diagonal(part, basis, [0, 1])
    gates.rz(-2 * psi, first)
    gates.add(part.finish(), [first, second])


def prepare_state(amplitudes: npt.ArrayLike) -> QuantumCircuit:
    """Return a circuit that takes |0…0⟩ to ``amplitudes``, global phase included.

    Up to four qubits the CZ lie on the line 0-1-2-3 and number 0, 1, 3, 10.

    Args:
        amplitudes: normalised, shape (2^q,), q ≥ 1.
    """
    target = np.asarray(amplitudes, dtype=np.complex128)
    target = target / np.linalg.norm(target)
    qubits = target.size.bit_length() - 1
    gates = GateList(qubits)
    if qubits == 1:
        a, b = target
        gates.one(np.array([[a, -b.conjugate()], [b, a.conjugate()]]), 0)
        return gates.finish()
    if qubits > 4:
        circuit = QuantumCircuit(qubits)
        circuit.append(StatePreparation(Statevector(target)), range(qubits))
        return transpile(circuit, basis_gates=list(BASIS), optimization_level=1)
    low = qubits // 2  # qubits below the middle bond: 1, 1, 2
    # rows: upper qubits, columns: lower qubits
    upper, weights, lower = np.linalg.svd(
        target.reshape(1 << (qubits - low), 1 << low), full_matrices=True
    )
    if qubits == 4:
        _prepare_four(gates, upper, weights, lower.T)
        return gates.finish()
    # Σ_k w_k |k⟩|k⟩ on the two qubits of the bond, then a basis change on either side
    gates.ry(2 * math.atan2(weights[1], weights[0]), 0)
    gates.cx(0, 1)
    gates.one(lower.T, 0)
    if qubits == 2:
        gates.one(upper, 1)
    else:
        _isometry_from_first(gates, upper[:, :2], 1, 2)
    return gates.finish()


def _prepare_four(gates: GateList, upper: Matrix, weights: Matrix, lower: Matrix) -> None:
    """Prepare Σ_k w_k |upper_k⟩|lower_k⟩ on the line 0-1 | 2-3."""
    w = weights.real.reshape(2, 2)  # w[a, b], k = 2a + b
    coarse = np.linalg.norm(w, axis=1)
    fine = [2 * math.atan2(row[1], row[0]) for row in w]
    # the coarse bit a on both sides of the bond ...
    gates.ry(2 * math.atan2(coarse[1], coarse[0]), 1)
    gates.cx(1, 2)
    # ... moves out to qubit 0, and leaves the fine bit b, turned by an angle that depends on a,
    # on qubit 1; rows of the isometry: 2·(qubit 0) + (qubit 1)
    columns = np.zeros((4, 2), dtype=np.complex128)
    for a in (0, 1):
        columns[2 * a : 2 * a + 2, a] = _ry(fine[a])[:, 0]
    _isometry_from_first(gates, columns, 1, 0)
    # upper side: qubits 2, 3 hold a, a; then b joins: qubit 2 holds a ^ b, qubit 3 holds a
    gates.cx(2, 3)
    gates.cx(1, 2)
    # qubit 0 holds a, qubit 1 holds b, so ZZ of the lower side is Z of qubit 2
    basis = np.zeros((4, 4), dtype=np.complex128)
    for a in (0, 1):
        for b in (0, 1):
            basis[:, a + 2 * b] = lower[:, 2 * a + b]
    psi = _two_qubits_after_diagonal(gates, basis, [0, 1])
    gates.rz(-2 * psi, 2)
    for a in (0, 1):
        for b in (0, 1):
            basis[:, (a ^ b) + 2 * a] = upper[:, 2 * a + b]
    _two_qubits(gates, basis, [2, 3])


def synthesise_unitary(matrix: npt.ArrayLike) -> QuantumCircuit:
    """Return a circuit of a unitary of shape (2^q, 2^q), global phase included.

    On two qubits at most three CZ. On more, a quantum Shannon decomposition between any pairs of
    qubits (V. V. Shende, S. S. Bullock, I. L. Markov, IEEE Trans. CAD 25, 1000 (2006), with both
    optimisations of its appendix): 20 and 100 CZ on 3 and 4 qubits. A unitary that commutes
    with X of the top qubit is turned block-diagonal first, which takes 9 and 47.
    """
    unitary = np.asarray(matrix, dtype=np.complex128)
    qubits = unitary.shape[0].bit_length() - 1
    gates = GateList(qubits)
    if qubits == 1:
        gates.one(unitary, 0)
    elif qubits == 2:
        _two_qubits(gates, unitary, [0, 1])
    else:
        half = unitary.shape[0] // 2
        same, other = unitary[:half, :half], unitary[:half, half:]
        mirrored = np.block([[same, other], [other, same]])
        if np.abs(mirrored - unitary).max() < 1e-12:
            gates.h(qubits - 1)
            _append_factors(gates, _multiplexer(same + other, same - other))
            gates.h(qubits - 1)
        else:
            _append_factors(gates, _shannon(unitary))
    return gates.finish()


class _Leaf(NamedTuple):
    """A unitary on qubits 0 and 1."""

    matrix: Matrix


class _Turns(NamedTuple):
    """RY or RZ on ``target``, by an angle that the qubits below it select.

    ``open_ended``: without its last CZ, which is a factor of the next block.
    """

    axis: str
    target: int
    angles: npt.NDArray[np.float64]
    open_ended: bool


def _shannon(unitary: Matrix) -> list[_Leaf | _Turns]:
    """Factors of a unitary in the order in which they act, by its cosine-sine decomposition."""
    if unitary.shape[0] == 4:
        return [_Leaf(unitary)]
    half = unitary.shape[0] // 2
    (left, left_one), angles, (right, right_one) = cossin(unitary, p=half, q=half, separate=True)
    top = half.bit_length() - 1
    # the last CZ of the turns: Z of the highest control where the top qubit is 1
    sign = 1.0 - 2.0 * (np.arange(half) >> (top - 1) & 1)
    return [
        *_multiplexer(right, right_one),
        _Turns("y", top, 2 * angles, True),
        *_multiplexer(left, left_one * sign),
    ]


def _multiplexer(zero: Matrix, one: Matrix) -> list[_Leaf | _Turns]:
    """Factors of zero ⊕ one = (V ⊕ V)(D ⊕ D†)(W ⊕ W), blocks by the top qubit."""
    squared, vectors = schur(zero @ one.conj().T, output="complex")
    halves = np.angle(np.diag(squared)) / 2
    before = np.exp(1j * halves)[:, None] * (vectors.conj().T @ one)
    top = zero.shape[0].bit_length() - 1
    return [*_shannon(before), _Turns("z", top, -2 * halves, False), *_shannon(vectors)]


def _append_factors(gates: GateList, factors: list[_Leaf | _Turns]) -> None:
    # from the last to the second, a two-qubit unitary is C exp(iψ ZZ) with two CZ in C; the
    # diagonal passes the turns, which qubits 0 and 1 only control, to the leaf before
    leaves = [k for k, factor in enumerate(factors) if isinstance(factor, _Leaf)]
    diagonal: Matrix = np.ones(4, dtype=np.complex128)
    parts: dict[int, QuantumCircuit] = {}
    for k in reversed(leaves):
        factor = factors[k]
        assert isinstance(factor, _Leaf)
        matrix = diagonal[:, None] * factor.matrix
        part = GateList(2)
        if k == leaves[0]:
            _two_qubits(part, matrix, [0, 1])
        else:
            psi = _two_qubits_after_diagonal(part, matrix, [0, 1])
            diagonal = np.exp(1j * psi * np.diag(_ZZ))
        parts[k] = part.finish()
    for k, factor in enumerate(factors):
        if isinstance(factor, _Leaf):
            gates.add(parts[k], [0, 1])
        else:
            _append_turns(gates, factor)


def _append_turns(gates: GateList, turns: _Turns) -> None:
    """A walk through the subsets of the controls by Gray code, one CZ or CX a step.

    Each turns round the sign of the rotations before it where its control is 1.
    """
    controls = turns.target
    indices = np.arange(1 << controls)
    signs = 1.0 - 2.0 * (np.bitwise_count(indices[:, None] & indices[None, :]) & 1)
    amounts = signs @ turns.angles / (1 << controls)
    subset = 0
    for step in range(1 << controls):
        if turns.axis == "y":
            gates.ry(float(amounts[subset]), turns.target)
        else:
            gates.rz(float(amounts[subset]), turns.target)
        after = step + 1
        control = min((after & -after).bit_length(), controls) - 1
        subset ^= 1 << control
        if after == 1 << controls and turns.open_ended:
            break
        if turns.axis == "y":
            gates.cz(control, turns.target)
        else:
            gates.cx(control, turns.target)
