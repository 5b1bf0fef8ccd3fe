"""Pairs of neurons: against slow loops written out, closed forms and what each kind may not do."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2

from qbrain.classical_feedback.lif import LevelSettings, Membranes
from qbrain.reference.qlif import KINDS, QlifError, QlifPair, random_streams, simulate_pairs
from qbrain.reference.qlif.bell import chsh_value, joint, local_model
from qbrain.reference.qlif.bell_counts import (
    compare_rates,
    estimate_chsh,
    no_signalling,
    setting_counts,
)
from qbrain.reference.qlif.spike_synchrony import synchrony

SHARING = KINDS[:3]
FIXED = ((0.3,), (-0.4,))
STILL = QlifPair(angles=FIXED)


def counts_of(run, sizes=(2, 2)):
    return setting_counts(run.settings.values, run.outcomes.values, sizes)


def fit(counts, table):
    """p of Pearson's χ² of counts against a table, settings being given."""
    wanted = counts.sum(axis=(2, 3), keepdims=True) * table
    some = wanted > 0
    assert not counts[~some].any()
    statistic = ((counts - wanted)[some] ** 2 / wanted[some]).sum()
    return chi2.sf(statistic, some.sum() - table.shape[0] * table.shape[1])


def by_hand(ticks, pairs, kind, pair, current, seed):
    """The same pairs, one neuron at a time."""
    noise, bits = random_streams(seed)
    table = pair.table() if kind in SHARING else None
    model = local_model(table) if kind == "shared bit" else None
    v = [[pair.rest, pair.rest] for _ in range(pairs)]
    held = [[0, 0] for _ in range(pairs)]
    before = np.zeros((pairs, 2), dtype=int)
    spikes, outcomes = np.zeros((2, ticks, pairs, 2), dtype=int)
    limit = pair.rest + pair.resistance * current
    for k in range(ticks):
        z, u = noise.standard_normal((2, pairs)), bits.random((2, pairs))
        for p in range(pairs):
            x, y = (int(len(pair.angles[i]) > 1 and v[p][i] >= pair.level) for i in (0, 1))
            if kind == "shared bit" and pair.sizes != (1, 1):
                row = np.flatnonzero(u[0, p] < np.append(np.cumsum(model.weights)[:-1], 1.0))[0]
                outcomes[k, p] = model.first[row, x], model.second[row, y]
            elif table is not None:
                one, cell = table[x, y, 1].sum(), table[x, y]
                a = int(u[0, p] < one)
                rest = u[0, p] if a else u[0, p] - one
                b = int(rest < cell[a, 1])
                if kind == "private bit":
                    b = int(u[1, p] < cell[:, 1].sum())
                outcomes[k, p] = a, b
            for i in (0, 1):
                away = math.exp(-pair.tick / pair.tau)
                moved = limit + (v[p][i] - limit) * away
                moved += pair.noise * math.sqrt(1 - away**2) * z[i, p]
                if kind == "coupled":
                    moved += pair.kick * before[p, 1 - i]
                if held[p][i]:
                    held[p][i] -= 1
                    moved = pair.reset
                elif moved >= pair.threshold - pair.coupling * outcomes[k, p, i]:
                    spikes[k, p, i] = 1
                    held[p][i] = math.ceil(pair.refractory / pair.tick)
                    moved = pair.reset
                v[p][i] = moved
        before = spikes[k]
    return spikes, outcomes


