"""A claim of the paper, what was measured about it, and the verdict."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

__all__ = ["HOLDS", "IN_PART", "NOT", "Claim", "Row", "falls", "rises"]

Verdict = Literal["holds", "holds in part", "does not hold"]
Row = dict[str, float | int | str]

HOLDS: Verdict = "holds"
IN_PART: Verdict = "holds in part"
NOT: Verdict = "does not hold"


@dataclass(frozen=True)
class Claim:
    """One claim.

    ``claim`` is the paper's, shortened; ``definition`` says what is measured and by which rule
    the verdict follows; ``numbers`` are the rows that were measured; ``finding`` is one sentence.
    """

    name: str
    figures: tuple[int, ...]
    claim: str
    definition: str
    numbers: tuple[Row, ...]
    verdict: Verdict
    finding: str

    def record(self) -> dict[str, Any]:
        """As a JSON object."""
        return {**asdict(self), "figures": list(self.figures), "numbers": list(self.numbers)}


def rises(values: Sequence[float]) -> bool:
    """Whether each value is larger than the one before."""
    return all(a < b for a, b in itertools.pairwise(values))


def falls(values: Sequence[float]) -> bool:
    """Whether each value is smaller than the one before."""
    return all(a > b for a, b in itertools.pairwise(values))
