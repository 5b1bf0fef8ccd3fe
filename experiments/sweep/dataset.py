"""The points of a sweep as one dataset with the swept names as dimensions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from ..lmg.config import LMGConfig
from .journal import Outcome
from .plan import Plan

__all__ = ["sweep_dataset"]

_TIME = "1/coupling"
_UNITS = {
    **dict.fromkeys(("tau_r", "tau_f", "time", "phase", "sample_time"), _TIME),
    **dict.fromkeys(("g0", "field"), "coupling"),
}
_LONG_NAMES = {
    "excitation": "fraction of active neurons E",
    "excitation_stderr": "standard error of E, with what the feedback passes on",
    "exact_excitation": "E of the exact result",
    "r": "synaptic efficacy r",
    "U": "release probability U",
    "phase": "integral of r over time",
    "mean_excitation": "mean of E over the reported times",
    "variance_excitation": "variance of E over the reported times",
    "least_r": "least r at the reported times",
    "rmse_excitation": "root-mean-square error of E against the exact result",
    "rmse_excitation_raw": "the same without mitigation",
    "max_error_excitation": "largest error of E",
    "rmse_r": "root-mean-square error of r",
    "population_fidelity": "Hellinger fidelity of the populations, mean over time",
    "kept_fraction": "fraction of shots kept",
    "shot_error": "root-mean-square standard error of E from shots alone",
    "trotter_error": "root-mean-square Trotter error of E",
    "step_error": "root-mean-square error of E from the finite feedback step",
    "two_qubit_gates": "two-qubit gates of the largest circuit",
    "depth": "depth of the deepest circuit",
    "circuits": "circuits run",
}
_DEVICE = {"execution_mode", "max_qpu_seconds", "twirling", "dynamical_decoupling"}
# settings that mean something without circuits
_MODEL = (
    *("backend", "neurons", "gamma", "g0", "field", "tau_r", "tau_f", "release", "initial"),
    *("time", "steps"),
)


def sweep_dataset(plan: Plan, outcomes: Mapping[str, Outcome]) -> xr.Dataset:
    """Every point's series and figures; nan where a point failed.

    Dimensions are the swept names in their order, then ``time``. Where points differ in their
    times (``time`` or ``steps`` is swept) the last dimension is ``sample``, with the times in
    ``sample_time``. ``status`` says ``done`` or why a point failed; ``run`` names the folder of
    a point's run of circuits.
    """
    names = tuple(plan.axes)
    own_times = bool({"time", "steps"} & set(names))
    last = "sample" if own_times else "time"
    length = 1 + max(_all(plan, "steps"))
    found = [outcomes[point.key] for point in plan.points]
    data = xr.Dataset(attrs=_attributes(plan))
    for name, values in plan.axes.items():
        attributes = {"long_name": LMGConfig.model_fields[name].description}
        data[name] = (name, np.array(values), {**attributes, **_units(name, values)})
    if own_times:
        data["sample_time"] = _sample_times(plan, length)
    else:
        times = plan.fixed.time / plan.fixed.steps * np.arange(length)
        data["time"] = ("time", times, {"long_name": "time", "units": _TIME})
    for name in _present(found, "series"):
        grid = np.full((len(found), length), np.nan)
        for row, outcome in zip(grid, found, strict=True):
            if name in outcome.series:
                row[: outcome.series[name].size] = outcome.series[name]
        data[name] = ((*names, last), grid.reshape(*plan.shape, length), _described(name))
    for name in _present(found, "figures"):
        if name in plan.axes:
            continue
        numbers = [outcome.figures.get(name) for outcome in found]
        column = np.array([np.nan if x is None else x for x in numbers], dtype=float)
        data[name] = (names, column.reshape(plan.shape), _described(name))
    status = np.array([outcome.status for outcome in found])
    data["status"] = (names, status.reshape(plan.shape), {"long_name": "done, or why not"})
    if not plan.exact:
        folders = np.array([f"points/{point.number:05d}" for point in plan.points])
        text = {"long_name": "folder of the run, beside this file"}
        data["run"] = (names, folders.reshape(plan.shape), text)
    return data


def _all(plan: Plan, name: str) -> tuple[Any, ...]:
    """Every value that a setting takes."""
    return plan.axes.get(name, (getattr(plan.fixed, name),))


def _present(found: list[Outcome], what: str) -> list[str]:
    """Names of series or figures that any point has, in the order of the first that has them."""
    return list(dict.fromkeys(name for each in found for name in getattr(each, what)))


def _units(name: str, values: tuple[Any, ...]) -> dict[str, str]:
    return {} if isinstance(values[0], str | bool) else {"units": _UNITS.get(name, "1")}


def _described(name: str) -> dict[str, str]:
    return {"long_name": _LONG_NAMES.get(name, name), "units": _UNITS.get(name, "1")}


def _sample_times(plan: Plan, length: int) -> xr.Variable:
    """t of each sample, shape (time and steps as far as swept, sample); nan past the last."""
    names = [name for name in plan.axes if name in ("time", "steps")]
    shape = [len(plan.axes[name]) for name in names]
    times = np.full((*shape, length), np.nan)
    for index in np.ndindex(*shape):
        chosen = {name: plan.axes[name][k] for name, k in zip(names, index, strict=True)}
        end = chosen.get("time", plan.fixed.time)
        steps = int(chosen.get("steps", plan.fixed.steps))
        times[index][: steps + 1] = float(end) / steps * np.arange(steps + 1)
    return xr.Variable((*names, "sample"), times, {"long_name": "time", "units": _TIME})


def _attributes(plan: Plan) -> dict[str, Any]:
    settings = plan.fixed.model_dump(exclude_none=True, exclude=_DEVICE | set(plan.axes))
    if plan.exact:
        settings = {name: settings[name] for name in _MODEL if name in settings}
    return {
        "title": "LMG quantum brain: a sweep",
        # netCDF knows no booleans
        **{k: int(v) if isinstance(v, bool) else v for k, v in settings.items()},
    }
