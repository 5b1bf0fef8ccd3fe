"""Figures and claims whose words are templates, filled with what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import xarray as xr

from .claims import ByLimit, Claim, Row, Verdict
from .figures import Comparison, Key, PaperFigure, Parameter, Variation
from .texts import fill

__all__ = ["Teller"]

F = TypeVar("F", bound=PaperFigure)


@dataclass(frozen=True)
class Teller(Generic[F]):
    """The templates of one paper.

    Attributes:
        package: the paper's; its templates are in the folder ``text``.
        kind: the paper's class of figures.
    """

    package: str
    kind: type[F]

    def figure(
        self,
        number: Key,
        title: str,
        parameters: tuple[Parameter, ...],
        data: xr.Dataset,
        variations: tuple[Variation, ...] = (),
        measures: Mapping[str, float] | None = None,
        comparisons: tuple[Comparison, ...] = (),
        *,
        text: str = "",
        **values: Any,
    ) -> F:
        """Make a figure whose words are those of ``figureN.md.jinja``, or ``NAME.md.jinja``.

        Args:
            number, title, parameters, data, variations, measures, comparisons: as in
                :class:`qbrain.experiments.papers.figures.PaperFigure`.
            text: the name of another template.
            values: what the template needs beside the measures, which it knows as ``m``.
        """
        found = dict(measures or {})
        name = text or (f"figure{number}" if isinstance(number, int) else number)
        words = fill(self.package, name, m=found, **values)
        return self.kind(
            number, title, parameters, data, words["shows"], words["finds"], words["differs"],
            variations, found, comparisons,
        )  # fmt: skip

    def claim(
        self,
        text: str,
        name: str,
        figures: tuple[Key, ...],
        numbers: Sequence[Row],
        verdict: Verdict | ByLimit,
        **values: Any,
    ) -> Claim:
        """Make a claim whose words are those of a template, filled with these values.

        A verdict by a limit of ours brings those by other limits along.
        """
        limits = verdict.rows if isinstance(verdict, ByLimit) else ()
        found = verdict.verdict if isinstance(verdict, ByLimit) else verdict
        words = fill(self.package, text, **values)
        return Claim(
            name, figures, words["claim"], words["definition"], tuple(numbers), found,
            words["finding"], limits,
        )  # fmt: skip
