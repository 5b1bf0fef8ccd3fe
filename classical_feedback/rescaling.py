"""Arithmetic on estimates: rescaling by known points, averaging over placements, step numbers.

**Rescaling.** If noise mixes the state with one of fixed value B, a circuit of n two-qubit gates
gives

    E_measured = A(n)·E_exact + (1 − A(n))·B,     A(n) = exp(−a₀ − a₁n − a₂n²)

Circuits of the same gates whose exact answer is known measure A and B: the evolution there and
back (an echo, which ends where it started), or at phase 0 (which never leaves the start). a₀ holds
what does not grow with the circuit (preparation, reading), a₂ errors that spread as the circuit
goes on. Then E = (E_measured − (1 − A)B)/A. (Echoes: B. Swingle and N. Yunger Halpern, Phys. Rev.
A 97, 062113 (2018); reference circuits with known answers: M. Urbanek et al., Phys. Rev. Lett.
127, 270502 (2021); A. Rahman et al., Phys. Rev. D 106, 074502 (2022).)

It assumes that noise acts on the reference as on the circuit itself. Phase 0 leaves a product
state that errors hardly spread in, so it tends to promise too much signal; an echo passes through
the states of the first half only, twice.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import least_squares

from .synapse import FeedbackError

__all__ = [
    "Mean",
    "Reference",
    "Rescaled",
    "StepChoice",
    "Survival",
    "choose_steps",
    "fit_survival",
    "mean_over_placements",
]

Array = NDArray[np.float64]
MIXED = 0.5  # fraction of ones in the maximally mixed state, and in its half of either parity


@dataclass(frozen=True)
class Reference:
    """A measured point whose answer is known: number of two-qubit gates, exact E, E ± stderr."""

    gates: int
    exact: float
    value: float
    stderr: float


@dataclass(frozen=True)
class Rescaled:
    """E corrected, with what it was corrected from and by.

    ``value`` may lie outside [0, 1] by its error: it is not clipped, or means would be biased.
    """

    value: float
    stderr: float
    raw_value: float
    raw_stderr: float
    survival: float
    asymptote: float


@dataclass(frozen=True)
class Survival:
    """A(n) and B with their covariance.

    Attributes:
        coefficients: a₀, a₁ … of −log A.
        asymptote: B.
        covariance: of (a₀, a₁, …, B); zero in B's row where B was given.
        chi2: of the fit, with the errors as they were given.
        dof: points less parameters.
        gates: smallest and largest number of gates among the references.
    """

    coefficients: Array
    asymptote: float
    covariance: Array
    chi2: float
    dof: int
    gates: tuple[int, int]

    def signal(self, gates: int) -> float:
        """A(n): the fraction of E − B that is left after ``gates`` two-qubit gates."""
        return math.exp(-float(np.polynomial.polynomial.polyval(gates, self.coefficients)))

    def correct(self, value: float, stderr: float, gates: int) -> Rescaled:
        """E = B + (value − B)/A with Var = σ²/A² + ∇E·C·∇E, C the covariance of A and B.

        References need not have the same number of gates; outside their range A is extrapolated.

        Raises:
            FeedbackError: if A is no larger than its own standard error: nothing is left to
                rescale.
        """
        a = self.signal(gates)
        powers = np.array([float(gates) ** k for k in range(self.coefficients.size)])
        size = self.coefficients.size
        relative = math.sqrt(max(0.0, powers @ self.covariance[:size, :size] @ powers))
        if relative >= 1:
            raise FeedbackError(
                f"gates: wanted so few that a signal is left, got {gates} with "
                f"A = {a:.3g} ± {a * relative:.3g}"
            )
        corrected = self.asymptote + (value - self.asymptote) / a
        gradient = np.append((corrected - self.asymptote) * powers, 1 - 1 / a)
        variance = (stderr / a) ** 2 + float(gradient @ self.covariance @ gradient)
        return Rescaled(corrected, math.sqrt(variance), value, stderr, a, self.asymptote)


def fit_survival(
    references: Sequence[Reference], *, asymptote: float | None = None, degree: int = 2
) -> Survival:
    """A(n) and B from points of known answer, by weighted least squares.

    B needs references of two different exact answers (0 and 1, from silent and from saturated);
    with one answer alone give it: ``MIXED``. The degree of log A in n is lowered where there are
    fewer different n than it needs. Where χ² exceeds the degrees of freedom, the covariance is
    scaled up by χ²/dof: the model then fits worse than the shots would let it.

    Args:
        references: at least as many as parameters, stderr > 0.
        asymptote: B, None to fit it.
        degree: of log A in the number of gates, 1 or 2.

    Raises:
        FeedbackError: for too few references, errors that are not positive, a degree other than 1
            or 2, references that do not determine A or B, or no signal in them.
    """
    if degree not in (1, 2):
        raise FeedbackError(f"degree: wanted 1 or 2, got {degree}")
    if not references:
        raise FeedbackError("references: wanted at least one, got none")
    n = np.array([float(point.gates) for point in references])
    exact = np.array([point.exact for point in references])
    value = np.array([point.value for point in references])
    error = np.array([point.stderr for point in references])
    if np.any(~np.isfinite(value)) or np.any(~np.isfinite(error)) or np.any(error <= 0):
        raise FeedbackError("references: wanted finite values and errors > 0")
    fitted = asymptote is None
    if fitted and np.unique(exact).size < 2:
        raise FeedbackError(
            "asymptote: wanted a number, since all references have the same exact answer"
        )
    order = min(degree, np.unique(n).size - 1)
    start_b = MIXED if asymptote is None else asymptote
    far = np.abs(exact - start_b) > 1e-9
    if not far.any():
        raise FeedbackError("references: wanted an exact answer other than the asymptote's")
    scale = max(n.max(), 1.0)
    powers = np.stack([(n / scale) ** k for k in range(order + 1)], axis=1)

    def model(parameters: Array) -> Array:
        a = np.exp(-np.clip(powers @ parameters[: order + 1], -50, 50))
        b = parameters[-1] if fitted else start_b
        return np.asarray(a * exact + (1 - a) * b)

    ratio = np.clip((value[far] - start_b) / (exact[far] - start_b), 1e-3, None)
    guess = np.linalg.lstsq(powers[far], -np.log(ratio), rcond=None)[0]
    start = np.append(guess, start_b) if fitted else guess
    if n.size < start.size:
        raise FeedbackError(f"references: wanted at least {start.size}, got {n.size}")
    fit = least_squares(
        lambda parameters: (model(parameters) - value) / error, start, x_scale="jac", method="lm"
    )
    information = fit.jac.T @ fit.jac
    if np.linalg.cond(information) > 1e13:
        raise FeedbackError("references: wanted points that determine A and B, got a singular fit")
    covariance = np.linalg.inv(information)
    dof = n.size - start.size
    chi2 = 2 * float(fit.cost)
    if dof > 0:
        covariance *= max(1.0, chi2 / dof)
    units = np.array([scale**-k for k in range(order + 1)] + ([1.0] if fitted else []))
    covariance *= np.outer(units, units)
    solution = fit.x * units
    if not fitted:
        covariance = np.pad(covariance, (0, 1))
    return Survival(
        coefficients=solution[: order + 1],
        asymptote=float(solution[-1]) if fitted else start_b,
        covariance=covariance,
        chi2=chi2,
        dof=dof,
        gates=(int(n.min()), int(n.max())),
    )


@dataclass(frozen=True)
class Mean:
    """Mean over placements: ``stderr`` from shots alone, ``scatter`` between the placements.

    ``scatter`` is their standard deviation over sqrt(k), nan for one; where it exceeds
    ``stderr``, places differ by more than their shots.
    """

    value: float
    stderr: float
    scatter: float

    @property
    def error(self) -> float:
        """The larger of the two."""
        return max(self.stderr, self.scatter) if self.scatter == self.scatter else self.stderr


def mean_over_placements(values: ArrayLike, stderr: ArrayLike) -> Mean:
    """Plain mean of estimates from k placements of one circuit, shape (k,).

    Equal weights: what differs between places is bias more than shots.

    Raises:
        FeedbackError: for none, or shapes that differ.
    """
    val, err = (np.atleast_1d(np.asarray(x, dtype=float)) for x in (values, stderr))
    if val.ndim != 1 or val.shape != err.shape or not val.size:
        raise FeedbackError(
            f"values, stderr: wanted one shape (k,), k >= 1, got {val.shape} and {err.shape}"
        )
    scatter = float(val.std(ddof=1) / math.sqrt(val.size)) if val.size > 1 else math.nan
    return Mean(float(val.mean()), float(np.linalg.norm(err) / val.size), scatter)


@dataclass(frozen=True)
class StepChoice:
    """Number of Trotter steps, and the expected error of every candidate: K → (total, trotter,
    gates), total² = trotter² + gates².
    """

    steps: int
    expected: Mapping[int, tuple[float, float, float]]


def choose_steps(
    gate_infidelity_per_step: float,
    predicted_trotter_errors: Mapping[int, float],
    *,
    amplitude: float = 0.25,
    residual: float = 1.0,
    shot_error: float = 0.0,
) -> StepChoice:
    """Trotter steps K of the least expected total error.

    With F = (1 − ε)^K for the signal left after K steps of infidelity ε,

        total(K)² = trotter(K)² + (residual·amplitude·(1 − F))² + (shot_error/F^m)²

    where m = 1 if the signal is rescaled (residual < 1), else 0. Gate errors pull E towards the
    mixed value, by (1 − F)·|E − B|; mitigation leaves the part ``residual`` of that and pays in
    shot noise. Equal totals go to the smaller K.

    Args:
        gate_infidelity_per_step: ε in [0, 1), 1 − expected fidelity of one step's gates.
        predicted_trotter_errors: K → error of E by the formula alone.
        amplitude: typical |E − B|: 0.25 where E wanders over [0, 1] about B = ½; where E is
            predicted beforehand, its own.
        residual: part of the gates' error that mitigation leaves, in [0, 1].
        shot_error: standard error of E by shots.

    Raises:
        FeedbackError: for numbers outside these ranges, or no candidates.
    """
    if not predicted_trotter_errors or min(predicted_trotter_errors) < 0:
        raise FeedbackError(
            f"predicted_trotter_errors: wanted numbers of steps >= 0 with their errors, "
            f"got {dict(predicted_trotter_errors)}"
        )
    if not 0 <= gate_infidelity_per_step < 1:
        raise FeedbackError(
            f"gate_infidelity_per_step: wanted a number in [0, 1), got {gate_infidelity_per_step}"
        )
    if not 0 <= residual <= 1 or amplitude < 0 or shot_error < 0:
        raise FeedbackError(
            "residual, amplitude, shot_error: wanted 0 <= residual <= 1 and the others >= 0, "
            f"got {residual}, {amplitude}, {shot_error}"
        )
    expected = {}
    for steps, trotter in sorted(predicted_trotter_errors.items()):
        left = (1 - gate_infidelity_per_step) ** steps
        noise = shot_error / left if residual < 1 else shot_error
        gates = math.hypot(residual * amplitude * (1 - left), noise)
        expected[steps] = (math.hypot(trotter, gates), float(trotter), gates)
    return StepChoice(min(expected, key=lambda steps: (expected[steps][0], steps)), expected)
