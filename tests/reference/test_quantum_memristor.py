"""The quantum memristor: classical circuits, linear systems, matrices, QuTiP, and its records."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad_vec, solve_ivp
from scipy.linalg import expm, solve_continuous_are

from qbrain.reference.hodgkin_huxley.memristor import (
    Memristor,
    MemristorCircuit,
    MemristorError,
    Start,
    moment_slopes,
    positivity_strength,
    simulate_moments,
)
from qbrain.reference.hodgkin_huxley.memristor_fock import fock_operators, fock_start, simulate_fock
from qbrain.reference.hodgkin_huxley.memristor_loops import lobe_areas, loop_area
from qbrain.reference.hodgkin_huxley.memristor_trajectories import simulate_trajectories

STILL = Memristor(0.15, 0.15)
ODD = {"capacitance": 1.4, "inductance": 0.7}
MOMENTS = ("flux", "charge", "var_flux", "var_charge", "covariance")


def drift(circuit, gamma):
    """d/dt (φ, q) = A (φ, q)."""
    c, ind = circuit.capacitance, circuit.inductance
    return np.array([[0, 1 / c], [-1 / ind, -2 * gamma]])


def diffusion(circuit, gamma):
    return np.diag([2 * circuit.strength, 4 * circuit.capacitance * circuit.temperature * gamma])


# --- moments ---------------------------------------------------------------------------------


@pytest.mark.parametrize("branch", ["inductor", "memristor"])
def test_the_average_is_the_classical_circuit(branch):
    """Kirchhoff's laws for V_C and I_L, with no ħ, no temperature and no measurement in them."""
    cap, ind = ODD.values()
    memory = Memristor(0.05, 0.4, 0.8)

    def kirchhoff(t, y):
        v, i, mu = y
        source = 0.3 + 0.2 * math.sin(t)
        on_memristor = v - source if branch == "memristor" else v
        on_inductor = v if branch == "memristor" else v - source
        conductance = 2 * cap * (0.05 + 0.35 * (1 + math.tanh(mu)) / 2)
        return [-(i + conductance * on_memristor) / cap, on_inductor / ind, 0.8 * on_memristor]

    t = np.linspace(0, 8, 17)
    run = solve_ivp(kirchhoff, (0, 8), [1.5 / cap, 0.4 / ind, -0.3], t_eval=t,
                    method="LSODA", rtol=1e-11, atol=1e-12)  # fmt: skip
    for temperature, strength in ((0.0, 0.0), (2.0, 0.3)):
        circuit = MemristorCircuit(**ODD, voltage=lambda x: 0.3 + 0.2 * math.sin(x),
                                   source_in=branch, memristor=memory, temperature=temperature,
                                   strength=strength)  # fmt: skip
        found = simulate_moments(circuit, Start(1.5, 0.4, -0.3, occupation=0.7), t)
        np.testing.assert_allclose(found.charge, cap * run.y[0], atol=1e-7)
        np.testing.assert_allclose(found.flux, ind * run.y[1], atol=1e-7)
        np.testing.assert_allclose(found.mu, run.y[2], atol=1e-7)
        across = run.y[0] - (0.3 + 0.2 * np.sin(t) if branch == "memristor" else 0)
        np.testing.assert_allclose(found.voltage, across, atol=1e-7)
        wanted = 2 * cap * (0.05 + 0.35 * (1 + np.tanh(run.y[2])) / 2) * across
        np.testing.assert_allclose(found.current, wanted, atol=1e-7)


def test_at_a_constant_rate_the_moments_are_a_linear_systems():
    circuit = MemristorCircuit(**ODD, memristor=STILL, temperature=0.6, strength=0.07)
    start, t = Start(1.0, -0.5, occupation=0.4), np.array([0.0, 0.7, 2.0, 5.0])
    found = simulate_moments(circuit, start, t)
    a, d = drift(circuit, 0.15), diffusion(circuit, 0.15)
    quanta = 0.9 / math.sqrt(1.4 * 0.7)
    begin = np.diag([0.7 * quanta, 1.4 * quanta])
    for k, time in enumerate(t):
        turn = expm(a * time)
        spread = turn @ begin @ turn.T
        spread += quad_vec(lambda s: expm(a * s) @ d @ expm(a * s).T, 0, time, epsabs=1e-10)[0]
        wanted = [*(turn @ [-0.5, 1.0]), spread[0, 0], spread[1, 1], spread[0, 1]]
        np.testing.assert_allclose([found[x][k] for x in MOMENTS], wanted, atol=1e-9)


