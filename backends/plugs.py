"""Backends that other people wrote, found by name.

Two kinds of names reach them. A distribution publishes a name under the entry-point group
``qbrain.backends``; or the name itself says where a factory is, as ``package.module:factory``,
with modules of the current directory counted in. Either way a factory without arguments returns a
Qiskit :class:`~qiskit.providers.BackendV2`, or a :class:`~qiskit.primitives.BaseSamplerV2` that
has a ``target``. Nothing is imported before the name is asked for.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module, invalidate_caches
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, TypeGuard

from qiskit.primitives import BaseSamplerV2
from qiskit.providers import BackendV2

from .errors import BackendError

__all__ = ["GROUP", "WANTED", "Plug", "is_path", "is_place", "load_plug", "one_line", "published"]

GROUP = "qbrain.backends"
WANTED = "a Qiskit BackendV2, or a BaseSamplerV2 with a target"


@dataclass(frozen=True)
class Plug:
    """What a name led to: the backend itself and, for the record, where it came from.

    ``source`` is the distribution and its version for a published name, else the path of the
    factory.
    """

    backend: Any
    source: str


def published() -> dict[str, str]:
    """Names published under the group ``qbrain.backends``, and by which distribution each is.

    Where two distributions publish the same name, they are joined by "and".
    """
    found: dict[str, list[str]] = {}
    for point in entry_points(group=GROUP):
        found.setdefault(point.name, []).append(_distribution(point))
    return {name: " and ".join(sorted(set(by))) for name, by in sorted(found.items())}


def is_path(name: str) -> bool:
    """Whether a name says where a factory is: ``package.module:factory``."""
    return ":" in name


def is_place(candidate: object) -> TypeGuard[BackendV2 | BaseSamplerV2]:
    """Whether circuits can be run on it: a BackendV2, or a BaseSamplerV2 with a target."""
    return isinstance(candidate, BackendV2) or (
        isinstance(candidate, BaseSamplerV2) and getattr(candidate, "target", None) is not None
    )


def load_plug(name: str) -> Plug:
    """The backend behind a published name or a ``package.module:factory``.

    Raises:
        BackendError: in one line that starts with the name: for a path that is none, for a name
            published twice, if something cannot be imported, if what is there is no factory
            without arguments, if the factory fails, or if it returns something else.
    """
    with _current_directory_importable():
        found, source = _from_path(name) if is_path(name) else _from_distribution(name)
        backend = found if is_place(found) else _made(name, found)
    if not is_place(backend):
        raise BackendError(
            f"backend {name}: wanted {WANTED} from the factory, got {_kind(backend)}"
        )
    return Plug(backend, source)


def one_line(error: BaseException) -> str:
    """Class and words of an error, at most 300 characters of them."""
    words = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


@contextmanager
def _current_directory_importable() -> Iterator[None]:
    """An installed command has its own folder on the module path, not the current one."""
    here = str(Path.cwd())
    if here in sys.path or "" in sys.path:
        yield
        return
    # last, so that no file that lies about here can hide an installed package
    sys.path.append(here)
    invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(here)


def _from_path(name: str) -> tuple[Any, str]:
    module, _, path = name.partition(":")
    parts = [*module.split("."), *path.split(".")]
    if not all(part.isidentifier() for part in parts):
        raise BackendError(f"backend: wanted package.module:factory, got {name!r}")
    try:
        found: Any = import_module(module)
    except Exception as error:  # a stranger's module may fail in any way
        raise BackendError(
            f"backend {name}: wanted a module {module} that can be imported, got {one_line(error)}"
        ) from error
    for part in path.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise BackendError(
                f"backend {name}: wanted {path} in module {module}, got no such name"
            ) from None
    return found, name


def _from_distribution(name: str) -> tuple[Any, str]:
    points = {
        (point.value, _distribution(point)): point
        for point in entry_points(group=GROUP)
        if point.name == name
    }
    if len(points) != 1:
        by = ", ".join(sorted(distribution for _, distribution in points)) or "none"
        raise BackendError(f"backend {name}: wanted one distribution that publishes it, got {by}")
    (((_, distribution), point),) = points.items()
    try:
        return point.load(), distribution
    except Exception as error:  # a stranger's module may fail in any way
        raise BackendError(
            f"backend {name}: wanted {point.value} of {distribution} to load, got {one_line(error)}"
        ) from error


def _made(name: str, factory: Any) -> Any:
    if not callable(factory):
        raise BackendError(
            f"backend {name}: wanted a factory without arguments, got {_kind(factory)}"
        )
    try:
        inspect.signature(factory).bind()
    except TypeError as error:
        raise BackendError(
            f"backend {name}: wanted a factory without arguments, got one with a {error}"
        ) from None
    except ValueError:  # some built-in callables have no signature to look at
        pass
    try:
        return factory()
    except Exception as error:  # a stranger's factory may fail in any way
        raise BackendError(
            f"backend {name}: wanted {WANTED} from the factory, got {one_line(error)}"
        ) from error


def _distribution(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else "an unnamed distribution"


def _kind(value: object) -> str:
    """What came, in words for a message."""
    if isinstance(value, BaseSamplerV2):
        return f"{type(value).__name__} without a target"
    if value is None:
        return "None"
    return type(value).__name__
