"""From windows of all sources to the dataset, JSON object and page of a spike generator's run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qbrain.reference.spiqgan.spike_statistics import SpikeError, nearest_distances

from ..engine.experiment import Fit, Outcome, Verdict
from ..errors import ConfigError
from ..spikes.data import SpikeData, Split, Windows
from .config import SpiQGANConfig
from .dataset import GENERATOR, RESERVED, dataset_of, role_of, where
from .figure import overview
from .measures import ERRORS, METRICS, Blocks, Distances, measure
from .report import page_values
from .source import Source
from .verdict import comparisons, contest, verdict

__all__ = ["GENERATOR", "assemble", "main_source", "outcome_of", "plain"]

NEAREST_WINDOWS = 5_000  # of each source, evenly spaced, are held against the training windows
OBSERVABLE = "⟨Z⟩ of a neuron's qubit"

Raster = NDArray[np.uint8]


def main_source(config: SpiQGANConfig, names: Sequence[str]) -> str:
    """The source that the result is about: the backend's circuits, if any ran.

    Raises:
        ConfigError: it is not there.
    """
    wanted = config.backend if config.runs_circuits else GENERATOR
    if wanted in names:
        return wanted
    raise ConfigError(f"sources: wanted one named {wanted}, got {', '.join(names) or 'none'}")


def outcome_of(
    config: SpiQGANConfig,
    data: SpikeData,
    split: Split,
    sources: Sequence[Source],
    extra: Mapping[str, Any],
    fit: Fit | None = None,
    services: Sequence[str] = (),
) -> Outcome:
    """The windows of all sources against those of the held-out trials.

    Args:
        config: of the run, with its seed.
        data: the recording.
        split: its windows.
        sources: the generator first.
        extra: more of the JSON object.
        fit: of the circuits' ⟨Z⟩ against the exact one, where circuits ran.
        services: URLs of what a device's numbers came from.

    Raises:
        ConfigError: as of :func:`assemble`.
    """
    dataset, result = assemble(config, data, split, sources, extra)
    words = where(config, services)
    dataset.attrs["where"] = words
    title = f"Spike generator, {config.neuron_count} neurons, {config.bins} bins: {words}"
    distance = Fit(OBSERVABLE, None) if fit is None else fit
    return Outcome(
        title=title,
        data=dataset,
        fit=distance,
        result=result,
        verdict=Verdict(*verdict(result)),
        picture=lambda: overview(dataset, title),
        template="spiqgan/report.html.jinja",
        values=lambda: page_values(result, dataset, services),
        budget=[("shots", distance.shot_error)],
    )


def assemble(
    config: SpiQGANConfig,
    data: SpikeData,
    split: Split,
    sources: Sequence[Source],
    extra: Mapping[str, Any],
) -> tuple[xr.Dataset, dict[str, Any]]:
    """The dataset and the JSON object of a run.

    Errors are those of :func:`qbrain.reference.spiqgan.spike_statistics.compare` against the
    windows of the test trials; intervals are 95 % over resampled trials, points of noise or batches
    of windows. Mean distance to the nearest training window is of at most 5000 windows of a source.

    Args:
        config: of the run.
        data: where the windows were cut from.
        split: windows for training, validation and test.
        sources: the generator first, then controls, then what ran on the backend.
        extra: more of the JSON object; what is known here is not overwritten by it.

    Returns:
        The dataset, with the held-out windows as source `data` and the training windows (the
        floor that noise sets) as `training`; and plain numbers, None where there is none.

    Raises:
        ConfigError: no source for what the run is about, a name given twice or reserved, windows
            of another shape, or a held-out neuron that never fires.
    """
    names = [source.name for source in sources]
    main = main_source(config, names)
    for name in names:
        if names.count(name) > 1 or name in RESERVED:
            raise ConfigError(f"sources: wanted names given once and not reserved, got {name!r}")
    try:
        held_out, blocks = _blocks(split, sources)
        found = measure(held_out, blocks, seed=config.seed or 0)
    except SpikeError as error:
        raise ConfigError(str(error)) from None
    dataset = dataset_of(config, data, split, sources, found, main)
    return dataset, _summary(config, data, split, sources, found, main, extra)


def plain(value: Any) -> Any:
    """What JSON takes: no arrays, no NumPy scalars, None for what is not finite."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _blocks(split: Split, sources: Sequence[Source]) -> tuple[Blocks, dict[str, Blocks]]:
    test, training = split.test, split.training
    parts: dict[str, tuple[Raster, NDArray[np.int64] | None]]
    parts = {"data": (test.spikes, test.trials)}
    parts |= {source.name: (source.windows, source.groups) for source in sources}
    places = {
        name: np.linspace(0, len(windows) - 1, min(len(windows), NEAREST_WINDOWS)).astype(np.int64)
        for name, (windows, _) in parts.items()
    }
    # in one go, since sources share most of their words
    chosen = [windows[places[name]] for name, (windows, _) in parts.items()]
    distances = nearest_distances(np.concatenate(chosen), training.spikes)
    apart = np.split(distances, np.cumsum([len(windows) for windows in chosen])[:-1])
    found = {
        name: Blocks(windows, labels, near, places[name])
        for near, (name, (windows, labels)) in zip(apart, parts.items(), strict=True)
    }
    return found.pop("data"), {"training": Blocks(training.spikes, training.trials), **found}


