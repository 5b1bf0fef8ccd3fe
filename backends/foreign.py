"""Samplers on backends that somebody else made.

A backend is cut to n of its qubits (:mod:`qbrain.backends.fitting`); circuits come in over those
and are put on the backend's own qubits just before they are sent. Circuits that end in their
readings are sent with the classical bits in the order of the physical qubits, so that nothing
depends on whether a provider reports bits by qubit, by classical bit or by order of measurement.

Reproducible by seed is what takes a seed: a backend with the option ``seed_simulator`` (all that
stand on Aer) runs circuits one by one, each with its own seed. Others run all circuits of a call
in as few jobs as they allow, and ``details["seed"]`` says that they take none.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.primitives import BaseSamplerV2
from qiskit.providers import BackendV2
from qiskit.transpiler import Target

from .billing import Repetition
from .errors import BackendError, DeviceFault
from .fitting import Fit, fits, measure_errors, reports_errors
from .isa import first_illegal
from .plugs import WANTED, is_place, one_line
from .readings import final_readings
from .sampling import Detail, Outcomes, Shots, TargetSampler, placement_of

__all__ = ["BackendSampler", "ForeignSampler", "PrimitiveSampler", "open_foreign"]

Array = NDArray[np.float64]

SEED = "seed_simulator"


def open_foreign(
    backend: object,
    *,
    name: str | None = None,
    source: str | None = None,
    qubits: int,
    seed: int | None = None,
    placements: int = 1,
    fractional: bool = False,
) -> TargetSampler:
    """A sampler over ``qubits`` qubits of a BackendV2, or of a BaseSamplerV2 with a target.

    The bundled fake devices of the IBM client are opened as the snapshots that they are, by their
    own targets: their noise is cut to the qubits in use, where a run of the whole takes seconds.

    Args:
        backend: where to run.
        name: of the sampler; the backend's own where not given.
        source: where the backend came from, for ``details``.
        qubits: how many qubits circuits have.
        seed: of every result, as far as the backend takes one.
        placements: how many disjoint sets of qubits circuits can be put on.
        fractional: with gates that take only some angles.

    Raises:
        BackendError: for anything else than a backend, for a target that cannot be had, and as
            :func:`qbrain.backends.fitting.fits`.
    """
    if not is_place(backend):
        raise BackendError(f"backend: wanted a name, {WANTED}, got {type(backend).__name__}")
    label = name or str(getattr(backend, "name", None) or type(backend).__name__)
    if _is_fake_device(backend):
        from .placements import open_device_snapshot

        found: TargetSampler = open_device_snapshot(
            label, backend, qubits, seed=seed, placements=placements, fractional=fractional
        )
        found.details |= _origin(backend, source)
        return found
    target = _target_of(backend, label)
    found_fits = fits(
        target,
        label,
        qubits,
        readout=_readout_of(backend, target),
        placements=placements,
        fractional=fractional,
    )
    if isinstance(backend, BackendV2):
        return BackendSampler(label, backend, found_fits, seed=seed, source=source)
    return PrimitiveSampler(label, backend, found_fits, seed=seed, source=source)


@dataclass(frozen=True)
class Placed:
    """A circuit on the backend's own qubits.

    Column k of what is read belongs to classical bit ``clbits[k]`` of the circuit that came in.
    """

    circuit: QuantumCircuit
    clbits: tuple[int, ...]


def _repetition_of(backend: Any) -> Repetition:
    """What waits between shots, where the backend has a configuration as the IBM client's have."""
    try:
        return Repetition.of(backend.configuration())
    except Exception:  # somebody else's code: it may have no such thing, or another by its name
        return Repetition()


