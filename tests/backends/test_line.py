"""The search for the cheapest line, against brute force."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qbrain.backends import line as line_module
from qbrain.backends.line import Costs, best_line, best_patch


def random_costs(seed, nodes=7, density=0.5):
    rng = np.random.default_rng(seed)
    edges = {
        pair: float(rng.uniform(0.01, 1))
        for pair in itertools.combinations(range(nodes), 2)
        if rng.random() < density
    }
    node = {q: float(rng.uniform(0.01, 1)) for q in range(nodes)}
    return Costs(node, edges, {q: float(rng.uniform(0, 1)) for q in range(nodes)})


def brute_force(costs, length):
    lines = [
        (costs.of_line(path), path)
        for path in itertools.permutations(sorted(costs.node), length)
        if path[0] <= path[-1]
        and all((min(e), max(e)) in costs.edge for e in itertools.pairwise(path))
    ]
    return min(lines, default=None)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9), st.integers(1, 6))
def test_nothing_cheaper_exists(seed, length):
    costs = random_costs(seed)
    place, wanted = best_line(costs, length), brute_force(costs, length)
    if wanted is None:
        assert place is None
    else:
        assert place.cost == pytest.approx(wanted[0], rel=1e-12)
        assert place.search == "exhaustive"
        assert costs.of_line(place.qubits) == place.cost
        assert len(set(place.qubits)) == length


def test_a_line_counts_both_ends_once():
    costs = Costs({0: 1.0, 1: 2.0, 2: 4.0}, {(0, 1): 10.0, (1, 2): 20.0}, {0: 100.0, 2: 200.0})
    assert costs.of_line((0, 1, 2)) == 337.0
    assert best_line(costs, 3).cost == 337.0


def test_equal_costs_are_told_apart_by_number():
    # a ring of equal qubits
    edges = {tuple(sorted((q, (q + 1) % 8))): 1.0 for q in range(8)}
    assert best_line(Costs(dict.fromkeys(range(8), 1.0), edges), 4).qubits == (0, 1, 2, 3)


def test_a_graph_of_too_many_paths_gets_the_beams_answer(monkeypatch):
    costs = random_costs(3, nodes=9, density=0.9)
    exact = best_line(costs, 8)
    monkeypatch.setattr(line_module, "VISITS", 10)
    quick = best_line(costs, 8)
    assert exact.search == "exhaustive"
    assert quick.search == "beam"
    assert exact.cost <= quick.cost < 1.5 * exact.cost
    assert quick == best_line(costs, 8)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**9), st.integers(1, 6))
def test_a_patch_is_connected(seed, size):
    costs = random_costs(seed, density=0.3)
    patch = best_patch(costs, size)
    if patch is None:
        assert best_line(costs, size) is None  # a line would have been a patch
        return
    reached, front = {patch.qubits[0]}, [patch.qubits[0]]
    while front:
        a = front.pop()
        for b in patch.qubits:
            if b not in reached and (min(a, b), max(a, b)) in costs.edge:
                reached.add(b)
                front.append(b)
    assert reached == set(patch.qubits)
    assert len(reached) == size
