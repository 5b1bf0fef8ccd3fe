"""The gate for circuits that read and reset qubits on the way: what passes, what is refused."""

import itertools
import json
import pickle
from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

from qbrain.backends.check.histories import validate_trajectories
from qbrain.backends.check.pure import (
    LOGICAL_LIMIT,
    TRANSPILED_LIMIT,
    DispatchRefused,
    ValidationRecord,
)
from qbrain.backends.compile import scheduled, to_isa
from qbrain.backends.errors import BackendError
from qbrain.backends.ideal import ideal_target
from qbrain.backends.snapshot import cut


class Window:
    """Neurons read and reset in every bin, memory qubits kept; its states by dense matrices.

    In a bin each qubit turns about y and z, then every neighbour flips the next, in a ring.
    """

    def __init__(self, neurons=2, memory=1, bins=3, seed=0, ring=True):
        self.neurons, self.memory, self.bins = neurons, memory, bins
        self.qubits = neurons + memory
        self.angles = np.random.default_rng(seed).uniform(0.2, 1.4, (bins, self.qubits, 2))
        self.pairs = [(q, q + 1) for q in range(self.qubits - 1)]
        if ring and self.qubits > 2:
            self.pairs.append((self.qubits - 1, 0))
        self.readings = [range(t * neurons, (t + 1) * neurons) for t in range(bins)]

    def block(self, circuit, t, angles=None):
        for q, (y, z) in enumerate(self.angles[t] if angles is None else angles[t]):
            circuit.ry(y, q)
            circuit.rz(z, q)
        for pair in self.pairs:
            circuit.cx(*pair)

    def circuit(self, angles=None):
        circuit = QuantumCircuit(self.qubits, self.neurons * self.bins, name="window")
        for t in range(self.bins):
            self.block(circuit, t, angles)
            circuit.measure(range(self.neurons), self.readings[t])
            if t < self.bins - 1:
                circuit.reset(range(self.neurons))
        return circuit

    def unitary(self, t):
        turns = []
        for y, z in self.angles[t]:
            c, s = np.cos(y / 2), np.sin(y / 2)
            turns.append(np.diag(np.exp([-0.5j * z, 0.5j * z])) @ [[c, -s], [s, c]])
        # qubit 0 is the lowest bit
        matrix = reduce(np.kron, turns[::-1])
        index = np.arange(2**self.qubits)
        for control, flipped in self.pairs:
            matrix = matrix[index ^ ((index >> control) & 1) << flipped]
        return matrix

    def expected(self, outcomes):
        states = np.zeros((len(outcomes), 2**self.qubits), dtype=complex)
        states[:, 0] = 1
        for t in range(outcomes.shape[1]):
            states = (states @ self.unitary(t).T).reshape(len(outcomes), -1, 2**self.neurons)
            kept = states[np.arange(len(outcomes)), :, outcomes[:, t]]
            states = np.zeros_like(states)
            states[:, :, 0] = kept / np.linalg.norm(kept, axis=1, keepdims=True)
            states = states.reshape(len(outcomes), -1)
        return states @ self.unitary(outcomes.shape[1]).T

    def validate(self, logical=None, isa=None, target=None, **options):
        logical = self.circuit() if logical is None else logical
        target = cut("fake_fez", self.qubits).target if target is None else target
        options = {"readings": self.readings, "expected": self.expected, **options}
        isa = to_isa(logical, target) if isa is None else isa
        return validate_trajectories(logical, isa, target, **options)


def edited(circuit, change):
    """A copy with the list of instructions put through ``change``."""
    copy = circuit.copy()
    copy.data = change(list(circuit.data))
    return copy


def places(circuit, name):
    return [index for index, step in enumerate(circuit.data) if step.name == name]


def refused(window, check, **options):
    with pytest.raises(DispatchRefused) as caught:
        window.validate(name="window", step=4, **options)
    assert caught.value.check == check
    message = str(caught.value)
    assert message.startswith(f"circuit window, step 4: check '{check}' refused it: got ")
    assert "\n" not in message
    assert str(pickle.loads(pickle.dumps(caught.value))) == message
    return caught.value


