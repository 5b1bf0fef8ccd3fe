"""What a run of entangled neurons measured: dataset, distance from the exact answer, page."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from qbrain.reference.qlif.bit_rasters import BitRaster

from ..engine.chains import RAW, chains_of, label_of
from ..engine.experiment import Fit, Outcome, Verdict
from ..engine.measures import Z95, finite_or_none, netcdf_attributes, rms
from ..engine.mitigation_rows import UNDETERMINED, common_row, extra_shots
from ..engine.pieces import Pieces, piecewise
from .config import QlifConfig
from .correlators import Correlators
from .figure import pair_figure, verdict
from .groups import Rasters, distinct_settings
from .kinds import Kind, kinds_of, signalling_tests
from .measured import Measured, Sessions
from .measures import (
    MEASURES,
    Wrong,
    corrected_chsh,
    corrected_points,
    matched_table,
    parity_points,
)
from .model import QlifModel, key_of

__all__ = ["outcome_of"]

MITIGATED = (
    "Errors are of the correlators at the four pairs of settings. Neurons followed the shots as "
    "they came; a mitigation does not change what they did."
)


def outcome_of(
    model: QlifModel, sessions: Sessions, measured: Measured | None, where: str
) -> Outcome:
    """Rasters, CHSH value and tests of no-signalling, beside four kinds without entanglement.

    ``where``: the circuits ran, in words.
    """
    config, rasters = model.config, sessions.rasters
    table = matched_table(rasters[0], config) if measured else None
    kinds = kinds_of(model, rasters[0], table, drawn=measured is None)
    wrong = _readout_errors(config, measured, kinds[0])
    result = _summary(model, measured, kinds)
    result["shared_bit_from"] = "state" if table is None else "counts"
    if measured is not None and measured.calibration is not None:
        result["readout_calibration"] = [measured.calibration.record()]
    if wrong is not None and kinds[0].counts is not None:
        value, stderr = corrected_chsh(kinds[0].counts, wrong)
        result |= {"chsh_readout": value, "chsh_readout_stderr": stderr}
    result |= signalling_tests(model, rasters, kinds)
    result |= _cost(model, sessions, measured, kinds)
    result["controls"] = [kind.row() for kind in kinds[1:]]
    large = _large(rasters, kinds)
    data = _dataset(model, rasters, kinds, large)
    result["mitigations"] = _add_mitigations(config, measured, kinds[0], data)
    title = _title(config, measured, where)
    fit = _fit(config, kinds[0], wrong, measured)
    return Outcome(
        title=title,
        data=data,
        fit=fit,
        result=result,
        verdict=Verdict(*verdict(result)),
        picture=lambda: pair_figure(data, result, title),
        template="qlif/report.html.jinja",
        budget=[("shots", fit.shot_error)],
        values=lambda: {"kinds": [kind.row() for kind in kinds], "mitigated": MITIGATED},
        encoding={
            str(name): {"zlib": True, "complevel": 1} for name, x in data.items() if x.ndim > 2
        },
        large=large,
    )


def _title(config: QlifConfig, measured: Measured | None, where: str) -> str:
    what = "pairs" if config.group == 2 else f"groups of {config.group}"
    form = ""
    if measured is not None:
        form = ", a job a tick" if config.live else ", recorded shots"
    return (
        f"Entangled neurons, {config.pairs} {what}, φ = {config.phi:.3g}, settings "
        f"{config.settings}: {where}{form}"
    )


def _readout_errors(config: QlifConfig, measured: Measured | None, own: Kind) -> Wrong | None:
    """Readout errors of the bits at each pair of settings; None unless measured, and all came."""
    if measured is None or measured.calibration is None or own.chsh is None:
        return None
    _, place = distinct_settings(config.angle_rows)
    found = {}
    for x, y in np.ndindex(2, 2):
        # readout errors belong to qubits
        order = list(measured.orders[place[x + 2 * y]])
        calibration = measured.calibration
        found[x, y] = (calibration.readout[order], calibration.stderr[order])
    return found


def _correlators(config: QlifConfig, measured: Measured | None, own: Kind) -> Correlators | None:
    """Of a pair whose four pairs of settings all came; None of others, or without a chain."""
    if measured is None or not config.chain or own.chsh is None or own.counts is None:
        return None
    return Correlators(config, own.counts, measured.readings)


def _add_mitigations(
    config: QlifConfig, measured: Measured | None, own: Kind, data: xr.Dataset
) -> list[dict[str, Any]]:
    """A row a chain: errors of the bits' mean parities, and S; correlators go into ``data``."""
    if measured is None:
        return []
    found, exact, spread = parity_points(own.rasters, config)
    rows: list[dict[str, Any]] = [
        {
            "mitigation": label_of(RAW),
            **common_row(found, spread + 1e-9, exact),
            "chsh": own.chsh.value if own.chsh else None,
            "chsh_stderr": own.chsh.stderr if own.chsh else None,
            "extra_shots": 0,
        }
    ]
    correlators = _correlators(config, measured, own)
    chains = chains_of(config.chain)
    values, errors = np.full((2, len(chains), 2, 2), np.nan)
    for k, chain in enumerate(chains):
        s: tuple[float | None, float | None] = (None, None)
        if correlators is not None:
            with contextlib.suppress(*UNDETERMINED):
                values[k], errors[k] = correlators.by(chain)
                s = correlators.chsh(chain)
        if chain == RAW:
            continue
        wanted = 0.0 if correlators is None else correlators.exact
        rows.append(
            {
                "mitigation": label_of(chain),
                **common_row(values[k], errors[k], wanted),
                "chsh": s[0],
                "chsh_stderr": s[1],
                "extra_shots": extra_shots(chain, measured.readings, config.shots),
            }
        )
    if correlators is not None:
        data.coords["mitigation"] = [label_of(chain) for chain in chains]
        dims = ("mitigation", "setting_first", "setting_second")
        data["mitigated_correlator"] = (dims, values)
        data["mitigated_correlator_stderr"] = (dims, errors)
    return rows


