"""Spikes of many neurons over many trials: a user's recording, or a synthetic population.

What is read becomes a binary raster (trials, bins, neurons): 1 where a neuron fired at least once
in a bin. Windows are cut inside trials, and whole trials are held out, so that no window of the
validation or test trials shares its stimulus repeat, or its slow drifts, with a training window.
"""

from __future__ import annotations

import csv
import math
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.io import loadmat
from scipy.sparse import issparse

from qbrain.experiments.errors import ConfigError
from qbrain.reference.spike_controls import dichotomised_gaussian, sample_process
from qbrain.reference.spike_statistics import SpikeError

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

Raster = NDArray[np.uint8]
SUFFIXES = (".npy", ".npz", ".mat", ".csv")


@dataclass(frozen=True)
class SpikeData:
    """A binary raster and where it came from.

    Attributes:
        raster: (trials, bins, neurons), 0 or 1.
        bin_s: width of a bin in seconds.
        cells: the name of each neuron: its column in the file, or its number in a CSV file.
        source: the file's name, or words for a synthetic population.
    """

    raster: Raster
    bin_s: float
    cells: tuple[int, ...]
    source: str


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
    cells: Sequence[int] | None = None,
    neurons: int | None = None,
    trials: int | None = None,
    variable: str | None = None,
) -> SpikeData:
    """A recording from a file.

    - `.npy`, `.npz`, `.mat`: zeros and ones, (trials, time, neurons) or (time, neurons). An `.npz`
      or `.mat` may say its own `bin_s`. An `.npz` may hold bits packed by ``numpy.packbits`` as
      `packed`, with their `shape`, and `repeats` where (time, neurons) is so many equal trials.
    - `.csv`: spike times, with a header naming `neuron`, `time` (seconds from the start of the
      trial) and, for more than one trial, `trial`. Trials end with the bin of the last spike of
      all.

    Args:
        path: the file.
        bin_s: width of a bin in seconds: the one to sort spike times into, or the raster's own.
            For a raster that says its own, a whole multiple of it merges bins (1 where any is 1).
        cells: which neurons, by column (CSV: by number), in this order.
        neurons: instead, so many of the highest rates, the highest first.
        trials: cut (time, neurons) into so many equal trials; for CSV, the trials are numbered
            from 0 to trials−1, and one without any spike is a silent trial.
        variable: the array to take from an `.npz` or `.mat` that holds more than one.

    Raises:
        ConfigError: a file that is no raster, or arguments that do not fit it; one line.
    """
    file = Path(path)
    kind = file.suffix.lower()
    if not file.is_file():
        raise ConfigError(f"data: wanted a file that exists, got {path}")
    if kind not in SUFFIXES:
        raise ConfigError(f"data: wanted a file named {', '.join(SUFFIXES)}, got {file.name}")
    if bin_s is not None and not (math.isfinite(bin_s) and bin_s > 0):
        raise ConfigError(f"bin_s: wanted a width in seconds > 0, got {bin_s}")
    if trials is not None and trials < 1:
        raise ConfigError(f"trials: wanted a whole number >= 1, got {trials}")
    if kind in (".npy", ".csv") and variable is not None:
        raise ConfigError(f"variable: wanted none for {kind}, got {variable!r}")
    try:
        if kind == ".csv":
            raster, width, names = _read_times(file, bin_s, trials)
        else:
            raster, width = _read_raster(file, kind, variable, bin_s, trials)
            names = tuple(range(raster.shape[2]))
    except (OSError, ValueError, EOFError, NotImplementedError, zipfile.BadZipFile) as error:
        if isinstance(error, ConfigError):
            raise
        reason = " ".join(str(error).split())
        raise ConfigError(f"data: wanted a readable {kind}, got {file.name} ({reason})") from None
    return choose_cells(SpikeData(raster, width, names, file.name), cells, neurons)


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
    return SpikeData(raster, bin_s, tuple(range(neurons)), source)


