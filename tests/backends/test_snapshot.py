"""Devices cut to a line: the target, the choice of the line, the noise."""

import itertools
import math
import time
from dataclasses import replace

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import CZGate, RZZGate, SXGate
from qiskit.quantum_info import SuperOp
from qiskit.transpiler import InstructionProperties, Target
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, thermal_relaxation_error
from qiskit_ibm_runtime.fake_provider import FakeLimaV2

from qbrain.backends.check.pure import validate
from qbrain.backends.check.states import simulate_states
from qbrain.backends.compile import to_isa
from qbrain.backends.device_noise import noise_models
from qbrain.backends.errors import BackendError
from qbrain.backends.line_costs import line_costs, relaxation_infidelity
from qbrain.backends.registry import open_sampler
from qbrain.backends.snapshot import (
    cut,
    cut_device,
    cut_target,
    load,
    snapshot_names,
)


def bare_line(**errors):
    """Three qubits in a row with two-qubit gates of given errors on its two edges."""
    target = Target(num_qubits=3)
    target.add_instruction(
        SXGate(), {(q,): InstructionProperties(duration=3e-8, error=1e-4) for q in range(3)}
    )
    for name, values in errors.items():
        known = {
            edge: InstructionProperties(duration=1e-7, error=error)
            for a, error in enumerate(values)
            for edge in ((a, a + 1), (a + 1, a))
        }
        gate = CZGate() if name == "cz" else RZZGate(Parameter("angle"))
        bounds = [(0.0, math.pi / 2)] if name == "rzz" else None
        target.add_instruction(gate, known, angle_bounds=bounds)
    return target


def symmetric(readout):
    """Aer's own reading error is the mean of the two."""
    return np.repeat(readout.mean(axis=1, keepdims=True), 2, axis=1)


def circuit_with_delays(target):
    """Gates, waiting and readings on every qubit of a line, in the target's own gates."""
    qubits = target.num_qubits
    circuit = QuantumCircuit(qubits)
    circuit.sx(range(qubits))
    for i in range(qubits - 1):
        pair = (i, i + 1) if target.instruction_supported("cx", (i, i + 1)) else (i + 1, i)
        circuit.append(target.operation_from_name(two_qubit_name(target)), pair)
        circuit.x(i)
        circuit.delay(3000, i, "ns")
        circuit.rz(0.4, i)
        circuit.sx(i)
    circuit.measure_all()
    return circuit


def two_qubit_name(target):
    return next(name for name in ("cz", "cx", "ecr") if name in target.operation_names)


def on_device(circuit, physical, qubits):
    """The same circuit on the whole device."""
    whole = QuantumCircuit(qubits, len(physical))
    whole.compose(circuit, qubits=physical, clbits=range(len(physical)), inplace=True, copy=True)
    return whole


def probabilities(model, circuit, qubits):
    bare = circuit.remove_final_measurements(inplace=False)
    bare.save_probabilities(qubits, label="p")
    run = AerSimulator(method="density_matrix", noise_model=model).run(bare, shots=1)
    return np.asarray(run.result().data(0)["p"])


class TestTarget:
    @property
    def part(self):
        return cut("fake_fez", 6)

    @property
    def device(self):
        return load("fake_fez")

    def test_it_is_over_the_qubits_in_use_only(self):
        target = self.part.target
        assert target.num_qubits == 6
        assert {q for edge in target["cz"] for q in edge} == set(range(6))
        assert all(target.instruction_supported("cz", (i, i + 1)) for i in range(5))

    def test_durations_errors_and_times_are_the_devices(self):
        target, whole = self.part.target, self.device.target
        line = self.part.details["physical_qubits"]
        assert target.dt == whole.dt
        for name in ("cz", "sx", "x", "rz", "measure", "reset"):
            for place, properties in target[name].items():
                original = whole[name][tuple(line[q] for q in place)]
                assert properties.duration == original.duration
                assert properties.error == original.error
        for q, times in enumerate(target.qubit_properties):
            assert times.t1 == whole.qubit_properties[line[q]].t1
            assert times.t2 == whole.qubit_properties[line[q]].t2
        assert target["cz"][(0, 1)].duration > 0

    def test_reading_errors_are_kept_apart(self):
        assert self.part.readout.shape == (6, 2)
        assert np.all(self.part.readout[:, 1] > self.part.readout[:, 0])  # decay while reading
        mean = [self.part.target["measure"][(q,)].error for q in range(6)]
        assert self.part.readout.mean(axis=1) == pytest.approx(mean, rel=1e-9)

    def test_the_record_says_what_it_is(self):
        details = self.part.details
        assert details["device"] == "ibm_fez"
        assert details["calibration"].startswith("2025-02-26T")
        assert details["layout"] == "line"
        assert len(details["physical_qubits"]) == 6

    def test_it_is_built_once(self):
        part, started = self.part, time.perf_counter()
        assert cut("fake_fez", 6) is part
        assert time.perf_counter() - started < 0.01


