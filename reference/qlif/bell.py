"""What a shared pair can show: correlators, the CHSH value, local models, no-signalling.

The pair is v|ψ⟩⟨ψ| + (1−v) 1/4 with |ψ⟩ = cosφ|00⟩ + sinφ|11⟩, 0 ≤ φ ≤ π/2, and visibility v. A
setting α measures cosα Z + sinα X. Bits are 0 for the eigenvalue +1 and 1 for −1:

    ⟨A⟩ = v cos2φ cos a,    ⟨B⟩ = v cos2φ cos b,
    E(a,b) = v (cos a cos b + sin2φ sin a sin b),
    P(α, β | a, b) = (1 + (−1)^α ⟨A⟩ + (−1)^β ⟨B⟩ + (−1)^(α+β) E)/4.

With two settings a side, x and y, the value of Clauser, Horne, Shimony and Holt is

    S = E₀₀ + E₀₁ + E₁₀ − E₁₁,

at most 2 for every model in which the bits follow from what both sides shared beforehand and from
the own setting (a local model), and at most 2√(1 + sin²2φ) for the pair. A table is P of the bits
given the settings, of shape (X, Y, 2, 2): setting and bit of the first side and of the second.

Sources: J. F. Clauser, M. A. Horne, A. Shimony and R. A. Holt, Phys. Rev. Lett. 23, 880 (1969);
A. Fine, Phys. Rev. Lett. 48, 291 (1982), local models and the inequality; N. Gisin, Phys. Lett. A
154, 201 (1991), and R., P. and M. Horodecki, Phys. Lett. A 200, 340 (1995), the largest S of a
state; R. F. Werner, Phys. Rev. A 40, 4277 (1989), the mixture.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linprog

__all__ = [
    "BellError",
    "LocalModel",
    "chsh_value",
    "correlator",
    "joint",
    "largest_chsh",
    "local_bound",
    "local_model",
    "marginal",
    "optimal_settings",
    "pair_table",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

CHSH = ((1.0, 1.0), (1.0, -1.0))
SIGNS = np.array([1.0, -1.0])
# strategies of a local model: 2^(X+Y)
MOST_SETTINGS = 10


class BellError(ValueError):
    """Correlations that make no sense; the message names the argument."""


def correlator(
    phi: ArrayLike, a: ArrayLike, b: ArrayLike, visibility: ArrayLike = 1.0
) -> FloatArray:
    """E(a,b) = v (cos a cos b + sin2φ sin a sin b), the mean of (−1)^(bit A + bit B).

    Args:
        phi: φ in [0, π/2], radians; all arguments broadcast.
        a: setting of the first side, radians.
        b: setting of the second.
        visibility: v in [0, 1].

    Raises:
        BellError: φ or v outside its range, settings that are not finite.
    """
    phi, v, a, b = _checked(phi, visibility, a=a, b=b)
    return np.asarray(v * (np.cos(a) * np.cos(b) + np.sin(2 * phi) * np.sin(a) * np.sin(b)))


def marginal(phi: ArrayLike, a: ArrayLike, visibility: ArrayLike = 1.0) -> FloatArray:
    """⟨A⟩ = v cos2φ cos a, the mean of (−1)^bit of a side; P(bit = 1) = (1 − ⟨A⟩)/2.

    Arguments as of :func:`correlator`. Raises ``BellError``.
    """
    phi, v, a = _checked(phi, visibility, a=a)
    return np.asarray(v * np.cos(2 * phi) * np.cos(a))


def joint(phi: ArrayLike, a: ArrayLike, b: ArrayLike, visibility: ArrayLike = 1.0) -> FloatArray:
    """P(bit A, bit B) at settings a and b: shape (…, 2, 2), … that of the arguments together.

    Arguments as of :func:`correlator`. Raises ``BellError``.
    """
    # the correlator checks both settings by their names
    both = correlator(phi, a, b, visibility)
    first, second = marginal(phi, a, visibility), marginal(phi, b, visibility)
    first, second, both = (x[..., None, None] for x in np.broadcast_arrays(first, second, both))
    left, right = SIGNS[:, None], SIGNS
    found = (1 + left * first + right * second + left * right * both) / 4
    # rounding makes a probability of 0 negative
    return np.asarray(np.maximum(found, 0.0))


def pair_table(
    phi: float, first: ArrayLike, second: ArrayLike, visibility: float = 1.0
) -> FloatArray:
    """P of the bits at all pairs of settings: shape (X, Y, 2, 2).

    Args:
        phi: φ in [0, π/2], radians.
        first: settings of the first side, radians, shape (X,).
        second: of the second, shape (Y,).
        visibility: v in [0, 1].

    Raises:
        BellError: φ or v outside its range, settings that are not finite or not one axis.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    for name, angles in (("first", a), ("second", b)):
        if angles.ndim != 1 or len(angles) == 0:
            raise BellError(f"{name}: wanted one axis of settings, got shape {angles.shape}")
    return joint(phi, a[:, None], b[None, :], visibility)


