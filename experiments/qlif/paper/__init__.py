"""What the draft on entangled integrate-and-fire neurons leaves blank, measured beside controls."""

from __future__ import annotations

from ...papers.gallery import Paper
from . import coherence, energy, layers, modulation, quantum
from .checks import CHECKS
from .model import CITATION
from .pictures import draw

__all__ = ["PAPER"]

PAPER = Paper(
    name="qlif",
    system="qlif",
    citation=CITATION,
    title="Entangled integrate-and-fire neurons: the blanks filled in",
    about=f"What {CITATION} leaves blank, as small experiments beside controls",
    figures={
        "chsh": quantum.chsh,
        "settings": quantum.settings,
        "groups": quantum.groups,
        "cross-layer": layers.cross_layer,
        "modulation": modulation.modulation,
        "coherence": coherence.coherence,
        "energy": energy.energy,
    },
    # which figures a claim is about is known before it is measured
    claims=(
        ({"cross-layer"}, layers.communication),
        ({"chsh", "settings"}, quantum.nonlocal_correlation),
        ({"cross-layer"}, layers.synchronisation),
        ({"modulation"}, modulation.response),
        ({"modulation"}, modulation.precision),
        ({"modulation"}, modulation.steadiness),
        ({"coherence"}, coherence.alignment),
        ({"coherence"}, coherence.rapid_inputs),
        ({"coherence"}, coherence.stability),
        ({"energy"}, energy.costs),
        ({"energy", "cross-layer"}, energy.long_range),
        ({"energy"}, energy.scaling),
        ({"groups"}, quantum.larger_groups),
    ),
    checks=CHECKS,
    draw=draw,
    checks_about=(
        ". The draft has no figures. Those of exact tables are closed forms; those of spiking "
        "neurons were found by a run that shares no code with this project, and agree within four "
        "standard errors of both.",
    ),
)
