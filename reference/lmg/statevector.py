"""Dense 2^N states of the Lipkin-Meshkov-Glick (LMG) brain, from Pauli actions on index arrays.

    H = -(g/N)[(1+γ) J_x² + (1-γ) J_y²] - h J_z,    J_a = ½ Σ_j σ_j^a,    ħ = 1,

with the sign of ``J_z`` turned so that it counts activity: |1⟩ is an active neuron and
``J_z = n - N/2`` on a state of ``n`` ones (in the Pauli matrices' own sign, ``-½ ΣZ``).
Neuron ``j`` is bit ``j`` of the state's index, bit 0 the least significant.

Everything here is arithmetic on ``x``, ``x ^ mask`` and the parity of ``popcount(x & mask)``:
no circuit library, and nothing of the Dicke-basis solver, so that it can convict both.

One step is given by two dimensionless numbers, ``phase = ∫ g dt`` and ``field_phase = h dt``.
Global phases are kept: the formulas include the constants that pairs of Pauli matrices leave out.

Sources: H. J. Lipkin, N. Meshkov, A. J. Glick, Nucl. Phys. 62, 188 (1965); J. J. Torres and
E. Romera, arXiv:2602.16003, Eq. (1); M. Suzuki, Phys. Lett. A 146, 319 (1990); for the Chebyshev
propagator H. Tal-Ezer and R. Kosloff, J. Chem. Phys. 81, 3967 (1984).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from numbers import Integral
from typing import Literal, TypeVar, get_args

import numpy as np
import numpy.typing as npt
from scipy.special import jv

__all__ = [
    "MAX_NEURONS",
    "Axis",
    "Form",
    "Splitting",
    "StatevectorError",
    "collective_rotation",
    "collective_twist",
    "dicke_state",
    "exact",
    "exact_steps",
    "excitation_populations",
    "excitation_values",
    "hamiltonian_action",
    "pair_rotation",
    "product_formula",
    "product_formula_steps",
    "symmetric_weight",
]

Axis = Literal["x", "y", "z"]
Form = Literal["xx+yy", "xx+zz"]
Splitting = Literal["collective", "pairwise"]
State = npt.NDArray[np.complex128]
_T = TypeVar("_T", np.float64, np.complex128)

MAX_NEURONS = 22  # 64 MiB a state


class StatevectorError(ValueError):
    """An argument that the dense reference cannot take; the message names it."""


# ------------------------------------------------------------------------------ index arrays


@lru_cache(maxsize=8)
def _indices(neurons: int) -> npt.NDArray[np.int64]:
    indices = np.arange(1 << neurons, dtype=np.int64)
    indices.setflags(write=False)
    return indices


@lru_cache(maxsize=8)
def _ones(neurons: int) -> npt.NDArray[np.int64]:
    ones = np.bitwise_count(_indices(neurons)).astype(np.int64)
    ones.setflags(write=False)
    return ones


def _sign(neurons: int, mask: int) -> npt.NDArray[np.float64]:
    """Return (-1)^popcount(x & mask), the eigenvalue of the Z string ``mask``."""
    signs: npt.NDArray[np.float64] = 1.0 - 2.0 * (np.bitwise_count(_indices(neurons) & mask) & 1)
    return signs


@lru_cache(maxsize=4)
def _walsh_matrix(bits: int) -> npt.NDArray[np.float64]:
    indices = _indices(bits)
    odd = np.bitwise_count(indices[:, None] & indices[None, :]) & 1
    matrix = np.where(odd, -1.0, 1.0)
    matrix.setflags(write=False)
    return matrix


def _walsh(state: State, neurons: int) -> State:
    """Exchange the Z and the X basis on every neuron; twice is 2^N, exact in floating point."""
    low = neurons // 2
    block = state.reshape(1 << (neurons - low), 1 << low)
    turned = _walsh_matrix(neurons - low) @ block @ _walsh_matrix(low)
    return turned.reshape(-1)


def _neurons_of(states: npt.NDArray[np.complex128]) -> int:
    size = states.shape[-1] if states.ndim else 0
    neurons = int(size).bit_length() - 1
    if neurons < 1 or size != 1 << neurons:
        raise StatevectorError(f"states: wanted a last axis of length 2^N, N >= 1, got {size}")
    return neurons


# ------------------------------------------------------------------------------ states


def dicke_state(neurons: int, n: int) -> State:
    """Return the Dicke state of ``n`` active neurons, shape (2^N,).

    The equal, positive superposition of all C(N, n) bit strings with ``n`` ones.

    Raises:
        StatevectorError: ``neurons`` not in 1..MAX_NEURONS, or ``n`` not in 0..N.
    """
    neurons = _check_neurons(neurons)
    if isinstance(n, bool) or not isinstance(n, Integral) or not 0 <= n <= neurons:
        raise StatevectorError(f"n: wanted an integer in 0..{neurons}, got {n!r}")
    return np.where(_ones(neurons) == n, 1 / math.sqrt(math.comb(neurons, int(n))), 0.0).astype(
        np.complex128
    )


def excitation_values(neurons: int) -> npt.NDArray[np.float64]:
    """Return E = popcount(x)/N of every bit string x, shape (2^N,): the mean activity."""
    neurons = _check_neurons(neurons)
    return _ones(neurons) / neurons


def excitation_populations(states: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the probabilities of n = 0..N ones in states (..., 2^N), shape (..., N+1).

    Raises:
        StatevectorError: the last axis is not a power of two.
    """
    vectors = np.asarray(states, dtype=np.complex128)
    neurons = _neurons_of(vectors)
    return _sum_by_ones(vectors.real**2 + vectors.imag**2, neurons)


