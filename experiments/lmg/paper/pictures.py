"""The pictures of the nine figures, drawn from their datasets alone."""

from __future__ import annotations

from collections.abc import Callable

import xarray as xr
from matplotlib.figure import Figure

from ...papers.pictures import below, grid, legend, line
from .measures import smoothed

__all__ = ["draw"]

_E, _R, _U = "#c2410c", "#1d4ed8", "#15803d"
_DARK, _GREY = "#1e293b", "#94a3b8"
_TIME = "time $t$ (inverse units of the coupling)"
_PAPER_BOX = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.0}
_STARTS = {"silent": "silent", "half": "$N/2-1$ active", "saturated": "saturated"}


def draw(data: xr.Dataset) -> Figure:
    """Draw the picture of a figure's dataset; which one it is, its attributes say."""
    drawers: dict[int, Callable[[xr.Dataset], Figure]] = {
        1: _figure_1,
        2: _homeostasis,
        3: _homeostasis,
        4: _homeostasis,
        5: _figure_5,
        6: _figure_6,
        7: _figure_7,
        8: _figure_8,
        9: _figure_9,
    }
    figure = drawers[int(data.attrs["figure"])](data)
    figure.suptitle(
        f"{data.attrs['title']}. Figure {data.attrs['figure']} of Torres and Romera, "
        f"recomputed ({data.attrs['backend']})",
        fontsize=9,
        x=0.01,
        ha="left",
    )
    return figure


def _figure_1(data: xr.Dataset) -> Figure:
    figure, axes = grid(data.sizes["start"], 2, (9, 6.6), sharex=True, sharey=True)
    share = data.attrs["start_percent"]
    for row, start in enumerate(data.start.values):
        for column, gamma in enumerate(data.gamma.values):
            panel = axes[row, column]
            line(panel, data.time, data.excitation.sel(start=start, gamma=gamma), _E)
            panel.axhline(0.5, color=_GREY, lw=0.6, ls=":")
            panel.set_ylim(-0.03, 1.03)
            if column == 0:
                panel.set_ylabel(f"$E$\n{share[row]:g} % ($n$ = {start})")
            if row == 0:
                panel.set_title(f"({'AB'[column]})  $γ$ = {gamma:g}", fontsize=9, loc="left")
    below(axes, _TIME)
    return figure


def _homeostasis(data: xr.Dataset) -> Figure:
    figure, axes = grid(1, data.sizes["neurons"], (11, 3.4), sharey=True)
    for panel, neurons, letter in zip(axes[0], data.neurons.values, "ABC", strict=True):
        row = data.sel(neurons=neurons)
        added = "  (added)" if neurons == 40 else ""
        line(panel, row.time, row.excitation, _E, "$E$, fraction of active neurons", lw=1.2)
        line(panel, row.time, row.r, _R, "$r$, synaptic efficacy", lw=1.2)
        panel.axhline(0.5, color=_GREY, lw=0.6, ls=":")
        panel.set_title(f"({letter})  $N$ = {neurons}{added}", fontsize=9, loc="left")
        panel.set_ylim(-0.03, 1.03)
    axes[0, 0].set_ylabel("$E$, $r$")
    below(axes, _TIME)
    legend(figure, axes[0, 0])
    return figure


def _figure_5(data: xr.Dataset) -> Figure:
    figure, axes = grid(1, 2, (10, 3.4), sharey=True)
    for panel, start, letter in zip(axes[0], data.start.values, "AB", strict=True):
        row = data.sel(start=start)
        line(panel, data.time, row.fidelity, _DARK, "fidelity $|⟨ψ(0)|ψ(t)⟩|^2$", lw=0.8)
        line(panel, data.time, row.excitation, _E, "$E$", lw=1.0, alpha=0.8)
        panel.set_title(f"({letter})  {_STARTS[str(start)]} at the start", fontsize=9, loc="left")
        panel.set_ylim(-0.03, 1.05)
    axes[0, 0].set_ylabel("fidelity, $E$")
    below(axes, _TIME)
    legend(figure, axes[0, 0])
    return figure


def _figure_6(data: xr.Dataset) -> Figure:
    figure, axes = grid(1, 2, (10, 3.6), sharey=True)
    paper = {"saturated": ((3.46, "3.46"),), "half": ((3.3, "3.3 (start)"), (4.8, "4.8"))}
    for panel, start, letter in zip(axes[0], data.start.values, "AB", strict=True):
        row = data.sel(start=start)
        line(panel, data.time, row.block_entropy, _DARK, "entropy of the reduced state")
        line(panel, data.time, row.diagonal_entropy, _U, "Eq. 7 as printed", ls="--")
        for value, label in paper[str(start)]:
            panel.axhline(value, color=_E, lw=0.7, ls=":", label="the paper's figures")
            panel.text(0.99 * float(data.time[-1]), value, label, color=_E, fontsize=7,
                       ha="right", va="bottom", bbox=_PAPER_BOX)  # fmt: skip
        panel.set_title(f"({letter})  {_STARTS[str(start)]} at the start", fontsize=9, loc="left")
        panel.set_ylim(-0.1, 5.9)
    axes[0, 0].set_ylabel("$S_L$ of 40 neurons (bits)")
    below(axes, _TIME)
    legend(figure, axes[0, 0])
    return figure


