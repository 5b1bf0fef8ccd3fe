"""Picture and verdict of a run of entangled neurons, beside its controls."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..engine.measures import Z95
from ..report.figure import EXACT, MEASURED

__all__ = ["KIND_COLOURS", "findings", "pair_figure", "verdict"]

KIND_COLOURS = {
    "entangled": MEASURED,
    "private bit": "#64748b",
    "shared bit": "#1d4ed8",
    "coupled": "#15803d",
    "plain": "#94a3b8",
}
# standard errors from which S is above 2, and synchronies are apart; p of a signal
FAR, APART, SIGNALS = 5, 3, 0.01
# what a raster shows of a run
SHOWN_PAIRS, SHOWN_MS = 6, 400


def pair_figure(data: xr.Dataset, result: Mapping[str, Any], title: str) -> Figure:
    """Rasters of all kinds side by side; below them synchrony, correlators, the CHSH value."""
    figure = Figure(figsize=(12, 6.6), layout="constrained")
    figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    halves: Any = figure.subfigures(2, 1)
    top, bottom = halves
    panels = top.subplots(1, data.sizes["kind"], sharex=True, sharey=True)
    for panel, kind in zip(panels, data.kind.values, strict=True):
        _raster(panel, data, str(kind))
    panels[0].set_ylabel("pair" if data.sizes["neuron"] == 2 else "group")
    if result["chsh"] is None:
        synchrony, latency = bottom.subplots(1, 2)
        _bars(latency, data, "rate_hz", "spikes a second")
    else:
        synchrony, correlators, value = bottom.subplots(1, 3)
        _correlators(correlators, data)
        _chsh(value, data, result)
    _bars(synchrony, data, "synchrony", f"coincident spikes, ±{data.attrs['coincidence']:g} ms")
    return figure


def _raster(axes: Axes, data: xr.Dataset, kind: str) -> None:
    pairs = min(SHOWN_PAIRS, data.sizes["pair"])
    last = int(np.searchsorted(data.time.values, min(SHOWN_MS, float(data.time[-1])), "right"))
    shown = data.spikes.sel(kind=kind)[:last, :pairs].values
    n, times = shown.shape[2], data.time.values[:last]
    for neuron in range(n):
        tick, pair = np.nonzero(shown[..., neuron])
        axes.plot(times[tick], pair + (neuron - (n - 1) / 2) * 0.7 / n, "|", mew=1.1,
                  ms=11 - 2 * min(n, 4), color=KIND_COLOURS[kind],
                  alpha=1.0 if neuron == 0 else 0.55)  # fmt: skip
    tick, pair = np.nonzero(shown.sum(axis=2) > 1)
    axes.plot(times[tick], pair, "o", ms=9, mfc="none", mec="#ca8a04", mew=1.0)
    axes.set_ylim(pairs - 0.5, -0.5)
    axes.set_yticks(range(pairs), [str(p + 1) for p in range(pairs)])
    axes.set_title(f"{kind}\n{float(data.rate_hz.sel(kind=kind)):.1f} Hz", fontsize=9, loc="left")
    axes.set_xlabel("time in ms", fontsize=9)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def _bars(axes: Axes, data: xr.Dataset, name: str, label: str) -> None:
    kinds = [str(k) for k in data.kind.values]
    for place, kind in enumerate(kinds):
        own = data.sel(kind=kind)
        error = Z95 * float(own[f"{name}_stderr"])
        axes.errorbar(place, float(own[name]), error if math.isfinite(error) else None, fmt="o",
                      color=KIND_COLOURS[kind], capsize=4, ms=6)  # fmt: skip
    axes.set_xticks(range(len(kinds)), kinds, fontsize=8, rotation=20)
    axes.set_xlim(-0.5, len(kinds) - 0.5)
    axes.set_ylim(bottom=0)
    axes.set_ylabel(label)
    axes.set_title("bars: 95 %", fontsize=8, loc="left", color="#475569")
    axes.grid(alpha=0.2)
    axes.spines[["top", "right"]].set_visible(False)


def _correlators(axes: Axes, data: xr.Dataset) -> None:
    """E_xy of the kinds with bits, and the state's."""
    signs = np.array([1.0, -1.0])
    angles, phi = data.setting_angles.values, float(data.attrs["phi"])
    a, b = angles[0][:, None], angles[1][None]
    exact = float(data.attrs["visibility"]) * (
        np.cos(a) * np.cos(b) + math.sin(2 * phi) * np.sin(a) * np.sin(b)
    )
    places = np.arange(4)
    axes.hlines(
        exact.ravel(), places - 0.3, places + 0.3, color=EXACT, lw=1.6, label="state, exact"
    )
    for shift, kind in zip((-0.15, 0.0, 0.15), data.sharing.values, strict=True):
        n = data.counts.sel(sharing=kind).values
        trials = n.sum(axis=(2, 3))
        mean = np.einsum("xyij,i,j->xy", n, signs, signs) / trials
        error = Z95 * np.sqrt((1 - mean**2) / trials)
        axes.errorbar(np.arange(4) + shift, mean.ravel(), error.ravel(), fmt="o", ms=4, capsize=3,
                      color=KIND_COLOURS[str(kind)], label=str(kind))  # fmt: skip
    axes.axhline(0, color="#cbd5e1", lw=0.8)
    axes.set_xticks(range(4), ["both\nbelow", "second\nabove", "first\nabove", "both\nabove"],
                    fontsize=8)  # fmt: skip
    axes.set_ylim(-1.1, 1.45)
    axes.set_ylabel("E at the settings of the voltages")
    axes.legend(loc="upper right", fontsize=7, frameon=False, ncols=2)
    axes.spines[["top", "right"]].set_visible(False)


