"""Circuits of neurons in a collective bath: in every step an ancilla meets all of them.

The bath takes quanta from N neurons at a rate κ, all through the one operator Σσ⁻, and gives them
back at κ̃. A step of it is a collision with an ancilla in |0⟩, which meets the neurons one after the
other, and one with an ancilla in |1⟩ where there is absorption:

    exp[-iθ(σ⁺a⁻ + σ⁻a⁺)],  θ² = ∫κ dt (∫κ̃ dt)  over the step,

Qiskit's ``XXPlusYYGate(2θ)``; |1⟩ is an active neuron. The ancilla is reset, or never used again.
Collisions do not commute, and their order decides what short steps tend to:

    alternating: neurons 1 … N with |0⟩, then with |1⟩; in the next step N … 1 with |1⟩, then |0⟩;
    palindromic: 1 … N … 1 at half the angle with one ancilla, |0⟩ and then |1⟩;
    fixed: 1 … N in every step, which tends to a cascade and not to the collective bath.

The shifts, exp[-i(∫λ S⁺S⁻ - ∫λ̃ S⁻S⁺)], are put half before and half after the collisions, in the
form that they have on symmetric states, -(∫λ-∫λ̃)J_z² + (∫λ+∫λ̃)J_z: a layer of ZZ, and rotations
about z. All rotations are done at the end: an ancilla begins in |0⟩ or |1⟩ and is forgotten, so
that they commute with the rest.

On a line the ancilla travels: a collision and a change of places are one block of three CNOTs,
where a collision alone is two. Neurons never change their order. An alternating ancilla turns
between the last two neurons and starts back from there, 3N-2 CNOTs a sweep; with absorption, from
four neurons on, two ancillas follow each other, 6N-2 a step. ZZ between all pairs takes N(N-1)
CNOTs without moving a neuron: the bit of neuron 1 is added to all others, then that of 2, …, so
that qubits hold the parities of all pairs in turn. Before it the ancilla leaves the line of
neurons. An ancilla in |0⟩ passes others by two CNOTs, where it has to.

Collisions are written in the frame and the gates of :mod:`qbrain.circuits.hodgkin_huxley`.

Sources: Y.-J. Sun and W.-M. Zhang, "Modeling the Nervous System as An Open Quantum System" (2021),
Eqs. 15 and 16 (the master equation; these circuits are made here); F. Ciccarello, S. Lorenzo,
V. Giovannetti and G. M. Palma, Phys. Rep. 954, 1 (2022) (collision models).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from qiskit import ClassicalRegister, QuantumCircuit

from .arguments import CircuitError, check_choice, check_finite, check_neurons
from .collision_plan import CollisionLayout, Plan, plan_collisions
from .hodgkin_huxley import Wires, check_numbers
from .memristor import read_states

__all__ = [
    "CircuitError",
    "CollisionLayout",
    "NegativeRate",
    "collision_circuit",
    "collision_layout",
    "read_spins",
]

FloatArray = npt.NDArray[np.float64]

ORDERS = ("alternating", "fixed", "palindromic")
LAYOUTS = ("line", "star")
AXES = ("X", "Y", "Z")

# of ∫κ: past θ = π/2 a collision gives back what it took
LARGEST = (math.pi / 2) ** 2
# rounding of an integral that is 0
ROUNDING = 1e-12


class NegativeRate(CircuitError):
    """A rate below 0 over a step, which no completely positive map does; the message says when."""


def collision_layout(
    neurons: int,
    steps: int,
    *,
    absorption: bool = False,
    shifts: bool = False,
    order: str = "alternating",
    layout: str = "line",
    fresh: bool = False,
) -> CollisionLayout:
    """Return where the neurons are, and how many CNOTs and resets there will be.

    On a line, all two-qubit gates are between i and i+1. CNOTs of K steps for N ≥ 2, without
    shifts: alternating (3N-2)K, with absorption (6N-2)K and two ancillas, or (8N-8)K and one for
    N ≤ 3; palindromic (6N-6)K; fixed (3N-2)K + (2N-4)(K-1); the latter two with twice as many
    sweeps if there is absorption. Fresh ancillas wait outside, and those that come later have to
    pass those that are spent, some K²/2 CNOTs for K of them (fixed: none). On a star neurons are
    qubits 0 … N-1 and nothing moves: 2N CNOTs a sweep, palindromic 4N-2. Shifts take N(N-1)(K+1)
    in both, and on a line up to 3 more a sweep, since ancillas have to be outside then.

    Args:
        neurons: N ≥ 1.
        steps: K ≥ 0.
        absorption: whether there are collisions with |1⟩ too.
        shifts: whether there are layers of ZZ.
        order: ``alternating``, ``fixed`` or ``palindromic``, as the module says.
        layout: ``line``, or ``star``: the ancilla meets all neurons where they are.
        fresh: whether every sweep has an ancilla of its own, and nothing is ever reset.

    Raises:
        CircuitError: any argument outside what is said here.
    """
    neurons = check_neurons(neurons)
    if isinstance(steps, bool) or not isinstance(steps, int | np.integer) or steps < 0:
        raise CircuitError(f"steps: wanted an integer >= 0, got {steps!r}")
    _check_words(order, layout)
    for name, flag in (("absorption", absorption), ("shifts", shifts), ("fresh", fresh)):
        _check_flag(name, flag)
    return plan_collisions(neurons, int(steps), absorption, shifts, order, layout, fresh).layout


def collision_circuit(
    neurons: int,
    emission: npt.ArrayLike,
    *,
    absorption: npt.ArrayLike | None = None,
    shifts: npt.ArrayLike | None = None,
    shifts_tilde: npt.ArrayLike | None = None,
    rotations: npt.ArrayLike | None = None,
    start: str | Sequence[float] = "down",
    order: str = "alternating",
    layout: str = "line",
    fresh: bool = False,
    read: str = "Z",
    times: npt.ArrayLike | None = None,
) -> QuantumCircuit:
    """Return K steps of N neurons, neuron i read into bit i of the register ``meas``.

    A 1 always says σ = +1 along the axis that is read, ⟨σ⟩ = 2 P(bit = 1) - 1, with
    σ_z = |1⟩⟨1| - |0⟩⟨0| = -Z, σ_x = X and σ_y = -Y in Qiskit's convention. The qubits are those
    of :func:`collision_layout`; the state before the readings is that of :func:`read_spins`.

    Args:
        neurons: N ≥ 1.
        emission: ∫κ over each step, shape (K,), from 0 to π²/4, where θ = √∫κ is π/2.
        absorption: ∫κ̃, shape (K,), in the same range; None: no collisions with |1⟩.
        shifts: ∫λ over each step, shape (K,).
        shifts_tilde: ∫λ̃, shape (K,). If neither is given there are no layers of ZZ.
        rotations: ∫g dt, shape (K,): the part exp(-i∫g J_z) of the evolution.
        start: ``down`` (all silent), ``up`` (all active), or (θ, φ): every neuron in
            cos(θ/2)|1⟩ + e^{iφ} sin(θ/2)|0⟩, ⟨σ⟩ = (sinθ cosφ, sinθ sinφ, cosθ).
        order: of the neurons: ``alternating``, ``fixed`` or ``palindromic``.
        layout: ``line`` or ``star``.
        fresh: whether every sweep has an ancilla of its own, for devices without resets.
        read: ``X``, ``Y`` or ``Z``.
        times: edges of the steps, shape (K+1,), by which a :class:`NegativeRate` says when.

    Returns:
        Gates ry, rx, rz, x, h, sx, sxdg and cx, resets and the final measurements. A step of
        angle 0 is built like any other.

    Raises:
        NegativeRate: ∫κ or ∫κ̃ below -1e-12 in a step; what is nearer 0 counts as 0.
        CircuitError: any other argument outside what is said here, nan and inf included.
    """
    neurons = check_neurons(neurons)
    down = check_numbers("emission", emission, (None,))
    steps = (len(down),)
    edges = None if times is None else check_numbers("times", times, (len(down) + 1,))
    theta = _angles("emission", down, edges)
    if absorption is not None:
        up = _angles("absorption", check_numbers("absorption", absorption, steps), edges)
        # in odd steps of alternating sweeps the one with |1⟩ comes first
        theta = np.stack([theta, up], axis=-1)
        if order == "alternating":
            theta[1::2] = theta[1::2, ::-1]
        theta = theta.ravel()
    lam = _given("shifts", shifts, steps)
    tilde = _given("shifts_tilde", shifts_tilde, steps)
    turn = float((_given("rotations", rotations, steps) + lam + tilde).sum())
    polar, azimuth = _checked_start(start)
    _check_words(order, layout)
    _check_flag("fresh", fresh)
    check_choice("read", read, AXES)
    shifted = shifts is not None or shifts_tilde is not None
    plan = plan_collisions(
        neurons, len(down), absorption is not None, shifted, order, layout, fresh
    )
    halves = np.zeros(len(down) + 1)
    halves[:-1] -= (lam - tilde) / 2
    halves[1:] -= (lam - tilde) / 2
    circuit = QuantumCircuit(plan.layout.qubits, name=f"collisions_{order}")
    wires = Wires(circuit)
    for place in plan.layout.starts:
        if polar == 0:
            wires.put("x", place)
        elif polar != math.pi:
            wires.turn("ry", math.pi - polar, place)
        wires.put("sxdg", place)
    _append(wires, plan, theta.tolist(), halves.tolist())
    # of φ and of all rotations exp(-i·angle·J_z), and into the basis that is read
    angle = math.remainder(_INTO[read] - azimuth - turn, 2 * math.pi)
    for place in plan.layout.ends:
        wires.put("sx", place)
        wires.turn("rz", angle, place)
        if read != "Z":
            wires.put("h", place)
    register = ClassicalRegister(neurons, "meas")
    circuit.add_register(register)
    circuit.measure(plan.layout.ends, register)
    return circuit


# σ = +1 along x is |+⟩, which Z takes to |-⟩; along y it is |-i⟩, which S† takes to |-⟩
_INTO = {"X": math.pi, "Y": -math.pi / 2, "Z": 0.0}


def read_spins(states: npt.ArrayLike, read: str) -> npt.NDArray[np.complex128]:
    """Return the density matrices just before the readings, from those before the change of basis.

    Args:
        states: of the neurons, shape (…, 2^N, 2^N), neuron i being bit i of the index.
        read: ``X``, ``Y`` or ``Z``.

    Raises:
        CircuitError: another shape, or another axis.
    """
    check_choice("read", read, AXES)
    rho = np.asarray(states, dtype=np.complex128)
    size = rho.shape[-1] if rho.ndim >= 2 else 0
    bits = size.bit_length() - 1
    if bits < 1 or rho.shape[-2:] != (2**bits, 2**bits):
        raise CircuitError(f"states: wanted shape (…, 2^N, 2^N), got {rho.shape}")
    if read == "X":
        # |-⟩ is read as 1 there, and here it is |+⟩
        signs = np.array([(-1.0) ** index.bit_count() for index in range(size)])
        rho = signs[:, None] * rho * signs
    return read_states(rho, read * bits)


# ------------------------------------------------------------------------------ gates


def _append(wires: Wires, plan: Plan, angles: Sequence[float], pairs: Sequence[float]) -> None:
    """Append a plan, in the frame, with θ of each sweep and the phase of J_z² of each layer."""
    for op in plan.ops:
        if op.kind == "meet":
            ancilla, neuron = op.qubits
            _meet(wires, ancilla, neuron, op.weight * angles[op.number], op.swap)
        elif op.kind == "carry":
            ancilla, passed = op.qubits
            wires.put("cx", passed, ancilla)
            wires.put("cx", ancilla, passed)
        elif op.kind == "reset":
            wires.put("reset", *op.qubits)
        elif op.kind == "pairs":
            _pairs(wires, op.qubits, pairs[op.number])
        else:
            if op.kind == "active":
                wires.put("x", *op.qubits)
            wires.put("sxdg", *op.qubits)


def _meet(wires: Wires, ancilla: int, neuron: int, angle: float, swap: bool) -> None:
    """exp(-i angle (XX+ZZ)/2), with or without a change of places."""
    if not swap:
        wires.exchange(ancilla, neuron, angle)
        return
    wires.put("cx", ancilla, neuron)
    wires.put("cx", neuron, ancilla)
    wires.turn("rx", angle, ancilla)
    wires.turn("rz", angle, neuron)
    wires.put("cx", ancilla, neuron)


def _pairs(wires: Wires, places: Sequence[int], phase: float) -> None:
    """exp(-i phase J_z²), but for a constant: exp(-i phase ZZ/2) of all pairs; out of the frame.

    After the bit of neuron i is added to all later ones, qubit j holds the parity of i and j.
    """
    last = len(places) - 1
    for place in places:
        wires.put("sx", place)
    for base in range(last):
        for j in range(last, base + 1, -1):
            wires.put("cx", places[j - 1], places[j])
        for j in range(base + 1, last + 1):
            wires.put("cx", places[j - 1], places[j])
        for j in range(base + 1, last + 1):
            wires.turn("rz", phase, places[j])
    for j in range(1, last + 1):
        wires.put("cx", places[j - 1], places[j])
    for place in places:
        wires.put("sxdg", place)


# ------------------------------------------------------------------------------ checks


def _angles(name: str, integrals: FloatArray, edges: FloatArray | None) -> FloatArray:
    """√ of what a rate integrates to in each step."""
    bad = np.flatnonzero(integrals < -ROUNDING)
    if bad.size:
        k, value = int(bad[0]), float(integrals[bad[0]])
        where = f"in step {k}"
        if edges is not None:
            where = f"from time {edges[k]:.6g} to {edges[k + 1]:.6g}"
        raise NegativeRate(
            f"{name}: wanted a rate >= 0, of which alone there are collisions, "
            f"got an integral of {value:.6g} {where}"
        )
    large = np.flatnonzero(integrals > LARGEST)
    if large.size:
        raise CircuitError(
            f"{name}: wanted at most {LARGEST:.4g} a step, where θ = π/2, "
            f"got {integrals[large[0]]:.6g} in step {large[0]}; take shorter steps"
        )
    return np.asarray(np.sqrt(np.maximum(integrals, 0.0)))


def _given(name: str, value: npt.ArrayLike | None, shape: tuple[int]) -> FloatArray:
    return np.zeros(shape) if value is None else check_numbers(name, value, shape)


def _checked_start(start: str | Sequence[float]) -> tuple[float, float]:
    """Polar and azimuthal angle; θ = π is down."""
    if isinstance(start, str) and start in ("down", "up"):
        return (math.pi if start == "down" else 0.0), 0.0
    if isinstance(start, str) or not hasattr(start, "__len__") or len(start) != 2:
        raise CircuitError(f"start: wanted down, up or two angles (θ, φ), got {start!r}")
    return check_finite("start", start[0]), check_finite("start", start[1])


def _check_words(order: str, layout: str) -> None:
    check_choice("order", order, ORDERS)
    check_choice("layout", layout, LAYOUTS)


def _check_flag(name: str, flag: bool) -> None:
    if not isinstance(flag, bool):
        raise CircuitError(f"{name}: wanted True or False, got {flag!r}")
