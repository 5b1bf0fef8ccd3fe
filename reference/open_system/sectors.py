"""The collective master equation on Dicke states, one order of coherence at a time.

    dρ/dt = −i[H', ρ] + κ D[Ŝ⁻]ρ + κ̃ D[Ŝ⁺]ρ,    D[L]ρ = LρL† − ½{L†L, ρ}
    H' = (g/2) Ŝᶻ + λ Ŝ⁺Ŝ⁻ − λ̃ Ŝ⁻Ŝ⁺,            Ŝ^± = Σ_i σ_i^±

(Eq. 15 of Sun and Zhang 2021, where H' lacks the neurons' own (g/2)Ŝᶻ, which its Eq. 10 has.) Among
the Dicke states |n⟩, n = 0 … N active neurons, Ŝ⁻|n⟩ = √e_n |n−1⟩ and Ŝ⁺|n⟩ = √a_n |n+1⟩ with
e_n = n(N−n+1) and a_n = (n+1)(N−n). The sum of excitations is conserved but for the jumps, which
move both sides of ρ: the coherences x_n = ρ_{n+q,n} of one order q are a closed set,

    dx_n/dt = κ√(e_{n+1}e_{n+q+1}) x_{n+1} + κ̃√(a_{n−1}a_{n+q−1}) x_{n−1}
              − ½[κ(e_n + e_{n+q}) + κ̃(a_n + a_{n+q})] x_n
              − i[qg + λ(e_{n+q} − e_n) − λ̃(a_{n+q} − a_n)] x_n

The turning with qg is left out here and put back by those who ask.
"""

from __future__ import annotations

import itertools
from typing import Any, Literal, get_args

import numpy as np
from scipy.integrate import solve_ivp

from .bath_coefficients import Bath, BathError, Curves, bath_curves
from .bath_kernels import FloatArray
from .bath_stimuli import Stimulus
from .coefficient_tables import CoefficientTable

__all__ = [
    "NegativeRate",
    "OpenSystemError",
    "Rates",
    "Scaling",
    "Sector",
    "checked_neurons",
    "checked_table",
    "flushed",
    "integrated",
]

Rates = Curves | tuple[Bath, Stimulus]
Scaling = Literal["none", "1/N"]

# a rate below this part of the largest coefficient is negative, not rounded
_NEGATIVE = 1e-11
# jumps in all, beyond which an implicit integrator is quicker
_STIFF = 300.0
_SAME = 1e-12
_SMALLEST = 1e-100


class OpenSystemError(ValueError):
    """A request about the open nervous system that makes no sense."""


class NegativeRate(OpenSystemError):
    """A rate below 0, at which no step of the evolution is completely positive."""


class Sector:
    """The coherences of one order q: what is multiplied with κ, κ̃, λ and λ̃."""

    def __init__(self, neurons: int, order: int) -> None:
        n = np.arange(neurons + 1 - order, dtype=np.float64)
        m = n + order
        emitted, emitted_m = n * (neurons - n + 1), m * (neurons - m + 1)
        absorbed, absorbed_m = (n + 1) * (neurons - n), (m + 1) * (neurons - m)
        self.size, self.order = len(n), order
        self.loss = np.stack([emitted + emitted_m, absorbed + absorbed_m]) / 2
        self.turn = np.stack([emitted_m - emitted, absorbed - absorbed_m])
        self.feed_down = np.sqrt(emitted[1:] * emitted_m[1:])  # n+1 → n
        self.feed_up = np.sqrt(absorbed[:-1] * absorbed_m[:-1])  # n → n+1

    def slope(self, values: tuple[float, float, float, float], x: Any) -> Any:
        """dx/dt at the four coefficients; x of shape (size,) or (size, columns)."""
        kappa, kappa_tilde, shift, shift_tilde = values
        diagonal: Any = -(kappa * self.loss[0] + kappa_tilde * self.loss[1])
        if self.order:
            diagonal = diagonal - 1j * (shift * self.turn[0] + shift_tilde * self.turn[1])
        wide = (slice(None),) + (None,) * (x.ndim - 1)
        out = diagonal[wide] * x
        out[:-1] += kappa * self.feed_down[wide] * x[1:]
        if kappa_tilde:
            out[1:] += kappa_tilde * self.feed_up[wide] * x[:-1]
        return out


def checked_neurons(neurons: object) -> int:
    """N as an int; `OpenSystemError` unless it is an integer >= 1."""
    if isinstance(neurons, bool) or not isinstance(neurons, int | np.integer) or neurons < 1:
        raise OpenSystemError(f"neurons: wanted an integer >= 1, got {neurons!r}")
    return int(neurons)


