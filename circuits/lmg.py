"""Circuits of the Lipkin-Meshkov-Glick (LMG) brain on N qubits.

    H = -(g/N)[(1+γ) J_x² + (1-γ) J_y²] - h J_z,    J_z = n - N/2 = -½ ΣZ,    ħ = 1.

A step of length dt is given by phase φ = ∫ g dt and field_phase = h dt. With
J_a² = N/4 + ½ Σ_{i<j} PP and the rotations exp(-iθ/2 P) of Qiskit, its layers are

    RXX(-(1+γ)φ/N) on all pairs,  RYY(-(1-γ)φ/N) on all pairs,  RZ(+h dt) on each qubit.

(1+γ)J_x² + (1-γ)J_y² = 2γJ_x² - (1-γ)J_z² + (1-γ)J² trades YY for ZZ: RXX(-2γφ/N) and
RZZ(+(1-γ)φ/N), up to J², a constant for permutation-symmetric states. The constants are kept
as global phases. Neuron j is qubit j, |1⟩ is active.

Sources: H. J. Lipkin, N. Meshkov, A. J. Glick, Nucl. Phys. 62, 188 (1965); J. J. Torres and
E. Romera, arXiv:2602.16003, Eq. (1); M. Suzuki, Phys. Lett. A 146, 319 (1990).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
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
from .step_program import FIELD_PHASE, PHASE, StepProgram

__all__ = [
    "CircuitError",
    "Layer",
    "PairAngles",
    "logical_program",
    "pair_angles",
    "pair_sequence",
    "single_layer_circuit",
    "step_layers",
    "trotter_circuit",
]

Angle: TypeAlias = "float | ParameterExpression"

FORMS = ("xx+yy", "xx+zz")
SPLITTINGS = ("collective", "pairwise")


class PairAngles(NamedTuple):
    """Rotation angles of one pair, and the step's global phase, per unit of φ."""

    xx: float
    yy: float
    zz: float
    constant: float


class Layer(NamedTuple):
    """A layer of a step: ``xx``, ``second`` (YY or ZZ), ``sweep``, ``reverse`` or ``field``."""

    kind: str
    weight: float


def pair_angles(neurons: int, gamma: float, form: str = "xx+yy") -> PairAngles:
    """Return θ/φ of RXX, RYY, RZZ on a pair, and the global phase per φ that makes H complete.

    The constants: φ/2 in the form xx+yy (N/4 for each square); in xx+zz also
    (1-γ) N/2 (N/2+1), the value of (1-γ)J² in the symmetric subspace.
    """
    if form == "xx+yy":
        return PairAngles(-(1 + gamma) / neurons, -(1 - gamma) / neurons, 0.0, 0.5)
    constant = (2 * gamma - (1 - gamma)) / 4 + (1 - gamma) * (neurons + 2) / 4
    return PairAngles(-2 * gamma / neurons, 0.0, (1 - gamma) / neurons, constant)


def pair_sequence(neurons: int) -> list[tuple[int, int]]:
    """Return the order in which an odd-even swap network meets the pairs, each once.

    N layers of neighbours on a line, the bonds (1,2), (3,4), … first, then (0,1), (2,3), …, in
    turn; every pair that meets changes places. Pairs are given as neurons, i < j or not as they
    lie on the line (I. D. Kivlichan et al., Phys. Rev. Lett. 120, 110501 (2018)).

    Raises:
        CircuitError: ``neurons`` is no integer of at least 1.
    """
    neurons = check_neurons(neurons)
    line = list(range(neurons))
    pairs = []
    for layer in range(neurons):
        for left in range(1 - layer % 2, neurons - 1, 2):
            pairs.append((line[left], line[left + 1]))
            line[left], line[left + 1] = line[left + 1], line[left]
    return pairs


def step_layers(order: int, splitting: str, *, second: bool, field: bool) -> list[list[Layer]]:
    """Return the layers of the pieces that a product formula repeats, neighbours joined.

    Collective: order 1 is XX, second, Z; order 2 is Z½, second½, XX, second½, Z½. Pairwise:
    order 1 is a sweep and Z, then the reversed sweep and Z; order 2 is Z½, sweep½, reverse½,
    Z½. Order 4 is Suzuki's five order-2 steps of p, p, 1-4p, p, p, p = 1/(4-4^⅓).

    Args:
        order: 1, 2 or 4.
        splitting: ``collective`` or ``pairwise``.
        second: whether there is a YY or ZZ layer (collective only).
        field: whether there is a Z layer.
    """
    if order == 1:
        if splitting == "pairwise":
            pieces = [[Layer("sweep", 1.0)], [Layer("reverse", 1.0)]]
        else:
            pieces = [[Layer("xx", 1.0)] + [Layer("second", 1.0)] * second]
        return [piece + [Layer("field", 1.0)] * field for piece in pieces]
    if splitting == "pairwise":
        strang = [Layer("sweep", 0.5), Layer("reverse", 0.5)]
    else:
        halves = [Layer("second", 0.5)] * second
        strang = [*halves, Layer("xx", 1.0), *halves]
    halves = [Layer("field", 0.5)] * field
    strang = [*halves, *strang, *halves]
    inner = 1 / (4 - 4 ** (1 / 3))
    parts = [1.0] if order == 2 else [inner, inner, 1 - 4 * inner, inner, inner]
    joined: list[Layer] = []
    for part in parts:
        for kind, weight in strang:
            if joined and joined[-1].kind == kind:
                joined[-1] = Layer(kind, joined[-1].weight + part * weight)
            else:
                joined.append(Layer(kind, part * weight))
    return [joined]


def _pairs(neurons: int) -> list[tuple[int, int]]:
    return [(i, j) for i in range(neurons) for j in range(i + 1, neurons)]


