"""Which experiment an interrupted run belongs to."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from qbrain.experiments.errors import RunDirectoryError
from qbrain.experiments.run_directory import RunDirectory

__all__ = ["resume"]


# system → the module that runs it, imported only then
_MODULES = {
    "lmg": "qbrain.experiments.lmg",
    "spiqgan": "qbrain.experiments.spiqgan",
    "hodgkin-huxley": "qbrain.experiments.hodgkin_huxley",
    "open-system": "qbrain.experiments.open_system",
}


def resume(path: Path) -> dict[str, Any]:
    """Go on with a run of any system; a finished one only returns its result.

    Raises ``RunDirectoryError`` if ``path`` holds no intact run.
    """
    system = RunDirectory.open(path).record()["run"]["system"]
    if system not in _MODULES:
        raise RunDirectoryError(f"{path}: wanted a run of {', '.join(_MODULES)}, got {system}")
    found: dict[str, Any] = import_module(_MODULES[system]).resume(path)
    return found
