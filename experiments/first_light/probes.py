"""The circuits of a check, each with the state that it must leave and what else it could read.

All are on one chain of four qubits. What a circuit must read is worked out without it, and so is
what it would read if something were wrong in a way that can be named: bits or qubits in another
order, a gate that is left out, an angle twice as large.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.transpiler import Target

from qbrain.backends.compile import to_isa
from qbrain.reference.lmg import LMG, product_formula_states

from ..engine.experiment import Branches, Histories, Observable, PureState, Role, Task
from ..lmg.circuits import PhaseSchedule, open_circuits
from ..lmg.config import LMGConfig

__all__ = [
    "GAMMA",
    "ORDERS",
    "PHASES",
    "QUBITS",
    "WAIT",
    "OrderCircuit",
    "Probe",
    "left_out",
    "probes",
]

Array = NDArray[np.float64]
State = NDArray[np.complex128]

QUBITS = 4
# anisotropy and phase φ = ∫ g dt of the brain's steps: E is then well away from 0 and 1/2, and
# one step of the formula errs by less than 0.02
GAMMA, PHASES = 0.8, {2: 1.6, 4: 1.4}
# seconds of each half of the echo
WAIT = 2e-6


@dataclass(frozen=True)
class OrderCircuit:
    """Excitations on some qubits, and the classical bit that each qubit is read into."""

    active: tuple[int, ...]
    bits: tuple[int, ...]

    def word(self, qubits: tuple[int, ...] = (0, 1, 2, 3), bits: tuple[int, ...] = (0, 1, 2, 3),
             ) -> int:  # fmt: skip
        """What is read if qubit q stands at ``qubits[q]`` and bit b arrives as ``bits[b]``."""
        return sum(1 << bits[self.bits[qubits[q]]] for q in self.active)


# every other order of bits or of qubits reads something else, and but for one pair of orders each
# something of its own (found by trying all circuits of this form)
ORDERS = (
    OrderCircuit((0,), (0, 1, 2, 3)),
    OrderCircuit((2, 3), (1, 2, 3, 0)),
    OrderCircuit((1, 2), (2, 3, 1, 0)),
)


@dataclass(frozen=True)
class Probe:
    """A circuit of known answer.

    Attributes:
        name: in tables.
        about: what it shows, in a few words.
        kind: ``readout``, ``order``, ``gates``, ``dynamic`` or ``idle``.
        task: circuit and expected state.
        ideal: (2^bits,): probabilities without errors.
        others: (2^bits,) each: probabilities if something were wrong, by what it points to.
        values: n/N of each outcome, where E is told.
    """

    name: str
    about: str
    kind: str
    task: Task
    ideal: Array
    others: Mapping[str, Array] = field(default_factory=dict)
    values: Array | None = None

    @property
    def bits(self) -> int:
        """Number of classical bits."""
        return int(self.ideal.size).bit_length() - 1

    @property
    def right(self) -> NDArray[np.bool_]:
        """(2^bits,): outcomes that a perfect device may read."""
        return self.ideal > 1e-9


def probes(target: Target, feed_forward: bool = False) -> list[Probe]:
    """The circuits of a check on a target of four qubits; those that it can run.

    ``feed_forward``: whether circuits may branch on a reading.
    """
    found = [
        _basis("all 0", "false excitations", 0, {"inverted readout": 15}),
        _basis("all 1", "lost excitations", 15, {"inverted readout": 0, "no gate acts": 0}),
        *(_order(number, each) for number, each in enumerate(ORDERS)),
        _parity(),
        _step(2, "qubit", target),
        _step(4, "qubit", target),
        _step(4, "dicke", target),
        _echo(target),
    ]
    if "reset" in target.operation_names:
        found.append(_reset())
    if feed_forward and "x" in target.operation_names:
        found.append(_feed_forward(target))
    return [replace(one, task=_named(one)) for one in found]


def _named(one: Probe) -> Task:
    return replace(one.task, name=f"check {one.name}", tags={"probe": one.name})


def _point(bits: int, word: int) -> Array:
    found = np.zeros(2**bits)
    found[word] = 1.0
    return found


def _flat(qubits: int, bits: int) -> QuantumCircuit:
    return QuantumCircuit(QuantumRegister(qubits, "q"), ClassicalRegister(bits, "bits"))


def _basis(name: str, about: str, word: int, others: Mapping[str, int]) -> Probe:
    circuit = _flat(QUBITS, QUBITS)
    for qubit in range(QUBITS):
        if word >> qubit & 1:
            circuit.x(qubit)
    circuit.measure(range(QUBITS), range(QUBITS))
    ideal = _point(QUBITS, word)
    wrong = {why: _point(QUBITS, other) for why, other in others.items()}
    return Probe(name, about, "readout", Task(circuit, PureState(ideal), Role("readout")), ideal,
                 wrong)  # fmt: skip


def _order(number: int, one: OrderCircuit) -> Probe:
    circuit = _flat(QUBITS, QUBITS)
    circuit.x(list(one.active))
    circuit.measure(range(QUBITS), one.bits)
    ideal = _point(QUBITS, one.word())
    active = " and ".join(map(str, one.active))
    qubits = "qubit" if len(one.active) == 1 else "qubits"
    bits = "" if one.bits == (0, 1, 2, 3) else f", bits {', '.join(map(str, one.bits))}"
    return Probe(f"order {number + 1}", f"X on {qubits} {active}{bits}", "order",
                 Task(circuit, PureState(ideal), Role("point", number=number)), ideal,
                 {"no gate acts": _point(QUBITS, 0)})  # fmt: skip


def _parity() -> Probe:
    """(|0…0⟩ + |1…1⟩)/√2 in the X basis: an even number of ones, each such word alike."""
    circuit = _flat(QUBITS, QUBITS)
    circuit.h(0)
    for qubit in range(QUBITS - 1):
        circuit.cx(qubit, qubit + 1)
    circuit.h(range(QUBITS))
    circuit.measure(range(QUBITS), range(QUBITS))
    odd = np.bitwise_count(np.arange(2**QUBITS)) % 2 == 1
    amplitudes = np.where(odd, 0.0, 8**-0.5)
    # without the CNOTs qubit 0 returns and the others are random
    alone = np.where(np.arange(2**QUBITS) % 2 == 0, 0.125, 0.0)
    others = {"sign of the two-qubit gates": np.where(odd, 0.125, 0.0),
              "two-qubit gates do not act": alone}  # fmt: skip
    return Probe("parity", "even ones of a four-qubit cat in the X basis", "gates",
                 Task(circuit, PureState(amplitudes)), amplitudes**2, others)  # fmt: skip


def _step(neurons: int, encoding: Literal["qubit", "dicke"], target: Target) -> Probe:
    """One step of the brain from silence."""
    config = LMGConfig(neurons=neurons, gamma=GAMMA, encoding=encoding)
    model = LMG(neurons, GAMMA, 1.0)
    source = open_circuits(config, model, 0, target)
    phase = PHASES[neurons]
    made = source.prepare(PhaseSchedule((phase,), 1.0), f"lmg {neurons} {encoding}", 1)
    values, size = np.asarray(made.observable), np.asarray(made.expected).size
    ideal = np.abs(np.asarray(made.expected)) ** 2
    observable = Observable(values, made.exact, 0.02)
    task = Task(made.logical, PureState(made.expected, observable), isa=made.isa, exact=made.exact)
    table = source.table()
    words = np.bitwise_count(np.arange(size)).astype(np.int64) if table is None else table
    others = {
        "no gate acts": _populations(words, _levels(neurons, 0.0)),
        "angles twice as large": _populations(words, _levels(neurons, 2 * phase)),
        "angles half as large": _populations(words, _levels(neurons, phase / 2)),
    }
    names = {"qubit": f"LMG, N = {neurons}", "dicke": f"sector, N = {neurons}"}
    about = "one step of the brain" + (" in its parity sector" if encoding == "dicke" else "")
    return Probe(names[encoding], about, "gates", task, ideal, others, values)


def _levels(neurons: int, phase: float) -> Array:
    """(N+1,): chance of each number of active neurons after a step."""
    state = product_formula_states(LMG(neurons, GAMMA, 1.0), 0, [phase], 1.0, 2)[-1]
    return np.asarray(np.abs(state) ** 2, dtype=np.float64)


def _populations(words: NDArray[np.int64], levels: Array) -> Array:
    """Chance of each outcome, where outcome x is ``words[x]`` active neurons; −1: none."""
    alike = np.bincount(words[words >= 0], minlength=len(levels))
    found = np.where(words < 0, 0.0, levels[words] / np.maximum(alike[words], 1))
    return np.asarray(found / found.sum(), dtype=np.float64)


def _echo(target: Target) -> Probe:
    """All qubits wait twice on the equator, with a turn between: they come back to |0…0⟩."""
    circuit = _flat(QUBITS, QUBITS)
    length, unit = _wait(target)
    circuit.h(range(QUBITS))
    circuit.delay(length, range(QUBITS), unit)
    circuit.x(range(QUBITS))
    circuit.delay(length, range(QUBITS), unit)
    circuit.h(range(QUBITS))
    circuit.measure(range(QUBITS), range(QUBITS))
    ideal = _point(QUBITS, 0)
    return Probe("idle echo", f"H, wait {1e6 * WAIT:g} µs, X, wait, H", "idle",
                 Task(circuit, PureState(ideal)), ideal,
                 {"qubits turn while they wait": _point(QUBITS, 2**QUBITS - 1)})  # fmt: skip


def _wait(target: Target) -> tuple[int, str]:
    """The waiting time in the target's own unit, a multiple of what it can time."""
    if not target.dt:
        return round(1e9 * WAIT), "ns"
    grain = int(np.lcm.reduce([target.granularity, target.pulse_alignment,
                               target.acquire_alignment, 16]))  # fmt: skip
    return grain * round(WAIT / target.dt / grain), "dt"


