"""What a check says of the device as numbers: readout errors, and how much its gates err.

Readout errors of each qubit follow from the circuits ``all 0`` and ``all 1``. The gates' factor s
is the one by which the calibrated errors of all gates must be multiplied so that the circuits with
two-qubit gates err together, by the same model and with the readout errors just measured, as much
as they did:

    Σ_c e_c(s) = Σ_c k_c/n_c,        standard error sqrt(Σ_c e_c(1 − e_c)/n_c) / |dΣe/ds|.

The left side is simulated at a few s and interpolated linearly. Where there is no calibration, the
error of a two-qubit gate follows from what is left of the signal, readout errors included:

    ε = 1 − (1 − min(e/e_white, 1))^(1/gates),     the median over the circuits,

with e_white the error of white noise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit

from qbrain.backends.snapshot import Cut

from .expectation import chances_of, scaled_cut
from .judging import Judged
from .probes import QUBITS, Probe

__all__ = ["DeviceNumbers", "device_numbers"]

Array = NDArray[np.float64]
FACTORS = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0)


@dataclass(frozen=True)
class DeviceNumbers:
    """What was measured of a device, and what its calibration says of the same.

    Attributes:
        readout: (p(1|0), p(0|1)) of each qubit, measured.
        readout_expected: the same by the calibration, None where there is none.
        gates_factor: on the calibrated errors of gates, at most 16; None without calibration,
            or where all circuits with such gates are wrong.
        gates_factor_stderr: its standard error by shots.
        two_qubit_error: of a two-qubit gate: calibrated × ``growth``, or by the signal left.
    """

    readout: tuple[tuple[float, float], ...]
    readout_expected: tuple[tuple[float, float], ...] | None
    gates_factor: float | None
    gates_factor_stderr: float | None
    two_qubit_error: float

    @property
    def false(self) -> float:
        """Mean p(1|0)."""
        return float(np.mean([each[0] for each in self.readout]))

    @property
    def lost(self) -> float:
        """Mean p(0|1)."""
        return float(np.mean([each[1] for each in self.readout]))

    @property
    def any(self) -> bool:
        """Whether there are errors at all."""
        return self.two_qubit_error + self.false + self.lost > 0

    @property
    def growth(self) -> float:
        """Factor on calibrated errors of gates that is reckoned with, at least 1.

        A dozen circuits do not prove a device better than its calibration.
        """
        return 1.0 if self.gates_factor is None else max(1.0, self.gates_factor)

    def record(self) -> dict[str, Any]:
        """A JSON object."""
        found = asdict(self)
        return {**found, "readout_error": (self.false + self.lost) / 2}


def device_numbers(
    probes: Sequence[Probe],
    judged: Sequence[Judged],
    circuits: Sequence[QuantumCircuit],
    part: Cut | None,
) -> DeviceNumbers:
    """The numbers of a check; ``circuits`` in the target's gates, ``part`` its calibration."""
    rows = {one.name: one for one in judged}
    readout = _readout(rows)
    known = part is not None
    linked = [
        (one, row, circuit)
        for one, row, circuit in zip(probes, judged, circuits, strict=True)
        if one.kind == "gates" and not row.wrong
    ]
    signal = [_gate_error(one, row) for one, row, _ in linked if row.two_qubit_gates]
    error = float(np.median(signal)) if signal else 0.0
    factor = stderr = expected = None
    if part is not None:
        if linked:
            factor, stderr = _factor(linked, part, np.array(readout))
        error = min(0.5, max(1.0, factor or 0.0) * mean_two_qubit_error(part))
        expected = tuple((float(a), float(b)) for a, b in part.readout)
    return DeviceNumbers(readout, expected if known else None, factor, stderr, error)


def _readout(rows: Mapping[str, Judged]) -> tuple[tuple[float, float], ...]:
    found = []
    for qubit in range(QUBITS):
        ones = [
            sum(n for word, n in rows[name].counts.items() if word[-1 - qubit] == "1")
            / rows[name].shots
            for name in ("all 0", "all 1")
        ]
        found.append((ones[0], 1 - ones[1]))
    return tuple(found)


def _gate_error(one: Probe, row: Judged) -> float:
    white = 1 - float(np.mean(one.right))
    if white == 0:
        return 0.0
    left = 1 - min(row.error / white, 1.0)
    return float(1 - left ** (1 / row.two_qubit_gates))


def mean_two_qubit_error(part: Cut) -> float:
    """Mean calibrated error of the cut's two-qubit gates; 0 where it has none."""
    found = [
        properties.error
        for name in part.target.operation_names
        for place, properties in (part.target[name] or {}).items()
        if place is not None and len(place) == 2 and getattr(properties, "error", None) is not None
    ]
    return float(np.mean(found)) if found else 0.0


def _factor(
    linked: Sequence[tuple[Probe, Judged, QuantumCircuit]], part: Cut, readout: Array
) -> tuple[float, float]:
    """The factor on the errors of gates, and its standard error."""
    totals = []
    for factor in FACTORS:
        errors = []
        scaled = scaled_cut(part, factor)
        for one, _, circuit in linked:
            chances = chances_of(circuit, scaled, readout)
            assert chances is not None  # they end in their readings
            errors.append(float(1 - chances[one.right].sum()))
        totals.append(sum(errors))
    # more noise cannot lead to fewer errors by more than rounding
    totals = np.maximum.accumulate(totals).tolist()
    seen = sum(row.error for _, row, _ in linked)
    factor = float(np.interp(seen, totals, FACTORS))
    spread = math.sqrt(sum(row.error * (1 - row.error) / row.shots for _, row, _ in linked))
    place = min(max(int(np.searchsorted(FACTORS, factor)), 1), len(FACTORS) - 1)
    slope = (totals[place] - totals[place - 1]) / (FACTORS[place] - FACTORS[place - 1])
    return factor, spread / slope if slope > 0 else 0.0
