"""What each mitigation made of the same circuits: the rows of a run's table."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..engine.chains import Chain, label_of
from ..engine.measures import hellinger_fidelity
from ..engine.mitigation import Mitigator
from ..engine.mitigation_rows import UNDETERMINED, common_row
from .brain import Brain
from .points import Measured, Point
from .relaxation import integrated_loop

__all__ = ["add_mitigations"]

Array = NDArray[np.float64]


def add_mitigations(
    brain: Brain, mitigator: Mitigator, data: xr.Dataset, measured: Measured
) -> list[dict[str, Any]]:
    """Put E and populations by every chain into ``data``; one row a chain.

    A row says, beside what it says in every system, how much of the curve lies within two error
    bars, the Hellinger fidelity of the populations, the part of the shots accepted and the shots
    beyond those of the raw points. Its numbers are None where the counts do not determine the
    estimate.
    """
    points, every = measured.points, measured.every
    chains = mitigator.chains(points[0].readings)
    shape = (len(chains), data.sizes["time"])
    value, stderr = np.full(shape, np.nan), np.full(shape, np.nan)
    populations = np.full((*shape, data.sizes["excitations"]), np.nan)
    rows = []
    for k, chain in enumerate(chains):
        readings = list(itertools.chain.from_iterable(every))
        extra = brain.config.shots * (mitigator.circuits_for(chain, readings) - len(every))
        row: dict[str, Any] = {"mitigation": label_of(chain), "extra_shots": extra}
        try:
            value[k], stderr[k], populations[k], kept = _curve(
                brain, mitigator, points, chain, data
            )
        except UNDETERMINED:
            kept = np.nan
        rows.append(row | _metrics(data, value[k], stderr[k], populations[k], kept))
    data.coords["mitigation"] = [row["mitigation"] for row in rows]
    attrs = {"units": "1"}
    data["mitigated_excitation"] = (("mitigation", "time"), value, attrs)
    data["mitigated_stderr"] = (("mitigation", "time"), stderr, attrs)
    data["mitigated_populations"] = (("mitigation", "time", "excitations"), populations, attrs)
    return rows


def _curve(
    brain: Brain, mitigator: Mitigator, points: Sequence[Point], chain: Chain, data: xr.Dataset
) -> tuple[Array, Array, Array, float]:
    """E, its error and the populations at the run's times, and the part of the shots accepted."""
    found = [mitigator.by(chain, point.readings) for point in points]
    value = np.array([e.value for e in found])
    stderr = np.array([e.stderr for e in found])
    populations = np.array([e.populations for e in found])
    band = integrated_loop(brain, points, value, stderr)
    value, stderr = band.excitation[:, 0], band.excitation[:, 1:].std(axis=1)
    # what of the run's own band is not of its shots
    known = (data.interpolation_error.values, data.formula_error.values)
    stderr = np.sqrt(stderr**2 + known[0] ** 2 + known[1] ** 2)
    if brain.config.evolution == "orbit":
        s, phase = np.array([p.control.phase for p in points]), band.phase[:, 0]
        populations = np.array([np.interp(phase, s, column) for column in populations.T]).T
    return value, stderr, populations, float(np.mean([e.kept for e in found]))


def _metrics(
    data: xr.Dataset, value: Array, stderr: Array, populations: Array, kept: float
) -> dict[str, Any]:
    names = ("rmse_excitation", "max_error_excitation", "within_two_bars", "hellinger_fidelity")
    common = common_row(value, stderr, data.exact_excitation.values)
    if np.isnan(kept):
        return dict.fromkeys((*names, "kept_fraction")) | common
    exact = data.exact_excitation.values
    figures = (
        common["rmse"],
        common["max_error"],
        float(np.mean(np.abs(value - exact) <= 2 * stderr)),
        hellinger_fidelity(populations, data.exact_populations.values),
    )
    return dict(zip(names, figures, strict=True)) | {"kept_fraction": kept} | common
