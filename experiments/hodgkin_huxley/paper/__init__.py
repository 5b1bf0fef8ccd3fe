"""The figures, Table I and the claims of Cheng et al., arXiv:1807.10698, recomputed."""

from __future__ import annotations

from ...papers.gallery import Paper
from . import circuits, claims_areas, claims_responses, loops, memristor, responses, table_one
from .checks import CHECKS
from .model import CITATION
from .pictures import draw

__all__ = ["PAPER"]

PAPER = Paper(
    name="hodgkin-huxley",
    system="hodgkin-huxley",
    citation=CITATION,
    title="The figures of the quantized Hodgkin-Huxley paper",
    about=f"Figures 3 and 7 to 14 and Table I of {CITATION}, recomputed, and what lies beyond them",
    figures={
        "headline": loops.headline,
        3: memristor.figure_3,
        7: responses.figure_7,
        8: responses.figure_8,
        9: responses.figure_9,
        10: loops.figure_10,
        11: loops.figure_11,
        12: responses.figure_12,
        13: loops.figure_13,
        14: loops.figure_14,
        "table-1": table_one.table_one,
        "circuits": circuits.circuits,
    },
    # which figures a claim is about is known before it is measured
    claims=(
        ({3}, claims_responses.linear_at_voltage),
        ({3}, claims_responses.quantum_loops),
        ({8}, claims_responses.first_spike),
        ({7, 8}, claims_responses.classical_reproduced),
        ({7, 9, 12}, claims_responses.limit_cycle_for_all),
        ({7, 9, 12}, claims_responses.conductance_rises),
        ({9}, claims_responses.oscillation_shrinks),
        ({12}, claims_areas.no_fourier_series),
        ({10, 11, 12, "table-1"}, claims_areas.area_with_alpha),
        ({"table-1"}, claims_areas.classical_to_quantum),
        ({12, 14, "table-1", "headline"}, claims_areas.area_with_entanglement),
        ({14, "headline"}, claims_areas.area_follows_entropy),
        ({13}, claims_areas.maximally_entangled),
        ({14}, claims_areas.landauer),
        ({7, 9, 10, 11, 12}, claims_areas.area_is_memory),
    ),
    checks=CHECKS,
    draw=draw,
    checks_about=(
        ". The reference figures were computed independently; a dash where the paper states "
        "nothing. Those of errors and residuals agree if they are no larger.",
        "The parameters behind the reference errors of the memristor qubit's loop are not known; "
        "ours come within 5 %. The slopes are those that the loops' orders demand; the gate's "
        "steps are still a little steeper than 2 at these sizes.",
    ),
)
