"""A folder of figures: whole files or none, found unwritable before the work, not after it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import xarray as xr
from matplotlib.figure import Figure

from ..engine.folder import RunDirectory
from ..errors import RunDirectoryError
from ..report.figure import save_figure

__all__ = ["index_page", "open_gallery", "put", "put_figure"]


def open_gallery(path: Path) -> RunDirectory:
    """Make the folder of a gallery.

    Raises:
        RunDirectoryError: it cannot be written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error.strerror or str(error)) from None
    # figures are seconds of work: find out before it
    if not os.access(path, os.W_OK | os.X_OK):
        raise _unwritable(path, "permission denied")
    return RunDirectory(path)


def _unwritable(path: Path, why: str) -> RunDirectoryError:
    return RunDirectoryError(f"out: cannot write to {path}: {why}")


def put(folder: RunDirectory, name: str, content: bytes | Callable[[Path], None]) -> str:
    """Write one whole file and return its name.

    Raises:
        RunDirectoryError: the folder cannot be written.
    """
    try:
        folder.write(name, content)
    except OSError as error:
        raise _unwritable(folder.path, error.strerror or str(error)) from None
    return name


def put_figure(
    folder: RunDirectory, name: str, data: xr.Dataset, picture: Figure, page: str
) -> list[str]:
    """Write name.nc, name.png, name.svg and name.md; return the names."""
    packed = {
        str(key): {"zlib": True, "complevel": 4}
        for key, values in data.data_vars.items()
        if values.dtype.kind == "f" and values.size > 1000
    }
    try:
        folder.write_dataset(f"{name}.nc", data, packed)
    except OSError as error:
        raise _unwritable(folder.path, error.strerror or str(error)) from None
    files = [
        f"{name}.nc",
        put(folder, f"{name}.png", lambda path: save_figure(picture, path)),
    ]
    # laid out by now: doing it again would take as long as drawing
    picture.set_layout_engine("none")
    files.append(put(folder, f"{name}.svg", lambda path: save_figure(picture, path)))
    return [*files, put(folder, f"{name}.md", page.encode())]


def index_page(title: str, about: str, entries: Sequence[tuple[str, str, str]]) -> str:
    """Write a page of pictures: (file name, title, paragraph) of each, linked to its own page."""
    parts = [f"# {title}", about]
    for name, heading, paragraph in entries:
        parts += [
            f"## {heading}",
            f"[![{heading}]({name}.png)]({name}.md)",
            f"{paragraph} [More]({name}.md).",
        ]
    return "\n\n".join(parts) + "\n"
