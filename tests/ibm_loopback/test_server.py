"""The genuine IBM client against the loopback server."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import Parameter
from qiskit_ibm_runtime import Batch, QiskitRuntimeService, Session
from qiskit_ibm_runtime.exceptions import (
    IBMNotAuthorizedError,
    IBMRuntimeError,
    RuntimeInvalidStateError,
    RuntimeJobFailureError,
)
from qiskit_ibm_runtime.executor_sampler import Sampler
from scipy.stats import chi2_contingency

from ibm_loopback.server import BASE, TOKEN, LoopbackIBM
from qbrain.backends.registry import open_sampler

JOBS = f"{BASE}/jobs$"


def flip(qubits: int = 1, on: int = 0) -> QuantumCircuit:
    circuit = QuantumCircuit(qubits, qubits)
    circuit.x(on)
    circuit.measure(range(qubits), range(qubits))
    return circuit


def isa(circuit: QuantumCircuit, device: Any, first: int = 10) -> QuantumCircuit:
    layout = list(range(first, first + circuit.num_qubits))
    return transpile(circuit, device, initial_layout=layout, optimization_level=1)


@pytest.fixture
def fez(ibm: QiskitRuntimeService) -> Any:
    return ibm.backend("ibm_fez")


@pytest.fixture
def sampler(fez: Any) -> Sampler:
    return Sampler(mode=fez)


def result_of(job: Any) -> Any:
    return job.result(timeout=30, poll_interval=0.1)


# ---- a device


def test_the_account_has_one_instance_and_the_devices_asked_for(start_ibm: Any) -> None:
    start_ibm(devices=["ibm_fez", "ibm_torino"], plan="open")
    service = QiskitRuntimeService()
    assert sorted(device.name for device in service.backends()) == ["ibm_fez", "ibm_torino"]
    assert service.instances()[0]["plan"] == "open"
    assert service.instances()[0]["pricing_type"] == "free"
    assert service.least_busy(min_num_qubits=140).name == "ibm_fez"
    assert service.usage()["usage_remaining_seconds"] == 36_000
    assert service.backend("ibm_torino").num_qubits == 133


def test_the_instance_may_be_found_by_the_client_itself(
    loopback: LoopbackIBM, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QISKIT_IBM_INSTANCE", "auto")
    service = QiskitRuntimeService()
    assert service.backend("ibm_fez").name == "ibm_fez"
    assert service.active_instance() == loopback.instance


def test_the_target_is_that_of_the_bundled_calibration(fez: Any) -> None:
    from qiskit_ibm_runtime.fake_provider import FakeFez

    fake = FakeFez().target
    assert fez.target.num_qubits == 156
    assert fez.status().operational
    for name in ("cz", "sx", "x", "rz", "measure"):
        assert set(fez.target[name]) <= set(fake[name])
        for place, properties in fez.target[name].items():
            assert properties.error == fake[name][place].error
            assert properties.duration == fake[name][place].duration
    assert "rzz" not in fez.target.operation_names


def test_fractional_gates_are_offered_to_those_who_ask(ibm: QiskitRuntimeService) -> None:
    target = ibm.backend("ibm_fez", use_fractional_gates=True).target
    assert {"rx", "rzz"} <= set(target.operation_names)
    assert target.supported_angle_bound("rzz", [1.5])
    assert not target.supported_angle_bound("rzz", [-0.1])
    assert 0 < target["rzz"][7, 17].error < 0.02


# ---- results


def test_one_job_of_several_pubs_bound_and_not(sampler: Sampler, fez: Any) -> None:
    angle = Parameter("angle")
    turned = QuantumCircuit(1, 1)
    turned.rx(angle, 0)
    turned.measure(0, 0)
    turned = isa(turned, fez, first=50)
    values = [[0.0], [math.pi / 2], [math.pi]]
    job = sampler.run(
        [isa(flip(3), fez), (turned, values), turned.assign_parameters([math.pi])], shots=2000
    )
    first, second, third = result_of(job)
    assert first.data.c.get_counts()["001"] > 1850
    ones = [second.data.c.get_counts(point).get("1", 0) / 2000 for point in range(3)]
    np.testing.assert_allclose(ones, [0, 0.5, 1], atol=0.05)
    assert third.data.c.get_counts()["1"] > 1900
    assert second.data.shape == (3,)
    # 2 s for the job and 250 microseconds a shot
    assert 2 + 5 * 2000 * 250e-6 < job.usage() < 2 + 5 * 2000 * 260e-6


@pytest.mark.parametrize("on", [0, 1, 2])
def test_bit_order_and_names_of_registers(sampler: Sampler, fez: Any, on: int) -> None:
    circuit = QuantumCircuit(3)
    circuit.x(on)
    circuit.measure_all()
    # a layout that is not in order
    placed = transpile(circuit, fez, initial_layout=[12, 3, 40], optimization_level=1)
    counts = result_of(sampler.run([placed], shots=500))[0].data.meas.get_counts()
    word = "".join("1" if qubit == on else "0" for qubit in (2, 1, 0))
    assert counts[word] > 440


def entangled(target: Any) -> QuantumCircuit:
    """Enough gates for the noise to be seen."""
    circuit = QuantumCircuit(4, 4)
    for layer in range(12):
        for qubit in range(4):
            circuit.rx(0.3 + 0.1 * qubit + 0.05 * layer, qubit)
        for qubit in range(layer % 2, 3, 2):
            circuit.cz(qubit, qubit + 1)
    circuit.measure(range(4), [2, 0, 3, 1])
    return transpile(circuit, target, initial_layout=range(4), optimization_level=1)


def test_counts_are_those_of_the_projects_own_simulation(sampler: Sampler, fez: Any) -> None:
    shots = 20_000
    own = open_sampler("fake_fez", qubits=4, seed=11)
    circuit = entangled(own.target)
    whole = QuantumCircuit(fez.num_qubits, 4)
    whole.compose(circuit, qubits=own.details["physical_qubits"], clbits=range(4), inplace=True)
    ours = own.run([circuit], shots=shots).result()[0].data.c.get_counts()
    theirs = result_of(sampler.run([whole], shots=shots))[0].data.c.get_counts()
    ideal = open_sampler("aer", qubits=4, seed=12).run([circuit], shots=shots).result()
    perfect = ideal[0].data.c.get_counts()
    words = sorted(set(ours) | set(theirs) | set(perfect))

    def likelihood(a: dict[str, int], b: dict[str, int]) -> float:
        rows = np.array([[a.get(word, 0), b.get(word, 0)] for word in words])
        return float(chi2_contingency(rows[rows.sum(axis=1) > 10].T).pvalue)

    assert likelihood(ours, theirs) > 1e-3
    assert likelihood(perfect, theirs) < 1e-30


def test_twirling(sampler: Sampler, fez: Any, loopback: LoopbackIBM) -> None:
    angle = Parameter("angle")
    bell = QuantumCircuit(2, 2)
    bell.rx(angle, 0)
    bell.cx(0, 1)
    bell.measure([0, 1], [0, 1])
    bell = isa(bell, fez)
    sampler.options.twirling.enable_gates = True
    sampler.options.twirling.enable_measure = True
    sampler.options.twirling.num_randomizations = 16
    job = sampler.run([(bell, [[0.0], [math.pi]]), isa(flip(3, on=1), fez)], shots=1600)
    first, second = result_of(job)
    assert first.data.c.num_shots == 1600
    assert first.data.c.get_counts(0)["00"] > 1400
    assert first.data.c.get_counts(1)["11"] > 1400
    assert second.data.c.get_counts()["010"] > 1400
    # the wire carried what was read before the flips were undone
    raw = json.loads(next(iter(loopback.jobs.values())).result)
    assert "measurement_flips.c" in raw["data"][0]["results"]


def test_dynamical_decoupling(sampler: Sampler, fez: Any) -> None:
    sampler.options.dynamical_decoupling.enable = True
    sampler.options.dynamical_decoupling.sequence_type = "XY4"
    circuit = QuantumCircuit(2, 2)
    circuit.x(0)
    circuit.delay(2000, 1)
    circuit.barrier()
    circuit.cz(0, 1)
    circuit.measure([0, 1], [0, 1])
    counts = result_of(sampler.run([isa(circuit, fez)], shots=500))[0].data.c.get_counts()
    assert counts["01"] > 430


def test_fractional_rzz_runs_and_its_bounds_hold(ibm: QiskitRuntimeService) -> None:
    fez = ibm.backend("ibm_fez", use_fractional_gates=True)
    sampler = Sampler(mode=fez)
    angle = Parameter("angle")
    circuit = QuantumCircuit(fez.num_qubits, 2)
    for _ in range(2):
        # on |+0>, half a turn about ZZ is half a turn about Z
        circuit.rx(math.pi / 2, 7)
        circuit.rzz(angle, 7, 17)
        circuit.rzz(angle, 7, 17)
    circuit.measure([7, 17], [0, 1])
    good = result_of(sampler.run([(circuit, [math.pi / 2])], shots=500))[0]
    assert good.data.c.get_counts()["00"] > 430
    job = sampler.run([(circuit, [-0.2])], shots=500)
    with pytest.raises(RuntimeJobFailureError, match=r"1517.*rzz\(-0\.2\)"):
        result_of(job)


def test_the_same_program_gives_the_same_shots(start_ibm: Any) -> None:
    counts = []
    for seed in (5, 5, 6):
        start_ibm(seed=seed)
        device = QiskitRuntimeService().backend("ibm_fez")
        sampler = Sampler(mode=device)
        sampler.options.twirling.enable_gates = True
        if counts:
            result_of(sampler.run([isa(flip(), device)], shots=100))  # another job before it
        bell = QuantumCircuit(2, 2)
        bell.rx(Parameter("angle"), 0)
        bell.cx(0, 1)
        bell.measure([0, 1], [0, 1])
        pub = (isa(bell, device), [1.0])
        first, second = result_of(sampler.run([pub, pub], shots=640))
        assert first.data.c.get_counts() != second.data.c.get_counts()
        counts.append(first.data.c.get_counts())
    assert counts[0] == counts[1] != counts[2]


def test_many_places_in_one_circuit(sampler: Sampler, fez: Any) -> None:
    """Forty qubits that nothing joins are forty small simulations."""
    circuit = QuantumCircuit(fez.num_qubits, 40)
    for qubit in range(0, 40, 2):
        circuit.x(qubit)
    circuit.measure(range(40), range(40))
    bits = result_of(sampler.run([circuit], shots=200))[0].data.c.to_bool_array(order="little")
    assert bits[:, 0::2].mean() > 0.9
    assert bits[:, 1::2].mean() < 0.1


def test_idle_noise(start_ibm: Any) -> None:
    kept = []
    for idle in (False, True):
        start_ibm(idle_noise=idle)
        device = QiskitRuntimeService().backend("ibm_fez")
        circuit = QuantumCircuit(device.num_qubits, 2)
        circuit.x(10)
        circuit.barrier(10, 11)
        for _ in range(1500):
            circuit.x(11)
        circuit.barrier(10, 11)
        circuit.measure([10, 11], [0, 1])
        bits = result_of(Sampler(mode=device).run([circuit], shots=1000))[0].data.c
        kept.append(bits.to_bool_array(order="little")[:, 0].mean())
    assert kept[1] < kept[0] - 0.1


# ---- jobs


def test_jobs_are_found_by_their_tags(
    ibm: QiskitRuntimeService, sampler: Sampler, fez: Any, loopback: LoopbackIBM
) -> None:
    loopback.hold()
    circuit = isa(flip(), fez)
    ids = []
    for step in range(4):
        sampler.options.environment.job_tags = ["run-7", f"step-{step}"]
        ids.append(sampler.run([circuit], shots=10).job_id())
    assert [job.job_id() for job in ibm.jobs(job_tags=["run-7"])] == ids[::-1]
    assert [job.job_id() for job in ibm.jobs(job_tags=["run-7", "step-2"])] == [ids[2]]
    assert ibm.jobs(job_tags=["run-8"]) == []
    assert [job.job_id() for job in ibm.jobs(limit=2, skip=1, descending=False)] == ids[1:3]
    assert len(ibm.jobs(pending=True, backend_name="ibm_fez")) == 4
    assert ibm.jobs(pending=False) == []
    assert ibm.jobs(backend_name="ibm_torino") == []
    loopback.release()
    job = ibm.job(ids[1])
    assert result_of(job)[0].data.c.num_shots == 10
    assert job.tags == ["run-7", "step-1"]
    assert job.update_tags(["other"]) == ["other"]
    assert job.metrics()["timestamps"]["finished"].endswith("Z")
    ibm.delete_job(ids[0])
    assert len(ibm.jobs(limit=None)) == 3


def test_more_jobs_than_a_page(
    ibm: QiskitRuntimeService, sampler: Sampler, fez: Any, loopback: LoopbackIBM
) -> None:
    loopback.hold()
    circuit = isa(flip(), fez)
    for _ in range(25):
        sampler.run([circuit], shots=10)
    assert len({job.job_id() for job in ibm.jobs(limit=None)}) == 25


def test_a_job_waits_runs_and_completes(sampler: Sampler, fez: Any, loopback: LoopbackIBM) -> None:
    loopback.queue_seconds, loopback.run_seconds = 0.4, 0.4
    job = sampler.run([isa(flip(), fez)], shots=10)
    seen = []
    start = time.monotonic()
    while not job.in_final_state():
        seen.append(job._status)
        time.sleep(0.02)
        assert time.monotonic() - start < 20
    assert list(dict.fromkeys(seen)) == ["QUEUED", "RUNNING"]
    assert job.status() == "DONE"
    assert time.monotonic() - start > 0.7


def test_cancel(sampler: Sampler, fez: Any, loopback: LoopbackIBM) -> None:
    loopback.hold()
    job = sampler.run([isa(flip(), fez)], shots=10)
    job.cancel()
    assert job.status() == "CANCELLED"
    with pytest.raises(RuntimeInvalidStateError, match="was cancelled"):
        job.result()
    with pytest.raises(RuntimeInvalidStateError, match="cannot be cancelled"):
        job.cancel()
    second = sampler.run([isa(flip(), fez)], shots=10)
    loopback.cancel_job()
    assert second.status() == "CANCELLED"


def test_session_and_batch(ibm: QiskitRuntimeService, fez: Any, loopback: LoopbackIBM) -> None:
    circuit = isa(flip(), fez)
    for mode, name in ((Session, "dedicated"), (Batch, "batch")):
        with mode(backend=fez, max_time="10m") as group:
            sampler = Sampler(mode=group)
            jobs = [sampler.run([circuit], shots=10) for _ in range(2)]
            for job in jobs:
                result_of(job)
            assert group.details()["mode"] == name
            assert group.details()["max_time"] == 600
            assert group.status() == "Pending"  # idle until the next job
        assert group.status() == "Closed"
        assert group.usage() > 4
        found = ibm.jobs(session_id=group.session_id)
        assert {job.job_id() for job in found} == {job.job_id() for job in jobs}
    assert len(loopback.sessions) == 2


def test_an_open_plan_refuses_sessions_but_not_batches(start_ibm: Any) -> None:
    start_ibm(plan="open")
    device = QiskitRuntimeService().backend("ibm_fez")
    with pytest.raises(Exception, match=r"400.*1352.*open plan"):
        Session(backend=device)
    with Batch(backend=device) as batch:
        result_of(Sampler(mode=batch).run([isa(flip(), device)], shots=10))


# ---- faults


def test_a_session_that_closes_early(fez: Any, loopback: LoopbackIBM) -> None:
    circuit = isa(flip(), fez)
    session = Session(backend=fez)
    sampler = Sampler(mode=session)
    loopback.close_session(after_jobs=1)
    result_of(sampler.run([circuit], shots=10))
    with pytest.raises(IBMRuntimeError, match="Session has been closed"):
        sampler.run([circuit], shots=10)
    assert session.status() == "Closed"
    loopback.hold()
    batch = Batch(backend=fez)
    job = Sampler(mode=batch).run([circuit], shots=10)
    loopback.close_session()
    with pytest.raises(RuntimeJobFailureError, match="closed before the job"):
        job.result()


def test_a_job_that_fails(sampler: Sampler, fez: Any, loopback: LoopbackIBM) -> None:
    loopback.fail_jobs(1, reason="The fridge is warm.", code=9999)
    circuit = isa(flip(), fez)
    failed, good = sampler.run([circuit], shots=10), sampler.run([circuit], shots=10)
    with pytest.raises(RuntimeJobFailureError, match=r"9999.*fridge"):
        result_of(failed)
    assert failed.status() == "ERROR"
    assert "fridge" in failed.error_message()
    assert result_of(good)[0].data.c.num_shots == 10


def test_a_circuit_that_the_device_does_not_know_fails(sampler: Sampler, fez: Any) -> None:
    far = QuantumCircuit(fez.num_qubits, 1)
    far.cz(0, 100)
    far.measure(0, 0)
    with pytest.raises(RuntimeJobFailureError, match=r"1517.*cz on qubits \(0, 100\)"):
        result_of(sampler.run([far], shots=10))


def test_http_500_is_tried_again_by_the_client(
    sampler: Sampler, fez: Any, loopback: LoopbackIBM
) -> None:
    circuit = isa(flip(), fez)
    loopback.fail(500, count=2, path=JOBS, method="POST")
    result_of(sampler.run([circuit], shots=10))
    assert loopback.submissions() == 1
    assert [request.status for request in loopback.requests("POST", JOBS)] == [500, 500, 200]


def test_http_500_after_the_job_was_taken_makes_the_client_send_it_twice(
    sampler: Sampler, fez: Any, loopback: LoopbackIBM
) -> None:
    """The client's own retry; whoever must not submit twice has to look."""
    loopback.fail(500, path=JOBS, method="POST", after=True)
    sampler.run([isa(flip(), fez)], shots=10)
    assert loopback.submissions() == 2


