"""Files that are whole or not there, in folders that may be anybody's.

A whole file is written beside its name and moved into place; a journal grows by whole lines. Both
are on disk when the call returns. No write follows a symbolic link inside the folder, and every
fault of the operating system is one sentence.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import RunDirectoryError
from .stopping import current_folder, how_to_go_on

__all__ = [
    "append_line",
    "faults_in_a_sentence",
    "make_folder",
    "read_lines",
    "read_whole",
    "refuse_links",
    "why",
    "write_whole",
]

_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_BINARY = getattr(os, "O_BINARY", 0)


def why(error: BaseException) -> str:
    """What went wrong, in the operating system's words where it has any."""
    text = error.strerror if isinstance(error, OSError) else None
    return " ".join((text or str(error) or type(error).__name__).split())


@contextmanager
def faults_in_a_sentence(file: Path, what: str) -> Iterator[None]:
    """Turn the system's refusals into ``RunDirectoryError``: the file, what failed, how to go on.

    ``what``: such as ``cannot be written``.
    """
    try:
        yield
    except RunDirectoryError:
        raise
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _linked(file) from None
        raise RunDirectoryError(f"{file}: {what}: {why(error)}{_afterwards(file)}") from None


def _afterwards(file: Path) -> str:
    """How to go on once the fault is mended, for files of the run that is under way."""
    folder = current_folder()
    if folder is None or not file.is_relative_to(folder):
        return ""
    return f"; what was finished is kept, {how_to_go_on()}"


def _linked(file: Path) -> RunDirectoryError:
    return RunDirectoryError(
        f"{file}: wanted a file or folder of the run's own, got a symbolic link"
    )


def refuse_links(folder: Path, file: Path) -> None:
    """Raise ``RunDirectoryError`` if a folder between ``folder`` and ``file`` is a symbolic link.

    ``folder`` itself may be one: it is where somebody wants the run to be.
    """
    for parent in file.parents:
        if parent == folder:
            return
        if parent.is_symlink():
            raise _linked(parent)


def make_folder(folder: Path, inside: Path) -> None:
    """Make ``folder``, which lies in ``inside``, with what is between them."""
    refuse_links(inside, folder / "_")
    with faults_in_a_sentence(folder, "cannot be made"):
        folder.mkdir(parents=True, exist_ok=True)


def write_whole(final: Path, content: bytes | Callable[[Path], None], inside: Path) -> Path:
    """Write a file, durably and atomically. A callable gets the path to write to.

    ``inside``: the run's folder, which ``final`` must not leave through a link.

    Raises:
        RunDirectoryError: the system refuses; what was there before is still there.
    """
    refuse_links(inside, final)
    part = final.with_name(f".{final.name}.part{final.suffix}")
    with faults_in_a_sentence(final, "cannot be written"):
        try:
            # what a kill has left, or a link to somewhere else: both are removed, not followed
            part.unlink(missing_ok=True)
            if callable(content):
                content(part)
                handle = os.open(part, os.O_RDWR | _NO_LINK | _BINARY)
            else:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK | _BINARY
                handle = os.open(part, flags, 0o666)
            with os.fdopen(handle, "r+b" if callable(content) else "wb") as file:
                if not callable(content):
                    file.write(content)
                    file.flush()
                os.fsync(file.fileno())
            part.replace(final)
        except BaseException:
            _remove(part)
            raise
        sync_folder(final.parent)
    return final


def _remove(part: Path) -> None:
    with suppress(OSError):
        part.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder as durable as their files, where the system can."""
    if os.name != "posix":
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass  # some file systems do not, and none loses what was there before
    finally:
        os.close(handle)


def append_line(file: Path, line: bytes, inside: Path) -> None:
    """Add whole lines to a journal; on disk when this returns, or not there at all.

    Raises:
        RunDirectoryError: the system refuses.
    """
    refuse_links(inside, file)
    with faults_in_a_sentence(file, "cannot be written"):
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | _NO_LINK | _BINARY
        handle = os.open(file, flags, 0o666)
        try:
            _must_be_file(file, handle)
            before = os.fstat(handle).st_size
            try:
                left = memoryview(line)
                while left:
                    left = left[os.write(handle, left) :]
                os.fsync(handle)
            except OSError:
                # half a line is cut off by who reads it next, should this not be possible
                os.ftruncate(handle, before)
                raise
        finally:
            os.close(handle)


def _must_be_file(file: Path, handle: int) -> None:
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        raise RunDirectoryError(f"{file}: wanted a file, got something else")


def read_whole(file: Path) -> bytes | None:
    """A file's bytes; None if it does not exist.

    Raises:
        RunDirectoryError: it cannot be read, or is no file.
    """
    with faults_in_a_sentence(file, "cannot be read"):
        try:
            # a pipe of that name would keep us waiting
            handle = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _BINARY)
        except FileNotFoundError:
            return None
        with os.fdopen(handle, "rb") as opened:
            _must_be_file(file, handle)
            return opened.read()


def read_lines(file: Path, inside: Path) -> list[bytes]:
    """The whole lines of a journal, without their ends; none if it does not exist.

    Half a last line, which a kill while writing leaves, is cut off the file.

    Raises:
        RunDirectoryError: the system refuses.
    """
    raw = read_whole(file)
    if not raw:
        return []
    whole, _, rest = raw.rpartition(b"\n")
    if rest:
        refuse_links(inside, file)
        with faults_in_a_sentence(file, "cannot be written"):
            handle = os.open(file, os.O_WRONLY | _NO_LINK | _BINARY)
            try:
                os.ftruncate(handle, len(raw) - len(rest))
                os.fsync(handle)
            finally:
                os.close(handle)
    return whole.split(b"\n") if whole else []
