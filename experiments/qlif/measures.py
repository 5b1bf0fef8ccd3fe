"""What spikes and bits say: synchrony, CHSH value, signalling, the cost of a tick.

A metric of a group of more than two neurons is the mean over its pairs of neurons. Its standard
error is the mean of theirs: pairs of one group are not independent, and no mean has a larger one.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qbrain.reference.qlif.bell import BellError, checked_table
from qbrain.reference.qlif.bell_counts import (
    ChshEstimate,
    NoSignalling,
    RateTest,
    compare_mean_rates,
    estimate_chsh,
    no_signalling,
    setting_counts,
)
from qbrain.reference.qlif.bit_rasters import BitRaster, Raster, group_blocks
from qbrain.reference.qlif.spike_synchrony import (
    Measure,
    coincidence_factor,
    count_correlation,
    firing_rate,
    first_spike_latency,
    spike_distance,
    spike_synchronisation,
    synchrony,
)

from .config import QlifConfig
from .groups import (
    Rasters,
    distinct_settings,
    group_correlator,
    group_correlators,
    setting_words,
)

__all__ = [
    "MEASURES",
    "bell_counts",
    "chsh_of",
    "classical_operations",
    "corrected_chsh",
    "corrected_correlator",
    "corrected_points",
    "drive_test",
    "matched_table",
    "measure_spikes",
    "parity_points",
    "signalling_of",
]

Array = NDArray[np.float64]
Counts = NDArray[np.int64]
# settings of a pair → readout errors (2, 2) of both bits, and their standard errors
Wrong = Mapping[tuple[int, int], tuple[Array, Array]]

# names in the JSON object, in the order of tables
MEASURES = (
    "rate_hz",
    "synchrony",
    "coincidence_factor",
    "count_correlation",
    "spike_synchronisation",
    "spike_distance",
    "first_spike_latency_ms",
)

# a tick of one neuron: V·decay, + drive, scale·normal, + noise; held? threshold? reset twice
LIF_OPERATIONS = 8
# beside those: setting by level; J·bit and its sum; two cuts of the table that make the bit
MORE_OPERATIONS = {
    "entangled": 5, "shared bit": 5, "private bit": 4, "coupled": 2, "plain": 0,
}  # fmt: skip


def classical_operations(kind: str, config: QlifConfig, *, tabulated: bool) -> int:
    """Additions, multiplications and comparisons of all neurons in a tick; random numbers aside.

    ``tabulated``: whether the bits are made here too rather than by circuits.
    """
    more = MORE_OPERATIONS[kind]
    if kind in ("entangled", "shared bit", "private bit"):
        # a fixed setting compares nothing, one linear in V takes a product and two sums
        more += {"fixed": -1, "level": 0, "linear": 2}[config.settings]
        if not tabulated:
            more -= 2 if kind != "private bit" else 1
    return config.pairs * config.group * (LIF_OPERATIONS + more)


def measure_spikes(spikes: Raster, config: QlifConfig) -> dict[str, Measure]:
    """The metrics of ``MEASURES`` of a raster (tick, group, neuron); nan where none is defined."""
    tick = config.tick
    near = round(config.coincidence / tick)
    long = max(1, round(config.count_window / tick))
    metrics: dict[str, Callable[[Any], Measure]] = {
        "rate_hz": lambda x: _scaled(firing_rate(x), 1000 / tick),
        "synchrony": lambda x: synchrony(x, near),
        "coincidence_factor": lambda x: coincidence_factor(x, near),
        "count_correlation": lambda x: count_correlation(x, long),
        "spike_synchronisation": spike_synchronisation,
        "spike_distance": spike_distance,
        "first_spike_latency_ms": lambda x: _scaled(first_spike_latency(x), tick),
    }
    if 2 * long > len(spikes):
        # not two windows in the whole run
        metrics["count_correlation"] = lambda x: Measure(math.nan, math.nan)
    couples = itertools.combinations(range(spikes.shape[2]), 2)
    each = [_of_neurons(spikes, couple) for couple in couples]
    found = {}
    for name in MEASURES:
        parts = [metrics[name](x) for x in each]
        found[name] = Measure(
            float(np.mean([np.mean(p.value) for p in parts])),
            float(np.mean([np.mean(p.stderr) for p in parts])),
        )
    return found


def bell_counts(rasters: Rasters, config: QlifConfig) -> Counts | None:
    """Bits of the first two neurons at their settings, (X, Y, 2, 2); None without such settings.

    In a larger group the others leave them in cosφ|00⟩ ± sinφ|11⟩, the sign being the parity of
    their bits at settings π/2. With the lower sign E(a, b) is E(a, −b) of the upper one, so the
    second's settings ±χ are counted for each other: an inequality for two, lifted to a group.
    S. Pironio, J. Math. Phys. 46, 062112 (2005).
    """
    if rasters.settings is None or rasters.outcomes is None or not config.has_chsh:
        return None
    found = np.zeros((2, 2, 2, 2), dtype=np.int64)
    for settings, outcomes in group_blocks(rasters.settings, rasters.outcomes):
        own = settings[..., :2]
        if config.group > 2:
            flipped = outcomes[..., 2:].sum(axis=2) % 2
            own = np.stack([own[..., 0], own[..., 1] ^ flipped], axis=-1).astype(np.uint8)
        found += setting_counts(own, outcomes[..., :2])
    return found


def chsh_of(counts: Counts | None) -> ChshEstimate | None:
    """The CHSH value; None where a pair of settings never came."""
    if counts is None or (counts.sum(axis=(2, 3)) == 0).any():
        return None
    return estimate_chsh(counts)


def signalling_of(rasters: Rasters, config: QlifConfig) -> NoSignalling | None:
    """Bits of the first two neurons against each other's settings; None without a choice."""
    if rasters.settings is None or rasters.outcomes is None or config.settings != "level":
        return None
    counts = _counts(rasters, (2, 2))
    if (counts.sum(axis=(2, 3)) == 0).any():
        return None
    return no_signalling(counts)


