"""Collisions against the equations they tend to, and against single unitaries multiplied out."""

import functools
import itertools
import math

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from qbrain.reference.open_system import dicke_state, dicke_to_qubits, simulate_open_system
from qbrain.reference.open_system.bath_coefficients import given_curves
from qbrain.reference.open_system.collision_model import (
    CollisionError,
    collision_spins,
    collision_states,
    excitation_histogram,
    trace_distance,
)

LOWER = np.array([[0, 1], [0, 0]])
N, T, TILTED = 4, 2.0, (2.0, 0.3)


def rate(t):
    return (0.5 + 0.4 * np.sin(3 * t)) / N


def rate_integral(t):
    return (0.5 * t - 0.4 / 3 * np.cos(3 * t)) / N


def on(operator, i, qubits):
    """The operator on qubit i, bit i of the index."""
    return functools.reduce(
        np.kron, [operator if k == i else np.eye(2) for k in reversed(range(qubits))]
    )


@functools.cache
def exact(neurons, absorb, shift, shift_tilde, g, start=TILTED):
    curves = given_curves(rate, lambda t: absorb * rate(t), shift, shift_tilde, g=g)
    data = simulate_open_system(neurons, curves, start, [T], density_matrix=True, tolerance=1e-11)
    return dicke_to_qubits(data.state_real.values[0] + 1j * data.state_imag.values[0])


def stepped(steps, order, absorb=0.0, shift=0.0, shift_tilde=0.0, g=1.0, kind="collective"):
    area = np.diff(rate_integral(np.linspace(0, T, steps + 1)))
    dt = np.full(steps, T / steps)
    up = np.sqrt(absorb * area) if absorb else None
    return collision_states(
        N, np.sqrt(area), TILTED, angles_up=up, shifts=shift * dt, shifts_tilde=shift_tilde * dt,
        rotations=g * dt, order=order, shift=kind,
    )[-1]  # fmt: skip


@pytest.mark.parametrize(
    ("order", "wanted"),
    [
        ("alternating", [1.7e-2, 4.2e-3, 1.0e-3]),
        ("fixed", [0.19, 0.20, 0.20]),
    ],
)
def test_a_fixed_order_does_not_converge_and_an_alternating_one_does(order, wanted):
    found = [trace_distance(stepped(k, order), exact(N, 0, 0, 0, 1.0)) for k in (8, 32, 128)]
    np.testing.assert_allclose(found, wanted, rtol=0.05)


def test_palindromic_steps_converge_as_well():
    found = [
        trace_distance(stepped(k, "palindromic"), exact(N, 0, 0, 0, 1.0)) for k in (8, 32, 128)
    ]
    np.testing.assert_allclose(np.array(found[:-1]) / found[1:], 4.0, atol=0.2)
    assert found[0] < trace_distance(stepped(8, "alternating"), exact(N, 0, 0, 0, 1.0))


@pytest.mark.parametrize("kind", ["collective", "ising"])
@pytest.mark.parametrize("order", ["alternating", "palindromic"])
def test_temperature_and_shifts_converge_too(order, kind):
    values = {"absorb": 0.3, "shift": 0.2, "shift_tilde": -0.1, "g": 0.8}
    wanted = exact(N, 0.3, 0.2, -0.1, 0.8)
    found = [trace_distance(stepped(k, order, kind=kind, **values), wanted) for k in (16, 32, 64)]
    ratios = np.array(found[:-1]) / found[1:]
    np.testing.assert_allclose(ratios, 2.0, atol=0.1)


@pytest.mark.parametrize("order", ["alternating", "palindromic"])
def test_extrapolated_expectation_values_are_second_order(order):
    wanted = collision_spins(exact(N, 0.3, 0.2, -0.1, 0.8))
    values = {"absorb": 0.3, "shift": 0.2, "shift_tilde": -0.1, "g": 0.8}
    m = [collision_spins(stepped(k, order, **values)) for k in (16, 32, 64)]
    errors = [np.abs(2 * b - a - wanted).max() for a, b in itertools.pairwise(m)]
    assert math.log2(errors[0] / errors[1]) == pytest.approx(2.0, abs=0.2)


