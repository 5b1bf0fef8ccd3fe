"""Where the bits of entangled neurons come from, and what is counted of them: exact answers."""

import itertools
import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qbrain.experiments.errors import ConfigError
from qbrain.experiments.qlif.config import QlifConfig
from qbrain.experiments.qlif.groups import (
    Rasters,
    distinct_settings,
    group_amplitudes,
    group_correlator,
    group_source,
    setting_words,
)
from qbrain.experiments.qlif.measures import (
    bell_counts,
    chsh_of,
    classical_operations,
    corrected_chsh,
    corrected_points,
    matched_table,
    measure_spikes,
    parity_points,
)
from qbrain.experiments.qlif.model import QlifModel
from qbrain.experiments.qlif.shots import RecordedShots, ShotPlan
from qbrain.reference.qlif.bell import chsh_value, joint, marginal, pair_table
from qbrain.reference.qlif.spike_synchrony import synchrony

ANGLES = st.floats(-math.pi, math.pi)
PHI = st.floats(0, math.pi / 2)


def configure(**values):
    return QlifConfig.from_mapping({"backend": "exact", "seed": 4, **values})


def bits_of(words, neurons):
    return np.asarray(words)[..., None] >> np.arange(neurons) & 1


# --------------------------------------------------------------------------------------- the state


@given(PHI, ANGLES, ANGLES)
def test_amplitudes_of_a_pair_are_its_probabilities(phi, a, b):
    found = group_amplitudes(phi, (a, b)) ** 2
    np.testing.assert_allclose(found.reshape(2, 2).T, joint(phi, a, b), atol=1e-12)


@given(PHI, st.lists(ANGLES, min_size=1, max_size=6))
def test_a_group_has_a_norm_a_parity_and_marginals(phi, angles):
    n = len(angles)
    found = group_amplitudes(phi, angles) ** 2
    assert found.sum() == pytest.approx(1, abs=1e-12)
    bits = bits_of(np.arange(2**n), n)
    parity = found @ (-1.0) ** bits.sum(axis=1)
    assert parity == pytest.approx(group_correlator(phi, angles), abs=1e-12)
    if n > 1:
        means = found @ (1 - 2 * bits)
        np.testing.assert_allclose(means, [marginal(phi, a) for a in angles], atol=1e-12)


@pytest.mark.parametrize("visibility", [1.0, 0.6])
@pytest.mark.parametrize("angles", [(0.3, 1.2, -0.8), (math.pi / 2,) * 3, (0.0, 0.0, 2.0)])
def test_drawn_bits_have_the_probabilities_of_the_state(angles, visibility):
    phi, shots = 0.6, 200_000
    config = configure(
        group=3, settings="fixed", angles=",".join(map(str, angles)), visibility=visibility
    )
    law = QlifModel(config).law
    voltage = np.zeros((shots, 3))
    random = np.random.default_rng(2)
    for kind in ("entangled", "shared bit", "private bit"):
        found = group_source(kind, phi, visibility, law, random)(0, voltage)
        counts = np.bincount(found @ [1, 2, 4], minlength=8) / shots
        if kind == "entangled":
            wanted = group_amplitudes(phi, angles) ** 2
        elif kind == "shared bit":
            halves = [group_amplitudes(end, angles) ** 2 for end in (0, math.pi / 2)]
            wanted = math.cos(phi) ** 2 * halves[0] + math.sin(phi) ** 2 * halves[1]
        else:
            ones = [(1 - float(marginal(phi, a))) / 2 for a in angles]
            wanted = np.prod(np.where(bits_of(np.arange(8), 3), ones, 1 - np.array(ones)), axis=1)
        if kind != "private bit":
            wanted = visibility * wanted + (1 - visibility) / 8
            # within five standard errors, eight times nine comparisons
            assert np.abs(counts - wanted).max() < 5 * np.sqrt(0.25 / shots)
        else:
            means = 1 - 2 * found.mean(axis=0)
            exact = [float(marginal(phi, a, visibility)) for a in angles]
            assert np.abs(means - exact).max() < 5 / math.sqrt(shots)
    assert group_source("plain", phi, visibility, law, random) is None


