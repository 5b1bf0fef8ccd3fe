"""A folder that lives as long as the object that holds it."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path

__all__ = ["Scratch"]


class Scratch:
    """A temporary folder, removed when nothing refers to it any more or the process ends."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="qbrain-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)
