"""What a neuron's run measured: dataset, figures of merit, picture, report."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qbrain.reference.hodgkin_huxley import spike_times
from qbrain.reference.hodgkin_huxley.channel_drives import ConstantDrive
from qbrain.reference.hodgkin_huxley.hysteresis import limit_cycle

from ..engine.folder import RunDirectory
from ..report.figure import save_figure
from ..report.page import backend_in_words, validation_table
from .figure import neuron_figure, render_neuron_report
from .model import Ensemble, NeuronModel

if TYPE_CHECKING:
    from .protocol import NeuronExperiment, Step

__all__ = ["finish", "sampled_area"]

Array = NDArray[np.float64]
REPETITIONS = 400
_MV, _PER_AREA = {"units": "mV"}, {"units": "µA/cm²"}


def finish(
    experiment: NeuronExperiment, run: RunDirectory, done: Sequence[Step], began: float
) -> dict[str, Any]:
    """Write everything a finished run holds and return its JSON object."""
    config, model = experiment.config, experiment.model
    # repetitions without errors but those of the shots, whose scatter is the band
    ideal = model.repeated(REPETITIONS, config.shots, seed=config.seed or 0) if done else None
    data = _dataset(experiment, done, ideal)
    result = _summary(experiment, data, done)
    if ideal is not None:
        result["loop_area_stderr"] = _area_scatter(model, ideal, data.current.values)
    result["wall_seconds"] = round(time.perf_counter() - began, 3)
    result["run_dir"] = str(run.path)
    run.write("result.nc", lambda path: data.to_netcdf(path, engine="h5netcdf"))
    sent = experiment.sent(done)
    if sent:
        run.write_circuits("circuits.qpy", sent)
    title = _title(experiment)
    run.write("figure.png", lambda path: save_figure(neuron_figure(data, title), path))
    page = render_neuron_report(
        title=title,
        result=result,
        data=data,
        record=run.record(),
        circuit=str(sent[-1].draw("text", fold=110)) if sent and sent[-1].size() < 80 else "",
        validation=validation_table([record for m in done for record in m.validation]),
    )
    run.write("report.html", page.encode())
    run.write_result(result)
    return result


def _title(experiment: NeuronExperiment) -> str:
    config = experiment.config
    what = "potassium channel" if config.channel == "K" else "K, Na and leak"
    return f"Hodgkin-Huxley, {what}, {config.drive} drive: {backend_in_words(config.backend)}"


def _dataset(
    experiment: NeuronExperiment, done: Sequence[Step], ideal: Ensemble | None
) -> xr.Dataset:
    model, config = experiment.model, experiment.config
    exact, times = model.exact, model.times
    fine: Array = np.linspace(0, config.time, max(800, 4 * config.steps) + 1, dtype=np.float64)
    dense = model.simulate(fine)
    variables: dict[str, Any] = {
        "exact_voltage": ("time", exact.voltage.values, _MV),
        "exact_values": (("time", "variable"), model.exact_values),
        "current": ("time", np.asarray(model.drive.current(times)) + 0 * times, _PER_AREA),
        "exact_voltage_fine": ("time_fine", dense.voltage.values, _MV),
        "exact_conductance_fine": ("time_fine", dense.conductance.values, {"units": "mS/cm²"}),
        "current_fine": ("time_fine", np.asarray(model.drive.current(fine)) + 0 * fine, _PER_AREA),
    }
    if done:
        assert ideal is not None
        variables |= _measured(experiment, done, ideal)
    else:
        variables["voltage"] = ("time", exact.voltage.values, _MV)
        variables["values"] = (("time", "variable"), model.exact_values)
    return xr.Dataset(
        variables,
        coords={
            "time": ("time", times, {"units": "ms"}),
            "time_fine": ("time_fine", fine, {"units": "ms"}),
            "variable": list(model.variables),
            "channel": list(model.channels),
        },
        attrs={
            "system": "hodgkin-huxley",
            **{
                # netCDF has no truth values
                name: int(value) if isinstance(value, bool) else value
                for name, value in config.model_dump(exclude_none=True).items()
                if isinstance(value, str | int | float)
            },
        },
    )


def _measured(
    experiment: NeuronExperiment, done: Sequence[Step], ideal: Ensemble
) -> dict[str, Any]:
    model, circuits = experiment.model, experiment.circuits
    assert circuits is not None
    steps = [m.step for m in done]
    readings = [s.estimate for s in steps]
    raw = [circuits.reading(s.counts, None) for s in steps]
    voltage = np.array([float(experiment.law.voltage(s.control, s.estimate)) for s in steps])
    low, high = np.percentile(ideal.voltage, (2.5, 97.5), axis=0)
    only_steps = model.noiseless()
    gates, channels = ("time", "variable"), ("time", "channel")
    return {
        "voltage": ("time", voltage, _MV),
        "values": (gates, np.array([r.values for r in readings])),
        "values_stderr": (gates, np.array([r.stderr for r in readings])),
        "raw_values": (gates, np.array([r.values for r in raw])),
        "open": (channels, np.array([r.open for r in readings])),
        "open_stderr": (channels, np.array([r.open_stderr for r in readings])),
        "conductance": (
            "time", model.conductance(np.array([r.open[0] for r in readings])),
            {"units": "mS/cm²"},
        ),
        "angles": (gates, np.array([s.control.angles for s in steps])),
        "openings": (gates, np.array([s.control.openings for s in steps])),
        # where 95 % of runs with as many shots lie that have no other errors
        "band_low": ("time", low, _MV),
        "band_high": ("time", high, _MV),
        "band_stderr": ("time", ideal.voltage.std(axis=0), _MV),
        "values_band_low": (gates, np.percentile(ideal.values, 2.5, axis=0)),
        "values_band_high": (gates, np.percentile(ideal.values, 97.5, axis=0)),
        "step_error": ("time", only_steps.voltage - model.exact.voltage.values, _MV),
        "shot_error": (
            "time", np.sqrt(np.mean((ideal.voltage - only_steps.voltage) ** 2, axis=0)), _MV,
        ),
    }  # fmt: skip


def sampled_area(
    times: Array, voltage: Array, current: Array, period: float | None
) -> float | None:
    """Mean ∮ V dI (mV·µA/cm²) of the polygons through the samples of whole periods.

    They are counted back from the end; the first period of the run, in which it starts, is left out
    where there are others. None without a whole period.
    """
    if period is None or times[-1] - times[0] < period * (1 - 1e-9):
        return None
    whole = int((times[-1] - times[0]) / period + 1e-9)
    areas = []
    for k in range(max(1, whole - 1)):
        begin, end = times[-1] - (k + 1) * period, times[-1] - k * period
        inside = times[(times > begin + 1e-9) & (times < end - 1e-9)]
        corners = np.concatenate([[begin], inside, [end]])
        v, i = np.interp(corners, times, voltage), np.interp(corners, times, current)
        # the last corner is the first one, a period later
        areas.append(np.sum((v[1:] + v[:-1]) * np.diff(i)) / 2)
    return float(np.mean(areas))


def _area_scatter(model: NeuronModel, ideal: Ensemble, current: Array) -> float | None:
    """Standard deviation of the loop's area over ideal repetitions: what shots do to it."""
    period = model.period
    areas = [sampled_area(model.times, v, current, period) for v in ideal.voltage]
    found = [area for area in areas if area is not None]
    return float(np.std(found)) if found else None


