"""The target of an ideal simulator: every gate that Aer runs natively, on any qubits."""

from __future__ import annotations

from qiskit.circuit import Delay, Measure, Parameter, Reset
from qiskit.circuit.library import UnitaryGate, get_standard_gate_name_mapping
from qiskit.transpiler import Target

from .errors import BackendError

__all__ = ["ideal_target"]

# Gates that Aer's statevector, density-matrix and matrix-product-state methods all take as they
# are, so that a circuit made of them is never rewritten.
NATIVE_GATES = (
    *("id", "x", "y", "z", "h", "s", "sdg", "sx", "sxdg", "t", "tdg"),
    *("p", "r", "rx", "ry", "rz", "u", "u1", "u2", "u3"),
    *("cx", "cy", "cz", "ecr", "cp", "swap", "rxx", "ryy", "rzz", "rzx", "ccx"),
)


def ideal_target(qubits: int) -> Target:
    """Target without coupling, durations or errors over qubits 0…qubits−1.

    Raises:
        BackendError: if ``qubits`` is not an integer of at least 1.
    """
    check_qubits(qubits)
    target = Target(num_qubits=qubits)
    gates = get_standard_gate_name_mapping()
    for name in NATIVE_GATES:
        # one generic gate a name: its parameters, if any, may take any value
        if gates[name].num_qubits <= qubits:
            target.add_instruction(gates[name])
    target.add_instruction(UnitaryGate, name="unitary")
    target.add_instruction(Measure())
    target.add_instruction(Reset())
    target.add_instruction(Delay(Parameter("t")))
    return target


def check_qubits(qubits: object) -> None:
    """Refuse anything that is not a whole number of qubits."""
    if isinstance(qubits, bool) or not isinstance(qubits, int) or qubits < 1:
        raise BackendError(f"qubits: wanted an integer >= 1, got {qubits!r}")
