"""The field-free orbit: every state that a Dicke state can reach when h = 0.

With h = 0 the Hamiltonian is H(t) = r(t) H0, all H(t) commute, and

    |ψ(t)⟩ = exp(−i H0 s(t)) |n⟩,        s(t) = ∫₀ᵗ r dt′,        H0 = H(r=1):

feedback only sets how fast one fixed orbit is run through (the H(t) of Torres and Romera,
arXiv:2602.16003, Eq. 2, with their Eq. 4 for r).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from .hamiltonian import (
    LMG,
    ComplexArray,
    FloatArray,
    ModelError,
    coupling_band,
    initial_excitations,
    sector_excitations,
)
from .orbit_propagation import Propagator

_CHUNK = 2_000_000  # complex numbers in one batch of amplitudes


class Orbit:
    """The states exp(−i H0 s)|n⟩ and what is measured in them.

    Args:
        model: an LMG model with field 0.
        initial: silent, half, saturated or the number of excitations to start from.

    All methods take s, one number or shape (points,), in the time unit of 1/g0 (s = t while
    r ≡ 1), and return the points as their first axis.

    Raises:
        ModelError: a field (there is then no single orbit), or an unknown initial state.
    """

    def __init__(self, model: LMG, initial: str | int) -> None:
        """Check the arguments; nothing is diagonalised before it is needed."""
        if model.field != 0.0:
            raise ModelError(
                f"field: wanted 0 (with a field the H(t) do not commute and there is no single "
                f"orbit), got {model.field}"
            )
        self.model = model
        self.start = initial_excitations(model.neurons, initial)
        self.parity = self.start % 2
        self.excitations = sector_excitations(model.neurons, self.parity)

    @cached_property
    def _propagator(self) -> Propagator:
        return Propagator(self.model, self.start)

    @property
    def closed_form(self) -> bool:
        """Whether E(s) is the closed form of one-axis twisting: |γ| = 1 from silent or saturated.

        The sign of γ is a quarter turn about z, which a Dicke state does not feel.
        """
        return abs(self.model.gamma) == 1.0 and self.start in (0, self.model.neurons)

    def excitation(self, s: ArrayLike) -> FloatArray:
        """E(s) = ⟨n⟩/N = ½ + ⟨J_z⟩/N, shape (points,).

        For |γ| = 1 from silent (upper sign) or saturated this is the closed form of Kitagawa and
        Ueda, Phys. Rev. A 47, 5138 (1993): E = ½[1 ∓ cos^{N−1}(2 g0 s/N)].
        """
        points = _points(s)
        if not self.closed_form:
            return self.expectation(self.excitations / self.model.neurons, points)
        neurons = self.model.neurons
        size, sign = twisting_contrast(neurons, 2 * self.model.g0 / neurons * points)
        return np.asarray(0.5 + (0.5 if self.start else -0.5) * size * sign)

    def slope(self, s: ArrayLike) -> FloatArray:
        """dE/ds = ⟨i[H0, n]⟩/N, shape (points,)."""
        points = _points(s)
        neurons = self.model.neurons
        if self.closed_form:
            rate = 2 * self.model.g0 / neurons
            if neurons == 1:
                return np.zeros(len(points))
            size, sign = twisting_contrast(neurons - 1, rate * points)
            turn = -rate * (neurons - 1) * np.sin(rate * points)
            return np.asarray((0.5 if self.start else -0.5) * turn * size * sign)
        # i[H0, n] hops by two excitations, with 2i times the matrix element of H0.
        hop = self.model.g0 * coupling_band(neurons, self.model.gamma, self.parity)[1]
        out = []
        for states in self._batches(points):
            current = states[:, :-1].conj() * states[:, 1:]
            out.append(4 / neurons * (-(current.imag @ hop)))
        return np.concatenate(out)

    def populations(self, s: ArrayLike) -> FloatArray:
        """Probability of n excitations, shape (points, N+1)."""
        amplitudes = self.amplitudes(s)
        return amplitudes.real**2 + amplitudes.imag**2

    def amplitudes(self, s: ArrayLike) -> ComplexArray:
        """Dicke amplitudes, shape (points, N+1)."""
        points = _points(s)
        states = np.zeros((len(points), self.model.neurons + 1), dtype=np.complex128)
        states[:, self.parity :: 2] = self._propagator(points)
        return states

    def expectation(self, observable: FloatArray | ComplexArray, s: ArrayLike) -> FloatArray:
        """⟨O⟩(s), shape (points,), always from the states.

        O acts in the parity sector: its diagonal, shape (M,), or a Hermitian matrix, shape (M, M),
        over the M excitation numbers in `excitations`.
        """
        out = []
        for states in self._batches(_points(s)):
            if observable.ndim == 1:
                out.append((states.real**2 + states.imag**2) @ observable.real)
            else:
                out.append(np.sum(states.conj() * (states @ observable.T), axis=1).real)
        return np.concatenate(out)

    @property
    def bandwidth(self) -> float:
        """A bound on the frequencies in s that an expectation value along the orbit can have."""
        return self._propagator.bandwidth

    def _batches(self, points: FloatArray) -> Iterator[ComplexArray]:
        rows = max(1, _CHUNK // len(self.excitations))
        for first in range(0, max(1, len(points)), rows):
            yield self._propagator(points[first : first + rows])


def twisting_contrast(neurons: int, angle: FloatArray) -> tuple[FloatArray, FloatArray]:
    """|cos|^(N−1) and the sign of cos^(N−1), also where N−1 magnifies the rounding of cos."""
    with np.errstate(divide="ignore"):
        size = np.exp(0.5 * (neurons - 1) * np.log1p(-(np.sin(angle) ** 2))) if neurons > 1 else 1.0
    sign = np.where(np.cos(angle) < 0, -1.0, 1.0) ** (neurons - 1)
    return np.asarray(size * np.ones_like(angle)), sign


def _points(s: ArrayLike) -> FloatArray:
    points = np.atleast_1d(np.asarray(s, dtype=np.float64))
    if points.ndim != 1 or not np.all(np.isfinite(points)):
        raise ModelError(f"s: wanted finite numbers of shape (points,), got {s!r}")
    return points