def _fit(config: QlifConfig, own: Kind, wrong: Wrong | None, measured: Measured | None) -> Fit:
    """Mean parities of the bits at the settings that came, against the state's."""
    observable = "E of the bits" if config.group == 2 else "parity of the bits"
    found, exact, spread = parity_points(own.rasters, config)
    raw = None
    correlators = _correlators(config, measured, own)
    if config.chain - {"readout"} and correlators is not None:
        raw = rms(found - exact)
        found, spread = correlators.by(config.chain)
        exact = correlators.exact
    elif wrong is not None and own.counts is not None:
        raw = rms(found - exact)
        found, exact, spread = corrected_points(own.counts, wrong, config)
    error = np.abs(found - exact)
    return Fit(
        observable,
        rms(error),
        float(error.max()),
        raw,
        rms(spread),
        # where all bits are alike there is no spread, but the rounding of the exact value
        float((error <= Z95 * spread + 1e-9).mean()),
    )


def _summary(model: QlifModel, measured: Measured | None, kinds: Sequence[Kind]) -> dict[str, Any]:
    config, own = model.config, kinds[0]
    shared = next(kind for kind in kinds if kind.name == "shared bit")
    result: dict[str, Any] = {
        "pairs": config.pairs,
        "group": config.group,
        "ticks": config.ticks,
        "phi": config.phi,
        "visibility": config.visibility,
        "settings": config.settings,
        "form": config.circuits if measured else None,
        "shots": config.shots_each if measured else None,
        "distinct_circuits": measured.distinct if measured else 0,
        "chsh": own.chsh.value if own.chsh else None,
        "chsh_stderr": own.chsh.stderr if own.chsh else None,
        "chsh_exact": model.chsh_exact,
        "chsh_bound": 2.0,
        "mitigation": config.chain_label if measured else "none",
    }
    row = own.row()
    result |= {name: row[name] for m in MEASURES for name in (m, f"{m}_stderr")}
    gap = own.metrics["synchrony"].value - shared.metrics["synchrony"].value
    spread = math.hypot(own.metrics["synchrony"].stderr, shared.metrics["synchrony"].stderr)
    result["synchrony_over_shared_bit"] = finite_or_none(gap)
    result["synchrony_over_shared_bit_stderr"] = finite_or_none(spread)
    for kind in kinds[1:]:
        found = kind.row()
        for name in ("synchrony", "chsh"):
            result[f"{key_of(kind.name)}_{name}"] = found[name]
            result[f"{key_of(kind.name)}_{name}_stderr"] = found[f"{name}_stderr"]
    return result


