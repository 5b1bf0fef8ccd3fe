"""What a neuron's run measured: dataset, distance from the exact answer, picture and page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qbrain.reference.hodgkin_huxley import spike_times
from qbrain.reference.hodgkin_huxley.channel_drives import ConstantDrive
from qbrain.reference.hodgkin_huxley.hysteresis import limit_cycle

from ..engine.chains import RAW, Chain, chains_of
from ..engine.experiment import Fit, Outcome, Verdict
from ..engine.measures import Z95, netcdf_attributes, rms
from ..engine.mitigation_rows import mitigated_curves
from ..report.figure import inline_svg
from .config import HodgkinHuxleyConfig
from .figure import conductance_figure, neuron_figure, verdict
from .measured import Measured
from .model import Ensemble, NeuronModel

__all__ = ["half_height_rises", "outcome_of", "sampled_area"]

Array = NDArray[np.float64]
REPETITIONS = 400
MITIGATED = (
    "Errors are of all gate variables at all times. The feedback followed the last row; rows by "
    "other mitigations read the same circuits, and do not change what the feedback was."
)
_MV, _PER_AREA = {"units": "mV"}, {"units": "µA/cm²"}


def outcome_of(
    config: HodgkinHuxleyConfig, model: NeuronModel, measured: Measured | None, where: str
) -> Outcome:
    """Voltage and gates against the exact neuron; ``where`` the circuits ran, in words."""
    # repetitions without errors but those of the shots, whose scatter is the band
    ideal = model.repeated(REPETITIONS, config.shots, seed=config.seed or 0) if measured else None
    data = _dataset(config, model, measured, ideal)
    fit = _fit(data)
    result = _summary(config, model, data, fit)
    result["mitigations"] = [] if measured is None else _add_mitigations(config, data, measured)
    if measured is not None and ideal is not None:
        result |= _of_circuits(data, fit)
        result["loop_area_stderr"] = _area_scatter(model, ideal, data.current.values)
        if measured.estimate.readout is not None:
            result["readout_errors"] = [each.tolist() for each in measured.estimate.readout]
            # name of version 0.1
            result["wrong_readings"] = result["readout_errors"]
    what = "potassium channel" if config.channel == "K" else "K, Na and leak"
    title = f"Hodgkin-Huxley, {what}, {config.drive} drive: {where}"

    def values() -> Mapping[str, Any]:
        return {
            "gates": _gate_rows(data),
            "conductance": inline_svg(conductance_figure(data)),
            "mitigated": MITIGATED,
        }

    return Outcome(
        title=title,
        data=data,
        fit=fit,
        result=result,
        verdict=Verdict(*verdict({"backend": config.backend, **result})),
        picture=lambda: neuron_figure(data, title),
        template="hodgkin_huxley/report.html.jinja",
        values=values,
        budget=[
            ("shots, through the feedback", fit.shot_error),
            ("finite steps", result.get("step_error")),
        ],
    )


def _fit(data: xr.Dataset) -> Fit:
    observable = "voltage, mV"
    error = data.voltage.values - data.exact_voltage.values
    if "band_low" not in data:
        return Fit(observable, rms(error), float(np.abs(error).max()))
    inside = (data.voltage >= data.band_low) & (data.voltage <= data.band_high)
    # the loop followed the corrected readings: there is no voltage without mitigation
    return Fit(
        observable,
        rms(error),
        float(np.abs(error).max()),
        None,
        rms(data.shot_error.values),
        float(np.mean(inside)),
    )


def _dataset(
    config: HodgkinHuxleyConfig,
    model: NeuronModel,
    measured: Measured | None,
    ideal: Ensemble | None,
) -> xr.Dataset:
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
        "voltage": ("time", exact.voltage.values, _MV),
        "values": (("time", "variable"), model.exact_values),
    }
    if measured is not None and ideal is not None:
        variables |= _measured(model, measured) | _band(model, ideal)
    return xr.Dataset(
        variables,
        coords={
            "time": ("time", times, {"units": "ms"}),
            "time_fine": ("time_fine", fine, {"units": "ms"}),
            "variable": list(model.variables),
            "channel": list(model.channels),
        },
        attrs={"system": "hodgkin-huxley", **netcdf_attributes(config)},
    )


def _measured(model: NeuronModel, measured: Measured) -> dict[str, Any]:
    readings, controls = measured.readings, measured.controls
    gates, channels = ("time", "variable"), ("time", "channel")
    opened = np.array([r.open for r in readings])
    return {
        "voltage": ("time", measured.voltage, _MV),
        "values": (gates, np.array([r.values for r in readings])),
        "values_stderr": (gates, np.array([r.stderr for r in readings])),
        "raw_values": (
            gates,
            np.array([measured.estimate.by(RAW, found).values for found in measured.points]),
        ),
        "open": (channels, opened),
        "open_stderr": (channels, np.array([r.open_stderr for r in readings])),
        "conductance": ("time", model.conductance(opened[:, 0]), {"units": "mS/cm²"}),
        "angles": (gates, np.array([c.angles for c in controls])),
        "openings": (gates, np.array([c.openings for c in controls])),
    }


def _add_mitigations(
    config: HodgkinHuxleyConfig, data: xr.Dataset, measured: Measured
) -> list[dict[str, Any]]:
    """Put the gates by every chain into ``data``; one row a chain, over all gates and times."""

    def curve(chain: Chain) -> tuple[Array, Array]:
        found = [measured.estimate.by(chain, point) for point in measured.points]
        return np.array([r.values for r in found]), np.array([r.stderr for r in found])

    rows, values, errors = mitigated_curves(
        chains_of(config.chain),
        curve,
        data.exact_values.values,
        [reading for point in measured.points for reading in point],
        config.shots,
    )
    data.coords["mitigation"] = [row["mitigation"] for row in rows]
    data["mitigated_values"] = (("mitigation", "time", "variable"), values)
    data["mitigated_stderr"] = (("mitigation", "time", "variable"), errors)
    return rows


def _band(model: NeuronModel, ideal: Ensemble) -> dict[str, Any]:
    """Where 95 % of runs with as many shots lie that have no other errors, and those errors."""
    low, high = np.percentile(ideal.voltage, (2.5, 97.5), axis=0)
    gates, only_steps = ("time", "variable"), model.noiseless().voltage
    scatter = np.sqrt(np.mean((ideal.voltage - only_steps) ** 2, axis=0))
    return {
        "band_low": ("time", low, _MV),
        "band_high": ("time", high, _MV),
        "band_stderr": ("time", ideal.voltage.std(axis=0), _MV),
        "values_band_low": (gates, np.percentile(ideal.values, 2.5, axis=0)),
        "values_band_high": (gates, np.percentile(ideal.values, 97.5, axis=0)),
        "step_error": ("time", only_steps - model.exact.voltage.values, _MV),
        "shot_error": ("time", scatter, _MV),
    }


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


def _cycle_area(model: NeuronModel) -> float | None:
    """Area of the exact limit cycle, of a quantized channel under a drive with a period."""
    if model.full or isinstance(model.drive, ConstantDrive):
        return None
    return float(limit_cycle(model.channel, model.drive).area)


def _areas(model: NeuronModel, data: xr.Dataset) -> dict[str, Any]:
    """Areas of the loop, both counted in the direction in which the exact loop runs."""
    area, exact = (
        sampled_area(model.times, each.values, data.current.values, model.period)
        for each in (data.voltage, data.exact_voltage)
    )
    direction = float(np.sign(exact)) if exact else 1.0
    return {
        "loop_area": None if area is None else direction * area,
        "loop_area_exact": None if exact is None else abs(exact),
        "loop_area_limit_cycle": _cycle_area(model),
    }


def half_height_rises(voltage: Array, exact: Array) -> int:
    """How often ``voltage`` rises through half of the exact height, (min + max)/2; both (times,).

    A rise is counted once it has passed from a tenth of the swing below that level to a tenth
    above: noise about the level itself is no rise.
    """
    low, high = float(exact.min()), float(exact.max())
    level, margin = (low + high) / 2, (high - low) / 10
    sides = np.where(voltage >= level + margin, 1, np.where(voltage <= level - margin, -1, 0))
    decided = sides[sides != 0]
    return int(np.sum((decided[1:] == 1) & (decided[:-1] == -1)))


def _excursions(model: NeuronModel, data: xr.Dataset) -> dict[str, Any]:
    """Spikes of the whole neuron, or rises of a channel's voltage; both curves at the same times.

    A potassium channel alone has no spikes, and under a constant current nothing that repeats.
    """
    measured, exact = data.voltage.values, data.exact_voltage.values
    counted = [len(spike_times(data.time.values, each)) for each in (measured, exact)]
    found: dict[str, Any] = dict(zip(("spikes", "spikes_exact"), counted, strict=True))
    if model.full:
        return found
    rises = [half_height_rises(each, exact) for each in (measured, exact)]
    repeats = model.period is not None
    return {
        "half_height_crossings": rises[0] if repeats else None,
        "half_height_crossings_exact": rises[1] if repeats else None,
        # names of version 0.1, of rises through 50 mV, which are no spikes of a channel alone
        **found,
    }


def _summary(
    config: HodgkinHuxleyConfig, model: NeuronModel, data: xr.Dataset, fit: Fit
) -> dict[str, Any]:
    ran = "values_stderr" in data
    error = (data["values"] - data.exact_values).values
    return {
        "channel": config.channel,
        "drive": config.drive,
        "steps": config.steps,
        "shots": config.shots if ran else None,
        "reading": config.reading,
        "window": config.window_steps if ran else None,
        "ancilla": config.ancilla_form if ran else None,
        "mitigation": config.chain_label if ran else "none",
        "voltage_swing": float(np.ptp(data.exact_voltage_fine.values)),
        **_areas(model, data),
        **_excursions(model, data),
        **{f"rmse_{name}": rms(error[:, index]) for index, name in enumerate(model.variables)},
        # names of version 0.1
        "rmse_voltage": fit.rmse,
        "max_error_voltage": fit.max_error,
    }


def _of_circuits(data: xr.Dataset, fit: Fit) -> dict[str, Any]:
    return {
        "rmse_gates": rms((data["values"] - data.exact_values).values),
        "rmse_gates_raw": rms((data.raw_values - data.exact_values).values),
        "step_error": rms(data.step_error.values),
        "shot_error": fit.shot_error,
        # name of version 0.1
        "band_coverage": fit.coverage,
    }


def _gate_rows(data: xr.Dataset) -> list[dict[str, Any]]:
    """Errors of each gate variable, for the page."""
    if "values_stderr" not in data:
        return []
    rows = []
    for name in data.variable.values:
        own = data.sel(variable=name)
        error = (own["values"] - own.exact_values).values
        rows.append(
            {
                "name": str(name),
                "rmse": rms(error),
                "raw": rms((own.raw_values - own.exact_values).values),
                "outside": float(np.mean(np.abs(error) > Z95 * own.values_stderr.values)),
            }
        )
    return rows
