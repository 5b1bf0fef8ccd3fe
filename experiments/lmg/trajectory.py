"""The exact point of a sweep: the reference trajectory itself, without a run."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qbrain.classical_feedback.synapse import Synapse
from qbrain.reference.lmg import LMG, simulate

from .config import LMGConfig

__all__ = ["trajectory"]

Array = NDArray[np.float64]


def trajectory(config: LMGConfig) -> tuple[dict[str, Array], dict[str, float]]:
    """The closed loop at the times t_k = k·time/steps that a run would measure.

    Returns:
        E, r, U, the phase ∫r dt and the times themselves, (steps + 1,) each; and mean E, variance
        of E and least r over these times.
    """
    model = LMG(config.neurons, config.gamma, config.g0, config.field)
    synapse = Synapse(config.tau_r, config.tau_f, config.release)
    times = config.time / config.steps * np.arange(config.steps + 1)
    data = simulate(model, synapse, config.initial, times)
    series = {name: data[name].values for name in ("excitation", "r", "U", "phase")}
    metrics = {
        "mean_excitation": float(data.excitation.mean()),
        "variance_excitation": float(data.excitation.var()),
        "least_r": float(data.r.min()),
    }
    return {**series, "time": times}, metrics
