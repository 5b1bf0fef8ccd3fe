"""Finished runs against the exact result and against each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .engine.folder import RunDirectory
from .errors import ConfigError, RunDirectoryError
from .report.tables import print_rows

__all__ = ["compare_runs", "hellinger_fidelity", "print_table"]

_MODEL = ("neurons", "gamma", "g0", "field", "tau_r", "tau_f", "release", "initial")
_SHOWN = (
    "backend",
    "neurons",
    "qubits",
    "encoding",
    "evolution",
    "two_qubit_gates",
    "estimate",
    "rmse_excitation",
    "max_error_excitation",
    "hellinger_fidelity",
    "kept_fraction",
    "extra_shots",
    "rms_distance_to_first",
)


# columns of the systems whose results are compared as they are
_COLUMNS = {
    "spiqgan": (
        "backend",
        "weights_per",
        "readout",
        "parameters",
        "rate_error",
        "covariance_rmse",
        "kl_count_bin",
        "kl_count_window",
        "lag1_error",
        "lag1",
        "train_seconds",
        "same_as_first",
    ),
    "open-system": (
        "backend",
        "neurons",
        "collisions",
        "order",
        "extrapolation",
        "feedback",
        "mitigation",
        "two_qubit_gates",
        "shots",
        "rmse_sz",
        "max_error_sz",
        "shot_error",
        "collision_error",
        "mean_field_error",
        "printed_error",
        "same_as_first",
    ),
    "hodgkin-huxley": (
        "backend",
        "channel",
        "drive",
        "reading",
        "window",
        "mitigation",
        "two_qubit_gates",
        "shots",
        "rmse_voltage",
        "shot_error",
        "rmse_gates",
        "rmse_gates_raw",
        "loop_area",
        "loop_area_exact",
        "spikes",
        "spikes_exact",
        "same_as_first",
    ),
    "qlif": (
        "backend",
        "form",
        "group",
        "phi",
        "settings",
        "two_qubit_gates",
        "shots_used",
        "chsh",
        "chsh_stderr",
        "chsh_exact",
        "synchrony",
        "synchrony_stderr",
        "shared_bit_synchrony",
        "no_signalling_p",
        "same_as_first",
    ),
}
# fields of a configuration that do not change what is simulated
_NOT_MODEL = {
    *("backend", "shots", "seed", "validation", "execution_mode", "max_qpu_seconds", "twirling"),
    *("dynamical_decoupling", "reading", "copies", "window", "ancilla", "fresh", "mitigation"),
    *("steps", "substeps", "order", "extrapolation", "circuits", "margin", "drive_step", "pairs"),
}


def _load(path: Path) -> tuple[dict[str, Any], xr.Dataset]:
    result = _result(path)
    file = path / "result.nc"
    try:
        data = xr.load_dataset(file, engine="h5netcdf")
    except Exception as error:  # whatever the reader stumbles over, the file is not ours
        raise RunDirectoryError(f"{file}: not an intact result: {error}") from None
    return result, data


def _result(path: Path) -> dict[str, Any]:
    result = RunDirectory.open(path).result()
    if result is None:
        raise RunDirectoryError(
            f"{path}: the run is not finished; go on with: qbrain resume {path}"
        )
    return result


def hellinger_fidelity(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    """Mean over rows of (Σ_n sqrt(p_n q_n))²; negative quasi-probabilities count as none."""
    p, q = np.clip(p, 0, None), np.clip(q, 0, None)
    p, q = p / p.sum(axis=1, keepdims=True), q / q.sum(axis=1, keepdims=True)
    return float(np.mean(np.sum(np.sqrt(p * q), axis=1) ** 2))


def compare_runs(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Runs of one system beside each other.

    Of `lmg`, one row a run and estimate: raw, and by every mitigation that its circuits allow.
    Errors are of E against the run's own exact result; ``extra_shots`` are those beyond the raw
    points; ``rms_distance_to_first`` is the RMS difference of E from the first run's own
    estimate, over the times both cover (None where the model is another one).

    Of the others, one row a run. Of `spiqgan`: errors against its held-out windows, on the backend
    where circuits ran. Of `hodgkin-huxley`: errors against the run's own exact voltage. Of
    `open-system`: errors against the run's own exact spins. Of `qlif`: beside the run's shared bit.
    ``same_as_first`` says whether the run has the first one's data, or its model, without which
    errors are not to be held against each other.

    Raises:
        ConfigError: runs of different systems.
        RunDirectoryError: a folder without a finished, intact run.
    """
    systems = [str(RunDirectory.open(path).record()["run"]["system"]) for path in paths]
    for path, system in zip(paths, systems, strict=True):
        if system != systems[0]:
            raise ConfigError(
                f"directories: wanted runs of one system, got {systems[0]} ({paths[0]}) and "
                f"{system} ({path})"
            )
    if systems[0] == "lmg":
        return _compare_lmg(paths)
    names, rows, first = _COLUMNS[systems[0]], [], None
    for path in paths:
        result = _result(path)
        identity = _identity(path, result)
        first = identity if first is None else first
        shown = {name: result.get(name) for name in names[:-1]}
        rows.append({"run": str(path), **shown, "same_as_first": identity == first})
    return rows


def _identity(path: Path, result: dict[str, Any]) -> Any:
    """What two runs must share for their errors to be of the same thing."""
    if "held_out_sha256" in result:
        return result["held_out_sha256"]
    config = RunDirectory.open(path).record()["config"]
    return {name: value for name, value in config.items() if name not in _NOT_MODEL}


def _compare_lmg(paths: Sequence[Path]) -> list[dict[str, Any]]:
    loaded = [_load(path) for path in paths]
    first = loaded[0][1]
    rows = []
    for path, (result, data) in zip(paths, loaded, strict=True):
        same = all(data.attrs[name] == first.attrs[name] for name in _MODEL)
        for row in result["mitigations"] or [_only_row(result, data)]:
            energy = data.excitation
            if "mitigation" in data.coords:
                energy = data.mitigated_excitation.sel(mitigation=row["mitigation"])
            rows.append(
                {
                    "run": str(path),
                    **{k: result[k] for k in ("backend", "neurons", "encoding", "evolution")},
                    **{k: result[k] for k in ("qubits", "two_qubit_gates", "shots")},
                    "estimate": row["mitigation"],
                    **{k: v for k, v in row.items() if k != "mitigation"},
                    "rms_distance_to_first": _distance(data, energy, first) if same else None,
                }
            )
    return rows


def _only_row(result: dict[str, Any], data: xr.Dataset) -> dict[str, Any]:
    """The row of a run without circuits."""
    return {
        "mitigation": "exact",
        "extra_shots": 0,
        **{k: result[k] for k in ("rmse_excitation", "max_error_excitation", "kept_fraction")},
        "within_two_bars": None,
        "hellinger_fidelity": result["population_fidelity"],
    }


def _distance(data: xr.Dataset, energy: xr.DataArray, first: xr.Dataset) -> float | None:
    end = min(float(data.time[-1]), float(first.time[-1]))
    times = data.time.values[data.time.values <= end + 1e-9]
    other = np.interp(times, first.time.values, first.excitation.values)
    distance = float(np.sqrt(np.mean((energy.values[: times.size] - other) ** 2)))
    return None if np.isnan(distance) else distance


def print_table(rows: Sequence[dict[str, Any]]) -> None:
    """The rows as a table on stdout."""
    if "same_as_first" in rows[0]:
        print_rows(rows, tuple(rows[0]))
        return
    print_rows(rows, ("run", *_SHOWN), group=("run", *_SHOWN[: _SHOWN.index("estimate")]))
