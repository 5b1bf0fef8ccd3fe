"""The page of a spike generator's run: who is nearest to held-out spikes, in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import xarray as xr

from qbrain.backends.ibm_origin import strangers

from ..report.page import device_in_words
from ..spikes.recording import recording_rows
from .figure import PANELS, panel_svg
from .measures import ERRORS
from .verdict import BETTER, TITLES, UNKNOWN, WORSE

__all__ = ["copying", "page_values", "provenance"]

# of the run's JSON object, in this order, where it has them
_CIRCUITS = {
    "qubits": "qubits",
    "circuits": "circuits",
    "validated": "validated before dispatch",
    "shots": "shots a circuit",
    "noise_points": "values of the noise",
    "two_qubit_gates": "two-qubit gates, at most",
    "depth": "depth, at most",
    "mitigation": "mitigation",
}


def page_values(
    result: Mapping[str, Any], data: xr.Dataset, services: Sequence[str] = ()
) -> dict[str, Any]:
    """What the template shows beside what every page has.

    Args:
        result: the JSON object, as of :func:`~qbrain.experiments.spiqgan.result.assemble`.
        data: the dataset beside it.
        services: URLs of what a device's numbers came from.
    """
    shown = [name for name in ERRORS if result.get(f"floor_{name}") is not None]
    pictures = {name: panel_svg(data, name) for name in PANELS}
    return {
        # of the panels that make up the run's picture, the one that answers the question
        "picture": pictures["errors"],
        "pictures": pictures,
        "provenance": provenance(result["backend"], services),
        "statistics": shown,
        "titles": TITLES,
        "sources": [_source_row(row, result, shown) for row in result["sources"]],
        "floor": [_interval(data, "training", name) for name in shown],
        "rivals": _rivals(result, shown),
        "copying": copying(result),
        "facts_of_circuits": _CIRCUITS,
        "recording_rows": recording_rows(result.get("recording")),
    }


def provenance(backend: str, services: Sequence[str] = ()) -> str:
    """What was simulated and what was not; ``services`` as of :func:`page_values`."""
    trained = "The generator was trained on a classical computer, by exact simulation. "
    small = "So small a circuit is simulated in no time: nothing here is beyond such a computer."
    if backend == "exact":
        return f"{trained}Its windows are simulated too; no circuit was sent anywhere. {small}"
    if backend in ("aer", "statevector"):
        return (
            f"{trained}Its circuits then ran on {backend}, an ideal simulation with shots; no "
            f"quantum device was used. {small}"
        )
    if backend.startswith("ibm_"):
        if services and not strangers(services):
            return f"{trained}Its circuits were then measured on the device {backend}. {small}"
        return f"{trained}Its circuits then ran {device_in_words(backend, services)}. {small}"
    return (
        f"{trained}Its circuits then ran in a simulation with the noise of the device snapshot "
        f"{backend}; no quantum device was used. {small}"
    )


def copying(result: Mapping[str, Any]) -> str:
    """Whether the generator repeats training windows more than held-out data does, in words."""
    row = next(r for r in result["sources"] if r["name"] == _main(result))
    share, theirs = row["copies"], result["copies_data"]
    text = (
        f"Of the generator's windows {100 * share:.1f} % ({100 * row['copies_low']:.1f} to "
        f"{100 * row['copies_high']:.1f}) are among the training windows too, of the held-out "
        f"windows {100 * theirs:.1f} %; the mean distance to the nearest training window is "
        f"{row['nearest']:.3f} and {result['nearest_data']:.3f} entries. "
    )
    if row["copies_low"] > theirs:
        return text + "It repeats training windows more often than new data does."
    return text + "It does not repeat training windows more often than new data does."


def _main(result: Mapping[str, Any]) -> str:
    wanted = "generator" if result["backend"] == "exact" else result["backend"]
    return str(wanted)


def _source_row(
    row: Mapping[str, Any], result: Mapping[str, Any], shown: Sequence[str]
) -> dict[str, Any]:
    best = {win["statistic"]: win["best"] for win in result["wins"]}
    cells = [
        {
            "value": _number(row[name]),
            "ends": f"{_number(row[f'{name}_low'])} to {_number(row[f'{name}_high'])}",
            "best": best.get(name) == row["name"],
        }
        for name in shown
    ]
    return {**row, "cells": cells, "main": row["name"] == _main(result)}


def _interval(data: xr.Dataset, source: str, name: str) -> dict[str, Any]:
    held = data.sel(source=source, statistic=name)
    ends = f"{_number(float(held.errors_low))} to {_number(float(held.errors_high))}"
    return {"value": _number(float(held.errors)), "ends": ends}


def _rivals(result: Mapping[str, Any], shown: Sequence[str]) -> list[dict[str, Any]]:
    """One row a rival: its error less the generator's, and what that means."""
    words = {BETTER: "better than the generator", WORSE: "worse", UNKNOWN: "not told apart"}
    labels = {row["name"]: row["label"] for row in result["sources"]}
    labels["training"] = "training trials (noise floor)"
    rows = []
    for name in dict.fromkeys(row["source"] for row in result["against"]):
        cells = []
        for metric in shown:
            found = next(
                row
                for row in result["against"]
                if row["source"] == name and row["statistic"] == metric
            )
            cells.append(
                {
                    "style": found["verdict"].replace(" ", "-"),
                    "words": words[found["verdict"]],
                    "value": f"{found['difference']:+.3g}",
                    "ends": f"{found['low']:+.2g} to {found['high']:+.2g}",
                }
            )
        rows.append({"label": labels[name], "cells": cells})
    return rows


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.2e}" if 0 < abs(value) < 1e-3 else f"{value:.3g}"
