"""Section 3.3: do pairs stay together, under rapid inputs and for long?"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qbrain.reference.qlif import QlifPair, simulate_pairs
from qbrain.reference.qlif.spike_synchrony import Measure, coincidence_factor, spike_synchronisation

from ...papers.claims import HOLDS, IN_PART, NOT, Claim
from .model import (
    APART,
    KINDS,
    RULE,
    Figures,
    PaperFigure,
    fixed_pair,
    interval,
    judge,
    parameters,
    rows,
)

__all__ = ["alignment", "coherence", "rapid_inputs", "stability"]

PAIRS, TICKS = 100, 4000
# pulses a second, of 5 ms each, with the mean current of 1.2 nA kept
RATES = (5, 10, 20, 40, 80)
PULSE, MEAN, AMPLITUDE = 5, 1.2, 1.5
LONG, PARTS = 20_000, 10


@lru_cache(maxsize=1)
def _pulsed() -> dict[str, dict[int, Figures]]:
    """Measure coincidence and SPIKE-synchronisation under pulses common to both neurons."""
    found: dict[str, dict[int, dict[str, Measure]]] = {"factor": {}, "adaptive": {}}
    for rate in RATES:
        spikes = {
            kind: simulate_pairs(
                TICKS, PAIRS, kind, fixed_pair(), current=pulses(rate, TICKS), seed=33
            ).spikes.values
            for kind in KINDS
        }
        found["factor"][rate] = {kind: coincidence_factor(x, 1) for kind, x in spikes.items()}
        found["adaptive"][rate] = {kind: spike_synchronisation(x) for kind, x in spikes.items()}
    return {name: dict(own) for name, own in found.items()}


def pulses(rate: int, ticks: int) -> NDArray[np.float64]:
    """Make the current of both neurons, (ticks, 2) in nA: pulses that keep the ground's mean."""
    period = 1000 // rate
    on = np.arange(ticks) % period < PULSE
    drive = MEAN - AMPLITUDE * PULSE / period + AMPLITUDE * on
    return np.repeat(drive[:, None], 2, axis=1)


@lru_cache(maxsize=1)
def _long() -> dict[str, tuple[list[Measure], Measure]]:
    """Measure the coincidence factor in ten parts of a long run, and its drift."""
    found = {}
    for kind in KINDS:
        spikes = simulate_pairs(LONG, PAIRS, kind, fixed_pair(), seed=34).spikes.values
        parts = [coincidence_factor(x, 1) for x in np.split(spikes, PARTS)]
        found[kind] = (parts, _slope(parts))
    return found


def _slope(parts: list[Measure]) -> Measure:
    """Return the least squares slope over parts, a part being LONG/PARTS ticks."""
    x = np.arange(len(parts)) - (len(parts) - 1) / 2
    weights = x / (x**2).sum()
    values = np.array([float(m.value) for m in parts])
    errors = np.array([float(m.stderr) for m in parts])
    return Measure(float(weights @ values), float(np.sqrt((weights**2) @ errors**2)))


def coherence() -> PaperFigure:
    """Make the study of section 3.3."""
    pulsed, long = _pulsed(), _long()
    dims = ("kind", "pulse_rate")
    data: dict[str, object] = {}
    for name, own in pulsed.items():
        for part, suffix in (("value", ""), ("stderr", "_stderr")):
            table = [[float(getattr(own[r][kind], part)) for r in RATES] for kind in KINDS]
            data[name + suffix] = (dims, table)
    for part, suffix in (("value", ""), ("stderr", "_stderr")):
        table = [[float(getattr(m, part)) for m in long[kind][0]] for kind in KINDS]
        data["long_factor" + suffix] = (("kind", "time"), table)
        data["drift" + suffix] = ("kind", [float(getattr(long[kind][1], part)) for kind in KINDS])
    centres = LONG / PARTS * (np.arange(PARTS) + 0.5) / 1000
    coordinates = {"kind": list(KINDS), "pulse_rate": list(RATES),
                   "time": ("time", centres, {"units": "s"})}  # fmt: skip
    slow, fast = pulsed["factor"][RATES[0]], pulsed["factor"][RATES[-1]]
    drift = long["entangled"][1]
    return PaperFigure(
        "coherence",
        "Section 3.3, temporal coherence",
        parameters(
            QlifPair(), settings="fixed, 0 and 0", pairs=PAIRS, ticks=TICKS, pulse=f"{PULSE} ms",
            amplitude=f"{AMPLITUDE} nA", mean_current=f"{MEAN} nA", window="±1 ms",
            long_run=f"{LONG} ticks in {PARTS} parts",
        ),
        xr.Dataset(data, coordinates),
        "The draft leaves a percentage and three alternatives open.",
        f"Beyond chance, mates coincide by a factor of {interval(slow['entangled'], 3)} at "
        f"{RATES[0]} pulses a second (shared bit {interval(slow['shared bit'], 3)}, private bits "
        f"{interval(slow['private bit'], 3)}, wire {interval(slow['coupled'], 3)}) and "
        f"{interval(fast['entangled'], 3)} at {RATES[-1]} (private bits "
        f"{interval(fast['private bit'], 3)}). Over {LONG // 1000} s it drifts by "
        f"{1000 * drift.value:+.2f} ± {1960 * drift.stderr:.2f} thousandths every "
        f"{LONG // PARTS // 1000} s.",
        "Pulses that reach both neurons align them with every kind; bits that are always equal "
        "add as much as a shared bit does.",
        measures={
            f"{name} at {rate} pulses a second, {kind}": float(own[rate][kind].value)
            for name, own in pulsed.items()
            for rate in (RATES[0], RATES[-1])
            for kind in KINDS
        },
    )  # fmt: skip


