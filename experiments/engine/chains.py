"""Chains of mitigations: what they are called, which circuits each needs, which a run tells of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .readings import Reading, Role

__all__ = [
    "MTHREE",
    "NAMES",
    "RAW",
    "Chain",
    "chain_of",
    "chains_of",
    "circuits_for",
    "label_of",
    "needs",
]

Chain = frozenset[str]
# in the order in which they are applied
NAMES = ("parity", "readout", "echo", "zero", "reference", "zne", "placements")
RAW: Chain = frozenset()
# readout corrected by the package mthree: a row of its own in tables, never part of a chain
MTHREE: Chain = frozenset({"readout", "mthree"})
_APART = (
    ("echo", "zero", "which rescale by different references"),
    ("readout", "reference", "whose circuits measure readout errors too"),
)


def chain_of(text: str, known: Sequence[str] = NAMES[:-1]) -> Chain:
    """The chain that a text such as ``parity+echo`` names; ``none`` is the empty one.

    ``known``: the names that its system has circuits and an estimator for.

    Raises:
        ValueError: for a name that is not known, one given twice, or two that exclude each other.
    """
    if text == "none":
        return RAW
    names = text.split("+")
    if any(name not in known for name in names) or len(set(names)) < len(names):
        raise ValueError(f"'none', or some of {', '.join(known)} joined by +")
    for one, other, reason in _APART:
        if {one, other} <= set(names):
            raise ValueError(f"one of {one} and {other}, {reason}")
    return frozenset(names)


def label_of(chain: Chain) -> str:
    """The chain's name in tables and files."""
    if chain == MTHREE:
        return "readout (mthree)"
    return "+".join(name for name in NAMES if name in chain) or "raw"


def chains_of(wanted: Chain) -> list[Chain]:
    """Raw, each mitigation by itself, and all that was asked for: the rows of a run's table."""
    singles = [frozenset({name}) for name in NAMES if name in wanted]
    return list(dict.fromkeys([RAW, *singles, wanted]))


def needs(chain: Chain, role: Role) -> bool:
    """Whether a chain makes use of a circuit of this role."""
    if role.kind != "point" and role.kind not in chain:
        return False
    return (role.placement == 0 or "placements" in chain) and (role.scale == 1 or "zne" in chain)


def circuits_for(chain: Chain, readings: Iterable[Reading]) -> int:
    """How many of the circuits a chain needs."""
    return sum(needs(chain, reading.role) for reading in readings)
