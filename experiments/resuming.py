"""Which experiment an interrupted run belongs to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qbrain.experiments.errors import RunDirectoryError
from qbrain.experiments.run_directory import RunDirectory

__all__ = ["resume"]


def resume(path: Path) -> dict[str, Any]:
    """Go on with a run of any system; a finished one only returns its result.

    Raises ``RunDirectoryError`` if ``path`` holds no intact run.
    """
    system = RunDirectory.open(path).record()["run"]["system"]
    if system == "lmg":
        from qbrain.experiments import lmg

        return lmg.resume(path)
    if system == "spiqgan":
        from qbrain.experiments import spiqgan

        return spiqgan.resume(path)
    raise RunDirectoryError(f"{path}: wanted a run of lmg or spiqgan, got {system}")
