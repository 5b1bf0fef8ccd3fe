"""Exact answers for neurons that share entangled pairs, and their controls."""

from .pairs import (
    KINDS,
    QlifError,
    QlifPair,
    pair_blocks,
    random_streams,
    simulate_pairs,
)

__all__ = [
    "KINDS",
    "QlifError",
    "QlifPair",
    "pair_blocks",
    "random_streams",
    "simulate_pairs",
]
