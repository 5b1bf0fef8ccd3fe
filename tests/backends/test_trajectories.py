"""Circuits that read and reset qubits on the way: parted, compiled, and drawn on every backend."""

import math

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import UnitaryGate
from qiskit.quantum_info import DensityMatrix, Operator, Statevector, SuperOp, random_unitary
from qiskit_aer.noise.device import basic_device_gate_errors

from qbrain.backends.aer import aer_outcomes
from qbrain.backends.check.trajectories import Histories, Misread, Step, sampled, segments, steps_of
from qbrain.backends.compile import (
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
from qbrain.backends.errors import BackendError
from qbrain.backends.ibm import open_ibm_sampler
from qbrain.backends.isa import first_illegal
from qbrain.backends.ledger import Ledger
from qbrain.backends.registry import open_sampler
from qbrain.backends.snapshot import cut


def window(neurons=2, memory=1, bins=2, layers=1, ring=True):
    """In each bin rotations and entangling gates, then the neurons read and reset."""
    qubits = neurons + memory
    circuit = QuantumCircuit(qubits, name="window")
    circuit.add_register(ClassicalRegister(neurons * bins, "read"))
    angles = iter(ParameterVector("angle", 2 * qubits * layers * bins))
    for t in range(bins):
        for _ in range(layers):
            for q in range(qubits):
                circuit.ry(next(angles), q)
                circuit.rz(next(angles), q)
            for q in range(qubits if ring and qubits > 2 else qubits - 1):
                circuit.cx(q, (q + 1) % qubits)
        circuit.measure(range(neurons), range(t * neurons, (t + 1) * neurons))
        if t < bins - 1:
            circuit.reset(range(neurons))
    return circuit


def angles_for(circuit, seed=0, points=None):
    rng = np.random.default_rng(seed)
    shape = (circuit.num_parameters,) if points is None else (points, circuit.num_parameters)
    return rng.uniform(-2, 2, shape)


def bound(circuit, seed=0, scale=1.0):
    return circuit.assign_parameters(scale * angles_for(circuit, seed))


def exact(circuit, errors=(), readout=None):
    """Probabilities (2^clbits,) by density matrices, one for each word read so far.

    ``errors`` are those of a device, which follow their gate; ``readout`` (qubits, 2).
    """
    noise = {(name, tuple(place)): SuperOp(error) for name, place, error in errors}
    start = DensityMatrix.from_int(0, 2**circuit.num_qubits)
    words = {0: start}
    zero = {value: Operator(np.diag([1 - value, value])) for value in (0, 1)}
    for step in circuit.data:
        places = [circuit.find_bit(qubit).index for qubit in step.qubits]
        if step.name == "measure":
            (bit,) = (circuit.find_bit(clbit).index for clbit in step.clbits)
            split = {}
            for word, state in words.items():
                for value in (0, 1):
                    # an error of reading changes what is written, not the state
                    part = state.evolve(zero[value], places)
                    wrong = 0.0 if readout is None else readout[places[0]][value]
                    for written, share in ((value, 1 - wrong), (1 - value, wrong)):
                        key = word | written << bit
                        old = split.get(key)
                        new = DensityMatrix(part.data * share)
                        split[key] = new if old is None else DensityMatrix(old.data + new.data)
            words = split
        elif step.name != "barrier":
            error = noise.get((step.name, tuple(places)))
            for word, state in words.items():
                if step.name == "reset":
                    new = state.reset(places)
                else:
                    new = state.evolve(Operator(step.operation), places)
                words[word] = new if error is None else new.evolve(error, places)
    table = np.zeros(2**circuit.num_clbits)
    for word, state in words.items():
        table[word] = state.trace().real
    return table


def frequencies(outcomes):
    words = outcomes.astype(np.int64) @ (1 << np.arange(outcomes.shape[-1]))
    return np.bincount(words, minlength=2 ** outcomes.shape[-1]) / len(outcomes)


def read(result, index=0):
    return result[index].data.read.to_bool_array(order="little")


def assert_drawn_from(found, p, shots):
    # 1/shots lets an outcome of probability near 0 occur once
    assert np.all(np.abs(found - p) < 6 * np.sqrt(p * (1 - p) / shots) + 2 / shots)


class TestHistories:
    @pytest.mark.parametrize("seed", range(5))
    def test_gates_act_as_in_qiskit(self, seed):
        rng = np.random.default_rng(seed)
        circuit = QuantumCircuit(4)
        for number in range(25):
            places = [int(q) for q in rng.permutation(4)]
            kind = rng.integers(8)
            if kind == 0:
                circuit.append(UnitaryGate(random_unitary(8, seed=number)), places[:3])
            elif kind == 1:
                circuit.rxx(rng.uniform(-3, 3), *places[:2])
            elif kind == 2:
                circuit.ccx(*places[:3])
            elif kind == 3:
                circuit.cp(rng.uniform(-3, 3), *places[:2])
            elif kind == 4:
                circuit.iswap(*places[:2])
            elif kind == 5:
                circuit.ecr(*places[:2])
            else:
                circuit.u(*rng.uniform(-3, 3, 3), places[0])
                circuit.rz(rng.uniform(-3, 3), places[1])
        steps, qubits = steps_of(circuit)
        histories = Histories(3, qubits)
        for step in steps:
            histories.apply(step)
        wanted = Statevector(circuit).data
        assert np.allclose(histories.ordered(range(4)).reshape(3, 16), wanted, atol=1e-13)
        # another order of the qubits
        p = Statevector(circuit).probabilities([2, 0])
        found = (np.abs(histories.ordered((2, 0))) ** 2).sum(axis=1)
        assert np.allclose(found, p, atol=1e-13)

    def test_projections_and_resets(self):
        circuit = bound(window(2, 1, 1))
        circuit.remove_final_measurements()
        steps, _ = steps_of(circuit)
        histories = Histories(4, 3)
        for step in steps:
            histories.apply(step)
        before = Statevector(circuit).data.reshape(2, 4)
        histories.project((0, 1), np.arange(4))
        for qubit in (0, 1):
            histories.reset(qubit)
        after = histories.ordered((0, 1))
        kept = (before / np.linalg.norm(before, axis=0)).T
        assert np.allclose(after[:, :, 0], kept, atol=1e-13)
        assert np.all(after[:, :, 1:] == 0)

    def test_what_cannot_be_found_gives_no_state(self):
        histories = Histories(2, 1)
        histories.apply(Step("x", (0,), np.array([[0, 1], [1, 0]], dtype=complex)))
        histories.project((0,), np.array([1, 0]))
        vectors = histories.ordered(()).reshape(2, 2)
        assert np.array_equal(vectors[0], [0, 1])
        assert np.all(np.isnan(vectors[1]))


class TestSegments:
    def test_a_window(self):
        parts, qubits = segments(bound(window(2, 1, 3)), [(0, 1), (2, 3), (4, 5)])
        assert qubits == 3
        assert [part.qubits for part in parts] == [(0, 1)] * 3
        assert [part.resets for part in parts] == [(), (0, 1), (0, 1)]
        assert [len(part.gates) for part in parts] == [9, 9, 9]

    def test_the_order_of_bits_is_that_asked_for_and_idle_qubits_are_cut(self):
        circuit = QuantumCircuit(6, 2)
        circuit.reset(2)
        circuit.x(2)
        circuit.delay(10, 3)
        circuit.h(5)
        circuit.measure([2, 5], [1, 0])
        circuit.reset([2, 2])
        parts, qubits = segments(circuit, [(0, 1)])
        assert qubits == 2
        assert parts[0].qubits == (1, 0)
        assert parts[0].resets == ()

    def test_readings_that_wait_for_nothing_may_be_written_in_any_order(self):
        circuit = QuantumCircuit(2, 4)
        for qubit in (0, 1):
            for t in (0, 1):
                circuit.ry(0.3, qubit)
                circuit.measure(qubit, 2 * t + qubit)
                circuit.reset(qubit)
        parts, _ = segments(circuit, [(0, 1), (2, 3)])
        assert [(part.resets, len(part.gates)) for part in parts] == [((), 2), ((0, 1), 2)]

    @pytest.mark.parametrize(
        ("build", "check", "found"),
        [
            (lambda c: c.measure(0, 0), "readings", r"bits \[0\] read together as reading 0"),
            (
                lambda c: (c.measure([0, 1], [0, 1]), c.measure(1, 2)),
                "readings",
                r"bits \[2\] read after the last reading",
            ),
            (lambda c: (c.measure([0, 1], [0, 1]), c.measure(0, 0)), "readings", r"bits \[0\]"),
            (
                lambda c: (c.measure(0, 0), c.reset(0), c.cx(0, 1), c.measure(1, 1)),
                "readings",
                r"bits \[0\] read together",
            ),
        ],
    )
    def test_what_is_not_read_as_asked(self, build, check, found):
        circuit = QuantumCircuit(2, 3)
        circuit.h([0, 1])
        build(circuit)
        with pytest.raises(Misread, match=found) as caught:
            segments(circuit, [(0, 1)])
        assert caught.value.check == check

    def test_no_control_flow_and_no_gate_without_a_matrix(self):
        circuit = QuantumCircuit(1, 1)
        circuit.measure(0, 0)
        with circuit.if_test((0, 1)):
            circuit.x(0)
        with pytest.raises(BackendError, match="measurements and resets, got if_else"):
            steps_of(circuit)
        circuit = QuantumCircuit(1, 1)
        circuit.initialize([0, 1], 0)
        with pytest.raises(BackendError, match="wanted gates with a matrix, got initialize"):
            steps_of(circuit)


class TestCompiling:
    @pytest.mark.parametrize("device", ["fake_fez", "fake_brisbane"])
    @pytest.mark.parametrize("ring", [False, True])
    def test_what_is_read_stays(self, device, ring):
        target = cut(device, 4).target
        template = window(3, 1, 2, ring=ring)
        assert is_line_local(template, target) is not ring
        isa = to_isa(template, target, seed=2)
        assert isa == to_isa(template, target, seed=2)
        assert isa.parameters == template.parameters
        assert not isa.count_ops().get("barrier")
        assert [isa.count_ops()[name] for name in ("measure", "reset")] == [6, 3]
        circuit, transpiled = bound(template), isa.assign_parameters(angles_for(template))
        assert first_illegal(transpiled, target) is None
        assert np.allclose(exact(transpiled), exact(circuit), atol=1e-9)
        if not ring:
            assert final_layout(isa) == (0, 1, 2, 3)

    def test_diagonal_gates_before_a_reading_stay_also_where_it_is_routed(self):
        target = cut("fake_fez", 4).target
        circuit = QuantumCircuit(4, 8)
        for t in (0, 1):
            circuit.rx(0.4, range(4))
            circuit.rzz(0.3, 0, 3)
            circuit.rzz(0.5, 1, 3)
            circuit.barrier()
            circuit.measure(range(4), range(4 * t, 4 * t + 4))
            circuit.reset(range(4))
        isa = to_isa(circuit, target, seed=0)
        assert two_qubit_gates(isa) >= 8
        # the caller's own barriers are still there
        assert isa.count_ops()["barrier"] == 2

    def test_costs_are_told(self):
        target = cut("fake_fez", 3).target
        template = window(2, 1, 3, ring=False)
        isa = to_isa(template, target)
        assert two_qubit_gates(isa) == 6
        assert two_qubit_depth(isa) == 6
        reading, resetting = (target[name][(0,)].duration for name in ("measure", "reset"))
        length = duration(isa, target)
        assert 3 * reading + 2 * resetting < length < 3 * reading + 2 * resetting + 2e-6
        errors = math.prod(1 - target["measure"][(q,)].error for q in (0, 1)) ** 3
        assert 0.9 * errors < expected_fidelity(isa, target) < errors
        assert depth(isa) > 3 * 2 + 2
        padded = scheduled(bound(isa), target)
        # the memory waits while the others are read and reset
        waits = [
            step.operation.duration
            for step in padded.data
            if step.name == "delay" and padded.find_bit(step.qubits[0]).index == 2
        ]
        assert sum(waits) * target.dt > 2 * (reading + resetting)
        assert first_illegal(padded, target) is None


class TestDrawing:
    shots = 6_000

    @pytest.mark.parametrize("name", ["aer", "statevector"])
    def test_ideal_samplers_follow_borns_rule(self, name):
        circuit = bound(window(2, 1, 2))
        sampler = open_sampler(name, qubits=3, seed=4)
        result = sampler.run([to_isa(circuit, sampler.target)], shots=self.shots).result()
        assert_drawn_from(frequencies(read(result)), exact(circuit), self.shots)

    def test_resets_without_a_reading_and_entangled_ones(self):
        circuit = QuantumCircuit(2)
        circuit.add_register(ClassicalRegister(2, "read"))
        circuit.ry(1.0, 0)
        circuit.cx(0, 1)
        circuit.reset(0)
        circuit.measure([0, 1], [0, 1])
        found = frequencies(sampled(circuit, self.shots, 3))
        assert_drawn_from(found, exact(circuit), self.shots)
        assert found[1] == found[3] == 0

    def test_shots_come_in_chunks(self, monkeypatch):
        monkeypatch.setattr("qbrain.backends.check.trajectories.HELD", 2**3 * 64)
        circuit = bound(window(2, 1, 2))
        outcomes = sampled(circuit, 5_001, 3)
        assert_drawn_from(frequencies(outcomes), exact(circuit), 5_001)

    @pytest.mark.parametrize("ring", [False, True])
    def test_noise_acts_on_gates_resets_and_every_reading(self, ring):
        part = cut("fake_fez", 3)
        sampler = open_sampler("fake_fez", qubits=3, seed=4)
        isa = bound(to_isa(window(2, 1, 2, ring=ring), sampler.target), scale=0.1)
        p = exact(isa, basic_device_gate_errors(target=part.target), part.readout)
        shots = 4_000
        # there is noise to speak of: neurons that hardly ever fire do
        assert p[0] < exact(isa)[0] - 4 * math.sqrt(p[0] * (1 - p[0]) / shots)
        found = frequencies(read(sampler.run([isa], shots=shots).result()))
        assert_drawn_from(found, p, shots)
        # the other form of the noise model, for more qubits
        mixtures = aer_outcomes(sampler._trajectories, isa, 1_000, 7, 2)
        assert_drawn_from(frequencies(mixtures), p, 1_000)

    def test_errors_of_reading_are_independent_and_leave_the_state(self):
        part = cut("fake_fez", 1)
        false, lost = part.readout[0]
        circuit = QuantumCircuit(1)
        circuit.add_register(ClassicalRegister(4, "read"))
        circuit.measure(0, 0)
        circuit.x(0)
        circuit.measure([0, 0], [1, 2])
        circuit.reset(0)
        circuit.measure(0, 3)
        sampler = open_sampler("fake_fez", qubits=1, seed=8)
        values = read(sampler.run([circuit], shots=self.shots).result())
        wrong = np.array([false, lost, lost, false])
        rate = (values ^ [False, True, True, False]).mean(axis=0)
        # an X gate goes wrong in less than a thousandth of the shots
        assert np.all(np.abs(rate - wrong) < 6 * np.sqrt(wrong / self.shots) + 1e-3)
        both = (~values[:, 1] & ~values[:, 2]).mean()
        assert both < lost**2 + 1e-3 + 6 * math.sqrt((lost**2 + 1e-3) / self.shots)

    @pytest.mark.parametrize("name", ["fake_fez", "aer", "statevector"])
    def test_many_classical_bits_and_many_points_of_one_template(self, name):
        sampler = open_sampler(name, qubits=6, seed=5)
        template = to_isa(window(4, 2, 8, ring=False), sampler.target)
        values = angles_for(template, points=3)
        template.metadata = {"step": 7}
        data = sampler.run([(template, values)], shots=40).result()[0].data.read
        assert (data.num_bits, data.shape, data.num_shots) == (32, (3,), 40)
        again = sampler.run([(template, values)], shots=40).result()[0].data.read
        assert data == again
        # the first point on its own gets the same shots
        one = template.assign_parameters(values[0])
        one.metadata = {"step": 7}
        alone = sampler.run([one], shots=40).result()[0].data.read
        assert np.array_equal(alone.array, data.array[0])
        words = np.unique(data.array.reshape(-1, 4), axis=0)
        assert len(words) > 100

    def test_circuits_that_end_in_readings_are_drawn_as_before(self):
        circuit = bound(window(2, 1, 1))
        sampler = open_sampler("statevector", qubits=3, seed=5)
        assert_drawn_from(
            frequencies(read(sampler.run([circuit], shots=4_000).result())), exact(circuit), 4_000
        )

    def test_trajectories_are_taken_whatever_the_shots(self, monkeypatch):
        """A density matrix a shot would cost 4^n for each."""
        sampler = open_sampler("fake_fez", qubits=3, seed=4)
        assert sampler.method_for(3, 1_200) == "density_matrix"
        used = []

        def spy(simulator, circuit, shots, seed, parts=1):
            used.append((simulator.options.method, parts))
            return aer_outcomes(simulator, circuit, shots, seed, parts)

        monkeypatch.setattr("qbrain.backends.aer.aer_outcomes", spy)
        isa = bound(to_isa(window(), sampler.target))
        sampler.run([isa], shots=1_200).result()
        sampler.run([isa], shots=10).result()
        assert used == [("statevector", 2), ("statevector", 1)]


class TestDevice:
    """The genuine client and a server on this machine."""

    @pytest.fixture
    def sampler(self, loopback, tmp_path):
        sampler = open_ibm_sampler(
            "ibm_fez", qubits=3, ledger=Ledger(tmp_path / "jobs.sqlite"), patience=5.0
        )
        sampler.begin("run", "folder")
        yield sampler
        sampler.close()

    def test_counts_are_those_of_its_noise(self, sampler):
        shots = 2_000
        isa = bound(to_isa(window(2, 1, 2), sampler.target, seed=1), scale=0.3)
        p = exact(isa, basic_device_gate_errors(target=sampler.target), sampler.readout)
        result = sampler.run([isa], shots=shots).result()
        assert_drawn_from(frequencies(read(result)), p, shots)

    def test_twirled_readings_and_resets_do_not_go_together(self, loopback, tmp_path):
        sampler = open_ibm_sampler(
            "ibm_fez", qubits=3, twirling="readout", ledger=Ledger(tmp_path / "jobs.sqlite")
        )
        isa = bound(to_isa(window(2, 1, 2), sampler.target))
        with pytest.raises(BackendError, match="twirling: wanted none or gates for circuit"):
            sampler.run([isa], shots=10)
        assert loopback.submissions() == 0
        sampler.close()