def test_http_429_reaches_the_caller(sampler: Sampler, fez: Any, loopback: LoopbackIBM) -> None:
    loopback.fail(429, path=JOBS, method="POST", skip=1)
    circuit = isa(flip(), fez)
    sampler.run([circuit], shots=10)
    with pytest.raises(IBMRuntimeError, match=r"429.*Too many requests"):
        sampler.run([circuit], shots=10)
    assert loopback.submissions() == 1


@pytest.mark.parametrize("fault", ["cut", "drop"])
def test_a_broken_answer_to_a_submission(
    ibm: QiskitRuntimeService, fez: Any, loopback: LoopbackIBM, fault: str
) -> None:
    sampler = Sampler(mode=fez)
    sampler.options.environment.job_tags = ["lost"]
    circuit = isa(flip(), fez)
    if fault == "cut":
        loopback.cut(path=JOBS, method="POST")
    else:
        # the client tries again where it got no answer at all, but not a POST
        loopback.drop(path=JOBS, method="POST", after=True)
    with pytest.raises(IBMRuntimeError):
        sampler.run([circuit], shots=10)
    (job,) = ibm.jobs(job_tags=["lost"])
    assert result_of(job)[0].data.c.num_shots == 10


def test_results_cut_in_half_can_be_fetched_again(
    sampler: Sampler, fez: Any, loopback: LoopbackIBM
) -> None:
    job = sampler.run([isa(flip(), fez)], shots=10)
    loopback.cut(path="/results$")
    with pytest.raises(Exception, match=r"(?i)incomplete|broken"):
        result_of(job)
    assert result_of(job)[0].data.c.num_shots == 10


