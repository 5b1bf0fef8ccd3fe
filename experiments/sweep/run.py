"""A sweep: the LMG experiment at every combination of some settings, as one dataset.

``start`` makes the folder of a sweep, or goes on in the one it is given; ``resume`` goes on from
the folder alone. Both return the sweep's JSON object. In the folder:

``sweep.toml``    the swept names and values, the settings that stay, versions
``points.jsonl``  journal: one finished point a line, see ``sweep_journal``
``points/``       backends other than exact: the run directory of every point
``sweep.nc``, ``result.json``: at the end; the dataset is the same to the byte however often the
sweep was cut off

A point that fails is named and keeps nobody else from finishing.
"""

from __future__ import annotations

import json
import secrets
import time
import tomllib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import tomli_w

from ..engine.folder import RunDirectory, versions
from ..engine.progress import progress
from ..errors import ConfigError, DeviceError, RunDirectoryError
from .cluster import finished_points, need_dask, open_client
from .dataset import sweep_dataset
from .journal import DONE, Outcome, append_outcomes, read_outcomes
from .plan import LMGSweep, Plan, Point, make_plan, parse_over
from .work import Job

__all__ = ["is_sweep", "resume", "start"]


def is_sweep(path: Path) -> bool:
    """Whether the folder is a sweep's."""
    return (path / "sweep.toml").exists()


def start(
    fixed: LMGSweep, over: Sequence[str], out: Path | None, scheduler: str | None
) -> dict[str, Any]:
    """Sweep ``fixed`` over names and values such as ``tau_r=0.1,1,10``; return the JSON object.

    The folder is ``out`` (a new one under ./runs if None); if it holds the same sweep, that one
    goes on. Points run on the Dask cluster at ``scheduler``, or on this machine if None.

    Raises:
        ConfigError: bad names or values, before anything is written; all points failed.
        RunDirectoryError: the folder cannot be used, or holds something else.
        DeviceError: the scheduler cannot be reached or was lost.
    """
    need_dask(scheduler)
    plan = make_plan(fixed, parse_over(over))
    if out is not None and is_sweep(out):
        found = _recorded(out)
        asked, there = plan.given, found.given
        if "seed" not in asked:
            there.pop("seed", None)
        if asked != there or list(plan.axes.items()) != list(found.axes.items()):
            raise RunDirectoryError(
                f"out: {out} holds another sweep; wanted a new folder (or: qbrain resume {out})"
            )
        return _execute(out, found, scheduler)
    if not plan.exact and "seed" not in plan.given and "seed" not in plan.axes:
        seeded = LMGSweep.from_mapping({**plan.given, "seed": secrets.randbits(32)})
        plan = make_plan(seeded, plan.axes)
    return _execute(_create(out, plan), plan, scheduler)


def resume(path: Path, scheduler: str | None = None) -> dict[str, Any]:
    """Go on with an interrupted sweep; a finished one only returns its result.

    Points that failed for a reason that may have passed (a killed worker, a full disk) are tried
    again. Raises as ``start`` does.
    """
    need_dask(scheduler)
    return _execute(path, _recorded(path), scheduler)


def _create(path: Path | None, plan: Plan) -> Path:
    now = datetime.now(UTC)
    if path is None:
        path = Path("runs") / f"lmg-sweep-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
    record = {
        "sweep": {
            "id": secrets.token_hex(8),
            "system": "lmg",
            "created": now.isoformat(timespec="seconds"),
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
            folder.write("sweep.toml", tomli_w.dumps(record).encode())
    except RunDirectoryError:
        raise
    except OSError as error:
        raise RunDirectoryError(f"out: cannot write to {path}: {error.strerror or error}") from None
    return path


def _recorded(path: Path) -> Plan:
    """The sweep that the folder's sweep.toml describes."""
    file = path / "sweep.toml"
    try:
        record = tomllib.loads(file.read_text(encoding="utf-8"))
        return make_plan(LMGSweep.from_mapping(record["config"]), record["over"])
    except OSError as error:
        raise RunDirectoryError(f"{file}: cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunDirectoryError(f"{file}: not an intact record of a sweep: {error}") from None


def _execute(path: Path, plan: Plan, scheduler: str | None) -> dict[str, Any]:
    folder, began = RunDirectory(path), time.perf_counter()
    with folder.locked():
        outcomes = _known(path, plan)
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


def _known(path: Path, plan: Plan) -> dict[str, Outcome]:
    """Outcomes that need no work: what the journal holds, and settings that do not go together."""
    found = read_outcomes(path / "points.jsonl")
    strangers = set(found) - {point.key for point in plan.points}
    if strangers:
        raise RunDirectoryError(f"{path / 'points.jsonl'}: holds points of another sweep")
    faults = {p.key: Outcome(p.key, p.fault) for p in plan.points if p.config is None}
    return {**found, **faults}


def _measure(
    path: Path,
    plan: Plan,
    missing: Sequence[Point],
    outcomes: dict[str, Outcome],
    scheduler: str | None,
) -> None:
    """Do the missing points and add what came of them to the journal and to ``outcomes``."""
    witness = None if plan.exact else str((path / "sweep.toml").resolve())
    runs = (path / "points").resolve()
    jobs = [
        Job(point.key, point.config, "" if plan.exact else str(runs / f"{point.number:05d}"))
        for point in missing
        if point.config is not None
    ]
    failed = sum(outcome.status != DONE for outcome in outcomes.values())
    try:
        with (
            progress(len(plan.points), len(outcomes), "points") as tick,
            open_client(scheduler, len(jobs), witness) as client,
        ):
            for batch in finished_points(client, jobs, batches=plan.exact):
                append_outcomes(path / "points.jsonl", batch)
                outcomes.update((outcome.key, outcome) for outcome in batch)
                failed += sum(outcome.status != DONE for outcome in batch)
                tick(f"{failed} failed" if failed else "points", len(batch))
    except DeviceError as error:
        raise DeviceError(f"{error}; go on with: qbrain resume {path}") from None


def _finish(
    folder: RunDirectory,
    plan: Plan,
    outcomes: Mapping[str, Outcome],
    measured: int,
    began: float,
) -> dict[str, Any]:
    data = sweep_dataset(plan, outcomes)
    folder.write("sweep.nc", lambda path: data.to_netcdf(path, engine="h5netcdf"))
    failures = [
        {"point": point.label, "why": outcomes[point.key].status}
        for point in plan.points
        if outcomes[point.key].status != DONE
    ]
    seconds = time.perf_counter() - began
    result = {
        "system": "lmg",
        "backend": ", ".join(str(x) for x in plan.axes.get("backend", (plan.backend,))),
        "over": ", ".join(f"{name} ({len(values)})" for name, values in plan.axes.items()),
        "points": len(plan.points),
        "failed": len(failures),
        "failures": failures,
        "measured_now": measured,
        "wall_seconds": round(seconds, 3),
        "dataset": str(folder.path / "sweep.nc"),
        "sweep_dir": str(folder.path),
    }
    # last: its presence says that the sweep is complete
    folder.write("result.json", (json.dumps(result, indent=1) + "\n").encode())
    return result
