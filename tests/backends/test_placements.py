"""Several lines: disjoint, ordered, and against brute force."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qbrain.backends.errors import BackendError
from qbrain.backends.line import Costs
from qbrain.backends.placements import (
    best_lines,
    cut_to,
    disjoint_lines,
    lines_of,
    mirrored,
    open_on,
)
from qbrain.backends.snapshot import cut


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


def test_bad_wishes():
    with pytest.raises(BackendError, match=r"disjoint=False"):
        lines_of("fake_lagos", 4, 2)
    with pytest.raises(BackendError, match="length, count: wanted"):
        best_lines(random_costs(0), 0, 1)
    place = lines_of("fake_lagos", 2, 1)[0]
    for qubits in ((0, 0), (0, 99)):
        with pytest.raises(BackendError, match="place: wanted"):
            cut_to("fake_lagos", type(place)(qubits, 0.0, "exhaustive"))
