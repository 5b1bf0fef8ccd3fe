"""What the studies share: the pair, its kinds, figures with errors, and how they are judged.

The draft names the parts of a pair and gives no numbers and no experiments, so every parameter is
ours. All kinds of a study have the same noise; kinds with bits also draw them from the same random
numbers, so differences between kinds are paired. Their errors are nevertheless added as if they
were independent, which makes them no smaller.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qbrain.reference.qlif import KINDS, QlifPair
from qbrain.reference.qlif.spike_synchrony import Measure

from ...papers import figures as paper_figures
from ...papers.claims import HOLDS, IN_PART, NOT, Verdict
from ...papers.figures import Parameter

__all__ = [
    "APART",
    "CITATION",
    "KINDS",
    "RULE",
    "Figures",
    "PaperFigure",
    "above",
    "by_kind",
    "fixed_pair",
    "interval",
    "jackknife",
    "judge",
    "parameters",
    "rows",
]

CITATION = (
    "the draft “Entangled Quantum-Inspired Leaky Integrate-and-Fire Neural Architecture for "
    "Enhanced Cross-Layer Communication”"
)
# standard errors from which two figures are told apart
APART = 3.0
# kind → figure
Figures = Mapping[str, Measure]
Array = NDArray[np.float64]


@dataclass(frozen=True)
class PaperFigure(paper_figures.PaperFigure):
    """One figure of this draft."""

    paper = CITATION


def fixed_pair(a: float = 0.0, b: float = 0.0, **more: Any) -> QlifPair:
    """Make a pair whose neurons have one setting each."""
    return QlifPair(angles=((a,), (b,)), **more)


def parameters(pair: QlifPair, **more: float | str | list[float] | list[str]) -> Any:
    """List the parameters of a study: the pair's and those given, with why they are so."""
    names = ("phi", "visibility", "tau", "rest", "threshold", "resistance", "noise", "refractory",
             "coupling", "kick", "tick")  # fmt: skip
    own = [Parameter(name, getattr(pair, name), "the draft has no numbers") for name in names]
    given = [Parameter(name, value, "the draft has no experiment") for name, value in more.items()]
    return (*own, *given)


def by_kind(
    figures: Mapping[str, Figures], *, dim: str = "kind", units: Mapping[str, str] | None = None
) -> xr.Dataset:
    """Put metrics of kinds, each with its standard error, into a dataset over kinds."""
    kinds = list(next(iter(figures.values())))
    data: dict[str, Any] = {}
    for name, own in figures.items():
        attributes = {"units": (units or {}).get(name, "1")}
        data[name] = (dim, [float(own[k].value) for k in kinds], attributes)
        data[f"{name}_stderr"] = (dim, [float(own[k].stderr) for k in kinds], attributes)
    return xr.Dataset(data, {dim: kinds})


def jackknife(parts: Array, figure: Callable[[Array], Array | float]) -> Measure:
    """Return a metric of the mean over independent parts (axis 0), with its jackknife error."""
    n = len(parts)
    total = parts.sum(axis=0)
    value = float(figure(total / n))
    without = np.array([float(figure((total - part) / (n - 1))) for part in parts])
    return Measure(value, math.sqrt((n - 1) / n * float(((without - without.mean()) ** 2).sum())))


def above(one: Measure, other: Measure) -> float:
    """Return how many standard errors the first lies above the second."""
    spread = math.hypot(float(one.stderr), float(other.stderr))
    gap = float(one.value) - float(other.value)
    return gap / spread if spread else math.copysign(math.inf, gap) if gap else 0.0


def judge(figures: Figures, *, larger: bool = True) -> Verdict:
    """Judge whether it beats every kind without a wire, or those without sharing.

    Holds if the entangled pair is told apart from the shared bit and on its better side; in part
    if only from private bits and plain neurons, so that a shared bit does as well; else not.
    """
    sign = 1 if larger else -1
    own = figures["entangled"]
    better = {kind: sign * above(own, figures[kind]) > APART for kind in figures}
    if not (better["private bit"] and better["plain"]):
        return NOT
    return HOLDS if better["shared bit"] else IN_PART


RULE = (
    f"Holds if better than the shared bit by {APART:g} standard errors, in part if better than "
    "private bits and plain neurons only"
)


def interval(measure: Measure, digits: int = 4) -> str:
    """Write a value and its 95 % interval in words."""
    return f"{measure.value:.{digits}f} ± {1.96 * measure.stderr:.{digits}f}"


def rows(figures: Mapping[str, Figures]) -> tuple[dict[str, float | int | str], ...]:
    """Make one row a kind, for a claim's numbers."""
    kinds: Sequence[str] = list(next(iter(figures.values())))
    return tuple(
        {
            "kind": kind,
            **{
                column: value
                for name, own in figures.items()
                for column, value in (
                    (name, float(own[kind].value)),
                    (f"{name}, standard error", float(own[kind].stderr)),
                )
            },
        }
        for kind in kinds
    )
