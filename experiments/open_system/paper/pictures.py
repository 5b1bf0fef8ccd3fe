"""The pictures of the figures, drawn from their datasets alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure

from ...papers.pictures import below, grid, legend, line

__all__ = ["draw"]

_PRINTED, _DARK, _GREY = "#c2410c", "#1e293b", "#94a3b8"
# one hue, darker with more neurons
_BLUES = ("#93c5fd", "#3b82f6", "#1d4ed8", "#172554")
_GREEN, _PURPLE = "#15803d", "#7e22ce"
_TIME = "time $t$ (1/ω₀)"
_SCALED = {"1/N": "rates over $N$", "none": "rates as printed"}


def draw(data: xr.Dataset) -> Figure:
    """Draw the picture of a figure's dataset; which one it is, its attributes say."""
    drawers: dict[str, Callable[[xr.Dataset], Figure]] = {
        "2": _figure_2,
        **{str(number): _pulses for number in (3, 4, 5, 6)},
        "cutoff": _cutoff,
        "exact": _exact,
        "negative": _negative,
        "collisions": _collisions,
        "homeostasis": _homeostasis,
    }
    key = str(data.attrs["figure"])
    figure = drawers[key](data)
    which = f". Figure {key} of Sun and Zhang, recomputed" if key.isdigit() else ""
    figure.suptitle(
        f"{data.attrs['title']}{which} ({data.attrs['backend']})", fontsize=9, x=0.01, ha="left"
    )
    return figure


def _titled(panel: Axes, letter: str, words: str) -> None:
    panel.set_title(f"({letter})  {words}", fontsize=9, loc="left")


def _figure_2(data: xr.Dataset) -> Figure:
    figure, axes = grid(data.sizes["eta"], 3, (12, 6.6), width_ratios=[1, 1.3, 1.3])
    for row, eta in enumerate(data.eta.values):
        one = data.sel(eta=eta)
        plane = axes[row, 0]
        s = one.printed
        line(plane, s.sel(axis="x"), s.sel(axis="y"), _PRINTED, "Eq. 18 as printed", lw=1.2)
        for colour, n in zip(_BLUES, data.neurons.values, strict=True):
            m = one.exact.sel(neurons=n, scaling="1/N")
            line(plane, m.sel(axis="x"), m.sel(axis="y"), colour, lw=1.1)
        plane.plot(0, 0, "+", color=_DARK, ms=8)
        plane.set_aspect("equal", adjustable="datalim")
        plane.set_xlabel("$m_x$", fontsize=9)
        plane.set_ylabel(f"$η$ = {eta:g}\n$m_y$")
        _titled(plane, "ADG"[row], "in the plane, rates over $N$")
        for column, scaling in enumerate(data.scaling.values, 1):
            panel = axes[row, column]
            line(panel, data.time, s.sel(axis="z"), _PRINTED, "Eq. 18 as printed", lw=1.4)
            for colour, n in zip(_BLUES, data.neurons.values, strict=True):
                z = one.sel(neurons=n, scaling=scaling, axis="z")
                label = f"master equation, $N$ = {n}"
                line(panel, data.time, z.exact, colour, label, lw=1.4)
                line(panel, data.time, z.mean_field, colour, ls=":", lw=1.2)
            panel.plot([], [], color=_GREY, ls=":", lw=1.2, label="right mean field, same colours")
            panel.axhline(0, color=_GREY, lw=0.6, ls=":")
            panel.set_ylim(-1.05, 0.12)
            panel.set_ylabel("$m_z$")
            panel.set_xlabel(_TIME, fontsize=9)
            _titled(panel, ("ABC", "DEF")[row][column], _SCALED[str(scaling)])
    legend(figure, axes[0, 1])
    return figure


