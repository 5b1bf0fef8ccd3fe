"""Damaged run folders: one line that names the file, or the very same numbers; nothing between.

Every damage is done to a copy of an intact folder, finished or cut short; then the folder is
resumed, read and compared, in this process.
"""

import contextlib
import functools
import io
import json
import os
import random
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from golden.runs import RUNS

from qbrain.experiments.cli import run_command
from qbrain.experiments.compare import compare_runs
from qbrain.experiments.engine.folder import RunDirectory
from qbrain.experiments.errors import RunDirectoryError, exit_code
from qbrain.experiments.resuming import resume

_scratch = tempfile.TemporaryDirectory(prefix="qbrain-damaged-", ignore_cleanup_errors=True)
CLOCKS = ("wall_seconds", "run_dir", "train_seconds", "weights")
TIMED = {"seconds", "check_seconds"}
# what a user may look at, and nothing is resumed from or compared with
SHOWN = {"figure.png", "report.html"}

BYTES = {
    "empty": lambda raw, rng: b"",
    "cut": lambda raw, rng: raw[: rng.randrange(len(raw))],
    "one byte less": lambda raw, rng: raw[:-1],
    "a bit flipped": lambda raw, rng: _flipped(raw, rng, 1),
    "many bits flipped": lambda raw, rng: _flipped(raw, rng, 20),
    "null bytes": lambda raw, rng: _zeroed(raw, rng),
    "all null bytes": lambda raw, rng: bytes(len(raw)),
    "noise": lambda raw, rng: rng.randbytes(200),
    "more behind": lambda raw, rng: raw + rng.randbytes(30),
    "twice": lambda raw, rng: raw + raw,
    "a piece missing": lambda raw, rng: _without(raw, rng),
    "another digit": lambda raw, rng: _digit(raw, rng),
}
WHOLE = {
    "deleted": lambda file: file.unlink(),
    "a folder": lambda file: (file.unlink(), file.mkdir()),
    "a pipe": lambda file: (file.unlink(), os.mkfifo(file)),
}
VALUES = {
    "a text": "x", "a number as text": "3", "not a number": "nan", "negative": -1, "huge": 1e308,
    "true": True, "a long list": [0] * 10_000, "an empty list": [], "a table": {"a": 1},
    "nothing": None,
}  # fmt: skip


