"""The pictures of the studies, drawn from their datasets alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = ["draw"]

_COLOURS = ("#1e293b", "#c2410c", "#1d4ed8", "#15803d", "#a21caf", "#ca8a04")
_TIME = "time $t$ (inverse units of the coupling)"


def draw(data: xr.Dataset) -> Figure:
    """Draw the picture of a study's dataset; which one it is, its attributes say."""
    drawers: dict[str, Callable[[xr.Dataset], Figure]] = {
        "stimulus": _stimulus,
        "observables": _observables,
        "mean-field": _mean_field,
        "two-neurons": _two_neurons,
        "single-shots": _single_shots,
        "decoherence": _decoherence,
        "coupled": _coupled,
    }
    figure = drawers[data.attrs["study"]](data)
    figure.suptitle(
        f"{data.attrs['title']} ({data.attrs['backend']})", fontsize=9.5, x=0.01, ha="left"
    )
    return figure


def _panels(rows: int, columns: int, size: tuple[float, float]) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=size, layout="constrained")
    axes: list[Axes] = list(np.atleast_1d(figure.subplots(rows, columns)).ravel())
    for letter, one in zip("abcdef", axes, strict=False):
        one.set_title(f"({letter})", fontsize=9, loc="left")
        one.grid(alpha=0.2)
        one.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _curves(axes: Axes, x: Any, rows: xr.DataArray, dim: str, label: Callable[[Any], str]) -> None:
    for colour, value in zip(_COLOURS, rows[dim].values, strict=False):
        axes.plot(x, rows.sel({dim: value}), color=colour, lw=1.2, label=label(value))


def _legend(axes: Axes, **options: Any) -> None:
    axes.legend(fontsize=8, frameon=False, **options)


def _stimulus(data: xr.Dataset) -> Figure:
    figure, (top, field, scan) = _panels(3, 1, (9, 8))
    _curves(top, data.time, data.excitation, "stimulus", str)
    top.set_ylabel("excitation $E$")
    top.set_ylim(-0.03, 1.03)
    _legend(top, ncols=4, loc="upper left")
    _curves(field, data.time, data.field, "stimulus", str)
    field.set_ylabel("field $h$ (coupling)")
    field.set_xlabel(_TIME)
    scan.plot(data.period, data.response, "o-", color=_COLOURS[1], ms=4)
    scan.set_xscale("log")
    scan.set_xlabel("period of a sine of amplitude 0.1")
    scan.set_ylabel("change of $E$ (std)")
    return figure


def _observables(data: xr.Dataset) -> Figure:
    figure, (top, bottom) = _panels(2, 1, (9, 6))
    _curves(top, data.time, data.excitation, "observable", str)
    top.set_ylabel("excitation $E$")
    _curves(bottom, data.time, data.r, "observable", str)
    bottom.set_ylabel("synaptic efficacy $r$")
    bottom.set_xlabel(_TIME)
    figure.legend(
        *top.get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8,
        frameon=False, title="the synapse listens to", title_fontsize=8,
    )  # fmt: skip
    return figure


def _mean_field(data: xr.Dataset) -> Figure:
    figure, (left, right) = _panels(1, 2, (9.5, 4))
    early = data.time <= 40
    chosen = data.excitation.sel(neurons=[10, 40, 160, 640])[:, early.values]
    _curves(left, data.time[early], chosen, "neurons", lambda n: f"N = {n}")
    left.plot(data.time[early], data.mean_field[early], "k--", lw=1.2, label="mean field")
    left.set_xlabel(_TIME)
    left.set_ylabel("excitation $E$")
    _legend(left)
    right.loglog(data.neurons, data.holds_until, "o-", color=_COLOURS[1])
    right.set_xlabel("neurons $N$")
    right.set_ylabel("mean field right within 0.05 until $t$")
    return figure


