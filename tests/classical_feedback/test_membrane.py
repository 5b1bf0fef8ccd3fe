"""Gates under the membrane's voltage: against closed forms and independent integration."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from qbrain.classical_feedback.membrane import (
    GateReading,
    MembraneFeedback,
    SteadyFeedback,
    check_step,
    collision,
    relaxed,
)
from qbrain.classical_feedback.synapse import FeedbackError

RATE = st.floats(1e-3, 20)
PROBABILITY = st.floats(0, 1)


def reading(values, powers):
    values = np.asarray(values, dtype=float)
    opened = np.prod(values[..., None, :] ** powers, axis=-1)
    return GateReading(values, 0 * values, opened, 0 * opened)


@given(RATE, RATE, st.floats(1e-3, 2), PROBABILITY)
def test_a_collision_is_the_relaxation_at_fixed_rates(alpha, beta, step, start):
    angle, opening = collision(alpha, beta, step)
    after = opening + (start - opening) * np.cos(angle) ** 2
    assert after == pytest.approx(float(relaxed(start, alpha, beta, step)), abs=1e-13)


def test_relaxation_is_the_equation_of_motion():
    alpha, beta, start = 0.3, 0.11, 0.9
    found = solve_ivp(
        lambda t, x: alpha * (1 - x) - beta * x, (0, 2.5), [start], rtol=1e-12, atol=1e-14
    )
    assert float(relaxed(start, alpha, beta, 2.5)) == pytest.approx(found.y[0, -1], abs=1e-11)


@given(RATE, RATE, PROBABILITY, st.floats(0.01, 1), st.floats(0.01, 1))
def test_two_short_relaxations_are_one_long_one(alpha, beta, start, first, second):
    halfway = relaxed(start, alpha, beta, first)
    whole = relaxed(start, alpha, beta, first + second)
    assert float(relaxed(halfway, alpha, beta, second)) == pytest.approx(float(whole), abs=1e-12)


def test_a_step_too_long_for_the_rates_is_refused():
    check_step(0.1, 10.0)
    with pytest.raises(FeedbackError, match=r"steps: wanted a step of at most 0.1 ms.*got 0.2 ms"):
        check_step(0.2, 10.0)
    with pytest.raises(FeedbackError, match="steps"):
        check_step(0.2, float("nan"))


# ---------------------------------------------------------- a gate with a voltage of its own

POWER = np.array([[4.0]])


def opening_rates(voltage):
    return 0.1 * np.exp(voltage / 20), 0.125 * np.exp(-voltage / 80)


def driven_voltage(n, time):
    return -12 + 20 * np.sin(0.3 * time) * (1.2 - n)


def steady_loop(steps, end=20.0):
    law = SteadyFeedback(opening_rates, driven_voltage, floor=1e-6)
    control, n, found = law.start(), 0.3, [0.3]
    for _ in range(steps):
        control = law(control, [reading([n], POWER)], end / steps)
        n = float(control.openings[0] + (n - control.openings[0]) * np.cos(control.angles[0]) ** 2)
        found.append(n)
    return np.array(found)


def test_the_loop_is_second_order_in_the_step():
    def slope(t, n):
        alpha, beta = opening_rates(driven_voltage(n, t))
        return alpha * (1 - n) - beta * n

    exact = solve_ivp(slope, (0, 20), [0.3], rtol=1e-12, atol=1e-14, dense_output=True)
    errors = []
    for steps in (40, 80, 160):
        times = np.linspace(0, 20, steps + 1)
        errors.append(np.abs(steady_loop(steps) - exact.sol(times)[0]).max())
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    np.testing.assert_allclose(orders, 2, atol=0.15)


def test_repetitions_run_beside_each_other():
    law = SteadyFeedback(opening_rates, driven_voltage, floor=1e-6)
    values = np.array([[0.2], [0.5], [0.9]])
    control = law(law.start((3,)), [reading(values, POWER)], 0.5)
    for k in range(3):
        one = law(law.start(), [reading(values[k], POWER)], 0.5)
        assert control.angles[k] == pytest.approx(one.angles)
        assert control.openings[k] == pytest.approx(one.openings)
        assert control.before[k] == pytest.approx(values[k])


def test_impossible_readings_are_cut_to_possible_ones():
    law = SteadyFeedback(opening_rates, driven_voltage, floor=0.01)
    for value, cut in ((-0.1, 0.01), (1.2, 1.0)):
        control = law(law.start(), [reading([value], POWER)], 0.5)
        assert control.before[0] == cut
        assert law.voltage(control, reading([value], POWER)) == driven_voltage(cut, 0.5)


# ---------------------------------------------------------------- the integrated membrane

POWERS = np.array([[4.0, 0, 0], [0, 3, 1]])
CELL = {
    "powers": POWERS, "conductances": [36, 120], "reversals": [-12, 115], "leak": (0.3, 10.6),
    "capacitance": 1.0,
}  # fmt: skip


def constant_rates(alpha, beta):
    return lambda voltage: (alpha + 0 * voltage, beta + 0 * voltage)


def membrane(rates, current, voltage=0.0):
    return MembraneFeedback(rates=rates, current=current, voltage=voltage, **CELL)


def test_constant_gates_charge_the_membrane_exactly():
    at_rest = [constant_rates(0.3, 0.7), constant_rates(0.05, 0.95), constant_rates(0.6, 0.4)]
    law = membrane(at_rest, lambda time: 7.0, voltage=3.0)
    values = [0.3, 0.05, 0.6]
    control = law(law.start(), [reading(values, POWERS)], 0.5)
    conductances = np.array([36 * 0.3**4, 120 * 0.05**3 * 0.6, 0.3])
    total = conductances.sum()
    limit = (7 + conductances @ [-12, 115, 10.6]) / total
    assert float(control.voltage) == pytest.approx(limit + (3 - limit) * np.exp(-total * 0.5))


def test_the_neuron_is_second_order_in_the_step():
    def sigmoid_rates(slope, centre, speed):
        def rates(voltage):
            share = 1 / (1 + np.exp(-slope * (voltage - centre)))
            return speed * share, speed * (1 - share)

        return rates

    rates = [
        sigmoid_rates(0.1, 15, 0.2), sigmoid_rates(0.12, 30, 2.0), sigmoid_rates(-0.1, 10, 0.15),
    ]  # fmt: skip
    start = np.array([0.3, 0.05, 0.6])

    def slope(t, y):
        voltage, x = y[0], y[1:]
        conductances = np.array([36 * x[0] ** 4, 120 * x[1] ** 3 * x[2], 0.3])
        current = 8 + 4 * np.sin(t)
        pairs = [r(voltage) for r in rates]
        gates = [a * (1 - g) - b * g for (a, b), g in zip(pairs, x, strict=True)]
        return [current - conductances @ (voltage - np.array([-12, 115, 10.6])), *gates]

    exact = solve_ivp(
        slope, (0, 8), [0, *start], rtol=1e-11, atol=1e-12, method="LSODA", dense_output=True
    )
    errors = []
    for steps in (200, 400, 800):
        law = membrane(rates, lambda time: 8 + 4 * np.sin(time))
        control, values, found = law.start(), start, [0.0]
        for _ in range(steps):
            control = law(control, [reading(values, POWERS)], 8 / steps)
            values = control.openings + (values - control.openings) * np.cos(control.angles) ** 2
            found.append(float(control.voltage))
        times = np.linspace(0, 8, steps + 1)
        errors.append(np.abs(np.array(found) - exact.sol(times)[0]).max())
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    np.testing.assert_allclose(orders, 2, atol=0.2)
    assert errors[-1] < 0.2


@given(st.lists(st.floats(-0.5, 1.5), min_size=3, max_size=3), st.floats(-80, 120))
def test_whatever_is_read_the_next_step_is_possible(values, voltage):
    rates = [constant_rates(0.3, 0.7)] * 3
    law = membrane(rates, lambda time: 0.0, voltage=voltage)
    control = law(law.start(), [reading(values, POWERS)], 0.3)
    assert np.all((control.openings >= 0) & (control.openings <= 1))
    # between the reversals once it is between them
    low, high = min(-12, voltage), max(115, voltage)
    assert low - 1e-9 <= float(control.voltage) <= high + 1e-9
