"""Claims about figures 2 to 6: homeostasis, recurrence, entanglement of the bare orbit."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from qbrain.classical_feedback.synapse import Synapse
from qbrain.reference.lmg import LMG, Orbit, block_entropy, fidelity, simulate

from ...papers.claims import HOLDS, IN_PART, NOT, Claim, Row, falls, rises
from .measures import correlation, dwell_share, longest_stay, strongest_lag, whole_cycles
from .model import run, slow_cycle
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
    """R and E in antiphase, at zero lag and at the best lag."""
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
    return Claim(
        "anticorrelation of r and E",
        (2, 3, 4, 9),
        "a strong anticorrelation between r(t) and E(t)",
        "Pearson's coefficient of r and E over figures 2 to 4, the first 10 time units left out, "
        "at lag 0 and at the lag of r behind E (at most 5 τ_r or 100) where it is strongest. "
        "Holds if all of figures 2 to 4 are at or below -0.9 at lag 0. Figure 9 (τ_f = 1) is "
        "shown beside it.",
        tuple(rows),
        HOLDS if max(at_once) <= -0.9 else IN_PART if max(at_once) < 0 else NOT,
        f"Between {min(at_once):.3f} and {max(at_once):.3f} in figures 2 to 4, where the synapse "
        f"is much faster than the orbit; a slow one (figure 9, τ_r = 100) lags, and at lag 0 the "
        f"coefficient is only {min(slow):.2f} to {max(slow):.2f}.",
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
    """Times and E over one whole return of the γ = 1 orbit, s from 0 to πN/g0."""
    period = math.pi * neurons / _G0
    t = np.linspace(0, 1.05 * period * (1 + tau_r / 4), 16_001)
    d = run(neurons, 1.0, _G0, start, t, tau_r=tau_r)
    inside, _ = whole_cycles(d.phase, 1 / period)
    return np.asarray(t[inside], dtype=np.float64), d.excitation.values[inside]


def dwell_time() -> Claim:
    """Time near N/2 against N."""
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
    return Claim(
        "dwell time near N/2",
        (3, 4),
        "as N increases, the dwell time near N/2 lengthens",
        f"Share of one whole return with |E - 1/2| < {_WIDTH}, and the longest stay on end, from "
        f"silence, γ = 1, g0 = {_G0}, τ_r = 1. The width is ours; 0.05 and 0.2 beside it. Holds "
        "if both rise with every N.",
        tuple(rows),
        HOLDS if rises(shares) and rises(stays) else IN_PART if rises(shares) else NOT,
        f"From {shares[0]:.2f} of the time at N = 10 to {shares[-1]:.2f} at N = 320: the time away "
        "shrinks like 1/√N of a return, which itself grows like N/g0.",
    )


def variance() -> Claim:
    """Variance of E and the size of its excursions against N."""
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
    return Claim(
        "variance of E against N",
        (2, 3, 4),
        "the variability of E, its oscillation amplitude, diminishes as N increases",
        "Variance of E over one whole return (γ = 1, τ_r = 1), and the largest |E - 1/2| in it. "
        "Holds if the variance falls with every N from half and from silence and the largest "
        "excursion falls below half of its value at N = 10; in part if only the variance does.",
        tuple(rows),
        (HOLDS if size[-1] < size[0] / 2 else IN_PART) if calmer else NOT,
        f"The variance falls like N^{powers['half']:.2f} (from N/2 - 1) and "
        f"N^{powers['silent']:.2f} (from silence), because excursions get shorter; their size "
        f"stays: {size[0]:.3f} at N = 10, {size[-1]:.3f} at N = 320 from N/2 - 1, and 1/2 always "
        "from silence.",
    )


def feedback_control() -> Claim:
    """Figures 3 and 4 without feedback."""
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
    return Claim(
        "synaptic efficacy restores N/2",
        (2, 3, 4),
        "synaptic efficacy acts as a homeostatic feedback that corrects excursions and restores "
        "the population balance",
        "Figure 4 over one whole return with τ_r = 1 and, as a control, with r ≡ 1. Holds if "
        "feedback lowers the variance of E by a tenth or more.",
        tuple(rows),
        HOLDS if min(less) > 0.1 else NOT,
        f"Without a field E(s) is one fixed curve, s = ∫r dt: the state integrated "
        f"together with r (N = 10) stays within {same:.0e} of the curve without feedback at equal "
        "s. The excursions, the returns and the stays at N/2 are "
        "the bare model's; silence and saturation are reached again and again, and nothing "
        "converges.",
    )


def fidelity_recurrence() -> Claim:
    """The return of the saturated start."""
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
    return Claim(
        "recurrence of fidelity",
        (5,),
        "from saturation (or silence) the initial state is reinstated at a fixed frequency",
        "|⟨ψ(0)|ψ(s)⟩|² at s = πN/g0 and twice that, γ = 1. Holds if it is 1 to 1e-9. For "
        "γ = 0.8 (figure 7's couplings) the best return in ten slow cycles is shown beside it.",
        tuple(rows),
        HOLDS if exact > 1 - 1e-9 else NOT,
        "Exact for γ = 1, where the eigenvalues are -2 g0 m²/N with whole m; feedback stretches "
        f"the time between returns. For γ = 0.8 the best return is {float(f[best]):.3f}.",
    )


def fidelity_from_half() -> Claim:
    """Whether a start at about half stays near itself."""
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
    large = rows[-1]
    return Claim(
        "fidelity from about half",
        (5,),
        "from about half the dynamics stay in the vicinity of the initial state, departing from "
        "it only moderately",
        "Fidelity with the initial state N/2 - 1 over one return (γ = 1, by the phase s). Holds if "
        "it never falls below 1/2.",
        tuple(rows),
        HOLDS if low >= 0.5 else NOT,
        f"It falls to 0 (half-way the state is the mirror image N/2 + 1) and is above 1/2 for "
        f"{100 * float(large['share of time above 1/2']):.2g} % of the time at N = 80. Near to "
        "its start is E, not the state.",
    )


def semi_activated() -> Claim:
    """Exactly N/2 active neurons."""
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
    return Claim(
        "exactly semi-activated stays put",
        (2,),
        "from exactly half the system is trapped indefinitely in the same quantum state; activity "
        "is strictly stationary, whatever N",
        "From n = N/2 to t = 10000: the largest |E - 1/2| and the lowest fidelity with the initial "
        "state. Holds if E moves by less than 1e-9 and the fidelity stays above 0.99, in part if "
        "only E stays.",
        tuple(rows),
        HOLDS if still and low > 0.99 else IN_PART if still else NOT,
        f"E stays at 1/2 (to {moved:.0e}), since H does not change when all neurons are flipped; "
        f"the state does not: its fidelity with the start falls to {low:.3f} or less at every N. r "
        "relaxes to 1/(1 + τ_r𝒰/2).",
    )


def entropy_dip() -> Claim:
    """Where the block entropy from about half is lowest, and where E peaks."""
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
    return Claim(
        "entropy dips at the peaks of E",
        (6,),
        "from about half, the relative minima of S_L coincide in time with the peaks of E(t)",
        "Phases of the lowest block entropy (N = 80, L = 40) and of the highest and lowest E in "
        "the first excursion. Holds if the entropy at the peak of E is within 0.05 bit of its "
        "minimum; in part if the two are within 1 % of a return.",
        tuple(rows),
        (HOLDS if entropy[peak] < entropy[dip] + 0.05 else IN_PART if apart < 0.01 else NOT),
        f"They fall in the same excursion, {100 * apart:.2g} % of a return apart, but the dip is "
        f"where E crosses {float(e[dip]):.2f} between its peak and its trough; at the peak the "
        f"entropy is {float(entropy[peak]):.2f}, above its start.",
    )
