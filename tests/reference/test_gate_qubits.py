"""Gate and memristor qubits: closed forms, whole circuits multiplied out, and QuTiP."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qbrain.reference.hodgkin_huxley.gate_qubits import (
    GateError,
    bloch_vectors,
    damping_angles,
    density_matrix,
    exchange_unitary,
    gate_populations,
    gate_states,
    memristor_states,
    pair_states,
    reduced_states,
    relaxation,
    split_angles,
)
from qbrain.reference.hodgkin_huxley.memristor_qubits import (
    concurrence,
    negativity,
    simulate_memristor_pair,
    simulate_memristor_qubit,
)

X = np.array([[0, 1], [1, 0]], complex)
Y = np.array([[0, -1j], [1j, 0]])
Z = np.diag([1, -1]).astype(complex)

probabilities = st.floats(0, 1)
angles = st.floats(-4, 4)


def rng_steps(steps, gates, seed=1):
    rng = np.random.default_rng(seed)
    return rng.random(gates), rng.uniform(0, 1.5, (steps, gates)), rng.random((steps, gates))


def opened(states):
    return states[:, 1, 1].real


# --- relaxation -------------------------------------------------------------------------------


def test_a_step_is_the_solution_at_a_fixed_voltage():
    rng = np.random.default_rng(0)
    alpha, beta, dt, n = rng.random((4, 50))
    phi, p = relaxation(alpha, beta, 10 * dt)
    decay = np.exp(-(alpha + beta) * 10 * dt)
    rest = alpha / (alpha + beta)
    after = gate_populations(n, phi[None], p[None])[1]
    np.testing.assert_allclose(after, rest + (n - rest) * decay, atol=1e-15)


@settings(deadline=None)
@given(st.floats(0, 5), st.floats(0, 5), st.floats(0, 5), st.floats(0, 5), probabilities)
def test_steps_at_one_voltage_compose(alpha, beta, first, second, n):
    phi, p = relaxation([[alpha]] * 2, [[beta]] * 2, [[first], [second]])
    whole, q = relaxation([[alpha]], [[beta]], first + second)
    apart, joined = gate_populations([n], phi, p)[-1], gate_populations([n], whole, q)[-1]
    assert apart == pytest.approx(joined, abs=1e-14)


def test_relaxation_at_its_limits():
    phi, p = relaxation([0, 0, 2, 1e-9, 3], [0, 2, 0, 0, 1], [1, 1, 1e4, 1e-9, 0])
    np.testing.assert_allclose(p, [0, 0, 1, 1, 0.75])
    wanted = [0, math.asin(math.sqrt(1 - math.exp(-2))), math.pi / 2, 1e-9, 0]
    np.testing.assert_allclose(phi, wanted, rtol=1e-14)
    # arcsin of a rounded root would be lost here: π/2 − e^{−10}
    assert math.pi / 2 - relaxation(20.0, 0.0, 1.0)[0] == pytest.approx(math.exp(-10), rel=1e-10)


# --- one gate's state ------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(angles, probabilities), max_size=6), probabilities, st.booleans())
def test_every_form_without_coherence_has_the_closed_forms_populations(steps, n, mixed):
    phi = np.array([s[0] for s in steps]).reshape(-1, 1)
    p = np.array([s[1] for s in steps]).reshape(-1, 1)
    wanted = gate_populations([n], phi, p)[-1]
    preparation = "mixed" if mixed else "coherent"
    for ancilla in ("mixed", "split"):
        rho = gate_states([n], phi, p, preparation=preparation, ancilla=ancilla)
        np.testing.assert_allclose(opened(rho), wanted, atol=1e-14)
        # what is left of the coherence: every collision multiplies it by its cosine
        start = 0 if mixed else math.sqrt(n * (1 - n))
        kept = np.cos(phi) if ancilla == "mixed" else np.cos(phi) ** 2
        wanted_coherence = start * np.prod(kept)
        if ancilla == "split":
            wanted_coherence = start * np.prod(np.cos(split_angles(phi, p)))
            assert abs(wanted_coherence) == pytest.approx(start * abs(np.prod(np.cos(phi))))
        np.testing.assert_allclose(rho[0, 0, 1], wanted_coherence, atol=1e-14)


@settings(deadline=None)
@given(angles, probabilities, probabilities)
def test_a_coherent_ancilla_is_exact_for_one_step(phi, p, n):
    for preparation in ("coherent", "mixed"):
        rho = gate_states([n], [[phi]], [[p]], preparation=preparation, ancilla="coherent")
        wanted = gate_populations([n], [[phi]], [[p]])[1]
        np.testing.assert_allclose(opened(rho), wanted, atol=1e-14)


def test_a_coherent_ancilla_is_wrong_from_the_second_step_on():
    n, phi, p = [0.3], [[0.6], [0.6]], [[0.5], [0.5]]
    rho = gate_states(n, phi, p, ancilla="coherent")
    error = abs(opened(rho)[0] - gate_populations(n, phi, p)[2, 0])
    assert error > 0.05


def test_the_split_with_zero_survival():
    # φ = π/2 and p = 1: |1⟩ replaces whatever was there
    for ancilla in ("mixed", "split", "coherent"):
        rho = gate_states([0.2], [[math.pi / 2]], [[1.0]], ancilla=ancilla)
        np.testing.assert_allclose(rho[0], np.diag([0, 1]), atol=1e-15)
    first, second = split_angles([0.0, 0.3, 0.3], [0.4, 0.0, 1.0])
    np.testing.assert_allclose(first, [0, 0.3, 0], atol=1e-15)
    np.testing.assert_allclose(second, [0, 0, 0.3], atol=1e-15)


@pytest.mark.parametrize("ancilla", ["mixed", "coherent", "split"])
def test_against_one_pure_state_of_all_qubits(ancilla):
    """Fresh ancillas, purified where mixed, nothing thrown away before the end."""
    n, phi, p = rng_steps(2, 1, seed=4)
    psi = np.array([math.sqrt(1 - n[0]), math.sqrt(n[0])], complex)
    for angle, opening in zip(phi[:, 0], p[:, 0], strict=True):
        if ancilla == "split":
            one, two = split_angles(angle, opening)
            meetings = [(one, np.array([1, 0])), (two, np.array([0, 1]))]
        elif ancilla == "coherent":
            meetings = [(angle, np.sqrt([1 - opening, opening]))]
        else:  # the ancilla is the first of a pair √(1−p)|00⟩ + √p|11⟩
            meetings = [(angle, np.sqrt([1 - opening, 0, 0, opening]))]
        for turn, fresh in meetings:
            # (gate, rest…) with the newcomer's own axis put second
            psi = np.multiply.outer(psi, fresh.reshape((2,) * int(math.log2(len(fresh)))))
            new = psi.ndim - int(math.log2(len(fresh)))
            psi = np.moveaxis(psi, new, 1)
            u = exchange_unitary(turn).reshape(2, 2, 2, 2)
            psi = np.einsum("abcd,cd...->ab...", u, psi)
    flat = psi.reshape(2, -1)
    found = gate_states(n, phi, p, ancilla=ancilla)[0]
    np.testing.assert_allclose(found, flat @ flat.conj().T, atol=1e-14)


def test_the_collision_is_the_exponential_of_xx_plus_yy():
    generator = (np.kron(X, X) + np.kron(Y, Y)) / 2
    values, vectors = np.linalg.eigh(generator)
    for phi in (0.3, -1.2, 2.9):
        wanted = vectors @ np.diag(np.exp(-1j * phi * values)) @ vectors.conj().T
        np.testing.assert_allclose(exchange_unitary(phi), wanted, atol=1e-14)


def test_gates_are_apart_and_states_are_states():
    n, phi, p = rng_steps(7, 4)
    for ancilla in ("mixed", "split", "coherent"):
        together = gate_states(n, phi, p, ancilla=ancilla)
        for g in range(4):
            alone = gate_states(n[g : g + 1], phi[:, g : g + 1], p[:, g : g + 1], ancilla=ancilla)
            np.testing.assert_allclose(together[g], alone[0], atol=1e-15)
        np.testing.assert_allclose(np.trace(together, axis1=1, axis2=2), 1, atol=1e-14)
        np.testing.assert_allclose(together, together.conj().swapaxes(1, 2), atol=1e-15)
        assert np.linalg.eigvalsh(together).min() > -1e-14


def test_no_steps_leave_the_start():
    none = np.empty((0, 1))
    np.testing.assert_allclose(
        gate_states([0.25], none, none)[0],
        [[0.75, math.sqrt(3) / 4], [math.sqrt(3) / 4, 0.25]],
    )
    np.testing.assert_array_equal(gate_populations([0.25], none, none), [[0.25]])


# --- the memristor qubit ---------------------------------------------------------------------


def circuit_step(rho, turn, theta):
    """RZ, CRY(2θ) system→ancilla, CNOT ancilla→system, ancilla forgotten, RZ; system first."""
    rz = np.diag(np.exp([-0.25j * turn, 0.25j * turn]))
    c, s = math.cos(theta), math.sin(theta)
    cry = np.eye(4, dtype=complex)
    cry[2:, 2:] = [[c, -s], [s, c]]
    cnot = np.eye(4)[[0, 3, 2, 1]]
    both = np.kron(rz @ rho @ rz.conj().T, np.diag([1, 0]))
    both = cnot @ cry @ both @ cry.conj().T @ cnot.T
    out = np.einsum("acbc->ab", both.reshape(2, 2, 2, 2))
    return rz @ out @ rz.conj().T


def test_the_steps_are_those_of_the_circuit():
    rng = np.random.default_rng(2)
    turns, thetas = rng.uniform(-2, 2, 5), rng.uniform(0, 1.5, 5)
    start = np.array([0.3, -0.5, 0.7])
    found = memristor_states(start, turns, thetas)
    rho = (np.eye(2) + start[0] * X + start[1] * Y + start[2] * Z) / 2
    for k in range(5):
        np.testing.assert_allclose(found[k], rho, atol=1e-15)
        rho = circuit_step(rho, turns[k], thetas[k])
    np.testing.assert_allclose(found[5], rho, atol=1e-15)


def test_bloch_vectors_and_back():
    rng = np.random.default_rng(5)
    bloch = rng.uniform(-0.5, 0.5, (3, 2, 3))
    rho = density_matrix(bloch)
    for axis, pauli in enumerate((X, Y, Z)):
        np.testing.assert_allclose(np.einsum("...ab,ba->...", rho, pauli), bloch[..., axis])
    np.testing.assert_allclose(bloch_vectors(rho), bloch)


def test_at_a_constant_rate_the_step_is_the_equation():
    g, w, t = 0.7, 1.3, np.linspace(0, 4, 9)
    start = [0.6, -0.2, -0.5]
    run = simulate_memristor_pair([w, w], [g, g], 0.0, [start, start], t, feedback=False)
    steps = memristor_states(start, np.full(8, w * 0.5), damping_angles(np.full(8, g), 0.5))
    for k, axis in enumerate("xyz"):
        np.testing.assert_allclose(run[axis][:, 0], bloch_vectors(steps)[:, k], atol=1e-11)
        np.testing.assert_allclose(run[axis][:, 1], bloch_vectors(steps)[:, k], atol=1e-11)


def leapfrog(omega, gamma0, start, duration, steps):
    """The circuit's loop without noise: the rate of a step from μ in its middle."""
    delta = duration / steps
    bloch, found, middle = np.array(start, float), [start[1]], 0.0
    for k in range(steps):
        middle += (delta if k else delta / 2) * bloch[1]
        theta = damping_angles(gamma0 * (1 - math.sin(middle)), delta)
        bloch = bloch_vectors(memristor_states(bloch, [omega * delta], [theta])[1])
        found.append(bloch[1])
    return np.array(found)


