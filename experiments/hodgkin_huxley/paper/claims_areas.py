"""Claims about figures 10 to 14 and Table I: areas, entropies, and what they have to do."""

from __future__ import annotations

import math

import numpy as np

from qbrain.reference.hodgkin_huxley.channel_drives import entanglement_entropy
from qbrain.reference.hodgkin_huxley.table_one import MODEL_AREAS

from ...papers.claims import HOLDS, IN_PART, NOT, UNKNOWN, Claim, Row, rises
from .areas import THETAS, area_ratios, entropy, fock_error, heat, memoryless, table_areas
from .model import ALPHAS, THETA, AnyDrive, classical, coherent, cycle, entangled
from .table_one import model_areas, model_currents

__all__ = [
    "area_follows_entropy",
    "area_is_memory",
    "area_with_alpha",
    "area_with_entanglement",
    "classical_to_quantum",
    "landauer",
    "maximally_entangled",
    "no_fourier_series",
]

# k_B in J/K times 6.3 °C, at which the rates of 1952 hold
_HEAT = 1.380649e-23 * 279.45


def no_fourier_series() -> Claim:
    """Eq. 23 and its Fourier series."""
    rows: list[Row] = []
    for alpha0 in ALPHAS:
        drive = entangled(alpha0, normalised=False)
        t = np.linspace(0, drive.period, 2001)
        printed = drive.printed_current(t)
        size = float(np.abs(printed).max())
        exact = drive.printed_harmonics()
        # as many harmonics as Eq. 24 has: up to sin 9Ωt
        cut = exact.orders <= 9
        angle = drive.frequency * np.multiply.outer(t, exact.orders[cut])
        short = (np.exp(1j * angle) @ exact.amplitudes[cut]).real
        rows.append(
            {
                "α₀": alpha0,
                "Eq. 24's error": float(np.abs(drive.printed_series(t) - printed).max()) / size,
                "Bessel series of 5 terms": float(np.abs(short - printed).max()) / size,
                "Bessel series": float(np.abs(exact(t) - printed).max()) / size,
                "its terms": len(exact.orders),
            }
        )
    worst = max(float(row["Bessel series"]) for row in rows)
    series = [float(row["Eq. 24's error"]) for row in rows]
    return Claim(
        "no Fourier transform of the entangled current",
        (12,),
        "the current of Eq. 23 does not have a Fourier transform to frequency space, so that the "
        "approximation of Eq. 24 is needed",
        "Largest error over a period against Eq. 23 as printed, by its largest value, of Eq. 24 "
        "and of sin x e^{−z sin²x} = Σ_k e^{−z/2}[I_k(z/2) − I_{k+1}(z/2)] sin (2k+1)x, z = α₀²/2 "
        "there. Holds unless that series is right to 1e-9.",
        tuple(rows),
        NOT if worst < 1e-9 else HOLDS,
        f"It has one, right to {worst:.0e} with at most {max(int(r['its terms']) for r in rows)} "
        f"terms. Eq. 24 is off by {series[0]:.2f}, {series[1]:.2f} and {series[2]:.2f} of the "
        "current at α₀ = 1, 1.5 and 2.",
    )


def area_with_alpha() -> Claim:
    """The area against α₀."""
    rows: list[Row] = []
    for alpha0 in ALPHAS:
        rows.append(
            {
                "α₀": alpha0,
                "normalised": cycle(entangled(alpha0)).area,
                "circuit": cycle(entangled(alpha0), dynamic=True).area,
                "unnormalised": cycle(entangled(alpha0, normalised=False)).area,
                "Table I, θ = 0": table_areas(alpha0)[0.0],
                "Table I, θ = π/4": table_areas(alpha0)[THETA],
            }
        )
    kinds = ("normalised", "circuit", "unnormalised")
    up = [rises([float(row[kind]) for row in rows]) for kind in kinds]
    power = math.log(float(rows[-1]["normalised"]) / float(rows[0]["normalised"])) / math.log(2)
    return Claim(
        "area grows with α₀",
        (10, 11, 12, "table-1"),
        "an increase in α₀ goes along with an increase in the memristive area, which is a sign of "
        "non-linear behaviour",
        "Areas in mV µA/cm² at θ = π/4 (Table I's in its own unit). Holds if they rise with α₀ by "
        "the closed form and the circuit, normalised and not; in part if only some do. A linear "
        "channel has the power 2.",
        tuple(rows),
        HOLDS if all(up) else IN_PART if any(up) else NOT,
        f"They rise, with a mean power of {power:.2f} in α₀: less than a linear channel's 2, for "
        "the stronger current opens the gate.",
    )


