"""The CHSH value and no-signalling from counts, with what their scatter allows one to say.

Counts n[x, y, α, β] say how often the bits α of the first side and β of the second came at its
setting x and at the other's setting y. Trials at the same pair of settings are independent draws
from one distribution: so it is for a fresh pair in every tick, whatever chose the settings, as long
as the choice was made without knowledge of that pair. Signs are (−1)^bit, and

    Ê_xy = Σ (−1)^(α+β) n[x, y, α, β] / n[x, y],    S = Ê₀₀ + Ê₀₁ + Ê₁₀ − Ê₁₁.

No-signalling says that a side's bit does not depend on the other's setting: P(α | x, y) is the same
for all y. An entangled pair obeys it, a spike that travels does not.

Sources: J. F. Clauser, M. A. Horne, A. Shimony and R. A. Holt, Phys. Rev. Lett. 23, 880 (1969); the
tests are Pearson's, Rao's and Welch's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri
from scipy.stats import chi2, ttest_ind

from .bell import CHSH, SIGNS, BellError

__all__ = [
    "ChshEstimate",
    "NoSignalling",
    "RateTest",
    "compare_mean_rates",
    "compare_rates",
    "estimate_chsh",
    "no_signalling",
    "setting_counts",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class ChshEstimate:
    """S from counts.

    Attributes:
        value: S.
        stderr: its standard error.
        low: lower end of the confidence interval.
        high: upper end.
        correlators: (2, 2) Ê_xy.
        correlator_stderr: (2, 2).
        trials: (2, 2) number of trials at each pair of settings.
    """

    value: float
    stderr: float
    low: float
    high: float
    correlators: FloatArray
    correlator_stderr: FloatArray
    trials: IntArray


@dataclass(frozen=True)
class NoSignalling:
    """Tests of no-signalling.

    Attributes:
        p_value: of both directions together.
        statistic: its χ².
        dof: its degrees of freedom.
        p_first: of the first side's bit against the second's setting (Pearson); nan if the second
            side has one setting only.
        p_second: the other way round.
    """

    p_value: float
    statistic: float
    dof: int
    p_first: float
    p_second: float


@dataclass(frozen=True)
class RateTest:
    """Difference of a neuron's rate under two drives of its partner, first minus second.

    Attributes:
        difference: in spikes a tick.
        stderr: its standard error.
        p_value: two-sided.
    """

    difference: float
    stderr: float
    p_value: float


def setting_counts(
    settings: ArrayLike, outcomes: ArrayLike, sizes: tuple[int, int] = (2, 2)
) -> IntArray:
    """Count outcomes at each pair of settings.

    Args:
        settings: index of each side's setting, whole numbers of shape (…, 2).
        outcomes: bits of the same shape.
        sizes: numbers of settings X and Y.

    Returns:
        Shape (X, Y, 2, 2).

    Raises:
        BellError: shapes that differ, indices outside X and Y, outcomes other than 0 and 1.
    """
    x, o = np.asarray(settings), np.asarray(outcomes)
    if x.ndim == 0 or x.shape[-1] != 2 or x.size == 0:
        raise BellError(f"settings: wanted shape (..., 2), not empty, got {x.shape}")
    if o.shape != x.shape:
        raise BellError(f"outcomes: wanted the settings' shape {x.shape}, got {o.shape}")
    for side, size in enumerate(sizes):
        for name, values, top in (("settings", x, size), ("outcomes", o, 2)):
            given = values[..., side]
            if given.dtype.kind not in "iub" or given.min() < 0 or given.max() >= top:
                raise BellError(
                    f"{name}: wanted whole numbers in 0..{top - 1} of side {side}, "
                    f"got {given.min()} to {given.max()}"
                )
    shape = (sizes[0], sizes[1], 2, 2)
    # small integers would overflow
    place = x[..., 0].astype(np.int64)
    for part, size in ((x[..., 1], sizes[1]), (o[..., 0], 2), (o[..., 1], 2)):
        place = place * size + part
    return np.bincount(place.ravel(), minlength=int(np.prod(shape))).reshape(shape)


def estimate_chsh(counts: ArrayLike, *, level: float = 0.95) -> ChshEstimate:
    """S with its standard error and a normal confidence interval.

    Var S = Σ_xy (1 − Ẽ²)/n[x, y]: the correlators are means over different trials, so S has no
    other term to first order. In the variance only, Ẽ counts half a trial more of equal and of
    unequal bits, for a correlator seen as ±1 is not certain to be.

    Args:
        counts: (2, 2, 2, 2), at least one trial at each pair of settings.
        level: coverage of the interval, in (0, 1).

    Raises:
        BellError: no such counts, or a level outside (0, 1).
    """
    n = _checked(counts)
    if n.shape[:2] != (2, 2):
        raise BellError(f"counts: wanted two settings a side, got {n.shape[:2]}")
    if not 0 < level < 1:
        raise BellError(f"level: wanted a number between 0 and 1, got {level}")
    trials = n.sum(axis=(2, 3))
    difference = np.einsum("xyij,i,j->xy", n, SIGNS, SIGNS)
    values = difference / trials
    spread = np.sqrt((1 - (difference / (trials + 1)) ** 2) / trials)
    value = float(np.sum(np.asarray(CHSH) * values))
    stderr = float(np.sqrt(np.sum(spread**2)))
    reach = float(ndtri((1 + level) / 2)) * stderr
    return ChshEstimate(value, stderr, value - reach, value + reach, values, spread, trials)


def no_signalling(counts: ArrayLike) -> NoSignalling:
    """Whether each side's bit is independent of the other side's setting.

    Each direction by itself is Pearson's χ² of the tables (bit, other's setting), one for each own
    setting, added up. The two directions share their trials, and correlated bits make them
    dependent; together they are tested by the χ² of all differences of means, with the
    covariances that the counts show about the means that no-signalling leaves (a score test). All
    need some tens of trials at each pair of settings.

    Args:
        counts: (X, Y, 2, 2), at least one trial at each pair of settings, two settings or more
            on a side.

    Raises:
        BellError: no such counts.
    """
    n = _checked(counts)
    x, y = n.shape[:2]
    if x == y == 1:
        raise BellError("counts: wanted two settings or more on a side, got (1, 1)")
    first = _direction(n.sum(axis=3))
    second = _direction(n.sum(axis=2).transpose(1, 0, 2))
    statistic, dof = _score(n)
    p = float(chi2.sf(statistic, dof)) if dof else 1.0
    return NoSignalling(p, statistic, dof, first, second)


def compare_rates(first: ArrayLike, second: ArrayLike) -> RateTest:
    """Whether a neuron's rate changed, from its spikes in two runs with independent seeds.

    The neuron whose partner's drive was changed between the runs, and whose own was not: an
    entangled partner leaves its rate alone. Welch's test over pairs, whose rates are independent.

    Args:
        first: zeros and ones, shape (tick, pair), two pairs or more.
        second: the same of the other run.

    Raises:
        BellError: spikes of another shape.
    """
    rates = []
    for name, given in (("first", first), ("second", second)):
        spikes = np.asarray(given, dtype=np.float64)
        if spikes.ndim != 2 or len(spikes) == 0 or spikes.shape[1] < 2:
            raise BellError(f"{name}: wanted shape (ticks, two pairs or more), got {spikes.shape}")
        rates.append(spikes.mean(axis=0))
    return compare_mean_rates(*rates)


def compare_mean_rates(first: ArrayLike, second: ArrayLike) -> RateTest:
    """:func:`compare_rates` of spikes a tick of each pair, shape (pairs,), two pairs or more."""
    rates = [np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)]
    difference = float(rates[0].mean() - rates[1].mean())
    stderr = float(np.sqrt(sum(r.var(ddof=1) / len(r) for r in rates)))
    if stderr == 0:  # all pairs alike, as without noise
        return RateTest(difference, stderr, 1.0 if difference == 0 else 0.0)
    return RateTest(difference, stderr, float(ttest_ind(*rates, equal_var=False).pvalue))


def _direction(n: IntArray) -> float:
    """p of Pearson's χ² of bits against the other's setting; n is (own, other, bit)."""
    statistic, dof = 0.0, 0
    for table in n:
        bits = table.sum(axis=0)
        if len(table) < 2 or not bits.all():
            # a bit that never came depends on nothing
            continue
        wanted = np.outer(table.sum(axis=1), bits) / table.sum()
        statistic += float(((table - wanted) ** 2 / wanted).sum())
        dof += len(table) - 1
    if n.shape[1] < 2:
        return float("nan")
    return float(chi2.sf(statistic, dof)) if dof else 1.0


def _score(n: IntArray) -> tuple[float, int]:
    """χ² and degrees of freedom of all differences of P(bit = 1) between the other's settings."""
    x, y = n.shape[:2]
    trials = n.sum(axis=(2, 3))
    first, second = n[:, :, 1].sum(axis=2), n[:, :, :, 1].sum(axis=2)
    ones = np.stack([first, second], axis=-1) / trials[..., None]
    # what no-signalling makes of the means: one for each own setting
    a, b = first.sum(axis=1) / trials.sum(axis=1), second.sum(axis=0) / trials.sum(axis=0)
    bits = np.array([0.0, 1.0])
    spread = np.zeros((x, y, 2, x, y, 2))
    for i in range(x):
        for j in range(y):
            off = np.stack(np.meshgrid(bits - a[i], bits - b[j], indexing="ij"))
            block = np.einsum("kab,lab,ab->kl", off, off, n[i, j])
            spread[i, j, :, i, j, :] = block / trials[i, j] ** 2
    rows = []
    for i in range(x):
        for j in range(1, y):
            row = np.zeros((x, y, 2))
            row[i, j, 0], row[i, 0, 0] = 1.0, -1.0
            rows.append(row.ravel())
    for j in range(y):
        for i in range(1, x):
            row = np.zeros((x, y, 2))
            row[i, j, 1], row[0, j, 1] = 1.0, -1.0
            rows.append(row.ravel())
    contrasts = np.array(rows)
    difference = contrasts @ ones.ravel()
    size = 2 * x * y
    covariance = contrasts @ spread.reshape(size, size) @ contrasts.T
    values, vectors = np.linalg.eigh(covariance)
    # bits that never change, or always change together, leave nothing to test in some directions
    known = values > 1e-12 * max(values[-1], 1e-300)
    along = vectors[:, known].T @ difference
    return float((along**2 / values[known]).sum()), int(known.sum())


def _checked(counts: ArrayLike) -> IntArray:
    n = np.asarray(counts)
    if n.ndim != 4 or n.shape[2:] != (2, 2) or 0 in n.shape or n.dtype.kind not in "iu":
        raise BellError(f"counts: wanted whole numbers, shape (X, Y, 2, 2), got {n.shape}")
    if n.min() < 0:
        raise BellError(f"counts: wanted numbers >= 0, got {n.min()}")
    empty = np.argwhere(n.sum(axis=(2, 3)) == 0)
    if len(empty):
        where = tuple(int(i) for i in empty[0])
        raise BellError(f"counts: wanted trials at each pair of settings, got none at {where}")
    return n.astype(np.int64)
