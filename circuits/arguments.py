"""The one error of the circuit builders, and the checks that raise it."""

from __future__ import annotations

import math
from collections.abc import Collection
from numbers import Integral

import numpy as np
import numpy.typing as npt

__all__ = [
    "CircuitError",
    "check_choice",
    "check_excitations",
    "check_finite",
    "check_neurons",
    "check_order",
    "check_phases",
]


class CircuitError(ValueError):
    """A circuit was asked for that cannot be built; the message names the argument."""


def check_neurons(neurons: int) -> int:
    """Return the number of neurons, an integer of at least 1."""
    if isinstance(neurons, bool) or not isinstance(neurons, Integral) or neurons < 1:
        raise CircuitError(f"neurons: wanted an integer >= 1, got {neurons!r}")
    return int(neurons)


def check_excitations(name: str, n: int, neurons: int) -> int:
    """Return a number of active neurons, 0..N."""
    if isinstance(n, bool) or not isinstance(n, Integral) or not 0 <= n <= neurons:
        raise CircuitError(f"{name}: wanted an integer in 0..{neurons}, got {n!r}")
    return int(n)


def check_finite(name: str, value: float) -> float:
    """Return a finite float."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise CircuitError(f"{name}: wanted a finite number, got {value!r}") from None
    if not math.isfinite(number):
        raise CircuitError(f"{name}: wanted a finite number, got {value!r}")
    return number


def check_order(order: int, wanted: Collection[int] = (1, 2, 4)) -> int:
    """Return a Trotter order that is offered."""
    if isinstance(order, bool) or order not in wanted:
        raise CircuitError(f"order: wanted one of {sorted(wanted)}, got {order!r}")
    return int(order)


def check_choice(name: str, value: str, wanted: Collection[str]) -> str:
    """Return a word that is offered."""
    if value not in wanted:
        raise CircuitError(f"{name}: wanted one of {', '.join(wanted)}, got {value!r}")
    return value


def check_phases(
    phases: npt.ArrayLike, field_phases: npt.ArrayLike
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the two phases of every step, both of shape (K,); a single field phase is spread."""
    phi = np.asarray(phases, dtype=np.float64)
    field = np.asarray(field_phases, dtype=np.float64)
    if phi.ndim != 1:
        raise CircuitError(f"phases: wanted one axis (steps), got shape {phi.shape}")
    if field.ndim == 0:
        field = np.broadcast_to(field, phi.shape)
    if field.shape != phi.shape:
        raise CircuitError(
            f"field_phases: wanted one number or shape {phi.shape}, got {field.shape}"
        )
    for name, values in (("phases", phi), ("field_phases", field)):
        if not np.isfinite(values).all():
            raise CircuitError(f"{name}: wanted finite numbers, got nan or inf")
    return phi, field
