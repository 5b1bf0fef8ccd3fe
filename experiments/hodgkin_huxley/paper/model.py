"""The channel and the sources of all figures: the paper states no parameter, so these are ours.

Only the formulas, α₀ = 1, 1.5 and 2, and C = L = 1 with V = 0, 0.5, 1, 2 in figure 3 are the
paper's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample

from qbrain.reference.hodgkin_huxley import steady_gate
from qbrain.reference.hodgkin_huxley.channel_drives import (
    ClassicalDrive,
    CoherentDrive,
    EntangledDrive,
)
from qbrain.reference.hodgkin_huxley.hysteresis import Loop, limit_cycle
from qbrain.reference.hodgkin_huxley.quantized_channel import Channel, ChannelError

from ...papers import figures as paper_figures
from ...papers.figures import Parameter
from ...papers.telling import Teller

__all__ = [
    "ALPHAS",
    "CHANNEL",
    "CITATION",
    "CLOSED",
    "FREQUENCY",
    "OPEN",
    "PHASES",
    "RESTING",
    "THETA",
    "AnyDrive",
    "PaperFigure",
    "channel_parameters",
    "classical",
    "coherent",
    "cycle",
    "entangled",
    "paper_claim",
    "paper_figure",
    "printed_cycle",
    "source_parameters",
    "traced",
]

Array = NDArray[np.float64]
AnyDrive = ClassicalDrive | CoherentDrive | EntangledDrive

CITATION = "Cheng, Gonzalez-Raya, Chen, Sanz and Solano, arXiv:1807.10698"
FREQUENCY = 5.0  # rad/ms
_GATE = 0.001
_AMPLITUDE = 1.5
CHANNEL = Channel(capacitance=0.009)
# what makes A = α₀ C_g Ω² √(1/2ΩC_s) the amplitude above at α₀ = 1
_SOURCE = (_GATE * FREQUENCY**2 / _AMPLITUDE) ** 2 / (2 * FREQUENCY)
ALPHAS = (1.0, 1.5, 2.0)
THETA = math.pi / 4
PHASES = 512

# n where a channel without current rests (V = V_K), where a whole membrane does (V = 0), and
# below both
RESTING = float(steady_gate("n", CHANNEL.reversal))
OPEN = float(steady_gate("n", 0.0))
CLOSED = 0.1


@dataclass(frozen=True)
class PaperFigure(paper_figures.PaperFigure):
    """One figure of this paper."""

    paper = CITATION


_TELLER = Teller(__package__, PaperFigure)
paper_figure, paper_claim = _TELLER.figure, _TELLER.claim


def classical() -> ClassicalDrive:
    """Return the classical source I₀ sin²Ωt."""
    return ClassicalDrive(_AMPLITUDE, FREQUENCY)


def coherent(alpha0: float = 1.0) -> CoherentDrive:
    """Return the coherent source A sin Ωt, A = 1.5 α₀ µA/cm²."""
    return CoherentDrive(alpha0, FREQUENCY, _GATE, _SOURCE)


def entangled(
    alpha0: float = 1.0, theta: float = THETA, *, normalised: bool = True
) -> EntangledDrive:
    """Return the entangled source with the state normalised, or the paper's way."""
    return EntangledDrive(alpha0, theta, FREQUENCY, _GATE, _SOURCE, normalised=normalised)


@lru_cache(maxsize=512)
def cycle(drive: AnyDrive, *, dynamic: bool = False) -> Loop:
    """Return the limit cycle by the right formulas, or (``dynamic``) the circuit's equation."""
    return limit_cycle(CHANNEL, drive, dynamic=dynamic)


@lru_cache(maxsize=512)
def printed_cycle(drive: AnyDrive) -> Loop | None:
    """Return the limit cycle by Eq. 17, 22 or 25 as printed, or None where there is none."""
    try:
        return limit_cycle(CHANNEL, drive, printed=True)
    except ChannelError:
        return None


def traced(loop: Loop | None) -> tuple[Array, Array, Array]:
    """Trace current, voltage and conductance at `PHASES` equal phases, closed; nan for no loop."""
    if loop is None:
        nothing = np.full(PHASES + 1, np.nan)
        return nothing, nothing, nothing
    curves = (np.asarray(resample(x, PHASES)) for x in (loop.current, loop.voltage))
    current, voltage = (np.append(x, x[0]) for x in curves)
    conductance = np.asarray(resample(loop.conductance, PHASES))
    return current, voltage, np.append(conductance, conductance[0])


def channel_parameters() -> tuple[Parameter, ...]:
    """List the potassium channel's parameters, with why."""
    squid = "none stated; the squid axon's of 1952"
    return (
        Parameter("z_min", CHANNEL.z_min, f"{squid} (1/36 kΩ cm²)"),
        Parameter("reversal", CHANNEL.reversal, f"{squid} (V_K in mV from rest)"),
        Parameter(
            "capacitance",
            CHANNEL.capacitance,
            "none stated (C_c in µF/cm²); with Ω and A it brings Table I's ratios out to 1.1 %, "
            "and is a hundredth of an axon's",
        ),
        Parameter(
            "frequency",
            FREQUENCY,
            "none stated (Ω in rad/ms); many times the gate's rates, so that it takes several "
            "periods to settle, as the text says",
        ),
    )


def source_parameters(alpha0: float | list[float], theta: bool = False) -> tuple[Parameter, ...]:
    """List the quantum source's parameters."""
    found: tuple[Parameter, ...] = (
        Parameter("alpha0", alpha0),
        Parameter("gate_capacitance", _GATE, "none stated (C_g in µF/cm²); weak beside C_c"),
        Parameter(
            "source_capacitance",
            _SOURCE,
            f"none stated (C_s); makes A = {_AMPLITUDE:g} µA/cm² at α₀ = 1 (see capacitance)",
        ),
    )
    if theta:
        found += (
            Parameter("theta", THETA, "none stated for this figure; where areas are largest"),
        )
    return found
