"""Areas and entropies of the entangled source, and what of an area no gate remembers."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from qbrain.reference.hodgkin_huxley.channel_drives import entanglement_entropy
from qbrain.reference.hodgkin_huxley.table_one import TABLE_ONE

from .measures import capacitor_area, dissipated, fock_state, frozen_area
from .model import ALPHAS, CHANNEL, AnyDrive, coherent, cycle, entangled, printed_cycle

__all__ = [
    "THETAS",
    "area_ratios",
    "entropy",
    "fock_error",
    "heat",
    "memoryless",
    "printed_ratios",
    "table_areas",
]

THETAS = np.linspace(0.0, math.pi / 4, 17)


def entropy(theta: float, alpha0: float) -> float:
    """Return the entropy of the normalised state where |α(t)| is largest, in nats."""
    return abs(float(entanglement_entropy(theta, alpha0)))


@lru_cache(maxsize=8)
def area_ratios(alpha0: float, *, normalised: bool) -> tuple[float, ...]:
    """Return areas over the coherent source's, at `THETAS`."""
    base = cycle(coherent(alpha0)).area
    return tuple(
        cycle(entangled(alpha0, float(t), normalised=normalised)).area / base for t in THETAS
    )


@lru_cache(maxsize=8)
def printed_ratios(alpha0: float) -> tuple[float, ...]:
    """Do the same by Eqs. 23 and 25 as printed; nan where they have no limit cycle."""
    loops = [printed_cycle(entangled(alpha0, float(t), normalised=False)) for t in THETAS]
    areas = [math.nan if loop is None else loop.area for loop in loops]
    return tuple(area / areas[0] for area in areas)


@lru_cache(maxsize=1)
def fock_error() -> float:
    """Return the largest |⟨a₁ + a₂⟩ − α| of the normalised state, by its Fock amplitudes."""
    alphas = np.linspace(0.0, max(ALPHAS), 9).tolist()
    away = [abs(fock_state(t, a).flux - a) for t in THETAS.tolist() for a in alphas]
    return float(max(away))


def table_areas(alpha0: float) -> dict[float, float]:
    """Return the column of Table I (b): θ → area."""
    return {cell.theta: cell.area for cell in TABLE_ONE if cell.alpha0 == alpha0}


def memoryless(drive: AnyDrive) -> tuple[float, float]:
    """Return areas with the gate frozen at its mean, and with the capacitance alone."""
    loop = cycle(drive)
    capacitance = CHANNEL.capacitance + drive.gate_capacitance
    rate = 2 * math.pi / drive.period
    mean = 1 / float(loop.conductance.mean())
    return (
        frozen_area(loop.current, rate, capacitance, mean),
        capacitor_area(loop.current, rate, capacitance),
    )


def heat(drive: AnyDrive) -> float:
    """Return the memristor's heat in one period of the limit cycle, in pJ/cm²."""
    loop = cycle(drive)
    return dissipated(loop.voltage, loop.conductance, CHANNEL.reversal, drive.period)