def test_without_measurement_it_ends_in_equipartition():
    circuit = MemristorCircuit(**ODD, memristor=STILL, temperature=0.8, strength=0.0)
    found = simulate_moments(circuit, Start(), [120.0])
    # ⟨q²⟩/2C = ⟨φ²⟩/2L = k_B T/2
    np.testing.assert_allclose(
        [found[x][0] for x in MOMENTS], [0, 0, 0.7 * 0.8, 1.4 * 0.8, 0], atol=1e-7
    )


def test_a_source_leaves_its_own_equilibrium():
    common = {**ODD, "memristor": STILL, "voltage": 0.9}
    for branch, charge, flux in (
        ("inductor", 1.4 * 0.9, -0.7 * 2 * 0.15 * 1.4 * 0.9),
        ("memristor", 0.0, 0.7 * 2 * 0.15 * 1.4 * 0.9),
    ):
        found = simulate_moments(MemristorCircuit(**common, source_in=branch), Start(), [120.0])
        np.testing.assert_allclose([found.charge[0], found.flux[0]], [charge, flux], atol=1e-7)


def test_memory_laws_of_ones_own():
    own = Memristor(
        damping=lambda mu: 0.1 * (1 - np.sin(mu)), response=lambda mu, v: v * (2 + v**2)
    )
    t = np.linspace(0, 6, 200)
    found = simulate_moments(MemristorCircuit(memristor=own), Start(mu=0.5), t)
    np.testing.assert_allclose(found.gamma, 0.1 * (1 - np.sin(found.mu)))
    slopes = np.gradient(found.mu, t, edge_order=2)
    np.testing.assert_allclose(slopes, found.voltage * (2 + found.voltage**2), atol=0.02)


# --- the equation as printed -----------------------------------------------------------------


def test_the_printed_dissipator_damps_and_the_other_pair_does_not():
    circuit = MemristorCircuit(**ODD)
    rho = fock_start(circuit, Start(0.8, 0.6), 30)
    flux, charge = fock_operators(circuit, 30)

    def change(first, second, op):  # of ⟨op⟩ under −i[first, {second, ρ}]
        both = second @ rho + rho @ second
        return np.trace(-1j * op @ (first @ both - both @ first)).real

    assert change(flux, charge, charge) == pytest.approx(-2 * 0.8)
    assert change(flux, charge, flux) == pytest.approx(0, abs=1e-12)
    assert change(charge, flux, flux) == pytest.approx(+2 * 0.6)


def test_the_start_in_the_fock_basis():
    circuit = MemristorCircuit(**ODD)
    start = Start(0.9, -0.7, occupation=0.3)
    rho = fock_start(circuit, start, 50)
    flux, charge = fock_operators(circuit, 50)

    def mean(op):
        return np.trace(op @ rho).real

    found = [
        *(mean(flux), mean(charge)),
        *(mean(op @ op) - mean(op) ** 2 for op in (flux, charge)),
        mean(flux @ charge + charge @ flux) / 2 - mean(flux) * mean(charge),
    ]
    np.testing.assert_allclose(found, start.moments(circuit), atol=1e-12)
    assert np.trace(rho @ rho).real == pytest.approx(1 / 1.6)


@pytest.mark.parametrize(
    ("circuit", "start"),
    [
        (MemristorCircuit(temperature=0.2, voltage=0.3), Start(0.7, 0.4)),
        (
            MemristorCircuit(
                **ODD, temperature=0.2, strength=0.0, source_in="memristor",
                voltage=lambda t: 0.4 * math.cos(t),
            ),
            Start(0.8, mu=-0.5),
        ),
    ],
)  # fmt: skip
def test_moments_are_those_of_the_density_matrix(circuit, start):
    t = np.linspace(0, 2.5, 6)
    matrix = simulate_fock(circuit, start, t, levels=26)
    assert float(abs(matrix.last_level).max()) < 1e-15
    closed = simulate_moments(circuit, start, t)
    # negative at this temperature, and exactly as negative as a Gaussian's closed form
    assert float(closed.smallest_eigenvalue.min()) < -1e-3
    for name in closed:
        np.testing.assert_allclose(matrix[name], closed[name], atol=2e-11, err_msg=name)


