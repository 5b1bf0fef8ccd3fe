"""The gate: right circuits pass, each kind of wrong one is refused by the check meant for it."""

import json
import math
import pickle
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import Statevector
from scipy.linalg import expm

from qbrain.backends.check.mps import dicke_mps
from qbrain.backends.check.pure import DispatchRefused, ValidationRecord, validate
from qbrain.backends.check.states import measured_part, simulate_states
from qbrain.backends.compile import to_isa
from qbrain.backends.errors import BackendError
from qbrain.backends.ideal import ideal_target
from qbrain.backends.snapshot import cut

N, GAMMA, FIELD = 4, 0.6, 0.3
ONES = np.array([bin(index).count("1") for index in range(2**N)])
EXCITATION = ONES / N

X = np.array([[0, 1], [1, 0]])
Y = np.array([[0, -1j], [1j, 0]])
Z = np.diag([1, -1])


def on(operator, qubit):
    """Operator on one of N qubits, qubit 0 the lowest bit."""
    return np.kron(np.kron(np.eye(2 ** (N - 1 - qubit)), operator), np.eye(2**qubit))


JX, JY = (sum(on(p, q) for q in range(N)) / 2 for p in (X, Y))
JZ = -sum(on(Z, q) for q in range(N)) / 2
XX, YY = -(1 + GAMMA) / N * JX @ JX, -(1 - GAMMA) / N * JY @ JY


TILTS = [0.4, 1.0, 1.9, 2.6]


def start():
    """Every neuron in a state of its own: not symmetric, so that bit order counts."""
    state = np.ones(1)
    for tilt in TILTS:
        state = np.kron([math.cos(tilt / 2), math.sin(tilt / 2)], state)
    return state.astype(complex)


def prepare(circuit):
    for q, tilt in enumerate(TILTS):
        circuit.ry(tilt, q)


def product_formula(phase, field_phase):
    steps = (XX * phase, YY * phase, -JZ * field_phase)
    state = start()
    for generator in steps:
        state = expm(-1j * generator) @ state
    return state


def exact(phase, field_phase):
    return expm(-1j * (phase * (XX + YY) - field_phase * JZ)) @ start()


def value(state):
    return float(EXCITATION @ np.abs(state) ** 2)


def layer(circuit, name, theta):
    for i in range(N):
        for j in range(i):
            getattr(circuit, name)(theta, j, i)


def step(phase, field_phase=FIELD, *, sign=1, measure=True):
    """One first-order step as a circuit; ``sign`` = −1 turns the couplings round."""
    circuit = QuantumCircuit(N, name="step")
    prepare(circuit)
    layer(circuit, "rxx", -sign * (1 + GAMMA) * phase / N)
    layer(circuit, "ryy", -sign * (1 - GAMMA) * phase / N)
    circuit.rz(field_phase, range(N))
    if measure:
        circuit.measure_all()
    return circuit


def network(phase, field_phase=FIELD, *, missing_swap=None):
    """The same interactions on a line: two odd-even sweeps, each gate with a swap after it.

    The order of the pairs differs from :func:`step`'s only where it does not matter: XX terms
    commute with each other, and so do YY terms.
    """
    circuit = QuantumCircuit(N, N, name="network")
    order = list(range(N))
    prepare(circuit)
    count = 0
    for name, weight in (("rxx", 1 + GAMMA), ("ryy", 1 - GAMMA)):
        for sweep in range(N):
            for i in range(sweep % 2, N - 1, 2):
                getattr(circuit, name)(-weight * phase / N, i, i + 1)
                if count != missing_swap:
                    circuit.swap(i, i + 1)
                order[i], order[i + 1] = order[i + 1], order[i]
                count += 1
    circuit.rz(field_phase, range(N))
    for qubit, neuron in enumerate(order):
        circuit.measure(qubit, neuron)
    return circuit


