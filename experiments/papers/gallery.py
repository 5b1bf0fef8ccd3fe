"""All figures of a paper into a folder: data, pictures, pages, claims and checks."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr
from matplotlib.figure import Figure

from ..engine.folder import RunDirectory
from ..engine.progress import progress
from ..errors import ConfigError
from ..report.tables import print_rows
from .claims import Check, Claim
from .figures import BACKEND, Key, Piece, key_name
from .folder import index_page, open_gallery, put, put_figure
from .pages import checks_page, claims_page, piece_page

__all__ = ["Paper", "make_paper", "measure_checks", "measure_claims", "print_paper"]

_TABLES = ". [The paper's claims, measured](claims.md); [reference figures, recomputed](checks.md)."
# the lists of the JSON object, by what they are of
_LISTS = {"figure": "figures", "study": "studies"}


@dataclass(frozen=True, kw_only=True)
class Paper:
    """One gallery: a paper and how its figures, claims and reference figures are recomputed.

    Attributes:
        name: of the command, and of its folder.
        system: whose brain or neuron it is about.
        citation: None where the pieces are our own, with no claims of others to measure.
        title: of the index page.
        about: what the index page says first.
        figures: in the order they are made.
        draw: a picture from a figure's dataset alone.
        claims: with the figures they are about, known before they are measured.
        checks: with the figure they belong to; None for those of all figures together.
        checks_about: as in :func:`qbrain.experiments.papers.pages.checks_page`.
        costly_checks: measured only where all is made.
        wanted: which figures there are, in words; left out, their names.
        note: what the index page says after the backend.
    """

    name: str
    system: str
    citation: str | None = None
    title: str
    about: str
    figures: Mapping[Key, Callable[[], Piece]]
    draw: Callable[[xr.Dataset], Figure]
    claims: Sequence[tuple[AbstractSet[Key], Callable[[], Claim]]] = ()
    checks: Sequence[tuple[Key | None, Callable[[], Iterable[Check]]]] = ()
    checks_about: Sequence[str] = ("",)
    costly_checks: Callable[[], Iterable[Check]] | None = None
    wanted: str = ""
    note: str = _TABLES

    def chosen(self, only: Sequence[Key]) -> list[Key]:
        """Return the figures named, or all of them.

        Raises:
            ConfigError: a figure the paper does not have.
        """
        keys = {str(key): key for key in self.figures}
        for text in only:
            if str(text) not in keys:
                wanted = self.wanted or f"one of {', '.join(keys)}"
                raise ConfigError(f"only: wanted {wanted}, got {text}")
        named = {keys[str(text)] for text in only}
        return [key for key in self.figures if key in named or not only]


def measure_claims(paper: Paper, figures: Collection[Key]) -> Iterator[Claim]:
    """Measure the claims about any of the figures, one by one."""
    for about, measure in paper.claims:
        if about & set(figures):
            yield measure()


def measure_checks(paper: Paper, figures: Collection[Key] | None = None) -> Iterator[Check]:
    """Recompute the reference figures of these figures; all, where none are named."""
    for figure, measure in paper.checks:
        if figures is None or figure in figures:
            yield from measure()


def make_paper(paper: Paper, out: Path | None = None, only: Sequence[Key] = ()) -> dict[str, Any]:
    """Make the figures (all, or only those named) and return the JSON object of the command.

    A figure N is `figureN.nc`, `.png`, `.svg` and `.md`. Where all are made, `index.md` and the
    paper's `claims.md`, `claims.json`, `checks.md` and `checks.json` are too; otherwise the claims
    and checks about the figures named are on their pages and in the object only. Whole files
    replace old ones.

    Raises:
        ConfigError: a figure the paper does not have.
        RunDirectoryError: the folder cannot be written.
    """
    chosen = paper.chosen(only)
    folder = open_gallery(Path("runs") / f"figures-{paper.name}" if out is None else out)
    began = time.perf_counter()
    with progress(_work(paper, chosen, whole=not only)) as tick:
        claims, checks = _measure(paper, chosen, whole=not only, tick=tick)
        made = [_make(folder, paper, key, checks, claims, tick) for key in chosen]
    pieces = [piece for piece, _ in made]
    if not only:
        if paper.citation:
            _write_tables(folder, paper, paper.citation, checks, claims)
        entries = [(piece.file, piece.heading, piece.summary) for piece in pieces]
        lead = f"{paper.about} ({BACKEND}){paper.note}"
        put(folder, "index.md", index_page(paper.title, lead, entries).encode())
    result: dict[str, Any] = {"paper": paper.citation} if paper.citation else {}
    result |= {"system": paper.system, "backend": BACKEND, "out": str(folder.path)}
    result[_LISTS[pieces[0].kind]] = [row for _, row in made]
    if paper.citation:
        result["claims"] = [claim.record() for claim in claims]
        result["checks"] = [check.record() for check in checks]
    return result | {"wall_seconds": round(time.perf_counter() - began, 3)}


def print_paper(result: dict[str, Any]) -> None:
    """Print the figures made, the checks and the verdicts, or what the studies found."""
    for kind, name in _LISTS.items():
        if name in result:
            print_rows(result[name], [kind, "title", "seconds"])
    checks = [
        # some are known to five digits, one more than tables show
        {**row, "found": f"{row['found']:.5g}", "reference": f"{row['reference']:.5g}",
         "agrees": "yes" if row["agrees"] else "no"}
        for row in result.get("checks", ())
    ]  # fmt: skip
    claims = [
        {**row, "claim": row["name"], "figures": ", ".join(map(str, row["figures"]))}
        for row in result.get("claims", ())
    ]
    for rows, columns in (
        (checks, ["figure", "quantity", "found", "reference", "allowed", "paper", "agrees"]),
        (claims, ["claim", "figures", "verdict"]),
    ):
        if rows:
            print()
            print_rows(rows, columns)
    _print_findings(result.get("studies", ()))
    print(f"\n{result['out']}: {result['wall_seconds']:.1f} s")


def _print_findings(studies: Sequence[Mapping[str, Any]]) -> None:
    from rich.console import Console

    console = Console()
    for row in studies:
        console.print(f"\n[bold]{row['title']}[/bold]\n{row['finding']}", highlight=False)


def _work(paper: Paper, chosen: Collection[Key], *, whole: bool) -> int:
    """Count the ticks of the progress bar."""
    claims = sum(bool(about & set(chosen)) for about, _ in paper.claims)
    costly = whole and paper.costly_checks is not None
    return claims + bool(paper.checks) + costly + len(chosen)


def _measure(
    paper: Paper, chosen: Collection[Key], *, whole: bool, tick: Callable[..., None]
) -> tuple[list[Claim], list[Check]]:
    claims: list[Claim] = []
    for claim in measure_claims(paper, chosen):
        claims.append(claim)
        tick(claim.name)
    checks = list(measure_checks(paper, None if whole else chosen))
    if paper.checks:
        tick("reference figures")
    if whole and paper.costly_checks:
        checks += paper.costly_checks()
        tick("costly reference figures")
    return claims, checks


def _make(
    folder: RunDirectory,
    paper: Paper,
    key: Key,
    checks: Sequence[Check],
    claims: Sequence[Claim],
    tick: Callable[..., None],
) -> tuple[Piece, dict[str, Any]]:
    """Make one piece and write its files; return it and its row of the JSON object."""
    start = time.perf_counter()
    piece = paper.figures[key]()
    data = piece.dataset()
    page = piece_page(
        piece,
        [check for check in checks if check.figure == key],
        [claim for claim in claims if key in claim.figures],
    )
    files = put_figure(folder, piece.file, data, paper.draw(data), page)
    tick(key_name(key))
    return piece, {
        piece.kind: key,
        "title": piece.title,
        "files": files,
        "seconds": round(time.perf_counter() - start, 3),
        "measures": {name: float(value) for name, value in piece.measures.items()},
        **piece.words,
    }


def _write_tables(
    folder: RunDirectory,
    paper: Paper,
    citation: str,
    checks: Sequence[Check],
    claims: Sequence[Claim],
) -> None:
    put(folder, "claims.md", claims_page(citation, claims).encode())
    put(folder, "claims.json", _json({"claims": [c.record() for c in claims]}))
    put(folder, "checks.md", checks_page(citation, checks, paper.checks_about).encode())
    put(folder, "checks.json", _json({"checks": [c.record() for c in checks]}))


def _json(record: dict[str, Any]) -> bytes:
    return (json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