def test_the_density_matrix_against_qutip():
    qutip = pytest.importorskip("qutip")
    levels, t = 20, np.linspace(0, 1.5, 4)
    circuit = MemristorCircuit(**ODD, temperature=0.3, strength=0.05, voltage=0.3, memristor=STILL)
    found = simulate_fock(circuit, Start(0.7, 0.4), t, levels=levels)
    a = qutip.destroy(levels)
    mass = math.sqrt(1.4 / 0.7)
    flux, charge = (a + a.dag()) / math.sqrt(2 * mass), 1j * math.sqrt(mass / 2) * (a.dag() - a)
    h = charge**2 / 2.8 + flux**2 / 1.4 - 0.3 * charge

    def commutator(op):
        return qutip.spre(op) - qutip.spost(op)

    generator = -1j * commutator(h) - 0.05 * commutator(charge) ** 2
    generator += -1j * 0.15 * commutator(flux) * (qutip.spre(charge) + qutip.spost(charge))
    generator += -2 * 1.4 * 0.3 * 0.15 * commutator(flux) ** 2
    alpha = math.sqrt(mass / 2) * 0.4 + 1j * 0.7 / math.sqrt(2 * mass)
    start = qutip.ket2dm(qutip.coherent(levels, alpha, method="analytic"))
    run = qutip.mesolve(generator, start, t, options={"atol": 1e-11, "rtol": 1e-10})
    for name, op in (("flux", flux), ("charge", charge)):
        wanted = qutip.expect(op, run.states)
        np.testing.assert_allclose(found[name], wanted, atol=1e-7)
        wanted = qutip.expect(op**2, run.states) - wanted**2
        np.testing.assert_allclose(found[f"var_{name}"], wanted, atol=1e-7)
    lowest = [np.linalg.eigvalsh(s.full())[0] for s in run.states]
    np.testing.assert_allclose(found.smallest_eigenvalue, lowest, atol=1e-7)
    np.testing.assert_allclose(found.purity, [s.purity() for s in run.states], atol=1e-7)


# --- positivity ------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.floats(-2, 2), st.floats(0, math.pi), st.floats(0.01, 3), st.floats(0.05, 3))
def test_back_action_makes_the_equation_completely_positive(squeeze, turn, gamma, temperature):
    """A pure state's V_φV_q − c² does not fall below ¼ from that strength on, for any squeezing."""
    circuit = MemristorCircuit(**ODD, temperature=temperature)
    circuit = MemristorCircuit(
        **ODD, temperature=temperature, strength=positivity_strength(circuit, gamma)
    )
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    v = rotation @ np.diag([math.exp(squeeze), math.exp(-squeeze)]) @ rotation.T / 2
    moments = np.array([0, 0, v[0, 0], v[1, 1], v[0, 1]])
    slope = moment_slopes(circuit, 0.0, moments, gamma)
    fall = slope[2] * v[1, 1] + v[0, 0] * slope[3] - 2 * v[0, 1] * slope[4]
    assert fall >= -1e-10


def test_below_that_strength_some_pure_state_is_lost():
    gamma, temperature = 0.2, 0.5
    enough = positivity_strength(MemristorCircuit(temperature=temperature), gamma)
    assert enough == gamma / (8 * temperature)
    for part, kept in ((0.9, False), (1.0, True)):
        circuit = MemristorCircuit(temperature=temperature, strength=part * enough)
        falls = []
        for vf in np.geomspace(0.05, 20, 2001):  # with c = 0, V_q = 1/(4 V_φ)
            slope = moment_slopes(circuit, 0.0, np.array([0, 0, vf, 0.25 / vf, 0]), gamma)
            falls.append(slope[2] * 0.25 / vf + vf * slope[3])
        assert bool(min(falls) > -1e-12) is kept
        assert min(falls) == pytest.approx(0, abs=1e-6) or not kept


def test_strengths_at_the_limits():
    assert positivity_strength(MemristorCircuit(memristor=Memristor(0.1, 0.4))) == 0.4 / 8
    assert positivity_strength(MemristorCircuit(temperature=0.0)) == math.inf
    assert positivity_strength(MemristorCircuit(temperature=0.0), 0.0) == 0.0


# --- trajectories ----------------------------------------------------------------------------


def test_covariances_end_in_the_stationary_riccati_equation():
    circuit = MemristorCircuit(**ODD, memristor=STILL, temperature=0.8, strength=0.1)
    found = simulate_trajectories(circuit, Start(occupation=1.0), [50.0], trajectories=1, step=0.05)
    wanted = solve_continuous_are(
        drift(circuit, 0.15).T, np.array([[0.0], [1.0]]), diffusion(circuit, 0.15), 1 / 0.8
    )
    got = [found[x].item() for x in MOMENTS[2:]]
    np.testing.assert_allclose(got, [wanted[0, 0], wanted[1, 1], wanted[0, 1]], atol=1e-8)
    assert found.purity.item() == pytest.approx(1 / (2 * math.sqrt(np.linalg.det(wanted))))


