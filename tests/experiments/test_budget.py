"""Error budgets: every error that a run has is named, and together they make what is seen."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.interpolate import CubicSpline

import qbrain
from qbrain.experiments.engine.budget import budget
from qbrain.experiments.lmg.brain import Brain
from qbrain.reference.lmg import Orbit

SEEDS = range(10, 14)
SECTOR = {"neurons": 4, "gamma": 0.8, "encoding": "dicke", "backend": "aer", "shots": 1000}
QUBITS = {**SECTOR, "encoding": "qubit"}
TROTTER, CURVE = "Trotter error", "shots, through the curve and the feedback"
BETWEEN = "interpolation between the readings"
NAMES = {TROTTER, CURVE, BETWEEN}
ONE_JOB = {"evolution": "fast-forward", "dispatch": "afterwards"}

FORMS = {
    "replay, sparse": (SECTOR, {"time": 8, "steps": 3, "tau_r": 3}),
    "fast-forward, live": (SECTOR, {"evolution": "fast-forward", "time": 8, "steps": 8}),
    "one job, sparse": (SECTOR, {**ONE_JOB, "time": 20, "steps": 3}),
    "relax, sparse": (SECTOR, {"evolution": "relax", "time": 20, "steps": 4}),
}
SLOW_FORMS = {
    "orbit": (SECTOR, {"evolution": "orbit", "time": 20, "steps": 20}),
    "one job": (SECTOR, {**ONE_JOB, "time": 20, "steps": 20}),
    "replay": (SECTOR, {"time": 8, "steps": 8}),
    "replay, qubits": (QUBITS, {"time": 8, "steps": 8}),
    "replay, field": (QUBITS, {"field": 0.3, "time": 8, "steps": 8}),
    "replay, long": (SECTOR, {"time": 60, "steps": 60}),
    "incremental": (QUBITS, {"evolution": "incremental", "time": 8, "steps": 8}),
    "one job, qubits": (QUBITS, {**ONE_JOB, "time": 20, "steps": 5}),
    "one job, long": (SECTOR, {**ONE_JOB, "time": 60, "steps": 60}),
    "orbit, sparse": (SECTOR, {"evolution": "orbit", "time": 20, "steps": 3}),
    "relax": (QUBITS, {"evolution": "relax", "time": 8, "steps": 8}),
    "relax, field": (
        QUBITS, {"evolution": "relax", "field": 0.3, "time": 8, "steps": 6},
    ),
    "relax, long": (SECTOR, {"evolution": "relax", "time": 60, "steps": 40}),
}  # fmt: skip
OTHERS = {
    "open-system": {"time": 3, "steps": 2, "shots": 1000},
}
SLOW_OTHERS = [
    ("hodgkin-huxley", {"time": 6, "steps": 12, "window": 1, "shots": 1000}),
    ("hodgkin-huxley", {"time": 6, "steps": 12, "window": 2, "reading": "channels"}),
    ("open-system", {"time": 1.5, "steps": 6, "controller": "homeostasis", "shots": 300}),
    ("qlif", {"pairs": 6, "ticks": 300, "shots": 1000}),
]


def parts_of(result):
    """(named parts, left over, together, seen)."""
    rows = [(row["error"], row["rms"]) for row in result["budget"]]
    *parts, (left, over), (together, total), (seen, rmse) = rows
    assert left.startswith("left over")
    assert (together, seen) == ("together (in quadrature)", "seen (RMSE)")
    return dict(parts), over, total, rmse


def expected_of(parts):
    return math.sqrt(sum(size**2 for size in parts.values()))


def holds_together(results):
    """Root mean squares over the seeds: what the parts give, and what was seen."""
    expected = np.array([expected_of(parts_of(r)[0]) for r in results])
    seen = np.array([r["fit"]["rmse"] for r in results])
    for result, known in zip(results, expected, strict=True):
        parts, over, total, rmse = parts_of(result)
        assert all(size >= 0 for size in parts.values())
        assert rmse == result["fit"]["rmse"]
        assert total == pytest.approx(max(known, rmse), rel=1e-12)
        assert over == pytest.approx(math.sqrt(max(rmse**2 - known**2, 0)), rel=1e-9, abs=1e-12)
    return math.sqrt(np.mean(expected**2)), math.sqrt(np.mean(seen**2))


@given(
    parts=st.lists(st.one_of(st.none(), st.floats(0, 10)), min_size=1, max_size=6),
    seen=st.floats(0, 20),
)
def test_parts_add_in_quadrature_and_the_rest_is_told(parts, seen):
    rows = budget([(str(k), x) for k, x in enumerate(parts)], seen, noise="none")
    known = [x for x in parts if x is not None]
    if not known:
        assert rows == []
        return
    assert [size for _, size in rows[:-3]] == known
    left, together, last = (size for _, size in rows[-3:])
    assert last == seen
    squares = sum(x**2 for x in known)
    assert together == pytest.approx(max(math.sqrt(squares), seen), abs=1e-6)
    assert left**2 == pytest.approx(max(seen**2 - squares, 0), abs=1e-6)


def test_a_run_without_circuits_has_no_budget():
    assert budget([("shots", None)], 0.1, noise="device") == []
    assert budget([("shots", 0.1)], None, noise="device") == []


def test_a_device_is_blamed_only_where_there_is_one():
    words = {
        noise: budget([("shots", 0.1)], 0.2, noise=noise)[1][0]
        for noise in ("none", "simulated", "device")
    }
    assert words == {
        "none": "left over (scatter of the shots)",
        "simulated": "left over (simulated noise, and scatter of the shots)",
        "device": "left over (errors of the device, and scatter of the shots)",
    }
    exact = qbrain.run("lmg", neurons=4, time=4, steps=4, backend="exact")
    assert exact.result["budget"] == []


@pytest.mark.parametrize(
    "form",
    [
        *FORMS,
        *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW_FORMS),
    ],
)
def test_the_parts_of_every_form_make_what_is_seen(form):
    model, settings = (FORMS | SLOW_FORMS)[form]
    results = [qbrain.run("lmg", **model, **settings, seed=seed).result for seed in SEEDS]
    for result in results:
        assert {name.partition(" (largest")[0] for name in parts_of(result)[0]} == NAMES
    expected, seen = holds_together(results)
    # four runs of few points, whose own scatter is a fifth
    assert 0.72 < seen / expected < 1.4
    if "sparse" in form and "orbit" not in form:
        # what a budget of shots alone would not explain
        parts = parts_of(results[0])[0]
        assert parts[BETWEEN] > parts[CURVE]


@pytest.mark.parametrize(
    ("system", "settings"),
    [
        *OTHERS.items(),
        *(pytest.param(*each, marks=pytest.mark.slow) for each in SLOW_OTHERS),
    ],
)
def test_the_parts_of_other_systems_make_what_is_seen(system, settings):
    results = [qbrain.run(system, **settings, backend="aer", seed=s).result for s in SEEDS]
    expected, seen = holds_together(results)
    assert 0.65 < seen / expected < 1.5


def test_interpolation_is_that_of_a_spline_through_the_exact_points():
    run = qbrain.run("lmg", **SECTOR, **ONE_JOB, time=20, steps=3, seed=1)
    brain = Brain(run.config)
    orbit = Orbit(brain.model, brain.initial)
    phases = np.array([control.phase for control in brain.planned])
    # four phases are too few for the frequencies of five states' sector: a spline, flat at 0
    assert brain.frequencies is None
    spline = CubicSpline(phases, orbit.excitation(phases), bc_type=((1, 0.0), "not-a-knot"))
    end = 1.02 * phases[-1]

    def slope(_, state):
        r, s = state
        # τ_r = 0.1 and no facilitation: U = release
        energy = float(np.clip(spline(min(s, end)), 0, 1))
        return (1 - r) / brain.synapse.tau_r - brain.synapse.release * r * energy, r

    found = solve_ivp(
        slope, (0, 20), (1.0, 0.0), t_eval=brain.times, rtol=1e-9, atol=1e-11, max_step=0.02
    )
    energy = spline(np.minimum(found.y[1], end))
    by_hand = np.sqrt(np.mean((energy - brain.exact.excitation.values) ** 2))
    assert run.result["interpolation_error"] == pytest.approx(by_hand, rel=0.02)
    assert by_hand > 0.01
