"""Runs on IBM Quantum's interface whose token is revoked: they end well, without a resume."""

import contextlib
import json
from pathlib import Path

import pytest
import xarray as xr
from command_line import qbrain

from qbrain.backends.ledger import Ledger

pytestmark = pytest.mark.usefixtures("own_ledger")

RUN = ["run", "lmg", "--backend", "ibm_fez", "--neurons", "6", "--gamma", "0.8", "--seed", "1"]
RUN += ["--encoding", "dicke", "--time", "3", "--steps", "5", "--shots", "1000"]
STEPS = 6


@contextlib.contextmanager
def after_every_step(action):
    from qbrain.experiments.engine.folder import RunDirectory

    original = RunDirectory.append_step

    def append(self, record):
        original(self, record)
        action()

    RunDirectory.append_step = append
    try:
        yield
    finally:
        RunDirectory.append_step = original


@pytest.mark.parametrize("mode", ["auto", pytest.param("job", marks=pytest.mark.slow)])
def test_revoked_tokens_do_not_end_a_run(start_ibm, mode):
    options = [*RUN, "--execution-mode", mode, "--json"]
    start_ibm()
    code, _, err = qbrain(*options, "--out", "undisturbed")
    assert code == 0, err
    Path("ledger.sqlite").unlink()
    server = start_ibm()
    with after_every_step(server.revoke_tokens):
        code, out, err = qbrain(*options, "--out", "run")
    assert code == 0, err
    assert json.loads(out)["circuits"] == STEPS
    first, second = (
        xr.load_dataset(f"{path}/result.nc", engine="h5netcdf").drop_attrs()
        for path in ("undisturbed", "run")
    )
    xr.testing.assert_identical(first, second)
    assert server.submissions() == STEPS
    assert len(server.sessions) == (mode == "auto")
    assert [job.step for job in Ledger().jobs()] == list(range(STEPS))