def classical_to_quantum() -> Claim:
    """Models A, B and C."""
    areas, found = model_areas(), model_currents()
    wanted = {m: MODEL_AREAS[m] / MODEL_AREAS["C"] for m in areas}
    rows: tuple[Row, ...] = tuple(
        {"model": m, "area, mV µA/cm²": a, "over C": a / areas["C"], "Table I over C": wanted[m]}
        for m, a in areas.items()
    )
    alike = abs(found.share / wanted["B"] - 1) < 0.05
    return Claim(
        "from the classical model to the quantum source",
        ("table-1",),
        "areas grow from model A (classical) to B (quantized, classical source) to C (coherent)",
        "Areas with I₀ = A, which is ours: the paper states neither, and A : B : C depends on it. "
        "A and B are the same circuit but for the closed form. Cannot be compared unless the I₀ "
        "that brings A to Table I's share of C brings B within 5 % of its; then it holds if "
        "A < B < C there.",
        rows,
        UNKNOWN if not alike else HOLDS if wanted["A"] < found.share < 1 else NOT,
        "C is larger for its sin Ωt, as the text says. A and B differ by "
        f"{abs(areas['B'] / areas['A'] - 1):.1%} only. At I₀ = {found.current:.2f} µA/cm² A has "
        f"its share, and B {found.share:.3f} of C in place of {wanted['B']:.3f}, which it never "
        f"reaches (at most {found.most:.3f}).",
    )


def area_with_entanglement() -> Claim:
    """The area against θ, normalised and not."""
    rows: list[Row] = []
    for alpha0 in ALPHAS:
        flat, grown = (area_ratios(alpha0, normalised=n) for n in (True, False))
        for k in range(0, len(THETAS), 4):
            rows.append(
                {
                    "α₀": alpha0,
                    "θ/π": float(THETAS[k]) / math.pi,
                    "entropy, nats": entropy(float(THETAS[k]), alpha0),
                    "ratio, normalised": flat[k],
                    "ratio, unnormalised": grown[k],
                }
            )
    right = all(rises(area_ratios(a, normalised=True)) for a in ALPHAS)
    left = all(rises(area_ratios(a, normalised=False)) for a in ALPHAS)
    return Claim(
        "area grows with entanglement",
        (12, 14, "table-1", "headline"),
        "the higher the entanglement, the larger the hysteretic area, maximal for θ = π/4",
        "Areas over the coherent source's at 17 angles from 0 to π/4. Holds if they rise with θ "
        "for the normalised state; otherwise it does not hold, for without the norm there is no "
        "state whose entanglement could be meant. The unnormalised ratios are beside it.",
        tuple(rows),
        HOLDS if right else NOT,
        f"Normalised, every ratio is 1: (a₁ + a₂)|s⟩ = α|s⟩ (in a Fock space to "
        f"{fock_error():.0e}). {'Only the' if left else 'The'} unnormalised source's area grows, "
        "with the current, by ⟨s|s⟩ = 1 + sin 2θ e^{−|α|²}.",
    )


def area_follows_entropy() -> Claim:
    """Two measures of memory, over θ and over α₀."""
    tops = [entropy(THETA, a) for a in ALPHAS]
    ours = [area_ratios(a, normalised=False)[-1] for a in ALPHAS]
    paper = [table_areas(a)[THETA] / table_areas(a)[0.0] for a in ALPHAS]
    rows: tuple[Row, ...] = tuple(
        {"α₀": a, "entropy at π/4, nats": s, "ratio, normalised": 1.0,
         "ratio, unnormalised": r, "ratio, Table I": p}
        for a, s, r, p in zip(ALPHAS, tops, ours, paper, strict=True)
    )  # fmt: skip
    return Claim(
        "area and entropy measure the same memory",
        (14, "headline"),
        "an increase in the von Neumann entropy is followed by an increase in the area",
        "The ratio of areas at θ = π/4 as the entropy grows with α₀. Holds if ours and Table I's "
        "rise; in part if only one does.",
        rows,
        HOLDS if rises(ours) and rises(paper) else IN_PART if rises(ours) or rises(paper) else NOT,
        f"The entropy rises ({tops[0]:.3f}, {tops[1]:.3f}, {tops[2]:.3f} nats) and the ratio "
        f"falls, ours ({ours[0]:.3f}, {ours[1]:.3f}, {ours[2]:.3f}) as the paper's own "
        f"({paper[0]:.3f}, {paper[1]:.3f}, {paper[2]:.3f}).",
    )


