"""Where a run's error comes from: named parts beside what was seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

__all__ = ["Noise", "budget"]

Noise = Literal["none", "simulated", "device"]
_LEFT_OVER: dict[Noise, str] = {
    "none": "scatter of the shots",
    "simulated": "simulated noise, and scatter of the shots",
    "device": "errors of the device, and scatter of the shots",
}


def budget(
    parts: Sequence[tuple[str, float | None]], seen: float | None, *, noise: Noise
) -> list[tuple[str, float]]:
    """The rows of an error budget, all of them root mean squares in the unit of ``seen``.

    Independent parts add in quadrature. What ``seen`` has beyond them is told as the last part: on
    a device or under simulated noise those errors are in it, elsewhere it is the scatter of one run
    about its expectation. Where the parts alone give more than was seen, nothing is left over, and
    the two last rows show by how much the run fell short of what was to be expected.

    Args:
        parts: named errors that the run is known to have; None of those that it has not.
        seen: the RMSE of the run; None for a run without circuits, which has no budget.
        noise: whose errors were met.
    """
    known = [(name, size) for name, size in parts if size is not None]
    if seen is None or not known:
        return []
    squares = sum(size**2 for _, size in known)
    left = math.sqrt(max(seen**2 - squares, 0.0))
    words = _LEFT_OVER[noise]
    return [
        *known,
        (f"left over ({words})", left),
        ("together (in quadrature)", math.sqrt(squares + left**2)),
        ("seen (RMSE)", seen),
    ]
