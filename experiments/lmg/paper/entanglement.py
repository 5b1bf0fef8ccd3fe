"""Figures 5, 6 and 8: fidelity, block entropy and linear entropy along the orbit."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from qbrain.reference.lmg import (
    LMG,
    Orbit,
    block_entropy,
    diagonal_entropy,
    fidelity,
    linear_entropy,
)

from ...papers.figures import Parameter, Variation
from .measures import dominant_frequency, lines_holding, power_spectrum, recurrence, whole_cycles
from .model import PaperFigure, paper_figure, run, slow_cycle, stack

__all__ = ["amplitudes", "entropies", "figure_5", "figure_6", "figure_8", "linear_entropy_run"]

_STARTS = ("saturated", "half")
_END = 10_000.0
_UNITS = {"fidelity": "1", "block_entropy": "bit", "diagonal_entropy": "bit"}
TAU_R_8 = (0.0, 10.0, 20.0)
_WINDOW_8, _STEP_8 = 80_000.0, 2.0


def figure_5() -> PaperFigure:
    """Recompute the fidelity with the initial state, from saturation and from about half."""
    data = _from_both(20_001, {"fidelity": fidelity})
    back = {i: recurrence(data.time, data.fidelity.sel(start=i)) for i in _STARTS}
    low = {i: float(data.fidelity.sel(start=i).min()) for i in _STARTS}
    near = {i: float((data.fidelity.sel(start=i) > 0.5).mean()) for i in _STARTS}
    s = np.linspace(0, np.pi * 80 / 0.05, 4001)
    half = Orbit(LMG(80, 1.0, 0.05), "half")
    crossing = float(fidelity(half.amplitudes(s)).min())
    times = [
        _time_at(np.pi * 80 / g0, g0, tau_r) for g0, tau_r in ((0.05, 1.0), (0.05, 0.0), (0.1, 1.0))
    ]
    return paper_figure(
        5,
        "Fidelity with the initial state (N = 80)",
        (*_parameters_5_6(), Parameter("start", ["saturated", "N/2 - 1"])),
        data,
        (
            Variation(
                "tau_r", "1", "0", "time of the return from saturation",
                times[0], times[1],
            ),
            Variation(
                "g0", "0.05", "0.1", "time of the return from saturation",
                times[0], times[2],
            ),
        ),
        {
            "time of the return, saturated": back["saturated"][0],
            "fidelity of the return, saturated": back["saturated"][1],
            "time of the return, N/2 - 1": back["half"][0],
            "fidelity of the return, N/2 - 1": back["half"][1],
            "lowest fidelity, saturated": low["saturated"],
            "lowest fidelity, N/2 - 1": low["half"],
            "lowest fidelity on the orbit, N/2 - 1": crossing,
            "share of time with fidelity > 1/2, saturated": near["saturated"],
            "share of time with fidelity > 1/2, N/2 - 1": near["half"],
        },
    )  # fmt: skip


def figure_6() -> PaperFigure:
    """Recompute the block entropy of the reduced state, the paper's Eq. 7 beside it."""
    data = _from_both(
        2001,
        {
            "block_entropy": lambda states: block_entropy(states, 40),
            "diagonal_entropy": lambda states: diagonal_entropy(states, 40),
        },
    )
    m = entropies()
    orbit = Orbit(LMG(80, 1.0, 0.05), "saturated")
    states_20 = orbit.amplitudes(np.linspace(0, np.pi * 80 / 0.1, 801))
    small = float(np.max(block_entropy(states_20, 20)))
    return paper_figure(
        6,
        "Von Neumann entropy of half of the neurons (N = 80)",
        (
            *_parameters_5_6(),
            Parameter("block", 40),
            Parameter("base", 2),
            Parameter("start", ["saturated", "N/2 - 1"]),
        ),
        data,
        (
            Variation(
                "tau_r", "1", "0", "time of the largest entropy from saturation",
                *_entropy_times((1.0, 0.0)),
            ),
            Variation(
                "block", "40", "20", "largest entropy from saturation",
                m["saturated maximum"], small,
            ),
        ),
        {f"entropy, {name}": value for name, value in m.items()},
    )  # fmt: skip


