"""Claims about figures 3, 7, 8, 9 and 12: loops, spikes, limit cycles, conductances."""

from __future__ import annotations

import numpy as np

from qbrain.reference.hodgkin_huxley.memristor_loops import lobe_areas

from ...papers.claims import HOLDS, IN_PART, NOT, Claim, Row, falls
from .measures import nonlinearity
from .memristor import VOLTAGES, averaged, classical_gap
from .model import CLOSED, RESTING, AnyDrive, classical, coherent, cycle, entangled
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
    """Loops become lines as the source's voltage grows."""
    rows: list[Row] = []
    bent: dict[str, list[float]] = {"inductor": [], "memristor": []}
    for voltage in VOLTAGES:
        for branch, found in bent.items():
            run = averaged(voltage, branch)
            found.append(nonlinearity(run.voltage, run.current))
        rows.append({"V": voltage, **{f"in the {b}'s branch": f[-1] for b, f in bent.items()}})
    straight = [falls(found) and found[-1] < found[0] / 10 for found in bent.values()]
    ours, other = bent["inductor"], bent["memristor"]
    return Claim(
        "linearity as the voltage grows",
        (3,),
        "the memristor starts to show linearity in the hysteresis curves as we increase the "
        "voltage",
        "1 − (∑VI)²/(∑V²∑I²) over figure 3's window, with the source in series with the inductor "
        "(figure 3's choice) and with the memristor: the paper does not say where. It turns "
        "linear if this falls from each V to the next and ends below a tenth of its first value. "
        "Holds if so in both branches, in part if in one.",
        tuple(rows),
        HOLDS if all(straight) else IN_PART if any(straight) else NOT,
        f"In the inductor's branch it falls from {ours[0]:.3f} to {ours[-1]:.4f}: charge flows "
        f"one way and γ saturates. In the memristor's it first grows ({max(other):.3f}).",
    )


def quantum_loops() -> Claim:
    """A pinched loop, and whether it is a quantum one."""
    run = averaged(0.0)
    lobes = np.abs(lobe_areas(run.voltage.values, run.current.values))
    gaps = {v: classical_gap(v) for v in VOLTAGES}
    worst = max(gaps.values())
    rows: list[Row] = [
        {"V": v, "difference from the classical circuit": gap} for v, gap in gaps.items()
    ]
    return Claim(
        "hysteresis loops of a quantum memristor",
        (3,),
        "the quantum memristor's current shows hysteresis loops",
        "Areas of the lobes between zeros of V at V = 0, and the largest difference of ⟨q⟩ from "
        "the classical circuit's charge (three equations, no ħ, heat or measurement). Holds if "
        "there are lobes and the two differ by more than 1e-6; in part if there are lobes of the "
        "classical circuit only.",
        (
            {"largest lobe": float(lobes.max()), "lobes": len(lobes)},
            *rows,
        ),
        (HOLDS if worst > 1e-6 else IN_PART) if lobes.max() > 1e-3 else NOT,
        f"There are pinched loops, but averaged over the records they are the classical "
        f"circuit's to {worst:.0e}: what is quantum is in the variances and in single records.",
    )


def first_spike() -> Claim:
    """A spike of V and a quick relaxation in the classical model."""
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
    return Claim(
        "initial spike of the classical model",
        (8,),
        "an initial spike in the voltage, followed by a quick relaxation",
        "Peaks of V in each period, in units of the limit cycle's swing above the last. Holds if "
        "the highest is within the first three periods and exceeds the last by half a swing; in "
        "part if it is early but lower.",
        tuple({"period": k + 1, "peak of V, mV": peak} for k, peak in enumerate(peaks[:8])),
        (HOLDS if over > 0.5 else IN_PART) if first < 3 and over > 0 else NOT,
        f"The highest peak, in period {first + 1}, is {over:.2f} swings above the last; after "
        f"{after} periods a tenth of a swing is left. It is the charging of the membrane through "
        "a channel that is still closed.",
    )


