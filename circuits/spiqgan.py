"""Circuits of the spike generator SpiQGAN, in PennyLane: their definition.

A sub-generator a time bin (T bins) of a window, each on N neuron qubits, fed classical noise anew
in every layer. With noise z of one bin, set s of the weights and n = N + M qubits, a bin's block is

    for l = 0..L-1:   RZ(φ[s,l,q]) RY(w[s,l,q] z[q] + θ[s,l,q])  on each qubit q, RY first;
                      CNOT(q → q+1 mod N) for q = 0, 1, …, N-1, one after another;
                      CNOT(N+m → m mod N) for m = 0..M-1,

with RY(a) = exp(-iaY/2), RZ(a) = exp(-iaZ/2). Of two neurons the ring is the one CNOT(0 → 1), of
one there is none; without ``entangling`` there are no CNOTs. A memory qubit is only ever a control:
a ring through it would at many L leave nothing of its value after a block (at zero angles L rings
are a linear map of bits, whose part from memory to memory is singular for N = 4, M = 1, L = 2 to
5). All qubits start in |0⟩. Qubits 0..N-1 are the
neurons, N..N+M-1 the memory. PennyLane's wire 0 is the most significant bit of ``qml.probs``:
the word of neurons (x_0, …, x_{N-1}) has index Σ_i x_i 2^{N-1-i}.

Weights (``weights_per``):
    bin: one set for each bin, s = bin.
    shared: one set for all bins; the noise carries time, z_t = ρ z_{t-1} + √(1-ρ²) ε_t.
    recurrent: the same, and after each bin the neurons are measured and reset to |0⟩, and M memory
        qubits are left as they are.

Readout:
    words: neuron i spikes where its qubit reads 1; the qubits of a bin from the same shot.
    sigmoid: p_i = 1/(1 + exp(-a_i ⟨Z_i⟩ - b_i)), ⟨Z⟩ = +1 for |0⟩, spikes drawn independently.
        In a recurrent window ⟨Z_i⟩ of a bin is over all outcomes of earlier bins.

RZ in the last layer of a generator without memory changes no probability of a word: those
phases are counted as weights all the same.

Source: V. Hernandes and E. Greplova, arXiv:2409.09125: a quantum circuit for each time bin, noise
uploaded anew. The gates above, the ring, the readout by sigmoid with gain and offset, and the
shared and recurrent kinds are a choice made here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pennylane as qml

from .arguments import CircuitError

__all__ = [
    "QUANTUM_WEIGHTS",
    "FloatArray",
    "ParameterCount",
    "SpikeGenerator",
    "SpikeGeneratorError",
    "Weights",
    "bin_operations",
    "bin_tape",
    "check_bin",
    "check_bin_noise",
    "check_noise",
    "check_weights",
    "parameter_count",
    "window_operations",
]

FloatArray: TypeAlias = npt.NDArray[np.float64]
Weights: TypeAlias = Mapping[str, Any]  # arrays of numpy, autograd or jax

QUANTUM_WEIGHTS = ("noise", "rotation", "phase")
KINDS = ("bin", "shared", "recurrent")
READOUTS = ("sigmoid", "words")


class SpikeGeneratorError(CircuitError):
    """A spike generator, its weights or its noise are not as wanted; the message names which."""


class ParameterCount(NamedTuple):
    """How many numbers are trained: angles of gates, and the classical rest."""

    quantum: int
    classical: int

    @property
    def total(self) -> int:
        """Both together."""
        return self.quantum + self.classical


@dataclass(frozen=True)
class SpikeGenerator:
    """The form of a generator; its numbers are the weights.

    Attributes:
        neurons: N ≥ 1.
        bins: T ≥ 1, time bins of a window.
        layers: L ≥ 1.
        weights_per: ``bin``, ``shared`` or ``recurrent``, as the module says.
        memory: M, qubits kept from bin to bin: at least 1 for ``recurrent``, else 0.
        readout: ``sigmoid`` or ``words``.
        entangling: whether there are CNOTs.

    Raises:
        SpikeGeneratorError: any of them outside what is said here.
    """

    neurons: int
    bins: int
    layers: int = 5
    weights_per: Literal["bin", "shared", "recurrent"] = "bin"
    memory: int = 0
    readout: Literal["sigmoid", "words"] = "sigmoid"
    entangling: bool = True

    def __post_init__(self) -> None:
        """Check each attribute, and memory against the kind of weights."""
        for name, least in (("neurons", 1), ("bins", 1), ("layers", 1), ("memory", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
                raise SpikeGeneratorError(f"{name}: wanted an integer >= {least}, got {value!r}")
        for name, wanted in (("weights_per", KINDS), ("readout", READOUTS)):
            value = getattr(self, name)
            if value not in wanted:
                raise SpikeGeneratorError(
                    f"{name}: wanted one of {', '.join(wanted)}, got {value!r}"
                )
        if not isinstance(self.entangling, bool):
            raise SpikeGeneratorError(f"entangling: wanted True or False, got {self.entangling!r}")
        if self.weights_per == "recurrent" and self.memory < 1:
            raise SpikeGeneratorError(
                f"memory: wanted an integer >= 1 for recurrent weights, got {self.memory}"
            )
        if self.weights_per != "recurrent" and self.memory:
            raise SpikeGeneratorError(
                f"memory: wanted 0 for weights per {self.weights_per}, got {self.memory}"
            )

    @property
    def qubits(self) -> int:
        """N + M, the qubits of a block."""
        return self.neurons + self.memory

    @property
    def latents(self) -> int:
        """Noise numbers a bin: one a qubit."""
        return self.qubits

    @property
    def sets(self) -> int:
        """How many sets of angles there are: T, or 1 where bins have them in common."""
        return self.bins if self.weights_per == "bin" else 1

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the weights by name.

        Angles in radians: ``noise`` w (per unit of noise), ``rotation`` θ and ``phase`` φ, each
        (sets, layers, qubits). Classical: ``gain`` a and ``offset`` b of a sigmoid readout, each
        (sets, neurons); ``persistence`` ρ in (0, 1) unless weights are a bin's, (latents,).
        """
        angles = (self.sets, self.layers, self.qubits)
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(QUANTUM_WEIGHTS, angles)
        if self.readout == "sigmoid":
            shapes |= dict.fromkeys(("gain", "offset"), (self.sets, self.neurons))
        if self.weights_per != "bin":
            shapes["persistence"] = (self.latents,)
        return shapes


