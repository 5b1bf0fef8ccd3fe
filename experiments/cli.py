"""The command line: ``qbrain``. It parses, calls, prints; the work is done elsewhere.

Exit codes: 0 done, 2 bad input, 3 dispatch refused by the validation gate, 4 device or network.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from qbrain.experiments.config import LMGConfig, load_config
from qbrain.experiments.errors import (
    EXIT_BAD_INPUT,
    EXIT_DEVICE,
    EXIT_REFUSED,
    ConfigError,
    DeviceError,
    RunDirectoryError,
)
from qbrain.experiments.options import with_options

__all__ = ["app", "main", "run_command"]

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

Json = Annotated[bool, typer.Option("--json", help="print one JSON object on stdout")]
Config = Annotated[
    Path | None, typer.Option("--config", help="TOML file; options on the command line win")
]


def _show(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(result))
        return
    from rich.console import Console
    from rich.table import Table

    from qbrain.experiments.tables import cell, print_rows

    table = Table(show_header=False, box=None, pad_edge=False)
    for key, value in result.items():
        if not isinstance(value, list):
            table.add_row(key.replace("_", " "), cell(value))
    Console(soft_wrap=True).print(table)
    rows = result.get("mitigations")
    if rows:
        print()
        print_rows(rows, list(rows[0]))


def _run_lmg(
    overrides: dict[str, Any],
    *,
    config: Config = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="folder of the run (default: a new one under runs)")
    ] = None,
    json_: Json = False,
) -> None:
    """The LMG quantum brain under synaptic feedback."""
    settings = load_config(LMGConfig, config, overrides)
    from qbrain.experiments import lmg

    _show(lmg.start(settings, out), json_)


def _estimate_lmg(
    overrides: dict[str, Any],
    *,
    config: Config = None,
    json_: Json = False,
) -> None:
    """Circuits, depth, two-qubit gates, expected fidelity and QPU time of an LMG run."""
    settings = load_config(LMGConfig, config, overrides)
    from qbrain.experiments.estimate import estimate_lmg

    _show(estimate_lmg(settings), json_)


run_app.command("lmg")(with_options(LMGConfig, _run_lmg))
estimate_app.command("lmg")(with_options(LMGConfig, _estimate_lmg))


@run_app.callback()
def _run_group() -> None:
    """Run an experiment."""


@estimate_app.callback()
def _estimate_group() -> None:
    """What a run would cost, before it."""


@app.command()
def backends(json_: Json = False) -> None:
    """List what can be run on here, and what each needs."""
    from qbrain.experiments.estimate import backend_table

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
    directory: Annotated[Path, typer.Argument(help="the run's folder")],
    json_: Json = False,
) -> None:
    """Go on with an interrupted run."""
    from qbrain.experiments import lmg

    _show(lmg.resume(directory), json_)


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
    from qbrain.experiments.compare import compare_runs, print_table

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
        return code if isinstance(code, int) else 0
    except typer.Exit as stop:
        return stop.exit_code
    except typer.TyperException as error:
        return _fail(Exception(error.format_message() or "see qbrain --help"), EXIT_BAD_INPUT)
    except (KeyboardInterrupt, typer.Abort):
        print("qbrain: interrupted; go on with: qbrain resume DIR", file=sys.stderr)
        return 130
    except (ConfigError, RunDirectoryError) as error:
        return _fail(error, EXIT_BAD_INPUT)
    except DeviceError as error:
        return _fail(error, EXIT_DEVICE)
    except Exception as error:  # the rooms' own errors, told apart without importing qiskit above
        from qbrain.experiments.faults import exit_code

        code = exit_code(error)
        if code is None:
            raise
        return _fail(error, EXIT_REFUSED if code == EXIT_REFUSED else code)


if __name__ == "__main__":
    main()
