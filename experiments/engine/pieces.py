"""Variables of a result that are too large for memory, read and written piece by piece."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import h5netcdf  # type: ignore[import-untyped]
import numpy as np
import xarray as xr
from numpy.typing import NDArray
from xarray.backends import BackendArray
from xarray.core import indexing

from .held_writes import HeldWrites

__all__ = ["Packed", "Pieces", "append_large", "piecewise"]

PIECE = 2**22  # numbers that are in memory at once
_CHUNK = 2**20  # numbers of a chunk on disk


class Packed(Protocol):
    """An array that is unpacked some rows of its first axis at a time."""

    shape: Any

    def ticks(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Rows from ``start`` to ``stop``."""


class Pieces(BackendArray):
    """Packed arrays of one shape, one after the other along a first axis; or a single one.

    Indexing reads no more than it needs to; :meth:`pieces` gives everything in parts.
    """

    def __init__(self, parts: Sequence[Packed], *, stacked: bool) -> None:
        self._parts, self._stacked = parts, stacked
        shape = tuple(parts[0].shape)
        self.shape = (len(parts), *shape) if stacked else shape
        self.dtype = np.dtype(np.uint8)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.BASIC, self._read
        )

    def _read(self, key: tuple[Any, ...]) -> NDArray[np.uint8]:
        if not self._stacked:
            return self._of(self._parts[0], key)
        first, rest = key[0], key[1:]
        if isinstance(first, slice):
            chosen = self._parts[first]
            if not chosen:
                return np.zeros((1, *self.shape[1:]), dtype=np.uint8)[(slice(0, 0), *rest)]
            return np.stack([self._of(part, rest) for part in chosen])
        return self._of(self._parts[first], rest)

    @staticmethod
    def _of(part: Packed, key: tuple[Any, ...]) -> NDArray[np.uint8]:
        first, rest = key[0], key[1:]
        if not isinstance(first, slice):
            row = int(first) % part.shape[0]
            return np.asarray(part.ticks(row, row + 1)[0][rest])
        rows = np.arange(part.shape[0])[first]
        low = int(rows.min(initial=part.shape[0] - 1))
        values = part.ticks(low, int(rows.max(initial=low)) + 1)
        return np.asarray(values[rows - low][(slice(None), *rest)])

    def chunks(self) -> tuple[int, ...]:
        """Of a chunk on disk."""
        row = int(np.prod(self._parts[0].shape[1:], dtype=np.int64))
        rows = max(1, min(self._parts[0].shape[0], _CHUNK // row))
        own = (rows, *self._parts[0].shape[1:])
        return (1, *own) if self._stacked else own

    def pieces(self) -> Iterator[tuple[tuple[Any, ...], NDArray[np.uint8]]]:
        """Where each piece belongs, and the piece; pieces are whole chunks."""
        rows = self.chunks()[-len(self._parts[0].shape)]
        row = int(np.prod(self._parts[0].shape[1:], dtype=np.int64))
        step = rows * max(1, PIECE // (rows * row))
        for number, part in enumerate(self._parts):
            for start in range(0, part.shape[0], step):
                stop = min(start + step, part.shape[0])
                place: tuple[Any, ...] = (slice(start, stop),)
                yield ((number, *place) if self._stacked else place), part.ticks(start, stop)


def piecewise(
    dims: Sequence[str], pieces: Pieces, attributes: Mapping[str, Any] | None = None
) -> xr.Variable:
    """A variable that reads its pieces when it is asked for."""
    return xr.Variable(dims, indexing.LazilyIndexedArray(pieces), dict(attributes or {}))


def append_large(path: Path, data: xr.Dataset, large: Mapping[str, Pieces]) -> None:
    """Add to a netCDF file the variables of ``data`` that are written piece by piece.

    Raises OSError where the system refuses; what is then in the file is nothing to keep.
    """
    with HeldWrites(path) as disk:
        with h5netcdf.File(disk, "a") as file:
            _append(file, disk, data, large)
        disk.check()


def _append(file: Any, disk: HeldWrites, data: xr.Dataset, large: Mapping[str, Pieces]) -> None:
    for name, pieces in large.items():
        variable = data[name].variable
        for dim, size in variable.sizes.items():
            if dim not in file.dimensions:
                file.dimensions[str(dim)] = size
        made = file.create_variable(
            name,
            tuple(str(dim) for dim in variable.dims),
            dtype=pieces.dtype,
            chunks=pieces.chunks(),
            compression="gzip",
            compression_opts=1,
        )
        for place, values in pieces.pieces():
            made[place] = values
            disk.check()
        # coordinates along the variable's dimensions that are not named after one
        beside = [
            str(c)
            for c, x in data.coords.items()
            if c not in data.dims and set(x.dims) <= set(variable.dims)
        ]
        attributes = dict(variable.attrs)
        if beside:
            attributes["coordinates"] = " ".join(beside)
        for key, value in attributes.items():
            made.attrs[key] = value
