"""All figures of the paper into a folder: data, pictures, pages, claims and checks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ...papers.figures import Key, PaperFigure
from ...papers.gallery import Paper, make_paper, print_paper
from . import circuits, loops, memristor, responses, table_one
from .checks import measure_checks
from .claims import CLAIMS
from .model import PAPER
from .pictures import draw

__all__ = ["FIGURES", "make_figures", "print_result"]

FIGURES: dict[Key, Callable[[], PaperFigure]] = {
    "headline": loops.headline,
    3: memristor.figure_3,
    7: responses.figure_7,
    8: responses.figure_8,
    9: responses.figure_9,
    10: loops.figure_10,
    11: loops.figure_11,
    12: responses.figure_12,
    13: loops.figure_13,
    14: loops.figure_14,
    "table-1": table_one.table_one,
    "circuits": circuits.circuits,
}

_HODGKIN_HUXLEY = Paper(
    system="hodgkin-huxley",
    citation=PAPER,
    title="The figures of the quantized Hodgkin-Huxley paper",
    about=f"Figures 3 and 7 to 14 and Table I of {PAPER}, recomputed, and what lies beyond them",
    wanted=f"one of {', '.join(map(str, FIGURES))}",
    figures=FIGURES,
    claims=CLAIMS,
    checks=measure_checks,
    draw=draw,
    checks_about=(
        ". The reference figures were computed independently; a dash where the paper states "
        "nothing. Those of errors and residuals agree if they are no larger.",
        "The parameters behind the reference errors of the memristor qubit's loop are not known; "
        "ours come within 5 %. The slopes are those that the loops' orders demand; the gate's "
        "steps are still a little steeper than 2 at these sizes.",
    ),
)

print_result = print_paper


def make_figures(out: Path | None = None, only: Sequence[Key] = ()) -> dict[str, Any]:
    """The figures as by :func:`qbrain.experiments.papers.gallery.make_paper`.

    Raises:
        ConfigError: a figure there is not.
        RunDirectoryError: the folder cannot be written.
    """
    return make_paper(_HODGKIN_HUXLEY, out, only)
