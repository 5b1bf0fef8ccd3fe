"""Networks on a line: equal to the dense formula in the tracked order, local, and cheap."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import transpile
from qiskit.quantum_info import Operator, Statevector
from qiskit.transpiler import CouplingMap

from qbrain.circuits.lmg import pair_sequence
from qbrain.circuits.swap_network import (
    CircuitError,
    fused_sweep,
    network_program,
    network_single_layer,
)
from qbrain.reference import statevector as dense


def is_two_qubit(instruction):
    return instruction.operation.num_qubits == 2


def cost(circuit):
    """Two-qubit gates and two-qubit depth after translation, on the line as it is."""
    qubits = circuit.num_qubits
    native = transpile(
        circuit,
        basis_gates=["cz", "rz", "sx", "x"],
        coupling_map=CouplingMap.from_line(qubits),
        initial_layout=list(range(qubits)),
        optimization_level=1,
    )
    return native.count_ops().get("cz", 0), native.depth(is_two_qubit)


def by_neuron(vector, order):
    """Reorder amplitudes by qubit to amplitudes by neuron: qubit i holds neuron order[i]."""
    index = np.arange(vector.size)
    target = sum(((index >> qubit) & 1) << neuron for qubit, neuron in enumerate(order))
    moved = np.empty_like(vector)
    moved[target] = vector
    return moved


def by_qubit(vector, order):
    inverse = [list(order).index(neuron) for neuron in range(len(order))]
    return by_neuron(vector, inverse)


def random_state(neurons, seed):
    rng = np.random.default_rng(seed)
    vector = rng.normal(size=1 << neurons) + 1j * rng.normal(size=1 << neurons)
    return vector / np.linalg.norm(vector)


def single_axis(gamma, form):
    return abs(gamma) == 1 if form == "xx+yy" else gamma in (0, 1)


CASES = [
    (gamma, form, method)
    for gamma in (1.0, 0.6, 0.0, -1.0)
    for form in ("xx+yy", "xx+zz")
    for method in ("fused", "parity")
    if method == "fused" or (single_axis(gamma, form) and (gamma, form) != (-1.0, "xx+zz"))
]


# ------------------------------------------------------------------------------ the right state


@pytest.mark.parametrize(("gamma", "form", "method"), CASES)
@pytest.mark.parametrize("order", [1, 2, 4])
@pytest.mark.parametrize("neurons", [1, 2, 3, 4, 5])
def test_steps_on_any_vector_equal_the_dense_formula(neurons, order, gamma, form, method):
    state = random_state(neurons, 5)
    phases, fields = [0.9, -0.4, 1.7], [0.3, 0.8, -0.5]
    program = network_program(neurons, gamma, field=True, order=order, form=form, method=method)
    circuit = program.circuit(phases, fields, measure=False)
    started = Statevector(by_qubit(state, program.orders[0]))
    found = by_neuron(started.evolve(circuit).data, program.order_after(3))
    expected = dense.product_formula(
        neurons,
        gamma,
        phases,
        fields,
        order=order,
        initial=state,
        form=form,
        splitting="pairwise",
        pairs=pair_sequence(neurons),
    )[-1]
    np.testing.assert_allclose(found, expected, atol=1e-11)


@settings(max_examples=20, deadline=None)
@given(
    neurons=st.integers(2, 8),
    gamma=st.floats(-1.5, 1.5),
    steps=st.integers(0, 4),
    order=st.sampled_from([1, 2]),
    share=st.floats(0, 1),
    seed=st.integers(0, 2**32 - 1),
)
def test_whole_circuits_equal_the_dense_formula(neurons, gamma, steps, order, share, seed):
    initial = round(share * neurons)
    phases = np.random.default_rng(seed).uniform(-1, 1, steps)
    program = network_program(neurons, gamma, order=order, initial=initial)
    vector = Statevector(program.circuit(phases, measure=False)).data
    found = by_neuron(vector, program.order_after(steps))
    expected = dense.product_formula(
        neurons,
        gamma,
        phases,
        order=order,
        initial=initial,
        splitting="pairwise",
        pairs=pair_sequence(neurons),
    )[-1]
    assert 1 - abs(np.vdot(found, expected)) ** 2 < 1e-12
    populations = dense.excitation_populations(found)
    assert populations[np.arange(neurons + 1) % 2 != initial % 2].sum() < 1e-12


@pytest.mark.parametrize("method", ["fused", "parity"])
@pytest.mark.parametrize("neurons", range(1, 10))
def test_single_layer_is_exact_at_any_time(neurons, method):
    for initial in {0, 1, max(neurons // 2 - 1, 0), neurons}:
        program = network_single_layer(neurons, initial, method=method)
        for phase in (0.7, 8.9):
            vector = Statevector(program.circuit([phase], measure=False)).data
            found = by_neuron(vector, program.order_after(1))
            expected = dense.exact(neurons, 1.0, [phase], initial=initial)[-1]
            np.testing.assert_allclose(found, expected, atol=1e-11)
        start = Statevector(program.circuit([], measure=False)).data
        np.testing.assert_allclose(start, dense.dicke_state(neurons, initial), atol=1e-11)
        with pytest.raises(CircuitError, match=r"steps: wanted 0\.\.1"):
            program.circuit([0.1, 0.2])


@pytest.mark.parametrize("neurons", range(2, 10))
def test_orders_are_the_networks(neurons):
    first = network_program(neurons, 0.5, order=1)
    second = network_program(neurons, 0.5, order=2)
    assert len(first.steps) == 2
    assert len(second.steps) == 1
    assert first.orders[0] == second.orders[0]
    # with the swaps of its outer layers, left out here, a sweep reverses the line
    line = list(first.orders[1])
    for left in range(1 - (neurons - 1) % 2, neurons - 1, 2):
        line[left], line[left + 1] = line[left + 1], line[left]
    assert line == list(reversed(range(neurons)))
    assert first.order_after(2) == first.orders[0]


@pytest.mark.parametrize("form", ["xx+yy", "xx+zz"])
def test_full_sweep_reverses_the_line(form):
    neurons, gamma, phase = 4, 0.3, 0.8
    state = random_state(neurons, 9)
    sweep = fused_sweep(neurons, gamma, form=form)
    vector = Statevector(state).evolve(sweep.assign_parameters([phase])).data
    found = by_neuron(vector, range(neurons)[::-1])
    expected = dense.product_formula(
        neurons,
        gamma,
        [phase],
        order=1,
        initial=state,
        form=form,
        splitting="pairwise",
        pairs=pair_sequence(neurons),
    )[-1]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_a_missing_swap_would_be_seen():
    program = network_program(4, 0.6, order=1, initial=0)
    vector = Statevector(random_state(4, 3)).evolve(program.bind(0, 0.9)).data
    right, wrong = (by_neuron(vector, order) for order in (program.orders[1], program.orders[0]))
    assert abs(np.vdot(right, wrong)) ** 2 < 0.9


# ------------------------------------------------------------------------------ the right place


@pytest.mark.parametrize("initial", [0, 1, 2, 5])
@pytest.mark.parametrize("method", ["fused", "parity"])
def test_gates_are_between_neighbours(method, initial):
    neurons = 5
    programs = [
        network_single_layer(neurons, initial, method=method),
        network_program(neurons, 1.0, field=True, initial=initial, method=method),
        network_program(neurons, 0.8, field=True, initial=initial),
    ]
    for program in programs:
        for circuit in (program.prepare, *program.steps):
            for instruction in filter(is_two_qubit, circuit.data):
                a, b = (circuit.find_bit(bit).index for bit in instruction.qubits)
                assert abs(a - b) == 1


@pytest.mark.parametrize("neurons", [2, 3, 4, 5, 6, 8, 10, 14])
def test_two_qubit_gates(neurons):
    pairs = neurons * (neurons - 1) // 2
    free = neurons - 1  # blocks without a change of places in a sweep, two layers' worth
    assert cost(fused_sweep(neurons, 0.8))[0] == 3 * pairs
    for piece in network_program(neurons, 0.8, order=1).steps:
        assert cost(piece)[0] == 3 * pairs - free
    assert cost(network_single_layer(neurons).steps[0])[0] == 3 * pairs - free
    parity = network_single_layer(neurons, method="parity")
    assert cost(parity.steps[0])[0] == (neurons - 2) ** 2 + neurons - 1
    middle = neurons // 2  # pairs of the last layer, met once by both half sweeps
    outer = (neurons - 1) // 2  # pairs of the first layer, met twice, without a swap
    fused = 2 * (pairs - middle - outer)
    (piece,) = network_program(neurons, 0.8, order=2).steps
    assert cost(piece)[0] == 3 * fused + 2 * (middle + 2 * outer)


def test_two_qubit_gates_and_depth_of_six_neurons():
    assert cost(fused_sweep(6, 1.0)) == (45, 18)
    assert cost(fused_sweep(6, 0.8)) == (45, 18)
    assert cost(network_single_layer(6).steps[0]) == (40, 16)
    assert cost(network_single_layer(6, method="parity").steps[0]) == (21, 13)
    assert cost(network_single_layer(6, 2, method="parity").steps[0]) == (28, 18)
    assert cost(network_program(6, 0.8, order=1).steps[0]) == (40, 16)
    assert cost(network_program(6, 0.8, order=2).steps[0]) == (74, 30)
    assert cost(network_program(6, 0.8, order=1, form="xx+zz").steps[0]) == (40, 16)
    assert cost(network_program(6, 1.0, field=True, order=2).steps[0]) == (40, 16)


def test_binding_after_translation_needs_no_second_translation():
    piece = network_program(5, 0.8, order=1).steps[0]
    native = transpile(
        piece,
        basis_gates=["cz", "rz", "sx", "x"],
        coupling_map=CouplingMap.from_line(5),
        initial_layout=list(range(5)),
        optimization_level=1,
    )
    assert {p.name for p in native.parameters} == {"phase"}
    for phase in (0.0, 0.7, math.pi, -9.0):
        bound = native.assign_parameters([phase])
        assert set(bound.count_ops()) <= {"cz", "rz", "sx", "x"}
        np.testing.assert_allclose(
            Operator(bound).data, Operator(piece.assign_parameters([phase])).data, atol=1e-9
        )


# ------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: network_program(0, 0.5), "neurons: wanted an integer >= 1"),
        (lambda: network_program(4, math.nan), "gamma: wanted a finite number"),
        (lambda: network_program(4, 0.5, order=3), "order: wanted one of"),
        (lambda: network_program(4, 0.5, form="zz"), "form: wanted one of"),
        (lambda: network_program(4, 0.5, initial=5), "initial: wanted an integer in 0..4"),
        (lambda: network_program(4, 0.5, method="swap"), "method: wanted one of"),
        (lambda: network_program(4, 0.5, method="parity"), "method: 'parity' is for one axis"),
        (lambda: network_single_layer(4, 5), "initial: wanted an integer in 0..4"),
        (lambda: network_single_layer(4, method="x"), "method: wanted one of"),
        (lambda: fused_sweep(4, math.inf), "gamma: wanted a finite number"),
        (lambda: fused_sweep(4, 0.5, form="x"), "form: wanted one of"),
    ],
)
def test_bad_arguments_are_named(call, words):
    with pytest.raises(CircuitError, match=words):
        call()
