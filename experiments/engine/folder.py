"""A run's folder on disk: what a kill at any moment must not lose.

``run.toml``     resolved configuration, seed, versions, device and calibration
``sent/``        devices: circuits of each job and what is known of them, before it is sent
``steps.jsonl``  journal: one finished job a line, flushed to disk before the next one starts
``result.nc``, ``result.json``, ``circuits.qpy``, ``figure.png``, ``report.html``: at the end,
with ``result.sha256``, the checksums of the first three

Whole files are written beside their name and moved into place, so a file that exists is whole.
The journal may end in half a line after a kill; that step counts as not done. What a run goes on
from, and what is read of a finished one, carries checksums (:mod:`.seals`); runs of versions that
wrote none are read without.
"""

from __future__ import annotations

import hashlib
import io
import json
import secrets
import threading
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import tomli_w

from ..errors import RunDirectoryError
from .durable import (
    append_line,
    faults_in_a_sentence,
    make_folder,
    read_lines,
    read_whole,
    why,
    write_whole,
)
from .locks import hold
from .pieces import Pieces, append_large
from .readings import Heading
from .seals import digest_of_file, digest_of_json, seal, seal_toml, unseal, unseal_toml
from .stopping import begun
from .versions import versions

if TYPE_CHECKING:
    import xarray as xr
    from qiskit import QuantumCircuit

__all__ = ["FORMAT", "RunDirectory", "Sent"]

# of the journal: 2 holds readings, which are replayed
FORMAT = 2

# files of a finished run that are read again, and the one with their checksums
_READ_AGAIN = ("result.nc", "circuits.qpy", "sweep.nc")
_SUMS = "result.sha256"
# the first format of QPY that holds no text for a computer algebra system to parse
_OLDEST_QPY = 13
# the HDF5 library is not for several threads at once
_one_dataset = threading.Lock()


class Sent(NamedTuple):
    """A job as it was made ready: ``sizes`` of the jobs that its circuits are sent in."""

    circuits: list[QuantumCircuit]
    headings: list[Heading]
    keep: list[bool]
    sizes: list[int]


