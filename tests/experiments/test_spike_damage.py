"""Damaged recordings: one line that names the file, in bounded memory, whatever is broken."""

import datetime
import io
import resource
import struct
import time
import warnings
import zipfile

import h5py
import numpy as np
import pytest
from scipy.io import savemat
from scipy.sparse import csr_matrix, save_npz

from qbrain.experiments.errors import ConfigError
from qbrain.experiments.spikes.data import SpikeData, load_spikes

pynwb = pytest.importorskip("pynwb")

TRIALS, BINS, NEURONS, BIN = 6, 40, 3, 0.02
RASTER = (np.random.default_rng(0).random((TRIALS, BINS, NEURONS)) < [0.1, 0.4, 0.2]).astype("u1")
FLAT = RASTER.reshape(-1, NEURONS)
PLACE, NEURON = np.nonzero(FLAT)
TIMES = (PLACE + 0.3) * BIN


def mat73(path):
    with h5py.File(path, "w") as file:
        kind = h5py.special_dtype(ref=h5py.Reference)
        cells = file.create_dataset("spikes", (NEURONS, 1), dtype=kind)
        for k in range(NEURONS):
            cells[k, 0] = file.create_dataset(f"#refs#/{k}", data=TIMES[k == NEURON][None]).ref


def mat_cells(path):
    cells = np.empty((1, NEURONS), object)
    for k in range(NEURONS):
        cells[0, k] = TIMES[k == NEURON]
    savemat(path, {"data": {"spikes": cells}}, do_compression=True)


