"""The Lipkin-Meshkov-Glick Hamiltonian on the Dicke states, split by parity.

    H = −(g/N)[(1+γ)J_x² + (1−γ)J_y²] − h J_z,        ħ = 1

acts on the N+1 Dicke states |n⟩, n = 0…N excitations, with J_z = n − N/2 (an excitation is an
active neuron). With J_x² + J_y² = J(J+1) − J_z² and J_x² − J_y² = (J_+² + J_−²)/2,

    ⟨n|(1+γ)J_x² + (1−γ)J_y²|n⟩   = n(N−n) + N/2
    ⟨n+2|(1+γ)J_x² + (1−γ)J_y²|n⟩ = (γ/2) sqrt((n+1)(N−n)(n+2)(N−n−1))

so the parity (−1)^n is conserved and H is a symmetric tridiagonal matrix in each parity sector
(Torres and Romera, arXiv:2602.16003, Eq. 2).
"""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh_tridiagonal

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
IntArray = NDArray[np.int64]


class ModelError(ValueError):
    """A model, an initial state or a request about them that makes no sense."""


def finite(name: str, value: object) -> float:
    """The value as a float; `ModelError` if it is no finite real number."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise ModelError(f"{name}: wanted a finite number, got {value!r}")
    number = float(value)
    if not math.isfinite(number):
        raise ModelError(f"{name}: wanted a finite number, got {number}")
    return number


def unit_interval(name: str, value: object) -> float:
    """The value as a float in [0, 1]; `ModelError` otherwise."""
    number = finite(name, value)
    if not 0.0 <= number <= 1.0:
        raise ModelError(f"{name}: wanted a number from 0 to 1, got {number}")
    return number


def whole(name: str, value: object, least: int) -> int:
    """The value as an int of at least `least`; `ModelError` otherwise."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
        raise ModelError(f"{name}: wanted an integer >= {least}, got {value!r}")
    return int(value)


