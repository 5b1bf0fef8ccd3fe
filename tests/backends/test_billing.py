"""What a device bills, held against bills that are publicly known and against sums made by hand."""

import itertools
import json
from types import SimpleNamespace

import numpy as np
import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import Gate, Measure, Reset
from qiskit.transpiler import InstructionProperties, Target
from qiskit_ibm_runtime.circuit import MidCircuitMeasure

from qbrain.backends.billing import SECONDS_A_JOB, Repetition, job_seconds, reset_seconds
from qbrain.backends.snapshot import _folders, cut, load


def chain(neurons, steps, target):
    """A first-order XY chain on a line, in the device's gates (ω from 0.8 to 1.2, 0.3 a step)."""
    circuit = QuantumCircuit(neurons, neurons)
    circuit.x([neurons - 2, neurons - 1])
    coupling = 0.45 * np.exp(-0.3)
    for _ in range(steps):
        for qubit, field in enumerate(np.linspace(0.8, 1.2, neurons)):
            circuit.rz(0.6 * field, qubit)
        for qubit in range(neurons - 1):
            circuit.rxx(0.6 * coupling, qubit, qubit + 1)
            circuit.ryy(0.6 * coupling, qubit, qubit + 1)
    circuit.measure(range(neurons), range(neurons))
    return transpile(
        circuit, target=target, optimization_level=3, initial_layout=list(range(neurons)),
        seed_transpiler=1,
    )  # fmt: skip


# neurons, steps and how many circuits of the campaign's published counts were of the class
CLASSES = {(4, d): 60 for d in (2, 4, 8, 10, 20, 40, 50)} | {(6, 4): 40, (6, 8): 40}
LONGEST = (8, 50)


@pytest.fixture(scope="module")
def seconds_a_circuit():
    """Of 4096 shots of each class on kingston, without the job's own seconds."""
    repetition = load("fake_kingston").repetition
    found = {}
    for neurons, steps in (*CLASSES, LONGEST):
        target = cut("fake_kingston", neurons).target
        circuit = chain(neurons, steps, target)
        total = job_seconds([circuit], 4096, target, repetition)
        found[neurons, steps] = total - SECONDS_A_JOB
    return found


@pytest.mark.parametrize(("circuits", "jobs", "billed"), [(600, 2, 660.0), (280, 1, 305.0)])
def test_bills_seen_on_kingston(seconds_a_circuit, circuits, jobs, billed):
    # a device takes 300 circuits in a job
    weights = np.array(list(CLASSES.values()))
    mean = float(np.average([seconds_a_circuit[c] for c in CLASSES], weights=weights))
    assert jobs * SECONDS_A_JOB + circuits * mean == pytest.approx(billed, rel=0.02)
    # whichever of the classes they were: the shortest circuits, or all of the longest
    low, high = min(seconds_a_circuit.values()), seconds_a_circuit[LONGEST]
    assert 0.95 * billed < jobs * SECONDS_A_JOB + circuits * low < billed
    assert billed < jobs * SECONDS_A_JOB + circuits * high < 1.07 * billed


@pytest.mark.parametrize(
    ("name", "delay", "bounds"),
    [
        ("fake_kingston", 250e-6, (0.0, 2e-3)),
        ("fake_fez", 250e-6, (0.0, 5e-4)),
        ("fake_miami", 4e-3, (1e-3, 4e-3)),
        ("fake_berlin", 4e-3, (1e-3, 4e-3)),
    ],
)
def test_a_snapshot_tells_its_repetition_delay(name, delay, bounds):
    (file,) = _folders()[name].glob("conf_*.json")
    told = json.loads(file.read_text())
    assert told["default_rep_delay"] == pytest.approx(1e6 * delay)
    found = load(name).repetition
    assert (found.delay, found.bounds, found.told) == (delay, bounds, True)
    details = cut(name, 2).details
    assert details["repetition_delay_seconds"] == delay
    assert details["repetition_delay_range_seconds"] == list(bounds)
    assert Repetition.from_details(details) == found
    assert f"{1e6 * delay:g} µs" in found.sentence()


@pytest.mark.parametrize(
    "configuration",
    [
        SimpleNamespace(),
        SimpleNamespace(default_rep_delay=None),
        SimpleNamespace(default_rep_delay="soon", rep_delay_range=[0, 1]),
        SimpleNamespace(default_rep_delay=True),
        SimpleNamespace(default_rep_delay=float("nan")),
        SimpleNamespace(default_rep_delay=-1.0),
    ],
)
def test_what_a_device_does_not_tell_is_assumed_and_said_to_be(configuration):
    found = Repetition.of(configuration)
    assert (found.delay, found.bounds, found.told) == (250e-6, None, False)
    assert "assumed" in found.sentence()
    assert found.details() == {}
    assert Repetition.from_details({}) == found


