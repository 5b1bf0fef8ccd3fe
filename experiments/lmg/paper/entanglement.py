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
from .model import PaperFigure, run, slow_cycle, stack

__all__ = ["amplitudes", "entropies", "figure_5", "figure_6", "figure_8", "linear_entropy_run"]

_STARTS = ("saturated", "half")
_END = 10_000.0
_UNITS = {"fidelity": "1", "block_entropy": "bit", "diagonal_entropy": "bit"}
TAU_R_8 = (0.0, 10.0, 20.0)
_WINDOW_8, _STEP_8 = 80_000.0, 2.0


def figure_5() -> PaperFigure:
    """Fidelity with the initial state, from saturation and from about half."""
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
    return PaperFigure(
        5,
        "Fidelity with the initial state (N = 80)",
        (*_parameters_5_6(), Parameter("start", ["saturated", "N/2 - 1"])),
        data,
        "The paper shows full returns at a fixed frequency from all (or no) neurons active, and "
        "from about half 'departing from it only moderately', with bounded fluctuations.",
        f"We find the return from saturation at t = {back['saturated'][0]:.0f} with fidelity "
        f"{back['saturated'][1]:.4f} on this grid of times (exactly 1 at s = πN/g0), and from "
        f"N/2 − 1 at t = {back['half'][0]:.0f} with {back['half'][1]:.4f}.",
        f"The second start does not stay near: its fidelity is above ½ for only "
        f"{100 * near['half']:.2g} % of the time (saturated: {100 * near['saturated']:.2g} %) and "
        f"passes through {crossing:.0e} half-way, where the state is the mirror image N/2 + 1. "
        "What stays near is E, which a Dicke state close to the middle shares with its image.",
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
    """Block entropy: that of the reduced state, and the paper's Eq. 7 beside it."""
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
    return PaperFigure(
        6,
        "Von Neumann entropy of half of the neurons (N = 80)",
        (
            *_parameters_5_6(),
            Parameter("block", 40),
            Parameter("base", 2),
            Parameter("start", ["saturated", "N/2 - 1"]),
        ),
        data,
        "The paper shows S_L from 0 to 'a maximum close to 3.46' and back from saturation, and "
        "from about half a start 'around 3.3', maxima 'of about 4.8' and relative minima slightly "
        "below the start; its Eq. 7 takes the reduced state to be diagonal.",
        f"We find, for the entropy of the whole reduced state, 0 to {m['saturated maximum']:.3f} "
        f"from saturation, and from N/2 − 1 {m['half start']:.3f} at the start, "
        f"{m['half maximum']:.3f} at most and {m['half minimum']:.3f} in the dip.",
        f"Eq. 7 as printed would reach {m['saturated Eq. 7 maximum']:.3f} and "
        f"{m['half Eq. 7 maximum']:.3f}, and would not dip below its start "
        f"({m['half Eq. 7 minimum']:.3f}): it holds for a single Dicke state only, and the "
        "paper's curve is not it. The dashed line is Eq. 7, the full line the reduced state.",
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
    """Block entropies of N = 80, γ = 1, L = 40 in bits over one period of the orbit.

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
    """Linear entropy: its course, its distribution and its spectrum, for three τ_r."""
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
    frequency = [measures[f"dominant frequency, tau_r {x:g}"] for x in TAU_R_8]
    mean = [measures[f"mean linear entropy, tau_r {x:g}"] for x in TAU_R_8]
    bins = [measures[f"bins that hold half of the power, tau_r {x:g}"] for x in TAU_R_8]
    short = run(20, 0.8, 0.5, "silent", t[:20_000], tau_r=20.0, amplitudes=True)
    return PaperFigure(
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
        "The paper shows fast regular oscillations without depression; with it, more time at high "
        "entropy and a second, high peak of the distribution, while the peak of the spectrum "
        "moves to lower frequency, broadens and gains harmonics.",
        f"We find the dominant frequency at {frequency[0]:.3g}, {frequency[1]:.3g} and "
        f"{frequency[2]:.3g} per unit time for τ_r = 0, 10 and 20, and half of the power in "
        f"{bins[0]:.0f}, {bins[1]:.0f} and {bins[2]:.0f} bins: it slows down and blurs, as said.",
        f"The distribution does not shift: its mean over whole slow cycles is {mean[0]:.3f}, "
        f"{mean[1]:.3f} and {mean[2]:.3f}, and the high peak is there without depression. "
        "Depression weighs a moment by 1 + τ_r𝒰E; S_L is as high at E as at 1 − E, so longer stays "
        "up are paid for by shorter stays down. A window that cuts a slow cycle shows a shift.",
        (
            Variation(
                "block", "10", "5", "mean linear entropy, τ_r = 20",
                mean[2], _mean_entropy(20, 0.8, 0.5, "silent", 20.0, 5),
            ),
            Variation(
                "start", "silent", "saturated", "mean linear entropy, τ_r = 20",
                mean[2], _mean_entropy(20, 0.8, 0.5, "saturated", 20.0, 10),
            ),
            Variation(
                "neurons and g0", "20, 0.5", "10, 1.43", "mean linear entropy, τ_r = 20",
                mean[2], _mean_entropy(10, 0.8, 1.43, "silent", 20.0, 5),
            ),
            Variation(
                "window", "whole slow cycles", "40000, cutting one",
                "mean linear entropy, τ_r = 20",
                mean[2], float(np.mean(linear_entropy(amplitudes(short), 10))),
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
    """A trajectory with `linear_entropy` of a block of neurons over time."""
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
    """Dicke amplitudes of a trajectory, shape (time, N+1)."""
    return np.asarray(data.amplitude_real.values + 1j * data.amplitude_imag.values)


def _entropy_times(recoveries: tuple[float, ...]) -> list[float]:
    """When the block entropy from saturation is largest, for each τ_r."""
    s = np.linspace(0, np.pi * 80 / 0.2, 1001)
    orbit = Orbit(LMG(80, 1.0, 0.05), "saturated")
    best = float(s[int(np.argmax(block_entropy(orbit.amplitudes(s), 40)))])
    return [_time_at(best, 0.05, tau_r) for tau_r in recoveries]


def _time_at(phase: float, g0: float, tau_r: float) -> float:
    """When a phase is reached from saturation (N = 80, γ = 1)."""
    d = run(80, 1.0, g0, "saturated", np.linspace(0, _END, 10_001), tau_r=tau_r)
    return float(np.interp(phase, d.phase, d.time))


def _from_both(
    points: int, figures: Mapping[str, Callable[[NDArray[np.complex128]], ArrayLike]]
) -> xr.Dataset:
    """The trajectories of figures 5 and 6 with these figures of their states."""

    def one(start: str) -> xr.Dataset:
        t = np.linspace(0, _END, points)
        data = run(80, 1.0, 0.05, start, t, tau_r=1.0, amplitudes=True)
        states = amplitudes(data)
        return data.assign(
            {
                name: xr.Variable(
                    ("time",),
                    np.asarray(figure(states)),
                    {"long_name": name.replace("_", " "), "units": _UNITS[name]},
                )
                for name, figure in figures.items()
            }
        )

    return stack({"start": _STARTS}, one, (*figures, "excitation", "r", "phase"))


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