def _summary(
    config: SpiQGANConfig,
    data: SpikeData,
    split: Split,
    sources: Sequence[Source],
    found: Mapping[str, Distances],
    main: str,
    extra: Mapping[str, Any],
) -> dict[str, Any]:
    by_name = {source.name: source for source in sources}
    generator = by_name.get(GENERATOR, by_name[main])
    trained = generator.trained
    roles = {name: role_of(name, main) for name in by_name}
    rivals = [n for n, role in roles.items() if n != main and role in ("generator", "control")]
    wins, against = contest(found, main, rivals)
    truth = found["data"].metrics
    quantum = [n for n in rivals if roles[n] == "generator" or by_name[n].quantum_parameters]
    result: dict[str, Any] = {
        "backend": config.backend,
        "data": data.source,
        "cells": list(data.cells),
        "bin_s": data.bin_s,
        "neurons": len(data.cells),
        "bins": config.bins,
        "layers": config.layers,
        "weights_per": config.weights_per,
        "memory": config.memory_qubits,
        "emission": config.emission,
        "entangling": config.entangling,
        "parameters": generator.parameters,
        "quantum_parameters": generator.quantum_parameters,
        **_of(found[main].metrics),
        **{f"{name}_data": truth.get(name) for name in ("lag1", "nearest", "copies")},
        **{f"floor_{name}": found["training"].metrics.get(name) for name in ERRORS},
        "train_seconds": generator.seconds,
        "best_step": None if trained is None else trained.step,
        "last_step": None if trained is None else trained.history[-1].step,
        "windows": len(by_name[main].windows),
        **_parts(split),
        "held_out_sha256": _fingerprint(split.test),
        "recording": None if data.recording is None else data.recording.to_dict(),
        "wins": wins,
        "against": against,
        "comparisons": comparisons(len(wins), len(rivals)),
        "classical_sources": [name for name in rivals if name not in quantum],
        "sources": [_row(source, found[source.name], roles[source.name]) for source in sources],
        # name of version 0.1
        "readout": config.emission,
    }
    if main != GENERATOR:
        raw = f"{config.backend} raw"
        for prefix, name in (("exact", GENERATOR), ("raw", raw)):
            if name in found:
                result |= {f"{prefix}_{k}": v for k, v in _of(found[name].metrics).items()}
    return dict(plain({"shots": None, **extra, **result}))


def _of(metrics: Mapping[str, float]) -> dict[str, float | None]:
    return {name: metrics.get(name) for name in METRICS}


def _row(source: Source, found: Distances, role: str) -> dict[str, Any]:
    intervals: dict[str, float | None] = {}
    for name in METRICS:
        low, high = found.interval(name) if name in found.metrics else (None, None)
        intervals |= {f"{name}_low": low, f"{name}_high": high}
    return {
        "name": source.name,
        "label": source.label,
        "role": role,
        "parameters": source.parameters,
        "quantum_parameters": source.quantum_parameters,
        **_of(found.metrics),
        "seconds": source.seconds,
        "windows": len(source.windows),
        **intervals,
    }


def _parts(split: Split) -> dict[str, int]:
    parts = {"training": split.training, "validation": split.validation, "test": split.test}
    trials = {f"{name}_trials": len(np.unique(part.trials)) for name, part in parts.items()}
    return trials | {f"{name}_windows": len(part.spikes) for name, part in parts.items()}


def _fingerprint(part: Windows) -> str:
    """Of the held-out windows: errors of two runs are comparable where it is the same."""
    digest = sha256(str(part.spikes.shape).encode())
    digest.update(np.packbits(part.spikes).tobytes())
    return digest.hexdigest()[:16]
