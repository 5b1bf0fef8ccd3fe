"""Spikes of many neurons over many trials: a user's recording, an LMG run, or made-up ones.

What is read becomes a binary raster (trials, bins, neurons): 1 where a neuron fired at least once
in a bin. Windows are cut inside trials, and whole trials are held out, so that no window of the
validation or test trials shares its stimulus repeat, or its slow drifts, with a training window.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qbrain.reference.spiqgan.spike_controls import dichotomised_gaussian, sample_process
from qbrain.reference.spiqgan.spike_statistics import SpikeError

from ..errors import ConfigError
from .example import recording_path
from .files import read_recording
from .raster import Raster, SpikeData, choose_cells
from .reading import Cell, Reading
from .summary import made_here

__all__ = [
    "SpikeData",
    "Split",
    "Windows",
    "choose_cells",
    "cut_windows",
    "load_spikes",
    "split_trials",
    "synthetic_spikes",
]


@dataclass(frozen=True)
class Windows:
    """Windows (window, bin, neuron) and the trial that each was cut from."""

    spikes: Raster
    trials: NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """Windows for training, for stopping it, and for the results; no trial is in two of them."""

    training: Windows
    validation: Windows
    test: Windows


def load_spikes(
    path: str | Path,
    *,
    bin_s: float | None = None,
    cells: Sequence[Cell] | None = None,
    neurons: int | None = None,
    trials: int | None = None,
    variable: str | None = None,
    clip: bool = False,
    axes: str | None = None,
    intervals: str | None = None,
    time_unit: str | None = None,
    sampling_rate: float | None = None,
    span: tuple[float, float] | None = None,
) -> SpikeData:
    """A recording from a file or folder, or the shots of a finished LMG run from its folder.

    - `.npy`, `.npz`, `.mat`: zeros and ones, (trials, time, neurons) or (time, neurons). An `.npz`
      or `.mat` may say its own `bin_s`. An `.npz` may hold bits packed by ``numpy.packbits`` as
      `packed`, with their `shape`, and `repeats` where (time, neurons) is so many equal trials; or
      a matrix of ``scipy.sparse.save_npz``. Spike times instead: columns such as `i` and `t`,
      cells of times a neuron, what SpikeInterface and Wave_clus write.
    - `.csv`, `.tsv`, `.dat`, `.gdf`, `.txt`: spike times with a header naming neuron, time and, for
      more than one trial, trial, under any of their usual names; NEST's two columns without one.
      Trials end with the bin of the last spike of all.
    - `.nwb`, and whatever else Neo reads: see :func:`qbrain.experiments.spikes.nwb.read_nwb` and
      :func:`qbrain.experiments.spikes.neo.read_neo`.
    - a folder: of Phy or Kilosort, or of a run
      (:func:`qbrain.experiments.spikes.from_lmg.run_spikes`).

    The result's `recording` says how the file was understood, what was left out and what looks
    wrong.

    Args:
        path: the file, or the folder; `example` for the synthetic recording that comes along,
            unless there is a file of that name.
        bin_s: width of a bin in seconds: the one to sort spike times into, or the raster's own.
            For a raster that says its own, a whole multiple of it merges bins (1 where any is 1).
            For a run, the seconds that one of its steps stands for.
        cells: which neurons, by name as :class:`SpikeData` has them, in this order.
        neurons: instead, so many of the highest rates, the highest first.
        trials: cut a recording without trials into so many equal ones. Where trials are numbered,
            how many there are, from 0 (or 1) on: one without any spike is a silent trial.
        variable: the array to take from an `.npz` or `.mat` that holds more than one (`a.b` in a
            structure), or the table of units of an NWB file.
        clip: whether counts above one in a raster are made 1, instead of refused.
        axes: the order of the array's axes, such as `trials,neurons,time`.
        intervals: the table of intervals of an NWB file, or the epochs of Neo, that are trials;
            none for a recording without.
        time_unit: of the spike times: s, ms, us or samples. Seconds if neither this nor the file
            says so, unless they cannot be (:mod:`qbrain.experiments.spikes.time_units`).
        sampling_rate: samples a second, where times are in samples.
        span: from which second to which a recording without trials is used, on the file's clock;
            from 0 (NWB: the first spike or observation) to the last spike if not given.

    Raises:
        ConfigError: a file that is no recording, or arguments that do not fit it or would be
            ignored; one line.
        RunDirectoryError: a folder without a finished LMG run.
    """
    reading = Reading(
        bin_s, trials, variable, cells, clip, axes, intervals, time_unit, sampling_rate, span
    )
    return choose_cells(read_recording(recording_path(path), reading), cells, neurons)


def synthetic_spikes(
    *,
    neurons: int = 8,
    trials: int = 120,
    bins: int = 200,
    bin_s: float = 0.02,
    rates: ArrayLike | None = None,
    covariance: ArrayLike | None = None,
    memory: float = 0.6,
    seed: int = 0,
) -> SpikeData:
    """A dichotomised Gaussian whose latent state lasts: see :func:`sample_process`.

    Args:
        neurons: number of neurons N.
        trials: number of trials.
        bins: bins a trial.
        bin_s: width of a bin in seconds.
        rates: (N,), spikes a bin; from 0.16 down to 0.04, evenly, if not given.
        covariance: (N, N), of the spikes in a bin; C_ij = 0.15 √(p_i(1−p_i) p_j(1−p_j)) if not
            given, for neurons beside each other, half of it a step farther, and so on.
        memory: latent correlation φ from one bin to the next, in [0, 1).
        seed: of the spikes.

    Raises:
        ConfigError: numbers that make no sense, or rates and covariances that no binary
            variables have.
    """
    for name, value in (("neurons", neurons), ("trials", trials), ("bins", bins)):
        if value < 1:
            raise ConfigError(f"{name}: wanted a whole number >= 1, got {value}")
    if not (math.isfinite(bin_s) and bin_s > 0):
        raise ConfigError(f"bin_s: wanted a width in seconds > 0, got {bin_s}")
    p = np.linspace(0.16, 0.04, neurons) if rates is None else np.asarray(rates, np.float64)
    if p.shape != (neurons,):
        raise ConfigError(f"rates: wanted {neurons} numbers, got shape {p.shape}")
    if not ((p >= 0) & (p <= 1)).all():
        raise ConfigError(f"rates: wanted numbers in [0, 1], got {p.tolist()}")
    if covariance is None:
        place = np.arange(neurons)
        spread = np.sqrt(p * (1 - p))
        fall = 0.3 * 0.5 ** np.abs(place[:, None] - place)
        covariance = fall * np.outer(spread, spread)
    try:
        population = dichotomised_gaussian(p, covariance)
        raster = sample_process(population, trials, bins, memory, seed)
    except SpikeError as error:
        raise ConfigError(str(error).replace("spikes:", "covariance:", 1)) from None
    source = f"dichotomised Gaussian, memory {memory:g}, seed {seed}"
    made = SpikeData(raster, bin_s, tuple(range(neurons)), source)
    return made_here(made, "synthetic spikes")


def cut_windows(
    raster: ArrayLike, window: int, trials: ArrayLike, stride: int | None = None
) -> Windows:
    """Windows of these trials; none crosses from one trial into the next.

    Args:
        raster: (trials, bins, neurons).
        window: bins a window.
        trials: indices of the trials to cut.
        stride: bins from one window's start to the next; `window` (no overlap) if not given. What
            is left at a trial's end is not used.

    Raises:
        ConfigError: a window longer than a trial, or a window or stride below 1.
    """
    x = np.asarray(raster, dtype=np.uint8)
    if not 1 <= window <= x.shape[1]:
        raise ConfigError(f"window: wanted 1 to {x.shape[1]} bins, a trial's, got {window}")
    step = window if stride is None else stride
    if step < 1:
        raise ConfigError(f"stride: wanted a whole number >= 1, got {stride}")
    chosen = np.asarray(trials, dtype=np.int64)
    starts = np.arange(0, x.shape[1] - window + 1, step)
    found = x[chosen][:, starts[:, None] + np.arange(window)]
    return Windows(found.reshape(-1, window, x.shape[2]), np.repeat(chosen, len(starts)))


def split_trials(
    data: SpikeData,
    window: int,
    *,
    seed: int,
    validation: float = 0.15,
    test: float = 0.2,
    stride: int | None = None,
) -> Split:
    """Trials dealt out by seed, then cut into windows.

    Args:
        data: the recording.
        window: bins a window.
        seed: of the dealing.
        validation: share of the trials for stopping the training; at least one trial.
        test: share of the trials for the results; at least one trial.
        stride: bins between the starts of training windows, as of :func:`cut_windows`.
            Validation and test windows never overlap.

    Raises:
        ConfigError: fewer than three trials, shares that leave none for training, a window longer
            than a trial, or a neuron without a spike in one of the parts.
    """
    count = len(data.raster)
    for name, share in (("validation", validation), ("test", test)):
        if not 0 < share < 1:
            raise ConfigError(f"{name}: wanted a share between 0 and 1, got {share}")
    if count < 3:
        raise ConfigError(
            f"trials: wanted 3 or more, to hold out validation and test trials, got {count}"
        )
    tested, validated = (max(1, round(share * count)) for share in (test, validation))
    if tested + validated >= count:
        raise ConfigError(
            f"test: wanted shares that leave trials for training, got {test:g} and validation "
            f"{validation:g} of {count} trials"
        )
    order = np.random.default_rng(seed).permutation(count)
    dealt = {
        "test": np.sort(order[:tested]),
        "validation": np.sort(order[tested : tested + validated]),
        "training": np.sort(order[tested + validated :]),
    }
    parts = {
        name: cut_windows(data.raster, window, part, stride if name == "training" else None)
        for name, part in dealt.items()
    }
    for name, part in parts.items():
        silent = np.flatnonzero(part.spikes.sum(axis=(0, 1), dtype=np.int64) == 0)
        if len(silent):
            raise ConfigError(
                f"cells: wanted cells that spike in the {name} trials, "
                f"got {data.cells[silent[0]]}, silent in all {len(dealt[name])}"
            )
    return Split(parts["training"], parts["validation"], parts["test"])