def drive_test(before: Rasters, after: Rasters, *, neuron: int) -> RateTest | None:
    """A neuron's spikes in two sessions between which the other's drive was raised.

    None where all pairs of a session have fired alike, so that no scatter is to be seen.
    """
    own = []
    for session in (before, after):
        parts = [x[..., neuron].sum(axis=0) for (x,) in group_blocks(session.spikes)]
        own.append(np.concatenate(parts).astype(np.float64))
    if any(np.ptp(spikes) == 0 for spikes in own):
        return None
    return compare_mean_rates(own[0] / len(before.spikes), own[1] / len(after.spikes))


def matched_table(rasters: Rasters, config: QlifConfig) -> Array | None:
    """P of a pair's bits with the marginals and correlators that were counted; None without any.

    A side's marginal is the mean over the other's settings, weighted by trials, so that the table
    does not signal: what shared randomness is asked to come near to.
    """
    if rasters.settings is None or rasters.outcomes is None or config.group > 2:
        return None
    sizes = (config.settings_each,) * 2
    n = _counts(rasters, sizes)
    trials = n.sum(axis=(2, 3))
    if (trials == 0).any():
        return None
    sign = np.array([1.0, -1.0])
    both = np.einsum("xyij,i,j->xy", n, sign, sign) / trials
    first = np.einsum("xyij,i->x", n, sign) / trials.sum(axis=1)
    second = np.einsum("xyij,j->y", n, sign) / trials.sum(axis=0)
    table = (
        1
        + sign[:, None] * first[:, None, None, None]
        + sign * second[:, None, None]
        + sign[:, None] * sign * both[..., None, None]
    ) / 4
    try:
        return checked_table(table)
    except BellError:
        # a probability near 0 can come out below it
        return None


def parity_points(rasters: Rasters, config: QlifConfig) -> tuple[Array, Array, Array]:
    """Mean parity of a group's bits at each setting that came; for a pair the correlator E.

    Returns:
        What was counted, the exact value of the state (of its share ``visibility``), and the
        standard error that as many shots of the state have: arrays of one length. Settings that
        are linear in the voltage make one point, the mean over all ticks.

    Raises:
        ValueError: for rasters without bits.
    """
    if rasters.outcomes is None:
        raise ValueError("rasters: wanted those of neurons with bits")
    if rasters.settings is None:
        assert rasters.angles is not None
        size, ones, mean, rest = 0, 0.0, 0.0, 0.0
        for outcomes, own in group_blocks(rasters.outcomes, rasters.angles):
            odd = np.bitwise_xor.reduce(outcomes, axis=-1)
            values = config.visibility * group_correlators(config.phi, own)
            size, ones = size + odd.size, ones + float(odd.sum())
            mean, rest = mean + float(values.sum()), rest + float((1 - values**2).sum())
        spread = math.sqrt(max(rest / size, 0) / size)
        return np.array([1 - 2 * ones / size]), np.array([mean / size]), np.array([spread])
    angles, place = distinct_settings(config.angle_rows)
    each = np.zeros(2 * len(angles), dtype=np.int64)
    for settings, outcomes in group_blocks(rasters.settings, rasters.outcomes):
        odd = np.bitwise_xor.reduce(outcomes, axis=-1)
        chosen = 2 * place[setting_words(settings)] + odd
        each += np.bincount(chosen.ravel(), minlength=len(each))
    table = each.reshape(-1, 2)
    came = table.any(axis=1)
    exact = config.visibility * group_correlators(config.phi, angles)[came]
    trials = table[came].sum(axis=1)
    found = (table[came, 0] - table[came, 1]) / trials
    return found, exact, np.sqrt(np.maximum(1 - exact**2, 0) / trials)


