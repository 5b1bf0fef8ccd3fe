"""Section 3.1: two layers, with one neuron of each pair in either.

Synchrony of mates, synchrony of neurons whose mates are others, correlation of the layers' whole
activity, and what the second layer does when the first one's drive is raised: the only one of them
that is communication.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qbrain.reference.qlif import QlifPair, simulate_pairs
from qbrain.reference.qlif.spike_synchrony import Measure, synchrony

from ...papers.claims import HOLDS, IN_PART, NOT, Claim
from .model import (
    APART,
    KINDS,
    RULE,
    Figures,
    PaperFigure,
    above,
    by_kind,
    fixed_pair,
    interval,
    jackknife,
    judge,
    parameters,
    rows,
)

__all__ = ["communication", "cross_layer", "synchronisation"]

Array = NDArray[np.float64]
PAIRS, TICKS, BIN = 200, 4000, 20
LOW, HIGH, RAISED = 1.1, 1.6, 2000
# whole layers are compared in so many groups of pairs
GROUPS = 20


@lru_cache(maxsize=1)
def _runs() -> tuple[xr.Dataset, dict[str, Figures]]:
    """Run every kind at fixed settings, the first layer's drive raised halfway."""
    pair = fixed_pair()
    drive = np.full((TICKS, 2), LOW)
    drive[RAISED:, 0] = HIGH
    figures: dict[str, dict[str, Measure]] = {
        name: {}
        for name in ("mates", "others", "layers", "first layer's change", "second layer's change")
    }
    activity = []
    for kind in KINDS:
        spikes = simulate_pairs(TICKS, PAIRS, kind, pair, current=drive, seed=31).spikes.values
        before = spikes[:RAISED]
        figures["mates"][kind] = synchrony(before, 1)
        shifted = np.stack([before[..., 0], np.roll(before[..., 1], 1, axis=1)], axis=-1)
        figures["others"][kind] = synchrony(shifted, 1)
        figures["layers"][kind] = _layer_correlation(before)
        for layer, name in enumerate(("first layer's change", "second layer's change")):
            figures[name][kind] = _change(spikes[..., layer])
        rates = spikes.reshape(-1, BIN, PAIRS, 2).mean(axis=(1, 2)) * 1000
        activity.append(rates)
    data = by_kind(
        figures,
        units={"first layer's change": "Hz", "second layer's change": "Hz"},
    ).assign(rate=(("kind", "time", "layer"), np.stack(activity), {"units": "Hz"}))
    centres = BIN * (np.arange(TICKS // BIN) + 0.5)
    return data.assign_coords(
        time=("time", centres, {"units": "ms"}), layer=["first", "second"]
    ), dict(figures)


def _layer_correlation(spikes: NDArray[np.uint8]) -> Measure:
    """Correlate the two layers' spike counts in bins, over groups of pairs."""
    counts = spikes.reshape(-1, BIN, GROUPS, PAIRS // GROUPS, 2).sum(axis=(1, 3), dtype=float)
    # the step's transient aside, all bins are alike
    counts = counts[5:] - counts[5:].mean(axis=0)
    a, b = counts[..., 0], counts[..., 1]
    parts = np.stack([(a * b).sum(axis=0), (a * a).sum(axis=0), (b * b).sum(axis=0)], axis=-1)
    return jackknife(parts, lambda t: t[0] / np.sqrt(t[1] * t[2]))


def _change(spikes: NDArray[np.uint8]) -> Measure:
    """Return the rate after the step less the rate before it, in Hz, over pairs."""
    settled = 500
    after = spikes[RAISED + settled :].mean(axis=0)
    each = 1000 * (after - spikes[settled:RAISED].mean(axis=0))
    return Measure(float(each.mean()), float(each.std(ddof=1) / np.sqrt(len(each))))


def cross_layer() -> PaperFigure:
    """Make the study of section 3.1."""
    data, figures = _runs()
    mates, second = figures["mates"], figures["second layer's change"]
    measures = {
        f"{name}, {kind}": float(own[kind].value) for name, own in figures.items() for kind in own
    }
    return PaperFigure(
        "cross-layer",
        "Section 3.1, cross-layer synchronisation",
        parameters(
            QlifPair(), settings="fixed, 0 and 0", pairs=PAIRS, ticks=TICKS,
            current="1.1 nA, first layer 1.6 nA from 2000 ms", window="±1 ms", bin=f"{BIN} ms",
        ),
        data,
        "The draft reports no experiment here.",
        "Mates across the layers coincide as often as with a shared bit "
        f"({interval(mates['entangled'])} of spikes, shared bit {interval(mates['shared bit'])}), "
        f"more often than with private bits ({interval(mates['private bit'])}) and far less than "
        f"with a wire ({interval(mates['coupled'])}). When the first layer's drive is raised, the "
        f"second layer changes by {interval(second['entangled'], 2)} Hz; with a wire by "
        f"{interval(second['coupled'], 2)} Hz.",
        "So the layers are correlated as by any shared source of randomness, and nothing is "
        "communicated between them.",
        measures=measures,
    )  # fmt: skip


def synchronisation() -> Claim:
    """Measure whether mates fire together."""
    _, figures = _runs()
    mates = figures["mates"]
    return Claim(
        "synchronised firing",
        ("cross-layer",),
        "paired neurons with a shared quantum state fire in synchrony",
        "Share of spikes with one of the mate within 1 ms, fixed settings 0, where bits are "
        f"always equal. {RULE}.",
        rows({"synchrony of mates": mates, "synchrony of others": figures["others"]}),
        judge(mates),
        f"{interval(mates['entangled'])} against {interval(mates['private bit'])} with private "
        "bits; with fixed settings the pair is a shared bit, spike by spike.",
    )


def communication() -> Claim:
    """Measure whether a layer learns anything of the other's drive."""
    _, figures = _runs()
    second, first = figures["second layer's change"], figures["first layer's change"]
    nothing = Measure(0.0, 0.0)
    told = above(second["entangled"], nothing) > APART
    wire = above(second["coupled"], nothing) > APART
    return Claim(
        "cross-layer communication",
        ("cross-layer",),
        "entangled pairs enhance communication between layers",
        "Change of the second layer's rate when the first one's drive is raised. Holds if it is "
        f"above 0 by {APART:g} standard errors and more than with a wire, in part if above 0 only.",
        rows({"second layer's change (Hz)": second, "first layer's change (Hz)": first}),
        (HOLDS if above(second["entangled"], second["coupled"]) > 0 else IN_PART) if told else NOT,
        f"{interval(second['entangled'], 2)} Hz where the first layer itself changes by "
        f"{first['entangled'].value:.1f} Hz; "
        + ("the same test sees a wire: " if wire else "with a wire: ")
        + f"{interval(second['coupled'], 2)} Hz. No-signalling forbids anything else.",
    )
