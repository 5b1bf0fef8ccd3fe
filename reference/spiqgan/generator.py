"""The quantum generator of spikes as dense vectors in JAX: what its circuits do, differentiable.

One bin's register holds N neuron qubits and, in the recurrent form, M memory qubits behind them.
From |0…0⟩ (neurons) and the memory that the bin before left, L layers act, each

    RY(w_q z_q + θ_q), then RZ(φ_q), on every qubit q;   CNOT q → q+1, cyclic, for q = 0 … N−1;
    CNOT from memory qubit m to neuron m mod N

with the noise z uploaded again in every layer (arXiv:2409.09125 has one sub-generator a time bin,
this circuit is ours). A neuron spikes where its qubit is read as 1 (`words`), or with
probability p = σ(a⟨Z⟩ + b), each by itself (`sigmoid`), where ⟨Z⟩ = +1 for |0⟩.

- weights a `bin`: each bin has its own circuit; the noise is the same in all bins of a window
- `shared`: one circuit for all bins; z_t = ρ z_{t−1} + √(1−ρ²) ε_t, ρ trained
- `recurrent`: the same, and the neuron qubits are measured and reset, the memory qubits kept. With
  `sigmoid` nothing conditions on what was measured, so the memory is a density matrix; with
  `words` it is the pure state that the words measured leave.

No code is shared with the circuits. The amplitudes are kept as real and imaginary parts with the
batch as the last axis, so that a gate is a few long vector operations.

Weights are a dict: `noise` w, `rotation` θ, `phase` φ of shape (sets, L, N+M), with sets = T for
weights a bin, else 1; for `sigmoid` also `gain` a and `offset` b (sets, N); unless weights are a
`bin`'s also `persistence` ρ (N+M,).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from .layers import layers, word_bits

__all__ = [
    "Draw",
    "DrawsWindows",
    "SpiQGAN",
    "bin_states",
    "draw",
    "expectations",
    "initial_weights",
    "latent_noise",
    "sample",
    "straight_through",
    "word_probabilities",
]

Weights = Mapping[str, Any]
SAMPLES_AT_ONCE = 4096


@dataclass(frozen=True)
class SpiQGAN:
    """Which generator.

    Attributes:
        neurons: N.
        bins: T, of a window.
        layers: L, how often the noise is uploaded.
        weights_per: `bin`, `shared` or `recurrent`.
        memory: M, qubits carried from bin to bin (recurrent only).
        readout: `sigmoid` or `words`.
        entangling: whether layers end in the ring of CNOTs.
    """

    neurons: int
    bins: int
    layers: int = 5
    weights_per: Literal["bin", "shared", "recurrent"] = "bin"
    memory: int = 0
    readout: Literal["sigmoid", "words"] = "sigmoid"
    entangling: bool = True

    @property
    def qubits(self) -> int:
        """Of one bin's register: N + M."""
        return self.neurons + self.memory

    def initial(self, rate: float, seed: int) -> dict[str, NDArray[np.float32]]:
        """See :func:`initial_weights`."""
        return initial_weights(self, rate, seed)

    def draw(self, weights: Weights, key: jax.Array, samples: int) -> Draw:
        """See :func:`draw`."""
        return draw(self, weights, key, samples)


class DrawsWindows(Protocol):
    """A generator of windows: this one or a classical control. Equal ones compile once."""

    @property
    def bins(self) -> int:
        """T."""

    @property
    def neurons(self) -> int:
        """N."""

    def initial(self, rate: float, seed: int) -> dict[str, NDArray[np.float32]]:
        """Weights to start from, at so many spikes a bin and neuron."""

    def draw(self, weights: Weights, key: jax.Array, samples: int) -> Draw:
        """Windows with a gradient."""

    def __hash__(self) -> int: ...


class Draw(NamedTuple):
    """Spikes that gradients pass through.

    Attributes:
        spikes: (samples, bins, neurons), 0 or 1; the gradient is that of `means` (straight
            through).
        means: probability of each spike given all that was drawn before it; of recurrent words the
            spikes themselves, since later ones depend on them.
        pairs: (samples, bins, neurons, neurons), probability of two spikes in one bin, or None
            where spikes of a bin are independent once `means` are given.
    """

    spikes: jax.Array
    means: jax.Array
    pairs: jax.Array | None


