"""exp(−i H0 s)|n⟩ in one parity sector: by diagonalising H0, or by Chebyshev polynomials of it.

Diagonalising costs about M² once (M ≈ N/2 states), after which any s is one product with an M × M
matrix. A Chebyshev expansion costs M for each unit of phase ‖H0‖s and no memory. `Propagator` goes
on with the second until it has spent what the first would have cost, so it never pays more than
about twice the better of the two.
"""

from __future__ import annotations

import math

import numpy as np

from .hamiltonian import (
    LMG,
    ComplexArray,
    FloatArray,
    coupling_band,
    coupling_basis,
    coupling_halves,
    extreme_eigenvalues,
)

# Below this size diagonalising takes milliseconds; above the other one it takes gigabytes.
_ALWAYS_DIAGONALISE = 1500
_NEVER_DIAGONALISE = 8000
# Seconds, roughly, on one core of 2024: only their ratios matter.
_EIGEN_COST = 1e-7  # an element of the eigenvector matrix, found; halves by mirror cost less
_MIRRORED_EIGEN_COST = 4e-8
_STEP_COST = 6e-6, 7e-9  # a step of the Chebyshev recursion: fixed, and an amplitude
# Eigenvectors that hold less than this of the initial state cannot be seen in doubles.
_NEGLIGIBLE = 1e-17
_SHORTEST_HOP, _LONGEST_HOP = 48.0, 400.0  # phase covered by one expansion
_BLOCK = 32
_TURN = 8 * np.arctan(np.longdouble(1))  # 2π
_REMEMBERED = 8  # states to go on from


class Propagator:
    """The amplitudes of exp(−i H0 s)|n⟩ in the sector of the Dicke state n."""

    def __init__(self, model: LMG, start: int) -> None:
        """Choose nothing yet."""
        self._model, self._start = model, start
        self._size = (model.neurons - start % 2) // 2 + 1
        self._spent = 0.0
        self._spectrum: _Spectrum | None = None
        self._chebyshev: _Chebyshev | None = None
        if self._size <= _ALWAYS_DIAGONALISE:
            self._spectrum = _Spectrum(model, start)
        else:
            self._chebyshev = _Chebyshev(model, start)

    @property
    def bandwidth(self) -> float:
        """A bound on the frequencies of expectation values."""
        if self._spectrum is not None:
            return self._spectrum.bandwidth
        assert self._chebyshev is not None
        return self._chebyshev.bandwidth

    def __call__(self, points: FloatArray) -> ComplexArray:
        """Amplitudes at each s, shape (points, M)."""
        if self._spectrum is None:
            assert self._chebyshev is not None
            fixed, each = _STEP_COST
            self._spent += self._chebyshev.steps(points) * (fixed + each * self._size)
            mirrored = self._model.neurons % 2 == 0
            cost = (_MIRRORED_EIGEN_COST if mirrored else _EIGEN_COST) * self._size**2
            if self._spent > cost and self._size <= _NEVER_DIAGONALISE:
                self._spectrum = _Spectrum(self._model, self._start)
                self._chebyshev = None
            else:
                return self._chebyshev(points)
        return self._spectrum(points)


