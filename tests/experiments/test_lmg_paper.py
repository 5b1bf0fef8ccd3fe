"""The figures of the LMG paper: measures on signals of known answer, reference figures, claims."""

import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from qbrain.experiments.lmg.paper import PAPER, claims_homeostasis, measures
from qbrain.experiments.lmg.paper.checks import loop_error
from qbrain.experiments.lmg.paper.entanglement import entropies, figure_5
from qbrain.experiments.lmg.paper.homeostasis import figure_1, figure_3
from qbrain.experiments.lmg.paper.model import run, slow_cycle, stack
from qbrain.experiments.lmg.paper.pictures import draw
from qbrain.experiments.lmg.paper.plasticity import up_down
from qbrain.experiments.papers.gallery import measure_checks
from qbrain.experiments.report.figure import save_figure

T = np.arange(0.0, 200.0, 0.05)


# --- measures on signals of known answer ----------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(scale=st.floats(0.1, 10), shift=st.floats(-5, 5), seed=st.integers(0, 99))
def test_correlation_knows_no_scale_and_no_offset(scale, shift, seed):
    x, y = np.random.default_rng(seed).normal(size=(2, 50))
    plain = measures.correlation(x, y)
    assert measures.correlation(x, scale * y + shift) == pytest.approx(plain, abs=1e-9)
    assert measures.correlation(x, -scale * y) == pytest.approx(-plain, abs=1e-9)
    assert plain == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-12)
    assert measures.correlation(x, x) == pytest.approx(1)


def test_correlation_with_a_constant_is_zero():
    assert measures.correlation(np.ones(5), np.arange(5.0)) == 0


@pytest.mark.parametrize("delay", [0.0, 0.5, 2.0])
def test_strongest_lag_is_the_delay(delay):
    lag, coefficient = measures.strongest_lag(np.sin(T), -np.sin(T - delay), 0.05, 3.0)
    assert lag == pytest.approx(delay, abs=1e-9)
    assert coefficient == pytest.approx(-1, abs=1e-9)


@pytest.mark.parametrize("width", [0.05, 0.1, 0.4])
def test_dwell_of_a_ramp(width):
    ramp = (np.arange(10_000) + 0.5) / 10_000
    assert measures.dwell_share(ramp, width) == pytest.approx(2 * width, abs=1e-3)
    stay = measures.longest_stay(np.arange(10_000) * 1e-4, ramp, width)
    assert stay == pytest.approx(2 * width, abs=1e-3)


def test_the_longest_of_several_stays():
    e = np.array([0.5, 0.5, 0.9, 0.5, 0.5, 0.5, 0.0, 0.5])
    assert measures.longest_stay(np.arange(8.0), e, 0.1) == 2.0
    assert measures.longest_stay(np.arange(3.0), np.ones(3), 0.1) == 0.0


@given(duty=st.floats(0, 1))
def test_imbalance_of_a_square_wave(duty):
    up = round(1000 * duty)
    wave = np.concatenate((np.ones(up), np.zeros(1000 - up)))
    assert measures.imbalance(wave) == pytest.approx(2 * up / 1000 - 1)
    assert measures.imbalance(1 - wave) == pytest.approx(1 - 2 * up / 1000)


@settings(max_examples=40, deadline=None)
@given(frequency=st.floats(0.05, 5), phase=st.floats(0, 6))
def test_the_frequency_of_a_sine(frequency, phase):
    x = 0.5 + 0.3 * np.sin(2 * math.pi * frequency * T + phase)
    bin_width = 1 / 200
    assert measures.dominant_frequency(x, 0.05) == pytest.approx(frequency, abs=0.05 * bin_width)
    assert abs(measures.bin_frequency(x, 0.05) - frequency) <= 0.75 * bin_width


def test_power_below_weighs_two_lines_by_their_squares():
    x = 2 * np.sin(2 * math.pi * 0.1 * T) + np.sin(2 * math.pi * 3 * T)
    assert measures.power_below(x, 0.05, 1.0) == pytest.approx(0.8, abs=1e-6)
    frequencies, power = measures.power_spectrum(x, 0.05)
    assert power.sum() == pytest.approx(1)
    assert frequencies[power.argmax()] == pytest.approx(0.1)


