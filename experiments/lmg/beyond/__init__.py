"""What the LMG paper leaves open, an experiment each."""

from __future__ import annotations

from ...papers.gallery import Paper
from . import disturbed, isolated
from .pictures import draw

__all__ = ["PAPER"]

PAPER = Paper(
    name="lmg-beyond",
    system="lmg",
    title="Beyond the LMG paper",
    about="Experiments on what the LMG paper leaves open",
    note="; all parameters ours.",
    figures={
        "stimulus": isolated.stimulus,
        "observables": isolated.observables,
        "single-shots": disturbed.single_shots,
        "decoherence": disturbed.decoherence,
        "mean-field": isolated.mean_field_limit,
        "coupled": disturbed.coupled,
        "two-neurons": isolated.two_neurons,
    },
    draw=draw,
)
