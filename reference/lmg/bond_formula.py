"""Product formula of the sector Hamiltonian, split by bonds of the chain n, n+2, n+4, …

In a parity sector H is tridiagonal in n: a diagonal D and hops between neighbours. Bond i joins
the i-th state to the next (i = 0, 1, …); its class b is the number of trailing zeros of
i + 1 + offset. Bonds of one class share no state, so the exponential of a class is a set of 2×2
rotations. With the i-th state stored as word i + offset of the reflected Gray code, class b is
what flips bit b.

    order 1: D, class 0, class 1, …;   order 2: D½, 0½, 1½, …, last, …, 1½, 0½, D½
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .hamiltonian import (
    LMG,
    ComplexArray,
    FloatArray,
    IntArray,
    ModelError,
    coupling_band,
    field_diagonal,
    initial_excitations,
    whole,
)

__all__ = ["bond_formula_states"]


def bond_formula_states(
    model: LMG,
    initial: str | int,
    phases: ArrayLike,
    field_phases: ArrayLike,
    order: int = 2,
    *,
    offset: int = 0,
) -> ComplexArray:
    """States of the bond-split formula, one formula a step.

    Args:
        model: N and γ; its g0 and h are not used.
        initial: the Dicke state to start from.
        phases: g_k dt_k of each step, shape (K,).
        field_phases: h dt_k of each step, shape (K,) or one number.
        order: 1 or 2.
        offset: >= 0, see above.

    Returns:
        Dicke amplitudes before the first and after every step, shape (K+1, N+1).

    Raises:
        ModelError: an unknown initial state or order, lengths that differ, values not finite.
    """
    if order not in (1, 2):
        raise ModelError(f"order: wanted 1 or 2, got {order!r}")
    offset = whole("offset", offset, 0)
    phi = np.asarray(phases, dtype=np.float64)
    if phi.ndim != 1:
        raise ModelError(f"phases: wanted shape (steps,), got {phi.shape}")
    try:
        turn = np.broadcast_to(np.asarray(field_phases, dtype=np.float64), phi.shape)
    except ValueError:
        raise ModelError(
            f"field_phases: wanted one number or shape {phi.shape}, got {np.shape(field_phases)}"
        ) from None
    if not (np.all(np.isfinite(phi)) and np.all(np.isfinite(turn))):
        raise ModelError("phases: wanted finite numbers")
    start = initial_excitations(model.neurons, initial)
    parity = start % 2
    diagonal, hops = coupling_band(model.neurons, model.gamma, parity)
    tilt = field_diagonal(model.neurons, parity)
    words = np.arange(1, hops.size + 1) + offset
    classes = [
        np.flatnonzero((words & -words) == 1 << b) for b in range((hops.size + offset).bit_length())
    ]
    forward = [(-1, 1.0)] + [(b, 1.0) for b in range(len(classes))]
    layers = forward
    if order == 2:
        halves = [(b, 0.5) for b, _ in forward]
        layers = [*halves[:-1], (halves[-1][0], 1.0), *reversed(halves[:-1])]
    states = np.zeros((phi.size + 1, model.neurons + 1), dtype=np.complex128)
    state: ComplexArray = np.zeros(diagonal.size, dtype=np.complex128)
    state[start // 2] = 1.0
    states[0, parity::2] = state
    for k in range(phi.size):
        for b, weight in layers:
            if b < 0:
                state = state * np.exp(-1j * weight * (phi[k] * diagonal - turn[k] * tilt))
            else:
                state = _rotate(state, classes[b], weight * phi[k] * hops[classes[b]])
        states[k + 1, parity::2] = state
    return states


def _rotate(state: ComplexArray, bonds: IntArray, angles: FloatArray) -> ComplexArray:
    """Apply exp(-i angle (|i⟩⟨i+1| + h.c.)) to every bond i given."""
    result = state.copy()
    result[bonds] = np.cos(angles) * state[bonds] - 1j * np.sin(angles) * state[bonds + 1]
    result[bonds + 1] = np.cos(angles) * state[bonds + 1] - 1j * np.sin(angles) * state[bonds]
    return result
