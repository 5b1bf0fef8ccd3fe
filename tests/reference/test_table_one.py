"""Table I: what is in it, what no normalised drive can give, and how well a fit does."""

from __future__ import annotations

import math
from typing import get_args

import numpy as np
import pytest

from qbrain.reference.hodgkin_huxley.channel_drives import EntangledDrive
from qbrain.reference.hodgkin_huxley.hysteresis import limit_cycle
from qbrain.reference.hodgkin_huxley.quantized_channel import Channel, ChannelError
from qbrain.reference.hodgkin_huxley.table_one import (
    MODEL_AREAS,
    TABLE_ONE,
    Reading,
    Shape,
    fit_table,
    table_areas,
)

# Found by `fit_table`: decades apart, and as good as each other.
EQUALS = (
    ("multiplied", Shape(0.082985, 0.0029232, 275.31, -10.86), 0.01045),
    ("multiplied", Shape(0.0043148, 0.00019619, 89.996, -19.183), 0.00981),
    ("multiplied", Shape(0.00036814, 1.8751e-05, 79.972, -26.091), 0.00962),
    ("equation 23", Shape(0.04927, 1.3292e-05, 12.925, -15.249), 0.00599),
    ("equation 23", Shape(0.0036356, 1.1092e-06, 13.512, -22.948), 0.00549),
)

AREAS = np.array([cell.area for cell in TABLE_ONE]).reshape(5, 3)


def test_the_table_is_consistent_with_itself() -> None:
    assert len(TABLE_ONE) == 15
    assert {cell.alpha0 for cell in TABLE_ONE} == {1.0, 1.5, 2.0}
    # Models C and D at θ = 0, and D at π/4 (157.75), are the same in (a) and (b).
    assert MODEL_AREAS["C"] == TABLE_ONE[0].area
    assert TABLE_ONE[6].area == 157.75


def test_the_fourth_row_is_one_radian() -> None:
    """A cubic in sin 2θ through the other rows gives it to the table's last digit."""
    overlap = np.sin(2 * np.array([cell.theta for cell in TABLE_ONE[::3]]))
    others = [0, 4, 1, 2]
    for column in range(3):
        cubic = np.polyfit(overlap[others], AREAS[others, column], 3)
        assert np.polyval(cubic, math.sin(2.0)) == pytest.approx(AREAS[3, column], abs=0.01)
    # θ = π/3 would repeat the row of π/6.
    assert np.abs(AREAS[3] / AREAS[1] - 1).min() > 0.005
    assert math.sin(2 * math.pi / 3) == pytest.approx(overlap[1], rel=1e-15)


def test_areas_are_those_of_a_channel_in_units() -> None:
    """Two cells against limit cycles with every quantity in its own units."""
    shape = Shape(swing=0.3, lag=0.01, frequency=3.0, reversal=-9.0)
    areas = table_areas(shape)
    z_min, capacitance = 1 / 36, 0.01 * 36 / 3.0
    source = (0.3 * capacitance * 3.0**2 / (0.3 * 36)) ** 2 / (2 * 3.0)
    channel = Channel(0.7 * capacitance, z_min, -9.0)
    for k in (0, 7):
        drive = EntangledDrive(
            TABLE_ONE[k].alpha0,
            TABLE_ONE[k].theta,
            3.0,
            0.3 * capacitance,
            source,
            normalised=False,
        )
        assert drive.amplitude == pytest.approx(10.8 * TABLE_ONE[k].alpha0, rel=1e-12)
        loop = limit_cycle(channel, drive, tolerance=1e-8)
        assert loop.area * z_min == pytest.approx(areas[k], rel=1e-6)


@pytest.mark.parametrize("reading", get_args(Reading))
def test_areas_are_converged(reading: Reading) -> None:
    shape = Shape(swing=0.3, lag=0.01, frequency=5.0, reversal=-5.0)
    coarse = table_areas(shape, reading=reading, tolerance=1e-5)
    fine = table_areas(shape, reading=reading, tolerance=1e-9)
    assert np.abs(coarse / fine - 1).max() < 1e-5
    if reading != "equation 25":
        # Along a column the area grows with the overlap sin 2θ.
        table = fine.reshape(5, 3)
        assert np.all(np.diff(table[[0, 4, 1, 3, 2]], axis=0) > 0)


def test_refinement_reaches_the_fit() -> None:
    start = Shape(swing=0.05, lag=0.002, frequency=30.0, reversal=-12.0)
    fit = fit_table(shapes=[start], starts=0, draws=0, evaluations=3).best
    assert fit.rms < 0.015
    assert fit.step_error < 1e-6
    areas = table_areas(fit.shape, tolerance=1e-8)
    assert np.abs(np.log(fit.scale * areas / AREAS.ravel()) - fit.residuals).max() < 1e-6
    assert math.sqrt(float(np.mean(fit.residuals**2))) == pytest.approx(fit.rms, rel=1e-12)
    assert abs(float(np.mean(fit.residuals))) < 1e-12
    # The table sees two directions of the four.
    assert fit.singular_values[2] < 0.05 * fit.singular_values[0]


@pytest.mark.parametrize(("reading", "shape", "rms"), EQUALS)
def test_very_different_parameters_do_as_well(reading: Reading, shape: Shape, rms: float) -> None:
    areas = table_areas(shape, reading=reading)
    logs = np.log(areas / AREAS.ravel())
    assert math.sqrt(float(np.mean((logs - logs.mean()) ** 2))) == pytest.approx(rms, abs=2e-4)


@pytest.mark.slow
@pytest.mark.parametrize(("reading", "rms"), [("multiplied", 0.011), ("equation 23", 0.007)])
def test_fit_from_random_starts(reading: Reading, rms: float) -> None:
    result = fit_table(reading=reading, starts=4, draws=60, seed=0, evaluations=30)
    assert result.best.rms < rms
    assert all(fit.step_error < 1e-6 for fit in result.fits)
    assert [fit.rms for fit in result.fits] == sorted(fit.rms for fit in result.fits)
    assert result.equals(1.0)[0] is result.best


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda: Shape(-1.0, 0.1, 1.0, 0.0), "swing: wanted > 0, got -1"),
        (lambda: Shape(1.0, 0.1, 1.0, math.nan), "reversal: wanted a finite number, got nan"),
        (
            lambda: table_areas(Shape(1.0, 0.1, 1.0, 0.0), reading="right"),  # type: ignore[arg-type]
            "reading: wanted one of multiplied, differentiated, equation 23, equation 25, "
            "got 'right'",
        ),
        (
            lambda: fit_table(starts=0, draws=0),
            "starts: wanted one with limit cycles in every cell, got none",
        ),
    ],
)
def test_bad_input(make: object, line: str) -> None:
    with pytest.raises(ChannelError) as caught:
        make()  # type: ignore[operator]
    assert str(caught.value) == line
