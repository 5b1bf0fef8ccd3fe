"""What the studies beyond the paper share: their words, the run they are held against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from qbrain.classical_feedback.synapse import Synapse
from qbrain.reference.lmg import LMG, simulate

from ...papers.figures import Study
from ...papers.texts import fill

__all__ = ["contrast", "free_run", "told_study"]


def told_study(
    name: str, title: str, data: xr.Dataset, measures: Mapping[str, float], **values: Any
) -> Study:
    """Make a study whose words are those of ``text/NAME.md.jinja``, filled from its measures.

    Args:
        name, title, data, measures: as in :class:`qbrain.experiments.papers.figures.Study`.
        values: what the template needs beside the measures, which it knows as ``m``.
    """
    words = fill(__package__, name, m=measures, **values)
    return Study(name, title, words["question"], words["finding"], data, measures)


def free_run(
    neurons: int, initial: str | int, times: ArrayLike, *, gamma: float = 0.8, g0: float = 1.0
) -> xr.Dataset:
    """Run a brain without stimulus, decay or measurement, τ_r = 1: others are held against it."""
    return simulate(LMG(neurons, gamma, g0), Synapse(tau_r=1.0), initial, times)


def contrast(values: ArrayLike) -> float:
    """Return the standard deviation over time."""
    found: NDArray[np.float64] = np.asarray(values, dtype=float)
    return float(found.std())