def _chsh(axes: Axes, data: xr.Dataset, result: Mapping[str, Any]) -> None:
    kinds = [str(k) for k in data.sharing.values]
    axes.axhspan(-3, 2, color="#f1f5f9", lw=0)
    axes.axhline(2, color="#b91c1c", lw=1.0)
    axes.text(-0.45, 1.97, "2: most of any local model", fontsize=7, color="#b91c1c", va="top")
    axes.axhline(2 * math.sqrt(2), color="#94a3b8", lw=0.8, ls=":")
    axes.text(len(kinds) - 0.45, 2 * math.sqrt(2), "2√2: most of any state", fontsize=7,
              color="#64748b", va="bottom", ha="right")  # fmt: skip
    for place, kind in enumerate(kinds):
        own = data.sel(kind=kind)
        axes.errorbar(place, float(own.chsh), Z95 * float(own.chsh_stderr), fmt="o", capsize=4,
                      color=KIND_COLOURS[kind], ms=6)  # fmt: skip
    if "chsh_readout" in result:
        error = Z95 * result["chsh_readout_stderr"]
        axes.errorbar(0.2, result["chsh_readout"], error, fmt="s", ms=5, capsize=4, mfc="none",
                      color=MEASURED, label="readout corrected")  # fmt: skip
        axes.legend(loc="lower left", fontsize=7, frameon=False)
    low = min(0.0, *(float(data.chsh.sel(kind=kind)) for kind in kinds))
    axes.set_ylim(low - 0.3, 3.25)
    axes.set_xticks(range(len(kinds)), kinds, fontsize=8)
    axes.set_xlim(-0.5, len(kinds) - 0.4)
    axes.set_ylabel("CHSH value S")
    axes.spines[["top", "right"]].set_visible(False)


def findings(result: Mapping[str, Any]) -> list[str]:
    """What the numbers mean, a sentence each; every threshold is named."""
    return [_about_chsh(result), _about_synchrony(result), _about_signalling(result)]


def _about_chsh(result: Mapping[str, Any]) -> str:
    if result["chsh"] is None:
        return {
            "fixed": "Fixed settings have no CHSH value: what the pair does, a shared bit does.",
            "linear": "Linear settings are not two a side, so there is no CHSH value.",
            "level": "No CHSH value: some settings never came, or a group's others have a choice.",
        }[result["settings"]]
    s, error = result["chsh"], result["chsh_stderr"]
    words = f"S = {s:.3f} ± {error:.3f}, "
    if _beyond(result):
        words += f"{(s - 2) / error:.0f} standard errors above the 2 of shared randomness"
    else:
        words += f"not {FAR} standard errors above the 2 of shared randomness"
    more = f" (the state alone: {result['chsh_exact']:.3f}"
    if "chsh_readout" in result:
        more += (
            f"; with readout errors inverted {result['chsh_readout']:.3f} ± "
            f"{result['chsh_readout_stderr']:.3f}"
        )
    return f"{words}{more})."


def _about_synchrony(result: Mapping[str, Any]) -> str:
    gap, error = result["synchrony_over_shared_bit"], result["synchrony_over_shared_bit_stderr"]
    if gap is None or error is None:
        return "Too few spikes or pairs to compare synchrony with a shared bit's."
    both = (
        f"{result['synchrony']:.4f} against {result['shared_bit_synchrony']:.4f}, difference "
        f"{gap:+.4f} ± {error:.4f}"
    )
    if not _apart(result):
        return (
            f"Synchrony is not told apart from that of a shared bit: {both}, within {APART} "
            "standard errors."
        )
    word = "above" if gap > 0 else "below"
    nearest = " with the nearest correlators" if result["group"] == 2 else ""
    return f"Synchrony is {word} that of the shared bit{nearest}: {both}."


def _about_signalling(result: Mapping[str, Any]) -> str:
    found = _signalling_tests(result)
    if not found:
        return "Signalling was not tested: too few pairs or ticks."
    text = ", ".join(f"{p:.2g}" for p in found)
    if _silent(result):
        return (
            "Nothing is signalled: neither settings nor drive of one neuron show in the other "
            f"(p = {text})."
        )
    return f"Settings or drive of one neuron show in the other (p = {text})."


def _beyond(result: Mapping[str, Any]) -> bool:
    return result["chsh"] is not None and result["chsh"] - 2 > FAR * result["chsh_stderr"]


def _apart(result: Mapping[str, Any]) -> bool:
    gap, error = result["synchrony_over_shared_bit"], result["synchrony_over_shared_bit_stderr"]
    return gap is not None and error is not None and abs(gap) > APART * error


def _signalling_tests(result: Mapping[str, Any]) -> list[float]:
    names = ("no_signalling_p", "no_signalling_first_p", "no_signalling_second_p")
    values = [result[name] for name in (*names, "drive_first_p", "drive_second_p")]
    return [p for p in values if p is not None]


def _silent(result: Mapping[str, Any]) -> bool:
    """The least of several p is as small as 1 % by Bonferroni in one run of a hundred."""
    found = _signalling_tests(result)
    return not found or min(found) * len(found) >= SIGNALS


def verdict(result: Mapping[str, Any]) -> tuple[str, str]:
    """(class, sentence): what is beyond shared randomness, and whether anything is signalled."""
    meant = result["chsh_exact"] is not None and result["chsh_exact"] > 2
    style = "good" if _beyond(result) or not meant else "fair"
    if not _silent(result):
        style = "poor"
    if _beyond(result):
        lead = "Beyond shared randomness: the CHSH value, and "
        lead += "what its correlators do to synchrony." if _apart(result) else "nothing else."
    else:
        lead = "Nothing here is shown to be beyond shared randomness."
    return style, " ".join([lead, *findings(result)])