class TestPassing:
    @settings(max_examples=12, deadline=None)
    @given(
        st.integers(1, 3),
        st.integers(0, 2),
        st.integers(1, 4),
        st.integers(0, 2**31),
        st.booleans(),
        st.sampled_from(["fake_fez", "fake_brisbane", "fake_almaden"]),
    )
    def test_right_circuits_pass_on_every_device(self, neurons, memory, bins, seed, ring, device):
        window = Window(neurons, memory, bins, seed, ring)
        target = cut(device, window.qubits).target
        record = window.validate(target=target, draws=3, seed=seed)
        assert record["logical"].figure < 1e-12
        assert record["transpiled"].figure < 1e-10
        assert record.complete

    def test_the_record(self):
        record = Window().validate(draws=5, step=3, name="here")
        names = ["readings", "resets", "logical", "transpiled", "angles"]
        assert [check.name for check in record.checks] == names
        assert {check.status for check in record.checks} == {"passed"}
        assert (record.circuit, record.step, record.qubits) == ("here", 3, 3)
        assert record.method == "trajectories"
        assert record["logical"].limit == LOGICAL_LIMIT
        assert record["transpiled"].limit == TRANSPILED_LIMIT
        assert record["transpiled"].note == "5 histories of 3 readings"
        assert ValidationRecord.from_dict(json.loads(json.dumps(record.to_dict()))) == record

    def test_the_very_same_circuit_is_simulated_once(self):
        window = Window()
        circuit = window.circuit()
        record = window.validate(circuit, circuit, ideal_target(3))
        assert record.circuit == "window"
        assert record["transpiled"].note == "the very same circuit"
        assert record["transpiled"].figure == 0

    def test_waiting_times_written_out_change_nothing(self):
        window = Window()
        target = cut("fake_fez", 3).target
        padded = scheduled(to_isa(window.circuit(), target), target)
        assert padded.count_ops()["delay"] > 0
        window.validate(isa=padded, target=target)

    def test_one_template_bound_many_times(self):
        """Transpiled once; every binding is validated for itself."""
        window = Window(bins=2)
        vector = ParameterVector("angle", window.angles.size)
        template = window.circuit(np.array(vector).reshape(window.angles.shape))
        target = cut("fake_fez", 3).target
        isa = to_isa(template, target)
        for seed in range(4):
            window.angles = np.random.default_rng(seed).uniform(-3, 3, window.angles.shape)
            values = window.angles.ravel()
            pair = [each.assign_parameters(values) for each in (template, isa)]
            window.validate(*pair, target)
            other = isa.assign_parameters(values + 0.01)
            refused(window, "transpiled", logical=pair[0], isa=other)
        assert refused(window, "angles", logical=template, isa=isa).figure.startswith("unbound")

    def test_histories_follow_from_the_seed_and_are_drawn_from_what_is_expected(self):
        window = Window(2, 1, 2)
        seen = {}

        def watched(outcomes):
            seen.setdefault("all", []).append(outcomes.copy())
            return window.expected(outcomes)

        def histories(seed, draws=2_000):
            seen.clear()
            window.validate(expected=watched, seed=seed, draws=draws)
            assert [outcomes.shape for outcomes in seen["all"]] == [(draws, 0), (draws, 1)]
            return seen["all"][-1][:, 0]

        first = histories(1)
        assert np.array_equal(first, histories(1))
        assert not np.array_equal(first, histories(2))
        p = (np.abs(window.expected(np.empty((1, 0), dtype=int))) ** 2).reshape(2, 4).sum(axis=0)
        found = np.bincount(first[1:], minlength=4) / 1_999
        assert np.all(np.abs(found - p) < 6 * np.sqrt(p * (1 - p) / 1_999))
        assert first[0] == 3

    def test_an_ancilla_that_is_read_and_reset_and_a_register_read_at_the_end(self):
        """Readings need not be of the same qubits, nor bits in the order of qubits."""
        circuit = QuantumCircuit(3, 4)
        for t in (0, 1):
            circuit.ry(0.7 + t, 0)
            circuit.ry(0.4, 2)
            circuit.cx(0, 2)
            circuit.cry(0.9, 2, 1)
            circuit.measure(2, t)
            circuit.reset(2)
        circuit.measure([1, 0], [3, 2])
        readings = [[0], [1], [3, 2]]

        def expected(outcomes):
            states = np.zeros((len(outcomes), 8), dtype=complex)
            for row, history in zip(states, outcomes, strict=True):
                tensor = np.zeros((2, 2, 2), dtype=complex)  # qubits 0, 1, 2
                tensor[0, 0, 0] = 1
                for t in range(min(2, len(history) + 1)):
                    for qubit, angle in ((0, 0.7 + t), (2, 0.4)):
                        tensor = np.moveaxis(np.tensordot(ry(angle), tensor, (1, qubit)), 0, qubit)
                    tensor[1] = tensor[1, :, ::-1].copy()
                    tensor[:, :, 1] = tensor[:, :, 1] @ ry(0.9).T
                    if t < len(history):
                        left = tensor[:, :, history[t]] / np.linalg.norm(tensor[:, :, history[t]])
                        tensor = np.stack([left, np.zeros_like(left)], axis=2)
                # lowest bit: the qubits read, in the order of their bits; then the others
                order = (2, 0, 1) if len(history) < 2 else (1, 0, 2)
                row[:] = tensor.transpose(order[::-1]).ravel()
            return states

        def ry(angle):
            c, s = np.cos(angle / 2), np.sin(angle / 2)
            return np.array([[c, -s], [s, c]])

        target = cut("fake_fez", 3).target
        isa = to_isa(circuit, target)
        record = validate_trajectories(circuit, isa, target, readings=readings, expected=expected)
        assert record["logical"].figure < 1e-12
        swapped = [[0], [1], [2, 3]]
        with pytest.raises(DispatchRefused, match="'logical'"):
            validate_trajectories(circuit, isa, target, readings=swapped, expected=expected)


