"""How a recording is to be read, and what every reader shares: limits, refusals, accounts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import ConfigError, RunDirectoryError

__all__ = [
    "MOST_BYTES",
    "Account",
    "Cell",
    "Reading",
    "RecordingWarning",
    "check_bytes",
    "integers",
    "readable",
    "shown",
]

Cell = int | str

# of the arrays of one file, as they lie in memory
MOST_BYTES = 2**30
TIME_UNITS = ("s", "ms", "us", "samples")


class RecordingWarning(UserWarning):
    """Something was left out of a recording, or looks wrong in it."""


@dataclass(frozen=True)
class Reading:
    """The options of a recording, as :func:`~.data.load_spikes` describes them.

    Raises ``ConfigError`` for values out of range.
    """

    bin_s: float | None = None
    trials: int | None = None
    variable: str | None = None
    cells: Sequence[Cell] | None = None
    clip: bool = False
    axes: str | None = None
    intervals: str | None = None
    time_unit: str | None = None
    sampling_rate: float | None = None
    span: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.bin_s is not None and not (math.isfinite(self.bin_s) and self.bin_s > 0):
            raise ConfigError(f"bin_s: wanted a width in seconds > 0, got {self.bin_s}")
        if self.trials is not None and self.trials < 1:
            raise ConfigError(f"trials: wanted a whole number >= 1, got {self.trials}")
        if self.time_unit is not None and self.time_unit not in TIME_UNITS:
            raise ConfigError(f"time_unit: wanted s, ms, us or samples, got {self.time_unit!r}")
        rate = self.sampling_rate
        if rate is not None and not (math.isfinite(rate) and rate > 0):
            raise ConfigError(f"sampling_rate: wanted samples a second > 0, got {rate}")
        if self.span is not None:
            start, stop = self.span
            if not -math.inf < start < stop < math.inf:
                raise ConfigError(
                    f"span: wanted seconds from where to where, such as 0,600, got {start:g},"
                    f"{stop:g}"
                )

    def refuse(self, reason: str, *names: str) -> None:
        """Raise ``ConfigError`` for the first of these options that was given."""
        for name in names:
            if getattr(self, name) not in (None, False):
                raise ConfigError(f"{name}: would be ignored, since {reason}")


@dataclass
class Account:
    """What a reader understood, what it left out, and what looks wrong; sentences."""

    notes: list[str] = field(default_factory=list)
    cuts: list[str] = field(default_factory=list)
    suspicions: list[str] = field(default_factory=list)
    trials_left_out: int = 0


def check_bytes(count: float, what: str) -> None:
    """Raise ``ConfigError`` if an array would take more than ``MOST_BYTES``."""
    if count > MOST_BYTES:
        raise ConfigError(
            f"data: wanted arrays of at most {MOST_BYTES / 2**30:g} GiB in memory, got {what} of "
            f"{count / 2**30:.3g} GiB"
        )


def shown(text: object, most: int = 80) -> str:
    """On one line, without what a terminal cannot print, and not long."""
    line = " ".join(str(text).split())
    line = "".join(c if c.isprintable() else "�" for c in line)
    return line if len(line) <= most else f"{line[: most - 1]}…"


def integers(values: Sequence[object], most: int = 5) -> str:
    """The first few of a list, and how many more there are."""
    head = ", ".join(shown(v, 20) for v in values[:most])
    return head if len(values) <= most else f"{head} and {len(values) - most} more"


@contextmanager
def readable(file: Path, kind: str) -> Iterator[None]:
    """Whatever a library's reader stumbles over, the file is not one for it."""
    try:
        yield
    except (ConfigError, RunDirectoryError):
        raise
    except MemoryError:
        raise ConfigError(
            f"data: wanted a {kind} that fits in memory, got {file.name}, which asks for more"
        ) from None
    except Exception as error:
        # readers of damaged files fail in any way, with classes of their own
        reason = shown(error, 200) or type(error).__name__
        raise ConfigError(f"data: wanted a readable {kind}, got {file.name} ({reason})") from None
