"""Errors of the experiments room and the exit code each one means on the command line."""

from __future__ import annotations

__all__ = ["ConfigError", "DeviceError", "NotApplicable", "RunDirectoryError"]

EXIT_BAD_INPUT = 2
EXIT_REFUSED = 3
EXIT_DEVICE = 4


class ConfigError(ValueError):
    """A setting is unknown, out of range, or would be ignored."""


class NotApplicable(ConfigError):
    """What was asked for does not exist for this model or backend; the message says why."""


class RunDirectoryError(OSError):
    """A run directory cannot be written, or holds something other than an intact run."""


class DeviceError(RuntimeError):
    """A device or the way to it failed; the run can be resumed."""
