"""How a command ends: one line for every error, and the exit code."""

from __future__ import annotations

import contextlib
import errno
import os
import sys

import typer

from .engine.config import short
from .engine.durable import why
from .engine.stopping import BROKEN_PIPE, current_folder, how_to_go_on
from .errors import EXIT_BAD_INPUT, exit_code

__all__ = ["EXIT_INTERRUPTED", "told"]

EXIT_INTERRUPTED = 130
# what the system refuses to whoever wants too much of it
_SCARCE = (errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.ENOMEM, errno.EFBIG)


def told(error: BaseException) -> int | None:
    """Say on stderr why a command ended; its exit code, None for a defect of our own."""
    if isinstance(error, typer.Exit):
        return error.exit_code
    if isinstance(error, BrokenPipeError | SystemExit):
        # so does the command line's library end where nobody reads stdout
        return _nobody_reads()
    if isinstance(error, typer.TyperException):
        return _fail(Exception(error.format_message() or "see qbrain --help"), EXIT_BAD_INPUT)
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        print(f"qbrain: interrupted; {how_to_go_on()}", file=sys.stderr)
        return EXIT_INTERRUPTED
    if isinstance(error, MemoryError):
        return _fail(Exception(f"out of memory; {how_to_go_on()}"), EXIT_BAD_INPUT)
    if not isinstance(error, Exception):
        return None
    known = exit_code(error)
    if known is not None:
        return _fail(error, known)
    fault = _system_fault(error)
    return None if fault is None else _refused_by_system(fault)


def _fail(error: BaseException, code: int) -> int:
    message = short(" ".join(str(error).split())) or type(error).__name__
    with contextlib.suppress(OSError):
        print(f"qbrain: {message}", file=sys.stderr)
    return code


def _system_fault(error: BaseException) -> OSError | None:
    """The operating system's refusal behind an error, if that is what it comes from."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, OSError) and found.errno is not None:
            return found
        # a library that cannot be loaded, for instance, since no more files can be opened
        number = next((n for n in _SCARCE if os.strerror(n) in str(found)), None)
        if number is not None:
            return OSError(number, os.strerror(number))
        found = found.__cause__ or found.__context__
    return None


def _refused_by_system(error: OSError) -> int:
    """One line for what the operating system refuses, and the exit code."""
    try:
        if error.filename is None:
            os.write(sys.stdout.fileno(), b"\n")
    except ValueError:
        pass  # no file: somebody has put a buffer in its place
    except BrokenPipeError:
        return _nobody_reads()
    except OSError as refusal:
        _lead_nowhere()
        folder = current_folder()
        kept = folder is not None and (folder / "result.json").exists()
        where = f"; the result is in {folder}" if kept else ""
        return _fail(Exception(f"stdout: cannot be written: {why(refusal)}{where}"), EXIT_BAD_INPUT)
    name = f"{error.filename}: " if error.filename else ""
    return _fail(Exception(f"{name}{why(error)}; {how_to_go_on()}"), EXIT_BAD_INPUT)


def _nobody_reads() -> int:
    """As for any program in a pipe whose reader has gone: no word, and the shell's code for it."""
    _lead_nowhere()
    return BROKEN_PIPE


def _lead_nowhere() -> None:
    """What is still in stdout's buffer is lost; else the interpreter would try once more."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