def chsh_value(table: ArrayLike) -> float:
    """S = E₀₀ + E₀₁ + E₁₀ − E₁₁ of a table with two settings a side, shape (2, 2, 2, 2).

    Raises:
        BellError: no table, or other numbers of settings.
    """
    found = checked_table(table)
    if found.shape[:2] != (2, 2):
        raise BellError(f"table: wanted two settings a side, got {found.shape[:2]}")
    return float(np.sum(np.asarray(CHSH) * _correlators(found)))


def optimal_settings(phi: float) -> tuple[tuple[float, float], tuple[float, float]]:
    """The settings of both sides with the largest S: (0, π/2) and (χ, −χ), tan χ = sin2φ.

    S = 2 (cos χ + sin2φ sin χ) v, which these make 2√(1 + sin²2φ) v. At φ = π/4, χ = π/4. Raises
    ``BellError`` for φ outside [0, π/2].
    """
    state, _ = _checked(phi, 1.0)
    chi = math.atan(math.sin(2 * float(state)))
    return (0.0, math.pi / 2), (chi, -chi)


def largest_chsh(phi: ArrayLike, visibility: ArrayLike = 1.0) -> FloatArray:
    """The largest S over all settings: 2v√(1 + sin²2φ).

    That is 2√(t₁ + t₂), t₁ and t₂ the largest eigenvalues of TᵀT, T = v diag(sin2φ, −sin2φ, 1) the
    correlation matrix (Horodecki 1995). Up to 2 no inequality is broken. Raises ``BellError``.
    """
    state, v = _checked(phi, visibility)
    return np.asarray(2 * v * np.sqrt(1 + np.sin(2 * state) ** 2))


def local_bound(coefficients: ArrayLike = CHSH) -> float:
    """The largest Σ c_xy E_xy of a local model, by trying all deterministic strategies.

    A strategy gives a sign to each setting, A_x and B_y, and mixtures of strategies do no better
    than the best of them. With the signs of S there are 16, each with S = ±2, and the bound is 2.

    Args:
        coefficients: c, shape (X, Y), X + Y at most 10.

    Raises:
        BellError: no matrix of finite numbers, or too many settings.
    """
    c = np.asarray(coefficients, dtype=np.float64)
    if c.ndim != 2 or 0 in c.shape or not np.isfinite(c).all():
        raise BellError(f"coefficients: wanted a matrix of finite numbers, got shape {c.shape}")
    if sum(c.shape) > MOST_SETTINGS:
        raise BellError(
            f"coefficients: wanted at most {MOST_SETTINGS} settings in all, got {sum(c.shape)}"
        )
    signs = 1.0 - 2 * _strategies(sum(c.shape))
    a, b = signs[:, : len(c)], signs[:, len(c) :]
    return float(np.einsum("lx,xy,ly->l", a, c, b).max())


@dataclass(frozen=True)
class LocalModel:
    """Shared randomness and a deterministic answer of each side to its own setting.

    Attributes:
        weights: (L,) probability of each strategy.
        first: (L, X) bit of the first side at each of its settings.
        second: (L, Y) of the second.
        distance: largest difference of a correlator from the one that was wanted.
    """

    weights: FloatArray
    first: IntArray
    second: IntArray
    distance: float

    def table(self) -> FloatArray:
        """P of the bits given the settings, shape (X, Y, 2, 2)."""
        a, b = (np.stack([1 - bits, bits], axis=-1) for bits in (self.first, self.second))
        return np.asarray(np.einsum("l,lxi,lyj->xyij", self.weights, a, b))


