"""Claims about figures 10 to 14 and Table I: areas, entropies, and what they have to do."""

from __future__ import annotations

import math

import numpy as np

from qbrain.reference.hodgkin_huxley.channel_drives import entanglement_entropy
from qbrain.reference.hodgkin_huxley.table_one import MODEL_AREAS

from ...papers.claims import HOLDS, IN_PART, NOT, UNKNOWN, ByLimit, Claim, Row, rises, verdict
from .areas import THETAS, area_ratios, entropy, fock_error, heat, memoryless, table_areas
from .model import ALPHAS, THETA, AnyDrive, classical, coherent, cycle, entangled, paper_claim
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
    """Hold Eq. 23 against its Fourier series."""
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
    return paper_claim(
        "claim_no_fourier_series",
        "no Fourier transform of the entangled current",
        (12,),
        rows,
        NOT if worst < 1e-9 else HOLDS,
        worst=worst,
        most_terms=max(int(r["its terms"]) for r in rows),
        series=series,
    )


def area_with_alpha() -> Claim:
    """Measure the area against α₀."""
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
    return paper_claim(
        "claim_area_with_alpha",
        "area grows with α₀",
        (10, 11, 12, "table-1"),
        rows,
        verdict(all(up), in_part=any(up)),
        power=power,
    )


def classical_to_quantum() -> Claim:
    """Compare models A, B and C."""
    areas, found = model_areas(), model_currents()
    wanted = {m: MODEL_AREAS[m] / MODEL_AREAS["C"] for m in areas}
    rows: tuple[Row, ...] = tuple(
        {"model": m, "area, mV µA/cm²": a, "over C": a / areas["C"], "Table I over C": wanted[m]}
        for m, a in areas.items()
    )
    apart = abs(found.share / wanted["B"] - 1)
    return paper_claim(
        "claim_classical_to_quantum",
        "from the classical model to the quantum source",
        ("table-1",),
        rows,
        ByLimit(
            "relative difference from Table I's B over C, below",
            0.05,
            (0.01, 0.1, 0.2, 0.5),
            lambda limit: UNKNOWN if not apart < limit else verdict(wanted["A"] < found.share < 1),
        ),
        areas=areas,
        found=found,
        wanted=wanted,
    )


def area_with_entanglement() -> Claim:
    """Measure the area against θ, normalised and not."""
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
    return paper_claim(
        "claim_area_with_entanglement",
        "area grows with entanglement",
        (12, 14, "table-1", "headline"),
        rows,
        verdict(right),
        fock_error=fock_error(),
        left=left,
    )


def area_follows_entropy() -> Claim:
    """Compare two measures of memory, over θ and over α₀."""
    tops = [entropy(THETA, a) for a in ALPHAS]
    ours = [area_ratios(a, normalised=False)[-1] for a in ALPHAS]
    paper = [table_areas(a)[THETA] / table_areas(a)[0.0] for a in ALPHAS]
    rows: tuple[Row, ...] = tuple(
        {"α₀": a, "entropy at π/4, nats": s, "ratio, normalised": 1.0,
         "ratio, unnormalised": r, "ratio, Table I": p}
        for a, s, r, p in zip(ALPHAS, tops, ours, paper, strict=True)
    )  # fmt: skip
    return paper_claim(
        "claim_area_follows_entropy",
        "area and entropy measure the same memory",
        (14, "headline"),
        rows,
        verdict(rises(ours) and rises(paper), in_part=rises(ours) or rises(paper)),
        tops=tops,
        ours=ours,
        paper=paper,
    )


def maximally_entangled() -> Claim:
    """Measure the entropy of figure 13, and whose it is."""
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
    shares = [float(row["S(π/4)/ln 2"]) for row in rows[:3]]
    return paper_claim(
        "claim_maximally_entangled",
        "maximally entangled at θ = π/4",
        (13,),
        rows,
        ByLimit(
            "S(π/4)/ln 2 above",
            0.99,
            (0.5, 0.9, 0.95, 0.999),
            lambda limit: verdict(up and min(shares) > limit, in_part=up),
        ),
        rows=rows,
        mean=mean,
    )


def landauer() -> Claim:
    """Compare heat, area and entropy."""
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
    return paper_claim(
        "claim_landauer",
        "Landauer's principle links area and entropy",
        (14,),
        rows,
        NOT if change < 1e-9 else IN_PART,
        least=least,
    )


def area_is_memory() -> Claim:
    """Measure what is left of the area without any memory."""
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
    return paper_claim(
        "claim_area_is_memory",
        "the area measures the memory",
        (7, 9, 10, 11, 12),
        rows,
        ByLimit(
            "area with the gate frozen over the area, below",
            0.1,
            (0.05, 0.2, 0.5, 0.9),
            lambda limit: verdict(max(shares) < limit, in_part=max(shares) < 0.5),
        ),
        shares=shares,
    )
