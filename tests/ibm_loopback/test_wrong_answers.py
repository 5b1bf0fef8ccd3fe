"""Each wrong answer arrives, as it is meant to, at whoever asks over plain HTTP."""

from __future__ import annotations

import http.client
import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from ibm_quantum_schemas.common import CompressedTensorModel
from qiskit import QuantumCircuit
from qiskit_ibm_runtime import QiskitRuntimeService
from qiskit_ibm_runtime.executor_sampler import Sampler

from ibm_loopback.answers import CHANGES, DEVICES, HARMLESS_RESULTS, JOBS, RESULTS
from ibm_loopback.faults import FOREVER, Fault
from ibm_loopback.server import BASE, LoopbackIBM


@pytest.fixture
def served() -> Any:
    with LoopbackIBM(["ibm_fez"]) as server:
        yield server


def ask(server: LoopbackIBM, path: str, timeout: float = 5.0) -> tuple[int, dict[str, str], bytes]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.port}{BASE}{path}",
        headers={"Authorization": f"apikey {server.token}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


def test_kinds_of_faults_on_the_wire(served: LoopbackIBM) -> None:
    path = "/backends/ibm_fez/status"
    right = ask(served, path)[2]
    served.html(502)
    code, headers, body = ask(served, path)
    assert (code, headers["Content-Type"]) == (502, "text/html")
    assert body.count(b"\n") > 5
    served.html(200)
    assert ask(served, path)[0] == 200
    for kind, wanted in {
        "null": b"null",
        "empty": b"",
        "truncated": right[: len(right) // 2],
    }.items():
        served.blank(kind)
        assert ask(served, path)[2] == wanted
    served.blank("plain")
    code, headers, body = ask(served, path)
    assert (headers["Content-Type"], body) == ("text/plain", right)
    served.fail(429, retry_after="Fri, 31 Dec 1999 23:59:59 GMT")
    code, headers, body = ask(served, path)
    assert (code, headers["Retry-After"]) == (429, "Fri, 31 Dec 1999 23:59:59 GMT")
    served.trickle(0.3)
    before = time.monotonic()
    assert ask(served, path)[2] == right
    assert time.monotonic() - before > 0.25
    served.cut()
    with pytest.raises(http.client.IncompleteRead):
        ask(served, path)
    served.drop()
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        ask(served, path)
    served.hang()
    with pytest.raises((TimeoutError, socket.timeout)):
        ask(served, path, timeout=0.2)
    assert ask(served, path)[2] == right


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 408, 409, 413, 422, 425, 500, 504])
def test_statuses_carry_ibms_body(served: LoopbackIBM, status: int) -> None:
    served.fail(status)
    code, _, body = ask(served, "/backends")
    assert code == status
    assert json.loads(body)["errors"][0]["message"]


def test_answers_are_changed_while_that_is_open(served: LoopbackIBM) -> None:
    with served.answers("GET", "/status$", lambda code, body: (code, {**body, "status": "busy"})):
        for _ in range(3):
            assert json.loads(ask(served, "/backends/ibm_fez/status")[2])["status"] == "busy"
    assert json.loads(ask(served, "/backends/ibm_fez/status")[2])["status"] == "active"


def test_changes_go_by_name_over_the_control_endpoint(served: LoopbackIBM) -> None:
    served.control({"do": "alter", "change": "status: maintenance", "path": "/status$", "count": 1})
    assert json.loads(ask(served, "/backends/ibm_fez/status")[2])["status"] == "maintenance"
    served.alter("status: null", path="/status$")
    assert json.dumps(served.status())  # what is still to come is JSON, too
    with pytest.raises(ValueError, match="change: wanted one of"):
        served.alter("status: none such")
    with pytest.raises(ValueError, match="kind: wanted one of"):
        Fault("none such")
    with pytest.raises(ValueError, match="change: wanted with kind change"):
        Fault("change")


def test_clear_lets_go_of_who_hangs(served: LoopbackIBM) -> None:
    served.hang(count=FOREVER)
    with pytest.raises(TimeoutError):
        ask(served, "/backends", timeout=0.2)
    served.clear()
    assert ask(served, "/backends")[0] == 200


@pytest.fixture
def finished(start_ibm: Callable[..., LoopbackIBM]) -> tuple[LoopbackIBM, str]:
    server = start_ibm()
    made = QuantumCircuit(156, 3)
    made.x(7)
    made.measure([7, 8, 9], [0, 1, 2])
    sampler = Sampler(mode=QiskitRuntimeService().backend("ibm_fez"))
    job = sampler.run([made, made], shots=20)
    job.wait_for_final_state(timeout=30)
    return server, job.job_id()


def bits(text: bytes, item: int = 0) -> np.ndarray:
    (tensor,) = json.loads(text)["data"][item]["results"].values()
    return CompressedTensorModel(**tensor).to_numpy()


def test_every_wrong_result_differs_from_the_right_one(finished: tuple[LoopbackIBM, str]) -> None:
    server, job = finished
    right = ask(server, f"/jobs/{job}/results")[2]
    assert bits(right).shape == (20, 3)
    bodies = {}
    for name in RESULTS:
        server.alter(f"result: {name}", path="/results$")
        bodies[name] = ask(server, f"/jobs/{job}/results")[2]
        assert bodies[name] != right, name
    assert ask(server, f"/jobs/{job}/results")[2] == right
    assert bits(bodies["half the shots"]).shape == (10, 3)
    assert bits(bodies["one shot more"]).shape == (21, 3)
    assert bits(bodies["narrower registers"]).shape == (20, 2)
    assert bits(bodies["transposed"]).shape == (3, 20)
    assert np.array_equal(bits(bodies["of another job"]), ~bits(right))
    assert np.array_equal(bits(bodies["circuits in another order"]), bits(right, 1))
    for name in HARMLESS_RESULTS:
        assert np.array_equal(bits(bodies[name]), bits(right)), name


def test_every_other_wrong_answer_differs_from_the_right_one(
    finished: tuple[LoopbackIBM, str],
) -> None:
    server, job = finished
    paths = {"job": f"/jobs/{job}", "list": "/jobs", "metrics": f"/jobs/{job}/metrics"}
    paths |= {name: f"/backends/ibm_fez/{name}" for name in DEVICES}
    paths |= {"backends": "/backends", "usage": "/instances/usage"}
    tried = set()
    for name in CHANGES:
        kind = name.partition(": ")[0]
        if kind in paths:
            right = ask(server, paths[kind])[2]
            server.alter(name, path="")
            assert ask(server, paths[kind])[2] != right, name
            tried.add(kind)
    assert tried == set(paths)
    assert set(JOBS) <= {name.removeprefix("job: ") for name in CHANGES}
