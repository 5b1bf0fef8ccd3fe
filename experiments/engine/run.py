"""Start, resume and estimate a run of any system: the one way in which they all go."""

from __future__ import annotations

import secrets
import time
import warnings
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from qbrain.backends.errors import DeadEnd, DeviceFault
from qbrain.backends.isa import check_instructions

from ..errors import ConfigError, DeviceError, NotApplicable, RunDirectoryError
from .config import BaseConfig
from .dispatch import Dispatcher
from .experiment import Bench, Experiment
from .finish import circuit_facts, result_of, write_run
from .finished import Parts, Run
from .folder import FORMAT, RunDirectory
from .guard import OverBudget
from .needs import guard_needs
from .plan import Sizes, costs_of, guard_qpu_seconds
from .progress import tell
from .provenance import attributes_of, provenance_of, services_of
from .run_sampler import open_place_of_run
from .sampler import RunSampler, submits
from .sent import keep_facts, kept_facts
from .stopping import on_stop
from .system import System

__all__ = [
    "Run",
    "bench_of",
    "end_run",
    "estimate",
    "make_experiment",
    "record_of",
    "resume",
    "seeded",
    "start",
]

K = TypeVar("K", bound=BaseConfig)


def bench_of(sampler: RunSampler) -> Bench:
    """What an experiment may know of a sampler."""
    noisy = getattr(sampler, "noisy", None)
    if noisy is None:
        noisy = sampler.readout is not None
    facts = sampler.facts if submits(sampler) else sampler
    return Bench(
        tuple(sampler.targets),
        tuple(sampler.readouts),
        dict(sampler.details),
        noisy,
        bool(getattr(facts, "feed_forward", False)),
    )


def make_experiment(
    system: System[K], config: K, record: Mapping[str, Any] | None = None, place: Any = None
) -> tuple[Experiment[K, Any], Bench | None, RunSampler | None]:
    """The experiment of a configuration, its bench and its sampler (None on ``exact``)."""
    kind = system.load()
    if not config.runs_circuits:
        return kind(config, None), None, None
    qubits = kind.qubits_of(config)
    if place is None:
        sampler = kind.open_sampler(config, qubits, record)
    else:
        sampler = open_place_of_run(place, config, qubits)
    bench = bench_of(sampler)
    name = getattr(sampler, "name", config.backend)
    check_instructions(name, bench.targets, kind.instructions(config))
    return kind(config, bench), bench, sampler


def seeded(config: K) -> K:
    """The same with a seed, drawn where none was given."""
    if config.seed is not None:
        return config
    return config.model_copy(update={"seed": secrets.randbits(31)})


def record_of(experiment: Experiment[Any, Any], bench: Bench | None) -> dict[str, Any]:
    """What run.toml says of a run beside its id and the versions."""
    config: BaseConfig = experiment.config
    return {
        "config": config.model_dump(exclude_none=True),
        "given": {"fields": sorted(config.model_fields_set)},
        "device": {"backend": config.backend, **(bench.details if bench else {})},
        **experiment.details(),
    }


def start(
    system: System[K], config: K, out: Path | None, *, draw: bool = True, place: Any = None
) -> Run:
    """Run into a new directory ``out`` (./runs/… if None).

    ``place``: where circuits run, in place of the configured backend's name; ``draw``: whether
    figure.png and report.html are made.

    Raises the errors of the experiment before anything is written, ``RunDirectoryError`` if the
    folder cannot be used, ``DispatchRefused`` if a circuit fails the check or the run would take
    longer than ``max_qpu_seconds``; finished jobs stay on disk in every case.
    """
    config = seeded(config)
    takes = guard_needs(system, config)
    began = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        experiment, bench, sampler = make_experiment(system, config, None, place)
    # what is refused is refused in one line; what is odd is told of what is taken
    for each in caught:
        warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
    if takes:
        tell(takes)
    if submits(sampler):
        sampler.facts.check_size(1, config.shots_each)
    seconds = None
    if bench is not None:
        seconds = guard_qpu_seconds(system.name, experiment, bench, _sizes(sampler, config))
    if submits(sampler):
        _tell_standing(sampler.name, sampler.standing(), seconds)
    folder = RunDirectory.create(out, system.name, record_of(experiment, bench))
    with folder.locked():
        if submits(sampler):
            keep_facts(folder, sampler.facts)
        return _execute(system, experiment, bench, sampler, folder, began, draw, fresh=True)


def resume(
    system: System[K],
    folder: RunDirectory,
    *,
    draw: bool = True,
    place: Any = None,
    sends: bool = True,
    max_qpu_seconds: float | None = None,
) -> Run:
    """Go on with an interrupted run; a finished one is only read.

    ``sends``: whether jobs may be sent to a device; else those that were are collected.
    ``max_qpu_seconds``: of quantum time for the whole run, what was billed included; that of its
    configuration if None.

    Raises ``RunDirectoryError`` if the folder holds no intact run of the system.
    """
    began = time.perf_counter()
    with folder.locked():
        record = folder.record()
        if record["run"].get("format") != FORMAT:
            raise RunDirectoryError(
                f"{folder.path}: wanted a journal of format {FORMAT}, got one of an earlier "
                "version; go on with the version that began it"
            )
        given = record.get("given", {}).get("fields")
        config = system.config.from_record(record["config"], given)
        if max_qpu_seconds is not None:
            if not config.on_device:
                raise ConfigError("max_qpu_seconds: would be ignored, since no device is used")
            config = config.model_copy(update={"max_qpu_seconds": max_qpu_seconds})
        result = folder.result()
        device = dict(record.get("device", {}))
        facts = kept_facts(folder)
        if facts is not None:
            device["facts"] = facts
        if result is not None:

            def replay() -> Parts:
                experiment, bench, sampler = make_experiment(system, config, device, place)
                return _measured(experiment, bench, sampler, folder, sends=False)

            return Run(system, config, folder.path, result, _replay=replay)
        experiment, bench, sampler = make_experiment(system, config, device, place)
        experiment.check_record(record)
        return _execute(
            system, experiment, bench, sampler, folder, began, draw, fresh=False, sends=sends
        )