class RunDirectory:
    """One run's folder. ``create`` makes a new one, ``open`` takes an existing one.

    Whatever the operating system refuses is a ``RunDirectoryError``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._head: dict[str, Any] | None = None

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
                        "sealed": True,
                    },
                    "versions": versions(),
                }
                text = tomli_w.dumps({**head, **record})
                run.write("run.toml", seal_toml(text))
                run._head = tomllib.loads(text)
        except OSError as error:
            reason = why(error)
            prefix = "" if reason.startswith("out: ") else f"out: cannot write to {path}: "
            raise RunDirectoryError(prefix + reason) from None
        begun(path)
        return run

    @classmethod
    def open(cls, path: Path) -> RunDirectory:
        """Take an existing run. Raises ``RunDirectoryError`` if ``path`` holds no intact run."""
        run = cls(path)
        run.record()
        return run

    def record(self) -> dict[str, Any]:
        """What run.toml says.

        Raises ``RunDirectoryError`` if there is none, or its checksum or form does not fit.
        """
        file = self.path / "run.toml"
        raw = read_whole(file)
        if raw is None:
            raise RunDirectoryError(f"{self.path}: no run here (run.toml is missing)")
        try:
            text, sealed = unseal_toml(raw)
            record = tomllib.loads(text)
            _check_head(record)
            if record["run"].get("sealed") and not sealed:
                raise ValueError("its checksum is missing")
        # RecursionError: brackets in brackets
        except (ValueError, RecursionError) as error:
            raise RunDirectoryError(f"{file}: not an intact run record: {why(error)}") from None
        self._head = record
        return record

    @property
    def _sealed(self) -> bool:
        """Whether every record in the folder must have its checksum."""
        head = self.record() if self._head is None else self._head
        return bool(head["run"].get("sealed", False))

    @property
    def _salt(self) -> str:
        """Of checksums: what makes a line of this run, whenever it is run, one of no other."""
        head = self.record() if self._head is None else self._head
        return digest_of_json([head["run"]["system"], head["config"]])

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run for this process alone; a second one is refused.

        A finished run on a disk that cannot be written is only read, and needs no lock.
        """
        with hold(self.path, unless_unwritable=(self.path / "result.json").exists()):
            if any((self.path / name).exists() for name in ("run.toml", "sweep.toml")):
                begun(self.path)
            yield

    def write(self, name: str, content: bytes | Callable[[Path], None]) -> Path:
        """Write a whole file, durably and atomically. A callable gets the path to write to."""
        return write_whole(self.path / name, content, self.path)

    def write_dataset(
        self,
        name: str,
        data: xr.Dataset,
        encoding: Mapping[str, Any] | None = None,
        large: Mapping[str, Pieces] | None = None,
    ) -> Path:
        """Write a dataset as netCDF.

        It is made in memory: on a full disk the HDF5 library may take the process with it. Only the
        variables in ``large`` are written to the disk piece by piece.
        """
        from xarray.backends import H5NetCDFStore

        own = {n: value for n, value in (encoding or {}).items() if n not in (large or {})}
        held = io.BytesIO()
        # in a worker of a cluster the lock of to_netcdf is one of the whole cluster
        store = H5NetCDFStore.open(held, mode="w", lock=_one_dataset)
        try:
            data.drop_vars(list(large or {})).dump_to_store(store, encoding=own)
        finally:
            store.close()
        if not large:
            return self.write(name, held.getvalue())

        def fill(path: Path) -> None:
            path.write_bytes(held.getvalue())
            append_large(path, data, large)

        return self.write(name, fill)

    def write_circuits(self, name: str, circuits: Sequence[QuantumCircuit]) -> Path:
        """Write circuits as QPY."""
        from qiskit import qpy

        def dump(path: Path) -> None:
            with path.open("wb") as handle:
                qpy.dump(list(circuits), handle)

        return self.write(name, dump)

    def write_sealed(self, name: str, content: Callable[[Path], None]) -> Path:
        """Write a file that a resumed run reads, and its checksum beside it as NAME.sha256."""
        sums = f"{name}.sha256"

        def filled(path: Path) -> None:
            content(path)
            # before the file itself is there: where that is, its checksum is
            self.write(sums, f"{digest_of_file(path)}  {name}\n".encode())

        return self.write(name, filled)

    def sealed_file(self, name: str) -> Path | None:
        """The path of what :meth:`write_sealed` wrote, or None if there is no such file.

        Raises ``RunDirectoryError`` if its checksum does not fit.
        """
        file, sums = self.path / name, self.path / f"{name}.sha256"
        raw = read_whole(file)
        if raw is None:
            return None
        said = read_whole(sums)
        if said is not None and said.split()[:1] != [hashlib.sha256(raw).hexdigest().encode()]:
            raise RunDirectoryError(f"{file}: not intact: its checksum in {sums.name} does not fit")
        return file

    def keep_sent(
        self,
        number: int,
        circuits: Sequence[QuantumCircuit],
        headings: Sequence[Heading],
        keep: Sequence[bool],
        sizes: Sequence[int] = (),
    ) -> None:
        """Keep a job's circuits and headings before it is sent; ``sent`` gives them back.

        ``keep``: whether every shot of a circuit is wanted in its order; ``sizes``: how many of the
        circuits go into each of the jobs that it is cut into, where there are several.
        """
        make_folder(self.path / "sent", self.path)
        circuits_file = self.write_circuits(f"sent/{number:04d}.qpy", circuits)
        rows = [
            {**heading.record(), "keep": bool(each)}
            for heading, each in zip(headings, keep, strict=True)
        ]
        record: dict[str, Any] = {
            "job": number,
            "circuits": rows,
            "qpy_sha256": digest_of_file(circuits_file),
        }
        if len(sizes) > 1:
            record["sizes"] = list(sizes)
        # written last: where it is, the circuits are
        self.write(f"sent/{number:04d}.json", seal(record, self._salt))

    def write_record(self, name: str, record: Mapping[str, Any]) -> Path:
        """Write a JSON object with its checksum; :meth:`read_record` reads it back."""
        file = self.path / name
        make_folder(file.parent, self.path)
        return self.write(name, seal(record, self._salt))

    def read_record(self, name: str) -> dict[str, Any] | None:
        """What :meth:`write_record` wrote, None if there is no such file.

        Raises ``RunDirectoryError`` for one that is damaged.
        """
        file = self.path / name
        raw = read_whole(file)
        if raw is None:
            return None
        try:
            return unseal(raw, self._salt, wanted=self._sealed)
        except (ValueError, KeyError, RecursionError) as error:
            raise RunDirectoryError(f"{file}: not intact: {why(error)}") from None

    def sent(self, number: int) -> Sent | None:
        """What :meth:`keep_sent` kept of a job; None if it was not made ready.

        Raises ``RunDirectoryError`` for files that are damaged.
        """
        file = self.path / "sent" / f"{number:04d}.json"
        raw = read_whole(file)
        if raw is None:
            return None
        circuits_file = file.with_suffix(".qpy")
        packed = read_whole(circuits_file)
        try:
            record = unseal(raw, self._salt, wanted=self._sealed)
            if record.get("job", number) != number:
                raise ValueError(f"wanted job {number}, got {record['job']!r}")
            headings = [Heading.from_record(row) for row in record["circuits"]]
            keep = [bool(row["keep"]) for row in record["circuits"]]
            sizes = [int(size) for size in record.get("sizes", [len(headings)])]
            if sum(sizes) != len(headings) or min(sizes, default=1) < 1:
                raise ValueError(f"sizes: wanted {len(headings)} circuits, got {sizes}")
        except Exception as error:  # a damaged file makes the readers fail in any way
            reason = f"{file}: not an intact record of a job: {why(error)}"
            raise RunDirectoryError(reason) from None
        circuits = _circuits_in(circuits_file, packed, record.get("qpy_sha256"))
        if len(circuits) != len(headings):
            raise RunDirectoryError(
                f"{circuits_file}: wanted {len(headings)} circuits, got {len(circuits)}"
            )
        return Sent(circuits, headings, keep, sizes)

    def write_result(self, result: Mapping[str, Any]) -> Path:
        """Write the run's JSON object; last of all, for its presence says that it is complete.

        Before it come its checksum and those of the files that are read again, in result.sha256,
        as ``sha256sum -c`` takes them.
        """
        text = (json.dumps(result, indent=1, allow_nan=False) + "\n").encode()
        there = [name for name in _READ_AGAIN if (self.path / name).exists()]
        with faults_in_a_sentence(self.path, "cannot be read"):
            sums = {name: digest_of_file(self.path / name) for name in there}
        sums["result.json"] = hashlib.sha256(text).hexdigest()
        lines = "".join(f"{digest}  {name}\n" for name, digest in sums.items())
        self.write(_SUMS, lines.encode())
        return self.write("result.json", text)

    def append_step(self, record: Mapping[str, Any]) -> None:
        """Add a finished step to the journal; on disk when this returns."""
        append_line(self.path / "steps.jsonl", seal(record, self._salt), self.path)

    def steps(self) -> list[dict[str, Any]]:
        """Finished steps, in order; half a last line (a kill while writing) is cut off.

        Raises ``RunDirectoryError`` for anything else that is not a journal of this run.
        """
        file = self.path / "steps.jsonl"
        found = []
        for number, line in enumerate(read_lines(file, self.path)):
            try:
                step = unseal(line, self._salt, wanted=self._sealed)
                if type(step["step"]) is not int or step["step"] != number:
                    raise ValueError(f"wanted step {number}, got {step['step']!r}")
            except (ValueError, KeyError, RecursionError) as error:
                raise RunDirectoryError(
                    f"{file}: line {number + 1} is not the record of a step: {why(error)}"
                ) from None
            found.append(step)
        return found

    def result(self) -> dict[str, Any] | None:
        """The finished run's JSON object, or None while it is unfinished.

        Raises ``RunDirectoryError`` if it is not intact.
        """
        if not (self.path / "result.json").exists():
            return None
        file, raw = self._finished("result.json")
        try:
            result = json.loads(raw)
            if not isinstance(result, dict):
                raise ValueError("wanted a JSON object")
        except (ValueError, RecursionError) as error:
            raise RunDirectoryError(f"{file}: not an intact result: {why(error)}") from None
        return result

    def finished_file(self, name: str) -> Path:
        """The path of a file of the finished run, such as result.nc, that is intact.

        Raises ``RunDirectoryError`` if it is missing or its checksum does not fit.
        """
        return self._finished(name)[0]

    def circuits(self) -> list[QuantumCircuit]:
        """The circuits of the finished run; none if it ran none.

        Raises ``RunDirectoryError`` if they are not intact.
        """
        sums, file = self._sums(), self.path / "circuits.qpy"
        if not file.exists() and (sums is None or file.name not in sums):
            return []
        return _circuits_in(*self._finished("circuits.qpy"), None)

    def _finished(self, name: str) -> tuple[Path, bytes]:
        """A file of the finished run and its bytes, which have the checksum that they should."""
        file = self.path / name
        raw, sums = read_whole(file), self._sums()
        if raw is None:
            raise RunDirectoryError(f"{file}: not an intact result: it is missing")
        if sums is not None and sums.get(name) != hashlib.sha256(raw).hexdigest():
            raise RunDirectoryError(
                f"{file}: not an intact result: its checksum in {_SUMS} does not fit"
            )
        return file, raw

    def _sums(self) -> dict[str, str] | None:
        """The checksums in result.sha256, by file name; None where nobody wrote any."""
        raw = read_whole(self.path / _SUMS)
        if raw is None:
            return None
        lines = raw.decode(errors="replace").splitlines()
        pairs = (line.partition("  ") for line in lines)
        return {name: digest for digest, _, name in pairs}


