"""Named errors of the places where circuits run."""

from __future__ import annotations

__all__ = ["BackendError", "CompileError", "DeviceFault"]


class BackendError(ValueError):
    """Wrong use of a place where circuits run; the message says what was wanted and what came."""


class CompileError(BackendError):
    """A circuit cannot be brought onto a target, or did not arrive there as it should."""


class DeviceFault(RuntimeError):
    """A device, its service or the way to it failed; what was submitted is in the ledger."""
