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

import numpy as np

from ..engine.config import BaseConfig, circuit_field
from ..engine.system import System
from ..errors import ConfigError, NotApplicable

__all__ = ["MOST_POINTS", "Point", "SweepPlan", "Value", "make_plan", "parse_over", "sweep_config"]

MOST_POINTS = 100_000
Value = str | int | float | bool
_made: dict[type[BaseConfig], type[BaseConfig]] = {}
_NO_NAME = "over: wanted a name and its values, such as name=a,b,c; got none"


def sweep_config(kind: type[BaseConfig]) -> type[BaseConfig]:
    """The settings that all points of a sweep share, as a configuration of their own.

    It has the fields of ``kind``, backend ``exact`` by default, and refuses no combination: a swept
    name may give a meaning to a setting that has none alone, and each point is checked by itself.
    """
    if kind not in _made:
        _made[kind] = _lenient(kind)
    return _made[kind]


def _lenient(kind: type[BaseConfig]) -> type[BaseConfig]:
    def refuse_ignored(self: BaseConfig) -> None:
        """Nothing is refused before the swept values are known."""

    backend = circuit_field(
        "exact",
        description="exact (no circuit), statevector, aer, fake_<device>, or a backend of your own "
        "(circuits at every point); no device",
    )
    namespace = {
        "__module__": __name__,
        "__doc__": f"{kind.__doc__}",
        "__annotations__": {"backend": "str"},
        "backend": backend,
        "refuse_ignored": refuse_ignored,
    }
    made: Any = type(kind)
    found: type[BaseConfig] = made(f"{kind.__name__}OfSweep", (kind,), namespace)
    return found


@dataclass(frozen=True)
class Point:
    """One combination of the swept values.

    Attributes:
        number: in the order of the sweep.
        values: the swept ones.
        key: a hash of every setting that was given.
        config: None where the settings do not go together.
        fault: why they do not.
    """

    number: int
    values: dict[str, Value]
    key: str
    config: BaseConfig | None
    fault: str

    @property
    def label(self) -> str:
        """The swept values, such as ``tau_r=0.1, neurons=10``."""
        return ", ".join(f"{name}={value}" for name, value in self.values.items())


@dataclass(frozen=True)
class SweepPlan:
    """A sweep: the system, the settings that stay, and the values of those that do not."""

    system: System[Any]
    fixed: BaseConfig
    axes: dict[str, tuple[Value, ...]]

    @property
    def shape(self) -> tuple[int, ...]:
        """How many values each swept name has."""
        return tuple(len(values) for values in self.axes.values())

    @property
    def backends(self) -> tuple[str, ...]:
        """The backends of its points."""
        return tuple(str(name) for name in self.axes.get("backend", (self.fixed.backend,)))

    @property
    def exact(self) -> bool:
        """Whether no point runs a circuit."""
        return set(self.backends) == {"exact"}

    @property
    def trajectories(self) -> bool:
        """Whether points are exact trajectories that need no run and no folder."""
        return self.exact and self.system.points.trajectory is not None

    @property
    def given(self) -> dict[str, Any]:
        """The settings that were given, and the backend; enough to make the sweep again."""
        values = self.fixed.model_dump(include=self.fixed.model_fields_set, exclude_none=True)
        return {"backend": self.fixed.backend, **values}

    @cached_property
    def points(self) -> list[Point]:
        """Every combination, the last name's values changing fastest."""
        found = []
        for number, values in enumerate(itertools.product(*self.axes.values())):
            chosen = dict(zip(self.axes, values, strict=True))
            settings = {**self.given, **chosen}
            if not self.trajectories and "seed" not in chosen:
                # randomness of its own for every point, the same whatever else is swept
                settings["seed"] = int(_digest(settings)[:8], 16)
            config, fault = None, ""
            try:
                config = self.system.config.from_mapping(settings)
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
        raise ConfigError(_NO_NAME)
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


def make_plan(
    system: System[Any], fixed: BaseConfig, over: Mapping[str, Sequence[Any] | str]
) -> SweepPlan:
    """The sweep, with every name and value checked by the system's configuration.

    Args:
        system: what is run at every point.
        fixed: the settings that stay, a :func:`sweep_config` of the system's configuration.
        over: swept names, those of the version before among them, and their values.

    Raises:
        ConfigError: an unknown name, a value the system refuses, the same value twice, too many
            points, settings that would do nothing, or settings that fit none of the points.
        NotApplicable: a device, or backend ``exact`` beside others where its points are no runs.
    """
    kind = sweep_config(system.config)
    if not over:
        raise ConfigError(_NO_NAME)
    axes = {
        name: _checked(system, kind, name, values)
        for name, values in kind.current_names(dict(over)).items()
    }
    total = math.prod(len(values) for values in axes.values())
    if total > MOST_POINTS:
        raise ConfigError(f"over: wanted at most {MOST_POINTS} points, got {total}")
    rest = fixed.model_dump(include=fixed.model_fields_set - set(axes), exclude_none=True)
    plan = SweepPlan(system, kind.from_mapping(rest), axes)
    _refuse_backends(plan)
    if not any(point.config for point in plan.points):
        raise ConfigError(plan.points[0].fault)
    return plan


def _checked(
    system: System[Any], kind: type[BaseConfig], name: str, values: Sequence[Any] | str
) -> tuple[Value, ...]:
    """The values of a swept name, as the configuration has them."""
    if name not in kind.model_fields:
        raise ConfigError(f"over: wanted an option of run {system.name}, got {name!r}")
    listed = _listed(name, values)
    checked = tuple(getattr(kind.from_mapping({name: value}), name) for value in listed)
    for value in checked:
        if not isinstance(value, Value):
            raise ConfigError(f"{name}: wanted numbers, words or truth values, got {value!r}")
    twice = next((v for k, v in enumerate(checked) if v in checked[:k]), None)
    if twice is not None:
        raise ConfigError(f"{name}: wanted different values, got {twice} twice")
    if not checked:
        raise ConfigError(f"{name}: wanted at least one value, got none")
    return checked


def _listed(name: str, values: Any) -> list[Any]:
    """The values of a text, a sequence or an array, one by one."""
    if isinstance(values, str):
        return list(parse_over([f"{name}={values}"])[name])
    try:
        return [x.item() if isinstance(x, np.generic) else x for x in values]
    except TypeError:
        raise ConfigError(f"{name}: wanted values, such as [1, 2], got {values!r}") from None


def _refuse_backends(plan: SweepPlan) -> None:
    backends, cheap = plan.backends, plan.system.points.trajectory is not None
    device = next((name for name in backends if name.startswith("ibm_")), None)
    if device is not None:
        raise NotApplicable(
            f"backend: wanted exact or a simulator, got {device}: each point would be jobs to "
            f"queue and pay for, so a sweep is not sent to a device; use qbrain run "
            f"{plan.system.name}"
        )
    if cheap and "exact" in backends and len(backends) > 1:
        raise NotApplicable(
            f"backend: wanted exact alone, got {', '.join(backends)}: every run has the exact "
            "trajectory beside it anyway"
        )
    if plan.trajectories:
        for name in ("shots", "seed"):
            if name in plan.axes or plan.fixed.given(name):
                raise ConfigError(
                    f"{name}: would be ignored, since a sweep on backend exact keeps the "
                    "reference trajectory itself"
                )
