"""What a target takes, and folding angles into its bounds."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, Reset
from qiskit.circuit.library import RZGate, RZZGate
from qiskit.quantum_info import Operator
from qiskit.transpiler import Target

from qbrain.backends.compile import to_isa
from qbrain.backends.errors import BackendError, CompileError
from qbrain.backends.fractional import copy_target, fold_angles, with_fractional
from qbrain.backends.ideal import ideal_target
from qbrain.backends.isa import check_instructions, first_illegal
from qbrain.backends.registry import open_sampler
from qbrain.backends.snapshot import cut, cut_target

HALF_PI = math.pi / 2


def fractional(qubits=3):
    return cut("fake_fez", qubits, True).target


def rzz(theta, i=0, j=1):
    circuit = QuantumCircuit(3)
    circuit.rzz(theta, i, j)
    return circuit


@pytest.mark.parametrize("theta", [0.0, 0.3, HALF_PI])
def test_angles_within_the_bounds(theta):
    assert first_illegal(rzz(theta), fractional()) is None


@pytest.mark.parametrize("theta", [-1e-6, HALF_PI + 1e-6, math.pi, 7.0])
def test_angles_outside_the_bounds(theta):
    found = first_illegal(rzz(theta), fractional())
    assert found.kind == "angle"
    assert "rzz" in found.found


@pytest.mark.parametrize("theta", [math.nan, math.inf])
def test_angles_that_are_no_numbers(theta):
    for target in (fractional(), ideal_target(3)):
        assert first_illegal(rzz(theta), target).kind == "angle"


def test_unbound_angles():
    assert first_illegal(rzz(Parameter("a")), fractional()).kind == "unbound parameter"


def test_gates_and_places():
    target = cut("fake_brisbane", 3).target  # ecr knows each edge in one direction
    (edge,) = [pair for pair in target["ecr"] if set(pair) == {0, 1}]
    right, wrong = QuantumCircuit(3), QuantumCircuit(3)
    right.ecr(*edge)
    wrong.ecr(*edge[::-1])
    assert first_illegal(right, target) is None
    assert first_illegal(wrong, target).kind == "gate"
    for circuit in (rzz(0.1), rzz(0.1, 0, 2)):
        assert first_illegal(circuit, target).kind == "gate"
    assert first_illegal(rzz(0.1, 0, 2), fractional()).kind == "gate"
    barrier = QuantumCircuit(3)
    barrier.barrier()
    assert first_illegal(barrier, target) is None


def test_copies_keep_the_angle_bounds():
    target = fractional()
    for copy in (with_fractional(target, {}), copy_target(target), cut_target(target, (1, 2))):
        assert copy.supported_angle_bound("rzz", [HALF_PI])
        assert not copy.supported_angle_bound("rzz", [HALF_PI + 1e-9])
        assert not copy.supported_angle_bound("rzz", [-1e-9])
        assert not copy.gate_has_angle_bounds("rz")
    wider = copy_target(target, rzz_bounds=(-1e-6, HALF_PI))
    assert wider.supported_angle_bound("rzz", [-1e-7])
    assert copy_target(cut("fake_fez", 3).target).has_angle_bounds() is False


@pytest.mark.parametrize(
    ("gate", "bounds"), [(RZGate, (0.0, 1.0)), (RZZGate, (0.0, 1.0)), (RZZGate, (0.1, 2.0))]
)
def test_bounds_that_nobody_can_read_are_refused(gate, bounds):
    target = Target(num_qubits=2)
    wire = tuple(range(gate(0.1).num_qubits))
    target.add_instruction(gate(Parameter("a")), {wire: None}, angle_bounds=[bounds])
    with pytest.raises(BackendError, match="angle bounds"):
        copy_target(target)


def test_the_gate_is_noisy():
    sampler = open_sampler("fake_fez", qubits=2, seed=1, fractional=True)
    circuit = QuantumCircuit(2)
    for _ in range(100):
        circuit.rzz(0.1, 0, 1)
    circuit.measure_all()
    counts = sampler.run([circuit], shots=4000).result()[0].data.meas.get_counts()
    assert counts["00"] < 3900


def test_bound_angles_are_folded_in_transpiling():
    circuit = QuantumCircuit(3)
    circuit.rxx(-0.7, 0, 1)
    circuit.rzz(2.2, 1, 2)
    isa = to_isa(circuit, fractional())
    assert isa.count_ops()["rzz"] == 2
    assert first_illegal(isa, fractional()) is None
    assert Operator(isa).equiv(Operator(circuit), atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.floats(-20, 20))
def test_late_bound_angles_are_folded(theta):
    circuit = QuantumCircuit(3)
    circuit.rxx(Parameter("a"), 0, 1)
    isa = to_isa(circuit, fractional()).assign_parameters([theta])
    wrapped = np.angle(np.exp(1j * theta))
    if not -1e-9 < wrapped < HALF_PI + 1e-9:
        assert first_illegal(isa, fractional()) is not None
    folded = fold_angles(isa, fractional())
    assert first_illegal(folded, fractional()) is None
    assert Operator(folded).equiv(Operator(circuit.assign_parameters([theta])), atol=1e-8)


def test_what_a_device_lacks_is_named_before_anything_is_built():
    have, lack = cut("fake_fez", 2).target, cut("fake_miami", 2).target
    check_instructions("ibm_fez", [have], {"reset": "", "measure": ""})
    check_instructions("ibm_miami", [lack], {"measure": ""})
    check_instructions("aer", [ideal_target(2)], {"reset": ""})
    with pytest.raises(BackendError) as refused:
        check_instructions("ibm_miami", [have, lack], {"reset": "fresh = true needs none"})
    assert str(refused.value) == (
        "backend: wanted a device with reset, got ibm_miami, which has cz, delay, id, measure, rz, "
        "sx, x; fresh = true needs none"
    )


def test_an_instruction_on_some_qubits_only_is_lacking():
    target = Target(num_qubits=2)
    target.add_instruction(Reset(), {(0,): None})
    with pytest.raises(BackendError, match="wanted a device with reset, got one"):
        check_instructions("one", [target], {"reset": ""})
    target = Target(num_qubits=2)
    target.add_instruction(Reset(), {(0,): None, (1,): None})
    check_instructions("both", [target], {"reset": ""})


def test_circuits_that_a_device_cannot_run_however_compiled():
    """Whatever a system has said of its circuits."""
    target = cut("fake_miami", 2).target
    circuit = QuantumCircuit(2, 1, name="reused")
    circuit.reset(0)
    with pytest.raises(CompileError, match="circuit reused: wanted a device with reset, got one w"):
        to_isa(circuit, target)
    branching = QuantumCircuit(2, 1, name="branching")
    branching.measure(0, 0)
    with branching.if_test((branching.clbits[0], 1)):
        branching.x(1)
    with pytest.raises(CompileError, match="circuit branching: wanted a device with if_else"):
        to_isa(branching, target)
