"""The open nervous system with products of different neurons factorised: the right way, and Eq. 18.

With m = ⟨σ⟩ of one neuron and K = λ − λ̃, P = λ + λ̃, D = κ − κ̃, F = κ + κ̃, the collective master
equation of :mod:`qbrain.reference.open_system` gives on product states of N equal neurons

    ṁ_x =  (N−1)K m_y m_z − (g+P) m_y + ½[(N−1)D m_z − F] m_x
    ṁ_y = −(N−1)K m_x m_z + (g+P) m_x + ½[(N−1)D m_z − F] m_y
    ṁ_z = −½(N−1)D(m_x² + m_y²) − F m_z − D

where a neuron's product with itself, (σˣ)² = 1, is kept. Eq. 18 of Sun and Zhang (2021), "Modeling
the Nervous System as An Open Quantum System", factorises that too:

    Ṡx =  K Sy Sz − (g+P) Sy + ½(D Sz − F) Sx
    Ṡy = −K Sx Sz + (g+P) Sx + ½(D Sz − F) Sy
    Ṡz = −½D(Sx² + Sy²) − F Sz

So it loses spontaneous emission, −D, and forgets every state: silent neurons at zero temperature,
which nothing moves, go to Sz = 0. From there Sz(t) = −exp(−∫F), the paper's 'depolarisation', and
its 'return to rest' is ∫F brought back to 0 by a stimulus of the other sign.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp

from ..hodgkin_huxley.rates import checked_number, checked_times
from .bath_coefficients import Bath, coefficients_integrated
from .bath_kernels import FloatArray
from .bath_stimuli import Stimulus
from .coefficient_tables import CoefficientTable
from .master_equation import dataset
from .sectors import OpenSystemError, Rates, Scaling, checked_neurons, checked_table, flushed

__all__ = [
    "printed_from_down",
    "printed_mean_field",
    "printed_slopes",
    "right_mean_field",
    "right_slopes",
]

Spin = str | tuple[float, float] | ArrayLike


def right_slopes(
    m: ArrayLike,
    neurons: int,
    kappa: float,
    kappa_tilde: float,
    lambda_: float,
    lambda_tilde: float,
    g: float = 1.0,
) -> FloatArray:
    """dm/dt on a product state, exact at that instant; m and the result have shape (3,)."""
    x, y, z = np.asarray(m, dtype=np.float64)
    coupling, shift = (neurons - 1) * (lambda_ - lambda_tilde), g + lambda_ + lambda_tilde
    drop, spread = kappa - kappa_tilde, kappa + kappa_tilde
    growth = ((neurons - 1) * drop * z - spread) / 2
    return np.array(
        [
            coupling * y * z - shift * y + growth * x,
            -coupling * x * z + shift * x + growth * y,
            -(neurons - 1) * drop * (x * x + y * y) / 2 - spread * z - drop,
        ]
    )


def printed_slopes(
    m: ArrayLike,
    kappa: float,
    kappa_tilde: float,
    lambda_: float,
    lambda_tilde: float,
    g: float = 1.0,
) -> FloatArray:
    """The right side of Eq. 18 as printed; m and the result have shape (3,)."""
    x, y, z = np.asarray(m, dtype=np.float64)
    coupling, shift = lambda_ - lambda_tilde, g + lambda_ + lambda_tilde
    drop, spread = kappa - kappa_tilde, kappa + kappa_tilde
    growth = (drop * z - spread) / 2
    return np.array(
        [
            coupling * y * z - shift * y + growth * x,
            -coupling * x * z + shift * x + growth * y,
            -drop * (x * x + y * y) / 2 - spread * z,
        ]
    )


def right_mean_field(
    neurons: int,
    rates: Rates,
    start: Spin,
    times: ArrayLike,
    *,
    scaling: Scaling = "none",
    allow_negative: bool = False,
    tolerance: float = 1e-10,
) -> xr.Dataset:
    """The mean field of N neurons from a product state at t = 0.

    Args:
        neurons: N >= 1; for N = 1 nothing is approximated.
        rates: a bath and its stimulus, or `Curves`.
        start: ``down``, ``up``, angles (θ, φ) as of
            :func:`qbrain.reference.open_system.dicke_state`, or m itself, shape (3,), |m| <= 1.
        times: shape (times,), increasing and >= 0.
        scaling: ``1/N`` divides the coefficients by N.
        allow_negative: integrate negative rates too.
        tolerance: asked of the integrator, relative, from 1e-12 to 0.01.

    Returns:
        A dataset over `time` with `m_x`, `m_y`, `m_z` and the coefficients `kappa`,
        `kappa_tilde`, `lambda`, `lambda_tilde` after scaling.

    Raises:
        NegativeRate: κ or κ̃ below 0, unless allowed.
        OpenSystemError: an argument that makes no sense; the message names it.
    """
    neurons = checked_neurons(neurons)
    spin = _checked_spin(start)
    if spin @ spin > 1 + 1e-9:
        raise OpenSystemError(f"start: wanted a length of at most 1, got {np.sqrt(spin @ spin):g}")
    t = checked_times(times, OpenSystemError)
    table = checked_table(neurons, rates, 0.0, float(t[-1]), scaling, allow_negative)

    def slope(time: float, m: FloatArray) -> FloatArray:
        return right_slopes(m, neurons, *table.look(time), table.g)

    data = _solved(slope, spin, t, table, tolerance)
    data.attrs.update(equations="right", neurons=neurons, scaling=scaling, tolerance=tolerance)
    return data


def printed_mean_field(
    rates: Rates,
    start: Spin,
    times: ArrayLike,
    *,
    neurons: int = 1,
    scaling: Scaling = "none",
    tolerance: float = 1e-10,
) -> xr.Dataset:
    """Eq. 18 as printed, negative rates and all.

    Arguments and dataset as of `right_mean_field`. The number of neurons only divides the
    coefficients, with ``scaling="1/N"``. The start may have any length: figure 2 begins at
    (1, 1, −1), of no neuron.

    Raises:
        OpenSystemError: an argument that makes no sense; the message names it.
    """
    neurons = checked_neurons(neurons)
    spin = _checked_spin(start)
    t = checked_times(times, OpenSystemError)
    table = checked_table(neurons, rates, 0.0, float(t[-1]), scaling, True)

    def slope(time: float, m: FloatArray) -> FloatArray:
        return printed_slopes(m, *table.look(time), table.g)

    data = _solved(slope, spin, t, table, tolerance)
    data.attrs.update(equations="Eq. 18", neurons=neurons, scaling=scaling, tolerance=tolerance)
    return data


def printed_from_down(bath: Bath, stimulus: Stimulus, times: ArrayLike) -> FloatArray:
    """Eq. 18 from all silent in closed form: Sz(t) = −exp(−∫₀ᵗ F), shape (times,).

    At zero temperature ∫F = G = ∫κ₀, with one quantum in every mode 3G.

    Raises:
        BathError: an argument that makes no sense.
    """
    kappa, kappa_tilde, _, _ = coefficients_integrated(bath, stimulus, times)
    return np.asarray(-np.exp(-kappa - kappa_tilde))


def _solved(
    slope: Callable[[float, FloatArray], FloatArray],
    start: FloatArray,
    t: FloatArray,
    table: CoefficientTable,
    tolerance: float,
) -> xr.Dataset:
    tolerance = checked_number("tolerance", tolerance, OpenSystemError, least=1e-12, most=1e-2)
    found = np.empty((len(t), 3))
    found[t <= table.start] = y = start
    for begin, end in itertools.pairwise([table.start, *table.breaks, table.stop]):
        inside = (t > begin) & (t <= end)
        last = np.nextafter(end, begin) if end < table.stop else end
        run = solve_ivp(
            lambda time, m: flushed(slope(time, m)),
            (begin, last),
            y,
            method="DOP853",
            t_eval=np.append(t[inside & (t < last)], last),
            rtol=tolerance,
            atol=1e-3 * tolerance,
        )
        if not run.success:
            raise OpenSystemError(f"rates: wanted ones that can be integrated; {run.message}")
        found[inside] = run.y.T[: inside.sum()]
        y = run.y[:, -1]
    return dataset(t, {f"m_{name}": found[:, k] for k, name in enumerate("xyz")}, table)


def _checked_spin(start: Spin) -> FloatArray:
    if isinstance(start, str):
        if start not in ("down", "up"):
            raise OpenSystemError(f"start: wanted down, up, angles or three numbers, got {start!r}")
        return np.array([0.0, 0.0, -1.0 if start == "down" else 1.0])
    try:
        numbers = np.asarray(start, dtype=np.float64)
    except (TypeError, ValueError):
        numbers = np.zeros(0)
    if numbers.shape not in ((2,), (3,)) or not np.all(np.isfinite(numbers)):
        raise OpenSystemError(f"start: wanted down, up, angles or three numbers, got {start!r}")
    if numbers.shape == (2,):
        theta, phi = numbers
        return np.array([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)])
    return numbers
