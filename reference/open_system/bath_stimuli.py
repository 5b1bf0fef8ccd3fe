"""An oscillator bath, and the stimuli that switch its coupling to the neurons.

The bath has the spectral density of Sun and Zhang (2021), "Modeling the Nervous System as An Open
Quantum System", Eqs. 19 and 20, in which the stimulus η(t) is the coupling itself:

    J(ω, t) = 2π η(t) ω (ω/ω_c)^{s−1} e^{−ω/ω_c}

Frequencies are in units of ω₀, times in units of 1/ω₀.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike
from scipy import constants

from ..hodgkin_huxley.rates import checked_number
from .bath_kernels import FloatArray

__all__ = ["Bath", "BathError", "PiecewiseStimulus", "Pulse", "Stimulus", "inverse_temperature"]

Occupation = Literal["zero", "boltzmann", "bose"]


class BathError(ValueError):
    """A bath, a stimulus or a request about them that makes no sense."""


@dataclass(frozen=True)
class Pulse:
    """A rectangular stimulus: η = strength for start <= t < stop, and 0 elsewhere.

    Args:
        start: when it begins, >= 0.
        stop: when it ends, > start; ``math.inf`` for one that stays.
        strength: η, dimensionless, of either sign.

    Raises:
        BathError: a value out of range.
    """

    start: float
    stop: float
    strength: float

    def __post_init__(self) -> None:
        """Refuse what is no pulse."""
        for name, bound in {"start": {"least": 0.0}, "strength": {}}.items():
            value = checked_number(name, getattr(self, name), BathError, **bound)
            object.__setattr__(self, name, value)
        if self.stop != math.inf:
            stop = checked_number("stop", self.stop, BathError, above=self.start)
            object.__setattr__(self, "stop", stop)

    def __call__(self, t: ArrayLike) -> FloatArray:
        """η at t, of the shape of t."""
        at = np.asarray(t, dtype=np.float64)
        return np.where((at >= self.start) & (at < self.stop), self.strength, 0.0)


class PiecewiseStimulus:
    """A sum of rectangular pulses, which may overlap; a pulse by itself is one too.

    Raises:
        BathError: something in the list that is no `Pulse`.
    """

    def __init__(self, pulses: Iterable[Pulse]) -> None:
        self.pulses = tuple(pulses)
        for pulse in self.pulses:
            if not isinstance(pulse, Pulse):
                raise BathError(f"pulses: wanted instances of Pulse, got {pulse!r}")

    @property
    def breaks(self) -> tuple[float, ...]:
        """The times at which η jumps, in order."""
        edges = {edge for pulse in self.pulses for edge in (pulse.start, pulse.stop)}
        return tuple(sorted(edge for edge in edges if edge < math.inf))

    def __call__(self, t: ArrayLike) -> FloatArray:
        """η at t, of the shape of t."""
        return np.asarray(sum((pulse(t) for pulse in self.pulses), np.zeros(np.shape(t))))


Stimulus = Pulse | PiecewiseStimulus | Sequence[Pulse] | Callable[[FloatArray], ArrayLike]


@dataclass(frozen=True)
class Bath:
    """The oscillators around the neurons.

    Args:
        cutoff: ω_c > 0, in units of ω₀.
        exponent: s > 0; 1 is Ohmic, below it sub-Ohmic, above it super-Ohmic.
        occupation: the quanta n(ω) of the modes, ``zero``, ``boltzmann`` or ``bose``.
        beta: β = ħω₀/k_B T > 0 in units of 1/ω₀, for the two at a temperature.
        g: the neurons' frequency > 0, in units of ω₀.

    Raises:
        BathError: a value out of range, β missing, or β given at zero temperature.
    """

    cutoff: float
    exponent: float = 1.0
    occupation: Occupation = "zero"
    beta: float | None = None
    g: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what is no bath."""
        for name in ("cutoff", "exponent", "g"):
            value = checked_number(name, getattr(self, name), BathError, above=0.0)
            object.__setattr__(self, name, value)
        if self.occupation not in get_args(Occupation):
            wanted = ", ".join(get_args(Occupation))
            raise BathError(f"occupation: wanted one of {wanted}, got {self.occupation!r}")
        if self.occupation == "zero":
            if self.beta is not None:
                raise BathError(f"beta: wanted None at occupation zero, got {self.beta!r}")
        else:
            value = checked_number("beta", self.beta, BathError, above=0.0)
            object.__setattr__(self, "beta", value)


def inverse_temperature(kelvin: float, frequency: float) -> float:
    """β = ħω₀/k_B T in units of 1/ω₀, for T in kelvin and ω₀ in rad/s.

    Raises:
        BathError: a temperature or frequency that is not positive.
    """
    kelvin = checked_number("kelvin", kelvin, BathError, above=0.0)
    frequency = checked_number("frequency", frequency, BathError, above=0.0)
    return float(constants.hbar / constants.k) * frequency / kelvin