def test_midpoint_rates_make_the_loop_second_order():
    errors = []
    for steps in (16, 64, 256):
        t = np.linspace(0, 20, steps + 1)
        wanted = simulate_memristor_qubit(1.0, 0.2, [1, 0, 0], t).y.values
        errors.append(np.abs(leapfrog(1.0, 0.2, [1, 0, 0], 20.0, steps) - wanted).max())
    # four times the steps, a sixteenth of the error
    assert errors[0] / errors[1] == pytest.approx(16, rel=0.15)
    assert errors[1] / errors[2] == pytest.approx(16, rel=0.1)
    assert errors[2] < 5e-4


def test_one_memristor_is_a_pair_apart():
    t = np.linspace(0, 12, 25)
    starts = np.array([[0.9, 0.1, 0.2], [0.0, -0.7, -0.4]])
    both = simulate_memristor_pair([1.0, -1.4], [0.3, 0.6], 0.0, starts, t, mu0=[0.2, -1.0])
    for q, (w, g, mu) in enumerate([(1.0, 0.3, 0.2), (-1.4, 0.6, -1.0)]):
        alone = simulate_memristor_qubit(w, g, starts[q], t, mu0=mu)
        for name in alone:
            np.testing.assert_allclose(both[name][:, q], alone[name], atol=1e-10)
    np.testing.assert_allclose(both.concurrence, 0, atol=1e-9)
    np.testing.assert_allclose(both.negativity, 0, atol=1e-12)


