"""Bands of E, r, U and the phase: how often the exact value lies inside."""

import numpy as np
import pytest

import qbrain
from qbrain.classical_feedback.orbit import integrate_between
from qbrain.classical_feedback.synapse import SynapticLaw
from qbrain.classical_feedback.trajectory import integrate_in_time
from qbrain.experiments.engine.measures import Z95
from qbrain.experiments.lmg.brain import Brain
from qbrain.experiments.lmg.config import LMGConfig
from qbrain.reference.lmg import Orbit, orbit_frequencies, piecewise_states
from qbrain.reference.lmg.hamiltonian import LMG

NAMES = ("excitation", "r", "utilisation", "phase")
EXACT = ("excitation", "r", "U", "phase")


class Reading:
    def __init__(self, value):
        self.value = value


def loops(config, count, seed):
    """Loops of shots drawn from exact populations: E, its errors, r and s of each."""
    brain = Brain(config)
    law = SynapticLaw(brain.synapse, config.feedback_order)
    levels = np.arange(config.neurons + 1) / config.neurons
    orbit = None if config.field else Orbit(brain.model, brain.initial)
    rng = np.random.default_rng(seed)
    for _ in range(count):
        controls, readings, errors = [brain.start], [], []
        for k in range(brain.times.size):
            if orbit is not None:
                chances = orbit.populations(np.array([controls[-1].phase]))[0]
            else:
                schedule = brain.schedule(controls)
                couplings = np.array(schedule.phases) / brain.dt
                states = piecewise_states(brain.model, brain.initial, couplings, brain.dt)
                chances = np.abs(np.atleast_2d(states)[-1]) ** 2
            chances = np.clip(chances, 0, None)
            drawn = rng.multinomial(config.shots, chances / chances.sum()) / config.shots
            mean = float(drawn @ levels)
            variance = float(drawn @ levels**2 - mean**2) / config.shots
            readings.append(Reading(mean))
            errors.append(np.hypot(np.sqrt(variance), 1 / (config.neurons * config.shots)))
            if k + 1 < brain.times.size:
                controls.append(law(controls[-1], readings, brain.dt))
        values = np.array([reading.value for reading in readings])
        r, s = (np.array([getattr(c, name) for c in controls]) for name in ("r", "phase"))
        yield brain, values, np.array(errors), r, s


CASES = {
    "default": {},
    "first order": {"feedback_order": 1, "tau_f": 2.0, "steps": 24, "shots": 1000},
    "slow recovery": {"tau_r": 5.0, "tau_f": 3.0, "steps": 24, "neurons": 6},
    "coarse, half": {"time": 40.0, "steps": 24, "initial": "half"},
    "field": {"field": 0.3, "tau_f": 2.0, "shots": 1000},
}


@pytest.mark.parametrize("case", CASES)
def test_the_exact_loop_lies_in_the_band_of_readings(case):
    """60 loops each. Within a loop errors hang together: a loop's part scatters by up to 0.3, the
    mean of 60 by 0.04, so that 0.95 − 0.12 is three standard errors off."""
    config = LMGConfig(**{"shots": 4000, "neurons": 4, **CASES[case]})
    inside = []
    for number, (brain, values, errors, r, s) in enumerate(loops(config, 60, 7)):
        common = {"replicas": 100, "seed": number}
        if config.field:
            band = integrate_in_time(
                brain.synapse, brain.start, brain.times, s, r, values, errors, **common
            )
        else:
            band = integrate_between(
                brain.synapse, brain.start, brain.times, s, values, errors, brain.width,
                frequencies=brain.frequencies, **common,
            )  # fmt: skip
        row = []
        for name, wanted in zip(NAMES, EXACT, strict=True):
            column = getattr(band, name)
            error = np.abs(column[:, 0] - brain.exact[wanted].values)
            row.append(np.mean(error <= Z95 * column[:, 1:].std(axis=1) + 1e-12))
        inside.append(row)
    found = dict(zip(EXACT, np.mean(inside, axis=0), strict=True))
    assert all(part > 0.83 for part in found.values()), found
    # a band twice as wide would hold nearly all of them in every loop
    if case == "default":
        assert np.min(inside) < 0.99


def test_frequencies_are_those_of_the_exact_curve():
    """E(s) by its own frequencies, fitted to few points, is E(s) everywhere."""
    model = LMG(6, 0.7, 1.3)
    omega = orbit_frequencies(model, "half")
    orbit = Orbit(model, "half")
    s = np.linspace(0, 25, 3 * omega.size)
    design = np.cos(np.multiply.outer(s, omega))
    found = np.linalg.lstsq(design, orbit.excitation(s), rcond=None)[0]
    other = np.linspace(0, 25, 401)
    again = np.cos(np.multiply.outer(other, omega)) @ found
    np.testing.assert_allclose(again, orbit.excitation(other), atol=1e-8)
    assert omega[0] == 0
    assert np.all(np.diff(omega) > 0)


def test_a_run_publishes_the_coverage_of_its_bands():
    run = qbrain.run("lmg", neurons=4, tau_f=2.0, time=8, steps=12, shots=500, seed=2)
    for name, key in zip(EXACT, ("band_coverage", "band_coverage_r", "band_coverage_U",
                                 "band_coverage_phase"), strict=True):  # fmt: skip
        half = 1.959964 * run.data[f"{name}_stderr"].values
        gap = run.data[name].values - run.data[f"exact_{name}"].values
        assert run.result[key] == pytest.approx(np.mean(np.abs(gap) <= half + 1e-12))


def test_a_band_is_shots_and_known_errors_in_quadrature():
    run = qbrain.run("lmg", neurons=4, gamma=0.8, time=12, steps=6, shots=500, seed=2,
                     encoding="dicke")  # fmt: skip
    data = run.data
    together = data.shot_band_excitation**2 + data.interpolation_error**2 + data.formula_error**2
    np.testing.assert_allclose(data.excitation_stderr**2, together, rtol=1e-12)
    assert float(np.abs(data.interpolation_error).max()) > 1e-3


FORMS = {
    "replay": {},
    "replay, field": {"field": 0.3, "tau_f": 2.0},
    "incremental": {"evolution": "incremental", "feedback_order": 1, "shots": 1000, "steps": 24},
    "fast-forward": {"evolution": "fast-forward", "gamma": 0.5, "steps": 24, "tau_f": 2.0},
    "afterwards": {"evolution": "fast-forward", "dispatch": "afterwards", "tau_f": 2.0},
    "orbit": {"evolution": "orbit", "tau_f": 2.0},
    "relax": {"evolution": "relax", "gamma": 0.8, "encoding": "dicke"},
}


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_bands_of_every_form_hold_the_exact_answer(form):
    """40 runs on ideal Aer: means of 0.95 within 0.12 (see above)."""
    results = [qbrain.run("lmg", seed=seed, **FORMS[form]).result for seed in range(40)]
    for name in ("", "_r", "_U", "_phase"):
        found = np.mean([result[f"band_coverage{name}"] for result in results])
        assert found > 0.83, (form, name, found)


def test_the_finite_step_of_the_loop_is_not_in_what_a_run_reports():
    run = qbrain.run("lmg", neurons=4, time=12, steps=12, shots=200_000, seed=1, feedback_order=1,
                     backend="statevector", tau_r=2.0)  # fmt: skip
    data = run.data
    lag = np.abs(data.control_r - data.exact_r)
    error = np.abs(data.r - data.exact_r)
    assert float(lag.max()) > 0.02
    assert float(error.max()) < 0.003
    assert bool((error <= 5 * data.r_stderr + 1e-9).all())
