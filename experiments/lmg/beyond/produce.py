"""All studies beyond the paper into a folder: data, pictures, pages."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ...engine.progress import progress
from ...errors import ConfigError
from ...papers.folder import index_page, open_gallery, put, put_figure
from . import disturbed, isolated
from .pictures import draw
from .study import BACKEND, Study

__all__ = ["STUDIES", "make_studies", "print_result"]

STUDIES: dict[str, Callable[[], Study]] = {
    "stimulus": isolated.stimulus,
    "observables": isolated.observables,
    "single-shots": disturbed.single_shots,
    "decoherence": disturbed.decoherence,
    "mean-field": isolated.mean_field_limit,
    "coupled": disturbed.coupled,
    "two-neurons": isolated.two_neurons,
}


def make_studies(out: Path | None = None, only: Sequence[str] = ()) -> dict[str, Any]:
    """Make the studies (all, or only those named) and return the JSON object of the command.

    Raises:
        ConfigError: a study that there is not.
        RunDirectoryError: the folder cannot be written.
    """
    for name in only:
        if name not in STUDIES:
            raise ConfigError(f"only: wanted one of {', '.join(STUDIES)}, got {name}")
    chosen = [name for name in STUDIES if name in only or not only]
    folder = open_gallery(Path("runs") / "figures-lmg-beyond" if out is None else out)
    began = time.perf_counter()
    rows, entries = [], []
    with progress(len(chosen)) as tick:
        for name in chosen:
            start = time.perf_counter()
            study = STUDIES[name]()
            data = study.dataset()
            files = put_figure(folder, name, data, draw(data), study.page())
            entries.append((name, study.title, f"*{study.question}* {study.finding}"))
            rows.append(
                {
                    "study": name,
                    "title": study.title,
                    "files": files,
                    "seconds": round(time.perf_counter() - start, 3),
                    "measures": {key: float(value) for key, value in study.measures.items()},
                    "finding": study.finding,
                }
            )
            tick(name)
    if not only:
        about = f"Experiments on what the LMG paper leaves open ({BACKEND}); all parameters ours."
        put(folder, "index.md", index_page("Beyond the LMG paper", about, entries).encode())
    return {
        "system": "lmg",
        "backend": BACKEND,
        "out": str(folder.path),
        "studies": rows,
        "wall_seconds": round(time.perf_counter() - began, 3),
    }


def print_result(result: dict[str, Any]) -> None:
    """The studies and what they found, on stdout."""
    from rich.console import Console

    from ...report.tables import print_rows

    print_rows(result["studies"], ["study", "title", "seconds"])
    console = Console()
    for row in result["studies"]:
        console.print(f"\n[bold]{row['title']}[/bold]\n{row['finding']}", highlight=False)
    print(f"\n{result['out']}: {result['wall_seconds']:.1f} s")
