"""What a run is doing, on stderr: a bar on a terminal, and now and then a line anywhere.

Parts of a run name what they are about to do (:func:`say`); a command that lasts longer than a
moment tells it (:func:`telling`). In a library's use nothing is told but a terminal's bar.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

__all__ = ["QUIET", "progress", "say", "tell", "telling"]


def tell(text: str) -> None:
    """A line of what goes on; nothing depends on whether anybody reads it."""
    with suppress(OSError, ValueError):
        print(f"qbrain: {text}", file=sys.stderr, flush=True)


# seconds until the first line, and between two; the latter doubles up to the longest
FIRST, SHORTEST, LONGEST = 0.8, 5.0, 60.0
# of the environment: no lines where it is set
QUIET = "QBRAIN_QUIET"


class _Teller:
    """What is being done, since when, and whether a bar shows it."""

    def __init__(self) -> None:
        self.doing = ""
        self.began = 0.0
        self.bars = 0

    def say(self, doing: str) -> None:
        if not self.doing:
            self.began = time.monotonic()
        self.doing = doing

    def lines(self, stop: threading.Event) -> None:
        """Print now and then until ``stop``."""
        told, last, pause = "", 0.0, SHORTEST
        while not stop.wait(0.1):
            now, doing = time.monotonic(), self.doing
            if not doing or self.bars:
                continue
            since = now - self.began
            if told and (now - last < pause or (doing == told and now - last < LONGEST)):
                continue
            if since < FIRST:
                continue
            if told:
                pause = min(2 * pause, LONGEST)
            told, last = doing, now
            print(f"qbrain: {doing} ({since:.0f} s)", file=sys.stderr, flush=True)


_teller = _Teller()


def say(doing: str) -> None:
    """Name what is done from now on, such as ``drawing``."""
    _teller.say(doing)


@contextmanager
def telling() -> Iterator[None]:
    """While a command runs, print what it is doing if that lasts longer than a moment."""
    if os.environ.get(QUIET):
        yield
        return
    _teller.doing = ""
    stop = threading.Event()
    thread = threading.Thread(target=_teller.lines, args=(stop,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        _teller.doing = ""


@contextmanager
def progress(total: int, done: int = 0, what: str = "measuring") -> Iterator[Callable[..., None]]:
    """Yields ``tick(text, count=1)``: so many pieces of work are done, and what to say of it."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    say(f"{what}, {done} of {total}")
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=total, completed=done)
        came = done

        def tick(text: str, count: int = 1) -> None:
            nonlocal came
            came += count
            say(f"{what}, {came} of {total}: {text}")
            bar.update(task, advance=count, description=text)

        _teller.bars += console.is_terminal
        try:
            yield tick
        finally:
            _teller.bars -= console.is_terminal
