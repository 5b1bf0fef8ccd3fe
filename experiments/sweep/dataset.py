"""The points of a sweep as one dataset with the swept names as dimensions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..engine.config import group_of
from .journal import DONE, PointOutcome
from .plan import SweepPlan, Value
from .work import is_series, mean_name, shown_in

__all__ = ["folder_of", "sweep_dataset"]

Array = NDArray[np.float64]
Attributes = dict[str, Any]
# settings of the duration and the number of times, where a system has them
_CLOCK = ("time", "steps")
_OF_FIT = {
    "rmse": "root-mean-square error of {}",
    "rmse_raw": "root-mean-square error of {}, without mitigation",
    "max_error": "largest error of {}",
    "shot_error": "root-mean-square error of {} that shots alone give",
    "coverage": "part of the points whose 95 % band holds the exact {}",
}


def folder_of(number: int) -> str:
    """Where the run of a point is, beside sweep.nc."""
    return f"points/{number:05d}"


def sweep_dataset(
    plan: SweepPlan, outcomes: Mapping[str, PointOutcome], folder: Path
) -> xr.Dataset:
    """Every point's series and metrics; nan where a point failed.

    Dimensions are the swept names in their order, then ``time`` for series. Where points differ in
    their times the last dimension is ``sample``, with the times in ``sample_time``. ``status`` says
    ``done`` or why a point failed; ``run`` names the folder of a point's run. The first series and
    the first metric are those that :func:`~qbrain.experiments.sweep.figure.sweep_figure` shows.

    Args:
        plan: the sweep.
        outcomes: of every point, by key.
        folder: of the sweep; units and names of variables are those of its first finished run.
    """
    names = tuple(plan.axes)
    found = [outcomes[point.key] for point in plan.points]
    shown = shown_in(plan.system.points, _present(found, "series"))
    words = _Words(plan, found, folder, shown)
    data = xr.Dataset(attrs=_attributes(plan))
    for name, values in plan.axes.items():
        description = {"long_name": type(plan.fixed).model_fields[name].description or name}
        data[name] = (name, np.array(values), {**description, **words.unit_of(name, values)})
    _add_series(data, plan, found, words)
    _add_metrics(data, plan, found, words)
    status = np.array([outcome.status for outcome in found])
    data["status"] = (names, status.reshape(plan.shape), {"long_name": "done, or why not"})
    if not plan.trajectories:
        folders = np.array([folder_of(point.number) for point in plan.points])
        text = {"long_name": "folder of the run, beside this file"}
        data["run"] = (names, folders.reshape(plan.shape), text)
    return data


def _present(found: Sequence[PointOutcome], what: str) -> list[str]:
    """Names of series or metrics that any point has, in the order of the first that has them."""
    names = dict.fromkeys(name for each in found for name in getattr(each, what))
    return [name for name in names if name != "time"]


def _add_series(
    data: xr.Dataset, plan: SweepPlan, found: Sequence[PointOutcome], words: _Words
) -> None:
    series = _shown_first(plan, words.shown, _present(found, "series"))
    if not series:
        return
    times = [outcome.series.get("time") for outcome in found]
    known = [each for each in times if each is not None]
    length = max(each.size for each in known)
    alike = all(np.array_equal(each, known[0]) for each in known)
    if alike and not set(_CLOCK) & set(plan.axes):
        last = "time"
        data["time"] = (last, known[0], {"long_name": "time", **words.unit_of("time")})
    else:
        last = "sample"
        grid = np.stack([_padded(each, length) for each in times]).reshape(*plan.shape, length)
        attributes = {"long_name": "time", **words.unit_of("time")}
        data["sample_time"] = (*_own_times(plan, grid), attributes)
    for name in series:
        rows = np.stack([_padded(outcome.series.get(name), length) for outcome in found])
        grid = rows.reshape(*plan.shape, length)
        data[_free(data, name)] = ((*plan.axes, last), grid, words.of(name))


def _free(data: xr.Dataset, name: str) -> str:
    """The name, or another: a run may call a series, one number of it and a setting alike."""
    return f"{name}_of_run" if name in {*data.variables, "status", "run"} else name


def _padded(values: Array | None, length: int) -> Array:
    row = np.full(length, np.nan)
    if values is not None:
        row[: values.size] = values
    return row


def _own_times(plan: SweepPlan, grid: Array) -> tuple[tuple[str, ...], Array]:
    """Dimensions and times of the samples: along the swept duration and steps, where these say all.

    Args:
        plan: the sweep.
        grid: (swept names…, samples), nan past a point's last and where it failed.
    """
    others = tuple(k for k, name in enumerate(plan.axes) if name not in _CLOCK)
    # a point that failed has no times; those of the others hold for it
    common = np.fmax.reduce(grid, axis=others, keepdims=True)
    failed = np.isnan(grid).all(axis=-1, keepdims=True)
    filled = np.where(failed, common, grid)
    if np.array_equal(filled, np.broadcast_to(common, grid.shape), equal_nan=True):
        clock = (name for name in plan.axes if name in _CLOCK)
        return (*clock, "sample"), common.squeeze(axis=others)
    return (*plan.axes, "sample"), grid


def _add_metrics(
    data: xr.Dataset, plan: SweepPlan, found: Sequence[PointOutcome], words: _Words
) -> None:
    columns: dict[str, Array] = {}
    for name in _present(found, "metrics"):
        numbers = [outcome.metrics.get(name) for outcome in found]
        if name not in plan.axes and any(x is not None for x in numbers):
            columns[name] = np.array([np.nan if x is None else x for x in numbers], dtype=float)
    for name in _shown_first(plan, words.shown, list(columns)):
        column = columns[name]
        variable = (tuple(plan.axes), column.reshape(plan.shape), words.of(name))
        name = _free(data, name)
        if name == "seed" and not plan.system.points.metrics:
            data.coords[name] = variable
        else:
            data[name] = variable


class _Words:
    """Long names and units: of the system's record, else of its first finished run."""

    def __init__(
        self, plan: SweepPlan, found: Sequence[PointOutcome], folder: Path, shown: str
    ) -> None:
        self._record = plan.system.points
        self.shown = shown
        self._attributes: dict[str, Attributes] = {}
        self._observable = "the observable"
        done = [p.number for p, x in zip(plan.points, found, strict=True) if x.status == DONE]
        if done and not plan.trajectories:
            self._read(folder / folder_of(done[0]))

    def _read(self, run: Path) -> None:
        with xr.open_dataset(run / "result.nc", engine="h5netcdf") as data:
            kept = {name: data[name] for name in data.variables}
            self._attributes = {
                str(name): dict(variable.attrs)
                for name, variable in kept.items()
                if is_series(variable)
            }
        result = json.loads((run / "result.json").read_text(encoding="utf-8"))
        # what stands behind the comma is its unit
        self._observable = str(result["fit"]["observable"]).partition(",")[0]

    def of(self, name: str) -> Attributes:
        """Long name and, where it is known, unit of a series or a metric."""
        return {"long_name": self._long_name(name), **self.unit_of(name)}

    def unit_of(self, name: str, values: Sequence[Value] = ()) -> Attributes:
        """The unit of a series, a metric, or a setting with these values."""
        if values and isinstance(values[0], str | bool):
            return {}
        own = None if values else self._attributes.get(self._source(name), {}).get("units")
        unit = self._record.units.get(name, own)
        unit = self._record.other_unit if unit is None else unit
        return {} if unit is None else {"units": unit}

    def _source(self, name: str) -> str:
        """The variable of a run whose unit a metric has."""
        shown = self.shown
        of_shown = name.startswith("fit_") and name != "fit_coverage"
        return shown if of_shown or name == mean_name(shown) else name

    def _long_name(self, name: str) -> str:
        shown = self.shown
        if name in self._record.long_names:
            return self._record.long_names[name]
        if name.startswith("fit_"):
            return _OF_FIT.get(name.removeprefix("fit_"), name).format(self._observable)
        if shown and name == mean_name(shown):
            return f"mean of {self._named(shown)} over the reported times"
        return self._named(name)

    def _named(self, name: str) -> str:
        observable = name == self.shown and name in self._attributes
        plain = self._observable if observable else name.replace("_", " ")
        return str(self._attributes.get(name, {}).get("long_name", plain))


def _attributes(plan: SweepPlan) -> Attributes:
    kept = [name for name in type(plan.fixed).model_fields if _kept(plan, name)]
    settings = plan.fixed.model_dump(exclude_none=True, include=set(kept))
    # netCDF knows no truth values
    scalars = {
        name: int(value) if isinstance(value, bool) else value
        for name, value in settings.items()
        if isinstance(value, str | int | float)
    }
    return {"title": plan.system.points.title or f"{plan.system.name}: a sweep", **scalars}


def _kept(plan: SweepPlan, name: str) -> bool:
    """Whether a setting that stays means something to the points."""
    group = group_of(type(plan.fixed), name)
    if name in plan.axes or group == "device":
        return False
    uses = () if plan.trajectories else type(plan.fixed).exact_uses
    return not plan.exact or name == "backend" or group != "circuits" or name in uses


def _shown_first(plan: SweepPlan, shown: str, names: Sequence[str]) -> list[str]:
    """Names in their order, but what the sweep's picture shows before all others."""
    wanted = [shown, mean_name(shown), "fit_rmse"]
    if not plan.exact:
        wanted.reverse()
    first = [name for name in wanted if name in names]
    return list(dict.fromkeys([*first, *names]))
