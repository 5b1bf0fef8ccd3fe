"""Aer's samplers against exact probabilities and against Aer's own drawing of shots."""

import math

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import Statevector

from qbrain.backends.aer import PARTS, AerSampler, NoisyAerSampler, aer_outcomes
from qbrain.backends.errors import BackendError
from qbrain.backends.registry import open_sampler, open_stateful_sampler


def native_circuit(qubits, two_qubit_gates, seed=0):
    """A line-local circuit in Heron's own gates."""
    rng = np.random.default_rng(seed)
    circuit = QuantumCircuit(qubits)
    done = 0
    while done < two_qubit_gates:
        for first in (0, 1):
            for i in range(first, qubits - 1, 2):
                for q in (i, i + 1):
                    circuit.rz(rng.uniform(0, 6), q)
                    circuit.sx(q)
                    circuit.rz(rng.uniform(0, 6), q)
                circuit.cz(i, i + 1)
                done += 1
    circuit.measure_all()
    return circuit


def frequencies(result, qubits):
    meas = result[0].data.meas.to_bool_array(order="little")
    return np.bincount(meas @ (1 << np.arange(qubits)), minlength=2**qubits) / len(meas)


def spread(p, shots):
    return 6 * np.sqrt(p * (1 - p) / shots) + 1e-3


@pytest.mark.parametrize("name", ["aer", "statevector"])
def test_ideal_samplers_follow_the_born_rule(name):
    circuit = native_circuit(3, 6)
    exact = Statevector(circuit.remove_final_measurements(inplace=False)).probabilities()
    result = open_sampler(name, qubits=3, seed=5).run([circuit], shots=20_000).result()
    assert np.all(np.abs(frequencies(result, 3) - exact) < spread(exact, 20_000))


def test_drawn_shots_are_aers_own_under_noise():
    circuit = native_circuit(3, 12)
    sampler = open_sampler("fake_fez", qubits=3, seed=5)
    shots = 12_000
    drawn = frequencies(sampler.run([circuit], shots=shots).result(), 3)
    for simulator, parts in ((sampler._density, 1), (sampler._trajectories, PARTS)):
        outcomes = aer_outcomes(simulator, circuit, shots, 11, parts)
        assert outcomes.shape == (shots, 3)
        own = np.bincount(outcomes @ [1, 2, 4], minlength=8) / shots
        assert np.all(np.abs(drawn - own) < math.sqrt(2) * spread(own, shots))
    ideal = Statevector(circuit.remove_final_measurements(inplace=False)).probabilities()
    # and there is noise to speak of
    assert np.abs(drawn - ideal).max() > 0.01


def test_shots_not_divisible_by_the_parts():
    sampler = open_sampler("fake_fez", qubits=2, seed=5)
    outcomes = aer_outcomes(sampler._trajectories, native_circuit(2, 1), 101, 3, PARTS)
    assert outcomes.shape == (101, 2)


def test_readings_in_mid_circuit_go_to_aer():
    circuit = QuantumCircuit(1, 2)
    circuit.x(0)
    circuit.measure(0, 0)
    circuit.x(0)
    circuit.measure(0, 1)
    for name in ("aer", "fake_fez"):
        sampler = open_sampler(name, qubits=1, seed=5)
        first = sampler.run([circuit], shots=2000).result()[0].data.c
        again = sampler.run([circuit], shots=2000).result()[0].data.c
        values = first.to_bool_array(order="little")
        assert values[:, 0].mean() > 0.97
        assert values[:, 1].mean() < 0.03
        assert first == again


def test_more_than_eight_classical_bits():
    circuit = QuantumCircuit(10, 10)
    circuit.x([1, 9])
    circuit.measure(range(10), range(10))
    circuit.barrier()
    sampler = AerSampler(10, seed=1)
    outcomes = aer_outcomes(sampler._simulator, circuit, 20, 3)
    assert np.array_equal(np.flatnonzero(outcomes[0]), [1, 9])
    drawn = sampler.run([circuit], shots=20).result()[0].data.c.to_bool_array(order="little")
    assert np.array_equal(drawn, outcomes)


def test_many_qubits_take_matrix_product_states():
    sampler = AerSampler(40, seed=1)
    assert sampler.details["method"] == "matrix_product_state"
    circuit = QuantumCircuit(40)
    circuit.h(0)
    for q in range(39):
        circuit.cx(q, q + 1)
    circuit.measure_all()
    counts = sampler.run([circuit], shots=300).result()[0].data.meas.get_counts()
    assert set(counts) == {"0" * 40, "1" * 40}


