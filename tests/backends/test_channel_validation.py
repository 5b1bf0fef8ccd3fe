"""The gate for circuits that reset qubits without reading them: what passes, what is refused."""

import itertools
import json
import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import RZGate
from qiskit.quantum_info import random_density_matrix

from qbrain.backends.check.channel import validate_channel
from qbrain.backends.check.pure import (
    LOGICAL_LIMIT,
    TRANSPILED_LIMIT,
    DispatchRefused,
    ValidationRecord,
)
from qbrain.backends.compile import is_line_local, scheduled, to_isa
from qbrain.backends.errors import BackendError
from qbrain.backends.ideal import ideal_target
from qbrain.backends.snapshot import cut, cut_target, load

X = np.array([[0, 1], [1, 0]], dtype=complex)


class Channel:
    """Neurons on qubits 0, 2, …, each with an ancilla next to it that is reset between steps.

    Neuron g starts as RY(start)|0⟩. A step turns its ancilla to RY(turn)|0⟩, joins both by
    RXX(collision) and turns the neuron by RZ(0.4). The expected states are sums over what the
    ancilla, were it read, would be found in: Kraus operators.
    """

    def __init__(self, neurons=1, steps=2, seed=0):
        rng = np.random.default_rng(seed)
        self.neurons, self.steps = neurons, steps
        self.starts = rng.uniform(0.3, 2.8, neurons)
        self.angles = rng.uniform(0.3, 1.2, (steps, neurons, 2))
        self.qubits = 2 * neurons

    def circuit(self, *, turned=1.0, prepared=True, reset=True, order=None):
        circuit = QuantumCircuit(self.qubits, self.neurons, name="channel")
        for g, start in enumerate(self.starts):
            q, a = 2 * g, 2 * g + 1
            circuit.ry(start, q)
            for k, (turn, collision) in enumerate(self.angles[:, g]):
                if k and reset:
                    circuit.reset(a)
                if prepared:
                    circuit.ry(turn, a)
                circuit.rxx(turned * collision, q, a)
                circuit.rz(0.4, q)
        order = range(self.neurons) if order is None else order
        circuit.measure(range(0, self.qubits, 2), order)
        return circuit

    def states(self):
        """(neurons, 2, 2): a collision with √(1−s)|0⟩ + √s|1⟩ is a sum over what the ancilla is."""
        found = []
        for g, start in enumerate(self.starts):
            psi = np.array([math.cos(start / 2), math.sin(start / 2)])
            rho = np.outer(psi, psi).astype(complex)
            for turn, collision in self.angles[:, g]:
                ancilla = np.array([math.cos(turn / 2), math.sin(turn / 2)])
                c, s = math.cos(collision / 2), math.sin(collision / 2)
                kraus = [c * a * np.eye(2) - 1j * s * b * X for a, b in (ancilla, ancilla[::-1])]
                rho = sum(k @ rho @ k.conj().T for k in kraus)
                phase = np.diag(np.exp([-0.2j, 0.2j]))
                rho = phase @ rho @ phase.conj()
            found.append(rho)
        return np.array(found)

    def whole(self):
        rho = np.ones((1, 1))
        for state in self.states():
            rho = np.kron(state, rho)
        return rho

    def validate(self, logical=None, isa=None, target=None, expected=None, **options):
        logical = self.circuit() if logical is None else logical
        target = cut("fake_fez", self.qubits).target if target is None else target
        isa = to_isa(logical, target) if isa is None else isa
        expected = self.states() if expected is None else expected
        return validate_channel(logical, isa, target, expected=expected, **options)


def edited(circuit, change):
    """A copy with the list of instructions put through ``change``."""
    copy = circuit.copy()
    copy.data = change(list(circuit.data))
    return copy


def refused(channel, check, **options):
    with pytest.raises(DispatchRefused) as caught:
        channel.validate(name="channel", step=4, **options)
    assert caught.value.check == check
    message = str(caught.value)
    assert message.startswith(f"circuit channel, step 4: check '{check}' refused it: got ")
    assert "\n" not in message
    assert str(pickle.loads(pickle.dumps(caught.value))) == message
    return caught.value


