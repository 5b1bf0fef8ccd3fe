"""Stops from outside: SIGINT, SIGTERM and SIGHUP end the command within two seconds, at any moment.

Python runs a signal's handler between two of its own instructions, so a long compilation or
simulation in C would hold a stop back for as long as it takes, and an interpreter that is torn down
while XLA still computes may crash. Here a thread is told of the signal, closes what has to be
closed (:func:`on_stop`), says how to go on, and ends the process. That is as safe as a kill:
whatever a run has finished is on disk. Where C code does not let the thread run, a small process
that was forked at the start says the same and ends this one.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import NoReturn

__all__ = [
    "BROKEN_PIPE",
    "begun",
    "current_folder",
    "go_on_with",
    "how_to_go_on",
    "on_stop",
    "open_missing_streams",
    "watch_signals",
]

# how long closing may take, and when the forked process steps in; both well below two seconds
_PATIENCE = 1.2
_LAST_RESORT = 1.6
# what a shell reports for a program that wrote into a pipe that nobody reads
BROKEN_PIPE = 141

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP
_closers: dict[int, tuple[Callable[[], object], str]] = {}
_numbers = iter(range(sys.maxsize))
_folder: Path | None = None
_command = ""
_watching = False
_helper = -1  # where the forked process reads, if there is one
_SAID = b"\xfe"  # to the forked process: the user has been told
_COMMAND = b"\xff"  # to the forked process: a command follows, and a null byte


def begun(folder: Path) -> None:
    """Take note of the folder in which this process works; a stop names it."""
    global _folder
    _folder = folder
    go_on_with(f"qbrain resume {shlex.quote(str(folder))}")


def go_on_with(command: str) -> None:
    """Take note of the command that goes on from here after a stop."""
    global _command
    _command = command
    # at most what the system writes in one piece; a longer one is known to the thread alone
    text = command.encode(errors="surrogateescape")
    if len(text) < 500:
        _tell_helper(_COMMAND + text + b"\0")


def _tell_helper(text: bytes) -> None:
    if _helper >= 0:
        with contextlib.suppress(OSError):
            os.write(_helper, text)


def current_folder() -> Path | None:
    """The folder in which this process works, None before there is one."""
    return _folder


def how_to_go_on() -> str:
    """What to tell somebody whose command has been stopped."""
    return _advice(_command)


def _advice(command: str) -> str:
    return f"go on with: {command}" if command else "nothing was begun"


@contextlib.contextmanager
def on_stop(close: Callable[[], object], what: str = "a session") -> Iterator[None]:
    """While this is entered, a stop calls ``close`` before the process ends.

    It is called in a thread of its own, with about a second for all that there is to close; what
    it raises is ignored. ``what`` names the thing to the user where the time was not enough.
    """
    number = next(_numbers)
    _closers[number] = close, what
    try:
        yield
    finally:
        _closers.pop(number, None)


def watch_signals() -> None:
    """From now on stops end this process as described above.

    For a command's main thread, before anything else is imported. A signal that is ignored (nohup)
    stays so. In any other thread, and when called again, this does nothing.
    """
    global _watching, _helper
    if _watching or threading.current_thread() is not threading.main_thread():
        return
    _watching = True
    numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    numbers = [n for n in numbers if signal.getsignal(n) != signal.SIG_IGN]
    try:
        source, sink, forked = _start_helper(numbers)
    except OSError:  # no pipe to be had: stops are Python's own
        return
    _helper = sink if forked else -1
    for number in numbers:
        signal.signal(number, _told)
    # Python writes the signal's number there at once, whatever the main thread is doing
    signal.set_wakeup_fd(sink, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(source, numbers), daemon=True, name="stops").start()
    if forked:
        _only_once(numbers)


def _told(number: int, frame: FrameType | None) -> None:
    """The main thread is not interrupted: the other one ends it."""


def _watch(source: int, numbers: list[int]) -> None:
    """Wait for a signal's number; ends the process."""
    while True:
        try:
            text = os.read(source, 512)
        except OSError:
            return
        if not text:
            return
        found = next((byte for byte in text if byte in numbers), None)
        if found is not None:
            _end(found)


