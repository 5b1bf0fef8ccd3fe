"""Figures 7 and 9: what depression and facilitation do to the collective oscillation."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import xarray as xr

from qbrain.reference.lmg import LMG, Orbit

from ...papers.figures import Parameter, Variation
from .measures import (
    bin_frequency,
    correlation,
    dominant_frequency,
    imbalance,
    power_below,
    whole_cycles,
)
from .model import PaperFigure, paper_figure, run, slow_cycle, stack

__all__ = ["COUPLINGS_9", "figure_7", "figure_9", "orbit_frequency", "up_down", "up_down_settled"]

_STARTS_7 = ("silent", "half", "saturated")
_TAU_R_7 = (0.1, 10.0, 20.0)
_WINDOW_7, _STEP_7 = 40_000.0, 4.0
COUPLINGS_9 = {2: 0.125, 10: 1.43, 20: 30.0}
_TAU_F_9 = (1.0, 10.0, 100.0, 1000.0)
_WINDOW_9 = 4000.0


def figure_7() -> PaperFigure:
    """Recompute depression: three starts, three τ_r."""
    t = np.arange(0, _WINDOW_7, _STEP_7)
    data = stack(
        {"start": _STARTS_7, "tau_r": _TAU_R_7},
        lambda start, tau_r: run(20, 0.8, 0.5, start, t, tau_r=tau_r, tolerance=1e-6),
    )
    rhythm = slow_cycle(20, 0.8, 0.5)
    measures: dict[str, float] = {}
    for start in _STARTS_7:
        for tau_r in _TAU_R_7:
            row = data.sel(start=start, tau_r=tau_r)
            e, name = row.excitation.values, f"{start}, tau_r {tau_r:g}"
            measures |= {
                f"dominant frequency (bin), {name}": bin_frequency(e, _STEP_7),
                f"dominant frequency (interpolated), {name}": dominant_frequency(e, _STEP_7),
                f"share of slow power, {name}": power_below(
                    e, _STEP_7, 5 * rhythm * float(row.r.mean())
                ),
                f"mean r, {name}": float(row.r.mean()),
            }
    settled = {
        (start, tau_r): up_down(20, 0.8, 0.5, start, tau_r)
        for start in ("silent", "saturated")
        for tau_r in _TAU_R_7
    }
    for (start, tau_r), (frequency, tilt) in settled.items():
        measures[f"low frequency over whole cycles, {start}, tau_r {tau_r:g}"] = frequency
        measures[f"imbalance over whole cycles, {start}, tau_r {tau_r:g}"] = tilt
    first = measures["dominant frequency (bin), silent, tau_r 0.1"]
    tilted = settled["silent", 20.0][1]
    longer = np.arange(0, 2.5 * _WINDOW_7, _STEP_7)
    other = run(20, 0.8, 0.5, "silent", longer, tau_r=0.1, tolerance=1e-6).excitation.values
    late = run(20, 0.8, 0.5, "silent", t, tau_r=20.0, tolerance=1e-6).excitation.values
    above = run(20, 0.8, 0.5, 11, t, tau_r=20.0, tolerance=1e-6).excitation.values
    below = data.excitation.sel(start="half", tau_r=20.0).values
    return paper_figure(
        7,
        "Depression reshapes the collective oscillation (N = 20)",
        (
            Parameter("neurons", 20),
            Parameter("gamma", 0.8),
            Parameter("g0", 0.5),
            Parameter("field", 0.0),
            Parameter("tau_r", list(_TAU_R_7)),
            Parameter("release", 0.5),
            Parameter("r0", 1.0),
            Parameter("start", ["silent", "N/2 - 1", "saturated"]),
            Parameter("window", _WINDOW_7, "the text states none; ten slow cycles at τ_r = 0.1"),
        ),
        data,
        (
            Variation(
                "window", f"{_WINDOW_7:g}", f"{2.5 * _WINDOW_7:g}",
                "bin of the slow line, τ_r = 0.1", first, bin_frequency(other, _STEP_7),
            ),
            Variation(
                "window", "whole slow cycles", f"{_WINDOW_7:g}", "imbalance, τ_r = 20, silent",
                tilted, imbalance(late),
            ),
            Variation(
                "start (about half)", "N/2 - 1", "N/2 + 1", "imbalance, τ_r = 20",
                imbalance(below), imbalance(above),
            ),
        ),
        measures,
    )  # fmt: skip


def figure_9() -> PaperFigure:
    """Recompute facilitation: three sizes, four τ_f."""
    t = np.linspace(0, _WINDOW_9, 8001)

    def one(neurons: int, tau_f: float) -> xr.Dataset:
        g0 = COUPLINGS_9[neurons]
        return run(
            neurons, 0.8, g0, "silent", t, tau_r=100.0, tau_f=tau_f, release=0.02, tolerance=1e-6
        )

    data = stack({"neurons": tuple(COUPLINGS_9), "tau_f": _TAU_F_9}, one)
    measures: dict[str, float] = {}
    for neurons, g0 in COUPLINGS_9.items():
        measures[f"frequency of E(s), N {neurons}"] = orbit_frequency(neurons, 0.8, g0)
        for tau_f in _TAU_F_9:
            row = data.sel(neurons=neurons, tau_f=tau_f)
            name = f"N {neurons}, tau_f {tau_f:g}"
            measures |= {
                f"largest U, {name}": float(row.U.max()),
                f"lowest r, {name}": float(row.r.min()),
                f"correlation of r and E, {name}": correlation(row.r, row.excitation),
                f"imbalance after the transient, {name}": up_down_settled(neurons, tau_f)[1],
            }
    start = {
        initial: float(
            run(
                2, 0.8, 0.125, initial, t, tau_r=100.0, tau_f=1000.0, release=0.02
            ).excitation.mean()
        )
        for initial in ("silent", "saturated")
    }
    used = [
        float(
            run(2, 0.8, 0.125, "silent", t, tau_r=100.0, tau_f=1000.0, release=0.02, U0=u0).r.min()
        )
        for u0 in (0.02, 1.0)
    ]
    return paper_figure(
        9,
        "Facilitation for three sizes",
        (
            Parameter("neurons", list(map(float, COUPLINGS_9))),
            Parameter("g0", list(COUPLINGS_9.values())),
            Parameter("gamma", 0.8),
            Parameter("field", 0.0),
            Parameter("tau_r", 100.0),
            Parameter("tau_f", list(_TAU_F_9)),
            Parameter("release", 0.02),
            Parameter("start", "silent", "not stated"),
            Parameter("r0", 1.0, "not stated; 1 in figure 7"),
            Parameter("U0", 0.02, "not stated; U starts at 𝒰"),
            Parameter("window", _WINDOW_9, "the text states none; one slow cycle at τ_f = 1000"),
        ),
        data,
        (
            Variation(
                "start", "silent", "saturated", "mean E in the window, N = 2, τ_f = 1000",
                start["silent"], start["saturated"],
            ),
            Variation("U0", "0.02", "1", "lowest r, N = 2, τ_f = 1000", used[0], used[1]),
            Variation(
                "window", "after the transient", f"0 to {_WINDOW_9:g}",
                "imbalance, N = 20, τ_f = 1000",
                measures["imbalance after the transient, N 20, tau_f 1000"],
                imbalance(data.excitation.sel(neurons=20, tau_f=1000.0)),
            ),
        ),
        measures,
    )  # fmt: skip


def orbit_frequency(neurons: int, gamma: float, g0: float) -> float:
    """Return the dominant frequency of E(s) from silence, cycles per unit of s (t at r ≡ 1)."""
    s = np.arange(0.0, 20_000.0, 0.5)
    return dominant_frequency(Orbit(LMG(neurons, gamma, g0), "silent").excitation(s), 0.5)


@lru_cache(maxsize=64)
def up_down(
    neurons: int, gamma: float, g0: float, initial: str | int, tau_r: float, cycles: int = 12
) -> tuple[float, float]:
    """Return the slow frequency and the imbalance of E over whole cycles under depression.

    Returns:
        Slow cycles per unit time, and the share of time with E > ½ less that with E < ½.
    """
    rhythm = slow_cycle(neurons, gamma, g0)
    # ⟨r⟩ = 1/(1 + τ_r 𝒰/2) over whole cycles; a tenth more, so that the last one is whole.
    t = np.linspace(0, (cycles + 0.5) / rhythm * (1 + 0.25 * tau_r), 20_001)
    data = run(neurons, gamma, g0, initial, t, tau_r=tau_r, tolerance=1e-6)
    inside, found = whole_cycles(data.phase, rhythm)
    end = float(np.interp(found / rhythm, data.phase, data.time))
    return found / end, imbalance(data.excitation.values[inside])


@lru_cache(maxsize=64)
def up_down_settled(neurons: int, tau_f: float) -> tuple[float, float, float, float]:
    """Measure figure 9's rhythm once r and U have settled.

    The first 5 τ_f + 300 are left out; the rest is cut to whole slow cycles.

    Returns:
        Slow cycles per unit time, the imbalance of E, and the means of r and U.
    """
    g0 = COUPLINGS_9[neurons]
    rhythm = slow_cycle(neurons, 0.8, g0)
    begin = 5 * tau_f + 300
    # U settles near 𝒰(1 + τ_f/2)/(1 + τ_f 𝒰/2) and r near 1/(1 + τ_r U/2).
    used = 0.02 * (1 + tau_f / 2) / (1 + 0.01 * tau_f)
    t = np.linspace(0, begin + 10.5 / rhythm * (1 + 60 * used), 16_001)
    data = run(
        neurons, 0.8, g0, "silent", t, tau_r=100.0, tau_f=tau_f, release=0.02, tolerance=1e-6
    )
    late = data.isel(time=np.flatnonzero(t >= begin))
    inside, found = whole_cycles(late.phase, rhythm)
    start = float(late.phase[0])
    end = float(np.interp(start + found / rhythm, late.phase, late.time))
    return (
        found / (end - float(late.time[0])),
        imbalance(late.excitation.values[inside]),
        float(late.r.values[inside].mean()),
        float(late.U.values[inside].mean()),
    )
