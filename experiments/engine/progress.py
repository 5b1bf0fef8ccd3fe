"""What a run says while it goes on, on stderr: a bar on a terminal, and a line now and then."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

__all__ = ["progress", "tell"]


def tell(text: str) -> None:
    """A line of what goes on; nothing depends on whether anybody reads it."""
    with suppress(OSError, ValueError):
        print(f"qbrain: {text}", file=sys.stderr, flush=True)


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
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=total, completed=done)
        yield lambda text, count=1: bar.update(task, advance=count, description=text)
