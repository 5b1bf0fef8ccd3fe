"""What the loopback server keeps: requests, jobs, sessions."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Job", "Request", "SessionRecord"]


@dataclass
class Request:
    """One request as it came, and what it was answered."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes
    status: int = 0
    fault: str = ""
    time: float = field(default_factory=time.time)


@dataclass
class Job:
    """One submitted job."""

    id: str
    backend: str
    program: str
    created: float
    tags: list[str] = field(default_factory=list)
    session_id: str | None = None
    instance: str = ""
    private: bool = False
    cost: int | None = None
    calibration_id: str | None = None
    state: str = "QUEUED"
    reason: str = ""
    reason_code: int | None = None
    running: float | None = None
    finished: float | None = None
    quantum_seconds: float = 0.0
    params: dict[str, Any] = field(default_factory=dict, repr=False)
    result: str = field(default="", repr=False)


@dataclass
class SessionRecord:
    """One session (mode ``dedicated``) or batch (mode ``batch``)."""

    id: str
    backend: str
    mode: str
    max_ttl: int
    created: float
    instance: str = ""
    accepting_jobs: bool = True
    closed: float | None = None
    # closes by itself after so many jobs have been taken, if set
    jobs_left: int | None = None
