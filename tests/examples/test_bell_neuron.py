"""A system of another package, as its author would test it: exact answers first, then runs."""

import cmath
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from qiskit import QuantumCircuit
from qiskit.quantum_info import Operator, Statevector

import qbrain
from qbrain.backends.ledger import Ledger
from qbrain.experiments import systems
from qbrain.experiments.engine.experiment import Fit, Outcome, Verdict
from qbrain.experiments.engine.finish import render_outcome
from qbrain.experiments.engine.run import start
from qbrain.experiments.systems import SYSTEMS

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "spiking_bell_neuron"
S = math.sqrt(0.5)
# amplitudes of |00⟩, |01⟩, |10⟩, |11⟩, and whether a neuron alone spikes
BELL = {
    "phi+": ([S, 0, 0, S], True),
    "phi-": ([S, 0, 0, -S], False),
    "psi+": ([0, S, S, 0], True),
    "psi-": ([0, S, -S, 0], False),
}


@pytest.fixture(autouse=True)
def bell(tmp_path, monkeypatch):
    """The package, installed or not, and a folder for ledger and runs."""
    monkeypatch.setenv("QBRAIN_LEDGER", str(tmp_path / "ledger.sqlite"))
    monkeypatch.setenv("QBRAIN_IBM_LIST_LAG", "0.5")
    monkeypatch.chdir(tmp_path)
    if "bell-neuron" not in SYSTEMS:
        monkeypatch.syspath_prepend(EXAMPLE)
    package = import_module("spiking_bell_neuron")
    monkeypatch.setitem(SYSTEMS, "bell-neuron", package.SYSTEM)
    return package


def part(name):
    """A module of the package, which is found at run time only where it is not installed."""
    return import_module(f"spiking_bell_neuron.{name}")


def numbers(path):
    return xr.load_dataset(Path(path) / "result.nc", engine="h5netcdf").drop_attrs()


# what a neuron does, written out: output |0⟩ or |1⟩ slowest, inputs as above


@pytest.mark.parametrize("turns", [1, 2, 3])
@pytest.mark.parametrize("name", BELL)
def test_truth_table_of_a_neuron(name, turns):
    add_neuron, neuron = part("experiment").add_neuron, part("model").neuron

    inputs, spikes = BELL[name]
    silent = (-1) ** turns * np.array([*inputs, 0, 0, 0, 0])
    expected = -1j * np.array([0, 0, 0, 0, *inputs]) if spikes else silent
    start = np.array([*inputs, 0, 0, 0, 0], dtype=complex)
    np.testing.assert_allclose(neuron("XXo", turns) @ start, expected, atol=1e-12)

    circuit = QuantumCircuit(3)
    add_neuron(circuit, (0, 1), 2, turns)
    made = Statevector(start).evolve(circuit)
    assert abs(abs(np.vdot(made.data, expected)) - 1) < 1e-12


@pytest.mark.parametrize("turns", [1, 2])
def test_a_neuron_as_a_matrix(turns):
    """X₁X₂ = ±1 projectors by hand: coherence among Bell states and outputs is kept."""
    add_neuron, neuron = part("experiment").add_neuron, part("model").neuron

    plus = 0.5 * np.array([[1, 0, 0, 1], [0, 1, 1, 0], [0, 1, 1, 0], [1, 0, 0, 1]])
    minus = np.eye(4) - plus
    flip, stay = np.array([[0, -1j], [-1j, 0]]), (-1) ** turns * np.eye(2)
    expected = np.kron(flip, plus) + np.kron(stay, minus)
    np.testing.assert_allclose(neuron("XXo", turns), expected, atol=1e-12)
    circuit = QuantumCircuit(3)
    add_neuron(circuit, (0, 1), 2, turns)
    assert Operator(circuit).equiv(Operator(expected))


