"""What the arrays of a file are: a raster, columns of spikes, or a train of times a neuron.

Known by their names are the forms of simulators and sorters: columns such as Brian's `i` and `t`
or NEST's `senders` and `times` (in ms), SciPy's sparse matrices, SpikeInterface's sortings,
`cluster_class` of Wave_clus (in ms), and bits packed by NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ..errors import ConfigError
from .columns import Roles, find_roles, found_of_columns, found_of_trains, names_times
from .layout import Flat, as_raster
from .phy import is_phy
from .reading import Account, Reading, check_bytes, readable, shown
from .recording import Found
from .safe_arrays import load_arrays
from .time_units import named_unit, plain_name

__all__ = ["read_arrays"]

FloatArray = NDArray[np.float64]

_FORMS = {".npy": "NumPy array", ".npz": "NumPy arrays", ".mat": "MATLAB file"}
_RATES = ("sampling_rate", "sampling_frequency", "sample_rate", "samplerate", "fs", "sr")
# numbers about a raster that are none themselves
_ASIDE = ("bin_s", "repeats", "shape", "packed", "trials")


def read_arrays(file: Path, kind: str, reading: Reading) -> tuple[Found | Flat, str, Account]:
    """The recording in an `.npy`, `.npz` or `.mat`, its format in words, and its account.

    Raises:
        ConfigError: a file that is none, holds no recording, or more than one of which `variable`
            names none.
    """
    if is_phy(file.parent) and file.name.startswith("spike_"):
        raise ConfigError(
            f"data: wanted the folder {file.parent.name} of Phy or Kilosort, got {file.name} in it"
        )
    held = _flattened(load_arrays(file, kind))
    form, account = _FORMS[kind], Account()
    if kind == ".npy" and reading.variable is not None:
        raise ConfigError(f"variable: wanted none for .npy, got {reading.variable!r}")
    with readable(file, kind):
        if reading.variable is None:
            found = _known(file, held, form, reading)
            if found is not None:
                return found, found.format, found.account
        array = _unpacked(file, held) if reading.variable is None else None
        if array is None:
            array = _sparse(held) if reading.variable is None else None
        name = "packed"
        if array is None:
            name = _pick(file, held, reading.variable)
            array = held[name]
        if np.asarray(array).dtype == object:
            trains = _trains(np.asarray(array), name, file, reading, held, form)
            if isinstance(trains, Found):
                return trains, trains.format, trains.account
            array = trains
        flat = as_raster(
            np.asarray(array), _number(held, "bin_s"), _whole(held, "repeats"), reading, account
        )
    repeats = _whole(held, "repeats")
    if repeats is not None and reading.trials not in (None, repeats):
        account.suspicions.append(f"trials: the file says {repeats}, not {reading.trials}")
    if name not in ("packed", "array"):
        account.notes.append(f"the array {shown(name, 40)}, of shape {np.shape(array)}")
    return flat, f"{form}, a raster", account


def _flattened(held: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Structures in structures as one, with names joined by points."""
    found: dict[str, Any] = {}
    for name, value in held.items():
        if isinstance(value, Mapping):
            found |= _flattened(value, f"{before}{name}.")
        else:
            found[f"{before}{name}"] = value
    return found


def _number(held: Mapping[str, Any], name: str) -> float | None:
    if name not in held:
        return None
    value = np.asarray(held[name])
    if value.size < 1 or value.dtype.kind not in "iuf":
        raise ConfigError(f"data: wanted a number as {name}, got {shown(held[name])}")
    return float(value.reshape(-1)[0])


def _whole(held: Mapping[str, Any], name: str) -> int | None:
    number = _number(held, name)
    if number is not None and not (number.is_integer() and number >= 1):
        raise ConfigError(f"data: wanted a whole number >= 1 as {name}, got {number:g}")
    return None if number is None else int(number)


def _rate(held: Mapping[str, Any]) -> float | None:
    for name, value in held.items():
        plain = plain_name(name.rpartition(".")[2])
        if plain in _RATES and np.size(value) == 1 and np.asarray(value).dtype.kind in "iuf":
            rate = float(np.asarray(value).reshape(-1)[0])
            return rate if math.isfinite(rate) and rate > 0 else None
    return None


