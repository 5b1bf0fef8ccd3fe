"""What a run of entangled neurons measured: dataset, figures of merit, picture, report."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qbrain.reference.qlif.bell_counts import ChshEstimate, RateTest
from qbrain.reference.qlif.spike_synchrony import Measure

from ..engine.folder import RunDirectory
from ..report.figure import save_figure
from ..report.page import backend_in_words, validation_table
from .figure import pair_figure, render_pair_report
from .groups import Rasters
from .measures import (
    MEASURES,
    bell_counts,
    chsh_of,
    classical_operations,
    corrected_chsh,
    drive_test,
    matched_table,
    measure_spikes,
    plain,
    signalling_of,
)
from .model import KINDS, key_of

if TYPE_CHECKING:
    from .protocol import Measurement, QlifExperiment

__all__ = ["finish"]

Array = NDArray[np.float64]
SHARING = ("entangled", "private bit", "shared bit")


@dataclass(frozen=True)
class Kind:
    """A kind of neurons in the run's first session: rasters and what is read off them."""

    name: str
    rasters: Rasters
    figures: dict[str, Measure]
    counts: NDArray[np.int64] | None
    chsh: ChshEstimate | None
    operations: int

    def row(self) -> dict[str, Any]:
        """As a row of a table."""
        found: dict[str, Any] = {"kind": self.name}
        for name in MEASURES:
            found[name] = plain(self.figures[name].value)
            found[f"{name}_stderr"] = plain(self.figures[name].stderr)
        found["chsh"] = self.chsh.value if self.chsh else None
        found["chsh_stderr"] = self.chsh.stderr if self.chsh else None
        found["operations_per_tick"] = self.operations
        return found


def finish(
    experiment: QlifExperiment, run: RunDirectory, done: Sequence[Measurement], began: float
) -> dict[str, Any]:
    """Write everything a finished run holds and return its JSON object."""
    config, model = experiment.config, experiment.model
    measured = done[0] if done else None
    sessions = (
        measured.sessions if measured else [model.simulate("entangled", s) for s in model.sessions]
    )
    # controls get what came off the device, so that they differ in what is shared alone
    table = matched_table(sessions[0], config) if measured else None
    kinds = []
    for name in KINDS:
        own = sessions[0]
        if name != "entangled":
            given = table if name in SHARING else None
            own = model.simulate(name, model.sessions[0], given)
        counts = bell_counts(own, config)
        operations = classical_operations(
            name, config, tabulated=name != "entangled" or measured is None
        )
        kinds.append(
            Kind(name, own, measure_spikes(own.spikes, config), counts, chsh_of(counts), operations)
        )
    result = _summary(experiment, measured, kinds, table is not None)
    result |= _signalling(experiment, sessions, kinds)
    result |= _cost(experiment, measured, kinds)
    result["controls"] = [kind.row() for kind in kinds[1:]]
    result["wall_seconds"] = round(time.perf_counter() - began, 3)
    result["run_dir"] = str(run.path)
    data = _dataset(experiment, sessions, kinds)
    packed = {
        name: {"zlib": True, "complevel": 1} for name in data.data_vars if data[name].ndim > 2
    }
    run.write("result.nc", lambda path: data.to_netcdf(path, engine="h5netcdf", encoding=packed))
    circuits = experiment.circuits.distinct if experiment.circuits else []
    if circuits:
        run.write_circuits("circuits.qpy", circuits)
    title = _title(experiment)
    picture = pair_figure(data, result, title)
    run.write("figure.png", lambda path: save_figure(picture, path))
    page = render_pair_report(
        title=title,
        result=result,
        entangled=kinds[0].row(),
        picture=picture,
        record=run.record(),
        circuit=str(circuits[-1].draw("text", fold=110)) if circuits else "",
        validation=validation_table(measured.validation if measured else []),
    )
    run.write("report.html", page.encode())
    run.write_result(result)
    return result


