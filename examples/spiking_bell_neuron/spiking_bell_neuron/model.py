"""The exact neuron and the exact loop, in dense numpy, which knows no circuit.

After L. B. Kristensen et al., npj Quantum Information 7, 59 (2021), arXiv:1907.06269.

From the paper: a neuron is a small model of spins that evolves under a Hamiltonian; whether its
output is flipped (a spike) depends on the joint state of its inputs, so that Bell pairs are told
apart; neurons are joined into networks, of which one compares two Bell states.

The Hamiltonian is ours, a drive that the inputs take out of resonance, with an exact answer; the
circuits make its exp(-iHT) of gates. In the frame of the drive,

    H = (Ω/2) X_o + (Δ/4) (1 - X₁X₂) Z_o,    Ω = 1,  T = π/Ω,  Δ = √(4k² - 1) Ω,

with inputs 1, 2, output o and a whole number k of turns; X₁X₂ is conserved. Where it is +1 (Φ⁺, Ψ⁺)
the drive is resonant and exp(-iHT) = -iX_o; where it is -1 (Φ⁻, Ψ⁻) the output makes k full turns
and exp(-iHT) = (-1)^k. Two such neurons, one a pair, drive one output after each other: it spikes
where the pairs differ in phase. (To tell Φ from Ψ too takes a second output, with Z₁Z₂ for X₁X₂.)

The loop is ours too. Pair a is (|00⟩ + e^{iδ}|11⟩)/√2, δ = φ - θ, pair b is Φ⁺; the rate of spikes
is p = sin²(δ/2), and θ ← θ + g [p(θ-d) - p(θ+d)] / sin d = θ + g sin δ for any dither d.
"""

import math
from functools import cache, reduce

import numpy as np
from numpy.typing import NDArray

from .config import BellNeuronConfig

QUBITS, OUTPUT = 5, 2  # along a line: the first pair, the output, the second pair
_PAULI = {"I": np.eye(2), "X": np.array([[0, 1], [1, 0]]), "Z": np.diag([1, -1])}


def _operator(letters: str) -> NDArray[np.float64]:
    """Pauli ``letters[j]`` on qubit j, which is bit j of the matrix's indices."""
    return np.asarray(reduce(np.kron, [_PAULI[each] for each in reversed(letters)]), dtype=float)


@cache
def neuron(places: str, turns: int) -> NDArray[np.complex128]:
    """exp(-iHT), (2^n, 2^n); ``places``: X for an input, o for the output, I for the others."""
    idle = "".join("o" if each == "o" else "I" for each in places)
    drive, shift = (_operator(idle.replace("o", pauli)) for pauli in "XZ")
    detuned = np.eye(2 ** len(places)) - _operator(places.replace("o", "I"))
    hamiltonian = drive / 2 + math.sqrt(4 * turns**2 - 1) / 4 * detuned @ shift
    energies, states = np.linalg.eigh(hamiltonian)
    return np.asarray(states * np.exp(-1j * math.pi * energies) @ states.T)


def final_state(delta: float, turns: int) -> NDArray[np.complex128]:
    """Amplitudes (32,) after both neurons of pairs whose phases differ by ``delta``."""
    state = np.zeros(2**QUBITS, dtype=complex)
    state[[0b00000, 0b11000]] = 0.5
    state[[0b00011, 0b11011]] = 0.5 * np.exp(1j * delta)
    return neuron("IIoXX", turns) @ neuron("XXoII", turns) @ state


def correction(config: BellNeuronConfig, plus: float, minus: float) -> float:
    """Step of θ from the rates of spikes at θ + dither and θ - dither."""
    return config.gain * (minus - plus) / math.sin(config.dither)


def phases(config: BellNeuronConfig) -> NDArray[np.float64]:
    """φ at each step, (steps+1,)."""
    return config.phase + config.drift * np.arange(config.steps + 1, dtype=float)


def exact_loop(config: BellNeuronConfig) -> NDArray[np.float64]:
    """θ and rate of spikes at each step under exact rates, (2, steps+1)."""
    spikes = np.arange(2**QUBITS) >> OUTPUT & 1
    found, theta = [], config.start
    for phi in phases(config):
        deltas = [phi - theta - sign * config.dither for sign in (0, 1, -1)]
        rates = [np.abs(final_state(each, config.turns)) ** 2 @ spikes for each in deltas]
        found.append((theta, rates[0]))
        theta += correction(config, rates[1], rates[2])
    return np.array(found).T
