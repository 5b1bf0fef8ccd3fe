"""Circuits that reset qubits on the way without reading them: parts, states, shots, transpiling."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.quantum_info import DensityMatrix, Operator, SuperOp, partial_trace, random_unitary
from qiskit_aer.noise.device import basic_device_gate_errors

from qbrain.backends.aer import aer_outcomes
from qbrain.backends.channels import (
    aer_states,
    connected,
    independent_parts,
    reduced_state,
    sampled_parts,
    traced,
)
from qbrain.backends.compile import scheduled, to_isa
from qbrain.backends.errors import BackendError
from qbrain.backends.isa import first_illegal
from qbrain.backends.readings import take_readings
from qbrain.backends.readout import readout_by_bit
from qbrain.backends.registry import open_sampler
from qbrain.backends.snapshot import cut


def damped(qubits=3, steps=3, seed=0, read=(0, 2), line=True, largest=2.0):
    """Random gates; after each step all qubits that will not be read are reset."""
    rng = np.random.default_rng(seed)
    circuit = QuantumCircuit(qubits, len(read), name="damped")
    for step in range(steps):
        for q in range(qubits):
            circuit.ry(rng.uniform(-largest, largest), q)
            circuit.rz(rng.uniform(-largest, largest), q)
        for q in range(qubits - 1):
            circuit.cx(q, q + 1)
        if not line and qubits > 2:
            circuit.rxx(rng.uniform(-2, 2), 0, qubits - 1)
        circuit.barrier()
        if step < steps - 1:
            circuit.reset([q for q in range(qubits) if q not in read])
    circuit.measure(read, range(len(read)))
    return circuit


def exact(circuit, errors=()):
    """Density matrix of what is read, by Qiskit; ``errors`` are those of a device."""
    noise = {(name, tuple(place)): SuperOp(error) for name, place, error in errors}
    state, read = DensityMatrix.from_int(0, 2**circuit.num_qubits), {}
    for step in circuit.data:
        places = [circuit.find_bit(qubit).index for qubit in step.qubits]
        if step.name == "measure":
            read[circuit.find_bit(step.clbits[0]).index] = places[0]
            continue
        if step.name in ("barrier", "delay"):
            continue
        if step.name == "reset":
            state = state.reset(places)
        else:
            state = state.evolve(Operator(step.operation), places)
        error = noise.get((step.name, tuple(places)))
        state = state if error is None else state.evolve(error, places)
    order = [read[bit] for bit in sorted(read)]
    kept = partial_trace(state, [q for q in range(circuit.num_qubits) if q not in order]).data
    # partial_trace keeps the qubits' order
    return traced(kept, [sorted(order).index(q) for q in order])


def frequencies(result, bits):
    outcomes = result[0].data.c.to_bool_array(order="little")
    return np.bincount(outcomes @ (1 << np.arange(bits)), minlength=2**bits) / len(outcomes)


def assert_drawn_from(found, p, shots):
    # six standard deviations, and a shot for probabilities next to 0
    assert np.all(np.abs(found - p) < 6 * np.sqrt(p * (1 - p) / shots) + 2 / shots)


def confused(p, readout):
    """Probabilities after the reading errors (bits, 2) of each bit."""
    for bit, (false, lost) in enumerate(readout):
        tensor = p.reshape(-1, 2, 2**bit)
        p = np.einsum("ab,xby->xay", [[1 - false, lost], [false, 1 - lost]], tensor).ravel()
    return p


class TestParts:
    @pytest.mark.parametrize(
        ("groups", "joined"),
        [
            ([(3,), (1,)], [(1,), (3,)]),
            ([(0, 1), (2, 1), (4, 3)], [(0, 1, 2), (3, 4)]),
            ([(5, 0), (4, 1), (1, 5), (7,)], [(0, 1, 4, 5), (7,)]),
            ([], []),
        ],
    )
    def test_groups_are_joined(self, groups, joined):
        assert connected(groups) == joined

    def test_what_no_gate_joins_is_apart_and_what_is_not_read_is_left_out(self):
        circuit = QuantumCircuit(6, 3)
        circuit.cx(0, 4)
        circuit.reset(4)
        circuit.barrier()
        circuit.ry(0.3, 1)
        circuit.cx(2, 3)
        circuit.measure([4, 1, 5], [1, 0, 2])
        parts = independent_parts(take_readings(circuit, resets=True))
        assert [part.wires for part in parts] == [(0, 4), (1,), (5,)]
        assert [part.qubits for part in parts] == [(4,), (1,), (5,)]
        assert [part.clbits for part in parts] == [(1,), (0,), (2,)]
        assert [dict(part.gates.count_ops()) for part in parts] == [
            {"cx": 1, "reset": 1},
            {"ry": 1},
            {},
        ]

    def test_large_circuits_in_groups_are_drawn_in_parts(self):
        circuit = QuantumCircuit(6, 2)
        circuit.cx(0, 1)
        circuit.cx(4, 5)
        circuit.measure([1, 5], [0, 1])
        parts = sampled_parts(take_readings(circuit, resets=True))
        assert [part.wires for part in parts] == [(0, 1), (4, 5)]
        circuit = QuantumCircuit(6, 6)
        circuit.x(range(6))
        circuit.measure(range(6), range(6))
        (whole,) = sampled_parts(take_readings(circuit, resets=True))
        assert whole.wires == tuple(range(6))

    def test_readings_of_reset_circuits_are_taken_only_where_asked_for(self):
        circuit = damped()
        with pytest.raises(BackendError, match="wanted gates alone, got reset"):
            take_readings(circuit)
        readings = take_readings(circuit, resets=True)
        assert readings.resets
        assert readings.gates.count_ops()["reset"] == 2
        assert not take_readings(damped(steps=1), resets=True).resets
        circuit.reset(0)
        with pytest.raises(BackendError, match="wanted measurements last, got reset after one"):
            take_readings(circuit, resets=True)

    def test_reading_errors_belong_to_the_bits(self):
        table = readout_by_bit(np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]), damped(read=(2, 0)))
        assert np.array_equal(table, [[0.5, 0.6], [0.1, 0.2]])


class TestStates:
    @settings(max_examples=15, deadline=None)
    @given(st.integers(1, 4), st.integers(1, 3), st.integers(0, 2**31), st.booleans())
    def test_plain_and_aer_are_qiskits(self, qubits, steps, seed, line):
        read = np.random.default_rng(seed).permutation(qubits)[: max(1, qubits // 2)].tolist()
        circuit = damped(qubits, steps, seed, read, line)
        (part,) = independent_parts(take_readings(circuit, resets=True))
        wanted = exact(circuit)
        assert np.allclose(reduced_state(part), wanted, rtol=0, atol=1e-13)
        assert np.allclose(aer_states([part])[0], wanted, rtol=0, atol=1e-13)

    def test_gates_of_many_qubits_in_any_order(self):
        circuit = QuantumCircuit(4, 2)
        for seed, places in enumerate(([3, 0, 2], [1, 3], [2, 1, 0])):
            circuit.unitary(random_unitary(2 ** len(places), seed=seed), places)
            circuit.reset(places[0])
        circuit.h(2)
        circuit.measure([3, 1], [0, 1])
        (part,) = independent_parts(take_readings(circuit, resets=True))
        assert np.allclose(reduced_state(part), exact(circuit), rtol=0, atol=1e-13)

    def test_a_qubit_with_nothing_done_to_it(self):
        circuit = QuantumCircuit(3, 1)
        circuit.delay(100, 1)
        circuit.measure(1, 0)
        (part,) = independent_parts(take_readings(circuit, resets=True))
        for state in (reduced_state(part), aer_states([part])[0]):
            assert np.allclose(state, [[1, 0], [0, 0]])

    def test_a_reset_forgets_and_does_not_project(self):
        """Half of a Bell pair forgotten leaves a mixture, not a superposition."""
        circuit = QuantumCircuit(2, 1)
        circuit.h(0)
        circuit.cx(0, 1)
        circuit.reset(1)
        circuit.measure(0, 0)
        (part,) = independent_parts(take_readings(circuit, resets=True))
        assert np.allclose(reduced_state(part), np.eye(2) / 2)

    def test_too_many_qubits_that_meet(self):
        for qubits, make in ((6, reduced_state), (13, lambda part: aer_states([part]))):
            (part,) = independent_parts(take_readings(damped(qubits, 2), resets=True))
            with pytest.raises(BackendError, match=f"that gates join, got {qubits}"):
                make(part)


class TestDrawing:
    shots = 20_000

    @pytest.mark.parametrize("name", ["aer", "statevector"])
    @pytest.mark.parametrize("qubits", [3, 6])
    def test_ideal_samplers_follow_borns_rule(self, name, qubits, monkeypatch):
        if qubits <= 5 or name == "aer":
            refuse_trajectories(monkeypatch)
        circuit = damped(qubits, 3, seed=2)
        sampler = open_sampler(name, qubits=qubits, seed=5)
        circuit = to_isa(circuit, sampler.target)
        shots = self.shots if qubits == 3 else 4_000
        first, again = (sampler.run([circuit], shots=shots).result() for _ in range(2))
        assert_drawn_from(frequencies(first, 2), np.diagonal(exact(circuit)).real, shots)
        assert first[0].data.c == again[0].data.c

    def test_noise_acts_on_gates_and_resets_and_readings(self, monkeypatch):
        part = cut("fake_fez", 3)
        sampler = open_sampler("fake_fez", qubits=3, seed=4)
        isa = to_isa(damped(3, 12, seed=2, largest=0.1), sampler.target)
        p = np.diagonal(exact(isa, basic_device_gate_errors(target=part.target))).real
        p = confused(p, part.readout[[0, 2]])
        shots = 200_000
        trajectories = aer_outcomes(sampler._kraus, isa, 4_000, 7) @ [1, 2]
        refuse_trajectories(monkeypatch)
        result = sampler.run([isa], shots=shots).result()
        assert_drawn_from(frequencies(result, 2), p, shots)
        # there is noise to speak of
        assert np.abs(np.diagonal(exact(isa)).real - p).max() > 0.01
        # and it is what Aer draws shot by shot
        assert_drawn_from(np.bincount(trajectories, minlength=4) / 4_000, p, 4_000)

    @pytest.mark.parametrize(("name", "groups"), [("aer", 8), ("statevector", 8), ("fake_fez", 2)])
    def test_independent_parts_need_no_state_of_the_whole(self, name, groups):
        """The density matrix of 24 qubits would take 4 PB."""
        circuit = QuantumCircuit(3 * groups, groups)
        starts = np.linspace(0.2, 2.8, groups)
        for group, angle in enumerate(starts):
            q = 3 * group
            circuit.ry(angle, q)
            circuit.cx(q, q + 1)
            circuit.cx(q + 1, q + 2)
            circuit.reset(q + 1)
            circuit.cx(q, q + 1)
            circuit.measure(q + 2, groups - 1 - group)
        sampler = open_sampler(name, qubits=3 * groups, seed=1)
        result = sampler.run([to_isa(circuit, sampler.target)], shots=self.shots).result()
        outcomes = result[0].data.c.to_bool_array(order="little")
        wanted = np.sin(starts[::-1] / 2) ** 2
        if sampler.readout is not None:
            false, lost = sampler.readout[[3 * g + 2 for g in range(groups)]][::-1].T
            wanted = wanted * (1 - lost) + (1 - wanted) * false
        found = outcomes.mean(axis=0)
        noise = 0.03 if name == "fake_fez" else 0
        assert np.all(np.abs(found - wanted) < 6 * np.sqrt(0.25 / self.shots) + noise)
        # parts have shots of their own: no bit follows another
        centred = outcomes - found
        together = centred.T @ centred / self.shots / np.outer(centred.std(0), centred.std(0))
        assert np.abs(together - np.eye(groups)).max() < 6 / math.sqrt(self.shots)

    def test_a_batch_is_the_same_as_one_by_one(self):
        """Ideal circuits of both kinds go to different simulators and come back in order."""
        circuits = [damped(3, steps) for steps in (1, 3, 1, 2)]
        for step, circuit in enumerate(circuits):
            circuit.metadata = {"step": step}
        for name in ("aer", "fake_fez"):
            sampler = open_sampler(name, qubits=3, seed=4)
            isa = [to_isa(circuit, sampler.target) for circuit in circuits]
            batch = sampler.run(isa, shots=300).result()
            for index, circuit in enumerate(isa):
                alone = sampler.run([circuit], shots=300).result()
                assert batch[index].data.c == alone[0].data.c

    def test_few_shots_of_many_qubits_that_meet_are_trajectories(self):
        """A state vector for each of 7 shots is less than a density matrix of 3 qubits."""
        sampler = open_sampler("fake_fez", qubits=3, seed=4)
        isa = to_isa(damped(3, 2), sampler.target)
        first, again = (sampler.run([isa], shots=7).result()[0].data.c for _ in range(2))
        assert first == again


def refuse_trajectories(monkeypatch):
    def refused(*_):
        raise AssertionError("shots were drawn one trajectory each")

    monkeypatch.setattr("qbrain.backends.aer.aer_outcomes", refused)
    monkeypatch.setattr("qbrain.backends.statevector.sampled", refused)


class TestTranspiling:
    @pytest.mark.parametrize("line", [True, False])
    @settings(max_examples=8, deadline=None)
    @given(st.integers(0, 2**31), st.sampled_from(["fake_fez", "fake_brisbane"]))
    def test_resets_stay_where_they_belong(self, line, seed, device):
        target = cut(device, 4).target
        circuit = damped(4, 3, seed, read=(3, 0), line=line)
        isa = to_isa(circuit, target, seed=seed)
        assert first_illegal(isa, target) is None
        assert isa.count_ops()["reset"] == circuit.count_ops()["reset"]
        assert np.allclose(exact(isa), exact(circuit), rtol=0, atol=1e-6)

    def test_waiting_for_a_reset_is_written_out(self):
        target = cut("fake_fez", 3).target
        isa = to_isa(damped(), target)
        padded = scheduled(isa, target)
        assert padded.count_ops()["delay"] > 0
        assert np.allclose(exact(padded), exact(isa), rtol=0, atol=1e-12)
