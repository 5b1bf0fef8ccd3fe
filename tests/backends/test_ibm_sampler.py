"""The sampler on IBM Quantum's interface: places, streams, fractional gates, refused tokens."""

import itertools
import math
import time

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import Statevector

from qbrain.backends.aer import NoisyAerSampler
from qbrain.backends.compile import duration, expected_fidelity, scheduled, to_isa
from qbrain.backends.device_noise import noise_models
from qbrain.backends.errors import BackendError, DeviceFault
from qbrain.backends.ibm import circuits_hash, open_ibm_sampler
from qbrain.backends.isa import first_illegal
from qbrain.backends.ledger import Ledger
from qbrain.backends.placements import lines_of
from qbrain.backends.snapshot import load

SHOTS = 4000


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "ledger.sqlite")


@pytest.fixture
def opened(ledger):
    """Open samplers that close their sessions at the end."""
    samplers = []

    def open_(name="ibm_fez", **options):
        sampler = open_ibm_sampler(name, ledger=ledger, patience=5.0, **options)
        sampler.begin("run", "folder")
        samplers.append(sampler)
        return sampler

    yield open_
    for sampler in samplers:
        sampler.close()


def circuit_for(placement=0, step=0, stream=0, qubits=2):
    """A qubit in balance, the others in |1⟩."""
    circuit = QuantumCircuit(qubits)
    circuit.sx(0)
    circuit.x(range(1, qubits))
    circuit.measure_all()
    circuit.metadata = {"step": step, "stream": stream, "placement": placement}
    return circuit


def bits(result, index=0):
    return result[index].data.meas.to_bool_array(order="little")


class TestPlaces:
    def test_one_place_is_the_best_line(self, loopback, opened):
        sampler = opened(qubits=3)
        (line,) = sampler.places
        assert line == lines_of("fake_fez", 3, 1)[0].qubits
        assert sampler.placements == 1
        assert sampler.targets == (sampler.target,)
        assert sampler.readout is sampler.readouts[0]
        assert sampler.details["physical_qubits"] == list(line)
        assert "placements" not in sampler.details

    def test_one_job_holds_the_circuits_of_all_places(self, loopback, opened):
        sampler = opened(qubits=3, placements=3)
        lines = [place.qubits for place in lines_of("fake_fez", 3, 3)]
        assert list(sampler.places) == lines
        assert sampler.details["placements"] == [list(line) for line in lines]
        assert sampler.details["physical_qubits"] == list(lines[0])
        whole, order = load("fake_fez"), (2, 0, 1, 0)
        result = sampler.run([circuit_for(p, qubits=3) for p in order], shots=SHOTS).result()
        assert loopback.submissions() == 1
        for index, place in enumerate(order):
            line = lines[place]
            assert np.array_equal(sampler.readouts[place], whole.readout[list(line)])
            assert sampler.targets[place]["cz"][(0, 1)].error == whole.target["cz"][line[:2]].error
            lost = 1 - bits(result, index)[:, 1:].mean(axis=0)
            wanted = sampler.readouts[place][1:, 1]
            # a gate error of the order of 1e-4 besides
            assert np.all(np.abs(lost - wanted) < 6 * np.sqrt(wanted / SHOTS) + 2e-3)

    def test_circuits_are_put_on_the_qubits_of_their_place(self, loopback, opened):
        sampler = opened(qubits=2, placements=2)
        for place, line in enumerate(sampler.places):
            circuit = circuit_for(place)
            circuit.cz(0, 1)
            placed = sampler.placed(circuit)
            (step,) = [step for step in placed.data if step.name == "cz"]
            assert tuple(placed.find_bit(qubit).index for qubit in step.qubits) == line
            assert placed.metadata == circuit.metadata

    def test_places_are_repeated_and_checked(self, loopback, opened):
        first = opened(qubits=2, placements=2)
        again = opened(qubits=2, placements=2, places=[list(p) for p in first.places[::-1]])
        assert again.places == first.places[::-1]
        assert again.details["physical_qubits"] == list(first.places[1])
        for wrong in ([[0, 1]], [[0, 1], [1, 2]], [[0, 1], [2]], [[0, 1], [2, 156]]):
            with pytest.raises(BackendError, match="places: wanted 2 lines of 2 different"):
                opened(qubits=2, placements=2, places=wrong)

    def test_more_places_than_there_are(self, start_ibm, opened):
        server = start_ibm(devices=["ibm_lima"])
        with pytest.raises(BackendError, match=r"placements: wanted 2 lines of 3 .* got 1"):
            opened("ibm_lima", qubits=3, placements=2)
        with pytest.raises(BackendError, match="qubits: wanted a line of 5 on ibm_lima, got none"):
            opened("ibm_lima", qubits=5)
        with pytest.raises(BackendError, match="placements: wanted an integer >= 1, got 0"):
            opened("ibm_lima", qubits=2, placements=0)
        sampler = opened("ibm_lima", qubits=2)
        with pytest.raises(BackendError, match="wanted an integer below 1, got 1"):
            sampler.run([circuit_for(1)], shots=10)
        with pytest.raises(BackendError, match="wanted at most 2 qubits"):
            sampler.run([circuit_for(qubits=3)], shots=10)
        assert server.submissions() == 0