def passes(logical, isa, target, phase, field_phase=FIELD, **options):
    arguments = {
        "expected": product_formula(phase, field_phase),
        "observable": EXCITATION,
        "exact_value": value(exact(phase, field_phase)),
        "max_trotter_error": 0.02,
    }
    return validate(logical, isa, target, **(arguments | options))


def refused(check, *arguments, **options):
    with pytest.raises(DispatchRefused) as caught:
        passes(*arguments, **options)
    assert caught.value.check == check
    return caught.value


LINE = cut("fake_lima", 4).target
IDEAL = ideal_target(N)


class TestRight:
    @pytest.mark.parametrize("device", ["fake_fez", "fake_brisbane", "fake_almaden"])
    def test_a_right_circuit_passes(self, device):
        target = cut(device, N).target
        logical = step(0.5)
        record = passes(logical, to_isa(logical, target), target, 0.5)
        assert [check.name for check in record.checks] == [
            "logical",
            "transpiled",
            "trotter",
            "angles",
        ]
        assert all(check.status == "passed" for check in record.checks)
        assert record.complete
        assert record["logical"].figure < 1e-12
        assert record["transpiled"].figure < 1e-12
        error = abs(value(product_formula(0.5, FIELD)) - value(exact(0.5, FIELD)))
        assert record["trotter"].figure == pytest.approx(error, abs=1e-12)
        assert 0 < error < 0.02

    def test_a_swap_network_passes(self):
        target = cut("fake_fez", N).target
        isa = to_isa(network(0.5), target)
        passes(step(0.5), isa, target, 0.5)
        passes(network(0.5), isa, target, 0.5)

    def test_the_very_same_circuit_is_simulated_once(self):
        logical = step(0.5)
        record = passes(logical, logical, IDEAL, 0.5)
        assert record["transpiled"].note == "the very same circuit"
        assert record["transpiled"].status == "passed"

    def test_a_whole_device_is_cut_to_the_qubits_in_use(self):
        whole = QuantumCircuit(30, N)
        small = step(0.5, measure=False)
        places = [17, 3, 29, 11]
        whole.compose(small, qubits=places, inplace=True)
        whole.measure(places, range(N))
        assert measured_part(whole).circuit.num_qubits == N
        record = passes(step(0.5), whole, ideal_target(30), 0.5)
        assert record.method == "statevector"

    def test_unmeasured_circuits_follow_their_layout(self):
        logical = step(0.5, measure=False)
        isa = to_isa(logical, LINE, seed=2)
        assert passes(logical, isa, LINE, 0.5)["transpiled"].figure < 1e-12

    def test_global_phases_do_not_count(self):
        logical = step(0.5)
        turned = logical.copy()
        turned.global_phase = 1.0
        passes(logical, turned, IDEAL, 0.5)
        passes(logical, logical, IDEAL, 0.5, expected=1j * product_formula(0.5, FIELD))

    def test_helper_qubits_that_return_to_zero(self):
        logical = step(0.5)
        helped = QuantumCircuit(N + 1, N)
        helped.cx(0, N)
        helped.cx(0, N)
        helped.compose(step(0.5, measure=False), range(N), inplace=True)
        helped.measure(range(N), range(N))
        passes(logical, helped, ideal_target(N + 1), 0.5)

    def test_without_an_exact_value_the_record_says_so(self):
        logical = step(0.5)
        record = validate(logical, logical, IDEAL, expected=product_formula(0.5, FIELD))
        assert record["trotter"].status == "skipped"
        assert not record.complete

    def test_records_are_plain(self):
        logical = step(0.5)
        record = passes(logical, to_isa(logical, LINE), LINE, 0.5, name="named", step=7)
        assert (record.circuit, record.step, record.qubits) == ("named", 7, N)
        assert ValidationRecord.from_dict(json.loads(json.dumps(record.to_dict()))) == record


