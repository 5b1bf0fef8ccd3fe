"""A quantum state and its synapses integrated together, from one jump of the field to the next."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable

import numpy as np
from scipy.integrate import solve_ivp

from .hamiltonian import ComplexArray, FloatArray, ModelError
from .synaptic_clock import IntegrationError, Law

__all__ = ["checked_explicit", "integrate", "law_slopes", "starting_values"]


def checked_explicit(law: Law, times: FloatArray) -> None:
    """Refuse τ so short that an explicit integrator would take for ever.

    Raises:
        ModelError: 0 < τ < 1e-5 of the duration.
    """
    least = 1e-5 * float(times[-1])
    for name in ("tau_r", "tau_f"):
        if 0 < getattr(law, name) < least:
            raise ModelError(f"{name}: wanted 0 or at least {least:.3g}, got {getattr(law, name)}")


def starting_values(law: Law) -> tuple[float, float]:
    """r and U at t = 0; 1 where τ_r = 0, and 𝒰 where τ_f = 0."""
    return (law.r0 if law.tau_r else 1.0), (law.U0 if law.tau_f else law.release)


def law_slopes(law: Law, r: float, u: float, excitation: float) -> tuple[float, float]:
    """dr/dt and dU/dt; 0 where τ_r or τ_f is 0."""
    return (
        (1 - r) / law.tau_r - u * r * excitation if law.tau_r else 0.0,
        (law.release - u) / law.tau_f + law.release * (1 - u) * excitation if law.tau_f else 0.0,
    )


def integrate(
    slope: Callable[[float, ComplexArray], ComplexArray],
    start: ComplexArray,
    times: FloatArray,
    tolerance: float,
    what: str,
    jumps: Iterable[float] = (),
) -> ComplexArray:
    """y(t) of dy/dt = slope(t, y) at the times, shape (times, size), from y(0) = ``start``.

    Explicit Runge-Kutta of order 8 (DOP853), begun anew at every jump of the slope.

    Raises:
        IntegrationError: the integrator gave up; the message says ``what`` it was.
    """
    found = np.empty((len(times), start.size), dtype=np.complex128)
    found[times == 0.0] = y = start
    edges = {0.0, float(times[-1])}
    inner = {x for x in jumps if 0 < x < times[-1]}
    for begin, end in itertools.pairwise(sorted(edges | inner)):
        inside = (times > begin) & (times <= end)
        # a hair short of a jump, so that the slope beyond it is not seen
        last = np.nextafter(end, begin) if end in inner else end
        run = solve_ivp(
            slope,
            (begin, last),
            y,
            method="DOP853",
            t_eval=np.append(times[inside & (times < last)], last),
            rtol=tolerance,
            atol=1e-2 * tolerance,
        )
        if not run.success:
            raise IntegrationError(f"{what}: {run.message}")
        found[inside] = run.y.T[: inside.sum()]
        y = run.y[:, -1]
    return found
