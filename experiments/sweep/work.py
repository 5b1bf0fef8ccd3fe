"""The points of a sweep, as a worker does them: a whole run each, or what is as good as one.

What a worker does not need is not imported: a sweep of LMG's trajectories loads no Qiskit.
"""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..engine.config import BaseConfig
from ..engine.system import PointRecord
from ..errors import EXIT_BAD_INPUT, EXIT_REFUSED, exit_code
from ..systems import find_system
from .journal import DONE, Array, PointOutcome

__all__ = ["PointJob", "do_points", "is_series", "mean_name", "sees", "shown_in"]

# a run writes files through libraries that keep state: one at a time in a process
_one_run = threading.Lock()

Trajectory = Callable[[BaseConfig], tuple[Mapping[str, Array], Mapping[str, float | None]]]


@dataclass(frozen=True)
class PointJob:
    """A point to do: key, system, configuration, and folder of its run ('': a trajectory)."""

    key: str
    system: str
    config: BaseConfig
    folder: str


def do_points(jobs: Sequence[PointJob]) -> tuple[list[PointOutcome], float]:
    """What came of every job, failures included, and the seconds it took."""
    began = time.perf_counter()
    return [_attempt(job) for job in jobs], time.perf_counter() - began


def sees(file: str) -> bool:
    """Whether this process can read the file: asked of workers that are to write beside it."""
    return Path(file).is_file()


def is_series(variable: xr.DataArray) -> bool:
    """Whether a variable of result.nc is one number a time."""
    return variable.dims == ("time",) and variable.dtype.kind in "fiu"


def mean_name(series: str) -> str:
    """The metric that is the mean of a series over time."""
    return f"mean_{series}"


def shown_in(record: PointRecord, series: Collection[str]) -> str:
    """What a picture of exact points shows: what the system says, else what has an exact answer."""
    return record.shown or next((x for x in series if f"exact_{x}" in series), "")


def _attempt(job: PointJob) -> PointOutcome:
    try:
        return _run(job) if job.folder else _trajectory(job)
    except Exception as error:  # no point may end the sweep; the status says what happened
        # a file that cannot be written may be written next time
        lasting = exit_code(error) in (EXIT_BAD_INPUT, EXIT_REFUSED)
        known = lasting and not isinstance(error, OSError)
        why = " ".join(str(error).split())
        return PointOutcome(
            job.key, why if known else f"{type(error).__name__}: {why}".rstrip(": "), final=known
        )


def _trajectory(job: PointJob) -> PointOutcome:
    """A point that needs no run."""
    named = find_system(job.system).points.trajectory
    assert named is not None
    module, _, name = named.partition(":")
    function: Trajectory = getattr(import_module(module), name)
    series, metrics = function(job.config)
    return PointOutcome(job.key, DONE, series, metrics)


def _run(job: PointJob) -> PointOutcome:
    """A run in its folder; one that a killed worker left behind goes on."""
    # Qiskit takes a second, and trajectories need none
    from ..engine.run import start
    from ..resuming import resume

    path, system = Path(job.folder), find_system(job.system)
    # the sweep has a progress bar of its own, and one picture for all
    with _one_run, redirect_stderr(io.StringIO()):
        begun = (path / "run.toml").exists()
        run = resume(path, draw=False) if begun else start(system, job.config, path, draw=False)
        data = xr.load_dataset(path / "result.nc", engine="h5netcdf")
    series = _series(system.points, data)
    return PointOutcome(
        job.key, DONE, series, _metrics(system.points, job.config, run.result, series)
    )


def _series(record: PointRecord, data: xr.Dataset) -> dict[str, Array]:
    names = record.series or [str(name) for name in data.data_vars if is_series(data[name])]
    found = {name: np.asarray(data[name].values, dtype=float) for name in names}
    return {**found, "time": np.asarray(data.time.values, dtype=float)} if found else {}


def _metrics(
    record: PointRecord,
    config: BaseConfig,
    result: Mapping[str, Any],
    series: Mapping[str, Array],
) -> dict[str, float | None]:
    if record.metrics:
        return {name: result[name] for name in record.metrics}
    fit = {f"fit_{name}": value for name, value in result["fit"].items()}
    every = {**fit, **{name: x for name, x in result.items() if _measured(name, config)}}
    found = {name: value for name, value in every.items() if _is_number(value)}
    shown = shown_in(record, series)
    if shown in series:
        found[mean_name(shown)] = float(series[shown].mean())
    return {**found, "seed": result["seed"]}


def _measured(name: str, config: BaseConfig) -> bool:
    """Whether a number of result.json is neither a setting nor read from a clock."""
    return name not in type(config).model_fields and not name.endswith("seconds")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