def test_a_fixed_order_tends_to_the_cascaded_equation():
    """H gains ((κ − κ̃)/2i) Σ_{i<j} (σ⁺_jσ⁻_i − σ⁺_iσ⁻_j)."""
    neurons, kappa, kappa_tilde = 3, 0.2, 0.08
    lower = [on(LOWER, i, neurons) for i in range(neurons)]
    cascade = sum(
        lower[j].T @ lower[i] - lower[i].T @ lower[j] for j in range(neurons) for i in range(j)
    )
    h = (kappa - kappa_tilde) / 2j * cascade
    eye = np.eye(2**neurons)
    generator = -1j * (np.kron(h, eye) - np.kron(eye, h.T))
    for strength, jump in ((kappa, sum(lower)), (kappa_tilde, sum(lower).T)):
        square = jump.T @ jump
        generator = generator + strength * (
            np.kron(jump, jump) - np.kron(square, eye) / 2 - np.kron(eye, square.T) / 2
        )
    psi = dicke_state(neurons, TILTED)
    begin = dicke_to_qubits(np.outer(psi, psi.conj()))
    wanted = (scipy.linalg.expm(generator * T) @ begin.ravel()).reshape(begin.shape)
    errors = []
    for steps in (32, 64):
        angle = np.full(steps, math.sqrt(kappa * T / steps))
        up = np.full(steps, math.sqrt(kappa_tilde * T / steps))
        states = collision_states(neurons, angle, TILTED, angles_up=up, order="fixed")
        errors.append(trace_distance(states[-1], wanted))
    assert errors[0] / errors[1] == pytest.approx(2.0, abs=0.05)
    assert errors[1] < 3e-3


@pytest.mark.parametrize("order", ["alternating", "fixed", "palindromic"])
def test_steps_are_the_unitaries_multiplied_out(order):
    neurons, theta, up, shift, shift_tilde, turn = 2, 0.4, 0.3, 0.2, -0.5, 0.7
    qubits = neurons + 1
    lower = [on(LOWER, i, qubits) for i in range(qubits)]
    ancilla = lower[-1]
    minus = sum(lower[:neurons])
    z = sum(on(np.diag([-1.0, 1.0]), i, qubits) for i in range(neurons))
    h = turn / 2 * z + shift * minus.T @ minus - shift_tilde * minus @ minus.T
    half = scipy.linalg.expm(-0.5j * h)

    def swap(i, angle):
        return scipy.linalg.expm(-1j * angle * (lower[i].T @ ancilla + lower[i] @ ancilla.T))

    psi = dicke_state(neurons, TILTED)
    rho = dicke_to_qubits(np.outer(psi, psi.conj()))
    wanted = [rho]
    for k in range(2):
        ways = [0, 1]
        back = order == "alternating" and k == 1
        for prepared, angle in [(0, theta), (1, up)][:: -1 if back else 1]:
            u = np.eye(2**qubits)
            for i in ways[::-1] if back else ways:
                u = swap(i, angle / 2 if order == "palindromic" else angle) @ u
            if order == "palindromic":
                for i in ways[::-1]:
                    u = swap(i, angle / 2) @ u
            first = half if (prepared == 0) != back else np.eye(2**qubits)
            last = half if (prepared == 1) != back else np.eye(2**qubits)
            u = last @ u @ first
            joint = u @ np.kron(np.diag([1 - prepared, prepared]), rho) @ u.conj().T
            rho = np.einsum("aiaj->ij", joint.reshape(2, 4, 2, 4))
        wanted.append(rho)
    found = collision_states(
        neurons, [theta] * 2, TILTED, angles_up=[up] * 2, shifts=[shift] * 2,
        shifts_tilde=[shift_tilde] * 2, rotations=[turn] * 2, order=order,
    )  # fmt: skip
    np.testing.assert_allclose(found, wanted, atol=1e-13)


def test_one_neuron_is_damped_by_cosines():
    angles = np.array([0.3, 0.9, -0.2])
    found = collision_states(1, angles, (1.0, 0.5), rotations=np.full(3, 0.4))
    m = collision_spins(found)
    left = np.cumprod(np.append(1.0, np.cos(angles)))
    np.testing.assert_allclose(m[:, 2], (math.cos(1) + 1) * left**2 - 1, atol=1e-14)
    across = math.sin(1) * left * np.exp(1j * (0.5 + 0.4 * np.arange(4)))
    np.testing.assert_allclose(m[:, 0] + 1j * m[:, 1], across, atol=1e-14)


