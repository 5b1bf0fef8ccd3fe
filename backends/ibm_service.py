"""IBM Quantum's service over the genuine client: accounts, devices, and the jobs as they are.

Credentials are those that the client itself finds (saved account or environment); they are
neither read nor kept here.

A job is asked for by its id alone, without the device that it ran on: the client's own job object
needs that device's configuration, which may be gone by then. That takes the client's inner layer
(``RuntimeClient``), which is why its version is pinned to one minor release.
"""

from __future__ import annotations

import logging
import os
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from .errors import BackendError, DeviceFault
from .ibm_origin import plain_url
from .ibm_policy import (
    Action,
    Deadline,
    MalformedAnswer,
    Unreachable,
    action_for,
    ask,
    one_line,
    patience_seconds,
    status_of,
    timeout_seconds,
)
from .ibm_state import JobState, short

__all__ = ["DeviceRow", "IBMService"]

T = TypeVar("T")
# how long the account and the devices are waited for, seconds
_OPENING = 30.0
_UNKNOWN_KEY = "API key could not be found"


@contextmanager
def _bounded_sessions(timeout: float) -> Iterator[None]:
    """Requests of clients that are opened meanwhile end in time, and are repeated by us alone.

    The client reads without a time limit, waits for as long as ``Retry-After`` names, and sends a
    job again by itself after a 5xx, taken or not.
    """
    from qiskit_ibm_runtime.api.session import RetrySession
    from requests.adapters import HTTPAdapter

    original = RetrySession.__init__

    def bounded(session: Any, *arguments: Any, **options: Any) -> None:
        original(session, *arguments, **options)
        session._timeout = (min(10.0, timeout), timeout)
        session.mount("http://", HTTPAdapter(max_retries=0))
        session.mount("https://", HTTPAdapter(max_retries=0))

    with _opening_lock:
        RetrySession.__init__ = bounded  # type: ignore[assignment, method-assign]
        try:
            yield
        finally:
            RetrySession.__init__ = original  # type: ignore[method-assign]


_opening_lock = threading.Lock()


@dataclass(frozen=True)
class DeviceRow:
    """A device of the account: ``qubits`` and ``pending`` jobs are None where not known.

    ``state``: the service's word for it, ``active`` where it takes and runs jobs.
    """

    name: str
    qubits: int | None
    pending: int | None
    state: str


def _taken(send: Callable[..., Any], *, backend_name: str, **job: Any) -> Any:
    answer = send(backend_name=backend_name, **job)
    if isinstance(answer, dict) and isinstance(answer.get("id"), str):
        return answer | {"backend": backend_name}
    return answer


