"""The LMG brain on targets that nobody here made: gate counts, states, and whole runs."""

import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest
from qiskit.circuit import Measure, Parameter
from qiskit.circuit.library import (
    CXGate,
    CZGate,
    ECRGate,
    RXXGate,
    RZGate,
    RZZGate,
    SXGate,
    XGate,
)
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.transpiler import CouplingMap, InstructionProperties, Target

from qbrain.backends.check.pure import validate
from qbrain.backends.compile import two_qubit_gates
from qbrain.backends.registry import open_place, open_sampler
from qbrain.experiments.lmg.circuits import (
    PhaseSchedule,
    formula_on,
    open_circuits,
    qubits_needed,
)
from qbrain.experiments.lmg.config import LMGConfig
from qbrain.reference.lmg import LMG, initial_excitations

P = Parameter("θ")
TURNS = (RZGate(P), SXGate(), XGate())
CX_LIKE = (CXGate(), CZGate(), ECRGate())
ROTATIONS = (RXXGate(P), RZZGate(P))


def named(gate):
    return gate.name


def every_pair(qubits, *gates, noisy=True, free=False):
    """Two-qubit gates on every pair, each pair in one direction only."""
    target = Target(num_qubits=qubits)
    for gate in TURNS:
        target.add_instruction(gate, None if free else {(q,): None for q in range(qubits)})
    pairs = [(a, b) if (a + b) % 2 else (b, a) for a in range(qubits) for b in range(a)]
    known = InstructionProperties(error=1e-3 if noisy else None)
    for gate in gates:
        target.add_instruction(gate, None if free else dict.fromkeys(pairs, known))
    target.add_instruction(Measure(), {(q,): None for q in range(qubits)})
    return target


def prepared(target, phases=(0.3, 0.4), **values):
    """Circuit after two intervals, checked against the reference; None for too many qubits."""
    config = LMGConfig(**{"backend": "aer", **values})
    initial = initial_excitations(config.neurons, config.initial)
    model = LMG(config.neurons, config.gamma, config.g0, config.field)
    found = open_circuits(config, model, initial, target).prepare(PhaseSchedule(phases, 0.75), "x")
    record = validate(found.logical, found.isa, target, expected=found.expected)
    assert {check.status for check in record.checks} <= {"passed", "skipped"}
    return found.isa


def network(neurons, **values):
    """The same circuit on the swap network of the fake_fez snapshot."""
    return prepared(open_sampler("fake_fez", qubits=neurons).target, neurons=neurons, **values)


def pairs_of(neurons):
    return neurons * (neurons - 1) // 2


class TestCounts:
    @pytest.mark.parametrize("free", [False, True])
    @pytest.mark.parametrize("gate", ROTATIONS, ids=named)
    @pytest.mark.parametrize("neurons", [3, 6, 8])
    def test_a_native_rotation_is_one_gate_a_pair(self, neurons, gate, free):
        isa = prepared(every_pair(neurons, gate, free=free), neurons=neurons)
        assert two_qubit_gates(isa) == isa.count_ops()[gate.name] == pairs_of(neurons)

    @pytest.mark.parametrize("free", [False, True])
    @pytest.mark.parametrize("gate", CX_LIKE, ids=named)
    def test_others_are_two_gates_a_pair_and_no_swap(self, gate, free):
        isa = prepared(every_pair(6, gate, free=free), neurons=6)
        assert two_qubit_gates(isa) == isa.count_ops()[gate.name] == 2 * pairs_of(6)

    @pytest.mark.parametrize("gate", [*CX_LIKE, *ROTATIONS], ids=named)
    def test_two_axes_are_two_gates_a_pair_and_step(self, gate):
        isa = prepared(every_pair(6, gate), neurons=6, gamma=0.8)
        assert two_qubit_gates(isa) == 2 * 2 * pairs_of(6)

    @pytest.mark.parametrize("beside", CX_LIKE, ids=named)
    @pytest.mark.parametrize("gate", ROTATIONS, ids=named)
    def test_the_native_rotation_is_taken_beside_others(self, gate, beside):
        isa = prepared(every_pair(5, gate, beside), neurons=5, gamma=0.8)
        assert set(isa.count_ops()) <= {gate.name, "rz", "sx", "x", "measure"}

    @pytest.mark.parametrize("gamma", [1.0, 0.8])
    def test_fewer_than_the_swap_network(self, gamma):
        line = two_qubit_gates(network(6, gamma=gamma))
        assert line == {1.0: 40, 0.8: 80}[gamma]
        for gate in (*CX_LIKE, *ROTATIONS):
            assert two_qubit_gates(prepared(every_pair(6, gate), neurons=6, gamma=gamma)) < line

    @pytest.mark.parametrize("free", [False, True])
    @pytest.mark.parametrize(
        "values",
        [
            {"initial": "half"},
            {"initial": "half", "gamma": 0.8},
            {"initial": "3", "gamma": 0.8, "field": 0.3},
            {"gamma": -0.5, "trotter_order": 2},
            {"gamma": 0.8, "trotter_order": 4},
            {"evolution": "orbit", "gamma": 0.8},
        ],
        ids=str,
    )
    @pytest.mark.parametrize("gate", [CXGate(), ECRGate(), *ROTATIONS], ids=named)
    def test_any_circuit_is_the_reference_state(self, gate, values, free):
        prepared(every_pair(5, gate, free=free), neurons=5, **values)

    @pytest.mark.parametrize("free", [False, True])
    @pytest.mark.parametrize("synthesis", ["unitary", "isometry", "trotter"])
    @pytest.mark.parametrize("gate", [CXGate(), *ROTATIONS], ids=named)
    def test_the_dicke_encoding(self, gate, synthesis, free):
        config = LMGConfig(neurons=10, encoding="dicke")
        target = every_pair(qubits_needed(config, 0), gate, free=free)
        prepared(target, neurons=10, gamma=0.8, encoding="dicke", synthesis=synthesis)