class TestStreams:
    def test_another_stream_is_another_job_and_the_same_is_found_again(self, loopback, opened):
        sampler = opened(qubits=2)
        jobs = [sampler.run([circuit_for(stream=s)], shots=50) for s in (0, 1, 0)]
        assert jobs[0].job_id() == jobs[2].job_id() != jobs[1].job_id()
        for job in jobs:
            job.result()
        assert loopback.submissions() == 2

    def test_what_the_hash_sees(self):
        hashes = {circuits_hash([circuit_for(stream=s)], 100) for s in range(3)}
        assert len(hashes) == 3
        bare = circuit_for()
        bare.metadata = {}
        assert circuits_hash([bare], 100) in hashes
        assert circuits_hash([bare], 101) not in hashes

    def test_other_angles_are_another_job(self, loopback, opened):
        sampler = opened(qubits=2)
        ids = []
        # the last two differ in the last bit alone
        for angle in (0.3, 0.4, math.nextafter(0.4, 1), 0.3):
            circuit = circuit_for()
            circuit.rz(angle, 0)
            circuit.data.insert(0, circuit.data.pop())
            job = sampler.run([circuit], shots=20)
            job.result()
            ids.append(job.job_id())
        assert ids[0] == ids[3]
        assert len(set(ids)) == loopback.submissions() == 3

    def test_what_was_sent_for_a_failed_job_is_found_though_its_id_was_lost(
        self, loopback, opened, ledger, monkeypatch
    ):
        loopback.fail_jobs(1)
        job = opened(qubits=2).run([circuit_for()], shots=50)
        with pytest.raises(DeviceFault):
            job.result()
        # sent again, and the process dies before it has written down the new id
        note = Ledger.update

        def dies(self, tag, state, **known):
            if state == "submitted":
                raise KeyboardInterrupt
            note(self, tag, state, **known)

        with monkeypatch.context() as patch:
            patch.setattr(Ledger, "update", dies)
            with pytest.raises(KeyboardInterrupt):
                opened(qubits=2).run([circuit_for()], shots=50)
        assert loopback.submissions() == 2
        # the failed job is no longer the one of this row, and is not forgotten either
        (row,) = ledger.jobs()
        assert (row.state, row.job, list(row.former)) == ("intended", None, [job.job_id()])
        again = opened(qubits=2).run([circuit_for()], shots=50)
        again.result()
        assert loopback.submissions() == 2
        assert again.job_id() != job.job_id()

    def test_bad_numbers_are_refused(self, loopback, opened):
        sampler = opened(qubits=2)
        for name in ("step", "stream", "placement"):
            circuit = circuit_for()
            circuit.metadata[name] = -1
            with pytest.raises(BackendError, match=rf"metadata\['{name}'\]: wanted"):
                sampler.run([circuit], shots=10)


