"""Circuits of ion-channel gates: one qubit a gate, relaxing by collisions with ancillas.

A gate of a potassium channel is open, |1⟩, with probability n. At a fixed voltage its rates of
opening α and of closing β are fixed, and n relaxes for a time δ as

    n → e n + (1 - e) p,    e = exp(-(α+β)δ),    p = α/(α+β).

One collision with an ancilla that is in |1⟩ with probability p does that exactly:

    exp(-iφ(XX+YY)/2),    |10⟩ → cosφ |10⟩ - i sinφ |01⟩,    cos²φ = e,

Qiskit's ``XXPlusYYGate(2φ, 0)``. Gates of a channel do not meet: four potassium gates read 1111
with probability n⁴. The ancilla has to be a mixture, for its coherence would reach n in the step
after. ``ancilla`` is one of

    mixed: ancilla a is turned by RY(2 arcsin√p) and copied by a CNOT onto a second one, b, which
        takes the coherence with it; the collision; reset of both. diag(1-p, p) exactly.
    split: two collisions with one ancilla, the first with |0⟩, at which |1⟩ survives with
        c₀ = e/c₁, the second with |1⟩, at which |0⟩ survives with c₁ = 1 - p(1-e); reset after
        each. The same map of n: c₀c₁ = e and 1 - c₁ = p(1-e). Coherences keep √c₀√c₁ = √e,
        so that for 0 ≤ φ ≤ π/2 it is the same channel as ``mixed``.
    coherent: one ancilla RY(2 arcsin√p)|0⟩ and nothing that purifies it: n is right for a single
        step only, and no more than one is built.

Collisions are written in gates of which each is native to Aer, with two CNOTs: sqrt(X) on both
qubits takes XX+ZZ to XX+YY, and exp(-iφ(XX+ZZ)/2) = CX · RX(φ) RZ(φ) · CX, RX on the ancilla (the
control) and RZ on the gate. The gate's qubit stays in that frame from its preparation to its
reading, and an ancilla that is reset needs no way out of it.

Sources: X.-H. Cheng, T. Gonzalez-Raya, X. Chen, M. Sanz and E. Solano, arXiv:1807.10698 (the
potassium channel as a quantum memristor; these circuits are made here); A. L. Hodgkin and
A. F. Huxley, J. Physiol. 117, 500 (1952).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
from qiskit import ClassicalRegister, QuantumCircuit
from qiskit.circuit import CircuitInstruction, Qubit

from .arguments import CircuitError, check_choice

__all__ = [
    "CircuitError",
    "GateLayout",
    "Wires",
    "check_numbers",
    "gate_circuit",
    "gate_layout",
    "split_angles",
]

FloatArray = npt.NDArray[np.float64]

ANCILLAS = ("mixed", "split", "coherent")


@dataclass(frozen=True)
class GateLayout:
    """Where the gates are in the circuit of :func:`gate_circuit`, and what it costs.

    Attributes:
        qubits: of the circuit, ancillas included.
        gate_qubits: the qubit of each gate, (G,).
        ancillas: of each gate, in the order in which they collide with it; (G, A). The purifier
            of a mixed ancilla follows it.
        two_qubit_gates: CNOTs: 3 a step and gate ``mixed``, 4 ``split``, 2 ``coherent``.
        resets: of single qubits, on the way.
        line: whether all two-qubit gates are between neighbours on the line 0-1-2-…
    """

    qubits: int
    gate_qubits: tuple[int, ...]
    ancillas: tuple[tuple[int, ...], ...]
    two_qubit_gates: int
    resets: int
    line: bool


def gate_layout(
    gates: int, steps: int, *, ancilla: str = "mixed", fresh: bool = False
) -> GateLayout:
    """Return where gates and ancillas are, and how many CNOTs and resets there will be.

    Each gate and its ancillas are neighbours, one group after another. Reused: gate, a (, b). On
    a line that needs no routing. Fresh ancillas lie on either side of their gate in turn, the
    earlier the nearer: … b₂ a₂ gate a₁ b₁ a₃ b₃ …, which needs no routing up to two of them
    (``mixed``: two steps; ``split``: one).

    Args:
        gates: G ≥ 1.
        steps: K ≥ 0; at most 1 with a coherent ancilla.
        ancilla: ``mixed``, ``split`` or ``coherent``.
        fresh: whether every collision has an ancilla of its own, and nothing is ever reset.

    Raises:
        CircuitError: any argument outside what is said here.
    """
    gates, steps = _count("gates", gates, 1), _count("steps", steps, 0)
    check_choice("ancilla", ancilla, ANCILLAS)
    if ancilla == "coherent" and steps > 1:
        raise CircuitError(
            f"ancilla: wanted mixed or split for more than one step, got coherent for {steps}"
        )
    if not isinstance(fresh, bool):
        raise CircuitError(f"fresh: wanted True or False, got {fresh!r}")
    size = 2 if ancilla == "mixed" else 1  # qubits that are together in a collision
    collisions = steps * (2 if ancilla == "split" else 1)
    units = collisions if fresh else 1
    left = units // 2 if fresh else 0
    group = 1 + size * units
    places = []
    for unit in range(units):
        outward, first = (1, 1) if unit % 2 == 0 else (-1, -1)
        near = first + outward * size * (unit // 2)
        places += [near + outward * part for part in range(size)]
    starts = [group * gate + size * left for gate in range(gates)]
    # of the last step nothing is reset; a split one has its reset in the middle all the same
    resets = size * max(collisions - 1, 0)
    return GateLayout(
        qubits=group * gates,
        gate_qubits=tuple(starts),
        ancillas=tuple(tuple(start + place for place in places) for start in starts),
        two_qubit_gates=gates * collisions * (3 if ancilla == "mixed" else 2),
        resets=0 if fresh else gates * resets,
        line=units <= 2,
    )


def gate_circuit(
    initial: npt.ArrayLike,
    angles: npt.ArrayLike,
    openings: npt.ArrayLike,
    *,
    ancilla: str = "mixed",
    fresh: bool = False,
) -> QuantumCircuit:
    """Return K steps of G gates, gate g read into bit g of the register ``meas``.

    Gate g starts as RY(2 arcsin√n)|0⟩ and its step k is a collision of angle φ with an ancilla
    that is in |1⟩ with probability p. The qubits are those of :func:`gate_layout`. P(bit g = 1)
    is what n → cos²φ n + sin²φ p gives after K steps. Ancillas are not reset after the last one.

    Args:
        initial: n of each gate at the start, shape (G,), in [0, 1].
        angles: φ in radians, shape (K, G); K may be 0. A step of angle 0 does nothing and is
            built like any other.
        openings: p, shape (K, G), in [0, 1].
        ancilla: ``mixed``, ``split`` or ``coherent``, as the module says.
        fresh: whether every collision has an ancilla of its own, for devices without resets.

    Returns:
        Gates ry, rx, rz, x, sx, sxdg and cx, resets and the final measurements.

    Raises:
        CircuitError: any argument outside what is said here, nan and inf included.
    """
    n, phi, p = _checked_steps(initial, angles, openings)
    layout = gate_layout(len(n), len(phi), ancilla=ancilla, fresh=fresh)
    circuit = QuantumCircuit(layout.qubits, name=f"gates_{ancilla}")
    wires = Wires(circuit)
    starts = (2 * np.arcsin(np.sqrt(n))).tolist()
    rotations = 2 * np.arcsin(np.sqrt(p))
    first, second = split_angles(phi, p)
    for gate, (place, ancillas) in enumerate(zip(layout.gate_qubits, layout.ancillas, strict=True)):
        wires.turn("ry", starts[gate], place)
        wires.put("sxdg", place)
        if ancilla == "split":
            pair = np.stack([first[:, gate], second[:, gate]], axis=-1)
            _split_collisions(wires, place, ancillas, pair.ravel().tolist(), fresh)
        else:
            numbers = (phi[:, gate].tolist(), rotations[:, gate].tolist())
            _collisions(wires, place, ancillas, *numbers, 2 if ancilla == "mixed" else 1, fresh)
        wires.put("sx", place)
    register = ClassicalRegister(len(n), "meas")
    circuit.add_register(register)
    circuit.measure(layout.gate_qubits, register)
    return circuit


def split_angles(angles: npt.ArrayLike, openings: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return the angles arccos√c₀ and arccos√c₁ of the two collisions of a split step.

    With e = cos²φ: 1 - c₁ = p sin²φ and, of c₀ = e/c₁, tan² = (1-p) sin²φ / cos²φ. Where c₁ = 0
    (p = 1 and e = 0) the second collision alone decides, and the first has angle 0.

    Args:
        angles: φ in radians, any shape.
        openings: p in [0, 1], of the same shape.

    Returns:
        Angles in [0, π/2] of the collisions with |0⟩, the first, and with |1⟩.

    Raises:
        CircuitError: shapes that differ, nan, inf, or openings outside [0, 1].
    """
    phi = check_numbers("angles", angles, (None,) * np.ndim(angles))
    p = check_numbers("openings", openings, phi.shape, (0, 1))
    gained = np.sqrt(p) * np.abs(np.sin(phi))
    lost = np.sqrt(1 - p) * np.abs(np.sin(phi))
    kept = np.abs(np.cos(phi))
    return np.arctan2(lost, kept), np.arctan2(gained, np.hypot(kept, lost))