@pytest.mark.parametrize(
    "pair",
    [
        QlifPair(phi=0.6, visibility=0.9),
        STILL,
        QlifPair(angles=((0.1, 1.2), (0.4,)), tick=0.5, refractory=1.5),
        QlifPair(angles=((0.1,), (0.4, 2.0)), reset=-70.0, refractory=0.0),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_the_slow_loop(kind, pair):
    spikes, outcomes = by_hand(120, 6, kind, pair, 1.7, 5)
    found = simulate_pairs(120, 6, kind, pair, current=1.7, seed=5)
    assert spikes.sum() > 10
    np.testing.assert_array_equal(found.spikes.values, spikes)
    if kind in SHARING:
        np.testing.assert_array_equal(found.outcomes.values, outcomes)
    else:
        assert list(found.data_vars) == ["spikes"]


def test_membranes_of_the_feedback_loop_are_these():
    pair = QlifPair(tick=0.5, refractory=1.2, reset=-68.0)
    found = simulate_pairs(400, 8, "entangled", pair, current=[1.3, 1.6], seed=2, voltages=True)
    membranes = Membranes(tick=0.5, refractory=1.2, reset=-68.0)
    law = LevelSettings(angles=pair.angles, level=pair.level)
    noise, _ = random_streams(2)
    v, held = membranes.start((8, 2))
    for k in range(400):
        np.testing.assert_array_equal(law.index(v), found.settings.values[k])
        bits = found.outcomes.values[k]
        v, spikes, held = membranes.step(v, held, [1.3, 1.6], bits, noise.standard_normal((2, 8)).T)
        np.testing.assert_array_equal(spikes, found.spikes.values[k])
        np.testing.assert_allclose(v, found.voltage.values[k], atol=1e-4)  # float32
    assert found.spikes.values.sum() > 50


def test_blocks_of_random_numbers_leave_no_seam(monkeypatch):
    whole = simulate_pairs(300, 5, "entangled", seed=1)
    monkeypatch.setattr("qbrain.reference.qlif.pairs.BLOCK", 35)
    assert whole.identical(simulate_pairs(300, 5, "entangled", seed=1))
    assert not whole.equals(simulate_pairs(300, 5, "entangled", seed=2))
    # a shorter run is the longer one's beginning
    short = simulate_pairs(100, 5, "entangled", seed=1)
    assert short.equals(whole.isel(tick=slice(100)))


def test_intervals_without_noise_are_the_closed_form():
    pair = replace(STILL, noise=0.0)
    found = simulate_pairs(500, 1, "plain", pair, current=[1.8, 2.2]).spikes.values[:, 0]
    for side, limit in enumerate((-47.0, -43.0)):
        charging = math.ceil(20 * math.log((limit + 65) / (limit + 50)))
        assert set(np.diff(np.flatnonzero(found[:, side]))) == {charging + 2}


@pytest.mark.parametrize("kind", SHARING)
@pytest.mark.parametrize("visibility", [1.0, 0.8])
@pytest.mark.parametrize("angles", [FIXED, QlifPair().angles])
def test_outcomes_follow_the_table_whatever_the_voltages_did(kind, visibility, angles):
    pair = QlifPair(phi=0.5, visibility=visibility, angles=angles)
    table = pair.table()
    if kind == "private bit":
        first, second = table.sum(axis=3), table.sum(axis=2)
        table = first[..., :, None] * second[..., None, :]
    if kind == "shared bit":
        table = local_model(table).table()
    found = counts_of(simulate_pairs(1500, 40, kind, pair, seed=3), pair.sizes)
    assert found.sum() == 1500 * 40
    assert fit(found, table) > 1e-3


def test_with_fixed_settings_a_shared_bit_is_the_entangled_pair_spike_by_spike():
    entangled, private, shared = (
        simulate_pairs(2000, 20, kind, STILL, seed=4).spikes.values for kind in SHARING
    )
    np.testing.assert_array_equal(entangled, shared)
    # one neuron alone sees no difference to a private bit either
    np.testing.assert_array_equal(entangled[..., 0], private[..., 0])
    assert (entangled[..., 1] != private[..., 1]).any()


@pytest.mark.parametrize("visibility", [1.0, 0.9, 0.7])
def test_settings_by_voltage_break_the_inequality_and_no_shared_bit_does(visibility):
    pair = QlifPair(visibility=visibility)
    wanted = 2 * math.sqrt(2) * visibility
    assert chsh_value(pair.table()) == pytest.approx(wanted)
    values = {}
    for kind in SHARING:
        counts = counts_of(simulate_pairs(2500, 40, kind, pair, seed=6))
        values[kind] = estimate_chsh(counts)
        assert no_signalling(counts).p_value > 1e-3
    limits = {"entangled": wanted, "shared bit": min(2.0, wanted), "private bit": 0.0}
    for kind, estimate in values.items():
        assert abs(estimate.value - limits[kind]) < 4.5 * estimate.stderr
        assert estimate.stderr < 0.03
    assert (values["entangled"].low > 2) == (visibility > 1 / math.sqrt(2))


def test_a_shared_bit_is_local_draw_by_draw():
    # the partner's drive, and so its settings, change nothing at all
    for kind in ("shared bit", "private bit"):
        one, other = (
            simulate_pairs(1000, 20, kind, current=[drive, 1.2], seed=7) for drive in (1.0, 1.6)
        )
        np.testing.assert_array_equal(one.spikes.values[..., 1], other.spikes.values[..., 1])
        assert (one.settings.values[..., 0] != other.settings.values[..., 0]).any()


@pytest.mark.parametrize("kind", KINDS)
def test_a_drive_reaches_the_partner_of_coupled_neurons_only(kind):
    pair = QlifPair(phi=0.5)
    for side in (0, 1):
        runs = []
        for seed, drive in ((8, 0.9), (9, 1.8)):
            currents = [1.2, 1.2]
            currents[1 - side] = drive
            run = simulate_pairs(1500, 40, kind, pair, current=currents, seed=seed)
            runs.append(run.spikes.values)
        found = compare_rates(runs[1][..., side], runs[0][..., side])
        driven = compare_rates(runs[1][..., 1 - side], runs[0][..., 1 - side])
        assert driven.p_value < 1e-9
        assert (found.p_value < 1e-9) == (kind == "coupled")
        assert kind == "coupled" or found.p_value > 1e-3


def test_what_synchrony_each_kind_has():
    found = {}
    for kind in KINDS:
        spikes = simulate_pairs(4000, 100, kind, QlifPair(angles=((0.0,), (0.0,))), seed=10).spikes
        found[kind] = synchrony(spikes.values)
    free = simulate_pairs(4000, 100, "entangled", QlifPair(), seed=10).spikes
    follows = synchrony(free.values)

    def larger(one, other):
        return (one.value - other.value) / math.hypot(one.stderr, other.stderr)

    assert larger(found["coupled"], found["entangled"]) > 20
    assert larger(found["entangled"], found["private bit"]) > 4
    # settings that follow the voltage: neurons about to fire are at their own second settings,
    # where E = −1/√2, and measure opposite bits
    assert larger(found["private bit"], follows) > 1
    assert larger(found["entangled"], follows) > 5
    # a bit lowers the threshold half of the time, which plain neurons lack
    assert found["plain"].value < found["private bit"].value


@pytest.mark.parametrize("kind", SHARING)
def test_settings_linear_in_the_voltage(kind):
    pair = QlifPair(phi=0.6, visibility=0.9, angles=((0.2,), (-0.5,)), slope=0.15)
    run = simulate_pairs(1500, 40, kind, pair, seed=11, voltages=True)
    angles, bits = run.angle.values.astype(float), run.outcomes.values
    before = np.full(angles.shape, pair.rest)
    before[1:] = run.voltage.values[:-1]
    wanted = np.array([0.2, -0.5]) + 0.15 * (before - pair.level)
    np.testing.assert_allclose(angles, wanted, atol=1e-5)
    p = joint(pair.phi, angles[..., 0], angles[..., 1], pair.visibility)
    first, second = p[..., 1, :].sum(axis=-1), p[..., 1].sum(axis=-1)
    lost = math.sin(2 * pair.phi) * np.sin(angles).prod(axis=-1) * pair.visibility / 4
    both = {
        "entangled": p[..., 1, 1],
        "private bit": first * second,
        "shared bit": p[..., 1, 1] - lost,
    }[kind]
    seen = bits[..., 0] & bits[..., 1]
    # sums over trials of known probabilities, also weighted with the angles that decide them
    for given_, chance in ((bits[..., 0], first), (bits[..., 1], second), (seen, both)):
        for weight in (1.0, np.sin(angles).prod(axis=-1), np.cos(angles[..., 1])):
            z = (weight * (given_ - chance)).sum()
            z /= math.sqrt((weight**2 * chance * (1 - chance)).sum())
            assert abs(z) < 4.5


def test_a_table_from_elsewhere_takes_the_pairs_place():
    box = np.zeros((2, 2, 2, 2))
    for x, y, i in np.ndindex(2, 2, 2):
        box[x, y, i, i ^ (x & y)] = 0.5
    assert fit(counts_of(simulate_pairs(300, 20, "entangled", table=box)), box) > 1e-3
    shared = counts_of(simulate_pairs(300, 20, "shared bit", table=box))
    estimate = estimate_chsh(shared)
    assert abs(estimate.value - 2) < 4.5 * estimate.stderr
    # one that signals, as counted tables do by chance, can be followed but not shared
    signals = np.array(
        [[0.4, 0.1, 0.2, 0.3], [0.25] * 4, [0.1, 0.2, 0.3, 0.4], [0.7, 0.1, 0.1, 0.1]]
    )
    signals = signals.reshape(2, 2, 2, 2)
    assert fit(counts_of(simulate_pairs(300, 20, "entangled", table=signals)), signals) > 1e-3
    with pytest.raises(QlifError, match="table: wanted marginals that depend on the own setting"):
        simulate_pairs(5, 5, "shared bit", table=signals)


def test_what_comes_back():
    run = simulate_pairs(7, 3, "entangled", current=np.ones((7, 2)), seed=3, voltages=True)
    assert dict(run.sizes) == {"tick": 7, "pair": 3, "neuron": 2}
    for name in ("spikes", "outcomes", "settings"):
        assert run[name].dtype == np.uint8
        assert run[name].max() <= 1
    assert run.time.values.tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert run.attrs == {"kind": "entangled", "seed": 3, "tick_ms": 1.0}
    # a drive that comes late changes nothing before
    late = np.ones((7, 2))
    late[4:] = 50.0
    other = simulate_pairs(7, 3, "entangled", current=late, seed=3, voltages=True)
    np.testing.assert_array_equal(run.voltage.values[:4], other.voltage.values[:4])
    assert other.spikes.values[4].all()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: simulate_pairs(0, 5, "plain"), "ticks: wanted a whole number >= 1, got 0"),
        (lambda: simulate_pairs(5, 0, "plain"), "pairs: wanted a whole number >= 1, got 0"),
        (lambda: simulate_pairs(2.5, 5, "plain"), "ticks: wanted a whole number >= 1, got 2.5"),
        (lambda: simulate_pairs(5, 5, "quantum"), "kind: wanted one of entangled, .*got 'quantum'"),
        (lambda: simulate_pairs(5, 5, "plain", seed=-1), "seed: wanted a whole number >= 0"),
        (lambda: simulate_pairs(5, 5, "plain", current=[1, 2, 3]), r"current: .*got shape \(3,\)"),
        (lambda: simulate_pairs(5, 5, "plain", current=math.nan), "current: wanted finite"),
        (
            lambda: simulate_pairs(5, 5, "plain", table=np.ones((2, 2, 2, 2)) / 4),
            "table: wanted none for kind plain",
        ),
        (
            lambda: simulate_pairs(5, 5, "entangled", STILL, table=np.ones((2, 2, 2, 2)) / 4),
            r"table: wanted settings \(1, 1\) of the pair's angles, got \(2, 2\)",
        ),
        (
            lambda: simulate_pairs(
                5, 5, "entangled", replace(STILL, slope=0.1), table=np.ones((1, 1, 2, 2)) / 4
            ),
            "table: wanted none for settings linear in the voltage",
        ),
        (lambda: simulate_pairs(5, 5, "entangled", table=[1.0]), r"table: wanted shape \(X, Y,"),
        (lambda: QlifPair(phi=-0.1), r"phi: wanted an angle in \[0, pi/2\], got -0.1"),
        (lambda: QlifPair(phi=math.nan), "phi: wanted a finite number, got nan"),
        (lambda: QlifPair(visibility=1.1), r"visibility: wanted a number in \[0, 1\], got 1.1"),
        (lambda: QlifPair(tau=-1.0), "tau: wanted a number > 0, got -1"),
        (lambda: QlifPair(tick=0), "tick: wanted a number > 0, got 0"),
        (lambda: QlifPair(noise=-1), "noise: wanted a number >= 0, got -1"),
        (lambda: QlifPair(coupling=-1), "coupling: wanted a number >= 0, got -1"),
        (lambda: QlifPair(kick="x"), "kick: wanted a finite number, got 'x'"),
        (lambda: QlifPair(rest=-53.0), "rest: wanted a voltage below .* = -53, got -53"),
        (lambda: QlifPair(reset=-50.0), "reset: wanted a voltage below .* = -53, got -50"),
        (lambda: QlifPair(angles=((0.0,),)), "angles: wanted settings of two neurons"),
        (lambda: QlifPair(angles=((0, 1, 2), (0,))), "angles: wanted one or two finite settings"),
        (lambda: QlifPair(angles=((math.inf,), (0,))), "angles: wanted one or two finite"),
        (lambda: QlifPair(slope=0.1), "angles: wanted one finite setting for each neuron"),
        (lambda: replace(STILL, slope=0.1).table(), "slope: wanted 0 for a table .*got 0.1"),
    ],
)
def test_mistakes_are_named(call, words):
    with pytest.raises(QlifError, match=words):
        call()