def initial_weights(model: SpiQGAN, rate: float, seed: int) -> dict[str, NDArray[np.float32]]:
    """Weights of a circuit that noise alone moves far from |0…0⟩, where spikes are sparse.

    Angles are normal with deviation 0.1, those a unit of noise 0.9. With `sigmoid`, a = −2 and b
    such that |0⟩ gives `rate`, spikes a bin and neuron.
    """
    rng = np.random.default_rng(seed)
    sets = model.bins if model.weights_per == "bin" else 1
    shape = (sets, model.layers, model.qubits)
    found = {
        name: (spread * rng.normal(size=shape)).astype(np.float32)
        for name, spread in (("noise", 0.9), ("rotation", 0.1), ("phase", 0.1))
    }
    if model.readout == "sigmoid":
        found["gain"] = np.full((sets, model.neurons), -2, np.float32)
        found["offset"] = np.full_like(found["gain"], np.log(rate / (1 - rate)) + 2)
    if model.weights_per != "bin":
        found["persistence"] = np.full(model.qubits, 0.7, np.float32)
    return found


def latent_noise(
    model: SpiQGAN, weights: Weights, key: jax.Array, samples: int, dtype: Any = jnp.float32
) -> jax.Array:
    """Noise z of shape (samples, bins, N+M); every entry is standard normal."""
    shape = (samples, 1 if model.weights_per == "bin" else model.bins, model.qubits)
    fresh = jax.random.normal(key, shape, dtype)
    if model.weights_per == "bin":
        return jnp.broadcast_to(fresh, (samples, model.bins, model.qubits))
    rho = jnp.asarray(weights["persistence"], dtype)
    kept = [fresh[:, 0]]
    for t in range(1, model.bins):
        kept.append(rho * kept[-1] + jnp.sqrt(1 - rho**2) * fresh[:, t])
    return jnp.stack(kept, axis=1)


def word_probabilities(model: SpiQGAN, weights: Weights, noise: jax.Array) -> jax.Array:
    """P(word) of each bin, (2^N, bins, samples); neuron 0 is the word's most significant bit.

    For a recurrent generator each bin's words regardless of all earlier ones.
    """
    if model.weights_per == "recurrent":
        return _unconditioned_words(model, weights, noise)
    return _square(_bin_amplitudes(model, weights, noise))


def expectations(model: SpiQGAN, weights: Weights, noise: jax.Array) -> jax.Array:
    """⟨Z_i⟩ of each bin given the noise, (samples, bins, neurons), from −1 to 1."""
    words = word_probabilities(model, weights, noise)
    return jnp.einsum("wtb,wi->bti", words, 1 - 2 * word_bits(model.neurons, words.dtype))


def draw(model: SpiQGAN, weights: Weights, key: jax.Array, samples: int) -> Draw:
    """Windows of spikes with a gradient; float32 unless the weights are float64."""
    dtype = jnp.result_type(weights["rotation"], jnp.float32)
    of_noise, of_spikes = jax.random.split(key)
    noise = latent_noise(model, weights, of_noise, samples, dtype)
    if model.readout == "sigmoid":
        tilted = weights["gain"] * expectations(model, weights, noise) + weights["offset"]
        means = jax.nn.sigmoid(tilted)
        hard = (jax.random.uniform(of_spikes, means.shape) < means).astype(dtype)
        return Draw(straight_through(hard, means), means, None)
    if model.weights_per == "recurrent":
        spikes = _trajectories(model, weights, noise, of_spikes)
        return Draw(spikes, spikes, None)
    words = word_probabilities(model, weights, noise)
    bits = word_bits(model.neurons, dtype)
    means = jnp.einsum("wtb,wi->bti", words, bits)
    pairs = jnp.einsum("wtb,wi,wj->btij", words, bits, bits)
    chosen = _choose(words, jax.random.uniform(of_spikes, words.shape[1:]))
    hard = jnp.moveaxis(jnp.asarray(bits)[chosen], 0, 1)
    return Draw(straight_through(hard, means), means, pairs)