def _title(experiment: QlifExperiment) -> str:
    config = experiment.config
    what = "pairs" if config.group == 2 else f"groups of {config.group}"
    form = ""
    if experiment.circuits is not None:
        form = ", a job a tick" if config.live else ", recorded shots"
    return (
        f"Entangled neurons, {config.pairs} {what}, φ = {config.phi:.3g}, settings "
        f"{config.settings}: {backend_in_words(config.backend)}{form}"
    )


def _summary(
    experiment: QlifExperiment, measured: Measurement | None, kinds: Sequence[Kind], matched: bool
) -> dict[str, Any]:
    config, own = experiment.config, kinds[0]
    records = measured.validation if measured else []
    shared = next(kind for kind in kinds if kind.name == "shared bit")
    result: dict[str, Any] = {
        "system": "qlif",
        "backend": config.backend,
        "pairs": config.pairs,
        "group": config.group,
        "ticks": config.ticks,
        "phi": config.phi,
        "visibility": config.visibility,
        "settings": config.settings,
        "qubits": experiment.qubits,
        "form": config.circuits if measured else None,
        "shots": config.shots if measured else None,
        "circuits": len(records),
        "distinct_circuits": len(experiment.circuits.distinct) if experiment.circuits else 0,
        "validated": sum(1 for record in records if record["checks"]),
        "two_qubit_gates": max((r["two_qubit_gates"] for r in records), default=0),
        "depth": max((r["depth"] for r in records), default=0),
        "chsh": own.chsh.value if own.chsh else None,
        "chsh_stderr": own.chsh.stderr if own.chsh else None,
        "chsh_exact": experiment.model.chsh_exact,
        "chsh_bound": 2.0,
        "mitigation": config.mitigation if measured else "none",
    }
    row = own.row()
    result |= {name: row[name] for m in MEASURES for name in (m, f"{m}_stderr")}
    gap = own.figures["synchrony"].value - shared.figures["synchrony"].value
    spread = math.hypot(own.figures["synchrony"].stderr, shared.figures["synchrony"].stderr)
    result |= {
        "synchrony_over_shared_bit": plain(gap),
        "synchrony_over_shared_bit_stderr": plain(spread),
    }
    result["shared_bit_from"] = "counts" if matched else "state"
    for kind in kinds[1:]:
        found = kind.row()
        for name in ("synchrony", "chsh"):
            result[f"{key_of(kind.name)}_{name}"] = found[name]
            result[f"{key_of(kind.name)}_{name}_stderr"] = found[f"{name}_stderr"]
    if measured is not None and measured.calibration is not None and own.counts is not None:
        result |= _corrected(experiment, measured, own.counts)
    if experiment.circuits is not None:
        details = experiment.circuits.device
        result |= {k: details[k] for k in ("physical_qubits", "calibration") if k in details}
    return result


def _corrected(
    experiment: QlifExperiment, measured: Measurement, counts: NDArray[np.int64]
) -> dict[str, Any]:
    circuits, rows = experiment.circuits, experiment.config.angle_rows
    assert circuits is not None
    assert measured.calibration is not None
    wrong = {
        (x, y): circuits.wrong_bits(measured.calibration, (rows[0][x], rows[1][y]))
        for x in range(2)
        for y in range(2)
    }
    value, stderr = corrected_chsh(counts, wrong)
    return {
        "chsh_readout": value,
        "chsh_readout_stderr": stderr,
        "readout_calibration": [measured.calibration.record()],
    }


