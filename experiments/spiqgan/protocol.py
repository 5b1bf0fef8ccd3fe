"""The spike generator's experiment: read, split, train, compare, run on a backend.

Every part of a run is on disk before the next one starts: the checkpoint of each training, the
weights kept, the noise values, the journal of each job. Simulators run a bin at a time (a few
windows at a time, of a recurrent generator); a device gets everything in one job.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from itertools import zip_longest
from pathlib import Path
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from qbrain.backends.compile import expected_fidelity
from qbrain.circuits.spiqgan import check_noise, check_weights, parameter_count
from qbrain.reference.spiqgan.generator import latent_noise

from ..engine.calibration import calibration_tasks, measured_readout
from ..engine.experiment import Bench, Experiment, Job, Outcome, Protocol, Reading, Task
from ..engine.folder import RunDirectory
from ..engine.needs import Need
from ..engine.sampler import RunSampler
from ..errors import ConfigError, NotApplicable, RunDirectoryError
from ..spikes.data import SpikeData
from ..spikes.fitting import save_weights
from .backend import backend_result
from .circuits import Bound, Template
from .config import SpiQGANConfig, is_file
from .measured import Measured
from .needs import spiqgan_needs
from .result import outcome_of
from .source import Source
from .trained import (
    control_source,
    generator_source,
    load_data,
    loaded_weights,
    split_data,
    train_generator,
)
from .windows import seeds

__all__ = ["SpikeExperiment"]

Array = NDArray[np.float64]
Names = list[tuple[int, int]]
# windows of a recurrent generator that a simulator runs between two lines of the journal
POINTS = 8
_LIBRARIES = ("pennylane", "jax", "equinox", "optax")


class SpikeExperiment(Experiment[SpiQGANConfig, Measured]):
    """A run's recording, generator and controls.

    Raises:
        ConfigError: a recording or weights that do not fit the configuration.
        NotApplicable: ``mitigation`` readout asked of a backend that reads without error.
    """

    def __init__(self, config: SpiQGANConfig, bench: Bench | None) -> None:
        super().__init__(config, bench)
        self.seed = config.seed or 0
        self.data = load_data(config)
        self.split = split_data(config, self.data)
        self.sources: list[Source] = []
        self._extra: dict[str, Any] = {}
        self._bound: Bound | None = None
        self._weights: dict[str, Any] | None = None
        # a resumed run has a copy of its own, should this one be gone
        if config.weights is not None and is_file(config.weights):
            self._weights = loaded_weights(config, Path(config.weights))
        self.mitigated = self._is_mitigated()
        self.template = None if bench is None else Template(config.generator, bench.target)

    def _is_mitigated(self) -> bool:
        config = self.config
        if self.bench is None or config.mitigation == "none":
            return False
        if self.bench.readout is None and config.given("mitigation"):
            raise NotApplicable(
                f"mitigation: backend {config.backend} has no noise that readout could correct; "
                "wanted none"
            )
        return self.bench.readout is not None and not config.histories

    @classmethod
    def qubits_of(cls, config: SpiQGANConfig) -> int:
        """Neurons and memory."""
        return int(config.generator.qubits)

    @classmethod
    def instructions(cls, config: SpiQGANConfig) -> Mapping[str, str]:
        """Resets between the bins of a recurrent generator."""
        if config.weights_per != "recurrent" or config.bins < 2:
            return {}
        return {"reset": "weights_per bin and shared have a circuit for each bin and need none"}

    @classmethod
    def needs(cls, config: SpiQGANConfig) -> Sequence[Need]:
        """See :mod:`.needs`."""
        return spiqgan_needs(config)

    @classmethod
    def open_sampler(
        cls, config: SpiQGANConfig, qubits: int, record: Mapping[str, Any] | None
    ) -> RunSampler:
        """As of every system; its record says how windows with resets are simulated."""
        sampler = super().open_sampler(config, qubits, record)
        if config.weights_per == "recurrent" and sampler.details.get("method") == "density_matrix":
            # readings on the way leave only trajectories
            sampler.details["method"] = "statevector"
        return sampler

    def details(self) -> Mapping[str, Any]:
        """The recording with its fingerprint and its parts, and the libraries of the training."""
        data, split = self.data, self.split
        parts = {
            name: np.unique(getattr(split, name).trials).tolist()
            for name in ("training", "validation", "test")
        }
        return {
            "libraries": {name: version(name) for name in _LIBRARIES},
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

    def check_record(self, record: Mapping[str, Any]) -> None:
        """Raise ``RunDirectoryError`` unless the recording is the one that the run began with."""
        if record.get("data", {}).get("sha256") != _fingerprint(self.data):
            raise RunDirectoryError(
                "data: wanted the spikes that the run began with, got others from "
                f"{self.data.source}"
            )

    def prepare(self, folder: RunDirectory) -> None:
        """Train the generator and the controls, and draw the noise; each part is kept on disk.

        Raises:
            ConfigError: a checkpoint that is not of this training, or weights that are gone.
            RunDirectoryError: noise that is not of this run.
        """
        config, file = self.config, folder.path / "weights.npz"
        weights, trained = self._weights, None
        if config.weights is None:
            trained = train_generator(config, self.split, folder.path)
            weights = trained.weights
        elif file.exists():
            weights = loaded_weights(config, file)
        if weights is None:
            raise ConfigError(f"weights: wanted a file that exists, got {config.weights}")
        own = weights
        folder.write(file.name, lambda path: save_weights(path, config.generator, own))
        self._extra = {"weights": str(file)}
        self.sources = [
            generator_source(config, weights, trained),
            *(
                control_source(name, config, self.split, folder.path)
                for name in config.control_names
            ),
        ]
        if self.template is not None:
            self._bound = self._bind(weights, folder)

    def _bind(self, weights: Mapping[str, Any], folder: RunDirectory | None = None) -> Bound:
        assert self.template is not None
        config = self.config
        checked = check_weights(config.generator, weights)
        noise = self._drawn(checked) if folder is None else self._kept_noise(checked, folder)
        return Bound(self.template, config.model, checked, noise, self.seed)

    def _drawn(self, weights: Mapping[str, Any]) -> Array:
        """Noise (points, bins, latents)."""
        # this generator compiles in a fraction of the default one's time
        key = jax.random.key(seeds(self.seed)[0], impl="rbg")
        drawn = latent_noise(self.config.model, weights, key, self.config.noise_points)
        return np.asarray(drawn, dtype=np.float64)

    def _kept_noise(self, weights: Mapping[str, Any], folder: RunDirectory) -> Array:
        """The noise of the folder's file, which is written once."""
        file, points = folder.path / "noise.npy", self.config.noise_points
        try:
            if folder.sealed_file(file.name) is not None:
                noise = check_noise(self.config.generator, np.load(file, allow_pickle=False))
                if noise.shape[:-2] != (points,):
                    raise ValueError(f"wanted {points} points, got {noise.shape}")
                return noise
        except RunDirectoryError:
            raise
        except (OSError, ValueError, EOFError) as error:
            raise RunDirectoryError(f"{file}: not the noise of this run: {error}") from None
        drawn = self._drawn(weights)
        folder.write_sealed(file.name, lambda path: np.save(path, drawn))
        return drawn

    @property
    def bound(self) -> Bound:
        """The circuits; before anything is trained, those of the first weights."""
        if self._bound is None:
            # what an estimate asks for depends on the form of the circuits only
            rate = float(self.split.training.spikes.mean())
            self._bound = self._bind(self._weights or self.config.model.initial(rate, self.seed))
        return self._bound

    @property
    def groups(self) -> list[Names]:
        """The circuits (point, block) of each job."""
        if self.template is None:
            return []
        points, blocks = range(self.config.noise_points), range(self.template.blocks)
        if self.config.on_device:
            return [[(p, b) for b in blocks for p in points]]
        if len(blocks) > 1:
            return [[(p, b) for p in points] for b in blocks]
        return [[(p, 0) for p in points[k : k + POINTS]] for k in points[::POINTS]]

    @property
    def jobs(self) -> int:
        """One on a device, else one a bin or a few windows."""
        return len(self.groups)

    def protocol(self) -> Protocol[Measured]:
        """Jobs of known circuits; the first one brings the calibration."""
        counts, orders, calibration = {}, {}, None
        for number, names in enumerate(self.groups):
            found = yield Job(
                lambda names=names, number=number: self._tasks(names, number)  # type: ignore[misc]
            )
            calibration = measured_readout(found) or calibration
            points = [reading for reading in found if reading.role.kind == "point"]
            self._check(number, names, points, calibrated=calibration is not None)
            for name, reading in zip(names, points, strict=True):
                counts[name], orders[name] = reading.counts, reading.order
        return Measured(counts, orders, calibration)

    def _tasks(self, names: Names, number: int) -> list[Task]:
        tasks = self.bound.tasks(names)
        if number == 0 and self.mitigated:
            assert self.bench is not None
            tasks += calibration_tasks(self.bench)
        return tasks

    def _check(
        self, number: int, names: Names, points: Sequence[Reading], *, calibrated: bool
    ) -> None:
        """Raise ``RunDirectoryError`` for readings of other circuits than those of this job."""
        where = f"steps.jsonl: step {number} is not a record of this run"
        try:
            got = [self.bound.name_of(reading) for reading in points]
        except (KeyError, TypeError, ValueError) as error:
            raise RunDirectoryError(f"{where}: {error}") from None
        if got != names:
            # a job may have thousands: the first one that differs says enough
            pairs = zip_longest(names, got)
            wanted, found = next(pair for pair in pairs if pair[0] != pair[1])
            raise RunDirectoryError(
                f"{where}: wanted point and bin {wanted or 'of no further circuit'}, "
                f"got {found or 'none'}"
            )
        if calibrated != self.mitigated:
            some = "some" if calibrated else "none"
            raise RunDirectoryError(
                f"{where}: wanted circuits that calibrate the readout only where it is corrected, "
                f"got {some}"
            )

    def outcome(self, measured: Measured | None) -> Outcome:
        """The windows of all sources against those of the held-out trials."""
        sources, extra, fit = list(self.sources), dict(self._extra), None
        if measured is not None:
            found = backend_result(self.config, self.bound, measured)
            count = parameter_count(self.config.generator)
            sources += found.sources(count.total, count.quantum)
            extra |= found.summary
            fit = found.fit
        return outcome_of(self.config, self.data, self.split, sources, extra, fit, self.services)

    def costs(self) -> Mapping[str, Any]:
        """The fidelity of one circuit of the generator, by its name of version 0.1."""
        assert self.template is not None
        assert self.bench is not None
        return {"expected_fidelity": expected_fidelity(self.template.isa, self.bench.target)}


def _fingerprint(data: SpikeData) -> str:
    digest = hashlib.sha256(str(data.raster.shape).encode())
    digest.update(np.packbits(data.raster).tobytes())
    return digest.hexdigest()
