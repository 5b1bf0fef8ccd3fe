"""Taking readings off a circuit, and drawing shots."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit

from qbrain.backends.errors import BackendError
from qbrain.backends.readings import draw, take_readings


def test_gates_and_readings_are_parted():
    circuit = QuantumCircuit(3, 2, global_phase=0.3)
    circuit.h(0)
    circuit.barrier()
    circuit.cx(0, 2)
    circuit.measure(2, 0)
    circuit.h(1)  # a gate on a qubit that is not read
    circuit.measure(0, 1)
    readings = take_readings(circuit)
    assert readings.qubits == (2, 0)
    assert readings.clbits == (0, 1)
    assert dict(readings.gates.count_ops()) == {"h": 2, "cx": 1}
    assert readings.gates.global_phase == 0.3


def gate_after(circuit):
    circuit.measure(0, 0)
    circuit.x(0)


def reset(circuit):
    circuit.reset(0)


def control_flow(circuit):
    circuit.measure(0, 0)
    with circuit.if_test((0, 1)):
        circuit.x(1)


def written_twice(circuit):
    circuit.measure([0, 1], [0, 0])


@pytest.mark.parametrize("spoil", [gate_after, reset, control_flow, written_twice])
def test_what_cannot_be_parted_is_refused(spoil):
    circuit = QuantumCircuit(2, 2)
    spoil(circuit)
    with pytest.raises(BackendError, match="wanted"):
        take_readings(circuit)


def test_a_certain_state_gives_certain_bits():
    probabilities = np.zeros(8)
    probabilities[0b110] = 1
    outcomes = draw(probabilities, [2, 0, -1], 4, 50, seed=1)
    # index bit 0 (zero) is read into clbit 2, index bit 1 (one) into clbit 0, bit 2 is not read
    assert np.array_equal(outcomes, np.tile([True, False, False, False], (50, 1)))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0.05, 1), min_size=4, max_size=4), st.integers(0, 10**6))
def test_frequencies_are_the_probabilities_with_reading_errors(weights, seed):
    p = np.array(weights) / sum(weights)
    readout = np.array([[0.1, 0.2], [0.0, 0.3]])
    shots = 20_000
    outcomes = draw(p * 0.999, [0, 1], 2, shots, seed, readout)
    matrices = [np.array([[1 - a, b], [a, 1 - b]]) for a, b in readout]
    wanted = np.kron(matrices[1], matrices[0]) @ p
    found = np.bincount(outcomes @ [1, 2], minlength=4) / shots
    assert np.all(np.abs(found - wanted) < 6 * np.sqrt(wanted * (1 - wanted) / shots) + 1e-9)
