"""Two coupled brains: against themselves apart, and against QuTiP."""

from dataclasses import dataclass

import numpy as np
import pytest
import qutip

from qbrain.reference.lmg import LMG, ModelError, simulate
from qbrain.reference.lmg.coupled import simulate_coupled
from qbrain.reference.lmg.stimulus import pulse

TIMES = np.linspace(0, 10, 21)


@dataclass(frozen=True)
class Law:
    tau_r: float = 1.0
    tau_f: float = 2.0
    release: float = 0.5


def test_apart_they_are_two_brains():
    models, laws = [LMG(6, 0.8, 1.0, 0.1), LMG(5, 0.4, 1.5)], [Law(), Law(tau_r=0.3, tau_f=0)]
    found = simulate_coupled(models, laws, ["silent", "saturated"], TIMES, 0.0)
    for k, (model, law, start) in enumerate(
        zip(models, laws, ["silent", "saturated"], strict=True)
    ):
        alone = simulate(model, law, start, TIMES)
        for name in ("excitation", "r", "U"):
            np.testing.assert_allclose(found[name][:, k], alone[name], atol=1e-6)
    np.testing.assert_allclose(found.entropy, 0, atol=1e-6)


def test_coupled_they_follow_the_schroedinger_equation():
    sizes, c = (4, 3), 0.9
    models = [LMG(4, 0.8, 1.0, 0.1), LMG(3, 0.4, 1.5)]
    h = 0
    spins = []
    for k, n in enumerate(sizes):
        here = [
            qutip.tensor([qutip.jmat(n / 2, axis) if i == k else qutip.qeye(m + 1)
                          for i, m in enumerate(sizes)]) for axis in "xyz"
        ]  # fmt: skip
        model = models[k]
        h += -(model.g0 / n) * ((1 + model.gamma) * here[0] ** 2 + (1 - model.gamma) * here[1] ** 2)
        h += -model.field * here[2]
        spins.append(here)
    h -= 2 * c / sum(sizes) * spins[0][0] * spins[1][0]
    start = qutip.tensor(qutip.basis(5, 4 - 1), qutip.basis(4, 3))  # n = 1 and n = 0
    run = qutip.sesolve(
        h, start, TIMES, e_ops=[spins[0][2], spins[1][2]],
        options={"atol": 1e-10, "rtol": 1e-9, "store_states": True},
    )  # fmt: skip
    still = Law(tau_r=0.0, tau_f=0.0)
    found = simulate_coupled(models, [still, still], [1, 0], TIMES, c)
    for k, n in enumerate(sizes):
        np.testing.assert_allclose(found.excitation[:, k], 0.5 + run.expect[k] / n, atol=1e-6)
    entropy = [qutip.entropy_vn(state.ptrace(0), 2) for state in run.states]
    np.testing.assert_allclose(found.entropy, entropy, atol=1e-5)


def test_a_pulse_on_one_reaches_the_other_only_through_the_coupling():
    models, laws = [LMG(4, 0.9, 1.0), LMG(4, 0.9, 1.0)], [Law(), Law(tau_r=5.0)]
    stimuli = [pulse(1.5, 2.0, 2.0), None]

    def second(c, *, hit):
        chosen = stimuli if hit else (None, None)
        return simulate_coupled(models, laws, ["silent", 0], TIMES, c, stimuli=chosen)

    apart = second(0.0, hit=True).excitation - second(0.0, hit=False).excitation
    assert float(abs(apart[:, 0]).max()) > 0.01
    np.testing.assert_allclose(apart[:, 1], 0, atol=1e-7)
    joined = second(0.8, hit=True).excitation - second(0.8, hit=False).excitation
    assert float(abs(joined[:, 1]).max()) > 0.001
    np.testing.assert_allclose(joined[TIMES <= 2], 0, atol=1e-7)


def test_anything_but_two_is_refused():
    with pytest.raises(ModelError, match="models: wanted two, got 1"):
        simulate_coupled([LMG(2, 1, 1)], [Law(), Law()], [0, 0], TIMES, 1.0)
