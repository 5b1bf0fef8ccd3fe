"""What a device should read by its own calibration: the distribution of every circuit.

The calibration is that of the day for a device, the snapshot's for a simulated one. Gates err and
waiting qubits relax as :mod:`qbrain.backends.device_noise` has it; readout errors are put on the
exact probabilities. Circuits that read on the way are drawn instead, many times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit

from qbrain.backends.aer import NoisyAerSampler, exact_probabilities
from qbrain.backends.compile import scheduled, two_qubit_gates
from qbrain.backends.device_noise import noise_models, scale_of
from qbrain.backends.line import Place
from qbrain.backends.readings import final_readings, take_readings
from qbrain.backends.snapshot import Cut, Snapshot, cut_device_to, cut_to

from ..engine.experiment import Bench
from .config import CheckConfig
from .probes import Probe

__all__ = ["DRAWS", "Expectation", "calibrated_cut", "expectations", "read_through", "scaled_cut"]

Array = NDArray[np.float64]
# of circuits that read on the way
DRAWS = 20_000


@dataclass(frozen=True)
class Expectation:
    """(2^bits,): probabilities; ``draws``: from how many draws, None where they are exact."""

    chances: Array
    draws: int | None = None


def calibrated_cut(config: CheckConfig, bench: Bench) -> Cut | None:
    """The bench's qubits with the noise of their calibration; None where there is none.

    A snapshot is taken in the form of noise that the configuration names.
    """
    if not bench.noisy or bench.readout is None:
        return None
    if config.backend.startswith("fake_"):
        qubits = [int(q) for q in bench.details["physical_qubits"]]
        return cut_to(config.backend, Place(tuple(qubits), 0.0, ""), noise=config.noise)
    device = Snapshot(
        name=config.backend,
        device=str(bench.details.get("device", config.backend)),
        calibration=str(bench.details.get("calibration", "")),
        target=bench.target,
        # where the device does not tell, reading counts as perfect
        readout=np.nan_to_num(bench.readout),
        note="",
    )
    place = Place(tuple(range(int(bench.target.num_qubits))), 0.0, "")
    return replace(cut_device_to(device, place), feed_forward=bench.feed_forward)


def expectations(
    probes: Sequence[Probe], circuits: Sequence[QuantumCircuit], part: Cut | None, seed: int
) -> list[Expectation]:
    """What each circuit, given in the target's gates, should read; the ideal without a cut."""
    if part is None:
        return [Expectation(one.ideal) for one in probes]
    return [
        _expected(one, circuit, part, seed + number)
        for number, (one, circuit) in enumerate(zip(probes, circuits, strict=True))
    ]


def _expected(one: Probe, circuit: QuantumCircuit, part: Cut, seed: int) -> Expectation:
    found = chances_of(circuit, part, part.readout)
    if found is not None:
        return Expectation(found)
    sampler = NoisyAerSampler.of_cut("expected", part, seed=seed)
    pub = sampler.run([circuit], shots=DRAWS).result()[0]
    (register,) = pub.data.values()
    bits = register.to_bool_array(order="little").astype(np.int64)
    words = bits @ (1 << np.arange(one.bits))
    return Expectation(np.bincount(words, minlength=2**one.bits) / DRAWS, DRAWS)


def scaled_cut(part: Cut, gates: float) -> Cut:
    """The same qubits with the calibrated errors of their gates times ``gates``."""
    scale = replace(scale_of("snapshot"), gates=gates, waiting=1.0 if part.waits else 0.0)
    channels, mixtures = noise_models(part.target, part.readout, scale)
    return replace(part, channels=channels, mixtures=mixtures, bare=None)


def chances_of(circuit: QuantumCircuit, part: Cut, readout: Array) -> Array | None:
    """(2^bits,): exact probabilities of a circuit that ends in its readings; None of another.

    ``readout``: (qubits, 2): p(1|0), p(0|1); put on the states' probabilities afterwards, so that
    those in the cut's noise do not count.
    """
    if part.bare is not None and two_qubit_gates(circuit) == 0:
        readout = part.bare.readout if readout is part.readout else readout
        part = part.bare
    if final_readings(circuit) is None:
        return None
    timed = scheduled(circuit, part.target) if part.waits else circuit
    ends = take_readings(timed)
    (found,) = exact_probabilities([ends.gates], [ends.qubits], part.channels)
    # bit i of the index is the i-th qubit read; bring it to its classical bit
    bits = len(ends.qubits)
    words = np.arange(2**bits)
    moved = sum(((words >> i & 1) << clbit for i, clbit in enumerate(ends.clbits)), 0 * words)
    ordered = np.zeros(2**bits)
    ordered[moved] = found
    errors = np.empty((bits, 2))
    errors[list(ends.clbits)] = readout[list(ends.qubits)]
    return read_through(ordered, errors)


def read_through(chances: Array, readout: Array) -> Array:
    """Probabilities (2^n,) of what is read, given those of the states.

    ``readout``: (n, 2): p(1|0), p(0|1) of the qubit of each bit, which err independently.
    """
    bits = len(readout)
    table = chances.reshape((2,) * bits)
    for bit, (false, lost) in enumerate(readout):
        axis = bits - 1 - bit  # bit 0 varies fastest
        confusion = np.array([[1 - false, lost], [false, 1 - lost]])
        table = np.moveaxis(np.tensordot(confusion, table, axes=([1], [axis])), 0, axis)
    return np.asarray(table.reshape(-1))
