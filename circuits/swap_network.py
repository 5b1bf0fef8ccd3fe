"""The complete graph of interactions on a line of qubits i-(i+1).

An odd-even network of N layers lets every pair of neurons meet once as neighbours
(I. D. Kivlichan et al., Phys. Rev. Lett. 120, 110501 (2018)). Two constructions:

*Two axes (XX and YY, or XX and ZZ).* The interaction of a pair and its change of places are one
two-qubit block. exp(-i(a XX + b ZZ)/2) is CX · RX(a) RZ(b) · CX, and CX·SWAP is two CX, so that

    exp(-i(a XX + b ZZ)/2) · SWAP = CX₁₀ · RX₁(a) RZ₀(b) · CX₀₁ · CX₁₀      (matrix product)

takes three CZ, as many as any two-qubit gate needs (F. Vatan and C. Williams, Phys. Rev. A 69,
032315 (2004)), with two free angles, both on RZ gates. YY comes from ZZ by sqrt(X) on all qubits.
A pair that need not change places takes two CZ. In the first layer of a sweep it need not, since
the neurons may as well be placed as they would be after it; nor in the last, where the next sweep,
run backwards, would undo it.

*One axis (γ=1).* All terms commute and no qubit need move: with the neurons on a path, N-1 qubits
hold the parities of neighbours on the path, one CX writes the parity of a new pair, and a layer of
N-2 of them exchanges neighbours on the path. N-2 layers write all pairs: about N² CZ instead of
3N²/2 (the parity flow of B. Klaver et al., arXiv:2408.10907). Where the start is a product
state in the basis of the axis it is a product state in the parities too, and needs no writing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from qiskit import QuantumCircuit
from qiskit.circuit import ParameterExpression

from qbrain.circuits.arguments import (
    CircuitError,
    check_choice,
    check_excitations,
    check_finite,
    check_neurons,
    check_order,
)
from qbrain.circuits.dicke import prepare_dicke
from qbrain.circuits.lmg import FORMS, Layer, PairAngles, pair_angles, pair_sequence, step_layers
from qbrain.circuits.step_program import FIELD_PHASE, PHASE, StepProgram

__all__ = [
    "CircuitError",
    "fused_sweep",
    "network_program",
    "network_single_layer",
    "pair_sequence",
]

METHODS = ("parity", "fused")


# ------------------------------------------------------------------------------ two-qubit blocks


def _cx(circuit: QuantumCircuit, control: int, target: int) -> None:
    # H is one pulse and cancels against its like; a CX would be taken apart to the same
    circuit.h(target)
    circuit.cz(control, target)
    circuit.h(target)


def _block(
    circuit: QuantumCircuit, left: int, xx: ParameterExpression, zz: ParameterExpression, swap: bool
) -> None:
    """Apply exp(-i(xx XX + zz ZZ)/2) to left and left+1, with or without a change of places."""
    # the same qubits are targets in every layer, so that the H between two blocks cancel
    target, control = (left, left + 1) if left % 2 == 0 else (left + 1, left)
    _cx(circuit, control, target)
    if swap:
        _cx(circuit, target, control)
    if xx is not None:
        circuit.h(control)
        circuit.rz(xx, control)
        circuit.h(control)
    if zz is not None:
        circuit.rz(zz, target)
    _cx(circuit, control, target)


def _bonds(neurons: int, layer: int) -> range:
    """Left ends of the neighbours that meet in a layer of the network."""
    return range(1 - layer % 2, neurons - 1, 2)


class _Meeting(NamedTuple):
    layer: int
    weight: float
    swap: bool


def _meetings(neurons: int, layers: Sequence[Layer]) -> list[_Meeting | Layer]:
    """Spell out sweeps as layers of the network; the same layer twice in a row is joined."""
    result: list[_Meeting | Layer] = []
    for item in layers:
        if item.kind == "field":
            result.append(item)
            continue
        numbers = range(neurons) if item.kind == "sweep" else reversed(range(neurons))
        for number in numbers:
            if not _bonds(neurons, number):
                continue
            swap = 0 < number < neurons - 1
            before = result[-1] if result else None
            if isinstance(before, _Meeting) and before.layer == number and not swap:
                result[-1] = before._replace(weight=before.weight + item.weight)
            else:
                result.append(_Meeting(number, item.weight, swap))
    return result


def _swapped(order: Sequence[int], neurons: int, layers: Sequence[int]) -> tuple[int, ...]:
    line = list(order)
    for layer in layers:
        for left in _bonds(neurons, layer):
            line[left], line[left + 1] = line[left + 1], line[left]
    return tuple(line)


def _into_frame(circuit: QuantumCircuit, angles: PairAngles) -> None:
    if angles.yy:
        circuit.sxdg(range(circuit.num_qubits))


def _out_of_frame(circuit: QuantumCircuit, angles: PairAngles) -> None:
    # sqrt(X) takes ZZ to YY and leaves XX
    if angles.yy:
        circuit.sx(range(circuit.num_qubits))


def _apply_meeting(
    circuit: QuantumCircuit, number: int, angles: PairAngles, weight: float, swap: bool
) -> None:
    second = angles.yy + angles.zz  # never both
    xx = weight * angles.xx * PHASE if angles.xx else None
    zz = weight * second * PHASE if second else None
    for left in _bonds(circuit.num_qubits, number):
        _block(circuit, left, xx, zz, swap)


def _fused_piece(neurons: int, layers: Sequence[Layer], angles: PairAngles) -> QuantumCircuit:
    circuit = QuantumCircuit(neurons, global_phase=angles.constant * PHASE)
    inside = False
    for item in _meetings(neurons, layers):
        if isinstance(item, Layer):
            if inside:
                _out_of_frame(circuit, angles)
                inside = False
            circuit.rz(item.weight * FIELD_PHASE, range(neurons))
            continue
        if not inside:
            _into_frame(circuit, angles)
            inside = True
        _apply_meeting(circuit, item.layer, angles, item.weight, item.swap)
    if inside:
        _out_of_frame(circuit, angles)
    return circuit


def fused_sweep(neurons: int, gamma: float = 1.0, *, form: str = "xx+yy") -> QuantumCircuit:
    """Return one sweep of the network with every change of places, parameter ``phase``.

    N(N-1)/2 blocks of three CZ; it reverses the order of the neurons. The plain form, from which
    :func:`network_program` leaves out what it can.

    Args:
        neurons: N ≥ 1, on the line 0-1-…-(N-1).
        gamma: γ, any finite number.
        form: ``xx+yy`` or ``xx+zz``.

    Raises:
        CircuitError: any argument outside what is said here.
    """
    neurons = check_neurons(neurons)
    check_choice("form", form, FORMS)
    angles = pair_angles(neurons, check_finite("gamma", gamma), form)
    circuit = QuantumCircuit(neurons, global_phase=angles.constant * PHASE)
    _into_frame(circuit, angles)
    for number in range(neurons):
        _apply_meeting(circuit, number, angles, 1.0, True)
    _out_of_frame(circuit, angles)
    return circuit


_AXES = ("xx", "yy", "zz")


def _single_axis(angles: PairAngles) -> str | None:
    """Return the only axis that has an interaction, or None."""
    axes = [axis for axis in _AXES if getattr(angles, axis)]
    return axes[0] if len(axes) == 1 else None


def _parity_pieces(
    neurons: int, order: int, angles: PairAngles, axis: str, field: bool
) -> tuple[list[QuantumCircuit], list[tuple[int, ...]]]:
    """Return two pieces, the second of which brings the neurons back, and their orders."""
    layers = step_layers(order, "collective", second=False, field=field)[0]
    places = tuple(range(neurons))
    pieces, orders = [], [places]
    backwards = False
    for _ in range(2):
        circuit = QuantumCircuit(neurons, global_phase=angles.constant * PHASE)
        for kind, weight in layers:
            if kind == "field":
                circuit.rz(weight * FIELD_PHASE, range(neurons))
                continue
            scaled = angles._replace(**{axis: weight * getattr(angles, axis)})
            places = _parity_layer(circuit, places, scaled, axis, backwards)
            backwards = not backwards
        pieces.append(circuit)
        orders.append(places)
    if orders[1] == orders[0]:
        return pieces[:1], orders[:1]
    return pieces, orders[:2]


# ------------------------------------------------------------------------------ programs


def network_program(
    neurons: int,
    gamma: float,
    *,
    field: bool = False,
    order: int = 2,
    initial: int = 0,
    form: str = "xx+yy",
) -> StepProgram:
    """Return a Trotter formula as a step program on the line 0-1-…-(N-1).

    With two axes the formula is the pairwise one of
    :func:`~qbrain.circuits.lmg.step_layers`, in the order of :func:`pair_sequence`: order 1 runs
    sweeps forwards and backwards in turn, order 2 both in one step. With one axis (γ=1 is the
    common case) pairs commute, the pairwise and the collective formula are the same, and a step
    has a single layer of interactions. The preparation is on the line too.

    Args:
        neurons: N ≥ 1, on the line 0-1-…-(N-1).
        gamma: γ, any finite number.
        field: whether the steps take a parameter ``field_phase``.
        order: Trotter order, 1, 2 or 4.
        initial: number of active neurons of the initial Dicke state.
        form: ``xx+yy`` or ``xx+zz``.

    Raises:
        CircuitError: any argument outside what is said here.
    """
    neurons = check_neurons(neurons)
    check_order(order)
    check_choice("form", form, FORMS)
    initial = check_excitations("initial", initial, neurons)
    angles = pair_angles(neurons, check_finite("gamma", gamma), form)
    axis = _single_axis(angles)
    if axis is not None:
        pieces, orders = _parity_pieces(neurons, order, angles, axis, bool(field))
    else:
        layers = step_layers(order, "pairwise", second=True, field=bool(field))
        pieces = [_fused_piece(neurons, piece, angles) for piece in layers]
        start = _swapped(range(neurons), neurons, [0])
        orders = [start, _swapped(start, neurons, range(1, neurons - 1))][: len(pieces)]
    return StepProgram(
        prepare=prepare_dicke(neurons, initial, line=True),
        steps=tuple(pieces),
        orders=tuple(orders),
        has_field=bool(field),
    )


def network_single_layer(neurons: int, initial: int = 0, *, method: str = "parity") -> StepProgram:
    """Return the exact evolution at γ=1, h=0 as one step on the line 0-1-…-(N-1).

    The step may be taken once: ``phase`` is ∫ g dt from the start, to any time.

    ``parity``: (N-2)² + N-1 CZ from n = 0 or N; some N-1 + N/2 more from other n.
    ``fused``: interactions fused with changes of places, 3N(N-1)/2 - (N-1) CZ.

    Args:
        neurons: N ≥ 1.
        initial: number of active neurons of the initial Dicke state. The ``parity`` step from 0
            or N is right for that start only.
        method: ``parity`` or ``fused``.

    Raises:
        CircuitError: any argument outside what is said here.
    """
    neurons = check_neurons(neurons)
    initial = check_excitations("initial", initial, neurons)
    check_choice("method", method, METHODS)
    angles = pair_angles(neurons, 1.0)
    circuit = QuantumCircuit(neurons, global_phase=angles.constant * PHASE)
    start = tuple(range(neurons))
    if method == "fused":
        circuit = _fused_piece(neurons, [Layer("sweep", 1.0)], angles)
        start = _swapped(start, neurons, [0])
        end = _swapped(start, neurons, range(1, neurons - 1))
    elif 0 < initial < neurons:
        end = _parity_layer(circuit, start, angles, "xx", False)
    else:
        end = _parity_layer_of_product(circuit, start, angles, initial > 0)
    return StepProgram(
        prepare=prepare_dicke(neurons, initial, line=True),
        steps=(circuit,),
        orders=(start, end),
    )
