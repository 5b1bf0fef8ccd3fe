"""Circuits on other people's backends: bits, seeds, noise, records."""

import itertools
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter
from qiskit.primitives import BaseSamplerV2, StatevectorSampler
from qiskit.providers import BackendV2, JobV1, Options
from qiskit.providers.basic_provider import BasicSimulator
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import Statevector
from qiskit.result import Result
from qiskit.result.models import ExperimentResult, ExperimentResultData
from qiskit.transpiler import CouplingMap, InstructionProperties
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, ReadoutError, depolarizing_error
from qiskit_ibm_runtime.fake_provider import FakeLimaV2, FakeManilaV2

from qbrain.backends.compile import to_isa
from qbrain.backends.errors import BackendError, DeviceFault
from qbrain.backends.foreign import on_qubits
from qbrain.backends.ideal import ideal_target
from qbrain.backends.registry import open_place, open_sampler
from qbrain.backends.snapshot import snapshot_of

SIGMAS = 5  # a deviation that chance brings once in two million


class Spelled(JobV1):
    """A finished job."""

    def __init__(self, backend, result):
        super().__init__(backend, "done")
        self._result = result

    def result(self):
        return self._result

    def submit(self):
        pass

    def status(self):
        return None


class Cloud(BackendV2):
    """A provider's backend without seeds or options, at most three circuits a job.

    Circuits are simulated by Aer. ``form``: how outcomes are told.
    """

    def __init__(self, form="hexadecimal", lost=0):
        super().__init__(name="cloud", backend_version="7")
        self.form, self.lost = form, lost
        self.jobs = []

    @property
    def target(self):
        return ideal_target(5)

    @property
    def max_circuits(self):
        return 3

    @classmethod
    def _default_options(cls):
        return Options()

    def run(self, run_input, shots=1024, **options):
        assert not options, "it knows no options"
        self.jobs.append((len(run_input), shots))
        if self.form == "failing":
            raise ConnectionError("the cloud\nis away")
        counts = AerSimulator().run(run_input, shots=shots, seed_simulator=1).result().get_counts()
        tables = [counts] if isinstance(counts, dict) else counts
        results = []
        for circuit, table in zip(run_input, tables, strict=True):
            table = {word.replace(" ", ""): n for word, n in table.items()}
            words = [word for word, n in table.items() for _ in range(n)][self.lost :]
            if self.form == "hexadecimal":
                data = ExperimentResultData(counts={hex(int(w, 2)): n for w, n in table.items()})
            elif self.form == "bits":
                data = ExperimentResultData(counts=table)
            elif self.form == "nonsense":
                data = ExperimentResultData(memory=["up"] * shots)
            else:
                data = ExperimentResultData(memory=words)
            results.append(ExperimentResult(shots, True, data, name=circuit.name))
        return Spelled(
            self,
            Result(
                backend_name="cloud",
                results=results,
                success=self.form != "unsuccessful",
                status="out of fuel",
            ),
        )


class Aimed(BaseSamplerV2):
    """Qiskit's own sampler, with a target."""

    def __init__(self, qubits):
        self.target = ideal_target(qubits)
        self.sampler = StatevectorSampler(seed=2)

    def run(self, pubs, *, shots=None):
        return self.sampler.run(pubs, shots=shots)


def full(qubits, **options):
    return GenericBackendV2(qubits, coupling_map=CouplingMap.from_full(qubits), **options)


def trapped(qubits):
    """Ions: rxx on every pair, with errors as cx has them (Qiskit draws up to 1 for others)."""
    backend = full(qubits, basis_gates=["rxx", "rz", "sx", "x"], seed=1)
    for pair in list(backend.target["rxx"]):
        backend.target.update_instruction_properties("rxx", pair, InstructionProperties(1e-7, 2e-3))
    return backend


def grid():
    return GenericBackendV2(6, coupling_map=CouplingMap.from_grid(2, 3), seed=1)


BACKENDS = {
    "aer": AerSimulator,
    "all-to-all": lambda: full(6, seed=1),
    "grid": grid,
    "ring": lambda: GenericBackendV2(7, coupling_map=CouplingMap.from_ring(7), seed=2),
    "rxx": lambda: trapped(5),
    "from a fake device": lambda: AerSimulator.from_backend(FakeManilaV2()),
    "fake device": FakeManilaV2,
    "basic": BasicSimulator,
    "cloud": Cloud,
    "sampler": lambda: Aimed(5),
}
SEEDED = [name for name in BACKENDS if name not in ("cloud", "sampler")]