def _vectors(held: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Arrays of one long axis, numbers or words."""
    found: dict[str, NDArray[Any]] = {}
    for name, value in held.items():
        array = np.asarray(value)
        if array.size > 1 and array.size == max(array.shape) and array.dtype.kind in "biufUS":
            found[name] = array.ravel()
    return found


def _known(file: Path, held: Mapping[str, Any], form: str, reading: Reading) -> Found | None:
    """Spike times in a form that is known by its names, else None."""
    if "spike_indexes_seg0" in held and "spike_labels_seg0" in held:
        return _spikeinterface(file, held, reading)
    for name, value in held.items():
        if name.rpartition(".")[2] == "cluster_class" and np.ndim(value) == 2:
            return _wave_clus(file, np.asarray(value), reading)
    vectors = _vectors(held)
    groups: dict[tuple[str, int], list[str]] = {}
    for name, vector in vectors.items():
        groups.setdefault((name.rpartition(".")[0], len(vector)), []).append(name)
    for (group, _), names in groups.items():
        roles = find_roles([name.rpartition(".")[2] for name in names])
        if roles is not None:
            return _columns(file, {n: vectors[n] for n in names}, roles, group, form, held, reading)
    if len(vectors) > 1 and all(map(_may_be_train, vectors.values())) and not _tables(held):
        reading.refuse("the file holds spike times", "axes")
        return found_of_trains(
            [list(vectors.values())], reading, name=file.name, form=f"{form}, a train a cell",
            rate=_rate(held), cells=list(vectors),
        )  # fmt: skip
    return None


def _may_be_train(vector: NDArray[Any]) -> bool:
    """Whether numbers rise throughout, as times do."""
    return vector.dtype.kind in "iuf" and bool((np.diff(vector.astype(np.float64)) > 0).all())


def _tables(held: Mapping[str, Any]) -> bool:
    """Whether there is anything but numbers, words and rows of them."""
    return any(np.size(v) > max(np.shape(v), default=1) or _is_cells(v) for v in held.values())


def _is_cells(value: Any) -> bool:
    return np.asarray(value).dtype == object


def _columns(
    file: Path,
    vectors: Mapping[str, NDArray[Any]],
    roles: Roles,
    group: str,
    form: str,
    held: Mapping[str, Any],
    reading: Reading,
) -> Found:
    arrays = list(vectors.values())
    assert roles.neuron is not None
    assert roles.time is not None
    columns = {"neuron": _coded(arrays[roles.neuron])}
    if roles.trial is not None:
        columns["trial"] = _coded(arrays[roles.trial])
    unit, origin = roles.unit, f"the name {roles.names[roles.time]}"
    if {"senders", "times"} <= set(roles.names):
        unit, origin = "ms", "NEST"
    times = _times_of(arrays[roles.time], roles.names[roles.time])
    account = Account([f"arrays {roles.words}{f' of {group}' if group else ''}"])
    return found_of_columns(
        columns, times, reading, name=file.name, form=f"{form}, columns of spikes", unit=unit,
        unit_from=origin, rate=_rate(held), account=account,
    )  # fmt: skip


def _coded(labels: NDArray[Any]) -> tuple[NDArray[np.int64], list[Any]]:
    names, codes = np.unique(labels, return_inverse=True)
    return codes.astype(np.int64), names.tolist()


def _times_of(array: NDArray[Any], name: str) -> FloatArray:
    if array.dtype.kind not in "iuf":
        raise ConfigError(f"data: wanted numbers as {shown(name, 30)}, got {array.dtype}")
    return array.astype(np.float64)


def _spikeinterface(file: Path, held: Mapping[str, Any], reading: Reading) -> Found:
    """SpikeInterface's NPZ: samples and labels of each segment, a segment a trial."""
    rate = _number(held, "sampling_frequency")
    count = _whole(held, "num_segment") or 1
    samples, labels, segments = [], [], []
    for k in range(count):
        try:
            one, names = (held[f"spike_{what}_seg{k}"] for what in ("indexes", "labels"))
        except KeyError as error:
            raise ConfigError(f"data: wanted {error.args[0]} in {file.name}, got none") from None
        if np.shape(one) != np.shape(names) or np.ndim(one) != 1:
            raise ConfigError(
                f"data: wanted as many labels as samples in segment {k} of {file.name}, got "
                f"{np.shape(names)} and {np.shape(one)}"
            )
        samples.append(_times_of(np.asarray(one), "spike_indexes"))
        labels.append(np.asarray(names))
        segments.append(np.full(len(one), k))
    columns = {"neuron": _coded(np.concatenate(labels))}
    if count > 1:
        columns["trial"] = _coded(np.concatenate(segments))
    return found_of_columns(
        columns, np.concatenate(samples), reading, name=file.name, form="SpikeInterface sorting",
        unit="samples", unit_from="SpikeInterface", rate=rate,
    )  # fmt: skip


def _wave_clus(file: Path, table: NDArray[Any], reading: Reading) -> Found:
    """Wave_clus: a row a spike, its cluster (0: none) and its time in ms."""
    if table.shape[1] < 2 or table.dtype.kind not in "iuf":
        raise ConfigError(f"data: wanted clusters and times in {file.name}, got {table.shape}")
    sorted_ = table[:, 0] != 0
    account = Account()
    if not sorted_.all():
        account.cuts.append(f"{int((~sorted_).sum())} spikes of cluster 0, of no cell, left out")
    rows = table[sorted_]
    return found_of_columns(
        {"neuron": _coded(rows[:, 0])}, rows[:, 1].astype(np.float64), reading, name=file.name,
        form="Wave_clus clusters", unit="ms", unit_from="Wave_clus",
        account=account,
    )  # fmt: skip


def _unpacked(file: Path, arrays: Mapping[str, Any]) -> NDArray[Any] | None:
    if "packed" not in arrays or "shape" not in arrays:
        return None
    shape = tuple(int(n) for n in np.asarray(arrays["shape"]).ravel())
    size = math.prod(shape)
    bits = 8 * np.size(arrays["packed"])
    if any(n < 0 for n in shape) or not 0 <= bits - size < 8:
        raise ConfigError(f"data: wanted {size} packed bits in {file.name}, got {bits}")
    check_bytes(size, f"a raster {shape}")
    packed = np.asarray(arrays["packed"])
    if packed.dtype != np.uint8:
        raise ConfigError(f"data: wanted packed bits as uint8 in {file.name}, got {packed.dtype}")
    return np.unpackbits(packed)[:size].reshape(shape)


def _sparse(held: Mapping[str, Any]) -> NDArray[Any] | None:
    """A matrix of ``scipy.sparse.save_npz``, in full."""
    if "format" not in held or "shape" not in held or "data" not in held:
        return None
    kind = np.asarray(held["format"]).item()
    kind = kind.decode("ascii") if isinstance(kind, bytes) else str(kind)
    shape = tuple(int(n) for n in np.asarray(held["shape"]).ravel())
    data = np.asarray(held["data"])
    if len(shape) != 2 or any(n < 0 for n in shape):
        raise ConfigError(f"data: wanted a sparse matrix of two axes, got {shown(shape)}")
    check_bytes(math.prod(shape) * data.dtype.itemsize, f"a sparse matrix {shape}")
    if kind in ("csr", "csc", "bsr"):
        maker = {"csr": sparse.csr_matrix, "csc": sparse.csc_matrix, "bsr": sparse.bsr_matrix}
        matrix = maker[kind]((data, held["indices"], held["indptr"]), shape=shape)
        matrix.check_format(full_check=True)
    elif kind == "coo":
        rows, columns = held["coords"] if "coords" in held else (held["row"], held["col"])
        matrix = sparse.coo_matrix((data, (rows, columns)), shape=shape)
    else:
        raise ConfigError(
            f"data: wanted a sparse matrix as csr, csc, bsr or coo, got {shown(kind)}"
        )
    return np.asarray(matrix.toarray())


def _pick(file: Path, arrays: Mapping[str, Any], variable: str | None) -> str:
    if variable is not None:
        if variable not in arrays:
            raise ConfigError(
                f"variable: wanted one of {', '.join(arrays)} in {file.name}, got {variable!r}"
            )
        return variable
    # MATLAB's numbers are arrays of one entry, its words and lists arrays of one row
    several = {
        k: np.asarray(v)
        for k, v in arrays.items()
        if np.size(v) > 1 and k.rpartition(".")[2] not in _ASIDE
    }
    cells = [
        k
        for k, v in several.items()
        if v.dtype == object and _are_trains(v) and any(np.size(part) > 1 for part in v.ravel())
    ]
    timed = [k for k in cells if names_times(k.rpartition(".")[2])]
    cells = timed if len(timed) == 1 else cells
    tables = [
        k
        for k, v in several.items()
        if v.dtype != object and v.dtype.kind not in "US" and v.ndim in (2, 3)
    ]
    wide = [k for k in tables if several[k].size > max(several[k].shape)]
    words = [k for k, v in several.items() if v.dtype.kind in "US" and v.ndim in (2, 3)]
    candidates = [*wide, *cells] or tables or words
    if len(candidates) > 1:
        raise ConfigError(f"variable: wanted one of {', '.join(candidates)}, got none")
    if not candidates:
        shapes = ", ".join(f"{k} {np.shape(v)}" for k, v in arrays.items()) or "nothing"
        raise ConfigError(
            f"data: wanted an array of 2 or 3 axes in {file.name}, got {shown(shapes, 200)}, and "
            "neither columns of neurons and times (such as i, t) nor cells of times"
        )
    return candidates[0]


def _are_trains(cells: NDArray[Any]) -> bool:
    """Whether cells hold numbers, or cells of numbers."""
    parts = [np.asarray(part) for part in cells.ravel() if not isinstance(part, Mapping)]
    if len(parts) < cells.size:
        return False
    return all(p.dtype.kind in "biuf" or (p.dtype == object and _are_trains(p)) for p in parts)


def _trains(
    cells: NDArray[Any],
    name: str,
    file: Path,
    reading: Reading,
    held: Mapping[str, Any],
    form: str,
) -> Found | NDArray[Any]:
    """Cells as trains of times, or as one raster where they hold zeros and ones alike in shape."""
    if not _are_trains(cells):
        raise ConfigError(f"data: wanted numbers in the cells of {name}, got others")
    if cells.size and all(np.asarray(part).dtype == object for part in cells.ravel()):
        cells = _grid([np.asarray(part).ravel() for part in cells.ravel()], name)
    arrays = [np.asarray(part) for part in cells.ravel()]
    if all(part.size == max(part.shape, default=0) or part.size == 0 for part in arrays):
        vectors: list[NDArray[Any]] = [part.ravel() for part in arrays]
        if not _are_words(vectors):
            return _found_trains(vectors, cells.shape, name, file, reading, held, form)
        stacked = np.stack(vectors, axis=-1).reshape(len(vectors[0]), *_squeezed(cells.shape))
        if stacked.ndim == 2:
            return stacked
        raise ConfigError(f"data: wanted one row or column of cells in {name}, got {cells.shape}")
    shapes = sorted({part.shape for part in arrays})
    if len(shapes) > 1:
        raise ConfigError(
            f"data: wanted trials of one shape in the cells of {name}, got {shapes[0]} and "
            f"{shapes[-1]}"
        )
    check_bytes(sum(part.nbytes for part in arrays), "cells")
    return np.stack(arrays)


def _squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n for n in shape if n > 1) or (1,)


