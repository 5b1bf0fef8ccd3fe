"""Every system in every form on every current device: it runs, or one line says what is lacking."""

import itertools
import json
import random
from pathlib import Path

import numpy as np
import pytest
import qiskit_ibm_runtime
from command_line import qbrain

from qbrain.experiments.engine import finish, run
from qbrain.experiments.spikes.fitting import save_weights
from qbrain.experiments.spiqgan.config import SpiQGANConfig
from qbrain.reference.spiqgan.generator import initial_weights

DEVICES = (
    "kingston", "fez", "marrakesh", "aachen", "boston", "pittsburgh", "miami", "berlin",
)  # fmt: skip
BACKENDS = Path(qiskit_ibm_runtime.__file__).parent / "fake_provider" / "backends"

COMMON = ["--steps", "2", "--shots", "100", "--seed", "3"]
LMG = ["lmg", "--neurons", "4", "--time", "2", *COMMON]
NEURON = ["hodgkin-huxley", *COMMON]
BATH = ["open-system", "--time", "0.5", *COMMON]
PAIRS = ["qlif", "--pairs", "2", "--ticks", "20", "--shots", "100", "--seed", "3"]
SPIKES = [
    "spiqgan", "--neurons", "2", "--bins", "2", "--layers", "1", "--trials", "40", "--samples",
    "100", "--noise-points", "2", "--shots", "50", "--seed", "3", "--controls", "none",
]  # fmt: skip
LIVE = ["qlif", "--pairs", "1", "--ticks", "3", "--circuits", "live", "--seed", "3"]
RESET, RZZ = frozenset({"reset"}), frozenset({"rzz"})
NOTHING = frozenset()


def forms():
    """Label → arguments, and the instructions that the circuits cannot do without."""
    found = {}

    def add(words, given, needs=NOTHING):
        found[words] = [*given], needs

    every = "readout+echo+zne"
    for mitigation in ("none", "parity", "readout", "echo", "zero", "zne", f"parity+{every}"):
        given = ["--gamma", "0.8", "--mitigation", mitigation]
        add(f"lmg qubit {mitigation}", [*LMG, *given])
    for mitigation in ("none", "readout", "echo", "zne", every):
        given = ["--gamma", "0.8", "--encoding", "dicke", "--mitigation", mitigation]
        add(f"lmg dicke {mitigation}", [*LMG, *given])
    for evolution, encoding in itertools.product(
        ("fast-forward", "orbit", "relax"), ("qubit", "dicke")
    ):
        given = ["--gamma", "0.8", "--evolution", evolution, "--encoding", encoding]
        add(f"lmg {encoding} {evolution}", [*LMG, *given])
    add("lmg placements", [*LMG, "--gamma", "0.8", "--placements", "2"])
    for mitigation in ("none", f"parity+{every}"):
        given = ["--evolution", "fast-forward", "--fractional-gates", "true"]
        add(f"lmg fractional {mitigation}", [*LMG, *given, "--mitigation", mitigation], RZZ)

    for mitigation in ("none", "readout", "reference", "zne", "readout+zne", "reference+zne"):
        add(
            f"hodgkin-huxley gates {mitigation}",
            [*NEURON, "--time", "1", "--mitigation", mitigation],
        )
    for mitigation in ("none", "readout+zne"):
        given = ["--time", "1", "--reading", "channels", "--mitigation", mitigation]
        add(f"hodgkin-huxley channels {mitigation}", [*NEURON, *given])
    for ancilla, fresh in itertools.product(("mixed", "split"), ("false", "true")):
        given = ["--time", "1", "--ancilla", ancilla, "--window", "2", "--fresh", fresh]
        needs = RESET if fresh == "false" else NOTHING
        add(f"hodgkin-huxley {ancilla} fresh={fresh}", [*NEURON, *given], needs)
    full = ["--channel", "full", "--drive", "constant", "--amplitude", "10", "--time", "0.4"]
    add("hodgkin-huxley full", [*NEURON, *full])

    for mitigation in ("none", "readout", "zne", "readout+zne"):
        add(f"open-system {mitigation}", [*BATH, "--mitigation", mitigation], RESET)
        given = ["--fresh", "true", "--mitigation", mitigation]
        add(f"open-system fresh {mitigation}", [*BATH, *given])
    for order in ("palindromic", "fixed"):
        add(f"open-system {order}", [*BATH, "--order", order], RESET)
        add(f"open-system fresh {order}", [*BATH, "--order", order, "--fresh", "true"])
    coarse = ["--substeps", "2", "--extrapolation", "richardson"]
    add("open-system richardson", [*BATH, *coarse], RESET)
    add("open-system homeostasis", [*BATH, "--controller", "homeostasis"], RESET)
    add("open-system placements", [*BATH, "--placements", "2"], RESET)

    for mitigation in ("none", "readout", "zne", "readout+zne"):
        add(f"qlif pairs {mitigation}", [*PAIRS, "--settings", "level", "--mitigation", mitigation])
    add("qlif group", [*PAIRS, "--group", "3"])
    add("qlif placements", [*PAIRS, "--placements", "2"])
    add("qlif live", LIVE)

    for weights, emission, mitigation in itertools.product(
        ("bin", "shared", "recurrent"), ("sigmoid", "words"), ("none", "readout")
    ):
        # single histories cannot be corrected
        if (weights, emission, mitigation) != ("recurrent", "words", "readout"):
            given = ["--weights-per", weights, "--emission", emission, "--mitigation", mitigation]
            needs = RESET if weights == "recurrent" else NOTHING
            add(f"spiqgan {weights} {emission} {mitigation}", [*SPIKES, *given], needs)
    return found


