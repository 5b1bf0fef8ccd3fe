"""Circuits of an LMG run: which circuit reaches which phase, what state it must prepare.

Everything about a circuit except running it: the product formula chosen, its form on the
backend's connectivity, and the independent answers that the check before dispatch holds it against.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.transpiler import Target

from qbrain.backends.compile import expected_fidelity, is_line_local, to_isa
from qbrain.backends.fitting import reports_errors
from qbrain.backends.fractional import fold_angles
from qbrain.circuits import dicke_encoding
from qbrain.circuits.lmg import logical_program, pair_sequence
from qbrain.circuits.step_program import StepProgram, measure_neurons
from qbrain.circuits.swap_network import network_program, network_single_layer
from qbrain.reference.lmg import LMG, Orbit, piecewise_states, product_formula_states, statevector
from qbrain.reference.lmg.bond_formula import bond_formula_states

from ..engine.progress import say
from ..errors import NotApplicable
from .config import LMGConfig

__all__ = [
    "CircuitSource",
    "DickeCircuits",
    "ExactEnergy",
    "Formula",
    "PhaseSchedule",
    "Prepared",
    "QubitCircuits",
    "first_word",
    "formula_on",
    "open_circuits",
    "qubits_needed",
]

_DENSE_NEURONS = 16  # 2^16 amplitudes: a Trotter step of the dense reference takes 0.1 s

Array = NDArray[np.float64]
State = NDArray[np.complex128]


@dataclass(frozen=True)
class PhaseSchedule:
    """Control history up to a time: the increment g0·∫r dt of each interval, and its length."""

    phases: tuple[float, ...]
    dt: float


@dataclass(frozen=True)
class Prepared:
    """A circuit ready for the check: logical form, device form, and what it must give.

    ``expected``: state vector in classical-bit order; ``observable``: excitation n/N of every
    outcome, or of every excitation number; ``exact``: E of the exact evolution under the same
    couplings; ``start``: the state the circuit continues from (None: |0…0⟩).
    """

    name: str
    logical: QuantumCircuit
    isa: QuantumCircuit
    expected: State
    observable: Array
    exact: float
    start: State | None = None


class CircuitSource(Protocol):
    """What the experiment asks of an encoding."""

    qubits: int
    trotter: Steps

    def prepare(self, schedule: PhaseSchedule, name: str, steps: int | None = None) -> Prepared:
        """Circuit to the end of ``schedule`` from the initial state.

        ``steps``: Trotter steps, where other than ``trotter`` says.
        """

    def infidelity(self) -> float:
        """Expected infidelity of one Trotter step by the target's calibration."""

    def values(self) -> Array:
        """Excitation n/N of every outcome, or of every excitation number."""

    def step(self, schedule: PhaseSchedule, name: str) -> Prepared:
        """The last interval of ``schedule`` alone, for a sampler that keeps its state."""

    def table(self) -> NDArray[np.int64] | None:
        """Excitation number of each outcome (-1: no state); None counts ones."""


class ExactEnergy:
    """The exact evolution at the couplings a run has actually used."""

    def __init__(self, model: LMG, initial: int) -> None:
        self.model, self.initial = model, initial
        self._orbit: Orbit | None = None
        if model.field == 0:
            # in units of the phase itself, so that g0 = 0 needs no special case
            self._orbit = Orbit(LMG(model.neurons, model.gamma, 1.0), initial)
        self._weights = np.arange(model.neurons + 1) / model.neurons

    def __call__(self, schedule: PhaseSchedule) -> float:
        """E after the schedule."""
        if self._orbit is not None:
            return float(self._orbit.excitation([sum(schedule.phases)])[0])
        return float(np.abs(self.amplitudes(schedule)) ** 2 @ self._weights)

    def amplitudes(self, schedule: PhaseSchedule) -> State:
        """Dicke amplitudes after the schedule, shape (N+1,)."""
        if self._orbit is not None:
            return np.asarray(self._orbit.amplitudes([sum(schedule.phases)])[0])
        couplings = np.array(schedule.phases) / schedule.dt
        return np.asarray(piecewise_states(self.model, self.initial, couplings, schedule.dt)[-1])