def _two_neurons(data: xr.Dataset) -> Figure:
    figure, (left, middle, right) = _panels(1, 3, (11, 3.8))
    early = data.time <= 30
    _curves(left, data.time[early], data.excitation.sel(tau_r=[0.0, 1.0, 10.0])[:, early.values],
            "tau_r", lambda tau: rf"$\tau_r$ = {tau:g}")  # fmt: skip
    left.set_xlabel(_TIME)
    left.set_ylabel("excitation $E$")
    _legend(left, loc="upper right")
    middle.plot(data.tau_r, data.frequency, "o-", color=_COLOURS[1])
    middle.set_xlabel(r"recovery time $\tau_r$")
    middle.set_ylabel("frequency of $E$")
    middle.set_ylim(0)
    right.plot(data.phase, data.orbit_excitation, color=_COLOURS[0], label="excitation $E$")
    right.plot(data.phase, data.entropy, color=_COLOURS[2], label="entropy of a neuron (bits)")
    right.set_xlabel(r"phase $s = \int r\,dt$")
    _legend(right, loc="lower center")
    return figure


def _single_shots(data: xr.Dataset) -> Figure:
    figure, (left, right) = _panels(1, 2, (10, 4.2))
    for k in range(3):
        left.plot(data.time, data.one_excitation[:, k], color="#94a3b8", lw=0.7,
                  label="single brains" if k == 0 else None)  # fmt: skip
    left.plot(data.time, data.law, color=_COLOURS[0], lw=1.6, label="the paper's law")
    band = 2 * data.excitation_stderr
    left.fill_between(
        data.time, data.excitation - band, data.excitation + band, color=_COLOURS[1], alpha=0.3
    )
    left.plot(data.time, data.excitation, color=_COLOURS[1], label="mean of 400 brains")
    left.plot(data.time, data.excitation_undisturbed, ":", color=_COLOURS[2], lw=1.8,
              label="mean, if shots did not disturb")  # fmt: skip
    left.set_xlabel(_TIME)
    left.set_ylabel("excitation $E$")
    _legend(left)
    right.loglog(data.shots, data.deviation, "o-", color=_COLOURS[1], label="measured")
    right.loglog(data.shots, data.deviation_undisturbed, "s--", color=_COLOURS[2],
                 label="if shots did not disturb")  # fmt: skip
    right.set_xlabel("shots a brain")
    right.set_ylabel("RMS distance of the mean $E$ to the law")
    _legend(right)
    return figure


def _decoherence(data: xr.Dataset) -> Figure:
    figure, axes = _panels(2, 2, (10, 6))
    titles = {
        "decay": "each neuron decays",
        "dephasing": "each neuron dephases",
        "collective_decay": "all decay together (rate/N)",
        "collective_dephasing": "all dephase together (rate/N)",
    }
    for one, kind in zip(axes, data.kind.values, strict=True):
        _curves(one, data.time, data.excitation.sel(kind=kind), "rate", lambda x: f"{x:g}")
        one.set_title(f"{one.get_title('left')} {titles[str(kind)]}", fontsize=9, loc="left")
        one.set_ylim(-0.03, 1.03)
    for one in axes[2:]:
        one.set_xlabel(_TIME)
    for one in axes[::2]:
        one.set_ylabel("excitation $E$")
    figure.legend(
        *axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=8,
        frameon=False, title="rate (units of the coupling)", title_fontsize=8,
    )  # fmt: skip
    return figure


def _coupled(data: xr.Dataset) -> Figure:
    figure, axes = _panels(3, 1, (9, 7.5))
    c = float(data.coupling[3])
    for one, brain in zip(axes[:2], ("A", "B"), strict=True):
        for colour, hit, label in (
            (_COLOURS[0], "no", "no pulse"),
            (_COLOURS[1], "yes", "pulse on A"),
        ):
            curve = data.excitation.sel(coupling=c, pulse=hit, brain=brain)
            one.plot(data.time, curve, color=colour, lw=1.2, label=label)
        one.axvspan(20, 28, color="#fde68a", alpha=0.6, lw=0)
        one.set_ylabel(f"$E$ of brain {brain}")
        one.set_ylim(-0.03, 1.03)
    _legend(axes[0], ncols=2, loc="upper right")
    _curves(axes[2], data.time, data.entropy, "coupling", lambda x: f"c = {x:g}")
    axes[2].set_ylabel("entanglement (bits)")
    axes[2].set_xlabel(_TIME)
    _legend(axes[2], ncols=5, loc="lower right")
    return figure
