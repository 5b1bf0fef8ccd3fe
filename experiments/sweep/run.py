"""A sweep: a system's run at every combination of some settings, as one dataset.

``sweep`` is for Python; ``start`` makes the folder of a sweep, or goes on in the one it is given;
``resume`` goes on from the folder alone. In the folder:

``sweep.toml``    system, swept names and values, the settings that stay, versions
``points.jsonl``  journal: one finished point a line, see ``journal``
``points/``       the run directory of every point, unless points are trajectories that need no run
``sweep.nc``, ``sweep.png``, ``result.json``: at the end; the dataset is the same to the byte
however often the sweep was cut off

A point that fails is named and keeps nobody else from finishing.
"""

from __future__ import annotations

import secrets
import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import tomli_w
import xarray as xr
from matplotlib.figure import Figure

from ..engine.config import BaseConfig
from ..engine.durable import read_whole, refuse_links, why
from ..engine.folder import RunDirectory
from ..engine.progress import progress
from ..engine.seals import seal_toml, unseal_toml
from ..engine.stopping import begun
from ..engine.system import System
from ..engine.versions import versions
from ..errors import ConfigError, DeviceError, RunDirectoryError
from ..report.figure import save_figure
from ..systems import find_system
from .cluster import finished_points, need_dask, open_client
from .dataset import folder_of, sweep_dataset
from .figure import sweep_figure
from .journal import DONE, PointOutcome, append_outcomes, read_outcomes
from .plan import Point, SweepPlan, make_plan, parse_over, sweep_config
from .work import PointJob

__all__ = ["Sweep", "is_sweep", "refuse_both", "resume", "start", "sweep"]

# of the journal: 2 holds the times of series
_FORMAT = 2


@dataclass(frozen=True)
class Sweep:
    """A finished sweep.

    Attributes:
        folder: where it is.
        result: its JSON object.
        data: series and metrics with the swept names as dimensions, (swept names…, time).
    """

    folder: Path
    result: Mapping[str, Any]
    data: xr.Dataset

    def figure(self) -> Figure:
        """The sweep's picture."""
        return sweep_figure(self.data)


def sweep(
    system: str,
    over: Mapping[str, Sequence[Any] | str],
    out: Path | str | None = None,
    scheduler: str | None = None,
    **settings: Any,
) -> Sweep:
    """Run a system at every combination of some settings.

    Args:
        system: its name.
        over: swept names and their values: a sequence, an array, or a text as after ``--over``,
            such as ``"0:1:11"``.
        out: folder of the sweep (a new one under ./runs if None); the same sweep in it goes on.
        scheduler: address of a Dask cluster (the processors here if None).
        settings: those that stay; backend ``exact`` unless it is given or swept.

    Raises:
        ConfigError: bad names or values, before anything is written; all points failed.
        NotApplicable: a device.
        RunDirectoryError: the folder cannot be used, or holds something else.
        DeviceError: the scheduler cannot be reached or was lost.
    """
    found = find_system(system)
    kind = sweep_config(found.config)
    swept, given = kind.current_names(dict(over)), kind.current_names(dict(settings))
    refuse_both(swept, given)
    folder = None if out is None else Path(out)
    result = start(found, kind.from_mapping(given), swept, folder, scheduler)
    data = xr.load_dataset(result["dataset"], engine="h5netcdf")
    return Sweep(Path(result["sweep_dir"]), result, data)


