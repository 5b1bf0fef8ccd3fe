"""A field over time: against the constant field, against QuTiP, and at its jumps."""

from dataclasses import dataclass

import numpy as np
import pytest
import qutip

from qbrain.reference.lmg import LMG, ModelError, simulate
from qbrain.reference.lmg.stimulus import pulse, simulate_stimulus, sine, step

TIMES = np.linspace(0, 12, 49)


@dataclass(frozen=True)
class Law:
    tau_r: float = 1.0
    tau_f: float = 2.0
    release: float = 0.5


@pytest.mark.parametrize("initial", ["silent", "half", "saturated", 3])
def test_a_step_at_the_start_is_a_constant_field(initial):
    found = simulate_stimulus(LMG(8, 0.6, 1.2, 0.1), Law(), initial, TIMES, step(0.3, 0.0))
    wanted = simulate(LMG(8, 0.6, 1.2, 0.4), Law(), initial, TIMES, populations=True)
    for name in ("excitation", "r", "U", "phase", "populations"):
        np.testing.assert_allclose(found[name], wanted[name], atol=1e-6)


@pytest.mark.parametrize("stimulus", [step(0.5, 13.0), pulse(0.0, 2.0, 3.0), sine(0.0, 1.0)])
def test_no_stimulus_is_the_orbit(stimulus):
    found = simulate_stimulus(LMG(9, 0.8, 1.0), Law(tau_f=0.0), "saturated", TIMES, stimulus)
    wanted = simulate(LMG(9, 0.8, 1.0), Law(tau_f=0.0), "saturated", TIMES)
    np.testing.assert_allclose(found.excitation, wanted.excitation, atol=1e-7)


@pytest.mark.parametrize("stimulus", [sine(0.7, 5.0), pulse(0.9, 3.1, 2.3)])
def test_it_is_the_schroedinger_equation_of_qutip(stimulus):
    n, model = 6, LMG(6, 0.5, 1.4, 0.2)
    spin = [qutip.jmat(n / 2, axis) for axis in "xyz"]
    # QuTiP's first basis state is m = +j: n = N
    h0 = -(1.4 / n) * (1.5 * spin[0] ** 2 + 0.5 * spin[1] ** 2) - 0.2 * spin[2]
    run = qutip.sesolve(
        [h0, [spin[2], lambda t: -stimulus.field(t)]], qutip.basis(n + 1, n - 2), TIMES,
        e_ops=[spin[2]], options={"atol": 1e-10, "rtol": 1e-9, "max_step": 0.01},
    )  # fmt: skip
    found = simulate_stimulus(model, Law(tau_r=0.0, tau_f=0.0), 2, TIMES, stimulus)
    # a jump inside a step of QuTiP's costs it 1e-5
    np.testing.assert_allclose(found.excitation, 0.5 + run.expect[0] / n, atol=5e-5)


def test_before_a_pulse_nothing_has_happened_and_afterwards_it_has():
    model = LMG(10, 0.9, 1.0)
    quiet = simulate(model, Law(), "silent", TIMES).excitation
    found = simulate_stimulus(model, Law(), "silent", TIMES, pulse(1.0, 4.0, 2.0))
    before = TIMES <= 4.0
    np.testing.assert_allclose(found.excitation[before], quiet[before], atol=1e-7)
    assert float(abs(found.excitation - quiet)[~before].max()) > 0.01
    np.testing.assert_array_equal(found.field, np.where((TIMES >= 4) & (TIMES < 6), 1.0, 0.0))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: pulse(1.0, 0.0, 0.0), "length: wanted a number > 0, got 0.0"),
        (lambda: sine(1.0, -1.0), "period: wanted a number > 0, got -1.0"),
        (lambda: step(float("nan"), 0.0), "height"),
    ],
)
def test_bad_stimuli_are_named(make, words):
    with pytest.raises(ModelError, match=words):
        make()
