"""Rasters and tables of spike times as files, read into zeros and ones.

What every reader here returns: the raster (trials, bins, neurons), the width of a bin in seconds.
Mistakes are ``ConfigError``; other errors of a reader mean that the file cannot be read.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import h5py  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat, whosmat
from scipy.sparse import issparse

from ..errors import ConfigError

__all__ = ["EDGE", "bin_spikes", "check_width", "holds_neo_block", "read_raster", "read_times"]

Raster = NDArray[np.uint8]
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# of a bin: a time this close below a bin's edge was meant to be on it
EDGE = 1e-6
MOST_BINS = 2**31


def check_width(bin_s: float | None) -> float:
    """`bin_s`, which spike times cannot do without; ``ConfigError`` if there is none."""
    if bin_s is None:
        raise ConfigError("bin_s: wanted a width in seconds to sort spike times into, got none")
    if not (math.isfinite(bin_s) and bin_s > 0):
        raise ConfigError(f"bin_s: wanted a width in seconds > 0, got {bin_s}")
    return bin_s


def bin_spikes(
    trial: IntArray,
    neuron: IntArray,
    seconds: FloatArray,
    bin_s: float,
    trials: int,
    neurons: int,
    bins: int | None = None,
) -> Raster:
    """Spike times to zeros and ones: x[s, ⌊t/Δ⌋, i] = 1 for a spike of neuron i at t in trial s.

    A time on the edge of a bin, as far as decimals can say so (10⁻⁶ Δ), belongs to the bin that
    begins there. Spikes before the first bin or after the last are left out.

    Args:
        trial: (spikes,), index of the trial.
        neuron: (spikes,), index of the neuron.
        seconds: (spikes,), finite, from the start of the trial.
        bin_s: Δ in seconds.
        trials: number of trials.
        neurons: number of neurons.
        bins: bins a trial; up to the last spike of all if not given.

    Returns:
        Shape (trials, bins, neurons).

    Raises:
        ConfigError: a width that gives more than 2³¹ entries, or no bin.
    """
    with np.errstate(over="ignore"):
        place = np.floor(seconds / bin_s + EDGE)
    size = float(place.max()) + 1 if bins is None else bins
    if size < 1 or trials * size * neurons > MOST_BINS:
        raise ConfigError(f"bin_s: wanted a width that gives at most 2^31 bins, got {bin_s:g}")
    raster = np.zeros((trials, int(size), neurons), dtype=np.uint8)
    inside = (place >= 0) & (place < size)
    raster[trial[inside], place[inside].astype(np.int64), neuron[inside]] = 1
    return raster


def read_raster(
    file: Path, kind: str, variable: str | None, bin_s: float | None, trials: int | None
) -> tuple[Raster, float]:
    """A raster from `.npy`, `.npz` or `.mat`, as ``load_spikes`` says."""
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


def holds_neo_block(file: Path) -> bool:
    """Whether the file is a `.mat` that Neo wrote: a structure named `block`."""
    if file.suffix.lower() != ".mat" or h5py.is_hdf5(file):
        return False
    try:
        held = whosmat(file)
    except Exception:
        # no MATLAB file: read_raster says so
        return False
    return any(name == "block" and kind == "struct" for name, _, kind in held)


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


def read_times(
    file: Path, bin_s: float | None, trials: int | None
) -> tuple[Raster, float, tuple[int, ...]]:
    """A CSV file of spike times, as ``load_spikes`` says; also the numbers of its neurons."""
    width = check_width(bin_s)
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
    cells, place = np.unique(neuron, return_inverse=True)
    numbered = np.unique(trial) if trials is None else np.arange(trials)
    if not np.isin(trial, numbered).all():
        raise ConfigError(
            f"trials: wanted every trial's number from 0 to {len(numbered) - 1}, "
            f"got {trial[~np.isin(trial, numbered)][0]}"
        )
    order = np.searchsorted(numbered, trial)
    raster = bin_spikes(order, place, seconds, width, len(numbered), len(cells))
    return raster, width, tuple(int(cell) for cell in cells)