def _figure_7(data: xr.Dataset) -> Figure:
    figure, axes = grid(data.sizes["tau_r"], 3, (12, 6.4), sharex=True, sharey=True)
    for column, start in enumerate(data.start.values):
        for row, tau_r in enumerate(data.tau_r.values):
            one, panel = data.sel(start=start, tau_r=tau_r), axes[row, column]
            line(panel, data.time, one.excitation, "#fdba74", "$E$", lw=0.25)
            slow = smoothed(one.excitation.values, 41)
            line(panel, data.time, slow, _E, "$E$, mean over 164 time units", lw=1.2)
            line(panel, data.time, one.r, _R, "$r$", lw=0.7)
            panel.set_ylim(-0.03, 1.03)
            if row == 0:
                title = f"({'ABC'[column]})  {_STARTS[str(start)]} at the start"
                panel.set_title(title, fontsize=9, loc="left")
            if column == 0:
                panel.set_ylabel(f"$E$, $r$\n$τ_r$ = {tau_r:g}")
    below(axes, _TIME)
    legend(figure, axes[0, 0])
    return figure


def _figure_8(data: xr.Dataset) -> Figure:
    figure, axes = grid(data.sizes["tau_r"], 3, (12, 6.4), width_ratios=[2, 1, 1.4])
    shown = data.time <= 40_000
    step = float(data.time[1] - data.time[0])
    for row, tau_r in enumerate(data.tau_r.values):
        one = data.sel(tau_r=tau_r)
        left, middle, right = axes[row]
        time, entropy = data.time[shown], one.linear_entropy[shown]
        line(left, time, entropy, _GREY, "$S_L$", lw=0.25)
        slow = smoothed(entropy.values, int(200 / step))
        line(left, time, slow, _DARK, "mean over 200 time units", lw=1.1)
        left.set_ylabel(f"$S_L$\n$τ_r$ = {tau_r:g}")
        left.set_ylim(0, 0.8)
        width = float(data.bin[1] - data.bin[0])
        middle.bar(data.bin, one.density, width=width, color=_GREY)
        mean = data.measured.sel(measure=f"mean linear entropy, tau_r {tau_r:g}")
        middle.axvline(float(mean), color=_E, lw=1.2, label=f"mean {float(mean):.3f}")
        middle.legend(fontsize=7, frameon=False, loc="upper left")
        middle.set_ylabel("density")
        middle.set_ylim(0, 1.15 * float(data.density.max()))
        right.loglog(data.frequency[1:], one.power[1:], color=_DARK, lw=0.5, rasterized=True)
        peak = data.measured.sel(measure=f"dominant frequency, tau_r {tau_r:g}")
        right.axvline(float(peak), color=_E, lw=1.2, label=f"peak {float(peak):.3g}")
        right.legend(fontsize=7, frameon=False, loc="upper right")
        right.set_ylim(1e-8, 2)
        right.set_ylabel("share of power")
    for panel, title, label in zip(
        axes[0],
        ("(A)  linear entropy", "(B)  its distribution", "(C)  its power spectrum"),
        (_TIME, "$S_L$", "frequency (cycles per unit time)"),
        strict=True,
    ):
        panel.set_title(title, fontsize=9, loc="left")
        axes[-1, list(axes[0]).index(panel)].set_xlabel(label)
    legend(figure, axes[0, 0])
    return figure


def _figure_9(data: xr.Dataset) -> Figure:
    figure, axes = grid(data.sizes["tau_f"], 3, (12, 7.6), sharex=True, sharey=True)
    couplings = dict(zip(data.attrs["neurons"], data.attrs["g0"], strict=True))
    for column, neurons in enumerate(data.neurons.values):
        for row, tau_f in enumerate(data.tau_f.values):
            one, panel = data.sel(neurons=neurons, tau_f=tau_f), axes[row, column]
            line(panel, data.time, one.excitation, _E, "$E$", lw=0.25 if neurons == 20 else 0.8)
            line(panel, data.time, one.r, _R, "$r$", lw=1.0)
            line(panel, data.time, one.U, _U, "$U$", lw=1.0)
            panel.set_ylim(-0.03, 1.03)
            if row == 0:
                title = f"({'ABC'[column]})  $N$ = {neurons}, $g_0$ = {couplings[neurons]:g}"
                panel.set_title(title, fontsize=9, loc="left")
            if column == 0:
                panel.set_ylabel(f"$E$, $r$, $U$\n$τ_f$ = {tau_f:g}")
    below(axes, _TIME)
    legend(figure, axes[0, 0])
    return figure
