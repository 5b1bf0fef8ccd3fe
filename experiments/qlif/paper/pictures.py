"""The pictures of the studies, drawn from their datasets alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...papers.pictures import grid
from ..figure import KIND_COLOURS

__all__ = ["draw"]

_DARK, _RED = "#1e293b", "#b91c1c"
_COLOURS = {**KIND_COLOURS, "mean bit": "#a21caf", "circuits": "#ca8a04"}
_Z95 = 1.96
_CURVES = ("#c2410c", "#ca8a04", "#64748b")


def draw(data: xr.Dataset) -> Figure:
    """Draw the picture of a study's dataset; which one it is, its attributes say."""
    drawers: dict[str, Callable[[xr.Dataset], Figure]] = {
        "chsh": _chsh,
        "settings": _settings,
        "groups": _groups,
        "cross-layer": _cross_layer,
        "modulation": _modulation,
        "coherence": _coherence,
        "energy": _energy,
    }
    figure = drawers[str(data.attrs["figure"])](data)
    figure.suptitle(
        f"{data.attrs['title']} ({data.attrs['backend']})", fontsize=9, x=0.01, ha="left"
    )
    return figure


def _panels(columns: int, size: tuple[float, float], **more: Any) -> tuple[Figure, list[Axes]]:
    figure, axes = grid(1, columns, size, **more)
    panels = list(axes[0])
    for panel, letter in zip(panels, "ABC", strict=False):
        panel.set_title(f"({letter})", fontsize=9, loc="left")
        panel.margins(x=0.04)
    return figure, panels


def _bars(axes: Axes, data: xr.Dataset, name: str, kinds: list[str] | None = None) -> None:
    """Draw a metric of each kind with its 95 % interval."""
    shown = [str(k) for k in data.kind.values] if kinds is None else kinds
    for place, kind in enumerate(shown):
        own = data.sel(kind=kind)
        axes.errorbar(place, float(own[name]), _Z95 * float(own[f"{name}_stderr"]), fmt="o",
                      color=_COLOURS[kind], capsize=4, ms=5)  # fmt: skip
    axes.set_xticks(range(len(shown)), shown, rotation=25, ha="right", fontsize=8)
    axes.set_xlim(-0.5, len(shown) - 0.5)


def _curves(
    axes: Axes, data: xr.Dataset, x: str, name: str, *, spread: float = 0.0, **style: Any
) -> None:
    """Draw a metric of each kind against ``x``; kinds are moved apart by a factor ``spread``."""
    places = data[x].values.astype(float)
    kinds = [str(k) for k in data.kind.values]
    for number, kind in enumerate(kinds):
        own = data.sel(kind=kind)
        moved = places * (1 + spread) ** (number - (len(kinds) - 1) / 2)
        options = {"fmt": "o-", "ms": 3.5, "lw": 1.0, "capsize": 2, **style}
        axes.errorbar(moved, own[name], _Z95 * own[f"{name}_stderr"], color=_COLOURS[kind],
                      label=kind, **options)  # fmt: skip


def _legend(axes: Axes, **options: Any) -> None:
    axes.legend(fontsize=8, frameon=False, **options)


def _chsh(data: xr.Dataset) -> Figure:
    figure, (left, right) = _panels(2, (10.5, 4.2), sharey=True, width_ratios=[3, 2])
    fine = np.linspace(0, math.pi / 4, 200)
    for colour, v in zip(_CURVES, data.curve.values, strict=True):
        own = data.sel(curve=v)
        left.plot(fine, 2 * v * np.sqrt(1 + np.sin(2 * fine) ** 2), color=colour, lw=1.0)
        left.errorbar(data.phi, own.chsh, _Z95 * own.chsh_stderr, fmt="o", ms=4, capsize=3,
                      color=colour, label=f"entangled, visibility {v:g}")  # fmt: skip
    left.errorbar(data.phi, data.shared, _Z95 * data.shared_stderr, fmt="s", ms=4, capsize=3,
                  color=_COLOURS["shared bit"], label="nearest shared bit")  # fmt: skip
    left.set_xticks([0, math.pi / 8, math.pi / 4], ["0\nproduct", "π/8", "π/4\nmost entangled"])
    left.set_xlabel("φ of the shared state")
    left.set_ylabel("CHSH value S")
    v = np.array([0.48, 1.0])
    right.plot(v, 2 * math.sqrt(2) * v, color=_DARK, lw=1.0)
    right.errorbar(data.visibility, data.by_visibility, _Z95 * data.by_visibility_stderr, fmt="o",
                   ms=4, capsize=3, color=_COLOURS["entangled"])  # fmt: skip
    right.axvline(1 / math.sqrt(2), color="#94a3b8", lw=0.8, ls=":")
    right.text(1 / math.sqrt(2) - 0.01, 2.7, "1/√2", fontsize=8, color="#64748b", ha="right")
    right.set_xlabel("visibility, φ = π/4")
    for panel in (left, right):
        panel.axhline(float(data.attrs["bound"]), color=_RED, lw=1.0)
        panel.axhspan(1.3, float(data.attrs["bound"]), color="#f1f5f9", lw=0)
        panel.set_ylim(1.3, 3.0)
    right.text(1.0, 2.02, "most of any local model", fontsize=8, color=_RED, ha="right")
    _legend(left, loc="upper left")
    return figure


