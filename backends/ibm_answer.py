"""A job's result, held against what was sent before it is believed.

Every circuit goes out under a label: its classical register is given a name of its own in the job,
and its metadata name the job's tag and the circuit's place in it. What comes back has to have as
many results as circuits, each under its label, in its register, with as many bits and shots as were
asked for. Results in another order are put in theirs; anything else is refused.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from qiskit import QuantumCircuit
from qiskit.primitives import BitArray, DataBin, PrimitiveResult, SamplerPubResult

from .errors import DeviceFault
from .ibm_policy import one_line

__all__ = ["LABEL", "BadAnswer", "Wanted", "read_answer", "wanted_of"]

LABEL = "qbrain"


class BadAnswer(DeviceFault):
    """A result that does not belong to what was sent, or is none."""


@dataclass(frozen=True)
class Wanted:
    """What the result of one circuit has to look like.

    Attributes:
        label: in the metadata.
        registers: name as sent → (name in the circuit, bits).
        metadata: of the circuit as it was given.
    """

    label: str
    registers: dict[str, tuple[str, int]]
    metadata: dict[str, Any]


def wanted_of(circuits: Sequence[QuantumCircuit], tag: str) -> list[Wanted]:
    """The labels of the circuits of one job."""
    return [
        Wanted(
            f"{tag}/{number}",
            {f"{r.name}_{number}": (r.name, r.size) for r in circuit.cregs},
            dict(circuit.metadata or {}),
        )
        for number, circuit in enumerate(circuits)
    ]


def read_answer(
    text: str, wanted: Sequence[Wanted], shots: int, *, twirled: bool
) -> PrimitiveResult[SamplerPubResult]:
    """Decode a result and hold it against what was sent.

    Args:
        text: as the service gave it.
        wanted: of each circuit.
        shots: asked for of each circuit.
        twirled: whether the client rounded the shots up to whole randomisations.

    Raises:
        BadAnswer: the text is cut, of another form, of other circuits, registers or widths, or has
            fewer or more shots.
    """
    pubs = _decoded(text)
    if len(pubs) != len(wanted):
        raise BadAnswer(f"wanted results of {len(wanted)} circuits, got {len(pubs)}")
    places = {frozenset(each.registers): number for number, each in enumerate(wanted)}
    found: dict[int, SamplerPubResult] = {}
    order: list[int] = []
    for pub in pubs:
        registers = dict(pub.data.items())
        number = places.get(frozenset(registers))
        if number is None or number in found:
            names = ", ".join(sorted(registers)) or "none"
            raise BadAnswer(f"wanted the registers of {len(wanted)} circuits, got {names}")
        order.append(number)
        found[number] = _restored(pub, registers, wanted[number], shots, twirled)
    labels = [(pub.metadata.get("circuit_metadata") or {}).get(LABEL) for pub in pubs]
    # the labels travel apart from the data, and may have kept their order
    if labels != [each.label for each in wanted] and labels != [wanted[n].label for n in order]:
        raise BadAnswer(
            f"wanted the metadata of {wanted[0].label} and so on, got {one_line(str(labels))[:80]}"
        )
    return PrimitiveResult([found[number] for number in range(len(wanted))])


def _decoded(text: str) -> Sequence[SamplerPubResult]:
    from qiskit_ibm_runtime.decoders.defaults import DEFAULT_DECODERS

    found: Any = text
    try:
        for decoder in DEFAULT_DECODERS["executor"]:
            if decoder.is_applicable(found):
                found = decoder.decode(found)
        if not isinstance(found, PrimitiveResult):
            raise TypeError(f"wanted the result of a sampler, got {type(found).__name__}")
        pubs: list[SamplerPubResult] = [*cast(Any, found)]
        for pub in pubs:
            if not isinstance(pub, SamplerPubResult):
                raise TypeError(f"wanted the result of a circuit, got {type(pub).__name__}")
    except Exception as error:
        # whatever the decoders stumble over, the answer is none
        raise BadAnswer(f"not a result: {one_line(error)}") from error
    return pubs


def _restored(
    pub: SamplerPubResult,
    registers: dict[str, Any],
    wanted: Wanted,
    shots: int,
    twirled: bool,
) -> SamplerPubResult:
    """The result under the circuit's own names."""
    data = {}
    for sent, (name, size) in wanted.registers.items():
        bits = registers[sent]
        if not isinstance(bits, BitArray) or bits.num_bits != size or bits.shape != ():
            got = getattr(bits, "num_bits", type(bits).__name__)
            raise BadAnswer(f"register {name}: wanted {size} bits a shot, got {got}")
        got = bits.num_shots
        # the client makes whole randomisations of at least 64 shots, 32 of them at most
        most = shots + max(64, math.ceil(shots / 32)) if twirled else shots
        if not shots <= got <= most:
            raise BadAnswer(f"wanted {shots} shots of each circuit, got {got}")
        data[name] = bits
    metadata = {**pub.metadata, "circuit_metadata": wanted.metadata}
    return SamplerPubResult(DataBin(**cast(Any, data)), metadata=metadata)
