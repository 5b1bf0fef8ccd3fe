"""What the counts of a check mean: as expected, noisier, or wrong and by what.

The **error** of a circuit is the fraction of its shots with an outcome that a perfect device never
reads. It is held against that of the calibration, e₀, by the binomial distribution: among n shots
more than k wrong ones have a chance of at most α under e₀, and k/n is the bound. α is 0.001 divided
by the number of comparisons of a check, so that a device that does what its calibration says is
called noisier in one check of a thousand at most. Where E = ½ + ⟨J_z⟩/N is told, it may be further
from the exact one than the calibration's by its own normal bound. A device that errs less than
expected is as expected.

A circuit is **wrong** if its counts are better explained by something that can be named: with

    d(h) = min over w in [0, 1] of ½ Σ_x |p(x) − (1 − w) h(x) − w/2^n|,

the distance of the counts p from a distribution h with white noise, an explanation h is taken if
d(h) < d(ideal)/2 and d(ideal) > 0.1, and if h without noise is nearer to p than the ideal is.
It is wrong by no known cause if three quarters of what white noise would do to it have been done.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, binom, norm

from .expectation import Expectation
from .probes import ORDERS, Probe

__all__ = ["AS_EXPECTED", "FALSE_ALARM", "Judged", "bound_of", "judge", "order_fault", "white_fit"]

Array = NDArray[np.float64]

AS_EXPECTED = "as expected"
FALSE_ALARM = 1e-3
# distance from which on another explanation is looked for, and how much nearer it must be
FAR, NEARER = 0.1, 0.5
# part of white noise's error from which on no signal is left
LOST = 0.75
NO_SIGNAL = "no signal is left"
_WEIGHTS = np.linspace(0, 1, 201)


@dataclass(frozen=True)
class Judged:
    """A circuit and what came of it; the columns of the table.

    ``excitation``, ``excitation_expected``, ``excitation_exact`` and ``excitation_bound`` are None
    where E is not told, ``factor`` where there is nothing to divide by.
    """

    name: str
    about: str
    kind: str
    shots: int
    right: tuple[str, ...]
    counts: Mapping[str, int]
    error: float
    expected_error: float
    bound: float
    factor: float | None
    excitation: float | None
    excitation_expected: float | None
    excitation_exact: float | None
    excitation_bound: float | None
    two_qubit_gates: int
    verdict: str

    @property
    def wrong(self) -> bool:
        """Whether it is not noise that is wrong."""
        return self.verdict.startswith("wrong")

    @property
    def noisier(self) -> bool:
        """Whether it errs more than expected."""
        return self.verdict.startswith("noisier")


def judge(
    probes: Sequence[Probe],
    counts: Sequence[Mapping[int, int]],
    expected: Sequence[Expectation],
    gates: Sequence[int],
) -> list[Judged]:
    """The table of a check.

    Args:
        probes: the circuits.
        counts: outcome → shots of each.
        expected: of each.
        gates: two-qubit gates of each.
    """
    comparisons = len(probes) + sum(one.values is not None for one in probes)
    level = FALSE_ALARM / comparisons
    orders = [c for one, c in zip(probes, counts, strict=True) if one.kind == "order"]
    fault = order_fault([_most(each) for each in orders])
    return [
        _judged(one, each, wanted, number, level, fault)
        for one, each, wanted, number in zip(probes, counts, expected, gates, strict=True)
    ]


def _judged(
    one: Probe,
    counts: Mapping[int, int],
    wanted: Expectation,
    gates: int,
    level: float,
    fault: str | None,
) -> Judged:
    shots = sum(counts.values())
    found = np.zeros(2**one.bits)
    for word, number in counts.items():
        found[word] = number / shots
    error, expected = _wrong(found, one), _wrong(wanted.chances, one)
    bound = bound_of(expected, shots, level, wanted.draws)
    energies = _energies(one, found, wanted, shots, level)
    factors = [error / expected if expected > 0 else math.inf] if error > bound else []
    if energies is not None:
        # further from the exact value than expected, and than shots allow
        off = abs(energies[0] - energies[2])
        allowed = abs(energies[1] - energies[2]) + energies[3]
        factors += [off / allowed] if off > allowed else []
    factor = max(factors) if factors else error / expected if expected > 0 else None
    cause = _cause(one, found, fault)
    if cause is not None:
        verdict = f"wrong: {cause}"
    elif factors:
        known = math.isfinite(max(factors))
        verdict = f"noisier (factor {max(factors):.1f})" if known else "noisier (none expected)"
    else:
        verdict = AS_EXPECTED
    seen, calibrated, exact, width = energies or (None, None, None, None)
    return Judged(
        name=one.name,
        about=one.about,
        kind=one.kind,
        shots=shots,
        right=tuple(_text(int(x), one.bits) for x in np.flatnonzero(one.right)),
        counts={_text(x, one.bits): int(n) for x, n in sorted(counts.items())},
        error=error,
        expected_error=expected,
        bound=bound,
        factor=factor if factor is not None and math.isfinite(factor) else None,
        excitation=seen,
        excitation_expected=calibrated,
        excitation_exact=exact,
        excitation_bound=width,
        two_qubit_gates=gates,
        verdict=verdict,
    )


def _text(word: int, bits: int) -> str:
    """A word as it is written: bit 0 on the right."""
    return f"{word:0{bits}b}"


def _wrong(chances: Array, one: Probe) -> float:
    return max(0.0, float(1 - chances[one.right].sum()))


def bound_of(expected: float, shots: int, level: float, draws: int | None = None) -> float:
    """The largest error of so many shots that ``expected`` has a chance above ``level`` to pass.

    ``draws``: from how many the expectation was drawn; half of the level then goes to an upper
    limit of it (Clopper and Pearson).
    """
    if draws is not None:
        level /= 2
        wrong = round(expected * draws)
        expected = float(beta.ppf(1 - level, wrong + 1, draws - wrong)) if wrong < draws else 1.0
    return float(binom.isf(level, shots, expected)) / shots


def _energies(
    one: Probe, found: Array, wanted: Expectation, shots: int, level: float
) -> tuple[float, float, float, float] | None:
    """E as read, as expected and exact, and how far shots may take it from what is expected."""
    if one.values is None:
        return None
    mean = float(wanted.chances @ one.values)
    spread = math.sqrt(max(0.0, float(wanted.chances @ one.values**2) - mean**2) / shots)
    # of the circuit's own state: the formula's error is not the device's
    exact = float(one.ideal @ one.values)
    return float(found @ one.values), mean, exact, float(norm.isf(level / 2)) * spread


def white_fit(found: Array, ideal: Array) -> float:
    """Total variation distance to a distribution with as much white noise as fits best."""
    mixed = np.outer(1 - _WEIGHTS, ideal) + _WEIGHTS[:, None] / len(ideal)
    return float(np.min(np.abs(mixed - found).sum(axis=1)) / 2)


def _cause(one: Probe, found: Array, fault: str | None) -> str | None:
    """What is wrong with a circuit, None if nothing is."""
    if one.kind == "order" and fault is not None and not one.right[int(np.argmax(found))]:
        return fault
    own = white_fit(found, one.ideal)
    if own > FAR:
        explained = [
            (white_fit(found, other), name)
            for name, other in (*_reordered(one), *one.others.items())
            if np.abs(found - other).sum() < np.abs(found - one.ideal).sum()
        ]
        if explained and min(explained)[0] < NEARER * own:
            return min(explained)[1]
    if _wrong(found, one) >= LOST * (1 - float(np.mean(one.right))):
        return NO_SIGNAL if found.max() < 0.5 else "another outcome, by no known cause"
    return None


def _reordered(one: Probe) -> Iterator[tuple[str, Array]]:
    """The ideal with its bits in another order, where that is another distribution.

    Looked for are an exchange of two neighbours, and the reversal.
    """
    words, straight = np.arange(2**one.bits), tuple(range(one.bits))
    for k in range(one.bits):
        # the last of them is the reversal
        order = (*straight[:k], *straight[k : k + 2][::-1], *straight[k + 2 :])
        order = order if k + 1 < one.bits else straight[::-1]
        moved = sum(((words >> j & 1) << bit for j, bit in enumerate(order)), 0 * words)
        other = np.zeros_like(one.ideal)
        other[moved] = one.ideal
        if not np.allclose(other, one.ideal):
            yield f"bit order ({_exchanged(order, 'bits')})", other


def _most(counts: Mapping[int, int]) -> int:
    return max(counts, key=lambda word: counts[word])


def order_fault(words: Sequence[int]) -> str | None:
    """What the most frequent words of the order circuits say of the orders of bits and qubits.

    Each order of the bits and each of the qubits is tried; None where the right ones fit, or none.
    """
    straight = tuple(range(len(ORDERS[0].bits)))
    bits: list[tuple[int, ...]] = []
    qubits: list[tuple[int, ...]] = []
    if list(words) == [one.word() for one in ORDERS]:
        return None
    for order in itertools.permutations(straight):
        if list(words) == [one.word(bits=order) for one in ORDERS]:
            bits.append(order)
        if list(words) == [one.word(qubits=order) for one in ORDERS]:
            qubits.append(order)
    if bits and not qubits:
        return f"bit order ({_exchanged(bits[0], 'bits')})"
    if qubits and not bits:
        return f"qubit order ({_exchanged(qubits[0], 'qubits')})"
    if bits:
        return (
            f"bit order ({_exchanged(bits[0], 'bits')}) or "
            f"qubit order ({_exchanged(qubits[0], 'qubits')})"
        )
    return None


def _exchanged(order: Sequence[int], what: str) -> str:
    moved = [place for place, other in enumerate(order) if place != other]
    if len(moved) == 2:
        return f"{what} {moved[0]} and {moved[1]} are exchanged"
    if tuple(order) == tuple(range(len(order)))[::-1]:
        return f"{what} are reversed"
    return f"{what} {', '.join(map(str, range(len(order))))} arrive as {', '.join(map(str, order))}"
