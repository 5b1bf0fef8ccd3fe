"""The bath, the stimuli and the neurons of all figures, and their answers from silence.

The paper gives pulses, couplings η and the temperature, but no cutoff ω_c, and its Eq. 18 knows no
number of neurons; these are ours.

From all silent neurons everything is a function of one number, G(t) = ∫κ₀: at zero temperature
nothing moves, and where every mode holds one quantum (300 K by the paper's Boltzmann factor)
κ = 2κ₀ and κ̃ = κ₀, so that populations run along one path as far as G has come, also where κ₀ < 0
brings it back. That is how the exact curves bear negative rates for any number of neurons; where
G < 0 the path ends and there is no state.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qbrain.reference.open_system import simulate_open_system
from qbrain.reference.open_system.bath_coefficients import (
    cumulative_rate,
    given_curves,
    inverse_temperature,
)
from qbrain.reference.open_system.bath_stimuli import Bath, Pulse

from ...papers import figures as paper_figures
from ...papers.figures import Parameter
from ...papers.telling import Teller

__all__ = [
    "AWAY",
    "BETA",
    "CITATION",
    "COLD",
    "CUTOFF",
    "NEURONS",
    "RETRIEVED",
    "SCALINGS",
    "STORING",
    "TIMES",
    "WARM",
    "PaperFigure",
    "area",
    "at",
    "away_until",
    "exact_from_down",
    "followed",
    "mean_field_from_down",
    "neuron_parameters",
    "paper_claim",
    "paper_figure",
    "printed_from_area",
    "temperature_parameters",
    "tilted",
    "variables",
]

Array = NDArray[np.float64]

CITATION = "Sun and Zhang, Modeling the Nervous System as An Open Quantum System (2021)"
CUTOFF = 3.5
BETA = inverse_temperature(300.0, 2000.0)
COLD = Bath(CUTOFF)
WARM = Bath(CUTOFF, occupation="boltzmann", beta=BETA)
NEURONS = (1, 2, 10, 50)
SCALINGS = ("1/N", "none")
TIMES = np.linspace(0.0, 10.0, 1001)
# as far from a value that the paper names as still counts as there
AWAY = 0.05

STORING = (Pulse(1.0, 1.5, 0.8),)
# figure → its stimulus
RETRIEVED = {
    3: (*STORING, Pulse(1.5, 2.25, -0.53)),
    4: (*STORING, Pulse(1.5, 2.5, -0.4)),
}
RETRIEVED |= {5: RETRIEVED[3], 6: RETRIEVED[4]}


@dataclass(frozen=True)
class PaperFigure(paper_figures.PaperFigure):
    """One figure of this paper."""

    paper = CITATION


_TELLER = Teller(__package__, PaperFigure)
paper_figure, paper_claim = _TELLER.figure, _TELLER.claim


@lru_cache(maxsize=256)
def area(cutoff: float, pulses: tuple[Pulse, ...]) -> Array:
    """Return G = ∫₀ᵗ κ₀ at `TIMES`."""
    return cumulative_rate(Bath(cutoff), pulses, TIMES)


def printed_from_area(g: Array, *, warm: bool) -> Array:
    """Return Eq. 18 from silence: Sz = −e^{−G} at zero temperature, −e^{−3G} with one quantum."""
    return np.asarray(-np.exp(-(3.0 if warm else 1.0) * g))


def exact_from_down(neurons: int, g: Array, *, warm: bool, scaling: str) -> Array:
    """Return the master equation's m_z from silence where ∫κ₀ = G; nan where there is no state."""
    x = g / neurons if scaling == "1/N" else g
    come, back = np.unique(np.maximum(x, 0.0), return_inverse=True)
    # constant rates, for which time is G
    curves = given_curves(2.0, 1.0) if warm else given_curves(1.0)
    m_z = simulate_open_system(neurons, curves, "down", come).m_z.values
    # rest is a state at zero temperature, however far back
    return np.where(warm & (x < -1e-12), np.nan, m_z[back.reshape(x.shape)])


@lru_cache(maxsize=256)
def followed(
    cutoff: float, pulses: tuple[Pulse, ...], neurons: int, scaling: str, warm: bool
) -> Array:
    """Return m_z of the master equation from silence at `TIMES`, as `exact_from_down` does."""
    return exact_from_down(neurons, area(cutoff, pulses), warm=warm, scaling=scaling)


def mean_field_from_down(neurons: int, g: Array, *, warm: bool, scaling: str) -> Array:
    """Return the right mean field from silence, ṁ_z = −Fm_z − D, as of one neuron; nan as above."""
    x = g / neurons if scaling == "1/N" else g
    return np.where(x < -1e-12, np.nan, -1 / 3 - 2 / 3 * np.exp(-3 * x)) if warm else -1.0 + 0 * x


def at(values: Array, time: float) -> float:
    """Return the value of a curve on `TIMES` at one of them."""
    return float(values[int(np.argmin(np.abs(TIMES - time)))])


def away_until(values: Array, rest: float = -1.0) -> float:
    """Find the last of `TIMES` at which a curve is further than `AWAY` from rest, or 0."""
    away = np.flatnonzero(np.abs(values - rest) > AWAY)
    return float(TIMES[away[-1]]) if len(away) else 0.0


def variables(**named: tuple[Any, Any, str, str]) -> dict[str, xr.Variable]:
    """Make variables of a dataset, each (dimensions, values, what it is, its unit)."""
    return {
        name: xr.Variable(dims, values, {"long_name": words, "units": units})
        for name, (dims, values, words, units) in named.items()
    }


def neuron_parameters(neurons: tuple[int, ...] = NEURONS, bath: bool = True) -> list[Parameter]:
    """List those the paper leaves open, with why."""
    found = [
        Parameter(
            "neurons",
            list(map(float, neurons)),
            "Eq. 18 has no number of neurons; the master equation has",
        ),
        Parameter(
            "scaling",
            list(SCALINGS),
            "Eq. 4 has 1/√N in each coupling, Eq. 15 has lost it: both are computed",
        ),
    ]
    if bath:
        found.append(
            Parameter(
                "cutoff",
                CUTOFF,
                "none stated (ω_c in ω₀); where most of what the paper says of figures 3 to 6 "
                "comes out by its own Eq. 18 (figure cutoff)",
            )
        )
    return found


def temperature_parameters(*, warm: bool) -> list[Parameter]:
    """List the temperature: zero, or the paper's 300 K."""
    if not warm:
        return [Parameter("temperature_kelvin", 0.0)]
    return [
        Parameter("temperature_kelvin", 300.0),
        Parameter("occupation", "boltzmann, n = exp(-beta omega)"),
        Parameter("omega_0", 2000.0),
        Parameter("beta", BETA, "ħω₀/k_BT of the paper's two, the 2000 Hz read as rad/s"),
    ]


def tilted() -> tuple[float, float]:
    """Return the angles of a neuron along figure 2's (1, 1, −1)."""
    return math.acos(-1 / math.sqrt(3)), math.pi / 4
