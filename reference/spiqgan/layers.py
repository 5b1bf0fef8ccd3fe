"""Layers of the spike generator's circuit on a batch of states, with their derivative.

A state is (2, 2^n, …): real and imaginary parts, amplitudes with qubit 0 the most significant,
then anything the states are a batch of. Its derivative undoes the gates, last to first, on the
state and on the slope at once (arXiv:2009.02823), instead of keeping the states between them.
With g the slope at a gate's output and o the output itself, as real vectors, the slope along the
angle of RY(a) is ½ Σ (g_1 o_0 − g_0 o_1) over amplitudes 0 and 1 of its qubit.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

__all__ = ["layers", "word_bits"]


def word_bits(qubits: int, dtype: Any) -> NDArray[Any]:
    """(2^qubits, qubits): bit of each qubit in each index, qubit 0 the most significant."""
    index = np.arange(2**qubits)[:, None]
    found: NDArray[Any] = (index >> (qubits - 1 - np.arange(qubits))) & 1
    return found.astype(dtype)


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def layers(
    v: jax.Array, angles: jax.Array, phases: jax.Array, order: tuple[int, ...] | None
) -> jax.Array:
    """RY on every qubit, RZ on every qubit, and amplitudes put in another order; layer by layer.

    Args:
        v: states (2, 2^n, …).
        angles: of RY in radians, (layers, n, …), broadcast against the rest of `v`.
        phases: of RZ in radians, the same.
        order: index from which each amplitude comes at a layer's end, as CNOTs would have it;
            None leaves them in their places.

    Returns:
        The states after all layers. Derivatives are by reverse mode only.
    """
    cosines, _ = _angles(v, angles, phases)
    unroll = _unroll(angles)

    def rotate_first(v: jax.Array, of: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        # the first qubit turned, then put last: after n of them all are back in their places
        c, s = of
        a, b = jnp.split(v, 2, axis=1)
        return jnp.stack([c * a - s * b, s * a + c * b], axis=2).reshape(v.shape), None

    def layer(v: jax.Array, of: tuple[jax.Array, ...]) -> tuple[jax.Array, None]:
        c, s, tc, ts = of
        re, im = jax.lax.scan(rotate_first, v, (c, s), unroll=unroll)[0]
        v = jnp.stack([tc * re - ts * im, ts * re + tc * im])
        return (v if order is None else v[:, np.array(order)]), None

    return jax.lax.scan(layer, v, cosines)[0]


def _forward(
    v: jax.Array, angles: jax.Array, phases: jax.Array, order: tuple[int, ...] | None
) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    after = layers(v, angles, phases, order)
    return after, (after, angles, phases)


def _backward(
    order: tuple[int, ...] | None, kept: tuple[jax.Array, ...], slope: jax.Array
) -> tuple[jax.Array, ...]:
    v, angles, phases = kept
    cosines, signs = _angles(v, angles, phases)
    unroll = _unroll(angles)

    def turn_last(both: jax.Array, of: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        # the inverse of `rotate_first`, on the state (two parts) and on its slope (two more)
        c, s = of
        split = both.reshape(4, -1, 2, *both.shape[2:])
        a, b = split[:, :, 0], split[:, :, 1]
        products = (b[2:] * a[:2] - a[2:] * b[:2]).reshape(a.shape[1] * 2, -1)
        # as a product of matrices several times faster than as a sum
        along = (jnp.full(len(products), 0.5, v.dtype) @ products).reshape(a.shape[2:])
        return jnp.concatenate([c * a + s * b, c * b - s * a], axis=1), _summed(along, c.shape)

    def layer(
        both: jax.Array, of: tuple[jax.Array, ...]
    ) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
        c, s, tc, ts = of
        if order is not None:
            both = both[:, np.argsort(order)]
        vr, vi, gr, gi = both
        turned = _summed(gi * vr - gr * vi, tc.shape)
        both = jnp.stack(
            [tc * vr + ts * vi, tc * vi - ts * vr, tc * gr + ts * gi, tc * gi - ts * gr]
        )
        both, along = jax.lax.scan(turn_last, both, (c, s), reverse=True, unroll=unroll)
        return both, (along, turned)

    start = jnp.concatenate([v, slope])
    both, (along, turned) = jax.lax.scan(layer, start, cosines, reverse=True)
    of_phases = jnp.moveaxis(jnp.tensordot(turned, signs, axes=([1], [0])), -1, 1)
    return both[2:], along, of_phases


layers.defvjp(_forward, _backward)


def _angles(
    v: jax.Array, angles: jax.Array, phases: jax.Array
) -> tuple[tuple[jax.Array, ...], jax.Array]:
    """cos and sin of half of RY's angles and of the phase of each amplitude; ±½ by bit."""
    signs = jnp.asarray(word_bits(angles.shape[1], v.dtype) - 0.5)
    turns = jnp.tensordot(phases, signs, axes=([1], [1]))  # (layers, …, 2^n)
    turns = jnp.moveaxis(turns, -1, 1)
    return (jnp.cos(angles / 2), jnp.sin(angles / 2), jnp.cos(turns), jnp.sin(turns)), signs


def _unroll(angles: jax.Array) -> int:
    """Gates a round of the inner loop: XLA is fastest on processors where two rounds are left."""
    return max(1, angles.shape[1] // 2)


def _summed(values: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Summed over the axes along which `shape` was broadcast."""
    axes = tuple(i for i, size in enumerate(shape) if size != values.shape[i])
    return values.sum(axis=axes, keepdims=True)
