"""What is done about each answer of the service: one table for every endpoint and every mode.

==========================================  =====================================================
answer                                      action
==========================================  =====================================================
401                                         one fresh token per call, then the call ends
408, 425, 429, every 5xx                    asked again, with growing pauses or after the seconds
                                            that ``Retry-After`` names, until the deadline
no answer, half an answer, a timeout,       the same
HTML or JSON of another form
a refusal of a job while its session has    a new session, within the same deadline
closed
every other 4xx                             the call ends at once, in the service's words
==========================================  =====================================================

A call that ends raises :class:`~qbrain.backends.errors.DeviceFault`. Numbers of the environment, in
seconds, bound everything: ``QBRAIN_IBM_PATIENCE``, how long a call is asked again (300 unless set);
``QBRAIN_IBM_TIMEOUT``, how long one request may stay silent (60); ``QBRAIN_IBM_MAX_WAIT``, how long
a job is waited for (86400); ``QBRAIN_IBM_LIST_LAG``, how far the service's list of jobs may be
behind (5).
"""

from __future__ import annotations

import email.utils
import json
import math
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any, TypeVar

from .errors import BackendError, DeviceFault

__all__ = [
    "Action",
    "Deadline",
    "MalformedAnswer",
    "Unreachable",
    "action_for",
    "ask",
    "client_errors",
    "list_lag_seconds",
    "longest_wait_seconds",
    "may_have_arrived",
    "one_line",
    "patience_seconds",
    "retry_after",
    "status_of",
    "timeout_seconds",
    "within",
]

T = TypeVar("T")
_PATIENCE, _TIMEOUT, _MAX_WAIT, _LIST_LAG = 300.0, 60.0, 86_400.0, 5.0
# the longest pause between two attempts, unless the service asks for a longer one
_LONGEST_PAUSE = 15.0
_TRANSIENT = (408, 425, 429)
# how many answers of another form are put down to chance
_ODD_ANSWERS = 5


class Action(Enum):
    """What to do about a fault."""

    RETRY = "retry"
    TOKEN = "fresh token"
    REFUSED = "give up"


class MalformedAnswer(Exception):
    """An answer that is not of the form that the interface documents."""


class Unreachable(Exception):
    """No account could be opened, for what is the cause of this error."""


def patience_seconds() -> float:
    """Seconds for which a service that does not answer is asked again.

    Raises:
        BackendError: ``QBRAIN_IBM_PATIENCE`` is no number of seconds >= 0.
    """
    return _seconds("QBRAIN_IBM_PATIENCE", _PATIENCE)


def timeout_seconds() -> float:
    """Seconds for which one request may stay silent.

    Raises:
        BackendError: ``QBRAIN_IBM_TIMEOUT`` is no number of seconds > 0.
    """
    found = _seconds("QBRAIN_IBM_TIMEOUT", _TIMEOUT)
    if found <= 0:
        raise BackendError(f"QBRAIN_IBM_TIMEOUT: wanted seconds > 0, got {found:g}")
    return found


def longest_wait_seconds() -> float:
    """Seconds for which a job is waited for.

    Raises:
        BackendError: ``QBRAIN_IBM_MAX_WAIT`` is no number of seconds >= 0.
    """
    return _seconds("QBRAIN_IBM_MAX_WAIT", _MAX_WAIT)


def list_lag_seconds() -> float:
    """Seconds by which the service's list of jobs may be behind.

    Raises:
        BackendError: ``QBRAIN_IBM_LIST_LAG`` is no number of seconds >= 0.
    """
    return _seconds("QBRAIN_IBM_LIST_LAG", _LIST_LAG)


def _seconds(name: str, default: float) -> float:
    given = os.environ.get(name)
    if not given:
        return default
    try:
        found = float(given)
    except ValueError:
        found = math.nan
    if not 0 <= found < math.inf:
        raise BackendError(f"{name}: wanted seconds >= 0, got {given!r}")
    return found


class Deadline:
    """A moment after which nothing is asked again; ``seconds`` from now."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds that are left, at least 0."""
        return max(self._end - time.monotonic(), 0.0)


