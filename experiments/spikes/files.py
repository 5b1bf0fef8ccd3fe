"""Which reader a file or folder is for."""

from __future__ import annotations

from pathlib import Path

import h5py  # type: ignore[import-untyped]
from scipy.io import whosmat

from ..errors import ConfigError, RunDirectoryError
from .arrays import read_arrays
from .binning import bin_spikes, check_width
from .from_lmg import run_spikes
from .layout import Flat
from .neo import read_neo
from .nwb import read_nwb
from .phy import is_phy, read_phy
from .raster import SpikeData
from .reading import Reading, readable
from .summary import raster_data, spike_data
from .tables import is_table, read_table

__all__ = ["bin_spikes", "check_width", "read_recording"]

_ARRAYS = (".npy", ".npz", ".mat")
_TABLES = (".csv", ".tsv")
# tables where they have a header, or are NEST's; else Neo may know them
_PERHAPS = (".txt", ".dat", ".gdf")


def read_recording(path: Path, reading: Reading) -> SpikeData:
    """All cells of a recording, silent ones too; see :func:`~.data.load_spikes`.

    Raises:
        ConfigError: a file that is no recording, or options that do not fit it.
        RunDirectoryError: a folder without a finished LMG run.
    """
    if path.is_dir():
        return _of_folder(path, reading)
    if not path.is_file():
        raise ConfigError(f"data: wanted a file that exists, got {path}")
    kind = path.suffix.lower()
    with readable(path, kind or "file"):
        if kind in _ARRAYS and (reading.variable is not None or not _holds_neo_block(path)):
            found, form, account = read_arrays(path, kind, reading)
            if isinstance(found, Flat):
                return raster_data(found, form, account, path.name)
        elif kind in _TABLES or (kind in _PERHAPS and _is_table(path, kind)):
            if reading.variable is not None:
                raise ConfigError(f"variable: wanted none for {kind}, got {reading.variable!r}")
            check_width(reading.bin_s)
            found = read_table(path, reading, bare=kind not in _TABLES)
        elif kind == ".nwb":
            found = read_nwb(path, reading)
        else:
            found = read_neo(path, reading)
        return spike_data(found, reading, path.name)


def _is_table(path: Path, kind: str) -> bool:
    return is_table(path, bare=kind != ".txt")


def _holds_neo_block(path: Path) -> bool:
    """Whether the file is a `.mat` that Neo wrote: a structure named `block`."""
    if path.suffix.lower() != ".mat" or h5py.is_hdf5(path):
        return False
    try:
        held = whosmat(path)
    except Exception:
        # no MATLAB file: who reads it next says so
        return False
    return any(name == "block" and kind == "struct" for name, _, kind in held)


def _of_folder(folder: Path, reading: Reading) -> SpikeData:
    if is_phy(folder) and not (folder / "run.toml").is_file():
        return spike_data(read_phy(folder, reading), reading, folder.name)
    if reading.variable is not None:
        raise ConfigError(f"variable: wanted none for a run, got {reading.variable!r}")
    reading.refuse(
        "a run of lmg has words, not a recording", "clip", "axes", "intervals", "time_unit",
        "sampling_rate", "span",
    )  # fmt: skip
    if not (folder / "run.toml").is_file():
        raise RunDirectoryError(
            f"{folder}: no run here (run.toml is missing), nor spikes of Phy or Kilosort "
            "(spike_times.npy)"
        )
    data = run_spikes(folder, bin_s=reading.bin_s)
    if reading.trials is not None and reading.trials != len(data.raster):
        raise ConfigError(f"trials: wanted {len(data.raster)}, the run's own, got {reading.trials}")
    return data
