"""The dataset of a spike generator's run: every source's statistics beside those of the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..engine.measures import netcdf_attributes
from ..report.page import device_in_words
from ..spikes.data import SpikeData, Split
from .config import SpiQGANConfig
from .measures import ERRORS, METRICS, Blocks, Distances, errors_of
from .source import Source

__all__ = ["GENERATOR", "RESERVED", "dataset_of", "role_of", "where"]

GENERATOR = "generator"
RESERVED = ("data", "training")
RASTERS = 40  # windows of each source that are kept
# the one thing in a result that the same run, made again, does not give again
OF_A_CLOCK = {"units": "s", "reproducible": "no"}

Raster = NDArray[np.uint8]


def where(config: SpiQGANConfig, services: Sequence[str] = ()) -> str:
    """The backend in words that leave no doubt whether a device was used.

    ``services``: of a device, as of :func:`qbrain.experiments.report.page.device_in_words`.
    """
    kinds = {
        "exact": "exact simulation, no circuit",
        "aer": "circuits on aer, ideal simulation",
        "statevector": "circuits on statevector, ideal simulation",
    }
    if config.on_device:
        return f"circuits {device_in_words(config.backend, services)}"
    return kinds.get(
        config.backend,
        f"circuits simulated with the noise of the device snapshot {config.backend}",
    )


def role_of(name: str, main: str) -> str:
    """What a source is for: `data`, `training`, `generator`, `backend`, `aside` or `control`."""
    if name in RESERVED:
        return name
    if name == GENERATOR:
        return "generator"
    if name == main:
        return "backend"
    # what only explains the backend's result takes no part in the contest
    return "aside" if name.endswith(" raw") or name == "same noise, exact" else "control"


def dataset_of(
    config: SpiQGANConfig,
    data: SpikeData,
    split: Split,
    sources: Sequence[Source],
    found: Mapping[str, Distances],
    main: str,
) -> xr.Dataset:
    """All that was measured, with `data` and `training` before the sources.

    Args:
        config: of the run.
        data: the recording.
        split: its windows.
        sources: in their order.
        found: of each, of `data` (the held-out windows) and of `training`.
        main: the source that the run is about.
    """
    by_name = {source.name: source for source in sources}
    order = [*RESERVED, *by_name]
    floor = errors_of(
        Blocks(split.training.spikes, split.training.trials).summary(),
        Blocks(split.validation.spikes, split.validation.trials).summary(),
    )
    metrics = [_metrics(found[name], name) for name in order]
    against = [
        [_difference(found, name, main, metric) for metric in METRICS]
        for name in order
    ]  # fmt: skip
    shown = _rasters(config, split, sources)
    labels = {"data": "data, held-out trials", "training": "data, training trials"}
    bins = config.bins
    variables: dict[str, Any] = {
        "label": ("source", [labels[n] if n in labels else by_name[n].label for n in order]),
        "role": ("source", [role_of(name, main) for name in order]),
        **{
            name: ("source", [getattr(by_name[n], name) if n in by_name else 0 for n in order])
            for name in ("parameters", "quantum_parameters")
        },
        "seconds": (
            "source",
            [by_name[n].seconds if n in by_name else 0.0 for n in order],
            {**OF_A_CLOCK, "long_name": "training time"},
        ),
        "space_time_covariance": (
            ("source", "entry", "entry_b"),
            np.array([found[name].summary.covariance for name in order]),
            {"units": "1", "index": "bin·neurons + neuron"},
        ),
        "raster": (("source", "window", "bin", "neuron"), np.array([shown[n] for n in order])),
        "errors": (("source", "statistic"), np.array([[v for v, _, _ in row] for row in metrics])),
        "errors_low": (("source", "statistic"), np.array([[v for _, v, _ in r] for r in metrics])),
        "errors_high": (("source", "statistic"), np.array([[v for *_, v in r] for r in metrics])),
        "difference": (
            ("source", "statistic", "end"),
            np.array(against),
            {"long_name": f"metric of the source minus that of {main}"},
        ),
        "validation_floor": ("statistic", [floor.get(name, np.nan) for name in METRICS]),
        **_history(order, by_name),
    }
    shapes = {
        "rates": ("rates", "neuron", "spikes/bin"),
        "count_bin": ("bin_counts", "spikes_in_bin", "1"),
        "count_window": ("window_counts", "spikes_in_window", "1"),
        "autocorrelogram": ("autocorrelogram", "lag", "1"),
    }
    for name, (attribute, dimension, unit) in shapes.items():
        dims, attrs = ("source", dimension), {"units": unit}
        whole = np.array([getattr(found[n].summary, attribute) for n in order])
        variables[name] = (dims, whole, attrs)
        variables[f"{name}_low"] = (dims, np.array([found[n].low[attribute] for n in order]), attrs)
        high = np.array([found[n].high[attribute] for n in order])
        variables[f"{name}_high"] = (dims, high, attrs)
    return xr.Dataset(
        variables,
        coords={
            "source": order,
            "neuron": ("neuron", list(data.cells), {"long_name": "cell"}),
            "lag": ("lag", np.arange(bins), {"units": "bin"}),
            "bin": ("bin", np.arange(bins)),
            "statistic": list(METRICS),
            "end": ["value", "low", "high"],
        },
        attrs={
            **netcdf_attributes(config),
            "title": "spikes of a quantum generator against held-out spikes",
            "source_of_data": data.source,
            "bin_s": data.bin_s,
            "main": main,
            "where": where(config),
        },
    )


def _metrics(found: Distances, name: str) -> list[tuple[float, float, float]]:
    """Value and interval of every metric; of the data itself only those that are no errors."""
    nothing = (np.nan, np.nan, np.nan)
    absent = ERRORS if name == "data" else ()
    return [
        (found.metrics[metric], *found.interval(metric))
        if metric in found.metrics and metric not in absent
        else nothing
        for metric in METRICS
    ]


def _difference(
    found: Mapping[str, Distances], name: str, main: str, metric: str
) -> tuple[float, float, float]:
    ours, theirs = found[name], found[main]
    known = metric in ours.metrics and metric in theirs.metrics
    if name in (main, "data") or not known:
        return (np.nan, np.nan, np.nan)
    return ours.difference(theirs, metric)


def _rasters(config: SpiQGANConfig, split: Split, sources: Sequence[Source]) -> dict[str, Raster]:
    """The first windows of each source; of the recording a seeded choice, in its order."""
    rng = np.random.default_rng(config.seed or 0)
    parts = {"data": split.test.spikes, "training": split.training.spikes}
    lengths = [len(part) for part in parts.values()] + [len(s.windows) for s in sources]
    count = min(RASTERS, *lengths)
    chosen = {
        name: part[np.sort(rng.choice(len(part), count, replace=False))]
        for name, part in parts.items()
    }
    return chosen | {source.name: source.windows[:count] for source in sources}


def _history(order: Sequence[str], by_name: Mapping[str, Source]) -> dict[str, Any]:
    """Checks of every training, side by side; what is short ends in NaN."""
    histories = {
        name: source.trained.history
        for name, source in by_name.items()
        if source.trained is not None and source.trained.history
    }
    if not histories:
        return {}
    longest = max(len(history) for history in histories.values())
    keys = list(dict.fromkeys(k for h in histories.values() for check in h for k in check.errors))
    found: dict[str, Any] = {
        name: np.full((len(order), longest), np.nan)
        for name in ("check_step", "check_seconds", "distance", "score")
    }
    found |= {f"validation_{key}": np.full((len(order), longest), np.nan) for key in keys}
    for row, name in enumerate(order):
        for column, check in enumerate(histories.get(name, [])):
            values = {
                "check_step": check.step,
                "check_seconds": check.seconds,
                "distance": check.distance,
                "score": check.score,
                **{f"validation_{key}": value for key, value in check.errors.items()},
            }
            for key, value in values.items():
                found[key][row, column] = np.nan if value is None else value
    units = {"check_seconds": OF_A_CLOCK}
    return {key: (("source", "check"), value, units.get(key, {})) for key, value in found.items()}