def alignment() -> Claim:
    """Measure whether temporal alignment is maintained better, without pulses."""
    whole = {
        kind: Measure(
            float(np.mean([m.value for m in parts])),
            float(np.sqrt(sum(m.stderr**2 for m in parts)) / PARTS),
        )
        for kind, (parts, _) in _long().items()
    }
    return Claim(
        "temporal alignment",
        ("coherence",),
        "an improvement (left open as XX) in maintaining temporal alignment",
        f"Coincidence factor within 1 ms under constant drive, {LONG} ticks. {RULE}.",
        rows({"coincidence factor": whole}),
        judge(whole),
        f"{interval(whole['entangled'])} against {interval(whole['private bit'])} with private "
        f"bits, and {interval(whole['shared bit'])} with a shared bit.",
    )


def rapid_inputs() -> Claim:
    """Measure whether rapid sequential inputs are handled better or worse."""
    own = _pulsed()["factor"]
    verdicts = [judge(own[rate]) for rate in RATES]
    better = sum(v == HOLDS for v in verdicts)
    partly = sum(v != NOT for v in verdicts)
    fast = own[RATES[-1]]
    return Claim(
        "rapid sequential inputs",
        ("coherence",),
        "better or worse handling of rapid sequential inputs (left open)",
        f"Coincidence factor within 1 ms under common pulses of {', '.join(map(str, RATES))} a "
        f"second. At each rate: {RULE[0].lower()}{RULE[1:]}. Holds if it does at most rates, in "
        "part if it holds at least in part at most.",
        tuple(
            {"pulses a second": rate, **{kind: float(own[rate][kind].value) for kind in KINDS},
             "standard error": float(own[rate]["entangled"].stderr)}
            for rate in RATES
        ),
        HOLDS if better > len(RATES) / 2 else IN_PART if partly > len(RATES) / 2 else NOT,
        f"At {RATES[-1]} pulses a second {interval(fast['entangled'])}, with a shared bit "
        f"{interval(fast['shared bit'])}, with private bits {interval(fast['private bit'])}, with "
        f"plain neurons {interval(fast['plain'])}.",
    )  # fmt: skip


def stability() -> Claim:
    """Measure the stability in continuous processing."""
    found = {kind: drift for kind, (_, drift) in _long().items()}
    own = found["entangled"]
    steady = {kind: abs(d.value) <= APART * d.stderr for kind, d in found.items()}
    more = not steady["shared bit"] and steady["entangled"]
    return Claim(
        "stability in continuous processing",
        ("coherence",),
        "enhanced or decreased stability in continuous processing (left open)",
        f"Drift of the coincidence factor over {LONG // 1000} s of constant drive. Holds "
        f"(enhanced) if the pair is steady within {APART:g} standard errors and a shared bit is "
        "not, in part if it is steady where private bits or plain neurons are not; else nothing "
        "is enhanced.",
        rows({f"drift every {LONG // PARTS // 1000} s": found}),
        HOLDS
        if more
        else IN_PART
        if steady["entangled"] and not (steady["private bit"] and steady["plain"])
        else NOT,
        f"{1000 * own.value:+.2f} ± {1960 * own.stderr:.2f} thousandths; every kind is "
        f"{'steady' if all(steady.values()) else 'not steady'}: a fresh state in each tick has "
        "nothing that could wear off.",
    )