class ForeignSampler(TargetSampler):
    """What the samplers on other people's backends share: placements, records, the way there.

    Args:
        name: under which it was opened.
        backend: where circuits run.
        found: the qubits in use, one entry a placement.
        seed: as of any sampler.
        source: where the backend came from, for ``details``.
    """

    def __init__(
        self,
        name: str,
        backend: Any,
        found: Sequence[Fit],
        *,
        seed: int | None = None,
        source: str | None = None,
    ) -> None:
        first = found[0]
        noisy = any(reports_errors(fit.target) for fit in found) or _noise_of(backend) is not None
        details: dict[str, Detail] = {
            **_origin(backend, source),
            **_repetition_of(backend).details(),
            "physical_qubits": list(first.place.qubits),
            "layout": first.layout,
            "search": first.place.search,
            "noise": "the backend's own" if noisy else "none reported",
        }
        if len(found) > 1:
            details["placements"] = [list(fit.place.qubits) for fit in found]
        super().__init__(
            name, first.target, seed=seed, details=details, readout=first.readout, noisy=noisy
        )
        self.backend = backend
        self._fits = tuple(found)
        self.targets = tuple(fit.target for fit in found)
        self.readouts = tuple(fit.readout for fit in found)

    def placed(self, circuit: QuantumCircuit) -> Placed:
        """The circuit on the qubits of the placement that its metadata names."""
        qubits = self._fits[placement_of(circuit, self.placements)].place.qubits
        return on_qubits(circuit, qubits)

    def _check(self, circuit: QuantumCircuit) -> None:
        super()._check(circuit)
        illegal = first_illegal(circuit, self.targets[placement_of(circuit, self.placements)])
        if illegal is not None:
            raise BackendError(f"circuit {circuit.name} on {self.name}: {illegal}")


class BackendSampler(ForeignSampler):
    """Circuits by the ``run`` of a :class:`~qiskit.providers.BackendV2`."""

    def __init__(
        self,
        name: str,
        backend: BackendV2,
        found: Sequence[Fit],
        *,
        seed: int | None = None,
        source: str | None = None,
    ) -> None:
        super().__init__(name, backend, found, seed=seed, source=source)
        self._options = _options_of(backend)
        self.details["seed"] = "a circuit each" if SEED in self._options else "not taken"

    def _sample(self, requests: Sequence[Shots]) -> list[Outcomes]:
        outcomes: list[Outcomes | None] = [None] * len(requests)
        for batch in self._batches(requests):
            group = [requests[index] for index in batch]
            for index, found in zip(batch, self._run_batch(group), strict=True):
                outcomes[index] = found
        return [found for found in outcomes if found is not None]

    def _batches(self, requests: Sequence[Shots]) -> list[list[int]]:
        """Requests that go in one job: of the same number of shots; one each where seeded."""
        if SEED in self._options:
            return [[index] for index in range(len(requests))]
        groups: dict[int, list[int]] = {}
        for index, request in enumerate(requests):
            groups.setdefault(request.shots, []).append(index)
        most = self.backend.max_circuits or len(requests)
        return [
            group[start : start + most]
            for group in groups.values()
            for start in range(0, len(group), most)
        ]

    def _run_batch(self, requests: Sequence[Shots]) -> list[Outcomes]:
        placed = [self.placed(request.circuit) for request in requests]
        options: dict[str, Any] = {"shots": requests[0].shots}
        if "memory" in self._options:
            options["memory"] = True
        if SEED in self._options:
            options[SEED] = requests[0].seed
            if "max_parallel_shots" in self._options:
                options["max_parallel_shots"] = 1  # else shots depend on the machine's cores
        try:
            result = self.backend.run([each.circuit for each in placed], **options).result()
        except Exception as error:  # a stranger's backend may fail in any way
            raise DeviceFault(f"{self.name}: {one_line(error)}") from error
        if not getattr(result, "success", True):
            raise DeviceFault(f"{self.name}: {result.status}")
        return [
            _scattered(
                _outcomes(result, index, len(each.clbits), request, self.name), each, request
            )
            for index, (each, request) in enumerate(zip(placed, requests, strict=True))
        ]