class IBMService:
    """An account at IBM Quantum.

    Args:
        account: name of a saved account, the client's default if None.
        instance: name or CRN of an instance, the client's choice if None.
        patience: seconds for which a call is asked again, ``QBRAIN_IBM_PATIENCE`` if None.

    Raises:
        BackendError: there is no account, or it is not taken.
        DeviceFault: the service does not answer.
    """

    def __init__(
        self,
        account: str | None = None,
        instance: str | None = None,
        *,
        patience: float | None = None,
    ) -> None:
        self._account, self._instance = account, instance
        self.patience = patience_seconds() if patience is None else patience
        self._timeout = timeout_seconds()
        self.client = self._open()

    def _open(self) -> Any:
        from qiskit_ibm_runtime import QiskitRuntimeService
        from qiskit_ibm_runtime.accounts import AccountNotFoundError, InvalidAccountError
        from qiskit_ibm_runtime.exceptions import IBMInputValueError

        # what the client has to say beside its errors is said by ours
        warnings.filterwarnings("ignore", module=r"qiskit_ibm_runtime\b")
        if "QISKIT_IBM_RUNTIME_LOG_LEVEL" not in os.environ:
            logging.getLogger("qiskit_ibm_runtime").setLevel(logging.CRITICAL)

        def connect() -> Any:
            try:
                return QiskitRuntimeService(name=self._account, instance=self._instance)
            except AccountNotFoundError as error:
                raise BackendError(
                    "backend: an ibm_<device> needs an IBM Quantum account, saved by the client "
                    f"(QiskitRuntimeService.save_account) or in QISKIT_IBM_TOKEN: {one_line(error)}"
                ) from None
            except (InvalidAccountError, IBMInputValueError) as error:
                # the client blames the token for whatever happens on the way
                cause = error.__cause__
                if cause is not None and _UNKNOWN_KEY not in str(cause):
                    raise Unreachable(one_line(cause)) from cause
                name = f" {self._account}" if self._account else ""
                raise BackendError(
                    f"account{name}: not taken by IBM Quantum: {one_line(cause or error)}"
                ) from None

        with _bounded_sessions(self._timeout):
            return ask("IBM Quantum", connect, self._deadline(_OPENING))

    @property
    def url(self) -> str:
        """Where jobs are sent to, without anything secret."""
        session = getattr(self.client._active_api_client, "_session", None)
        return plain_url(str(getattr(session, "base_url", "") or ""))

    def _deadline(self, seconds: float) -> Deadline:
        """In so many seconds, or when the patience ends."""
        return Deadline(min(seconds, self.patience))

    @staticmethod
    def _clients(client: Any) -> list[Any]:
        """The inner clients, one an instance, the active one first."""
        active = client._active_api_client
        return [active, *(c for c in client._api_clients.values() if c is not active)]

    def renew(self) -> None:
        """Open it anew with a fresh token.

        Raises:
            DeviceFault: the account is not taken any more.
        """
        try:
            self.client = self._open()
        except (BackendError, DeviceFault) as error:
            raise DeviceFault(f"token refused, and no fresh one: {one_line(error)}") from error

    def ask(
        self,
        what: str,
        call: Callable[[], T],
        deadline: Deadline | None = None,
        *,
        fresh: bool = True,
    ) -> T:
        """Ask as :func:`qbrain.backends.ibm_policy.ask`; a refused token is replaced, once.

        Raises:
            DeviceFault: as there.
        """
        deadline = Deadline(self.patience) if deadline is None else deadline
        return ask(what, call, deadline, renew=self.renew if fresh else None)

    # devices

    def device(self, name: str, fractional: bool) -> Any:
        """The client's backend, with or without fractional gates.

        Raises:
            BackendError: no such device, or ``fractional`` on a device that has none.
            DeviceFault: the service does not answer.
        """
        from qiskit.providers.exceptions import QiskitBackendNotFoundError
        from qiskit_ibm_runtime.exceptions import IBMInputValueError

        def open_() -> Any:
            try:
                return self.client.backend(name, use_fractional_gates=fractional)
            except QiskitBackendNotFoundError:
                # the client hides there why it knows no device
                known = [row["name"] for row in self._listed()]
                if name in known:
                    self._configuration(name)
                    raise
                raise BackendError(
                    f"backend: wanted a device of the account ({', '.join(known) or 'it has none'})"
                    f", got {name!r}"
                ) from None
            except IBMInputValueError:
                if fractional:
                    raise BackendError(
                        f"fractional: wanted a device with rzz, got {name}, which has none"
                    ) from None
                raise

        return self.ask(name, open_, self._deadline(_OPENING))

    def check(self, deadline: Deadline) -> None:
        """Ask for something small, where the client hides why it knows no device any more.

        Raises:
            DeviceFault: what the service really answers.
        """
        self.ask("IBM Quantum", self._listed, deadline)

    def _listed(self) -> list[dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for client in self._clients(self.client):
            answer = client.list_backends()
            if not isinstance(answer, list):
                raise MalformedAnswer(f"wanted a list of devices, got {short(answer)}")
            for row in answer:
                if isinstance(row, dict) and isinstance(row.get("name"), str):
                    found.setdefault(row["name"], row)
        return list(found.values())

    def _configuration(self, name: str) -> Any:
        answer = self.client._active_api_client.backend_configuration(name, refresh=True)
        if not isinstance(answer, dict) or "n_qubits" not in answer:
            raise MalformedAnswer(f"{name}: wanted its configuration, got {short(answer)}")
        return answer

    def devices(self) -> list[DeviceRow]:
        """Every device of the account; one that does not answer is listed as such.

        Raises:
            DeviceFault: the service does not answer.
        """
        rows = self.ask("IBM Quantum", self._listed, self._deadline(10.0))
        return [self._row(row) for row in rows]

    def _row(self, row: dict[str, Any]) -> DeviceRow:
        name = row["name"]
        qubits = row.get("qubits")
        pending = state = None
        try:
            pending, state = self.device_state(name)
            if not isinstance(qubits, int):
                deadline = self._deadline(5.0)
                qubits = self.ask(name, lambda: self._configuration(name), deadline)["n_qubits"]
        except DeviceFault as error:
            state = state or f"not known ({one_line(error)})"
        return DeviceRow(name, qubits if isinstance(qubits, int) else None, pending, state)

    def device_state(self, name: str) -> tuple[int | None, str]:
        """Pending jobs, and ``active`` or the service's word for why it runs no jobs now.

        Raises:
            DeviceFault: the service does not answer.
        """

        def look() -> tuple[int | None, str]:
            answer = self.client._active_api_client._api.backend(name)
            url = answer.get_url("status")
            found = answer.session.get(url, headers=answer._HEADER_JSON_ACCEPT).json()
            if not isinstance(found, dict):
                raise MalformedAnswer(f"{name}: wanted its status, got {short(found)}")
            word = str(found.get("status") or "")
            if not found.get("state", word == "active") and word in ("", "active"):
                word = "not operational"
            message = found.get("message")
            if word != "active" and message:
                word = f"{word} ({one_line(str(message))})"
            length = found.get("length_queue")
            return (length if isinstance(length, int) and length >= 0 else None), word or "active"

        return self.ask(name, look, self._deadline(5.0))

    def usage_left(self) -> float | None:
        """Seconds of quantum time that the instance has left, None where it is not known."""

        def look() -> float | None:
            found = self.client.usage().get("usage_remaining_seconds")
            return None if found is None else float(found)

        try:
            return self.ask("usage", look, self._deadline(3.0))
        except (DeviceFault, TypeError, ValueError, AttributeError):
            # what is left is the service's own business where it does not say
            return None

    # jobs

    def reaches(self, instance: str) -> bool:
        """Whether jobs of an instance (CRN) are among those that are looked for."""
        return any(client._instance == instance for client in self._clients(self.client))

    def believe_ids(self) -> None:
        """Let the answer to a submission count by the id of the job alone.

        The client looks for the device that the answer names and, where it finds none or no name,
        raises although the job is taken. Where a job runs is in the service's record of it.
        """
        for client in self._clients(self.client):
            if "program_run" not in vars(client):
                client.program_run = partial(_taken, client.program_run)

    def _on_each(self, call: Callable[[Any], T]) -> T:
        """The first instance's answer that knows what is asked for."""
        clients = self._clients(self.client)
        for number, client in enumerate(clients):
            try:
                return call(client)
            except Exception as error:
                if status_of(error) != 404 or number == len(clients) - 1:
                    raise
        raise AssertionError("an account has at least one instance")

    def job(self, job: str, deadline: Deadline | None = None) -> JobState | None:
        """A job's state, None where the service has no such job.

        Raises:
            DeviceFault: the service does not answer.
        """

        def look() -> JobState:
            found = JobState.read(self._on_each(lambda c: c.job_get(job, exclude_params=True)))
            if found.id != job:
                raise MalformedAnswer(f"wanted job {job}, got {found.id}")
            return found

        try:
            return self.ask(f"job {job}", look, deadline)
        except DeviceFault as error:
            if status_of(error.__cause__) == 404:
                return None
            raise

    def jobs_of(self, tag: str, deadline: Deadline | None = None) -> list[JobState]:
        """Jobs that carry a tag, newest first.

        Raises:
            DeviceFault: the service does not answer.
        """

        def look() -> list[JobState]:
            found: list[JobState] = []
            for client in self._clients(self.client):
                answer = client.jobs_get(limit=50, job_tags=[tag])
                rows = answer.get("jobs") if isinstance(answer, dict) else None
                if not isinstance(rows, list):
                    raise MalformedAnswer(f"wanted a list of jobs, got {short(answer)}")
                # a stand-in or a later interface might not know the filter
                tagged = [row for row in rows if tag in ((row or {}).get("tags") or [tag])]
                found += [JobState.read(row) for row in tagged]
            return found

        return self.ask(f"jobs of {tag}", look, deadline)

    def answer_of(self, job: str, deadline: Deadline | None = None) -> str:
        """What the service gives as the result of a job, as it came.

        Raises:
            DeviceFault: the service does not answer.
        """

        def look() -> str:
            return str(self._on_each(lambda client: client.job_results(job)))

        return self.ask(f"result of job {job}", look, deadline)

    def usage_of(self, job: str, patience: float = 3.0) -> float | None:
        """Seconds that the service bills for a job, None as long as it does not say."""

        def look() -> float | None:
            answer = self._on_each(lambda client: client.job_metadata(job))
            usage = answer.get("usage") if isinstance(answer, dict) else None
            if not isinstance(usage, dict) or usage.get("status", "pending") == "pending":
                return None
            found = usage.get("qpu_charge_time_seconds", usage.get("quantum_seconds"))
            return float(found) if isinstance(found, int | float) and found >= 0 else None

        try:
            return self.ask(f"usage of job {job}", look, self._deadline(patience))
        except DeviceFault:
            return None

    def cancel(self, job: str, deadline: Deadline | None = None) -> None:
        """Cancel a job.

        Raises:
            DeviceFault: it has ended, or the service does not answer.
        """

        def look() -> None:
            self._on_each(lambda client: client.job_cancel(job))

        try:
            self.ask(f"job {job}", look, deadline)
        except DeviceFault as error:
            if status_of(error.__cause__) == 409:
                raise DeviceFault(
                    f"job {job} cannot be cancelled: {one_line(error.__cause__)}"
                ) from error
            raise

    def close_mode(self, mode: Any, deadline: Deadline) -> None:
        """Close a session or batch; its jobs go on.

        Raises:
            DeviceFault: the service does not answer.
        """

        def close() -> None:
            self.client._get_api_client().close_session(mode.session_id)

        self.ask("session", close, deadline)

    def open_mode(self, device: Any, kinds: Sequence[Any]) -> tuple[Any, str]:
        """The first of the client's modes (``Session``, ``Batch``) that the plan has, and its name.

        Where there are several kinds and none is granted: (None, why). Raises the client's errors
        where the only one asked for is not granted, and those that will pass.
        """
        why = ""
        for kind in kinds:
            try:
                return kind(backend=device), kind.__name__.lower()
            except Exception as error:
                if len(kinds) == 1 or action_for(error) is not Action.REFUSED:
                    raise
                why = one_line(error)
        return None, f"job ({why})"
