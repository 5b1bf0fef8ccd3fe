"""What the draft claims or leaves open, in its order."""

from __future__ import annotations

from collections.abc import Callable

from ...papers.claims import Claim
from ...papers.figures import Key
from . import coherence, energy, layers, modulation, quantum

__all__ = ["CLAIMS"]

# which figures a claim is about is known before it is measured
CLAIMS: tuple[tuple[frozenset[Key], Callable[[], Claim]], ...] = (
    (frozenset({"cross-layer"}), layers.communication),
    (frozenset({"chsh", "settings"}), quantum.nonlocal_correlation),
    (frozenset({"cross-layer"}), layers.synchronisation),
    (frozenset({"modulation"}), modulation.response),
    (frozenset({"modulation"}), modulation.precision),
    (frozenset({"modulation"}), modulation.steadiness),
    (frozenset({"coherence"}), coherence.alignment),
    (frozenset({"coherence"}), coherence.rapid_inputs),
    (frozenset({"coherence"}), coherence.stability),
    (frozenset({"energy"}), energy.costs),
    (frozenset({"energy", "cross-layer"}), energy.long_range),
    (frozenset({"energy"}), energy.scaling),
    (frozenset({"groups"}), quantum.larger_groups),
)
