"""Command-line options made from a configuration model: one a field, so neither can drift."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Collection
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from .engine.config import BaseConfig, group_of

__all__ = ["with_options"]


def _metavar(annotation: Any) -> str:
    origin = get_origin(annotation)
    if origin is Literal:
        return "|".join(str(x) for x in get_args(annotation))
    if origin in (Union, types.UnionType):
        return _metavar(next(x for x in get_args(annotation) if x is not type(None)))
    return {int: "INTEGER", float: "NUMBER", str: "TEXT"}.get(annotation, "VALUE")


_PANELS = {
    "model": "What is simulated",
    "circuits": "How circuits are made and run",
    "device": "On a device",
    "analysis": "What is recorded",
}


def _option(model: type[BaseConfig], name: str, field: FieldInfo) -> inspect.Parameter:
    flag = name in getattr(model, "flags", ())
    # a default that depends on other fields is told in the description
    known = not flag and field.default_factory is None and field.default is not None
    default = f" (default: {field.default})" if known else ""
    # text in, checked by the model: one set of messages for options, TOML and Python
    option = typer.Option(
        f"--{name.replace('_', '-')}",
        help=f"{field.description}{default}",
        metavar=None if flag else _metavar(field.annotation),
        show_default=False,
        rich_help_panel=_PANELS[group_of(model, name)],
    )
    return _parameter(name, option, bool if flag else str)


def _old_option(name: str) -> inspect.Parameter:
    """A name of the version before, still taken but shown no longer."""
    return _parameter(name, typer.Option(f"--{name.replace('_', '-')}", hidden=True))


def _parameter(name: str, option: Any, kind: type = str) -> inspect.Parameter:
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind | None, option],
    )


def with_options(
    model: type[BaseConfig], body: Callable[..., None], only: Collection[str] | None = None
) -> Callable[..., None]:
    """``body(overrides, **own)`` as a command whose options are the model's fields and its own.

    ``body``'s keyword-only parameters (with typer annotations) are kept as they are; fields that
    were given on the command line arrive in ``overrides``. ``only``: of these fields alone.
    """
    own = [
        p
        for p in inspect.signature(body, eval_str=True).parameters.values()
        if p.name != "overrides"
    ]
    names = [*model.model_fields, *(old for old in model.renamed if old not in model.model_fields)]
    if only is not None:
        names = [name for name in names if name in only]
    fields = [
        _option(model, name, model.model_fields[name])
        if name in model.model_fields
        else _old_option(name)
        for name in names
    ]

    def command(**values: Any) -> None:
        overrides = {
            name: values.pop(name)
            for name in names
            if values.get(name) is not None or values.pop(name, None)
        }
        body(overrides, **values)

    command.__doc__ = body.__doc__
    command.__name__ = body.__name__
    command.__signature__ = inspect.Signature([*fields, *own])  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in [*fields, *own]}
    return command
