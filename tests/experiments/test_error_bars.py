"""Published error bars and corrected numbers, recomputed from seeded ensembles or by hand."""

import math
from functools import lru_cache
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import qbrain
from qbrain.backends.ideal import ideal_target
from qbrain.backends.sampling import TargetSampler
from qbrain.classical_feedback.estimator import confidence_band
from qbrain.classical_feedback.membrane import (
    GateReading,
    MembraneFeedback,
    SteadyFeedback,
    collision,
)
from qbrain.classical_feedback.orbit import integrate_between, integrate_orbit
from qbrain.classical_feedback.stimulation import SpinReading
from qbrain.classical_feedback.synapse import SynapticState
from qbrain.experiments.engine.chains import chain_of
from qbrain.experiments.engine.measures import hellinger_fidelity
from qbrain.experiments.engine.mitigation import Mitigator
from qbrain.experiments.engine.mitigation_rows import common_row
from qbrain.experiments.engine.points import Numbers, limit_at_no_noise
from qbrain.experiments.engine.readings import Heading, Reading, Role
from qbrain.experiments.hodgkin_huxley import result as neuron_result
from qbrain.experiments.lmg import result as lmg_result
from qbrain.experiments.lmg.brain import Brain
from qbrain.experiments.lmg.circuits import open_circuits
from qbrain.experiments.lmg.companions import mirror_circuit
from qbrain.experiments.lmg.config import LMGConfig
from qbrain.experiments.lmg.relaxation import integrated_controls, relaxed_controls
from qbrain.experiments.open_system import circuits as bath_circuits
from qbrain.experiments.open_system import result as bath_result
from qbrain.experiments.qlif import result as pair_result
from qbrain.experiments.qlif.config import QlifConfig
from qbrain.reference.lmg import Orbit

# so steep a curve and so slow a recovery that earlier noise is larger than a point's own
LOOP = {
    "neurons": 4, "gamma": 0.8, "g0": 4, "tau_r": 8, "tau_f": 4, "release": 0.6, "time": 12,
    "steps": 12, "encoding": "dicke", "backend": "statevector", "shots": 400, "seed": 3,
}  # fmt: skip


def drawn(orbit, phases, shots, rng):
    """E of so many shots at each phase."""
    chances = np.clip(orbit.populations(phases), 0, None)
    chances = chances / chances.sum(axis=1, keepdims=True)
    levels = np.arange(chances.shape[1]) / (chances.shape[1] - 1)
    return rng.multinomial(shots, chances) @ levels / shots


@lru_cache(maxsize=1)
def live():
    """A run whose points wait for each other, and 150 repetitions of it by exact E."""
    run = qbrain.run("lmg", **LOOP)
    brain = Brain(run.config)
    orbit, rng, count = Orbit(brain.model, brain.initial), np.random.default_rng(11), 150
    r, u, s = (np.full(count, x) for x in (brain.start.r, brain.start.utilisation, 0.0))
    readings, phases, before = [], [], None
    for k in range(len(brain.times)):
        energy = drawn(orbit, s, run.config.shots, rng)
        readings.append(energy)
        phases.append(s)
        trend = np.zeros(count) if before is None else (energy - before) / brain.dt
        r, u, ds = brain.synapse.advance(r, u, energy, trend, brain.dt)
        s, before = s + ds, energy
        assert len(readings) == k + 1
    # (times, of E r U s, repetitions): the trajectory of the law through each one's readings
    stderr = run.data.shot_stderr.values
    found = [
        integrate_between(
            brain.synapse, brain.start, brain.times, own, values, stderr, brain.width,
            replicas=0, frequencies=brain.frequencies,
        )
        for own, values in zip(np.transpose(phases), np.transpose(readings), strict=True)
    ]  # fmt: skip
    columns = [(b.excitation[:, 0], b.r[:, 0], b.utilisation[:, 0], b.phase[:, 0]) for b in found]
    return run.data, np.transpose(columns, (2, 1, 0))


