"""Claims about figures 7 to 9: depression, facilitation, size."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ...papers.claims import HOLDS, IN_PART, NOT, Claim, Row, falls, rises
from .entanglement import linear_entropy_run
from .measures import dominant_frequency, lines_holding, power_below, whole_cycles
from .model import run, slow_cycle
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
    """The slow rhythm of figure 7 slows down with τ_r."""
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
    return Claim(
        "frequency against τ_r",
        (7,),
        "the frequency of the oscillations strongly decreases with τ_r",
        "Slow up/down cycles per unit time over 12 whole cycles, figure 7's couplings. Holds if it "
        "falls with every τ_r and by more than half from 0.1 to 20.",
        tuple(rows),
        (HOLDS if values[4] < values[1] / 2 else IN_PART) if falls(values) else NOT,
        f"From {values[1]:.3g} (τ_r = 0.1) to {values[4]:.3g} (τ_r = 20). Integrating Eq. 4 over a "
        "cycle gives ⟨r⟩ = 1/(1 + τ_r𝒰/2), so the frequency is the bare one divided by "
        f"1 + τ_r/4 at 𝒰 = 0.5: measured within {100 * law:.1g} %.",
    )


def imbalance_against_tau_r() -> Claim:
    """More time up than down under depression."""
    rows: list[Row] = []
    for tau_r in _TAU_R:
        found = {start: up_down(*_MODEL, start, tau_r)[1] for start in ("silent", "saturated")}
        row: Row = {"tau_r": tau_r}
        rows.append(row | {f"imbalance, {s}": x for s, x in found.items()})
    tilts = [[float(row[f"imbalance, {s}"]) for row in rows] for s in ("silent", "saturated")]
    return Claim(
        "up/down imbalance against τ_r",
        (7,),
        "feedback favours the high-activity levels from silence and saturation alike, the more "
        "the larger τ_r",
        "Share of time with E > 1/2 less that with E < 1/2 over 12 whole slow cycles. Holds if it "
        "is below 0.01 in size at τ_r = 0 and rises with every τ_r from both starts.",
        tuple(rows),
        HOLDS
        if all(rises(x) and abs(x[0]) < 0.01 for x in tilts)
        else IN_PART
        if all(x[-1] > x[0] for x in tilts)
        else NOT,
        f"From {abs(tilts[0][0]):.3f} to {tilts[0][4]:.3f} (τ_r = 20) and {tilts[0][-1]:.3f} "
        "(τ_r = 50): the clock r = 1/(1 + τ_r𝒰E) is slow where E is high. It levels off where "
        "the weight 1 + τ_r𝒰E is all τ_r𝒰E.",
    )


def imbalance_against_tau_f() -> Claim:
    """More time up than down under facilitation."""
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
    largest = ", ".join(f"{x[2]:.2f}" for x in tilts)
    last = ", ".join(f"{x[3]:.2f}" for x in tilts)
    return Claim(
        "up/down imbalance against τ_f",
        (9,),
        "increasing τ_f increases the imbalance between non-excited and excited collective states",
        "Share of time with E > 1/2 less that with E < 1/2, after 5 τ_f + 300, over whole slow "
        "cycles, figure 9's couplings. Holds if it rises over τ_f = 1, 10, 100, 1000 at every N; "
        "in part if τ_f = 1000 is above τ_f = 1.",
        tuple(rows),
        HOLDS
        if all(rises(x) for x in paper)
        else IN_PART
        if all(x[3] > x[0] for x in paper)
        else NOT,
        f"It rises to τ_f = 100 ({largest} for N = 2, 10, 20) and falls beyond ({last} at 1000): "
        "a U that follows the rhythm adds to the imbalance, a U that has become constant does not.",
    )


def half_has_no_slow_rhythm() -> Claim:
    """From about half there is no slow rhythm, whatever τ_r."""
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
    return Claim(
        "no slow rhythm from about half",
        (7,),
        "from about half there are no low-frequency collective oscillations for any τ_r",
        "Share of the power of E(t) below five times the slow rhythm's frequency (figure 7, "
        "window 40000). Holds if it is below 0.01 from N/2 - 1 and above 0.5 from silence.",
        tuple(rows),
        HOLDS if max(shares[:3]) < 0.01 and min(shares[3:]) > 0.5 else NOT,
        f"At most {max(shares[:3]):.0e} from N/2 - 1, at least {min(shares[3:]):.2f} from silence: "
        "N/2 - 1 hardly overlaps with the pairs of levels that beat slowly.",
    )


def size_independence() -> Claim:
    """Three sizes at rescaled g0."""
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
    alike = all(x < 0.1 for x in spread.values())
    return Claim(
        "size independence after rescaling g0",
        (9,),
        "independently of N the effect of feedback and facilitation is the same after properly "
        "rescaling g0, because the Hamiltonian has a global 1/N",
        "Largest less smallest of N = 2, 10, 20, divided by their mean, of the slow frequency, the "
        "imbalance, and the means of r and U, after 5 τ_f + 300; and the g0 that gives N neurons "
        "the slow frequency of N = 2. Holds if all spreads are below 0.1; in part if those of "
        "frequency, r and U are.",
        tuple(rows),
        HOLDS
        if alike
        else IN_PART
        if max(spread[x] for x in ("frequency", "mean r", "mean U")) < 0.1
        else NOT,
        f"Frequency, r and U agree within {100 * spread['frequency']:.0f} %, "
        f"{100 * spread['mean r']:.0f} % and {100 * spread['mean U']:.0f} %; the imbalance differs "
        f"by up to {100 * spread['imbalance']:.0f} %, for N = 10 and 20 add fast oscillations. "
        f"The rescaling is no 1/N: at γ = 0.8 the slow rhythm is tunnelling, and g0 has to grow "
        f"{factor:.2f}-fold with every neuron (N = 40 would need {steps[-1]:.2g}).",
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
    """Mean S_L of half of the neurons for the couplings of figures 2 to 6 and 9."""
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
    """The distribution of the linear entropy."""
    rows: list[Row] = [
        {k: row[k] for k in ("tau_r", "mean S_L", "median S_L", "share of time above 0.6")}
        for row in _entropy_rows()
    ]
    mean = [float(row["mean S_L"]) for row in rows]
    elsewhere = _mean_entropies()
    gains = [float(row["tau_r = 20"]) - float(row["tau_r = 0"]) for row in elsewhere]
    high = [float(row["share of time above 0.6"]) for row in rows]
    more = mean[-1] - mean[0]
    return Claim(
        "depression favours entangled states",
        (8,),
        "depression shifts the distribution of S_L towards higher entropies and favours more "
        "highly entangled states on average",
        "Mean and median of S_L of 10 of 20 neurons and share of time above 0.6, over 12 whole "
        "slow cycles (figure 7's couplings: figure 8's are not stated), and the mean for the "
        "couplings of the other figures. Holds if the mean rises with every τ_r and by more than "
        "0.01 from 0 to 50; in part if it rises by that for any other couplings, or the share "
        "above 0.6 does.",
        (*rows, *elsewhere),
        HOLDS
        if rises(mean) and more > 0.01
        else IN_PART
        if max(gains) > 0.01 or (high[-1] - high[0] > 0.01 and rises(high))
        else NOT,
        f"The mean is {mean[0]:.4f} at τ_r = 0 and {mean[-1]:.4f} at 50, and at τ_r = 20 changes "
        f"by {min(gains):.4f} to {max(gains):.4f} for other couplings. The weight 1 + τ_r𝒰E is "
        "linear in E, and S_L is the same at E and 1 − E of mirrored states, so what is won at "
        "high E is lost at low E. A window that cuts a cycle shows a shift.",
    )


def spectrum_under_depression() -> Claim:
    """The spectrum of the linear entropy."""
    rows: list[Row] = [
        {k: row[k] for k in ("tau_r", "dominant frequency", "bins for half of the power")}
        for row in _entropy_rows()
    ]
    frequency = [float(row["dominant frequency"]) for row in rows]
    bins = [float(row["bins for half of the power"]) for row in rows]
    return Claim(
        "spectrum of S_L under depression",
        (8,),
        "as depression increases the peak of the spectrum shifts to lower frequencies, broadens "
        "and gains harmonics",
        "Dominant frequency of S_L(t), and the number of bins that hold half of the power, over 12 "
        "whole slow cycles each. Holds if the frequency falls with every τ_r and more bins are "
        "needed at 50 than at 0.",
        tuple(rows),
        (HOLDS if bins[-1] > bins[0] else IN_PART) if falls(frequency) else NOT,
        f"From {frequency[0]:.3g} to {frequency[-1]:.3g}, and from {bins[0]:.0f} to {bins[-1]:.0f} "
        "bins. Without depression S_L repeats twice a cycle; uneven phases bring in the cycle's "
        "own frequency and its harmonics.",
    )