def test_a_circuit_that_noise_would_not_touch_is_refused():
    sampler = open_sampler("fake_fez", qubits=3)
    for build in (lambda c: c.h(0), lambda c: c.cx(0, 1), lambda c: c.cz(0, 2)):
        circuit = QuantumCircuit(3)
        build(circuit)
        circuit.measure_all()
        with pytest.raises(BackendError, match="gate: wanted one of"):
            sampler.run([circuit], shots=5)


@pytest.mark.parametrize(
    ("qubits", "shots", "method"),
    [
        (6, 4000, "density_matrix"),
        (11, 4000, "density_matrix"),
        (12, 4000, "statevector"),
        (6, 50, "statevector"),
        (13, 10**6, "statevector"),
        (1, 1, "density_matrix"),
    ],
)
def test_the_cheaper_method_is_taken(qubits, shots, method):
    assert NoisyAerSampler.method_for(qubits, shots) == method


def test_few_shots_of_many_qubits_run_as_trajectories():
    sampler = open_sampler("fake_fez", qubits=4, seed=2, shots_hint=10)
    assert sampler.details["method"] == "statevector"
    circuit = native_circuit(4, 4)
    first, again = (sampler.run([circuit], shots=10).result()[0].data.meas for _ in range(2))
    assert first == again


def test_a_batch_is_the_same_as_one_by_one():
    circuits = [native_circuit(2, 3, seed) for seed in range(5)]
    for step, circuit in enumerate(circuits):
        circuit.metadata = {"step": step}
    sampler = open_sampler("fake_fez", qubits=2, seed=4)
    batch = sampler.run(circuits, shots=200).result()
    for index, circuit in enumerate(circuits):
        alone = sampler.run([circuit], shots=200).result()
        assert batch[index].data.meas == alone[0].data.meas


@pytest.mark.parametrize("name", ["aer", "statevector"])
class TestStateful:
    def piece(self, angle, qubits=3):
        circuit = QuantumCircuit(qubits)
        for i in range(qubits):
            for j in range(i):
                circuit.rxx(angle, i, j)
            circuit.rz(0.3 * (i + 1), i)
            circuit.ry(0.2, i)
        circuit.measure_all()
        return circuit

    def test_steps_continue_the_state(self, name):
        sampler = open_stateful_sampler(name, qubits=3, seed=1)
        whole = QuantumCircuit(3)
        for angle in (0.3, -0.7, 1.1):
            piece = self.piece(angle)
            whole.compose(piece.remove_final_measurements(inplace=False), inplace=True)
            result = sampler.run([piece], shots=20_000).result()
            exact = Statevector(whole)
            assert np.allclose(sampler.state, exact.data, atol=1e-12)
            p = exact.probabilities()
            assert np.all(np.abs(frequencies(result, 3) - p) < spread(p, 20_000))

    def test_it_goes_on_after_an_interruption(self, name):
        pieces = [self.piece(angle) for angle in (0.3, -0.7, 1.1)]
        for step, piece in enumerate(pieces):
            piece.metadata = {"step": step}
        straight = open_stateful_sampler(name, qubits=3, seed=1)
        results = straight.run(pieces, shots=100).result()
        first = open_stateful_sampler(name, qubits=3, seed=1)
        first.run(pieces[:2], shots=100)
        second = open_stateful_sampler(name, qubits=3, seed=1)
        second.reset(first.state)
        assert results[2].data.meas == second.run(pieces[2:], shots=100).result()[0].data.meas
        assert np.array_equal(second.state, straight.state)

    def test_reset_and_state_are_apart_from_the_sampler(self, name):
        sampler = open_stateful_sampler(name, qubits=2)
        sampler.state[:] = 5
        assert np.array_equal(sampler.state, [1, 0, 0, 0])
        start = np.array([0, 1, 1j, 0]) / np.sqrt(2)
        sampler.reset(start)
        start[:] = 0
        assert np.array_equal(sampler.state, np.array([0, 1, 1j, 0]) / np.sqrt(2))
        sampler.reset()
        assert np.array_equal(sampler.state, [1, 0, 0, 0])

    @pytest.mark.parametrize("state", [[1, 0], [1, 1, 0, 0], [np.nan, 0, 0, 0]])
    def test_bad_states_are_refused(self, name, state):
        with pytest.raises(BackendError, match="state: wanted shape"):
            open_stateful_sampler(name, qubits=2).reset(state)

    def test_circuits_it_cannot_keep_are_refused(self, name):
        sampler = open_stateful_sampler(name, qubits=3)
        small = self.piece(0.1, 2)
        with pytest.raises(BackendError, match="wanted 3 qubits"):
            sampler.run([small], shots=5)
        after = self.piece(0.1)
        after.x(0)
        with pytest.raises(BackendError, match="measurements last"):
            sampler.run([after], shots=5)


def test_noise_keeps_no_state():
    with pytest.raises(BackendError, match="wanted aer or statevector"):
        open_stateful_sampler("fake_fez", qubits=2)
