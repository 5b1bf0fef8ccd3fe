"""Matrix-product states against dense vectors."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.quantum_info import Statevector

from qbrain.backends.check.mps import (
    dicke_mps,
    excitation_populations,
    from_circuit,
    overlap,
    to_dense,
)
from qbrain.backends.errors import BackendError


def random_amplitudes(qubits, seed):
    rng = np.random.default_rng(seed)
    c = rng.normal(size=qubits + 1) + 1j * rng.normal(size=qubits + 1)
    return c / np.linalg.norm(c)


def dense_dicke(c):
    qubits = len(c) - 1
    ones = np.array([bin(index).count("1") for index in range(2**qubits)])
    return c[ones] / np.sqrt([math.comb(qubits, k) for k in ones])


def random_circuit(qubits, seed):
    rng = np.random.default_rng(seed)
    circuit = QuantumCircuit(qubits)
    for _ in range(3):
        for q in range(qubits):
            circuit.u(*rng.uniform(0, 6, 3), q)
        for i in range(qubits):
            for j in range(i):
                circuit.rxx(rng.uniform(0, 6), i, j)
    return circuit


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 8), st.integers(0, 10**6))
def test_dicke_superpositions(qubits, seed):
    c = random_amplitudes(qubits, seed)
    state = dicke_mps(c)
    assert np.allclose(to_dense(state), dense_dicke(c), atol=1e-13)
    assert excitation_populations(state) == pytest.approx(np.abs(c) ** 2, abs=1e-13)
    other = random_amplitudes(qubits, seed + 1)
    assert overlap(state, dicke_mps(other)) == pytest.approx(np.vdot(c, other), abs=1e-13)


def test_dicke_superpositions_of_many_qubits_keep_their_norm():
    c = random_amplitudes(60, 1)
    state = dicke_mps(c)
    assert overlap(state, state) == pytest.approx(1, abs=1e-11)
    assert excitation_populations(state) == pytest.approx(np.abs(c) ** 2, abs=1e-11)


@settings(max_examples=10, deadline=None)
@given(st.integers(2, 6), st.integers(0, 10**6))
def test_aers_states(qubits, seed):
    circuit = random_circuit(qubits, seed)
    exact = Statevector(circuit).data
    state = from_circuit(circuit)
    found = to_dense(state)
    assert abs(np.vdot(exact, found)) ** 2 == pytest.approx(1, abs=1e-12)
    p = np.zeros(qubits + 1)
    for index, value in enumerate(np.abs(exact) ** 2):
        p[bin(index).count("1")] += value
    # Aer chops amplitudes, so that probabilities are off by more than the infidelity is
    assert excitation_populations(state) == pytest.approx(p, abs=1e-9)
    assert "save_matrix_product_state" not in circuit.count_ops()


@pytest.mark.parametrize("bad", [[1.0], [[1.0, 0.0]], [math.nan, 0.0]])
def test_bad_amplitudes(bad):
    with pytest.raises(BackendError, match="amplitudes: wanted finite"):
        dicke_mps(bad)


def test_overlaps_want_equal_numbers_of_qubits():
    with pytest.raises(BackendError, match="wanted 2 qubits, got 1"):
        overlap(dicke_mps([1, 0, 0]), dicke_mps([1, 0]))
