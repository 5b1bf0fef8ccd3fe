"""The complete graph of interactions on a line of qubits i-(i+1).

An odd-even network of N layers lets every pair of neurons meet once as neighbours
(I. D. Kivlichan et al., Phys. Rev. Lett. 120, 110501 (2018)). The interaction of a pair and its
change of places are one two-qubit block. exp(-i(a XX + b ZZ)/2) is CX · RX(a) RZ(b) · CX, and
CX·SWAP is two CX, so that, as a matrix product,

    exp(-i(a XX + b ZZ)/2) · SWAP = CX₁₀ · RX₁(a) RZ₀(b) · CX₀₁ · CX₁₀

takes three CZ, as many as any two-qubit gate needs (F. Vatan and C. Williams, Phys. Rev. A 69,
032315 (2004)), with two free angles, both on RZ gates. YY comes from ZZ by sqrt(X) on all qubits.

A pair that need not change places takes two CZ. In the first layer of a sweep it need not, since
the neurons may as well be placed as they would be after it; nor in the last, where the next sweep,
run backwards, would undo it. So a sweep is 3N(N-1)/2 - (N-1) CZ: N=6, 40 in place of 45.

With fractional gates (``rzz`` of any angle, one gate) a pair of a single axis that need not change
places is one gate, and a sweep is 3N(N-1)/2 - 2(N-1) of ``rzz`` and CZ: N=6, 35; N=2, 1. They save
nothing elsewhere:

- two axes without a change of places are two ``rzz`` or two CZ;
- one axis with a change of places takes three gates either way. RZ commutes with ``rzz``, so that
  two ``rzz`` have RX ⊗ RX between them and lie in the group that ZZ, XI and IX generate, whose
  elements have at most two canonical coordinates; SWAP·exp(-i a ZZ/2) has three;
- parity flow turns a pair by an RZ on the qubit that holds its parity, and the CZ that wrote the
  parity carries the path on too. Only for N=2 with the neurons written and read is one ``rzz``
  less than two CZ.

An exhaustive search over CX, RZ and ``rzz`` between neighbours for the least number of two-qubit
gates that turn all pairs of one axis gives, for N = 2..6, from a product state 1, 3, 6, 10, 16,
with ``rzz`` or without, and from any state 2, 5, 9, 15, 23 without and 1, 5, 9, 15, 22 with it.
Parity flow, 1, 3, 7, 13, 21 and 2, 6, 11, 19, 28, is near that but not there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from qiskit import QuantumCircuit
from qiskit.circuit import ParameterExpression

from .arguments import (
    CircuitError,
    check_choice,
    check_excitations,
    check_finite,
    check_neurons,
    check_order,
)
from .dicke import prepare_dicke
from .lmg import FORMS, Layer, PairAngles, pair_angles, pair_sequence, step_layers
from .parity_flow import append_cx, parity_layer, parity_layer_of_product
from .step_program import FIELD_PHASE, PHASE, StepProgram

__all__ = [
    "CircuitError",
    "fused_sweep",
    "network_program",
    "network_single_layer",
    "pair_sequence",
]

METHODS = ("fused", "parity")


# ------------------------------------------------------------------------------ two-qubit blocks


def _block(
    circuit: QuantumCircuit,
    left: int,
    xx: ParameterExpression | None,
    zz: ParameterExpression | None,
    swap: bool,
    fractional: bool,
) -> None:
    """Apply exp(-i(xx XX + zz ZZ)/2) to left and left+1, with or without a change of places."""
    if fractional and not swap and (xx is None or zz is None):
        _lone_rzz(circuit, left, xx, zz)
        return
    # the same qubits are targets in every layer, so that the H between two blocks cancel
    target, control = (left, left + 1) if left % 2 == 0 else (left + 1, left)
    append_cx(circuit, control, target)
    if swap:
        append_cx(circuit, target, control)
    if xx is not None:
        circuit.h(control)
        circuit.rz(xx, control)
        circuit.h(control)
    if zz is not None:
        circuit.rz(zz, target)
    append_cx(circuit, control, target)


def _lone_rzz(
    circuit: QuantumCircuit,
    left: int,
    xx: ParameterExpression | None,
    zz: ParameterExpression | None,
) -> None:
    """Apply the one of exp(-i xx XX/2) and exp(-i zz ZZ/2) that there is, as one ``rzz``."""
    pair = (left, left + 1)
    if zz is not None:
        circuit.rzz(zz, *pair)
        return
    circuit.h(pair)
    circuit.rzz(xx, *pair)
    circuit.h(pair)


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


def _append_meeting(
    circuit: QuantumCircuit, meeting: _Meeting, angles: PairAngles, fractional: bool
) -> None:
    second = angles.yy + angles.zz  # never both
    xx = meeting.weight * angles.xx * PHASE if angles.xx else None
    zz = meeting.weight * second * PHASE if second else None
    for left in _bonds(circuit.num_qubits, meeting.layer):
        _block(circuit, left, xx, zz, meeting.swap, fractional)


def _empty(neurons: int, angles: PairAngles) -> QuantumCircuit:
    return QuantumCircuit(neurons, global_phase=angles.constant * PHASE)


def _append_fused(
    circuit: QuantumCircuit, layers: Sequence[Layer], angles: PairAngles, fractional: bool
) -> None:
    """Append sweeps and field layers."""
    neurons = circuit.num_qubits
    inside = False
    for item in _meetings(neurons, layers):
        if isinstance(item, Layer):
            if inside:
                _out_of_frame(circuit, angles)
            circuit.rz(item.weight * FIELD_PHASE, range(neurons))
            inside = False
            continue
        if not inside:
            _into_frame(circuit, angles)
        _append_meeting(circuit, item, angles, fractional)
        inside = True
    if inside:
        _out_of_frame(circuit, angles)


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
    circuit = _empty(neurons, angles)
    _into_frame(circuit, angles)
    for number in range(neurons):
        _append_meeting(circuit, _Meeting(number, 1.0, True), angles, False)
    _out_of_frame(circuit, angles)
    return circuit


_AXES = ("xx", "yy", "zz")


def _single_axis(angles: PairAngles) -> str | None:
    """Return the only axis that has an interaction, or None."""
    axes = [axis for axis in _AXES if getattr(angles, axis)]
    return axes[0] if len(axes) == 1 else None


# ------------------------------------------------------------------------------ programs


def network_program(
    neurons: int,
    gamma: float,
    *,
    field: bool = False,
    order: int = 2,
    initial: int = 0,
    form: str = "xx+yy",
    method: str = "fused",
    fractional: bool = False,
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
        method: ``fused``, or with one axis ``parity``; see :func:`network_single_layer`.
        fractional: whether ``rzz`` may be used, at angles of any size and sign. With one axis
            N-1 gates fewer a sweep (N=6: 35 against 40); with two axes, and with ``parity``
            from N=3 on, the circuits are the same. Orders and unitaries are the same always.

    Raises:
        CircuitError: any argument outside what is said here.
    """
    neurons = check_neurons(neurons)
    check_order(order)
    check_choice("form", form, FORMS)
    check_choice("method", method, METHODS)
    initial = check_excitations("initial", initial, neurons)
    angles = pair_angles(neurons, check_finite("gamma", gamma), form)
    axis = _single_axis(angles)
    pieces: list[QuantumCircuit] = []
    if axis is not None:
        pieces, orders = _commuting_pieces(
            neurons,
            step_layers(order, "collective", second=False, field=field),
            angles,
            axis if method == "parity" else None,
            fractional,
        )
    elif method == "parity":
        raise CircuitError("method: 'parity' is for one axis (γ=1, say); here there are two")
    else:
        layers = step_layers(order, "pairwise", second=True, field=bool(field))
        for piece in layers:
            circuit = _empty(neurons, angles)
            _append_fused(circuit, piece, angles, fractional)
            pieces.append(circuit)
        start = _swapped(range(neurons), neurons, [0])
        orders = [start, _swapped(start, neurons, range(1, neurons - 1))][: len(pieces)]
    return StepProgram(
        prepare=prepare_dicke(neurons, initial, line=True),
        steps=tuple(pieces),
        orders=tuple(orders),
        has_field=bool(field),
    )