def rotations(step=0):
    """Three qubits under rotations about ZZ, XX and YY."""
    circuit = QuantumCircuit(3, metadata={"step": step})
    circuit.ry(0.9, 0)
    circuit.h(1)
    circuit.rzz(0.7, 0, 1)
    circuit.rxx(1.1, 1, 2)
    circuit.ryy(-0.6, 0, 1)
    circuit.rx(0.4, 2)
    circuit.measure_all()
    return circuit


def frequencies(values):
    return np.bincount(values @ [1, 2, 4], minlength=8) / len(values)


class TestFractional:
    def test_every_edge_of_every_line_has_a_working_gate(self, loopback, opened):
        sampler = opened(qubits=6, placements=2, fractional=True)
        dead = {
            edge
            for name in ("cz", "rzz")
            for edge, known in sampler._connection.device.target[name].items()
            if known.error is None or known.error >= 1
        }
        assert len(dead) > 90
        for line, target in zip(sampler.places, sampler.targets, strict=True):
            assert not dead & set(itertools.pairwise(line))
            for name in ("cz", "rzz"):
                assert {(q, q + 1) for q in range(5)} <= set(target[name])
            assert target.supported_angle_bound("rzz", [math.pi / 2])
            assert not target.supported_angle_bound("rzz", [-0.1])
        plain = opened(qubits=6)
        assert not {"rx", "rzz"} & set(plain.target.operation_names)

    @pytest.mark.parametrize(("twirling", "decoupling"), [("none", "none"), ("readout", "XY4")])
    def test_counts_are_those_of_the_device(self, loopback, opened, twirling, decoupling):
        sampler = opened(qubits=3, fractional=True, twirling=twirling, decoupling=decoupling)
        circuit = rotations()
        isa = to_isa(circuit, sampler.target)
        assert isa.count_ops()["rzz"] == 3
        assert first_illegal(isa, sampler.target) is None
        shots = 20_000
        counted = frequencies(bits(sampler.run([isa], shots=shots).result()))
        ideal = Statevector(circuit.remove_final_measurements(inplace=False)).probabilities()
        assert np.abs(counted - ideal).max() < 0.05
        fidelity = expected_fidelity(isa, sampler.target)
        assert np.abs(counted - ideal).sum() / 2 < 2 * (1 - fidelity) + 6 * math.sqrt(8 / shots)
        if twirling == "none":
            own = NoisyAerSampler(
                "own",
                sampler.target,
                *noise_models(sampler.target, sampler.readout),
                readout=sampler.readout,
                seed=3,
            )
            simulated = frequencies(bits(own.run([isa], shots=shots).result()))
            spread = 6 * np.sqrt(2 * simulated * (1 - simulated) / shots) + 1e-3
            assert np.all(np.abs(counted - simulated) < spread)

    def test_durations_are_known(self, loopback, opened):
        sampler = opened(qubits=3, fractional=True)
        isa = to_isa(rotations(), sampler.target)
        assert duration(isa, sampler.target) > sampler.target["rzz"][(0, 1)].duration
        padded = scheduled(isa, sampler.target)
        assert padded.count_ops()["delay"] > 0
        assert first_illegal(padded, sampler.target) is None

    def test_angles_out_of_bounds_are_not_sent(self, loopback, opened):
        sampler = opened(qubits=2, fractional=True)
        for angle in (-0.1, 2.0):
            circuit = QuantumCircuit(2)
            circuit.rzz(angle, 0, 1)
            circuit.measure_all()
            with pytest.raises(BackendError, match="angle: wanted an angle within the target"):
                sampler.run([circuit], shots=10)
        assert loopback.submissions() == 0

    @pytest.mark.parametrize("twirling", ["gates", "both"])
    def test_they_are_not_twirled(self, twirling):
        with pytest.raises(BackendError, match="twirling: wanted none or readout with fractional"):
            open_ibm_sampler("ibm_fez", qubits=2, fractional=True, twirling=twirling)

    @pytest.mark.parametrize("name", ["ibm_sherbrooke", "ibm_torino"])
    def test_devices_without_them_are_refused(self, start_ibm, opened, name):
        """One has none, the other only such as are out of order."""
        start_ibm(devices=[name])
        with pytest.raises(BackendError, match=f"fractional: wanted a device with rzz, got {name}"):
            opened(name, qubits=3, fractional=True)


