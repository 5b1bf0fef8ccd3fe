"""The integrators of the driven brain: their parts, edge cases and what is conserved."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from qbrain.reference.lmg import LMG, hamiltonian, piecewise_states, simulate
from qbrain.reference.lmg import field_dynamics as driven
from qbrain.reference.lmg import field_extrapolation as extrapolation
from qbrain.reference.lmg import step_polynomials as polynomials
from qbrain.reference.lmg import symmetric_substeps as substeps
from qbrain.reference.lmg.driven_run import evaluate
from qbrain.reference.lmg.synaptic_clock import Law


class Synapse:
    def __init__(self, tau_r: float = 1.0, tau_f: float = 2.0, release: float = 0.5) -> None:
        self.tau_r, self.tau_f, self.release = tau_r, tau_f, release


LAW = Law(1.0, 2.0, 0.5, 0.7, 0.4)


def dop853(model: LMG, law: Law, start: int, times: np.ndarray) -> tuple[np.ndarray, ...]:
    """E, r and U from the joint equations in one parity sector."""
    diagonal, off = hamiltonian.coupling_band(model.neurons, model.gamma, start % 2)
    levels = hamiltonian.sector_excitations(model.neurons, start % 2) / model.neurons
    band = model.g0 * (np.diag(diagonal) + np.diag(off, 1) + np.diag(off, -1))
    tilt = model.field * np.diag(hamiltonian.field_diagonal(model.neurons, start % 2))
    size = len(levels)

    def rates(_: float, y: np.ndarray) -> np.ndarray:
        psi, r, u = y[:size], y[-2].real, y[-1].real
        energy = levels @ np.abs(psi) ** 2
        dr = (1 - r) / law.tau_r - u * r * energy if law.tau_r else 0.0
        du = (law.release - u) / law.tau_f + law.release * (1 - u) * energy if law.tau_f else 0.0
        return np.concatenate((-1j * (r * (band @ psi) - tilt @ psi), [dr, du]))

    y = np.zeros(size + 2, dtype=complex)
    y[start // 2] = 1.0
    y[-2:] = law.r0 if law.tau_r else 1.0, law.U0 if law.tau_f else law.release
    found = solve_ivp(
        rates, (0, times[-1]), y, method="DOP853", t_eval=times, rtol=1e-12, atol=1e-13
    ).y
    return levels @ np.abs(found[:size]) ** 2, found[-2].real, found[-1].real


@pytest.fixture(params=["collocation", "extrapolation"])
def integrator(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The integrator that runs, whatever the size."""
    monkeypatch.setattr(driven, "_FEW_STATES", 10**6 if request.param == "collocation" else 0)
    return str(request.param)


# --- the parts ------------------------------------------------------------------------------


def test_extrapolation_weights_remove_even_powers() -> None:
    counts = np.arange(1, 6)
    weights = extrapolation.extrapolation_weights(counts)
    assert weights.sum() == pytest.approx(1.0, abs=1e-12)
    for power in (2, 4, 6, 8):
        assert weights @ counts ** -float(power) == pytest.approx(0.0, abs=1e-13)
    assert abs(weights @ counts**-10.0) > 1e-6


@pytest.mark.parametrize("drive", ["levels", "matrix"])
def test_substeps_have_an_error_of_even_powers(drive: str) -> None:
    # A substep back undoes one forward, and halving quarters the error.
    model = LMG(9, 0.4, 1.3, 0.7)
    size = 5
    observable = np.arange(0, 10, 2) / 9
    if drive == "matrix":
        observable = np.diag(observable - 0.3) + 0.1 * (np.eye(size, k=1) + np.eye(size, k=-1))
    flow = substeps.Substeps(model, 0, LAW, observable)
    rng = np.random.default_rng(3)
    psi = rng.normal(size=(size, 1)) + 1j * rng.normal(size=(size, 1))
    psi /= np.linalg.norm(psi)
    r, u = np.array([0.8]), np.array([0.3])

    def forward(psi, r, u, span, count):
        spans = np.array([span])
        states, (_, r, u) = flow.advance(
            psi, r, u, spans, np.array([count]), flow.half_turns(spans)
        )
        return states, r, u

    there = forward(psi, r, u, 0.4, 3)
    back = forward(*there, -0.4, 3)
    assert np.abs(back[0] - psi).max() < 1e-13
    assert abs(back[1] - r) < 1e-13
    assert abs(back[2] - u) < 1e-13
    best = forward(psi, r, u, 0.4 / 512, 512)
    errors = [np.linalg.norm(forward(psi, r, u, 0.4 / n, n)[0] - best[0]) for n in (2, 4, 8)]
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.05)
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.05)


