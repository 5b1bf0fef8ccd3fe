"""Seeds, checks and result packing, for every kind of sampler."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter
from qiskit.primitives import BaseSamplerV2, PrimitiveResult

from qbrain.backends.errors import BackendError
from qbrain.backends.registry import open_sampler
from qbrain.backends.sampling import pub_seed

NAMES = ("statevector", "aer", "fake_fez")


def superposition(step=None):
    circuit = QuantumCircuit(2, metadata={} if step is None else {"step": step})
    circuit.sx(0)
    circuit.sx(1)
    circuit.measure_all()
    return circuit


def bits(result, index=0):
    return result[index].data.meas.to_bool_array(order="little")


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_same_counts_and_other_seed_others(name):
    first, again, other = (
        bits(open_sampler(name, qubits=2, seed=seed).run([superposition()], shots=500).result())
        for seed in (7, 7, 8)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("name", NAMES)
def test_results_depend_on_the_step_and_not_on_what_ran_before(name):
    sampler = open_sampler(name, qubits=2, seed=3)
    together = sampler.run([superposition(k) for k in range(4)], shots=300).result()
    alone = sampler.run([superposition(2)], shots=300).result()
    assert np.array_equal(bits(together, 2), bits(alone))
    for k in (0, 1, 3):
        assert not np.array_equal(bits(together, k), bits(alone))


@pytest.mark.parametrize("name", NAMES)
def test_without_a_step_the_place_in_the_job_counts(name):
    sampler = open_sampler(name, qubits=2, seed=3)
    unnamed = sampler.run([superposition(), superposition()], shots=300).result()
    named = sampler.run([superposition(1)], shots=300).result()
    assert np.array_equal(bits(unnamed, 1), bits(named))


def test_without_a_seed_every_run_differs():
    sampler = open_sampler("aer", qubits=2)
    first, second = (bits(sampler.run([superposition()], shots=500).result()) for _ in range(2))
    assert not np.array_equal(first, second)


@given(st.integers(0, 2**40), st.integers(0, 10**6), st.integers(0, 100))
def test_seeds_fit_into_31_bits_and_differ_between_steps(entropy, key, index):
    seed = pub_seed(entropy, key, index)
    assert 0 <= seed < 2**31
    assert seed == pub_seed(entropy, key, index)
    assert seed != pub_seed(entropy, key + 1, index)


def test_seeds_do_not_collide_over_a_long_run():
    seeds = {pub_seed(7, key) for key in range(5000)}
    # birthday bound: 5000²/2³² is 0.006 collisions
    assert len(seeds) >= 4999


def test_streams_and_placements_have_seeds_of_their_own():
    keys = itertools.product(range(3), range(2), range(3), range(3))
    seeds = {pub_seed(7, k, i, stream=s, placement=p) for k, i, s, p in keys}
    assert len(seeds) == 3 * 2 * 3 * 3
    # runs of before streams and placements go on as they began
    old = np.random.SeedSequence(7, spawn_key=(5, 1)).generate_state(1, np.uint32)[0] >> 1
    assert pub_seed(7, 5, 1) == pub_seed(7, 5, 1, stream=0, placement=0) == old


@pytest.mark.parametrize("name", NAMES)
def test_streams_of_a_step_are_independent(name):
    circuits = [superposition(4) for _ in range(3)]
    for stream, circuit in enumerate(circuits):
        circuit.metadata["stream"] = stream
    sampler = open_sampler(name, qubits=2, seed=3)
    result = sampler.run(circuits, shots=2000).result()
    assert np.array_equal(bits(result), bits(sampler.run([superposition(4)], shots=2000).result()))
    for a, b in itertools.combinations(range(3), 2):
        same = np.mean(bits(result, a)[:, 0] == bits(result, b)[:, 0])
        # fair coins agree half of the time: six standard errors
        assert abs(same - 0.5) < 6 * 0.5 / 2000**0.5


@pytest.mark.parametrize("name", NAMES)
def test_registers_in_any_order_hold_the_right_bits(name):
    # qubit 1 is |1⟩ and is read into bit 2 of the second register; the first stays untouched
    qubits = QuantumRegister(2)
    low, high = ClassicalRegister(3, "low"), ClassicalRegister(3, "high")
    circuit = QuantumCircuit(qubits, low, high)
    circuit.x(1)
    circuit.measure(0, low[1])
    circuit.measure(1, high[2])
    sampler = open_sampler(name, qubits=2, seed=1)
    data = sampler.run([circuit], shots=200).result()[0].data
    assert data.low.num_bits == data.high.num_bits == 3
    assert data.high.to_bool_array(order="little")[:, 2].mean() > 0.9
    assert data.high.to_bool_array(order="little")[:, :2].sum() == 0
    assert data.low.to_bool_array(order="little")[:, 1].mean() < 0.1


@pytest.mark.parametrize("name", ["statevector", "aer"])
def test_parameter_sweeps_keep_their_shape(name):
    angle = Parameter("angle")
    circuit = QuantumCircuit(1)
    circuit.ry(angle, 0)
    circuit.measure_all()
    angles = np.array([[0.0, np.pi], [np.pi, 0.0], [np.pi / 2, np.pi / 2]])
    sampler = open_sampler(name, qubits=1, seed=1)
    result = sampler.run([(circuit, angles[..., None])], shots=400).result()
    meas = result[0].data.meas
    assert meas.shape == (3, 2)
    assert meas.num_shots == 400
    means = meas.to_bool_array(order="little").mean(axis=(-1, -2))
    assert means[:2] == pytest.approx(np.array([[0, 1], [1, 0]]), abs=0)
    assert means[2] == pytest.approx(np.array([0.5, 0.5]), abs=0.1)
    assert means[2, 0] != means[2, 1]  # each point has a seed of its own


@pytest.mark.parametrize("name", NAMES)
def test_samplers_are_the_ecosystems(name):
    sampler = open_sampler(name, qubits=2, seed=1)
    assert isinstance(sampler, BaseSamplerV2)
    assert sampler.target.num_qubits == sampler.qubits == 2
    assert sampler.details["backend"] == sampler.name == name
    result = sampler.run([(superposition(), None, 17), superposition()], shots=31).result()
    assert isinstance(result, PrimitiveResult)
    assert [result[k].data.meas.num_shots for k in (0, 1)] == [17, 31]
    assert (sampler.readout is None) == (name != "fake_fez")


@pytest.mark.parametrize("shots", [0, -1, 2.5, "many", True])
def test_bad_shots_are_refused(shots):
    with pytest.raises(BackendError, match="shots: wanted an integer >= 1"):
        open_sampler("aer", qubits=2).run([superposition()], shots=shots)


@pytest.mark.parametrize("seed", [-1, 1.5, "x", True])
def test_bad_seeds_are_refused(seed):
    with pytest.raises(BackendError, match="seed: wanted"):
        open_sampler("aer", qubits=2, seed=seed)


@pytest.mark.parametrize("name", ["step", "stream", "placement"])
@pytest.mark.parametrize("value", [-1, 0.5, "first", True])
def test_bad_numbers_in_the_metadata_are_refused(name, value):
    circuit = superposition()
    circuit.metadata = {name: value}
    with pytest.raises(BackendError, match=rf"metadata\['{name}'\]: wanted an integer >= 0"):
        open_sampler("aer", qubits=2).run([circuit], shots=5)


@pytest.mark.parametrize("name", NAMES)
def test_there_is_one_place_where_no_more_were_asked_for(name):
    sampler = open_sampler(name, qubits=2, seed=1)
    assert sampler.placements == 1
    assert sampler.targets == (sampler.target,)
    assert sampler.readouts == (sampler.readout,)
    circuit = superposition()
    circuit.metadata = {"placement": 1}
    with pytest.raises(BackendError, match="wanted an integer below 1, got 1"):
        sampler.run([circuit], shots=5)


def test_circuits_that_do_not_fit_are_refused():
    sampler = open_sampler("aer", qubits=1)
    with pytest.raises(BackendError, match="wanted at most 1 qubits"):
        sampler.run([superposition()], shots=5)
    for unread in (QuantumCircuit(1), QuantumCircuit(1, 1)):
        with pytest.raises(BackendError, match="wanted measurements into a classical register"):
            sampler.run([unread], shots=5)
