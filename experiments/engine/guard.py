"""What a run may spend on a device: refused before a job is sent, and ended by the service."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from qiskit import QuantumCircuit

from qbrain.backends.billing import executed_shots, job_seconds
from qbrain.backends.check.pure import DispatchRefused
from qbrain.backends.ibm_device import DeviceFacts
from qbrain.backends.ibm_limits import MOST_SECONDS
from qbrain.backends.ibm_ticket import Allowance

from .config import BaseConfig
from .folder import RunDirectory
from .sent import FolderTicket, kept_tickets

__all__ = ["Budget", "OverBudget", "spent_seconds"]


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


class Budget:
    """What the parts of one of a run's jobs may take.

    What is left of the run's limit when a part is about to be sent is shared among the parts that
    are still to be sent, in the proportion of their estimates. The service takes whole seconds: a
    share is rounded down, but never below the part's own estimate, which the service would end.

    Args:
        config: of the run, with its limit.
        folder: of the run, with the tickets of all its jobs.
        facts: of the device.
        number: of the job.
        parts: its circuits, as they are sent.
        shots: of each circuit.
    """

    def __init__(
        self,
        config: BaseConfig,
        folder: RunDirectory,
        facts: DeviceFacts,
        number: int,
        parts: Sequence[Sequence[QuantumCircuit]],
        shots: int,
    ) -> None:
        self._config, self._folder, self._number = config, folder, number
        executed = executed_shots(shots, twirled=config.twirled)
        target, repetition = facts.targets[0], facts.repetition
        self._estimates = [job_seconds(each, executed, target, repetition) for each in parts]

    def allow(self, part: int) -> Allowance:
        """What a part may take that is sent next.

        Raises:
            OverBudget: less is left than the parts that are still to be sent are estimated to take.
        """
        estimated, limit = self._estimates[part], self._config.max_qpu_seconds
        if limit is None:
            return Allowance(estimated, None)
        wanted = sum(
            math.inf if seconds is None else seconds
            for other, seconds in enumerate(self._estimates)
            if other == part or not self._sent(other)
        )
        spent = spent_seconds(self._folder)
        if estimated is None or not spent + wanted <= limit:
            raise OverBudget(self._config.backend, self._number, spent + wanted, limit)
        share = (limit - spent) * estimated / wanted
        return Allowance(estimated, min(MOST_SECONDS, max(math.floor(share), math.ceil(estimated))))

    def _sent(self, part: int) -> bool:
        ticket = FolderTicket(self._folder, self._number, part).read()
        return ticket is not None and ticket.job is not None
