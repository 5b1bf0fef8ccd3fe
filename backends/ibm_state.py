"""A job of IBM Quantum as the service describes it, whatever words it has for that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .ibm_policy import MalformedAnswer, one_line

__all__ = ["FINAL", "JobState", "short"]

FINAL = ("DONE", "ERROR", "CANCELLED")
_STATES = {"COMPLETED": "DONE", "FAILED": "ERROR"}
_OVERDUE = 1305  # a job that ran too long and was cancelled by the service


def short(answer: Any) -> str:
    """The beginning of an answer, for a message."""
    return one_line(repr(answer))[:80]


@dataclass(frozen=True)
class JobState:
    """A job as the service describes it.

    Attributes:
        id: of the job.
        state: ``QUEUED``, ``RUNNING``, ``DONE``, ``ERROR``, ``CANCELLED``, or a word of the
            service's own that is none of these.
        reason: why it failed, empty where it has not.
        created: when it was taken, ISO 8601; empty where the service does not say.
        session: of the job, None outside sessions.
        position: in the queue, None where the service does not say.
        device: that it was taken for, empty where the service does not say.
    """

    id: str
    state: str
    reason: str = ""
    created: str = ""
    session: str | None = None
    position: int | None = None
    device: str = ""

    @property
    def final(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in FINAL

    @classmethod
    def read(cls, answer: Any) -> JobState:
        """Raises :class:`MalformedAnswer` for anything but a job's description."""
        if not isinstance(answer, dict) or not isinstance(answer.get("id"), str):
            raise MalformedAnswer(f"wanted a job's description, got {short(answer)}")
        state = answer.get("state")
        word = state.get("status") if isinstance(state, dict) else answer.get("status")
        if not isinstance(word, str) or not word:
            raise MalformedAnswer(f"wanted the state of job {answer['id']}, got {short(state)}")
        reason, code = "", None
        if isinstance(state, dict):
            reason = str(state.get("reason") or "")
            code = state.get("reason_code") or state.get("reasonCode")
        word = _STATES.get(word.upper(), word.upper())
        if word == "CANCELLED" and code == _OVERDUE:
            word = "ERROR"
        position = answer.get("position_in_queue", answer.get("position"))
        session, device = answer.get("session_id"), answer.get("backend")
        return cls(
            answer["id"],
            word,
            f"error code {code}; {reason}" if code else reason,
            str(answer.get("created") or ""),
            session if isinstance(session, str) else None,
            position if isinstance(position, int) and position >= 0 else None,
            device if isinstance(device, str) else "",
        )