def asymmetric():
    """Three qubits, no two alike, read crosswise into five classical bits of two registers."""
    a, b = ClassicalRegister(2, "a"), ClassicalRegister(3, "b")
    circuit = QuantumCircuit(QuantumRegister(3, "q"), a, b)
    circuit.ry(0.4, 0)
    circuit.x(1)
    circuit.ry(1.1, 2)
    circuit.cx(0, 2)
    circuit.measure(2, b[2])
    circuit.measure(0, a[1])
    circuit.measure(1, b[0])
    return circuit


def wide():
    """The state of one qubit among four, read in reverse."""
    circuit = QuantumCircuit(4, 4)
    circuit.x(3)
    circuit.ry(0.7, 0)
    circuit.measure([0, 1, 2, 3], [3, 2, 1, 0])
    return circuit


def words(sampler, circuit, shots, step=0):
    """Outcomes as numbers, bit j being classical bit j of the circuit."""
    isa = to_isa(circuit, sampler.target)
    isa.metadata = {"step": step}
    data = sampler.run([isa], shots=shots).result()[0].data
    total = np.zeros(shots, dtype=np.int64)
    for register in circuit.cregs:
        first = circuit.find_bit(register[0]).index
        bits = data[register.name].to_bool_array(order="little")
        total += bits @ (1 << (first + np.arange(register.size)))
    return total


def expected(circuit):
    """Probabilities of outcomes by Qiskit's state vector, on the circuit's own bits."""
    from qbrain.backends.readings import take_readings

    readings = take_readings(circuit)
    weights = Statevector(readings.gates).probabilities()
    found = np.zeros(2**circuit.num_clbits)
    for index, weight in enumerate(weights):
        outcome = sum(
            (index >> qubit & 1) << bit
            for qubit, bit in zip(readings.qubits, readings.clbits, strict=True)
        )
        found[outcome] += weight
    return found


