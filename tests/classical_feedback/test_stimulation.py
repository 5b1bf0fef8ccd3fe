"""The stimulus as a control: rates that remember, laws and their limits, spins from counts."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit.primitives import StatevectorSampler

from qbrain.circuits.open_system import collision_circuit
from qbrain.classical_feedback.estimator import EstimateError
from qbrain.classical_feedback.loop import hybrid_loop
from qbrain.classical_feedback.stimulation import (
    Homeostasis,
    LinearRates,
    OpenLoop,
    SpinEstimator,
    SpinReading,
    StepRates,
)
from qbrain.classical_feedback.synapse import FeedbackError
from qbrain.reference.open_system.bath_coefficients import (
    Bath,
    PiecewiseStimulus,
    Pulse,
    inverse_temperature,
    step_integrals,
)
from qbrain.reference.open_system.collision_model import collision_spins, collision_states

HOT = Bath(3.5, occupation="boltzmann", beta=inverse_temperature(300, 2000))
COLD = Bath(3.5)


def reading(value):
    empty = np.zeros(0)
    return SpinReading(np.asarray(value, dtype=float), 0.0, value, 0.0, empty, empty, 1)


def answers(bath, edges):
    """The four matrices of :class:`LinearRates`, of pulses of one step each."""
    columns = [
        step_integrals(bath, Pulse(start, stop, 1.0), edges)
        for start, stop in itertools.pairwise(edges)
    ]
    names = ("kappa", "kappa_tilde", "lambda_", "lambda_tilde")
    found = [np.stack([getattr(column, name) for column in columns], axis=1) for name in names]
    return [np.tril(matrix) for matrix in found]


EDGES = np.linspace(0.5, 3.5, 13)
TABLES = {name: answers(bath, EDGES) for name, bath in (("cold", COLD), ("hot", HOT))}


def memoryless(step, floor=0.0):
    """Emission η, and absorption at a fixed rate."""

    def rates(etas, k):
        eta = etas[..., k]
        return StepRates(eta * step, 0 * eta + floor * step, 0 * eta, 0 * eta)

    return rates


def run(law, plant, count, step, shape=()):
    """Controls of a closed loop, in which ``plant`` takes m over a step with its control."""
    control, controls = law.start(shape), []
    value = np.broadcast_to(plant.start, shape).astype(float)
    values = [value]
    for _ in range(count):
        control = law(control, [reading(value)], step)
        value = plant(value, control)
        controls.append(control)
        values.append(value)
    return controls, np.array(values)


class Neuron:
    """One neuron: collisions with |0⟩ and then with |1⟩ in every step."""

    def __init__(self, start):
        self.start = start

    def __call__(self, m, control):
        # to rounding, by which a rate that is held at 0 may be below it
        down, up = (np.sqrt(x + 1e-15) for x in (control.emission, control.absorption))
        m = (m + 1) * np.cos(down) ** 2 - 1
        return 1 - (1 - m) * np.cos(up) ** 2


# ------------------------------------------------------------------------------ rates


class TestRates:
    @settings(max_examples=10, deadline=None)
    @given(
        st.lists(st.floats(-1, 1), min_size=12, max_size=12),
        st.sampled_from([("cold", COLD), ("hot", HOT)]),
    )
    def test_they_are_those_of_the_whole_stimulus(self, etas, which):
        """κ is linear in η: the sum over pulses of one step is the stimulus of all steps."""
        name, bath = which
        pulses = [
            Pulse(start, stop, eta)
            for (start, stop), eta in zip(itertools.pairwise(EDGES), etas, strict=True)
        ]
        wanted = step_integrals(bath, PiecewiseStimulus(pulses), EDGES)
        rates = LinearRates(*TABLES[name])
        assert rates.steps == 12
        found = [rates(np.array(etas[: k + 1]), k) for k in range(12)]
        for field, other in (
            ("emission", "kappa"),
            ("absorption", "kappa_tilde"),
            ("shifts", "lambda_"),
            ("shifts_tilde", "lambda_tilde"),
        ):
            row = [float(getattr(each, field)) for each in found]
            np.testing.assert_allclose(row, getattr(wanted, other), rtol=0, atol=1e-11)

    def test_what_is_not_given_is_zero(self):
        rates = LinearRates([[2.0, 0.0], [1.0, 3.0]])
        found = rates(np.array([[0.5, 1.0], [0.0, 2.0]]), 1)
        assert found.emission == pytest.approx([3.5, 6.0])
        assert found.absorption == pytest.approx([0, 0])

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (([1.0, 2.0],), r"emission: wanted shape \(K, K\), got \(2,\)"),
            (([[1.0]], np.eye(2)), r"absorption: wanted shape \(1, 1\), got \(2, 2\)"),
            (([[math.nan]],), "emission: wanted finite numbers, got nan or inf"),
            (("x",), "emission: wanted numbers, got 'x'"),
            (([[1, 0.5], [0, 1]],), "emission: wanted no answer in step 0 to .* step 1, got 0.5"),
        ],
    )
    def test_bad_matrices(self, arguments, message):
        with pytest.raises(FeedbackError, match=message):
            LinearRates(*arguments)

    def test_a_step_past_the_last(self):
        with pytest.raises(FeedbackError, match="step: wanted a number from 0 to 1, got 2"):
            LinearRates(np.eye(2))(np.zeros(3), 2)


# ------------------------------------------------------------------------------ laws


class TestOpenLoop:
    def test_it_does_what_it_was_told(self):
        etas = np.array([0.0, 0.8, 0.8, -0.4, 0.0])
        table = [matrix[:5, :5] for matrix in TABLES["hot"]]
        law = OpenLoop(etas, LinearRates(*table))
        for k, control in enumerate(_steps(law, 5)):
            assert control.time == pytest.approx(0.25 * (k + 1))
            assert control.eta == control.wanted == etas[k]
            assert control.etas[: k + 1] == pytest.approx(etas[: k + 1])
            assert np.isnan(control.etas[k + 1 :]).all()
            assert control.emission == pytest.approx(table[0][k] @ etas, abs=1e-15)
            assert control.shifts_tilde == pytest.approx(table[3][k] @ etas, abs=1e-15)

    def test_repetitions(self):
        etas = np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]])
        law = OpenLoop(etas, memoryless(0.5))
        first, second = _steps(law, 2)
        assert first.eta == pytest.approx(etas[:, 0])
        assert second.emission == pytest.approx(etas[:, 1] / 2)

    def test_the_end_and_bad_etas(self):
        law = OpenLoop([0.1, 0.2], memoryless(1.0))
        with pytest.raises(FeedbackError, match="steps: wanted at most 2, got one more"):
            _steps(law, 3)
        with pytest.raises(FeedbackError, match="etas: wanted finite numbers"):
            OpenLoop([0.1, math.inf], memoryless(1.0))
        with pytest.raises(FeedbackError, match=r"etas: wanted one a step, got 0\.3"):
            OpenLoop(0.3, memoryless(1.0))


def _steps(law, count):
    control, found = law.start(), []
    for _ in range(count):
        control = law(control, [reading(0.0)], 0.25)
        found.append(control)
    return found


OPTIONS = {"target": -0.2, "gain": 2.0, "integral_gain": 0.5, "rest": 0.3}


class TestHomeostasis:
    def test_proportional_and_integral(self):
        law = Homeostasis(memoryless(0.1), 3, **OPTIONS)
        first = law(law.start(), [reading(-0.1)], 0.1)
        assert first.eta == pytest.approx(0.3 + 2 * 0.1 + 0.5 * 0.01)
        second = law(first, [reading(-0.1), reading(-0.25)], 0.2)
        assert second.integral == pytest.approx(0.01 - 0.01)
        assert second.eta == pytest.approx(0.3 - 2 * 0.05)
        assert second.time == pytest.approx(0.3)
        assert second.emission == pytest.approx(0.02)

    @settings(max_examples=60)
    @given(
        st.lists(st.floats(-1.2, 1.2), min_size=6, max_size=6),
        st.floats(-5, 5),
        st.floats(-5, 5),
        st.tuples(st.floats(0, 0.5), st.floats(0, 1)).map(lambda x: (x[0], x[0] + x[1])),
    )
    def test_whatever_is_read_the_limits_hold_and_nothing_winds_up(
        self, values, gain, integral_gain, limits
    ):
        options = {"target": 0.1, "gain": gain, "integral_gain": integral_gain, "rest": 0.2}
        law = Homeostasis(memoryless(0.3), 6, limits=limits, **options)
        control = law.start()
        for value in values:
            before, control = control, law(control, [reading(value)], 0.3)
            assert limits[0] <= control.eta <= limits[1]
            error = value - 0.1
            change = control.integral - before.integral
            # never further than the error takes it, nor the other way
            assert abs(change) <= abs(error) * 0.3 + 1e-12
            assert change * error >= 0
            unbounded = 0.2 + gain * error + integral_gain * (before.integral + error * 0.3)
            if limits[0] <= unbounded <= limits[1]:
                assert control.eta == pytest.approx(unbounded, abs=1e-9)
                assert change == pytest.approx(error * 0.3, abs=1e-12)
            else:
                assert control.eta == pytest.approx(np.clip(unbounded, *limits), abs=1e-9)

    def test_a_long_time_at_a_limit_is_forgotten_at_once(self):
        law = Homeostasis(memoryless(0.1), 60, target=0.0, gain=0.0, integral_gain=1.0)
        control = law.start()
        for _ in range(50):
            control = law(control, [reading(0.9)], 0.1)
        assert control.eta == 1
        assert control.integral == pytest.approx(1)  # and not 4.5
        control = law(control, [reading(-0.5)], 0.1)
        assert control.eta == pytest.approx(0.95)

    def test_the_integral_leaves_no_offset(self):
        """Absorption at 0.05 pulls m up; only the integral finds the η that balances it."""
        rates = memoryless(0.2, floor=0.05)
        ends = []
        for integral_gain in (0.0, 0.3):
            law = Homeostasis(rates, 400, target=-0.3, gain=0.5, integral_gain=integral_gain)
            controls, values = run(law, Neuron(1.0), 400, 0.2)
            ends.append(values[-1] + 0.3)
        assert ends[0] > 0.1
        assert abs(ends[1]) < 1e-6
        # m = (κ̃ − κ)/(κ̃ + κ) of one neuron, but for the length of a step
        assert controls[-1].eta == pytest.approx(0.05 * 1.3 / 0.7, rel=0.02)

    def test_repetitions_run_beside_each_other(self):
        rates = LinearRates(*TABLES["hot"])
        law = Homeostasis(rates, 12, **OPTIONS)
        starts = np.array([-1.0, -0.3, 0.2, 0.9])
        together, values = run(law, Neuron(starts), 12, 0.25, (4,))
        for place, start in enumerate(starts):
            alone, own = run(law, Neuron(start), 12, 0.25)
            assert own == pytest.approx(values[:, place], abs=1e-14)
            for one, many in zip(alone, together, strict=True):
                for field in dataclasses.fields(one):
                    found = np.asarray(getattr(many, field.name))
                    mine = found if found.ndim == 0 else found[place]
                    np.testing.assert_allclose(getattr(one, field.name), mine, atol=1e-14)

    def test_controls_keep_their_shapes(self):
        law = Homeostasis(memoryless(0.3), 4, **OPTIONS)
        control = start = law.start((3,))
        for _ in range(4):
            control = law(control, [reading(np.zeros(3))], 0.3)
            for field in dataclasses.fields(start):
                before, after = getattr(start, field.name), getattr(control, field.name)
                assert np.shape(before) == np.shape(after)
                assert type(before) is type(after)
        with pytest.raises(FeedbackError, match="steps: wanted at most 4, got one more"):
            law(control, [reading(np.zeros(3))], 0.3)


class TestKeepingRatesPositive:
    """A bath rings on: what is read falls below the target, and the stimulus would end at once."""

    VALUES = (0.9, 0.9, 0.9, *[-0.9] * 9)

    def controls(self, name, **options):
        law = Homeostasis(LinearRates(*TABLES[name]), 12, target=0.0, gain=5.0, **options)
        control, found = law.start(), []
        for value in self.VALUES:
            control = law(control, [reading(value)], 0.25)
            found.append(control)
        return found

    @pytest.mark.parametrize("name", ["cold", "hot"])
    def test_a_stimulus_that_ends_at_once_makes_a_negative_rate(self, name):
        plain = self.controls(name, keep_positive=False)
        assert [float(c.eta) for c in plain] == [1, 1, 1, *[0] * 9]
        assert min(float(c.emission) for c in plain) < -1e-3
        kept = self.controls(name)
        assert all(c.emission > -1e-15 and c.absorption > -1e-15 for c in kept)
        assert all(0 <= c.eta <= 1 for c in kept)
        # no more than is needed: where η was raised a rate is 0
        raised = [c for c in kept[3:] if c.eta > 0]
        assert 0 < len(raised) < 9
        for control in raised:
            assert min(control.emission, control.absorption) == pytest.approx(0, abs=1e-14)

    def test_the_largest_stimulus_stays_the_largest(self):
        def sinking(etas, k):
            return StepRates(0.1 * etas[..., k] - 1, *[0 * etas[..., k]] * 3)

        law = Homeostasis(sinking, 2, target=0.0, gain=0.0, limits=(0.0, 0.7))
        assert law(law.start(), [reading(0.0)], 0.1).eta == pytest.approx(0.7)

    def test_a_loop_on_a_hot_bath_comes_to_its_target(self):
        """From all silent: heat raises m, until the stimulus is taken back."""
        edges = np.linspace(0, 12, 97)
        law = Homeostasis(LinearRates(*_hot_answers(edges)), 96, target=-0.6, gain=-0.4)
        controls, values = run(law, Neuron(-1.0), 96, 0.125)
        assert all(c.emission > -1e-15 and c.absorption > -1e-15 for c in controls)
        # past it by what the bath remembers, and no further: heat does not take m down again
        assert values[-1] == pytest.approx(-0.6, abs=0.05)
        assert np.ptp(values[-20:]) < 0.005
        _, free = run(OpenLoop([0.16] * 96, LinearRates(*_hot_answers(edges))), Neuron(-1.0), 96, 1)
        assert free[-1] > -0.4  # as it is with the same stimulus at every step


def _hot_answers(edges):
    """Of steps of one length: the answer depends on the delay alone."""
    first = step_integrals(HOT, Pulse(edges[0], edges[1], 1.0), edges)
    delays = np.subtract.outer(np.arange(len(edges) - 1), np.arange(len(edges) - 1))
    rows = (first.kappa, first.kappa_tilde)
    return [np.where(delays >= 0, row[np.maximum(delays, 0)], 0.0) for row in rows]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps: wanted an integer >= 1, got 0"),
        ({"target": 1.5}, "target: wanted a number from -1 to 1, got 1.5"),
        ({"gain": math.nan}, "gain: wanted finite numbers, got nan or inf"),
        ({"integral_gain": [1.0]}, r"integral_gain: wanted a number, got \[1.0\]"),
        ({"rest": "low"}, "rest: wanted numbers, got 'low'"),
        ({"limits": (-0.1, 1)}, r"limits: wanted 0 <= least <= largest, got \(-0.1, 1\)"),
        ({"limits": (0.5, 0.1)}, "limits: wanted 0 <= least <= largest"),
        ({"limits": 1.0}, "limits: wanted 0 <= least <= largest, got 1.0"),
    ],
)
def test_bad_homeostats_are_refused_in_one_line(options, message):
    given_options = {"steps": 3, **OPTIONS, **options}
    with pytest.raises(FeedbackError, match=message) as caught:
        Homeostasis(memoryless(0.1), **given_options)
    assert "\n" not in str(caught.value)


# ------------------------------------------------------------------------------ spins from counts


def confused(distribution, wrong):
    """Distribution over outcomes after errors of reading, bit by bit."""
    for bit, (a, b) in enumerate(wrong):
        matrix = np.array([[1 - a, b], [a, 1 - b]])
        tensor = distribution.reshape(-1, 2, 2**bit)
        distribution = np.einsum("st,itj->isj", matrix, tensor).reshape(-1)
    return distribution


class TestSpins:
    @given(st.dictionaries(st.integers(0, 15), st.integers(1, 50), min_size=1))
    def test_the_mean_spin_of_shots(self, counts):
        found = SpinEstimator(4)(counts)
        shots = sum(counts.values())
        sums = [sum(2 * (word >> bit & 1) - 1 for bit in range(4)) for word in counts]
        assert found.value == pytest.approx(np.dot(sums, list(counts.values())) / shots / 4)
        assert found.value == pytest.approx(found.populations @ (np.arange(5) / 2 - 1))
        assert (found.raw_value, found.shots) == (found.value, shots)

    def test_what_neurons_have_in_common_is_in_the_error(self):
        """All three up or all three down: one coin a shot, and not three."""
        found = SpinEstimator(3)({0: 500, 7: 500})
        assert found.value == 0
        assert found.stderr == pytest.approx(1 / math.sqrt(1000), rel=1e-3)
        alike = SpinEstimator(3)(dict.fromkeys(range(8), 125))
        assert alike.stderr == pytest.approx(1 / math.sqrt(3000), rel=1e-3)
        assert found.populations == pytest.approx([0.5, 0, 0, 0.5])

    def test_errors_of_reading_are_undone(self):
        random = np.random.default_rng(2)
        wrong = np.array([[0.02, 0.06], [0.01, 0.03], [0.05, 0.1]])
        true = random.dirichlet(np.ones(8))
        seen = confused(true, wrong)
        found = SpinEstimator(3, wrong)({word: round(p * 1e9) for word, p in enumerate(seen)})
        ones = np.array([word.bit_count() for word in range(8)])
        assert found.value == pytest.approx(2 * true @ ones / 3 - 1, abs=1e-7)
        assert found.populations == pytest.approx(np.bincount(ones, true), abs=1e-7)
        assert abs(found.raw_value - found.value) > 0.01
        assert found.stderr > found.raw_stderr

    def test_errors_are_those_of_many_samples(self):
        random = np.random.default_rng(5)
        wrong = np.array([[0.03, 0.08], [0.02, 0.05]])
        true = np.array([0.4, 0.05, 0.15, 0.4])
        seen = confused(true, wrong)
        estimator = SpinEstimator(2, wrong)
        samples = random.multinomial(2000, seen, size=400)
        found = [estimator(dict(enumerate(map(int, sample)))) for sample in samples]
        values = np.array([each.value for each in found])
        error = np.mean([each.stderr for each in found])
        # the spread of 400 values is known to 1/√800
        assert np.std(values) == pytest.approx(error, rel=4 / math.sqrt(800))
        assert values.mean() == pytest.approx(0, abs=4 * error / 20)

    def test_refusals(self):
        with pytest.raises(EstimateError, match="counts: wanted at least one shot"):
            SpinEstimator(2)({})
        with pytest.raises(FeedbackError, match=r"readout: wanted shape \(2, 2\), got \(3, 2\)"):
            SpinEstimator(2, np.zeros((3, 2)))
        with pytest.raises(FeedbackError, match="neurons: wanted an integer >= 1, got 0"):
            SpinEstimator(0)


def test_the_loop_of_circuits():
    """Read, set η, work out the rates, build the next circuit: against the reference's states."""
    table = [matrix[:4, :4] for matrix in TABLES["hot"]]
    law = Homeostasis(LinearRates(*table), 4, target=-0.2, gain=-0.5, integral_gain=-0.2)

    def build(index, controls):
        done = controls[1:]
        up = [float(c.absorption) for c in done]
        circuit = collision_circuit(
            2, [float(c.emission) for c in done], absorption=up, layout="star", fresh=True
        )
        return [circuit]

    estimator = SpinEstimator(2)
    steps = list(
        hybrid_loop(
            times=EDGES[:5].tolist(),
            start=law.start(),
            build=build,
            sampler=StatevectorSampler(seed=3),
            estimate=lambda counts: estimator(counts[0]),
            law=law,
            shots=2000,
        )
    )
    done = [step.control for step in steps[1:]]
    rates = np.array([[c.emission, c.absorption] for c in done])
    states = collision_states(2, np.sqrt(rates[:, 0]), "down", angles_up=np.sqrt(rates[:, 1]))
    exact = collision_spins(states)[:, 2]
    assert exact[-1] > -0.6
    for step, m in zip(steps, exact, strict=True):
        # the error of 2000 shots is at most that of one coin a shot
        assert abs(step.estimate.value - m) < 4.5 / math.sqrt(2000)
    for before, after in itertools.pairwise(steps):
        wanted = -0.5 * (before.estimate.value + 0.2) - 0.2 * after.control.integral
        assert after.control.wanted == pytest.approx(wanted)
    assert done[-1].etas == pytest.approx([float(c.eta) for c in done])