def sample(model: DrawsWindows, weights: Weights, samples: int, seed: int) -> NDArray[np.uint8]:
    """Windows of spikes, (samples, bins, neurons); the first k do not depend on how many follow."""
    held = {name: jnp.asarray(value) for name, value in weights.items()}
    # this generator compiles in a fraction of the default one's time
    key = jax.random.key(seed, impl="rbg")
    parts = [
        np.asarray(_sample_part(model, held, jax.random.fold_in(key, part)))
        for part in range(-(-samples // SAMPLES_AT_ONCE))
    ]
    none = np.zeros((0, model.bins, model.neurons), np.uint8)
    whole: NDArray[np.uint8] = np.concatenate([none, *parts])
    return whole[:samples]


def bin_states(
    model: SpiQGAN,
    weights: Weights,
    noise: NDArray[np.float64],
    memory: NDArray[np.complex128] | None = None,
) -> NDArray[np.complex128]:
    """State of every bin's register before it is read, (samples, bins, 2^(N+M)).

    In double precision. Qubit 0 is the least significant bit of the index, as in Qiskit.

    Args:
        model: the generator.
        weights: its weights.
        noise: (samples, bins, N+M).
        memory: state (samples, bins, 2^M) of the memory qubits as each bin finds them, the first
            the least significant; |0…0⟩ if not given.
    """
    n = model.qubits
    with jax.enable_x64(True):
        wide = {name: jnp.asarray(np.asarray(value, np.float64)) for name, value in weights.items()}
        start = None
        if memory is not None:
            first = _reversed_qubits(np.asarray(memory, np.complex128), model.memory)
            start = jnp.asarray(np.transpose([first.real, first.imag], (0, 3, 2, 1)))
        v = np.asarray(_bin_amplitudes(model, wide, jnp.asarray(noise, jnp.float64), start))
    state = np.moveaxis(v[0] + 1j * v[1], (0, 1, 2), (2, 1, 0))
    return _reversed_qubits(state, n)


def straight_through(hard: jax.Array, means: jax.Array) -> jax.Array:
    """The values of `hard` with the gradient of `means`."""
    return means + jax.lax.stop_gradient(hard - means)


@partial(jax.jit, static_argnums=0)
def _bin_amplitudes(
    model: SpiQGAN, weights: Weights, noise: jax.Array, memory: jax.Array | None = None
) -> jax.Array:
    """(2, 2^n, bins, samples), real and imaginary parts, qubit 0 the most significant."""
    z = jnp.moveaxis(noise, 0, -1)  # (bins, qubits, samples)
    # (layers, qubits, bins or 1, samples)
    angles = jnp.einsum("tln,tnb->lntb", _each_bin(weights["noise"], model.bins), z)
    angles = angles + _by_layer(weights["rotation"])[..., None]
    v = jnp.zeros((2, 2**model.qubits, *angles.shape[2:]), angles.dtype)
    if memory is None:
        v = v.at[0, 0].set(1)
    else:
        v = v.at[:, : 2**model.memory].set(memory.astype(angles.dtype))
    return layers(v, angles, _by_layer(weights["phase"])[..., None], _entangler(model))


def _unconditioned_words(model: SpiQGAN, weights: Weights, noise: jax.Array) -> jax.Array:
    """P(word) of each bin with the memory traced over what was measured."""
    kept, samples = 2**model.memory, len(noise)
    run = _block(model, weights)
    # every basis state of the memory at once: column m of U|0…0, m⟩
    basis = jnp.zeros((2, 2**model.qubits, kept, 1), noise.dtype)
    basis = basis.at[0, jnp.arange(kept), jnp.arange(kept), 0].set(1)
    rho = jnp.zeros((kept, kept, samples), noise.dtype).at[0, 0].set(1)

    def step(
        rho: tuple[jax.Array, jax.Array], z: jax.Array
    ) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
        v = run(jnp.broadcast_to(basis, (*basis.shape[:3], samples)), z[:, None])
        v = v.reshape(2, 2**model.neurons, kept, kept, samples)  # (re/im, word, memory, column, …)
        re, im = v
        rr, ri = rho
        # U ρ, then (U ρ) U†, by real and imaginary part
        a = jnp.einsum("wkmb,mnb->wknb", re, rr) - jnp.einsum("wkmb,mnb->wknb", im, ri)
        b = jnp.einsum("wkmb,mnb->wknb", re, ri) + jnp.einsum("wkmb,mnb->wknb", im, rr)
        words = jnp.einsum("wknb,wknb->wb", a, re) + jnp.einsum("wknb,wknb->wb", b, im)
        after_r = jnp.einsum("wknb,wlnb->klb", a, re) + jnp.einsum("wknb,wlnb->klb", b, im)
        after_i = jnp.einsum("wknb,wlnb->klb", b, re) - jnp.einsum("wknb,wlnb->klb", a, im)
        return (after_r, after_i), words

    _, words = jax.lax.scan(step, (rho, jnp.zeros_like(rho)), jnp.moveaxis(noise, (0, 1), (2, 0)))
    return jnp.swapaxes(words, 0, 1)


def _trajectories(model: SpiQGAN, weights: Weights, noise: jax.Array, key: jax.Array) -> jax.Array:
    """Spikes with the memory conditioned on them, (samples, bins, neurons), straight through."""
    kept, samples = 2**model.memory, len(noise)
    run = _block(model, weights)
    bits = word_bits(model.neurons, noise.dtype)
    memory = jnp.zeros((2, kept, samples), noise.dtype).at[0, 0].set(1)

    def step(memory: jax.Array, of: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        z, u = of
        v = jnp.zeros((2, 2**model.qubits, samples), noise.dtype).at[:, :kept].set(memory)
        v = run(v, z).reshape(2, 2**model.neurons, kept, samples)
        words = (v**2).sum(axis=(0, 2))
        chosen = _choose(words, u)
        means = jnp.einsum("wb,wi->bi", words, bits)
        branch = jnp.take_along_axis(v, chosen[None, None, None], axis=1)[:, 0]
        weight = jnp.take_along_axis(words, chosen[None], axis=0)[0]
        return branch / jnp.sqrt(weight), straight_through(jnp.asarray(bits)[chosen], means)

    u = jax.random.uniform(key, (model.bins, samples), noise.dtype)
    _, spikes = jax.lax.scan(step, memory, (jnp.moveaxis(noise, (0, 1), (2, 0)), u))
    return jnp.swapaxes(spikes, 0, 1)


def _block(model: SpiQGAN, weights: Weights) -> Any:
    """One bin of a recurrent generator: (v, z) with z (qubits, …) to the state after its layers."""
    cnots = _entangler(model)
    w, theta, phi = (weights[name][0] for name in ("noise", "rotation", "phase"))

    def run(v: jax.Array, z: jax.Array) -> jax.Array:
        rest = (1,) * (z.ndim - 1)
        angles = w.reshape(*w.shape, *rest) * z + theta.reshape(*theta.shape, *rest)
        return layers(v, angles, phi.reshape(*phi.shape, *rest), cnots)

    return run


@partial(jax.jit, static_argnums=0)
def _sample_part(model: DrawsWindows, weights: Weights, key: jax.Array) -> jax.Array:
    return jnp.round(model.draw(weights, key, SAMPLES_AT_ONCE).spikes).astype(jnp.uint8)


def _each_bin(values: jax.Array, bins: int) -> jax.Array:
    return jnp.broadcast_to(values, (bins, *values.shape[1:]))


def _by_layer(values: jax.Array) -> jax.Array:
    """(sets, layers, qubits) as (layers, qubits, sets)."""
    return jnp.transpose(jnp.asarray(values), (1, 2, 0))


def _square(v: jax.Array) -> jax.Array:
    return v[0] ** 2 + v[1] ** 2


def _choose(words: jax.Array, u: jax.Array) -> jax.Array:
    """Index of a word drawn by probabilities along the first axis, from uniform u."""
    edges = jnp.cumsum(jax.lax.stop_gradient(words), axis=0)
    return jnp.minimum((edges < u * edges[-1]).sum(axis=0), len(words) - 1)


def _entangler(model: SpiQGAN) -> tuple[int, ...] | None:
    """Where each amplitude comes from under a layer's CNOTs; None without any."""
    n, last = model.neurons, model.qubits - 1
    pairs = [(q, (q + 1) % n) for q in range(n if n > 2 else n - 1)]
    pairs += [(n + m, m % n) for m in range(model.memory)]
    if not (model.entangling and pairs):
        return None
    goes = np.arange(2**model.qubits)
    for control, to in pairs:
        goes = goes ^ (((goes >> (last - control)) & 1) << (last - to))
    return tuple(np.argsort(goes).tolist())


def _reversed_qubits(states: NDArray[np.complex128], qubits: int) -> NDArray[np.complex128]:
    """The same states (…, 2^qubits) with the order of qubits in the index turned round."""
    lead = states.ndim - 1
    split = states.reshape(*states.shape[:-1], *(2,) * qubits)
    turned = np.transpose(split, (*range(lead), *range(lead + qubits - 1, lead - 1, -1)))
    return np.ascontiguousarray(turned.reshape(states.shape))