@dataclass(frozen=True)
class LMG:
    """H(t) = −(g0 r(t)/N)[(1+γ)J_x² + (1−γ)J_y²] − h J_z.

    Args:
        neurons: N >= 1.
        gamma: the anisotropy γ, any finite number (γ = 1 is one-axis twisting about x).
        g0: the coupling at r = 1, in inverse time units.
        field: h, in inverse time units.

    Raises:
        ModelError: N below 1, or a parameter that is not finite.
    """

    neurons: int
    gamma: float
    g0: float
    field: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what is no model, and turn the numbers into plain Python ones."""
        object.__setattr__(self, "neurons", whole("neurons", self.neurons, 1))
        for name in ("gamma", "g0", "field"):
            object.__setattr__(self, name, finite(name, getattr(self, name)))


def initial_excitations(neurons: int, initial: str | int) -> int:
    """The number of excitations of a named initial Dicke state.

    `silent` is 0, `half` is N//2 − 1 (just below half of the neurons), `saturated` is N; an
    integer from 0 to N, also as a string, stands for itself.

    Raises:
        ModelError: an unknown name, or a number outside 0…N.
    """
    neurons = whole("neurons", neurons, 1)
    named = {"silent": 0, "half": neurons // 2 - 1, "saturated": neurons}
    wanted = f"initial: wanted silent, half, saturated or an integer from 0 to {neurons}"
    if isinstance(initial, str):
        text = initial.strip()
        if text not in named and not (text.isascii() and text.isdigit()):
            raise ModelError(f"{wanted}, got {initial!r}")
        excitations = named[text] if text in named else int(text)
    elif isinstance(initial, numbers.Integral) and not isinstance(initial, bool):
        excitations = int(initial)
    else:
        raise ModelError(f"{wanted}, got {initial!r}")
    if not 0 <= excitations <= neurons:
        raise ModelError(f"{wanted}, got {initial!r} ({excitations} excitations)")
    return excitations


def sector_excitations(neurons: int, parity: int) -> IntArray:
    """The excitation numbers of one parity sector, in steps of two: parity, parity+2, … <= N."""
    return np.arange(parity, neurons + 1, 2, dtype=np.int64)


def coupling_band(neurons: int, gamma: float, parity: int) -> tuple[FloatArray, FloatArray]:
    """−(1/N)[(1+γ)J_x² + (1−γ)J_y²] in a parity sector of M states.

    Returns the diagonal, shape (M,), and the off-diagonal, shape (M−1,).
    """
    n = sector_excitations(neurons, parity).astype(np.float64)
    # Products of square roots, not the root of a product: N⁴ leaves the range where doubles
    # hold integers exactly, and N = 10⁶ is wanted.
    raise_once = np.sqrt((n[:-1] + 1) * (neurons - n[:-1]))
    raise_twice = np.sqrt((n[:-1] + 2) * (neurons - n[:-1] - 1))
    diagonal: FloatArray = -(n * (neurons - n) + neurons / 2) / neurons
    off_diagonal: FloatArray = (-gamma / (2 * neurons)) * raise_once * raise_twice
    return diagonal, off_diagonal


def field_diagonal(neurons: int, parity: int) -> FloatArray:
    """J_z = n − N/2 in a parity sector, shape (M,)."""
    return np.asarray(sector_excitations(neurons, parity) - neurons / 2, dtype=np.float64)


def coupling_basis(neurons: int, gamma: float, parity: int) -> tuple[FloatArray, FloatArray]:
    """Eigenvalues, shape (M,), and eigenvectors in columns, shape (M, M), of `coupling_band`.

    They come in no order. The arrays are read-only: small ones are kept and shared.
    """
    keep = (neurons - parity) // 2 < _KEPT_SIZE
    return (_kept_basis if keep else _fresh_basis)(neurons, gamma, parity)


def _fresh_basis(neurons: int, gamma: float, parity: int) -> tuple[FloatArray, FloatArray]:
    if neurons % 2 == 1:
        values, vectors = tridiagonal_eigen(*coupling_band(neurons, gamma, parity))
    else:
        even, odd = coupling_halves(neurons, gamma, parity)
        values = np.concatenate((even[0], odd[0]))
        size, half = len(values), len(even[0])
        vectors = np.empty((size, size), order="F")
        vectors[:half, :half] = even[1]
        vectors[: size - half, half:] = odd[1]
        vectors[size - half : half, half:] = 0.0
        # Below the middle the same, mirrored, with the sign of the half.
        vectors[half:, :half] = vectors[: size - half, :half][::-1]
        vectors[half:, half:] = -vectors[: size - half, half:][::-1]
    values.flags.writeable = False
    vectors.flags.writeable = False
    return values, vectors


def coupling_halves(
    neurons: int, gamma: float, parity: int
) -> tuple[tuple[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]:
    """Eigenvalues and eigenvectors even and odd under n → N − n, for an even number of neurons.

    Without a field H does not change when all neurons are flipped. With N even that maps a parity
    sector onto itself, which halves the problem: of each eigenvector, in columns, only the
    amplitudes of the first half of the sector are returned. The middle one, which a sector of odd
    size has, comes with the even half. The two halves' eigenvectors are normalised with their
    mirror images.
    """
    diagonal, off_diagonal = coupling_band(neurons, gamma, parity)
    middle, centred = divmod(len(diagonal), 2)
    even_diagonal = diagonal[: middle + centred].copy()
    even_off = off_diagonal[: middle + centred - 1].copy()
    odd_diagonal = diagonal[:middle].copy()
    if centred:
        even_off[-1:] *= math.sqrt(2)
    else:
        even_diagonal[-1] += off_diagonal[middle - 1]
        odd_diagonal[-1] -= off_diagonal[middle - 1]
    even = tridiagonal_eigen(even_diagonal, even_off)
    even[1][:middle] *= math.sqrt(0.5)
    if middle == 0:
        return even, (np.empty(0), np.empty((0, 0)))
    odd = tridiagonal_eigen(odd_diagonal, off_diagonal[: middle - 1])
    odd[1][:] *= math.sqrt(0.5)
    return even, odd


_KEPT_SIZE = 600  # 3 MB of eigenvectors
_kept_basis = lru_cache(maxsize=16)(_fresh_basis)


def tridiagonal_eigen(
    diagonal: FloatArray, off_diagonal: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """All eigenvalues and eigenvectors of a symmetric tridiagonal matrix.

    Divide and conquer keeps the eigenvectors orthogonal to a few 1e-15, where the faster-sounding
    `stemr` is two orders worse and, at these sizes, slower.
    """
    if len(diagonal) == 1:
        return diagonal.copy(), np.ones((1, 1))
    values, vectors = eigh_tridiagonal(diagonal, off_diagonal, lapack_driver="stevd")
    return values, vectors


def spectral_width(model: LMG, initial: str | int) -> float:
    """The largest eigenvalue difference of H(r=1, h=0) in the initial state's parity sector.

    It bounds every frequency of E(s), so a grid in s has to be finer than π over it.

    Raises:
        ModelError: an initial state that is none.
    """
    parity = initial_excitations(model.neurons, initial) % 2
    lowest, highest = extreme_eigenvalues(*coupling_band(model.neurons, model.gamma, parity))
    return abs(model.g0) * (highest - lowest)


def orbit_frequencies(model: LMG, initial: str | int) -> FloatArray:
    """Every frequency that E(s) can have, rising from 0: |E_i − E_j| of H(r=1, h=0).

    The eigenvalues are those of the initial state's parity sector; frequencies closer than 1e-9 of
    the spectral width are one.

    Raises:
        ModelError: an initial state that is none.
    """
    parity = initial_excitations(model.neurons, initial) % 2
    values = (
        abs(model.g0) * tridiagonal_eigen(*coupling_band(model.neurons, model.gamma, parity))[0]
    )
    found = np.sort(np.abs(np.subtract.outer(values, values)).ravel())
    apart = np.diff(found, prepend=-1.0) > 1e-9 * max(float(found[-1]), 1e-300)
    return np.asarray(found[apart], dtype=np.float64)


def extreme_eigenvalues(diagonal: FloatArray, off_diagonal: FloatArray) -> tuple[float, float]:
    """The smallest and the largest eigenvalue of a symmetric tridiagonal matrix."""
    if len(diagonal) == 1:
        return float(diagonal[0]), float(diagonal[0])
    lowest, highest = (
        eigh_tridiagonal(
            diagonal,
            off_diagonal,
            eigvals_only=True,
            select="i",
            select_range=(index, index),
            lapack_driver="stebz",
        )[0]
        for index in (0, len(diagonal) - 1)
    )
    return float(lowest), float(highest)