class _Spectrum:
    """Σ_k e^{−iλ_k s} |k⟩⟨k|n⟩ over the eigenvectors of H0.

    For an even number of neurons the eigenvectors are even or odd under n → N − n: they are kept,
    and summed, over half of the sector, and the other half is the mirror image.
    """

    def __init__(self, model: LMG, start: int) -> None:
        index, parity = start // 2, start % 2
        self._size = (model.neurons - parity) // 2 + 1
        self._mirrored = model.neurons % 2 == 0
        if not self._mirrored:
            halves = [coupling_basis(model.neurons, model.gamma, parity)]
        else:
            halves = list(coupling_halves(model.neurons, model.gamma, parity))
        self._parts = []
        for half, (values, vectors) in enumerate(halves):
            weights = np.zeros(len(values))
            mirror = self._size - 1 - index
            if index < len(vectors):
                weights = vectors[index]
            elif mirror < len(vectors):
                weights = vectors[mirror] * (-1.0 if half else 1.0)
            kept = np.abs(weights) > _NEGLIGIBLE
            rows = vectors.T[kept] * weights[kept, None]
            self._parts.append((model.g0 * values[kept], rows))
        energies = np.concatenate([part[0] for part in self._parts])
        self.bandwidth = float(np.ptp(energies))

    def __call__(self, points: FloatArray) -> ComplexArray:
        states = np.zeros((len(points), self._size), dtype=np.complex128)
        half = self._parts[0][1].shape[1]
        # Far from s = 0 the rounding of λs would be noise from point to point. Rounded once, for
        # all points together and in extended precision where there is one, it is not.
        origin = points[len(points) // 2] if len(points) else 0.0
        for sign, (energies, rows) in zip((1.0, -1.0), self._parts, strict=False):
            far = np.fmod(energies.astype(np.longdouble) * origin, _TURN).astype(np.float64)
            angles = far + np.outer(points - origin, energies)
            width = rows.shape[1]
            # Two real products: numpy would make the real matrix complex first.
            for into, rotation in ((states.real, np.cos(angles)), (states.imag, -np.sin(angles))):
                part = rotation @ rows
                into[:, :width] += part
                into[:, half:] += sign * part[:, : self._size - half][:, ::-1]
        return states


class _Chebyshev:
    """exp(−iHδ) = e^{−icδ} Σ_k (2 − δ_k0)(−i)^k J_k(Rδ) T_k((H − c)/R), hop by hop.

    H. Tal-Ezer and R. Kosloff, J. Chem. Phys. 81, 3967 (1984). Amplitudes are kept as two rows,
    real and imaginary, for H is real.
    """

    def __init__(self, model: LMG, start: int) -> None:
        diagonal, off_diagonal = coupling_band(model.neurons, model.gamma, start % 2)
        diagonal, off_diagonal = model.g0 * diagonal, model.g0 * off_diagonal
        lowest, highest = extreme_eigenvalues(diagonal, off_diagonal)
        self.bandwidth = highest - lowest
        self._centre = (lowest + highest) / 2
        # A little too large a radius is harmless, a little too small one is not.
        self._radius = max(self.bandwidth / 2 * (1 + 1e-10), 1e-300)
        self._diagonal = 2 * (diagonal - self._centre) / self._radius
        self._off_diagonal = 2 * off_diagonal / self._radius
        origin = np.zeros((2, len(diagonal)))
        origin[0, start // 2] = 1.0
        self._known: list[tuple[float, FloatArray]] = []
        self._origin = 0.0, origin

    def steps(self, points: FloatArray) -> float:
        """How many steps of the recursion the points will take, about."""
        order = np.sort(points)
        gaps = np.diff(order, prepend=self._nearest(order[:1])[0])
        phase = float(self._radius * np.abs(gaps).sum())
        return phase * (1 + 60 / self._hop(points)) + 40

    def _hop(self, points: FloatArray) -> float:
        """The phase of one expansion that balances its recursion against its sums.

        P of phase takes about P + 60 steps of the recursion, each as dear as some ten additions of
        a step to a wanted state.
        """
        spacing = self._radius * float(np.ptp(points)) / len(points)
        return min(max(math.sqrt(600 * spacing), _SHORTEST_HOP), _LONGEST_HOP)

    def __call__(self, points: FloatArray) -> ComplexArray:
        states = np.empty((len(points), len(self._diagonal)), dtype=np.complex128)
        order = np.argsort(points, kind="stable")
        hop = self._hop(points)
        done = 0
        while done < len(points):
            wanted = points[order[done:]]
            here, state = self._nearest(wanted[:1])
            phases = self._radius * (wanted - here)
            if abs(phases[0]) > _LONGEST_HOP:
                # Nothing wanted within reach: hop towards it.
                target = here + np.copysign(_LONGEST_HOP, phases[0]) / self._radius
                self._remember(target, self._expand(state, np.array([target - here]))[0])
                continue
            reach = max(hop, float(phases[0]))
            count = int(np.searchsorted(phases, reach, side="right"))
            near = self._expand(state, wanted[:count] - here)
            states.real[order[done : done + count]] = near[:, 0]
            states.imag[order[done : done + count]] = near[:, 1]
            done += count
            self._remember(float(wanted[count - 1]), near[-1])
        # The phase of the centre was left out on the way.
        states *= np.exp(-1j * self._centre * points)[:, None]
        return states

    def _nearest(self, target: FloatArray) -> tuple[float, FloatArray]:
        """A known state to start from: the nearest one on the way from 0 to the target."""
        goal = float(target[0]) if len(target) else 0.0
        low, high = min(goal, 0.0), max(goal, 0.0)
        fitting = [known for known in self._known if low <= known[0] <= high]
        return max(fitting, key=lambda known: abs(known[0]), default=self._origin)

    def _remember(self, where: float, state: FloatArray) -> None:
        self._known.append((where, state.copy()))
        del self._known[:-_REMEMBERED]

    def _expand(self, state: FloatArray, offsets: FloatArray) -> FloatArray:
        """States at the offsets from one state, shape (offsets, 2, M); the centre is left out."""
        phases = self._radius * offsets
        reach = float(np.abs(phases).max())
        # e^{−ix cos θ} = Σ_k (−i)^k J_k(x) e^{ikθ}: a Fourier transform gives the coefficients of
        # all orders at once, even ones real and odd ones imaginary.
        length = 2 ** math.ceil(math.log2(2 * (reach + 11 * np.cbrt(reach) + 30)))
        circle = np.cos(2 * np.pi * np.arange(length) / length)
        weights = np.fft.fft(np.exp(-1j * phases[:, None] * circle), axis=1) * (2 / length)
        weights[:, 0] /= 2
        sizes = np.abs(weights[:, : length // 2]).max(axis=0)
        top = int(np.flatnonzero(sizes > 1e-16)[-1]) + 1
        out = np.zeros((len(offsets), *state.shape))
        previous, current = np.zeros_like(state), state
        block = np.empty((_BLOCK, *state.shape))
        work = np.empty((2, state.shape[1] - 1))
        for first in range(0, top, _BLOCK):
            count = min(_BLOCK, top - first)
            for row in range(count):
                # The last two rows of a block are read before they are written again.
                self._recur(first + row, current, previous, block[row], work)
                previous, current = current, block[row]
            part = weights[:, first : first + count]
            flat = block[:count].reshape(count, -1)
            out += (part[:, ::2].real @ flat[::2]).reshape(out.shape)
            if count > 1:
                odd = (part[:, 1::2].imag @ flat[1::2]).reshape(out.shape)
                out[:, 0] -= odd[:, 1]  # i(x + iy) = −y + ix
                out[:, 1] += odd[:, 0]
        return out

    def _recur(
        self,
        order: int,
        current: FloatArray,
        previous: FloatArray,
        into: FloatArray,
        work: FloatArray,
    ) -> None:
        """T_k from T_{k−1} and T_{k−2}, written to `into`; order 0 copies the state."""
        if order == 0:
            into[:] = current
            return
        np.multiply(current, self._diagonal, out=into)
        np.multiply(current[:, 1:], self._off_diagonal, out=work)
        into[:, :-1] += work
        np.multiply(current[:, :-1], self._off_diagonal, out=work)
        into[:, 1:] += work
        if order == 1:
            into *= 0.5
        else:
            into -= previous
