"""Folded circuits: same unitary, as many gates as asked, legal on the target."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import ClassicalRegister, QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import RZZGate, XGate
from qiskit.quantum_info import Operator
from qiskit.transpiler import Target, generate_preset_pass_manager

from qbrain.backends.compile import two_qubit_gates
from qbrain.backends.errors import CompileError
from qbrain.backends.folding import fold_two_qubit_gates, folded_count
from qbrain.backends.isa import first_illegal
from qbrain.backends.registry import open_sampler


def random_circuit(seed, gates=9, qubits=3):
    rng = np.random.default_rng(seed)
    circuit = QuantumCircuit(qubits)
    for _ in range(gates):
        a, b = rng.permutation(qubits)[:2].tolist()
        circuit.sx(a)
        circuit.rz(rng.uniform(-3, 3), b)
        kind = rng.integers(9)
        if kind < 5:
            getattr(circuit, ("cz", "cx", "ecr", "swap", "cy")[kind])(a, b)
        else:
            getattr(circuit, ("rzz", "rxx", "ryy", "rzx")[kind - 5])(rng.uniform(-3, 3), a, b)
    return circuit


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**9), st.floats(1, 6), st.integers(0, 12))
def test_the_unitary_stays_and_the_number_of_gates_is_as_asked(seed, scale, gates):
    circuit = random_circuit(seed, gates)
    folded = fold_two_qubit_gates(circuit, scale)
    assert np.allclose(Operator(folded).data, Operator(circuit).data, atol=1e-12)
    count = two_qubit_gates(folded)
    assert count == folded_count(gates, scale)
    assert (count - gates) % 2 == 0
    if gates:
        assert abs(count / gates - scale) <= 1 / gates + 1e-12
        assert folded.metadata["noise_scale"] == count / gates
    assert folded == fold_two_qubit_gates(circuit, scale)


def test_folds_are_spread_over_the_circuit():
    circuit = QuantumCircuit(2)
    for _ in range(8):
        circuit.cz(0, 1)
        circuit.x(0)
    folded = fold_two_qubit_gates(circuit, 1.5)  # two of eight gates three times
    runs, length = [], 0
    for step in folded.data:
        if step.name == "x":
            runs.append(length)
            length = 0
        length += step.name == "cz"
    assert runs == [1, 1, 1, 3, 1, 1, 1, 3]


def test_readings_parameters_and_metadata_stay():
    angle = Parameter("a")
    circuit = QuantumCircuit(2, metadata={"step": 4})
    circuit.rz(angle, 0)
    circuit.cz(0, 1)
    circuit.add_register(ClassicalRegister(2, "meas"))
    circuit.measure([0, 1], [1, 0])
    folded = fold_two_qubit_gates(circuit, 3)
    assert set(folded.parameters) == {angle}
    assert folded.metadata == {"step": 4, "noise_scale": 3.0}
    assert [step for step in folded.data if step.name == "measure"] == [
        step for step in circuit.data if step.name == "measure"
    ]
    assert circuit.metadata == {"step": 4}
    assert two_qubit_gates(circuit) == 1


def test_a_compiler_does_not_undo_it():
    circuit = QuantumCircuit(2)
    circuit.sx(0)
    circuit.cz(0, 1)
    circuit.measure_all()
    manager = generate_preset_pass_manager(3, basis_gates=["cz", "rz", "sx", "x"])
    assert two_qubit_gates(manager.run(fold_two_qubit_gates(circuit, 5))) == 5


def test_bounded_angles_are_inverted_within_their_bounds():
    sampler = open_sampler("fake_fez", qubits=2, seed=0, fractional=True)
    circuit = QuantumCircuit(2)
    circuit.rzz(0.7, 0, 1)
    folded = fold_two_qubit_gates(circuit, 3, sampler.target)
    assert first_illegal(folded, sampler.target) is None
    assert np.allclose(Operator(folded).data, Operator(circuit).data)
    bare = Target(num_qubits=2)
    bare.add_instruction(RZZGate(Parameter("t")), {(0, 1): None}, angle_bounds=[(0, math.pi / 2)])
    without_x = fold_two_qubit_gates(circuit, 3, bare)
    assert without_x.count_ops()["sx"] == 4
    bare.add_instruction(XGate(), {(0,): None, (1,): None})
    assert fold_two_qubit_gates(circuit, 3, bare).count_ops()["x"] == 2
    # two √X are X up to the phase −1 that the other two cancel
    assert np.allclose(Operator(without_x).data, Operator(circuit).data)


def test_more_noise_is_what_it_makes():
    sampler = open_sampler("fake_fez", qubits=2, seed=0)
    circuit = QuantumCircuit(2)
    circuit.sx([0, 1])
    for _ in range(20):
        circuit.cz(0, 1)
    circuit.sx([0, 1])
    circuit.measure_all()
    found = []
    for scale in (1, 3, 9):
        job = sampler.run([fold_two_qubit_gates(circuit, scale)], shots=200_000)
        found.append(job.result()[0].data.meas.get_int_counts()[3] / 200_000)
    lost = 1 - np.array(found)
    assert lost[0] < lost[1] < lost[2]
    assert lost[2] - lost[0] == pytest.approx(4 * (lost[1] - lost[0]), rel=0.25)


@pytest.mark.parametrize("scale", [0.99, -1, math.nan, math.inf])
def test_bad_scales(scale):
    with pytest.raises(CompileError, match="scale: wanted"):
        fold_two_qubit_gates(QuantumCircuit(1), scale)


def test_gates_it_cannot_invert():
    three = QuantumCircuit(3)
    three.ccx(0, 1, 2)
    other = QuantumCircuit(2)
    other.iswap(0, 1)
    for circuit in (three, other):
        with pytest.raises(CompileError, match="wanted two-qubit gates"):
            fold_two_qubit_gates(circuit, 3)
    with pytest.raises(CompileError, match="gates: wanted"):
        folded_count(-1, 2)
