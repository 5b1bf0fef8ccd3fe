"""Networks on a line: equal to the dense formula in the tracked order, local, and cheap."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import transpile
from qiskit.circuit import Parameter
from qiskit.circuit.library import CZGate, RZGate, SXGate, XGate
from qiskit.quantum_info import Operator, Statevector
from qiskit.transpiler import CouplingMap, Target

from qbrain.backends.compile import to_isa, two_qubit_gates
from qbrain.backends.fractional import RZZ_BOUNDS, fold_angles, with_fractional
from qbrain.circuits.lmg import pair_sequence
from qbrain.circuits.swap_network import (
    CircuitError,
    fused_sweep,
    network_program,
    network_single_layer,
)
from qbrain.reference.lmg import statevector as dense


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


# ------------------------------------------------------------------------------ fractional gates


def fractional_line(qubits):
    """A line of cz and of rzz at angles in [0, π/2], without errors or durations."""
    target = Target(num_qubits=qubits)
    ends = [(q, q + 1) for q in range(qubits - 1)]
    target.add_instruction(CZGate(), dict.fromkeys(ends + [(b, a) for a, b in ends]))
    for gate in (RZGate(Parameter("angle")), SXGate(), XGate()):
        target.add_instruction(gate, {(q,): None for q in range(qubits)})
    return with_fractional(target, {"rzz": dict(target["cz"])})


def unitary(circuit):
    return Operator(circuit).data


@pytest.mark.parametrize(("gamma", "form", "method"), CASES)
@pytest.mark.parametrize("order", [1, 2, 4])
@pytest.mark.parametrize("neurons", [1, 2, 3, 4, 5])
def test_fractional_steps_are_the_same_unitaries(neurons, order, gamma, form, method):
    options = {"field": True, "order": order, "form": form, "method": method, "initial": 1}
    plain = network_program(neurons, gamma, **options)
    program = network_program(neurons, gamma, **options, fractional=True)
    assert program.orders == plain.orders
    assert program.prepare == plain.prepare
    for index in range(len(plain.steps)):
        for phase, field in ((0.9, 0.3), (-7.3, 1.1)):
            np.testing.assert_allclose(
                unitary(program.bind(index, phase, field)),
                unitary(plain.bind(index, phase, field)),
                atol=1e-12,
            )


def test_fractional_steps_of_six_neurons_are_the_same_unitaries():
    for options in ({"order": 1}, {"order": 2, "field": True}, {"order": 1, "method": "parity"}):
        plain = network_program(6, 1.0, **options)
        program = network_program(6, 1.0, **options, fractional=True)
        for index in range(len(plain.steps)):
            np.testing.assert_allclose(
                unitary(program.bind(index, 2.3)), unitary(plain.bind(index, 2.3)), atol=1e-12
            )


@pytest.mark.parametrize("method", ["fused", "parity"])
@pytest.mark.parametrize("neurons", range(1, 7))
def test_fractional_single_layer_is_the_same_evolution(neurons, method):
    for initial in {0, 1, neurons}:
        plain = network_single_layer(neurons, initial, method=method)
        program = network_single_layer(neurons, initial, method=method, fractional=True)
        for phase in (0.7, -1.9, 8.9):
            found, expected = (
                by_neuron(Statevector(p.circuit([phase], measure=False)).data, p.order_after(1))
                for p in (program, plain)
            )
            np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("neurons", [2, 3, 4, 5, 6, 8])
def test_two_qubit_gates_with_rzz(neurons):
    target = fractional_line(neurons)
    sweep = 3 * neurons * (neurons - 1) // 2 - 2 * (neurons - 1)

    def gates(program):
        return [two_qubit_gates(to_isa(piece, target)) for piece in program.steps]

    assert gates(network_single_layer(neurons, fractional=True)) == [sweep]
    assert gates(network_program(neurons, 1.0, order=1, fractional=True)) == [sweep, sweep]
    assert gates(network_program(neurons, -1.0, order=1, fractional=True)) == [sweep, sweep]
    piece = to_isa(network_single_layer(neurons, fractional=True).steps[0], target)
    assert piece.count_ops()["rzz"] == neurons - 1
    # where rzz saves nothing, the circuits are the ones without it
    for gamma, options in ((0.8, {"order": 1}), (0.8, {"order": 2}), (1.0, {"method": "parity"})):
        plain = network_program(neurons, gamma, **options)
        program = network_program(neurons, gamma, **options, fractional=True)
        if neurons == 2 and options.get("method") == "parity":
            assert (gates(plain), gates(program)) == ([2, 2], [1, 1])
        else:
            assert program.steps == plain.steps


def test_two_qubit_gates_of_six_neurons_with_rzz():
    target = fractional_line(6)
    counts = {
        (method, fractional): two_qubit_gates(
            to_isa(network_single_layer(6, method=method, fractional=fractional).steps[0], target)
        )
        for method in ("fused", "parity")
        for fractional in (False, True)
    }
    assert counts == {
        ("fused", False): 40,
        ("fused", True): 35,
        ("parity", False): 21,
        ("parity", True): 21,
    }


@pytest.mark.parametrize("phase", [0.0, 0.9, -4.0, 11.0, 60.0])
@pytest.mark.parametrize("neurons", [2, 3, 4])
def test_bound_steps_fold_into_the_bounds_of_rzz(neurons, phase):
    target = fractional_line(neurons)
    program = network_program(neurons, 1.0, field=True, fractional=True)
    native = to_isa(program.steps[0], target)
    values = {p: {"phase": phase, "field_phase": 0.4}[p.name] for p in native.parameters}
    folded = to_isa(fold_angles(native.assign_parameters(values), target), target)
    angles = [float(step.params[0]) for step in folded.data if step.name == "rzz"]
    assert len(angles) <= neurons - 1
    low, high = RZZ_BOUNDS
    assert all(low <= angle <= high for angle in angles)
    np.testing.assert_allclose(unitary(folded), unitary(program.bind(0, phase, 0.4)), atol=1e-9)


def least_gates(neurons, *, rzz, from_product):
    """Least CX and rzz on a line that turn all pairs of one axis, by breadth-first search.

    Qubits hold sums of neurons: CX adds the control's to the target's, a sum of two neurons is
    turned by RZ for nothing, rzz turns by the sum of two neighbours' sums. It begins and ends with
    one neuron a qubit; backwards, a product state is an end with any sums.
    """
    pairs = {1 << i | 1 << j for i in range(neurons) for j in range(i)}

    def least_name(labels, met):
        # neurons are alike: name them by the qubits that they are in
        columns = [sum((x >> k & 1) << q for q, x in enumerate(labels)) for k in range(neurons)]
        rank = {k: i for i, k in enumerate(sorted(range(neurons), key=columns.__getitem__))}

        def rename(x):
            return sum(1 << rank[k] for k in range(neurons) if x >> k & 1)

        return tuple(map(rename, labels)), frozenset(map(rename, met))

    found, gates = {least_name([1 << q for q in range(neurons)], ())}, 0
    seen = set(found)
    while True:
        for labels, met in found:
            if len(met) == len(pairs) and (from_product or all(x.bit_count() == 1 for x in labels)):
                return gates
        gates += 1
        after = set()
        for labels, met in found:
            for q in range(neurons - 1):
                both = labels[q] ^ labels[q + 1]
                more = met | ({both} & pairs)
                after.add(least_name([*labels[:q], both, *labels[q + 1 :]], more))
                after.add(least_name([*labels[: q + 1], both, *labels[q + 2 :]], more))
                if rzz:
                    after.add(least_name(labels, more))
        found = after - seen
        seen |= found


@pytest.mark.parametrize(
    ("neurons", "from_product", "gates", "gates_with_rzz"),
    [
        (2, True, 1, 1),
        (2, False, 2, 1),
        (3, True, 3, 3),
        (3, False, 5, 5),
        (4, True, 6, 6),
    ],
)
def test_rzz_saves_nothing_in_parities_of_few_but_two(neurons, from_product, gates, gates_with_rzz):
    assert least_gates(neurons, rzz=False, from_product=from_product) == gates
    assert least_gates(neurons, rzz=True, from_product=from_product) == gates_with_rzz


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
