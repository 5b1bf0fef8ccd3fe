"""A spike generator on backends: the gate, order of bits, noise, going on."""

import json

import jax
import numpy as np
import pytest

from qbrain.backends.check.pure import DispatchRefused
from qbrain.backends.errors import BackendError
from qbrain.circuits.spiqgan import SpikeGeneratorError
from qbrain.experiments.engine.folder import RunDirectory
from qbrain.experiments.errors import NotApplicable, RunDirectoryError
from qbrain.experiments.spiqgan.circuits import Bound
from qbrain.experiments.spiqgan.config import SpiQGANConfig
from qbrain.experiments.spiqgan.device import DeviceRun, estimate_spiqgan
from qbrain.reference.spiqgan.generator import expectations, initial_weights

SMALL = {"neurons": 3, "bins": 2, "layers": 2, "noise_points": 4, "shots": 300, "samples": 500}


def configure(**settings):
    return SpiQGANConfig.from_mapping({"seed": 5, **SMALL, **settings})


def weights_of(config, seed=0):
    """Weights of circuits that are far from |0…0⟩."""
    generator = np.random.default_rng(seed)
    found = initial_weights(config.model, 0.2, seed)
    for name in ("noise", "rotation", "phase"):
        found[name] = generator.normal(0, 0.8, found[name].shape).astype(np.float32)
    return found


def new_run(path, device, config):
    record = {"config": config.model_dump(exclude_none=True), "device": device.device}
    return RunDirectory.create(path, "spiqgan", record)


def measured(path, weights=None, **settings):
    config = configure(**settings)
    device = DeviceRun(config)
    run = new_run(path, device, config)
    return device.measure(weights_of(config) if weights is None else weights, run), device, run


def same(a, b):
    assert a.summary == b.summary
    assert a.validation == b.validation
    for key in a.spikes:
        np.testing.assert_array_equal(a.spikes[key][0], b.spikes[key][0])
        np.testing.assert_array_equal(a.spikes[key][1], b.spikes[key][1])
        np.testing.assert_array_equal(a.expectations[key], b.expectations[key])


# ---- circuits on backends

KINDS = {
    "bin": {},
    "bin words": {"readout": "words"},
    "shared": {"weights_per": "shared"},
    "recurrent": {"weights_per": "recurrent", "neurons": 2, "layers": 2},
    "recurrent words": {"weights_per": "recurrent", "neurons": 2, "layers": 2, "readout": "words"},
}


