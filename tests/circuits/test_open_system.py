"""Neurons in a collective bath: the exact channel on every layout, its costs, what is refused."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qbrain.backends.channels import Part, aer_states
from qbrain.backends.check.channel import validate_channel
from qbrain.backends.check.pure import DispatchRefused
from qbrain.backends.compile import to_isa, two_qubit_gates
from qbrain.backends.ideal import ideal_target
from qbrain.backends.readings import take_readings
from qbrain.backends.snapshot import cut, cut_target, load
from qbrain.circuits.open_system import (
    CircuitError,
    NegativeRate,
    collision_circuit,
    collision_layout,
    read_spins,
)
from qbrain.reference.open_system import dicke_to_qubits, simulate_open_system
from qbrain.reference.open_system.bath_coefficients import given_curves
from qbrain.reference.open_system.collision_model import (
    collision_spins,
    collision_states,
    trace_distance,
)

ORDERS = ("alternating", "fixed", "palindromic")
FORMS = [
    {"order": order, "layout": layout, "fresh": fresh, "absorption": up, "shifts": shifts}
    for order in ORDERS
    for layout in ("line", "star")
    for fresh in (False, True)
    for up in (False, True)
    for shifts in (False, True)
]


def device(qubits):
    """The first of a good line of five."""
    return cut_target(load("fake_fez").target, cut("fake_fez", 5).place.qubits[:qubits])


def left(circuit):
    """Density matrix of what is read, in the order of the bits, just before it is."""
    read = take_readings(circuit, resets=True)
    wires = tuple(range(circuit.num_qubits))
    (rho,) = aer_states([Part(read.gates, read.qubits, read.clbits, read.resets, wires)])
    order = np.argsort(read.clbits)
    bits = len(order)
    # axis 0 is the last bit
    axes = [bits - 1 - order[bit] for bit in range(bits - 1, -1, -1)]
    tensor = rho.reshape((2,) * (2 * bits)).transpose([*axes, *(bits + axis for axis in axes)])
    return tensor.reshape(rho.shape)


def drawn(neurons, steps, seed, form, start=(1.1, 0.7), read="Z", largest=0.6):
    """A random circuit of a form, and the density matrix that the reference says it leaves."""
    rng = np.random.default_rng(seed)
    emission, absorption = rng.uniform(0, largest, (2, steps))
    lam, tilde, turns = rng.normal(size=(3, steps))
    circuit = collision_circuit(
        neurons,
        emission,
        absorption=absorption if form["absorption"] else None,
        shifts=lam if form["shifts"] else None,
        shifts_tilde=tilde if form["shifts"] else None,
        rotations=turns,
        start=start,
        read=read,
        **{name: form[name] for name in ("order", "layout", "fresh")},
    )
    states = collision_states(
        neurons,
        np.sqrt(emission),
        start,
        angles_up=np.sqrt(absorption) if form["absorption"] else None,
        shifts=lam if form["shifts"] else None,
        shifts_tilde=tilde if form["shifts"] else None,
        rotations=turns,
        order=form["order"],
        shift="ising",
    )
    return circuit, read_spins(states[-1], read)


def means(neurons, options, emission=()):
    """⟨σ⟩ along x, y and z as the bits say it: 2 P(1) − 1, of the first neuron."""
    found = []
    for read in "XYZ":
        weights = np.diag(left(collision_circuit(neurons, emission, read=read, **options))).real
        found.append(2 * weights[1::2].sum() - 1)
    return found


class TestStates:
    @pytest.mark.parametrize("form", FORMS)
    def test_every_form_leaves_the_exact_state(self, form):
        for neurons, steps, read in ((1, 2, "X"), (2, 3, "Y"), (3, 2, "Z"), (4, 3, "X")):
            if form["fresh"]:
                if neurons == 4:
                    continue
                steps = 2
            circuit, wanted = drawn(neurons, steps, 10 * neurons + steps, form, read=read)
            assert trace_distance(left(circuit), wanted) < 1e-13

    @settings(max_examples=15, deadline=None)
    @given(
        st.integers(1, 3),
        st.integers(0, 4),
        st.integers(0, 2**31),
        st.sampled_from([form for form in FORMS if not form["fresh"]]),
        st.sampled_from(["down", "up", (0.4, -2.0)]),
        st.sampled_from("XYZ"),
    )
    def test_the_gate_passes_them(self, neurons, steps, seed, form, start, read):
        circuit, wanted = drawn(neurons, steps, seed, form, start, read, largest=2.4)
        target = ideal_target(circuit.num_qubits)
        record = validate_channel(circuit, circuit, target, expected=wanted)
        assert record.qubits == neurons
        assert record["logical"].figure < 1e-12

    def test_one_neuron_decays_exponentially(self):
        emission = np.array([0.2, 0.05, 0.4])
        state = left(collision_circuit(1, emission, start="up"))
        assert state[1, 1].real == pytest.approx(np.prod(np.cos(np.sqrt(emission)) ** 2), abs=1e-14)

    def test_a_hot_bath_pulls_one_neuron_up(self):
        state = left(collision_circuit(1, [0.3], absorption=[0.2], start="down"))
        assert state[1, 1].real == pytest.approx(math.sin(math.sqrt(0.2)) ** 2, abs=1e-14)
        emission, absorption = math.cos(math.sqrt(0.3)) ** 2, math.cos(math.sqrt(0.2)) ** 2
        state = left(collision_circuit(1, [0.3], absorption=[0.2], start="up"))
        assert state[0, 0].real == pytest.approx((1 - emission) * absorption, abs=1e-14)

    def test_full_emission_hands_one_quantum_on(self):
        """θ = π/2 with N = 2: |11⟩ meets |0⟩, the first neuron swaps, the second finds |1⟩."""
        state = left(collision_circuit(2, [(math.pi / 2) ** 2], start="up"))
        assert state[0b10, 0b10].real == pytest.approx(1, abs=1e-14)

    def test_silent_neurons_stay_silent_without_absorption(self):
        state = left(collision_circuit(3, [0.5] * 4, shifts=[0.3] * 4, start="down"))
        assert state[0, 0].real == pytest.approx(1, abs=1e-14)

    @pytest.mark.parametrize("start", [(0.3, 1.2), (2.0, -0.4), (math.pi / 2, 3.0)])
    def test_a_one_says_that_the_spin_is_up_along_every_axis(self, start):
        theta, phi = start
        wanted = [
            math.sin(theta) * math.cos(phi),
            math.sin(theta) * math.sin(phi),
            math.cos(theta),
        ]
        assert means(2, {"start": start}) == pytest.approx(wanted, abs=1e-14)
        # J_z alone turns from x to y
        options = {"start": start, "rotations": [0.5, 0.2]}
        wanted[:2] = math.sin(theta) * np.array([math.cos(phi + 0.7), math.sin(phi + 0.7)])
        assert means(2, options, [0.0, 0.0]) == pytest.approx(wanted, abs=1e-14)

    @pytest.mark.parametrize("layout", ["line", "star"])
    @pytest.mark.parametrize("neurons", [1, 2, 3, 4, 5])
    def test_shifts_twist_about_z(self, neurons, layout):
        """exp(i·2a J_z²) from m = x: m_x = cos^{N−1}(2a), and 2b J_z turns it."""
        a, b = 0.35, 0.2
        options = {"start": (math.pi / 2, 0.0), "shifts": [b + a], "shifts_tilde": [b - a]}
        length = math.cos(2 * a) ** (neurons - 1)
        wanted = [length * math.cos(2 * b), length * math.sin(2 * b), 0]
        found = means(neurons, {**options, "layout": layout}, [0.0])
        assert found == pytest.approx(wanted, abs=1e-13)

    def test_what_short_steps_tend_to(self):
        """κ = (0.5 + 0.4 sin 3t)/4, four neurons to t = 2: the order of the neurons decides."""

        start = (2.0, 0.3)

        def kappa(t):
            return (0.5 + 0.4 * np.sin(3 * t)) / 4

        exact = simulate_open_system(
            4, given_curves(kappa), start, [0.0, 2.0], density_matrix=True
        ).isel(time=-1)
        wanted = dicke_to_qubits(exact.state_real.values + 1j * exact.state_imag.values)
        distances = {}
        for order, steps in itertools.product(("alternating", "fixed"), (8, 32)):
            edges = np.linspace(0, 2, steps + 1)
            emission = np.diff(0.5 * edges - 0.4 / 3 * np.cos(3 * edges)) / 4
            rotations = np.diff(edges)
            circuit = collision_circuit(4, emission, rotations=rotations, start=start, order=order)
            distances[order, steps] = float(trace_distance(left(circuit), wanted))
        assert distances["alternating", 8] == pytest.approx(1.7e-2, rel=0.05)
        assert distances["alternating", 32] == pytest.approx(4.2e-3, rel=0.05)
        assert distances["fixed", 8] == pytest.approx(0.19, rel=0.05)
        assert distances["fixed", 32] == pytest.approx(0.20, rel=0.05)


class TestLayout:
    @pytest.mark.parametrize("form", FORMS)
    def test_the_layout_is_that_of_the_circuit(self, form):
        for neurons, steps in itertools.product((1, 2, 3, 4), (0, 1, 2, 5)):
            numbers = [0.1] * steps
            circuit = collision_circuit(
                neurons,
                numbers,
                absorption=numbers if form["absorption"] else None,
                shifts_tilde=numbers if form["shifts"] else None,
                **{name: form[name] for name in ("order", "layout", "fresh")},
            )
            layout = collision_layout(neurons, steps, **form)
            ops = circuit.count_ops()
            assert circuit.num_qubits == layout.qubits
            assert ops.get("cx", 0) == layout.two_qubit_gates
            assert ops.get("reset", 0) == layout.resets
            assert not (form["fresh"] and layout.resets)
            places = {
                circuit.find_bit(step.clbits[0]).index: circuit.find_bit(step.qubits[0]).index
                for step in circuit.data
                if step.name == "measure"
            }
            assert tuple(places[bit] for bit in range(neurons)) == layout.ends
            assert list(layout.ends) == sorted(layout.ends)
            if form["layout"] == "star":
                assert layout.starts == layout.ends == tuple(range(neurons))
                continue
            for step in circuit.data:
                if step.name == "cx":
                    a, b = (circuit.find_bit(qubit).index for qubit in step.qubits)
                    assert abs(a - b) == 1

    @pytest.mark.parametrize("neurons", [2, 3, 4, 7])
    def test_costs_are_as_documented(self, neurons):
        n, k = neurons, 6

        def cost(**options):
            return collision_layout(n, k, **options).two_qubit_gates

        assert cost() == (3 * n - 2) * k
        assert cost(absorption=True) == min(6 * n - 2, 8 * n - 8) * k
        assert cost(order="palindromic") == (6 * n - 6) * k
        assert cost(order="fixed") == (3 * n - 2) * k + (2 * n - 4) * (k - 1)
        assert cost(order="fixed", fresh=True) == 3 * n * k - 1
        assert cost(layout="star") == 2 * n * k
        assert cost(layout="star", order="palindromic") == (4 * n - 2) * k
        pairs = n * (n - 1) * (k + 1)
        assert cost(layout="star", shifts=True) == 2 * n * k + pairs
        assert cost(shifts=True) == 3 * n * k + pairs
        both = cost(shifts=True, absorption=True)
        assert both == min(6 * n, 8 * n - 6) * k + pairs

    def test_qubits(self):
        assert collision_layout(3, 9).qubits == 4
        assert collision_layout(3, 9, absorption=True).qubits == 4
        assert collision_layout(4, 9, absorption=True).qubits == 6
        assert collision_layout(3, 9, absorption=True, layout="star").qubits == 4
        assert collision_layout(3, 9, absorption=True, order="palindromic").qubits == 4
        assert collision_layout(3, 9, absorption=True, fresh=True).qubits == 21
        assert collision_layout(3, 0, fresh=True).qubits == 4


class TestDevices:
    @pytest.mark.parametrize("neurons", [2, 3])
    @pytest.mark.parametrize("options", [{}, {"absorption": True}, {"shifts": True}])
    def test_a_line_of_a_device_takes_it_without_routing(self, neurons, options):
        form = {"order": "alternating", "layout": "line", "fresh": False}
        form |= {"absorption": False, "shifts": False} | options
        circuit, wanted = drawn(neurons, 3, 4, form, read="Y")
        target = device(circuit.num_qubits)
        isa = to_isa(circuit, target)
        layout = collision_layout(neurons, 3, **form)
        assert two_qubit_gates(isa) == layout.two_qubit_gates
        assert isa.count_ops().get("reset", 0) == layout.resets
        record = validate_channel(circuit, isa, target, expected=wanted)
        assert record["transpiled"].figure < 1e-7

    def test_a_travelling_ancilla_is_cheaper_than_routing(self):
        emission = [0.1] * 4
        target = device(5)
        line, star = (
            two_qubit_gates(to_isa(collision_circuit(4, emission, layout=layout), target))
            for layout in ("line", "star")
        )
        assert line == 40
        assert star > 1.2 * line

    def test_another_order_does_not_pass(self):
        form = {"order": "alternating", "layout": "line", "fresh": False}
        form |= {"absorption": True, "shifts": False}
        circuit, wanted = drawn(2, 2, 1, form)
        other, _ = drawn(2, 2, 1, form | {"order": "fixed"})
        target = ideal_target(circuit.num_qubits)
        validate_channel(circuit, circuit, target, expected=wanted)
        with pytest.raises(DispatchRefused, match="logical"):
            validate_channel(other, other, ideal_target(other.num_qubits), expected=wanted)


class TestReadings:
    def test_spins_of_a_state_are_the_means_of_its_bits(self):
        states = collision_states(3, [0.4, 0.7], (0.8, 0.5))
        wanted = collision_spins(states)
        ones = np.array([index.bit_count() for index in range(8)]) / 3
        for axis, read in enumerate("XYZ"):
            diagonal = np.diagonal(read_spins(states, read), axis1=-2, axis2=-1).real
            assert 2 * diagonal @ ones - 1 == pytest.approx(wanted[:, axis], abs=1e-14)

    @pytest.mark.parametrize("shape", [(3, 3), (4,), (2, 4), (1, 1)])
    def test_shapes(self, shape):
        with pytest.raises(CircuitError, match=r"states: wanted shape \(…, 2\^N, 2\^N\), got"):
            read_spins(np.zeros(shape), "Z")


class TestRefusing:
    @pytest.mark.parametrize("name", ["emission", "absorption"])
    def test_negative_rates_are_named_with_their_time(self, name):
        numbers = {"emission": [0.1, 0.2], "absorption": [0.1, 0.0]}
        numbers[name] = [0.1, -0.0125]
        emission, absorption = numbers["emission"], numbers["absorption"]
        with pytest.raises(NegativeRate, match=f"{name}: .* got .* of -0.0125 in step 1$"):
            collision_circuit(2, emission, absorption=absorption)
        with pytest.raises(NegativeRate, match=r"of -0.0125 from time 1.5 to 1.75$") as caught:
            collision_circuit(2, emission, absorption=absorption, times=[1.25, 1.5, 1.75])
        assert isinstance(caught.value, CircuitError)
        assert "\n" not in str(caught.value)

    def test_rounding_is_no_negative_rate(self):
        assert collision_circuit(1, [-1e-15]) == collision_circuit(1, [0.0])
        with pytest.raises(NegativeRate):
            collision_circuit(1, [-1e-11])

    @pytest.mark.parametrize(
        ("neurons", "emission", "options", "message"),
        [
            (0, [0.1], {}, "neurons: wanted an integer >= 1, got 0"),
            (2, 0.1, {}, r"emission: wanted shape \(any\), got \(\)"),
            (2, [math.nan], {}, "emission: wanted finite numbers, got nan or inf"),
            (2, [0.1, 2.5], {}, r"emission: wanted at most 2.467 a step, .* got 2.5 in step 1"),
            (2, [0.1], {"absorption": [0.1, 0.2]}, r"absorption: wanted shape \(1\), got \(2,\)"),
            (2, [0.1], {"shifts": 0.3}, r"shifts: wanted shape \(1\), got \(\)"),
            (2, [0.1], {"shifts_tilde": [math.inf]}, "shifts_tilde: wanted finite numbers"),
            (2, [0.1], {"rotations": [1, 2]}, r"rotations: wanted shape \(1\), got \(2,\)"),
            (2, [0.1], {"times": [0.0]}, r"times: wanted shape \(2\), got \(1,\)"),
            (2, [0.1], {"start": "half"}, r"start: wanted down, up or two angles .* got 'half'"),
            (2, [0.1], {"start": 3}, "start: wanted down, up or two angles .* got 3"),
            (2, [0.1], {"start": (0.1, math.nan)}, "start: wanted a finite number, got nan"),
            (2, [0.1], {"order": "random"}, "order: wanted one of alternating, fixed, palindromic"),
            (2, [0.1], {"layout": "ring"}, "layout: wanted one of line, star, got 'ring'"),
            (2, [0.1], {"fresh": 1}, "fresh: wanted True or False, got 1"),
            (2, [0.1], {"read": "XY"}, "read: wanted one of X, Y, Z, got 'XY'"),
        ],
    )
    def test_bad_circuits_are_refused_in_one_line(self, neurons, emission, options, message):
        with pytest.raises(CircuitError, match=message) as caught:
            collision_circuit(neurons, emission, **options)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        ("arguments", "options", "message"),
        [
            ((True, 1), {}, "neurons: wanted an integer >= 1, got True"),
            ((2, -1), {}, "steps: wanted an integer >= 0, got -1"),
            ((2, 1), {"shifts": 1}, "shifts: wanted True or False, got 1"),
            ((2, 1), {"absorption": None}, "absorption: wanted True or False, got None"),
            ((2, 1), {"order": "?"}, "order: wanted one of alternating"),
        ],
    )
    def test_bad_layouts_are_refused(self, arguments, options, message):
        with pytest.raises(CircuitError, match=message):
            collision_layout(*arguments, **options)
