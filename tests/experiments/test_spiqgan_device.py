"""A spike generator on backends: the check, order of bits, noise, resuming."""

import json

import jax
import numpy as np
import pytest
from rewriting import rewrite_journal

from qbrain.backends.check.pure import DispatchRefused
from qbrain.backends.errors import BackendError
from qbrain.circuits.spiqgan import SpikeGeneratorError
from qbrain.experiments.engine.check import check_task
from qbrain.experiments.engine.dispatch import Dispatcher
from qbrain.experiments.engine.finish import circuit_facts
from qbrain.experiments.engine.folder import RunDirectory
from qbrain.experiments.engine.run import estimate, make_experiment, record_of, start
from qbrain.experiments.errors import ConfigError, NotApplicable, RunDirectoryError
from qbrain.experiments.spikes.fitting import save_weights
from qbrain.experiments.spiqgan.backend import backend_result
from qbrain.experiments.spiqgan.circuits import Bound
from qbrain.experiments.spiqgan.config import SpiQGANConfig
from qbrain.experiments.systems import SYSTEMS
from qbrain.reference.spiqgan.generator import expectations, initial_weights

SPIQGAN = SYSTEMS["spiqgan"]
SMALL = {"neurons": 3, "bins": 2, "layers": 2, "noise_points": 4, "shots": 300, "samples": 500}


def configure(**settings):
    return SpiQGANConfig.from_mapping({"seed": 5, "controls": "none", **SMALL, **settings})


def weights_of(config, seed=0):
    """Weights of circuits that are far from |0…0⟩."""
    generator = np.random.default_rng(seed)
    found = initial_weights(config.model, 0.2, seed)
    for name in ("noise", "rotation", "phase"):
        found[name] = generator.normal(0, 0.8, found[name].shape).astype(np.float32)
    return found


class Measurement:
    """A run's circuits measured in a folder, as ``start`` and ``resume`` do it."""

    def __init__(self, folder, config, record=None):
        self.config, self.folder = config, folder
        self.experiment, self.bench, self.sampler = make_experiment(SPIQGAN, config, record)

    def run(self):
        self.experiment.prepare(self.folder)
        dispatcher = Dispatcher(self.experiment, self.bench, self.sampler, self.folder)
        found = dispatcher.run()
        self.orders = found.orders
        self.facts = circuit_facts(dispatcher.readings, self.bench)
        self.checks = [r.heading.check for job in dispatcher.readings for r in job]
        return backend_result(self.config, self.experiment.bound, found)


def new_run(path, config):
    experiment, bench, _ = make_experiment(SPIQGAN, config)
    return RunDirectory.create(path, "spiqgan", record_of(experiment, bench))


def with_weights(path, weights=None, **settings):
    """The configuration of a run in ``path`` whose weights are in a file beside it."""
    config = configure(**settings)
    file = path.with_suffix(".npz")
    save_weights(file, config.generator, weights_of(config) if weights is None else weights)
    return configure(**settings, weights=str(file))


def measured(path, weights=None, **settings):
    config = with_weights(path, weights, **settings)
    run = Measurement(new_run(path, config), config)
    return run.run(), run


def same(a, b):
    assert a.summary == b.summary
    assert a.fit == b.fit
    for key in a.spikes:
        np.testing.assert_array_equal(a.spikes[key][0], b.spikes[key][0])
        np.testing.assert_array_equal(a.spikes[key][1], b.spikes[key][1])
        np.testing.assert_array_equal(a.expectations[key], b.expectations[key])


# ---- circuits on backends

