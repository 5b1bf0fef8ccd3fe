"""Disks that refuse, file systems without locks, systems without POSIX: one line, nothing lost."""

import errno
import gc
import os
import resource
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from qbrain.experiments.engine import held_writes, pieces
from qbrain.experiments.engine.folder import RunDirectory
from qbrain.experiments.errors import RunDirectoryError
from qbrain.experiments.spiqgan import dataset
from qbrain.experiments.sweep.journal import PointOutcome, append_outcomes, read_outcomes

QBRAIN = [sys.executable, "-m", "qbrain"]
EXACT = ["run", "lmg", "--neurons", "3", "--time", "1", "--steps", "1", "--backend", "exact"]


def new(path):
    return RunDirectory.create(path, "lmg", {"config": {"neurons": 3}, "device": {}})


@contextmanager
def files_of_at_most(size):
    """No file may grow beyond so many bytes: what a full disk or a quota does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_file_that_does_not_fit_leaves_the_old_one_and_no_part(tmp_path):
    run = new(tmp_path)
    run.write("a.bin", b"old")
    with (
        files_of_at_most(1000),
        pytest.raises(RunDirectoryError, match=r"a\.bin: cannot be written: File too large"),
    ):
        run.write("a.bin", bytes(5000))
    assert (tmp_path / "a.bin").read_bytes() == b"old"
    assert not list(tmp_path.glob(".a.bin*"))


def test_half_a_line_that_did_not_fit_is_taken_back(tmp_path):
    run = new(tmp_path)
    run.append_step({"step": 0})
    before = (tmp_path / "steps.jsonl").read_bytes()
    with (
        files_of_at_most(len(before) + 20),
        pytest.raises(RunDirectoryError, match=r"steps\.jsonl: cannot be written"),
    ):
        run.append_step({"step": 1})
    assert (tmp_path / "steps.jsonl").read_bytes() == before
    run.append_step({"step": 1})
    assert [step["step"] for step in run.steps()] == [0, 1]


def test_the_journal_of_a_sweep_likewise(tmp_path):
    file = tmp_path / "points.jsonl"
    append_outcomes(file, [PointOutcome("a", "done")])
    before = file.read_bytes()
    with files_of_at_most(len(before) + 9), pytest.raises(RunDirectoryError, match="points"):
        append_outcomes(file, [PointOutcome("b", "done")])
    assert file.read_bytes() == before
    file.write_bytes(before.replace(b"done", b"gone"))
    with pytest.raises(RunDirectoryError, match="line 1 is not the record of a point"):
        read_outcomes(file)


class Part:
    """Noise, of which little is gained by packing."""

    values = np.random.default_rng(0).integers(0, 256, (400, 1000), dtype=np.uint8)
    shape = values.shape

    def ticks(self, start, stop):
        return self.values[start:stop]


@pytest.fixture
def written_in_pieces(monkeypatch):
    """A dataset, and its variable that is written in pieces of 16 rows."""
    monkeypatch.setattr(pieces, "_CHUNK", 2**13)
    monkeypatch.setattr(pieces, "PIECE", 2**14)
    large = pieces.Pieces([Part()], stacked=False)
    data = xr.Dataset({"a": ("t", np.arange(5.0)), "b": pieces.piecewise(("x", "y"), large)})
    return data, {"b": large}


# while the file is begun, in its middle, at the last piece, and when it is closed
@pytest.mark.parametrize("size", [5_000, 12_000, 200_000, 395_000, 401_500])
def test_a_dataset_that_does_not_fit_leaves_the_old_one(tmp_path, written_in_pieces, size, capfd):
    run = new(tmp_path)
    run.write("result.nc", b"old")
    data, large = written_in_pieces
    with (
        files_of_at_most(size),
        pytest.raises(RunDirectoryError, match=r"result\.nc: cannot be written: File too large"),
    ):
        run.write_dataset("result.nc", data, large=large)
    gc.collect()
    assert (tmp_path / "result.nc").read_bytes() == b"old"
    assert not list(tmp_path.glob(".result.nc*"))
    # the library has nothing left that it could not write
    assert capfd.readouterr() == ("", "")
    run.write_dataset("result.nc", data, large=large)
    with xr.open_dataset(tmp_path / "result.nc", engine="h5netcdf") as found:
        assert np.array_equal(found.b.values, Part.values)


@pytest.mark.parametrize("call", range(0, 60, 6))
def test_a_full_disk_at_any_write_of_a_dataset(tmp_path, written_in_pieces, call, monkeypatch):
    run = new(tmp_path)
    data, large = written_in_pieces
    calls = iter(range(10**6))
    whole = held_writes.HeldWrites.__init__

    class Full:
        """A file on a disk that is full from one write on."""

        def __init__(self, file):
            self.file = file

        def write(self, data):
            if next(calls) >= call:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return self.file.write(data)

        def __getattr__(self, name):
            return getattr(self.file, name)

    def opened(self, path):
        whole(self, path)
        self._file = Full(self._file)

    monkeypatch.setattr(held_writes.HeldWrites, "__init__", opened)
    with pytest.raises(RunDirectoryError, match="cannot be written: No space left on device"):
        run.write_dataset("result.nc", data, large=large)
    assert not list(tmp_path.glob("*result.nc*"))


def test_what_is_held_is_read_again(tmp_path):
    file = tmp_path / "a"
    file.write_bytes(b"0123456789")
    with held_writes.HeldWrites(file) as held:
        with files_of_at_most(12):
            held.seek(8)
            assert held.write(b"abcdefgh") == 8
        held.seek(2)
        held.write(b"XY")  # nothing goes to the disk any more
        assert held.seek(0, os.SEEK_END) == 16
        held.seek(0)
        assert held.read(20) == b"01XY4567abcdefgh"
        with pytest.raises(OSError, match="File too large"):
            held.check()
    assert file.read_bytes() == b"01234567abcd"


def test_a_folder_that_was_deleted_meanwhile(tmp_path):
    run = new(tmp_path / "run")
    shutil.rmtree(run.path)
    with pytest.raises(RunDirectoryError, match=r"steps\.jsonl: .*No such file"):
        run.append_step({"step": 0})
    with pytest.raises(RunDirectoryError, match=r"result\.sha256: .*No such file"):
        run.write_result({})


@pytest.mark.parametrize("name", ["x" * 300, "y/" * 3000])
def test_a_name_that_is_too_long(name, tmp_path):
    with pytest.raises(RunDirectoryError, match=r"out: cannot write to .*: File name too long"):
        new(tmp_path / name)


@pytest.mark.parametrize("name", ["run.toml", "steps.jsonl", "result.json", ".lock"])
def test_a_folder_or_a_device_in_the_place_of_a_file(name, tmp_path):
    run = new(tmp_path)
    run.write_result({"a": 1})
    (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / name).mkdir()
    with pytest.raises(RunDirectoryError, match=name):
        read_all(tmp_path)


def read_all(path):
    run = RunDirectory.open(path)
    with run.locked():
        run.steps()
        run.result()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_that_cannot_lock(number, tmp_path, monkeypatch):
    import fcntl

    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(RunDirectoryError, match="its file system cannot lock files"):
        new(tmp_path / "run")


def test_a_lock_goes_with_its_process(tmp_path):
    run = new(tmp_path)
    code = (
        "import os, sys\nfrom pathlib import Path\n"
        "from qbrain.experiments.engine.locks import hold\n"
        "with hold(Path(sys.argv[1])):\n    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"held\n"
    with pytest.raises(RunDirectoryError, match="another process"), run.locked():
        pass
    process.kill()
    process.communicate()
    with run.locked():
        pass


def may_mount():
    command = ["unshare", "-m", "true"]
    return shutil.which("unshare") and subprocess.run(command, capture_output=True).returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(not may_mount(), reason="a disk without leave to write has to be mounted")
def test_a_disk_that_cannot_be_written(tmp_path):
    """A finished run is read, also one that nobody has locked before; nothing else goes."""
    done = subprocess.run([*QBRAIN, *EXACT, "--out", "d/run", "--json"], cwd=tmp_path, **TEXT)
    assert done.returncode == 0, done.stderr
    (tmp_path / "d/run/.lock").unlink()
    for arguments, code, words in (
        (["resume", "d/run", "--json"], 0, ""),
        (["compare", "d/run"], 0, ""),
        ([*EXACT, "--out", "d/other"], 2, "d/other: Read-only file system"),
    ):
        call = ["unshare", "-m", "sh", "-c", 'mount -o bind,ro d d && cd . && exec "$@"', "sh"]
        mounted = subprocess.run([*call, *QBRAIN, *arguments], cwd=tmp_path, **TEXT)
        assert mounted.returncode == code, mounted.stderr
        assert words in mounted.stderr
        assert mounted.stderr.count("\n") == (1 if code else 0)
        if "resume" in arguments:
            assert mounted.stdout == done.stdout
    (tmp_path / "d/run/result.json").unlink()
    mounted = subprocess.run([*call, *QBRAIN, "resume", "d/run"], cwd=tmp_path, **TEXT)
    assert mounted.returncode == 2
    assert "Read-only file system" in mounted.stderr


TEXT = {"capture_output": True, "text": True}

# a system without what only POSIX has
BARE = """
import os, signal, sys
class Gone:
    def find_spec(self, name, path=None, target=None):
        if name in ("fcntl", "pwd", "grp", "termios", "resource"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Gone())
