"""The paper's claims, each with a rule and the numbers its verdict follows from.

A claim about neurons is judged by the exact solution of the paper's own master equation (Eq. 15);
what Eq. 18 makes of it, which the paper's figures show, stands beside.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from qbrain.reference.open_system import simulate_open_system
from qbrain.reference.open_system.bath_stimuli import Bath, Pulse

from ...papers.claims import ByLimit, Claim, Row, Verdict, verdict
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
    paper_claim,
    printed_from_area,
)
from .pulses import whole_choi

__all__ = [
    "depolarised",
    "equal_areas",
    "faster_with_coupling",
    "flows_to_zero",
    "half_fire",
    "returns_to_rest",
    "slower_when_warm",
]

Array = NDArray[np.float64]

_KELVIN = {False: 0.0, True: 300.0}
_ORDINARY = f"ω_c = {CUTOFF:g}, from silence, N = 1, 2, 10, 50, with and without the 1/N"


def _exact(figure: int, neurons: int, scaling: str) -> Array:
    return followed(CUTOFF, RETRIEVED[figure], neurons, scaling, figure > 4)


def _every(figure: int) -> list[tuple[int | str, str, Array]]:
    """List number, scaling and curve of the neurons; at zero temperature the highest of all."""
    found: list[tuple[int | str, str, Array]] = [
        (n, s, _exact(figure, n, s)) for s in SCALINGS for n in NEURONS
    ]
    if figure > 4:
        return found
    return [("every", "both", np.max([m for _, _, m in found], axis=0))]


def flows_to_zero() -> Claim:
    """Measure whether all states end in (0, 0, 0)."""
    rows: list[Row] = [
        {"neurons": n, "occupation": occupation, "limit of m_z": limit(n, occupation)}
        for occupation in ("boltzmann", "bose")
        for n in NEURONS
    ]
    left = float(np.linalg.norm(printed_flow(ETAS[0])[:, -1]))
    rows.append({"Eq. 18, eta": ETAS[0], "length of S at 20": left})
    limits = [float(r["limit of m_z"]) for r in rows if "occupation" in r]
    return paper_claim(
        "claim_flows_to_zero",
        "flows to (0, 0, 0)",
        (2,),
        rows,
        _by_away(lambda away: _all_or_some([abs(m) <= away for m in limits])),
        away=AWAY,
        one=limit(1, "boltzmann"),
        fifty=limit(50, "boltzmann"),
    )


def faster_with_coupling() -> Claim:
    """Measure whether a larger η depolarises sooner."""
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
    return paper_claim(
        "claim_faster_with_coupling",
        "faster with a larger coupling",
        (2,),
        rows,
        verdict(all(sooner), in_part=any(sooner)),
        flow_times=FLOW_TIMES,
        ratios=ratios,
    )


def depolarised() -> Claim:
    """Measure whether a stimulus brings silent neurons to S_z = 0."""
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
    cold = [x for x, row in zip(found, rows, strict=True) if row["kelvin"] == 0.0]
    return paper_claim(
        "claim_depolarised",
        "depolarised by stimulation",
        (3, 4, 5, 6),
        rows,
        _by_away(
            lambda away: verdict(
                all(abs(x) <= away for x in found),
                in_part=any(abs(x) <= away for x in found)
                or (max(cold) > -1 + away and any(x > -1 + away for x in found)),
            )
        ),
        ordinary=_ORDINARY,
        away=AWAY,
        cold=cold,
        found=found,
    )


def half_fire() -> Claim:
    """Measure whether about half of the neurons fire."""
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
    off = [abs(float(row["largest share active"]) - 0.5) for row in rows]
    warm = {n: (1 + float(np.nanmax(_exact(6, n, "1/N")))) / 2 for n in NEURONS}
    return paper_claim(
        "claim_half_fire",
        "about half of the neurons fire",
        (4, 5, 6),
        rows,
        _by_away(lambda away: _all_or_some([x <= away for x in off])),
        ordinary=_ORDINARY,
        away=AWAY,
        warm=warm,
    )


def returns_to_rest() -> Claim:
    """Measure whether the neurons are at rest again at t = 10."""
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

    def returned(away: float) -> Verdict:
        raised = [row for row in rows if float(row.get("highest m_z", -1.0)) > -1 + away]
        back, alone = (
            [abs(float(row[name]) + 1) <= away for row in raised]
            for name in ("m_z(10)", "m_z(10), stored only")
        )
        return verdict(bool(back) and all(alone), in_part=bool(back) and all(back))

    return paper_claim(
        "claim_returns_to_rest",
        "return to rest",
        (3, 4, 5, 6),
        rows,
        _by_away(returned),
        ordinary=_ORDINARY,
        away=AWAY,
        reversed_end=max(float(row["m_z(10)"]) + 1 for row in moved),
        stored_end=max(float(row["m_z(10), stored only"]) for row in moved),
    )


def equal_areas() -> Claim:
    """Measure whether retrieving pulses of the same area do the same."""
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
    distances = [abs(float(row[name]) + 1) for row in rows for name in ends]
    lows = [float(row["lowest S_z, 300 K"]) for row in rows]
    past = sum(x < -1 - AWAY for x in lows)
    return paper_claim(
        "claim_equal_areas",
        "pulses of equal area are equivalent",
        (4, 6),
        rows,
        _by_away(
            lambda away: verdict(
                max(distances) <= away and min(lows) >= -1 - away, in_part=max(distances) <= away
            )
        ),
        away=AWAY,
        past=past,
        lows=lows,
    )


def slower_when_warm() -> Claim:
    """Measure whether temperature slows the return."""
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
    return paper_claim(
        "claim_slower_when_warm",
        "temperature slows the return",
        (5, 6),
        rows,
        verdict(all(slower), in_part=any(slower)),
        away=AWAY,
        rows=rows,
    )


def _by_away(rule: Callable[[float], Verdict]) -> ByLimit:
    """A verdict by how far from a value that the paper names still counts as there."""
    return ByLimit("distance that counts as there, at most", AWAY, (0.01, 0.02, 0.1, 0.2), rule)


def _all_or_some(found: Sequence[bool]) -> Verdict:
    return verdict(all(found), in_part=any(found))


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
