"""Every mitigation on counts whose noise is known exactly, and chains of them."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qbrain.backends.readout import has_mthree
from qbrain.classical_feedback.estimator import EstimateError
from qbrain.experiments.engine.chains import MTHREE, RAW, chain_of, label_of
from qbrain.experiments.engine.mitigation import Mitigator
from qbrain.experiments.engine.readings import Heading, Reading, Role

N = 4
SHOTS = 10**7  # so many that rounding to whole shots is below 1e-6
ONES = np.array([x.bit_count() for x in range(2**N)])
LEVELS = np.arange(N + 1) / N
# a symmetric state of even parity: P(0), P(2), P(4)
EXACT = np.array([0.55, 0, 0.3, 0, 0.15])
STATE = EXACT[ONES] / np.array([math.comb(N, n) for n in ONES])
ENERGY = float(EXACT @ LEVELS)
DECAY = 0.01  # of the signal, a two-qubit gate


def counts(p):
    return {x: round(SHOTS * w) for x, w in enumerate(p) if round(SHOTS * w)}


def mixed(p, gates, decay=DECAY):
    """Depolarised by so many gates."""
    left = math.exp(-decay * gates)
    return left * np.asarray(p) + (1 - left) / 2**N


def basis(word):
    return np.eye(2**N)[word]


def misread(p, readout):
    matrix = np.ones((1, 1))
    for a, b in readout:  # the last factor is bit 0
        matrix = np.kron(np.array([[1 - a, b], [a, 1 - b]]), matrix)
    return matrix @ p


def taken(role, found, order, gates, exact=None):
    return Reading(Heading(role, order, gates, 0, {"method": "none", "checks": []}, exact), found)


def reading(p, gates=0, exact=None, **role):
    return taken(Role(**role), counts(p), tuple(range(N)), gates, exact)


def echoes(noise=mixed, placement=0, scale=1.0):
    return [
        reading(noise(basis(0), g * scale), int(g * scale), 0.0,
                kind="echo", placement=placement, scale=scale, number=k)
        for k, g in enumerate((10, 20, 30, 40))
    ]  # fmt: skip


def mitigator(*names, **options):
    return Mitigator(N, frozenset(names), parity=0, **options)


def test_no_chain_is_the_raw_estimate():
    found = mitigator().by(RAW, [reading(mixed(STATE, 25), 25)])
    assert found.value == pytest.approx(0.5 + (ENERGY - 0.5) * math.exp(-0.25), abs=1e-6)
    assert found.value == found.raw_value
    assert found.kept == 1


@pytest.mark.parametrize("chain", [{"echo"}, {"echo", "parity"}])
def test_echoes_undo_a_loss_of_signal_in_energy_and_populations(chain):
    made = mitigator(*chain)
    point = reading(mixed(STATE, 25), 25)
    made.calibrate([point, *echoes()])
    found = made.estimate([point])
    # parity bends the exponential of the signal; a parabola in its logarithm follows to 1e-4
    assert found.value == pytest.approx(ENERGY, abs=2e-4)
    np.testing.assert_allclose(found.populations, EXACT, atol=1e-3)
    assert abs(found.raw_value - ENERGY) > 0.03
    assert found.stderr > found.raw_stderr


def test_circuits_at_phase_zero_serve_as_references_too():
    made = mitigator("zero")
    references = [
        reading(mixed(basis(0), g), g, 0.0, kind="zero", number=k) for k, g in enumerate((20, 40))
    ]
    point = reading(mixed(STATE, 30), 30)
    made.calibrate(references)
    assert made.estimate([point]).value == pytest.approx(ENERGY, abs=1e-5)


@pytest.mark.parametrize("chain", [{"zne"}, {"zne", "parity"}])
def test_extrapolation_finds_the_exponential_and_doubts_it(chain):
    points = [reading(mixed(STATE, 20 * s), int(20 * s), scale=s) for s in (1.0, 1.5, 2.0)]
    found = mitigator(*chain).estimate(points)
    # after parity the decay is no pure exponential
    assert found.value == pytest.approx(ENERGY, abs=3e-3 if "parity" in chain else 1e-5)
    assert found.stderr > 2 * found.raw_stderr
    assert abs(found.populations.sum() - 1) < 1e-9


def test_without_two_qubit_gates_there_is_nothing_to_extrapolate():
    points = [reading(STATE, 0, scale=s) for s in (1.0, 1.5, 2.0)]
    assert mitigator("zne").estimate(points).value == pytest.approx(ENERGY, abs=1e-6)


READOUT = np.array([[0.02, 0.05], [0.01, 0.03], [0.0, 0.08], [0.04, 0.01]])


def calibrations(readout=READOUT, placement=0):
    return [
        reading(misread(basis(word), readout), kind="readout", placement=placement, number=k)
        for k, word in enumerate((0, 15))
    ]


@pytest.mark.parametrize("chain", [{"readout"}, {"readout", "parity"}])
def test_measured_assignment_errors_are_undone_and_kept_on_record(chain):
    made = mitigator(*chain, published=[np.full((N, 2), 0.3)])
    point = reading(misread(STATE, READOUT), 5)
    made.calibrate([point, *calibrations()])
    found = made.estimate([point])
    assert found.value == pytest.approx(ENERGY, abs=1e-5)
    np.testing.assert_allclose(found.populations, EXACT, atol=1e-5)
    np.testing.assert_allclose(made.calibrations[0].readout, READOUT, atol=1e-6)


def test_errors_of_reading_follow_the_qubits_not_the_bits():
    made = mitigator("readout", published=[np.zeros((N, 2))])
    made.calibrate(calibrations())
    order = (2, 0, 3, 1)  # bit j is read from qubit order[j]
    noisy = counts(misread(STATE, READOUT[list(order)]))
    found = made.estimate([taken(Role(), noisy, order, 5)])
    assert found.value == pytest.approx(ENERGY, abs=1e-5)


@pytest.mark.skipif(not has_mthree(), reason="mthree is not installed")
def test_mthree_agrees_with_the_full_inversion():
    made = mitigator("readout", published=[READOUT])
    point = reading(misread(STATE, READOUT), 5)
    assert MTHREE in made.chains([point])
    assert made.by(MTHREE, [point]).value == pytest.approx(ENERGY, abs=1e-4)


def test_the_whole_chain_at_two_places():
    def noise(p, gates):
        return misread(mixed(p, gates), READOUT)

    made = mitigator("parity", "readout", "echo", "placements", published=[None, None])
    points = [reading(noise(STATE, 25), 25, placement=p) for p in (0, 1)]
    references = [r for p in (0, 1) for r in echoes(noise, p) + calibrations(placement=p)]
    made.calibrate(references)
    found = made.estimate(points)
    assert found.value == pytest.approx(ENERGY, abs=3e-4)
    np.testing.assert_allclose(found.populations, EXACT, atol=1e-3)


def test_places_are_averaged_and_their_scatter_is_the_error():
    made = mitigator("placements", published=[None, None])
    points = [reading(mixed(STATE, g), g, placement=p) for p, g in ((0, 10), (1, 30))]
    found = made.estimate(points)
    each = [0.5 + (ENERGY - 0.5) * math.exp(-DECAY * g) for g in (10, 30)]
    assert found.value == pytest.approx(np.mean(each), abs=1e-6)
    assert found.stderr == pytest.approx(abs(each[0] - each[1]) / 2, rel=1e-3)


def test_a_lost_signal_is_told_and_not_divided_by():
    made = mitigator("echo")
    # thirty shots a circuit and nothing left of the answer
    noise = {3: 9, 5: 8, 15: 8}
    order = (0, 1, 2, 3)
    gone = [taken(Role("echo", number=k), {0: 15 - 2 * k, **noise}, order, 100 * k, 0.0)
            for k in (1, 2, 3)]  # fmt: skip
    made.calibrate(gone)
    with pytest.raises(EstimateError, match=r"mitigation echo: .*signal"):
        made.estimate([taken(Role(), noise, order, 500)])


def test_the_table_has_raw_every_single_one_with_parity_and_all():
    made = mitigator("parity", "echo", "zne")
    names = [label_of(chain) for chain in made.chains([])]
    assert names[0] == "raw"
    assert names[-1] == "parity+echo+zne"
    assert set(names) == {
        "raw", "parity", "echo", "zne", "parity+echo", "parity+zne", "parity+echo+zne"
    }  # fmt: skip


def test_circuits_are_counted_by_what_a_chain_needs():
    made = mitigator("parity", "echo", "zne", "readout", "placements")
    readings = [
        taken(Role(kind, p, s, k), {0: 1}, (0, 1, 2, 3), 4)
        for kind, number in (("point", 1), ("echo", 4))
        for k, p, s in itertools.product(range(number), (0, 1), (1.0, 1.5, 2.0))
    ]
    readings += [taken(Role("readout", p, 1.0, k), {0: 1}, (0, 1, 2, 3), 0)
                 for k, p in itertools.product((0, 1), (0, 1))]  # fmt: skip
    needed = {
        "none": 1, "parity": 1, "readout": 3, "echo": 5, "zne": 3, "echo+zne": 15,
    }  # fmt: skip
    for text, number in needed.items():
        assert made.circuits_for(chain_of(text), readings) == number, text
    assert made.circuits_for(frozenset({"placements"}), readings) == 2
    assert made.circuits_for(made.wanted, readings) == len(readings)


@given(
    st.builds(
        taken,
        st.builds(
            Role,
            st.sampled_from(["point", "echo", "zero", "readout"]),
            st.integers(0, 9),
            st.floats(1, 9),
            st.integers(0, 9),
        ),
        st.dictionaries(st.integers(0, 2**100), st.integers(1, 10**9), min_size=1),
        st.lists(st.integers(0, 200)).map(tuple),
        st.integers(0, 10**5),
        st.none() | st.floats(0, 1),
    )
)
def test_a_reading_survives_its_record(found):
    assert Reading.from_record(found.record()) == found


@pytest.mark.parametrize("text", ["", "parity+", "parity+parity", "echo+zero", "placements", "x"])
def test_unknown_chains_are_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 - the configuration adds field and input
        chain_of(text)


@pytest.mark.parametrize("text", ["none", "parity", "echo+parity", "zne+readout+parity"])
def test_a_chain_is_called_by_its_names_in_the_order_of_their_use(text):
    name = label_of(chain_of(text))
    assert name == "raw" if text == "none" else chain_of(name) == chain_of(text)
