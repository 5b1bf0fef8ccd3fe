"""What every sampler of this package shares: seeds, checks, results.

A sampler is a Qiskit :class:`~qiskit.primitives.BaseSamplerV2` that also carries a ``target``
over exactly the qubits in use, ``details`` (what stands behind it, for the record of a run) and
``readout`` (readout errors of each qubit, where it has any). A device may be used on several
sets of qubits at once, the placements; ``targets`` and ``readouts`` have one entry for each.

A circuit says with its metadata where it belongs: ``step`` (of the run), ``stream`` (of shots
within the step, such as those of a calibration) and ``placement`` (the number of the placement it
runs on). Shots are independent wherever any of the three differs.
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

from .errors import BackendError

__all__ = [
    "Detail",
    "SampledJob",
    "Shots",
    "TargetSampler",
    "metadata_number",
    "placement_of",
    "pub_seed",
]

Detail = str | int | float | list[int] | list[float] | list[list[int]]
Outcomes = NDArray[np.bool_]
SampledJob = PrimitiveJob[PrimitiveResult[SamplerPubResult]]

DEFAULT_SHOTS = 1024


@dataclass(frozen=True)
class Shots:
    """One bound circuit with the number of shots wanted of it and the seed of its randomness."""

    circuit: QuantumCircuit
    shots: int
    seed: int


def pub_seed(entropy: int, key: int, index: int = 0, *, stream: int = 0, placement: int = 0) -> int:
    """Seed (31 bits) of one parameter point of a pub.

    ``key`` is the circuit's ``metadata["step"]`` or else the pub's position in the job, ``index``
    the flat index of the parameter point, ``stream`` and ``placement`` as in the metadata. It
    depends on nothing else, so that an interrupted run that goes on gets the shots it would have
    got, and steps are independent of each other.
    """
    spawn_key: tuple[int, ...] = (key, index)
    if placement:
        spawn_key += (stream, placement)
    elif stream:
        spawn_key += (stream,)
    state = np.random.SeedSequence(entropy, spawn_key=spawn_key).generate_state(1, np.uint32)
    return int(state[0] >> 1)


def metadata_number(circuit: QuantumCircuit, name: str, default: int = 0) -> int:
    """A whole number >= 0 from a circuit's metadata, ``default`` where it says nothing.

    Raises:
        BackendError: for anything else.
    """
    value = (circuit.metadata or {}).get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
        raise BackendError(f"metadata[{name!r}]: wanted an integer >= 0, got {value!r}")
    return int(value)


def placement_of(circuit: QuantumCircuit, placements: int) -> int:
    """Number of the placement that a circuit is for, 0 where it does not say.

    Raises:
        BackendError: for a number that a sampler of so many ``placements`` does not have.
    """
    placement = metadata_number(circuit, "placement")
    if placement >= placements:
        raise BackendError(
            f"metadata['placement']: wanted an integer below {placements}, got {placement}"
        )
    return placement


class TargetSampler(BaseSamplerV2):
    """Base of the samplers: checks and seeds the pubs, packs the outcomes.

    Attributes:
        name: the name under which it was opened.
        target: over exactly the qubits in use.
        details: backend name, device, calibration, physical qubits, method, noise.
        readout: array (qubits, 2) of [p(1|0), p(0|1)], or None where there are no readout errors.
        targets: ``target`` of each placement.
        readouts: ``readout`` of each placement.
        seed: of every result, or None for fresh randomness at each ``run``.
        noisy: whether circuits meet errors, of a simulated or a real device.
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
        noisy: bool = False,
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
        self.targets: tuple[Target, ...] = (target,)
        self.readouts: tuple[NDArray[np.float64] | None, ...] = (readout,)
        self.default_shots = default_shots
        self.noisy = noisy

    @property
    def qubits(self) -> int:
        """Number of qubits in use."""
        return int(self.target.num_qubits)

    @property
    def placements(self) -> int:
        """Number of placements that circuits can be put on."""
        return len(self.targets)

    def run(self, pubs: Iterable[Any], *, shots: int | None = None) -> SampledJob:
        """Sample every pub; the result is a ``PrimitiveResult`` of bit arrays a register.

        Raises:
            BackendError: for a circuit that does not fit the target, has no classical register,
                carries a ``step`` or ``stream`` that is no integer >= 0, or a ``placement`` that
                there is not; and for a bad number of shots.
        """
        wanted = self.default_shots if shots is None else shots
        if isinstance(wanted, bool) or not isinstance(wanted, int | np.integer) or wanted < 1:
            raise BackendError(f"shots: wanted an integer >= 1, got {wanted!r}")
        coerced = [SamplerPub.coerce(pub, int(wanted)) for pub in pubs]
        entropy = secrets.randbits(64) if self.seed is None else self.seed
        requests = []
        for place, pub in enumerate(coerced):
            # without a step, the position in the job tells circuits apart
            key = metadata_number(pub.circuit, "step", place)
            stream = metadata_number(pub.circuit, "stream")
            placement = placement_of(pub.circuit, self.placements)
            for index, circuit in enumerate(_bound(pub)):
                self._check(circuit)
                seed = pub_seed(entropy, key, index, stream=stream, placement=placement)
                requests.append(Shots(circuit, _shots(pub), seed))
        job: SampledJob = PrimitiveJob(self._run_pubs, coerced, requests)
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

    def _run_pubs(
        self, pubs: list[SamplerPub], requests: list[Shots]
    ) -> PrimitiveResult[SamplerPubResult]:
        outcomes = iter(self._sample(requests))
        results = []
        for pub in pubs:
            points = [next(outcomes) for _ in range(max(1, int(np.prod(pub.shape))))]
            results.append(_pack(pub, np.stack(points)))
        return PrimitiveResult(results, metadata={"version": 2, "backend": self.name})


def _shots(pub: SamplerPub) -> int:
    assert pub.shots is not None  # each was coerced with a number
    return pub.shots


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
        bits = outcomes[..., columns].reshape(*pub.shape, _shots(pub), len(columns))
        registers[register.name] = BitArray.from_bool_array(bits, order="little")
    return SamplerPubResult(
        DataBin(**registers, shape=pub.shape),
        metadata={"shots": pub.shots, "circuit_metadata": pub.circuit.metadata},
    )
