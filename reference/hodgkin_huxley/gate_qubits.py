"""Exact answers for circuits in which qubits collide with ancillas: ion gates and memristors.

A gate of an ion channel is a qubit, open in |1⟩, with n = P(|1⟩). At a fixed voltage
dn/dt = α(1 − n) − βn, and a step of dt does

    n → e n + (1 − e) p,    e = exp(−(α+β)dt) = cos²φ,    p = α/(α+β)

which is a collision exp(−iφ(XX+YY)/2) (|10⟩ → cosφ|10⟩ − i sinφ|01⟩) with an ancilla that is in
|1⟩ with probability p and forgotten afterwards. The steps compose exactly only if the ancilla
brings no coherence: three forms of it are told apart.

    mixed      diag(1−p, p)
    split      two collisions, with |0⟩ and then |1⟩, that |1⟩ and |0⟩ survive with
               c₀ = e/c₁ and c₁ = 1 − p(1−e): the same map of populations
    coherent   √(1−p)|0⟩ + √p|1⟩: the same map for one step from real amplitudes; from the second
               step on the gate's own coherence interferes

A memristor qubit (Cheng, Gonzalez-Raya, Chen, Sanz and Solano, arXiv:1807.10698, propose quantum
memristors; its equations are in :mod:`qbrain.reference.hodgkin_huxley.memristor_qubits`) rotates
about Z and decays to |0⟩ at a rate γ: one step is RZ(ωδ/2), amplitude damping of angle
θ = arcsin√(1−e^{−γδ}) and RZ(ωδ/2), with RZ(a) = exp(−iaZ/2).

Conventions: Z = diag(1, −1); two qubits have the index 2·q₁ + q₀.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "GateError",
    "bloch_vectors",
    "checked_array",
    "checked_bloch",
    "damping_angles",
    "density_matrix",
    "exchange_unitary",
    "gate_populations",
    "gate_states",
    "memristor_states",
    "pair_states",
    "reduced_states",
    "relaxation",
    "split_angles",
]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

PREPARATIONS = ("coherent", "mixed")
ANCILLAS = ("mixed", "split", "coherent")


class GateError(ValueError):
    """An argument that makes no sense; the message names it."""


def checked_array(name: str, value: ArrayLike, shape: tuple[int | None, ...] | None) -> FloatArray:
    """The value as finite real numbers of a shape (None: any length; shape None: any shape).

    Raises:
        GateError: no numbers, not finite, or of another shape.
    """
    try:
        found = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise GateError(f"{name}: wanted real numbers, got {value!r}") from None
    if shape is not None and (
        found.ndim != len(shape)
        or any(w is not None and w != g for w, g in zip(shape, found.shape, strict=True))
    ):
        words = ", ".join("any" if w is None else str(w) for w in shape)
        raise GateError(f"{name}: wanted shape ({words}), got {found.shape}")
    if not np.all(np.isfinite(found)):
        raise GateError(f"{name}: wanted finite numbers, got nan or inf")
    return found


def _at_least_zero(name: str, value: ArrayLike) -> FloatArray:
    found = checked_array(name, value, None)
    if np.any(found < 0):
        raise GateError(f"{name}: wanted numbers >= 0, got {found.min():g}")
    return found


def _probabilities(name: str, value: ArrayLike, shape: tuple[int | None, ...]) -> FloatArray:
    found = checked_array(name, value, shape)
    if np.any((found < 0) | (found > 1)):
        worst = found.flat[np.argmax(np.abs(found - 0.5))]
        raise GateError(f"{name}: wanted probabilities from 0 to 1, got {worst:g}")
    return found


def _steps(
    initial: ArrayLike, angles: ArrayLike, openings: ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray]:
    n = _probabilities("initial", initial, (None,))
    phi = checked_array("angles", angles, (None, len(n)))
    return n, phi, _probabilities("openings", openings, phi.shape)


def relaxation(alpha: ArrayLike, beta: ArrayLike, dt: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """φ = arcsin√(1 − e^{−(α+β)dt}) in [0, π/2] and p = α/(α+β) of a step at a fixed voltage.

    Args:
        alpha, beta: rates of opening and of closing, >= 0, in inverse units of dt.
        dt: how long the step is, >= 0. All three broadcast.

    Returns:
        (angle φ, opening p) of the broadcast shape. Where both rates are 0, both are 0.

    Raises:
        GateError: a negative number, or one that is not finite.
    """
    opening, closing = _at_least_zero("alpha", alpha), _at_least_zero("beta", beta)
    total = opening + closing
    angle = damping_angles(total, dt)
    p = np.divide(opening, total, out=np.zeros_like(total), where=total > 0)
    return angle, np.broadcast_to(p, angle.shape)


def damping_angles(rates: ArrayLike, dt: ArrayLike) -> FloatArray:
    """θ = arcsin√(1 − e^{−γδ}): |1⟩ survives a step δ at the rate γ with cos²θ.

    Args:
        rates: γ >= 0, in inverse units of dt.
        dt: δ >= 0; the two broadcast.

    Raises:
        GateError: a negative number, or one that is not finite.
    """
    fall = _at_least_zero("rates", rates) * _at_least_zero("dt", dt)
    # of both legs, because arcsin alone loses half the digits near π/2
    return np.asarray(np.arctan2(np.sqrt(-np.expm1(-fall)), np.exp(-fall / 2)))


def split_angles(angles: ArrayLike, openings: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Angles arccos√c₀ and arccos√c₁ of the collisions with |0⟩ and with |1⟩ that split a step.

    c₁ = 1 − p sin²φ and c₀ = cos²φ/c₁ (1 where c₁ = 0, when the second collision alone decides).

    Args:
        angles: φ, any shape.
        openings: p in [0, 1], of the same shape.

    Raises:
        GateError: shapes that differ, a probability outside [0, 1], or numbers not finite.
    """
    phi = checked_array("angles", angles, None)
    p = _probabilities("openings", openings, phi.shape)
    gone = np.sin(phi) ** 2
    stay = np.cos(phi) ** 2 + (1 - p) * gone
    lost = np.divide((1 - p) * gone, stay, out=np.zeros_like(stay), where=stay > 0)
    kept = np.divide(np.cos(phi) ** 2, stay, out=np.ones_like(stay), where=stay > 0)
    first = np.arctan2(np.sqrt(lost), np.sqrt(kept))
    second = np.arctan2(np.sqrt(p * gone), np.sqrt(stay))
    return np.asarray(first), np.asarray(second)