@pytest.mark.parametrize("delta", [0, 0.3, math.pi / 2, 2.5, math.pi, -1.1])
def test_two_neurons_spike_where_two_states_differ(delta):
    comparison, model = part("experiment").comparison, part("model")

    # pairs as qubits 0, 1 and 3, 4: the part of Φ⁻ in a makes the output spike, Φ⁺ does not;
    # twice flipped is (-i)² = -1, flipped once and turned once is i
    a = (1 + cmath.exp(1j * delta)) / 2, (1 - cmath.exp(1j * delta)) / 2
    expected = np.zeros(32, dtype=complex)
    for second in (0, 24):
        for first, sign in ((0, 1), (3, -1)):
            expected[second + first] += -a[0] * S * S
            expected[second + first + 4] += 1j * a[1] * sign * S * S
    np.testing.assert_allclose(model.final_state(delta, 1), expected, atol=1e-12)
    rate = float(np.abs(expected) ** 2 @ (np.arange(32) >> model.OUTPUT & 1))
    assert rate == pytest.approx(math.sin(delta / 2) ** 2, abs=1e-12)
    circuit = comparison(0.7 + delta, 0.7, 1).remove_final_measurements(inplace=False)
    assert abs(abs(np.vdot(Statevector(circuit).data, expected)) - 1) < 1e-12


@pytest.mark.parametrize("dither", [0.2, 0.8, 2.0])
def test_the_exact_loop_is_its_closed_form(bell, dither):
    exact_loop = part("model").exact_loop

    config = bell.BellNeuronConfig(phase=-1.2, drift=0.03, gain=0.7, dither=dither, start=0.4)
    theta = [0.4]
    for k in range(config.steps):
        theta.append(theta[-1] + 0.7 * math.sin(-1.2 + 0.03 * k - theta[-1]))
    found = exact_loop(config)
    np.testing.assert_allclose(found[0], theta, atol=1e-12)
    deltas = -1.2 + 0.03 * np.arange(21) - np.array(theta)
    np.testing.assert_allclose(found[1], np.sin(deltas / 2) ** 2, atol=1e-12)
    # it ends where the correction of a step is the drift
    assert deltas[-1] == pytest.approx(math.asin(0.03 / 0.7), abs=1e-6)


def test_what_is_refused(bell):
    with pytest.raises(qbrain.NotApplicable, match="phase: wanted one not opposite to start"):
        bell.BellNeuronConfig(phase=math.pi)
    with pytest.raises(qbrain.ConfigError, match="gain: wanted a number less than 2"):
        bell.BellNeuronConfig(gain=2)
    with pytest.raises(qbrain.ConfigError, match="dither: would be ignored"):
        bell.BellNeuronConfig(backend="exact", dither=0.5)


# runs


@pytest.mark.slow
def test_measured_loops_follow_the_exact_one_as_their_bands_say(bell, tmp_path):
    """Eight runs: mean coverage of 160 bands, RMSE against what the shots give."""
    runs = [
        start(bell.SYSTEM, bell.BellNeuronConfig(seed=seed), tmp_path / f"{seed}", draw=False)
        for seed in range(8)
    ]
    fits = [run.result["fit"] for run in runs]
    # at the null each correction has variance g²/(2n), and the loop keeps (1-g)² of the last:
    # g²/(2n)/(1 - (1-g)²) = 0.25/8000/0.75, over all steps a little more
    shots = math.sqrt(0.25 / 8000 / 0.75)
    assert all(shots < fit["shot_error"] < 1.1 * shots for fit in fits)
    # errors of one run are correlated over some two steps: at least 50 independent ones
    rmse = math.sqrt(np.mean([fit["rmse"] ** 2 for fit in fits]))
    assert abs(rmse / fits[0]["shot_error"] - 1) < 4 / math.sqrt(2 * 50)
    coverage = np.mean([fit["coverage"] for fit in fits])
    assert abs(coverage - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 50)
    for run in runs:
        assert run.result["pairs_intact"] == 1
        assert (run.result["two_qubit_gates"], run.result["validated"]) == (8, 63)
        assert run.result["last_rate"] < 0.003
        assert run.result["verdict"]["style"] == "good"


