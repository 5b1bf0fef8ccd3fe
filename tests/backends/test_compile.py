"""Bringing circuits onto targets, and what they cost there."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import XXPlusYYGate, get_standard_gate_name_mapping
from qiskit.quantum_info import Operator, Statevector

from qbrain.backends import compile as compile_module
from qbrain.backends.check.states import simulate_states
from qbrain.backends.compile import (
    cheaper,
    depth,
    duration,
    expected_fidelity,
    final_layout,
    is_line_local,
    scheduled,
    to_isa,
    two_qubit_depth,
    two_qubit_gates,
)
from qbrain.backends.errors import CompileError
from qbrain.backends.ideal import ideal_target
from qbrain.backends.isa import first_illegal
from qbrain.backends.registry import open_sampler
from qbrain.backends.snapshot import cut

# cz; ecr in one direction; cx with u1, u2, u3
DEVICES = ("fake_fez", "fake_brisbane", "fake_almaden")


def parametrised_line(qubits=4):
    phase = Parameter("phase")
    circuit = QuantumCircuit(qubits)
    circuit.x(0)
    for i in range(qubits - 1):
        circuit.rxx(-phase / 3, i, i + 1)
        circuit.ryy(0.4 * phase, i, i + 1)
    circuit.rz(phase, range(qubits))
    return circuit


def equal_up_to_phase(one, other):
    return Operator(one).equiv(Operator(other), atol=1e-9)


@pytest.mark.parametrize("device", DEVICES)
def test_local_pieces_keep_parameters_and_places(device):
    target = cut(device, 4).target
    circuit = parametrised_line()
    isa = to_isa(circuit, target)
    assert isa.parameters == circuit.parameters
    assert final_layout(isa) == (0, 1, 2, 3)
    for phase in (0.0, 0.37, -2.1):
        bound = isa.assign_parameters([phase])
        assert first_illegal(bound, target) is None
        assert equal_up_to_phase(bound, circuit.assign_parameters([phase]))


@pytest.mark.parametrize("device", DEVICES)
def test_pieces_can_be_joined_after_transpiling(device):
    target = cut(device, 3).target
    piece = parametrised_line(3)
    isa = to_isa(piece, target)
    joined, wanted = QuantumCircuit(3), QuantumCircuit(3)
    for phase in (0.2, -0.9, 1.4):
        joined.compose(isa.assign_parameters([phase]), inplace=True)
        wanted.compose(piece.assign_parameters([phase]), inplace=True)
    assert equal_up_to_phase(joined, wanted)


@pytest.mark.parametrize("device", DEVICES)
def test_anything_else_is_routed_and_its_measurements_follow(device):
    target = cut(device, 4).target
    circuit = QuantumCircuit(4)
    circuit.x([0, 1])
    for i in range(4):
        for j in range(i):
            circuit.rxx(0.3 * (i + 1), j, i)
            circuit.rzz(0.2 * (j + 1), j, i)
    measured = circuit.copy()
    measured.measure_all()
    assert not is_line_local(circuit, target)
    isa = to_isa(measured, target, seed=3)
    assert first_illegal(isa, target) is None
    assert isa == to_isa(measured, target, seed=3)
    read = {
        isa.find_bit(step.qubits[0]).index: isa.find_bit(step.clbits[0]).index
        for step in isa.data
        if step.name == "measure"
    }
    final = isa.remove_final_measurements(inplace=False)
    p = Statevector(final).probabilities([q for q, _ in sorted(read.items(), key=lambda e: e[1])])
    assert p == pytest.approx(Statevector(circuit).probabilities(), abs=1e-9)


def test_the_final_layout_of_an_unmeasured_circuit_is_told():
    target = cut("fake_fez", 4).target
    circuit = QuantumCircuit(4)
    circuit.ry(0.3, 0)
    circuit.ry(1.3, 3)
    for i, j in ((0, 3), (0, 2), (1, 3), (0, 3), (1, 2)):
        circuit.rxx(0.4, i, j)
    isa = to_isa(circuit, target, seed=1)
    where = final_layout(isa)
    assert sorted(where) == [0, 1, 2, 3]
    found = Statevector(isa).probabilities(where)
    assert found == pytest.approx(Statevector(circuit).probabilities(), abs=1e-9)


def test_ideal_targets_leave_native_circuits_alone():
    target = ideal_target(4)
    circuit = parametrised_line()
    circuit.unitary(np.eye(4), [0, 2])
    circuit.barrier()
    circuit.measure_all()
    assert to_isa(circuit, target) is circuit


def test_ideal_targets_take_apart_what_is_not_native():
    target = ideal_target(3)
    circuit = QuantumCircuit(3)
    circuit.ry(0.4, range(3))
    circuit.cswap(0, 1, 2)
    circuit.ccz(0, 1, 2)
    circuit.append(XXPlusYYGate(0.3, 0.2), [2, 0])
    isa = to_isa(circuit, target)
    assert isa is not circuit
    assert first_illegal(isa, target) is None
    assert equal_up_to_phase(isa, circuit)


@pytest.mark.parametrize("qubits", [1, 2, 3])
def test_every_native_gate_is_run_by_aer_as_it_is(qubits):
    known = get_standard_gate_name_mapping()
    target = ideal_target(qubits)
    circuit = QuantumCircuit(qubits)
    for name in target.operation_names:
        if name in known and name not in ("measure", "reset", "delay"):
            gate = known[name].to_mutable()
            gate.params = [0.3 + 0.2 * i for i in range(len(gate.params))]
            circuit.append(gate, range(gate.num_qubits))
    exact = Statevector(circuit).probabilities()
    circuit.measure_all()
    assert to_isa(circuit, target) is circuit
    shots = 20_000
    result = open_sampler("aer", qubits=qubits, seed=1).run([circuit], shots=shots).result()
    counts = result[0].data.meas.get_int_counts()
    for index, p in enumerate(exact):
        assert abs(counts.get(index, 0) / shots - p) < 6 * math.sqrt(p * (1 - p) / shots) + 1e-9


def test_a_qubit_that_moved_against_all_promises_is_found(monkeypatch):
    monkeypatch.setattr(compile_module, "final_layout", lambda circuit: (1, 0, 2, 3))
    with pytest.raises(CompileError, match="wanted every qubit where it was"):
        to_isa(parametrised_line(), cut("fake_fez", 4).target)


def test_too_many_qubits():
    with pytest.raises(CompileError, match="wanted at most 3 qubits, got 4"):
        to_isa(parametrised_line(), cut("fake_fez", 3).target)


def test_names_and_steps_stay():
    circuit = parametrised_line()
    circuit.name, circuit.metadata = "piece", {"step": 4}
    isa = to_isa(circuit, cut("fake_fez", 4).target)
    assert (isa.name, isa.metadata) == ("piece", {"step": 4})


def counted():
    circuit = QuantumCircuit(3)
    circuit.sx(0)
    circuit.cz(0, 1)
    circuit.barrier()
    circuit.rz(0.1, 1)
    circuit.cz(1, 2)
    circuit.sx(0)
    circuit.cz(0, 1)
    circuit.measure_all()
    return circuit


def test_counts_and_depths():
    circuit = counted()
    assert two_qubit_gates(circuit) == 3
    assert two_qubit_depth(circuit) == 3
    assert depth(circuit) == 6  # sx cz rz cz cz measure
    assert two_qubit_gates(parametrised_line()) == 6
    assert two_qubit_depth(parametrised_line()) == 6


def test_fidelity_and_duration_are_sums_over_the_calibration():
    target = cut("fake_fez", 3).target
    circuit = counted()
    cz, sx, read = target["cz"], target["sx"], target["measure"]
    wanted = (1 - cz[(0, 1)].error) ** 2 * (1 - cz[(1, 2)].error) * (1 - sx[(0,)].error) ** 2
    wanted *= math.prod(1 - read[(q,)].error for q in range(3))
    assert expected_fidelity(circuit, target) == pytest.approx(wanted, rel=1e-12)
    seconds = sx[(0,)].duration + 2 * cz[(0, 1)].duration + cz[(1, 2)].duration
    seconds += max(read[(q,)].duration for q in range(3))
    assert duration(circuit, target) == pytest.approx(seconds, rel=1e-12)
    waiting = QuantumCircuit(3)
    waiting.delay(2, 0, "us")
    waiting.delay(1000, 0, "dt")
    assert duration(waiting, target) == pytest.approx(2e-6 + 1000 * target.dt)


def test_ideal_targets_know_neither():
    circuit = parametrised_line()
    assert expected_fidelity(circuit, ideal_target(4)) == 1.0
    assert duration(circuit, ideal_target(4)) is None


def test_foreign_gates_have_no_figures():
    circuit = QuantumCircuit(2)
    circuit.cx(0, 1)
    for figure in (expected_fidelity, duration):
        with pytest.raises(CompileError, match=r"got cx on \(0, 1\)"):
            figure(circuit, cut("fake_fez", 2).target)


def test_the_more_faithful_circuit_is_cheaper():
    target = cut("fake_fez", 3).target
    long, short = counted(), QuantumCircuit(3)
    short.cz(0, 1)
    short.measure_all()
    assert cheaper([long, short], target) is short
    assert cheaper([short, long], target) is short
    assert cheaper([parametrised_line(), counted()], ideal_target(4)).count_ops()["cz"] == 3
    with pytest.raises(CompileError, match="at least one"):
        cheaper([], target)


class TestScheduled:
    def waiting(self):
        """Qubit 2 is excited first and read last; qubits 0 and 1 are busy in between."""
        circuit = QuantumCircuit(3)
        circuit.x(2)
        circuit.cz(1, 2)
        for _ in range(200):
            circuit.cz(0, 1)
        circuit.cz(1, 2)
        circuit.measure_all()
        return circuit

    def test_waiting_is_written_out_and_relaxes(self):
        sampler = open_sampler("fake_fez", qubits=3, seed=1, noise="gates")
        waits = open_sampler("fake_fez", qubits=3, seed=1)
        circuit = self.waiting()
        padded = scheduled(circuit, sampler.target)
        assert duration(padded, sampler.target) == pytest.approx(
            duration(circuit, sampler.target), rel=1e-9
        )
        delays = [
            step.operation.duration * sampler.target.dt
            for step in padded.data
            if step.name == "delay" and padded.find_bit(step.qubits[0]).index == 2
        ]
        wait = 200 * sampler.target["cz"][(0, 1)].duration
        assert sum(delays) >= wait * (1 - 1e-9)
        alive = [
            each.run([c], shots=20_000)
            .result()[0]
            .data.meas.to_bool_array(order="little")[:, 2]
            .mean()
            for each, c in ((sampler, circuit), (sampler, padded), (waits, circuit))
        ]
        assert alive[2] == alive[1]  # the same seed and the same circuit
        decay = math.exp(-wait / sampler.target.qubit_properties[2].t1)
        assert alive[1] / alive[0] == pytest.approx(decay, abs=0.02)
        assert decay < 0.95

    def test_without_durations_it_is_refused(self):
        with pytest.raises(CompileError, match="wanted durations"):
            scheduled(self.waiting(), ideal_target(3))


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=6))
def test_any_circuit_stays_what_it_was(pairs):
    target = cut("fake_brisbane", 4).target
    circuit = QuantumCircuit(4)
    for k, (i, j) in enumerate(pairs):
        circuit.ry(0.3 + k, i)
        if i != j:
            circuit.rxx(0.7 - 0.2 * k, i, j)
    isa = to_isa(circuit, target)
    assert first_illegal(isa, target) is None
    found = Statevector(isa).probabilities(final_layout(isa))
    assert found == pytest.approx(Statevector(circuit).probabilities(), abs=1e-9)


def test_routing_keeps_diagonal_gates_in_front_of_measurements():
    # what is read would be the same without them, the state would not
    circuit = QuantumCircuit(3)
    circuit.h(range(3))
    circuit.cz(0, 2)
    circuit.cp(0.7, 0, 1)
    circuit.measure_all()
    isa = to_isa(circuit, cut("fake_fez", 3).target)
    states = simulate_states([circuit, isa])
    assert abs(np.vdot(*states)) ** 2 == pytest.approx(1, abs=1e-9)
