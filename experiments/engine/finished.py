"""A finished run: its data, its distance from the exact answer, its pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import xarray as xr
from matplotlib.figure import Figure
from qiskit import QuantumCircuit

from ..errors import RunDirectoryError
from ..report.figure import inline_svg
from ..report.page import validation_table
from .config import BaseConfig
from .experiment import Bench, Experiment, Fit, Outcome, Verdict
from .finish import render_outcome
from .folder import RunDirectory
from .readings import Reading
from .scratch import Scratch
from .system import System

__all__ = ["Parts", "Run"]


@dataclass(frozen=True)
class Parts:
    """What a run is made of while it is in memory."""

    experiment: Experiment[Any, Any]
    bench: Bench | None
    outcome: Outcome
    readings: list[list[Reading]]
    circuits: list[QuantumCircuit]


@dataclass
class Run:
    """A finished run, in its folder.

    What an earlier process measured is read from the folder, and replayed from the journal where a
    picture is asked for.

    Attributes:
        system: the system that was run.
        config: its configuration, the seed drawn.
        folder: where everything lies; a temporary one lives as long as this object.
    """

    system: System[Any]
    config: BaseConfig
    folder: Path
    result: dict[str, Any] = field(repr=False)
    _parts: Parts | None = field(default=None, repr=False)
    _replay: Callable[[], Parts] | None = field(default=None, repr=False)
    _scratch: Scratch | None = field(default=None, repr=False)

    @property
    def parts(self) -> Parts:
        """Experiment, readings and outcome; replayed from the journal if need be."""
        if self._parts is None:
            assert self._replay is not None
            self._parts = self._replay()
        return self._parts

    @property
    def data(self) -> xr.Dataset:
        """Every trajectory with its band, the exact result beside it, raw counts."""
        if self._parts is not None:
            return self._parts.outcome.data
        file = RunDirectory.open(self.folder).finished_file("result.nc")
        try:
            return xr.load_dataset(file, engine="h5netcdf")
        except Exception as error:  # whatever the reader stumbles over, the file is not ours
            raise RunDirectoryError(f"{file}: not an intact result: {error}") from None

    @property
    def fit(self) -> Fit:
        """How far the run is from the exact answer."""
        return Fit(**self.result["fit"])

    @property
    def verdict(self) -> Verdict:
        """What that means, in words."""
        return Verdict(**self.result["verdict"])

    @property
    def circuits(self) -> list[QuantumCircuit]:
        """The circuits as they were sent, in the backend's gates; each once."""
        if self._parts is not None:
            return list(self._parts.circuits)
        return RunDirectory.open(self.folder).circuits()

    @property
    def checks(self) -> list[dict[str, Any]]:
        """One row a check before dispatch: circuits passed, worst figure, limit."""
        readings = self.parts.readings
        return validation_table([reading.heading.check for job in readings for reading in job])

    def json(self) -> dict[str, Any]:
        """The JSON object, as ``qbrain run … --json`` prints it."""
        return dict(self.result)

    def plot(self) -> Figure:
        """The run's picture, which names its backend."""
        return self.parts.outcome.picture()

    def report(self, path: str | Path | None = None) -> Path:
        """Write the run's page, self-contained, and return its path (in the folder if None)."""
        where = self.folder / "report.html" if path is None else Path(path)
        parts, record = self.parts, RunDirectory.open(self.folder).record()
        text = render_outcome(parts.outcome, self.result, record, parts.readings, parts.circuits)
        where.write_text(text, encoding="utf-8")
        return where

    def _repr_html_(self) -> str:
        where = self.result.get("provenance", {}).get("where", f"on {self.config.backend}")
        rows = "".join(
            f"<tr><td>{name}</td><td>{value}</td></tr>"
            for name, value in self.result["fit"].items()
            if value is not None
        )
        return (
            f"<p><b>{self.system.name}</b> {where}: {self.verdict.sentence}</p>"
            f"<table>{rows}</table>{inline_svg(self.plot())}"
        )
