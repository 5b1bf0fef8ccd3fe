"""A sampler that keeps the simulated state between runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qiskit import QuantumCircuit
from qiskit.quantum_info import Statevector

from .compile import to_isa
from .errors import BackendError
from .ideal import ideal_target
from .readings import draw, take_readings
from .sampling import Outcomes, SampledJob, Shots, TargetSampler
from .unchecked import append_known

__all__ = ["StatefulSampler"]


class StatefulSampler(TargetSampler):
    """Each circuit starts from the state that the one before it left.

    ``run([step])`` applies the gates of ``step`` to the kept state, keeps what comes of it, and
    draws the shots from it. The shots are those of an ensemble: what was read does not act back on
    the kept state. No device can do this; it is the cheap way to simulate one that replays
    the whole evolution for every reading.

    Results do not depend on what was sampled before, only on the state and the seed of the step
    (see :func:`qbrain.backends.sampling.pub_seed`): a run goes on after an interruption with
    ``reset(state)``.

    Args:
        name: ``aer`` or ``statevector`` (Qiskit's own).
        qubits: number of qubits; every circuit must have just as many.
        seed: as of any sampler.

    Raises:
        BackendError: for another name, and for what :class:`TargetSampler` refuses.
    """

    keeps_state = True

    def __init__(self, name: str, qubits: int, *, seed: int | None = None) -> None:
        if name not in ("aer", "statevector"):
            raise BackendError(
                f"backend: wanted aer or statevector to keep the state between steps, got {name!r}"
            )
        super().__init__(
            name,
            ideal_target(qubits),
            seed=seed,
            details={"method": "statevector", "noise": "none", "state": "kept between runs"},
        )
        self._state = np.zeros(2**qubits, dtype=np.complex128)
        self._simulator: Any = None
        if name == "aer":
            from qiskit_aer import AerSimulator

            self._simulator = AerSimulator(method="statevector", max_parallel_shots=1)
        self.reset()

    @property
    def state(self) -> NDArray[np.complex128]:
        """The kept state (2^qubits,), qubit j being bit j of the index; a copy."""
        return self._state.copy()

    def reset(self, state: ArrayLike | None = None) -> None:
        """Put all qubits into |0⟩, or into the given state (2^qubits,) of norm 1.

        Raises:
            BackendError: for another shape, numbers that are not finite, or another norm.
        """
        size = 2**self.qubits
        if state is None:
            self._state = np.zeros(size, dtype=np.complex128)
            self._state[0] = 1
            return
        vector = np.array(state, dtype=np.complex128)
        norm = float(np.linalg.norm(vector))
        if vector.shape != (size,) or not abs(norm - 1) < 1e-9:
            raise BackendError(
                f"state: wanted shape {(size,)} and norm 1, got {vector.shape} and {norm:.9g}"
            )
        self._state = vector

    def run(self, pubs: Any, *, shots: int | None = None) -> SampledJob:
        """Sample as any sampler does, and be done on return: the next run needs the state."""
        job = super().run(pubs, shots=shots)
        job.result()
        return job

    def _check(self, circuit: QuantumCircuit) -> None:
        super()._check(circuit)
        if circuit.num_qubits != self.qubits:
            raise BackendError(
                f"circuit {circuit.name}: wanted {self.qubits} qubits, got {circuit.num_qubits}"
            )
        take_readings(circuit)

    def _sample(self, requests: Sequence[Shots]) -> list[Outcomes]:
        outcomes = []
        for request in requests:
            readings = take_readings(request.circuit)
            self._state = self._evolve(readings.gates)
            bits = [-1] * self.qubits
            for qubit, clbit in zip(readings.qubits, readings.clbits, strict=True):
                bits[qubit] = clbit
            outcomes.append(
                draw(
                    np.abs(self._state) ** 2,
                    bits,
                    request.circuit.num_clbits,
                    request.shots,
                    request.seed,
                )
            )
        return outcomes

    def _evolve(self, gates: QuantumCircuit) -> NDArray[np.complex128]:
        start = Statevector(self._state)
        if self._simulator is None:
            state = np.asarray(start.evolve(gates).data, dtype=np.complex128)
        else:
            from qiskit_aer.library import SaveStatevector, SetStatevector

            job = QuantumCircuit(*gates.qregs, global_phase=gates.global_phase)
            job.append(SetStatevector(start), job.qubits)
            for step in to_isa(gates, self.target).data:
                append_known(job, step)
            job.append(SaveStatevector(job.num_qubits, label="state"), job.qubits)
            result = self._simulator.run(job, shots=1).result()
            if not result.success:
                raise BackendError(f"circuit {gates.name}: Aer cannot simulate it: {result.status}")
            state = np.asarray(result.data(0)["state"], dtype=np.complex128)
        # rounding would pile up over thousands of steps
        return np.asarray(state / np.sqrt(np.sum(np.abs(state) ** 2)))
