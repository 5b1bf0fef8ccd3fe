"""Claims about figures 3, 7, 8, 9 and 12: loops, spikes, limit cycles, conductances."""

from __future__ import annotations

import numpy as np

from qbrain.reference.hodgkin_huxley.memristor_loops import lobe_areas

from ...papers.claims import ByLimit, Claim, Row, falls, verdict
from .measures import nonlinearity
from .memristor import VOLTAGES, averaged, classical_gap
from .model import CLOSED, RESTING, AnyDrive, classical, coherent, cycle, entangled, paper_claim
from .trajectories import potassium_alone, response, settling, spread, swing

__all__ = [
    "classical_reproduced",
    "conductance_rises",
    "first_spike",
    "limit_cycle_for_all",
    "linear_at_voltage",
    "oscillation_shrinks",
    "quantum_loops",
]


def linear_at_voltage() -> Claim:
    """Measure whether loops become lines as the source's voltage grows."""
    rows: list[Row] = []
    bent: dict[str, list[float]] = {"inductor": [], "memristor": []}
    for voltage in VOLTAGES:
        for branch, found in bent.items():
            run = averaged(voltage, branch)
            found.append(nonlinearity(run.voltage, run.current))
        rows.append({"V": voltage, **{f"in the {b}'s branch": f[-1] for b, f in bent.items()}})
    straight = [falls(found) and found[-1] < found[0] / 10 for found in bent.values()]
    ours, other = bent["inductor"], bent["memristor"]
    return paper_claim(
        "claim_linear_at_voltage",
        "linearity as the voltage grows",
        (3,),
        rows,
        verdict(all(straight), in_part=any(straight)),
        ours=ours,
        other=other,
    )


def quantum_loops() -> Claim:
    """Measure whether the loop is pinched, and whether it is a quantum one."""
    run = averaged(0.0)
    lobes = np.abs(lobe_areas(run.voltage.values, run.current.values))
    gaps = {v: classical_gap(v) for v in VOLTAGES}
    worst = max(gaps.values())
    rows: list[Row] = [
        {"V": v, "difference from the classical circuit": gap} for v, gap in gaps.items()
    ]
    return paper_claim(
        "claim_quantum_loops",
        "hysteresis loops of a quantum memristor",
        (3,),
        (
            {"largest lobe": float(lobes.max()), "lobes": len(lobes)},
            *rows,
        ),
        ByLimit(
            "difference from the classical circuit, above",
            1e-6,
            (1e-9, 1e-8, 1e-4),
            lambda limit: verdict(lobes.max() > 1e-3 and worst > limit, in_part=lobes.max() > 1e-3),
        ),
        worst=worst,
    )


def first_spike() -> Claim:
    """Look for a spike of V and a quick relaxation in the classical model."""
    run, drive = potassium_alone(), classical()
    v, t = run.voltage.values, run.time.values
    count = int(t[-1] / drive.period)
    peaks = [
        float(v[(t >= k * drive.period) & (t < (k + 1) * drive.period)].max()) for k in range(count)
    ]
    span = float(np.ptp(cycle(drive, dynamic=True).voltage))
    over = (max(peaks) - peaks[-1]) / span
    first = int(np.argmax(peaks))
    below = (i for i, p in enumerate(peaks) if i > first and p - peaks[-1] < 0.1 * span)
    after = next(below, count) - first
    return paper_claim(
        "claim_first_spike",
        "initial spike of the classical model",
        (8,),
        tuple({"period": k + 1, "peak of V, mV": peak} for k, peak in enumerate(peaks[:8])),
        ByLimit(
            "highest peak less the last over the swing, above",
            0.5,
            (0.05, 0.1, 0.2, 1.0, 2.0),
            lambda limit: verdict(first < 3 and over > limit, in_part=first < 3 and over > 0),
        ),
        first=first,
        over=over,
        after=after,
    )


