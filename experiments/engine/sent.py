"""What a run's folder knows of the device and of the jobs that it was sent.

``device.json``          the device as the run began: targets, qubit chains, readout errors, limits
``sent/NNNN.ticket.json`` of each job: its tag before it is sent, its id as soon as there is one
``sent/NNNN.answer.N``    answers of the service that could not be used, as they came

With these and the circuits beside them (see :meth:`RunDirectory.keep_sent`) a run goes on, or is
collected, without its device, its calibration, or a compiler.
"""

from __future__ import annotations

import json
from pathlib import Path

from qbrain.backends.ibm_device import DeviceFacts
from qbrain.backends.ibm_ticket import Ticket

from ..errors import RunDirectoryError
from .folder import RunDirectory

__all__ = ["FolderTicket", "keep_facts", "kept_facts"]

_DEVICE = "device.json"


def keep_facts(folder: RunDirectory, facts: DeviceFacts) -> None:
    """Write what is known of the device; before the first job is sent."""
    text = json.dumps(facts.record(), allow_nan=False) + "\n"
    folder.write(_DEVICE, text.encode())


def kept_facts(folder: RunDirectory) -> DeviceFacts | None:
    """What :func:`keep_facts` wrote, None where it has not.

    Raises ``RunDirectoryError`` for a file that is damaged.
    """
    file = folder.path / _DEVICE
    if not file.exists():
        return None
    try:
        return DeviceFacts.from_record(json.loads(file.read_text(encoding="utf-8")))
    except Exception as error:  # a damaged file makes the reader fail in any way
        raise RunDirectoryError(f"{file}: not an intact record of a device: {error}") from None


class FolderTicket:
    """The ticket of a run's job, as :class:`qbrain.backends.ibm_ticket.TicketStore`."""

    def __init__(self, folder: RunDirectory, number: int) -> None:
        self._folder, self._number = folder, number
        self._name = f"sent/{number:04d}.ticket.json"

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self._folder.path / self._name

    def read(self) -> Ticket | None:
        """The ticket, None as long as there is none.

        Raises ``RunDirectoryError`` for a file that is damaged.
        """
        if not self.path.exists():
            return None
        try:
            return Ticket.from_record(json.loads(self.path.read_text(encoding="utf-8")))
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise RunDirectoryError(
                f"{self.path}: not an intact ticket of a job: {error}; where it is removed, the "
                "job is looked for by its tag"
            ) from None

    def write(self, ticket: Ticket) -> None:
        """Keep it; on disk when this returns."""
        text = json.dumps(ticket.record(), allow_nan=False) + "\n"
        self._folder.write(self._name, text.encode())

    def keep_answer(self, text: str) -> str:
        """Keep an answer that cannot be used, as it came; returns where."""
        number = 1
        while (self._folder.path / f"sent/{self._number:04d}.answer.{number}").exists():
            number += 1
        content = text.encode("utf-8", errors="surrogateescape")
        return str(self._folder.write(f"sent/{self._number:04d}.answer.{number}", content))
