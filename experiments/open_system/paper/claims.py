"""The paper's claims, each with a rule and the numbers its verdict follows from.

A claim about neurons is judged by the exact solution of the paper's own master equation (Eq. 15);
what Eq. 18 makes of it, which the paper's figures show, stands beside.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from qbrain.reference.open_system import simulate_open_system
from qbrain.reference.open_system.bath_stimuli import Bath, Pulse

from ...papers.claims import HOLDS, IN_PART, NOT, Claim, Row
from ...papers.figures import Key
from .flows import ETAS, FLOW_TIMES, exact_flow, half_time, limit, printed_flow
from .model import (
    AWAY,
    CUTOFF,
    NEURONS,
    RETRIEVED,
    SCALINGS,
    STORING,
    WARM,
    area,
    at,
    away_until,
    followed,
    printed_from_area,
)
from .pulses import whole_choi

__all__ = ["CLAIMS"]

Array = NDArray[np.float64]

_KELVIN = {False: 0.0, True: 300.0}
_ORDINARY = f"ω_c = {CUTOFF:g}, from silence, N = 1, 2, 10, 50, with and without the 1/N"


def _exact(figure: int, neurons: int, scaling: str) -> Array:
    return followed(CUTOFF, RETRIEVED[figure], neurons, scaling, figure > 4)


def _every(figure: int) -> list[tuple[int | str, str, Array]]:
    """Number, scaling and curve of the neurons; at zero temperature the highest of all."""
    found: list[tuple[int | str, str, Array]] = [
        (n, s, _exact(figure, n, s)) for s in SCALINGS for n in NEURONS
    ]
    if figure > 4:
        return found
    return [("every", "both", np.max([m for _, _, m in found], axis=0))]


def flows_to_zero() -> Claim:
    """All states end in (0, 0, 0)."""
    rows: list[Row] = [
        {"neurons": n, "occupation": occupation, "limit of m_z": limit(n, occupation)}
        for occupation in ("boltzmann", "bose")
        for n in NEURONS
    ]
    left = float(np.linalg.norm(printed_flow(ETAS[0])[:, -1]))
    rows.append({"Eq. 18, eta": ETAS[0], "length of S at 20": left})
    there = {
        o: [abs(float(r["limit of m_z"])) <= AWAY for r in rows if r.get("occupation") == o]
        for o in ("boltzmann", "bose")
    }
    all_there, some = all(map(all, there.values())), any(map(any, there.values()))
    return Claim(
        "flows to (0, 0, 0)",
        (2,),
        "the system always flows to the (0, 0, 0) state, the depolarized one",
        "m_z of the master equation after infinite time under constant rates at 300 K, where m_x "
        "and m_y are 0, with the paper's occupation (Boltzmann, n = 1) and with that of "
        f"oscillators (Bose, n = 2·10¹⁰). Holds if |m_z| <= {AWAY:g} for every N and both; in "
        "part if for some.",
        tuple(rows),
        HOLDS if all_there else IN_PART if some else NOT,
        f"At the paper's n = 1 one neuron ends at {limit(1, 'boltzmann'):.3f} and 50 at "
        f"{limit(50, 'boltzmann'):.3f}; only Bose's n leads to 0. Eq. 18 goes to 0 at any "
        "temperature, zero included.",
    )


def faster_with_coupling() -> Claim:
    """Depolarised the sooner the larger η."""
    rows: list[Row] = []
    for eta in sorted(ETAS):
        row: Row = {"eta": eta, "half-time, Eq. 18": half_time(printed_flow(eta), 0.0)}
        for s in SCALINGS:
            for n in NEURONS:
                end = limit(n, "boltzmann")
                row[f"N = {n}, {s}"] = half_time(exact_flow(eta, n, s), end)
        rows.append(row)
    names = [name for name in rows[0] if name != "eta"]
    sooner = [float(rows[1][name]) < float(rows[0][name]) for name in names]
    ratios = [float(rows[0][name]) / float(rows[1][name]) for name in names]
    return Claim(
        "faster with a larger coupling",
        (2,),
        "the larger the coupling constant the sooner the collective state is depolarized",
        "Time after which the distance from the end (0, 0, m_z) is below half of its start for "
        f"good, 300 K, up to {FLOW_TIMES[-1]:g}. Holds if shorter at η = 0.1 than at 0.02 for "
        "every N and scaling and for Eq. 18; in part if for some.",
        tuple(rows),
        HOLDS if all(sooner) else IN_PART if any(sooner) else NOT,
        f"By a factor of {min(ratios):.1f} to {max(ratios):.1f}, for five times the coupling; "
        "what is reached is not the depolarized state.",
    )


def depolarised() -> Claim:
    """A stimulus brings silent neurons to S_z = 0."""
    rows: list[Row] = []
    for figure in (3, 5):
        g = area(CUTOFF, RETRIEVED[figure])
        printed = at(printed_from_area(g, warm=figure > 4), 1.5)
        rows += [
            {"kelvin": _KELVIN[figure > 4], "neurons": n, "scaling": s,
             "m_z(1.5), exact": at(m, 1.5), "S_z(1.5), Eq. 18": printed}
            for n, s, m in _every(figure)
        ]  # fmt: skip
    found = [float(row["m_z(1.5), exact"]) for row in rows]
    zero = [abs(x) <= AWAY for x in found]
    raised = [x > -1 + AWAY for x in found]
    cold = [x for x, row in zip(found, rows, strict=True) if row["kelvin"] == 0.0]
    return Claim(
        "depolarised by stimulation",
        (3, 4, 5, 6),
        "by the pulse of 0.8 the system reaches the depolarized state, (0, 0, 0), at T = 0 and "
        "nearly so at 300 K",
        f"m_z at t = 1.5 by the master equation, {_ORDINARY}. Holds if |m_z| <= {AWAY:g} "
        f"everywhere; in part if somewhere, or if m_z is above -1 by more than {AWAY:g} at both "
        "temperatures.",
        tuple(rows),
        HOLDS
        if all(zero)
        else IN_PART
        if any(zero) or (max(cold) > -1 + AWAY and any(raised))
        else NOT,
        f"At zero temperature nothing moves (m_z = {max(cold):g} throughout); at 300 K m_z comes "
        f"to {max(found):.3f} at most (N = 1). What the paper shows is Eq. 18's loss of memory.",
    )


def half_fire() -> Claim:
    """About half of the neurons fire."""
    rows: list[Row] = []
    for figure in (4, 6):
        rows += [
            {"kelvin": _KELVIN[figure > 4], "occupation": "boltzmann" if figure > 4 else "zero",
             "neurons": n, "scaling": s, "largest share active": (1 + float(np.nanmax(m))) / 2}
            for n, s, m in _every(figure)
        ]  # fmt: skip
    # under Bose's occupation the steady state is there at once
    rows += [
        {"kelvin": 300.0, "occupation": "bose", "neurons": n, "scaling": s,
         "largest share active": (1 + limit(n, "bose")) / 2}
        for s in SCALINGS
        for n in NEURONS
    ]  # fmt: skip
    half = [abs(float(row["largest share active"]) - 0.5) <= AWAY for row in rows]
    warm = {n: (1 + float(np.nanmax(_exact(6, n, "1/N")))) / 2 for n in NEURONS}
    return Claim(
        "about half of the neurons fire",
        (4, 5, 6),
        "the stimulation activates almost a half of the neuron states; at 300 K no more than a "
        "half are fired",
        f"The largest share of active neurons, (1 + m_z)/2, {_ORDINARY}, at T = 0 (figure 4), at "
        "300 K with the paper's occupation (figure 6) and with Bose's. Holds if within "
        f"{AWAY:g} of 1/2 in all; in part if in some.",
        tuple(rows),
        HOLDS if all(half) else IN_PART if any(half) else NOT,
        f"None at T = 0; {warm[1]:.2f} of one neuron and {warm[50]:.3f} of 50 at 300 K by the "
        "paper's occupation; half by Bose's, which the paper does not use. S_z = 0 of Eq. 18 is no "
        "share of neurons.",
    )


def returns_to_rest() -> Claim:
    """At rest again at t = 10."""
    rows: list[Row] = []
    for figure in (3, 4, 5, 6):
        warm = figure > 4
        printed = at(printed_from_area(area(CUTOFF, RETRIEVED[figure]), warm=warm), 10.0)
        rows += [
            {"figure": figure, "neurons": n, "scaling": s, "highest m_z": float(np.nanmax(m)),
             "m_z(10)": at(m, 10.0),
             # at zero temperature nothing has moved
             "m_z(10), stored only": at(
                 followed(CUTOFF, STORING, n, s, True) if isinstance(n, int) else m, 10.0
             ),
             "S_z(10), Eq. 18": printed}
            for n, s, m in _every(figure)
        ]  # fmt: skip
    rows += [
        {"figure": f, "smallest Choi eigenvalue of the retrieving pulse": whole_choi(f, 1.5, stop)}
        for f, stop in ((3, 2.25), (4, 2.5))
    ]
    moved = [row for row in rows if float(row.get("highest m_z", -1.0)) > -1 + AWAY]
    back = [abs(float(row["m_z(10)"]) + 1) <= AWAY for row in moved]
    alone = [abs(float(row["m_z(10), stored only"]) + 1) <= AWAY for row in moved]
    return Claim(
        "return to rest",
        (3, 4, 5, 6),
        "retrieved by the coupling of the other sign, the state gradually returns to rest by "
        "t = 10",
        f"m_z at t = 10 by the master equation, {_ORDINARY}, where it had left rest by more than "
        f"{AWAY:g}. Holds if within {AWAY:g} of -1 without rates below 0, which no evolution of "
        "neurons has (the storing pulse alone); in part if with the paper's, whose Choi "
        "eigenvalue is negative.",
        tuple(rows),
        HOLDS if back and all(alone) else IN_PART if back and all(back) else NOT,
        f"Only at 300 K has anything left rest; it is back within "
        f"{max(float(row['m_z(10)']) + 1 for row in moved):.3f} by going its way backwards under "
        "negative rates. No neurons do that: without them one neuron stays at "
        f"{max(float(row['m_z(10), stored only']) for row in moved):.3f}.",
    )


def equal_areas() -> Claim:
    """Retrieving pulses of the same area do the same."""
    rows: list[Row] = []
    for stop in (1.75, 2.0, 2.25, 2.5, 3.0, 3.5):
        strength = -0.4 / (stop - 1.5)
        g = area(CUTOFF, (*STORING, Pulse(1.5, stop, strength)))
        row: Row = {"eta": strength, "duration": stop - 1.5}
        for warm, words in ((False, "T = 0"), (True, "300 K")):
            s = printed_from_area(g, warm=warm)
            row |= {f"S_z(10), {words}": at(s, 10.0), f"lowest S_z, {words}": float(s.min())}
        exact = followed(CUTOFF, (*STORING, Pulse(1.5, stop, strength)), 1, "none", True)
        row["m_z(10), exact, N = 1, 300 K"] = at(exact, 10.0)
        rows.append(row)
    ends = [name for name in rows[0] if "(10)" in name]
    there = [abs(float(row[name]) + 1) <= AWAY for row in rows for name in ends]
    lows = [float(row["lowest S_z, 300 K"]) for row in rows]
    past = sum(x < -1 - AWAY for x in lows)
    return Claim(
        "pulses of equal area are equivalent",
        (4, 6),
        "a retrieving pulse of the same area, longer and weaker, returns the state to rest as "
        "well, at both temperatures",
        "Areas of exactly −0.4 in 0.25 to 2 units of time: S_z at 10 by Eq. 18 at both "
        f"temperatures, m_z of one neuron by the master equation. Holds if all are within {AWAY:g} "
        f"of rest and none goes below -1 by more than {AWAY:g} before; in part if only the first.",
        tuple(rows),
        HOLDS if all(there) and not past else IN_PART if all(there) else NOT,
        f"In the end only the area counts, as G → κ₀(∞)∫η; on the way {past} of {len(lows)} pass "
        f"rest at 300 K, down to S_z = {min(lows):.2f}, and all have negative rates.",
    )


def slower_when_warm() -> Claim:
    """Temperature slows the return."""
    rows: list[Row] = []
    for cold, warm in ((3, 5), (4, 6)):
        printed = [
            away_until(printed_from_area(area(CUTOFF, RETRIEVED[f]), warm=f > 4))
            for f in (cold, warm)
        ]
        rows.append({"figures": f"{cold}, {warm}", "law": "Eq. 18", "T = 0": printed[0],
                     "300 K": printed[1]})  # fmt: skip
        for n in NEURONS:
            times = [away_until(_nan_is_rest(_exact(f, n, "1/N"))) for f in (cold, warm)]
            rows.append({"figures": f"{cold}, {warm}", "law": f"exact, N = {n}, 1/N",
                         "T = 0": times[0], "300 K": times[1]})  # fmt: skip
    slower = [float(row["300 K"]) > float(row["T = 0"]) for row in rows]
    rows += [_relaxing()]
    return Claim(
        "temperature slows the return",
        (5, 6),
        "at 300 K it takes longer for the state to return to its initial rest",
        f"The last time further than {AWAY:g} from rest (0: never), by Eq. 18 and by the master "
        "equation. Holds if later at 300 K for all; in part if for some. Beside it, without "
        "negative rates: one active neuron under η = 0.1, the first time within the same of rest.",
        tuple(rows),
        HOLDS if all(slower) else IN_PART if any(slower) else NOT,
        f"Eq. 18: {rows[0]['T = 0']:.2f} against {rows[0]['300 K']:.2f} (figure 5). Exactly, "
        "nothing leaves rest at T = 0, and 50 neurons do not at 300 K either. An active neuron "
        f"decays to rest by {rows[-1]['T = 0, first at rest']:.1f} at T = 0 and never at 300 K, "
        f"where it ends at {rows[-1]['300 K, m_z at 20']:.3f}, without any retrieving.",
    )


def _nan_is_rest(m: Array) -> Array:
    return np.where(np.isnan(m), -1.0, m)


def _relaxing() -> Row:
    stimulus = Pulse(0.0, math.inf, 0.1)
    found = {}
    for bath in (Bath(CUTOFF), WARM):
        m = simulate_open_system(1, (bath, stimulus), "up", FLOW_TIMES).m_z.values
        near = np.flatnonzero(m <= -1 + AWAY)
        found[bath.occupation] = (
            float(FLOW_TIMES[near[0]]) if len(near) else math.inf, float(m[-1])
        )  # fmt: skip
    return {
        "from": "up",
        "T = 0, first at rest": found["zero"][0],
        "300 K, first at rest": "never" if found["boltzmann"][0] == math.inf else
        found["boltzmann"][0],
        "T = 0, m_z at 20": found["zero"][1],
        "300 K, m_z at 20": found["boltzmann"][1],
    }  # fmt: skip


# which figures a claim is about is known before it is measured
CLAIMS: tuple[tuple[frozenset[Key], Callable[[], Claim]], ...] = (
    (frozenset({2}), flows_to_zero),
    (frozenset({2}), faster_with_coupling),
    (frozenset({3, 4, 5, 6}), depolarised),
    (frozenset({4, 5, 6}), half_fire),
    (frozenset({3, 4, 5, 6}), returns_to_rest),
    (frozenset({4, 6}), equal_areas),
    (frozenset({5, 6}), slower_when_warm),
)
