"""Finished runs against the exact result and against each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qbrain.experiments.errors import RunDirectoryError
from qbrain.experiments.run_directory import RunDirectory

__all__ = ["compare_runs", "hellinger_fidelity", "print_table"]

_MODEL = ("neurons", "gamma", "g0", "field", "tau_r", "tau_f", "release", "initial")
_SHOWN = (
    "backend",
    "neurons",
    "encoding",
    "evolution",
    "estimate",
    "rmse_excitation",
    "max_error_excitation",
    "hellinger_fidelity",
    "kept_fraction",
    "rms_distance_to_first",
)


def _load(path: Path) -> tuple[dict[str, Any], xr.Dataset]:
    result = RunDirectory.open(path).result()
    if result is None:
        raise RunDirectoryError(
            f"{path}: the run is not finished; go on with: qbrain resume {path}"
        )
    file = path / "result.nc"
    try:
        data = xr.load_dataset(file, engine="h5netcdf")
    except Exception as error:  # whatever the reader stumbles over, the file is not ours
        raise RunDirectoryError(f"{file}: not an intact result: {error}") from None
    return result, data


def hellinger_fidelity(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    """Mean over rows of (Σ_n sqrt(p_n q_n))²; negative quasi-probabilities count as none."""
    p, q = np.clip(p, 0, None), np.clip(q, 0, None)
    p, q = p / p.sum(axis=1, keepdims=True), q / q.sum(axis=1, keepdims=True)
    return float(np.mean(np.sum(np.sqrt(p * q), axis=1) ** 2))


def compare_runs(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """One row a run and estimate (raw, and mitigated where that differs).

    Errors are of E against the run's own exact result; ``rms_distance_to_first`` is the RMS
    difference of E from the first run's, over the times both cover (None where the model is
    another one).
    """
    loaded = [_load(path) for path in paths]
    first = loaded[0][1]
    rows = []
    for path, (result, data) in zip(paths, loaded, strict=True):
        names = {"raw": ("raw_excitation", "raw_populations")}
        if result["mitigation"] != "none":
            names[result["mitigation"]] = ("excitation", "populations")
        for label, (energy, populations) in names.items():
            error = data[energy] - data.exact_excitation
            end = min(float(data.time[-1]), float(first.time[-1]))
            times = data.time.values[data.time.values <= end + 1e-9]
            distance = None
            if all(data.attrs[name] == first.attrs[name] for name in _MODEL):
                other = np.interp(times, first.time.values, first.excitation.values)
                here = data[energy].values[: times.size]
                distance = float(np.sqrt(np.mean((here - other) ** 2)))
            rows.append(
                {
                    "run": str(path),
                    **{k: result[k] for k in ("backend", "neurons", "encoding", "evolution")},
                    "estimate": label,
                    "rmse_excitation": float(np.sqrt(np.mean(error**2))),
                    "max_error_excitation": float(np.max(np.abs(error))),
                    "hellinger_fidelity": hellinger_fidelity(
                        data[populations].values, data.exact_populations.values
                    ),
                    "kept_fraction": 1.0 if label == "raw" else result["kept_fraction"],
                    "two_qubit_gates": result["two_qubit_gates"],
                    "shots": result["shots"],
                    "rms_distance_to_first": distance,
                }
            )
    return rows


def print_table(rows: Sequence[dict[str, Any]]) -> None:
    """The rows as a table on stdout."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("run", *_SHOWN):
        # folding would tear numbers apart; a narrow terminal wraps whole lines instead
        table.add_column(name.replace("_", " "), no_wrap=name != "run", overflow="fold")
    for row in rows:
        cells = [row["run"], *(row[name] for name in _SHOWN)]
        texts = (
            "–" if x is None else f"{x:.4f}" if isinstance(x, float) else str(x) for x in cells
        )
        table.add_row(*texts)
    Console(width=max(200, Console().width)).print(table)
