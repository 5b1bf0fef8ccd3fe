"""Noise scales as text, such as 1,1.5,2."""

from __future__ import annotations

import itertools

__all__ = ["parse_scales"]


_MOST = 20


def parse_scales(text: str) -> tuple[float, ...]:
    """The noise scales that a text names.

    Raises ``ValueError`` unless they are 1 and one to 19 larger numbers, rising, below 100.
    """
    wanted = ValueError("numbers joined by commas, 1 first and rising, such as 1,1.5,2")
    try:
        scales = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise wanted from None
    rising = all(a < b for a, b in itertools.pairwise(scales))
    if not 2 <= len(scales) <= _MOST or scales[0] != 1 or not rising or not scales[-1] < 100:
        raise wanted
    return scales
