"""A spike generator's circuits on IBM Quantum's interface: one job, sent once."""

import json

import numpy as np
import pytest
import xarray as xr
from command_line import qbrain

from qbrain.backends.check.pure import DispatchRefused
from qbrain.backends.ledger import Ledger
from qbrain.experiments.engine.folder import RunDirectory
from qbrain.experiments.engine.run import estimate, start
from qbrain.experiments.errors import DeviceError, RunDirectoryError
from qbrain.experiments.resuming import resume
from qbrain.experiments.spikes.fitting import save_weights
from qbrain.experiments.spiqgan import circuits as spiqgan_circuits
from qbrain.experiments.spiqgan.config import SpiQGANConfig
from qbrain.experiments.systems import SYSTEMS
from qbrain.reference.spiqgan.generator import initial_weights

pytestmark = pytest.mark.usefixtures("own_ledger")

SPIQGAN = SYSTEMS["spiqgan"]
FORMS = {
    "sigmoid": {},
    "words": {"weights_per": "shared", "emission": "words", "twirling": "readout"},
    "recurrent words": {"weights_per": "recurrent", "emission": "words"},
}


def configure(folder, **settings):
    """Of a run whose weights are in a file in ``folder``."""
    given = {
        **{"backend": "ibm_fez", "seed": 3, "neurons": 2, "bins": 2, "layers": 1},
        **{"noise_points": 3, "shots": 1000, "samples": 200, "controls": "none"},
        **settings,
    }
    config = SpiQGANConfig.from_mapping(given)
    save_weights(folder / "weights.npz", config.generator, weights_of(config))
    return SpiQGANConfig.from_mapping({**given, "weights": str(folder / "weights.npz")})


def weights_of(config):
    generator = np.random.default_rng(0)
    found = initial_weights(config.model, 0.2, 0)
    for name in ("noise", "rotation", "phase"):
        found[name] = generator.normal(0, 0.8, found[name].shape).astype(np.float32)
    return found


def restart(folder, *lost):
    """As a new process would go on, from what is on disk; ``lost`` is not."""
    for name in ("result.json", *lost):
        (folder / name).unlink(missing_ok=True)
    return resume(folder, draw=False).result


def plain(result):
    return {k: v for k, v in result.items() if k != "wall_seconds"}


@pytest.mark.parametrize("form", FORMS)
def test_all_circuits_come_back_from_one_job(start_ibm, tmp_path, form):
    server = start_ibm()
    out = tmp_path / "run"
    result = start(SPIQGAN, configure(tmp_path, **FORMS[form]), out, draw=False).result
    assert server.submissions() == 1
    (job,) = Ledger().jobs()
    record = RunDirectory.open(out).record()
    assert (job.state, job.backend, job.run) == ("done", "ibm_fez", record["run"]["id"])
    recurrent = form == "recurrent words"
    assert result["circuits"] == result["validated"] == (3 if recurrent else 3 * 2 + 2)
    assert result["mitigation"] == ("none" if recurrent else "readout")
    assert result["physical_qubits"] == record["device"]["physical_qubits"]
    # 5 standard errors of ⟨Z⟩ at most, and the device's own errors, which are a few percent
    assert result["fit"]["max_error"] <= 5 / np.sqrt(1000) + 0.05
    first = xr.load_dataset(out / "result.nc", engine="h5netcdf")
    # all lost but the noise and what was sent: the ledger knows the job, whose counts are the same
    again = restart(out, "steps.jsonl", "result.nc")
    assert server.submissions() == 1
    assert plain(again) == plain(result)
    xr.testing.assert_identical(xr.load_dataset(out / "result.nc", engine="h5netcdf"), first)
    for file in [path for path in out.rglob("*") if path.is_file()]:
        assert server.token.encode() not in file.read_bytes(), file


def test_another_compiler_tomorrow_sends_no_other_job(start_ibm, tmp_path, monkeypatch):
    server = start_ibm()
    out = tmp_path / "run"
    result = start(SPIQGAN, configure(tmp_path), out, draw=False).result

    def dearest(circuits, target):
        found = circuits[0].copy_empty_like()
        found.sx(0)
        found.rz(0.0, 0)
        return found.compose(circuits[0])

    monkeypatch.setattr(spiqgan_circuits, "cheaper", dearest)
    again = restart(out, "steps.jsonl")
    assert server.submissions() == 1
    # what is known of the circuits is that of those that were sent, too
    assert plain(again) == plain(result)
    for content in (b"", b"junk", (out / "sent" / "0000.qpy").read_bytes()[:50]):
        (out / "sent" / "0000.qpy").write_bytes(content)
        with pytest.raises(RunDirectoryError, match=r"0000\.qpy: not intact circuits"):
            restart(out, "steps.jsonl")
    assert server.submissions() == 1


def test_a_job_that_fails_is_sent_again_when_the_run_is_resumed(start_ibm, tmp_path):
    server = start_ibm()
    out = tmp_path / "run"
    server.fail_jobs(1)
    with pytest.raises(DeviceError, match=r"ibm_fez: job .*go on with: qbrain resume"):
        start(SPIQGAN, configure(tmp_path), out, draw=False)
    assert RunDirectory.open(out).steps() == []
    assert restart(out)["validated"] == 8
    assert server.submissions() == 2
    restart(out)
    assert server.submissions() == 2


def test_a_run_that_would_take_too_long_sends_nothing(start_ibm, tmp_path):
    server = start_ibm()
    config = configure(tmp_path, max_qpu_seconds=1)
    with pytest.raises(DispatchRefused, match="qpu seconds"):
        start(SPIQGAN, config, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    told = estimate(SPIQGAN, config)
    assert (told["jobs"], told["circuits"]) == (1, 8)
    # 2 s for the job, 250 µs and a little more for each shot of 8 circuits
    assert 4 < told["qpu_seconds"] < 4.2
    assert server.submissions() == 0


def test_from_the_command_line_to_the_report(start_ibm, tmp_path, monkeypatch):
    server = start_ibm()
    monkeypatch.chdir(tmp_path)
    configure(tmp_path)
    run = ["run", "spiqgan", "--weights", "weights.npz", "--seed", 3, "--neurons", 2]
    run += ["--bins", 2, "--layers", 1, "--noise-points", 3, "--shots", 500, "--samples", 200]
    run += ["--backend", "ibm_fez", "--out", "run", "--json"]
    code, _, err = qbrain(*run, "--max-qpu-seconds", 1)
    assert code == 3
    assert "qpu seconds" in err
    assert not (tmp_path / "run").exists()
    assert server.submissions() == 0
    server.fail_jobs(1)
    code, _, err = qbrain(*run, "--max-qpu-seconds", 10)
    assert code == 4
    assert "go on with: qbrain resume run" in err
    code, out, err = qbrain("resume", "run", "--json")
    assert code == 0, err
    result = json.loads(out)
    assert result["validated"] == result["circuits"] == 3 * 2 + 2
    assert result["backend"] == "ibm_fez"
    # the failed one, and the one that was sent in its stead
    assert server.submissions() == 2
    assert [job.state for job in Ledger().jobs()] == ["done"]
    assert "ibm_fez" in (tmp_path / "run" / "report.html").read_text()
    for file in [path for path in (tmp_path / "run").rglob("*") if path.is_file()]:
        assert server.token.encode() not in file.read_bytes(), file