def test_current_and_voltage_vanish_together_and_make_a_loop():
    t = np.linspace(0, 2 * np.pi, 401)
    run = simulate_memristor_qubit(1.0, 0.05, [1, 0, 0], t)
    np.testing.assert_array_equal(run.current, run.gamma * run.voltage)
    assert float(run.gamma.min()) >= 0
    # two values of the current at one voltage: the rate depends on the history
    up, down = run.isel(time=slice(0, 100)), run.isel(time=slice(100, 200))
    at = 0.4
    first = np.interp(at, up.voltage, up.current)
    second = np.interp(at, down.voltage[::-1], down.current[::-1])
    assert abs(first - second) > 0.2 * abs(first)


# --- two of them -----------------------------------------------------------------------------


def test_an_excitation_goes_to_and_fro_without_damping():
    t = np.linspace(0, 5, 21)
    run = simulate_memristor_pair([1.0, 1.0], [0, 0], 0.8, [[0, 0, -1], [0, 0, 1]], t, states=True)
    # P₀ = cos²(Jt), concurrence |sin 2Jt|, negativity half of it
    np.testing.assert_allclose(run.z[:, 0], -np.cos(1.6 * t), atol=1e-10)
    np.testing.assert_allclose(run.concurrence, abs(np.sin(1.6 * t)), atol=1e-6)
    np.testing.assert_allclose(run.negativity, abs(np.sin(1.6 * t)) / 2, atol=1e-10)
    np.testing.assert_allclose(run.purity, 1, atol=1e-10)
    # |10⟩ has q₁ up: started in index 1, and −i sin(Jt) of it in index 2
    rho = run.state_real.values + 1j * run.state_imag.values
    np.testing.assert_allclose(rho[:, 2, 1], -0.5j * np.sin(1.6 * t), atol=1e-10)