class TestPassing:
    @settings(max_examples=10, deadline=None)
    @given(
        st.integers(1, 2),
        st.integers(1, 4),
        st.integers(0, 2**31),
        st.sampled_from(["fake_fez", "fake_brisbane"]),
    )
    def test_right_circuits_pass_on_every_device(self, neurons, steps, seed, device):
        channel = Channel(neurons, steps, seed)
        target = cut(device, channel.qubits).target
        for expected in (channel.states(), list(channel.states()), channel.whole(), channel.whole):
            record = channel.validate(target=target, expected=expected)
            assert record["logical"].figure < 1e-12
            assert record["transpiled"].figure < 1e-10
            assert record.complete

    def test_the_record(self):
        record = Channel().validate(step=3, name="here")
        assert [check.name for check in record.checks] == ["logical", "transpiled", "angles"]
        assert {check.status for check in record.checks} == {"passed"}
        assert (record.circuit, record.step, record.qubits) == ("here", 3, 1)
        assert record.method == "density_matrix"
        assert record["logical"].limit == LOGICAL_LIMIT
        assert record["transpiled"].limit == math.sqrt(TRANSPILED_LIMIT)
        assert record.seconds > 0
        assert ValidationRecord.from_dict(json.loads(json.dumps(record.to_dict()))) == record

    def test_the_very_same_circuit_is_simulated_once(self):
        channel = Channel(2)
        circuit = channel.circuit()
        record = channel.validate(circuit, circuit, ideal_target(4))
        assert record.circuit == "channel"
        assert record["transpiled"].note == "the very same circuit"
        assert record["transpiled"].figure == 0

    def test_many_neurons_are_checked_one_by_one(self):
        channel = Channel(12, 3)
        record = channel.validate(isa=channel.circuit(), target=ideal_target(24))
        assert record.qubits == 12
        assert record["transpiled"].figure < 1e-12

    def test_routing_joins_what_was_independent(self):
        """Neurons and ancillas far apart: swaps lead through each other."""
        channel = Channel(2)
        apart = QuantumCircuit(4, 2)
        for step in channel.circuit().data:
            places = [{0: 0, 1: 2, 2: 1, 3: 3}[q._index] for q in step.qubits]
            apart.append(step.operation, places, step.clbits)
        target = cut("fake_fez", 4).target
        assert not is_line_local(apart, target)
        assert channel.validate(apart, target=target)["transpiled"].figure < 1e-7

    def test_angles_so_small_that_routing_drops_them(self):
        """Pure states show them to first order: 1.5e-5, far above 1e-7, is nothing wrong."""
        circuit = QuantumCircuit(3, 1)
        circuit.ry(0.4, 0)
        circuit.cx(0, 1)
        circuit.cx(1, 2)
        circuit.reset(1)
        circuit.h(1)
        circuit.rzz(3e-5, 1, 0)
        circuit.cx(0, 2)
        circuit.rzz(3e-5, 1, 2)
        circuit.measure(1, 0)
        # |0⟩ of the reset qubit, turned to |+⟩ and then by what the others are
        phase = np.exp(-3e-5j * np.array([2, 0]))
        weights = [math.cos(0.2) ** 2, math.sin(0.2) ** 2]
        off = weights @ phase
        wanted = np.array([[1, off], [off.conj(), 1]]) / 2
        target = cut("fake_fez", 3).target
        assert not is_line_local(circuit, target)
        record = validate_channel(circuit, to_isa(circuit, target), target, expected=wanted)
        assert record["transpiled"].figure < 1e-4

    def test_swaps_join_parts_and_leave_the_product_a_product(self):
        channel = Channel(4, 2)
        isa = edited(channel.circuit(), lambda steps: [s for s in steps if s.name != "measure"])
        for a, b in ((0, 2), (2, 4), (4, 6)):
            isa.swap(a, b)
        # neuron 0 has gone to the end, the others one place down
        isa.measure([6, 0, 2, 4], range(4))
        record = channel.validate(isa=isa, target=ideal_target(8))
        assert record["transpiled"].figure < 1e-12

    def test_waiting_times_and_barriers_change_nothing(self):
        channel = Channel(1, 3)
        target = cut("fake_fez", 2).target
        padded = scheduled(to_isa(channel.circuit(), target), target)
        padded.barrier()
        assert padded.count_ops()["delay"] > 0
        channel.validate(isa=padded, target=target)

    def test_bits_that_share_an_entangled_state(self):
        """A Bell pair after one half has been through a damping channel; no product."""
        circuit = QuantumCircuit(3, 2)
        circuit.h(0)
        circuit.cx(0, 2)
        circuit.rxx(0.6, 0, 1)
        circuit.reset(1)
        circuit.rxx(0.6, 0, 1)
        circuit.measure([2, 0], [0, 1])
        c, s = math.cos(0.3) ** 2, math.sin(0.3) ** 2
        bell, flipped = np.zeros((4, 4)), np.zeros((4, 4))
        bell[np.ix_([0, 3], [0, 3])] = flipped[np.ix_([1, 2], [1, 2])] = 0.5
        wanted = (c * c + s * s) * bell + 2 * c * s * flipped
        record = validate_channel(circuit, circuit, ideal_target(3), expected=wanted)
        assert record["logical"].figure < 1e-14
        with pytest.raises(DispatchRefused, match="logical"):
            validate_channel(circuit, circuit, ideal_target(3), expected=[np.eye(2) / 2] * 2)


