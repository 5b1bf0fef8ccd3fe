"""A device of the loopback server: what it says of itself, and how it runs a submitted program.

Configuration and calibration are the ones that the IBM client ships. Programs come in the client's
own encoding and results go back in the client's own model, so that nothing here has to know what a
sampler is.
"""

from __future__ import annotations

import copy
import datetime
import hashlib
import json
import math
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from ibm_quantum_schemas.common import CompressedTensorModel
from ibm_quantum_schemas.executor.version_2_0 import (
    ChunkPart,
    ChunkSpan,
    ItemMetadataModel,
    MetadataModel,
    QuantumProgramResultItemModel,
    QuantumProgramResultModel,
)
from qiskit import ClassicalRegister, QuantumCircuit
from qiskit.circuit import Barrier, CircuitInstruction, IfElseOp
from qiskit.primitives.containers.bindings_array import BindingsArray
from qiskit.primitives.containers.sampler_pub import SamplerPub
from qiskit.transpiler import Target
from qiskit_ibm_runtime.fake_provider.executor.broadcast_sample import broadcast_sample
from qiskit_ibm_runtime.quantum_program.params_converters import QUANTUM_PROGRAM_PARAMS_CONVERTERS
from qiskit_ibm_runtime.utils.backend_converter import convert_to_target
from qiskit_ibm_runtime.utils.backend_decoder import (
    configuration_from_server_data,
    properties_from_server_data,
)
from samplomatic.quantum_program import SamplexItem

from qbrain.backends.aer import NoisyAerSampler
from qbrain.backends.compile import duration, scheduled
from qbrain.backends.device_noise import noise_models
from qbrain.backends.feed_forward import BRANCH, branches
from qbrain.backends.fractional import FRACTIONAL, copy_target
from qbrain.backends.snapshot import cut_target

__all__ = ["Device", "Outcome", "ProgramError", "device_names", "open_device"]

# the device, too, lets rounding errors pass
RZZ_BOUNDS = (-1e-10, math.pi / 2 + 1e-10)
# IBM's own fixed cost of a job, in seconds of the processor.
JOB_SECONDS = 2.0


