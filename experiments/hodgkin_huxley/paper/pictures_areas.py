"""Pictures of loops, areas, entropies, Table I and the circuits' convergence."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ...papers.pictures import grid, legend, line

__all__ = [
    "COLOURS",
    "LAWS",
    "circuits",
    "entropies",
    "headline",
    "loops",
    "ratio_against_entropy",
    "table_one",
]

COLOURS = ("#1e293b", "#c2410c", "#1d4ed8", "#15803d", "#94a3b8")
# label, colour, line style
LAWS = {
    "closed": ("closed form", "#1e293b", "-"),
    "circuit": ("circuit itself (Eq. 16)", "#15803d", "--"),
    "unnormalised": ("closed form, unnormalised", "#c2410c", "-"),
    "printed": ("as printed", "#94a3b8", ":"),
}
_S = "entropy of one mode (nats)"
_RATIO = "area over the coherent source's"


def loops(data: xr.Dataset) -> Figure:
    """Draw figures 10 and 11."""
    figure, axes = grid(1, 2, (10, 4.0), width_ratios=[1.2, 1])
    left, right = axes[0]
    for law in data.law.values:
        label, colour, style = LAWS[str(law)]
        one = data.sel(law=law)
        line(left, one.cycle_current, one.cycle_voltage, colour, label, ls=style, lw=1.5)
        line(right, data.phase, one.cycle_conductance, colour, ls=style, lw=1.5)
    left.set_xlabel("$I$ (µA/cm²)", fontsize=9)
    left.set_ylabel("$V$ (mV from rest)", fontsize=9)
    left.set_title("(a)  limit cycles", fontsize=9, loc="left")
    right.set_xlabel("phase (periods)", fontsize=9)
    right.set_ylabel("$g_K$ (mS/cm²)", fontsize=9)
    right.set_ylim(0)
    right.set_title("(b)  conductance in the limit cycle", fontsize=9, loc="left")
    legend(figure, left)
    return figure


def entropies(data: xr.Dataset) -> Figure:
    """Draw figure 13."""
    figure, axes = grid(1, 2, (10, 3.9))
    left, right = axes[0]
    for colour, alpha0 in zip(COLOURS, data.alpha0.values, strict=False):
        one = data.sel(alpha0=alpha0)
        line(
            left,
            data.theta,
            one.peak_entropy,
            colour,
            f"$α_0$ = {alpha0:g}, largest $|α(t)|$",
            lw=1.5,
        )
        line(
            left,
            data.theta,
            one.mean_entropy,
            colour,
            f"$α_0$ = {alpha0:g}, mean of a period",
            ls="--",
        )
        line(right, data.theta, one.peak_entropy, colour, lw=1.5)
        line(right, data.theta, one.unnormalised_entropy, colour, ls=":", lw=1.5)
    line(left, data.theta, data.orthogonal_entropy, COLOURS[4], "$|α| → ∞$", lw=1.5)
    for panel in (left, right):
        panel.axhline(math.log(2), color=COLOURS[4], lw=0.7, ls=":")
        panel.text(0.01, math.log(2), "ln 2", fontsize=8, color=COLOURS[4], va="bottom")
        panel.set_xlabel("$θ$ (rad)", fontsize=9)
        panel.set_ylabel(_S, fontsize=9)
    left.set_title("(a)  normalised state", fontsize=9, loc="left")
    right.plot([], [], color=COLOURS[0], lw=1.5, label="normalised, largest $|α(t)|$")
    right.plot(
        [], [], color=COLOURS[0], ls=":", lw=1.5, label="$-$tr $ρ_1$ ln $ρ_1$, tr $ρ_1$ = $⟨s|s⟩$"
    )
    right.legend(fontsize=7, frameon=False, loc=(0.02, 0.66))
    right.set_title("(b)  without the norm", fontsize=9, loc="left")
    legend(figure, left)
    return figure


def ratio_against_entropy(data: xr.Dataset) -> Figure:
    """Draw figure 14."""
    figure, axes = grid(1, 1, (9, 4.4))
    panel, one = axes[0, 0], data.isel(alpha0=0)
    for name, label, colour, style in (
        ("ratio_normalised", "state normalised", COLOURS[2], "s-"),
        ("ratio_unnormalised", "unnormalised", COLOURS[1], "o-"),
        ("ratio_printed", "Eqs. 23 and 25 as printed", COLOURS[4], "^:"),
    ):
        panel.plot(one.entropy, one[name], style, color=colour, label=label, ms=4, lw=1.3)
    panel.plot(one.table_entropy, one.table_ratio, "x", color="black", ms=7, label="Table I")
    panel.set_xlabel(f"{_S}, largest $|α(t)|$, $α_0$ = 1", fontsize=9)
    panel.set_ylabel(_RATIO, fontsize=9)
    panel.legend(fontsize=8, frameon=False, loc="upper left")
    return figure


def headline(data: xr.Dataset) -> Figure:
    """Draw normalised beside unnormalised, three amplitudes."""
    figure, axes = grid(1, 2, (11, 4.4), width_ratios=[1.5, 1])
    left, right = axes[0]
    for colour, alpha0, marker in zip(COLOURS, data.alpha0.values, "ovD", strict=False):
        one = data.sel(alpha0=alpha0)
        left.plot(
            one.entropy, one.ratio_unnormalised, "-", color=colour, lw=1.5,
            label=f"unnormalised, $α_0$ = {alpha0:g}",
        )  # fmt: skip
        left.plot(one.entropy, one.ratio_normalised, "--", color=colour, lw=1.5)
        left.plot(one.table_entropy, one.table_ratio, marker, color=colour, ms=5, mfc="none")
    left.plot([], [], "--", color="black", label="normalised, every $α_0$")
    left.plot([], [], "o", color="black", mfc="none", label="Table I")
    left.set_xlabel(f"{_S}, largest $|α(t)|$", fontsize=9)
    left.set_ylabel(_RATIO, fontsize=9)
    left.set_title("(a)  θ from 0 to π/4", fontsize=9, loc="left")
    left.legend(fontsize=8, frameon=False, loc="upper right")
    last = data.isel(theta=-1)
    right.plot(data.alpha0, last.ratio_unnormalised, "o-", color=COLOURS[1], label="unnormalised")
    paper = data.table_ratio.sel(row=math.pi / 4, method="nearest")
    right.plot(data.alpha0, paper, "x", color="black", ms=7, label="Table I")
    right.plot(data.alpha0, last.ratio_normalised, "s--", color=COLOURS[2], label="normalised")
    right.set_ylabel(_RATIO, fontsize=9)
    right.margins(x=0.06)
    right.set_ylim(0.9, 1.7)
    right.set_xlabel("$α_0$", fontsize=9)
    other = right.twinx()
    other.plot(data.alpha0, last.entropy, "D:", color=COLOURS[3], label="entropy (right)")
    other.set_ylabel(_S, fontsize=9, color=COLOURS[3])
    other.set_ylim(0, math.log(2) * 1.05)
    other.tick_params(labelsize=8)
    handles = [*right.get_legend_handles_labels()[0], *other.get_legend_handles_labels()[0]]
    right.legend(handles=handles, fontsize=8, frameon=False, loc="center right")
    right.set_title("(b)  at θ = π/4", fontsize=9, loc="left")
    return figure


def table_one(data: xr.Dataset) -> Figure:
    """Draw Table I (b), the fit, its residuals, and the sensitivity of the fits."""
    figure, axes = grid(1, 3, (13, 4.2), width_ratios=[1.1, 1.3, 1])
    left, middle, right = axes[0]
    sine = np.sin(2 * data.theta)
    for colour, alpha0 in zip(COLOURS, np.unique(data.alpha0), strict=False):
        part = data.alpha0 == alpha0
        order = np.argsort(sine[part].values)
        left.plot(sine[part][order], data.area[part][order], "o", color=colour, mfc="none", ms=6)
        left.plot(sine[part][order], data.fitted[part][order], "-", color=colour, lw=1.2,
                  label=f"best fit, $α_0$ = {alpha0:g}")  # fmt: skip
    left.plot([], [], "o", color="black", mfc="none", label="Table I")
    left.margins(x=0.04)
    left.set_xlabel("sin 2$θ$", fontsize=9)
    left.set_ylabel("area (the table's unit)", fontsize=9)
    left.set_title("(a)  areas", fontsize=9, loc="left")
    left.legend(fontsize=7, frameon=False, loc="lower right")
    names = ("0", "π/6", "π/4", "1", "5π/12")
    x = np.arange(len(data.cell))
    middle.bar(x - 0.2, 100 * data.residual, 0.4, color=COLOURS[2], label="best fit")
    middle.bar(x + 0.2, 100 * data.our_residual, 0.4, color=COLOURS[1],
               label="the figures' parameters")  # fmt: skip
    middle.set_xticks(x, [f"{a:g}" for a in data.alpha0.values], fontsize=7)
    for k, name in enumerate(names):
        middle.text(3 * k + 1, 0.02, f"θ = {name}", transform=middle.get_xaxis_transform(),
                    ha="center", fontsize=8)  # fmt: skip
        if k:
            middle.axvline(3 * k - 0.5, color=COLOURS[4], lw=0.6)
    middle.axhline(0, color="black", lw=0.6)
    middle.set_ylim(-2.6, 3.6)
    middle.set_xlabel("$α_0$", fontsize=9)
    middle.set_ylabel("residual (%)", fontsize=9)
    middle.set_title("(b)  residuals of the fifteen cells", fontsize=9, loc="left")
    middle.legend(fontsize=7, frameon=False, loc="upper right")
    for colour, k in zip(COLOURS, data.fit.values, strict=False):
        one = data.sel(fit=k)
        label = f"rms {100 * float(one.rms):.2f} %, $V_K$ = {float(one['shape'][3]):.1f} mV"
        right.semilogy([1, 2, 3, 4], one.singular_values, "o-", color=colour, ms=4, label=label)
    right.set_xticks([1, 2, 3, 4])
    right.set_xlim(0.8, 4.2)
    right.set_ylim(1e-5, 30)
    right.set_xlabel("direction among the four parameters", fontsize=9)
    right.set_ylabel("singular value of the Jacobian", fontsize=9)
    right.set_title("(c)  what the table fixes", fontsize=9, loc="left")
    right.legend(fontsize=7, frameon=False, loc="upper right")
    return figure


def circuits(data: xr.Dataset) -> Figure:
    """Draw convergence against steps and shots, and the coupled pair."""
    figure, axes = grid(2, 3, (12.5, 7))
    steps, shots, over = axes[0]
    for colour, kind, label in (
        (COLOURS[0], "memristor", "memristor qubit"),
        (COLOURS[1], "gate", "potassium gate, $n$"),
        (COLOURS[2], "pair", "coupled pair"),
    ):
        x, y = data[f"{kind}_steps"], data[f"{kind}_error"]
        steps.loglog(x, y, "o-", color=colour, ms=4, label=label)
        if kind != "pair":
            shots.loglog(data.shots, data[f"{kind}_noise"], "o-", color=colour, ms=4, label=label)
    guide = np.array([25.0, 800.0])
    steps.loglog(guide, 0.5 * (guide / 16) ** -2, ":", color=COLOURS[4], label="steps$^{-2}$")
    guide = np.array([250.0, 16_000.0])
    shots.loglog(guide, 0.11 * (guide / 250) ** -0.5, ":", color=COLOURS[4], label="shots$^{-1/2}$")
    steps.set_xlabel("feedback steps", fontsize=9)
    steps.set_ylabel("largest error", fontsize=9)
    shots.set_xlabel("shots a step", fontsize=9)
    shots.set_ylabel("RMS error by shots", fontsize=9)
    styles = {"fed back": ("-", 0), "frozen": ("--", 1), "uncoupled": (":", 4)}
    for name, (style, k) in styles.items():
        one = data.sel(coupling=name)
        label = {"frozen": "rates frozen"}.get(name, name)
        line(over, data.time, one.pair_concurrence, COLOURS[k], label, ls=style, lw=1.4)
        for qubit, panel in enumerate(axes[1, :2]):
            own = one.sel(qubit=qubit)
            line(panel, own.pair_voltage, own.pair_current, COLOURS[k], label, ls=style, lw=1.1)
        own = one.sel(qubit=0)
        line(axes[1, 2], data.time, own.pair_gamma, COLOURS[k], label, ls=style, lw=1.4)
    over.set_xlabel("time", fontsize=9)
    over.set_ylabel("concurrence of the pair", fontsize=9)
    for panel, qubit in zip(axes[1, :2], (0, 1), strict=True):
        panel.set_xlabel("voltage $⟨Y⟩$", fontsize=9)
        panel.set_ylabel(f"current $γ⟨Y⟩$ of qubit {qubit}", fontsize=9)
    axes[1, 2].set_xlabel("time", fontsize=9)
    axes[1, 2].set_ylabel("rate $γ$ of qubit 0", fontsize=9)
    for panel, letter in zip(axes.flat, "abcdef", strict=True):
        panel.set_title(f"({letter})", fontsize=9, loc="left")
    for panel in (steps, shots):
        panel.margins(x=0.05)
    for panel in (steps, shots, over, axes[1, 0]):
        panel.legend(fontsize=7, frameon=False, loc="best")
    return figure
