"""Several lines: disjoint, ordered, and against brute force."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from qbrain.backends.errors import BackendError
from qbrain.backends.line import Costs
from qbrain.backends.placements import (
    PlacedSampler,
    best_lines,
    cut_to,
    disjoint_lines,
    lines_of,
    mirrored,
    open_on,
)
from qbrain.backends.registry import open_sampler
from qbrain.backends.snapshot import cut, load


def random_costs(seed, nodes=7, density=0.5):
    rng = np.random.default_rng(seed)
    edges = {
        pair: float(rng.uniform(0.01, 1))
        for pair in itertools.combinations(range(nodes), 2)
        if rng.random() < density
    }
    return Costs({q: float(rng.uniform(0.01, 1)) for q in range(nodes)}, edges)


def all_lines(costs, length):
    return sorted(
        (costs.of_line(path), path)
        for path in itertools.permutations(sorted(costs.node), length)
        if path[0] <= path[-1]
        and all((min(e), max(e)) in costs.edge for e in itertools.pairwise(path))
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**9), st.integers(1, 4), st.integers(1, 6))
def test_the_cheapest_lines_are_found_in_order(seed, length, count):
    costs = random_costs(seed)
    found = [place.qubits for place in best_lines(costs, length, count)]
    assert found == [line for _, line in all_lines(costs, length)[:count]]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**9), st.integers(1, 4))
def test_disjoint_lines_share_nothing_and_start_with_the_best(seed, length):
    costs = random_costs(seed, nodes=9)
    places = disjoint_lines(costs, length, 3)
    used = [qubit for place in places for qubit in place.qubits]
    assert len(set(used)) == len(used)
    everything = all_lines(costs, length)
    assert [place.qubits for place in places[:1]] == [line for _, line in everything[:1]]
    assert [place.cost for place in places] == sorted(place.cost for place in places)
    if len(places) < 3:
        assert all(set(line) & set(used) for _, line in everything)


def test_lines_of_a_snapshot():
    first, second = lines_of("fake_fez", 4, 2)
    assert first.qubits == cut("fake_fez", 4).place.qubits
    assert not set(first.qubits) & set(second.qubits)
    assert mirrored(second).qubits == second.qubits[::-1]
    assert mirrored(second).cost == second.cost
    close = lines_of("fake_fez", 4, 2, disjoint=False)
    assert close[0] == first
    assert close[1].cost <= second.cost


def test_a_cut_to_the_best_line_is_the_usual_cut():
    usual, here = cut("fake_fez", 3), cut_to("fake_fez", lines_of("fake_fez", 3, 1)[0])
    assert np.array_equal(usual.readout, here.readout)
    assert usual.details == here.details
    back = cut_to("fake_fez", mirrored(here.place))
    assert np.array_equal(back.readout, here.readout[::-1])
    edge = {frozenset(place): value.error for place, value in here.target["cz"].items()}
    mirror = {frozenset(place): value.error for place, value in back.target["cz"].items()}
    assert mirror[frozenset({0, 1})] == edge[frozenset({1, 2})]
    sampler = open_on("fake_fez", back.place, seed=1)
    assert sampler.qubits == 3
    assert sampler.details["physical_qubits"] == list(back.place.qubits)


def flips(sampler, placement, step=0, stream=0):
    """A qubit in balance beside one in |1⟩, in the gates of any Heron device."""
    circuit = QuantumCircuit(sampler.qubits)
    circuit.sx(0)
    circuit.x(1)
    circuit.measure_all()
    circuit.metadata = {"step": step, "stream": stream, "placement": placement}
    return circuit


def bits(result, index):
    return result[index].data.meas.to_bool_array(order="little")


def test_one_place_is_the_sampler_of_always():
    one, three = (open_sampler("fake_fez", qubits=3, seed=4, placements=p) for p in (1, 3))
    assert "placements" not in one.details
    assert three.placements == len(three.targets) == len(three.readouts) == 3
    assert three.target is three.targets[0]
    assert three.readout is three.readouts[0]
    assert np.array_equal(three.readout, one.readout)
    assert {**one.details, "placements": three.details["placements"]} == three.details
    first, second = (
        s.run([flips(s, 0), flips(s, 0, 3, 2)], shots=500).result() for s in (one, three)
    )
    assert all(np.array_equal(bits(first, k), bits(second, k)) for k in range(2))


def test_every_circuit_runs_on_its_place():
    sampler = open_sampler("fake_fez", qubits=3, seed=4, placements=3)
    lines = [list(place.qubits) for place in lines_of("fake_fez", 3, 3)]
    assert sampler.details["placements"] == lines
    assert sampler.details["physical_qubits"] == lines[0]
    order, shots = (2, 0, 1, 0, 2), 40_000
    circuits = [flips(sampler, place, step) for step, place in enumerate(order)]
    result = sampler.run(circuits, shots=shots).result()
    whole = load("fake_fez")
    for index, place in enumerate(order):
        alone = sampler.run([circuits[index]], shots=shots).result()
        assert np.array_equal(bits(result, index), bits(alone, 0))
        line = lines[place]
        assert np.array_equal(sampler.readouts[place], whole.readout[line])
        # a gate error of the order of 1e-4 besides the reading errors of this place
        lost = 1 - bits(result, index)[:, 1].mean()
        wanted = whole.readout[line[1], 1]
        assert abs(lost - wanted) < 6 * (wanted / shots) ** 0.5 + 1e-3
        assert sampler.targets[place]["cz"][(0, 1)].error == (
            whole.target["cz"][(line[0], line[1])].error
        )


def test_places_have_shots_of_their_own():
    sampler = open_sampler("fake_fez", qubits=2, seed=4, placements=2)
    circuits = [flips(sampler, p, 1, s) for p in (0, 1) for s in (0, 1)]
    result = sampler.run(circuits, shots=4000).result()
    for a, b in itertools.combinations(range(4), 2):
        same = np.mean(bits(result, a)[:, 0] == bits(result, b)[:, 0])
        assert abs(same - 0.5) < 6 * 0.5 / 4000**0.5


def test_a_sweep_stays_on_its_place():
    sampler = open_sampler("fake_fez", qubits=2, seed=4, placements=2)
    circuit = QuantumCircuit(2, metadata={"placement": 1, "step": 3})
    circuit.sx(0)
    circuit.rz(Parameter("angle"), 0)
    circuit.sx(0)
    circuit.measure_all()
    result = sampler.run([(circuit, [[0.0], [np.pi]])], shots=100).result()
    again = sampler.run([flips(sampler, 0), (circuit, [[0.0], [np.pi]])], shots=100).result()
    assert np.array_equal(bits(result, 0), bits(again, 1))
    assert np.allclose(bits(result, 0)[..., 0].mean(axis=1), [1, 0], atol=0.1)


def test_circuits_off_their_place_are_refused():
    sampler = open_sampler("fake_fez", qubits=2, seed=4, placements=2)
    with pytest.raises(BackendError, match="wanted an integer below 2, got 2"):
        sampler.run([flips(sampler, 0), flips(sampler, 2)], shots=5)
    wrong = QuantumCircuit(2)
    wrong.h(0)
    wrong.measure_all()
    wrong.metadata = {"placement": 1}
    with pytest.raises(BackendError, match="gate: wanted one of"):
        sampler.run([wrong], shots=5)


def test_fractional_gates_on_every_place():
    sampler = open_sampler("fake_fez", qubits=3, seed=4, placements=2, fractional=True)
    assert all("rzz" in target.operation_names for target in sampler.targets)
    plain = open_sampler("fake_fez", qubits=3, seed=4, placements=2)
    # the second line of the plain run lacks an rzz
    assert sampler.details["placements"] != plain.details["placements"]


def test_bad_wishes():
    with pytest.raises(BackendError, match=r"disjoint=False"):
        lines_of("fake_lagos", 4, 2)
    with pytest.raises(BackendError, match="wanted a sampler for each, got 0 and 0"):
        PlacedSampler([], [])
    with pytest.raises(BackendError, match="length, count: wanted"):
        best_lines(random_costs(0), 0, 1)
    place = lines_of("fake_lagos", 2, 1)[0]
    for qubits in ((0, 0), (0, 99)):
        with pytest.raises(BackendError, match="place: wanted"):
            cut_to("fake_lagos", type(place)(qubits, 0.0, "exhaustive"))
