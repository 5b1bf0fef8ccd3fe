"""Limit cycles of the driven channel and the area of their voltage-current loops.

In the limit cycle n(t + T) = n(t), with

    dn/dt = α_n(V)(1 − n) − β_n(V) n,      V = V(Z_min n⁻⁴, t) of the periodic state at frozen Z

or with V from the circuit itself, C dV/dt = I − (V − V_K) n⁴/Z_min. The loop's area is |∮ V dI|
over one period, signed along the loop: a loop that crosses itself counts its parts against each
other unless they turn the same way. (Cheng et al., arXiv:1807.10698, take it as the memory's
persistence.)

The periodic problem is solved by Newton's method on equispaced points of one period, with the
derivative of the trigonometric polynomial through them; the points are doubled until the area
stays. Slow drives, whose cycles have corners, are integrated period after period instead.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .channel_circuits import Circuit, Dynamic, QuasiStatic, integrate
from .channel_drives import ClassicalDrive, CoherentDrive, EntangledDrive, Harmonics, PeriodicDrive
from .quantized_channel import Channel, ChannelError, channel_response, total_capacitance
from .rates import FloatArray, checked_number, steady_gate

__all__ = ["Loop", "limit_cycle", "solve_cycle"]

_FIRST_POINTS = 32
_MOST_POINTS = {1: 512, 2: 256}
_NEWTON_STEPS = 30
# Crude periods to settle down from rest, crude steps in each, and the longest such step in ms.
_CRUDE_PERIODS, _CRUDE_STEPS, _CRUDE_STEP = 60, (128, 2048), 0.25
_PERIODS = 400
# An integrated period: its samples at first, how often they are doubled, and its fewest steps
# (what lies between steps is less accurate).
_SAMPLES, _REFINEMENTS, _FEWEST_STEPS = 1024, 5, 128


@dataclass(frozen=True)
class Loop:
    """One period of a limit cycle, its end left out; arrays of shape (points,).

    `area` is |∮ V dI| in mV µA/cm², `area_error` its relative change at the last refinement.
    `multiplier` is what one period leaves of a small deviation of n in a quasi-static cycle (nan
    for a dynamic one): below 1 the cycle attracts.
    """

    times: FloatArray
    n: FloatArray
    voltage: FloatArray
    current: FloatArray
    impedance: FloatArray
    conductance: FloatArray
    area: float
    area_error: float
    multiplier: float


def limit_cycle(
    channel: Channel,
    drive: PeriodicDrive,
    *,
    tolerance: float = 1e-6,
    printed: bool = False,
    dynamic: bool = False,
) -> Loop:
    """The limit cycle that a resting channel falls into, and its loop's area.

    Args:
        channel: C_c, Z_min and V_K.
        drive: a periodic current.
        tolerance: the relative error wanted in the area, 1e-10 to 0.1.
        printed: V by the paper's printed formula (Eq. 17, 22 or 25), against its printed current
            (Eq. 21 or 23).
        dynamic: V from the circuit's own equation in place of the periodic state at frozen Z.

    Returns:
        The cycle over one period of the drive.

    Raises:
        ChannelError: an argument that makes no sense, or a drive without a limit cycle in reach
            (a gate that closes for good, or one not settled in 400 periods).
    """
    tolerance = checked_number("tolerance", tolerance, ChannelError, least=1e-10, most=0.1)
    if not isinstance(drive, ClassicalDrive | CoherentDrive | EntangledDrive):
        raise ChannelError(f"drive: wanted a periodic one, got {type(drive).__name__}")
    if printed and dynamic:
        raise ChannelError("printed: wanted False for the dynamic circuit, got True")
    finer = min(1e-12, 1e-4 * tolerance)
    response = channel_response(channel, drive, printed=printed, tolerance=finer)
    if printed and not isinstance(drive, ClassicalDrive):
        current = drive.printed_harmonics(finer)
    else:
        current = drive.harmonics(finer)
    if dynamic:
        total_capacitance(channel, drive)
        circuit: Circuit = Dynamic(response, channel.z_min)
    else:
        circuit = QuasiStatic(response, channel.z_min)
    y, area, error = solve_cycle(circuit, current, drive.period, tolerance)
    t = _grid(drive.period, y.shape[1])
    n = y[-1]
    z = channel.z_min * n**-4.0
    multiplier = math.nan
    if not dynamic:
        multiplier = math.exp(drive.period * float(np.mean(circuit.rates(y, t)[1])))
    return Loop(t, n, circuit.voltage(y, t), current(t), z, 1.0 / z, area, error, multiplier)


def solve_cycle(
    circuit: Circuit,
    current: Harmonics,
    period: float,
    tolerance: float,
    guess: FloatArray | None = None,
) -> tuple[FloatArray, float, float]:
    """The limit cycle of a circuit, its area |∮ V dI| and the area's relative error.

    Args:
        circuit: the equations.
        current: I(t), the loop's other axis.
        period: T in ms.
        tolerance: the relative error wanted in the area.
        guess: a cycle to start Newton's method from, shape (size, points); the one that a
            resting channel falls into unless given.

    Returns:
        y over one period, shape (size, points); the area; its relative error.

    Raises:
        ChannelError: no limit cycle in reach.
    """
    settled = _settle(circuit, period) if guess is None else guess
    y: FloatArray | None = None
    points, last = _FIRST_POINTS, math.nan
    while points <= _MOST_POINTS[circuit.size]:
        y = _newton(circuit, _resample(settled if y is None else y, points), period)
        if y is not None:
            area = _area(circuit, current, y, period)
            if abs(area - last) <= tolerance * area:
                return y, area, abs(area - last) / area if area else 0.0
            last = area
        points *= 2
    if guess is not None:
        return solve_cycle(circuit, current, period, tolerance)
    return _integrated(circuit, current, period, tolerance, settled[:, 0])


def _grid(period: float, points: int) -> FloatArray:
    return period * np.arange(points) / points


def _area(circuit: Circuit, current: Harmonics, y: FloatArray, period: float) -> float:
    t = _grid(period, y.shape[1])
    return abs(float(np.mean(circuit.voltage(y, t) * current.slope(t)))) * period


def _settle(circuit: Circuit, period: float) -> FloatArray:
    """A rough cycle, shape (size, points): crude steps from rest until a period repeats."""
    least, most = _CRUDE_STEPS
    steps = least
    while steps < most and period / steps > _CRUDE_STEP:
        steps *= 2
    y: tuple[float, ...] = (*(0.0,) * (circuit.size - 1), float(steady_gate("n", 0.0)))
    track = np.empty((steps, circuit.size))
    for _ in range(_CRUDE_PERIODS):
        before = y[-1]
        for k in range(steps):
            track[k] = y
            y = circuit.step(period * k / steps, y, period / steps)
        if abs(y[-1] - before) < 1e-3:
            break
    return track.T


def _resample(y: FloatArray, points: int) -> FloatArray:
    """The trigonometric polynomial through y (its low part), at other points of the period."""
    if y.shape[1] == points:
        return y
    if y.shape[1] > points:
        return y[:, :: y.shape[1] // points]
    spectrum = np.fft.rfft(y, axis=1)
    # At the folding frequency of the coarse points only the cosine is known.
    spectrum[:, -1] *= 0.5
    fine = np.fft.irfft(spectrum, points, axis=1) * (points / y.shape[1])
    return np.asarray(fine, dtype=np.float64)


@lru_cache(maxsize=8)
def _derivative(points: int) -> FloatArray:
    """d/dx on equispaced points of 0 … 2π, exact for trigonometric polynomials."""
    offset = np.subtract.outer(np.arange(points), np.arange(points))
    with np.errstate(divide="ignore", invalid="ignore"):
        matrix = 0.5 * (-1.0) ** offset / np.tan(np.pi * offset / points)
    matrix[offset == 0] = 0.0
    return np.asarray(matrix)


def _newton(circuit: Circuit, y: FloatArray, period: float) -> FloatArray | None:
    """The cycle on the points of y, or None where Newton's method does not get there."""
    size, points = y.shape
    t = _grid(period, points)
    derivative = 2.0 * math.pi / period * _derivative(points)
    y = y.copy()
    y[-1] = np.clip(y[-1], 1e-3, 1.0 - 1e-9)
    diagonal = np.arange(points)

    def defect(state: FloatArray) -> tuple[FloatArray, FloatArray]:
        slopes, jacobian = circuit.rates(state, t)
        return state @ derivative.T - slopes, jacobian

    residual, jacobian = defect(y)
    for _ in range(_NEWTON_STEPS):
        matrix = np.zeros((size, points, size, points))
        for i in range(size):
            matrix[i, :, i, :] = derivative
            for j in range(size):
                matrix[i, diagonal, j, diagonal] -= jacobian[i, j]
        try:
            flat = np.linalg.solve(matrix.reshape(size * points, -1), residual.ravel())
        except np.linalg.LinAlgError:
            return None
        change = flat.reshape(size, points)
        height, step = float(np.linalg.norm(residual)), 1.0
        done = bool(np.abs(change).max() < 1e-10 * (1.0 + np.abs(y).max()))
        while True:
            trial = y - step * change
            if np.all((trial[-1] > 0.0) & (trial[-1] < 1.0)):
                residual, jacobian = defect(trial)
                # A last step below rounding need not bring the residual down.
                if done or float(np.linalg.norm(residual)) < (1.0 - 0.1 * step) * height:
                    break
            step *= 0.5
            if step < 1e-3:
                return None
        y = trial
        if done:
            return y
    return None


