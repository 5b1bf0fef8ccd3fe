"""The picture of a device check: leakage and distance, class by class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

__all__ = ["draw_check"]

COLOURS = {
    "real": "black",
    "snapshot": "#c44e52",
    "waiting": "#dd8452",
    "model": "#4c72b0",
    "ideal": "#8c8c8c",
}
LABELS = {
    "real": "measured on the device",
    "snapshot": "snapshot: gates and readout",
    "waiting": "snapshot with waiting",
    "model": "fitted model",
    "ideal": "ideal distribution",
}
MARKS = {"snapshot": "v", "waiting": "s", "model": "o", "ideal": "_"}


def draw_check(record: Mapping[str, Any]) -> Figure:
    """Parity leakage above, total variation distance to the counts below.

    Classes that were held out stand on a grey ground; bars are 95 % intervals.
    """
    rows = [row for row in record["classes"] if row["used"] != "baseline"]
    places = np.arange(len(rows))
    figure = Figure(figsize=(max(7.0, 0.42 * len(rows) + 2.5), 7.2), layout="constrained")
    above, under = figure.subplots(2, 1, sharex=True)
    for axes in (above, under):
        for place, row in enumerate(rows):
            if row["used"] == "held out":
                axes.axvspan(place - 0.5, place + 0.5, color="0.92", lw=0)
        axes.grid(axis="y", color="0.85", lw=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    _leakage(above, rows, places)
    for shift, form in zip((-0.24, -0.08, 0.08, 0.24), ("ideal", "snapshot", "waiting", "model"),
                           strict=True):  # fmt: skip
        values = np.array([row[f"tvd_{form}"] for row in rows])
        bounds = np.array([row[f"tvd_{form}_interval"] for row in rows])
        under.errorbar(
            places + shift,
            values,
            yerr=_arms(values, bounds),
            fmt=MARKS[form],
            ms=4.5,
            lw=1,
            color=COLOURS[form],
            label=LABELS[form],
        )
    under.set_ylabel("total variation distance\nto the counts")
    under.set_ylim(bottom=0)
    under.set_xticks(places, [row["class"] for row in rows], rotation=90, fontsize=8)
    under.set_xlim(-0.6, len(rows) - 0.4)
    handles = dict(zip(*reversed(above.get_legend_handles_labels()), strict=True))
    handles |= dict(zip(*reversed(under.get_legend_handles_labels()), strict=True))
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3, fontsize=8)
    above.set_title(
        f"Counts of {record['device']} and what {record['snapshot']} predicts "
        "(grey: held out from the fit)",
        fontsize=10,
    )
    return figure


def _leakage(axes: Any, rows: list[dict[str, Any]], places: Any) -> None:
    known = [place for place, row in enumerate(rows) if "leakage_real" in row]
    if not known:
        axes.text(0.5, 0.5, "no class keeps a parity", ha="center", transform=axes.transAxes)
        return
    own = [rows[place] for place in known]
    for form in ("snapshot", "waiting", "model"):
        axes.plot(
            places[known],
            [row[f"leakage_{form}"] for row in own],
            MARKS[form],
            ms=4.5,
            color=COLOURS[form],
            label=LABELS[form],
        )
    values = np.array([row["leakage_real"] for row in own])
    bounds = np.array([row["leakage_real_interval"] for row in own])
    axes.errorbar(
        places[known],
        values,
        yerr=_arms(values, bounds),
        fmt="_",
        ms=11,
        mew=2,
        color=COLOURS["real"],
        label=LABELS["real"],
    )
    axes.set_ylabel("parity leakage")
    axes.set_ylim(bottom=0)


def _arms(values: Any, bounds: Any) -> Any:
    """Lengths of error bars; 0 where a value lies outside its interval."""
    return np.clip([values - bounds[:, 0], bounds[:, 1] - values], 0, None)
