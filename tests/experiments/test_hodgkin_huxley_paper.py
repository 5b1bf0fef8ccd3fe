"""The quantized Hodgkin-Huxley paper: its measures, figures, claims, and the command."""

import contextlib
import io
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
from scipy.integrate import quad, solve_ivp

from qbrain.experiments.cli import run_command
from qbrain.experiments.hodgkin_huxley.paper import (
    PAPER,
    areas,
    circuits,
    claims_areas,
    claims_responses,
    loops,
    measures,
    memristor,
    model,
    responses,
    table_one,
    trajectories,
)
from qbrain.experiments.hodgkin_huxley.paper.pictures import draw
from qbrain.experiments.papers.claims import Claim
from qbrain.experiments.papers.gallery import measure_checks
from qbrain.reference.hodgkin_huxley.channel_drives import EntangledDrive
from qbrain.reference.hodgkin_huxley.quantized_channel import Channel, simulate_channel_dynamic

KINDS = ("md", "nc", "png", "svg")


def qbrain(*arguments, cwd):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(cwd), redirect_stdout(out), redirect_stderr(err):
        code = run_command([str(x) for x in arguments])
    return SimpleNamespace(returncode=code, stdout=out.getvalue(), stderr=err.getvalue())


# --- measures on signals of known answer ----------------------------------------------------


@given(st.floats(0.1, 5), st.floats(-3, 3))
def test_a_line_through_the_origin_is_linear_and_a_circle_is_not(scale, slope):
    x = scale * np.sin(np.linspace(0, 2 * np.pi, 201)[:-1])
    if abs(slope) > 1e-3:
        assert measures.nonlinearity(x, slope * x) == pytest.approx(0, abs=1e-12)
    assert measures.nonlinearity(x, np.roll(x, 50)) == pytest.approx(1, abs=1e-12)


def test_the_running_mean_of_a_sine_over_its_period_is_its_offset():
    t = np.linspace(0, 20, 4001)
    times, mean = measures.running_mean(t, 0.7 + np.sin(2 * np.pi * t / 1.5), 1.5)
    assert times[0] == pytest.approx(1.5, abs=0.005)
    np.testing.assert_allclose(mean, 0.7, atol=1e-5)