@pytest.mark.parametrize("feedback", [False, True])
def test_the_pair_against_qutip(feedback):
    qutip = pytest.importorskip("qutip")
    w, g, j, memory = [1.0, 1.3], [0.3, 0.5], 0.7, [0.4, -0.2]
    starts, t = np.array([[1, 0, 0], [0, 0.6, -0.8]]), np.linspace(0, 10, 21)
    run = simulate_memristor_pair(w, g, j, starts, t, mu0=memory, feedback=feedback, states=True)
    # QuTiP's first factor is the high index; its σ₋ of (1, 0) → (0, 0) is our |0⟩⟨1|
    low = [qutip.tensor(qutip.qeye(2), op) for op in (qutip.sigmax(), qutip.sigmay())]
    high = [qutip.tensor(op, qutip.qeye(2)) for op in (qutip.sigmax(), qutip.sigmay())]
    zed = [qutip.tensor(qutip.qeye(2), qutip.sigmaz()), qutip.tensor(qutip.sigmaz(), qutip.qeye(2))]
    down = qutip.Qobj([[0, 1], [0, 0]])
    jumps = [qutip.tensor(qutip.qeye(2), down), qutip.tensor(down, qutip.qeye(2))]
    h = sum(a * z / 2 for a, z in zip(w, zed, strict=True))
    h += j * sum(a * b for a, b in zip(low, high, strict=True)) / 2
    start = qutip.Qobj(
        np.kron(density_matrix(starts[1]), density_matrix(starts[0])), dims=[[2, 2], [2, 2]]
    )
    if feedback:  # the rates as found, as functions of time: a check of everything but μ itself
        fine = np.linspace(0, 10, 2001)
        rates = simulate_memristor_pair(w, g, j, starts, fine, mu0=memory).gamma.values
        loss = [[c, qutip.coefficient(np.sqrt(r), tlist=fine)]
                for c, r in zip(jumps, rates.T, strict=True)]  # fmt: skip
    else:
        loss = [math.sqrt(a * (1 - math.sin(m))) * c
                for a, m, c in zip(g, memory, jumps, strict=True)]  # fmt: skip
    found = qutip.mesolve(h, start, t, c_ops=loss, options={"atol": 1e-12, "rtol": 1e-10})
    rho = np.array([s.full() for s in found.states])
    limit = 1e-7 if feedback else 1e-8
    np.testing.assert_allclose(run.state_real + 1j * run.state_imag, rho, atol=limit)
    wanted = [qutip.concurrence(s) for s in found.states]
    np.testing.assert_allclose(run.concurrence, wanted, atol=1e-4)
    # μ̇ = ⟨Y⟩, integrated by the run's own values
    if feedback:
        dense = simulate_memristor_pair(w, g, j, starts, fine, mu0=memory)
        integral = np.array([np.trapezoid(dense.y[:, q], fine) for q in (0, 1)])
        np.testing.assert_allclose(dense.mu[-1] - memory, integral, atol=1e-5)
        np.testing.assert_allclose(dense.gamma, np.array(g) * (1 - np.sin(dense.mu)))