def _reset() -> Probe:
    """A qubit is excited, read, reset and read again: 1, then 0."""
    circuit = _flat(1, 2)
    circuit.x(0)
    circuit.measure(0, 0)
    circuit.reset(0)
    circuit.measure(0, 1)
    ideal = _point(2, 0b01)

    def states(history: NDArray[np.int64]) -> State:
        # before the first reading |1⟩, before the second |0⟩
        excited = history.shape[1] == 0
        return np.tile([0.0, 1.0] if excited else [1.0, 0.0], (len(history), 1)).astype(complex)

    others = {"reset does not act": _point(2, 0b11), "reading on the way is lost": _point(2, 0)}
    return Probe("reset", "X, read, reset, read again", "dynamic",
                 Task(circuit, Histories([[0], [1]], states, 0)), ideal, others)  # fmt: skip


def left_out(target: Target, feed_forward: bool = False) -> list[str]:
    """What a target does not offer, as sentences; arguments as of :func:`probes`."""
    found = []
    if "reset" not in target.operation_names:
        found.append("reset, and reading on the way: the target has no reset")
    if not feed_forward:
        found.append("feed-forward: the backend cannot branch on a reading")
    elif "x" not in target.operation_names:
        found.append("feed-forward: the target has no x of its own")
    return found


def _feed_forward(target: Target) -> Probe:
    """A qubit on the equator is read, and another one is turned if that was a 1: 00 or 11."""
    first = QuantumCircuit(QuantumRegister(2, "q"))
    first.h(0)
    circuits = []
    for begun in (first, to_isa(first, target)):
        circuit = QuantumCircuit(*begun.qregs, ClassicalRegister(2, "bits"))
        circuit.compose(begun, range(begun.num_qubits), inplace=True)
        circuit.measure(0, 0)
        with circuit.if_test((circuit.clbits[0], 1)):
            circuit.x(1)
        circuit.measure(1, 1)
        circuits.append(circuit)
    ideal = np.array([0.5, 0, 0, 0.5])
    others = {
        "the branch is never taken": np.array([0.5, 0.5, 0, 0]),
        "the branch is always taken": np.array([0, 0, 0.5, 0.5]),
        "the branch is taken at 0": np.array([0, 0.5, 0.5, 0]),
    }
    return Probe("feed-forward", "H, read, X on another qubit if 1", "dynamic",
                 Task(circuits[0], Branches(ideal), isa=circuits[1]), ideal, others)  # fmt: skip