def _integrated(
    circuit: Circuit, current: Harmonics, period: float, tolerance: float, start: FloatArray
) -> tuple[FloatArray, float, float]:
    """As `solve_cycle`, by integrating until a period repeats, finer until the area stays."""
    last, samples, accuracy = math.nan, _SAMPLES, min(1e-3 * tolerance, 1e-6)
    for _ in range(_REFINEMENTS):
        y = _periodic(circuit, period, max(accuracy, 1e-13), samples, start)
        area = _area(circuit, current, y, period)
        error = abs(area - last) / area if area else 0.0
        if error <= tolerance:
            return y, area, error
        last, start = area, y[:, 0]
        samples, accuracy = 2 * samples, 0.03 * accuracy
    raise ChannelError(f"tolerance: wanted >= {error:.1g} for this drive, got {tolerance:g}")


def _periodic(
    circuit: Circuit, period: float, accuracy: float, samples: int, start: FloatArray
) -> FloatArray:
    """One period, shape (size, samples), that ends where it starts."""
    y = start
    t = _grid(period, samples)
    for _ in range(_PERIODS):
        track = integrate(circuit, y, np.append(t, period), accuracy, period / _FEWEST_STEPS)
        ahead = track[:, -1]
        if np.abs(ahead - y).max() <= 3.0 * accuracy * (1.0 + np.abs(y).max()):
            return track[:, :-1]
        y = ahead
    raise ChannelError(f"drive: wanted one with a limit cycle, got none in {_PERIODS} periods")
