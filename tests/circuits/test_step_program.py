"""Programs: joining bound pieces, measuring in the tracked order."""

from __future__ import annotations

import math

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import Statevector

from qbrain.circuits.lmg import logical_program
from qbrain.circuits.step_program import FIELD_PHASE, PHASE, CircuitError, StepProgram


def two_qubit_program(**options):
    """Turns neuron 0 by phase; the qubits change places in every step."""
    pieces = []
    for place in (0, 1):
        piece = QuantumCircuit(2)
        piece.rx(PHASE, place)
        piece.swap(0, 1)
        pieces.append(piece)
    return StepProgram(QuantumCircuit(2), tuple(pieces), ((0, 1), (1, 0)), **options)


def test_bits_are_neurons_whatever_the_order():
    program = two_qubit_program()
    for steps in (1, 2, 3):
        circuit = program.circuit([math.pi] + [0.0] * (steps - 1))
        assert circuit.cregs[0].name == "meas"
        final = circuit.remove_final_measurements(inplace=False)
        held = int(np.argmax(Statevector(final).probabilities()))
        measured = {
            circuit.find_bit(i.qubits[0]).index: circuit.find_bit(i.clbits[0]).index
            for i in circuit.data
            if i.operation.name == "measure"
        }
        bits = {measured[q] for q in range(2) if held >> q & 1}
        assert bits == {0}
        assert program.order_after(steps) == ((0, 1), (1, 0))[steps % 2]


def test_circuits_grow_into_each_other():
    program = logical_program(3, 0.6, field=True, initial=3)
    phases, fields = [0.3, 0.5, -0.2], [0.1, 0.2, 0.3]
    grown = program.circuits(phases, fields)
    assert len(grown) == 4
    for steps, circuit in enumerate(grown):
        assert circuit == program.circuit(phases[:steps], fields[:steps])


def test_bound_pieces_are_kept():
    program = logical_program(3, 0.6)
    assert program.bind(0, 0.3) is program.bind(7, 0.3)
    assert program.bind(0, 0.3) is not program.bind(0, 0.4)
    assert program.bind(0, 0.3).num_parameters == 0
    assert program.steps[0].num_parameters == 1
    for k in range(2000):
        program.bind(0, 1e-3 * k)
    assert len(program._bound) <= 512


def test_a_program_that_does_not_join_up_ends():
    pieces = two_qubit_program().steps
    program = StepProgram(QuantumCircuit(2), pieces, ((0, 1), (1, 0), (0, 1)))
    assert not program.repeats
    assert program.order_after(2) == (0, 1)
    program.circuit([0.1, 0.2])
    with pytest.raises(CircuitError, match=r"steps: wanted 0\.\.2, got 3"):
        program.circuit([0.1, 0.2, 0.3])
    with pytest.raises(CircuitError, match=r"steps: wanted 0\.\.2, got 3"):
        program.bind(2, 0.1)


def test_a_field_that_would_be_ignored_is_refused():
    program = logical_program(2, 0.5)
    assert not program.has_field
    with pytest.raises(CircuitError, match=r"field_phase: this program has no field, got 0\.1"):
        program.circuit([0.3], 0.1)
    program.circuit([0.3], 0.0)


def test_field_is_found_from_the_parameters():
    piece = QuantumCircuit(1)
    piece.rz(FIELD_PHASE, 0)
    assert StepProgram(QuantumCircuit(1), (piece,), ((0,),)).has_field


@pytest.mark.parametrize(
    ("phases", "fields", "words"),
    [
        ([math.nan], 0.0, "phases: wanted finite"),
        ([[0.1]], 0.0, "phases: wanted one axis"),
        ([0.1, 0.2], [0.1], "field_phases: wanted one number or shape"),
        ([0.1], math.inf, "field_phases: wanted finite"),
    ],
)
def test_bad_phases_are_named(phases, fields, words):
    with pytest.raises(CircuitError, match=words):
        logical_program(2, 0.5, field=True).circuit(phases, fields)


def test_pieces_that_do_not_fit_are_refused():
    empty = QuantumCircuit(2)
    with pytest.raises(CircuitError, match="steps: wanted at least one"):
        StepProgram(empty, (), ())
    with pytest.raises(CircuitError, match="orders: wanted 1 or 2 entries, got 3"):
        StepProgram(empty, (empty,), ((0, 1),) * 3)
    with pytest.raises(CircuitError, match="orders: wanted permutations"):
        StepProgram(empty, (empty,), ((0, 0),))
    stranger = QuantumCircuit(2)
    stranger.rx(Parameter("other"), 0)
    with pytest.raises(CircuitError, match="unknown parameters \\['other'\\]"):
        StepProgram(empty, (stranger,), ((0, 1),))
