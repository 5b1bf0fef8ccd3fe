"""Trajectories of the channel from several starts, and how they settle."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qbrain.reference.hodgkin_huxley import Membrane, simulate_potassium
from qbrain.reference.hodgkin_huxley.channel_drives import ClassicalDrive
from qbrain.reference.hodgkin_huxley.quantized_channel import (
    simulate_channel,
    simulate_channel_dynamic,
)

from .measures import Rise, rise
from .model import CHANNEL, CLOSED, OPEN, RESTING, AnyDrive, classical, cycle

__all__ = [
    "STARTS",
    "TIMES",
    "peak",
    "potassium_alone",
    "response",
    "settling",
    "spread",
    "swing",
]

Array = NDArray[np.float64]

TIMES: Array = np.linspace(0.0, 30.0, 4001, dtype=np.float64)
_TOLERANCE = 1e-8
STARTS = (CLOSED, RESTING, OPEN, 0.9)


@lru_cache(maxsize=32)
def response(drive: AnyDrive, start: float, law: str = "closed") -> xr.Dataset:
    """Run from n = start by the closed form, the circuit itself, or the printed form."""
    if law == "circuit":
        voltage = 0.0 if isinstance(drive, ClassicalDrive) else CHANNEL.reversal
        return simulate_channel_dynamic(
            CHANNEL, drive, start, TIMES, initial_voltage=voltage, tolerance=_TOLERANCE
        )
    return simulate_channel(
        CHANNEL, drive, start, TIMES, printed=law == "printed", tolerance=_TOLERANCE
    )


@lru_cache(maxsize=8)
def spread(drive: AnyDrive) -> tuple[float, float]:
    """Return how far V differs between `STARTS` in the first and last period, by its swing."""
    found = np.stack([response(drive, start).voltage.values for start in STARTS])
    last, first = TIMES[-1] - drive.period <= TIMES, drive.period >= TIMES
    span = float(np.ptp(cycle(drive).voltage))
    early, late = (float(np.ptp(found[:, part], axis=0).max()) / span for part in (first, last))
    return early, late


def settling(drive: AnyDrive, start: float, law: str = "closed") -> Rise:
    """Measure how the conductance settles."""
    return rise(TIMES, response(drive, start, law).conductance.values, drive.period)


@lru_cache(maxsize=1)
def potassium_alone() -> xr.Dataset:
    """Integrate Eqs. 5 and 6 from V = 0."""
    drive = classical()
    membrane = Membrane(CHANNEL.capacitance, 1 / CHANNEL.z_min, V_K=CHANNEL.reversal)
    return simulate_potassium(
        membrane, lambda t: float(drive.current(t)), TIMES, initial=(0.0, RESTING)
    )


def swing(run: xr.Dataset, period: float, index: int) -> float:
    """Return the swing of V within the period of that index; −1 is the last."""
    begin = TIMES[-1] - period if index == -1 else index * period
    part = (begin <= TIMES) & (begin + period >= TIMES)
    return float(np.ptp(run.voltage.values[part]))


def peak(voltage: Array, period: float, index: int) -> float:
    """Return the highest V of the first (0) or the last (−1) period."""
    part = period >= TIMES if index == 0 else TIMES[-1] - period <= TIMES
    return float(voltage[part].max())
