"""Rescaling by known points, averages over placements, the number of steps."""

import math

import numpy as np
import pytest

from qbrain.classical_feedback.rescaling import (
    Reference,
    choose_steps,
    fit_survival,
    mean_over_placements,
)
from qbrain.classical_feedback.synapse import FeedbackError

GATES = (80, 160, 240, 320)


def signal(n, law=(0.03, 1.2e-3, 3e-6)):
    return math.exp(-sum(a * n**k for k, a in enumerate(law)))


def references(b=0.46, exact=(0.0, 1.0), noise=0.0, rng=None, law=(0.03, 1.2e-3, 3e-6), err=0.004):
    points = []
    for x in exact:
        for n in GATES:
            a = signal(n, law)
            value = a * x + (1 - a) * b + (noise * rng.standard_normal() if noise else 0.0)
            points.append(Reference(n, x, value, err))
    return points


def test_the_law_is_found_and_undone():
    survival = fit_survival(references())
    assert survival.asymptote == pytest.approx(0.46, abs=1e-9)
    assert survival.chi2 < 1e-12
    for n in (40, 200, 320):
        a = signal(n)
        assert survival.signal(n) == pytest.approx(a, rel=1e-9)
        found = survival.correct(a * 0.27 + (1 - a) * 0.46, 0.005, n)
        assert found.value == pytest.approx(0.27, abs=1e-9)
        assert found.raw_value == pytest.approx(a * 0.27 + (1 - a) * 0.46)
        assert found.stderr > found.raw_stderr / a


def test_one_kind_of_reference_needs_an_asymptote():
    points = references(exact=(0.0,), b=0.5)
    with pytest.raises(FeedbackError, match="asymptote: wanted a number"):
        fit_survival(points)
    survival = fit_survival(points, asymptote=0.5)
    assert survival.signal(200) == pytest.approx(signal(200), rel=1e-8)
    assert np.all(survival.covariance[-1] == 0)


def test_the_degree_gives_way_to_the_points():
    two = [p for p in references(law=(0.03, 1e-3)) if p.gates in (80, 320)]
    survival = fit_survival(two)
    assert survival.coefficients.size == 2
    assert survival.signal(160) == pytest.approx(signal(160, (0.03, 1e-3)))
    one = [p for p in two if p.gates == 80]
    assert fit_survival(one).correct(0.3, 0.01, 80).value == pytest.approx(
        0.46 + (0.3 - 0.46) / signal(80, (0.03, 1e-3))
    )


@pytest.mark.parametrize(("exact", "asymptote"), [((0.0, 1.0), None), ((0.0,), 0.46)])
def test_coverage_of_the_error_bar(exact, asymptote):
    rng = np.random.default_rng(0)
    distance, a = [], signal(280)
    for _ in range(300):
        survival = fit_survival(references(exact=exact, noise=0.004, rng=rng), asymptote=asymptote)
        measured = a * 0.3 + (1 - a) * 0.46 + 0.005 * rng.standard_normal()
        found = survival.correct(measured, 0.005, 280)
        distance.append((found.value - 0.3) / found.stderr)
    # χ² of few degrees of freedom scales the bars up, never down
    assert 0.85 < np.std(distance) < 1.05
    assert abs(np.mean(distance)) < 0.15


def test_a_law_that_does_not_fit_widens_the_bars():
    bent = [
        Reference(p.gates, p.exact, p.value + 0.03 * (-1) ** k, p.stderr)
        for k, p in enumerate(references())
    ]
    straight, crooked = fit_survival(references()), fit_survival(bent)
    assert crooked.chi2 / crooked.dof > 10
    assert crooked.correct(0.4, 0.005, 160).stderr > 2 * straight.correct(0.4, 0.005, 160).stderr


def test_nothing_left():
    rng = np.random.default_rng(2)
    points = references(noise=0.004, rng=rng, law=(0.0, 0.03), exact=(0.0, 1.0))
    survival = fit_survival(points, degree=1)
    with pytest.raises(FeedbackError, match="gates: wanted so few"):
        survival.correct(0.5, 0.005, 3000)


def test_bad_references():
    good = references()
    with pytest.raises(FeedbackError, match="degree: wanted"):
        fit_survival(good, degree=3)
    with pytest.raises(FeedbackError, match="references: wanted at least one"):
        fit_survival([])
    with pytest.raises(FeedbackError, match="errors > 0"):
        fit_survival([Reference(1, 0.0, 0.1, 0.0)], asymptote=0.5)
    with pytest.raises(FeedbackError, match="other than the asymptote"):
        fit_survival([Reference(1, 0.5, 0.5, 0.1)], asymptote=0.5)
    with pytest.raises(FeedbackError, match="references: wanted at least 3, got 2"):
        fit_survival([good[0], good[7]])


def test_the_mean_over_places():
    mean = mean_over_placements([0.2, 0.3, 0.4], [0.03, 0.04, 0.0])
    assert mean.value == pytest.approx(0.3)
    assert mean.stderr == pytest.approx(0.05 / 3)
    assert mean.scatter == pytest.approx(0.1 / math.sqrt(3))
    assert mean.error == mean.scatter
    alone = mean_over_placements([0.2], [0.03])
    assert alone.error == 0.03
    with pytest.raises(FeedbackError, match="values, stderr: wanted"):
        mean_over_placements([], [])


def test_the_steps_that_err_least():
    trotter = {k: 0.1 / k**2 for k in range(1, 9)}
    assert choose_steps(0.0, trotter).steps == 8
    raw = choose_steps(0.12, trotter, amplitude=0.25)
    total, formula, gates = raw.expected[3]
    assert formula == pytest.approx(0.1 / 9)
    assert gates == pytest.approx(0.25 * (1 - 0.88**3))
    assert total == pytest.approx(math.hypot(formula, gates))
    assert raw.steps == min(raw.expected, key=lambda k: raw.expected[k][0]) == 2
    # less is left of the gates' error, so more steps pay
    assert choose_steps(0.12, trotter, residual=0.25).steps > raw.steps
    assert choose_steps(0.5, trotter).steps == 1
    # with nothing to gain the fewest
    assert choose_steps(0.0, {2: 0.1, 3: 0.1}).steps == 2


@pytest.mark.parametrize(
    ("arguments", "options", "name"),
    [
        ((1.0, {1: 0.1}), {}, "gate_infidelity_per_step"),
        ((0.1, {}), {}, "predicted_trotter_errors"),
        ((0.1, {-1: 0.1}), {}, "predicted_trotter_errors"),
        ((0.1, {1: 0.1}), {"residual": 1.1}, "residual, amplitude, shot_error"),
    ],
)
def test_bad_choices(arguments, options, name):
    with pytest.raises(FeedbackError, match=f"^{name}: wanted"):
        choose_steps(*arguments, **options)