class TestFormula:
    def test_one_layer_wherever_pairs_commute(self):
        config = LMGConfig(neurons=4)
        for target in (every_pair(4, CXGate()), every_pair(4, CXGate(), free=True)):
            assert formula_on(config, 0, target).splitting == "collective"

    @pytest.mark.parametrize(
        ("noisy", "splitting", "order"), [(True, "pairwise", 1), (False, "collective", 2)]
    )
    def test_pair_by_pair_where_gates_have_errors(self, noisy, splitting, order):
        formula = formula_on(
            LMGConfig(neurons=4, gamma=0.8), 0, every_pair(4, CXGate(), noisy=noisy)
        )
        assert (formula.splitting, formula.order) == (splitting, order)

    def test_collective_where_the_state_is_not_checked_densely(self):
        target = every_pair(4, CXGate())
        config = LMGConfig(neurons=4, gamma=0.8, validation="matrix-product-state")
        assert formula_on(config, 0, target).splitting == "collective"
        assert formula_on(LMGConfig(neurons=17, gamma=0.8), 0, every_pair(17, CXGate())).order == 2

    def test_a_grid_has_a_line(self):
        grid = GenericBackendV2(6, coupling_map=CouplingMap.from_grid(2, 3), seed=1)
        target = open_place(grid, qubits=6).target
        assert two_qubit_gates(prepared(target, neurons=6)) == 40
        assert two_qubit_gates(prepared(target, neurons=6, gamma=0.8)) == 80


PLACES = """
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.transpiler import CouplingMap, InstructionProperties

def full():
    return GenericBackendV2(6, coupling_map=CouplingMap.from_full(6), seed=1)

def grid():
    return GenericBackendV2(6, coupling_map=CouplingMap.from_grid(2, 3), seed=1)

def ions():
    backend = GenericBackendV2(6, basis_gates=["rxx", "rz", "sx", "x"], seed=1)
    for pair in list(backend.target["rxx"]):
        properties = InstructionProperties(duration=1e-7, error=2e-3)
        backend.target.update_instruction_properties("rxx", pair, properties)
    return backend

def braket():
    from qiskit_braket_provider import BraketLocalBackend
    return BraketLocalBackend()

def number():
    return 3
"""


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    folder = tmp_path_factory.mktemp("places")
    (folder / "places.py").write_text(PLACES)
    return folder