def gate_populations(initial: ArrayLike, angles: ArrayLike, openings: ArrayLike) -> FloatArray:
    """n after every step, n → cos²φ n + sin²φ p, shape (K+1, G); the first row is the start.

    Args:
        initial: n at the start, shape (G,), in [0, 1].
        angles: φ of every step, shape (K, G).
        openings: p of every step, shape (K, G), in [0, 1].

    Raises:
        GateError: shapes that differ, a probability outside [0, 1], or numbers not finite.
    """
    n, phi, p = _steps(initial, angles, openings)
    rows = np.empty((len(phi) + 1, len(n)))
    rows[0] = n
    for k, (kept, target) in enumerate(zip(np.cos(phi) ** 2, p, strict=True)):
        rows[k + 1] = kept * rows[k] + (1 - kept) * target
    return rows


def gate_states(
    initial: ArrayLike,
    angles: ArrayLike,
    openings: ArrayLike,
    *,
    preparation: str = "coherent",
    ancilla: str = "mixed",
) -> ComplexArray:
    """The density matrix of every gate after the last step, shape (G, 2, 2).

    Gates never meet, so that their joint state is the product of these.

    Args:
        initial: n at the start, shape (G,), in [0, 1].
        angles: φ of every step, shape (K, G); K may be 0.
        openings: p of every step, shape (K, G), in [0, 1].
        preparation: coherent, RY(2 arcsin√n)|0⟩ = √(1−n)|0⟩ + √n|1⟩; or mixed, diag(1−n, n).
        ancilla: mixed, split or coherent, as at the top of this module. P(|1⟩) is that of
            :func:`gate_populations` for the first two, and for coherent where K = 1.

    Raises:
        GateError: as of :func:`gate_populations`, or a word that is not offered.
    """
    for name, word, offered in (
        ("preparation", preparation, PREPARATIONS),
        ("ancilla", ancilla, ANCILLAS),
    ):
        if word not in offered:
            raise GateError(f"{name}: wanted one of {', '.join(offered)}, got {word!r}")
    n, phi, p = _steps(initial, angles, openings)
    rho = _mixture(n) if preparation == "mixed" else _superposition(n)
    if ancilla == "split":
        first, second = split_angles(phi, p)
        passes = [(first, _mixture(np.zeros_like(p))), (second, _mixture(np.ones_like(p)))]
    else:
        passes = [(phi, _mixture(p) if ancilla == "mixed" else _superposition(p))]
    collisions = [(exchange_unitary(angle), state) for angle, state in passes]
    for k in range(len(phi)):
        for unitary, state in collisions:
            rho = _collided(rho, state[k], unitary[k])
    return rho