class TestRefusing:
    def test_a_wrong_sign_of_an_angle(self):
        channel = Channel()
        logical = channel.circuit()
        wrong = channel.circuit(turned=-1.0)
        target = cut("fake_fez", 2).target
        figure = refused(channel, "logical", logical=wrong).figure
        assert figure > 0.01
        refused(channel, "transpiled", logical=logical, isa=to_isa(wrong, target))

    @pytest.mark.parametrize("gate", range(3))
    def test_a_single_sign(self, gate):
        """Also of an angle that populations do not show: the last turn about z."""
        channel = Channel(1, 1)
        circuit = channel.circuit()
        place = [i for i, s in enumerate(circuit.data) if s.name in ("ry", "rxx", "rz")][gate + 1]

        def turned(steps):
            operation = steps[place].operation
            steps[place] = steps[place].replace(operation=type(operation)(-operation.params[0]))
            return steps

        figure = refused(channel, "logical", logical=edited(circuit, turned)).figure
        assert figure > 1e-3

    def test_swapped_classical_bits(self):
        channel = Channel(2)
        logical = channel.circuit()
        swapped = channel.circuit(order=[1, 0])
        target = cut("fake_fez", 4).target
        states = channel.states()
        distance = sum(np.abs(np.linalg.eigvalsh(states[0] - states[1])))
        assert refused(channel, "logical", logical=swapped).figure == pytest.approx(distance)
        isa = to_isa(swapped, target)
        assert refused(channel, "transpiled", logical=logical, isa=isa).figure > 0.01

    def test_a_missing_reset(self):
        channel = Channel()
        logical, without = channel.circuit(), channel.circuit(reset=False)
        refused(channel, "logical", logical=without)
        target = cut("fake_fez", 2).target
        refused(channel, "transpiled", logical=logical, isa=to_isa(without, target))

    def test_a_reset_too_many(self):
        """The neuron's own state is forgotten together with the ancilla's."""
        channel = Channel(1, 2)
        isa = to_isa(channel.circuit(), cut("fake_fez", 2).target)

        def again(steps):
            number = next(i for i, step in enumerate(steps) if step.name == "reset")
            neuron = next(step.qubits[0] for step in steps if step.name == "measure")
            return [*steps[: number + 1], steps[number].replace(qubits=[neuron]), *steps[number:]]

        refused(channel, "transpiled", isa=edited(isa, again))

    def test_an_ancilla_that_was_not_prepared(self):
        channel = Channel()
        refused(channel, "logical", logical=channel.circuit(prepared=False))

    def test_a_gate_that_the_target_does_not_have(self):
        channel = Channel()
        logical = channel.circuit()
        error = refused(channel, "angles", logical=logical, isa=logical)
        assert error.figure == "ry on (0,)"
        # a device that cannot reset
        place = cut("fake_fez", 2).place.qubits
        narrow = cut_target(load("fake_fez").target, place, without=("reset",))
        isa = to_isa(logical, cut("fake_fez", 2).target)
        error = refused(channel, "angles", logical=logical, isa=isa, target=narrow)
        assert error.figure == "reset on (1,)"

    def test_unbound_parameters(self):
        channel = Channel()
        logical = channel.circuit()
        isa = channel.circuit()
        isa.ry(Parameter("angle"), 1)
        assert refused(channel, "angles", logical=logical, isa=isa).figure == "unbound angle"

    def test_a_mixture_is_not_a_superposition(self):
        """Populations are the same, and a reading along Z would not tell them apart."""
        p = 0.3
        coherent = QuantumCircuit(2, 1)
        coherent.ry(2 * math.asin(math.sqrt(p)), 0)
        mixed = coherent.copy()
        mixed.cx(0, 1)
        mixed.reset(1)
        for circuit in (coherent, mixed):
            circuit.measure(0, 0)
        diagonal = np.diag([1 - p, p])
        pure = diagonal + math.sqrt(p * (1 - p)) * X
        target = ideal_target(2)
        validate_channel(mixed, mixed, target, expected=diagonal)
        validate_channel(coherent, coherent, target, expected=pure)
        for circuit, expected in ((mixed, pure), (coherent, diagonal)):
            with pytest.raises(DispatchRefused) as caught:
                validate_channel(circuit, circuit, target, expected=expected)
            # half the sum of |±√(p(1−p))|
            assert caught.value.figure == pytest.approx(math.sqrt(p * (1 - p)))
        with pytest.raises(DispatchRefused, match="'transpiled'"):
            validate_channel(mixed, coherent, target, expected=diagonal)

    def test_limits_are_those_of_the_trace_distance(self):
        """Populations off by ε are a trace distance of ε, at any mixture."""
        channel = Channel()
        states = channel.states()
        for error, passes in ((0.5e-9, True), (2e-9, False)):
            off = states + error * np.diag([1, -1])
            if passes:
                figure = channel.validate(expected=off)["logical"].figure
                assert figure == pytest.approx(error, rel=1e-4)
            else:
                assert refused(channel, "logical", expected=off).figure == pytest.approx(error)

    def test_nothing_is_passed_that_is_not_a_number(self):
        channel = Channel()
        circuit = channel.circuit()
        broken = edited(
            circuit,
            lambda steps: [
                step.replace(operation=RZGate(math.nan)) if step.name == "rz" else step
                for step in steps
            ],
        )
        refused(channel, "logical", logical=broken, isa=broken, target=ideal_target(2))


