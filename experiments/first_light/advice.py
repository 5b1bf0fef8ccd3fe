"""What a device can do today: encoding, evolution, mitigation and N of a run to a given RMSE of E.

The run is the brain from silence with γ = 0.8 at the default times. Its circuits are compiled for
a line of N qubits each as good as the mean of the four that were checked. Its gates have the
calibrated errors, or larger ones where the check found such, so that F_k is the expected fidelity
of the gates of circuit k. With x_k the exact E, c_k the error of the product formula, σ_k that of
the shots and r_k that of the readout,

    RMSE² = mean_k [ c_k² + (ρ |x_k − ½| (1 − F_k))² + (σ_k / F_k)² + r_k² ],

the first three as :func:`qbrain.classical_feedback.rescaling.choose_steps` has them (where nothing
is rescaled, σ_k is not divided by F_k), with ρ what a mitigation leaves of the gates' error
(:func:`qbrain.experiments.lmg.trotter.residual_of`). r_k is exact for the mean readout errors that
were measured, after the parity (or the sector's unused words) has been post-selected, and 0 where
the mitigation undoes it. Errors that the feedback carries on are left out. Nothing is looked up:
with other numbers of the check the answer is another one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit.transpiler import InstructionProperties, Target

from qbrain.backends.check.pure import DispatchRefused
from qbrain.backends.compile import expected_fidelity, two_qubit_gates
from qbrain.backends.fractional import FRACTIONAL
from qbrain.backends.ideal import ideal_target
from qbrain.backends.snapshot import bare_target
from qbrain.classical_feedback.rescaling import choose_steps

from ..engine.experiment import Bench
from ..engine.plan import planned
from ..engine.progress import say
from ..lmg.circuits import formula_on
from ..lmg.config import LMGConfig
from ..lmg.protocol import LMGExperiment
from ..lmg.trotter import Plan, residual_of
from .expectation import read_through
from .numbers import DeviceNumbers
from .probes import GAMMA

__all__ = [
    "GOAL",
    "Advice",
    "Points",
    "advise",
    "circuits_of",
    "expected_rmse",
    "line_like",
    "readout_bias",
]

Array = NDArray[np.float64]

GOAL = 0.02
SHOTS = 4000
# looked at by bisection; 16 to 31 neurons are 4 qubits in the dicke
# encoding, of which 168 two-qubit gates are the least that is known here
NEURONS = (2, 4, 6, 8, 10, 12, 15)
# cheapest first: what each adds is more circuits
MITIGATIONS = {
    "qubit": ("parity", "parity+readout", "parity+readout+echo"),
    "dicke": ("none", "readout", "readout+echo"),
}
EVOLUTIONS = {"qubit": ("fast-forward", "replay"), "dicke": ("orbit",)}


@dataclass(frozen=True)
class Advice:
    """A form of the run and what is to be expected of it.

    ``two_qubit_gates`` and ``fidelity`` are those of its largest circuit.
    """

    encoding: str
    evolution: str
    mitigation: str
    neurons: int
    qubits: int
    two_qubit_gates: int
    fidelity: float
    expected_rmse: float

    @property
    def command(self) -> str:
        """Options of ``qbrain run lmg``."""
        return (
            f"--neurons {self.neurons} --gamma {GAMMA:g} --encoding {self.encoding} "
            f"--evolution {self.evolution} --mitigation {self.mitigation} --shots {SHOTS}"
        )

    def record(self) -> dict[str, Any]:
        """A JSON object."""
        return {**asdict(self), "command": self.command}


def advise(
    backend: str, target: Target, numbers: DeviceNumbers, most: int = NEURONS[-1]
) -> list[Advice]:
    """The largest N that meets the goal in each encoding, evolution and mitigation; best first.

    Args:
        backend: its name.
        target: of the four qubits that were checked.
        numbers: what the check found.
        most: neurons that are considered.
    """
    sizes = [n for n in NEURONS if n <= most]
    found: list[Advice] = []
    for encoding, evolutions in EVOLUTIONS.items():
        for evolution in evolutions:
            config = LMGConfig.from_mapping(
                {
                    "backend": backend,
                    "gamma": GAMMA,
                    "encoding": encoding,
                    "evolution": evolution,
                    "shots": SHOTS,
                    "seed": 0,
                }
            )
            form = _Form(config, target, numbers)
            for mitigation in MITIGATIONS[encoding]:
                best = _largest(sizes, form, mitigation)
                found += [] if best is None else [best]
    # of several that reach as far the one with the fewest further circuits, then the fewest gates
    return sorted(
        found,
        key=lambda one: (
            -one.neurons,
            MITIGATIONS[one.encoding].index(one.mitigation),
            one.two_qubit_gates,
        ),
    )


@dataclass
class _Form:
    """An encoding and evolution at any N; what was compiled once is kept."""

    config: LMGConfig
    target: Target
    numbers: DeviceNumbers
    known: dict[int, dict[str, Advice]] = field(default_factory=dict)

    def at(self, neurons: int, mitigation: str) -> Advice | None:
        """What is to be expected; None where the run would be refused."""
        if neurons not in self.known:
            self.known[neurons] = self._all(neurons)
        return self.known[neurons].get(mitigation)

    def _all(self, neurons: int) -> dict[str, Advice]:
        config = self.config.model_copy(update={"neurons": neurons})
        say(f"what {neurons} neurons could do, {config.encoding}, {config.evolution}")
        try:
            points = circuits_of(config, self.target, self.numbers)
        except DispatchRefused:  # no number of Trotter steps meets the formula's limit
            return {}
        return {
            chain: expected_rmse(
                config.model_copy(update={"mitigation": chain}), points, self.numbers
            )
            for chain in MITIGATIONS[config.encoding]
        }


def _largest(sizes: Sequence[int], form: _Form, mitigation: str) -> Advice | None:
    """By bisection, since errors grow with N."""
    best, low, high = None, 0, len(sizes)
    while low < high:
        middle = (low + high) // 2
        one = form.at(sizes[middle], mitigation)
        if one is not None and one.expected_rmse <= GOAL:
            best, low = one, middle + 1
        else:
            high = middle
    return best


@dataclass(frozen=True)
class Points:
    """The circuits of a run: their gates, fidelities and what is exactly true of them.

    ``exact``, ``spread`` and ``formula``: (points,) E, standard deviation of n/N, error of E by the
    product formula; ``populations``: (points, N+1).
    """

    qubits: int
    gates: int
    fidelities: Sequence[float]
    exact: Array
    spread: Array
    populations: Array
    formula: Array


def circuits_of(config: LMGConfig, target: Target, numbers: DeviceNumbers) -> Points:
    """A run of the brain on a line as good as the qubits that were checked.

    Raises ``DispatchRefused`` where the product formula would be refused.
    """
    qubits = LMGExperiment.qubits_of(config)
    line = line_like(target, qubits, numbers)
    readout = np.tile([numbers.false, numbers.lost], (qubits, 1))
    bench = Bench((line,), (readout,), {}, True)
    experiment = LMGExperiment(config, bench)
    circuits = [circuit for job in planned(experiment, bench) for circuit in job.circuits]
    linked = line.build_coupling_map() is not None
    fidelities = [
        expected_fidelity(one, line)
        if linked
        else (1 - numbers.two_qubit_error) ** two_qubit_gates(one)
        for one in circuits
    ]
    return Points(
        qubits,
        max(two_qubit_gates(one) for one in circuits),
        fidelities,
        *_exact(experiment),
        _formula_errors(experiment, config, line),
    )


def expected_rmse(config: LMGConfig, points: Points, numbers: DeviceNumbers) -> Advice:
    """What is to be expected of a run with these circuits and the configuration's mitigation."""
    left = residual_of(config.chain)
    squares = []
    for k, fidelity in enumerate(points.fidelities):
        step = choose_steps(
            min(1 - fidelity, 1 - 1e-9),
            {1: float(points.formula[k])},
            amplitude=abs(float(points.exact[k]) - 0.5),
            residual=left,
            shot_error=float(points.spread[k]) / math.sqrt(config.shots),
        )
        bias = 0.0
        if "readout" not in config.chain:
            bias = readout_bias(config, points.populations[k], numbers)
        squares.append(step.expected[1][0] ** 2 + bias**2)
    return Advice(
        config.encoding,
        config.evolution,
        config.mitigation if config.chain else "none",
        config.neurons,
        points.qubits,
        points.gates,
        min(points.fidelities),
        math.sqrt(float(np.mean(squares))),
    )