def _check_head(record: Mapping[str, Any]) -> None:
    """Raise ValueError unless a record has the parts that every run's has."""
    run = record.get("run")
    if not isinstance(run, dict) or not isinstance(run.get("system"), str):
        raise ValueError("wanted [run] with its system")
    for name in ("config", "device", "given"):
        if not isinstance(record.get(name, {} if name != "config" else None), dict):
            raise ValueError(f"wanted a table [{name}]")
    if not isinstance(run.get("id", ""), str):
        raise ValueError("run.id: wanted a text")
    fields = record.get("given", {}).get("fields", [])
    if not isinstance(fields, list) or not all(isinstance(each, str) for each in fields):
        raise ValueError("given.fields: wanted names")


def _circuits_in(file: Path, packed: bytes | None, digest: str | None) -> list[QuantumCircuit]:
    """The circuits of a QPY file.

    QPY is data: nothing in it is executed. Files of QPY versions before 13, which Qiskit hands in
    part to a computer algebra system, are refused; this package has never written any.

    Raises ``RunDirectoryError`` for anything that is not intact.
    """
    from qiskit import qpy

    try:
        if packed is None:
            raise ValueError("it is missing")
        if digest is not None and hashlib.sha256(packed).hexdigest() != digest:
            raise ValueError("its checksum does not fit")
        if packed[:6] != b"QISKIT" or packed[6] < _OLDEST_QPY:
            raise ValueError(f"wanted QPY of version {_OLDEST_QPY} or later")
        return list(qpy.load(io.BytesIO(packed)))
    except Exception as error:  # a damaged file makes the reader fail in any way
        raise RunDirectoryError(f"{file}: not intact circuits: {why(error)}") from None