def refuse_both(swept: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Raise ``ConfigError`` if a setting is swept and given too."""
    for name in sorted(set(swept) & set(given)):
        raise ConfigError(f"{name}: wanted it swept or given once, got both")


def is_sweep(path: Path) -> bool:
    """Whether the folder is a sweep's."""
    return (path / "sweep.toml").exists()


def start(
    system: System[Any],
    fixed: BaseConfig,
    over: Sequence[str] | Mapping[str, Sequence[Any] | str],
    out: Path | None,
    scheduler: str | None,
) -> dict[str, Any]:
    """Sweep a system; return the JSON object.

    Args:
        system: what is run at every point.
        fixed: the settings that stay, a ``sweep_config`` of the system's configuration.
        over: texts such as ``tau_r=0.1,1,10``, or names and their values.
        out: folder (a new one under ./runs if None); if it holds the same sweep, that one goes on.
        scheduler: address of a Dask cluster (the processors here if None).

    Raises:
        ConfigError: bad names or values, before anything is written; all points failed.
        NotApplicable: a device.
        RunDirectoryError: the folder cannot be used, or holds something else.
        DeviceError: the scheduler cannot be reached or was lost.
    """
    need_dask(scheduler)
    plan = make_plan(system, fixed, over if isinstance(over, Mapping) else parse_over(over))
    if out is not None and is_sweep(out):
        found, sealed = _recorded(out)
        if not _same(plan, found):
            raise RunDirectoryError(
                f"out: {out} holds another sweep; wanted a new folder (or: qbrain resume {out})"
            )
        return _execute(out, found, scheduler, sealed)
    if not plan.trajectories and "seed" not in plan.given and "seed" not in plan.axes:
        kind = sweep_config(system.config)
        seeded = kind.from_mapping({**plan.given, "seed": secrets.randbits(32)})
        plan = make_plan(system, seeded, plan.axes)
    return _execute(_create(out, plan), plan, scheduler)


def _same(asked: SweepPlan, there: SweepPlan) -> bool:
    """Whether a recorded sweep is the one that is asked for; its seed may have been drawn."""
    given = there.given
    if "seed" not in asked.given:
        given.pop("seed", None)
    return (
        asked.system.name == there.system.name
        and asked.given == given
        and list(asked.axes.items()) == list(there.axes.items())
    )


def resume(path: Path, scheduler: str | None = None) -> dict[str, Any]:
    """Go on with an interrupted sweep; a finished one only returns its result.

    Points that failed for a reason that may have passed (a killed worker, a full disk) are tried
    again. Raises as ``start`` does.
    """
    need_dask(scheduler)
    plan, sealed = _recorded(path)
    return _execute(path, plan, scheduler, sealed)


def _create(path: Path | None, plan: SweepPlan) -> Path:
    now = datetime.now(UTC)
    if path is None:
        path = Path("runs") / f"{plan.system.name}-sweep-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
    record = {
        "sweep": {
            "id": secrets.token_hex(8),
            "system": plan.system.name,
            "created": now.isoformat(timespec="seconds"),
            "format": _FORMAT,
            "sealed": True,
        },
        "over": {name: list(values) for name, values in plan.axes.items()},
        "config": plan.given,
        "versions": {**versions(), "dask": version("dask"), "distributed": version("distributed")},
    }
    try:
        path.mkdir(parents=True, exist_ok=True)
        folder = RunDirectory(path)
        with folder.locked():
            if is_sweep(path) or (path / "run.toml").exists():
                raise RunDirectoryError(f"out: {path} already holds a run; wanted a new folder")
            folder.write("sweep.toml", seal_toml(tomli_w.dumps(record)))
    except OSError as error:
        text = why(error)
        prefix = "" if text.startswith("out: ") else f"out: cannot write to {path}: "
        raise RunDirectoryError(prefix + text) from None
    begun(path)
    return path


def _recorded(path: Path) -> tuple[SweepPlan, bool]:
    """The sweep that the folder's sweep.toml describes, and whether its journal is sealed."""
    file = path / "sweep.toml"
    raw = read_whole(file)
    if raw is None:
        raise RunDirectoryError(f"{path}: no sweep here (sweep.toml is missing)")
    try:
        text, found = unseal_toml(raw)
        record = tomllib.loads(text)
        head = record["sweep"]
        sealed = bool(head.get("sealed", False))
        if sealed and not found:
            raise ValueError("its checksum is missing")
        system = find_system(head["system"])
        fixed = sweep_config(system.config).from_mapping(record["config"])
        plan = make_plan(system, fixed, record["over"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RunDirectoryError(f"{file}: not an intact record of a sweep: {error}") from None
    if head.get("format") != _FORMAT:
        raise RunDirectoryError(
            f"{path}: wanted a sweep of format {_FORMAT}, got one of an earlier version; go on "
            "with the version that began it"
        )
    return plan, sealed


def _execute(
    path: Path, plan: SweepPlan, scheduler: str | None, sealed: bool = True
) -> dict[str, Any]:
    folder, began = RunDirectory(path), time.perf_counter()
    with folder.locked():
        outcomes = _known(path, plan, sealed)
        missing = [point for point in plan.points if point.key not in outcomes]
        result = None if missing else folder.result()
        if result is None:
            if missing:
                _measure(path, plan, missing, outcomes, scheduler)
            result = _finish(folder, plan, outcomes, len(missing), began)
    if result["failed"] == result["points"]:
        first = result["failures"][0]
        raise ConfigError(f"all {result['points']} points failed; {first['point']}: {first['why']}")
    return result


def _known(path: Path, plan: SweepPlan, sealed: bool) -> dict[str, PointOutcome]:
    """Outcomes that need no work: what the journal holds, and settings that do not go together."""
    found = read_outcomes(path / "points.jsonl", sealed=sealed)
    strangers = set(found) - {point.key for point in plan.points}
    if strangers:
        raise RunDirectoryError(f"{path / 'points.jsonl'}: holds points of another sweep")
    faults = {p.key: PointOutcome(p.key, p.fault) for p in plan.points if p.config is None}
    return {**found, **faults}


def _measure(
    path: Path,
    plan: SweepPlan,
    missing: Sequence[Point],
    outcomes: dict[str, PointOutcome],
    scheduler: str | None,
) -> None:
    """Do the missing points and add what came of them to the journal and to ``outcomes``."""
    witness = None if plan.trajectories else str((path / "sweep.toml").resolve())
    jobs = [
        PointJob(point.key, plan.system.name, point.config, _run_folder(path, plan, point))
        for point in missing
        if point.config is not None
    ]
    failed = sum(outcome.status != DONE for outcome in outcomes.values())
    try:
        with (
            progress(len(plan.points), len(outcomes), "points") as tick,
            open_client(scheduler, len(jobs), witness) as client,
        ):
            for batch in finished_points(client, jobs, batches=plan.trajectories):
                append_outcomes(path / "points.jsonl", batch)
                outcomes.update((outcome.key, outcome) for outcome in batch)
                failed += sum(outcome.status != DONE for outcome in batch)
                tick(f"{failed} failed" if failed else "points", len(batch))
    except DeviceError as error:
        raise DeviceError(f"{error}; go on with: qbrain resume {path}") from None


def _run_folder(path: Path, plan: SweepPlan, point: Point) -> str:
    """The folder of a point's run; none if it is a trajectory."""
    if plan.trajectories:
        return ""
    folder = path / folder_of(point.number)
    refuse_links(path, folder / "run.toml")
    return str(folder.resolve())


def _finish(
    folder: RunDirectory,
    plan: SweepPlan,
    outcomes: Mapping[str, PointOutcome],
    measured: int,
    began: float,
) -> dict[str, Any]:
    data = sweep_dataset(plan, outcomes, folder.path)
    folder.write_dataset("sweep.nc", data)
    picture = sweep_figure(data)
    folder.write("sweep.png", lambda path: save_figure(picture, path))
    failures = [
        {"point": point.label, "why": outcomes[point.key].status}
        for point in plan.points
        if outcomes[point.key].status != DONE
    ]
    seconds = time.perf_counter() - began
    result = {
        "system": plan.system.name,
        "backend": ", ".join(plan.backends),
        "over": ", ".join(f"{name} ({len(values)})" for name, values in plan.axes.items()),
        "points": len(plan.points),
        "failed": len(failures),
        "failures": failures,
        "measured_now": measured,
        "wall_seconds": round(seconds, 3),
        "dataset": str(folder.path / "sweep.nc"),
        "picture": str(folder.path / "sweep.png"),
        "sweep_dir": str(folder.path),
    }
    # last: its presence says that the sweep is complete
    folder.write_result(result)
    return result
