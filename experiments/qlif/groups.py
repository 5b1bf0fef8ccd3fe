"""Groups of neurons that share a state a tick: where their bits come from, and the ticks.

A group of n shares cosφ|0…0⟩ + sinφ|1…1⟩ and neuron i measures its own qubit at a setting α_i:
RY(−α_i), then Z. All amplitudes are real:

    ⟨bits|ψ⟩ = cosφ Π_i a_i + sinφ Π_i b_i,
    a_i = cos(α_i/2) or −sin(α_i/2),  b_i = sin(α_i/2) or cos(α_i/2)  for bit i = 0 or 1.

Bits can come from there, from shots that were recorded, or from circuits; membranes do not care.
Pairs without circuits are simulated by :mod:`qbrain.reference.qlif`, which is faster.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qbrain.classical_feedback.lif import FixedSettings, LevelSettings, LinearSettings, Membranes
from qbrain.reference.qlif.bit_rasters import BitRaster, Raster, new_raster

__all__ = [
    "Angles",
    "Law",
    "Rasters",
    "Source",
    "distinct_settings",
    "group_amplitudes",
    "group_correlator",
    "group_correlators",
    "group_source",
    "setting_words",
    "simulate_ticks",
]

Array = NDArray[np.float64]
Bits = NDArray[np.uint8]
# a setting of each neuron of a group, radians
Angles = tuple[float, ...]
Law = FixedSettings | LevelSettings | LinearSettings
# tick, voltages (groups, neurons) → bits of the same shape
Source = Callable[[int, Array], Bits]


@dataclass(frozen=True)
class Rasters:
    """What the neurons did; all arrays (tick, group, neuron), large ones eight bits to a byte.

    Attributes:
        spikes: zeros and ones.
        outcomes: measured bits; None of kinds that have none.
        settings: which of its settings a neuron took; None of kinds without bits, or where the
            settings are linear in the voltage.
        angles: these, radians.
    """

    spikes: Raster
    outcomes: Raster | None = None
    settings: Raster | None = None
    angles: NDArray[np.float32] | None = None


def group_amplitudes(phi: float, angles: ArrayLike) -> Array:
    """⟨bits|ψ⟩ of a group at settings (n,): shape (2^n,), bit i of the index being neuron i's."""
    alphas = np.asarray(angles, dtype=float)
    zero, one = np.cos([phi]), np.sin([phi])
    # the first neuron is the lowest bit: it varies fastest
    for half in alphas / 2:
        zero = np.concatenate([zero * np.cos(half), -zero * np.sin(half)])
        one = np.concatenate([one * np.sin(half), one * np.cos(half)])
    return np.asarray(zero + one)


def group_correlators(phi: float, angles: ArrayLike) -> Array:
    """Mean of (−1)^(sum of all bits): ⟨Z…Z⟩ Π cosα_i + sin2φ Π sinα_i, ⟨Z…Z⟩ = 1 or cos2φ.

    The first holds for even groups, the second for odd ones; terms that mix Z and X vanish.
    ``angles``: (…, n), radians.
    """
    alphas = np.asarray(angles, dtype=float)
    even = 1.0 if alphas.shape[-1] % 2 == 0 else np.cos(2 * phi)
    cosines, sines = np.prod(np.cos(alphas), axis=-1), np.prod(np.sin(alphas), axis=-1)
    return np.asarray(even * cosines + np.sin(2 * phi) * sines)


def group_correlator(phi: float, angles: ArrayLike) -> float:
    """:func:`group_correlators` of one setting of each neuron (n,)."""
    return float(group_correlators(phi, angles))


def setting_words(settings: ArrayLike) -> NDArray[np.uint8]:
    """Settings (…, n) of at most eight neurons as one number each: bit i is neuron i's."""
    each = np.asarray(settings, dtype=np.uint8)
    return np.asarray(each @ (1 << np.arange(each.shape[-1])).astype(np.uint8))


def distinct_settings(rows: Sequence[Sequence[float]]) -> tuple[list[Angles], NDArray[np.int64]]:
    """Settings of a group that differ from each other, and the place among them of each word.

    ``rows``: the one or two settings of each neuron. A word is that of :func:`setting_words`.
    """
    place: dict[Angles, int] = {}
    words = range(len(rows[0]) ** len(rows))
    each = [tuple(row[word >> i & 1] for i, row in enumerate(rows)) for word in words]
    found = [place.setdefault(angles, len(place)) for angles in each]
    return list(place), np.array(found, dtype=np.int64)


