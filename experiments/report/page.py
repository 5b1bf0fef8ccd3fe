"""report.html: one self-contained page that says whether the device followed the exact curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
import xarray as xr

from .figure import figure_svg, population_svg

__all__ = ["backend_in_words", "render_page", "render_report", "validation_table", "verdict"]


def backend_in_words(backend: str) -> str:
    """The backend in words that leave no doubt whether a device was used."""
    kinds = {
        "exact": "exact reference, no circuit",
        "aer": "aer, ideal simulation",
        "statevector": "statevector, ideal simulation",
    }
    if backend.startswith("ibm_"):
        return f"measured on {backend}"
    return kinds.get(backend, f"simulation with the noise of the device snapshot {backend}")


def verdict(result: Mapping[str, Any]) -> tuple[str, str]:
    """(class, sentence): what the figures mean, by thresholds that the sentence names."""
    error, backend = result["rmse_excitation"], result["backend"]
    noise = result["shot_error"]
    where = f"{backend} against the exact curve: RMSE of E {error:.4f}"
    if result["shots"] is None:
        return "good", f"Exact reference trajectory; no circuit was run ({backend})."
    # the RMS of shot noise alone scatters by 10 to 20 % over a run's points
    if error <= 1.25 * noise:
        return (
            "good",
            f"Followed the exact curve within shot noise. {where}, shots alone give {noise:.4f}.",
        )
    if error <= 0.02:
        return "good", f"Followed the exact curve to 0.02. {where}, shots alone give {noise:.4f}."
    if error <= 0.1:
        return (
            "fair",
            f"Followed the exact curve only roughly. {where}, shots alone give {noise:.4f}.",
        )
    return "poor", f"Did not follow the exact curve. {where}, shots alone give {noise:.4f}."


def render_report(
    *,
    title: str,
    result: Mapping[str, Any],
    data: xr.Dataset,
    record: Mapping[str, Any],
    circuit: str,
    validation: Sequence[Mapping[str, Any]],
) -> str:
    """The page as text. ``validation``: one row a check: name, circuits, worst figure, limit."""
    style, sentence = verdict(result)
    return render_page(
        "lmg/report.html.jinja",
        title=title,
        style=style,
        sentence=sentence,
        result=result,
        record=record,
        circuit=circuit,
        validation=validation,
        trajectory=figure_svg(data, ""),
        populations=population_svg(data),
    )


def render_page(template: str, **values: Any) -> str:
    """A template of this package as text; it fails on a value that is not there."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("qbrain.experiments", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(values)


def validation_table(records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row a check of the gate: how many circuits passed it, the worst figure, the limit."""
    table = []
    found = [check for record in records for check in record["checks"]]
    for name in dict.fromkeys(check["name"] for check in found):
        checks = [check for check in found if check["name"] == name]
        figures = [c["figure"] for c in checks if c["figure"] is not None]
        limits = [c["limit"] for c in checks if c["limit"] is not None]
        table.append(
            {
                "check": name,
                "passed": sum(c["status"] == "passed" for c in checks),
                "worst": f"{max(figures):.2g}" if figures else "–",
                "limit": f"{limits[0]:.2g}" if limits else "–",
                "note": next((c["note"] for c in checks if c["note"]), ""),
            }
        )
    return table
