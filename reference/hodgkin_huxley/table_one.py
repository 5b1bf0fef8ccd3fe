"""Table I of the paper, loop areas of the entangled source, and what parameters reproduce it.

The paper (Cheng et al., arXiv:1807.10698) gives fifteen areas and none of the parameters behind
them. Up to a common factor the area of a limit cycle depends on four numbers,

    a = A₁ Z_min  (mV, the drive's swing across Z_min at α₀ = 1),     ℓ = C Ω Z_min,
    Ω  (rad/ms, against the gate's rates),                            V_K  (mV),

for currents scale with 1/Z_min. `fit_table` looks for the four, and the factor, with the
unnormalised drives; with the state normalised every area of a column is the same, whatever they
are. A fit that does well shows what may have been meant, not what was used: many do as well. The
good ones lie in a valley along which a and ℓ fall together by decades; there the drive is so fast
that the gate stands still and the loop is nearly that of a fixed impedance.

The row printed between π/4 and 5π/12 is taken as θ = 1 rad: areas go with sin 2θ along a column,
and by the other rows its own is that of 1 rad, to four digits, not of π/3 (which would repeat the
row of π/6).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.optimize import least_squares

from .channel_circuits import ChannelError, QuasiStatic, Response
from .channel_drives import EntangledDrive
from .hysteresis import solve_cycle
from .quantized_channel import Channel, channel_response
from .rates import FloatArray, checked_number

__all__ = [
    "MODEL_AREAS",
    "TABLE_ONE",
    "Cell",
    "Reading",
    "Shape",
    "TableFit",
    "fit_table",
    "table_areas",
]

Reading = Literal["multiplied", "differentiated", "equation 23", "equation 25"]
_READINGS = ("multiplied", "differentiated", "equation 23", "equation 25")


@dataclass(frozen=True)
class Cell:
    """One entry of Table I (b): θ in rad, α₀, and the area in the paper's own units."""

    theta: float
    alpha0: float
    area: float


TABLE_ONE = tuple(
    Cell(theta, alpha0, area)
    for theta, row in (
        (0.0, (102.32, 148.93, 192.54)),
        (math.pi / 6, (150.60, 184.13, 211.20)),
        (math.pi / 4, (157.75, 189.42, 215.03)),
        (1.0, (152.92, 185.85, 212.40)),
        (5 * math.pi / 12, (130.63, 169.47, 202.15)),
    )
    for alpha0, area in zip((1.0, 1.5, 2.0), row, strict=True)
)

# Table I (a): the classical model, a classical source, a coherent source (D is in TABLE_ONE).
MODEL_AREAS = {"A": 21.83, "B": 60.96, "C": 102.32}

_AREAS = np.array([cell.area for cell in TABLE_ONE])
# Where starts are drawn and fits may go: a, ℓ and Ω by their logarithms, V_K as it is.
_DRAWN = ((1e-3, 30.0), (1e-6, 1.0), (0.5, 30.0), (-40.0, 10.0))
_BOUNDS = ((1e-4, 1e3), (1e-6, 1e2), (1e-3, 1e3), (-60.0, 60.0))
# One unit of each parameter in the fit: a factor e, or 10 mV.
_VOLT = 10.0
_COARSE, _FINE = 1e-3, 1e-7


@dataclass(frozen=True)
class Shape:
    """The four numbers a table's shape depends on.

    Args:
        swing: a = A₁ Z_min > 0, in mV.
        lag: ℓ = C Ω Z_min > 0.
        frequency: Ω > 0, in rad/ms.
        reversal: V_K, in mV from rest.

    Raises:
        ChannelError: a value out of range or not finite.
    """

    swing: float
    lag: float
    frequency: float
    reversal: float

    def __post_init__(self) -> None:
        """Refuse what is no shape."""
        for name in ("swing", "lag", "frequency"):
            checked_number(name, getattr(self, name), ChannelError, above=0.0)
        checked_number("reversal", self.reversal, ChannelError)


