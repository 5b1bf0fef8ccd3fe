"""What the loopback server can be told to do wrong."""

from __future__ import annotations

import contextlib
import copy
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from .answers import CHANGES
from .faults import FOREVER, Change, Fault
from .limits import DeviceState
from .records import Job, SessionRecord

if TYPE_CHECKING:
    from .device import Device

__all__ = ["Orders"]


class Orders:
    """Faults to order; the server has what they work on."""

    devices: dict[str, Device]
    states: dict[str, DeviceState]
    jobs: dict[str, Job]
    sessions: dict[str, SessionRecord]
    faults: list[Fault]
    token: str
    instance: str
    held: bool
    _doomed: list[tuple[str, int]]
    _generation: int
    _clearings: int
    _lock: threading.RLock
    _wake: threading.Condition
    _finish: Callable[..., None]
    _close: Callable[..., None]
    _delete: Callable[..., None]

    def fail(self, status: int = 500, **where: Any) -> None:
        """Answer the next requests with an error (see :class:`Fault` for the choice of which)."""
        self._add(Fault("status", status=status, **where))

    def cut(self, **where: Any) -> None:
        """Cut the next answers in half. What they answer has happened."""
        self._add(Fault("cut", after=True, **where))

    def drop(self, **where: Any) -> None:
        """Hang up on the next requests without an answer."""
        self._add(Fault("drop", **where))

    def delay(self, seconds: float, **where: Any) -> None:
        """Answer the next requests late."""
        self._add(Fault("delay", seconds=seconds, **where))

    def hang(self, **where: Any) -> None:
        """Take the next requests and never answer, until :meth:`clear` or :meth:`stop`."""
        self._add(Fault("hang", **where))

    def trickle(self, seconds: float, **where: Any) -> None:
        """Send the next answers a byte at a time, over so many seconds."""
        self._add(Fault("trickle", seconds=seconds, **where))

    def html(self, status: int = 502, **where: Any) -> None:
        """Answer the next requests with a gateway's page."""
        self._add(Fault("html", status=status, **where))

    def blank(self, kind: str = "null", **where: Any) -> None:
        """Answer with JSON's null, with nothing, as plain text or with half the text.

        ``kind``: ``null``, ``empty``, ``plain`` or ``truncated``.
        """
        if kind not in ("null", "empty", "plain", "truncated"):
            raise ValueError(f"kind: wanted null, empty, plain or truncated, got {kind!r}")
        self._add(Fault(kind, **where))

    def alter(self, change: Change | str, **where: Any) -> Fault:
        """Change the next answers: ``change(status, body) -> (status, body)``.

        A name of :data:`.answers.CHANGES`, such as ``result: half the shots``, stands for the
        change of that name.
        """
        if isinstance(change, str):
            if change not in CHANGES:
                raise ValueError(f"change: wanted one of {', '.join(CHANGES)}, got {change!r}")
            change = CHANGES[change]
        fault = Fault("change", change=change, **where)
        self._add(fault)
        return fault

    @contextlib.contextmanager
    def answers(self, method: str, path: str, change: Change | str) -> Iterator[Fault]:
        """Change every answer to such requests while this is open."""
        fault = self.alter(change, method=method, path=path, count=FOREVER)
        try:
            yield fault
        finally:
            with self._lock:
                self.faults = [other for other in self.faults if other is not fault]

    def revoke_tokens(self) -> None:
        """Let every access token given out so far be invalid from now on."""
        with self._lock:
            self._generation += 1

    def fail_jobs(self, count: int = 1, reason: str = "Internal error.", code: int = 9999) -> None:
        """Let the next jobs that are run fail."""
        with self._lock:
            self._doomed += [(reason, code)] * count

    def set_device(self, name: str, status: str = "active", message: str = "") -> None:
        """Set a device's state.

        ``paused``, ``maintenance`` and ``offline``: jobs are taken and wait. ``retired``: it is
        listed no more and refuses jobs.
        """
        state = DeviceState(status, message)
        with self._wake:
            if name not in self.devices:
                raise ValueError(f"name: wanted one of {', '.join(self.devices)}, got {name!r}")
            self.states[name] = state
            self._wake.notify_all()

    def calibrate(self, name: str, change: Callable[[dict[str, Any], dict[str, Any]], Any]) -> None:
        """Publish another calibration: ``change(properties, configuration)``, in place.

        What the device does stays as it was: shots do not change with the calibration, so that
        those of before and after can be held against each other.
        """
        with self._lock:
            device = copy.copy(self.devices[name])
            device.properties = copy.deepcopy(device.properties)
            device.configuration = copy.deepcopy(device.configuration)
            change(device.properties, device.configuration)
            self.devices[name] = device

    def change_account(self, token: str, instance: str) -> None:
        """From now on the account is another: its key and its instance; jobs stay the old one's.

        Whoever is to follow reads :meth:`environment` again.
        """
        with self._lock:
            self.token, self.instance = token, instance
            self._generation += 1

    def delete_job(self, job_id: str | None = None) -> None:
        """Let the service know a job (the newest, if not named) no more."""
        with self._lock:
            job = self.jobs[job_id] if job_id else list(self.jobs.values())[-1]
            self._delete(job)

    def hold(self) -> None:
        """Keep jobs queued until :meth:`release`."""
        self.held = True

    def release(self) -> None:
        """Run jobs again."""
        with self._wake:
            self.held = False
            self._wake.notify_all()

    def cancel_job(self, job_id: str | None = None) -> None:
        """Cancel a job (the newest, if not named) on the server's side."""
        with self._lock:
            job = self.jobs[job_id] if job_id else list(self.jobs.values())[-1]
            self._finish(job, "CANCELLED", "Cancelled by an administrator.")

    def close_session(self, session_id: str | None = None, after_jobs: int = 0) -> None:
        """End a session (the newest, if not named) now, or once it has taken that many jobs more.

        Jobs still queued in it fail.
        """
        with self._lock:
            session = self.sessions[session_id] if session_id else list(self.sessions.values())[-1]
            if after_jobs > 0:
                session.jobs_left = after_jobs
                return
            self._close(session, "FAILED", "The session was closed before the job could run.")

    def clear(self) -> None:
        """Take back all faults that have not struck yet."""
        with self._wake:
            self.faults.clear()
            self._doomed.clear()
            self._clearings += 1
            self._wake.notify_all()
        self.release()

    def _add(self, fault: Fault) -> None:
        with self._lock:
            self.faults.append(fault)
