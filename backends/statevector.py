"""Ideal sampler on Qiskit's own state vector, beside Aer's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from qiskit.primitives import StatevectorSampler as _QiskitSampler

from .channels import PLAIN_QUBITS, draw_parts, reduced_state, sampled_parts
from .check.trajectories import sampled
from .ideal import ideal_target
from .readings import final_readings
from .sampling import Outcomes, Shots, TargetSampler

__all__ = ["StatevectorSampler"]


class StatevectorSampler(TargetSampler):
    """Ideal simulation by :class:`qiskit.primitives.StatevectorSampler`, seeded circuit by circuit.

    Slow beside Aer past ten qubits; it is there to be a second opinion. Circuits that read or reset
    qubits on the way, which Qiskit's sampler refuses, are drawn here: from density matrices where
    they only reset them and no more than five qubits meet; else as trajectories, one a shot.
    """

    def __init__(self, qubits: int, *, seed: int | None = None, name: str = "statevector") -> None:
        super().__init__(
            name, ideal_target(qubits), seed=seed, details={"method": name, "noise": "none"}
        )

    def _sample(self, requests: Sequence[Shots]) -> list[Outcomes]:
        outcomes = []
        for request in requests:
            circuit = request.circuit
            own = _drawn_here(request)
            if own is not None:
                outcomes.append(own)
                continue
            sampler = _QiskitSampler(seed=np.random.default_rng(request.seed))
            data = sampler.run([circuit], shots=request.shots).result()[0].data
            bits = np.zeros((request.shots, circuit.num_clbits), dtype=np.bool_)
            for register in circuit.cregs:
                columns = [circuit.find_bit(bit).index for bit in register]
                bits[:, columns] = data[register.name].to_bool_array(order="little")
            outcomes.append(bits)
        return outcomes


def _drawn_here(request: Shots) -> Outcomes | None:
    """Shots of what Qiskit's sampler refuses, or what small parts spare it; None of all else."""
    circuit, shots, seed = request.circuit, request.shots, request.seed
    readings = final_readings(circuit, resets=True)
    if readings is None:
        return sampled(circuit, shots, seed)
    parts = sampled_parts(readings)
    small = all(len(part.wires) <= PLAIN_QUBITS for part in parts)
    if small and (readings.resets or len(parts) > 1):
        probabilities = [np.diagonal(reduced_state(part)).real for part in parts]
        return draw_parts(parts, probabilities, circuit.num_clbits, shots, seed)
    return sampled(circuit, shots, seed) if readings.resets else None
