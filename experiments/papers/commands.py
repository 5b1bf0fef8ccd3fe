"""The papers there are, and ``qbrain figures``: one command a paper, from the table below.

A paper is named, and imported only when its figures are made: it takes seconds. What a help page
says of it is therefore said here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer

from ..errors import ConfigError

if TYPE_CHECKING:
    from .gallery import Paper

__all__ = ["PAPERS", "PaperCommand", "add_commands", "load_paper", "make_figures"]


@dataclass(frozen=True)
class PaperCommand:
    """What is said of a paper before it is imported.

    Attributes:
        where: the module and, after a colon, its :class:`qbrain.experiments.papers.gallery.Paper`.
        about: one line of help.
        pieces: what ``--only`` may name.
        piece: what one of them is called.
    """

    where: str
    about: str
    pieces: str
    piece: Literal["figure", "study"] = "figure"


PAPERS = {
    "lmg": PaperCommand(
        "qbrain.experiments.lmg.paper:PAPER",
        "Figures 1 to 9 of the LMG paper, its claims measured, the reference figures recomputed.",
        "1 to 9",
    ),
    "lmg-beyond": PaperCommand(
        "qbrain.experiments.lmg.beyond:PAPER",
        "What the LMG paper leaves open: stimuli, single shots, decoherence, two brains and more.",
        "stimulus, observables, single-shots, decoherence, mean-field, coupled, two-neurons",
        "study",
    ),
    "hodgkin-huxley": PaperCommand(
        "qbrain.experiments.hodgkin_huxley.paper:PAPER",
        "The quantized Hodgkin-Huxley paper: its figures, Table I, its claims measured, and more.",
        "3, 7 to 14, table-1, headline, circuits",
    ),
    "open-system": PaperCommand(
        "qbrain.experiments.open_system.paper:PAPER",
        "Figures 2 to 6 of the open nervous system, right and as printed, and what lies beyond.",
        "2 to 6, cutoff, exact, negative, collisions, homeostasis",
    ),
    "qlif": PaperCommand(
        "qbrain.experiments.qlif.paper:PAPER",
        "What the draft on entangled neurons leaves blank, measured beside controls.",
        "chsh, settings, groups, cross-layer, modulation, coherence, energy",
        "study",
    ),
}


def load_paper(name: str) -> Paper:
    """Import a paper.

    Raises:
        ConfigError: there is no such paper.
    """
    if name not in PAPERS:
        raise ConfigError(f"figures: wanted one of {', '.join(PAPERS)}, got {name}")
    module, _, constant = PAPERS[name].where.partition(":")
    paper: Paper = getattr(import_module(module), constant)
    return paper


def make_figures(
    name: str, out: Path | None = None, only: Sequence[int | str] = ()
) -> dict[str, Any]:
    """Make a paper's figures, as :func:`qbrain.experiments.papers.gallery.make_paper` does.

    Args:
        name: of the paper, as in ``qbrain figures NAME``.
        out: folder (default: ``runs/figures-NAME``).
        only: these figures alone.

    Raises:
        ConfigError: there is no such paper, or it has no such figure.
        RunDirectoryError: the folder cannot be written.
    """
    from .gallery import make_paper  # for matplotlib and xarray, which take a while

    return make_paper(load_paper(name), out, only)


def add_commands(app: typer.Typer) -> None:
    """Add a command for every paper."""
    for name, command in PAPERS.items():
        app.command(name, help=command.about)(_body(name, command))


def _body(name: str, command: PaperCommand) -> Callable[..., None]:
    """Make the body of ``figures NAME``."""
    pieces: Any = typer.Option(
        None,
        "--only",
        metavar=command.piece.upper(),
        help=f"this {command.piece} only ({command.pieces}; may be repeated)",
    )
    folder: Any = typer.Option(None, "--out", help=f"folder (default: runs/figures-{name})")
    as_json: Any = typer.Option(False, "--json", help="print one JSON object on stdout")

    def body(
        only: list[str] | None = pieces, out: Path | None = folder, json_: bool = as_json
    ) -> None:
        from .gallery import print_paper

        result = make_figures(name, out, only or ())
        if json_:
            print(json.dumps(result))
        else:
            print_paper(result)

    return body
