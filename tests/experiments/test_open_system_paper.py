"""The figures of the open nervous system: curves, measures, claims, checks, the command."""

import contextlib
import io
import itertools
import json
import math
import time
from contextlib import redirect_stderr, redirect_stdout
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from qbrain.experiments.cli import run_command
from qbrain.experiments.open_system.paper import PAPER, beyond, claims, flows, loops, model, pulses
from qbrain.experiments.open_system.paper.pictures import draw
from qbrain.experiments.papers.gallery import measure_checks
from qbrain.experiments.report.figure import save_figure
from qbrain.reference.open_system import choi_minimum, simulate_open_system
from qbrain.reference.open_system.bath_stimuli import Pulse
from qbrain.reference.open_system.mean_field import printed_from_down, right_mean_field

KINDS = ("md", "nc", "png", "svg")
NAMES = [f"figure{n}" for n in range(2, 7)] + [
    "cutoff", "exact", "negative", "collisions", "homeostasis"
]  # fmt: skip
EARLY = model.TIMES[:600:25]


# --- the curves against the equations integrated ----------------------------------------------


@pytest.mark.parametrize(
    ("neurons", "scaling"), [(1, "none"), (2, "none"), (3, "1/N"), (10, "1/N")]
)
@pytest.mark.parametrize("figure", [5, 6])
def test_the_path_along_g_is_the_master_equation_with_its_negative_rates(neurons, scaling, figure):
    found = simulate_open_system(
        neurons, (model.WARM, model.RETRIEVED[figure]), "down", EARLY, scaling=scaling,
        allow_negative=True,
    )  # fmt: skip
    followed = model.followed(model.CUTOFF, model.RETRIEVED[figure], neurons, scaling, True)
    # negative rates amplify the integrator's 1e-9
    np.testing.assert_allclose(followed[:600:25], found.m_z, atol=1e-5)


@pytest.mark.parametrize("neurons", [1, 2])
def test_at_zero_temperature_silence_stays_with_the_negative_rates_too(neurons):
    found = simulate_open_system(
        neurons, (model.COLD, model.RETRIEVED[3]), "down", EARLY, allow_negative=True
    )
    np.testing.assert_array_equal(found.m_z, -1.0)
    curve = model.followed(model.CUTOFF, model.RETRIEVED[3], neurons, "none", False)
    np.testing.assert_array_equal(curve, -1.0)


@pytest.mark.parametrize("scaling", ["1/N", "none"])
def test_the_mean_field_from_silence_has_this_closed_form(scaling):
    found = right_mean_field(
        7, (model.WARM, model.RETRIEVED[5]), "down", EARLY, scaling=scaling, allow_negative=True
    )
    g = model.area(model.CUTOFF, model.RETRIEVED[5])[:600:25]
    wanted = model.mean_field_from_down(7, g, warm=True, scaling=scaling)
    np.testing.assert_allclose(wanted, found.m_z, atol=1e-8)


@pytest.mark.parametrize("figure", [3, 6])
def test_eq_18_from_silence_is_a_function_of_g(figure):
    warm = figure > 4
    g = model.area(model.CUTOFF, model.RETRIEVED[figure])
    bath = model.WARM if warm else model.COLD
    wanted = printed_from_down(bath, model.RETRIEVED[figure], model.TIMES)
    np.testing.assert_allclose(model.printed_from_area(g, warm=warm), wanted, atol=1e-8)


def test_where_g_is_below_0_there_is_no_state():
    g = np.array([0.0, 0.3, -0.01, 0.2])
    m = model.exact_from_down(2, g, warm=True, scaling="none")
    assert np.isnan(m).tolist() == [False, False, True, False]
    assert m[0] == -1
    # a pair rises to p_n ∝ ½ⁿ
    assert -1 < m[3] < m[1] < (1 / 2 + 2 / 4) / 1.75 - 1


@settings(max_examples=25, deadline=None)
@given(st.floats(-1, 1), st.floats(-1, 1))
def test_the_choi_eigenvalue_of_decay(before, change):
    found = float(beyond.step_choi(np.array([before, before + change]))[0])
    # E(|a⟩⟨b|) of amplitude damping by p = e^{−ΔG}, |1⟩ first
    p = math.exp(-change)
    choi = np.zeros((4, 4))
    choi[0, 0], choi[1, 1], choi[3, 3] = p, 1 - p, 1
    choi[0, 3] = choi[3, 0] = math.sqrt(p)
    assert found == pytest.approx(min(0.0, np.linalg.eigvalsh(choi / 2)[0]), abs=1e-12)


def test_the_choi_eigenvalue_of_figure_3():
    found = choi_minimum(1, (model.COLD, model.RETRIEVED[3]), 1.5, 2.0)
    assert beyond.step_choi_between(1.5, 2.0) == pytest.approx(found, abs=1e-8)
    assert beyond.step_choi_between(0.5, 1.5) == 0


def test_circuits_refuse_the_retrieving_pulse_by_its_time():
    assert "wanted a rate >= 0" in beyond.refusal()
    assert "from time 1.6 to 1.65" in beyond.refusal()


