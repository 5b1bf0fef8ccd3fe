"""Circuits of a group of neurons on a backend, each through the validation gate.

A setting of all neurons of a group is one circuit: prepare, turn, measure. Circuits are made and
checked once each; what runs are copies of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit

from qbrain.backends.check.pure import validate
from qbrain.backends.compile import depth, to_isa, two_qubit_gates
from qbrain.backends.readout import (
    ReadoutCalibration,
    calibration_circuits,
    calibration_states,
    estimate_readout,
    readout_by_bit,
)
from qbrain.circuits.qlif import ghz_circuit, pair_circuit

from ..engine.run_sampler import open_run_sampler
from .config import QlifConfig
from .groups import group_amplitudes, group_correlator

__all__ = ["GroupCircuits", "outcome_counts"]

Array = NDArray[np.float64]
Bits = NDArray[np.uint8]
Angles = tuple[float, ...]
# between the mean parity of a circuit and its closed form
PARITY_LIMIT = 1e-9


class GroupCircuits:
    """Opens the backend; makes and checks circuits.

    Args:
        config: the run's.
        record: what :attr:`device` said when the run began, for one that goes on.

    Raises:
        BackendError: no such backend, or too few qubits.
        DeviceFault: the service does not answer.
    """

    def __init__(self, config: QlifConfig, record: Mapping[str, Any] | None = None) -> None:
        self.config, self.qubits = config, config.group
        self.sampler = open_run_sampler(config, self.qubits, record)
        self._made: dict[Angles, tuple[QuantumCircuit, dict[str, Any]]] = {}

    @property
    def device(self) -> dict[str, Any]:
        """What the run's record says of the backend."""
        return {"backend": self.config.backend, **self.sampler.details}

    @property
    def distinct(self) -> list[QuantumCircuit]:
        """The circuits that differ from each other, in the target's gates."""
        return [isa for isa, _ in self._made.values()]

    def gather(self, angles: Iterable[Angles]) -> None:
        """Have the circuits of these settings in this order, those of an earlier process too."""
        self._made = {each: self.circuit(each, 0) for each in dict.fromkeys(angles)}

    def circuit(self, angles: Angles, step: int) -> tuple[QuantumCircuit, dict[str, Any]]:
        """The circuit of one setting of each neuron, to be copied, and the gate's record.

        Raises ``DispatchRefused`` if it does not pass.
        """
        if angles not in self._made:
            self._made[angles] = self._admitted(angles, step)
        return self._made[angles]

    def _admitted(self, angles: Angles, step: int) -> tuple[QuantumCircuit, dict[str, Any]]:
        phi, n, target = self.config.phi, self.qubits, self.sampler.target
        logical = pair_circuit(phi, angles) if n == 2 else ghz_circuit(n, phi, angles)
        isa = to_isa(logical, target)
        ones = np.bitwise_count(np.arange(2**n, dtype=np.uint64)).astype(np.int64)
        record = validate(
            logical, isa, target,
            expected=group_amplitudes(phi, angles),
            # beside the amplitudes a closed form that has none
            observable=(-1.0) ** ones,
            exact_value=group_correlator(phi, angles),
            max_trotter_error=PARITY_LIMIT,
            name="settings " + ", ".join(f"{a:.4g}" for a in angles), step=step,
        ).to_dict()  # fmt: skip
        checks = [
            {**check, "name": "parity"} if check["name"] == "trotter" else check
            for check in record["checks"]
        ]
        return isa, {
            "method": record["method"],
            "checks": checks,
            "two_qubit_gates": two_qubit_gates(isa),
            "depth": depth(isa),
        }

    def references(self, step: int) -> tuple[list[QuantumCircuit], list[dict[str, Any]]]:
        """All qubits in |0⟩ and in |1⟩, where errors of reading are to be measured."""
        if self.config.mitigation != "readout":
            return [], []
        n, target = self.qubits, self.sampler.target
        made = calibration_circuits(n, target)
        records = []
        for logical, isa, state in zip(
            calibration_circuits(n), made, calibration_states(n), strict=True
        ):
            expected = np.zeros(2**n)
            expected[state] = 1
            record = validate(logical, isa, target, expected=expected, step=step).to_dict()
            records.append(
                {
                    "method": record["method"],
                    "checks": list(record["checks"]),
                    "two_qubit_gates": 0,
                    "depth": depth(isa),
                    "calibration": int(state),
                }
            )
        return made, records

    def calibration(
        self, outcomes: Sequence[Bits], records: Sequence[Mapping[str, Any]]
    ) -> ReadoutCalibration | None:
        """Errors of reading each qubit, from all shots of a job; None where none were measured."""
        measured = [k for k, record in enumerate(records) if "calibration" in record]
        if not measured:
            return None
        states = [int(records[k]["calibration"]) for k in measured]
        counts = [outcome_counts(outcomes[k]) for k in measured]
        return estimate_readout(counts, states, self.qubits)

    def wrong_bits(self, calibration: ReadoutCalibration, angles: Angles) -> tuple[Array, Array]:
        """p(1|0) and p(0|1) of the bits of one setting's circuit, (n, 2), and standard errors."""
        isa, _ = self._made[angles]
        return (
            readout_by_bit(calibration.readout, isa),
            readout_by_bit(calibration.stderr, isa),
        )


def outcome_counts(bits: Bits) -> dict[int, int]:
    """Outcome (bit i of it is neuron i's) → shots."""
    whole = bits.astype(np.int64) @ (1 << np.arange(bits.shape[1]))
    values, numbers = np.unique(whole, return_counts=True)
    return {int(v): int(c) for v, c in zip(values, numbers, strict=True)}
