"""From counts to the excitation E with its standard error, and the band it implies for r, U.

E = ½ + ⟨J_z⟩/N is the mean fraction of ones. Every estimator here is a ratio of two linear
functionals of the counts, E = Σ c_x w_x / Σ c_x v_x over outcomes x:

- raw: w = n(x)/N, v = 1;
- parity post-selection: w = π(x) n(x)/N, v = π(x), where π(x) = 1 if (-1)^n has the parity that
  the Hamiltonian conserves, else 0 (also 0 for codes that stand for no state);
- readout correction: w → (A⁻¹)ᵀ w, v → (A⁻¹)ᵀ v with A the tensor product of the measured 2×2
  confusion matrices [[1-a, b], [a, 1-b]], a = p(1|0), b = p(0|1).

Where ones are counted nothing of size 2^N is needed for the latter. With a column (α, β) of the
inverse of bit j's matrix, chosen by the bit x_j, α + β = 1, and u = α - β,

    v = ½ [1 + σ Π u_j],    w = ½ [Σ β_j - σ Π u_j Σ β_j/u_j] / N,    σ = (-1)^parity

(v = 1, w = Σ β_j / N without a parity), and outcome x counts for n ones as much as z^n has weight
in Π (α_j + β_j z). |u| ≥ 1, so that one may divide by it.

Standard error by the delta method: Var E = Σ c_x (w_x - E v_x)² / (Σ c_x v_x)².
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .synapse import FeedbackError, Synapse, SynapticState

__all__ = [
    "Band",
    "Estimate",
    "EstimateError",
    "ExcitationEstimator",
    "confidence_band",
    "mixed_populations",
]

Array = NDArray[np.float64]
_DENSE_QUBITS = 14  # readout inversion by a table holds a vector of 2^qubits
_LARGEST_LOG = 650.0  # floats reach e^709
_BLOCK = 1 << 21  # numbers held at once


class EstimateError(RuntimeError):
    """The counts do not determine an estimate (no shot survived post-selection, say)."""

    exit_code = 4  # of the command line: a device gave nothing usable


@dataclass(frozen=True)
class Estimate:
    """E with its standard error, the raw figures beside it.

    ``populations`` is the normalised histogram of excitation numbers, shape (N+1,), after the
    same post-selection (and readout correction); ``kept`` the fraction of shots kept.
    """

    value: float
    stderr: float
    raw_value: float
    raw_stderr: float
    kept: float
    shots: int
    populations: Array
    raw_populations: Array


class ExcitationEstimator:
    """Estimate E = n/N from counts.

    ``neurons``: N. ``table``: excitation number of each outcome integer, shape (2^q,), -1 for
    codes that stand for no state; None counts the ones of the N-bit outcome. ``parity``: 0 or 1
    to keep only outcomes of that (-1)^n, None to keep all. ``readout``: (q, 2) array of p(1|0),
    p(0|1) per measured bit, or None.

    Raises ``FeedbackError`` for arguments that do not fit together.
    """

    def __init__(
        self,
        neurons: int,
        *,
        table: ArrayLike | None = None,
        parity: int | None = None,
        readout: ArrayLike | None = None,
    ) -> None:
        if neurons < 1:
            raise FeedbackError(f"neurons: wanted an integer >= 1, got {neurons!r}")
        if parity not in (0, 1, None):
            raise FeedbackError(f"parity: wanted 0, 1 or None, got {parity!r}")
        self.neurons, self.parity = neurons, parity
        self._table = None if table is None else np.asarray(table, dtype=np.int64)
        if self._table is not None and self._table.max(initial=-1) > neurons:
            raise FeedbackError(
                f"table: wanted numbers of at most {neurons}, got {self._table.max()}"
            )
        self._inverse: Array | None = None
        if readout is not None:
            self._inverse = self._inverses(np.asarray(readout, dtype=float))

    def _inverses(self, readout: Array) -> Array:
        """Inverse confusion matrices, shape (q, 2, 2), indices true and seen."""
        qubits = self.neurons if self._table is None else int(self._table.size - 1).bit_length()
        if readout.shape != (qubits, 2):
            raise FeedbackError(f"readout: wanted shape ({qubits}, 2), got {readout.shape}")
        if self._table is not None and qubits > _DENSE_QUBITS:
            raise FeedbackError(
                f"readout: wanted at most {_DENSE_QUBITS} measured qubits, got {qubits}"
            )
        if not np.all((readout >= 0) & (readout.sum(axis=1, keepdims=True) < 1)):
            raise FeedbackError("readout: wanted p(1|0) + p(0|1) < 1 on every qubit")
        matrices = np.linalg.inv([[[1 - a, b], [a, 1 - b]] for a, b in readout])
        # the largest weight that an outcome can have is the product of these
        largest = np.abs(matrices).sum(axis=1).max(axis=1)
        if np.log(largest).sum() > _LARGEST_LOG:
            raise FeedbackError("readout: wanted errors that can be undone in floating point")
        return np.asarray(matrices)

    def excitations(self, outcomes: Sequence[int]) -> NDArray[np.int64]:
        """Excitation number of each outcome, -1 where it stands for no state."""
        if self._table is None:
            numbers = [x.bit_count() for x in outcomes]
            if any(x >> self.neurons for x in outcomes):
                raise FeedbackError(f"counts: wanted outcomes of {self.neurons} bits")
            return np.array(numbers, dtype=np.int64)
        if any(not 0 <= x < self._table.size for x in outcomes):
            raise FeedbackError(f"counts: wanted outcomes below {self._table.size}")
        return np.asarray(self._table[np.asarray(outcomes, dtype=np.int64)])

    def _keep(self, numbers: NDArray[np.int64]) -> Array:
        keep = numbers >= 0
        if self.parity is not None:
            keep &= numbers % 2 == self.parity
        return keep.astype(float)

    def _along_bits(self, inverse: Array, vector: Array, transpose: bool) -> Array:
        """Apply the tensor product of inverse confusion matrices (or its transpose)."""
        qubits = len(inverse)
        tensor: NDArray[Any] = vector.reshape((2,) * qubits)
        for bit, one in enumerate(inverse):
            matrix = one.T if transpose else one
            axis = qubits - 1 - bit  # the last axis is bit 0
            tensor = np.moveaxis(np.tensordot(matrix, tensor, axes=(1, axis)), 0, axis)
        return np.asarray(tensor.reshape(-1))

    def _corrected_by_table(
        self, inverse: Array, table: NDArray[np.int64], outcomes: Sequence[int], c: Array
    ) -> tuple[Array, Array, Array]:
        """Corrected w and v of each outcome, and the populations that follow from the counts."""
        keep = self._keep(table)
        w = self._along_bits(inverse, keep * table / self.neurons, True)[outcomes]
        v = self._along_bits(inverse, keep, True)[outcomes]
        full = np.zeros(table.size)
        full[outcomes] = c
        corrected = self._along_bits(inverse, full, False) * keep
        return w, v, self._histogram(table, corrected)

    def _corrected_by_ones(
        self, inverse: Array, outcomes: Sequence[int], c: Array
    ) -> tuple[Array, Array, Array]:
        """Do the same for outcomes counted by ones, from the factors of each bit."""
        bits = _bits(outcomes, self.neurons)
        w, v = np.empty(len(c)), np.ones(len(c))
        weights = np.zeros(self.neurons + 1)
        rows = max(1, _BLOCK // (self.neurons + 1))
        for first in range(0, len(c), rows):
            part = slice(first, first + rows)
            alpha, beta = (inverse[range(self.neurons), true, bits[part]] for true in (0, 1))
            w[part] = beta.sum(axis=1) / self.neurons
            if self.parity is not None:
                u = alpha - beta
                product = (-1) ** self.parity * u.prod(axis=1)
                v[part] = (1 + product) / 2
                w[part] = (w[part] - product * (beta / u).sum(axis=1) / self.neurons) / 2
            weights += c[part] @ _polynomials(alpha, beta)
        numbers = np.arange(self.neurons + 1)
        return w, v, self._histogram(numbers, weights * self._keep(numbers))

    def __call__(self, counts: Mapping[int, int] | Sequence[Mapping[int, int]]) -> Estimate:
        """Estimate E and the populations from outcome → shots.

        A sequence of one, as :func:`qbrain.classical_feedback.loop.hybrid_loop` hands over the
        counts of a step, is taken for its one circuit.

        Raises ``EstimateError`` if no shot (or no weight) is left after post-selection, or for
        counts of several circuits.
        """
        if not isinstance(counts, Mapping):
            if len(counts) != 1:
                raise EstimateError(f"counts: wanted those of one circuit, got {len(counts)}")
            counts = counts[0]
        outcomes = [x for x, c in counts.items() if c]
        c = np.array([counts[x] for x in outcomes], dtype=float)
        shots = int(c.sum())
        if shots <= 0:
            raise EstimateError("counts: wanted at least one shot, got none")
        numbers = self.excitations(outcomes)
        keep = self._keep(numbers)
        kept = float(c @ keep) / shots
        valid = (numbers >= 0).astype(float)
        raw, raw_error = self._ratio(c, valid * numbers / self.neurons, valid)
        raw_populations = self._histogram(numbers, c * valid)
        if self._inverse is None:
            value, error = self._ratio(c, keep * numbers / self.neurons, keep)
            populations = self._histogram(numbers, c * keep)
        else:
            if self._table is None:
                w, v, populations = self._corrected_by_ones(self._inverse, outcomes, c)
            else:
                w, v, populations = self._corrected_by_table(
                    self._inverse, self._table, outcomes, c
                )
            value, error = self._ratio(c, w, v)
        return Estimate(value, error, raw, raw_error, kept, shots, populations, raw_populations)

    def _ratio(self, c: Array, w: Array, v: Array) -> tuple[float, float]:
        weight = float(c @ v)
        if weight <= 0:
            raise EstimateError(
                f"counts: wanted shots of parity {self.parity}, got none among {int(c.sum())}"
            )
        value = float(c @ w) / weight
        variance = float(c @ (w - value * v) ** 2) / weight**2
        # identical shots would claim certainty: one shot off by one neuron cannot be excluded
        floor = 1 / (self.neurons * weight)
        return value, float(np.sqrt(variance + floor**2))

    def _histogram(self, numbers: NDArray[np.int64], weights: Array) -> Array:
        good = numbers >= 0
        counts = np.bincount(numbers[good], weights[good], minlength=self.neurons + 1)
        total = counts.sum()
        return np.asarray(counts / total if total > 0 else counts)


def _bits(outcomes: Sequence[int], qubits: int) -> NDArray[np.uint8]:
    """Bits of each outcome, shape (outcomes, qubits), bit 0 first."""
    size = (qubits + 7) // 8
    packed = b"".join(int(x).to_bytes(size, "little") for x in outcomes)
    rows = np.frombuffer(packed, dtype=np.uint8).reshape(len(outcomes), size)
    return np.unpackbits(rows, axis=1, count=qubits, bitorder="little")


def _polynomials(alpha: Array, beta: Array) -> Array:
    """Coefficients of Π_j (alpha_j + beta_j z) row by row: (rows, N) twice to (rows, N+1)."""
    rows, factors = alpha.shape
    result = np.zeros((rows, factors + 1))
    result[:, 0] = 1
    for j in range(factors):
        raised = beta[:, j, None] * result[:, : j + 1]
        result[:, : j + 1] *= alpha[:, j, None]
        result[:, 1 : j + 2] += raised
    return result


def mixed_populations(
    neurons: int, *, table: ArrayLike | None = None, parity: int | None = None
) -> Array:
    """Histogram of excitation numbers of the maximally mixed state, shape (N+1,), sum 1.

    C(N, n)/2^N for ones counted in N bits; with a table, every code that stands for a state is
    as likely as every other. With a parity, the outcomes of that parity alone are counted.

    Args:
        neurons: N ≥ 1.
        table: as in :class:`ExcitationEstimator`.
        parity: as in :class:`ExcitationEstimator`.

    Raises:
        FeedbackError: arguments that do not fit together, or a table without a code to keep.
    """
    estimator = ExcitationEstimator(neurons, table=table, parity=parity)
    numbers: NDArray[np.int64]
    if table is None:
        numbers = np.arange(neurons + 1)
        # whole numbers: exact where floats would overflow, each parity is half of all
        outcomes = 1 << (int(neurons) - (parity is not None))
        shares = np.array([math.comb(neurons, n) / outcomes for n in range(neurons + 1)])
        return np.asarray(shares * estimator._keep(numbers))
    numbers = np.asarray(table, dtype=np.int64)
    keep = estimator._keep(numbers)
    if not keep.any():
        raise FeedbackError(f"table: wanted a code of parity {parity}, got none")
    return estimator._histogram(numbers, keep)


@dataclass(frozen=True)
class Band:
    """Standard deviations of E, r, U and the phase s at every time, shape (time,)."""

    excitation: Array
    r: Array
    utilisation: Array
    phase: Array


def confidence_band(
    synapse: Synapse,
    start: SynapticState,
    times: ArrayLike,
    values: ArrayLike,
    stderr: ArrayLike,
    slope: ArrayLike,
    *,
    order: int = 2,
    replicas: int = 400,
    seed: int = 0,
) -> Band:
    """Carry the shot noise of E through the closed loop (parametric bootstrap).

    Replica b runs the feedback with E_k + (dE/ds)_k δs_k + stderr_k ξ: fresh shot noise ξ, and
    the answer of the quantum system to the replica's own phase error δs, to first order.
    ``slope`` is dE/ds at each time (shape (time,)). Var E in the band is that of the shots plus
    (dE/ds)² Var s: the measured curve may lag behind the true one by what earlier noise did to r.
    """
    times, values, stderr, slope = (
        np.asarray(x, dtype=float) for x in (times, values, stderr, slope)
    )
    rng = np.random.default_rng(seed)
    shape = (times.size, replicas)
    noise = stderr[:, None] * rng.standard_normal(shape)
    r: Array
    u: Array
    s: Array
    r, u, s = (np.full(replicas, x) for x in (start.r, start.utilisation, start.phase))
    r0, u0, s0 = np.array(start.r), np.array(start.utilisation), np.array(start.phase)
    clipped = np.clip(values, 0, 1)
    out = np.zeros((4, times.size))
    before: Array | None = None
    for k in range(times.size):
        energy = np.clip(values[k] + slope[k] * (s - s0) + noise[k], 0, 1)
        out[:, k] = (
            np.hypot(stderr[k], abs(slope[k]) * s.std()),
            r.std(),
            u.std(),
            s.std(),
        )
        if k + 1 == times.size:
            break
        dt = float(times[k + 1] - times[k])
        trend = np.zeros(replicas) if order == 1 or before is None else (energy - before) / dt
        trend0 = 0.0 if order == 1 or k == 0 else (clipped[k] - clipped[k - 1]) / dt
        r, u, ds = synapse.advance(r, u, energy, trend, dt)
        s = s + ds
        r0, u0, ds0 = synapse.advance(r0, u0, clipped[k], trend0, dt)
        s0 = s0 + ds0
        before = energy
    return Band(*out)
