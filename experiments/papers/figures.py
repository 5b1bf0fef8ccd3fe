"""What a figure of a paper, or a study beyond it, is made of: parameters, data, numbers, words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import xarray as xr

__all__ = [
    "BACKEND",
    "Comparison",
    "Key",
    "PaperFigure",
    "Parameter",
    "Piece",
    "Study",
    "Variation",
    "key_name",
]

BACKEND = "exact reference, no circuit"

# figure 3 is 3; what has no number has a name
Key = int | str


def key_name(key: Key) -> str:
    """Return what a page calls it: figure 3, table 1."""
    return f"figure {key}" if isinstance(key, int) else key.replace("-", " ")


@dataclass(frozen=True)
class Parameter:
    """A parameter of a figure; ``why`` is given where it is ours and not the paper's."""

    name: str
    value: str | float | list[float] | list[str]
    why: str = ""

    @property
    def source(self) -> str:
        """Who chose it: paper or ours."""
        return "ours" if self.why else "paper"


@dataclass(frozen=True)
class Variation:
    """What another value of an unstated parameter does to a measured number."""

    parameter: str
    ours: str
    other: str
    quantity: str
    with_ours: float
    with_other: float


@dataclass(frozen=True)
class Comparison:
    """A number by the right formulas, by the paper's as printed, and in the paper's own words.

    ``printed`` is None where the paper's formula is the right one or gives no number; ``paper`` is
    None where the paper states nothing.
    """

    quantity: str
    ours: float
    printed: float | None = None
    paper: str | None = None


@dataclass(frozen=True)
class PaperFigure:
    """One figure: its data and what there is to say about it.

    ``number`` is the figure's in the paper, or a name. A paper's own class sets ``paper`` and, of
    the measures, ``units``.
    """

    kind: ClassVar[str] = "figure"
    paper: ClassVar[str] = ""
    units: ClassVar[str] = "as named, else 1"

    number: Key
    title: str
    parameters: tuple[Parameter, ...]
    data: xr.Dataset
    shows: str
    finds: str
    differs: str
    variations: tuple[Variation, ...] = ()
    measures: Mapping[str, float] = field(default_factory=dict)
    comparisons: tuple[Comparison, ...] = ()

    @property
    def file(self) -> str:
        """The name of its files, without a suffix."""
        return f"figure{self.number}" if isinstance(self.number, int) else self.number

    @property
    def heading(self) -> str:
        """Its number, if it has one, and its title."""
        return f"Figure {self.number}: {self.title}" if self.file != self.number else self.title

    @property
    def paragraph(self) -> str:
        """What the paper shows, what we find, and where they differ."""
        return f"{self.shows} {self.finds} {self.differs}"

    @property
    def summary(self) -> str:
        """What the index page says under its picture."""
        return self.paragraph

    @property
    def words(self) -> dict[str, str]:
        """Its prose in the JSON object of the command."""
        return {"paragraph": self.paragraph}

    def dataset(self) -> xr.Dataset:
        """The data with measures, variations and every parameter and its source in it."""
        extra = {
            "measured": xr.Variable(
                ("measure",),
                list(self.measures.values()),
                {"long_name": "numbers read off the data", "units": self.units},
            ),
            "variation_with_ours": xr.Variable(
                ("variation",), [v.with_ours for v in self.variations]
            ),
            "variation_with_other": xr.Variable(
                ("variation",), [v.with_other for v in self.variations]
            ),
        }
        named = {"measure": list(self.measures)}
        for part in ("parameter", "ours", "other", "quantity"):
            name = f"variation_{part}"
            extra[name] = xr.Variable(("variation",), [getattr(v, part) for v in self.variations])
        if self.comparisons:
            named["quantity"] = [c.quantity for c in self.comparisons]
            printed = [math.nan if c.printed is None else c.printed for c in self.comparisons]
            extra["found_ours"] = xr.Variable(("quantity",), [c.ours for c in self.comparisons])
            extra["found_printed"] = xr.Variable(("quantity",), printed)
            extra["found_paper"] = xr.Variable(
                ("quantity",), [c.paper or "" for c in self.comparisons]
            )
        attributes: dict[str, Any] = {
            "paper": self.paper,
            "figure": self.number,
            "title": self.title,
            "backend": BACKEND,
        }
        for source in ("paper", "ours"):
            names = [p.name for p in self.parameters if p.source == source]
            attributes[f"parameters_of_{source}"] = ", ".join(names)
        for p in self.parameters:
            attributes[p.name] = p.value
        reasons = [f"{p.name}: {p.why}" for p in self.parameters if p.why]
        attributes["why_ours"] = "; ".join(reasons)
        return self.data.assign(extra).assign_coords(named).assign_attrs(attributes)


@dataclass(frozen=True)
class Study:
    """One experiment beyond a paper.

    ``question``: what the paper leaves open; ``finding``: the answer, with its numbers, which
    are ``measures`` too. All parameters are ours; they are attributes of ``data``.
    """

    kind: ClassVar[str] = "study"

    name: str
    title: str
    question: str
    finding: str
    data: xr.Dataset
    measures: Mapping[str, float]

    @property
    def file(self) -> str:
        """The name of its files, without a suffix."""
        return self.name

    @property
    def heading(self) -> str:
        """Its title: a study has no number."""
        return self.title

    @property
    def summary(self) -> str:
        """What the index page says under its picture."""
        return f"*{self.question}* {self.finding}"

    @property
    def words(self) -> dict[str, str]:
        """Its prose in the JSON object of the command."""
        return {"finding": self.finding}

    def dataset(self) -> xr.Dataset:
        """The data with the measures in it."""
        values = xr.Variable(("measure",), np.array(list(self.measures.values()), dtype=float))
        return (
            self.data.assign(measured=values)
            .assign_coords(measure=list(self.measures))
            .assign_attrs(title=self.title, study=self.name, backend=BACKEND)
        )


# what a gallery is made of
Piece = PaperFigure | Study
