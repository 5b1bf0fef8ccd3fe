"""The critic of spike patterns, and what it and the generator are trained on.

A Wasserstein GAN with gradient penalty (Gulrajani et al., arXiv:1704.00028), as Spike-GAN
(Molano-Mazon et al., ICLR 2018) has it for spikes. With D the critic, x recorded windows, x̂
generated ones and x̃ = εx + (1−ε)x̂, ε uniform in [0, 1]:

    critic:     minimise  ⟨D(x̂)⟩ − ⟨D(x)⟩ + λ ⟨(|∇D(x̃)| − 1)²⟩
    generator:  minimise  −⟨D(x̂)⟩ + moments

The critic sees binary spikes only; gradients reach the generator straight through the rounding.
The moments are those of two independent halves of a batch, μ', μ'' and C', C'':

    α Σ (μ'_a − μ_a)(μ''_a − μ_a) + β Σ_{a≠b} (C'_ab − C_ab)(C''_ab − C_ab)

over entries a = (bin, neuron), and the same of the probabilities P of so many spikes in a bin and
in a window, found exactly from the probabilities of the spikes:

    κ Σ_k (P'_k − P_k)(P''_k − P_k) / (P_k + ε)

which is twice the Kullback-Leibler divergence for small errors of what is not rare. A square of
one batch's error would add the batch's own variance to what is minimised, and the generator would
pay by varying too little; the product does not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from numpy.typing import ArrayLike

__all__ = [
    "Critic",
    "count_distribution",
    "count_loss",
    "critic_loss",
    "moment_loss",
    "wasserstein_distance",
]

RARE = 1e-3  # ε


class Critic(eqx.Module):
    """Two convolutions along time with all neurons as channels, then two dense layers.

    Args:
        bins: of a window.
        neurons: of a window.
        key: of the weights.
        channels: of either convolution.
        hidden: width of the dense layer.
    """

    convolutions: list[eqx.nn.Linear]
    dense: list[eqx.nn.Linear]
    width: int = eqx.field(static=True)

    def __init__(
        self, bins: int, neurons: int, key: jax.Array, *, channels: int = 32, hidden: int = 64
    ) -> None:
        # a convolution over `width` bins is a linear map of the bins laid side by side
        self.width = 3
        keys = jax.random.split(key, 4)
        self.convolutions = [
            eqx.nn.Linear(self.width * neurons, channels, key=keys[0]),
            eqx.nn.Linear(self.width * channels, channels, key=keys[1]),
        ]
        self.dense = [
            eqx.nn.Linear(bins * channels, hidden, key=keys[2]),
            eqx.nn.Linear(hidden, 1, key=keys[3]),
        ]

    def __call__(self, windows: jax.Array) -> jax.Array:
        """One number a window: windows (samples, bins, neurons) to (samples,)."""
        h = windows
        for layer in self.convolutions:
            h = jax.nn.leaky_relu(_apply(layer, self._beside(h)))
        h = jax.nn.leaky_relu(_apply(self.dense[0], h.reshape(len(h), -1)))
        return _apply(self.dense[1], h)[:, 0]

    def _beside(self, h: jax.Array) -> jax.Array:
        reach = self.width // 2
        padded = jnp.pad(h, ((0, 0), (reach, reach), (0, 0)))
        shifted = [padded[:, k : k + h.shape[1]] for k in range(self.width)]
        return jnp.concatenate(shifted, axis=-1)


def critic_loss(
    critic: Callable[[jax.Array], jax.Array],
    recorded: jax.Array,
    generated: jax.Array,
    key: jax.Array,
    penalty: float = 10.0,
) -> tuple[jax.Array, jax.Array]:
    """What the critic minimises, and ⟨D(x)⟩ − ⟨D(x̂)⟩, its estimate of Wasserstein's distance.

    Args:
        critic: D, windows (samples, bins, neurons) to (samples,).
        recorded: x.
        generated: x̂, as many.
        key: of ε.
        penalty: λ.
    """
    mix = jax.random.uniform(key, (len(recorded), 1, 1), recorded.dtype)
    between = mix * recorded + (1 - mix) * generated
    slope = jax.grad(lambda x: critic(x).sum())(between)
    # the root has no derivative at 0
    steepness = jnp.sqrt((slope**2).sum(axis=(1, 2)) + 1e-12)
    distance = wasserstein_distance(critic, recorded, generated)
    return penalty * ((steepness - 1) ** 2).mean() - distance, distance


def wasserstein_distance(
    critic: Callable[[jax.Array], jax.Array], recorded: jax.Array, generated: jax.Array
) -> jax.Array:
    """⟨D(x)⟩ − ⟨D(x̂)⟩ with this critic."""
    return critic(recorded).mean() - critic(generated).mean()


def moment_loss(
    means: jax.Array,
    pairs: jax.Array | None,
    target_means: ArrayLike,
    target_covariance: ArrayLike,
    rate_weight: float,
    covariance_weight: float,
) -> jax.Array:
    """The moments' part of what the generator minimises; its expectation is 0 where they agree.

    Args:
        means: (samples, bins, neurons), each spike's probability given what it depends on; an
            even number of samples.
        pairs: (samples, bins, neurons, neurons), probability of two spikes in the same bin, where
            they are not independent given `means`; else None.
        target_means: μ (bins·neurons,).
        target_covariance: C (bins·neurons, bins·neurons).
        rate_weight: α.
        covariance_weight: β.
    """
    wanted, target = jnp.asarray(target_means), jnp.asarray(target_covariance)
    off_diagonal = 1 - jnp.eye(len(wanted), dtype=means.dtype)
    errors = []
    for half in range(2):
        p = means[half::2]
        q = None if pairs is None else pairs[half::2]
        mean, covariance = _moments(p, q)
        errors.append((mean - wanted, (covariance - target) * off_diagonal))
    (m1, c1), (m2, c2) = errors
    return rate_weight * (m1 * m2).sum() + covariance_weight * (c1 * c2).sum()


def count_distribution(probabilities: jax.Array) -> jax.Array:
    """P(K = k) of independent spikes, (…, m + 1), from their probabilities (…, m).

    One spike after another: P(k) ← P(k)(1 − p) + P(k − 1) p.
    """
    m = probabilities.shape[-1]
    none = jnp.zeros((*probabilities.shape[:-1], m + 1), probabilities.dtype).at[..., 0].set(1)

    def add(held: jax.Array, p: jax.Array) -> tuple[jax.Array, None]:
        p = p[..., None]
        above = jnp.pad(held[..., :-1], [(0, 0)] * (held.ndim - 1) + [(1, 0)])
        return held * (1 - p) + above * p, None

    found: jax.Array = jax.lax.scan(add, none, jnp.moveaxis(probabilities, -1, 0))[0]
    return found


def count_loss(
    means: jax.Array, target_bin: ArrayLike, target_window: ArrayLike, weight: float
) -> jax.Array:
    """The counts' part of what the generator minimises; its expectation is 0 where they agree.

    Args:
        means: (samples, bins, neurons), each spike's probability given what it depends on, spikes
            being independent given these; an even number of samples.
        target_bin: P(k) of k spikes in a bin, (neurons + 1,).
        target_window: P(k) of k spikes in a window, (bins·neurons + 1,).
        weight: κ.
    """
    found = jnp.zeros((), means.dtype)
    for target, spikes in ((target_bin, means), (target_window, means.reshape(len(means), -1))):
        wanted = jnp.asarray(target, means.dtype)
        counts = count_distribution(spikes)
        axes = tuple(range(counts.ndim - 1))
        first, second = (counts[half::2].mean(axis=axes) - wanted for half in range(2))
        found = found + (first * second / (wanted + RARE)).sum()
    return weight * found


def _moments(p: jax.Array, pairs: jax.Array | None) -> tuple[jax.Array, jax.Array]:
    samples, bins, neurons = p.shape
    flat = p.reshape(samples, -1)
    mean = flat.mean(axis=0)
    products = second = flat.T @ flat / samples
    if pairs is not None:
        blocks = second.reshape(bins, neurons, bins, neurons)
        same = jnp.arange(bins)
        blocks = blocks.at[same, :, same].set(pairs.mean(axis=0))
        second = blocks.reshape(second.shape)
    # unbiased: the product of means over two different samples
    apart = (samples * jnp.outer(mean, mean) - products) / (samples - 1)
    return mean, second - apart


def _apply(layer: Any, h: jax.Array) -> jax.Array:
    return jnp.asarray(h @ layer.weight.T + layer.bias)
