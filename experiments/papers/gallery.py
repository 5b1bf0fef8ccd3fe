"""All figures of a paper into a folder: data, pictures, pages, claims and checks."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr
from matplotlib.figure import Figure

from ..engine.folder import RunDirectory
from ..engine.progress import progress
from ..errors import ConfigError
from .claims import Check, Claim
from .figures import BACKEND, Key, PaperFigure, key_name
from .folder import index_page, open_gallery, put, put_figure
from .pages import checks_page, claims_page, figure_page

__all__ = ["Paper", "make_paper", "measure_claims", "print_paper"]


@dataclass(frozen=True)
class Paper:
    """A paper and how its figures, claims and reference figures are recomputed.

    ``figures`` in the order they are made; ``claims`` with the figures they are about, known
    before they are measured; ``checks`` of some figures, or of all and of what belongs to none;
    ``costly_checks`` only where all is made; ``draw`` a picture from a figure's dataset alone;
    ``wanted`` says which figures there are; ``checks_about`` as in
    :func:`qbrain.experiments.papers.pages.checks_page`.
    """

    system: str
    citation: str
    title: str
    about: str
    wanted: str
    figures: Mapping[Key, Callable[[], PaperFigure]]
    claims: Sequence[tuple[frozenset[Key], Callable[[], Claim]]]
    checks: Callable[[Collection[Key] | None], Iterable[Check]]
    draw: Callable[[xr.Dataset], Figure]
    checks_about: Sequence[str]
    costly_checks: Callable[[], Iterable[Check]] | None = None

    def chosen(self, only: Sequence[Key]) -> list[Key]:
        """The figures named, or all of them.

        Raises:
            ConfigError: a figure the paper does not have.
        """
        keys = {str(key): key for key in self.figures}
        for text in only:
            if str(text) not in keys:
                raise ConfigError(f"only: wanted {self.wanted}, got {text}")
        named = {keys[str(text)] for text in only}
        return [key for key in self.figures if key in named or not only]


def measure_claims(
    claims: Sequence[tuple[frozenset[Key], Callable[[], Claim]]], figures: Collection[Key]
) -> Iterable[Claim]:
    """The claims about any of the figures, measured one by one."""
    for about, measure in claims:
        if about & set(figures):
            yield measure()


def make_paper(paper: Paper, out: Path | None = None, only: Sequence[Key] = ()) -> dict[str, Any]:
    """Make the figures (all, or only those named) and return the JSON object of the command.

    A figure N is `figureN.nc`, `.png`, `.svg` and `.md`. Where all are made, `claims.md`,
    `claims.json`, `checks.md` and `checks.json` are too; otherwise the claims and checks about
    the figures named are on their pages and in the object only. Whole files replace old ones.

    Raises:
        ConfigError: a figure the paper does not have.
        RunDirectoryError: the folder cannot be written.
    """
    chosen = paper.chosen(only)
    folder = open_gallery(Path("runs") / f"figures-{paper.system}" if out is None else out)
    began = time.perf_counter()
    rows: list[dict[str, Any]] = []
    entries: list[tuple[str, str, str]] = []
    about = sum(bool(figures & set(chosen)) for figures, _ in paper.claims)
    with progress(about + 1 + bool(paper.costly_checks) + len(chosen)) as tick:
        claims: list[Claim] = []
        for claim in measure_claims(paper.claims, chosen):
            claims.append(claim)
            tick(claim.name)
        checks = list(paper.checks(set(chosen) if only else None))
        tick("reference figures")
        if not only and paper.costly_checks:
            checks += paper.costly_checks()
            tick("costly reference figures")
        for key in chosen:
            start = time.perf_counter()
            figure = paper.figures[key]()
            files = _write_figure(folder, paper, figure, checks, claims)
            rows.append(_row(figure, files, time.perf_counter() - start))
            entries.append((figure.file, figure.heading, figure.paragraph))
            tick(key_name(key))
        if not only:
            _write_tables(folder, paper, checks, claims)
            lead = (
                f"{paper.about} ({BACKEND}). [The paper's claims, measured](claims.md); "
                "[reference figures, recomputed](checks.md)."
            )
            put(folder, "index.md", index_page(paper.title, lead, entries).encode())
    return {
        "paper": paper.citation,
        "system": paper.system,
        "backend": BACKEND,
        "out": str(folder.path),
        "figures": rows,
        "claims": [claim.record() for claim in claims],
        "checks": [check.record() for check in checks],
        "wall_seconds": round(time.perf_counter() - began, 3),
    }


def print_paper(result: dict[str, Any]) -> None:
    """The figures made, the checks and the verdicts as tables on stdout."""
    from ..report.tables import print_rows

    print_rows(result["figures"], ["figure", "title", "seconds"])
    checks = [
        # some are known to five digits, one more than tables show
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


def _write_figure(
    folder: RunDirectory,
    paper: Paper,
    figure: PaperFigure,
    checks: Sequence[Check],
    claims: Sequence[Claim],
) -> list[str]:
    data = figure.dataset()
    page = figure_page(
        figure,
        [c for c in checks if c.figure == figure.number],
        [c for c in claims if figure.number in c.figures],
    )
    return put_figure(folder, figure.file, data, paper.draw(data), page)


def _write_tables(
    folder: RunDirectory, paper: Paper, checks: Sequence[Check], claims: Sequence[Claim]
) -> None:
    put(folder, "claims.md", claims_page(paper.citation, claims).encode())
    put(folder, "claims.json", _json({"claims": [c.record() for c in claims]}))
    about = paper.checks_about
    put(folder, "checks.md", checks_page(paper.citation, checks, about).encode())
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
