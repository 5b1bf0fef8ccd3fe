"""Chains of mitigations and what they are called."""

from __future__ import annotations

__all__ = ["MTHREE", "NAMES", "RAW", "Chain", "chain_of", "label_of"]

Chain = frozenset[str]
# in the order in which they are applied
NAMES = ("parity", "readout", "echo", "zero", "zne", "placements")
RAW: Chain = frozenset()
# readout corrected by the package mthree: a row of its own in tables, never part of a chain
MTHREE: Chain = frozenset({"readout", "mthree"})


def chain_of(text: str) -> Chain:
    """The chain that a text such as ``parity+echo`` names; ``none`` is the empty one.

    Raises:
        ValueError: for a name that is not known, or both ``echo`` and ``zero``.
    """
    if text == "none":
        return RAW
    names = text.split("+")
    known = NAMES[:-1]
    if any(name not in known for name in names) or len(set(names)) < len(names):
        raise ValueError(f"'none', or some of {', '.join(known)} joined by +")
    if {"echo", "zero"} <= set(names):
        raise ValueError("one of echo and zero, which rescale by different references")
    return frozenset(names)


def label_of(chain: Chain) -> str:
    """The chain's name in tables and files."""
    if chain == MTHREE:
        return "readout (mthree)"
    return "+".join(name for name in NAMES if name in chain) or "raw"