def nwb(path):
    file = pynwb.NWBFile("spikes", "a", datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
    for k in range(NEURONS):
        file.add_unit(spike_times=TIMES[k == NEURON], obs_intervals=[[0.0, 9.0]])
    for k in range(TRIALS):
        file.add_trial(start_time=k * BINS * BIN, stop_time=(k + 1) * BINS * BIN)
    with pynwb.NWBHDF5IO(str(path), "w") as held:
        held.write(file)


def table(path, separator=","):
    rows = [separator.join((str(n), f"{t:.4f}")) for n, t in zip(NEURON, TIMES, strict=True)]
    path.write_text("\n".join([f"neuron{separator}time", *rows]) + "\n")


WRITERS = {
    "a.npy": lambda path: np.save(path, RASTER),
    "a.npz": lambda path: np.savez_compressed(path, i=NEURON, t=TIMES),
    "b.npz": lambda path: np.savez(path, packed=np.packbits(FLAT), shape=FLAT.shape, repeats=6),
    "c.npz": lambda path: save_npz(path, csr_matrix(FLAT)),
    "a.mat": lambda path: savemat(path, {"spikes": RASTER}, do_compression=True),
    "b.mat": mat_cells,
    "c.mat": mat73,
    "a.csv": table,
    "a.tsv": lambda path: table(path, "\t"),
    "a.gdf": lambda path: path.write_text(
        "".join(f"{n + 1} {1000 * t:.2f}\n" for n, t in zip(NEURON, TIMES, strict=True))
    ),
    "a.nwb": nwb,
    "a.txt": lambda path: path.write_text(
        "".join("\t".join(f"{t:.3f}" for t in TIMES[k == NEURON]) + "\n" for k in range(NEURONS))
    ),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    for name, write in WRITERS.items():
        write(folder / name)
    return {name: (folder / name).read_bytes() for name in WRITERS}


def damaged(content, rng):
    """Cut short, some bits turned over, a stretch of noise or zeros, a stretch twice or gone."""
    held = bytearray(content)
    place = int(rng.integers(len(held)))
    kind = rng.integers(6)
    if kind == 0:
        return bytes(held[:place])
    if kind == 1:
        for k in rng.integers(len(held), size=rng.integers(1, 20)):
            held[k] ^= 1 << int(rng.integers(8))
    elif kind == 2:
        stretch = int(rng.integers(1, 200))
        held[place : place + stretch] = rng.bytes(stretch)
    elif kind == 3:
        held[place : place + 64] = bytes(64)
    elif kind == 4:
        held[place:place] = held[place : place + int(rng.integers(1, 300))]
    else:
        del held[place : place + int(rng.integers(1, 300))]
    return bytes(held)


def read(path):
    """The recording, or what is said of it in one line."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return load_spikes(path, bin_s=BIN)
    except ConfigError as error:
        return str(error)


def check(found):
    if isinstance(found, str):
        assert "\n" not in found
        assert 10 < len(found) < 600
        assert ": " in found
        assert "wanted" in found or "would be ignored" in found
    else:
        assert isinstance(found, SpikeData)
        assert set(np.unique(found.raster)) <= {0, 1}
        assert found.raster.any()


def damage(folder, whole, name, seeds):
    refused = 0
    for seed in seeds:
        path = folder / f"{seed}{name[1:]}"
        path.write_bytes(damaged(whole[name], np.random.default_rng(seed)))
        found = read(path)
        check(found)
        refused += isinstance(found, str)
        path.unlink()
    return refused


@pytest.mark.parametrize("name", WRITERS)
def test_undamaged_files_are_read(tmp_path, whole, name):
    (tmp_path / name).write_bytes(whole[name])
    assert isinstance(read(tmp_path / name), SpikeData)


@pytest.mark.parametrize("name", WRITERS)
def test_a_damaged_file_is_read_or_refused_in_a_line(tmp_path, whole, name):
    damage(tmp_path, whole, name, range(4))


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITERS)
def test_many_damaged_files_are_read_or_refused_in_bounded_time_and_memory(tmp_path, whole, name):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    assert damage(tmp_path, whole, name, range(100, 135)) > 0
    assert time.perf_counter() - began < 60
    # in KiB; no file has more than a few hundred spikes
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**21


def header(shape, dtype="<f8"):
    text = repr({"descr": dtype, "fortran_order": False, "shape": shape}).encode()
    text += b" " * (118 - len(text)) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def zipped(members, kind=zipfile.ZIP_DEFLATED):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", kind) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return held.getvalue()


def bomb():
    """200 MB of zeros in 200 kB."""
    return zipped({"spikes.npy": header((2**27 + 2**26,), "|u1") + bytes(2**27 + 2**26)})


class Boom:
    def __reduce__(self):
        return (open, ("/tmp/qbrain-must-not-exist", "w"))


def pickled():
    held = io.BytesIO()
    np.save(held, np.array([[Boom()]], dtype=object), allow_pickle=True)
    return held.getvalue()


LIES = {
    "giant.npy": (header((2**40, 2**10)) + bytes(80), "whose header says"),
    "negative.npy": (header((-4, 3)) + bytes(80), "whose header says"),
    "overflow.npy": (header((2**62, 2**62)) + bytes(80), "whose header says"),
    "short.npy": (header((40, 30)) + bytes(80), "whose header says"),
    "giant.npz": (zipped({"a.npy": header((2**40, 9)) + bytes(80)}), "whose header says"),
    "bomb.npz": (bomb(), "unpack to"),
    "none.npz": (zipped({"a.txt": b"nothing"}), "wanted arrays in none.npz, got none"),
    "sparse.npz": (
        zipped({
            f"{name}.npy": header(np.shape(v), np.asarray(v).dtype.str) + np.asarray(v).tobytes()
            for name, v in {
                "format": np.array(b"csr"), "shape": np.array([2**40, 2**20]),
                "data": np.ones(1), "indices": np.zeros(1, "i4"), "indptr": np.zeros(2, "i4"),
            }.items()
        }),
        "in memory",
    ),
    "packed.npz": (
        zipped({
            "packed.npy": header((8,), "|u1") + bytes(8),
            "shape.npy": header((2,), "<i8") + np.array([-4, -16]).tobytes(),
        }),
        "packed bits",
    ),
    "objects.npy": (pickled(), "without pickled objects"),
    "objects.npz": (zipped({"a.npy": pickled()}), "without pickled objects"),
    "line.csv": (b"neuron,time\n1," + b"1" * 200_000 + b"\n", "wanted a time|field larger"),
    "long.csv": (b"neuron,time" + b"x" * 1_500_000, "lines of at most"),
    "fields.csv": (b"neuron,time\n1,0.5,2\n", "wanted 2 fields, .*got 3 in line 2"),
    "quote.csv": (b'neuron,time\n"1,0.5\n', "wanted 2 fields, .*in line 2"),
    "late.csv": (b"neuron,time\n1,0.5\n1,0.7\n2,9e7\n", "a time is mistaken|at most 2"),
    "nul.csv": (b"neuron,time\n1,0.5\n\0\0\0\0,\0\0\n", "data: wanted"),
    "junk.csv": (np.random.default_rng(0).bytes(50_000), "data: wanted"),
    "junk.tsv": (np.random.default_rng(1).bytes(5_000), "data: wanted"),
    "junk.mat": (b"MATLAB 5.0 MAT-file" + np.random.default_rng(2).bytes(5_000), "data: wanted"),
    "junk.nwb": (b"\x89HDF\r\n\x1a\n" + np.random.default_rng(3).bytes(5_000), "data: wanted"),
}  # fmt: skip


@pytest.mark.parametrize("name", LIES)
def test_a_file_that_lies_is_refused_in_a_line(tmp_path, name):
    content, words = LIES[name]
    (tmp_path / name).write_bytes(content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ConfigError, match=words) as caught:
        load_spikes(tmp_path / name, bin_s=BIN)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


def test_hdf5_arrays_that_would_not_fit_are_refused_before_they_are_read(tmp_path):
    with h5py.File(tmp_path / "a.mat", "w") as file:
        file.create_dataset("spikes", (2**20, 2**16), dtype="f8", chunks=(2**10, 2**4))
    with pytest.raises(ConfigError, match="at most 1 GiB in memory, got an array"):
        load_spikes(tmp_path / "a.mat", bin_s=BIN)
    nwb(tmp_path / "a.nwb")
    with h5py.File(tmp_path / "a.nwb", "a") as file:
        attributes = dict(file["units/spike_times"].attrs)
        del file["units/spike_times"]
        held = file.create_dataset("units/spike_times", (2**40,), dtype="f8", chunks=(2**12,))
        held.attrs.update(attributes)
    with pytest.raises(ConfigError, match="at most 1 GiB in memory, got a column spike_times"):
        load_spikes(tmp_path / "a.nwb", bin_s=BIN)


def test_groups_in_circles_end(tmp_path):
    with h5py.File(tmp_path / "a.mat", "w") as file:
        group = file.create_group("a")
        group["again"] = file["/"]
    with pytest.raises(ConfigError, match="at most 8 groups in each other"):
        load_spikes(tmp_path / "a.mat", bin_s=BIN)