def test_symmetric_shifts_are_the_same_either_way():
    collective = collision_states(3, [0.0], (1.0, 0.2), shifts=[0.7], shifts_tilde=[0.4])
    ising = collision_states(3, [0.0], (1.0, 0.2), shifts=[0.7], shifts_tilde=[0.4], shift="ising")
    np.testing.assert_allclose(collective, ising, atol=1e-13)
    assert trace_distance(collective[0], collective[1]) > 0.1


@settings(max_examples=15, deadline=None)
@given(
    st.integers(1, 4),
    st.lists(st.tuples(*[st.floats(-2, 2)] * 5), min_size=1, max_size=4),
    st.sampled_from(["alternating", "fixed", "palindromic"]),
    st.sampled_from(["collective", "ising"]),
)
def test_states_stay_states(neurons, steps, order, shift):
    down, up, lam, lam_tilde, turn = np.array(steps).T
    found = collision_states(
        neurons, down, (1.0, 0.5), angles_up=up, shifts=lam, shifts_tilde=lam_tilde,
        rotations=turn, order=order, shift=shift,
    )  # fmt: skip
    np.testing.assert_allclose(np.einsum("tnn->t", found), 1, atol=1e-12)
    np.testing.assert_allclose(found, found.conj().swapaxes(1, 2), atol=1e-12)
    assert np.linalg.eigvalsh(found).min() > -1e-12
    histogram = excitation_histogram(found)
    np.testing.assert_allclose(
        histogram @ (2 * np.arange(neurons + 1) / neurons - 1), collision_spins(found)[:, 2],
        atol=1e-12,
    )  # fmt: skip


def test_starts():
    up = collision_states(2, [], "up")
    np.testing.assert_allclose(up[0], np.diag([0, 0, 0, 1]))
    one = np.zeros(4)
    one[2] = 1  # neuron 1 is active
    pure = collision_states(2, [math.pi / 2], one)
    np.testing.assert_allclose(pure, collision_states(2, [math.pi / 2], np.outer(one, one)))
    # the whole excitation goes into the ancilla, whoever meets it first
    np.testing.assert_allclose(excitation_histogram(pure), [[0, 1, 0], [1, 0, 0]], atol=1e-15)
    np.testing.assert_allclose(collision_states(1, [], np.array([0, 1j]))[0], np.diag([0, 1]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"neurons": 6}, "neurons: wanted an integer from 1 to 5, got 6"),
        ({"neurons": True}, "neurons: wanted an integer from 1 to 5, got True"),
        ({"angles": 0.3}, r"angles: wanted shape \(steps,\), got \(\)"),
        ({"angles": [math.nan]}, "angles: wanted finite numbers, got nan"),
        ({"angles_up": [0.1, 0.2]}, r"angles_up: wanted shape \(1,\), got \(2,\)"),
        ({"shifts": [[0.1]]}, r"shifts: wanted shape \(1,\), got \(1, 1\)"),
        ({"order": "random"}, "order: wanted one of alternating, fixed, palindromic, got 'random'"),
        ({"shift": "heisenberg"}, "shift: wanted collective or ising, got 'heisenberg'"),
        ({"start": "half"}, "start: wanted down, up"),
        ({"start": 3}, "start: wanted a number from 0 to 2, got 3"),
        ({"start": np.ones(3)}, "start: wanted a symmetric start or shape"),
        ({"start": np.ones(4)}, "start: wanted a normalised state"),
        ({"start": np.diag([2.0, -1.0, 0.0, 0.0])}, "start: wanted a normalised state"),
    ],
)
def test_errors_name_the_argument(change, message):
    given_ = {"neurons": 2, "angles": [0.1], "start": "up"}
    with pytest.raises(CollisionError, match=f"^{message}"):
        collision_states(**(given_ | change))


def test_shapes_that_are_no_states_are_refused():
    with pytest.raises(CollisionError, match=r"^states: wanted shape"):
        collision_spins(np.ones(4))
    with pytest.raises(CollisionError, match=r"^states: wanted shape"):
        excitation_histogram(np.ones((3, 3)))
