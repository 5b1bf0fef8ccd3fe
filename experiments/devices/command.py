"""``qbrain figures device-check``: counts of a device against its snapshot, into a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["add_device_check", "make_device_check"]


def make_device_check(
    counts: Path,
    predict: Path | None = None,
    *,
    snapshot: str | None = None,
    seed: int = 0,
    compare: bool = False,
    out: Path | None = None,
) -> dict[str, Any]:
    """Check a device and write JSON, picture and page; return the JSON object of the command.

    Arguments are those of :func:`qbrain.experiments.devices.device_check.check_device`, and
    ``out``, the folder (``runs/figures-device-check`` if not given).

    Raises:
        ConfigError: bad counts or options.
        RunDirectoryError: the folder cannot be written.
    """
    from ..papers.folder import open_gallery, put
    from ..report.figure import save_figure
    from .device_check import check_device
    from .page import check_page
    from .picture import draw_check

    folder = open_gallery(Path("runs") / "figures-device-check" if out is None else out)
    record = check_device(counts, predict, snapshot=snapshot, seed=seed, compare=compare)
    record |= {"out": str(folder.path)}
    put(folder, "device-check.json", json.dumps(record, indent=1).encode())
    picture = draw_check(record)
    for suffix in ("png", "svg"):
        put(folder, f"device-check.{suffix}", lambda path: save_figure(picture, path))
    put(folder, "device-check.md", check_page(record).encode())
    return record


def add_device_check(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(
        "device-check",
        help="Counts that a real device measured against its snapshot: what a noise model fitted "
        "to some circuits predicts of others.",
    )
    def body(
        counts: Annotated[Path, typer.Option(help="file of counts (see docs/device-check.md)")],
        predict: Annotated[
            Path | None, typer.Option(help="counts to predict; none of them is fitted")
        ] = None,
        snapshot: Annotated[
            str | None, typer.Option(help="fake_<device> (default: the device's own)")
        ] = None,
        seed: Annotated[int, typer.Option(min=0, help="of the split and of all draws")] = 0,
        compare: Annotated[
            bool, typer.Option("--compare", help="fit other sets of numbers too (minutes)")
        ] = False,
        out: Annotated[
            Path | None, typer.Option(help="folder (default: runs/figures-device-check)")
        ] = None,
        json_: Annotated[
            bool, typer.Option("--json", help="print one JSON object on stdout")
        ] = False,
    ) -> None:
        record = make_device_check(
            counts, predict, snapshot=snapshot, seed=seed, compare=compare, out=out
        )
        if json_:
            print(json.dumps(record))
            return
        _print(record)


def _print(record: dict[str, Any]) -> None:
    from ..report.tables import print_rows

    print(f"{record['backend']}\n")
    print_rows(
        [
            {"number": name, "value": row["value"], "low": row["interval"][0],
             "high": row["interval"][1], "meaning": row["means"]}
            for name, row in record["fitted"].items()
        ],
        ["number", "value", "low", "high", "meaning"],
    )  # fmt: skip
    print()
    print_rows(
        [
            {"classes": row["used"], "qubits": row["neurons"], "number": row["classes"]}
            | {form: row[f"tvd_{form}_mean"] for form in ("ideal", "snapshot", "waiting", "model")}
            for row in record["prediction"]
        ],
        ["classes", "qubits", "number", "ideal", "snapshot", "waiting", "model"],
    )
    print()
    for sentence in record["verdicts"]:
        print(f"- {sentence}")
    print(f"\n{record['out']}: {record['wall_seconds']:.1f} s")
