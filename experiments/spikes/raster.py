"""A binary raster of spikes, and the choice of neurons from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from .reading import Cell
from .recording import Recording

__all__ = ["Raster", "SpikeData", "choose_cells"]

Raster = NDArray[np.uint8]


@dataclass(frozen=True)
class SpikeData:
    """A binary raster and where it came from.

    Attributes:
        raster: (trials, bins, neurons), 0 or 1.
        bin_s: width of a bin in seconds.
        cells: the name of each neuron: its column in the file, its number or name in a table of
            spike times, its id in an NWB file, its place in Neo's segments.
        source: the file's name, or words for what no file holds.
        recording: what was understood of the file, if there is one.
        counts: spikes of each cell inside trials and bins, where the file has more than ones.
    """

    raster: Raster
    bin_s: float
    cells: tuple[Cell, ...]
    source: str
    recording: Recording | None = None
    counts: tuple[int, ...] | None = None


def choose_cells(
    data: SpikeData, cells: Sequence[Cell] | None = None, neurons: int | None = None
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
        # an option gives names as text, where the file has numbers
        names = [str(cell) for cell in data.cells]
        for cell in cells:
            if str(cell) not in names:
                raise ConfigError(f"cells: wanted cells of {data.source}, got {cell}")
        columns = [names.index(str(cell)) for cell in cells]
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
    return replace(
        data,
        raster=chosen,
        cells=tuple(data.cells[c] for c in columns),
        counts=None if data.counts is None else tuple(data.counts[c] for c in columns),
    )