def test_a_logistic_rise_is_steepest_at_its_middle():
    t = np.linspace(0, 30, 6001)
    x = 1 / (1 + np.exp(-(t - 8.0))) + 0.05 * np.sin(2 * np.pi * t)
    found = measures.rise(t, x, 1.0)
    # the mean of the period that ends at t is that of its middle
    assert found.delay + 1.0 == pytest.approx(8.5, abs=0.02)
    assert found.monotonic
    assert found.saturated
    down = measures.rise(t, -x, 1.0)
    assert not down.monotonic
    assert down.fall == pytest.approx(1, abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(
    omega=st.floats(0.2, 10), capacitance=st.floats(0.05, 3), impedance=st.floats(0.05, 20),
    amplitude=st.floats(0.1, 5),
)  # fmt: skip
def test_the_frozen_loop_is_its_ellipse(omega, capacitance, impedance, amplitude):
    current = amplitude * np.sin(2 * np.pi * np.arange(64) / 64)
    lag = omega * capacitance * impedance
    wanted = math.pi * amplitude**2 * impedance * lag / (1 + lag**2)
    found = measures.frozen_area(current, omega, capacitance, impedance)
    assert found == pytest.approx(wanted, rel=1e-9)
    alone = measures.capacitor_area(current, omega, capacitance)
    assert alone == pytest.approx(math.pi * amplitude**2 / (omega * capacitance), rel=1e-9)


def test_the_frozen_loop_of_two_harmonics_is_that_of_its_circuit():
    omega, c, z = 1.3, 0.4, 2.0

    def current(t):
        return np.sin(omega * t) + 0.3 * np.sin(3 * omega * t + 0.4)

    period = 2 * np.pi / omega
    run = solve_ivp(
        lambda t, v: (current(t) - v / z) / c, (0, 21 * period), [0.0], rtol=1e-11, atol=1e-12,
        dense_output=True,
    )  # fmt: skip
    t = np.linspace(20 * period, 21 * period, 2001)[:-1]
    slope = omega * (np.cos(omega * t) + 0.9 * np.cos(3 * omega * t + 0.4))
    area = abs(np.mean(run.sol(t)[0] * slope)) * period
    found = measures.frozen_area(current(period * np.arange(64) / 64), omega, c, z)
    assert found == pytest.approx(area, rel=1e-6)


@pytest.mark.parametrize("alpha", [0.0, 0.4, 1.0, 2.0])
@pytest.mark.parametrize("theta", [0.0, 0.3, math.pi / 4, 1.2])
def test_the_state_in_a_fock_space(theta, alpha):
    found = measures.fock_state(theta, alpha)
    assert found.flux == pytest.approx(alpha, abs=1e-12)
    assert found.norm == pytest.approx(1 + math.sin(2 * theta) * math.exp(-(alpha**2)), abs=1e-12)
    assert found.entropy == pytest.approx(areas.entropy(theta, alpha), abs=1e-9)


def test_the_heat_of_a_resistance():
    v = -12 + 20 * np.sin(2 * np.pi * np.arange(64) / 64)
    # 20²/2 mV² at 3 mS over 5 ms
    assert measures.dissipated(v, np.full(64, 3.0), -12.0, 5.0) == pytest.approx(3000)


# --- figures --------------------------------------------------------------------------------


def test_the_entropies_are_the_known_ones_and_the_paper_ratios_fall():
    figure = loops.figure_13()
    for alpha0, wanted in ((1.0, 0.217), (1.5, 0.509), (2.0, 0.657)):
        found = figure.measures[f"entropy at π/4, α₀ {alpha0:g}"]
        assert found == pytest.approx(wanted, abs=5e-4)
        mean = quad(lambda x, a=alpha0: areas.entropy(math.pi / 4, a * abs(math.sin(x))), 0, 3.1416)
        got = figure.measures[f"period's mean entropy at π/4, α₀ {alpha0:g}"]
        assert got == pytest.approx(mean[0] / math.pi, abs=1e-4)
    assert np.all(np.diff(figure.data.peak_entropy, axis=1) > 0)


def test_the_headline_is_flat_when_normalised_and_falls_when_not():
    figure = loops.headline()
    data = figure.data
    np.testing.assert_allclose(data.ratio_normalised, 1, rtol=1e-9)
    ends = data.ratio_unnormalised[:, -1].values
    assert np.all(np.diff(ends) < 0)
    assert np.all(np.diff(data.ratio_unnormalised, axis=1) > 0)
    assert np.all(np.diff(data.entropy[:, -1]) > 0)
    paper = [figure.measures[f"ratio at π/4, Table I, α₀ {a:g}"] for a in model.ALPHAS]
    np.testing.assert_allclose(paper, [1.542, 1.272, 1.117], atol=5e-4)
    # ours reproduce the table's ratios to 3 %, each area's error twice
    np.testing.assert_allclose(ends, paper, rtol=0.032)


def test_the_area_of_a_figure_is_that_of_a_long_run():
    drive = model.entangled(1.5, normalised=False)
    loop = model.cycle(drive, dynamic=True)
    t = np.linspace(40 * drive.period, 41 * drive.period, 4001)
    run = simulate_channel_dynamic(model.CHANNEL, drive, 0.2, t, initial_voltage=-12.0)
    area = abs(np.trapezoid(run.voltage.values, run.current.values))
    assert area == pytest.approx(loop.area, rel=1e-4)


def test_the_classical_model_is_the_quantized_circuit():
    figure = responses.figure_8()
    assert figure.measures["largest difference from the quantized channel's circuit, mV"] < 1e-4
    assert figure.measures["first peak of V, mV"] > figure.measures["last peak of V, mV"] + 10


@pytest.mark.parametrize("make", [responses.figure_7, responses.figure_9, responses.figure_12])
def test_trajectories_end_on_the_limit_cycle_and_have_a_picture(make):
    figure = make()
    data = figure.dataset()
    assert figure.measures["spread of V over starts, last period"] < 0.01
    assert figure.measures["multiplier of the limit cycle"] < 1
    for law in data.law.values:
        one = data.sel(law=law)
        late = one.voltage[-300:]
        swing = float(np.ptp(one.cycle_voltage.values))
        assert float(late.max()) == pytest.approx(float(one.cycle_voltage.max()), abs=0.02 * swing)
        assert float(late.min()) == pytest.approx(float(one.cycle_voltage.min()), abs=0.02 * swing)
    assert {c.quantity: c for c in figure.comparisons}[
        "largest error of V at the same impedance, mV"
    ].printed > 1
    assert len(draw(data).axes) >= 3


def test_the_paper_loops_are_wrong_where_its_formulas_are():
    for figure, alpha0 in ((loops.figure_10(), 1.5), (loops.figure_11(), 2.0)):
        own = figure.comparisons[1]
        drive = model.entangled(alpha0, normalised=False)
        assert own.ours == pytest.approx(model.cycle(drive).area)
        assert own.printed is not None
        assert abs(own.printed / own.ours - 1) > 0.3
        frozen = figure.measures["area with the gate frozen, mV µA/cm²"]
        assert frozen / figure.measures["area, closed, mV µA/cm²"] == pytest.approx(1, abs=0.05)
        assert len(draw(figure.dataset()).axes) == 2


def test_figure_14_and_its_picture():
    figure = loops.figure_14()
    assert figure.measures["heat of a period over the coherent source's, normalised"] == 1.0
    assert figure.measures["largest error of <a1 + a2> = α, Fock space"] < 1e-12
    assert len(draw(figure.dataset()).axes) == 1


@pytest.mark.slow
def test_the_average_memristor_is_classical_and_straightens():
    figure = memristor.figure_3()
    bent = [figure.measures[f"distance from a line, V {v:g}"] for v in memristor.VOLTAGES]
    assert np.all(np.diff(bent) < 0)
    gap = figure.measures["largest difference of <q> from the classical circuit's charge"]
    assert gap < 1e-8
    # with the mean fed back the average is the master equation's: 95 % bands, seldom left
    data = figure.data.sel(feedback="mean")
    away = np.abs(data.mean_charge - data.average_charge)[1:]
    assert float((away / data.mean_charge_error[1:]).max()) < 4.5
    shift = figure.measures["largest shift of the mean charge, feedback record"]
    assert shift > 4 * figure.measures["standard error of that shift, feedback record"]
    assert len(draw(figure.dataset()).axes) == 8


def test_our_parameters_reproduce_table_one():
    residuals, scale = table_one.our_residuals()
    assert np.sqrt(np.mean(residuals**2)) < 0.015
    # the shape's areas are the figures' own
    drive = model.entangled(1.5, math.pi / 6, normalised=False)
    wanted = table_one.AREAS[4] * math.exp(residuals[4])
    assert scale * model.cycle(drive).area == pytest.approx(wanted, rel=1e-5)
    assert table_one.fourth_row() == pytest.approx(1, abs=5e-4)


def test_the_source_has_the_amplitude_it_says():
    assert model.coherent().amplitude == pytest.approx(1.5)
    assert model.coherent(2.0).amplitude == pytest.approx(3.0)
    drive = model.entangled(normalised=False)
    assert isinstance(drive, EntangledDrive)
    assert Channel(capacitance=0.009) == model.CHANNEL


# --- circuits -------------------------------------------------------------------------------


def test_the_memristor_loop_is_second_order_and_near_the_known_errors():
    errors = dict(zip(circuits.MEMRISTOR_STEPS, circuits.memristor_errors(), strict=True))
    for steps, wanted in ((16, 1.3e-1), (64, 8.4e-3), (256, 5.3e-4), (1024, 3.3e-5)):
        assert errors[steps] == pytest.approx(wanted, rel=0.05)
    assert circuits.slope([64, 256], [errors[64], errors[256]]) == pytest.approx(-2, abs=0.05)


def test_repeated_loops_take_the_same_steps_and_scatter_as_shots_do():
    y, low, high = circuits.repeated_loop(40, None, 3, 0)
    np.testing.assert_allclose(y, circuits.memristor_loop(40)[:, [1, 1, 1]], atol=1e-12)
    np.testing.assert_allclose(low, high, atol=1e-15)
    errors, covered = circuits.memristor_noise()
    assert circuits.slope(circuits.SHOTS, errors) == pytest.approx(-0.5, abs=0.05)
    # the band leaves out what a wrong rate does to later readings
    assert 0.85 < covered < 0.97


def test_a_pair_uncoupled_is_not_entangled_and_coupled_is():
    assert float(circuits.pair(0.0).concurrence.max()) < 1e-9
    fed, frozen = circuits.pair(), circuits.pair(feedback=False)
    assert float(fed.concurrence.max()) > 0.5
    assert float(np.abs(fed.voltage - frozen.voltage).max()) > 0.1


def test_slopes():
    assert circuits.slope([10, 100, 1000], [1, 0.01, 1e-4]) == pytest.approx(-2)


# --- claims, checks, command ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("claim", "verdict"),
    [
        (claims_responses.linear_at_voltage, "holds in part"),
        (claims_responses.quantum_loops, "holds in part"),
        (claims_responses.first_spike, "holds"),
        (claims_responses.classical_reproduced, "holds in part"),
        (claims_responses.limit_cycle_for_all, "holds"),
        (claims_responses.conductance_rises, "holds in part"),
        (claims_responses.oscillation_shrinks, "holds"),
        (claims_areas.no_fourier_series, "does not hold"),
        (claims_areas.area_with_alpha, "holds"),
        (claims_areas.classical_to_quantum, "cannot be compared"),
        (claims_areas.area_with_entanglement, "does not hold"),
        (claims_areas.area_follows_entropy, "does not hold"),
        (claims_areas.maximally_entangled, "holds in part"),
        (claims_areas.landauer, "does not hold"),
        (claims_areas.area_is_memory, "does not hold"),
    ],
)
def test_verdicts(claim, verdict):
    found = claim()
    assert isinstance(found, Claim)
    assert found.verdict == verdict
    assert found.numbers
    for row in found.numbers:
        assert all(not isinstance(x, float) or math.isfinite(x) for x in row.values())
    json.dumps(found.record())


