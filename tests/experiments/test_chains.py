"""Chains of mitigations in every system: exact on known noise, and end to end on a snapshot."""

import itertools
import json
import math
import shutil
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from qbrain.backends.readout import estimate_readout
from qbrain.classical_feedback.estimator import EstimateError
from qbrain.experiments.compare import compare_runs, print_table
from qbrain.experiments.engine.chains import RAW, chain_of, chains_of, circuits_for, label_of
from qbrain.experiments.engine.mitigation_rows import ROW, common_row
from qbrain.experiments.engine.points import (
    Numbers,
    by_place,
    limit_at_no_noise,
    mean_of_places,
)
from qbrain.experiments.engine.readings import Heading, Reading, Role
from qbrain.experiments.engine.run import start
from qbrain.experiments.engine.scales import parse_scales
from qbrain.experiments.errors import ConfigError
from qbrain.experiments.hodgkin_huxley.circuits import GateReadings, registers_of
from qbrain.experiments.hodgkin_huxley.model import powers_of
from qbrain.experiments.open_system.circuits import SpinReadings
from qbrain.experiments.qlif.correlators import Correlators
from qbrain.experiments.qlif.measures import corrected_chsh, corrected_points
from qbrain.experiments.resuming import resume
from qbrain.experiments.systems import SYSTEMS

_scratch = tempfile.TemporaryDirectory(prefix="qbrain-chains-", ignore_cleanup_errors=True)
SHOTS = 10**8  # so many that rounding to whole shots is below 1e-7
DECAY = 0.01  # of the signal, a two-qubit gate

# a form a system with everything it can do, small enough to be run whole
EVERYTHING = {
    "open-system": {
        "time": 1, "steps": 2, "shots": 300, "mitigation": "readout+zne", "placements": 2,
        "noise_scales": "1,2,3",
    },
    "open-system homeostasis": {
        "time": 1, "steps": 2, "shots": 300, "mitigation": "zne", "controller": "homeostasis",
    },
    "open-system richardson": {
        "time": 1, "steps": 2, "shots": 300, "mitigation": "readout+zne", "substeps": 2,
        "extrapolation": "richardson",
    },
    "hodgkin-huxley": {
        "time": 2, "steps": 4, "shots": 300, "mitigation": "readout+zne", "placements": 2,
    },
    "hodgkin-huxley reference": {
        "time": 0.2, "steps": 2, "shots": 300, "mitigation": "reference+zne", "channel": "full",
        "drive": "constant",
    },
    "hodgkin-huxley channels": {
        "time": 2, "steps": 4, "shots": 300, "mitigation": "zne", "placements": 2,
        "reading": "channels", "noise_scales": "1,2",
    },
    "qlif": {
        "pairs": 5, "ticks": 100, "shots": 300, "mitigation": "readout+zne", "placements": 2,
        "noise_scales": "1,3",
    },
}  # fmt: skip


def config_of(name, **more):
    system = SYSTEMS[name.split(" ")[0]]
    settings = {"backend": "fake_fez", "seed": 3, **EVERYTHING.get(name, {}), **more}
    return system, system.config(**settings)


@cache
def whole(name):
    system, config = config_of(name)
    return start(system, config, Path(_scratch.name) / name.replace(" ", "-"), draw=False)


def rows_of(run):
    return {row["mitigation"]: row for row in run.result["mitigations"]}


# ---------------------------------------------------------------------------------- known noise


def counts_of(probabilities):
    return {x: round(SHOTS * p) for x, p in enumerate(probabilities) if round(SHOTS * p)}


def depolarised(probabilities, gates):
    left = math.exp(-DECAY * gates)
    return left * np.asarray(probabilities) + (1 - left) / len(probabilities)


def misread(probabilities, table):
    matrix = np.ones((1, 1))
    for a, b in table:  # the last factor is bit 0
        matrix = np.kron(np.array([[1 - a, b], [a, 1 - b]]), matrix)
    return matrix @ probabilities


def reading(probabilities, gates, role, order, tags=None):
    check = {"method": "none", "checks": []}
    heading = Heading(role, tuple(order), gates, 0, check, None, tags or {})
    return Reading(heading, counts_of(probabilities))


TABLES = [
    np.array([[0.02, 0.05], [0.01, 0.03], [0.04, 0.02]]),
    np.array([[0.03, 0.01], [0.02, 0.06], [0.0, 0.08]]),
]


# ----------------------------------------------------------------------------------- what is shared