@pytest.mark.parametrize("neurons", [7, 12, 199, 200, 202])
def test_columns_do_not_depend_on_their_neighbours(neurons: int) -> None:
    # Small and large, mirrored and not: the same as one column at a time.
    model, levels = LMG(neurons, 0.8, 1.0, 0.3), np.arange(1, neurons + 1, 2) / neurons
    flow = substeps.Substeps(model, 1, LAW, levels)
    rng = np.random.default_rng(neurons)
    psi = rng.normal(size=(len(levels), 4)) + 1j * rng.normal(size=(len(levels), 4))
    psi /= np.linalg.norm(psi, axis=0)
    r, u = rng.uniform(0.3, 1.0, size=(2, 4))
    spans, counts = np.array([0.3, 0.2, 0.1, 0.1]), np.array([1, 2, 2, 5])
    states, ends = flow.advance(psi, r, u, spans, counts, flow.half_turns(spans))
    for i in range(4):
        one = np.array([i])
        alone, end = flow.advance(
            np.ascontiguousarray(psi[:, one]),
            r[one],
            u[one],
            spans[one],
            counts[one],
            flow.half_turns(spans[one]),
        )
        assert np.abs(alone[:, 0] - states[:, i]).max() < 1e-13
        assert np.abs(end[:, 0] - ends[:, i]).max() < 1e-13
    assert np.abs(np.linalg.norm(states, axis=0) - 1).max() < 1e-13


@pytest.mark.usefixtures("integrator")
def test_a_rate_of_relaxation_may_be_zero() -> None:
    # dr/dt = 1 − r − U D r with D = −2 and U = ½ is dr/dt = 1.
    ds = simulate(
        LMG(5, 0.5, 1.0, 0.3),
        Synapse(1.0, 0.0),
        2,
        [0.0, 0.25, 0.5],
        r0=0.4,
        observable=np.full(6, -2.0),
    )
    assert np.abs(ds.r.values - [0.4, 0.65, 0.9]).max() < 1e-12


def test_polynomials_through_values_and_derivatives() -> None:
    x = polynomials.POINTS
    data = np.concatenate((np.cos(3 * x), -3 * np.sin(3 * x), -9 * np.cos(3 * x)))
    at = np.linspace(0.0, 1.0, 101)
    for matrix, exact in (
        (polynomials.TO_SERIES, np.cos(3 * at)),
        (polynomials.TO_INTEGRAL, np.sin(3 * at) / 3),
    ):
        series = np.repeat((matrix @ data)[None], len(at), axis=0)
        assert np.abs(evaluate(series, at) - exact).max() < 1e-14


# --- whole runs -----------------------------------------------------------------------------