def client_errors() -> tuple[type[Exception], ...]:
    """What the client raises where the service, or the way to it, is at fault."""
    import requests
    from ibm_cloud_sdk_core import ApiException  # type: ignore[import-untyped]
    from qiskit.providers.exceptions import QiskitBackendNotFoundError
    from qiskit_ibm_runtime.accounts import InvalidAccountError
    from qiskit_ibm_runtime.api.exceptions import ApiError
    from qiskit_ibm_runtime.exceptions import IBMError
    from qiskit_ibm_runtime.models.exceptions import BackendPropertyError

    return (
        IBMError,
        ApiError,
        ApiException,
        InvalidAccountError,
        BackendPropertyError,
        requests.RequestException,
        ConnectionError,
        TimeoutError,
        # half an answer shows as JSON that does not decode
        json.JSONDecodeError,
        # whatever goes wrong where the client lists devices, which it does before many a job
        QiskitBackendNotFoundError,
        MalformedAnswer,
        Unreachable,
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what it came of; the client wraps most answers once or twice."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _answer(error: BaseException | None) -> Any:
    for each in _chain(error):
        for name in ("response", "http_response"):
            found = getattr(each, name, None)
            if getattr(found, "status_code", None) is not None:
                return found
    return None


def status_of(error: BaseException | None) -> int:
    """HTTP status of the answer behind a client's error, −1 where there was none."""
    answer = _answer(error)
    if answer is not None:
        return int(answer.status_code)
    for each in _chain(error):
        for name in ("status_code", "code"):
            found = getattr(each, name, None)
            if isinstance(found, int) and 400 <= found < 600:
                return found
        # some errors keep only the words of the answer
        words = re.search(r"\b([45]\d\d) (?:Client|Server) Error", str(each))
        if words:
            return int(words[1])
    return -1


def retry_after(error: BaseException | None) -> float | None:
    """Seconds after which the service wants to be asked again, None where it does not say."""
    answer = _answer(error)
    given = None if answer is None else answer.headers.get("Retry-After")
    if given is None:
        return None
    try:
        return max(float(given), 0.0)
    except ValueError:
        pass
    try:
        moment = email.utils.parsedate_to_datetime(given)
    except ValueError:
        return None
    return max(moment.timestamp() - time.time(), 0.0)


def action_for(error: BaseException | None) -> Action:
    """The table at the head of this module."""
    from qiskit_ibm_runtime.exceptions import IBMInputValueError, IBMNotAuthorizedError

    status = status_of(error)
    if status == 401 or isinstance(error, IBMNotAuthorizedError):
        return Action.TOKEN
    if status in _TRANSIENT or status >= 500:
        return Action.RETRY
    if status >= 400 or isinstance(error, IBMInputValueError):
        return Action.REFUSED
    return Action.RETRY


def may_have_arrived(error: BaseException | None) -> bool:
    """Whether a request that ended this way may have taken effect at the service.

    It cannot have where no connection was made, and where the service said that it did not take it.
    """
    import requests
    from qiskit.providers.exceptions import QiskitBackendNotFoundError
    from qiskit_ibm_runtime.exceptions import IBMError

    status = status_of(error)
    if status >= 400:
        return status >= 500 or status == 408
    own = (IBMError, QiskitBackendNotFoundError)
    if all(isinstance(each, own) for each in _chain(error)):
        return False  # the client did not ask the service at all
    return not any(
        isinstance(each, requests.exceptions.ConnectTimeout)
        or "NewConnectionError" in str(each)
        or "NameResolutionError" in str(each)
        or isinstance(each, ConnectionRefusedError)
        for each in _chain(error)
    )


def one_line(error: BaseException | str | None) -> str:
    """An error's words, at most 300 characters of them; the service's own where it gave any."""
    text = (_service_words(error) if isinstance(error, BaseException) else "") or str(error or "")
    if "<" in text:
        # a web page, as a proxy or a firewall answers
        text = re.sub(r"(?s)<(script|style|head)\b.*?</\1>|<[^>]*>", " ", text)
    return " ".join(text.split())[:300] or type(error).__name__


def _service_words(error: BaseException) -> str:
    """What an answer in the form of IBM's errors says, empty for another one."""
    answer = _answer(error)
    if answer is None:
        return ""
    try:
        first = answer.json()["errors"][0]
        message, code = str(first["message"]), first.get("code")
        solution = str(first.get("solution") or "")
    except (AttributeError, LookupError, TypeError, ValueError):
        return ""
    number = f", error code {code}" if code else ""
    return f"HTTP {answer.status_code}{number}: {message} {solution}"


def within(seconds: float, call: Callable[[], T]) -> T:
    """Call in a thread of its own and wait for so many seconds at most.

    A request that trickles in byte by byte outlasts every timeout between bytes; this one it does
    not. The thread of a call that is given up ends with the process.

    Raises:
        TimeoutError: nothing came within the time.
    """
    ended = threading.Event()
    found: list[T] = []
    failed: list[BaseException] = []

    def body() -> None:
        try:
            found.append(call())
        except BaseException as error:
            failed.append(error)
        finally:
            ended.set()

    threading.Thread(target=body, daemon=True, name="qbrain-ibm").start()
    if not ended.wait(seconds):
        raise TimeoutError(f"no answer within {seconds:.0f} s")
    if failed:
        raise failed[0]
    return found[0]


def ask(
    what: str,
    call: Callable[[], T],
    deadline: Deadline,
    *,
    renew: Callable[[], None] | None = None,
) -> T:
    """Call until it answers, as the table says.

    Args:
        what: what is asked, for the message.
        call: one request or a few, which may be repeated.
        deadline: after which it is not asked again.
        renew: gets a fresh token, once.

    Raises:
        DeviceFault: the service refuses, or does not answer before the deadline; its cause is the
            client's error.
    """
    faults = client_errors()
    pause, odd = 0.25, 0
    while True:
        fault: Exception
        try:
            return within(max(deadline.left, 1.0), call)
        except faults as error:
            fault = error
        except BackendError:
            raise
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            # the client stumbles in all these ways over answers of another form
            fault = MalformedAnswer(f"not the answer that was wanted: {error!r}")
            fault.__cause__ = error
        odd += isinstance(fault, MalformedAnswer)
        action = action_for(fault)
        if action is Action.TOKEN and renew is not None:
            renew()
            renew = None
            continue
        wait = max(retry_after(fault) or 0.0, pause)
        if action is not Action.RETRY or wait > deadline.left or odd > _ODD_ANSWERS:
            raise DeviceFault(f"{what}: {one_line(fault)}") from fault
        time.sleep(wait)
        pause = min(2 * pause, _LONGEST_PAUSE)