def symmetric_weight(states: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the weight Σ_n |⟨Dicke n|ψ⟩|² in the symmetric subspace, shape (...) for (..., 2^N).

    Raises:
        StatevectorError: the last axis is not a power of two.
    """
    vectors = np.asarray(states, dtype=np.complex128)
    neurons = _neurons_of(vectors)
    sums = _sum_by_ones(vectors, neurons)
    strings = np.array([math.comb(neurons, n) for n in range(neurons + 1)], dtype=np.float64)
    return np.asarray(((sums.real**2 + sums.imag**2) / strings).sum(axis=-1))


def _sum_by_ones(values: npt.NDArray[_T], neurons: int) -> npt.NDArray[_T]:
    ones = _ones(neurons)
    order = np.argsort(ones, kind="stable")
    starts = np.searchsorted(ones[order], np.arange(neurons + 1))
    return np.add.reduceat(values[..., order], starts, axis=-1)


# ------------------------------------------------------------------------------ single layers


def pair_rotation(state: npt.ArrayLike, axis: Axis, i: int, j: int, angle: float) -> State:
    """Return exp(-i angle/2 σ_i^a σ_j^a) |state⟩ for two different neurons; shape (2^N,).

    Raises:
        StatevectorError: the same neuron twice, a neuron out of range, an unknown axis.
    """
    vector = np.asarray(state, dtype=np.complex128)
    neurons = _neurons_of(vector)
    _check_choice("axis", axis, get_args(Axis))
    if i == j or not (0 <= i < neurons and 0 <= j < neurons):
        raise StatevectorError(f"pair: wanted two different neurons below {neurons}, got {(i, j)}")
    mask = (1 << i) | (1 << j)
    if axis == "z":
        phases: State = np.exp(-0.5j * angle * _sign(neurons, mask))
        return phases * vector
    flipped = vector[_indices(neurons) ^ mask]
    if axis == "y":
        # Y|b⟩ = i(-1)^b |1-b⟩; the two factors i give the minus sign
        flipped = -_sign(neurons, mask) * flipped
    result: State = math.cos(angle / 2) * vector - 1j * math.sin(angle / 2) * flipped
    return result


def collective_twist(state: npt.ArrayLike, axis: Axis, angle: float) -> State:
    """Return exp(i angle J_a²) |state⟩, shape (2^N,).

    Diagonal in the basis of the axis, reached by a Walsh-Hadamard transform (and, for y,
    by the phases i^popcount that turn X into Y).
    """
    vector = np.asarray(state, dtype=np.complex128)
    neurons = _neurons_of(vector)
    _check_choice("axis", axis, get_args(Axis))
    diagonal: State = np.exp(1j * angle * (_ones(neurons) - neurons / 2) ** 2)
    if axis == "z":
        return diagonal * vector
    diagonal /= 1 << neurons
    if axis == "x":
        return _walsh(diagonal * _walsh(vector, neurons), neurons)
    quarter: State = np.array([1, 1j, -1, -1j])[_ones(neurons) & 3]
    turned = _walsh(quarter.conj() * vector, neurons)
    return quarter * _walsh(diagonal * turned, neurons)


def collective_rotation(state: npt.ArrayLike, angle: float) -> State:
    """Return exp(i angle J_z) |state⟩ with J_z = n - N/2, shape (2^N,): the field's layer."""
    vector = np.asarray(state, dtype=np.complex128)
    neurons = _neurons_of(vector)
    result: State = np.exp(1j * angle * (_ones(neurons) - neurons / 2)) * vector
    return result


# ------------------------------------------------------------------------------ product formulas


class _Formula:
    """One step of a product formula, applied to a state."""

    def __init__(
        self,
        neurons: int,
        gamma: float,
        form: Form,
        pairs: Sequence[tuple[int, int]] | None,
    ) -> None:
        self.neurons = neurons
        self.pairs = pairs
        self.zz = form == "xx+zz"
        # weights of J_x² and of the second square in -H N/g
        self.first = 2 * gamma if self.zz else 1 + gamma
        self.second = -(1 - gamma) if self.zz else 1 - gamma
        # J_a² = N/4 + ½ΣPP, and (1-γ)J² = (1-γ) N/2 (N/2+1) in the symmetric subspace
        self.squares = (self.first + self.second) / 4
        self.casimir = (1 - gamma) * (neurons + 2) / 4 if self.zz else 0.0

    def step(self, state: State, phase: float, field: float, order: int, index: int) -> State:
        if order == 4:
            inner = 1 / (4 - 4 ** (1 / 3))
            for part in (inner, inner, 1 - 4 * inner, inner, inner):
                state = self.step(state, part * phase, part * field, 2, index)
            return state
        if self.pairs is not None:
            return self._pairwise(state, phase, field, order, index)
        state = np.exp(1j * self.casimir * phase) * state
        if order == 1:
            state = self._twist(state, "x", phase)
            state = self._twist(state, "z" if self.zz else "y", phase)
            return collective_rotation(state, field)
        state = collective_rotation(state, field / 2)
        state = self._twist(state, "z" if self.zz else "y", phase / 2)
        state = self._twist(state, "x", phase)
        state = self._twist(state, "z" if self.zz else "y", phase / 2)
        return collective_rotation(state, field / 2)

    def _twist(self, state: State, axis: Axis, phase: float) -> State:
        weight = self.first if axis == "x" else self.second
        if weight == 0.0:
            return state
        return collective_twist(state, axis, weight * phase / self.neurons)

    def _pairwise(self, state: State, phase: float, field: float, order: int, index: int) -> State:
        assert self.pairs is not None
        state = np.exp(1j * (self.casimir + self.squares) * phase) * state
        if order == 1:
            sequence = self.pairs if index % 2 == 0 else self.pairs[::-1]
            return collective_rotation(self._sweep(state, sequence, phase), field)
        state = collective_rotation(state, field / 2)
        state = self._sweep(state, self.pairs, phase / 2)
        state = self._sweep(state, self.pairs[::-1], phase / 2)
        return collective_rotation(state, field / 2)

    def _sweep(self, state: State, pairs: Sequence[tuple[int, int]], phase: float) -> State:
        for i, j in pairs:
            state = pair_rotation(state, "x", i, j, -self.first * phase / self.neurons)
            if self.second != 0.0:
                axis: Axis = "z" if self.zz else "y"
                state = pair_rotation(state, axis, i, j, -self.second * phase / self.neurons)
        return state


def product_formula_steps(
    neurons: int,
    gamma: float,
    phases: npt.ArrayLike,
    field_phases: npt.ArrayLike = 0.0,
    *,
    order: int = 2,
    initial: int | npt.ArrayLike = 0,
    form: Form = "xx+yy",
    splitting: Splitting = "collective",
    pairs: Sequence[tuple[int, int]] | None = None,
) -> Iterator[State]:
    """Yield the K+1 states that :func:`product_formula` stacks, one at a time."""
    neurons = _check_neurons(neurons)
    gamma = _check_real("gamma", gamma)
    phi, field = _check_phases(phases, field_phases)
    if order not in (1, 2, 4):
        raise StatevectorError(f"order: wanted 1, 2 or 4, got {order!r}")
    _check_choice("form", form, get_args(Form))
    _check_choice("splitting", splitting, get_args(Splitting))
    formula = _Formula(neurons, gamma, form, _check_pairs(neurons, splitting, pairs))
    state = _initial_state(neurons, initial)

    def states() -> Iterator[State]:
        current = state
        yield current
        for index, (angle, turn) in enumerate(zip(phi, field, strict=True)):
            current = formula.step(current, float(angle), float(turn), order, index)
            yield current

    return states()


def product_formula(
    neurons: int,
    gamma: float,
    phases: npt.ArrayLike,
    field_phases: npt.ArrayLike = 0.0,
    *,
    order: int = 2,
    initial: int | npt.ArrayLike = 0,
    form: Form = "xx+yy",
    splitting: Splitting = "collective",
    pairs: Sequence[tuple[int, int]] | None = None,
) -> State:
    """Return the states of a product formula before the first and after each of K steps.

    With φ = phase and f = field_phase of a step, layers in the order in which they act:

    ``collective``
        order 1: exp(i(1+γ)φ/N J_x²), exp(i(1-γ)φ/N J_y²), exp(i f J_z);
        order 2 (Strang): Z(f/2), Y²(φ/2), X²(φ), Y²(φ/2), Z(f/2);
        order 4 (Suzuki): order 2 with (φ, f) scaled by p, p, 1-4p, p, p, p = 1/(4-4^⅓).
    ``pairwise``
        a sweep is ∏ exp(i φ/(2N) [(1+γ)XX + (1-γ)YY]) over ``pairs`` in their order;
        order 1: the sweep, reversed in every second step, then Z(f);
        order 2: Z(f/2), sweep(φ/2), reversed sweep(φ/2), Z(f/2); order 4 as above.
    ``form="xx+zz"``
        (1+γ)J_x² + (1-γ)J_y² = 2γJ_x² - (1-γ)J_z² + (1-γ)J²: J_y² gives way to J_z², and J² is
        a constant in the symmetric subspace (its value N/2(N/2+1) is used for every state).

    Args:
        neurons: N, 1..MAX_NEURONS.
        gamma: γ, the anisotropy (any finite number).
        phases: shape (K,), ∫ g dt of each step, dimensionless.
        field_phases: h dt of each step, shape (K,) or one number for all.
        order: 1, 2 or 4.
        initial: the number of ones of a Dicke state, or a normalised vector (2^N,).
        form: ``xx+yy`` or ``xx+zz``.
        splitting: ``collective`` or ``pairwise``.
        pairs: with ``pairwise`` only: every pair of neurons once, in the order of the sweep.

    Returns:
        Complex array of shape (K+1, 2^N).

    Raises:
        StatevectorError: any argument outside what is said here, nan and inf included.
    """
    return np.stack(
        list(
            product_formula_steps(
                neurons,
                gamma,
                phases,
                field_phases,
                order=order,
                initial=initial,
                form=form,
                splitting=splitting,
                pairs=pairs,
            )
        )
    )


# ------------------------------------------------------------------------------ exact evolution


def hamiltonian_action(state: npt.ArrayLike, gamma: float, phase: float, field: float) -> State:
    """Return (H dt) |state⟩ for ``phase`` = g dt and ``field`` = h dt; shape (2^N,).

    J_x and J_y act one neuron at a time: (Xψ)(x) = ψ(x ^ bit), (Yψ)(x) = ±i ψ(x ^ bit).
    """
    vector = np.asarray(state, dtype=np.complex128)
    neurons = _neurons_of(vector)
    result = -field * (_ones(neurons) - neurons / 2) * vector
    if phase != 0.0:
        if gamma != -1.0:
            twice = _ladder_sum(_ladder_sum(vector, neurons, "x"), neurons, "x")
            result -= (1 + gamma) * phase / neurons * twice
        if gamma != 1.0:
            twice = _ladder_sum(_ladder_sum(vector, neurons, "y"), neurons, "y")
            result -= (1 - gamma) * phase / neurons * twice
    return result


def _ladder_sum(vector: State, neurons: int, axis: Axis) -> State:
    """Return J_x or J_y times ``vector``."""
    total = np.zeros_like(vector)
    for bit in range(neurons):
        # axes: higher bits, this bit, lower bits; flipping the middle one is x ^ bit
        source = vector.reshape(-1, 2, 1 << bit)
        target = total.reshape(-1, 2, 1 << bit)
        if axis == "x":
            target += source[:, ::-1]
        else:
            target[:, 0] -= 1j * source[:, 1]
            target[:, 1] += 1j * source[:, 0]
    return total / 2


def _spectral_interval(
    neurons: int, gamma: float, phase: float, field: float
) -> tuple[float, float]:
    """Bounds on the eigenvalues of H dt."""
    low = -abs(field) * neurons / 2
    high = -low
    for weight in (1 + gamma, 1 - gamma):
        edge = -weight * phase * neurons / 4
        low += min(edge, 0.0)
        high += max(edge, 0.0)
    return low, high


def _propagate(state: State, gamma: float, phase: float, field: float) -> State:
    """Return exp(-i H dt) |state⟩ by a Chebyshev series cut at rounding error."""
    low, high = _spectral_interval(_neurons_of(state), gamma, phase, field)
    centre, radius = (high + low) / 2, (high - low) / 2
    # so little turns no amplitude beyond rounding, and must not be divided by
    if radius < 1e-200:
        return state * complex(math.cos(centre), -math.sin(centre))
    terms = math.ceil(radius + 10 * radius ** (1 / 3) + 30)
    weights = jv(np.arange(terms), radius)
    # the tail falls faster than exponentially; one term past rounding is enough
    terms = max(2, int(np.flatnonzero(np.abs(weights) > 1e-18)[-1]) + 1)

    def scaled(vector: State) -> State:
        return (hamiltonian_action(vector, gamma, phase, field) - centre * vector) / radius

    before, current = state, scaled(state)
    result: State = weights[0] * before - 2j * weights[1] * current
    for k in range(2, terms):
        before, current = current, 2 * scaled(current) - before
        result += 2 * (-1j) ** (k % 4) * weights[k] * current
    return result * complex(math.cos(centre), -math.sin(centre))


def exact_steps(
    neurons: int,
    gamma: float,
    phases: npt.ArrayLike,
    field_phases: npt.ArrayLike = 0.0,
    initial: int | npt.ArrayLike = 0,
) -> Iterator[State]:
    """Yield the K+1 states that :func:`exact` stacks, one at a time."""
    neurons = _check_neurons(neurons)
    gamma = _check_real("gamma", gamma)
    phi, field = _check_phases(phases, field_phases)
    state = _initial_state(neurons, initial)

    def states() -> Iterator[State]:
        current = state
        yield current
        for angle, turn in zip(phi, field, strict=True):
            current = _propagate(current, gamma, float(angle), float(turn))
            yield current

    return states()


def exact(
    neurons: int,
    gamma: float,
    phases: npt.ArrayLike,
    field_phases: npt.ArrayLike = 0.0,
    initial: int | npt.ArrayLike = 0,
) -> State:
    """Return the states under piecewise-constant H, before the first and after each of K steps.

    ψ_{k+1} = exp(i{φ_k/N [(1+γ)J_x² + (1-γ)J_y²] + f_k J_z}) ψ_k, to rounding error.

    Args:
        neurons: N, 1..MAX_NEURONS.
        gamma: γ, the anisotropy (any finite number).
        phases: shape (K,), φ_k = g_k dt, dimensionless.
        field_phases: f_k = h dt, shape (K,) or one number for all.
        initial: the number of ones of a Dicke state, or a normalised vector (2^N,).

    Returns:
        Complex array of shape (K+1, 2^N).

    Raises:
        StatevectorError: any argument outside what is said here, nan and inf included.
    """
    return np.stack(list(exact_steps(neurons, gamma, phases, field_phases, initial)))


# ------------------------------------------------------------------------------ arguments


def _check_neurons(neurons: int) -> int:
    if (
        isinstance(neurons, bool)
        or not isinstance(neurons, Integral)
        or not 1 <= neurons <= MAX_NEURONS
    ):
        raise StatevectorError(
            f"neurons: wanted an integer in 1..{MAX_NEURONS} (a dense vector), got {neurons!r}"
        )
    return int(neurons)


def _check_real(name: str, value: float) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise StatevectorError(f"{name}: wanted a finite number, got {value!r}")
    return number


def _check_choice(name: str, value: str, wanted: tuple[str, ...]) -> None:
    if value not in wanted:
        raise StatevectorError(f"{name}: wanted one of {', '.join(wanted)}, got {value!r}")


def _check_phases(
    phases: npt.ArrayLike, field_phases: npt.ArrayLike
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    phi = np.asarray(phases, dtype=np.float64)
    field = np.asarray(field_phases, dtype=np.float64)
    if phi.ndim != 1:
        raise StatevectorError(f"phases: wanted one axis (steps), got shape {phi.shape}")
    if field.ndim == 0:
        field = np.broadcast_to(field, phi.shape)
    if field.shape != phi.shape:
        raise StatevectorError(
            f"field_phases: wanted one number or shape {phi.shape}, got {field.shape}"
        )
    for name, values in (("phases", phi), ("field_phases", field)):
        if not np.isfinite(values).all():
            raise StatevectorError(f"{name}: wanted finite numbers, got nan or inf")
    return phi, field


def _check_pairs(
    neurons: int, splitting: Splitting, pairs: Sequence[tuple[int, int]] | None
) -> list[tuple[int, int]] | None:
    if splitting == "collective":
        if pairs is not None:
            raise StatevectorError("pairs: only splitting 'pairwise' takes a pair sequence")
        return None
    if pairs is None:
        raise StatevectorError("pairs: splitting 'pairwise' wants the pair sequence, got None")
    wanted = {(i, j) for j in range(neurons) for i in range(j)}
    if len(pairs) != len(wanted) or {(min(p), max(p)) for p in pairs} != wanted:
        raise StatevectorError(
            f"pairs: wanted each of the {len(wanted)} pairs of {neurons} neurons once, "
            f"got {list(pairs)}"
        )
    return [(int(i), int(j)) for i, j in pairs]


def _initial_state(neurons: int, initial: int | npt.ArrayLike) -> State:
    if isinstance(initial, Integral):
        return dicke_state(neurons, int(initial))
    vector = np.array(initial, dtype=np.complex128)
    if vector.shape != (1 << neurons,):
        raise StatevectorError(
            f"initial: wanted a number of ones or shape ({1 << neurons},), got {vector.shape}"
        )
    if not abs(float(np.linalg.norm(vector)) - 1.0) < 1e-8:
        raise StatevectorError(f"initial: wanted norm 1, got {np.linalg.norm(vector)}")
    return vector