def _mixture(p: FloatArray) -> ComplexArray:
    rho = np.zeros((*p.shape, 2, 2), dtype=np.complex128)
    rho[..., 0, 0], rho[..., 1, 1] = 1 - p, p
    return rho


def _superposition(p: FloatArray) -> ComplexArray:
    psi = np.stack([np.sqrt(1 - p), np.sqrt(p)], axis=-1)
    return np.asarray(psi[..., :, None] * psi[..., None, :], dtype=np.complex128)


def exchange_unitary(angles: ArrayLike) -> ComplexArray:
    """exp(−iφ(XX+YY)/2) for every angle, shape (…, 4, 4)."""
    phi = checked_array("angles", angles, None)
    unitary = np.zeros((*phi.shape, 4, 4), dtype=np.complex128)
    unitary[..., 0, 0] = unitary[..., 3, 3] = 1
    unitary[..., 1, 1] = unitary[..., 2, 2] = np.cos(phi)
    unitary[..., 1, 2] = unitary[..., 2, 1] = -1j * np.sin(phi)
    return unitary


def _collided(rho: ComplexArray, ancilla: ComplexArray, unitary: ComplexArray) -> ComplexArray:
    """The first qubit's state after a unitary on it (index 2·) and an ancilla that is forgotten."""
    both = np.einsum("...ab,...cd->...acbd", rho, ancilla).reshape(*rho.shape[:-2], 4, 4)
    after = unitary @ both @ unitary.conj().swapaxes(-1, -2)
    return np.asarray(np.einsum("...acbc->...ab", after.reshape(*rho.shape[:-2], 2, 2, 2, 2)))


def checked_bloch(name: str, value: ArrayLike, shape: tuple[int, ...]) -> FloatArray:
    """Bloch vectors of length at most 1, shape (…, 3).

    Raises:
        GateError: another shape, numbers not finite, or a vector that is too long.
    """
    found = checked_array(name, value, shape)
    longest = float(np.linalg.norm(found, axis=-1).max())
    if longest > 1 + 1e-12:
        raise GateError(f"{name}: wanted Bloch vectors of length <= 1, got {longest:g}")
    return found


def density_matrix(bloch: ArrayLike) -> ComplexArray:
    """ρ = ½(1 + xX + yY + zZ), shape (…, 2, 2), of Bloch vectors of shape (…, 3)."""
    x, y, z = np.moveaxis(np.asarray(bloch, dtype=np.float64), -1, 0)
    rho = np.empty((*x.shape, 2, 2), dtype=np.complex128)
    rho[..., 0, 0], rho[..., 1, 1] = (1 + z) / 2, (1 - z) / 2
    rho[..., 0, 1], rho[..., 1, 0] = (x - 1j * y) / 2, (x + 1j * y) / 2
    return rho


