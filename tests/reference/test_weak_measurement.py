"""Single shots: the ancilla's circuit, the ensemble's channel, and the law that they average to."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import Statevector
from scipy.linalg import expm

from qbrain.reference.lmg import LMG, ModelError, simulate
from qbrain.reference.lmg.weak_measurement import click_probability, simulate_single_shots


@dataclass(frozen=True)
class Law:
    tau_r: float = 1.0
    tau_f: float = 0.0
    release: float = 0.5


@pytest.mark.parametrize("strength", [0.2, 1.0, math.pi / 2])
def test_the_ancilla_is_a_circuit_that_leaves_the_neurons(strength):
    neurons = 3
    for word in range(2**neurons):
        circuit = QuantumCircuit(neurons + 1)
        for q in range(neurons):
            if word >> q & 1:
                circuit.x(q)
        circuit.ry(math.pi / 2 - strength, neurons)
        for q in range(neurons):
            circuit.cry(2 * strength / neurons, q, neurons)
        found = Statevector(circuit).probabilities([neurons])[1]
        wanted = click_probability(neurons, strength)[word.bit_count()]
        assert found == pytest.approx(wanted, abs=1e-12)
        assert Statevector(circuit).probabilities_dict(range(neurons)) == pytest.approx(
            {f"{word:03b}": 1.0}
        )


def channel(model, start, strength, steps, dt):
    """E of the ensemble at r ≡ 1, by the exact channel on the density matrix."""
    n = model.neurons
    k = np.arange(n)
    jx = np.zeros((n + 1, n + 1))
    jx[k, k + 1] = jx[k + 1, k] = np.sqrt((k + 1) * (n - k)) / 2
    jz = np.diag(np.arange(n + 1) - n / 2)
    square = n / 2 * (n / 2 + 1) * np.eye(n + 1)
    jy2 = square - jx @ jx - jz @ jz
    h = -(model.g0 / n) * ((1 + model.gamma) * jx @ jx + (1 - model.gamma) * jy2)
    u = expm(-1j * h * dt)
    p = click_probability(n, strength)
    rho = np.zeros((n + 1, n + 1), dtype=complex)
    rho[start, start] = 1
    energies = [start / n]
    for _ in range(steps):
        rho = sum(np.sqrt(np.outer(w, w)) * rho for w in (p, 1 - p))
        rho = u @ rho @ u.conj().T
        energies.append(float(np.diag(rho).real @ np.arange(n + 1)) / n)
    return np.array(energies)


@pytest.mark.parametrize("start", [0, 3, 6])
def test_the_ensemble_is_the_channel(start):
    model, steps = LMG(6, 0.7, 1.0), 30
    found = simulate_single_shots(
        model, Law(tau_r=0.0), start, 6.0, steps, strength=0.8, trajectories=3000, seed=1
    )
    wanted = channel(model, start, 0.8, steps, 0.2)
    # 31 times: five standard errors, and what pure states share at the start
    assert np.all(abs(found.excitation - wanted) < 5 * found.excitation_stderr + 1e-9)
    p = click_probability(6, 0.8)
    assert found.click[1] == pytest.approx(p[start], abs=5 * np.sqrt(0.25 / 3000))


@pytest.mark.parametrize("law", [Law(), Law(tau_f=3.0)])
def test_without_backaction_shots_average_to_the_law(law):
    model = LMG(10, 0.8, 1.0)
    found = simulate_single_shots(
        model, law, "silent", 8.0, 400, strength=0.5, trajectories=2000, backaction=False
    )
    wanted = simulate(model, law, "silent", found.time.values)
    # a shot is biased by sin(κx)/sin κ − x, at most 0.016 here, and the step is first order
    assert float(abs(found.r - wanted.r).max()) < 0.02
    assert float(abs(found.excitation - wanted.excitation).max()) < 0.02


def test_measuring_disturbs():
    model = LMG(10, 0.8, 1.0)
    common = {"strength": 0.8, "trajectories": 500}
    seen = simulate_single_shots(model, Law(), "silent", 12.0, 120, **common)
    unseen = simulate_single_shots(model, Law(), "silent", 12.0, 120, backaction=False, **common)
    gap = abs(seen.excitation - unseen.excitation)
    assert float(gap.max()) > 10 * float(seen.excitation_stderr.max())


def test_a_definite_number_is_not_disturbed():
    found = simulate_single_shots(LMG(6, 0.8, 0.0), Law(), 4, 3.0, 30, strength=1.2)
    np.testing.assert_allclose(found.excitation, 4 / 6, atol=1e-12)


def test_the_same_seed_gives_the_same_shots():
    first, again, other = (
        simulate_single_shots(LMG(4, 1.0, 1.0), Law(), 0, 2.0, 20, trajectories=50, seed=seed)
        for seed in (3, 3, 4)
    )
    assert first.identical(again)
    assert not first.equals(other)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"strength": 0.0}, "strength: wanted a number in"),
        ({"duration": 0.0}, "duration: wanted a number > 0"),
        ({"trajectories": 1}, "trajectories: wanted an integer >= 2"),
        ({"strength": 0.05, "synapse": Law(tau_r=5.0)}, "r would grow without bound"),
        ({"model": LMG(4, 1.0, 1.0, 0.1)}, "field: wanted 0, got 0.1"),
    ],
)
def test_bad_arguments_are_named(changes, words):
    arguments = {"model": LMG(4, 1.0, 1.0), "synapse": Law(), "initial": 0, "duration": 1.0}
    with pytest.raises(ModelError, match=words):
        simulate_single_shots(steps=2, **{**arguments, **changes})
