"""The measured-orbit form against direct integration of the closed loop."""

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from qbrain.classical_feedback.orbit import fit_orbit, grid_size, integrate_orbit
from qbrain.classical_feedback.synapse import FeedbackError, Synapse

WIDTH = 2.0


def energy(s):
    return 0.5 - 0.3 * np.cos(0.7 * s) - 0.15 * np.cos(1.3 * s) - 0.05 * np.cos(2.0 * s)


def closed_loop(synapse, times):
    def rhs(t, y):
        e = energy(y[2])
        return [
            (1 - y[0]) / synapse.tau_r - y[1] * y[0] * e,
            (synapse.release - y[1]) / synapse.tau_f + synapse.release * (1 - y[1]) * e,
            y[0],
        ]

    y0 = [1, synapse.release, 0]
    return solve_ivp(
        rhs, (0, times[-1]), y0, t_eval=times, method="LSODA", rtol=1e-10, atol=1e-12
    ).y


def test_the_fit_meets_the_function_between_its_points():
    length = 30.0
    s = np.linspace(0, length, grid_size(length, WIDTH))
    got, _ = fit_orbit(s, energy(s), np.full(s.size, 1e-3), WIDTH)
    fine = np.linspace(0, length, 500)
    modes = np.arange(got.size) * math.pi / (1.15 * length)
    np.testing.assert_allclose(np.cos(np.outer(fine, modes)) @ got, energy(fine), atol=6e-3)


def test_noiseless_orbit_gives_the_closed_loop():
    synapse, times = Synapse(1.0, 3.0, 0.4), np.linspace(0, 40, 81)
    s = np.linspace(0, 40, grid_size(40, WIDTH))
    band = integrate_orbit(
        synapse, synapse.start(), times, s, energy(s), np.full(s.size, 1e-6), WIDTH, replicas=2
    )
    wanted = closed_loop(synapse, times)
    np.testing.assert_allclose(band.r[:, 0], wanted[0], atol=3e-3)
    np.testing.assert_allclose(band.phase[:, 0], wanted[2], atol=2e-2)
    np.testing.assert_allclose(band.excitation[:, 0], energy(wanted[2]), atol=8e-3)


def test_the_band_covers_the_truth_as_often_as_it_says():
    synapse, times = Synapse(1.0, 2.0, 0.5), np.linspace(0, 25, 26)
    s = np.linspace(0, 25, grid_size(25, WIDTH))
    wanted = closed_loop(synapse, times)
    inside = []
    for seed in range(20):
        stderr = np.full(s.size, 0.02)
        noise = 0.02 * np.random.default_rng(seed).standard_normal(s.size)
        band = integrate_orbit(
            synapse, synapse.start(), times, s, energy(s) + noise, stderr, WIDTH, seed=seed
        )
        spread = band.r[:, 1:].std(axis=1)
        inside.append(np.mean(np.abs(band.r[1:, 0] - wanted[0, 1:]) < 1.96 * spread[1:]))
    # 20 runs of strongly correlated points: the mean coverage is known to about 4 %
    assert 0.82 < np.mean(inside) <= 1


def test_a_grid_too_coarse_is_refused():
    s = np.linspace(0, 40, 20)
    with pytest.raises(FeedbackError, match=r"grid: wanted at least .* got 20"):
        fit_orbit(s, energy(s), np.ones(20), WIDTH)
