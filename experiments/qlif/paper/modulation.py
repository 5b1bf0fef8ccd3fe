"""Section 3.2: “emotional modulation”, read as a slow drive that all neurons share.

The draft leaves open whether its neurons respond faster or slower to a change of such a state, more
or less precisely, and whether they are more stable. Here the drive is switched between two levels:

- response: mean delay of the rate behind the drive after a switch upwards,
  T = ∫ (r(end) − r(t)) dt / (r(end) − r(start));
- precision: d′ = (μ_high − μ_low)/√((σ²_high + σ²_low)/2) of a pair's spikes in a window;
- stability: Fano factor of these counts under the high drive.

A measured bit lowers the threshold by J half of the time. Beside the usual kinds stands
``mean bit``: plain neurons whose threshold is lower by J/2, always. What it shares with the
entangled pair is no effect of sharing anything.
"""

from __future__ import annotations

import dataclasses
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from qbrain.reference.qlif import QlifPair, simulate_pairs
from qbrain.reference.qlif.spike_synchrony import Measure

from ...papers.claims import HOLDS, IN_PART, NOT, Claim
from .model import (
    APART,
    KINDS,
    Figures,
    PaperFigure,
    above,
    by_kind,
    fixed_pair,
    interval,
    jackknife,
    parameters,
    rows,
)

__all__ = ["modulation", "precision", "response", "steadiness"]

Array = NDArray[np.float64]
PAIRS, CYCLES, HALF = 200, 60, 200
LOW, HIGH = 1.1, 1.5
BIN, WINDOW = 5, 100
# pairs that make one part of a jackknife: a single one fires too rarely
PART = 10
MEAN_BIT = "mean bit"
ALL = (*KINDS, MEAN_BIT)