def command(places, backend, *options):
    """``qbrain run lmg`` as its user types it, from the folder that holds the module."""
    return subprocess.run(
        [
            *(sys.executable, "-P", "-W", "ignore", "-m", "qbrain", "run", "lmg", "--json"),
            *("--backend", backend, "--seed", "7", *options),
        ],
        cwd=places,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def run(places, backend, *options):
    done = command(places, backend, *options)
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads(done.stdout)
    assert result["validated"] == result["circuits"]
    return result


def shot_noise(result):
    """A bound on the RMSE of E from shots alone: 5 times that of a spread of 1/2."""
    return 5 * 0.5 / math.sqrt(result["shots"])


ACCEPTANCE = {
    "replay": ("--gamma", "1", "--steps", "6"),
    "two axes": ("--gamma", "0.8", "--steps", "6", "--time", "4"),
    "orbit": ("--evolution", "orbit"),
    "dicke": ("--encoding", "dicke", "--gamma", "0.8"),
}


class TestRuns:
    @pytest.mark.parametrize(
        ("backend", "name", "gates"),
        [
            ("full", "replay", 30),
            pytest.param("full", "two axes", 180, marks=pytest.mark.slow),
            pytest.param("full", "orbit", 30, marks=pytest.mark.slow),
            ("full", "dicke", 2),
            pytest.param("grid", "replay", 40, marks=pytest.mark.slow),
            pytest.param("grid", "two axes", 240, marks=pytest.mark.slow),
            pytest.param("ions", "replay", 15, marks=pytest.mark.slow),
            pytest.param("ions", "two axes", 180, marks=pytest.mark.slow),
        ],
    )
    def test_by_the_command_line(self, places, backend, name, gates):
        result = run(places, f"places:{backend}", *ACCEPTANCE[name])
        assert result["two_qubit_gates"] == gates
        # each gate errs by at most 0.005 of these backends, and E is at most 1
        assert result["rmse_excitation_raw"] < shot_noise(result) + 0.005 * gates
        assert result["rmse_excitation"] < shot_noise(result) + 0.0025 * gates

    @pytest.mark.slow
    @pytest.mark.parametrize("backend", ["full", "grid"])
    def test_mitigated(self, places, backend):
        result = run(places, f"places:{backend}", "--mitigation", "parity+readout+echo")
        assert result["rmse_excitation"] < shot_noise(result)

    @pytest.mark.slow
    def test_equal_seeds_give_equal_runs(self, places):
        one, same = (run(places, "places:full", "--steps", "4")["rmse_excitation"] for _ in "ab")
        assert one == same

    @pytest.mark.parametrize(
        ("backend", "words"),
        [
            ("places:number", "wanted a Qiskit BackendV2"),
            ("places:absent", "wanted absent in module places"),
            ("nowhere_at_all:mine", "ModuleNotFoundError"),
        ],
    )
    def test_wrong_factories_are_refused_in_one_line(self, places, backend, words):
        done = command(places, backend)
        assert done.returncode != 0
        assert words in done.stderr
        assert "Traceback" not in done.stderr

    def test_a_device_that_is_too_small(self, places):
        done = command(places, "places:full", "--neurons", "7")
        assert done.returncode != 0
        assert "wanted at most 6 on places:full, got 7" in " ".join(done.stderr.split())


class TestBraket:
    """Amazon Braket's local simulator: rxx on any two qubits, no errors, no seeds."""

    @pytest.fixture(autouse=True)
    def installed(self):
        pytest.importorskip("qiskit_braket_provider")

    @pytest.mark.parametrize(
        ("name", "gates"), [("replay", 15), ("two axes", None), ("orbit", 15), ("dicke", 2)]
    )
    def test_by_the_command_line(self, places, name, gates):
        result = run(places, "places:braket", *ACCEPTANCE[name])
        assert gates in (None, result["two_qubit_gates"])
        assert result["rmse_excitation"] < shot_noise(result)

    def test_the_class_is_a_factory(self, places):
        result = run(places, "qiskit_braket_provider:BraketLocalBackend", "--steps", "4")
        assert result["two_qubit_gates"] == 15

    def test_gates_of_a_state(self):
        from qiskit_braket_provider import BraketLocalBackend

        sampler = open_place(BraketLocalBackend(), qubits=6)
        assert not sampler.noisy
        assert sampler.readout is None
        assert sampler.details["seed"] == "not taken"
        for gamma, gates in ((1.0, 15), (0.8, 90)):
            assert two_qubit_gates(prepared(sampler.target, neurons=6, gamma=gamma)) == gates

    def test_bits(self):
        from qiskit import QuantumCircuit
        from qiskit_braket_provider import BraketLocalBackend

        circuit = QuantumCircuit(3, 4)
        circuit.x(0)
        circuit.ry(0.4, 1)
        circuit.measure([0, 1, 2], [2, 3, 0])
        sampler = open_place(BraketLocalBackend(), qubits=3)
        shots = 2000
        bits = sampler.run([circuit], shots=shots).result()[0].data.c.to_bool_array("little")
        wanted = np.array([0, 0, 1, math.sin(0.2) ** 2])
        bound = 5 * np.sqrt(wanted * (1 - wanted) / shots)
        assert np.all(np.abs(bits.mean(axis=0) - wanted) <= bound)
