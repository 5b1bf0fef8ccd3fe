"""Claims about figures 2 to 6: homeostasis, recurrence, entanglement of the bare orbit."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from qbrain.classical_feedback.synapse import Synapse
from qbrain.reference.lmg import LMG, Orbit, block_entropy, fidelity, simulate

from ...papers.claims import ByLimit, Claim, Row, falls, rises, verdict
from .measures import correlation, dwell_share, longest_stay, strongest_lag, whole_cycles
from .model import paper_claim, run, slow_cycle
from .plasticity import COUPLINGS_9

__all__ = [
    "anticorrelation",
    "dwell_time",
    "entropy_dip",
    "feedback_control",
    "fidelity_from_half",
    "fidelity_recurrence",
    "semi_activated",
    "variance",
]

_G0, _TAU_R = 0.05, 1.0
_SIZES = (10, 20, 40, 80, 160, 320)
_WIDTH = 0.1


def anticorrelation() -> Claim:
    """Measure whether r and E are in antiphase, at zero lag and at the best lag."""
    rows: list[Row] = []
    at_once: list[float] = []
    for start in ("half", "silent", "saturated"):
        for neurons, window in ((10, 4000.0), (80, 10_000.0)):
            t = np.arange(10.0, window, 0.1)
            d = run(neurons, 1.0, _G0, start, t, tau_r=_TAU_R)
            rows.append(_follows(neurons, start, 1.0, 0.0, d.excitation.values, d.r.values, 0.1))
            at_once.append(float(rows[-1]["correlation"]))
    for neurons, g0 in COUPLINGS_9.items():
        t = np.arange(500.0, 4500.0, 0.5)
        d = run(neurons, 0.8, g0, "silent", t, tau_r=100.0, tau_f=1.0, release=0.02, tolerance=1e-6)
        rows.append(_follows(neurons, "silent", 100.0, 1.0, d.excitation.values, d.r.values, 0.5))
    slow = [float(row["correlation"]) for row in rows[len(at_once) :]]
    return paper_claim(
        "claim_anticorrelation",
        "anticorrelation of r and E",
        (2, 3, 4, 9),
        rows,
        ByLimit(
            "correlation at most",
            -0.9,
            (-0.99, -0.95, -0.8, -0.5),
            lambda limit: verdict(max(at_once) <= limit, in_part=max(at_once) < 0),
        ),
        at_once=at_once,
        slow=slow,
    )


def _follows(
    neurons: int,
    start: str,
    tau_r: float,
    tau_f: float,
    e: NDArray[np.float64],
    r: NDArray[np.float64],
    step: float,
) -> Row:
    lag, there = strongest_lag(e, r, step, min(5 * tau_r, 100.0))
    return {
        "neurons": neurons,
        "start": start,
        "tau_r": tau_r,
        "tau_f": tau_f,
        "correlation": correlation(e, r),
        "lag": lag,
        "correlation at lag": there,
    }


def _one_return(
    neurons: int, start: str, tau_r: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Run one whole return of the γ = 1 orbit, s from 0 to πN/g0; return times and E."""
    period = math.pi * neurons / _G0
    t = np.linspace(0, 1.05 * period * (1 + tau_r / 4), 16_001)
    d = run(neurons, 1.0, _G0, start, t, tau_r=tau_r)
    inside, _ = whole_cycles(d.phase, 1 / period)
    return np.asarray(t[inside], dtype=np.float64), d.excitation.values[inside]


def dwell_time() -> Claim:
    """Measure the time near N/2 against N."""
    rows: list[Row] = []
    for neurons in _SIZES:
        t, e = _one_return(neurons, "silent", _TAU_R)
        rows.append(
            {
                "neurons": neurons,
                "share of time": dwell_share(e, _WIDTH),
                "longest stay": longest_stay(t, e, _WIDTH),
                "share, width 0.05": dwell_share(e, 0.05),
                "share, width 0.2": dwell_share(e, 0.2),
            }
        )
    shares = [float(row["share of time"]) for row in rows]
    stays = [float(row["longest stay"]) for row in rows]
    return paper_claim(
        "claim_dwell_time",
        "dwell time near N/2",
        (3, 4),
        rows,
        verdict(rises(shares) and rises(stays), in_part=rises(shares)),
        shares=shares,
        width=_WIDTH,
        g0=_G0,
    )


