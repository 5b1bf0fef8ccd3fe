"""The prose of a paper: Markdown templates beside its modules, filled with what was measured.

A template is a file ``text/NAME.md.jinja`` of a paper's package. Its blocks are paragraphs:

    {% block finds %}
    We find the line at {{ m["dominant frequency"] | number(".3g") }}.
    {% endblock %}

``number`` formats like Python's ``format``. A value that is not there is an error.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import jinja2

__all__ = ["fill"]


def fill(package: str, name: str, **values: Any) -> dict[str, str]:
    """Fill the template of this name in a package; return its blocks, each on one line.

    Raises:
        jinja2.UndefinedError: the template asks for a value that is not given.
        jinja2.TemplateNotFound: the package has no such template.
    """
    template = _environment(package).get_template(f"{name}.md.jinja")
    context = template.new_context(values)
    return {
        block: re.sub(r"\s*\n\s*", " ", "".join(render(context)).strip())
        for block, render in template.blocks.items()
    }


@lru_cache
def _environment(package: str) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(package, "text"),
        autoescape=False,  # Markdown, no HTML
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["number"] = _number
    return environment


def _number(value: Any, spec: str) -> str:
    if isinstance(value, jinja2.Undefined):
        str(value)  # says which value is missing
    return format(value, spec)
