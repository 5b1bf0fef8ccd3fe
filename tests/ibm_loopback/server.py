"""IBM Quantum's REST interface on 127.0.0.1, with faults to order.

The genuine ``qiskit-ibm-runtime`` client runs against it by environment alone
(:meth:`LoopbackIBM.environment`). It answers what that client asks for, in the form that it
decodes, refuses what IBM refuses (:mod:`.limits`), and runs what it is sent on the calibration of
a real device.

Error codes 1002, 1004, 1007, 1200, 1201, 1202, 1204, 1205, 1208, 1291, 1352, 1517 and 6050 mean
what they mean at IBM; the others stand in for codes that could not be looked up, and nobody should
tell them apart.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
import json
import os
import re
import secrets
import socket
import threading
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from .device import Device, Outcome, ProgramError, open_device
from .faults import FOREVER, ApiError, Fault
from .limits import DeviceState, Limits
from .orders import Orders
from .records import Job, Request, SessionRecord
from .wire import HttpServer, decoded

__all__ = ["FOREVER", "Fault", "Job", "LoopbackIBM", "Request", "SessionRecord"]

HOST = "127.0.0.1"
BASE = "/experimental"
TOKEN = "loopback-api-key-that-no-artefact-may-contain"
CRN = (
    "crn:v1:bluemix:public:quantum-computing:us-east:"
    "a/0123456789abcdef0123456789abcdef:00000000-1111-2222-3333-444444444444::"
)
PLAN_ID = "loopback-plan"
FINAL = ("COMPLETED", "FAILED", "CANCELLED")
LOGGED_REQUESTS = 50_000
MOST_JOBS_A_PAGE = 200


class LoopbackIBM(Orders):
    """The server; a context manager that serves while it is open.

    Args:
        devices: names such as ``ibm_fez``.
        port: 0 for any free one.
        seed: of all results (see :meth:`Device.run`); None for fresh randomness.
        token: the API key that it takes.
        instance: CRN of the account's instance.
        more_instances: CRNs of further ones; jobs, sessions and usage are an instance's own.
        plan: ``open`` refuses sessions; any other name takes them.
        queue_seconds: how long a job stays queued at least.
        run_seconds: how long a job runs at least.
        token_seconds: life of the access tokens that it gives out.
        idle_noise: see :class:`Device`.
        directory: keeps jobs, results and sessions here, so that a server started again on the
            same directory and port goes on where this one ended.
        usage_limit_seconds: of an instance.
        out_of_usage: ``queue`` keeps the jobs of an instance whose time is used up waiting, as
            IBM says of itself; ``refuse`` does not take them.
        limits: see :class:`.limits.Limits`.
        validation: ``submit`` refuses what is beyond the limits at once; ``job`` takes it and lets
            the job fail, as IBM does where its validation comes after the request.
        list_lag_seconds: how long a job is not in the list of jobs after it was taken.
    """

    def __init__(
        self,
        devices: Iterable[str] = ("ibm_fez",),
        *,
        port: int = 0,
        seed: int | None = 0,
        token: str = TOKEN,
        instance: str = CRN,
        plan: str = "premium",
        queue_seconds: float = 0.0,
        run_seconds: float = 0.0,
        token_seconds: int = 3600,
        idle_noise: bool = False,
        directory: str | os.PathLike[str] | None = None,
        usage_limit_seconds: float = 36_000,
        more_instances: Iterable[str] = (),
        out_of_usage: str = "queue",
        limits: Limits | None = None,
        validation: str = "submit",
        list_lag_seconds: float = 0.0,
    ) -> None:
        if out_of_usage not in ("queue", "refuse"):
            raise ValueError(f"out_of_usage: wanted queue or refuse, got {out_of_usage!r}")
        if validation not in ("submit", "job"):
            raise ValueError(f"validation: wanted submit or job, got {validation!r}")
        self.devices = {name: open_device(name, idle_noise) for name in devices}
        self.port = port
        self.seed = seed
        self.token = token
        self.instance = instance
        self.plan = plan
        self.queue_seconds = queue_seconds
        self.run_seconds = run_seconds
        self.token_seconds = token_seconds
        self.usage_limit_seconds = usage_limit_seconds
        self.more_instances = list(more_instances)
        self.out_of_usage = out_of_usage
        self.limits = Limits() if limits is None else limits
        self.validation = validation
        self.list_lag_seconds = list_lag_seconds
        self.states: dict[str, DeviceState] = {}
        self.held = False
        self.jobs: dict[str, Job] = {}
        self.sessions: dict[str, SessionRecord] = {}
        self.faults: list[Fault] = []
        self.log: deque[Request] = deque(maxlen=LOGGED_REQUESTS)
        self._generation = 0
        self._clearings = 0
        self._doomed: list[tuple[str, int]] = []
        self._lock = threading.RLock()
        self._wake = threading.Condition(self._lock)
        self._http: HttpServer | None = None
        self._worker: threading.Thread | None = None
        self._reopening: threading.Timer | None = None
        self._parked: socket.socket | None = None
        self._stopping = False
        self._directory = None if directory is None else Path(directory)
        if self._directory is not None:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._load()

    # ---- running it

    def __enter__(self) -> LoopbackIBM:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> LoopbackIBM:
        """Listen, and run jobs in a thread."""
        self._stopping = False
        listener = _bound(self.port)
        self.port = listener.getsockname()[1]
        self._serve(listener)
        self._worker = threading.Thread(target=self._work, name="loopback-worker", daemon=True)
        self._worker.start()
        return self

    def stop(self) -> None:
        """Hang up on everybody. Jobs that did not finish are lost, or kept in the directory."""
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        with self._lock:
            if self._reopening is not None:
                self._reopening.cancel()
                self._reopening = None
            if self._parked is not None:
                self._parked.close()
                self._parked = None
        if self._http is not None:
            self._http.end()
            self._http = None
        if self._worker is not None:
            self._worker.join(timeout=10)
            self._worker = None

    def environment(self) -> dict[str, str]:
        """What to export so that the genuine client talks to this server."""
        url = f"http://{HOST}:{self.port}"
        return {
            "IAM_URL": url,
            "GLOBAL_SEARCH_URL": url,
            "GLOBAL_CATALOG_URL": url,
            "QISKIT_IBM_TOKEN": self.token,
            "QISKIT_IBM_URL": url + BASE,
            "QISKIT_IBM_INSTANCE": self.instance,
            "QISKIT_IBM_CHANNEL": "ibm_quantum_platform",
            # this server takes as many jobs in a minute as there are
            "QBRAIN_IBM_JOBS_A_MINUTE": "0",
            # a proxy would be asked for 127.0.0.1 as for any other address
            "NO_PROXY": HOST,
            "no_proxy": HOST,
        }

    def _serve(self, listener: socket.socket) -> None:
        self._http = HttpServer(listener, self)
        self._http.begin()

    def refuse(self, seconds: float) -> None:
        """Hang up on everybody and refuse connections for a while; returns at once."""
        with self._lock:
            if self._http is not None:
                self._http.end()
                self._http = None
                # bound without listening: connections are refused and nobody takes the port
                self._parked = _bound(self.port)
            if self._reopening is not None:
                self._reopening.cancel()
            self._reopening = threading.Timer(seconds, self._reopen)
            self._reopening.daemon = True
            self._reopening.start()

    def _reopen(self) -> None:
        with self._lock:
            if self._parked is not None:
                listener, self._parked = self._parked, None
                self._serve(listener)

    def control(self, order: dict[str, Any]) -> dict[str, Any]:
        """Carry out ``{"do": <method>, <its arguments>}`` or ``{"set": {<attribute>: value}}``."""
        order = dict(order)
        settings = order.pop("set", {})
        for name, value in settings.items():
            if name not in SETTINGS:
                raise ValueError(f"set: wanted one of {', '.join(SETTINGS)}, got {name!r}")
            setattr(self, name, value)
        if settings and "do" not in order:
            return {"done": sorted(settings)}
        name = order.pop("do", None)
        if name not in ORDERS:
            raise ValueError(f"do: wanted one of {', '.join(ORDERS)}, got {name!r}")
        if name == "refuse":
            # the answer has to go out first
            threading.Timer(0.1, self.refuse, kwargs=order).start()
        else:
            getattr(self, name)(**order)
        return {"done": name}

    def status(self) -> dict[str, Any]:
        """What it has done so far, in numbers."""
        with self._lock:
            return {
                "jobs": {job.id: job.state for job in self.jobs.values()},
                "states": dict(Counter(job.state for job in self.jobs.values())),
                "sessions": {s.id: self._session_state(s) for s in self.sessions.values()},
                "requests": len(self.log),
                "submissions": self.submissions(),
                "faults": [fault.record() for fault in self.faults if fault.count > 0],
                "held": self.held,
            }

    def requests(self, method: str = "", path: str = "") -> list[Request]:
        """Requests so far, of one method and with a path in which a regular expression is found."""
        with self._lock:
            return [
                request
                for request in self.log
                if (not method or request.method == method) and re.search(path, request.path)
            ]

    def submissions(self) -> int:
        """Number of jobs taken, whatever became of them and of the answer."""
        return len(self.jobs)

    # ---- jobs

    def _work(self) -> None:
        while True:
            with self._wake:
                job = self._next()
                while job is None and not self._stopping:
                    self._wake.wait(0.02 if self.queue_seconds else 0.2)
                    job = self._next()
                if self._stopping:
                    return
                assert job is not None
                job.state, job.running = "RUNNING", time.time()
                doom = self._doomed.pop(0) if self._doomed else None
                self._save(job)
            self._execute(job, doom)

    def _next(self) -> Job | None:
        if self.held:
            return None
        due = time.time() - self.queue_seconds
        waiting = (job for job in self.jobs.values() if job.state == "QUEUED")
        return next(
            (
                job
                for job in waiting
                if job.created <= due
                and self._state_of(job.backend).runs
                and not self._used_up(job.instance)
            ),
            None,
        )

    def _state_of(self, name: str) -> DeviceState:
        return self.states.get(name, DeviceState())

    def _used(self, instance: str) -> float:
        return sum(job.quantum_seconds for job in self.jobs.values() if job.instance == instance)

    def _used_up(self, instance: str) -> bool:
        return self._used(instance) >= self.usage_limit_seconds

    def _execute(self, job: Job, doom: tuple[str, int] | None) -> None:
        outcome: Outcome | None = None
        code: int | None = None
        reason = trace = ""
        overdue = False
        device = self.devices[job.backend]
        try:
            if doom is not None:
                raise ProgramError(doom[1], doom[0])
            if self.validation == "job":
                self._check(job, device)
            outcome = device.run(job.params, self.seed)
            if job.cost is not None and outcome.seconds > job.cost:
                outcome, overdue = None, True
                raise ProgramError(1305, f"Job canceled: it ran longer than {job.cost} s.")
        except ProgramError as error:
            code, reason = error.code, str(error)
        except Exception as error:
            code, reason, trace = 9999, f"Internal error: {error!r}", traceback.format_exc()
        assert job.running is not None
        rest = job.running + self.run_seconds - time.time()
        with self._wake:
            if rest > 0:
                self._wake.wait_for(lambda: self._stopping or job.state in FINAL, timeout=rest)
            if self._stopping and rest > 0:
                return
            if job.state in FINAL:
                return  # cancelled while it ran
            if outcome is not None:
                job.result, job.quantum_seconds = outcome.result, outcome.seconds
                self._finish(job, "COMPLETED")
            else:
                job.result = trace or reason
                # what ran until the limit is billed
                job.quantum_seconds = float(job.cost or 0) if overdue else 0.0
                self._finish(job, "CANCELLED" if overdue else "FAILED", reason, code)

    def _check(self, job: Job, device: Device) -> None:
        """Hold a job to the limits after it was taken.

        Raises:
            ProgramError: beyond them.
        """
        try:
            self.limits.check_job({"params": job.params, "cost": job.cost}, device.configuration)
        except ApiError as error:
            raise ProgramError(error.body["errors"][0]["code"], str(error)) from None

    def _finish(self, job: Job, state: str, reason: str = "", code: int | None = None) -> None:
        with self._wake:
            if job.state in FINAL:
                return
            job.reason, job.reason_code = reason, code
            job.finished = time.time()
            job.state = state
            self._save(job)
            self._wake.notify_all()

    def _close(self, session: SessionRecord, fate: str, reason: str) -> None:
        session.accepting_jobs = False
        session.closed = session.closed or time.time()
        self._save_sessions()
        for job in self.jobs.values():
            if job.session_id == session.id and job.state == "QUEUED":
                self._finish(job, fate, reason)

    def _session_state(self, session: SessionRecord) -> str:
        mine = [job for job in self.jobs.values() if job.session_id == session.id]
        if session.closed is not None:
            return "closed"
        if any(job.state not in FINAL for job in mine):
            return "active"
        if not session.accepting_jobs:
            return "closed"
        return "inactive" if mine else "open"

    # ---- disk

    def _save(self, job: Job) -> None:
        if self._directory is not None:
            _write(self._directory / f"job-{job.id}.json", json.dumps(asdict(job)))

    def _save_sessions(self) -> None:
        if self._directory is not None:
            rows = [asdict(session) for session in self.sessions.values()]
            _write(self._directory / "sessions.json", json.dumps(rows))

    def _load(self) -> None:
        assert self._directory is not None
        rows = [
            json.loads(path.read_text(encoding="utf-8"))
            for path in self._directory.glob("job-*.json")
        ]
        for row in sorted(rows, key=lambda row: row["created"]):
            job = Job(**row)
            if job.state == "RUNNING":
                job.state = "QUEUED"  # the server ended before the job did
            self.jobs[job.id] = job
        sessions = self._directory / "sessions.json"
        if sessions.exists():
            for row in json.loads(sessions.read_text(encoding="utf-8")):
                self.sessions[row["id"]] = SessionRecord(**row)

    # ---- what is asked of it

    def answer(self, request: Request) -> tuple[int, Any]:
        """Status and body (something for JSON, or text) of a request's answer."""
        path = request.path
        if not path.startswith(BASE + "/"):
            return self._answer_cloud(request)
        self._authorise(request)
        path = path.removeprefix(BASE)
        for method, pattern, handler in ROUTES:
            match = re.fullmatch(pattern, path)
            if match and method == request.method:
                return handler(self, request, *match.groups())
        raise ApiError(404, 1000, f"No such endpoint: {request.method} {path}")

    def _answer_cloud(self, request: Request) -> tuple[int, Any]:
        """Identity, search and catalogue, which belong to the cloud and not to its quantum part."""
        if request.path == "/identity/token":
            key = parse_qs(request.body.decode()).get("apikey", [""])[0]
            if key != self.token:
                return 400, {
                    "errorCode": "BXNIM0415E",
                    "errorMessage": "Provided API key could not be found.",
                }
            return 200, self._issue()
        if request.path == "/v3/resources/search":
            self._authorise(request)
            return 200, {
                "items": [
                    {
                        "crn": instance,
                        "name": "loopback" if number == 0 else f"loopback-{number}",
                        "service_plan_unique_id": PLAN_ID,
                        "tags": [],
                        "doc": {"extensions": {"backends": list(self.devices)}},
                    }
                    for number, instance in enumerate([self.instance, *self.more_instances])
                ],
                "limit": 100,
            }
        if request.path in (f"/{PLAN_ID}", f"/api/v1/{PLAN_ID}"):
            return 200, {
                "id": PLAN_ID,
                "overview_ui": {"en": {"display_name": self.plan.capitalize()}},
                "metadata": {
                    "pricing": {"type": "free" if self.plan == "open" else "paid"},
                },
            }
        raise ApiError(404, 1000, f"No such endpoint: {request.method} {request.path}")

    def _issue(self) -> dict[str, Any]:
        now = int(time.time())
        claims = {
            "iam_id": "loopback",
            "jti": secrets.token_hex(8),
            "iat": now,
            "exp": now + self.token_seconds,
            "generation": self._generation,
        }
        head = _base64(json.dumps({"alg": "RS256", "typ": "JWT"}).encode())
        text = f"{head}.{_base64(json.dumps(claims).encode())}"
        access = f"{text}.{_signature(text)}"
        return {
            "access_token": access,
            "refresh_token": "not_supported",
            "token_type": "Bearer",
            "expires_in": self.token_seconds,
            "expiration": now + self.token_seconds,
        }

    def _authorise(self, request: Request) -> None:
        kind, _, value = request.headers.get("authorization", "").partition(" ")
        # the client falls back on the bare key where it gets no token
        good = self._valid(value) if kind == "Bearer" else (kind, value) == ("apikey", self.token)
        if not good:
            raise ApiError(401, 1201, "Invalid credentials.", "Check your credentials.")
        crn = request.headers.get("service-crn")
        if crn is not None and crn not in (self.instance, *self.more_instances):
            raise ApiError(403, 1200, "You are not authorized to perform this action.")

    def _valid(self, token: str) -> bool:
        """Signed, of this generation and not expired: good also after the server was restarted."""
        text, _, sign = token.rpartition(".")
        if not text or sign != _signature(text):
            return False
        claims = json.loads(base64.urlsafe_b64decode(text.partition(".")[2] + "=="))
        # the client counts whole seconds and may come up to one too late
        late = claims["exp"] + 1.5 < time.time()
        return claims["generation"] == self._generation and not late

    def _instance_of(self, request: Request) -> str:
        return request.headers.get("service-crn", self.instance)

    def _device(self, name: str) -> Device:
        if name not in self.devices or self._state_of(name).status == "retired":
            raise ApiError(404, 1007, f"Backend not found: {name}.")
        return self.devices[name]

    def _pending(self, name: str) -> int:
        return sum(job.backend == name and job.state == "QUEUED" for job in self.jobs.values())

    def backends(self, _: Request) -> tuple[int, Any]:
        rows = []
        for device in self.devices.values():
            if self._state_of(device.name).status == "retired":
                continue
            conf = device.configuration
            rows.append(
                {
                    "name": device.name,
                    "status": self._state_of(device.name).listed,
                    "is_simulator": False,
                    "qubits": device.qubits,
                    "physical_qubits": device.qubits,
                    "processor_type": conf.get("processor_type", {}),
                    "queue_length": self._pending(device.name),
                    "clops": {"type": "hardware", "value": conf.get("clops_h")},
                }
            )
        return 200, {"devices": rows}

    def configuration(self, _: Request, name: str) -> tuple[int, Any]:
        return 200, self._device(name).configuration

    def properties(self, _: Request, name: str) -> tuple[int, Any]:
        return 200, self._device(name).properties

    def device_status(self, _: Request, name: str) -> tuple[int, Any]:
        retired = self._state_of(name).status == "retired"
        device = self.devices[name] if retired else self._device(name)
        return 200, {
            "backend_version": device.configuration.get("backend_version", "1.0.0"),
            "state": self._state_of(name).operational,
            "status": self._state_of(name).status,
            "message": self._state_of(name).message,
            "length_queue": self._pending(name),
        }

    def usage(self, request: Request) -> tuple[int, Any]:
        instance = self._instance_of(request)
        used = self._used(instance)
        return 200, {
            "instance_id": instance,
            "plan_id": PLAN_ID,
            "usage_consumed_seconds": used,
            "usage_limit_seconds": self.usage_limit_seconds,
            "usage_limit_reached": used >= self.usage_limit_seconds,
            "usage_period": {"start_time": _iso(0.0), "end_time": _iso(time.time())},
        }

    # sessions

    def open_session(self, request: Request) -> tuple[int, Any]:
        body = decoded(request)
        mode = body.get("mode", "dedicated")
        if mode == "dedicated" and self.plan == "open":
            raise ApiError(
                400,
                1352,
                "You are not authorized to run a session when using the open plan.",
                "Create an instance of a different plan type or use a different execution mode.",
            )
        self._device(body.get("backend", ""))
        session = SessionRecord(
            id=_identifier(),
            backend=body["backend"],
            mode=mode,
            max_ttl=int(body.get("max_ttl") or 28_800),
            created=time.time(),
            instance=self._instance_of(request),
        )
        with self._lock:
            self.sessions[session.id] = session
            self._save_sessions()
        return 200, self._describe_session(session)

    def _session(self, session_id: str, request: Request) -> SessionRecord:
        session = self.sessions.get(session_id)
        if session is None or not self._owns(session, request):
            raise ApiError(404, 1211, f"Session not found: {session_id}.")
        return session

    def _owns(self, thing: Job | SessionRecord, request: Request) -> bool:
        """Whether it is of the instance that is asked; those kept from before name none."""
        return not thing.instance or thing.instance == self._instance_of(request)

    def _describe_session(self, session: SessionRecord) -> dict[str, Any]:
        mine = [job for job in self.jobs.values() if job.session_id == session.id]
        started = [job.running for job in mine if job.running]
        ended = [job.finished for job in mine if job.finished]
        return {
            "id": session.id,
            "backend_name": session.backend,
            "mode": session.mode,
            "state": self._session_state(session),
            "state_reason": "",
            "accepting_jobs": session.accepting_jobs,
            "interactive_ttl": 60,
            "active_ttl": session.max_ttl,
            "max_ttl": session.max_ttl,
            "started_at": _iso(min(started)) if started else None,
            "activated_at": _iso(min(started)) if started else None,
            "closed_at": _iso(session.closed) if session.closed else None,
            "last_job_started": _iso(max(started)) if started else None,
            "last_job_completed": _iso(max(ended)) if ended else None,
            "elapsed_time": sum(job.quantum_seconds for job in mine),
            "timestamps": [],
        }

    def session(self, request: Request, session_id: str) -> tuple[int, Any]:
        with self._lock:
            return 200, self._describe_session(self._session(session_id, request))

    def change_session(self, request: Request, session_id: str) -> tuple[int, Any]:
        with self._lock:
            session = self._session(session_id, request)
            session.accepting_jobs = bool(decoded(request).get("accepting_jobs", True))
            self._save_sessions()
        return 204, None

    def end_session(self, request: Request, session_id: str) -> tuple[int, Any]:
        with self._lock:
            self._close(self._session(session_id, request), "CANCELLED", "The session was closed.")
        return 204, None

    # jobs

    def submit(self, request: Request) -> tuple[int, Any]:
        self.limits.check_payload(len(request.body))
        body = decoded(request)
        if body.get("program_id") != "executor":
            raise ApiError(404, 1214, f"Program not found: {body.get('program_id')}.")
        if self._state_of(body.get("backend", "")).status == "retired":
            raise ApiError(
                400, 1004, "The Backend is not available.", "Use another backend to run the job."
            )
        device = self._device(body.get("backend", ""))
        tags = list(body.get("tags") or [])
        self.limits.check_tags(tags)
        if self.validation == "submit":
            self.limits.check_job(body, device.configuration)
        with self._wake:
            instance = self._instance_of(request)
            if self.out_of_usage == "refuse" and self._used_up(instance):
                raise ApiError(403, 1200, "This instance has met its usage limit.")
            session_id = body.get("session_id")
            if session_id is not None:
                session = self._session(session_id, request)
                if not session.accepting_jobs or session.closed is not None:
                    raise ApiError(400, 1217, "Session has been closed.", "Create a new session.")
            job = Job(
                id=_identifier(),
                backend=body["backend"],
                program=body["program_id"],
                created=time.time(),
                tags=tags,
                session_id=session_id,
                instance=instance,
                private=bool(body.get("private", False)),
                cost=body.get("cost"),
                calibration_id=body.get("calibration_id"),
                params=body.get("params") or {},
            )
            # on disk before anybody can know of it
            self._save(job)
            self.jobs[job.id] = job
            if session_id is not None and session.jobs_left is not None:
                session.jobs_left -= 1
                if session.jobs_left <= 0:
                    session.accepting_jobs, session.closed = False, time.time()
                self._save_sessions()
            self._wake.notify_all()
            return 200, {"id": job.id, "backend": job.backend, "private": job.private}

    def _job(self, job_id: str, request: Request) -> Job:
        job = self.jobs.get(job_id)
        if job is None or not self._owns(job, request):
            raise ApiError(404, 1291, f"Job not found. Job ID: {job_id}", "Check the job ID.")
        return job

    def _describe(self, job: Job, params: bool) -> dict[str, Any]:
        described: dict[str, Any] = {
            "id": job.id,
            "backend": job.backend,
            "program": {"id": job.program},
            "state": {"status": job.state.capitalize()},
            "status": job.state.capitalize(),
            "created": _iso(job.created),
            "tags": job.tags,
            "private": job.private,
            "cost": job.cost or 10_000,
            "user_id": "loopback",
            "usage": {"seconds": job.quantum_seconds},
            "estimated_running_time_seconds": job.quantum_seconds or 2.0,
        }
        if job.reason:
            described["state"]["reason"] = job.reason
            described["state"]["reason_code"] = job.reason_code
        if job.finished:
            described["ended"] = _iso(job.finished)
        if job.session_id:
            described["session_id"] = job.session_id
        if job.calibration_id:
            described["calibration_id"] = job.calibration_id
        if params and not job.private:
            described["params"] = job.params
        return described

    def list_jobs(self, request: Request) -> tuple[int, Any]:
        query = request.query

        def first(name: str) -> str | None:
            return query[name][0] if query.get(name) else None

        with self._lock:
            known = time.time() - self.list_lag_seconds
            found = [
                job
                for job in self.jobs.values()
                if job.created <= known and self._owns(job, request)
            ]
        for name, value in (
            ("backend", lambda job: job.backend),
            ("program", lambda job: job.program),
            ("session_id", lambda job: job.session_id),
        ):
            wanted = first(name)
            if wanted is not None:
                found = [job for job in found if value(job) == wanted]
        if first("pending") is not None:
            pending = first("pending") == "true"
            found = [job for job in found if (job.state not in FINAL) == pending]
        for tag in query.get("tags", []):
            found = [job for job in found if tag in job.tags]
        if first("created_after") is not None:
            found = [job for job in found if job.created >= _time(first("created_after"))]
        if first("created_before") is not None:
            found = [job for job in found if job.created <= _time(first("created_before"))]
        if first("sort") != "ASC":
            found.reverse()
        limit = min(int(first("limit") or MOST_JOBS_A_PAGE), MOST_JOBS_A_PAGE)
        offset = int(first("offset") or 0)
        params = first("exclude_params") != "true"
        return 200, {
            "jobs": [self._describe(job, params) for job in found[offset : offset + limit]],
            "count": len(found),
            "limit": limit,
            "offset": offset,
        }

    def job(self, request: Request, job_id: str) -> tuple[int, Any]:
        with self._lock:
            params = request.query.get("exclude_params") != ["true"]
            return 200, self._describe(self._job(job_id, request), params)

    def results(self, request: Request, job_id: str) -> tuple[int, Any]:
        with self._lock:
            job = self._job(job_id, request)
            if job.state not in FINAL:
                return 204, None
            if not job.private:
                return 200, job.result
            # "the results can only be read once [...] these are also deleted from the service"
            if not job.result:
                raise ApiError(404, 1291, f"Job results not found. Job ID: {job_id}")
            result, job.result, job.params = job.result, "", {}
            self._save(job)
            return 200, result

    def metrics(self, request: Request, job_id: str) -> tuple[int, Any]:
        with self._lock:
            job = self._job(job_id, request)
            done = job.state in FINAL
            return 200, {
                "timestamps": {
                    "created": _iso(job.created),
                    "running": _iso(job.running) if job.running else None,
                    "finished": _iso(job.finished) if job.finished else None,
                },
                "bss": {"seconds": job.quantum_seconds},
                "usage": {
                    "status": "final" if done else "pending",
                    "quantum_seconds": job.quantum_seconds,
                    "seconds": job.quantum_seconds,
                    "qpu_charge_time_seconds": job.quantum_seconds,
                },
                "executions": None,
                "num_circuits": None,
                "num_qubits": None,
                "qiskit_version": None,
            }

    def logs(self, request: Request, job_id: str) -> tuple[int, Any]:
        with self._lock:
            job = self._job(job_id, request)
            return 200, f"job {job.id}: {job.state}\n"

    def cancel(self, request: Request, job_id: str) -> tuple[int, Any]:
        with self._lock:
            job = self._job(job_id, request)
            if job.state in FINAL:
                raise ApiError(409, 3208, f"Job cannot be cancelled: it is {job.state.lower()}.")
            self._finish(job, "CANCELLED")
        return 204, None

    def delete(self, request: Request, job_id: str) -> tuple[int, Any]:
        with self._lock:
            self._delete(self._job(job_id, request))
        return 204, None

    def _delete(self, job: Job) -> None:
        self._finish(job, "CANCELLED")
        del self.jobs[job.id]
        if self._directory is not None:
            (self._directory / f"job-{job.id}.json").unlink(missing_ok=True)

    def change_tags(self, request: Request, job_id: str) -> tuple[int, Any]:
        with self._lock:
            job = self._job(job_id, request)
            job.tags = list(decoded(request).get("tags", []))
            self._save(job)
        return 204, None


