"""What a bath's run measured: dataset, distance from the exact answer, picture and page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..engine.chains import Chain, chains_of
from ..engine.experiment import Fit, Outcome, Verdict
from ..engine.measures import Z95, netcdf_attributes, rms
from ..engine.mitigation_rows import mitigated_curves
from ..report.figure import inline_svg, population_figure
from .config import OpenSystemConfig
from .figure import spin_figure, verdict
from .measured import Measured
from .model import CollectiveModel

__all__ = ["outcome_of"]

# what separates the noise-free answers of the run's circuits from the exact ones
_COLLISIONS = {
    False: "finite collisions",
    True: "finite collisions, and shots of earlier readings through the stimulation",
}

Array = NDArray[np.float64]


def outcome_of(
    config: OpenSystemConfig, model: CollectiveModel, measured: Measured | None, where: str
) -> Outcome:
    """Spins against the master equation, the mean field and the paper's Eq. 18.

    ``where``: the circuits ran, in words.
    """
    data = _dataset(config, model, measured)
    mitigations = [] if measured is None else _add_mitigations(config, data, measured)
    fit = _fit(data)
    result = _summary(config, data, fit, measured) | {"mitigations": mitigations}
    bath = "" if config.occupation == "zero" else f", {config.occupation} β = {config.beta:g}"
    title = f"Collective bath, N = {config.neurons}, ω_c = {config.cutoff:g}{bath}: {where}"

    def values() -> Mapping[str, Any]:
        histogram = inline_svg(population_figure(data)) if "populations" in data else ""
        return {"populations": histogram}

    return Outcome(
        title=title,
        data=data,
        fit=fit,
        result=result,
        verdict=Verdict(*verdict({"backend": config.backend, **result})),
        picture=lambda: spin_figure(data, title),
        template="open_system/report.html.jinja",
        values=values,
        budget=[("shots", fit.shot_error), (_COLLISIONS[model.feedback], _collision_error(data))],
    )


def _fit(data: xr.Dataset) -> Fit:
    observable, exact = "⟨σ_z⟩ a neuron", data.exact_m_z.values
    error = data.m_z.values - exact
    if "m_z_stderr" not in data:
        return Fit(observable, rms(error), float(np.abs(error).max()))
    inside = np.abs(data.m_z - data.exact_m_z) <= Z95 * data.m_z_stderr
    return Fit(
        observable,
        rms(error),
        float(np.abs(error).max()),
        rms(data.raw_m_z.values - exact),
        rms(data.m_z_stderr.values),
        float(inside.mean()),
    )


def _dataset(
    config: OpenSystemConfig, model: CollectiveModel, measured: Measured | None
) -> xr.Dataset:
    fine: Array = np.linspace(0, config.time, max(400, 4 * config.steps) + 1, dtype=np.float64)
    exact, dense = model.exact, model.simulate(fine)
    means = model.mean_fields(fine)
    stimulus = model.stimulus_of(model.etas)
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
    if measured is not None:
        variables |= _measured(model, measured)
    return xr.Dataset(
        variables,
        coords={
            "time": ("time", model.times, {"units": "1/g"}),
            "time_fine": ("time_fine", fine, {"units": "1/g"}),
            "excitations": np.arange(config.neurons + 1),
        },
        attrs={
            "system": "open-system",
            **netcdf_attributes(config),
        },
    )


def _measured(model: CollectiveModel, measured: Measured) -> dict[str, Any]:
    readings, expected = measured.readings, measured.expected
    if expected.shape[1] == 2:
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
    if model.feedback:
        found["eta"] = ("step", measured.etas)
    return found


def _collision_error(data: xr.Dataset) -> float | None:
    """RMS of what the run's circuits would give without noise, less the exact values."""
    if "collision_m_z" not in data:
        return None
    return rms(data.collision_m_z.values - data.exact_m_z.values)


def _add_mitigations(
    config: OpenSystemConfig, data: xr.Dataset, measured: Measured
) -> list[dict[str, Any]]:
    """Put ⟨σ_z⟩ by every chain into ``data``; one row a chain."""

    def curve(chain: Chain) -> tuple[Array, Array]:
        spins = [measured.estimate.by(chain, point) for point in measured.points]
        return (
            np.array([float(s.value) for s in spins]),
            np.array([float(s.stderr) for s in spins]),
        )

    rows, values, errors = mitigated_curves(
        chains_of(config.chain), curve, data.exact_m_z.values, measured.everything, config.shots
    )
    data.coords["mitigation"] = [row["mitigation"] for row in rows]
    data["mitigated_m_z"] = (("mitigation", "time"), values)
    data["mitigated_m_z_stderr"] = (("mitigation", "time"), errors)
    return rows


def _summary(
    config: OpenSystemConfig, data: xr.Dataset, fit: Fit, measured: Measured | None
) -> dict[str, Any]:
    ran = measured is not None
    fine = data.exact_m_z_fine.values
    published = float(np.abs(data.printed_m_z_fine.values - fine).max())
    result: dict[str, Any] = {
        "neurons": config.neurons,
        "steps": config.steps,
        "collisions": config.steps * config.substeps,
        "order": config.order if ran else None,
        "extrapolation": config.extrapolation if ran else None,
        "controller": config.controller,
        "shots": config.shots if ran else None,
        "mean_field_error": float(np.abs(data.mean_field_m_z_fine.values - fine).max()),
        "published_formula_error": published,
        "mitigation": config.chain_label if ran else "none",
        # names of version 0.1
        "feedback": config.controller,
        "printed_error": published,
        "rmse_sz": fit.rmse,
        "max_error_sz": fit.max_error,
    }
    if measured is not None:
        result |= {
            "shot_error": fit.shot_error,
            "collision_error": _collision_error(data),
            "rmse_sz_raw": fit.rmse_raw,
            "within_bars": fit.coverage,
        }
        found = measured.estimate.calibrations
        if found:
            result["readout_calibration"] = [found[p].record() for p in sorted(found)]
    return result
