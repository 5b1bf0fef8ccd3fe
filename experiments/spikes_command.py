"""``qbrain spikes``: what a recording is understood to be, before anything is trained on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from .errors import ConfigError
from .options import with_options
from .spikes.config import MADE_HERE, RecordingConfig

__all__ = ["spikes_app"]

spikes_app = typer.Typer(no_args_is_help=True, help="Look at a recording of spikes.")

_OPTIONS = (
    "variable", "trials", "span", "intervals", "time_unit", "sampling_rate", "axes", "clip",
    "bin_s", "bin_ms", "neurons", "cells",
)  # fmt: skip
_MOST_ROWS = 30


@spikes_app.callback()
def _spikes_group() -> None:
    """Look at a recording of spikes."""


def _inspect(
    overrides: dict[str, Any],
    *,
    file: Annotated[str, typer.Argument(help="the recording, as --data of run spiqgan takes it")],
    out: Annotated[
        Path | None, typer.Option("--out", help="write a picture of the spikes here (.png)")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="print one JSON object on stdout")] = False,
) -> None:
    """What is understood of a recording: format, units, trials, rates, what is cut, suspicions."""
    from .spikes.example import recording_path
    from .spikes.files import read_recording
    from .spikes.inspection import cell_rows, raster_picture
    from .spikes.raster import choose_cells
    from .spikes.recording import recording_rows

    if file in MADE_HERE and not Path(file).exists():
        raise ConfigError(f"data: wanted a file or folder to inspect, got {file}, made when run")
    if out is not None and out.suffix.lower() != ".png":
        raise ConfigError(f"out: wanted a file named .png, got {out}")
    config = RecordingConfig.from_mapping({"data": file, **overrides})
    data = read_recording(recording_path(file), config.reading)
    assert data.recording is not None
    chosen = choose_cells(
        data, config.cell_list, config.neurons if config.given("neurons") else None
    ) if config.given("neurons", "cells") else data  # fmt: skip
    rows = cell_rows(chosen)
    if out is not None:
        from .report.figure import save_figure

        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            save_figure(raster_picture(chosen, data.recording.file), out)
        except OSError as error:
            raise ConfigError(f"out: cannot write {out}: {error.strerror or error}") from None
    if json_:
        picture = {} if out is None else {"picture": str(out)}
        print(json.dumps({**data.recording.to_dict(), "cell_rates": rows, **picture}))
        return
    _print(recording_rows(data.recording.to_dict()), rows, data.recording.file)
    if out is not None:
        print(f"\npicture {out}")


def _print(facts: list[tuple[str, str]], rows: list[dict[str, Any]], name: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from .report.tables import print_rows

    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_row("recording", Text(name))
    for fact, text in facts:
        table.add_row(fact, Text(text))
    Console(soft_wrap=True).print(table)
    print()
    highest = sorted(rows, key=lambda row: -row["spikes"])[:_MOST_ROWS]
    print_rows(highest, list(highest[0]))
    if len(rows) > len(highest):
        print(f"and {len(rows) - len(highest)} cells of lower rates (all of them with --json)")


spikes_app.command("inspect")(with_options(RecordingConfig, _inspect, _OPTIONS))


@spikes_app.command()
def example() -> None:
    """Print the path of the synthetic recording that comes along (`--data example`)."""
    from .spikes.example import EXAMPLE

    print(EXAMPLE)