class TestStart:
    """Circuits that go on from a state that a sampler kept."""

    def continued(self, *, clbits=range(N)):
        circuit = QuantumCircuit(N, N, global_phase=0.4)
        for i in range(N):
            circuit.rz(0.3 * (i + 1), i)
        layer(circuit, "rxx", 0.7)
        circuit.measure(range(N), clbits)
        return circuit

    def wanted(self):
        gates = self.continued().remove_final_measurements(inplace=False)
        return Statevector(start()).evolve(gates).data

    def test_it_goes_on_from_there(self):
        circuit = self.continued()
        validate(circuit, circuit, IDEAL, expected=self.wanted(), start=start())
        with pytest.raises(DispatchRefused) as caught:
            validate(circuit, circuit, IDEAL, expected=self.wanted())
        assert caught.value.check == "logical"

    def test_its_bits_are_those_of_the_readings(self):
        turned = self.continued(clbits=[2, 0, 3, 1])
        axes = [N - 1 - q for q in (2, 0, 3, 1)]

        def into_readings(state):
            # the axis of qubit q goes to the axis of the bit it is read into
            cube = state.reshape((2,) * N)
            return np.moveaxis(cube, range(N - 1, -1, -1), axes).reshape(-1)

        validate(
            turned,
            turned,
            IDEAL,
            expected=into_readings(self.wanted()),
            start=into_readings(start()),
        )

    def test_bad_starts_are_refused(self):
        circuit = self.continued()
        for bad in (start()[:8], 2 * start(), np.full(16, math.nan)):
            with pytest.raises(BackendError, match="start: wanted shape"):
                validate(circuit, circuit, IDEAL, expected=self.wanted(), start=bad)