def size(values):
    return float(np.sqrt(np.mean(np.square(values))))


def test_the_bands_of_a_live_run_are_the_scatter_of_its_repetitions():
    data, found = live()
    scatter = dict(zip(("excitation", "r", "U", "phase"), found.std(axis=2).T, strict=True))
    # a run's own band stands for its own trajectory: a quarter is what runs differ by
    for name, wanted in scatter.items():
        band = data[f"{name}_stderr"].values
        assert size(band) == pytest.approx(size(wanted), rel=0.25), name
        late = slice(len(band) // 2, None)
        assert size(band[late]) == pytest.approx(size(wanted[late]), rel=0.35), name
    # so that one band is not taken for another, and none for that of a point's shots alone
    assert size(scatter["r"]) > 1.5 * size(scatter["U"])
    # a fit to all points at once knows E better than one point does
    assert size(scatter["excitation"]) < 0.9 * size(data.shot_stderr.values)
    assert size(scatter["phase"]) > 2 * size(scatter["r"])


def test_the_bars_of_a_point_are_those_of_its_shots():
    data, _ = live()
    levels = data.excitations.values / data.excitations.values[-1]
    chances = data.populations.values
    mean = chances @ levels
    np.testing.assert_allclose(mean, data.measured_excitation, atol=1e-12)
    kept = np.rint(data.kept.values * LOOP["shots"])
    variance = chances @ levels**2 - mean**2
    # and one shot off by one neuron, which identical shots do not exclude
    floor = 1 / (LOOP["neurons"] * kept)
    wanted = np.sqrt(variance / kept + floor**2)
    np.testing.assert_allclose(data.shot_stderr, wanted, rtol=1e-9)


@pytest.mark.parametrize(
    ("settings", "method"),
    [
        ({"evolution": "fast-forward", "dispatch": "afterwards"}, integrate_between),
        pytest.param({"evolution": "orbit"}, integrate_orbit, marks=pytest.mark.slow),
    ],
    ids=["one job", "orbit"],
)
def test_the_bands_of_one_job_are_the_scatter_of_its_repetitions(settings, method):
    loop = {"time": 20, "steps": 20, "tau_r": 4, "shots": 200}
    run = qbrain.run("lmg", **{**LOOP, **loop, **settings})
    brain, data = Brain(run.config), run.data
    phases = np.array([control.phase for control in brain.planned])
    np.testing.assert_allclose(phases, data.grid_phase, atol=1e-12)
    orbit, rng = Orbit(brain.model, brain.initial), np.random.default_rng(5)
    loop = (brain.synapse, brain.start, brain.times, phases)
    found = []
    more = {"frequencies": brain.frequencies} if method is integrate_between else {}
    for _ in range(40):
        band = method(
            *loop, drawn(orbit, phases, 200, rng), data.grid_stderr.values, brain.width,
            replicas=0, **more,
        )  # fmt: skip
        columns = (band.excitation, band.r, band.utilisation, band.phase)
        found.append([column[:, 0] for column in columns])
    scatter = np.std(found, axis=0)
    for name, wanted in zip(("excitation", "r", "U", "phase"), scatter, strict=True):
        assert size(data[f"{name}_stderr"].values) == pytest.approx(size(wanted), rel=0.25), name
    assert size(scatter[1]) > 1.5 * size(scatter[2])


# ---------------------------------------------------------------------------------------- coverage

# of a normal error: 95 % of it lies within 1.959964 standard errors
ERRORS = np.array([0.0, 1.9, -1.95, 1.97, -2.5, 3.0, 0.5, -3.9, 5.0, -1.0])
WITHIN = 0.5


def along_time(**columns):
    return xr.Dataset({name: ("time", np.asarray(x, dtype=float)) for name, x in columns.items()})


def test_coverage_counts_what_lies_within_1_96_standard_errors():
    bar, exact = np.full(10, 0.02), np.linspace(0, 1, 10)
    value = exact + bar * ERRORS
    row = common_row(value, bar, exact)
    assert row["coverage"] == WITHIN
    assert row["rmse"] == pytest.approx(0.02 * size(ERRORS), rel=1e-12)
    assert row["max_error"] == pytest.approx(0.1, rel=1e-12)
    brain = along_time(
        excitation=value, exact_excitation=exact, excitation_stderr=bar, raw_excitation=exact,
        shot_stderr=bar / 2,
    )  # fmt: skip
    found = lmg_result._fit(brain)
    assert (found.coverage, found.rmse, found.rmse_raw) == (WITHIN, pytest.approx(row["rmse"]), 0)
    assert found.shot_error == pytest.approx(0.01)
    bath = along_time(m_z=value, exact_m_z=exact, m_z_stderr=bar, raw_m_z=exact + 0.1)
    found = bath_result._fit(bath)
    assert (found.coverage, found.shot_error) == (WITHIN, pytest.approx(0.02))
    assert found.rmse_raw == pytest.approx(0.1)
    neuron = along_time(
        voltage=value, exact_voltage=exact, band_low=exact - 1.96 * bar,
        band_high=exact + 1.96 * bar, shot_error=bar,
    )  # fmt: skip
    assert neuron_result._fit(neuron).coverage == WITHIN


def test_coverage_of_parities_counts_the_same(monkeypatch):
    bar, exact = np.full(10, 0.02), np.linspace(-0.5, 0.5, 10)
    parities = (exact + bar * ERRORS, exact, bar)
    monkeypatch.setattr(pair_result, "parity_points", lambda *_: parities)
    found = pair_result._fit(QlifConfig(), SimpleNamespace(rasters=None), None, None)
    assert found.coverage == WITHIN
    assert (found.rmse, found.shot_error) == pytest.approx((0.02 * size(ERRORS), 0.02))


def test_gates_outside_their_bars_are_counted():
    bar = np.full((10, 1), 0.02)
    exact = np.full((10, 1), 0.3)
    data = xr.Dataset(
        {
            "values": (("time", "variable"), exact + bar * ERRORS[:, None]),
            "exact_values": (("time", "variable"), exact),
            "raw_values": (("time", "variable"), exact + 0.1),
            "values_stderr": (("time", "variable"), bar),
        },
        coords={"variable": ["n"]},
    )
    (row,) = neuron_result._gate_rows(data)
    assert row["outside"] == 1 - WITHIN
    assert row["rmse"] == pytest.approx(0.02 * size(ERRORS))
    assert row["raw"] == pytest.approx(0.1)


def test_the_band_of_a_neuron_holds_95_of_100_repetitions():
    config = qbrain.experiments.hodgkin_huxley.config.HodgkinHuxleyConfig(
        time=6, steps=12, window=1, shots=3000, seed=1
    )
    model = qbrain.experiments.hodgkin_huxley.model.NeuronModel(config)
    band = neuron_result._band(model, model.repeated(400, 3000, 1))
    other = model.repeated(1000, 3000, 2)
    low, high = band["band_low"][1], band["band_high"][1]
    inside = np.mean((other.voltage >= low) & (other.voltage <= high))
    assert inside == pytest.approx(0.95, abs=0.02)
    values = np.mean(
        (other.values >= band["values_band_low"][1]) & (other.values <= band["values_band_high"][1])
    )
    # readings are whole counts, of which the ends themselves are inside
    assert values == pytest.approx(0.955, abs=0.025)
    np.testing.assert_allclose(band["band_stderr"][1], other.voltage.std(axis=0), rtol=0.2)
    alone = other.voltage - model.noiseless().voltage
    np.testing.assert_allclose(
        band["shot_error"][1], np.sqrt(np.mean(alone**2, axis=0)), rtol=0.25, atol=1e-9
    )


# --------------------------------------------------------------------------------- measures by hand


def test_hellinger_fidelity_is_the_square_of_the_overlap():
    p = np.array([[1.0, 0.0], [0.36, 0.64]])
    q = np.array([[0.25, 0.75], [0.64, 0.36]])
    # (√0.25)² and (2 · 0.48)²
    assert hellinger_fidelity(p, q) == pytest.approx((0.25 + 0.9216) / 2, rel=1e-12)
    assert hellinger_fidelity(3 * p, q) == pytest.approx((0.25 + 0.9216) / 2, rel=1e-12)
    negative = np.array([[1.0, -0.2]])
    assert hellinger_fidelity(negative, np.array([[0.5, 0.5]])) == pytest.approx(0.5)


@given(
    fine=st.floats(-1, 1), coarse=st.floats(-1, 1),
    first=st.floats(1e-3, 0.5), second=st.floats(1e-3, 0.5),
)  # fmt: skip
def test_an_extrapolation_of_collisions_doubles_the_error_of_the_finer_one(
    fine, coarse, first, second
):
    none = np.zeros(2)
    one = SpinReading(fine, first, fine + 0.1, 2 * first, none, none, 100)
    other = SpinReading(coarse, second, coarse + 0.2, 3 * second, none, none, 100)
    found = bath_circuits._extrapolated(one, other)
    assert found.value == pytest.approx(2 * fine - coarse)
    assert found.raw_value == pytest.approx(2 * (fine + 0.1) - (coarse + 0.2))
    assert found.stderr == pytest.approx(math.sqrt(4 * first**2 + second**2))
    assert found.raw_stderr == pytest.approx(math.sqrt(16 * first**2 + 9 * second**2))
    assert found.shots == 200


def test_an_extrapolation_starts_from_the_noise_that_was_made():
    """Asked for 1.5 times the gates, folding of whole gates makes 28 of 20: 1.4 times."""
    decay, true = 0.015, 0.7
    gates = [20, 28, 44]
    numbers = [
        Numbers(np.array(true * math.exp(-decay * n)), np.array(1e-5), float(n)) for n in gates
    ]
    found = limit_at_no_noise(numbers, asymptote=0.0, bounds=(-1.0, 1.0))
    assert float(found.value) == pytest.approx(true, abs=2e-5)


def counted(p, role, gates):
    shots = 10**7
    counts = {x: round(shots * w) for x, w in enumerate(p) if round(shots * w)}
    heading = Heading(role, tuple(range(4)), gates, 0, {"method": "none", "checks": []}, None)
    return Reading(heading, counts)


def test_populations_are_extrapolated_by_the_noise_that_was_made():
    """Of an even state depolarised by 20, 28 and 44 gates, where 30 and 40 were asked for."""
    state = np.zeros(16)
    state[[0, 15]] = 0.8, 0.2
    rows = [
        counted((1 - 0.01 * n) * state + 0.01 * n / 16, Role(scale=scale), n)
        for scale, n in ((1.0, 20), (1.5, 28), (2.0, 44))
    ]
    found = Mitigator(4, chain_of("zne")).estimate(rows)
    # linear in the gates, as the depolarised share is here
    np.testing.assert_allclose(found.populations, [0.8, 0, 0, 0, 0.2], atol=2e-5)
    assert found.value == pytest.approx(0.2, abs=5e-3)


def test_an_echo_is_read_by_its_own_parity():
    """An odd run's echo ends in |0…0⟩, which is even: after parity the odd shots are noise."""
    ones = np.array([x.bit_count() for x in range(16)])
    state = np.where(ones == 1, 0.25, 0.0)
    points = [counted(0.7 * state + 0.3 / 16, Role(), 30)]
    echoes = []
    for number, gates in enumerate((10, 20, 30)):
        left = math.exp(-gates * -math.log(0.7) / 30)
        p = left * np.eye(16)[0] + (1 - left) / 16
        reading = counted(p, Role("echo", number=number), gates)
        heading = Heading(reading.role, reading.order, gates, 0, reading.heading.check, 0.0)
        echoes.append(Reading(heading, reading.counts))
    made = Mitigator(4, chain_of("parity+echo", ("parity", "echo")), parity=1)
    made.calibrate(echoes)
    found = made.estimate(points)
    # the signal of an echo after its parity is that of the point after its own
    assert found.value == pytest.approx(0.25, abs=2e-3)
    assert found.kept == pytest.approx(0.7 + 0.15, abs=1e-6)


@pytest.mark.parametrize(("neurons", "initial"), [(4, 2), (6, "half"), (10, 2), (12, 1)])
def test_an_echo_ends_in_a_code_that_stands_for_a_state(neurons, initial):
    config = LMGConfig(
        neurons=neurons, gamma=0.8, encoding="dicke", initial=initial, time=2, steps=2
    )
    brain = Brain(config)
    source = open_circuits(config, brain.model, brain.initial, ideal_target(3))
    table = source.table()
    # of ten and twelve neurons |0…0⟩ stands for none
    assert (table[0] < 0) == (neurons >= 10)
    prepared = source.prepare(brain.schedule_to(2, brain.planned), "echo")
    mirrored = mirror_circuit(prepared, ideal_target(prepared.isa.num_qubits), table)
    word = int(np.argmax(np.abs(mirrored.expected)))
    assert table[word] >= 0
    assert mirrored.exact == pytest.approx(table[word] / neurons)


# ------------------------------------------------------------------------------- loops and resuming


def test_a_membrane_takes_current_and_rates_of_the_middle_of_its_step():
    def rates(voltage):
        return 0.1 + 0.01 * voltage, 0.2 + 0 * voltage

    # a voltage that is the time itself tells at which time it was asked for
    steady = SteadyFeedback(rates, lambda _, time: np.asarray(time), floor=1e-3)
    reading = GateReading(np.array([0.4]), np.zeros(1), np.zeros(1), np.zeros(1))
    control = steady.start()
    for step in (0.3, 0.5):
        after = steady(control, [reading], step)
        wanted = collision(*rates(np.array(control.time + step / 2)), step)
        np.testing.assert_allclose(after.angles[0], wanted[0], rtol=1e-12)
        np.testing.assert_allclose(after.openings[0], wanted[1], rtol=1e-12)
        assert after.time == pytest.approx(control.time + step)
        control = after
    assert float(steady.voltage(control, reading)) == pytest.approx(0.8)


def test_a_membrane_without_channels_integrates_its_current():
    def rates(voltage):
        return 0.1 + 0.001 * voltage, 0.2 + 0 * voltage

    # I = 3 + 4t on 2 µF/cm²: the midpoint is exact for a current that is linear in time
    law = MembraneFeedback(
        rates=[rates], powers=[[1]], conductances=[0.0], reversals=[0.0], leak=(1e-6, 0.0),
        capacitance=2.0, current=lambda t: 3 + 4 * t, voltage=1.0,
    )  # fmt: skip
    reading = GateReading(np.array([0.4]), np.zeros(1), np.array([0.4]), np.zeros(1))
    control, time = law.start(), 0.0
    for step in (0.2, 0.5):
        half = float(control.voltage) + (3 + 4 * (time + step / 4)) * (step / 2) / 2
        control = law(control, [reading], step)
        time += step
        wanted = 1 + (3 * time + 2 * time**2) / 2
        assert float(control.voltage) == pytest.approx(wanted, rel=2e-6)
        angle, opening = collision(*rates(np.array(half)), step)
        np.testing.assert_allclose(
            (control.angles[0], control.openings[0]), (angle, opening), rtol=2e-6
        )


def test_circuits_of_a_step_have_seeds_of_their_own(monkeypatch):
    """Every circuit of a step is told apart, and two of the same make different counts."""
    seen = []
    sample = TargetSampler.run

    def spy(self, pubs, **options):
        pubs = list(pubs)
        seen.append([dict(circuit.metadata) for circuit in pubs])
        return sample(self, pubs, **options)

    monkeypatch.setattr(TargetSampler, "run", spy)
    run = qbrain.run(
        "hodgkin-huxley", channel="full", drive="constant", time=0.2, steps=2, window=1, seed=1,
        shots=1000,
    )  # fmt: skip
    assert [len(job) for job in seen] == [3, 3, 3]
    for step, job in enumerate(seen):
        assert [each["step"] for each in job] == [step] * 3
        assert [each["stream"] for each in job] == [0, 1, 2]
    # gates of one probability read by the same seed would have the same counts
    assert run.data.sizes["variable"] == 3


@pytest.mark.parametrize("lost", [pytest.param(1, marks=pytest.mark.slow), 3])
def test_an_incremental_run_goes_on_from_the_state_it_had(lost, tmp_path):
    settings = {
        "neurons": 2, "gamma": 0.8, "time": 4, "steps": 4, "shots": 500, "seed": 2,
        "backend": "statevector", "evolution": "incremental",
    }  # fmt: skip
    whole = qbrain.run("lmg", **settings, out=tmp_path / "whole")
    qbrain.run("lmg", **settings, out=tmp_path / "cut")
    journal = tmp_path / "cut/steps.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:-lost]))
    for name in ("result.json", "result.nc"):
        (tmp_path / "cut" / name).unlink()
    again = qbrain.resume(tmp_path / "cut")
    for name in ("excitation", "raw_excitation", "r", "phase", "counts_shots", "counts_outcome"):
        np.testing.assert_array_equal(again.data[name], whole.data[name], err_msg=name)


def test_a_relaxation_agrees_only_with_its_own_feedback():
    config = LMGConfig(
        neurons=4, gamma=0.8, tau_r=2, evolution="relax", encoding="dicke", time=8, steps=8, seed=1
    )
    brain = Brain(config)
    values = brain.exact.excitation.values
    own = integrated_controls(brain, values.tolist())

    def points(controls, stderr):
        estimate = [SimpleNamespace(value=float(x), stderr=stderr) for x in values]
        return [
            SimpleNamespace(control=c, estimate=e) for c, e in zip(controls, estimate, strict=True)
        ]

    def shifted(by):
        return [
            SynapticState(c.r + by * (k == 5), c.utilisation, c.phase) for k, c in enumerate(own)
        ]

    after, agreed = relaxed_controls(brain, points(own, 0.01))
    assert agreed
    assert [c.r for c in after] == [c.r for c in own]
    # r at one time by less than four of its standard errors, by more, and by the floor of 0.001
    r_error = confidence_band(
        brain.synapse, brain.start, brain.times, values, np.full(9, 0.01), np.zeros(9), seed=1
    ).r[5]
    assert r_error > 1e-3
    assert relaxed_controls(brain, points(shifted(3.9 * r_error), 0.01))[1]
    assert not relaxed_controls(brain, points(shifted(4.1 * r_error), 0.01))[1]
    assert not relaxed_controls(brain, points(shifted(-4.1 * r_error), 0.01))[1]
    assert relaxed_controls(brain, points(shifted(9e-4), 1e-9))[1]
    assert not relaxed_controls(brain, points(shifted(1.1e-3), 1e-9))[1]


def test_a_relaxation_that_disagrees_runs_another_round():
    # far from what the first round foresees: few steps, slow recovery, many shots
    run = qbrain.run(
        "lmg", neurons=4, gamma=0.8, tau_r=3, time=20, steps=4, encoding="dicke",
        evolution="relax", backend="statevector", shots=10000, seed=1,
    )  # fmt: skip
    assert run.result["rounds"] >= 2
