"""What an LMG run measured: dataset, distance from the exact loop, error budget, picture, page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qbrain.classical_feedback.synapse import SynapticLaw

from ..engine.chains import label_of
from ..engine.experiment import Fit, Outcome, Verdict
from ..engine.measures import Z95, hellinger_fidelity, netcdf_attributes, rms
from ..report.figure import inline_svg, population_figure
from ..report.verdict import follow_verdict
from .brain import Brain
from .budget import error_parts, systematic_errors
from .circuits import ExactEnergy
from .config import LMGConfig
from .figure import trajectory_figure
from .mitigation_table import add_mitigations
from .points import Measured, Point, PointCircuits
from .relaxation import integrated_controls, integrated_loop

__all__ = ["outcome_of", "step_error", "verdict"]

Array = NDArray[np.float64]
Variables = dict[str, tuple[Any, Array]]
_FINE = 800  # points of the exact curve in pictures
_DIMENSIONLESS = {"units": "1"}
_SYNTHESIS = {
    "isometry": "The circuits prepare states that were worked out classically (synthesis "
    "isometry): a test of the device, no simulation by it.",
    "unitary": "The evolution operator was worked out classically and synthesised (synthesis "
    "unitary).",
    "trotter": "The evolution is a product formula on the encoded qubits.",
}


def outcome_of(
    brain: Brain, circuits: PointCircuits | None, measured: Measured | None, where: str
) -> Outcome:
    """E, r and U against the exact closed loop; ``where`` the circuits ran, in words."""
    config = brain.config
    data = _dataset(brain, measured)
    mitigations = []
    if measured is not None and circuits is not None:
        mitigations = add_mitigations(brain, circuits.mitigator, data, measured)
    fit = _fit(data)
    result = _summary(brain, circuits, measured, data, fit)
    result["mitigations"] = mitigations
    if circuits is not None and circuits.mitigator.calibrations:
        calibrations = circuits.mitigator.calibrations
        result["readout_calibration"] = [calibrations[p].record() for p in sorted(calibrations)]
    if measured is not None and config.evolution == "relax":
        result["rounds"] = len(measured.every) // len(measured.points)
    title = f"LMG quantum brain, N = {config.neurons}, γ = {config.gamma:g}: {where}"
    note = "" if circuits is None else str(circuits.bench.details.get("note", ""))
    return Outcome(
        title=title,
        data=data,
        fit=fit,
        result=result,
        verdict=Verdict(*verdict(config.backend, result)),
        picture=lambda: trajectory_figure(data, title),
        template="lmg/report.html.jinja",
        values=lambda: _page_values(config, data, note),
        budget=_budget(config, result),
    )


def _fit(data: xr.Dataset) -> Fit:
    error = data.excitation.values - data.exact_excitation.values
    inside = np.abs(error) <= Z95 * data.excitation_stderr.values + 1e-12
    return Fit(
        "excitation E",
        rms(error),
        float(np.max(np.abs(error))),
        rms(data.raw_excitation - data.exact_excitation),
        rms(data.shot_stderr),
        float(np.mean(inside)),
    )


def _coverage(data: xr.Dataset, name: str) -> float:
    """Part of the times at which the exact value lies in the 95 % band."""
    error = np.abs(data[name] - data[f"exact_{name}"])
    return float(np.mean(error <= Z95 * data[f"{name}_stderr"] + 1e-12))


def verdict(backend: str, result: Mapping[str, Any]) -> tuple[str, str]:
    """(style, sentence): what the numbers mean, by thresholds that the sentence names."""
    if result["shots"] is None:
        return "good", f"Exact reference trajectory; no circuit was run ({backend})."
    error, noise = result["rmse_excitation"], result["shot_error"]
    where = (
        f"{backend} against the exact curve: RMSE of E {error:.4f}, shots alone give {noise:.4f}."
    )
    return follow_verdict("the exact curve", where, error, noise, (0.02, "0.02"), 0.1)


def _budget(config: LMGConfig, result: Mapping[str, Any]) -> list[tuple[str, float | None]]:
    """The errors that the run's form has, each by its own cause."""
    if result["shots"] is None:
        return []
    trotter = f"Trotter error (largest {result['trotter_error_max']:.2g})"
    parts: list[tuple[str, float | None]] = [(trotter, result["trotter_error"])]
    if not config.runs_circuits:
        return [*parts, ("shots", result["shot_error"])]
    return [
        *parts,
        ("shots, through the curve and the feedback", result["integrated_shot_error"]),
        ("interpolation between the readings", result["interpolation_error"]),
    ]


def _page_values(config: LMGConfig, data: xr.Dataset, note: str) -> dict[str, Any]:
    encoded = config.runs_circuits and config.encoding == "dicke"
    return {
        "device_note": note,
        "classical_note": _SYNTHESIS[config.synthesis] if encoded else "",
        "populations": inline_svg(population_figure(data)),
    }


