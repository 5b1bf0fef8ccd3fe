"""Classical controls that are trained: a small network, and Spike-GAN's generator at its own size.

Both turn normal noise into the probability of every spike of a window, from which spikes are
drawn independently. They are trained by the same loop, critic and moments as the quantum
generator, so that what differs is the generator alone.

Spike-GAN (Molano-Mazon, Onken, Piasini, Panzeri, ICLR 2018): 128 noise numbers, a dense layer, and
transposed convolutions along time that double the bins and halve the channels, kernels 5 bins
wide, neurons as the last layer's channels. Theirs shows its critic the probabilities; ours shows
it spikes, as for every generator here, and has no rectifier before the last sigmoid.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from .generator import Draw, straight_through
from .spike_statistics import SpikeError

__all__ = ["DenseNetwork", "SpikeGAN", "dense_network"]

Weights = Mapping[str, Any]
Initial = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class DenseNetwork:
    """p = σ(A tanh(B z + c) + d): one hidden layer, all bins and neurons at once.

    Attributes:
        bins: T.
        neurons: N.
        hidden: h, width of the hidden layer.
        latents: noise numbers a window.
    """

    bins: int
    neurons: int
    hidden: int
    latents: int

    @property
    def parameters(self) -> int:
        """h (latents + 1) + T N (h + 1)."""
        return self.hidden * (self.latents + 1) + self.bins * self.neurons * (self.hidden + 1)

    def initial(self, rate: float, seed: int) -> Initial:
        """Weights that start at `rate`, spikes a bin and neuron."""
        rng = np.random.default_rng(seed)
        out = self.bins * self.neurons
        return {
            "into": _normal(rng, (self.latents, self.hidden), self.latents),
            "into_offset": np.zeros(self.hidden, np.float32),
            "out": 0.3 * _normal(rng, (self.hidden, out), self.hidden),
            "out_offset": np.full(out, _logit(rate), np.float32),
        }

    def draw(self, weights: Weights, key: jax.Array, samples: int) -> Draw:
        """Windows with a gradient."""
        of_noise, of_spikes = jax.random.split(key)
        z = jax.random.normal(of_noise, (samples, self.latents))
        hidden = jnp.tanh(z @ weights["into"] + weights["into_offset"])
        tilted = hidden @ weights["out"] + weights["out_offset"]
        return _spikes(tilted.reshape(samples, self.bins, self.neurons), of_spikes)


@dataclass(frozen=True)
class SpikeGAN:
    """Spike-GAN's convolutional generator.

    Attributes:
        bins: T, a multiple of 2^layers.
        neurons: N.
        features: f; the first transposed convolution has f 2^layers channels.
        layers: number of transposed convolutions.
        width: of their kernels, in bins.
        latents: noise numbers a window.
    """

    bins: int
    neurons: int
    features: int = 64
    layers: int = 2
    width: int = 5
    latents: int = 128

    def __post_init__(self) -> None:
        """Raises ``SpikeError`` where the bins cannot be halved so often."""
        if self.bins % 2**self.layers:
            raise SpikeError(
                f"bins: wanted a multiple of {2**self.layers} for Spike-GAN, got {self.bins}"
            )

    @property
    def parameters(self) -> int:
        """Of the dense layer and all transposed convolutions."""
        return sum(math.prod(value.shape) for value in self.initial(0.5, 0).values())

    def initial(self, rate: float, seed: int) -> Initial:
        """Weights that start at `rate`, spikes a bin and neuron."""
        rng = np.random.default_rng(seed)
        found = {
            "into": _normal(rng, (self.latents, self.features * self.bins), self.latents),
            "into_offset": np.zeros(self.features * self.bins, np.float32),
        }
        for layer, (wide, narrow) in enumerate(self._channels()):
            last = layer == self.layers - 1
            kernel = _normal(rng, (self.width, wide, narrow), self.width * wide / 2)
            found[f"kernel_{layer}"] = 0.3 * kernel if last else kernel
            start = _logit(rate) if last else 0.0
            found[f"offset_{layer}"] = np.full(narrow, start, np.float32)
        return found

    def draw(self, weights: Weights, key: jax.Array, samples: int) -> Draw:
        """Windows with a gradient."""
        of_noise, of_spikes = jax.random.split(key)
        z = jax.random.normal(of_noise, (samples, self.latents))
        h = z @ weights["into"] + weights["into_offset"]
        h = h.reshape(samples, self.bins // 2**self.layers, -1)
        for layer in range(self.layers):
            h = _doubled(jax.nn.leaky_relu(h), weights[f"kernel_{layer}"])
            h = h + weights[f"offset_{layer}"]
        return _spikes(h, of_spikes)

    def _channels(self) -> list[tuple[int, int]]:
        sizes = [self.features * 2**k for k in range(self.layers, 0, -1)]
        return list(zip(sizes, [*sizes[1:], self.neurons], strict=True))


def dense_network(bins: int, neurons: int, latents: int, parameters: int) -> DenseNetwork:
    """The dense network whose number of parameters is nearest to the one wanted."""
    fixed, each = bins * neurons, latents + 1 + bins * neurons
    hidden = max(1, round((parameters - fixed) / each))
    return DenseNetwork(bins, neurons, hidden, latents)


def _doubled(h: jax.Array, kernel: jax.Array) -> jax.Array:
    """Transposed convolution of stride 2: (samples, bins, channels) to twice the bins.

    out[2t + ⌈w/2⌉ − k] += h[t] kernel[k], cut to the 2·bins in the middle: a matrix product for all
    taps and a sum over where they fall, which processors do many times faster than a convolution.
    """
    samples, bins, _ = h.shape
    width = len(kernel)
    taps = jnp.einsum("stc,kco->skto", h, kernel)
    out = jnp.zeros((samples, 2 * bins + width, kernel.shape[2]), h.dtype)
    for k in range(width):
        first = width - 1 - k
        out = out.at[:, first : first + 2 * bins : 2].add(taps[:, k])
    cut = width - 1 - (width + 1) // 2
    return out[:, cut : cut + 2 * bins]


def _spikes(tilted: jax.Array, key: jax.Array) -> Draw:
    means = jax.nn.sigmoid(tilted)
    hard = (jax.random.uniform(key, means.shape) < means).astype(means.dtype)
    return Draw(straight_through(hard, means), means, None)


def _normal(rng: np.random.Generator, shape: tuple[int, ...], inputs: float) -> NDArray[np.float32]:
    return (rng.normal(size=shape) / math.sqrt(inputs)).astype(np.float32)


def _logit(rate: float) -> float:
    return math.log(rate / (1 - rate))