class TestChoice:
    def test_relaxation_is_that_of_the_channel(self):
        target = load("fake_fez").target
        times = target.qubit_properties[5]
        duration = 3e-6
        channel = thermal_relaxation_error(times.t1, min(times.t2, 2 * times.t1), duration)
        process = SuperOp(channel).data.trace().real / 4
        assert relaxation_infidelity(target, (5,), duration) == pytest.approx(
            1 - (2 * process + 1) / 3, rel=1e-9
        )
        pair = relaxation_infidelity(target, (5, 5), duration)
        assert pair == pytest.approx(1 - (4 * process**2 + 1) / 5, rel=1e-9)

    def test_the_best_line_is_better_than_all_others_of_its_size(self):
        device = load("fake_lima")
        costs = line_costs(device.target, device.readout, 3)
        lines = [
            line
            for line in itertools.permutations(range(5), 3)
            if all((min(e), max(e)) in costs.edge for e in itertools.pairwise(line))
        ]
        best = cut("fake_lima", 3).place
        assert len(lines) == 8  # four lines in two directions: the device is a T
        assert best.cost == min(costs.of_line(line) for line in lines)

    def test_errors_readings_and_decoherence_all_count(self):
        device = load("fake_lima")
        whole, readout = device.target, device.readout.copy()
        before = line_costs(whole, readout, 3)
        readout[0] += 0.1
        assert line_costs(whole, readout, 3).node[0] > before.node[0] + 0.09
        worse = Target(num_qubits=5, dt=whole.dt, qubit_properties=[*whole.qubit_properties])
        for name in ("sx", "measure"):
            worse.add_instruction(whole.operation_from_name(name), dict(whole[name]))
        slow = {
            edge: InstructionProperties(duration=20e-6, error=properties.error)
            for edge, properties in whole["cx"].items()
        }
        worse.add_instruction(whole.operation_from_name("cx"), slow)
        after = line_costs(worse, device.readout, 3)
        assert all(after.edge[edge] > before.edge[edge] for edge in before.edge)
        assert all(after.end[q] > before.end[q] for q in range(5))

    def test_uncalibrated_and_dead_parts_are_left_out(self):
        device = load("fake_fez")
        costs = line_costs(device.target, device.readout, 6)
        for (a, b), properties in device.target["cz"].items():
            if properties.error is None or properties.error >= 1:
                assert (min(a, b), max(a, b)) not in costs.edge
        kingston = load("fake_kingston")
        lost = [
            q
            for q, times in enumerate(kingston.target.qubit_properties)
            if times.t1 is None or times.t2 is None
        ]
        assert lost
        assert not set(lost) & set(line_costs(kingston.target, kingston.readout, 6).node)

    @pytest.mark.parametrize(
        ("errors", "usable"),
        [
            ((0.0, 1.0), False),
            ((1.0, 0.0), False),
            ((0.5, 0.5), False),
            ((0.75, 0.75), False),
            ((0.5, 0.4375), True),
            ((0.9375, 0.0), True),
        ],
    )
    def test_qubits_read_no_better_than_by_a_coin_are_left_out(self, errors, usable):
        """The outcome tells |0> from |1> where p(1|0) + p(0|1) < 1."""
        device = load("fake_lima")
        readout = device.readout.copy()
        readout[1] = errors
        costs = line_costs(device.target, readout, 3)
        assert (1 in costs.node) == usable
        assert any(1 in edge for edge in costs.edge) == usable

    def test_dead_detectors_of_a_real_calibration_are_left_out(self):
        device = load("fake_cusco")
        dead = np.flatnonzero(device.readout.sum(axis=1) >= 1)
        assert {0, 14, 37, 120} <= set(dead.tolist())
        assert not set(dead.tolist()) & set(line_costs(device.target, device.readout, 4).node)

    def test_a_device_that_reads_nothing_is_refused_in_a_line(self):
        device = replace(load("fake_lima"), readout=np.full((5, 2), 0.5))
        wanted = r"0 qubits and 0 edges are .* better than by a coin"
        with pytest.raises(BackendError, match=wanted):
            cut_device(device, 2)

    def test_dead_edges_are_not_in_the_target(self):
        """The same cut of a device of three in a row, of which one edge is out of order."""
        whole = bare_line(cz=[0.01, 1.0], rzz=[0.01, 0.02])
        part = cut_target(whole, (2, 1, 0))
        assert set(part["cz"]) == {(1, 2), (2, 1)}
        assert set(part["rzz"]) == {(0, 1), (1, 0), (1, 2), (2, 1)}
        assert "rzz" not in cut_target(whole, (0, 1, 2), without=("rzz",)).operation_names
        assert "rzz" not in cut_target(bare_line(rzz=[1.0, None]), (0, 1, 2)).operation_names
        # an unknown error of another gate is no reason to leave it out
        assert set(cut_target(bare_line(cz=[None, 0.1]), (0, 1))["cz"]) == {(0, 1), (1, 0)}

    def test_fractional_lines_need_every_gate_on_every_edge(self):
        readout = np.zeros((3, 2))

        def edges(fractional, **errors):
            return line_costs(bare_line(**errors), readout, 2, fractional=fractional).edge

        assert set(edges(False, cz=[0.01, 0.01], rzz=[0.01, 1.0])) == {(0, 1), (1, 2)}
        assert set(edges(True, cz=[0.01, 0.01], rzz=[0.01, 1.0])) == {(0, 1)}
        assert set(edges(True, cz=[1.0, 0.01], rzz=[0.01, 0.01])) == {(1, 2)}
        assert edges(True, cz=[0.01, 0.02]) == edges(False, cz=[0.01, 0.02])
        # the worse gate counts; without fractional gates, rzz does not count at all
        worse = edges(True, cz=[0.01, 0.03], rzz=[0.03, 0.01])
        assert worse[0, 1] == worse[1, 2] == edges(False, cz=[0.03, 0.03])[0, 1]
        plain = edges(False, cz=[0.01, 0.01])
        assert edges(False, cz=[0.01, 0.01], rzz=[0.03, 0.001]) == plain

    def test_a_snapshot_with_fractional_gates_of_its_own(self):
        plain, part = cut("fake_fractional", 3), cut("fake_fractional", 3, True)
        assert not {"rx", "rzz"} & set(plain.target.operation_names)
        assert {"rx", "rzz"} <= set(part.target.operation_names)
        assert not part.target.supported_angle_bound("rzz", [-0.1])

    @pytest.mark.parametrize("qubits", [1, 2, 3, 4])
    def test_short_lines(self, qubits):
        part = cut("fake_fez", qubits)
        assert part.target.num_qubits == qubits
        assert part.place.search == "exhaustive"

    def test_a_patch_where_there_is_no_line(self):
        part = cut("fake_lima", 5)
        assert part.details["layout"] == "patch"
        assert part.details["physical_qubits"] == [0, 1, 2, 3, 4]

    def test_makers_warnings_are_on_record(self):
        assert "not intended to represent" in cut("fake_nighthawk", 2).details["note"]

    def test_no_such_device(self):
        with pytest.raises(BackendError, match="fake_nowhere"):
            cut("fake_nowhere", 2)


