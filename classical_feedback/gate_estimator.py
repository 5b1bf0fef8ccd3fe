"""How far gates are open, from counts: each variable, and each channel as a whole.

A bit of a shot says whether the gate that it was read from is open. Copies of a gate average. A
channel is open with probability Π x^power over its variables, or, where all of its gates were read
in one circuit, in the share of shots in which they are all open.

Errors of reading, p(1|0) = a and p(0|1) = b of each bit, are inverted bit by bit: (bit − a)/(1−a−b)
has the right mean, and so has the product over the gates of a channel, whose errors are
independent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .estimator import EstimateError
from .membrane import GateReading

__all__ = ["GateEstimator", "Register", "open_channels"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Register:
    """The gates that one circuit holds.

    Attributes:
        variables: of each classical bit, the number of the gate variable that it is a copy of.
        channels: number of a channel → its copies, each the bits of all of its gates.
    """

    variables: tuple[int, ...]
    channels: Mapping[int, tuple[tuple[int, ...], ...]] = field(default_factory=dict)


class GateEstimator:
    """From the counts of each register's circuit to one :class:`GateReading`.

    Args:
        registers: all gate variables are in one of them, each in one only.
        powers: (channels, variables).
        wrong: (bits, 2) p(1|0), p(0|1) of each register's bits; None: no correction.

    Raises:
        EstimateError: readout errors that cannot be inverted (a + b >= 1, or negative).
    """

    def __init__(
        self,
        registers: Sequence[Register],
        powers: ArrayLike,
        wrong: Sequence[ArrayLike] | None = None,
    ) -> None:
        self._registers, self._powers = tuple(registers), np.asarray(powers, dtype=float)
        errors = [np.zeros((len(r.variables), 2)) for r in registers] if wrong is None else wrong
        self._wrong = [np.asarray(each, dtype=float) for each in errors]
        for each in self._wrong:
            if not (np.all(each >= 0) and np.all(each.sum(axis=1) < 1)):
                raise EstimateError(
                    "readout: wanted p(1|0) + p(0|1) < 1 of every bit, got "
                    f"{each.sum(axis=1).max():.3g}"
                )

    def __call__(self, counts: Sequence[Mapping[int, int]]) -> GateReading:
        """Means over shots and standard errors. Raises ``EstimateError`` for no shots."""
        channels, variables = self._powers.shape
        values, errors = np.full(variables, np.nan), np.full(variables, np.nan)
        joint, joint_errors = np.full(channels, np.nan), np.full(channels, np.nan)
        for register, wrong, found in zip(self._registers, self._wrong, counts, strict=True):
            bits, shots = _bits(found, len(register.variables))
            opened = (bits - wrong[:, 0]) / (1 - wrong.sum(axis=1))
            for variable in dict.fromkeys(register.variables):
                own = np.array([v == variable for v in register.variables])
                mean = opened[:, own].mean(axis=1)
                values[variable], errors[variable] = _mean(mean, shots)
            for channel, copies in register.channels.items():
                chance = np.mean([opened[:, list(copy)].prod(axis=1) for copy in copies], axis=0)
                joint[channel], joint_errors[channel] = _mean(chance, shots)
        product, spread = open_channels(values, errors, self._powers)
        apart = np.isfinite(joint)
        return GateReading(
            values, errors, np.where(apart, joint, product), np.where(apart, joint_errors, spread)
        )


def open_channels(values: Array, errors: Array, powers: Array) -> tuple[Array, Array]:
    """Π x^power (channels,) of gate variables x (variables,), and its standard error.

    ``errors``: of the variables; ``powers``: (channels, variables).
    """
    # Π x^p changes by p Π x^p / x for each x
    product = np.prod(values**powers, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = np.nan_to_num(powers * product[:, None] / values)
    return product, np.sqrt(((slopes * errors) ** 2).sum(axis=1))


def _bits(counts: Mapping[int, int], bits: int) -> tuple[Array, Array]:
    """Bits (outcomes, bits) of each outcome, and its shots."""
    shots = np.array(list(counts.values()), dtype=float)
    if shots.sum() < 1:
        raise EstimateError("counts: wanted at least one shot, got none")
    words = np.array([[word >> b & 1 for b in range(bits)] for word in counts], dtype=float)
    return words, shots


def _mean(values: Array, shots: Array) -> tuple[float, float]:
    """Mean over shots and its standard error.

    Nothing seen is no proof that nothing is there: a variance below 1/(shots + 2) is not believed.
    """
    total = float(shots.sum())
    mean = float(shots @ values) / total
    variance = float(shots @ (values - mean) ** 2) / total
    return mean, float(np.sqrt(max(variance, 1 / (total + 2)) / total))
