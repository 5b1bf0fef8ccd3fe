"""Settings that say how a recording is read: fields of every configuration that reads one."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

from pydantic import field_validator

from ..engine.config import BaseConfig, model_field
from ..errors import ConfigError
from .layout import AXES
from .reading import Cell, Reading

__all__ = ["MADE_HERE", "OF_FILES", "RecordingConfig"]

# data that no file holds
MADE_HERE = ("synthetic", "lmg")
# settings that only a file or a folder knows
OF_FILES = ("variable", "clip", "axes", "intervals", "time_unit", "sampling_rate", "span")
_CELL_AXES = ("neurons,trials", "trials,neurons")


class RecordingConfig(BaseConfig):
    """How a recording is read and which of its neurons are taken."""

    # options without a value on the command line
    flags: ClassVar[frozenset[str]] = frozenset({"clip"})

    data: str = model_field(
        "synthetic",
        description="a recording: a raster or spike times (.npy, .npz, .mat, .csv, .nwb or what "
        "Neo reads), a folder of Phy or of an lmg run; example (a synthetic one that comes "
        "along), synthetic (a dichotomised Gaussian) or lmg (words of a quantum brain)",
    )
    variable: str | None = model_field(
        None, description="which array of an .npz or .mat file, or table of units of an .nwb"
    )
    trials: int | None = model_field(
        None,
        ge=1,
        le=10**6,
        description="cut a recording without trials into so many of equal length; where trials "
        "are numbered, how many there are, silent ones included",
    )
    span: str | None = model_field(
        None,
        description="of a recording without trials, from which second to which, such as 0,600 "
        "(default: to the last spike)",
    )
    intervals: str | None = model_field(
        None,
        description="which table of intervals of an .nwb, or epochs of Neo, are the trials; none "
        "to use no table",
    )
    time_unit: Literal["s", "ms", "us", "samples"] | None = model_field(
        None, description="unit of the spike times, where the file does not say it"
    )
    sampling_rate: float | None = model_field(
        None, gt=0, description="samples a second, for spike times in samples"
    )
    axes: str | None = model_field(
        None,
        description="order of a raster's axes, such as trials,neurons,time or neurons,time",
    )
    clip: bool = model_field(False, description="make counts above one in a raster 1")
    bin_s: float | None = model_field(None, gt=0, description="width of a bin in seconds")
    bin_ms: float | None = model_field(
        None, gt=0, description="width of a bin in milliseconds, instead of bin-s"
    )
    neurons: int = model_field(
        4, ge=1, le=12, description="so many neurons, those of highest rates"
    )
    cells: str | None = model_field(
        None, description="these neurons instead, by column or name, such as 3,17,20"
    )

    @field_validator("cells")
    @classmethod
    def _readable_cells(cls, value: str | None) -> str | None:
        if value is not None and not all(part.strip() for part in value.split(",")):
            raise ValueError("columns or names joined by commas, such as 3,17,20")
        return value

    @field_validator("axes")
    @classmethod
    def _known_axes(cls, value: str | None) -> str | None:
        known = (*AXES, *_CELL_AXES)
        if value is not None and ",".join(p.strip() for p in value.split(",")) not in known:
            raise ValueError(
                "trials, time and neurons (or time and neurons) in the order of the array, joined "
                "by commas, such as trials,neurons,time"
            )
        return value

    @field_validator("span")
    @classmethod
    def _known_span(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                start, stop = (float(part) for part in value.split(","))
                good = -math.inf < start < stop < math.inf
            except ValueError:
                good = False
            if not good:
                raise ValueError("two times in seconds joined by a comma, such as 0,600")
        return value

    @property
    def cell_list(self) -> list[Cell] | None:
        """The columns or names asked for, if any."""
        if self.cells is None:
            return None
        parts = [part.strip() for part in self.cells.split(",")]
        return [int(part) if part.isdecimal() else part for part in parts]

    @property
    def neuron_count(self) -> int:
        """N: as many as cells are named, else `neurons`."""
        return self.neurons if self.cell_list is None else len(self.cell_list)

    @property
    def width_s(self) -> float | None:
        """Width of a bin in seconds, whichever setting says it."""
        return self.bin_s if self.bin_ms is None else self.bin_ms / 1000

    @property
    def reading(self) -> Reading:
        """The same for the readers."""
        names = ("trials", "variable", "clip", "axes", "intervals", "time_unit", "sampling_rate")
        settings: dict[str, Any] = {name: getattr(self, name) for name in names}
        if self.axes is not None:
            settings["axes"] = ",".join(part.strip() for part in self.axes.split(","))
        if self.span is not None:
            start, stop = (float(part) for part in self.span.split(","))
            settings["span"] = start, stop
        return Reading(bin_s=self.width_s, cells=self.cell_list, **settings)

    def refuse_ignored(self) -> None:
        """Refuse two widths of a bin, and settings of files where there is none."""
        if self.bin_s is not None and self.bin_ms is not None:
            raise ConfigError(f"bin_ms: wanted bin_s or bin_ms, got {self.bin_s} and {self.bin_ms}")
        if self.cells is not None:
            self._refuse("cells are named", "neurons")
        if self.data in MADE_HERE:
            self._refuse(f"data {self.data} is made here", *OF_FILES)
        super().refuse_ignored()
