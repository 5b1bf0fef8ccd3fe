"""All figures of the paper into a folder: data, pictures, pages, claims and checks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ...papers.figures import Key, PaperFigure
from ...papers.gallery import Paper, make_paper, print_paper
from . import beyond, flows, loops, pulses
from .checks import measure_checks
from .claims import CLAIMS
from .model import PAPER
from .pictures import draw

__all__ = ["FIGURES", "make_figures", "print_result"]

FIGURES: dict[Key, Callable[[], PaperFigure]] = {
    2: flows.figure_2,
    3: pulses.figure_3,
    4: pulses.figure_4,
    5: pulses.figure_5,
    6: pulses.figure_6,
    "cutoff": pulses.figure_cutoff,
    "exact": beyond.figure_exact,
    "negative": beyond.figure_negative,
    "collisions": loops.figure_collisions,
    "homeostasis": loops.figure_homeostasis,
}

_OPEN_SYSTEM = Paper(
    system="open-system",
    citation=PAPER,
    title="The figures of the paper on the open quantum nervous system",
    about=f"Figures 2 to 6 of {PAPER}, recomputed by its Eq. 18 and put right, and what its "
    "master equation gives beyond them",
    wanted="a figure from 2 to 6, cutoff, exact, negative, collisions or homeostasis",
    figures=FIGURES,
    claims=CLAIMS,
    checks=measure_checks,
    draw=draw,
    checks_about=(
        ". The reference figures were computed independently; a dash where the paper states "
        "nothing. The paper gives no ω_c; 3.5 is ours.",
    ),
)

print_result = print_paper


def make_figures(out: Path | None = None, only: Sequence[Key] = ()) -> dict[str, Any]:
    """The figures as by :func:`qbrain.experiments.papers.gallery.make_paper`.

    Raises:
        ConfigError: a figure there is not.
        RunDirectoryError: the folder cannot be written.
    """
    return make_paper(_OPEN_SYSTEM, out, only)
