"""What a run measured against the exact loop: dataset, numbers, picture."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from numpy.typing import NDArray

from qbrain import Fit, Outcome, Verdict, follow_verdict

from .config import BellNeuronConfig
from .model import exact_loop, phases


@dataclass(frozen=True)
class Measured:
    """What a run measured: θ (steps+1,), counts (steps+1, 3) at θ, θ + dither and θ - dither.

    ``intact``: shots in which both pairs were still of equal bits, which no circuit changes.
    """

    theta: NDArray[np.float64]
    spikes: NDArray[np.int64]
    shots: NDArray[np.int64]
    intact: NDArray[np.int64]


def outcome_of(config: BellNeuronConfig, measured: Measured | None, where: str) -> Outcome:
    """Everything that a run says; ``where`` the circuits ran, in words."""
    data = _dataset(config, measured)
    fit = _fit(data)
    title = f"A neuron compares two Bell states, φ₀ = {config.phase:g} rad: {where}"
    verdict = Verdict("good", "Exact loop; no circuit was run.")
    result = {"steps": config.steps, "last_rate": float(data.rate[-1]), "shots": None}
    if measured is not None:
        error, noise = fit.rmse or 0.0, fit.shot_error or 0.0
        words = ("the exact θ", f"RMSE {error:.4f} rad; shots alone give {noise:.4f}.")
        verdict = Verdict(*follow_verdict(*words, error, noise, (0.05, "0.05 rad"), 0.3))
        intact = float(measured.intact.sum() / measured.shots.sum())
        result |= {"shots": config.shots, "pairs_intact": intact}
    return Outcome(title, data, fit, result, verdict, picture=partial(_picture, data, title))


def _dataset(config: BellNeuronConfig, measured: Measured | None) -> xr.Dataset:
    theta, rate = exact_loop(config)
    found = {"phi": phases(config), "exact_theta": theta, "exact_rate": rate}
    found |= {"theta": theta, "rate": rate}
    if measured is not None:
        # one spike more of two shots more: no spike seen is no proof that there are none
        p = (measured.spikes + 1) / (measured.shots + 2)
        error = np.sqrt(p * (1 - p) / measured.shots)
        found |= {"theta": measured.theta, "theta_stderr": _theta_stderr(config, p[:, 0], error)}
        found |= {"rate": (measured.spikes / measured.shots)[:, 0], "rate_stderr": error[:, 0]}
        found |= {"spikes": measured.spikes, "shots": measured.shots, "intact": measured.intact}
    variables = {name: (("step", "circuit")[: each.ndim], each) for name, each in found.items()}
    return xr.Dataset(variables, {"step": np.arange(config.steps + 1)})


def _theta_stderr(config: BellNeuronConfig, rate: Any, error: Any) -> NDArray[np.float64]:
    """Shots' noise of θ: what each step adds, and what the loop makes of all before it.

    θ' = θ + g sin δ: an error of θ comes out times 1 - g cos δ, and cos δ is 1 - 2p.
    """
    added = config.gain * np.hypot(error[:, 1], error[:, 2]) / np.sin(config.dither)
    found = [0.0]
    for slope, more in zip(1 - config.gain * (1 - 2 * rate[:-1]), added[:-1], strict=True):
        found.append(float(np.hypot(slope * found[-1], more)))
    return np.array(found)


def _fit(data: xr.Dataset) -> Fit:
    # θ of step 0 is given, not measured
    error = np.abs(data.theta - data.exact_theta)[1:]
    fit = Fit("θ, rad", rmse=float(np.sqrt(np.mean(error**2))), max_error=float(error.max()))
    if "theta_stderr" not in data:
        return fit
    noise = data.theta_stderr[1:]
    inside, shots = np.mean(error <= 1.96 * noise), np.sqrt(np.mean(noise**2))
    return replace(fit, shot_error=float(shots), coverage=float(inside))


def _picture(data: xr.Dataset, title: str) -> Figure:
    figure = Figure(figsize=(9, 5), layout="constrained")
    figure.suptitle(title, fontsize=10)
    top, bottom = figure.subplots(2, 1, sharex=True)
    top.plot(data.step, data.phi, color="#94a3b8", ls="--", label="φ, which θ is to find")
    for axes, name, label in ((top, "theta", "θ, rad"), (bottom, "rate", "rate of spikes")):
        axes.plot(data.step, data[f"exact_{name}"], color="#1e293b", label="exact loop")
        if f"{name}_stderr" in data:
            band = 1.96 * data[f"{name}_stderr"]
            axes.errorbar(data.step, data[name], band, fmt="C1o", ms=3, label="measured, 95 %")
        axes.set_ylabel(label)
        axes.legend(fontsize=8, frameon=False)
    bottom.set_xlabel("step")
    return figure