def _settings(data: xr.Dataset) -> Figure:
    figure, (left, right) = _panels(2, (10.5, 4.2))
    kinds = [str(k) for k in data.kind.values]
    marks = {
        "entangled": ("o-", 5.5, None),
        "shared bit": ("s", 9, "none"),
        "private bit": ("o-", 4, None),
    }
    for kind in kinds:
        own, (fmt, size, fill) = data.sel(kind=kind), marks[kind]
        left.errorbar(data.between, own.fixed, _Z95 * own.fixed_stderr, fmt=fmt, ms=size, mfc=fill,
                      lw=1.0, capsize=3, color=_COLOURS[kind], label=kind)  # fmt: skip
    left.axhline(float(data.plain), color=_COLOURS["plain"], lw=1.0, ls="--", label="plain")
    wire = f"coupled (a tick late): {float(data.coupled):.3f}"
    left.text(0.99, 0.6, wire, transform=left.transAxes, fontsize=8, color=_COLOURS["coupled"],
              ha="right")  # fmt: skip
    left.set_xticks([0, math.pi / 2, math.pi], ["0\nbits equal", "π/2", "π\nbits opposite"])
    left.set_xlabel("fixed settings: angle between the neurons'")
    left.set_ylabel("spikes in the mate's tick")
    _legend(left)
    for number, kind in enumerate(kinds):
        own = data.sel(kind=kind)
        places = np.arange(data.sizes["arrangement"]) + 0.15 * (number - 1)
        right.errorbar(places, own.level, _Z95 * own.level_stderr, fmt="o", ms=5, capsize=3,
                       color=_COLOURS[kind], label=kind)  # fmt: skip
    equal = data.sel(kind="shared bit").fixed[0]
    right.axhline(float(equal), color=_COLOURS["shared bit"], lw=1.0, ls="--")
    right.text(-0.45, float(equal) * 1.01, "shared bit, always equal", fontsize=8,
               color=_COLOURS["shared bit"], va="bottom")  # fmt: skip
    names = [str(name).replace(": ", "\n") for name in data.arrangement.values]
    right.set_xticks(range(len(names)), names, fontsize=8)
    right.set_xlim(-0.5, len(names) - 0.5)
    right.set_ylim(0, float(equal) * 1.15)
    right.set_xlabel("settings by level of the voltage")
    return figure


def _groups(data: xr.Dataset) -> Figure:
    figure, (left, right) = _panels(2, (10.5, 4.0))
    _curves(left, data, "size", "chsh", fmt="o")
    left.axhline(2, color=_RED, lw=1.0)
    left.text(4, 2.03, "most of any local model", fontsize=8, color=_RED, ha="center")
    left.axhline(2 * math.sqrt(2), color="#94a3b8", lw=0.8, ls=":")
    left.set_ylabel("S of two, given the others' parity")
    left.set_ylim(-0.3, 3.2)
    _curves(right, data, "size", "fixed_synchrony", fmt="o", spread=0.02)
    right.set_ylabel("spikes in another's tick, fixed settings")
    right.set_ylim(bottom=0)
    for panel in (left, right):
        panel.set_xticks(data["size"].values)
        panel.set_xlabel("neurons that share a state")
    _legend(right)
    return figure


def _cross_layer(data: xr.Dataset) -> Figure:
    figure, (left, middle, right) = _panels(3, (12, 4.2))
    kinds = [str(k) for k in data.kind.values]
    for shift, name, mark, label in (
        (-0.12, "mates", "o", "mates"),
        (0.12, "others", "x", "others"),
    ):
        for place, kind in enumerate(kinds):
            own = data.sel(kind=kind)
            left.errorbar(place + shift, float(own[name]), _Z95 * float(own[f"{name}_stderr"]),
                          fmt=mark, ms=5, capsize=3, color=_COLOURS[kind],
                          label=label if place == 0 else None)  # fmt: skip
    left.set_xticks(range(len(kinds)), kinds, rotation=25, ha="right", fontsize=8)
    left.set_ylabel("coincident spikes across the layers, ±1 ms")
    left.set_yscale("log")
    _legend(left)
    for kind in ("coupled", "plain", "shared bit", "entangled"):
        second = data.rate.sel(kind=kind, layer="second")
        smooth = second.values.reshape(-1, 5).mean(axis=1)
        times = data.time.values.reshape(-1, 5).mean(axis=1) / 1000
        width = 3.5 if kind == "shared bit" else 1.3
        alpha = 0.4 if kind == "shared bit" else 1.0
        middle.plot(times, smooth, color=_COLOURS[kind], lw=width, alpha=alpha, label=kind)
    middle.axvline(2, color=_DARK, lw=0.8, ls=":")
    middle.text(2.04, 0.3, "first layer's\ndrive raised", fontsize=8, color=_DARK, va="bottom")
    middle.set_xlabel("time in s")
    middle.set_ylabel("rate of the second layer in Hz")
    middle.set_ylim(0, 20)
    _legend(middle, ncols=2, loc="upper left")
    _bars(right, data, "second layer's change")
    right.axhline(0, color=_DARK, lw=0.8)
    right.set_ylabel("change of the second layer in Hz")
    return figure


