"""A file of counts that a real device measured: which circuits, how often, what came.

The file is one JSON object::

    {"device": "ibm_kingston", "t_step": 0.3,
     "circuits": [{"neurons": 4, "steps": 8, "initial": "0011", "repetition": 0,
                   "shots": 4096, "counts": {"1100": 2817, …}}, …]}

A circuit is either an XY chain (:func:`qbrain.circuits.xy_chain.xy_chain`), told by ``steps`` and
``initial`` (character q is qubit q), or the ``circuit``-th of a QPY file that the top-level entry
``qpy`` names, relative to the file; such a circuit holds gates alone, and qubit q is read into bit
q. Bit strings have bit 0 on the right. Circuits of no steps are readout baselines.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.quantum_info import Statevector

from qbrain.circuits.xy_chain import xy_chain

from ..errors import ConfigError

__all__ = ["CircuitClass", "DeviceCounts", "read_counts"]

Array = NDArray[np.float64]
MOST_QUBITS = 10  # 4^10 numbers of a density matrix for each circuit
MOST_STEPS = 1000


@dataclass(frozen=True)
class CircuitClass:
    """One circuit and all that was measured of it.

    Attributes:
        name: ``n<qubits> d<steps> <initial>``, or ``circuit <number>``.
        circuit: gates alone; qubit q is bit q.
        steps: None for a circuit of a QPY file.
        initial: of the XY chain, or nothing.
        counts: (repetitions, 2^n): shots of each outcome, bit q of the index being qubit q.
        ideal: (2^n,): probabilities without noise.
        parity: of the number of 1s, where the ideal distribution has one; else None.
    """

    name: str
    circuit: QuantumCircuit
    steps: int | None
    initial: str
    counts: Array
    ideal: Array
    parity: int | None

    @property
    def qubits(self) -> int:
        """Number of qubits."""
        return int(self.circuit.num_qubits)

    @property
    def baseline(self) -> bool:
        """Whether it only prepares a basis state."""
        return self.steps == 0

    @property
    def group(self) -> tuple[int, int | str]:
        """What is split and drawn together: circuits that differ in their initial state alone."""
        return self.qubits, self.name if self.steps is None else self.steps

    @property
    def distribution(self) -> Array:
        """(2^n,): fractions over all repetitions."""
        total: Array = self.counts.sum(axis=0)
        found: Array = total / total.sum()
        return found


@dataclass(frozen=True)
class DeviceCounts:
    """A file of counts: the device and its classes of circuits, sorted by size and depth."""

    path: str
    device: str
    when: tuple[str, ...]
    classes: tuple[CircuitClass, ...]

    @property
    def dynamic(self) -> tuple[CircuitClass, ...]:
        """The classes that are no baselines."""
        return tuple(one for one in self.classes if not one.baseline)


def read_counts(path: Path) -> DeviceCounts:
    """Read a file of counts.

    Raises:
        ConfigError: the file cannot be read, or something in it is not as it should be; the
            message names the circuit and the entry.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigError(f"counts: cannot read {path}: {why}") from None
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise ConfigError(f"counts: {path} is not JSON") from None
    if not isinstance(content, dict) or not isinstance(content.get("circuits"), list):
        raise ConfigError(f"counts: {path}: wanted an object with a list 'circuits'")
    device = content.get("device")
    if not isinstance(device, str) or not device:
        raise ConfigError(f"counts: {path}: device: wanted a name such as ibm_kingston")
    step = content.get("t_step", 0.3)
    if isinstance(step, bool) or not isinstance(step, int | float) or not 0 < step < 10:
        raise ConfigError(f"counts: {path}: t_step: wanted a number in (0, 10), got {step!r}")
    given = _circuits_of(path, content.get("qpy"))
    found: dict[tuple[Any, ...], list[Array]] = {}
    for number, entry in enumerate(content["circuits"]):
        key, shots = _entry(path, number, entry, given)
        found.setdefault(key, []).append(shots)
    if not found:
        raise ConfigError(f"counts: {path}: circuits: wanted at least one, got none")
    classes = [
        _class_of(key, np.array(shots), float(step), given)
        for key, shots in sorted(found.items(), key=lambda item: tuple(map(str, item[0])))
    ]
    classes.sort(key=lambda one: (one.qubits, -1 if one.steps is None else one.steps, one.name))
    when = content.get("time_utc", ())
    times = (when,) if isinstance(when, str) else when if isinstance(when, list) else ()
    return DeviceCounts(str(path), device, tuple(map(str, times)), tuple(classes))


