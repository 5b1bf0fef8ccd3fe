"""Small measures and forms that every system's result needs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .config import BaseConfig

__all__ = ["Z95", "finite_or_none", "hellinger_fidelity", "netcdf_attributes", "rms"]

#: standard errors to either side of a 95 % band
Z95 = 1.959964


def rms(values: Any) -> float:
    """Root of the mean square."""
    return float(np.sqrt(np.mean(np.square(np.asarray(values, dtype=float)))))


def netcdf_attributes(config: BaseConfig) -> dict[str, str | int | float]:
    """The configuration as attributes of a dataset: netCDF has no truth values and no None."""
    return {
        name: int(value) if isinstance(value, bool) else value
        for name, value in config.model_dump(exclude_none=True).items()
        if isinstance(value, str | int | float)
    }


def finite_or_none(value: Any) -> float | None:
    """The number for JSON, which has no nan."""
    return None if value is None or not math.isfinite(value) else float(value)


def hellinger_fidelity(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    """Mean over rows of (Σ_n sqrt(p_n q_n))²; negative quasi-probabilities count as none."""
    p, q = np.clip(p, 0, None), np.clip(q, 0, None)
    p, q = p / p.sum(axis=1, keepdims=True), q / q.sum(axis=1, keepdims=True)
    return float(np.mean(np.sum(np.sqrt(p * q), axis=1) ** 2))
