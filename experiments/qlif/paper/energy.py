"""Section 3.4: what a tick costs, and how that grows.

Operations are additions, multiplications and comparisons as they stand in the model
(:func:`qbrain.experiments.qlif.measures.classical_operations`); a shot is taken as 250 µs, which is
what IBM's devices wait between shots unless told otherwise. Energy in joules is not claimed.
"""

from __future__ import annotations

import math

import numpy as np
import xarray as xr

from qbrain.reference.qlif import QlifPair

from ...papers.claims import HOLDS, IN_PART, NOT, Claim
from ..config import QlifConfig
from ..measures import classical_operations
from .model import KINDS, PaperFigure, parameters

__all__ = ["costs", "energy", "long_range", "scaling"]

SIZES = (1, 4, 16, 64, 256, 1024)
SHOT_MS = 0.25
GROUP_SIZES = (2, 4, 8, 16, 24)


def _operations(kind: str, pairs: int, *, tabulated: bool = True) -> int:
    config = QlifConfig.from_mapping({"backend": "exact", "pairs": pairs, "ticks": 1})
    return classical_operations(kind, config, tabulated=tabulated)


def _table() -> dict[str, list[int]]:
    found = {kind: [_operations(kind, pairs) for pairs in SIZES] for kind in KINDS}
    found["circuits"] = [_operations("entangled", pairs, tabulated=False) for pairs in SIZES]
    return found


def energy() -> PaperFigure:
    """Make the study of section 3.4."""
    table = _table()
    names = list(table)
    # as a vector: 2n gates, each with two real operations an amplitude; drawn: 12 a qubit
    vector = [float(4 * n * 2**n) for n in GROUP_SIZES]
    drawn = [float(12 * n) for n in GROUP_SIZES]
    data = xr.Dataset(
        {
            "operations": (("kind", "pairs"), [table[name] for name in names]),
            "executions": ("pairs", list(SIZES)),
            "device_ms": ("pairs", [SHOT_MS * pairs for pairs in SIZES], {"units": "ms"}),
            "vector": ("group", vector),
            "drawn": ("group", drawn),
        },
        {"kind": names, "pairs": list(SIZES), "group": list(GROUP_SIZES)},
    )
    per = {name: table[name][0] / 2 for name in names}
    real_time = int(QlifPair().tick / SHOT_MS)
    return PaperFigure(
        "energy",
        "Section 3.4, cost of a tick",
        parameters(QlifPair(), shot=f"{SHOT_MS} ms", settings="by level"),
        data,
        "The draft leaves comparable, worse or better, reduced or increased, scalable or not open.",
        f"A tick of a neuron takes {per['plain']:g} operations plain, {per['coupled']:g} with a "
        f"wire, {per['shared bit']:g} with a shared bit and {per['entangled']:g} entangled from a "
        f"table. With circuits it takes {per['circuits']:g} and every pair one execution of a "
        "circuit of one two-qubit gate.",
        f"At {SHOT_MS} ms a shot, a device that runs one pair at a time follows {real_time} pairs "
        "in real time. Costs grow in proportion to the pairs with every kind; the state of a "
        "whole group as a vector grows as n 2ⁿ, and need not be kept: bits can be drawn qubit by "
        "qubit.",
        measures={f"operations a neuron, {name}": per[name] for name in names},
    )


def costs() -> Claim:
    """Measure whether costs are comparable, worse or better than classical neurons'."""
    table = _table()
    ratio = table["entangled"][-1] / table["plain"][-1]
    shared = table["entangled"][-1] / table["shared bit"][-1]
    return Claim(
        "computational cost",
        ("energy",),
        "comparable, worse or better computational costs than classical neurons (left open)",
        "Operations a tick. Holds (comparable or better) if no more than plain neurons need, in "
        "part if within a factor of 2; worse beyond. Circuit executions come on top.",
        tuple({"kind": kind, "operations a neuron and tick": table[kind][0] / 2} for kind in table),
        HOLDS if ratio <= 1 else IN_PART if ratio <= 2 else NOT,
        f"{ratio:.2f} times those of plain neurons and {shared:.2f} times those of a shared bit, "
        "which does as much for synchrony; with circuits one execution a pair and tick besides.",
    )


def long_range() -> Claim:
    """Ask whether long-range communication takes less energy."""
    return Claim(
        "energy of long-range communication",
        ("energy", "cross-layer"),
        "reduced or increased energy consumption in long-range communication (left open)",
        "What a message between distant neurons costs. Holds if less than with a wire for as much "
        "information; not if nothing is communicated at all.",
        (
            {"kind": "entangled", "operations a neuron and tick": _operations("entangled", 1) / 2,
             "messages a tick": 0, "pairs to be shared a tick": 1},
            {"kind": "coupled", "operations a neuron and tick": _operations("coupled", 1) / 2,
             "messages a tick": 1, "pairs to be shared a tick": 0},
        ),
        NOT,
        "Nothing is communicated (see cross-layer communication), and a fresh pair has to be "
        "brought to both neurons in every tick, while a wire carries a spike now and then.",
    )  # fmt: skip


def scaling() -> Claim:
    """Measure whether it scales."""
    table = _table()
    slopes = {
        kind: float(np.polyfit(np.log(SIZES), np.log(values), 1)[0])
        for kind, values in table.items()
    }
    linear = math.isclose(slopes["entangled"], 1, abs_tol=1e-9)
    return Claim(
        "scaling with network size",
        ("energy",),
        "scalable or un-scalable performance under increasing network size (left open)",
        "Exponent of the operations, and of the circuit executions, in the number of pairs. Holds "
        "(scalable) if 1, as with plain neurons.",
        tuple({"kind": kind, "exponent": slope} for kind, slope in slopes.items()),
        HOLDS if linear else NOT,
        "1 for every kind and for circuit executions: pairs know nothing of each other. Nor do "
        "they gain from each other.",
    )