def test_a_record_that_loses_nothing_makes_the_state_pure():
    circuit = MemristorCircuit(memristor=Memristor(0.0, 0.0), strength=0.2)
    t = np.linspace(0, 20, 21)
    found = simulate_trajectories(circuit, Start(occupation=2.0), t, trajectories=2, step=0.05)
    purity = found.purity.values[:, 0]
    assert purity[0] == pytest.approx(0.2)
    assert np.all(np.diff(purity[:20]) > 0)
    assert purity[-1] == pytest.approx(1, abs=1e-6)
    # and one that is pure stays pure
    found = simulate_trajectories(circuit, Start(), t, trajectories=1, step=0.05)
    np.testing.assert_allclose(found.purity, 1, atol=1e-6)


@pytest.mark.parametrize("branch", ["inductor", "memristor"])
def test_with_the_mean_fed_back_trajectories_average_to_the_master_equation(branch):
    circuit = MemristorCircuit(**ODD, voltage=0.4, source_in=branch, strength=0.1)
    t, count = np.linspace(0, 6, 13), 3000
    found = simulate_trajectories(
        circuit, Start(1.5, 0.3), t, trajectories=count, step=0.02, seed=5
    )
    wanted = simulate_moments(circuit, Start(1.5, 0.3), t)
    np.testing.assert_allclose(found.mu, np.tile(wanted.mu, (count, 1)).T, atol=1e-7)
    for name in ("flux", "charge"):
        values = found[name].values
        # what the means must spread by is known: the average's variance less the conditional one
        spread = (wanted[f"var_{name}"] - found[f"var_{name}"][:, 0]).values
        assert np.all(spread[1:] > 0)
        error = np.abs(values.mean(axis=1) - wanted[name].values)
        assert np.all(error <= 5 * np.sqrt(spread.clip(0) / count) + 1e-7)
        # variances of a Gaussian: relative standard error √(2/count)
        ratio = values.var(axis=1)[1:] / spread[1:]
        assert np.all(np.abs(ratio - 1) < 5 * math.sqrt(2 / count) + 2e-3)
    both = np.einsum("ij,ij->i", found.flux.values, found.charge.values) / count
    product = both - found.flux.values.mean(axis=1) * found.charge.values.mean(axis=1)
    spread = (wanted.covariance - found.covariance[:, 0]).values
    size = np.sqrt(found.flux.values.var(axis=1) * found.charge.values.var(axis=1) + spread**2)
    assert np.all(np.abs(product - spread) <= 5 * size / math.sqrt(count) + 1e-3)


def filtered(circuit, start, record, dt, feedback, levels=24):
    """The density matrix along a record, by Gaussian measurement operators; ⟨φ⟩, ⟨q⟩, Tr ρ², μ.

    A reading r = ΔY/dt multiplies by exp(−2κ dt (q − r)²) from both sides: no stochastic calculus.
    """
    flux, charge = fock_operators(circuit, levels)
    values, vectors = np.linalg.eigh(charge)
    rho, mu = fock_start(circuit, start, levels), start.mu
    warmth = 2 * circuit.capacitance * circuit.temperature

    def commutator(op, x):
        return op @ x - x @ op

    def lossy(x):
        friction = -1j * commutator(flux, charge @ x + x @ charge)
        return friction - warmth * commutator(flux, commutator(flux, x))

    turn = np.exp(-1j * dt * circuit.frequency * np.arange(levels))
    for reading in np.diff(record, prepend=0.0) / dt:
        gamma = float(circuit.memristor.rate(mu))
        before = np.trace(charge @ rho).real
        rho = turn[:, None] * rho * turn.conj()
        once = lossy(rho)
        rho = rho + gamma * dt * once + (gamma * dt) ** 2 / 2 * lossy(once)
        kraus = (vectors * np.exp(-2 * circuit.strength * dt * (values - reading) ** 2)) @ (
            vectors.conj().T
        )
        rho = kraus @ rho @ kraus.conj().T
        rho /= np.trace(rho).real
        seen = reading if feedback == "record" else before
        mu += dt * float(circuit.memristor.slope(mu, circuit.across(seen, 0.0)))
    means = [np.trace(op @ rho).real for op in (flux, charge)]
    return np.array([*means, np.trace(rho @ rho).real, mu])


