"""The encoded sector against the dense 2^N reference and QuTiP's spin matrices."""

from __future__ import annotations

import itertools
import math
from functools import reduce

import numpy as np
import pytest
import qutip
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit.quantum_info import Operator, Statevector
from scipy.linalg import expm

from qbrain.circuits.dicke_encoding import (
    CircuitError,
    EncodedEvolution,
    decode,
    encoded_circuit,
    encoded_hamiltonian,
    encoded_program,
    evolution_unitary,
    sector,
    sector_hamiltonian,
)
from qbrain.reference.lmg import feedback as dicke_basis
from qbrain.reference.lmg import statevector as dense


def dicke_amplitudes(neurons, vector):
    basis = np.array([dense.dicke_state(neurons, n) for n in range(neurons + 1)])
    return basis @ vector


def decoded_amplitudes(circuit, neurons, initial):
    """Amplitudes by n = 0..N, and the weight on codes that hold no state."""
    vector = Statevector(circuit).data
    table = decode(neurons, initial)
    amplitudes = np.zeros(neurons + 1, dtype=complex)
    amplitudes[table[table >= 0]] = vector[table >= 0]
    return amplitudes, float(np.sum(np.abs(vector[table < 0]) ** 2))


def spin_hamiltonian(neurons, gamma, phase, field):
    """H dt in the Dicke basis, by n, from QuTiP (whose basis starts at m = N/2)."""
    jx, jy, jz = (qutip.jmat(neurons / 2, axis).full()[::-1, ::-1] for axis in "xyz")
    return -phase / neurons * ((1 + gamma) * jx @ jx + (1 - gamma) * jy @ jy) - field * jz


# ------------------------------------------------------------------------------ the sector


@pytest.mark.parametrize("neurons", range(1, 33))
def test_every_state_of_the_sector_has_a_code_of_its_own(neurons):
    for initial in range(min(neurons, 3) + 1):
        states = sector(neurons, initial)
        assert states.excitations == tuple(n for n in range(neurons + 1) if n % 2 == initial % 2)
        assert states.size == len(set(states.codes)) == len(states.codes)
        assert states.qubits == max(1, math.ceil(math.log2(states.size)))
        table = decode(neurons, initial)
        assert table.shape == (1 << states.qubits,)
        for n, code in zip(states.excitations, states.codes, strict=True):
            assert table[code] == n
        assert np.count_nonzero(table < 0) == table.size - states.size
        for a, b in itertools.pairwise(states.codes):
            assert (a ^ b).bit_count() == 1


def test_sizes_that_fit():
    assert [sector(n).qubits for n in (1, 2, 6, 7, 8, 14, 15, 30, 62)] == [
        1,
        1,
        2,
        2,
        3,
        3,
        3,
        4,
        5,
    ]


@pytest.mark.parametrize("neurons", [2, 6, 10, 14, 30])
def test_mirror_is_a_flip_of_the_top_qubit(neurons):
    states = sector(neurons)
    top = 1 << (states.qubits - 1)
    table = decode(neurons)
    for n, code in zip(states.excitations, states.codes, strict=True):
        assert table[code ^ top] == neurons - n
    matrix = encoded_hamiltonian(neurons, 0.8)
    flip = np.arange(matrix.shape[0]) ^ top
    np.testing.assert_allclose(matrix[np.ix_(flip, flip)], matrix, atol=1e-12)


@pytest.mark.parametrize("gamma", [1.0, 0.8, 0.0, -0.6])
@pytest.mark.parametrize("neurons", [1, 2, 5, 6, 9])
def test_hamiltonian_equals_spin_matrices(neurons, gamma):
    full = spin_hamiltonian(neurons, gamma, 1.3, 0.4)
    for initial in range(2):
        n = list(sector(neurons, initial).excitations)
        found = sector_hamiltonian(neurons, gamma, 1.3, 0.4, initial)
        np.testing.assert_allclose(found, full[np.ix_(n, n)], atol=1e-12)
        codes = list(sector(neurons, initial).codes)
        encoded = encoded_hamiltonian(neurons, gamma, 1.3, 0.4, initial)
        np.testing.assert_array_equal(encoded[np.ix_(codes, codes)], found)
        assert np.count_nonzero(encoded) == np.count_nonzero(found)


# ------------------------------------------------------------------------------ exact syntheses


