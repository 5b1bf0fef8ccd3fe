"""A run's folder on disk: what a kill at any moment must not lose.

``run.toml``     resolved configuration, seed, versions, device and calibration
``sent/``        devices: circuits of each job and what is known of them, before it is sent
``steps.jsonl``  journal: one finished job a line, flushed to disk before the next one starts
``result.nc``, ``result.json``, ``circuits.qpy``, ``figure.png``, ``report.html``: at the end

Whole files are written beside their name and moved into place, so a file that exists is whole.
The journal may end in half a line after a kill; that step counts as not done.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import secrets
import subprocess
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomli_w

from ..errors import RunDirectoryError
from .readings import Heading

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

__all__ = ["FORMAT", "RunDirectory", "versions"]

# of the journal: 2 holds readings, which are replayed
FORMAT = 2

_PACKAGES = ("qbrain", "qiskit", "qiskit-aer", "qiskit-ibm-runtime", "numpy", "scipy")


def versions() -> dict[str, str]:
    """Versions of what a run depends on, and the source's git commit where it is known."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    found["commit"] = _git_commit()
    return found


def _git_commit() -> str:
    try:
        root = Path(__file__).resolve().parents[1]
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


class RunDirectory:
    """One run's folder. ``create`` makes a new one, ``open`` takes an existing one."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, path: Path | None, system: str, record: Mapping[str, Any]) -> RunDirectory:
        """Make the folder (named by time under ./runs if ``path`` is None) and its run.toml.

        Raises ``RunDirectoryError`` if it cannot be written or already holds a run.
        """
        now = datetime.now(UTC)
        if path is None:
            path = Path("runs") / f"{system}-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
        run = cls(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
            with run.locked():
                if (path / "run.toml").exists():
                    raise RunDirectoryError(
                        f"out: {path} already holds a run; wanted a new folder "
                        f"(or: qbrain resume {path})"
                    )
                head = {
                    "run": {
                        "id": secrets.token_hex(8),
                        "system": system,
                        "created": now.isoformat(timespec="seconds"),
                        "format": FORMAT,
                    },
                    "versions": versions(),
                }
                run.write("run.toml", tomli_w.dumps({**head, **record}).encode())
        except RunDirectoryError:
            raise
        except OSError as error:
            raise RunDirectoryError(
                f"out: cannot write to {path}: {error.strerror or error}"
            ) from None
        return run

    @classmethod
    def open(cls, path: Path) -> RunDirectory:
        """Take an existing run. Raises ``RunDirectoryError`` if ``path`` holds no intact run."""
        run = cls(path)
        run.record()
        return run

    def record(self) -> dict[str, Any]:
        """What run.toml says."""
        file = self.path / "run.toml"
        try:
            record = tomllib.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise RunDirectoryError(f"{self.path}: no run here (run.toml is missing)") from None
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise RunDirectoryError(f"{file}: not an intact run record: {error}") from None
        if not isinstance(record.get("run", {}).get("system"), str) or "config" not in record:
            raise RunDirectoryError(f"{file}: not an intact run record: wanted [run] and [config]")
        return record

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run for this process alone; a second one is refused."""
        handle = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RunDirectoryError(
                    f"{self.path}: another process is working on this run"
                ) from None
            yield
        finally:
            os.close(handle)

    def write(self, name: str, content: bytes | Callable[[Path], None]) -> Path:
        """Write a whole file, durably and atomically. A callable gets the path to write to."""
        final = self.path / name
        part = final.with_name(f".{final.name}.part{final.suffix}")
        if callable(content):
            content(part)
        else:
            part.write_bytes(content)
        with part.open("rb") as handle:
            os.fsync(handle.fileno())
        part.replace(final)
        return final

    def write_circuits(self, name: str, circuits: Sequence[QuantumCircuit]) -> Path:
        """Write circuits as QPY."""
        from qiskit import qpy

        def dump(path: Path) -> None:
            with path.open("wb") as handle:
                qpy.dump(list(circuits), handle)

        return self.write(name, dump)

    def keep_sent(
        self,
        number: int,
        circuits: Sequence[QuantumCircuit],
        headings: Sequence[Heading],
        keep: Sequence[bool],
    ) -> None:
        """Keep a job's circuits and headings before it is sent; ``sent`` gives them back.

        ``keep``: whether every shot of a circuit is wanted in its order.
        """
        (self.path / "sent").mkdir(exist_ok=True)
        self.write_circuits(f"sent/{number:04d}.qpy", circuits)
        rows = [
            {**heading.record(), "keep": bool(each)}
            for heading, each in zip(headings, keep, strict=True)
        ]
        # written last: where it is, the circuits are
        text = json.dumps({"job": number, "circuits": rows}, allow_nan=False) + "\n"
        self.write(f"sent/{number:04d}.json", text.encode())

    def sent(self, number: int) -> tuple[list[QuantumCircuit], list[Heading], list[bool]] | None:
        """Circuits, headings and ``keep`` of a job that was made ready; None if it was not.

        Raises ``RunDirectoryError`` for files that are damaged.
        """
        file = self.path / "sent" / f"{number:04d}.json"
        if not file.exists():
            return None
        from qiskit import qpy

        try:
            rows = json.loads(file.read_text(encoding="utf-8"))["circuits"]
            headings = [Heading.from_record(row) for row in rows]
            with file.with_suffix(".qpy").open("rb") as handle:
                circuits = list(qpy.load(handle))
            if len(circuits) != len(headings):
                raise ValueError(f"wanted {len(headings)} circuits, got {len(circuits)}")
            return circuits, headings, [bool(row["keep"]) for row in rows]
        except Exception as error:  # a damaged file makes the readers fail in any way
            raise RunDirectoryError(f"{file}: not an intact record of a job: {error}") from None

    def write_result(self, result: Mapping[str, Any]) -> Path:
        """Write the run's JSON object; last of all, for its presence says that it is complete."""
        text = json.dumps(result, indent=1, allow_nan=False) + "\n"
        return self.write("result.json", text.encode())

    def append_step(self, record: Mapping[str, Any]) -> None:
        """Add a finished step to the journal; on disk when this returns."""
        line = json.dumps(record, separators=(",", ":"), allow_nan=False) + "\n"
        with (self.path / "steps.jsonl").open("ab") as handle:
            handle.write(line.encode())
            handle.flush()
            os.fsync(handle.fileno())

    def steps(self) -> list[dict[str, Any]]:
        """Finished steps, in order; half a last line (a kill while writing) is cut off.

        Raises ``RunDirectoryError`` for anything else that is not a journal.
        """
        file = self.path / "steps.jsonl"
        if not file.exists():
            return []
        raw = file.read_bytes()
        whole, _, rest = raw.rpartition(b"\n")
        if rest:
            with file.open("r+b") as handle:
                handle.truncate(len(raw) - len(rest))
        found = []
        for number, line in enumerate(whole.split(b"\n") if whole else []):
            try:
                step = json.loads(line)
                ok = isinstance(step, dict) and step["step"] == number
            except (ValueError, KeyError, UnicodeDecodeError):
                ok = False
            if not ok:
                raise RunDirectoryError(f"{file}: line {number + 1} is not the record of a step")
            found.append(step)
        return found

    def result(self) -> dict[str, Any] | None:
        """The finished run's JSON object, or None while it is unfinished."""
        file = self.path / "result.json"
        if not file.exists():
            return None
        try:
            result = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RunDirectoryError(f"{file}: not an intact result: {error}") from None
        if not isinstance(result, dict):
            raise RunDirectoryError(f"{file}: not an intact result: wanted a JSON object")
        return result
