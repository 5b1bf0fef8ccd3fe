"""The open nervous system as collisions with fresh qubits, by density matrices of all neurons.

In a step an ancilla prepared in |0⟩ meets the neurons one after the other, each time in a partial
swap, and is thrown away; at a temperature a second one, in |1⟩, does the same:

    U_i(θ) = exp[−iθ(σ⁺_i a⁻ + σ⁻_i a⁺)],    θ_k² = ∫κ dt,    θ̃_k² = ∫κ̃ dt    over step k

so that |10⟩ → cos θ|10⟩ − i sin θ|01⟩ of neuron and ancilla (Qiskit's ``XXPlusYYGate(2θ)``). The
unitary part of a step,

    exp[−i(½∫g dt Ŝᶻ + ∫λ dt Ŝ⁺Ŝ⁻ − ∫λ̃ dt Ŝ⁻Ŝ⁺)],

is applied half before the collisions and half after them. On symmetric states the shifts are, but
for a constant, −(∫λ − ∫λ̃)J_z² + (∫λ + ∫λ̃)J_z with J_z = Ŝᶻ/2, terms of single and pairs of neurons
that all commute: ``shift="ising"``.

Where the steps get short the order of the neurons decides what equation they tend to, since two
collisions do not commute:

    fixed         1 … N in every step. An ancilla carries what neuron 1 emits to neuron 2 and never
                  back: the cascaded master equation, whose Hamiltonian has another
                  ((κ − κ̃)/2i) Σ_{i<j} (σ⁺_j σ⁻_i − σ⁺_i σ⁻_j), however short the steps.
    alternating   1 … N in even steps, N … 1 in odd ones, the |0⟩ ancilla first and last: the
                  collective master equation of :mod:`qbrain.reference.open_system`, with an error
                  of first order in the step.
    palindromic   1 … N and back to 1 at half the angle with the same ancilla: the same.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from .bath_kernels import ComplexArray, FloatArray
from .master_equation import OpenSystemError, Start, dicke_state, dicke_to_qubits

__all__ = [
    "CollisionError",
    "collision_spins",
    "collision_states",
    "excitation_histogram",
    "trace_distance",
]

Order = Literal["alternating", "fixed", "palindromic"]
Shift = Literal["collective", "ising"]

_MOST = 5


class CollisionError(ValueError):
    """A request about the collision model that makes no sense."""


def collision_states(
    neurons: int,
    angles: ArrayLike,
    start: Start | ArrayLike,
    *,
    angles_up: ArrayLike | None = None,
    shifts: ArrayLike | None = None,
    shifts_tilde: ArrayLike | None = None,
    rotations: ArrayLike | None = None,
    order: Order = "alternating",
    shift: Shift = "collective",
) -> ComplexArray:
    """The neurons' density matrix before the first step and after each.

    Args:
        neurons: N from 1 to 5.
        angles: θ_k = √∫κ of the collisions with the |0⟩ ancilla, in rad, shape (steps,).
        start: as of :func:`qbrain.reference.open_system.dicke_state`, or a state vector (2^N,) or
            density matrix (2^N, 2^N); neuron i is bit i of the index, Qiskit's order. Two real
            numbers are angles.
        angles_up: θ̃_k = √∫κ̃ of those with the |1⟩ ancilla, shape (steps,); none at zero
            temperature.
        shifts: ∫λ over each step, shape (steps,).
        shifts_tilde: ∫λ̃ over each step, shape (steps,).
        rotations: ∫g over each step, shape (steps,).
        order: of the neurons, see above.
        shift: ``collective`` for Ŝ⁺Ŝ⁻ and Ŝ⁻Ŝ⁺, ``ising`` for what they are on symmetric states.

    Returns:
        ρ, shape (steps + 1, 2^N, 2^N).

    Raises:
        CollisionError: an argument that makes no sense; the message names it.
    """
    if isinstance(neurons, bool) or not isinstance(neurons, int | np.integer):
        raise CollisionError(f"neurons: wanted an integer from 1 to {_MOST}, got {neurons!r}")
    if not 1 <= neurons <= _MOST:
        raise CollisionError(f"neurons: wanted an integer from 1 to {_MOST}, got {neurons}")
    if order not in get_args(Order):
        raise CollisionError(f"order: wanted one of {', '.join(get_args(Order))}, got {order!r}")
    if shift not in get_args(Shift):
        raise CollisionError(f"shift: wanted collective or ising, got {shift!r}")
    down = _checked_steps("angles", angles, None)
    up = _checked_steps("angles_up", angles_up, len(down))
    lam = _checked_steps("shifts", shifts, len(down))
    lam_tilde = _checked_steps("shifts_tilde", shifts_tilde, len(down))
    turns = _checked_steps("rotations", rotations, len(down))
    swaps = [_swap(neurons, i) for i in range(neurons)]
    drift = _Drift(neurons, shift)
    states = np.empty((len(down) + 1, 2**neurons, 2**neurons), dtype=np.complex128)
    states[0] = rho = _checked_start(int(neurons), start)
    for k in range(len(down)):
        half = drift.unitary(turns[k] / 2, lam[k] / 2, lam_tilde[k] / 2)
        rho = half @ rho @ half.conj().T
        backwards = order == "alternating" and k % 2 == 1
        ancillas = [(0, down[k])] + ([(1, up[k])] if angles_up is not None else [])
        for prepared, angle in reversed(ancillas) if backwards else ancillas:
            rho = _collided(rho, swaps, prepared, angle, order, backwards)
        states[k + 1] = rho = half @ rho @ half.conj().T
    return states


def collision_spins(states: ArrayLike) -> FloatArray:
    """m = ⟨σ⟩ averaged over the neurons, shape (…, 3), of density matrices (…, 2^N, 2^N).

    Raises:
        CollisionError: another shape.
    """
    rho, neurons = _checked_states(states)
    minus = sum((_lowering(neurons, i) for i in range(neurons)), np.zeros(rho.shape[-2:]))
    lowered = np.einsum("ab,...ba->...", minus, rho) / neurons
    z = np.einsum("...aa,a->...", rho, 2 * _counts(neurons) / neurons - 1).real
    return np.stack([2 * lowered.real, -2 * lowered.imag, z], axis=-1)


def excitation_histogram(states: ArrayLike) -> FloatArray:
    """Probabilities of 0 … N active neurons, shape (…, N+1), of density matrices (…, 2^N, 2^N).

    Raises:
        CollisionError: another shape.
    """
    rho, neurons = _checked_states(states)
    which = _counts(neurons)[:, None] == np.arange(neurons + 1)
    return np.asarray(np.einsum("...aa,an->...n", rho, which).real)


def trace_distance(first: ArrayLike, second: ArrayLike) -> FloatArray:
    """½ Tr|ρ − σ|, shape (…), of density matrices (…, d, d)."""
    difference = np.asarray(first, np.complex128) - np.asarray(second, np.complex128)
    return np.asarray(np.abs(np.linalg.eigvalsh(difference)).sum(axis=-1) / 2)


class _Drift:
    """The unitary part of a step."""

    def __init__(self, neurons: int, shift: Shift) -> None:
        self._spin = _counts(neurons) - neurons / 2
        self._ising = shift == "ising"
        minus = sum((_lowering(neurons, i) for i in range(neurons)), np.zeros((1, 1)))
        emit, absorb = minus.T @ minus, minus @ minus.T
        # the two commute, as functions of J² and J_z: one basis for both
        _, self._basis = np.linalg.eigh(emit + np.sqrt(2) * absorb)
        self._emit = np.diag(self._basis.T @ emit @ self._basis)
        self._absorb = np.diag(self._basis.T @ absorb @ self._basis)

    def unitary(self, rotation: float, shift: float, shift_tilde: float) -> ComplexArray:
        z = self._spin
        if self._ising:
            phase = (rotation + shift + shift_tilde) * z - (shift - shift_tilde) * z**2
            return np.asarray(np.diag(np.exp(-1j * phase)))
        turned = np.exp(-1j * (shift * self._emit - shift_tilde * self._absorb))
        shifted = (self._basis * turned) @ self._basis.T
        return np.asarray(np.exp(-1j * rotation * z)[:, None] * shifted)


def _collided(
    rho: ComplexArray,
    swaps: list[FloatArray],
    prepared: int,
    angle: float,
    order: Order,
    backwards: bool,
) -> ComplexArray:
    """ρ after one ancilla, prepared in |0⟩ or |1⟩, has met all neurons."""
    sequence = swaps[::-1] if backwards else swaps
    if order == "palindromic":
        sequence, angle = [*swaps, *swaps[::-1]], angle / 2
    d = len(rho)
    kraus: ComplexArray = np.eye(2 * d, dtype=np.complex128)[:, prepared * d : (prepared + 1) * d]
    for swap in sequence:
        exchanged = swap @ kraus
        # swap² projects on what is swapped: exp(−iθV) = 1 + (cos θ − 1)V² − i sin θ V
        kraus = kraus + (np.cos(angle) - 1) * (swap @ exchanged) - 1j * np.sin(angle) * exchanged
    after = (kraus[:d], kraus[d:])
    return np.asarray(sum(part @ rho @ part.conj().T for part in after))


def _swap(neurons: int, i: int) -> FloatArray:
    """σ⁺_i a⁻ + σ⁻_i a⁺ with the ancilla as the highest bit."""
    lower = _lowering(neurons, i)
    ancilla = np.array([[0.0, 1.0], [0.0, 0.0]])
    return np.asarray(np.kron(ancilla, lower.T) + np.kron(ancilla.T, lower))


def _lowering(neurons: int, i: int) -> FloatArray:
    """σ⁻ = |0⟩⟨1| of neuron i, bit i of the index."""
    single = np.array([[0.0, 1.0], [0.0, 0.0]])
    return np.asarray(np.kron(np.kron(np.eye(2 ** (neurons - 1 - i)), single), np.eye(2**i)))


def _counts(neurons: int) -> FloatArray:
    """Active neurons of each basis state."""
    return np.array([index.bit_count() for index in range(2**neurons)], dtype=np.float64)


def _checked_steps(name: str, values: ArrayLike | None, steps: int | None) -> FloatArray:
    if values is None and steps is not None:
        return np.zeros(steps)
    row = np.asarray(values, dtype=np.float64)
    wanted = "(steps,)" if steps is None else f"({steps},)"
    if row.ndim != 1 or (steps is not None and len(row) != steps):
        raise CollisionError(f"{name}: wanted shape {wanted}, got {row.shape}")
    if not np.all(np.isfinite(row)):
        raise CollisionError(f"{name}: wanted finite numbers, got {row[~np.isfinite(row)][0]}")
    return row


def _checked_start(neurons: int, start: Start | ArrayLike) -> ComplexArray:
    size = 2**neurons
    if not isinstance(start, str | int | np.integer):
        given = np.asarray(start)
        if given.shape == (size,) and (size != 2 or np.iscomplexobj(given)):
            given = np.outer(given, given.conj())
        if given.shape == (size, size):
            rho = given.astype(np.complex128)
            even = np.abs(rho - rho.conj().T).max() <= 1e-9
            if not even or abs(np.trace(rho) - 1) > 1e-9 or np.linalg.eigvalsh(rho)[0] < -1e-9:
                raise CollisionError("start: wanted a normalised state, got one that is not")
            return rho
        if given.shape != (2,):
            raise CollisionError(
                f"start: wanted a symmetric start or shape ({size},) or ({size}, {size}), "
                f"got {given.shape}"
            )
    try:
        amplitudes = dicke_state(neurons, start)  # type: ignore[arg-type]
    except OpenSystemError as problem:
        raise CollisionError(str(problem)) from problem
    return dicke_to_qubits(np.outer(amplitudes, amplitudes.conj()))


def _checked_states(states: ArrayLike) -> tuple[ComplexArray, int]:
    rho = np.asarray(states, dtype=np.complex128)
    neurons = rho.shape[-1].bit_length() - 1 if rho.ndim >= 2 else 0
    if neurons < 1 or rho.shape[-2:] != (2**neurons, 2**neurons):
        raise CollisionError(f"states: wanted shape (…, 2^N, 2^N), got {rho.shape}")
    return rho, neurons