def checked_table(
    neurons: int,
    rates: Rates,
    start: float,
    stop: float,
    scaling: Scaling,
    allow_negative: bool,
) -> CoefficientTable:
    """The coefficients from start to stop (or a little later), divided by N where asked.

    Raises:
        NegativeRate: κ or κ̃ below 0, unless allowed.
        OpenSystemError: no such scaling, or rates that are neither curves nor bath and stimulus.
    """
    if scaling not in get_args(Scaling):
        raise OpenSystemError(f"scaling: wanted none or 1/N, got {scaling!r}")
    if isinstance(rates, tuple) and len(rates) == 2:
        try:
            rates = bath_curves(*rates)
        except BathError as problem:
            raise OpenSystemError(f"rates: wanted a bath and a stimulus; {problem}") from problem
    if not isinstance(rates, Curves):
        raise OpenSystemError(f"rates: wanted Curves or (bath, stimulus), got {rates!r}")
    # a table has a length, also for one asked about its start alone
    stop = max(stop, start + 1e-9)
    table = CoefficientTable(rates, start, stop, 1 / neurons if scaling == "1/N" else 1.0)
    if not allow_negative:
        times, values = table.sampled_rates()
        below = values < -_NEGATIVE * table.largest
        if below.any():
            first = int(np.argmax(below.any(axis=0)))
            which = int(np.argmax(below[:, first]))
            name = ("kappa", "kappa_tilde")[which]
            worst = int(np.argmin(values[which]))
            raise NegativeRate(
                f"{name}: wanted rates >= 0, got {values[which, first]:.3g} at t = "
                f"{times[first]:.6g} and down to {values[which, worst]:.3g} at t = "
                f"{times[worst]:.6g}; no physical map has such rates"
            )
    return table


def integrated(
    sector: Sector, start: Any, table: CoefficientTable, times: FloatArray, tolerance: float
) -> Any:
    """x at the times, shape (times, …), from x = ``start`` where the table begins.

    Explicit Runge-Kutta of order 8, or LSODA with a banded Jacobian where there are many jumps.

    Raises:
        OpenSystemError: the integrator gave up, or negative rates amplified rounding errors until
            nothing else is left.
    """
    shape = np.shape(start)
    found = np.empty((len(times), *shape), dtype=np.result_type(start, np.float64))
    most = table.largest * float(sector.loss.max(initial=0.0))
    banded = len(shape) == 1 and most * (table.stop - table.start) > _STIFF
    edges = [table.start]
    for edge in (*table.breaks, table.stop):
        # breaks that rounding alone tells apart are one
        if edge - edges[-1] > _SAME * max(1.0, abs(edge)):
            edges.append(edge)
    edges[-1] = table.stop
    y = np.array(start)
    found[times <= table.start] = y
    for begin, end in itertools.pairwise(edges):
        inside = (times > begin) & (times <= end)
        # a hair short of a break, so that the coefficients beyond it are not seen
        last = np.nextafter(end, begin) if end < table.stop else end
        at = np.append(times[inside & (times < last)], last)
        run = (_banded if banded else _explicit)(sector, y, table, begin, at, tolerance)
        found[inside] = run[: inside.sum()]
        y = run[-1]
    size = float(np.abs(found).max(initial=0.0))
    if not size < 1e6:
        raise OpenSystemError(
            "rates: wanted ones that do not amplify rounding errors without end, got entries of "
            f"the density matrix of {size:.2g}"
        )
    return found


def flushed(slope: Any) -> Any:
    """The slope without what is so small that its square underflows in the integrator."""
    return np.where(np.abs(slope) < _SMALLEST, 0.0, slope)


def _explicit(
    sector: Sector,
    start: Any,
    table: CoefficientTable,
    begin: float,
    at: FloatArray,
    tolerance: float,
) -> Any:
    shape = start.shape

    def slope(t: float, y: Any) -> Any:
        return flushed(sector.slope(table.look(t), y.reshape(shape)).ravel())

    run = solve_ivp(
        slope,
        (begin, at[-1]),
        start.ravel(),
        method="DOP853",
        t_eval=at,
        rtol=max(tolerance, 1e-13),
        atol=1e-3 * tolerance,
    )
    if not run.success:
        raise OpenSystemError(f"rates: wanted ones that can be integrated; {run.message}")
    return run.y.T.reshape(len(at), *shape)


def _banded(
    sector: Sector,
    start: Any,
    table: CoefficientTable,
    begin: float,
    at: FloatArray,
    tolerance: float,
) -> Any:
    cplx = np.iscomplexobj(start)

    # real and imaginary parts side by side, so that the band stays narrow
    def slope(t: float, y: FloatArray) -> Any:
        x = y.view(np.complex128) if cplx else y
        return sector.slope(table.look(t), x).view(np.float64)

    band = 2 if cplx else 1
    run = solve_ivp(
        slope,
        (begin, at[-1]),
        np.ascontiguousarray(start).view(np.float64),
        method="LSODA",
        t_eval=at,
        rtol=max(tolerance, 1e-12),
        atol=1e-3 * tolerance,
        lband=band,
        uband=band,
    )
    if not run.success:
        raise OpenSystemError(f"rates: wanted ones that can be integrated; {run.message}")
    y = np.ascontiguousarray(run.y.T)
    return y.view(np.complex128) if cplx else y
