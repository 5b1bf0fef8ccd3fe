"""Errors of the experiments room and the exit code each one means on the command line."""

from __future__ import annotations

__all__ = ["ConfigError", "DeviceError", "NotApplicable", "RunDirectoryError", "exit_code"]

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

    exit_code = EXIT_DEVICE


def exit_code(error: BaseException) -> int | None:
    """The exit code that an error means; None for a defect of our own.

    An error class of any room means bad input (2) unless it says otherwise by an attribute
    ``exit_code``: 3 for a circuit that was refused, 4 for a device that gave nothing usable.
    """
    if not any(kind.__module__.startswith("qbrain.") for kind in type(error).__mro__):
        return None
    return int(getattr(error, "exit_code", EXIT_BAD_INPUT))
