"""The functions of ``import qbrain``: runs, estimates, comparisons, sweeps, figures of papers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from . import resuming
from .compare import compare_runs
from .engine import by_hand
from .engine import run as engine
from .engine.by_hand import Pending
from .engine.finished import Run
from .engine.scratch import Scratch
from .engine.system import System
from .papers import commands
from .sweep import run as sweeping
from .sweep.run import Sweep
from .systems import SYSTEMS, find_system

__all__ = ["build", "compare", "estimate", "figures", "resume", "run", "sweep", "systems"]


def systems() -> dict[str, str]:
    """The systems that can be run, and one line about each; those of other packages too."""
    return {name: system.about for name, system in SYSTEMS.items()}


def _configured(
    system: str | System[Any], backend: Any, settings: Mapping[str, Any]
) -> tuple[Any, Any, Any]:
    """System, configuration and place: a backend may be a name or the thing itself."""
    found = find_system(system)
    values, place = dict(settings), None
    if isinstance(backend, str):
        values["backend"] = backend
    elif backend is not None:
        name = getattr(backend, "name", None)
        values["backend"] = name if isinstance(name, str) and name else type(backend).__name__
        place = backend
    return found, found.config.from_mapping(values), place


def run(
    system: str | System[Any],
    *,
    backend: Any = None,
    out: str | Path | None = None,
    **settings: Any,
) -> Run:
    """Run a system and return the finished run.

    Args:
        system: ``lmg``, ``spiqgan``, ``hodgkin-huxley``, ``open-system``, ``qlif``, or one that
            another package brings; or a :class:`qbrain.System` itself.
        backend: a name (``exact``, ``aer``, ``fake_fez``, ``ibm_fez``, ``package.module:factory``),
            any Qiskit ``BackendV2``, or a sampler with a target.
        out: folder that keeps everything, report included; a temporary one if None.
        settings: the options of ``qbrain run SYSTEM --help``, with underscores.

    Raises:
        ConfigError: a setting that is unknown, out of range, or would be ignored.
        DispatchRefused: a circuit did not pass the check before dispatch.
        DeviceError: a device failed; the run can be resumed.
    """
    found, config, place = _configured(system, backend, settings)
    if out is not None:
        return engine.start(found, config, Path(out), place=place)
    scratch = Scratch()
    finished = engine.start(found, config, scratch.path / "run", draw=False, place=place)
    finished._scratch = scratch
    return finished


def resume(path: str | Path, *, backend: Any = None, max_qpu_seconds: float | None = None) -> Run:
    """Go on with a run in its folder; a finished one is only read.

    ``backend``: the backend object, for a run that was begun on one. ``max_qpu_seconds``: of
    quantum time for the whole run on a device, in place of its own limit.

    Raises ``RunDirectoryError`` if there is no intact run.
    """
    place = None if isinstance(backend, str) else backend
    return resuming.resume(Path(path), place=place, max_qpu_seconds=max_qpu_seconds)


def estimate(system: str | System[Any], *, backend: Any = None, **settings: Any) -> dict[str, Any]:
    """What such a run would cost: jobs, circuits, gates, expected fidelity, QPU seconds.

    Raises ``NotApplicable`` for backend exact, and the errors of :func:`run`.
    """
    found, config, place = _configured(system, backend, settings)
    return engine.estimate(found, config, place=place)


def build(
    system: str, *, backend: Any = None, out: str | Path | None = None, **settings: Any
) -> Pending:
    """The circuits of a run's first job, compiled and checked, to be run by whatever means.

    Hand the counts to :func:`qbrain.combine`, which gives the next job or the finished run.
    """
    found, config, place = _configured(system, backend, settings)
    return by_hand.build(found, config, place=place, out=None if out is None else Path(out))


def compare(*runs: Run | str | Path) -> pd.DataFrame:
    """Finished runs of one system beside each other, one row a run and mitigation.

    Raises:
        ConfigError: runs of different systems.
        RunDirectoryError: a folder without a finished run.
    """
    paths = [each.folder if isinstance(each, Run) else Path(each) for each in runs]
    return pd.DataFrame(compare_runs(paths))


def sweep(
    system: str,
    *,
    over: Mapping[str, Sequence[Any]],
    out: str | Path | None = None,
    scheduler: str | None = None,
    **settings: Any,
) -> Sweep:
    """A system at every combination of some settings, as one dataset; see ``qbrain sweep``."""
    return sweeping.sweep(
        system, over=over, out=None if out is None else Path(out), scheduler=scheduler, **settings
    )


def figures(
    paper: str, *, only: Iterable[Any] = (), out: str | Path | None = None
) -> dict[str, Any]:
    """Figures of a paper into a folder: data, pictures, claims measured; the JSON object.

    ``only``: names of the figures; all of them if empty.
    """
    return commands.make_figures(paper, None if out is None else Path(out), list(only))
