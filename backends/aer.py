"""Samplers on Qiskit Aer: ideal, or under a noise model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.transpiler import Target
from qiskit_aer import AerSimulator

from qbrain.backends.errors import BackendError
from qbrain.backends.ideal import ideal_target
from qbrain.backends.isa import first_illegal
from qbrain.backends.readings import Readings, draw, final_readings
from qbrain.backends.sampling import Detail, Outcomes, Shots, TargetSampler

if TYPE_CHECKING:
    from qbrain.backends.snapshot import Cut

__all__ = ["AerSampler", "NoisyAerSampler"]

# Past this a dense vector takes minutes and gigabytes; Aer's matrix-product state takes over.
DENSE_QUBITS = 26
# Up to this many, exact probabilities are taken from Aer and the shots are drawn from them.
DRAWN_QUBITS = 20
# 4^12 complex numbers are 268 MB.
DENSITY_QUBITS = 12
# Trajectories are run in this many parts, each with a seed of its own: the result then does not
# depend on how many threads the machine gives to Aer.
PARTS = 16
# Circuits that read qubits on the way need a trajectory a shot, and are many with few shots each:
# a part is then worth its 0.1 s from this many shots on.
PART_SHOTS = 500
# Up to this many qubits a Kraus set is drawn faster than a mixture of Paulis and resets.
KRAUS_QUBITS = 8


class AerSampler(TargetSampler):
    """Ideal simulation on Aer: state vector, matrix-product state past 26 qubits."""

    def __init__(self, qubits: int, *, seed: int | None = None, name: str = "aer") -> None:
        target = ideal_target(qubits)
        method = "statevector" if qubits <= DENSE_QUBITS else "matrix_product_state"
        super().__init__(name, target, seed=seed, details={"method": method, "noise": "none"})
        self._simulator = AerSimulator(
            method=method, max_parallel_experiments=0, max_parallel_shots=1
        )

    def _sample(self, requests: Sequence[Shots]) -> list[Outcomes]:
        return _sample(
            requests,
            together=lambda request: request.circuit.num_qubits <= DRAWN_QUBITS,
            batch=self._simulator,
            single=lambda request, _: (self._simulator, 1),
        )


class NoisyAerSampler(TargetSampler):
    """Aer under a noise model bound to the gates of a target.

    Noise hangs on the names and places of gates, so a circuit that is not made of the target's
    own instructions would run without it: such a circuit is refused.

    The density matrix is evolved where its 4^n numbers cost less than a state vector of 2^n for
    every shot, which is where 2^n <= shots; else Aer draws trajectories. Circuits that read qubits
    on the way are always drawn as trajectories, one a shot, with reading errors at every
    measurement. Resets are as good as Aer takes them to be: what relaxes in a reset is |0⟩.

    Args:
        name: the name under which it was opened.
        target: over exactly the qubits in use.
        channels: noise model whose gate errors are given as Kraus channels (a density matrix
            takes them twice as fast), or the only one there is.
        mixtures: the same noise with errors as mixtures of unitaries and resets, which
            trajectories draw faster; ``channels`` where not given.
        readout: (qubits, 2): the same reading errors as in the noise model.
    """

    def __init__(
        self,
        name: str,
        target: Target,
        channels: Any,
        mixtures: Any = None,
        *,
        readout: NDArray[np.float64],
        seed: int | None = None,
        details: Mapping[str, Detail] | None = None,
    ) -> None:
        super().__init__(name, target, seed=seed, details=details, readout=readout)
        self._density = AerSimulator(
            method="density_matrix",
            noise_model=channels,
            max_parallel_experiments=0,
            max_parallel_shots=1,
        )
        self._trajectories, self._kraus = (
            AerSimulator(
                method="statevector",
                noise_model=model,
                max_parallel_experiments=0,
                max_parallel_shots=1,
            )
            for model in (channels if mixtures is None else mixtures, channels)
        )

    @classmethod
    def of_cut(cls, name: str, part: Cut, *, seed: int | None = None) -> NoisyAerSampler:
        """The sampler of a device that was cut to the qubits in use."""
        return cls(
            name,
            part.target,
            part.channels,
            part.mixtures,
            seed=seed,
            details=part.details,
            readout=part.readout,
        )

    @staticmethod
    def method_for(qubits: int, shots: int) -> str:
        """``density_matrix`` or ``statevector`` (trajectories): what ``run`` will take."""
        dense = qubits <= DENSITY_QUBITS and 2**qubits <= max(shots, 2)
        return "density_matrix" if dense else "statevector"

    def _check(self, circuit: QuantumCircuit) -> None:
        super()._check(circuit)
        illegal = first_illegal(circuit, self.target)
        if illegal is not None:
            raise BackendError(f"circuit {circuit.name} on {self.name}: {illegal}")

    def _sample(self, requests: Sequence[Shots]) -> list[Outcomes]:
        def dense(request: Shots) -> bool:
            return self.method_for(request.circuit.num_qubits, request.shots) == "density_matrix"

        def single(request: Shots, midway: bool) -> tuple[AerSimulator, int]:
            if not midway:
                return self._trajectories, PARTS
            few = request.circuit.num_qubits <= KRAUS_QUBITS
            parts = max(1, min(PARTS, request.shots // PART_SHOTS))
            return self._kraus if few else self._trajectories, parts

        return _sample(
            requests,
            together=dense,
            batch=self._density,
            single=single,
            readout=self.readout,
        )


def _sample(
    requests: Sequence[Shots],
    *,
    together: Callable[[Shots], bool],
    batch: AerSimulator,
    single: Callable[[Shots, bool], tuple[AerSimulator, int]],
    readout: NDArray[np.float64] | None = None,
) -> list[Outcomes]:
    """Circuits that end in their readings in one Aer job where ``together``, others one by one.

    ``single`` gives simulator and parts for a request, and is told whether it reads qubits on the
    way: then Aer has to draw the shots itself.
    """
    final = [final_readings(request.circuit) for request in requests]
    readings = {
        index: part
        for index, part in enumerate(final)
        if part is not None and together(requests[index])
    }
    probabilities = dict(
        zip(readings, aer_probabilities(batch, list(readings.values())), strict=True)
    )
    outcomes = []
    for index, request in enumerate(requests):
        if index in readings:
            part = readings[index]
            wrong = None if readout is None else readout[list(part.qubits)]
            clbits = request.circuit.num_clbits
            outcomes.append(
                draw(probabilities[index], part.clbits, clbits, request.shots, request.seed, wrong)
            )
        else:
            simulator, parts = single(request, final[index] is None)
            outcomes.append(
                aer_outcomes(simulator, request.circuit, request.shots, request.seed, parts)
            )
    return outcomes


def aer_probabilities(
    simulator: AerSimulator, readings: Sequence[Readings]
) -> list[NDArray[np.float64]]:
    """Exact probabilities (2^m,) of the m qubits that each circuit reads, all in one Aer job.

    Bit i of the index is the i-th qubit read. Reading errors are not in them.

    Raises:
        BackendError: if Aer reports a failure, with its words.
    """
    circuits = []
    for part in readings:
        circuit = part.gates.copy()
        circuit.save_probabilities(list(part.qubits), label="read")
        circuits.append(circuit)
    if not circuits:
        return []
    result = simulator.run(circuits, shots=1, seed_simulator=0).result()
    if not result.success:
        raise BackendError(f"circuit {circuits[0].name}: Aer cannot simulate it: {result.status}")
    return [
        np.asarray(result.data(index)["read"], dtype=np.float64) for index in range(len(circuits))
    ]


def aer_outcomes(
    simulator: AerSimulator, circuit: QuantumCircuit, shots: int, seed: int, parts: int = 1
) -> Outcomes:
    """Let Aer draw the shots: booleans (shots, clbits), column j for classical bit j.

    The shots are drawn in ``parts`` equal parts, each with a seed of its own.

    Raises:
        BackendError: if Aer reports a failure, with its words.
    """
    each = -(-shots // parts)
    result = simulator.run([circuit] * parts, shots=each, seed_simulator=seed, memory=True).result()
    if not result.success:
        raise BackendError(f"circuit {circuit.name}: Aer cannot simulate it: {result.status}")
    memory = [word for run in result.results for word in run.data.memory]
    width = -(-circuit.num_clbits // 8)
    packed = b"".join(int(word, 16).to_bytes(width, "little") for word in memory)
    octets = np.frombuffer(packed, dtype=np.uint8).reshape(len(memory), width)
    bits = np.unpackbits(octets, axis=1, bitorder="little", count=circuit.num_clbits)
    return bits[:shots].astype(np.bool_)