class ProgramError(Exception):
    """A program that the device refuses, with IBM's code for it (1002 or 1517)."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Outcome:
    """Result of a program as JSON, and the seconds it would have taken on the processor."""

    result: str
    seconds: float


@lru_cache(maxsize=1)
def _folders() -> dict[str, Path]:
    spec = find_spec("qiskit_ibm_runtime")
    assert spec is not None
    assert spec.origin is not None
    root = Path(spec.origin).parent / "fake_provider" / "backends"
    return {
        f"ibm_{folder.name}": folder
        for folder in sorted(root.iterdir())
        if any(folder.glob("conf_*.json")) and any(folder.glob("props_*.json"))
    }


def device_names() -> list[str]:
    """Devices whose calibration the IBM client ships."""
    return list(_folders())


@lru_cache(maxsize=8)
def open_device(name: str, idle_noise: bool = False) -> Device:
    """A device that is kept: its noise models take longer to make than most jobs."""
    return Device(name, idle_noise=idle_noise)


class Device:
    """One device by its real name, such as ``ibm_fez``.

    Args:
        name: ``ibm_<snapshot>``.
        idle_noise: let qubits relax while they wait. Off, waiting costs nothing, as on the
            project's own noisy simulator.
    """

    def __init__(self, name: str, *, idle_noise: bool = False) -> None:
        if name not in _folders():
            raise ValueError(f"device: wanted one of {', '.join(_folders())}, got {name!r}")
        folder = _folders()[name]
        (conf,) = folder.glob("conf_*.json")
        (props,) = folder.glob("props_*.json")
        self.name = name
        self.idle_noise = idle_noise
        self.configuration: dict[str, Any] = json.loads(conf.read_text(encoding="utf-8"))
        self.properties: dict[str, Any] = json.loads(props.read_text(encoding="utf-8"))
        self.configuration["backend_name"] = self.properties["backend_name"] = name
        self._add_fractional_gates()
        self._samplers: dict[tuple[int, ...], NoisyAerSampler] = {}
        # a sampler is handed its seed and then run: one at a time
        self._lock = threading.RLock()

    @property
    def qubits(self) -> int:
        """Number of qubits."""
        return int(self.configuration["n_qubits"])

    @cached_property
    def target(self) -> Target:
        """Of the whole device, fractional gates included."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            configuration = configuration_from_server_data(
                copy.deepcopy(self.configuration), use_fractional_gates=None
            )
            properties = properties_from_server_data(
                copy.deepcopy(self.properties), use_fractional_gates=None
            )
            return convert_to_target(configuration, properties)

    @property
    def _reset_seconds(self) -> float:
        lengths = [
            parameter["value"]
            for gate in self.properties["gates"]
            for parameter in gate["parameters"]
            if gate["gate"] == "reset" and parameter["name"] == "gate_length"
        ]
        return 1e-9 * max(lengths, default=0.0)

    def _add_fractional_gates(self) -> None:
        """Offer ``rx`` and ``rzz`` on devices with ``cz``, as the real ones do.

        The bundled calibrations of these devices have errors for both gates while the bundled
        configurations, saved without fractional gates, do not list them.
        """
        places: dict[str, list[list[int]]] = {}
        for gate in self.properties["gates"]:
            places.setdefault(gate["gate"], []).append(gate["qubits"])
        if "cz" not in places:
            return
        for name, twin in (("rx", "sx"), ("rzz", "cz")):
            if name not in places:
                twins = [gate for gate in self.properties["gates"] if gate["gate"] == twin]
                self.properties["gates"] += [
                    {**copy.deepcopy(gate), "gate": name, "name": f"{name}{index}"}
                    for index, gate in enumerate(twins)
                ]
                places[name] = places[twin]
        for name in FRACTIONAL:
            for key in ("basis_gates", "supported_instructions"):
                if name not in self.configuration[key]:
                    self.configuration[key].append(name)
            if not any(gate["name"] == name for gate in self.configuration["gates"]):
                self.configuration["gates"].append(
                    {
                        "name": name,
                        "parameters": ["theta"],
                        "qasm_def": f"gate {name}(theta) q {{ }}",
                        "coupling_map": places[name],
                    }
                )

    def run(self, params: dict[str, Any], seed: int | None) -> Outcome:
        """Run an executor program.

        With a seed, the shots depend on the seed and on what is to be run and on nothing else:
        neither on other jobs nor on names that differ between processes. The same program sent
        twice therefore gives the same shots twice.

        Raises:
            ProgramError: for a program that the device cannot run.
        """
        start = datetime.datetime.now(datetime.UTC)
        version = params.get("schema_version")
        if version != "v2.0":
            raise ProgramError(1002, f"schema_version: wanted v2.0, got {version!r}")
        converter = QUANTUM_PROGRAM_PARAMS_CONVERTERS[version]
        try:
            model = converter.model.model_validate(params)
            program, options = converter.decoder(model)
        except ValueError as error:
            raise ProgramError(1002, f"The program cannot be decoded: {error}") from None
        if program.meas_level != "classified":
            raise ProgramError(1002, f"meas_level: wanted classified, got {program.meas_level}")
        delay = options.execution.rep_delay
        if delay is None:
            delay = self.configuration.get("default_rep_delay", 250.0) * 1e-6
        # the client asks for a reset of all qubits before each shot
        delay += self._reset_seconds if options.execution.init_qubits else 0.0
        data, parts, seconds = [], [], JOB_SECONDS
        for index, item in enumerate(program.items):
            results, length, points = self._run_item(item, program.shots, seed, index)
            seconds += points * program.shots * (delay + length)
            data.append(
                QuantumProgramResultItemModel(
                    results={
                        name: CompressedTensorModel.from_numpy(array)
                        for name, array in results.items()
                    },
                    metadata=ItemMetadataModel(),
                )
            )
            shape = item.shape if isinstance(item, SamplexItem) else _shape(item)
            parts.append(
                ChunkPart(
                    idx_item=index,
                    size=points,
                    permutation=list(range(len(shape))),
                    element_range=(0, points, 1),
                )
            )
        stop = datetime.datetime.now(datetime.UTC)
        result = QuantumProgramResultModel(
            data=data,
            metadata=MetadataModel(chunk_timing=[ChunkSpan(start=start, stop=stop, parts=parts)]),
            passthrough_data=model.quantum_program.passthrough_data,
            semantic_role=model.quantum_program.semantic_role,
        )
        return Outcome(result.model_dump_json(), seconds)

    def _run_item(
        self, item: Any, shots: int, seed: int | None, index: int
    ) -> tuple[dict[str, np.ndarray], float, int]:
        """Arrays of one item, the length of its circuit in seconds, the number of its points."""
        circuit = item.circuit
        self._check(circuit)
        entropy = np.random.SeedSequence(
            None if seed is None else [seed, index, *_fingerprint(item, shots)]
        )
        sampling, *seeds = entropy.spawn(1 + circuit.num_qubits)
        extra: dict[str, np.ndarray] = {}
        if isinstance(item, SamplexItem):
            item.samplex.finalize()
            extra = broadcast_sample(
                item.samplex,
                item.samplex_arguments,
                item.shape,
                np.random.default_rng(sampling),
            )
            values = np.asarray(extra.pop("parameter_values", np.empty((*item.shape, 0))))
        else:
            values = np.asarray(item.circuit_arguments, dtype=np.float64)
            values = values.reshape(*_shape(item), circuit.num_parameters)
        shape = values.shape[:-1]
        bits = np.zeros((*shape, shots, circuit.num_clbits), dtype=np.bool_)
        length = 0.0
        for number, part in enumerate(_components(circuit, whole=self.idle_noise)):
            part_seed = int(seeds[number].generate_state(1, np.uint64)[0])
            columns = [list(circuit.parameters).index(name) for name in part.circuit.parameters]
            outcomes, part_length = self._sample(part, values[..., columns], shots, part_seed)
            bits[..., part.clbits] = outcomes
            length = max(length, part_length)
        results = {
            register.name: bits[..., [circuit.find_bit(bit).index for bit in register]]
            for register in circuit.cregs
        }
        return {**extra, **results}, length, math.prod(shape)

    def _sample(
        self, part: _Component, values: np.ndarray, shots: int, seed: int
    ) -> tuple[np.ndarray, float]:
        """Booleans (..., shots, clbits) of one part, and its length in seconds."""
        sampler = self._sampler(part.qubits)
        circuit = part.circuit
        if self.idle_noise and not branches(circuit):
            circuit = scheduled(circuit, sampler.target)
        named = {tuple(circuit.parameters): values} if values.shape[-1] else {}
        # the shape is repeated also where there is nothing to bind
        pub = SamplerPub(circuit, BindingsArray(named, shape=values.shape[:-1]), shots)
        try:
            with self._lock:
                sampler.seed = seed
                result = sampler.run([pub]).result()[0]
            length = duration(circuit, sampler.target) or 0.0
        except ValueError as error:
            raise ProgramError(1517, f"{error}, on qubits {part.qubits} as 0, 1, ...") from None
        return result.data["c"].to_bool_array(order="little"), length

    def _sampler(self, qubits: tuple[int, ...]) -> NoisyAerSampler:
        if qubits not in self._samplers:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                target = copy_target(cut_target(self.target, qubits), rzz_bounds=RZZ_BOUNDS)
                readout = self._readout[list(qubits)]
                channels, mixtures = noise_models(target, readout)
            self._samplers[qubits] = NoisyAerSampler(
                self.name, target, channels, mixtures, readout=readout, feed_forward=True
            )
        return self._samplers[qubits]

    @cached_property
    def _readout(self) -> np.ndarray:
        """(qubits, 2): p(1|0), p(0|1)."""
        table = np.zeros((self.qubits, 2))
        for qubit, entries in enumerate(self.properties["qubits"]):
            values = {entry["name"]: entry["value"] for entry in entries}
            mean = values.get("readout_error", 0.0)
            table[qubit] = (
                values.get("prob_meas1_prep0", mean),
                values.get("prob_meas0_prep1", mean),
            )
        return table

    def _check(self, circuit: QuantumCircuit) -> None:
        """Gate names and places; bounds of angles are checked when they are bound."""
        for step in circuit.data:
            place = tuple(circuit.find_bit(qubit).index for qubit in step.qubits)
            if step.name == "barrier":
                continue
            # IBM's words and its code
            if not self.target.instruction_supported(step.name, place):
                raise ProgramError(
                    1517,
                    f"The instruction {step.name} on qubits {place} is not supported by the "
                    "target system. Transpile your circuits for the target before submitting.",
                )
            if step.is_control_flow() and step.name != BRANCH:
                raise ProgramError(1517, f"{step.name}: this server runs no loops and no switches")