def _collisions(
    wires: Wires,
    gate: int,
    ancillas: Sequence[int],
    angles: Sequence[float],
    rotations: Sequence[float],
    size: int,
    fresh: bool,
) -> None:
    """One collision a step, with an ancilla and (size 2) the qubit that purifies it."""
    for step, (angle, rotation) in enumerate(zip(angles, rotations, strict=True)):
        if step and not fresh:
            for place in ancillas:
                wires.put("reset", place)
        near, *purifier = ancillas[step * size : (step + 1) * size] if fresh else ancillas
        wires.turn("ry", rotation, near)
        if purifier:
            wires.put("cx", near, purifier[0])
        wires.put("sxdg", near)
        wires.exchange(near, gate, angle)


def _split_collisions(
    wires: Wires, gate: int, ancillas: Sequence[int], angles: Sequence[float], fresh: bool
) -> None:
    """Collisions with |0⟩ and with |1⟩ in turn."""
    for number, angle in enumerate(angles):
        if number and not fresh:
            for place in ancillas:
                wires.put("reset", place)
        near = ancillas[number] if fresh else ancillas[0]
        if number % 2:
            wires.put("x", near)
        wires.put("sxdg", near)
        wires.exchange(near, gate, angle)


class Wires:
    """Appends gates to a circuit by qubit number, without the checks that numbers here passed.

    Ten times faster than the circuit's own methods; all arguments have to be right.
    """

    def __init__(self, circuit: QuantumCircuit) -> None:
        # the private twin of append skips checks; its types leave out the form with one argument
        self._append = cast(Callable[[CircuitInstruction], object], circuit._append)
        self._qubits: list[Qubit] = circuit.qubits
        self._known: dict[tuple[str, tuple[int, ...]], CircuitInstruction] = {}

    def put(self, name: str, *qubits: int) -> None:
        """Append x, h, sdg, sx, sxdg, cx (control first) or reset."""
        self._append(self._instruction(name, qubits))

    def turn(self, name: str, angle: float, qubit: int) -> None:
        """Append rx, ry or rz, exp(-i angle P/2)."""
        self._append(self._instruction(name, (qubit,)).replace(params=[angle]))

    def exchange(self, control: int, target: int, angle: float) -> None:
        """Append exp(-i angle (XX+ZZ)/2), which is XX+YY between sqrt(X)† and sqrt(X)."""
        self.put("cx", control, target)
        self.turn("rx", angle, control)
        self.turn("rz", angle, target)
        self.put("cx", control, target)

    def _instruction(self, name: str, qubits: tuple[int, ...]) -> CircuitInstruction:
        known = self._known.get((name, qubits))
        if known is None:
            wires = [self._qubits[qubit] for qubit in qubits]
            known = self._known[name, qubits] = _PATTERNS[name].replace(qubits=wires)
        return known


