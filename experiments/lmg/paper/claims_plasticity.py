"""Claims about figures 7 to 9: depression, facilitation, size."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ...papers.claims import ByLimit, Claim, Row, falls, rises, verdict
from .entanglement import linear_entropy_run
from .measures import dominant_frequency, lines_holding, power_below, whole_cycles
from .model import paper_claim, run, slow_cycle
from .plasticity import COUPLINGS_9, up_down, up_down_settled

__all__ = [
    "entropy_under_depression",
    "frequency_against_tau_r",
    "half_has_no_slow_rhythm",
    "imbalance_against_tau_f",
    "imbalance_against_tau_r",
    "size_independence",
    "spectrum_under_depression",
]

_MODEL = (20, 0.8, 0.5)
_TAU_R = (0.0, 0.1, 1.0, 10.0, 20.0, 50.0)
_TAU_F = (1.0, 10.0, 100.0, 1000.0)


def frequency_against_tau_r() -> Claim:
    """Measure whether the slow rhythm of figure 7 slows down with τ_r."""
    bare = slow_cycle(*_MODEL)
    rows: list[Row] = []
    for tau_r in _TAU_R:
        found = {start: up_down(*_MODEL, start, tau_r)[0] for start in ("silent", "saturated")}
        rows.append(
            {
                "tau_r": tau_r,
                "frequency, silent": found["silent"],
                "frequency, saturated": found["saturated"],
                "bare/(1 + tau_r/4)": bare / (1 + tau_r / 4),
            }
        )
    values = [float(row["frequency, silent"]) for row in rows]
    law = max(
        abs(float(row["frequency, silent"]) / float(row["bare/(1 + tau_r/4)"]) - 1) for row in rows
    )
    return paper_claim(
        "claim_frequency_against_tau_r",
        "frequency against τ_r",
        (7,),
        rows,
        ByLimit(
            "frequency at τ_r = 20 over that at 0.1, below",
            0.5,
            (0.1, 0.2, 0.8),
            lambda limit: verdict(
                falls(values) and values[4] < limit * values[1], in_part=falls(values)
            ),
        ),
        values=values,
        law=law,
    )


def imbalance_against_tau_r() -> Claim:
    """Measure whether E is up for longer than down under depression."""
    rows: list[Row] = []
    for tau_r in _TAU_R:
        found = {start: up_down(*_MODEL, start, tau_r)[1] for start in ("silent", "saturated")}
        row: Row = {"tau_r": tau_r}
        rows.append(row | {f"imbalance, {s}": x for s, x in found.items()})
    tilts = [[float(row[f"imbalance, {s}"]) for row in rows] for s in ("silent", "saturated")]
    return paper_claim(
        "claim_imbalance_against_tau_r",
        "up/down imbalance against τ_r",
        (7,),
        rows,
        ByLimit(
            "imbalance without depression, below",
            0.01,
            (0.001, 0.002, 0.005, 0.05),
            lambda limit: verdict(
                all(rises(x) and abs(x[0]) < limit for x in tilts),
                in_part=all(x[-1] > x[0] for x in tilts),
            ),
        ),
        tilts=tilts[0],
    )


def imbalance_against_tau_f() -> Claim:
    """Measure whether E is up for longer than down under facilitation."""
    rows: list[Row] = []
    tilts: list[list[float]] = []
    for neurons in COUPLINGS_9:
        tilt: list[float] = []
        for tau_f in (*_TAU_F, 10_000.0):
            frequency, share, r, used = up_down_settled(neurons, tau_f)
            tilt.append(share)
            rows.append(
                {
                    "neurons": neurons,
                    "tau_f": tau_f,
                    "imbalance": share,
                    "frequency": frequency,
                    "mean r": r,
                    "mean U": used,
                }
            )
        tilts.append(tilt)
    paper = [x[:4] for x in tilts]
    return paper_claim(
        "claim_imbalance_against_tau_f",
        "up/down imbalance against τ_f",
        (9,),
        rows,
        verdict(all(map(rises, paper)), in_part=all(x[3] > x[0] for x in paper)),
        tilts=tilts,
    )


def half_has_no_slow_rhythm() -> Claim:
    """Measure whether a start at about half has no slow rhythm, whatever τ_r."""
    rhythm = slow_cycle(*_MODEL)
    t = np.arange(0, 40_000.0, 4.0)
    rows: list[Row] = []
    for start in ("half", "silent"):
        for tau_r in (0.1, 10.0, 20.0):
            d = run(*_MODEL, start, t, tau_r=tau_r, tolerance=1e-6)
            limit = 5 * rhythm * float(d.r.mean())
            share = power_below(d.excitation.values, 4.0, limit)
            rows.append({"start": start, "tau_r": tau_r, "share of slow power": share})
    shares = [float(row["share of slow power"]) for row in rows]
    return paper_claim(
        "claim_half_has_no_slow_rhythm",
        "no slow rhythm from about half",
        (7,),
        rows,
        ByLimit(
            "share of slow power from half, below",
            0.01,
            (1e-4, 0.001, 0.05, 0.1),
            lambda limit: verdict(max(shares[:3]) < limit and min(shares[3:]) > 0.5),
        ),
        half=shares[:3],
        silent=shares[3:],
    )


def size_independence() -> Claim:
    """Compare three sizes at rescaled g0."""
    rows: list[Row] = []
    spread: dict[str, float] = {}
    for tau_f in _TAU_F:
        found = [up_down_settled(n, tau_f) for n in COUPLINGS_9]
        row: Row = {"tau_f": tau_f}
        for column, name in enumerate(("frequency", "imbalance", "mean r", "mean U")):
            values = [x[column] for x in found]
            difference = (max(values) - min(values)) / (sum(values) / len(values))
            row[f"spread of {name}"] = difference
            spread[name] = max(spread.get(name, 0.0), difference)
        rows.append(row)
    wanted = slow_cycle(2, 0.8, 0.125)
    for neurons in (2, 4, 6, 10, 14, 20, 30, 40):
        rows.append({"neurons": neurons, "g0 wanted": wanted / slow_cycle(neurons, 0.8, 1.0)})
    steps = [float(row["g0 wanted"]) for row in rows[-3:]]
    factor = (steps[-1] / steps[0]) ** (1 / 20)
    return paper_claim(
        "claim_size_independence",
        "size independence after rescaling g0",
        (9,),
        rows,
        ByLimit(
            "spread that counts as none, below",
            0.1,
            (0.02, 0.05, 0.09, 0.096, 0.15, 0.2, 0.5),
            lambda limit: verdict(
                all(x < limit for x in spread.values()),
                in_part=all(spread[x] < limit for x in ("frequency", "mean r", "mean U")),
            ),
        ),
        spread=spread,
        factor=factor,
        largest=steps[-1],
    )


@lru_cache(maxsize=1)
def _entropy_rows() -> tuple[Row, ...]:
    cycle = slow_cycle(*_MODEL)
    rows: list[Row] = []
    for tau_r in (0.0, 10.0, 20.0, 50.0):
        end = 12.2 / cycle * (1 + tau_r / 4)
        t = np.linspace(0, end, 24_001)
        d = linear_entropy_run(*_MODEL, "silent", t, tau_r=tau_r, block=10)
        inside, _ = whole_cycles(d.phase, cycle)
        entropy = d.linear_entropy.values[inside]
        rows.append(
            {
                "tau_r": tau_r,
                "mean S_L": float(entropy.mean()),
                "median S_L": float(np.median(entropy)),
                "share of time above 0.6": float(np.mean(entropy > 0.6)),
                "dominant frequency": dominant_frequency(entropy, t[1]),
                "bins for half of the power": lines_holding(entropy, t[1], 0.5),
            }
        )
    return tuple(rows)


def _mean_entropies() -> list[Row]:
    """Average S_L of half of the neurons for the couplings of figures 2 to 6 and 9."""
    rows: list[Row] = []
    for neurons, gamma, g0 in ((2, 0.8, 0.125), (10, 0.8, 1.43), (80, 1.0, 0.05)):
        cycle = g0 / (np.pi * neurons) if gamma == 1 else slow_cycle(neurons, gamma, g0)
        for start in ("silent", "saturated"):
            row: Row = {"neurons": neurons, "gamma": gamma, "g0": g0, "start": start}
            for tau_r in (0.0, 20.0):
                t = np.linspace(0, 6.2 / cycle * (1 + tau_r / 4), 3001)
                d = linear_entropy_run(
                    neurons, gamma, g0, start, t, tau_r=tau_r, block=neurons // 2
                )
                inside, _ = whole_cycles(d.phase, cycle)
                row[f"tau_r = {tau_r:g}"] = float(d.linear_entropy.values[inside].mean())
            rows.append(row)
    return rows


def entropy_under_depression() -> Claim:
    """Measure whether depression shifts the distribution of the linear entropy."""
    rows: list[Row] = [
        {k: row[k] for k in ("tau_r", "mean S_L", "median S_L", "share of time above 0.6")}
        for row in _entropy_rows()
    ]
    mean = [float(row["mean S_L"]) for row in rows]
    elsewhere = _mean_entropies()
    gains = [float(row["tau_r = 20"]) - float(row["tau_r = 0"]) for row in elsewhere]
    high = [float(row["share of time above 0.6"]) for row in rows]
    return paper_claim(
        "claim_entropy_under_depression",
        "depression favours entangled states",
        (8,),
        (*rows, *elsewhere),
        ByLimit(
            "gain that counts as one, above",
            0.01,
            (0.001, 0.002, 0.005, 0.02, 0.05),
            lambda limit: verdict(
                rises(mean) and mean[-1] - mean[0] > limit,
                in_part=max(gains) > limit or (high[-1] - high[0] > limit and rises(high)),
            ),
        ),
        mean=mean,
        gains=gains,
    )


def spectrum_under_depression() -> Claim:
    """Measure whether depression slows and broadens the linear entropy's spectrum."""
    rows: list[Row] = [
        {k: row[k] for k in ("tau_r", "dominant frequency", "bins for half of the power")}
        for row in _entropy_rows()
    ]
    frequency = [float(row["dominant frequency"]) for row in rows]
    bins = [float(row["bins for half of the power"]) for row in rows]
    return paper_claim(
        "claim_spectrum_under_depression",
        "spectrum of S_L under depression",
        (8,),
        rows,
        verdict(falls(frequency) and bins[-1] > bins[0], in_part=falls(frequency)),
        frequency=frequency,
        bins=bins,
    )
