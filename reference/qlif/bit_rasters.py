"""Rasters too large for a byte a neuron and tick: eight to a byte, unpacked in parts.

Whatever is summed over pairs can be taken pair by pair, so a raster is read in blocks of pairs,
each over all ticks; it is written tick after tick.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["LARGE", "BitRaster", "Raster", "group_blocks", "new_raster"]

Bits = NDArray[np.uint8]
# neurons and ticks of a raster from which it is packed
LARGE = 2 * 10**7
# of a block that is unpacked
BLOCK = 10**7


class BitRaster:
    """Zeros and ones (tick, group, neuron), all zero at first.

    ``shape``: ticks, groups, neurons.
    """

    dtype = np.dtype(np.uint8)
    ndim = 3

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self._whole = shape
        self._bytes: Bits = np.zeros((shape[0], -(-shape[1] * shape[2] // 8)), dtype=np.uint8)
        self._neurons: tuple[int, ...] | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Ticks, groups, neurons."""
        ticks, groups, n = self._whole
        return ticks, groups, n if self._neurons is None else len(self._neurons)

    @property
    def size(self) -> int:
        """Of all neurons and ticks."""
        return int(np.prod(self.shape, dtype=np.int64))

    def __len__(self) -> int:
        """Ticks."""
        return self._whole[0]

    def put(self, tick: int, bits: ArrayLike) -> None:
        """Set the ticks from ``tick`` on to ``bits`` (ticks, groups, neurons)."""
        given = np.asarray(bits)
        packed = np.packbits(given.reshape(len(given), -1), axis=1)
        self._bytes[tick : tick + len(given)] = packed

    def of_neurons(self, neurons: Sequence[int]) -> BitRaster:
        """The same raster, of some neurons of each group; its bytes are shared."""
        found = BitRaster.__new__(BitRaster)
        found._whole, found._bytes = self._whole, self._bytes
        found._neurons = tuple(neurons)
        return found

    def ticks(self, start: int, stop: int) -> Bits:
        """Ticks from ``start`` to ``stop`` (…, groups, neurons)."""
        _, groups, n = self._whole
        bits = np.unpackbits(self._bytes[start:stop], axis=1, count=groups * n)
        return self._shown(bits.reshape(-1, groups, n))

    def groups(self, start: int, stop: int) -> Bits:
        """Groups from ``start`` to ``stop`` over all ticks."""
        ticks, _, n = self._whole
        first = start * n // 8
        bits = np.unpackbits(self._bytes[:, first : -(-stop * n // 8)], axis=1)
        skipped = start * n - 8 * first
        own = bits[:, skipped : skipped + (stop - start) * n]
        return self._shown(own.reshape(ticks, stop - start, n))

    def _shown(self, bits: Bits) -> Bits:
        if self._neurons is None:
            return bits
        return np.ascontiguousarray(bits[..., list(self._neurons)])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """The whole raster, a byte a neuron and tick."""
        whole = self.ticks(0, len(self))
        return whole if dtype is None else whole.astype(dtype)


Raster = Bits | BitRaster


def new_raster(shape: tuple[int, int, int]) -> BitRaster | None:
    """An empty raster where one of this shape is packed; None where it is small."""
    return BitRaster(shape) if np.prod(shape, dtype=np.int64) > LARGE else None


def group_blocks(*rasters: Any) -> Iterator[tuple[NDArray[Any], ...]]:
    """Blocks of groups of several rasters of the same groups, all ticks of each.

    What is no ``BitRaster`` must be an array; where none is packed there is one block.
    """
    packed = [x for x in rasters if isinstance(x, BitRaster)]
    if not packed:
        yield tuple(np.asarray(x) for x in rasters)
        return
    ticks, groups, n = packed[0]._whole
    # whole bytes
    step = max(8, BLOCK // (ticks * n) // 8 * 8)
    for start in range(0, groups, step):
        stop = min(start + step, groups)
        yield tuple(
            x.groups(start, stop) if isinstance(x, BitRaster) else np.asarray(x)[:, start:stop]
            for x in rasters
        )
