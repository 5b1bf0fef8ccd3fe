"""``qbrain check``: a dozen small circuits on a backend, and what follows for its use."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ..engine.config import load_config
from ..errors import ConfigError, RunDirectoryError
from ..options import with_options
from .config import CheckConfig
from .system import CHECK

__all__ = ["add_check", "check_backend", "record_check"]


def check_backend(
    overrides: Mapping[str, Any], config: Path | None = None, out: Path | None = None
) -> dict[str, Any]:
    """Check a backend, or go on with the check in ``out``; return the JSON object.

    ``overrides``: fields of :class:`.config.CheckConfig`; ``config``: a TOML file with others.

    Raises:
        ConfigError: bad settings, or others than those of the check that is in ``out``.
        RunDirectoryError: a folder that holds something else, or cannot be written.
    """
    from ..engine.folder import RunDirectory
    from ..engine.run import resume, start

    settings = load_config(CheckConfig, config, overrides)
    if out is None or not (out / "run.toml").exists():
        return record_check(start(CHECK, settings, out))
    folder = RunDirectory.open(out)
    record = folder.record()
    if record["run"]["system"] != CHECK.name:
        raise RunDirectoryError(
            f"out: wanted a new folder or one of a check, got {out} of {record['run']['system']}"
        )
    begun = record["config"]
    for name in sorted(settings.model_fields_set):
        value = getattr(settings, name)
        if begun.get(name) != value:
            raise ConfigError(
                f"{name}: wanted {begun.get(name)!r}, with which the check in {out} was begun, "
                f"got {value!r}"
            )
    return record_check(resume(CHECK, folder))


def record_check(run: Any) -> dict[str, Any]:
    """Write check.json, and keep the check among those of other days; the JSON object.

    ``run``: a finished run of :data:`.system.CHECK`.
    """
    from ..engine.folder import RunDirectory
    from .history import keep

    folder = RunDirectory.open(run.folder)
    head = folder.record()["run"]
    result = {**run.result, "run": head["id"], "time": head["created"]}
    folder.write("check.json", (json.dumps(result, indent=1, allow_nan=False) + "\n").encode())
    keep(result)
    return result


def show_history(backend: str | None, as_json: bool) -> None:
    """Print the checks that were kept."""
    from ..report.tables import print_rows
    from .history import history_rows, in_words, kept

    rows = history_rows(kept(backend))
    if as_json:
        print(json.dumps({"checks": rows}))
        return
    if not rows:
        print("no check yet" + ("" if backend is None else f" of {backend}"))
        return
    shown = [{**row, "changed": [in_words(each) for each in row["changed"]]} for row in rows]
    print_rows(shown, ["time", "backend", "readout_error", "gates_factor", "mean_factor",
                       "changed", "verdict"])  # fmt: skip


def show(result: Mapping[str, Any]) -> None:
    """Print a check: its table, what is left out, numbers, verdict and recommendation."""
    from ..report.tables import print_rows

    print(f"{result['where']}; expected: {result['expectation']}\n")
    names = ["check", "error", "expected", "bound", "E", "E expected", "verdict"]
    print_rows(
        [
            dict(zip(names, (row["name"], row["error"], row["expected_error"], row["bound"],
                             row["excitation"], row["excitation_expected"], row["verdict"]),
                     strict=True))
            for row in result["checks"]
        ],
        names,
    )  # fmt: skip
    print()
    for each in result["left_out"]:
        print(f"Left out: {each}.")
    numbers = result["numbers"]
    print(f"Readout error {numbers['readout_error']:.4f} on average.", end="")
    if numbers["gates_factor"] is not None:
        print(
            f" Gates err {numbers['gates_factor']:.2f} ± {numbers['gates_factor_stderr']:.2f} "
            "times as much as calibrated.",
            end="",
        )
    print(f"\n{result['verdict']['sentence']}\n{result['recommendation']}")
    for row in result["recommendations"][:1]:
        print(f"  qbrain run lmg --backend {result['backend']} {row['command']}")
    print(f"{result['run_dir']}: {result['wall_seconds']:.1f} s")


def _body(
    overrides: dict[str, Any],
    *,
    config: Annotated[
        Path | None, typer.Option("--config", help="TOML file; options on the command line win")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="folder of the check (default: a new one under runs); one that was interrupted "
            "goes on",
        ),
    ] = None,
    history: Annotated[
        bool, typer.Option("--history", help="show the checks of other days, of --backend alone")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="print one JSON object on stdout")] = False,
) -> None:
    if history:
        others = sorted(set(overrides) - {"backend"}) + (["out"] if out is not None else [])
        others += ["config"] if config is not None else []
        if others:
            raise ConfigError(f"{others[0]}: would be ignored, since --history runs nothing")
        show_history(overrides.get("backend"), json_)
        return
    result = check_backend(overrides, config, out)
    if json_:
        print(json.dumps(result))
    else:
        show(result)


def add_check(app: typer.Typer) -> None:
    """Add the command."""
    body: Callable[..., None] = _body
    body.__doc__ = (
        "Check a backend: a dozen small circuits of known answer, and what it can do today.\n"
        "\n"
        "On a device one job of at most 10 seconds of quantum time. Interrupted, it goes on with "
        "--out on its folder."
    )
    app.command("check")(with_options(CheckConfig, body))