def entropies() -> dict[str, float]:
    """Return block entropies of N = 80, γ = 1, L = 40 in bits over one period of the orbit.

    The grid in s, 2001 points to s = πN/(2 g0), is that of the reference figures.
    """
    s = np.linspace(0.0, np.pi * 80 / 0.1, 2001)
    found: dict[str, float] = {}
    for start in _STARTS:
        states = Orbit(LMG(80, 1.0, 0.05), start).amplitudes(s)
        true = np.asarray(block_entropy(states, 40))
        diagonal = np.asarray(diagonal_entropy(states, 40))
        found |= {
            f"{start} start": float(true[0]),
            f"{start} maximum": float(true.max()),
            f"{start} Eq. 7 maximum": float(diagonal.max()),
        }
        if start == "half":
            found |= {"half minimum": float(true.min())}
            found |= {"half Eq. 7 minimum": float(diagonal.min())}
    return found


def figure_8() -> PaperFigure:
    """Recompute the linear entropy, its distribution and its spectrum, for three τ_r."""
    cycle = slow_cycle(20, 0.8, 0.5)
    t = np.arange(0, _WINDOW_8, _STEP_8)

    def one(tau_r: float) -> xr.Dataset:
        return linear_entropy_run(20, 0.8, 0.5, "silent", t, tau_r=tau_r, block=10)

    data = stack({"tau_r": TAU_R_8}, one, ("linear_entropy", "excitation", "r", "phase"))
    edges = np.linspace(0, 0.8, 41)
    shares, spectra = [], []
    measures: dict[str, float] = {}
    for tau_r in TAU_R_8:
        row = data.sel(tau_r=tau_r)
        inside, _ = whole_cycles(row.phase, cycle)
        s = row.linear_entropy.values
        counts, _ = np.histogram(s[inside], edges)
        shares.append(counts / counts.sum() / np.diff(edges))
        frequencies, power = power_spectrum(s, _STEP_8)
        spectra.append(power)
        measures |= {
            f"mean linear entropy, tau_r {tau_r:g}": float(s[inside].mean()),
            f"dominant frequency, tau_r {tau_r:g}": dominant_frequency(s, _STEP_8),
            f"bins that hold half of the power, tau_r {tau_r:g}": float(
                lines_holding(s, _STEP_8, 0.5)
            ),
            f"share of time with S > 0.65, tau_r {tau_r:g}": float(np.mean(s[inside] > 0.65)),
        }
    data = data.assign(
        density=xr.Variable(
            ("tau_r", "bin"), np.stack(shares), {"long_name": "density of S_L", "units": "1"}
        ),
        power=xr.Variable(
            ("tau_r", "frequency"), np.stack(spectra), {"long_name": "share of the power"}
        ),
    ).assign_coords(
        bin=xr.Variable(("bin",), (edges[1:] + edges[:-1]) / 2, {"long_name": "linear entropy"}),
        frequency=xr.Variable(("frequency",), frequencies, {"units": "cycles per unit time"}),
    )
    mean = measures["mean linear entropy, tau_r 20"]
    short = run(20, 0.8, 0.5, "silent", t[:20_000], tau_r=20.0, amplitudes=True)
    return paper_figure(
        8,
        "Linear entropy of half of the neurons under depression",
        (
            Parameter("neurons", 20, "not stated; figure 7's"),
            Parameter("gamma", 0.8, "not stated; figure 7's"),
            Parameter("g0", 0.5, "not stated; figure 7's"),
            Parameter("field", 0.0),
            Parameter("tau_r", list(TAU_R_8), "'absence' is 0; the two others are figure 7's"),
            Parameter("release", 0.5, "not stated; figure 7's"),
            Parameter("r0", 1.0, "not stated; figure 7's"),
            Parameter("start", "silent", "not stated"),
            Parameter("block", 10, "not stated; N/2 as in Eq. 7"),
            Parameter("window", _WINDOW_8, "not stated; 21 slow cycles at τ_r = 0, 3 at τ_r = 20"),
        ),
        data,
        (
            Variation(
                "block", "10", "5", "mean linear entropy, τ_r = 20",
                mean, _mean_entropy(20, 0.8, 0.5, "silent", 20.0, 5),
            ),
            Variation(
                "start", "silent", "saturated", "mean linear entropy, τ_r = 20",
                mean, _mean_entropy(20, 0.8, 0.5, "saturated", 20.0, 10),
            ),
            Variation(
                "neurons and g0", "20, 0.5", "10, 1.43", "mean linear entropy, τ_r = 20",
                mean, _mean_entropy(10, 0.8, 1.43, "silent", 20.0, 5),
            ),
            Variation(
                "window", "whole slow cycles", "40000, cutting one",
                "mean linear entropy, τ_r = 20",
                mean, float(np.mean(linear_entropy(amplitudes(short), 10))),
            ),
        ),
        measures,
    )  # fmt: skip