# --- measures of known answer -----------------------------------------------------------------


def test_limits_of_the_populations():
    # p_n ∝ ½ⁿ
    assert flows.limit(1, "boltzmann") == pytest.approx(-1 / 3, abs=1e-9)
    assert flows.limit(2, "boltzmann") == pytest.approx(2 * (2 / 3.5) / 2 - 1, abs=1e-9)
    assert flows.limit(50, "boltzmann") == pytest.approx(2 / 50 - 1, abs=1e-9)
    assert flows.limit(50, "bose") == pytest.approx(0, abs=1e-8)


@given(st.floats(0.2, 5))
def test_half_time_of_an_exponential(rate):
    curve = np.zeros((3, len(flows.FLOW_TIMES)))
    curve[2] = 0.4 - np.exp(-rate * flows.FLOW_TIMES)
    found = flows.half_time(curve, 0.4)
    assert 0 <= found - math.log(2) / rate <= 0.05 + 1e-9


def test_half_time_that_is_yet_to_come():
    assert flows.half_time(np.ones((3, len(flows.FLOW_TIMES))), 0.0) == math.inf


def test_the_last_time_away():
    curve = np.where(model.TIMES < 3.215, -0.9, -0.96)
    assert model.away_until(curve) == pytest.approx(3.21)
    assert model.away_until(np.full(len(model.TIMES), -0.96)) == 0
    assert model.at(model.TIMES**2, 1.5) == pytest.approx(2.25)


@given(st.floats(-3, 3), st.floats(0.1, 10))
def test_slope_of_a_power(power, factor):
    x = np.array([1.0, 2, 4, 9])
    assert loops.slope(x, factor * x**power) == pytest.approx(power, abs=1e-9)


# --- the loop ---------------------------------------------------------------------------------


def test_the_loop_with_exact_readings_is_the_master_equation_under_its_own_stimulus():
    m, etas = loops.held(loops.laws()["closed loop"], kick=False)
    times = np.linspace(0, 12, 37)
    edges = itertools.pairwise(times)
    own = [Pulse(float(a), float(b), float(e)) for (a, b), e in zip(edges, etas[0], strict=True)]
    exact = simulate_open_system(
        4, (model.COLD, own), "up", times, scaling="1/N", allow_negative=True
    )
    np.testing.assert_allclose(m[0], exact.m_z, atol=1e-7)
    # planned beforehand it is the same, but for a kick
    planned, same = loops.held(loops.laws()["open loop"], kick=False)
    np.testing.assert_allclose(planned, m, atol=1e-12)
    np.testing.assert_array_equal(same, etas)


def test_a_bath_that_answers_twice_as_strongly_is_one_at_twice_the_stimulus():
    law = loops.laws()["constant"]
    weak, strong = loops.held(law, repetitions=2, strengths=np.array([1.0, 2.0]), kick=False)[0]
    times = np.linspace(0, 12, 37)
    for eta, found in ((0.1, weak), (0.2, strong)):
        exact = simulate_open_system(4, (model.COLD, Pulse(0, 12, eta)), "up", times, scaling="1/N")
        np.testing.assert_allclose(found, exact.m_z, atol=1e-7)


def test_many_shots_are_exact_readings_and_few_are_not():
    law = loops.laws()["closed loop"]
    exact = loops.held(law, kick=False)[0][0]
    many, few = (
        loops.held(law, repetitions=100, shots=shots, kick=False, seed=4)[0]
        for shots in (10**7, 200)
    )
    # a reading errs by at most 1/√shots, and the loop does not amplify it
    assert np.abs(many - exact).max() < 5e-3
    # all read 1 at first: the first step is the same for all, the next not
    assert np.ptp(few[:, 1]) < 1e-12 < np.ptp(few[:, 3])
    assert few[:, -1].mean() < exact[-1]
    again = loops.held(law, repetitions=100, shots=200, kick=False, seed=4)[0]
    np.testing.assert_array_equal(few, again)


# --- figures, claims, checks ------------------------------------------------------------------


def test_reference_figures_agree():
    found = list(measure_checks(PAPER))
    assert len(found) == 2 + 3 + 5 + 6 + 2
    assert [c.quantity for c in found if not c.agrees] == []
    assert [c.figure for c in measure_checks(PAPER, {3})] == [3, 3]


def test_no_cutoff_gives_all_that_the_paper_says():
    figure = pulses.figure_cutoff()
    found = figure.measures
    assert found["cutoffs at which all twelve hold"] == 0
    assert found["statements of 12 that hold at best"] == 10
    # known to be closest between 3 and 3.5
    assert found["least cutoff where so many hold"] < 3
    assert 3.4 < found["largest cutoff where so many hold"] < 3.6
    assert found["least cutoff with S_z(1.5) = 0 in all four"] > 9
    distance = figure.data.distance
    near = distance.sel(cutoff_scan=3.5489, of_figure=3)
    assert float(near.sel(statement="S_z(1.5) = 0")) == pytest.approx(0.262, abs=1e-3)
    assert bool((distance >= 0).all())