class TestTokens:
    def test_a_revoked_token_is_replaced(self, loopback, opened):
        sampler = opened(qubits=2, placements=2)
        targets = sampler.targets
        sampler.run([circuit_for(0)], shots=100).result()
        for step in (1, 2):
            # before a job is sent, and while two are under way
            loopback.revoke_tokens()
            loopback.hold()
            jobs = [sampler.run([circuit_for(p, step)], shots=100) for p in (0, 1)]
            loopback.revoke_tokens()
            loopback.release()
            for place, job in enumerate(jobs):
                assert job.result()[0].metadata["circuit_metadata"]["placement"] == place
        assert loopback.submissions() == 5
        assert len(loopback.sessions) == 1
        assert sampler.targets is targets
        assert {row.state for row in sampler.ledger.jobs()} == {"done"}
        loopback.revoke_tokens()
        sampler.close()
        assert not next(iter(loopback.sessions.values())).accepting_jobs

    @pytest.mark.parametrize("mode", ["batch", "job"])
    def test_in_other_modes(self, loopback, opened, mode):
        sampler = opened(qubits=2, mode=mode)
        sampler.run([circuit_for(0)], shots=10).result()
        loopback.revoke_tokens()
        sampler.run([circuit_for(0, 1)], shots=10).result()
        assert sampler.mode == mode
        assert len(loopback.sessions) == (mode == "batch")
        assert loopback.submissions() == 2

    def test_with_fractional_gates(self, loopback, opened):
        sampler = opened(qubits=2, fractional=True)
        loopback.revoke_tokens()
        isa = QuantumCircuit(2)
        isa.rzz(0.3, 0, 1)
        isa.measure_all()
        assert bits(sampler.run([isa], shots=500).result()).mean() < 0.1
        assert "rzz" in sampler._connection.device.target.operation_names

    def test_a_session_that_closed_meanwhile_is_opened_anew(self, loopback, opened):
        sampler = opened(qubits=2)
        sampler.run([circuit_for(0)], shots=10).result()
        loopback.close_session()
        loopback.revoke_tokens()
        sampler.run([circuit_for(0, 1)], shots=10).result()
        assert len(loopback.sessions) == 2
        assert loopback.submissions() == 2

    @pytest.mark.parametrize("moment", ["sending", "waiting"])
    def test_a_fresh_token_that_is_refused_too_ends_it_at_once(self, loopback, opened, moment):
        sampler = opened(qubits=2)
        loopback.hold()
        job = sampler.run([circuit_for()], shots=10)
        loopback.fail(401, count=10_000)
        began = time.monotonic()
        call = job.result if moment == "waiting" else lambda: sampler.run([circuit_for(step=1)])
        with pytest.raises(DeviceFault, match="token refused, and no fresh one"):
            call()
        assert time.monotonic() - began < 3
        loopback.clear()
        # nothing is lost: the job is still there
        assert sampler.run([circuit_for()], shots=10).job_id() == job.job_id()
        job.result()
        assert loopback.submissions() == 1

    def test_an_account_that_is_gone_ends_it(self, loopback, opened, monkeypatch):
        sampler = opened(qubits=2)
        monkeypatch.delenv("QISKIT_IBM_TOKEN")
        loopback.revoke_tokens()
        with pytest.raises(DeviceFault, match="needs an IBM Quantum account"):
            sampler.run([circuit_for()], shots=10)

    def test_a_job_is_cancelled_with_a_fresh_token(self, loopback, opened):
        sampler = opened(qubits=2)
        loopback.hold()
        job = sampler.run([circuit_for()], shots=10)
        loopback.revoke_tokens()
        job.cancel()
        assert job.cancelled()
        assert [row.state for row in sampler.ledger.jobs()] == ["cancelled"]
        with pytest.raises(DeviceFault, match="cannot be cancelled"):
            job.cancel()