def test_lines_holding_is_small_for_a_rhythm_and_large_for_noise():
    noise = np.random.default_rng(3).normal(size=len(T))
    assert measures.lines_holding(np.sin(2 * math.pi * T), 0.05) <= 3
    assert measures.lines_holding(noise, 0.05) > 200


def test_recurrence_is_the_best_return_after_leaving():
    f = np.cos(math.pi * T) ** 2 * np.exp(-T / 100)
    time, value = measures.recurrence(T, f)
    assert time == pytest.approx(1.0, abs=1e-9)
    assert value == pytest.approx(math.exp(-0.01), abs=1e-6)
    assert measures.recurrence(T, np.ones_like(T)) == (T[-1], 1.0)


def test_whole_cycles_leave_no_cycle_cut():
    inside, cycles = measures.whole_cycles(2 * T, 0.1)
    assert cycles == 39  # the last sample falls short of the fortieth
    assert measures.imbalance(0.5 + np.sin(0.4 * math.pi * T[inside] + 1)) == pytest.approx(
        0, abs=1e-2
    )
    everything, none = measures.whole_cycles(T, 1e-3)
    assert none == 0
    assert everything.all()


@pytest.mark.parametrize("samples", [1, 2, 5, 8])
def test_smoothed_against_a_plain_mean(samples):
    x = np.random.default_rng(1).normal(size=40)
    got = measures.smoothed(x, samples)
    for k in range(10, 30):
        low = k - samples // 2
        assert got[k] == pytest.approx(x[low : low + samples].mean() if samples > 1 else x[k])
    np.testing.assert_allclose(measures.smoothed(np.full(40, 2.5), samples), 2.5)


# --- what the figures are made of -------------------------------------------------------------


def test_slow_cycle_of_two_neurons_is_exact():
    # E(s) = ½[1 − cos(γ g0 s)] from silence for N = 2
    assert slow_cycle(2, 0.8, 0.125) == pytest.approx(0.8 * 0.125 / (2 * math.pi), rel=1e-12)


@pytest.mark.parametrize(
    ("neurons", "g0", "frequency"), [(10, 1.43, 0.01507), (20, 30.0, 0.01583), (20, 0.5, 2.639e-4)]
)
def test_slow_cycle_of_the_papers_couplings(neurons, g0, frequency):
    assert slow_cycle(neurons, 0.8, g0) == pytest.approx(frequency, rel=5e-4)


@pytest.mark.parametrize("tau_r", [0.5, 20.0])
def test_depression_divides_the_slow_frequency_by_a_known_number(tau_r):
    # ∫(1 − r)dt/τ_r = 𝒰∫E ds over a cycle, and E averages to ½ along the orbit
    frequency, tilt = up_down(10, 0.8, 1.43, "silent", tau_r, cycles=40)
    wanted = slow_cycle(10, 0.8, 1.43) / (1 + tau_r * 0.5 * 0.5)
    assert frequency == pytest.approx(wanted, rel=2e-3)
    assert tilt > 0


def test_stack_keeps_one_time_axis_where_it_can():
    t = np.linspace(0, 5, 6)
    same = stack({"start": (0, 2)}, lambda n: run(4, 0.8, 1.0, n, t))
    assert same.excitation.dims == ("start", "time")
    assert float(same.excitation.sel(start=2)[0]) == pytest.approx(0.5, abs=1e-12)
    other = stack({"neurons": (2, 4)}, lambda n: run(n, 0.8, 1.0, "silent", n * t))
    assert other.excitation.dims == ("neurons", "sample")
    np.testing.assert_array_equal(other.time.sel(neurons=4), 4 * t)