@lru_cache(maxsize=1)
def _runs() -> tuple[dict[str, Figures], Array]:
    """Return metrics of each kind, and the mean rate over a cycle (kind, bin) in Hz."""
    ticks = 2 * HALF * CYCLES
    drive = np.where(np.arange(ticks) // HALF % 2 == 0, HIGH, LOW)
    figures: dict[str, dict[str, Measure]] = {
        "response": {}, "precision": {}, "fano": {},
    }  # fmt: skip
    curves = []
    for kind in ALL:
        pair = fixed_pair()
        if kind == MEAN_BIT:
            pair = dataclasses.replace(pair, threshold=pair.threshold - pair.coupling / 2)
        spikes = simulate_pairs(
            ticks, PAIRS, "plain" if kind == MEAN_BIT else kind, pair,
            current=np.repeat(drive[:, None], 2, axis=1), seed=32,
        ).spikes.values  # fmt: skip
        # the first cycle comes from rest
        cycles = spikes.reshape(CYCLES, 2 * HALF, PAIRS, 2)[1:]
        bins = cycles.reshape(CYCLES - 1, -1, BIN, PAIRS, 2).mean(axis=(0, 2, 4)) * 1000
        parts = bins.reshape(len(bins), PAIRS // PART, PART).mean(axis=2).T
        curves.append(bins.mean(axis=1))
        figures["response"][kind] = jackknife(parts, _delay)
        counts = cycles.reshape(CYCLES - 1, -1, WINDOW, PAIRS, 2).sum(axis=(2, 4), dtype=float)
        # the second half of each level, where the rate has settled
        high, low = counts[:, HALF // WINDOW - 1], counts[:, -1]
        moments = np.stack([high, high**2, low, low**2], axis=-1).mean(axis=0)
        moments = moments.reshape(PAIRS // PART, PART, 4).mean(axis=1)
        figures["precision"][kind] = jackknife(moments, _separation)
        figures["fano"][kind] = jackknife(moments, lambda m: (m[1] - m[0] ** 2) / m[0])
    return dict(figures), np.stack(curves)


def _delay(rates: Array) -> float:
    """Return the mean delay in ms after the switch upwards, from rates in bins of a cycle."""
    bins = HALF // BIN
    up, down = rates[:bins], rates[bins:]
    # levels from the last quarter of each half
    end, start = up[-bins // 4 :].mean(), down[-bins // 4 :].mean()
    return float(BIN * (end - up).sum() / (end - start))


def _separation(moments: Array) -> float:
    high, high2, low, low2 = moments
    spread = (high2 - high**2 + low2 - low**2) / 2
    return float((high - low) / np.sqrt(spread))


def modulation() -> PaperFigure:
    """Make the study of section 3.2."""
    figures, curves = _runs()
    data = by_kind(figures, units={"response": "ms"})
    data = data.assign(rate=(("kind", "time"), curves, {"units": "Hz"}))
    centres = BIN * (np.arange(curves.shape[1]) + 0.5)
    time, separation, fano = (figures[name] for name in ("response", "precision", "fano"))
    return PaperFigure(
        "modulation",
        "Section 3.2, emotional modulation as a slow shared drive",
        parameters(
            QlifPair(), settings="fixed, 0 and 0", pairs=PAIRS, cycles=CYCLES,
            drive=f"{LOW} and {HIGH} nA, {HALF} ms each", window=f"{WINDOW} ms",
        ),
        data.assign_coords(time=("time", centres, {"units": "ms"})),
        "The draft leaves faster or slower, more or less precise, improved or decreased open.",
        f"Behind a step of the common drive the rate is late by {interval(time['entangled'], 1)} "
        f"ms (shared bit {interval(time['shared bit'], 1)}, private bits "
        f"{interval(time['private bit'], 1)}, plain {interval(time['plain'], 1)}). Two drives are "
        f"told apart from {WINDOW} ms of a pair with d′ = {interval(separation['entangled'], 3)} "
        f"(private bits {interval(separation['private bit'], 3)}, plain "
        f"{interval(separation['plain'], 3)}). The Fano factor is {interval(fano['entangled'], 3)} "
        f"(private bits {interval(fano['private bit'], 3)}).",
        "What differs from plain neurons is what any bit does that lowers a threshold half of the "
        f"time: without bits, a threshold lower by J/2 gives {interval(time[MEAN_BIT], 1)} ms and "
        f"d′ = {interval(separation[MEAN_BIT], 3)}.",
        measures={
            f"{name}, {kind}": float(own[kind].value)
            for name, own in figures.items()
            for kind in ALL
        },
    )  # fmt: skip


def _claim(name: str, what: str, key: str, unit: str, words: str, *, larger: bool) -> Claim:
    figures, _ = _runs()
    own = figures[key]
    sign = 1 if larger else -1
    better = {kind: sign * above(own["entangled"], own[kind]) > APART for kind in ALL}
    controls = ("shared bit", "private bit", "plain", MEAN_BIT)
    if all(better[kind] for kind in controls):
        verdict = HOLDS
    else:
        verdict = IN_PART if better["plain"] else NOT
    beaten = [kind for kind in controls if better[kind]]
    return Claim(
        name,
        ("modulation",),
        what,
        f"{words} Holds if the pair is better by {APART:g} standard errors than shared and private "
        "bits, plain neurons and those of a threshold lower by J/2; in part if better than plain "
        "neurons.",
        rows({key + unit: own}),
        verdict,
        f"{interval(own['entangled'], 3)}{unit}, shared bit {interval(own['shared bit'], 3)}, "
        f"private bits {interval(own['private bit'], 3)}, plain {interval(own['plain'], 3)}, mean "
        f"bit {interval(own[MEAN_BIT], 3)}; better than {', '.join(beaten) or 'none of them'}.",
    )


def response() -> Claim:
    """Measure whether the response is faster or slower."""
    return _claim(
        "response to emotional state changes",
        "faster or slower response to emotional state changes (left open)",
        "response", " (ms)", "Mean delay of the rate behind a step of the common drive.",
        larger=False,
    )  # fmt: skip


def precision() -> Claim:
    """Measure whether it is more or less precise."""
    return _claim(
        "precision of modulation",
        "more or less precise modulation of decision-making (left open)",
        "precision", " (d′)", f"d′ between two drives, from a pair's spikes in {WINDOW} ms.",
        larger=True,
    )  # fmt: skip


def steadiness() -> Claim:
    """Measure whether stability is better or worse."""
    return _claim(
        "stability of modulation",
        "improved or decreased stability in emotional processing (left open)",
        "fano", " (Fano factor)", f"Fano factor of a pair's spikes in {WINDOW} ms of constant "
        "drive.",
        larger=False,
    )  # fmt: skip
