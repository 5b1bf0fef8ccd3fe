"""Matrix-product states: the exact form of a Dicke superposition, overlaps, excitation numbers.

A matrix-product state of n qubits is here a list of n arrays (left, 2, right), qubit 0 first, with
left = 1 at qubit 0 and right = 1 at qubit n−1:

    ⟨x_{n−1}…x_0|ψ⟩ = A⁰[:, x_0, :] A¹[:, x_1, :] … A^{n−1}[:, x_{n−1}, :]

A superposition Σ_k c_k|D_k⟩ of Dicke states has Schmidt rank at most min(L, n−L)+1 across a cut of
L qubits, so bond dimension n/2 + 1 is exact for it however large n is.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qiskit import QuantumCircuit

from ..errors import BackendError

__all__ = [
    "MPS",
    "UNBOUNDED_MB",
    "dicke_mps",
    "excitation_populations",
    "from_circuit",
    "overlap",
    "to_dense",
]

# Aer refuses a circuit whose bonds could become too wide, by its gates alone; those of states that
# are superpositions of Dicke states never do.
UNBOUNDED_MB = 2**24

Tensor = NDArray[np.complex128]
MPS = Sequence[Tensor]


def dicke_mps(amplitudes: ArrayLike) -> list[Tensor]:
    """Matrix-product state of Σ_k c_k|D_k⟩, from amplitudes (n+1,) by excitation number.

    The bond left of qubit j counts the excitations among qubits 0…j−1:
    A^j[k, b, k+b] = sqrt(C(j,k)/C(j+1,k+b)), which is isometric, and the last tensor carries c.

    Raises:
        BackendError: for amplitudes that are no finite vector of at least two entries.
    """
    c = np.asarray(amplitudes, dtype=np.complex128)
    if c.ndim != 1 or c.size < 2 or not np.all(np.isfinite(c)):
        raise BackendError(f"amplitudes: wanted finite numbers of shape (n+1,), got {c.shape}")
    qubits = c.size - 1
    tensors: list[Tensor] = []
    for j in range(qubits):
        tensor = np.zeros((j + 1, 2, j + 2), dtype=np.complex128)
        for k in range(j + 1):
            for b in (0, 1):
                tensor[k, b, k + b] = sqrt(comb(j, k) / comb(j + 1, k + b))
        tensors.append(tensor)
    tensors[-1] = np.einsum("abc,c->ab", tensors[-1], c)[:, :, None]
    return tensors


def from_circuit(circuit: QuantumCircuit) -> list[Tensor]:
    """The state that Aer's matrix-product simulator makes of a circuit without measurements.

    Raises:
        BackendError: if Aer reports a failure, with its words.
    """
    from qiskit_aer import AerSimulator
    from qiskit_aer.library import SaveMatrixProductState

    job = circuit.copy()
    job.append(SaveMatrixProductState(job.num_qubits, label="mps"), job.qubits)
    simulator = AerSimulator(method="matrix_product_state", max_memory_mb=UNBOUNDED_MB)
    result = simulator.run(job, shots=1).result()
    if not result.success:
        raise BackendError(f"circuit {circuit.name}: Aer cannot simulate it: {result.status}")
    gammas, lambdas = result.data(0)["mps"]
    tensors = [np.stack([np.asarray(zero), np.asarray(one)], axis=1) for zero, one in gammas]
    for index, weights in enumerate(lambdas):
        tensors[index] = tensors[index] * np.asarray(weights)[None, None, :]
    return tensors


def overlap(bra: MPS, ket: MPS) -> complex:
    """⟨bra|ket⟩.

    Raises:
        BackendError: if the two have different numbers of qubits.
    """
    if len(bra) != len(ket):
        raise BackendError(f"overlap: wanted {len(bra)} qubits, got {len(ket)}")
    edge = np.ones((1, 1), dtype=np.complex128)
    for left, right in zip(bra, ket, strict=True):
        edge = np.einsum("ab,aic,bid->cd", edge, left.conj(), right, optimize=True)
    return complex(edge[0, 0])


def excitation_populations(state: MPS) -> NDArray[np.float64]:
    """Probability of each number of ones, shape (n+1,)."""
    edges = np.ones((1, 1, 1), dtype=np.complex128)  # (ones so far, bra bond, ket bond)
    for tensor in state:
        zero, one = (
            np.einsum("kab,ac,bd->kcd", edges, tensor[:, b].conj(), tensor[:, b], optimize=True)
            for b in (0, 1)
        )
        edges = np.zeros((len(zero) + 1, *zero.shape[1:]), dtype=np.complex128)
        edges[:-1] += zero
        edges[1:] += one
    return np.asarray(edges[:, 0, 0].real, dtype=np.float64)


def to_dense(state: MPS) -> NDArray[np.complex128]:
    """State vector (2^n,), qubit 0 the lowest bit of the index."""
    vector = np.ones((1, 1), dtype=np.complex128)  # (index so far, bond)
    for tensor in state:
        # the new qubit is the higher bit
        vector = np.einsum("xa,abc->bxc", vector, tensor).reshape(-1, tensor.shape[2])
    return vector[:, 0]