KINDS = {
    "bin": {},
    "bin words": {"emission": "words"},
    "shared": {"weights_per": "shared"},
    "recurrent": {"weights_per": "recurrent", "neurons": 2, "layers": 2},
    "recurrent words": {"weights_per": "recurrent", "neurons": 2, "layers": 2, "emission": "words"},
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
    result, run = ideal[kind]
    exact, raw = result.expectations["exact"], result.expectations["raw"]
    config = run.config
    assert raw.shape == exact.shape == (4, 2, config.neurons)
    # 5 standard errors of 4000 shots, and what few shots make of ⟨Z⟩ at its very ends
    limit = 5 * np.sqrt(np.clip(1 - exact**2, 0, 1) / 4000) + 25 / 4000
    assert (np.abs(raw - exact) <= limit).all()
    assert exact.std() > 0.05
    summary, facts = result.summary, run.facts
    assert facts["validated"] == facts["circuits"] == (4 if kind.startswith("recurrent") else 8)
    assert facts["qubits"] == config.generator.qubits
    assert summary["mitigation"] == "none"
    assert summary["rmse_expectation"] == summary["rmse_expectation_raw"] == result.fit.rmse
    assert result.fit.max_error == np.abs(raw - exact).max()
    assert set(result.spikes) == {"raw", "exact"}
    json.dumps(summary, allow_nan=False)


def test_exact_expectations_of_a_window_are_the_differentiable_ones(ideal):
    result, run = ideal["recurrent"]
    with jax.enable_x64(True):
        noise = jax.numpy.asarray(np.load(run.folder.path / "noise.npy"))
        weights = {k: jax.numpy.asarray(v, float) for k, v in weights_of(run.config).items()}
        wanted = np.asarray(expectations(run.config.model, weights, noise))
    np.testing.assert_allclose(result.expectations["exact"], wanted, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_windows_are_drawn_at_the_noise_values_they_name(ideal, kind):
    result, run = ideal[kind]
    config, model = run.config, run.config.model
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
    result, _ = ideal["recurrent words"]
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
    other, _ = measured(tmp_path / "run", backend="statevector", shots=4000)
    mine = ideal["bin"][0]
    np.testing.assert_array_equal(other.expectations["exact"], mine.expectations["exact"])
    gap = np.abs(other.expectations["raw"] - mine.expectations["raw"])
    spread = np.sqrt(2 * np.clip(1 - other.expectations["exact"] ** 2, 0, 1) / 4000)
    assert (gap <= 5 * spread + 25 / 4000).all()


@pytest.mark.parametrize(
    "kind", ["bin", "bin words", pytest.param("recurrent", marks=pytest.mark.slow)]
)
def test_readout_errors_are_taken_out_on_a_device_snapshot(tmp_path, kind):
    shots, points = 20_000, 3
    settings = {**KINDS[kind], "backend": "fake_fez", "shots": shots, "noise_points": points}
    settings |= {"entangling": False, "layers": 1}
    # nearly always |1⟩, which is read wrong more often than |0⟩
    weights = weights_of(configure(**settings))
    weights["rotation"][:] = np.pi
    weights["noise"] *= 0.3
    result, run = measured(tmp_path / "run", weights, **settings)
    assert result.best == "mitigated"
    assert set(result.spikes) == {"mitigated", "raw", "exact"}
    circuits = (1 if kind == "recurrent" else 2) * points + 2
    assert run.facts["circuits"] == run.facts["validated"] == circuits
    neurons = run.config.neurons
    table = run.bench.readout[list(run.orders[0, 0])].reshape(-1, neurons, 2)
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
    settings = {"emission": "words", "neurons": 4, "backend": "fake_fez", "noise_points": 1}
    weights = only_neuron(configure(**settings), 2)
    result, run = measured(tmp_path / "run", weights, **settings)
    # a ring on a line: neurons have moved
    assert set(run.orders.values()) != {(0, 1, 2, 3)}
    np.testing.assert_allclose(result.expectations["exact"][0, 0], [1, 1, -1, 1], atol=1e-6)
    for windows, _ in result.spikes.values():
        rates = windows.mean(axis=(0, 1))
        assert rates[2] > 0.85
        assert (np.delete(rates, 2) < 0.15).all()


# ---- the check


def bound_of(run):
    noise = np.load(run.folder.path / "noise.npy")
    template = run.experiment.template
    return Bound(template, run.config.model, weights_of(run.config), noise)


def check(run, task):
    return check_task(task, task.isa, run.bench.target, name=task.name, step=0, method="auto")


@pytest.mark.parametrize("kind", ["bin", "recurrent"])
def test_the_check_refuses_angles_of_other_weights(ideal, kind):
    _, run = ideal[kind]
    bound = bound_of(run)
    check(run, bound.tasks([(1, 0)])[0])
    bound.angles[1, 0, 0] += 1e-3
    with pytest.raises(DispatchRefused, match="point 1, step 0: check 'logical'"):
        check(run, bound.tasks([(1, 0)])[0])


@pytest.mark.parametrize(
    ("kind", "gate", "refused"), [("bin", "cx", "transpiled"), ("recurrent", "reset", "resets")]
)
def test_the_check_refuses_what_compiling_has_left_out(ideal, kind, gate, refused):
    _, run = ideal[kind]
    bound, template = bound_of(run), run.experiment.template
    kept = template.isa
    broken = kept.copy()
    broken.data = [step for step in broken.data if step.name != gate]
    try:
        template.isa = broken
        with pytest.raises(DispatchRefused, match=f"check '{refused}'"):
            check(run, bound.tasks([(0, 0)])[0])
    finally:
        template.isa = kept


# ---- resuming


@pytest.mark.parametrize("kind", ["bin words", "recurrent words"])
def test_a_run_cut_off_anywhere_comes_to_the_same_numbers(tmp_path, kind):
    settings = {**KINDS[kind], "backend": "aer", "shots": 40, "noise_points": 12}
    whole, run = measured(tmp_path / "whole", **settings)
    journal = (run.folder.path / "steps.jsonl").read_bytes()
    assert journal.count(b"\n") == 2 == run.experiment.jobs
    for number, left in enumerate((len(journal) - 7, 0)):
        folder = new_run(tmp_path / f"cut{number}", run.config)
        (folder.path / "steps.jsonl").write_bytes(journal[:left])
        record = folder.record()
        config = SpiQGANConfig.from_record(record["config"], record["given"]["fields"])
        again = Measurement(folder, config, record["device"])
        same(again.run(), whole)
        assert again.checks == run.checks
        assert (folder.path / "steps.jsonl").read_bytes() == journal


def test_readings_are_corrected_by_the_qubits_they_were_read_from(tmp_path):
    """A circuit that a later process compiled may read a neuron from another qubit."""
    settings = {"neurons": 2, "backend": "fake_fez", "shots": 100}
    _, run = measured(tmp_path / "run", **settings)
    lines = [json.loads(x) for x in (run.folder.path / "steps.jsonl").read_text().splitlines()]
    readout = run.bench.readout
    for reading in lines[1]["readings"]:
        reading["order"] = reading["order"][::-1]
    swapped = RunDirectory.create(tmp_path / "swapped", "spiqgan", run.folder.record())
    rewrite_journal(swapped.path, lines)
    again = Measurement(swapped, run.config)
    found = again.run()
    assert np.abs(readout[0] - readout[1]).max() > 1e-4
    (calibration,) = found.summary["readout_calibration"]
    # bits 0 and 1 of the later bin are said to be qubits 1 and 0
    false, lost = (np.array(calibration[key])[::-1] for key in ("p_1_given_0", "p_0_given_1"))
    raw = (1 - found.expectations["raw"][:, 1]) / 2
    wanted = 1 - 2 * np.clip((raw - false) / (1 - false - lost), 0, 1)
    np.testing.assert_allclose(found.expectations["mitigated"][:, 1], wanted, atol=1e-12)


def test_a_journal_of_another_run_is_refused(tmp_path, ideal):
    _, run = ideal["bin"]
    journal = [json.loads(x) for x in (run.folder.path / "steps.jsonl").read_text().splitlines()]
    folder = new_run(tmp_path / "run", run.config)

    def refused(steps, words, config=run.config):
        rewrite_journal(folder.path, steps)
        with pytest.raises(RunDirectoryError, match=words) as caught:
            Measurement(folder, config).run()
        assert "\n" not in str(caught.value)

    line = journal[0]
    readings = line["readings"]
    foreign = "step 0 is not a record of this run"
    for wrong in (
        readings[1:],
        [readings[1], readings[0], *readings[2:]],
        [{**each, "counts": 3} for each in readings],
        [{**each, "check": None} for each in readings],
        [{**each, "tags": {}} for each in readings],
        None,
    ):
        refused([{**line, "readings": wrong}], foreign)
    refused([*journal, {**line, "step": 2}], "wanted at most 2 jobs, got 3")
    other = new_run(tmp_path / "other", run.config)
    rewrite_journal(other.path, journal)
    weights = with_weights(
        tmp_path / "others", weights_of(run.config, 1), backend="aer", shots=4000
    )
    with pytest.raises(RunDirectoryError, match=f"{foreign}: .*angles"):
        Measurement(other, weights).run()
    for content in (b"", b"junk", (run.folder.path / "noise.npy").read_bytes()[:-100]):
        (folder.path / "noise.npy").write_bytes(content)
        with pytest.raises(RunDirectoryError, match=r"noise\.npy: not intact"):
            Measurement(folder, run.config).run()


def test_a_run_goes_on_with_the_weights_it_began_with(tmp_path):
    config = with_weights(tmp_path / "run", backend="aer")
    folder = new_run(tmp_path / "run", config)
    whole = Measurement(folder, config)
    first = whole.run()
    # overwritten by a later training, or gone: the run has its own copy
    file = tmp_path / "run.npz"
    save_weights(file, config.generator, weights_of(config, 1))
    same(Measurement(folder, config).run(), first)
    file.unlink()
    (folder.path / "steps.jsonl").unlink()
    record = folder.record()
    again = SpiQGANConfig.from_record(record["config"], record["given"]["fields"])
    same(Measurement(folder, again).run(), first)
    (folder.path / "weights.npz").unlink()
    with pytest.raises(ConfigError, match="weights: wanted a file that exists"):
        Measurement(folder, again).run()


# ---- bad input


def test_what_cannot_run_is_refused_before_anything_is_written(tmp_path):
    for settings, error, words in (
        (
            {"backend": "fake_nothing"},
            BackendError,
            "backend: wanted a known name",
        ),
        (
            {"backend": "aer", "mitigation": "readout"},
            NotApplicable,
            "mitigation: backend aer has no noise",
        ),
    ):
        with pytest.raises(error, match=words):
            start(SPIQGAN, configure(**settings), tmp_path / "run")
    with pytest.raises(NotApplicable, match=r"validation: .*got matrix-product-state"):
        configure(backend="aer", validation="matrix-product-state")
    config = configure(backend="aer")
    weights = weights_of(config)
    weights["noise"] = weights["noise"][:1]
    file = tmp_path / "weights.npz"
    save_weights(file, config.generator, weights)
    with pytest.raises(ConfigError, match=r"weights\['noise'\]: wanted shape"):
        start(SPIQGAN, configure(backend="aer", weights=str(file)), tmp_path / "run")
    run = make_experiment(SPIQGAN, config)[0]
    with pytest.raises(SpikeGeneratorError, match=r"weights\['noise'\]: wanted shape"):
        Bound(run.template, config.model, weights, np.zeros((4, 2, 3)))
    assert not (tmp_path / "run").exists()


def test_time_on_a_device_is_estimated_and_guarded(tmp_path):
    config = configure(backend="fake_fez")
    told = estimate(SPIQGAN, config)
    with pytest.raises(NotApplicable, match="exact runs no circuit"):
        estimate(SPIQGAN, SpiQGANConfig.from_mapping({}))
    # a job a bin on a simulator, with two circuits for the readout
    assert (told["circuits"], told["jobs"]) == (4 * 2 + 2, 2)
    assert told["two_qubit_gates"] > 0
    assert 0.5 < told["expected_fidelity"] < 1
    assert told["expected_fidelity_lowest"] <= told["expected_fidelity"]
    # 250 µs between shots, far more than the circuits take; 2 s a job
    least = 2 * 2 + 10 * 300 * 250e-6
    assert least < told["qpu_seconds"] < least + 10 * 300 * 20e-6
    # costs depend on the form of the circuits, so that trained weights cost as much
    weights = with_weights(tmp_path / "run", backend="fake_fez")
    # trained already, it needs other time and memory here
    here = {"seconds": None, "memory_bytes": None}
    assert estimate(SPIQGAN, weights) | here == told | here