def _series(brain: Brain, points: Sequence[Point]) -> Variables:
    """Measured variables over time: the trajectory of the law through the readings.

    Whatever controls the readings were made under, E, r, U and the phase are those of the law
    (:func:`integrated_loop`); what the loop itself had chosen is kept as ``control_r`` and so on.
    """
    estimates = [point.estimate for point in points]
    controls = [point.control for point in points]
    values = np.array([e.value for e in estimates])
    stderr = np.array([e.stderr for e in estimates])
    raw_values = np.array([e.raw_value for e in estimates])
    raw_errors = np.array([e.raw_stderr for e in estimates])
    trotter = np.array([_trotter_error(point) for point in points])
    band = integrated_loop(brain, points, values, stderr)
    raw = integrated_loop(brain, points, raw_values, raw_errors)
    between, formula = systematic_errors(brain, points, trotter)
    found: Variables = {}
    for name, column, gap, drift in zip(
        ("excitation", "r", "U", "phase"),
        (band.excitation, band.r, band.utilisation, band.phase),
        between,
        formula,
        strict=True,
    ):
        shots = column[:, 1:].std(axis=1)
        found[name] = ("time", column[:, 0])
        found[f"{name}_stderr"] = ("time", np.sqrt(shots**2 + gap**2 + drift**2))
        found[f"shot_band_{name}"] = ("time", shots)
    found |= {
        "raw_excitation": ("time", raw.excitation[:, 0]),
        "raw_stderr": ("time", raw.excitation[:, 1:].std(axis=1)),
        "interpolation_error": ("time", between[0]),
        "formula_error": ("time", formula[0]),
    }
    on_grid = brain.config.evolution == "orbit"
    phases = np.array([c.phase for c in controls])

    def at_times(column: Array) -> Array:
        return np.interp(band.phase[:, 0], phases, column) if on_grid else column

    populations = np.array([e.populations for e in estimates])
    raw_populations = np.array([e.raw_populations for e in estimates])
    found |= {
        "shot_stderr": ("time", at_times(stderr)),
        "kept": ("time", at_times(np.array([e.kept for e in estimates]))),
        "populations": (
            ("time", "excitations"),
            np.array([at_times(p) for p in populations.T]).T,
        ),
        "raw_populations": (
            ("time", "excitations"),
            np.array([at_times(p) for p in raw_populations.T]).T,
        ),
        "trotter_error": ("time", at_times(trotter)),
    }
    if brain.config.integrates_afterwards:
        return found | {
            "step_error": ("time", np.zeros(brain.times.size)),
            "grid_phase": ("grid", phases),
            "grid_excitation": ("grid", values),
            "grid_stderr": ("grid", stderr),
        }
    return found | {
        "step_error": ("time", step_error(brain)),
        "measured_excitation": ("time", values),
        "control_r": ("time", np.array([c.r for c in controls])),
        "control_U": ("time", np.array([c.utilisation for c in controls])),
        "control_phase": ("time", phases),
    }


def _trotter_error(point: Point) -> float:
    checks = point.readings[0].heading.check["checks"]
    return next((abs(c["figure"] or 0.0) for c in checks if c["name"] == "trotter"), 0.0)


def step_error(brain: Brain) -> Array:
    """E of the noise-free loop minus E of the continuous law: what the finite step costs."""

    class Exact:
        def __init__(self, value: float) -> None:
            self.value = value

    energy = ExactEnergy(brain.model, brain.initial)
    if brain.config.evolution == "relax":
        exact = brain.exact.excitation.values
        controls = integrated_controls(brain, exact)
        found = [energy(brain.schedule(controls[: k + 1])) for k in range(len(controls))]
        return np.asarray(np.array(found) - exact)
    law = SynapticLaw(brain.synapse, brain.config.feedback_order)
    state, controls, values = brain.start, [brain.start], []
    for k in range(brain.times.size):
        values.append(Exact(energy(brain.schedule(controls))))
        if k + 1 < brain.times.size:
            state = law(state, values, brain.dt)
            controls.append(state)
    reached = np.array([v.value for v in values])
    return np.asarray(reached - brain.exact.excitation.values)


