"""The spike generator's experiment: read, split, train, compare, run on a backend, report.

Every part of a run is on disk before the next one starts: the checkpoint of each training, the
weights kept, the journal of each job. A run that was killed goes on with ``qbrain resume``.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from qbrain.backends.errors import DeviceFault
from qbrain.circuits.spiqgan import parameter_count
from qbrain.classical_feedback.spike_training import Check, Trained, TrainingError
from qbrain.reference.spiqgan.generator import DrawsWindows, sample
from qbrain.reference.spiqgan.spike_controls import fit_independent, fit_space_time
from qbrain.reference.spiqgan.spike_networks import SpikeGAN, dense_network

from ..engine.folder import RunDirectory
from ..engine.progress import progress
from ..errors import ConfigError, DeviceError, RunDirectoryError
from ..spikes.data import (
    SpikeData,
    Split,
    choose_cells,
    load_spikes,
    split_trials,
    synthetic_spikes,
)
from ..spikes.fitting import ERRORS, fit_windows, load_weights, save_weights
from ..spikes.from_lmg import lmg_spikes
from .config import SpiQGANConfig
from .device import DeviceRun
from .result import Source, finish

__all__ = ["load_data", "resume", "start"]


@dataclass(frozen=True)
class Prepared:
    """What a run starts from; made before anything is written."""

    config: SpiQGANConfig
    data: SpikeData
    split: Split
    weights: dict[str, Any] | None
    device: DeviceRun | None

    @property
    def seed(self) -> int:
        """Of everything random but the split."""
        assert self.config.seed is not None
        return self.config.seed


def load_data(config: SpiQGANConfig) -> SpikeData:
    """The recording that a configuration names, with the neurons it chooses.

    Raises ``ConfigError``.
    """
    cells, neurons = config.cell_list, config.neurons if config.cells is None else None
    if config.data in ("synthetic", "lmg"):
        size: dict[str, Any] = {"neurons": max(8, config.neuron_count)}
        if config.trials is not None:
            size["trials"] = config.trials
        if config.bin_s is not None:
            size["bin_s"] = config.bin_s
        made = synthetic_spikes(**size) if config.data == "synthetic" else lmg_spikes(**size)
        return choose_cells(made, cells, neurons)
    return load_spikes(
        config.data, bin_s=config.bin_s, cells=cells, neurons=neurons, trials=config.trials,
        variable=config.variable,
    )  # fmt: skip


def _prepare(config: SpiQGANConfig, device: Mapping[str, Any] | None = None) -> Prepared:
    data = load_data(config)
    split = split_trials(
        data, config.bins, seed=config.split_seed, validation=config.held_back,
        test=config.held_out,
    )  # fmt: skip
    if len(split.training.spikes) < config.batch:
        raise ConfigError(
            f"batch: wanted at most {len(split.training.spikes)}, the windows of the training "
            f"trials, got {config.batch}"
        )
    if "spike-gan" in config.control_names:
        SpikeGAN(config.bins, config.neuron_count)
    weights = None
    if config.weights is not None:
        generator, weights = load_weights(Path(config.weights))
        if generator != config.generator:
            raise ConfigError(
                f"weights: wanted those of {config.generator}, got those of {generator}"
            )
    runs = DeviceRun(config, device) if config.runs_circuits else None
    return Prepared(config, data, split, weights, runs)


def _record(prepared: Prepared) -> dict[str, Any]:
    data, split = prepared.data, prepared.split
    parts = {
        name: np.unique(getattr(split, name).trials).tolist()
        for name in ("training", "validation", "test")
    }
    return {
        "config": prepared.config.model_dump(exclude_none=True),
        "device": prepared.device.device if prepared.device else {},
        "libraries": {name: version(name) for name in ("pennylane", "jax", "equinox", "optax")},
        "data": {
            "source": data.source,
            "sha256": _fingerprint(data),
            "cells": list(data.cells),
            "bin_s": data.bin_s,
            "trials": len(data.raster),
            "bins_a_trial": data.raster.shape[1],
            **{f"{name}_trials": trials for name, trials in parts.items()},
        },
    }


def _fingerprint(data: SpikeData) -> str:
    digest = hashlib.sha256(str(data.raster.shape).encode())
    digest.update(np.packbits(data.raster).tobytes())
    return digest.hexdigest()


def start(config: SpiQGANConfig, out: Path | None) -> dict[str, Any]:
    """Run into a new directory ``out`` (./runs/… if None) and return the JSON object.

    Raises ``ConfigError`` for bad input before anything is written, ``RunDirectoryError`` if the
    folder cannot be used, ``DispatchRefused`` if a circuit fails the gate, ``DeviceError``.
    """
    if config.seed is None:
        config = config.model_copy(update={"seed": secrets.randbits(31)})
    began = time.perf_counter()
    prepared = _prepare(config)
    if config.max_qpu_seconds is not None and prepared.device is not None:
        prepared.device.guard_qpu_seconds(config.max_qpu_seconds)
    run = RunDirectory.create(out, "spiqgan", _record(prepared))
    with run.locked():
        return _execute(prepared, run, began)


def resume(path: Path) -> dict[str, Any]:
    """Go on with an interrupted run; a finished one only returns its result.

    Raises ``RunDirectoryError`` if ``path`` holds no intact run of spiqgan, or its data changed.
    """
    began = time.perf_counter()
    run = RunDirectory.open(path)
    with run.locked():
        record = run.record()
        if record["run"]["system"] != "spiqgan":
            system = record["run"]["system"]
            raise RunDirectoryError(f"{path}: wanted a run of spiqgan, got {system}")
        result = run.result()
        if result is not None:
            return result
        prepared = _prepare(SpiQGANConfig.from_record(record["config"]), record["device"])
        if _fingerprint(prepared.data) != record["data"]["sha256"]:
            raise RunDirectoryError(
                f"{path}: wanted the spikes that the run began with, got others from "
                f"{prepared.data.source}"
            )
        return _execute(prepared, run, began)


def _execute(prepared: Prepared, run: RunDirectory, began: float) -> dict[str, Any]:
    config, split = prepared.config, prepared.split
    trained, weights = None, prepared.weights
    if weights is None:
        trained = _train("generator", config.model, prepared, run)
        weights = trained.weights
    run.write("weights.npz", lambda path: save_weights(path, config.generator, weights))
    count = parameter_count(config.generator)
    windows = sample(config.model, weights, config.samples, prepared.seed + 1)
    sources = [
        Source(
            "generator", "quantum generator, exact", windows, count.total, count.quantum, trained,
            0.0 if trained is None else trained.seconds,
        )
    ]  # fmt: skip
    sources += [_control(name, prepared, run) for name in config.control_names]
    extra: dict[str, Any] = {"weights": str(run.path / "weights.npz")}
    validation: list[dict[str, Any]] = []
    if prepared.device is not None:
        try:
            measured = prepared.device.measure(weights, run)
        except DeviceFault as error:
            raise DeviceError(f"{error}; go on with: qbrain resume {run.path}") from error
        finally:
            prepared.device.close()
        sources += measured.sources(count.total, count.quantum)
        extra |= measured.summary
        validation = measured.validation
    extra["wall_seconds"] = time.perf_counter() - began
    return finish(run, config, prepared.data, split, sources, extra, validation)


def _control(name: str, prepared: Prepared, run: RunDirectory) -> Source:
    config, training = prepared.config, prepared.split.training.spikes
    samples, seed = config.samples, prepared.seed + 1
    if name == "independent":
        free = fit_independent(training)
        windows = free.sample(samples, config.bins, seed)
        return Source(name, "independent neurons", windows, free.parameters)
    if name == "dichotomised-gaussian":
        gaussian = fit_space_time(training)
        windows = gaussian.sample(samples, seed)
        label = "dichotomised Gaussian in space and time"
        return Source(name, label, windows, gaussian.parameters)
    model, label, count, quantum = _trained_control(name, config)
    trained = _train(name, model, prepared, run)
    windows = sample(model, trained.weights, samples, seed)
    return Source(name, label, windows, count, quantum, trained, trained.seconds)


def _trained_control(name: str, config: SpiQGANConfig) -> tuple[Any, str, int, int]:
    """The model, its label, and how many parameters it has, all and quantum ones."""
    count = parameter_count(config.generator)
    if name == "no-entangling":
        flat = config.model_copy(update={"entangling": False})
        return flat.model, "quantum generator without entangling gates", count.total, count.quantum
    if name == "spike-gan":
        network = SpikeGAN(config.bins, config.neuron_count)
        return network, "Spike-GAN at its own size", network.parameters, 0
    small = dense_network(config.bins, config.neuron_count, config.neuron_count, count.total)
    return small, "classical network of as many parameters", small.parameters, 0


def _train(name: str, model: DrawsWindows, prepared: Prepared, run: RunDirectory) -> Trained:
    config, split = prepared.config, prepared.split
    plan = config.plan(prepared.seed)
    first = model.initial(float(split.training.spikes.mean()), prepared.seed)
    checkpoint = run.path / f"training-{name}.npz"
    with progress(plan.steps, 0, f"training {name}") as tick:
        try:
            return fit_windows(
                model, first, split, plan, checkpoint=checkpoint, report=_ticker(tick, name)
            )
        except TrainingError as error:
            raise ConfigError(f"{name}: {error}") from None


def _ticker(tick: Callable[..., None], name: str) -> Callable[[int, Check | None], None]:
    reached, text = 0, f"training {name}"

    def report(step: int, check: Check | None) -> None:
        nonlocal reached, text
        if check is not None:
            rate, covariance, _, window = (check.errors[key] for key in ERRORS)
            text = (
                f"{name}: rates {100 * rate:.1f} %, covariance {covariance:.4f}, "
                f"window count {window:.3f}"
            )
        tick(text, step - reached)
        reached = step

    return report