def test_figure_5_holds_what_its_page_says():
    figure = pulses.figure_5()
    assert figure.measures["S_z(1.5) by Eq. 18"] == pytest.approx(-0.019, abs=5e-4)
    assert figure.measures["n at 300 K, Bose"] == pytest.approx(1.96e10, rel=1e-2)
    assert figure.measures["integral of F to 10, Bose"] > 1e9
    exact = figure.data.exact
    assert float(exact.sel(neurons=1).max()) < -1 / 3
    # more neurons rise less
    tops = [float(exact.sel(neurons=n, scaling="1/N").max()) for n in model.NEURONS]
    assert tops == sorted(tops, reverse=True)
    without = np.isnan(exact.sel(neurons=1, scaling="none"))
    np.testing.assert_array_equal(without, figure.data.area < -1e-12)


def test_pictures_come_from_the_data_alone(tmp_path):
    path = tmp_path / "data.nc"
    loops.figure_collisions().dataset().to_netcdf(path, engine="h5netcdf")
    save_figure(draw(xr.load_dataset(path, engine="h5netcdf")), tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_slopes_of_the_collisions():
    found = loops.figure_collisions().measures
    for name, slope in {"alternating": -1, "palindromic": -1, "richardson": -2, "fixed": 0}.items():
        assert found[f"slope from 32 to 256, {name}"] == pytest.approx(slope, abs=0.03)


def test_verdicts_that_are_cheap():
    zero, areas = claims.flows_to_zero(), claims.equal_areas()
    assert (zero.verdict, areas.verdict) == ("holds in part", "holds in part")
    limits = [row for row in zero.numbers if row.get("occupation") == "boltzmann"]
    assert all(float(row["limit of m_z"]) < -0.3 for row in limits)
    assert all(float(row["S_z(10), 300 K"]) < -0.95 for row in areas.numbers)


# --- the command ------------------------------------------------------------------------------


def qbrain(*arguments, cwd):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(cwd), redirect_stdout(out), redirect_stderr(err):
        code = run_command([str(x) for x in arguments])
    return SimpleNamespace(returncode=code, stdout=out.getvalue(), stderr=err.getvalue())


def test_one_figure_from_the_command_line(tmp_path):
    arguments = ("--only", "cutoff", "--out", "out", "--json")
    done = qbrain("figures", "open-system", *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["system"], result["out"]) == ("open-system", "out")
    assert [row["figure"] for row in result["figures"]] == ["cutoff"]
    assert {p.name for p in (tmp_path / "out").iterdir()} == {f"cutoff.{k}" for k in KINDS}
    page = (tmp_path / "out/cutoff.md").read_text(encoding="utf-8")
    for words in ("no ω_c gives all twelve", "(cutoff.svg)", "exact reference, no circuit"):
        assert words in page, words


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--only", "7"], "only: wanted a figure from 2 to 6, cutoff, exact"),
        (["--only", "1"], "homeostasis, got 1"),
        (["--only", "2", "--out", "a-file"], "out: cannot write to a-file"),
    ],
)
def test_bad_input_is_one_clear_line(arguments, words, tmp_path):
    (tmp_path / "a-file").write_text("")
    done = qbrain("figures", "open-system", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1, done.stderr
    assert words in done.stderr


@pytest.mark.slow
def test_all_figures_claims_and_checks(tmp_path):
    began = time.process_time()
    done = qbrain("figures", "open-system", "--out", "all", "--json", cwd=tmp_path)
    assert time.process_time() - began < 120
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    names = {p.name for p in (tmp_path / "all").iterdir()}
    wanted = {f"{name}.{k}" for name in NAMES for k in KINDS}
    assert names == wanted | {"claims.md", "claims.json", "checks.md", "checks.json", "index.md"}
    assert all(check["agrees"] for check in result["checks"])
    assert {c["name"]: c["verdict"] for c in result["claims"]} == {
        "flows to (0, 0, 0)": "holds in part",
        "faster with a larger coupling": "holds",
        "depolarised by stimulation": "does not hold",
        "about half of the neurons fire": "holds in part",
        "return to rest": "holds in part",
        "pulses of equal area are equivalent": "holds in part",
        "temperature slows the return": "holds in part",
    }
    measures = {row["figure"]: row["measures"] for row in result["figures"]}
    assert measures["homeostasis"]["m_z at 12 after the kick, closed loop"] == pytest.approx(
        -0.2, abs=0.02
    )
    assert measures["homeostasis"]["m_z at 12 after the kick, open loop"] > 0.9
    # 300 repetitions: a spread is known to 1/√600, and six make a slope to a few hundredths
    slope = measures["homeostasis"]["slope of the spread over shots"]
    assert slope == pytest.approx(-0.5, abs=0.08)
    assert measures["negative"]["smallest Choi eigenvalue, whole stimulus to 10, N 2"] < -0.1
    # the master equation does not go where Eq. 18 goes
    assert measures[2]["length of S at 20 by Eq. 18, eta 0.1"] < 1e-4
    assert measures[2]["limit of m_z, exact, N 50"] == pytest.approx(-0.96, abs=1e-6)