class TestBites:
    def test_wrong_sign(self):
        wrong = step(0.5, sign=-1)
        error = refused("logical", wrong, wrong, IDEAL, 0.5, step=3)
        assert error.limit == 1e-9
        assert error.figure > 1e-3
        assert (error.circuit, error.step) == ("step", 3)

    def test_wrong_sign_of_the_field(self):
        wrong = step(0.5, -FIELD)
        refused("logical", wrong, wrong, IDEAL, 0.5)

    def test_swapped_bit_order_of_the_logical_circuit(self):
        wrong = step(0.5, measure=False)
        wrong.add_register(*QuantumCircuit(0, N).cregs)
        wrong.measure(range(N), range(N - 1, -1, -1))
        refused("logical", wrong, wrong, IDEAL, 0.5)

    def test_swapped_bit_order_of_the_transpiled_circuit(self):
        wrong = step(0.5, measure=False)
        wrong.add_register(*QuantumCircuit(0, N).cregs)
        wrong.measure(range(N), range(N - 1, -1, -1))
        refused("transpiled", step(0.5), to_isa(wrong, LINE), LINE, 0.5)

    @pytest.mark.parametrize("swap", range(N * (N - 1)))
    def test_any_missing_swap(self, swap):
        target = cut("fake_fez", N).target
        wrong = to_isa(network(0.5, missing_swap=swap), target)
        refused("transpiled", step(0.5), wrong, target, 0.5)

    def test_a_missing_gate(self):
        isa = to_isa(step(0.5), LINE)
        wrong = isa.copy_empty_like()
        places = [k for k, entry in enumerate(isa.data) if entry.name == "cx"]
        for k, entry in enumerate(isa.data):
            if k != places[5]:
                wrong.append(entry)
        assert wrong.count_ops()["cx"] == isa.count_ops()["cx"] - 1
        refused("transpiled", step(0.5), wrong, LINE, 0.5)

    @pytest.mark.parametrize("theta", [-0.2, 2.0])
    def test_illegal_rzz_angle(self, theta):
        target = cut("fake_fez", 2, True).target
        circuit = QuantumCircuit(2)
        circuit.sx(0)
        circuit.sx(1)
        circuit.rzz(theta, 0, 1)
        circuit.sx(0)
        circuit.measure_all()
        state = simulate_states([circuit])[0]
        with pytest.raises(DispatchRefused, match=r"rzz\(") as caught:
            validate(circuit, circuit, target, expected=state)
        assert caught.value.check == "angles"
        folded = to_isa(circuit, target)
        assert "rzz" in folded.count_ops()
        validate(circuit, folded, target, expected=state)

    def test_a_gate_that_the_target_lacks(self):
        logical = step(0.5)
        error = refused("angles", logical, logical, LINE, 0.5)
        assert error.figure == "ry on (0,)"

    def test_unbound_parameters(self):
        circuit = step(Parameter("phase"))
        error = refused("angles", circuit, circuit, IDEAL, 0.5)
        assert error.figure == "unbound phase"
        bound = circuit.assign_parameters([0.5])
        refused("angles", bound, circuit, IDEAL, 0.5)

    @pytest.mark.parametrize("phase", [1.5, 3.0])
    def test_too_long_a_step(self, phase):
        logical = step(phase)
        isa = to_isa(logical, LINE)
        error = refused("trotter", logical, isa, LINE, phase)
        assert error.limit == 0.02
        assert error.figure == pytest.approx(
            abs(value(product_formula(phase, FIELD)) - value(exact(phase, FIELD))), abs=1e-12
        )
        # nothing else is wrong with it
        passes(logical, isa, LINE, phase, max_trotter_error=1.0)

    def test_a_helper_qubit_left_behind(self):
        wrong = QuantumCircuit(N + 1, N)
        wrong.compose(step(0.5, measure=False), range(N), inplace=True)
        wrong.ry(0.01, N)
        wrong.measure(range(N), range(N))
        error = refused("transpiled", step(0.5), wrong, ideal_target(N + 1), 0.5)
        assert error.figure == pytest.approx(math.sin(0.005) ** 2, rel=1e-6)

    def test_the_limits_are_where_they_should_be(self):
        logical, target = step(0.5), product_formula(0.5, FIELD)
        state = start()[::-1].copy()
        state -= np.vdot(target, state) * target
        state /= np.linalg.norm(state)
        for infidelity, fine in ((5e-10, True), (2e-9, False)):
            nearly = math.sqrt(1 - infidelity) * target + math.sqrt(infidelity) * state
            if fine:
                passes(logical, logical, IDEAL, 0.5, expected=nearly)
            else:
                error = refused("logical", logical, logical, IDEAL, 0.5, expected=nearly)
                assert error.figure == pytest.approx(infidelity, rel=1e-4)
        for angle, fine in ((2e-4, True), (2e-3, False)):
            turned = logical.copy_empty_like()
            turned.ry(angle, 1)
            turned.compose(logical, inplace=True)
            if fine:
                passes(logical, turned, IDEAL, 0.5)
            else:
                refused("transpiled", logical, turned, IDEAL, 0.5)

    def test_refusals_say_all(self):
        error = DispatchRefused("network", 4, "trotter", 0.0314, 0.01)
        assert str(error) == (
            "circuit network, step 4: check 'trotter' refused it: got 0.0314, wanted at most 0.01"
        )
        again = pickle.loads(pickle.dumps(error))
        assert vars(again) == vars(error)
        assert str(again) == str(error)


