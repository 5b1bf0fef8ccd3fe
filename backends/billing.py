"""What a device bills: how long one shot occupies it, and how long a job does.

Between two shots a device waits for its repetition delay, so that its qubits relax; then it resets
them where it can, runs the circuit and reads it:

    T = T_job + Σ_circuits shots × (t_delay + t_reset + t_circuit)                        (seconds)

- T_job = 2 s for each job, as IBM's own estimate of usage has it.
- t_delay: the device's ``default_rep_delay``, 250 µs on Heron; 4000 µs on Nighthawk, which has no
  reset and leaves the qubits to relax. A range, ``rep_delay_range``, bounds what it may be set to.
- t_reset: one ``reset`` before every shot, as the client's ``init_qubits`` asks for unless told
  otherwise; 0 where the device has none.
- t_circuit: the critical path of the circuit by the calibration's own durations, every kind of
  reading included (``measure``, ``measure_2``), as :func:`qbrain.backends.compile.duration`.

Held against the two bills of ibm_kingston that are publicly known, XY chains of four to eight
qubits with 2 to 50 steps at 4096 shots: 600 circuits (two jobs) were billed 660 s, 280 circuits
305 s. Which circuits they were is not known. As a mixture of the classes of the campaign whose
counts are public the formula gives 653 s and 305 s (-1.1 % and -0.1 %); if all were the shortest of
them, 633 s and 296 s; if all the longest, 698 s and 326 s. The bills are too coarse to tell the
reset from an overhead of a few microseconds a shot. Neither the opening of sessions nor queueing is
in it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from qiskit import QuantumCircuit
from qiskit.transpiler import Target

from .compile import duration
from .sampling import Detail

__all__ = ["SECONDS_A_JOB", "Repetition", "executed_shots", "job_seconds", "reset_seconds"]

SECONDS_A_JOB = 2.0
# of a device that does not tell its own: that of most of IBM's
_ASSUMED_DELAY = 250e-6
_DELAY, _RANGE = "repetition_delay_seconds", "repetition_delay_range_seconds"


@dataclass(frozen=True)
class Repetition:
    """How long a device waits between two shots.

    Attributes:
        delay: seconds from a reading to the next circuit.
        bounds: seconds that it may be set to, None where the device does not say.
        told: whether the device itself says so.
    """

    delay: float = _ASSUMED_DELAY
    bounds: tuple[float, float] | None = None
    told: bool = False

    @classmethod
    def of(cls, configuration: Any) -> Repetition:
        """As the client's configuration of a device has it, in seconds; assumed where it has none.

        Anything but finite seconds >= 0 counts as not told.
        """
        delay = _seconds(getattr(configuration, "default_rep_delay", None))
        if delay is None:
            return cls()
        given = getattr(configuration, "rep_delay_range", None)
        ends = [_seconds(x) for x in given] if isinstance(given, list | tuple) else []
        if len(ends) == 2 and ends[0] is not None and ends[1] is not None and ends[0] <= ends[1]:
            return cls(delay, (ends[0], ends[1]), True)
        return cls(delay, None, True)

    @classmethod
    def from_details(cls, details: Mapping[str, Any]) -> Repetition:
        """What :meth:`details` wrote; assumed where it has not, as in records of version 0.2."""
        delay = _seconds(details.get(_DELAY))
        if delay is None:
            return cls()
        bounds = details.get(_RANGE)
        return cls(delay, None if bounds is None else (bounds[0], bounds[1]), True)

    def details(self) -> dict[str, Detail]:
        """For the record of a run; nothing where the device has not told."""
        if not self.told:
            return {}
        found: dict[str, Detail] = {_DELAY: self.delay}
        if self.bounds is not None:
            found[_RANGE] = list(self.bounds)
        return found

    def sentence(self) -> str:
        """In words, with its unit."""
        text = f"{1e6 * self.delay:g} µs between shots"
        if not self.told:
            return f"{text} (assumed: the backend tells none)"
        if self.bounds is None:
            return text
        return f"{text} (the device's default; it takes {_span(self.bounds)} µs)"


def _span(bounds: tuple[float, float]) -> str:
    return f"{1e6 * bounds[0]:g} to {1e6 * bounds[1]:g}"


def _seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # microseconds as they were told: 0.00025, not 0.00024999999999999995
    return round(float(value), 12) if math.isfinite(value) and value >= 0 else None


def reset_seconds(target: Target) -> float:
    """Seconds of the reset before a shot: the longest of the qubits in use, 0 without any."""
    if "reset" not in target.operation_names:
        return 0.0
    known = [getattr(each, "duration", None) or 0.0 for each in (target["reset"] or {}).values()]
    return max(known, default=0.0)


def executed_shots(shots: int, *, twirled: bool) -> int:
    """Shots of a circuit that the client asks for where ``shots`` are wanted.

    Twirled, they are drawn in at most 32 randomizations of equally many shots, at least 64 each:
    ``calculate_twirling_shots`` of the client.
    """
    if not twirled:
        return shots
    each = max(64, math.ceil(shots / 32))
    return each * math.ceil(shots / each)


def job_seconds(
    circuits: Iterable[QuantumCircuit], shots: int, target: Target, repetition: Repetition
) -> float | None:
    """Seconds that one job is billed (see the module's head); None where a length is not known.

    Args:
        circuits: in the target's gates.
        shots: of each.
        target: over the circuits' qubits, with durations.
        repetition: of the device.

    Raises:
        CompileError: for an instruction that the target does not have.
    """
    between = repetition.delay + reset_seconds(target)
    # the same object may serve many times
    known: dict[int, float | None] = {}
    total = 0.0
    kept = list(circuits)
    for circuit in kept:
        if id(circuit) not in known:
            known[id(circuit)] = duration(circuit, target)
        length = known[id(circuit)]
        if length is None:
            return None
        total += between + length
    return SECONDS_A_JOB + shots * total
