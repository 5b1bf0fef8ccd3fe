"""Figures 1 to 4: the collective oscillations, and r(t) beside them.

Without a field a trajectory is one orbit E(s), s = ∫r dt, that comes back after s = πN/g0 for
γ = 1. Figures 2 to 4 therefore hold two to five returns in the paper's windows.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import xarray as xr

from qbrain.reference.lmg import LMG, Orbit

from ...papers.figures import Parameter, Variation
from .measures import correlation, dominant_frequency, dwell_share
from .model import PaperFigure, paper_figure, run, stack

__all__ = ["figure_1", "figure_2", "figure_3", "figure_4"]

_STARTS = (40, 32, 24, 21)
_WINDOW_1 = 150.0
_WINDOWS = {10: 4000.0, 40: 5000.0, 80: 10_000.0}


def figure_1() -> PaperFigure:
    """Recompute four starts of N = 40, γ = 1 and 0.9, no feedback."""
    t = np.linspace(0, _WINDOW_1, 3001)
    data = stack(
        {"start": _STARTS, "gamma": (1.0, 0.9)}, lambda n, gamma: run(40, gamma, 2.0, n, t)
    )
    excitation = data.excitation
    swing = {
        (n, gamma): float(np.ptp(excitation.sel(start=n, gamma=gamma).values))
        for n in _STARTS
        for gamma in (1.0, 0.9)
    }
    period = math.pi * 40 / 2.0
    saturated = excitation.sel(start=40, gamma=0.9).values
    long = np.linspace(0, 20 * _WINDOW_1, 60_001)
    lowest = float(run(40, 0.9, 2.0, 40, long).excitation.min())
    other = run(40, 1.0, 2.0, 22, t).excitation.values
    middle = run(40, 1.0, 2.0, 20, t).excitation.values
    measures = {
        "period of E, start 40, gamma 1": period,
        **{f"swing of E, start {n}, gamma {g:g}": x for (n, g), x in swing.items()},
        "lowest E, start 40, gamma 0.9": float(saturated.min()),
    }
    return paper_figure(
        1,
        "Oscillations from four initial states, no feedback (N = 40)",
        (
            Parameter("neurons", 40),
            Parameter("gamma", [1.0, 0.9]),
            Parameter("g0", 2.0),
            Parameter("field", 0.0),
            Parameter("tau_r", 0.0),
            Parameter("start_percent", [100.0, 80.0, 60.0, 53.0]),
            Parameter(
                "start_excitations",
                list(map(float, _STARTS)),
                "53 % of 40 is 21.2; the nearest number of neurons is 21 (52.5 %)",
            ),
            Parameter("window", _WINDOW_1, "the text states none; two returns at γ = 1"),
        ),
        data,
        (
            Variation(
                "start_excitations", "21 (52.5 %)", "22 (55 %)", "swing of E at γ = 1",
                swing[21, 1.0], float(np.ptp(other)),
            ),
            Variation(
                "start_excitations", "21 (52.5 %)", "20 (50 %)", "swing of E at γ = 1",
                swing[21, 1.0], float(np.ptp(middle)),
            ),
            Variation(
                "window", f"{_WINDOW_1:g}", f"{20 * _WINDOW_1:g}",
                "lowest E from 40 at γ = 0.9", float(saturated.min()), lowest,
            ),
        ),
        measures,
    )  # fmt: skip


def figure_2() -> PaperFigure:
    """Recompute the course from about half of the neurons active."""
    data, measures = _trajectories("half")
    t = np.linspace(0, 4000, 4001)
    above = run(10, 1.0, 0.05, 6, t, tau_r=1.0)
    further = run(80, 1.0, 0.05, 38, np.linspace(0, 1e4, 4001), tau_r=1.0)
    spike = {n: measures[f"largest |E - 1/2|, N {n}"] for n in _WINDOWS}
    return paper_figure(
        2,
        "From about half of the neurons active",
        (
            *_stated(),
            Parameter(
                "start",
                "N/2 - 1",
                "the caption says 'around half'; figures 5 and 7 say N/2 - 1",
            ),
            *_unstated(),
        ),
        data,
        (
            _release_variation(10, "half"),
            Variation(
                "start", "N/2 - 1", "N/2 + 1", "mean E, N = 10",
                float(data.excitation.sel(neurons=10).mean()), float(above.excitation.mean()),
            ),
            Variation(
                "start", "N/2 - 1", "N/2 - 2", "largest |E − ½|, N = 80",
                spike[80], float(abs(further.excitation - 0.5).max()),
            ),
            _r0_variation("half"),
        ),
        measures,
    )  # fmt: skip


def figure_3() -> PaperFigure:
    """Recompute the course from silence."""
    return _from_an_end(3, "silent", "From silence", "no neuron active")


def figure_4() -> PaperFigure:
    """Recompute the course from saturation."""
    return _from_an_end(4, "saturated", "From saturation", "all neurons active")


def _from_an_end(number: int, initial: str, title: str, words: str) -> PaperFigure:
    data, measures = _trajectories(initial)
    return paper_figure(
        number,
        title,
        (*_stated(), Parameter("start", initial), *_unstated()),
        data,
        (
            _release_variation(10, initial),
            _release_variation(10, initial, period=True),
            _r0_variation(initial),
            Variation(
                "feedback (control)", "tau_r = 1", "r = 1 throughout",
                "share of one return with |E − ½| < 0.1, N = 80",
                _orbit_dwell(80, initial, 1.0), _orbit_dwell(80, initial, 0.0),
            ),
        ),
        measures,
        text="from_an_end",
        start=words,
    )  # fmt: skip


def _trajectories(initial: str) -> tuple[xr.Dataset, dict[str, float]]:
    def one(neurons: int) -> xr.Dataset:
        t = np.linspace(0, _WINDOWS[neurons], 4001)
        return run(neurons, 1.0, 0.05, initial, t, tau_r=1.0)

    data = stack({"neurons": tuple(_WINDOWS)}, one)
    measures: dict[str, float] = {}
    for neurons in _WINDOWS:
        one_run = data.sel(neurons=neurons)
        e, r = one_run.excitation.values, one_run.r.values
        measures |= {
            f"correlation of r and E, N {neurons}": correlation(r, e),
            f"standard deviation of E, N {neurons}": float(e.std()),
            f"largest |E - 1/2|, N {neurons}": float(np.abs(e - 0.5).max()),
            f"share of time with |E - 1/2| < 0.1, N {neurons}": dwell_share(e, 0.1),
            f"lowest r, N {neurons}": float(r.min()),
        }
    return data, measures


def _stated() -> tuple[Parameter, ...]:
    return (
        Parameter("gamma", 1.0),
        Parameter("g0", 0.05),
        Parameter("field", 0.0),
        Parameter("tau_r", 1.0),
        Parameter("tau_f", 0.0),
    )


def _unstated() -> tuple[Parameter, ...]:
    return (
        Parameter("neurons", [10.0, 40.0, 80.0], "10 and 80 are the paper's, 40 is added"),
        Parameter(
            "window",
            [_WINDOWS[n] for n in _WINDOWS],
            "4000 (N = 10) and 10000 (N = 80) are the paper's, 5000 (N = 40) is added",
        ),
        Parameter("release", 0.5, "not stated for figures 2 to 4; 0.5 in figures 5 to 7"),
        Parameter("r0", 1.0, "not stated for figures 2 to 4; 1 in figures 5 to 7"),
    )


def _release_variation(neurons: int, initial: str, *, period: bool = False) -> Variation:
    t = np.linspace(0, 4000, 4001)
    pair = [run(neurons, 1.0, 0.05, initial, t, tau_r=1.0, release=u) for u in (0.5, 0.1)]
    if period:
        # E comes back after s = πN/g0.
        values = [float(np.interp(math.pi * neurons / 0.05, d.phase, d.time)) for d in pair]
        return Variation(
            "release", "0.5", "0.1", f"time of the first return, N = {neurons}", *values
        )
    lowest = [float(d.r.min()) for d in pair]
    return Variation("release", "0.5", "0.1", f"lowest r, N = {neurons}", *lowest)


def _r0_variation(initial: str) -> Variation:
    t = np.linspace(0, 4000, 8001)
    pair: list[Any] = [run(10, 1.0, 0.05, initial, t, tau_r=1.0, r0=r0) for r0 in (1.0, 0.2)]
    values = [dominant_frequency(d.excitation.values, 0.5) for d in pair]
    return Variation("r0", "1", "0.2", "dominant frequency of E, N = 10", *values)


def _orbit_dwell(neurons: int, initial: str, tau_r: float) -> float:
    """Return the share of one return's time with |E − ½| < 0.1, by the orbit's own clock."""
    s = np.linspace(0, math.pi * neurons / 0.05, 20_001)[:-1]
    e = Orbit(LMG(neurons, 1.0, 0.05), initial).excitation(s)
    # The synapse is far faster than the orbit, so r = 1/(1 + τ_r 𝒰 E) and dt = ds/r.
    weight = 1 + tau_r * 0.5 * e
    return float(np.average(np.abs(e - 0.5) < 0.1, weights=weight))
