"""Real devices' bundled calibrations, cut to the qubits in use.

The IBM client ships configuration and calibration of real machines. Simulating one of them whole
costs 10 to 20 s a call, because its noise model spans more than a hundred qubits. Here a device is
cut once to its best line of n qubits: the target keeps durations and errors and is over qubits
0…n−1, and the noise model is made from that target alone.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit.circuit import Delay, Parameter
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.transpiler import Target

from .billing import Repetition
from .compile import has_times
from .device_noise import ABOUT, noise_models, scale_of, scaled_readout
from .errors import BackendError
from .feed_forward import offers
from .fractional import (
    FRACTIONAL,
    Calibrated,
    bounds_of,
    calibrated_fractional,
    with_fractional,
)
from .ideal import check_qubits
from .line import Costs, Place, best_line, best_patch
from .line_costs import line_costs, usable_part
from .sampling import Detail

__all__ = [
    "Cut",
    "Snapshot",
    "bare_target",
    "costs_on",
    "cut",
    "cut_device",
    "cut_device_to",
    "cut_to",
    "load",
    "snapshot_names",
    "snapshot_of",
    "snapshot_qubits",
]


@dataclass(frozen=True)
class Snapshot:
    """A whole device as it was calibrated.

    Attributes:
        name: ``fake_<device>``.
        device: the machine's own name.
        calibration: time of the calibration, ISO 8601.
        target: of the whole device.
        readout: (qubits, 2): p(1|0), p(0|1); nan where the device gives none.
        note: what its makers say must be known about it, or nothing.
        repetition: what it waits between shots.
        calibrated: fractional gates that its calibration has beside the target's instructions.
    """

    name: str
    device: str
    calibration: str
    target: Target
    readout: NDArray[np.float64]
    note: str
    repetition: Repetition = field(default_factory=Repetition)
    calibrated: Calibrated = field(default_factory=dict)

    @cached_property
    def fractional_target(self) -> Target:
        """The target with ``rx`` and ``rzz`` where they are calibrated.

        Raises:
            BackendError: if there is no edge with an ``rzz`` that can be used.
        """
        target = with_fractional(self.target, self.calibrated)
        if "rzz" not in target.operation_names:
            raise BackendError(
                f"fractional: wanted a device with rzz, got {self.name}, where no edge has one "
                "that is calibrated"
            )
        return target


@dataclass(frozen=True)
class Cut:
    """A device cut to the qubits in use, with the noise of those qubits.

    ``channels`` and ``mixtures`` are one noise model written in two ways: errors as Kraus
    channels, and as mixtures of Paulis and resets. ``readout`` holds the readout errors of that
    model. ``waits``: circuits are to be scheduled, so that qubits relax while they wait. ``bare``:
    the noise of circuits without two-qubit gates, where it is another. ``feed_forward``: whether
    circuits may branch on a reading.
    """

    target: Target
    channels: Any
    mixtures: Any
    readout: NDArray[np.float64]
    place: Place
    details: dict[str, Detail]
    waits: bool
    bare: Cut | None = None
    feed_forward: bool = False


@lru_cache(maxsize=1)
def _folders() -> dict[str, Path]:
    """Folder of each snapshot, by its name; found without importing the client."""
    spec = find_spec("qiskit_ibm_runtime")
    if spec is None or spec.origin is None:
        return {}
    root = Path(spec.origin).parent / "fake_provider" / "backends"
    return {
        f"fake_{folder.name}": folder
        for folder in sorted(root.iterdir())
        if any(folder.glob("conf_*.json"))
    }


def snapshot_names() -> list[str]:
    """Names of all snapshots that the IBM client ships, in alphabetical order."""
    return list(_folders())


def snapshot_qubits(name: str) -> int:
    """Number of qubits of a device, from its configuration file alone."""
    (configuration,) = _folders()[name].glob("conf_*.json")
    return int(json.loads(configuration.read_text(encoding="utf-8"))["n_qubits"])


@lru_cache(maxsize=4)
def load(name: str) -> Snapshot:
    """Read a device's calibration.

    Raises:
        BackendError: if no snapshot has this name.
    """
    if name not in _folders():
        raise BackendError(f"device: wanted a snapshot's name such as fake_fez, got {name!r}")
    from qiskit_ibm_runtime import fake_provider

    classes = {
        getattr(value, "backend_name", None): value for value in vars(fake_provider).values()
    }
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = snapshot_of(classes[name](), name)
    return replace(found, note=" ".join(str(warning.message) for warning in caught))


def snapshot_of(backend: Any, name: str) -> Snapshot:
    """A device as one of the IBM client's fake backends has it, under the given name."""
    target, properties = backend.target, backend.properties()
    return Snapshot(
        name=name,
        device=str(properties.backend_name),
        calibration=properties.last_update_date.isoformat(),
        target=target,
        readout=assignment_errors(properties, target),
        note="",
        repetition=Repetition.of(backend.configuration()),
        calibrated=calibrated_fractional(properties),
    )


