"""What every sampler of this package shares: seeds, checks, results.

A sampler is a Qiskit :class:`~qiskit.primitives.BaseSamplerV2` that also carries a ``target``
over exactly the qubits in use, ``details`` (what stands behind it, for the record of a run) and
``readout`` (assignment errors of each qubit, where it has any).
"""

from __future__ import annotations

import secrets
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.primitives import BaseSamplerV2, BitArray, DataBin, PrimitiveResult, SamplerPubResult
from qiskit.primitives.containers.sampler_pub import SamplerPub
from qiskit.primitives.primitive_job import PrimitiveJob
from qiskit.transpiler import Target

from qbrain.backends.errors import BackendError

__all__ = ["Detail", "Shots", "TargetSampler", "pub_seed"]

Detail = str | int | float | list[int] | list[float]
Outcomes = NDArray[np.bool_]

DEFAULT_SHOTS = 1024


@dataclass(frozen=True)
class Shots:
    """One bound circuit with the number of shots wanted of it and the seed of its randomness."""

    circuit: QuantumCircuit
    shots: int
    seed: int


def pub_seed(entropy: int, key: int, index: int = 0) -> int:
    """Seed (31 bits) of one parameter point of a pub.

    ``key`` is the circuit's ``metadata["step"]`` or else the pub's place in the job, ``index``
    the flat index of the parameter point. It depends on nothing else, so that an interrupted run
    that goes on gets the shots it would have got, and steps are independent of each other.
    """
    state = np.random.SeedSequence(entropy, spawn_key=(key, index)).generate_state(1, np.uint32)
    return int(state[0] >> 1)


class TargetSampler(BaseSamplerV2):  # type: ignore[misc]
    """Base of the samplers: checks and seeds the pubs, packs the outcomes.

    Attributes:
        name: the name under which it was opened.
        target: over exactly the qubits in use.
        details: backend name, device, calibration, physical qubits, method, noise.
        readout: array (qubits, 2) of [p(1|0), p(0|1)], or None where reading is perfect.
        seed: of every result, or None for fresh randomness at each ``run``.
    """

    def __init__(
        self,
        name: str,
        target: Target,
        *,
        seed: int | None = None,
        details: Mapping[str, Detail] | None = None,
        readout: NDArray[np.float64] | None = None,
        default_shots: int = DEFAULT_SHOTS,
    ) -> None:
        if seed is not None and (
            isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0
        ):
            raise BackendError(f"seed: wanted an integer >= 0 or None, got {seed!r}")
        self.name = name
        self.target = target
        self.seed = None if seed is None else int(seed)
        self.details: dict[str, Detail] = {"backend": name, **(details or {})}
        self.readout = readout
        self.default_shots = default_shots

    @property
    def qubits(self) -> int:
        """Number of qubits in use."""
        return int(self.target.num_qubits)

    def run(self, pubs: Iterable[Any], *, shots: int | None = None) -> PrimitiveJob:
        """Sample every pub; the result is a ``PrimitiveResult`` of bit arrays a register.

        Raises:
            BackendError: for a circuit that does not fit the target, has no classical register,
                or carries a ``step`` that is no integer >= 0; and for a bad number of shots.
        """
        wanted = self.default_shots if shots is None else shots
        if isinstance(wanted, bool) or not isinstance(wanted, int | np.integer) or wanted < 1:
            raise BackendError(f"shots: wanted an integer >= 1, got {wanted!r}")
        coerced = [SamplerPub.coerce(pub, int(wanted)) for pub in pubs]
        entropy = secrets.randbits(64) if self.seed is None else self.seed
        requests = []
        for place, pub in enumerate(coerced):
            key = _key(pub.circuit, place)
            for index, circuit in enumerate(_bound(pub)):
                self._check(circuit)
                requests.append(Shots(circuit, pub.shots, pub_seed(entropy, key, index)))
        job = PrimitiveJob(self._run_pubs, coerced, requests)
        job._submit()
        return job

    @abstractmethod
    def _sample(self, requests: Sequence[Shots]) -> list[Outcomes]:
        """Outcomes (shots, clbits) of each request; column j is classical bit j."""

    def _check(self, circuit: QuantumCircuit) -> None:
        if circuit.num_qubits > self.qubits:
            raise BackendError(
                f"circuit {circuit.name}: wanted at most {self.qubits} qubits on {self.name}, "
                f"got {circuit.num_qubits}"
            )
        if not any(step.clbits for step in circuit.data):
            raise BackendError(
                f"circuit {circuit.name}: wanted measurements into a classical register, got none"
            )

    def _run_pubs(self, pubs: list[SamplerPub], requests: list[Shots]) -> PrimitiveResult:
        outcomes = iter(self._sample(requests))
        results = []
        for pub in pubs:
            points = [next(outcomes) for _ in range(max(1, int(np.prod(pub.shape))))]
            results.append(_pack(pub, np.stack(points)))
        return PrimitiveResult(results, metadata={"version": 2, "backend": self.name})


def _key(circuit: QuantumCircuit, place: int) -> int:
    """The step that a circuit says it belongs to, or else its place in the job."""
    step = (circuit.metadata or {}).get("step", place)
    if isinstance(step, bool) or not isinstance(step, int | np.integer) or step < 0:
        raise BackendError(f"metadata['step']: wanted an integer >= 0, got {step!r}")
    return int(step)


def _bound(pub: SamplerPub) -> list[QuantumCircuit]:
    """The circuit at each of the pub's parameter points, in flat order."""
    if not pub.circuit.parameters:
        return [pub.circuit] * max(1, int(np.prod(pub.shape)))
    bound = pub.parameter_values.bind_all(pub.circuit)
    return [bound] if isinstance(bound, QuantumCircuit) else list(bound.ravel())


def _pack(pub: SamplerPub, outcomes: Outcomes) -> SamplerPubResult:
    """Result of one pub from the outcomes (points, shots, clbits) of its parameter points."""
    registers = {}
    for register in pub.circuit.cregs:
        columns = [pub.circuit.find_bit(bit).index for bit in register]
        bits = outcomes[..., columns].reshape(*pub.shape, pub.shots, len(columns))
        registers[register.name] = BitArray.from_bool_array(bits, order="little")
    return SamplerPubResult(
        DataBin(**registers, shape=pub.shape),
        metadata={"shots": pub.shots, "circuit_metadata": pub.circuit.metadata},
    )