def estimate(system: System[K], config: K, *, place: Any = None) -> dict[str, Any]:
    """Cost of a run, from the circuits it would dispatch if its readings had no errors.

    Raises ``NotApplicable`` for backend exact, and the errors of the experiment.
    """
    if not config.runs_circuits:
        raise NotApplicable("backend: exact runs no circuit, so there is nothing to estimate")
    if config.seed is None:
        config = config.model_copy(update={"seed": 0})
    guard_needs(system, config)
    experiment, bench, sampler = make_experiment(system, config, None, place)
    assert bench is not None
    if not submits(sampler):
        return costs_of(system.name, experiment, bench)
    sampler.facts.check_size(1, config.shots_each)
    costs = costs_of(system.name, experiment, bench, _sizes(sampler, config))
    standing = sampler.standing()
    _tell_standing(sampler.name, standing, costs["qpu_seconds"])
    return costs | standing


def _sizes(sampler: RunSampler | None, config: BaseConfig) -> Sizes | None:
    """How a device takes a run's jobs; None elsewhere."""
    if not submits(sampler):
        return None
    return partial(sampler.facts.job_sizes, twirled=config.twirled)


def _tell_standing(name: str, standing: Mapping[str, Any], seconds: float | None = None) -> None:
    """Say on stderr what would keep jobs from running now."""
    if standing["device_state"] != "active":
        tell(f"{name}: the device runs no jobs now: its state is {standing['device_state']}")
    left = standing["usage_left_seconds"]
    if left is not None and left <= (seconds or 0.0):
        wanted = "" if seconds is None else f", and the run is estimated to take {seconds:.0f} s"
        tell(f"{name}: the instance has {left:.0f} s of quantum time left{wanted}")


def _execute(
    system: System[Any],
    experiment: Experiment[Any, Any],
    bench: Bench | None,
    sampler: RunSampler | None,
    folder: RunDirectory,
    began: float,
    draw: bool,
    *,
    fresh: bool,
    sends: bool = True,
) -> Run:
    parts = _measured(experiment, bench, sampler, folder, fresh=fresh, sends=sends)
    return end_run(system, parts, folder, began, draw)


def end_run(
    system: System[Any], parts: Parts, folder: RunDirectory, began: float, draw: bool
) -> Run:
    """Write what a finished run leaves, however its jobs were sent, and return it."""
    facts = circuit_facts(parts.readings, parts.bench)
    result = result_of(system.name, parts.experiment, parts.outcome, facts)
    result["wall_seconds"] = round(time.perf_counter() - began, 3)
    result["run_dir"] = str(folder.path)
    provenance = provenance_of(folder, parts.experiment.where, len(parts.readings))
    if provenance is not None:
        result["provenance"] = provenance
        parts.outcome.data.attrs.update(attributes_of(provenance))
    write_run(folder, parts.outcome, result, parts.readings, parts.circuits, draw=draw)
    return Run(system, parts.experiment.config, folder.path, result, parts)


def _way_on(error: DeviceFault, folder: RunDirectory) -> str:
    """The command that helps after a fault of the device."""
    again = f"qbrain resume {folder.path}"
    if isinstance(error, DeadEnd) and error.step is not None:
        return (
            f"ask again with: {again}; or send the job once more, at its cost, with: "
            f"{again} --resend {error.step}"
        )
    return f"go on with: {again}"


def _measured(
    experiment: Experiment[Any, Any],
    bench: Bench | None,
    sampler: RunSampler | None,
    folder: RunDirectory,
    *,
    fresh: bool = False,
    sends: bool = True,
) -> Parts:
    """What the journal holds and what was missing in it, with what follows from both."""
    experiment.prepare(folder)
    if bench is None or sampler is None:
        return Parts(experiment, None, experiment.outcome(None), [], [])
    dispatcher = Dispatcher(experiment, bench, sampler, folder)
    if submits(sampler):
        sampler.begin(
            folder.record()["run"]["id"],
            str(folder.path.resolve()),
            fresh=fresh,
            loops=experiment.loops_on_device,
            sends=sends,
            tell=tell,
        )
    try:
        with ExitStack() as stack:
            if submits(sampler):
                stack.callback(sampler.close)
                stack.enter_context(on_stop(sampler.close, "the device's session"))
            measured = dispatcher.run()
    except DeviceFault as error:
        raise DeviceError(f"{error}; {_way_on(error, folder)}") from error
    except OverBudget as error:
        error.args = (
            f"{error}; what was measured is kept; go on with more: qbrain resume {folder.path} "
            "--max-qpu-seconds S",
        )
        raise
    experiment.services = services_of(folder, len(dispatcher.readings))
    outcome = experiment.outcome(measured)
    return Parts(experiment, bench, outcome, dispatcher.readings, dispatcher.circuits())