@pytest.mark.slow
def test_noise_lowers_the_contrast_but_does_not_move_the_null():
    run = qbrain.run("bell-neuron", backend="fake_boston", drift=0.0, steps=20, seed=2, out="run")
    data = run.data
    # of 8 two-qubit gates and 5 readings some are wrong: pairs break, and silent neurons spike
    assert 0.95 < run.result["pairs_intact"] < 0.995
    assert 0.002 < float(data.rate[-5:].mean()) < 0.02
    # late values average out at φ: five of them, correlated over some two steps
    late = float((data.theta - data.phi)[-5:].mean())
    assert abs(late) < 4 * float(data.theta_stderr[-1])
    assert run.result["two_qubit_gates"] == 8


def test_the_folder_of_a_run(tmp_path):
    qbrain.run("bell-neuron", backend="aer", steps=3, shots=500, seed=3, out=tmp_path / "run")
    names = {path.name for path in (tmp_path / "run").iterdir()}
    files = {"run.toml", "steps.jsonl", "result.nc", "result.json", "circuits.qpy", "figure.png"}
    assert files | {"report.html"} <= names
    page = (tmp_path / "run/report.html").read_text("utf-8")
    assert "12 circuits on 5 qubits, of at most 8" in " ".join(page.split())
    assert "Against the exact result" in page
    assert "<svg" in page


def test_a_page_of_the_package_s_own(tmp_path, monkeypatch):
    package = tmp_path / "stranger_with_a_page"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "page.html.jinja").write_text(
        '{% extends "report/base.html.jinja" %}{% block content %}<p>{{ words }}</p>{% endblock %}'
    )
    monkeypatch.syspath_prepend(tmp_path)
    run = qbrain.run("bell-neuron", backend="exact", steps=2, out="run")

    def page(template):
        def picture():
            from matplotlib.figure import Figure

            return Figure()

        outcome = Outcome(
            "A title", run.data, Fit("θ", 0.0), {}, Verdict("good", "All well."), picture,
            template=template, values=lambda: {"words": "of my own"},
        )  # fmt: skip
        return render_outcome(outcome, run.result, {}, [], [])

    text = page("stranger_with_a_page:page.html.jinja")
    assert "<p>of my own</p>" in text
    assert "All well." in text
    for wrong in ("stranger_with_a_page:other.jinja", "no_such_package:page", "nowhere.jinja"):
        with pytest.raises(qbrain.ConfigError, match="template: wanted a path in"):
            page(wrong)


def published(folder, value="spiking_bell_neuron:SYSTEM"):
    """Metadata of an installed distribution with the entry point, and where it lies."""
    info = folder / "spiking_bell_neuron-0.1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: spiking-bell-neuron\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[qbrain.systems]\nbell-neuron = {value}\n")
    return folder


def environment(folder):
    path = os.pathsep.join([str(published(folder)), str(EXAMPLE)])
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}


def test_its_entry_point_is_what_pyproject_says(tmp_path, monkeypatch, bell):
    text = (EXAMPLE / "pyproject.toml").read_text("utf-8")
    assert 'entry-points."qbrain.systems"]\nbell-neuron = "spiking_bell_neuron:SYSTEM"' in text
    monkeypatch.syspath_prepend(EXAMPLE)
    monkeypatch.syspath_prepend(published(tmp_path / "site"))
    assert systems._published()["bell-neuron"] is bell.SYSTEM


@pytest.mark.parametrize("value", ["nowhere_at_all:SYSTEM", "math:pi", "math:nothing"])
def test_a_package_that_does_not_load_is_left_out(tmp_path, monkeypatch, value):
    monkeypatch.syspath_prepend(published(tmp_path / "site", value))
    with pytest.warns(UserWarning, match=rf"bell-neuron is left out, for {value} does not load"):
        found = systems._published()
    assert "bell-neuron" not in found


