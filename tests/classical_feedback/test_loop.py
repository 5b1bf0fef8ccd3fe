"""The hybrid loop: order of events, interruption, independence of what it is joined with."""

import itertools

import pytest
from qiskit import QuantumCircuit
from qiskit.primitives import StatevectorSampler

from qbrain.classical_feedback.loop import counts_of, hybrid_loop


def flip(angle: float) -> QuantumCircuit:
    circuit = QuantumCircuit(1)
    circuit.rx(angle, 0)
    circuit.measure_all()
    return circuit


def loop(done=(), log=None, steps=6, **changes):
    """Angle feedback: the next angle grows by the measured fraction of ones."""

    def build(k, controls):
        assert len(controls) == k + 1
        if log is not None:
            log.append(("build", k))
        return [flip(controls[k])]

    def estimate(counts):
        (only,) = counts
        return only.get(1, 0) / sum(only.values())

    arguments = {
        "times": [0.5 * k for k in range(steps)],
        "start": 0.3,
        "build": build,
        "sampler": StatevectorSampler(seed=5),
        "estimate": estimate,
        "law": lambda control, estimates, dt: control + dt * estimates[-1],
        "shots": 100,
        "done": done,
    }
    return hybrid_loop(**{**arguments, **changes})


def test_each_control_follows_from_the_measurement_before_it():
    steps = list(loop())
    assert [s.index for s in steps] == list(range(6))
    assert [s.time for s in steps] == [0.5 * k for k in range(6)]
    assert steps[0].control == 0.3
    for before, after in itertools.pairwise(steps):
        assert after.control == before.control + 0.5 * before.estimate
        assert before.estimate == before.counts[0].get(1, 0) / 100


def test_a_step_is_yielded_before_the_next_is_built():
    log = []
    for step in loop(log=log):
        log.append(("stored", step.index))
    assert log == [(what, k) for k in range(6) for what in ("build", "stored")]


@pytest.mark.parametrize("kept", range(7))
def test_a_loop_taken_up_again_is_the_uninterrupted_one(kept):
    whole = list(loop())
    rest = list(loop(done=whole[:kept]))
    assert [s.index for s in rest] == list(range(kept, 6))
    assert [s.control for s in rest] == [s.control for s in whole[kept:]]


@pytest.mark.parametrize("kept", range(6))
def test_steps_of_unequal_length_are_taken_up_again(kept):
    times = [0.0, 0.1, 1.0, 1.3, 3.0]
    whole = list(loop(times=times))
    for before, after in itertools.pairwise(whole):
        assert after.control == before.control + (after.time - before.time) * before.estimate
    rest = list(loop(times=times, done=whole[:kept]))
    assert [s.control for s in rest] == [s.control for s in whole[kept:]]


def test_steps_are_tagged_for_the_sampler():
    seen = []

    class Spy(StatevectorSampler):
        def run(self, pubs, *, shots=None):
            seen.append(pubs[0].metadata["step"])
            return super().run(pubs, shots=shots)

    list(loop(sampler=Spy(seed=1)))
    assert seen == list(range(6))


def test_counts_are_integers_with_bit_j_for_classical_bit_j():
    circuit = QuantumCircuit(3)
    circuit.x(1)
    circuit.measure_all()
    result = StatevectorSampler(seed=1).run([circuit], shots=10).result()[0]
    assert counts_of(result) == {2: 10}


def test_two_registers_are_refused():
    circuit = QuantumCircuit(1)
    circuit.measure_all()
    circuit.measure_all()
    result = StatevectorSampler(seed=1).run([circuit], shots=10).result()[0]
    with pytest.raises(ValueError, match="wanted one classical register, got 2"):
        counts_of(result)
