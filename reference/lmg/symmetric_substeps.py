"""Substeps of second order, in many columns at once, of an LMG brain with a field and a synapse.

    i dψ/dt = [g0 r(t) K − h J_z] ψ,      K = −(1/N)[(1+γ)J_x² + (1−γ)J_y²],
    dr/dt = (1 − r)/τ_r − U r E,          dU/dt = (𝒰 − U)/τ_f + 𝒰(1 − U) E

Four flows of this joint system are known exactly: exp(−i g0 r K t) in the eigenbasis of K at a
fixed r, exp(+i h J_z t) in the Dicke basis, and the relaxation of r and of U at a fixed state. A
substep is their symmetric product

    r/2  U/2  J_z/2  K  J_z/2  U/2  r/2

(G. Strang, SIAM J. Numer. Anal. 5, 506 (1968)), whose error has even powers of its length only.
"""

from __future__ import annotations

import numpy as np

from .hamiltonian import (
    LMG,
    ComplexArray,
    FloatArray,
    IntArray,
    coupling_basis,
    field_diagonal,
)
from .synaptic_clock import Law

_MIRRORED_SIZE = 96  # from here on two products of half the size are the cheaper ones


class Substeps:
    """The substeps of one model, law and driving observable, in one parity sector.

    Args:
        drive: what stands for E in the law, as a real diagonal (M,) or a Hermitian matrix (M, M).
    """

    def __init__(
        self, model: LMG, parity: int, law: Law, drive: FloatArray | ComplexArray
    ) -> None:
        """Diagonalise K."""
        values, vectors = coupling_basis(model.neurons, model.gamma, parity)
        # A common energy turns the phase of the state only; around 0 the angles are smaller.
        self._energies = -model.g0 * (values - (values.max() + values.min()) / 2)[:, None]
        self._turns = model.field * field_diagonal(model.neurons, parity)[:, None]
        self._basis = _Basis(vectors, model.neurons % 2 == 0)
        self._law, self._drive = law, drive

    def half_turns(self, spans: FloatArray) -> ComplexArray:
        """The field's phase factors over half a substep, shape (M, columns)."""
        return _phase_factors(self._turns * (0.5 * spans))

    def driving(self, states: ComplexArray) -> FloatArray:
        """The expectation value that drives the synapse, of states in columns."""
        if self._drive.ndim == 1:
            return np.asarray(self._drive.real @ (states.real**2 + states.imag**2))
        return np.asarray((states.conj() * (self._drive @ states)).real.sum(axis=0))

    def advance(
        self,
        states: ComplexArray,
        r: FloatArray,
        u: FloatArray,
        spans: FloatArray,
        counts: IntArray,
        half_turns: ComplexArray,
    ) -> tuple[ComplexArray, FloatArray, FloatArray, FloatArray]:
        """Column c after counts[c] substeps of length spans[c] each.

        Args:
            states: shape (M, columns); r, u: shape (columns,).
            spans, counts: shape (columns,); the counts do not decrease.
            half_turns: what :meth:`half_turns` gives for the spans.

        Returns:
            The states and the driving expectation value, r and U at the end.
        """
        columns = len(counts)
        end_states = np.empty_like(states)
        end_drive, end_r, end_u = np.empty((3, columns))
        ends = np.searchsorted(counts, np.arange(1, int(counts[-1]) + 1), side="right")
        drive = self.driving(states)
        r = self._recover(r, u, drive, 0.5 * spans)
        u = self._facilitate(u, drive, 0.5 * spans)
        states = states.copy()
        first = 0
        for end in ends.tolist():
            turn = half_turns[:, first:]
            states *= turn
            angles = self._energies * (r * spans)
            states = self._basis.turn(states, _phase_factors(angles))
            states *= turn
            drive = self.driving(states)
            u = self._facilitate(u, drive, 0.5 * spans)
            done = end - first
            if done:
                end_states[:, first:end] = states[:, :done]
                end_drive[first:end], end_u[first:end] = drive[:done], u[:done]
                end_r[first:end] = self._recover(
                    r[:done], u[:done], drive[:done], 0.5 * spans[:done]
                )
                if end == columns:
                    break
                states = states[:, done:]
                r, u, drive, spans = r[done:], u[done:], drive[done:], spans[done:]
                first = end
            r = self._recover(r, u, drive, spans)
            u = self._facilitate(u, drive, 0.5 * spans)
        return end_states, end_drive, end_r, end_u

    def _recover(
        self, r: FloatArray, u: FloatArray, drive: FloatArray, spans: FloatArray
    ) -> FloatArray:
        """r after the spans, at a fixed state and U."""
        if self._law.tau_r == 0.0:
            return r
        gain = 1 / self._law.tau_r
        rate = gain + u * drive
        return np.asarray(r + (gain - rate * r) * _weight(rate, spans))

    def _facilitate(self, u: FloatArray, drive: FloatArray, spans: FloatArray) -> FloatArray:
        """U after the spans, at a fixed state."""
        if self._law.tau_f == 0.0:
            return u
        gain = self._law.release * (1 / self._law.tau_f + drive)
        rate = 1 / self._law.tau_f + self._law.release * drive
        return np.asarray(u + (gain - rate * u) * _weight(rate, spans))


