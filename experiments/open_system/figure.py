"""Pictures and report of a bath's run: spins, stimulation and rates, excitation histograms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..report.figure import EXACT, MEASURED
from ..report.verdict import follow_verdict

__all__ = ["spin_figure", "verdict"]


def spin_figure(data: xr.Dataset, title: str) -> Figure:
    """⟨σ_z⟩ above, with the mean fields; stimulation and rates below."""
    figure = Figure(figsize=(9, 6), layout="constrained")
    figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
    _spins(top, data)
    _drive(bottom, data)
    for axes in (top, bottom):
        axes.grid(alpha=0.2)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(loc="best", fontsize=8, frameon=False, ncols=2)
    return figure


def _spins(axes: Axes, data: xr.Dataset) -> None:
    fine = data.time_fine
    axes.plot(fine, data.exact_m_z_fine, color=EXACT, lw=1.6, label="exact (master equation)")
    axes.plot(fine, data.mean_field_m_z_fine, color="#1d4ed8", lw=1, ls="--", label="mean field")
    axes.plot(fine, data.printed_m_z_fine, color="#94a3b8", lw=1, ls=":", label="Eq. 18 as printed")
    if "m_z_stderr" in data:
        axes.errorbar(
            data.time, data.m_z, 1.96 * data.m_z_stderr, fmt="o", ms=3.5, lw=0.9, color=MEASURED,
            label="measured, 95 %",
        )  # fmt: skip
    axes.set_ylabel(r"$\langle\sigma_z\rangle$ a neuron (+1: active)")
    axes.set_ylim(-1.1, 1.1)


def _drive(axes: Axes, data: xr.Dataset) -> None:
    fine = data.time_fine
    axes.plot(fine, data.eta_fine, color="#15803d", lw=1.2, label="stimulation η")
    axes.plot(fine, data.kappa_fine, color="#7c3aed", lw=1.2, label="emission κ")
    if float(abs(data.kappa_tilde_fine).max()) > 0:
        axes.plot(fine, data.kappa_tilde_fine, color="#db2777", lw=1.2, label="absorption κ̃")
    if "eta" in data:
        middles = (data.time.values[1:] + data.time.values[:-1]) / 2
        axes.plot(middles, data.eta, "o", ms=3, color=MEASURED, label="η set by what was measured")
    axes.set_xlabel("time in 1/g")
    axes.set_ylabel("η; rates in g")


def verdict(result: Mapping[str, Any]) -> tuple[str, str]:
    """(class, sentence): what the numbers mean, by thresholds that the sentence names."""
    means = (
        f" The right mean field is off by at most {result['mean_field_error']:.3f}, the paper's "
        f"Eq. 18 by {result['published_formula_error']:.2f}."
    )
    if result["shots"] is None:
        return "good", f"Exact trajectory; no circuit was run.{means}"
    error, noise = result["rmse_sz"], result["shot_error"]
    where = (
        f"{result['backend']} against the master equation: RMSE of ⟨σ_z⟩ {error:.4f}; shots alone "
        f"give {noise:.4f}, finite collisions {result['collision_error']:.4f}.{means}"
    )
    return follow_verdict("the exact spins", where, error, noise, (0.02, "0.02"), 0.1)