def test_numbers_of_any_shape_are_taken_to_no_noise_one_by_one():
    exact = np.array([[0.9, -0.4], [0.2, 0.0]])
    gates = np.array([[10, 20], [0, 30]])
    found = [
        Numbers(exact * np.exp(-DECAY * gates * s), np.full((2, 2), 1e-6), gates * s)
        for s in (1.0, 1.5, 2.0)
    ]
    limit = limit_at_no_noise(found, asymptote=0.0, bounds=(-1, 1))
    # a signal of nothing is on a straight line too; one without gates stays as it was
    np.testing.assert_allclose(limit.value, exact, atol=1e-6)
    assert limit.stderr[1, 0] == 1e-6
    assert limit.stderr[0, 0] > 1e-6


def test_where_folding_changed_nothing_there_is_nothing_to_extrapolate():
    one = Numbers(np.array([0.7]), np.array([0.1]), 1)
    other = Numbers(np.array([0.6]), np.array([0.1]), 1)
    assert limit_at_no_noise([one, other], asymptote=0.0, bounds=(-1, 1)) == one


def test_errors_of_places_are_those_of_shots_or_of_their_scatter():
    near = [Numbers(np.array([v]), np.array([0.3]), 0) for v in (0.1, 0.3, 0.2)]
    assert mean_of_places(near).stderr[0] == pytest.approx(0.3 / math.sqrt(3))
    apart = [Numbers(np.array([v]), np.array([0.01]), 0) for v in (0.1, 0.3, 0.2)]
    assert mean_of_places(apart).stderr[0] == pytest.approx(0.1 / math.sqrt(3))
    assert mean_of_places(apart).value[0] == pytest.approx(0.2)


def test_a_chain_uses_its_own_circuits_only():
    found = {
        (p, s): Numbers(np.array([p + 10 * s]), np.array([1.0]), 4 * s)
        for p, s in itertools.product((0, 1), (1.0, 2.0))
    }
    options = {"asymptote": None, "bounds": (-np.inf, np.inf)}
    assert [n.value[0] for n in by_place(RAW, found, **options)] == [10]
    assert [n.value[0] for n in by_place({"placements"}, found, **options)] == [10, 11]
    limits = by_place(frozenset({"zne", "placements"}), found, **options)
    assert [n.value[0] for n in limits] == pytest.approx([0, 1])


def test_rows_are_raw_each_alone_and_all():
    wanted = chain_of("zne+readout") | {"placements"}
    names = [label_of(chain) for chain in chains_of(wanted)]
    assert names == ["raw", "readout", "zne", "placements", "readout+zne+placements"]
    assert [label_of(chain) for chain in chains_of(RAW)] == ["raw"]
    assert [label_of(chain) for chain in chains_of(frozenset({"zne"}))] == ["raw", "zne"]


def test_a_row_of_what_is_not_determined_has_no_numbers():
    found = common_row([0.1, np.nan], [0.1, 0.1], [0, 0])
    assert found == {"rmse": None, "max_error": None, "coverage": None}
    found = common_row([0.3, -0.4], [0.2, 0.1], [0, 0])
    assert found["rmse"] == pytest.approx(math.sqrt(0.125))
    assert (found["max_error"], found["coverage"]) == (pytest.approx(0.4), 0.5)


@pytest.mark.parametrize("text", ["1", "2,3", "1,1", "1,x", "1,2,1.5", "1,200", ""])
def test_scales_are_one_and_larger(text):
    with pytest.raises(ValueError, match="1 first and rising"):
        parse_scales(text)


@pytest.mark.parametrize("text", ["readout+reference", "echo+zero"])
def test_two_that_measure_the_same_errors_are_refused(text):
    with pytest.raises(ValueError, match="one of"):
        chain_of(text)


# ----------------------------------------------------------------------- the bath, on known noise

SCALES = (1.0, 1.5, 2.0)
LEVELS = np.array([0.1, 0.35, 0.55])
# of two neurons, by outcome
SPINS = np.array([LEVELS[0], 0.2, 0.15, LEVELS[2]])
SPIN = float(LEVELS @ [-1, 0, 1])
ORDER = (2, 0)  # bit j is read from qubit ORDER[j]


def bath(mitigation, **settings):
    config = SYSTEMS["open-system"].config(
        backend="fake_fez", mitigation=mitigation, seed=1, **settings
    )
    return SpinReadings(config)


