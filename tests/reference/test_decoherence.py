"""The open brain against the full space, against PIQS, and against itself without decay."""

import itertools
from dataclasses import dataclass, replace

import numpy as np
import pytest
import qutip
from hypothesis import given, settings
from hypothesis import strategies as st
from qutip.piqs import piqs

from qbrain.reference.lmg import LMG, ModelError, simulate
from qbrain.reference.lmg.decoherence import Rates, simulate_open


@dataclass(frozen=True)
class Still:
    tau_r: float = 0.0
    tau_f: float = 0.0
    release: float = 0.5


MOVING = Still(tau_r=1.0, tau_f=2.0)
ALL = Rates(0.1, 0.05, 0.2, 0.03, 0.02, 0.04)
TIMES = np.linspace(0, 6, 13)


def in_full_space(model, start, rates, times):
    """E and purity from the master equation on 2^N states."""
    n = model.neurons

    def on(operator, i):
        return qutip.tensor([operator if k == i else qutip.qeye(2) for k in range(n)])

    lower = qutip.basis(2, 0) * qutip.basis(2, 1).dag()
    z = qutip.basis(2, 1).proj() - qutip.basis(2, 0).proj()
    minus = sum(on(lower, i) for i in range(n))
    jz = sum(on(z, i) for i in range(n)) / 2
    jx, jy = (minus.dag() + minus) / 2, (minus.dag() - minus) / 2j
    h = -(model.g0 / n) * ((1 + model.gamma) * jx * jx + (1 - model.gamma) * jy * jy)
    h -= model.field * jz
    single = [(rates.decay, lower), (rates.excitation, lower.dag()), (rates.dephasing, z / 2)]
    jumps = [np.sqrt(rate) * on(c, i) for rate, c in single if rate for i in range(n)]
    together = [
        (rates.collective_decay, minus),
        (rates.collective_excitation, minus.dag()),
        (rates.collective_dephasing, jz),
    ]
    jumps += [np.sqrt(rate) * c for rate, c in together if rate]
    state = sum(
        qutip.tensor([qutip.basis(2, int(k in active)) for k in range(n)])
        for active in itertools.combinations(range(n), start)
    ).unit()
    run = qutip.mesolve(
        h, state, times, jumps, e_ops=[jz],
        options={"atol": 1e-10, "rtol": 1e-9, "store_states": True},
    )  # fmt: skip
    purity = [(s * s).tr().real if s.isoper else 1.0 for s in run.states]
    return 0.5 + run.expect[0] / n, np.array(purity)


@pytest.mark.parametrize("start", [0, 2, 5])
@pytest.mark.parametrize(
    "rates",
    [
        ALL,
        Rates(decay=0.3),
        Rates(excitation=0.3),
        Rates(dephasing=0.5),
        Rates(collective_decay=0.2),
        Rates(collective_dephasing=0.2),
    ],
)
def test_blocks_are_the_full_space(rates, start):
    model = LMG(5, 0.7, 1.2, 0.3)
    found = simulate_open(model, Still(), start, TIMES, rates)
    energy, purity = in_full_space(model, start, rates, TIMES)
    np.testing.assert_allclose(found.excitation, energy, atol=2e-7)
    np.testing.assert_allclose(found.purity, purity, atol=1e-6)


def test_blocks_are_those_of_piqs():
    n, decay, dephasing = 10, 0.15, 0.3
    model = LMG(n, 0.6, 0.8)
    jx, jy, jz = piqs.jspin(n)
    h = -(model.g0 / n) * ((1 + model.gamma) * jx * jx + (1 - model.gamma) * jy * jy)
    # PIQS dephases by σ_z/2 at its rate, and emits at its rate
    system = piqs.Dicke(N=n, hamiltonian=h, emission=decay, dephasing=dephasing)
    run = qutip.mesolve(
        system.liouvillian(), piqs.dicke(n, n / 2, n / 2), TIMES, [], e_ops=[jz],
        options={"atol": 1e-10, "rtol": 1e-9},
    )  # fmt: skip
    found = simulate_open(model, Still(), n, TIMES, Rates(decay=decay, dephasing=dephasing))
    np.testing.assert_allclose(found.excitation, 0.5 + run.expect[0] / n, atol=2e-7)


@pytest.mark.parametrize("neurons", [1, 2, 7])
def test_without_jumps_it_is_the_isolated_brain(neurons):
    model = LMG(neurons, 0.8, 1.5, 0.2)
    wanted = simulate(model, MOVING, "saturated", TIMES)
    found = simulate_open(model, MOVING, "saturated", TIMES, Rates())
    for name in ("excitation", "r", "U", "phase"):
        np.testing.assert_allclose(found[name], wanted[name], atol=1e-7)
    np.testing.assert_allclose(found.purity, 1, atol=1e-7)
    np.testing.assert_allclose(found.symmetric, 1, atol=1e-7)


def test_decay_alone_is_an_exponential():
    found = simulate_open(LMG(30, 1.0, 0.0), Still(), 30, TIMES, Rates(decay=0.4))
    np.testing.assert_allclose(found.excitation, np.exp(-0.4 * TIMES), atol=1e-7)
    # independent neurons: binomial
    p = np.exp(-0.4 * TIMES[-1])
    assert found.populations[-1, 30] == pytest.approx(p**30, abs=1e-9)


@settings(max_examples=15, deadline=None)
@given(
    st.integers(1, 8),
    st.floats(-1, 1),
    st.tuples(*[st.floats(0, 1)] * 6),
    st.just(0.0) | st.floats(0.05, 3),
)
def test_the_trace_stays_and_populations_are_probabilities(neurons, gamma, rates, tau):
    start = neurons // 2
    found = simulate_open(
        LMG(neurons, gamma, 1.0, 0.3), replace(MOVING, tau_r=tau), start, [0.0, 0.7, 1.5],
        Rates(*rates),
    )  # fmt: skip
    np.testing.assert_allclose(found.populations.sum("excitations"), 1, atol=1e-6)
    assert float(found.populations.min()) > -1e-6
    assert float(found.purity.max()) <= 1 + 1e-6


@pytest.mark.parametrize("name", ["decay", "collective_dephasing"])
def test_bad_rates_are_named(name):
    with pytest.raises(ModelError, match=rf"^{name}: wanted a rate >= 0, got -1.0"):
        Rates(**{name: -1})
    with pytest.raises(ModelError, match=name):
        Rates(**{name: float("nan")})


def test_a_time_that_would_take_for_ever_is_refused():
    with pytest.raises(ModelError, match="tau_r: wanted 0 or at least"):
        simulate_open(LMG(2, 1.0, 1.0), Still(tau_r=1e-9), 0, TIMES, ALL)
