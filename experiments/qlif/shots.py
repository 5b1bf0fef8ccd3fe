"""Shots recorded beforehand, setting by setting, and neurons that use each of them once, in order.

A neuron's setting follows from its own voltage and its bit is needed in the same tick, so a job a
tick is the literal form of the model, and a costly one. With finitely many settings there is
another: enough shots of every setting are taken in one job, and in each tick a group takes the next
shot of the setting that its voltages have chosen. Shots of one setting are alike, so the neurons
cannot tell the difference; a physicist can: the pairs were measured before anything chose the
settings, so the CHSH value is one of correlations, and no test free of loopholes.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit

from ..engine.folder import RunDirectory
from ..errors import ConfigError, RunDirectoryError
from .circuits import Angles, GroupCircuits
from .groups import Rasters
from .model import QlifModel

__all__ = ["RecordedShots", "ShotPlan", "record_shots"]

Array = NDArray[np.float64]
Bits = NDArray[np.uint8]
# shots of each setting beyond the margin, for those that are chosen rarely
SPARE = 100


class ShotPlan:
    """Which circuits are run how often, so that every tick of every session has its shot.

    Attributes:
        angles: of each circuit that differs from the others.
        place: setting of all neurons as one number (bit i: neuron i's) → its circuit.
        uses: shots of each circuit that exact sessions would use.
        copies: how often each circuit is sent.
    """

    def __init__(self, model: QlifModel) -> None:
        config = model.config
        rows, each = config.angle_rows, config.settings_each
        self.angles: list[Angles] = []
        self.place = np.zeros(each**config.group, dtype=np.int64)
        for word in range(len(self.place)):
            own = tuple(row[word >> i & 1] for i, row in enumerate(rows))
            if own not in self.angles:
                self.angles.append(own)
            self.place[word] = self.angles.index(own)
        self.uses = np.zeros(len(self.angles), dtype=np.int64)
        for session in model.sessions:
            chosen = model.simulate("entangled", session).settings
            assert chosen is not None
            words = _words(chosen)
            self.uses += np.bincount(self.place[words.ravel()], minlength=len(self.angles))
        wanted = np.ceil(config.margin * self.uses) + SPARE
        self.copies = [math.ceil(x / config.shots) for x in wanted]

    def circuits(self, made: GroupCircuits) -> tuple[list[QuantumCircuit], list[dict[str, Any]]]:
        """Those of the one job, copy after copy, and the gate's records."""
        found: list[tuple[QuantumCircuit, dict[str, Any]]] = []
        for number, (angles, copies) in enumerate(zip(self.angles, self.copies, strict=True)):
            isa, record = made.circuit(angles, 0)
            found += [(isa, {**record, "setting": number})] * copies
        circuits, records = made.references(0)
        return [isa.copy() for isa, _ in found] + circuits, [r for _, r in found] + records


class RecordedShots:
    """Bits of ticks, from shots that are used once each.

    Args:
        plan: what the shots are of.
        shots: of each circuit of the plan, (shots, neurons).
        margin: what the plan was made with, for the message.

    Raises:
        ConfigError: on a call that finds the shots of a setting used up.
    """

    def __init__(self, plan: ShotPlan, shots: Sequence[Bits], margin: float) -> None:
        self._plan, self._shots, self._margin = plan, shots, margin
        self._settings: Any = None
        self.used = np.zeros(len(shots), dtype=np.int64)

    def source(self, model: QlifModel) -> Any:
        """The bits of a session's ticks; see :data:`qbrain.experiments.qlif.groups.Source`."""
        law = model.law

        def bits(tick: int, voltage: Array) -> Bits:
            chosen = self._plan.place[_words(law.index(voltage))]  # type: ignore[union-attr]
            found = np.empty(voltage.shape, dtype=np.uint8)
            for number in np.unique(chosen):
                rows = np.flatnonzero(chosen == number)
                start = self.used[number]
                taken = self._shots[number][start : start + len(rows)]
                if len(taken) < len(rows):
                    raise ConfigError(
                        f"margin: wanted more shots of settings {self._plan.angles[number]}, whose "
                        f"{len(self._shots[number])} were used up in tick {tick + 1} of "
                        f"{model.config.ticks}; got margin = {self._margin:g}"
                    )
                found[rows] = taken
                self.used[number] += len(rows)
            return found

        return bits

    def sessions(self, model: QlifModel) -> list[Rasters]:
        """All sessions of a run, one after the other."""
        return [model.ticks(session, self.source(model)) for session in model.sessions]


def record_shots(
    run: RunDirectory,
    plan: ShotPlan,
    circuits: Sequence[QuantumCircuit],
    records: Sequence[Mapping[str, Any]],
    sampler: Any,
    shots: int,
) -> list[Bits]:
    """Shots (shots, neurons) of each circuit in their order, from the journal or from a job.

    Raises:
        RunDirectoryError: for a journal that is not of this run.
    """
    done = run.steps()
    if not done:
        for stream, circuit in enumerate(circuits):
            circuit.metadata = {**(circuit.metadata or {}), "step": 0, "stream": stream}
        results = sampler.run(circuits, shots=shots).result()
        found = [_bits(pub) for pub in results]
        # on disk before any of them is used
        run.append_step(
            {
                "step": 0,
                "shots": shots,
                "outcomes": [_packed(bits) for bits in found],
                "validation": list(records),
            }
        )
        return found
    try:
        if len(done) != 1 or int(done[0]["shots"]) != shots:
            raise ValueError(f"wanted one job of {shots} shots a circuit")
        neurons = circuits[0].num_clbits
        found = [_unpacked(text, shots, neurons) for text in done[0]["outcomes"]]
        if len(found) != len(circuits) or len(done[0]["validation"]) != len(circuits):
            raise ValueError(f"wanted {len(circuits)} circuits, got {len(found)}")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunDirectoryError(f"steps.jsonl: not the shots of this run: {error}") from None
    return found


def by_setting(plan: ShotPlan, shots: Sequence[Bits]) -> list[Bits]:
    """The shots of each setting's copies, one copy after the other."""
    ends = np.cumsum(plan.copies)
    return [
        np.concatenate(list(shots[end - copies : end]))
        for end, copies in zip(ends, plan.copies, strict=True)
    ]


def _words(settings: Bits) -> NDArray[np.int64]:
    """Settings (…, neurons) as one number each: bit i is neuron i's."""
    return np.asarray(settings.astype(np.int64) @ (1 << np.arange(settings.shape[-1])))


def _bits(pub: Any) -> Bits:
    registers = list(pub.data.values())
    if len(registers) != 1:
        raise ValueError(f"circuit: wanted one classical register, got {len(registers)}")
    return np.asarray(registers[0].to_bool_array(order="little"), dtype=np.uint8)


def _packed(bits: Bits) -> str:
    return base64.b64encode(np.packbits(bits).tobytes()).decode()


def _unpacked(text: str, shots: int, neurons: int) -> Bits:
    raw = np.frombuffer(base64.b64decode(text, validate=True), dtype=np.uint8)
    if len(raw) != math.ceil(shots * neurons / 8):
        raise ValueError(f"wanted {shots} shots of {neurons} bits, got {len(raw)} bytes")
    return np.unpackbits(raw, count=shots * neurons).reshape(shots, neurons)
