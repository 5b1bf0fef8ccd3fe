"""Named errors of the backends."""

from __future__ import annotations

__all__ = ["BackendError", "CompileError", "DeadEnd", "DeviceFault"]


class BackendError(ValueError):
    """Wrong use of a backend; the message says what was wanted and what came."""


class CompileError(BackendError):
    """A circuit cannot be brought onto a target, or did not arrive there as it should."""


class DeviceFault(RuntimeError):
    """A device, its service or the way to it failed; what was submitted is in the ledger."""

    exit_code = 4  # of the command line: a device gave nothing usable
    #: the number of the job in its run, None where it belongs to none
    step: int | None = None


class DeadEnd(DeviceFault):
    """Asking again may bring the same for ever, so that only sending the job again helps."""
