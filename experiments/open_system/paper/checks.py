"""Reference figures that were computed independently, found again here."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from ...papers.claims import Check
from ...papers.figures import Key
from .beyond import EXACT_NEURONS, mean_field_errors, step_choi_between, tail_choi
from .loops import COLLISIONS, collision_errors
from .model import BETA, CUTOFF, RETRIEVED, area, at, printed_from_area

__all__ = ["CHECKS"]


def _printed(figure: int, time: float, reference: float, paper: str) -> Check:
    s = printed_from_area(area(CUTOFF, RETRIEVED[figure]), warm=figure > 4)
    return Check(
        figure, f"S_z({time:g}) by Eq. 18, ω_c = {CUTOFF:g}", at(s, time), reference, 5e-4, paper
    )


def _figure_3() -> Iterator[Check]:
    yield _printed(3, 1.5, -0.268, "≈ 0")
    yield _printed(3, 10.0, -0.984, "the initial rest state")


def _figure_5() -> Iterator[Check]:
    yield _printed(5, 1.5, -0.019, "a little bit less than 0")
    yield Check(5, "n at 300 K and 2000 rad/s, Boltzmann", math.exp(-BETA), 1.0, 1e-9, None)
    bose = 1 / math.expm1(BETA)
    yield Check(5, "n at 300 K and 2000 rad/s, Bose", bose, 2e10, 5e8, None)


def _exact() -> Iterator[Check]:
    right, printed = mean_field_errors()
    known = dict(zip(EXACT_NEURONS, (0.0014, 0.0031, 0.0009, 0.0003), strict=True))
    for n, reference in known.items():
        quantity = f"max |Δm_z| of the right mean field, N = {n}"
        yield Check("exact", quantity, right[n], reference, 6e-5, None)
    yield Check("exact", "max |Δm_z| of Eq. 18, N = 200", printed[200], 1.0, 5e-3, None)


def _collisions() -> Iterator[Check]:
    found = collision_errors()
    known = {"alternating": (1.7e-2, 4.2e-3, 1.0e-3), "fixed": (0.19, 0.20, 0.20)}
    for order, references in known.items():
        for steps, reference in zip((8, 32, 128), references, strict=True):
            quantity = f"trace distance, {order}, {steps} collisions"
            value = float(found[order][COLLISIONS.index(steps)])
            # the references have two digits
            yield Check("collisions", quantity, value, reference, 0.05 * reference, None)


def _negative() -> Iterator[Check]:
    quantity = "smallest Choi eigenvalue, one neuron, T = 0, "
    yield Check("negative", f"{quantity}2.25 to 7.467", tail_choi(), -0.129, 1e-3, None)
    found = step_choi_between(1.5, 2.25)
    yield Check("negative", f"{quantity}1.5 to 2.25", found, -0.986, 5e-4, None)


CHECKS: tuple[tuple[Key, Callable[[], Iterator[Check]]], ...] = (
    (3, _figure_3),
    (5, _figure_5),
    ("exact", _exact),
    ("collisions", _collisions),
    ("negative", _negative),
)
