"""The command line: ``qbrain``. It parses, calls, prints; the work is done elsewhere.

Exit codes: 0 done, 2 bad input, 3 dispatch refused by the check before it, 4 device or network.
"""

from __future__ import annotations

import inspect
import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from .devices.command import add_device_check
from .ends import EXIT_INTERRUPTED, told
from .engine.config import load_config
from .engine.progress import tell, telling
from .engine.stopping import open_missing_streams, watch_signals
from .engine.system import System
from .errors import ConfigError
from .first_light.command import add_check, record_check
from .first_light.system import CHECK
from .options import with_options
from .papers.commands import add_commands
from .report.old_names import OLD_NAMES
from .report.tables import cell, print_rows
from .spikes.reading import RecordingWarning
from .spikes_command import spikes_app
from .sweep.plan import parse_over, sweep_config
from .systems import SYSTEMS

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
figures_app = typer.Typer(no_args_is_help=True, help="Every figure of a paper, data and picture.")
app.add_typer(figures_app, name="figures")
sweep_app = typer.Typer(
    no_args_is_help=True, help="An experiment at every combination of settings."
)
app.add_typer(sweep_app, name="sweep")
app.add_typer(spikes_app, name="spikes")

Json = Annotated[bool, typer.Option("--json", help="print one JSON object on stdout")]
RunFolder = Annotated[
    Path | None, typer.Option("--out", help="folder of the run (default: a new one under runs)")
]
Config = Annotated[
    Path | None, typer.Option("--config", help="TOML file; options on the command line win")
]
Over = Annotated[
    list[str] | None,
    typer.Option(
        "--over",
        metavar="NAME=VALUES",
        help="an option of the run and its values, a,b,c or start:stop:count; once a name",
    ),
]
SweepFolder = Annotated[
    Path | None, typer.Option("--out", help="folder of the sweep (default: a new one under runs)")
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        metavar="ADDRESS",
        help="Dask cluster, such as tcp://host:8786 (default: the processors here)",
    ),
]


def _show(result: dict[str, Any], as_json: bool) -> None:
    """The JSON object, or its numbers as a table and its lists of rows as tables below."""
    if as_json:
        print(json.dumps(result))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False, box=None, pad_edge=False)
    for key, value in result.items():
        if key in OLD_NAMES:
            continue
        if isinstance(value, dict):
            for name, each in value.items():
                table.add_row(f"{key.replace('_', ' ')}.{name}", cell(each))
        elif not isinstance(value, list):
            table.add_row(key.replace("_", " "), cell(value))
    Console(soft_wrap=True).print(table)
    for rows in result.values():
        if isinstance(rows, list) and rows and all(isinstance(row, dict) for row in rows):
            names = [k for k, v in rows[0].items() if not isinstance(v, dict | list)]
            print()
            hidden = OLD_NAMES if "rmse" in names else frozenset[str]()
            shown = [n for n in names if not n.endswith(("_low", "_high")) and n not in hidden]
            print_rows(rows, shown)


def _warned(warn: Callable[..., Any]) -> Callable[..., Any]:
    """Old names and odd recordings are told of on stderr, without a place in our code."""

    def warned(overrides: dict[str, Any], **own: Any) -> None:
        old_names: list[str] = []

        def tell(message: Any, category: type[Warning], *_: Any) -> None:
            if issubclass(category, RecordingWarning):
                print(f"qbrain: {message}", file=sys.stderr)
            elif issubclass(category, FutureWarning):
                # bad input has one line, which is not about names
                old_names.append(str(message))

        with warnings.catch_warnings():
            warnings.simplefilter("always", FutureWarning)
            warnings.simplefilter("always", RecordingWarning)
            warnings.showwarning = tell  # type: ignore[assignment]
            warn(overrides, **own)
        for text in old_names:
            print(f"qbrain: {text}", file=sys.stderr)

    warned.__doc__, warned.__name__ = warn.__doc__, warn.__name__
    warned.__signature__ = inspect.signature(warn, eval_str=True)  # type: ignore[attr-defined]
    return warned


def _runner(system: System[Any]) -> Callable[..., None]:
    """The body of ``run SYSTEM``."""

    def body(
        overrides: dict[str, Any],
        *,
        config: Config = None,
        out: RunFolder = None,
        json_: Json = False,
    ) -> None:
        from .engine.run import start

        _show(start(system, load_config(system.config, config, overrides), out).result, json_)

    body.__doc__ = system.about
    return body


def _estimator(system: System[Any]) -> Callable[..., None]:
    """The body of ``estimate SYSTEM``."""

    def body(
        overrides: dict[str, Any],
        *,
        config: Config = None,
        json_: Json = False,
    ) -> None:
        from .engine.run import estimate

        _show(estimate(system, load_config(system.config, config, overrides)), json_)

    body.__doc__ = (
        f"Circuits, depth, two-qubit gates, expected fidelity and QPU time of a {system.name} run."
    )
    return body


