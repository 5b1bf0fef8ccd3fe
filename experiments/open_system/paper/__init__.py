"""The figures of the paper on the open quantum nervous system, recomputed and put right."""

from __future__ import annotations

from ...papers.gallery import Paper
from . import beyond, claims, flows, loops, pulses
from .checks import CHECKS
from .model import CITATION
from .pictures import draw

__all__ = ["PAPER"]

PAPER = Paper(
    name="open-system",
    system="open-system",
    citation=CITATION,
    title="The figures of the paper on the open quantum nervous system",
    about=f"Figures 2 to 6 of {CITATION}, recomputed by its Eq. 18 and put right, and what its "
    "master equation gives beyond them",
    wanted="a figure from 2 to 6, cutoff, exact, negative, collisions or homeostasis",
    figures={
        2: flows.figure_2,
        3: pulses.figure_3,
        4: pulses.figure_4,
        5: pulses.figure_5,
        6: pulses.figure_6,
        "cutoff": pulses.figure_cutoff,
        "exact": beyond.figure_exact,
        "negative": beyond.figure_negative,
        "collisions": loops.figure_collisions,
        "homeostasis": loops.figure_homeostasis,
    },
    # which figures a claim is about is known before it is measured
    claims=(
        ({2}, claims.flows_to_zero),
        ({2}, claims.faster_with_coupling),
        ({3, 4, 5, 6}, claims.depolarised),
        ({4, 5, 6}, claims.half_fire),
        ({3, 4, 5, 6}, claims.returns_to_rest),
        ({4, 6}, claims.equal_areas),
        ({5, 6}, claims.slower_when_warm),
    ),
    checks=CHECKS,
    draw=draw,
    checks_about=(
        ". The reference figures were computed independently; a dash where the paper states "
        "nothing. The paper gives no ω_c; 3.5 is ours.",
    ),
)