class TestNoise:
    def test_small_device_the_cut_is_the_whole(self):
        """Exact probabilities of the cut line and of the whole device, with delays."""
        device = FakeLimaV2()
        part = cut("fake_lima", 3)
        circuit = circuit_with_delays(part.target)
        physical = part.details["physical_qubits"]
        whole = on_device(circuit, physical, 5)
        wanted = probabilities(NoiseModel.from_backend(device), whole, physical)
        for model in (part.channels, part.mixtures):
            assert probabilities(model, circuit, range(3)) == pytest.approx(wanted, abs=1e-10)
        # delays do relax
        hurried = circuit.copy_empty_like()
        for step in circuit.data:
            if step.name != "delay":
                hurried.append(step)
        assert np.abs(probabilities(part.channels, hurried, range(3)) - wanted).max() > 1e-3

    def test_counts_are_those_of_the_fake_device_itself(self):
        """The package's own simulation of the device keeps the two reading errors apart too."""
        device = FakeLimaV2()
        sampler = open_sampler("fake_lima", qubits=3, seed=4)
        circuit = circuit_with_delays(sampler.target)
        physical = sampler.details["physical_qubits"]
        shots = 60_000
        assert device.target.num_qubits == 5  # reading the target loads the calibration
        run = device.run(on_device(circuit, physical, 5), shots=shots, seed_simulator=5)
        theirs = run.result().get_counts()
        ours = sampler.run([circuit], shots=shots).result()[0].data.meas.get_counts()
        for word in map("{:03b}".format, range(8)):
            p = theirs.get(word, 0) / shots
            tolerance = 6 * math.sqrt(2 * p * (1 - p) / shots) + 1e-4
            assert abs(ours.get(word, 0) / shots - p) < tolerance

    def test_reading_errors_in_the_model_are_those_exposed(self):
        part = cut("fake_fez", 2)
        for model in (part.channels, part.mixtures):
            for q in range(2):
                table = model._local_readout_errors[(q,)].probabilities
                assert [table[0][1], table[1][0]] == pytest.approx(part.readout[q])

    def test_a_line_is_fast(self):
        sampler = open_sampler("fake_fez", qubits=6, seed=1)
        circuit = QuantumCircuit(6)
        for layer in range(40):
            circuit.sx(range(6))
            circuit.rz(0.3, range(6))
            for i in range(layer % 2, 5, 2):
                circuit.cz(i, i + 1)
        circuit.measure_all()
        assert circuit.count_ops()["cz"] == 100
        sampler.run([circuit], shots=4000).result()
        best = math.inf
        for _ in range(3):
            started = time.perf_counter()
            sampler.run([circuit], shots=4000).result()
            best = min(best, time.perf_counter() - started)
        assert best < 0.5

    @pytest.mark.slow
    @pytest.mark.parametrize("name", ["fake_fez", "fake_sherbrooke"])
    def test_large_device_the_cut_is_the_whole(self, name):
        device = load(name)
        part = cut(name, 4)
        isa = to_isa(logical(4), part.target)
        waiting = isa.copy_empty_like()
        for step in isa.data:
            waiting.append(step)
            if len(step.qubits) == 2 and step.name != "barrier":
                waiting.delay(2000, step.qubits[0], "ns")
        physical = part.details["physical_qubits"]

        class Whole:
            version = 2
            target = device.target
            operation_names = tuple(device.target.operation_names)
            dt = device.target.dt

        model = NoiseModel.from_backend(Whole())
        wanted = probabilities(
            model, on_device(waiting, physical, device.target.num_qubits), physical
        )
        exact = probabilities(part.mixtures, waiting, range(4))
        assert exact == pytest.approx(wanted, abs=1e-10)
        # Kraus sets leave out what is smaller than 1e-8
        found = probabilities(part.channels, waiting, range(4))
        assert found == pytest.approx(wanted, abs=1e-7)
        # with Aer's symmetric reading error, the readings agree as well
        channels, _ = noise_models(part.target, symmetric(part.readout))
        for q, where in enumerate(physical):
            assert channels._local_readout_errors[(q,)].probabilities == pytest.approx(
                model._local_readout_errors[(where,)].probabilities
            )


