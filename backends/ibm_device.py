"""What a run has to know of an IBM device: read once from the day's calibration, kept as JSON.

A run that goes on from its folder takes its targets, its qubits and its readout errors from there,
whatever the device has become since.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import Delay, Measure, Parameter, Reset
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.transpiler import InstructionProperties, QubitProperties, Target

from .billing import Repetition
from .errors import BackendError
from .feed_forward import offers
from .fractional import bounds_of
from .ibm_limits import MOST_EXECUTIONS, job_sizes
from .ibm_origin import calibration_digest
from .line_costs import line_costs
from .placements import places_on
from .sampling import Detail
from .snapshot import assignment_errors, cut_target

__all__ = ["DeviceFacts", "read_device"]


@dataclass(frozen=True)
class DeviceFacts:
    """An IBM device cut to the qubit chains of a run.

    Attributes:
        name: of the device.
        size: its qubits.
        places: physical qubits of each chain.
        targets: of each chain, over exactly its qubits.
        readouts: of each chain: (qubits, 2) of [p(1|0), p(0|1)].
        calibration: time of the calibration, ISO 8601.
        fractional: whether ``rx`` and ``rzz`` may be used.
        most_shots, most_circuits: of one job, None where the device does not say.
        details: what the run's record says.
        feed_forward: whether circuits may branch on a reading.
    """

    name: str
    size: int
    places: tuple[tuple[int, ...], ...]
    targets: tuple[Target, ...]
    readouts: tuple[NDArray[np.float64], ...]
    calibration: str
    fractional: bool = False
    most_shots: int | None = None
    most_circuits: int | None = None
    details: dict[str, Detail] = field(default_factory=dict)
    feed_forward: bool = False

    def check_size(self, circuits: int, shots: int) -> None:
        """Whether a job of so many circuits with so many shots each may be sent.

        Raises:
            BackendError: more shots, circuits or executions than one job may have.
        """
        if self.most_shots is not None and shots > self.most_shots:
            raise BackendError(
                f"shots: wanted at most {self.most_shots} on {self.name}, got {shots}"
            )
        if self.most_circuits is not None and circuits > self.most_circuits:
            raise BackendError(
                f"circuits: wanted at most {self.most_circuits} in one job on {self.name}, "
                f"got {circuits}"
            )
        if circuits * shots > MOST_EXECUTIONS:
            raise BackendError(
                f"shots: wanted at most {MOST_EXECUTIONS // circuits} of each of the {circuits} "
                f"circuits of one job on {self.name} ({MOST_EXECUTIONS:,} executions), got {shots}"
            )

    @property
    def repetition(self) -> Repetition:
        """What the device waits between shots."""
        return Repetition.from_details(self.details)

    def job_sizes(
        self, circuits: Sequence[QuantumCircuit], shots: int, *, twirled: bool = False
    ) -> list[int]:
        """How many of the circuits go into each job, in their order.

        Raises:
            BackendError: more shots than a job may have, or a circuit that is too large for one.
        """
        self.check_size(1, shots)
        return job_sizes(
            circuits,
            shots,
            self.targets[0],
            self.repetition,
            most_circuits=self.most_circuits,
            twirled=twirled,
            name=self.name,
        )

    def record(self) -> dict[str, Any]:
        """A JSON object; :meth:`from_record` reads it back, every number to the last bit."""
        return {
            "name": self.name,
            "size": self.size,
            "places": [list(place) for place in self.places],
            "targets": [_target_record(target) for target in self.targets],
            "readouts": [_plain(readout) for readout in self.readouts],
            "calibration": self.calibration,
            "fractional": self.fractional,
            "most_shots": self.most_shots,
            "most_circuits": self.most_circuits,
            "details": self.details,
            "feed_forward": self.feed_forward,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> DeviceFacts:
        """What :meth:`record` wrote. Raises KeyError, TypeError or ValueError for anything else."""
        places = tuple(tuple(int(q) for q in place) for place in record["places"])
        targets = tuple(_target_of(each) for each in record["targets"])
        readouts = tuple(
            np.array([[math.nan if x is None else float(x) for x in row] for row in readout])
            for readout in record["readouts"]
        )
        if not places or not len(places) == len(targets) == len(readouts):
            raise ValueError("wanted a target and readout errors for each of the chains")
        for place, target, readout in zip(places, targets, readouts, strict=True):
            if target.num_qubits != len(place) or readout.shape != (len(place), 2):
                raise ValueError(f"wanted a target of {len(place)} qubits")
        limits = {
            name: None if record[name] is None else int(record[name])
            for name in ("most_shots", "most_circuits")
        }
        return cls(
            str(record["name"]),
            int(record["size"]),
            places,
            targets,
            readouts,
            str(record["calibration"]),
            bool(record["fractional"]),
            limits["most_shots"],
            limits["most_circuits"],
            dict(record["details"]),
            bool(record.get("feed_forward", False)),
        )


def read_device(
    device: Any,
    qubits: int,
    *,
    placements: int = 1,
    places: Sequence[Sequence[int]] | None = None,
    fractional: bool = False,
) -> DeviceFacts:
    """Cut the client's backend to its best chains of ``qubits`` qubits, by the day's calibration.

    ``places`` repeats the chains of an earlier part of the same run instead.

    Raises:
        BackendError: fewer chains of so many qubits, or no edge with fractional gates.

    A calibration of another form raises what the client stumbles over, as
    :func:`qbrain.backends.ibm_policy.fault_of` takes it.
    """
    name = str(device.name)
    properties = device.properties()
    origin: dict[str, Detail] = {"calibration_sha256": calibration_digest(properties)}
    if isinstance(found := getattr(device, "calibration_id", None), str) and found:
        origin["calibration_id"] = found
    _leave_out_unknown_qubits(properties, int(device.configuration().n_qubits))
    target = device.target
    errors = assignment_errors(properties, target)
    if places is None:
        costs = line_costs(target, errors, qubits, fractional=fractional)
        if fractional and qubits > 1 and costs.node and not costs.edge:
            raise BackendError(
                f"fractional: wanted a device with rzz, got {name}, where no edge has one "
                "that is calibrated"
            )
        places = [line.qubits for line in places_on(costs, name, qubits, placements)]
    chains = _checked_places(places, placements, qubits, target.num_qubits)
    return DeviceFacts(
        name,
        int(target.num_qubits),
        chains,
        tuple(cut_target(target, chain) for chain in chains),
        tuple(errors[list(chain)] for chain in chains),
        properties.last_update_date.isoformat(),
        fractional,
        _limit(device, "max_shots"),
        _limit(device, "max_experiments"),
        origin | Repetition.of(device.configuration()).details(),
        feed_forward=offers(target),
    )


def _leave_out_unknown_qubits(properties: Any, qubits: int) -> None:
    """Take qubits of which the calibration says nothing for such that are out of order.

    The client makes no target at all where one of them is missing.
    """
    from qiskit_ibm_runtime.models.exceptions import BackendPropertyError

    for qubit in range(qubits):
        try:
            properties.qubit_property(qubit)
        except BackendPropertyError:
            properties._qubits[qubit] = {"operational": (0, properties.last_update_date)}


def _limit(device: Any, name: str) -> int | None:
    found = getattr(device.configuration(), name, None)
    return found if isinstance(found, int) and found > 0 else None


def _checked_places(
    places: Sequence[Sequence[int]], placements: int, qubits: int, size: int
) -> tuple[tuple[int, ...], ...]:
    """The chains of a run as numbers.

    Raises:
        BackendError: for another number of chains or qubits, a qubit twice, or one that there is
            not.
    """
    lines = tuple(tuple(int(qubit) for qubit in line) for line in places)
    used = [qubit for line in lines for qubit in line]
    if (
        len(lines) != placements
        or any(len(line) != qubits for line in lines)
        or len(set(used)) != len(used)
        or not all(0 <= qubit < size for qubit in used)
    ):
        raise BackendError(
            f"places: wanted {placements} lines of {qubits} different qubits below {size}, "
            f"got {[list(line) for line in lines]}"
        )
    return lines


# targets as JSON

_MAPPING = {**get_standard_gate_name_mapping(), "measure": Measure(), "reset": Reset()}


def _plain(values: Any) -> Any:
    """Nested lists of numbers, None for what is not a number."""
    if isinstance(values, np.ndarray):
        return [_plain(each) for each in values]
    return None if values is None or math.isnan(values) else float(values)


def _target_record(target: Target) -> dict[str, Any]:
    gates: list[dict[str, Any]] = []
    for name in target.operation_names:
        rows = [
            [list(place), *(_plain(getattr(each, key, None)) for key in ("duration", "error"))]
            for place, each in target[name].items()
        ]
        bounds = bounds_of(target, name)
        gates.append({"name": name, "rows": rows, "bounds": bounds and [list(b) for b in bounds]})
    times = [
        [_plain(getattr(each, key, None)) for key in ("t1", "t2", "frequency")]
        for each in target.qubit_properties or []
    ]
    return {
        "qubits": target.num_qubits,
        "dt": target.dt,
        "timing": [
            target.granularity,
            target.min_length,
            target.pulse_alignment,
            target.acquire_alignment,
        ],
        "times": times,
        "gates": gates,
    }


def _target_of(record: Mapping[str, Any]) -> Target:
    granularity, least, pulse, acquire = record["timing"]
    times = [
        QubitProperties(t1=t1, t2=t2, frequency=frequency) for t1, t2, frequency in record["times"]
    ]
    target = Target(
        num_qubits=int(record["qubits"]),
        dt=record["dt"],
        granularity=granularity,
        min_length=least,
        pulse_alignment=pulse,
        acquire_alignment=acquire,
        qubit_properties=times or None,
    )
    for gate in record["gates"]:
        name = gate["name"]
        operation = Delay(Parameter("t")) if name == "delay" else _MAPPING[name]
        rows = {
            tuple(int(q) for q in place): (
                None
                if duration is None and error is None
                else InstructionProperties(duration=duration, error=error)
            )
            for place, duration, error in gate["rows"]
        }
        bounds = gate["bounds"]
        target.add_instruction(
            operation,
            rows,
            name=name,
            angle_bounds=bounds and [(float(least), float(most)) for least, most in bounds],
        )
    return target
