"""The bond-split formula: its order, its norm, and the circuits that are to follow it."""

import numpy as np
import pytest
from qiskit.quantum_info import Statevector

from qbrain.circuits.dicke_encoding import decode, encoded_circuit
from qbrain.experiments.lmg.circuits import first_word
from qbrain.reference.lmg import LMG, ModelError, piecewise_states
from qbrain.reference.lmg.bond_formula import bond_formula_states


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("field", [0.0, 0.3])
def test_it_converges_to_the_exact_evolution_at_its_order(order, field):
    model = LMG(11, 0.7, 1.0, field)
    errors = []
    for steps in (16, 32, 64):
        dt = 2.0 / steps
        exact = piecewise_states(model, 3, np.full(steps, 1.4), dt)[-1]
        formula = bond_formula_states(model, 3, np.full(steps, 1.4 * dt), field * dt, order)[-1]
        errors.append(np.linalg.norm(formula - exact))
    np.testing.assert_allclose(-np.diff(np.log2(errors)), order, atol=0.12)


def test_norm_and_parity_are_kept():
    states = bond_formula_states(LMG(9, -0.4, 1.0), 2, np.full(50, 0.8), 0.2)
    np.testing.assert_allclose(np.linalg.norm(states, axis=1), 1, atol=1e-13)
    assert not states[:, 1::2].any()


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(
    ("neurons", "initial"),
    [(2, 0), (5, 2), (6, 0), (7, 1), (8, 8), (10, 0), (13, 5), (14, 4), (30, 0)],
)
def test_the_encoded_trotter_circuit_follows_it(neurons, initial, order):
    phases, turn = [0.3, 0.2, 0.4], 0.15
    offset = first_word(decode(neurons, initial))
    model = LMG(neurons, 0.7, 1.0)
    wanted = bond_formula_states(model, initial, phases, turn, order, offset=offset)[-1]
    circuit = encoded_circuit(
        neurons, 0.7, phases, turn, initial, synthesis="trotter", order=order, measure=False
    )
    table = decode(neurons, initial)
    expected = np.where(table < 0, 0, wanted[table])
    assert 1 - abs(np.vdot(expected, Statevector(circuit).data)) ** 2 < 1e-12


def test_bad_arguments_are_named():
    model = LMG(4, 0.5, 1.0)
    with pytest.raises(ModelError, match="order: wanted 1 or 2, got 4"):
        bond_formula_states(model, 0, [0.1], 0.0, 4)
    with pytest.raises(ModelError, match="phases: wanted shape"):
        bond_formula_states(model, 0, [[0.1]], 0.0)
    with pytest.raises(ModelError, match="field_phases: wanted one number or shape"):
        bond_formula_states(model, 0, [0.1, 0.2], [0.1, 0.2, 0.3])
    with pytest.raises(ModelError, match="phases: wanted finite numbers"):
        bond_formula_states(model, 0, [np.nan], 0.0)
