"""Samplers on Qiskit Aer: ideal, or under a noise model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.transpiler import Target
from qiskit_aer import AerSimulator
from qiskit_aer.library import SaveProbabilities

from .channels import Part, draw_parts, sampled_parts
from .check.mps import UNBOUNDED_MB
from .compile import scheduled, two_qubit_gates
from .errors import BackendError
from .feed_forward import branches, flattened
from .ideal import ideal_target
from .isa import first_illegal
from .readings import Readings, final_readings
from .sampling import Detail, Outcomes, Shots, TargetSampler

if TYPE_CHECKING:
    from .snapshot import Cut

__all__ = ["AerSampler", "NoisyAerSampler", "exact_probabilities"]

# Past this a dense vector takes minutes and gigabytes; Aer's matrix-product state takes over, as it
# does in the check before dispatch.
DENSE_QUBITS = 24
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
    """Ideal simulation on Aer: state vector, matrix-product state past 24 qubits."""

    feed_forward = True

    def __init__(self, qubits: int, *, seed: int | None = None, name: str = "aer") -> None:
        target = ideal_target(qubits)
        method = "statevector" if qubits <= DENSE_QUBITS else "matrix_product_state"
        super().__init__(name, target, seed=seed, details={"method": method, "noise": "none"})
        limits = {"matrix_product_state": {"max_memory_mb": UNBOUNDED_MB}}
        self._simulator, self._density = (
            AerSimulator(
                method=each,
                max_parallel_experiments=0,
                max_parallel_shots=1,
                **limits.get(each, {}),
            )
            for each in (method, "density_matrix")
        )

    def _sample(self, requests: Sequence[Shots]) -> list[Outcomes]:
        def exact(part: Part, shots: int) -> AerSimulator | None:
            if part.resets:
                return self._density if density_is_cheaper(len(part.wires), shots) else None
            return self._simulator if len(part.wires) <= DRAWN_QUBITS else None

        return _sample(requests, exact=exact, single=lambda request, _: (self._simulator, 1))


class NoisyAerSampler(TargetSampler):
    """Aer under a noise model bound to the gates of a target.

    Noise hangs on the names and places of gates, so a circuit that is not made of the target's
    own instructions would run without it: such a circuit is refused.

    The density matrix is evolved where its 4^n numbers cost less than a state vector of 2^n for
    every shot, which is where 2^n <= shots; else Aer draws trajectories. Circuits that read qubits
    on the way are always drawn as trajectories, one a shot, with readout errors at every
    measurement. Resets are as good as Aer takes them to be: what relaxes in a reset is |0⟩.

    Args:
        name: the name under which it was opened.
        target: over exactly the qubits in use.
        channels: noise model whose gate errors are given as Kraus channels (a density matrix
            takes them twice as fast), or the only one there is.
        mixtures: the same noise with errors as mixtures of unitaries and resets, which
            trajectories draw faster; ``channels`` where not given.
        readout: (qubits, 2): the same readout errors as in the noise model.
        waits: schedule every circuit, so that qubits relax while they wait.
        bare: the sampler of circuits without two-qubit gates, where their noise is another.
        feed_forward: whether circuits may branch on a reading; those that do are not scheduled.
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
        waits: bool = False,
        bare: NoisyAerSampler | None = None,
        feed_forward: bool = False,
    ) -> None:
        super().__init__(name, target, seed=seed, details=details, readout=readout, noisy=True)
        self._waits = waits
        self._bare = bare
        self.feed_forward = feed_forward
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
            waits=part.waits,
            bare=None if part.bare is None else cls.of_cut(name, part.bare, seed=seed),
            feed_forward=part.feed_forward,
        )

    @staticmethod
    def method_for(qubits: int, shots: int) -> str:
        """``density_matrix`` or ``statevector`` (trajectories): what ``run`` will take."""
        return "density_matrix" if density_is_cheaper(qubits, shots) else "statevector"

    def _check(self, circuit: QuantumCircuit) -> None:
        super()._check(circuit)
        illegal = first_illegal(flattened(circuit) if self.feed_forward else circuit, self.target)
        if illegal is not None:
            raise BackendError(f"circuit {circuit.name} on {self.name}: {illegal}")

    def _sample(self, requests: Sequence[Shots]) -> list[Outcomes]:
        if self._bare is None:
            return self._sample_alike(requests)
        found: dict[int, Outcomes] = {}
        linked = [two_qubit_gates(request.circuit) > 0 for request in requests]
        for sample, chosen in ((self._sample_alike, True), (self._bare._sample, False)):
            mine = [index for index, kind in enumerate(linked) if kind is chosen]
            found |= zip(mine, sample([requests[index] for index in mine]), strict=True)
        return [found[index] for index in range(len(requests))]

    def _sample_alike(self, requests: Sequence[Shots]) -> list[Outcomes]:
        """Sample circuits that all have this sampler's own noise."""

        def exact(part: Part, shots: int) -> AerSimulator | None:
            return self._density if density_is_cheaper(len(part.wires), shots) else None

        def single(request: Shots, midway: bool) -> tuple[AerSimulator, int]:
            if not midway:
                return self._trajectories, PARTS
            few = request.circuit.num_qubits <= KRAUS_QUBITS
            parts = max(1, min(PARTS, request.shots // PART_SHOTS))
            return self._kraus if few else self._trajectories, parts

        if self._waits:
            requests = [
                request
                if branches(request.circuit)
                else replace(request, circuit=scheduled(request.circuit, self.target))
                for request in requests
            ]
        return _sample(requests, exact=exact, single=single, readout=self.readout)


def density_is_cheaper(qubits: int, shots: int) -> bool:
    """Whether 4^n numbers are evolved at less cost than 2^n for each shot, and fit in memory."""
    return qubits <= DENSITY_QUBITS and 2**qubits <= max(shots, 2)


def _sample(
    requests: Sequence[Shots],
    *,
    exact: Callable[[Part, int], AerSimulator | None],
    single: Callable[[Shots, bool], tuple[AerSimulator, int]],
    readout: NDArray[np.float64] | None = None,
) -> list[Outcomes]:
    """Circuits that end in their readings in one Aer job, as far as can be; others one by one.

    ``exact`` gives the simulator of exact probabilities for a part of a circuit and a number of
    shots; None where Aer draws them. ``single`` then gives simulator and number of runs for a
    request, and is told whether it reads or resets qubits on the way.
    """
    final = [final_readings(request.circuit, resets=True) for request in requests]
    plan: dict[int, list[tuple[Part, AerSimulator]]] = {}
    for index, (request, readings) in enumerate(zip(requests, final, strict=True)):
        parts = [] if readings is None else sampled_parts(readings)
        found = [(part, exact(part, request.shots)) for part in parts]
        usable = [(part, simulator) for part, simulator in found if simulator is not None]
        if usable and len(usable) == len(found):
            plan[index] = usable
    probabilities = _probabilities(plan)
    outcomes = []
    for index, (request, readings) in enumerate(zip(requests, final, strict=True)):
        circuit, shots, seed = request.circuit, request.shots, request.seed
        if index in plan:
            parts = [part for part, _ in plan[index]]
            found_weights = probabilities[index]
            clbits = circuit.num_clbits
            outcomes.append(draw_parts(parts, found_weights, clbits, shots, seed, readout))
        else:
            simulator, runs = single(request, readings is None or readings.resets)
            outcomes.append(aer_outcomes(simulator, circuit, shots, seed, runs))
    return outcomes


def _probabilities(
    plan: Mapping[int, Sequence[tuple[Part, AerSimulator]]],
) -> dict[int, list[NDArray[np.float64]]]:
    """Probabilities of each part of each circuit, one job for all parts of one simulator."""
    found: dict[int, list[NDArray[np.float64]]] = {
        index: [np.empty(0)] * len(parts) for index, parts in plan.items()
    }
    jobs: dict[int, list[tuple[int, int]]] = {}
    for index, parts in plan.items():
        for number, (_, simulator) in enumerate(parts):
            jobs.setdefault(id(simulator), []).append((index, number))
    for places in jobs.values():
        simulator = plan[places[0][0]][places[0][1]][1]
        results = aer_probabilities(simulator, [plan[i][number][0] for i, number in places])
        for (index, number), weights in zip(places, results, strict=True):
            found[index][number] = weights
    return found


def aer_probabilities(
    simulator: AerSimulator, readings: Sequence[Readings]
) -> list[NDArray[np.float64]]:
    """Exact probabilities (2^m,) of the m qubits that each circuit reads, all in one Aer job.

    Bit i of the index is the i-th qubit read. Readout errors are not in them.

    Raises:
        BackendError: if Aer reports a failure, with its words.
    """
    circuits = []
    for part in readings:
        circuit = part.gates.copy()
        circuit.append(SaveProbabilities(len(part.qubits), label="read"), list(part.qubits))
        circuits.append(circuit)
    if not circuits:
        return []
    result = simulator.run(circuits, shots=1, seed_simulator=0).result()
    if not result.success:
        raise BackendError(f"circuit {circuits[0].name}: Aer cannot simulate it: {result.status}")
    return [
        np.asarray(result.data(index)["read"], dtype=np.float64) for index in range(len(circuits))
    ]


def exact_probabilities(
    circuits: Sequence[QuantumCircuit], places: Sequence[Sequence[int]], noise: Any
) -> list[NDArray[np.float64]]:
    """Exact probabilities of circuits of gates alone under a noise model, as density matrices.

    ``places[i]``: the qubits of circuit i that are read; bit j of the index is the j-th of them.
    Readout errors are not in them.

    Raises:
        BackendError: if Aer reports a failure, with its words.
    """
    simulator = AerSimulator(
        method="density_matrix",
        noise_model=noise,
        max_parallel_experiments=0,
        max_parallel_shots=1,
    )
    readings = [
        Readings(circuit, tuple(place), tuple(range(len(place))))
        for circuit, place in zip(circuits, places, strict=True)
    ]
    return aer_probabilities(simulator, readings)


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