class _Growing:
    """A program's circuit, grown step by step while the phases only get longer."""

    def __init__(self, program: StepProgram) -> None:
        self.program = program
        self._phases: list[float] = []
        self._body = program.prepare.copy()

    def circuit(self, phases: list[float], field_phase: float) -> QuantumCircuit:
        if phases[: len(self._phases)] != self._phases:
            self._phases, self._body = [], self.program.prepare.copy()
        for k in range(len(self._phases), len(phases)):
            piece = self.program.bind(k, phases[k], field_phase)
            self._body.compose(piece, inplace=True, copy=False)
        self._phases = list(phases)
        measured = self._body.copy()
        measure_neurons(measured, self.program.order_after(len(phases)))
        return measured


Steps = Callable[[float], int]


@dataclass(frozen=True)
class Formula:
    """The product formula in use: its order, and what it splits."""

    order: int
    splitting: Literal["collective", "pairwise"]


def split(config: LMGConfig, schedule: PhaseSchedule, trotter: int) -> list[float]:
    """Phases of the Trotter steps that a schedule becomes."""
    stepwise = [p / trotter for p in schedule.phases for _ in range(trotter)]
    if config.evolution == "incremental":
        return stepwise
    total = sum(schedule.phases)
    if config.single_layer and config.encoding == "qubit":
        return [total]
    return [total / trotter] * trotter if config.fixed_depth else stepwise


def _local(program: StepProgram, target: Target) -> bool:
    return all(is_line_local(step, target) for step in program.steps)


def formula_on(config: LMGConfig, initial: int, target: Target) -> Formula:
    """The formula for a target: pair by pair where gates have errors, else in collective layers.

    Pair by pair, both axes of a pair cost two gates together; so does a swap network, which is
    needed where the target has no edge between every two qubits. Where one axis alone interacts
    and h = 0, pairs commute and both are the same. Without field the default of a pairwise formula
    is order 1: its sweeps run to and fro, so that every even number of steps is a formula of order
    2, at the same number of gates. A state that is not checked densely needs collective layers.
    """
    # where all terms commute every order is the same formula
    if config.single_layer and config.encoding == "qubit":
        return Formula(1, "collective")
    if config.encoding == "qubit":
        probe = logical_program(config.neurons, config.gamma, initial=initial)
        dense = config.neurons <= _DENSE_NEURONS and config.validation != "matrix-product-state"
        if not _local(probe, target) or (dense and reports_errors(target)):
            default = 1 if config.field == 0 else 2
            return Formula(config.trotter_order or default, "pairwise")
    return Formula(config.trotter_order or 2, "collective")