def swap_bits(circuit, one, other):
    """Two measurements write each other's classical bit."""

    def swap(data):
        a, b = (measurement_of(circuit, bit) for bit in (one, other))
        bits = data[a].clbits, data[b].clbits
        data[a], data[b] = data[a].replace(clbits=bits[1]), data[b].replace(clbits=bits[0])
        return data

    return edited(circuit, swap)


def measurement_of(circuit, bit):
    found = [
        i for i in places(circuit, "measure") if circuit.data[i].clbits == (circuit.clbits[bit],)
    ]
    return found[0]


def read_before(circuit, bit, gates):
    """The measurement of a bit put before the last so many gates of two qubits on its qubit."""
    index = measurement_of(circuit, bit)
    (qubit,) = circuit.data[index].qubits
    pairs = [
        i
        for i, step in enumerate(circuit.data[:index])
        if qubit in step.qubits and len(step.qubits) == 2 and step.name != "barrier"
    ]

    def move(data):
        data.insert(pairs[-gates], data.pop(index))
        return data

    return edited(circuit, move)


class TestRefusing:
    def faulty(self, window, fault):
        """A fault in the circuit as built, and one only in the transpiled circuit."""
        logical = window.circuit()
        isa = to_isa(logical, cut("fake_fez", window.qubits).target)
        return {"logical": fault(logical)}, {"logical": logical, "isa": fault(isa)}

    @pytest.mark.parametrize("bin_", [0, 1, 2])
    def test_an_angle_of_the_wrong_sign(self, bin_):
        window = Window()
        for qubit, which in itertools.product(range(3), range(2)):
            angles = window.angles.copy()
            angles[bin_, qubit, which] *= -1
            wrong = window.circuit(angles)
            error = refused(window, "logical", logical=wrong)
            assert error.figure > error.limit == LOGICAL_LIMIT
            isa = to_isa(wrong, cut("fake_fez", 3).target)
            error = refused(window, "transpiled", logical=window.circuit(), isa=isa)
            assert error.figure > error.limit == TRANSPILED_LIMIT

    def test_a_missing_reset_even_of_neurons_that_never_fire(self):
        window = Window()
        window.angles *= 0

        def fault(circuit):
            gone = places(circuit, "reset")[1]
            return edited(circuit, lambda data: data[:gone] + data[gone + 1 :])

        for role, options in zip(("logical", "isa"), self.faulty(window, fault), strict=True):
            error = refused(window, "resets", **options)
            assert error.figure.startswith(f"{role}: ")
            assert "after its reading into classical bit" in error.figure
            assert error.limit == "a reset first"

    @pytest.mark.parametrize("instead", [False, True])
    def test_a_reset_of_the_wrong_qubit(self, instead):
        def fault(circuit):
            read = {circuit.data[i].qubits[0] for i in places(circuit, "measure")[:2]}
            (memory,) = set(circuit.qubits) - read
            index = places(circuit, "reset")[0]
            wrong = circuit.data[index].replace(qubits=[memory])
            return edited(circuit, lambda data: [*data[:index], wrong, *data[index + instead :]])

        for options in self.faulty(Window(), fault):
            error = refused(Window(), "resets", **options)
            assert "a reset of qubit" in error.figure
            assert "used and not read" in error.figure

    def test_classical_bits_swapped_in_a_reading(self):
        built, transpiled = self.faulty(Window(), lambda circuit: swap_bits(circuit, 2, 3))
        refused(Window(), "logical", **built)
        refused(Window(), "transpiled", **transpiled)

    def test_classical_bits_swapped_between_readings(self):
        for options in self.faulty(Window(), lambda circuit: swap_bits(circuit, 0, 2)):
            error = refused(Window(), "readings", **options)
            assert "read together as reading 0" in error.figure
            assert error.limit == "[0, 1]"

    def test_reading_before_the_end_of_a_bin(self):
        for bit in (2, 3):
            for fault in (1, 2):
                built, transpiled = self.faulty(
                    Window(), lambda circuit, b=bit, f=fault: read_before(circuit, b, f)
                )
                # what comes after it is done to a qubit that was read, or keeps another from
                # being read with it
                checks = set()
                for options in (built, transpiled):
                    with pytest.raises(DispatchRefused) as caught:
                        Window().validate(**options)
                    checks.add(caught.value.check)
                assert checks <= {"readings", "resets"}
        error = refused(Window(), "readings", logical=read_before(Window().circuit(), 2, 2))
        assert error.figure == "logical: classical bits [2] read together as reading 1"

    def test_turning_a_neuron_between_reading_and_reset(self):
        def fault(circuit):
            index = places(circuit, "reset")[0]
            turn = QuantumCircuit(1)
            turn.rz(0.3, 0)
            step = turn.data[0].replace(qubits=circuit.data[index].qubits)
            return edited(circuit, lambda data: [*data[:index], step, *data[index:]])

        for options in self.faulty(Window(), fault):
            assert "rz on qubit" in refused(Window(), "resets", **options).figure

    def test_readings_too_many_and_too_few(self):
        def fewer(circuit):
            gone = places(circuit, "measure")[-1]
            return edited(circuit, lambda data: data[:gone] + data[gone + 1 :])

        def more(circuit):
            return edited(circuit, lambda data: [*data, data[places(circuit, "measure")[0]]])

        for fault in (fewer, more):
            for options in self.faulty(Window(), fault):
                refused(Window(), "readings", **options)

    def test_gates_that_the_target_does_not_have(self):
        window = Window(ring=False)
        logical = window.circuit()
        target = cut("fake_fez", 3).target
        error = refused(window, "angles", logical=logical, isa=logical.copy(), target=target)
        assert error.figure == "ry on (0,)"
        wrong_place = to_isa(logical, cut("fake_fez", 3).target)
        wrong_place.cz(0, 2)
        refused(window, "angles", logical=logical, isa=wrong_place, target=target)

    def test_states_that_are_not_conditional_on_what_was_read(self):
        window = Window()
        error = refused(window, "logical", expected=lambda o: window.expected(o[:, ::-1] ^ 1))
        assert error.figure > 1e-3

    def test_the_memory_counts_where_it_is_read_later(self):
        window = Window()
        logical = window.circuit()
        target = ideal_target(3)

        def fault(reading):
            index = places(logical, "measure")[2 * reading + 1] + 1
            turn = QuantumCircuit(3)
            turn.ry(0.01, 2)
            step = turn.data[0].replace(qubits=[logical.qubits[2]])
            return edited(logical, lambda data: [*data[:index], step, *data[index:]])

        for reading in (0, 1):
            error = refused(
                window, "transpiled", logical=logical, isa=fault(reading), target=target
            )
            assert error.figure > 1e-6
        # nothing that can be read depends on the memory after the last reading
        window.validate(logical, fault(2), target)

    def test_diagonal_gates_left_out_before_a_reading(self):
        """The reduced state of what is read is compared, not its distribution alone."""
        window = Window()
        window.angles[..., 1] = 0
        logical = window.circuit()
        index = places(logical, "measure")[2]
        sign = QuantumCircuit(3)
        sign.z(0)
        step = sign.data[0].replace(qubits=[logical.qubits[0]])
        isa = edited(logical, lambda data: [*data[:index], step, *data[index:]])
        refused(window, "transpiled", logical=logical, isa=isa, target=ideal_target(3))

    def test_a_fault_behind_an_outcome_that_hardly_occurs(self):
        """One history takes the outcome with the most ones."""
        small = 2 * np.arcsin(np.sqrt(0.005))
        target = ideal_target(2)

        def build(angle):
            circuit = QuantumCircuit(2, 2)
            circuit.ry(small, 1)
            circuit.cx(1, 0)
            circuit.measure(0, 0)
            circuit.reset(0)
            circuit.cry(angle, 1, 0)
            circuit.measure(0, 1)
            return to_isa(circuit, target)

        def expected(outcomes):
            if outcomes.shape[1] == 0:
                state = [np.cos(small / 2), 0, 0, np.sin(small / 2)]
                return np.tile(state, (len(outcomes), 1))
            fired = np.array([0, 0, np.cos(0.4), np.sin(0.4)])
            return np.where(outcomes == 1, fired, [1, 0, 0, 0])

        options = {"readings": [[0], [1]], "expected": expected, "draws": 1}
        validate_trajectories(build(0.8), build(0.8), target, **options)
        with pytest.raises(DispatchRefused, match="'logical'"):
            validate_trajectories(build(0.9), build(0.9), target, **options)
        with pytest.raises(DispatchRefused, match="'transpiled'"):
            validate_trajectories(build(0.8), build(-0.8), target, **options)

    def test_where_the_kept_qubits_are_does_not_count(self):
        window = Window(2, 2, 3, ring=False)
        logical, target = window.circuit(), ideal_target(4)
        index = places(logical, "measure")[1] + 1
        swap = QuantumCircuit(4)
        swap.swap(2, 3)
        order = [logical.qubits[q] for q in (0, 1, 3, 2)]
        new = dict(zip(logical.qubits, order, strict=True))
        step = swap.data[0].replace(qubits=logical.qubits[2:])

        def moved(data):
            rest = [each.replace(qubits=[new[q] for q in each.qubits]) for each in data[index:]]
            return [*data[:index], step, *rest]

        record = window.validate(logical, edited(logical, moved), target)
        assert record["transpiled"].figure < 1e-12
        lost = edited(logical, lambda data: [*data[:index], step, *data[index:]])
        refused(window, "transpiled", logical=logical, isa=lost, target=target)


