"""What each mitigation made of the same circuits: the rows of a run's table."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qbrain.backends.errors import BackendError
from qbrain.classical_feedback.estimator import EstimateError
from qbrain.classical_feedback.synapse import FeedbackError

from ..compare import hellinger_fidelity
from ..engine.chains import Chain, label_of
from .relax import integrated_orbit

if TYPE_CHECKING:
    from .protocol import Experiment, Measured

__all__ = ["add_mitigations"]

Array = NDArray[np.float64]


def add_mitigations(
    experiment: Experiment, data: xr.Dataset, done: Sequence[Measured], every: Sequence[Measured]
) -> list[dict[str, Any]]:
    """Put E and populations by every chain into ``data``; one row a chain.

    ``done``: the points of the result; ``every``: all that was measured on the way to them, which
    is what the extra shots count. A row says how far E is from the exact curve, how much of the
    curve lies within two error bars, the Hellinger fidelity of the populations, the part of the
    shots kept and the shots beyond those of the raw points. Its figures are None where the counts
    do not determine the estimate.
    """
    mitigator = experiment.mitigator
    chains = mitigator.chains(done[0].readings)
    shape = (len(chains), data.sizes["time"])
    value, stderr = np.full(shape, np.nan), np.full(shape, np.nan)
    populations = np.full((*shape, data.sizes["excitations"]), np.nan)
    rows = []
    for k, chain in enumerate(chains):
        readings = list(itertools.chain.from_iterable(m.readings for m in every))
        extra = experiment.config.shots * (mitigator.circuits_for(chain, readings) - len(every))
        row: dict[str, Any] = {"mitigation": label_of(chain), "extra_shots": extra}
        try:
            value[k], stderr[k], populations[k], kept = _curve(experiment, done, chain)
        except (BackendError, EstimateError, FeedbackError):
            kept = np.nan
        rows.append(row | _figures(data, value[k], stderr[k], populations[k], kept))
    data.coords["mitigation"] = [row["mitigation"] for row in rows]
    attrs = {"units": "1"}
    data["mitigated_excitation"] = (("mitigation", "time"), value, attrs)
    data["mitigated_stderr"] = (("mitigation", "time"), stderr, attrs)
    data["mitigated_populations"] = (("mitigation", "time", "excitations"), populations, attrs)
    return rows


def _curve(
    experiment: Experiment, done: Sequence[Measured], chain: Chain
) -> tuple[Array, Array, Array, float]:
    """E, its error and the populations at the run's times, and the part of the shots kept."""
    config = experiment.config
    found = [experiment.mitigator.by(chain, m.readings) for m in done]
    value = np.array([e.value for e in found])
    stderr = np.array([e.stderr for e in found])
    populations = np.array([e.populations for e in found])
    if config.evolution == "orbit" or config.feedback_afterwards:
        s = np.array([m.step.control.phase for m in done])
        band = integrated_orbit(experiment, done, value, stderr)
        value, stderr = band.excitation[:, 0], band.excitation[:, 1:].std(axis=1)
        phase = band.phase[:, 0]
        populations = np.array([np.interp(phase, s, column) for column in populations.T]).T
    return value, stderr, populations, float(np.mean([e.kept for e in found]))


def _figures(
    data: xr.Dataset, value: Array, stderr: Array, populations: Array, kept: float
) -> dict[str, Any]:
    names = ("rmse_excitation", "max_error_excitation", "within_two_bars", "hellinger_fidelity")
    if np.isnan(kept):
        return dict.fromkeys((*names, "kept_fraction"))
    error = np.abs(value - data.exact_excitation.values)
    figures = (
        float(np.sqrt(np.mean(error**2))),
        float(error.max()),
        float(np.mean(error <= 2 * stderr)),
        hellinger_fidelity(populations, data.exact_populations.values),
    )
    return dict(zip(names, figures, strict=True)) | {"kept_fraction": kept}