class PrimitiveSampler(ForeignSampler):
    """Circuits by a :class:`~qiskit.primitives.BaseSamplerV2` that has a target.

    Its seed is its own affair: the interface knows none.
    """

    def __init__(
        self,
        name: str,
        backend: BaseSamplerV2,
        found: Sequence[Fit],
        *,
        seed: int | None = None,
        source: str | None = None,
    ) -> None:
        super().__init__(name, backend, found, seed=seed, source=source)
        self.details["seed"] = "the sampler's own"

    def _sample(self, requests: Sequence[Shots]) -> list[Outcomes]:
        placed = [self.placed(request.circuit) for request in requests]
        pubs = [(p.circuit, None, r.shots) for p, r in zip(placed, requests, strict=True)]
        try:
            results = self.backend.run(pubs).result()
        except Exception as error:  # a stranger's sampler may fail in any way
            raise DeviceFault(f"{self.name}: {one_line(error)}") from error
        return [
            _scattered(_registers(result.data, each.circuit, request.shots), each, request)
            for result, each, request in zip(results, placed, requests, strict=True)
        ]


def on_qubits(circuit: QuantumCircuit, qubits: Sequence[int]) -> Placed:
    """A circuit over n qubits on the device's ``qubits``, as wide as it takes.

    Measurements at the end are put in the order of the physical qubits; where there are others,
    all classical registers stay as they are.
    """
    line = qubits[: circuit.num_qubits]
    width = max(line) + 1
    readings = final_readings(circuit)
    wires = QuantumRegister(width, "q")
    if readings is None:
        placed = QuantumCircuit(wires, name=circuit.name, global_phase=circuit.global_phase)
        placed.add_bits(circuit.clbits)
        for register in circuit.cregs:
            placed.add_register(register)
        clbits = tuple(range(circuit.num_clbits))
    else:
        read = ClassicalRegister(len(readings.clbits), "read")
        placed = QuantumCircuit(wires, read, name=circuit.name, global_phase=circuit.global_phase)
        pairs = sorted((line[q], c) for q, c in zip(readings.qubits, readings.clbits, strict=True))
        clbits = tuple(bit for _, bit in pairs)
    place = {qubit: wires[line[index]] for index, qubit in enumerate(circuit.qubits)}
    for step in circuit.data:
        if readings is None or step.name != "measure":
            placed.append(step.replace(qubits=[place[qubit] for qubit in step.qubits]))
    if readings is not None:
        for column, (qubit, _) in enumerate(pairs):
            placed.measure(qubit, column)
    placed.metadata = {k: v for k, v in (circuit.metadata or {}).items() if k != "placement"}
    return Placed(placed, clbits)


def _scattered(read: Outcomes, placed: Placed, request: Shots) -> Outcomes:
    """Columns of what was read, at the classical bits of the circuit that came in."""
    outcomes = np.zeros((request.shots, request.circuit.num_clbits), dtype=np.bool_)
    outcomes[:, list(placed.clbits)] = read
    return outcomes


def _registers(data: Any, circuit: QuantumCircuit, shots: int) -> Outcomes:
    bits = np.zeros((shots, circuit.num_clbits), dtype=np.bool_)
    for register in circuit.cregs:
        columns = [circuit.find_bit(bit).index for bit in register]
        bits[:, columns] = data[register.name].to_bool_array(order="little")
    return bits


