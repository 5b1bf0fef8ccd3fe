"""What a sweep covers: the names after ``--over``, their values, and the points they make."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

from pydantic import Field

from ..errors import ConfigError, NotApplicable
from ..lmg.config import LMGConfig

__all__ = ["MOST_POINTS", "LMGSweep", "Plan", "Point", "make_plan", "parse_over"]

MOST_POINTS = 100_000
Value = str | int | float | bool


class LMGSweep(LMGConfig):
    """Settings that all points of a sweep share; what combinations mean is for each point."""

    backend: str = Field(
        "exact",
        description="exact (the reference trajectory, no circuit), statevector, aer or "
        "fake_<device> (a whole run a point); no device",
    )

    def refuse_ignored(self) -> None:
        """Nothing: a swept name may give a meaning to what has none alone."""


@dataclass(frozen=True)
class Point:
    """One combination of the swept values.

    ``key`` is a hash of every setting that was given; ``config`` is None where these do not go
    together, and ``fault`` then says why.
    """

    number: int
    values: dict[str, Value]
    key: str
    config: LMGConfig | None
    fault: str

    @property
    def label(self) -> str:
        """The swept values, such as ``tau_r=0.1, neurons=10``."""
        return ", ".join(f"{name}={value}" for name, value in self.values.items())


@dataclass(frozen=True)
class Plan:
    """A sweep: the settings that stay, and the values of those that do not."""

    fixed: LMGSweep
    axes: dict[str, tuple[Value, ...]]

    @property
    def shape(self) -> tuple[int, ...]:
        """How many values each swept name has."""
        return tuple(len(values) for values in self.axes.values())

    @property
    def exact(self) -> bool:
        """Whether points are reference trajectories rather than runs of circuits."""
        return all(backend == "exact" for backend in self.axes.get("backend", (self.backend,)))

    @property
    def backend(self) -> str:
        """The backend of points that do not sweep it."""
        return self.fixed.backend

    @property
    def given(self) -> dict[str, Any]:
        """The settings that were given, and the backend; enough to make the sweep again."""
        values = self.fixed.model_dump(include=self.fixed.model_fields_set, exclude_none=True)
        return {"backend": self.backend, **values}

    @cached_property
    def points(self) -> list[Point]:
        """Every combination, the last name's values changing fastest."""
        found = []
        for number, values in enumerate(itertools.product(*self.axes.values())):
            chosen = dict(zip(self.axes, values, strict=True))
            settings = {**self.given, **chosen}
            if not self.exact and "seed" not in chosen:
                # noise of its own for every point, the same whatever else is swept
                settings["seed"] = int(_digest(settings)[:8], 16)
            config, fault = None, ""
            try:
                config = LMGConfig.from_mapping(settings)
            except ConfigError as error:
                fault = str(error)
            found.append(Point(number, chosen, _digest(settings)[:24], config, fault))
        return found


def _digest(settings: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def parse_over(texts: Sequence[str]) -> dict[str, list[Value]]:
    """Names and values of texts such as ``tau_r=0.1,1,10`` and ``gamma=0:1:11``.

    A range is start:stop:count, both ends included. Raises ``ConfigError`` for anything else.
    """
    if not texts:
        raise ConfigError("over: wanted a name and its values, such as tau_r=0.1,1,10; got none")
    found: dict[str, list[Value]] = {}
    for text in texts:
        name, equals, values = text.partition("=")
        name = name.strip().replace("-", "_")
        if not equals:
            raise ConfigError(f"over: wanted name=a,b,c or name=start:stop:count, got {text!r}")
        if name in found:
            raise ConfigError(f"over: wanted each name once, got {name} twice")
        found[name] = _range(name, values) if ":" in values else _list(name, values)
    return found


def _list(name: str, text: str) -> list[Value]:
    values: list[Value] = [part.strip() for part in text.split(",")]
    if "" in values:
        raise ConfigError(f"{name}: wanted values joined by commas, got {text!r}")
    return values


def _range(name: str, text: str) -> list[Value]:
    wanted = ConfigError(
        f"{name}: wanted start:stop:count with a count from 2 to {MOST_POINTS}, got {text!r}"
    )
    try:
        start, stop, number = text.split(":")
        # decimals, not binary fractions: the third of 0:1:11 is 0.3 and can be asked for by that
        first, last = (Fraction(repr(float(part))) for part in (start, stop))
        count = int(number)
    except (ValueError, OverflowError):
        raise wanted from None
    if not 2 <= count <= MOST_POINTS:
        raise wanted
    values = [float(first + (last - first) * k / (count - 1)) for k in range(count)]
    return [int(x) if x.is_integer() else x for x in values]


def make_plan(fixed: LMGSweep, over: Mapping[str, Sequence[Value]]) -> Plan:
    """The sweep, with every name and value checked by the model.

    Raises:
        ConfigError: an unknown name, a value the model refuses, the same value twice, too many
            points, settings that would do nothing, or settings that fit none of the points.
        NotApplicable: a device, or backend ``exact`` beside others.
    """
    axes: dict[str, tuple[Value, ...]] = {}
    for name, values in over.items():
        if name not in LMGConfig.model_fields:
            raise ConfigError(f"over: wanted an option of run lmg, got {name!r}")
        checked = tuple(getattr(LMGSweep.from_mapping({name: v}), name) for v in values)
        twice = next((v for k, v in enumerate(checked) if v in checked[:k]), None)
        if twice is not None:
            raise ConfigError(f"{name}: wanted different values, got {twice} twice")
        if not checked:
            raise ConfigError(f"{name}: wanted at least one value, got none")
        axes[name] = checked
    total = math.prod(len(values) for values in axes.values())
    if total > MOST_POINTS:
        raise ConfigError(f"over: wanted at most {MOST_POINTS} points, got {total}")
    rest = fixed.model_dump(include=fixed.model_fields_set - set(axes), exclude_none=True)
    plan = Plan(LMGSweep.from_mapping(rest), axes)
    _refuse_backends(plan)
    if not any(point.config for point in plan.points):
        raise ConfigError(plan.points[0].fault)
    return plan


def _refuse_backends(plan: Plan) -> None:
    backends = [str(name) for name in plan.axes.get("backend", (plan.backend,))]
    device = next((name for name in backends if name.startswith("ibm_")), None)
    if device is not None:
        raise NotApplicable(
            f"backend: wanted exact or a simulator, got {device}: each point would be jobs to "
            "queue and pay for, so a sweep is not sent to a device; use qbrain run lmg"
        )
    if "exact" in backends and len(backends) > 1:
        raise NotApplicable(
            f"backend: wanted exact alone, got {', '.join(backends)}: every run has the exact "
            "trajectory beside it anyway"
        )
    if plan.exact:
        for name in ("shots", "seed"):
            if name in plan.axes or plan.fixed.given(name):
                raise ConfigError(
                    f"{name}: would be ignored, since a sweep on backend exact keeps the "
                    "reference trajectory itself"
                )
