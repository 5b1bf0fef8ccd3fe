"""Circuits of memristor qubits: a qubit that rotates about Z and is damped at a chosen rate.

A memristor qubit has H = ωZ/2 and decays from |1⟩ to |0⟩ at a rate γ that its own history sets;
its voltage is ⟨Y⟩, its current γ⟨Y⟩. A step of length δ at fixed γ is

    RZ(ωδ/2),  damping of angle θ,  RZ(ωδ/2),    sin²θ = 1 - e^{-γδ},

which is exact, for the damping commutes with rotations about Z. With RZ(a) = exp(-iaZ/2) a
rotation a takes ⟨X⟩ + i⟨Y⟩ to e^{ia}(⟨X⟩ + i⟨Y⟩): from X it goes to +Y. The damping multiplies
⟨X⟩ and ⟨Y⟩ by cosθ and takes ⟨Z⟩ to 1 - cos²θ (1 - ⟨Z⟩). It is made with an ancilla in |0⟩ that
is reset, or never used again, in one of two ways that are the same channel for θ in [0, π/2]:

    controlled: RY(2θ) of the ancilla, controlled by the system, then a CNOT from the ancilla to
        the system: 3 CNOTs;
    exchange: exp(-iθ(XX+YY)/2): 2 CNOTs.

Two memristor qubits are coupled by exp(-iJδ(XX+YY)/2), half of it before and half after the rest
of the step; halves of neighbouring steps are joined.

Readings are of X, Y or Z, turned to Z by H, S† H or nothing, so that bit 0 is +1:
⟨P⟩ = 1 - 2 P(bit = 1).

Sources: X.-H. Cheng, T. Gonzalez-Raya, X. Chen, M. Sanz and E. Solano, arXiv:1807.10698 (quantum
memristors in a neuron; these circuits are made here); M. A. Nielsen and I. L. Chuang, Quantum
Computation and Quantum Information, section 8.3.5 (amplitude damping).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from qiskit import ClassicalRegister, QuantumCircuit

from .arguments import CircuitError, check_choice
from .hodgkin_huxley import Wires, check_numbers

__all__ = ["AXES", "DAMPINGS", "CircuitError", "memristor_circuit", "memristor_pair", "read_states"]

FloatArray = npt.NDArray[np.float64]

AXES = ("X", "Y", "Z")
DAMPINGS = ("controlled", "exchange")


def memristor_circuit(
    initial: npt.ArrayLike,
    rotations: npt.ArrayLike,
    dampings: npt.ArrayLike,
    *,
    read: str = "Y",
    fresh: bool = False,
    damping: str = "controlled",
) -> QuantumCircuit:
    """Return K steps of a memristor qubit, read at the end into bit 0 of ``meas``.

    The system is qubit 0, the ancilla qubit 1; with ``fresh`` step k has ancilla 1 + k, which on a
    line takes routing from the second step on. Two-qubit gates: 3 a step, or 2 with ``exchange``;
    resets: K-1, after the last step there is none.

    Args:
        initial: Bloch vector (⟨X⟩, ⟨Y⟩, ⟨Z⟩) at the start, of length 1 within 1e-9.
        rotations: ωδ in radians: one number, or shape (K,).
        dampings: θ in radians, shape (K,), in [0, π/2]; K may be 0.
        read: ``X``, ``Y`` or ``Z``.
        fresh: whether every step has an ancilla of its own, and nothing is ever reset.
        damping: ``controlled`` or ``exchange``, as the module says.

    Returns:
        Gates ry, rz, rx, h, sdg, sx, sxdg and cx, resets and the final measurement.

    Raises:
        CircuitError: any argument outside what is said here, nan and inf included.
    """
    start = _checked_bloch(initial, (3,))
    theta = check_numbers("dampings", dampings, (None,), (0, np.pi / 2))
    steps = len(theta)
    turns = _spread("rotations", rotations, (steps,))
    _check_words(read, 1, fresh, damping)
    circuit = QuantumCircuit(1 + (steps if fresh else 1), name="memristor")
    wires = Wires(circuit)
    _prepare(wires, 0, start)
    for step in range(steps):
        ancilla = 1 + step if fresh else 1
        if step and not fresh:
            wires.put("reset", ancilla)
        wires.turn("rz", float(turns[step]) / 2, 0)
        _damp(wires, 0, ancilla, float(theta[step]), damping)
        wires.turn("rz", float(turns[step]) / 2, 0)
    _read(circuit, wires, (0,), read)
    return circuit


def memristor_pair(
    initial: npt.ArrayLike,
    rotations: npt.ArrayLike,
    dampings: npt.ArrayLike,
    exchanges: npt.ArrayLike,
    *,
    read: str = "YY",
    fresh: bool = False,
    damping: str = "controlled",
) -> QuantumCircuit:
    """Return K steps of two coupled memristor qubits, that of index j read into bit j of ``meas``.

    A step is exp(-i e (XX+YY)/4), rotation and damping of each, exp(-i e (XX+YY)/4) with e = Jδ;
    its error against both at once is of second order in δ. On the line ancilla 0, system 0,
    system 1, ancilla 1 no routing is needed; with ``fresh`` the ancillas of later steps lie
    outside those of earlier ones. Two-qubit gates: 2(K+1) between the systems, and 3 a step and
    damping, or 2 with ``exchange``; resets: 2(K-1).

    Args:
        initial: Bloch vectors at the start, shape (2, 3), of length 1 within 1e-9.
        rotations: ωδ in radians: one number, shape (K,), or (K, 2) for each memristor its own.
        dampings: θ in radians, shape (K, 2), in [0, π/2]; K may be 0.
        exchanges: Jδ in radians: one number, or shape (K,).
        read: an axis for each memristor, such as ``YY`` or ``XZ``.
        fresh: whether every step has ancillas of its own, and nothing is ever reset.
        damping: ``controlled`` or ``exchange``, as the module says.

    Returns:
        Gates ry, rz, rx, h, sdg, sx, sxdg and cx, resets and the final measurements.

    Raises:
        CircuitError: any argument outside what is said here, nan and inf included.
    """
    start = _checked_bloch(initial, (2, 3))
    theta = check_numbers("dampings", dampings, (None, 2), (0, np.pi / 2))
    steps = len(theta)
    turns = _spread("rotations", rotations, (steps, 2))
    couplings = _spread("exchanges", exchanges, (steps,))
    _check_words(read, 2, fresh, damping)
    side = steps if fresh else 1
    systems = (side, side + 1)
    circuit = QuantumCircuit(2 * side + 2, name="memristor_pair")
    wires = Wires(circuit)
    for system, vector in zip(systems, start, strict=True):
        _prepare(wires, system, vector)
    # half a step's coupling, and what is left over from the step before
    halves = np.concatenate([couplings, [0.0]]) / 2
    halves[1:] += couplings / 2
    for step in range(steps):
        _couple(wires, systems, float(halves[step]))
        outward = 1 + step if fresh else 1
        for index, system in enumerate(systems):
            ancilla = system + (outward if index else -outward)
            if step and not fresh:
                wires.put("reset", ancilla)
            wires.turn("rz", float(turns[step, index]) / 2, system)
            _damp(wires, system, ancilla, float(theta[step, index]), damping)
            wires.turn("rz", float(turns[step, index]) / 2, system)
    if steps:
        _couple(wires, systems, float(halves[steps]))
    _read(circuit, wires, systems, read)
    return circuit


def read_states(states: npt.ArrayLike, read: str) -> npt.NDArray[np.complex128]:
    """Return the density matrices just before the readings, from those before the change of basis.

    Args:
        states: shape (…, 2^b, 2^b), bit j of the index being the qubit that is read into bit j.
        read: b axes, that of bit j first at j.

    Raises:
        CircuitError: another shape, or other axes.
    """
    rho = np.asarray(states, dtype=np.complex128)
    _check_axes(read, len(read))
    size = 2 ** len(read)
    if rho.shape[-2:] != (size, size):
        raise CircuitError(f"states: wanted shape (…, {size}, {size}), got {rho.shape}")
    turn = np.ones((1, 1))
    for axis in read:
        turn = np.kron(_TO_Z[axis], turn)
    return np.asarray(turn @ rho @ turn.conj().T)


_H = np.array([[1, 1], [1, -1]]) / np.sqrt(2)
_TO_Z = {"X": _H, "Y": _H @ np.diag([1, -1j]), "Z": np.eye(2)}


def _prepare(wires: Wires, qubit: int, bloch: FloatArray) -> None:
    x, y, z = bloch.tolist()
    wires.turn("ry", float(np.arctan2(np.hypot(x, y), z)), qubit)
    wires.turn("rz", float(np.arctan2(y, x)), qubit)


def _damp(wires: Wires, system: int, ancilla: int, angle: float, damping: str) -> None:
    if damping == "exchange":
        _couple(wires, (ancilla, system), angle)
        return
    # RY(angle), and after the flips of a system in |1⟩ RY(angle) again, else RY(-angle)
    wires.turn("ry", angle, ancilla)
    wires.put("cx", system, ancilla)
    wires.turn("ry", -angle, ancilla)
    wires.put("cx", system, ancilla)
    wires.put("cx", ancilla, system)


def _couple(wires: Wires, pair: Sequence[int], angle: float) -> None:
    """exp(-i angle (XX+YY)/2)."""
    for qubit in pair:
        wires.put("sxdg", qubit)
    wires.exchange(pair[0], pair[1], angle)
    for qubit in pair:
        wires.put("sx", qubit)


def _read(circuit: QuantumCircuit, wires: Wires, systems: Sequence[int], read: str) -> None:
    for system, axis in zip(systems, read, strict=True):
        if axis == "Y":
            wires.put("sdg", system)
        if axis != "Z":
            wires.put("h", system)
    register = ClassicalRegister(len(systems), "meas")
    circuit.add_register(register)
    circuit.measure(systems, register)


def _checked_bloch(value: npt.ArrayLike, shape: tuple[int, ...]) -> FloatArray:
    vectors = check_numbers("initial", value, shape)
    lengths = np.atleast_1d(np.linalg.norm(vectors, axis=-1))
    worst = float(lengths[np.abs(lengths - 1).argmax()])
    if abs(worst - 1) > 1e-9:
        raise CircuitError(f"initial: wanted Bloch vectors of length 1, got {worst:.9g}")
    return vectors


def _spread(name: str, value: npt.ArrayLike, shape: tuple[int, ...]) -> FloatArray:
    """One number, one a step, or numbers of the shape, as that shape."""
    try:
        given = np.asarray(value)
        if given.ndim == 1:
            given = given.reshape(-1, *[1] * (len(shape) - 1))
        numbers = np.broadcast_to(given, shape)
    except ValueError:
        raise CircuitError(
            f"{name}: wanted one number, one a step or shape {shape}, got {value!r}"
        ) from None
    return check_numbers(name, numbers, shape)


def _check_words(read: str, systems: int, fresh: bool, damping: str) -> None:
    _check_axes(read, systems)
    check_choice("damping", damping, DAMPINGS)
    if not isinstance(fresh, bool):
        raise CircuitError(f"fresh: wanted True or False, got {fresh!r}")


def _check_axes(read: str, systems: int) -> None:
    if not isinstance(read, str) or len(read) != systems or not set(read) <= set(AXES) or not read:
        raise CircuitError(f"read: wanted an axis X, Y or Z a qubit ({systems}), got {read!r}")
