"""All studies of the draft into a folder: data, pictures, pages, claims and checks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ...papers.figures import Key, PaperFigure
from ...papers.gallery import Paper, make_paper, print_paper
from . import coherence, energy, layers, modulation, quantum
from .checks import measure_checks
from .claims import CLAIMS
from .model import PAPER
from .pictures import draw

__all__ = ["FIGURES", "make_figures", "print_result"]

FIGURES: dict[Key, Callable[[], PaperFigure]] = {
    "chsh": quantum.chsh,
    "settings": quantum.settings,
    "groups": quantum.groups,
    "cross-layer": layers.cross_layer,
    "modulation": modulation.modulation,
    "coherence": coherence.coherence,
    "energy": energy.energy,
}

_QLIF = Paper(
    system="qlif",
    citation=PAPER,
    title="Entangled integrate-and-fire neurons: the blanks filled in",
    about=f"What {PAPER} leaves blank, as small experiments beside controls",
    wanted=f"one of {', '.join(map(str, FIGURES))}",
    figures=FIGURES,
    claims=CLAIMS,
    checks=measure_checks,
    draw=draw,
    checks_about=(
        ". The draft has no figures. Those of exact tables are closed forms; those of spiking "
        "neurons were found by a run that shares no code with this project, and agree within four "
        "standard errors of both.",
    ),
)

print_result = print_paper


def make_figures(out: Path | None = None, only: Sequence[Key] = ()) -> dict[str, Any]:
    """The studies as by :func:`qbrain.experiments.papers.gallery.make_paper`.

    Raises:
        ConfigError: a study there is not.
        RunDirectoryError: the folder cannot be written.
    """
    return make_paper(_QLIF, out, only)
