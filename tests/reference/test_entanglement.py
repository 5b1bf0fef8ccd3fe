"""Entropies and squeezing of Dicke amplitudes, against QuTiP's partial traces and closed forms."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pytest
import qutip
from hypothesis import given, settings
from hypothesis import strategies as st

from qbrain.reference.lmg import (
    LMG,
    ModelError,
    Orbit,
    block_entropy,
    diagonal_entropy,
    fidelity,
    linear_entropy,
    simulate,
    squeezing_parameter,
)


@dataclass(frozen=True)
class Synapse:
    tau_r: float = 1.0
    tau_f: float = 0.0
    release: float = 0.5


def random_state(neurons: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    state = rng.normal(size=neurons + 1) + 1j * rng.normal(size=neurons + 1)
    return np.asarray(state / np.linalg.norm(state))


def on_qubits(state: np.ndarray) -> qutip.Qobj:
    """The state on N qubits of QuTiP."""
    neurons = len(state) - 1
    vector = np.zeros(2**neurons, dtype=complex)
    for n, amplitude in enumerate(state):
        for ones in combinations(range(neurons), n):
            vector[sum(1 << bit for bit in ones)] += amplitude / math.sqrt(math.comb(neurons, n))
    return qutip.Qobj(vector, dims=[[2] * neurons, [1] * neurons])


@pytest.mark.parametrize(("neurons", "block"), [(2, 1), (5, 2), (6, 3), (7, 5), (7, 1)])
def test_entropies_against_partial_traces(neurons: int, block: int) -> None:
    state = random_state(neurons, neurons)
    reduced = on_qubits(state).ptrace(list(range(block)))
    assert block_entropy(state, block) == pytest.approx(qutip.entropy_vn(reduced, 2), abs=1e-12)
    assert block_entropy(state, block, base=math.e) == pytest.approx(
        qutip.entropy_vn(reduced), abs=1e-12
    )
    assert linear_entropy(state, block) == pytest.approx(
        1 - (reduced * reduced).tr().real, abs=1e-12
    )
    # Eq. 7 is the distribution of the block's excitation number.
    counts = np.array([bin(i).count("1") for i in range(2**block)])
    p = np.bincount(counts, weights=reduced.diag().real)
    assert diagonal_entropy(state, block) == pytest.approx(-np.sum(p * np.log2(p)), abs=1e-12)


def test_entropies_of_eighty_neurons() -> None:
    # One period of the orbit, far finer than its features.
    s = np.linspace(0.0, np.pi * 80 / 0.1, 2001)
    peak = {}
    for initial in ("saturated", "half"):
        states = Orbit(LMG(80, 1.0, 0.05), initial).amplitudes(s)
        true, diagonal = block_entropy(states, 40), diagonal_entropy(states, 40)
        assert isinstance(true, np.ndarray)
        assert isinstance(diagonal, np.ndarray)
        assert np.all(diagonal - true > -1e-9)
        peak[initial] = true[0], true.max(), true.min(), diagonal.max(), diagonal.min()
    assert peak["saturated"][0] == pytest.approx(0.0, abs=1e-10)
    assert peak["saturated"][1] == pytest.approx(3.445, abs=5e-4)
    assert peak["saturated"][3] == pytest.approx(5.107, abs=5e-4)
    assert peak["half"][0] == pytest.approx(3.217, abs=5e-4)
    assert peak["half"][1] == pytest.approx(4.894, abs=5e-4)
    assert peak["half"][2] == pytest.approx(2.799, abs=2e-3)  # lower between its grid's points
    assert peak["half"][2] == pytest.approx(2.7977, abs=1e-4)
    assert peak["half"][3] == pytest.approx(5.302, abs=5e-4)
    assert peak["half"][4] == pytest.approx(3.217, abs=5e-4)


def test_entropy_of_a_dicke_state_is_that_of_the_hypergeometric_distribution() -> None:
    neurons, n, block = 2000, 900, 700
    state = np.eye(neurons + 1)[n]
    p = np.array(
        [
            math.comb(block, k) * math.comb(neurons - block, n - k) / math.comb(neurons, n)
            for k in range(block + 1)
        ]
    )
    p = p[p > 0]
    exact = -np.sum(p * np.log2(p))
    assert diagonal_entropy(state, block) == pytest.approx(exact, abs=1e-10)
    assert block_entropy(state, block) == pytest.approx(exact, abs=1e-10)


@settings(max_examples=40, deadline=None)
@given(
    neurons=st.integers(1, 14), seed=st.integers(0, 999), share=st.floats(0, 1), z=st.floats(-3, 3)
)
def test_entropies_obey_their_bounds(neurons: int, seed: int, share: float, z: float) -> None:
    state = random_state(neurons, seed)
    block = round(share * neurons)
    entropy = block_entropy(state, block)
    # The rest is as entangled with the block as the block with the rest.
    assert entropy == pytest.approx(block_entropy(state, neurons - block), abs=1e-10)
    assert -1e-12 <= entropy <= math.log2(min(block, neurons - block) + 1) + 1e-12
    assert diagonal_entropy(state, block) >= entropy - 1e-10
    # A turn about z changes nothing.
    turned = state * np.exp(1j * z * np.arange(neurons + 1))
    assert block_entropy(turned, block) == pytest.approx(entropy, abs=1e-10)
    assert squeezing_parameter(turned) == pytest.approx(squeezing_parameter(state), abs=1e-9)
    mixed = linear_entropy(state, block)
    assert -1e-12 <= mixed <= 1 - 1 / (min(block, neurons - block) + 1) + 1e-12


def test_product_states_are_neither_entangled_nor_squeezed() -> None:
    neurons = 9
    state = qutip.spin_coherent(neurons / 2, 1.1, 0.4).full().ravel()[::-1]
    assert block_entropy(state, 4) == pytest.approx(0, abs=1e-10)
    assert linear_entropy(state, 4) == pytest.approx(0, abs=1e-12)
    assert squeezing_parameter(state) == pytest.approx(1, abs=1e-10)
    for block in (0, 5):
        assert block_entropy(random_state(5, 1), block) == pytest.approx(0, abs=1e-12)


def test_squeezing_of_one_axis_twisting() -> None:
    # Kitagawa and Ueda 1993, Eqs. 4 and 5, for S = N/2 and μ = 2χt with H = −χ J_x², χ = 2 g0/N.
    neurons, g0 = 20, 1.0
    s = np.linspace(0.0, 3.0, 13)
    mu = 4 * g0 * s / neurons
    a = 1 - np.cos(mu) ** (neurons - 2)
    b = 4 * np.sin(mu / 2) * np.cos(mu / 2) ** (neurons - 2)
    exact = 1 + (neurons - 1) / 4 * (a - np.hypot(a, b))
    states = Orbit(LMG(neurons, 1.0, g0), "saturated").amplitudes(s)
    assert np.abs(squeezing_parameter(states) - exact).max() < 1e-11
    assert exact.min() < 0.3


def test_squeezing_against_qutip_variances() -> None:
    neurons = 6
    state = random_state(neurons, 3)
    ket = qutip.Qobj(state[::-1])
    spin = [qutip.jmat(neurons / 2, axis) for axis in ("x", "y", "z")]
    mean = np.array([qutip.expect(op, ket) for op in spin])
    first = np.cross(mean, [0.0, 0.0, 1.0])
    first /= np.linalg.norm(first)
    second = np.cross(mean, first) / np.linalg.norm(mean)
    variances = []
    for angle in np.linspace(0, np.pi, 20_001):
        direction = np.cos(angle) * first + np.sin(angle) * second
        variances.append(direction)
    cov = np.array(
        [[qutip.expect((p * q + q * p) / 2, ket) for q in spin] for p in spin]
    ) - np.outer(mean, mean)
    smallest = min(d @ cov @ d for d in variances)
    assert squeezing_parameter(state) == pytest.approx(4 / neurons * smallest, abs=1e-7)


def test_fidelity_returns_to_one_with_the_orbit() -> None:
    ds = simulate(
        LMG(10, 1.0, 0.05), Synapse(), "saturated", np.linspace(0, 4000, 801), amplitudes=True
    )
    states = ds.amplitude_real.values + 1j * ds.amplitude_imag.values
    f = fidelity(states)
    assert f.shape == (801,)
    assert f[0] == pytest.approx(1, abs=1e-13)
    assert np.all((f >= 0) & (f <= 1 + 1e-12))
    # γ=1: |⟨ψ(0)|ψ(s)⟩|² from the binomial weights of J_x.
    m = np.arange(11) - 5
    weights = np.array([math.comb(10, k) for k in range(11)]) / 2**10
    phases = np.exp(1j * np.outer(ds.phase.values, 0.1 / 10 * m**2))
    assert np.abs(f - np.abs(phases @ weights) ** 2).max() < 1e-12
    assert f[400:].max() > 0.99


def test_a_trajectory_gives_what_its_states_give() -> None:
    states = np.array([random_state(6, seed) for seed in range(4)])
    for figure in (
        lambda x: block_entropy(x, 2),
        lambda x: diagonal_entropy(x, 2),
        lambda x: linear_entropy(x, 2),
        squeezing_parameter,
    ):
        together = figure(states)
        assert isinstance(together, np.ndarray)
        assert together.shape == (4,)
        singly = [figure(state) for state in states]
        assert all(isinstance(value, float) for value in singly)
        assert np.abs(together - singly).max() < 1e-12


def test_what_is_refused() -> None:
    state = random_state(4, 0)
    with pytest.raises(ModelError, match="block: wanted an integer from 0 to 4, got 5"):
        block_entropy(state, 5)
    with pytest.raises(ModelError, match="block: wanted an integer >= 0, got -1"):
        linear_entropy(state, -1)
    with pytest.raises(ModelError, match="base: wanted a number > 1, got 1"):
        diagonal_entropy(state, 2, base=1)
    with pytest.raises(ModelError, match="state: wanted norm 1, got 2"):
        squeezing_parameter(2 * state)
    with pytest.raises(ModelError, match="state: wanted norm 1, got nan"):
        block_entropy(np.nan * state, 2)
    with pytest.raises(ModelError, match="state: wanted shape"):
        block_entropy(np.ones((2, 2, 2)), 1)
    with pytest.raises(ModelError, match="states: wanted shape"):
        fidelity(state)