class _Basis:
    """Phase factors in the eigenbasis of K, applied to states in columns of the Dicke basis.

    For an even number of neurons K does not change under n → N − n, and large products are done
    by the even and the odd half of the amplitudes.
    """

    def __init__(self, vectors: FloatArray, mirrored: bool) -> None:
        size = len(vectors)
        self._middle = size // 2
        self._half = size - self._middle
        self._mirrored = mirrored and size >= _MIRRORED_SIZE
        if self._mirrored:
            even = vectors[: self._half, : self._half]
            odd = vectors[: self._middle, self._half :]
            self._blocks = [np.ascontiguousarray(block) for block in (even, odd)]
        else:
            self._blocks = [np.ascontiguousarray(vectors)]

    def turn(self, states: ComplexArray, factors: ComplexArray) -> ComplexArray:
        """The states with their components in the eigenbasis times the factors."""
        if not self._mirrored:
            (vectors,) = self._blocks
            inside = _real_times(vectors.T, states)
            inside *= factors
            return _real_times(vectors, inside)
        half, middle = self._half, self._middle
        even, odd = self._blocks
        mirror = states[half:][::-1]
        sums = states[:half].copy()
        sums[:middle] += mirror
        inside = _real_times(even.T, sums)
        inside *= factors[:half]
        both = _real_times(even, inside)
        inside = _real_times(odd.T, states[:middle] - mirror)
        inside *= factors[half:]
        differ = _real_times(odd, inside)
        turned = np.empty_like(states)
        turned[:half] = both
        turned[:middle] += differ
        np.subtract(both[:middle], differ, out=turned[half:][::-1])
        return turned


def _real_times(matrix: FloatArray, states: ComplexArray) -> ComplexArray:
    # numpy would make the real matrix complex first
    return np.asarray(matrix @ states.view(np.float64)).view(np.complex128)


def _phase_factors(angles: FloatArray) -> ComplexArray:
    """exp(i angle)."""
    factors = np.empty(angles.shape, dtype=np.complex128)
    np.cos(angles, out=factors.real)
    np.sin(angles, out=factors.imag)
    return factors


def _weight(rate: FloatArray, spans: FloatArray) -> FloatArray:
    """∫ exp(−rate t) dt over the spans: y' = gain − rate y moves y by (gain − rate y) times it."""
    small = np.abs(rate * spans) < 1e-8
    if small.any():
        rate = np.where(small, 1.0, rate)
        return np.where(small, spans, -np.expm1(-rate * spans) / rate)
    return np.asarray(-np.expm1(-rate * spans) / rate)