def _pulses(data: xr.Dataset) -> Figure:
    figure, axes = grid(2, 2, (11, 6.6))
    top, scan = axes[0]
    line(top, data.time, data.eta, _DARK, "stimulus $η$", lw=1.2, drawstyle="steps-post")
    line(top, data.time, data.kappa, _GREEN, "emission rate $κ$ (ω₀)", lw=1.2)
    top.axhline(0, color=_GREY, lw=0.6, ls=":")
    top.fill_between(data.time, data.kappa, 0, where=data.kappa < 0, color=_GREEN, alpha=0.2, lw=0,
                     label="below 0: no evolution")  # fmt: skip
    top.set_ylabel("$η$, $κ$")
    top.legend(fontsize=8, frameon=False)
    _titled(top, "A", "stimulus and rate")
    scan.axhspan(-0.05, 0.05, color=_GREY, alpha=0.18, lw=0)
    scan.axhspan(-1.05, -0.95, color=_GREY, alpha=0.18, lw=0)
    for name, colour, label in (
        ("printed_stored", _PRINTED, "$S_z$(1.5), said to be about 0"),
        ("printed_returned", _PURPLE, "$S_z$(10), said to be $-1$"),
        ("printed_lowest", _DARK, "lowest $S_z$, no spin below $-1$"),
    ):
        line(scan, data.cutoff_scan, data[name], colour, label, lw=1.3)
    scan.axvline(data.attrs["cutoff"], color=_GREY, lw=0.8, ls="--")
    scan.set_xscale("log")
    scan.set_ylim(-1.6, 0.15)
    scan.set_xlabel("cutoff $ω_c$ (ω₀)", fontsize=9)
    scan.set_ylabel("$S_z$ by Eq. 18")
    scan.legend(fontsize=8, frameon=False, loc="lower left")
    _titled(scan, "B", "Eq. 18 against the cutoff; bands: within 0.05")
    cutoff = data.attrs["cutoff"]
    for panel in axes[1]:
        line(panel, data.time, data.printed, _PRINTED, f"Eq. 18, $ω_c$ = {cutoff:g}", lw=1.6)
        panel.axhline(0, color=_GREY, lw=0.6, ls=":")
        panel.set_ylabel("$m_z$, $S_z$")
        panel.set_ylim(-1.1, 0.1)
    (_cold if data.attrs["temperature_kelvin"] == 0 else _warm)(data, axes[1])
    below(axes, _TIME)
    top.set_xlabel(_TIME, fontsize=9)
    legend(figure, axes[1, 1])
    return figure


def _cold(data: xr.Dataset, panels: Any) -> None:
    """Draw all neurons at rest, and Eq. 18 at other cutoffs."""
    label = "master equation and right mean field, every $N$"
    for panel in panels:
        line(panel, data.time, data.exact.max(("scaling", "neurons")), _BLUES[2], label, lw=1.6)
    _titled(panels[0], "C", f"spin, $ω_c$ = {data.attrs['cutoff']:g}")
    for style, cutoff in zip(("--", ":"), data.other_cutoff.values, strict=True):
        one = data.printed_other.sel(other_cutoff=cutoff)
        line(panels[1], data.time, one, _PRINTED, f"Eq. 18, $ω_c$ = {cutoff:g}", lw=1.3, ls=style)
    panels[1].set_ylim(-2.4, 0.1)
    _titled(panels[1], "D", "at other cutoffs")


def _warm(data: xr.Dataset, panels: Any) -> None:
    """Draw the neurons with and without the 1/N."""
    for panel, scaling, letter in zip(panels, data.scaling.values, "CD", strict=True):
        for colour, n in zip(_BLUES, data.neurons.values, strict=True):
            one = data.sel(neurons=n, scaling=scaling)
            line(panel, data.time, one.exact, colour, f"master equation, $N$ = {n}", lw=1.8)
            if scaling == "1/N":
                line(panel, data.time, one.mean_field, colour, ls=":", lw=1.4)
        panel.plot([], [], color=_GREY, ls=":", lw=1.4, label="right mean field, same colours")
        panel.fill_between(data.time, -1.1, 0.1, where=data.area < -1e-12, color=_GREY, alpha=0.3,
                           lw=0, label="$G$ < 0: no state")  # fmt: skip
        mean = "" if scaling == "1/N" else "; right mean field as $N$ = 1"
        _titled(panel, letter, f"spin, {_SCALED[str(scaling)]}{mean}")


