"""All figures of the paper into a folder: data, pictures, pages, claims and checks."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from qbrain.experiments.errors import ConfigError
from qbrain.experiments.gallery import index_page, open_gallery, put, put_figure
from qbrain.experiments.lmg_paper import entanglement, homeostasis, plasticity
from qbrain.experiments.lmg_paper.checks import Check, measure_checks
from qbrain.experiments.lmg_paper.claims import CLAIMS, measure_claims
from qbrain.experiments.lmg_paper.model import BACKEND, PAPER, PaperFigure
from qbrain.experiments.lmg_paper.noise_checks import measure_noise_checks
from qbrain.experiments.lmg_paper.pages import checks_page, claims_page, figure_page
from qbrain.experiments.lmg_paper.pictures import draw
from qbrain.experiments.lmg_paper.verdicts import Claim
from qbrain.experiments.progress import progress
from qbrain.experiments.run_directory import RunDirectory

__all__ = ["FIGURES", "make_figures", "print_result"]

FIGURES: dict[int, Callable[[], PaperFigure]] = {
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


def make_figures(out: Path | None = None, only: Sequence[int | str] = ()) -> dict[str, Any]:
    """Make the figures (all, or only those named) and return the JSON object of the command.

    A figure N is `figureN.nc`, `.png`, `.svg` and `.md`. Where all are made, `claims.md`,
    `claims.json`, `checks.md` and `checks.json` are too; otherwise the claims and checks about
    the figures named are on their pages and in the object only. Whole files replace old ones.

    Raises:
        ConfigError: a figure the paper does not have.
        RunDirectoryError: the folder cannot be written.
    """
    chosen = sorted({_number(text) for text in only}) or list(FIGURES)
    folder = open_gallery(Path("runs") / "figures-lmg" if out is None else out)
    began = time.perf_counter()
    rows: list[dict[str, Any]] = []
    entries: list[tuple[str, str, str]] = []
    with progress(_work(chosen)) as tick:
        claims: list[Claim] = []
        for claim in measure_claims(chosen):
            claims.append(claim)
            tick(claim.name)
        checks: list[Check] = list(measure_checks(set(chosen) if only else None))
        tick("reference figures")
        if not only:
            checks += measure_noise_checks()
            tick("reference figures under noise")
        for number in chosen:
            start = time.perf_counter()
            figure = FIGURES[number]()
            files = _write_figure(folder, figure, checks, claims)
            rows.append(_row(figure, files, time.perf_counter() - start))
            heading = f"Figure {number}: {figure.title}"
            entries.append((f"figure{number}", heading, figure.paragraph))
            tick(f"figure {number}")
        if not only:
            _write_tables(folder, checks, claims)
            about = (
                f"Figures 1 to 9 of {PAPER}, recomputed ({BACKEND}). "
                "[The paper's claims, measured](claims.md); "
                "[reference figures, recomputed](checks.md)."
            )
            page = index_page("The figures of the LMG paper", about, entries)
            put(folder, "index.md", page.encode())
    return {
        "paper": PAPER,
        "system": "lmg",
        "backend": BACKEND,
        "out": str(folder.path),
        "figures": rows,
        "claims": [claim.record() for claim in claims],
        "checks": [check.record() for check in checks],
        "wall_seconds": round(time.perf_counter() - began, 3),
    }


def print_result(result: dict[str, Any]) -> None:
    """The figures made, the checks and the verdicts as tables on stdout."""
    from qbrain.experiments.tables import print_rows

    print_rows(result["figures"], ["figure", "title", "seconds"])
    checks = [
        # min r is known to five digits, one more than tables show
        {**row, "found": f"{row['found']:.5g}", "reference": f"{row['reference']:.5g}",
         "agrees": "yes" if row["agrees"] else "no"}
        for row in result["checks"]
    ]  # fmt: skip
    claims = [
        {**row, "claim": row["name"], "figures": ", ".join(map(str, row["figures"]))}
        for row in result["claims"]
    ]
    for rows, columns in (
        (checks, ["figure", "quantity", "found", "reference", "paper", "agrees"]),
        (claims, ["claim", "figures", "verdict"]),
    ):
        if rows:
            print()
            print_rows(rows, columns)
    print(f"\n{result['out']}: {result['wall_seconds']:.1f} s")


def _number(text: int | str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number not in FIGURES:
        raise ConfigError(f"only: wanted a figure from 1 to {max(FIGURES)}, got {text}")
    return number


def _write_figure(
    folder: RunDirectory, figure: PaperFigure, checks: Sequence[Check], claims: Sequence[Claim]
) -> list[str]:
    data = figure.dataset()
    page = figure_page(
        figure,
        [c for c in checks if c.figure == figure.number],
        [c for c in claims if figure.number in c.figures],
    )
    return put_figure(folder, f"figure{figure.number}", data, draw(data), page)


def _write_tables(folder: RunDirectory, checks: Sequence[Check], claims: Sequence[Claim]) -> None:
    put(folder, "claims.md", claims_page(claims).encode())
    put(folder, "claims.json", _json({"claims": [c.record() for c in claims]}))
    put(folder, "checks.md", checks_page(checks).encode())
    put(folder, "checks.json", _json({"checks": [c.record() for c in checks]}))


def _json(record: dict[str, Any]) -> bytes:
    return (json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _row(figure: PaperFigure, files: list[str], seconds: float) -> dict[str, Any]:
    return {
        "figure": figure.number,
        "title": figure.title,
        "files": files,
        "seconds": round(seconds, 3),
        "measures": dict(figure.measures),
        "paragraph": figure.paragraph,
    }


def _work(chosen: Sequence[int]) -> int:
    about = sum(bool(figures & set(chosen)) for figures, _ in CLAIMS)
    return about + 2 + len(chosen)
