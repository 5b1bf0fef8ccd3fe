"""Finished runs against the exact result and against each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from .engine.config import BaseConfig, group_of
from .engine.folder import RunDirectory
from .engine.system import System
from .errors import ConfigError, RunDirectoryError
from .report.tables import print_rows
from .systems import find_system

__all__ = ["compare_runs", "print_table"]

_SHOWN = (
    *("backend", "neurons", "qubits", "encoding", "evolution", "two_qubit_gates", "estimate"),
    *("rmse_excitation", "max_error_excitation", "hellinger_fidelity", "kept_fraction"),
    *("extra_shots", "rms_distance_to_first"),
)


def _result(path: Path) -> dict[str, Any]:
    result = RunDirectory.open(path).result()
    if result is None:
        raise RunDirectoryError(
            f"{path}: the run is not finished; go on with: qbrain resume {path}"
        )
    return result


def _data(path: Path) -> xr.Dataset:
    file = RunDirectory.open(path).finished_file("result.nc")
    try:
        return xr.load_dataset(file, engine="h5netcdf")
    except Exception as error:  # whatever the reader stumbles over, the file is not ours
        raise RunDirectoryError(f"{file}: not an intact result: {error}") from None


def compare_runs(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Runs of one system beside each other.

    One row a run; of a run whose circuits allow several mitigations, one row a mitigation
    (``estimate``), with its errors, the shots beyond the raw points and, where the system has a
    curve, the RMS distance from the first run's own over the times both cover. ``same_as_first``
    says whether the run is of the first one's model or data, without which errors are not to be
    held against each other.

    Raises:
        ConfigError: runs of different systems.
        RunDirectoryError: a folder without a finished, intact run.
    """
    records = [RunDirectory.open(path).record() for path in paths]
    systems = [str(record["run"]["system"]) for record in records]
    for path, name in zip(paths, systems, strict=True):
        if name != systems[0]:
            raise ConfigError(
                f"directories: wanted runs of one system, got {systems[0]} ({paths[0]}) and "
                f"{name} ({path})"
            )
    system = find_system(systems[0])
    results = [_result(path) for path in paths]
    identities = [
        _identity(system.config, record["config"], result)
        for record, result in zip(records, results, strict=True)
    ]
    same = [identity == identities[0] for identity in identities]
    if any("mitigations" in result for result in results):
        return _by_mitigation(system, paths, results, same)
    return [
        {"run": str(path), **_columns(system, result), "same_as_first": alike}
        for path, result, alike in zip(paths, results, same, strict=True)
    ]


def _columns(system: System[Any], result: Mapping[str, Any]) -> dict[str, Any]:
    found = {name.replace("fit.", ""): _value(result, name) for name in system.columns}
    where = _value(result, "provenance.where")
    # a device's name alone does not say whether it was used
    return found if where is None else {**found, "where": where}


def _value(result: Mapping[str, Any], name: str) -> Any:
    """The value of a key such as ``fit.rmse``."""
    found: Any = result
    for part in name.split("."):
        found = None if found is None else found.get(part)
    return found


def _identity(model: type[BaseConfig], config: Mapping[str, Any], result: Mapping[str, Any]) -> Any:
    """What two runs must share for their errors to be of the same thing."""
    if "held_out_sha256" in result:
        return result["held_out_sha256"]
    return {
        name: value
        for name, value in config.items()
        if name in model.model_fields and group_of(model, name) == "model"
    }


def _by_mitigation(
    system: System[Any],
    paths: Sequence[Path],
    results: Sequence[dict[str, Any]],
    same: Sequence[bool],
) -> list[dict[str, Any]]:
    """A row a mitigation: the run's own columns, then what the chain made of its circuits."""
    loaded = [_data(path) for path in paths] if system.curve else []
    rows = []
    for number, (path, result, alike) in enumerate(zip(paths, results, same, strict=True)):
        own = _columns(system, result)
        for row in result.get("mitigations") or [_only_row(result)]:
            figures = {name: value for name, value in row.items() if name != "mitigation"}
            found = {
                "run": str(path),
                **{name: value for name, value in own.items() if name not in figures},
                "estimate": row["mitigation"],
                **figures,
            }
            if system.curve:
                own_curve = _curve(system.curve, loaded[number], row["mitigation"])
                found["rms_distance_to_first"] = (
                    _distance(loaded[number], own_curve, loaded[0], loaded[0][system.curve])
                    if alike
                    else None
                )
            rows.append({**found, "same_as_first": alike})
    return rows


def _only_row(result: Mapping[str, Any]) -> dict[str, Any]:
    """The row of a run without circuits, or of a system that mitigates nothing."""
    fit = result["fit"]
    found = {
        "mitigation": result.get("mitigation", "none") if result.get("circuits") else "exact",
        "rmse": fit["rmse"],
        "max_error": fit["max_error"],
        "coverage": None,
        "extra_shots": 0,
    }
    if "rmse_excitation" in result:
        names = ("rmse_excitation", "max_error_excitation", "kept_fraction")
        found |= {name: result[name] for name in names}
        found |= {"within_two_bars": None, "hellinger_fidelity": result["population_fidelity"]}
    return found


def _curve(name: str, data: xr.Dataset, mitigation: str) -> xr.DataArray:
    """A run's curve by one of its mitigations."""
    if "mitigation" not in data.coords:
        return data[name]
    return data[f"mitigated_{name}"].sel(mitigation=mitigation)


def _distance(
    data: xr.Dataset, curve: xr.DataArray, first: xr.Dataset, first_curve: xr.DataArray
) -> float | None:
    end = min(float(data.time[-1]), float(first.time[-1]))
    times = data.time.values[data.time.values <= end + 1e-9]
    other = np.interp(times, first.time.values, first_curve.values)
    distance = float(np.sqrt(np.mean((curve.values[: times.size] - other) ** 2)))
    return None if np.isnan(distance) else distance


def print_table(rows: Sequence[dict[str, Any]]) -> None:
    """The rows as a table on stdout."""
    rows = [
        {k: row["where"] if k == "backend" and "where" in row else v for k, v in row.items()}
        for row in rows
    ]
    names = tuple(name for name in rows[0] if name != "where" or "backend" not in rows[0])
    if "rmse_excitation" in rows[0]:
        names = ("run", *_SHOWN)
    group = names[: names.index("estimate")] if "estimate" in names else ()
    print_rows(rows, names, group=group)