def _sampled_exact(brain: Brain) -> Variables:
    """The reference trajectory itself; with shots, E sampled from its populations."""
    exact, config = brain.exact, brain.config
    n = np.arange(config.neurons + 1) / config.neurons
    populations = exact.populations.values
    value, stderr = exact.excitation.values, np.zeros(brain.times.size)
    if "shots" in config.model_fields_set:
        spread = np.sqrt(np.maximum(populations @ n**2 - (populations @ n) ** 2, 0))
        rng = np.random.default_rng(config.seed)
        p = np.clip(populations, 0, None)
        drawn = rng.multinomial(config.shots, p / p.sum(axis=1, keepdims=True)) / config.shots
        populations, value, stderr = drawn, drawn @ n, spread / np.sqrt(config.shots)
    zero = np.zeros_like(stderr)
    return {
        "excitation": ("time", value),
        "excitation_stderr": ("time", stderr),
        "shot_stderr": ("time", stderr),
        "raw_excitation": ("time", value),
        "raw_stderr": ("time", stderr),
        "r": ("time", exact.r.values),
        "r_stderr": ("time", zero),
        "U": ("time", exact.U.values),
        "U_stderr": ("time", zero),
        "phase": ("time", exact.phase.values),
        "phase_stderr": ("time", zero),
        "kept": ("time", zero + 1),
        "populations": (("time", "excitations"), populations),
        "raw_populations": (("time", "excitations"), populations),
        "trotter_error": ("time", zero),
        "step_error": ("time", zero),
    }


def _dataset(brain: Brain, measured: Measured | None) -> xr.Dataset:
    config, exact = brain.config, brain.exact
    variables = _sampled_exact(brain) if measured is None else _series(brain, measured.points)
    fine_times: Array = np.linspace(0, config.time, _FINE, dtype=np.float64)
    fine = brain.simulate(fine_times)
    for name in ("excitation", "r", "U", "phase"):
        variables[f"exact_{name}"] = ("time", exact[name].values)
        variables[f"exact_{name}_fine"] = ("time_fine", fine[name].values)
    variables["exact_populations"] = (("time", "excitations"), exact.populations.values)
    data = xr.Dataset(
        {name: (dims, values, _DIMENSIONLESS) for name, (dims, values) in variables.items()},
        coords={
            "time": ("time", brain.times, {"units": "1/coupling"}),
            "time_fine": ("time_fine", fine_times, {"units": "1/coupling"}),
            "excitations": np.arange(config.neurons + 1),
        },
        attrs={
            **netcdf_attributes(config),
            "title": "LMG quantum brain: measured against exact",
        },
    )
    for name in ("phase", "exact_phase", "exact_phase_fine", "phase_stderr", "grid_phase"):
        if name in data:
            data[name].attrs["units"] = "1/coupling"
    if measured is not None:
        _add_counts(data, measured.points)
    return data


def _add_counts(data: xr.Dataset, points: Sequence[Point]) -> None:
    """Raw counts of every circuit: one row an outcome, and what each circuit was for."""
    readings = [(point.step, reading) for point in points for reading in point.readings]
    rows = [
        (number, x, c)
        for number, (_, reading) in enumerate(readings)
        for x, c in reading.counts.items()
    ]
    circuit, outcome, shots = zip(*rows, strict=True)
    wide = max(outcome).bit_length() > 62
    data["counts_circuit"] = ("count", np.array(circuit))
    data["counts_outcome"] = ("count", np.array([str(x) if wide else x for x in outcome]))
    data["counts_shots"] = ("count", np.array(shots))
    roles = [reading.role for _, reading in readings]
    data["circuit_step"] = ("circuit", np.array([step for step, _ in readings]))
    data["circuit_kind"] = ("circuit", np.array([role.kind for role in roles]))
    data["circuit_placement"] = ("circuit", np.array([role.placement for role in roles]))
    data["circuit_noise_scale"] = ("circuit", np.array([role.scale for role in roles]))
    data["circuit_gates"] = ("circuit", np.array([reading.gates for _, reading in readings]))


def _summary(
    brain: Brain,
    circuits: PointCircuits | None,
    measured: Measured | None,
    data: xr.Dataset,
    fit: Fit,
) -> dict[str, Any]:
    config, ran = brain.config, measured is not None
    shots = config.shots if ran or "shots" in config.model_fields_set else None
    kept = float(data.kept.mean())
    return {
        "neurons": config.neurons,
        "steps": config.steps,
        "shots": shots,
        "encoding": config.encoding,
        "evolution": config.evolution if ran else "exact",
        "mitigation": label_of(config.chain) if ran and config.chain else "none",
        "trotter_steps": None if circuits is None else circuits.most_steps,
        "rmse_r": rms(data.r - data.exact_r),
        "population_fidelity": hellinger_fidelity(
            data.populations.values, data.exact_populations.values
        ),
        "acceptance": kept,
        "shot_error": fit.shot_error,
        "trotter_error": rms(data.trotter_error),
        "trotter_error_max": float(np.max(np.abs(data.trotter_error))),
        "step_error": rms(data.step_error),
        **error_parts(measured, data),
        # names of version 0.1
        "rmse_excitation": fit.rmse,
        "rmse_excitation_raw": fit.rmse_raw,
        "max_error_excitation": fit.max_error,
        "band_coverage": fit.coverage,
        **{f"band_coverage_{name}": _coverage(data, name) for name in ("r", "U", "phase")},
        "kept_fraction": kept,
    }