class TestWrongUse:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"expected": np.ones(3)}, "norm"),
            ({"expected": np.eye(16)[0][:3]}, "expected: wanted shape"),
            ({"expected": product_formula(0.5, FIELD) * 1.001}, "norm"),
            ({"expected": np.full(16, math.nan)}, "finite"),
            ({"observable": np.ones(3)}, "observable: wanted shape"),
            ({"exact_value": math.nan}, "finite"),
            ({"max_trotter_error": 0.0}, "above 0"),
            ({"max_trotter_error": None}, "all of them or none"),
        ],
    )
    def test_answers_that_cannot_be_compared(self, options, message):
        logical = step(0.5)
        with pytest.raises(BackendError, match=message):
            passes(logical, logical, IDEAL, 0.5, **options)

    def test_circuits_that_are_not_unitary(self):
        circuit = step(0.5, measure=False)
        circuit.reset(0)
        with pytest.raises(BackendError, match="gates alone, got reset"):
            passes(circuit, circuit, IDEAL, 0.5)

    def test_half_read_circuits(self):
        circuit = QuantumCircuit(2, 2)
        circuit.measure(0, 1)
        with pytest.raises(BackendError, match="classical bits"):
            measured_part(circuit)

    def test_circuits_of_different_sizes(self):
        with pytest.raises(BackendError, match="wanted 4 measured bits"):
            passes(step(0.5), QuantumCircuit(3), IDEAL, 0.5)


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(4)), st.permutations(range(6)), st.integers(0, 1000))
def test_states_are_in_the_order_of_the_classical_bits(clbits, wires, seed):
    """Any placement of four qubits on six wires, read into any classical bits."""
    rng = np.random.default_rng(seed)
    plain = QuantumCircuit(4)
    for _ in range(2):
        for q in range(4):
            plain.u(*rng.uniform(0, 6, 3), q)
        for i, j in ((0, 1), (2, 3), (1, 2), (3, 0)):
            plain.rxx(rng.uniform(0, 6), i, j)
    placed = QuantumCircuit(6, 4)
    places = wires[:4]
    placed.compose(plain, qubits=places, inplace=True)
    for q in range(4):
        placed.measure(places[q], clbits[q])
    (found,) = simulate_states([placed])
    # Qiskit's own vector, read the slow way
    amplitudes = Statevector(plain).data
    for index, amplitude in enumerate(amplitudes):
        read = sum(((index >> q) & 1) << clbits[q] for q in range(4))
        assert found[read] == pytest.approx(amplitude, abs=1e-12)


