"""What came of a circuit: one record for every system, and one line of the journal a job."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Bits", "Heading", "Reading", "Role", "counts_of_bits"]

Bits = NDArray[np.uint8]
Scalar = str | int | float | None


@dataclass(frozen=True)
class Role:
    """What a circuit is for.

    ``kind``: ``point``, ``echo``, ``zero`` or ``readout``. ``placement``: on which qubit chain of
    the device. ``scale``: noise scale asked of folding. ``number``: which of the references it is,
    or which of the calibration states.
    """

    kind: str = "point"
    placement: int = 0
    scale: float = 1.0
    number: int = 0


@dataclass(frozen=True)
class Heading:
    """What is known of a circuit before it is sent; on disk by then.

    Attributes:
        role: what it is for.
        order: the qubit that is read into each classical bit.
        gates: its two-qubit gates.
        depth: its depth.
        check: method and checks of the check before dispatch.
        exact: the exact value of what it measures, of circuits of known answer.
        tags: further facts that its system wants back with the counts.
    """

    role: Role
    order: tuple[int, ...]
    gates: int
    depth: int
    check: Mapping[str, Any]
    exact: float | None = None
    tags: Mapping[str, Scalar] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """A JSON object; :meth:`from_record` reads it back."""
        role = self.role
        return {
            "role": [role.kind, role.placement, role.scale, role.number],
            "order": list(self.order),
            "gates": self.gates,
            "depth": self.depth,
            "check": dict(self.check),
            "exact": self.exact,
            "tags": dict(self.tags),
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Heading:
        """What :meth:`record` wrote. Raises KeyError, TypeError or ValueError for anything else."""
        kind, placement, scale, number = record["role"]
        exact = record["exact"]
        return cls(
            Role(str(kind), int(placement), float(scale), int(number)),
            tuple(int(q) for q in record["order"]),
            int(record["gates"]),
            int(record["depth"]),
            {"method": record["check"]["method"], "checks": list(record["check"]["checks"])},
            None if exact is None else float(exact),
            dict(record["tags"]),
        )


@dataclass(frozen=True)
class Reading:
    """What came of a circuit.

    Attributes:
        heading: what was known of it before.
        counts: outcome (bit j is classical bit j) → shots.
        shots: every shot in its order, (shots, clbits), where the task asked for that.
    """

    heading: Heading
    counts: Mapping[int, int]
    shots: Bits | None = None

    @property
    def role(self) -> Role:
        """What the circuit was for."""
        return self.heading.role

    @property
    def order(self) -> tuple[int, ...]:
        """The qubit that was read into each classical bit."""
        return self.heading.order

    @property
    def gates(self) -> int:
        """Two-qubit gates of the circuit."""
        return self.heading.gates

    @property
    def exact(self) -> float | None:
        """The exact value, of a circuit of known answer."""
        return self.heading.exact

    def record(self) -> dict[str, Any]:
        """For the journal; :meth:`from_record` reads it back."""
        found = self.heading.record()
        if self.shots is None:
            return {**found, "counts": {str(x): c for x, c in self.counts.items()}}
        packed = base64.b64encode(np.packbits(self.shots).tobytes()).decode()
        return {**found, "shots": packed, "shape": list(self.shots.shape)}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Reading:
        """What :meth:`record` wrote. Raises KeyError, TypeError or ValueError for anything else."""
        heading = Heading.from_record(record)
        if "shots" not in record:
            counts = {int(x): int(c) for x, c in record["counts"].items()}
            if not counts or min(counts.values()) < 1:
                raise ValueError("wanted counts of at least one shot each")
            return cls(heading, counts)
        shots, bits = (int(n) for n in record["shape"])
        raw = np.frombuffer(base64.b64decode(record["shots"], validate=True), dtype=np.uint8)
        if len(raw) != math.ceil(shots * bits / 8):
            raise ValueError(f"wanted {shots} shots of {bits} bits, got {len(raw)} bytes")
        each = np.unpackbits(raw, count=shots * bits).reshape(shots, bits)
        return cls(heading, counts_of_bits(each), each)


def counts_of_bits(bits: Bits) -> dict[int, int]:
    """Outcome (bit i of it is column i) → shots."""
    # a machine word holds 62 bits; more need Python's integers
    words = np.int64 if bits.shape[1] < 63 else object
    whole = bits.astype(words) @ np.array([1 << i for i in range(bits.shape[1])], dtype=words)
    values, numbers = np.unique(whole, return_counts=True)
    return {int(v): int(c) for v, c in zip(values, numbers, strict=True)}


def checked(readings: Sequence[Reading]) -> int:
    """How many of the circuits went through the check."""
    return sum(1 for reading in readings if reading.heading.check["checks"])
