"""Extrapolation to zero noise: exact on its own models, and honest error bars."""

import numpy as np
import pytest

from qbrain.backends.errors import BackendError
from qbrain.backends.extrapolation import MODELS, extrapolate, fit_model

SCALES = np.array([1.0, 1.5, 2.0, 3.0])


@pytest.mark.parametrize(
    ("model", "law"),
    [
        ("linear", lambda x: 0.3 + 0.1 * x),
        ("quadratic", lambda x: 0.3 + 0.1 * x - 0.02 * x**2),
        ("exponential", lambda x: 0.5 - 0.2 * np.exp(-0.4 * x)),
        ("exponential", lambda x: 0.5 + 0.4 * np.exp(-1.1 * x)),
    ],
)
def test_each_model_is_exact_on_itself(model, law):
    fit = fit_model(model, SCALES, law(SCALES), np.full(4, 1e-3), asymptote=0.5)
    assert fit.value == pytest.approx(law(0.0), abs=1e-7)
    assert fit.chi2 < 1e-6
    assert fit.dof == 4 - (3 if model == "quadratic" else 2)


def test_three_points_and_a_parabola_are_richardson():
    # Σ_i E_i Π_{j≠i} λ_j/(λ_j − λ_i)
    scales, values, errors = np.array([1.0, 2.0, 3.0]), [0.2, 0.31, 0.37], [0.01, 0.02, 0.03]
    fit = fit_model("quadratic", scales, values, errors)
    assert fit.value == pytest.approx(3 * 0.2 - 3 * 0.31 + 0.37)
    assert fit.stderr == pytest.approx(np.sqrt((3 * 0.01) ** 2 + (3 * 0.02) ** 2 + 0.03**2))


@pytest.mark.parametrize("model", MODELS)
def test_a_models_standard_error_is_the_scatter_of_its_answers(model):
    rng = np.random.default_rng(0)
    truth = 0.5 - 0.3 * np.exp(-0.3 * SCALES)
    sigma = np.array([0.004, 0.004, 0.006, 0.006])
    if model == "linear":
        truth = 0.2 + 0.05 * SCALES
    fits = [
        fit_model(model, SCALES, truth + sigma * rng.standard_normal(4), sigma, asymptote=0.5)
        for _ in range(400)
    ]
    scatter = np.std([fit.value for fit in fits])
    assert np.mean([fit.stderr for fit in fits]) == pytest.approx(scatter, rel=0.15)


@pytest.mark.parametrize(
    "law",
    [
        lambda x: 0.5 - 0.25 * np.exp(-0.25 * x),
        lambda x: 0.5 - 0.25 * np.exp(-0.6 * x),
        # two rates, then another asymptote than the one assumed
        lambda x: 0.5 - 0.15 * np.exp(-0.25 * x) - 0.1 * np.exp(-0.6 * x),
        lambda x: 0.47 - 0.25 * np.exp(-0.4 * x),
        lambda x: 0.3 + 0.05 * x,
    ],
)
@pytest.mark.parametrize("scales", [(1.0, 1.5, 2.0), (1.0, 2.0, 3.0)])
def test_coverage(law, scales):
    """Two error bars hold the truth in at least 95 % of repetitions, one bar in 68 %."""
    distance = np.array([d for d, _ in distances(law, scales)])
    assert np.mean(distance < 2) >= 0.95
    assert np.mean(distance < 1) >= 0.68


def distances(law, scales, repetitions=150):
    """|E₀ − truth| in error bars, and in error bars of shots alone."""
    rng = np.random.default_rng(1)
    sigma, scales = np.full(3, 0.004), np.array(scales)
    for _ in range(repetitions):
        values = law(scales) + sigma * rng.standard_normal(3)
        found = extrapolate(
            scales, values, sigma, asymptote=0.5, asymptote_stderr=0.02, bounds=(0, 1)
        )
        off = abs(found.value - law(0.0))
        yield off / found.stderr, off / found.statistical


def test_what_no_scale_above_one_can_see():
    """A part that is lost almost at once: all models err the same way, and the bars fall short."""
    found = np.array(
        list(distances(lambda x: 0.5 - 0.15 * np.exp(-0.2 * x) - 0.1 * np.exp(-0.9 * x), (1, 2, 3)))
    )
    assert 0.85 < np.mean(found[:, 0] < 2) < 0.95
    assert np.mean(found[:, 1] < 2) < 0.75


def test_shots_alone_would_claim_too_much():
    """The reason for the second part of the error bar: a line through a decay."""
    values = 0.5 - 0.4 * np.exp(-0.5 * SCALES)
    sigma = np.full(4, 1e-3)
    found = extrapolate(SCALES, values, sigma, models=["linear", "quadratic"], significance=0)
    off = abs(found.value - 0.1)
    assert off > 5 * found.statistical
    assert found.spread > 0.4 * off


def test_an_inadmissible_model_is_passed_over():
    values = 0.5 - 0.4 * np.exp(-0.5 * SCALES)
    found = extrapolate(
        SCALES, values, np.full(4, 1e-3), models=["linear", "exponential"], asymptote=0.5
    )
    assert found.model == "exponential"
    assert found.admissible == ("exponential",)
    assert found.spread == 0
    assert (found.raw_value, found.raw_stderr) == (values[0], 1e-3)
    assert {fit.model for fit in found.fits} == {"linear", "exponential"}


def test_nothing_left_to_extrapolate():
    assert fit_model("exponential", [1, 2, 3], [0.501, 0.499, 0.5], [0.01] * 3, 0.5) is None
    assert fit_model("exponential", [1, 2], [0.2, 0.3], [0.01] * 2) is None
    assert fit_model("quadratic", [1, 2], [0.2, 0.3], [0.01] * 2) is None
    found = extrapolate([1, 2, 3], [0.501, 0.499, 0.5], [0.01] * 3, asymptote=0.5)
    assert found.model == "linear"


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (([1, 2], [0, 0, 0], [1, 1]), "scales, values, stderr"),
        (([0.5, 2], [0, 0], [1, 1]), "scales"),
        (([2, 2], [0, 0], [1, 1]), "scales"),
        (([1, 2], [0, np.nan], [1, 1]), "values"),
        (([1, 2], [0, 0], [0, 1]), "stderr"),
    ],
)
def test_bad_points(arguments, name):
    with pytest.raises(BackendError, match=f"^{name}: wanted"):
        extrapolate(*arguments)


def test_bad_models():
    for models in ([], ["cubic"]):
        with pytest.raises(BackendError, match="models: wanted"):
            extrapolate([1, 2], [0, 0], [1, 1], models=models)
    with pytest.raises(BackendError, match="model: wanted"):
        fit_model("cubic", [1, 2], [0, 0], [1, 1])
    with pytest.raises(BackendError, match="scales: wanted enough"):
        extrapolate([1, 2], [0, 0], [1, 1], models=["quadratic"])