class TestBadInput:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"readings": []}, r"readings: wanted one or more groups .* got \[\]"),
            ({"readings": [[0, 1], []]}, "readings: wanted one or more groups"),
            ({"readings": [[0, 1], [1, 2]]}, "each bit in one of them once"),
            ({"readings": [[-1]]}, "readings: wanted"),
            ({"draws": 0}, "draws: wanted an integer >= 1, got 0"),
            ({"draws": True}, "draws: wanted an integer >= 1, got True"),
            ({"seed": -1}, "seed: wanted an integer >= 0, got -1"),
            (
                {"expected": lambda o: np.ones((len(o), 4)) / 2},
                r"finite states of shape \(4, 8\) before reading 0, got shape \(4, 4\)",
            ),
            ({"expected": lambda o: np.ones((len(o), 8))}, "states of norm 1 before reading 0"),
            ({"expected": lambda o: np.full((len(o), 8), np.nan)}, "wanted finite states"),
        ],
    )
    def test_it_is_told_in_one_line(self, options, message):
        with pytest.raises(BackendError, match=message) as caught:
            Window().validate(**options)
        assert "\n" not in str(caught.value)

    def test_control_flow_and_too_many_qubits(self):
        window = Window()
        circuit = window.circuit()
        with circuit.if_test((circuit.clbits[0], 1)):
            circuit.x(0)
        with pytest.raises(BackendError, match="got if_else"):
            window.validate(isa=circuit)
        large = QuantumCircuit(21, 1)
        large.h(range(21))
        large.measure(0, 0)
        with pytest.raises(BackendError, match="logical: wanted at most 20 qubits, got 21"):
            window.validate(large, large, ideal_target(21), readings=[[0]])