def _patterns() -> dict[str, CircuitInstruction]:
    """One instruction of each gate, to be had with other angles and qubits by ``replace``.

    They are taken from a circuit: an instruction that was made from a gate object would keep that
    object, angle and all, as its ``operation``.
    """
    circuit = QuantumCircuit(2)
    for name in ("rx", "ry", "rz"):
        getattr(circuit, name)(0.0, 0)
    for name in ("x", "h", "sdg", "sx", "sxdg", "reset"):
        getattr(circuit, name)(0)
    circuit.cx(0, 1)
    return {step.name: step for step in circuit.data}


_PATTERNS = _patterns()


def check_numbers(
    name: str,
    value: npt.ArrayLike,
    shape: tuple[int | None, ...],
    bounds: tuple[float, float] = (-math.inf, math.inf),
) -> FloatArray:
    """Return finite real numbers of a shape (None: any length), within bounds.

    Raises:
        CircuitError: anything else.
    """
    wanted = "(" + ", ".join("any" if size is None else str(size) for size in shape) + ")"
    try:
        found = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise CircuitError(f"{name}: wanted numbers of shape {wanted}, got {value!r}") from None
    if found.ndim != len(shape) or any(
        size is not None and size != there for size, there in zip(shape, found.shape, strict=True)
    ):
        raise CircuitError(f"{name}: wanted shape {wanted}, got {found.shape}")
    if not np.isfinite(found).all():
        raise CircuitError(f"{name}: wanted finite numbers, got nan or inf")
    outside = found[(found < bounds[0]) | (found > bounds[1])]
    if outside.size:
        raise CircuitError(
            f"{name}: wanted numbers in [{bounds[0]:g}, {bounds[1]:g}], got {outside[0]:g}"
        )
    return found


def _checked_steps(
    initial: npt.ArrayLike, angles: npt.ArrayLike, openings: npt.ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray]:
    n = check_numbers("initial", initial, (None,), (0, 1))
    if not len(n):
        raise CircuitError("initial: wanted at least one gate, got none")
    phi = check_numbers("angles", angles, (None, len(n)))
    return n, phi, check_numbers("openings", openings, phi.shape, (0, 1))


def _count(name: str, value: int, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise CircuitError(f"{name}: wanted an integer >= {least}, got {value!r}")
    return int(value)
