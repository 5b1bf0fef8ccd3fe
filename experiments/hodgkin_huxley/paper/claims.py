"""The paper's claims, in the order of its figures."""

from __future__ import annotations

from collections.abc import Callable

from ...papers.claims import Claim
from ...papers.figures import Key
from . import claims_areas as late
from . import claims_responses as early

__all__ = ["CLAIMS"]

# which figures a claim is about is known before it is measured
CLAIMS: tuple[tuple[frozenset[Key], Callable[[], Claim]], ...] = (
    (frozenset({3}), early.linear_at_voltage),
    (frozenset({3}), early.quantum_loops),
    (frozenset({8}), early.first_spike),
    (frozenset({7, 8}), early.classical_reproduced),
    (frozenset({7, 9, 12}), early.limit_cycle_for_all),
    (frozenset({7, 9, 12}), early.conductance_rises),
    (frozenset({9}), early.oscillation_shrinks),
    (frozenset({12}), late.no_fourier_series),
    (frozenset({10, 11, 12, "table-1"}), late.area_with_alpha),
    (frozenset({"table-1"}), late.classical_to_quantum),
    (frozenset({12, 14, "table-1", "headline"}), late.area_with_entanglement),
    (frozenset({14, "headline"}), late.area_follows_entropy),
    (frozenset({13}), late.maximally_entangled),
    (frozenset({14}), late.landauer),
    (frozenset({7, 9, 10, 11, 12}), late.area_is_memory),
)
