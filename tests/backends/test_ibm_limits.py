"""What a device takes in one job, how often, and how larger things are cut."""

import time

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit_ibm_runtime.executor.calculate_twirling_shots import calculate_twirling_shots

from qbrain.backends.billing import Repetition, executed_shots, job_seconds
from qbrain.backends.errors import BackendError
from qbrain.backends.ibm_limits import MOST_SECONDS, Pace, job_sizes, payload_bytes
from qbrain.backends.snapshot import cut, load


def circuit(gates=4):
    made = QuantumCircuit(2, 2)
    for _ in range(gates):
        made.sx(0)
        made.cz(0, 1)
    made.measure([0, 1], [0, 1])
    return made


def sizes(circuits, shots, name="fake_kingston", **options):
    return job_sizes(circuits, shots, cut(name, 2).target, load(name).repetition, **options)


@pytest.mark.parametrize(
    ("circuits", "shots", "most_circuits", "wanted"),
    [
        (7, 1000, None, [7]),
        (300, 1000, 300, [300]),
        (301, 1000, 300, [300, 1]),
        (601, 1000, 300, [300, 300, 1]),
        (100, 100_000, 300, [100]),  # ten million executions
        (101, 100_000, 300, [100, 1]),
        (250, 99_999, 300, [100, 100, 50]),
    ],
)
def test_circuits_and_executions(circuits, shots, most_circuits, wanted):
    found = sizes([circuit()] * circuits, shots, most_circuits=most_circuits)
    assert found == wanted


def test_three_hours_of_a_device_that_waits_four_milliseconds():
    # ten million executions would last eleven hours
    many = [circuit()] * 60
    found = sizes(many, 100_000, "fake_miami", most_circuits=75)
    assert sum(found) == 60
    target, repetition = cut("fake_miami", 2).target, load("fake_miami").repetition
    lengths = [job_seconds(many[:n], 100_000, target, repetition) for n in found]
    assert all(seconds <= MOST_SECONDS for seconds in lengths)
    assert all(
        job_seconds(many[: n + 1], 100_000, target, repetition) > MOST_SECONDS for n in found[:-1]
    )
    # a circuit of four million shots fits in no job
    with pytest.raises(BackendError, match="10,798 seconds of quantum time"):
        sizes([circuit()], 4_000_000, "fake_miami")


def test_a_circuit_too_large_for_any_job(monkeypatch):
    from qbrain.backends import ibm_limits

    with pytest.raises(BackendError, match=r"at most 10,000,000 executions.*got 10,000,001"):
        sizes([circuit()], 10_000_001)
    monkeypatch.setattr(ibm_limits, "MOST_TWO_QUBIT_GATES", 30)
    assert sizes([circuit(30)], 10) == [1]
    with pytest.raises(BackendError, match=r"at most 30 two-qubit gates on mine, got 31"):
        job_sizes(
            [circuit(30), circuit(31)],
            10,
            cut("fake_kingston", 2).target,
            Repetition(),
            name="mine",
        )
    monkeypatch.setattr(ibm_limits, "MOST_BYTES", 2 * payload_bytes(circuit(), twirled=False))
    assert sizes([circuit()] * 5, 10) == [2, 2, 1]
    with pytest.raises(BackendError, match="bytes of payload"):
        sizes([circuit()], 10, twirled=True)


def test_shots_of_twirled_circuits_are_those_of_the_client():
    for shots in (1, 63, 64, 65, 100, 1000, 2048, 2049, 4000, 4096, 99_999):
        number, each = calculate_twirling_shots(shots, "auto", "auto")
        assert executed_shots(shots, twirled=True) == number * each
        assert executed_shots(shots, twirled=False) == shots


@pytest.mark.filterwarnings("ignore:The backend")
@pytest.mark.parametrize("twirled", [False, True])
def test_the_payload_is_never_larger_than_expected(loopback, ibm, twirled):
    from qiskit_ibm_runtime.executor_sampler import Sampler

    loopback.hold()
    device, random = ibm.backend("ibm_fez"), np.random.default_rng(1)
    for gates in (1, 30, 400):
        made = []
        for _ in range(3):
            one = QuantumCircuit(156, 2)
            for angle in random.uniform(-3, 3, gates):
                one.rz(angle, 0)
                one.sx(0)
                one.cz(0, 1)
            one.measure([0, 1], [0, 1])
            made.append(one)
        sampler = Sampler(mode=device)
        sampler.options.twirling.enable_gates = twirled
        sampler.run(made, shots=100)
        size = len(loopback.requests("POST", r"/jobs$")[-1].body)
        expected = sum(payload_bytes(each, twirled=twirled) for each in made)
        assert size <= expected


def test_the_pace_of_submissions(monkeypatch):
    monkeypatch.setenv("QBRAIN_IBM_JOBS_A_MINUTE", "3")
    told = []
    pace, began, sent = Pace(window=1.5), time.monotonic(), []
    for _ in range(7):
        pace.wait(told.append)
        sent.append(time.monotonic() - began)
    # never more than three in any window, and no later than need be
    assert all(later - sooner >= 1.5 for sooner, later in zip(sent, sent[3:], strict=False))
    assert sent[2] < 0.5
    assert 3.0 <= sent[6] < 4.5
    assert told
    assert all("the service takes 3 jobs a minute and token" in line for line in told)


def test_a_pace_without_a_limit_never_waits(monkeypatch):
    monkeypatch.setenv("QBRAIN_IBM_JOBS_A_MINUTE", "0")
    pace = Pace()
    assert [pace.wait(print) for _ in range(20)] == [0.0] * 20
    monkeypatch.setenv("QBRAIN_IBM_JOBS_A_MINUTE", "many")
    with pytest.raises(BackendError, match="QBRAIN_IBM_JOBS_A_MINUTE: wanted a whole number"):
        pace.wait(print)
