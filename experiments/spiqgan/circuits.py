"""Circuits of a spike generator's run on a backend, and the answers they are checked against.

One template is brought onto the target once and bound to the angles of each noise value: a circuit
a bin, or, of a recurrent generator, one a window that reads and resets the neurons on the way.
Neuron i of bin t is read into bit i of the bin's circuit, into bit t·N + i of the window's. Every
bound circuit is checked, and the answers come from the dense vectors of
:mod:`qbrain.reference.spiqgan.generator`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.transpiler import Target

from qbrain.backends.compile import cheaper, to_isa
from qbrain.circuits.spiqgan import SpikeGenerator, Weights, check_noise, check_weights
from qbrain.circuits.spiqgan_qiskit import bin_angles, bin_template, window_angles, window_template
from qbrain.reference.spiqgan.generator import SpiQGAN, bin_states

from ..engine.experiment import Histories, PureState, Reading, Task

__all__ = ["Bound", "Template", "WindowStates", "window_states"]

Array = NDArray[np.float64]
Vectors = NDArray[np.complex128]
# the cheapest of so many routings is taken
ROUTINGS = 4
# complex numbers of windows' states that are held at once: 268 MB
HELD = 2**24


class Template:
    """The one circuit of a generator on a target, with parameters for its angles.

    Attributes:
        logical: as it was built.
        isa: in the target's gates; the very same object where these are all the same.
    """

    def __init__(self, generator: SpikeGenerator, target: Target) -> None:
        self.generator = generator
        recurrent = generator.weights_per == "recurrent"
        self.logical = window_template(generator) if recurrent else bin_template(generator)
        routed = [to_isa(self.logical, target, seed=s) for s in range(ROUTINGS)]
        self.isa = cheaper(routed, target)

    @property
    def blocks(self) -> int:
        """Circuits for each noise value: T, or 1 where a circuit is a window."""
        return 1 if self.generator.weights_per == "recurrent" else self.generator.bins


class Bound:
    """The circuits of given weights at given noise; ``(point, block)`` names one of them.

    Args:
        template: on the target.
        model: the same generator, for the answers.
        weights: as :meth:`SpikeGenerator.shapes` says.
        noise: (points, bins, latents).
        seed: of the histories that the check follows.

    Raises:
        SpikeGeneratorError: weights or noise not as wanted.
    """

    def __init__(
        self, template: Template, model: SpiQGAN, weights: Weights, noise: Array, seed: int = 0
    ) -> None:
        self.template, self.model, self.seed = template, model, seed
        self.weights = check_weights(template.generator, weights)
        self.noise = check_noise(template.generator, noise)
        if model.weights_per == "recurrent":
            self.angles = window_angles(template.generator, weights, noise)[:, None]
        else:
            each = [
                bin_angles(template.generator, weights, self.noise[:, t], t)
                for t in range(model.bins)
            ]
            self.angles = np.stack(each, axis=1)

    @cached_property
    def digest(self) -> str:
        """The start of the SHA-256 of all angles: which circuits these are."""
        return hashlib.sha256(self.angles.tobytes()).hexdigest()[:16]

    def tasks(self, names: Sequence[tuple[int, int]]) -> list[Task]:
        """The bound circuits, in the target's gates too, with their answers."""
        return [self._task(point, block) for point, block in names]

    def name_of(self, reading: Reading) -> tuple[int, int]:
        """The (point, block) that a reading is of.

        Raises:
            ValueError: a reading of circuits of other angles.
        """
        tags = reading.heading.tags
        if tags["angles"] != self.digest:
            raise ValueError("wanted the angles of these weights, got others")
        return int(tags["point"] or 0), int(tags["block"] or 0)

    def _task(self, point: int, block: int) -> Task:
        template = self.template
        logical = self._assigned(template.logical, point, block)
        same = template.isa is template.logical
        isa = logical if same else self._assigned(template.isa, point, block)
        recurrent = self.model.weights_per == "recurrent"
        return Task(
            logical,
            self._history(point) if recurrent else PureState(self.states[point, block]),
            isa=isa,
            name=f"spiqgan {'window' if recurrent else f'bin {block}'}, point {point}",
            tags={"point": point, "block": block, "angles": self.digest},
        )

    def _history(self, point: int) -> Histories:
        n, bins = self.model.neurons, self.model.bins
        return Histories(
            [range(t * n, (t + 1) * n) for t in range(bins)],
            # found when the circuit is checked, so that few windows' states are held at once
            lambda history: self.windows_of(point).states(history),
            self.seed + point,
        )

    def _assigned(self, circuit: QuantumCircuit, point: int, block: int) -> QuantumCircuit:
        names = [parameter.name for parameter in self.template.logical.parameters]
        values = dict(zip(names, self.angles[point, block].tolist(), strict=True))
        return circuit.assign_parameters(values, strict=False)

    @cached_property
    def states(self) -> Vectors:
        """Of every bin's register before it is read, (points, bins, 2^N); not for recurrent."""
        return bin_states(self.model, self.weights, self.noise)

    def windows_of(self, point: int) -> WindowStates:
        """The states of a recurrent generator's window."""
        each: int = self.model.bins * 2 ** (self.model.qubits + self.model.memory)
        size: int = max(1, min(len(self.noise), HELD // each))
        first = point - point % size
        if first != self._held[0]:
            noise = self.noise[first : first + size]
            self._held = (first, window_states(self.model, self.weights, noise))
        return self._held[1][point - first]

    _held: tuple[int, list[WindowStates]] = (-1, [])


class WindowStates:
    """States of one window of a recurrent generator, as earlier outcomes leave them.

    Args:
        columns: (bins, 2^M, 2^M, 2^N): what bin t makes of neurons in |0…0⟩ and the memory in a
            basis state; indices: bin, memory before, memory after, word.

    Words and memory states are integers whose bit j is the j-th neuron or memory qubit. The memory
    is in |0…0⟩ before the first bin.
    """

    def __init__(self, columns: Vectors) -> None:
        self.columns = columns

    def states(self, history: NDArray[np.int64]) -> Vectors:
        """States (histories, 2^(M+N)) before the next bin is read.

        ``history`` (histories, bins before) holds the words that were read. The neurons are the
        low bits of the index. A history that cannot happen gives nan.
        """
        memory = self._start(len(history))
        for t in range(history.shape[1]):
            memory = self._read(self._run(memory, t), history[:, t])
        return self._run(memory, history.shape[1]).reshape(len(history), -1)

    def words(self) -> Array:
        """Probabilities (bins, 2^N) of each bin's words, whatever was read before."""
        kept = self.columns.shape[1]
        memory = np.zeros((kept, kept), dtype=np.complex128)
        memory[0, 0] = 1
        found = []
        for block in self.columns:
            # the state after the bin, as a matrix of neurons and memory against memory before
            after = np.einsum("mn,mkw->nkw", memory, block)
            found.append(np.einsum("nkw,nkw->w", after, block.conj()).real)
            memory = np.einsum("nkw,nlw->kl", after, block.conj())
        return np.array(found)

    def sample(self, windows: int, seed: int) -> NDArray[np.uint8]:
        """Windows of spikes (windows, bins, neurons), each bin read by Born's rule."""
        generator = np.random.default_rng(seed)
        bins, *_, words = self.columns.shape
        memory = self._start(windows)
        found = np.empty((windows, bins), dtype=np.int64)
        for t in range(bins):
            states = self._run(memory, t)
            edges = np.cumsum((np.abs(states) ** 2).sum(axis=1), axis=1)
            chances = generator.random((windows, 1)) * edges[:, -1:]
            found[:, t] = np.minimum((edges <= chances).sum(axis=1), words - 1)
            memory = self._read(states, found[:, t])
        return (found[..., None] >> np.arange(words.bit_length() - 1) & 1).astype(np.uint8)

    def _start(self, histories: int) -> Vectors:
        memory = np.zeros((histories, self.columns.shape[1]), dtype=np.complex128)
        memory[:, 0] = 1
        return memory

    def _run(self, memory: Vectors, t: int) -> Vectors:
        return np.asarray(np.einsum("hm,mkw->hkw", memory, self.columns[t]))

    @staticmethod
    def _read(states: Vectors, words: NDArray[np.int64]) -> Vectors:
        kept = states[np.arange(len(states)), :, words]
        return np.asarray(kept / np.linalg.norm(kept, axis=1, keepdims=True))


def window_states(model: SpiQGAN, weights: Weights, noise: Array) -> list[WindowStates]:
    """The states of windows at noise (points, bins, N+M), one entry a point."""
    points, kept = len(noise), 2**model.memory
    basis = np.tile(np.eye(kept, dtype=np.complex128)[:, None], (points, model.bins, 1))
    found = bin_states(model, weights, np.repeat(noise, kept, axis=0), basis)
    columns = found.reshape(points, kept, model.bins, kept, -1).swapaxes(1, 2)
    return [WindowStates(each) for each in columns]