for name in ("fcntl",):
    sys.modules.pop(name, None)
for name in ("fork", "O_NOFOLLOW", "O_NONBLOCK"):
    delattr(os, name)
for name in ("SIGHUP", "pthread_sigmask"):
    delattr(signal, name)
"""
ALONE = """
from pathlib import Path
from qbrain.experiments.engine import stopping
from qbrain.experiments.engine.folder import RunDirectory
stopping.open_missing_streams()
stopping.watch_signals()
run = RunDirectory.create(Path("run"), "lmg", {"config": {}})
with run.locked():
    run.append_step({"step": 0})
assert [step["step"] for step in RunDirectory.open(Path("run")).steps()] == [0]
print(stopping.how_to_go_on())
"""


def test_a_system_without_posix(tmp_path):
    done = subprocess.run([sys.executable, "-c", BARE + ALONE], cwd=tmp_path, **TEXT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "go on with: qbrain resume run\n", "")


@pytest.mark.slow
def test_commands_on_a_system_without_posix(tmp_path):
    code = f"{BARE}from qbrain.experiments.cli import run_command\n"
    code += "sys.exit(run_command(sys.argv[1:]))"
    for arguments in (["--help"], [*EXACT, "--out", "run"], ["resume", "run"]):
        done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=tmp_path, **TEXT)
        assert (done.returncode, done.stderr) == (0, "")


def test_what_a_clock_measured_says_so():
    assert dataset.OF_A_CLOCK == {"units": "s", "reproducible": "no"}


@pytest.mark.slow
def test_too_few_open_files_are_one_line(tmp_path):
    for number in (8, 12, 20):
        call = ["sh", "-c", f'ulimit -n {number}; exec "$@"', "sh", *QBRAIN, *EXACT]
        done = subprocess.run([*call, "--out", str(number)], cwd=tmp_path, **TEXT)
        if done.returncode:
            assert done.returncode == 2
            assert done.stderr.count("\n") == 1
            assert "Too many open files" in done.stderr
            if (Path(tmp_path) / str(number) / "run.toml").exists():
                again = subprocess.run([*QBRAIN, "resume", str(number)], cwd=tmp_path, **TEXT)
                assert again.returncode == 0