COMMANDS = """
import sys
from qbrain.experiments.cli import run_command

short = "bell-neuron --steps 4 --shots 500"
for line in (
    f"estimate {short} --backend fake_boston",
    f"run {short} --seed 1 --out one",
    f"run {short} --seed 1 --phase 1 --out other",
    "resume one",
    "compare one other",
):
    assert run_command([*line.split(), "--json"]) == 0, line
"""


def test_the_command_line(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS], env=environment(tmp_path / "site"),
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    costs, one, other, again, table = (json.loads(line) for line in done.stdout.splitlines())
    assert (costs["jobs"], costs["circuits"], costs["two_qubit_gates"]) == (5, 15, 8)
    assert again == one
    first, second = table["runs"]
    assert (first["rmse"], second["rmse"]) == (one["fit"]["rmse"], other["fit"]["rmse"])
    assert (first["same_as_first"], second["same_as_first"]) == (True, False)


# on IBM's interface, by the genuine client against the loopback server

STEPS = 3
SETTINGS = {"backend": "ibm_fez", "steps": STEPS, "shots": 500, "seed": 4}


def test_what_was_sent_is_fetched_and_not_sent_again(start_ibm, tmp_path):
    server = start_ibm()
    run = qbrain.run("bell-neuron", **SETTINGS, out="run")
    assert server.submissions() == STEPS + 1
    assert run.result["two_qubit_gates"] == 8
    assert 0.9 < run.result["pairs_intact"] < 1
    whole = numbers("run")
    for name in ("result.json", "result.nc"):
        (tmp_path / "run" / name).unlink()
    # the journal ends in the middle of its last line
    journal = tmp_path / "run/steps.jsonl"
    journal.write_bytes(journal.read_bytes()[:-40])
    qbrain.resume("run")
    assert server.submissions() == STEPS + 1
    xr.testing.assert_identical(numbers("run"), whole)


@pytest.mark.slow
def test_kill_9_and_resume(start_ibm, tmp_path):
    server = start_ibm()
    qbrain.run("bell-neuron", **SETTINGS, out="undisturbed")
    before = server.submissions()
    server.hold()
    code = f"import qbrain; qbrain.run('bell-neuron', out='killed', **{SETTINGS!r})"
    variables = {**environment(tmp_path / "site"), **server.environment()}
    process = subprocess.Popen([sys.executable, "-c", code], env=variables)
    try:
        until = time.monotonic() + 120
        while server.submissions() == before and time.monotonic() < until:
            assert process.poll() is None
            time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    # killed while its first job waits
    assert server.submissions() == before + 1
    assert not Path("killed/steps.jsonl").exists()
    server.release()
    qbrain.resume("killed")
    assert server.submissions() == before + STEPS + 1
    xr.testing.assert_identical(numbers("killed"), numbers("undisturbed"))
    assert {job.state for job in Ledger().jobs()} == {"done"}


# the page


def test_the_page_shows_the_package_as_it_is():
    page = (ROOT / "docs/add-a-system.md").read_text("utf-8")
    (pyproject,) = re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert pyproject.strip() in (EXAMPLE / "pyproject.toml").read_text("utf-8")
    names = set(re.findall(r"`(\w+\.py)`", page))
    files = {path.name for path in EXAMPLE.rglob("*.py") if "build" not in path.parts}
    assert names <= files
    lines = [p.read_text("utf-8").count("\n") for p in EXAMPLE.rglob("*.py")]
    assert sum(lines) <= 300


def test_the_commands_of_the_page(bell):
    page = (ROOT / "docs/add-a-system.md").read_text("utf-8")
    (block,) = re.findall(r"^```console\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    found = [line.split()[2:] for line in block.splitlines() if line.startswith("$ qbrain")]
    assert {words[0] for words in found} == {"run", "estimate", "resume", "compare"}
    for words in found:
        if words[0] in ("run", "estimate"):
            assert words[1] == "bell-neuron"
            options = dict(zip(words[2::2], words[3::2], strict=True))
            options.pop("--out", None)
            bell.BellNeuronConfig(**{k.removeprefix("--"): v for k, v in options.items()})