def parameter_count(generator: SpikeGenerator) -> ParameterCount:
    """Count the trained numbers.

    Quantum 3 sets L (N+M); classical 2 sets N with a sigmoid readout, and N+M more where bins
    have weights in common: linear in N at fixed T, L and M.
    """
    sizes = {name: int(np.prod(shape)) for name, shape in generator.shapes().items()}
    quantum = sum(sizes[name] for name in QUANTUM_WEIGHTS)
    return ParameterCount(quantum, sum(sizes.values()) - quantum)


def check_weights(generator: SpikeGenerator, weights: Weights) -> dict[str, FloatArray]:
    """Return the weights as numpy arrays of the shapes of :meth:`SpikeGenerator.shapes`.

    Raises:
        SpikeGeneratorError: no mapping, a name missing or unknown, another shape, anything but
            finite real numbers, a persistence outside (0, 1).
    """
    shapes = generator.shapes()
    if not isinstance(weights, Mapping):
        raise SpikeGeneratorError(f"weights: wanted arrays by name, got {type(weights).__name__}")
    if set(weights) != set(shapes):
        raise SpikeGeneratorError(
            f"weights: wanted {', '.join(shapes)}, got {', '.join(map(str, weights)) or 'none'}"
        )
    checked = {}
    for name, shape in shapes.items():
        said = f"weights[{name!r}]"
        array = _numbers(said, weights[name])
        if array.shape != shape:
            raise SpikeGeneratorError(f"{said}: wanted shape {shape}, got {array.shape}")
        checked[name] = _finite(said, array)
    rho = checked.get("persistence")
    if rho is not None and not ((rho > 0) & (rho < 1)).all():
        worst = rho[~((rho > 0) & (rho < 1))][0]
        raise SpikeGeneratorError(
            f"weights['persistence']: wanted numbers in (0, 1), got {worst:g}"
        )
    return checked


def check_noise(generator: SpikeGenerator, noise: npt.ArrayLike) -> FloatArray:
    """Return the noise of whole windows, shape (…, bins, latents), as finite numbers.

    Raises:
        SpikeGeneratorError: another shape, anything but finite real numbers.
    """
    return _noise(noise, (generator.bins, generator.latents))


def check_bin_noise(generator: SpikeGenerator, noise: npt.ArrayLike) -> FloatArray:
    """Return the noise of one bin, shape (…, latents), as finite numbers.

    Raises:
        SpikeGeneratorError: another shape, anything but finite real numbers.
    """
    return _noise(noise, (generator.latents,))


def check_bin(generator: SpikeGenerator, bin: int) -> int:
    """Return the index of a bin, 0..T-1.

    Raises:
        SpikeGeneratorError: anything else.
    """
    if isinstance(bin, bool) or not isinstance(bin, Integral) or not 0 <= bin < generator.bins:
        raise SpikeGeneratorError(f"bin: wanted an integer in 0..{generator.bins - 1}, got {bin!r}")
    return int(bin)


