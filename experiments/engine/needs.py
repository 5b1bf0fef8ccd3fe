"""What a run takes of this machine, told before it begins: memory and rough time.

A system says what its parts need (``Experiment.needs``), by the configuration alone. What this
machine cannot hold is refused, with the nearest value of the setting that it can.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from qbrain.backends.needs import Need, simulator_need

from ..errors import ConfigError
from .config import BaseConfig
from .progress import say

__all__ = [
    "Need",
    "circuit_needs",
    "free_memory",
    "guard_needs",
    "memory_in_words",
    "needs_of",
    "seconds_in_words",
    "total_needs",
]

# an interpreter with Qiskit, Aer and a picture
BASE_BYTES = 300e6
BASE_SECONDS = 4.0
# of the memory that is free; the rest is for what a rough model leaves out
SHARE = 0.9
MOST_SECONDS = 24 * 3600.0
# what a run is told to take beforehand
TOLD_SECONDS, TOLD_BYTES = 20.0, 2e9
# where the system does not say
ASSUMED_FREE = 4e9


class Loadable(Protocol):
    """A system, whose experiment says what it needs."""

    def load(self) -> Any:
        """The experiment's class."""


def free_memory() -> float:
    """Bytes that this process can still take: of the machine, its control group, its limits."""
    found = [_of_machine(), _of_control_group(), _of_limits()]
    return min((x for x in found if x is not None), default=ASSUMED_FREE)


def _of_machine() -> float | None:
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return 1024.0 * int(line.split()[1])
    except (OSError, ValueError, IndexError):
        pass
    names = getattr(os, "sysconf_names", {})
    for pages in ("SC_AVPHYS_PAGES", "SC_PHYS_PAGES"):
        if pages in names and "SC_PAGE_SIZE" in names:
            return float(os.sysconf(pages)) * os.sysconf("SC_PAGE_SIZE")
    return None


def _of_control_group() -> float | None:
    """Of the control group, version 2 or 1, where it has a limit."""
    try:
        own = Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines()[-1].split(":")[-1]
    except (OSError, IndexError):
        return None
    root = Path("/sys/fs/cgroup")
    left = []
    for folder, limit, used in (
        (root / own.lstrip("/"), "memory.max", "memory.current"),
        (root, "memory.max", "memory.current"),
        (root / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
    ):
        try:
            most = int((folder / limit).read_text())
            taken = int((folder / used).read_text())
            # the cache of files makes way
            stat = dict(x.split() for x in (folder / "memory.stat").read_text().splitlines())
            taken -= int(stat.get("inactive_file", stat.get("total_inactive_file", 0)))
        except (OSError, ValueError):
            continue
        if most < 2**60:
            left.append(float(max(most - taken, 0)))
    return min(left, default=None)


def _of_limits() -> float | None:
    """Of the process's own limit of addresses."""
    if sys.platform == "win32":
        return None
    import resource

    most, _ = resource.getrlimit(resource.RLIMIT_AS)
    if most == resource.RLIM_INFINITY:
        return None
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        taken = pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        taken = 0
    # the base is part of what is counted as needed
    return float(max(most - taken, 0)) + BASE_BYTES


def circuit_needs(
    config: BaseConfig, qubits: int, gates: float = 0.0, **options: Any
) -> list[Need]:
    """What simulating and checking the run's circuits takes; see ``simulator_need``.

    ``gates``: of all circuits that are simulated, together.
    """
    if not config.runs_circuits:
        return []
    return [simulator_need(config.backend, qubits, config.shots_each, gates, **options)]


def needs_of(system: Loadable, config: BaseConfig) -> list[Need]:
    """The parts of what a run takes."""
    return list(system.load().needs(config))


def total_needs(needs: Sequence[Need]) -> tuple[float, float]:
    """Bytes and seconds of a run, rough."""
    return (
        BASE_BYTES + sum(need.memory_bytes for need in needs),
        BASE_SECONDS + sum(need.seconds for need in needs),
    )


def guard_needs(system: Loadable, config: BaseConfig) -> str:
    """Refuse a run that this machine cannot hold; returns what a large one will take, in words.

    Raises ``ConfigError``, which names the setting and the nearest value that fits.
    """
    found = needs_of(system, config)
    memory, seconds = total_needs(found)
    free = free_memory()
    if memory > SHARE * free:
        most = max(found, key=lambda need: need.memory_bytes)
        raise ConfigError(
            _refusal(
                system,
                config,
                most,
                lambda needs: total_needs(needs)[0] <= SHARE * free,
                f"{memory_in_words(free)} free",
                memory_in_words(memory),
            )
        )
    if seconds > MOST_SECONDS:
        most = max(found, key=lambda need: need.seconds)
        raise ConfigError(
            _refusal(
                system,
                config,
                most,
                lambda needs: total_needs(needs)[1] <= MOST_SECONDS,
                f"a run of at most {seconds_in_words(MOST_SECONDS)}",
                seconds_in_words(seconds),
            )
        )
    say("working out the exact answer")
    if seconds > TOLD_SECONDS or memory > TOLD_BYTES:
        return (
            f"this run takes about {seconds_in_words(seconds)} and {memory_in_words(memory)} of "
            "memory"
        )
    return ""


def _refusal(
    system: Loadable,
    config: BaseConfig,
    most: Need,
    fits: Callable[[Sequence[Need]], bool],
    room: str,
    takes: str,
) -> str:
    value = getattr(config, most.field)
    nearest = _nearest(system, config, most.field, fits)
    hint = f"; or {most.hint}" if most.hint else ""
    if nearest is None:
        return (
            f"{most.field}: wanted what this machine can hold with {room}, got {value}, with "
            f"which the run takes {takes}{hint}"
        )
    return (
        f"{most.field}: wanted at most {nearest} on {config.backend} with {room}, got {value}, "
        f"which takes {takes}{hint}"
    )


def _nearest(
    system: Loadable,
    config: BaseConfig,
    field: str,
    fits: Callable[[Sequence[Need]], bool],
) -> str | None:
    """The largest value of a number that fits, all other settings as they are; None if none."""
    value = getattr(config, field)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None

    def good(candidate: float) -> bool:
        return fits(needs_of(system, config.model_copy(update={field: candidate})))

    if isinstance(value, int):
        low, high = 0, value  # not even 1 fits; does not fit
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if good(middle) else (low, middle)
        return str(low) if low else None
    low_power, high_power = -12.0, math.log10(abs(value) or 1.0)
    if not good(10**low_power):
        return None
    for _ in range(30):
        power = (low_power + high_power) / 2
        low_power, high_power = (power, high_power) if good(10**power) else (low_power, power)
    return f"{10**low_power:.2g}"


def memory_in_words(count: float) -> str:
    """Such as 16 GB."""
    for size, unit in ((1e18, "EB"), (1e15, "PB"), (1e12, "TB"), (1e9, "GB")):
        if count >= size:
            return f"{count / size:.3g} {unit}" if count < 1000 * size else f"more than {unit}s"
    return f"{count / 1e6:.0f} MB"


def seconds_in_words(seconds: float) -> str:
    """Such as 12 min."""
    for size, unit in ((3.156e7, "years"), (86400.0, "days"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size or (unit == "h" and seconds >= size):
            return f"{seconds / size:.2g} {unit}" if seconds < 1e6 * size else f"over 1e6 {unit}"
    return f"{seconds:.0f} s"