# --------------------------------------------------------------------------------------- the ticks


@pytest.mark.parametrize(
    "form", [{}, {"settings": "fixed", "angles": "0.4,0.1"}, {"settings": "linear", "slope": 0.2}]
)
def test_the_reference_and_the_membranes_spike_alike(form):
    """Two simulations that share no code, one fed with the other's bits."""
    model = QlifModel(configure(ticks=300, pairs=7, current=1.4, current_second=1.1, **form))
    session = model.sessions[0]
    wanted = model.simulate("entangled", session)
    found = model.ticks(session, lambda tick, voltage: wanted.outcomes[tick])
    np.testing.assert_array_equal(found.spikes, wanted.spikes)
    if wanted.settings is not None:
        np.testing.assert_array_equal(found.settings, wanted.settings)
    else:
        np.testing.assert_allclose(found.angles, wanted.angles, atol=1e-5)
    assert wanted.spikes.sum() > 30


@pytest.mark.parametrize(("kind", "kick"), [("plain", 0.0), ("coupled", 2.5)])
def test_neurons_without_bits_spike_as_the_reference_does(kind, kick):
    model = QlifModel(configure(ticks=400, pairs=5, current=1.6, kick=kick))
    session = model.sessions[0]
    wanted = model.simulate(kind, session)
    found = model.ticks(session, None, kick=kick)
    np.testing.assert_array_equal(found.spikes, wanted.spikes)
    assert found.outcomes is None
    assert wanted.spikes.sum() > 30


def test_sessions_have_seeds_of_their_own_and_one_drive_raised():
    model = QlifModel(configure(current=1.0, current_second=1.3, drive_step=0.5, group=3))
    base, second, first = model.sessions
    assert len({base.seed, second.seed, first.seed}) == 3
    assert base.currents == (1.0, 1.3, 1.3)
    assert second.currents == (1.0, 1.8, 1.8)
    assert first.currents == (1.5, 1.3, 1.3)
    assert len(QlifModel(configure(drive_step=0)).sessions) == 1


# ---------------------------------------------------------------------------------- recorded shots


def test_shots_are_used_once_each_in_their_order():
    config = QlifConfig.from_mapping({"seed": 1, "ticks": 200, "pairs": 6, "shots": 500})
    model = QlifModel(config)
    plan = ShotPlan(model)
    assert plan.uses.sum() == 200 * 6 * 3
    assert np.all(np.array(plan.copies) * 500 >= config.margin * plan.uses)
    random = np.random.default_rng(0)
    shots = [random.integers(0, 2, (c * 500, 2)).astype(np.uint8) for c in plan.copies]
    recorded = RecordedShots(plan, shots, config.margin)
    rasters = recorded.sessions(model)
    assert recorded.used.sum() == 200 * 6 * 3
    places = [
        plan.place[r.settings.astype(int) @ [1, 2]].ravel() for r in rasters
    ]  # tick after tick, pair after pair
    bits = [r.outcomes.reshape(-1, 2) for r in rasters]
    for number, own in enumerate(shots):
        taken = np.concatenate([b[p == number] for b, p in zip(bits, places, strict=True)])
        np.testing.assert_array_equal(taken, own[: len(taken)])
        assert len(taken) == recorded.used[number]


def test_shots_that_run_out_are_said_to_have():
    config = QlifConfig.from_mapping({"seed": 1, "ticks": 50, "pairs": 3})
    model = QlifModel(config)
    shots = [np.zeros((20, 2), dtype=np.uint8)] * 4
    recorded = RecordedShots(ShotPlan(model), shots, 1.0)
    with pytest.raises(ConfigError, match=r"^margin: wanted more shots .* used up in tick \d+ of"):
        recorded.sessions(model)