def choose_cells(
    data: SpikeData, cells: Sequence[int] | None = None, neurons: int | None = None
) -> SpikeData:
    """The named cells in their order, or the `neurons` of highest rates; all without either.

    Raises:
        ConfigError: both given, a cell that is not there, is named twice or never spikes, or
            fewer spiking cells than wanted.
    """
    if cells is not None and neurons is not None:
        raise ConfigError("cells: wanted cells or neurons, got both")
    counts = data.raster.sum(axis=(0, 1), dtype=np.int64)
    if cells is not None:
        if not cells or len(set(cells)) < len(cells):
            raise ConfigError(f"cells: wanted different cells, got {list(cells)}")
        for cell in cells:
            if cell not in data.cells:
                raise ConfigError(f"cells: wanted cells of {data.source}, got {cell}")
        columns = [data.cells.index(cell) for cell in cells]
    elif neurons is not None:
        spiking = int((counts > 0).sum())
        if not 1 <= neurons <= spiking:
            raise ConfigError(
                f"neurons: wanted 1 to {spiking}, the cells of {data.source} that spike, "
                f"got {neurons}"
            )
        columns = np.argsort(-counts, kind="stable")[:neurons].tolist()
    else:
        columns = list(range(len(counts)))
    for column in columns:
        if counts[column] == 0:
            raise ConfigError(f"cells: wanted cells that spike, got {data.cells[column]}, silent")
    chosen = np.ascontiguousarray(data.raster[:, :, columns])
    return SpikeData(chosen, data.bin_s, tuple(data.cells[c] for c in columns), data.source)


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


def _read_raster(
    file: Path, kind: str, variable: str | None, bin_s: float | None, trials: int | None
) -> tuple[Raster, float]:
    if kind == ".npy":
        arrays: dict[str, Any] = {"array": np.load(file, allow_pickle=False)}
    elif kind == ".npz":
        with np.load(file, allow_pickle=False) as held:
            arrays = {name: held[name] for name in held.files}
    else:
        arrays = _read_mat(file)
    array = _unpacked(file, arrays) if variable is None else None
    if array is None:
        array = _pick(file, arrays, variable)
    own = arrays.get("bin_s")
    own_s = None if own is None else float(np.asarray(own).reshape(-1)[0])
    repeats = arrays.get("repeats")
    if trials is None and repeats is not None and array.ndim == 2:
        trials = int(np.asarray(repeats).reshape(-1)[0])
    return _rebinned(_in_trials(_binary(array), trials), own_s, bin_s)


def _read_mat(file: Path) -> dict[str, Any]:
    if h5py.is_hdf5(file):
        # MATLAB 7.3 writes HDF5 with the axes in reverse
        with h5py.File(file) as held:
            return {k: np.asarray(v).T for k, v in held.items() if isinstance(v, h5py.Dataset)}
    try:
        held = loadmat(file)
    except Exception as error:
        # a damaged file makes SciPy's reader fail in any way, with classes of its own
        raise ValueError(str(error)) from None
    named = {k: v for k, v in held.items() if not k.startswith("__")}
    return {k: v.toarray() if issparse(v) else v for k, v in named.items()}


def _unpacked(file: Path, arrays: dict[str, Any]) -> NDArray[Any] | None:
    if "packed" not in arrays or "shape" not in arrays:
        return None
    shape = tuple(int(n) for n in arrays["shape"])
    bits = np.unpackbits(np.asarray(arrays["packed"], dtype=np.uint8))
    size = math.prod(shape)
    if not 0 <= len(bits) - size < 8:
        raise ConfigError(f"data: wanted {size} packed bits in {file.name}, got {len(bits)}")
    return bits[:size].reshape(shape)


def _pick(file: Path, arrays: dict[str, Any], variable: str | None) -> NDArray[Any]:
    if variable is not None:
        if variable not in arrays:
            raise ConfigError(
                f"variable: wanted one of {', '.join(arrays)} in {file.name}, got {variable!r}"
            )
        return np.asarray(arrays[variable])
    # MATLAB's numbers are arrays of one entry
    rasters = [k for k, v in arrays.items() if np.ndim(v) in (2, 3) and np.size(v) > 1]
    if len(rasters) > 1:
        raise ConfigError(f"variable: wanted one of {', '.join(rasters)}, got none")
    if not rasters:
        shapes = ", ".join(f"{k} {np.shape(v)}" for k, v in arrays.items()) or "nothing"
        raise ConfigError(f"data: wanted an array of 2 or 3 axes in {file.name}, got {shapes}")
    return np.asarray(arrays[rasters[0]])


