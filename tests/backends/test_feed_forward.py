"""Circuits that branch on a reading: their check, their cost, their noise, their record."""

import dataclasses

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister

from qbrain.backends.aer import AerSampler, NoisyAerSampler
from qbrain.backends.check.branches import validate_branches, words_of
from qbrain.backends.check.pure import DispatchRefused
from qbrain.backends.compile import duration, expected_fidelity
from qbrain.backends.errors import BackendError
from qbrain.backends.feed_forward import flattened
from qbrain.backends.ibm import circuits_hash
from qbrain.backends.ibm_device import DeviceFacts
from qbrain.backends.ideal import ideal_target
from qbrain.backends.snapshot import cut


def branching(seed):
    """Two readings on the way, a reset, branches with and without an else, on three qubits."""
    random = np.random.default_rng(seed)
    circuit = QuantumCircuit(QuantumRegister(3, "q"), ClassicalRegister(4, "c"))
    for qubit in range(3):
        circuit.ry(float(random.uniform(0, 3)), qubit)
    circuit.cx(0, 1)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)) as other:
        circuit.ry(float(random.uniform(0, 3)), 1)
        circuit.cx(2, 1)
    with other:
        circuit.rx(float(random.uniform(0, 3)), 2)
    circuit.reset(0)
    circuit.measure(1, 1)
    with circuit.if_test((circuit.clbits[1], 0)):
        circuit.x(0)
    circuit.measure([0, 2], [2, 3])
    return circuit


def counted(sampler, circuit, shots):
    (register,) = sampler.run([circuit], shots=shots).result()[0].data.values()
    bits = register.to_bool_array(order="little").astype(int)
    return np.bincount(bits @ (1 << np.arange(bits.shape[1])), minlength=2 ** bits.shape[1])


@pytest.mark.parametrize("seed", range(4))
def test_words_against_shots_of_aer(seed):
    circuit, shots = branching(seed), 20_000
    wanted = words_of(circuit)
    assert wanted.sum() == pytest.approx(1)
    found = counted(AerSampler(3, seed=seed), circuit, shots) / shots
    # 16 words, four circuits: a false alarm in one of 10⁴ at 5 standard errors
    assert np.all(np.abs(found - wanted) <= 5 * np.sqrt(wanted * (1 - wanted) / shots) + 1e-12)


def teleported(turned=True):
    circuit = QuantumCircuit(QuantumRegister(2, "q"), ClassicalRegister(2, "c"))
    circuit.x(0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        if turned:
            circuit.x(1)
        else:
            circuit.z(1)
    circuit.measure(1, 1)
    return circuit


def test_the_check_passes_what_is_right_and_refuses_the_rest():
    target, wanted = ideal_target(2), [0, 0, 0, 1]
    record = validate_branches(teleported(), teleported(), target, expected=wanted)
    assert record.method == "branches"
    assert record.complete
    with pytest.raises(DispatchRefused, match="'logical'"):
        validate_branches(teleported(False), teleported(), target, expected=wanted)
    with pytest.raises(DispatchRefused, match="'transpiled'"):
        validate_branches(teleported(), teleported(False), target, expected=wanted)
    # z is no gate of the device, and is found inside the branch
    device = cut("fake_fez", 2).target
    with pytest.raises(DispatchRefused, match=r"'angles'.*z on \(1,\)"):
        validate_branches(teleported(False), teleported(False), device, expected=[0, 1, 0, 0])
    with pytest.raises(BackendError, match="wanted 4 probabilities"):
        validate_branches(teleported(), teleported(), target, expected=[1, 0])


def test_a_condition_on_a_register_is_refused():
    circuit = QuantumCircuit(QuantumRegister(1, "q"), ClassicalRegister(2, "c"))
    circuit.measure(0, 0)
    with circuit.if_test((circuit.cregs[0], 1)):
        circuit.x(0)
    with pytest.raises(BackendError, match="a condition on one classical bit"):
        words_of(circuit)


def test_costs_are_those_of_all_branches():
    part = cut("fake_fez", 2)
    circuit, plain = teleported(), QuantumCircuit(2, 2)
    plain.x(0)
    plain.measure(0, 0)
    plain.x(1)
    plain.measure(1, 1)
    assert expected_fidelity(circuit, part.target) == expected_fidelity(plain, part.target)
    assert duration(circuit, part.target) == pytest.approx(duration(plain, part.target))
    assert flattened(plain) is plain


def test_noise_acts_in_branches_and_a_device_without_them_refuses():
    part = cut("fake_fez", 2)
    false, lost = part.readout.T
    found = counted(NoisyAerSampler.of_cut("fake_fez", part, seed=1), teleported(), 20_000)
    right = found[3] / found.sum()
    assert right < 1
    assert right == pytest.approx((1 - lost[0]) * (1 - lost[1]), abs=0.01)
    assert false.max() < 0.1
    without = NoisyAerSampler.of_cut("fake_miami", cut("fake_miami", 2), seed=1)
    with pytest.raises(BackendError, match="got if_else"):
        without.run([teleported()], shots=10)


def test_what_is_in_a_branch_is_part_of_the_hash():
    inverted = QuantumCircuit(QuantumRegister(2, "q"), ClassicalRegister(2, "c"))
    inverted.x(0)
    inverted.measure(0, 0)
    with inverted.if_test((inverted.clbits[0], 0)):
        inverted.x(1)
    inverted.measure(1, 1)
    made = [teleported(), teleported(False), inverted]
    assert len({circuits_hash([each], 10) for each in made}) == 3
    assert circuits_hash([teleported()], 10) == circuits_hash([teleported()], 10)


def test_a_device_remembers_whether_it_can_branch():
    part = cut("fake_fez", 2)
    facts = DeviceFacts(
        "ibm_fez", 156, ((0, 1),), (part.target,), (part.readout,), "today", feed_forward=True
    )
    record = facts.record()
    assert DeviceFacts.from_record(record).feed_forward
    # records of earlier versions do not tell
    del record["feed_forward"]
    assert not DeviceFacts.from_record(record).feed_forward
    assert not dataclasses.replace(facts, feed_forward=False).record()["feed_forward"]