def bath_points(scales=(1.0,), placements=(0,), gates=20, state=SPINS, tables=TABLES):
    return [
        reading(
            misread(depolarised(state, (gates + 10 * p) * s), tables[p][list(ORDER)]),
            int((gates + 10 * p) * s), Role("point", p, s), ORDER,
        )
        for p in placements for s in scales
    ]  # fmt: skip


def bath_calibrations(placements=(0,)):
    return [
        reading(misread(np.eye(8)[word], TABLES[p]), 0, Role("readout", p, number=k), range(3))
        for p in placements
        for k, word in enumerate((0, 7))
    ]


NO_ERRORS = [np.zeros((3, 2))] * 2


def test_bath_readout_follows_the_qubits():
    estimate = bath("readout")
    found = estimate([*bath_points(), *bath_calibrations()])[0]
    wanted = SPIN * math.exp(-DECAY * 20)
    assert found.value == pytest.approx(wanted, abs=1e-6)
    assert abs(found.raw_value - wanted) > 0.01
    np.testing.assert_allclose(estimate.calibrations[0].readout, TABLES[0], atol=1e-6)


def test_bath_extrapolation_finds_the_exponential_and_doubts_it():
    found = bath("zne")(bath_points(SCALES, tables=NO_ERRORS))[0]
    assert found.value == pytest.approx(SPIN, abs=1e-6)
    assert found.raw_value == pytest.approx(SPIN * math.exp(-DECAY * 20), abs=1e-6)
    assert found.stderr > 2 * found.raw_stderr
    assert found.populations.sum() == pytest.approx(1)
    # populations are on a straight line, which leaves part of what an exponential has lost
    left, lost = (np.abs(p - LEVELS).max() for p in (found.populations, found.raw_populations))
    assert left < 0.25 * lost


def test_bath_errors_of_noise_scales_are_those_of_a_straight_line_through_them():
    points = bath_points(SCALES, tables=NO_ERRORS)
    found = bath("zne")(points)[0]
    each = [bath("none")([p])[0] for p in points[:1]]
    # weights of 1, 1.5 and 2 in the value at 0: 13/6, 1/3, -3/2 ; the bar holds the models' spread
    least = each[0].stderr * math.sqrt((13 / 6) ** 2 + (1 / 3) ** 2 + 1.5**2)
    assert least < found.stderr < 0.02


def test_bath_whole_chain_on_two_lines():
    estimate = bath("readout+zne", placements=2)
    places = (0, 1)
    point = bath_points(SCALES, places)
    found = estimate([*point, *bath_calibrations(places)])[0]
    assert found.value == pytest.approx(SPIN, abs=1e-5)
    assert estimate.by(RAW, point).value == found.raw_value
    lines = [SPIN * math.exp(-DECAY * gates) for gates in (20, 30)]
    corrected = estimate.by(frozenset({"readout", "placements"}), point)
    assert corrected.value == pytest.approx(np.mean(lines), abs=1e-6)
    # lines differ by more than their shots: the bar is their scatter
    assert corrected.stderr == pytest.approx(abs(lines[0] - lines[1]) / 2, rel=1e-3)


def test_bath_noise_scales_come_before_richardson():
    # of half as many collisions: half the gates, and an error of the collisions as large again
    fine, coarse = SPINS, np.array([0.14, 0.19, 0.16, 0.51])
    estimate = bath("zne", substeps=2, extrapolation="richardson")
    points = [
        *bath_points(SCALES, gates=40, state=fine, tables=NO_ERRORS),
        *bath_points(SCALES, gates=20, state=coarse, tables=NO_ERRORS),
    ]
    found = estimate(points)[0]
    wanted = 2 * SPIN - float(2 * (coarse @ [0, 1, 1, 2]) / 2 - 1)
    assert found.value == pytest.approx(wanted, abs=1e-6)
    # the other order extrapolates a difference of two exponentials, which is none
    mixed = [
        2 * SPIN * math.exp(-0.4 * s) - (2 * SPIN - wanted) * math.exp(-0.2 * s) for s in SCALES
    ]
    numbers = [
        Numbers(np.array([v]), np.array([1e-4]), 40 * s) for v, s in zip(mixed, SCALES, strict=True)
    ]
    other = limit_at_no_noise(numbers, asymptote=0.0, bounds=(-1, 1))
    assert abs(other.value[0] - wanted) > 0.02