def _cost(
    model: QlifModel, sessions: Sessions, measured: Measured | None, kinds: Sequence[Kind]
) -> dict[str, Any]:
    taken = measured.taken if measured else 0
    return {
        "shots_taken": taken,
        "shots_used": sessions.used,
        "circuit_executions_per_tick": taken / (model.config.ticks * len(model.sessions)),
        "operations_per_tick": kinds[0].operations,
    }


def _large(sessions: Sequence[Rasters], kinds: Sequence[Kind]) -> dict[str, Pieces]:
    """Rasters that are kept as bits."""
    own = sessions[0]
    found: dict[str, Sequence[Any]] = {
        "spikes": [kind.rasters.spikes for kind in kinds],
        "session_spikes": [s.spikes for s in sessions],
        "outcomes": [own.outcomes],
        "settings": [own.settings],
    }
    return {
        name: Pieces(rows, stacked="spikes" in name)
        for name, rows in found.items()
        if isinstance(rows[0], BitRaster)
    }


def _dataset(
    model: QlifModel,
    sessions: Sequence[Rasters],
    kinds: Sequence[Kind],
    large: Mapping[str, Pieces],
) -> xr.Dataset:
    config = model.config
    raster = ("tick", "pair", "neuron")
    own = sessions[0]
    variables: dict[str, Any] = {
        name: piecewise((first, *raster), large[name])
        if name in large
        else ((first, *raster), np.stack([np.asarray(each.spikes) for each in rows]))
        for name, first, rows in (
            ("spikes", "kind", [kind.rasters for kind in kinds]),
            ("session_spikes", "session", sessions),
        )
    }
    variables |= {
        "currents": (
            ("session", "neuron"), np.array([s.currents for s in model.sessions]), {"units": "nA"},
        ),
        "seeds": ("session", np.array([s.seed for s in model.sessions])),
    }  # fmt: skip
    for name, bits in (("outcomes", own.outcomes), ("settings", own.settings)):
        if bits is not None:
            variables[name] = piecewise(raster, large[name]) if name in large else (raster, bits)
    if own.angles is not None:
        variables["angles"] = (raster, own.angles, {"units": "rad"})
    coordinates: dict[str, Any] = {
        "time": ("tick", config.tick * np.arange(1, config.ticks + 1), {"units": "ms"}),
        "kind": [kind.name for kind in kinds],
        "session": [s.name for s in model.sessions],
    }
    counts = {kind.name: kind.counts for kind in kinds if kind.counts is not None}
    if counts:
        dims = ("sharing", "setting_first", "setting_second", "bit_first", "bit_second")
        variables["counts"] = (dims, np.stack(list(counts.values())))
        angles = np.array(config.angle_rows[:2])
        variables["setting_angles"] = (("side", "setting"), angles, {"units": "rad"})
        coordinates["sharing"] = list(counts)
    attributes = {**netcdf_attributes(config), "shots": config.shots_each}
    return xr.Dataset(variables | _metrics(kinds), coordinates, {"system": "qlif", **attributes})


def _metrics(kinds: Sequence[Kind]) -> dict[str, Any]:
    """Metrics of each kind and their standard errors, and the CHSH value: nan where none is."""
    found: dict[str, Any] = {}
    for name in MEASURES:
        found[name] = ("kind", np.array([k.metrics[name].value for k in kinds]))
        found[f"{name}_stderr"] = ("kind", np.array([k.metrics[name].stderr for k in kinds]))
    value = [k.chsh.value if k.chsh else math.nan for k in kinds]
    stderr = [k.chsh.stderr if k.chsh else math.nan for k in kinds]
    return {**found, "chsh": ("kind", np.array(value)), "chsh_stderr": ("kind", np.array(stderr))}