class QubitCircuits:
    """One qubit a neuron: product formulas, all-to-all or on a line by a swap network.

    ``trotter``: Trotter steps of an interval (``replay``, ``incremental``, ``relax``) or, by its
    phase, of a circuit (``fast-forward``, ``orbit``).
    """

    def __init__(self, config: LMGConfig, model: LMG, initial: int, target: Target) -> None:
        n = self.qubits = config.neurons
        self.config, self.initial, self.target = config, initial, target
        self.trotter: Steps = lambda phase: 1
        formula = formula_on(config, initial, target)
        self.order, self.splitting = formula.order, formula.splitting
        options: dict[str, Any] = {"field": config.field != 0, "initial": initial}
        logical = logical_program(
            n, config.gamma, order=self.order, splitting=self.splitting, **options
        )
        routed = not _local(logical, target)
        program = logical
        if routed and config.single_layer:
            # half the gates, unless errors are to show in the parity
            method = "fused" if "parity" in config.chain else "parity"
            program = network_single_layer(
                n, initial, method=method, fractional=config.fractional_gates
            )
        elif routed:
            program = network_program(n, config.gamma, order=self.order, **options)
        device = StepProgram(
            prepare=to_isa(program.prepare, target),
            steps=tuple(to_isa(step, target) for step in program.steps),
            orders=program.orders,
        )
        # angles are known, and can be folded into what the target takes, once they are bound
        self._folds = any(target.gate_has_angle_bounds(name) for name in target.operation_names)
        self._logical = self._isa = _Growing(logical)
        if device.prepare is not logical.prepare or any(
            a is not b for a, b in zip(device.steps, logical.steps, strict=True)
        ):
            self._isa = _Growing(device)
        self.model = model
        self._exact = ExactEnergy(model, initial)
        self._dense = n <= _DENSE_NEURONS and config.validation != "matrix-product-state"
        if not self._dense and (self.splitting == "pairwise" or config.evolution == "incremental"):
            raise NotApplicable(
                f"neurons: wanted at most {_DENSE_NEURONS} and no matrix-product state where a "
                "state can only be checked densely (a swap network with gamma other than 1, or "
                f"incremental), got {n} and validation {config.validation}"
            )
        counts = np.arange(n + 1) / n
        self._values = statevector.excitation_values(n) if self._dense else counts
        self._reached: tuple[list[float], State] | None = None

    def table(self) -> None:
        """Outcomes are counted by their ones."""

    def values(self) -> Array:
        """Excitation n/N of every outcome, or of every excitation number."""
        return self._values

    def infidelity(self) -> float:
        """Expected infidelity of one Trotter step by the target's calibration."""
        turn = 0.1 if self.config.field else 0.0
        return 1 - expected_fidelity(self._isa.program.bind(0, 0.1, turn), self.target)

    def _field_phase(self, schedule: PhaseSchedule, steps: int) -> float:
        return self.config.field * schedule.dt / steps

    def _expected(self, phases: list[float], field_phase: float) -> State:
        """State of the product formula by the references, in classical-bit order.

        Dense where that is possible, from where the last call ended; else Dicke amplitudes.
        """
        if not self._dense:
            dt = field_phase / self.model.field if field_phase else 1.0
            couplings = np.array(phases) / dt
            return np.asarray(
                product_formula_states(self.model, self.initial, couplings, dt, self.order)[-1]
            )
        start: int | State = self.initial
        rest = phases
        # sweeps of order 1 alternate, so only an even number of them may be left out
        if self._reached is not None:
            done, state = self._reached
            joins = self.splitting == "collective" or self.order > 1 or len(done) % 2 == 0
            if done and joins and phases[: len(done)] == done:
                start, rest = state, phases[len(done) :]
        *_, last = statevector.product_formula_steps(
            self.qubits,
            self.config.gamma,
            rest,
            field_phase,
            order=self.order,
            initial=start,
            splitting=self.splitting,
            pairs=pair_sequence(self.qubits) if self.splitting == "pairwise" else None,
        )
        self._reached = (phases, last)
        return np.asarray(last)

    def prepare(self, schedule: PhaseSchedule, name: str, steps: int | None = None) -> Prepared:
        """Circuit to the end of ``schedule`` from the initial state."""
        steps = steps or self.trotter(sum(schedule.phases))
        phases, field_phase = (
            split(self.config, schedule, steps),
            self._field_phase(schedule, steps),
        )
        logical = isa = self._logical.circuit(phases, field_phase)
        if self._isa is not self._logical:
            isa = self._isa.circuit(phases, field_phase)
        if self._folds:
            isa = to_isa(fold_angles(isa, self.target), self.target)
        return Prepared(
            *(name, logical, isa, self._expected(phases, field_phase)),
            *(self._values, self._exact(schedule)),
        )

    def step(self, schedule: PhaseSchedule, name: str) -> Prepared:
        """Circuit of the last interval of ``schedule`` alone, for a sampler that keeps its state.

        The check sees it on top of the reference's state before the interval.
        """
        if not schedule.phases:
            return self.prepare(schedule, name)
        steps = self.trotter(sum(schedule.phases))
        field_phase = self._field_phase(schedule, steps)
        before = self._expected(
            split(self.config, PhaseSchedule(schedule.phases[:-1], schedule.dt), steps), field_phase
        )
        program = self._isa.program
        evolved = QuantumCircuit(self.qubits)
        for k in range(steps):
            piece = program.bind(k, schedule.phases[-1] / steps, field_phase)
            evolved.compose(piece, inplace=True, copy=False)
        measure_neurons(evolved, range(self.qubits))
        phases = split(self.config, schedule, steps)
        return Prepared(
            *(name, evolved, evolved, self._expected(phases, field_phase)),
            *(self._values, self._exact(schedule), before),
        )