FORMS = forms()
EVERYTHING = list(itertools.product(DEVICES, FORMS))


def sample():
    """A form on each device, and four that lack something on those that do, drawn by a seed."""
    chosen = random.Random(15)
    short = [form for form in FORMS if not form.startswith("spiqgan")]
    found = {(device, form) for device in DEVICES for form in chosen.sample(short, 1)}
    lacking = [form for form, (_, needs) in FORMS.items() if needs]
    found |= {
        (device, form) for device in ("miami", "berlin") for form in chosen.sample(lacking, 4)
    }
    return found


SAMPLE = sample()


def lacked(device):
    """Which of reset and rzz a device has not, by its configuration and calibration files."""
    (conf,) = (BACKENDS / device).glob("conf_*.json")
    (props,) = (BACKENDS / device).glob("props_*.json")
    offers = json.loads(conf.read_text(encoding="utf-8"))["supported_instructions"]
    gates = json.loads(props.read_text(encoding="utf-8"))["gates"]
    usable = any(
        value["value"] < 1
        for gate in gates
        if gate["gate"] == "rzz"
        for value in gate["parameters"]
        if value["name"] == "gate_error"
    )
    return {*(RESET if "reset" not in offers else ()), *(RZZ if not usable else ())}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Weights of each generator, so that nothing is trained here."""
    folder = tmp_path_factory.mktemp("weights")
    found = {}
    for kind, emission in itertools.product(("bin", "shared", "recurrent"), ("sigmoid", "words")):
        config = SpiQGANConfig(
            neurons=2, bins=2, layers=1, weights_per=kind, emission=emission, backend="exact"
        )
        found[kind, emission] = folder / f"{kind}-{emission}.npz"
        save_weights(found[kind, emission], config.generator, initial_weights(config.model, 0.2, 0))
    return found


@pytest.fixture
def no_pictures(monkeypatch):
    """Two thirds of the time of such small runs is drawing, which does not know the device."""
    monkeypatch.setattr(run, "write_run", lambda *parts, draw: finish.write_run(*parts, draw=False))


def arguments(form, weights):
    given, needs = FORMS[form]
    if form.startswith("spiqgan"):
        _, kind, emission, _ = form.split()
        given = [*given, "--weights", weights[kind, emission]]
    return given, needs


@pytest.mark.parametrize(
    ("device", "form"),
    [
        pytest.param(
            *each, marks=() if each in SAMPLE else pytest.mark.slow, id=" on ".join(each[::-1])
        )
        for each in EVERYTHING
    ],
)
@pytest.mark.usefixtures("no_pictures")
def test_it_runs_or_says_what_the_device_lacks(device, form, weights, tmp_path):
    """Eight devices × 67 forms: 19 minutes on two busy cores; the fast part takes 20 s of one."""
    given, needs = arguments(form, weights)
    lacking = needs & lacked(device)
    out = tmp_path / "run"
    code, _, err = qbrain("run", *given, "--backend", f"fake_{device}", "--out", out)
    if lacking:
        assert code == 2
        (line,) = err.strip().splitlines()
        assert line.startswith("qbrain: ")
        assert f"wanted a device with {min(lacking)}, got fake_{device}" in line
        assert not out.exists()
        return
    assert code == 0, err
    result = json.loads((out / "result.json").read_text(encoding="utf-8"))
    assert result["backend"] == f"fake_{device}"
    assert np.isfinite(result["fit"]["rmse"])


def test_only_what_is_newest_lacks_something():
    assert {device: lacked(device) for device in DEVICES if lacked(device)} == {
        "miami": {"reset", "rzz"},
        "berlin": {"reset", "rzz"},
    }


@pytest.mark.usefixtures("own_ledger")
@pytest.mark.parametrize("command", ["run", "estimate"])
def test_the_device_itself_is_refused_before_anything_is_sent(start_ibm, command, tmp_path):
    server = start_ibm(devices=["ibm_miami"])
    out = ["--out", tmp_path / "run"] if command == "run" else []
    code, _, err = qbrain(command, *BATH, "--backend", "ibm_miami", *out)
    assert code == 2
    (line,) = err.strip().splitlines()
    assert "wanted a device with reset, got ibm_miami" in line
    assert server.submissions() == 0
    assert not (tmp_path / "run").exists()