def variance() -> Claim:
    """Measure the variance of E and the size of its excursions against N."""
    rows: list[Row] = []
    for neurons in _SIZES:
        row: Row = {"neurons": neurons}
        for start in ("half", "silent"):
            _, e = _one_return(neurons, start, _TAU_R)
            row |= {
                f"variance, {start}": float(e.var()),
                f"largest |E - 1/2|, {start}": float(np.abs(e - 0.5).max()),
            }
        rows.append(row)
    spread = {
        start: [float(row[f"variance, {start}"]) for row in rows] for start in ("half", "silent")
    }
    size = [float(row["largest |E - 1/2|, half"]) for row in rows]
    powers = {
        start: float(np.polyfit(np.log(_SIZES[2:]), np.log(values[2:]), 1)[0])
        for start, values in spread.items()
    }
    calmer = all(falls(values) for values in spread.values())
    return paper_claim(
        "claim_variance",
        "variance of E against N",
        (2, 3, 4),
        rows,
        ByLimit(
            "excursion at N = 320 over that at N = 10, below",
            0.5,
            (0.1, 0.2, 0.8, 0.95, 1.0),
            lambda limit: verdict(calmer and size[-1] < limit * size[0], in_part=calmer),
        ),
        powers=powers,
        size=size,
    )


def feedback_control() -> Claim:
    """Measure figures 3 and 4 with and without feedback."""
    rows: list[Row] = []
    for neurons in (10, 80):
        for tau_r in (0.0, _TAU_R):
            _, e = _one_return(neurons, "saturated", tau_r)
            rows.append(
                {
                    "neurons": neurons,
                    "tau_r": tau_r,
                    "lowest E": float(e.min()),
                    "highest E": float(e.max()),
                    "share of time near 1/2": dwell_share(e, _WIDTH),
                    "variance": float(e.var()),
                }
            )
    # A field too weak to matter makes the solver integrate the state with r, without the orbit.
    t = np.linspace(0, 1.25 * math.pi * 10 / _G0, 2001)
    d = simulate(LMG(10, 1.0, _G0, 1e-12), Synapse(_TAU_R), "saturated", t)
    bare = Orbit(LMG(10, 1.0, _G0), "saturated").excitation(d.phase.values)
    same = float(np.abs(d.excitation.values - bare).max())
    pairs = list(zip(rows[::2], rows[1::2], strict=True))
    less = [1 - float(b["variance"]) / float(a["variance"]) for a, b in pairs]
    return paper_claim(
        "claim_feedback_control",
        "synaptic efficacy restores N/2",
        (2, 3, 4),
        rows,
        ByLimit(
            "share of the variance that feedback takes, above",
            0.1,
            (0.01, 0.05, 0.2, 0.5),
            lambda limit: verdict(min(less) > limit),
        ),
        same=same,
    )


def fidelity_recurrence() -> Claim:
    """Measure the return of the saturated start."""
    rows: list[Row] = []
    for neurons in (10, 40, 80):
        s = np.linspace(0, 2 * math.pi * neurons / _G0, 5)
        f = fidelity(Orbit(LMG(neurons, 1.0, _G0), "saturated").amplitudes(s))
        row: Row = {"neurons": neurons, "gamma": 1.0, "phase of return": float(s[2])}
        rows.append(row | {"fidelity of return": float(min(f[2], f[4]))})
    exact = min(float(row["fidelity of return"]) for row in rows)
    cycle = 1 / slow_cycle(20, 0.8, 0.5)
    s = np.linspace(0, 10 * cycle, 40_001)
    f = fidelity(Orbit(LMG(20, 0.8, 0.5), "saturated").amplitudes(s))
    late = s > cycle / 2
    best = int(np.argmax(np.where(late, f, 0.0)))
    rows.append(
        {
            "neurons": 20,
            "gamma": 0.8,
            "phase of return": float(s[best]),
            "fidelity of return": float(f[best]),
        }
    )
    return paper_claim(
        "claim_fidelity_recurrence",
        "recurrence of fidelity",
        (5,),
        rows,
        verdict(exact > 1 - 1e-9),
        best=float(f[best]),
    )


