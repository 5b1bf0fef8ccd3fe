"""What is said of a system before its experiment is imported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .config import BaseConfig

if TYPE_CHECKING:  # Qiskit takes a second, and help pages need none
    from .experiment import Experiment

__all__ = ["PointRecord", "System"]

K = TypeVar("K", bound=BaseConfig)


@dataclass(frozen=True)
class PointRecord:
    """What a sweep keeps of each of a system's runs, and what its picture shows.

    Attributes:
        title: of the dataset; the system's name if empty.
        series: variables of result.nc over ``time``; if empty, all whose only dimension that is.
        metrics: numbers of result.json; if empty, all of its top level and of ``fit``, the latter
            as ``fit_rmse`` and so on, but for settings and times that a clock measured.
        shown: the series, or the metric, that a picture of points on backend ``exact`` shows.
        trajectory: ``module:function`` of a point on backend ``exact`` that needs no run: from the
            configuration to (series, metrics), the times among the series as ``time``.
        units: of series, metrics and settings by name.
        other_unit: of those that ``units`` leaves out; None says nothing of them.
        long_names: of series and metrics.
    """

    title: str = ""
    series: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    shown: str = ""
    trajectory: str | None = None
    units: Mapping[str, str] = field(default_factory=dict)
    other_unit: str | None = None
    long_names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class System(Generic[K]):
    """A system that can be run.

    Attributes:
        name: on the command line.
        config: its configuration; every field is an option.
        experiment: its experiment as ``module:class``, imported when one is run; or the class
            itself, while a system is being written.
        about: one line of help.
        columns: of its rows in ``compare``.
        points: what a sweep keeps of its runs.
        curve: variable of result.nc over ``time`` that ``compare`` measures distances between, each
            mitigation's as ``mitigated_`` and its name; none if empty.
    """

    name: str
    config: type[K]
    experiment: str | type[Experiment[K, Any]]
    about: str
    columns: tuple[str, ...] = ()
    points: PointRecord = PointRecord()
    curve: str = ""

    def load(self) -> type[Experiment[K, Any]]:
        """The experiment's class."""
        if not isinstance(self.experiment, str):
            return self.experiment
        module, _, name = self.experiment.partition(":")
        found: type[Experiment[K, Any]] = getattr(import_module(module), name)
        return found