@pytest.mark.parametrize("synthesis", ["unitary", "isometry"])
@pytest.mark.parametrize("field", [0.0, 0.6])
@pytest.mark.parametrize("neurons", range(1, 11))
def test_circuits_equal_the_dense_evolution(neurons, field, synthesis):
    phases, fields = [0.9, 2.3, -0.4], [field, 0.0, -2 * field]
    for initial in {0, 1, max(neurons // 2 - 1, 0), neurons}:
        circuit = encoded_circuit(
            neurons, 0.7, phases, fields, initial, synthesis=synthesis, measure=False
        )
        found, lost = decoded_amplitudes(circuit, neurons, initial)
        vector = dense.exact(neurons, 0.7, phases, fields, initial)[-1]
        np.testing.assert_allclose(found, dicke_amplitudes(neurons, vector), atol=1e-9)
        assert lost < 1e-18
        assert set(circuit.count_ops()) <= {"cz", "rz", "sx", "x"}


@pytest.mark.parametrize("synthesis", ["unitary", "isometry"])
@pytest.mark.parametrize("neurons", [14, 30])
def test_circuits_equal_the_exact_dicke_states(neurons, synthesis):
    model = dicke_basis.LMG(neurons=neurons, gamma=0.8, g0=1.0, field=0.3)
    couplings, durations = np.array([1.0, 0.6]), np.array([2.0, 3.0])
    expected = dicke_basis.piecewise_states(model, 0, couplings, durations)[-1]
    circuit = encoded_circuit(
        neurons, 0.8, couplings * durations, 0.3 * durations, synthesis=synthesis, measure=False
    )
    found, lost = decoded_amplitudes(circuit, neurons, 0)
    assert 1 - abs(np.vdot(found, expected)) ** 2 < 1e-12
    assert lost < 1e-18


@settings(max_examples=25, deadline=None)
@given(
    neurons=st.integers(5, 7),
    gamma=st.floats(-1.2, 1.2),
    phase=st.floats(-30, 30),
    field=st.floats(-5, 5),
    share=st.floats(0, 1),
)
def test_two_qubits_never_need_more_than_three_cz(neurons, gamma, phase, field, share):
    initial = round(share * neurons)
    for synthesis, most in (("unitary", 3), ("isometry", 1)):
        circuit = encoded_circuit(neurons, gamma, [phase], field, initial, synthesis=synthesis)
        assert circuit.num_qubits == 2
        assert circuit.count_ops().get("cz", 0) <= most
        circuit.remove_final_measurements()
        found, _ = decoded_amplitudes(circuit, neurons, initial)
        assert np.linalg.norm(found) == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize(
    ("neurons", "field", "unitary", "isometry"),
    [
        (6, 0.0, 2, 1),
        (6, 0.2, 3, 1),
        (10, 0.0, 9, 3),
        (14, 0.0, 9, 3),
        (14, 0.2, 20, 3),
        (30, 0.0, 47, 10),
        (30, 0.2, 100, 10),
    ],
)
def test_two_qubit_gates(neurons, field, unitary, isometry):
    for synthesis, most in (("unitary", unitary), ("isometry", isometry)):
        circuit = encoded_circuit(neurons, 0.8, [1.3], field, synthesis=synthesis)
        assert circuit.count_ops()["cz"] <= most


@pytest.mark.parametrize("synthesis", ["unitary", "isometry"])
@pytest.mark.parametrize("neurons", [6, 10, 14])
def test_short_times_are_as_exact_as_long_ones(neurons, synthesis):
    for phase in (0.0, 1e-9, 1e-6, 1e-4, 1e-2):
        evolution = EncodedEvolution(neurons, 0.8)
        evolution.append(phase)
        found, _ = decoded_amplitudes(evolution.circuit(synthesis, measure=False), neurons, 0)
        np.testing.assert_allclose(found[::2], evolution.state, atol=1e-7)


def test_evolution_grows_step_by_step():
    phases = [0.9, 2.3, -0.4, 0.1, 1.1]
    fields = [0.0, 0.3, 0.0, 0.0, 0.2]
    evolution = EncodedEvolution(7, 0.4, 3)
    for k, (phase, field) in enumerate(zip(phases, fields, strict=True), start=1):
        evolution.append(phase, field)
        whole = evolution_unitary(7, 0.4, phases[:k], fields[:k], 3)
        np.testing.assert_allclose(evolution.unitary, whole, atol=1e-13)
        np.testing.assert_allclose(evolution.state, whole[:, 1], atol=1e-13)
        identity = evolution.unitary.conj().T @ evolution.unitary
        np.testing.assert_allclose(identity, np.eye(4), atol=1e-12)


def test_field_free_steps_add_up():
    phases = np.linspace(0.1, 1.0, 40)
    one = evolution_unitary(12, 0.8, [phases.sum()])
    np.testing.assert_allclose(evolution_unitary(12, 0.8, phases), one, atol=1e-12)
    np.testing.assert_allclose(
        one, expm(-1j * phases.sum() * sector_hamiltonian(12, 0.8)), atol=1e-11
    )


def test_bits_of_the_register_are_the_qubits():
    circuit = encoded_circuit(14, 0.8, [1.0])
    assert [register.name for register in circuit.cregs] == ["meas"]
    measured = [
        (circuit.find_bit(i.qubits[0]).index, circuit.find_bit(i.clbits[0]).index)
        for i in circuit.data
        if i.operation.name == "measure"
    ]
    assert measured == [(0, 0), (1, 1), (2, 2)]


# ------------------------------------------------------------------------------ product formula

PAULI = [np.eye(2), np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1, -1])]