def linear_entropy_run(
    neurons: int,
    gamma: float,
    g0: float,
    initial: str,
    times: ArrayLike,
    *,
    tau_r: float,
    block: int,
) -> xr.Dataset:
    """Run a trajectory with the `linear_entropy` of a block of neurons over time."""
    data = run(neurons, gamma, g0, initial, times, tau_r=tau_r, amplitudes=True, tolerance=1e-7)
    entropy = np.asarray(linear_entropy(amplitudes(data), block))
    attributes = {"long_name": f"linear entropy of {block} neurons", "units": "1"}
    return data.assign(linear_entropy=xr.Variable(("time",), entropy, attributes))


def _mean_entropy(
    neurons: int, gamma: float, g0: float, initial: str, tau_r: float, block: int
) -> float:
    cycle = slow_cycle(neurons, gamma, g0)
    t = np.linspace(0, 3.2 / cycle * (1 + 0.25 * tau_r), 8001)
    data = linear_entropy_run(neurons, gamma, g0, initial, t, tau_r=tau_r, block=block)
    inside, _ = whole_cycles(data.phase, cycle)
    return float(data.linear_entropy.values[inside].mean())


def amplitudes(data: xr.Dataset) -> NDArray[np.complex128]:
    """Return the Dicke amplitudes of a trajectory, shape (time, N+1)."""
    return np.asarray(data.amplitude_real.values + 1j * data.amplitude_imag.values)


def _entropy_times(recoveries: tuple[float, ...]) -> list[float]:
    """Find when the block entropy from saturation is largest, for each τ_r."""
    s = np.linspace(0, np.pi * 80 / 0.2, 1001)
    orbit = Orbit(LMG(80, 1.0, 0.05), "saturated")
    best = float(s[int(np.argmax(block_entropy(orbit.amplitudes(s), 40)))])
    return [_time_at(best, 0.05, tau_r) for tau_r in recoveries]


def _time_at(phase: float, g0: float, tau_r: float) -> float:
    """Find when a phase is reached from saturation (N = 80, γ = 1)."""
    d = run(80, 1.0, g0, "saturated", np.linspace(0, _END, 10_001), tau_r=tau_r)
    return float(np.interp(phase, d.phase, d.time))


def _from_both(
    points: int, metrics: Mapping[str, Callable[[NDArray[np.complex128]], ArrayLike]]
) -> xr.Dataset:
    """Run the trajectories of figures 5 and 6 with these metrics of their states."""

    def one(start: str) -> xr.Dataset:
        t = np.linspace(0, _END, points)
        data = run(80, 1.0, 0.05, start, t, tau_r=1.0, amplitudes=True)
        states = amplitudes(data)
        return data.assign(
            {
                name: xr.Variable(
                    ("time",),
                    np.asarray(metric(states)),
                    {"long_name": name.replace("_", " "), "units": _UNITS[name]},
                )
                for name, metric in metrics.items()
            }
        )

    return stack({"start": _STARTS}, one, (*metrics, "excitation", "r", "phase"))


def _parameters_5_6() -> tuple[Parameter, ...]:
    return (
        Parameter("neurons", 80),
        Parameter("gamma", 1.0),
        Parameter("field", 0.0),
        Parameter("release", 0.5),
        Parameter("r0", 1.0),
        Parameter("g0", 0.05, "the caption states none; 'the same parameters', so figures 2 to 4"),
        Parameter("tau_r", 1.0, "the caption states none; 'the same parameters'"),
        Parameter("window", _END, "the text states none; that of figures 2 to 4"),
    )
