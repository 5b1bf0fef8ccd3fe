"""Rotations of two qubits on targets that have one of them, or none."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import Operator

from qbrain.backends.compile import to_isa, two_qubit_gates
from qbrain.backends.ideal import ideal_target
from qbrain.backends.registry import open_sampler
from qbrain.backends.rotations import in_native_rotations

KINDS = ("rxx", "ryy", "rzz")
angles = st.floats(-4, 4)


def target_with(*names, qubits=3):
    return GenericBackendV2(qubits, basis_gates=[*names, "rz", "sx", "x"], seed=1).target


def same(one, other):
    return Operator(one).equiv(Operator(other))


@pytest.mark.parametrize("native", KINDS)
@pytest.mark.parametrize("beside", [[], ["cx"], ["cz"], ["ecr"]])
def test_one_gate_stays_one(native, beside):
    circuit = QuantumCircuit(3)
    circuit.rxx(0.3, 0, 2)
    circuit.ryy(0.5, 2, 1)
    circuit.rzz(-0.7, 0, 1)
    isa = to_isa(circuit, target_with(native, *beside))
    assert isa.count_ops()[native] == two_qubit_gates(isa) == 3
    assert same(circuit, isa)


@pytest.mark.parametrize("entangler", ["cx", "cz", "ecr"])
@pytest.mark.parametrize("pair", list(itertools.permutations(KINDS, 2)))
def test_two_that_follow_each_other_are_two_gates(entangler, pair):
    circuit = QuantumCircuit(3)
    for name, angle, qubits in zip(pair, (0.4, -1.1), ((0, 2), (2, 0)), strict=True):
        getattr(circuit, name)(angle, *qubits)
    isa = to_isa(circuit, target_with(entangler))
    assert two_qubit_gates(isa) == 2
    assert same(circuit, isa)


def test_what_stands_between_keeps_them_apart():
    circuit = QuantumCircuit(2)
    circuit.rxx(0.4, 0, 1)
    circuit.rx(0.1, 0)
    circuit.ryy(0.4, 0, 1)
    isa = to_isa(circuit, target_with("cx", qubits=2))
    assert two_qubit_gates(isa) == 4
    assert same(circuit, isa)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(KINDS), st.permutations(range(3)), angles), max_size=6),
    st.sampled_from(["rxx", "ryy", "rzz", "cx"]),
)
def test_any_sequence_keeps_its_unitary(gates, native):
    circuit = QuantumCircuit(3)
    for name, qubits, angle in gates:
        getattr(circuit, name)(angle, *qubits[:2])
    rewritten = in_native_rotations(circuit, target_with(native))
    assert same(circuit, rewritten)
    if native != "cx":
        assert not {step.name for step in rewritten.data} & (set(KINDS) - {native})


def test_angles_may_be_parameters():
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(2)
    circuit.rxx(2 * a, 0, 1)
    circuit.ryy(a + b, 0, 1)
    values = {a: 0.3, b: -0.9}
    for names in (("cx",), ("rxx",), ("rzz",)):
        isa = to_isa(circuit, target_with(*names, qubits=2))
        assert same(circuit.assign_parameters(values), isa.assign_parameters(values))


def test_nothing_to_rewrite_is_the_very_same_circuit():
    circuit = QuantumCircuit(2)
    circuit.rxx(0.3, 0, 1)
    assert in_native_rotations(circuit, ideal_target(2)) is circuit
    other = QuantumCircuit(2)
    other.cx(0, 1)
    assert in_native_rotations(other, target_with("cx")) is other


def test_a_rotation_of_some_angles_only_is_not_taken():
    target = open_sampler("fake_fez", qubits=2, fractional=True).target
    circuit = QuantumCircuit(2)
    circuit.rxx(-0.3, 0, 1)
    assert in_native_rotations(circuit, target) is circuit