ORDERS = (
    "fail",
    "cut",
    "drop",
    "delay",
    "hang",
    "trickle",
    "html",
    "blank",
    "alter",
    "refuse",
    "revoke_tokens",
    "change_account",
    "fail_jobs",
    "set_device",
    "hold",
    "release",
    "cancel_job",
    "delete_job",
    "close_session",
    "clear",
)
SETTINGS = (
    "plan",
    "queue_seconds",
    "run_seconds",
    "token_seconds",
    "seed",
    "usage_limit_seconds",
    "out_of_usage",
    "validation",
    "list_lag_seconds",
)

Handler = Callable[..., tuple[int, Any]]
ROUTES: list[tuple[str, str, Handler]] = [
    ("GET", r"/backends", LoopbackIBM.backends),
    ("GET", r"/backends/([^/]+)/configuration", LoopbackIBM.configuration),
    ("GET", r"/backends/([^/]+)/properties", LoopbackIBM.properties),
    ("GET", r"/backends/([^/]+)/status", LoopbackIBM.device_status),
    ("GET", r"/instances/usage", LoopbackIBM.usage),
    ("POST", r"/sessions", LoopbackIBM.open_session),
    ("GET", r"/sessions/([^/]+)", LoopbackIBM.session),
    ("PATCH", r"/sessions/([^/]+)", LoopbackIBM.change_session),
    ("DELETE", r"/sessions/([^/]+)/close", LoopbackIBM.end_session),
    ("POST", r"/jobs", LoopbackIBM.submit),
    ("GET", r"/jobs", LoopbackIBM.list_jobs),
    ("GET", r"/jobs/([^/]+)", LoopbackIBM.job),
    ("DELETE", r"/jobs/([^/]+)", LoopbackIBM.delete),
    ("GET", r"/jobs/([^/]+)/results", LoopbackIBM.results),
    ("GET", r"/jobs/([^/]+)/metrics", LoopbackIBM.metrics),
    ("GET", r"/jobs/([^/]+)/logs", LoopbackIBM.logs),
    ("POST", r"/jobs/([^/]+)/cancel", LoopbackIBM.cancel),
    ("PUT", r"/jobs/([^/]+)/tags", LoopbackIBM.change_tags),
]


def _bound(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((HOST, port))
    return listener


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _signature(text: str) -> str:
    return _base64(hmac.new(b"loopback", text.encode(), hashlib.sha256).digest())


def _identifier() -> str:
    return "d" + "".join(secrets.choice("0123456789abcdefghijklmnopqrstuv") for _ in range(19))


def _iso(seconds: float) -> str:
    stamp = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return stamp.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _time(text: str | None) -> float:
    # the plus sign of a time zone arrives as a blank where the client did not quote it
    return datetime.datetime.fromisoformat(str(text).replace(" ", "+")).timestamp()


def _write(path: Path, text: str) -> None:
    """Whole or not at all, whenever this process is killed."""
    partial = path.with_suffix(".part")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