@pytest.mark.parametrize("feedback", ["record", "state"])
def test_a_trajectory_is_the_filter_of_its_own_record(feedback):
    circuit = MemristorCircuit(memristor=Memristor(0.05, 0.5, 1.0), temperature=0.3, strength=0.4)
    start = Start(0.6, 0.3, occupation=0.1)
    t = np.arange(1, 257) / 256
    found = simulate_trajectories(
        circuit, start, t, trajectories=2, feedback=feedback, step=1 / 256, seed=3
    )
    wanted = [float(found[x][-1, 1]) for x in ("flux", "charge", "purity", "mu")]
    record = found.record.values[:, 1]
    errors = [
        np.abs(filtered(circuit, start, record[k - 1 :: k], k / 256, feedback) - wanted).max()
        for k in (8, 4, 2, 1)
    ]
    # to first order in the filter's own step; by far the record's noise moved the state
    assert errors[-1] < 0.006
    assert errors[0] / errors[-1] > 4
    alone = simulate_moments(circuit, start, [1.0])
    assert abs(wanted[1] - float(alone.charge[0])) > 0.1


def test_feedback_of_each_ones_own_makes_a_difference_only_through_gamma():
    t = np.linspace(0, 5, 11)
    still = MemristorCircuit(memristor=Memristor(mobility=0.0), strength=0.02)
    runs = [
        simulate_trajectories(still, Start(), t, trajectories=5, feedback=way, step=0.02)
        for way in ("mean", "state", "record")
    ]
    for run in runs[1:]:
        np.testing.assert_allclose(run.charge, runs[0].charge, atol=1e-12)
    # a weak measurement has a noisy record, on which γ(μ) bends: mean of γ is not γ of the mean
    noisy = MemristorCircuit(strength=0.02)
    wanted = simulate_moments(noisy, Start(), t).charge
    count, gaps = 1000, {}
    for way in ("mean", "record"):
        run = simulate_trajectories(noisy, Start(), t, trajectories=count, feedback=way, step=0.02)
        error = run.charge.std("trajectory", ddof=1) / math.sqrt(count)
        gaps[way] = float((abs(run.charge.mean("trajectory") - wanted) / error)[1:].max())
    assert gaps["mean"] < 5 < 7 < gaps["record"]


def test_the_memory_of_a_record_diffuses_as_it_must():
    # f = mobility·V: μ − μ₀ is the record's integral over C
    circuit = MemristorCircuit(**ODD, strength=0.05)
    t = np.linspace(0, 4, 5)
    run = simulate_trajectories(
        circuit, Start(mu=0.3), t, trajectories=2000, feedback="record", step=0.05
    )
    np.testing.assert_allclose(run.mu, 0.3 + run.record / 1.4, atol=1e-12)
    mean = simulate_trajectories(circuit, Start(), t, trajectories=2000, step=0.05)
    # the record's noise W/√(8κ) beside what it says of q: at short times it is nearly all of it
    short = simulate_trajectories(circuit, Start(), [0.05], trajectories=2000, step=0.01)
    ratio = short.record.var().item() / (0.05 / (8 * 0.05))
    assert ratio == pytest.approx(1, abs=5 * math.sqrt(2 / 2000) + 0.02)
    exact = simulate_moments(circuit, Start(), np.linspace(0, 4, 401))
    integral = np.trapezoid(exact.charge, exact.time)
    error = mean.record[-1].std().item() / math.sqrt(2000)
    assert abs(mean.record[-1].mean().item() - integral) < 5 * error + 1e-4


def test_the_same_seed_gives_the_same_records():
    runs = [
        simulate_trajectories(MemristorCircuit(), Start(), [0.0, 1.0], trajectories=3, seed=seed)
        for seed in (1, 1, 2)
    ]
    assert runs[0].identical(runs[1])
    assert not runs[0].charge.equals(runs[2].charge)
    np.testing.assert_allclose(runs[0].charge[0], 2.0)


# --- loops -----------------------------------------------------------------------------------


def test_areas_of_known_curves():
    s = np.linspace(0, 2 * np.pi, 2001)
    assert loop_area(2 * np.cos(s), 3 * np.sin(s)) == pytest.approx(-6 * np.pi, rel=1e-5)
    assert loop_area([0, 0, 1, 1], [0, 1, 1, 0]) == 1.0
    # a figure of eight: lobes of ±4/3, together nothing
    s = np.linspace(-0.1, 2 * np.pi + 0.1, 4001)
    assert lobe_areas(np.sin(s), np.sin(2 * s)) == pytest.approx([4 / 3, -4 / 3], rel=1e-5)
    assert len(lobe_areas([1, 2, 3], [1, 2, 3])) == 0


