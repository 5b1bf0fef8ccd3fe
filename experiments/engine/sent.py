"""What a run's folder knows of the device and of the jobs that it was sent.

``device.json``          the device as the run began: targets, qubit chains, readout errors, limits
``sent/NNNN.ticket.json`` of each job: its tag before it is sent, its id as soon as there is one
``sent/NNNN.P.ticket.json`` of its parts after the first, where it was cut into several jobs
``sent/NNNN.answer.N``    answers of the service that could not be used, as they came

With these and the circuits beside them (see :meth:`RunDirectory.keep_sent`) a run goes on, or is
collected, without its device, its calibration, or a compiler.
"""

from __future__ import annotations

from pathlib import Path

from qbrain.backends.ibm_device import DeviceFacts
from qbrain.backends.ibm_ticket import Ticket

from ..errors import RunDirectoryError
from .folder import RunDirectory

__all__ = ["FolderTicket", "keep_facts", "kept_facts", "kept_tickets"]

_DEVICE = "device.json"


def keep_facts(folder: RunDirectory, facts: DeviceFacts) -> None:
    """Write what is known of the device; before the first job is sent."""
    folder.write_record(_DEVICE, facts.record())


def kept_facts(folder: RunDirectory) -> DeviceFacts | None:
    """What :func:`keep_facts` wrote, None where it has not.

    Raises ``RunDirectoryError`` for a file that is damaged.
    """
    record = folder.read_record(_DEVICE)
    if record is None:
        return None
    try:
        return DeviceFacts.from_record(record)
    except Exception as error:  # another file makes the reader fail in any way
        raise RunDirectoryError(
            f"{folder.path / _DEVICE}: not the record of a device: {error}"
        ) from None


def kept_tickets(folder: RunDirectory) -> list[tuple[int, int, Ticket]]:
    """Every ticket in the folder with the number of its job and of its part, in this order.

    Raises ``RunDirectoryError`` for a file that is damaged.
    """
    found = []
    for file in (folder.path / "sent").glob("*.ticket.json"):
        number, *part = file.name.removesuffix(".ticket.json").split(".")
        if number.isdecimal() and all(each.isdecimal() for each in part) and len(part) < 2:
            place = int(number), int(part[0]) if part else 0
            ticket = FolderTicket(folder, *place).read()
            if ticket is not None:
                found.append((*place, ticket))
    return sorted(found, key=lambda row: row[:2])


class FolderTicket:
    """The ticket of a run's job, as :class:`qbrain.backends.ibm_ticket.TicketStore`."""

    def __init__(self, folder: RunDirectory, number: int, part: int = 0) -> None:
        self._folder = folder
        self._stem = f"sent/{number:04d}" + (f".{part}" if part else "")
        self._name = f"{self._stem}.ticket.json"

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self._folder.path / self._name

    def read(self) -> Ticket | None:
        """The ticket, None as long as there is none.

        Raises ``RunDirectoryError`` for a file that is damaged.
        """
        try:
            record = self._folder.read_record(self._name)
            return None if record is None else Ticket.from_record(record)
        except (RunDirectoryError, KeyError, TypeError, ValueError) as error:
            raise RunDirectoryError(
                f"{self.path}: not an intact ticket of a job ({error}); where the file is "
                "removed, the job is looked for by its tag"
            ) from None

    def write(self, ticket: Ticket) -> None:
        """Keep it; on disk when this returns."""
        self._folder.write_record(self._name, ticket.record())

    def keep_answer(self, text: str) -> str:
        """Keep an answer that cannot be used, as it came; returns where."""
        number = 1
        while (self._folder.path / f"{self._stem}.answer.{number}").exists():
            number += 1
        content = text.encode("utf-8", errors="surrogateescape")
        return str(self._folder.write(f"{self._stem}.answer.{number}", content))
