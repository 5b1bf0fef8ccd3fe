"""A circuit in pieces: a preparation, then steps that differ only in two bound angles.

A feedback loop runs the same step again and again with new angles. So a step is built (and
transpiled) once with parameters; a run binds numbers into it and joins the bound pieces.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from qiskit import ClassicalRegister, QuantumCircuit
from qiskit.circuit import Parameter

from .arguments import CircuitError, check_phases

__all__ = ["FIELD_PHASE", "PHASE", "StepProgram", "measure_neurons"]

PHASE = Parameter("phase")
FIELD_PHASE = Parameter("field_phase")

_CACHED_PIECES = 512


def measure_neurons(circuit: QuantumCircuit, order: Sequence[int]) -> None:
    """Measure qubit i into bit order[i] of a new classical register ``meas``, in place."""
    register = ClassicalRegister(len(order), "meas")
    circuit.add_register(register)
    circuit.measure(range(len(order)), [register[neuron] for neuron in order])


@dataclass(frozen=True)
class StepProgram:
    """A preparation and the pieces that follow it, each on the same qubits.

    Attributes:
        prepare: the initial state, no parameters.
        steps: the pieces; step k is ``steps[k % len(steps)]``, each with a parameter named
            ``phase`` (∫ g dt of the step) and, with a field, one named ``field_phase`` (h dt).
        orders: the neuron held by each qubit before ``steps[i]``; ``orders[0]`` is the order
            after ``prepare``. One entry more than ``steps`` says that the pieces do not join up
            again: such a program runs through its steps once and no further.
        has_field: whether the steps take a field phase; found from their parameters, to be said
            only for pieces on which the field acts as a phase of no consequence.
    """

    prepare: QuantumCircuit
    steps: tuple[QuantumCircuit, ...]
    orders: tuple[tuple[int, ...], ...]
    has_field: bool = False
    _bound: OrderedDict[tuple[int, float, float], QuantumCircuit] = field(
        default_factory=OrderedDict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        """Check that pieces and orders fit each other."""
        if not self.steps:
            raise CircuitError("steps: wanted at least one piece, got none")
        if len(self.orders) not in (len(self.steps), len(self.steps) + 1):
            raise CircuitError(
                f"orders: wanted {len(self.steps)} or {len(self.steps) + 1} entries, "
                f"got {len(self.orders)}"
            )
        for order in self.orders:
            if sorted(order) != list(range(len(order))):
                raise CircuitError(f"orders: wanted permutations of the neurons, got {order}")
        for piece in self.steps:
            unknown = {p.name for p in piece.parameters} - {PHASE.name, FIELD_PHASE.name}
            if unknown:
                raise CircuitError(f"steps: unknown parameters {sorted(unknown)}")
            if any(p.name == FIELD_PHASE.name for p in piece.parameters):
                object.__setattr__(self, "has_field", True)

    @property
    def qubits(self) -> int:
        """Number of qubits of every piece."""
        return int(self.prepare.num_qubits)

    @property
    def repeats(self) -> bool:
        """Whether the steps may be run through again and again."""
        return len(self.orders) == len(self.steps)

    def order_after(self, steps: int) -> tuple[int, ...]:
        """Return the neuron held by each qubit after ``steps`` steps.

        Raises:
            CircuitError: more steps than a program that does not repeat has.
        """
        if steps < 0 or (not self.repeats and steps > len(self.steps)):
            raise CircuitError(f"steps: wanted 0..{len(self.steps)}, got {steps}")
        return self.orders[steps % len(self.orders)]

    def bind(self, step: int, phase: float, field_phase: float = 0.0) -> QuantumCircuit:
        """Return the piece of step ``step`` (counted from 0) with numbers for its parameters.

        The circuit is kept and handed out again for the same numbers: do not change it.

        Raises:
            CircuitError: a step past the end, nan or inf, a field phase where none is taken.
        """
        self.order_after(step + 1)
        check_phases([phase], field_phase)
        if field_phase != 0.0 and not self.has_field:
            raise CircuitError(f"field_phase: this program has no field, got {field_phase}")
        index = step % len(self.steps)
        key = (index, float(phase), float(field_phase))
        piece = self._bound.get(key)
        if piece is None:
            numbers = {PHASE.name: float(phase), FIELD_PHASE.name: float(field_phase)}
            source = self.steps[index]
            piece = source.assign_parameters(
                {p.name: numbers[p.name] for p in source.parameters}, inplace=False
            )
            self._bound[key] = piece
            if len(self._bound) > _CACHED_PIECES:
                self._bound.popitem(last=False)
        return piece

    def circuit(
        self,
        phases: npt.ArrayLike,
        field_phases: npt.ArrayLike = 0.0,
        measure: bool = True,
    ) -> QuantumCircuit:
        """Return preparation and K bound steps, bit j of ``meas`` being neuron j.

        Args:
            phases: shape (K,), ∫ g dt of each step; K = 0 gives the preparation alone.
            field_phases: shape (K,) or one number, h dt of each step.
            measure: whether to measure; without it the qubits keep ``order_after(K)``.

        Raises:
            CircuitError: shapes that do not fit, nan or inf, too many steps.
        """
        phi, turns = check_phases(phases, field_phases)
        order = self.order_after(len(phi))
        circuit = self.prepare.copy()
        for step, (phase, turn) in enumerate(zip(phi, turns, strict=True)):
            circuit.compose(self.bind(step, float(phase), float(turn)), inplace=True, copy=False)
        if measure:
            measure_neurons(circuit, order)
        return circuit

    def circuits(
        self, phases: npt.ArrayLike, field_phases: npt.ArrayLike = 0.0
    ) -> list[QuantumCircuit]:
        """Return the K+1 measured circuits of 0..K steps, each grown from the one before."""
        phi, turns = check_phases(phases, field_phases)
        self.order_after(len(phi))
        body = self.prepare.copy()
        result = []
        for step in range(len(phi) + 1):
            measured = body.copy()
            measure_neurons(measured, self.order_after(step))
            result.append(measured)
            if step < len(phi):
                piece = self.bind(step, float(phi[step]), float(np.asarray(turns)[step]))
                body.compose(piece, inplace=True, copy=False)
        return result
