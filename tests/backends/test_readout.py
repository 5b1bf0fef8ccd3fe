"""Readout calibration: what is measured is what is there, bit by bit."""

import json

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit

from qbrain.backends.errors import BackendError
from qbrain.backends.isa import first_illegal
from qbrain.backends.readout import (
    calibration_circuits,
    calibration_states,
    estimate_readout,
    has_mthree,
    mthree_quasi_counts,
    readout_by_bit,
)
from qbrain.backends.registry import open_sampler

SHOTS = 20_000


def counts_of(pub):
    return pub.data.meas.get_int_counts()


@pytest.mark.parametrize("per_qubit", [False, True])
def test_a_snapshots_errors_come_back(per_qubit):
    sampler = open_sampler("fake_fez", qubits=4, seed=3)
    circuits = calibration_circuits(4, sampler.target, per_qubit=per_qubit)
    assert all(first_illegal(circuit, sampler.target) is None for circuit in circuits)
    assert len(circuits) == (6 if per_qubit else 2)
    states = calibration_states(4, per_qubit=per_qubit)
    assert [circuit.metadata["prepared"] for circuit in circuits] == states
    results = sampler.run(circuits, shots=SHOTS).result()
    found = estimate_readout([counts_of(pub) for pub in results], states, 4)
    # the X that prepares |1> has an error of its own, some 3e-4
    assert np.all(np.abs(found.readout - sampler.readout) < 4 * found.stderr + [0, 6e-4])
    shots = [[4 * SHOTS, 2 * SHOTS]] * 4 if per_qubit else [[SHOTS, SHOTS]] * 4
    assert found.shots.tolist() == shots
    assert found.crosstalk < 4 if per_qubit else np.isnan(found.crosstalk)
    record = json.loads(json.dumps(found.record(), allow_nan=False))
    assert record["p_0_given_1"] == found.readout[:, 1].tolist()


def test_counts_give_fractions():
    found = estimate_readout([{0b00: 90, 0b01: 10}, {0b11: 70, 0b01: 20, 0b00: 10}], [0, 3], 2)
    assert found.readout == pytest.approx(np.array([[0.1, 0.1], [0.0, 0.3]]))
    assert np.all(found.stderr > 0)  # none seen is not none there
    assert found.stderr[0, 0] == pytest.approx(np.sqrt(11 / 102 * 91 / 102 / 102))


def test_crosstalk_shows():
    # qubit 0 in |0> is misread in 10 % of shots, 30 % when qubit 1 is in |1>
    tables = [{0: 900, 1: 100}, {3: 1000}, {1: 1000}, {2: 700, 3: 300}]
    assert estimate_readout(tables, calibration_states(2, per_qubit=True), 2).crosstalk > 10


def test_standard_errors_are_the_scatter():
    rng = np.random.default_rng(0)
    found = []
    for _ in range(300):
        wrong, lost = rng.binomial(2000, [0.01, 0.04])
        tables = [{0: 2000 - wrong, 1: wrong}, {1: 2000 - lost, 0: lost}]
        found.append(estimate_readout(tables, [0, 1], 1))
    scatter = np.std([c.readout for c in found], axis=0)
    assert np.mean([c.stderr for c in found], axis=0) == pytest.approx(scatter, rel=0.15)


def test_errors_follow_the_qubits_into_the_bits():
    circuit = QuantumCircuit(3)
    circuit.add_register(ClassicalRegister(3, "meas"))
    circuit.measure([0, 1, 2], [2, 0, 1])
    table = np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]])
    assert readout_by_bit(table, circuit).tolist() == [[0.3, 0.4], [0.5, 0.6], [0.1, 0.2]]
    with pytest.raises(BackendError, match="readout: wanted errors of 3 qubits"):
        readout_by_bit(table[:2], circuit)


def test_bad_calibrations():
    with pytest.raises(BackendError, match="qubits: wanted"):
        calibration_circuits(0)
    with pytest.raises(BackendError, match="counts: wanted one"):
        estimate_readout([{0: 1}], [0, 1], 1)
    with pytest.raises(BackendError, match="counts: wanted outcomes"):
        estimate_readout([{4: 1}, {3: 1}], [0, 3], 2)
    with pytest.raises(BackendError, match="states: wanted"):
        estimate_readout([{0: 1}, {}], [0, 1], 1)


def test_mthree_equals_the_full_inversion_where_it_is_installed():
    readout, counts = np.array([[0.02, 0.05], [0.01, 0.08]]), {0: 400, 1: 100, 2: 250, 3: 250}
    if not has_mthree():
        with pytest.raises(BackendError, match="mthree: wanted"):
            mthree_quasi_counts(counts, readout)
        return
    found = mthree_quasi_counts(counts, readout)
    matrices = [np.linalg.inv([[1 - a, b], [a, 1 - b]]) for a, b in readout]
    wanted = np.kron(matrices[1], matrices[0]) @ [400, 100, 250, 250]
    assert [found[x] for x in range(4)] == pytest.approx(wanted, abs=0.01)