def _flipped(raw, rng, number):
    found = bytearray(raw)
    for _ in range(number):
        found[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    return bytes(found)


def _zeroed(raw, rng):
    start = rng.randrange(len(raw))
    end = min(len(raw), start + 16)
    return raw[:start] + bytes(end - start) + raw[end:]


def _without(raw, rng):
    start = rng.randrange(len(raw))
    return raw[:start] + raw[start + rng.randrange(1, 40) :]


def _digit(raw, rng):
    """A digit of a text, or one of a binary file's bytes that happens to be one."""
    places = [k for k, byte in enumerate(raw) if 48 <= byte < 58] or [0]
    found = bytearray(raw)
    found[rng.choice(places)] = rng.choice(b"0123456789")
    return bytes(found)


@functools.cache
def intact(name):
    """The folder of a finished run and its result."""
    folder = Path(_scratch.name) / name
    with contextlib.redirect_stdout(io.StringIO()):
        assert run_command(["run", *RUNS[name], "--out", str(folder)]) == 0
    return folder, json.loads((folder / "result.json").read_text())


def copy_of(name, tmp_path, *, finished):
    source, _ = intact(name)
    folder = tmp_path / "copy"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder)
    if not finished:
        for left in ("result.json", "result.sha256", "result.nc", "circuits.qpy", *SHOWN):
            (folder / left).unlink(missing_ok=True)
        lines = (folder / "steps.jsonl").read_bytes().splitlines(keepends=True)
        (folder / "steps.jsonl").write_bytes(b"".join(lines[: 1 + len(lines) // 2]))
    return folder


def numbers(result):
    return {k: v for k, v in result.items() if k not in (*CLOCKS, "sources")}


def outcome(folder, name):
    """What came of a damaged folder: ``refused``, or ``same``; anything else fails the test."""
    _, result = intact(name)
    fault = fault_of(lambda: seen(folder))
    if fault is not None:
        return "refused"
    again = resume(folder, draw=False)
    assert numbers(again.result) == numbers(result)
    data = again.data
    with xr.open_dataset(intact(name)[0] / "result.nc", engine="h5netcdf") as wanted:
        for key, values in wanted.variables.items():
            if key not in TIMED:
                np.testing.assert_array_equal(values.values, data[key].values, err_msg=key)
    return "same"


def seen(folder):
    """All that a user may do with a folder."""
    run = resume(folder, draw=False)
    run.data.load()
    list(run.circuits)
    compare_runs([folder])


def fault_of(action):
    """The error that an action ends in, which must be one line of a known kind; None if none."""
    try:
        action()
    except Exception as error:
        found = error
    else:
        return None
    assert exit_code(found) in (2, 3), repr(found)
    assert "\n" not in str(found)
    return found


def damages(number, finished_share=0.5):
    """So many damages: run, whether it is finished, kind of the damage, seed."""
    rng = random.Random(20)
    names = ["lmg-replay", "qlif-noise", "hodgkin-huxley-noise", "open-system-noise"]
    kinds = [*BYTES, *WHOLE]
    return [
        (names[k % len(names)], rng.random() < finished_share, kinds[k % len(kinds)], k)
        for k in range(number)
    ]


def damage(folder, kind, seed):
    rng = random.Random(seed)
    files = sorted(
        file for file in folder.rglob("*") if file.is_file() and file.name not in {*SHOWN, ".lock"}
    )
    file = files[rng.randrange(len(files))]
    if kind in WHOLE:
        WHOLE[kind](file)
    else:
        file.write_bytes(BYTES[kind](file.read_bytes(), rng))
    return file


def check_damages(rows, tmp_path):
    found = {"refused": 0, "same": 0}
    for name, finished, kind, seed in rows:
        folder = copy_of(name, tmp_path, finished=finished)
        file = damage(folder, kind, seed)
        try:
            found[outcome(folder, name)] += 1
        except BaseException as error:
            error.add_note(f"{name}, finished {finished}: {file.name}: {kind}, seed {seed}")
            raise
    return found


def test_damage_is_refused_or_harmless(tmp_path):
    rows = [("lmg-replay", *row[1:]) for row in damages(40)]
    found = check_damages(rows, tmp_path)
    assert found["refused"] > 10


@pytest.mark.slow
def test_damage_to_what_a_training_goes_on_from(tmp_path):
    """Checkpoints, weights, noise values and the journal of a spike generator."""
    kinds = [*BYTES, *WHOLE]
    rows = [("spiqgan-aer", k % 2 == 0, kinds[k % len(kinds)], k) for k in range(45)]
    assert check_damages(rows, tmp_path)["refused"] > 10


@pytest.mark.slow
@pytest.mark.parametrize("part", range(6))
def test_every_damage_is_refused_or_harmless(part, tmp_path):
    rows = damages(360)[part::6]
    found = check_damages(rows, tmp_path)
    assert found["refused"] > len(rows) // 4


# ------------------------------------------------------- other values, under checksums of their own


FEW = 12


@pytest.mark.parametrize(
    "seed", [k if k < FEW else pytest.param(k, marks=pytest.mark.slow) for k in range(120)]
)
def test_values_of_another_kind_in_the_journal(seed, tmp_path):
    """Somebody has changed a value and the checksum with it: still no traceback."""
    rng = random.Random(seed)
    folder = copy_of(rng.choice(["lmg-replay", "qlif-noise"]), tmp_path, finished=False)
    run = RunDirectory.open(folder)
    steps = run.steps()
    put_somewhere(rng.choice(steps), rng, VALUES[rng.choice(list(VALUES))])
    (folder / "steps.jsonl").unlink()
    for step in steps:
        run.append_step(step)
    fault_of(lambda: resume(folder, draw=False))


def put_somewhere(tree, rng, value):
    """Put the value in the place of another, somewhere in nested tables and lists."""
    while True:
        key = rng.choice(list(tree) if isinstance(tree, dict) else range(len(tree)))
        if isinstance(tree[key], dict | list) and tree[key] and rng.random() < 0.8:
            tree = tree[key]
            continue
        tree[key] = value
        return


RECORDS = {
    "no table": "run = 3",
    "a list for a number": "[run]\nsystem = 'lmg'\n[config]\nneurons = []",
    "brackets in brackets": "a = " + "[" * 9000,
    "numbers for tables": "[run]\nsystem = 'lmg'\ngiven = 4\nconfig = 7",
    "names that are none": "given.fields = [3]\n[run]\nsystem = 'lmg'\n[config]",
}


@pytest.mark.parametrize("text", RECORDS.values(), ids=RECORDS)
def test_a_record_of_another_form(text, tmp_path):
    (tmp_path / "run.toml").write_text(text)
    fault = fault_of(lambda: resume(tmp_path))
    assert str(tmp_path) in str(fault)


def test_lines_of_another_run_are_refused(tmp_path):
    """Of the same form, by another seed: they would be other numbers."""
    folder = copy_of("lmg-replay", tmp_path, finished=False)
    other = tmp_path / "other"
    arguments = [*RUNS["lmg-replay"], "--seed", "4", "--out", str(other)]
    with contextlib.redirect_stdout(io.StringIO()):
        assert run_command(["run", *arguments]) == 0
    shutil.copy(other / "steps.jsonl", folder / "steps.jsonl")
    with pytest.raises(
        RunDirectoryError, match=r"steps\.jsonl: line 1 is not the record of a step"
    ):
        resume(folder)


def test_a_folder_without_checksums_is_read(tmp_path):
    """As versions before wrote them."""
    from qbrain.experiments.engine.seals import unseal, unseal_toml

    folder = copy_of("lmg-replay", tmp_path, finished=False)
    run = RunDirectory.open(folder)
    salt = run._salt
    text, _ = unseal_toml((folder / "run.toml").read_bytes())
    (folder / "run.toml").write_text(text.replace("sealed = true\n", ""))
    lines = (folder / "steps.jsonl").read_bytes().splitlines()
    plain = "".join(json.dumps(unseal(line, salt)) + "\n" for line in lines)
    assert "sha256" not in plain
    (folder / "steps.jsonl").write_text(plain)
    assert outcome(folder, "lmg-replay") == "same"


def test_a_record_that_was_edited_is_refused(tmp_path):
    folder = copy_of("lmg-replay", tmp_path, finished=False)
    text = (folder / "run.toml").read_text()
    assert "gamma = 0.8" in text
    (folder / "run.toml").write_text(text.replace("gamma = 0.8", "gamma = 0.9"))
    with pytest.raises(RunDirectoryError, match=r"run\.toml: .*checksum does not fit"):
        resume(folder)


# ----------------------------------------------------------------- links out of a stranger's folder


@pytest.mark.parametrize(
    "name", ["steps.jsonl", ".lock", ".result.nc.part.nc", "result.json", ".result.json.part.json"]
)
def test_nothing_is_written_through_a_link(name, tmp_path):
    folder = copy_of("lmg-replay", tmp_path, finished=False)
    target = tmp_path / "target"
    target.write_text("mine")
    link = folder / name
    if name == "steps.jsonl":
        target.write_bytes(link.read_bytes())
    before = target.read_bytes()
    link.unlink(missing_ok=True)
    link.symlink_to(target)
    with contextlib.suppress(RunDirectoryError):
        resume(folder, draw=False)
    assert target.read_bytes() == before


def test_jobs_are_not_kept_in_a_linked_folder(tmp_path):
    run = RunDirectory.create(tmp_path / "run", "lmg", {"config": {}})
    (tmp_path / "elsewhere").mkdir()
    (run.path / "sent").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunDirectoryError, match=r"sent: .*got a symbolic link"):
        run.keep_sent(0, [], [], [])
    assert not list((tmp_path / "elsewhere").iterdir())