@pytest.mark.parametrize("neurons", [1, 2, 3, 4, 13])
@pytest.mark.parametrize("gamma", [0.0, 1.0])
@pytest.mark.usefixtures("integrator")
def test_few_neurons_and_extreme_anisotropies(neurons: int, gamma: float) -> None:
    model, t = LMG(neurons, gamma, 1.2, -0.6), np.linspace(0.0, 12.0, 51)
    for start in {0, neurons // 2, neurons}:
        e, r, u = dop853(model, LAW, start, t)
        ds = simulate(model, Synapse(), start, t, r0=LAW.r0, U0=LAW.U0)
        assert np.abs(ds.excitation - e).max() < 1e-9
        assert np.abs(ds.r - r).max() < 1e-9
        assert np.abs(ds.U - u).max() < 1e-9
        if gamma == 0.0:  # then H has no matrix element between excitation numbers
            assert np.abs(ds.excitation - start / neurons).max() < 1e-9


@pytest.mark.parametrize(("neurons", "start"), [(101, 49), (200, 99)])
def test_many_neurons(neurons: int, start: int) -> None:
    model, t = LMG(neurons, 0.8, 1.0, 0.3), np.linspace(0.0, 4.0, 41)
    e, r, u = dop853(model, LAW, start, t)
    ds = simulate(model, Synapse(), start, t, r0=LAW.r0, U0=LAW.U0, populations=True)
    assert np.abs(ds.excitation - e).max() < 1e-9
    assert np.abs(ds.r - r).max() < 1e-9
    assert np.abs(ds.U - u).max() < 1e-9
    assert np.abs(ds.populations @ (ds.excitations / neurons) - e).max() < 1e-9


@pytest.mark.usefixtures("integrator")
def test_a_long_run_stays_within_its_tolerance() -> None:
    model, t = LMG(6, 0.8, 1.0, 0.3), np.linspace(0.0, 200.0, 201)
    e, r, u = dop853(model, LAW, 2, t)
    ds = simulate(model, Synapse(), 2, t, r0=LAW.r0, U0=LAW.U0, tolerance=1e-8)
    for found, exact in ((ds.excitation, e), (ds.r, r), (ds.U, u)):
        assert np.abs(found - exact).max() < 1e-8


@pytest.mark.usefixtures("integrator")
def test_phase_is_the_integral_of_r() -> None:
    t = np.linspace(0.0, 20.0, 4001)
    ds = simulate(LMG(10, 0.8, 1.0, 0.3), Synapse(), "half", t)
    r = ds.r.values
    step = t[2] - t[0]
    simpson = np.cumsum(step / 6 * (r[:-2:2] + 4 * r[1:-1:2] + r[2::2]))
    assert np.abs(ds.phase.values[2::2] - simpson).max() < 1e-9


@pytest.mark.usefixtures("integrator")
def test_where_one_asks_changes_nothing() -> None:
    model = LMG(12, 0.8, 1.0, 0.4)
    dense = simulate(model, Synapse(), 5, np.linspace(0.0, 12.0, 1201), amplitudes=True)
    few = simulate(model, Synapse(), 5, [1.23, 7.0, 12.0], amplitudes=True)
    same = dense.sel(time=few.time.values, method="nearest")
    for name in ("excitation", "r", "U", "phase", "amplitude_real", "amplitude_imag"):
        assert np.abs(few[name].values - same[name].values).max() < 1e-9


@pytest.mark.usefixtures("integrator")
def test_the_mirrored_brain_is_driven_by_the_mirrored_field() -> None:
    # All neurons flipped: h → −h and n → N − n; the synapse sees 1 − E as its drive.
    t, size = np.linspace(0.0, 15.0, 31), 13
    one = simulate(LMG(12, 0.7, 1.0, 0.5), Synapse(), 3, t)
    other = simulate(
        LMG(12, 0.7, 1.0, -0.5), Synapse(), 9, t, observable=1 - np.arange(size) / (size - 1)
    )
    assert np.abs(one.r - other.r).max() < 1e-9
    assert np.abs(one.excitation + other.excitation - 1).max() < 1e-9


@pytest.mark.parametrize("states", [0, 10**6])
@settings(max_examples=8, deadline=None)
@given(
    neurons=st.integers(1, 40),
    share=st.floats(0, 1),
    gamma=st.floats(-1, 1),
    field=st.floats(0.01, 2),
    tau_f=st.sampled_from([0.0, 3.0]),
)
def test_a_constant_coupling_keeps_the_energy(
    states: int, neurons: int, share: float, gamma: float, field: float, tau_f: float
) -> None:
    start = round(share * neurons)
    model, t = LMG(neurons, gamma, 1.0, field), [0.0, 3.0, 9.0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(driven, "_FEW_STATES", states)
        ds = simulate(model, Synapse(0.0, tau_f), start, t, amplitudes=True)
    psi = (ds.amplitude_real.values + 1j * ds.amplitude_imag.values)[:, start % 2 :: 2]
    assert np.all(ds.amplitude_real.values[:, 1 - start % 2 :: 2] == 0)
    assert np.abs(np.linalg.norm(psi, axis=1) - 1).max() < 1e-12
    diagonal, off = hamiltonian.coupling_band(neurons, gamma, start % 2)
    diagonal = diagonal - field * hamiltonian.field_diagonal(neurons, start % 2)
    energy = np.abs(psi) ** 2 @ diagonal
    energy += 2 * (psi[:, :-1].conj() * psi[:, 1:]).real @ off
    assert np.abs(energy - energy[0]).max() < 1e-8 * neurons
    exact = piecewise_states(model, start, np.ones(9), 1.0)[[0, 3, 9]][:, start % 2 :: 2]
    assert np.abs(psi - exact).max() < 1e-8


def test_a_small_field_changes_little_of_the_orbit() -> None:
    # First order in h: the difference from h = 0 is proportional to h.
    t = np.linspace(0.0, 10.0, 21)
    orbit = simulate(LMG(20, 0.8, 1.0), Synapse(), "half", t, tolerance=1e-12)
    moved = [
        (simulate(LMG(20, 0.8, 1.0, h), Synapse(), "half", t, tolerance=1e-12) - orbit).excitation
        for h in (1e-5, 2e-5)
    ]
    assert np.abs(moved[0]).max() > 1e-7
    assert np.abs(moved[1] - 2 * moved[0]).max() < 1e-8


@pytest.mark.usefixtures("integrator")
@pytest.mark.parametrize("tau", [0.05, 0.3])
def test_recovery_faster_than_the_motion(tau: float) -> None:
    model, law, t = LMG(8, 0.8, 1.0, 0.3), Law(tau, 2 * tau, 0.5, 0.2, 0.9), np.linspace(0, 8, 81)
    e, r, u = dop853(model, law, 4, t)
    ds = simulate(model, Synapse(tau, 2 * tau), 4, t, r0=0.2, U0=0.9)
    for found, exact in ((ds.excitation, e), (ds.r, r), (ds.U, u)):
        assert np.abs(found - exact).max() < 1e-9


@pytest.mark.usefixtures("integrator")
def test_a_large_observable_drives_the_synapse() -> None:
    # E and r + E must see the same whether the drive is n or E with the release divided by N.
    t = np.linspace(0.0, 10.0, 21)
    one = simulate(LMG(8, 0.8, 1.0, 0.3), Synapse(1.0, 0.0, 0.4), 3, t)
    two = simulate(LMG(8, 0.8, 1.0, 0.3), Synapse(1.0, 0.0, 0.05), 3, t, observable=np.arange(9.0))
    assert np.abs(one.excitation - two.excitation).max() < 1e-9
    assert np.abs(one.r - two.r).max() < 1e-9
    assert np.abs(two.drive - 8 * two.excitation).max() < 1e-9


def test_the_integrators_agree() -> None:
    t = np.linspace(0.0, 60.0, 121)
    model = LMG(24, 0.9, 1.0, 0.2)
    found = []
    for states in (0, 10**6):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(driven, "_FEW_STATES", states)
            found.append(simulate(model, Synapse(), "half", t, tolerance=1e-11))
    for name in ("excitation", "r", "U", "phase"):
        assert np.abs(found[0][name] - found[1][name]).max() < 3e-11
