"""What the loopback service refuses, and how, to the genuine client."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from qiskit import QuantumCircuit
from qiskit_ibm_runtime import Batch, QiskitRuntimeService
from qiskit_ibm_runtime.exceptions import IBMRuntimeError, RuntimeJobFailureError
from qiskit_ibm_runtime.executor_sampler import Sampler

from ibm_loopback.limits import Limits, executions
from ibm_loopback.server import LoopbackIBM

# the client says so itself, once usage or device are not as they should be
pytestmark = [
    pytest.mark.filterwarnings("ignore:The backend"),
    pytest.mark.filterwarnings("ignore:This instance"),
    pytest.mark.filterwarnings("ignore:There is currently no more time"),
]


def circuit(width: int = 156) -> QuantumCircuit:
    made = QuantumCircuit(width, 1)
    made.x(7)
    made.measure(7, 0)
    return made


def opened() -> Sampler:
    return Sampler(mode=QiskitRuntimeService().backend("ibm_fez"))


@pytest.fixture
def sampler(loopback: LoopbackIBM) -> Sampler:
    return opened()


def result_of(job: Any) -> Any:
    return job.result(timeout=30, poll_interval=0.1)


@pytest.mark.parametrize("shots", [100_000, 100_001])
def test_the_most_shots_of_the_device(sampler: Sampler, loopback: LoopbackIBM, shots: int) -> None:
    if shots > 100_000:
        with pytest.raises(IBMRuntimeError, match=r"400.*shots: at most 100000, got 100001"):
            sampler.run([circuit()], shots=shots)
        assert loopback.submissions() == 0
    else:
        assert result_of(sampler.run([circuit()], shots=shots))[0].data.c.num_shots == shots


def test_the_most_circuits_of_the_device(sampler: Sampler, loopback: LoopbackIBM) -> None:
    loopback.hold()
    sampler.run([circuit()] * 300, shots=1)
    with pytest.raises(IBMRuntimeError, match=r"400.*circuits: at most 300, got 301"):
        sampler.run([circuit()] * 301, shots=1)


@pytest.mark.parametrize(("circuits", "taken"), [(100, True), (101, False)])
def test_ten_million_executions(
    sampler: Sampler, loopback: LoopbackIBM, circuits: int, taken: bool
) -> None:
    loopback.hold()
    if taken:
        sampler.run([circuit()] * circuits, shots=100_000)
        (job,) = loopback.jobs.values()
        assert executions(job.params) == 10_000_000
    else:
        with pytest.raises(IBMRuntimeError, match=r"400.*at most 10000000 a job, got 10100000"):
            sampler.run([circuit()] * circuits, shots=100_000)


@pytest.mark.slow
def test_twirls_count_as_circuits(sampler: Sampler, loopback: LoopbackIBM) -> None:
    loopback.hold()
    sampler.options.twirling.enable_measure = True
    sampler.options.twirling.num_randomizations = 16
    sampler.options.twirling.shots_per_randomization = 25
    sampler.run([circuit()] * 3, shots=400)
    (job,) = loopback.jobs.values()
    assert executions(job.params) == 3 * 16 * 25


def test_limits_that_fail_the_job_instead(start_ibm: Callable[..., LoopbackIBM]) -> None:
    start_ibm(validation="job")
    job = opened().run([circuit()], shots=100_001)
    with pytest.raises(RuntimeJobFailureError, match=r"1002.*at most 100000, got 100001"):
        result_of(job)


@pytest.mark.slow
def test_limits_of_the_configuration_may_be_left_alone(
    start_ibm: Callable[..., LoopbackIBM],
) -> None:
    server = start_ibm(limits=Limits(configuration=False))
    server.hold()
    opened().run([circuit()], shots=100_001)
    assert server.submissions() == 1


def test_a_payload_too_large(start_ibm: Callable[..., LoopbackIBM]) -> None:
    server = start_ibm(limits=Limits(payload_bytes=1000))
    with pytest.raises(IBMRuntimeError, match=r"413.*Payload too large"):
        opened().run([circuit()], shots=1)
    assert server.submissions() == 0


def test_tags_delays_and_times_beyond_the_limits(sampler: Sampler, loopback: LoopbackIBM) -> None:
    sampler.options.environment.job_tags = [f"tag-{number}" for number in range(9)]
    with pytest.raises(IBMRuntimeError, match=r"400.*1204.*at most 8 tags, got 9"):
        sampler.run([circuit()], shots=1)
    sampler.options.environment.job_tags = ["x" * 87]
    with pytest.raises(IBMRuntimeError, match=r"400.*1205.*86"):
        sampler.run([circuit()], shots=1)
    sampler.options.environment.job_tags = []
    sampler.options.execution.rep_delay = 0.0006
    with pytest.raises(IBMRuntimeError, match=r"400.*6050.*Rep delay"):
        sampler.run([circuit()], shots=1)
    sampler.options.execution.rep_delay = 0.0005
    assert result_of(sampler.run([circuit()], shots=1))[0].data.c.num_shots == 1
    sampler.options.max_execution_time = 10_801
    with pytest.raises(IBMRuntimeError, match=r"400.*1 to 10800 s"):
        sampler.run([circuit()], shots=1)
    assert loopback.submissions() == 1


@pytest.mark.parametrize(
    "status",
    [
        "paused",
        pytest.param("maintenance", marks=pytest.mark.slow),
        pytest.param("offline", marks=pytest.mark.slow),
    ],
)
def test_a_device_that_does_not_run_keeps_jobs_waiting(
    sampler: Sampler, loopback: LoopbackIBM, status: str
) -> None:
    loopback.set_device("ibm_fez", status, "Back at noon.")
    device = sampler.backend()
    told = device.status()
    assert (told.status_msg, told.operational) == (status, status == "paused")
    job = sampler.run([circuit()], shots=10)
    time.sleep(0.5)
    assert job.status() == "QUEUED"
    loopback.set_device("ibm_fez")
    assert result_of(job)[0].data.c.num_shots == 10


def test_a_retired_device_refuses_jobs_and_is_not_listed(
    start_ibm: Callable[..., LoopbackIBM],
) -> None:
    server = start_ibm(devices=["ibm_fez", "ibm_torino"])
    sampler = opened()
    batched = Sampler(mode=Batch(backend=sampler.backend()))
    server.set_device("ibm_fez", "retired")
    assert [device.name for device in QiskitRuntimeService().backends()] == ["ibm_torino"]
    with pytest.raises(Exception, match="No backend"):
        QiskitRuntimeService().backend("ibm_fez")
    # outside a session the client looks for the device before each job
    with pytest.raises(Exception, match="No backend"):
        sampler.run([circuit()], shots=10)
    with pytest.raises(IBMRuntimeError, match=r"400.*1004"):
        batched.run([circuit()], shots=10)
    assert server.submissions() == 0


def test_jobs_of_an_instance_out_of_time_wait(start_ibm: Callable[..., LoopbackIBM]) -> None:
    server = start_ibm(usage_limit_seconds=2)
    sampler = opened()
    result_of(sampler.run([circuit()], shots=10))
    assert QiskitRuntimeService().usage()["usage_limit_reached"]
    job = sampler.run([circuit()], shots=10)
    time.sleep(0.5)
    assert job.status() == "QUEUED"
    server.usage_limit_seconds = 100
    assert result_of(job)[0].data.c.num_shots == 10


@pytest.mark.slow
def test_jobs_of_an_instance_out_of_time_may_be_refused(
    start_ibm: Callable[..., LoopbackIBM],
) -> None:
    server = start_ibm(usage_limit_seconds=0, out_of_usage="refuse")
    with pytest.raises(IBMRuntimeError, match=r"403.*usage limit"):
        opened().run([circuit()], shots=10)
    assert server.submissions() == 0


def test_results_of_a_private_job_are_read_once(sampler: Sampler, loopback: LoopbackIBM) -> None:
    sampler.options.environment.private = True
    job = sampler.run([circuit()], shots=10)
    assert "params" not in json.dumps(loopback.job(*read(job.job_id()))[1])
    assert result_of(job)[0].data.c.num_shots == 10
    with pytest.raises(Exception, match=r"404.*results not found"):
        result_of(job)


def read(job: str) -> tuple[Any, str]:
    from ibm_loopback.records import Request

    return Request("GET", f"/jobs/{job}", {}, {}, b""), job


def test_gates_that_the_device_does_not_have(start_ibm: Callable[..., LoopbackIBM]) -> None:
    start_ibm(devices=["ibm_brisbane"])
    service = QiskitRuntimeService()
    with pytest.raises(Exception, match="fractional"):
        service.backend("ibm_brisbane", use_fractional_gates=True)
    made = QuantumCircuit(127, 1)
    made.rzz(0.3, 0, 1)
    made.measure(0, 0)
    with pytest.raises(RuntimeJobFailureError, match=r"1517.*rzz on qubits \(0, 1\)"):
        result_of(Sampler(mode=service.backend("ibm_brisbane")).run([made], shots=10))


# ---- instances and accounts


def test_instances_have_their_own_jobs_and_usage(
    start_ibm: Callable[..., LoopbackIBM], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = LoopbackIBM(["ibm_fez"]).instance.replace("00000000", "99999999")
    server = start_ibm(more_instances=[other])
    job = opened().run([circuit()], shots=10)
    result_of(job)
    monkeypatch.setenv("QISKIT_IBM_INSTANCE", other)
    elsewhere = QiskitRuntimeService()
    assert elsewhere.jobs() == []
    assert elsewhere.usage()["usage_consumed_seconds"] == 0
    with pytest.raises(Exception, match="not found"):
        elsewhere.job(job.job_id())
    assert server.submissions() == 1


def test_another_account_does_not_see_the_jobs_of_the_first(
    loopback: LoopbackIBM, sampler: Sampler, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = sampler.run([circuit()], shots=10)
    result_of(job)
    loopback.change_account("another-key", loopback.instance.replace("00000000", "77777777"))
    with pytest.raises(Exception, match="401"):
        job.metrics()
    for name, value in loopback.environment().items():
        monkeypatch.setenv(name, value)
    assert QiskitRuntimeService().jobs() == []


def test_a_job_that_the_service_lost(sampler: Sampler, loopback: LoopbackIBM) -> None:
    job = sampler.run([circuit()], shots=10)
    result_of(job)
    loopback.delete_job()
    with pytest.raises(Exception, match=r"404.*1291"):
        job.metrics()


def test_the_list_of_jobs_lags(start_ibm: Callable[..., LoopbackIBM]) -> None:
    start_ibm(list_lag_seconds=1.0)
    service = QiskitRuntimeService()
    job = Sampler(mode=service.backend("ibm_fez")).run([circuit()], shots=10)
    assert service.jobs() == []
    assert service.job(job.job_id()).job_id() == job.job_id()
    time.sleep(1.1)
    assert len(service.jobs()) == 1
