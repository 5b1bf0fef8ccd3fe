"""The circuits of a comparison, and the loop that follows what they read."""

import math
from functools import partial

import numpy as np
from qiskit import QuantumCircuit

from qbrain import Experiment, Job, Outcome, Protocol, PureState, Reading, Task

from .config import BellNeuronConfig
from .model import OUTPUT, QUBITS, correction, final_state, phases
from .outcome import Measured, outcome_of

PAIRS = ((0, 1), (4, 3))  # the second of each is next to the output


def add_neuron(circuit: QuantumCircuit, pair: tuple[int, int], output: int, turns: int) -> None:
    """Flip the output where X₁X₂ = +1, with the phases that the Hamiltonian leaves."""
    first, second = pair
    circuit.h(pair)
    circuit.cx(first, second)  # the second is |1⟩ where X₁X₂ = -1
    circuit.x(output)
    circuit.cx(second, output)
    circuit.p(math.pi * (turns + 0.5), second)  # (-1)^k against -i
    circuit.cx(first, second)
    circuit.h(pair)


def comparison(phi: float, theta: float, turns: int) -> QuantumCircuit:
    """A pair with phase φ, turned back by θ, against Φ⁺; all qubits are read."""
    circuit = QuantumCircuit(QUBITS, name="bell-neuron")
    for first, second in PAIRS:
        circuit.h(first)
        circuit.cx(first, second)
    circuit.p(phi, 0)
    circuit.p(-theta, 0)
    for pair in PAIRS:
        add_neuron(circuit, pair, OUTPUT, turns)
    circuit.measure_all()
    return circuit


class BellNeuronExperiment(Experiment[BellNeuronConfig, Measured]):
    """Compare, count spikes, correct, and again."""

    @classmethod
    def qubits_of(cls, config: BellNeuronConfig) -> int:
        """Two pairs and an output."""
        return QUBITS

    @property
    def jobs(self) -> int:
        """One a step."""
        return self.config.steps + 1

    def protocol(self) -> Protocol[Measured]:
        """A job a step, of three circuits; its spikes set the next step's θ."""
        theta, thetas, points = self.config.start, [], []
        for phi in phases(self.config).tolist():
            found = yield Job(partial(self._tasks, phi, theta))
            thetas.append(theta)
            points.append([_numbers(reading) for reading in found])
            _, plus, minus = (spikes / shots for spikes, shots, _ in points[-1])
            theta += correction(self.config, plus, minus)
        return Measured(np.array(thetas), *np.moveaxis(np.array(points), 2, 0))

    def _tasks(self, phi: float, theta: float) -> list[Task]:
        turns, dither = self.config.turns, self.config.dither
        return [
            Task(comparison(phi, each, turns), PureState(final_state(phi - each, turns)))
            for each in (theta, theta + dither, theta - dither)
        ]

    def outcome(self, measured: Measured | None) -> Outcome:
        """θ and the rate of spikes against the exact loop."""
        return outcome_of(self.config, measured, self.where)


def _numbers(reading: Reading) -> tuple[int, int, int]:
    """Spikes, shots, and shots in which both pairs are still of equal bits."""
    spikes = sum(n for x, n in reading.counts.items() if x >> OUTPUT & 1)
    intact = sum(n for x, n in reading.counts.items() if x & 0b11011 in (0, 3, 24, 27))
    return spikes, sum(reading.counts.values()), intact