def classical_reproduced() -> Claim:
    """Look for the classical model within the quantized one."""
    run, drive = potassium_alone(), classical()
    span = float(np.ptp(cycle(drive, dynamic=True).voltage))
    same = float(np.abs(run.voltage - response(drive, RESTING, "circuit").voltage).max()) / span
    quasi = float(np.abs(run.voltage - response(drive, RESTING).voltage).max()) / span
    areas = {"circuit": cycle(drive, dynamic=True).area, "closed form": cycle(drive).area}
    rows: list[Row] = [
        {"quantized by": "the circuit (Eq. 16)", "largest difference/swing": same},
        {"quantized by": "the closed form (Eq. 17, right)", "largest difference/swing": quasi},
    ]
    for law, area in areas.items():
        rows.append({"law": law, "area, mV µA/cm²": area})
    return paper_claim(
        "claim_classical_reproduced",
        "the classical model is reproduced",
        (7, 8),
        rows,
        ByLimit(
            "largest difference/swing, below",
            0.01,
            (1e-4, 0.001, 0.05, 0.1, 0.5),
            lambda limit: verdict(same < limit and quasi < limit, in_part=same < limit),
        ),
        same=same,
        quasi=quasi,
        areas=areas,
    )


def _drives() -> dict[str, tuple[AnyDrive, float]]:
    return {
        "classical": (classical(), RESTING),
        "coherent": (coherent(), CLOSED),
        "entangled": (entangled(), CLOSED),
        "entangled, unnormalised": (entangled(normalised=False), CLOSED),
    }


def limit_cycle_for_all() -> Claim:
    """Measure whether all starts end in one limit cycle."""
    rows: list[Row] = []
    for name, (drive, _) in _drives().items():
        first, last = spread(drive)
        rows.append(
            {
                "source": name,
                "spread of V, first period": first,
                "last period": last,
                "multiplier": cycle(drive).multiplier,
                "area, mV µA/cm²": cycle(drive).area,
            }
        )
    left = max(float(row["last period"]) for row in rows)
    most = max(float(row["multiplier"]) for row in rows)
    areas = min(float(row["area, mV µA/cm²"]) for row in rows)
    return paper_claim(
        "claim_limit_cycle_for_all",
        "relaxation into one limit cycle",
        (7, 9, 12),
        rows,
        ByLimit(
            "spread of V in the last period over its swing, below",
            0.01,
            (1e-6, 1e-4, 0.001, 0.1, 1.0),
            lambda limit: verdict(left < limit and most < 1 and areas > 0),
        ),
        left=left,
        most=most,
    )


def conductance_rises() -> Claim:
    """Measure whether the conductance grows S-shaped and saturates."""
    rows: list[Row] = []
    shaped: dict[str, list[bool]] = {"closed": [], "circuit": []}
    risen = []
    for name, (drive, start) in _drives().items():
        for law, found in shaped.items():
            r = settling(drive, start, law)
            rows.append(
                {
                    "source": name,
                    "law": {"closed": "closed form", "circuit": "circuit"}[law],
                    "first mean, mS/cm²": r.first,
                    "last": r.last,
                    "steepest after, periods": r.delay / drive.period,
                    "largest fall/rise": r.fall,
                    "left in the last period": r.left,
                }
            )
            risen.append(r.monotonic and r.saturated)
            found.append(r.delay > drive.period / 2)
    quantum = shaped["closed"][1:]
    grown = all(risen) and any(quantum)
    return paper_claim(
        "claim_conductance_rises",
        "s-shaped, saturating conductance",
        (7, 9, 12),
        rows,
        verdict(grown and all(quantum + shaped["circuit"][1:]), in_part=grown),
        rows=rows,
    )


def oscillation_shrinks() -> Claim:
    """Measure whether the voltage's oscillations shrink slowly, without a spike."""
    drive = coherent()
    rows: list[Row] = []
    for law in ("closed", "circuit"):
        run = response(drive, CLOSED, law)
        first, middle, last = (swing(run, drive.period, k) for k in (0, 3, -1))
        rows.append({"law": law, "first swing, mV": first, "fourth": middle, "last": last})
    closed = rows[0]
    down = falls([float(closed[key]) for key in ("first swing, mV", "fourth", "last")])
    highest = float(response(drive, CLOSED).voltage.max())
    peak = highest - float(cycle(drive).voltage.max())
    spike = peak / float(closed["last"])
    return paper_claim(
        "claim_oscillation_shrinks",
        "slow decrease of the oscillations",
        (9,),
        rows,
        ByLimit(
            "height of a spike over the last swing, below",
            0.5,
            (0.05, 0.1, 0.2, 1.0),
            lambda limit: verdict(down and spike < limit, in_part=down or spike < limit),
        ),
        closed=closed,
        spike=spike,
    )