def _modulation(data: xr.Dataset) -> Figure:
    figure, axes = grid(1, 4, (13, 4.0), width_ratios=[2.2, 1, 1, 1])
    for panel, letter in zip(axes[0], "ABCD", strict=True):
        panel.set_title(f"({letter})", fontsize=9, loc="left")
    curve, *others = axes[0]
    for kind in data.kind.values:
        wide = str(kind) == "shared bit"
        curve.plot(data.time, data.rate.sel(kind=kind), color=_COLOURS[str(kind)], label=str(kind),
                   lw=3.5 if wide else 1.1, alpha=0.4 if wide else 1.0)  # fmt: skip
    half = float(data.time[-1] + data.time[0]) / 2
    curve.axvspan(0, half, color="#fef3c7", lw=0, zorder=0)
    curve.set_xlabel("time in a cycle of the drive, ms")
    curve.set_ylabel("rate in Hz")
    curve.set_ylim(bottom=0)
    _legend(curve, ncols=2, loc="upper right")
    labels = (
        ("response", "mean delay in ms"),
        ("precision", "d′ of two drives"),
        ("fano", "Fano factor"),
    )
    for panel, (name, label) in zip(others, labels, strict=True):
        _bars(panel, data, name)
        panel.set_ylabel(label)
    others[2].set_ylim(bottom=0)
    return figure


def _coherence(data: xr.Dataset) -> Figure:
    figure, (left, middle, right) = _panels(3, (12.5, 4.0))
    for panel, name, label in (
        (left, "factor", "coincidence factor, ±1 ms"),
        (middle, "adaptive", "SPIKE-synchronisation"),
    ):
        _curves(panel, data, "pulse_rate", name, spread=0.03)
        panel.set_xscale("log")
        panel.set_xticks(data.pulse_rate.values, [str(r) for r in data.pulse_rate.values])
        panel.minorticks_off()
        panel.set_xlabel("pulses a second, common to both")
        panel.set_ylabel(label)
    _curves(right, data, "time", "long_factor")
    right.set_xlabel("time in s, constant drive")
    right.set_ylabel("coincidence factor, ±1 ms")
    _legend(right, loc="center right")
    return figure


def _energy(data: xr.Dataset) -> Figure:
    figure, (left, middle, right) = _panels(3, (12, 4.0), width_ratios=[1.2, 1, 1])
    kinds = [str(k) for k in data.kind.values]
    each = [float(data.operations.sel(kind=kind)[0]) / 2 for kind in kinds]
    left.barh(range(len(kinds)), each, color=[_COLOURS[kind] for kind in kinds], alpha=0.85)
    for place, value in enumerate(each):
        left.text(value + 0.2, place, f"{value:g}", fontsize=8, va="center")
    labels = [k if k != "circuits" else "entangled,\ncircuits" for k in kinds]
    left.set_yticks(range(len(kinds)), labels, fontsize=8)
    left.invert_yaxis()
    left.set_xlabel("operations a neuron and tick")
    middle.loglog(data.pairs, data.device_ms, "o-", color=_COLOURS["circuits"], ms=4)
    middle.axhline(1, color=_RED, lw=1.0)
    middle.text(float(data.pairs[-1]), 0.88, "a tick of 1 ms", fontsize=8, color=_RED, va="top",
                ha="right")  # fmt: skip
    middle.set_xlabel("pairs")
    middle.set_ylabel("ms on a device, one pair after another")
    right.loglog(data.group, data.vector, "o-", color=_DARK, ms=4, label="state as a vector")
    right.loglog(data.group, data.drawn, "o-", color=_COLOURS["entangled"], ms=4,
                 label="drawn qubit by qubit")  # fmt: skip
    right.set_xticks(data.group.values, [str(n) for n in data.group.values])
    right.minorticks_off()
    right.set_xlabel("neurons that share a state")
    right.set_ylabel("operations a tick, simulated")
    _legend(right)
    return figure
