"""The picture of a check: errors beside what was expected, E, and readout errors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..report.figure import EXACT, MEASURED
from .judging import Judged
from .numbers import DeviceNumbers

__all__ = ["draw"]

EXPECTED, WRONG = "#94a3b8", "#b91c1c"


def draw(judged: Sequence[Judged], numbers: DeviceNumbers, title: str) -> Figure:
    """Errors of all circuits on the left; E of the brain and readout errors on the right."""
    figure = Figure(figsize=(10, 5.2), layout="constrained")
    figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    grid = figure.add_gridspec(2, 2, width_ratios=[1.9, 1])
    _errors(figure.add_subplot(grid[:, 0]), judged)
    _energies(figure.add_subplot(grid[0, 1]), judged)
    _readout(figure.add_subplot(grid[1, 1]), numbers)
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.2)
        axes.set_axisbelow(True)
    return figure


def _errors(axes: Axes, judged: Sequence[Judged]) -> None:
    places = np.arange(len(judged))
    axes.barh(places, [one.bound for one in judged], height=0.7, color="#e2e8f0",
              label="as expected up to here")  # fmt: skip
    axes.plot([one.expected_error for one in judged], places, "|", ms=15, mew=2, color=EXACT,
              label="expected")  # fmt: skip
    for style, colour, label in (
        (False, MEASURED, "measured, ± standard error"),
        (True, WRONG, "measured, wrong"),
    ):
        mine = [k for k, one in enumerate(judged) if one.wrong is style]
        if mine:
            errors = np.array([judged[k].error for k in mine])
            shots = np.array([judged[k].shots for k in mine])
            axes.errorbar(errors, mine, xerr=np.sqrt(errors * (1 - errors) / shots), fmt="o",
                          ms=5, lw=1.2, color=colour, label=label)  # fmt: skip
    axes.set_yticks(places, [one.name for one in judged])
    axes.invert_yaxis()
    axes.set_xlabel("fraction of shots that a perfect device never reads")
    # wrong circuits would leave the rest no room
    axes.set_xscale("symlog", linthresh=0.1) if any(one.wrong for one in judged) else None
    axes.set_xlim(left=0)
    axes.legend(fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(0.45, -0.1), ncols=4)


def _energies(axes: Axes, judged: Sequence[Judged]) -> None:
    rows = [one for one in judged if one.excitation is not None]
    places = np.arange(len(rows))

    def column(name: str) -> NDArray[np.float64]:
        return np.array([getattr(one, name) for one in rows], dtype=np.float64)

    axes.plot(
        places, column("excitation_exact"), "_", ms=26, mew=1.5, color=EXACT, label="without errors"
    )
    axes.errorbar(
        places - 0.12,
        column("excitation_expected"),
        yerr=column("excitation_bound"),
        fmt="s",
        ms=4,
        lw=1.2,
        color=EXPECTED,
        label="expected, with bound",
    )
    axes.plot(places + 0.12, column("excitation"), "o", ms=5, color=MEASURED, label="measured")
    axes.set_xticks(places, [one.name.replace(", ", "\n") for one in rows], fontsize=8)
    axes.set_xlim(-0.5, len(rows) - 0.5)
    axes.set_ylabel("E = ½ + ⟨J_z⟩/N")
    axes.legend(fontsize=7, frameon=False)


def _readout(axes: Axes, numbers: DeviceNumbers) -> None:
    places = np.arange(len(numbers.readout))
    table = np.array(numbers.readout)
    for column, (label, shift) in enumerate((("p(1|0)", -0.2), ("p(0|1)", 0.2))):
        colour = (MEASURED, "#1d4ed8")[column]
        axes.bar(places + shift, table[:, column], 0.36, color=colour, label=label)
        if numbers.readout_expected is not None:
            wanted = [each[column] for each in numbers.readout_expected]
            axes.plot(places + shift, wanted, "_", ms=18, mew=2, color=EXACT,
                      label="expected" if column else None)  # fmt: skip
    axes.set_xticks(places, [f"qubit {q}" for q in places], fontsize=8)
    axes.set_ylabel("readout error")
    axes.set_ylim(0, 1.3 * axes.get_ylim()[1])
    axes.legend(fontsize=7, frameon=False, ncols=3, loc="upper right")