def _sweeper(system: System[Any]) -> Callable[..., None]:
    """The body of ``sweep SYSTEM``."""

    def body(
        overrides: dict[str, Any],
        *,
        over: Over = None,
        config: Config = None,
        out: SweepFolder = None,
        scheduler: Scheduler = None,
        json_: Json = False,
    ) -> None:
        from .sweep import run as sweep

        kind = sweep_config(system.config)
        swept = kind.current_names(dict(parse_over(over or [])))
        overrides = kind.current_names(overrides)
        sweep.refuse_both(swept, overrides)
        settings = load_config(kind, config, overrides)
        _show_sweep(sweep.start(system, settings, swept, out, scheduler), json_)

    body.__doc__ = (
        f"{system.about[:-1]}, at every combination of some settings, as one dataset and picture.\n"
        "\n"
        "Every point is on backend exact unless --backend is given or swept.\n"
        "\n"
        "With --out on the folder of an interrupted sweep, that one goes on."
    )
    return body


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
    run_app.command(_name)(with_options(_system.config, _warned(_runner(_system))))
    estimate_app.command(_name)(with_options(_system.config, _warned(_estimator(_system))))
    _swept = with_options(sweep_config(_system.config), _warned(_sweeper(_system)))
    sweep_app.command(_name)(_swept)


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


add_commands(figures_app)
add_device_check(figures_app)
add_check(app)


@app.command()
def backends(json_: Json = False) -> None:
    """List what can be run on here, and what each needs."""
    from .backend_table import backend_table

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
    resend: Annotated[
        int | None,
        typer.Option(
            "--resend",
            metavar="STEP",
            help="give up the job of this step and send it once more, at its cost",
        ),
    ] = None,
    max_qpu_seconds: Annotated[
        float | None,
        typer.Option(
            min=1e-3, help="quantum time of the whole run in s, in place of its own limit"
        ),
    ] = None,
    json_: Json = False,
) -> None:
    """Go on with an interrupted run or sweep."""
    if (directory / "sweep.toml").exists():
        from .sweep import run as sweep

        for option, given in (("resend", resend), ("max_qpu_seconds", max_qpu_seconds)):
            if given is not None:
                raise ConfigError(f"{option}: wanted the folder of a run, got that of a sweep")
        _show_sweep(sweep.resume(directory), json_)
        return
    from .resuming import resume as resume_run

    if resend is not None:
        from .resending import resend as send_again

        send_again(directory, resend, tell)
    run = resume_run(directory, max_qpu_seconds=max_qpu_seconds)
    _show(record_check(run) if run.system is CHECK else run.result, json_)


@app.command()
def collect(
    directory: Annotated[Path, typer.Argument(help="the run's folder")],
    json_: Json = False,
) -> None:
    """Fetch what is done of a run's jobs and stop; nothing is sent, nothing is waited for."""
    from .resending import collect_run

    _show(collect_run(directory), json_)


@app.command()
def jobs(
    refresh: Annotated[
        bool, typer.Option("--refresh", help="ask the service for states and usage first")
    ] = False,
    forget: Annotated[
        str | None,
        typer.Option("--forget", metavar="ID", help="give up a job: it is not waited for any more"),
    ] = None,
    json_: Json = False,
) -> None:
    """The ledger: every job ever submitted to a device, its state, its run.

    Where there is an account that answers soon, the newest jobs that have not ended are looked at
    again first.
    """
    from . import jobs as ledger

    if forget is not None:
        directory = ledger.forget(forget)
        print(f"forgot {forget}; its run sends it again with: qbrain resume {directory}")
        return
    if refresh:
        seen, changed = ledger.refresh(tell)
        print(f"qbrain: {seen} jobs looked at, {changed} with news", file=sys.stderr)
    else:
        ledger.look_again()
    ledger.print_jobs(json_)


@app.command()
def cancel(
    job: Annotated[str, typer.Argument(help="the job's id, as qbrain jobs shows it")],
) -> None:
    """Cancel a job that has been submitted."""
    from .jobs import cancel as cancel_job

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


def main(arguments: list[str] | None = None) -> None:
    """Entry point. Never a traceback for a user's mistake."""
    open_missing_streams()
    watch_signals()
    sys.exit(run_command(arguments))


def run_command(arguments: list[str] | None = None) -> int:
    """Do what the arguments say and return the exit code."""
    command = typer.main.get_command(app)
    try:
        with telling():
            code = command.main(arguments, prog_name="qbrain", standalone_mode=False)
        if code == EXIT_INTERRUPTED:
            raise KeyboardInterrupt  # which typer has turned into the code
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except BaseException as error:
        ended = told(error)
        if ended is None:
            raise
        return ended


if __name__ == "__main__":
    main()
