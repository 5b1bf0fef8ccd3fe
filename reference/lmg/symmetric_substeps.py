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

_NOT_ZERO = 1e-300
_MIRRORED_SIZE = 96  # from here on two products of half the size are the cheaper ones
_COMPLEX_SIZE = 16  # below this a complex product costs less than looking at one as two real ones
_DROPPED_SIZE = 48  # below this carrying finished columns along is cheaper than cutting them off


class Substeps:
    """The substeps of one model, law and driving observable, in one parity sector.

    Args:
        drive: what stands for E in the law, as a real diagonal (M,) or a Hermitian matrix (M, M).

    Attributes:
        centre: the middle of the spectrum of g0 K. The substeps take it as zero, so that the
            states lack a factor exp(−i centre ∫r dt).
    """

    def __init__(self, model: LMG, parity: int, law: Law, drive: FloatArray | ComplexArray) -> None:
        """Diagonalise K."""
        values, vectors = coupling_basis(model.neurons, model.gamma, parity)
        # A common phase that depends on r would only spoil the extrapolation of the states.
        middle = float(values.max() + values.min()) / 2
        self.centre = model.g0 * middle
        self._energies = -model.g0 * (values - middle)[:, None]
        self._turns = 0.5 * model.field * field_diagonal(model.neurons, parity)[:, None]
        self._basis = _Basis(vectors, model.neurons % 2 == 0)
        self._law, self._drive = law, drive
        # Only then can a rate of relaxation be zero.
        self._signed = drive.ndim == 2 or bool(drive.real.min() < 0.0)

    def half_turns(self, spans: FloatArray) -> ComplexArray:
        """The field's phase factors over half a substep, shape (M, columns)."""
        return _phase_factors(self._turns * spans)

    def advance(
        self,
        states: ComplexArray,
        r: FloatArray,
        u: FloatArray,
        spans: FloatArray,
        counts: IntArray,
        half_turns: ComplexArray,
    ) -> tuple[ComplexArray, FloatArray]:
        """Column c after counts[c] substeps of length spans[c] each.

        Args:
            states: shape (M, columns); r, u: shape (columns,).
            spans, counts: shape (columns,); the counts do not decrease.
            half_turns: what :meth:`half_turns` gives for the spans.

        Returns:
            The states at the end, and the driving expectation value, r and U, shape (3, columns).
        """
        law = self._law
        columns = len(counts)
        end_states, ends = np.empty_like(states), np.empty((3, columns))
        # In loops as short as these a Python number costs more than an array of the columns.
        ones, back = np.ones(columns), -0.5 * spans
        recovers, fills = law.tau_r != 0.0, law.tau_f != 0.0
        r_gain = ones / law.tau_r if recovers else ones
        u_loss = ones / law.tau_f if fills else ones
        u_gain, release = law.release * u_loss, law.release * ones
        factors = np.empty_like(states)
        cosines, sines = factors.real, factors.imag
        energies, turn, observable = self._energies, self._basis.turn, self._drive
        drive = expectation(observable, states)
        if recovers:
            r = r + self._moved(r, r_gain, r_gain + u * drive, back)[0]
        if fills:
            push = release * drive
            u = u + self._moved(u, u_gain + push, u_loss + push, back)[0]
        first = carried = 0
        for end in np.searchsorted(counts, np.arange(1, counts[-1] + 1), side="right").tolist():
            states = half_turns * states
            angles = np.dot(energies, (r * spans)[None])
            np.cos(angles, out=cosines)
            np.sin(angles, out=sines)
            states = turn(states, factors)
            states *= half_turns
            drive = expectation(observable, states)
            if fills:
                push = release * drive
                u_move, u_again = self._moved(u, u_gain + push, u_loss + push, back)
                u = u + u_move
            if recovers:
                r_move, r_again = self._moved(r, r_gain, r_gain + u * drive, back)
                r = r + r_move
            if end > first:
                now, here = slice(first, end), slice(first - carried, end - carried)
                end_states[:, now] = states[:, here]
                ends[0, now], ends[1, now], ends[2, now] = drive[here], r[here], u[here]
                first = end
                if end == columns:
                    break
            if recovers:
                r = r + r_again
            if fills:
                u = u + u_again
            if first > carried and len(states) >= _DROPPED_SIZE:
                rest = slice(first - carried, None)
                carried = first
                states, half_turns, factors = states[:, rest], half_turns[:, rest], factors[:, rest]
                cosines, sines = factors.real, factors.imag
                r, u, spans, back = r[rest], u[rest], spans[rest], back[rest]
                r_gain, u_gain, u_loss, release = (
                    each[rest] for each in (r_gain, u_gain, u_loss, release)
                )
        return end_states, ends

    def _moved(
        self, value: FloatArray, gain: FloatArray, rate: FloatArray, back: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """How far y' = gain − rate y goes in the time −back, and how far in as much again."""
        if self._signed:
            rate = rate + _NOT_ZERO
        lost = np.expm1(rate * back)
        move = (rate * value - gain) * (lost / rate)
        return move, move + lost * move


def expectation(
    observable: FloatArray | ComplexArray, states: ComplexArray, left: ComplexArray | None = None
) -> FloatArray:
    """Re⟨left|O|state⟩ of states in columns; left is the state itself unless given.

    The observable is a real diagonal (M,) or a Hermitian matrix (M, M).
    """
    left = states if left is None else left
    if observable.ndim == 1:
        found = observable.real @ (left.view(np.float64) * states.view(np.float64))
    else:
        changed = observable @ states
        found = (left.view(np.float64) * changed.view(np.float64)).sum(axis=0)
    return np.asarray(found[::2] + found[1::2])


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
            blocks = [even, odd]
        else:
            blocks = [vectors]
        if size < _COMPLEX_SIZE:
            blocks = [block.astype(np.complex128) for block in blocks]
        self._back = [np.ascontiguousarray(block) for block in blocks]
        self._out = [block.T for block in self._back]

    def turn(self, states: ComplexArray, factors: ComplexArray) -> ComplexArray:
        """The states with their components in the eigenbasis times the factors."""
        if not self._mirrored:
            inside = _times(self._out[0], states)
            inside *= factors
            return _times(self._back[0], inside)
        half, middle = self._half, self._middle
        mirror = states[half:][::-1]
        sums = states[:half].copy()
        sums[:middle] += mirror
        inside = _times(self._out[0], sums)
        inside *= factors[:half]
        both = _times(self._back[0], inside)
        inside = _times(self._out[1], states[:middle] - mirror)
        inside *= factors[half:]
        differ = _times(self._back[1], inside)
        turned = np.empty_like(states)
        turned[:half] = both
        turned[:middle] += differ
        np.subtract(both[:middle], differ, out=turned[half:][::-1])
        return turned


def _times(matrix: FloatArray | ComplexArray, states: ComplexArray) -> ComplexArray:
    if matrix.dtype == states.dtype:
        return np.asarray(np.dot(matrix, states))
    # numpy would make the real matrix complex first
    return np.asarray(np.dot(matrix, states.view(np.float64))).view(np.complex128)


def _phase_factors(angles: FloatArray) -> ComplexArray:
    """exp(i angle)."""
    factors = np.empty(angles.shape, dtype=np.complex128)
    np.cos(angles, out=factors.real)
    np.sin(angles, out=factors.imag)
    return factors
