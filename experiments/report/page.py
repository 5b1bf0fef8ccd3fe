"""Pages: one self-contained file a run, made from a template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jinja2

from qbrain.backends.ibm_origin import strangers

from ..errors import ConfigError

__all__ = ["backend_in_words", "device_in_words", "render_page", "validation_table"]

_OURS = "qbrain.experiments"
_LONGEST = 400  # characters of a setting on a page


def device_in_words(backend: str, services: Sequence[str]) -> str:
    """A device in words that leave no doubt whether it was used.

    ``services``: URLs of all that its numbers came from, none where that was not recorded.
    """
    if not services:
        return f"on {backend}, service not recorded"
    hosts = strangers(services)
    if hosts:
        return f"on {backend}, simulated by {' and '.join(hosts)}"
    return f"measured on {backend}"


def backend_in_words(backend: str, services: Sequence[str] = ()) -> str:
    """The backend in words that leave no doubt whether a device was used.

    ``services``: of a device, as of :func:`device_in_words`.
    """
    kinds = {
        "exact": "exact reference, no circuit",
        "aer": "aer, ideal simulation",
        "statevector": "statevector, ideal simulation",
    }
    if backend.startswith("ibm_"):
        return device_in_words(backend, services)
    return kinds.get(backend, f"simulation with the noise of the device snapshot {backend}")


def render_page(template: str, **values: Any) -> str:
    """A template as text; it fails on a value that is not there.

    ``template``: a path in this package, or ``package:path`` of one that another package brings,
    which may extend ``report/base.html.jinja`` or another template of ours.

    Raises ``ConfigError`` if there is no such template.
    """
    package, _, name = template.rpartition(":")
    try:
        places = [jinja2.PackageLoader(each, ".") for each in (package, _OURS) if each]
    except (ImportError, ValueError) as error:
        raise _no_template(template, error) from None
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(places),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["short"] = _short
    try:
        return environment.get_template(name).render(values)
    except jinja2.TemplateNotFound as error:
        raise _no_template(template, error) from None


def _short(value: Any) -> str:
    """A value as text, cut where a page would become unreadable; the run's files have the rest."""
    text = str(value)
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST]} … and {len(text) - _LONGEST} more characters, see run.toml"


def _no_template(template: str, error: Exception) -> ConfigError:
    return ConfigError(
        f"template: wanted a path in {_OURS} or package:path, got {template!r} ({error})"
    )


def validation_table(records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row a check before dispatch: how many circuits passed it, the worst figure, the limit."""
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