def line_like(target: Target, qubits: int, numbers: DeviceNumbers) -> Target:
    """A line of qubits each like the mean of a target's, with the errors that a check found.

    Errors of one-qubit gates grow by the same factor as those of two; measuring counts as perfect,
    for its error is told apart. All-to-all, and without errors, where the target is so.
    """
    if target.build_coupling_map() is None:
        return ideal_target(qubits)
    line = bare_target(target, [0] * qubits)
    edges = [(a, a + step) for a in range(qubits) for step in (1, -1) if 0 <= a + step < qubits]
    for name in target.operation_names:
        rows = {place: each for place, each in (target[name] or {}).items() if place is not None}
        if name in FRACTIONAL or not rows:
            continue
        size = len(next(iter(rows)))
        places = edges if size == 2 else [(a,) for a in range(qubits)]
        if not places:
            continue
        error = _mean([getattr(each, "error", None) for each in rows.values()])
        if size == 2:
            error = numbers.two_qubit_error
        elif name == "measure":
            error = 0.0
        elif error is not None:
            error = min(0.5, error * numbers.growth)
        length = _mean([getattr(each, "duration", None) for each in rows.values()])
        each = InstructionProperties(duration=length, error=error)
        line.add_instruction(
            target.operation_from_name(name), dict.fromkeys(places, each), name=name
        )
    return line


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _exact(experiment: LMGExperiment) -> tuple[Array, Array, Array]:
    """(points,) E and the spread of n/N, (points, N+1) populations, at the run's circuits."""
    brain = experiment.brain
    levels = np.arange(brain.model.neurons + 1) / brain.model.neurons
    if brain.config.evolution == "orbit":
        from qbrain.reference.lmg import Orbit

        phases = [brain.config.g0 * control.phase for control in brain.planned]
        states = Orbit(brain.model, brain.initial).amplitudes(np.array(phases))
        populations = np.abs(np.asarray(states)) ** 2
    else:
        populations = np.asarray(brain.exact.populations.values)
    mean = populations @ levels
    spread = np.sqrt(np.clip(populations @ levels**2 - mean**2, 0, None))
    return mean, spread, populations