@dataclass(frozen=True)
class Fit:
    """One local best: its shape, the scale of its areas, and the residuals.

    `residuals` are ln(scale · area/printed area), in the order of `TABLE_ONE`, `rms` their root
    mean square; `step_error` is the largest relative change of an area when the points of its
    cycle were doubled; `singular_values` are those of the residuals' Jacobian by ln a, ln ℓ, ln Ω
    and V_K/10 mV, largest first: small ones are directions the table does not see.
    """

    shape: Shape
    scale: float
    residuals: FloatArray
    rms: float
    step_error: float
    singular_values: FloatArray


@dataclass(frozen=True)
class TableFit:
    """Local bests of several starts, the best first; `equals` those that do as well."""

    reading: Reading
    fits: tuple[Fit, ...]

    @property
    def best(self) -> Fit:
        """The fit of least rms."""
        return self.fits[0]

    def equals(self, within: float = 1.25) -> tuple[Fit, ...]:
        """The fits whose rms is at most `within` times the best."""
        return tuple(fit for fit in self.fits if fit.rms <= within * self.best.rms)


def table_areas(
    shape: Shape, *, reading: Reading = "multiplied", tolerance: float = 1e-6
) -> FloatArray:
    """The areas of `TABLE_ONE`'s limit cycles, in mV² (currents times Z_min), shape (15,).

    Args:
        shape: the four numbers.
        reading: "multiplied" and "differentiated" are the unnormalised drives of
            `EntangledDrive`, and the circuit's own response to them; "equation 23" is the
            current of Eq. 23 as printed and, the reactive terms' sign as in Eqs. 22 and 25, the
            response to it; "equation 25" is that equation's voltage against Eq. 23's current.
        tolerance: the relative error wanted in each area.

    Raises:
        ChannelError: no such reading, or a cell without a limit cycle.
    """
    return _table(shape, reading, tolerance, [None] * len(TABLE_ONE), range(len(TABLE_ONE)))[0]


def fit_table(
    *,
    reading: Reading = "multiplied",
    starts: int = 4,
    draws: int = 60,
    seed: int = 0,
    shapes: Sequence[Shape] = (),
    evaluations: int = 40,
) -> TableFit:
    """Least squares over the fifteen log areas, from several starts.

    Args:
        reading: as in `table_areas`.
        starts: how many of the drawn shapes to refine.
        draws: how many shapes to draw; those that fit two cells best, then six, are refined.
        seed: of the draws.
        shapes: more shapes to refine, of your own.
        evaluations: the most Jacobians of one refinement.

    Returns:
        The local bests, the best first, each with areas converged to 1e-7.

    Raises:
        ChannelError: no such reading, or no start with limit cycles in every cell.
    """
    chosen = [*shapes, *_drawn(reading, starts, draws, seed)]
    fits = [fit for shape in chosen if (fit := _refined(shape, reading, evaluations)) is not None]
    if not fits:
        raise ChannelError("starts: wanted one with limit cycles in every cell, got none")
    return TableFit(reading, tuple(sorted(fits, key=lambda fit: fit.rms)))


def _cell_cycle(
    shape: Shape, cell: Cell, reading: Reading, tolerance: float, guess: FloatArray | None
) -> tuple[FloatArray, float, float]:
    """n, the area and its error for one cell, in units of Z_min = 1."""
    if reading not in _READINGS:
        raise ChannelError(f"reading: wanted one of {', '.join(_READINGS)}, got {reading!r}")
    # C_g = C, C_c = 0: only their sum matters; C_s then makes A₁ what it should be.
    capacitance = shape.lag / shape.frequency
    source = (capacitance * shape.frequency**2 / shape.swing) ** 2 / (2.0 * shape.frequency)
    drive = EntangledDrive(
        cell.alpha0,
        cell.theta,
        shape.frequency,
        capacitance,
        source,
        normalised=False,
        differentiated=reading == "differentiated",
    )
    channel = Channel(0.0, 1.0, shape.reversal)
    if reading in ("multiplied", "differentiated"):
        current = drive.harmonics()
        response = channel_response(channel, drive)
    else:
        current = drive.printed_harmonics()
        response = channel_response(channel, drive, printed=True)
        if reading == "equation 23":
            response = Response(shape.reversal, -capacitance, current)
    return solve_cycle(QuasiStatic(response, 1.0), current, drive.period, tolerance, guess)