def test_a_range_that_is_none_is_left_out():
    for given in ([2e-3, 1e-3], [0.0], "01", None, [0.0, None]):
        found = Repetition.of(SimpleNamespace(default_rep_delay=1e-3, rep_delay_range=given))
        assert (found.delay, found.bounds, found.told) == (1e-3, None, True)


def by_hand():
    """A target of two qubits with a second kind of reading, and no two durations alike."""
    target = Target(num_qubits=2, dt=1e-9)
    one = {(q,): InstructionProperties(duration=(40 + q) * 1e-9) for q in (0, 1)}
    target.add_instruction(Gate("sx", 1, []), one, name="sx")
    target.add_instruction(
        Gate("cz", 2, []), {(0, 1): InstructionProperties(duration=90e-9)}, name="cz"
    )
    for kind, length in ((Measure(), 2000), (MidCircuitMeasure(), 1300)):
        rows = {(q,): InstructionProperties(duration=(length + q) * 1e-9) for q in (0, 1)}
        target.add_instruction(kind, rows, name=kind.name)
    return target


def test_the_bill_of_a_circuit_by_hand():
    target = by_hand()
    circuit = QuantumCircuit(2, 2)
    circuit.append(Gate("sx", 1, []), [0])
    circuit.append(Gate("sx", 1, []), [1])
    circuit.append(Gate("cz", 2, []), [0, 1])
    circuit.append(MidCircuitMeasure(), [0], [0])
    circuit.measure(1, 1)
    # qubit 1 is ready last (41 ns), then cz (90 ns), then the longer of the two readings
    length = 41e-9 + 90e-9 + max(1300e-9, 2001e-9)
    repetition = Repetition(1e-3, None, True)
    assert reset_seconds(target) == 0
    found = job_seconds([circuit] * 3, 500, target, repetition)
    assert found == pytest.approx(2 + 3 * 500 * (1e-3 + length), rel=1e-12)
    rows = {(q,): InstructionProperties(duration=(2200 + q) * 1e-9) for q in (0, 1)}
    target.add_instruction(Reset(), rows)
    assert reset_seconds(target) == pytest.approx(2201e-9)
    found = job_seconds([circuit], 500, target, repetition)
    assert found == pytest.approx(2 + 500 * (1e-3 + 2201e-9 + length), rel=1e-12)
    # the shorter reading alone
    alone = QuantumCircuit(1, 1)
    alone.append(MidCircuitMeasure(), [0], [0])
    found = job_seconds([alone], 1, target, Repetition(0.0, None, True))
    assert found == pytest.approx(2 + 2201e-9 + 1300e-9, rel=1e-12)


def test_an_unknown_length_is_an_unknown_bill():
    target = Target(num_qubits=1)
    target.add_instruction(Measure(), {(0,): None})
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    assert job_seconds([circuit], 10, target, Repetition()) is None
    assert job_seconds([], 10, target, Repetition()) == SECONDS_A_JOB


def test_the_delay_of_a_device_is_in_the_estimate_of_a_run(capsys):
    from qbrain.experiments.cli import run_command

    command = ["estimate", "lmg", "--neurons", "6", "--gamma", "0.8", "--encoding", "dicke"]
    command += ["--time", "10", "--steps", "16", "--seed", "1", "--json", "--backend"]
    found = {}
    for name in ("fake_fez", "fake_miami", "fake_berlin"):
        assert run_command([*command, name]) == 0
        found[name] = json.loads(capsys.readouterr().out)
    for name, told in found.items():
        delay = load(name).repetition.delay
        rest = told["qpu_seconds"] - 2 * told["jobs"] - told["circuits"] * told["shots"] * delay
        # resets, gates and readings: microseconds a shot
        assert 0 < rest / (told["circuits"] * told["shots"]) < 20e-6, name
        assert f"{1e6 * delay:g} µs between shots" in told["assumptions"]
    pairs = itertools.product(("fake_miami", "fake_berlin"), ("fake_fez",))
    for slow, fast in pairs:
        assert found[slow]["qpu_seconds"] > 5 * found[fast]["qpu_seconds"]