def network_single_layer(
    neurons: int, initial: int = 0, *, method: str = "fused", fractional: bool = False
) -> StepProgram:
    """Return the exact evolution at γ=1, h=0 as one step on the line 0-1-…-(N-1).

    The step may be taken once: ``phase`` is ∫ g dt from the start, to any time.

    ``fused``: interactions fused with changes of places, 3N(N-1)/2 - (N-1) CZ.
    ``parity``: parity flow, (N-2)² + N-1 CZ from n = 0 or N (N=6: 21 against 40), some 3N/2 more
    from other n. Half the gates, but an error then tends to flip two neurons, which no parity
    check sees. With the noise of the FakeFez snapshot, N=6 from n=0, eight phases up to 9, the
    root-mean-square error of E is 0.013 with all shots and 0.009 with those of the right parity
    (95 % of them); ``fused`` has 0.015 and 0.007 (90 %). The histograms are equally far off.

    Args:
        neurons: N ≥ 1.
        initial: number of active neurons of the initial Dicke state. The ``parity`` step from 0
            or N is right for that start only.
        method: ``fused`` or ``parity``.
        fractional: whether ``rzz`` may be used, at angles of any size and sign. ``fused`` is
            then 3N(N-1)/2 - 2(N-1) gates (N=6: 35); ``parity`` is the same from N=3 on (21).

    Raises:
        CircuitError: any argument outside what is said here.
    """
    neurons = check_neurons(neurons)
    initial = check_excitations("initial", initial, neurons)
    check_choice("method", method, METHODS)
    angles = pair_angles(neurons, 1.0)
    circuit = _empty(neurons, angles)
    if method == "fused" or (fractional and neurons == 2):
        _append_fused(circuit, [Layer("sweep", 1.0)], angles, fractional)
        start = _swapped(range(neurons), neurons, [0])
        end = _swapped(start, neurons, range(1, neurons - 1))
    else:
        start = tuple(range(neurons))
        if 0 < initial < neurons:
            end = parity_layer(circuit, start, "xx", angles.xx)
        else:
            end = parity_layer_of_product(circuit, start, angles.xx, active=initial > 0)
    return StepProgram(
        prepare=prepare_dicke(neurons, initial, line=True),
        steps=(circuit,),
        orders=(start, end),
    )