def classical_reproduced() -> Claim:
    """The classical model within the quantized one."""
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
    return Claim(
        "the classical model is reproduced",
        (7, 8),
        "the behaviour of the classical model can be reproduced in the quantum regime, the spike "
        "replaced by a slow relaxation",
        "Largest difference of V over the window between figure 8 and figure 7, in swings of the "
        "limit cycle. Holds if both the circuit and the closed form are within 0.01; in part if "
        "only the circuit is.",
        tuple(rows),
        (HOLDS if quasi < 0.01 else IN_PART) if same < 0.01 else NOT,
        f"The averaged quantized circuit is the classical one ({same:.0e}). The closed form is "
        f"not, by {quasi:.2f} swings at the start, and its loop is "
        f"{areas['closed form'] / areas['circuit']:.3f} of the circuit's: the difference is the "
        "approximation's, not quantum.",
    )


def _drives() -> dict[str, tuple[AnyDrive, float]]:
    return {
        "classical": (classical(), RESTING),
        "coherent": (coherent(), CLOSED),
        "entangled": (entangled(), CLOSED),
        "entangled, unnormalised": (entangled(normalised=False), CLOSED),
    }


def limit_cycle_for_all() -> Claim:
    """One limit cycle for all starts."""
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
    return Claim(
        "relaxation into one limit cycle",
        (7, 9, 12),
        "the system eventually relaxes into a limit cycle, which is independent of the initial "
        "conditions, and its curve is a hysteresis loop",
        "How far V differs between four starts (n = 0.1 to 0.9) in the first and in the last "
        "period, in swings; what one period leaves of a small deviation (Floquet multiplier); the "
        "area. Holds if the last is below 0.01, every multiplier below 1 and every area above "
        "zero.",
        tuple(rows),
        HOLDS if left < 0.01 and most < 1 and areas > 0 else NOT,
        f"After 30 ms {left:.4f} of a swing is left of the starts; a period leaves at most "
        f"{most:.2f} of a deviation.",
    )


def conductance_rises() -> Claim:
    """S-shaped growth and saturation of the conductance."""
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
    return Claim(
        "s-shaped, saturating conductance",
        (7, 9, 12),
        "the conductance rises as an s-shaped curve and saturates, with a noticeable delay for "
        "the quantum sources",
        "The mean conductance of the last period, as it moves on. It rises if it never falls by "
        "more than 1 % of its rise, saturates if the last period moves it by less than 1 %, and "
        "is s-shaped if it is steepest more than half a period after the first mean. Holds if "
        "all rise and saturate and those of the quantum sources are s-shaped by the closed form "
        "and by the circuit; in part if by one of them.",
        tuple(rows),
        (HOLDS if all(quantum + shaped["circuit"][1:]) else IN_PART)
        if all(risen) and any(quantum)
        else NOT,
        f"All rise and saturate. By the closed form the quantum sources' are s-shaped, steepest "
        f"{float(rows[2]['steepest after, periods']):.1f} periods in; by the circuit itself, "
        "switched on at once, they are steepest at the start. With a channel that starts "
        "more open than its limit cycle the conductance falls instead.",
    )


def oscillation_shrinks() -> Claim:
    """No spike, but a slow decrease of the voltage's oscillations."""
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
    return Claim(
        "slow decrease of the oscillations",
        (9,),
        "no spike in the voltage, but quite a slow decrease in the oscillation amplitude",
        "The swing of V in the first, the fourth and the last period, and how far the highest V "
        "is above the limit cycle's, in swings. Holds if the swing falls and the excess is below "
        "half a swing by the closed form; in part if only one does.",
        tuple(rows),
        HOLDS if down and spike < 0.5 else IN_PART if down or spike < 0.5 else NOT,
        f"The swing falls from {float(closed['first swing, mV']):.1f} to "
        f"{float(closed['last']):.1f} mV, as the impedance falls; the highest V is {spike:.2f} "
        "swings above the limit cycle's.",
    )