def test_a_dataset_names_every_parameter_and_who_chose_it(tmp_path):
    figure = figure_1()
    data = figure.dataset()
    data.to_netcdf(tmp_path / "figure1.nc", engine="h5netcdf")
    back = xr.load_dataset(tmp_path / "figure1.nc", engine="h5netcdf")
    paper = back.attrs["parameters_of_paper"].split(", ")
    ours = back.attrs["parameters_of_ours"].split(", ")
    assert sorted(paper + ours) == sorted(p.name for p in figure.parameters)
    assert {"neurons", "gamma", "g0"} <= set(paper)
    assert {"window", "start_excitations"} == set(ours)
    assert all(name in back.attrs for name in paper + ours)
    assert all(f"{name}: " in back.attrs["why_ours"] for name in ours)
    assert back.attrs["backend"] == "exact reference, no circuit"
    assert list(back.variation_parameter.values) == [v.parameter for v in figure.variations]
    # γ = 1 returns at π N / g0
    e = back.excitation.sel(gamma=1.0)
    k = int(np.argmin(np.abs(back.time.values - math.pi * 20)))
    np.testing.assert_allclose(e[:, k], e[:, 0], atol=2e-3)


def test_the_return_of_figure_5_is_where_the_law_puts_it():
    figure = figure_5()
    # s = πN/g0, stretched by 1 + τ_r𝒰/2 on average
    wanted = math.pi * 80 / 0.05 * 1.25
    for start in ("saturated", "N/2 - 1"):
        assert figure.measures[f"time of the return, {start}"] == pytest.approx(wanted, abs=3)
        assert figure.measures[f"fidelity of the return, {start}"] > 0.995
    assert figure.measures["lowest fidelity on the orbit, N/2 - 1"] < 1e-20
    assert figure.variations[0].with_other == pytest.approx(math.pi * 80 / 0.05, rel=1e-6)


def test_the_same_data_make_the_same_picture(tmp_path):
    data = figure_3().dataset()
    for kind in ("png", "svg"):
        for name in "ab":
            save_figure(draw(data), tmp_path / f"{name}.{kind}")
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()


# --- reference figures and claims ---------------------------------------------------------------


@pytest.mark.parametrize("figure", [4, 6, 7, 9])
def test_the_reference_figures_of_a_figure(figure):
    checks = list(measure_checks(PAPER, {figure}))
    assert checks
    for check in checks:
        assert check.figure == figure
        assert check.agrees, check


@pytest.mark.parametrize(
    ("gamma", "time", "steps", "order", "wanted"),
    [(1.0, 12.0, 16, 1, 0.0086), (1.0, 12.0, 16, 2, 0.0013), (0.8, 200.0, 100, 2, 0.011)],
)
def test_step_errors_of_the_loop(gamma, time, steps, order, wanted):
    assert loop_error(gamma, time, steps, order) == pytest.approx(wanted, rel=0.07)


@pytest.mark.parametrize("order", [1, 2])
def test_the_loop_converges_at_its_order(order):
    errors = [loop_error(1.0, 12.0, n, order) for n in (64, 128, 256)]
    np.testing.assert_allclose(-np.diff(np.log2(errors)), order, atol=0.15)


def test_the_entropies_of_figure_6_are_not_equation_7():
    found = entropies()
    assert found["half minimum"] < found["half start"] - 0.4
    assert found["half Eq. 7 minimum"] == pytest.approx(found["half start"], abs=1e-9)
    assert found["saturated Eq. 7 maximum"] > found["saturated maximum"] + 1.6


@pytest.mark.parametrize(
    ("claim", "verdict"),
    [
        (claims_homeostasis.dwell_time, "holds"),
        (claims_homeostasis.variance, "holds in part"),
        (claims_homeostasis.feedback_control, "does not hold"),
        (claims_homeostasis.semi_activated, "holds in part"),
        (claims_homeostasis.fidelity_recurrence, "holds"),
        (claims_homeostasis.fidelity_from_half, "does not hold"),
        (claims_homeostasis.entropy_dip, "holds in part"),
    ],
)
def test_verdicts(claim, verdict):
    found = claim()
    assert found.verdict == verdict
    assert found.numbers
    for row in found.numbers:
        assert all(not isinstance(x, float) or math.isfinite(x) for x in row.values())


def test_every_figure_but_the_first_has_a_claim():
    # figure 1 illustrates; the text claims nothing of it that could be measured
    assert set().union(*(about for about, _ in PAPER.claims)) == set(PAPER.figures) - {1}
