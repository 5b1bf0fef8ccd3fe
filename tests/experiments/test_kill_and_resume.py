"""Runs of every system are killed (-9) at random points and resumed as on another processor.

``OPENBLAS_CORETYPE`` makes OpenBLAS take the kernels of another processor, whose sums round in
another order. What was sent or measured before may not change by that, and no job may be sent
twice.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

SMALL = {
    "lmg orbit": "lmg --neurons 6 --gamma 0.8 --encoding dicke --evolution orbit --time 4 "
    "--steps 4",
    "lmg replay": "lmg --neurons 6 --gamma 0.8 --encoding dicke --time 3 --steps 3",
    "lmg fast-forward": "lmg --neurons 4 --gamma 0.8 --evolution fast-forward --time 2 --steps 3",
    "hodgkin-huxley": "hodgkin-huxley --time 4 --steps 4",
    "open-system": "open-system --neurons 2 --time 2 --steps 3",
    "qlif": "qlif --ticks 40 --pairs 10",
    "spiqgan": "spiqgan --bins 2 --neurons 3 --training-steps 4 --batch 16 --generator-batch 16 "
    "--noise-points 4 --samples 500",
}
SHOTS = {"qlif": ""}


def command(form, backend):
    shots = SHOTS.get(form, " --shots 200")
    return f"run {SMALL[form]} --backend {backend} --seed 1{shots}".split()


def start(*arguments, **more):
    environment = {**os.environ, "QBRAIN_IBM_LIST_LAG": "0.3", **more}
    return subprocess.Popen(
        [sys.executable, "-m", "qbrain", *arguments],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def finished(*arguments, **more):
    process = start(*arguments, **more)
    _, err = process.communicate(timeout=600)
    assert process.returncode == 0, err


def same(one, two):
    """What was counted is the same; what was computed may differ by how sums round."""
    first, second = (
        xr.load_dataset(Path(path) / "result.nc", engine="h5netcdf") for path in (one, two)
    )
    assert set(first.variables) == set(second.variables)
    for name in first.variables:
        a, b = first[name], second[name]
        if a.attrs.get("reproducible") == "no":
            continue
        if a.dtype.kind == "f":
            np.testing.assert_allclose(b.values, a.values, rtol=1e-7, atol=1e-9, err_msg=name)
        else:
            assert np.array_equal(a.values, b.values), name


@pytest.fixture(autouse=True)
def own_place(tmp_path, monkeypatch):
    monkeypatch.setenv("QBRAIN_LEDGER", str(tmp_path / "ledger.sqlite"))
    monkeypatch.chdir(tmp_path)


def on_disk(path):
    """What was sent and what came, so far."""
    folder = Path(path)
    sent = {f.name: f.read_bytes() for f in folder.glob("sent/[0-9][0-9][0-9][0-9].*p*")}
    journal = folder / "steps.jsonl"
    return sent, journal.read_bytes() if journal.exists() else b""


def killed_and_resumed(chance, form, backend, path, longest):
    """A run that is killed once at a random point; returns whether it was."""
    process = start(*command(form, backend), "--out", path)
    deadline = time.monotonic() + chance.uniform(0.5, longest)
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    killed = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate()
    if (Path(path) / "run.toml").exists():
        before, journal = on_disk(path)
        finished("resume", path, OPENBLAS_CORETYPE="Nehalem")
        after, whole = on_disk(path)
        assert {name: after[name] for name in before} == before
        assert whole.startswith(journal[: journal.rfind(b"\n") + 1])
    else:
        # nothing was begun: nothing can have been sent
        finished(*command(form, backend), "--out", path, OPENBLAS_CORETYPE="Nehalem")
    return killed


def sent(server):
    return len([r for r in server.requests("POST", r"/jobs$") if r.status == 200])


@pytest.mark.slow
@pytest.mark.parametrize("form", SMALL)
@pytest.mark.parametrize("backend", ["aer", "ibm_fez"])
def test_killed_at_random_points_and_resumed_elsewhere(start_ibm, form, backend):
    server = start_ibm()
    began = time.monotonic()
    finished(*command(form, backend), "--out", "whole")
    longest, jobs = time.monotonic() - began, sent(server)
    chance, kills = random.Random(f"{form} {backend}"), 0
    for number in range(3):
        before = sent(server)
        kills += killed_and_resumed(chance, form, backend, f"run{number}", longest)
        assert sent(server) - before == jobs
        if backend == "aer":
            same("whole", f"run{number}")
        # the stand-in of a device draws by the last bits of the circuits that it is sent, which
        # another processor may make differently where they had not been made before the kill
    assert kills >= 1
