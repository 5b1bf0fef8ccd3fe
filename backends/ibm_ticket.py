"""What is remembered of one job: its tag before it is sent, its id as soon as there is one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

__all__ = ["Allowance", "LooseTicket", "Ticket", "TicketStore"]


class Allowance(NamedTuple):
    """Seconds of quantum time that a job is estimated to take, and after which it is to be ended.

    None: not known, and no such limit.
    """

    estimated: float | None = None
    most: int | None = None


@dataclass(frozen=True)
class Ticket:
    """One job of a run.

    Attributes:
        tag: of the job at the service.
        job: the service's id, None as long as it is not known.
        former: ids of jobs of this tag that were given up.
        intended: when it was last about to be sent, seconds since 1970.
        backend: name of the device.
        shots: of each circuit.
        instance: CRN of the service's instance that it was about to be sent to, empty where not
            known.
        session: of the job, None outside sessions.
        estimated: seconds of quantum time that the job was estimated at, None where not known.
        most: seconds after which the service ends it, None without such a limit.
        billed: seconds that it was billed, None as long as that is not known.
        lost: seconds billed for jobs of this tag that were given up.
        service: URL of the service that took the job, and then of the one that gave its result;
            empty where not known.
    """

    tag: str
    job: str | None = None
    former: tuple[str, ...] = ()
    intended: float = 0.0
    backend: str = ""
    shots: int = 0
    instance: str = ""
    session: str | None = None
    estimated: float | None = None
    most: int | None = None
    billed: float | None = None
    lost: float = 0.0
    service: str = ""

    def given_up(self) -> Ticket:
        """The same without its job, whose id is kept among the former ones, nor its instance."""
        former = self.former if self.job is None else (*self.former, self.job)
        return replace(
            self,
            job=None,
            session=None,
            instance="",
            former=tuple(dict.fromkeys(former)),
            billed=None,
            lost=self.lost + (self.billed or 0.0),
        )

    def record(self) -> dict[str, Any]:
        """A JSON object; :meth:`from_record` reads it back."""
        return vars(self) | {"former": list(self.former)}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Ticket:
        """What :meth:`record` wrote. Raises KeyError, TypeError or ValueError for anything else."""
        job, session = record["job"], record["session"]
        for name, value in (("job", job), ("session", session)):
            if value is not None and not isinstance(value, str):
                raise TypeError(f"{name}: wanted an id, got {value!r}")
        return cls(
            str(record["tag"]),
            job,
            tuple(str(each) for each in record["former"]),
            float(record["intended"]),
            str(record["backend"]),
            int(record["shots"]),
            str(record["instance"]),
            session,
            # the rest is not in records of version 0.1
            _number(record.get("estimated")),
            None if record.get("most") is None else int(record["most"]),
            _number(record.get("billed")),
            float(record.get("lost", 0.0)),
            str(record.get("service", "")),
        )


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


class TicketStore(Protocol):
    """Where a ticket lies; what is written is on disk when the call returns."""

    def read(self) -> Ticket | None:
        """The ticket, None as long as there is none."""

    def write(self, ticket: Ticket) -> None:
        """Keep it."""

    def keep_answer(self, text: str) -> str:
        """Keep an answer that cannot be used, as it came; returns where."""


class LooseTicket:
    """A ticket in memory, of a job that belongs to no run; the ledger knows it all the same."""

    def __init__(self) -> None:
        self._ticket: Ticket | None = None

    def read(self) -> Ticket | None:
        """The ticket, None as long as there is none."""
        return self._ticket

    def write(self, ticket: Ticket) -> None:
        """Keep it in memory."""
        self._ticket = ticket

    def keep_answer(self, text: str) -> str:
        """Nowhere: there is no folder."""
        return ""
