"""What IBM Quantum refuses of a job although its form is right.

Sources: IBM's page on job limits (10 million executions a sampler job; the page says that
``max_shots`` and ``max_experiments`` of the configuration are on their way out, so that
``Limits(configuration=False)`` leaves them alone), the client's pages on execution time (inputs of
at most 64 MB, three hours a job), its registry of error codes (1204 and 1205 for tags) and issue
2916 of qiskit-ibm-runtime (6050 for the delay between repetitions).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from .faults import ApiError

__all__ = ["DEVICE_STATES", "DeviceState", "Limits", "executions", "quantum_program"]

# states in which a device takes jobs and lets them wait
WAITING = ("paused", "maintenance", "offline")
DEVICE_STATES = ("active", *WAITING, "retired")


@dataclass(frozen=True)
class DeviceState:
    """A device's state as its status endpoint tells it."""

    status: str = "active"
    message: str = ""

    def __post_init__(self) -> None:
        if self.status not in DEVICE_STATES:
            raise ValueError(
                f"status: wanted one of {', '.join(DEVICE_STATES)}, got {self.status!r}"
            )

    @property
    def operational(self) -> bool:
        """Whether the device is up; a paused one is and runs nothing all the same."""
        return self.status in ("active", "paused")

    @property
    def runs(self) -> bool:
        """Whether jobs leave the queue."""
        return self.status == "active"

    @property
    def listed(self) -> dict[str, str]:
        """Its state in the list of devices, whose words are others."""
        name = {"active": "online", "paused": "paused"}.get(self.status, "offline")
        return {"name": name, "reason": self.message or {"online": "available"}.get(name, "")}


@dataclass(frozen=True)
class Limits:
    """How much the service takes.

    Attributes:
        executions: circuits times shots of a job.
        payload_bytes: of the request that brings a job.
        tags, tag_characters: of a job.
        execution_seconds: highest ``max_execution_time``.
        configuration: hold jobs to ``max_shots`` and ``max_experiments`` of the device.
    """

    executions: int = 10_000_000
    payload_bytes: int = 64_000_000
    tags: int = 8
    tag_characters: int = 86
    execution_seconds: int = 10_800
    configuration: bool = True

    def check_payload(self, size: int) -> None:
        """Refuse a request that is too large, as a gateway does: before it is read.

        Raises:
            ApiError: 413.
        """
        if size > self.payload_bytes:
            raise ApiError(
                413, 1000, f"Payload too large: {size} bytes, the limit is {self.payload_bytes}."
            )

    def check_tags(self, tags: list[Any]) -> None:
        """Refuse tags that are too many or too long.

        Raises:
            ApiError: 400 with code 1204 or 1205.
        """
        if len(tags) > self.tags:
            raise ApiError(400, 1204, f"Job tags: at most {self.tags} tags, got {len(tags)}.")
        if not all(isinstance(tag, str) and len(tag) <= self.tag_characters for tag in tags):
            raise ApiError(
                400, 1205, f"Job tags: wanted strings of at most {self.tag_characters} characters."
            )

    def check_job(self, body: dict[str, Any], configuration: dict[str, Any]) -> None:
        """Refuse a job that is too large for the service or for its device.

        Raises:
            ApiError: 400; the codes 1002 and 6050 are IBM's, what the words say is ours.
        """
        cost = body.get("cost")
        if cost is not None and not 1 <= int(cost) <= self.execution_seconds:
            raise ApiError(
                400, 1002, f"Maximum execution time: 1 to {self.execution_seconds} s, got {cost}."
            )
        program = quantum_program(body.get("params"))
        if program is None:
            return  # a program that cannot be decoded fails later, as a job
        shots, circuits = int(program["shots"]), len(program["items"])
        if self.configuration:
            most = configuration.get("max_shots")
            if most is not None and shots > most:
                raise ApiError(400, 1002, f"Number of shots: at most {most}, got {shots}.")
            most = configuration.get("max_experiments")
            if most is not None and circuits > most:
                raise ApiError(400, 1002, f"Number of circuits: at most {most}, got {circuits}.")
        if executions(body.get("params")) > self.executions:
            raise ApiError(
                400,
                1002,
                f"Number of executions: at most {self.executions} a job, "
                f"got {executions(body.get('params'))}.",
            )
        delay = ((body.get("params") or {}).get("options") or {}).get("rep_delay")
        bounds = configuration.get("rep_delay_range")
        if delay is not None and bounds and not bounds[0] <= delay * 1e6 <= bounds[1]:
            low, high = bounds[0] * 1e-6, bounds[1] * 1e-6
            raise ApiError(
                400, 6050, f"Input Error: Rep delay {delay} outside of valid range {low} - {high}"
            )


def quantum_program(params: Any) -> dict[str, Any] | None:
    """The program that a job's parameters bring, if it says how much is to run."""
    program = params.get("quantum_program") if isinstance(params, dict) else None
    whole = isinstance(program, dict) and isinstance(program.get("items"), list)
    return program if whole and isinstance(program.get("shots"), int) else None


def executions(params: Any) -> int:
    """Circuits times shots, parameters and randomizations put in; 0 where nothing says so."""
    program = quantum_program(params)
    if program is None:
        return 0
    circuits = sum(math.prod(item.get("shape") or ()) for item in program["items"])
    return circuits * int(program["shots"])