def maximally_entangled() -> Claim:
    """The entropy of figure 13, and whose."""
    rows: list[Row] = []
    for alpha in (*ALPHAS, 3.0, 6.0):
        values = [entropy(float(t), alpha) for t in THETAS]
        rows.append(
            {
                "|α|": alpha,
                "S(π/8), nats": values[len(values) // 2],
                "S(π/4), nats": values[-1],
                "S(π/4)/ln 2": values[-1] / math.log(2),
                "rises with θ": "yes" if rises(values) else "no",
            }
        )
    phases = 2 * np.pi * (np.arange(256) + 0.5) / 256
    mean = [float(np.mean(entanglement_entropy(THETA, a * np.sin(phases)))) for a in ALPHAS]
    up = all(row["rises with θ"] == "yes" for row in rows)
    full = all(float(row["S(π/4)/ln 2"]) > 0.99 for row in rows[:3])
    return Claim(
        "maximally entangled at θ = π/4",
        (13,),
        "the entropy grows from θ = 0 (not entangled) to π/4 (maximally entangled), where the "
        "reduced state is maximally mixed, S = ln d",
        "S of the normalised state at the largest |α(t)| = α₀. Holds if it rises with θ and "
        "exceeds 0.99 ln 2 at π/4 for the paper's α₀; in part if it only rises. Which state "
        "figure 13 is for is not stated.",
        tuple(rows),
        (HOLDS if full else IN_PART) if up else NOT,
        f"It rises with θ, but at π/4 it is {float(rows[0]['S(π/4)/ln 2']):.2f}, "
        f"{float(rows[1]['S(π/4)/ln 2']):.2f} and {float(rows[2]['S(π/4)/ln 2']):.2f} of ln 2 for "
        f"α₀ = 1, 1.5 and 2, less on the mean of a period ({mean[0]:.3f}, {mean[1]:.3f}, "
        f"{mean[2]:.3f} nats): |0⟩ and |α⟩ are not orthogonal.",
    )


def landauer() -> Claim:
    """Heat, area and entropy."""
    rows: list[Row] = []
    for alpha0 in ALPHAS:
        for normalised in (True, False):
            drive = entangled(alpha0, normalised=normalised)
            found, bare = heat(drive), heat(coherent(alpha0))
            # pJ/cm² on a square micrometre
            bound = found * 1e-12 * 1e-8 / (_HEAT * entropy(THETA, alpha0))
            rows.append(
                {
                    "α₀": alpha0,
                    "state": "normalised" if normalised else "unnormalised",
                    "entropy at π/4, nats": entropy(THETA, alpha0),
                    "heat of a period, pJ/cm²": found,
                    "over the coherent source's": found / bare,
                    "heat on 1 µm² over k_B T S": bound,
                }
            )
    change = max(abs(float(r["over the coherent source's"]) - 1) for r in rows[::2])
    least = min(float(r["heat on 1 µm² over k_B T S"]) for r in rows)
    return Claim(
        "Landauer's principle links area and entropy",
        (14,),
        "the larger the area, the larger the dissipated energy, which corresponds to a larger "
        "loss of information, a larger entropy",
        "Heat of the memristor in a period, ∫(V − V_K)²/Z dt, with the entangled source over that "
        "with the coherent one, and on a square micrometre over k_B T S (6.3 °C). Holds if the "
        "normalised state's heat changes by at least k_B T S; in part if it changes at all "
        "(more than 1e-9); ∮V dI itself is no energy (mV µA/cm²).",
        tuple(rows),
        NOT if change < 1e-9 else IN_PART,
        "With the state normalised the heat does not depend on the entropy at all. Unnormalised "
        "it follows the larger current. Either way a period's heat on a square micrometre is at "
        f"least {least:.0f} times k_B T S: Landauer's bound is met, and decides nothing.",
    )


def area_is_memory() -> Claim:
    """What is left of the area without any memory."""
    drives: dict[str, AnyDrive] = {"classical": classical()}
    drives |= {f"coherent, α₀ = {a:g}": coherent(a) for a in ALPHAS}
    drives |= {
        f"entangled, unnormalised, α₀ = {a:g}": entangled(a, normalised=False) for a in ALPHAS
    }
    rows: list[Row] = []
    for name, drive in drives.items():
        area, (frozen, alone) = cycle(drive).area, memoryless(drive)
        rows.append(
            {
                "source": name,
                "area, mV µA/cm²": area,
                "gate frozen": frozen,
                "frozen/area": frozen / area,
                "capacitance alone": alone,
            }
        )
    shares = [float(row["frozen/area"]) for row in rows]
    return Claim(
        "the area measures the memory",
        (7, 9, 10, 11, 12),
        "the area of the hysteresis loop is a measure of the persistence of the memory",
        "The area against that of the same circuit with the gate frozen at its mean conductance: "
        "a resistance and a capacitance, which remember no gate. Holds if frozen loops have less "
        "than a tenth of the area, in part if less than a half.",
        tuple(rows),
        HOLDS if max(shares) < 0.1 else IN_PART if max(shares) < 0.5 else NOT,
        f"Frozen, {min(shares):.2f} to {max(shares):.2f} of the area is left: it is the phase lag "
        "of the capacitance. The gate's memory sets the mean conductance, not the loop.",
    )