class TestMany:
    """Past 24 qubits: matrix-product states."""

    def ghz(self, qubits, *, measure=True):
        circuit = QuantumCircuit(qubits, name="ghz")
        circuit.h(0)
        for q in range(qubits - 1):
            circuit.cx(q, q + 1)
        if measure:
            circuit.measure_all()
        return circuit

    def amplitudes(self, qubits):
        c = np.zeros(qubits + 1)
        c[[0, -1]] = math.sqrt(0.5)
        return c

    @pytest.mark.parametrize("form", ["amplitudes", "mps", "callable"])
    def test_a_right_circuit_passes(self, form):
        qubits = 26
        expected = self.amplitudes(qubits)
        if form == "mps":
            expected = dicke_mps(expected)
        elif form == "callable":
            expected = lambda: self.amplitudes(qubits)  # noqa: E731
        target = cut("fake_fez", qubits).target
        logical = self.ghz(qubits)
        record = validate(
            logical,
            to_isa(logical, target),
            target,
            expected=expected,
            observable=np.arange(qubits + 1) / qubits,
            exact_value=0.5,
            max_trotter_error=1e-6,
        )
        assert record.method == "matrix_product_state"
        assert record.complete
        assert record["trotter"].figure < 1e-9

    def test_a_wrong_one_does_not(self):
        qubits = 26
        wrong = self.ghz(qubits)
        wrong.data.pop(5)
        with pytest.raises(DispatchRefused) as caught:
            validate(wrong, wrong, ideal_target(qubits), expected=self.amplitudes(qubits))
        assert caught.value.check == "logical"
        flipped = self.ghz(qubits)
        flipped.x(7)
        flipped.data.insert(0, flipped.data.pop())
        with pytest.raises(DispatchRefused) as caught:
            validate(
                self.ghz(qubits), flipped, ideal_target(qubits), expected=self.amplitudes(qubits)
            )
        assert caught.value.check == "transpiled"

    def test_bit_order_counts(self):
        qubits = 26
        right, wrong = QuantumCircuit(qubits, qubits), QuantumCircuit(qubits, qubits)
        state = []
        for q, circuit in ((q, c) for q in range(qubits) for c in (right, wrong)):
            circuit.ry(0.1 * q, q)
        for q in range(qubits):
            state.append(np.array([math.cos(0.05 * q), math.sin(0.05 * q)]).reshape(1, 2, 1))
        right.measure(range(qubits), range(qubits))
        wrong.measure(range(qubits), range(qubits - 1, -1, -1))
        validate(right, right, ideal_target(qubits), expected=state)
        validate(wrong, wrong, ideal_target(qubits), expected=state[::-1])
        for circuit, expected in ((wrong, state), (right, state[::-1])):
            with pytest.raises(DispatchRefused) as caught:
                validate(circuit, circuit, ideal_target(qubits), expected=expected)
            assert caught.value.check == "logical"

    def test_dense_vectors_are_refused_there(self):
        circuit = self.ghz(25)
        with pytest.raises(BackendError, match="a matrix-product state, got"):
            validate(circuit, circuit, ideal_target(25), expected=np.eye(1, 2**12)[0])

    def test_both_ways_agree(self):
        logical = step(0.5)
        isa = to_isa(logical, LINE)
        dense = passes(logical, isa, LINE, 0.5)
        way = {"method": "matrix_product_state"}
        tensors = [np.array([[[0.0], [1.0]]]), *[np.array([[[1.0], [0.0]]])] * 3]
        c = np.eye(5)[1]
        symmetric = QuantumCircuit(N)
        symmetric.x(0)
        symmetric.measure_all()
        record = validate(symmetric, symmetric, IDEAL, expected=tensors, **way)
        assert record.method == "matrix_product_state"
        with pytest.raises(DispatchRefused) as caught:
            validate(symmetric, symmetric, IDEAL, expected=c, **way)
        assert caught.value.figure == pytest.approx(0.75, abs=1e-9)  # |⟨D₁|0001⟩|² = ¼
        assert dense.method == "statevector"

    @pytest.mark.slow
    def test_a_collective_layer_of_24_qubits(self):
        qubits, phase = 24, 0.8
        size = qubits + 1
        k = np.arange(qubits)
        jx = np.zeros((size, size))
        jx[k, k + 1] = jx[k + 1, k] = np.sqrt((k + 1) * (qubits - k)) / 2
        c = expm(2j * phase / qubits * jx @ jx)[:, 0]
        logical = QuantumCircuit(qubits, name="layer")
        for i in range(qubits):
            for j in range(i):
                logical.rxx(-2 * phase / qubits, j, i)
        logical.measure_all()
        target = cut("fake_fez", qubits).target
        record = validate(
            logical,
            to_isa(logical, target),
            target,
            expected=c,
            observable=np.arange(size) / qubits,
            exact_value=0.5 * (1 - math.cos(2 * phase / qubits) ** (qubits - 1)),
            max_trotter_error=1e-6,
        )
        assert record.complete


def test_dense_answers_may_be_symmetric_amplitudes():
    logical = QuantumCircuit(3)
    logical.h(0)
    logical.cx(0, 1)
    logical.cx(1, 2)
    logical.measure_all()
    c = np.array([1, 0, 0, 1]) / math.sqrt(2)
    record = validate(
        logical,
        logical,
        ideal_target(3),
        expected=c,
        observable=np.arange(4) / 3,
        exact_value=0.5,
        max_trotter_error=1e-9,
    )
    assert record.complete
    assert validate(logical, logical, ideal_target(3), expected=dicke_mps(c))


def test_the_gate_costs_little():
    """Six qubits, about 2000 gates: well under the time of a run."""
    target = cut("fake_fez", 6).target
    piece = QuantumCircuit(6)
    for _ in range(20):
        for i in range(5):
            piece.rxx(0.1, i, i + 1)
            piece.ryy(0.1, i, i + 1)
    piece.measure_all()
    isa = to_isa(piece, target)
    assert isa.size() > 1500
    (state,) = simulate_states([piece])
    best = math.inf
    for _ in range(3):
        started = time.perf_counter()
        record = validate(piece, isa, target, expected=state)
        best = min(best, time.perf_counter() - started)
    assert record.seconds <= 1.5 * best + 1
    assert best < 0.5
