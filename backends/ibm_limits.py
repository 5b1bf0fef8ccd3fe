"""What IBM takes in one job, and how often; what is larger is cut into several jobs.

The service's limits, from IBM's pages on job limits and on execution time: ten million executions
of circuits (randomizations of twirling are executions), five million two-qubit gates a circuit,
64 MB of payload, three hours of quantum time, five submissions a minute and token. A device may
take fewer circuits in a job (``max_experiments``) and fewer shots (``max_shots``).
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from qiskit import QuantumCircuit
from qiskit.transpiler import Target

from .billing import SECONDS_A_JOB, Repetition, executed_shots, job_seconds
from .compile import two_qubit_gates
from .errors import BackendError

__all__ = ["MOST_EXECUTIONS", "MOST_SECONDS", "Pace", "job_sizes", "submissions_a_minute"]

MOST_EXECUTIONS = 10_000_000
MOST_TWO_QUBIT_GATES = 5_000_000
MOST_BYTES = 64_000_000
# of quantum time, for one job
MOST_SECONDS = 10_800
_A_MINUTE = 5
# An instruction takes some 20 bytes of the request, for circuits are compressed, and 1250 where the
# client draws random gates around it; measured on circuits of 30 to 3000 gates, rounded up.
_BYTES, _TWIRLED_BYTES, _BYTES_A_CIRCUIT = 64, 1500, 4000


def payload_bytes(circuit: QuantumCircuit, *, twirled: bool) -> int:
    """What a circuit adds to the request at most, in bytes."""
    each = _TWIRLED_BYTES if twirled else _BYTES
    return _BYTES_A_CIRCUIT + each * circuit.size()


def job_sizes(
    circuits: Sequence[QuantumCircuit],
    shots: int,
    target: Target,
    repetition: Repetition,
    *,
    most_circuits: int | None = None,
    twirled: bool = False,
    name: str = "the device",
) -> list[int]:
    """How many of the circuits go into each job, in their order, so that every job may be sent.

    Raises:
        BackendError: a circuit that exceeds a limit by itself; the message names the limit.
    """
    executed = executed_shots(shots, twirled=twirled)
    sizes: list[int] = []
    room = _Room(most_circuits)
    # many circuits of a run are the same object
    known: dict[int, tuple[int, float]] = {}
    for circuit in circuits:
        if id(circuit) not in known:
            seconds = job_seconds([circuit], executed, target, repetition)
            long = 0.0 if seconds is None else seconds - SECONDS_A_JOB
            size = payload_bytes(circuit, twirled=twirled)
            _check_alone(circuit, executed, size, long, name)
            known[id(circuit)] = size, long
        size, long = known[id(circuit)]
        if not sizes or not room.takes(executed, size, long):
            sizes.append(0)
            room = _Room(most_circuits)
        room.add(executed, size, long)
        sizes[-1] += 1
    return sizes


class _Room:
    """What is left in one job."""

    def __init__(self, circuits: int | None) -> None:
        self.circuits = circuits
        self.executions, self.bytes = MOST_EXECUTIONS, MOST_BYTES
        self.seconds = MOST_SECONDS - SECONDS_A_JOB

    def takes(self, executions: int, size: int, seconds: float) -> bool:
        return (
            (self.circuits is None or self.circuits > 0)
            and executions <= self.executions
            and size <= self.bytes
            and seconds <= self.seconds
        )

    def add(self, executions: int, size: int, seconds: float) -> None:
        if self.circuits is not None:
            self.circuits -= 1
        self.executions -= executions
        self.bytes -= size
        self.seconds -= seconds


def _check_alone(
    circuit: QuantumCircuit, executions: int, size: int, seconds: float, name: str
) -> None:
    found = (
        ("executions", executions, MOST_EXECUTIONS),
        ("two-qubit gates", two_qubit_gates(circuit), MOST_TWO_QUBIT_GATES),
        ("bytes of payload", size, MOST_BYTES),
        ("seconds of quantum time", seconds, MOST_SECONDS - SECONDS_A_JOB),
    )
    for what, figure, most in found:
        if figure > most:
            raise BackendError(
                f"circuit {circuit.name}: wanted at most {most:,.0f} {what} on {name}, "
                f"got {figure:,.0f}"
            )


def submissions_a_minute() -> int:
    """How many jobs are sent in a minute at most, ``QBRAIN_IBM_JOBS_A_MINUTE``; 0 for no limit.

    Raises:
        BackendError: it is no whole number >= 0.
    """
    given = os.environ.get("QBRAIN_IBM_JOBS_A_MINUTE", "")
    if not given:
        return _A_MINUTE
    if not given.isdecimal():
        raise BackendError(f"QBRAIN_IBM_JOBS_A_MINUTE: wanted a whole number >= 0, got {given!r}")
    return int(given)


class Pace:
    """Submissions of this process, so many in any ``window`` seconds.

    Other processes with the same token are not seen: the service answers these with 429, which is
    asked again.
    """

    def __init__(self, window: float = 60.0) -> None:
        self._window = window
        self._sent: deque[float] = deque()
        self._lock = threading.Lock()

    def wait(self, tell: Callable[[str], None]) -> float:
        """Wait until one more job may be sent, which counts from then on; returns the seconds.

        ``tell`` is told in a line where that is longer than a moment.
        """
        most, began = submissions_a_minute(), time.monotonic()
        if most == 0:
            return 0.0
        while True:
            with self._lock:
                now = time.monotonic()
                while self._sent and now - self._sent[0] >= self._window:
                    self._sent.popleft()
                if len(self._sent) < most:
                    self._sent.append(now)
                    return now - began
                left = self._sent[len(self._sent) - most] + self._window - now
            if left >= 1:
                tell(f"waits {left:.0f} s: the service takes {most} jobs a minute and token")
            time.sleep(max(left, 0.01))