def _are_words(vectors: list[NDArray[Any]]) -> bool:
    """Whether trains are zeros and ones of equal length rather than times."""
    if len({len(vector) for vector in vectors}) > 1 or len(vectors[0]) < 3:
        return False
    return all(bool(((v == 0) | (v == 1)).all()) for v in vectors)


def _grid(rows: list[NDArray[Any]], name: str) -> NDArray[Any]:
    if len({len(row) for row in rows}) > 1:
        raise ConfigError(f"data: wanted as many cells in each cell of {name}, got others")
    grid = np.empty((len(rows), len(rows[0])), dtype=object)
    for k, row in enumerate(rows):
        grid[k] = row
    return grid


def _found_trains(
    vectors: list[NDArray[Any]],
    shape: tuple[int, ...],
    name: str,
    file: Path,
    reading: Reading,
    held: Mapping[str, Any],
    form: str,
) -> Found:
    size = _squeezed(shape)
    if len(size) > 2:
        raise ConfigError(f"data: wanted cells of times in one or two axes in {name}, got {shape}")
    words = ""
    if len(size) == 1:
        reading.refuse("there is one row of cells, a neuron each", "axes")
        grid = [vectors]
    else:
        orders = ("neurons,trials", "trials,neurons")
        if reading.axes not in orders:
            raise ConfigError(
                f"axes: wanted {orders[0]} or {orders[1]}, for {name} has {size[0]} by {size[1]} "
                f"cells of times, got {reading.axes or 'none'}"
            )
        rows = [vectors[k * size[1] : (k + 1) * size[1]] for k in range(size[0])]
        grid = rows if reading.axes == orders[1] else [list(c) for c in zip(*rows, strict=True)]
        words = "an axis of the cells"
    unit = named_unit(name.rpartition(".")[2])[1]
    return found_of_trains(
        [[_times_of(v, name) for v in row] for row in grid], reading, name=file.name,
        form=f"{form}, cells of spike times", trials_from=words, unit=unit,
        unit_from=f"the name {name}", rate=_rate(held),
    )  # fmt: skip