def logical(qubits, theta=0.4):
    circuit = QuantumCircuit(qubits)
    circuit.x(0)
    for i in range(qubits - 1):
        circuit.rxx(theta, i, i + 1)
        circuit.ryy(-0.7 * theta, i, i + 1)
        circuit.rz(0.2, i)
    circuit.measure_all()
    return circuit


def runs_on(name, qubits):
    sampler = open_sampler(name, qubits=qubits, seed=1)
    circuit = logical(qubits)
    isa = to_isa(circuit, sampler.target)
    (expected,) = simulate_states([circuit])
    record = validate(circuit, isa, sampler.target, expected=expected)
    assert record["transpiled"].figure < 1e-9
    meas = sampler.run([isa], shots=200).result()[0].data.meas
    assert meas.num_bits == qubits


@pytest.mark.parametrize(
    ("name", "qubits"),
    [
        ("fake_miami", 4),  # cz, a square lattice
        ("fake_brisbane", 4),  # ecr, edges of one direction
        ("fake_almaden", 4),  # cx with u1, u2, u3
        ("fake_cambridge", 3),  # without a time unit
        ("fake_armonk", 1),
        ("fake_prague", 4),
        ("fake_boston", 2),
    ],
)
def test_devices_of_all_kinds(name, qubits):
    runs_on(name, qubits)


def test_a_device_without_working_two_qubit_gates():
    assert cut("fake_kyoto", 1).target.num_qubits == 1
    with pytest.raises(BackendError, match="wanted 2 connected qubits of fake_kyoto"):
        cut("fake_kyoto", 2)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(snapshot_names()) - {"fake_kyoto"}))
def test_every_device(name):
    runs_on(name, min(4, load(name).target.num_qubits))