@dataclass(frozen=True)
class _Component:
    """Part of a circuit that nothing joins to the rest; ``clbits[i]`` is its bit i."""

    circuit: QuantumCircuit
    qubits: tuple[int, ...]
    clbits: list[int]


def _components(circuit: QuantumCircuit, *, whole: bool) -> Iterator[_Component]:
    """Parts of a circuit that share neither gates nor classical bits; only those that are read.

    A circuit that runs one program on several places of the device, or that only prepares and
    reads qubits, would not fit a simulator as a whole. ``whole``: one part all the same, because
    parts wait for each other.
    """
    parent = list(range(circuit.num_qubits + circuit.num_clbits))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    index = {qubit: number for number, qubit in enumerate(circuit.qubits)}
    idle = ("barrier", "delay")
    active = {index[q] for step in circuit.data if step.name not in idle for q in step.qubits}
    steps = []
    for step in circuit.data:
        # padding reaches qubits that are never used, and barriers may span the whole device
        qubits = [index[qubit] for qubit in step.qubits if index[qubit] in active]
        clbits = [circuit.find_bit(clbit).index for clbit in step.clbits]
        if not qubits:
            continue
        if step.name == "barrier":
            if whole:
                barrier = CircuitInstruction(Barrier(len(qubits)), step.qubits[: len(qubits)])
                steps.append((barrier, qubits, clbits))
            continue
        nodes = qubits + [circuit.num_qubits + clbit for clbit in clbits]
        for node in nodes[1:]:
            parent[root(node)] = root(nodes[0])
        steps.append((step, qubits, clbits))
    groups: dict[int, list[Any]] = {}
    for entry in steps:
        groups.setdefault(0 if whole else root(entry[1][0]), []).append(entry)
    for group in groups.values():
        qubits = sorted({qubit for _, places, _ in group for qubit in places})
        clbits = sorted({clbit for _, _, bits in group for clbit in bits})
        if not clbits:
            continue
        part = QuantumCircuit(len(qubits))
        part.add_register(ClassicalRegister(len(clbits), "c"))
        wires = dict(zip(qubits, part.qubits, strict=True))
        bits = dict(zip(clbits, part.clbits, strict=True))
        for step, places, targets in group:
            operation = step.operation
            if step.name == BRANCH:
                bit, value = operation.condition
                condition = bits[circuit.find_bit(bit).index], value
                operation = IfElseOp(condition, *operation.blocks)
            part._append(
                step.replace(
                    operation=operation,
                    qubits=[wires[place] for place in places],
                    clbits=[bits[target] for target in targets],
                )
            )
        yield _Component(part, tuple(qubits), clbits)


def _shape(item: Any) -> tuple[int, ...]:
    return tuple(np.asarray(item.circuit_arguments).shape[:-1])


def _fingerprint(item: Any, shots: int) -> list[int]:
    """What an item does, as numbers. Names of circuits and identities of parameters, which differ
    from process to process, are not in it.
    """
    circuit = item.circuit
    digest = hashlib.sha256(repr((shots, circuit.num_qubits)).encode())
    for step in circuit.data:
        qubits = [circuit.find_bit(qubit).index for qubit in step.qubits]
        clbits = [circuit.find_bit(clbit).index for clbit in step.clbits]
        values = [str(value) for value in step.params]
        digest.update(repr((step.name, qubits, clbits, values)).encode())
    if isinstance(item, SamplexItem):
        digest.update(repr(item.shape).encode())
        arguments = dict(sorted(item.samplex_arguments.items()))
    else:
        arguments = {"circuit_arguments": item.circuit_arguments}
    for name, value in arguments.items():
        digest.update(name.encode())
        array = isinstance(value, np.ndarray)
        digest.update(np.ascontiguousarray(value).tobytes() if array else repr(value).encode())
    return [int(word) for word in np.frombuffer(digest.digest(), dtype="<u4")]
