"""What a bath's run measured: dataset, figures of merit, picture, report."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..engine.folder import RunDirectory
from ..report.figure import save_figure
from ..report.page import backend_in_words, validation_table
from .figure import render_spin_report, spin_figure

if TYPE_CHECKING:
    from .protocol import CollectiveExperiment, Step

__all__ = ["finish"]

Array = NDArray[np.float64]


def finish(
    experiment: CollectiveExperiment, run: RunDirectory, done: Sequence[Step], began: float
) -> dict[str, Any]:
    """Write everything a finished run holds and return its JSON object."""
    data = _dataset(experiment, done)
    result = _summary(experiment, data, done)
    result["wall_seconds"] = round(time.perf_counter() - began, 3)
    result["run_dir"] = str(run.path)
    run.write("result.nc", lambda path: data.to_netcdf(path, engine="h5netcdf"))
    sent = experiment.sent(done)
    if sent:
        run.write_circuits("circuits.qpy", sent)
    config = experiment.config
    bath = "" if config.occupation == "zero" else f", {config.occupation} β = {config.beta:g}"
    title = (
        f"Collective bath, N = {config.neurons}, ω_c = {config.cutoff:g}{bath}: "
        f"{backend_in_words(config.backend)}"
    )
    run.write("figure.png", lambda path: save_figure(spin_figure(data, title), path))
    page = render_spin_report(
        title=title,
        result=result,
        data=data,
        record=run.record(),
        validation=validation_table([record for m in done for record in m.validation]),
    )
    run.write("report.html", page.encode())
    run.write_result(result)
    return result


def _dataset(experiment: CollectiveExperiment, done: Sequence[Step]) -> xr.Dataset:
    model, config = experiment.model, experiment.config
    fine: Array = np.linspace(0, config.time, max(400, 4 * config.steps) + 1, dtype=np.float64)
    exact, dense = model.exact, model.simulate(fine)
    means = model.mean_fields(fine)
    stimulus = model.stimulus_of(model.controls[-1].etas)
    levels = ("time", "excitations")
    variables: dict[str, Any] = {
        "exact_m_z": ("time", exact.m_z.values),
        "exact_populations": (levels, exact.populations.values),
        "exact_m_z_fine": ("time_fine", dense.m_z.values),
        "mean_field_m_z_fine": ("time_fine", means["right"]),
        "printed_m_z_fine": ("time_fine", means["printed"]),
        "kappa_fine": ("time_fine", dense.kappa.values, {"units": "g"}),
        "kappa_tilde_fine": ("time_fine", dense.kappa_tilde.values, {"units": "g"}),
        "eta_fine": ("time_fine", np.asarray(stimulus(fine))),
        "m_z": ("time", exact.m_z.values),
    }
    if done:
        variables |= _measured(experiment, done)
    return xr.Dataset(
        variables,
        coords={
            "time": ("time", model.times, {"units": "1/g"}),
            "time_fine": ("time_fine", fine, {"units": "1/g"}),
            "excitations": np.arange(config.neurons + 1),
        },
        attrs={
            "system": "open-system",
            **{
                # netCDF has no truth values
                name: int(value) if isinstance(value, bool) else value
                for name, value in config.model_dump(exclude_none=True).items()
                if isinstance(value, str | int | float)
            },
        },
    )


def _measured(experiment: CollectiveExperiment, done: Sequence[Step]) -> dict[str, Any]:
    readings = [reading for m in done for reading in m.step.estimate]
    records = [record for m in done for record in m.validation if "expected" in record]
    each = len(records) // len(readings)
    expected = np.array([record["expected"] for record in records]).reshape(-1, each)
    if each == 2:
        expected = 2 * expected[:, :1] - expected[:, 1:]
    levels = ("time", "excitations")
    found: dict[str, Any] = {
        "m_z": ("time", np.array([float(r.value) for r in readings])),
        "m_z_stderr": ("time", np.array([float(r.stderr) for r in readings])),
        "raw_m_z": ("time", np.array([float(r.raw_value) for r in readings])),
        "populations": (levels, np.array([r.populations for r in readings])),
        # what the circuits of this run would give without noise
        "collision_m_z": ("time", expected[:, 0]),
    }
    if experiment.model.feedback:
        found["eta"] = ("step", np.asarray(done[-1].step.control.etas))
    return found


def _rms(values: Any) -> float:
    return float(np.sqrt(np.mean(np.square(np.asarray(values, dtype=float)))))


def _summary(
    experiment: CollectiveExperiment, data: xr.Dataset, done: Sequence[Step]
) -> dict[str, Any]:
    config, circuits = experiment.config, experiment.circuits
    exact = data.exact_m_z.values
    records = [record for m in done for record in m.validation]
    fine = data.exact_m_z_fine.values
    result: dict[str, Any] = {
        "system": "open-system",
        "backend": config.backend,
        "neurons": config.neurons,
        "qubits": experiment.qubits,
        "steps": config.steps,
        "collisions": config.steps * config.substeps,
        "order": config.order if circuits else None,
        "extrapolation": config.extrapolation if circuits else None,
        "feedback": config.feedback,
        "shots": config.shots if circuits else None,
        "circuits": len(records),
        "validated": sum(1 for record in records if record["checks"]),
        "two_qubit_gates": max((r["two_qubit_gates"] for r in records), default=0),
        "depth": max((r["depth"] for r in records), default=0),
        "rmse_sz": _rms(data.m_z.values - exact),
        "max_error_sz": float(np.abs(data.m_z.values - exact).max()),
        "mean_field_error": float(np.abs(data.mean_field_m_z_fine.values - fine).max()),
        "printed_error": float(np.abs(data.printed_m_z_fine.values - fine).max()),
        "mitigation": config.mitigation if circuits else "none",
    }
    if done:
        assert circuits is not None
        inside = np.abs(data.m_z - data.exact_m_z) <= 1.959964 * data.m_z_stderr
        result |= {
            "rmse_sz_raw": _rms(data.raw_m_z.values - exact),
            "shot_error": _rms(data.m_z_stderr.values),
            "collision_error": _rms(data.collision_m_z.values - exact),
            "within_bars": float(inside.mean()),
        }
        details = circuits.device
        result |= {k: details[k] for k in ("physical_qubits", "calibration") if k in details}
        if circuits.calibration is not None:
            result["readout_calibration"] = [circuits.calibration.record()]
    return result
