"""Dicke preparation against the states written out, and its cost."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import transpile
from qiskit.quantum_info import Statevector

from qbrain.circuits.dicke import CircuitError, prepare_dicke
from qbrain.reference.lmg import statevector as dense


def is_two_qubit(instruction):
    return instruction.operation.num_qubits == 2


def native(circuit):
    return transpile(circuit, basis_gates=["cz", "rz", "sx", "x"], optimization_level=1)


@pytest.mark.parametrize("line", [False, True])
@pytest.mark.parametrize("neurons", range(1, 8))
def test_amplitudes(neurons, line):
    for n in range(neurons + 1):
        circuit = prepare_dicke(neurons, n, line=line)
        found = Statevector(circuit).data
        np.testing.assert_allclose(found, dense.dicke_state(neurons, n), atol=1e-11)


def test_larger_ones():
    for neurons, n in [(10, 4), (11, 9), (12, 6)]:
        found = Statevector(prepare_dicke(neurons, n)).data
        np.testing.assert_allclose(found, dense.dicke_state(neurons, n), atol=1e-11)


@pytest.mark.parametrize("n", range(8))
def test_line_has_gates_between_neighbours_only(n):
    circuit = prepare_dicke(7, n, line=True)
    for instruction in filter(is_two_qubit, circuit.data):
        a, b = (circuit.find_bit(bit).index for bit in instruction.qubits)
        assert abs(a - b) == 1


def test_nothing_to_do_for_the_poles():
    assert prepare_dicke(5, 0, line=True).count_ops() == {}
    assert prepare_dicke(5, 5).count_ops() == {"x": 5}


def test_gates_grow_with_n_times_neurons_and_depth_with_neurons():
    assert native(prepare_dicke(6, 2)).count_ops()["cz"] == 21
    assert native(prepare_dicke(6, 4)).count_ops()["cz"] == 21
    # k fixed: the second differences of a linear count vanish
    sizes = [8, 12, 16, 20]
    gates = [native(prepare_dicke(neurons, 3)).count_ops()["cz"] for neurons in sizes]
    assert len(set(np.diff(gates))) == 1
    depths = [prepare_dicke(neurons, neurons // 2).depth(is_two_qubit) for neurons in sizes]
    slopes = np.diff(depths) / 4
    assert slopes.max() < 1.1 * slopes.min()


def test_line_is_built_once_and_handed_out_as_a_copy():
    first = prepare_dicke(6, 2, line=True)
    first.x(0)
    assert prepare_dicke(6, 2, line=True) != first


@pytest.mark.parametrize(
    ("neurons", "n", "words"),
    [
        (0, 0, "neurons: wanted an integer >= 1, got 0"),
        (3, 4, "n: wanted an integer in 0..3, got 4"),
        (3, -1, "n: wanted an integer in 0..3, got -1"),
        (3, 1.5, "n: wanted an integer in 0..3, got 1.5"),
        (3, True, "n: wanted an integer in 0..3, got True"),
    ],
)
def test_bad_arguments_are_named(neurons, n, words):
    with pytest.raises(CircuitError, match=words):
        prepare_dicke(neurons, n)