def _signalling(
    experiment: QlifExperiment, sessions: Sequence[Rasters], kinds: Sequence[Kind]
) -> dict[str, Any]:
    """Tests of no-signalling: bits against the other's setting, rates against the other's drive."""
    config, model = experiment.config, experiment.model
    whole = signalling_of(sessions[0], config)
    # each direction in a session of its own, where there is one
    one = signalling_of(sessions[1], config) if len(sessions) > 1 else whole
    two = signalling_of(sessions[2], config) if len(sessions) > 2 else whole
    found: dict[str, Any] = {
        "no_signalling_p": plain(whole.p_value) if whole else None,
        "no_signalling_first_p": plain(one.p_first) if one else None,
        "no_signalling_second_p": plain(two.p_second) if two else None,
    }
    coupled = next(kind for kind in kinds if kind.name == "coupled").rasters
    for k, (name, neuron) in enumerate((("first", 0), ("second", 1)), start=1):
        tests: dict[str, RateTest | None] = {"drive": None, "coupled_drive": None}
        if len(sessions) > k:
            tests["drive"] = drive_test(sessions[0], sessions[k], neuron=neuron)
            other = model.simulate("coupled", model.sessions[k])
            tests["coupled_drive"] = drive_test(coupled, other, neuron=neuron)
        for test, rates in tests.items():
            hertz = 1000 / config.tick
            found[f"{test}_{name}_hz"] = plain(-hertz * rates.difference) if rates else None
            found[f"{test}_{name}_hz_stderr"] = plain(hertz * rates.stderr) if rates else None
            found[f"{test}_{name}_p"] = plain(rates.p_value) if rates else None
    drives = [found[f"drive_{name}_p"] for name in ("first", "second")]
    drives = [p for p in drives if p is not None]
    if whole is None and drives:
        # no choice of settings: the drives, by Bonferroni
        found["no_signalling_p"] = min(1.0, len(drives) * min(drives))
    return found


def _cost(
    experiment: QlifExperiment, measured: Measurement | None, kinds: Sequence[Kind]
) -> dict[str, Any]:
    config = experiment.config
    ticks = config.ticks * len(experiment.model.sessions)
    return {
        "shots_taken": measured.taken if measured else 0,
        "shots_used": measured.used if measured else 0,
        "circuit_executions_per_tick": measured.taken / ticks if measured else 0.0,
        "operations_per_tick": kinds[0].operations,
    }


def _dataset(
    experiment: QlifExperiment, sessions: Sequence[Rasters], kinds: Sequence[Kind]
) -> xr.Dataset:
    config, model = experiment.config, experiment.model
    raster = ("tick", "pair", "neuron")
    own = sessions[0]
    variables: dict[str, Any] = {
        "spikes": (("kind", *raster), np.stack([kind.rasters.spikes for kind in kinds])),
        "session_spikes": (("session", *raster), np.stack([s.spikes for s in sessions])),
        "currents": (
            ("session", "neuron"), np.array([s.currents for s in model.sessions]), {"units": "nA"},
        ),
        "seeds": ("session", np.array([s.seed for s in model.sessions])),
    }  # fmt: skip
    for name, bits in (("outcomes", own.outcomes), ("settings", own.settings)):
        if bits is not None:
            variables[name] = (raster, bits)
    if own.angles is not None:
        variables["angles"] = (raster, own.angles, {"units": "rad"})
    counts = {kind.name: kind.counts for kind in kinds if kind.counts is not None}
    if counts:
        dims = ("sharing", "setting_first", "setting_second", "bit_first", "bit_second")
        variables["counts"] = (dims, np.stack(list(counts.values())))
        rows = config.angle_rows
        variables["setting_angles"] = (
            ("side", "setting"), np.array([rows[0], rows[1]]), {"units": "rad"},
        )  # fmt: skip
    for name in MEASURES:
        for part in ("value", "stderr"):
            key = name if part == "value" else f"{name}_stderr"
            variables[key] = ("kind", np.array([getattr(k.figures[name], part) for k in kinds]))
    for key, part in (("chsh", "value"), ("chsh_stderr", "stderr")):
        values = [getattr(k.chsh, part) if k.chsh else math.nan for k in kinds]
        variables[key] = ("kind", np.array(values))
    coordinates: dict[str, Any] = {
        "time": ("tick", config.tick * np.arange(1, config.ticks + 1), {"units": "ms"}),
        "kind": [kind.name for kind in kinds],
        "session": [s.name for s in model.sessions],
    }
    if counts:
        coordinates["sharing"] = list(counts)
    return xr.Dataset(
        variables, coordinates, {"system": "qlif", **_attributes(config.model_dump())}
    )


def _attributes(values: Mapping[str, Any]) -> dict[str, Any]:
    """Those that netCDF takes; it has no truth values."""
    return {
        name: int(value) if isinstance(value, bool) else value
        for name, value in values.items()
        if isinstance(value, str | int | float)
    }
