"""What a run may spend on a device: refused before a job is sent, and ended by the service."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from qiskit import QuantumCircuit

from qbrain.backends.billing import executed_shots, job_seconds
from qbrain.backends.check.pure import DispatchRefused
from qbrain.backends.ibm_device import DeviceFacts
from qbrain.backends.ibm_limits import MOST_SECONDS

from .folder import RunDirectory
from .sent import FolderTicket, kept_tickets

__all__ = ["Allowance", "OverBudget", "allowances", "spent_seconds"]


class OverBudget(DispatchRefused):
    """A run, or its next job, is estimated to take more quantum time than it may."""

    def __init__(self, system: str, step: int | None, seconds: float, limit: float) -> None:
        super().__init__(system, step, "qpu seconds", seconds, limit)
        where = "" if step is None else f", step {step}"
        got = "an unknown time" if math.isinf(seconds) else f"{seconds:.1f} s with what was billed"
        if step is None and not math.isinf(seconds):
            got = f"{seconds:.1f} s"
        self.args = (
            f"{system}{where}: qpu seconds: wanted at most {limit:g} s of quantum time, "
            f"got an estimate of {got}",
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """As of the class above."""
        return type(self), (self.circuit, self.step, self.figure, self.limit)


@dataclass(frozen=True)
class Allowance:
    """What one job is estimated to take, and when the service is to end it, in seconds.

    None: not known, and no such limit.
    """

    estimated: float | None
    most: int | None


def spent_seconds(folder: RunDirectory) -> float:
    """Seconds of quantum time that the run's jobs have been billed, or may be yet.

    A job that is done counts as it was billed, or was estimated where the service does not say; one
    that was sent and is not done, with all that it may take; one that was given up, as billed.
    """
    done, total = len(folder.steps()), 0.0
    for number, _, ticket in kept_tickets(folder):
        total += ticket.lost
        if ticket.billed is not None:
            total += ticket.billed
        elif ticket.job is not None:
            pending = ticket.most if number >= done else None
            total += pending if pending is not None else ticket.estimated or 0.0
    return total


def allowances(
    name: str,
    limit: float | None,
    folder: RunDirectory,
    facts: DeviceFacts,
    number: int,
    parts: Sequence[Sequence[QuantumCircuit]],
    shots: int,
    *,
    twirled: bool,
    sends: bool = True,
) -> list[Allowance]:
    """What each part of a run's job may take.

    What is left of ``limit`` is shared among the parts that are still to be sent, in the proportion
    of their estimates, so that together they cannot take more. Parts that were sent keep what they
    were given.

    Args:
        name: of the run's system, for the message.
        limit: seconds of quantum time for the whole run, None without one.
        folder: of the run.
        facts: of the device.
        number: of the job.
        parts: its circuits, as they are sent.
        shots: of each circuit.
        twirled: whether the client draws random gates around theirs.
        sends: whether jobs may be sent at all; nothing is refused where not.

    Raises:
        OverBudget: less is left than the parts are estimated to take.
    """
    executed = executed_shots(shots, twirled=twirled)
    estimates = [
        job_seconds(circuits, executed, facts.targets[0], facts.repetition) for circuits in parts
    ]
    if limit is None or not sends:
        return [Allowance(seconds, None) for seconds in estimates]
    tickets = [FolderTicket(folder, number, part).read() for part in range(len(parts))]
    open_ = [ticket is None or ticket.job is None for ticket in tickets]
    wanted = sum(
        math.inf if seconds is None else seconds
        for seconds, still in zip(estimates, open_, strict=True)
        if still
    )
    left = limit - spent_seconds(folder)
    if not wanted <= left:
        raise OverBudget(name, number, limit - left + wanted, limit)
    found: list[Allowance] = []
    for seconds, still, ticket in zip(estimates, open_, tickets, strict=True):
        most: int | None
        if still:
            assert seconds is not None  # else infinitely many were wanted
            most = min(MOST_SECONDS, math.floor(left * seconds / wanted))
        else:
            most = ticket.most if ticket is not None else None
        found.append(Allowance(seconds, most))
    return found
