"""The classical limit: what it conserves, and that large numbers of neurons approach it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
import qutip
from hypothesis import given, settings
from hypothesis import strategies as st

from qbrain.reference.lmg import LMG, ModelError, simulate
from qbrain.reference.lmg.mean_field import dicke_ring, mean_field


@dataclass(frozen=True)
class Synapse:
    tau_r: float = 1.0
    tau_f: float = 2.0
    release: float = 0.5


def unit(theta: float, phi: float) -> np.ndarray:
    return np.array(
        [math.sin(theta) * math.cos(phi), math.sin(theta) * math.sin(phi), math.cos(theta)]
    )


@settings(max_examples=25, deadline=None)
@given(
    theta=st.floats(0.01, 3.1),
    phi=st.floats(0, 6.2),
    gamma=st.floats(-2, 2),
    g0=st.floats(-2, 2),
    field=st.floats(-2, 2),
)
def test_conserved_quantities(
    theta: float, phi: float, gamma: float, g0: float, field: float
) -> None:
    m, t = unit(theta, phi), np.linspace(0.0, 5.0, 6)

    def coupling(spin: np.ndarray) -> np.ndarray:
        return (1 + gamma) * spin[..., 0] ** 2 + (1 - gamma) * spin[..., 1] ** 2

    # Without a field the coupling's energy, under any r; with one the whole, where r ≡ 1.
    free = mean_field(LMG(1, gamma, g0), Synapse(), m, t).spin.values[:, 0]
    assert np.abs(np.linalg.norm(free, axis=1) - 1).max() < 1e-8
    assert np.abs(coupling(free) - coupling(m)).max() < 1e-7
    driven = mean_field(LMG(1, gamma, g0, field), Synapse(0.0), m, t).spin.values[:, 0]
    energy = -g0 / 2 * coupling(driven) - field * driven[:, 2]
    assert np.abs(energy - energy[0]).max() < 1e-7


def test_rates_are_those_of_a_product_state() -> None:
    # For N spins in a product state ⟨J_a J_b + J_b J_a⟩ (a ≠ b) is 2⟨J_a⟩⟨J_b⟩(1 − 1/N), so the
    # exact rates are the classical ones with g(1 − 1/N).
    neurons, gamma, g, h = 7, 0.4, 1.3, 0.6
    spin = [qutip.jmat(neurons / 2, axis) for axis in ("x", "y", "z")]
    x, y, z = spin
    hamiltonian = -g / neurons * ((1 + gamma) * x * x + (1 - gamma) * y * y) - h * z
    theta, phi = 1.1, 0.7
    ket = qutip.spin_coherent(neurons / 2, theta, phi)
    exact = [
        2 / neurons * qutip.expect(1j * (hamiltonian * op - op * hamiltonian), ket) for op in spin
    ]
    step = 1e-4
    model = LMG(neurons, gamma, g * (1 - 1 / neurons), h)
    ds = mean_field(model, Synapse(0.0), unit(theta, phi), [0, step, 2 * step], tolerance=1e-12)
    m = ds.spin.values[:, 0]
    rates = (-3 * m[0] + 4 * m[1] - m[2]) / (2 * step)
    assert np.abs(rates - exact).max() < 1e-7


def test_a_field_alone_turns_the_spin() -> None:
    t = np.linspace(0.0, 10.0, 21)
    ds = mean_field(LMG(1, 0.3, 0.0, 0.8), Synapse(), unit(1.0, 0.2), t)
    exact = np.array([unit(1.0, 0.2 - 0.8 * time) for time in t])
    assert np.abs(ds.spin.values[:, 0] - exact).max() < 1e-8
    assert np.abs(ds.excitation - (1 + math.cos(1.0)) / 2).max() < 1e-9


def test_one_axis_twisting_turns_at_a_rate_set_by_m_x() -> None:
    # γ = 1: m_x is constant and the rest turns about x at 2 g m_x.
    t = np.linspace(0.0, 6.0, 13)
    ds = mean_field(LMG(1, 1.0, 0.9), Synapse(0.0), unit(0.8, 0.3), t)
    m = ds.spin.values[:, 0]
    start = unit(0.8, 0.3)
    # dm_y/dt = 2g m_x m_z and dm_z/dt = −2g m_x m_y.
    turned = (start[1] + 1j * start[2]) * np.exp(-2j * 0.9 * start[0] * t)
    assert np.abs(m[:, 0] - start[0]).max() < 1e-9
    assert np.abs(m[:, 1] + 1j * m[:, 2] - turned).max() < 1e-8


@pytest.mark.parametrize("field", [0.0, 0.4])
def test_finite_numbers_of_neurons_approach_the_limit(field: float) -> None:
    t = np.linspace(0.0, 3.0, 31)
    errors = []
    for neurons in (40, 80, 160):
        start = neurons // 4
        ds = simulate(LMG(neurons, 0.6, 1.0, field), Synapse(), start, t, tolerance=1e-8)
        ring = dicke_ring(neurons, start)
        limit = mean_field(LMG(neurons, 0.6, 1.0, field), Synapse(), ring, t)
        assert float(np.ptp(limit.excitation.values)) > 0.1
        errors.append(
            [float(np.abs(ds[name] - limit[name]).max()) for name in ("excitation", "r", "U")]
        )
    for finer, coarser in ((errors[1], errors[0]), (errors[2], errors[1])):
        ratios = np.array(coarser) / np.array(finer)
        assert np.all((ratios > 1.7) & (ratios < 2.4))  # as 1/N
    assert max(errors[-1]) < 0.01


def test_the_poles_do_not_move_without_fluctuations() -> None:
    for initial, e in (("silent", 0.0), ("saturated", 1.0)):
        ring = dicke_ring(10, initial, members=3)
        ds = mean_field(LMG(10, 0.8, 1.0, 0.3), Synapse(), ring, [0.0, 20.0])
        assert np.abs(ds.excitation - e).max() < 1e-12
    # E = 1 held: U and r go to the resting values of the law.
    u = 0.5 * (1 / 2 + 1) / (1 / 2 + 0.5)
    assert float(ds.U[-1]) == pytest.approx(u, abs=1e-6)
    assert float(ds.r[-1]) == pytest.approx(1 / (1 + u), abs=1e-5)


def test_fast_recovery_is_not_unstable() -> None:
    ds = mean_field(LMG(1, 0.5, 1.0), Synapse(1e-3, 1e-3), unit(1.0, 0.5), np.linspace(0, 20, 41))
    assert np.abs(ds.r - 1 / (1 + 1e-3 * ds.U * ds.excitation))[1:].max() < 1e-6


def test_what_is_refused() -> None:
    model = LMG(4, 0.5, 1.0)
    with pytest.raises(ModelError, match="spins: wanted unit vectors, got one of length 2"):
        mean_field(model, Synapse(), [0.0, 0.0, 2.0], [0.0, 1.0])
    with pytest.raises(ModelError, match="spins: wanted finite numbers of shape"):
        mean_field(model, Synapse(), [0.0, math.nan, 1.0], [0.0, 1.0])
    with pytest.raises(ModelError, match="spins: wanted finite numbers of shape"):
        mean_field(model, Synapse(), [0.0, 1.0], [0.0, 1.0])
    with pytest.raises(ModelError, match="tau_r"):
        mean_field(model, Synapse(tau_r=-1), [0.0, 0.0, 1.0], [0.0, 1.0])
    with pytest.raises(ModelError, match="members: wanted an integer >= 1, got 0"):
        dicke_ring(4, "half", members=0)
