"""The paper's claims, in the order of its figures."""

from __future__ import annotations

from collections.abc import Callable

from ...papers.claims import Claim
from ...papers.figures import Key
from . import claims_homeostasis as early
from . import claims_plasticity as late

__all__ = ["CLAIMS"]

# which figures a claim is about is known before it is measured
CLAIMS: tuple[tuple[frozenset[Key], Callable[[], Claim]], ...] = (
    (frozenset({2, 3, 4, 9}), early.anticorrelation),
    (frozenset({3, 4}), early.dwell_time),
    (frozenset({2, 3, 4}), early.variance),
    (frozenset({2, 3, 4}), early.feedback_control),
    (frozenset({2}), early.semi_activated),
    (frozenset({5}), early.fidelity_recurrence),
    (frozenset({5}), early.fidelity_from_half),
    (frozenset({6}), early.entropy_dip),
    (frozenset({7}), late.frequency_against_tau_r),
    (frozenset({7}), late.imbalance_against_tau_r),
    (frozenset({7}), late.half_has_no_slow_rhythm),
    (frozenset({8}), late.entropy_under_depression),
    (frozenset({8}), late.spectrum_under_depression),
    (frozenset({9}), late.imbalance_against_tau_f),
    (frozenset({9}), late.size_independence),
)