def _rotate_pairs(
    circuit: QuantumCircuit, pairs: Sequence[tuple[int, int]], angles: PairAngles, phase: Angle
) -> None:
    for i, j in pairs:
        if angles.xx:
            circuit.rxx(angles.xx * phase, i, j)
        if angles.yy:
            circuit.ryy(angles.yy * phase, i, j)
        if angles.zz:
            circuit.rzz(angles.zz * phase, i, j)


def _piece(neurons: int, layers: Sequence[Layer], angles: PairAngles) -> QuantumCircuit:
    circuit = QuantumCircuit(neurons, global_phase=angles.constant * PHASE)
    forward = pair_sequence(neurons)
    for kind, weight in layers:
        if kind == "field":
            circuit.rz(weight * FIELD_PHASE, range(neurons))
        elif kind == "xx":
            only = PairAngles(angles.xx, 0.0, 0.0, 0.0)
            _rotate_pairs(circuit, _pairs(neurons), only, weight * PHASE)
        elif kind == "second":
            rest = angles._replace(xx=0.0)
            _rotate_pairs(circuit, _pairs(neurons), rest, weight * PHASE)
        else:
            sequence = forward if kind == "sweep" else forward[::-1]
            _rotate_pairs(circuit, sequence, angles, weight * PHASE)
    return circuit


def logical_program(
    neurons: int,
    gamma: float,
    *,
    field: bool = False,
    order: int = 2,
    initial: int = 0,
    form: str = "xx+yy",
    splitting: str = "collective",
) -> StepProgram:
    """Return a Trotter formula as a step program on all-to-all qubits, neuron j on qubit j.

    Gates are rxx, ryy, rzz, rz and those of :func:`~qbrain.circuits.dicke.prepare_dicke`. Layers
    with no weight are left out: YY at γ=1, XX at γ=-1 (form xx+yy) or γ=0 (xx+zz), ZZ at γ=1.

    Args:
        neurons: N ≥ 1, the number of qubits.
        gamma: γ, any finite number.
        field: whether the steps take a parameter ``field_phase``.
        order: Trotter order, 1, 2 or 4; see :func:`step_layers` for the layers.
        initial: number of active neurons of the initial Dicke state.
        form: ``xx+yy``, or ``xx+zz`` (the same on permutation-symmetric states).
        splitting: ``collective`` layers, or ``pairwise`` sweeps in :func:`pair_sequence` order.

    Raises:
        CircuitError: any argument outside what is said here.
    """
    neurons = check_neurons(neurons)
    gamma = check_finite("gamma", gamma)
    check_order(order)
    check_choice("form", form, FORMS)
    check_choice("splitting", splitting, SPLITTINGS)
    initial = check_excitations("initial", initial, neurons)
    angles = pair_angles(neurons, gamma, form)
    pieces = step_layers(order, splitting, second=bool(angles.yy or angles.zz), field=bool(field))
    identity = tuple(range(neurons))
    return StepProgram(
        prepare=prepare_dicke(neurons, initial),
        steps=tuple(_piece(neurons, layers, angles) for layers in pieces),
        orders=(identity,) * len(pieces),
        has_field=bool(field),
    )


def trotter_circuit(
    neurons: int,
    gamma: float,
    couplings: npt.ArrayLike,
    dt: float,
    field: float = 0.0,
    order: int = 2,
    initial: int = 0,
    *,
    form: str = "xx+yy",
    splitting: str = "collective",
) -> QuantumCircuit:
    """Return the circuit of K Trotter steps with one coupling each, without measurement.

    Args:
        neurons: N ≥ 1, the number of qubits.
        gamma: γ, any finite number.
        couplings: shape (K,), g(t_k) of each step (inverse time).
        dt: length of a step, > 0.
        field: h (inverse time).
        order: Trotter order, 1, 2 or 4.
        initial: number of active neurons of the initial Dicke state.
        form: as in :func:`logical_program`.
        splitting: as in :func:`logical_program`.

    Raises:
        CircuitError: any argument outside what is said here, nan and inf included.
    """
    dt = check_finite("dt", dt)
    if dt <= 0:
        raise CircuitError(f"dt: wanted a number > 0, got {dt}")
    field = check_finite("field", field)
    values = np.asarray(couplings, dtype=np.float64)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise CircuitError(f"couplings: wanted finite numbers on one axis, got {couplings!r}")
    program = logical_program(
        neurons,
        gamma,
        field=field != 0.0,
        order=order,
        initial=initial,
        form=form,
        splitting=splitting,
    )
    return program.circuit(values * dt, field * dt, measure=False)


def single_layer_circuit(
    neurons: int, phase: float | ParameterExpression, initial: int = 0
) -> QuantumCircuit:
    """Return the exact evolution at γ=1, h=0: one RXX(-2 phase/N) on every pair.

    All terms commute, so exp(i 2 phase/N J_x²) is one layer for any time and any g(t);
    phase = ∫ g dt from the start. No measurement.

    Args:
        neurons: N ≥ 1, the number of qubits.
        phase: ∫ g dt, dimensionless: a number or a parameter.
        initial: number of active neurons of the initial Dicke state.

    Raises:
        CircuitError: any argument outside what is said here, nan and inf included.
    """
    neurons = check_neurons(neurons)
    initial = check_excitations("initial", initial, neurons)
    angle = phase if isinstance(phase, ParameterExpression) else check_finite("phase", phase)
    angles = pair_angles(neurons, 1.0)
    circuit = prepare_dicke(neurons, initial)
    circuit.global_phase += angles.constant * angle
    _rotate_pairs(circuit, _pairs(neurons), angles, angle)
    return circuit