def _commuting_pieces(
    neurons: int,
    layers: Sequence[Sequence[Layer]],
    angles: PairAngles,
    parity_axis: str | None,
    fractional: bool,
) -> tuple[list[QuantumCircuit], list[tuple[int, ...]]]:
    """Return the pieces of a formula with one axis, whose sweeps run to and fro.

    With an odd number of sweeps a piece leaves the neurons in the order of the far end, and a
    second piece brings them back.
    """
    if fractional and neurons == 2:
        parity_axis = None  # one rzz is less than writing and reading a parity
    near = tuple(range(neurons))
    if parity_axis is None:
        near = _swapped(near, neurons, [0])
    far = near
    pieces: list[QuantumCircuit] = []
    orders: list[tuple[int, ...]] = []
    backwards = False
    while not pieces or backwards:
        orders.append(far if backwards else near)
        piece = _empty(neurons, angles)
        for kind, weight in layers[0]:
            if kind == "field":
                piece.rz(weight * FIELD_PHASE, range(neurons))
                continue
            if parity_axis is None:
                sweep = Layer("reverse" if backwards else "sweep", weight)
                _append_fused(piece, [sweep], angles, fractional)
                far = _swapped(near, neurons, range(1, neurons - 1))
            else:
                angle = weight * getattr(angles, parity_axis)
                place = far if backwards else near
                after = parity_layer(piece, place, parity_axis, angle, backwards=backwards)
                far = far if backwards else after
            backwards = not backwards
        pieces.append(piece)
    return pieces, orders