def test_bath_counts_circuits_by_what_a_chain_needs():
    places = (0, 1)
    readings = [*bath_points(SCALES, places), *bath_calibrations(places)]
    needed = {"none": 1, "readout": 3, "zne": 3, "readout+zne": 5}
    for text, number in needed.items():
        assert circuits_for(chain_of(text), readings) == number, text
    assert circuits_for(frozenset({"placements"}), readings) == 2
    assert circuits_for(chain_of("readout+zne") | {"placements"}, readings) == len(readings)


def test_bath_errors_hold_the_scatter_of_repeated_runs():
    """200 runs of 2000 shots: the scatter of each chain's value against the bar it claims."""
    random, estimate = np.random.default_rng(5), bath("readout+zne")
    points, known = bath_points(SCALES), bath_calibrations()
    estimate.calibrate(known)

    def drawn(point):
        outcomes = np.array(list(point.counts))
        weights = np.array(list(point.counts.values())) / sum(point.counts.values())
        counts = random.multinomial(2000, weights)
        return Reading(
            point.heading, {int(x): int(c) for x, c in zip(outcomes, counts, strict=True) if c}
        )

    for text in ("readout", "readout+zne"):
        found = [estimate.by(chain_of(text), [drawn(p) for p in points]) for _ in range(200)]
        values, errors = (np.array([getattr(f, name) for f in found]) for name in
                          ("value", "stderr"))  # fmt: skip
        wanted = SPIN * (1 if "zne" in text else math.exp(-DECAY * 20))
        # the standard deviation of 200 values is known to 5 %: four of that
        low = 0.8 if text == "readout" else 0.5
        assert low < values.std() / np.sqrt(np.mean(errors**2)) < 1.2
        assert abs(values.mean() - wanted) < 4 * values.std() / math.sqrt(200)


# --------------------------------------------------------------------- the gates, on known noise

OPEN = 0.3
GATE_TABLE = np.array([[0.06, 0.03]])


def gates(mitigation, **settings):
    config = SYSTEMS["hodgkin-huxley"].config(
        backend="fake_fez", mitigation=mitigation, seed=1, **settings
    )
    return GateReadings(config, registers_of(config), powers_of(config))


def gate(probabilities, count, table, kind="point", placement=0, scale=1.0, number=0):
    bits = len(table)
    return reading(
        misread(depolarised(probabilities, count * scale), table), int(count * scale),
        Role(kind, placement, scale, number), range(bits), {"register": 0},
    )  # fmt: skip


def gate_points(scales=(1.0,), placements=(0,), table=GATE_TABLE, count=10):
    return [
        gate([1 - OPEN, OPEN], count + 10 * p, table, placement=p, scale=s)
        for p in placements for s in scales
    ]  # fmt: skip


def known_gates(kind, scales=(1.0,), placements=(0,), count=0, table=GATE_TABLE):
    return [
        gate(np.eye(2)[k], count + (10 * p if count else 0), table, kind, p, s, k)
        for p in placements for k in (0, 1) for s in scales
    ]  # fmt: skip


def left(count):
    """What so many gates make of the chance to be open."""
    return 0.5 + (OPEN - 0.5) * math.exp(-DECAY * count)


def test_gates_of_a_readout_correction_are_those_of_the_circuit():
    estimate = gates("readout")
    point = [*gate_points(), *known_gates("readout")]
    found = estimate(point)
    assert found.values[0] == pytest.approx(left(10), abs=1e-6)
    assert found.open[0] == pytest.approx(left(10) ** 4, abs=1e-6)
    assert abs(estimate.by(RAW, point).values[0] - left(10)) > 0.01
    np.testing.assert_allclose(estimate.readout[0], GATE_TABLE, atol=1e-6)


def test_gates_without_noise_are_exact_and_so_is_the_channel():
    estimate = gates("readout+zne")
    found = estimate([*gate_points((1.0, 2.0, 3.0)), *known_gates("readout")])
    assert found.values[0] == pytest.approx(OPEN, abs=1e-6)
    assert found.open[0] == pytest.approx(OPEN**4, abs=1e-6)
    # what the error of a gate makes of that of its channel: 4 x³ dx
    assert found.open_stderr[0] == pytest.approx(4 * OPEN**3 * found.stderr[0], rel=1e-3)


def test_a_reference_undoes_collision_and_reading_at_every_scale():
    estimate, scales = gates("reference+zne"), (1.0, 2.0, 3.0)
    point = [*gate_points(scales), *known_gates("reference", scales, count=10)]
    found = estimate(point)
    assert found.values[0] == pytest.approx(OPEN, abs=1e-6)
    alone = estimate.by(frozenset({"reference"}), point)
    # the reference has the gates of the point itself: nothing is left to extrapolate
    assert alone.values[0] == pytest.approx(OPEN, abs=1e-6)