def assignment_errors(properties: Any, target: Target) -> NDArray[np.float64]:
    """Readout errors (qubits, 2): p(1|0), p(0|1) where the device tells, else their mean."""
    table = np.full((target.num_qubits, 2), np.nan)
    for qubit in range(target.num_qubits):
        values = properties.qubit_property(qubit)
        if "prob_meas1_prep0" in values and "prob_meas0_prep1" in values:
            table[qubit] = values["prob_meas1_prep0"][0], values["prob_meas0_prep1"][0]
        elif "readout_error" in values:
            table[qubit] = values["readout_error"][0]
    return table


def costs_on(device: Snapshot, length: int, *, fractional: bool = False) -> Costs:
    """What each qubit and edge of a device costs a line: see :func:`line_costs`.

    Raises:
        BackendError: for ``fractional`` on a device without ``rzz``.
    """
    target = device.fractional_target if fractional else device.target
    return line_costs(target, device.readout, length, fractional=fractional)


@lru_cache(maxsize=32)
def cut(name: str, qubits: int, fractional: bool = False, noise: str = "snapshot") -> Cut:
    """Cut a snapshot to its best line of ``qubits`` qubits; built once and kept.

    Where the device has no such line (a T of five qubits has none of five), the best connected
    patch is taken. ``fractional``: with ``rx`` and ``rzz``, on edges where both ``rzz`` and the
    device's other two-qubit gate are calibrated (see :mod:`qbrain.backends.fractional`).
    ``noise``: see :mod:`qbrain.backends.device_noise`.

    Raises:
        BackendError: if there is no such snapshot or form of noise, or not so many connected
            qubits with working gates on it (the bundled Kyoto was caught with every two-qubit
            gate out of order), and for ``fractional`` on a device without ``rzz``.
    """
    return cut_device(load(name), qubits, fractional, noise)


def cut_device(
    device: Snapshot, qubits: int, fractional: bool = False, noise: str = "snapshot"
) -> Cut:
    """Cut a device that is at hand to its best line; as :func:`cut` does by name.

    Raises:
        BackendError: as :func:`cut`.
    """
    check_qubits(qubits)
    name = device.name
    if qubits > device.target.num_qubits:
        raise BackendError(
            f"qubits: wanted at most {device.target.num_qubits} on {name}, got {qubits}"
        )
    costs = costs_on(device, qubits, fractional=fractional)
    line = best_line(costs, qubits)
    place = line or best_patch(costs, qubits)
    if place is None:
        raise BackendError(
            f"qubits: wanted {qubits} connected qubits of {name} with working gates, "
            f"got none: {usable_part(costs)}"
        )
    layout = "line" if line else "patch"
    return cut_device_to(device, place, fractional=fractional, layout=layout, noise=noise)


def cut_to(
    name: str,
    place: Place,
    *,
    fractional: bool = False,
    layout: str = "line",
    noise: str = "snapshot",
) -> Cut:
    """A snapshot cut to given qubits: qubit j of the circuit is ``place.qubits[j]``.

    Raises:
        BackendError: for an unknown snapshot, or qubits that it does not have, or one twice.
    """
    return cut_device_to(load(name), place, fractional=fractional, layout=layout, noise=noise)


