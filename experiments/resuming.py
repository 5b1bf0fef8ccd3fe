"""Going on with a run of any system, from its folder alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .engine.folder import RunDirectory
from .engine.run import Run
from .engine.run import resume as resume_run
from .errors import RunDirectoryError
from .first_light.system import CHECK
from .systems import SYSTEMS

__all__ = ["resume"]


def resume(
    path: Path,
    *,
    draw: bool = True,
    place: Any = None,
    sends: bool = True,
    max_qpu_seconds: float | None = None,
) -> Run:
    """Go on with a run; a finished one is only read.

    ``place``: where circuits run, for a run that began on a backend handed over in Python.
    ``sends``: whether jobs may be sent to a device; else those that were are collected.
    ``max_qpu_seconds``: of quantum time for the whole run, that of its configuration if None.

    Raises ``RunDirectoryError`` if ``path`` holds no intact run.
    """
    folder = RunDirectory.open(path)
    name = folder.record()["run"]["system"]
    system = CHECK if name == CHECK.name else SYSTEMS.get(name)
    if system is None:
        raise RunDirectoryError(f"{path}: wanted a run of {', '.join(SYSTEMS)}, got {name}")
    return resume_run(
        system,
        folder,
        draw=draw,
        place=place,
        sends=sends,
        max_qpu_seconds=max_qpu_seconds,
    )
