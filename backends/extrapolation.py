"""Zero-noise extrapolation: from E(λ) ± σ at noise scales λ >= 1 to λ = 0.

    linear       E(λ) = E₀ + E₁λ
    quadratic    E(λ) = E₀ + E₁λ + E₂λ²      (Richardson's extrapolation with three scales)
    exponential  E(λ) = B + (E₀ − B) e^{−cλ}, c >= 0, with the asymptote B given

each by weighted least squares, weights 1/σ² (K. Temme, S. Bravyi and J. M. Gambetta, Phys. Rev.
Lett. 119, 180509 (2017); S. Endo, S. C. Benjamin and Y. Li, Phys. Rev. X 8, 031027 (2018)).

The error bar has two parts, added in quadrature: what the shots' noise (and the asymptote's) does
to E₀ within the model chosen, and the largest difference between it and any other admissible
model. No model is known to be right, and three scales hardly tell them apart; with an error bar of
shots alone an extrapolated value claims what it cannot know. Still no bound: if all models are
wrong in the same direction, so is their difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar
from scipy.stats import chi2 as chi2_distribution

from .errors import BackendError

__all__ = ["MODELS", "Extrapolation", "ModelFit", "extrapolate", "fit_model"]

Array = NDArray[np.float64]

MODELS = ("exponential", "linear", "quadratic")
_DEGREES = {"linear": 1, "quadratic": 2}
_MAX_DECAY = 5.0  # e^{-5λ}: nothing of the signal is left at λ = 1


@dataclass(frozen=True)
class ModelFit:
    """One model's answer: E₀, its standard error from shots, and how well it fits.

    ``p_value`` is the chance of a larger χ² under the model; 1 where no degree of freedom is left.
    """

    model: str
    value: float
    stderr: float
    chi2: float
    dof: int
    p_value: float


@dataclass(frozen=True)
class Extrapolation:
    """E at zero noise.

    Attributes:
        value: of the model chosen.
        stderr: sqrt(statistical² + spread²).
        statistical: from shots, and from the asymptote's error.
        spread: largest difference to another admissible model; 0 if there is no other.
        model: the one chosen.
        fits: all that could be fitted, admissible or not.
        admissible: names of those that were admissible.
        raw_value, raw_stderr: the measurement at the smallest scale.
    """

    value: float
    stderr: float
    statistical: float
    spread: float
    model: str
    fits: tuple[ModelFit, ...]
    admissible: tuple[str, ...]
    raw_value: float
    raw_stderr: float


def extrapolate(
    scales: ArrayLike,
    values: ArrayLike,
    stderr: ArrayLike,
    *,
    models: Sequence[str] = MODELS,
    asymptote: float | None = None,
    asymptote_stderr: float = 0.0,
    bounds: tuple[float, float] = (-np.inf, np.inf),
    significance: float = 0.01,
) -> Extrapolation:
    """E at λ = 0 by the first admissible of ``models``, with an error bar that doubts the choice.

    A model is admissible if there are points enough for it, its χ² is not worse than
    ``significance`` allows, and its E₀ is within ``bounds`` to three standard errors. If none is,
    the one of the best χ² is taken, and the others all count in the spread. Models keep the order
    given: nothing is chosen by what value comes out. A model that amplifies the shots' noise (a
    parabola through three near scales) widens the bar for that alone; leave it out of ``models``
    where its assumption is not in question.

    Args:
        scales: (m,) noise scales λ >= 1, two different ones at least.
        values: (m,) E(λ).
        stderr: (m,) standard errors, all > 0.
        models: names out of ``MODELS``, most trusted first.
        asymptote: B, where everything is lost to noise (½ for an excitation: the maximally mixed
            state; of either parity too); without it the exponential is left out.
        asymptote_stderr: how far B may be off (one standard deviation).
        bounds: smallest and largest value that E can have.
        significance: of the χ² test.

    Raises:
        BackendError: for arrays that do not fit together, scales below 1 or all the same, errors
            that are not positive, unknown models, or if no model could be fitted.
    """
    lam, val, err = _checked(scales, values, stderr)
    unknown = sorted(set(models) - set(MODELS))
    if unknown or not models:
        raise BackendError(f"models: wanted names out of {', '.join(MODELS)}, got {list(models)}")
    fits = tuple(
        fit
        for model in models
        if (fit := fit_model(model, lam, val, err, asymptote, asymptote_stderr)) is not None
    )
    if not fits:
        raise BackendError(
            f"scales: wanted enough points for one of {', '.join(models)}, got {lam.size}"
        )
    low, high = bounds
    admissible = [
        fit
        for fit in fits
        if fit.p_value >= significance
        and low - 3 * fit.stderr <= fit.value <= high + 3 * fit.stderr
    ]
    chosen = admissible[0] if admissible else max(fits, key=lambda fit: fit.p_value)
    others = admissible or fits
    spread = max(abs(fit.value - chosen.value) for fit in others)
    first = int(np.argmin(lam))
    return Extrapolation(
        value=chosen.value,
        stderr=float(np.hypot(chosen.stderr, spread)),
        statistical=chosen.stderr,
        spread=spread,
        model=chosen.model,
        fits=fits,
        admissible=tuple(fit.model for fit in admissible),
        raw_value=float(val[first]),
        raw_stderr=float(err[first]),
    )


def fit_model(
    model: str,
    scales: ArrayLike,
    values: ArrayLike,
    stderr: ArrayLike,
    asymptote: float | None = None,
    asymptote_stderr: float = 0.0,
) -> ModelFit | None:
    """One model's weighted least squares; None where the points do not determine it.

    Arguments as of :func:`extrapolate`. The exponential is undetermined where no asymptote is
    given, and where E(λ) cannot be told from it.

    Raises:
        BackendError: as :func:`extrapolate`.
    """
    lam, val, err = _checked(scales, values, stderr)
    if model in _DEGREES:
        return _polynomial(model, lam, val, err)
    if model != "exponential":
        raise BackendError(f"model: wanted one of {', '.join(MODELS)}, got {model!r}")
    if asymptote is None:
        return None
    fit = _exponential(lam, val, err, asymptote)
    if fit is None or asymptote_stderr == 0:
        return fit
    shifted = [
        other.value
        for sign in (-1, 1)
        if (other := _exponential(lam, val, err, asymptote + sign * asymptote_stderr)) is not None
    ]
    swing = max((abs(value - fit.value) for value in shifted), default=0.0)
    return ModelFit(
        fit.model, fit.value, float(np.hypot(fit.stderr, swing)), fit.chi2, fit.dof, fit.p_value
    )


def _polynomial(model: str, lam: Array, val: Array, err: Array) -> ModelFit | None:
    degree = _DEGREES[model]
    if np.unique(lam).size <= degree:
        return None
    design = np.vander(lam, degree + 1, increasing=True) / err[:, None]
    inverse = np.linalg.pinv(design)
    solution = inverse @ (val / err)
    residual = val / err - design @ solution
    return _fit(model, solution[0], float(np.linalg.norm(inverse[0])), residual, degree + 1)


def _exponential(lam: Array, val: Array, err: Array, asymptote: float) -> ModelFit | None:
    signal = val - asymptote

    def amplitude(decay: ArrayLike) -> Array:
        shape = np.exp(-np.multiply.outer(decay, lam))
        return np.asarray((shape / err**2) @ signal / ((shape / err) ** 2).sum(-1))

    def loss(decay: ArrayLike) -> Array:
        curve = amplitude(decay)[..., None] * np.exp(-np.multiply.outer(decay, lam))
        return np.asarray((((signal - curve) / err) ** 2).sum(-1))

    # one parameter is left once the best amplitude is put in; the grid finds the right valley
    grid = np.linspace(0.0, _MAX_DECAY, 101)
    best = int(np.argmin(loss(grid)))
    if best == grid.size - 1:
        return None
    low, high = grid[max(best - 1, 0)], grid[best + 1]
    decay = float(
        minimize_scalar(
            lambda x: float(loss(x)), bounds=(low, high), method="bounded", options={"xatol": 1e-8}
        ).x
    )
    if loss(0.0) <= loss(decay):
        decay = 0.0
    size = float(amplitude(decay))
    shape = np.exp(-decay * lam)
    jacobian = np.stack([shape, -size * lam * shape], axis=1) / err[:, None]
    information = jacobian.T @ jacobian
    if size == 0 or np.linalg.cond(information) > 1e12:
        return None
    error = float(np.sqrt(np.linalg.inv(information)[0, 0]))
    if abs(size) <= error:
        return None
    return _fit("exponential", asymptote + size, error, (signal - size * shape) / err, 2)


def _fit(model: str, value: float, error: float, residual: Array, parameters: int) -> ModelFit:
    dof = residual.size - parameters
    total = float(residual @ residual)
    p_value = float(chi2_distribution.sf(total, dof)) if dof > 0 else 1.0
    return ModelFit(model, float(value), error, total, dof, p_value)


def _checked(scales: ArrayLike, values: ArrayLike, stderr: ArrayLike) -> tuple[Array, Array, Array]:
    lam, val, err = (np.atleast_1d(np.asarray(x, dtype=float)) for x in (scales, values, stderr))
    if lam.ndim != 1 or lam.shape != val.shape or lam.shape != err.shape:
        raise BackendError(
            f"scales, values, stderr: wanted one shape (m,), "
            f"got {lam.shape}, {val.shape}, {err.shape}"
        )
    if np.any(~np.isfinite(lam)) or np.any(lam < 1) or np.unique(lam).size < 2:
        raise BackendError(f"scales: wanted numbers >= 1, two different ones, got {lam.tolist()}")
    if np.any(~np.isfinite(val)):
        raise BackendError(f"values: wanted finite numbers, got {val.tolist()}")
    if np.any(~np.isfinite(err)) or np.any(err <= 0):
        raise BackendError(f"stderr: wanted numbers > 0, got {err.tolist()}")
    return lam, val, err