def _cutoff(data: xr.Dataset) -> Figure:
    figure, axes = grid(2, 1, (10, 6.2), sharex=True, height_ratios=[3, 1.4])
    top, bottom = axes[:, 0]
    rows = data.distance.stack(row=("statement", "of_figure")).transpose("row", "cutoff_scan")
    bounds = [0.0, 0.05, 0.15, 0.3, 1e9]
    shades = ListedColormap(["#1d4ed8", "#bfdbfe", "#fed7aa", "#c2410c"])
    cuts = data.cutoff_scan.values
    edges = np.sqrt(cuts[1:] * cuts[:-1])
    edges = np.concatenate([[cuts[0] ** 2 / edges[0]], edges, [cuts[-1] ** 2 / edges[-1]]])
    lines = np.arange(rows.sizes["row"] + 1)
    mesh = top.pcolormesh(
        edges, lines, rows.values, cmap=shades, norm=BoundaryNorm(bounds, 4), rasterized=True
    )
    words = dict(zip(data.statement.values, ("$S_z$(1.5) = 0", "$S_z$(10) = −1",
                                             "never below −1"), strict=True))  # fmt: skip
    top.set_yticks(lines[:-1] + 0.5, [f"{words[s]}, figure {f}" for s, f in rows.row.values])
    top.invert_yaxis()
    top.grid(False)
    for k in (4, 8):
        top.axhline(k, color="white", lw=2)
    bar = figure.colorbar(mesh, ax=top, ticks=bounds[1:-1], shrink=0.8)
    bar.set_label("distance (dark blue: holds)", fontsize=8)
    _titled(top, "A", "what the paper says, by its Eq. 18")
    bottom.step(cuts, data.held, where="mid", color=_DARK, lw=1.3)
    bottom.set_ylabel("of 12 hold")
    bottom.set_ylim(0, 12.5)
    best = cuts[data.held.values == int(data.held.max())]
    bottom.axvspan(best.min(), best.max(), color=_GREEN, alpha=0.2, lw=0)
    for x in (best.min(), best.max()):
        top.axvline(x, color="white", lw=1.0, ls="--")
    bottom.set_xscale("log")
    bottom.set_xlabel("cutoff $ω_c$ (ω₀)", fontsize=9)
    _titled(bottom, "B", f"most for $ω_c$ from {best.min():.2f} to {best.max():.2f}")
    return figure


def _exact(data: xr.Dataset) -> Figure:
    figure, axes = grid(1, 2, (11, 4.2))
    left, right = axes[0]
    line(left, data.time, data.printed_start, _PRINTED, "Eq. 18 from (1, 1, −1)", lw=1.2, ls="--")
    line(left, data.time, data.printed, _PRINTED, "Eq. 18, length 1", lw=1.4)
    for colour, n in zip(_BLUES, data.neurons.values, strict=True):
        one = data.sel(neurons=n)
        line(left, data.time, one.exact, colour, f"master equation, $N$ = {n}", lw=1.6)
        line(left, data.time, one.mean_field, "white", lw=0.8, ls=":")
        error = np.abs(one.mean_field - one.exact)
        line(right, data.time[1:], error[1:], colour, lw=1.3)
    left.plot([], [], color=_GREY, ls=":", lw=1.2, label="right mean field")
    off = np.abs(data.printed - data.exact.isel(neurons=-1))
    line(right, data.time[1:], off[1:], _PRINTED, lw=1.4)
    right.set_yscale("log")
    right.set_ylim(1e-7, 3)
    left.set_ylabel("$m_z$, $S_z$")
    right.set_ylabel("$|Δm_z|$ to the master equation")
    _titled(left, "A", "spin; dots on each line: right mean field")
    _titled(right, "B", "error of the right mean field, and of Eq. 18")
    below(axes, _TIME)
    legend(figure, left)
    return figure


def _negative(data: xr.Dataset) -> Figure:
    figure, axes = grid(1, 3, (12.5, 4.0))
    first, second, third = axes[0]
    for colour, name in zip((_PRINTED, _GREEN), data.stimulus.values, strict=True):
        one = data.sel(stimulus=name)
        line(first, data.time, one.kappa, colour, str(name), lw=1.3)
        line(second, data.step_time, one.step_choi, colour, lw=1.3)
    for colour, n in zip(_BLUES[1:], data.neurons.values, strict=True):
        values = data.map_choi.sel(neurons=n)
        line(third, data.map_time, values, colour, f"$N$ = {n}", lw=1.4)
    for panel in (first, second, third):
        panel.axhline(0, color=_GREY, lw=0.8)
    first.set_ylabel("$κ$ (ω₀)")
    second.set_ylabel("smallest Choi eigenvalue")
    third.set_ylabel("smallest Choi eigenvalue")
    third.legend(fontsize=8, frameon=False)
    _titled(first, "A", "emission rate, $T$ = 0")
    _titled(second, "B", "of each step of 0.05, one neuron")
    _titled(third, "C", "of the whole map from 1.5 on, retrieved")
    below(axes, _TIME)
    legend(figure, first)
    return figure


