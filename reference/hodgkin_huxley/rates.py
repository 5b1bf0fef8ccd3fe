"""Opening and closing rates of the gates n, m and h, and their slopes.

With V the depolarisation from rest (mV, inside minus outside: the sign of V turned round from the
paper of 1952) and rates in 1/ms at 6.3 °C,

    α_n = 0.1 B((10 − V)/10)     β_n = 0.125 exp(−V/80)
    α_m = B((25 − V)/10)         β_m = 4 exp(−V/18)
    α_h = 0.07 exp(−V/20)        β_h = 1/(1 + exp((30 − V)/10))        B(x) = x/(eˣ − 1)

(Hodgkin and Huxley, J. Physiol. 117, 500, 1952). B(0) = 1: the quotients of the paper have no
value at V = 10 and V = 25, their limits do.
"""

from __future__ import annotations

import math
import numbers
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, exprel

__all__ = [
    "FloatArray",
    "Gate",
    "NeuronError",
    "checked_number",
    "checked_times",
    "rate_slopes",
    "rates",
    "steady_gate",
]

FloatArray = NDArray[np.float64]
Gate = Literal["n", "m", "h"]

# Below this |x| the slope of B is its series: the closed form there is a difference of near equals.
_SERIES = 0.05


class NeuronError(ValueError):
    """A membrane, a start or a request about them that makes no sense."""


def rates(gate: Gate, voltage: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """The rates α(V) of opening and β(V) of closing, in 1/ms.

    Args:
        gate: n (potassium), m or h (sodium, activation and inactivation).
        voltage: V in mV from rest, positive when depolarised; any shape.

    Returns:
        α and β, each of the shape of `voltage`.

    Raises:
        NeuronError: no such gate.
    """
    v = np.asarray(voltage, dtype=np.float64)
    if gate == "n":
        return _bernoulli((10.0 - v) / 10.0) * 0.1, 0.125 * np.exp(-v / 80.0)
    if gate == "m":
        return _bernoulli((25.0 - v) / 10.0), 4.0 * np.exp(-v / 18.0)
    if gate == "h":
        return 0.07 * np.exp(-v / 20.0), np.asarray(expit((v - 30.0) / 10.0))
    raise NeuronError(f"gate: wanted n, m or h, got {gate!r}")


def rate_slopes(gate: Gate, voltage: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """dα/dV and dβ/dV, in 1/(ms mV); arguments and shapes as in `rates`.

    Raises:
        NeuronError: no such gate.
    """
    v = np.asarray(voltage, dtype=np.float64)
    alpha, beta = rates(gate, v)
    if gate == "n":
        return -0.01 * _bernoulli_slope((10.0 - v) / 10.0), -beta / 80.0
    if gate == "m":
        return -0.1 * _bernoulli_slope((25.0 - v) / 10.0), -beta / 18.0
    return -alpha / 20.0, beta * (1.0 - beta) / 10.0


def steady_gate(gate: Gate, voltage: ArrayLike) -> FloatArray:
    """α/(α + β): where the gate settles at a fixed voltage, in [0, 1].

    Raises:
        NeuronError: no such gate.
    """
    alpha, beta = rates(gate, voltage)
    return alpha / (alpha + beta)


def _bernoulli(x: FloatArray) -> FloatArray:
    return np.asarray(1.0 / exprel(x))


def _bernoulli_slope(x: FloatArray) -> FloatArray:
    """B'(x) = B(x)[1 − B(x) − x]/x."""
    small = np.abs(x) < _SERIES
    safe = np.where(small, 1.0, x)
    b = _bernoulli(safe)
    square = x * x
    with np.errstate(invalid="ignore", over="ignore"):
        series = -0.5 + x * (1.0 / 6.0 - square * (1.0 / 180.0 - square / 5040.0))
    return np.asarray(np.where(small, series, b * (1.0 - b - safe) / safe))


def checked_number(
    name: str,
    value: object,
    error: type[ValueError],
    *,
    above: float | None = None,
    least: float | None = None,
    most: float | None = None,
) -> float:
    """The value as a finite float within the bounds; `error` with one line that names it."""
    if most is not None and least is not None:
        wanted = f"a number from {least:g} to {most:g}"
    elif above is not None:
        wanted = f"> {above:g}"
    elif least is not None:
        wanted = f">= {least:g}"
    else:
        wanted = "a finite number"
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise error(f"{name}: wanted {wanted}, got {value!r}")
    number = float(value)
    if (
        not math.isfinite(number)
        or (above is not None and number <= above)
        or (least is not None and number < least)
        or (most is not None and number > most)
    ):
        raise error(f"{name}: wanted {wanted}, got {number:g}")
    return number


def checked_times(times: ArrayLike, error: type[ValueError]) -> FloatArray:
    """The times as floats; `error` unless they are a list of increasing numbers >= 0."""
    t = np.asarray(times, dtype=np.float64)
    if t.ndim != 1 or len(t) == 0:
        raise error(f"times: wanted a list of numbers, got shape {t.shape}")
    if not np.all(np.isfinite(t)) or t[0] < 0.0 or np.any(np.diff(t) <= 0.0):
        raise error("times: wanted finite numbers >= 0 in increasing order")
    return t