def cut_device_to(
    device: Snapshot,
    place: Place,
    *,
    fractional: bool = False,
    layout: str = "line",
    noise: str = "snapshot",
) -> Cut:
    """Cut a device that is at hand to given qubits; as :func:`cut_to` does by name.

    Raises:
        BackendError: for qubits that it does not have, or one twice.
    """
    qubits = place.qubits
    known = range(device.target.num_qubits)
    if len(set(qubits)) != len(qubits) or any(qubit not in known for qubit in qubits):
        raise BackendError(
            f"place: wanted different qubits below {len(known)} of {device.name}, "
            f"got {list(qubits)}"
        )
    if fractional:
        target = cut_target(device.fractional_target, qubits)
    else:
        target = cut_target(device.target, qubits, without=FRACTIONAL)
    scale = scale_of(noise)
    readout = scaled_readout(device.readout[list(qubits)], scale)
    readout.setflags(write=False)  # every sampler of this cut shares it
    channels, mixtures = noise_models(target, readout, scale)
    waits = noise != "gates" and has_times(target)
    details: dict[str, Detail] = {
        "device": device.device,
        "calibration": device.calibration,
        "physical_qubits": list(qubits),
        "layout": layout,
        "search": place.search,
        "expected_layer_fidelity": math.exp(-place.cost),
        "noise": ABOUT[noise],
        "noise_form": noise,
        **device.repetition.details(),
    }
    if noise != "gates" and not waits:
        details["waiting"] = "none, for the device tells no times"
    if device.note:
        details["note"] = device.note
    bare = None
    if scale.readout:
        own = device.readout[list(qubits)]
        bare = Cut(
            target,
            *noise_models(target, own, replace(scale, readout=0.0)),
            own,
            place,
            details,
            waits,
            feed_forward=offers(device.target),
        )
    branching = offers(device.target)
    return Cut(target, channels, mixtures, readout, place, details, waits, bare, branching)


def bare_target(target: Target, qubits: Sequence[int]) -> Target:
    """A target over ``qubits``, renumbered 0…n−1, with their times but no instruction."""
    times = target.qubit_properties
    return Target(
        num_qubits=len(qubits),
        dt=target.dt,
        granularity=target.granularity,
        min_length=target.min_length,
        pulse_alignment=target.pulse_alignment,
        acquire_alignment=target.acquire_alignment,
        qubit_properties=[times[qubit] for qubit in qubits] if times else None,
    )


def cut_target(target: Target, qubits: tuple[int, ...], *, without: Collection[str] = ()) -> Target:
    """The target restricted to ``qubits``, renumbered 0…n−1 in their order.

    Durations, errors, T1, T2, directions of edges, angle bounds and timing constraints are kept.
    Left out are the gates named in ``without``, two-qubit gates with an error of 1 and fractional
    gates of unknown error, where they have it; control flow; and instructions that have no
    definition (such as second kinds of measurement).

    Raises:
        BackendError: for angle bounds that cannot be kept (see
            :func:`qbrain.backends.fractional.bounds_of`).
    """
    number = {qubit: index for index, qubit in enumerate(qubits)}
    known = {*get_standard_gate_name_mapping(), "measure", "reset", "delay"}
    part = bare_target(target, qubits)
    for name in sorted((set(target.operation_names) & known) - set(without)):
        kept = {
            tuple(number[qubit] for qubit in place): properties
            for place, properties in target[name].items()
            if place is not None
            and all(qubit in number for qubit in place)
            and _usable(name, place, properties)
        }
        if kept:
            part.add_instruction(
                target.operation_from_name(name),
                kept,
                name=name,
                angle_bounds=bounds_of(target, name),
            )
    if "delay" not in part.operation_names:
        part.add_instruction(
            Delay(Parameter("t")), {(index,): None for index in range(len(qubits))}
        )
    return part


def _usable(name: str, place: tuple[int, ...], properties: Any) -> bool:
    error = getattr(properties, "error", None)
    if error is None:
        return name not in FRACTIONAL
    return len(place) == 1 or bool(error < 1)