@pytest.fixture(autouse=True)
def quiet():
    """Aer says of every generic backend that it has no T1."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*has no QubitProperties.*")
        yield


class TestBits:
    @pytest.mark.parametrize("name", BACKENDS)
    @pytest.mark.parametrize("build", [asymmetric, wide])
    def test_bit_j_is_classical_bit_j(self, name, build):
        shots = 4000
        sampler = open_place(BACKENDS[name](), qubits=4, seed=5)
        circuit = build()
        found = np.bincount(words(sampler, circuit, shots), minlength=2**circuit.num_clbits)
        wanted = expected(circuit)
        # noise may take what its own errors add up to; crossed bits would take all
        noise = 0.25 if sampler.noisy else 0.0
        bound = SIGMAS * np.sqrt(wanted * (1 - wanted) / shots) + 2 / shots + noise
        assert np.all(np.abs(found / shots - wanted) <= bound)
        # which outcome is the most frequent tells every permutation of bits apart
        assert np.argmax(found) == np.argmax(wanted)

    @settings(max_examples=25, deadline=None)
    @given(st.permutations(range(4)), st.permutations(range(5)), st.integers(0, 15))
    def test_any_qubits_into_any_bits(self, qubits, bits, state):
        circuit = QuantumCircuit(4, 5)
        for qubit in range(4):
            if state >> qubit & 1:
                circuit.x(qubit)
            circuit.measure(qubit, bits[qubit])
        placed = on_qubits(circuit, [10 + q for q in qubits])
        assert placed.circuit.num_qubits == 14
        read = AerSimulator().run(placed.circuit, shots=1).result().get_counts()
        number = int(next(iter(read)), 2)
        found = {placed.clbits[k] for k in range(4) if number >> k & 1}
        assert found == {bits[qubit] for qubit in range(4) if state >> qubit & 1}

    def test_measurements_are_in_the_order_of_the_physical_qubits(self):
        placed = on_qubits(asymmetric(), (4, 0, 2)).circuit
        order = [placed.find_bit(s.qubits[0]).index for s in placed.data if s.name == "measure"]
        assert order == sorted(order) == [0, 2, 4]

    def test_barriers_and_the_global_phase_stay(self):
        circuit = QuantumCircuit(2, 2, global_phase=0.3)
        circuit.x(0)
        circuit.barrier()
        circuit.x(0)
        circuit.measure([0, 1], [0, 1])
        placed = on_qubits(circuit, (1, 2)).circuit
        assert placed.global_phase == 0.3
        assert placed.count_ops() == {"x": 2, "barrier": 1, "measure": 2}

    @pytest.mark.parametrize("name", ["aer", "all-to-all", "basic"])
    def test_readings_on_the_way(self, name):
        circuit = QuantumCircuit(2, 3)
        circuit.x(0)
        circuit.measure(0, 2)
        circuit.reset(0)
        circuit.measure(0, 0)
        circuit.measure(1, 1)
        sampler = open_place(BACKENDS[name](), qubits=2, seed=1)
        found = np.bincount(words(sampler, circuit, 1000), minlength=8)
        assert found[0b100] > (950 if sampler.noisy else 999)

    def test_readings_on_the_way_by_a_sampler(self):
        # Qiskit's own refuses them: its words come out as a fault of the device
        circuit = QuantumCircuit(1, 1)
        circuit.measure(0, 0)
        circuit.x(0)
        circuit.measure(0, 0)
        sampler = open_place(Aimed(1), qubits=1)
        with pytest.raises(DeviceFault, match="mid-circuit"):
            sampler.run([circuit], shots=5).result()

    def test_parameters_and_several_points(self):
        angle = Parameter("θ")
        circuit = QuantumCircuit(1, 1)
        circuit.rx(angle, 0)
        circuit.measure(0, 0)
        sampler = open_place(AerSimulator(), qubits=1, seed=1)
        data = sampler.run([(circuit, [0.0, np.pi])], shots=50).result()[0].data
        assert data.c.shape == (2,)
        assert [data.c[k].get_counts() for k in (0, 1)] == [{"0": 50}, {"1": 50}]


class TestSeeds:
    @pytest.mark.parametrize("name", SEEDED)
    def test_equal_seeds_give_equal_shots(self, name):
        backend = BACKENDS[name]()
        one, same, other = (
            words(open_place(backend, qubits=4, seed=seed), wide(), 300) for seed in (3, 3, 4)
        )
        assert np.array_equal(one, same)
        assert not np.array_equal(one, other)

    @pytest.mark.parametrize("name", ["aer", "all-to-all"])
    def test_steps_streams_and_placements_are_independent(self, name):
        sampler = open_place(BACKENDS[name](), qubits=3, seed=3)
        circuit = QuantumCircuit(3, 3)
        circuit.ry(1.0, range(3))
        circuit.measure(range(3), range(3))
        isa = to_isa(circuit, sampler.target)

        def shots_of(**metadata):
            labelled = isa.copy()
            labelled.metadata = metadata
            return sampler.run([labelled], shots=200).result()[0].data.c.array.ravel()

        first = shots_of(step=1)
        assert np.array_equal(first, shots_of(step=1, stream=0, placement=0))
        assert not np.array_equal(first, shots_of(step=2))
        assert not np.array_equal(first, shots_of(step=1, stream=1))

    def test_a_step_alone_gets_the_shots_that_it_gets_in_a_job(self):
        sampler = open_place(full(3, seed=1), qubits=2, seed=3)
        circuit = QuantumCircuit(2, 2)
        circuit.ry(1.0, range(2))
        circuit.measure(range(2), range(2))
        isas = []
        for step in range(3):
            isas.append(to_isa(circuit, sampler.target).copy())
            isas[-1].metadata = {"step": step}
        together = [r.data.c.array for r in sampler.run(isas, shots=100).result()]
        alone = [sampler.run([isa], shots=100).result()[0].data.c.array for isa in isas]
        assert all(np.array_equal(a, b) for a, b in zip(together, alone, strict=True))

    def test_without_a_seed_shots_are_fresh(self):
        sampler = open_place(AerSimulator(), qubits=4)
        assert not np.array_equal(words(sampler, wide(), 300), words(sampler, wide(), 300))

    def test_the_record_says_who_takes_seeds(self):
        details = {name: open_place(BACKENDS[name](), qubits=3).details for name in BACKENDS}
        taken = {name for name, each in details.items() if each.get("seed") == "a circuit each"}
        assert taken == set(SEEDED) - {"fake device"}
        assert details["cloud"]["seed"] == "not taken"
        assert details["sampler"]["seed"] == "the sampler's own"


class TestNoise:
    def test_ideal_backends_are_not_noisy(self):
        quiet = [AerSimulator(), Aimed(2), Cloud(), BasicSimulator(), full(2, noise_info=False)]
        assert not any(open_place(backend, qubits=2).noisy for backend in quiet)
        assert all(open_place(backend, qubits=2).readout is None for backend in quiet)
        assert not open_sampler("aer", qubits=2).noisy
        assert not open_sampler("statevector", qubits=2).noisy

    def test_others_are(self):
        loud = [FakeManilaV2(), AerSimulator.from_backend(FakeManilaV2()), full(2, seed=1), grid()]
        assert all(open_place(backend, qubits=2).noisy for backend in loud)
        assert open_sampler("fake_lima", qubits=2).noisy
        assert open_sampler("fake_fez", qubits=2, placements=2).noisy

    def test_a_noise_model_counts_where_the_target_knows_no_errors(self):
        model = NoiseModel()
        assert not open_place(AerSimulator(noise_model=model), qubits=2).noisy
        model.add_all_qubit_quantum_error(depolarizing_error(0.1, 1), ["x"])
        assert open_place(AerSimulator(noise_model=model), qubits=2).noisy

    def test_readout_errors_of_a_noise_model(self):
        model = NoiseModel()
        model.add_readout_error(ReadoutError([[0.9, 0.1], [0.3, 0.7]]), [1])
        readout = open_place(AerSimulator(noise_model=model), qubits=3).readout
        assert readout.tolist() == [[0, 0], [0.1, 0.3], [0, 0]]
        assert open_place(AerSimulator(noise_model=NoiseModel()), qubits=3).readout is None

    def test_readout_errors_of_a_target_are_what_is_measured(self):
        shots = 200_000
        sampler = open_place(full(3, seed=1), qubits=3, seed=2)
        errors = sampler.readout
        assert errors.shape == (3, 2)
        assert np.array_equal(errors[:, 0], errors[:, 1])
        idle = QuantumCircuit(3, 3)
        idle.measure(range(3), range(3))
        found = words(sampler, idle, shots)
        rates = [np.mean(found >> qubit & 1) for qubit in range(3)]
        bound = SIGMAS * np.sqrt(errors[:, 0] / shots)
        assert np.all(np.abs(rates - errors[:, 0]) <= bound)

    def test_errors_are_those_of_the_physical_qubits(self):
        # one qubit of five is read at random: it is left out where that can be
        errors = [0.01, 0.01, 0.5, 0.01, 0.01]
        model = NoiseModel()
        for qubit, error in enumerate(errors):
            model.add_readout_error(ReadoutError([[1 - error, error]] * 2), [qubit])
        sampler = open_place(AerSimulator(noise_model=model), qubits=5, seed=1)
        idle = QuantumCircuit(5, 5)
        idle.measure(range(5), range(5))
        found = words(sampler, idle, 2000)
        rates = np.array([np.mean(found >> qubit & 1) for qubit in range(5)])
        assert np.argmax(rates) == 2
        assert abs(rates[2] - 0.5) < SIGMAS * 0.5 / np.sqrt(2000)


class TestFakeDevices:
    def test_they_are_the_snapshots_that_they_are(self):
        ours = open_sampler("fake_lima", qubits=3, seed=4)
        theirs = open_place(FakeLimaV2(), qubits=3, seed=4)
        assert np.array_equal(words(ours, asymmetric(), 500), words(theirs, asymmetric(), 500))
        assert theirs.details["physical_qubits"] == ours.details["physical_qubits"]
        assert theirs.details["device"] == f"FakeLimaV2 fake_lima {FakeLimaV2().backend_version}"
        assert np.array_equal(ours.readout, theirs.readout)

    def test_several_placements(self):
        sampler = open_place(FakeManilaV2(), qubits=2, seed=1, placements=2)
        assert sampler.placements == 2

    def test_what_was_changed_in_them_is_used(self):
        backend = FakeLimaV2()
        before = open_place(backend, qubits=2).details["physical_qubits"]
        for place in list(backend.target["cx"]):
            if set(place) == set(before):
                backend.target.update_instruction_properties("cx", place, None)
        assert open_place(backend, qubits=2).details["physical_qubits"] != before
        assert open_sampler("fake_lima", qubits=2).details["physical_qubits"] == before

    def test_more_qubits_than_it_has(self):
        with pytest.raises(BackendError, match="wanted at most 5 on fake_lima, got 6"):
            open_place(FakeLimaV2(), qubits=6)

    def test_named_by_whoever_opens_it(self):
        assert snapshot_of(FakeLimaV2(), "mine").name == "mine"


class TestClouds:
    @pytest.mark.parametrize("form", ["hexadecimal", "bits", "memory"])
    def test_outcomes_in_any_spelling(self, form):
        sampler = open_place(Cloud(form), qubits=4, seed=1)
        found = np.bincount(words(sampler, asymmetric(), 2000), minlength=32)
        assert np.argmax(found) == np.argmax(expected(asymmetric()))
        assert found.sum() == 2000

    def test_counts_come_in_no_order(self):
        # sorted counts would make early shots differ from late ones
        circuit = QuantumCircuit(1, 1)
        circuit.ry(np.pi / 2, 0)
        circuit.measure(0, 0)
        found = words(open_place(Cloud("bits"), qubits=1, seed=1), circuit, 4000)
        early, late = found[:2000].mean(), found[2000:].mean()
        assert abs(early - late) < SIGMAS * 0.5 / np.sqrt(1000)

    def test_circuits_share_jobs_as_far_as_they_may(self):
        backend = Cloud()
        sampler = open_place(backend, qubits=2)
        circuit = QuantumCircuit(2, 2)
        circuit.measure([0, 1], [0, 1])
        pubs = [(circuit, None, shots) for shots in (10, 20, 10, 10, 10)]
        results = sampler.run(pubs).result()
        assert backend.jobs == [(3, 10), (1, 10), (1, 20)]
        assert [result.data.c.num_shots for result in results] == [10, 20, 10, 10, 10]

    @pytest.mark.parametrize(
        ("backend", "words_of_it"),
        [
            (Cloud("failing"), "cloud: ConnectionError: the cloud is away"),
            (Cloud("unsuccessful"), "cloud: out of fuel"),
            (Cloud("nonsense"), "cloud: wanted shots as bits or hexadecimal, got 'up'"),
            (Cloud("memory", lost=3), "cloud: wanted 50 shots, got 47"),
        ],
    )
    def test_faults_are_one_line(self, backend, words_of_it):
        sampler = open_place(backend, qubits=2)
        with pytest.raises(DeviceFault) as caught:
            words(sampler, _idle(2), 50)
        assert str(caught.value) == words_of_it


def _idle(qubits):
    circuit = QuantumCircuit(qubits, qubits)
    circuit.measure(range(qubits), range(qubits))
    return circuit


class TestRecords:
    def test_of_a_grid(self):
        sampler = open_place(grid(), qubits=6, seed=1)
        details = sampler.details
        assert details["backend"] == "generic_backend_6q"
        assert details["device"] == "GenericBackendV2 generic_backend_6q"
        assert details["layout"] == "line"
        edges = {frozenset(edge) for edge in grid().coupling_map.get_edges()}
        line = details["physical_qubits"]
        assert all(frozenset(pair) in edges for pair in itertools.pairwise(line))
        assert sampler.target.num_qubits == sampler.qubits == 6

    def test_of_several_placements(self):
        sampler = open_place(full(6, seed=1), qubits=3, seed=1, placements=2)
        assert sampler.details["placements"] == [[0, 1, 2], [3, 4, 5]]
        assert sampler.placements == len(sampler.targets) == len(sampler.readouts) == 2
        circuit = to_isa(_idle(3), sampler.target)
        circuit.metadata = {"placement": 1}
        assert sampler.placed(circuit).circuit.num_qubits == 6
        circuit.metadata = {"placement": 2}
        with pytest.raises(BackendError, match="wanted an integer below 2, got 2"):
            sampler.run([circuit], shots=5)

    def test_metadata_comes_back(self):
        sampler = open_place(AerSimulator(), qubits=1, seed=1)
        circuit = _idle(1)
        circuit.metadata = {"step": 4, "mine": "yes"}
        result = sampler.run([circuit], shots=5).result()[0]
        assert result.metadata["circuit_metadata"] == {"step": 4, "mine": "yes"}

    def test_foreign_gates_are_refused(self):
        sampler = open_place(full(3, seed=1), qubits=2)
        circuit = QuantumCircuit(2, 2)
        circuit.h(0)
        circuit.measure([0, 1], [0, 1])
        with pytest.raises(BackendError, match=r"on generic_backend_3q: gate: .* got h on \(0,\)"):
            sampler.run([circuit], shots=5)

    @pytest.mark.parametrize("qubits", [0, 1.5, "2", True])
    def test_bad_numbers_of_qubits(self, qubits):
        with pytest.raises(BackendError, match="qubits: wanted an integer >= 1"):
            open_place(AerSimulator(), qubits=qubits)

    def test_a_device_that_is_too_small(self):
        with pytest.raises(BackendError, match="wanted at most 3 on generic_backend_3q, got 4"):
            open_place(full(3, seed=1), qubits=4)

    def test_a_target_that_cannot_be_had(self):
        class Shy(Cloud):
            @property
            def target(self):
                raise ConnectionError("the cloud\nis away")

        class Bare(Cloud):
            target = None

        for backend, text in (
            (Shy(), "backend cloud: wanted a target, got ConnectionError: the cloud is away"),
            (Bare(), "backend cloud: wanted a target, got NoneType"),
        ):
            with pytest.raises(BackendError) as caught:
                open_place(backend, qubits=2)
            assert str(caught.value) == text