def _circuits_of(path: Path, name: object) -> list[QuantumCircuit]:
    if name is None:
        return []
    from qiskit import qpy

    try:
        with (path.parent / str(name)).open("rb") as file:
            circuits = qpy.load(file)
    except OSError as error:
        raise ConfigError(f"counts: qpy: cannot read {name}: {error.strerror}") from None
    except Exception as error:  # whatever a damaged file makes of the reader
        raise ConfigError(f"counts: qpy: {name} is no QPY file: {type(error).__name__}") from None
    for number, circuit in enumerate(circuits):
        if circuit.num_clbits or circuit.parameters or not 1 <= circuit.num_qubits <= MOST_QUBITS:
            raise ConfigError(
                f"counts: qpy: circuit {number}: wanted bound gates alone on 1 to {MOST_QUBITS} "
                f"qubits, got {circuit.num_qubits} qubits, {circuit.num_clbits} classical bits and "
                f"{len(circuit.parameters)} parameters"
            )
    return list(circuits)


def _entry(
    path: Path, number: int, entry: object, given: list[QuantumCircuit]
) -> tuple[tuple[Any, ...], Array]:
    """What a circuit is known by, and (2^n,) its shots of each outcome."""

    def refuse(name: str, wanted: str, got: object) -> ConfigError:
        shown = repr(got)
        return ConfigError(
            f"counts: {path}: circuit {number}: {name}: wanted {wanted}, got "
            f"{shown if len(shown) < 80 else shown[:80] + '…'}"
        )

    if not isinstance(entry, dict):
        raise refuse("entry", "an object", entry)
    index = entry.get("circuit")
    if index is not None:
        if not _whole(index, 0, len(given) - 1):
            raise refuse("circuit", f"a number below {len(given)} of the file's qpy", index)
        key: tuple[Any, ...] = ("circuit", index)
        qubits = given[index].num_qubits
    else:
        initial, steps = entry.get("initial"), entry.get("steps")
        if not isinstance(initial, str) or not initial or set(initial) - {"0", "1"}:
            raise refuse("initial", "a string of 0 and 1", initial)
        qubits = len(initial)
        if qubits > MOST_QUBITS:
            raise refuse("initial", f"at most {MOST_QUBITS} qubits", initial)
        if entry.get("neurons", qubits) != qubits:
            raise refuse("neurons", f"the length of initial, {qubits}", entry["neurons"])
        if not _whole(steps, 0, MOST_STEPS):
            raise refuse("steps", f"a whole number from 0 to {MOST_STEPS}", steps)
        key = ("chain", qubits, steps, initial)
    counts = entry.get("counts")
    if not isinstance(counts, dict) or not counts:
        raise refuse("counts", "an object of bit strings and numbers", counts)
    shots = np.zeros(2**qubits)
    for word, count in counts.items():
        if len(word) != qubits or set(word) - {"0", "1"}:
            raise refuse("counts", f"strings of {qubits} bits", word)
        if not _whole(count, 0, 10**9):
            raise refuse("counts", "whole numbers >= 0", count)
        shots[int(word, 2)] += count
    total = entry.get("shots", int(shots.sum()))
    if total != shots.sum() or not total > 0:
        raise refuse("shots", f"the sum of the counts, {int(shots.sum())}", total)
    return key, shots


def _whole(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _class_of(
    key: tuple[Any, ...], counts: Array, step: float, given: list[QuantumCircuit]
) -> CircuitClass:
    if key[0] == "circuit":
        circuit, steps, initial, name = given[key[1]], None, "", f"circuit {key[1]}"
    else:
        _, qubits, steps, initial = key
        circuit, name = xy_chain(steps, initial, step), f"n{qubits} d{steps} {initial}"
    ideal = np.abs(Statevector(circuit).data) ** 2
    ideal /= ideal.sum()
    odd = float(ideal[parities(circuit.num_qubits) == 1].sum())
    parity = 0 if odd < 1e-9 else 1 if odd > 1 - 1e-9 else None
    return CircuitClass(name, circuit, steps, initial, counts, ideal, parity)


def parities(qubits: int) -> NDArray[np.int64]:
    """(2^n,): parity of the number of 1s of each basis state."""
    found: NDArray[np.int64] = np.bitwise_count(np.arange(2**qubits)).astype(np.int64) % 2
    return found


def by_size(classes: Iterable[CircuitClass]) -> Mapping[int, list[CircuitClass]]:
    """The classes of each number of qubits."""
    found: dict[int, list[CircuitClass]] = {}
    for one in classes:
        found.setdefault(one.qubits, []).append(one)
    return found
