"""The command line: ``qbrain``. It parses, calls, prints; the work is done elsewhere.

Exit codes: 0 done, 2 bad input, 3 dispatch refused by the validation gate, 4 device or network.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from .engine.config import load_config
from .errors import (
    EXIT_BAD_INPUT,
    EXIT_DEVICE,
    EXIT_REFUSED,
    ConfigError,
    DeviceError,
    RunDirectoryError,
)
from .options import with_options
from .sweep.plan import LMGSweep
from .systems import SYSTEMS, System
from .systems import resume as resume_run

__all__ = ["app", "main", "run_command"]

EXIT_INTERRUPTED = 130

app = typer.Typer(
    name="qbrain",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Quantum neurons under classical feedback.",
)
run_app = typer.Typer(no_args_is_help=True, help="Run an experiment.")
estimate_app = typer.Typer(no_args_is_help=True, help="What a run would cost, before it.")
app.add_typer(run_app, name="run")
app.add_typer(estimate_app, name="estimate")
figures_app = typer.Typer(no_args_is_help=True, help="Every figure of a paper, data and picture.")
app.add_typer(figures_app, name="figures")
sweep_app = typer.Typer(
    no_args_is_help=True, help="An experiment at every combination of settings."
)
app.add_typer(sweep_app, name="sweep")

Json = Annotated[bool, typer.Option("--json", help="print one JSON object on stdout")]
RunFolder = Annotated[
    Path | None, typer.Option("--out", help="folder of the run (default: a new one under runs)")
]
Config = Annotated[
    Path | None, typer.Option("--config", help="TOML file; options on the command line win")
]


def _show(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(result))
        return
    from rich.console import Console
    from rich.table import Table

    from .report.tables import cell, print_rows

    table = Table(show_header=False, box=None, pad_edge=False)
    for key, value in result.items():
        if not isinstance(value, list):
            table.add_row(key.replace("_", " "), cell(value))
    Console(soft_wrap=True).print(table)
    if result.get("mitigations"):
        rows = result["mitigations"]
        print()
        print_rows(rows, list(rows[0]))
    if result.get("controls"):
        from .qlif.measures import SHOWN as KINDS_SHOWN

        print()
        print_rows(result["controls"], KINDS_SHOWN)
    if result.get("sources"):
        from .spiqgan.result import SHOWN

        print()
        print_rows(result["sources"], SHOWN)


def _runner(system: System) -> Callable[..., None]:
    """The body of ``run SYSTEM``."""

    def body(
        overrides: dict[str, Any],
        *,
        config: Config = None,
        out: RunFolder = None,
        json_: Json = False,
    ) -> None:
        _show(system.start(load_config(system.config, config, overrides), out), json_)

    body.__doc__ = system.about
    return body


def _estimator(system: System) -> Callable[..., None]:
    """The body of ``estimate SYSTEM``."""

    def body(
        overrides: dict[str, Any],
        *,
        config: Config = None,
        json_: Json = False,
    ) -> None:
        _show(system.estimate(load_config(system.config, config, overrides)), json_)

    body.__doc__ = (
        f"Circuits, depth, two-qubit gates, expected fidelity and QPU time of {system.costs}."
    )
    return body


def _sweep_lmg(
    overrides: dict[str, Any],
    *,
    over: Annotated[
        list[str] | None,
        typer.Option(
            "--over",
            metavar="NAME=VALUES",
            help="an option of run lmg and its values, a,b,c or start:stop:count; once a name",
        ),
    ] = None,
    config: Config = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="folder of the sweep (default: a new one under runs)"),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            "--scheduler",
            metavar="ADDRESS",
            help="Dask cluster, such as tcp://host:8786 (default: the processors here)",
        ),
    ] = None,
    json_: Json = False,
) -> None:
    """The LMG quantum brain at every combination of some settings, as one dataset.

    Every point is the exact trajectory unless --backend is given.

    With --out on the folder of an interrupted sweep, that one goes on.
    """
    names = {text.partition("=")[0].strip().replace("-", "_") for text in over or []}
    for name in sorted(names & set(overrides)):
        raise ConfigError(f"{name}: wanted it swept or given once, got both")
    settings = load_config(LMGSweep, config, overrides)
    from .sweep import run as sweep

    _show_sweep(sweep.start(settings, over or [], out, scheduler), json_)


def _show_sweep(result: dict[str, Any], as_json: bool) -> None:
    _show(result, as_json)
    if result["failed"]:
        first = result["failures"][0]
        print(
            f"qbrain: {result['failed']} of {result['points']} points failed; "
            f"{first['point']}: {first['why']}; all are named in {result['sweep_dir']}/result.json",
            file=sys.stderr,
        )


for _name, _system in SYSTEMS.items():
    run_app.command(_name)(with_options(_system.config, _runner(_system)))
    estimate_app.command(_name)(with_options(_system.config, _estimator(_system)))
sweep_app.command("lmg")(with_options(LMGSweep, _sweep_lmg))


@run_app.callback()
def _run_group() -> None:
    """Run an experiment."""


@estimate_app.callback()
def _estimate_group() -> None:
    """What a run would cost, before it."""


@sweep_app.callback()
def _sweep_group() -> None:
    """Every combination of some settings."""


@figures_app.callback()
def _figures_group() -> None:
    """Every figure of a paper, data and picture."""


def _make_gallery(
    package: str,
    only: list[str] | None,
    out: Path | None,
    as_json: bool,
    maker: str = "make_figures",
) -> None:
    produce = import_module(f"qbrain.experiments.{package}.produce")
    result = getattr(produce, maker)(out, only or ())
    if as_json:
        print(json.dumps(result))
    else:
        produce.print_result(result)


@figures_app.command("lmg")
def figures_lmg(
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="FIGURE", help="this figure only (1 to 9; may be repeated)"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="folder (default: runs/figures-lmg)")
    ] = None,
    json_: Json = False,
) -> None:
    """Figures 1 to 9 of the LMG paper, its claims measured, the reference figures recomputed."""
    _make_gallery("lmg.paper", only, out, json_)


@figures_app.command("lmg-beyond")
def figures_lmg_beyond(
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="STUDY", help="this study only (may be repeated)"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="folder (default: runs/figures-lmg-beyond)")
    ] = None,
    json_: Json = False,
) -> None:
    """What the LMG paper leaves open: stimuli, single shots, decoherence, two brains and more."""
    _make_gallery("lmg.beyond", only, out, json_, maker="make_studies")


@figures_app.command("hodgkin-huxley")
def figures_hodgkin_huxley(
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="FIGURE",
            help="this one only (3, 7 to 14, table-1, headline or circuits; may be repeated)",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="folder (default: runs/figures-hodgkin-huxley)")
    ] = None,
    json_: Json = False,
) -> None:
    """The quantized Hodgkin-Huxley paper: its figures, Table I, its claims measured, and more."""
    _make_gallery("hodgkin_huxley.paper", only, out, json_)


@figures_app.command("open-system")
def figures_open_system(
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="FIGURE",
            help="this figure only (2 to 6, cutoff, exact, negative, collisions, homeostasis; "
            "may be repeated)",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="folder (default: runs/figures-open-system)")
    ] = None,
    json_: Json = False,
) -> None:
    """Figures 2 to 6 of the open nervous system, right and as printed, and what lies beyond."""
    _make_gallery("open_system.paper", only, out, json_)


@figures_app.command("qlif")
def figures_qlif(
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="STUDY", help="this study only (may be repeated)"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="folder (default: runs/figures-qlif)")
    ] = None,
    json_: Json = False,
) -> None:
    """What the draft on entangled neurons leaves blank, measured beside controls."""
    _make_gallery("qlif.paper", only, out, json_)


@app.command()
def backends(json_: Json = False) -> None:
    """List what can be run on here, and what each needs."""
    from .engine.costs import backend_table

    rows = backend_table()
    if json_:
        print(json.dumps({"backends": rows}))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in rows[0]:
        table.add_column(column)
    for row in rows:
        table.add_row(*(str(x) for x in row.values()))
    Console(width=max(100, Console().width)).print(table)


@app.command()
def resume(
    directory: Annotated[Path, typer.Argument(help="the run's folder, or the sweep's")],
    json_: Json = False,
) -> None:
    """Go on with an interrupted run or sweep."""
    if (directory / "sweep.toml").exists():
        from .sweep import run as sweep

        _show_sweep(sweep.resume(directory), json_)
        return
    _show(resume_run(directory), json_)


@app.command()
def jobs(json_: Json = False) -> None:
    """The ledger: every job ever submitted to a device, its state, its run."""
    from qbrain.backends.ledger import Ledger

    rows = [record.to_dict() for record in Ledger().jobs()]
    if json_:
        print(json.dumps({"jobs": rows}))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    names = ("job", "state", "backend", "step", "shots", "usage", "created", "directory")
    for name in names:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*("–" if row[name] is None else str(row[name]) for name in names))
    Console(width=max(140, Console().width)).print(table)


@app.command()
def cancel(
    job: Annotated[str, typer.Argument(help="the job's id, as qbrain jobs shows it")],
) -> None:
    """Cancel a job that has been submitted."""
    from qbrain.backends.ibm_service import cancel_job

    cancel_job(job)
    print(f"cancelled {job}")


@app.command()
def compare(
    directories: Annotated[list[Path], typer.Argument(help="finished runs")],
    json_: Json = False,
) -> None:
    """Hold runs against the exact result and against each other."""
    from .compare import compare_runs, print_table

    rows = compare_runs(directories)
    if json_:
        print(json.dumps({"runs": rows}))
    else:
        print_table(rows)


def _fail(error: Exception, code: int) -> int:
    message = " ".join(str(error).split()) or type(error).__name__
    print(f"qbrain: {message}", file=sys.stderr)
    return code


def main(arguments: list[str] | None = None) -> None:
    """Entry point. Never a traceback for a user's mistake."""
    sys.exit(run_command(arguments))


def run_command(arguments: list[str] | None = None) -> int:
    """Do what the arguments say and return the exit code."""
    command = typer.main.get_command(app)
    try:
        code = command.main(arguments, prog_name="qbrain", standalone_mode=False)
        if code == EXIT_INTERRUPTED:
            raise KeyboardInterrupt  # which typer has turned into the code
        return code if isinstance(code, int) else 0
    except typer.Exit as stop:
        return stop.exit_code
    except typer.TyperException as error:
        return _fail(Exception(error.format_message() or "see qbrain --help"), EXIT_BAD_INPUT)
    except (KeyboardInterrupt, typer.Abort):
        print("qbrain: interrupted; go on with: qbrain resume DIR", file=sys.stderr)
        return EXIT_INTERRUPTED
    except (ConfigError, RunDirectoryError) as error:
        return _fail(error, EXIT_BAD_INPUT)
    except DeviceError as error:
        return _fail(error, EXIT_DEVICE)
    except Exception as error:  # the rooms' own errors, told apart without importing qiskit above
        from .faults import exit_code

        code = exit_code(error)
        if code is None:
            raise
        return _fail(error, EXIT_REFUSED if code == EXIT_REFUSED else code)


if __name__ == "__main__":
    main()