def corrected_correlator(n: Counts, errors: Array) -> tuple[float, float]:
    """E of one pair of settings with readout errors inverted, and its variance by shots.

    Args:
        n: bits (2, 2).
        errors: (2, 2) p(1|0), p(0|1) of both bits.
    """
    signs = [(np.array([1.0, -1.0]) + p - q) / (1 - p - q) for p, q in errors]
    weights = np.outer(*signs)
    share = n / n.sum()
    mean = float((share * weights).sum())
    return mean, float((share * (weights - mean) ** 2).sum() / n.sum())


def corrected_points(
    counts: Counts, wrong: Wrong, config: QlifConfig
) -> tuple[Array, Array, Array]:
    """Correlators of a pair's four pairs of settings with readout errors inverted.

    Returns:
        The correlators (4,), those of the state, and standard errors: of shots and of the readout
        errors.
    """
    rows, points = config.angle_rows, []
    for (x, y), (errors, stderr) in wrong.items():
        mean, variance = corrected_correlator(counts[x, y], errors)
        moved = _moved(counts[x, y], errors, stderr) - mean
        exact = config.visibility * group_correlator(config.phi, (rows[0][x], rows[1][y]))
        points.append((mean, exact, math.sqrt(variance + float((moved**2).sum()))))
    values, exacts, spreads = np.array(points).T
    return values, exacts, spreads


def corrected_chsh(counts: Counts, wrong: Wrong) -> tuple[float, float]:
    """S with readout errors inverted, and its standard error.

    A bit that reads 1 for 0 with probability p and 0 for 1 with q gives a sign of mean
    (1−p−q)⟨s⟩ + (q−p); s is replaced by (s + p − q)/(1−p−q), whose mean is ⟨s⟩.

    Args:
        counts: (2, 2, 2, 2).
        wrong: of each pair of settings, (p, q) of both bits (2, 2) and their standard errors.
    """
    value, variance = 0.0, 0.0
    # readout errors are the same ones at all settings: what they do adds up before squaring
    moved = np.zeros((2, 2))
    for (x, y), (errors, stderr) in wrong.items():
        sign = -1 if x == y == 1 else 1
        mean, own = corrected_correlator(counts[x, y], errors)
        value += sign * mean
        variance += own
        moved += sign * (_moved(counts[x, y], errors, stderr) - mean)
    return value, math.sqrt(variance + float((moved**2).sum()))


def _moved(n: Counts, errors: Array, stderr: Array) -> Array:
    """Corrected correlator (2, 2) if one readout error was larger by its standard error."""
    found = np.zeros((2, 2))
    for place in np.ndindex(2, 2):
        other = errors.copy()
        other[place] += stderr[place]
        found[place] = corrected_correlator(n, other)[0]
    return found


def _of_neurons(spikes: Raster, couple: tuple[int, int]) -> Raster:
    if isinstance(spikes, BitRaster):
        return spikes if spikes.shape[2] == 2 else spikes.of_neurons(couple)
    return np.ascontiguousarray(spikes[..., list(couple)])


def _counts(rasters: Rasters, sizes: tuple[int, int]) -> Counts:
    """Bits of the first two neurons at their settings (X, Y, 2, 2)."""
    return sum(
        (
            setting_counts(settings[..., :2], outcomes[..., :2], sizes)
            for settings, outcomes in group_blocks(rasters.settings, rasters.outcomes)
        ),
        np.zeros((*sizes, 2, 2), dtype=np.int64),
    )


def _scaled(measure: Measure, factor: float) -> Measure:
    return Measure(np.asarray(measure.value) * factor, np.asarray(measure.stderr) * factor)