def fidelity_from_half() -> Claim:
    """Measure whether a start at about half stays near itself."""
    rows: list[Row] = []
    for neurons in (10, 80):
        s = np.linspace(0, math.pi * neurons / _G0, 16_001)
        orbit = Orbit(LMG(neurons, 1.0, _G0), "half")
        f = fidelity(orbit.amplitudes(s))
        rows.append(
            {
                "neurons": neurons,
                "lowest fidelity": float(f.min()),
                "mean fidelity": float(f[:-1].mean()),
                "share of time above 1/2": float(np.mean(f > 0.5)),
                "largest |E - 1/2|": float(np.abs(orbit.excitation(s) - 0.5).max()),
            }
        )
    low = max(float(row["lowest fidelity"]) for row in rows)
    return paper_claim(
        "claim_fidelity_from_half",
        "fidelity from about half",
        (5,),
        rows,
        ByLimit(
            "lowest fidelity at least",
            0.5,
            (0.1, 0.25, 0.75, 0.9),
            lambda limit: verdict(low >= limit),
        ),
        near=rows[-1]["share of time above 1/2"],
    )


def semi_activated() -> Claim:
    """Measure whether exactly N/2 active neurons stay as they are."""
    rows: list[Row] = []
    for neurons in (10, 40, 80):
        for gamma in (1.0, 0.8):
            t = np.linspace(0, 10_000.0, 4001)
            d = run(neurons, gamma, _G0, neurons // 2, t, tau_r=_TAU_R, amplitudes=True)
            f = fidelity(d.amplitude_real.values + 1j * d.amplitude_imag.values)
            rows.append(
                {
                    "neurons": neurons,
                    "gamma": gamma,
                    "largest |E - 1/2|": float(np.abs(d.excitation.values - 0.5).max()),
                    "lowest fidelity": float(f.min()),
                    "mean fidelity": float(f.mean()),
                    "r at the end": float(d.r[-1]),
                }
            )
    moved = max(float(row["largest |E - 1/2|"]) for row in rows)
    low = max(float(row["lowest fidelity"]) for row in rows)
    still = moved < 1e-9
    return paper_claim(
        "claim_semi_activated",
        "exactly semi-activated stays put",
        (2,),
        rows,
        ByLimit(
            "lowest fidelity above",
            0.99,
            (0.5, 0.9, 0.95, 0.999),
            lambda limit: verdict(still and low > limit, in_part=still),
        ),
        moved=moved,
        low=low,
    )


def entropy_dip() -> Claim:
    """Find where the block entropy from about half is lowest, and where E peaks."""
    period = math.pi * 80 / _G0
    s = np.linspace(0, period / 2, 8001)
    orbit = Orbit(LMG(80, 1.0, _G0), "half")
    near = slice(3200, 4800)
    e = orbit.excitation(s)[near]
    entropy = np.asarray(block_entropy(orbit.amplitudes(s[near]), 40))
    dip, peak, trough = int(entropy.argmin()), int(e.argmax()), int(e.argmin())
    rows: list[Row] = [
        {"at": name, "phase": float(s[near][k]), "E": float(e[k]), "entropy": float(entropy[k])}
        for name, k in (("peak of E", peak), ("entropy's dip", dip), ("trough of E", trough))
    ]
    apart = abs(float(s[near][dip] - s[near][peak])) / period
    return paper_claim(
        "claim_entropy_dip",
        "entropy dips at the peaks of E",
        (6,),
        rows,
        ByLimit(
            "entropy at the peak of E above its lowest, bits, below",
            0.05,
            (0.01, 0.1, 0.2, 0.5),
            lambda limit: verdict(bool(entropy[peak] < entropy[dip] + limit), in_part=apart < 0.01),
        ),
        apart=apart,
        crossed=float(e[dip]),
        entropy=float(entropy[peak]),
    )