def test_gates_on_two_lines_are_averaged():
    estimate, places = gates("readout", placements=2), (0, 1)
    found = estimate([*gate_points(placements=places), *known_gates("readout", placements=places)])
    assert found.values[0] == pytest.approx((left(10) + left(20)) / 2, abs=1e-6)
    assert found.stderr[0] == pytest.approx(abs(left(10) - left(20)) / 2, rel=1e-3)


def test_a_channel_read_jointly_is_taken_to_no_noise_by_itself():
    product = np.ones(1)
    for _ in range(4):
        product = np.kron([1 - OPEN, OPEN], product)
    estimate = gates("zne", reading="channels")
    nothing = np.zeros((4, 2))
    point = [gate(product, 10, nothing, scale=s) for s in (1.0, 2.0, 3.0)]
    found = estimate(point)
    assert found.open[0] == pytest.approx(OPEN**4, abs=1e-5)
    assert found.values[0] == pytest.approx(OPEN, abs=1e-6)
    raw = estimate.by(RAW, point)
    share = math.exp(-DECAY * 10)
    assert raw.open[0] == pytest.approx(share * OPEN**4 + (1 - share) / 16, abs=1e-6)


def test_a_journal_without_known_gates_is_refused():
    with pytest.raises(ValueError, match="wanted circuits of known gates for readout"):
        gates("readout")(gate_points())


# ----------------------------------------------------------------- correlators, on known noise

PAIR = SYSTEMS["qlif"].config(
    backend="fake_fez", mitigation="readout+zne", placements=2, seed=1
)  # fmt: skip
E = np.array([[1, 1], [1, -1]]) / math.sqrt(2)  # of the settings of the largest S
ODD_SCALES = (1.0, 3.0, 5.0)


def pair_readings(scales=ODD_SCALES, placements=(0, 1), tables=TABLES):
    sign = np.array([1, -1])
    found = []
    for x, y in np.ndindex(2, 2):
        # bit 0 of an outcome is the first neuron's
        exact = (1 + E[x, y] * np.outer(sign, sign).ravel()) / 4
        for p in placements:
            for s in scales:
                noisy = misread(depolarised(exact, (5 + 5 * p) * s), tables[p][list(ORDER)])
                role = Role("point", p, s)
                found.append(
                    reading(noisy, int((5 + 5 * p) * s), role, ORDER, {"setting": x + 2 * y})
                )
    return found + bath_calibrations(placements)


def used_of(readings):
    found = np.zeros((2, 2, 2, 2), dtype=np.int64)
    for each in readings:
        if (each.role.kind, each.role.placement, each.role.scale) == ("point", 0, 1.0):
            setting = each.heading.tags["setting"]
            for outcome, number in each.counts.items():
                found[setting & 1, setting >> 1, outcome & 1, outcome >> 1] = number // 10
    return found


@pytest.fixture(scope="module")
def correlators():
    readings = pair_readings()
    return Correlators(PAIR, used_of(readings), readings)


def test_correlators_are_exact_by_the_whole_chain(correlators):
    np.testing.assert_allclose(correlators.exact, E, atol=1e-12)
    value, _ = correlators.by(PAIR.chain)
    np.testing.assert_allclose(value, E, atol=1e-5)
    assert correlators.chsh(PAIR.chain)[0] == pytest.approx(2 * math.sqrt(2), abs=1e-5)
    raw, own = correlators.by(RAW)
    assert np.abs(raw - E).min() > 0.05
    # one line alone hangs on the shots that the neurons used
    assert (own < correlators.by(frozenset({"readout", "zne"}))[1]).all()


def test_correlators_by_readout_alone_are_those_of_before(correlators):
    value, stderr = correlators.by(frozenset({"readout"}))
    np.testing.assert_allclose(value, E * math.exp(-DECAY * 5), atol=1e-5)
    calibration = estimate_readout([r.counts for r in bath_calibrations()], [0, 7], 3)
    own = calibration.readout[list(ORDER)], calibration.stderr[list(ORDER)]
    every = dict.fromkeys(np.ndindex(2, 2), own)
    found, _, spread = corrected_points(used_of(pair_readings()), every, PAIR)
    np.testing.assert_allclose(value.ravel(), found, rtol=1e-12)
    np.testing.assert_allclose(stderr.ravel(), spread, rtol=1e-6)
    s, error = corrected_chsh(used_of(pair_readings()), every)
    assert correlators.chsh(frozenset({"readout"})) == pytest.approx((s, error), rel=1e-6)