def _table(
    shape: Shape,
    reading: Reading,
    tolerance: float,
    guesses: list[FloatArray | None],
    cells: Sequence[int],
) -> tuple[FloatArray, float]:
    """The areas of some cells and their largest error; the guesses are renewed in place."""
    areas, worst = np.empty(len(cells)), 0.0
    for row, k in enumerate(cells):
        guesses[k], areas[row], error = _cell_cycle(
            shape, TABLE_ONE[k], reading, tolerance, guesses[k]
        )
        worst = max(worst, error)
    return areas, worst


def _residuals(areas: FloatArray, cells: Sequence[int]) -> FloatArray:
    """Log areas against the printed ones, the best common scale taken out."""
    logs = np.log(areas / _AREAS[list(cells)])
    return np.asarray(logs - logs.mean())


def _packed(shape: Shape) -> FloatArray:
    return np.array([*np.log([shape.swing, shape.lag, shape.frequency]), shape.reversal / _VOLT])


def _unpacked(x: FloatArray) -> Shape:
    swing, lag, frequency = (float(value) for value in np.exp(x[:3]))
    return Shape(swing, lag, frequency, float(x[3]) * _VOLT)


def _drawn(reading: Reading, starts: int, draws: int, seed: int) -> list[Shape]:
    """The most promising of many random shapes: by one ratio of areas first, then by six."""
    low, high = (_packed(Shape(*(bound[side] for bound in _DRAWN))) for side in (0, 1))
    candidates = [_unpacked(x) for x in np.random.default_rng(seed).uniform(low, high, (draws, 4))]
    for cells, kept in (((0, 6), 3 * starts), ((0, 1, 2, 6, 7, 8), starts)):
        costs: list[tuple[float, int, Shape]] = []
        for shape in candidates:
            try:
                guesses: list[FloatArray | None] = [None] * len(TABLE_ONE)
                areas = _table(shape, reading, _COARSE, guesses, cells)[0]
            except ChannelError:
                continue
            costs.append((float(np.sum(_residuals(areas, cells) ** 2)), len(costs), shape))
        candidates = [shape for _, _, shape in sorted(costs)[:kept]]
    return candidates


def _refined(shape: Shape, reading: Reading, evaluations: int) -> Fit | None:
    """The local best from a start, or None where the start has no limit cycles."""
    cells = range(len(TABLE_ONE))
    guesses: list[FloatArray | None] = [None] * len(TABLE_ONE)

    def residuals(x: FloatArray) -> FloatArray:
        try:
            return _residuals(_table(_unpacked(x), reading, _FINE, guesses, cells)[0], cells)
        except ChannelError:
            # A wall: no limit cycle there.
            return np.full(len(TABLE_ONE), 10.0)

    start = _packed(shape)
    if np.abs(residuals(start)).max() >= 10.0:
        return None
    low, high = (_packed(Shape(*(bound[side] for bound in _BOUNDS))) for side in (0, 1))
    run = least_squares(
        residuals,
        np.clip(start, low, high),
        bounds=(low, high),
        diff_step=1e-4,
        max_nfev=evaluations,
        xtol=1e-6,
    )
    best = _unpacked(run.x)
    areas, error = _table(best, reading, _FINE, guesses, cells)
    left = _residuals(areas, cells)
    return Fit(
        best,
        math.exp(-float(np.mean(np.log(areas / _AREAS)))),
        left,
        math.sqrt(float(np.mean(left**2))),
        error,
        np.linalg.svd(run.jac, compute_uv=False),
    )
