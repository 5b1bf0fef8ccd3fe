"""Feedback with a field, against QuTiP and against what is conserved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import qutip
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.interpolate import CubicSpline

from qbrain.reference.lmg import LMG, IntegrationError, Orbit, piecewise_states, simulate
from qbrain.reference.lmg import field_collocation as collocation
from qbrain.reference.lmg import field_dynamics as driven
from qbrain.reference.lmg import field_extrapolation as extrapolation
from qbrain.reference.lmg.synaptic_clock import Law


@dataclass(frozen=True)
class Synapse:
    tau_r: float = 1.0
    tau_f: float = 2.0
    release: float = 0.5


def qutip_operators(neurons: int, gamma: float) -> tuple[qutip.Qobj, qutip.Qobj, qutip.Qobj]:
    """The coupling per g, J_z and the excitation, in QuTiP's own order (all excited first)."""
    spin = neurons / 2
    x, y, z = (qutip.jmat(spin, axis) for axis in ("x", "y", "z"))
    coupling = -((1 + gamma) * x * x + (1 - gamma) * y * y) / neurons
    return coupling, z, 0.5 + z / neurons


def joint(
    model: LMG, synapse: Synapse, start: int, times: np.ndarray, drive: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """States (in QuTiP's order), E, r and U from one integration of all equations."""
    coupling, z, level = (op.full() for op in qutip_operators(model.neurons, model.gamma))
    size = model.neurons + 1
    played = level if drive is None else drive

    def rates(_: float, y: np.ndarray) -> np.ndarray:
        psi, (r, u) = y[:size], y[size:].real
        e = np.vdot(psi, played @ psi).real
        return np.concatenate(
            (
                -1j * (model.g0 * r * (coupling @ psi) - model.field * (z @ psi)),
                [
                    (1 - r) / synapse.tau_r - u * r * e,
                    (synapse.release - u) / synapse.tau_f + synapse.release * (1 - u) * e,
                ],
            )
        )

    y = np.zeros(size + 2, dtype=complex)
    y[model.neurons - start] = 1.0
    y[size:] = 1.0, synapse.release
    out = solve_ivp(
        rates, (0, times[-1]), y, method="DOP853", t_eval=times, rtol=1e-12, atol=1e-13
    ).y
    psi = out[:size].T
    e = np.einsum("ka,ab,kb->k", psi.conj(), level, psi).real
    return psi, e, out[size].real, out[size + 1].real


@pytest.mark.parametrize("field", [0.5, -2.0, 0.01])
@pytest.mark.parametrize("start", [4, 5])
def test_agreement_with_joint_integration_of_qutip_operators(field: float, start: int) -> None:
    model, synapse = LMG(12, 0.3, 1.0, field), Synapse()
    t = np.linspace(0.0, 40.0, 101)
    psi, e, r, u = joint(model, synapse, start, t)
    ds = simulate(model, synapse, start, t, amplitudes=True, populations=True)
    assert np.ptp(r) > 0.15
    assert np.ptp(u) > 0.03
    assert np.abs(ds.excitation - e).max() < 1e-9
    assert np.abs(ds.r - r).max() < 1e-9
    assert np.abs(ds.U - u).max() < 1e-9
    states = ds.amplitude_real.values + 1j * ds.amplitude_imag.values
    assert np.abs(states - psi[:, ::-1]).max() < 1e-8
    assert np.abs(ds.populations - np.abs(psi[:, ::-1]) ** 2).max() < 1e-9


def test_agreement_with_qutip_sesolve() -> None:
    # QuTiP evolves the state under the r(t) found here. The E that it finds must be the E found
    # here, and integrating the law with QuTiP's E must give that r and U again.
    model, synapse = LMG(12, 0.3, 1.0, 0.7), Synapse()
    fine = np.linspace(0.0, 30.0, 6001)
    ds = simulate(model, synapse, 5, fine)
    assert np.ptp(ds.r.values) > 0.2
    assert np.ptp(ds.U.values) > 0.03
    coupling, z, level = qutip_operators(12, 0.3)
    r_of_t = qutip.coefficient(CubicSpline(fine, ds.r.values))
    result = qutip.sesolve(
        qutip.QobjEvo([-model.field * z, [model.g0 * coupling, r_of_t]]),
        qutip.basis(13, 12 - 5),
        fine,
        e_ops=[level],
        options={"method": "vern9", "rtol": 1e-12, "atol": 1e-12, "nsteps": 10**6},
    )
    e = np.asarray(result.expect[0])
    assert np.abs(ds.excitation - e).max() < 1e-9
    drive = CubicSpline(fine, e)

    def law(t: float, y: np.ndarray) -> list[float]:
        r, u = y
        return [(1 - r) - u * r * drive(t), (0.5 - u) / 2 + 0.5 * (1 - u) * drive(t)]

    again = solve_ivp(
        law, (0, 30), [1.0, 0.5], method="DOP853", t_eval=fine, rtol=1e-11, atol=1e-12
    ).y
    assert np.abs(ds.r - again[0]).max() < 1e-9
    assert np.abs(ds.U - again[1]).max() < 1e-9


def test_a_vanishing_field_gives_the_orbit() -> None:
    t = np.linspace(0.0, 40.0, 81)
    for synapse in (Synapse(), Synapse(0.1, 0.0), Synapse(0.0, 3.0), Synapse(0.0, 0.0)):
        plain = simulate(LMG(20, 0.8, 1.0), synapse, 5, t)
        driven_ = simulate(LMG(20, 0.8, 1.0, 1e-15), synapse, 5, t)
        for name in ("excitation", "r", "U", "phase"):
            assert np.abs(plain[name] - driven_[name]).max() < 2e-9


def test_constant_coupling_against_exact_exponentials() -> None:
    model = LMG(9, 0.4, 1.1, 0.8)
    t = np.linspace(0.0, 30.0, 61)
    ds = simulate(model, Synapse(0.0, 0.0), 2, t, amplitudes=True)
    exact = piecewise_states(model, 2, np.full(60, 1.1), 0.5)
    states = ds.amplitude_real.values + 1j * ds.amplitude_imag.values
    assert np.abs(states - exact).max() < 1e-9
    assert np.abs(ds.excitation - np.abs(exact) ** 2 @ np.arange(10) / 9).max() < 1e-10


def test_matrix_observables_drive_the_synapse() -> None:
    model, synapse = LMG(8, 0.3, 1.0, 0.5), Synapse()
    t = np.linspace(0.0, 20.0, 41)
    x, y = (qutip.jmat(4, axis).full() for axis in ("x", "y"))
    matrix = x @ x / 20 + 0.1 * (x @ y + y @ x) / 20 + 0.2 * np.eye(9)
    psi, e, r, u = joint(model, synapse, 3, t, drive=matrix)
    ds = simulate(model, synapse, 3, t, observable=matrix[::-1, ::-1])
    assert np.abs(ds.excitation - e).max() < 1e-9
    assert np.abs(ds.r - r).max() < 1e-9
    assert np.abs(ds.U - u).max() < 1e-9
    played = np.einsum("ka,ab,kb->k", psi.conj(), matrix, psi).real
    assert np.abs(ds.drive - played).max() < 1e-9


@pytest.mark.parametrize("synapse", [Synapse(1e-3, 1e-3), Synapse(1e-3, 50.0), Synapse(0.1, 0.0)])
def test_fast_recovery_is_not_unstable(synapse: Synapse) -> None:
    t = np.linspace(0.0, 20.0, 41)
    ds = simulate(LMG(12, 0.3, 1.0, 0.5), synapse, "half", t)
    tight = simulate(LMG(12, 0.3, 1.0, 0.5), synapse, "half", t, tolerance=1e-12)
    for name in ("excitation", "r", "U"):
        assert np.abs(ds[name] - tight[name]).max() < 1e-9
    slaved = 1 / (1 + synapse.tau_r * ds.U * ds.excitation)
    assert np.abs(ds.r - slaved)[1:].max() < synapse.tau_r**2


@pytest.mark.parametrize("tolerance", [1e-4, 1e-7, 1e-10])
def test_the_tolerance_is_kept(tolerance: float) -> None:
    t = np.linspace(0.0, 40.0, 41)
    for model in (LMG(12, 0.3, 1.0, 0.5), LMG(30, 0.9, 2.0, 0.2), LMG(4, -0.5, 0.3, 2.0)):
        exact = simulate(model, Synapse(), "half", t, tolerance=1e-12)
        ds = simulate(model, Synapse(), "half", t, tolerance=tolerance)
        for name in ("excitation", "r", "U"):
            assert np.abs(ds[name] - exact[name]).max() < tolerance


def test_norm_over_a_long_run() -> None:
    run = driven.run_driven(
        LMG(6, 0.3, 1.0, 0.5),
        0,
        Law(1.0, 2.0, 0.5, 1.0, 0.5),
        np.linspace(0.0, 1000.0, 11),
        None,
        1e-6,
        keep_states=True,
    )
    assert run.norm_error < 1e-8
    assert run.states is not None
    assert np.abs(np.linalg.norm(run.states, axis=1) - 1).max() < 1e-14


@settings(max_examples=15, deadline=None)
@given(
    neurons=st.integers(1, 10),
    share=st.floats(0, 1),
    gamma=st.floats(-1, 1),
    field=st.floats(-2, 2).filter(lambda h: h != 0),
    tau=st.sampled_from([0.0, 0.05, 1.0, 30.0]),
)
def test_invariants(neurons: int, share: float, gamma: float, field: float, tau: float) -> None:
    start = round(share * neurons)
    model, synapse = LMG(neurons, gamma, 1.0, field), Synapse(tau, 2.0)
    ds = simulate(model, synapse, start, [0.0, 2.0, 5.0], populations=True, tolerance=1e-7)
    assert np.abs(ds.populations.sum("excitations") - 1).max() < 1e-12
    assert np.all(ds.populations[:, 1 - start % 2 :: 2] == 0)
    assert np.all((ds.r > 0) & (ds.r <= 1 + 1e-7))
    assert np.all((ds.U >= 0) & (ds.U <= 1))
    # Without the field's sign: flipping all neurons flips h, and E to 1 − E; r ≡ 1 keeps it so.
    if tau == 0.0:
        flipped = LMG(neurons, gamma, 1.0, -field)
        other = simulate(flipped, synapse, neurons - start, [0.0, 2.0, 5.0], tolerance=1e-7)
        assert np.abs(other.excitation + ds.excitation - 1).max() < 2e-7


def test_the_splitting_is_of_sixth_order() -> None:
    # With r ≡ 1 the exact answer is known; one step of the splitting, halved.
    model = LMG(10, 0.4, 1.0, 0.9)
    driver = driven.StiffRun(model, 4, Law(0.0, 0.0, 0.5, 1.0, 0.5), np.array([1.0]), None, 1e-9)
    errors = []
    for span in (0.8, 0.4):
        exact = piecewise_states(model, 4, [1.0], span)[-1][0::2]
        angles = span * np.diff(driven._COUPLING_TIMES)
        coupling = np.exp(-1j * angles[:, None] * driver._energies)[None]
        tilts = np.exp(1j * span * driven._FIELD_PARTS[:, None] * driver._field_rates)[None]
        errors.append(np.linalg.norm(driver._split(driver._state, coupling, tilts) - exact))
    assert np.log2(errors[0] / errors[1]) == pytest.approx(7, abs=0.3)


def test_the_start_alone_can_be_asked_for() -> None:
    model = LMG(4, 0.5, 1.0, 0.3)
    for times in ([0.0], [0.0, 1.0]):
        ds = simulate(
            model, Synapse(), 3, times, r0=0.4, U0=0.9, observable=np.arange(5), populations=True
        )
        first = [float(ds[name][0]) for name in ("excitation", "r", "U", "phase", "drive")]
        assert first == pytest.approx([0.75, 0.4, 0.9, 0.0, 3.0], abs=1e-12)
        assert float(ds.populations[0, 3]) == pytest.approx(1.0)


def test_a_start_far_from_rest_is_resolved() -> None:
    # r goes from 0.2 to 1 within 1e-7: the first windows have to be that short.
    ds = simulate(LMG(6, 0.5, 1.0, 0.3), Synapse(1e-7, 2.0), "half", [0, 1e-7, 10.0], r0=0.2)
    assert float(ds.r[1]) == pytest.approx(1 - 0.8 / np.e, abs=1e-7)
    assert float(ds.r[2]) == pytest.approx(1.0, abs=1e-6)


def test_a_field_alone_moves_nothing() -> None:
    ds = simulate(LMG(7, 0.5, 0.0, 3.0), Synapse(), 3, [0.0, 4.0])
    assert np.abs(ds.excitation - 3 / 7).max() < 1e-12
    r = Orbit(LMG(7, 0.5, 0.0), 3).excitation([4.0])
    assert r[0] == pytest.approx(3 / 7)


def test_an_unreachable_tolerance_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driven, "_tail", lambda values: 1.0)
    monkeypatch.setattr(extrapolation, "_NOISE", -1.0)
    monkeypatch.setattr(collocation, "_TO_SERIES", np.ones_like(collocation._TO_SERIES))
    for neurons, tau in ((4, 1.0), (60, 1.0), (4, 1e-3)):
        with pytest.raises(IntegrationError, match="tolerance: 1e-09 cannot be reached at t = 0"):
            simulate(LMG(neurons, 0.5, 1.0, 0.1), Synapse(tau), 0, [0.0, 1.0])
