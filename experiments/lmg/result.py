"""From finished steps to result.nc, the JSON object, the figure and the report."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from qiskit import QuantumCircuit

from qbrain.backends.compile import depth, two_qubit_gates
from qbrain.classical_feedback.estimator import confidence_band
from qbrain.classical_feedback.orbit import OrbitBand
from qbrain.classical_feedback.synapse import SynapticLaw, SynapticState
from qbrain.reference.lmg import Orbit, simulate

from ..compare import hellinger_fidelity
from ..engine.chains import label_of
from ..engine.folder import RunDirectory
from ..report.figure import save_figure, trajectory_figure
from ..report.page import backend_in_words, render_report, validation_table
from .circuits import ExactEnergy
from .mitigation_table import add_mitigations
from .relax import integrated_controls, integrated_orbit

if TYPE_CHECKING:
    from .protocol import Experiment, Measured

__all__ = ["finish", "step_error"]

Array = NDArray[np.float64]
_FINE = 800  # points of the exact curve in pictures
_Z95 = 1.959964
_DIMENSIONLESS = {"units": "1"}


def _rms(values: Any) -> float:
    return float(np.sqrt(np.mean(np.square(np.asarray(values, dtype=float)))))


def finish(
    experiment: Experiment, run: RunDirectory, done: Sequence[Measured], began: float
) -> dict[str, Any]:
    """Write everything a finished run holds and return its JSON object."""
    config = experiment.config
    every = done
    if config.evolution == "relax":
        # the last round is the result; the rounds before it led to its controls
        done = done[-experiment.times.size :]
    data = _dataset(experiment, done)
    circuits = _circuits(experiment, done)
    result = _summary(experiment, data, every, circuits)
    result["mitigations"] = add_mitigations(experiment, data, done, every) if done else []
    if done and experiment.mitigator.calibrations:
        calibrations = experiment.mitigator.calibrations
        result["readout_calibration"] = [calibrations[p].record() for p in sorted(calibrations)]
    if config.evolution == "relax":
        result["rounds"] = len(every) // experiment.times.size
    result["wall_seconds"] = round(time.perf_counter() - began, 3)
    result["run_dir"] = str(run.path)
    run.write("result.nc", lambda path: data.to_netcdf(path, engine="h5netcdf"))
    if circuits:
        sent = circuits + [task.prepared.isa for task in experiment.references]
        run.write_circuits("circuits.qpy", sent)
    where = backend_in_words(config.backend)
    title = f"LMG quantum brain, N = {config.neurons}, γ = {config.gamma:g}: {where}"
    run.write("figure.png", lambda path: save_figure(trajectory_figure(data, title), path))
    page = render_report(
        title=title,
        result={**result, **_report_only(experiment, result)},
        data=data,
        record=run.record(),
        circuit=_drawing(circuits),
        validation=validation_table([record for m in done for record in m.validation]),
    )
    run.write("report.html", page.encode())
    run.write_result(result)
    return result


def _series(experiment: Experiment, done: Sequence[Measured]) -> dict[str, tuple[Any, Array]]:
    """Measured variables over time for the loop forms."""
    config, steps = experiment.config, [m.step for m in done]
    controls = [s.control for s in steps]
    if config.evolution == "relax":
        controls = integrated_controls(experiment, [s.estimate.value for s in steps])
    estimates = [s.estimate for s in steps]
    value = np.array([e.value for e in estimates])
    stderr = np.array([e.stderr for e in estimates])
    phase = np.array([c.phase for c in controls])
    band = confidence_band(
        experiment.synapse,
        experiment.start,
        experiment.times,
        value,
        stderr,
        _slope(experiment, phase),
        order=config.feedback_order,
        seed=config.seed or 0,
    )
    return {
        "excitation": ("time", value),
        "excitation_stderr": ("time", band.excitation),
        "shot_stderr": ("time", stderr),
        "raw_excitation": ("time", np.array([e.raw_value for e in estimates])),
        "raw_stderr": ("time", np.array([e.raw_stderr for e in estimates])),
        "r": ("time", np.array([c.r for c in controls])),
        "r_stderr": ("time", band.r),
        "U": ("time", np.array([c.utilisation for c in controls])),
        "U_stderr": ("time", band.utilisation),
        "phase": ("time", phase),
        "phase_stderr": ("time", band.phase),
        "kept": ("time", np.array([e.kept for e in estimates])),
        "populations": (("time", "excitations"), np.array([e.populations for e in estimates])),
        "raw_populations": (
            ("time", "excitations"),
            np.array([e.raw_populations for e in estimates]),
        ),
        "trotter_error": ("time", np.array([_trotter_figure(m) for m in done])),
        "step_error": ("time", step_error(experiment)),
    }


def _slope(experiment: Experiment, phase: Array) -> Array:
    """dE/ds along the run: of the orbit, or (with a field) Ė/r of the exact trajectory."""
    if experiment.model.field == 0:
        return np.asarray(Orbit(experiment.model, experiment.initial).slope(phase))
    exact = experiment.exact
    rate = np.gradient(exact.excitation.values, experiment.times, edge_order=1)
    return np.asarray(rate / np.maximum(exact.r.values, 1e-6))


def _trotter_figure(measured: Measured) -> float:
    point = measured.validation[0]["checks"]
    return next((abs(c["figure"] or 0.0) for c in point if c["name"] == "trotter"), 0.0)


def step_error(experiment: Experiment) -> Array:
    """E of the noise-free loop minus E of the continuous law: what the finite step costs."""

    class Exact:
        def __init__(self, value: float) -> None:
            self.value = value

    energy = ExactEnergy(experiment.model, experiment.initial)
    if experiment.config.evolution == "relax":
        exact = experiment.exact.excitation.values
        controls = integrated_controls(experiment, exact)
        found = [energy(experiment.drive(controls[: k + 1])) for k in range(len(controls))]
        return np.asarray(np.array(found) - exact)
    law = SynapticLaw(experiment.synapse, experiment.config.feedback_order)
    state, controls, values = experiment.start, [experiment.start], []
    for k in range(experiment.times.size):
        values.append(Exact(energy(experiment.drive(controls))))
        if k + 1 < experiment.times.size:
            state = law(state, values, experiment.dt)
            controls.append(state)
    reached = np.array([v.value for v in values])
    return np.asarray(reached - experiment.exact.excitation.values)


def _orbit_series(experiment: Experiment, done: Sequence[Measured]) -> dict[str, tuple[Any, Array]]:
    """Measured variables over time, by integration on the measured E(s)."""
    s = np.array([m.step.control.phase for m in done])
    estimates = [m.step.estimate for m in done]
    stderr = np.array([e.stderr for e in estimates])

    def integrate(values: Array, errors: Array) -> OrbitBand:
        return integrated_orbit(experiment, done, values, errors)

    values = np.array([e.value for e in estimates])
    raw_values = np.array([e.raw_value for e in estimates])
    raw_errors = np.array([e.raw_stderr for e in estimates])
    band, raw = integrate(values, stderr), integrate(raw_values, raw_errors)
    size = experiment.times.size
    phase = band.phase[:, 0]

    def at_times(column: Array) -> Array:
        return np.asarray(np.interp(phase, s, column))

    populations = np.array([e.populations for e in estimates])
    raw_populations = np.array([e.raw_populations for e in estimates])
    return {
        "excitation": ("time", band.excitation[:, 0]),
        "excitation_stderr": ("time", band.excitation[:, 1:].std(axis=1)),
        "shot_stderr": ("time", at_times(stderr)),
        "raw_excitation": ("time", raw.excitation[:, 0]),
        "raw_stderr": ("time", raw.excitation[:, 1:].std(axis=1)),
        "r": ("time", band.r[:, 0]),
        "r_stderr": ("time", band.r[:, 1:].std(axis=1)),
        "U": ("time", band.utilisation[:, 0]),
        "U_stderr": ("time", band.utilisation[:, 1:].std(axis=1)),
        "phase": ("time", phase),
        "phase_stderr": ("time", band.phase[:, 1:].std(axis=1)),
        "kept": ("time", at_times(np.array([e.kept for e in estimates]))),
        "populations": (
            ("time", "excitations"),
            np.array([at_times(p) for p in populations.T]).T,
        ),
        "raw_populations": (
            ("time", "excitations"),
            np.array([at_times(p) for p in raw_populations.T]).T,
        ),
        "trotter_error": ("time", at_times(np.array([_trotter_figure(m) for m in done]))),
        "step_error": ("time", np.zeros(size)),
        "grid_phase": ("grid", s),
        "grid_excitation": ("grid", values),
        "grid_stderr": ("grid", stderr),
    }


def _sampled_exact(experiment: Experiment) -> dict[str, tuple[Any, Array]]:
    """The reference trajectory itself; with shots, E sampled from its populations."""
    exact, config = experiment.exact, experiment.config
    n = np.arange(config.neurons + 1) / config.neurons
    populations = exact.populations.values
    value, stderr = exact.excitation.values, np.zeros(experiment.times.size)
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


def _dataset(experiment: Experiment, done: Sequence[Measured]) -> xr.Dataset:
    config, exact = experiment.config, experiment.exact
    if config.backend == "exact":
        variables = _sampled_exact(experiment)
    elif config.evolution == "orbit" or config.feedback_afterwards:
        variables = _orbit_series(experiment, done)
    else:
        variables = _series(experiment, done)
    fine_times = np.linspace(0, config.time, _FINE)
    fine = simulate(experiment.model, experiment.synapse, experiment.initial, fine_times)
    for name in ("excitation", "r", "U", "phase"):
        variables[f"exact_{name}"] = ("time", exact[name].values)
        variables[f"exact_{name}_fine"] = ("time_fine", fine[name].values)
    variables["exact_populations"] = (("time", "excitations"), exact.populations.values)
    data = xr.Dataset(
        {name: (dims, values, _DIMENSIONLESS) for name, (dims, values) in variables.items()},
        coords={
            "time": ("time", experiment.times, {"units": "1/coupling"}),
            "time_fine": ("time_fine", fine_times, {"units": "1/coupling"}),
            "excitations": np.arange(config.neurons + 1),
        },
        attrs={
            # netCDF knows no booleans
            **{
                k: int(v) if isinstance(v, bool) else v
                for k, v in config.model_dump().items()
                if v is not None
            },
            "title": "LMG quantum brain: measured against exact",
        },
    )
    for name in ("phase", "exact_phase", "exact_phase_fine", "phase_stderr", "grid_phase"):
        if name in data:
            data[name].attrs["units"] = "1/coupling"
    if done:
        _add_counts(data, done)
    return data


def _add_counts(data: xr.Dataset, done: Sequence[Measured]) -> None:
    """Raw counts of every circuit: one row an outcome, and what each circuit was for."""
    readings = [(m.step.index, reading) for m in done for reading in m.readings]
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


def _circuits(experiment: Experiment, done: Sequence[Measured]) -> list[QuantumCircuit]:
    """Points as dispatched. Of a qubit replay only the last: it begins with all the others."""
    if not done:
        return []
    controls: list[SynapticState] = [m.step.control for m in done]
    config = experiment.config
    indices = range(len(done))
    if config.evolution in ("replay", "relax") and config.encoding == "qubit":
        indices = range(len(done) - 1, len(done))
    return [experiment.prepare(k, controls)[0].isa for k in indices]


def _drawing(circuits: Sequence[QuantumCircuit]) -> str:
    if not circuits:
        return ""
    circuit = circuits[min(1, len(circuits) - 1)]
    if circuit.size() <= 400:
        return str(circuit.draw("text", fold=150, idle_wires=False))
    counts = ", ".join(f"{name} {count}" for name, count in circuit.count_ops().items())
    return f"{circuit.num_qubits} qubits, depth {circuit.depth()}: {counts}"


def _summary(
    experiment: Experiment,
    data: xr.Dataset,
    done: Sequence[Measured],
    circuits: Sequence[QuantumCircuit],
) -> dict[str, Any]:
    config = experiment.config
    exact = config.backend == "exact"
    error = data.excitation.values - data.exact_excitation.values
    inside = np.abs(error) <= _Z95 * data.excitation_stderr.values + 1e-12
    shots = config.shots if not exact or "shots" in config.model_fields_set else None
    return {
        "system": "lmg",
        "backend": config.backend,
        "neurons": config.neurons,
        "qubits": experiment.sources[0].qubits if experiment.sources else 0,
        "steps": config.steps,
        "shots": shots,
        "seed": config.seed,
        "encoding": config.encoding,
        "evolution": "exact" if exact else config.evolution,
        "mitigation": "none" if exact or not config.chain else label_of(config.chain),
        "circuits": sum(len(m.readings) for m in done),
        "validated": sum(1 for m in done for record in m.validation if record["checks"]),
        "validation": next((m.validation[0]["method"] for m in done), None),
        "two_qubit_gates": max((two_qubit_gates(c) for c in circuits), default=0),
        "depth": max((depth(c) for c in circuits), default=0),
        "trotter_steps": None if exact else experiment.most_steps,
        "rmse_excitation": _rms(error),
        "rmse_excitation_raw": _rms(data.raw_excitation - data.exact_excitation),
        "max_error_excitation": float(np.max(np.abs(error))),
        "rmse_r": _rms(data.r - data.exact_r),
        "population_fidelity": hellinger_fidelity(
            data.populations.values, data.exact_populations.values
        ),
        "band_coverage": float(np.mean(inside)),
        "kept_fraction": float(data.kept.mean()),
        "shot_error": _rms(data.shot_stderr),
        "trotter_error": _rms(data.trotter_error),
        "trotter_error_max": float(np.max(np.abs(data.trotter_error))),
        "step_error": _rms(data.step_error),
    }


def _report_only(experiment: Experiment, result: Mapping[str, Any]) -> dict[str, Any]:
    config, details = experiment.config, experiment.device
    note = str(details.get("note", ""))
    classical = ""
    if config.backend != "exact" and config.encoding == "dicke":
        classical = {
            "isometry": "The circuits prepare states that were worked out classically "
            "(synthesis isometry): a test of the device, no simulation by it.",
            "unitary": "The evolution operator was worked out classically and synthesised "
            "(synthesis unitary).",
            "trotter": "The evolution is a product formula on the encoded qubits.",
        }[config.synthesis]
    known = sum(result[name] ** 2 for name in ("shot_error", "trotter_error", "step_error"))
    rest = float(np.sqrt(max(result["rmse_excitation"] ** 2 - known, 0.0)))
    return {"device_note": note, "classical_note": classical, "rest": rest}