def group_source(
    kind: str, phi: float, visibility: float, law: Law, random: np.random.Generator
) -> Source | None:
    """Bits of a kind of group, drawn qubit by qubit; None for kinds without bits.

    Measuring a qubit of cosφ|0…0⟩ + sinφ|1…1⟩ leaves the others in such a state again, with
    cosφ → cosφ a and sinφ → sinφ b, and only the last qubit shows the two terms' interference.

    ``shared bit`` is the state without its coherence, cos²φ|0…0⟩⟨0…0| + sin²φ|1…1⟩⟨1…1|: one
    shared bit, which each neuron's own qubit shows at its own setting. ``private bit`` draws each
    bit from the group's marginal. All kinds with settings 0 take the same number for the first bit.
    """
    if kind not in ("entangled", "private bit", "shared bit"):
        return None

    def bits(_: int, voltage: Array) -> Bits:
        angles = law(voltage)
        groups, n = angles.shape
        uniform = random.random((n + 2, groups))
        found = np.empty((groups, n), dtype=np.uint8)
        if kind == "private bit":
            ones = (1 - visibility * np.cos(2 * phi) * np.cos(angles)) / 2
            return np.asarray(ones > uniform[:n].T, dtype=np.uint8)
        zero: Array = np.full(groups, np.cos(phi))
        one: Array = np.full(groups, np.sin(phi))
        own = uniform[:n]
        if kind == "shared bit":
            shown = uniform[0] < np.sin(phi) ** 2
            zero, one = (~shown).astype(float), shown.astype(float)
            own = uniform[1 : n + 1]
        for i in range(n):
            cosine, sine = np.cos(angles[:, i] / 2), np.sin(angles[:, i] / 2)
            weights = [(zero * cosine, one * sine), (-zero * sine, one * cosine)]
            last = i == n - 1
            chances = [(a + b) ** 2 if last else a**2 + b**2 for a, b in weights]
            active = own[i] * (chances[0] + chances[1]) < chances[1]
            found[:, i] = active
            zero = np.where(active, weights[1][0], weights[0][0])
            one = np.where(active, weights[1][1], weights[0][1])
        if visibility < 1:
            white = uniform[n + 1] >= visibility
            found[white] = (own.T < 0.5)[white]
        return found

    return bits


def simulate_ticks(
    membranes: Membranes,
    law: Law,
    currents: Sequence[float],
    normals: Callable[[int], Array],
    source: Source | None,
    *,
    ticks: int,
    groups: int,
    kick: float = 0.0,
) -> Rasters:
    """Run membranes from rest, with bits from ``source`` or none.

    Args:
        membranes: of all neurons.
        law: from voltages to settings.
        currents: of each neuron of a group, nA.
        normals: of tick k: N(0, 1), shape (groups, neurons).
        source: of the bits; None: no bits, no settings.
        ticks: how many.
        groups: how many.
        kick: mV that a spike adds to the others' voltages in the next tick, shared among them.
    """
    n = len(currents)
    shape = (ticks, groups, n)
    linear = isinstance(law, LinearSettings)
    spikes = _empty(shape)
    outcomes = _empty(shape) if source else None
    settings = _empty(shape) if source and not linear else None
    angles = np.zeros(shape, dtype=np.float32) if source and linear else None
    drive = np.asarray(currents, dtype=float)
    voltage, held = membranes.start((groups, n))
    bits: Bits = np.zeros((groups, n), dtype=np.uint8)
    fired = bits
    for k in range(ticks):
        if source is not None:
            assert outcomes is not None
            if isinstance(law, LinearSettings):
                assert angles is not None
                angles[k] = law(voltage)
            else:
                assert settings is not None
                _put(settings, k, law.index(voltage))
            bits = source(k, voltage)
            _put(outcomes, k, bits)
        if kick and k:
            others = fired.sum(axis=1, keepdims=True) - fired.astype(float)
            # what decays in the step is put in as much larger
            voltage = voltage + kick / (n - 1) * others / membranes.decay
        voltage, fired, held = membranes.step(voltage, held, drive, bits, normals(k))
        _put(spikes, k, fired)
    return Rasters(spikes, outcomes, settings, angles)


def _empty(shape: tuple[int, int, int]) -> Raster:
    packed = new_raster(shape)
    return np.zeros(shape, dtype=np.uint8) if packed is None else packed


def _put(raster: Raster, tick: int, bits: Bits) -> None:
    if isinstance(raster, BitRaster):
        raster.put(tick, bits[None])
    else:
        raster[tick] = bits
