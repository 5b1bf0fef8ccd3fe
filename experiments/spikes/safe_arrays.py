"""Arrays from `.npy`, `.npz`, `.mat` and HDF5 files that may be damaged or lie about their size.

What a header says is held against what the file has before anything is allocated, and pickled
objects are never opened.
"""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import IO, Any

import h5py  # type: ignore[import-untyped]
import numpy as np
from scipy.io import loadmat, whosmat
from scipy.sparse import issparse

from ..errors import ConfigError
from .reading import check_bytes, readable, shown

__all__ = ["Struct", "hdf5_arrays", "load_arrays"]

# of a compressed file: more than this, and large, it is no recording but a bomb
_RATIO, _LARGE = 500, 2**27
_DEEPEST = 8  # structures in structures
_npy: Any = np.lib.format  # which has no types
_MOST_PARTS = 200_000  # cells and fields of one file

Struct = dict[str, Any]


def load_arrays(file: Path, kind: str) -> Struct:
    """The arrays of a file by name; MATLAB's cells as object arrays, its structures as dicts.

    Args:
        file: to read.
        kind: `.npy`, `.npz` or `.mat`; what is in it decides between old and new `.mat`.

    Raises:
        ConfigError: a file that cannot be read, or whose arrays would not fit in memory.
    """
    with readable(file, kind):
        if kind == ".npy":
            with file.open("rb") as raw:
                _check_npy(raw, file.stat().st_size, file.name)
            return {"array": np.load(file, allow_pickle=False)}
        if kind == ".npz":
            return _npz(file)
        return _mat(file)


def _check_npy(raw: IO[bytes], size: int, name: str) -> float:
    """Bytes that an `.npy` stream of this size would take; refused if it has fewer."""
    version = _npy.read_magic(raw)
    if version == (1, 0):
        shape, _, dtype = _npy.read_array_header_1_0(raw)
    else:
        shape, _, dtype = _npy.read_array_header_2_0(raw)
    if dtype.hasobject:
        raise ConfigError(f"data: wanted a readable .npy without pickled objects, got {name}")
    count = math.prod(shape)
    if any(n < 0 for n in shape) or count * dtype.itemsize > size:
        raise ConfigError(
            f"data: wanted a readable array, got {name} of {size} bytes, whose header says "
            f"{shown(shape)} entries of {dtype}"
        )
    check_bytes(count * dtype.itemsize, f"an array {shown(shape)}")
    return float(count * dtype.itemsize)


def _npz(file: Path) -> Struct:
    found: Struct = {}
    objects = []
    with zipfile.ZipFile(file) as held:
        parts = [info for info in held.infolist() if info.filename.endswith(".npy")]
        if not parts:
            raise ConfigError(f"data: wanted arrays in {file.name}, got none")
        whole, packed = (sum(getattr(i, k) for i in parts) for k in ("file_size", "compress_size"))
        check_bytes(whole, "arrays")
        if whole > _LARGE and whole > _RATIO * max(packed, 1):
            raise ConfigError(
                f"data: wanted a recording, got {file.name}, whose {packed} bytes unpack to {whole}"
            )
        for info in parts:
            name = info.filename.removesuffix(".npy")
            try:
                with held.open(info) as raw:
                    _check_npy(raw, info.file_size, f"{file.name}: {shown(name, 30)}")
            except ConfigError as error:
                if "pickled" not in str(error):
                    raise
                objects.append(name)
                continue
            with held.open(info) as raw:
                found[name] = _npy.read_array(raw, allow_pickle=False)
    if not found:
        raise ConfigError(
            f"data: wanted a readable .npz without pickled objects, got {file.name} with "
            f"{', '.join(shown(name, 30) for name in objects)}"
        )
    return found


def _mat(file: Path) -> Struct:
    if h5py.is_hdf5(file):
        with h5py.File(file, "r") as held:
            return hdf5_arrays(held)
    # what is inside cells and structures is at most the file's own size, unless compressed
    whole = 0.0
    for name, shape, kind in whosmat(file):
        if any(n < 0 for n in shape):
            raise ConfigError(f"data: wanted a readable .mat, got {file.name} with {shown(shape)}")
        if kind != "sparse":
            whole += math.prod(shape) * 8.0
        check_bytes(whole, f"arrays such as {shown(name, 30)} {shown(shape)}")
    if whole > _LARGE and whole > 8 * _RATIO * file.stat().st_size:
        raise ConfigError(
            f"data: wanted a recording, got {file.name}, whose {file.stat().st_size} bytes unpack "
            f"to {whole:.3g}"
        )
    held = loadmat(file, verify_compressed_data_integrity=True)
    return {k: _plain(v) for k, v in held.items() if not k.startswith("__")}


def _plain(value: Any, depth: int = 0) -> Any:
    """MATLAB's content without SciPy's classes: arrays, object arrays of cells, dicts."""
    if depth > _DEEPEST:
        raise ConfigError(f"data: wanted at most {_DEEPEST} structures in each other, got more")
    if issparse(value):
        check_bytes(float(math.prod(value.shape)), f"a sparse array {value.shape}")
        return value.toarray()
    if not isinstance(value, np.ndarray):
        return value
    if value.dtype.names:
        fields = {
            name: _cells([_plain(one[name], depth + 1) for one in value.ravel()], value.shape)
            for name in value.dtype.names
        }
        return {k: v.ravel()[0] if v.size == 1 else v for k, v in fields.items()}
    if value.dtype == object:
        return _cells([_plain(one, depth + 1) for one in value.ravel()], value.shape)
    return value


def _cells(parts: list[Any], shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    held = np.empty(len(parts), dtype=object)
    for k, part in enumerate(parts):
        held[k] = part
    return held.reshape(shape)


def hdf5_arrays(held: Any) -> Struct:
    """The arrays of an HDF5 file as MATLAB 7.3 writes them: axes in reverse, cells by reference.

    Raises ``ConfigError`` for arrays that would not fit in memory.
    """
    return _Hdf5(held).group(held, 0)


class _Hdf5:
    def __init__(self, file: Any) -> None:
        self.file = file
        self.bytes, self.parts = 0.0, 0

    def group(self, group: Any, depth: int) -> Struct:
        if depth > _DEEPEST:
            raise ConfigError(f"data: wanted at most {_DEEPEST} groups in each other, got more")
        return {
            name: self.value(item, depth + 1)
            for name, item in group.items()
            if not name.startswith("#")
        }

    def value(self, item: Any, depth: int) -> Any:
        self.parts += 1
        if self.parts > _MOST_PARTS:
            raise ConfigError(f"data: wanted at most {_MOST_PARTS} cells and fields, got more")
        if not isinstance(item, h5py.Dataset):
            if "jc" in item and "ir" in item:
                raise ConfigError("data: wanted full arrays in a .mat of version 7.3, got sparse")
            return self.group(item, depth)
        self.bytes += float(math.prod(item.shape or ())) * max(item.dtype.itemsize, 1)
        check_bytes(self.bytes, f"an array {shown(item.shape)}")
        if item.attrs.get("MATLAB_empty", 0):
            return np.zeros((0, 0))
        if item.dtype == object and h5py.check_ref_dtype(item.dtype) is h5py.Reference:
            if depth > _DEEPEST:
                raise ConfigError(f"data: wanted at most {_DEEPEST} cells in each other, got more")
            found = np.asarray(item).T
            parts = [self.value(self.file[one], depth + 1) for one in found.ravel()]
            return _cells(parts, found.shape)
        return np.asarray(item).T