def test_loops_of_the_default_memristor():
    t = np.linspace(0, 25, 1251)
    free = simulate_moments(MemristorCircuit(), Start(), t)
    areas = np.abs(lobe_areas(free.voltage, free.current))
    assert areas[0] > 0.1
    assert np.all(np.diff(areas) < 0)  # pinched, smaller from turn to turn as the charge decays
    assert float(free.current[np.argmin(np.abs(free.voltage.values))]) == pytest.approx(0, abs=1e-3)
    ohmic = simulate_moments(MemristorCircuit(memristor=STILL), Start(), t)
    np.testing.assert_allclose(lobe_areas(ohmic.voltage, ohmic.current), 0, atol=1e-12)
    # lines as the source grows: what is left of the curve after a straight fit, late in the run
    bends = []
    for source in (0.0, 0.5, 1.0, 2.0):
        run = simulate_moments(MemristorCircuit(voltage=source), Start(), t).isel(
            time=slice(100, None)
        )
        fit = np.polyfit(run.charge, run.current, 1)
        left = np.std(run.current - np.polyval(fit, run.charge))
        bends.append(float(left / run.current.std()))
    assert bends[0] > 0.2
    assert bends == sorted(bends, reverse=True)
    assert bends[-1] < 0.01


# --- bad input -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Memristor(low=-1), "low: wanted >= 0, got -1"),
        (lambda: Memristor(mobility=math.nan), "mobility: wanted a finite number, got nan"),
        (lambda: Memristor(damping=lambda mu: mu).rate(-2.0), "damping: wanted finite rates >= 0"),
        (lambda: MemristorCircuit(capacitance=0), "capacitance: wanted > 0, got 0"),
        (lambda: MemristorCircuit(temperature=-1), "temperature: wanted >= 0, got -1"),
        (lambda: MemristorCircuit(source_in="x"), "source_in: wanted inductor or memristor, got"),
        (lambda: MemristorCircuit(voltage="a"), "voltage: wanted a finite number, got 'a'"),
        (lambda: MemristorCircuit(voltage=lambda t: math.inf).source(1.0), "voltage: wanted a fin"),
        (lambda: Start(occupation=-0.1), "occupation: wanted >= 0, got -0.1"),
        (lambda: simulate_moments(MemristorCircuit(), Start(), []), r"times: wanted shape \(times"),
        (lambda: simulate_moments(MemristorCircuit(), Start(), [1, 0]), "times: wanted finite num"),
        (lambda: simulate_fock(MemristorCircuit(), Start(), [1], levels=1), "levels: wanted an"),
        (lambda: simulate_fock(MemristorCircuit(), Start(5), [1], levels=9), "levels: wanted eno"),
        (
            lambda: simulate_fock(MemristorCircuit(temperature=9), Start(1), [9], levels=12),
            "levels: wanted enough for a weight below 1e-06 in the last, got 12",
        ),
        (
            lambda: simulate_trajectories(MemristorCircuit(), Start(), [1], feedback="x"),
            "feedback: wanted one of mean, state, record, got 'x'",
        ),
        (
            lambda: simulate_trajectories(
                MemristorCircuit(memristor=Memristor(response=lambda m, v: v)), Start(), [1],
                feedback="record",
            ),
            "feedback: wanted mean or state with a response of one's own, got record",
        ),
        (
            lambda: simulate_trajectories(MemristorCircuit(strength=0), Start(), [1]),
            "strength: wanted a number > 0 to have a record, got 0",
        ),
        (
            lambda: simulate_trajectories(MemristorCircuit(), Start(), [1], trajectories=0),
            "trajectories: wanted an integer >= 1, got 0",
        ),
        (
            lambda: simulate_trajectories(MemristorCircuit(), Start(), [1], step=0),
            "step: wanted a finite number > 0, got 0",
        ),
        (
            lambda: positivity_strength(MemristorCircuit(memristor=Memristor(damping=np.cosh))),
            "gamma: wanted a number for a damping of one's own, got None",
        ),
        (lambda: loop_area([1, 2], [1]), r"x, y: wanted two of shape \(points,\)"),
    ],
)  # fmt: skip
def test_bad_arguments_are_named(call, words):
    with pytest.raises(MemristorError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)