@pytest.fixture(scope="module")
def ideal(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ideal")
    return {
        name: measured(folder / name.replace(" ", "-"), **kind, backend="aer", shots=4000)
        for name, kind in KINDS.items()
    }


@pytest.mark.parametrize("kind", KINDS)
def test_without_noise_all_is_as_the_exact_answer(ideal, kind):
    result, device, _ = ideal[kind]
    exact, raw = result.expectations["exact"], result.expectations["raw"]
    config = device.config
    assert raw.shape == exact.shape == (4, 2, config.neurons)
    # 5 standard errors of 4000 shots, and what few shots make of ⟨Z⟩ at its very ends
    limit = 5 * np.sqrt(np.clip(1 - exact**2, 0, 1) / 4000) + 25 / 4000
    assert (np.abs(raw - exact) <= limit).all()
    assert exact.std() > 0.05
    summary = result.summary
    assert summary["validated"] == summary["circuits"] == len(result.validation) == device.circuits
    assert summary["circuits"] == (4 if kind.startswith("recurrent") else 8)
    assert summary["qubits"] == config.generator.qubits
    assert summary["mitigation"] == "none"
    assert summary["rmse_expectation"] == summary["rmse_expectation_raw"]
    assert set(result.spikes) == {"raw", "exact"}
    json.dumps(summary, allow_nan=False)


def test_exact_expectations_of_a_window_are_the_differentiable_ones(ideal):
    result, device, run = ideal["recurrent"]
    with jax.enable_x64(True):
        noise = jax.numpy.asarray(np.load(run.path / "noise.npy"))
        weights = {k: jax.numpy.asarray(v, float) for k, v in weights_of(device.config).items()}
        wanted = np.asarray(expectations(device.config.model, weights, noise))
    np.testing.assert_allclose(result.expectations["exact"], wanted, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_windows_are_drawn_at_the_noise_values_they_name(ideal, kind):
    result, device, _ = ideal[kind]
    config, model = device.config, device.config.model
    for key, (windows, points) in result.spikes.items():
        histories = kind == "recurrent words"
        assert windows.shape == (4 * 4000 if histories else 500, 2, model.neurons)
        assert windows.dtype == np.uint8
        spiking = (1 - result.expectations[key]) / 2
        if model.readout == "sigmoid":
            weights = weights_of(config)
            tilted = weights["gain"] * result.expectations[key] + weights["offset"]
            spiking = 1 / (1 + np.exp(-tilted))
        for p in range(4):
            mine = windows[points == p]
            spread = np.sqrt(spiking[p] * (1 - spiking[p]) / len(mine))
            assert (np.abs(mine.mean(axis=0) - spiking[p]) <= 5 * spread + 1e-9).all(), key


def test_words_of_a_recurrent_generator_go_with_what_was_read_before(ideal):
    result, _, _ = ideal["recurrent words"]
    # joint frequencies of whole windows, measured and exact, noise value by noise value
    tables = {}
    for key, (windows, points) in result.spikes.items():
        index = windows.reshape(len(windows), -1) @ (1 << np.arange(4))
        tables[key] = np.array([np.bincount(index[points == p], minlength=16) for p in range(4)])
    a, b = tables["raw"], tables["exact"]
    pooled = np.maximum((a + b) / 8000, 1e-4)
    spread = np.sqrt(2 * pooled * (1 - pooled) / 4000)
    assert (np.abs(a - b) / 4000 <= 5 * spread).all()
    # and the bins do depend on each other
    joint = a.sum(axis=0).reshape(4, 4) / a.sum()
    product = np.outer(joint.sum(axis=1), joint.sum(axis=0))
    assert np.abs(joint - product).max() > 0.01


def test_the_same_generator_on_the_second_ideal_simulator(tmp_path, ideal):
    other, _, _ = measured(tmp_path / "run", backend="statevector", shots=4000)
    mine = ideal["bin"][0]
    np.testing.assert_array_equal(other.expectations["exact"], mine.expectations["exact"])
    gap = np.abs(other.expectations["raw"] - mine.expectations["raw"])
    spread = np.sqrt(2 * np.clip(1 - other.expectations["exact"] ** 2, 0, 1) / 4000)
    assert (gap <= 5 * spread + 25 / 4000).all()


@pytest.mark.parametrize("kind", ["bin", "bin words", "recurrent"])
def test_readout_errors_are_taken_out_on_a_device_snapshot(tmp_path, kind):
    shots, points = 20_000, 3
    settings = {**KINDS[kind], "backend": "fake_fez", "shots": shots, "noise_points": points}
    settings |= {"entangling": False, "layers": 1}
    # nearly always |1⟩, which is read wrong more often than |0⟩
    weights = weights_of(configure(**settings))
    weights["rotation"][:] = np.pi
    weights["noise"] *= 0.3
    result, device, _ = measured(tmp_path / "run", weights, **settings)
    assert result.best == "mitigated"
    assert set(result.spikes) == {"mitigated", "raw", "exact"}
    circuits = (1 if kind == "recurrent" else 2) * points + 2
    assert result.summary["circuits"] == result.summary["validated"] == circuits
    neurons = device.config.neurons
    table = device.sampler.readout[device.template.order].reshape(-1, neurons, 2)
    false, lost = np.moveaxis(table.mean(axis=0), 1, 0)
    exact = (1 - result.expectations["exact"]) / 2
    # 5 standard errors of the shots of all circuits, and 0.001 for the gates, the X that prepares
    # |1⟩ among them
    spread = np.sqrt(np.mean(exact * (1 - exact) + 0.01, axis=(0, 1)) / (2 * points * shots))
    mean = {key: ((1 - z) / 2).mean(axis=(0, 1)) for key, z in result.expectations.items()}
    as_read = false + (1 - false - lost) * mean["exact"]
    assert (np.abs(mean["raw"] - as_read) <= 5 * spread + 1e-3).all()
    # those of the calibration's shots are larger
    calibrated = 5 * np.sqrt(0.013 / shots) + 5 * spread + 1e-3
    assert (np.abs(mean["mitigated"] - mean["exact"]) <= calibrated).all()
    assert (np.abs(mean["raw"] - mean["exact"]) > calibrated).all()
    assert result.summary["rmse_expectation"] < 0.5 * result.summary["rmse_expectation_raw"]
    sources = result.sources(9, 5)
    assert [source.name for source in sources] == ["fake_fez", "fake_fez raw", "same noise, exact"]
    assert {source.parameters for source in sources} == {9}
    np.testing.assert_array_equal(sources[0].windows, result.spikes["mitigated"][0])
    np.testing.assert_array_equal(sources[0].groups, result.spikes["mitigated"][1])


def only_neuron(config, neuron):
    """Weights under which the last ring of CNOTs leaves this neuron's qubit alone in |1⟩."""
    n = config.neuron_count
    word = 1 << neuron
    for q in reversed(range(n)):
        word ^= (word >> q & 1) << (q + 1) % n
    weights = {name: np.zeros_like(w) for name, w in weights_of(config).items()}
    weights["rotation"][:, -1] = [np.pi * (word >> q & 1) for q in range(n)]
    return weights


def test_only_the_neuron_that_spikes_spikes(tmp_path):
    settings = {"readout": "words", "neurons": 4, "backend": "fake_fez", "noise_points": 1}
    weights = only_neuron(configure(**settings), 2)
    result, device, _ = measured(tmp_path / "run", weights, **settings)
    # a ring on a line: neurons have moved
    assert device.template.order != [0, 1, 2, 3]
    np.testing.assert_allclose(result.expectations["exact"][0, 0], [1, 1, -1, 1], atol=1e-6)
    for windows, _ in result.spikes.values():
        rates = windows.mean(axis=(0, 1))
        assert rates[2] > 0.85
        assert (np.delete(rates, 2) < 0.15).all()


# ---- the gate


@pytest.mark.parametrize("kind", ["bin", "recurrent"])
def test_the_gate_refuses_angles_of_other_weights(ideal, kind):
    _, device, run = ideal[kind]
    noise = np.load(run.path / "noise.npy")
    bound = Bound(device.template, device.config.model, weights_of(device.config), noise)
    bound.circuits([(1, 0)], 0)
    bound.angles[1, 0, 0] += 1e-3
    with pytest.raises(DispatchRefused, match="point 1, step 0: check 'logical'"):
        bound.circuits([(1, 0)], 0)


def test_the_gate_refuses_what_compiling_has_changed(ideal):
    _, device, run = ideal["bin"]
    noise = np.load(run.path / "noise.npy")
    bound = Bound(device.template, device.config.model, weights_of(device.config), noise)
    kept = device.template.isa
    broken = kept.copy()
    broken.data = [step for step in broken.data if step.name != "cx"]
    try:
        device.template.take(broken)
        with pytest.raises(DispatchRefused, match="check 'transpiled'"):
            bound.circuits([(0, 0)], 0)
    finally:
        device.template.take(kept)


def test_the_gate_refuses_a_missing_reset(ideal):
    _, device, run = ideal["recurrent"]
    noise = np.load(run.path / "noise.npy")
    bound = Bound(device.template, device.config.model, weights_of(device.config), noise)
    kept = device.template.isa
    broken = kept.copy()
    broken.data = [step for step in broken.data if step.name != "reset"]
    try:
        device.template.take(broken)
        with pytest.raises(DispatchRefused, match="check 'resets'"):
            bound.circuits([(0, 0)], 0)
    finally:
        device.template.take(kept)


# ---- going on


@pytest.mark.parametrize("kind", ["bin words", "recurrent words"])
def test_a_run_cut_off_anywhere_comes_to_the_same_numbers(tmp_path, kind):
    settings = {**KINDS[kind], "backend": "aer", "shots": 40, "noise_points": 12}
    whole, device, run = measured(tmp_path / "whole", **settings)
    config = device.config
    journal = (run.path / "steps.jsonl").read_bytes()
    assert journal.count(b"\n") == 2 == len(device.groups)
    for number, left in enumerate((len(journal) - 7, 0)):
        cut = new_run(tmp_path / f"cut{number}", device, config)
        (cut.path / "steps.jsonl").write_bytes(journal[:left])
        again = DeviceRun(SpiQGANConfig.from_record(config.model_dump()), device.device)
        same(again.measure(weights_of(config), cut), whole)
        assert (cut.path / "steps.jsonl").read_bytes() == journal


def test_a_journal_of_another_run_is_refused(tmp_path, ideal):
    _, device, _ = ideal["bin"]
    config = device.config
    journal = (ideal["bin"][2].path / "steps.jsonl").read_text()
    run = new_run(tmp_path / "run", device, config)
    file = run.path / "steps.jsonl"
    file.write_text(journal)
    with pytest.raises(RunDirectoryError, match=r"step 0 is not a record of this run: .*angles"):
        device.measure(weights_of(config, 1), run)
    line = json.loads(journal.splitlines()[0])
    for wrong in ({"counts": line["counts"][1:]}, {"counts": [3] * 4}, {"validation": None}):
        file.write_text(json.dumps({**line, **wrong}) + "\n")
        with pytest.raises(RunDirectoryError, match="step 0 is not a record of this run"):
            device.measure(weights_of(config), run)
    file.write_text(journal + json.dumps({**line, "step": 2}) + "\n")
    with pytest.raises(RunDirectoryError, match="wanted at most 2 steps, got 3"):
        device.measure(weights_of(config), run)
    for content in (b"", b"junk", (run.path / "noise.npy").read_bytes()[:-100]):
        (run.path / "noise.npy").write_bytes(content)
        with pytest.raises(RunDirectoryError, match=r"noise\.npy: not the noise of this run"):
            device.measure(weights_of(config), run)


# ---- bad input


def test_what_cannot_run_is_refused_before_anything_is_written(tmp_path, ideal):
    with pytest.raises(NotApplicable, match="mitigation: backend aer has no noise"):
        DeviceRun(configure(backend="aer", mitigation="readout"))
    with pytest.raises(NotApplicable, match=r"validation: .*got matrix-product-state"):
        DeviceRun(configure(backend="aer", validation="matrix-product-state"))
    with pytest.raises(BackendError, match="backend: wanted a known name"):
        DeviceRun(configure(backend="fake_nothing"))
    _, device, _ = ideal["bin"]
    weights = weights_of(device.config)
    weights["noise"] = weights["noise"][:1]
    run = new_run(tmp_path / "run", device, device.config)
    with pytest.raises(SpikeGeneratorError, match=r"weights\['noise'\]: wanted shape"):
        device.measure(weights, run)
    assert not (run.path / "steps.jsonl").exists()


def test_time_on_a_device_is_estimated_and_guarded(ideal):
    device = DeviceRun(configure(backend="fake_fez"))
    told = estimate_spiqgan(configure(backend="fake_fez"))
    assert {k: told[k] for k in device.estimate()} == device.estimate()
    with pytest.raises(NotApplicable, match="exact runs no circuit"):
        estimate_spiqgan(SpiQGANConfig.from_mapping({}))
    assert told["circuits"] == 4 * 2 + 2
    assert told["two_qubit_gates"] > 0
    assert 0.5 < told["expected_fidelity"] < 1
    # 250 µs between shots, far more than the circuits take; 2 s for the job
    least = 2 + 10 * 300 * 250e-6
    assert least < told["qpu_seconds"] < least + 10 * 300 * 20e-6
    device.guard_qpu_seconds(told["qpu_seconds"])
    with pytest.raises(DispatchRefused, match="check 'qpu seconds'"):
        device.guard_qpu_seconds(told["qpu_seconds"] * 0.99)
    with pytest.raises(DispatchRefused, match="qpu seconds"):
        ideal["bin"][1].guard_qpu_seconds(1e9)
