"""Circuits of the entangled leaky integrate-and-fire pair: prepare, turn, measure, once a tick.

In every tick two neurons share a fresh pair of qubits

    |ψ⟩ = cosφ |00⟩ + sinφ |11⟩,    0 ≤ φ ≤ π/2:    RY(2φ) on the first, then CX,

and neuron i measures its own qubit with a setting α_i: RY(−α_i), then Z. As

    RY(α) Z RY(−α) = cosα Z + sinα X,

the setting is the angle from Z towards X on the Bloch sphere, in radians. Bit 0 stands for the
eigenvalue +1 and bit 1, an active neuron, for −1:

    P(bit i = 1) = (1 − cos2φ cosα_i)/2,
    ⟨(−1)^(bit A + bit B)⟩ = cosα_A cosα_B + sin2φ sinα_A sinα_B.

φ = 0 and φ = π/2 are product states, φ = π/4 is maximally entangled. Gates are ry and cx, between
neighbours on the line 0-1-2-… only. A membrane decides what the bits do and which settings come
next; no circuit here knows of it.

Sources: the entangled pair of neurons follows a draft without experiments, "Entangled
Quantum-Inspired Leaky Integrate-and-Fire Neural Architecture for Enhanced Cross-Layer
Communication", whose Eq. 3 only says that the pair has a shared state; the rest is made here. The
settings are those of J. F. Clauser, M. A. Horne, A. Shimony and R. A. Holt, Phys. Rev. Lett. 23,
880 (1969).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from qiskit import ClassicalRegister, QuantumCircuit
from qiskit.circuit import ParameterVector

from .arguments import CircuitError, check_finite, check_neurons

__all__ = [
    "CircuitError",
    "ghz_circuit",
    "layer_angles",
    "layer_circuit",
    "layer_template",
    "pair_circuit",
]

FloatArray = npt.NDArray[np.float64]

# φ of a template's pair, then the settings of its two neurons
PER_PAIR = 3


def pair_circuit(phi: float, settings: npt.ArrayLike = (0.0, 0.0)) -> QuantumCircuit:
    """Return one pair, measured: qubit and bit i of the register ``meas`` are neuron i.

    Args:
        phi: φ of cosφ|00⟩ + sinφ|11⟩, radians, in [0, π/2].
        settings: α of the two neurons, radians, shape (2,).

    Raises:
        CircuitError: φ outside [0, π/2], settings that are not two finite numbers.
    """
    angles = np.asarray(settings, dtype=np.float64)
    if angles.shape != (2,):
        raise CircuitError(f"settings: wanted two angles, one a neuron, got shape {angles.shape}")
    return layer_circuit(phi, angles[None])


def layer_circuit(phi: npt.ArrayLike, settings: npt.ArrayLike) -> QuantumCircuit:
    """Return P pairs side by side: pair p on qubits, and bits of ``meas``, 2p and 2p+1.

    Args:
        phi: φ of all pairs, or of each, shape (P,); radians, in [0, π/2].
        settings: α of each neuron, radians, shape (P, 2).

    Returns:
        2P qubits; one cx, three ry and two measurements a pair.

    Raises:
        CircuitError: φ outside [0, π/2], shapes other than these, nan or inf.
    """
    angles = np.asarray(settings, dtype=np.float64)
    if angles.ndim != 2 or angles.shape[1] != 2 or len(angles) == 0:
        raise CircuitError(f"settings: wanted shape (pairs, 2), got {angles.shape}")
    values = layer_angles(phi, angles).tolist()
    layer = QuantumCircuit(2 * len(angles), name=f"qlif_{len(angles)}")
    _fill(layer, values)
    return layer


def layer_template(pairs: int = 1) -> QuantumCircuit:
    """Return :func:`layer_circuit` with parameters in place of angles, to be transpiled once.

    The values of its ``parameters``, in their order, are those of :func:`layer_angles`.

    Args:
        pairs: P ≥ 1.

    Raises:
        CircuitError: a number of pairs below 1.
    """
    if isinstance(pairs, bool) or not isinstance(pairs, int) or pairs < 1:
        raise CircuitError(f"pairs: wanted an integer >= 1, got {pairs!r}")
    layer = QuantumCircuit(2 * pairs, name=f"qlif_{pairs}")
    _fill(layer, list(ParameterVector("angle", PER_PAIR * pairs)))
    return layer


def layer_angles(phi: npt.ArrayLike, settings: npt.ArrayLike) -> FloatArray:
    """Return the values of a template's parameters: (φ, α_A, α_B) of each pair in turn.

    Args:
        phi: φ of all pairs, or an array that broadcasts with shape (…, P); radians, in [0, π/2].
        settings: α, radians, shape (…, P, 2); leading dimensions are further bindings.

    Returns:
        Shape (…, 3P), radians.

    Raises:
        CircuitError: φ outside [0, π/2], shapes other than these, nan or inf.
    """
    angles = np.asarray(settings, dtype=np.float64)
    if angles.ndim < 2 or angles.shape[-1] != 2:
        raise CircuitError(f"settings: wanted shape (..., pairs, 2), got {angles.shape}")
    if not np.isfinite(angles).all():
        raise CircuitError("settings: wanted finite numbers, got nan or inf")
    states = np.asarray(phi, dtype=np.float64)
    wrong = ~((states >= 0) & (states <= math.pi / 2))
    if wrong.any():
        raise CircuitError(f"phi: wanted an angle in [0, pi/2], got {states[wrong].flat[0]:g}")
    try:
        spread = np.broadcast_to(states, angles.shape[:-1])
    except ValueError:
        raise CircuitError(
            f"phi: wanted one angle or shape {angles.shape[:-1]}, got {states.shape}"
        ) from None
    both = np.concatenate([spread[..., None], angles], axis=-1)
    return np.asarray(both.reshape(*angles.shape[:-2], -1))


def ghz_circuit(
    neurons: int, phi: float = math.pi / 4, settings: npt.ArrayLike | None = None
) -> QuantumCircuit:
    """Return a group of n neurons that share cosφ|0…0⟩ + sinφ|1…1⟩, each with its own setting.

    Two neurons are :func:`pair_circuit`. The state spreads from the middle of the line to both of
    its ends, n − 1 CNOTs in ⌈n/2⌉ layers.

    Args:
        neurons: n ≥ 1.
        phi: radians, in [0, π/2]; π/4 is the state of Greenberger, Horne and Zeilinger.
        settings: α of each neuron, radians, shape (n,); all 0 unless given.

    Raises:
        CircuitError: any argument outside what is said here, nan and inf included.
    """
    n = check_neurons(neurons)
    state = check_finite("phi", phi)
    if not 0 <= state <= math.pi / 2:
        raise CircuitError(f"phi: wanted an angle in [0, pi/2], got {state:g}")
    angles = np.zeros(n) if settings is None else np.asarray(settings, dtype=np.float64)
    if angles.shape != (n,):
        raise CircuitError(f"settings: wanted {n} angles, one a neuron, got shape {angles.shape}")
    if not np.isfinite(angles).all():
        raise CircuitError("settings: wanted finite numbers, got nan or inf")
    circuit = QuantumCircuit(n, name=f"ghz_{n}")
    first = (n - 1) // 2
    circuit.ry(2 * state, first)
    # the longer side first, so that the two run beside each other
    for step in range(n // 2):
        if first + step + 1 < n:
            circuit.cx(first + step, first + step + 1)
        if first - step - 1 >= 0:
            circuit.cx(first - step, first - step - 1)
    for neuron, angle in enumerate(angles.tolist()):
        circuit.ry(-angle, neuron)
    register = ClassicalRegister(n, "meas")
    circuit.add_register(register)
    circuit.measure(range(n), register)
    return circuit


def _fill(layer: QuantumCircuit, values: list[float]) -> None:
    """Prepare, turn and measure all pairs; ``values`` are numbers or parameters."""
    qubits = range(layer.num_qubits)
    for pair, first in enumerate(qubits[::2]):
        phi, a, b = values[PER_PAIR * pair : PER_PAIR * (pair + 1)]
        layer.ry(2 * phi, first)
        layer.cx(first, first + 1)
        layer.ry(-a, first)
        layer.ry(-b, first + 1)
    register = ClassicalRegister(layer.num_qubits, "meas")
    layer.add_register(register)
    layer.measure(qubits, register)