def test_claims_and_checks_are_about_figures_there_are():
    about = set().union(*(figures for figures, _ in PAPER.claims))
    assert about <= set(PAPER.figures)
    assert {figure for figure, _ in PAPER.checks} <= set(PAPER.figures)
    # every figure of the paper has a claim
    assert {key for key in PAPER.figures if key != "circuits"} == about


@pytest.mark.parametrize("figure", [3, 8, 13, "headline"])
def test_the_reference_figures_of_a_figure(figure):
    checks = list(measure_checks(PAPER, {figure}))
    assert checks
    for check in checks:
        assert check.figure == figure
        assert check.agrees, check


def test_the_command_makes_one_figure(tmp_path):
    done = qbrain("figures", "hodgkin-huxley", "--only", 13, "--out", "out", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    names = sorted(p.name for p in (tmp_path / "out").iterdir())
    assert names == sorted(f"figure13.{kind}" for kind in KINDS)
    assert [row["figure"] for row in result["figures"]] == [13]
    assert (result["system"], result["backend"]) == (
        "hodgkin-huxley",
        "exact reference, no circuit",
    )
    assert {c["name"] for c in result["claims"]} == {"maximally entangled at θ = π/4"}
    assert all(check["agrees"] for check in result["checks"])
    page = (tmp_path / "out/figure13.md").read_text(encoding="utf-8")
    for words in (
        "# Figure 13", "We find", "Ours, as printed, the paper's", "0.217481", "holds in part",
        "| alpha | 1, 1.5, 2 | ours |", "ln 2",
    ):  # fmt: skip
        assert words in page, words
    data = xr.load_dataset(tmp_path / "out/figure13.nc", engine="h5netcdf")
    assert data.attrs["backend"] == "exact reference, no circuit"
    assert data.found_printed.dims == data.found_ours.dims == ("quantity",)
    assert (tmp_path / "out/figure13.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--only", "2"], "only: wanted one of headline, 3, 7, 8, 9, 10, 11, 12, 13, 14, table-1"),
        (["--only", "table-2"], "got table-2"),
        (["--only", "13", "--out", "a-file"], "out: cannot write to a-file"),
    ],
)
def test_bad_input_is_one_clear_line(arguments, words, tmp_path):
    (tmp_path / "a-file").write_text("")
    done = qbrain("figures", "hodgkin-huxley", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1, done.stderr
    assert words in done.stderr
    assert done.stdout == ""
    assert [p.name for p in tmp_path.iterdir()] == ["a-file"]


def test_all_start_where_they_should():
    assert trajectories.STARTS[0] < trajectories.STARTS[1] < trajectories.STARTS[2]
    for start in trajectories.STARTS:
        run = trajectories.response(model.coherent(), start)
        assert float(run.n[0]) == pytest.approx(start)


@pytest.mark.slow
def test_all_of_it(tmp_path):
    began = time.process_time()
    done = qbrain("figures", "hodgkin-huxley", "--out", "all", "--json", cwd=tmp_path)
    assert time.process_time() - began < 120
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    names = {p.name for p in (tmp_path / "all").iterdir()}
    stems = [f"figure{k}" if isinstance(k, int) else k for k in PAPER.figures]
    wanted = {f"{stem}.{kind}" for stem in stems for kind in KINDS}
    assert names == wanted | {"claims.md", "claims.json", "checks.md", "checks.json", "index.md"}
    assert all(check["agrees"] for check in result["checks"])
    assert len(result["claims"]) == len(PAPER.claims)
    table = xr.load_dataset(tmp_path / "all/table-1.nc", engine="h5netcdf")
    assert float(table.rms.min()) < 0.015
    assert float(table.step_error.max()) < 1e-6
    assert np.all(table.singular_values[:, 2] < 0.05 * table.singular_values[:, 0])
    page = (tmp_path / "all/table-1.md").read_text(encoding="utf-8")
    for words in ("102.32", "rms", "singular value 4", "fit 4"):
        assert words in page
