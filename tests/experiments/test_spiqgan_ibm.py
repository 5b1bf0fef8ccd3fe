"""A spike generator's circuits on IBM Quantum's interface: one job, sent once."""

import io
import json
from contextlib import redirect_stderr, redirect_stdout

import numpy as np
import pytest

from qbrain.backends.check.pure import DispatchRefused
from qbrain.backends.errors import DeviceFault
from qbrain.backends.ledger import Ledger
from qbrain.experiments.cli import run_command
from qbrain.experiments.engine.folder import RunDirectory
from qbrain.experiments.errors import RunDirectoryError
from qbrain.experiments.spikes.fitting import save_weights
from qbrain.experiments.spiqgan import circuits as spiqgan_circuits
from qbrain.experiments.spiqgan.config import SpiQGANConfig
from qbrain.experiments.spiqgan.device import DeviceRun
from qbrain.reference.spiqgan.generator import initial_weights

FORMS = {
    "sigmoid": {},
    "words": {"weights_per": "shared", "readout": "words", "twirling": "readout"},
    "recurrent words": {"weights_per": "recurrent", "readout": "words"},
}


@pytest.fixture(autouse=True)
def own_ledger(tmp_path, monkeypatch):
    monkeypatch.setenv("QBRAIN_LEDGER", str(tmp_path / "ledger.sqlite"))


def configure(**settings):
    return SpiQGANConfig.from_mapping(
        {
            **{"backend": "ibm_fez", "seed": 3, "neurons": 2, "bins": 2, "layers": 1},
            **{"noise_points": 3, "shots": 1000, "samples": 200},
            **settings,
        }
    )


def weights_of(config):
    generator = np.random.default_rng(0)
    found = initial_weights(config.model, 0.2, 0)
    for name in ("noise", "rotation", "phase"):
        found[name] = generator.normal(0, 0.8, found[name].shape).astype(np.float32)
    return found


def new_run(path, device, config):
    record = {"config": config.model_dump(exclude_none=True), "device": device.device}
    return RunDirectory.create(path, "spiqgan", record)


def go_on(run):
    """As a new process would, from what is on disk."""
    record = run.record()
    config = SpiQGANConfig.from_record(record["config"])
    device = DeviceRun(config, record["device"])
    try:
        return device.measure(weights_of(config), run)
    finally:
        device.close()


@pytest.mark.parametrize("form", FORMS)
def test_all_circuits_come_back_from_one_job(start_ibm, tmp_path, form):
    server = start_ibm()
    config = configure(**FORMS[form])
    device = DeviceRun(config)
    run = new_run(tmp_path / "run", device, config)
    result = device.measure(weights_of(config), run)
    device.close()
    assert server.submissions() == 1
    (job,) = Ledger().jobs()
    assert (job.state, job.backend, job.run) == ("done", "ibm_fez", run.record()["run"]["id"])
    recurrent = form == "recurrent words"
    summary = result.summary
    assert summary["circuits"] == summary["validated"] == (3 if recurrent else 3 * 2 + 2)
    assert result.best == ("raw" if recurrent else "mitigated")
    assert summary["physical_qubits"] == run.record()["device"]["physical_qubits"]
    # 5 standard errors of ⟨Z⟩ at most, and the device's own errors, which are a few percent
    gap = np.abs(result.expectations[result.best] - result.expectations["exact"])
    assert gap.max() <= 5 / np.sqrt(1000) + 0.05
    # all lost but the noise: the ledger knows the job, whose counts are the same
    (run.path / "steps.jsonl").unlink()
    again = go_on(run)
    assert server.submissions() == 1
    for key, (windows, points) in result.spikes.items():
        np.testing.assert_array_equal(again.spikes[key][0], windows)
        np.testing.assert_array_equal(again.spikes[key][1], points)
    assert again.summary == summary
    for file in run.path.iterdir():
        assert server.token.encode() not in file.read_bytes(), file


def test_another_compiler_tomorrow_sends_no_other_job(start_ibm, tmp_path, monkeypatch):
    server = start_ibm()
    config = configure()
    device = DeviceRun(config)
    run = new_run(tmp_path / "run", device, config)
    device.measure(weights_of(config), run)
    device.close()
    (run.path / "steps.jsonl").unlink()

    def dearest(circuits, target):
        found = circuits[0].copy_empty_like()
        found.sx(0)
        found.rz(0.0, 0)
        return found.compose(circuits[0])

    monkeypatch.setattr(spiqgan_circuits, "cheaper", dearest)
    go_on(run)
    assert server.submissions() == 1
    for content in (b"", b"junk", (run.path / "template.qpy").read_bytes()[:50]):
        (run.path / "template.qpy").write_bytes(content)
        with pytest.raises(RunDirectoryError, match=r"template\.qpy: not a compiled circuit"):
            go_on(run)


def test_a_job_that_fails_is_sent_again_when_the_run_goes_on(start_ibm, tmp_path):
    server = start_ibm()
    config = configure()
    device = DeviceRun(config)
    run = new_run(tmp_path / "run", device, config)
    server.fail_jobs(1)
    with pytest.raises(DeviceFault, match="ibm_fez: job"):
        device.measure(weights_of(config), run)
    device.close()
    assert run.steps() == []
    result = go_on(run)
    assert server.submissions() == 2
    assert result.summary["validated"] == 8
    go_on(run)
    assert server.submissions() == 2


def test_a_run_that_would_take_too_long_sends_nothing(start_ibm):
    server = start_ibm()
    device = DeviceRun(configure(max_qpu_seconds=1))
    with pytest.raises(DispatchRefused, match="qpu seconds"):
        device.guard_qpu_seconds(1)
    # 2 s for the job, 250 µs and a little more for each shot of 8 circuits
    assert 4 < device.qpu_seconds < 4.2
    assert server.submissions() == 0


def qbrain(*arguments):
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run_command([str(x) for x in arguments])
    return code, out.getvalue(), err.getvalue()


def test_from_the_command_line_to_the_report(start_ibm, tmp_path, monkeypatch):
    server = start_ibm()
    monkeypatch.chdir(tmp_path)
    config = configure()
    save_weights(tmp_path / "weights.npz", config.generator, weights_of(config))
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
    for file in (tmp_path / "run").iterdir():
        assert server.token.encode() not in file.read_bytes(), file