def first_word(table: NDArray[np.int64]) -> int:
    """Place in the reflected Gray code of the sector's lowest state; ``table`` decodes it."""
    word = int(np.flatnonzero(table == table[table >= 0].min())[0])
    number = 0
    while word:
        number ^= word
        word >>= 1
    return number


class DickeCircuits:
    """The parity sector on ⌈log2(⌊N/2⌋+1)⌉ qubits."""

    def __init__(self, config: LMGConfig, model: LMG, initial: int, target: Target) -> None:
        self.config, self.model, self.initial = config, model, initial
        self.target, self.order = target, formula_on(config, initial, target).order
        self.trotter: Steps = lambda phase: 1
        self.qubits = qubits_needed(config, initial)
        self._table = np.asarray(dicke_encoding.decode(config.neurons, initial))
        self._values = np.where(self._table < 0, 0, self._table) / config.neurons
        self._exact = ExactEnergy(model, initial)
        self._evolution = self._new_evolution()
        self._reached: tuple[float, ...] = ()
        if config.synthesis == "trotter":
            self._program = _Growing(
                dicke_encoding.encoded_program(
                    config.neurons,
                    config.gamma,
                    field=config.field != 0,
                    order=self.order,
                    initial=initial,
                )
            )
            self._offset = first_word(self._table)

    def table(self) -> NDArray[np.int64]:
        """Excitation number of each outcome."""
        return self._table

    def values(self) -> Array:
        """Excitation n/N of every outcome."""
        return self._values

    def infidelity(self) -> float:
        """Expected infidelity of one Trotter step by the target's calibration."""
        turn = 0.1 if self.config.field else 0.0
        step = to_isa(self._program.program.bind(0, 0.1, turn), self.target)
        return 1 - expected_fidelity(step, self.target)

    def prepare(self, schedule: PhaseSchedule, name: str, steps: int | None = None) -> Prepared:
        """Circuit to the end of ``schedule`` from the initial state."""
        say(f"building {name}, {len(schedule.phases)} steps, on {self.qubits} qubits")
        if self.config.synthesis == "trotter":
            logical, amplitudes = self._formula(
                schedule, steps or self.trotter(sum(schedule.phases))
            )
        else:
            logical = self._exact_circuit(schedule)
            amplitudes = self._exact.amplitudes(schedule)
        isa = to_isa(logical, self.target)
        expected = np.where(self._table < 0, 0, amplitudes[self._table])
        return Prepared(name, logical, isa, expected, self._values, self._exact(schedule))

    def _exact_circuit(self, schedule: PhaseSchedule) -> QuantumCircuit:
        if schedule.phases[: len(self._reached)] != self._reached:
            self._evolution = self._new_evolution()
            self._reached = ()
        for phase in schedule.phases[len(self._reached) :]:
            self._evolution.append(phase, self.config.field * schedule.dt)
        self._reached = schedule.phases
        return self._evolution.circuit(self.config.synthesis)

    def _new_evolution(self) -> dicke_encoding.EncodedEvolution:
        return dicke_encoding.EncodedEvolution(self.config.neurons, self.config.gamma, self.initial)

    def _formula(self, schedule: PhaseSchedule, steps: int) -> tuple[QuantumCircuit, State]:
        """Product formula on the encoded qubits, and the state the reference says it makes."""
        phases = split(self.config, schedule, steps)
        turn = self.config.field * schedule.dt / steps
        states = bond_formula_states(
            self.model,
            self.initial,
            phases,
            turn,
            self.order,
            offset=self._offset,
        )
        return self._program.circuit(phases, turn), states[-1]

    def step(self, schedule: PhaseSchedule, name: str) -> Prepared:
        """There is no incremental form: a circuit of fixed depth reaches any time."""
        raise NotApplicable("evolution: incremental is for encoding qubit")


def qubits_needed(config: LMGConfig, initial: int) -> int:
    """Number of qubits of the run's circuits."""
    if config.encoding == "qubit":
        return config.neurons
    return int(dicke_encoding.sector(config.neurons, initial).qubits)


def open_circuits(config: LMGConfig, model: LMG, initial: int, target: Target) -> CircuitSource:
    """The encoding's circuits for a target over exactly ``qubits_needed`` qubits."""
    kind = QubitCircuits if config.encoding == "qubit" else DickeCircuits
    return kind(config, model, initial, target)