def _outcomes(result: Any, index: int, clbits: int, request: Shots, name: str) -> Outcomes:
    """Booleans (shots, clbits) of one circuit from a Qiskit result, from its shots or its counts.

    Counts have lost the order of the shots; they come in an order drawn by the request's seed.

    Raises:
        DeviceFault: if there are not as many shots as asked for, or they cannot be read.
    """
    data = result.results[index].data
    memory = getattr(data, "memory", None)
    if memory is not None and len(memory):
        numbers = [_number(word, name) for word in memory]
    else:
        counts = getattr(data, "counts", None) or result.get_counts(index)
        numbers = [_number(word, name) for word, times in counts.items() for _ in range(times)]
        order = np.random.default_rng(request.seed).permutation(len(numbers))
        numbers = [numbers[place] for place in order]
    if len(numbers) != request.shots:
        raise DeviceFault(f"{name}: wanted {request.shots} shots, got {len(numbers)}")
    width = -(-clbits // 8)
    try:
        packed = b"".join(number.to_bytes(width, "little") for number in numbers)
    except OverflowError:
        raise DeviceFault(
            f"{name}: wanted outcomes of {clbits} bits, got {max(numbers):b}"
        ) from None
    octets = np.frombuffer(packed, dtype=np.uint8).reshape(len(numbers), width)
    return np.unpackbits(octets, axis=1, bitorder="little", count=clbits).astype(np.bool_)


def _number(word: object, name: str) -> int:
    """An outcome as a number: hexadecimal as in Qiskit's results, or written out bit by bit."""
    text = str(word).replace(" ", "")
    try:
        return int(text, 16) if text.lower().startswith("0x") else int(text, 2)
    except ValueError:
        raise DeviceFault(f"{name}: wanted shots as bits or hexadecimal, got {word!r}") from None


def _options_of(backend: BackendV2) -> set[str]:
    """Names of what a backend's ``run`` takes: its options, and parameters that it spells out."""
    names = {name for name, _ in backend.options.items()}
    try:
        parameters = inspect.signature(backend.run).parameters.values()
    except (TypeError, ValueError):  # no signature to look at
        return names
    named = {p.name for p in parameters if p.kind is not inspect.Parameter.VAR_KEYWORD}
    return names | named


def _origin(backend: Any, source: str | None) -> dict[str, Detail]:
    """What stands behind a sampler: the class, its own name and its version."""
    words = [type(backend).__name__, getattr(backend, "name", None)]
    words.append(getattr(backend, "backend_version", None))
    origin: dict[str, Detail] = {"device": " ".join(str(word) for word in words if word)}
    if source is not None:
        origin["source"] = source
    return origin


def _is_fake_device(backend: object) -> bool:
    """Whether it is one of the IBM client's fake devices, told without importing the client."""
    modules = (kind.__module__ for kind in type(backend).__mro__)
    fake = any(module.startswith("qiskit_ibm_runtime.fake_provider") for module in modules)
    return fake and isinstance(backend, BackendV2)


def _target_of(backend: Any, label: str) -> Target:
    try:
        target = backend.target
    except Exception as error:  # a stranger's backend may fail in any way
        raise BackendError(f"backend {label}: wanted a target, got {one_line(error)}") from error
    if not isinstance(target, Target):
        raise BackendError(f"backend {label}: wanted a target, got {type(target).__name__}")
    return target


def _noise_of(backend: Any) -> Any:
    """An Aer simulator's noise model; None where it has none, or one without errors."""
    options = getattr(backend, "options", None)
    model = getattr(options, "noise_model", None)
    return None if model is None or model.is_ideal() else model


def _readout_of(backend: Any, target: Target) -> Array | None:
    """Readout errors of each of the device's qubits: of the noise model, else of the target."""
    model = _noise_of(backend)
    table = None if model is None else _model_errors(model.to_dict(), target.num_qubits)
    return measure_errors(target) if table is None else table


def _model_errors(model: Mapping[str, Any], qubits: int) -> Array | None:
    """Readout errors (qubits, 2) in a noise model written out as a dict; None where it has none."""
    table = np.zeros((qubits, 2))
    found = False
    # those of given qubits take the place of those of all
    errors = [each for each in model["errors"] if each["type"] == "roerror"]
    for error in sorted(errors, key=lambda each: "gate_qubits" in each):
        matrix = error["probabilities"]
        if len(matrix) != 2:  # of several qubits together: no table of single ones
            return None
        places = [place for (place,) in error["gate_qubits"]] if "gate_qubits" in error else ...
        table[places] = matrix[0][1], matrix[1][0]
        found = True
    return table if found else None
