"""Claims of a paper with what was measured about them, and reference figures found again."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from .figures import Key

__all__ = [
    "HOLDS",
    "IN_PART",
    "NOT",
    "UNKNOWN",
    "ByLimit",
    "Check",
    "Claim",
    "Row",
    "falls",
    "rises",
    "verdict",
]

Verdict = Literal["holds", "holds in part", "does not hold", "cannot be compared"]
Row = dict[str, float | int | str]

HOLDS: Verdict = "holds"
IN_PART: Verdict = "holds in part"
NOT: Verdict = "does not hold"
UNKNOWN: Verdict = "cannot be compared"


@dataclass(frozen=True)
class ByLimit:
    """A verdict that depends on a limit which this project chose, since the paper states none.

    Attributes:
        limit: what is limited, in words.
        ours: the limit that was chosen.
        others: other limits, of which the verdicts are told beside.
        rule: from a limit to the verdict.
    """

    limit: str
    ours: float
    others: tuple[float, ...]
    rule: Callable[[float], Verdict]

    @property
    def verdict(self) -> Verdict:
        """The verdict by our limit."""
        return self.rule(self.ours)

    @property
    def rows(self) -> tuple[Row, ...]:
        """A row a limit, in order: the limit, its verdict, and which of them is ours."""
        return tuple(
            {self.limit: x, "verdict": self.rule(x), "chosen": "yes" if x == self.ours else ""}
            for x in sorted({self.ours, *self.others})
        )


@dataclass(frozen=True)
class Claim:
    """One claim, what was measured about it, and the verdict.

    ``claim`` is the paper's, shortened; ``definition`` says what is measured and by which rule
    the verdict follows; ``numbers`` are the rows that were measured; ``finding`` is one sentence;
    ``limits`` are the verdicts by other limits than ours, where one decides.
    """

    name: str
    figures: tuple[Key, ...]
    claim: str
    definition: str
    numbers: tuple[Row, ...]
    verdict: Verdict
    finding: str
    limits: tuple[Row, ...] = ()

    def record(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        lists = {"figures": self.figures, "numbers": self.numbers, "limits": self.limits}
        return {**asdict(self), **{name: list(values) for name, values in lists.items()}}


@dataclass(frozen=True)
class Check:
    """A number found, the reference figure it should be, and what the paper says of it."""

    figure: Key | None
    quantity: str
    found: float
    reference: float
    tolerance: float
    paper: str | None
    at_most: bool = False

    @property
    def agrees(self) -> bool:
        """Say whether the number is within the tolerance of its reference (or below it)."""
        above = self.found - self.reference
        return (above if self.at_most else abs(above)) <= self.tolerance

    @property
    def allowed(self) -> str:
        """The tolerance in words: how far from the reference, or above it, still agrees."""
        return f"{'at most +' if self.at_most else '±'}{self.tolerance:.2g}"

    def record(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {**asdict(self), "allowed": self.allowed, "agrees": self.agrees}


def verdict(holds: bool, *, in_part: bool = False) -> Verdict:
    """Return the verdict of a claim that holds, or else holds in part, or does not hold."""
    return HOLDS if holds else IN_PART if in_part else NOT


def rises(values: Sequence[float]) -> bool:
    """Say whether each value is larger than the one before."""
    return all(a < b for a, b in itertools.pairwise(values))


def falls(values: Sequence[float]) -> bool:
    """Say whether each value is smaller than the one before."""
    return all(a > b for a, b in itertools.pairwise(values))
