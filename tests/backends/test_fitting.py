"""Other people's targets, cut to the qubits in use."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit.circuit import Measure, Parameter
from qiskit.circuit.library import (
    CXGate,
    CZGate,
    ECRGate,
    HGate,
    RXGate,
    RXXGate,
    RZGate,
    RZZGate,
    SXGate,
    XGate,
    iSwapGate,
)
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.transpiler import CouplingMap, InstructionProperties, Target

from qbrain.backends.errors import BackendError
from qbrain.backends.fitting import fits, measure_errors, reports_errors

P = Parameter("θ")
TURNS = (RZGate(P), SXGate(), XGate())


def made(size, pairs, gate=None, *, errors=None, read=None, turns=TURNS, without=()):
    """A target with a two-qubit gate on ``pairs`` (None: on any); ``errors`` by pair."""
    target = Target(num_qubits=size)
    for turn in turns:
        target.add_instruction(turn, {(q,): None for q in range(size)})
    places = None
    if pairs is not None:
        places = {
            pair: None if errors is None else InstructionProperties(error=errors[pair])
            for pair in pairs
        }
    target.add_instruction(gate or CXGate(), places)
    able = [q for q in range(size) if q not in without]
    target.add_instruction(
        Measure(),
        {(q,): None if read is None else InstructionProperties(error=read[q]) for q in able},
    )
    return target


def fitted(target, qubits, **options):
    return fits(target, "theirs", qubits, **options)[0]


def one_way(size):
    """Every pair of qubits once, in a direction that changes from pair to pair."""
    return [p if sum(p) % 2 else p[::-1] for p in itertools.combinations(range(size), 2)]


def refusal(target, qubits, **options):
    with pytest.raises(BackendError) as caught:
        fits(target, "theirs", qubits, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


class TestLayouts:
    @pytest.mark.parametrize("qubits", [1, 2, 3, 5])
    def test_free_gates_take_the_first_qubits(self, qubits):
        fit = fitted(made(5, None), qubits)
        assert (fit.layout, fit.place.qubits) == ("all-to-all", tuple(range(qubits)))
        assert fit.target.num_qubits == qubits
        if qubits > 1:
            assert fit.target.build_coupling_map() is None

    def test_a_target_of_no_known_size_has_no_limit(self):
        target = Target()
        for gate in (*TURNS, CXGate(), Measure()):
            target.add_instruction(gate)
        assert fitted(target, 40).place.qubits == tuple(range(40))
        assert fitted(target, 1).place.qubits == (0,)

    @pytest.mark.parametrize("gate", [CXGate(), CZGate(), ECRGate(), RXXGate(P), RZZGate(P)])
    def test_every_pair_in_one_direction(self, gate):
        fit = fitted(made(6, one_way(6), gate), 4)
        assert (fit.layout, fit.place.qubits) == ("all-to-all", (0, 1, 2, 3))
        assert set(fit.target[gate.name]) == set(one_way(4))

    def test_all_neighbours_found_behind_a_broken_pair(self):
        pairs = one_way(5)
        errors = {pair: 1.0 if set(pair) == {0, 1} else 0.01 for pair in pairs}
        fit = fitted(made(5, pairs, errors=errors), 4)
        assert (fit.layout, fit.place.qubits) == ("all-to-all", (0, 2, 3, 4))

    def test_a_line_where_there_are_no_triangles(self):
        grid = CouplingMap.from_grid(2, 3)
        fit = fitted(made(6, list(grid.get_edges())), 6)
        assert fit.layout == "line"
        assert all(pair in fit.target["cx"] for pair in itertools.pairwise(range(6)))
        numbers = [fit.place.qubits[a] for a in range(6)]
        assert sorted(numbers) == list(range(6))

    def test_a_patch_where_there_is_no_line(self):
        star = [(0, 1), (0, 2), (0, 3)]
        fit = fitted(made(4, star), 4)
        assert (fit.layout, fit.place.qubits) == ("patch", (0, 1, 2, 3))

    def test_the_better_line_by_errors(self):
        errors = {(0, 1): 0.05, (1, 2): 0.01, (2, 3): 0.001, (3, 4): 0.02}
        fit = fitted(made(5, list(errors), errors=errors), 3)
        assert fit.place.qubits == (1, 2, 3)
        assert fit.target["cx"][1, 2].error == 0.001

    def test_errors_known_of_some_edges_leave_out_the_others(self):
        errors = {(0, 1): None, (1, 2): 0.1, (2, 3): 0.1}
        assert fitted(made(4, list(errors), errors=errors), 3).place.qubits == (1, 2, 3)

    def test_the_better_of_two_gates_counts(self):
        errors = {(0, 1): 0.5, (1, 2): 0.01}
        target = made(3, list(errors), errors=errors)
        target.add_instruction(CZGate(), {(0, 1): InstructionProperties(error=0.001)})
        assert fitted(target, 2).place.qubits == (0, 1)

    def test_qubits_that_cannot_be_measured_are_left_out(self):
        line = [(0, 1), (1, 2), (2, 3)]
        assert fitted(made(4, line, without=(0,)), 3).place.qubits == (1, 2, 3)
        assert fitted(made(4, None, without=(1,)), 3).place.qubits == (0, 2, 3)

    @settings(max_examples=30, deadline=None)
    @given(st.integers(3, 7), st.data())
    def test_any_all_to_all_target_stays_so(self, size, data):
        qubits = data.draw(st.integers(2, size))
        order = [p if data.draw(st.booleans()) else p[::-1] for p in one_way(size)]
        fit = fitted(made(size, order), qubits)
        assert fit.layout == "all-to-all"
        edges = {frozenset(edge) for edge in fit.target.build_coupling_map().get_edges()}
        assert len(edges) == qubits * (qubits - 1) // 2

    def test_disjoint_placements(self):
        line = list(itertools.pairwise(range(7)))
        found = fits(made(7, line), "theirs", 3, placements=2)
        assert len({q for fit in found for q in fit.place.qubits}) == 6
        ions = fits(made(7, one_way(7)), "theirs", 3, placements=2)
        assert [fit.place.qubits for fit in ions] == [(0, 1, 2), (3, 4, 5)]


class TestCut:
    def test_gates_of_other_names_and_angle_bounds_are_left_out(self):
        target = made(3, [(0, 1), (1, 2)])
        target.add_instruction(RXGate(0.1), {(0,): None}, name="rx_tenth")
        target.add_instruction(
            RZZGate(P), {(0, 1): None, (1, 2): None}, angle_bounds=[(0, np.pi / 2)]
        )
        assert set(fitted(target, 3).target.operation_names) == {"cx", "rz", "sx", "x", "measure"}
        assert "rzz" in fitted(target, 3, fractional=True).target.operation_names

    def test_free_gates_of_one_qubit_beside_edges(self):
        target = Target(num_qubits=3)
        for gate in (*TURNS, Measure()):
            target.add_instruction(gate)
        target.add_instruction(CXGate(), {(0, 1): None, (1, 2): None})
        fit = fitted(target, 3)
        assert fit.layout == "line"
        assert fit.target.build_coupling_map().size() == 3
        assert set(fit.target["sx"]) == {(0,), (1,), (2,)}

    def test_free_pairs_beside_edges(self):
        # Qiskit takes the edges of cz for all that there are
        target = made(3, None)
        target.add_instruction(CZGate(), {(0, 1): None})
        fit = fitted(target, 3)
        assert fit.layout == "all-to-all"
        assert fit.target.build_coupling_map() is None
        assert "cz" not in fit.target.operation_names

    def test_readout_errors(self):
        target = made(3, [(0, 1), (1, 2)], read=[0.1, 0.02, 0.03])
        readout = measure_errors(target)
        assert readout.tolist() == [[0.1, 0.1], [0.02, 0.02], [0.03, 0.03]]
        fit = fitted(target, 2, readout=readout)
        assert fit.place.qubits == (1, 2)
        assert fit.readout.tolist() == [[0.02, 0.02], [0.03, 0.03]]

    def test_no_readout_errors(self):
        assert measure_errors(made(2, [(0, 1)])) is None
        assert fitted(made(2, [(0, 1)]), 2).readout is None

    def test_whether_errors_are_reported(self):
        assert not reports_errors(made(2, [(0, 1)]))
        assert not reports_errors(made(2, None))
        assert not reports_errors(made(2, [(0, 1)], errors={(0, 1): 0.0}))
        assert reports_errors(made(2, [(0, 1)], errors={(0, 1): 0.001}))
        assert reports_errors(GenericBackendV2(2, seed=1).target)


class TestRefusals:
    @pytest.mark.parametrize("qubits", [0, -1, 1.5, "2", True, None])
    def test_bad_numbers_of_qubits(self, qubits):
        assert "qubits: wanted an integer >= 1" in refusal(made(3, None), qubits)

    def test_too_small(self):
        assert refusal(made(3, None), 4) == "qubits: wanted at most 3 on theirs, got 4"

    def test_no_measure(self):
        target = Target(num_qubits=2)
        target.add_instruction(CXGate())
        assert refusal(target, 2) == "backend theirs: wanted a target with measure, got cx"

    def test_too_few_that_can_be_measured(self):
        text = refusal(made(3, None, without=(0, 1)), 2)
        assert text == "backend theirs: wanted 2 qubits that can be measured, got 1"

    def test_not_connected(self):
        assert "wanted 3 connected qubits of theirs" in refusal(made(4, [(0, 1), (2, 3)]), 3)

    @pytest.mark.parametrize(
        ("gate", "turns"),
        [(CXGate(), (XGate(),)), (CXGate(), (HGate(), SXGate())), (iSwapGate(), (HGate(),))],
    )
    def test_too_few_gates(self, gate, turns):
        text = refusal(made(2, [(0, 1)], gate, turns=turns), 2)
        assert text.startswith("backend theirs: wanted gates that make any rotation of a qubit")
        assert f"got {', '.join(sorted({gate.name, 'measure', *(t.name for t in turns)}))}" in text

    def test_no_gate_of_two_qubits(self):
        target = Target(num_qubits=2)
        for gate in (*TURNS, Measure()):
            target.add_instruction(gate, {(0,): None, (1,): None})
        assert "wanted 2 connected qubits of theirs" in refusal(target, 2)
        assert fitted(target, 1).target.num_qubits == 1

    def test_fractional_gates_need_rzz(self):
        text = refusal(made(2, [(0, 1)]), 2, fractional=True)
        assert text == "fractional: wanted a backend with rzz, got theirs, which has none"

    def test_placements(self):
        assert "whose qubits are all alike, got 2" in refusal(made(4, None), 2, placements=2)
        assert "placements: wanted 2 lines" in refusal(made(3, [(0, 1), (1, 2)]), 2, placements=2)
