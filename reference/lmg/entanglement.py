"""Entanglement and other figures of symmetric states, from their Dicke amplitudes.

States are given as amplitudes c_n of the Dicke states |n⟩, n = 0…N, in the last axis: shape (N+1,)
for one state, (time, N+1) for a trajectory. A figure comes out for each state: one number, or an
array of shape (time,).

A block of L of the N neurons sees the Schmidt matrix

    M_kl = c_{k+l} sqrt(C(L,k) C(N−L,l) / C(N,k+l)),      k = 0…L,  l = 0…N−L,

whose squared singular values are the eigenvalues of the block's reduced state.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .hamiltonian import ComplexArray, FloatArray, ModelError, whole


def fidelity(states: ArrayLike) -> FloatArray:
    """|⟨ψ(0)|ψ(t)⟩|², the overlap of each state with the first one, shape (time,).

    Raises:
        ModelError: not shape (time, N+1), or not normalised.
    """
    amplitudes = _states(states)
    if amplitudes.ndim != 2:
        raise ModelError(f"states: wanted shape (time, N+1), got {amplitudes.shape}")
    overlap = amplitudes @ amplitudes[0].conj()
    return np.asarray(np.abs(overlap) ** 2)


def block_entropy(state: ArrayLike, block: int, base: float = 2) -> float | FloatArray:
    """Von Neumann entropy of `block` of the N neurons, −Tr ρ_L log ρ_L.

    It measures their entanglement with the rest: 0 for a product state, at most
    log(min(L, N−L) + 1). This is the entropy of the block's whole reduced state;
    `diagonal_entropy` is that of its diagonal alone (the paper's Eq. 7).

    Args:
        state: amplitudes, shape (N+1,) or (time, N+1).
        block: L, from 0 to N.
        base: of the logarithm; 2 gives bits.

    Raises:
        ModelError: a block outside 0…N, a base not above 1, a state that is not normalised.
    """
    probabilities = _block_spectrum(_states(state), block)
    return _out(_entropy(probabilities, base))


def diagonal_entropy(state: ArrayLike, block: int, base: float = 2) -> float | FloatArray:
    """Shannon entropy of a block's excitation number: Eq. 7 of Torres and Romera.

        p_k = Σ_n |c_n|² C(L,k) C(N−L,n−k) / C(N,n),      S = −Σ_k p_k log p_k

    (arXiv:2602.16003). The paper calls it the von Neumann entropy of the block, taking the reduced
    state to be diagonal in the Dicke basis. That holds for a single Dicke state; else it is only
    an upper bound of `block_entropy`, which is the entropy the paper's figure 6 shows.

    Args and errors are those of `block_entropy`.
    """
    amplitudes = _states(state)
    weights = _weights(amplitudes.shape[-1] - 1, _block(block, amplitudes))
    matrices = _schmidt(amplitudes, weights)
    return _out(_entropy(np.sum(np.abs(matrices) ** 2, axis=-1), base))


def linear_entropy(state: ArrayLike, block: int) -> float | FloatArray:
    """1 − Tr ρ_L², the impurity of `block` of the N neurons: 0 for a product state.

    Args and errors are those of `block_entropy`.
    """
    probabilities = _block_spectrum(_states(state), block)
    return _out(1 - np.sum(probabilities**2, axis=-1))


def squeezing_parameter(state: ArrayLike) -> float | FloatArray:
    """ξ² = (4/N) min Var(J_⊥) over the directions at right angles to the mean spin ⟨J⟩.

    Below 1 the state is squeezed (Kitagawa and Ueda, Phys. Rev. A 47, 5138 (1993)); a product of
    equal spins has 1. Where ⟨J_x⟩ = ⟨J_y⟩ = 0, as in every state of one parity, the mean spin is
    taken along z also where it vanishes.

    Raises:
        ModelError: a state that is not normalised, or N = 0.
    """
    amplitudes = _states(state)
    neurons = amplitudes.shape[-1] - 1
    means, second = _spin_moments(amplitudes)
    flat = np.hypot(means[..., 0], means[..., 1]) < 1e-12 * neurons
    means = np.where(flat[..., None], np.array([0.0, 0.0, 1.0]), means)
    direction = means / np.linalg.norm(means, axis=-1, keepdims=True)
    # The covariance in the plane across the mean spin; along it the projected matrix has a zero,
    # which is moved out of the way.
    across = np.eye(3) - direction[..., :, None] * direction[..., None, :]
    covariance = across @ second @ across
    covariance += neurons**2 * direction[..., :, None] * direction[..., None, :]
    return _out(4 / neurons * np.linalg.eigvalsh(covariance)[..., 0])


def _spin_moments(amplitudes: ComplexArray) -> tuple[FloatArray, FloatArray]:
    """⟨J_a⟩, shape (…, 3), and the symmetrised ⟨J_a J_b⟩, shape (…, 3, 3)."""
    neurons = amplitudes.shape[-1] - 1
    n = np.arange(neurons + 1.0)
    raising = np.sqrt((n[:-1] + 1) * (neurons - n[:-1]))
    m = n - neurons / 2
    weight = amplitudes.real**2 + amplitudes.imag**2
    # ⟨J_+⟩ = Σ_n c*_{n+1} c_n ⟨n+1|J_+|n⟩, and so on.
    one = amplitudes[..., 1:].conj() * amplitudes[..., :-1]
    up = one @ raising
    up_z = one @ (raising * (m[1:] + m[:-1]) / 2)
    two = amplitudes[..., 2:].conj() * amplitudes[..., :-2]
    up_up = two @ (raising[1:] * raising[:-1])
    zz = weight @ m**2
    planar = weight @ (neurons / 2 * (neurons / 2 + 1) - m**2)
    means = np.stack([up.real, up.imag, weight @ m], axis=-1)
    xx, yy, xy = (planar + up_up.real) / 2, (planar - up_up.real) / 2, up_up.imag / 2
    rows = [[xx, xy, up_z.real], [xy, yy, up_z.imag], [up_z.real, up_z.imag, zz]]
    second = np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
    return means, second


def _states(states: ArrayLike) -> ComplexArray:
    amplitudes = np.asarray(states, dtype=np.complex128)
    if amplitudes.ndim not in (1, 2) or amplitudes.shape[-1] < 2:
        raise ModelError(f"state: wanted shape (N+1,) or (time, N+1), got {amplitudes.shape}")
    norms = np.linalg.norm(amplitudes, axis=-1)
    if not np.all(np.abs(norms - 1) < 1e-6):
        worst = norms.ravel()[np.argmax(~(np.abs(norms - 1) < 1e-6))]
        raise ModelError(f"state: wanted norm 1, got {worst}")
    return amplitudes


def _block(block: int, amplitudes: ComplexArray) -> int:
    neurons = amplitudes.shape[-1] - 1
    size = whole("block", block, 0)
    if size > neurons:
        raise ModelError(f"block: wanted an integer from 0 to {neurons}, got {size}")
    return size


@lru_cache(maxsize=4)
def _weights(neurons: int, block: int) -> FloatArray:
    """sqrt(C(L,k) C(N−L,l) / C(N,k+l)), shape (L+1, N−L+1)."""
    # Extended precision where the machine has it: the logarithms reach N log N.
    logs = np.log(np.arange(1, neurons + 1, dtype=np.longdouble))
    factorial = np.concatenate(([np.longdouble(0)], np.cumsum(logs)))

    def choose(n: int) -> NDArray[np.longdouble]:
        return np.asarray(factorial[n] - factorial[: n + 1] - factorial[: n + 1][::-1])

    k, rest = np.arange(block + 1), np.arange(neurons - block + 1)
    exponent = choose(block)[:, None] + choose(neurons - block)[None, :]
    exponent = exponent - choose(neurons)[k[:, None] + rest[None, :]]
    weights = np.exp(exponent / 2).astype(np.float64)
    weights.flags.writeable = False
    return weights


def _schmidt(amplitudes: ComplexArray, weights: FloatArray) -> ComplexArray:
    k, rest = np.arange(weights.shape[0]), np.arange(weights.shape[1])
    return np.asarray(amplitudes[..., k[:, None] + rest[None, :]] * weights)


def _block_spectrum(amplitudes: ComplexArray, block: int) -> FloatArray:
    """Eigenvalues of the block's reduced state, shape (…, min(L, N−L) + 1)."""
    weights = _weights(amplitudes.shape[-1] - 1, _block(block, amplitudes))
    if amplitudes.ndim == 1:
        return np.asarray(np.linalg.svd(_schmidt(amplitudes, weights), compute_uv=False) ** 2)
    # State by state: all Schmidt matrices of a long trajectory at once would fill the memory.
    return np.stack(
        [np.linalg.svd(_schmidt(row, weights), compute_uv=False) ** 2 for row in amplitudes]
    )


def _entropy(probabilities: FloatArray, base: float) -> FloatArray:
    if not (math.isfinite(base) and base > 1):
        raise ModelError(f"base: wanted a number > 1, got {base}")
    safe = np.where(probabilities > 0, probabilities, 1.0)
    return np.asarray(-np.sum(safe * np.log(safe), axis=-1) / math.log(base)) + 0.0


def _out(values: FloatArray) -> float | FloatArray:
    return float(values) if np.ndim(values) == 0 else np.asarray(values)