def test_correlators_of_lines_are_averaged(correlators):
    chain = frozenset({"readout", "placements"})
    value, stderr = correlators.by(chain)
    lines = [math.exp(-DECAY * 5), math.exp(-DECAY * 10)]
    np.testing.assert_allclose(value, E * np.mean(lines), atol=1e-5)
    # the scatter of the lines, and what the readout errors may be off by
    assert (stderr >= np.abs(E) * (lines[0] - lines[1]) / 2 * 0.999).all()


def test_settings_that_never_came_are_not_determined():
    readings = pair_readings()
    used = used_of(readings)
    used[1, 0] = 0
    with pytest.raises(EstimateError, match="settings 1, 0: wanted at least one shot"):
        Correlators(PAIR, used, readings).by(PAIR.chain)


# ------------------------------------------------------------------------------------ end to end


def test_a_mitigation_of_correlators_beats_raw_and_leaves_the_spikes():
    system = SYSTEMS["qlif"]
    settings = {"pairs": 50, "ticks": 2000, "backend": "fake_fez", "shots": 20000, "seed": 3}
    run = start(
        system, system.config(mitigation="readout+zne", **settings), Path(_scratch.name) / "pairs",
        draw=False,
    )  # fmt: skip
    rows = rows_of(run)
    # some 25,000 shots a pair of settings: 0.0045 in each correlator; noise takes 0.02
    assert rows["raw"]["rmse"] > 0.01
    assert rows["readout+zne"]["rmse"] < 0.7 * rows["raw"]["rmse"]
    exact = run.result["chsh_exact"]
    for name in ("raw", "readout+zne"):
        assert rows[name]["chsh"] < exact + 4 * rows[name]["chsh_stderr"]
    assert abs(rows["readout+zne"]["chsh"] - exact) < abs(rows["raw"]["chsh"] - exact)
    assert rows["raw"]["chsh"] == run.result["chsh"]
    assert run.result["fit"]["rmse"] == pytest.approx(rows["readout+zne"]["rmse"])


def test_spikes_follow_the_shots_of_the_plain_circuits_on_the_first_line():
    run = whole("qlif")
    every = run.result["mitigations"]
    copies = every[0]["extra_shots"], every[1]["extra_shots"]
    assert copies == (0, 300 * 2)
    points = [
        line for job in (run.folder / "steps.jsonl").read_text().splitlines()
        for line in json.loads(job)["readings"] if line["role"][0] == "point"
    ]  # fmt: skip
    plain = [line for line in points if line["role"][1:3] == [0, 1.0]]
    # each as often on two lines, at two scales; every shot in its order on the first alone
    assert len(points) == 4 * len(plain)
    assert all(("shots" in line) == (line["role"][1:3] == [0, 1.0]) for line in points)


@pytest.mark.slow
def test_gates_chain_beats_raw_under_device_noise():
    settings = {"time": 5, "steps": 10, "backend": "fake_fez", "shots": 200000, "seed": 1}
    system = SYSTEMS["hodgkin-huxley"]
    rmse = {}
    for chain in ("none", "readout+zne"):
        config = system.config(mitigation=chain, **settings)
        run = start(system, config, Path(_scratch.name) / f"gates-{chain}", draw=False)
        rmse[chain] = run.result["mitigations"][-1]["rmse"]
        assert rmse[chain] == pytest.approx(run.result["rmse_gates"])
    # shots alone give 0.001, extrapolated 0.003; readout errors of a bit are 0.01
    assert rmse["readout+zne"] < 0.6 * rmse["none"]


def test_gates_are_counted_by_line_and_scale():
    run = whole("hodgkin-huxley")
    # 5 times, 2 lines, 3 scales; 2 circuits of known gates a line
    assert run.result["circuits"] == run.result["validated"] == 5 * 6 + 4
    rows = rows_of(run)
    assert rows["readout"]["extra_shots"] == 300 * 2
    assert rows["zne"]["extra_shots"] == 300 * 5 * 2
    run = whole("hodgkin-huxley reference")
    # 3 times of 3 gates at 3 scales; 2 circuits of known gates of each, at 3 scales
    assert run.result["circuits"] == run.result["validated"] == 27 + 18
    assert rows_of(run)["reference"]["extra_shots"] == 300 * 6