def _formula_errors(experiment: LMGExperiment, config: LMGConfig, target: Target) -> Array:
    """(points,): error of E by the product formula of each circuit."""
    brain, circuits = experiment.brain, experiment.circuits
    assert circuits is not None
    number = len(brain.planned)
    if config.exact_circuits:
        return np.zeros(number)
    formula = formula_on(config, brain.initial, target)
    phases = brain.exact.phase.values
    plan = Plan(config, brain.model, brain.initial, phases, formula)
    if not config.fixed_depth:
        return np.concatenate([[0.0], plan.along(circuits.trotter(0.0))])[:number]
    reached = [config.g0 * float(phase) for phase in phases]
    return np.array([plan.at(phi, circuits.trotter(phi)) if phi else 0.0 for phi in reached])


def readout_bias(config: LMGConfig, populations: Array, numbers: DeviceNumbers) -> float:
    """Error of E by readout errors p(1|0) = a, p(0|1) = b of every qubit, post-selected.

    In the qubit encoding each of n ones is lost with b, each of the N − n zeros is false with a; an
    even number of both is kept, with chance (1 + (1−2b)^n (1−2a)^(N−n))/2. In the dicke encoding
    words of no state are dropped.
    """
    a, b = numbers.false, numbers.lost
    n = np.arange(config.neurons + 1)
    zeros = config.neurons - n
    exact = float(populations @ n) / config.neurons
    if config.encoding == "dicke":
        from qbrain.circuits.dicke_encoding import decode

        table = np.asarray(decode(config.neurons, 0))
        words = np.where(table < 0, 0.0, populations[table])
        read = read_through(words, np.tile([a, b], (int(table.size).bit_length() - 1, 1)))
        kept = np.where(table < 0, 0.0, read)
        return float(kept @ np.maximum(table, 0)) / float(kept.sum()) / config.neurons - exact
    ones, others = (1 - 2 * b) ** n, (1 - 2 * a) ** zeros
    even = (1 + ones * others) / 2
    # one certain flip needs an odd number of the rest
    lost = n * b * (1 - (1 - 2 * b) ** np.maximum(n - 1, 0) * others) / 2
    false = zeros * a * (1 - ones * (1 - 2 * a) ** np.maximum(zeros - 1, 0)) / 2
    counted = float(populations @ (n * even - lost + false))
    return counted / float(populations @ even) / config.neurons - exact
