"""IBM Quantum's service: accounts, devices, and what to do when it does not answer.

Credentials are those that the client itself finds (saved account or environment); they are
neither read nor kept here.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any, TypeVar

from .errors import BackendError, DeviceFault
from .ledger import Ledger

__all__ = [
    "cancel_job",
    "client_errors",
    "is_refused",
    "is_transient",
    "list_devices",
    "one_line",
    "open_device",
    "open_service",
    "with_retries",
]

T = TypeVar("T")


def _status(error: BaseException) -> int:
    """HTTP status of the answer behind a client's error, −1 where there was none."""
    status = getattr(error, "status_code", None)
    if status is None:
        # the client wraps some answers in an error that keeps only the words
        found = re.search(r"\b([45]\d\d) (?:Client|Server) Error", str(error))
        status = found[1] if found else -1
    return int(status)


def is_transient(error: Exception) -> bool:
    """Whether asking again may help: no answer, half an answer, 429 or 5xx."""
    from qiskit_ibm_runtime.exceptions import IBMInputValueError

    if isinstance(error, IBMInputValueError):
        return False
    status = _status(error)
    return status in (-1, 408, 425, 429) or status >= 500


def is_refused(error: BaseException | None) -> bool:
    """Whether the service does not take the access token."""
    from qiskit_ibm_runtime.exceptions import IBMNotAuthorizedError

    return isinstance(error, IBMNotAuthorizedError) or (error is not None and _status(error) == 401)


def client_errors() -> tuple[type[Exception], ...]:
    """What the client raises where the service, or the way to it, is at fault."""
    import requests
    from qiskit.providers.exceptions import QiskitBackendNotFoundError
    from qiskit_ibm_runtime.api.exceptions import ApiError
    from qiskit_ibm_runtime.exceptions import IBMError

    return (
        IBMError,
        ApiError,
        requests.RequestException,
        ConnectionError,
        # half an answer shows as JSON that does not decode
        json.JSONDecodeError,
        # whatever goes wrong where the client lists devices, which it does before many a job
        QiskitBackendNotFoundError,
    )


def with_retries(what: str, call: Callable[[], T], patience: float) -> T:
    """Call until it answers; transient faults are waited out for ``patience`` seconds.

    Raises:
        DeviceFault: when patience is at its end, or at once for what will not pass.
    """
    faults = client_errors()
    ends, pause = time.monotonic() + patience, 0.2
    while True:
        try:
            return call()
        except faults as error:
            if time.monotonic() + pause > ends or not is_transient(error):
                raise DeviceFault(f"{what}: {one_line(error)}") from error
        time.sleep(pause)
        pause = min(2 * pause, 10.0)


def one_line(error: Exception) -> str:
    """An error's words, at most 300 characters of them."""
    return " ".join(str(error).split())[:300] or type(error).__name__


def open_service() -> Any:
    """The client's service, from the account that it finds itself.

    Raises:
        BackendError: where there is no account.
        DeviceFault: where the service does not answer.
    """
    from qiskit_ibm_runtime import QiskitRuntimeService
    from qiskit_ibm_runtime.accounts import AccountNotFoundError, InvalidAccountError

    def connect() -> Any:
        try:
            return QiskitRuntimeService()
        except (AccountNotFoundError, InvalidAccountError) as error:
            raise BackendError(
                "backend: an ibm_<device> needs an IBM Quantum account, saved by the client "
                f"(QiskitRuntimeService.save_account) or in QISKIT_IBM_TOKEN: {one_line(error)}"
            ) from None

    return with_retries("IBM Quantum", connect, 30.0)


def list_devices(patience: float = 10.0) -> list[tuple[str, int, int]]:
    """Name, qubits and pending jobs of every device of the account.

    Raises:
        BackendError: where there is no account.
        DeviceFault: where the service does not answer.
    """
    service = open_service()
    devices = with_retries("IBM Quantum", service.backends, patience)
    return [
        (
            str(device.name),
            int(device.num_qubits),
            int(with_retries("IBM Quantum", device.status, patience).pending_jobs),
        )
        for device in devices
    ]


def open_device(service: Any, name: str, fractional: bool) -> Any:
    """The client's backend, with or without fractional gates.

    Raises:
        BackendError: for ``fractional`` on a device that has none.
        DeviceFault: where the service does not answer.
    """
    from qiskit_ibm_runtime.exceptions import IBMInputValueError

    def open_() -> Any:
        try:
            return service.backend(name, use_fractional_gates=fractional)
        except IBMInputValueError:
            if fractional:
                raise BackendError(
                    f"fractional: wanted a device with rzz, got {name}, which has none"
                ) from None
            raise

    return with_retries(name, open_, 30.0)


def cancel_job(job: str, ledger: Ledger | None = None) -> None:
    """Cancel a job of the ledger by the service's id.

    Raises:
        BackendError: if the ledger does not know the job.
        DeviceFault: if the service does not cancel it (it may have ended), or does not answer.
    """
    ledger = Ledger() if ledger is None else ledger
    record = next((r for r in ledger.jobs() if r.job == job), None)
    if record is None:
        raise BackendError(f"job: wanted an id from the ledger, got {job!r}")
    service = open_service()
    with_retries(f"job {job}", lambda: service.job(job).cancel(), 30.0)
    ledger.update(record.tag, "cancelled")