def _binary(array: NDArray[Any]) -> Raster:
    if array.ndim not in (2, 3) or 0 in array.shape:
        raise ConfigError(
            "data: wanted shape (trials, time, neurons) or (time, neurons), "
            f"got {array.shape}"
        )  # fmt: skip
    if array.dtype.kind not in "biuf":
        raise ConfigError(f"data: wanted zeros and ones, got {array.dtype}")
    wrong = (array != 0) & (array != 1)
    if wrong.any():
        where = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise ConfigError(f"data: wanted zeros and ones, got {array[where]} at {where}")
    time, neurons = array.shape[-2:]
    if array.ndim == 2 and neurons > time:
        raise ConfigError(
            f"data: wanted (time, neurons), got {array.shape}, which looks transposed"
        )
    return array.astype(np.uint8)


def _in_trials(raster: Raster, trials: int | None) -> Raster:
    if raster.ndim == 3:
        if trials is not None and trials != len(raster):
            raise ConfigError(f"trials: wanted {len(raster)}, the file's own, got {trials}")
        return raster
    count = 1 if trials is None else trials
    if len(raster) % count:
        raise ConfigError(f"trials: wanted a divisor of {len(raster)} bins, got {count}")
    return raster.reshape(count, -1, raster.shape[1])


def _rebinned(raster: Raster, own: float | None, wanted: float | None) -> tuple[Raster, float]:
    if own is None:
        if wanted is None:
            raise ConfigError("bin_s: wanted a width in seconds, for the file says none, got none")
        return raster, wanted
    if not (math.isfinite(own) and own > 0):
        raise ConfigError(f"data: wanted a bin_s > 0 in the file, got {own}")
    if wanted is None:
        return raster, own
    merge = round(wanted / own)
    if merge < 1 or abs(wanted / own - merge) > 1e-6:
        raise ConfigError(f"bin_s: wanted a whole multiple of the file's {own:g} s, got {wanted:g}")
    bins = raster.shape[1] // merge
    if bins < 1:
        raise ConfigError(f"bin_s: wanted at most {raster.shape[1] * own:g} s, got {wanted:g}")
    merged = raster[:, : bins * merge].reshape(len(raster), bins, merge, -1).max(axis=2)
    return merged, wanted


def _read_times(
    file: Path, bin_s: float | None, trials: int | None
) -> tuple[Raster, float, tuple[int, ...]]:
    if bin_s is None:
        raise ConfigError("bin_s: wanted a width in seconds to sort spike times into, got none")
    numbers: list[tuple[int, int, float]] = []
    with file.open(newline="", encoding="utf-8-sig") as text:
        rows = csv.DictReader(text, skipinitialspace=True)
        header = [name.strip() for name in rows.fieldnames or ()]
        if not {"neuron", "time"} <= set(header):
            raise ConfigError(
                f"data: wanted a header with neuron, time and perhaps trial in {file.name}, "
                f"got {', '.join(header) or 'none'}"
            )
        rows.fieldnames = header
        for row in rows:
            try:
                time = float(row["time"])
                spike = (int(row.get("trial") or 0), int(row["neuron"]), time)
            except (TypeError, ValueError):
                time = math.nan
            if not 0 <= time < math.inf:
                got = ",".join(str(v) for v in row.values())
                raise ConfigError(
                    "data: wanted whole numbers for trial and neuron and a time >= 0, "
                    f"got {got} in line {rows.line_num}"
                )
            numbers.append(spike)
    if not numbers:
        raise ConfigError(f"data: wanted spikes in {file.name}, got none")
    trial, neuron, seconds = (np.array(column) for column in zip(*numbers, strict=True))
    cells = np.unique(neuron)
    numbered = np.unique(trial) if trials is None else np.arange(trials)
    if not np.isin(trial, numbered).all():
        raise ConfigError(
            f"trials: wanted every trial's number from 0 to {len(numbered) - 1}, "
            f"got {trial[~np.isin(trial, numbered)][0]}"
        )
    # a time on a bin's edge, as written in decimals, belongs to the bin it opens
    place = np.floor(seconds / bin_s + 1e-9).astype(np.int64)
    size = len(numbered) * (int(place.max()) + 1) * len(cells)
    if size > 2**31:
        raise ConfigError(f"bin_s: wanted a width that gives at most 2^31 bins, got {bin_s:g}")
    raster = np.zeros((len(numbered), int(place.max()) + 1, len(cells)), dtype=np.uint8)
    raster[np.searchsorted(numbered, trial), place, np.searchsorted(cells, neuron)] = 1
    return raster, bin_s, tuple(int(cell) for cell in cells)