def test_coupling_entangles_and_damping_takes_it_away():
    t = np.linspace(0, 30, 121)
    run = simulate_memristor_pair([1, 1], [0.4, 0.4], 2.0, [[0, 0, -1], [0, 0, 1]], t)
    assert float(run.concurrence.max()) > 0.5
    assert float(run.concurrence[-1]) < 1e-3
    np.testing.assert_allclose(run.z[-1], 1, atol=1e-3)


def test_steps_of_the_pair_converge_to_its_equation_at_second_order():
    w, g, j = np.array([1.0, 1.3]), np.array([0.3, 0.5]), 0.7
    starts, duration = [[1, 0, 0], [0, 0.6, -0.8]], 3.0
    exact = simulate_memristor_pair(
        w, g, j, starts, [duration], mu0=[0.0, 0.0], feedback=False, states=True
    )
    wanted = (exact.state_real + 1j * exact.state_imag).values[0]
    errors = []
    for steps in (8, 16, 32):
        delta = duration / steps
        found = pair_states(
            starts, np.tile(w * delta, (steps, 1)), np.tile(damping_angles(g, delta), (steps, 1)),
            np.full(steps, j * delta),
        )  # fmt: skip
        np.testing.assert_allclose(np.trace(found, axis1=1, axis2=2), 1, atol=1e-13)
        errors.append(np.abs(found[-1] - wanted).max())
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.1)
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.05)


def test_uncoupled_steps_of_the_pair_are_two_qubits():
    rng = np.random.default_rng(7)
    turns, thetas = rng.uniform(-1, 1, (4, 2)), rng.uniform(0, 1, (4, 2))
    starts = [[0.5, 0.1, -0.3], [0.0, 0.9, 0.3]]
    parts = reduced_states(pair_states(starts, turns, thetas, np.zeros(4)))
    for q in (0, 1):
        alone = memristor_states(starts[q], turns[:, q], thetas[:, q])
        np.testing.assert_allclose(parts[:, q], alone, atol=1e-15)


def test_entanglement_of_werner_states():
    singlet = np.zeros((4, 4))
    singlet[1:3, 1:3] = [[0.5, -0.5], [-0.5, 0.5]]
    p = np.linspace(0, 1, 21)
    rho = p[:, None, None] * singlet + (1 - p)[:, None, None] * np.eye(4) / 4
    np.testing.assert_allclose(concurrence(rho), np.clip((3 * p - 1) / 2, 0, None), atol=1e-14)
    np.testing.assert_allclose(negativity(rho), np.clip((3 * p - 1) / 4, 0, None), atol=1e-14)


# --- bad input -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: relaxation(-1, 1, 1), "alpha: wanted numbers >= 0, got -1"),
        (lambda: relaxation(1, np.nan, 1), "beta: wanted finite numbers, got nan or inf"),
        (lambda: relaxation(1, 1, -0.5), "dt: wanted numbers >= 0, got -0.5"),
        (lambda: gate_populations(0.5, [[1]], [[1]]), r"initial: wanted shape \(any\), got \(\)"),
        (lambda: gate_populations([1.2], [[1]], [[1]]), "initial: wanted probabilities .* 1.2"),
        (lambda: gate_populations([1], [1], [1]), r"angles: wanted shape \(any, 1\), got \(1,\)"),
        (lambda: gate_populations([1], [[1]], [[-1]]), "openings: wanted probabilities .* -1"),
        (lambda: gate_populations(["a"], [[1]], [[1]]), "initial: wanted real numbers"),
        (lambda: gate_states([1], [[1]], [[1]], ancilla="x"), "ancilla: wanted one of mixed, spl"),
        (lambda: gate_states([1], [[1]], [[1]], preparation="x"), "preparation: wanted one of"),
        (lambda: split_angles([1, 2], [1]), r"openings: wanted shape \(2\), got \(1,\)"),
        (lambda: memristor_states([1, 1, 0], [1], [1]), "initial: wanted Bloch vectors of length"),
        (lambda: memristor_states([1, 0, 0], [1], [1, 2]), r"angles: wanted shape \(1\), got"),
        (lambda: simulate_memristor_qubit(1, -0.1, [1, 0, 0], [1]), "gamma0: wanted numbers >= 0"),
        (lambda: simulate_memristor_qubit(1, 1, [1, 0, 0], [1, 1]), "times: wanted at least one"),
        (lambda: simulate_memristor_pair(1, 1, 1, np.zeros((2, 3)), [1]), r"omega: wanted shape"),
        (lambda: concurrence(np.eye(2)), r"states: wanted shape \(\.\.\., 4, 4\), got \(2, 2\)"),
    ],
)  # fmt: skip
def test_bad_arguments_are_named(call, words):
    with pytest.raises(GateError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)
