"""Noise of a snapshot in its three forms, against closed forms."""

import math

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import Operator, average_gate_fidelity

from qbrain.backends.device_noise import (
    CALIBRATED,
    NOISE_FORMS,
    NoiseScale,
    noise_models,
    scale_of,
    scaled_readout,
    scaled_target,
)
from qbrain.backends.errors import BackendError
from qbrain.backends.registry import open_sampler
from qbrain.backends.snapshot import cut


@pytest.fixture(scope="module")
def part():
    return cut("fake_kingston", 3)


def fidelity(model, name, place):
    """Average gate fidelity of the error that a model puts after a gate."""
    from qiskit.quantum_info import SuperOp

    error = model._local_quantum_errors[name][place]
    return average_gate_fidelity(SuperOp(error))


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0, 3.0])
def test_every_gate_has_its_calibrated_infidelity_times_the_factor(part, factor):
    channels, mixtures = noise_models(part.target, part.readout, NoiseScale(gates=factor))
    for name, place in (("cz", (0, 1)), ("sx", (1,))):
        properties = part.target[name][place]
        times = [part.target.qubit_properties[q] for q in place]
        process = math.prod(
            (
                1
                + math.exp(-properties.duration / t.t1)
                + 2 * math.exp(-properties.duration / min(t.t2, 2 * t.t1))
            )
            / 4
            for t in times
        )
        size = 2 ** len(place)
        relaxed = 1 - (size * process + 1) / (size + 1)
        # relaxation alone is what a gate costs at least
        wanted = max(properties.error * factor, relaxed)
        for model in (channels, mixtures):
            assert 1 - fidelity(model, name, place) == pytest.approx(wanted, rel=2e-3)


def test_a_phase_error_turns_both_qubits_together(part):
    angle = 0.3
    plain, _ = noise_models(part.target, part.readout, NoiseScale(gates=0.3))
    turned, _ = noise_models(part.target, part.readout, NoiseScale(gates=0.3, phase=angle))
    from qiskit.quantum_info import SuperOp

    difference = SuperOp(plain._local_quantum_errors["cz"][0, 1]).compose(
        Operator(np.diag(np.exp(-0.5j * angle * np.array([1, -1, -1, 1]))))
    )
    assert np.allclose(
        SuperOp(turned._local_quantum_errors["cz"][0, 1]).data, difference.data, atol=1e-10
    )


@pytest.mark.parametrize("qubits", [1, 5, 8, 20])
def test_readout_grows_with_the_qubits_in_use_up_to_eight(qubits):
    readout = np.full((qubits, 2), 0.01)
    readout[0] = 0.6  # out of order: left as it is
    found = scaled_readout(readout, NoiseScale(readout=0.002))
    assert np.all(found[0] == 0.6)
    assert found[1:] == pytest.approx(0.01 + 0.002 * min(qubits, 8))


def test_an_error_of_one_half_or_more_stays(part):
    target = scaled_target(part.target, NoiseScale(gates=1e6))
    errors = [p.error for p in target["cz"].values() if p is not None]
    assert max(errors) == 0.5


def test_the_forms_and_their_numbers():
    assert NOISE_FORMS == ("gates", "snapshot", "calibrated")
    assert scale_of("gates") == scale_of("snapshot") == NoiseScale()
    assert scale_of("calibrated") == CALIBRATED
    with pytest.raises(BackendError, match="noise: wanted one of gates, snapshot, calibrated"):
        scale_of("none")


def waiting_circuit():
    """Qubit 0 is excited, coupled once, and waits for the others."""
    circuit = QuantumCircuit(3)
    circuit.x(0)
    circuit.cz(0, 1)
    for _ in range(100):
        circuit.cz(1, 2)
    circuit.cz(0, 1)
    circuit.measure_all()
    return circuit


def test_waiting_relaxes_by_t1_and_gates_alone_do_not(part):
    wait = 100 * part.target["cz"][1, 2].duration
    seen = {}
    for form in ("gates", "snapshot"):
        sampler = open_sampler("fake_kingston", qubits=3, seed=3, noise=form)
        bits = sampler.run([waiting_circuit()], shots=40_000).result()[0].data.meas
        seen[form] = bits.to_bool_array(order="little")[:, 0].mean()
    decay = math.exp(-wait / part.target.qubit_properties[0].t1)
    assert seen["snapshot"] / seen["gates"] == pytest.approx(decay, abs=0.012)
    assert decay < 0.98


def test_a_calibration_circuit_does_not_show_what_circuits_with_gates_have(part):
    """Of |000⟩ prepared and read, and of the same after two CZ that cancel."""
    bare, linked = QuantumCircuit(3), QuantumCircuit(3)
    linked.cz(0, 1)
    linked.cz(0, 1)
    for circuit in (bare, linked):
        circuit.measure_all()
    sampler = open_sampler("fake_kingston", qubits=3, seed=5, noise="calibrated")
    shots = 100_000
    ones = [
        r.data.meas.to_bool_array(order="little").mean(axis=0)
        for r in sampler.run([bare, linked, bare], shots=shots).result()
    ]
    snapshot = part.readout[:, 0]
    margin = 5 * np.sqrt(0.03 / shots)
    assert np.all(np.abs(ones[0] - snapshot) < margin)
    assert np.all(np.abs(ones[2] - snapshot) < margin)
    # a CZ adds a few thousandths
    added = ones[1] - snapshot - 3 * CALIBRATED.readout
    assert np.all(added > -margin)
    assert np.all(added < 0.012)