def test_settings_that_are_alike_share_a_circuit():
    plan = ShotPlan(QlifModel(QlifConfig.from_mapping({"seed": 1, "group": 4, "ticks": 20})))
    assert len(plan.angles) == 4
    assert plan.place.shape == (16,)
    fixed = QlifConfig.from_mapping({"seed": 1, "settings": "fixed", "ticks": 20})
    assert len(ShotPlan(QlifModel(fixed)).angles) == 1
    rows = ((0.1, 0.2), (0.3, 0.4), (0.5, 0.5))
    angles, place = distinct_settings(rows)
    assert angles == [(0.1, 0.3, 0.5), (0.2, 0.3, 0.5), (0.1, 0.4, 0.5), (0.2, 0.4, 0.5)]
    settings = bits_of(np.arange(8), 3)
    np.testing.assert_array_equal(setting_words(settings), np.arange(8))
    np.testing.assert_array_equal(place, settings[:, 0] + 2 * settings[:, 1])


# ---------------------------------------------------------------------------------- what is counted


def exact_rasters(table, each=4000):
    """Rasters whose counts are a table's probabilities, as near as whole numbers are."""
    rows = []
    for x, y, a, b in itertools.product(range(2), repeat=4):
        rows += [(x, y, a, b)] * round(each * table[x, y, a, b])
    rows = np.array(rows, dtype=np.uint8)
    spikes = np.zeros((1, len(rows), 2), dtype=np.uint8)
    return Rasters(spikes, outcomes=rows[None, :, 2:], settings=rows[None, :, :2])


@given(st.floats(0.1, 1.4), st.floats(0, 0.2), st.floats(0, 0.2), st.floats(0, 0.2))
@settings(max_examples=30)
def test_readout_errors_are_inverted_exactly(phi, p, q, r):
    config = configure(phi=phi)
    rows = config.angle_rows
    table = pair_table(phi, *rows)
    wrong = np.array([[p, q], [r, p]])
    flips = [np.array([[1 - p0, q1], [p0, 1 - q1]]) for p0, q1 in wrong]
    read = np.einsum("ia,jb,xyab->xyij", *flips, table)
    # whole numbers of 10^9 shots
    counts = np.round(read * 10**9).astype(np.int64)
    every = {(x, y): (wrong, np.zeros((2, 2))) for x in range(2) for y in range(2)}
    value, stderr = corrected_chsh(counts, every)
    assert value == pytest.approx(chsh_value(table), abs=1e-7)
    # the correction divides by 1 − p − q: it cannot make errors smaller
    assert stderr >= 0.99 * chsh_of(counts).stderr
    found, exact, spread = corrected_points(counts, every, config)
    np.testing.assert_allclose(found, exact, atol=1e-7)
    assert found @ [1, 1, 1, -1] == pytest.approx(value)
    assert math.sqrt(np.sum(spread**2)) == pytest.approx(stderr)
    unsure = {key: (wrong, np.full((2, 2), 0.01)) for key in every}
    assert corrected_chsh(counts, unsure)[1] > stderr


@pytest.mark.parametrize(
    ("form", "points"),
    [
        ({}, 4),
        ({"visibility": 0.7, "phi": 0.5}, 4),
        ({"settings": "fixed", "angles": "0.4,0.1"}, 1),
        ({"settings": "linear", "slope": 0.2, "angles": "0.4,0.1"}, 1),
        ({"group": 3, "phi": 0.6}, 4),
        ({"group": 4, "settings": "fixed", "angles": "0,0,0,0"}, 1),
    ],
)
def test_parities_of_exact_bits_are_the_states(form, points):
    config = configure(ticks=400, pairs=20, current=1.4, **form)
    model = QlifModel(config)
    rasters = model.simulate("entangled", model.sessions[0])
    found, exact, spread = parity_points(rasters, config)
    assert len(found) == len(exact) == len(spread) == points
    assert np.all(np.abs(found - exact) <= 4.5 * spread + 1e-9)
    if not form:
        np.testing.assert_allclose(np.abs(exact), math.sqrt(0.5))
        assert found @ [1, 1, 1, -1] == pytest.approx(chsh_of(bell_counts(rasters, config)).value)
    plain = model.simulate("plain", model.sessions[0])
    with pytest.raises(ValueError, match="wanted those of neurons with bits"):
        parity_points(plain, config)


