"""All figures of the paper into a folder: data, pictures, pages, claims and checks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ...papers.figures import Key, PaperFigure
from ...papers.gallery import Paper, make_paper, print_paper
from . import entanglement, homeostasis, plasticity
from .checks import measure_checks
from .claims import CLAIMS
from .model import PAPER
from .noise_checks import measure_noise_checks
from .pictures import draw

__all__ = ["FIGURES", "make_figures", "print_result"]

FIGURES: dict[Key, Callable[[], PaperFigure]] = {
    1: homeostasis.figure_1,
    2: homeostasis.figure_2,
    3: homeostasis.figure_3,
    4: homeostasis.figure_4,
    5: entanglement.figure_5,
    6: entanglement.figure_6,
    7: plasticity.figure_7,
    8: entanglement.figure_8,
    9: plasticity.figure_9,
}

_LMG = Paper(
    system="lmg",
    citation=PAPER,
    title="The figures of the LMG paper",
    about=f"Figures 1 to 9 of {PAPER}, recomputed",
    wanted="a figure from 1 to 9",
    figures=FIGURES,
    claims=CLAIMS,
    checks=measure_checks,
    draw=draw,
    checks_about=(
        "; where a line names the noise of a device, simulated with that snapshot's noise. The "
        "reference figures were computed independently; a dash where the paper states nothing. "
        "Errors under noise agree if they are no larger.",
        "One layer at γ = 1 leaves more after parity than its reference. Readings here are as "
        "asymmetric as the snapshot says; with the mean of both errors it leaves 0.008 to 0.009. "
        "What makes up the rest is not known.",
    ),
    costly_checks=measure_noise_checks,
)

print_result = print_paper


def make_figures(out: Path | None = None, only: Sequence[Key] = ()) -> dict[str, Any]:
    """The figures as by :func:`qbrain.experiments.papers.gallery.make_paper`.

    Raises:
        ConfigError: a figure the paper does not have.
        RunDirectoryError: the folder cannot be written.
    """
    return make_paper(_LMG, out, only)