def _collisions(data: xr.Dataset) -> Figure:
    figure, axes = grid(1, 2, (10.5, 4.4), sharey=True)
    colours = dict(zip(("alternating", "palindromic", "fixed", "richardson"),
                       (_BLUES[1], _GREEN, _PRINTED, _PURPLE), strict=True))  # fmt: skip
    words = {"fixed": "fixed order: does not converge", "richardson": "alternating, extrapolated"}
    for name in data.order.values:
        one = data.sel(order=name)
        label = words.get(str(name), f"{name} order")
        for panel, x in zip(axes[0], (data.steps, one.gates), strict=True):
            line(panel, x, one.error, colours[str(name)], label, marker="o", ms=4, lw=1.3)
    left, right = axes[0]
    steps = data.steps.values.astype(float)
    for power, anchor, name in ((1, 0.055, "$K^{-1}$"), (2, 0.03, "$K^{-2}$")):
        y = anchor * (steps / steps[0]) ** -power
        left.plot(steps, y, color=_GREY, lw=0.8, ls="--")
        left.text(steps[-1], y[-1] * 1.15, name, color=_DARK, fontsize=8, va="bottom", ha="right")
    for panel in (left, right):
        panel.set_xscale("log")
        panel.set_yscale("log")
        panel.set_ylim(2e-6, 1)
    left.set_xticks(steps, [f"{k:g}" for k in steps])
    left.minorticks_off()
    left.set_xlabel("collisions $K$", fontsize=9)
    right.set_xlabel("two-qubit gates on a line of qubits", fontsize=9)
    left.set_ylabel("trace distance to the master equation")
    _titled(left, "A", "four neurons, $T$ = 2, $κ$ = (0.5 + 0.4 sin 3$t$)/$N$")
    _titled(right, "B", "against what they cost")
    legend(figure, left)
    return figure


def _homeostasis(data: xr.Dataset) -> Figure:
    figure, axes = grid(2, 2, (11, 6.6))
    spins, stimulus = axes[0]
    colours = dict(zip(data.law.values, (_BLUES[2], _PRINTED, _GREY), strict=True))
    kick = int(np.argmin(np.abs(data.time.values - data.attrs["kick"])))
    time = np.insert(data.time.values, kick + 1, data.attrs["kick"])

    def kicked(values: xr.DataArray) -> Any:
        return np.insert(values.values, kick + 1, 1.0)

    spins.fill_between(time, kicked(data.low), kicked(data.high), color=_BLUES[0], alpha=0.6, lw=0,
                       label="closed loop, 95 % of 300 runs, 150 shots")  # fmt: skip
    for name in data.law.values:
        one, colour = data.sel(law=name), colours[name]
        style = "--" if name == "open loop" else "-"
        line(spins, time, kicked(one.m_z), colour, f"{name}, exact readings", lw=1.4, ls=style)
        stimulus.stairs(one.eta, data.time, baseline=None, color=colour, lw=1.3, ls=style)
    spins.axhline(data.attrs["target"], color=_DARK, lw=0.7, ls=":")
    spins.annotate("kick: all active", (data.attrs["kick"], 0.9), (data.attrs["kick"] - 0.2, 0.75),
                   ha="right", fontsize=8)  # fmt: skip
    spins.set_ylabel("$m_z$")
    stimulus.set_ylabel("stimulus $η$")
    for panel in (spins, stimulus):
        panel.axvline(data.attrs["kick"], color=_GREY, lw=0.8, ls="--")
        panel.set_xlabel(_TIME, fontsize=9)
    _titled(spins, "A", "spin of four neurons; dotted: target")
    _titled(stimulus, "B", "stimulus")
    ends, noise = axes[1]
    for name in data.end_law.values:
        line(ends, data.strength, data.final_error.sel(end_law=name), colours[name], marker="o",
             ms=3.5, lw=1.3)  # fmt: skip
    ends.axhline(0, color=_DARK, lw=0.7, ls=":")
    ends.set_xscale("log")
    ends.set_xticks([0.5, 0.7, 1, 1.4, 2], ["0.5", "0.7", "1", "1.4", "2"])
    ends.minorticks_off()
    ends.set_xlabel("answer of the bath to the stimulus, of the expected", fontsize=9)
    ends.set_ylabel("$m_z$ − target at the end")
    _titled(ends, "C", "without a kick, in other baths")
    shots = data.shots.values.astype(float)
    noise.loglog(shots, data.spread, "o-", color=_BLUES[2], ms=4, lw=1.3, label="spread (std)")
    noise.loglog(shots, -data.bias, "s--", color=_PURPLE, ms=4, lw=1.1, label="shift downwards")
    noise.loglog(shots, float(data.spread[-1]) * np.sqrt(shots[-1] / shots), color=_GREY, lw=0.8,
                 ls="--", label="shots$^{-1/2}$")  # fmt: skip
    noise.set_yticks([0.002, 0.005, 0.01, 0.02, 0.05], ["0.002", "0.005", "0.01", "0.02", "0.05"])
    noise.tick_params(axis="y", which="minor", labelleft=False)
    noise.set_xlabel("shots a reading", fontsize=9)
    noise.set_ylabel("of $m_z$ at the end")
    noise.legend(fontsize=8, frameon=False)
    _titled(noise, "D", "what shots do to the closed loop")
    legend(figure, spins)
    return figure
