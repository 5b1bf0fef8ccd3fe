"""Small synthesis: the right unitary or state, phase included, with the CZ it promises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit.quantum_info import Operator, Statevector
from scipy.linalg import expm
from scipy.stats import unitary_group

from qbrain.circuits.synthesis import BASIS, prepare_state, synthesise_unitary

CZ_OF_STATE = {1: 0, 2: 1, 3: 3, 4: 10}


def random_state(qubits, seed):
    rng = np.random.default_rng(seed)
    vector = rng.normal(size=1 << qubits) + 1j * rng.normal(size=1 << qubits)
    return vector / np.linalg.norm(vector)


@settings(max_examples=40, deadline=None)
@given(qubits=st.integers(1, 4), seed=st.integers(0, 2**32 - 1))
def test_states(qubits, seed):
    vector = random_state(qubits, seed)
    circuit = prepare_state(vector)
    np.testing.assert_allclose(Statevector(circuit).data, vector, atol=1e-9)
    assert circuit.count_ops().get("cz", 0) == CZ_OF_STATE[qubits]
    assert set(circuit.count_ops()) <= set(BASIS)
    for instruction in circuit.data:
        where = [circuit.find_bit(bit).index for bit in instruction.qubits]
        assert len(where) == 1 or abs(where[0] - where[1]) == 1


@pytest.mark.parametrize("qubits", [1, 2, 3, 4, 5])
def test_special_states(qubits):
    size = 1 << qubits
    edge = np.zeros(size, dtype=complex)
    edge[-1] = 1j
    ghz = np.zeros(size)
    ghz[[0, -1]] = [0.6, -0.8]
    even = np.full(size, size**-0.5)
    few = np.zeros(size)
    few[: size // 2 + 1] = 1 / np.sqrt(size // 2 + 1)
    for vector in (np.eye(size)[0], edge, ghz, even, few, random_state(qubits, 1)):
        found = Statevector(prepare_state(vector)).data
        np.testing.assert_allclose(found, vector, atol=1e-9)


@pytest.mark.parametrize("qubits", [1, 2, 3, 4])
def test_unitaries(qubits):
    for seed in range(5):
        matrix = unitary_group.rvs(1 << qubits, random_state=seed)
        circuit = synthesise_unitary(matrix)
        np.testing.assert_allclose(Operator(circuit).data, matrix, atol=1e-9)
        assert set(circuit.count_ops()) <= set(BASIS)
        if qubits == 2:
            assert circuit.count_ops()["cz"] == 3


@pytest.mark.parametrize(("qubits", "plain", "mirrored"), [(2, 3, 2), (3, 20, 9), (4, 100, 47)])
def test_mirror_symmetric_unitaries_cost_less(qubits, plain, mirrored):
    half = 1 << (qubits - 1)
    even, odd = (unitary_group.rvs(half, random_state=seed) for seed in (1, 2))
    matrix = np.block([[even + odd, even - odd], [even - odd, even + odd]]) / 2
    circuit = synthesise_unitary(matrix)
    np.testing.assert_allclose(Operator(circuit).data, matrix, atol=1e-9)
    assert circuit.count_ops()["cz"] <= mirrored
    other = synthesise_unitary(unitary_group.rvs(2 * half, random_state=3))
    assert other.count_ops()["cz"] <= plain


@pytest.mark.parametrize("qubits", [2, 3, 4])
@pytest.mark.parametrize("angle", [1e-12, 1e-9, 1e-7, 1e-5, 1e-4, 1e-3])
def test_what_is_nearly_special_is_not_rounded_to_it(qubits, angle):
    # 1e-9 in fidelity, a common cut, is 3e-5 here
    generator = random_state(2 * qubits, 7).reshape(1 << qubits, -1)
    matrix = expm(1j * angle * (generator + generator.conj().T))
    np.testing.assert_allclose(Operator(synthesise_unitary(matrix)).data, matrix, atol=2e-8)
    state = matrix[:, 0]
    np.testing.assert_allclose(Statevector(prepare_state(state)).data, state, atol=2e-8)


def test_special_unitaries():
    for matrix in (np.eye(4), np.diag([1, 1, 1, -1]), np.eye(4)[::-1], np.eye(8), -1j * np.eye(4)):
        np.testing.assert_allclose(
            Operator(synthesise_unitary(matrix)).data, matrix.astype(complex), atol=1e-9
        )
    assert "cz" not in synthesise_unitary(np.eye(4)).count_ops()