def _end(number: int) -> NoReturn:
    threads = []
    for close, what in list(_closers.values()):
        thread = threading.Thread(target=_quietly, args=(close,), daemon=True)
        thread.start()
        threads.append((thread, what))
    _tell_helper(_SAID)
    _say(_word(number, _command))
    deadline = time.monotonic() + _PATIENCE
    for thread, what in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
        if thread.is_alive():
            _say(f"qbrain: {what} may still be open: closing it took too long")
    os._exit(128 + number)


def _quietly(close: Callable[[], object]) -> None:
    with contextlib.suppress(BaseException):
        close()


def _word(number: int, command: str) -> str:
    how = "interrupted" if number == signal.SIGINT else f"stopped by {signal.Signals(number).name}"
    return f"qbrain: {how}; {_advice(command)}"


def _say(line: str) -> None:
    """A line on stderr, past Python's buffers, whose locks another thread may hold."""
    # a progress bar hides the cursor and leaves its line open
    before = "\r\x1b[K\x1b[?25h" if os.isatty(2) else ""
    with contextlib.suppress(OSError):
        os.write(2, f"{before}{line}\n".encode(errors="backslashreplace"))


# ------------------------------------------------------------- where C code holds the interpreter


def _start_helper(numbers: list[int]) -> tuple[int, int, bool]:
    """Where to read signals, where they are to be written, and whether a process is in between.

    There is none without ``fork``, or where other threads run already.
    """
    source, sink = os.pipe()
    os.set_blocking(sink, False)
    if not hasattr(os, "fork") or threading.active_count() > 1:
        return source, sink, False
    answer, forward = os.pipe()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        child = os.fork()
    except OSError:
        child = -1
    if child == 0:
        try:
            for number in (*numbers, signal.SIGPIPE):
                signal.signal(number, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            for other in (0, 1, sink, answer):
                with contextlib.suppress(OSError):
                    os.close(other)
            _outlast(source, forward, numbers)
        finally:
            os._exit(0)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if child < 0:
        return source, sink, False
    os.close(source)
    os.close(forward)
    return answer, sink, True


def _outlast(source: int, forward: int, numbers: list[int]) -> None:
    """In the forked process: pass signals on, and end the parent if it does not end itself."""
    parent, command, found, pending = os.getppid(), "", 0, b""
    while not found:
        text = os.read(source, 4096)
        if not text:
            return
        pending += text
        while pending and not found:
            if pending[:1] != _COMMAND:
                found = pending[0] if pending[0] in numbers else 0
                pending = pending[1:]
            elif b"\0" in pending:
                message, _, pending = pending[1:].partition(b"\0")
                command = message.decode(errors="surrogateescape")
            else:
                break
    os.write(forward, bytes([found]))
    said, deadline = False, time.monotonic() + _LAST_RESORT
    while (left := deadline - time.monotonic()) > 0:
        if select.select([source], [], [], left)[0]:
            text = os.read(source, 4096)
            if not text:  # the parent is gone
                return
            said = said or _SAID in text
    if os.getppid() == parent:
        if not said:
            _say(_word(found, command))
        # by the same signal, to which a process can no longer be deaf; by force where it is
        os.kill(parent, found)
        time.sleep(0.1)
        if os.getppid() == parent:
            os.kill(parent, signal.SIGKILL)


def _only_once(numbers: list[int]) -> None:
    """Let the second signal of a kind end the process at once, as if nobody handled it (glibc)."""
    with contextlib.suppress(Exception):
        libc = ctypes.CDLL(None)
        for name in ("signal", "sysv_signal"):
            getattr(libc, name).restype = ctypes.c_void_p
            getattr(libc, name).argtypes = [ctypes.c_int, ctypes.c_void_p]
        again = libc.sysv_signal
        for number in numbers:
            again(number, libc.signal(number, None))


def open_missing_streams() -> None:
    """Standard streams that were closed lead nowhere; else the next file would be one of them."""
    for number, mode in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8"))
        elif hasattr(stream, "reconfigure"):
            # a locale without a sign, or a file name that is no text, is no reason to fail
            stream.reconfigure(errors="backslashreplace")