def _rms(values: Any) -> float:
    return float(np.sqrt(np.mean(np.square(np.asarray(values, dtype=float)))))


def _summary(
    experiment: NeuronExperiment, data: xr.Dataset, done: Sequence[Step]
) -> dict[str, Any]:
    model, config, circuits = experiment.model, experiment.config, experiment.circuits
    times, exact = model.times, data.exact_voltage.values
    error = data.voltage.values - exact
    period = model.period
    current = data.current.values
    area_exact = sampled_area(times, exact, current, period)
    # both are counted in the direction in which the exact loop runs
    direction = float(np.sign(area_exact)) if area_exact else 1.0
    area = sampled_area(times, data.voltage.values, current, period)
    records = [record for m in done for record in m.validation]
    fine = data.exact_voltage_fine.values
    result: dict[str, Any] = {
        "system": "hodgkin-huxley",
        "backend": config.backend,
        "channel": config.channel,
        "drive": config.drive,
        "qubits": circuits.qubits if circuits else 0,
        "steps": config.steps,
        "shots": config.shots if circuits else None,
        "circuits": len(records),
        "validated": sum(1 for record in records if record["checks"]),
        "two_qubit_gates": max((r["two_qubit_gates"] for r in records), default=0),
        "depth": max((r["depth"] for r in records), default=0),
        "rmse_voltage": _rms(error),
        "max_error_voltage": float(np.abs(error).max()),
        "voltage_swing": float(np.ptp(fine)),
        "loop_area": None if area is None else direction * area,
        "loop_area_exact": None if area_exact is None else abs(area_exact),
        "loop_area_limit_cycle": _cycle_area(model),
        "spikes": len(spike_times(times, data.voltage.values)),
        "spikes_exact": len(spike_times(data.time_fine.values, fine)),
        "reading": config.reading,
        "window": config.window_steps if circuits else None,
        "ancilla": config.ancilla_form if circuits else None,
        "mitigation": config.mitigation if circuits else "none",
    }
    for index, name in enumerate(model.variables):
        result[f"rmse_{name}"] = _rms(
            (data["values"] - data.exact_values).isel(variable=index).values
        )
    if done:
        assert circuits is not None
        raw = (data.raw_values - data.exact_values).values
        result |= {
            "rmse_gates": _rms((data["values"] - data.exact_values).values),
            "rmse_gates_raw": _rms(raw),
            "shot_error": _rms(data.shot_error.values),
            "step_error": _rms(data.step_error.values),
            "band_coverage": float(
                np.mean((data.voltage >= data.band_low) & (data.voltage <= data.band_high))
            ),
        }
        details = circuits.device
        result |= {k: details[k] for k in ("physical_qubits", "calibration") if k in details}
        if experiment.wrong is not None:
            result["wrong_readings"] = [each.tolist() for each in experiment.wrong]
    return result


def _cycle_area(model: NeuronModel) -> float | None:
    """Area of the exact limit cycle, of a quantized channel under a drive with a period."""
    if model.full or isinstance(model.drive, ConstantDrive):
        return None
    return float(limit_cycle(model.channel, model.drive).area)
