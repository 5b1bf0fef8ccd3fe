"""What each chain made of the same circuits: a row a chain, of the same keys in every system."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qbrain.backends.errors import BackendError
from qbrain.classical_feedback.estimator import EstimateError
from qbrain.classical_feedback.synapse import FeedbackError

from .chains import RAW, Chain, circuits_for, label_of
from .measures import Z95, rms
from .readings import Reading

__all__ = ["ROW", "UNDETERMINED", "MitigatedCurve", "common_row", "extra_shots", "mitigated_curves"]

Array = NDArray[np.float64]
#: keys of a row in every system
ROW = ("mitigation", "rmse", "max_error", "coverage", "extra_shots")
#: what counts that do not determine an estimate raise
UNDETERMINED = (BackendError, EstimateError, FeedbackError)
# value and standard error, of one shape
MitigatedCurve = tuple[Array, Array]


def common_row(value: ArrayLike, stderr: ArrayLike, exact: ArrayLike) -> dict[str, Any]:
    """RMSE and largest error against the exact values, and the part inside their 95 % bars.

    None of each where a value is missing, which is nan.
    """
    error = np.abs(np.asarray(value, dtype=float) - np.asarray(exact, dtype=float))
    if np.isnan(error).any():
        return dict.fromkeys(ROW[1:4])
    inside = error <= Z95 * np.asarray(stderr, dtype=float)
    return {"rmse": rms(error), "max_error": float(error.max()), "coverage": float(inside.mean())}


def extra_shots(chain: Chain, readings: Sequence[Reading], shots: int) -> int:
    """Shots of a chain's circuits beyond those of the raw points."""
    return shots * (circuits_for(chain, readings) - circuits_for(RAW, readings))


def mitigated_curves(
    chains: Sequence[Chain],
    estimate: Callable[[Chain], MitigatedCurve],
    exact: ArrayLike,
    readings: Sequence[Reading],
    shots: int,
) -> tuple[list[dict[str, Any]], Array, Array]:
    """A row a chain, and values and standard errors (chains, …); nan where there is no estimate."""
    wanted = np.asarray(exact, dtype=float)
    shape = (len(chains), *wanted.shape)
    values, errors, rows = np.full(shape, np.nan), np.full(shape, np.nan), []
    for k, chain in enumerate(chains):
        with contextlib.suppress(*UNDETERMINED):
            values[k], errors[k] = estimate(chain)
        row = {"mitigation": label_of(chain), **common_row(values[k], errors[k], wanted)}
        rows.append({**row, "extra_shots": extra_shots(chain, readings, shots)})
    return rows, values, errors