def test_bath_chain_beats_raw_under_device_noise():
    run = whole("open-system")
    rows = rows_of(run)
    assert list(rows) == ["raw", "readout", "zne", "placements", "readout+zne+placements"]
    # 3 times, 2 lines, 3 scales; 2 circuits of known state a line
    assert run.result["circuits"] == run.result["validated"] == 3 * 6 + 4
    assert rows["raw"]["extra_shots"] == 0
    assert rows["readout"]["extra_shots"] == 300 * 2
    assert rows["zne"]["extra_shots"] == 300 * 3 * 2
    assert rows["readout+zne+placements"]["extra_shots"] == 300 * (22 - 3)
    assert run.result["mitigation"] == "readout+zne+placements"
    assert len(run.result["readout_calibration"]) == 2

    system, config = config_of("open-system", time=2, steps=4, shots=16000, noise_scales="1,1.5,2")
    rows = rows_of(start(system, config, Path(_scratch.name) / "many-shots", draw=False))
    # the bars of the chain are 0.006, the collisions' own error 0.016, what noise does 0.04
    assert rows["raw"]["rmse"] > 0.03
    assert rows["readout+zne+placements"]["rmse"] < 0.7 * rows["raw"]["rmse"]
    assert rows["readout+zne+placements"]["coverage"] > rows["raw"]["coverage"]


# ------------------------------------------------------------------------------------- every form


@pytest.mark.parametrize("name", EVERYTHING)
def test_the_last_row_is_the_run_itself_and_the_first_is_raw(name):
    run = whole(name)
    rows = run.result["mitigations"]
    for row in rows:
        assert set(ROW) <= set(row)
    fit = run.result["fit"]
    if run.system.name == "hodgkin-huxley":
        assert rows[-1]["rmse"] == pytest.approx(run.result["rmse_gates"])
        assert rows[0]["rmse"] == pytest.approx(run.result["rmse_gates_raw"])
    else:
        assert rows[-1]["rmse"] == pytest.approx(fit["rmse"])
        assert rows[0]["rmse"] == pytest.approx(fit["rmse_raw"])
    assert rows[0]["mitigation"] == "raw"
    assert rows[-1]["mitigation"] == run.result["mitigation"]
    assert run.result["circuits"] == run.result["validated"] > 0
    json.dumps(run.result, allow_nan=False)