def bloch_vectors(states: ArrayLike) -> FloatArray:
    """⟨X⟩, ⟨Y⟩, ⟨Z⟩ of one-qubit density matrices (…, 2, 2), shape (…, 3)."""
    rho = np.asarray(states, dtype=np.complex128)
    return np.stack(
        [2 * rho[..., 1, 0].real, 2 * rho[..., 1, 0].imag, (rho[..., 0, 0] - rho[..., 1, 1]).real],
        axis=-1,
    )


def reduced_states(states: ArrayLike) -> ComplexArray:
    """Density matrices of q₀ and q₁, shape (…, 2, 2, 2), of two-qubit ones (…, 4, 4)."""
    rho = np.asarray(states, dtype=np.complex128)
    parts = rho.reshape(*rho.shape[:-2], 2, 2, 2, 2)
    low = np.einsum("...acad->...cd", parts)
    return np.stack([low, np.einsum("...acbc->...ab", parts)], axis=-3)


def _damped(angles: FloatArray) -> ComplexArray:
    """The two Kraus operators diag(1, cosθ) and sinθ|0⟩⟨1|, shape (…, 2 operators, 2, 2)."""
    kraus = np.zeros((*angles.shape, 2, 2, 2), dtype=np.complex128)
    kraus[..., 0, 0, 0], kraus[..., 0, 1, 1] = 1, np.cos(angles)
    kraus[..., 1, 0, 1] = np.sin(angles)
    return kraus


def _step_operators(rotations: FloatArray, angles: FloatArray) -> ComplexArray:
    """Kraus operators of RZ(a/2), damping θ, RZ(a/2), shape (…, 2 operators, 2, 2)."""
    half = np.exp(np.multiply.outer(rotations, np.array([-0.25j, 0.25j])))
    return np.asarray(half[..., None, :, None] * _damped(angles) * half[..., None, None, :])


def memristor_states(initial: ArrayLike, rotations: ArrayLike, angles: ArrayLike) -> ComplexArray:
    """The memristor qubit's density matrix before the first and after every step, (K+1, 2, 2).

    Args:
        initial: its Bloch vector at the start, shape (3,).
        rotations: ωδ of every step, shape (K,).
        angles: θ of every step, shape (K,).

    Raises:
        GateError: shapes that differ, a Bloch vector too long, or numbers not finite.
    """
    start = checked_bloch("initial", initial, (3,))
    turns = checked_array("rotations", rotations, (None,))
    kraus = _step_operators(turns, checked_array("angles", angles, turns.shape))
    return _mapped(density_matrix(start), kraus)


def pair_states(
    initial: ArrayLike, rotations: ArrayLike, angles: ArrayLike, exchanges: ArrayLike
) -> ComplexArray:
    """Two coupled memristor qubits before the first and after every step, shape (K+1, 4, 4).

    A step is exp(−i(ε/2)(XX+YY)/2), on each qubit RZ(a/2), damping θ and RZ(a/2), and
    exp(−i(ε/2)(XX+YY)/2) again.

    Args:
        initial: their Bloch vectors at the start, shape (2, 3), q₀ first; a product state.
        rotations: a = ωδ of every step and qubit, shape (K, 2).
        angles: θ of every step and qubit, shape (K, 2).
        exchanges: ε = Jδ of every step, shape (K,).

    Raises:
        GateError: shapes that differ, a Bloch vector too long, or numbers not finite.
    """
    low, high = density_matrix(checked_bloch("initial", initial, (2, 3)))
    turns = checked_array("rotations", rotations, (None, 2))
    kraus = _step_operators(turns, checked_array("angles", angles, turns.shape))
    half = exchange_unitary(checked_array("exchanges", exchanges, turns.shape[:1]) / 2)
    joint = np.einsum("kmab,kncd->kmnacbd", kraus[:, 1], kraus[:, 0]).reshape(-1, 4, 4, 4)
    return _mapped(np.kron(high, low), half[:, None] @ joint @ half[:, None])


def _mapped(rho: ComplexArray, kraus: ComplexArray) -> ComplexArray:
    """ρ and its images under one set of Kraus operators after the other."""
    found = [rho]
    for operators in kraus:
        found.append((operators @ found[-1] @ operators.conj().swapaxes(-1, -2)).sum(axis=0))
    return np.array(found)