class TestWhatCannotBeChecked:
    @pytest.mark.parametrize(
        ("expected", "message"),
        [
            (np.eye(4) / 4, r"expected: wanted shape \(2, 2\) or \(1, 2, 2\), got \(4, 4\)"),
            ([[1, 0], [0]], "expected: wanted a density matrix or 1 of one bit each, got list"),
            (np.eye(2), "expected: wanted matrices of trace 1, got 2"),
            ([[0.5, 0.3], [0, 0.5]], "expected: wanted Hermitian matrices"),
            ([[math.nan, 0], [0, 1]], "expected: wanted Hermitian matrices of finite numbers"),
        ],
    )
    def test_expected(self, expected, message):
        with pytest.raises(BackendError, match=message) as caught:
            Channel().validate(expected=expected)
        assert "\n" not in str(caught.value)

    def test_a_gate_after_a_reading(self):
        circuit = Channel().circuit()
        circuit.x(0)
        with pytest.raises(BackendError, match="wanted measurements last, got x after one"):
            Channel().validate(circuit, circuit, ideal_target(2))

    def test_a_reset_of_what_was_read(self):
        circuit = Channel().circuit()
        circuit.reset(0)
        with pytest.raises(BackendError, match="wanted measurements last, got reset after one"):
            Channel().validate(circuit, circuit, ideal_target(2))

    def test_bits(self):
        none, gap = QuantumCircuit(1, 1), QuantumCircuit(1, 2)
        none.x(0)
        gap.measure(0, 1)
        for circuit, got in ((none, r"\[\]"), (gap, r"\[1\]")):
            with pytest.raises(BackendError, match=f"read once each, got {got}"):
                validate_channel(circuit, circuit, ideal_target(1), expected=np.eye(2) / 2)
        channel = Channel(2)
        isa = edited(channel.circuit(), lambda steps: steps[:-1])
        with pytest.raises(BackendError, match="isa: wanted 2 measured bits as in logical, got 1"):
            channel.validate(isa=isa)

    def test_too_many_at_once(self):
        channel = Channel(11, 1)
        circuit = channel.circuit()
        whole = np.zeros((2**11, 2**11))
        whole[0, 0] = 1
        with pytest.raises(BackendError, match="wanted at most 10 bits to be compared at once"):
            channel.validate(circuit, circuit, ideal_target(22), expected=whole)


def test_distances_of_random_states():
    """The figure is ½‖ρ − σ‖₁ of any two states, whichever way bits are grouped."""
    prepared = QuantumCircuit(3, 3)
    for qubit, angle in enumerate((0.3, 0.9, 1.7)):
        prepared.ry(angle, qubit)
    for order in itertools.permutations(range(3)):
        circuit = prepared.copy()
        circuit.measure(range(3), order)
        psi = [np.array([math.cos(a / 2), math.sin(a / 2)]) for a in (0.3, 0.9, 1.7)]
        by_bit = [psi[order.index(bit)] for bit in range(3)]
        vector = np.kron(by_bit[2], np.kron(by_bit[1], by_bit[0]))
        other = random_density_matrix(8, seed=1).data
        wanted = np.abs(np.linalg.eigvalsh(np.outer(vector, vector) - other)).sum() / 2
        with pytest.raises(DispatchRefused) as caught:
            validate_channel(circuit, circuit, ideal_target(3), expected=other)
        assert caught.value.figure == pytest.approx(wanted, abs=1e-12)