def pauli_formula(matrix, order):
    """exp of every Pauli string of a matrix, one by one: Z strings, then those with X on 0, 1, …"""
    qubits = matrix.shape[0].bit_length() - 1
    groups = {}
    for letters in itertools.product(range(4), repeat=qubits):
        string = reduce(np.kron, [PAULI[letter] for letter in reversed(letters)])
        weight = np.trace(string @ matrix).real / matrix.shape[0]
        if abs(weight) > 1e-14:
            flips = [j for j, letter in enumerate(letters) if letter in (1, 2)]
            assert len(flips) <= 1
            assert 2 not in letters  # H is real and hops flip one bit
            key = flips[0] if flips else -1
            groups.setdefault(key, []).append((weight, string))

    def layer(key, part):
        result = np.eye(matrix.shape[0])
        for weight, string in groups.get(key, []):
            result = expm(-1j * part * weight * string) @ result
        return result

    keys = list(range(-1, qubits))
    if order == 1:
        return reduce(lambda before, key: layer(key, 1.0) @ before, keys, np.eye(len(matrix)))
    half = reduce(lambda before, key: layer(key, 0.5) @ before, keys[:-1], np.eye(len(matrix)))
    back = reduce(lambda b, key: layer(key, 0.5) @ b, keys[-2::-1], np.eye(len(matrix)))
    return back @ layer(keys[-1], 1.0) @ half


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("field", [0.0, 0.4])
@pytest.mark.parametrize("neurons", [1, 2, 5, 6, 9, 10, 14])
def test_trotter_steps_are_products_of_pauli_rotations(neurons, field, order):
    program = encoded_program(neurons, 0.7, field=field != 0, order=order, initial=1)
    piece = program.bind(0, 0.9, field)
    expected = pauli_formula(encoded_hamiltonian(neurons, 0.7, 0.9, field, 1), order)
    np.testing.assert_allclose(Operator(piece).data, expected, atol=1e-9)
    assert set(piece.count_ops()) <= {"cz", "rz", "sx", "x"}


@pytest.mark.parametrize(("order", "slope"), [(1, 1), (2, 2)])
def test_trotter_error_shrinks_with_the_order(order, slope):
    goal = evolution_unitary(9, 0.6, [1.0], 0.3, 1)[:, 0]
    errors = []
    for steps in (16, 32):
        circuit = encoded_circuit(
            9,
            0.6,
            np.full(steps, 1.0 / steps),
            0.3 / steps,
            1,
            synthesis="trotter",
            order=order,
            measure=False,
        )
        found, lost = decoded_amplitudes(circuit, 9, 1)
        assert lost < 1e-18
        errors.append(np.linalg.norm(found[1::2] - goal))
    assert math.log2(errors[0] / errors[1]) == pytest.approx(slope, abs=0.3)


# ------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"neurons": 0}, "neurons: wanted an integer >= 1"),
        ({"gamma": math.nan}, "gamma: wanted a finite number"),
        ({"phases": [math.inf]}, "phases: wanted finite"),
        ({"field_phases": math.nan}, "field_phases: wanted finite"),
        ({"field_phases": [0.1, 0.2]}, "field_phases: wanted one number or shape"),
        ({"initial": 7}, "initial: wanted an integer in 0..6, got 7"),
        ({"synthesis": "exact"}, "synthesis: wanted one of unitary, isometry, trotter"),
        ({"synthesis": "trotter", "order": 4}, "order: wanted one of"),
    ],
)
def test_bad_arguments_are_named(arguments, words):
    good = {"neurons": 6, "gamma": 0.5, "phases": [0.1]}
    with pytest.raises(CircuitError, match=words):
        encoded_circuit(**(good | arguments))


def test_growing_refuses_nan_and_unknown_synthesis():
    evolution = EncodedEvolution(6, 0.5)
    with pytest.raises(CircuitError, match="phase: wanted a finite number, got nan"):
        evolution.append(math.nan)
    with pytest.raises(CircuitError, match="synthesis: wanted one of unitary, isometry, got"):
        evolution.circuit("trotter")