@pytest.mark.parametrize("name", EVERYTHING)
def test_a_cut_journal_resumed_gives_the_run_that_was_never_cut(name, tmp_path):
    run = whole(name)
    folder = tmp_path / "cut"
    shutil.copytree(run.folder, folder)
    for file in ("result.json", "result.nc", "circuits.qpy"):
        (folder / file).unlink(missing_ok=True)
    lines = (folder / "steps.jsonl").read_bytes().splitlines(keepends=True)
    done = len(lines) // 2
    (folder / "steps.jsonl").write_bytes(
        b"".join(lines[:done]) + lines[done][: len(lines[done]) // 2]
    )
    again = resume(folder, draw=False)
    assert (folder / "steps.jsonl").read_bytes() == b"".join(lines)
    kept = ("wall_seconds", "run_dir")
    one, other = (
        {k: v for k, v in json.loads(json.dumps(r.result)).items() if k not in kept}
        for r in (run, again)
    )
    assert one == other
    xr.testing.assert_identical(again.data, run.data)


@pytest.mark.parametrize("name", EVERYTHING)
def test_compare_has_a_row_a_mitigation_and_the_page_a_table(name, capsys):
    run = whole(name)
    rows = compare_runs([run.folder, run.folder])
    own = [row["mitigation"] for row in run.result["mitigations"]]
    assert [row["estimate"] for row in rows] == own * 2
    for row, wanted in zip(rows, run.result["mitigations"] * 2, strict=True):
        assert all(row[key] == wanted[key] for key in ROW[1:])
    if run.system.curve:
        assert rows[len(own) - 1]["rms_distance_to_first"] == 0
        assert rows[0]["rms_distance_to_first"] > 0
    print_table(rows)
    assert own[-1] in capsys.readouterr().out
    folder = Path(_scratch.name) / f"page-{name.replace(' ', '-')}"
    shutil.copytree(run.folder, folder)
    page = resume(folder).report().read_text(encoding="utf-8")
    assert "What each mitigation makes of the same circuits" in page


@pytest.mark.parametrize("name", ["open-system", "hodgkin-huxley reference", "qlif"])
def test_a_device_gets_every_circuit_of_a_chain(name, start_ibm, tmp_path, monkeypatch):
    monkeypatch.setenv("QBRAIN_LEDGER", str(tmp_path / "ledger.sqlite"))
    server = start_ibm()
    system, config = config_of(name, backend="ibm_fez")
    run = start(system, config, tmp_path / "run", draw=False)
    # without feedback all of it is one job
    assert server.submissions() == (3 if name.startswith("hodgkin") else 1)
    assert run.result["circuits"] == run.result["validated"] > 0
    wanted = [row["mitigation"] for row in whole(name).result["mitigations"]]
    assert [row["mitigation"] for row in run.result["mitigations"]] == wanted
    assert all(row["rmse"] is not None for row in run.result["mitigations"])


@pytest.mark.slow
def test_a_spike_generator_has_rows_of_the_same_keys(tmp_path):
    settings = {
        "neurons": 2, "bins": 2, "layers": 1, "training_steps": 4, "trials": 40, "samples": 400,
        "controls": "independent", "noise_points": 4, "shots": 2000, "seed": 3,
    }  # fmt: skip
    system = SYSTEMS["spiqgan"]
    config = system.config(backend="fake_fez", **settings)
    run = start(system, config, tmp_path / "noise", draw=False)
    rows, fit = run.result["mitigations"], run.result["fit"]
    assert [row["mitigation"] for row in rows] == ["raw", "readout"]
    assert [row["rmse"] for row in rows] == pytest.approx([fit["rmse_raw"], fit["rmse"]])
    assert [row["extra_shots"] for row in rows] == [0, 4000]
    assert all(set(row) == set(ROW) for row in rows)
    exact = start(
        system,
        system.config(
            backend="exact",
            **{k: v for k, v in settings.items() if k not in ("shots", "noise_points")},
        ),
        tmp_path / "exact",
        draw=False,
    )
    beside = compare_runs([run.folder, exact.folder])
    assert [row["estimate"] for row in beside] == ["raw", "readout", "exact"]
    assert len({tuple(row) for row in beside}) == 1
    with pytest.raises(ConfigError, match="mitigation: wanted 'none' or 'readout', got 'zne'"):
        system.config(backend="fake_fez", mitigation="zne")


@pytest.mark.parametrize(
    ("system", "settings", "message"),
    [
        ("open-system", {"mitigation": "zne"}, "mitigation: backend aer has no noise that zne"),
        ("open-system", {"placements": 2}, "placements: backend aer has no noise that placements"),
        ("open-system", {"mitigation": "parity"}, "mitigation: wanted 'none', or some of readout, "
         "zne joined by +, got 'parity'"),
        ("open-system", {"noise_scales": "1,2"}, "noise_scales: would be ignored, since mitigation "
         "has no zne"),
        ("open-system", {"mitigation": "zne", "noise_scales": "2"}, "noise_scales: wanted numbers"),
        ("open-system", {"placements": 0}, "placements: wanted a number greater than or equal"),
        ("open-system", {"backend": "exact", "placements": 2}, "placements: would be ignored"),
        ("open-system", {"backend": "exact", "mitigation": "zne"}, "mitigation: would be ignored"),
        ("hodgkin-huxley", {"mitigation": "zne"}, "mitigation: backend aer has no noise that zne"),
        ("hodgkin-huxley", {"backend": "fake_fez", "mitigation": "readout+reference"},
         "mitigation: wanted one of readout and reference, whose circuits measure readout errors"),
        ("hodgkin-huxley", {"backend": "fake_fez", "mitigation": "reference+zne", "window": 2},
         "mitigation: reference is for a window of one step"),
        ("hodgkin-huxley", {"backend": "fake_fez", "noise_scales": "1,3"}, "noise_scales: would"),
        ("qlif", {"backend": "fake_fez", "group": 3, "mitigation": "zne"},
         "mitigation: zne corrects the CHSH value of a pair"),
        ("qlif", {"backend": "fake_fez", "circuits": "live", "placements": 2},
         "mitigation: placements takes many shots of each circuit"),
        ("qlif", {"mitigation": "readout+zne"}, "mitigation: backend aer has no noise"),
    ],
    ids=lambda x: str(x),
)  # fmt: skip
def test_chains_without_meaning_are_one_line(system, settings, message):
    with pytest.raises(ConfigError) as caught:
        SYSTEMS[system].config(**settings)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