def local_model(table: ArrayLike) -> LocalModel:
    """The local model with a table's marginals whose correlators come nearest to the table's.

    Nearest: the largest |E_xy − Ê_xy| over all pairs of settings is smallest (a linear program
    over the strategies). It is 0 exactly if the table is local itself, as it always is with one
    setting on a side; a table with S > 2 is (S − 2)/4 away or more, and a model at that distance
    has S = 2. Strategies are ordered by the first side's bits, ones first, then the second's.

    Args:
        table: P of the bits given the settings, (X, Y, 2, 2), X + Y at most 10; non-signalling.

    Raises:
        BellError: no such table.
    """
    wanted = checked_table(table)
    x, y = wanted.shape[:2]
    if x + y > MOST_SETTINGS:
        raise BellError(f"table: wanted at most {MOST_SETTINGS} settings in all, got {x + y}")
    left, right = _marginals(wanted)
    if np.abs(left - left[:, :1]).max() > 1e-9 or np.abs(right - right[:1]).max() > 1e-9:
        raise BellError("table: wanted marginals that depend on the own setting only")
    bits = _strategies(x + y)
    first, second = bits[:, :x], bits[:, x:]
    a, b = 1.0 - 2 * first, 1.0 - 2 * second
    products = np.einsum("lx,ly->xyl", a, b).reshape(x * y, -1)
    goal = _correlators(wanted).reshape(-1)
    # unknowns: the weights and, last, the distance, which is to be small
    margins = np.vstack([a.T, b.T, np.ones(len(bits))])
    edge = np.ones((x * y, 1))
    found = linprog(
        np.append(np.zeros(len(bits)), 1.0),
        A_ub=np.block([[products, -edge], [-products, -edge]]),
        b_ub=np.concatenate([goal, -goal]),
        A_eq=np.hstack([margins, np.zeros((len(margins), 1))]),
        b_eq=np.concatenate([left[:, 0], right[0], [1.0]]),
        method="highs",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    if not found.success:
        raise BellError(f"table: no local model was found ({found.message})")
    weights = np.maximum(found.x[:-1], 0.0)
    used = weights > 0
    weights = weights[used] / weights.sum()
    model = LocalModel(weights, first[used], second[used], 0.0)
    distance = float(np.abs(_correlators(model.table()) - _correlators(wanted)).max())
    return LocalModel(weights, first[used], second[used], distance)


def checked_table(table: ArrayLike) -> FloatArray:
    """P of the bits given the settings, (X, Y, 2, 2); ``BellError`` if it is none."""
    found = np.asarray(table, dtype=np.float64)
    if found.ndim != 4 or found.shape[2:] != (2, 2) or 0 in found.shape:
        raise BellError(f"table: wanted shape (X, Y, 2, 2), got {found.shape}")
    if not (found >= 0).all() or np.abs(found.sum(axis=(2, 3)) - 1).max() > 1e-9:
        raise BellError("table: wanted probabilities that sum to 1 at each pair of settings")
    return found


def _correlators(table: FloatArray) -> FloatArray:
    return np.asarray(np.einsum("xyij,i,j->xy", table, SIGNS, SIGNS))


def _marginals(table: FloatArray) -> tuple[FloatArray, FloatArray]:
    """⟨A⟩ and ⟨B⟩ at each pair of settings, both (X, Y)."""
    return np.einsum("xyij,i->xy", table, SIGNS), np.einsum("xyij,j->xy", table, SIGNS)


def _strategies(settings: int) -> IntArray:
    """All ways to answer, bits of shape (2^settings, settings); ones come first."""
    return np.array(list(itertools.product((1, 0), repeat=settings)), dtype=np.int64)


def _checked(phi: ArrayLike, visibility: ArrayLike, **angles: ArrayLike) -> list[FloatArray]:
    state, v = np.asarray(phi, dtype=np.float64), np.asarray(visibility, dtype=np.float64)
    wrong = ~((state >= 0) & (state <= math.pi / 2))
    if wrong.any():
        raise BellError(f"phi: wanted an angle in [0, pi/2], got {state[wrong].flat[0]:g}")
    wrong = ~((v >= 0) & (v <= 1))
    if wrong.any():
        raise BellError(f"visibility: wanted a number in [0, 1], got {v[wrong].flat[0]:g}")
    found = [state, v]
    for name, given in angles.items():
        values = np.asarray(given, dtype=np.float64)
        if not np.isfinite(values).all():
            raise BellError(f"{name}: wanted finite angles, got nan or inf")
        found.append(values)
    return found