def test_refused_connections(sampler: Sampler, fez: Any, loopback: LoopbackIBM) -> None:
    job = sampler.run([isa(flip(), fez)], shots=10)
    loopback.refuse(0.7)
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"http://127.0.0.1:{loopback.port}/control")
    # the client tries again by itself, at 0, 1 and 2 seconds
    assert result_of(job)[0].data.c.num_shots == 10
    loopback.refuse(60)


def test_tokens_expire_and_are_fetched_anew(start_ibm: Any) -> None:
    server = start_ibm(token_seconds=1)
    service = QiskitRuntimeService()
    service.usage()
    before = len(server.requests("POST", "/identity/token"))
    time.sleep(2.1)  # the client counts whole seconds
    service.usage()
    assert len(server.requests("POST", "/identity/token")) > before


def test_tokens_may_be_revoked_before_they_expire(
    ibm: QiskitRuntimeService, loopback: LoopbackIBM
) -> None:
    loopback.revoke_tokens()
    with pytest.raises(IBMNotAuthorizedError):
        ibm.usage()
    # this client keeps its token; a new one asks for another
    assert QiskitRuntimeService().usage()["usage_consumed_seconds"] == 0


def test_a_wrong_key_is_refused(loopback: LoopbackIBM, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QISKIT_IBM_TOKEN", "another")
    with pytest.raises(Exception, match="Unable to retrieve instances"):
        QiskitRuntimeService()


def test_jobs_outlive_the_server(start_ibm: Any, tmp_path: Path) -> None:
    first = start_ibm(directory=tmp_path)
    service = QiskitRuntimeService()
    sampler = Sampler(mode=service.backend("ibm_fez"))
    circuit = isa(flip(), sampler.backend())
    done = sampler.run([circuit], shots=10)
    counts = result_of(done)[0].data.c.get_counts()
    first.hold()
    waiting = sampler.run([circuit], shots=10)
    first.stop()
    second = start_ibm(directory=tmp_path, port=first.port)
    assert result_of(service.job(done.job_id()))[0].data.c.get_counts() == counts
    assert result_of(waiting)[0].data.c.num_shots == 10
    assert second.submissions() == 2


# ---- watching it


def test_the_log_and_the_control_endpoint(
    sampler: Sampler, fez: Any, loopback: LoopbackIBM
) -> None:
    url = f"http://127.0.0.1:{loopback.port}/control"

    def order(**body: Any) -> Any:
        request = urllib.request.Request(url, json.dumps(body).encode(), method="POST")
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    assert order(do="fail", status=429, path=JOBS, method="POST") == {"done": "fail"}
    with pytest.raises(IBMRuntimeError):
        sampler.run([isa(flip(), fez)], shots=10)
    order(do="hold", set={"plan": "open"})
    sampler.run([isa(flip(), fez)], shots=10)
    with urllib.request.urlopen(url) as answer:
        status = json.load(answer)
    assert status["states"] == {"QUEUED": 1}
    assert status["submissions"] == 1
    assert loopback.plan == "open"
    with urllib.request.urlopen(f"{url}/log") as answer:
        log = json.load(answer)
    assert sum(entry["path"] == f"{BASE}/jobs" for entry in log) == 2
    with pytest.raises(urllib.error.HTTPError, match="400"):
        order(do="stop")
    # the key goes to the identity service and nowhere else
    holders = {entry["path"] for entry in log if TOKEN in json.dumps(entry)}
    assert holders == {"/identity/token"}


def test_served_by_hand() -> None:
    script = Path(__file__).with_name("serve.py")
    with subprocess.Popen(
        [sys.executable, str(script), "--port", "0"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            lines = [process.stdout.readline() for _ in range(7)]
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    assert [line.split("=")[0] for line in lines[:1]] == ["export IAM_URL"]
    assert any(line.startswith("export QISKIT_IBM_URL=http://127.0.0.1:") for line in lines)
