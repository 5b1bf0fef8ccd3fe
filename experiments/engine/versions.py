"""Versions of what a run depends on."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["versions"]

_PACKAGES = ("qbrain", "qiskit", "qiskit-aer", "qiskit-ibm-runtime", "numpy", "scipy")


def versions() -> dict[str, str]:
    """Versions of what a run depends on, and the source's git commit where it is known."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    found["commit"] = git_commit()
    return found


def git_commit() -> str:
    """Of the source that this package is run from; ``unknown`` outside its own repository."""
    try:
        root = Path(__file__).resolve().parents[2]
        done = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40"],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    # an installed copy may sit in somebody else's repository: only our own pyproject counts
    ours = (root / "pyproject.toml").is_file()
    return done.stdout.strip() if done.returncode == 0 and ours else "unknown"