@given(PHI, st.floats(0.3, 1))
@settings(max_examples=30)
def test_the_table_for_shared_bits_is_the_one_that_was_counted(phi, visibility):
    config = configure(phi=phi)
    table = pair_table(phi, *config.angle_rows, visibility)
    found = matched_table(exact_rasters(table, 10**4), config)
    if found is None:
        # rounding makes probabilities of 0 negative; elsewhere there is a table
        assert table.min() < 1e-3
        return
    np.testing.assert_allclose(found, table, atol=2e-3)
    sides = found.sum(axis=3), found.sum(axis=2)
    np.testing.assert_allclose(sides[0][:, 0], sides[0][:, 1], atol=1e-12)
    np.testing.assert_allclose(sides[1][0], sides[1][1], atol=1e-12)


def test_a_groups_others_tell_which_state_the_first_two_are_left_in():
    """All outcomes of a group of four with their exact weights: S is the pair's."""
    config = configure(group=4)
    rows, phi = config.angle_rows, config.phi
    outcomes, chosen = [], []
    for word in range(4):
        own = tuple(row[word >> i & 1] for i, row in enumerate(rows))
        for value, p in enumerate(group_amplitudes(phi, own) ** 2):
            times = round(16000 * p)
            outcomes += [bits_of(value, 4)] * times
            chosen += [[word & 1, word >> 1, 0, 1]] * times
    rasters = Rasters(
        np.zeros((1, len(chosen), 4), dtype=np.uint8),
        np.array([outcomes], dtype=np.uint8),
        np.array([chosen], dtype=np.uint8),
    )
    assert chsh_of(bell_counts(rasters, config)).value == pytest.approx(2 * math.sqrt(2), abs=2e-3)
    other = configure(group=4, angles="0,1,0.5,-0.5,0,1,0,1")
    assert bell_counts(rasters, other) is None


def test_metrics_of_a_group_are_means_over_its_pairs():
    config = configure(group=3, ticks=200, pairs=10, current=1.6)
    model = QlifModel(config)
    spikes = model.simulate("coupled", model.sessions[0]).spikes
    found = measure_spikes(spikes, config)["synchrony"]
    each = [synchrony(spikes[..., list(two)], 1) for two in itertools.combinations(range(3), 2)]
    assert found.value == pytest.approx(np.mean([m.value for m in each]))
    assert found.stderr == pytest.approx(np.mean([m.stderr for m in each]))
    assert found.value > 0.1


def test_operations_count_neurons_and_what_they_do():
    config = configure(pairs=10)
    plain = classical_operations("plain", config, tabulated=True)
    assert plain == 20 * 8
    entangled = classical_operations("entangled", config, tabulated=True)
    assert entangled > classical_operations("entangled", config, tabulated=False) > plain
    assert classical_operations("plain", configure(pairs=20), tabulated=True) == 2 * plain


def test_of_a_single_pair_there_is_no_scatter():
    config = configure(pairs=1, ticks=100, current=2.0)
    model = QlifModel(config)
    found = measure_spikes(model.simulate("plain", model.sessions[0]).spikes, config)
    assert math.isnan(found["synchrony"].stderr)
    assert not math.isnan(found["rate_hz"].value)
    short = SimpleNamespace(tick=1.0, coincidence=1.0, count_window=80.0)
    nothing = measure_spikes(np.zeros((100, 2, 2), dtype=np.uint8), short)
    assert math.isnan(nothing["count_correlation"].value)
