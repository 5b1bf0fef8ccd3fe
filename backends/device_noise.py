"""Noise models from a device's calibration, in three forms.

``gates``
    Every gate has the error that its calibration gives, and every readout too; qubits wait without
    noise. This is what Aer derives from a device.
``snapshot``
    The same, and qubits relax while they wait. Circuits are scheduled for it, each gate as late as
    it can be, with waiting times as delays.
``calibrated``
    The same, with two numbers that were fitted to counts of a real device (see
    :data:`CALIBRATED`). Snapshots are too optimistic: a calibration measures gates and readouts
    by themselves, and circuits do worse.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from qiskit.circuit import Delay, Parameter
from qiskit.transpiler import InstructionProperties, Target

from .errors import BackendError

__all__ = [
    "CALIBRATED",
    "NOISE_FORMS",
    "NoiseForm",
    "NoiseScale",
    "noise_models",
    "scale_of",
    "scaled_readout",
    "scaled_target",
]

NoiseForm = Literal["gates", "snapshot", "calibrated"]
NOISE_FORMS: tuple[NoiseForm, ...] = get_args(NoiseForm)
# a gate's average infidelity is kept below that of replacing its state by noise
MOST_ERROR = 0.5
# the fit has seen 4 to 6 qubits; beyond this many the readout error is not let grow further
MOST_QUBITS = 8


@dataclass(frozen=True)
class NoiseScale:
    """What turns a calibration into a noise model.

    Attributes:
        gates: factor on the calibrated average infidelity of every gate.
        waiting: factor on the rates 1/T1 and 1/T2 during delays; 0: they are without noise.
        readout: added to both readout errors of every qubit, for each qubit that is in use (up to
            8): n qubits have p(1|0) + n·readout and p(0|1) + n·readout. Circuits without two-qubit
            gates are read as in the snapshot: on the device, circuits that only prepare and read
            did not show this error, so that no readout calibration can see it.
        phase: angle δ of a coherent error exp(−iδ ZZ/2) of every two-qubit gate.
    """

    gates: float = 1.0
    waiting: float = 1.0
    readout: float = 0.0
    phase: float = 0.0


# Fitted to the counts of ibm_kingston of 2026-05-05 (XY chains of 4 and 6 qubits, 2 to 50 steps);
# `qbrain figures device-check` makes the fit, docs/device-check.md tells its intervals.
CALIBRATED = NoiseScale(gates=1.25, readout=0.0023)
_SCALES = {
    "gates": NoiseScale(),
    "snapshot": NoiseScale(),
    "calibrated": CALIBRATED,
}
ABOUT = {
    "gates": "depolarising and thermal relaxation a gate, readout; none while qubits wait",
    "snapshot": "depolarising and thermal relaxation a gate, relaxation of waiting qubits, readout",
    "calibrated": f"as snapshot, gate errors × {CALIBRATED.gates:g}, readout errors + "
    f"{CALIBRATED.readout:g} × qubits (fitted to counts of ibm_kingston)",
}


def scale_of(form: str) -> NoiseScale:
    """The numbers of a form of noise.

    Raises:
        BackendError: there is no such form.
    """
    if form not in _SCALES:
        raise BackendError(f"noise: wanted one of {', '.join(NOISE_FORMS)}, got {form!r}")
    return _SCALES[form]


def scaled_readout(readout: NDArray[np.float64], scale: NoiseScale) -> NDArray[np.float64]:
    """Readout errors (qubits, 2) as the scale has them, at most ½."""
    added = min(len(readout), MOST_QUBITS) * scale.readout
    # an error that the device reads as more than chance stays as it is
    return np.where(readout < 0.5, np.clip(readout + added, 0.0, 0.5), readout)


def scaled_target(target: Target, scale: NoiseScale) -> Target:
    """A target for making noise of: the gates of ``target`` with their errors times ``gates``."""
    scaled = Target(
        num_qubits=target.num_qubits, dt=target.dt, qubit_properties=target.qubit_properties
    )
    for name in target.operation_names:
        if name in ("measure", "delay") or not target[name]:
            continue
        changed = {}
        for place, properties in target[name].items():
            error = getattr(properties, "error", None)
            if properties is not None and error is not None:
                error = error if error >= MOST_ERROR else min(error * scale.gates, MOST_ERROR)
                properties = InstructionProperties(duration=properties.duration, error=error)
            changed[place] = properties
        scaled.add_instruction(target.operation_from_name(name), changed, name=name)
    return scaled


class _Device:
    """The few attributes of a backend that Aer reads to make a noise model."""

    version = 2

    def __init__(self, target: Target) -> None:
        self.target = target
        self.operation_names = list(target.operation_names)
        self.dt = target.dt


def noise_models(
    target: Target, readout: NDArray[np.float64], scale: NoiseScale | None = None
) -> tuple[Any, Any]:
    """Noise of a target as Aer derives it from a device, in two forms.

    A gate's error is thermal relaxation over its duration with as much depolarisation as makes
    up the calibrated error times ``scale.gates``, then the coherent phase error, if any; delays
    relax for as long as they last times ``scale.waiting``; readout errs with the probabilities of
    ``readout`` (qubits, 2) as they are given, which, unlike Aer's own mean of the two, keep apart
    a lost excitation and a false one.

    Returns:
        The noise model with errors as Kraus channels, and as mixtures of Paulis and resets.
    """
    from qiskit.quantum_info.operators.channel import Kraus, SuperOp
    from qiskit_aer.noise import NoiseModel, QuantumError, ReadoutError
    from qiskit_aer.noise.device import basic_device_gate_errors

    scale = scale or NoiseScale()
    errors = basic_device_gate_errors(target=scaled_target(target, scale))
    models = []
    for form in ("channels", "mixtures"):
        model = _delay_noise(target, scale.waiting)
        for name, place, error in errors:
            if scale.phase and len(place) == 2:
                error = error.compose(_phase_error(scale.phase))
            # one Kraus set a gate instead of up to 144 Paulis, resets and their products
            kind = QuantumError(Kraus(SuperOp(error))) if form == "channels" else error
            model.add_quantum_error(kind, name, place)
        for qubit, (false, lost) in enumerate(readout):
            model.add_readout_error(ReadoutError([[1 - false, false], [lost, 1 - lost]]), [qubit])
        models.append(model)
    assert isinstance(models[0], NoiseModel)
    return models[0], models[1]


def _phase_error(angle: float) -> Any:
    from qiskit_aer.noise import coherent_unitary_error

    turn = np.exp(-0.5j * angle * np.array([1, -1, -1, 1]))
    return coherent_unitary_error(np.diag(turn))


def _delay_noise(target: Target, factor: float) -> Any:
    """Noise model of delays alone, made by Aer from a target that has nothing else."""
    from qiskit.transpiler import QubitProperties
    from qiskit_aer.noise import NoiseModel

    if not target.qubit_properties or factor == 0:
        return NoiseModel(basis_gates=[*target.operation_names])
    times = [
        None
        if given is None
        else QubitProperties(
            t1=given.t1 and given.t1 / factor,
            t2=given.t2 and given.t2 / factor,
            frequency=given.frequency,
        )
        for given in target.qubit_properties
    ]
    bare = Target(num_qubits=target.num_qubits, dt=target.dt, qubit_properties=times)
    bare.add_instruction(Delay(Parameter("t")), dict(target["delay"]))
    model = NoiseModel.from_backend(_Device(bare))
    model.add_basis_gates(
        [name for name in target.operation_names if name not in ("measure", "reset", "delay")]
    )
    return model