def _noise(noise: npt.ArrayLike, tail: tuple[int, ...]) -> FloatArray:
    array = _numbers("noise", noise)
    if array.shape[-len(tail) :] != tail:
        wanted = ", ".join(map(str, ("…", *tail)))
        raise SpikeGeneratorError(f"noise: wanted shape ({wanted}), got {array.shape}")
    return _finite("noise", array)


def _numbers(name: str, value: npt.ArrayLike) -> npt.NDArray[Any]:
    try:
        array = np.asarray(value)
    except ValueError:
        raise SpikeGeneratorError(f"{name}: wanted numbers, got rows of unequal length") from None
    if array.dtype.kind not in "iuf":
        raise SpikeGeneratorError(f"{name}: wanted real numbers, got {array.dtype}")
    return array


def _finite(name: str, array: npt.NDArray[Any]) -> FloatArray:
    numbers = np.asarray(array, dtype=np.float64)
    wrong = np.argwhere(~np.isfinite(numbers))
    if len(wrong):
        where = tuple(int(k) for k in wrong[0])
        raise SpikeGeneratorError(f"{name}: wanted finite numbers, got {numbers[where]} at {where}")
    return numbers


def bin_operations(generator: SpikeGenerator, weights: Weights, noise: Any, bin: int) -> None:
    """Queue the gates of one bin: a quantum function, for use within a QNode or a tape.

    Nothing but ``bin`` is checked, so that weights and noise may be traced by autograd or jax;
    :func:`check_weights` and :func:`check_noise` are for the numbers beforehand.

    Args:
        generator: its form.
        weights: ``noise``, ``rotation`` and ``phase`` as :meth:`SpikeGenerator.shapes` says;
            others are not looked at.
        noise: of this bin, shape (latents,), or (samples, latents) for a broadcast circuit.
        bin: 0..T-1; it picks the set of weights and nothing else.

    Raises:
        SpikeGeneratorError: no such bin.
    """
    chosen = check_bin(generator, bin) if generator.weights_per == "bin" else 0
    check_bin(generator, bin)
    w, theta, phi = (weights[name] for name in QUANTUM_WEIGHTS)
    neurons = generator.neurons
    for layer in range(generator.layers):
        for q in range(generator.qubits):
            at = (chosen, layer, q)
            qml.RY(w[at] * noise[..., q] + theta[at], wires=q)
            qml.RZ(phi[at], wires=q)
        if generator.entangling:
            for q in range(neurons if neurons > 2 else neurons - 1):
                qml.CNOT(wires=[q, (q + 1) % neurons])
            for m in range(generator.memory):
                qml.CNOT(wires=[neurons + m, m % neurons])


def bin_tape(generator: SpikeGenerator, weights: Weights, noise: Any, bin: int) -> Any:
    """Return one bin from |0…0⟩ as a ``QuantumScript`` with the probabilities of the words.

    Args:
        generator: its form.
        weights: as for :func:`bin_operations`, not checked.
        noise: of this bin, shape (latents,) or (samples, latents).
        bin: 0..T-1; of a recurrent generator only 0, where the memory is still |0…0⟩.

    Returns:
        The script; its one measurement is ``qml.probs`` of wires 0..N-1, 2^N numbers a sample,
        neuron 0 the most significant bit.

    Raises:
        SpikeGeneratorError: no such bin, or a later bin of a recurrent generator.
    """
    if generator.weights_per == "recurrent" and check_bin(generator, bin):
        raise SpikeGeneratorError(
            f"bin: wanted 0, the one bin of a recurrent generator that starts in |0…0>, got {bin}"
        )
    with qml.queuing.AnnotatedQueue() as queue:
        bin_operations(generator, weights, noise, bin)
        qml.probs(wires=range(generator.neurons))
    return qml.tape.QuantumScript.from_queue(queue)


def window_operations(generator: SpikeGenerator, weights: Weights, noise: Any) -> list[list[Any]]:
    """Queue a whole window: T blocks, the neurons measured after each and reset between them.

    A quantum function; nothing is checked. On ``default.qubit`` measurements are deferred, a wire
    more for each: small N T only. Without memory the bins are independent.

    Args:
        generator: its form.
        weights: as for :func:`bin_operations`.
        noise: of the window, shape (bins, latents).

    Returns:
        The measured values, [bin][neuron]: for ``qml.expval``, the mean of the outcome 0 or 1,
        so that ⟨Z⟩ = 1 - 2 ``qml.expval``; for ``qml.probs(op=…)``, the first the most significant.
    """
    outcomes = []
    for bin in range(generator.bins):
        bin_operations(generator, weights, noise[bin], bin)
        last = bin == generator.bins - 1
        outcomes.append([qml.measure(q, reset=not last) for q in range(generator.neurons)])
    return outcomes
